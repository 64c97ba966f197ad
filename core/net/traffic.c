/* traffic.c - the frames of an established connection.
 * Owns:    nothing of its own.
 * Threads: the loop's.
 * Fails:   malformed frames close the connection (PROTOCOL), and the session when it happens again and again (RESET).
 * After every event the phase is looked at again: the owner may have closed the peer within it. */
#include "net/hub.h"
#include "base/assert.h"
#include "base/err.h"

/* So many malformed frames without one good message between them, and the two ends will not come to an understanding. */
#define MAX_VIOLATIONS 3u

static const unsigned allowed = DZ_CHANNEL_ALLOW(DZ_FRAME_DATA) | DZ_CHANNEL_ALLOW(DZ_FRAME_FRAGMENT) |
                                DZ_CHANNEL_ALLOW(DZ_FRAME_ACK) | DZ_CHANNEL_ALLOW(DZ_FRAME_HEARTBEAT) |
                                DZ_CHANNEL_ALLOW(DZ_FRAME_GOODBYE) | DZ_CHANNEL_ALLOW(DZ_FRAME_MEMBERSHIP);

/* The session is over; what the owner is told comes last, because it may change anything. */
static void end_session(struct dz_conn *conn, enum dz_peer_closed why)
{
    struct dz_hub *hub = conn->hub;
    struct dz_link *link = conn->link;
    uint64_t number = dz_link_peer_no(link);
    dz_conn_close(conn);
    dz_link_over(link);
    link->violations = 0;
    link->wanted = why == DZ_PEER_RESET;
    dz_hub_plan_dial(hub, link);
    if (number)
        hub->config.events->peer_closed(hub->config.ctx, number, why);
}

void dz_traffic_lost(struct dz_conn *conn, enum dz_peer_closed why)
{
    struct dz_hub *hub = conn->hub;
    struct dz_link *link = conn->link;
    uint64_t number = conn->number;
    bool up = conn->phase == DZ_CONN_UP;
    dz_conn_close(conn);
    if (!up)
        return;
    link->lost = true;
    link->attempts = link->inconclusive = 0;
    dz_hub_plan_dial(hub, link);
    hub->config.events->peer_closed(hub->config.ctx, number, why);
}

static void violation(struct dz_conn *conn)
{
    conn->hub->stats.garbage++;
    conn->hub->stats.turned_away++;
    if (++conn->link->violations >= MAX_VIOLATIONS)
        end_session(conn, DZ_PEER_RESET);
    else
        dz_traffic_lost(conn, DZ_PEER_PROTOCOL);
}

static void take_message(struct dz_conn *conn, const struct dz_frame *frame)
{
    const struct dz_transport_uv_config *config = &conn->hub->config;
    const uint8_t *data;
    size_t len;
    struct dz_buf big;
    dz_buf_init(&big);
    int got = dz_link_receive(conn->link, frame, &data, &len, &big);
    if (got == DZ_EFORMAT) {
        violation(conn);
    } else if (got < 0) {
        dz_traffic_lost(conn, DZ_PEER_ERROR);
    } else if (got == 1) {
        conn->link->violations = 0;
        config->events->message(config->ctx, conn->number, frame->key, data, len);
    }
    dz_buf_fini(&big);
}

static void take_frame(struct dz_conn *conn, const struct dz_frame *frame)
{
    const struct dz_transport_uv_config *config = &conn->hub->config;
    switch (frame->type) {
    case DZ_FRAME_DATA:
    case DZ_FRAME_FRAGMENT:
        take_message(conn, frame);
        break;
    case DZ_FRAME_ACK:
    case DZ_FRAME_HEARTBEAT:
        if (dz_link_receive(conn->link, frame, NULL, NULL, NULL) < 0)
            violation(conn);
        else if (frame->type == DZ_FRAME_HEARTBEAT)
            config->events->heartbeat(config->ctx, conn->number, &frame->figures);
        break;
    case DZ_FRAME_MEMBERSHIP:
        config->events->membership(config->ctx, conn->number, frame->data, frame->len);
        break;
    default:
        end_session(conn, DZ_PEER_GOODBYE);
        break;
    }
}

static void send_ack(struct dz_timer *timer)
{
    dz_link_flush_acks(dz_container_of(timer, struct dz_link, ack));
}

static void settle(struct dz_conn *conn)
{
    struct dz_hub *hub = conn->hub;
    struct dz_link *link = conn->link;
    if (dz_link_settle_acks(link) && !dz_heap_holds(&link->ack.node))
        dz_hub_set_timer(hub, &link->ack, DZ_LINK_ACK_DELAY_MS, send_ack);
    if (dz_link_unblocked(link))
        hub->config.events->writable(hub->config.ctx, conn->number);
}

void dz_traffic_frames(struct dz_conn *conn)
{
    struct dz_frame frame;
    while (conn->phase == DZ_CONN_UP || conn->phase == DZ_CONN_PARTING) {
        int got = dz_channel_next(&conn->channel, allowed, &frame);
        if (got == 0)
            break;
        /* While parting the session is over here; what still comes is only read, so that our last bytes arrive. */
        if (got < 0 && conn->phase == DZ_CONN_PARTING)
            dz_conn_close(conn);
        else if (got < 0)
            violation(conn);
        else if (conn->phase == DZ_CONN_UP)
            take_frame(conn, &frame);
    }
    if (conn->phase == DZ_CONN_UP)
        settle(conn);
}

void dz_traffic_bytes(struct dz_conn *conn, const uint8_t *data, size_t len)
{
    conn->link->last_heard_ns = dz_env_now_ns(conn->hub->config.env);
    int err = dz_link_feed(conn->link, data, len);
    dz_traffic_frames(conn); /* what was decrypted before an error is good */
    if (err && (conn->phase == DZ_CONN_UP || conn->phase == DZ_CONN_PARTING))
        dz_traffic_lost(conn, err == DZ_ECLOSED ? DZ_PEER_EOF : DZ_PEER_ERROR);
}
