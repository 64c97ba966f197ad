/* sim_spec.h - specifications of supervisors and children, as chance will have them.
 * Owns:    nothing. */
#ifndef DZ_TESTS_SIM_SPEC_H
#define DZ_TESTS_SIM_SPEC_H

#include "sim.h"
#include "term/build.h"

#define SIM_ROOT_NAMES 4u
#define SIM_CHILD_IDS  6u
#define SIM_SMALL_MAILBOX 4u /* the largest of the limits that are meant to be hit */

/* A supervisor; `name` may be NULL. */
void sim_spec_supervisor(struct sim *sim, struct dz_build *b, const char *name, unsigned depth);
/* A child with this id. */
void sim_spec_child(struct sim *sim, struct dz_build *b, const char *id, unsigned depth);

#endif
