/* test_driver_start.c - starts and selector functions, until they are answered: here, on another node, too
 * late, or never. */
#include "tree.h"
#include "sup/driver_parts.h"

#define ON_FAR "node_selector = { node = \"" FAR_NODE "\" }"
#define CHOSEN "{ children = {}, node_selector = function }"

static void a_missing_behaviour_is_named(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_start(&w, "{ children = { { id = \"a\", behavior = \"missing\" } } }");
    tree_expect(&w, "#1 !behavior_not_found a ;");
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

static void a_selector_function_gets_the_nodes_and_decides(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\", node_selector = function }");
    tree_expect(&w,
                "function [[local@127.0.0.1:0,far@10.0.0.2:4000],a];"
                "far spawn a sup_1@local@127.0.0.1:0#7956156453446585/a 2;+child_started a;#2 [<pid>,a];");
    tree_fini(&w);
}

static void a_selector_that_raises_or_answers_nil_leaves_no_node(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, CHOSEN);
    w.function = TREE_RAISES;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_expect(&w, "function [[local@127.0.0.1:0],a];#2 !no_available_node a no idea;");
    w.function = TREE_IS_NIL;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_expect(&w, "function [[local@127.0.0.1:0],a];#3 !no_available_node a the selector returned nil;");
    w.function = TREE_ANSWERS;
    w.choice = "nobody@10.0.0.9:1";
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_expect(&w, "function [[local@127.0.0.1:0],a];#4 !no_available_node a the node is not known;");
    tree_fini(&w);
}

static void a_selector_has_one_second(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, CHOSEN);
    w.function = TREE_IS_SILENT;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    rig_pass_ms(&w.rig, 999);
    tree_expect(&w, "function [[local@127.0.0.1:0],a];");
    rig_pass_ms(&w.rig, 1);
    tree_expect(&w, "#2 !no_available_node a the selector did not answer within 1 s;");
    tree_fini(&w);
}

static void a_selector_on_a_busy_worker_is_not_waited_for(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, CHOSEN);
    w.function = TREE_IS_SILENT;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_expect(&w, "function [[local@127.0.0.1:0],a];");
    w.rig.now_ns += 1000 * RIG_MS;
    struct dz_thread *system = &w.rig.threads[0];
    system->now_ns = w.rig.now_ns;
    for (int i = 0; i < 8; i++) { /* thread 1 stands still */
        rig_drain(&w.rig, 0);
        dz_timers_run(system, system->now_ns);
        rig_run_natives(&w.rig, system);
    }
    tree_expect(&w, "#2 !no_available_node a the selector did not answer within 1 s;");
    rig_turn(&w.rig);
    tree_fini(&w);
}

static void a_selector_is_found_by_its_name(void **state)
{
    (void)state;
    struct tree w;
    struct dz_sup_function f = {.worker = 1, .generation = 2, .number = 3, .kind = 'f'};
    tree_init(&w);
    w.far_there = true;
    tree_up(&w, "{ children = {}, node_selector = { selector = \"mine\" } }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_expect(&w, "#2 !no_available_node a no selector \"mine\" is registered on the supervisor's node;");
    assert_int_equal(dz_selectors_register(&w.driver.selectors, "mine", 4, &f), 0);
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_expect(&w,
                "function [[local@127.0.0.1:0,far@10.0.0.2:4000],a];"
                "far spawn a sup_1@local@127.0.0.1:0#7956156453446585/a 2;+child_started a;#3 [<pid>,a];");
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

static void a_start_towards_a_lost_node_fails(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = w.far_holds = true;
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\", " ON_FAR " }");
    tree_expect(&w, "far spawn a sup_1@local@127.0.0.1:0#7956156453446585/a 2;");
    tree_lose_far(&w);
    tree_expect(&w, "#2 !noconnection a ;");
    tree_far_up(&w, tree_far(&w, "a"));
    rig_turn(&w.rig);
    tree_expect(&w, "");
    tree_fini(&w);
}

static void a_node_that_refuses_a_restart_is_left(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\", node_selector = \"least_loaded\" }, "
                "{ id = \"b\", behavior = \"ok\", " ON_FAR " } } }");
    w.far_error = DZ_ENOCONNECTION;
    tree_far_end(&w, tree_far(&w, "b"), DZ_REASON_KILLED);
    rig_turn(&w.rig);
    tree_expect(&w, "+child_pending b the node is excluded;");
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

static void more_nodes_than_fit_the_stack_are_all_seen(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = w.hashes = true;
    w.idle_nodes = 40;
    tree_start(&w, "{ name = \"top\", children = { { id = \"a\", behavior = \"ok\", " ON_FAR " } } }");
    tree_expect(&w, "register top;far spawn a top/a 2;+child_started a;+supervisor_started;#1 <pid>;");
    tree_fini(&w);
}

static void the_authority_may_forbid_a_placement(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\" } } }");
    w.may_not_place = true;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"b\", behavior = \"ok\" }");
    tree_crash(&w, "a");
    tree_expect(&w, "#2 !no_available_node b ;end a crash;gone a;+child_pending a no connected node takes "
                    "new processes;");
    w.may_not_place = false;
    rig_pass_ms(&w.rig, 1000);
    tree_expect(&w, "init a;+child_restarted a 1 crash;");
    tree_fini(&w);
}

static void an_id_is_one_component_of_a_path(void **state)
{
    (void)state;
    struct dz_buf path;
    dz_buf_init(&path);
    assert_int_equal(dz_supervisor_escape(&path, "plain", 5), 0);
    assert_int_equal(dz_supervisor_escape(&path, "a/b%c", 5), 0);
    assert_int_equal(dz_supervisor_escape(&path, "", 0), 0);
    assert_int_equal(path.len, 14);
    assert_memory_equal(path.data, "plaina%2Fb%25c", 14);
    dz_buf_fini(&path);
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    tree_up(&w, "{ name = \"top\", children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"x/y\", behavior = \"ok\", " ON_FAR " }");
    tree_expect(&w, "far spawn x/y top/x%2Fy 2;+child_started x/y;#2 [<pid>,x/y];");
    tree_fini(&w);
}

static void a_selector_nobody_registered_says_so(void **state)
{
    (void)state;
    struct tree w;
    char text[512];
    tree_init(&w);
    tree_up(&w, "{ children = {}, node_selector = { selector = \"absent\" } }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    assert_string_equal(tree_field(w.last.data, w.last.len, "code", text, sizeof text), "no_available_node");
    assert_string_equal(tree_field(w.last.data, w.last.len, "cause", text, sizeof text),
                        "no selector \"absent\" is registered on the supervisor's node");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_behaviour_is_named),
        cmocka_unit_test(a_start_that_takes_too_long_is_cancelled),
        cmocka_unit_test(a_start_that_completes_too_late_is_stopped),
        cmocka_unit_test(a_selector_function_gets_the_nodes_and_decides),
        cmocka_unit_test(a_selector_that_raises_or_answers_nil_leaves_no_node),
        cmocka_unit_test(a_selector_has_one_second),
        cmocka_unit_test(a_selector_on_a_busy_worker_is_not_waited_for),
        cmocka_unit_test(a_selector_is_found_by_its_name),
        cmocka_unit_test(what_a_start_function_returns_is_the_child),
        cmocka_unit_test(a_start_function_must_return_a_pid),
        cmocka_unit_test(a_start_function_that_takes_too_long_is_ended),
        cmocka_unit_test(a_start_towards_a_lost_node_fails),
        cmocka_unit_test(a_node_that_refuses_a_restart_is_left),
        cmocka_unit_test(a_late_answer_from_afar_is_stopped_there),
        cmocka_unit_test(an_answer_from_another_life_of_the_node_is_not_taken),
        cmocka_unit_test(more_nodes_than_fit_the_stack_are_all_seen),
        cmocka_unit_test(the_authority_may_forbid_a_placement),
        cmocka_unit_test(an_id_is_one_component_of_a_path),
        cmocka_unit_test(a_selector_nobody_registered_says_so),
        cmocka_unit_test(a_start_nobody_waits_for_any_more_ends_with_the_supervisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
