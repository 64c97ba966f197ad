/* heap.h - an intrusive binary min-heap of times, for timers.
 * Owns:    the array of pointers; nodes live inside their owners and know their place, so removal is O(log n).
 * Threads: one at a time.
 * Fails:   DZ_ENOMEM on push, the heap unchanged.
 * Equal times leave in the order they were pushed (`seq`), so that runs repeat. */
#ifndef DZ_BASE_HEAP_H
#define DZ_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DZ_HEAP_NONE UINT32_MAX

struct dz_heap_node {
    uint64_t key;
    uint64_t seq;   /* set by push */
    uint32_t place; /* DZ_HEAP_NONE when not in a heap */
};

struct dz_heap {
    struct dz_heap_node **nodes;
    uint32_t count;
    uint32_t cap;
    uint64_t next_seq;
};

void dz_heap_init(struct dz_heap *h);
void dz_heap_fini(struct dz_heap *h);
static inline void dz_heap_node_init(struct dz_heap_node *n)
{
    n->key = n->seq = 0;
    n->place = DZ_HEAP_NONE;
}
static inline bool dz_heap_holds(const struct dz_heap_node *n)
{
    return n->place != DZ_HEAP_NONE;
}
int dz_heap_push(struct dz_heap *h, struct dz_heap_node *n, uint64_t key);
/* NULL when empty. */
struct dz_heap_node *dz_heap_top(const struct dz_heap *h);
struct dz_heap_node *dz_heap_pop(struct dz_heap *h);
/* Nothing happens when the node is not in the heap. */
void dz_heap_remove(struct dz_heap *h, struct dz_heap_node *n);

#endif
