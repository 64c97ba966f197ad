/* ending.c - the second half of process.h: how a process ends, and what is said of one that has ended. */
#include "proc/process.h"

#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "proc/bond.h"
#include "proc/native.h"
#include "proc/orphan.h"
#include "proc/send.h"

void dz_process_doom(struct dz_thread *t, struct dz_proc *p, struct dz_blob *reason, unsigned how)
{
    bool kill = how & DZ_PROC_NO_TERMINATE;
    if ((p->flags & DZ_PROC_DOOMED) && !kill)
        return;
    if (p->exit)
        dz_blob_unref(p->exit);
    p->exit = dz_blob_ref(reason);
    p->flags |= DZ_PROC_DOOMED | (kill ? DZ_PROC_NO_TERMINATE : 0);
    if (p->flags & DZ_PROC_NATIVE)
        return; /* whoever runs it looks at the flag */
    if (p->state == DZ_PROC_IDLE || p->state == DZ_PROC_WAITING) {
        p->state = DZ_PROC_IDLE;
        dz_process_ready(t, p);
    }
}

/* {code=, message=, reason=<the exit reason>} to one who waits for an answer that will never come. */
static void fail_with_reason(struct dz_thread *t, struct dz_proc *p, struct dz_msg *question, int err)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 3);
    dz_build_kstring(&b, "code", dz_err_name(err));
    dz_build_kstring(&b, "message", dz_err_text(err));
    dz_build_kraw(&b, "reason", p->exit->data, p->exit->len);
    if (dz_build_done(&b) == 0)
        dz_send_failure(t, p->pid, question->from, question->ref, buf.data, buf.len);
    else
        dz_send_error(t, p->pid, question->from, question->ref, err, NULL);
    dz_buf_fini(&buf);
}

/* A question, a stop or anything else that the ended process will not get to. Takes it. */
static void disappoint(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    if (m->kind == DZ_MSG_STOP && m->ref)
        dz_send_reply(t, p->pid, m->from, m->ref, NULL, 0);
    else if (m->kind == DZ_MSG_SPAWN && m->ref)
        fail_with_reason(t, p, m, DZ_EINITFAILED);
    else if (m->kind == DZ_MSG_CALL || m->kind == DZ_MSG_REQUEST)
        fail_with_reason(t, p, m, DZ_ECALLFAILED);
    dz_msg_free(m);
}

void dz_process_answer_ahead(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    dz_assert(m->kind == DZ_MSG_CALL && (p->flags & DZ_PROC_DOOMED));
    fail_with_reason(t, p, m, DZ_ECALLFAILED);
    m->kind = DZ_MSG_CAST; /* what is left of it asks for nothing */
}

/* A supervisor counts the end of a superseded child nowhere: it must tell it from a crash. */
static bool is_superseded(const struct dz_rt *rt, const struct dz_blob *reason)
{
    const struct dz_blob *superseded = rt->reasons[DZ_REASON_SUPERSEDED];
    return reason->len == superseded->len && memcmp(reason->data, superseded->data, reason->len) == 0;
}

void dz_process_finish(struct dz_thread *t, struct dz_proc *p)
{
    struct dz_rt *rt = t->rt;
    dz_assert(p->flags & DZ_PROC_DOOMED);
    dz_assert(p->exit);
    if (p->exit_how == DZ_EXIT_BY_ITSELF && is_superseded(rt, p->exit))
        p->exit_how = DZ_EXIT_SUPERSEDED;
    if (p->wait)
        dz_process_unwait(t, p);
    if (p->flags & DZ_PROC_ORPHAN)
        dz_orphan_gone(t, p);
    dz_list_remove(&p->run);
    p->state = DZ_PROC_ENDED;
    if (rt->ports.crashed)
        rt->ports.crashed(rt->ports.ctx, t, p, p->exit);
    if ((p->flags & DZ_PROC_GLOBAL) && rt->ports.global_end)
        rt->ports.global_end(rt->ports.ctx, t, p->pid);
    dz_names_end(&rt->names, &rt->table, p->slot);
    dz_bond_break_all(t, p, p->exit, p->exit_how);
    while (p->owed) {
        struct dz_msg *m = p->owed;
        p->owed = dz_msg_next(m);
        disappoint(t, p, m);
    }
    struct dz_msg *m;
    while ((m = dz_mailbox_pop(&p->mail)) != NULL)
        disappoint(t, p, m);
    dz_blob_unref(p->exit);
    p->exit = NULL;
    p->kind->dispose(t, p);
}

void dz_process_refuse(struct dz_thread *t, struct dz_slot *slot, struct dz_msg *spawn, const uint8_t *error, size_t len)
{
    struct dz_pid pid = spawn->to;
    dz_names_end(&t->rt->names, &t->rt->table, slot);
    if (spawn->ref)
        dz_send_failure(t, pid, spawn->from, spawn->ref, error, len);
    dz_msg_free(spawn);
}

void dz_process_refuse_with(struct dz_thread *t, struct dz_slot *slot, struct dz_msg *spawn, int err, const char *message)
{
    struct dz_pid pid = spawn->to;
    dz_names_end(&t->rt->names, &t->rt->table, slot);
    if (spawn->ref)
        dz_send_error(t, pid, spawn->from, spawn->ref, err, message);
    dz_msg_free(spawn);
}

static void end_untaken_child(struct dz_thread *t, const struct dz_msg *m)
{
    struct dz_read r;
    struct dz_pid child;
    dz_read_init(&r, m->data, m->len);
    if (m->code == DZ_REPLY_CHILD && !dz_read_pid_of(&r, &t->rt->nodes, &child))
        dz_send_signal(t, DZ_MSG_PARENT_EXIT, m->to, child, 0, t->rt->reasons[DZ_REASON_KILLED]);
}

void dz_process_bounce_with(struct dz_thread *t, struct dz_msg *m, int err)
{
    struct dz_blob *reason = t->rt->reasons[err == DZ_ENOPROC ? DZ_REASON_NOPROC : DZ_REASON_NOCONNECTION];
    switch (m->kind) {
    case DZ_MSG_CALL:
    case DZ_MSG_REQUEST:
    case DZ_MSG_SPAWN:
        dz_send_error(t, m->to, m->from, m->ref, err, NULL);
        break;
    case DZ_MSG_STOP: /* gone already, or with its node: that is what was asked for */
    case DZ_MSG_GET_INFO:
        if (m->ref)
            dz_send_reply(t, m->to, m->from, m->ref, NULL, 0);
        break;
    case DZ_MSG_MONITOR:
        dz_send_signal(t, DZ_MSG_DOWN, m->to, m->from, m->ref, reason);
        break;
    case DZ_MSG_LINK:
        dz_send_signal(t, DZ_MSG_EXIT, m->to, m->from, 0, reason);
        break;
    case DZ_MSG_REPLY:
        end_untaken_child(t, m);
        break;
    default:
        break;
    }
    dz_msg_free(m);
}

void dz_process_bounce(struct dz_thread *t, struct dz_msg *m)
{
    dz_process_bounce_with(t, m, DZ_ENOPROC);
}

/* --- dozor.info --- */

static const char *status_of(const struct dz_proc *p)
{
    if (p->flags & DZ_PROC_DOOMED)
        return "stopping";
    if (!(p->flags & DZ_PROC_STARTED))
        return "starting";
    static const char *const names[] = {
        [DZ_PROC_IDLE] = "idle",       [DZ_PROC_READY] = "ready",   [DZ_PROC_RUNNING] = "running",
        [DZ_PROC_WAITING] = "waiting", [DZ_PROC_ENDED] = "stopping",
    };
    return names[p->state];
}

static void build_others(struct dz_build *b, const struct dz_nodes *nodes, const struct dz_proc *p,
                         enum dz_bond_kind kind, uint32_t count)
{
    dz_build_array(b, count);
    if (!p->bonds)
        return;
    dz_list_each (&p->bonds->all, it) {
        struct dz_bond *bond = dz_list_entry(it, struct dz_bond, all);
        if (bond->kind == kind)
            dz_build_pid_of(b, nodes, bond->other);
    }
}

static void build_name(struct dz_build *b, struct dz_rt *rt, const struct dz_proc *p)
{
    char name[DZ_NAME_MAX + 1];
    dz_build_key(b, "name");
    dz_build_cstring(b, dz_names_of(&rt->names, p->pid, name) ? name : NULL);
}

int dz_process_info(struct dz_thread *t, struct dz_proc *p, struct dz_buf *out)
{
    struct dz_rt *rt = t->rt;
    struct dz_build b;
    const char *behavior = NULL;
    size_t memory = sizeof *p + sizeof *p->slot;
    p->kind->describe(t, p, &behavior, &memory);
    dz_build_init(&b, out);
    bool native = p->flags & DZ_PROC_NATIVE; /* has no home */
    dz_build_map(&b, native ? 14 : 16);
    if (!native) {
        dz_build_kint(&b, "worker", t->index);
        dz_build_kint(&b, "worker_memory_bytes",
                      (int64_t)atomic_load_explicit(&t->lua_bytes, memory_order_relaxed));
    }
    dz_build_kstring(&b, "behavior", behavior);
    build_name(&b, rt, p);
    dz_build_key(&b, "pid");
    dz_build_pid_of(&b, &rt->nodes, p->pid);
    dz_build_key(&b, "global"); /* which one, the registry knows */
    dz_build_bool(&b, native || (p->flags & DZ_PROC_GLOBAL));
    dz_build_kstring(&b, "node_id", dz_nodes_self_id(&rt->nodes));
    dz_build_kstring(&b, "status", status_of(p));
    dz_build_kint(&b, "mailbox", dz_table_messages(p->slot));
    dz_build_kint(&b, "mailbox_bytes", (int64_t)dz_table_bytes(p->slot));
    dz_build_kint(&b, "memory_bytes", (int64_t)memory);
    dz_build_kint(&b, "handled", p->handled);
    dz_build_key(&b, "links");
    build_others(&b, &rt->nodes, p, DZ_BOND_LINK, p->bonds ? p->bonds->links : 0);
    dz_build_key(&b, "monitors");
    build_others(&b, &rt->nodes, p, DZ_BOND_WATCHES, p->bonds ? p->bonds->monitors : 0);
    dz_build_key(&b, "supervisor");
    dz_build_pid_of(&b, &rt->nodes, p->parent);
    dz_build_kint(&b, "started_at", (int64_t)p->started_ms);
    return dz_build_done(&b);
}
