/* test_worker.c - one thread of the scheduler: its rounds, its sleep, its loop, from its making to its end.
 */
#include "world.h"
#include "base/err.h"
#include "sched/worker.h"

#define MS 1000000ull

static void sleeper_init(struct dz_thread *t, struct actor *a)
{
    a->n = (int64_t)t->now_ns;
    actor_sleep(t, a, 5 * MS);
}

static void sleeper_resume(struct dz_thread *t, struct actor *a)
{
    struct world *world = a->data;
    assert_true(a->wait.timed_out);
    dz_process_unwait(t, &a->proc);
    if (dz_env_now_ns(&world->env) - (uint64_t)a->n < 5 * MS)
        atomic_fetch_add(&world->count, 1); /* too early */
    if (atomic_fetch_add(&world->done, 1) < 9)
        sleeper_init(t, a);
}

static const struct actor_role sleeper_role = {.init = sleeper_init, .resume = sleeper_resume};

static void setup_sleepers(struct world *world, struct dz_worker *w)
{
    if (w->thread.index != DZ_THREAD_SYSTEM)
        actor_new(&w->thread, &sleeper_role, 's', world);
}

static void timers_fire_on_threads_that_sleep_and_never_early(void **state)
{
    (void)state;
    struct world world = {.setup = setup_sleepers};
    world_start(&world, 2);
    assert_true(world_reaches(&world.done, 10));
    assert_int_equal(atomic_load(&world.count), 0);
    world_stop(&world);
}

static bool idle_three_times(void *ctx, struct dz_worker *w)
{
    (void)w;
    struct world *world = ctx;
    return atomic_fetch_add(&world->count, 1) % 4 != 3;
}

static void an_idle_worker_may_work_before_it_sleeps_and_then_sleeps(void **state)
{
    (void)state;
    struct world world = {.hooks.idle = idle_three_times, .setup = setup_sleepers};
    world_start(&world, 1);
    assert_true(world_reaches(&world.done, 10));
    int64_t calls = atomic_load(&world.count);
    /* Ten sleeps; a loop or a producer may wake the worker a few times more, but it does not turn round and
     * round. */
    assert_in_range(calls, 4, 40 * 4);
    world_stop(&world);
}

struct ticker {
    struct world world; /* first */
    uv_timer_t timer;
    uv_timer_t forgotten;
    bool busy;
};

static void tick(uv_timer_t *timer)
{
    struct world *world = timer->data;
    if (atomic_fetch_add(&world->done, 1) == 9)
        uv_close((uv_handle_t *)timer, NULL);
}

static void never(uv_timer_t *timer)
{
    (void)timer;
    abort();
}

static void setup_ticker(struct world *world, struct dz_worker *w)
{
    struct ticker *ticker = (struct ticker *)(void *)world;
    if (w->thread.index != 1)
        return;
    uv_timer_init(&w->loop, &ticker->timer);
    uv_timer_init(&w->loop, &ticker->forgotten);
    ticker->timer.data = world;
    uv_timer_start(&ticker->timer, tick, 1, 1);
    uv_timer_start(&ticker->forgotten, never, 1000000, 0);
    if (ticker->busy) {
        struct actor *a = actor_new(&w->thread, &restless_role, 'r', world);
        actor_send(&w->thread, DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 0);
    }
}

static void run_ticker(bool busy)
{
    struct ticker ticker = {.world.setup = setup_ticker, .busy = busy};
    world_start(&ticker.world, 1);
    assert_true(world_reaches(&ticker.world.done, 10));
    world_stop(&ticker.world);
}

static void what_others_have_on_the_loop_runs_while_the_worker_sleeps(void **state)
{
    (void)state;
    run_ticker(false);
}

static void what_others_have_on_the_loop_runs_while_the_worker_is_busy(void **state)
{
    (void)state;
    run_ticker(true);
}

static int fail_on_two(void *ctx, struct dz_worker *w)
{
    return w->thread.index == 2 ? DZ_ESCRIPT : world_thread_start(ctx, w);
}

static void a_thread_that_cannot_start_stops_the_others(void **state)
{
    (void)state;
    for (int threads = 0; threads < 2; threads++) {
        struct world world = {.hooks.thread_start = fail_on_two};
        world_init(&world, 3, threads);
        assert_int_equal(dz_sched_start(&world.sched), DZ_ESCRIPT);
        assert_int_equal(atomic_load(&world.stopped), atomic_load(&world.started));
        assert_int_equal(atomic_load(&world.started), 3);
        world_fini(&world);
    }
}

static void a_worker_that_never_ran_goes_with_what_waits_in_its_inbox(void **state)
{
    (void)state;
    struct world world = {0};
    struct dz_worker *w;
    world_init(&world, 1, true);
    assert_int_equal(dz_worker_new(&world.sched, 7, NULL, &w), 0);
    assert_int_equal(w->thread.index, 7);
    assert_ptr_equal(dz_worker_of(&w->thread), w);
    assert_int_equal(dz_sched_next_ns(w), DZ_INFINITY);
    for (int i = 0; i < 10; i++) {
        struct dz_msg *m = actor_msg(DZ_MSG_CAST, DZ_PID_NONE, DZ_PID_NONE, 0, i);
        dz_mpsc_push(&w->inbox->queue, &m->node);
    }
    dz_worker_wake(w); /* it does not sleep: nothing happens */
    dz_worker_join(w);
    dz_worker_delete(w);
    world_fini(&world);
}

static void an_inbox_that_is_given_is_gone_on_with(void **state)
{
    (void)state;
    struct world world = {0};
    struct dz_worker *first, *second;
    world_init(&world, 1, false);
    assert_int_equal(dz_worker_new(&world.sched, 1, NULL, &first), 0);
    struct dz_msg *m = actor_msg(DZ_MSG_CAST, DZ_PID_NONE, (struct dz_pid){0, 4000, 1}, 0, 1);
    dz_mpsc_push(&first->inbox->queue, &m->node);
    struct dz_inbox *inbox = first->inbox;
    assert_int_equal(dz_worker_new(&world.sched, 1, inbox, &second), 0);
    assert_ptr_equal(second->inbox, inbox);
    assert_true(dz_sched_step(second));
    assert_true(dz_mpsc_empty(&inbox->queue));
    struct dz_inbox *own = dz_zalloc_must(1, sizeof *own); /* each frees the inbox it has */
    dz_mpsc_init(&own->queue);
    first->inbox = own;
    dz_worker_delete(first);
    dz_worker_delete(second);
    world_fini(&world);
}

static void without_threads_the_owner_starts_and_joins_by_hand(void **state)
{
    (void)state;
    struct world world = {0};
    struct dz_worker *w;
    world_init(&world, 1, false);
    assert_int_equal(dz_worker_new(&world.sched, 1, NULL, &w), 0);
    assert_int_equal(dz_worker_start(w), 0);
    assert_int_equal(dz_worker_await(w), 0);
    assert_int_equal(atomic_load(&world.started), 1);
    assert_false(dz_sched_step(w));
    dz_worker_ask_stop(w);
    dz_worker_join(w);
    dz_worker_join(w); /* a second time nothing happens */
    assert_int_equal(atomic_load(&world.stopped), 1);
    dz_worker_delete(w);
    world_fini(&world);
}

static void a_start_that_fails_is_told_and_not_stopped(void **state)
{
    (void)state;
    for (int threads = 0; threads < 2; threads++) {
        struct world world = {.hooks.thread_start = fail_on_two};
        struct dz_worker *w;
        world_init(&world, 1, threads);
        assert_int_equal(dz_worker_new(&world.sched, 2, NULL, &w), 0);
        assert_int_equal(dz_worker_start(w), 0);
        assert_int_equal(dz_worker_await(w), DZ_ESCRIPT);
        dz_worker_join(w);
        assert_int_equal(atomic_load(&world.stopped), 0);
        dz_worker_delete(w);
        world_fini(&world);
    }
}

struct woken {
    struct world world; /* first */
    struct dz_worker *worker;
};

static void count_task(struct dz_thread *t, void *arg)
{
    struct woken *k = arg;
    assert_ptr_equal(dz_worker_of(t), k->worker);
    atomic_fetch_add(&k->world.count, 1);
}

static void a_sleeping_thread_wakes_for_each_thing_it_is_given(void **state)
{
    (void)state;
    struct woken k = {.world.setup = NULL};
    world_start(&k.world, 1);
    k.worker = dz_sched_worker(&k.world.sched, 1);
    for (int i = 1; i <= 50; i++) {
        for (int spins = 0; spins < 100000 && !atomic_load(&k.worker->asleep); spins++)
            sched_yield();
        assert_int_equal(dz_thread_post(&k.world.foreign, 1, count_task, &k), 0);
        assert_true(world_reaches(&k.world.count, i));
    }
    world_stop(&k.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_on_threads_that_sleep_and_never_early),
        cmocka_unit_test(an_idle_worker_may_work_before_it_sleeps_and_then_sleeps),
        cmocka_unit_test(what_others_have_on_the_loop_runs_while_the_worker_sleeps),
        cmocka_unit_test(what_others_have_on_the_loop_runs_while_the_worker_is_busy),
        cmocka_unit_test(a_thread_that_cannot_start_stops_the_others),
        cmocka_unit_test(a_worker_that_never_ran_goes_with_what_waits_in_its_inbox),
        cmocka_unit_test(an_inbox_that_is_given_is_gone_on_with),
        cmocka_unit_test(without_threads_the_owner_starts_and_joins_by_hand),
        cmocka_unit_test(a_start_that_fails_is_told_and_not_stopped),
        cmocka_unit_test(a_sleeping_thread_wakes_for_each_thing_it_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
