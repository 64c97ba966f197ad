/* driver_start.c - starts, selector functions and stops of a supervisor's children, until they are answered. */
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/bond.h"
#include "proc/request.h"
#include "proc/send.h"
#include "sup/driver_parts.h"
#include "term/read.h"

/* The most nodes a selector sees; a mesh is far from that. */
#define CANDIDATES_MAX 1024u

static uint64_t key_of(struct dz_pid pid)
{
    return (uint64_t)pid.slot << 32 | pid.gen;
}

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

static struct dz_pending *pending_new(struct dz_thread *t, struct dz_supervisor *s, enum dz_pending_kind kind,
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

static void pending_delete(struct dz_supervisor *s, struct dz_pending *p)
{
    dz_map_remove(&s->pending, p->ref);
    dz_map_remove(&s->tokens, p->token);
    dz_free(p);
}

/* Not wanted any more: whoever works on it is told, and answers. */
static void withdraw(struct dz_thread *t, struct dz_supervisor *s, const struct dz_pending *p)
{
    dz_send_signal(t, DZ_MSG_ANSWERED, dz_supervisor_pid(s), p->cancel, p->ref, NULL);
}

/* --- placement --- */

static size_t candidates(struct dz_supervisor *s, struct dz_candidate *nodes)
{
    const struct dz_place_ports *ports = &s->driver->ports;
    size_t count = ports->candidates(ports->ctx, nodes, CANDIDATES_MAX);
    return count < CANDIDATES_MAX ? count : CANDIDATES_MAX;
}

static void selected(struct dz_supervisor *s, uint64_t token, const char *node_id, const char *failure)
{
    struct dz_candidate *nodes = dz_zalloc_must(CANDIDATES_MAX, sizeof *nodes);
    size_t count = candidates(s, nodes);
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    if (failure)
        dz_build_cstring(&b, failure);
    dz_sup_selected(s->sup, dz_supervisor_now(s), token, nodes, count, node_id, buf.len ? buf.data : NULL, buf.len);
    dz_buf_fini(&buf);
    dz_free(nodes);
}

void dz_supervisor_tell(struct dz_supervisor *s, enum dz_told_kind kind, uint64_t token, int code, bool refused,
                        const char *text)
{
    struct dz_told *told = dz_alloc_must(sizeof *told);
    *told = (struct dz_told){.kind = kind, .token = token, .code = code, .refused = refused, .text = text};
    if (s->told_last)
        s->told_last->next = told;
    else
        s->told_first = told;
    s->told_last = told;
}

static void tell_candidates(struct dz_supervisor *s, uint64_t token)
{
    struct dz_candidate *nodes = dz_zalloc_must(CANDIDATES_MAX, sizeof *nodes);
    dz_sup_candidates(s->sup, dz_supervisor_now(s), token, nodes, candidates(s, nodes));
    dz_free(nodes);
}

bool dz_supervisor_told(struct dz_supervisor *s)
{
    struct dz_told *told = s->told_first;
    if (!told)
        return false;
    s->told_first = told->next;
    if (!s->told_first)
        s->told_last = NULL;
    if (told->kind == DZ_TOLD_CANDIDATES) {
        tell_candidates(s, told->token);
    } else if (told->kind == DZ_TOLD_NO_SELECTION) {
        selected(s, told->token, NULL, told->text);
    } else {
        struct dz_sup_failure failure = {.code = told->code, .refused = told->refused};
        dz_sup_start_failed(s->sup, dz_supervisor_now(s), told->token, &failure);
    }
    dz_free(told);
    return true;
}

static void put_function(struct dz_buf *buf, const struct dz_sup_function *f)
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

/* [nodes, child_id] */
static void put_ask_args(struct dz_supervisor *s, struct dz_buf *buf, const char *child_id)
{
    const struct dz_place_ports *ports = &s->driver->ports;
    struct dz_build b;
    dz_build_init(&b, buf);
    dz_build_array(&b, 2);
    ports->candidate_records(ports->ctx, &b);
    dz_build_cstring(&b, child_id);
}

static int send_ask(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_function *f, const char *child_id,
                    struct dz_pending *p)
{
    struct dz_buf function, args;
    dz_buf_init(&function);
    dz_buf_init(&args);
    put_function(&function, f);
    put_ask_args(s, &args, child_id);
    struct dz_spawn spawn = {.what = DZ_SPAWN_START,
                             .flags = DZ_SPAWN_HIDDEN,
                             .function = function.data,
                             .function_len = function.len,
                             .args = args.data,
                             .args_len = args.len,
                             .timeout_ms = DZ_DRIVER_ASK_MS};
    struct dz_msg *m = dz_spawn_pack(&t->rt->nodes, &spawn);
    int err = m ? 0 : DZ_ENOMEM;
    if (m) {
        m->from = dz_supervisor_pid(s);
        m->ref = p->ref;
        err = dz_spawn_send(t, f->worker, &m, &p->cancel);
        dz_msg_free(m);
    }
    dz_buf_fini(&function);
    dz_buf_fini(&args);
    return err;
}

void dz_supervisor_ask(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_select *select)
{
    struct dz_sup_function f = select->selector->function;
    uint64_t token = select->token;
    const char *name = select->selector->name;
    if (select->selector->kind == DZ_SELECT_NAMED &&
        !dz_selectors_find(&s->driver->selectors, name, strlen(name), &f)) {
        dz_supervisor_tell(s, DZ_TOLD_NO_SELECTION, token, 0, false,
                           "no selector of this name is registered on the supervisor's node");
        return;
    }
    struct dz_pending *p = pending_new(t, s, DZ_PENDING_ASK, token, DZ_DRIVER_ASK_MS);
    if (send_ask(t, s, &f, select->child_id, p)) {
        pending_delete(s, p);
        dz_supervisor_tell(s, DZ_TOLD_NO_SELECTION, token, 0, false, "out of memory");
    }
}

/* --- starts --- */

static struct dz_str str_of(const char *s)
{
    return (struct dz_str){s, s ? strlen(s) : 0};
}

/* What the child is, in the terms of a SPAWN. `function` is filled for kinds that are one. */
static void describe_child(const struct dz_child_spec *c, struct dz_spawn *spawn, struct dz_buf *function)
{
    if (c->kind == DZ_CHILD_FUNCTION || (c->kind == DZ_CHILD_BEHAVIOR && !c->what)) {
        put_function(function, &c->function);
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
    int err = dz_buf_append(path, s->path.data, s->path.len);
    if (!err)
        err = dz_buf_append_u8(path, '/');
    if (!err)
        err = dz_supervisor_escape(path, start->child_id, strlen(start->child_id));
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
    bool local = dz_nodes_is_self(&rt->nodes, start->node);
    const char *id = local ? dz_nodes_self_id(&rt->nodes) : dz_nodes_get(&rt->nodes, start->node)->id;
    struct dz_msg *m = dz_spawn_pack(&rt->nodes, spawn);
    *refused = false;
    if (!m)
        return DZ_ENOMEM;
    m->from = dz_supervisor_pid(s);
    m->ref = p->ref;
    ports->count_placed(ports->ctx, start->node);
    int err;
    if (local && !ports->place_waits(ports->ctx, spawn->path.s, spawn->path.len, spawn->epoch.s, spawn->epoch.len)) {
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
                             .timeout_ms = start->timeout_ms,
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
    struct dz_pending *p = pending_new(t, s, DZ_PENDING_START, start->token, start->timeout_ms);
    p->node = start->node;
    p->adopt = start->spec->kind == DZ_CHILD_FUNCTION;
    p->is_supervisor = start->spec->kind == DZ_CHILD_SUPERVISOR;
    int err = build_and_send(t, s, start, p, &refused);
    if (err) {
        dz_supervisor_tell(s, DZ_TOLD_START_FAILED, p->token, err, refused, NULL);
        pending_delete(s, p);
    }
}

void dz_supervisor_cancel(struct dz_thread *t, struct dz_supervisor *s, uint64_t token)
{
    struct dz_pending *p = dz_map_get(&s->tokens, token);
    if (p && !p->timed_out)
        withdraw(t, s, p);
}

/* --- answers --- */

static int code_of(const struct dz_msg *m)
{
    char name[64];
    const char *s;
    size_t len;
    if (!dz_read_find_string(m->data, m->len, "code", &s, &len) || len >= sizeof name)
        return DZ_EINITFAILED;
    memcpy(name, s, len);
    name[len] = 0;
    int code = dz_err_from_name(name);
    return code ? code : DZ_EINITFAILED;
}

/* The codes with which the child's own code did not get to answer; with any other the cause is the init's reason. */
static bool is_of_the_node(int code)
{
    return code == DZ_ENOBEHAVIOR || code == DZ_ENONODE || code == DZ_ENAMETAKEN || code == DZ_ETIMEOUT ||
           code == DZ_ENOCONNECTION;
}

static void start_failed(struct dz_supervisor *s, const struct dz_pending *p, const struct dz_msg *m)
{
    struct dz_sup_failure failure = {.code = p->timed_out ? DZ_ETIMEOUT : code_of(m)};
    struct dz_read reason;
    if (!p->timed_out) {
        failure.detail = m->data;
        failure.detail_len = m->len;
        failure.refused = failure.code == DZ_ENOCONNECTION || failure.code == DZ_ESHUTDOWN;
    }
    if (!is_of_the_node(failure.code) && dz_read_find(m->data, m->len, "reason", &reason)) {
        failure.detail = reason.at;
        dz_read_skip(&reason, NULL, NULL);
        failure.detail_len = (size_t)(reason.at - failure.detail);
    }
    dz_sup_start_failed(s->sup, dz_supervisor_now(s), p->token, &failure);
}

static void bad_start_function(struct dz_supervisor *s, const struct dz_pending *p)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_error_build(&b, DZ_EARGUMENT, "the start function must return a pid");
    struct dz_sup_failure failure = {.code = DZ_EINITFAILED, .detail = buf.data, .detail_len = buf.len};
    dz_sup_start_failed(s->sup, dz_supervisor_now(s), p->token, &failure);
    dz_buf_fini(&buf);
}

static void start_succeeded(struct dz_thread *t, struct dz_supervisor *s, const struct dz_pending *p,
                            const struct dz_msg *m)
{
    struct dz_rt *rt = t->rt;
    struct dz_sup_started started = {.worker = DZ_SUP_ANY_WORKER, .is_supervisor = p->is_supervisor};
    struct dz_read r;
    uint64_t ref;
    dz_read_init(&r, m->data, m->len);
    if (dz_read_pid_of(&r, &rt->nodes, &started.pid) || dz_pid_is_none(started.pid)) {
        bad_start_function(s, p);
        return;
    }
    if (dz_nodes_is_self(&rt->nodes, started.pid.node)) {
        struct dz_slot *slot = dz_table_find(&rt->table, started.pid);
        if (slot && !atomic_load_explicit(&slot->native, memory_order_acquire))
            started.worker = atomic_load_explicit(&slot->thread, memory_order_relaxed);
    }
    if (p->adopt) {
        started.is_supervisor = dz_driver_is_supervisor(s->driver, started.pid);
        int err = dz_bond_monitor(t, &s->native->proc, started.pid, &ref);
        dz_assert(!err); /* a record of fixed size */
    }
    dz_sup_started(s->sup, dz_supervisor_now(s), p->token, &started);
}

static void ask_answered(struct dz_supervisor *s, const struct dz_pending *p, const struct dz_msg *m)
{
    char text[DZ_NODE_ID_MAX];
    const char *id;
    size_t len;
    struct dz_read r;
    if (p->timed_out) {
        selected(s, p->token, NULL, "the selector did not answer within 1 s");
        return;
    }
    if (m->flags & DZ_MSG_FAILED) {
        dz_term_reason_text(m->data, m->len, text, sizeof text);
        selected(s, p->token, NULL, text);
        return;
    }
    dz_read_init(&r, m->data, m->len);
    if (dz_read_string(&r, &id, &len) || len >= sizeof text) {
        selected(s, p->token, NULL, NULL);
        return;
    }
    memcpy(text, id, len);
    text[len] = 0;
    selected(s, p->token, text, NULL);
}

void dz_supervisor_answered(struct dz_thread *t, struct dz_supervisor *s, const struct dz_msg *m)
{
    struct dz_pending *p = dz_map_get(&s->pending, m->ref);
    if (!p)
        return;
    dz_map_remove(&s->pending, p->ref);
    dz_map_remove(&s->tokens, p->token);
    if (p->kind == DZ_PENDING_ASK)
        ask_answered(s, p, m);
    else if (m->flags & DZ_MSG_FAILED)
        start_failed(s, p, m);
    else
        start_succeeded(t, s, p, m);
    dz_free(p);
}

void dz_supervisor_lose_starts(struct dz_thread *t, struct dz_supervisor *s, uint32_t node)
{
    uint32_t it = 0;
    uint64_t ref;
    void *value;
    while (dz_map_next(&s->pending, &it, &ref, &value)) {
        struct dz_pending *p = value;
        if (p->kind != DZ_PENDING_START || p->node != node)
            continue;
        dz_supervisor_tell(s, DZ_TOLD_START_FAILED, p->token, DZ_ENOCONNECTION, true, NULL);
        pending_delete(s, p);
    }
    dz_supervisor_act(t, s);
}

/* --- stops --- */

void dz_supervisor_stop_child(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_stop_action *stop)
{
    struct dz_rt *rt = t->rt;
    bool superseded = strcmp(stop->reason, "superseded") == 0;
    if (stop->brutal) {
        dz_send_signal(t, DZ_MSG_KILL, dz_supervisor_pid(s), stop->pid, 0, NULL);
        return;
    }
    dz_send_signal(t, DZ_MSG_STOP, dz_supervisor_pid(s), stop->pid, 0,
                   rt->reasons[superseded ? DZ_REASON_SUPERSEDED : DZ_REASON_SHUTDOWN]);
    if (stop->timeout_ms == DZ_TIME_INFINITY)
        return;
    struct dz_stopping *st = dz_alloc_must(sizeof *st);
    st->pid = stop->pid;
    st->deadline_ms = dz_supervisor_now(s) + stop->timeout_ms;
    dz_free(dz_map_remove(&s->stopping, key_of(st->pid)));
    int err = dz_map_put(&s->stopping, key_of(st->pid), st);
    dz_assert(!err);
    dz_supervisor_look_at(t, s, st->deadline_ms);
}

void dz_supervisor_forget_stop(struct dz_supervisor *s, struct dz_pid pid)
{
    dz_free(dz_map_remove(&s->stopping, key_of(pid)));
}

static uint64_t overdue_starts(struct dz_thread *t, struct dz_supervisor *s, uint64_t now_ms)
{
    uint64_t ref, next = DZ_TIME_INFINITY;
    uint32_t it = 0;
    void *value;
    while (dz_map_next(&s->pending, &it, &ref, &value)) {
        struct dz_pending *p = value;
        if (p->deadline_ms <= now_ms && !p->timed_out) {
            p->timed_out = true;
            withdraw(t, s, p);
        } else if (!p->timed_out && p->deadline_ms < next) {
            next = p->deadline_ms;
        }
    }
    return next;
}

uint64_t dz_supervisor_overdue(struct dz_thread *t, struct dz_supervisor *s, uint64_t now_ms)
{
    uint64_t key, next = overdue_starts(t, s, now_ms);
    uint32_t it = 0;
    void *value;
    while (dz_map_next(&s->stopping, &it, &key, &value)) {
        struct dz_stopping *st = value;
        if (st->deadline_ms <= now_ms) {
            dz_send_signal(t, DZ_MSG_KILL, dz_supervisor_pid(s), st->pid, 0, NULL);
            dz_map_remove(&s->stopping, key);
            dz_free(st);
        } else if (st->deadline_ms < next) {
            next = st->deadline_ms;
        }
    }
    return next;
}

/* --- the end --- */

void dz_supervisor_abandon_children(struct dz_thread *t, struct dz_supervisor *s, struct dz_blob *reason)
{
    struct dz_sup_child_info info;
    uint64_t ref;
    uint32_t it = 0;
    void *value;
    for (const struct dz_sup_child *c = dz_sup_first_child(s->sup); c; c = dz_sup_next_child(s->sup, c)) {
        dz_sup_child_info(s->sup, c, &info);
        if (info.has_pid)
            dz_send_signal(t, DZ_MSG_PARENT_EXIT, dz_supervisor_pid(s), info.pid, 0, reason);
    }
    while (dz_map_next(&s->pending, &it, &ref, &value))
        withdraw(t, s, value);
}

void dz_supervisor_free_starts(struct dz_supervisor *s)
{
    uint64_t key;
    uint32_t it = 0;
    void *value;
    while (s->told_first) {
        struct dz_told *told = s->told_first;
        s->told_first = told->next;
        dz_free(told);
    }
    while (dz_map_next(&s->pending, &it, &key, &value))
        dz_free(value);
    it = 0;
    while (dz_map_next(&s->stopping, &it, &key, &value))
        dz_free(value);
    dz_map_fini(&s->pending);
    dz_map_fini(&s->tokens);
    dz_map_fini(&s->stopping);
}
