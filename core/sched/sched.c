/* sched.c - all threads of a host: made, started, stopped; and the ports through which the rest reaches them.
 * Owns:    the workers.
 * Threads: init, start, stop and fini the owner's; add_worker and the ports any.
 * Fails:   DZ_ENOMEM, DZ_EIO, DZ_ETOOLARGE, DZ_ESHUTDOWN. */
#include "sched/sched.h"

#include <stddef.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "sched/takeover.h"
#include "sched/worker.h"

#define BUSIER_FACTOR         2u /* a parent's worker is clearly busier above 2 * the least load + 32 */
#define BUSIER_OFFSET         32u
#define LONG_TURN_LOAD_PER_MS 8u /* what a turn that goes on counts as, for each millisecond */

/* --- ports --- */

static struct dz_worker *worker_at(struct dz_sched *s, uint32_t index)
{
    /* acquire: pairs with the release in add. */
    dz_assert(index < atomic_load_explicit(&s->count, memory_order_acquire));
    /* seq_cst: pairs with the store in dz_loss_replace, see post. */
    return atomic_load_explicit(&s->workers[index], memory_order_seq_cst);
}

struct dz_worker *dz_sched_worker(struct dz_sched *s, uint32_t thread)
{
    return worker_at(s, thread);
}

static void post(void *ctx, struct dz_thread *from, uint32_t thread, struct dz_msg *msg)
{
    (void)ctx;
    struct dz_sched *s = from->rt->ports.sched;
    struct dz_pid target = msg->to;
    bool kill = msg->kind == DZ_MSG_KILL;
    dz_mpsc_push(&worker_at(s, thread)->inbox->queue, &msg->node); /* seq_cst, as dz_worker_wake demands */
    /* Looked up again: a worker that was replaced before this finds the message in the inbox it goes on with,
     * one that is replaced later need not be woken. */
    dz_worker_wake(worker_at(s, thread));
    if (kill)
        dz_guard_note_kill(worker_at(s, thread), target);
}

/* How busy a worker is: processes waiting for their turn, and the turn they wait for. All relaxed or acquire:
 * a hint. */
static uint64_t load_of(struct dz_worker *w, uint64_t now_ns)
{
    uint64_t load = atomic_load_explicit(&w->load, memory_order_relaxed);
    if (atomic_load_explicit(&w->turn, memory_order_acquire) == 0)
        return load;
    uint64_t started = atomic_load_explicit(&w->turn_started_ns, memory_order_relaxed);
    return now_ns > started ? load + (now_ns - started) / 1000000u * LONG_TURN_LOAD_PER_MS : load;
}

static bool takes_processes(struct dz_worker *w)
{
    /* relaxed: set before the worker is published, or a hint. */
    return !atomic_load_explicit(&w->exclusive, memory_order_relaxed);
}

/* The least loaded worker; of several the next one in turn. */
static struct dz_worker *least_loaded(struct dz_sched *s, uint64_t *least)
{
    uint32_t workers = s->options.workers; /* those added later are somebody's own */
    uint32_t first = atomic_fetch_add_explicit(&s->next_worker, 1, memory_order_relaxed);
    uint64_t now = dz_env_now_ns(s->rt->env);
    struct dz_worker *best = NULL;
    for (uint32_t i = 0; i < workers; i++) {
        struct dz_worker *w = worker_at(s, DZ_THREAD_WORKER + (first + i) % workers);
        if (!takes_processes(w))
            continue;
        uint64_t load = load_of(w, now);
        if (!best || load < *least) {
            best = w;
            *least = load;
        }
    }
    dz_assert(best);
    return best;
}

/* A child starts beside its parent, for they will talk; what natives (supervisors) start is spread. */
static uint32_t choose_thread(void *ctx, struct dz_thread *from)
{
    (void)ctx;
    struct dz_sched *s = from->rt->ports.sched;
    bool parent_here = from->index >= DZ_THREAD_WORKER && from->index < DZ_THREADS_MAX && !from->in_native &&
                       takes_processes(dz_worker_of(from));
    uint64_t mine = parent_here ? atomic_load_explicit(&dz_worker_of(from)->load, memory_order_relaxed) : 0;
    if (parent_here && mine <= BUSIER_OFFSET)
        return from->index;
    uint64_t least = 0;
    struct dz_worker *best = least_loaded(s, &least);
    return parent_here && mine <= BUSIER_FACTOR * least + BUSIER_OFFSET ? from->index : best->thread.index;
}

/* --- making --- */

/* Under the lock, or before anybody else knows the scheduler. */
static int add(struct dz_sched *s, bool exclusive, struct dz_worker **out)
{
    uint32_t index = atomic_load_explicit(&s->count, memory_order_relaxed);
    if (index == DZ_THREADS_MAX)
        return DZ_ETOOLARGE;
    int err = dz_worker_new(s, index, NULL, out);
    if (err)
        return err;
    atomic_store_explicit(&(*out)->exclusive, exclusive, memory_order_relaxed);
    atomic_store_explicit(&s->workers[index], *out, memory_order_relaxed);
    /* release: pairs with the acquire in worker_at and least_loaded. */
    atomic_store_explicit(&s->count, index + 1, memory_order_release);
    return 0;
}

static void delete_all(struct dz_sched *s)
{
    for (uint32_t i = atomic_load_explicit(&s->count, memory_order_relaxed); i-- > 0;)
        dz_worker_delete(worker_at(s, i));
    pthread_mutex_destroy(&s->lock);
}

static void settle_options(struct dz_sched_options *o)
{
    uint32_t cores = uv_available_parallelism();
    if (o->workers == 0)
        o->workers = cores;
    if (o->workers > DZ_THREADS_MAX - 1)
        o->workers = DZ_THREADS_MAX - 1;
    if (!o->threads || cores < 2)
        o->spin_us = 0; /* whoever we wait for needs our core */
}

int dz_sched_init(struct dz_sched *s, struct dz_rt *rt, const struct dz_sched_options *options,
                  const struct dz_sched_hooks *hooks)
{
    memset(s, 0, sizeof *s);
    s->rt = rt;
    s->options = *options;
    settle_options(&s->options);
    if (hooks)
        s->hooks = *hooks;
    dz_mpsc_init(&s->announced);
    dz_guard_init(&s->guard);
    pthread_mutex_init(&s->lock, NULL);
    for (uint32_t i = 0; i <= s->options.workers; i++) {
        struct dz_worker *w;
        int err = add(s, false, &w);
        if (err) {
            delete_all(s);
            return err;
        }
    }
    rt->ports.sched = s;
    rt->ports.post = post;
    rt->ports.native_ready = dz_takeover_ready;
    rt->ports.choose_thread = choose_thread;
    return 0;
}

void dz_sched_fini(struct dz_sched *s)
{
    dz_assert(s->stopped || !s->started);
    delete_all(s);
}

/* --- starting and stopping --- */

/* The workers before the system thread, which serves them to the last. */
static void stop_all(struct dz_sched *s, uint32_t count)
{
    for (uint32_t i = DZ_THREAD_WORKER; i < count; i++)
        dz_worker_ask_stop(worker_at(s, i));
    for (uint32_t i = DZ_THREAD_WORKER; i < count; i++) {
        dz_worker_join(worker_at(s, i));
        dz_takeover_inherit(worker_at(s, i)); /* natives it was about to run */
    }
    if (count > DZ_THREAD_SYSTEM) {
        dz_worker_ask_stop(worker_at(s, DZ_THREAD_SYSTEM));
        dz_worker_join(worker_at(s, DZ_THREAD_SYSTEM));
    }
}

int dz_sched_start(struct dz_sched *s)
{
    pthread_mutex_lock(&s->lock);
    dz_assert(!s->started);
    s->started = true;
    uint32_t count = atomic_load_explicit(&s->count, memory_order_relaxed);
    uint32_t begun = 0;
    int err = 0;
    while (begun < count && !err)
        if ((err = dz_worker_start(worker_at(s, begun))) == 0)
            begun++;
    for (uint32_t i = 0; i < begun; i++) {
        int failed = dz_worker_await(worker_at(s, i));
        err = err ? err : failed;
    }
    if (err) {
        stop_all(s, begun);
        s->stopped = true;
    }
    pthread_mutex_unlock(&s->lock);
    return err;
}

void dz_sched_stop(struct dz_sched *s)
{
    pthread_mutex_lock(&s->lock);
    bool first = s->started && !s->stopped;
    s->stopped = true;
    pthread_mutex_unlock(&s->lock);
    if (first)
        stop_all(s, atomic_load_explicit(&s->count, memory_order_acquire));
}

/* Under the lock: an exclusive worker whose owner has ended. */
static struct dz_worker *vacant(struct dz_sched *s)
{
    uint32_t count = atomic_load_explicit(&s->count, memory_order_relaxed);
    for (uint32_t i = DZ_THREAD_WORKER; i < count; i++) {
        struct dz_worker *w = worker_at(s, i);
        if (!takes_processes(w) && !w->claimed && !dz_table_find(&s->rt->table, w->owner))
            return w;
    }
    return NULL;
}

/* Under the lock. One more worker, running if the others are. */
static int grow(struct dz_sched *s, bool exclusive, struct dz_worker **out)
{
    int err = s->stopped ? DZ_ESHUTDOWN : add(s, exclusive, out);
    if (!err && s->started) {
        err = dz_worker_start(*out);
        err = err ? err : dz_worker_await(*out);
    }
    return err;
}

int dz_sched_add_home(struct dz_sched *s)
{
    struct dz_worker *w;
    pthread_mutex_lock(&s->lock);
    int err = grow(s, false, &w);
    pthread_mutex_unlock(&s->lock);
    return err ? err : (int)w->thread.index;
}

int dz_sched_add_worker(struct dz_sched *s)
{
    pthread_mutex_lock(&s->lock);
    struct dz_worker *w = s->stopped ? NULL : vacant(s);
    int err = w ? 0 : grow(s, true, &w);
    if (!err)
        w->claimed = true;
    uint32_t index = err ? 0 : w->thread.index;
    pthread_mutex_unlock(&s->lock);
    return err ? err : (int)index;
}

void dz_sched_own(struct dz_sched *s, uint32_t thread, struct dz_pid owner)
{
    pthread_mutex_lock(&s->lock);
    struct dz_worker *w = worker_at(s, thread);
    w->owner = owner;
    w->claimed = false;
    pthread_mutex_unlock(&s->lock);
}

void dz_sched_each_process(struct dz_worker *w,
                           void (*visit)(void *ctx, struct dz_thread *t, struct dz_proc *p), void *ctx)
{
    struct dz_table *table = &w->thread.rt->table;
    struct dz_slot *slot;
    for (uint32_t i = 1; (slot = dz_table_slot(table, i)); i++) {
        /* acquire: pairs with the release in dz_table_reserve. The same generation before and after: the
         * thread is that life's. */
        uint32_t gen = atomic_load_explicit(&slot->gen, memory_order_acquire);
        bool here = atomic_load_explicit(&slot->thread, memory_order_acquire) == w->thread.index;
        if (!here || gen % 2 == 0 || atomic_load_explicit(&slot->gen, memory_order_relaxed) != gen)
            continue;
        if (!atomic_load_explicit(&slot->native, memory_order_relaxed) && slot->proc)
            visit(ctx, &w->thread, slot->proc);
    }
}
