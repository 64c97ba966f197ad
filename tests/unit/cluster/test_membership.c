#include "script.h"

static void nodes_learnt_from_a_peer_are_dialled_once(void **state)
{
    struct script s;
    (void)state;
    begin(&s, NULL);
    assert_int_equal(dz_membership_seed(&s.m, "b@h:2", 0), 0);
    dz_membership_learnt(&s.m, "c@h:3", 5, 7, 0);
    dz_membership_learnt(&s.m, "c@h:3", 5, 7, 0);
    dz_membership_learnt(&s.m, "a@h:1", 5, 7, 0);
    dz_membership_learnt(&s.m, "rubbish", 7, 7, 0);
    expect(&s, "dial b;dial c;");
    end(&s);
}

static void a_node_is_up_after_its_exchange_and_down_once(void **state)
{
    struct script s;
    (void)state;
    begin(&s, NULL);
    session(&s, "b@h:2", 1, 7, 0);
    expect(&s, "");
    dz_membership_exchanged(&s.m, 1, 10);
    dz_membership_exchanged(&s.m, 1, 10);
    expect(&s, "up b joined;");
    dz_membership_closed(&s.m, 1, DZ_PEER_EOF, 20);
    dz_membership_closed(&s.m, 1, DZ_PEER_REFUSED, 21);
    dz_membership_tick(&s.m, 21);
    expect(&s, "lost b refused close announce verdict;dial b;");
    dz_membership_closed(&s.m, 1, DZ_PEER_REFUSED, 22);
    dz_membership_tick(&s.m, 30);
    expect(&s, "");
    end(&s);
}

static void a_session_that_ends_before_its_exchange_ends_silently(void **state)
{
    struct script s;
    (void)state;
    begin(&s, NULL);
    session(&s, "b@h:2", 1, 7, 0);
    dz_membership_closed(&s.m, 1, DZ_PEER_RESET, 5);
    expect(&s, "lost b reset;");
    session(&s, "b@h:2", 2, 7, 6);
    dz_membership_exchanged(&s.m, 2, 7);
    expect(&s, "up b joined;");
    end(&s);
}

static void the_same_life_that_comes_back_is_healed_a_new_one_joins(void **state)
{
    struct script s;
    (void)state;
    begin(&s, NULL);
    up(&s, "b@h:2", 1, 7, 0);
    dz_membership_closed(&s.m, 1, DZ_PEER_RESET, 5);
    expect(&s, "lost b reset announce;");
    assert_int_equal(s.m.returns, 1);
    session(&s, "b@h:2", 2, 7, 6);
    dz_membership_exchanged(&s.m, 2, 6);
    expect(&s, "up b healed;");
    dz_membership_closed(&s.m, 2, DZ_PEER_REPLACED, 7);
    expect(&s, "lost b replaced announce verdict;");
    session(&s, "b@h:2", 3, 8, 8);
    dz_membership_exchanged(&s.m, 3, 8);
    expect(&s, "up b joined;");
    end(&s);
}

static void a_newer_incarnation_ends_the_older_session_first(void **state)
{
    struct script s;
    (void)state;
    begin(&s, NULL);
    up(&s, "b@h:2", 1, 7, 0);
    session(&s, "b@h:2", 2, 8, 5);
    dz_membership_exchanged(&s.m, 2, 6);
    expect(&s, "lost b replaced close announce;up b joined;");
    dz_membership_learnt(&s.m, "b@h:2", 5, 9, 7);
    expect(&s, "lost b replaced close announce;dial b;");
    end(&s);
}

static void a_goodbye_is_not_redialled_but_for_seeds(void **state)
{
    struct script s;
    (void)state;
    begin(&s, NULL);
    up(&s, "b@h:2", 1, 7, 0);
    dz_membership_closed(&s.m, 1, DZ_PEER_GOODBYE, 5);
    expect(&s, "lost b goodbye announce verdict;");
    assert_int_equal(dz_membership_seed(&s.m, "c@h:3", 5), 0);
    up(&s, "c@h:3", 2, 7, 5);
    dz_membership_closed(&s.m, 2, DZ_PEER_GOODBYE, 6);
    expect(&s, "lost c goodbye announce verdict;dial c;");
    end(&s);
}

static void an_older_life_is_stale_and_so_is_an_equal_but_different_one(void **state)
{
    struct script s;
    uint64_t known = 0;
    struct dz_peer_info info = {.id = "b@h:2", .incarnation = 6, .birth = 6};
    (void)state;
    begin(&s, NULL);
    up(&s, "b@h:2", 1, 7, 0);
    assert_int_equal(dz_membership_admit(&s.m, &info, &known, 1), DZ_REFUSAL_STALE);
    assert_int_equal(known, 7);
    info.incarnation = 7;
    assert_int_equal(dz_membership_admit(&s.m, &info, &known, 1), DZ_REFUSAL_STALE);
    info.birth = 7;
    assert_int_equal(dz_membership_admit(&s.m, &info, &known, 1), DZ_REFUSAL_NONE);
    info.id = "a@h:1";
    assert_int_equal(dz_membership_admit(&s.m, &info, &known, 1), DZ_REFUSAL_SELF);
    end(&s);
}

static void a_suspect_is_asked_about_at_some_of_the_others(void **state)
{
    struct script s;
    (void)state;
    begin(&s, NULL);
    up(&s, "b@h:2", 1, 7, 0);
    up(&s, "c@h:3", 2, 7, 0);
    up(&s, "d@h:4", 3, 7, 0);
    for (uint64_t now = 100; now <= 1600; now += 100) {
        dz_membership_heard(&s.m, 2, now);
        dz_membership_heard(&s.m, 3, now);
        dz_membership_tick(&s.m, now);
        take(&s);
    }
    expect(&s, "probe b by 2;probe b by 3;");
    end(&s);
}

/* A node that went silent for everybody at once is not apart, whatever the others heard before. */
static void a_suspect_that_others_still_hear_is_apart_until_it_is_back(void **state)
{
    struct script s;
    (void)state;
    begin(&s, NULL);
    up(&s, "b@h:2", 1, 7, 0);
    up(&s, "c@h:3", 2, 7, 0);
    struct dz_node *b = dz_membership_find(&s.m, "b@h:2", 5);
    for (uint64_t now = 100; now <= 2500; now += 100) {
        dz_membership_heard(&s.m, 2, now);
        dz_membership_tick(&s.m, now);
        if (now >= 1500)
            dz_membership_reached(&s.m, "b@h:2", 5, 7, now - 400, now);
        take(&s);
    }
    assert_int_equal(b->status, DZ_NODE_SUSPECT);
    assert_false(b->apart);
    dz_membership_reached(&s.m, "b@h:2", 5, 7, 100, 2500);
    assert_true(b->apart);
    take(&s);
    dz_membership_heard(&s.m, 1, 2600);
    dz_membership_tick(&s.m, 2600);
    take(&s);
    assert_false(b->apart);
    end(&s);
}

static void a_probe_is_answered_with_the_age_of_what_was_heard(void **state)
{
    struct script s;
    uint64_t age = 0;
    (void)state;
    begin(&s, NULL);
    up(&s, "b@h:2", 1, 7, 1000);
    assert_int_equal(dz_membership_probed(&s.m, "b@h:2", 5, 7, 1300, &age), 0);
    assert_int_equal(age, 300);
    assert_true(dz_membership_probed(&s.m, "b@h:2", 5, 8, 1300, &age) != 0);
    assert_true(dz_membership_probed(&s.m, "x@h:2", 5, 7, 1300, &age) != 0);
    end(&s);
}

static void a_life_that_flaps_is_kept_out_for_a_while(void **state)
{
    struct script s;
    uint64_t known;
    struct dz_peer_info info = {.id = "b@h:2", .incarnation = 7, .birth = 7};
    (void)state;
    begin(&s, NULL);
    for (uint64_t i = 1; i <= DZ_MEMBERSHIP_FLAPS; i++) {
        assert_int_equal(dz_membership_admit(&s.m, &info, &known, i * 10), DZ_REFUSAL_NONE);
        up(&s, "b@h:2", i, 7, i * 10);
        dz_membership_broken(&s.m, i, "overloaded", i * 10 + 5);
        take(&s);
    }
    assert_int_equal(dz_membership_admit(&s.m, &info, &known, 100), DZ_REFUSAL_DENIED);
    assert_int_equal(dz_membership_admit(&s.m, &info, &known, 100 + DZ_MEMBERSHIP_QUIET_MS), DZ_REFUSAL_NONE);
    info.incarnation = info.birth = 8;
    assert_int_equal(dz_membership_admit(&s.m, &info, &known, 100), DZ_REFUSAL_NONE);
    end(&s);
}

static bool never(void *ctx, const char *node_id, uint64_t incarnation, uint32_t reachable, uint32_t known)
{
    uint32_t *seen = ctx;
    (void)node_id;
    (void)incarnation;
    seen[0] = reachable;
    seen[1] = known;
    return false;
}

static void the_authority_decides_what_the_detector_suggests(void **state)
{
    struct script s;
    uint32_t seen[2] = {0};
    struct dz_placement_authority authority = {.ctx = seen, .may_declare_down = never};
    (void)state;
    begin(&s, &authority);
    up(&s, "b@h:2", 1, 7, 0);
    tick_until(&s, 100, 5000);
    assert_null(strstr(s.text, "lost"));
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 2);
    end(&s);
}

static void a_verdict_of_another_node_counts_unless_the_node_came_back_since(void **state)
{
    struct script s;
    struct dz_peer_figures figures = {.processes = 3, .flags = 2u << DZ_NODE_RETURNS_SHIFT};
    (void)state;
    begin(&s, NULL);
    up(&s, "b@h:2", 1, 7, 0);
    dz_membership_figures(&s.m, 1, &figures);
    dz_membership_verdict(&s.m, "b@h:2", 5, 7, 1, 10);
    dz_membership_verdict(&s.m, "b@h:2", 5, 6, 9, 10);
    expect(&s, "");
    dz_membership_verdict(&s.m, "b@h:2", 5, 7, 2, 10);
    expect(&s, "lost b reported close announce verdict;dial b;");
    end(&s);
}

static void a_node_that_is_turned_away_has_status_refused(void **state)
{
    struct script s;
    (void)state;
    begin(&s, NULL);
    assert_int_equal(dz_membership_seed(&s.m, "b@h:2", 0), 0);
    dz_membership_failed(&s.m, "b@h:2", DZ_REFUSAL_SECRET, 1);
    assert_string_equal(dz_node_status_text(dz_membership_find(&s.m, "b@h:2", 5)), "refused");
    dz_membership_failed(&s.m, "b@h:2", DZ_REFUSAL_CONNECT, 2);
    assert_string_equal(dz_node_status_text(dz_membership_find(&s.m, "b@h:2", 5)), "down");
    up(&s, "b@h:2", 1, 7, 2);
    assert_string_equal(dz_node_status_text(dz_membership_find(&s.m, "b@h:2", 5)), "up");
    end(&s);
}

static void lost_nodes_are_dialled_for_an_hour_and_then_forgotten(void **state)
{
    struct script s;
    (void)state;
    begin(&s, NULL);
    up(&s, "b@h:2", 1, 7, 0);
    dz_membership_broken(&s.m, 1, "overloaded", 10);
    expect(&s, "lost b overloaded close announce;dial b;");
    dz_membership_tick(&s.m, DZ_MEMBERSHIP_LOST_MS);
    expect(&s, "");
    dz_membership_tick(&s.m, DZ_MEMBERSHIP_LOST_MS + 10);
    expect(&s, "forget b;");
    dz_membership_tick(&s.m, DZ_MEMBERSHIP_LOST_MS + 20);
    assert_int_equal(s.m.count, 0);
    end(&s);
}

static void everybody_connected_gets_heartbeats_and_now_and_then_the_list(void **state)
{
    struct script s;
    (void)state;
    begin(&s, NULL);
    up(&s, "b@h:2", 1, 7, 0);
    s.quiet = false;
    dz_membership_heard(&s.m, 1, 500);
    dz_membership_tick(&s.m, 500);
    take(&s);
    dz_membership_tick(&s.m, 600);
    expect(&s, "beat b;");
    for (uint64_t now = 1000; now <= 10000; now += 500) {
        dz_membership_heard(&s.m, 1, now);
        dz_membership_tick(&s.m, now);
        take(&s);
    }
    assert_non_null(strstr(s.text, "gossip b;"));
    assert_null(strstr(strstr(s.text, "gossip b;") + 1, "gossip"));
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_learnt_from_a_peer_are_dialled_once),
        cmocka_unit_test(a_node_is_up_after_its_exchange_and_down_once),
        cmocka_unit_test(a_session_that_ends_before_its_exchange_ends_silently),
        cmocka_unit_test(the_same_life_that_comes_back_is_healed_a_new_one_joins),
        cmocka_unit_test(a_newer_incarnation_ends_the_older_session_first),
        cmocka_unit_test(a_goodbye_is_not_redialled_but_for_seeds),
        cmocka_unit_test(an_older_life_is_stale_and_so_is_an_equal_but_different_one),
        cmocka_unit_test(a_suspect_is_asked_about_at_some_of_the_others),
        cmocka_unit_test(a_suspect_that_others_still_hear_is_apart_until_it_is_back),
        cmocka_unit_test(a_probe_is_answered_with_the_age_of_what_was_heard),
        cmocka_unit_test(a_life_that_flaps_is_kept_out_for_a_while),
        cmocka_unit_test(the_authority_decides_what_the_detector_suggests),
        cmocka_unit_test(a_verdict_of_another_node_counts_unless_the_node_came_back_since),
        cmocka_unit_test(a_node_that_is_turned_away_has_status_refused),
        cmocka_unit_test(lost_nodes_are_dialled_for_an_hour_and_then_forgotten),
        cmocka_unit_test(everybody_connected_gets_heartbeats_and_now_and_then_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
