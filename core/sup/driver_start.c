/* driver_start.c - starts of a supervisor's children and selector functions, until they are answered.
 * Owns:    what is under way (dz_pending), until it is answered or belongs to a stop (driver_stop.c).
 * Threads: whoever runs the native. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/bond.h"
#include "proc/request.h"
#include "proc/send.h"
#include "sup/driver_parts.h"
#include "term/read.h"

/* More nodes than that and the list of them leaves the stack. */
#define NODES_ON_STACK 16u

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

/* Not wanted any more: whoever works on it is told, and answers. A supervisor of this node stops what it has
 * started before it answers, so that nothing of it is left then. */
static void withdraw(struct dz_thread *t, struct dz_supervisor *s, const struct dz_pending *p)
{
    if (p->inline_supervisor)
        dz_send_signal(t, DZ_MSG_STOP, dz_supervisor_pid(s), p->cancel, 0,
                       t->rt->reasons[DZ_REASON_SHUTDOWN]);
    else
        dz_send_signal(t, DZ_MSG_ANSWERED, dz_supervisor_pid(s), p->cancel, p->ref, NULL);
}

/* --- placement --- */

struct nodes {
    struct dz_candidate few[NODES_ON_STACK];
    struct dz_candidate *many; /* NULL: `few` are all */
    size_t count;
};

static void nodes_init(struct nodes *n, const struct dz_place_ports *ports)
{
    n->many = NULL;
    n->count = ports->candidates(ports->ctx, n->few, NODES_ON_STACK);
    if (n->count <= NODES_ON_STACK)
        return;
    size_t cap = n->count;
    n->many = dz_zalloc_must(cap, sizeof *n->many);
    n->count = ports->candidates(ports->ctx, n->many, cap);
    if (n->count > cap)
        n->count = cap; /* one more joined in between */
}

static const struct dz_candidate *nodes_all(const struct nodes *n)
{
    return n->many ? n->many : n->few;
}

static void selected(struct dz_supervisor *s, uint64_t token, const char *node_id, const char *failure)
{
    struct nodes nodes;
    struct dz_buf buf;
    struct dz_build b;
    nodes_init(&nodes, &s->driver->ports);
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    if (failure)
        dz_build_cstring(&b, failure);
    dz_sup_selected(s->sup, dz_supervisor_now(s), token, nodes_all(&nodes), nodes.count, node_id,
                    buf.len ? buf.data : NULL, buf.len);
    dz_buf_fini(&buf);
    dz_free(nodes.many);
}

void dz_supervisor_tell(struct dz_supervisor *s, enum dz_told_kind kind, uint64_t token, int code,
                        bool refused, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    struct dz_told *told = dz_alloc_must(sizeof *told + len + 1);
    *told = (struct dz_told){.kind = kind, .token = token, .code = code, .refused = refused};
    memcpy(told->text, text ? text : "", len + 1);
    if (s->told_last)
        s->told_last->next = told;
    else
        s->told_first = told;
    s->told_last = told;
}

static void tell_candidates(struct dz_supervisor *s, uint64_t token)
{
    struct nodes nodes;
    nodes_init(&nodes, &s->driver->ports);
    dz_sup_candidates(s->sup, dz_supervisor_now(s), token, nodes_all(&nodes), nodes.count);
    dz_free(nodes.many);
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
        selected(s, told->token, NULL, told->text[0] ? told->text : NULL);
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

static int send_ask(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_function *f,
                    const char *child_id, struct dz_pending *p)
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
        char why[DZ_SPEC_MAX_NAME + 80];
        snprintf(why, sizeof why, "no selector \"%s\" is registered on the supervisor's node", name);
        dz_supervisor_tell(s, DZ_TOLD_NO_SELECTION, token, 0, false, why);
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
    if (local &&
        !ports->place_waits(ports->ctx, spawn->path.s, spawn->path.len, spawn->epoch.s, spawn->epoch.len)) {
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
    p->brutal_kill = start->spec->brutal_kill;
    p->shutdown_ms = start->spec->shutdown_ms;
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

/* The codes with which the child's own code did not get to answer; with any other the cause is the init's
 * reason. */
static bool is_of_the_node(int code)
{
    return code == DZ_ENOBEHAVIOR || code == DZ_ENONODE || code == DZ_ENAMETAKEN || code == DZ_ETIMEOUT ||
           code == DZ_ENOCONNECTION;
}

static void start_failed(struct dz_thread *t, struct dz_supervisor *s, const struct dz_pending *p, const struct dz_msg *m)
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
    /* A node has a newer copy of this child, so there is a newer supervisor of it than this one. */
    if (failure.code == DZ_ESUPERSEDED) {
        const struct dz_blob *superseded = s->driver->rt->reasons[DZ_REASON_SUPERSEDED];
        dz_sup_exit_signal(s->sup, dz_supervisor_now(s), superseded->data, superseded->len);
        dz_supervisor_act(t, s);
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

/* The worker a local child runs on; natives have none. */
static uint32_t worker_of(struct dz_rt *rt, struct dz_pid pid)
{
    struct dz_slot *slot = dz_nodes_is_self(&rt->nodes, pid.node) ? dz_table_find(&rt->table, pid) : NULL;
    if (!slot || atomic_load_explicit(&slot->native, memory_order_acquire))
        return DZ_SUP_ANY_WORKER;
    return atomic_load_explicit(&slot->thread, memory_order_relaxed);
}

/* The node was lost and is back in a new life: what runs there is not where the machine believes it to be. */
static bool is_elsewhere(const struct dz_nodes *nodes, const struct dz_pending *p, struct dz_pid pid)
{
    bool local = dz_nodes_is_self(nodes, pid.node);
    if (p->adopt || (local && dz_nodes_is_self(nodes, p->node)))
        return false;
    return local || dz_nodes_resolve(nodes, pid.node) != dz_nodes_resolve(nodes, p->node);
}

/* True when the pending start is kept: its process has to go first. */
static bool start_succeeded(struct dz_thread *t, struct dz_supervisor *s, struct dz_pending *p,
                            const struct dz_msg *m)
{
    struct dz_rt *rt = t->rt;
    struct dz_sup_started started = {.is_supervisor = p->is_supervisor};
    struct dz_read r;
    uint64_t ref;
    dz_read_init(&r, m->data, m->len);
    if (dz_read_pid_of(&r, &rt->nodes, &started.pid) || dz_pid_is_none(started.pid)) {
        bad_start_function(s, p);
        return false;
    }
    if (p->adopt) {
        started.is_supervisor = dz_driver_adopt(s->driver, started.pid, dz_supervisor_pid(s));
        int err = dz_bond_adopt(t, &s->native->proc, started.pid, &ref);
        dz_assert(!err); /* a record of fixed size */
    } else if (!p->is_supervisor) { /* a behaviour's name may stand for a spec */
        started.is_supervisor = dz_driver_is_supervisor(s->driver, started.pid);
    }
    if (p->timed_out || is_elsewhere(&rt->nodes, p, started.pid)) {
        dz_supervisor_stop_late(t, s, p, started.pid);
        return true;
    }
    started.worker = worker_of(rt, started.pid);
    dz_sup_started(s->sup, dz_supervisor_now(s), p->token, &started);
    return false;
}

/* What the function raised is the `reason` of its process's end. */
static void ask_failed(struct dz_supervisor *s, const struct dz_pending *p, const struct dz_msg *m)
{
    char text[256];
    struct dz_read r;
    if (!dz_read_find(m->data, m->len, "reason", &r))
        dz_read_init(&r, m->data, m->len);
    dz_term_reason_text(r.at, (size_t)(r.end - r.at), text, sizeof text);
    selected(s, p->token, NULL, text);
}

static void ask_answered(struct dz_supervisor *s, const struct dz_pending *p, const struct dz_msg *m)
{
    char text[DZ_NODE_ID_MAX];
    const char *id;
    size_t len;
    struct dz_read r;
    if (m->flags & DZ_MSG_FAILED) {
        ask_failed(s, p, m);
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
    bool kept = false;
    if (!p)
        return;
    dz_map_remove(&s->pending, p->ref);
    dz_map_remove(&s->tokens, p->token);
    if (p->kind == DZ_PENDING_ASK)
        ask_answered(s, p, m);
    else if (m->flags & DZ_MSG_FAILED)
        start_failed(t, s, p, m);
    else
        kept = start_succeeded(t, s, p, m);
    if (!kept)
        dz_free(p);
}

/* --- without an answer --- */

/* A start has to be answered: a process might be there. A selector's word is not waited for. */
static void overdue(struct dz_thread *t, struct dz_supervisor *s, struct dz_pending *p)
{
    withdraw(t, s, p);
    if (p->kind == DZ_PENDING_START) {
        p->timed_out = true;
        return;
    }
    dz_supervisor_tell(s, DZ_TOLD_NO_SELECTION, p->token, 0, false, "the selector did not answer within 1 s");
    pending_delete(s, p);
}

uint64_t dz_supervisor_overdue_starts(struct dz_thread *t, struct dz_supervisor *s, uint64_t now_ms)
{
    uint64_t ref, next = DZ_TIME_INFINITY;
    uint32_t it = 0;
    void *value;
    while (dz_map_next(&s->pending, &it, &ref, &value)) {
        struct dz_pending *p = value;
        if (p->timed_out)
            continue;
        if (p->deadline_ms <= now_ms)
            overdue(t, s, p);
        else if (p->deadline_ms < next)
            next = p->deadline_ms;
    }
    return next;
}

/* Withdrawn also there: the request may have reached a new life of that node. */
void dz_supervisor_lose_starts(struct dz_thread *t, struct dz_supervisor *s, uint32_t node)
{
    uint32_t it = 0;
    uint64_t ref;
    void *value;
    while (dz_map_next(&s->pending, &it, &ref, &value)) {
        struct dz_pending *p = value;
        if (p->kind != DZ_PENDING_START || p->node != node)
            continue;
        withdraw(t, s, p);
        dz_supervisor_tell(s, DZ_TOLD_START_FAILED, p->token, DZ_ENOCONNECTION, true, NULL);
        pending_delete(s, p);
    }
}

/* The machine cancels every start; one that is up at this very moment is not reached by that, but by its
 * parent's end. */
void dz_supervisor_abandon_starts(struct dz_thread *t, struct dz_supervisor *s, struct dz_blob *reason)
{
    uint64_t ref;
    uint32_t it = 0;
    void *value;
    while (dz_map_next(&s->pending, &it, &ref, &value)) {
        const struct dz_pending *p = value;
        if (p->kind == DZ_PENDING_ASK)
            withdraw(t, s, p);
        else if (dz_nodes_is_self(&t->rt->nodes, p->cancel.node))
            dz_send_signal(t, DZ_MSG_PARENT_EXIT, dz_supervisor_pid(s), p->cancel, 0, reason);
    }
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
    dz_map_fini(&s->pending);
    dz_map_fini(&s->tokens);
}
