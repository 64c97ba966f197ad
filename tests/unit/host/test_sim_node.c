/* core/host/sim_node.c: one life of a host, stepped by hand. */
#include "simulated.h"

#include "base/alloc.h"
#include "cluster/cluster.h"
#include "host/sim_node.h"

static struct dz_sim_run run;

static void begin(struct simulated *s, int nodes, const char *script)
{
    simulated_cluster(s, nodes, script);
    memset(&run, 0, sizeof run);
    run.options = s->options;
    run.rand.state = 7;
    dz_sim_trace_init(&run.trace, false, &run.now_ns);
    run.net = dz_sim_net_new(&run.rand, &run.now_ns);
    for (int i = 0; i < nodes; i++)
        run.nodes[i] = dz_sim_node_new(&run, i);
}

/* All that is due in that time, in order. */
static void go_on(uint64_t ms)
{
    uint64_t end = run.now_ns + ms * DZ_SIM_MS;
    for (;;) {
        struct dz_sim_node *best = NULL;
        uint32_t thread = 0;
        uint64_t due = dz_sim_net_next(run.net);
        for (size_t i = 0; i < run.options.up->node_count; i++) {
            uint32_t t = 0;
            uint64_t at = run.nodes[i] ? dz_sim_node_next(run.nodes[i], &t) : DZ_SIM_NEVER;
            if (at < due)
                due = at, thread = t, best = run.nodes[i];
        }
        if (due > end)
            break;
        run.now_ns = due > run.now_ns ? due : run.now_ns;
        if (best)
            dz_sim_node_step(best, thread);
        else
            dz_sim_net_step(run.net);
    }
    run.now_ns = end;
}

/* The orderly end of every life. */
static void stop_all(void)
{
    for (size_t i = 0; i < run.options.up->node_count; i++)
        if (!run.nodes[i]->finished)
            dz_host_stop(run.nodes[i]->host, 0);
    go_on(60000);
    for (size_t i = 0; i < run.options.up->node_count; i++)
        assert_true(run.nodes[i]->finished);
}

/* A run does not do this: its process ends. */
static void free_life(struct dz_sim_node *n)
{
    dz_host_free(n->host);
    dz_boot_fini(&n->boot);
    dz_free(n);
}

/* Nothing stays. */
static void end(void)
{
    stop_all();
    for (size_t i = 0; i < run.options.up->node_count; i++)
        free_life(run.nodes[i]);
    for (uint32_t i = 0; i < run.checked_count; i++)
        dz_free(run.checked[i].name);
    dz_free(run.checked);
    dz_sim_net_delete(run.net);
}

static void a_life_joins_the_cluster_and_stops_in_order(void **state)
{
    uint32_t thread = 0;
    begin(*state, 2, NULL);
    assert_int_equal(run.lives, 2);
    assert_string_equal(run.nodes[1]->config->id, SIMULATED_B);
    assert_true(dz_sim_node_next(run.nodes[0], &thread) != DZ_SIM_NEVER);
    go_on(2000);
    for (int i = 0; i < 2; i++) {
        assert_non_null(run.nodes[i]->station);
        assert_int_equal(dz_cluster_candidates(run.nodes[i]->host->cluster, NULL, 0), 2);
    }
    assert_true(dz_sim_net_carried(run.net) > 0);
    stop_all();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run.nodes[i]->exit_code, 0);
        assert_true(dz_sim_node_next(run.nodes[i], &thread) == DZ_SIM_NEVER);
    }
    assert_false(run.failed);
    end();
}

static void its_script_runs_and_its_exit_code_is_the_lifes(void **state)
{
    begin(*state, 1, "require('dozor').shutdown(9)");
    assert_false(run.nodes[0]->finished);
    go_on(5000);
    assert_true(run.nodes[0]->finished);
    assert_int_equal(run.nodes[0]->exit_code, 9);
    assert_false(run.failed);
    end();
}

static void checks_are_the_runs_and_count_once_all_has_settled(void **state)
{
    begin(*state, 1, "require('dozor').sim.check('true', function() return true end, { always = true })");
    go_on(5000);
    assert_int_equal(run.checked_count, 1);
    assert_string_equal(run.checked[0].name, "true");
    assert_ptr_equal(run.checked[0].node, run.nodes[0]);
    assert_int_equal(run.checked[0].held, 0);
    run.part = DZ_SIM_SETTLED;
    go_on(5000);
    assert_true(run.checked[0].held > 5);
    end();
    assert_false(run.failed);
}

static void a_check_that_does_not_hold_fails_the_run_but_not_in_its_end(void **state)
{
    struct simulated *s = *state;
    begin(s, 1, "require('dozor').sim.check('no', function() return false end, { always = true })");
    run.part = DZ_SIM_END;
    go_on(5000);
    assert_false(run.failed);
    run.part = DZ_SIM_CALM;
    capture_begin(&s->captured);
    go_on(2000);
    capture_end(&s->captured);
    assert_true(run.failed);
    expect_text(s->captured.out, SIMULATED_A ": no: it returned false\n");
    end();
}

static void a_frozen_host_does_nothing_until_it_thaws(void **state)
{
    uint32_t thread = 0;
    begin(*state, 1, NULL);
    go_on(1000);
    run.nodes[0]->frozen_until_ns = run.now_ns + 3000 * DZ_SIM_MS;
    assert_true(dz_sim_node_next(run.nodes[0], &thread) >= run.nodes[0]->frozen_until_ns);
    uint64_t steps = run.trace.steps;
    go_on(2999);
    assert_int_equal(run.trace.steps, steps);
    go_on(5000);
    assert_true(run.trace.steps > steps);
    end();
}

static void a_thread_is_busy_for_a_while_after_each_turn(void **state)
{
    uint32_t thread = 0;
    begin(*state, 1, NULL);
    run.now_ns = dz_sim_node_next(run.nodes[0], &thread);
    dz_sim_node_step(run.nodes[0], thread);
    assert_true(run.nodes[0]->busy_until_ns[thread] > run.now_ns);
    end();
}

static void a_crash_is_a_loss_to_the_others_and_the_next_life_joins_again(void **state)
{
    begin(*state, 2, NULL);
    go_on(2000);
    struct dz_sim_node *crashed = run.nodes[1];
    dz_sim_node_crash(crashed);
    run.nodes[1] = NULL;
    assert_true(crashed->dead);
    go_on(60000);
    assert_int_equal(dz_cluster_candidates(run.nodes[0]->host->cluster, NULL, 0), 1);
    run.nodes[1] = dz_sim_node_new(&run, 1);
    go_on(40000);
    assert_int_equal(run.lives, 3);
    assert_int_equal(dz_cluster_candidates(run.nodes[0]->host->cluster, NULL, 0), 2);
    assert_false(run.failed);
    stop_all();
    free_life(run.nodes[1]);
    run.nodes[1] = crashed;
    end();
}

static void a_script_with_an_error_ends_the_life_and_not_the_run(void **state)
{
    begin(*state, 1, "error('boom')");
    go_on(5000);
    assert_true(run.nodes[0]->finished);
    assert_int_not_equal(run.nodes[0]->exit_code, 0);
    assert_false(run.failed);
    end();
}

#define simulated_test(name) cmocka_unit_test_setup_teardown(name, simulated_setup, simulated_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        simulated_test(a_life_joins_the_cluster_and_stops_in_order),
        simulated_test(its_script_runs_and_its_exit_code_is_the_lifes),
        simulated_test(checks_are_the_runs_and_count_once_all_has_settled),
        simulated_test(a_check_that_does_not_hold_fails_the_run_but_not_in_its_end),
        simulated_test(a_frozen_host_does_nothing_until_it_thaws),
        simulated_test(a_thread_is_busy_for_a_while_after_each_turn),
        simulated_test(a_crash_is_a_loss_to_the_others_and_the_next_life_joins_again),
        simulated_test(a_script_with_an_error_ends_the_life_and_not_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
