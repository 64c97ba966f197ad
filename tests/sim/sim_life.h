/* sim_life.h - one life of one simulated host: the real core from rt to cluster, put together as core/host does it, without
 * threads, sockets and Lua.
 * Owns:    all of the core's objects of that host; the station on the network.
 * Threads: one steps them all. */
#ifndef DZ_TESTS_SIM_LIFE_H
#define DZ_TESTS_SIM_LIFE_H

#include "base/map.h"
#include "cluster/cluster.h"
#include "sched/sched.h"
#include "sim.h"
#include "sim/sim_clock.h"
#include "sup/driver.h"

#define SIM_WORKERS 2u
#define SIM_THREADS (SIM_WORKERS + 1)

struct dz_supervisor;

struct sim_life {
    struct sim *sim;
    int index;
    uint32_t number;
    char id[32];
    struct dz_sim_clock clock;
    uint64_t wall_offset_ms;
    struct dz_sim_rand rand;
    struct dz_env env;
    struct dz_log log;
    struct dz_rt rt;
    struct dz_sched sched;
    struct dz_cluster *cluster;
    struct dz_driver driver;
    struct dz_sim_station *station;
    struct dz_list clients;
    struct dz_map up; /* identities of the nodes it has been told are up */
    uint64_t busy_until_ns[SIM_THREADS];
    uint64_t frozen_until_ns;
    bool ending; /* it is dead for all others; what it still does nobody sees */
    bool joined;
    bool cluster_stopped;
};

/* The host starts, with all others as seeds. */
struct sim_life *sim_life_new(struct sim *sim, int index);
/* As kill -9: from one moment to the next nobody is there. Frees it. */
void sim_life_crash(struct sim_life *l);
/* When thread i next has something to do; DZ_SIM_NEVER. */
uint64_t sim_life_next(struct sim_life *l, uint32_t i);
void sim_life_step(struct sim_life *l, uint32_t i);
/* A pid of one host as another one names it. */
struct dz_pid sim_life_translate(struct sim_life *from, struct dz_pid pid, struct sim_life *to);
/* Pids of its supervisors, `cap` at most; without `out` only how many there are. */
size_t sim_life_supervisors(struct sim_life *l, bool roots, struct dz_pid *out, size_t cap);

/* The supervisor with this pid of its own; NULL when there is none. */
struct dz_supervisor *sim_life_supervisor(struct sim_life *l, struct dz_pid pid);

static inline struct dz_thread *sim_life_thread(struct sim_life *l, uint32_t i)
{
    return &l->sched.workers[i]->thread;
}

#endif
