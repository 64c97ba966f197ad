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

/* The answer stands in the queue behind the notice that the time is over. */
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
        cmocka_unit_test(a_bad_spec_is_refused),
        cmocka_unit_test(a_crashed_child_starts_again_on_its_thread),
        cmocka_unit_test(one_for_all_stops_the_others_first),
        cmocka_unit_test(too_many_crashes_end_the_supervisor),
        cmocka_unit_test(stop_during_the_start_breaks_it_off),
        cmocka_unit_test(supervisors_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
