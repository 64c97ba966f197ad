/* A worker that does not come back: found, interrupted, given up. */
#include "scene.h"

static void a_thread_in_foreign_code_is_left_behind_as_well(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    atomic_store(&s->outside, true);
    scene_block(s);
    assert_true(world_reaches(&s->fresh, 1));
    assert_true(world_reaches(&s->downs, 1));
    scene_delete(s);
}

static void an_exhausted_worker_is_given_up_at_once(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    scene_block(s);
    dz_guard_exhausted(dz_sched_worker(&s->world.sched, 1));
    assert_true(world_reaches(&s->fresh, 1));
    assert_int_equal(atomic_load(&s->ends), 0);
    assert_int_equal(atomic_load(&s->downs), 0); /* another reason than worker_stuck */
    scene_delete(s);
}

static void scene_kill(struct scene *s, struct dz_pid pid)
{
    dz_send_signal(&s->world.foreign, DZ_MSG_KILL, DZ_PID_NONE, pid, 0, s->world.rt.reasons[DZ_REASON_KILLED]);
}

static void a_kill_takes_effect_on_a_turn_without_any_limit(void **state)
{
    (void)state;
    struct scene *s = scene_new(0);
    scene_block(s);
    scene_kill(s, s->stuck);
    assert_true(world_reaches(&s->fresh, 1));
    assert_true(world_reaches(&s->exits, 1));
    assert_true(atomic_load(&s->kills) > 1);
    assert_true(atomic_load(&s->killed));
    assert_int_equal(atomic_load(&s->downs), 0);
    assert_int_equal(atomic_load(&s->ends), 0);
    assert_int_equal(atomic_load(&s->how_stuck), DZ_EXIT_WORKER_STUCK);
    scene_delete(s);
}

static void a_kill_of_one_who_waits_for_its_turn_leaves_the_present_turn_alone(void **state)
{
    (void)state;
    struct scene *s = scene_new(0);
    scene_block(s);
    scene_kill(s, s->neighbour);
    assert_true(world_reaches(&s->seen_running, 5));
    assert_int_equal(atomic_load(&s->kills), 1); /* to learn whose turn it is */
    assert_int_equal(atomic_load(&s->given_up), 0);
    scene_kill(s, s->stuck);
    assert_true(world_reaches(&s->fresh, 1));
    scene_delete(s);
}

static void a_worker_that_gets_stuck_while_all_stop_is_not_waited_for(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    scene_block(s);
    dz_send_signal(&s->world.foreign, DZ_MSG_STOP, DZ_PID_NONE, s->parent, 0, NULL);
    assert_true(world_reaches(&s->world.done, 1));
    world_stop(&s->world); /* returns once the guard has given it up */
    assert_int_equal(atomic_load(&s->fresh), 0);
    assert_int_equal(atomic_load(&s->how_stuck), DZ_EXIT_WORKER_STUCK);
    dz_free(s);
}

static void one_who_owns_a_worker_may_block(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    int index = dz_sched_add_worker(&s->world.sched);
    assert_int_equal(index, 3);
    dz_sched_own(&s->world.sched, 3, DZ_PID_NONE);
    assert_int_equal(dz_sched_add_worker(&s->world.sched), 3); /* nobody's: taken again */
    assert_int_equal(dz_sched_add_worker(&s->world.sched), 4);
    dz_sched_own(&s->world.sched, 3, s->stuck); /* while that lives it is not */
    assert_int_equal(dz_sched_add_worker(&s->world.sched), 5);
    scene_delete(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_in_foreign_code_is_left_behind_as_well),
        cmocka_unit_test(an_exhausted_worker_is_given_up_at_once),
        cmocka_unit_test(a_kill_takes_effect_on_a_turn_without_any_limit),
        cmocka_unit_test(a_kill_of_one_who_waits_for_its_turn_leaves_the_present_turn_alone),
        cmocka_unit_test(a_worker_that_gets_stuck_while_all_stop_is_not_waited_for),
        cmocka_unit_test(one_who_owns_a_worker_may_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
