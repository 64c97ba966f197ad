/* core/host/sim_run.c: whole runs, each in a process of its own, for hosts that crashed are left as they stand. */
#include "simulated.h"

#include <sys/wait.h>
#include "host/sim_same.h"

struct outcome {
    int failed;
    uint64_t hash;
};

/* What it printed is in s->captured.out. */
static struct outcome play(struct simulated *s)
{
    struct outcome o = {-1, 0};
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    capture_begin(&s->captured);
    pid_t pid = fork();
    if (pid == 0) {
        dz_sim_same_random(s->options.seed);
        o.failed = dz_sim_run_once(&s->options, &o.hash);
        fflush(stdout);
        _exit(write(ends[1], &o, sizeof o) != sizeof o);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], &o, sizeof o);
    close(ends[0]);
    waitpid(pid, &status, 0);
    capture_end(&s->captured);
    if (got != sizeof o || status)
        fail_msg("the run ended with status %d:\n%s%s", status, s->captured.out, s->captured.err);
    return o;
}

static void its_length_is_the_storm_and_the_time_to_settle(void **state)
{
    (void)state;
    struct dz_sim_options some = {.storm_ms = 1}, more = {.storm_ms = 30000};
    assert_int_equal(dz_sim_run_ms(&some), 80001);
    assert_int_equal(dz_sim_run_ms(&more), 110000);
}

static void nodes_that_do_nothing_join_and_stop(void **state)
{
    struct simulated *s = *state;
    simulated_cluster(s, 2, NULL);
    s->options.trace = true;
    assert_int_equal(play(s).failed, 0);
    expect_text(s->captured.out, SIMULATED_A " starts, clock ");
    expect_text(s->captured.out, SIMULATED_B " has joined");
    const char *calm = strstr(s->captured.out, "calm"), *settled = strstr(s->captured.out, "settled");
    assert_true(calm && settled && calm < settled);
    assert_null(strstr(s->captured.out, "FAILED"));
}

static void the_same_seed_is_the_same_run_and_another_seed_another(void **state)
{
    struct simulated *s = *state;
    simulated_cluster(s, 2, NULL);
    s->options.kinds = DZ_SIM_ALL_FAULTS;
    uint64_t one = play(s).hash, again = play(s).hash;
    assert_true(one == again);
    s->options.seed = 2;
    assert_true(play(s).hash != one);
    assert_string_equal(s->captured.out, "");
}

static void a_check_that_does_not_hold_fails_the_run_in_words(void **state)
{
    struct simulated *s = *state;
    simulated_cluster(s, 1,
                      "require('dozor').sim.check('two is three', function() return 2 == 3, 'it is not' end)\n");
    assert_int_equal(play(s).failed, 1);
    expect_text(s->captured.out, "seed 1 at ");
    expect_text(s->captured.out, "ms: " SIMULATED_A ": two is three: it is not\n");
    /* once, and the run is over */
    assert_null(strchr(strchr(s->captured.out, '\n') + 1, '\n'));
}

static void a_check_is_looked_at_only_when_all_has_settled(void **state)
{
    struct simulated *s = *state;
    simulated_cluster(s, 1,
                      "local d = require 'dozor'\n"
                      "d.sim.check('settled', function() return d.sim.phase() == 'settled' end)\n"
                      "d.sim.check('seed', function() return d.sim.seed() == 1 end, { always = true })\n");
    assert_int_equal(play(s).failed, 0);
    assert_string_equal(s->captured.out, "");
}

static void a_check_that_never_answers_is_told_of(void **state)
{
    struct simulated *s = *state;
    simulated_cluster(s, 1, "local d = require 'dozor' d.sim.check('x', function() d.sleep('infinity') end)");
    assert_int_equal(play(s).failed, 1);
    expect_text(s->captured.out, SIMULATED_A ": x: its function did not return in 20 s\n");
}

static void a_node_that_fails_comes_back_in_the_storm_and_not_later(void **state)
{
    struct simulated *s = *state;
    simulated_cluster(s, 1, "local d = require 'dozor' if d.sim.phase() == 'storm' then d.sleep(500) d.shutdown(3) end");
    s->options.trace = true;
    play(s);
    const char *first = strstr(s->captured.out, SIMULATED_A " starts");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, SIMULATED_A " starts"));
    expect_text(s->captured.out, SIMULATED_A " has ended with exit code 3");

    dz_up_settings_fini(&s->up);
    simulated_cluster(s, 1, "local d = require 'dozor' d.sleep(10000) d.shutdown(3)");
    assert_int_equal(play(s).failed, 1);
    expect_text(s->captured.out, SIMULATED_A " ended with exit code 3\n");
}

static void a_node_that_is_through_with_code_0_may_stay_away(void **state)
{
    struct simulated *s = *state;
    simulated_cluster(s, 1, "require('dozor').shutdown(0)");
    assert_int_equal(play(s).failed, 0);
}

static void crashed_nodes_begin_another_life(void **state)
{
    struct simulated *s = *state;
    unsigned crash = 0;
    while (strcmp(dz_sim_fault_name(crash), "crash") != 0)
        crash++;
    simulated_cluster(s, 2, NULL);
    s->options.kinds = 1u << crash;
    s->options.storm_ms = 60000;
    s->options.trace = true;
    assert_int_equal(play(s).failed, 0);
    int lives = 0;
    for (const char *at = s->captured.out; (at = strstr(at, " starts, clock ")) != NULL; at++)
        lives++;
    assert_true(lives > 2);
}

#define simulated_test(name) cmocka_unit_test_setup_teardown(name, simulated_setup, simulated_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        simulated_test(its_length_is_the_storm_and_the_time_to_settle),
        simulated_test(nodes_that_do_nothing_join_and_stop),
        simulated_test(the_same_seed_is_the_same_run_and_another_seed_another),
        simulated_test(a_check_that_does_not_hold_fails_the_run_in_words),
        simulated_test(a_check_is_looked_at_only_when_all_has_settled),
        simulated_test(a_check_that_never_answers_is_told_of),
        simulated_test(a_node_that_fails_comes_back_in_the_storm_and_not_later),
        simulated_test(a_node_that_is_through_with_code_0_may_stay_away),
        simulated_test(crashed_nodes_begin_another_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
