/* children.c - the records of children and the indexes that find them without walking the list.
 * Owns:    each record from dz_children_add until the event after dz_children_remove.
 * Threads: the machine's.
 * Fails:   dz_children_add returns NULL; the tables by pid, token and node abort when memory runs out. */
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "sup/machine.h"

static uint64_t pid_key(struct dz_pid pid)
{
    return ((uint64_t)pid.slot << 32 | pid.gen) ^ pid.node * UINT64_C(0x9E3779B97F4A7C15);
}

/* Pids of different nodes may share a key: then they hang from one another. */
static void index_pid(struct dz_sup *s, struct dz_sup_child *c)
{
    uint64_t key = pid_key(c->pid);
    dz_assert(dz_children_by_pid(s, c->pid) == NULL);
    c->same_key = dz_map_get(&s->by_pid, key);
    int err = dz_map_put(&s->by_pid, key, c);
    dz_assert(err == DZ_OK);
}

static void unindex_pid(struct dz_sup *s, struct dz_sup_child *c)
{
    uint64_t key = pid_key(c->pid);
    struct dz_sup_child *first = dz_map_get(&s->by_pid, key);
    if (first == c) {
        int err = DZ_OK;
        if (c->same_key == NULL)
            dz_map_remove(&s->by_pid, key);
        else
            err = dz_map_put(&s->by_pid, key, c->same_key);
        dz_assert(err == DZ_OK);
        return;
    }
    while (first->same_key != c)
        first = first->same_key;
    first->same_key = c->same_key;
}

struct dz_sup_child *dz_children_by_pid(const struct dz_sup *s, struct dz_pid pid)
{
    struct dz_sup_child *c = dz_map_get(&s->by_pid, pid_key(pid));
    while (c != NULL && !dz_pid_eq(c->pid, pid))
        c = c->same_key;
    return c;
}

struct dz_sup_child *dz_children_find(const struct dz_sup *s, const char *id, size_t len)
{
    return dz_smap_get(&s->by_id, id, len);
}

static struct dz_sup_child *at(const struct dz_sup *s, struct dz_list *node)
{
    return node == &s->children ? NULL : dz_list_entry(node, struct dz_sup_child, order);
}

struct dz_sup_child *dz_children_first(const struct dz_sup *s)
{
    return at(s, s->children.next);
}

struct dz_sup_child *dz_children_last(const struct dz_sup *s)
{
    return at(s, s->children.prev);
}

struct dz_sup_child *dz_children_next(const struct dz_sup *s, const struct dz_sup_child *c)
{
    return at(s, c->order.next);
}

struct dz_sup_child *dz_children_before(const struct dz_sup *s, const struct dz_sup_child *c)
{
    return at(s, c->order.prev);
}

struct dz_sup_child *dz_children_add(struct dz_sup *s, const char *id, const struct dz_child_spec *spec)
{
    struct dz_sup_child *c = dz_zalloc_must(1, sizeof *c);
    c->id = dz_strndup(id, strlen(id));
    if (c->id == NULL || dz_smap_put(&s->by_id, id, strlen(id), c) != DZ_OK) {
        dz_free(c->id);
        dz_free(c);
        return NULL;
    }
    dz_list_push_back(&s->children, &c->order);
    dz_list_init(&c->group);
    dz_list_init(&c->todo);
    dz_heap_node_init(&c->timer);
    c->seq = s->next_seq++;
    c->spec = spec;
    c->status = DZ_CHILD_STOPPED;
    c->node = DZ_SUP_NO_NODE;
    c->worker = DZ_SUP_ANY_WORKER;
    c->excluded = DZ_SUP_NO_NODE;
    c->epoch = s->epoch_floor;
    c->end_told = true;
    c->is_supervisor = spec->kind == DZ_CHILD_SUPERVISOR;
    s->supervisors += c->is_supervisor;
    s->child_count++;
    return c;
}

void dz_children_remove(struct dz_sup *s, struct dz_sup_child *c)
{
    dz_assert(c->process != DZ_PROCESS_LIVE && c->flight == DZ_FLIGHT_NONE && c->queued == NULL);
    dz_children_set_status(s, c, DZ_CHILD_STOPPED);
    dz_smap_remove(&s->by_id, c->id, strlen(c->id));
    dz_heap_remove(&s->timers, &c->timer);
    dz_list_remove(&c->group);
    dz_list_remove(&c->todo);
    dz_list_remove(&c->order);
    dz_list_push_back(&s->removed, &c->order);
    /* An id given again goes on with newer epochs; generated ids are never given again. */
    if (s->spec->strategy != DZ_SIMPLE_ONE_FOR_ONE && c->epoch > s->epoch_floor)
        s->epoch_floor = c->epoch;
    s->supervisors -= c->is_supervisor;
    s->child_count--;
}

void dz_children_free(struct dz_sup_child *c)
{
    dz_sup_blob_clear(&c->args);
    dz_sup_blob_clear(&c->end);
    dz_sup_blob_clear(&c->failure);
    dz_child_spec_delete(c->own_spec);
    dz_free(c->id);
    dz_free(c);
}

/* One whose end still waits in the queue is active until its turn: auto-shutdown goes by the order of the ends. */
void dz_children_set_status(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_status status)
{
    bool active = (status != DZ_CHILD_STOPPED && !c->in_round) || c->process == DZ_PROCESS_DEAD;
    c->status = status;
    if (!c->spec->significant || active == c->active)
        return;
    s->significant_active += active ? 1u : -1u;
    c->active = active;
}

struct dz_sup_node *dz_children_node(struct dz_sup *s, uint32_t node)
{
    struct dz_sup_node *n = dz_map_get(&s->nodes, node);
    if (n != NULL)
        return n;
    n = dz_zalloc_must(1, sizeof *n);
    n->node = node;
    dz_list_init(&n->children);
    dz_list_init(&n->held);
    int err = dz_map_put(&s->nodes, node, n);
    dz_assert(err == DZ_OK);
    return n;
}

void dz_children_release_node(struct dz_sup *s, struct dz_sup_node *n)
{
    if (n->count > 0 || n->starting > 0 || !dz_list_empty(&n->held))
        return;
    dz_map_remove(&s->nodes, n->node);
    dz_free(n);
}

void dz_children_attach(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_started *started)
{
    dz_assert(c->process == DZ_PROCESS_NONE && c->flight == DZ_FLIGHT_NONE);
    dz_children_forget_plans(s, c);
    c->process = DZ_PROCESS_LIVE;
    c->pid = started->pid;
    c->node = c->flight_node;
    c->node_hash = c->flight_hash;
    c->on_local = c->flight_local;
    c->worker = started->worker;
    c->started_ms = s->now_ms;
    if (c->spec->kind != DZ_CHILD_SUPERVISOR && started->is_supervisor != c->is_supervisor) {
        c->is_supervisor = started->is_supervisor;
        s->supervisors += c->is_supervisor ? 1u : -1u;
    }
    index_pid(s, c);
    struct dz_sup_node *n = dz_children_node(s, c->node);
    dz_list_push_back(&n->children, &c->group);
    n->count++;
    s->active++;
}

void dz_children_detach(struct dz_sup *s, struct dz_sup_child *c, const uint8_t *reason, size_t len)
{
    dz_assert(c->process == DZ_PROCESS_LIVE);
    c->process = DZ_PROCESS_NONE;
    unindex_pid(s, c);
    dz_list_remove(&c->group);
    struct dz_sup_node *n = dz_children_node(s, c->node);
    n->count--;
    s->active--;
    dz_children_release_node(s, n);
    c->lost = false;
    if (c->silent) {
        c->silent = false;
        return;
    }
    dz_sup_reason_set(&c->end, reason, len);
    c->end_told = false;
    c->backoff_step = dz_backoff_step_after(&c->spec->backoff, c->backoff_step, s->now_ms - c->started_ms);
}

void dz_children_forget_plans(struct dz_sup *s, struct dz_sup_child *c)
{
    dz_assert(c->process != DZ_PROCESS_LIVE);
    if (c->queued != NULL) {
        dz_list_remove(&c->queued->node);
        dz_sup_entry_delete(c->queued);
        c->queued = NULL;
    }
    dz_heap_remove(&s->timers, &c->timer);
    dz_list_remove(&c->group);
    c->process = DZ_PROCESS_NONE;
    c->blocker = false;
    c->counted = false;
}

static struct dz_list *merge(struct dz_list *a, struct dz_list *b)
{
    struct dz_list *head = NULL, **tail = &head;
    while (a != NULL && b != NULL) {
        bool first = dz_list_entry(a, struct dz_sup_child, group)->seq <
                     dz_list_entry(b, struct dz_sup_child, group)->seq;
        struct dz_list **from = first ? &a : &b;
        *tail = *from;
        tail = &(*from)->next;
        *from = *tail;
    }
    *tail = a != NULL ? a : b;
    return head;
}

/* Merges runs of 1, 2, 4, ... children; `bins[i]` holds a sorted run of 2^i. */
void dz_children_sort(struct dz_list *group)
{
    struct dz_list *bins[32] = {NULL};
    struct dz_list *node;
    while ((node = dz_list_pop_front(group)) != NULL) {
        int i = 0;
        node->next = NULL;
        for (; bins[i] != NULL; i++) {
            node = merge(bins[i], node);
            bins[i] = NULL;
        }
        bins[i] = node;
    }
    struct dz_list *sorted = NULL;
    for (int i = 0; i < 32; i++)
        sorted = merge(bins[i], sorted);
    while (sorted != NULL) {
        struct dz_list *next = sorted->next;
        dz_list_push_back(group, sorted);
        sorted = next;
    }
}
