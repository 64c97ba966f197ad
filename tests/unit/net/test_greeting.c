/* test_greeting.c - a connection from its first byte until its session is agreed, or refused. */
#include "hubs.h"

static void plain_text_off_loopback_needs_to_be_asked_for(void **state)
{
    (void)state;
    struct net n;
    for (int insecure = 0; insecure < 3; insecure++) {
        net_open(&n, NULL);
        struct side *a = &n.side[0], *b = &n.side[1];
        n.remote = true;
        a->hub.config.insecure = insecure > 0;
        b->hub.config.insecure = insecure > 1;
        assert_int_equal(dial(&n, 0), 0);
        for (unsigned i = 0; i < 30; i++)
            (void)step(&n);
        assert_int_equal(a->ups, insecure == 2);
        assert_int_equal(b->ups, insecure == 2);
        assert_int_equal(a->failure, insecure == 2 ? DZ_REFUSAL_NONE : DZ_REFUSAL_INSECURE);
        assert_int_equal(b->failure, insecure == 2 ? DZ_REFUSAL_NONE : DZ_REFUSAL_INSECURE);
        net_close(&n);
    }
    net_open(&n, "secret");
    n.remote = true;
    assert_int_equal(dial(&n, 0), 0);
    for (unsigned i = 0; i < 30; i++)
        (void)step(&n);
    assert_int_equal(n.side[0].ups, 1);
    net_close(&n);
}

/* The connection of that side, in whatever phase. */
static struct fake *conn_of(struct net *n, int side)
{
    for (unsigned i = 0; i < n->count; i++)
        if (n->conns[i]->side == side && !n->conns[i]->gone)
            return n->conns[i];
    fail_msg("side %d has no connection", side);
    return NULL;
}

/* Until the dialled connection exists on both sides, nothing carried yet. */
static void net_met(struct net *n)
{
    assert_int_equal(dial(n, 0), 0);
    for (unsigned i = 0; i < 20 && n->count < 2; i++)
        (void)step(n);
    assert_int_equal(n->count, 2);
}

static void both_ends_agree_on_a_session_and_are_told_once(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, NULL);
    net_connect(&n);
    net_run(&n, 20);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(n.side[i].ups, 1);
        assert_int_equal(n.side[i].resumes, 0);
        assert_int_equal(n.side[i].failures, 0);
        assert_int_equal(n.side[i].hub.stats.handshakes, 0);
        assert_int_equal(n.side[i].hub.stats.established, 1);
    }
    net_close(&n);
}

static void garbage_in_place_of_a_hello_closes_that_connection_and_is_told_once(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, NULL);
    struct side *b = &n.side[1];
    for (int i = 0; i < 3; i++) {
        struct fake *f = fake_new(&n, 1);
        dz_conn_accepted(&b->hub, &f->base, "192.0.2.7:99", true);
        dz_conn_bytes(&f->base, (const uint8_t *)"\0\0\0\1\xff", 5);
        assert_true(f->gone || f->base.phase != DZ_CONN_GREETING);
        dz_conn_ended(&f->base, DZ_PEER_EOF);
        free_gone(&n);
    }
    assert_int_equal(b->hub.stats.garbage, 3);
    assert_int_equal(b->hub.stats.handshakes, 0);
    assert_int_equal(b->failures, 1);
    assert_int_equal(b->failure, DZ_REFUSAL_GARBAGE);
    assert_int_equal(b->ups, 0);
    net_close(&n);
}

static void who_only_looks_whether_the_port_is_open_is_no_failure(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, NULL);
    struct side *b = &n.side[1];
    struct fake *f = fake_new(&n, 1);
    dz_conn_accepted(&b->hub, &f->base, "192.0.2.7:99", true);
    dz_conn_ended(&f->base, DZ_PEER_EOF);
    assert_int_equal(b->failures, 0);
    assert_int_equal(b->hub.stats.handshakes, 0);
    free_gone(&n);
    net_close(&n);
}

static void an_unfinished_greeting_times_out(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, NULL);
    struct side *b = &n.side[1];
    struct fake *f = fake_new(&n, 1);
    dz_conn_accepted(&b->hub, &f->base, "192.0.2.7:99", true);
    dz_conn_bytes(&f->base, (const uint8_t *)"\0", 1);
    assert_int_equal(b->hub.stats.handshakes, 1);
    net_run(&n, 50);
    assert_int_equal(b->hub.stats.handshakes, 0);
    assert_int_equal(b->hub.stats.timeouts, 1);
    assert_int_equal(b->failure, DZ_REFUSAL_TIMEOUT);
    net_close(&n);
}

static enum dz_refusal verdict(void *ctx, const struct dz_peer_info *info, uint64_t *known)
{
    struct side *s = ctx;
    assert_non_null(info->id);
    *known = s->failure == DZ_REFUSAL_STALE ? 77 : 0;
    return s->number == 1 ? DZ_REFUSAL_DENIED : DZ_REFUSAL_NONE;
}

static void one_who_is_not_admitted_is_told_so(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, NULL);
    n.events.admit = verdict;
    assert_int_equal(dial(&n, 0), 0);
    net_run(&n, 30);
    assert_int_equal(n.side[0].failure, DZ_REFUSAL_DENIED);
    assert_int_equal(n.side[1].failure, DZ_REFUSAL_DENIED);
    assert_int_equal(n.side[0].ups + n.side[1].ups, 0);
    assert_true(n.side[1].hub.stats.refused > 0);
    net_close(&n);
}

static void one_who_stops_or_was_never_named_refuses(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, NULL);
    net_met(&n);
    n.side[1].hub.stopping = true;
    net_run(&n, 30);
    assert_int_equal(n.side[0].failure, DZ_REFUSAL_STOPPING);
    assert_int_equal(n.side[0].ups, 0);
    n.side[1].hub.stopping = false;
    net_close(&n);
}

static void an_id_that_is_somebody_elses_or_our_own_is_refused(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, NULL);
    struct side *a = &n.side[0];
    assert_int_equal(a->hub.base.ops->dial(&a->hub.base, "c@127.0.0.1:2", NULL, 0), 0);
    net_run(&n, 30);
    assert_int_equal(a->failure, DZ_REFUSAL_WRONG_RECEIVER);
    assert_int_equal(a->ups, 0);
    net_close(&n);
    net_open(&n, NULL);
    net_met(&n);
    struct fake *f = conn_of(&n, 0);
    struct dz_buf heard; /* what it wrote comes back to itself, as from a socket connected to itself */
    dz_buf_init(&heard);
    while (!n.conns[1]->inbox.len && step(&n)) {
    }
    assert_int_equal(dz_buf_append(&heard, conn_of(&n, 1)->inbox.data, conn_of(&n, 1)->inbox.len), 0);
    dz_conn_bytes(&f->base, heard.data, heard.len);
    assert_int_equal(n.side[0].failure, DZ_REFUSAL_SELF);
    dz_buf_fini(&heard);
    free_gone(&n);
    net_close(&n);
}

static void a_dial_that_fails_is_told_when_its_reason_changes(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, NULL);
    struct side *a = &n.side[0];
    assert_int_equal(dial(&n, 0), 0);
    for (int i = 0; i < 5; i++) {
        for (unsigned k = 0; k < 50 && n.count == 0; k++) {
            n.now_ms = n.now_ms < a->wake_at && a->wake_at != UINT64_MAX ? a->wake_at : n.now_ms;
            a->wake_at = UINT64_MAX;
            dz_hub_tick(&a->hub);
        }
        struct fake *f = conn_of(&n, 0);
        f->dialling = false;
        dz_conn_dial_failed(&f->base, i < 3 ? DZ_REFUSAL_CONNECT : DZ_REFUSAL_UNREACHABLE);
        free_gone(&n);
    }
    assert_int_equal(a->failures, 2);
    assert_int_equal(a->failure, DZ_REFUSAL_UNREACHABLE);
    net_close(&n);
}

static void different_secrets_fail_on_both_sides(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, "secret");
    dz_hub_close(&n.side[1].hub);
    dz_hub_fini(&n.side[1].hub);
    side_open(&n, 1, "another");
    assert_int_equal(dial(&n, 0), 0);
    net_run(&n, 60);
    assert_int_equal(n.side[0].ups + n.side[1].ups, 0);
    assert_true(n.side[0].hub.stats.secret_mismatches + n.side[1].hub.stats.secret_mismatches > 0);
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_off_loopback_needs_to_be_asked_for),
        cmocka_unit_test(both_ends_agree_on_a_session_and_are_told_once),
        cmocka_unit_test(garbage_in_place_of_a_hello_closes_that_connection_and_is_told_once),
        cmocka_unit_test(who_only_looks_whether_the_port_is_open_is_no_failure),
        cmocka_unit_test(an_unfinished_greeting_times_out),
        cmocka_unit_test(one_who_is_not_admitted_is_told_so),
        cmocka_unit_test(one_who_stops_or_was_never_named_refuses),
        cmocka_unit_test(an_id_that_is_somebody_elses_or_our_own_is_refused),
        cmocka_unit_test(a_dial_that_fails_is_told_when_its_reason_changes),
        cmocka_unit_test(different_secrets_fail_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
