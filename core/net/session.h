/* session.h - one numbered exchange of messages with one peer over changing connections.
 * Owns:    every message sent and not yet acknowledged, every message half received.
 * Threads: one at a time (link.h holds a lock around it); pure: no I/O, no clock.
 * Fails:   send: DZ_EOVERLOADED, DZ_ETOOLARGE, DZ_ENOMEM, nothing queued. receive and acknowledged: DZ_EFORMAT for what
 *          an honest peer cannot send; the caller then closes the connection and the session stands as it was.
 * Flow:    send -> lanes (by key, in turn) -> next numbers a frame -> wire -> acknowledged frees it. A frame gets its
 *          number when it first goes on the wire, so what overtakes does so before numbering, and after a resume the
 *          same frames go out again with the same numbers. */
#ifndef DZ_NET_SESSION_H
#define DZ_NET_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/list.h"
#include "net/frame.h"
#include "net/reassembly.h"

struct dz_session_lane {
    struct dz_list messages; /* struct message, the first perhaps half cut */
    struct dz_list turn;     /* in dz_session.turns while it has messages */
};

struct dz_session_sent {
    struct dz_session_message *message;
    uint32_t offset;
    uint32_t len;
};

struct dz_session {
    uint64_t id;
    size_t limit;   /* bytes of messages queued or not acknowledged */
    size_t pending; /* those bytes, each message with DZ_SESSION_OVERHEAD */
    size_t uncut;   /* bytes of messages that are no frames yet */
    bool blocked;   /* a send was refused; until half is free only what has reserved room gets in */
    struct dz_session_lane lanes[DZ_FRAME_LANES];
    struct dz_list turns;
    struct dz_session_sent *sent; /* ring: frames numbered first_sent .. next_number - 1 */
    uint32_t sent_cap;            /* a power of two */
    uint64_t first_sent;
    uint64_t next_number;
    uint64_t next_write;  /* the next number to be written; below next_number after a resume */
    uint64_t received;    /* the last number received */
    uint64_t ack_told;    /* the last acknowledgement that went out on the present connection */
    size_t unacked_bytes; /* received since then */
    struct dz_reassembly reassembly;
};

#define DZ_SESSION_OVERHEAD  128u           /* what a queued message costs besides its bytes */
#define DZ_SESSION_ACK_EVERY (256u * 1024u) /* received bytes after which an acknowledgement is due at once */

void dz_session_init(struct dz_session *s, uint64_t id, size_t limit);
void dz_session_fini(struct dz_session *s);

/* Whether a message of that size is taken without reserved room. */
bool dz_session_has_room(const struct dz_session *s, size_t len);
/* A copy of the bytes, for dz_session_queue: made outside the lock that the session needs. DZ_ETOOLARGE, DZ_EARGUMENT (nothing),
 * DZ_ENOMEM. dz_session_drop frees one that was not queued; NULL is fine. */
int dz_session_prepare(struct dz_session_message **out, uint64_t key, const void *data, size_t len);
void dz_session_drop(struct dz_session_message *m);
/* Takes it over unless it is DZ_EOVERLOADED. DZ_SEND_RESERVED may fill a quarter beyond the limit. */
int dz_session_queue(struct dz_session *s, struct dz_session_message **take, unsigned flags);
/* Both. */
int dz_session_send(struct dz_session *s, uint64_t key, const void *data, size_t len, unsigned flags);
/* Whether `next` would give a frame. */
bool dz_session_has_next(const struct dz_session *s);
/* The next frame to write, its data valid until the next call of any function here; it counts as written, and carries
 * the acknowledgement. 1, 0 when there is none, DZ_ENOMEM. */
int dz_session_next(struct dz_session *s, struct dz_frame *out);

/* A DATA or FRAGMENT frame came. 1: a whole message is there (frame->data/len for DATA, the assembled bytes for the last
 * FRAGMENT, valid until the next receive); 0: nothing to deliver (a double, or a part). DZ_EFORMAT, DZ_ENOMEM. */
int dz_session_receive(struct dz_session *s, const struct dz_frame *frame, const uint8_t **data, size_t *len);
/* The peer has received everything up to `number`. DZ_EFORMAT when that was never sent. */
int dz_session_acknowledged(struct dz_session *s, uint64_t number);
/* True once after a refused send, when half of the room is free again. */
bool dz_session_unblocked(struct dz_session *s);
/* An acknowledgement ought to go out: at once, or (soon) with the next frame or after a short while. */
bool dz_session_ack_due(const struct dz_session *s);
bool dz_session_ack_owed(const struct dz_session *s);
/* The number to acknowledge; it counts as told. */
uint64_t dz_session_ack(struct dz_session *s);

/* Whether a peer that has received up to `received` can be served from what is kept. */
bool dz_session_can_resume(const struct dz_session *s, uint64_t received);
/* A new connection: go on behind `received`. Precondition: can_resume. */
void dz_session_resume(struct dz_session *s, uint64_t received);

#endif
