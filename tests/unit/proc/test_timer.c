#include "proc/timer.h"

#include "rig.h"

struct alarm {
    struct dz_timer timer;
    struct rig *rig;
    char name;
    uint64_t again_ns;
};

static bool is_started(const struct dz_timer *timer)
{
    return dz_heap_holds(&timer->node) || !dz_list_empty(&timer->lazy);
}

static void fire(struct dz_thread *t, struct dz_timer *timer)
{
    struct alarm *a = dz_container_of(timer, struct alarm, timer);
    assert_false(is_started(timer));
    rig_note(a->rig, "%c", a->name);
    if (a->again_ns)
        assert_int_equal(dz_timer_start(t, timer, t->now_ns + a->again_ns), 0);
}

static void make(struct rig *rig, struct alarm *a, char name)
{
    *a = (struct alarm){.rig = rig, .name = name};
    dz_timer_init(&a->timer, fire);
    assert_false(is_started(&a->timer));
}

static void timers_fire_when_due_in_the_order_of_their_times(void **state)
{
    (void)state;
    struct rig rig;
    struct alarm a, b, c;
    rig_init(&rig);
    struct dz_thread *t = &rig.threads[1];
    make(&rig, &a, 'a');
    make(&rig, &b, 'b');
    make(&rig, &c, 'c');
    assert_int_equal(dz_timers_next(t), DZ_INFINITY);
    dz_timer_start(t, &a.timer, rig.now_ns + 20);
    dz_timer_start(t, &b.timer, rig.now_ns + 10);
    dz_timer_start(t, &c.timer, rig.now_ns + 20);
    assert_int_equal(dz_timers_next(t), rig.now_ns + 10);
    assert_int_equal(dz_timers_run(t, rig.now_ns + 9), 0);
    assert_int_equal(dz_timers_run(t, rig.now_ns + 10), 1);
    assert_int_equal(dz_timers_run(t, rig.now_ns + 50), 2);
    rig_expect(&rig, "b;a;c;");
    rig_fini(&rig);
}

static void a_started_timer_moves_and_a_stopped_one_is_silent(void **state)
{
    (void)state;
    struct rig rig;
    struct alarm a, b, c;
    rig_init(&rig);
    struct dz_thread *t = &rig.threads[1];
    make(&rig, &a, 'a');
    make(&rig, &b, 'b');
    make(&rig, &c, 'c');
    dz_timer_start(t, &a.timer, 10);
    dz_timer_start(t, &a.timer, 30);
    dz_timer_start(t, &b.timer, 10);
    dz_timer_stop(t, &b.timer);
    dz_timer_stop(t, &b.timer);
    dz_timer_start(t, &c.timer, 10);
    dz_timer_start(t, &c.timer, DZ_INFINITY);
    assert_false(is_started(&b.timer) || is_started(&c.timer));
    assert_int_equal(dz_timers_run(t, 29), 0);
    assert_int_equal(dz_timers_run(t, 30), 1);
    rig_expect(&rig, "a;");
    rig_fini(&rig);
}

static void a_timer_may_start_itself_again(void **state)
{
    (void)state;
    struct rig rig;
    struct alarm a;
    rig_init(&rig);
    make(&rig, &a, 'a');
    a.again_ns = 2 * RIG_MS;
    dz_timer_start(&rig.threads[1], &a.timer, rig.now_ns);
    rig_turn(&rig);
    rig_pass_ms(&rig, 1);
    rig_expect(&rig, "a;");
    rig_pass_ms(&rig, 1);
    rig_pass_ms(&rig, 2);
    rig_expect(&rig, "a;a;");
    dz_timer_stop(&rig.threads[1], &a.timer);
    rig_fini(&rig);
}

static void a_lazy_timer_counts_from_the_threads_next_look(void **state)
{
    (void)state;
    struct rig rig;
    struct alarm a, b;
    rig_init(&rig);
    struct dz_thread *t = &rig.threads[1];
    make(&rig, &a, 'a');
    make(&rig, &b, 'b');
    dz_timer_start_lazy(t, &a.timer, 5 * RIG_MS);
    dz_timer_start_lazy(t, &b.timer, DZ_INFINITY);
    assert_true(is_started(&a.timer));
    assert_false(is_started(&b.timer));
    assert_int_equal(dz_timers_next(t), DZ_INFINITY);
    rig.now_ns += 3 * RIG_MS;
    rig_turn(&rig);
    assert_int_equal(dz_timers_next(t), rig.now_ns + 5 * RIG_MS);
    rig_pass_ms(&rig, 4);
    rig_expect(&rig, "");
    rig_pass_ms(&rig, 1);
    rig_expect(&rig, "a;");
    rig_fini(&rig);
}

static void a_lazy_timer_can_be_stopped_before_and_after_it_is_armed(void **state)
{
    (void)state;
    struct rig rig;
    struct alarm a;
    rig_init(&rig);
    struct dz_thread *t = &rig.threads[1];
    make(&rig, &a, 'a');
    dz_timer_start_lazy(t, &a.timer, RIG_MS);
    dz_timer_stop(t, &a.timer);
    rig_pass_ms(&rig, 5);
    dz_timer_start_lazy(t, &a.timer, RIG_MS);
    rig_turn(&rig);
    dz_timer_stop(t, &a.timer);
    assert_false(is_started(&a.timer));
    rig_pass_ms(&rig, 5);
    dz_timer_start_lazy(t, &a.timer, UINT64_MAX - 1); /* as good as for ever; must not wrap */
    rig_pass_ms(&rig, 5);
    rig_expect(&rig, "");
    dz_timer_stop(t, &a.timer);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_when_due_in_the_order_of_their_times),
        cmocka_unit_test(a_started_timer_moves_and_a_stopped_one_is_silent),
        cmocka_unit_test(a_timer_may_start_itself_again),
        cmocka_unit_test(a_lazy_timer_counts_from_the_threads_next_look),
        cmocka_unit_test(a_lazy_timer_can_be_stopped_before_and_after_it_is_armed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
