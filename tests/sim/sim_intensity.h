/* sim_intensity.h - does a supervisor restart more often than its intensity allows? Looked at from outside: at the crashes of
 * children on its own node that it followed by a new start.
 * Owns:    the times of those crashes, for each supervisor.
 * Threads: one.
 * Only one_for_one and simple_one_for_one are looked at, where each such crash is a restart that counts. */
#ifndef DZ_TESTS_SIM_INTENSITY_H
#define DZ_TESTS_SIM_INTENSITY_H

#include "sim_check.h"

struct sim_intensity {
    struct sim *sim;
    struct dz_list supervisors;
};

void sim_intensity_init(struct sim_intensity *in, struct sim *sim);
void sim_intensity_fini(struct sim_intensity *in);
/* A child crashes by itself, now. */
void sim_intensity_crashed(struct sim_intensity *in, struct sim_kid_record *kid);
/* The next process of the same child begins; `before` is the last one, which is gone. */
void sim_intensity_restarted(struct sim_intensity *in, const struct sim_kid_record *before);

#endif
