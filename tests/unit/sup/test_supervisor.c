/* Starting, stopping, requests and their order (semantics 2), the supervisor's own end. */
#include "world.h"

#define THREE                                                                                                \
    "{ children = { { id = \"a\", behavior = \"w\" }, { id = \"b\", behavior = \"w\" }, { id = \"c\", "      \
    "behavior = \"w\" } } }"

static void children_start_in_list_order_and_stop_in_reverse(void **state)
{
    (void)state;
    struct world *w = world_new(THREE);
    world_start(w);
    world_expect(w, "start a@0\n+ started a\nstart b@0\n+ started b\nstart c@0\n+ started c\n"
                    "+ supervisor_started\nready\n");
    assert_true(dz_sup_is_running(w->sup));
    world_stop(w, 1, "\"normal\"");
    world_expect(w, "stop c 5000\n+ stopped c shutdown\nstop b 5000\n+ stopped b shutdown\nstop a 5000\n"
                    "+ stopped a shutdown\n+ supervisor_stopped normal\nexit normal\nreply 1 ok\n");
    world_stop(w, 2, "\"normal\"");
    world_expect(w, "reply 2 ok\n");
    world_delete(w);
}

static void a_failed_first_start_stops_those_already_started(void **state)
{
    (void)state;
    struct world *w = world_new(THREE);
    world_fail(w, "c", 1);
    world_start(w);
    world_expect(
        w, "start a@0\n+ started a\nstart b@0\n+ started b\nstart c@0\nstop b 5000\n+ stopped b shutdown\n"
           "stop a 5000\n+ stopped a shutdown\nexit child_start_failed, start failed\n");
    world_delete(w);
}

static void a_failed_first_start_tells_supervisor_child_and_cause(void **state)
{
    (void)state;
    struct world *w = world_new("{ name = \"s\", children = { { id = \"a\", behavior = \"w\" } } }");
    const struct dz_sup_action *a;
    bool seen = false;
    dz_sup_start(w->sup, w->now);
    a = dz_sup_next_action(w->sup);
    assert_int_equal(a->type, DZ_SUP_SELECT);
    uint64_t token = a->as.select.token;
    assert_null(dz_sup_next_action(w->sup));
    dz_sup_candidates(w->sup, w->now, token, w->nodes, 1);
    while (dz_sup_next_action(w->sup)) {
    }
    struct dz_buf detail = literal("{ code = \"name_taken\", name = \"n\", owner = \"o\" }");
    struct dz_sup_failure f = {DZ_ENAMETAKEN, detail.data, detail.len, false, false};
    dz_sup_start_failed(w->sup, w->now, token, &f);
    while ((a = dz_sup_next_action(w->sup)) != NULL) {
        if (a->type != DZ_SUP_EXIT)
            continue;
        char text[512];
        seen = true;
        assert_true(a->as.exit.start_failed);
        assert_int_equal(a->as.exit.code, DZ_ENAMETAKEN);
        dz_term_print(a->as.exit.error, a->as.exit.error_len, text, sizeof text);
        assert_non_null(strstr(text, "code = \"name_taken\""));
        assert_non_null(strstr(text, "supervisor_id = \"sup\""));
        assert_non_null(strstr(text, "child_id = \"a\""));
        assert_non_null(strstr(text, "owner = \"o\""));
    }
    assert_true(seen);
    dz_buf_fini(&detail);
    world_delete(w);
}

static void shutdown_timeouts_are_told_to_whoever_stops(void **state)
{
    (void)state;
    struct world *w = world_started(
        "{ children = { { id = \"a\", behavior = \"w\", shutdown_timeout = \"brutal_kill\" },"
        "{ id = \"b\", supervisor = {} }, { id = \"c\", behavior = \"w\", shutdown_timeout = 7 } } }");
    world_stop(w, 1, "\"bye\"");
    world_expect(w, "stop c 7\n+ stopped c shutdown\nstop b infinity\n+ stopped b shutdown\nstop a kill\n"
                    "+ stopped a shutdown\n+ supervisor_stopped bye\nexit bye\nreply 1 ok\n");
    world_delete(w);
}

static void dynamic_children_append_and_keep_their_place(void **state)
{
    (void)state;
    struct world *w =
        world_started("{ strategy = \"rest_for_one\", children = { { id = \"a\", behavior = \"w\" } } }");
    world_start_child(w, 1, "{ id = \"b\", behavior = \"w\" }");
    world_start_child(w, 2, "{ id = \"c\", behavior = \"w\" }");
    world_expect(w, "start b@0\n+ started b\nreply 1 ok b\nstart c@0\n+ started c\nreply 2 ok c\n");
    world_crash(w, "b");
    world_expect(w, "stop c 5000\nstart b@0\n+ restarted b 1 boom\nstart c@0\n+ restarted c 1 shutdown\n");
    world_terminate_child(w, 3, "b");
    world_expect(w, "stop b 5000\n+ stopped b shutdown\nreply 3 ok\n");
    world_expect_children(w, "a:running c:running");
    world_delete(w);
}

static void bad_requests_are_answered_with_their_code(void **state)
{
    (void)state;
    struct world *w = world_started(THREE);
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
    struct world *w = world_started(THREE);
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
    struct world *w = world_started(THREE);
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
    struct world *w = world_started(THREE);
    w->hold_starts = true;
    world_start_child(w, 1, "{ id = \"d\", behavior = \"w\" }");
    world_start_child(w, 2, "{ id = \"e\", behaviour = \"w\" }");
    world_expect(w, "start d@0\n");
    w->hold_starts = false;
    world_run(w);
    world_expect(w, "+ started d\nreply 1 ok d\nreply 2 invalid_spec\n");
    world_delete(w);
}

static void stop_breaks_off_a_start_and_refuses_what_waits(void **state)
{
    (void)state;
    struct world *w = world_started(THREE);
    w->hold_starts = true;
    world_start_child(w, 1, "{ id = \"d\", behavior = \"w\" }");
    world_start_child(w, 2, "{ id = \"e\", behavior = \"w\" }");
    world_stop(w, 3, "\"shutdown\"");
    world_start_child(w, 4, "{ id = \"f\", behavior = \"w\" }");
    world_expect(w, "start d@0\nreply 1 child_start_failed shutdown\nreply 2 supervisor_not_found\ncancel d\n"
                    "reply 4 supervisor_not_found\n");
    w->hold_starts = false;
    world_run(w);
    world_expect(w, "stop c 5000\n+ stopped c shutdown\nstop b 5000\n+ stopped b shutdown\nstop a 5000\n"
                    "+ stopped a shutdown\n+ supervisor_stopped shutdown\nexit shutdown\nreply 3 ok\n");
    world_delete(w);
}

static void a_start_that_was_broken_off_too_late_is_stopped(void **state)
{
    (void)state;
    struct world *w = world_started("{}");
    w->hold_starts = true;
    world_start_child(w, 1, "{ id = \"d\", behavior = \"w\" }");
    world_stop(w, 2, "\"shutdown\"");
    world_answer_start(w, &w->starts[0], 0, false);
    world_run(w);
    world_expect(w, "start d@0\nreply 1 child_start_failed shutdown\ncancel d\nstop d 5000\n"
                    "+ supervisor_stopped shutdown\nexit shutdown\nreply 2 ok\n");
    world_delete(w);
}

static void stop_while_booting_fails_the_start(void **state)
{
    (void)state;
    struct world *w = world_new(THREE);
    dz_sup_start(w->sup, w->now);
    world_drain(w);
    world_step(w);
    world_answer_start(w, &w->starts[w->start_next++], 0, false);
    world_step(w);
    w->hold_starts = true;
    world_stop(w, 1, "\"shutdown\"");
    w->hold_starts = false;
    world_run(w);
    world_expect(w, "start a@0\n+ started a\nstart b@0\ncancel b\nstop a 5000\n+ stopped a shutdown\n"
                    "exit shutdown, start failed\nreply 1 ok\n");
    world_delete(w);
}

static void terminate_child_overtakes_only_for_the_starting_child(void **state)
{
    (void)state;
    struct world *w = world_started(THREE);
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
    struct world *w = world_started(THREE);
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

static void stop_waits_for_the_child_that_is_stopping_already(void **state)
{
    (void)state;
    struct world *w = world_started(THREE);
    w->hold_stops = true;
    world_terminate_child(w, 1, "b");
    world_stop(w, 2, "\"shutdown\"");
    world_expect(w, "stop b 5000\n");
    world_expect_children(w, "a:running b:stopping c:running");
    w->hold_stops = false;
    world_run(w);
    world_expect(w, "+ stopped b shutdown\nreply 1 ok\nstop c 5000\n+ stopped c shutdown\nstop a 5000\n"
                    "+ stopped a shutdown\n+ supervisor_stopped shutdown\nexit shutdown\nreply 2 ok\n");
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
    world_expect(w, "start child_1@0\n+ started child_1\nreply 1 ok child_1\n"
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

static void a_killed_supervisor_waits_for_nobody(void **state)
{
    (void)state;
    struct world *w = world_started(THREE);
    w->hold_starts = true;
    world_start_child(w, 1, "{ id = \"d\", behavior = \"w\" }");
    world_forget(w);
    for (uint32_t i = 0; i < w->proc_count; i++)
        w->procs[i].live = false;
    struct dz_buf killed = literal("\"killed\"");
    dz_sup_abandon(w->sup, w->now, killed.data, killed.len);
    world_drain(w);
    world_expect(w, "reply 1 child_start_failed shutdown\ncancel d\n+ stopped c killed\n+ stopped b killed\n"
                    "+ stopped a killed\n+ supervisor_stopped killed\nexit killed\n");
    dz_buf_fini(&killed);
    world_delete(w);
}

static void epochs_of_one_id_only_grow(void **state)
{
    (void)state;
    struct world *w = world_started("{ children = { { id = \"a\", behavior = \"w\" } } }");
    struct dz_sup_child_info info;
    world_crash(w, "a");
    dz_sup_child_info(w->sup, dz_sup_find_child(w->sup, "a", 1), &info);
    assert_int_equal(info.epoch, 2);
    world_terminate_child(w, 1, "a");
    world_start_child(w, 2, "{ id = \"a\", behavior = \"w\" }");
    dz_sup_child_info(w->sup, dz_sup_find_child(w->sup, "a", 1), &info);
    assert_int_equal(info.epoch, 3);
    assert_int_equal(info.started_at_ms, 5000000);
    world_delete(w);
}

static void children_are_paged_by_position(void **state)
{
    (void)state;
    struct world *w = world_started(THREE);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_start_in_list_order_and_stop_in_reverse),
        cmocka_unit_test(a_failed_first_start_stops_those_already_started),
        cmocka_unit_test(a_failed_first_start_tells_supervisor_child_and_cause),
        cmocka_unit_test(shutdown_timeouts_are_told_to_whoever_stops),
        cmocka_unit_test(dynamic_children_append_and_keep_their_place),
        cmocka_unit_test(bad_requests_are_answered_with_their_code),
        cmocka_unit_test(a_failed_start_child_leaves_no_record),
        cmocka_unit_test(restart_child_stops_selects_and_starts_without_counting),
        cmocka_unit_test(requests_and_exits_wait_their_turn_and_queries_do_not),
        cmocka_unit_test(a_malformed_start_child_is_refused_in_its_turn),
        cmocka_unit_test(stop_breaks_off_a_start_and_refuses_what_waits),
        cmocka_unit_test(a_start_that_was_broken_off_too_late_is_stopped),
        cmocka_unit_test(stop_while_booting_fails_the_start),
        cmocka_unit_test(terminate_child_overtakes_only_for_the_starting_child),
        cmocka_unit_test(terminate_child_of_a_restarting_child_ends_it_for_good),
        cmocka_unit_test(stop_waits_for_the_child_that_is_stopping_already),
        cmocka_unit_test(simple_children_get_ids_and_stop_all_at_once),
        cmocka_unit_test(a_killed_supervisor_waits_for_nobody),
        cmocka_unit_test(epochs_of_one_id_only_grow),
        cmocka_unit_test(children_are_paged_by_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
