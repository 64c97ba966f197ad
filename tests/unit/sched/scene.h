/* scene.h - a worker that does not come back, with threads; what is known of them is made up.
 * Owns:    the world, the stuck process, its neighbour, their supervisor, one who watches both.
 * Threads: the hooks the system thread's, the rest the test's. */
#ifndef DZ_TESTS_SCHED_SCENE_H
#define DZ_TESTS_SCHED_SCENE_H

#include <string.h>
#include <unistd.h>

#include "proc/bond.h"
#include "proc/request.h"
#include "sched/guard.h"
#include "world.h"

#define LIMIT_MS 100u

struct scene {
    struct world world;
    struct dz_pid stuck, neighbour, watcher, parent;
    struct dz_native *native;
    /* What the guard asked for: */
    _Atomic int64_t reports, tells, ends, kills, seen_running, given_up, failed;
    _Atomic int64_t blocked; /* the stuck turn has begun */
    _Atomic bool killed;     /* the stuck one's end was a kill */
    _Atomic bool outside;    /* the thread counts as being in foreign code, not as parked */
    /* What was heard of the end: */
    _Atomic int64_t downs, exits, notices, told_pids, fresh, tasks;
    _Atomic uint32_t running_slot;
    _Atomic int how_stuck, how_neighbour;
};

/* --- the hooks --- */

static inline void interrupt(void *ctx, struct dz_worker *w, uint64_t turn, enum dz_watchdog_verdict verdict,
                             uint64_t age_ms)
{
    struct scene *s = ctx;
    assert_true(w->thread.index == 1 && turn != 0);
    if (verdict == DZ_WATCHDOG_KILL) {
        atomic_fetch_add(&s->kills, 1);
        return;
    }
    assert_true(age_ms >= LIMIT_MS / 2);
    atomic_fetch_add(verdict == DZ_WATCHDOG_REPORT ? &s->reports
                     : verdict == DZ_WATCHDOG_TELL ? &s->tells
                                                   : &s->ends,
                     1);
}

/* Known once the turn was interrupted. */
static inline struct dz_pid running(void *ctx, struct dz_worker *w, uint64_t turn)
{
    struct scene *s = ctx;
    (void)w;
    assert_int_not_equal(turn, 0);
    atomic_fetch_add(&s->seen_running, 1);
    return atomic_load(&s->kills) ? s->stuck : DZ_PID_NONE;
}

static inline void give_up(void *ctx, struct dz_worker *w)
{
    struct scene *s = ctx;
    (void)w;
    atomic_fetch_add(&s->given_up, 1);
}

static inline void sample(void *ctx, struct dz_worker *w, bool force, struct dz_watchdog_sample *out)
{
    struct scene *s = ctx;
    (void)w;
    (void)force;
    bool outside = atomic_load(&s->outside);
    *out = (struct dz_watchdog_sample){.parked = !outside, .seen = 1, .outside = outside};
}

static inline struct dz_pid take(void *ctx, struct dz_worker *w)
{
    struct scene *s = ctx;
    (void)w;
    return s->stuck;
}

static inline void failed(void *ctx, struct dz_thread *t, const char *why)
{
    struct scene *s = ctx;
    (void)t;
    assert_non_null(why);
    atomic_fetch_add(&s->failed, 1);
}

/* --- the processes --- */

/* CAST: the turn that never ends. */
static inline void victim_message(struct dz_thread *t, struct actor *a, struct dz_msg *m)
{
    struct scene *s = a->data;
    (void)t;
    bool block = m->kind == DZ_MSG_CAST;
    dz_msg_free(m);
    atomic_store(&s->blocked, block);
    while (block)
        pause();
}

static inline void victim_gone(struct dz_thread *t, struct actor *a)
{
    struct scene *s = a->data;
    (void)t;
    if (a->name == 's')
        atomic_store(&s->how_stuck, a->proc.exit_how);
    if (a->name == 'n')
        atomic_store(&s->how_neighbour, a->proc.exit_how);
}

static const struct actor_role victim_role = {.message = victim_message, .gone = victim_gone};

static inline void watcher_init(struct dz_thread *t, struct actor *a)
{
    struct scene *s = a->data;
    uint64_t ref;
    assert_int_equal(dz_bond_monitor(t, &a->proc, s->stuck, &ref), 0);
    a->proc.flags |= DZ_PROC_TRAPS;
    assert_int_equal(dz_bond_link(t, &a->proc, s->neighbour), 0);
    atomic_fetch_add(&s->tasks, 1);
}

static inline bool says(struct dz_thread *t, const struct dz_msg *m, enum dz_reason why)
{
    const struct dz_blob *reason = t->rt->reasons[why];
    return m->len == reason->len && memcmp(m->data, reason->data, m->len) == 0;
}

static inline void watcher_message(struct dz_thread *t, struct actor *a, struct dz_msg *m)
{
    struct scene *s = a->data;
    if (m->kind == DZ_MSG_DOWN && says(t, m, DZ_REASON_KILLED) && dz_pid_eq(m->from, s->stuck))
        atomic_store(&s->killed, true);
    if (m->kind == DZ_MSG_DOWN && says(t, m, DZ_REASON_WORKER_STUCK) && dz_pid_eq(m->from, s->stuck))
        atomic_fetch_add(&s->downs, 1);
    if (m->kind == DZ_MSG_EXIT && says(t, m, DZ_REASON_WORKER_STUCK) && dz_pid_eq(m->from, s->neighbour))
        atomic_fetch_add(&s->exits, 1);
    dz_msg_free(m);
}

static const struct actor_role watcher_role = {.init = watcher_init, .message = watcher_message};

static inline void parent_handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct scene *s = n->data;
    assert_int_not_equal(m->kind, DZ_MSG_CHILD_EXIT);
    if (m->kind == DZ_MSG_STOP)
        dz_native_finish(t, n, t->rt->reasons[DZ_REASON_SHUTDOWN]);
    if (m->kind == DZ_MSG_NOTICE && m->code == DZ_REQ_WORKER_LOST) {
        struct dz_read r;
        uint32_t fields;
        const char *bytes;
        size_t len;
        dz_read_init(&r, m->data, m->len);
        assert_int_equal(dz_read_array(&r, &fields), 0);
        assert_int_equal(dz_read_skip(&r, NULL, NULL), 0);
        assert_int_equal(dz_read_string(&r, &bytes, &len), 0);
        atomic_store(&s->told_pids, (int64_t)(len / sizeof(struct dz_pid)));
        atomic_store(&s->running_slot, m->from.slot);
        atomic_fetch_add(&s->notices, 1);
    }
    dz_msg_free(m);
}

static inline void parent_end(struct dz_thread *t, struct dz_native *n)
{
    struct scene *s = n->data;
    (void)t;
    atomic_fetch_add(&s->world.done, 1);
}

static const struct dz_native_ops parent_ops = {.name = "parent", .handle = parent_handle, .end = parent_end};

/* --- the scene --- */

static inline void setup(struct world *world, struct dz_worker *w)
{
    struct scene *s = (struct scene *)(void *)world;
    if (w->thread.index != 1)
        return;
    if (w->replaces) {
        atomic_fetch_add(&s->fresh, 1);
        return;
    }
    struct actor *stuck = actor_new(&w->thread, &victim_role, 's', s);
    struct actor *neighbour = actor_new(&w->thread, &victim_role, 'n', s);
    stuck->proc.parent = neighbour->proc.parent = s->parent;
    s->stuck = stuck->proc.pid;
    s->neighbour = neighbour->proc.pid;
}

static inline void make_watcher(struct dz_thread *t, void *arg)
{
    struct scene *s = arg;
    s->watcher = actor_new(t, &watcher_role, 'w', s)->proc.pid;
}

static inline void count_task(struct dz_thread *t, void *arg)
{
    struct scene *s = arg;
    assert_int_equal(t->index, 1);
    assert_true(dz_worker_of(t)->replaces);
    atomic_fetch_add(&s->tasks, 1);
}

static inline struct scene *scene_new(uint64_t limit_ms)
{
    struct scene *s = dz_zalloc_must(1, sizeof *s);
    struct dz_guard_hooks hooks = {s, interrupt, running, give_up, sample, take, failed};
    s->world.setup = setup;
    world_init(&s->world, 2, true);
    assert_int_equal(
        dz_native_new(&s->world.foreign, &parent_ops, s, true, NULL, DZ_PID_NONE, NULL, &s->native), 0);
    s->parent = s->native->proc.pid;
    dz_guard_enable(&s->world.sched, limit_ms, &hooks);
    assert_int_equal(dz_sched_start(&s->world.sched), 0);
    assert_int_equal(dz_thread_post(&s->world.foreign, 2, make_watcher, s), 0);
    assert_true(world_reaches(&s->tasks, 1));
    return s;
}

static inline void scene_block(struct scene *s)
{
    /* The watcher's monitor and link went the same way before. */
    assert_int_equal(actor_send(&s->world.foreign, DZ_MSG_CAST, DZ_PID_NONE, s->stuck, 0, 0), 0);
    assert_true(world_reaches(&s->blocked, 1));
}

static inline void scene_delete(struct scene *s)
{
    dz_send_signal(&s->world.foreign, DZ_MSG_STOP, DZ_PID_NONE, s->parent, 0, NULL);
    assert_true(world_reaches(&s->world.done, 1));
    world_stop(&s->world);
    dz_free(s);
}

#endif
