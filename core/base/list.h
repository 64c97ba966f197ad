/* list.h - an intrusive doubly linked list with a head node.
 * Owns:    nothing; nodes live inside their owners.
 * Threads: one at a time. */
#ifndef DZ_BASE_LIST_H
#define DZ_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include "base/assert.h"

struct dz_list {
    struct dz_list *next;
    struct dz_list *prev;
};

static inline void dz_list_init(struct dz_list *l)
{
    l->next = l->prev = l;
}

static inline bool dz_list_empty(const struct dz_list *l)
{
    return l->next == l;
}

static inline void dz_list_push_back(struct dz_list *head, struct dz_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void dz_list_push_front(struct dz_list *head, struct dz_list *node)
{
    dz_list_push_back(head->next, node);
}

/* Leaves the node empty (linked to itself), so removing twice is harmless. */
static inline void dz_list_remove(struct dz_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    dz_list_init(node);
}

/* NULL when empty. */
static inline struct dz_list *dz_list_pop_front(struct dz_list *head)
{
    struct dz_list *node = head->next;
    if (node == head)
        return NULL;
    dz_list_remove(node);
    return node;
}

/* Moves all of `from` to the end of `to`. */
static inline void dz_list_splice_back(struct dz_list *to, struct dz_list *from)
{
    if (dz_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    dz_list_init(from);
}

#define dz_list_entry(node, type, member) dz_container_of(node, type, member)
#define dz_list_each(head, it) for (struct dz_list *it = (head)->next; it != (head); it = it->next)
/* The present node may be removed inside the loop. */
#define dz_list_each_safe(head, it)                                                                          \
    for (struct dz_list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

#endif
