/* sim_faults.h - what goes wrong in the storm: one trouble after another, each for a while.
 * Owns:    nothing.
 * Threads: one. */
#ifndef DZ_TESTS_SIM_FAULTS_H
#define DZ_TESTS_SIM_FAULTS_H

#include "sim.h"

struct sim_faults {
    struct sim *sim;
    uint64_t next_ns;  /* the next trouble */
    uint64_t until_ns[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /* a blocked way opens again */
};

void sim_faults_init(struct sim_faults *f, struct sim *sim);
/* When something begins or ends. */
uint64_t sim_faults_next(const struct sim_faults *f);
void sim_faults_step(struct sim_faults *f);
/* No more troubles; what there is ends now. */
void sim_faults_heal(struct sim_faults *f);

#endif
