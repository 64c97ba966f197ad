/* mpsc.c - an intrusive queue with many producers and one consumer (after D. Vyukov).
 * Owns:    nothing but its stub node.
 * Threads: push from any; pop, each and empty only from the consumer.
 * Fails:   never; push is two steps and never waits.
 * The list runs from `tail` (oldest) to `head` (newest). A push swings `head` first and links the old head
 * after that; between the two steps the list is cut, which pop sees as "nothing yet". The stub is what the
 * list holds when empty. */
#include "base/mpsc.h"

#include <stddef.h>

void dz_mpsc_init(struct dz_mpsc *q)
{
    atomic_init(&q->stub.next, NULL);
    atomic_init(&q->head, &q->stub);
    q->tail = &q->stub;
}

void dz_mpsc_push(struct dz_mpsc *q, struct dz_mpsc_node *node)
{
    atomic_store_explicit(&node->next, NULL, memory_order_relaxed);
    /* seq_cst: pairs with the load in dz_mpsc_empty. A consumer that announces its sleep (seq_cst) and then
     * sees an empty queue is seen asleep by the producer that looks after this exchange. */
    struct dz_mpsc_node *prev = atomic_exchange_explicit(&q->head, node, memory_order_seq_cst);
    /* release: pairs with the acquire loads of `next` in dz_mpsc_pop, which then read the node's contents. */
    atomic_store_explicit(&prev->next, node, memory_order_release);
}

/* acquire: pairs with the release store in dz_mpsc_push. */
static struct dz_mpsc_node *next_of(struct dz_mpsc_node *node)
{
    return atomic_load_explicit(&node->next, memory_order_acquire);
}

struct dz_mpsc_node *dz_mpsc_pop(struct dz_mpsc *q)
{
    struct dz_mpsc_node *tail = q->tail;
    struct dz_mpsc_node *next = next_of(tail);
    if (tail == &q->stub) {
        if (!next)
            return NULL;
        q->tail = tail = next;
        next = next_of(tail);
    }
    if (!next) {
        /* acquire: pairs with the exchange in dz_mpsc_push; another head means that a producer is about to
         * link. */
        if (atomic_load_explicit(&q->head, memory_order_acquire) != tail)
            return NULL;
        /* The last node can leave only with another one behind it. */
        dz_mpsc_push(q, &q->stub);
        next = next_of(tail);
        if (!next)
            return NULL;
    }
    q->tail = next;
    return tail;
}

void dz_mpsc_each(struct dz_mpsc *q, void (*visit)(void *ctx, struct dz_mpsc_node *node), void *ctx)
{
    for (struct dz_mpsc_node *node = q->tail; node; node = next_of(node))
        if (node != &q->stub)
            visit(ctx, node);
}
