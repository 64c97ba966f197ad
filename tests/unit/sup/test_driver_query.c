/* test_driver_query.c - what a supervisor says of itself: answers to queries, and events with their fields.
 */
#include "tree.h"

#define ON_FAR "node_selector = { node = \"" FAR_NODE "\" }"

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

static void a_spec_is_shown_without_its_functions(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.function = TREE_MAKES_A_CHILD;
    tree_up(&w, "{ children = { { id = \"s\", start = function } } }");
    tree_ask(&w, DZ_REQ_CHILD, "\"s\"");
    tree_expect(&w,
                "#2 {id=s,pid=<pid>,node_id=local@127.0.0.1:0,status=running,restart_count=0,started_at=1000,"
                "spec={id=s,start=function},epoch=7.1};");
    tree_fini(&w);
}

static void events_of_a_lost_node_have_the_fields_that_are_promised(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    tree_up(
        &w,
        "{ name = \"top\", children = { { id = \"a\", behavior = \"ok\", node_selector = \"round_robin\" }, "
        "{ id = \"b\", behavior = \"ok\", node_selector = \"round_robin\" }, "
        "{ id = \"c\", behavior = \"ok\", " ON_FAR " } } }");
    w.full_events = true;
    tree_lose_far(&w);
    tree_expect(
        &w,
        "{type=node_failure_detected,supervisor_id=top,node_id=far@10.0.0.2:4000,affected_children=[b,c]};"
        "{type=child_pending,supervisor_id=top,child_id=c,cause=the node is not known};init b;"
        "{type=child_migrated,supervisor_id=top,child_id=b,from_node=far@10.0.0.2:4000,"
        "to_node=local@127.0.0.1:0};");
    tree_fini(&w);
}

static void questions_that_make_no_sense_are_answered_all_the_same(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\" } } }");
    tree_ask(&w, DZ_REQ_CHILDREN, "{ from = -5, limit = -1 }");
    tree_ask(&w, DZ_REQ_CHILDREN, "{ from = 9007199254740992 }");
    tree_ask(&w, DZ_REQ_CHILD, "7");
    tree_ask(&w, DZ_REQ_CHILD, "nil");
    tree_ask(&w, DZ_REQ_SHUTDOWN, "nil");
    tree_expect(&w, "#2 [];#3 [];#4 nil;#5 nil;#6 !bad_argument  ;");
    tree_fini(&w);
}

static void children_on_two_nodes_are_counted_by_node(void **state)
{
    (void)state;
    struct tree w;
    char text[512];
    tree_init(&w);
    w.far_there = true;
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\" }, { id = \"b\", behavior = \"ok\", " ON_FAR
                " }, "
                "{ id = \"c\", behavior = \"ok\", " ON_FAR " } } }");
    tree_ask(&w, DZ_REQ_STATS, "nil");
    tree_field(w.last.data, w.last.len, "children_by_node", text, sizeof text);
    assert_string_equal(text, "{local@127.0.0.1:0=1," FAR_NODE "=2}");
    tree_ask(&w, DZ_REQ_CHILD, "\"b\"");
    assert_string_equal(tree_field(w.last.data, w.last.len, "node_id", text, sizeof text), FAR_NODE);
    assert_string_equal(tree_field(w.last.data, w.last.len, "epoch", text, sizeof text), "7.1");
    tree_fini(&w);
}

static void without_an_event_hub_nothing_is_sent(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.rig.rt.events = DZ_PID_NONE;
    tree_start(&w, "{ children = { { id = \"a\", behavior = \"ok\" } } }");
    tree_expect(&w, "init a;#1 <pid>;");
    tree_fini(&w);
}

static void one_that_stops_is_no_running_supervisor_but_answers(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"lazy\" } } }");
    tree_stop(&w);
    tree_ask(&w, DZ_REQ_IS_SUPERVISOR, "nil");
    tree_ask(&w, DZ_REQ_COUNT_CHILDREN, "nil");
    tree_expect(&w, "end a shutdown;#3 false;#4 {specs=1,active=1,supervisors=0,workers=1};");
    rig_pass_ms(&w.rig, 50);
    tree_expect(&w, "gone a;+child_stopped a shutdown;+supervisor_stopped normal;#2 nil;");
    tree_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_answered_while_an_init_is_slow),
        cmocka_unit_test(events_have_the_fields_that_are_promised),
        cmocka_unit_test(a_spec_is_shown_without_its_functions),
        cmocka_unit_test(events_of_a_lost_node_have_the_fields_that_are_promised),
        cmocka_unit_test(questions_that_make_no_sense_are_answered_all_the_same),
        cmocka_unit_test(children_on_two_nodes_are_counted_by_node),
        cmocka_unit_test(without_an_event_hub_nothing_is_sent),
        cmocka_unit_test(one_that_stops_is_no_running_supervisor_but_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
