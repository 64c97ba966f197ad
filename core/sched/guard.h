/* guard.h - the watchdog of a host: looks at its workers from the system thread, has long turns reported and
 * interrupted, and takes the processes of a worker that cannot be interrupted away from it (loss.h). Owns:
 * the timer of the looks; each worker's struct dz_guarded. Threads: enable before the start; begin, end and
 * failed the worker's own; exhausted and note_kill any; the rest the system thread's. Fails:   never. How a thread is
 * interrupted, and whether it stands still, only those know who made what runs there: the hooks. Without
 * hooks, or without threads, nobody looks. */
#ifndef DZ_SCHED_GUARD_H
#define DZ_SCHED_GUARD_H

#include <pthread.h>
#include "proc/rt.h"
#include "proc/timer.h"
#include "sched/watchdog.h"

#define DZ_LOST_MAX                                                                                          \
    8u /* lost workers a host lives with: stack, heap and some descriptors of each are gone for good */

struct dz_sched;
struct dz_worker;

/* Called on the system thread while the worker's thread is known to run rounds (but for `failed`). */
struct dz_guard_hooks {
    void *ctx;
    /* What the verdict (REPORT, TELL, END) asks for; `age_ms`: how long the turn has lasted. */
    void (*interrupt)(void *ctx, struct dz_worker *w, uint64_t turn, enum dz_watchdog_verdict verdict,
                      uint64_t age_ms);
    /* The process of this turn, known once an interruption of the turn has taken; else none. */
    struct dz_pid (*running)(void *ctx, struct dz_worker *w, uint64_t turn);
    /* The worker is given up: from now on its thread stops for ever where it can. */
    void (*give_up)(void *ctx, struct dz_worker *w);
    /* What was seen of the thread since; asks for another look. */
    void (*sample)(void *ctx, struct dz_worker *w, bool force, struct dz_watchdog_sample *out);
    /* Its processes are about to be ended by this thread, through w->thread: nothing of theirs that the
     * worker's thread may still use is to be touched. Gives the process that was running, or none. */
    struct dz_pid (*take)(void *ctx, struct dz_worker *w);
    /* One worker too many was lost, or the new one did not start. Any thread of the host. */
    void (*failed)(void *ctx, struct dz_thread *t, const char *why);
};

/* What the guard knows of one worker. */
struct dz_guarded {
    pthread_mutex_t
        lock; /* held while the guard is at work on it, and by the thread when it begins and ends */
    bool on;  /* lock: it runs rounds */
    struct dz_watchdog watch;
    bool given_up;
    bool lost; /* its processes were taken away: another worker has its index, or it was stopping */
    uint64_t given_up_ns;
    bool force; /* it may be parked inside Lua whatever stands on its stack */
    enum dz_reason reason;
    bool parked;            /* once lost: its thread stands still, */
    bool closed;            /* and its sockets are closed */
    _Atomic bool exhausted; /* out of memory; see dz_guard_exhausted */
    _Atomic bool kills;     /* a KILL was posted that a turn under way may be keeping from its process */
    uint64_t kill_turn;     /* the turn that was under way when the guard first saw that, */
    uint64_t kill_seen_ns;  /* and when */
};

struct dz_guard {
    bool enabled;
    struct dz_guard_hooks hooks;
    struct dz_watchdog_limits limits;
    struct dz_timer timer;
    _Atomic bool called; /* somebody wants a look at once */
    bool hurried;        /* some worker is being interrupted, or given up and not lost yet */
    struct dz_worker *lost[DZ_LOST_MAX];
    uint32_t lost_count;
};

void dz_guard_init(struct dz_guard *g);
/* Before dz_sched_start. */
void dz_guard_enable(struct dz_sched *s, uint64_t max_turn_ms, const struct dz_guard_hooks *hooks);
void dz_guarded_init(struct dz_guarded *g);
void dz_guarded_fini(struct dz_guarded *g);

/* Around the rounds of a thread. Once end has returned, the hooks are not called for it any more. */
void dz_guard_begin(struct dz_worker *w);
void dz_guard_end(struct dz_worker *w);
/* thread_start failed. */
void dz_guard_failed(struct dz_worker *w);
/* The worker has used up its memory: it is given up at once. From its own thread, also inside an allocator.
 */
void dz_guard_exhausted(struct dz_worker *w);

/* A KILL was posted to a process of this worker. If it is the one whose turn goes on, it is interrupted at the
 * next look, and where that does not take the worker is given up: a kill waits for nobody's code. */
void dz_guard_note_kill(struct dz_worker *w, struct dz_pid target);

/* The system thread was called for a look, and has one. */
bool dz_guard_called(const struct dz_worker *system);
void dz_guard_heed(struct dz_worker *system);

#endif
