#include "sup/driver.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/bond.h"
#include "proc/request.h"
#include "proc/send.h"
#include "sup/driver_parts.h"

void dz_driver_init(struct dz_driver *d, struct dz_rt *rt, const struct dz_place_ports *ports)
{
    memset(d, 0, sizeof *d);
    d->rt = rt;
    d->ports = *ports;
    dz_selectors_init(&d->selectors);
    atomic_init(&d->next_id, 1);
}

void dz_driver_fini(struct dz_driver *d)
{
    dz_selectors_fini(&d->selectors);
}

uint64_t dz_supervisor_now(const struct dz_supervisor *s)
{
    return dz_env_now_ms(s->driver->rt->env);
}

/* --- answering --- */

static void send_reply(struct dz_thread *t, struct dz_rt *rt, struct dz_pid by, const struct dz_sup_reply *r,
                       const struct dz_question *q)
{
    struct dz_buf buf;
    struct dz_build b;
    if (r->code) {
        dz_send_failure(t, by, q->from, q->ref, r->error, r->error_len);
        return;
    }
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    if (!r->has_pid) {
        dz_build_nil(&b);
    } else if (q->code == DZ_REQ_RESTART_CHILD) {
        dz_build_pid_of(&b, &rt->nodes, r->pid);
    } else {
        dz_build_array(&b, 2);
        dz_build_pid_of(&b, &rt->nodes, r->pid);
        dz_build_cstring(&b, r->child_id);
    }
    if (dz_build_done(&b) || dz_send_reply(t, by, q->from, q->ref, buf.data, buf.len))
        dz_send_error(t, by, q->from, q->ref, DZ_ENOMEM, NULL);
    dz_buf_fini(&buf);
}

static void reply(struct dz_thread *t, struct dz_supervisor *s, struct dz_pid by, const struct dz_sup_reply *r)
{
    struct dz_question *q = (struct dz_question *)(uintptr_t)r->requester;
    if (!q)
        return; /* nobody waits */
    dz_assert(s->questions > 0);
    s->questions--;
    if (q->ref)
        send_reply(t, s->driver->rt, by, r, q);
    dz_free(q);
}

/* Kept until the machine answers. */
static uint64_t question_of(struct dz_supervisor *s, const struct dz_msg *m)
{
    struct dz_question *q = dz_alloc_must(sizeof *q);
    q->from = m->from;
    q->ref = m->ref;
    q->code = m->code;
    s->questions++;
    return (uint64_t)(uintptr_t)q;
}

/* --- performing actions --- */

void dz_supervisor_look_at(struct dz_thread *t, struct dz_supervisor *s, uint64_t due_ms)
{
    if (due_ms >= s->armed_ms)
        return;
    uint64_t now = dz_supervisor_now(s);
    if (dz_native_send_after(t, dz_supervisor_pid(s), DZ_REQ_TICK, DZ_DRIVER_TICK, due_ms > now ? due_ms - now : 0) == 0)
        s->armed_ms = due_ms;
}

static void become_ready(struct dz_thread *t, struct dz_supervisor *s)
{
    s->ready = true;
    dz_process_started(t, &s->native->proc);
}

/* The end begins: what the machine still has to say (replies) is said when pid and names are free. */
static void begin_end(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_exit *e)
{
    struct dz_blob *reason = dz_blob_new(e->reason, e->len);
    s->phase = DZ_SUPERVISOR_ENDED;
    if (e->start_failed && e->error)
        dz_buf_append(&s->failure, e->error, e->error_len);
    dz_native_finish(t, s->native, reason ? reason : t->rt->reasons[DZ_REASON_KILLED]);
    dz_blob_unref(reason);
}

static void perform(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_action *a)
{
    switch (a->type) {
    case DZ_SUP_SELECT:
        dz_supervisor_tell(s, DZ_TOLD_CANDIDATES, a->as.select.token, 0, false, NULL);
        break;
    case DZ_SUP_ASK:
        dz_supervisor_ask(t, s, &a->as.select);
        break;
    case DZ_SUP_START:
        dz_supervisor_start(t, s, &a->as.start);
        break;
    case DZ_SUP_CANCEL:
        dz_supervisor_cancel(t, s, a->as.token);
        break;
    case DZ_SUP_STOP:
        dz_supervisor_stop_child(t, s, &a->as.stop);
        break;
    case DZ_SUP_TIMER:
        s->tick_ms = a->as.deadline_ms;
        dz_supervisor_look_at(t, s, s->tick_ms);
        break;
    case DZ_SUP_READY:
        become_ready(t, s);
        break;
    case DZ_SUP_REPLY:
        reply(t, s, dz_supervisor_pid(s), &a->as.reply);
        break;
    case DZ_SUP_EVENT:
        dz_supervisor_emit(t, s, &a->as.event);
        break;
    case DZ_SUP_EXIT:
        begin_end(t, s, &a->as.exit);
        break;
    }
}

void dz_supervisor_act(struct dz_thread *t, struct dz_supervisor *s)
{
    const struct dz_sup_action *a;
    do {
        while (s->phase == DZ_SUPERVISOR_RUNNING && (a = dz_sup_next_action(s->sup)) != NULL)
            perform(t, s, a);
    } while (s->phase == DZ_SUPERVISOR_RUNNING && dz_supervisor_told(s));
}

/* --- messages --- */

static bool is_text(const struct dz_msg *m, const char *text)
{
    struct dz_read r;
    const char *str;
    size_t len;
    dz_read_init(&r, m->data, m->len);
    return dz_read_string(&r, &str, &len) == 0 && len == strlen(text) && memcmp(str, text, len) == 0;
}

static void take_child_exit(struct dz_supervisor *s, const struct dz_msg *m, uint64_t now)
{
    struct dz_pid pid = m->from;
    bool lost = m->code == DZ_EXIT_WORKER_LOST || m->code == DZ_EXIT_WORKER_STUCK;
    bool superseded = m->code == DZ_EXIT_SUPERSEDED;
    if (dz_supervisor_forget_stop(s, pid))
        return;
    if (lost)
        dz_sup_worker_lost(s->sup, now, &pid, 1, m->code == DZ_EXIT_WORKER_STUCK ? &pid : NULL, m->data, m->len);
    else
        dz_sup_exited(s->sup, now, pid, m->data, m->len, superseded ? DZ_SUP_SUPERSEDED : DZ_SUP_EXITED);
}

/* Many ends that are one event. */
static void take_worker_lost(struct dz_supervisor *s, const struct dz_msg *m, uint64_t now)
{
    struct dz_read r;
    uint32_t fields;
    const uint8_t *reason;
    const char *bytes;
    size_t reason_len, len;
    dz_read_init(&r, m->data, m->len);
    int err = dz_read_array(&r, &fields);
    err = err ? err : dz_read_skip(&r, &reason, &reason_len);
    err = err ? err : dz_read_string(&r, &bytes, &len);
    dz_assert(!err && fields == 2 && len % sizeof(struct dz_pid) == 0);
    size_t count = len / sizeof(struct dz_pid);
    struct dz_pid *pids = dz_alloc_must(len);
    memcpy(pids, bytes, len);
    for (size_t i = 0; i < count; i++)
        dz_supervisor_forget_stop(s, pids[i]);
    dz_sup_worker_lost(s->sup, now, pids, count, dz_pid_is_none(m->from) ? NULL : &m->from, reason, reason_len);
    dz_free(pids);
}

static bool id_of(const struct dz_msg *m, const char **id, size_t *len)
{
    struct dz_read r;
    dz_read_init(&r, m->data, m->len);
    return dz_read_string(&r, id, len) == 0;
}

static void take_request(struct dz_thread *t, struct dz_supervisor *s, const struct dz_msg *m, uint64_t now)
{
    const char *id = NULL;
    size_t len = 0;
    if (dz_supervisor_query(t, s, m))
        return;
    if (m->code == DZ_REQ_START_CHILD) {
        dz_sup_start_child(s->sup, now, question_of(s, m), m->data, m->len);
        return;
    }
    if ((m->code != DZ_REQ_TERMINATE_CHILD && m->code != DZ_REQ_RESTART_CHILD) || !id_of(m, &id, &len)) {
        dz_send_error(t, dz_supervisor_pid(s), m->from, m->ref, DZ_EARGUMENT,
                      id ? "a supervisor does not take this request" : "the child's id must be a string");
        return;
    }
    if (m->code == DZ_REQ_TERMINATE_CHILD)
        dz_sup_terminate_child(s->sup, now, question_of(s, m), id, len);
    else
        dz_sup_restart_child(s->sup, now, question_of(s, m), id, len);
}

static void take_tick(struct dz_thread *t, struct dz_supervisor *s, uint64_t now)
{
    s->armed_ms = DZ_TIME_INFINITY;
    uint64_t next = dz_supervisor_overdue(t, s, now);
    if (s->tick_ms <= now) {
        s->tick_ms = DZ_TIME_INFINITY;
        dz_sup_tick(s->sup, now);
        dz_supervisor_act(t, s);
    }
    dz_supervisor_look_at(t, s, next < s->tick_ms ? next : s->tick_ms);
}

/* The end comes without stopping anybody: everything below ends at once, for the same reason. */
static void abandon(struct dz_thread *t, struct dz_supervisor *s, struct dz_blob *reason)
{
    dz_supervisor_abandon_children(t, s, reason);
    dz_sup_abandon(s->sup, dz_supervisor_now(s), reason->data, reason->len);
}

static void handle_parent_exit(struct dz_thread *t, struct dz_supervisor *s, const struct dz_msg *m)
{
    struct dz_blob *reason = dz_blob_new(m->data, m->len);
    abandon(t, s, reason ? reason : t->rt->reasons[DZ_REASON_KILLED]);
    dz_blob_unref(reason);
}

static void ask_for_name(struct dz_thread *t, struct dz_supervisor *s, const char *name)
{
    struct dz_rt *rt = t->rt;
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 2);
    dz_build_kstring(&b, "name", name);
    dz_build_key(&b, "pid");
    dz_build_pid_of(&b, &rt->nodes, dz_supervisor_pid(s));
    struct dz_msg *m = dz_build_done(&b) ? NULL : dz_msg_new_copy(DZ_MSG_REQUEST, buf.data, buf.len);
    dz_buf_fini(&buf);
    dz_assert(m); /* a name of at most 255 bytes */
    s->native->proc.flags |= DZ_PROC_GLOBAL;
    s->name_ref = m->ref = dz_rt_next_ref(rt);
    m->code = DZ_REQ_GLOBAL_REGISTER;
    m->from = dz_supervisor_pid(s);
    m->to = rt->system;
    dz_send_must(t, m);
}

static void start_machine(struct dz_thread *t, struct dz_supervisor *s)
{
    s->phase = DZ_SUPERVISOR_RUNNING;
    dz_sup_start(s->sup, dz_supervisor_now(s));
    dz_supervisor_act(t, s);
}

/* The start fails before the machine ran: nothing is there to be stopped. */
static void fail_start(struct dz_thread *t, struct dz_supervisor *s, const uint8_t *error, size_t len,
                       struct dz_blob *reason)
{
    s->phase = DZ_SUPERVISOR_ENDED;
    dz_buf_append(&s->failure, error, len);
    dz_native_finish(t, s->native, reason);
}

static void fail_with(struct dz_thread *t, struct dz_supervisor *s, int err, const char *message)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_error_build(&b, err, message);
    fail_start(t, s, buf.data, buf.len, t->rt->reasons[err == DZ_ESUPERSEDED ? DZ_REASON_SUPERSEDED : DZ_REASON_SHUTDOWN]);
    dz_buf_fini(&buf);
}

static void fail_name_taken(struct dz_thread *t, struct dz_supervisor *s, struct dz_str name, struct dz_pid owner)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 4);
    dz_build_kstring(&b, "code", dz_err_name(DZ_ENAMETAKEN));
    dz_build_kstring(&b, "message", dz_err_text(DZ_ENAMETAKEN));
    dz_build_key(&b, "name");
    dz_build_string(&b, name.s, name.len);
    dz_build_key(&b, "owner");
    dz_build_pid_of(&b, &t->rt->nodes, owner);
    fail_start(t, s, buf.data, buf.len, t->rt->reasons[DZ_REASON_SHUTDOWN]);
    dz_buf_fini(&buf);
}

/* Takes over what the request asks for, and its place. False: the start has failed. */
static bool take_place(struct dz_thread *t, struct dz_supervisor *s)
{
    struct dz_place_ports *ports = &s->driver->ports;
    struct dz_proc *p = &s->native->proc;
    struct dz_pid owner = DZ_PID_NONE;
    struct dz_spawn spawn;
    dz_assert(p->owed && p->owed->kind == DZ_MSG_SPAWN);
    int err = dz_spawn_unpack(&t->rt->nodes, p->owed, &spawn);
    if (!err)
        err = dz_spawn_apply(t, p, &spawn, s->starter, &owner);
    if (err == DZ_ENAMETAKEN) {
        fail_name_taken(t, s, spawn.local_name, owner);
        return false;
    }
    if (!err)
        err = ports->placed(ports->ctx, (const char *)s->path.data, s->path.len, (const char *)s->epoch.data, s->epoch.len,
                            p->pid);
    if (err)
        fail_with(t, s, err, NULL);
    return !err;
}

static void begin(struct dz_thread *t, struct dz_supervisor *s)
{
    const char *name = dz_sup_spec_of(s->sup)->name;
    if (!take_place(t, s))
        return;
    if (name)
        ask_for_name(t, s, name);
    else
        start_machine(t, s);
}

/* While the name is asked for, only an end is taken. */
static void handle_naming(struct dz_thread *t, struct dz_supervisor *s, struct dz_msg *m)
{
    if (m->kind == DZ_MSG_NOTICE && m->code == DZ_REQ_TICK) {
        begin(t, s);
    } else if (m->kind == DZ_MSG_REPLY && m->ref == s->name_ref) {
        if (m->flags & DZ_MSG_FAILED)
            fail_start(t, s, m->data, m->len, t->rt->reasons[DZ_REASON_SHUTDOWN]);
        else
            start_machine(t, s);
    } else if (m->kind == DZ_MSG_STOP || m->kind == DZ_MSG_PARENT_EXIT ||
               (m->kind == DZ_MSG_EXIT && !is_text(m, "normal"))) {
        fail_with(t, s, DZ_ESHUTDOWN, NULL);
        if (m->kind == DZ_MSG_STOP) {
            dz_process_owe(&s->native->proc, m);
            m = NULL;
        }
    } else if (m->kind == DZ_MSG_CALL || m->kind == DZ_MSG_REQUEST) {
        dz_send_error(t, dz_supervisor_pid(s), m->from, m->ref, DZ_ENOSUPERVISOR, "the supervisor is starting");
    }
    dz_msg_free(m);
}

static void handle_exit(struct dz_supervisor *s, const struct dz_msg *m, uint64_t now)
{
    if (!is_text(m, "normal"))
        dz_sup_exit_signal(s->sup, now, m->data, m->len);
}

/* Another supervisor of our name was met, and it is the one that stays. */
static void handle_info(struct dz_supervisor *s, const struct dz_msg *m, uint64_t now)
{
    const char *type;
    size_t len;
    const struct dz_blob *superseded = s->driver->rt->reasons[DZ_REASON_SUPERSEDED];
    if (dz_read_find_string(m->data, m->len, "type", &type, &len) && len == 13 && memcmp(type, "name_conflict", 13) == 0)
        dz_sup_exit_signal(s->sup, now, superseded->data, superseded->len);
}

static void handle_running(struct dz_thread *t, struct dz_supervisor *s, const struct dz_msg *m)
{
    uint64_t now = dz_supervisor_now(s);
    switch (m->kind) {
    case DZ_MSG_REQUEST:
        take_request(t, s, m, now);
        break;
    case DZ_MSG_REPLY:
        dz_supervisor_answered(t, s, m);
        break;
    case DZ_MSG_CHILD_EXIT:
        take_child_exit(s, m, now);
        break;
    case DZ_MSG_DOWN: /* a child that a start function made */
        if (!dz_supervisor_forget_stop(s, m->from))
            dz_sup_exited(s->sup, now, m->from, m->data, m->len, DZ_SUP_EXITED);
        break;
    case DZ_MSG_STOP:
        dz_sup_stop(s->sup, now, question_of(s, m), m->data, m->len);
        break;
    case DZ_MSG_EXIT:
        handle_exit(s, m, now);
        break;
    case DZ_MSG_PARENT_EXIT:
        handle_parent_exit(t, s, m);
        break;
    case DZ_MSG_NODE_LOST:
        dz_sup_node_lost(s->sup, now, (uint32_t)m->ref);
        dz_supervisor_act(t, s); /* the loss is told before what follows from it */
        dz_supervisor_lose_node(t, s, (uint32_t)m->ref);
        break;
    case DZ_MSG_NOTICE:
        if (m->code == DZ_REQ_TICK)
            take_tick(t, s, now);
        else if (m->code == DZ_REQ_NODE_UP)
            dz_sup_node_up(s->sup, now);
        else if (m->code == DZ_REQ_WORKER_LOST && !(m->flags & DZ_MSG_WIRE))
            take_worker_lost(s, m, now);
        break;
    case DZ_MSG_CALL:
        dz_send_error(t, dz_supervisor_pid(s), m->from, m->ref, DZ_EUNHANDLED, "a supervisor takes no calls");
        break;
    case DZ_MSG_INFO:
        handle_info(s, m, now);
        break;
    default:
        break;
    }
    dz_supervisor_act(t, s);
}

static void handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct dz_supervisor *s = n->data;
    s->native = n;
    if (n->proc.flags & DZ_PROC_DOOMED) { /* the lost node was the parent's */
        dz_msg_free(m);
        return;
    }
    if (s->phase == DZ_SUPERVISOR_NAMING) {
        handle_naming(t, s, m);
        return;
    }
    dz_assert(s->phase == DZ_SUPERVISOR_RUNNING);
    handle_running(t, s, m);
    dz_msg_free(m);
}

/* --- the end --- */

static void end(struct dz_thread *t, struct dz_native *n)
{
    struct dz_supervisor *s = n->data;
    s->native = n;
    if (s->phase == DZ_SUPERVISOR_RUNNING) { /* killed */
        abandon(t, s, n->proc.exit);
        dz_supervisor_act(t, s);
        dz_assert(s->phase == DZ_SUPERVISOR_ENDED);
    }
    s->phase = DZ_SUPERVISOR_ENDED;
    if (s->failure.len) { /* said in `gone`, with the error itself */
        struct dz_msg *spawn = dz_process_unowe(&n->proc, s->starter, s->starter_ref);
        dz_msg_free(spawn);
    }
}

static void supervisor_delete(struct dz_supervisor *s)
{
    dz_supervisor_free_starts(s);
    dz_supervisor_free_stops(s);
    if (s->sup)
        dz_sup_delete(s->sup);
    dz_buf_fini(&s->path);
    dz_buf_fini(&s->epoch);
    dz_buf_fini(&s->failure);
    dz_free(s->id);
    dz_free(s);
}

static void gone(struct dz_thread *t, struct dz_pid pid, void *data)
{
    struct dz_supervisor *s = data;
    const struct dz_sup_action *a;
    if (s->failure.len && s->starter_ref)
        dz_send_failure(t, pid, s->starter, s->starter_ref, s->failure.data, s->failure.len);
    while ((a = dz_sup_next_action(s->sup)) != NULL) {
        dz_assert(a->type == DZ_SUP_REPLY);
        reply(t, s, pid, &a->as.reply);
    }
    dz_assert(s->questions == 0);
    supervisor_delete(s);
}

const struct dz_native_ops dz_supervisor_ops = {.name = "supervisor", .handle = handle, .end = end, .gone = gone};

/* --- the beginning --- */

static int set_path(struct dz_supervisor *s, const struct dz_spawn *spawn, const char *name)
{
    if (spawn->path.s)
        return dz_buf_append(&s->path, spawn->path.s, spawn->path.len);
    /* A root's path is its name or its id; ids are unique for ever because the birth number is in them. */
    if (name)
        return dz_supervisor_escape(&s->path, name, strlen(name));
    int err = dz_supervisor_escape(&s->path, s->id, strlen(s->id));
    return err ? err : dz_buf_printf(&s->path, "#%llu", (unsigned long long)dz_nodes_get(&s->driver->rt->nodes, 0)->incarnation);
}

static int set_epoch(struct dz_supervisor *s, const struct dz_spawn *spawn)
{
    struct dz_place_ports *ports = &s->driver->ports;
    if (spawn->epoch.s)
        return dz_buf_append(&s->epoch, spawn->epoch.s, spawn->epoch.len);
    return dz_buf_append_u64(&s->epoch, ports->root_epoch(ports->ctx, (const char *)s->path.data, s->path.len));
}

static char *make_id(struct dz_driver *d, const char *name)
{
    char text[DZ_NODE_ID_MAX + 32];
    if (name)
        return dz_strndup(name, strlen(name));
    uint64_t n = atomic_fetch_add_explicit(&d->next_id, 1, memory_order_relaxed);
    int len = snprintf(text, sizeof text, "sup_%llu@%s", (unsigned long long)n, dz_nodes_self_id(&d->rt->nodes));
    return dz_strndup(text, (size_t)len);
}

static struct dz_supervisor *supervisor_new(struct dz_driver *d, const struct dz_spawn *spawn, const struct dz_msg *m,
                                            struct dz_sup_spec **spec)
{
    const char *name = (*spec)->name;
    struct dz_supervisor *s = dz_zalloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->driver = d;
    s->starter = m->from;
    s->starter_ref = m->ref;
    s->parent = spawn->parent;
    s->tick_ms = s->armed_ms = DZ_TIME_INFINITY;
    dz_buf_init(&s->path);
    dz_buf_init(&s->epoch);
    dz_buf_init(&s->failure);
    dz_map_init(&s->pending);
    dz_map_init(&s->tokens);
    dz_map_init(&s->stopping);
    s->id = make_id(d, name);
    if (!s->id || set_path(s, spawn, name) || set_epoch(s, spawn)) {
        supervisor_delete(s);
        return NULL;
    }
    struct dz_sup_options options = {.id = s->id,
                                     .seed = dz_env_random(d->rt->env),
                                     .now_ms = dz_env_now_ms(d->rt->env),
                                     .wall_ms = dz_env_wall_ms(d->rt->env)};
    dz_sup_new(&s->sup, spec, &options);
    return s;
}

static void refuse(struct dz_thread *t, struct dz_slot *slot, struct dz_msg *m, int err, const char *message)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_error_build(&b, err, message);
    dz_process_refuse(t, slot, m, buf.data, buf.len);
    dz_buf_fini(&buf);
}

static void refuse_spec(struct dz_thread *t, struct dz_slot *slot, struct dz_msg *m, const struct dz_spec_error *error)
{
    struct dz_buf buf;
    dz_buf_init(&buf);
    if (dz_spec_error_encode(error, &buf) == 0)
        dz_process_refuse(t, slot, m, buf.data, buf.len);
    else
        refuse(t, slot, m, error->code, NULL);
    dz_buf_fini(&buf);
}

/* Becomes the native, or refuses. The rest happens in its first turn: nobody but its runner may touch it from here on. */
static void born(struct dz_driver *d, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *m,
                 const struct dz_spawn *spawn, struct dz_sup_spec **spec)
{
    struct dz_supervisor *s = supervisor_new(d, spawn, m, spec);
    struct dz_msg *first = dz_msg_new(DZ_MSG_NOTICE, 0);
    struct dz_native *n = NULL;
    struct dz_pid pid = m->to;
    if (!s || !first || dz_native_new(t, &dz_supervisor_ops, s, false, slot, pid, &m, &n)) {
        if (s)
            supervisor_delete(s);
        dz_msg_free(first);
        refuse(t, slot, m, DZ_ENOMEM, NULL);
        return;
    }
    first->code = DZ_REQ_TICK;
    first->to = pid;
    dz_native_push(t, n, first);
}

void dz_driver_spawn(struct dz_driver *d, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *m)
{
    struct dz_spawn spawn;
    struct dz_sup_spec *spec = NULL;
    struct dz_spec_error error;
    int err = dz_spawn_unpack(&d->rt->nodes, m, &spawn);
    if (err || !spawn.spec) {
        refuse(t, slot, m, DZ_EFORMAT, NULL);
        return;
    }
    err = dz_sup_spec_read(&spec, spawn.spec, spawn.spec_len, &error);
    if (err) {
        refuse_spec(t, slot, m, &error);
        return;
    }
    born(d, t, slot, m, &spawn, &spec);
    dz_sup_spec_delete(spec); /* NULL when it was taken */
}

/* --- lists --- */

size_t dz_driver_list(struct dz_driver *d, bool roots, struct dz_pid *out, size_t cap)
{
    size_t count = 0;
    pthread_mutex_lock(&d->rt->natives_lock);
    dz_list_each (&d->rt->natives_all, it) {
        const struct dz_native *n = dz_list_entry(it, struct dz_native, all);
        if (n->ops != &dz_supervisor_ops)
            continue;
        const struct dz_supervisor *s = n->data; /* outlives its place in the list */
        if (roots && !dz_pid_is_none(s->parent))
            continue;
        if (count < cap)
            out[count] = n->proc.pid;
        count++;
    }
    pthread_mutex_unlock(&d->rt->natives_lock);
    return count;
}

bool dz_driver_adopt(struct dz_driver *d, struct dz_pid pid, struct dz_pid parent)
{
    bool here = dz_nodes_is_self(&d->rt->nodes, pid.node);
    struct dz_slot *slot = here ? dz_table_find(&d->rt->table, pid) : NULL;
    struct dz_native *n = slot ? atomic_load_explicit(&slot->native, memory_order_acquire) : NULL;
    if (!n)
        return false;
    /* While it is in a list its `ops` stand still. */
    pthread_mutex_lock(&d->rt->natives_lock);
    bool is = !dz_list_empty(&n->all) && n->ops == &dz_supervisor_ops;
    struct dz_supervisor *s = is ? n->data : NULL;
    if (s && dz_pid_is_none(s->parent))
        s->parent = parent;
    pthread_mutex_unlock(&d->rt->natives_lock);
    return is;
}

bool dz_driver_is_supervisor(struct dz_driver *d, struct dz_pid pid)
{
    return dz_driver_adopt(d, pid, DZ_PID_NONE);
}
