/* The watchdog's decisions, with times made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "sched/watchdog.h"

#define MS 1000000u

struct dog {
    struct dz_watchdog watch;
    struct dz_watchdog_limits limits;
    uint64_t now_ns;
    char trace[256]; /* verdicts other than fine, with the time they came at */
};

static void dog_init(struct dog *d, uint64_t max_turn_ms)
{
    memset(d, 0, sizeof *d);
    dz_watchdog_set_limits(&d->limits, max_turn_ms);
}

static void look(struct dog *d, uint64_t turn)
{
    static const char *const names[] = {"", "report", "tell", "end", "give up"};
    enum dz_watchdog_verdict v = dz_watchdog_look(&d->watch, &d->limits, turn, d->now_ns);
    size_t len = strlen(d->trace);
    if (v != DZ_WATCHDOG_FINE)
        snprintf(d->trace + len, sizeof d->trace - len, "%s %llu;", names[v],
                 (unsigned long long)(d->now_ns / MS));
}

/* Looks at the usual pace until `until_ms`, the same turn all the time. */
static void stay(struct dog *d, uint64_t turn, uint64_t until_ms)
{
    while (d->now_ns < until_ms * MS) {
        look(d, turn);
        d->now_ns += d->limits.every_ns;
    }
}

static void expect(struct dog *d, const char *trace)
{
    assert_string_equal(d->trace, trace);
    d->trace[0] = '\0';
}

static void a_turn_is_reported_then_ended_then_its_worker_given_up(void **state)
{
    (void)state;
    struct dog d;
    dog_init(&d, 800);
    assert_int_equal(d.limits.every_ns, 100 * MS);
    stay(&d, 7, 2000);
    expect(&d, "report 400;tell 500;end 800;end 900;give up 1000;");
}

static void the_default_limit_reports_after_a_second_and_gives_up_half_a_second_late(void **state)
{
    (void)state;
    struct dog d;
    dog_init(&d, 10000);
    stay(&d, 7, 12000);
    expect(&d, "report 1000;tell 1250;end 10000;end 10250;give up 10500;");
}

static void a_turn_that_ends_in_time_is_forgotten(void **state)
{
    (void)state;
    struct dog d;
    dog_init(&d, 800);
    stay(&d, 7, 900);
    expect(&d, "report 400;tell 500;end 800;");
    stay(&d, 8, 1300);
    expect(&d, "");
    look(&d, 0);
    d.now_ns += d.limits.every_ns;
    stay(&d, 9, 1900);
    expect(&d, "report 1800;");
}

static void many_short_turns_are_never_long(void **state)
{
    (void)state;
    struct dog d;
    dog_init(&d, 100);
    for (uint64_t turn = 1; turn < 1000; turn++) {
        look(&d, turn);
        d.now_ns += 40 * MS;
        look(&d, turn);
        d.now_ns += 2 * MS;
    }
    expect(&d, "");
}

static void time_in_which_nobody_looked_counts_little(void **state)
{
    (void)state;
    struct dog d;
    dog_init(&d, 10000);
    look(&d, 7);
    d.now_ns += 3600 * 1000 * (uint64_t)MS; /* the machine slept */
    look(&d, 7);
    assert_int_equal(d.watch.age_ns, 4 * d.limits.every_ns);
    assert_string_equal(d.trace, "report 3600000;");
}

static void without_a_limit_nothing_ever_comes(void **state)
{
    (void)state;
    struct dog d;
    dog_init(&d, 0);
    assert_int_equal(d.limits.every_ns, DZ_WATCHDOG_EVERY_MAX_MS * MS);
    stay(&d, 7, 3600 * 1000);
    expect(&d, "");
}

static void small_limits_are_looked_at_often_enough(void **state)
{
    (void)state;
    struct dog d;
    dog_init(&d, 10);
    stay(&d, 1, 300);
    expect(&d, "report 10;tell 20;end 30;end 40;end 50;end 60;end 70;end 80;end 90;end 100;give up 110;");
}

static void a_parked_thread_can_be_robbed_at_once(void **state)
{
    (void)state;
    struct dz_watchdog_sample s = {.parked = true, .seen = 1};
    assert_int_equal(dz_watchdog_may_take(&s, 0), DZ_LOSS_TAKE);
}

static void foreign_code_may_keep_its_thread_after_a_while(void **state)
{
    (void)state;
    struct dz_watchdog_sample s = {.seen = 50, .outside = true};
    assert_int_equal(dz_watchdog_may_take(&s, 99 * (uint64_t)MS), DZ_LOSS_WAIT);
    assert_int_equal(dz_watchdog_may_take(&s, 100 * (uint64_t)MS), DZ_LOSS_TAKE);
}

static void a_thread_inside_the_core_is_waited_for(void **state)
{
    (void)state;
    struct dz_watchdog_sample s = {.seen = 5000};
    assert_int_equal(dz_watchdog_may_take(&s, 60000 * (uint64_t)MS), DZ_LOSS_WAIT);
    s.only_lua = true;
    assert_int_equal(dz_watchdog_may_take(&s, 699 * (uint64_t)MS), DZ_LOSS_WAIT);
    assert_int_equal(dz_watchdog_may_take(&s, 700 * (uint64_t)MS), DZ_LOSS_FORCE);
}

static void a_thread_that_takes_no_signals_is_given_five_seconds(void **state)
{
    (void)state;
    struct dz_watchdog_sample s = {.seen = 0};
    assert_int_equal(dz_watchdog_may_take(&s, 4999 * (uint64_t)MS), DZ_LOSS_WAIT);
    assert_int_equal(dz_watchdog_may_take(&s, 5000 * (uint64_t)MS), DZ_LOSS_TAKE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_is_reported_then_ended_then_its_worker_given_up),
        cmocka_unit_test(the_default_limit_reports_after_a_second_and_gives_up_half_a_second_late),
        cmocka_unit_test(a_turn_that_ends_in_time_is_forgotten),
        cmocka_unit_test(many_short_turns_are_never_long),
        cmocka_unit_test(time_in_which_nobody_looked_counts_little),
        cmocka_unit_test(without_a_limit_nothing_ever_comes),
        cmocka_unit_test(small_limits_are_looked_at_often_enough),
        cmocka_unit_test(a_parked_thread_can_be_robbed_at_once),
        cmocka_unit_test(foreign_code_may_keep_its_thread_after_a_while),
        cmocka_unit_test(a_thread_inside_the_core_is_waited_for),
        cmocka_unit_test(a_thread_that_takes_no_signals_is_given_five_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
