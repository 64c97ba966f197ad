/* test_requests.c - start_child, terminate_child and restart_child in their turn, each with exactly one
 * answer. */
#include "world.h"

static void bad_requests_are_answered_with_their_code(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    world_start_child(w, 1, "{ id = \"b\", behavior = \"w\" }");
    world_start_child(w, 2, "{ id = \"x\", behaviour = \"w\" }");
    world_terminate_child(w, 3, "x");
    world_restart_child(w, 4, "x");
    world_expect(
        w,
        "reply 1 duplicate_child\nreply 2 invalid_spec\nreply 3 child_not_found\nreply 4 child_not_found\n");
    world_delete(w);
}

static void a_failed_start_child_leaves_no_record(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    world_fail(w, "d", 1);
    world_start_child(w, 1, "{ id = \"d\", behavior = \"w\" }");
    world_expect(w, "start d@0\nreply 1 child_start_failed no luck\n");
    world_expect_children(w, "a:running b:running c:running");
    w->fail_code = DZ_ENOBEHAVIOR;
    world_fail(w, "d", 1);
    world_start_child(w, 2, "{ id = \"d\", behavior = \"w\" }");
    world_expect(w, "start d@0\nreply 2 behavior_not_found\n");
    world_start_child(w, 3, "{ id = \"d\", behavior = \"w\" }");
    world_expect(w, "start d@0\n+ started d\nreply 3 ok d\n");
    world_delete(w);
}

static void restart_child_stops_selects_and_starts_without_counting(void **state)
{
    (void)state;
    struct world *w = world_started(
        "{ restart_intensity = { max_restarts = 0 }, children = { { id = \"a\", behavior = \"w\" } } }");
    struct dz_sup_stats stats;
    world_restart_child(w, 1, "a");
    world_expect(w, "stop a 5000\nstart a@0\n+ restarted a 1 shutdown\nreply 1 ok a\n");
    world_fail(w, "a", 1);
    world_restart_child(w, 2, "a");
    world_expect(w, "stop a 5000\nstart a@0\nreply 2 child_start_failed no luck\n+ stopped a shutdown\n");
    world_expect_children(w, "a:stopped");
    world_restart_child(w, 3, "a");
    world_expect(w, "start a@0\n+ restarted a 2 shutdown\nreply 3 ok a\n");
    dz_sup_stats(w->sup, &stats);
    assert_int_equal(stats.total_restarts, 0);
    world_delete(w);
}

static void requests_and_exits_wait_their_turn_and_queries_do_not(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    w->hold_starts = true;
    world_start_child(w, 1, "{ id = \"d\", behavior = \"w\" }");
    world_crash(w, "a");
    world_start_child(w, 2, "{ id = \"e\", behavior = \"w\" }");
    world_expect(w, "start d@0\n");
    world_expect_children(w, "a:restarting b:running c:running d:starting");
    w->hold_starts = false;
    world_run(w);
    world_expect(
        w,
        "+ started d\nreply 1 ok d\nstart a@0\n+ restarted a 1 boom\nstart e@0\n+ started e\nreply 2 ok e\n");
    world_delete(w);
}

static void a_malformed_start_child_is_refused_in_its_turn(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    w->hold_starts = true;
    world_start_child(w, 1, "{ id = \"d\", behavior = \"w\" }");
    world_start_child(w, 2, "{ id = \"e\", behaviour = \"w\" }");
    world_expect(w, "start d@0\n");
    w->hold_starts = false;
    world_run(w);
    world_expect(w, "+ started d\nreply 1 ok d\nreply 2 invalid_spec\n");
    world_delete(w);
}

static void terminate_child_overtakes_only_for_the_starting_child(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    w->hold_starts = true;
    world_start_child(w, 1, "{ id = \"d\", behavior = \"w\" }");
    world_terminate_child(w, 2, "a");
    world_terminate_child(w, 3, "d");
    world_expect(w, "start d@0\ncancel d\n");
    w->hold_starts = false;
    world_run(w);
    world_expect(
        w,
        "reply 1 child_start_failed shutdown\nreply 3 ok\nstop a 5000\n+ stopped a shutdown\nreply 2 ok\n");
    world_expect_children(w, "b:running c:running");
    world_delete(w);
}

static void terminate_child_of_a_restarting_child_ends_it_for_good(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    w->hold_starts = true;
    world_crash(w, "b");
    world_terminate_child(w, 1, "b");
    world_answer_start(w, &w->starts[w->start_next++], 0, false);
    world_expect(w, "start b@0\ncancel b\nstop b 5000\n");
    world_run(w);
    world_expect(w, "+ stopped b boom\nreply 1 ok\n");
    world_expect_children(w, "a:running c:running");
    world_delete(w);
}

static void simple_children_get_ids_and_stop_all_at_once(void **state)
{
    (void)state;
    struct world *w = world_started(
        "{ strategy = \"simple_one_for_one\", child_template = { behavior = \"w\", args = { 1 } } }");
    struct dz_sup_counts counts;
    world_start_child(w, 1, "{ 2 }");
    world_start_child(w, 2, "{}");
    world_start_child(w, 3, "{ id = \"x\" }");
    world_expect(
        w, "start child_1@0\n+ started child_1\nreply 1 ok child_1\n"
           "start child_2@0\n+ started child_2\nreply 2 ok child_2\nreply 3 invalid_simple_one_for_one\n");
    dz_sup_count_children(w->sup, &counts);
    assert_int_equal(counts.specs, 1);
    assert_int_equal(counts.active, 2);
    assert_int_equal(counts.workers, 2);
    struct dz_sup_child_info info;
    char args[32];
    dz_sup_child_info(w->sup, dz_sup_find_child(w->sup, "child_1", 7), &info);
    dz_term_print(info.args, info.args_len, args, sizeof args);
    assert_string_equal(args, "{1, 2}");
    world_crash(w, "child_1");
    world_expect(w, "start child_1@0\n+ restarted child_1 1 boom\n");
    w->hold_stops = true;
    world_stop(w, 4, "\"normal\"");
    world_expect(w, "stop child_2 5000\nstop child_1 5000\n");
    w->hold_stops = false;
    world_run(w);
    world_expect(
        w,
        "+ stopped child_2 shutdown\n+ stopped child_1 shutdown\n+ supervisor_stopped normal\nexit normal\n"
        "reply 4 ok\n");
    world_delete(w);
}

static void args_of_a_simple_child_are_a_list(void **state)
{
    (void)state;
    struct world *w = world_started(
        "{ strategy = \"simple_one_for_one\", child_template = { behavior = \"w\", args = { 600 = 1 } } }");
    world_start_child(w, 1, "5");
    world_start_child(w, 2, "{ 500 = 1 }");
    world_start_child(w, 3, "{ 0 = 1 }");
    world_start_child(w, 4, "{ 2 = \"b\" }");
    world_expect(w, "reply 1 invalid_spec\nreply 2 invalid_spec\nreply 3 invalid_spec\n"
                    "start child_1@0\n+ started child_1\nreply 4 ok child_1\n");
    world_delete(w);
}

static void an_id_that_failed_to_start_or_was_terminated_may_be_used_again(void **state)
{
    (void)state;
    struct world *w = world_started("{}");
    world_start_child(w, 1, "{ id = \"a\", behavior = \"w\" }");
    world_terminate_child(w, 2, "a");
    world_terminate_child(w, 3, "a");
    world_start_child(w, 4, "{ id = \"a\", behavior = \"w\" }");
    world_start_child(w, 5, "{ id = \"a\", behavior = \"w\" }");
    world_expect(w,
                 "start a@0\n+ started a\nreply 1 ok a\nstop a 5000\n+ stopped a shutdown\nreply 2 ok\n"
                 "reply 3 child_not_found\nstart a@0\n+ started a\nreply 4 ok a\nreply 5 duplicate_child\n");
    world_delete(w);
}

static void a_stopped_child_is_restarted_or_terminated_without_a_stop(void **state)
{
    (void)state;
    struct world *w =
        world_started("{ children = { { id = \"a\", behavior = \"w\", restart = \"transient\" } } }");
    world_end(w, "a", "\"normal\"");
    world_run(w);
    world_expect(w, "+ stopped a normal\n");
    world_restart_child(w, 1, "a");
    world_expect(w, "start a@0\n+ restarted a 1 normal\nreply 1 ok a\n");
    world_end(w, "a", "\"normal\"");
    world_run(w);
    world_terminate_child(w, 2, "a");
    world_expect(w, "+ stopped a normal\nreply 2 ok\n");
    world_expect_children(w, "");
    world_delete(w);
}

static void a_second_terminate_of_a_child_that_is_stopping_waits_its_turn(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    w->hold_stops = true;
    world_terminate_child(w, 1, "a");
    world_terminate_child(w, 2, "a");
    world_restart_child(w, 3, "a");
    world_expect(w, "stop a 5000\n");
    w->hold_stops = false;
    world_run(w);
    world_expect(w, "+ stopped a shutdown\nreply 1 ok\nreply 2 child_not_found\nreply 3 child_not_found\n");
    world_delete(w);
}

static void a_restart_without_a_node_leaves_the_child_stopped(void **state)
{
    (void)state;
    struct world *w = world_cluster("{ children = { " AT("a", "b@h:2", "") " } }", 2);
    w->nodes[1].connected = false;
    world_restart_child(w, 1, "a");
    world_expect(w,
                 "stop a 5000\nreply 1 no_available_node the node is not connected\n+ stopped a shutdown\n");
    world_expect_children(w, "a:stopped");
    world_delete(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_requests_are_answered_with_their_code),
        cmocka_unit_test(a_failed_start_child_leaves_no_record),
        cmocka_unit_test(restart_child_stops_selects_and_starts_without_counting),
        cmocka_unit_test(requests_and_exits_wait_their_turn_and_queries_do_not),
        cmocka_unit_test(a_malformed_start_child_is_refused_in_its_turn),
        cmocka_unit_test(terminate_child_overtakes_only_for_the_starting_child),
        cmocka_unit_test(terminate_child_of_a_restarting_child_ends_it_for_good),
        cmocka_unit_test(simple_children_get_ids_and_stop_all_at_once),
        cmocka_unit_test(args_of_a_simple_child_are_a_list),
        cmocka_unit_test(an_id_that_failed_to_start_or_was_terminated_may_be_used_again),
        cmocka_unit_test(a_stopped_child_is_restarted_or_terminated_without_a_stop),
        cmocka_unit_test(a_second_terminate_of_a_child_that_is_stopping_waits_its_turn),
        cmocka_unit_test(a_restart_without_a_node_leaves_the_child_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
