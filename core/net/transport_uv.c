/* transport_uv.c - sockets for the hub: listener, connections, one timer, one wake-up.
 * Owns:    the uv handles.
 * Threads: port_try_write and port_attention any, under the link's wire lock, which is what keeps the descriptor open
 *          meanwhile (a connection is detached before it is closed); the rest the loop's.
 * Fails:   a failure known within a call of the hub's is put off to the next turn of the loop (`failed`), so that the hub
 *          is never entered from its own call. */
#include "net/transport_uv.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "net/hub.h"

#define BACKLOG    128
#define LOOPBACK_BUFFER (256 * 1024) /* of the kernel's, each way */
#define READ_BYTES 65536u

struct dz_transport_uv {
    struct dz_hub hub;
    struct dz_port port;
    uv_loop_t *loop;
    uv_tcp_t listener;
    uv_async_t async;
    uv_timer_t timer;
    char listen_host[256];
    uint16_t listen_port;
    bool opened;
    uint32_t handles; /* not yet closed, connections included */
    void (*closed)(void *ctx);
    void *closed_ctx;
    struct dz_list failed; /* connections whose failure was known within a call of the hub's */
    uint8_t buffer[READ_BYTES];
};

struct conn {
    struct dz_conn base;
    struct dz_transport_uv *t;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_getaddrinfo_t resolve;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct dz_buf out; /* being written */
    struct dz_list failed;
    uint16_t port;
    int fd;
    bool resolving;
    bool gone; /* the handle is closed */
};

static struct conn *conn_of(struct dz_conn *base)
{
    return dz_container_of(base, struct conn, base);
}

static bool is_closed(const struct conn *c)
{
    return c->base.phase == DZ_CONN_CLOSED;
}

static bool is_loopback(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24) == 127;
    if (a->ss_family != AF_INET6)
        return false;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)a)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

/* Both ends; the text of the other one. */
static bool ends_of(const uv_tcp_t *tcp, char *text, size_t cap)
{
    struct sockaddr_storage here = {0}, there = {0};
    int here_len = sizeof(here), there_len = sizeof(there);
    char host[INET6_ADDRSTRLEN] = "?";
    snprintf(text, cap, "?");
    if (uv_tcp_getsockname(tcp, (struct sockaddr *)&here, &here_len) ||
        uv_tcp_getpeername(tcp, (struct sockaddr *)&there, &there_len))
        return false;
    uv_ip_name((const struct sockaddr *)&there, host, sizeof(host));
    snprintf(text, cap, "%s:%u", host, (unsigned)ntohs(((const struct sockaddr_in *)&there)->sin_port));
    return is_loopback(&here) && is_loopback(&there);
}

/* --- the end of handles --- */

static void handle_gone(struct dz_transport_uv *t)
{
    dz_assert(t->handles > 0);
    if (--t->handles == 0 && t->closed) {
        void (*closed)(void *) = t->closed;
        t->closed = NULL;
        closed(t->closed_ctx);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

static void maybe_free(struct conn *c)
{
    struct dz_transport_uv *t = c->t;
    if (!c->gone || c->resolving)
        return;
    dz_conn_fini(&c->base);
    dz_buf_fini(&c->out);
    dz_free(c);
    handle_gone(t);
}

static void on_conn_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    c->gone = true;
    maybe_free(c);
}

static struct conn *conn_new(struct dz_transport_uv *t)
{
    struct conn *c = dz_zalloc(1, sizeof(*c));
    if (!c)
        return NULL;
    int err = uv_tcp_init(t->loop, &c->tcp);
    dz_assert(!err); /* without a family it creates no socket */
    c->t = t;
    c->fd = -1;
    c->tcp.data = c;
    dz_buf_init(&c->out);
    dz_list_init(&c->failed);
    t->handles++;
    return c;
}

/* The hub hears of it once its own call has returned. */
static void fail_later(struct conn *c)
{
    dz_list_remove(&c->failed);
    dz_list_push_back(&c->t->failed, &c->failed);
    uv_async_send(&c->t->async);
}

/* --- reading --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct conn *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)c->t->buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct conn *c = stream->data;
    if (is_closed(c) || got == 0)
        return;
    if (got < 0)
        dz_conn_ended(&c->base, got == UV_EOF ? DZ_PEER_EOF : DZ_PEER_ERROR);
    else
        dz_conn_bytes(&c->base, (const uint8_t *)buf->base, (size_t)got);
}

static void port_drain(struct dz_conn *base)
{
    struct conn *c = conn_of(base);
    while (!is_closed(c)) {
        ssize_t got = recv(c->fd, c->t->buffer, READ_BYTES, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (got <= 0)
            dz_conn_ended(base, got == 0 ? DZ_PEER_EOF : DZ_PEER_ERROR);
        else
            dz_conn_bytes(base, c->t->buffer, (size_t)got);
    }
}

/* What is with the kernel cannot be overtaken any more. Left to itself it takes megabytes, on the loopback too, where so much is
 * never in flight; elsewhere a far peer needs them. */
static void bound_buffers(struct conn *c)
{
    int bytes = LOOPBACK_BUFFER;
    char text[64];
    if (!ends_of(&c->tcp, text, sizeof(text)))
        return;
    (void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

/* The socket is connected. 0 or a libuv code. */
static int begin(struct conn *c)
{
    uv_os_fd_t fd;
    int err = uv_fileno((uv_handle_t *)&c->tcp, &fd);
    if (err)
        return err;
    c->fd = fd;
    uv_tcp_nodelay(&c->tcp, 1);
    bound_buffers(c);
    return uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

/* --- writing --- */

static long port_try_write(void *conn, const void *data, size_t len)
{
    struct conn *c = conn_of(conn);
    for (;;) {
        ssize_t n = send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
            return n;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return 0;
        if (errno != EINTR)
            return DZ_EIO;
    }
}

static void port_attention(void *conn)
{
    struct conn *c = conn_of(conn);
    /* Pairs with the exchange in hub.c: the loop sees what was done before it was called. */
    atomic_store_explicit(&c->base.attention, true, memory_order_release);
    uv_async_send(&c->t->async);
}

static void on_written(uv_write_t *req, int status)
{
    struct conn *c = req->data;
    c->base.writing = false;
    dz_buf_fini(&c->out);
    dz_buf_init(&c->out);
    if (is_closed(c))
        return;
    if (status < 0)
        dz_conn_ended(&c->base, DZ_PEER_ERROR);
    else
        dz_conn_written(&c->base);
}

static void port_write(struct dz_conn *base)
{
    struct conn *c = conn_of(base);
    if (base->writing || is_closed(c) || !dz_conn_take_output(base, &c->out))
        return;
    uv_buf_t buf = uv_buf_init((char *)c->out.data, (unsigned)c->out.len);
    c->write.data = c;
    base->writing = true;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written))
        fail_later(c);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)req;
    (void)status; /* the end of the connection follows either way */
}

static void port_finish(struct dz_conn *base)
{
    struct conn *c = conn_of(base);
    if (!is_closed(c) && uv_is_writable((uv_stream_t *)&c->tcp) &&
        uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown))
        fail_later(c);
}

static void port_close(struct dz_conn *base)
{
    struct conn *c = conn_of(base);
    dz_list_remove(&c->failed);
    if (c->resolving)
        uv_cancel((uv_req_t *)&c->resolve); /* if it runs already, the connection waits for it */
    uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
}

/* --- dialling --- */

static void on_connect(uv_connect_t *req, int status)
{
    struct conn *c = req->data;
    char text[64];
    if (is_closed(c))
        return;
    if (status == 0)
        status = begin(c);
    if (status < 0)
        dz_conn_dial_failed(&c->base,
                            status == UV_ECONNREFUSED ? DZ_REFUSAL_CONNECT : DZ_REFUSAL_UNREACHABLE);
    else
        dz_conn_connected(&c->base, ends_of(&c->tcp, text, sizeof(text)));
}

static int connect_to(struct conn *c, const struct sockaddr *address)
{
    c->connect.data = c;
    return uv_tcp_connect(&c->connect, &c->tcp, address, on_connect);
}

/* `localhost` is this machine by definition, whatever a resolver says, or if there is none: plain text is allowed to it. */
static int parse_numeric(const char *host, uint16_t port, struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){0};
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (uv_ip4_addr(host, port, (struct sockaddr_in *)out) == 0)
        return 0;
    return uv_ip6_addr(host, port, (struct sockaddr_in6 *)out);
}

/* Of several addresses the first of version 4, else the first. False when there is none. */
static bool pick(const struct addrinfo *list, uint16_t port, struct sockaddr_storage *out)
{
    const struct addrinfo *best = NULL;
    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        if (a->ai_family == AF_INET || (a->ai_family == AF_INET6 && !best))
            best = a;
        if (a->ai_family == AF_INET)
            break;
    }
    if (!best)
        return false;
    memcpy(out, best->ai_addr, best->ai_addrlen);
    /* sin_port and sin6_port are at the same place. */
    ((struct sockaddr_in *)out)->sin_port = htons(port);
    return true;
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct conn *c = req->data;
    struct sockaddr_storage address = {0};
    c->resolving = false;
    if (is_closed(c)) {
        uv_freeaddrinfo(list);
        maybe_free(c);
        return;
    }
    bool ok = status == 0 && pick(list, c->port, &address);
    uv_freeaddrinfo(list);
    if (!ok || connect_to(c, (const struct sockaddr *)&address))
        dz_conn_dial_failed(&c->base, DZ_REFUSAL_UNREACHABLE);
}

static struct dz_conn *port_dial(void *ctx, const char *host, uint16_t port)
{
    struct dz_transport_uv *t = ctx;
    struct conn *c = conn_new(t);
    struct sockaddr_storage address;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (!c)
        return NULL;
    c->port = port;
    if (parse_numeric(host, port, &address) == 0) {
        if (connect_to(c, (const struct sockaddr *)&address))
            fail_later(c);
        return &c->base;
    }
    c->resolve.data = c;
    c->resolving = uv_getaddrinfo(t->loop, &c->resolve, on_resolved, host, NULL, &hints) == 0;
    if (!c->resolving)
        fail_later(c);
    return &c->base;
}

/* --- the loop's own handles --- */

static void on_timer(uv_timer_t *timer)
{
    struct dz_transport_uv *t = timer->data;
    dz_hub_tick(&t->hub);
}

static void port_wake_in(void *ctx, uint64_t ms)
{
    struct dz_transport_uv *t = ctx;
    if (!t->opened || uv_is_closing((uv_handle_t *)&t->timer))
        return;
    if (ms == UINT64_MAX) {
        uv_timer_stop(&t->timer);
        return;
    }
    uv_update_time(t->loop);
    uv_timer_start(&t->timer, on_timer, ms, 0);
}

static void on_async(uv_async_t *async)
{
    struct dz_transport_uv *t = async->data;
    struct dz_list *node;
    while (!t->hub.closed && (node = dz_list_pop_front(&t->failed))) {
        struct conn *c = dz_list_entry(node, struct conn, failed);
        if (c->base.phase == DZ_CONN_DIALLING)
            dz_conn_dial_failed(&c->base, DZ_REFUSAL_UNREACHABLE);
        else
            dz_conn_ended(&c->base, DZ_PEER_ERROR);
    }
    if (!t->hub.closed)
        dz_hub_attention(&t->hub);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct dz_transport_uv *t = listener->data;
    char text[64];
    if (status < 0)
        return;
    struct conn *c = conn_new(t);
    if (!c)
        return; /* the connection stays in the backlog */
    int err = uv_accept(listener, (uv_stream_t *)&c->tcp);
    if (!err)
        err = begin(c);
    bool loopback = !err && ends_of(&c->tcp, text, sizeof(text));
    dz_conn_accepted(&t->hub, &c->base, err ? "?" : text, loopback);
    if (err && !is_closed(c))
        dz_conn_ended(&c->base, DZ_PEER_ERROR);
}

/* --- the public contract --- */

static int make_tls(const struct dz_transport_uv_config *config, struct dz_tls_context **out)
{
    char why[512] = "unusable secret";
    int err = 0;
    *out = NULL;
    bool some = config->tls_cert || config->tls_key || config->tls_ca;
    bool all = config->tls_cert && config->tls_key && config->tls_ca;
    if (some && !all) {
        snprintf(why, sizeof(why), "cert, key and ca go together");
        err = DZ_ECONFIG;
    } else if (all) {
        err = dz_tls_context_new_files(out, config->tls_cert, config->tls_key, config->tls_ca, why,
                                       sizeof(why));
    } else if (config->secret) {
        err = dz_tls_context_new_secret(out, config->secret, config->secret_len);
    }
    if (err && config->why)
        snprintf(config->why, config->why_size, "%s", why);
    else if (err)
        dz_log_error(config->log, "cannot set up TLS", "reason", why, NULL);
    return err;
}

int dz_transport_uv_new(struct dz_transport_uv **out, const struct dz_transport_uv_config *config)
{
    struct dz_tls_context *tls;
    const char *host = config->listen_host;
    if (!host || strlen(host) >= sizeof((*out)->listen_host) || config->max_peers > 60000)
        return DZ_ECONFIG;
    struct dz_transport_uv *t = dz_zalloc(1, sizeof(*t));
    if (!t)
        return DZ_ENOMEM;
    t->loop = config->loop;
    memcpy(t->listen_host, host, strlen(host) + 1);
    t->listen_port = config->listen_port;
    dz_list_init(&t->failed);
    t->port = (struct dz_port){.dial = port_dial,
                               .write = port_write,
                               .finish = port_finish,
                               .close = port_close,
                               .drain = port_drain,
                               .wake_in = port_wake_in,
                               .link = {.try_write = port_try_write, .attention = port_attention},
                               .ctx = t};
    int err = make_tls(config, &tls);
    if (err) {
        dz_free(t);
        return err;
    }
    err = dz_hub_init(&t->hub, config, tls, &t->port);
    if (err) {
        dz_hub_fini(&t->hub);
        dz_free(t);
        return err;
    }
    *out = t;
    return 0;
}

static int listen_address(struct dz_transport_uv *t, struct sockaddr_storage *out)
{
    if (parse_numeric(t->listen_host, t->listen_port, out) == 0)
        return 0;
    uv_getaddrinfo_t req;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (uv_getaddrinfo(t->loop, &req, NULL, t->listen_host, NULL, &hints))
        return DZ_ECONFIG;
    bool ok = pick(req.addrinfo, t->listen_port, out);
    uv_freeaddrinfo(req.addrinfo);
    return ok ? 0 : DZ_ECONFIG;
}

static int listen_error(int uv)
{
    switch (uv) {
    case 0:
        return 0;
    case UV_EADDRINUSE:
        return DZ_EADDRINUSE;
    case UV_EADDRNOTAVAIL:
    case UV_EAFNOSUPPORT:
    case UV_EACCES:
        return DZ_ECONFIG;
    default:
        return DZ_EIO;
    }
}

static int open_handles(struct dz_transport_uv *t)
{
    int err = uv_async_init(t->loop, &t->async, on_async);
    if (err)
        return DZ_EIO;
    uv_timer_init(t->loop, &t->timer);
    uv_tcp_init(t->loop, &t->listener);
    t->async.data = t->timer.data = t->listener.data = t;
    t->handles += 3;
    t->opened = true;
    return 0;
}

int dz_transport_uv_open(struct dz_transport_uv *t, uint16_t *port)
{
    struct sockaddr_storage address;
    int len = sizeof(address);
    dz_assert(!t->opened);
    int err = open_handles(t);
    if (!err)
        err = listen_address(t, &address);
    if (err)
        return err;
    err = uv_tcp_bind(&t->listener, (const struct sockaddr *)&address, 0);
    if (!err)
        err = uv_listen((uv_stream_t *)&t->listener, BACKLOG, on_connection);
    if (!err)
        err = uv_tcp_getsockname(&t->listener, (struct sockaddr *)&address, &len);
    if (err)
        return listen_error(err);
    *port = ntohs(((const struct sockaddr_in *)&address)->sin_port);
    return 0;
}

int dz_transport_uv_start(struct dz_transport_uv *t, const char *node_id, uint64_t incarnation)
{
    dz_assert(t->opened);
    return dz_hub_start(&t->hub, node_id, incarnation);
}

void dz_transport_uv_close(struct dz_transport_uv *t, void (*closed)(void *ctx), void *ctx)
{
    dz_assert(!t->hub.closed && closed);
    dz_hub_close(&t->hub);
    t->closed = closed;
    t->closed_ctx = ctx;
    if (t->opened) {
        uv_close((uv_handle_t *)&t->async, on_handle_closed);
        uv_close((uv_handle_t *)&t->listener, on_handle_closed);
    } else {
        /* Something has to close, so that the callback comes from the loop like any other. */
        uv_timer_init(t->loop, &t->timer);
        t->timer.data = t;
        t->handles++;
    }
    uv_close((uv_handle_t *)&t->timer, on_handle_closed);
}

void dz_transport_uv_delete(struct dz_transport_uv *t)
{
    dz_assert(t->handles == 0);
    dz_hub_fini(&t->hub);
    dz_free(t);
}

struct dz_transport *dz_transport_uv_base(struct dz_transport_uv *t)
{
    return &t->hub.base;
}

void dz_transport_uv_stats(const struct dz_transport_uv *t, struct dz_transport_uv_stats *out)
{
    *out = t->hub.stats;
}

bool dz_transport_uv_cut(struct dz_transport_uv *t, uint64_t peer)
{
    for (uint32_t i = 0; i < t->hub.slots_used; i++) {
        struct dz_link *l = atomic_load_explicit(&t->hub.slots[i], memory_order_relaxed);
        if (l->conn && dz_link_peer_no(l) == peer) {
            dz_conn_ended(l->conn, DZ_PEER_ERROR);
            return true;
        }
    }
    return false;
}
