/* test_shutdown.c - every way in which a supervisor itself ends: stop, a signal, a failed start, too many
 * restarts, a kill. */
#include "world.h"

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

static void stop_breaks_off_a_start_and_refuses_what_waits(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
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
    struct world *w = world_new(WORLD_THREE);
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

static void stop_waits_for_the_child_that_is_stopping_already(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
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

static void a_killed_supervisor_waits_for_nobody(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
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

static void everyone_who_asked_for_the_stop_is_answered_when_it_is_done(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    w->hold_stops = true;
    for (uint64_t i = 1; i <= 20; i++)
        world_stop(w, i, "\"shutdown\"");
    world_expect(w, "stop c 5000\n");
    w->hold_stops = false;
    world_run(w);
    assert_int_equal(w->replies, 20);
    assert_true(w->exited);
    world_delete(w);
}

static void the_first_reason_stays(void **state)
{
    (void)state;
    struct world *w = world_started("{ children = { { id = \"a\", behavior = \"w\" } } }");
    struct dz_buf other = literal("\"other\"");
    w->hold_stops = true;
    world_stop(w, 1, "{ code = \"first\" }");
    dz_sup_exit_signal(w->sup, w->now, other.data, other.len);
    world_stop(w, 2, "\"second\"");
    w->hold_stops = false;
    world_run(w);
    world_expect(w, "stop a 5000\n+ stopped a shutdown\n+ supervisor_stopped first\nexit first\nreply 1 "
                    "ok\nreply 2 ok\n");
    dz_buf_fini(&other);
    world_delete(w);
}

static void a_signal_stops_it_in_order_with_nobody_waiting(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    struct dz_buf reason = literal("\"noconnection\"");
    dz_sup_exit_signal(w->sup, w->now, reason.data, reason.len);
    world_run(w);
    world_expect(w, "stop c 5000\n+ stopped c shutdown\nstop b 5000\n+ stopped b shutdown\nstop a 5000\n+ "
                    "stopped a shutdown\n"
                    "+ supervisor_stopped noconnection\nexit noconnection\n");
    dz_sup_exit_signal(w->sup, w->now, reason.data, reason.len);
    world_run(w);
    world_expect(w, "");
    dz_buf_fini(&reason);
    world_delete(w);
}

static void one_that_is_superseded_tells_its_children_so(void **state)
{
    (void)state;
    struct world *w = world_started("{ children = { { id = \"a\", behavior = \"w\" } } }");
    struct dz_buf reason = literal("\"superseded\"");
    const struct dz_sup_action *a;
    dz_sup_exit_signal(w->sup, w->now, reason.data, reason.len);
    a = dz_sup_next_action(w->sup);
    assert_int_equal(a->type, DZ_SUP_STOP);
    assert_string_equal(a->as.stop.reason, "superseded");
    world_end(w, "a", "\"superseded\"");
    world_run(w);
    assert_true(w->exited);
    dz_buf_fini(&reason);
    world_delete(w);
}

static void too_many_restarts_stop_the_rest_and_say_so(void **state)
{
    (void)state;
    struct world *w =
        world_started("{ restart_intensity = { max_restarts = 1, within_ms = \"infinity\" }, "
                      "children = { { id = \"a\", behavior = \"w\" }, { id = \"b\", behavior = \"w\" } } }");
    const struct dz_sup_action *action;
    char text[512] = "";
    world_crash(w, "a");
    world_forget(w);
    w->hold_stops = true;
    world_crash(w, "a");
    world_expect(w, "stop b 5000\n");
    world_find(w, "b")->live = false;
    struct dz_buf shutdown = literal("\"shutdown\"");
    dz_sup_exited(w->sup, w->now, w->stops[0], shutdown.data, shutdown.len, DZ_SUP_EXITED);
    while ((action = dz_sup_next_action(w->sup)) != NULL)
        if (action->type == DZ_SUP_EXIT)
            dz_term_print(action->as.exit.reason, action->as.exit.len, text, sizeof text);
    assert_non_null(strstr(text, "code = \"max_restarts_exceeded\""));
    assert_non_null(strstr(text, "supervisor_id = \"sup\""));
    assert_non_null(strstr(text, "max_restarts = 1"));
    assert_non_null(strstr(text, "within_ms = \"infinity\""));
    assert_non_null(strstr(text, "cause = {code = \"error\", message = \"boom\"}"));
    dz_buf_fini(&shutdown);
    world_delete(w);
}

static void a_kill_takes_over_a_stop_that_is_under_way(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    struct dz_buf killed = literal("\"killed\"");
    w->hold_stops = true;
    world_stop(w, 1, "\"shutdown\"");
    world_forget(w);
    for (uint32_t i = 0; i < w->proc_count; i++)
        w->procs[i].live = false;
    dz_sup_abandon(w->sup, w->now, killed.data, killed.len);
    world_drain(w);
    world_expect(w, "+ stopped c killed\n+ stopped b killed\n+ stopped a killed\n+ supervisor_stopped "
                    "killed\nexit killed\nreply 1 ok\n");
    dz_sup_abandon(w->sup, w->now, killed.data, killed.len);
    world_drain(w);
    world_expect(w, "");
    dz_buf_fini(&killed);
    world_delete(w);
}

static void an_empty_supervisor_stops_at_once_and_refuses_what_comes_later(void **state)
{
    (void)state;
    struct world *w = world_started("{}");
    world_stop(w, 1, "\"normal\"");
    world_start_child(w, 2, "{ id = \"a\", behavior = \"w\" }");
    world_terminate_child(w, 3, "a");
    world_restart_child(w, 4, "a");
    world_stop(w, 5, "\"normal\"");
    world_expect(w, "+ supervisor_stopped normal\nexit normal\nreply 1 ok\nreply 2 supervisor_not_found\n"
                    "reply 3 supervisor_not_found\nreply 4 supervisor_not_found\nreply 5 ok\n");
    world_delete(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shutdown_timeouts_are_told_to_whoever_stops),
        cmocka_unit_test(stop_breaks_off_a_start_and_refuses_what_waits),
        cmocka_unit_test(a_start_that_was_broken_off_too_late_is_stopped),
        cmocka_unit_test(stop_while_booting_fails_the_start),
        cmocka_unit_test(stop_waits_for_the_child_that_is_stopping_already),
        cmocka_unit_test(a_killed_supervisor_waits_for_nobody),
        cmocka_unit_test(everyone_who_asked_for_the_stop_is_answered_when_it_is_done),
        cmocka_unit_test(the_first_reason_stays),
        cmocka_unit_test(a_signal_stops_it_in_order_with_nobody_waiting),
        cmocka_unit_test(one_that_is_superseded_tells_its_children_so),
        cmocka_unit_test(too_many_restarts_stop_the_rest_and_say_so),
        cmocka_unit_test(a_kill_takes_over_a_stop_that_is_under_way),
        cmocka_unit_test(an_empty_supervisor_stops_at_once_and_refuses_what_comes_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
