/* driver_start.c - starts of a supervisor's children: what a SPAWN says, where it is sent, how it is taken back.
 * Owns:    what is under way (dz_pending), until it is answered (driver_answer.c) or belongs to a stop (driver_stop.c).
 * Threads: whoever runs the native. */
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/send.h"
#include "sup/driver_parts.h"

int dz_supervisor_escape(struct dz_buf *path, const char *id, size_t len)
{
    int err = 0;
    for (size_t i = 0; i < len && !err; i++) {
        if (id[i] == '/')
            err = dz_buf_append(path, "%2F", 3);
        else if (id[i] == '%')
            err = dz_buf_append(path, "%25", 3);
        else
            err = dz_buf_append_u8(path, (uint8_t)id[i]);
    }
    return err;
}

/* --- what is under way --- */

struct dz_pending *dz_supervisor_pending_new(struct dz_thread *t, struct dz_supervisor *s, enum dz_pending_kind kind,
                                             uint64_t token, uint64_t timeout_ms)
{
    struct dz_pending *p = dz_zalloc_must(1, sizeof *p);
    uint64_t now = dz_supervisor_now(s);
    p->kind = kind;
    p->token = token;
    p->ref = dz_rt_next_ref(t->rt);
    p->deadline_ms = timeout_ms < DZ_TIME_INFINITY - now ? now + timeout_ms : DZ_TIME_INFINITY;
    int err = dz_map_put(&s->pending, p->ref, p);
    if (!err)
        err = dz_map_put(&s->tokens, token, p);
    dz_assert(!err); /* a few bytes per start under way */
    dz_supervisor_look_at(t, s, p->deadline_ms);
    return p;
}

void dz_supervisor_pending_delete(struct dz_supervisor *s, struct dz_pending *p)
{
    dz_map_remove(&s->pending, p->ref);
    dz_map_remove(&s->tokens, p->token);
    dz_free(p);
}

void dz_supervisor_withdraw(struct dz_thread *t, struct dz_supervisor *s, const struct dz_pending *p)
{
    if (p->inline_supervisor)
        dz_send_signal(t, DZ_MSG_STOP, dz_supervisor_pid(s), p->cancel, 0,
                       t->rt->reasons[DZ_REASON_SHUTDOWN]);
    else
        dz_send_signal(t, DZ_MSG_ANSWERED, dz_supervisor_pid(s), p->cancel, p->ref, NULL);
}

/* --- what a SPAWN says --- */

void dz_supervisor_put_function(struct dz_buf *buf, const struct dz_sup_function *f)
{
    struct dz_buf raw;
    struct dz_build b;
    dz_buf_init(&raw);
    dz_buf_append_u32(&raw, f->worker);
    dz_buf_append_u32(&raw, f->generation);
    dz_buf_append_u32(&raw, f->number);
    dz_buf_append_u8(&raw, (uint8_t)f->kind);
    dz_build_init(&b, buf);
    dz_build_ext(&b, DZ_EXT_FUNCTION, raw.data, raw.len);
    dz_buf_fini(&raw);
}

static struct dz_str str_of(const char *s)
{
    return (struct dz_str){s, s ? strlen(s) : 0};
}

/* What the child is, in the terms of a SPAWN. `function` is filled for kinds that are one. */
static void describe_child(const struct dz_child_spec *c, struct dz_spawn *spawn, struct dz_buf *function)
{
    if (c->kind == DZ_CHILD_FUNCTION || (c->kind == DZ_CHILD_BEHAVIOR && !c->what)) {
        dz_supervisor_put_function(function, &c->function);
        spawn->what = c->kind == DZ_CHILD_FUNCTION ? DZ_SPAWN_START : DZ_SPAWN_TABLE;
        spawn->function = function->data;
        spawn->function_len = function->len;
        if (c->kind == DZ_CHILD_FUNCTION)
            spawn->flags |= DZ_SPAWN_HIDDEN;
    } else if (c->kind == DZ_CHILD_SUPERVISOR && c->supervisor) {
        spawn->what = DZ_SPAWN_SUPERVISOR;
        spawn->spec = c->supervisor->source;
        spawn->spec_len = c->supervisor->source_len;
    } else {
        spawn->what = DZ_SPAWN_BEHAVIOR;
        spawn->name = str_of(c->what);
    }
    spawn->local_name = str_of(c->name);
    spawn->global_name = str_of(c->global_name);
    spawn->max_messages = c->mailbox_messages < UINT32_MAX ? (uint32_t)c->mailbox_messages : UINT32_MAX;
    spawn->max_bytes = c->mailbox_bytes;
}

static int child_path(struct dz_supervisor *s, const struct dz_sup_start *start, struct dz_buf *path,
                      struct dz_buf *epoch)
{
    size_t id_len = strlen(start->child_id);
    int err =
        dz_buf_reserve(path, s->path.len + 1 + id_len); /* one allocation, unless the id is full of slashes */
    if (!err)
        err = dz_buf_append(path, s->path.data, s->path.len);
    if (!err)
        err = dz_buf_append_u8(path, '/');
    if (!err)
        err = dz_supervisor_escape(path, start->child_id, id_len);
    if (!err)
        err = dz_buf_reserve(epoch, s->epoch.len + 8);
    if (!err)
        err = dz_buf_append(epoch, s->epoch.data, s->epoch.len);
    return err ? err : dz_buf_append_u64(epoch, start->epoch);
}

static uint32_t worker_for(struct dz_supervisor *s, const struct dz_sup_start *start)
{
    const struct dz_child_spec *c = start->spec;
    const struct dz_place_ports *ports = &s->driver->ports;
    if (c->kind == DZ_CHILD_FUNCTION || (c->kind == DZ_CHILD_BEHAVIOR && !c->what))
        return c->function.worker;
    return start->worker != DZ_SUP_ANY_WORKER ? start->worker : ports->spread(ports->ctx);
}

/* Sends the SPAWN where it belongs. 0, or why it could not be sent; *refused: another node may take it. */
static int send_start(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_start *start,
                      const struct dz_spawn *spawn, struct dz_pending *p, bool *refused)
{
    struct dz_rt *rt = t->rt;
    struct dz_place_ports *ports = &s->driver->ports;
    bool own = dz_nodes_is_self(&rt->nodes, start->node);
    bool local =
        own && !ports->place_waits(ports->ctx, spawn->path.s, spawn->path.len, spawn->epoch.s, spawn->epoch.len);
    const char *id = own ? dz_nodes_self_id(&rt->nodes) : dz_nodes_get(&rt->nodes, start->node)->id;
    struct dz_msg *m = local ? dz_spawn_hold(spawn) : dz_spawn_pack(&rt->nodes, spawn);
    *refused = false;
    if (!m)
        return DZ_ENOMEM;
    m->from = dz_supervisor_pid(s);
    m->ref = p->ref;
    ports->count_placed(ports->ctx, start->node);
    int err;
    if (local) {
        p->inline_supervisor = spawn->what == DZ_SPAWN_SUPERVISOR;
        err = dz_spawn_send(t, worker_for(s, start), &m, &p->cancel);
    } else if (rt->ports.spawn_far) {
        err = rt->ports.spawn_far(rt->ports.ctx, t, id, strlen(id), &m, &p->cancel);
        *refused = err == DZ_ENOCONNECTION;
    } else {
        err = DZ_ENOCONNECTION;
        *refused = true;
    }
    dz_msg_free(m);
    return err;
}

static int build_and_send(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_start *start,
                          struct dz_pending *p, bool *refused)
{
    const struct dz_child_spec *c = start->spec;
    struct dz_place_ports *ports = &s->driver->ports;
    struct dz_buf function, path, epoch;
    uint8_t hash[32];
    struct dz_spawn spawn = {.flags = start->no_jit ? DZ_SPAWN_NO_JIT : 0,
                             .args = start->args,
                             .args_len = start->args_len,
                             /* A name may stand for a supervisor spec: only we know then what time it has. */
                             .timeout_ms = c->what && !c->own_start ? DZ_TIME_INFINITY : start->timeout_ms,
                             .parent = dz_supervisor_pid(s),
                             .child_id = str_of(start->child_id)};
    dz_buf_init(&function);
    dz_buf_init(&path);
    dz_buf_init(&epoch);
    describe_child(c, &spawn, &function);
    int err = child_path(s, start, &path, &epoch);
    spawn.path = (struct dz_str){(const char *)path.data, path.len};
    spawn.epoch = (struct dz_str){(const char *)epoch.data, epoch.len};
    if (c->what && ports->behavior_hash && !dz_nodes_is_self(&t->rt->nodes, start->node) &&
        ports->behavior_hash(ports->ctx, c->what, strlen(c->what), hash))
        spawn.hash = (struct dz_str){(const char *)hash, sizeof hash};
    if (!err)
        err = send_start(t, s, start, &spawn, p, refused);
    dz_buf_fini(&function);
    dz_buf_fini(&path);
    dz_buf_fini(&epoch);
    return err;
}

void dz_supervisor_start(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_start *start)
{
    struct dz_place_ports *ports = &s->driver->ports;
    bool refused = false;
    if (!ports->may_place(ports->ctx, (const char *)s->path.data, s->path.len)) {
        dz_supervisor_tell(s, DZ_TOLD_START_FAILED, start->token, DZ_ENONODE, true, NULL);
        return;
    }
    struct dz_pending *p = dz_supervisor_pending_new(t, s, DZ_PENDING_START, start->token, start->timeout_ms);
    p->node = start->node;
    p->adopt = start->spec->kind == DZ_CHILD_FUNCTION;
    p->is_supervisor = start->spec->kind == DZ_CHILD_SUPERVISOR;
    p->brutal_kill = start->spec->brutal_kill;
    p->shutdown_ms = start->spec->shutdown_ms;
    p->own_timeout = start->spec->own_start;
    int err = build_and_send(t, s, start, p, &refused);
    if (err) {
        dz_supervisor_tell(s, DZ_TOLD_START_FAILED, p->token, err, refused, NULL);
        dz_supervisor_pending_delete(s, p);
    }
}

void dz_supervisor_cancel(struct dz_thread *t, struct dz_supervisor *s, uint64_t token)
{
    struct dz_pending *p = dz_map_get(&s->tokens, token);
    if (p && !p->timed_out)
        dz_supervisor_withdraw(t, s, p);
}
