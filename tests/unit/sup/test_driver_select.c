/* test_driver_select.c - nodes and selector functions as the driver asks for them, and what it tells the
 * machine. */
#include "tree.h"

#define ON_FAR "node_selector = { node = \"" FAR_NODE "\" }"
#define CHOSEN "{ children = {}, node_selector = function }"

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

static void an_answer_that_names_no_node_that_fits_is_no_available_node(void **state)
{
    (void)state;
    struct tree w;
    char text[512];
    tree_init(&w);
    w.function = TREE_ANSWERS;
    w.choice = "nowhere@h:1";
    tree_up(&w, CHOSEN);
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    assert_string_equal(tree_field(w.last.data, w.last.len, "code", text, sizeof text), "no_available_node");
    assert_string_equal(tree_field(w.last.data, w.last.len, "cause", text, sizeof text),
                        "the node is not known");
    assert_null(tree_find(&w, "a"));
    tree_fini(&w);
}

static void a_supervisor_that_is_killed_while_it_asks_answers_the_one_who_waits(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.function = TREE_IS_SILENT;
    tree_up(&w, CHOSEN);
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"b\", behavior = \"ok\" }");
    w.rig.len = 0;
    w.rig.journal[0] = 0;
    tree_signal(&w, DZ_MSG_KILL, DZ_REASON_KILLED);
    assert_non_null(strstr(w.rig.journal, "#2 !"));
    assert_non_null(strstr(w.rig.journal, "#3 !"));
    tree_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_selector_function_gets_the_nodes_and_decides),
        cmocka_unit_test(a_selector_that_raises_or_answers_nil_leaves_no_node),
        cmocka_unit_test(a_selector_has_one_second),
        cmocka_unit_test(a_selector_on_a_busy_worker_is_not_waited_for),
        cmocka_unit_test(a_selector_is_found_by_its_name),
        cmocka_unit_test(a_selector_nobody_registered_says_so),
        cmocka_unit_test(more_nodes_than_fit_the_stack_are_all_seen),
        cmocka_unit_test(an_answer_that_names_no_node_that_fits_is_no_available_node),
        cmocka_unit_test(a_supervisor_that_is_killed_while_it_asks_answers_the_one_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
