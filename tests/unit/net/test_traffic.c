/* test_traffic.c - the frames of an established connection: what they carry, and what malformed ones cost. */
#include "hubs.h"
#include "net/frame.h"

static void malformed_frames_close_the_connection_and_in_the_end_the_session(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, NULL);
    struct side *a = &n.side[0];
    assert_int_equal(dial(&n, 0), 0);
    for (unsigned attack = 0; attack < 3; attack++) {
        for (unsigned i = 0; i < 200 && a->ups + a->resumes <= attack; i++)
            (void)step(&n);
        for (unsigned i = 0; i < n.count; i++)
            if (n.conns[i]->side == 0 && n.conns[i]->base.phase == DZ_CONN_UP)
                dz_conn_bytes(&n.conns[i]->base, (const uint8_t *)"\0\0\0\1\1", 5);
        free_gone(&n);
    }
    assert_int_equal(a->closes[DZ_PEER_PROTOCOL], 2);
    assert_int_equal(a->closes[DZ_PEER_RESET], 1);
    assert_int_equal(a->hub.stats.garbage, 3);
    for (unsigned i = 0; i < 200 && a->ups < 2; i++)
        (void)step(&n);
    assert_int_equal(a->ups, 2);
    net_close(&n);
}

static unsigned memberships, heartbeats, writables;

static void note_membership(void *ctx, uint64_t peer, const uint8_t *data, size_t len)
{
    struct side *s = ctx;
    assert_int_equal(peer, s->peer);
    assert_int_equal(len, 6);
    assert_memory_equal(data, "rumour", 6);
    memberships++;
}

static void note_heartbeat(void *ctx, uint64_t peer, const struct dz_peer_figures *figures)
{
    struct side *s = ctx;
    assert_int_equal(peer, s->peer);
    assert_int_equal(figures->processes, 42);
    heartbeats++;
}

static void note_writable(void *ctx, uint64_t peer)
{
    (void)ctx;
    (void)peer;
    writables++;
}

static void give(struct net *n, int side, const void *bytes, size_t len)
{
    dz_conn_bytes(&net_up(n, side)->base, bytes, len);
    free_gone(n);
}

static void messages_of_any_size_arrive_in_their_order(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, NULL);
    net_connect(&n);
    for (unsigned i = 0; i < 2000 && n.side[1].next < 50; i++) {
        talk(&n.side[0], 50);
        talk(&n.side[1], 50);
        (void)step(&n);
    }
    assert_int_equal(n.side[1].next, 50);
    assert_int_equal(n.side[0].wrong + n.side[1].wrong, 0);
    net_close(&n);
}

static void heartbeats_and_rumours_reach_their_events(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, NULL);
    memberships = heartbeats = 0;
    n.events.membership = note_membership;
    n.events.heartbeat = note_heartbeat;
    net_connect(&n);
    struct dz_transport *t = &n.side[0].hub.base;
    struct dz_peer_figures figures = {.processes = 42};
    assert_int_equal(t->ops->heartbeat(t, n.side[0].peer, &figures), 0);
    assert_int_equal(t->ops->send_membership(t, n.side[0].peer, "rumour", 6), 0);
    net_run(&n, 30);
    assert_int_equal(heartbeats, 1);
    assert_int_equal(memberships, 1);
    net_close(&n);
}

static void an_acknowledgement_of_what_was_never_sent_is_a_violation(void **state)
{
    (void)state;
    struct net n;
    struct dz_buf buf;
    net_open(&n, NULL);
    net_connect(&n);
    dz_buf_init(&buf);
    assert_int_equal(dz_frame_encode(&buf, &(struct dz_frame){.type = DZ_FRAME_ACK, .acknowledged = 999}), 0);
    give(&n, 0, buf.data, buf.len);
    assert_int_equal(n.side[0].closes[DZ_PEER_PROTOCOL], 1);
    assert_int_equal(n.side[0].hub.stats.garbage, 1);
    dz_buf_fini(&buf);
    for (unsigned i = 0; i < 400 && n.side[0].resumes == 0; i++)
        (void)step(&n);
    assert_int_equal(n.side[0].resumes, 1);
    net_close(&n);
}

static void frames_of_the_greeting_are_not_expected_any_more(void **state)
{
    (void)state;
    struct net n;
    struct dz_buf buf;
    net_open(&n, NULL);
    net_connect(&n);
    dz_buf_init(&buf);
    assert_int_equal(dz_frame_encode(&buf, &(struct dz_frame){.type = DZ_FRAME_READY}), 0);
    give(&n, 1, buf.data, buf.len);
    assert_int_equal(n.side[1].closes[DZ_PEER_PROTOCOL], 1);
    dz_buf_fini(&buf);
    net_close(&n);
}

static void a_goodbye_ends_the_session_and_nothing_is_redialled(void **state)
{
    (void)state;
    struct net n;
    struct dz_buf buf;
    net_open(&n, NULL);
    net_connect(&n);
    dz_buf_init(&buf);
    assert_int_equal(dz_frame_encode(&buf, &(struct dz_frame){.type = DZ_FRAME_GOODBYE}), 0);
    give(&n, 0, buf.data, buf.len);
    assert_int_equal(n.side[0].closes[DZ_PEER_GOODBYE], 1);
    assert_int_equal(n.side[0].hub.stats.connections, 0);
    n.now_ms += 600000;
    dz_hub_tick(&n.side[0].hub);
    for (unsigned i = 0; i < n.count; i++)
        assert_int_equal(n.conns[i]->side, 1);
    dz_buf_fini(&buf);
    net_close(&n);
}

static void a_lost_connection_is_dialled_again_and_its_session_goes_on(void **state)
{
    (void)state;
    struct net n;
    net_open(&n, NULL);
    net_connect(&n);
    dz_traffic_lost(&net_up(&n, 0)->base, DZ_PEER_ERROR);
    free_gone(&n);
    assert_int_equal(n.side[0].closes[DZ_PEER_ERROR], 1);
    for (unsigned i = 0; i < 400 && n.side[0].resumes == 0; i++)
        (void)step(&n);
    assert_int_equal(n.side[0].resumes, 1);
    assert_int_equal(n.side[0].ups, 1);
    net_close(&n);
}

static void a_full_session_says_when_there_is_room_again(void **state)
{
    (void)state;
    struct net n;
    uint8_t data[4000] = {0};
    int err = 0;
    net_open(&n, NULL);
    n.side[0].hub.config.session_limit = 64 * 1024;
    n.events.writable = note_writable;
    writables = 0;
    net_connect(&n);
    struct dz_transport *t = &n.side[0].hub.base;
    for (uint32_t i = 0; i < 100 && !err; i++) {
        memcpy(data, &n.side[0].sent, sizeof n.side[0].sent);
        err = t->ops->send(t, n.side[0].peer, 1, data, sizeof data, 0);
        n.side[0].sent += !err;
    }
    assert_int_equal(err, DZ_EOVERLOADED);
    assert_int_equal(writables, 0);
    for (unsigned i = 0; i < 2000 && n.side[1].next < n.side[0].sent; i++)
        (void)step(&n);
    net_run(&n, 60);
    assert_int_equal(n.side[1].next, n.side[0].sent);
    assert_true(writables >= 1);
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_frames_close_the_connection_and_in_the_end_the_session),
        cmocka_unit_test(messages_of_any_size_arrive_in_their_order),
        cmocka_unit_test(heartbeats_and_rumours_reach_their_events),
        cmocka_unit_test(an_acknowledgement_of_what_was_never_sent_is_a_violation),
        cmocka_unit_test(frames_of_the_greeting_are_not_expected_any_more),
        cmocka_unit_test(a_goodbye_ends_the_session_and_nothing_is_redialled),
        cmocka_unit_test(a_lost_connection_is_dialled_again_and_its_session_goes_on),
        cmocka_unit_test(a_full_session_says_when_there_is_room_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
