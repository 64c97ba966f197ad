/* sim_run.h - one run of `dozor sim`: whole hosts in one thread, on clocks and a network that a seed decides.
 * Owns:    everything of the run; hosts that crashed are left as they stand, for the process ends with the run.
 * Threads: one.
 * Fails:   what is not true of the run makes it fail, in words.
 * A run has four parts: the storm (faults come), the calm (they have healed), settled (the checks of dozor.sim must hold), the end
 * (every host is stopped in order). */
#ifndef DZ_HOST_SIM_RUN_H
#define DZ_HOST_SIM_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include "host/config.h"
#include "sim/sim_faults.h"

struct dz_sim_node;

struct dz_sim_options {
    uint64_t seed;
    uint64_t storm_ms;
    unsigned kinds; /* of faults */
    bool trace;
    const struct dz_up_settings *up; /* the cluster; its paths are complete */
    const struct dz_config_list *behaviors;
    const char *dir; /* the script's, or the config's */
};

enum dz_sim_part { DZ_SIM_STORM, DZ_SIM_CALM, DZ_SIM_SETTLED, DZ_SIM_END };

/* What a script said must be true. */
struct dz_sim_checked {
    const struct dz_sim_node *node; /* the life it was said in */
    char *name;
    uint64_t held; /* how often, since all has settled */
};

struct dz_sim_run {
    struct dz_sim_options options;
    struct dz_sim_rand rand;
    uint64_t now_ns;
    struct dz_sim_trace trace;
    struct dz_sim_net *net;
    struct dz_sim_faults faults;
    struct dz_sim_node *nodes[DZ_SIM_HOSTS_MAX]; /* NULL: down */
    uint32_t lives;
    enum dz_sim_part part;
    struct dz_sim_checked *checked;
    uint32_t checked_count;
    bool failed;
};

/* 0, or 1 when something was not true; *hash is that of the run's trace. */
int dz_sim_run_once(const struct dz_sim_options *options, uint64_t *hash);
/* How much time goes by in it. */
uint64_t dz_sim_run_ms(const struct dz_sim_options *options);
void dz_sim_run_fail(struct dz_sim_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
