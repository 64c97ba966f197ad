/* world.h - a runtime with real threads for tests of the scheduler.
 * Owns:    the runtime, the scheduler, a thread context for the test itself (foreign).
 * Threads: the test's own, but for what says otherwise. */
#ifndef DZ_TESTS_WORLD_H
#define DZ_TESTS_WORLD_H

#include <time.h>

#include "../proc/actor.h"
#include "sched/sched.h"

#define DEADLINE_MS 20000u

struct world {
    struct dz_env env;
    struct dz_rt rt;
    struct dz_sched sched;
    struct dz_thread foreign;
    struct dz_sched_hooks hooks;
    void (*setup)(struct world *world, struct dz_worker *w); /* on each thread, before its first round */
    _Atomic int started;
    _Atomic int stopped;
    _Atomic int64_t count;
    _Atomic int64_t done;
    struct dz_pid pids[8];
};

static inline void world_end_process(void *ctx, struct dz_thread *t, struct dz_proc *p)
{
    (void)ctx;
    dz_process_doom(t, p, t->rt->reasons[DZ_REASON_SHUTDOWN], DZ_PROC_NO_TERMINATE);
    dz_process_finish(t, p);
}

static inline int world_thread_start(void *ctx, struct dz_worker *w)
{
    struct world *world = ctx;
    if (world->setup)
        world->setup(world, w);
    atomic_fetch_add(&world->started, 1);
    return 0;
}

static inline void world_thread_stop(void *ctx, struct dz_worker *w)
{
    struct world *world = ctx;
    dz_sched_each_process(w, world_end_process, world);
    atomic_fetch_add(&world->stopped, 1);
}

static inline void world_init(struct world *world, uint32_t workers, bool threads)
{
    dz_env_system(&world->env);
    assert_int_equal(dz_rt_init(&world->rt, &world->env, NULL), 0);
    if (!world->hooks.thread_start)
        world->hooks.thread_start = world_thread_start;
    world->hooks.thread_stop = world_thread_stop;
    world->hooks.ctx = world;
    struct dz_sched_options options = {.workers = workers, .spin_us = DZ_SPIN_DEFAULT_US, .threads = threads};
    assert_int_equal(dz_sched_init(&world->sched, &world->rt, &options, &world->hooks), 0);
    dz_thread_init(&world->foreign, &world->rt, DZ_THREAD_FOREIGN);
    world->rt.ports.ctx = world;
}

static inline void world_start(struct world *world, uint32_t workers)
{
    world_init(world, workers, true);
    assert_int_equal(dz_sched_start(&world->sched), 0);
}

static inline void world_fini(struct world *world)
{
    assert_int_equal(atomic_load(&world->rt.table.count), 0);
    dz_sched_fini(&world->sched);
    dz_thread_fini(&world->foreign);
    dz_rt_fini(&world->rt);
}

static inline void world_stop(struct world *world)
{
    dz_sched_stop(&world->sched);
    world_fini(world);
}

/* Always has a message for itself. */
static inline void restless_message(struct dz_thread *t, struct actor *a, struct dz_msg *m)
{
    dz_msg_free(m);
    actor_send(t, DZ_MSG_CAST, a->proc.pid, a->proc.pid, 0, 0);
}

static const struct actor_role restless_role = {.message = restless_message};

/* Waits until *value is at least `least`; fails the test at the deadline. Any thread. */
static inline bool world_reaches(_Atomic int64_t *value, int64_t least)
{
    struct dz_env env;
    dz_env_system(&env);
    uint64_t end = dz_env_now_ms(&env) + DEADLINE_MS;
    struct timespec pause = {0, 50000};
    while (atomic_load(value) < least) {
        if (dz_env_now_ms(&env) > end)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

#endif
