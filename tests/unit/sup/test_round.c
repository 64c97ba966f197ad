/* Restarts, strategies, retries, intensity, backoff and auto-shutdown (semantics 3, 4, 5). */
#include "world.h"

#define CHILD(id, more) "{ id = \"" id "\", behavior = \"w\" " more "}"
#define THREE(strategy)                                                                                      \
    "{ strategy = \"" strategy                                                                               \
    "\", children = { " CHILD("a", "") ", " CHILD("b", "") ", " CHILD("c", "") " } }"

static void one_for_one_restarts_only_the_dead_child(void **state)
{
    (void)state;
    struct world *w = world_started(THREE("one_for_one"));
    world_crash(w, "b");
    world_expect(w, "start b@0\n+ restarted b 1 boom\n");
    world_end(w, "b", "\"normal\"");
    world_run(w);
    world_expect(w, "start b@0\n+ restarted b 2 normal\n");
    world_delete(w);
}

static void one_for_all_stops_in_reverse_and_starts_in_order(void **state)
{
    (void)state;
    struct world *w = world_started(THREE("one_for_all"));
    struct dz_sup_stats stats;
    world_crash(w, "b");
    world_expect(
        w, "stop c 5000\nstop a 5000\nstart a@0\n+ restarted a 1 shutdown\nstart b@0\n+ restarted b 1 boom\n"
           "start c@0\n+ restarted c 1 shutdown\n");
    dz_sup_stats(w->sup, &stats);
    assert_int_equal(stats.total_restarts, 1);
    world_delete(w);
}

static void rest_for_one_leaves_earlier_children_alone(void **state)
{
    (void)state;
    struct world *w = world_started(THREE("rest_for_one"));
    world_crash(w, "b");
    world_expect(w, "stop c 5000\nstart b@0\n+ restarted b 1 boom\nstart c@0\n+ restarted c 1 shutdown\n");
    world_crash(w, "c");
    world_expect(w, "start c@0\n+ restarted c 2 boom\n");
    world_delete(w);
}

static void restart_types_decide_who_comes_back(void **state)
{
    (void)state;
    struct world *w = world_started("{ children = { " CHILD("t", ", restart = \"transient\"") ", " CHILD(
        "x", ", restart = \"temporary\"") " } }");
    world_end(w, "t", "\"normal\"");
    world_end(w, "x", "\"oops\"");
    world_run(w);
    world_expect(w, "+ stopped t normal\n+ stopped x oops\n");
    world_expect_children(w, "t:stopped");
    world_restart_child(w, 1, "t");
    world_expect(w, "start t@0\n+ restarted t 1 normal\nreply 1 ok t\n");
    world_end(w, "t", "{ code = \"shutdown\", why = 1 }");
    world_run(w);
    world_expect(w, "+ stopped t shutdown\n");
    world_restart_child(w, 2, "t");
    world_forget(w);
    world_crash(w, "t");
    world_expect(w, "start t@0\n+ restarted t 3 boom\n");
    world_delete(w);
}

static void a_round_removes_temporary_siblings_and_revives_stopped_ones(void **state)
{
    (void)state;
    struct world *w = world_started("{ strategy = \"one_for_all\", children = { " CHILD("a", "") ", " CHILD(
        "x", ", restart = \"temporary\"") ", " CHILD("t", ", restart = \"transient\"") " } }");
    world_end(w, "t", "\"normal\"");
    world_run(w);
    world_expect(w, "+ stopped t normal\n");
    world_crash(w, "a");
    world_expect(w, "stop x 5000\n+ stopped x shutdown\nstart a@0\n+ restarted a 1 boom\nstart t@0\n"
                    "+ restarted t 1 normal\n");
    world_expect_children(w, "a:running t:running");
    world_delete(w);
}

static void a_temporary_crash_never_starts_a_round(void **state)
{
    (void)state;
    struct world *w = world_started("{ strategy = \"one_for_all\", children = { " CHILD("a", "") ", " CHILD(
        "x", ", restart = \"temporary\"") " } }");
    world_crash(w, "x");
    world_expect(w, "+ stopped x boom\n");
    world_delete(w);
}

static void two_crashes_in_one_moment_make_one_round(void **state)
{
    (void)state;
    struct world *w = world_started(THREE("one_for_all"));
    struct dz_sup_stats stats;
    struct dz_pid stale = world_find(w, "c")->pid;
    world_end(w, "b", "\"one\"");
    world_end(w, "a", "\"two\"");
    w->hold_stops = true;
    world_run(w);
    world_expect(w, "stop c 5000\n");
    world_end(w, "c", "\"three\"");
    world_run(w);
    world_expect(
        w,
        "start a@0\n+ restarted a 1 two\nstart b@0\n+ restarted b 1 one\nstart c@0\n+ restarted c 1 three\n");
    dz_sup_stats(w->sup, &stats);
    assert_int_equal(stats.total_restarts, 1);
    struct dz_buf late = literal("\"late\"");
    dz_sup_exited(w->sup, w->now, stale, late.data, late.len, DZ_SUP_EXITED);
    world_run(w);
    world_expect(w, "");
    dz_buf_fini(&late);
    world_delete(w);
}

static void a_child_that_crashes_behind_a_round_starts_the_next_one(void **state)
{
    (void)state;
    struct world *w = world_started(THREE("one_for_all"));
    world_crash(w, "b");
    world_forget(w);
    world_end(w, "c", "\"one\"");
    while (w->start_count < 8)
        assert_true(world_step(w));
    world_end(w, "a", "\"two\"");
    w->hold_starts = true;
    world_run(w);
    world_expect(w, "stop b 5000\nstop a 5000\nstart a@0\n+ restarted a 2 shutdown\nstart b@0\n");
    world_expect_children(w, "a:restarting b:restarting c:restarting");
    w->hold_starts = false;
    world_run(w);
    world_expect(
        w, "+ restarted b 2 shutdown\nstart c@0\n+ restarted c 2 one\nstop c 5000\nstop b 5000\nstart a@0\n"
           "+ restarted a 3 two\nstart b@0\n+ restarted b 3 shutdown\nstart c@0\n+ restarted c 3 shutdown\n");
    world_delete(w);
}

static void a_failed_restart_counts_and_is_tried_again(void **state)
{
    (void)state;
    struct world *w = world_started(THREE("one_for_one"));
    world_fail(w, "b", 2);
    world_crash(w, "b");
    world_expect(w, "start b@0\nstart b@0\nstart b@0\n+ restarted b 1 boom\n");
    world_fail(w, "b", 1);
    world_crash(w, "b");
    world_expect(w, "stop c 5000\n+ stopped c shutdown\n+ stopped b boom\nstop a 5000\n+ stopped a shutdown\n"
                    "+ supervisor_stopped max_restarts_exceeded\nexit max_restarts_exceeded\n");
    world_delete(w);
}

static void a_failed_round_of_one_for_all_starts_over(void **state)
{
    (void)state;
    struct world *w = world_started(THREE("one_for_all"));
    world_fail(w, "b", 1);
    world_crash(w, "c");
    world_expect(
        w,
        "stop b 5000\nstop a 5000\nstart a@0\n+ restarted a 1 shutdown\nstart b@0\nstop a 5000\nstart a@0\n"
        "+ restarted a 2 shutdown\nstart b@0\n+ restarted b 1 shutdown\nstart c@0\n+ restarted c 1 boom\n");
    world_delete(w);
}

static void a_failed_round_of_rest_for_one_goes_on_from_the_failed_child(void **state)
{
    (void)state;
    struct world *w = world_started(THREE("rest_for_one"));
    world_fail(w, "b", 1);
    world_crash(w, "a");
    world_expect(w, "stop c 5000\nstop b 5000\nstart a@0\n+ restarted a 1 boom\nstart b@0\nstart b@0\n"
                    "+ restarted b 1 shutdown\nstart c@0\n+ restarted c 1 shutdown\n");
    world_delete(w);
}

#define SLOW_B(strategy)                                                                                     \
    "{ strategy = \"" strategy "\", children = { " CHILD("a", "") ", " CHILD(                                \
        "b", ", backoff = { initial_ms = 100, jitter = 0, reset_after_ms = 1000 }") ", " CHILD("c",          \
                                                                                               "") " } }"

static void terminate_child_of_the_blocking_child_lets_the_round_go_on(void **state)
{
    (void)state;
    struct world *w = world_started(SLOW_B("rest_for_one"));
    world_fail(w, "b", 1);
    world_crash(w, "a");
    world_expect(w, "stop c 5000\nstop b 5000\nstart a@0\n+ restarted a 1 boom\nstart b@0\ntimer 100\n");
    world_expect_children(w, "a:running b:restarting c:restarting");
    world_terminate_child(w, 1, "b");
    world_expect(w, "+ stopped b shutdown\nreply 1 ok\nstart c@0\ntimer off\n+ restarted c 1 shutdown\n");
    world_expect_children(w, "a:running c:running");
    world_delete(w);
}

static void a_manual_restart_of_the_blocking_child_lets_the_round_go_on(void **state)
{
    (void)state;
    struct world *w = world_started(SLOW_B("one_for_all"));
    world_crash(w, "b");
    world_expect(w, "stop c 5000\nstop a 5000\ntimer 100\n");
    world_expect_children(w, "a:restarting b:restarting c:restarting");
    world_restart_child(w, 1, "b");
    world_expect(
        w, "timer off\nstart b@0\n+ restarted b 1 boom\nreply 1 ok b\nstart a@0\n+ restarted a 1 shutdown\n"
           "start c@0\n+ restarted c 1 shutdown\n");
    world_delete(w);
}

static void backoff_delays_grow_and_reset_after_a_healthy_run(void **state)
{
    (void)state;
    struct world *w = world_started(SLOW_B("one_for_one"));
    world_crash(w, "b");
    world_expect(w, "timer 100\n");
    world_expect_children(w, "a:running b:restarting c:running");
    world_pass(w, 99);
    world_expect(w, "timer 1\n");
    world_pass(w, 1);
    world_expect(w, "start b@0\n+ restarted b 1 boom\n");
    world_crash(w, "b");
    world_expect(w, "timer 200\n");
    world_pass(w, 200);
    world_forget(w);
    w->now += 1000;
    world_crash(w, "b");
    world_expect(w, "timer 100\n");
    world_delete(w);
}

static void a_delayed_restart_dies_with_the_supervisor(void **state)
{
    (void)state;
    struct world *w = world_started(SLOW_B("one_for_one"));
    world_crash(w, "b");
    world_forget(w);
    world_stop(w, 1, "\"shutdown\"");
    world_expect(
        w,
        "stop c 5000\ntimer off\n+ stopped c shutdown\n+ stopped b boom\nstop a 5000\n+ stopped a shutdown\n"
        "+ supervisor_stopped shutdown\nexit shutdown\nreply 1 ok\n");
    world_delete(w);
}

static void a_delayed_retry_that_would_be_too_many_is_not_waited_for(void **state)
{
    (void)state;
    struct world *w = world_started("{ restart_intensity = { max_restarts = 1 }, children = { " CHILD(
        "a", ", backoff = { initial_ms = 100, jitter = 0 }") " } }");
    world_fail(w, "a", 1);
    world_crash(w, "a");
    world_pass(w, 100);
    world_expect(w, "timer 100\nstart a@0\n+ stopped a boom\n+ supervisor_stopped max_restarts_exceeded\n"
                    "exit max_restarts_exceeded\n");
    world_delete(w);
}

static void the_window_is_inclusive_at_its_boundary(void **state)
{
    (void)state;
    const char *spec =
        "{ restart_intensity = { max_restarts = 2, within_ms = 1000 }, children = { " CHILD("a", "") " } }";
    struct world *w = world_started(spec);
    world_crash(w, "a");
    world_crash(w, "a");
    w->now += 1001;
    world_crash(w, "a");
    assert_false(w->exited);
    world_crash(w, "a");
    world_delete(w);
    w = world_started(spec);
    world_crash(w, "a");
    world_crash(w, "a");
    w->now += 1000;
    world_crash(w, "a");
    assert_true(w->exited);
    world_delete(w);
}

static void max_restarts_zero_ends_with_the_first_restart_and_says_why(void **state)
{
    (void)state;
    struct world *w = world_started(
        "{ restart_intensity = { max_restarts = 0, within_ms = 7 }, children = { " CHILD("a", "") " } }");
    const struct dz_sup_action *a;
    char reason[256] = "";
    struct world_proc *p = world_find(w, "a");
    struct dz_buf oops = literal("\"oops\"");
    p->live = false;
    dz_sup_exited(w->sup, w->now, p->pid, oops.data, oops.len, DZ_SUP_EXITED);
    while ((a = dz_sup_next_action(w->sup)) != NULL)
        if (a->type == DZ_SUP_EXIT)
            dz_term_print(a->as.exit.reason, a->as.exit.len, reason, sizeof reason);
    assert_string_equal(
        reason,
        "{code = \"max_restarts_exceeded\", supervisor_id = \"sup\", max_restarts = 0, within_ms = 7, "
        "cause = \"oops\"}");
    dz_buf_fini(&oops);
    world_delete(w);
}

#define AUTO(when)                                                                                           \
    "{ auto_shutdown = \"" when "\", children = { " CHILD("a", "") ", " CHILD(                               \
        "s", ", significant = true") ", " CHILD("t", ", significant = true, restart = \"transient\"") " } }"

static void any_significant_child_that_ends_shuts_the_supervisor_down(void **state)
{
    (void)state;
    struct world *w = world_started(AUTO("any_significant"));
    world_crash(w, "t");
    world_crash(w, "a");
    world_forget(w);
    world_crash(w, "s");
    world_expect(w, "+ stopped s boom\nstop t 5000\n+ stopped t shutdown\nstop a 5000\n+ stopped a shutdown\n"
                    "+ supervisor_stopped shutdown\nexit shutdown\n");
    world_delete(w);
}

static void all_significant_children_must_end_first(void **state)
{
    (void)state;
    struct world *w = world_started(AUTO("all_significant"));
    world_crash(w, "s");
    world_expect(w, "+ stopped s boom\n");
    world_end(w, "t", "\"normal\"");
    world_run(w);
    world_expect(w, "+ stopped t normal\nstop a 5000\n+ stopped a shutdown\n+ supervisor_stopped "
                    "shutdown\nexit shutdown\n");
    world_delete(w);
}

static void an_end_that_waits_its_turn_does_not_shut_down_before_it(void **state)
{
    (void)state;
    struct world *w = world_started(AUTO("all_significant"));
    world_end(w, "a", "\"boom\"");
    world_end(w, "s", "\"boom\"");
    struct dz_buf n = literal("{ id = \"n\", behavior = \"w\", significant = true }");
    dz_sup_start_child(w->sup, w->now, 1, n.data, n.len);
    world_drain(w);
    dz_buf_fini(&n);
    world_end(w, "t", "\"normal\"");
    world_run(w);
    world_expect(w, "start a@0\n+ restarted a 1 boom\n+ stopped s boom\nstart n@0\n+ started n\nreply 1 ok n\n"
                    "+ stopped t normal\n");
    assert_true(dz_sup_is_running(w->sup));
    world_delete(w);
}

static void terminate_child_of_a_significant_child_shuts_nothing_down(void **state)
{
    (void)state;
    struct world *w = world_started(AUTO("any_significant"));
    world_terminate_child(w, 1, "s");
    world_terminate_child(w, 2, "t");
    world_expect(
        w, "stop s 5000\n+ stopped s shutdown\nreply 1 ok\nstop t 5000\n+ stopped t shutdown\nreply 2 ok\n");
    assert_true(dz_sup_is_running(w->sup));
    world_delete(w);
}

static void a_significant_sibling_stopped_by_a_round_shuts_nothing_down(void **state)
{
    (void)state;
    struct world *w = world_started(
        "{ strategy = \"one_for_all\", auto_shutdown = \"any_significant\", children = { " CHILD(
            "a", "") ", " CHILD("s", ", significant = true") " } }");
    world_crash(w, "a");
    world_expect(w, "stop s 5000\n+ stopped s shutdown\nstart a@0\n+ restarted a 1 boom\n");
    world_delete(w);
}

static void a_superseded_child_counts_nowhere_and_stays_ended(void **state)
{
    (void)state;
    struct world *w =
        world_started("{ restart_intensity = { max_restarts = 0 }, children = { " CHILD("a", "") " } }");
    struct world_proc *p = world_find(w, "a");
    struct dz_buf reason = literal("\"superseded\"");
    p->live = false;
    dz_sup_exited(w->sup, w->now, p->pid, reason.data, reason.len, DZ_SUP_SUPERSEDED);
    world_run(w);
    world_expect(w, "+ stopped a superseded\n");
    world_expect_children(w, "a:stopped");
    dz_buf_fini(&reason);
    world_delete(w);
}

static void stop_in_the_middle_of_a_round_takes_it_over(void **state)
{
    (void)state;
    struct world *w = world_started(THREE("one_for_all"));
    w->hold_stops = true;
    world_crash(w, "a");
    world_stop(w, 1, "\"shutdown\"");
    world_expect(w, "stop c 5000\n");
    w->hold_stops = false;
    world_run(w);
    world_expect(w, "+ stopped c shutdown\nstop b 5000\n+ stopped b shutdown\n+ stopped a boom\n"
                    "+ supervisor_stopped shutdown\nexit shutdown\nreply 1 ok\n");
    world_delete(w);
    w = world_started(THREE("one_for_all"));
    w->hold_starts = true;
    world_crash(w, "a");
    world_stop(w, 1, "\"shutdown\"");
    world_expect(w, "stop c 5000\nstop b 5000\nstart a@0\ncancel a\n"
                    "+ stopped c shutdown\n+ stopped b shutdown\n");
    w->hold_starts = false;
    world_run(w);
    world_expect(w, "+ stopped a boom\n+ supervisor_stopped shutdown\nexit shutdown\nreply 1 ok\n");
    world_delete(w);
}

static void one_crash_among_many_children_asks_for_one_start(void **state)
{
    (void)state;
    struct world *w =
        world_started("{ strategy = \"simple_one_for_one\", child_template = { behavior = \"w\" } }");
    for (int i = 0; i < 2000; i++)
        world_start_child(w, 1, "{}");
    world_forget(w);
    world_crash(w, "child_1000");
    world_expect(w, "start child_1000@0\n+ restarted child_1000 1 boom\n");
    world_stop(w, 2, "\"normal\"");
    assert_true(w->exited);
    world_delete(w);
}

static void simple_one_for_one_forgets_who_ended_normally(void **state)
{
    (void)state;
    struct world *w = world_started(
        "{ strategy = \"simple_one_for_one\", child_template = { behavior = \"w\", restart = \"transient\" } }");
    world_start_child(w, 1, "{}");
    world_start_child(w, 2, "{}");
    world_forget(w);
    world_end(w, "child_1", "\"normal\"");
    world_run(w);
    world_expect(w, "+ stopped child_1 normal\n");
    world_expect_children(w, "child_2:running");
    world_restart_child(w, 3, "child_1");
    world_expect(w, "reply 3 child_not_found\n");
    world_crash(w, "child_2");
    world_expect(w, "start child_2@0\n+ restarted child_2 1 boom\n");
    world_delete(w);
}

/* As in OTP, where a child has no pid while a round that was interrupted has not reached it. */
static void a_child_that_a_round_has_not_reached_does_not_keep_the_supervisor(void **state)
{
    (void)state;
    struct world *w = world_started("{ strategy = \"one_for_all\", auto_shutdown = \"all_significant\", children = { "
                                    CHILD("s", ", significant = true, restart = \"transient\"") ", " CHILD("b", "") ", "
                                    CHILD("t", ", significant = true, restart = \"transient\"") " } }");
    world_fail(w, "b", 1);
    world_end(w, "b", "\"boom\"");
    while (w->start_next + 1 < w->start_count || w->starts[w->start_count - 1].id[0] != 'b')
        assert_true(world_step(w)); /* until b is starting again */
    world_end(w, "s", "\"normal\"");
    world_forget(w);
    world_run(w);
    world_expect(w, "+ stopped s normal\n+ stopped t shutdown\n+ stopped b boom\n+ supervisor_stopped shutdown\nexit shutdown\n");
    world_delete(w);
}

/* The retry that a round of another child has overtaken stays in its place of the queue, and finds the child failed again. */
static void a_retry_keeps_its_place_although_a_round_came_before_it(void **state)
{
    (void)state;
    struct world *w = world_started("{ strategy = \"rest_for_one\", restart_intensity = { max_restarts = 9 }, children = { "
                                    CHILD("a", "") ", " CHILD("b", "") " } }");
    struct dz_buf n = literal("{ id = \"n\", behavior = \"w\" }");
    world_fail(w, "b", 2);
    w->hold_starts = true;
    world_end(w, "b", "\"boom\"");
    world_end(w, "a", "\"boom\"");
    w->hold_starts = false;
    assert_true(world_step(w)); /* b fails; the round of a begins */
    dz_sup_start_child(w->sup, w->now, 1, n.data, n.len);
    world_run(w);
    world_expect(w, "start b@0\nstart a@0\n+ restarted a 1 boom\nstart b@0\nstart b@0\n+ restarted b 1 boom\n"
                    "start n@0\n+ started n\nreply 1 ok n\n");
    dz_buf_fini(&n);
    world_delete(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_for_one_restarts_only_the_dead_child),
        cmocka_unit_test(one_for_all_stops_in_reverse_and_starts_in_order),
        cmocka_unit_test(rest_for_one_leaves_earlier_children_alone),
        cmocka_unit_test(restart_types_decide_who_comes_back),
        cmocka_unit_test(a_round_removes_temporary_siblings_and_revives_stopped_ones),
        cmocka_unit_test(a_temporary_crash_never_starts_a_round),
        cmocka_unit_test(two_crashes_in_one_moment_make_one_round),
        cmocka_unit_test(a_child_that_crashes_behind_a_round_starts_the_next_one),
        cmocka_unit_test(a_failed_restart_counts_and_is_tried_again),
        cmocka_unit_test(a_failed_round_of_one_for_all_starts_over),
        cmocka_unit_test(a_failed_round_of_rest_for_one_goes_on_from_the_failed_child),
        cmocka_unit_test(terminate_child_of_the_blocking_child_lets_the_round_go_on),
        cmocka_unit_test(a_manual_restart_of_the_blocking_child_lets_the_round_go_on),
        cmocka_unit_test(backoff_delays_grow_and_reset_after_a_healthy_run),
        cmocka_unit_test(a_delayed_restart_dies_with_the_supervisor),
        cmocka_unit_test(a_delayed_retry_that_would_be_too_many_is_not_waited_for),
        cmocka_unit_test(the_window_is_inclusive_at_its_boundary),
        cmocka_unit_test(max_restarts_zero_ends_with_the_first_restart_and_says_why),
        cmocka_unit_test(any_significant_child_that_ends_shuts_the_supervisor_down),
        cmocka_unit_test(all_significant_children_must_end_first),
        cmocka_unit_test(an_end_that_waits_its_turn_does_not_shut_down_before_it),
        cmocka_unit_test(a_child_that_a_round_has_not_reached_does_not_keep_the_supervisor),
        cmocka_unit_test(a_retry_keeps_its_place_although_a_round_came_before_it),
        cmocka_unit_test(terminate_child_of_a_significant_child_shuts_nothing_down),
        cmocka_unit_test(a_significant_sibling_stopped_by_a_round_shuts_nothing_down),
        cmocka_unit_test(a_superseded_child_counts_nowhere_and_stays_ended),
        cmocka_unit_test(stop_in_the_middle_of_a_round_takes_it_over),
        cmocka_unit_test(one_crash_among_many_children_asks_for_one_start),
        cmocka_unit_test(simple_one_for_one_forgets_who_ended_normally),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
