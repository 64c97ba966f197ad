/* hub.c - the table of peers, the operations of dz_transport, deadlines, and the life of a connection.
 * Owns:    as hub.h says.
 * Threads: send, flush, has_room, send_membership, heartbeat and backlog any; the rest the loop's.
 * Fails:   as transport.h says. */
#include "net/hub.h"
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

#define PARTING_MS 1000u /* for the last bytes of a connection, and of all of them at stop */
#define SLOT_BITS  16u   /* of a peer's number; the rest counts sessions */

static const struct dz_transport_ops operations;

static void set_defaults(struct dz_transport_uv_config *c)
{
    c->redial_base_ms = c->redial_base_ms ? c->redial_base_ms : 1000;
    c->redial_max_ms = c->redial_max_ms ? c->redial_max_ms : 30000;
    c->handshake_timeout_ms = c->handshake_timeout_ms ? c->handshake_timeout_ms : 5000;
    c->max_handshakes = c->max_handshakes ? c->max_handshakes : 64;
    c->max_peers = c->max_peers ? c->max_peers : 1024;
    c->session_limit = c->session_limit ? c->session_limit : DZ_NET_SESSION_LIMIT;
    c->secret = c->tls_cert = c->tls_key = c->tls_ca = c->listen_host = NULL;
    c->why = NULL;
}

int dz_hub_init(struct dz_hub *hub, const struct dz_transport_uv_config *config, struct dz_tls_context *tls,
                const struct dz_port *port)
{
    *hub = (struct dz_hub){.base = {.ops = &operations}, .config = *config, .port = port, .tls = tls};
    set_defaults(&hub->config);
    dz_assert(hub->config.max_peers < 1u << SLOT_BITS);
    hub->self.birth = config->birth;
    dz_list_init(&hub->conns);
    dz_heap_init(&hub->timers);
    dz_smap_init(&hub->by_id);
    dz_smap_init(&hub->told);
    dz_timer_init(&hub->stop_timer);
    hub->slots = dz_zalloc(hub->config.max_peers, sizeof(hub->slots[0]));
    return hub->slots ? 0 : DZ_ENOMEM;
}

/* Slots are filled by the loop's thread alone, and never emptied. */
static struct dz_link *slot(const struct dz_hub *hub, uint32_t i)
{
    return atomic_load_explicit(&hub->slots[i], memory_order_relaxed);
}

void dz_hub_fini(struct dz_hub *hub)
{
    dz_assert(dz_list_empty(&hub->conns));
    dz_heap_fini(&hub->timers); /* first: it looks at the timers inside the links */
    for (uint32_t i = 0; i < hub->slots_used; i++) {
        dz_link_fini(slot(hub, i));
        dz_free(slot(hub, i));
    }
    dz_free(hub->slots);
    dz_smap_fini(&hub->by_id);
    dz_smap_fini(&hub->told);
    dz_tls_context_delete(hub->tls);
}

int dz_hub_start(struct dz_hub *hub, const char *node_id, uint64_t incarnation)
{
    char host[256];
    uint16_t port;
    if (strlen(node_id) > DZ_NET_MAX_NODE_ID || dz_handshake_parse_id(node_id, host, &port))
        return DZ_ENODEID;
    memcpy(hub->self.id, node_id, strlen(node_id) + 1);
    hub->self.incarnation = incarnation;
    return 0;
}

/* --- deadlines --- */

static uint64_t now_ms(const struct dz_hub *hub)
{
    return dz_env_now_ms(hub->config.env);
}

static void rearm(struct dz_hub *hub)
{
    const struct dz_heap_node *top = dz_heap_top(&hub->timers);
    uint64_t now = now_ms(hub);
    uint64_t in = UINT64_MAX;
    if (top)
        in = top->key > now ? top->key - now : 0;
    hub->port->wake_in(hub->port->ctx, in);
}

void dz_hub_set_timer(struct dz_hub *hub, struct dz_timer *timer, uint64_t in_ms,
                      void (*due)(struct dz_timer *))
{
    dz_timer_set(&hub->timers, timer, now_ms(hub) + in_ms, due);
    if (dz_heap_top(&hub->timers) == &timer->node)
        rearm(hub);
}

void dz_hub_tick(struct dz_hub *hub)
{
    uint64_t now = now_ms(hub);
    const struct dz_heap_node *top;
    while (!hub->closed && (top = dz_heap_top(&hub->timers)) && top->key <= now) {
        struct dz_heap_node *node = dz_heap_pop(&hub->timers);
        struct dz_timer *timer = dz_container_of(node, struct dz_timer, node);
        timer->due(timer);
    }
    if (!hub->closed)
        rearm(hub);
}

/* --- the table of peers --- */

static struct dz_link *reuse_slot(struct dz_hub *hub, const char *node_id)
{
    for (uint32_t i = 0; i < hub->slots_used; i++) {
        struct dz_link *l = slot(hub, i);
        if (l->open || l->conn || l->dialling || l->accepting || l->wanted)
            continue;
        dz_smap_remove(&hub->by_id, l->peer.id, strlen(l->peer.id));
        int err = dz_link_rename(l, node_id);
        dz_assert(!err); /* it was parsed before */
        return l;
    }
    return NULL;
}

static int new_slot(struct dz_hub *hub, const char *node_id, struct dz_link **out)
{
    struct dz_link *l = dz_zalloc(1, sizeof(*l));
    if (!l)
        return DZ_ENOMEM;
    int err = dz_link_init(l, node_id);
    if (err) {
        dz_free(l);
        return err;
    }
    l->hub = hub;
    l->slot = hub->slots_used++;
    /* Pairs with the acquire in find: a sender sees an initialised link. */
    atomic_store_explicit(&hub->slots[l->slot], l, memory_order_release);
    *out = l;
    return 0;
}

int dz_hub_link(struct dz_hub *hub, const char *node_id, struct dz_link **out)
{
    char host[256];
    uint16_t port;
    *out = dz_smap_get(&hub->by_id, node_id, strlen(node_id));
    if (*out)
        return 0;
    if (strlen(node_id) > DZ_NET_MAX_NODE_ID || dz_handshake_parse_id(node_id, host, &port))
        return DZ_ENODEID;
    struct dz_link *l = NULL;
    if (hub->slots_used == hub->config.max_peers) {
        l = reuse_slot(hub, node_id);
        if (!l)
            return DZ_EOVERLOADED;
    } else {
        int err = new_slot(hub, node_id, &l);
        if (err)
            return err;
    }
    int err = dz_smap_put(&hub->by_id, node_id, strlen(node_id), l);
    if (!err)
        *out = l; /* else the slot stays unnamed and unused until the table is full */
    return err;
}

uint64_t dz_hub_number(struct dz_hub *hub, const struct dz_link *link)
{
    return ++hub->next_serial << SLOT_BITS | link->slot;
}

/* Any thread. The link that had this number once; whether it still has is checked under its lock. */
static struct dz_link *find(struct dz_transport *t, uint64_t peer)
{
    struct dz_hub *hub = dz_container_of(t, struct dz_hub, base);
    uint64_t i = peer & ((1u << SLOT_BITS) - 1);
    if (!peer || i >= hub->config.max_peers)
        return NULL;
    return atomic_load_explicit(&hub->slots[i], memory_order_acquire); /* pairs with new_slot */
}

static struct dz_link *find_open(struct dz_transport *t, uint64_t peer)
{
    struct dz_link *l = find(t, peer);
    return l && dz_link_peer_no(l) == peer ? l : NULL;
}

/* --- connections --- */

static void conn_init(struct dz_conn *conn, struct dz_hub *hub, bool ours)
{
    conn->hub = hub;
    conn->ours = ours;
    conn->phase = DZ_CONN_DIALLING;
    dz_buf_init(&conn->hello);
    dz_timer_init(&conn->timer);
    dz_list_push_back(&hub->conns, &conn->node);
}

void dz_conn_fini(struct dz_conn *conn)
{
    dz_assert(conn->phase == DZ_CONN_CLOSED);
    dz_channel_fini(&conn->channel);
    dz_buf_fini(&conn->hello);
}

static void stop_now(struct dz_timer *timer);

/* Takes the connection away from its link, if it has one. */
static void unlink_conn(struct dz_conn *conn)
{
    struct dz_link *l = conn->link;
    if (!l)
        return;
    if (l->dialling == conn) {
        l->dialling = NULL;
        l->dialling_hello = false;
    }
    if (l->accepting == conn)
        l->accepting = NULL;
    if (l->conn == conn) {
        bool parting = l->parting;
        dz_link_detach(l);
        dz_timer_cancel(&conn->hub->timers, &l->ack);
        conn->hub->stats.connections--;
        if (parting)
            dz_link_over(l);
    }
}

void dz_conn_close(struct dz_conn *conn)
{
    struct dz_hub *hub = conn->hub;
    if (conn->phase == DZ_CONN_CLOSED)
        return;
    unlink_conn(conn);
    if (conn->counted)
        hub->stats.handshakes--;
    conn->counted = false;
    dz_timer_cancel(&hub->timers, &conn->timer);
    dz_list_remove(&conn->node);
    conn->phase = DZ_CONN_CLOSED;
    hub->port->close(conn);
    if (hub->stopping && !hub->closed && hub->stopped && dz_list_empty(&hub->conns))
        dz_hub_set_timer(hub, &hub->stop_timer, 0, stop_now);
}

static void close_late(struct dz_timer *timer)
{
    dz_conn_close(dz_container_of(timer, struct dz_conn, timer));
}

void dz_conn_leave(struct dz_conn *conn)
{
    struct dz_hub *hub = conn->hub;
    bool said = conn->phase == DZ_CONN_PARTING;
    if (conn->phase == DZ_CONN_CLOSED)
        return;
    unlink_conn(conn);
    if (conn->phase == DZ_CONN_DIALLING || (!said && !conn->writing && conn->channel.out.len == 0)) {
        dz_conn_close(conn);
        return;
    }
    conn->phase = DZ_CONN_LEAVING;
    dz_hub_set_timer(hub, &conn->timer, PARTING_MS, close_late);
    hub->port->write(conn);
    if (!conn->writing)
        hub->port->finish(conn);
}

static void greeting_late(struct dz_timer *timer)
{
    dz_greeting_failed(dz_container_of(timer, struct dz_conn, timer), DZ_REFUSAL_TIMEOUT, false, 0);
}

void dz_conn_accepted(struct dz_hub *hub, struct dz_conn *conn, const char *address, bool loopback)
{
    conn_init(conn, hub, false);
    snprintf(conn->address, sizeof(conn->address), "%s", address);
    conn->loopback = loopback;
    hub->stats.accepted++;
    if (hub->stats.handshakes >= hub->config.max_handshakes || !hub->self.id[0] ||
        dz_channel_init(&conn->channel, hub->tls, true)) {
        hub->stats.refused++;
        hub->stats.turned_away++;
        dz_conn_close(conn);
        return;
    }
    conn->phase = DZ_CONN_GREETING;
    conn->counted = true;
    hub->stats.handshakes++;
    if (!hub->tls && !hub->config.insecure && !loopback)
        dz_greeting_failed(conn, DZ_REFUSAL_INSECURE, true, 0);
    else
        dz_hub_set_timer(hub, &conn->timer, hub->config.handshake_timeout_ms, greeting_late);
}

void dz_conn_bytes(struct dz_conn *conn, const uint8_t *data, size_t len)
{
    dz_assert(!conn->reading);
    conn->reading = true;
    if (conn->phase == DZ_CONN_GREETING || conn->phase == DZ_CONN_OFFERED)
        dz_greeting_bytes(conn, data, len);
    else if (conn->phase == DZ_CONN_UP || conn->phase == DZ_CONN_PARTING)
        dz_traffic_bytes(conn, data, len);
    conn->reading = false;
}

void dz_conn_ended(struct dz_conn *conn, enum dz_peer_closed why)
{
    if (conn->phase == DZ_CONN_UP || conn->phase == DZ_CONN_PARTING)
        dz_traffic_lost(conn, why);
    else if (conn->phase == DZ_CONN_LEAVING)
        dz_conn_close(conn);
    else if (conn->phase != DZ_CONN_CLOSED)
        dz_greeting_failed(conn, DZ_REFUSAL_CLOSED, false, 0);
}

static bool is_up(const struct dz_conn *conn)
{
    return conn->phase == DZ_CONN_UP || conn->phase == DZ_CONN_PARTING;
}

bool dz_conn_take_output(struct dz_conn *conn, struct dz_buf *into)
{
    if (is_up(conn))
        return dz_link_take_output(conn->link, into);
    if (conn->channel.out.len == 0)
        return false;
    *into = conn->channel.out;
    dz_buf_init(&conn->channel.out);
    return true;
}

void dz_conn_written(struct dz_conn *conn)
{
    if (conn->phase == DZ_CONN_CLOSED)
        return;
    if (is_up(conn)) {
        dz_link_idle(conn->link);
        return;
    }
    conn->hub->port->write(conn);
    if (!conn->writing && conn->phase == DZ_CONN_LEAVING)
        conn->hub->port->finish(conn);
}

static void look_at(struct dz_conn *conn)
{
    /* Pairs with the release in the port's attention. */
    if (!atomic_exchange_explicit(&conn->attention, false, memory_order_acquire))
        return;
    if (dz_link_failed(conn->link))
        dz_traffic_lost(conn, DZ_PEER_ERROR);
    else if (conn->phase == DZ_CONN_PARTING && dz_link_goodbye_out(conn->link))
        dz_conn_leave(conn);
    else
        conn->hub->port->write(conn);
}

void dz_hub_attention(struct dz_hub *hub)
{
    for (uint32_t i = 0; i < hub->slots_used; i++)
        if (slot(hub, i)->conn)
            look_at(slot(hub, i)->conn);
}

/* --- dialling --- */

static void dial_now(struct dz_hub *hub, struct dz_link *l)
{
    dz_assert(!l->dialling && !l->conn);
    struct dz_conn *conn = hub->port->dial(hub->port->ctx, l->host, l->port);
    if (!conn) {
        dz_hub_plan_dial(hub, l);
        return;
    }
    conn_init(conn, hub, true);
    snprintf(conn->address, sizeof(conn->address), "%s:%u", l->host, (unsigned)l->port);
    conn->link = l;
    conn->dial = ++hub->next_dial;
    l->dialling = conn;
    l->dialling_no = conn->dial;
    l->dialling_hello = false;
    dz_hub_set_timer(hub, &conn->timer, hub->config.handshake_timeout_ms, greeting_late);
}

static void redial(struct dz_timer *timer)
{
    struct dz_link *l = dz_container_of(timer, struct dz_link, redial);
    if (dz_link_wants_dial(l))
        dial_now(l->hub, l);
}

void dz_hub_plan_dial(struct dz_hub *hub, struct dz_link *l)
{
    if (hub->stopping || hub->closed || !dz_link_wants_dial(l) || dz_heap_holds(&l->redial.node))
        return;
    uint64_t in =
        dz_link_next_delay_ms(l, hub->config.redial_base_ms, hub->config.redial_max_ms, hub->config.env);
    dz_hub_set_timer(hub, &l->redial, in, redial);
}

/* --- operations --- */

static struct dz_hub *hub_of(struct dz_transport *t)
{
    return dz_container_of(t, struct dz_hub, base);
}

static int op_dial(struct dz_transport *t, const char *node_id, const char *host, uint16_t port)
{
    struct dz_hub *hub = hub_of(t);
    struct dz_link *l;
    if (hub->stopping || hub->closed || !hub->self.id[0])
        return DZ_ECLOSED;
    int err = dz_hub_link(hub, node_id, &l);
    if (err)
        return err;
    if (host && strlen(host) >= sizeof(l->host))
        return DZ_EARGUMENT;
    if (host) {
        memcpy(l->host, host, strlen(host) + 1);
        l->port = port;
    }
    l->wanted = !l->conn;
    if (!dz_link_wants_dial(l))
        return 0;
    dz_timer_cancel(&hub->timers, &l->redial);
    if (l->attempts == 0)
        l->attempts = 1; /* this one */
    dial_now(hub, l);
    return 0;
}

static void stop_dialling(struct dz_hub *hub, struct dz_link *l)
{
    l->wanted = false;
    if (l->dialling)
        dz_conn_close(l->dialling);
    dz_timer_cancel(&hub->timers, &l->redial);
}

static void op_forget(struct dz_transport *t, const char *node_id)
{
    struct dz_hub *hub = hub_of(t);
    struct dz_link *l = dz_smap_get(&hub->by_id, node_id, strlen(node_id));
    if (l && !l->open)
        stop_dialling(hub, l);
    else if (l)
        l->wanted = false;
}

static int op_send(struct dz_transport *t, uint64_t peer, uint64_t key, const void *data, size_t len,
                   unsigned flags)
{
    struct dz_link *l = find(t, peer);
    return l ? dz_link_send(l, peer, key, data, len, flags) : DZ_ENOCONNECTION;
}

static void op_flush(struct dz_transport *t, uint64_t peer)
{
    struct dz_link *l = find(t, peer);
    if (l)
        dz_link_pump(l);
}

static bool op_has_room(struct dz_transport *t, uint64_t peer, size_t len)
{
    struct dz_link *l = find(t, peer);
    return !l || dz_link_has_room(l, peer, len);
}

static int op_send_membership(struct dz_transport *t, uint64_t peer, const void *data, size_t len)
{
    struct dz_link *l = find(t, peer);
    struct dz_frame frame = {.type = DZ_FRAME_MEMBERSHIP, .data = data, .len = len};
    if (len > DZ_NET_MAX_MEMBERSHIP)
        return DZ_ETOOLARGE;
    return l ? dz_link_send_urgent(l, peer, &frame) : DZ_ENOCONNECTION;
}

static int op_heartbeat(struct dz_transport *t, uint64_t peer, const struct dz_peer_figures *figures)
{
    struct dz_link *l = find(t, peer);
    struct dz_frame frame = {.type = DZ_FRAME_HEARTBEAT, .figures = *figures};
    return l ? dz_link_send_urgent(l, peer, &frame) : DZ_ENOCONNECTION;
}

static uint64_t op_last_heard(struct dz_transport *t, uint64_t peer)
{
    const struct dz_link *l = find_open(t, peer);
    return l ? l->last_heard_ns : 0;
}

static size_t op_backlog(struct dz_transport *t, uint64_t peer)
{
    struct dz_link *l = find(t, peer);
    return l ? dz_link_backlog(l, peer) : 0;
}

static uint64_t op_turned_away(struct dz_transport *t)
{
    return hub_of(t)->stats.turned_away;
}

static void part(struct dz_hub *hub, struct dz_link *l)
{
    struct dz_conn *conn = l->conn;
    conn->phase = DZ_CONN_PARTING;
    dz_hub_set_timer(hub, &conn->timer, PARTING_MS, close_late);
    dz_link_part(l);
}

static void end_peer(struct dz_hub *hub, struct dz_link *l, bool goodbye)
{
    stop_dialling(hub, l);
    if (goodbye && l->conn) {
        part(hub, l);
        return;
    }
    if (l->conn)
        dz_conn_close(l->conn);
    dz_link_over(l);
}

static void op_close_peer(struct dz_transport *t, uint64_t peer, bool goodbye)
{
    struct dz_link *l = find_open(t, peer);
    if (l)
        end_peer(hub_of(t), l, goodbye);
}

static void op_drain(struct dz_transport *t)
{
    struct dz_hub *hub = hub_of(t);
    for (uint32_t i = 0; i < hub->slots_used && !hub->closed; i++) {
        struct dz_conn *conn = slot(hub, i)->conn;
        if (conn && !conn->reading)
            hub->port->drain(conn);
    }
}

static void forget_greetings(struct dz_hub *hub, struct dz_link *l)
{
    if (l->accepting)
        dz_conn_close(l->accepting);
    if (l->dialling && l->dialling_hello)
        dz_conn_close(l->dialling);
    l->tentative = 0;
    dz_hub_plan_dial(hub, l);
}

static int op_set_incarnation(struct dz_transport *t, uint64_t incarnation)
{
    struct dz_hub *hub = hub_of(t);
    for (uint32_t i = 0; i < hub->slots_used; i++)
        if (slot(hub, i)->open)
            return DZ_EEXIST;
    hub->self.incarnation = incarnation;
    for (uint32_t i = 0; i < hub->slots_used; i++)
        forget_greetings(hub, slot(hub, i));
    return 0;
}

static void close_all(struct dz_hub *hub)
{
    while (!dz_list_empty(&hub->conns))
        dz_conn_close(dz_list_entry(hub->conns.next, struct dz_conn, node));
}

static void stop_now(struct dz_timer *timer)
{
    struct dz_hub *hub = dz_container_of(timer, struct dz_hub, stop_timer);
    void (*stopped)(void *) = hub->stopped;
    hub->stopped = NULL;
    close_all(hub);
    if (stopped)
        stopped(hub->stopped_ctx);
}

static void op_stop(struct dz_transport *t, void (*stopped)(void *ctx), void *ctx)
{
    struct dz_hub *hub = hub_of(t);
    if (hub->stopping || hub->closed)
        return;
    hub->stopping = true;
    hub->stopped = stopped;
    hub->stopped_ctx = ctx;
    dz_hub_set_timer(hub, &hub->stop_timer, PARTING_MS, stop_now);
    for (uint32_t i = 0; i < hub->slots_used; i++) {
        struct dz_link *l = slot(hub, i);
        if (l->accepting)
            dz_conn_close(l->accepting);
        if (!l->parting)
            end_peer(hub, l, true);
    }
    if (dz_list_empty(&hub->conns))
        dz_hub_set_timer(hub, &hub->stop_timer, 0, stop_now);
}

void dz_hub_close(struct dz_hub *hub)
{
    hub->closed = true;
    close_all(hub);
    for (uint32_t i = 0; i < hub->slots_used; i++)
        dz_link_over(slot(hub, i));
    hub->port->wake_in(hub->port->ctx, UINT64_MAX);
}

static const struct dz_transport_ops operations = {
    .dial = op_dial,
    .forget = op_forget,
    .send = op_send,
    .flush = op_flush,
    .has_room = op_has_room,
    .send_membership = op_send_membership,
    .heartbeat = op_heartbeat,
    .last_heard = op_last_heard,
    .backlog = op_backlog,
    .turned_away = op_turned_away,
    .close_peer = op_close_peer,
    .drain = op_drain,
    .set_incarnation = op_set_incarnation,
    .stop = op_stop,
};
