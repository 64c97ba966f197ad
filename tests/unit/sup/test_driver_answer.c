/* test_driver_answer.c - what comes of starts: in time, too late, from another life of a node, or never. */
#include "tree.h"

#define ON_FAR "node_selector = { node = \"" FAR_NODE "\" }"

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

static void what_a_start_function_returns_is_the_child(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.function = TREE_MAKES_A_CHILD;
    tree_start(&w, "{ children = { { id = \"s\", start = function, args = { 5 } } } }");
    tree_expect(&w, "function [5];+child_started s;+supervisor_started;#1 <pid>;init made;");
    tree_crash(&w, "made");
    tree_expect(&w, "end made crash;gone made;function [5];+child_restarted s 1 crash;init made;");
    tree_stop(&w);
    tree_expect(&w,
                "end made shutdown;gone made;+child_stopped s shutdown;+supervisor_stopped normal;#2 nil;");
    tree_fini(&w);
}

static void a_start_function_must_return_a_pid(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.function = TREE_IS_NIL;
    tree_start(&w, "{ children = { { id = \"s\", start = function } } }");
    tree_expect(&w,
                "function [];"
                "#1 !child_start_failed s {code=bad_argument,message=the start function must return a pid};");
    tree_fini(&w);
}

static void a_start_function_that_takes_too_long_is_ended(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.function = TREE_IS_SILENT;
    tree_start(&w, "{ children = { { id = \"s\", start = function, start_timeout = 100 } } }");
    rig_pass_ms(&w.rig, 100);
    tree_expect(&w, "function [];#1 !timeout s ;");
    tree_fini(&w);
}

static void a_late_answer_from_afar_is_stopped_there(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = w.far_holds = w.far_disobeys = true;
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\", start_timeout = 100, " ON_FAR " }");
    rig_pass_ms(&w.rig, 100);
    tree_expect(&w, "far spawn a sup_1@local@127.0.0.1:0#7956156453446585/a 2;far cancel a;");
    tree_far_up(&w, tree_far(&w, "a"));
    rig_turn(&w.rig);
    tree_expect(&w, "far stop a;");
    rig_pass_ms(&w.rig, 5000);
    tree_expect(&w, "far kill a;#2 !timeout a ;");
    tree_fini(&w);
}

static void an_answer_from_another_life_of_the_node_is_not_taken(void **state)
{
    (void)state;
    struct tree w;
    uint32_t again;
    tree_init(&w);
    w.far_there = w.far_holds = true;
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\", " ON_FAR " }");
    assert_int_equal(dz_nodes_intern(&w.rig.rt.nodes, FAR_NODE, strlen(FAR_NODE), 8, &again), 0);
    struct tree_far *f = tree_far(&w, "a");
    f->pid.node = again;
    tree_far_up(&w, f);
    rig_turn(&w.rig);
    tree_expect(&w,
                "far spawn a sup_1@local@127.0.0.1:0#7956156453446585/a 2;far stop a;#2 !noconnection a ;");
    tree_fini(&w);
}

static void a_start_nobody_waits_for_any_more_ends_with_the_supervisor(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = w.far_holds = true;
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"never\" }");
    tree_expect(&w, "init a;");
    tree_signal(&w, DZ_MSG_KILL, DZ_REASON_KILLED);
    assert_null(tree_find(&w, "a"));
    tree_fini(&w);
}

static void an_answer_to_nothing_is_passed_over(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\" } } }");
    dz_send_pid_reply(&w.rig.threads[1], w.desk, w.sup, 99999, tree_find(&w, "a")->pid);
    dz_send_error(&w.rig.threads[1], w.desk, w.sup, 99998, DZ_ETIMEOUT, NULL);
    rig_turn(&w.rig);
    tree_ask(&w, DZ_REQ_COUNT_CHILDREN, "nil");
    tree_expect(&w, "#2 {specs=1,active=1,supervisors=0,workers=1};");
    tree_fini(&w);
}

static void a_failed_start_passes_on_the_childs_own_reason(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"bad\" }");
    tree_expect(&w, "init a;gone a;#2 !child_start_failed a {code=error,message=boom};");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"absent\" }");
    tree_expect(&w, "#3 !behavior_not_found a ;");
    tree_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_that_takes_too_long_is_cancelled),
        cmocka_unit_test(a_start_that_completes_too_late_is_stopped),
        cmocka_unit_test(what_a_start_function_returns_is_the_child),
        cmocka_unit_test(a_start_function_must_return_a_pid),
        cmocka_unit_test(a_start_function_that_takes_too_long_is_ended),
        cmocka_unit_test(a_late_answer_from_afar_is_stopped_there),
        cmocka_unit_test(an_answer_from_another_life_of_the_node_is_not_taken),
        cmocka_unit_test(a_start_nobody_waits_for_any_more_ends_with_the_supervisor),
        cmocka_unit_test(an_answer_to_nothing_is_passed_over),
        cmocka_unit_test(a_failed_start_passes_on_the_childs_own_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
