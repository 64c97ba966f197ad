/* timer.h - deadlines of connections and links in one heap, by milliseconds of env time.
 * Owns:    nothing; timers live inside their owners.
 * Threads: the loop's thread.
 * Fails:   dz_timer_set aborts when there is no memory for the heap's array (it is bounded by peers and handshakes). */
#ifndef DZ_NET_TIMER_H
#define DZ_NET_TIMER_H

#include <stdint.h>
#include "base/assert.h"
#include "base/heap.h"

struct dz_timer {
    struct dz_heap_node node;
    void (*due)(struct dz_timer *timer);
};

static inline void dz_timer_init(struct dz_timer *timer)
{
    dz_heap_node_init(&timer->node);
    timer->due = NULL;
}

static inline void dz_timer_cancel(struct dz_heap *heap, struct dz_timer *timer)
{
    dz_heap_remove(heap, &timer->node);
}

/* A timer that was set already is moved. */
static inline void dz_timer_set(struct dz_heap *heap, struct dz_timer *timer, uint64_t at_ms,
                                void (*due)(struct dz_timer *timer))
{
    dz_heap_remove(heap, &timer->node);
    timer->due = due;
    int err = dz_heap_push(heap, &timer->node, at_ms);
    dz_assert(!err);
}

#endif
