/* test_sim_trace.c - what happened in a run: lines counted, and one hash that tells runs apart. */
#include "../base/check.h"
#include <string.h>
#include "sim/sim_rand.h"
#include "sim/sim_trace.h"

static void runs_that_differ_in_anything_have_different_hashes(void **state)
{
    (void)state;
    uint64_t now = 5;
    struct dz_sim_trace a, b;
    dz_sim_trace_init(&a, false, &now);
    dz_sim_trace_init(&b, false, &now);
    assert_true(a.hash == b.hash);
    dz_sim_trace_note(&a, "h%d starts", 1);
    dz_sim_trace_note(&b, "h%d starts", 1);
    assert_true(a.hash == b.hash);
    assert_int_equal(a.lines, 1);
    dz_sim_trace_note(&a, "h%d starts", 2);
    dz_sim_trace_note(&b, "h%d starts", 3);
    assert_true(a.hash != b.hash);
    dz_sim_trace_init(&a, false, &now);
    dz_sim_trace_init(&b, false, &now);
    dz_sim_trace_note(&a, "the same");
    now++;
    dz_sim_trace_note(&b, "the same"); /* later */
    assert_true(a.hash != b.hash);
}

static void a_step_is_counted_and_hashed_without_a_line(void **state)
{
    (void)state;
    uint64_t now = 5;
    struct dz_sim_trace a, b;
    dz_sim_trace_init(&a, false, &now);
    dz_sim_trace_init(&b, false, &now);
    dz_sim_trace_step(&a, 1);
    dz_sim_trace_step(&b, 2);
    assert_int_equal(a.steps, 1);
    assert_int_equal(a.lines, 0);
    assert_true(a.hash != b.hash);
}

static void a_line_of_any_length_is_noted(void **state)
{
    (void)state;
    uint64_t now = 5;
    char text[3000];
    struct dz_sim_trace t;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    dz_sim_trace_init(&t, false, &now);
    dz_sim_trace_note(&t, "%s", text);
    assert_int_equal(t.lines, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_that_differ_in_anything_have_different_hashes),
        cmocka_unit_test(a_step_is_counted_and_hashed_without_a_line),
        cmocka_unit_test(a_line_of_any_length_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
