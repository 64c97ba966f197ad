/* test_membership_query.c - what membership answers without changing anything. */
#include "script.h"

static void start_is_settled_when_all_seeds_and_theirs_were_met_or_failed(void **state)
{
    struct script s;
    (void)state;
    begin(&s, NULL);
    assert_true(dz_membership_is_settled(&s.m));
    assert_int_equal(dz_membership_seed(&s.m, "b@h:2", 0), 0);
    assert_int_equal(dz_membership_seed(&s.m, "c@h:3", 0), 0);
    assert_false(dz_membership_is_settled(&s.m));
    dz_membership_failed(&s.m, "c@h:3", DZ_REFUSAL_CONNECT, 1);
    session(&s, "b@h:2", 1, 7, 1);
    assert_false(dz_membership_is_settled(&s.m));
    dz_membership_learnt(&s.m, "d@h:4", 5, 1, 1);
    dz_membership_exchanged(&s.m, 1, 1);
    assert_false(dz_membership_is_settled(&s.m));
    dz_membership_failed(&s.m, "d@h:4", DZ_REFUSAL_CONNECT, 2);
    assert_true(dz_membership_is_settled(&s.m));
    expect(&s, "dial b;dial c;dial d;up b joined;forget d;");
    dz_membership_tick(&s.m, 3);
    assert_null(dz_membership_find(&s.m, "d@h:4", 5));
    assert_non_null(dz_membership_find(&s.m, "c@h:3", 5));
    end(&s);
}

static void losses_of_the_last_minute_still_count_as_known(void **state)
{
    (void)state;
    struct script s;
    uint32_t reachable, known;
    begin(&s, NULL);
    dz_membership_count(&s.m, 0, &reachable, &known);
    assert_int_equal(reachable, 1);
    assert_int_equal(known, 1);
    up(&s, "b@h:2", 1, 7, 0);
    up(&s, "c@h:3", 2, 7, 0);
    session(&s, "d@h:4", 3, 7, 0); /* not up before its exchange */
    dz_membership_count(&s.m, 0, &reachable, &known);
    assert_int_equal(reachable, 3);
    assert_int_equal(known, 3);
    dz_membership_broken(&s.m, 2, "protocol", 1000);
    take(&s);
    dz_membership_count(&s.m, 1000 + 59999, &reachable, &known);
    assert_int_equal(reachable, 2);
    assert_int_equal(known, 3);
    dz_membership_count(&s.m, 1000 + 60000, &reachable, &known);
    assert_int_equal(known, 2);
    end(&s);
}

static void the_next_tick_is_due_for_whoever_is_first(void **state)
{
    (void)state;
    struct script s;
    begin(&s, NULL);
    uint64_t beat = dz_membership_next(&s.m);
    assert_int_equal(beat, s.m.heartbeat_ms);
    up(&s, "b@h:2", 1, 7, 0);
    dz_membership_tick(&s.m, beat);
    take(&s);
    uint64_t next = dz_membership_next(&s.m);
    assert_true(next > beat && next <= beat + settings.heartbeat_ms);
    dz_membership_closed(&s.m, 1, DZ_PEER_EOF, beat + 1);
    take(&s);
    assert_true(dz_membership_next(&s.m) <= beat + settings.down_ms + 1);
    end(&s);
}

static void a_tick_that_would_end_a_session_is_foreseen_and_nothing_changes(void **state)
{
    (void)state;
    struct script s;
    begin(&s, NULL);
    up(&s, "b@h:2", 1, 7, 0);
    assert_int_equal(dz_membership_seed(&s.m, "c@h:3", 0), 0);
    take(&s);
    s.text[0] = 0;
    for (uint64_t now = 500; now <= 2500; now += 500) {
        assert_false(dz_membership_would_judge(&s.m, now));
        dz_membership_tick(&s.m, now);
        take(&s);
    }
    s.text[0] = 0;
    assert_true(dz_membership_would_judge(&s.m, 3500));
    assert_true(dz_membership_would_judge(&s.m, 3500));
    expect(&s, "");
    assert_non_null(dz_membership_of_peer(&s.m, 1));
    dz_membership_heard(&s.m, 1, 3400);
    assert_false(dz_membership_would_judge(&s.m, 3500));
    end(&s);
}

static void nobody_known_is_settled_and_a_dialled_one_is_not(void **state)
{
    (void)state;
    struct script s;
    begin(&s, NULL);
    assert_true(dz_membership_is_settled(&s.m));
    assert_int_equal(dz_membership_seed(&s.m, "b@h:2", 0), 0);
    assert_false(dz_membership_is_settled(&s.m));
    session(&s, "b@h:2", 1, 7, 1);
    assert_false(dz_membership_is_settled(&s.m));
    dz_membership_exchanged(&s.m, 1, 1);
    assert_true(dz_membership_is_settled(&s.m));
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_is_settled_when_all_seeds_and_theirs_were_met_or_failed),
        cmocka_unit_test(losses_of_the_last_minute_still_count_as_known),
        cmocka_unit_test(the_next_tick_is_due_for_whoever_is_first),
        cmocka_unit_test(a_tick_that_would_end_a_session_is_foreseen_and_nothing_changes),
        cmocka_unit_test(nobody_known_is_settled_and_a_dialled_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
