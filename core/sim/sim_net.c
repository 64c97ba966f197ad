#include "sim/sim_net.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "net/hub.h"

#define WINDOW  60000u /* bytes under way on one connection */
#define ADDRESS_MAX 300
#define NOWHERE DZ_SIM_HOSTS_MAX /* the peer of who dials an address that no host has */

enum parcel_kind { PARCEL_ACCEPT, PARCEL_CONNECTED, PARCEL_REFUSED, PARCEL_BYTES, PARCEL_EOF, PARCEL_ERROR };

struct parcel {
    struct dz_list all;
    enum parcel_kind kind;
    uint64_t due_ns;
    size_t len;
    uint8_t data[];
};

/* One end of a connection. */
struct end {
    struct dz_conn base;
    struct dz_sim_station *station;
    struct dz_list all;   /* station.ends */
    struct dz_list queue; /* parcels for this end */
    struct end *other;    /* NULL: not connected (any more) */
    int peer;
    uint64_t last_due_ns;
    size_t queued;
    struct dz_buf out; /* being written */
    bool syn;          /* on its way, to `peer` */
    uint64_t syn_due_ns;
    bool finished;
    bool gone;
};

struct dz_sim_station {
    struct dz_hub hub;
    struct dz_port port;
    struct dz_sim_net *net;
    const struct dz_sim_clock *clock;
    int index;
    char address[ADDRESS_MAX]; /* "host:port" */
    uint64_t wake_local_ns;
    bool attention;
    bool muted;
    void (*closed)(void *ctx); /* to be called in the next step */
    void *closed_ctx;
    struct dz_list ends;
    struct dz_list all; /* net.stations */
};

struct dz_sim_net {
    struct dz_sim_rand *rand;
    const uint64_t *now_ns;
    struct dz_sim_station *listening[DZ_SIM_HOSTS_MAX + 1];
    struct dz_sim_net_way ways[DZ_SIM_HOSTS_MAX + 1][DZ_SIM_HOSTS_MAX + 1];
    char last_address[DZ_SIM_HOSTS_MAX][ADDRESS_MAX]; /* where each host listened last */
    struct dz_list stations;
    uint64_t carried;
};

static struct end *end_of(struct dz_conn *conn)
{
    return dz_container_of(conn, struct end, base);
}

static uint64_t travel(struct dz_sim_net *net, int from, int to)
{
    const struct dz_sim_net_way *w = &net->ways[from][to];
    return w->delay_ns + (w->jitter_ns ? dz_sim_rand_below(net->rand, w->jitter_ns) : 0);
}

/* --- parcels --- */

static void put(struct end *to, enum parcel_kind kind, uint64_t due_ns, const void *data, size_t len)
{
    struct parcel *p = dz_alloc_must(sizeof *p + len);
    *p = (struct parcel){.kind = kind, .len = len};
    p->due_ns = due_ns > to->last_due_ns ? due_ns : to->last_due_ns;
    to->last_due_ns = p->due_ns;
    if (len)
        memcpy(p->data, data, len);
    to->queued += len;
    dz_list_push_back(&to->queue, &p->all);
}

static void post(struct end *from, enum parcel_kind kind, const void *data, size_t len)
{
    struct dz_sim_net *net = from->station->net;
    if (from->other)
        put(from->other, kind, *net->now_ns + travel(net, from->station->index, from->peer), data, len);
}

static void drop_queue(struct end *e)
{
    struct dz_list *node;
    while ((node = dz_list_pop_front(&e->queue)) != NULL)
        dz_free(dz_list_entry(node, struct parcel, all));
    e->queued = 0;
}

static struct end *end_new(struct dz_sim_station *s, int peer)
{
    struct end *e = dz_zalloc_must(1, sizeof *e);
    e->station = s;
    e->peer = peer;
    dz_list_init(&e->queue);
    dz_buf_init(&e->out);
    dz_list_push_back(&s->ends, &e->all);
    return e;
}

static void end_delete(struct end *e)
{
    dz_list_remove(&e->all);
    drop_queue(e);
    dz_conn_fini(&e->base);
    dz_buf_fini(&e->out);
    dz_free(e);
}

/* --- the port --- */

static int index_of(const struct dz_sim_net *net, const char *host, uint16_t port)
{
    char address[ADDRESS_MAX];
    snprintf(address, sizeof address, "%s:%u", host, port);
    for (int i = 0; i < DZ_SIM_HOSTS_MAX; i++)
        if (net->listening[i] && strcmp(net->listening[i]->address, address) == 0)
            return i;
    /* Nobody is there now; whoever was shall be thought of, for that way may be blocked. */
    for (int i = 0; i < DZ_SIM_HOSTS_MAX; i++)
        if (strcmp(net->last_address[i], address) == 0)
            return i;
    return NOWHERE;
}

static struct dz_conn *port_dial(void *ctx, const char *host, uint16_t port)
{
    struct dz_sim_station *s = ctx;
    struct end *e = end_new(s, index_of(s->net, host, port));
    e->syn = !s->muted;
    e->syn_due_ns = *s->net->now_ns + travel(s->net, s->index, e->peer);
    return &e->base;
}

static long port_try_write(void *conn, const void *data, size_t len)
{
    struct end *e = end_of(conn);
    if (!e->other || e->station->muted)
        return (long)len;
    size_t room = e->other->queued < WINDOW ? WINDOW - e->other->queued : 0;
    size_t n = len < room ? len : room;
    if (n > 1 && dz_sim_rand_percent(e->station->net->rand, 2))
        n = 1 + dz_sim_rand_below(e->station->net->rand, n);
    if (n)
        post(e, PARCEL_BYTES, data, n);
    return (long)n;
}

static void port_attention(void *conn)
{
    struct end *e = end_of(conn);
    atomic_store_explicit(&e->base.attention, true, memory_order_release);
    e->station->attention = true;
}

static void port_write(struct dz_conn *conn)
{
    struct end *e = end_of(conn);
    if (conn->writing || e->gone || !dz_conn_take_output(conn, &e->out))
        return;
    conn->writing = true;
}

static void port_finish(struct dz_conn *conn)
{
    struct end *e = end_of(conn);
    if (!e->finished && !e->station->muted)
        post(e, PARCEL_EOF, NULL, 0);
    e->finished = true;
}

/* What the kernel does with a closed descriptor. */
static void hang_up(struct end *e)
{
    if (e->other) {
        if (!e->finished)
            post(e, e->queued ? PARCEL_ERROR : PARCEL_EOF, NULL, 0);
        e->other->other = NULL;
    }
    e->other = NULL;
    e->finished = true;
    e->syn = false;
}

static void port_close(struct dz_conn *conn)
{
    hang_up(end_of(conn));
    end_of(conn)->gone = true;
}

static void port_wake_in(void *ctx, uint64_t ms)
{
    struct dz_sim_station *s = ctx;
    s->wake_local_ns = ms == UINT64_MAX ? DZ_SIM_NEVER : dz_sim_clock_local(s->clock) + ms * DZ_SIM_MS;
}

/* --- arrivals --- */

static bool is_blocked(const struct end *e)
{
    return e->station->net->ways[e->peer][e->station->index].blocked;
}

static struct parcel *arrived(const struct end *e)
{
    if (e->gone || dz_list_empty(&e->queue) || is_blocked(e))
        return NULL;
    struct parcel *p = dz_list_entry(e->queue.next, struct parcel, all);
    return p->due_ns <= *e->station->net->now_ns ? p : NULL;
}

static void open_parcel(struct end *e, struct parcel *p)
{
    struct dz_hub *hub = &e->station->hub;
    char address[32];
    switch (p->kind) {
    case PARCEL_ACCEPT:
        snprintf(address, sizeof address, "127.0.0.1:%d", 50000 + e->peer);
        dz_conn_accepted(hub, &e->base, address, true);
        break;
    case PARCEL_CONNECTED:
        dz_conn_connected(&e->base, true);
        break;
    case PARCEL_REFUSED:
        dz_conn_dial_failed(&e->base, DZ_REFUSAL_CONNECT);
        break;
    case PARCEL_BYTES:
        dz_conn_bytes(&e->base, p->data, p->len);
        break;
    case PARCEL_EOF:
        dz_conn_ended(&e->base, DZ_PEER_EOF);
        break;
    case PARCEL_ERROR:
        dz_conn_ended(&e->base, DZ_PEER_ERROR);
        break;
    }
}

static bool take_parcel(struct end *e)
{
    struct parcel *p = arrived(e);
    if (!p)
        return false;
    dz_list_remove(&p->all);
    e->queued -= p->len;
    e->station->net->carried++;
    open_parcel(e, p);
    dz_free(p);
    return true;
}

static void port_drain(struct dz_conn *conn)
{
    while (take_parcel(end_of(conn)))
        ;
}

static bool can_write(const struct end *e)
{
    return !e->gone && e->base.writing &&
           (e->out.len == 0 || !e->other || e->station->muted || e->other->queued < WINDOW);
}

static bool go_on_writing(struct end *e)
{
    if (!can_write(e))
        return false;
    long n = e->out.len ? port_try_write(e, e->out.data, e->out.len) : 0;
    dz_buf_consume(&e->out, (size_t)n);
    if (e->out.len)
        return n > 0;
    dz_buf_fini(&e->out);
    dz_buf_init(&e->out);
    e->base.writing = false;
    dz_conn_written(&e->base);
    return true;
}

/* --- stations --- */

/* An end the hub was never told of has no phase it could be closed in. */
static void forget_unaccepted(struct dz_sim_station *s)
{
    dz_list_each_safe (&s->ends, it) {
        struct end *e = dz_list_entry(it, struct end, all);
        if (e->base.hub)
            continue;
        port_close(&e->base);
        e->base.phase = DZ_CONN_CLOSED;
    }
}

struct dz_sim_station *dz_sim_station_new(struct dz_sim_net *net, int index, const struct dz_sim_clock *clock,
                                          const struct dz_transport_uv_config *config)
{
    struct dz_sim_station *s = dz_zalloc_must(1, sizeof *s);
    s->net = net;
    s->index = index;
    s->clock = clock;
    s->wake_local_ns = DZ_SIM_NEVER;
    dz_list_init(&s->ends);
    s->port = (struct dz_port){.dial = port_dial,
                               .write = port_write,
                               .finish = port_finish,
                               .close = port_close,
                               .drain = port_drain,
                               .wake_in = port_wake_in,
                               .link = {.try_write = port_try_write, .attention = port_attention},
                               .ctx = s};
    struct dz_transport_uv_config plain = *config;
    plain.insecure = true;
    int err = dz_hub_init(&s->hub, &plain, NULL, &s->port);
    dz_assert(!err);
    dz_list_push_back(&net->stations, &s->all);
    return s;
}

int dz_sim_station_start(struct dz_sim_station *s, const char *id, uint64_t incarnation)
{
    const char *at = strchr(id, '@');
    int err = dz_hub_start(&s->hub, id, incarnation);
    if (err || !at)
        return err ? err : DZ_ENODEID;
    for (int i = 0; i < DZ_SIM_HOSTS_MAX; i++)
        if (i != s->index && s->net->listening[i] && strcmp(s->net->listening[i]->address, at + 1) == 0)
            return DZ_EADDRINUSE;
    dz_assert(!s->net->listening[s->index]);
    snprintf(s->address, sizeof s->address, "%s", at + 1);
    snprintf(s->net->last_address[s->index], ADDRESS_MAX, "%s", at + 1);
    s->net->listening[s->index] = s;
    return 0;
}

void dz_sim_station_close(struct dz_sim_station *s, void (*closed)(void *ctx), void *ctx)
{
    if (s->net->listening[s->index] == s)
        s->net->listening[s->index] = NULL;
    forget_unaccepted(s);
    dz_hub_close(&s->hub);
    s->closed = closed;
    s->closed_ctx = ctx;
}

struct dz_transport *dz_sim_station_transport(struct dz_sim_station *s)
{
    return &s->hub.base;
}

static void free_gone(struct dz_sim_station *s)
{
    dz_list_each_safe (&s->ends, it) {
        struct end *e = dz_list_entry(it, struct end, all);
        if (e->gone && e->base.phase == DZ_CONN_CLOSED)
            end_delete(e);
    }
}

void dz_sim_station_mute(struct dz_sim_station *s)
{
    if (s->net->listening[s->index] == s)
        s->net->listening[s->index] = NULL;
    dz_list_each (&s->ends, it)
        hang_up(dz_list_entry(it, struct end, all));
    s->muted = true;
}

void dz_sim_station_delete(struct dz_sim_station *s)
{
    dz_sim_station_mute(s);
    forget_unaccepted(s);
    if (!s->hub.closed)
        dz_hub_close(&s->hub);
    free_gone(s);
    dz_hub_fini(&s->hub);
    dz_list_remove(&s->all);
    dz_free(s);
}

static bool step_ends(struct dz_sim_station *s)
{
    struct end *ready[256];
    size_t n = 0;
    dz_list_each (&s->ends, it) {
        struct end *e = dz_list_entry(it, struct end, all);
        if (n < sizeof ready / sizeof ready[0] && (arrived(e) || can_write(e)))
            ready[n++] = e;
    }
    if (n == 0)
        return false;
    struct end *e = ready[dz_sim_rand_below(s->net->rand, n)];
    if (!take_parcel(e))
        go_on_writing(e);
    return true;
}

bool dz_sim_station_step(struct dz_sim_station *s)
{
    bool any = false;
    if (s->closed) {
        void (*closed)(void *) = s->closed;
        s->closed = NULL;
        closed(s->closed_ctx); /* may delete the station */
        return true;
    }
    if (s->attention) {
        s->attention = false;
        any = true;
        dz_hub_attention(&s->hub);
    }
    if (s->wake_local_ns <= dz_sim_clock_local(s->clock)) {
        s->wake_local_ns = DZ_SIM_NEVER;
        any = true;
        dz_hub_tick(&s->hub);
    }
    for (int i = 0; i < 16 && step_ends(s); i++)
        any = true;
    free_gone(s);
    return any;
}

uint64_t dz_sim_station_next(const struct dz_sim_station *s)
{
    uint64_t next = s->attention || s->closed ? *s->net->now_ns : dz_sim_clock_true(s->clock, s->wake_local_ns);
    dz_list_each (&s->ends, it) {
        const struct end *e = dz_list_entry(it, struct end, all);
        uint64_t due = DZ_SIM_NEVER;
        if (can_write(e))
            due = *s->net->now_ns;
        else if (!e->gone && !dz_list_empty(&e->queue) && !is_blocked(e))
            due = dz_list_entry(e->queue.next, struct parcel, all)->due_ns;
        next = due < next ? due : next;
    }
    return next;
}

/* --- the net --- */

struct dz_sim_net *dz_sim_net_new(struct dz_sim_rand *rand, const uint64_t *now_ns)
{
    struct dz_sim_net *net = dz_zalloc_must(1, sizeof *net);
    net->rand = rand;
    net->now_ns = now_ns;
    dz_list_init(&net->stations);
    for (int a = 0; a <= DZ_SIM_HOSTS_MAX; a++)
        for (int b = 0; b <= DZ_SIM_HOSTS_MAX; b++)
            net->ways[a][b] = (struct dz_sim_net_way){.delay_ns = dz_sim_rand_between(rand, 20000, 300000), .jitter_ns = 200000};
    return net;
}

void dz_sim_net_delete(struct dz_sim_net *net)
{
    dz_assert(dz_list_empty(&net->stations));
    dz_free(net);
}

struct dz_sim_net_way *dz_sim_net_way(struct dz_sim_net *net, int from, int to)
{
    return &net->ways[from][to];
}

uint64_t dz_sim_net_carried(const struct dz_sim_net *net)
{
    return net->carried;
}

static void break_end(struct end *e)
{
    if (!e->other)
        return;
    e->other->other = NULL;
    drop_queue(e->other);
    put(e->other, PARCEL_ERROR, *e->station->net->now_ns, NULL, 0);
    e->other = NULL;
    drop_queue(e);
    put(e, PARCEL_ERROR, *e->station->net->now_ns, NULL, 0);
}

/* A connection one side of which is not told yet is left alone: its first parcel may not be lost. */
void dz_sim_net_cut(struct dz_sim_net *net, int a, int b)
{
    struct dz_sim_station *s = net->listening[a];
    if (!s)
        return;
    dz_list_each (&s->ends, it) {
        struct end *e = dz_list_entry(it, struct end, all);
        bool known = e->base.hub && e->base.phase != DZ_CONN_DIALLING && e->other && e->other->base.hub &&
                     e->other->base.phase != DZ_CONN_DIALLING;
        if (e->peer == b && known && !e->gone && !e->other->gone)
            break_end(e);
    }
}

/* A SYN has arrived; true if it has. */
static bool arrive(struct dz_sim_net *net, struct end *e)
{
    int here = e->station->index;
    if (!e->syn || e->gone || e->syn_due_ns > *net->now_ns || net->ways[here][e->peer].blocked)
        return false;
    struct dz_sim_station *there = net->listening[e->peer]; /* NULL for NOWHERE */
    e->syn = false;
    uint64_t back = *net->now_ns + travel(net, e->peer, here);
    if (!there || e->station->muted) {
        put(e, PARCEL_REFUSED, back, NULL, 0);
        return true;
    }
    struct end *other = end_new(there, here);
    other->other = e;
    e->other = other;
    put(other, PARCEL_ACCEPT, *net->now_ns, NULL, 0);
    put(e, PARCEL_CONNECTED, back, NULL, 0);
    return true;
}

bool dz_sim_net_step(struct dz_sim_net *net)
{
    bool any = false;
    dz_list_each (&net->stations, it) {
        struct dz_sim_station *s = dz_list_entry(it, struct dz_sim_station, all);
        dz_list_each (&s->ends, node)
            any |= arrive(net, dz_list_entry(node, struct end, all));
    }
    return any;
}

uint64_t dz_sim_net_next(const struct dz_sim_net *net)
{
    uint64_t next = DZ_SIM_NEVER;
    dz_list_each (&net->stations, it) {
        const struct dz_sim_station *s = dz_list_entry(it, struct dz_sim_station, all);
        dz_list_each (&s->ends, node) {
            const struct end *e = dz_list_entry(node, struct end, all);
            if (e->syn && !net->ways[s->index][e->peer].blocked && e->syn_due_ns < next)
                next = e->syn_due_ns;
        }
    }
    return next;
}
