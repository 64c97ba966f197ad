/* Limits and blame, with sizes made up. */
#include "vm/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

#define MB ((size_t)1 << 20)

static struct dz_pid process(uint32_t slot)
{
    return (struct dz_pid){ 0, slot, 1 };
}

static bool lives(void *ctx, struct dz_pid pid)
{
    const struct dz_pid *dead = ctx;
    return !dead || !dz_pid_eq(*dead, pid);
}

/* A turn of the process that leaves `bytes` more in use. */
static void turn(struct dz_memory *m, uint32_t slot, size_t bytes)
{
    dz_memory_note_turn(m, DZ_PID_NONE);
    m->used += bytes;
    dz_memory_note_turn(m, process(slot));
}

static void expect_blame(const struct dz_memory *m, struct dz_pid current, struct dz_pid *dead, uint32_t slot)
{
    assert_int_equal(dz_memory_blame(m, current, lives, dead).slot, slot);
}

static void the_hard_limit_is_a_quarter_above_but_at_least_64_megabytes(void **state)
{
    (void)state;
    struct dz_memory m;
    dz_memory_init(&m);
    assert_true(m.alarm == SIZE_MAX && m.hard == SIZE_MAX);
    dz_memory_set_limit(&m, 0);
    assert_true(m.alarm == SIZE_MAX);
    dz_memory_set_limit(&m, 100);
    assert_int_equal(m.alarm, 100 * MB);
    assert_int_equal(m.hard, 164 * MB);
    dz_memory_set_limit(&m, 1000);
    assert_int_equal(m.hard, 1250 * MB);
}

static void the_turn_that_took_the_excess_is_to_blame(void **state)
{
    (void)state;
    struct dz_memory m;
    dz_memory_init(&m);
    dz_memory_set_limit(&m, 100);
    turn(&m, 1, 70 * MB);
    dz_memory_note_turn(&m, DZ_PID_NONE);
    m.used += 40 * MB; /* the present turn's, of 2 */
    expect_blame(&m, process(2), NULL, 2);
}

static void one_who_took_much_over_many_turns_is_found(void **state)
{
    (void)state;
    struct dz_memory m;
    dz_memory_init(&m);
    dz_memory_set_limit(&m, 100);
    for (int i = 0; i < 100; i++) {
        turn(&m, 1, MB);
        turn(&m, 2, 1000);
    }
    turn(&m, 3, 5 * MB);
    dz_memory_note_turn(&m, DZ_PID_NONE);
    m.used += 2 * MB;
    expect_blame(&m, process(2), NULL, 1);
    struct dz_pid dead = process(1);
    expect_blame(&m, process(2), &dead, 3);
    expect_blame(&m, DZ_PID_NONE, &dead, 3);
}

static void small_turns_are_not_remembered_and_the_largest_keep_their_places(void **state)
{
    (void)state;
    struct dz_memory m;
    dz_memory_init(&m);
    dz_memory_set_limit(&m, 10);
    turn(&m, 99, 50 * MB);
    for (uint32_t i = 1; i <= 3 * DZ_MEMORY_EATERS; i++)
        turn(&m, i, MB);
    turn(&m, 98, 1000);
    expect_blame(&m, DZ_PID_NONE, NULL, 99);
    for (uint32_t i = 0; i < DZ_MEMORY_EATERS; i++)
        assert_int_not_equal(m.eaters[i].pid.slot, 98);
}

static void with_nobody_known_nobody_is_blamed(void **state)
{
    (void)state;
    struct dz_memory m;
    dz_memory_init(&m);
    dz_memory_set_limit(&m, 10);
    m.used = 20 * MB;
    expect_blame(&m, DZ_PID_NONE, NULL, 0);
    expect_blame(&m, process(4), NULL, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hard_limit_is_a_quarter_above_but_at_least_64_megabytes),
        cmocka_unit_test(the_turn_that_took_the_excess_is_to_blame),
        cmocka_unit_test(one_who_took_much_over_many_turns_is_found),
        cmocka_unit_test(small_turns_are_not_remembered_and_the_largest_keep_their_places),
        cmocka_unit_test(with_nobody_known_nobody_is_blamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
