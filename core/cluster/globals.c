#include "cluster/globals_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/frames.h"
#include "proc/request.h"
#include "proc/send.h"

void dz_globals_init(struct dz_globals *g, struct dz_rt *rt, struct dz_thread *system,
                     struct dz_routes *routes, const struct dz_globals_events *events)
{
    memset(g, 0, sizeof *g);
    g->rt = rt;
    g->system = system;
    g->routes = routes;
    g->events = *events;
    pthread_mutex_init(&g->lock, NULL);
    dz_smap_init(&g->names);
    dz_map_init(&g->by_pid);
    dz_list_init(&g->asks);
}

void dz_globals_fini(struct dz_globals *g)
{
    uint32_t it = 0;
    const char *name;
    void *value;
    dz_assert(dz_list_empty(&g->asks));
    while (dz_smap_next(&g->names, &it, &name, &value)) {
        struct dz_global *e = value;
        while (e) {
            struct dz_global *rival = e->rival;
            dz_global_delete(e);
            e = rival;
        }
    }
    dz_smap_fini(&g->names);
    dz_map_fini(&g->by_pid);
    pthread_mutex_destroy(&g->lock);
}

void dz_globals_hold(struct dz_globals *g)
{
    pthread_mutex_lock(&g->lock);
}

void dz_globals_release(struct dz_globals *g)
{
    pthread_mutex_unlock(&g->lock);
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
    if (c->place.path)
        g->events.heard(g->events.ctx, &c->place);
    return 0;
}

static bool same_path(const struct dz_global_claim *c, const struct dz_global *e)
{
    return c->place.path && e->path && c->place.path_len == e->path_len &&
           memcmp(c->place.path, e->path, e->path_len) == 0;
}

static bool takes_over(const struct dz_global_claim *c, const struct dz_global *e)
{
    return same_path(c, e) &&
           dz_epoch_compare(c->place.epoch, c->place.epoch_len, e->epoch, e->epoch_len) > 0;
}

struct dz_pid dz_globals_owner(struct dz_globals *g, const struct dz_global_claim *c, bool *over)
{
    struct dz_pid owner = DZ_PID_NONE;
    *over = false;
    pthread_mutex_lock(&g->lock);
    const struct dz_global *e = dz_smap_get(&g->names, c->name, c->name_len);
    if (e && dz_globals_is_alive(g, e->pid)) {
        owner = e->pid;
        /* A root has no parent that could be starting it anew: its name is taken while its owner lives. */
        bool child = c->place.path && memchr(c->place.path, '/', c->place.path_len);
        *over = child && takes_over(c, e);
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

static void broadcast_free(struct dz_globals *g, const char *name, size_t len, struct dz_pid pid)
{
    struct dz_frame_out f;
    dz_frame_begin(&f, DZ_CLUSTER_GLOBAL_FREE);
    dz_build_array(&f.build, 2);
    dz_build_string(&f.build, name, len);
    dz_build_pid_of(&f.build, &g->rt->nodes, pid);
    dz_frame_broadcast(&f, g->routes, 0);
}

static int put(struct dz_globals *g, const struct dz_global_claim *c)
{
    struct dz_global *fresh = dz_global_new(c);
    struct dz_global *before = dz_globals_find(g, c->name, c->name_len, c->pid);
    if (!fresh || dz_globals_attach(g, fresh)) {
        if (fresh)
            dz_global_delete(fresh);
        return DZ_ENOMEM;
    }
    if (before) {
        dz_globals_detach(g, before);
        dz_global_delete(before);
    }
    return 0;
}

int dz_globals_enter(struct dz_globals *g, const struct dz_global_claim *c, struct dz_global **losers)
{
    struct dz_global *loser;
    *losers = NULL;
    int err = put(g, c);
    while (!err && (loser = dz_globals_own_loser(g, c->name, c->name_len)) != NULL) {
        dz_globals_detach(g, loser);
        broadcast_free(g, loser->name, loser->name_len, loser->pid);
        loser->next = *losers;
        *losers = loser;
    }
    return err;
}

void dz_globals_tell_losers(struct dz_globals *g, struct dz_global *losers)
{
    while (losers) {
        struct dz_global *e = losers;
        losers = e->next;
        tell_loser(g, e->pid, e->name, e->name_len, dz_globals_whereis(g, e->name, e->name_len));
        dz_global_delete(e);
    }
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

/* Every claim of the process goes; where one of this host ends, the others are told. */
static void free_names(struct dz_globals *g, struct dz_pid pid, bool tell)
{
    struct dz_global *e;
    dz_globals_hold(g);
    while ((e = dz_globals_of_pid(g, pid)) != NULL) {
        dz_globals_detach(g, e);
        if (tell)
            broadcast_free(g, e->name, e->name_len, pid);
        dz_global_delete(e);
    }
    dz_globals_release(g);
}

void dz_globals_end(struct dz_globals *g, struct dz_pid pid)
{
    free_names(g, pid, true);
}

void dz_globals_forget(struct dz_globals *g, struct dz_pid pid)
{
    if (atomic_load_explicit(&g->count, memory_order_relaxed))
        free_names(g, pid, false);
}

/* --- system thread --- */

bool dz_globals_unregister(struct dz_globals *g, const char *name, size_t len)
{
    dz_globals_hold(g);
    struct dz_global *e = dz_smap_get(&g->names, name, len);
    bool alive = e && dz_globals_is_alive(g, e->pid);
    if (e) {
        dz_globals_detach(g, e);
        broadcast_free(g, e->name, e->name_len, e->pid);
        dz_global_delete(e);
    }
    dz_globals_release(g);
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
    dz_globals_hold(g);
    struct dz_global *e = dz_globals_find(g, name, name_len, pid);
    if (e) {
        dz_globals_detach(g, e);
        dz_global_delete(e);
    }
    dz_globals_release(g);
    return 0;
}

/* The first claim of the list that is of that node. */
static struct dz_global *of_node(struct dz_globals *g, struct dz_global *e, uint32_t index)
{
    while (e && dz_nodes_resolve(&g->rt->nodes, e->pid.node) != index)
        e = e->rival;
    return e;
}

void dz_globals_forget_node(struct dz_globals *g, uint32_t index)
{
    uint32_t it = 0;
    const char *name;
    void *value;
    dz_globals_hold(g);
    while (dz_smap_next(&g->names, &it, &name, &value)) {
        struct dz_global *first = value, *e;
        uint32_t len = first->name_len;
        while (first && (e = of_node(g, first, index)) != NULL) {
            bool only = !first->rival;
            dz_globals_detach(g, e);
            dz_global_delete(e);
            first = only ? NULL : dz_smap_get(&g->names, name, len);
        }
    }
    dz_globals_release(g);
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
    return count;
}

void dz_globals_learn(struct dz_globals *g, const struct dz_global_claim *c)
{
    struct dz_global *losers;
    dz_globals_hold(g);
    /* No memory: this node does not know the name. */
    (void)dz_globals_enter(g, c, &losers);
    dz_globals_release(g);
    dz_globals_tell_losers(g, losers);
}

int dz_globals_merge(struct dz_globals *g, struct dz_read *r)
{
    struct dz_global_claim c;
    int err = dz_global_claim_read(g, r, &c);
    /* A process of ours that the other side still has: we know better whether it has the name. */
    if (err || dz_nodes_is_self(&g->rt->nodes, c.pid.node))
        return err;
    dz_globals_learn(g, &c);
    return 0;
}
