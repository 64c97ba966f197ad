#include "base/env.h"

#include <time.h>

#include "check.h"

static void monotonic_time_never_runs_back(void **state)
{
    (void)state;
    struct dz_env env;
    dz_env_system(&env);
    uint64_t last = dz_env_now_ns(&env);
    assert_true(last > 0);
    for (int i = 0; i < 10000; i++) {
        uint64_t now = dz_env_now_ns(&env);
        assert_true(now >= last);
        last = now;
    }
    assert_true(dz_env_now_ms(&env) >= last / 1000000u);
}

static void wall_time_is_that_of_the_machine(void **state)
{
    (void)state;
    struct dz_env env;
    dz_env_system(&env);
    uint64_t before = (uint64_t)time(NULL);
    uint64_t ms = dz_env_wall_ms(&env);
    uint64_t after = (uint64_t)time(NULL);
    /* time() may use a coarser clock, which lags by a tick. */
    assert_true(ms / 1000 >= before && ms / 1000 <= after + 1);
}

static void random_numbers_differ_in_all_their_bits(void **state)
{
    (void)state;
    struct dz_env env;
    dz_env_system(&env);
    uint64_t ones = 0, zeros = 0, last = dz_env_random(&env);
    for (int i = 0; i < 128; i++) {
        uint64_t v = dz_env_random(&env);
        assert_true(v != last);
        ones |= v;
        zeros |= ~v;
        last = v;
    }
    assert_true(ones == UINT64_MAX && zeros == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_time_never_runs_back),
        cmocka_unit_test(wall_time_is_that_of_the_machine),
        cmocka_unit_test(random_numbers_differ_in_all_their_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
