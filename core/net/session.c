/* session.c - lanes on one side of the numbering, the ring of unacknowledged frames on the other.
 * Owns:    the messages; a frame is a place in a message, never a copy of its bytes.
 * Threads: one at a time; pure.
 * Fails:   as session.h says.
 * Invariant: first_sent <= next_write <= next_number; a message lives while it has bytes not cut or frames not
 * acknowledged, and counts in `pending` as a whole until then. */
#include "net/session.h"
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

/* Lives while it waits in a lane or any of its frames is not acknowledged. */
struct dz_session_message {
    struct dz_list node;
    uint64_t key;
    uint32_t len;
    uint32_t cut;    /* bytes that have become frames */
    uint32_t frames; /* of these, not acknowledged */
    uint8_t data[];
};

#define FIRST_RING 64u

void dz_session_init(struct dz_session *s, uint64_t id, size_t limit)
{
    *s = (struct dz_session){.id = id, .limit = limit, .first_sent = 1, .next_number = 1, .next_write = 1};
    for (size_t i = 0; i < DZ_FRAME_LANES; i++) {
        dz_list_init(&s->lanes[i].messages);
        dz_list_init(&s->lanes[i].turn);
    }
    dz_list_init(&s->turns);
    /* An honest peer keeps each message until all of it is acknowledged, so what can be half here is what it may hold. */
    dz_reassembly_init(&s->reassembly, limit + limit / 4 + DZ_NET_MAX_MESSAGE);
}

static struct dz_session_sent *sent_at(const struct dz_session *s, uint64_t number)
{
    dz_assert(number >= s->first_sent && number < s->next_number);
    return &s->sent[number & (s->sent_cap - 1)];
}

static size_t cost(const struct dz_session_message *m)
{
    return m->len + DZ_SESSION_OVERHEAD;
}

static void release_first(struct dz_session *s)
{
    struct dz_session_message *m = sent_at(s, s->first_sent)->message;
    s->first_sent++;
    dz_assert(m->frames > 0);
    if (--m->frames == 0 && m->cut == m->len) {
        dz_assert(s->pending >= cost(m));
        s->pending -= cost(m);
        dz_free(m);
    }
}

void dz_session_fini(struct dz_session *s)
{
    while (s->first_sent < s->next_number)
        release_first(s);
    for (size_t i = 0; i < DZ_FRAME_LANES; i++) {
        struct dz_list *node;
        while ((node = dz_list_pop_front(&s->lanes[i].messages)))
            dz_free(dz_list_entry(node, struct dz_session_message, node));
    }
    dz_free(s->sent);
    dz_reassembly_fini(&s->reassembly);
}

/* Keys may be anything, also pointers or counters; the multiplier spreads their low bits over the lanes. */
static unsigned lane_of(uint64_t key)
{
    return (unsigned)((key * 0x9e3779b97f4a7c15u) >> 32) % DZ_FRAME_LANES;
}

static bool fits(const struct dz_session *s, size_t len, size_t limit)
{
    /* One message of any size passes when nothing waits, whatever the limit is. */
    return s->pending == 0 || s->pending + len + DZ_SESSION_OVERHEAD <= limit;
}

/* Once full, it stays so until half is free: else small messages would take all that becomes free, and a large one
 * would never find room. */
bool dz_session_has_room(const struct dz_session *s, size_t len)
{
    return fits(s, len, s->limit) && (!s->blocked || s->pending <= s->limit / 2);
}

int dz_session_prepare(struct dz_session_message **out, uint64_t key, const void *data, size_t len)
{
    if (len == 0 || len > DZ_NET_MAX_MESSAGE)
        return len ? DZ_ETOOLARGE : DZ_EARGUMENT;
    struct dz_session_message *m = dz_alloc(sizeof(*m) + len);
    if (!m)
        return DZ_ENOMEM;
    m->key = key;
    m->len = (uint32_t)len;
    m->cut = 0;
    m->frames = 0;
    memcpy(m->data, data, len);
    *out = m;
    return 0;
}

void dz_session_drop(struct dz_session_message *m)
{
    dz_free(m);
}

int dz_session_queue(struct dz_session *s, struct dz_session_message **take, unsigned flags)
{
    struct dz_session_message *m = *take;
    bool reserved = flags & DZ_SEND_RESERVED;
    if (!(reserved ? fits(s, m->len, s->limit + s->limit / 4) : dz_session_has_room(s, m->len))) {
        s->blocked = true;
        return DZ_EOVERLOADED;
    }
    struct dz_session_lane *lane = &s->lanes[lane_of(m->key)];
    if (dz_list_empty(&lane->messages))
        dz_list_push_back(&s->turns, &lane->turn);
    dz_list_push_back(&lane->messages, &m->node);
    s->pending += cost(m);
    s->uncut += m->len;
    *take = NULL;
    return 0;
}

int dz_session_send(struct dz_session *s, uint64_t key, const void *data, size_t len, unsigned flags)
{
    struct dz_session_message *m;
    int err = dz_session_prepare(&m, key, data, len);
    if (err)
        return err;
    err = dz_session_queue(s, &m, flags);
    dz_session_drop(m);
    return err;
}

bool dz_session_has_next(const struct dz_session *s)
{
    return s->next_write < s->next_number || !dz_list_empty(&s->turns);
}

static int grow_ring(struct dz_session *s)
{
    uint32_t cap = s->sent_cap ? s->sent_cap * 2 : FIRST_RING;
    struct dz_session_sent *ring = dz_zalloc(cap, sizeof(*ring));
    if (!ring)
        return DZ_ENOMEM;
    for (uint64_t n = s->first_sent; n < s->next_number; n++)
        ring[n & (cap - 1)] = *sent_at(s, n);
    dz_free(s->sent);
    s->sent = ring;
    s->sent_cap = cap;
    return 0;
}

/* Numbers the next piece of the lane whose turn it is; the lane goes to the end of the line. */
static int cut_next(struct dz_session *s)
{
    if (s->next_number - s->first_sent == s->sent_cap) {
        int err = grow_ring(s);
        if (err)
            return err;
    }
    struct dz_list *turn = dz_list_pop_front(&s->turns);
    struct dz_session_lane *lane = dz_list_entry(turn, struct dz_session_lane, turn);
    struct dz_session_message *m = dz_list_entry(lane->messages.next, struct dz_session_message, node);
    uint32_t len = m->len - m->cut;
    if (len > DZ_FRAME_MAX_PAYLOAD)
        len = DZ_FRAME_MAX_PAYLOAD;
    uint64_t number = s->next_number++;
    *sent_at(s, number) = (struct dz_session_sent){.message = m, .offset = m->cut, .len = len};
    m->cut += len;
    s->uncut -= len;
    m->frames++;
    if (m->cut == m->len)
        dz_list_remove(&m->node);
    if (!dz_list_empty(&lane->messages))
        dz_list_push_back(&s->turns, &lane->turn);
    return 0;
}

int dz_session_next(struct dz_session *s, struct dz_frame *out)
{
    if (s->next_write == s->next_number) {
        if (dz_list_empty(&s->turns))
            return 0;
        int err = cut_next(s);
        if (err)
            return err;
    }
    uint64_t number = s->next_write++;
    const struct dz_session_sent *sent = sent_at(s, number);
    const struct dz_session_message *m = sent->message;
    bool whole = m->len <= DZ_FRAME_MAX_PAYLOAD;
    *out = (struct dz_frame){.type = whole ? DZ_FRAME_DATA : DZ_FRAME_FRAGMENT,
                             .number = number,
                             .acknowledged = dz_session_ack(s),
                             .key = m->key,
                             .data = m->data + sent->offset,
                             .len = sent->len};
    if (!whole) {
        out->total = m->len;
        out->lane = (uint8_t)lane_of(m->key);
        out->flags = (sent->offset == 0 ? DZ_FRAGMENT_FIRST : 0u) |
                     (sent->offset + sent->len == m->len ? DZ_FRAGMENT_LAST : 0u);
    }
    return 1;
}

int dz_session_receive(struct dz_session *s, const struct dz_frame *frame, const uint8_t **data, size_t *len)
{
    int err = dz_session_acknowledged(s, frame->acknowledged);
    if (err)
        return err;
    s->unacked_bytes += frame->len + DZ_SESSION_OVERHEAD;
    if (frame->number <= s->received)
        return 0; /* written again after a resume that crossed our acknowledgement */
    if (frame->number != s->received + 1)
        return DZ_EFORMAT;
    int whole = 1;
    if (frame->type == DZ_FRAME_FRAGMENT) {
        whole = dz_reassembly_add(&s->reassembly, frame, data, len);
        if (whole < 0)
            return whole;
    } else {
        *data = frame->data;
        *len = frame->len;
    }
    s->received++;
    return whole;
}

int dz_session_acknowledged(struct dz_session *s, uint64_t number)
{
    if (number >= s->next_number)
        return DZ_EFORMAT;
    while (s->first_sent <= number)
        release_first(s);
    /* After a resume the peer may already have what we are about to write again. */
    if (s->next_write < s->first_sent)
        s->next_write = s->first_sent;
    return 0;
}

bool dz_session_unblocked(struct dz_session *s)
{
    if (!s->blocked || s->pending > s->limit / 2)
        return false;
    s->blocked = false;
    return true;
}

bool dz_session_ack_due(const struct dz_session *s)
{
    return s->unacked_bytes >= DZ_SESSION_ACK_EVERY;
}

bool dz_session_ack_owed(const struct dz_session *s)
{
    return s->ack_told < s->received;
}

uint64_t dz_session_ack(struct dz_session *s)
{
    s->ack_told = s->received;
    s->unacked_bytes = 0;
    return s->received;
}

bool dz_session_can_resume(const struct dz_session *s, uint64_t received)
{
    return received + 1 >= s->first_sent && received < s->next_number;
}

void dz_session_resume(struct dz_session *s, uint64_t received)
{
    dz_assert(received < s->next_number);
    /* An acknowledgement of the old connection may have overtaken the handshake; then more is known to have arrived. */
    while (s->first_sent <= received)
        release_first(s);
    s->next_write = s->first_sent;
    s->ack_told = 0;
    s->unacked_bytes = 0;
}
