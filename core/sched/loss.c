/* loss.c - see loss.h. */
#include "sched/loss.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/map.h"
#include "proc/request.h"
#include "sched/alarm.h"
#include "sched/takeover.h"
#include "sched/worker.h"
#include "term/build.h"

/* What one supervisor is told. */
struct batch {
    struct dz_pid parent;
    struct dz_pid running; /* if it is one of its children, else none */
    struct dz_buf pids;    /* struct dz_pid, one after another */
};

struct loss {
    struct dz_pid running;
    struct dz_blob *reason;
    struct dz_map batches; /* slot of the supervisor -> struct batch */
    uint32_t count;
};

/* --- the supervisors --- */

static struct batch *batch_of(struct loss *l, struct dz_pid parent)
{
    struct batch *b = dz_map_get(&l->batches, parent.slot);
    if (b && dz_pid_eq(b->parent, parent))
        return b;
    if (b)
        return NULL; /* of one that ended and one that came into its slot: the rare second one is told one by
                        one */
    b = dz_zalloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->parent = parent;
    dz_buf_init(&b->pids);
    if (dz_map_put(&l->batches, parent.slot, b)) {
        dz_free(b);
        return NULL;
    }
    return b;
}

/* Notes the process for its supervisor on this host. Where that fails, and for supervisors elsewhere, the
 * usual report of its end goes out. */
static void note_for_parent(struct loss *l, struct dz_thread *t, struct dz_proc *p)
{
    if (dz_pid_is_none(p->parent) || !dz_nodes_is_self(&t->rt->nodes, p->parent.node))
        return;
    struct batch *b = batch_of(l, p->parent);
    if (!b || dz_buf_append(&b->pids, &p->pid, sizeof p->pid))
        return;
    if (dz_pid_eq(p->pid, l->running))
        b->running = p->pid;
    p->parent = DZ_PID_NONE;
}

static void tell_supervisor(struct loss *l, struct dz_thread *t, struct batch *b)
{
    struct dz_buf buf;
    struct dz_build build;
    dz_buf_init(&buf);
    dz_build_init(&build, &buf);
    dz_build_array(&build, 2);
    dz_build_raw(&build, l->reason->data, l->reason->len);
    dz_build_string(&build, (const char *)b->pids.data, b->pids.len);
    struct dz_msg *m = dz_build_done(&build) ? NULL : dz_msg_new_copy(DZ_MSG_NOTICE, buf.data, buf.len);
    dz_buf_fini(&buf);
    dz_assert(m); /* without it a supervisor would believe its children alive */
    m->code = DZ_REQ_WORKER_LOST;
    m->from = b->running;
    m->to = b->parent;
    dz_send_must(t, m);
}

static void tell_supervisors(struct loss *l, struct dz_thread *t)
{
    uint32_t it = 0;
    uint64_t key;
    void *value;
    while (dz_map_next(&l->batches, &it, &key, &value)) {
        struct batch *b = value;
        tell_supervisor(l, t, b);
        dz_buf_fini(&b->pids);
        dz_free(b);
    }
    dz_map_fini(&l->batches);
}

/* --- the processes --- */

static void condemn(void *ctx, struct dz_thread *t, struct dz_proc *p)
{
    struct loss *l = ctx;
    bool killed = dz_table_is_killed(&t->rt->table, p->pid);
    p->exit_how = dz_pid_eq(p->pid, l->running) ? DZ_EXIT_WORKER_STUCK : DZ_EXIT_WORKER_LOST;
    dz_process_doom(t, p, killed ? t->rt->reasons[DZ_REASON_KILLED] : l->reason, DZ_PROC_NO_TERMINATE);
    note_for_parent(l, t, p);
    l->count++;
}

/* A question that reached the inbox while its process lived is told how that ended, as if it had been mailed; the next
 * worker would only find nobody there. */
static void answer_question(void *ctx, struct dz_mpsc_node *node)
{
    struct dz_worker *w = ctx;
    struct dz_msg *m = dz_container_of(node, struct dz_msg, node);
    struct dz_slot *slot = m->kind == DZ_MSG_CALL ? dz_table_find(&w->thread.rt->table, m->to) : NULL;
    /* acquire: pairs with the release of who reserved the slot. */
    bool here = slot && atomic_load_explicit(&slot->thread, memory_order_acquire) == w->thread.index;
    if (here && !atomic_load_explicit(&slot->native, memory_order_relaxed) && slot->proc)
        dz_process_answer_ahead(&w->thread, slot->proc, m);
}

static void finish(void *ctx, struct dz_thread *t, struct dz_proc *p)
{
    (void)ctx;
    dz_process_finish(t, p);
}

/* --- the worker in its place --- */

/* Under the scheduler's lock. */
static int put_fresh(struct dz_sched *s, struct dz_worker *old)
{
    struct dz_worker *w;
    int err = dz_worker_new(s, old->thread.index, old->inbox, &w);
    if (err)
        return err;
    w->replaces = true;
    atomic_store_explicit(&w->exclusive, atomic_load_explicit(&old->exclusive, memory_order_relaxed),
                          memory_order_relaxed);
    w->owner = old->owner;
    /* seq_cst: pairs with the load in worker_at. Who posted to the old one did so before the new one looks.
     */
    atomic_store_explicit(&s->workers[w->thread.index], w, memory_order_seq_cst);
    return dz_worker_start(w);
}

static void replace(struct dz_worker *system, struct dz_worker *w)
{
    struct dz_sched *s = w->sched;
    struct dz_guard *g = &s->guard;
    pthread_mutex_lock(&s->lock);
    w->guarded.lost = true;
    bool stopping = s->stopped;
    int err = stopping ? 0 : put_fresh(s, w);
    if (!stopping && !err)
        pthread_detach(w->id);
    uv_sem_post(&w->ended); /* when the scheduler stops, somebody waits for it, and detaches it */
    pthread_mutex_unlock(&s->lock);
    if (g->lost_count < DZ_LOST_MAX)
        g->lost[g->lost_count++] = w;
    if (err)
        g->hooks.failed(g->hooks.ctx, &system->thread, "no new worker could be made");
    else if (g->lost_count == DZ_LOST_MAX)
        g->hooks.failed(g->hooks.ctx, &system->thread, "too many workers were lost");
}

void dz_loss_take(struct dz_worker *system, struct dz_worker *w, bool parked)
{
    struct dz_guard *g = &w->sched->guard;
    struct dz_thread *t =
        &w->thread; /* in the place of its own thread: messages and timers of its processes belong to it */
    enum dz_reason reason = w->guarded.reason;
    struct loss l = {.reason = t->rt->reasons[reason]};
    dz_assert(w->guarded.given_up && !w->guarded.lost);
    l.running = g->hooks.take(g->hooks.ctx, w);
    dz_map_init(&l.batches);
    t->in_turn = false;
    t->now_ns = dz_env_now_ns(t->rt->env);
    w->guarded.parked = parked;
    dz_sched_each_process(w, condemn, &l);
    dz_mpsc_each(&w->inbox->queue, answer_question, w);
    dz_sched_each_process(w, finish, &l);
    tell_supervisors(&l, t);
    dz_alarm_worker_lost(t, t->index, l.running, reason, l.count);
    dz_takeover_inherit(w);
    dz_assert(dz_list_empty(&t->far) && dz_list_empty(&t->far_waits) && dz_list_empty(&t->runq));
    replace(system, w);
}

/* --- descriptors --- */

/* Only what faces outwards: the loop's own descriptors are known to libuv's threads and signal handler, which
 * write to them. */
static void close_socket(uv_handle_t *handle, void *arg)
{
    uv_handle_type type = uv_handle_get_type(handle);
    uv_os_fd_t fd;
    (void)arg;
    bool ours = type == UV_TCP || type == UV_UDP || type == UV_NAMED_PIPE;
    if (ours && uv_fileno(handle, &fd) == 0 && fd > STDERR_FILENO)
        close(fd);
}

void dz_loss_close_descriptors(struct dz_sched *s)
{
    struct dz_guard *g = &s->guard;
    for (uint32_t i = 0; i < g->lost_count; i++) {
        struct dz_worker *w = g->lost[i];
        struct dz_watchdog_sample sample;
        if (w->guarded.closed)
            continue;
        if (!w->guarded.parked) {
            g->hooks.sample(g->hooks.ctx, w, true, &sample);
            w->guarded.parked = sample.parked;
        }
        if (!w->guarded.parked)
            continue;
        uv_walk(&w->loop, close_socket, NULL);
        w->guarded.closed = true;
    }
}
