/* mpsc.h - an intrusive queue with many producers and one consumer (after D. Vyukov's non-blocking design).
 * Owns:    nothing; nodes live inside their owners.
 * Threads: push from any; pop, each and empty only from the consumer.
 * Fails:   never. */
#ifndef DZ_BASE_MPSC_H
#define DZ_BASE_MPSC_H

#include <stdatomic.h>
#include <stdbool.h>

struct dz_mpsc_node {
    _Atomic(struct dz_mpsc_node *) next;
};

struct dz_mpsc {
    _Atomic(struct dz_mpsc_node *) head; /* producers */
    char pad[64 - sizeof(void *)];
    struct dz_mpsc_node *tail; /* consumer */
    struct dz_mpsc_node stub;
};

void dz_mpsc_init(struct dz_mpsc *q);
void dz_mpsc_push(struct dz_mpsc *q, struct dz_mpsc_node *node);
/* NULL when empty, or when a producer stands between its two steps: then dz_mpsc_empty is false and the node is there soon. */
struct dz_mpsc_node *dz_mpsc_pop(struct dz_mpsc *q);
/* Visits what a pop would give, oldest first, without taking it. The consumer only. */
void dz_mpsc_each(struct dz_mpsc *q, void (*visit)(void *ctx, struct dz_mpsc_node *node), void *ctx);
/* True only if every finished push has been popped. */
static inline bool dz_mpsc_empty(struct dz_mpsc *q)
{
    /* seq_cst: see dz_mpsc_push. The stub at both ends: everything before it was popped, nothing came behind
     * it. */
    return q->tail == &q->stub && atomic_load_explicit(&q->head, memory_order_seq_cst) == &q->stub;
}

#endif
