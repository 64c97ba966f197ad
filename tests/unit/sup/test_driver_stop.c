/* test_driver_stop.c - stops of children, until their processes are gone: in order, at once, too slow, on
 * another node. */
#include "tree.h"

#define ON_FAR "node_selector = { node = \"" FAR_NODE "\" }"

/* A process here and one there have the same slot and generation. */
static struct tree_far *stop_twins(struct tree *w)
{
    w->far_there = w->far_disobeys = true;
    tree_up(w, "{ strategy = \"simple_one_for_one\", node_selector = \"round_robin\", "
               "child_template = { behavior = \"stubborn\", shutdown_timeout = 100 } }");
    tree_ask(w, DZ_REQ_START_CHILD, "{}");
    struct dz_pid here = tree_find(w, "child_1")->pid;
    w->far_holds = true;
    tree_ask(w, DZ_REQ_START_CHILD, "{}");
    struct tree_far *f = tree_far(w, "child_2");
    f->pid.slot = here.slot;
    f->pid.gen = here.gen;
    tree_far_up(w, f);
    rig_turn(&w->rig);
    w->rig.wire_error = DZ_ENOCONNECTION; /* nothing reaches it; its end is told by the test */
    w->rig.len = 0;
    tree_stop(w);
    tree_expect(w, "end child_1 shutdown;");
    return f;
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

static void a_stop_on_a_lost_node_is_not_waited_for(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = w.far_disobeys = true;
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\", " ON_FAR " } } }");
    tree_stop(&w);
    tree_expect(&w, "far stop a;");
    tree_lose_far(&w);
    tree_expect(&w,
                "+node_failure_detected [a];+child_stopped a node_down;+supervisor_stopped normal;#2 nil;");
    tree_fini(&w);
}

static void stops_on_two_nodes_are_told_apart(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_far_end(&w, stop_twins(&w), DZ_REASON_SHUTDOWN);
    rig_turn(&w.rig);
    tree_expect(&w, "+child_stopped child_2 shutdown;");
    rig_pass_ms(&w.rig, 100);
    tree_expect(&w, "gone child_1;+child_stopped child_1 killed;+supervisor_stopped normal;#4 nil;");
    tree_fini(&w);
}

static void the_end_of_one_twin_leaves_the_other(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    struct tree_far *f = stop_twins(&w);
    rig_pass_ms(&w.rig, 100);
    tree_expect(&w, "gone child_1;+child_stopped child_1 killed;");
    tree_far_end(&w, f, DZ_REASON_SHUTDOWN);
    rig_turn(&w.rig);
    tree_expect(&w, "+child_stopped child_2 shutdown;+supervisor_stopped normal;#4 nil;");
    tree_fini(&w);
}

static void a_killed_supervisor_tells_other_nodes(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\", " ON_FAR " } } }");
    w.far_holds = true;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"b\", behavior = \"ok\", " ON_FAR " }");
    tree_signal(&w, DZ_MSG_KILL, DZ_REASON_KILLED);
    tree_expect(&w, "far spawn b sup_1@local@127.0.0.1:0#7956156453446585/b 2;far parent_exit a;far cancel b;"
                    "#2 !child_start_failed b shutdown;+child_stopped a killed;+supervisor_stopped killed;");
    tree_fini(&w);
}

static void brutal_kill_runs_no_terminate(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w,
            "{ children = { { id = \"a\", behavior = \"stubborn\", shutdown_timeout = \"brutal_kill\" } } }");
    tree_stop(&w);
    tree_expect(&w, "gone a;+child_stopped a killed;+supervisor_stopped normal;#2 nil;");
    tree_fini(&w);
}

static void infinity_waits_for_as_long_as_it_takes(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w,
            "{ children = { { id = \"a\", behavior = \"stubborn\", shutdown_timeout = \"infinity\" } } }");
    tree_ask(&w, DZ_REQ_TERMINATE_CHILD, "\"a\"");
    rig_pass_ms(&w.rig, 10000000);
    tree_expect(&w, "end a shutdown;");
    struct dz_pid a = tree_find(&w, "a")->pid;
    dz_send_signal(&w.rig.threads[0], DZ_MSG_KILL, w.desk, a, 0, NULL);
    rig_turn(&w.rig);
    tree_expect(&w, "gone a;+child_stopped a killed;#2 nil;");
    tree_fini(&w);
}

static void the_kill_comes_when_the_time_is_over_and_not_before(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"stubborn\", shutdown_timeout = 100 }, "
                "{ id = \"b\", behavior = \"lazy\", shutdown_timeout = 100 } } }");
    tree_stop(&w);
    rig_pass_ms(&w.rig, 49);
    tree_expect(&w, "end b shutdown;");
    rig_pass_ms(&w.rig, 1);
    tree_expect(&w, "gone b;+child_stopped b shutdown;end a shutdown;");
    rig_pass_ms(&w.rig, 99);
    tree_expect(&w, "");
    rig_pass_ms(&w.rig, 1);
    tree_expect(&w, "gone a;+child_stopped a killed;+supervisor_stopped normal;#2 nil;");
    tree_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_goes_backwards_and_kills_who_takes_too_long),
        cmocka_unit_test(simple_one_for_one_stops_all_at_once),
        cmocka_unit_test(a_stop_on_a_lost_node_is_not_waited_for),
        cmocka_unit_test(stops_on_two_nodes_are_told_apart),
        cmocka_unit_test(the_end_of_one_twin_leaves_the_other),
        cmocka_unit_test(a_killed_supervisor_tells_other_nodes),
        cmocka_unit_test(brutal_kill_runs_no_terminate),
        cmocka_unit_test(infinity_waits_for_as_long_as_it_takes),
        cmocka_unit_test(the_kill_comes_when_the_time_is_over_and_not_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
