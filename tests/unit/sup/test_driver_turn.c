/* test_driver_turn.c - messages and signals of one supervisor: requests answered once, exits, and its own
 * end. */
#include "tree.h"

#define THREE(strategy)                                                                                      \
    "{ strategy = \"" strategy                                                                               \
    "\", children = { { id = \"a\", behavior = \"ok\" }, { id = \"b\", behavior = \"ok\" }, "                \
    "{ id = \"c\", behavior = \"ok\" } } }"

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

static void a_normal_exit_of_a_linked_process_only_unlinks(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\" } } }");
    tree_signal(&w, DZ_MSG_EXIT, DZ_REASON_NORMAL);
    tree_ask(&w, DZ_REQ_IS_SUPERVISOR, "nil");
    tree_expect(&w, "#2 true;");
    tree_fini(&w);
}

static void arguments_of_the_wrong_kind_are_answered_bad_argument(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\" } } }");
    tree_ask(&w, DZ_REQ_TERMINATE_CHILD, "nil");
    tree_ask(&w, DZ_REQ_RESTART_CHILD, "{}");
    tree_ask(&w, DZ_REQ_START_CHILD, "7");
    tree_expect(&w, "#2 !bad_argument  ;#3 !bad_argument  ;#4 !invalid_spec  ;");
    tree_fini(&w);
}

static void stops_that_come_together_are_all_answered(void **state)
{
    (void)state;
    struct tree w;
    const struct dz_blob *reason;
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"lazy\" } } }");
    reason = w.rig.rt.reasons[DZ_REASON_NORMAL];
    for (int i = 0; i < 3; i++)
        tree_ask_raw(&w, DZ_MSG_STOP, 0, reason->data, reason->len);
    rig_turn(&w.rig);
    tree_expect(&w, "end a shutdown;");
    rig_pass_ms(&w.rig, 50);
    tree_expect(&w, "gone a;+child_stopped a shutdown;+supervisor_stopped normal;#2 nil;#3 nil;#4 nil;");
    tree_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_supervisor_takes_its_subtree_along_and_answers_everybody),
        cmocka_unit_test(the_exit_of_a_linked_process_stops_it_in_order),
        cmocka_unit_test(its_parents_end_ends_it_at_once),
        cmocka_unit_test(children_are_added_restarted_and_terminated),
        cmocka_unit_test(terminate_child_overtakes_the_start_of_that_child),
        cmocka_unit_test(a_call_is_not_for_a_supervisor),
        cmocka_unit_test(a_normal_exit_of_a_linked_process_only_unlinks),
        cmocka_unit_test(arguments_of_the_wrong_kind_are_answered_bad_argument),
        cmocka_unit_test(stops_that_come_together_are_all_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
