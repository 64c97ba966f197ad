/* heap.c - an intrusive binary min-heap of times.
 * Owns:    the array of pointers.
 * Threads: one at a time.
 * Fails:   DZ_ENOMEM on push.
 * Invariant: nodes[i]->place == i, and no node is earlier than its parent, (i - 1) / 2. */
#include "base/heap.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

#define FIRST_CAP 16u
#define MAX_CAP   (1u << 30)

void dz_heap_init(struct dz_heap *h)
{
    memset(h, 0, sizeof *h);
}

/* The nodes still inside are their owners': they are told that they are out. */
void dz_heap_fini(struct dz_heap *h)
{
    for (uint32_t i = 0; i < h->count; i++)
        h->nodes[i]->place = DZ_HEAP_NONE;
    dz_free(h->nodes);
    dz_heap_init(h);
}

static bool earlier(const struct dz_heap_node *a, const struct dz_heap_node *b)
{
    return a->key < b->key || (a->key == b->key && a->seq < b->seq);
}

static void put(struct dz_heap *h, uint32_t place, struct dz_heap_node *n)
{
    h->nodes[place] = n;
    n->place = place;
}

/* Moves the hole at `place` up to where `n` belongs and fills it. */
static void sift_up(struct dz_heap *h, uint32_t place, struct dz_heap_node *n)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / 2;
        if (!earlier(n, h->nodes[parent]))
            break;
        put(h, place, h->nodes[parent]);
        place = parent;
    }
    put(h, place, n);
}

static void sift_down(struct dz_heap *h, uint32_t place, struct dz_heap_node *n)
{
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && earlier(h->nodes[child + 1], h->nodes[child]))
            child++;
        if (!earlier(h->nodes[child], n))
            break;
        put(h, place, h->nodes[child]);
        place = child;
    }
    put(h, place, n);
}

static int grow(struct dz_heap *h)
{
    uint32_t cap = h->cap ? h->cap * 2 : FIRST_CAP;
    if (cap > MAX_CAP)
        return DZ_ENOMEM;
    struct dz_heap_node **nodes = dz_realloc(h->nodes, cap * sizeof(struct dz_heap_node *));
    if (!nodes)
        return DZ_ENOMEM;
    h->nodes = nodes;
    h->cap = cap;
    return 0;
}

int dz_heap_push(struct dz_heap *h, struct dz_heap_node *n, uint64_t key)
{
    dz_assert(n->place == DZ_HEAP_NONE);
    if (h->count == h->cap) {
        int err = grow(h);
        if (err)
            return err;
    }
    n->key = key;
    n->seq = h->next_seq++;
    sift_up(h, h->count++, n);
    return 0;
}

struct dz_heap_node *dz_heap_top(const struct dz_heap *h)
{
    return h->count ? h->nodes[0] : NULL;
}

struct dz_heap_node *dz_heap_pop(struct dz_heap *h)
{
    struct dz_heap_node *top = dz_heap_top(h);
    if (top)
        dz_heap_remove(h, top);
    return top;
}

void dz_heap_remove(struct dz_heap *h, struct dz_heap_node *n)
{
    uint32_t place = n->place;
    if (place == DZ_HEAP_NONE)
        return;
    dz_assert(place < h->count && h->nodes[place] == n);
    n->place = DZ_HEAP_NONE;
    struct dz_heap_node *last = h->nodes[--h->count];
    if (last == n)
        return;
    if (place > 0 && earlier(last, h->nodes[(place - 1) / 2]))
        sift_up(h, place, last);
    else
        sift_down(h, place, last);
}
