#include "sched/takeover.h"

#include "world.h"

#define NATIVES 5

struct probe {
    struct world *world;
    _Atomic int64_t handled;
    _Atomic int64_t thread; /* of the last run, + 1 */
    struct dz_pid pid;
    struct dz_native *native;
};

static void probe_handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct probe *probe = n->data;
    if (m->kind == DZ_MSG_STOP)
        dz_native_finish(t, n, t->rt->reasons[DZ_REASON_SHUTDOWN]);
    atomic_store(&probe->thread, (int64_t)t->index + 1);
    atomic_fetch_add(&probe->handled, 1);
    dz_msg_free(m);
}

static void probe_end(struct dz_thread *t, struct dz_native *n)
{
    (void)t;
    struct probe *probe = n->data;
    atomic_fetch_add(&probe->world->done, 1);
}

static const struct dz_native_ops probe_ops = {.name = "probe", .handle = probe_handle, .end = probe_end};

static void probe_make(struct probe *probe, struct world *world)
{
    *probe = (struct probe){.world = world};
    assert_int_equal(
        dz_native_new(&world->foreign, &probe_ops, probe, true, NULL, DZ_PID_NONE, NULL, &probe->native), 0);
    probe->pid = probe->native->proc.pid;
}

static void probe_stop(struct world *world, struct probe *probes, int count)
{
    for (int i = 0; i < count; i++)
        dz_send_signal(&world->foreign, DZ_MSG_STOP, DZ_PID_NONE, probes[i].pid, 0, NULL);
    assert_true(world_reaches(&world->done, count));
}

/* --- a process that sends to natives in one turn --- */

struct busy {
    struct probe *probes;
    int count;
    int rounds; /* messages to each, one after another */
    bool stays; /* the turn goes on until all are handled */
    bool reached;
    uint64_t spin_ns;
};

static void busy_message(struct dz_thread *t, struct actor *a, struct dz_msg *m)
{
    struct busy *busy = a->data;
    struct world *world = busy->probes[0].world;
    for (int round = 1; round <= busy->rounds; round++) {
        for (int i = 0; i < busy->count; i++)
            actor_send(t, DZ_MSG_CAST, a->proc.pid, busy->probes[i].pid, 0, 1);
        busy->reached = true;
        for (int i = 0; busy->stays && i < busy->count; i++)
            busy->reached = busy->reached && world_reaches(&busy->probes[i].handled, round);
    }
    uint64_t end = dz_env_now_ns(&world->env) + busy->spin_ns;
    while (dz_env_now_ns(&world->env) < end)
        ;
    atomic_store(&world->count, 1);
    dz_msg_free(m);
}

static const struct actor_role busy_role = {.message = busy_message};

static void make_busy(struct dz_thread *t, void *arg)
{
    struct world *world = dz_worker_of(t)->sched->hooks.ctx;
    world->pids[0] = actor_new(t, &busy_role, 'b', arg)->proc.pid;
    atomic_store(&world->count, -1);
}

/* One turn of a busy process on worker 1, to its end. */
static void one_turn(struct world *world, struct busy *busy)
{
    atomic_store(&world->count, -2);
    assert_int_equal(dz_thread_post(&world->foreign, 1, make_busy, busy), 0);
    assert_true(world_reaches(&world->count, -1));
    actor_send(&world->foreign, DZ_MSG_CAST, DZ_PID_NONE, world->pids[0], 0, 1);
    assert_true(world_reaches(&world->count, 1));
}

static void a_native_made_ready_in_a_short_turn_is_run(void **state)
{
    (void)state;
    struct world world = {0};
    struct probe probe;
    world_start(&world, 1);
    probe_make(&probe, &world);
    struct busy busy = {.probes = &probe, .count = 1, .rounds = 1};
    one_turn(&world, &busy);
    assert_true(world_reaches(&probe.handled, 1));
    probe_stop(&world, &probe, 1);
    assert_int_equal(atomic_load(&probe.handled), 2);
    world_stop(&world);
}

static void a_native_is_taken_over_from_a_turn_that_goes_on(void **state)
{
    (void)state;
    struct world world = {0};
    struct probe probe;
    world_start(&world, 2);
    probe_make(&probe, &world);
    struct busy busy = {.probes = &probe, .count = 1, .rounds = 1, .stays = true};
    one_turn(&world, &busy);
    assert_true(busy.reached);
    assert_int_equal(atomic_load(&probe.thread), DZ_THREAD_SYSTEM + 1);
    probe_stop(&world, &probe, 1);
    world_stop(&world);
}

static void every_native_of_a_long_turn_is_taken_over_again_and_again(void **state)
{
    (void)state;
    struct world world = {0};
    struct probe probes[NATIVES];
    world_start(&world, 1);
    for (int i = 0; i < NATIVES; i++)
        probe_make(&probes[i], &world);
    struct busy busy = {.probes = probes, .count = NATIVES, .rounds = 20, .stays = true, .spin_ns = 50000000};
    one_turn(&world, &busy);
    assert_true(busy.reached);
    for (int i = 0; i < NATIVES; i++)
        assert_int_equal(atomic_load(&probes[i].handled), 20);
    probe_stop(&world, probes, NATIVES);
    world_stop(&world);
}

/* The native stands in the list of worker 1, whose turn goes on, while worker 2 and the test send to it. */
static void a_native_listed_by_a_stuck_worker_serves_the_others(void **state)
{
    (void)state;
    struct world world = {0};
    struct probe probe;
    world_start(&world, 2);
    probe_make(&probe, &world);
    struct busy busy = {.probes = &probe, .count = 1, .rounds = 1000, .stays = false, .spin_ns = 50000000};
    atomic_store(&world.count, -2);
    assert_int_equal(dz_thread_post(&world.foreign, 1, make_busy, &busy), 0);
    assert_true(world_reaches(&world.count, -1));
    actor_send(&world.foreign, DZ_MSG_CAST, DZ_PID_NONE, world.pids[0], 0, 1);
    for (int i = 0; i < 1000; i++) {
        actor_send(&world.foreign, DZ_MSG_CAST, DZ_PID_NONE, probe.pid, 0, 1);
        if (i % 100 == 0)
            assert_true(world_reaches(&probe.handled, i + 1));
    }
    assert_true(world_reaches(&probe.handled, 2000));
    probe_stop(&world, &probe, 1);
    assert_int_equal(atomic_load(&probe.handled), 2001);
    world_stop(&world);
}

static void a_foreign_thread_wakes_a_native_of_a_sleeping_host(void **state)
{
    (void)state;
    struct world world = {0};
    struct probe probe;
    world_start(&world, 1);
    probe_make(&probe, &world);
    for (int i = 1; i <= 20; i++) {
        actor_send(&world.foreign, DZ_MSG_CAST, DZ_PID_NONE, probe.pid, 0, i);
        assert_true(world_reaches(&probe.handled, i));
    }
    probe_stop(&world, &probe, 1);
    world_stop(&world);
}

/* A native that always has more to do. */
static void tireless_handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct probe *probe = n->data;
    bool stop = m->kind == DZ_MSG_STOP;
    dz_msg_free(m);
    atomic_fetch_add(&probe->handled, 1);
    if (stop)
        dz_native_finish(t, n, t->rt->reasons[DZ_REASON_SHUTDOWN]);
    else
        dz_send_signal(t, DZ_MSG_NOTICE, n->proc.pid, n->proc.pid, 0, NULL);
}

static const struct dz_native_ops tireless_ops = {
    .name = "tireless", .handle = tireless_handle, .end = probe_end};

static void a_native_that_never_rests_starves_nobody(void **state)
{
    (void)state;
    struct world world = {0};
    struct probe probe = {.world = &world}, other;
    world_start(&world, 1);
    probe_make(&other, &world);
    assert_int_equal(
        dz_native_new(&world.foreign, &tireless_ops, &probe, true, NULL, DZ_PID_NONE, NULL, &probe.native),
        0);
    probe.pid = probe.native->proc.pid;
    dz_send_signal(&world.foreign, DZ_MSG_NOTICE, DZ_PID_NONE, probe.pid, 0, NULL);
    assert_true(world_reaches(&probe.handled, 1000));
    struct busy busy = {.probes = &other, .count = 1, .rounds = 5, .stays = true};
    one_turn(&world, &busy);
    assert_true(busy.reached);
    struct probe both[] = {{.pid = probe.pid}, {.pid = other.pid}};
    probe_stop(&world, both, 2);
    world_stop(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_native_made_ready_in_a_short_turn_is_run),
        cmocka_unit_test(a_native_is_taken_over_from_a_turn_that_goes_on),
        cmocka_unit_test(every_native_of_a_long_turn_is_taken_over_again_and_again),
        cmocka_unit_test(a_native_listed_by_a_stuck_worker_serves_the_others),
        cmocka_unit_test(a_foreign_thread_wakes_a_native_of_a_sleeping_host),
        cmocka_unit_test(a_native_that_never_rests_starves_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
