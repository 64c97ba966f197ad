/* sim_dump.h - the state of every supervisor, for those who look for the cause of a failure.
 * Owns:    nothing. */
#ifndef DZ_TESTS_SIM_DUMP_H
#define DZ_TESTS_SIM_DUMP_H

#include "sim.h"

void sim_dump(struct sim *sim);

#endif
