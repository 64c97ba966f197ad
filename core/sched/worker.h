/* worker.h - one thread of the scheduler, for sched.c and takeover.c.
 * Owns:    the struct, its loop and its thread.
 * Threads: new, start, await, join and delete the owner's; wake and ask_stop any.
 * Fails:   DZ_ENOMEM, DZ_EIO. */
#ifndef DZ_SCHED_WORKER_H
#define DZ_SCHED_WORKER_H

#include "sched/sched.h"

/* `inbox`: the one to go on with, left to the caller on failure; or NULL. */
int dz_worker_new(struct dz_sched *s, uint32_t index, struct dz_inbox *inbox, struct dz_worker **out);
/* Its thread was joined. Frees what waits in the inbox, closes what is left on the loop. Of a lost worker it
 * frees the inbox alone. */
void dz_worker_delete(struct dz_worker *w);
/* Starts the thread, or without threads calls thread_start. */
int dz_worker_start(struct dz_worker *w);
/* Waits until thread_start has returned and gives its result. Once for each dz_worker_start that returned 0.
 */
int dz_worker_await(struct dz_worker *w);
/* The thread ends after its present round. */
void dz_worker_ask_stop(struct dz_worker *w);
/* Waits for that; without threads calls thread_stop. Nothing happens when the worker does not run. */
void dz_worker_join(struct dz_worker *w);
/* Wakes the thread if it sleeps. What it should see was published before, with seq_cst. */
void dz_worker_wake(struct dz_worker *w);

#endif
