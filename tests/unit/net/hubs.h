/* hubs.h - two hubs over a network of memory: one step is one chunk carried, one end noticed, or the next
 * deadline. The network can be cut at any step, and one end can be made to notice later than the other. Owns:
 * the hubs and the connections between them. Threads: one. */
#ifndef DZ_TEST_NET_HUBS_H
#define DZ_TEST_NET_HUBS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/alloc.h"
#include "base/err.h"
#include "net/hub.h"

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

static inline uint64_t net_now(void *ctx)
{
    return ((struct net *)ctx)->now_ms * 1000000u;
}

static inline uint64_t net_random(void *ctx)
{
    struct net *n = ctx;
    n->seed ^= n->seed << 13;
    n->seed ^= n->seed >> 7;
    n->seed ^= n->seed << 17;
    return n->seed;
}

static inline void on_up(void *ctx, uint64_t peer, const struct dz_peer_info *info, bool resumed)
{
    struct side *s = ctx;
    (void)info;
    assert_true(resumed ? peer == s->peer : peer != s->peer);
    s->peer = peer;
    s->ups += !resumed;
    s->resumes += resumed;
}

static inline void on_closed(void *ctx, uint64_t peer, enum dz_peer_closed why)
{
    struct side *s = ctx;
    assert_int_equal(peer, s->peer);
    s->closes[why]++;
}

static inline void on_message(void *ctx, uint64_t peer, uint64_t key, const uint8_t *data, size_t len)
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

static inline void on_bytes(void *ctx, uint64_t peer, const uint8_t *data, size_t len)
{
    (void)ctx, (void)peer, (void)data, (void)len;
}

static inline void on_figures(void *ctx, uint64_t peer, const struct dz_peer_figures *figures)
{
    (void)ctx, (void)peer, (void)figures;
}

static inline void on_writable(void *ctx, uint64_t peer)
{
    (void)ctx, (void)peer;
}

static inline void on_failed(void *ctx, const char *id, const char *address, enum dz_refusal why,
                             uint64_t known)
{
    struct side *s = ctx;
    (void)id, (void)address, (void)known;
    s->failures++;
    s->failure = why;
}

static inline struct fake *fake_of(struct dz_conn *conn)
{
    return dz_container_of(conn, struct fake, base);
}

static inline struct fake *fake_new(struct net *n, int side)
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

static inline struct dz_conn *fake_dial(void *ctx, const char *host, uint16_t port)
{
    struct side *s = ctx;
    (void)host, (void)port;
    struct fake *f = fake_new(s->net, s->number);
    f->dialling = true;
    return &f->base;
}

static inline void deliver(struct fake *f, const void *data, size_t len)
{
    /* The network itself has all the memory it wants; a failure that was ordered happens once. */
    while (f->other && dz_buf_append(&f->other->inbox, data, len) != 0)
        ;
}

static inline void fake_write(struct dz_conn *conn)
{
    struct fake *f = fake_of(conn);
    if (conn->writing || f->gone || !dz_conn_take_output(conn, &f->out))
        return;
    conn->writing = true;
}

static inline void fake_finish(struct dz_conn *conn)
{
    struct fake *f = fake_of(conn);
    if (f->other && !f->other->finished) {
        f->other->finished = true;
        f->other->notices_in = 0;
    }
}

static inline void fake_close(struct dz_conn *conn)
{
    struct fake *f = fake_of(conn);
    fake_finish(conn);
    if (f->other)
        f->other->other = NULL;
    f->other = NULL;
    f->gone = true;
}

static inline void fake_drain(struct dz_conn *conn)
{
    (void)conn;
}

static inline void fake_wake_in(void *ctx, uint64_t ms)
{
    struct side *s = ctx;
    s->wake_at = ms == UINT64_MAX ? UINT64_MAX : s->net->now_ms + ms;
}

static inline long fake_try_write(void *conn, const void *data, size_t len)
{
    struct fake *f = fake_of(conn);
    size_t part = len < WINDOW ? len : WINDOW;
    deliver(f, data, part);
    return (long)part;
}

static inline void fake_attention(void *conn)
{
    struct fake *f = fake_of(conn);
    atomic_store_explicit(&f->base.attention, true, memory_order_release);
    f->net->attention = true;
}

static inline void side_open(struct net *n, int number, const char *secret)
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

static inline void net_open(struct net *n, const char *secret)
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

static inline void free_gone(struct net *n)
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

static inline void net_close(struct net *n)
{
    dz_hub_close(&n->side[0].hub);
    dz_hub_close(&n->side[1].hub);
    free_gone(n);
    assert_int_equal(n->count, 0);
    dz_hub_fini(&n->side[0].hub);
    dz_hub_fini(&n->side[1].hub);
}

static inline void meet(struct fake *f)
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
static inline bool step_conn(struct fake *f)
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

static inline bool step(struct net *n)
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
static inline void cut(struct net *n, int first_notices_in, int second_notices_in)
{
    for (unsigned i = 0; i < n->count; i++) {
        struct fake *f = n->conns[i];
        f->other = NULL;
        dz_buf_clear(&f->inbox);
        f->notices_in = f->side == 0 ? first_notices_in : second_notices_in;
    }
}

static inline int dial(struct net *n, int from)
{
    struct side *s = &n->side[from];
    return s->hub.base.ops->dial(&s->hub.base, n->side[!from].id, NULL, 0);
}

/* Sends the next number when there is somebody to send to. */
static inline void talk(struct side *s, uint32_t total)
{
    uint8_t data[1500] = {0};
    if (!s->peer || s->sent == total)
        return;
    memcpy(data, &s->sent, sizeof(s->sent));
    size_t len = s->sent % 3 ? 20 : sizeof(data);
    assert_int_equal(s->hub.base.ops->send(&s->hub.base, s->peer, 1, data, len, 0), 0);
    s->sent++;
}

/* So many steps, or until nothing happens any more. */
static inline void net_run(struct net *n, unsigned steps)
{
    for (unsigned i = 0; i < steps && step(n); i++) {
    }
}

/* Side 0 dialled side 1 and both are up. */
static inline void net_connect(struct net *n)
{
    assert_int_equal(dial(n, 0), 0);
    for (unsigned i = 0; i < 400 && (n->side[0].ups == 0 || n->side[1].ups == 0); i++)
        (void)step(n);
    assert_int_equal(n->side[0].ups, 1);
    assert_int_equal(n->side[1].ups, 1);
}

/* The connection of that side that is up. */
static inline struct fake *net_up(struct net *n, int side)
{
    for (unsigned i = 0; i < n->count; i++)
        if (n->conns[i]->side == side && n->conns[i]->base.phase == DZ_CONN_UP)
            return n->conns[i];
    fail_msg("side %d is not up", side);
    return NULL;
}

#endif
