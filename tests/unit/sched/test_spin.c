#include "sched/spin.h"

#include "../base/check.h"

#define LIMIT 20000u

static void without_a_limit_nobody_spins(void **state)
{
    (void)state;
    struct dz_spin s;
    dz_spin_init(&s, 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(dz_spin_ns(&s), 0);
        dz_spin_waited(&s, 0);
    }
}

static void short_waits_keep_the_spinning_up(void **state)
{
    (void)state;
    struct dz_spin s;
    dz_spin_init(&s, LIMIT);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(dz_spin_ns(&s), LIMIT);
        dz_spin_waited(&s, 300);
    }
}

static void a_few_long_waits_end_it(void **state)
{
    (void)state;
    struct dz_spin s;
    dz_spin_init(&s, LIMIT);
    for (int i = 0; i < 100; i++)
        dz_spin_waited(&s, 300);
    int spun = 0;
    while (dz_spin_ns(&s) > 0) {
        dz_spin_waited(&s, 1000000);
        spun++;
    }
    assert_in_range(spun, 2, 4);
}

static void one_short_wait_is_enough_to_spin_again(void **state)
{
    (void)state;
    struct dz_spin s;
    dz_spin_init(&s, LIMIT);
    while (dz_spin_ns(&s) > 0)
        dz_spin_waited(&s, UINT64_MAX);
    dz_spin_waited(&s, LIMIT);
    assert_int_equal(dz_spin_ns(&s), LIMIT);
}

static void an_idle_thread_tries_seldom_and_once(void **state)
{
    (void)state;
    struct dz_spin s;
    dz_spin_init(&s, LIMIT);
    uint64_t spun = 0;
    for (int i = 0; i < 6400; i++) {
        spun += dz_spin_ns(&s);
        dz_spin_waited(&s, UINT64_MAX);
    }
    /* One try in 64 waits, and the few at the start. */
    assert_in_range(spun, 90 * DZ_SPIN_TRY_FACTOR * LIMIT, 104 * DZ_SPIN_TRY_FACTOR * LIMIT);
}

/* Each answer of the other one, who sleeps, takes 35 us; once we spin through that it finds us awake and
 * spins, too. */
static void a_try_that_helps_goes_on(void **state)
{
    (void)state;
    struct dz_spin s;
    dz_spin_init(&s, LIMIT);
    uint64_t ns;
    do {
        ns = dz_spin_ns(&s);
        if (ns <= LIMIT)
            dz_spin_waited(&s, 35000);
    } while (ns <= LIMIT);
    for (unsigned i = 1; i < DZ_SPIN_TRY_WAITS; i++) {
        dz_spin_waited(&s, i < 3 ? 35000 : 300);
        assert_int_equal(dz_spin_ns(&s), LIMIT * DZ_SPIN_TRY_FACTOR);
    }
    dz_spin_waited(&s, 300);
    assert_int_equal(dz_spin_ns(&s), LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_nobody_spins),
        cmocka_unit_test(short_waits_keep_the_spinning_up),
        cmocka_unit_test(a_few_long_waits_end_it),
        cmocka_unit_test(one_short_wait_is_enough_to_spin_again),
        cmocka_unit_test(an_idle_thread_tries_seldom_and_once),
        cmocka_unit_test(a_try_that_helps_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
