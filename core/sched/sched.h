/* sched.h - the threads of a host: one system thread and the workers, each with loop, inbox and run queue.
 * Owns:    the threads, their loops and inboxes, the spinning and sleeping, the take-over of natives from
 *          busy workers, the giving up of workers that are stuck (guard.h).
 * Threads: init, start, stop and fini the owner's; add_worker any; post and native_ready (the ports) any.
 * Fails:   DZ_ENOMEM, DZ_EIO (no thread, no loop), DZ_ETOOLARGE (more than DZ_THREADS_MAX), DZ_ESHUTDOWN.
 *
 * One round of a thread: drain the inbox, fire timers, run ready natives, run ready processes for a slice,
 * look at the loop. A thread with nothing to do spins for at most spin_us if its recent waits were that
 * short, then sleeps in its loop.
 * Without threads (the simulator) the owner calls dz_sched_step itself; the loops are then never looked at.
 * */
#ifndef DZ_SCHED_SCHED_H
#define DZ_SCHED_SCHED_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "proc/native.h"
#include "proc/process.h"
#include "proc/rt.h"
#include "proc/send.h"
#include "sched/guard.h"
#include "sched/spin.h"

/* The messages for one thread index. It outlives a worker that is lost: the next one goes on with it. */
struct dz_inbox {
    char pad0[64];
    struct dz_mpsc queue;
    char pad1[64];
};

struct dz_worker {
    struct dz_thread thread; /* first member: dz_thread * and dz_worker * convert */
    struct dz_sched *sched;
    uv_loop_t loop; /* Lua code's luv lives on it, too */
    uv_async_t wake;
    uv_timer_t alarm; /* armed before sleeping, for thread.timers */
    uint64_t alarm_due_ns;
    uv_prepare_t before_poll;
    struct dz_inbox *inbox;
    char pad0[64];
    _Atomic uint32_t asleep; /* 1: a producer must signal `wake` */
    _Atomic uint32_t load;   /* processes in the run queue at the last look; DZ_LOAD_MAX: that or more */
    _Atomic uint64_t turn; /* number of the turn under way, 0 between turns; never repeats on this worker */
    _Atomic uint64_t turn_started_ns; /* the last look at the clock before it: up to a slice early */
    _Atomic uint64_t woken_ns;        /* when a producer last signalled `wake` */
    _Atomic bool stopping;
    _Atomic bool exclusive; /* choose_thread passes it over */
    char pad1[64];
    /* The thread's own: */
    struct dz_spin spin;
    uint64_t turns; /* how many there were */
    uint64_t slice_end_ns;
    uint32_t slice_left; /* calls of dz_sched_should_yield until the slice is over */
    uint64_t next_loop_ns;
    struct dz_guarded guarded;
    /* Of an exclusive one, under the scheduler's lock: */
    struct dz_pid owner; /* while it lives nobody else gets this worker, */
    bool claimed;        /* nor until it is known who that is */
    /* The owner's: */
    uv_thread_t id;
    uv_sem_t started; /* posted once thread_start has returned */
    uv_sem_t ended;   /* posted when the thread has no more to do, or is given up */
    int start_error;  /* what thread_start returned */
    bool replaces;    /* a lost worker: nobody awaits its start */
    bool running;     /* a thread exists and was not joined */
    bool hooked;      /* without threads: thread_start was called, thread_stop was not */
};

struct dz_sched_hooks {
    void *ctx;
    /* On the thread itself (the system thread, too), before its first round and after its last: the vm makes
     * and frees its Lua state here. thread_stop is not called where thread_start failed. */
    int (*thread_start)(void *ctx, struct dz_worker *w);
    void (*thread_stop)(void *ctx, struct dz_worker *w);
    /* The worker has nothing to do and is about to sleep: a moment for garbage. True: call again before
     * sleeping. */
    bool (*idle)(void *ctx, struct dz_worker *w);
};

struct dz_sched_options {
    uint32_t workers; /* 0: one per core */
    uint32_t spin_us; /* 0: never spin; usually DZ_SPIN_DEFAULT_US */
    bool threads;     /* false: stepped by the owner */
};
#define DZ_SPIN_DEFAULT_US 20u
#define DZ_SLICE_TURNS     64u      /* messages one process may handle before its neighbours run */
#define DZ_SLICE_STRETCHES 1024u    /* stretches of turns in one round */
#define DZ_SLICE_NS        1000000u /* how long one round may run processes */
#define DZ_SLICE_LOOKS     16u      /* turns between two looks at the clock; a power of two */
#define DZ_INBOX_BATCH     4096u    /* messages of the inbox delivered in one round */
#define DZ_NATIVE_BUDGET   64u      /* messages one native may handle before its neighbours run */
#define DZ_LOAD_MAX        256u

struct dz_sched {
    struct dz_rt *rt;
    struct dz_sched_hooks hooks;
    struct dz_sched_options options;
    _Atomic(struct dz_worker *) workers[DZ_THREADS_MAX]; /* [0] is the system thread; valid below count */
    _Atomic uint32_t count;                    /* system thread included */
    _Atomic uint32_t next_worker;              /* turn of the ties in choose_thread */
    pthread_mutex_t lock;                      /* growing, replacing and stopping */
    bool started;
    bool stopped;
    struct dz_mpsc announced;  /* natives made ready inside a turn that goes on (dz_native.announce) */
    _Atomic uint32_t takeover; /* what is asked of the system thread, see takeover.c */
    uint64_t takeover_due_ns;  /* the system thread's: a millisecond after an announcement; 0 when nothing is
                                  announced */
    struct dz_guard guard;
};

/* Fills rt->ports.post, native_ready, choose_thread and sched. On failure nothing is left behind. */
int dz_sched_init(struct dz_sched *s, struct dz_rt *rt, const struct dz_sched_options *options,
                  const struct dz_sched_hooks *hooks);
/* Starts all threads (or, without threads, calls thread_start for each) and waits until every thread_start
 * has returned. When one fails the others are stopped and its error is returned. */
int dz_sched_start(struct dz_sched *s);
/* Stops the workers, then the system thread, each after its present round, and joins them. Call from none of
 * them. Messages may still be posted; nobody takes them any more. */
void dz_sched_stop(struct dz_sched *s);
/* Frees what was never delivered and closes the loops. Before dz_rt_fini; nobody may post any more. */
void dz_sched_fini(struct dz_sched *s);
/* A worker beyond options.workers for a process that starts others, the script: what it starts stays beside it
 * unless it is clearly busier, nothing else is placed there. Its index, or an error. */
int dz_sched_add_home(struct dz_sched *s);
/* A worker for `own_worker`, a new one or one whose owner has ended; its index, or an error. choose_thread
 * never gives it to others. It is claimed until dz_sched_own says whose it is (none: nobody's). */
int dz_sched_add_worker(struct dz_sched *s);
void dz_sched_own(struct dz_sched *s, uint32_t thread, struct dz_pid owner);
/* The present worker of a thread index. Any thread. */
struct dz_worker *dz_sched_worker(struct dz_sched *s, uint32_t thread);

/* One round of a thread without waiting. True if anything happened. */
bool dz_sched_step(struct dz_worker *w);
/* When the thread next has something to do by itself (timers), DZ_INFINITY never. */
uint64_t dz_sched_next_ns(struct dz_worker *w);
/* Calls visit for every process (natives are none) that lives on this worker; visit may end it, and should
 * not start any. In thread_stop, or by the owner after dz_sched_stop. */
void dz_sched_each_process(struct dz_worker *w,
                           void (*visit)(void *ctx, struct dz_thread *t, struct dz_proc *p), void *ctx);

static inline struct dz_worker *dz_worker_of(struct dz_thread *t)
{
    return (struct dz_worker *)(void *)t;
}

/* A turn begins or ends that the scheduler cannot see (a callback of the loop); dz_sched_next begins one by
 * itself. A kind that is about to return may end its turn early: natives made ready after that need not be
 * announced to the system thread. */
static inline void dz_sched_turn_begin(struct dz_worker *w)
{
    w->thread.in_turn = true;
    /* relaxed, release: pair with the watchdog, which reads the turn first (acquire) and the time after it.
     */
    atomic_store_explicit(&w->turn_started_ns, w->thread.now_ns, memory_order_relaxed);
    atomic_store_explicit(&w->turn, ++w->turns, memory_order_release);
}
void dz_sched_turn_end(struct dz_worker *w);

/* The next ready process of this thread, RUNNING, in a turn of its own; NULL when none. */
static inline struct dz_proc *dz_sched_next(struct dz_worker *w)
{
    struct dz_list *node = dz_list_pop_front(&w->thread.runq);
    if (!node)
        return NULL;
    struct dz_proc *p = dz_list_entry(node, struct dz_proc, run);
    dz_assert(p->state == DZ_PROC_READY);
    p->state = DZ_PROC_RUNNING;
    dz_sched_turn_begin(w);
    return p;
}
/* The same if the next one is of this kind: for kinds that run several of their processes in one go (vm). */
static inline struct dz_proc *dz_sched_next_of(struct dz_worker *w, const struct dz_proc_kind *kind)
{
    struct dz_list *head = &w->thread.runq;
    if (dz_list_empty(head) || dz_list_entry(head->next, struct dz_proc, run)->kind != kind)
        return NULL;
    return dz_sched_next(w);
}
/* Must the present stretch of turns end: slice used up, messages in the inbox, natives ready, timer due.
 * Cheap: it looks at the clock now and then only. Ask once between two turns. */
bool dz_sched_slice_over(struct dz_worker *w);
static inline bool dz_sched_should_yield(struct dz_worker *w)
{
    if (w->slice_left == 0)
        return true;
    w->slice_left--;
    if (!dz_list_empty(&w->thread.natives) || !dz_mpsc_empty(&w->inbox->queue))
        return true;
    return w->slice_left % DZ_SLICE_LOOKS == 0 && dz_sched_slice_over(w);
}

#endif
