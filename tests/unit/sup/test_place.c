/* test_place.c - a child's start: which node, its turn there, the driver's answer, and answers nobody waits
 * for. */
#include "world.h"

static void a_crashed_child_restarts_where_it_ran_or_selects_when_refused(void **state)
{
    (void)state;
    struct world *w = world_cluster(
        "{ node_selector = \"round_robin\", restart_intensity = { max_restarts = 2 }, children = { " ON(
            "a", "") ", " ON("b", "") " } }",
        3);
    world_crash(w, "b");
    world_expect(w, "start b@1\n+ restarted b 1 boom\n");
    w->refusing = 1;
    world_crash(w, "b");
    world_expect(w, "start b@1\nstart b@0\n+ restarted b 2 boom\n");
    world_delete(w);
}

static void a_child_without_any_node_is_pending_and_tried_with_backoff(void **state)
{
    (void)state;
    struct world *w = world_cluster(
        "{ children = { " AT("p", "b@h:2", ", backoff = { initial_ms = 50, jitter = 0 }") " } }", 2);
    w->refusing = 1;
    world_crash(w, "p");
    world_expect(w, "timer 50\n");
    world_pass(w, 50);
    world_expect(w, "start p@1\n+ pending p: the node is excluded\ntimer 50\n");
    world_pass(w, 50);
    world_expect(w, "start p@1\ntimer 100\n");
    w->refusing = DZ_SUP_NO_NODE;
    world_pass(w, 100);
    world_expect(w, "start p@1\n+ restarted p 1 boom\n");
    world_delete(w);
}

static void no_node_at_first_start_is_raised(void **state)
{
    (void)state;
    struct world *w = world_cluster("{}", 1);
    world_start_child(w, 1, AT("p", "b@h:2", ""));
    world_expect(w, "reply 1 no_available_node the node is not known\n");
    world_start_child(w, 2, "{ id = \"p\", behavior = table, node_selector = { node = \"a@h:1\" } }");
    world_expect(w, "start p@0\n+ started p\nreply 2 ok p\n");
    world_delete(w);
}

static void a_function_selector_is_asked_and_its_answer_checked(void **state)
{
    (void)state;
    struct world *w = world_cluster("{}", 2);
    world_start_child(w, 1, "{ id = \"f\", behavior = \"w\", node_selector = function }");
    world_expect(w, "ask f\n");
    dz_sup_selected(w->sup, w->now, w->asked, w->nodes, w->node_count, "b@h:2", NULL, 0);
    world_run(w);
    world_expect(w, "start f@1\n+ started f\nreply 1 ok f\n");
    world_start_child(w, 2, "{ id = \"g\", behavior = \"w\", node_selector = function }");
    dz_sup_selected(w->sup, w->now, w->asked, w->nodes, w->node_count, "z@h:9", NULL, 0);
    world_run(w);
    world_expect(w, "ask g\nreply 2 no_available_node the node is not known\n");
    world_start_child(w, 3, "{ id = \"g\", behavior = \"w\", node_selector = function }");
    struct dz_buf raised = literal("{ code = \"error\", message = \"bad selector\" }");
    dz_sup_selected(w->sup, w->now, w->asked, w->nodes, w->node_count, NULL, raised.data, raised.len);
    world_run(w);
    world_expect(w, "ask g\nreply 3 no_available_node bad selector\n");
    dz_buf_fini(&raised);
    world_delete(w);
}

static void an_answer_to_nothing_changes_nothing(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    struct dz_sup_started started = {.pid = {0, 99, 7}};
    struct dz_sup_failure failure = {.code = DZ_ETIMEOUT};
    dz_sup_candidates(w->sup, w->now, 9999, w->nodes, 1);
    dz_sup_selected(w->sup, w->now, 9999, w->nodes, 1, "a@h:1", NULL, 0);
    dz_sup_started(w->sup, w->now, 9999, &started);
    dz_sup_start_failed(w->sup, w->now, 9999, &failure);
    dz_sup_started(w->sup, w->now, w->starts[0].token, &started);
    world_run(w);
    world_expect(w, "");
    world_expect_children(w, "a:running b:running c:running");
    world_delete(w);
}

static void answers_of_the_wrong_kind_are_not_taken_for_a_start(void **state)
{
    (void)state;
    struct world *w = world_started("{}");
    struct dz_sup_started started = {.pid = {0, 99, 7}};
    w->hold_selects = true;
    world_start_child(w, 1, "{ id = \"a\", behavior = \"w\" }");
    uint64_t token = w->selects[w->select_count - 1];
    dz_sup_started(w->sup, w->now, token, &started);
    dz_sup_selected(w->sup, w->now, token, w->nodes, 1, "a@h:1", NULL, 0);
    world_run(w);
    world_expect_children(w, "a:starting");
    w->hold_selects = false;
    world_run(w);
    world_expect(w, "start a@0\n+ started a\nreply 1 ok a\n");
    world_delete(w);
}

static struct world *many_on_b(uint32_t count)
{
    struct world *w =
        world_cluster("{ strategy = \"simple_one_for_one\", node_selector = \"least_loaded\", "
                      "child_template = { behavior = \"w\", node_selector = \"local_first\" } }",
                      2);
    w->nodes[0].draining = true; /* all go to b */
    for (uint32_t i = 0; i < count; i++)
        world_start_child(w, i + 1, "{}");
    w->nodes[0].draining = false;
    world_forget(w);
    return w;
}

static void sixty_four_start_on_one_node_at_a_time(void **state)
{
    (void)state;
    struct world *w = many_on_b(100);
    w->hold_starts = true;
    uint32_t before = w->start_count;
    world_lose_node(w, 1);
    assert_int_equal(w->start_count - before, DZ_SUP_STARTS_PER_NODE);
    world_answer_start(w, &w->starts[before], 0, false);
    world_run(w);
    assert_int_equal(w->start_count - before, DZ_SUP_STARTS_PER_NODE + 1);
    w->start_next = before + 1;
    w->hold_starts = false;
    world_run(w);
    assert_int_equal(w->start_count - before, 100);
    struct dz_sup_counts counts;
    dz_sup_count_children(w->sup, &counts);
    assert_int_equal(counts.active, 100);
    world_delete(w);
}

static void those_that_wait_for_their_turn_are_broken_off_without_a_cancel(void **state)
{
    (void)state;
    struct world *w = many_on_b(100);
    w->hold_starts = true;
    world_lose_node(w, 1);
    world_forget(w);
    world_stop(w, 500, "\"normal\"");
    w->hold_starts = false;
    world_run(w);
    assert_true(w->exited);
    uint32_t cancels = 0;
    for (uint32_t i = 0; i < w->start_count; i++)
        cancels += w->starts[i].cancelled;
    assert_int_equal(cancels, DZ_SUP_STARTS_PER_NODE);
    world_delete(w);
}

static void a_selector_function_that_gives_nil_or_raises_is_no_node_with_a_cause(void **state)
{
    (void)state;
    struct world *w = world_started("{ node_selector = function }");
    struct dz_buf raised = literal("{ code = \"error\", message = \"no idea\" }");
    world_start_child(w, 1, "{ id = \"a\", behavior = \"w\" }");
    dz_sup_selected(w->sup, w->now, w->asked, w->nodes, 1, NULL, NULL, 0);
    world_run(w);
    world_start_child(w, 2, "{ id = \"a\", behavior = \"w\" }");
    dz_sup_selected(w->sup, w->now, w->asked, w->nodes, 1, NULL, raised.data, raised.len);
    world_run(w);
    dz_buf_append_u8(&w->trace, 0);
    assert_non_null(strstr((char *)w->trace.data, "reply 1 no_available_node "));
    assert_non_null(strstr((char *)w->trace.data, "reply 2 no_available_node no idea"));
    dz_buf_fini(&raised);
    world_delete(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crashed_child_restarts_where_it_ran_or_selects_when_refused),
        cmocka_unit_test(a_child_without_any_node_is_pending_and_tried_with_backoff),
        cmocka_unit_test(no_node_at_first_start_is_raised),
        cmocka_unit_test(a_function_selector_is_asked_and_its_answer_checked),
        cmocka_unit_test(an_answer_to_nothing_changes_nothing),
        cmocka_unit_test(answers_of_the_wrong_kind_are_not_taken_for_a_start),
        cmocka_unit_test(sixty_four_start_on_one_node_at_a_time),
        cmocka_unit_test(those_that_wait_for_their_turn_are_broken_off_without_a_cancel),
        cmocka_unit_test(a_selector_function_that_gives_nil_or_raises_is_no_node_with_a_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
