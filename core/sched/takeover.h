/* takeover.h - natives that are ready: on the thread that made them so, or taken over by the system thread.
 * Owns:    dz_thread.natives, dz_sched.announced; dz_native.ready, lister, announce, announced.
 * Threads: as each says.
 * Fails:   never.
 *
 * A native that is QUEUED is always in the care of somebody: it is in the list of the thread that made it
 * ready, which runs it right after the present turn, or it is announced to the system thread, or both.
 * dz_native_run decides who gets it. */
#ifndef DZ_SCHED_TAKEOVER_H
#define DZ_SCHED_TAKEOVER_H

#include "sched/sched.h"

#define DZ_TAKEOVER_NS 1000000u /* how long a native waits for the turn that made it ready */

/* The port: `native` became QUEUED on `from`. Any thread. */
void dz_takeover_ready(void *ctx, struct dz_thread *from, struct dz_native *native);
/* Runs this thread's ready natives once each. True if there were any. The thread's own. */
bool dz_takeover_run_own(struct dz_worker *w);
/* A turn is about to begin: what is still ready may not depend on its end. The thread's own. */
void dz_takeover_before_turn(struct dz_worker *w);
/* What a lost or joined worker has in its list is announced: it runs no more. The system thread's, or the
 * owner's who joined it. */
void dz_takeover_inherit(struct dz_worker *lost);
/* Runs what was announced, when that is due. True if anything was. The system thread's. */
bool dz_takeover_run_announced(struct dz_worker *system);
/* An announcement waits that the system thread has not seen yet. The system thread's. */
bool dz_takeover_pending(const struct dz_worker *system);

#endif
