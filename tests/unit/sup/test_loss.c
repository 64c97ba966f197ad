/* Lost nodes, children without a node, lost workers (semantics 7). */
#include "world.h"

static void round_robin_places_and_a_lost_node_moves_its_children(void **state)
{
    (void)state;
    struct world *w = world_cluster(
        "{ node_selector = \"round_robin\", restart_intensity = { max_restarts = 0 }, children = { " ON(
            "a", "") ", " ON("b", "") ", " ON("c", "") ", " ON("d", "") ", " ON("e", "") " } }",
        3);
    struct dz_sup_stats stats;
    world_lose_node(w, 1);
    world_expect(w, "+ node_failure 1: b e\nstart b@2\nstart e@0\n+ migrated b 1->2\n+ migrated e 1->0\n");
    dz_sup_stats(w->sup, &stats);
    assert_int_equal(stats.node_failure_restarts, 2);
    assert_int_equal(stats.total_restarts, 2);
    world_lose_node(w, 1);
    world_return_node(w, 1);
    world_expect(w, "");
    world_delete(w);
}

static void temporary_children_of_a_lost_node_are_dropped(void **state)
{
    (void)state;
    struct world *w = world_cluster("{ node_selector = \"least_loaded\", children = { " ON("a", "") ", " AT(
                                  "x", "b@h:2", ", restart = \"temporary\"") " } }",
                              2);
    world_lose_node(w, 1);
    world_expect(w, "+ node_failure 1: x\n+ stopped x node_down\n");
    world_expect_children(w, "a:running");
    world_delete(w);
}

static void a_significant_child_dropped_with_its_node_is_an_end(void **state)
{
    (void)state;
    struct world *w = world_cluster("{ auto_shutdown = \"any_significant\", children = { " ON("a", "") ", " AT(
                                  "s", "b@h:2", ", significant = true") " } }",
                              2);
    world_lose_node(w, 1);
    world_expect(w, "+ node_failure 1: s\n+ stopped s node_down\nstop a 5000\n+ stopped a shutdown\n"
                    "+ supervisor_stopped shutdown\nexit shutdown\n");
    world_delete(w);
}

static void a_pinned_child_waits_for_its_node_and_returns_to_it(void **state)
{
    (void)state;
    struct world *w = world_cluster("{ children = { " AT("p", "b@h:2", "") ", " ON("a", "") " } }", 2);
    world_lose_node(w, 1);
    world_expect(w, "+ node_failure 1: p\n+ pending p: the node is not connected\ntimer 969\n");
    world_expect_children(w, "p:pending a:running");
    world_pass(w, 969);
    assert_true(w->deadline > w->now);
    world_forget(w);
    world_return_node(w, 1);
    world_expect(w, "timer off\nstart p@1\n+ restarted p 1 node_down\n");
    world_delete(w);
}

static void one_for_all_runs_once_for_a_lost_node(void **state)
{
    (void)state;
    struct world *w =
        world_cluster("{ strategy = \"one_for_all\", node_selector = \"round_robin\", children = { " ON(
                    "a", "") ", " ON("b", "") ", " ON("c", "") ", " ON("d", "") " } }",
                2);
    struct dz_sup_stats stats;
    world_lose_node(w, 1);
    world_expect(
        w, "+ node_failure 1: b d\nstop c 5000\nstop a 5000\nstart a@0\n+ restarted a 1 shutdown\nstart b@0\n"
           "+ migrated b 1->0\nstart c@0\n+ restarted c 1 shutdown\nstart d@0\n+ migrated d 1->0\n");
    dz_sup_stats(w->sup, &stats);
    assert_int_equal(stats.total_restarts, 2);
    world_delete(w);
}

static void rest_for_one_runs_from_the_first_lost_child(void **state)
{
    (void)state;
    struct world *w =
        world_cluster("{ strategy = \"rest_for_one\", node_selector = \"round_robin\", children = { " ON(
                    "a", "") ", " ON("b", "") ", " ON("c", "") " } }",
                2);
    world_lose_node(w, 1);
    world_expect(w, "+ node_failure 1: b\nstop c 5000\nstart b@0\n+ migrated b 1->0\nstart c@0\n+ restarted "
                    "c 1 shutdown\n");
    world_delete(w);
}

static void replacements_start_concurrently_but_64_per_node(void **state)
{
    (void)state;
    struct world *w = world_new("{ strategy = \"simple_one_for_one\", node_selector = \"round_robin\", "
                                "child_template = { behavior = \"w\" } }");
    w->node_count = 3;
    world_start(w);
    for (int i = 0; i < 600; i++)
        world_start_child(w, 1, "{}");
    uint32_t before = w->start_count;
    w->hold_starts = true;
    world_lose_node(w, 2);
    assert_int_equal(w->start_count - before, 128);
    world_answer_start(w, &w->starts[before], 0, false);
    assert_int_equal(w->start_count - before, 129);
    assert_int_equal(w->starts[w->start_count - 1].node, w->starts[before].node);
    w->hold_starts = false;
    w->start_next = before;
    world_run(w);
    assert_int_equal(w->start_count - before, 200);
    assert_non_null(world_find(w, "child_3"));
    world_delete(w);
}

static void held_replacements_of_a_node_that_is_lost_too_select_again(void **state)
{
    (void)state;
    struct world *w = world_new("{ strategy = \"simple_one_for_one\", node_selector = { node = \"b@h:2\" }, "
                                "child_template = { behavior = \"w\" } }");
    w->node_count = 3;
    world_start(w);
    for (int i = 0; i < 100; i++)
        world_start_child(w, 1, "{}");
    world_lose_node(w, 1);
    w->hold_starts = true;
    world_return_node(w, 1);
    world_forget(w);
    for (uint32_t i = w->start_next; i < w->start_count; i++)
        w->starts[i].open = false;
    w->nodes[1].connected = false;
    dz_sup_node_lost(w->sup, w->now, 1);
    world_run(w);
    uint32_t pending = 0;
    struct dz_sup_child_info info;
    for (const struct dz_sup_child *c = dz_sup_first_child(w->sup); c; c = dz_sup_next_child(w->sup, c)) {
        dz_sup_child_info(w->sup, c, &info);
        pending += info.status == DZ_CHILD_PENDING;
    }
    assert_int_equal(pending, 100);
    world_delete(w);
}

static void a_stop_on_a_lost_node_is_done(void **state)
{
    (void)state;
    struct world *w = world_cluster("{ children = { " ON("a", "") ", " AT("b", "b@h:2", "") " } }", 2);
    w->hold_stops = true;
    world_terminate_child(w, 1, "b");
    world_expect(w, "stop b 5000\n");
    world_lose_node(w, 1);
    world_expect(w, "+ node_failure 1: b\n+ stopped b node_down\nreply 1 ok\n");
    world_delete(w);
}

static void a_node_lost_during_shutdown_lets_it_go_on(void **state)
{
    (void)state;
    struct world *w =
        world_cluster("{ children = { " ON("a", "") ", " AT("b", "b@h:2", "") ", " AT("c", "b@h:2", "") " } }", 2);
    w->hold_stops = true;
    world_stop(w, 1, "\"normal\"");
    world_lose_node(w, 1);
    w->hold_stops = false;
    world_run(w);
    world_expect(
        w, "stop c 5000\n+ node_failure 1: b c\n+ stopped c node_down\n+ stopped b node_down\nstop a 5000\n"
           "+ stopped a shutdown\n+ supervisor_stopped normal\nexit normal\nreply 1 ok\n");
    world_delete(w);
}

static void a_node_lost_during_a_round_belongs_to_the_round(void **state)
{
    (void)state;
    struct world *w = world_cluster("{ strategy = \"one_for_all\", children = { " ON("a", "") ", " AT(
                                  "b", "b@h:2", "") ", " AT("c", "b@h:2", "") " } }",
                              3);
    w->hold_stops = true;
    world_crash(w, "a");
    world_lose_node(w, 1);
    world_expect(
        w, "stop c 5000\n+ node_failure 1: b c\nstart a@0\n+ restarted a 1 boom\n"
           "+ pending b: the node is not connected\ntimer 908\n+ pending c: the node is not connected\n");
    world_delete(w);
}

static void lose_worker(struct world *w, const char *running, const char *const *ids, size_t count)
{
    struct dz_pid pids[8], *culprit = NULL;
    for (size_t i = 0; i < count; i++) {
        struct world_proc *p = world_find(w, ids[i]);
        pids[i] = p->pid;
        p->live = false;
        if (running && strcmp(ids[i], running) == 0)
            culprit = &pids[i];
    }
    struct dz_buf reason = literal("\"worker_stuck\"");
    dz_sup_worker_lost(w->sup, w->now, pids, count, culprit, reason.data, reason.len);
    world_run(w);
    dz_buf_fini(&reason);
}

static void a_lost_worker_counts_only_against_the_one_that_ran(void **state)
{
    (void)state;
    static const char *const ids[] = {"a", "b", "x"};
    struct world *w = world_started("{ restart_intensity = { max_restarts = 1 }, children = { " ON(
        "a", "") ", " ON("b", "") ", " ON("x", ", restart = \"temporary\"") ", " ON("c", "") " } }");
    lose_worker(w, "b", ids, 3);
    world_expect(w, "+ stopped x worker_stuck\nstart a@0\nstart b@0 !jit\n+ restarted a 1 worker_stuck\n"
                    "+ restarted b 1 worker_stuck\n");
    lose_worker(w, NULL, ids, 2);
    world_forget(w);
    assert_false(w->exited);
    world_delete(w);
}

static void a_child_that_costs_two_workers_ends_its_supervisor(void **state)
{
    (void)state;
    static const char *const ids[] = {"a", "b"};
    struct world *w = world_started(
        "{ restart_intensity = { max_restarts = 9 }, children = { " ON("a", "") ", " ON("b", "") " } }");
    lose_worker(w, "b", ids, 2);
    w->now += 600001;
    lose_worker(w, "b", ids, 2);
    assert_false(w->exited);
    world_forget(w);
    w->now += 600000;
    lose_worker(w, "b", ids, 2);
    world_expect(
        w, "+ stopped b worker_stuck\n+ stopped a worker_stuck\n+ supervisor_stopped max_restarts_exceeded\n"
           "exit max_restarts_exceeded\n");
    world_delete(w);
}

static void a_lost_worker_runs_one_round(void **state)
{
    (void)state;
    static const char *const ids[] = {"b", "c"};
    struct world *w = world_started(
        "{ strategy = \"one_for_all\", children = { " ON("a", "") ", " ON("b", "") ", " ON("c", "") " } }");
    lose_worker(w, "c", ids, 2);
    world_expect(w,
                 "stop a 5000\nstart a@0\n+ restarted a 1 shutdown\nstart b@0\n+ restarted b 1 worker_stuck\n"
                 "start c@0 !jit\n+ restarted c 1 worker_stuck\n");
    world_delete(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_robin_places_and_a_lost_node_moves_its_children),
        cmocka_unit_test(temporary_children_of_a_lost_node_are_dropped),
        cmocka_unit_test(a_significant_child_dropped_with_its_node_is_an_end),
        cmocka_unit_test(a_pinned_child_waits_for_its_node_and_returns_to_it),
        cmocka_unit_test(one_for_all_runs_once_for_a_lost_node),
        cmocka_unit_test(rest_for_one_runs_from_the_first_lost_child),
        cmocka_unit_test(replacements_start_concurrently_but_64_per_node),
        cmocka_unit_test(held_replacements_of_a_node_that_is_lost_too_select_again),
        cmocka_unit_test(a_stop_on_a_lost_node_is_done),
        cmocka_unit_test(a_node_lost_during_shutdown_lets_it_go_on),
        cmocka_unit_test(a_node_lost_during_a_round_belongs_to_the_round),
        cmocka_unit_test(a_lost_worker_counts_only_against_the_one_that_ran),
        cmocka_unit_test(a_child_that_costs_two_workers_ends_its_supervisor),
        cmocka_unit_test(a_lost_worker_runs_one_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
