/* rt.h - what all processes of one host share, and the context of the thread one is on.
 * Owns:    the table, the names, the node identities, the common exit reasons.
 * Threads: see each member; a dz_thread belongs to its thread.
 * Ports are filled once by the host before any thread starts. Every function that may send takes the dz_thread it runs on. */
#ifndef DZ_PROC_RT_H
#define DZ_PROC_RT_H

#include "base/env.h"
#include "base/list.h"
#include "base/log.h"
#include "proc/message.h"
#include "proc/names.h"
#include "proc/pid.h"
#include "proc/table.h"
#include "proc/timer.h"

#define DZ_THREAD_SYSTEM 0u    /* transport, membership, event hub, timers of natives: no Lua */
#define DZ_THREAD_WORKER 1u    /* the first worker; worker n is thread n */
#define DZ_THREADS_MAX 256u
#define DZ_THREAD_SPARES  1024u
#define DZ_THREAD_FOREIGN 256u /* an embedder's own thread: may send, nothing lives there */

struct dz_proc;
struct dz_native;
struct dz_spawn;
struct dz_rt;

enum dz_reason {
    DZ_REASON_NORMAL, DZ_REASON_SHUTDOWN, DZ_REASON_KILLED, DZ_REASON_NOPROC, DZ_REASON_NOCONNECTION,
    DZ_REASON_NODE_DOWN, DZ_REASON_SUPERSEDED, DZ_REASON_RUNAWAY, DZ_REASON_WORKER_STUCK, DZ_REASON_OUT_OF_MEMORY,
    DZ_REASON_COUNT
};

struct dz_thread {
    struct dz_rt *rt;
    uint32_t index;
    bool in_native;          /* a native's turn runs here: what it sends takes the way through inboxes */
    bool in_turn;            /* a Lua or C process's turn runs here */
    bool unflushed;          /* something was sent to another node and may wait for dz_ports.flush */
    struct dz_list runq;     /* ready processes of this thread (dz_proc.run) */
    struct dz_list natives;  /* natives made ready here (dz_native.ready) */
    struct dz_heap timers;
    struct dz_list lazy;      /* timers not armed yet (timer.h) */
    struct dz_list far;      /* bonds with processes of other nodes (dz_bond.far) */
    struct dz_list far_waits; /* waits for answers of other nodes (dz_wait.far) */
    struct dz_list delayed;  /* system thread: notices natives asked for (native.h) */
    struct dz_msg *spare;    /* small blocks without a message, */
    uint32_t spares;         /* at most DZ_THREAD_SPARES */
    uint64_t next_ref, last_ref; /* numbers for refs this thread has taken for itself */
    struct dz_list orphans;  /* processes without their supervisor that have a time to end in (orphan.h) */
    struct dz_timer orphan_timer;
    uint64_t now_ns;         /* refreshed by the scheduler each round; good for timeouts, not for measuring */
    void *sched;             /* struct dz_worker */
    void *vm;                /* struct dz_vm, NULL on the system thread */
    _Atomic uint64_t lua_bytes; /* of this thread's Lua state when last counted; any thread may read it */
};

struct dz_ports {
    void *ctx;   /* the host's */
    void *sched; /* struct dz_sched: post, native_ready and choose_thread find it here, whatever ctx is */
    /* Puts the message into that thread's inbox and wakes it if it sleeps. Any thread. Takes the message; never fails. */
    void (*post)(void *ctx, struct dz_thread *from, uint32_t thread, struct dz_msg *msg);
    /* A native became ready on `from` (or on a foreign thread): it must be run soon by somebody. */
    void (*native_ready)(void *ctx, struct dz_thread *from, struct dz_native *native);
    /* All below may be NULL without a cluster, but for post, native_ready, spawn and choose_thread.
     * Sends to another node: msg->to.node is not this host. Any thread. 0 or DZ_EOVERLOADED, DZ_ENOCONNECTION: the caller
     * still owns the message (a signal or reply that found little room may have become a shorter one). Keeps the order of each pair (from, to). NULL without a cluster. */
    int (*wire)(void *ctx, struct dz_thread *from, struct dz_msg **take);
    /* The same for a process known by its local name on that node (`node_id` may be this host's own). msg->to is ignored. */
    int (*wire_named)(void *ctx, struct dz_thread *from, const char *node_id, size_t node_len, const char *name,
                      size_t name_len, struct dz_msg **take);
    /* Sends a packed SPAWN (from and ref set) to another node; the REPLY comes to `from` like a local one. *cancel (may be
     * NULL) gets what dz_send of a KILL or ANSWERED to it cancels the start with. */
    int (*spawn_far)(void *ctx, struct dz_thread *from, const char *node_id, size_t node_len, struct dz_msg **take,
                     struct dz_pid *cancel);
    /* What this thread sent to other nodes in this round goes out now. NULL: nothing waits. */
    void (*flush)(void *ctx, struct dz_thread *t);
    /* There is a session with that life of a node. Whoever makes a bond with a process there asks after it has made it: either
     * the bond hears of the node's loss, or this says no. Any thread. */
    bool (*reachable)(void *ctx, uint32_t node);
    /* The thread a new process should live on: the parent's own (`from`) unless it is clearly busier. Any thread. */
    uint32_t (*choose_thread)(void *ctx, struct dz_thread *from);
    /* Who has the cluster-wide name, as far as this node knows; none when nobody. Any thread. */
    struct dz_pid (*global_whereis)(void *ctx, const char *name, size_t len);
    /* A SPAWN message reached the thread it was meant for: make the process (process.h). Takes the message. */
    void (*spawn)(void *ctx, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *msg);
    /* A message to slot 0 of this thread of a kind that proc does not know. Takes the message. */
    void (*thread_message)(void *ctx, struct dz_thread *t, struct dz_msg *msg);
    /* A process with cluster-wide names ends, before anyone can observe it. */
    void (*global_end)(void *ctx, struct dz_thread *t, struct dz_pid pid);
    /* A mailbox turned a message away (rate-limited by the receiver of this call). */
    void (*overflow)(void *ctx, struct dz_thread *t, struct dz_pid pid);
    /* A process ended; for the log. `last` is the message it was handling, or NULL. */
    void (*crashed)(void *ctx, struct dz_thread *t, struct dz_proc *proc, struct dz_blob *reason);
};

struct dz_rt {
    const struct dz_env *env;
    const struct dz_log *log;
    struct dz_nodes nodes;
    struct dz_table table;
    struct dz_names names;
    struct dz_blob *reasons[DZ_REASON_COUNT];
    struct dz_ports ports;
    struct dz_pid system; /* the host's service process on the system thread; takes the REQUESTs of request.h */
    struct dz_pid events; /* the event hub */
    /* Its subscriptions: while there is none, what is not said is not missed. Counted (release; emitters acquire) before
     * the one who subscribes goes on, so that it sees all that comes then: by the hub before it answers, or by a
     * subscriber that waits for no answer, which says so in its request. */
    _Atomic uint32_t event_listeners;
    _Atomic uint64_t next_ref; /* numbers for refs: unique in this host */
    pthread_mutex_t natives_lock;
    struct dz_list natives_free;   /* type-stable struct dz_native */
    struct dz_list natives_all;
};

int dz_rt_init(struct dz_rt *rt, const struct dz_env *env, const struct dz_log *log);
/* Every process has ended and every thread has stopped. */
void dz_rt_fini(struct dz_rt *rt);

void dz_thread_init(struct dz_thread *t, struct dz_rt *rt, uint32_t index);
void dz_thread_fini(struct dz_thread *t);

/* A number for a new ref; unique among all threads of the host. */
uint64_t dz_rt_next_ref(struct dz_rt *rt);
/* The same, taken from a block of numbers the thread has for itself. */
#define DZ_THREAD_REFS 1024u
static inline uint64_t dz_thread_next_ref(struct dz_thread *t)
{
    if (t->next_ref == t->last_ref) {
        t->next_ref = atomic_fetch_add_explicit(&t->rt->next_ref, DZ_THREAD_REFS, memory_order_relaxed);
        t->last_ref = t->next_ref + DZ_THREAD_REFS;
    }
    return t->next_ref++;
}

/* A message with room for DZ_MSG_SMALL_ROOM bytes and len 0, everything else zero, made of one that was freed here, mostly: most
 * messages live and die on one thread, and a block just used is still in its cache. NULL when out of memory. */
struct dz_msg *dz_thread_make_message(enum dz_msg_kind kind);
static inline struct dz_msg *dz_thread_new_message(struct dz_thread *t, enum dz_msg_kind kind)
{
    struct dz_msg *m = t->spare;
    if (!m)
        return dz_thread_make_message(kind);
    t->spare = dz_msg_next(m);
    t->spares--;
    *m = (struct dz_msg){.kind = (uint8_t)kind, .flags = DZ_MSG_SMALL, .data = m->bytes};
    return m;
}
/* dz_msg_free, but small blocks are kept for the next one. NULL is fine. */
static inline void dz_thread_free_message(struct dz_thread *t, struct dz_msg *m)
{
    if (!m || !(m->flags & DZ_MSG_SMALL) || m->blob || t->spares >= DZ_THREAD_SPARES) {
        dz_msg_free(m);
        return;
    }
    dz_msg_set_next(m, t->spare);
    t->spare = m;
    t->spares++;
}

/* Runs fn(ctx) on another thread, in its turn. 0 or DZ_ENOMEM. Any thread. */
int dz_thread_post(struct dz_thread *from, uint32_t thread, void (*fn)(struct dz_thread *t, void *arg), void *arg);
/* The same with a copy of `len` (> 0) bytes, which `arg` points to, unaligned, while fn runs: nothing is left behind where the
 * thread ends first. */
int dz_thread_post_copy(struct dz_thread *from, uint32_t thread, void (*fn)(struct dz_thread *t, void *arg), const void *data,
                        size_t len);
/* The other end of dz_thread_post: runs and frees a TASK message. */
void dz_thread_run_task(struct dz_thread *t, struct dz_msg *msg);

#endif
