/* loss.h - a worker that is lost: its processes end, another worker takes its place.
 * Owns:    the list of the lost (dz_guard.lost).
 * Threads: the system thread's.
 * Fails:   when no new worker can be made the host is told to end (dz_guard_hooks.failed). */
#ifndef DZ_SCHED_LOSS_H
#define DZ_SCHED_LOSS_H

#include "sched/sched.h"

/* The thread of `w`, given up, does nothing to the core any more: it is parked, or parks before it enters the
 * core again. Ends its processes (reason worker_stuck or out_of_memory), tells each supervisor once, and puts
 * a fresh worker in its place unless the scheduler stops. `parked`: it is so already. The guard's lock of the
 * worker is held. */
void dz_loss_take(struct dz_worker *system, struct dz_worker *w, bool parked);
/* Closes the sockets and pipes of lost workers whose threads have come to stand still. */
void dz_loss_close_descriptors(struct dz_sched *s);

#endif
