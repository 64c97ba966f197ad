/* cprocess.c - what the callbacks of a C behaviour may do.
 * Owns:    the timers of dz_context_send_after.
 * Threads: the process's worker.
 * Fails:   as dozor.h says. */
#include "host/cprocess.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "host/host.h"
#include "proc/bond.h"
#include "proc/send.h"

struct later {
    struct dz_timer timer;
    struct dz_list all;
    struct dz_pid to;
    struct dz_msg *msg;
};

dz_from dz_cprocess_from(struct dz_pid pid, uint64_t ref)
{
    return (dz_from){ { pid.node, pid.slot, pid.gen, 0 }, ref };
}

void dz_cprocess_answer(struct dz_context *context, dz_from from, const struct dz_builder *value)
{
    struct dz_thread *t = context->t;
    struct dz_pid self = context->c->proc.pid;
    struct dz_pid to = { from.opaque[0], from.opaque[1], from.opaque[2] };
    dz_msg_free(dz_process_unowe(&context->c->proc, to, from.number));
    int err = value ? dz_builder_error(value) : DZ_EUNHANDLED;
    if (!err)
        err = dz_send_reply(t, self, to, from.number, value->buf.data, value->buf.len);
    if (err)
        dz_send_error(t, self, to, from.number, err, NULL);
}

dz_host *dz_context_host(dz_context *context)
{
    return context->c->host;
}

dz_process dz_context_self(dz_context *context)
{
    return dz_process_of(context->c->proc.pid);
}

int dz_context_fail(dz_context *context, int err, const char *message)
{
    snprintf(context->failure, sizeof context->failure, "%s", message ? message : "");
    return err;
}

void dz_context_exit(dz_context *context, const dz_builder *reason)
{
    struct dz_rt *rt = context->t->rt;
    struct dz_blob *blob = NULL;
    if (reason && dz_builder_error(reason) == DZ_OK)
        blob = dz_blob_new(reason->buf.data, reason->buf.len);
    dz_blob_unref(context->exit);
    context->exit = blob ? blob : dz_blob_ref(rt->reasons[DZ_REASON_NORMAL]);
}

static int send_value(dz_context *context, enum dz_msg_kind kind, dz_process to, const dz_builder *value)
{
    int err = dz_builder_error(value);
    if (err)
        return err;
    if (dz_process_is_none(to))
        return DZ_OK;
    struct dz_msg *m = dz_msg_new_copy(kind, value->buf.data, value->buf.len);
    if (!m)
        return DZ_ENOMEM;
    m->to = dz_pid_of(to);
    m->from = context->c->proc.pid;
    err = dz_send(context->t, &m);
    dz_msg_free(m);
    return err;
}

int dz_context_send(dz_context *context, dz_process to, const dz_builder *message)
{
    return send_value(context, DZ_MSG_SEND, to, message);
}

int dz_context_cast(dz_context *context, dz_process to, const dz_builder *message)
{
    return send_value(context, DZ_MSG_CAST, to, message);
}

int dz_context_reply(dz_context *context, dz_from from, const dz_builder *value)
{
    int err = dz_builder_error(value);
    if (!err)
        dz_cprocess_answer(context, from, value);
    return err;
}

static void fire(struct dz_thread *t, struct dz_timer *timer)
{
    struct later *l = dz_container_of(timer, struct later, timer);
    struct dz_msg *m = l->msg;
    dz_list_remove(&l->all);
    dz_free(l);
    dz_send(t, &m);
    dz_msg_free(m); /* a full mailbox does not get it */
}

int dz_context_send_after(dz_context *context, uint64_t delay_ms, const dz_builder *message)
{
    struct dz_cproc *c = context->c;
    int err = dz_builder_error(message);
    if (err)
        return err;
    struct later *l = dz_zalloc(1, sizeof *l);
    struct dz_msg *m = dz_msg_new_copy(DZ_MSG_SEND, message->buf.data, message->buf.len);
    if (l && m) {
        uint64_t now = dz_env_now_ns(context->t->rt->env);
        uint64_t most = (DZ_INFINITY - 1 - now) / 1000000u;
        m->to = m->from = c->proc.pid;
        l->msg = m;
        dz_timer_init(&l->timer, fire);
        if (dz_timer_start(context->t, &l->timer, now + (delay_ms < most ? delay_ms : most) * 1000000u) == DZ_OK) {
            dz_list_push_back(&c->timers, &l->all);
            return DZ_OK;
        }
    }
    dz_free(l);
    dz_msg_free(m);
    return DZ_ENOMEM;
}

void dz_cprocess_drop_timers(struct dz_thread *t, struct dz_cproc *c)
{
    struct dz_list *node;
    while ((node = dz_list_pop_front(&c->timers)) != NULL) {
        struct later *l = dz_list_entry(node, struct later, all);
        dz_timer_stop(t, &l->timer);
        dz_msg_free(l->msg);
        dz_free(l);
    }
}

int dz_context_monitor(dz_context *context, dz_process other)
{
    uint64_t ref;
    return dz_process_is_none(other) ? DZ_EARGUMENT
                                     : dz_bond_monitor(context->t, &context->c->proc, dz_pid_of(other), &ref);
}

int dz_context_link(dz_context *context, dz_process other)
{
    return dz_process_is_none(other) ? DZ_EARGUMENT : dz_bond_link(context->t, &context->c->proc, dz_pid_of(other));
}

void dz_context_trap_exit(dz_context *context, bool trap)
{
    struct dz_proc *p = &context->c->proc;
    p->flags = (uint16_t)(trap ? p->flags | DZ_PROC_TRAPS : p->flags & ~DZ_PROC_TRAPS);
}

void dz_context_log(dz_context *context, const char *level, const char *text)
{
    char pid[DZ_PID_TEXT_MAX];
    int n = dz_log_level_from_name(level);
    if (n < 0 || n >= DZ_LOG_OFF)
        n = DZ_LOG_INFO;
    dz_pid_format(&context->t->rt->nodes, context->c->proc.pid, pid);
    dz_log_fields(context->t->rt->log, (enum dz_log_level)n, text, "pid", pid, "behavior", context->c->name, NULL);
}
