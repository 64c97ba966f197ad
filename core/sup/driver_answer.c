/* driver_answer.c - what comes of a supervisor's starts: answers, failures, and those that get none.
 * Owns:    the end of what is under way (dz_pending).
 * Threads: whoever runs the native. */
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/bond.h"
#include "proc/send.h"
#include "sup/driver_parts.h"
#include "term/read.h"

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

static bool says_superseded(const struct dz_msg *m, const char *field)
{
    const char *text;
    size_t len;
    return dz_read_find_string(m->data, m->len, field, &text, &len) && len == 10 &&
           memcmp(text, "superseded", 10) == 0;
}

static void start_failed(struct dz_thread *t, struct dz_supervisor *s, const struct dz_pending *p, const struct dz_msg *m)
{
    struct dz_sup_failure failure = {.code = p->timed_out ? DZ_ETIMEOUT : code_of(m)};
    struct dz_read reason;
    if (!p->timed_out) {
        failure.detail = m->data;
        failure.detail_len = m->len;
        failure.refused = failure.code == DZ_ENOCONNECTION || failure.code == DZ_ESHUTDOWN;
        /* Refused by its node, ended while it started, or (a supervisor) while its children did. */
        failure.superseded = says_superseded(m, "code") || says_superseded(m, "reason") || says_superseded(m, "cause");
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

/* What was to be started by name answers that it has stopped: nothing of it is left. */
static void broken_off(struct dz_supervisor *s, const struct dz_pending *p)
{
    struct dz_sup_failure failure = {.code = p->timed_out ? DZ_ETIMEOUT : DZ_ESHUTDOWN};
    dz_sup_start_failed(s->sup, dz_supervisor_now(s), p->token, &failure);
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
    if (m->code == DZ_REPLY_STARTED && !(m->flags & DZ_MSG_WIRE)) {
        started.pid = m->from;
    } else if (dz_read_pid_of(&r, &rt->nodes, &started.pid) || dz_pid_is_none(started.pid)) {
        if (p->adopt)
            bad_start_function(s, p);
        else
            broken_off(s, p);
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

void dz_supervisor_answered(struct dz_thread *t, struct dz_supervisor *s, const struct dz_msg *m)
{
    struct dz_pending *p = dz_map_get(&s->pending, m->ref);
    bool kept = false;
    if (!p)
        return;
    dz_map_remove(&s->pending, p->ref);
    dz_map_remove(&s->tokens, p->token);
    if (p->kind == DZ_PENDING_ASK)
        dz_supervisor_ask_answered(s, p, m);
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
    dz_supervisor_withdraw(t, s, p);
    if (p->kind == DZ_PENDING_START) {
        p->timed_out = true;
        return;
    }
    dz_supervisor_tell(s, DZ_TOLD_NO_SELECTION, p->token, 0, false, "the selector did not answer within 1 s");
    dz_supervisor_pending_delete(s, p);
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

void dz_supervisor_starts_tree(struct dz_supervisor *s, const char *child_id, size_t len)
{
    const struct dz_sup_child *c = dz_sup_find_child(s->sup, child_id, len);
    struct dz_pending *p = c ? dz_map_get(&s->tokens, dz_sup_token_of(c)) : NULL;
    if (p && p->kind == DZ_PENDING_START && !p->own_timeout && !p->timed_out)
        p->deadline_ms = DZ_TIME_INFINITY;
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
        dz_supervisor_withdraw(t, s, p);
        dz_supervisor_tell(s, DZ_TOLD_START_FAILED, p->token, DZ_ENOCONNECTION, true, NULL);
        dz_supervisor_pending_delete(s, p);
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
            dz_supervisor_withdraw(t, s, p);
        else if (dz_nodes_is_self(&t->rt->nodes, p->cancel.node))
            dz_send_signal(t, DZ_MSG_PARENT_EXIT, dz_supervisor_pid(s), p->cancel, 0, reason);
    }
}

void dz_supervisor_free_starts(struct dz_supervisor *s)
{
    uint64_t key;
    uint32_t it = 0;
    void *value;
    while (dz_map_next(&s->pending, &it, &key, &value))
        dz_free(value);
    dz_map_fini(&s->pending);
    dz_map_fini(&s->tokens);
}
