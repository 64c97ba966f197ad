/* sched.h - the threads of a host: one system thread and the workers, each with a loop, an inbox and a run queue.
 * Owns:    the threads, their loops and inboxes, the spinning and sleeping, the take-over of natives from busy workers.
 * Threads: init, start, stop and fini the owner's; post and native_ready (the ports) any.
 * Fails:   DZ_ENOMEM, DZ_EIO (no thread, no loop).
 *
 * One round of a thread: drain the inbox, fire timers, run ready natives, run ready processes for a slice, look at the loop.
 * A thread with nothing to do spins for at most spin_us if its recent waits were that short, then sleeps in its loop.
 * Without threads (the simulator) the owner calls dz_sched_step itself. */
#ifndef DZ_SCHED_SCHED_H
#define DZ_SCHED_SCHED_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "proc/native.h"
#include "proc/process.h"
#include "proc/rt.h"
#include "proc/send.h"

struct dz_worker {
    struct dz_thread thread; /* first member: dz_thread * and dz_worker * convert */
    struct dz_sched *sched;
    uv_loop_t loop;          /* Lua code's luv lives on it, too */
    uv_async_t wake;
    uv_timer_t alarm;        /* armed before sleeping, for thread.timers */
    char pad0[64];
    struct dz_mpsc inbox;
    _Atomic uint32_t asleep; /* 1: a producer must signal `wake` */
    _Atomic uint32_t load;   /* processes in the run queue after the last round, for placement */
    _Atomic uint64_t turn;   /* number of the turn under way; 0 between turns */
    _Atomic uint64_t turn_started_ns;
    char pad1[64];
    uv_thread_t id;
    bool running;
    _Atomic bool stopping;
    uint64_t spin_ns;
    uint64_t next_loop_ns;
};

struct dz_sched_hooks {
    void *ctx;
    /* On the thread itself, before its first round and after its last: the vm makes and frees its Lua state here. */
    int (*thread_start)(void *ctx, struct dz_worker *w);
    void (*thread_stop)(void *ctx, struct dz_worker *w);
    /* The worker has nothing to do and is about to sleep: a moment for garbage. True: call again before sleeping. */
    bool (*idle)(void *ctx, struct dz_worker *w);
};

struct dz_sched_options {
    uint32_t workers;  /* 0: one per core */
    uint32_t spin_us;  /* default 20 when negative is meant: DZ_SPIN_DEFAULT */
    bool threads;      /* false: stepped by the owner */
};
#define DZ_SPIN_DEFAULT_US 20u
#define DZ_SLICE_TURNS 64u /* messages one process may handle before its neighbours run */

struct dz_sched {
    struct dz_rt *rt;
    struct dz_sched_hooks hooks;
    struct dz_sched_options options;
    struct dz_worker *workers[DZ_THREADS_MAX]; /* [0] is the system thread */
    _Atomic uint32_t count;                    /* system thread included */
    struct dz_mpsc announced;                  /* natives made ready inside a turn that goes on (dz_native.announce) */
    uv_timer_t takeover;                       /* on the system loop: a millisecond after an announcement */
};

/* Fills rt->ports.post, native_ready and choose_thread. */
int dz_sched_init(struct dz_sched *s, struct dz_rt *rt, const struct dz_sched_options *options,
                  const struct dz_sched_hooks *hooks);
/* Starts all threads (or, without threads, calls thread_start for each). */
int dz_sched_start(struct dz_sched *s);
/* Stops the workers, then the system thread, each after its present round, and joins them. Call from none of them. */
void dz_sched_stop(struct dz_sched *s);
void dz_sched_fini(struct dz_sched *s);
/* One more worker, for `own_worker`; its index, or an error. */
int dz_sched_add_worker(struct dz_sched *s);

/* One round of a thread without waiting. True if anything happened. */
bool dz_sched_step(struct dz_worker *w);
/* When the thread next has something to do by itself (timers), DZ_INFINITY never. */
uint64_t dz_sched_next_ns(struct dz_worker *w);

/* The next ready process of this thread, RUNNING; NULL when none. For kinds that run several processes in one go (vm). */
struct dz_proc *dz_sched_next(struct dz_worker *w);
/* Must the present stretch of turns end: slice of time used up, inbox not empty, timer due. Cheap. */
bool dz_sched_should_yield(struct dz_worker *w);

static inline struct dz_worker *dz_worker_of(struct dz_thread *t)
{
    return (struct dz_worker *)(void *)t;
}

#endif
