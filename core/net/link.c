/* link.c - what one peer's session and connection share, and who may write when.
 * Owns:    as link.h says.
 * Threads: locks in the order wire, queue; never held while an event is delivered.
 * Fails:   as link.h says.
 * Flow:    send queues, pump tries for the wire; its holder fills (frames into `plain`), seals (into the channel's `out`)
 *          and flushes (to the socket) until nothing is left or the socket is full. */
#include "net/link.h"
#include <string.h>
#include "base/assert.h"
#include "base/err.h"

int dz_link_init(struct dz_link *l, const char *node_id)
{
    *l = (struct dz_link){0};
    if (strlen(node_id) > DZ_NET_MAX_NODE_ID || dz_handshake_parse_id(node_id, l->host, &l->port))
        return DZ_ENODEID;
    memcpy(l->peer.id, node_id, strlen(node_id) + 1);
    dz_timer_init(&l->redial);
    dz_timer_init(&l->ack);
    pthread_mutex_init(&l->queue, NULL);
    pthread_mutex_init(&l->wire, NULL);
    dz_buf_init(&l->urgent);
    l->urgent.limit = DZ_LINK_MAX_URGENT;
    dz_buf_init(&l->plain);
    return 0;
}

void dz_link_fini(struct dz_link *l)
{
    dz_assert(!l->conn);
    dz_link_over(l);
    dz_buf_fini(&l->urgent);
    dz_buf_fini(&l->plain);
    pthread_mutex_destroy(&l->queue);
    pthread_mutex_destroy(&l->wire);
}

int dz_link_rename(struct dz_link *l, const char *node_id)
{
    dz_assert(!l->open && !l->conn && !l->dialling && !l->accepting);
    char host[256];
    uint16_t port;
    if (strlen(node_id) > DZ_NET_MAX_NODE_ID || dz_handshake_parse_id(node_id, host, &port))
        return DZ_ENODEID;
    memset(&l->peer, 0, sizeof(l->peer));
    memcpy(l->peer.id, node_id, strlen(node_id) + 1);
    memcpy(l->host, host, sizeof(host));
    l->port = port;
    l->wanted = l->lost = false;
    l->accepted_dial = l->tentative = 0;
    l->attempts = l->violations = 0;
    l->told = DZ_REFUSAL_NONE;
    return 0;
}

void dz_link_open(struct dz_link *l, uint64_t peer_no, uint64_t session, size_t limit)
{
    dz_assert(peer_no && session && !l->open);
    pthread_mutex_lock(&l->queue);
    dz_session_init(&l->session, session, limit);
    l->peer_no = peer_no;
    l->open = true;
    l->parting = l->goodbye_said = false;
    pthread_mutex_unlock(&l->queue);
}

void dz_link_resume(struct dz_link *l, uint64_t received)
{
    pthread_mutex_lock(&l->queue);
    dz_session_resume(&l->session, received);
    pthread_mutex_unlock(&l->queue);
}

void dz_link_over(struct dz_link *l)
{
    pthread_mutex_lock(&l->queue);
    if (l->open)
        dz_session_fini(&l->session);
    l->open = l->parting = false;
    l->peer_no = 0;
    dz_buf_clear(&l->urgent);
    pthread_mutex_unlock(&l->queue);
}

void dz_link_part(struct dz_link *l)
{
    pthread_mutex_lock(&l->queue);
    dz_assert(l->open);
    l->parting = true;
    l->peer_no = 0;
    pthread_mutex_unlock(&l->queue);
    dz_link_pump(l);
}

bool dz_link_goodbye_out(struct dz_link *l)
{
    pthread_mutex_lock(&l->wire);
    pthread_mutex_lock(&l->queue);
    bool out = l->goodbye_said && !l->busy && (!l->channel || l->channel->out.len == 0);
    pthread_mutex_unlock(&l->queue);
    pthread_mutex_unlock(&l->wire);
    return out;
}

uint64_t dz_link_peer_no(struct dz_link *l)
{
    pthread_mutex_lock(&l->queue);
    uint64_t no = l->peer_no;
    pthread_mutex_unlock(&l->queue);
    return no;
}

void dz_link_attach(struct dz_link *l, void *conn, const struct dz_link_port *port_ops,
                    struct dz_channel *channel, bool busy)
{
    dz_assert(conn && channel->open);
    pthread_mutex_lock(&l->wire);
    dz_assert(!l->conn);
    l->conn = conn;
    l->port_ops = port_ops;
    l->channel = channel;
    l->busy = busy;
    l->failed = false;
    pthread_mutex_lock(&l->queue);
    l->connected = true;
    pthread_mutex_unlock(&l->queue);
    pthread_mutex_unlock(&l->wire);
    dz_link_pump(l);
}

void dz_link_detach(struct dz_link *l)
{
    pthread_mutex_lock(&l->wire);
    l->conn = NULL;
    l->channel = NULL;
    l->busy = l->failed = false;
    pthread_mutex_lock(&l->queue);
    l->connected = false;
    dz_buf_clear(&l->urgent); /* figures and rumours of a connection are worthless on the next one */
    pthread_mutex_unlock(&l->queue);
    pthread_mutex_unlock(&l->wire);
}

void dz_link_idle(struct dz_link *l)
{
    pthread_mutex_lock(&l->wire);
    l->busy = false;
    pthread_mutex_unlock(&l->wire);
    dz_link_pump(l);
}

bool dz_link_take_output(struct dz_link *l, struct dz_buf *into)
{
    pthread_mutex_lock(&l->wire);
    bool some = l->channel && !l->busy && !l->failed && l->channel->out.len > 0;
    if (some) {
        *into = l->channel->out;
        dz_buf_init(&l->channel->out);
        l->busy = true;
    }
    pthread_mutex_unlock(&l->wire);
    return some;
}

bool dz_link_failed(struct dz_link *l)
{
    pthread_mutex_lock(&l->wire);
    bool failed = l->failed;
    pthread_mutex_unlock(&l->wire);
    return failed;
}

int dz_link_feed(struct dz_link *l, const uint8_t *data, size_t len)
{
    /* Pairs with the loads in write_all and pump: a writer that sees it stops early, and we write what it left. */
    atomic_fetch_add_explicit(&l->reader_waits, 1, memory_order_relaxed);
    pthread_mutex_lock(&l->wire);
    atomic_fetch_sub_explicit(&l->reader_waits, 1, memory_order_relaxed);
    dz_assert(l->channel);
    int err = dz_channel_feed(l->channel, data, len);
    pthread_mutex_unlock(&l->wire);
    dz_link_pump(l);
    return err;
}

/* Moves what should be written next into `plain`: what overtakes, then messages, then the goodbye. Both locks held. */
static int fill_locked(struct dz_link *l)
{
    struct dz_frame frame;
    int got, err = 0;
    if (l->urgent.len) {
        err = dz_buf_append(&l->plain, l->urgent.data, l->urgent.len);
        if (!err)
            dz_buf_clear(&l->urgent);
    }
    while (!err && l->open && l->plain.len < DZ_LINK_FILL) {
        got = dz_session_next(&l->session, &frame);
        if (got <= 0) {
            err = got;
            break;
        }
        err = dz_frame_encode(&l->plain, &frame);
    }
    if (!err && l->parting && !l->goodbye_said && !dz_session_has_next(&l->session)) {
        err = dz_frame_encode(&l->plain, &(struct dz_frame){.type = DZ_FRAME_GOODBYE});
        l->goodbye_said = !err;
    }
    return err;
}

static int fill(struct dz_link *l)
{
    pthread_mutex_lock(&l->queue);
    int err = fill_locked(l);
    pthread_mutex_unlock(&l->queue);
    return err;
}

/* A frame that got its number but not into the channel would be a gap for the peer; the connection fails, and the next
 * one resumes with that frame. Wire lock held. */
static void fail(struct dz_link *l)
{
    l->failed = true;
    l->port_ops->attention(l->conn);
}

/* True when all of `out` is with the socket. Wire lock held. */
static bool flush(struct dz_link *l)
{
    struct dz_buf *out = &l->channel->out;
    if (out->len == 0)
        return true;
    long written = l->port_ops->try_write(l->conn, out->data, out->len);
    if (written < 0) {
        fail(l);
        return false;
    }
    if ((size_t)written < out->len) {
        dz_buf_consume(out, (size_t)written);
        l->port_ops->attention(l->conn);
        return false;
    }
    dz_buf_clear(out);
    return true;
}

static bool queued(struct dz_link *l)
{
    pthread_mutex_lock(&l->queue);
    bool some =
        l->urgent.len || (l->open && dz_session_has_next(&l->session)) || (l->parting && !l->goodbye_said);
    pthread_mutex_unlock(&l->queue);
    return some;
}

static bool reader_waits(struct dz_link *l)
{
    return atomic_load_explicit(&l->reader_waits, memory_order_relaxed) > 0;
}

/* Wire lock held. */
static void write_all(struct dz_link *l)
{
    while (flush(l) && !reader_waits(l)) {
        dz_buf_clear(&l->plain);
        int err = fill(l);
        if (!err && l->plain.len == 0)
            break;
        if (!err)
            err = dz_channel_seal(l->channel, l->plain.data, l->plain.len);
        if (err) {
            fail(l);
            return;
        }
    }
    if (l->goodbye_said)
        l->port_ops->attention(l->conn);
}

void dz_link_pump(struct dz_link *l)
{
    /* Who fails the try queued before it; the holder looks at the queue again after it has let go, so either sees it. */
    while (pthread_mutex_trylock(&l->wire) == 0) {
        if (l->channel && !l->busy && !l->failed)
            write_all(l);
        bool stuck = !l->channel || l->busy || l->failed || l->channel->out.len > 0;
        pthread_mutex_unlock(&l->wire);
        if (stuck || reader_waits(l) || !queued(l))
            break;
    }
}

int dz_link_send(struct dz_link *l, uint64_t peer_no, uint64_t key, const void *data, size_t len,
                 unsigned flags)
{
    struct dz_session_message *m;
    int err = dz_session_prepare(&m, key, data, len);
    if (err)
        return err;
    err = DZ_ENOCONNECTION;
    pthread_mutex_lock(&l->queue);
    if (peer_no && l->peer_no == peer_no)
        err = dz_session_queue(&l->session, &m, flags);
    bool much = l->session.uncut >= DZ_LINK_FILL;
    pthread_mutex_unlock(&l->queue);
    dz_session_drop(m);
    if (!err && (much || !(flags & DZ_SEND_LATER)))
        dz_link_pump(l);
    return err;
}

int dz_link_send_urgent(struct dz_link *l, uint64_t peer_no, struct dz_frame *frame)
{
    pthread_mutex_lock(&l->queue);
    int err = DZ_ENOCONNECTION;
    if (peer_no && l->peer_no == peer_no && l->connected) {
        if (frame->type == DZ_FRAME_HEARTBEAT)
            frame->acknowledged = dz_session_ack(&l->session);
        err = dz_frame_encode(&l->urgent, frame);
        if (err == DZ_ETOOLARGE && frame->len <= DZ_FRAME_MAX_PAYLOAD)
            err = DZ_EOVERLOADED;
    }
    pthread_mutex_unlock(&l->queue);
    if (!err)
        dz_link_pump(l);
    return err;
}

size_t dz_link_backlog(struct dz_link *l, uint64_t peer_no)
{
    pthread_mutex_lock(&l->queue);
    size_t bytes = peer_no && l->peer_no == peer_no ? l->session.pending : 0;
    pthread_mutex_unlock(&l->queue);
    return bytes;
}

bool dz_link_has_room(struct dz_link *l, uint64_t peer_no, size_t len)
{
    pthread_mutex_lock(&l->queue);
    bool room = !peer_no || l->peer_no != peer_no || dz_session_has_room(&l->session, len);
    pthread_mutex_unlock(&l->queue);
    return room;
}

int dz_link_receive(struct dz_link *l, const struct dz_frame *frame, const uint8_t **data, size_t *len,
                    struct dz_buf *big)
{
    int got = 0;
    pthread_mutex_lock(&l->queue);
    if (l->open && (frame->type == DZ_FRAME_DATA || frame->type == DZ_FRAME_FRAGMENT))
        got = dz_session_receive(&l->session, frame, data, len);
    else if (l->open)
        got = dz_session_acknowledged(&l->session, frame->acknowledged);
    if (got == 1 && frame->type == DZ_FRAME_FRAGMENT) {
        *big = l->session.reassembly.done;
        dz_buf_init(&l->session.reassembly.done);
    }
    pthread_mutex_unlock(&l->queue);
    return got;
}

bool dz_link_unblocked(struct dz_link *l)
{
    pthread_mutex_lock(&l->queue);
    bool yes = l->peer_no && dz_session_unblocked(&l->session);
    pthread_mutex_unlock(&l->queue);
    return yes;
}

/* Queue lock held. When there is no memory the acknowledgement rides on a later frame. */
static void queue_ack(struct dz_link *l)
{
    struct dz_frame ack = {.type = DZ_FRAME_ACK, .acknowledged = l->session.received};
    if (dz_frame_encode(&l->urgent, &ack) == 0)
        (void)dz_session_ack(&l->session);
}

bool dz_link_settle_acks(struct dz_link *l)
{
    pthread_mutex_lock(&l->queue);
    bool due = l->open && dz_session_ack_due(&l->session);
    if (due)
        queue_ack(l);
    bool owed = l->open && dz_session_ack_owed(&l->session);
    pthread_mutex_unlock(&l->queue);
    if (due)
        dz_link_pump(l);
    return owed;
}

void dz_link_flush_acks(struct dz_link *l)
{
    pthread_mutex_lock(&l->queue);
    bool owed = l->open && dz_session_ack_owed(&l->session);
    if (owed)
        queue_ack(l);
    pthread_mutex_unlock(&l->queue);
    if (owed)
        dz_link_pump(l);
}

bool dz_link_wants_dial(struct dz_link *l)
{
    return !l->conn && !l->dialling && !l->accepting && (l->wanted || (l->open && !l->parting));
}

uint64_t dz_link_next_delay_ms(struct dz_link *l, uint32_t base_ms, uint32_t max_ms, const struct dz_env *env)
{
    if (l->lost && l->attempts > 0 && l->inconclusive > 0 && l->inconclusive <= DZ_LINK_QUICK_REDIALS)
        return 1u << (l->inconclusive < 5 ? l->inconclusive - 1 : 4);
    uint32_t n = l->attempts++;
    if (n == 0)
        return 0;
    unsigned shift = n - 1 < 20 ? n - 1 : 20;
    uint64_t delay = (uint64_t)base_ms << shift;
    if (delay > max_ms)
        delay = max_ms;
    return delay - dz_env_random(env) % (delay / 2 + 1);
}

void dz_link_crossing(const struct dz_link *l, const char *self_id, struct dz_crossing *out)
{
    *out = (struct dz_crossing){.established = l->conn != NULL,
                                .established_ours = l->conn && l->conn_ours,
                                .dialling = l->dialling && l->dialling_hello,
                                .our_dial = l->conn ? l->conn_dial : l->dialling_no,
                                .we_are_lower = strcmp(self_id, l->peer.id) < 0};
}

void dz_link_describe(struct dz_link *l, struct dz_hello *hello)
{
    hello->to = l->peer.id;
    hello->to_len = strlen(l->peer.id);
    hello->to_incarnation = l->peer.incarnation;
    hello->accepted_dial = l->accepted_dial;
    /* An offer is younger than the session we have: the peer could not go on with that one any more. If it took the offer
     * and its confirmation got lost, it has the session already. */
    hello->session = l->tentative;
    if (l->tentative)
        return;
    pthread_mutex_lock(&l->queue);
    if (l->open && !l->parting) {
        hello->session = l->session.id;
        hello->received = l->session.received;
    }
    pthread_mutex_unlock(&l->queue);
}

bool dz_link_can_resume(struct dz_link *l, const struct dz_hello *hello)
{
    pthread_mutex_lock(&l->queue);
    bool can = l->open && !l->parting && hello->session == l->session.id &&
               hello->incarnation == l->peer.incarnation && hello->birth == l->peer.birth &&
               dz_session_can_resume(&l->session, hello->received);
    pthread_mutex_unlock(&l->queue);
    return can;
}
