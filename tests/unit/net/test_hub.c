#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/alloc.h"
#include "base/err.h"
#include "fault_alloc.h"
#include "net/hub.h"

/* Two hubs over a network of memory: one step is one chunk carried, one end noticed, or the next deadline. The network
 * can be cut at any step, and one end can be made to notice later than the other. */

#define WINDOW    700u /* bytes a try_write takes, so that messages are cut anywhere */
#define CHUNK     900u /* bytes carried in one step */
#define MAX_CHUNK 20000u
#define MAX_CONNS 64

struct fake {
    struct dz_conn base;
    struct net *net;
    int side;
    struct fake *other; /* NULL: not connected (any more) */
    struct dz_buf inbox;
    struct dz_buf out;
    bool dialling;
    bool finished;  /* the other end will send no more */
    int notices_in; /* steps until the end is noticed, -1: not at all */
    bool gone;
};

struct side {
    struct dz_hub hub;
    struct dz_port port;
    struct net *net;
    int number;
    char id[32];
    uint64_t wake_at;
    uint64_t peer;
    unsigned ups, resumes, closes[DZ_PEER_REPLACED + 1];
    uint32_t next;
    unsigned wrong;
    unsigned failures;
    enum dz_refusal failure;
    uint32_t sent;
};

struct net {
    struct side side[2];
    struct fake *conns[MAX_CONNS];
    unsigned count;
    bool attention;
    bool remote; /* not over loopback */
    unsigned turn;
    size_t chunk;
    uint64_t now_ms;
    uint64_t seed;
    struct dz_env env;
    struct dz_transport_events events;
};

static uint64_t net_now(void *ctx)
{
    return ((struct net *)ctx)->now_ms * 1000000u;
}

static uint64_t net_random(void *ctx)
{
    struct net *n = ctx;
    n->seed ^= n->seed << 13;
    n->seed ^= n->seed >> 7;
    n->seed ^= n->seed << 17;
    return n->seed;
}

static void on_up(void *ctx, uint64_t peer, const struct dz_peer_info *info, bool resumed)
{
    struct side *s = ctx;
    (void)info;
    assert_true(resumed ? peer == s->peer : peer != s->peer);
    s->peer = peer;
    s->ups += !resumed;
    s->resumes += resumed;
}

static void on_closed(void *ctx, uint64_t peer, enum dz_peer_closed why)
{
    struct side *s = ctx;
    assert_int_equal(peer, s->peer);
    s->closes[why]++;
}

static void on_message(void *ctx, uint64_t peer, uint64_t key, const uint8_t *data, size_t len)
{
    struct side *s = ctx;
    uint32_t number;
    assert_int_equal(peer, s->peer);
    assert_int_equal(key, 1);
    assert_true(len >= sizeof(number));
    memcpy(&number, data, sizeof(number));
    s->wrong += number != s->next;
    s->next = number + 1;
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
    struct side *s = ctx;
    (void)id, (void)address, (void)known;
    s->failures++;
    s->failure = why;
}

static struct fake *fake_of(struct dz_conn *conn)
{
    return dz_container_of(conn, struct fake, base);
}

static struct fake *fake_new(struct net *n, int side)
{
    struct fake *f = dz_zalloc_must(1, sizeof(*f));
    f->net = n;
    f->side = side;
    f->notices_in = -1;
    dz_buf_init(&f->inbox);
    dz_buf_init(&f->out);
    assert_true(n->count < MAX_CONNS);
    n->conns[n->count++] = f;
    return f;
}

static struct dz_conn *fake_dial(void *ctx, const char *host, uint16_t port)
{
    struct side *s = ctx;
    (void)host, (void)port;
    struct fake *f = fake_new(s->net, s->number);
    f->dialling = true;
    return &f->base;
}

static void deliver(struct fake *f, const void *data, size_t len)
{
    /* The network itself has all the memory it wants; a failure that was ordered happens once. */
    while (f->other && dz_buf_append(&f->other->inbox, data, len) != 0)
        ;
}

static void fake_write(struct dz_conn *conn)
{
    struct fake *f = fake_of(conn);
    if (conn->writing || f->gone || !dz_conn_take_output(conn, &f->out))
        return;
    conn->writing = true;
}

static void fake_finish(struct dz_conn *conn)
{
    struct fake *f = fake_of(conn);
    if (f->other && !f->other->finished) {
        f->other->finished = true;
        f->other->notices_in = 0;
    }
}

static void fake_close(struct dz_conn *conn)
{
    struct fake *f = fake_of(conn);
    fake_finish(conn);
    if (f->other)
        f->other->other = NULL;
    f->other = NULL;
    f->gone = true;
}

static void fake_drain(struct dz_conn *conn)
{
    (void)conn;
}

static void fake_wake_in(void *ctx, uint64_t ms)
{
    struct side *s = ctx;
    s->wake_at = ms == UINT64_MAX ? UINT64_MAX : s->net->now_ms + ms;
}

static long fake_try_write(void *conn, const void *data, size_t len)
{
    struct fake *f = fake_of(conn);
    size_t part = len < WINDOW ? len : WINDOW;
    deliver(f, data, part);
    return (long)part;
}

static void fake_attention(void *conn)
{
    struct fake *f = fake_of(conn);
    atomic_store_explicit(&f->base.attention, true, memory_order_release);
    f->net->attention = true;
}

static void side_open(struct net *n, int number, const char *secret)
{
    struct side *s = &n->side[number];
    struct dz_tls_context *tls = NULL;
    *s = (struct side){.net = n, .number = number, .wake_at = UINT64_MAX};
    snprintf(s->id, sizeof(s->id), "%c@127.0.0.1:%d", 'a' + number, number + 1);
    s->port = (struct dz_port){.dial = fake_dial,
                               .write = fake_write,
                               .finish = fake_finish,
                               .close = fake_close,
                               .drain = fake_drain,
                               .wake_in = fake_wake_in,
                               .link = {.try_write = fake_try_write, .attention = fake_attention},
                               .ctx = s};
    struct dz_transport_uv_config config = {
        .env = &n->env, .events = &n->events, .ctx = s, .birth = (uint64_t)number + 1, .redial_base_ms = 100};
    if (secret)
        assert_int_equal(dz_tls_context_new_secret(&tls, secret, strlen(secret)), 0);
    assert_int_equal(dz_hub_init(&s->hub, &config, tls, &s->port), 0);
    assert_int_equal(dz_hub_start(&s->hub, s->id, 1), 0);
}

static void net_open(struct net *n, const char *secret)
{
    memset(n, 0, sizeof(*n));
    n->seed = 42;
    n->now_ms = 1000;
    n->chunk = CHUNK;
    n->env = (struct dz_env){.now_ns = net_now, .wall_ms = net_now, .random = net_random, .ctx = n};
    n->events = (struct dz_transport_events){.peer_up = on_up,
                                             .peer_closed = on_closed,
                                             .message = on_message,
                                             .membership = on_bytes,
                                             .heartbeat = on_figures,
                                             .writable = on_writable,
                                             .handshake_failed = on_failed};
    side_open(n, 0, secret);
    side_open(n, 1, secret);
}

static void free_gone(struct net *n)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < n->count; i++) {
        struct fake *f = n->conns[i];
        if (!f->gone) {
            n->conns[kept++] = f;
            continue;
        }
        dz_conn_fini(&f->base);
        dz_buf_fini(&f->inbox);
        dz_buf_fini(&f->out);
        dz_free(f);
    }
    n->count = kept;
}

static void net_close(struct net *n)
{
    dz_hub_close(&n->side[0].hub);
    dz_hub_close(&n->side[1].hub);
    free_gone(n);
    assert_int_equal(n->count, 0);
    dz_hub_fini(&n->side[0].hub);
    dz_hub_fini(&n->side[1].hub);
}

static void meet(struct fake *f)
{
    struct net *n = f->net;
    f->dialling = false;
    struct fake *other = fake_new(n, !f->side);
    f->other = other;
    other->other = f;
    dz_conn_accepted(&n->side[other->side].hub, &other->base, "192.0.2.1:9", !n->remote);
    if (!f->gone)
        dz_conn_connected(&f->base, !n->remote);
}

/* One thing happens to one connection; false when nothing could. */
static bool step_conn(struct fake *f)
{
    if (f->gone)
        return false;
    if (f->dialling) {
        meet(f);
    } else if (f->base.writing) {
        deliver(f, f->out.data, f->out.len);
        dz_buf_fini(&f->out);
        dz_buf_init(&f->out);
        f->base.writing = false;
        dz_conn_written(&f->base);
    } else if (f->inbox.len) {
        uint8_t chunk[MAX_CHUNK];
        size_t len = f->inbox.len < f->net->chunk ? f->inbox.len : f->net->chunk;
        memcpy(chunk, f->inbox.data, len);
        dz_buf_consume(&f->inbox, len);
        dz_conn_bytes(&f->base, chunk, len);
    } else if (f->notices_in == 0) {
        f->notices_in = -1;
        dz_conn_ended(&f->base, DZ_PEER_EOF);
    } else if (f->notices_in > 0) {
        f->notices_in--;
    } else {
        return false;
    }
    return true;
}

static bool step(struct net *n)
{
    if (n->attention) {
        n->attention = false;
        dz_hub_attention(&n->side[0].hub);
        dz_hub_attention(&n->side[1].hub);
        free_gone(n);
        return true;
    }
    bool some = false;
    for (unsigned i = 0; i < n->count && !some; i++)
        some = step_conn(n->conns[n->turn++ % n->count]);
    free_gone(n);
    if (some)
        return true;
    uint64_t at = n->side[0].wake_at < n->side[1].wake_at ? n->side[0].wake_at : n->side[1].wake_at;
    if (at == UINT64_MAX)
        return false;
    n->now_ms = at > n->now_ms ? at : n->now_ms;
    for (int i = 0; i < 2; i++)
        if (n->side[i].wake_at <= n->now_ms) {
            n->side[i].wake_at = UINT64_MAX;
            dz_hub_tick(&n->side[i].hub);
        }
    return true;
}

/* Every connection breaks. What was under way is lost; the two ends notice after so many steps. */
static void cut(struct net *n, int first_notices_in, int second_notices_in)
{
    for (unsigned i = 0; i < n->count; i++) {
        struct fake *f = n->conns[i];
        f->other = NULL;
        dz_buf_clear(&f->inbox);
        f->notices_in = f->side == 0 ? first_notices_in : second_notices_in;
    }
}

static int dial(struct net *n, int from)
{
    struct side *s = &n->side[from];
    return s->hub.base.ops->dial(&s->hub.base, n->side[!from].id, NULL, 0);
}

/* Sends the next number when there is somebody to send to. */
static void talk(struct side *s, uint32_t total)
{
    uint8_t data[1500] = {0};
    if (!s->peer || s->sent == total)
        return;
    memcpy(data, &s->sent, sizeof(s->sent));
    size_t len = s->sent % 3 ? 20 : sizeof(data);
    assert_int_equal(s->hub.base.ops->send(&s->hub.base, s->peer, 1, data, len, 0), 0);
    s->sent++;
}

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
        cmocka_unit_test(plain_text_off_loopback_needs_to_be_asked_for),
        cmocka_unit_test(the_table_of_peers_is_bounded_and_reuses_what_is_unused),
        cmocka_unit_test(malformed_frames_close_the_connection_and_in_the_end_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
