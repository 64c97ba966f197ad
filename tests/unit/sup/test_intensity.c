/* The sliding window (semantics 4.1). */
#include "literal.h"

#include "sup/intensity.h"

static void the_boundary_belongs_to_the_window(void **state)
{
    (void)state;
    struct dz_intensity in;
    dz_intensity_init(&in, 2, 100);
    assert_true(dz_intensity_add(&in, 1000));
    assert_true(dz_intensity_add(&in, 1050));
    assert_false(dz_intensity_add(&in, 1100));
    dz_intensity_fini(&in);
    dz_intensity_init(&in, 2, 100);
    assert_true(dz_intensity_add(&in, 1000));
    assert_true(dz_intensity_add(&in, 1050));
    assert_true(dz_intensity_add(&in, 1101));
    assert_false(dz_intensity_add(&in, 1101));
    dz_intensity_fini(&in);
}

static void zero_allows_no_restart_and_unlimited_any(void **state)
{
    (void)state;
    struct dz_intensity in;
    dz_intensity_init(&in, 0, 100);
    assert_false(dz_intensity_add(&in, 5));
    dz_intensity_fini(&in);
    dz_intensity_init(&in, DZ_INTENSITY_UNLIMITED, 100);
    for (int i = 0; i < 1000; i++)
        assert_true(dz_intensity_add(&in, 5));
    assert_null(in.times);
    dz_intensity_fini(&in);
}

static void an_infinite_window_never_forgets(void **state)
{
    (void)state;
    struct dz_intensity in;
    dz_intensity_init(&in, 1, DZ_TIME_INFINITY);
    assert_true(dz_intensity_add(&in, 0));
    assert_false(dz_intensity_add(&in, UINT64_C(1) << 60));
    dz_intensity_fini(&in);
}

/* Against the definition: allowed if at most max of all allowed restarts lie in [now - within, now]. */
static void it_agrees_with_the_definition(void **state)
{
    (void)state;
    struct dz_intensity in;
    uint64_t times[400], now = 0, seed = 1;
    int count = 0;
    dz_intensity_init(&in, 7, 50);
    for (int i = 0; i < 400; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1;
        now += seed >> 60;
        int within = 1;
        for (int j = 0; j < count; j++)
            within += now - times[j] <= 50;
        bool allowed = dz_intensity_add(&in, now);
        assert_int_equal(allowed, within <= 7);
        if (allowed)
            times[count++] = now;
    }
    assert_true(count > 7 && count < 400);
    dz_intensity_fini(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_boundary_belongs_to_the_window),
        cmocka_unit_test(zero_allows_no_restart_and_unlimited_any),
        cmocka_unit_test(an_infinite_window_never_forgets),
        cmocka_unit_test(it_agrees_with_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
