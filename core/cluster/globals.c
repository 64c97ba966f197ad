#include "cluster/globals_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/frames.h"
#include "proc/request.h"
#include "proc/send.h"

void dz_globals_init(struct dz_globals *g, struct dz_rt *rt, struct dz_thread *system,
                     struct dz_routes *routes)
{
    memset(g, 0, sizeof *g);
    g->rt = rt;
    g->system = system;
    g->routes = routes;
    pthread_mutex_init(&g->lock, NULL);
    dz_smap_init(&g->names);
    dz_map_init(&g->by_pid);
    dz_list_init(&g->asks);
}

static void entry_delete(struct dz_global *e)
{
    dz_free(e->name);
    dz_free(e->path);
    dz_free(e->epoch);
    dz_free(e);
}

void dz_globals_fini(struct dz_globals *g)
{
    uint32_t it = 0;
    const char *name;
    void *value;
    dz_assert(dz_list_empty(&g->asks));
    while (dz_smap_next(&g->names, &it, &name, &value))
        entry_delete(value);
    dz_smap_fini(&g->names);
    dz_map_fini(&g->by_pid);
    pthread_mutex_destroy(&g->lock);
}

/* --- the table, under its lock --- */

static uint64_t key_of(struct dz_pid pid)
{
    return ((uint64_t)pid.slot << 32 | pid.gen) ^ (uint64_t)pid.node * 0x9e3779b97f4a7c15ull;
}

static void detach(struct dz_globals *g, struct dz_global *e)
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
    dz_smap_remove(&g->names, e->name, e->name_len);
    atomic_store_explicit(&g->count, g->names.count, memory_order_relaxed);
}

static int attach(struct dz_globals *g, struct dz_global *e)
{
    if (dz_smap_put(&g->names, e->name, e->name_len, e))
        return DZ_ENOMEM;
    e->next = dz_map_get(&g->by_pid, key_of(e->pid));
    if (dz_map_put(&g->by_pid, key_of(e->pid), e)) {
        dz_smap_remove(&g->names, e->name, e->name_len);
        return DZ_ENOMEM;
    }
    atomic_store_explicit(&g->count, g->names.count, memory_order_relaxed);
    return 0;
}

static struct dz_global *entry_new(const struct dz_global_claim *c)
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
    entry_delete(e);
    return NULL;
}

bool dz_globals_is_alive(struct dz_globals *g, struct dz_pid pid)
{
    return !dz_nodes_is_self(&g->rt->nodes, pid.node) || dz_table_find(&g->rt->table, pid);
}

/* --- claims --- */

void dz_global_claim_build(const struct dz_global_claim *c, struct dz_build *b, const struct dz_nodes *nodes)
{
    dz_build_array(b, 5);
    dz_build_string(b, c->name, c->name_len);
    dz_build_pid_of(b, nodes, c->pid);
    dz_build_uint(b, c->number);
    if (!c->place.path) {
        dz_build_nil(b);
        dz_build_nil(b);
        return;
    }
    dz_build_string(b, c->place.path, c->place.path_len);
    dz_build_string(b, c->place.epoch, c->place.epoch_len);
}

int dz_global_claim_read(struct dz_globals *g, struct dz_read *r, struct dz_global_claim *c)
{
    int err = dz_frame_read_array(r, 5);
    err = err ? err : dz_frame_read_text(r, DZ_NAME_MAX, &c->name, &c->name_len);
    err = err ? err : dz_read_pid_of(r, &g->rt->nodes, &c->pid);
    err = err ? err : dz_read_uint(r, &c->number);
    err = err ? err : dz_frame_read_optional(r, DZ_PLACEMENT_PATH_MAX, &c->place.path, &c->place.path_len);
    err = err ? err
              : dz_frame_read_optional(r, DZ_PLACEMENT_DEPTH_MAX * 8, &c->place.epoch, &c->place.epoch_len);
    if (err || dz_pid_is_none(c->pid) || (c->place.path && dz_placement_check_key(&c->place)))
        return DZ_EFORMAT;
    /* A number nobody could reach by counting would leave no higher one. */
    if (c->number > UINT64_MAX / 2)
        return DZ_EFORMAT;
    if (c->number > g->number)
        g->number = c->number;
    return 0;
}

static bool same_path(const struct dz_global_claim *c, const struct dz_global *e)
{
    return c->place.path && e->path && c->place.path_len == e->path_len &&
           memcmp(c->place.path, e->path, e->path_len) == 0;
}

bool dz_global_takes_over(const struct dz_global_claim *c, const struct dz_global *e)
{
    return same_path(c, e) &&
           dz_epoch_compare(c->place.epoch, c->place.epoch_len, e->epoch, e->epoch_len) > 0;
}

int dz_globals_compare_owners(struct dz_globals *g, struct dz_pid a, struct dz_pid b)
{
    const struct dz_nodes *n = &g->rt->nodes;
    uint32_t self = atomic_load_explicit(&n->named, memory_order_acquire);
    uint32_t na = dz_nodes_is_self(n, a.node) ? self : dz_nodes_resolve(n, a.node);
    uint32_t nb = dz_nodes_is_self(n, b.node) ? self : dz_nodes_resolve(n, b.node);
    int order = strcmp(dz_nodes_get(n, na)->id, dz_nodes_get(n, nb)->id);
    return order ? order : (a.slot > b.slot) - (a.slot < b.slot);
}

bool dz_global_claim_wins(struct dz_globals *g, const struct dz_global_claim *c, const struct dz_global *e)
{
    if (!dz_globals_is_alive(g, e->pid) || dz_global_takes_over(c, e))
        return true;
    if (same_path(c, e) && dz_epoch_compare(c->place.epoch, c->place.epoch_len, e->epoch, e->epoch_len) < 0)
        return false;
    /* Two placements of one path with one epoch are decided by node, as the placements themselves are. */
    if (!same_path(c, e) && c->number != e->number)
        return c->number > e->number;
    return dz_globals_compare_owners(g, c->pid, e->pid) < 0;
}

struct dz_pid dz_globals_owner(struct dz_globals *g, const struct dz_global_claim *c, bool *takes_over)
{
    struct dz_pid owner = DZ_PID_NONE;
    *takes_over = false;
    pthread_mutex_lock(&g->lock);
    const struct dz_global *e = dz_smap_get(&g->names, c->name, c->name_len);
    if (e && dz_globals_is_alive(g, e->pid)) {
        owner = e->pid;
        /* A root has no parent that could be starting it anew: its name is taken while its owner lives. */
        bool child = c->place.path && memchr(c->place.path, '/', c->place.path_len);
        *takes_over = child && dz_global_takes_over(c, e);
    }
    pthread_mutex_unlock(&g->lock);
    return owner;
}

/* { type = "name_conflict", name =, winner = } to a process of this host that lost its name. */
static void tell_loser(struct dz_globals *g, struct dz_pid loser, const char *name, size_t len,
                       struct dz_pid winner)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 3);
    dz_build_kstring(&b, "type", "name_conflict");
    dz_build_key(&b, "name");
    dz_build_string(&b, name, len);
    dz_build_key(&b, "winner");
    dz_build_pid_of(&b, &g->rt->nodes, winner);
    struct dz_msg *m = dz_build_done(&b) ? NULL : dz_msg_new_copy(DZ_MSG_INFO, buf.data, buf.len);
    dz_buf_fini(&buf);
    if (!m)
        return;
    m->to = loser;
    dz_send_must(g->system, m);
}

/* Who loses the name to somebody else; none when nobody of this host does. */
static struct dz_pid loser_of(struct dz_globals *g, const struct dz_global_claim *winner,
                              const struct dz_global *e)
{
    bool ours = dz_nodes_is_self(&g->rt->nodes, e->pid.node) && dz_table_find(&g->rt->table, e->pid);
    return ours && !dz_pid_eq(e->pid, winner->pid) ? e->pid : DZ_PID_NONE;
}

static void broadcast_free(struct dz_globals *g, const char *name, size_t len, struct dz_pid pid)
{
    struct dz_frame_out f;
    dz_frame_begin(&f, DZ_CLUSTER_GLOBAL_FREE);
    dz_build_array(&f.build, 2);
    dz_build_string(&f.build, name, len);
    dz_build_pid_of(&f.build, &g->rt->nodes, pid);
    dz_frame_broadcast(&f, g->routes, 0);
}

int dz_globals_enter(struct dz_globals *g, const struct dz_global_claim *c)
{
    struct dz_pid loser = DZ_PID_NONE, winner = c->pid;
    struct dz_global *fresh = entry_new(c);
    if (!fresh)
        return DZ_ENOMEM;
    pthread_mutex_lock(&g->lock);
    struct dz_global *e = dz_smap_get(&g->names, c->name, c->name_len);
    int err = 0;
    if (e && !dz_pid_eq(e->pid, c->pid) && !dz_global_claim_wins(g, c, e)) {
        winner = e->pid;
        bool ours = dz_nodes_is_self(&g->rt->nodes, c->pid.node);
        loser = ours ? c->pid : DZ_PID_NONE;
    } else {
        if (e) {
            loser = loser_of(g, c, e);
            detach(g, e);
            entry_delete(e);
        }
        err = attach(g, fresh);
        if (!err)
            fresh = NULL;
    }
    pthread_mutex_unlock(&g->lock);
    if (fresh)
        entry_delete(fresh);
    if (dz_pid_is_none(loser))
        return err;
    /* It has the name no longer here, so its end will not free it where the winner is not known yet. */
    broadcast_free(g, c->name, c->name_len, loser);
    tell_loser(g, loser, c->name, c->name_len, winner);
    return err;
}

/* --- from any thread --- */

struct dz_pid dz_globals_whereis(struct dz_globals *g, const char *name, size_t len)
{
    struct dz_pid pid = DZ_PID_NONE;
    if (atomic_load_explicit(&g->count, memory_order_relaxed) == 0)
        return pid;
    pthread_mutex_lock(&g->lock);
    const struct dz_global *e = dz_smap_get(&g->names, name, len);
    if (e && dz_globals_is_alive(g, e->pid))
        pid = e->pid;
    pthread_mutex_unlock(&g->lock);
    return pid;
}

/* Takes the next name of the process out of the table; NULL when it has none. The caller owns it. */
static struct dz_global *take_of_pid(struct dz_globals *g, struct dz_pid pid)
{
    pthread_mutex_lock(&g->lock);
    struct dz_global *e = dz_map_get(&g->by_pid, key_of(pid));
    while (e && !dz_pid_eq(e->pid, pid))
        e = e->next;
    if (e)
        detach(g, e);
    pthread_mutex_unlock(&g->lock);
    return e;
}

void dz_globals_end(struct dz_globals *g, struct dz_pid pid)
{
    struct dz_global *e;
    while ((e = take_of_pid(g, pid)) != NULL) {
        broadcast_free(g, e->name, e->name_len, pid);
        entry_delete(e);
    }
}

void dz_globals_forget(struct dz_globals *g, struct dz_pid pid)
{
    struct dz_global *e;
    if (atomic_load_explicit(&g->count, memory_order_relaxed) == 0)
        return;
    while ((e = take_of_pid(g, pid)) != NULL)
        entry_delete(e);
}

/* --- system thread --- */

/* Takes the entry out if `pid` (none: anybody) has it. The caller owns it. */
static struct dz_global *take_name(struct dz_globals *g, const char *name, size_t len, struct dz_pid pid)
{
    pthread_mutex_lock(&g->lock);
    struct dz_global *e = dz_smap_get(&g->names, name, len);
    if (e && !dz_pid_is_none(pid) && !dz_pid_eq(e->pid, pid))
        e = NULL;
    if (e)
        detach(g, e);
    pthread_mutex_unlock(&g->lock);
    return e;
}

bool dz_globals_unregister(struct dz_globals *g, const char *name, size_t len)
{
    struct dz_global *e = take_name(g, name, len, DZ_PID_NONE);
    if (!e)
        return false;
    bool alive = dz_globals_is_alive(g, e->pid);
    broadcast_free(g, e->name, e->name_len, e->pid);
    entry_delete(e);
    return alive;
}

int dz_globals_freed(struct dz_globals *g, const uint8_t *data, size_t len)
{
    struct dz_read r;
    const char *name;
    size_t name_len;
    struct dz_pid pid;
    dz_read_init(&r, data, len);
    int err = dz_frame_read_array(&r, 2);
    err = err ? err : dz_frame_read_text(&r, DZ_NAME_MAX, &name, &name_len);
    err = err ? err : dz_read_pid_of(&r, &g->rt->nodes, &pid);
    if (err || dz_pid_is_none(pid))
        return DZ_EFORMAT;
    struct dz_global *e = take_name(g, name, name_len, pid);
    if (e)
        entry_delete(e);
    return 0;
}

void dz_globals_forget_node(struct dz_globals *g, uint32_t index)
{
    uint32_t it = 0;
    const char *name;
    void *value;
    pthread_mutex_lock(&g->lock);
    while (dz_smap_next(&g->names, &it, &name, &value)) {
        struct dz_global *e = value;
        if (dz_nodes_resolve(&g->rt->nodes, e->pid.node) != index)
            continue;
        detach(g, e);
        entry_delete(e);
    }
    pthread_mutex_unlock(&g->lock);
}

/* An entry whose owner of this host has ended is about to be removed (dz_globals_end): it is counted all the
 * same, so that the map's head is right whatever ends meanwhile. */
void dz_globals_build(struct dz_globals *g, struct dz_build *b)
{
    uint32_t it = 0;
    const char *name;
    void *value;
    pthread_mutex_lock(&g->lock);
    dz_build_map(b, g->names.count);
    while (dz_smap_next(&g->names, &it, &name, &value)) {
        const struct dz_global *e = value;
        dz_build_string(b, e->name, e->name_len);
        dz_build_pid_of(b, &g->rt->nodes, e->pid);
    }
    pthread_mutex_unlock(&g->lock);
}

uint32_t dz_globals_export(struct dz_globals *g, uint32_t *it, uint32_t max, struct dz_build *b)
{
    uint32_t count = 0;
    const char *name;
    void *value;
    pthread_mutex_lock(&g->lock);
    while (count < max && dz_smap_next(&g->names, it, &name, &value)) {
        const struct dz_global *e = value;
        if (!dz_nodes_is_self(&g->rt->nodes, e->pid.node) || !dz_globals_is_alive(g, e->pid))
            continue;
        struct dz_global_claim c = {
            e->name, e->name_len, e->pid, e->number, {e->path, e->path_len, e->epoch, e->epoch_len},
        };
        dz_global_claim_build(&c, b, &g->rt->nodes);
        count++;
    }
    pthread_mutex_unlock(&g->lock);
    return count;
}

int dz_globals_merge(struct dz_globals *g, struct dz_read *r)
{
    struct dz_global_claim c;
    int err = dz_global_claim_read(g, r, &c);
    /* A process of ours that the other side still has: we know better whether it has the name. */
    if (err || dz_nodes_is_self(&g->rt->nodes, c.pid.node))
        return err;
    return dz_globals_enter(g, &c);
}
