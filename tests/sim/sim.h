/* sim.h - one run of the simulator: hosts, network, time, chance.
 * Owns:    all of it.
 * Threads: one; every host's threads are stepped in an order that the seed decides.
 * A run has three parts: the storm (workload and faults), the calm (everything heals, children behave, clients are done),
 * the end (every supervisor is stopped, every host goes, nothing may be left). */
#ifndef DZ_TESTS_SIM_H
#define DZ_TESTS_SIM_H

#include "sim_check.h"
#include "sim_intensity.h"
#include "sim/sim_net.h"
#include "sim/sim_rand.h"
#include "sim/sim_trace.h"

struct sim_life;

struct sim_options {
    uint64_t seed;
    unsigned hosts;
    uint64_t time_ms; /* of the storm */
    bool trace;
    bool faults;
    bool load;
    bool quiet; /* says nothing of a run in which all was well */
};

enum sim_part { SIM_STORM, SIM_CALM, SIM_END };

struct sim {
    struct sim_options options;
    struct dz_sim_rand rand;
    uint64_t now_ns;
    struct dz_sim_trace trace;
    struct dz_sim_net *net;
    struct sim_check check;
    struct sim_intensity intensity;
    struct sim_life *lives[DZ_SIM_HOSTS_MAX]; /* NULL: the host is down */
    uint32_t life_count;
    uint64_t names; /* given to children so far */
    enum sim_part part;
    bool failed;
};

/* 0 when everything that must hold did. Prints what failed, and the hash at the end; `hash` may be NULL. */
int sim_run(const struct sim_options *options, uint64_t *hash);
/* How much time goes by in such a run. */
uint64_t sim_simulated_ms(const struct sim_options *options);
/* Something that must hold did not. */
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define sim_note(sim, ...) dz_sim_trace_note(&(sim)->trace, __VA_ARGS__)

#endif
