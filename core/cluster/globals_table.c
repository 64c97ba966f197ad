/* globals_table.c - the claims on cluster-wide names, by name and by process, and which of them wins.
 * Owns:    the entries that are in the table.
 * Threads: any, under dz_globals.lock.
 * Fails:   DZ_ENOMEM on insertion, the table unchanged. */
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/globals_parts.h"

/* --- entries --- */

void dz_global_delete(struct dz_global *e)
{
    dz_free(e->name);
    dz_free(e->path);
    dz_free(e->epoch);
    dz_free(e);
}

struct dz_global *dz_global_new(const struct dz_global_claim *c)
{
    struct dz_global *e = dz_zalloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->pid = c->pid;
    e->number = c->number;
    e->name = dz_strndup(c->name, c->name_len);
    e->name_len = (uint32_t)c->name_len;
    if (c->place.path) {
        e->path = dz_strndup(c->place.path, c->place.path_len);
        e->path_len = (uint32_t)c->place.path_len;
        e->epoch = dz_strndup(c->place.epoch, c->place.epoch_len);
        e->epoch_len = (uint32_t)c->place.epoch_len;
    }
    if (e->name && (!c->place.path || (e->path && e->epoch)))
        return e;
    dz_global_delete(e);
    return NULL;
}

bool dz_globals_is_alive(struct dz_globals *g, struct dz_pid pid)
{
    return !dz_nodes_is_self(&g->rt->nodes, pid.node) || dz_table_find(&g->rt->table, pid);
}

int dz_globals_compare_owners(struct dz_globals *g, struct dz_pid a, struct dz_pid b)
{
    const struct dz_nodes *n = &g->rt->nodes;
    uint32_t self = atomic_load_explicit(&n->named, memory_order_acquire);
    uint32_t na = dz_nodes_is_self(n, a.node) ? self : dz_nodes_resolve(n, a.node);
    uint32_t nb = dz_nodes_is_self(n, b.node) ? self : dz_nodes_resolve(n, b.node);
    int order = strcmp(dz_nodes_get(n, na)->id, dz_nodes_get(n, nb)->id);
    order = order ? order : (a.slot > b.slot) - (a.slot < b.slot);
    return order ? order : (a.gen > b.gen) - (a.gen < b.gen);
}

/* --- who wins --- */

/* Both are placements of one path, and a's goes first: the newer epoch, of two alike the lower node's, as the
 * placements themselves are decided. */
static bool replaces(struct dz_globals *g, const struct dz_global *a, const struct dz_global *b)
{
    if (!a->path || !b->path || a->path_len != b->path_len || memcmp(a->path, b->path, a->path_len) != 0)
        return false;
    int order = dz_epoch_compare(a->epoch, a->epoch_len, b->epoch, b->epoch_len);
    return order ? order > 0 : dz_globals_compare_owners(g, a->pid, b->pid) < 0;
}

/* Nobody who is alive replaces it. */
static bool stands(struct dz_globals *g, const struct dz_global *first, const struct dz_global *e)
{
    if (!dz_globals_is_alive(g, e->pid))
        return false;
    for (const struct dz_global *other = first; other; other = other->rival)
        if (other != e && dz_globals_is_alive(g, other->pid) && replaces(g, other, e))
            return false;
    return true;
}

/* Paths are settled among themselves before numbers are compared: taken two at a time, three claims could
 * each win over the next. */
static struct dz_global *winner_of(struct dz_globals *g, struct dz_global *first)
{
    struct dz_global *best = NULL;
    for (struct dz_global *e = first; e; e = e->rival) {
        if (!stands(g, first, e))
            continue;
        if (!best || e->number > best->number ||
            (e->number == best->number && dz_globals_compare_owners(g, e->pid, best->pid) < 0))
            best = e;
    }
    return best ? best : first;
}

static void unlink_rival(struct dz_global **first, struct dz_global *e)
{
    while (*first != e)
        first = &(*first)->rival;
    *first = e->rival;
    e->rival = NULL;
}

/* The list of a name's claims changed: the winner comes first again. */
static void elect(struct dz_globals *g, struct dz_global *first)
{
    struct dz_global *winner = winner_of(g, first);
    if (winner != first) {
        unlink_rival(&first, winner);
        winner->rival = first;
    }
    /* Replaces: takes no memory. */
    dz_assert(!dz_smap_put(&g->names, winner->name, winner->name_len, winner));
}

/* --- the table --- */

static uint64_t key_of(struct dz_pid pid)
{
    return ((uint64_t)pid.slot << 32 | pid.gen) ^ (uint64_t)pid.node * 0x9e3779b97f4a7c15ull;
}

static void count(struct dz_globals *g)
{
    atomic_store_explicit(&g->count, g->names.count, memory_order_relaxed);
}

static void detach_pid(struct dz_globals *g, struct dz_global *e)
{
    struct dz_global *first = dz_map_get(&g->by_pid, key_of(e->pid));
    if (first == e) {
        if (!e->next)
            dz_map_remove(&g->by_pid, key_of(e->pid));
        else
            dz_assert(!dz_map_put(&g->by_pid, key_of(e->pid), e->next)); /* replaces: takes no memory */
    }
    for (; first; first = first->next)
        if (first->next == e)
            first->next = e->next;
    e->next = NULL;
}

void dz_globals_detach(struct dz_globals *g, struct dz_global *e)
{
    struct dz_global *first = dz_smap_get(&g->names, e->name, e->name_len);
    detach_pid(g, e);
    unlink_rival(&first, e);
    if (first)
        elect(g, first);
    else
        dz_smap_remove(&g->names, e->name, e->name_len);
    count(g);
}

int dz_globals_attach(struct dz_globals *g, struct dz_global *e)
{
    struct dz_global *first = dz_smap_get(&g->names, e->name, e->name_len);
    e->next = dz_map_get(&g->by_pid, key_of(e->pid));
    if (dz_map_put(&g->by_pid, key_of(e->pid), e))
        return DZ_ENOMEM;
    if (!first && dz_smap_put(&g->names, e->name, e->name_len, e)) {
        detach_pid(g, e);
        return DZ_ENOMEM;
    }
    e->rival = first;
    elect(g, e);
    count(g);
    return 0;
}

struct dz_global *dz_globals_find(struct dz_globals *g, const char *name, size_t len, struct dz_pid pid)
{
    struct dz_global *e = dz_smap_get(&g->names, name, len);
    while (e && !dz_pid_eq(e->pid, pid))
        e = e->rival;
    return e;
}

struct dz_global *dz_globals_of_pid(struct dz_globals *g, struct dz_pid pid)
{
    struct dz_global *e = dz_map_get(&g->by_pid, key_of(pid));
    while (e && !dz_pid_eq(e->pid, pid))
        e = e->next;
    return e;
}

struct dz_global *dz_globals_own_loser(struct dz_globals *g, const char *name, size_t len)
{
    struct dz_global *winner = dz_smap_get(&g->names, name, len);
    for (struct dz_global *e = winner ? winner->rival : NULL; e; e = e->rival)
        if (dz_nodes_is_self(&g->rt->nodes, e->pid.node) && dz_globals_is_alive(g, e->pid))
            return e;
    return NULL;
}
