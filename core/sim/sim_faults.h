/* sim_faults.h - what goes wrong in a simulated cluster: one trouble after another, each for a while.
 * Owns:    when each trouble ends.
 * Threads: one. */
#ifndef DZ_SIM_SIM_FAULTS_H
#define DZ_SIM_SIM_FAULTS_H

#include "sim/sim_net.h"
#include "sim/sim_trace.h"

enum dz_sim_fault {
    DZ_SIM_CUT,       /* two hosts lose their connections */
    DZ_SIM_STALL,     /* nothing gets through from one host to another, and nobody is told */
    DZ_SIM_PARTITION, /* the same between two groups, one way or both */
    DZ_SIM_FREEZE,    /* a host does nothing for a while */
    DZ_SIM_CRASH,     /* a host is gone from one moment to the next, and comes back later */
    DZ_SIM_SLOW,      /* from now on a way takes longer */
    DZ_SIM_FAULTS
};
#define DZ_SIM_ALL_FAULTS ((1u << DZ_SIM_FAULTS) - 1)

/* "cut", ...; NULL behind the last. */
const char *dz_sim_fault_name(unsigned fault);

/* The hosts, as far as faults are concerned. */
struct dz_sim_world {
    void *ctx;
    unsigned hosts;
    unsigned kinds; /* 1 << enum dz_sim_fault */
    const uint64_t *now_ns;
    struct dz_sim_rand *rand;
    struct dz_sim_net *net;
    struct dz_sim_trace *trace;
    bool (*is_up)(void *ctx, int host);
    void (*freeze)(void *ctx, int host, uint64_t until_ns);
    void (*crash)(void *ctx, int host);
    void (*start)(void *ctx, int host);
    void (*troubled)(void *ctx); /* something began or ended now */
};

struct dz_sim_faults {
    struct dz_sim_world world;
    uint64_t next_ns; /* the next trouble */
    uint64_t until_ns[DZ_SIM_HOSTS_MAX][DZ_SIM_HOSTS_MAX]; /* a blocked way opens again */
    uint64_t back_ns[DZ_SIM_HOSTS_MAX];                    /* a host that is down comes back */
};

void dz_sim_faults_init(struct dz_sim_faults *f, const struct dz_sim_world *world);
/* When something begins or ends. */
uint64_t dz_sim_faults_next(const struct dz_sim_faults *f);
void dz_sim_faults_step(struct dz_sim_faults *f);
/* No more troubles; what there is ends now. */
void dz_sim_faults_heal(struct dz_sim_faults *f);

#endif
