#include "proc/native.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/bond.h"
#include "proc/send.h"

static struct dz_native *native_of(struct dz_proc *p)
{
    dz_assert(p->flags & DZ_PROC_NATIVE);
    return (struct dz_native *)(void *)p;
}

/* --- the kind --- */

static void dispose(struct dz_thread *t, struct dz_proc *p)
{
    struct dz_native *n = native_of(p);
    pthread_mutex_lock(&t->rt->natives_lock);
    dz_list_remove(&n->all);
    pthread_mutex_unlock(&t->rt->natives_lock);
    n->ops = NULL;
    n->data = NULL;
}

static void describe(struct dz_thread *t, struct dz_proc *p, const char **behavior, size_t *memory)
{
    (void)t;
    *behavior = native_of(p)->ops->name;
    *memory = sizeof(struct dz_native);
}

static const struct dz_proc_kind native_kind = {.name = "native", .dispose = dispose, .describe = describe};

/* --- making --- */

/* A block nobody runs at this moment: claimed RUNNING, so that stale messages for its past owner wait. */
static struct dz_native *claim_free(struct dz_rt *rt)
{
    struct dz_native *found = NULL;
    pthread_mutex_lock(&rt->natives_lock);
    dz_list_each (&rt->natives_free, it) {
        struct dz_native *n = dz_list_entry(it, struct dz_native, all);
        uint32_t idle = DZ_NATIVE_IDLE;
        /* Sees all that the last runner did (rest). */
        if (atomic_compare_exchange_strong_explicit(&n->state, &idle, DZ_NATIVE_RUNNING, memory_order_seq_cst,
                                                    memory_order_relaxed)) {
            dz_list_remove(&n->all);
            found = n;
            break;
        }
    }
    pthread_mutex_unlock(&rt->natives_lock);
    return found;
}

static struct dz_native *block_new(void)
{
    struct dz_native *n = dz_zalloc(1, sizeof *n);
    if (!n)
        return NULL;
    dz_list_init(&n->ready);
    dz_list_init(&n->all);
    dz_mpsc_init(&n->queue);
    atomic_init(&n->state, DZ_NATIVE_RUNNING);
    atomic_init(&n->announced, 0);
    return n;
}

static void block_free(struct dz_rt *rt, struct dz_native *n)
{
    pthread_mutex_lock(&rt->natives_lock);
    dz_list_push_back(&rt->natives_free, &n->all);
    pthread_mutex_unlock(&rt->natives_lock);
}

/* A message was pushed. All operations on `state` are seq_cst: a producer that finds it QUEUED or RUNNING_AGAIN does nothing
 * more, and its push (seq_cst) comes before the run, or the look at the queue, that follows. */
static void make_ready(struct dz_thread *t, struct dz_native *n)
{
    uint32_t state = atomic_load_explicit(&n->state, memory_order_seq_cst);
    while (state == DZ_NATIVE_IDLE || state == DZ_NATIVE_RUNNING) {
        uint32_t next = state == DZ_NATIVE_IDLE ? DZ_NATIVE_QUEUED : DZ_NATIVE_RUNNING_AGAIN;
        if (!atomic_compare_exchange_weak_explicit(&n->state, &state, next, memory_order_seq_cst, memory_order_seq_cst))
            continue;
        if (next == DZ_NATIVE_QUEUED)
            t->rt->ports.native_ready(t->rt->ports.ctx, t, n);
        return;
    }
}

/* The end of a run. The queue is looked at while it is still ours: once the state is IDLE somebody else may be popping. */
static void rest(struct dz_thread *t, struct dz_native *n)
{
    uint32_t running = DZ_NATIVE_RUNNING;
    if (dz_mpsc_empty(&n->queue) &&
        atomic_compare_exchange_strong_explicit(&n->state, &running, DZ_NATIVE_IDLE, memory_order_seq_cst,
                                                memory_order_relaxed))
        return;
    atomic_store_explicit(&n->state, DZ_NATIVE_QUEUED, memory_order_seq_cst);
    t->rt->ports.native_ready(t->rt->ports.ctx, t, n);
}

int dz_native_new(struct dz_thread *t, const struct dz_native_ops *ops, void *data, bool hidden, struct dz_slot *slot,
                  struct dz_pid pid, struct dz_msg **spawn, struct dz_native **out)
{
    struct dz_rt *rt = t->rt;
    struct dz_native *n = claim_free(rt);
    if (!n)
        n = block_new();
    if (!n)
        return DZ_ENOMEM;
    if (!slot) {
        uint32_t node = atomic_load_explicit(&rt->nodes.self, memory_order_acquire);
        int err = dz_table_reserve(&rt->table, t->index, hidden, node, &slot, &pid);
        if (err) {
            block_free(rt, n);
            rest(t, n);
            return err;
        }
    }
    memset(&n->proc, 0, sizeof n->proc);
    n->proc.flags = DZ_PROC_NATIVE;
    n->ops = ops;
    n->data = data;
    dz_process_init(t, &n->proc, &native_kind, slot, pid, spawn ? *spawn : NULL);
    if (spawn)
        *spawn = NULL;
    pthread_mutex_lock(&rt->natives_lock);
    dz_list_push_back(&rt->natives_all, &n->all);
    pthread_mutex_unlock(&rt->natives_lock);
    /* release: a sender that finds the native (acquire in dz_send) finds it whole. */
    atomic_store_explicit(&slot->native, n, memory_order_release);
    *out = n;
    rest(t, n);
    return 0;
}

void dz_native_delete(struct dz_native *n)
{
    struct dz_mpsc_node *node;
    while ((node = dz_mpsc_pop(&n->queue)) != NULL)
        dz_msg_free(dz_container_of(node, struct dz_msg, node));
    dz_free(n);
}

/* --- running --- */

void dz_native_push(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    dz_mpsc_push(&n->queue, &m->node);
    make_ready(t, n);
}

static void handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct dz_proc *p = &n->proc;
    if (!n->ops || m->to.slot != p->pid.slot || m->to.gen != p->pid.gen) {
        dz_process_bounce(t, m);
        return;
    }
    if (m->flags & DZ_MSG_RESERVED)
        dz_process_taken(p, m);
    if (dz_process_deliver_signal(t, p, m))
        return;
    if (m->kind == DZ_MSG_EXIT) {
        struct dz_bond *link = dz_bond_find(p, DZ_BOND_LINK, m->from, 0);
        if (link)
            dz_bond_drop(p, link);
    } else if (m->kind == DZ_MSG_DOWN) {
        struct dz_bond *watch = dz_bond_find_watch(p, m->ref);
        if (watch)
            dz_bond_drop(p, watch);
    } else if (m->kind == DZ_MSG_NODE_LOST) {
        dz_bond_node_lost_native(t, p, (uint32_t)m->ref, m->code != 0);
    }
    n->ops->handle(t, n, m);
}

void dz_process_arrive(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    if (p->flags & DZ_PROC_NATIVE)
        handle(t, native_of(p), m);
    else
        dz_process_deliver(t, p, m);
}

static void finish(struct dz_thread *t, struct dz_native *n)
{
    struct dz_rt *rt = t->rt;
    const struct dz_native_ops *ops = n->ops;
    struct dz_pid pid = n->proc.pid;
    void *data = n->data;
    ops->end(t, n);
    dz_process_finish(t, &n->proc);
    if (ops->gone)
        ops->gone(t, pid, data);
    struct dz_mpsc_node *node;
    while ((node = dz_mpsc_pop(&n->queue)) != NULL)
        dz_process_bounce(t, dz_container_of(node, struct dz_msg, node));
    block_free(rt, n);
}

bool dz_native_run(struct dz_thread *t, struct dz_native *n, unsigned budget)
{
    uint32_t queued = DZ_NATIVE_QUEUED;
    /* Sees what the last runner left (rest) and every push whose producer found the native QUEUED (make_ready). */
    if (!atomic_compare_exchange_strong_explicit(&n->state, &queued, DZ_NATIVE_RUNNING, memory_order_seq_cst,
                                                 memory_order_relaxed))
        return false;
    bool outer = t->in_native;
    struct dz_mpsc_node *node;
    t->in_native = true;
    while (budget-- && (node = dz_mpsc_pop(&n->queue)) != NULL) {
        handle(t, n, dz_container_of(node, struct dz_msg, node));
        if (n->proc.flags & DZ_PROC_DOOMED && n->ops)
            finish(t, n);
    }
    t->in_native = outer;
    rest(t, n);
    return true;
}

void dz_native_finish(struct dz_thread *t, struct dz_native *n, struct dz_blob *reason)
{
    dz_process_doom(t, &n->proc, reason, 0);
}

/* --- a lost node --- */

static void broadcast(struct dz_thread *t, enum dz_msg_kind kind, uint16_t code, uint64_t ref, const uint8_t *data,
                      size_t len)
{
    struct dz_rt *rt = t->rt;
    pthread_mutex_lock(&rt->natives_lock);
    dz_list_each (&rt->natives_all, it) {
        struct dz_native *n = dz_list_entry(it, struct dz_native, all);
        struct dz_msg *m = dz_msg_new_copy(kind, data, len);
        dz_assert(m); /* small and fixed: a supervisor that misses it would wait for ever */
        m->to = n->proc.pid;
        m->code = code;
        m->ref = ref;
        dz_native_push(t, n, m);
    }
    pthread_mutex_unlock(&rt->natives_lock);
}

void dz_native_node_lost(struct dz_thread *t, uint32_t node, bool given_up)
{
    broadcast(t, DZ_MSG_NODE_LOST, given_up, node, NULL, 0);
}

void dz_native_notify_all(struct dz_thread *t, uint16_t code, uint64_t ref, const uint8_t *data, size_t len)
{
    broadcast(t, DZ_MSG_NOTICE, code, ref, data, len);
}

/* --- notices after a while --- */

struct delayed {
    struct dz_timer timer;
    struct dz_list all; /* dz_thread.delayed */
    struct dz_pid to;
    uint64_t ref;
    uint64_t delay_ms;
    uint16_t code;
};

static void send_notice(struct dz_thread *t, struct delayed *d)
{
    struct dz_msg *m = dz_msg_new(DZ_MSG_NOTICE, 0);
    dz_assert(m);
    m->to = d->to;
    m->code = d->code;
    m->ref = d->ref;
    dz_send_must(t, m);
}

static void fire(struct dz_thread *t, struct dz_timer *timer)
{
    struct delayed *d = dz_container_of(timer, struct delayed, timer);
    dz_list_remove(&d->all);
    send_notice(t, d);
    dz_free(d);
}

static void arm(struct dz_thread *t, void *arg)
{
    struct delayed *d = arg;
    dz_assert(t->index == DZ_THREAD_SYSTEM);
    dz_list_push_back(&t->delayed, &d->all);
    dz_timer_init(&d->timer, fire);
    dz_timer_start_lazy(t, &d->timer, d->delay_ms * 1000000u);
}

int dz_native_send_after(struct dz_thread *t, struct dz_pid to, uint16_t code, uint64_t ref, uint64_t delay_ms)
{
    struct delayed *d = dz_zalloc(1, sizeof *d);
    if (!d)
        return DZ_ENOMEM;
    d->to = to;
    d->code = code;
    d->ref = ref;
    d->delay_ms = delay_ms < UINT64_MAX / 2000000u ? delay_ms : UINT64_MAX / 2000000u;
    if (t->index == DZ_THREAD_SYSTEM) {
        arm(t, d);
        return 0;
    }
    int err = dz_thread_post(t, DZ_THREAD_SYSTEM, arm, d);
    if (err)
        dz_free(d);
    return err;
}

void dz_native_drop_delayed(struct dz_thread *t)
{
    struct dz_list *node;
    while ((node = dz_list_pop_front(&t->delayed)) != NULL) {
        struct delayed *d = dz_list_entry(node, struct delayed, all);
        dz_timer_stop(t, &d->timer);
        dz_free(d);
    }
}
