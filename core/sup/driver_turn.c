/* driver_turn.c - a running supervisor's turn: a message goes to the machine, the machine's actions are performed.
 * Owns:    the questions not answered.
 * Threads: whoever runs the native. */
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/request.h"
#include "proc/send.h"
#include "sup/driver_parts.h"
#include "term/read.h"

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

void dz_supervisor_reply(struct dz_thread *t, struct dz_supervisor *s, struct dz_pid by, const struct dz_sup_reply *r)
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
        dz_supervisor_reply(t, s, dz_supervisor_pid(s), &a->as.reply);
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

void dz_supervisor_abandon(struct dz_thread *t, struct dz_supervisor *s, struct dz_blob *reason)
{
    dz_supervisor_abandon_children(t, s, reason);
    dz_sup_abandon(s->sup, dz_supervisor_now(s), reason->data, reason->len);
}

static void handle_parent_exit(struct dz_thread *t, struct dz_supervisor *s, const struct dz_msg *m)
{
    struct dz_blob *reason = dz_blob_new(m->data, m->len);
    dz_supervisor_abandon(t, s, reason ? reason : t->rt->reasons[DZ_REASON_KILLED]);
    dz_blob_unref(reason);
}

bool dz_supervisor_says(const struct dz_msg *m, const char *text)
{
    struct dz_read r;
    const char *str;
    size_t len;
    dz_read_init(&r, m->data, m->len);
    return dz_read_string(&r, &str, &len) == 0 && len == strlen(text) && memcmp(str, text, len) == 0;
}

static void handle_exit(struct dz_supervisor *s, const struct dz_msg *m, uint64_t now)
{
    if (!dz_supervisor_says(m, "normal"))
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

void dz_supervisor_take(struct dz_thread *t, struct dz_supervisor *s, const struct dz_msg *m)
{
    uint64_t now = dz_supervisor_now(s);
    const char *id;
    size_t len;
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
        else if (m->code == DZ_REQ_STARTS_TREE && id_of(m, &id, &len))
            dz_supervisor_starts_tree(s, id, len);
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
