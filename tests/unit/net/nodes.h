/* nodes.h - transports on one loop whose events are counted, for tests.
 * Owns:    each node its transport; messages are numbers, 4 bytes of the sender's count and then any filling.
 * Threads: the test's. */
#ifndef DZ_TEST_NET_NODES_H
#define DZ_TEST_NET_NODES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>
#include <cmocka.h>
#include "base/alloc.h"
#include "base/env.h"
#include "base/err.h"
#include "base/log.h"
#include "net/transport_uv.h"

#define KEYS 8

struct world {
    uv_loop_t loop;
    uv_timer_t guard;
    bool late;
    struct dz_env env;
    struct dz_log log;
};

struct node {
    struct world *world;
    struct dz_transport_uv *t;
    struct dz_transport *base;
    char id[64];
    uint16_t port;
    bool closed;
    bool stopped;
    uint64_t peer; /* the last one that came up */
    char peer_id[64];
    char peer_attributes[64];
    char peer_known[64];
    bool peer_secured;
    uint64_t peer_incarnation;
    unsigned ups, resumes;
    unsigned closes[DZ_PEER_REPLACED + 1];
    unsigned failures;
    enum dz_refusal failure;
    uint64_t known_incarnation;
    uint32_t next[KEYS]; /* the number expected under each key */
    unsigned messages;
    unsigned disorder; /* messages that were not the expected ones */
    size_t last_len;
    unsigned memberships;
    unsigned heartbeats;
    struct dz_peer_figures figures;
    unsigned writables;
    enum dz_refusal admit;
};

static void node_hello(void *ctx, struct dz_buf *attributes, struct dz_buf *known)
{
    const struct node *n = ctx;
    dz_buf_append(attributes, n->id, strlen(n->id));
    dz_buf_append(known, "known", 5);
}

static enum dz_refusal node_admit(void *ctx, const struct dz_peer_info *info, uint64_t *known_incarnation)
{
    const struct node *n = ctx;
    (void)info;
    *known_incarnation = n->admit == DZ_REFUSAL_STALE ? 77 : 0;
    return n->admit;
}

static void node_peer_up(void *ctx, uint64_t peer, const struct dz_peer_info *info, bool resumed)
{
    struct node *n = ctx;
    assert_true(!resumed || peer == n->peer);
    assert_true(resumed || peer != n->peer);
    n->peer = peer;
    n->peer_incarnation = info->incarnation;
    n->peer_secured = info->secured;
    snprintf(n->peer_id, sizeof(n->peer_id), "%s", info->id);
    snprintf(n->peer_attributes, sizeof(n->peer_attributes), "%.*s", (int)info->attributes_len,
             (const char *)info->attributes);
    snprintf(n->peer_known, sizeof(n->peer_known), "%.*s", (int)info->known_len, (const char *)info->known);
    n->resumes += resumed;
    n->ups += !resumed;
}

static void node_peer_closed(void *ctx, uint64_t peer, enum dz_peer_closed why)
{
    struct node *n = ctx;
    assert_int_not_equal(peer, 0);
    n->closes[why]++;
}

static void node_message(void *ctx, uint64_t peer, uint64_t key, const uint8_t *data, size_t len)
{
    struct node *n = ctx;
    uint32_t number;
    (void)peer;
    assert_true(len >= sizeof(number));
    memcpy(&number, data, sizeof(number));
    n->disorder += number != n->next[key % KEYS];
    n->next[key % KEYS] = number + 1;
    for (size_t i = sizeof(number); i < len; i += 997)
        n->disorder += data[i] != (uint8_t)(number + i);
    n->last_len = len;
    n->messages++;
}

static void node_membership(void *ctx, uint64_t peer, const uint8_t *data, size_t len)
{
    struct node *n = ctx;
    (void)peer;
    assert_int_equal(len, 6);
    assert_memory_equal(data, "rumour", 6);
    n->memberships++;
}

static void node_heartbeat(void *ctx, uint64_t peer, const struct dz_peer_figures *figures)
{
    struct node *n = ctx;
    (void)peer;
    n->figures = *figures;
    n->heartbeats++;
}

static void node_writable(void *ctx, uint64_t peer)
{
    struct node *n = ctx;
    (void)peer;
    n->writables++;
}

static void node_failed(void *ctx, const char *node_id, const char *address, enum dz_refusal why,
                        uint64_t known_incarnation)
{
    struct node *n = ctx;
    (void)node_id;
    assert_non_null(address);
    n->failures++;
    n->failure = why;
    n->known_incarnation = known_incarnation;
}

static const struct dz_transport_events node_events = {
    .hello = node_hello,
    .admit = node_admit,
    .peer_up = node_peer_up,
    .peer_closed = node_peer_closed,
    .message = node_message,
    .membership = node_membership,
    .heartbeat = node_heartbeat,
    .writable = node_writable,
    .handshake_failed = node_failed,
};

static void drop_line(void *ctx, enum dz_log_level level, const char *text, const struct dz_log_field *fields,
                      size_t count)
{
    (void)ctx, (void)level, (void)text, (void)fields, (void)count;
}

static void world_open(struct world *w)
{
    memset(w, 0, sizeof(*w));
    assert_int_equal(uv_loop_init(&w->loop), 0);
    uv_timer_init(&w->loop, &w->guard);
    w->guard.data = w;
    dz_env_system(&w->env);
    w->log = (struct dz_log){.sink = drop_line, .level = DZ_LOG_ERROR};
}

/* Everything closed, nothing left behind. */
static void world_close(struct world *w)
{
    uv_close((uv_handle_t *)&w->guard, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
}

static void on_guard(uv_timer_t *timer)
{
    ((struct world *)timer->data)->late = true;
}

/* Runs the loop until the condition holds; false after 10 s. */
#define wait_until(w, cond)                                                                                  \
    do {                                                                                                     \
        (w)->late = false;                                                                                   \
        uv_update_time(&(w)->loop);                                                                          \
        uv_timer_start(&(w)->guard, on_guard, 10000, 0);                                                     \
        while (!(cond) && !(w)->late)                                                                        \
            uv_run(&(w)->loop, UV_RUN_ONCE);                                                                 \
        uv_timer_stop(&(w)->guard);                                                                          \
        assert_true(cond);                                                                                   \
    } while (0)

/* Runs the loop for a while, for what must not happen. */
static inline void run_for(struct world *w, unsigned ms)
{
    w->late = false;
    uv_update_time(&w->loop);
    uv_timer_start(&w->guard, on_guard, ms, 0);
    while (!w->late)
        uv_run(&w->loop, UV_RUN_ONCE);
}

static inline struct dz_transport_uv_config node_config(struct world *w, struct node *n)
{
    return (struct dz_transport_uv_config){.loop = &w->loop,
                                           .env = &w->env,
                                           .log = &w->log,
                                           .events = &node_events,
                                           .ctx = n,
                                           .listen_host = "127.0.0.1",
                                           .birth = dz_env_random(&w->env),
                                           .redial_base_ms = 20,
                                           .redial_max_ms = 100};
}

static inline void node_open_with(struct world *w, struct node *n, const char *name,
                                  const struct dz_transport_uv_config *config, uint64_t incarnation)
{
    memset(n, 0, sizeof(*n));
    n->world = w;
    assert_int_equal(dz_transport_uv_new(&n->t, config), 0);
    assert_int_equal(dz_transport_uv_open(n->t, &n->port), 0);
    snprintf(n->id, sizeof(n->id), "%s@127.0.0.1:%u", name, (unsigned)n->port);
    assert_int_equal(dz_transport_uv_start(n->t, n->id, incarnation), 0);
    n->base = dz_transport_uv_base(n->t);
}

static inline void node_open(struct world *w, struct node *n, const char *name, const char *secret)
{
    struct dz_transport_uv_config config = node_config(w, n);
    config.secret = secret;
    config.secret_len = secret ? strlen(secret) : 0;
    node_open_with(w, n, name, &config, 1);
}

static void node_closed(void *ctx)
{
    struct node *n = ctx;
    assert_false(n->closed);
    n->closed = true;
}

static inline void node_close(struct node *n)
{
    dz_transport_uv_close(n->t, node_closed, n);
    wait_until(n->world, n->closed);
    dz_transport_uv_delete(n->t);
}

static inline int node_dial(struct node *from, const struct node *to)
{
    return from->base->ops->dial(from->base, to->id, NULL, 0);
}

static inline int node_send_sized(struct node *from, uint64_t key, uint32_t number, size_t len)
{
    uint8_t *data = dz_alloc(len);
    assert_non_null(data);
    memcpy(data, &number, sizeof(number));
    for (size_t i = sizeof(number); i < len; i++)
        data[i] = (uint8_t)(number + i);
    int err = from->base->ops->send(from->base, from->peer, key, data, len, 0);
    dz_free(data);
    return err;
}

static inline int node_send(struct node *from, uint64_t key, uint32_t number)
{
    return node_send_sized(from, key, number, 64);
}

static inline void node_connect(struct node *a, struct node *b)
{
    unsigned ups = b->ups;
    assert_int_equal(node_dial(a, b), 0);
    wait_until(a->world, a->ups > 0 && b->ups > ups);
}

static inline struct dz_transport_uv_stats node_stats(const struct node *n)
{
    struct dz_transport_uv_stats stats;
    dz_transport_uv_stats(n->t, &stats);
    return stats;
}

#endif
