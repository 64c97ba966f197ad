#include "../base/check.h"
#include <stdio.h>
#include <string.h>
#include "base/err.h"
#include "cluster/detector.h"

static const struct dz_detector_settings settings = {500, 1500, 3000, 10000};

struct trace {
    struct dz_detector d;
    char text[1024];
    bool over;
};

static void start(struct trace *t)
{
    memset(t, 0, sizeof *t);
    dz_detector_start(&t->d, 1000);
}

static void tick(struct trace *t, uint64_t now)
{
    static const char *const names[] = {
        [DZ_DETECTOR_SUSPECT] = "suspect", [DZ_DETECTOR_RECOVERED] = "recovered",
        [DZ_DETECTOR_PROBE] = "probe",     [DZ_DETECTOR_DOWN] = "down",
        [DZ_DETECTOR_REFUSED] = "refused", [DZ_DETECTOR_UNREACHABLE] = "unreachable",
    };
    enum dz_detector_verdict v;
    while (!t->over && (v = dz_detector_tick(&t->d, &settings, now)) != DZ_DETECTOR_NOTHING) {
        size_t len = strlen(t->text);
        snprintf(t->text + len, sizeof t->text - len, "%u %s;", (unsigned)now, names[v]);
        t->over = v == DZ_DETECTOR_DOWN || v == DZ_DETECTOR_REFUSED || v == DZ_DETECTOR_UNREACHABLE;
    }
}

/* Ticks whenever one is due. */
static void run(struct trace *t, uint64_t from, uint64_t to)
{
    for (uint64_t now = from; now <= to && !t->over;) {
        tick(t, now);
        uint64_t next = dz_detector_next(&t->d, &settings);
        now = next > now ? next : now + 1;
    }
}

static void silence_makes_a_suspect_and_then_a_loss(void **state)
{
    struct trace t;
    (void)state;
    start(&t);
    run(&t, 1000, 9000);
    assert_string_equal(t.text, "2500 suspect;2500 probe;3000 probe;3500 probe;4000 down;");
}

static void signs_of_life_keep_a_peer_up(void **state)
{
    struct trace t;
    (void)state;
    start(&t);
    for (uint64_t now = 1500; now < 20000; now += 500) {
        dz_detector_heard(&t.d, now);
        tick(&t, now + 400);
    }
    assert_string_equal(t.text, "");
}

static void a_suspect_that_is_heard_again_recovers(void **state)
{
    struct trace t;
    (void)state;
    start(&t);
    run(&t, 1000, 3200);
    dz_detector_heard(&t.d, 3300);
    run(&t, 3300, 4700);
    assert_string_equal(t.text, "2500 suspect;2500 probe;3000 probe;3300 recovered;");
}

static void a_closed_link_makes_a_suspect_at_once_that_is_up_again_when_it_is_back(void **state)
{
    struct trace t;
    (void)state;
    start(&t);
    dz_detector_closed(&t.d, false);
    tick(&t, 1200);
    dz_detector_resumed(&t.d, 1500);
    tick(&t, 1500);
    assert_string_equal(t.text, "1200 suspect;1200 probe;1500 recovered;");
}

static void a_refused_redial_is_a_loss_at_once(void **state)
{
    struct trace t;
    (void)state;
    start(&t);
    dz_detector_closed(&t.d, false);
    dz_detector_closed(&t.d, true);
    assert_int_equal(dz_detector_next(&t.d, &settings), 0);
    tick(&t, 1001);
    assert_string_equal(t.text, "1001 refused;");
}

static void a_peer_that_others_hear_is_unreachable_only_after_ten_seconds(void **state)
{
    struct trace t;
    (void)state;
    start(&t);
    run(&t, 1000, 2600);
    for (uint64_t now = 2700; now < 11000 && !t.over; now += 500) {
        dz_detector_reached(&t.d, now - 100);
        tick(&t, now);
    }
    t.text[0] = 0;
    run(&t, 11000, 12000);
    assert_string_equal(t.text, "11000 unreachable;");
}

static void a_loss_needs_the_silence_of_others_too(void **state)
{
    struct trace t;
    (void)state;
    start(&t);
    run(&t, 1000, 2600);
    dz_detector_reached(&t.d, 2600);
    t.text[0] = 0;
    run(&t, 2600, 5599);
    assert_null(strstr(t.text, "down"));
    run(&t, 5600, 6000);
    assert_non_null(strstr(t.text, "5600 down;"));
}

static void our_own_standstill_proves_nothing(void **state)
{
    struct trace t;
    (void)state;
    start(&t);
    dz_detector_stalled(&t.d, 60000, 61000);
    tick(&t, 61000);
    assert_string_equal(t.text, "");
    run(&t, 61000, 70000);
    assert_non_null(strstr(t.text, "64000 down;"));
}

static void an_older_sign_of_life_changes_nothing(void **state)
{
    struct trace t;
    (void)state;
    start(&t);
    dz_detector_heard(&t.d, 900);
    assert_int_equal(t.d.told_ms, 1000);
    dz_detector_stalled(&t.d, 500, 2000);
    dz_detector_heard(&t.d, 1200);
    assert_int_equal(t.d.heard_ms, 1500);
}

static void times_without_sense_are_refused(void **state)
{
    const char *why;
    struct dz_detector_settings s = settings;
    (void)state;
    assert_int_equal(dz_detector_check(&s, &why), 0);
    assert_null(why);
    s.heartbeat_ms = 5;
    assert_int_equal(dz_detector_check(&s, &why), DZ_ECONFIG);
    s = settings;
    s.down_ms = 1500;
    assert_int_equal(dz_detector_check(&s, &why), DZ_ECONFIG);
    assert_string_equal(why, "down_after_ms must be greater than suspect_after_ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_makes_a_suspect_and_then_a_loss),
        cmocka_unit_test(signs_of_life_keep_a_peer_up),
        cmocka_unit_test(a_suspect_that_is_heard_again_recovers),
        cmocka_unit_test(a_closed_link_makes_a_suspect_at_once_that_is_up_again_when_it_is_back),
        cmocka_unit_test(a_refused_redial_is_a_loss_at_once),
        cmocka_unit_test(a_peer_that_others_hear_is_unreachable_only_after_ten_seconds),
        cmocka_unit_test(a_loss_needs_the_silence_of_others_too),
        cmocka_unit_test(our_own_standstill_proves_nothing),
        cmocka_unit_test(an_older_sign_of_life_changes_nothing),
        cmocka_unit_test(times_without_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
