/* handshake.h - what two nodes tell each other before anything else, and whether they then go on together.
 * Owns:    nothing; decoded hellos point into the bytes read.
 * Threads: any; pure.
 * Fails:   encode: DZ_ENOMEM, DZ_ETOOLARGE; decode: DZ_EFORMAT, DZ_EVERSION (`version` is then set, nothing else).
 *
 *     dialler                                   acceptor
 *     HELLO (who, to whom, session, received) ->
 *                                            <- HELLO_ACK (who, session: the same = resumed, received, challenge)
 *                                               or REFUSE
 *     READY (challenge)                      ->  the acceptor takes the session only now
 *
 * The challenge is a random number: so a recorded greeting, played again, comes to nothing, also without TLS.
 *
 * Two connections that cross: every dial of a node has a growing number. A node that dials has no live connection to
 * that peer, and has given up its earlier dials; `accepted_dial` tells which of the peer's dials it had taken. */
#ifndef DZ_NET_HANDSHAKE_H
#define DZ_NET_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "net/transport.h"

#define DZ_NET_VERSION 1u

struct dz_node_identity {
    char id[DZ_NET_MAX_NODE_ID + 1];
    uint64_t incarnation;
    uint64_t birth;
};

struct dz_hello {
    uint16_t version;
    const char *id; /* of the sender; not zero-terminated */
    size_t id_len;
    uint64_t incarnation;
    uint64_t birth;
    const char *to; /* the intended receiver */
    size_t to_len;
    uint64_t to_incarnation; /* 0: not known */
    uint64_t dial;           /* the number of this dial (echoed by HELLO_ACK) */
    uint64_t accepted_dial;  /* the last of the receiver's dials that the sender took; 0: none */
    uint64_t session;        /* HELLO: the one to resume, 0: none. HELLO_ACK: the one that is valid now */
    uint64_t received;       /* the last number the sender of the hello has received in that session */
    uint64_t challenge;      /* HELLO_ACK: what READY must repeat */
    const uint8_t *attributes;
    size_t attributes_len;
    const uint8_t *known;
    size_t known_len;
};

/* "name@host:port" split; host is zero-terminated, at most 255 bytes, brackets of an IPv6 address removed.
 * DZ_ENODEID. */
int dz_handshake_parse_id(const char *id, char host[256], uint16_t *port);

/* The whole frame, prefix included; `type` is HELLO or HELLO_ACK. */
int dz_hello_encode(struct dz_buf *out, uint8_t type, const struct dz_hello *hello);
/* The body of a HELLO or HELLO_ACK frame. */
int dz_hello_decode(const uint8_t *data, size_t len, struct dz_hello *out);

/* Whether a hello, of a dialler or of the one we dialled, is for us and not from us: NONE, SELF (it is our own birth),
 * WRONG_RECEIVER, DENIED (another host uses our node id). */
enum dz_refusal dz_hello_check_receiver(const struct dz_hello *hello, const struct dz_node_identity *self);

/* Whether a hello is the life of the sender that we know (0: none yet) or a newer one: NONE, STALE. */
enum dz_refusal dz_hello_check_life(const struct dz_hello *hello, uint64_t known_incarnation,
                                    uint64_t known_birth);

/* What the acceptor of a HELLO has going with the sender. */
struct dz_crossing {
    bool established;      /* a live connection */
    bool established_ours; /* it was dialled by us */
    bool dialling;         /* our HELLO is on its way */
    uint64_t our_dial;     /* number of that connection's or that attempt's dial */
    bool we_are_lower;     /* our node id sorts before the sender's */
};

/* True: the new connection wins, and the other one (if any) is dropped without an event. False: refuse it, BUSY. */
bool dz_crossing_accepts(const struct dz_crossing *at, uint64_t accepted_dial);

#endif
