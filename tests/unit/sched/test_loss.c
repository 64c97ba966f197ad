/* test_loss.c - a worker that is lost: its processes end, their supervisors hear of it once, another takes
 * its place. */
#include "scene.h"

static void a_stuck_workers_processes_end_and_a_fresh_worker_goes_on_with_its_inbox(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    scene_block(s);
    assert_int_equal(dz_thread_post(&s->world.foreign, 1, count_task, s),
                     0); /* waits behind the stuck turn */
    assert_true(world_reaches(&s->fresh, 1));
    assert_true(world_reaches(&s->tasks, 2));
    assert_true(world_reaches(&s->downs, 1));
    assert_true(world_reaches(&s->exits, 1));
    assert_int_equal(atomic_load(&s->reports), 1);
    assert_int_equal(atomic_load(&s->tells), 1);
    assert_true(atomic_load(&s->ends) > 1);
    assert_int_equal(atomic_load(&s->given_up), 1);
    assert_int_equal(atomic_load(&s->how_stuck), DZ_EXIT_WORKER_STUCK);
    assert_int_equal(atomic_load(&s->how_neighbour), DZ_EXIT_WORKER_LOST);
    assert_int_equal(atomic_load(&s->failed), 0);
    scene_delete(s);
}

static void a_supervisor_hears_of_all_its_children_at_once(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    scene_block(s);
    assert_true(world_reaches(&s->notices, 1));
    assert_int_equal(atomic_load(&s->told_pids), 2);
    assert_int_equal(atomic_load(&s->running_slot), s->stuck.slot);
    assert_true(world_reaches(&s->fresh, 1));
    scene_delete(s);
}

static void a_worker_lost_while_nobody_supervised_is_replaced_all_the_same(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    struct dz_worker *before = dz_sched_worker(&s->world.sched, 1);
    scene_block(s);
    assert_true(world_reaches(&s->fresh, 1));
    struct dz_worker *after = dz_sched_worker(&s->world.sched, 1);
    assert_ptr_not_equal(before, after);
    assert_true(after->replaces);
    assert_ptr_equal(before->inbox, after->inbox);
    assert_true(world_reaches(&s->downs, 1));
    assert_null(dz_table_find(&s->world.rt.table, s->stuck));
    assert_null(dz_table_find(&s->world.rt.table, s->neighbour));
    scene_delete(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stuck_workers_processes_end_and_a_fresh_worker_goes_on_with_its_inbox),
        cmocka_unit_test(a_supervisor_hears_of_all_its_children_at_once),
        cmocka_unit_test(a_worker_lost_while_nobody_supervised_is_replaced_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
