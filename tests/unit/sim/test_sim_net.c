/* test_sim_net.c - the network between simulated hosts: connections that are made, refused, cut, blocked and
 * end. */
#include "../base/check.h"
#include <stdio.h>
#include <string.h>
#include "base/err.h"
#include "sim/sim_net.h"

struct host {
    struct dz_sim_clock clock;
    struct dz_sim_station *station;
    struct dz_env env;
    uint64_t *now;
    struct dz_sim_rand *rand;
    char id[32];
    uint64_t peer;
    unsigned ups, resumes, messages, closes[DZ_PEER_REPLACED + 1], failures;
    enum dz_refusal failure;
    uint8_t last;
    bool closed;
};

struct net {
    uint64_t now;
    struct dz_sim_rand rand;
    struct dz_sim_net *net;
    struct host hosts[2];
};

static uint64_t host_now(void *ctx)
{
    return dz_sim_clock_local(&((struct host *)ctx)->clock);
}

static uint64_t host_random(void *ctx)
{
    return dz_sim_rand_next(((struct host *)ctx)->rand);
}

static void on_up(void *ctx, uint64_t peer, const struct dz_peer_info *info, bool resumed)
{
    struct host *h = ctx;
    (void)info;
    h->peer = peer;
    h->ups += !resumed;
    h->resumes += resumed;
}

static void on_closed(void *ctx, uint64_t peer, enum dz_peer_closed why)
{
    (void)peer;
    ((struct host *)ctx)->closes[why]++;
}

static void on_message(void *ctx, uint64_t peer, uint64_t key, const uint8_t *data, size_t len)
{
    struct host *h = ctx;
    (void)peer;
    (void)key;
    h->messages++;
    h->last = len ? data[0] : 0;
}

static void on_bytes(void *ctx, uint64_t peer, const uint8_t *data, size_t len)
{
    (void)ctx, (void)peer, (void)data, (void)len;
}

static void on_figures(void *ctx, uint64_t peer, const struct dz_peer_figures *figures)
{
    (void)ctx, (void)peer, (void)figures;
}

static void on_writable(void *ctx, uint64_t peer)
{
    (void)ctx, (void)peer;
}

static void on_failed(void *ctx, const char *id, const char *address, enum dz_refusal why, uint64_t known)
{
    struct host *h = ctx;
    (void)id, (void)address, (void)known;
    h->failures++;
    h->failure = why;
}

static void on_station_closed(void *ctx)
{
    ((struct host *)ctx)->closed = true;
}

static const struct dz_transport_events events = {.peer_up = on_up,
                                                  .peer_closed = on_closed,
                                                  .message = on_message,
                                                  .membership = on_bytes,
                                                  .heartbeat = on_figures,
                                                  .writable = on_writable,
                                                  .handshake_failed = on_failed};

static void open_host(struct net *n, int i)
{
    struct host *h = &n->hosts[i];
    memset(h, 0, sizeof *h);
    h->clock = (struct dz_sim_clock){.now_ns = &n->now,
                                     .born_ns = n->now,
                                     .base_ns = DZ_SIM_MS * 1000u * (uint64_t)(i + 1),
                                     .ppm = i ? 50 : -50};
    h->rand = &n->rand;
    h->env = (struct dz_env){host_now, host_now, host_random, h};
    snprintf(h->id, sizeof h->id, "%c@127.0.0.1:%d", 'a' + i, 4000 + i);
    struct dz_transport_uv_config config = {
        .env = &h->env, .events = &events, .ctx = h, .birth = (uint64_t)i + 1, .redial_base_ms = 100};
    h->station = dz_sim_station_new(n->net, i, &h->clock, &config);
    assert_int_equal(dz_sim_station_start(h->station, h->id, 1), 0);
}

static void net_open(struct net *n)
{
    memset(n, 0, sizeof *n);
    n->now = DZ_SIM_MS;
    n->rand.state = 7;
    n->net = dz_sim_net_new(&n->rand, &n->now);
    open_host(n, 0);
    open_host(n, 1);
}

static void net_close(struct net *n)
{
    for (int i = 0; i < 2; i++)
        if (n->hosts[i].station)
            dz_sim_station_delete(n->hosts[i].station);
    dz_sim_net_delete(n->net);
}

/* So much of the true time passes. */
static void run(struct net *n, uint64_t ms)
{
    uint64_t end = n->now + ms * DZ_SIM_MS;
    for (;;) {
        bool any = dz_sim_net_step(n->net);
        uint64_t next = dz_sim_net_next(n->net);
        for (int i = 0; i < 2; i++) {
            if (!n->hosts[i].station)
                continue;
            any |= dz_sim_station_step(n->hosts[i].station);
            uint64_t due = dz_sim_station_next(n->hosts[i].station);
            next = due < next ? due : next;
        }
        if (any)
            continue;
        if (next > end) {
            n->now = end;
            return;
        }
        n->now = next > n->now ? next : n->now + 1;
    }
}

static int send(struct net *n, int from, uint8_t what)
{
    struct dz_transport *t = dz_sim_station_transport(n->hosts[from].station);
    return t->ops->send(t, n->hosts[from].peer, 1, &what, 1, 0);
}

static void connect_hosts(struct net *n)
{
    struct dz_transport *t = dz_sim_station_transport(n->hosts[0].station);
    assert_int_equal(t->ops->dial(t, n->hosts[1].id, NULL, 0), 0);
    run(n, 50);
    assert_int_equal(n->hosts[0].ups, 1);
    assert_int_equal(n->hosts[1].ups, 1);
}

static void two_hosts_meet_and_talk(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    connect_hosts(&n);
    assert_int_equal(send(&n, 0, 7), 0);
    assert_int_equal(send(&n, 1, 9), 0);
    run(&n, 10);
    assert_int_equal(n.hosts[1].last, 7);
    assert_int_equal(n.hosts[0].last, 9);
    assert_true(dz_sim_net_carried(n.net) > 0);
    net_close(&n);
}

static void a_cut_connection_breaks_on_both_sides_and_the_session_goes_on(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    connect_hosts(&n);
    dz_sim_net_cut(n.net, 0, 1);
    assert_int_equal(send(&n, 0, 7), 0);
    run(&n, 500);
    assert_int_equal(n.hosts[0].closes[DZ_PEER_ERROR] + n.hosts[0].closes[DZ_PEER_EOF], 1);
    assert_int_equal(n.hosts[0].resumes, 1);
    assert_int_equal(n.hosts[0].ups, 1);
    assert_int_equal(n.hosts[1].last, 7);
    net_close(&n);
}

static void what_is_sent_over_a_blocked_way_waits(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    connect_hosts(&n);
    dz_sim_net_way(n.net, 0, 1)->blocked = true;
    assert_int_equal(send(&n, 0, 7), 0);
    assert_int_equal(send(&n, 1, 9), 0);
    run(&n, 400);
    assert_int_equal(n.hosts[1].messages, 0);
    assert_int_equal(n.hosts[0].last, 9);
    dz_sim_net_way(n.net, 0, 1)->blocked = false;
    run(&n, 400);
    assert_int_equal(n.hosts[1].last, 7);
    net_close(&n);
}

static void a_slow_way_takes_its_time(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    connect_hosts(&n);
    *dz_sim_net_way(n.net, 0, 1) = (struct dz_sim_net_way){.delay_ns = 60 * DZ_SIM_MS};
    assert_int_equal(send(&n, 0, 7), 0);
    run(&n, 59);
    assert_int_equal(n.hosts[1].messages, 0);
    run(&n, 2);
    assert_int_equal(n.hosts[1].messages, 1);
    net_close(&n);
}

static void where_nobody_listens_the_dial_is_refused(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    dz_sim_station_mute(n.hosts[1].station);
    struct dz_transport *t = dz_sim_station_transport(n.hosts[0].station);
    assert_int_equal(t->ops->dial(t, n.hosts[1].id, NULL, 0), 0);
    run(&n, 50);
    assert_int_equal(n.hosts[0].failure, DZ_REFUSAL_CONNECT);
    assert_int_equal(t->ops->dial(t, "x@127.0.0.1:9", NULL, 0), 0);
    run(&n, 50);
    assert_int_equal(n.hosts[0].ups, 0);
    net_close(&n);
}

static void a_station_that_is_gone_ends_its_connections(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    connect_hosts(&n);
    dz_sim_station_delete(n.hosts[1].station);
    n.hosts[1].station = NULL;
    run(&n, 500);
    assert_int_equal(n.hosts[0].closes[DZ_PEER_EOF] + n.hosts[0].closes[DZ_PEER_ERROR], 1);
    assert_true(n.hosts[0].closes[DZ_PEER_REFUSED] >= 1);
    net_close(&n);
}

static void an_address_is_listened_at_once_and_a_close_is_told(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    struct host again;
    memset(&again, 0, sizeof again);
    struct dz_transport_uv_config config = {
        .env = &n.hosts[0].env, .events = &events, .ctx = &again, .birth = 9, .redial_base_ms = 100};
    struct dz_sim_station *s = dz_sim_station_new(n.net, 2, &n.hosts[0].clock, &config);
    assert_int_equal(dz_sim_station_start(s, "c@127.0.0.1:4000", 1), DZ_EADDRINUSE);
    dz_sim_station_close(s, on_station_closed, &again);
    assert_false(again.closed);
    assert_true(dz_sim_station_step(s));
    assert_true(again.closed);
    dz_sim_station_delete(s);
    net_close(&n);
}

static void the_same_seed_is_the_same_run(void **state)
{
    (void)state;
    uint64_t carried[2];
    for (int round = 0; round < 2; round++) {
        struct net n;
        net_open(&n);
        connect_hosts(&n);
        for (uint8_t i = 0; i < 100; i++) {
            assert_int_equal(send(&n, i % 2, i), 0);
            run(&n, 3);
        }
        carried[round] = dz_sim_net_carried(n.net) * 1000003u + n.rand.state;
        net_close(&n);
    }
    assert_true(carried[0] == carried[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hosts_meet_and_talk),
        cmocka_unit_test(a_cut_connection_breaks_on_both_sides_and_the_session_goes_on),
        cmocka_unit_test(what_is_sent_over_a_blocked_way_waits),
        cmocka_unit_test(a_slow_way_takes_its_time),
        cmocka_unit_test(where_nobody_listens_the_dial_is_refused),
        cmocka_unit_test(a_station_that_is_gone_ends_its_connections),
        cmocka_unit_test(an_address_is_listened_at_once_and_a_close_is_told),
        cmocka_unit_test(the_same_seed_is_the_same_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
