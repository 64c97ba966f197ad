#include "proc/process.h"

#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "proc/bond.h"
#include "proc/native.h"
#include "proc/orphan.h"
#include "proc/send.h"

void dz_process_init(struct dz_thread *t, struct dz_proc *p, const struct dz_proc_kind *kind, struct dz_slot *slot,
                     struct dz_pid pid, struct dz_msg *spawn)
{
    dz_assert(atomic_load_explicit(&slot->gen, memory_order_relaxed) == pid.gen && !slot->proc);
    p->kind = kind;
    p->slot = slot;
    p->pid = pid;
    p->started_ms = dz_env_wall_ms(t->rt->env);
    if (atomic_load_explicit(&slot->hidden, memory_order_relaxed))
        p->flags |= DZ_PROC_HIDDEN;
    dz_mailbox_init(&p->mail);
    dz_list_init(&p->run);
    slot->proc = p;
    if (spawn)
        dz_process_owe(p, spawn);
    if (p->flags & DZ_PROC_NATIVE)
        return;
    p->state = DZ_PROC_IDLE;
    dz_process_ready(t, p);
}

/* The SPAWN among what is owed, taken out; NULL for a process nobody waits for. */
static struct dz_msg *take_spawn(struct dz_proc *p)
{
    struct dz_msg *prev = NULL;
    for (struct dz_msg *m = p->owed; m; prev = m, m = dz_msg_next(m)) {
        if (m->kind != DZ_MSG_SPAWN)
            continue;
        if (prev)
            dz_msg_set_next(prev, dz_msg_next(m));
        else
            p->owed = dz_msg_next(m);
        return m;
    }
    return NULL;
}

/* One that was held for this host has room for the answer, which is it then. Takes the SPAWN. */
static void answer_started(struct dz_thread *t, struct dz_pid pid, struct dz_msg *m)
{
    struct dz_buf room = {.data = m->bytes, .cap = m->len, .limit = m->len};
    struct dz_build b;
    dz_build_init(&b, &room);
    if (m->flags & DZ_MSG_HOST)
        dz_build_pid_of(&b, &t->rt->nodes, pid);
    if (!(m->flags & DZ_MSG_HOST) || dz_build_done(&b)) {
        dz_send_pid_reply(t, pid, m->from, m->ref, pid);
        dz_msg_free(m);
        return;
    }
    m->kind = DZ_MSG_REPLY;
    m->code = DZ_REPLY_STARTED;
    m->flags = 0;
    m->len = (uint32_t)room.len;
    m->to = m->from;
    m->from = pid;
    dz_send_must(t, m);
}

void dz_process_started(struct dz_thread *t, struct dz_proc *p)
{
    struct dz_msg *spawn = take_spawn(p);
    dz_assert(!(p->flags & DZ_PROC_STARTED));
    p->flags |= DZ_PROC_STARTED;
    if (!spawn)
        return;
    if (spawn->ref)
        answer_started(t, p->pid, spawn);
    else
        dz_msg_free(spawn);
}

/* --- turns --- */

void dz_process_ready(struct dz_thread *t, struct dz_proc *p)
{
    if (p->state == DZ_PROC_IDLE && !(p->flags & DZ_PROC_NATIVE))
        dz_process_enqueue(t, p);
}

struct dz_msg *dz_process_unowe(struct dz_proc *p, struct dz_pid from, uint64_t ref)
{
    struct dz_msg *prev = NULL;
    for (struct dz_msg *m = p->owed; m; prev = m, m = dz_msg_next(m)) {
        if (m->ref != ref || !dz_pid_eq(m->from, from))
            continue;
        if (prev)
            dz_msg_set_next(prev, dz_msg_next(m));
        else
            p->owed = dz_msg_next(m);
        dz_msg_set_next(m, NULL);
        return m;
    }
    return NULL;
}

void dz_process_rest(struct dz_thread *t, struct dz_proc *p)
{
    dz_assert(p->state == DZ_PROC_RUNNING);
    bool ending = p->flags & DZ_PROC_DOOMED;
    bool terminating = p->flags & DZ_PROC_TERMINATING;
    if (ending && (!terminating || (p->flags & DZ_PROC_NO_TERMINATE)))
        dz_process_enqueue(t, p);
    else if (p->wait && !p->wait->woken)
        p->state = DZ_PROC_WAITING;
    else if (p->wait || (!terminating && dz_mailbox_peek(&p->mail)))
        dz_process_enqueue(t, p);
    else
        p->state = DZ_PROC_IDLE;
}

/* --- waiting --- */

static void wait_timed_out(struct dz_thread *t, struct dz_timer *timer)
{
    struct dz_wait *w = dz_container_of(timer, struct dz_wait, timer);
    w->timed_out = true;
    dz_process_wake(t, w->proc);
}

void dz_process_time_wait(struct dz_thread *t, struct dz_wait *w, uint64_t timeout_ns)
{
    dz_assert(!w->timed);
    w->timed = true;
    dz_timer_init(&w->timer, wait_timed_out);
    dz_timer_start_lazy(t, &w->timer, timeout_ns);
}

void dz_process_unwait(struct dz_thread *t, struct dz_proc *p)
{
    struct dz_wait *w = p->wait;
    dz_assert(w);
    p->wait = NULL;
    if (w->timed)
        dz_timer_stop(t, &w->timer);
    if (w->listed)
        dz_list_remove(&w->far);
    if (w->kind == DZ_WAIT_REPLY && !w->answered && !dz_pid_is_none(w->target))
        dz_send_signal(t, DZ_MSG_ANSWERED, p->pid, w->target, w->ref, NULL);
    if (w->reply)
        dz_msg_free(w->reply);
    w->reply = NULL;
}

/* --- arrival --- */

static bool same_process(const struct dz_nodes *n, struct dz_pid a, struct dz_pid b)
{
    return a.slot == b.slot && a.gen == b.gen &&
           (a.node == b.node || dz_nodes_resolve(n, a.node) == dz_nodes_resolve(n, b.node));
}

static void take_reply(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    struct dz_wait *w = p->wait;
    if (!w || w->kind != DZ_WAIT_REPLY || w->ref != m->ref || w->answered || w->timed_out) {
        dz_msg_free(m); /* late */
        return;
    }
    w->answered = true;
    /* Somebody else answered for the process asked: it must not go on owing. */
    if (!dz_pid_is_none(w->target) && !same_process(&t->rt->nodes, w->target, m->from))
        dz_send_signal(t, DZ_MSG_ANSWERED, p->pid, w->target, w->ref, NULL);
    w->reply = m;
    dz_process_wake(t, p);
}

static void doom_by(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m, unsigned how)
{
    struct dz_blob *reason = m->blob ? dz_blob_ref(m->blob) : dz_blob_new(m->data, m->len);
    dz_process_doom(t, p, reason ? reason : t->rt->reasons[DZ_REASON_KILLED], how);
    dz_blob_unref(reason);
}

static bool is_normal(const struct dz_rt *rt, const struct dz_msg *m)
{
    const struct dz_blob *normal = rt->reasons[DZ_REASON_NORMAL];
    return m->len == normal->len && memcmp(m->data, normal->data, m->len) == 0;
}

static void take_exit(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    struct dz_bond *link = dz_bond_find(p, DZ_BOND_LINK, m->from, 0);
    if (!link) {
        dz_msg_free(m); /* unlinked meanwhile */
        return;
    }
    dz_bond_drop(p, link);
    if (p->flags & DZ_PROC_TRAPS) {
        dz_process_mail(t, p, m);
        return;
    }
    if (!is_normal(t->rt, m))
        doom_by(t, p, m, 0);
    dz_msg_free(m);
}

static void take_down(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    struct dz_bond *watch = dz_bond_find_watch(p, m->ref);
    if (!watch) {
        dz_msg_free(m); /* demonitored meanwhile */
        return;
    }
    dz_bond_drop(p, watch);
    dz_process_mail(t, p, m);
}

/* A stop is taken in its turn like a message, but one who is parked, or has no callbacks, is ended where it stands. */
static void take_stop(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    bool by_parent = !dz_pid_is_none(p->parent) && same_process(&t->rt->nodes, p->parent, m->from);
    bool plain = p->flags & DZ_PROC_PLAIN;
    if (plain && (p->flags & DZ_PROC_TRAPS) && by_parent && !(p->flags & DZ_PROC_DOOMED)) {
        struct dz_msg *notice = dz_msg_new_copy(DZ_MSG_EXIT, m->data, m->len);
        if (notice) {
            notice->from = m->from;
            notice->to = p->pid;
            dz_process_owe(p, m);
            dz_process_mail(t, p, notice);
            return;
        }
    }
    bool unborn = !(p->flags & DZ_PROC_STARTED) && p->state == DZ_PROC_READY && !p->wait;
    if (plain || unborn || p->state == DZ_PROC_WAITING || (p->flags & DZ_PROC_DOOMED)) {
        doom_by(t, p, m, 0);
        dz_process_owe(p, m);
        return;
    }
    p->flags |= DZ_PROC_STOP_MAILED;
    dz_process_mail(t, p, m);
}

static void take_request(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    if (!p->kind->no_requests) {
        dz_process_mail(t, p, m);
        return;
    }
    dz_send_error(t, p->pid, m->from, m->ref, DZ_EUNHANDLED, "not a process of the core");
    dz_msg_free(m);
}

static void take_answered(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    struct dz_msg *question = dz_process_unowe(p, m->from, m->ref);
    if (question && question->kind == DZ_MSG_SPAWN) {
        dz_process_owe(p, question); /* who broke the start off may wait until nothing of it is left */
        dz_process_doom(t, p, t->rt->reasons[DZ_REASON_KILLED], DZ_PROC_NO_TERMINATE);
    } else {
        dz_msg_free(question);
    }
    dz_msg_free(m);
}

static void take_bond_signal(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    struct dz_bond *b = NULL;
    int err = 0;
    if (m->kind == DZ_MSG_LINK)
        err = dz_bond_add(t, p, DZ_BOND_LINK, m->from, 0, &b);
    else if (m->kind == DZ_MSG_MONITOR)
        err = dz_bond_add(t, p, DZ_BOND_WATCHED, m->from, m->ref, &b);
    else if (m->kind == DZ_MSG_UNLINK)
        b = dz_bond_find(p, DZ_BOND_LINK, m->from, 0);
    else
        b = dz_bond_find(p, DZ_BOND_WATCHED, m->from, m->ref);
    if (err) { /* no memory for the record: as if this process could not be reached */
        dz_process_bounce_with(t, m, DZ_ENOCONNECTION);
        return;
    }
    if (m->kind == DZ_MSG_MONITOR && m->code && dz_pid_is_none(p->parent)) {
        p->parent = m->from;
        p->flags |= DZ_PROC_ADOPTED;
        if (!dz_nodes_is_self(&t->rt->nodes, m->from.node) && dz_bond_add(t, p, DZ_BOND_PARENT, m->from, 0, NULL))
            dz_orphan_end(t, p, t->rt->reasons[DZ_REASON_NOCONNECTION], 0); /* no memory to see that node lost */
    }
    if (b && (m->kind == DZ_MSG_UNLINK || m->kind == DZ_MSG_DEMONITOR))
        dz_bond_drop(p, b);
    dz_msg_free(m);
}

static void take_parent_exit(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    struct dz_blob *reason = m->blob ? dz_blob_ref(m->blob) : dz_blob_new(m->data, m->len);
    dz_orphan_end(t, p, reason ? reason : t->rt->reasons[DZ_REASON_KILLED], m->ref);
    dz_blob_unref(reason);
}

static void answer_info(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    struct dz_buf buf;
    dz_buf_init(&buf);
    /* Who killed it and then asks sees it gone. */
    int err = p->flags & DZ_PROC_NO_TERMINATE ? DZ_ENOPROC : dz_process_info(t, p, &buf);
    if (err)
        dz_send_error(t, p->pid, m->from, m->ref, err, NULL);
    else
        dz_send_reply(t, p->pid, m->from, m->ref, buf.data, buf.len);
    dz_buf_fini(&buf);
    dz_msg_free(m);
}

bool dz_process_deliver_signal(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    switch (m->kind) {
    case DZ_MSG_LINK:
    case DZ_MSG_UNLINK:
    case DZ_MSG_MONITOR:
    case DZ_MSG_DEMONITOR:
        take_bond_signal(t, p, m);
        return true;
    case DZ_MSG_ANSWERED:
        take_answered(t, p, m);
        return true;
    case DZ_MSG_GET_INFO:
        answer_info(t, p, m);
        return true;
    case DZ_MSG_KILL:
        dz_process_doom(t, p, t->rt->reasons[DZ_REASON_KILLED], DZ_PROC_NO_TERMINATE);
        dz_msg_free(m);
        return true;
    default:
        return false;
    }
}

void dz_process_deliver(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    if (m->kind <= DZ_MSG_INFO) {
        dz_process_mail(t, p, m);
        return;
    }
    if (m->kind == DZ_MSG_REPLY) {
        take_reply(t, p, m);
        return;
    }
    if (dz_process_deliver_signal(t, p, m))
        return;
    switch (m->kind) {
    case DZ_MSG_EXIT:
        take_exit(t, p, m);
        break;
    case DZ_MSG_DOWN:
        take_down(t, p, m);
        break;
    case DZ_MSG_STOP:
        take_stop(t, p, m);
        break;
    case DZ_MSG_PARENT_EXIT:
        take_parent_exit(t, p, m);
        dz_msg_free(m);
        break;
    case DZ_MSG_REQUEST:
        take_request(t, p, m);
        break;
    case DZ_MSG_SPAWN: /* a second spawn into a living slot: cannot come from us */
    case DZ_MSG_NODE_LOST:
        dz_msg_free(m);
        break;
    default:
        dz_process_mail(t, p, m);
    }
}

static void deliver_to_thread(struct dz_thread *t, struct dz_msg *m)
{
    if (m->kind == DZ_MSG_NODE_LOST) {
        dz_bond_node_lost(t, (uint32_t)m->ref, m->code != 0);
        dz_process_node_lost(t, (uint32_t)m->ref);
        dz_msg_free(m);
    } else if (m->kind == DZ_MSG_TASK) {
        dz_thread_run_task(t, m);
    } else {
        t->rt->ports.thread_message(t->rt->ports.ctx, t, m);
    }
}

/* The slot is reserved and its SPAWN has not come: it is not wanted any more, and will find nobody there. */
static bool ends_a_start(const struct dz_msg *m)
{
    return m->kind == DZ_MSG_KILL || m->kind == DZ_MSG_ANSWERED || m->kind == DZ_MSG_STOP || m->kind == DZ_MSG_PARENT_EXIT;
}

void dz_thread_deliver(struct dz_thread *t, struct dz_msg *m)
{
    if (m->to.slot == 0) {
        deliver_to_thread(t, m);
        return;
    }
    struct dz_slot *slot = dz_table_find(&t->rt->table, m->to);
    if (!slot) {
        dz_process_bounce(t, m);
        return;
    }
    struct dz_native *native = atomic_load_explicit(&slot->native, memory_order_acquire);
    if (native) {
        if (m->flags & DZ_MSG_RESERVED_HERE) { /* from before the native was there; only this thread may give it back */
            dz_table_give_back_here(slot, m->len);
            m->flags &= (uint8_t)~DZ_MSG_RESERVED_HERE;
        }
        dz_native_push(t, native, m);
        return;
    }
    dz_assert(atomic_load_explicit(&slot->thread, memory_order_relaxed) == t->index);
    if (slot->proc) {
        dz_process_deliver(t, slot->proc, m);
    } else if (m->kind == DZ_MSG_SPAWN) {
        t->rt->ports.spawn(t->rt->ports.ctx, t, slot, m);
    } else {
        if (ends_a_start(m))
            dz_names_end(&t->rt->names, &t->rt->table, slot);
        dz_process_bounce(t, m);
    }
}

/* --- a lost node --- */

void dz_process_node_lost(struct dz_thread *t, uint32_t node)
{
    dz_list_each_safe (&t->far_waits, it) {
        struct dz_wait *w = dz_list_entry(it, struct dz_wait, far);
        if (w->answered || dz_nodes_resolve(&t->rt->nodes, w->target.node) != node)
            continue;
        struct dz_msg *m = dz_send_make_error(w->target, w->proc->pid, w->ref, DZ_ENOCONNECTION, NULL);
        if (m)
            take_reply(t, w->proc, m);
        else
            wait_timed_out(t, &w->timer);
    }
}
