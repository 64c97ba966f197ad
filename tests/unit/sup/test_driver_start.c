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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_behaviour_is_named),
        cmocka_unit_test(a_start_towards_a_lost_node_fails),
        cmocka_unit_test(a_node_that_refuses_a_restart_is_left),
        cmocka_unit_test(the_authority_may_forbid_a_placement),
        cmocka_unit_test(an_id_is_one_component_of_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
