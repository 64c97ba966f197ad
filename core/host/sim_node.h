/* sim_node.h - one life of one host under `dozor sim`: a whole host, driven.
 * Owns:    the host, its clock, its station on the network.
 * Threads: one steps all of the host's.
 * Fails:   a host that cannot be made or joined fails the run. */
#ifndef DZ_HOST_SIM_NODE_H
#define DZ_HOST_SIM_NODE_H

#include "host/boot.h"
#include "host/drive.h"
#include "host/host.h"
#include "host/sim_run.h"
#include "sim/sim_clock.h"

struct dz_sim_node {
    struct dz_sim_run *run;
    int index;
    const struct dz_up_node *config;
    struct dz_sim_clock clock;
    uint64_t wall_offset_ms;
    struct dz_sim_rand rand;
    struct dz_vm_simulation simulation;
    dz_host *host;
    struct dz_boot boot;
    struct dz_sim_station *station; /* NULL: in no cluster */
    uint16_t listen_port;
    uint64_t busy_until_ns[DZ_THREADS_MAX];
    uint64_t frozen_until_ns;
    bool dead;     /* crashed: it does nothing any more */
    bool finished; /* its orderly stop is through */
    int exit_code;
};

/* The host starts, joins, runs its script. */
struct dz_sim_node *dz_sim_node_new(struct dz_sim_run *run, int index);
/* From one moment to the next nobody is there. */
void dz_sim_node_crash(struct dz_sim_node *n);
/* When its next thread has something to do, and which; DZ_SIM_NEVER. */
uint64_t dz_sim_node_next(struct dz_sim_node *n, uint32_t *thread);
void dz_sim_node_step(struct dz_sim_node *n, uint32_t thread);

#endif
