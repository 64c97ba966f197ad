/* test_query.c - answers from the present state: children one by one, counts, figures, and the nodes they are
 * on. */
#include "world.h"

static void children_are_paged_by_position(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    struct dz_sup_child_info info;
    dz_sup_child_info(w->sup, dz_sup_child_at(w->sup, 2), &info);
    assert_string_equal(info.id, "b");
    assert_null(dz_sup_child_at(w->sup, 4));
    assert_ptr_equal(dz_sup_child_of(w->sup, info.pid), dz_sup_child_at(w->sup, 2));
    uint32_t it = 0, node, count;
    assert_true(dz_sup_each_node(w->sup, &it, &node, &count));
    assert_int_equal(node, 0);
    assert_int_equal(count, 3);
    assert_false(dz_sup_each_node(w->sup, &it, &node, &count));
    world_delete(w);
}

static void every_status_has_its_name(void **state)
{
    (void)state;
    static const char *const names[] = {"starting", "running", "restarting",
                                        "stopping", "stopped", "pending"};
    for (int i = 0; i < 6; i++)
        assert_string_equal(dz_sup_status_name((enum dz_sup_status)i), names[i]);
}

static void a_child_shows_what_it_is_and_was(void **state)
{
    (void)state;
    struct world *w = world_started(
        "{ children = { { id = \"a\", behavior = \"w\", args = { 7 } }, { id = \"s\", supervisor = {} } } }");
    struct dz_sup_child_info info;
    dz_sup_child_info(w->sup, dz_sup_find_child(w->sup, "a", 1), &info);
    assert_true(info.has_pid);
    assert_int_equal(info.status, DZ_CHILD_RUNNING);
    assert_int_equal(info.node, 0);
    assert_int_equal(info.restart_count, 0);
    assert_int_equal(info.epoch, 1);
    assert_int_equal(info.args_len, 2);
    assert_false(info.is_supervisor);
    assert_string_equal(info.spec->what, "w");
    dz_sup_child_info(w->sup, dz_sup_find_child(w->sup, "s", 1), &info);
    assert_true(info.is_supervisor);
    world_pass(w, 250);
    world_crash(w, "a");
    dz_sup_child_info(w->sup, dz_sup_find_child(w->sup, "a", 1), &info);
    assert_int_equal(info.restart_count, 1);
    assert_int_equal(info.started_at_ms, 5000250);
    assert_null(dz_sup_find_child(w->sup, "x", 1));
    world_delete(w);
}

static void a_child_that_never_started_has_no_epoch_and_no_time(void **state)
{
    (void)state;
    struct world *w = world_started("{}");
    struct dz_sup_child_info info;
    w->hold_selects = true;
    world_start_child(w, 1, "{ id = \"a\", behavior = \"w\" }");
    dz_sup_child_info(w->sup, dz_sup_first_child(w->sup), &info);
    assert_int_equal(info.status, DZ_CHILD_STARTING);
    assert_false(info.has_pid);
    assert_int_equal(info.node, DZ_SUP_NO_NODE);
    assert_int_equal(info.epoch, 0);
    assert_int_equal(info.started_at_ms, 0);
    w->hold_selects = false;
    w->hold_starts = true;
    world_run(w);
    dz_sup_child_info(w->sup, dz_sup_first_child(w->sup), &info);
    assert_int_equal(info.epoch, 1);
    assert_int_equal(info.started_at_ms, 0);
    w->hold_starts = false;
    world_run(w);
    world_delete(w);
}

static void counts_follow_the_children(void **state)
{
    (void)state;
    struct world *w = world_started("{ children = { { id = \"a\", behavior = \"w\", restart = \"transient\" "
                                    "}, { id = \"s\", supervisor = {} } } }");
    struct dz_sup_counts counts;
    dz_sup_count_children(w->sup, &counts);
    assert_int_equal(counts.specs, 2);
    assert_int_equal(counts.active, 2);
    assert_int_equal(counts.supervisors, 1);
    assert_int_equal(counts.workers, 1);
    world_end(w, "a", "\"normal\"");
    world_run(w);
    dz_sup_count_children(w->sup, &counts);
    assert_int_equal(counts.specs, 2);
    assert_int_equal(counts.active, 1);
    world_delete(w);
    w = world_started("{ strategy = \"simple_one_for_one\", child_template = { behavior = \"w\" } }");
    dz_sup_count_children(w->sup, &counts);
    assert_int_equal(counts.specs, 1);
    assert_int_equal(counts.workers, 0);
    world_delete(w);
}

static void nodes_are_listed_while_a_child_runs_there(void **state)
{
    (void)state;
    struct world *w = world_cluster(
        "{ children = { " ON("a", "") ", " AT("b", "b@h:2", "") ", " AT("c", "b@h:2", "") " } }", 2);
    uint32_t it = 0, node, count, total = 0, nodes = 0;
    while (dz_sup_each_node(w->sup, &it, &node, &count)) {
        assert_int_equal(count, node == 1 ? 2 : 1);
        total += count;
        nodes++;
    }
    assert_int_equal(nodes, 2);
    assert_int_equal(total, 3);
    world_terminate_child(w, 1, "a");
    it = 0;
    assert_true(dz_sup_each_node(w->sup, &it, &node, &count));
    assert_int_equal(node, 1);
    assert_false(dz_sup_each_node(w->sup, &it, &node, &count));
    world_delete(w);
}

static void it_runs_once_ready_and_until_it_stops(void **state)
{
    (void)state;
    struct world *w = world_new(WORLD_THREE);
    assert_false(dz_sup_is_running(w->sup));
    w->hold_starts = true;
    world_start(w);
    assert_false(dz_sup_is_running(w->sup));
    w->hold_starts = false;
    world_run(w);
    assert_true(dz_sup_is_running(w->sup));
    struct dz_sup_stats stats;
    dz_sup_stats(w->sup, &stats);
    assert_string_equal(stats.id, "sup");
    assert_int_equal(stats.strategy, DZ_ONE_FOR_ONE);
    assert_int_equal(stats.child_count, 3);
    assert_int_equal(stats.started_at_ms, 5000000);
    assert_int_equal(dz_sup_spec_of(w->sup)->child_count, 3);
    w->hold_stops = true;
    world_stop(w, 1, "\"normal\"");
    assert_false(dz_sup_is_running(w->sup));
    w->hold_stops = false;
    world_run(w);
    world_delete(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_are_paged_by_position),
        cmocka_unit_test(every_status_has_its_name),
        cmocka_unit_test(a_child_shows_what_it_is_and_was),
        cmocka_unit_test(a_child_that_never_started_has_no_epoch_and_no_time),
        cmocka_unit_test(counts_follow_the_children),
        cmocka_unit_test(nodes_are_listed_while_a_child_runs_there),
        cmocka_unit_test(it_runs_once_ready_and_until_it_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
