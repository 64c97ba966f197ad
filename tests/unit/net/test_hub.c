/* test_hub.c - connections, sessions and dialling of two hubs, cut and starved at every step. */
#include "fault_alloc.h"
#include "hubs.h"

/* The network is cut at one step and, after that many more, once again. */
static void broken_at(const char *secret, bool both_dial, unsigned at, unsigned again, int a_notices,
                      int b_notices)
{
    const uint32_t total = 8;
    struct net n;
    net_open(&n, secret);
    assert_int_equal(dial(&n, 0), 0);
    if (both_dial)
        assert_int_equal(dial(&n, 1), 0);
    struct side *a = &n.side[0], *b = &n.side[1];
    unsigned i = 0;
    for (; i < 1500 && (a->next < total || b->next < total || i <= at + again); i++) {
        if (i == at || i == at + again)
            cut(&n, a_notices, b_notices);
        if (!step(&n))
            break;
        talk(a, total);
        talk(b, total);
    }
    for (unsigned rest = 0; rest < 100; rest++)
        (void)step(&n);
    assert_int_equal(a->next, total);
    assert_int_equal(b->next, total);
    assert_int_equal(a->wrong + b->wrong, 0);
    assert_int_equal(a->ups, 1);
    assert_int_equal(b->ups, 1);
    assert_int_equal(a->closes[DZ_PEER_RESET] + b->closes[DZ_PEER_RESET], 0);
    assert_int_equal(a->closes[DZ_PEER_PROTOCOL] + b->closes[DZ_PEER_PROTOCOL], 0);
    assert_int_equal(a->hub.stats.connections, 1);
    assert_int_equal(b->hub.stats.connections, 1);
    assert_int_equal(a->hub.stats.handshakes + b->hub.stats.handshakes, 0);
    net_close(&n);
}

static void a_cut_at_any_step_of_greeting_and_traffic_loses_nothing(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 80; at++)
        for (unsigned again = 1; again < 24; again += 3) {
            broken_at(NULL, false, at, again, 0, 0);
            broken_at(NULL, true, at, again, 0, 0);
        }
}

static void a_cut_that_one_end_notices_late_loses_nothing(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 80; at++)
        for (int late = 1; late < 30; late += 7) {
            broken_at(NULL, true, at, 9, 0, late);
            broken_at(NULL, true, at, 9, late, 0);
            broken_at(NULL, false, at, 0, 0, late);
        }
}

static void a_cut_that_one_end_never_notices_loses_nothing(void **state)
{
    (void)state;
    for (unsigned at = 25; at < 80; at++)
        for (int both = 0; both < 2; both++) {
            broken_at(NULL, both, at, 0, 0, -1);
            broken_at(NULL, both, at, 0, -1, 0);
        }
}

static void a_cut_at_any_step_over_tls_loses_nothing(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 80; at += 2)
        broken_at("secret", at % 4 == 0, at, 5, 0, 3);
}

/* The timers' array is a control structure: its growth aborts, so it grows before. */
static void grow_timers(struct dz_heap *heap)
{
    struct dz_heap_node nodes[16];
    for (size_t i = 0; i < 16; i++) {
        dz_heap_node_init(&nodes[i]);
        assert_int_equal(dz_heap_push(heap, &nodes[i], 0), 0);
    }
    while (dz_heap_pop(heap))
        ;
}

/* One allocation fails, whichever: at worst a connection or a session ends, and the two come together again. */
static void any_allocation_may_fail(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t at = 1; failed; at++) {
        struct net n;
        net_open(&n, NULL);
        struct side *a = &n.side[0], *b = &n.side[1];
        n.chunk = MAX_CHUNK;
        grow_timers(&a->hub.timers);
        grow_timers(&b->hub.timers);
        dz_fault_alloc_fail_at(at);
        while (dial(&n, 0) != 0)
            ;
        uint8_t data[70000] = {0};
        for (unsigned i = 0; i < 6000 && (a->next < 3 || b->next < 3); i++) {
            if (!step(&n))
                break;
            for (int k = 0; k < 2; k++) {
                struct side *s = &n.side[k];
                memcpy(data, &s->sent, sizeof(s->sent));
                if (s->peer && s->sent < 6)
                    s->sent += s->hub.base.ops->send(&s->hub.base, s->peer, 1, data, sizeof(data), 0) == 0;
            }
        }
        failed = dz_fault_alloc_failed();
        dz_fault_alloc_fail_at(0);
        if (a->next < 3 || b->next < 3)
            print_message("allocation %zu: %u %u\n", at, a->next, b->next);
        assert_true(a->next >= 3 && b->next >= 3);
        assert_true(a->closes[DZ_PEER_RESET] + b->closes[DZ_PEER_RESET] > 0 || a->wrong + b->wrong == 0);
        net_close(&n);
    }
}

static void dialling_at_any_distance_leaves_one_connection(void **state)
{
    (void)state;
    for (unsigned distance = 0; distance < 24; distance++)
        for (int first = 0; first < 2; first++) {
            struct net n;
            net_open(&n, NULL);
            assert_int_equal(dial(&n, first), 0);
            for (unsigned i = 0; i < distance; i++)
                (void)step(&n);
            assert_int_equal(dial(&n, !first), 0);
            for (unsigned i = 0; i < 200; i++)
                (void)step(&n);
            for (int i = 0; i < 2; i++) {
                assert_int_equal(n.side[i].ups, 1);
                assert_int_equal(n.side[i].resumes + n.side[i].failures, 0);
                assert_int_equal(n.side[i].hub.stats.connections, 1);
            }
            net_close(&n);
        }
}

static uint64_t known_incarnation(struct side *s, const char *id)
{
    struct dz_link *l;
    assert_int_equal(dz_hub_link(&s->hub, id, &l), 0);
    return l->peer.incarnation;
}

static void a_later_incarnation_taken_at_any_step_of_a_greeting_is_the_one_that_counts(void **state)
{
    (void)state;
    for (unsigned distance = 0; distance < 40; distance++)
        for (int first = 0; first < 2; first++) {
            struct net n;
            net_open(&n, distance % 4 == 3 ? "secret" : NULL);
            struct side *a = &n.side[0], *b = &n.side[1];
            const struct dz_transport_ops *ops = a->hub.base.ops;
            assert_int_equal(dial(&n, first), 0);
            for (unsigned i = 0; i < distance; i++)
                (void)step(&n);
            uint64_t later = a->hub.self.incarnation + 5;
            if (a->peer)
                ops->close_peer(&a->hub.base, a->peer, false);
            assert_int_equal(ops->set_incarnation(&a->hub.base, later), 0);
            assert_int_equal(dial(&n, 0), 0);
            for (unsigned i = 0; i < 400; i++)
                (void)step(&n);
            assert_int_equal(known_incarnation(b, a->id), later);
            assert_int_equal(a->hub.stats.connections, 1);
            assert_int_equal(b->hub.stats.connections, 1);
            assert_int_equal(a->hub.stats.handshakes + b->hub.stats.handshakes, 0);
            a->sent = b->next = 0;
            talk(a, 1);
            for (unsigned i = 0; i < 20; i++)
                (void)step(&n);
            assert_int_equal(b->next, 1);
            net_close(&n);
        }
}

static void the_redial_is_immediate_then_backs_off_with_jitter(void **state)
{
    (void)state;
    struct net n;
    struct dz_link l = {0};
    net_open(&n, NULL);
    assert_int_equal(dz_link_init(&l, "x@h:1"), 0);
    assert_int_equal(dz_link_next_delay_ms(&l, 1000, 30000, &n.env), 0);
    uint64_t most = 1000;
    for (int i = 0; i < 40; i++) {
        uint64_t delay = dz_link_next_delay_ms(&l, 1000, 30000, &n.env);
        assert_true(delay <= most && delay >= most / 2);
        most = most * 2 < 30000 ? most * 2 : 30000;
    }
    dz_link_fini(&l);
    net_close(&n);
}

static void the_table_of_peers_is_bounded_and_reuses_what_is_unused(void **state)
{
    (void)state;
    struct net n;
    char id[32];
    net_open(&n, NULL);
    struct side *a = &n.side[0];
    a->hub.config.max_peers = 4;
    for (int i = 0; i < 4; i++) {
        snprintf(id, sizeof(id), "x%d@h:1", i);
        assert_int_equal(a->hub.base.ops->dial(&a->hub.base, id, NULL, 0), 0);
    }
    assert_int_equal(dial(&n, 0), DZ_EOVERLOADED);
    a->hub.base.ops->forget(&a->hub.base, "x2@h:1");
    assert_int_equal(dial(&n, 0), 0);
    for (int i = 0; i < 4; i++) {
        snprintf(id, sizeof(id), "x%d@h:1", i);
        a->hub.base.ops->forget(&a->hub.base, id);
    }
    for (unsigned i = 0; i < 200 && n.side[1].ups == 0; i++)
        (void)step(&n);
    assert_int_equal(a->ups, 1);
    assert_int_equal(n.side[1].ups, 1);
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_at_any_step_of_greeting_and_traffic_loses_nothing),
        cmocka_unit_test(a_cut_that_one_end_notices_late_loses_nothing),
        cmocka_unit_test(a_cut_that_one_end_never_notices_loses_nothing),
        cmocka_unit_test(a_cut_at_any_step_over_tls_loses_nothing),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(dialling_at_any_distance_leaves_one_connection),
        cmocka_unit_test(a_later_incarnation_taken_at_any_step_of_a_greeting_is_the_one_that_counts),
        cmocka_unit_test(the_redial_is_immediate_then_backs_off_with_jitter),
        cmocka_unit_test(the_table_of_peers_is_bounded_and_reuses_what_is_unused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
