/* sim_kid.h - the processes of the workload that supervisors start, in C. What one does is in the name of its behaviour:
 *
 *   steady    runs for ever                  crashy     crashes after a while
 *   fleeting  ends normally after a while    slow       its init takes some time
 *   bad       its init fails sometimes       stuck      its init does not return now and then
 *   lazy      its terminate takes some time  stubborn   its terminate does not return
 *
 * In the calm all of them are steady. A call of n is answered n + 1, now and then by a crash or late.
 * Owns:    its processes.
 * Threads: a process belongs to the thread it was made on. */
#ifndef DZ_TESTS_SIM_KID_H
#define DZ_TESTS_SIM_KID_H

#include "sim_life.h"

extern const char *const sim_kid_behaviors[];
#define SIM_KID_BEHAVIORS 8u

/* Takes the message. */
void sim_kid_spawn(struct sim_life *l, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *msg,
                   const struct dz_spawn *s);

#endif
