/* orphan.h - processes whose supervisor is gone without having stopped them: they end by themselves, `terminate` runs, and
 * nobody is left who would kill one whose terminate does not return. This does.
 * Owns:    a record for each, until it is gone.
 * Threads: the process's own.
 * Fails:   never: without memory for the record the process is killed at once. */
#ifndef DZ_PROC_ORPHAN_H
#define DZ_PROC_ORPHAN_H

#include "proc/process.h"

/* How long terminate may take when nobody says: what a supervisor gives a child by default. */
#define DZ_ORPHAN_MS 5000u

/* The process ends with this reason. `allowed_ms`: its shutdown_timeout; 0: not known, DZ_INFINITY: it takes its time. */
void dz_orphan_end(struct dz_thread *t, struct dz_proc *p, struct dz_blob *reason, uint64_t allowed_ms);
/* One that was ended so is gone (DZ_PROC_ORPHAN). */
void dz_orphan_gone(struct dz_thread *t, struct dz_proc *p);
/* Forgets all of them, when the thread goes. */
void dz_orphan_drop_all(struct dz_thread *t);

#endif
