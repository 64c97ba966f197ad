/* timer.h - what becomes due on one thread.
 * Owns:    nothing; a timer lives inside its owner, which stops it before it goes away.
 * Threads: the thread it was started on only.
 * Fails:   DZ_ENOMEM on start. */
#ifndef DZ_PROC_TIMER_H
#define DZ_PROC_TIMER_H

#include "base/heap.h"
#include "base/list.h"

#define DZ_INFINITY UINT64_MAX

struct dz_thread;
struct dz_timer {
    struct dz_heap_node node;
    struct dz_list lazy;  /* dz_thread.lazy, until it is armed */
    uint64_t timeout_ns;  /* of a lazy one, until it is armed */
    void (*fire)(struct dz_thread *t, struct dz_timer *timer); /* the timer is stopped already */
};

static inline void dz_timer_init(struct dz_timer *timer, void (*fire)(struct dz_thread *, struct dz_timer *))
{
    dz_heap_node_init(&timer->node);
    dz_list_init(&timer->lazy);
    timer->fire = fire;
}
/* due_ns on the host's monotonic clock; an already started timer moves. DZ_INFINITY: stopped. */
int dz_timer_start(struct dz_thread *t, struct dz_timer *timer, uint64_t due_ns);
/* Due timeout_ns after the thread next looks at its timers: costs no clock and no heap when it is stopped before that, and is
 * never early. */
void dz_timer_start_lazy(struct dz_thread *t, struct dz_timer *timer, uint64_t timeout_ns);
void dz_timer_stop(struct dz_thread *t, struct dz_timer *timer);
/* Arms the lazy ones, then fires all that is due at now_ns; returns how many. */
unsigned dz_timers_run(struct dz_thread *t, uint64_t now_ns);
/* When the next one is due, DZ_INFINITY when none is. */
uint64_t dz_timers_next(const struct dz_thread *t);

#endif
