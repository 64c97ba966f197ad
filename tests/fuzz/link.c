/* link.c - what arrives on a node's sockets: the hub with everything it stands on, above sockets that are only buffers.
 * Input: one byte says what sort of connection it is, one how the bytes are cut, the rest are the bytes. On an established one
 * they are frames behind a good greeting. */
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "fuzz.h"
#include "net/handshake.h"
#include "net/hub.h"

#define SELF "b@127.0.0.1:2"
#define PEER "a@127.0.0.1:1"

enum sort {
    ACCEPTED,
    ACCEPTED_TLS,
    DIALLED,
    DIALLED_TLS,
    ESTABLISHED, /* the most there is to say */
};

struct fake {
    struct dz_conn base;
    struct dz_buf out;
    bool gone;
};

struct bench {
    struct dz_hub hub;
    struct dz_port port;
    struct dz_env env;
    struct dz_transport_events events;
    struct fake *conns[8];
    unsigned count;
    bool attention;
    uint64_t now_ms;
    uint64_t seed;
    uint64_t peer;
    uint64_t bytes;
};

static struct fake *fake_of(struct dz_conn *conn)
{
    return dz_container_of(conn, struct fake, base);
}

/* --- time and events --- */

static uint64_t bench_now(void *ctx)
{
    return ((struct bench *)ctx)->now_ms * 1000000u;
}

static uint64_t bench_random(void *ctx)
{
    struct bench *b = ctx;
    b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
    return b->seed >> 7;
}

static void on_up(void *ctx, uint64_t peer, const struct dz_peer_info *info, bool resumed)
{
    struct bench *b = ctx;
    FUZZ_CHECK(peer && info->id[0] && !resumed == (peer != b->peer));
    b->peer = peer;
}

static void on_closed(void *ctx, uint64_t peer, enum dz_peer_closed why)
{
    FUZZ_CHECK(peer == ((struct bench *)ctx)->peer && dz_peer_closed_name(why)[0]);
}

static void on_message(void *ctx, uint64_t peer, uint64_t key, const uint8_t *data, size_t len)
{
    struct bench *b = ctx;
    FUZZ_CHECK(peer == b->peer && len <= DZ_NET_MAX_MESSAGE);
    for (size_t i = 0; i < len; i++)
        b->bytes += data[i] + key;
}

static void on_membership(void *ctx, uint64_t peer, const uint8_t *data, size_t len)
{
    on_message(ctx, peer, 0, data, len);
}

static void on_heartbeat(void *ctx, uint64_t peer, const struct dz_peer_figures *figures)
{
    FUZZ_CHECK(peer == ((struct bench *)ctx)->peer && figures);
}

static void on_writable(void *ctx, uint64_t peer)
{
    (void)ctx;
    (void)peer;
}

static void on_failed(void *ctx, const char *id, const char *address, enum dz_refusal why, uint64_t known)
{
    (void)ctx;
    (void)id;
    (void)known;
    FUZZ_CHECK(address && dz_refusal_name(why)[0]);
}

/* --- sockets --- */

static struct fake *fake_new(struct bench *b)
{
    struct fake *f = b->count < 8 ? dz_zalloc(1, sizeof *f) : NULL;
    if (!f)
        return NULL;
    dz_buf_init(&f->out);
    b->conns[b->count++] = f;
    return f;
}

static struct dz_conn *port_dial(void *ctx, const char *host, uint16_t port)
{
    (void)host;
    (void)port;
    struct fake *f = fake_new(ctx);
    return f ? &f->base : NULL;
}

static void port_write(struct dz_conn *conn)
{
    struct dz_buf bytes;
    if (conn->writing || !dz_conn_take_output(conn, &bytes))
        return;
    conn->writing = true; /* settle() says when it is written */
    FUZZ_CHECK(dz_buf_append(&fake_of(conn)->out, bytes.data, bytes.len) == 0);
    dz_buf_fini(&bytes);
}

static void port_finish(struct dz_conn *conn)
{
    (void)conn;
}

static void port_close(struct dz_conn *conn)
{
    FUZZ_CHECK(!fake_of(conn)->gone);
    fake_of(conn)->gone = true;
}

static void port_wake_in(void *ctx, uint64_t ms)
{
    (void)ctx;
    (void)ms;
}

static long port_try_write(void *conn, const void *data, size_t len)
{
    FUZZ_CHECK(dz_buf_append(&fake_of(conn)->out, data, len) == 0);
    return (long)len;
}

static void port_attention(void *conn)
{
    struct dz_conn *c = conn;
    atomic_store_explicit(&c->attention, true, memory_order_release);
    dz_container_of(c->hub, struct bench, hub)->attention = true;
}

static void settle(struct bench *b)
{
    bool any = true;
    while (any) {
        any = b->attention;
        b->attention = false;
        if (any)
            dz_hub_attention(&b->hub);
        for (unsigned i = 0; i < b->count; i++) {
            if (b->conns[i]->gone || !b->conns[i]->base.writing)
                continue;
            b->conns[i]->base.writing = false;
            dz_conn_written(&b->conns[i]->base);
            any = true;
        }
    }
}

/* --- the node --- */

static void bench_open(struct bench *b, bool secured)
{
    static const char secret[] = "fuzzfuzzfuzzfuzzfuzzfuzzfuzzfuzz";
    struct dz_tls_context *tls = NULL;
    *b = (struct bench){.now_ms = 1000, .seed = 5};
    b->env = (struct dz_env){bench_now, bench_now, bench_random, b};
    b->events = (struct dz_transport_events){.peer_up = on_up,
                                             .peer_closed = on_closed,
                                             .message = on_message,
                                             .membership = on_membership,
                                             .heartbeat = on_heartbeat,
                                             .writable = on_writable,
                                             .handshake_failed = on_failed};
    b->port = (struct dz_port){.dial = port_dial,
                               .write = port_write,
                               .finish = port_finish,
                               .close = port_close,
                               .drain = port_finish,
                               .wake_in = port_wake_in,
                               .link = {.try_write = port_try_write, .attention = port_attention},
                               .ctx = b};
    struct dz_transport_uv_config config = {.env = &b->env, .events = &b->events, .ctx = b, .birth = 2};
    if (secured)
        FUZZ_CHECK(dz_tls_context_new_secret(&tls, secret, sizeof secret - 1) == 0);
    FUZZ_CHECK(dz_hub_init(&b->hub, &config, tls, &b->port) == 0);
    FUZZ_CHECK(dz_hub_start(&b->hub, SELF, 9) == 0);
}

static void bench_close(struct bench *b)
{
    for (int i = 0; i < 3; i++) { /* deadlines run out; what is dialled meanwhile as well */
        b->now_ms += 10000;
        dz_hub_tick(&b->hub);
        settle(b);
    }
    dz_hub_close(&b->hub);
    for (unsigned i = 0; i < b->count; i++) {
        FUZZ_CHECK(b->conns[i]->gone);
        dz_conn_fini(&b->conns[i]->base);
        dz_buf_fini(&b->conns[i]->out);
        dz_free(b->conns[i]);
    }
    FUZZ_CHECK(b->hub.stats.handshakes == 0 && b->hub.stats.connections == 0);
    dz_hub_fini(&b->hub);
}

static struct fake *accepted(struct bench *b)
{
    struct fake *f = fake_new(b);
    FUZZ_CHECK(f);
    dz_conn_accepted(&b->hub, &f->base, "127.0.0.1:9", true);
    return f;
}

static struct fake *dialled(struct bench *b)
{
    FUZZ_CHECK(b->hub.base.ops->dial(&b->hub.base, PEER, NULL, 0) == 0);
    struct fake *f = b->conns[0];
    dz_conn_connected(&f->base, true);
    return f;
}

static void feed(struct bench *b, struct fake *f, const uint8_t *data, size_t len)
{
    if (!f->gone)
        dz_conn_bytes(&f->base, data, len);
    settle(b);
}

/* The peer's side of a greeting, up to READY. */
static struct fake *established(struct bench *b)
{
    struct fake *f = accepted(b);
    struct dz_hello hello = {.version = DZ_NET_VERSION, .id = PEER, .id_len = strlen(PEER), .incarnation = 1,
                             .birth = 1, .to = SELF, .to_len = strlen(SELF), .dial = 1};
    struct dz_frame frame;
    struct dz_buf out;
    size_t used;
    dz_buf_init(&out);
    FUZZ_CHECK(dz_hello_encode(&out, DZ_FRAME_HELLO, &hello) == 0);
    feed(b, f, out.data, out.len);
    FUZZ_CHECK(dz_frame_decode(f->out.data, f->out.len, &frame, &used) == 1);
    FUZZ_CHECK(frame.type == DZ_FRAME_HELLO_ACK && dz_hello_decode(frame.data, frame.len, &hello) == 0);
    dz_buf_clear(&out);
    frame = (struct dz_frame){.type = DZ_FRAME_READY, .challenge = hello.challenge};
    FUZZ_CHECK(dz_frame_encode(&out, &frame) == 0);
    feed(b, f, out.data, out.len);
    dz_buf_fini(&out);
    FUZZ_CHECK(b->peer && b->hub.stats.connections == 1);
    return f;
}

static struct fake *connection(struct bench *b, enum sort sort)
{
    if (sort == ACCEPTED || sort == ACCEPTED_TLS)
        return accepted(b);
    return sort == DIALLED || sort == DIALLED_TLS ? dialled(b) : established(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_input in = {data, len};
    struct bench b;
    enum sort sort = fuzz_u8(&in) % 8;
    size_t chunk = fuzz_u8(&in);
    bench_open(&b, sort == ACCEPTED_TLS || sort == DIALLED_TLS);
    struct fake *f = connection(&b, sort);
    settle(&b);
    if (sort >= ESTABLISHED)
        for (int i = 0; i < 5; i++) /* something there is to acknowledge */
            FUZZ_CHECK(b.hub.base.ops->send(&b.hub.base, b.peer, 1, "message", 7, 0) == 0);
    chunk = chunk == 0 ? len + 1 : chunk;
    for (size_t at = 0; at < in.left; at += chunk)
        feed(&b, f, in.at + at, in.left - at < chunk ? in.left - at : chunk);
    FUZZ_CHECK(f->out.len <= 65536 || sort >= ESTABLISHED);
    if (!f->gone)
        dz_conn_ended(&f->base, DZ_PEER_EOF);
    settle(&b);
    bench_close(&b);
    return 0;
}
