/* alarm.h - what is told of workers in trouble: the events long_turn and worker_stuck, and their log lines.
 * Owns:    nothing.
 * Threads: any; `t` is the thread one runs on.
 * Fails:   an event that finds no memory is lost. */
#ifndef DZ_SCHED_ALARM_H
#define DZ_SCHED_ALARM_H

#include "proc/rt.h"

/* A turn goes on and on. `pid` may be none, `traceback` NULL: not known. */
void dz_alarm_long_turn(struct dz_thread *t, uint32_t worker, struct dz_pid pid, uint64_t age_ms,
                        const char *traceback);
/* A process is ended for what it does: runaway or out_of_memory. */
void dz_alarm_ended(struct dz_thread *t, struct dz_pid pid, enum dz_reason reason, const char *traceback);
/* A worker was lost with `count` processes; `pid` (or none) was the one running. */
void dz_alarm_worker_lost(struct dz_thread *t, uint32_t worker, struct dz_pid pid, enum dz_reason reason,
                          uint32_t count);

#endif
