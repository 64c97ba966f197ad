/* Delays between restarts (semantics 3.5). */
#include "literal.h"

#include "sup/backoff.h"
#include "sup/types.h"

static void delays_grow_by_the_factor_up_to_the_limit(void **state)
{
    (void)state;
    struct dz_backoff b = {100, 1000, 2, 0, 5000};
    static const uint64_t expected[] = {100, 200, 400, 800, 1000, 1000};
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(dz_backoff_delay(&b, i, UINT64_MAX), expected[i]);
    assert_int_equal(dz_backoff_delay(&b, UINT32_MAX, 0), 1000);
}

static void jitter_stays_within_its_part_and_below_the_limit(void **state)
{
    (void)state;
    struct dz_backoff b = {1000, 1000, 2, 0.1, 5000};
    assert_int_equal(dz_backoff_delay(&b, 0, 0), 900);
    assert_int_equal(dz_backoff_delay(&b, 0, UINT64_MAX), 1000);
    b.max_ms = 5000;
    assert_in_range(dz_backoff_delay(&b, 0, UINT64_MAX), 1099, 1100);
    assert_int_equal(dz_backoff_delay(&b, 0, UINT64_C(1) << 63), 1000);
}

static void an_infinite_limit_is_a_year(void **state)
{
    (void)state;
    struct dz_backoff b = {1, DZ_TIME_INFINITY, 1e6, 0, 5000};
    assert_int_equal(dz_backoff_delay(&b, 1000, 0), UINT64_C(365) * 24 * 3600 * 1000);
    b.factor = 1;
    assert_int_equal(dz_backoff_delay(&b, UINT32_MAX, 0), 1);
}

static void a_healthy_run_starts_the_row_anew(void **state)
{
    (void)state;
    struct dz_backoff b = {100, 1000, 2, 0, 5000};
    assert_int_equal(dz_backoff_step_after(&b, 3, 4999), 3);
    assert_int_equal(dz_backoff_step_after(&b, 3, 5000), 0);
    b.reset_after_ms = DZ_TIME_INFINITY;
    assert_int_equal(dz_backoff_step_after(&b, 3, 1000000), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_grow_by_the_factor_up_to_the_limit),
        cmocka_unit_test(jitter_stays_within_its_part_and_below_the_limit),
        cmocka_unit_test(an_infinite_limit_is_a_year),
        cmocka_unit_test(a_healthy_run_starts_the_row_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
