/* greeting.c - a connection from its first byte until its session is agreed, or refused.
 * Owns:    nothing of its own.
 * Threads: the loop's.
 * Fails:   every failure ends in dz_greeting_failed, which counts it, tells the peer and the owner, and plans a redial.
 * An event may change anything (stop, close, dial), so it comes last, or the phase is looked at again behind it. */
#include "net/hub.h"
#include <string.h>
#include "base/assert.h"
#include "base/err.h"

#define MAX_TOLD 256u /* remembered failures of accepted connections; then they are told anew */

/* An accepted connection has no name yet; its failures are told once for each address, without the port. */
static bool told_already(struct dz_hub *hub, const struct dz_conn *conn, enum dz_refusal why)
{
    char key[340];
    const char *colon = strrchr(conn->address, ':');
    int host = colon ? (int)(colon - conn->address) : (int)strlen(conn->address);
    int len = snprintf(key, sizeof(key), "%.*s %d", host, conn->address, (int)why);
    if (dz_smap_get(&hub->told, key, (size_t)len))
        return true;
    if (hub->told.count >= MAX_TOLD) {
        dz_smap_fini(&hub->told);
        dz_smap_init(&hub->told);
    }
    (void)dz_smap_put(&hub->told, key, (size_t)len, hub); /* without memory it is told again */
    return false;
}

/* Crossing dials and looks at an open port are no offence. */
static bool is_offence(const struct dz_conn *conn, enum dz_refusal why)
{
    return !conn->ours && why != DZ_REFUSAL_BUSY && (conn->heard || why != DZ_REFUSAL_CLOSED);
}

static void count(struct dz_hub *hub, const struct dz_conn *conn, enum dz_refusal why, bool tell)
{
    hub->stats.turned_away += is_offence(conn, why);
    if (why == DZ_REFUSAL_GARBAGE)
        hub->stats.garbage++;
    else if (why == DZ_REFUSAL_TIMEOUT)
        hub->stats.timeouts++;
    else if (why == DZ_REFUSAL_SECRET)
        hub->stats.secret_mismatches++;
    if (tell)
        hub->stats.refused++;
}

static void queue_refusal(struct dz_conn *conn, enum dz_refusal why, uint64_t known_incarnation)
{
    /* Our own troubles are not the peer's business. */
    struct dz_frame frame = {.type = DZ_FRAME_REFUSE,
                             .version = DZ_NET_VERSION,
                             .reason = (uint8_t)(why > DZ_REFUSAL_STOPPING ? DZ_REFUSAL_DENIED : why),
                             .known_incarnation = known_incarnation};
    struct dz_buf buf;
    dz_buf_init(&buf);
    if (dz_frame_encode(&buf, &frame) == 0)
        (void)dz_channel_seal(&conn->channel, buf.data, buf.len); /* else the peer sees a closed connection */
    dz_buf_fini(&buf);
}

static bool worth_telling(struct dz_conn *conn, enum dz_refusal why)
{
    if (why == DZ_REFUSAL_BUSY)
        return false;
    if (why == DZ_REFUSAL_STALE)
        return true; /* the owner acts on it, each time */
    /* Who looks whether a port is open is no failure. */
    if (!conn->ours && !conn->heard && why == DZ_REFUSAL_CLOSED)
        return false;
    if (!conn->ours)
        return !told_already(conn->hub, conn, why);
    bool new = conn->link->told != why;
    conn->link->told = why;
    return new;
}

/* Ends a connection whose greeting came to nothing: all state first, then the events, which may change anything. */
void dz_greeting_failed(struct dz_conn *conn, enum dz_refusal why, bool tell, uint64_t known_incarnation)
{
    struct dz_hub *hub = conn->hub;
    struct dz_link *link = conn->link;
    bool report = worth_telling(conn, why);
    uint64_t refused = 0;
    char address[sizeof(conn->address)], id[DZ_NET_MAX_NODE_ID + 1] = "";
    memcpy(address, conn->address, sizeof(address));
    if (link)
        memcpy(id, link->peer.id, sizeof(id));
    count(hub, conn, why, tell);
    if (conn->ours && (why == DZ_REFUSAL_CONNECT || why == DZ_REFUSAL_SELF)) {
        if (link->lost)
            refused = dz_link_peer_no(link);
        if (why == DZ_REFUSAL_SELF)
            link->wanted = false;
    }
    if (tell && conn->channel.open)
        queue_refusal(conn, why, known_incarnation);
    if (link && conn->ours)
        link->inconclusive = link->lost && !conn->heard && why == DZ_REFUSAL_CLOSED ? link->inconclusive + 1 : 0;
    dz_conn_leave(conn);
    if (link)
        dz_hub_plan_dial(hub, link);
    if (refused)
        hub->config.events->peer_closed(hub->config.ctx, refused, DZ_PEER_REFUSED);
    if (report && !hub->closed)
        hub->config.events->handshake_failed(hub->config.ctx, id[0] ? id : NULL, address, why,
                                             tell ? 0 : known_incarnation);
}

static int seal_hello(struct dz_conn *conn, enum dz_frame_type type)
{
    struct dz_hub *hub = conn->hub;
    struct dz_buf attributes, known, frame;
    dz_buf_init(&attributes);
    dz_buf_init(&known);
    dz_buf_init(&frame);
    if (hub->config.events->hello)
        hub->config.events->hello(hub->config.ctx, &attributes, &known);
    struct dz_hello hello = {.version = DZ_NET_VERSION,
                             .id = hub->self.id,
                             .id_len = strlen(hub->self.id),
                             .incarnation = hub->self.incarnation,
                             .birth = hub->self.birth,
                             .dial = conn->dial,
                             .attributes = attributes.data,
                             .attributes_len = attributes.len,
                             .known = known.data,
                             .known_len = known.len};
    if (hello.attributes_len > DZ_NET_MAX_ATTRIBUTES)
        hello.attributes_len = 0;
    if (hello.known_len > DZ_NET_MAX_KNOWN_PEERS)
        hello.known_len = 0;
    dz_link_describe(conn->link, &hello);
    if (type == DZ_FRAME_HELLO_ACK) {
        dz_assert(!conn->resumes || hello.session == conn->session);
        hello.session = conn->session;
        hello.challenge = conn->challenge = dz_env_random(hub->config.env);
    }
    int err = dz_hello_encode(&frame, (uint8_t)type, &hello);
    if (!err)
        err = dz_channel_seal(&conn->channel, frame.data, frame.len);
    dz_buf_fini(&attributes);
    dz_buf_fini(&known);
    dz_buf_fini(&frame);
    return err;
}

static void send_hello(struct dz_conn *conn)
{
    conn->greeted = true;
    conn->link->dialling_hello = true;
    if (seal_hello(conn, DZ_FRAME_HELLO))
        dz_greeting_failed(conn, DZ_REFUSAL_CLOSED, false, 0);
    else
        conn->hub->port->write(conn);
}

static void info_of(const struct dz_conn *conn, const struct dz_hello *hello, const char *id,
                    struct dz_peer_info *info)
{
    *info = (struct dz_peer_info){.id = id,
                                  .incarnation = hello->incarnation,
                                  .birth = hello->birth,
                                  .dialled = conn->ours,
                                  .secured = conn->channel.context != NULL,
                                  .attributes = hello->attributes,
                                  .attributes_len = hello->attributes_len,
                                  .known = hello->known,
                                  .known_len = hello->known_len};
}

/* Whether the sender of the hello may be our peer at all. */
static enum dz_refusal judge(struct dz_conn *conn, const struct dz_hello *hello, uint64_t *known)
{
    struct dz_hub *hub = conn->hub;
    struct dz_link *link = conn->link;
    enum dz_refusal why = dz_hello_check_life(hello, link->peer.incarnation, link->peer.birth);
    if (why) {
        *known = link->peer.incarnation;
        return why;
    }
    if (!hub->config.events->admit)
        return DZ_REFUSAL_NONE;
    struct dz_peer_info info;
    info_of(conn, hello, link->peer.id, &info);
    return hub->config.events->admit(hub->config.ctx, &info, known);
}

static bool same_life(const struct dz_link *link, const struct dz_hello *hello)
{
    return link->peer.incarnation == hello->incarnation && link->peer.birth == hello->birth;
}

static void report_up(struct dz_conn *conn, const struct dz_hello *hello, uint64_t number, bool resumed)
{
    struct dz_hub *hub = conn->hub;
    struct dz_peer_info info;
    info_of(conn, hello, conn->link->peer.id, &info);
    hub->config.events->peer_up(hub->config.ctx, number, &info, resumed);
}

/* Both ends agree: the connection carries the link from now on. */
static void commit(struct dz_conn *conn, const struct dz_hello *hello, bool resumed)
{
    struct dz_hub *hub = conn->hub;
    struct dz_link *link = conn->link;
    uint64_t over = 0;
    enum dz_peer_closed why = same_life(link, hello) ? DZ_PEER_RESET : DZ_PEER_REPLACED;
    if (link->conn)
        dz_conn_close(link->conn);
    if (resumed) {
        dz_link_resume(link, hello->received);
        hub->stats.resumed++;
    } else {
        over = dz_link_peer_no(link);
        dz_link_over(link);
        dz_link_open(link, dz_hub_number(hub, link), conn->session, hub->config.session_limit);
    }
    link->peer.incarnation = hello->incarnation;
    link->peer.birth = hello->birth;
    link->tentative = 0;
    link->dialling = link->accepting = NULL;
    link->dialling_hello = link->wanted = link->lost = false;
    link->attempts = 0;
    link->told = DZ_REFUSAL_NONE;
    link->conn_ours = conn->ours;
    link->conn_dial = conn->dial;
    link->last_heard_ns = dz_env_now_ns(hub->config.env);
    dz_timer_cancel(&hub->timers, &link->redial);
    dz_timer_cancel(&hub->timers, &conn->timer);
    if (conn->counted)
        hub->stats.handshakes--;
    conn->counted = false;
    conn->phase = DZ_CONN_UP;
    hub->stats.established++;
    hub->stats.connections++;
    if (!conn->ours) {
        dz_smap_fini(&hub->told);
        dz_smap_init(&hub->told);
    }
    uint64_t number = dz_link_peer_no(link);
    conn->number = number;
    dz_link_attach(link, conn, &hub->port->link, &conn->channel, conn->writing);
    if (over)
        hub->config.events->peer_closed(hub->config.ctx, over, why);
    if (conn->phase == DZ_CONN_UP)
        report_up(conn, hello, number, resumed);
}

static int keep_hello(struct dz_conn *conn, const struct dz_frame *frame)
{
    dz_buf_clear(&conn->hello);
    return dz_buf_append(&conn->hello, frame->data, frame->len);
}

/* Whether the sender's connection may stand beside or in place of what we have with it; ours gives way if so. */
static bool crosses_well(struct dz_conn *conn, const struct dz_hello *hello)
{
    struct dz_link *link = conn->link;
    struct dz_crossing crossing;
    if (link->parting)
        return false;
    dz_link_crossing(link, conn->hub->self.id, &crossing);
    bool newer = link->peer.incarnation && !same_life(link, hello);
    if (!newer && !dz_crossing_accepts(&crossing, hello->accepted_dial))
        return false;
    if (link->dialling)
        dz_conn_close(link->dialling);
    if (link->accepting && link->accepting != conn)
        dz_conn_close(link->accepting);
    return true;
}

/* The session to offer: ours if both can go on with it, else the one offered before and never confirmed (the dialler
 * may have taken it), else a new one. */
static void choose_session(struct dz_conn *conn, const struct dz_hello *hello)
{
    struct dz_link *link = conn->link;
    conn->resumes = dz_link_can_resume(link, hello);
    if (conn->resumes) {
        conn->session = hello->session;
        link->tentative = 0;
        return;
    }
    bool offered = hello->session && hello->session == link->tentative && hello->received == 0;
    while (!offered && (link->tentative = dz_env_random(conn->hub->config.env)) == 0)
        ;
    conn->session = link->tentative;
}

static void take_hello(struct dz_conn *conn, const struct dz_frame *frame)
{
    struct dz_hub *hub = conn->hub;
    struct dz_hello hello;
    uint64_t known = 0;
    int err = keep_hello(conn, frame);
    if (!err)
        err = dz_hello_decode(conn->hello.data, conn->hello.len, &hello);
    if (err) {
        dz_greeting_failed(conn, err == DZ_EVERSION ? DZ_REFUSAL_VERSION : DZ_REFUSAL_GARBAGE,
                           err == DZ_EVERSION, 0);
        return;
    }
    enum dz_refusal why = dz_hello_check_receiver(&hello, &hub->self);
    if (!why && (hub->stopping || !hub->self.id[0]))
        why = DZ_REFUSAL_STOPPING;
    if (!why) {
        char id[DZ_NET_MAX_NODE_ID + 1];
        memcpy(id, hello.id, hello.id_len);
        id[hello.id_len] = '\0';
        why = dz_hub_link(hub, id, &conn->link) ? DZ_REFUSAL_LIMIT : judge(conn, &hello, &known);
    }
    if (conn->phase != DZ_CONN_GREETING)
        return; /* `admit` stopped the transport */
    if (!why && !crosses_well(conn, &hello))
        why = DZ_REFUSAL_BUSY;
    if (why) {
        dz_greeting_failed(conn, why, true, known);
        return;
    }
    conn->dial = hello.dial;
    conn->phase = DZ_CONN_OFFERED;
    conn->link->accepting = conn;
    conn->link->accepted_dial = hello.dial;
    dz_timer_cancel(&hub->timers, &conn->link->redial);
    choose_session(conn, &hello);
    if (seal_hello(conn, DZ_FRAME_HELLO_ACK))
        dz_greeting_failed(conn, DZ_REFUSAL_CLOSED, false, 0);
    else
        hub->port->write(conn);
}

static int seal_ready(struct dz_conn *conn, uint64_t challenge)
{
    struct dz_buf buf;
    dz_buf_init(&buf);
    int err = dz_frame_encode(&buf, &(struct dz_frame){.type = DZ_FRAME_READY, .challenge = challenge});
    if (!err)
        err = dz_channel_seal(&conn->channel, buf.data, buf.len);
    dz_buf_fini(&buf);
    return err;
}

/* The acceptor goes on with a session of ours, but from a place we cannot serve: it is over here, and the next dial asks
 * for a new one. */
static void give_up_session(struct dz_conn *conn)
{
    struct dz_hub *hub = conn->hub;
    struct dz_link *link = conn->link;
    uint64_t number = dz_link_peer_no(link);
    dz_link_over(link);
    link->wanted = true;
    dz_conn_close(conn);
    dz_hub_plan_dial(hub, link);
    if (number)
        hub->config.events->peer_closed(hub->config.ctx, number, DZ_PEER_RESET);
}

static bool session_is(struct dz_link *link, uint64_t id)
{
    pthread_mutex_lock(&link->queue);
    bool is = link->open && !link->parting && link->session.id == id;
    pthread_mutex_unlock(&link->queue);
    return is;
}

static void take_hello_ack(struct dz_conn *conn, const struct dz_frame *frame)
{
    struct dz_hub *hub = conn->hub;
    struct dz_link *link = conn->link;
    struct dz_hello hello;
    uint64_t known = 0;
    int err = keep_hello(conn, frame);
    if (!err)
        err = dz_hello_decode(conn->hello.data, conn->hello.len, &hello);
    if (err || hello.session == 0 || hello.dial != conn->dial) {
        dz_greeting_failed(conn, err == DZ_EVERSION ? DZ_REFUSAL_VERSION : DZ_REFUSAL_GARBAGE,
                           err == DZ_EVERSION, 0);
        return;
    }
    enum dz_refusal why = dz_hello_check_receiver(&hello, &hub->self);
    if (!why && (hello.id_len != strlen(link->peer.id) || memcmp(hello.id, link->peer.id, hello.id_len) != 0))
        why = DZ_REFUSAL_WRONG_RECEIVER;
    if (!why)
        why = judge(conn, &hello, &known);
    if (conn->phase != DZ_CONN_GREETING)
        return;
    if (why) {
        dz_greeting_failed(conn, why, true, known);
        return;
    }
    conn->session = hello.session;
    conn->resumes = dz_link_can_resume(link, &hello);
    if (!conn->resumes && session_is(link, hello.session)) {
        give_up_session(conn);
        return;
    }
    if (seal_ready(conn, hello.challenge)) {
        dz_greeting_failed(conn, DZ_REFUSAL_CLOSED, false, 0);
        return;
    }
    commit(conn, &hello, conn->resumes);
}

static void take_ready(struct dz_conn *conn, const struct dz_frame *frame)
{
    struct dz_hello hello;
    if (frame->challenge != conn->challenge) {
        dz_greeting_failed(conn, DZ_REFUSAL_GARBAGE, false, 0);
        return;
    }
    int err = dz_hello_decode(conn->hello.data, conn->hello.len, &hello);
    dz_assert(!err); /* it was decoded when it came */
    /* Our owner ended, meanwhile, the session that we said would go on: the dialler must ask again. */
    if (conn->resumes && !session_is(conn->link, conn->session)) {
        struct dz_link *link = conn->link;
        dz_conn_close(conn);
        dz_hub_plan_dial(conn->hub, link);
        return;
    }
    commit(conn, &hello, conn->resumes);
}

static void take_refusal(struct dz_conn *conn, const struct dz_frame *frame)
{
    enum dz_refusal why = (enum dz_refusal)frame->reason;
    if (why == DZ_REFUSAL_NONE || why > DZ_REFUSAL_STOPPING)
        why = frame->version == DZ_NET_VERSION ? DZ_REFUSAL_DENIED : DZ_REFUSAL_VERSION;
    dz_greeting_failed(conn, why, false, frame->known_incarnation);
}

static unsigned allowed(const struct dz_conn *conn)
{
    if (conn->phase == DZ_CONN_OFFERED)
        return DZ_CHANNEL_ALLOW(DZ_FRAME_READY) | DZ_CHANNEL_ALLOW(DZ_FRAME_REFUSE);
    if (!conn->ours)
        return DZ_CHANNEL_ALLOW(DZ_FRAME_HELLO);
    return DZ_CHANNEL_ALLOW(DZ_FRAME_HELLO_ACK) | DZ_CHANNEL_ALLOW(DZ_FRAME_REFUSE) |
           DZ_CHANNEL_ALLOW(DZ_FRAME_HELLO);
}

static void take_frame(struct dz_conn *conn, const struct dz_frame *frame)
{
    switch (frame->type) {
    case DZ_FRAME_HELLO:
        /* TCP can connect a socket to itself when the port it was given is the one it dials: we hear our own hello. */
        if (conn->ours)
            dz_greeting_failed(conn, DZ_REFUSAL_SELF, false, 0);
        else
            take_hello(conn, frame);
        break;
    case DZ_FRAME_HELLO_ACK:
        take_hello_ack(conn, frame);
        break;
    case DZ_FRAME_READY:
        take_ready(conn, frame);
        break;
    default:
        take_refusal(conn, frame);
        break;
    }
}

static bool greeting(const struct dz_conn *conn)
{
    return conn->phase == DZ_CONN_GREETING || conn->phase == DZ_CONN_OFFERED;
}

void dz_greeting_bytes(struct dz_conn *conn, const uint8_t *data, size_t len)
{
    struct dz_frame frame;
    conn->heard = true;
    int got = dz_channel_feed(&conn->channel, data, len);
    if (got) {
        enum dz_refusal why = got == DZ_EAUTH ? DZ_REFUSAL_SECRET : DZ_REFUSAL_GARBAGE;
        if (got == DZ_ECLOSED || got == DZ_ENOMEM)
            why = DZ_REFUSAL_CLOSED;
        dz_greeting_failed(conn, why, false, 0);
        return;
    }
    conn->hub->port->write(conn);
    if (conn->ours && conn->channel.open && !conn->greeted)
        send_hello(conn);
    while (greeting(conn) && conn->channel.open) {
        got = dz_channel_next(&conn->channel, allowed(conn), &frame);
        if (got < 0)
            dz_greeting_failed(conn, DZ_REFUSAL_GARBAGE, false, 0);
        if (got <= 0)
            return;
        take_frame(conn, &frame);
    }
    if (conn->phase == DZ_CONN_UP || conn->phase == DZ_CONN_PARTING)
        dz_traffic_frames(conn);
}

void dz_conn_connected(struct dz_conn *conn, bool loopback)
{
    struct dz_hub *hub = conn->hub;
    conn->loopback = loopback;
    conn->phase = DZ_CONN_GREETING;
    if (dz_channel_init(&conn->channel, hub->tls, false)) {
        dz_greeting_failed(conn, DZ_REFUSAL_CLOSED, false, 0);
        return;
    }
    if (!hub->tls && !hub->config.insecure && !loopback) {
        dz_greeting_failed(conn, DZ_REFUSAL_INSECURE, false, 0);
        return;
    }
    if (conn->channel.open)
        send_hello(conn);
    else
        hub->port->write(conn);
}

void dz_conn_dial_failed(struct dz_conn *conn, enum dz_refusal why)
{
    dz_greeting_failed(conn, why, false, 0);
}
