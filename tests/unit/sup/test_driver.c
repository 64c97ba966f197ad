/* test_driver.c - one supervisor on one node: start, crash, stop, kill, requests, queries, events. */
#include "tree.h"

#define THREE(strategy)                                                                                      \
    "{ strategy = \"" strategy                                                                               \
    "\", children = { { id = \"a\", behavior = \"ok\" }, { id = \"b\", behavior = \"ok\" }, "                \
    "{ id = \"c\", behavior = \"ok\" } } }"

static void children_start_in_order_and_then_the_pid_is_given(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_start(&w, "{ children = { { id = \"a\", behavior = \"ok\" }, { id = \"b\", behavior = \"slow\" }, "
                   "{ id = \"c\", behavior = \"ok\" } } }");
    tree_expect(&w, "init a;+child_started a;init b;");
    rig_pass_ms(&w.rig, 100);
    tree_expect(&w, "+child_started b;init c;+child_started c;+supervisor_started;#1 <pid>;");
    assert_int_equal(w.live, 3);
    assert_true(dz_pid_eq(tree_find(&w, "a")->parent, w.sup));
    tree_fini(&w);
}

static void a_failed_start_stops_what_was_started_in_reverse(void **state)
{
    (void)state;
    struct tree w;
    char text[512];
    tree_init(&w);
    tree_start(&w, "{ name = \"top\", children = { { id = \"a\", behavior = \"ok\" }, { id = \"b\", behavior "
                   "= \"lazy\" }, "
                   "{ id = \"c\", behavior = \"bad\" }, { id = \"d\", behavior = \"ok\" } } }");
    tree_expect(&w,
                "register top;init a;+child_started a;init b;+child_started b;init c;gone c;end b shutdown;");
    rig_pass_ms(&w.rig, 50);
    tree_expect(&w, "gone b;+child_stopped b shutdown;end a shutdown;gone a;+child_stopped a shutdown;"
                    "#1 !child_start_failed c {code=error,message=boom};");
    assert_string_equal(tree_text(w.last.data, w.last.len, text, sizeof text),
                        "{code=child_start_failed,message=the child did not start (supervisor top, child "
                        "c),supervisor_id=top,"
                        "child_id=c,cause={code=error,message=boom}}");
    assert_int_equal(w.live, 0);
    tree_fini(&w);
}

static void a_missing_behaviour_is_named(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_start(&w, "{ children = { { id = \"a\", behavior = \"missing\" } } }");
    tree_expect(&w, "#1 !behavior_not_found a ;");
    tree_fini(&w);
}

static void a_bad_spec_is_refused(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_start(&w, "{ children = { { id = 1, behavior = \"ok\" } } }");
    tree_expect(&w, "#1 !invalid_spec  ;");
    tree_fini(&w);
}

static void a_crashed_child_starts_again_on_its_thread(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, THREE("one_for_one"));
    struct dz_pid before = tree_find(&w, "b")->pid;
    uint32_t thread = atomic_load(&dz_table_find(&w.rig.rt.table, before)->thread);
    w.spread++; /* the next new child would go elsewhere */
    tree_crash(&w, "b");
    tree_expect(&w, "end b crash;gone b;init b;+child_restarted b 1 crash;");
    struct dz_pid after = tree_find(&w, "b")->pid;
    assert_false(dz_pid_eq(before, after));
    assert_int_equal(atomic_load(&dz_table_find(&w.rig.rt.table, after)->thread), thread);
    tree_fini(&w);
}

static void one_for_all_stops_the_others_first(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, THREE("one_for_all"));
    tree_crash(&w, "b");
    tree_expect(
        &w,
        "end b crash;gone b;end c shutdown;gone c;end a shutdown;gone a;init a;+child_restarted a 1 shutdown;"
        "init b;+child_restarted b 1 crash;init c;+child_restarted c 1 shutdown;");
    tree_fini(&w);
}

static void too_many_crashes_end_the_supervisor(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ restart_intensity = { max_restarts = 1, within_ms = 1000 }, children = { { id = \"a\", "
                "behavior = \"ok\" }, "
                "{ id = \"b\", behavior = \"ok\" } } }");
    tree_crash(&w, "a");
    tree_crash(&w, "a");
    tree_expect(
        &w, "end a crash;gone a;init a;+child_restarted a 1 crash;end a crash;gone a;end b shutdown;gone b;"
            "+child_stopped b shutdown;+child_stopped a crash;+supervisor_stopped max_restarts_exceeded;");
    assert_false(dz_driver_is_supervisor(&w.driver, w.sup));
    tree_fini(&w);
}

static void stop_goes_backwards_and_kills_who_takes_too_long(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\" }, { id = \"b\", behavior = \"stubborn\", "
                "shutdown_timeout = 200 }, "
                "{ id = \"c\", behavior = \"lazy\" }, { id = \"d\", behavior = \"ok\", shutdown_timeout = "
                "\"brutal_kill\" } } }");
    tree_stop(&w);
    tree_expect(&w, "gone d;+child_stopped d killed;end c shutdown;");
    rig_pass_ms(&w.rig, 50);
    tree_expect(&w, "gone c;+child_stopped c shutdown;end b shutdown;");
    rig_pass_ms(&w.rig, 199);
    tree_expect(&w, "");
    rig_pass_ms(&w.rig, 1);
    tree_expect(&w, "gone b;+child_stopped b killed;end a shutdown;gone a;+child_stopped a shutdown;"
                    "+supervisor_stopped normal;#2 nil;");
    tree_stop(&w);
    tree_expect(&w, "#3 nil;");
    tree_fini(&w);
}

static void simple_one_for_one_stops_all_at_once(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ strategy = \"simple_one_for_one\", child_template = { behavior = \"lazy\" } }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ 1 }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ 2 }");
    tree_expect(&w, "init child_1;+child_started child_1;#2 [<pid>,child_1];"
                    "init child_2;+child_started child_2;#3 [<pid>,child_2];");
    tree_stop(&w);
    tree_expect(&w, "end child_1 shutdown;end child_2 shutdown;");
    rig_pass_ms(&w.rig, 50);
    assert_int_equal(w.live, 0);
    tree_expect(&w,
                "gone child_1;gone child_2;+child_stopped child_1 shutdown;+child_stopped child_2 shutdown;"
                "+supervisor_stopped normal;#4 nil;");
    tree_fini(&w);
}

static void a_start_that_takes_too_long_is_cancelled(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"never\", start_timeout = 300 }");
    rig_pass_ms(&w.rig, 299);
    tree_expect(&w, "init a;");
    rig_pass_ms(&w.rig, 1);
    tree_expect(&w, "gone a;#2 !timeout a ;");
    tree_ask(&w, DZ_REQ_CHILDREN, "nil");
    tree_expect(&w, "#3 [];");
    tree_fini(&w);
}

/* The answer stands in the queue behind the notice that the time is over. */
static void a_start_that_completes_too_late_is_stopped(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"slow\", start_timeout = 100 }");
    tree_expect(&w, "init a;");
    w.rig.now_ns += 100 * RIG_MS;
    for (uint32_t i = 1; i < RIG_THREADS; i++) { /* the child's thread is ahead of the supervisor's */
        struct dz_thread *t = &w.rig.threads[i];
        t->now_ns = w.rig.now_ns;
        dz_timers_run(t, t->now_ns);
    }
    rig_turn(&w.rig);
    tree_expect(&w, "gone a;#2 !timeout a ;");
    assert_int_equal(w.live, 0);
    tree_fini(&w);
}

static void stop_during_the_start_breaks_it_off(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_start(&w,
               "{ children = { { id = \"a\", behavior = \"ok\" }, { id = \"b\", behavior = \"never\" } } }");
    tree_expect(&w, "init a;+child_started a;init b;");
    tree_stop(&w);
    tree_expect(
        &w,
        "gone b;end a shutdown;gone a;+child_stopped a shutdown;#1 !child_start_failed b shutdown;#2 nil;");
    assert_int_equal(w.live, 0);
    tree_fini(&w);
}

static void a_killed_supervisor_takes_its_subtree_along_and_answers_everybody(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\" }, { id = \"n\", supervisor = { children = { "
                "{ id = \"x\", behavior = \"lazy\" } } } } } }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"s\", behavior = \"never\" }");
    tree_ask(&w, DZ_REQ_RESTART_CHILD, "\"a\"");
    tree_expect(&w, "init s;");
    tree_signal(&w, DZ_MSG_KILL, DZ_REASON_KILLED);
    tree_expect(
        &w,
        "end a killed;gone a;#2 !child_start_failed s shutdown;#3 !supervisor_not_found  ;"
        "+child_stopped n killed;+child_stopped a killed;+supervisor_stopped killed;+child_stopped x killed;"
        "+supervisor_stopped killed;gone s;end x killed;");
    rig_pass_ms(&w.rig, 50);
    tree_expect(&w, "gone x;");
    assert_int_equal(w.live, 0);
    tree_ask(&w, DZ_REQ_STATS, "nil");
    tree_expect(&w, "#4 !noproc  ;");
    tree_fini(&w);
}

static void the_exit_of_a_linked_process_stops_it_in_order(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_post_start(&w, THREE("one_for_one"), DZ_SPAWN_LINK);
    rig_turn(&w.rig);
    w.rig.len = 0;
    tree_signal(&w, DZ_MSG_EXIT, DZ_REASON_NORMAL);
    tree_expect(&w,
                "init a;+child_started a;init b;+child_started b;init c;+child_started c;+supervisor_started;"
                "#1 <pid>;");
    tree_signal(&w, DZ_MSG_EXIT, DZ_REASON_NOCONNECTION);
    tree_expect(
        &w, "end c shutdown;gone c;+child_stopped c shutdown;end b shutdown;gone b;+child_stopped b shutdown;"
            "end a shutdown;gone a;+child_stopped a shutdown;+supervisor_stopped noconnection;");
    tree_fini(&w);
}

static void its_parents_end_ends_it_at_once(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, THREE("one_for_one"));
    tree_signal(&w, DZ_MSG_PARENT_EXIT, DZ_REASON_KILLED);
    tree_expect(
        &w,
        "+child_stopped c killed;+child_stopped b killed;+child_stopped a killed;+supervisor_stopped killed;"
        "end a killed;gone a;end b killed;gone b;end c killed;gone c;");
    assert_int_equal(w.live, 0);
    tree_fini(&w);
}

static void children_are_added_restarted_and_terminated(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\" } } }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"b\", behavior = \"flaky\" }");
    tree_expect(&w, "init b;+child_started b;#2 [<pid>,b];");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"b\", behavior = \"ok\" }");
    tree_expect(&w, "#3 !duplicate_child b ;");
    tree_ask(&w, DZ_REQ_RESTART_CHILD, "\"b\"");
    tree_expect(&w, "end b shutdown;gone b;init b;+child_restarted b 1 shutdown;#4 <pid>;");
    w.bad_inits = 1;
    tree_ask(&w, DZ_REQ_RESTART_CHILD, "\"b\"");
    tree_expect(&w, "end b shutdown;gone b;init b;gone b;#5 !child_start_failed b {code=error,message=boom};"
                    "+child_stopped b shutdown;");
    tree_ask(&w, DZ_REQ_TERMINATE_CHILD, "\"b\"");
    tree_ask(&w, DZ_REQ_TERMINATE_CHILD, "\"b\"");
    tree_ask(&w, DZ_REQ_TERMINATE_CHILD, "7");
    tree_ask(&w, DZ_REQ_CLUSTER_STATUS, "\"b\"");
    tree_expect(&w, "#6 nil;#7 !child_not_found b ;#8 !bad_argument  ;#9 !bad_argument  ;");
    tree_fini(&w);
}

static void terminate_child_overtakes_the_start_of_that_child(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"never\" }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"b\", behavior = \"ok\" }");
    tree_ask(&w, DZ_REQ_TERMINATE_CHILD, "\"a\"");
    tree_expect(
        &w, "init a;gone a;#2 !child_start_failed a shutdown;#4 nil;init b;+child_started b;#3 [<pid>,b];");
    tree_fini(&w);
}

static void queries_are_answered_while_an_init_is_slow(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ name = \"top\", children = { { id = \"a\", behavior = \"ok\" }, { id = \"b\", behavior = "
                "\"ok\" } } }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"s\", behavior = \"slow\" }");
    tree_expect(&w, "init s;");
    tree_ask(&w, DZ_REQ_CHILDREN, "{ from = 2, limit = 2 }");
    tree_ask(&w, DZ_REQ_CHILD, "\"s\"");
    tree_ask(&w, DZ_REQ_CHILD, "\"x\"");
    tree_ask(&w, DZ_REQ_COUNT_CHILDREN, "nil");
    tree_ask(&w, DZ_REQ_STATS, "nil");
    tree_ask(&w, DZ_REQ_IS_SUPERVISOR, "nil");
    tree_expect(
        &w,
        "#3 [{id=b,pid=<pid>,node_id=local@127.0.0.1:0,status=running,restart_count=0,started_at=1000,spec={i"
        "d=b,behavior=ok},epoch=7.1},{id=s,pid=nil,node_id=nil,status=starting,restart_count=0,started_at=0,s"
        "pec={id=s,behavior=slow},epoch=7.1}];"
        "#4 {id=s,pid=nil,node_id=nil,status=starting,restart_count=0,started_at=0,spec={id=s,behavior=slow},"
        "epoch=7.1};#5 nil;#6 {specs=3,active=2,supervisors=0,workers=3};"
        "#7 {id=top,strategy=one_for_one,child_count=3,children_by_node={local@127.0.0.1:0=2},total_restarts="
        "0,node_failure_restarts=0,started_at=1000,uptime_ms=0};#8 true;");
    tree_ask(&w, DZ_REQ_CHILDREN, "{ from = 9 }");
    tree_ask(&w, DZ_REQ_CHILDREN, "{ limit = 0 }");
    tree_expect(&w, "#9 [];#10 [];");
    rig_pass_ms(&w.rig, 100);
    tree_expect(&w, "+child_started s;#2 [<pid>,s];");
    tree_fini(&w);
}

static void events_have_the_fields_that_are_promised(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.full_events = true;
    tree_start(&w, "{ name = \"top\", children = { { id = \"a\", behavior = \"ok\" } } }");
    tree_expect(
        &w, "register top;init a;"
            "{type=child_started,supervisor_id=top,child_id=a,node_id=local@127.0.0.1:0,pid=<pid>,epoch=7.1};"
            "{type=supervisor_started,ref={id=top,node_id=local@127.0.0.1:0}};#1 <pid>;");
    tree_crash(&w, "a");
    tree_expect(&w, "end a crash;gone a;init a;"
                    "{type=child_restarted,supervisor_id=top,child_id=a,node_id=local@127.0.0.1:0,attempt=1,"
                    "reason=crash};");
    tree_stop(&w);
    tree_expect(&w, "end a shutdown;gone a;{type=child_stopped,supervisor_id=top,child_id=a,reason=shutdown};"
                    "{type=supervisor_stopped,ref={id=top,node_id=local@127.0.0.1:0},reason=normal};#2 nil;");
    tree_fini(&w);
}

static void a_call_is_not_for_a_supervisor(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = {} }");
    w.asked++;
    assert_int_equal(actor_send(&w.rig.threads[0], DZ_MSG_CALL, w.desk, w.sup, w.asked, 1), 0);
    assert_int_equal(actor_send(&w.rig.threads[0], DZ_MSG_SEND, w.desk, w.sup, 0, 1), 0);
    rig_turn(&w.rig);
    tree_expect(&w, "#2 !unhandled_call  ;");
    tree_fini(&w);
}

static void supervisors_are_listed(void **state)
{
    (void)state;
    struct tree w;
    struct dz_pid pids[4];
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"n\", supervisor = { children = {} } } } }");
    assert_int_equal(dz_driver_list(&w.driver, false, pids, 4), 2);
    assert_int_equal(dz_driver_list(&w.driver, true, pids, 4), 1);
    assert_true(dz_pid_eq(pids[0], w.sup));
    assert_int_equal(dz_driver_list(&w.driver, false, NULL, 0), 2);
    assert_false(dz_driver_is_supervisor(&w.driver, w.desk));
    tree_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_start_in_order_and_then_the_pid_is_given),
        cmocka_unit_test(a_failed_start_stops_what_was_started_in_reverse),
        cmocka_unit_test(a_missing_behaviour_is_named),
        cmocka_unit_test(a_bad_spec_is_refused),
        cmocka_unit_test(a_crashed_child_starts_again_on_its_thread),
        cmocka_unit_test(one_for_all_stops_the_others_first),
        cmocka_unit_test(too_many_crashes_end_the_supervisor),
        cmocka_unit_test(stop_goes_backwards_and_kills_who_takes_too_long),
        cmocka_unit_test(simple_one_for_one_stops_all_at_once),
        cmocka_unit_test(a_start_that_takes_too_long_is_cancelled),
        cmocka_unit_test(a_start_that_completes_too_late_is_stopped),
        cmocka_unit_test(stop_during_the_start_breaks_it_off),
        cmocka_unit_test(a_killed_supervisor_takes_its_subtree_along_and_answers_everybody),
        cmocka_unit_test(the_exit_of_a_linked_process_stops_it_in_order),
        cmocka_unit_test(its_parents_end_ends_it_at_once),
        cmocka_unit_test(children_are_added_restarted_and_terminated),
        cmocka_unit_test(terminate_child_overtakes_the_start_of_that_child),
        cmocka_unit_test(queries_are_answered_while_an_init_is_slow),
        cmocka_unit_test(events_have_the_fields_that_are_promised),
        cmocka_unit_test(a_call_is_not_for_a_supervisor),
        cmocka_unit_test(supervisors_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
