/* core/vm/bind_sim.c: a script's word with the simulator that runs it; elsewhere nobody hears it. */
#include "machine.h"

/* What a simulator was told. */
struct told {
    const char *phase;
    uint32_t checks;
    char journal[512];
};

static void tell(struct told *t, const char *what, uint32_t number, const char *text, size_t len)
{
    size_t at = strlen(t->journal);
    snprintf(t->journal + at, sizeof t->journal - at, "%s %u %.*s;", what, number, (int)len, text);
}

static const char *told_phase(void *ctx)
{
    return ((struct told *)ctx)->phase;
}

static uint32_t told_check(void *ctx, const char *name, size_t len)
{
    struct told *t = ctx;
    tell(t, "check", t->checks, name, len);
    return t->checks++;
}

static void told_held(void *ctx, uint32_t number)
{
    tell(ctx, "held", number, "", 0);
}

static void told_failed(void *ctx, uint32_t number, const char *why, size_t len)
{
    tell(ctx, "failed", number, why, len);
}

static void told_note(void *ctx, const char *text, size_t len)
{
    tell(ctx, "note", 0, text, len);
}

static void without_a_simulator_all_answer_nil(void **state)
{
    (void)state;
    machine_test("for _, name in ipairs { 'sim_phase', 'sim_seed' } do eq(select('#', core[name]()), 0) end\n"
                 "eq(select('#', core.sim_check('all is well')), 0)\n"
                 "eq(select('#', core.sim_held(0)), 0)\n"
                 "eq(select('#', core.sim_failed(0, 'it is not')), 0)\n"
                 "eq(select('#', core.sim_note('here')), 0)");
}

/* Runs the body under a simulator that writes down what it is told. */
static void simulated(struct told *t, uint64_t seed, const char *body)
{
    struct machine *m = machine_new();
    const struct dz_vm_simulation simulation = {
        .ctx = t,
        .seed = seed,
        .phase = told_phase,
        .check = told_check,
        .held = told_held,
        .failed = told_failed,
        .note = told_note,
    };
    m->shared.simulation = &simulation;
    machine_run(m, body);
    machine_delete(m);
}

static void the_seed_and_the_phase_are_the_runs(void **state)
{
    (void)state;
    struct told t = {.phase = "storm"};
    simulated(&t, 4294967297u, "eq(core.sim_seed(), 4294967297) eq(core.sim_phase(), 'storm')");
    t.phase = "settled";
    simulated(&t, 0, "eq(core.sim_seed(), 0) eq(core.sim_phase(), 'settled')");
    assert_string_equal(t.journal, "");
}

static void checks_are_numbered_and_told_of_by_number(void **state)
{
    (void)state;
    struct told t = {.phase = "settled"};
    simulated(&t, 1,
              "eq(core.sim_check('a'), 0) eq(core.sim_check('b'), 1)\n"
              "core.sim_held(0) core.sim_held(0) core.sim_failed(1, 'b is gone')");
    assert_string_equal(t.journal, "check 0 a;check 1 b;held 0 ;held 0 ;failed 1 b is gone;");
}

static void a_note_comes_through_as_it_is(void **state)
{
    (void)state;
    struct told t = {.phase = "calm"};
    simulated(&t, 1, "core.sim_note('') core.sim_note('twelve %d')");
    assert_string_equal(t.journal, "note 0 ;note 0 twelve %d;");
}

static void what_is_no_text_or_number_is_not_told(void **state)
{
    (void)state;
    struct told t = {.phase = "calm"};
    simulated(&t, 1,
              "eq((pcall(core.sim_check)), false) eq((pcall(core.sim_note, {})), false)\n"
              "eq((pcall(core.sim_held, 'x')), false) eq((pcall(core.sim_failed, 0)), false)\n"
              "eq((pcall(core.sim_failed, 'x', 'why')), false)");
    assert_string_equal(t.journal, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_simulator_all_answer_nil),
        cmocka_unit_test(the_seed_and_the_phase_are_the_runs),
        cmocka_unit_test(checks_are_numbered_and_told_of_by_number),
        cmocka_unit_test(a_note_comes_through_as_it_is),
        cmocka_unit_test(what_is_no_text_or_number_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
