/* transport.h - what the cluster layer sees of the network: sessions with peers, and what happens to them.
 * Owns:    nothing; an implementation (transport_uv.h, or the simulator's) fills dz_transport_ops and calls the owner's
 *          dz_transport_events.
 * Threads: `send`, `flush`, `has_room` and `send_membership` any; every other operation, and every event, the transport's own thread (the one
 *          that runs its loop). Events may call any operation.
 * Fails:   each operation says how; nothing is reported twice, both as a result and as an event.
 *
 * A *peer* is a number that names one session with one life of one node; 0 is none. It outlives connections: a session
 * whose connection broke is resumed by the next one under the same number, with nothing lost, doubled or reordered. A new
 * session always has a new number, and numbers are never used again, so a message meant for one life of a node cannot
 * reach another one.
 *
 * The life of a peer as events show it (c: connected, o: open but not connected):
 *
 *     peer_up(resumed=false) -> c -> peer_closed(EOF, ERROR, PROTOCOL) -> o -> peer_up(resumed=true) -> c ...
 *                                                                         o -> peer_closed(REFUSED) -> o (may repeat)
 *     c or o -> peer_closed(GOODBYE, RESET, REPLACED)   the session is over, its number is dead
 *     c or o -> close_peer() by the owner               the session is over, no further event names it
 *
 * So the transport itself never decides that a peer is down: it tells what it saw, and the owner ends the session. */
#ifndef DZ_NET_TRANSPORT_H
#define DZ_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

#define DZ_NET_MAX_NODE_ID     327    /* name 64 + '@' + host 255 + ':' + port 5, and room for brackets */
#define DZ_NET_MAX_ATTRIBUTES  4096u  /* bytes of the attributes told in the hello */
#define DZ_NET_MAX_KNOWN_PEERS 32768u /* bytes of the list of known peers told in the hello */
#define DZ_NET_MAX_MEMBERSHIP  65536u /* bytes of one membership message */
#define DZ_NET_MAX_MESSAGE                                                                                   \
    (16u * 1024u * 1024u + 64u * 1024u)            /* a term of the greatest size and its header */
#define DZ_NET_SESSION_LIMIT (32u * 1024u * 1024u) /* default bound of unacknowledged bytes of a session */

/* Who is at the other end. Everything is borrowed for the time of the call. */
struct dz_peer_info {
    const char *id; /* "name@host:port", zero-terminated */
    uint64_t incarnation;
    uint64_t birth; /* names the host's life before it had a node id */
    bool dialled;   /* by us */
    bool secured;   /* by TLS */
    const uint8_t *attributes;
    size_t attributes_len;
    const uint8_t *known; /* the peers it knows, as its owner wrote them */
    size_t known_len;
};

/* What a heartbeat tells. The transport only carries it. */
struct dz_peer_figures {
    uint64_t counter;
    uint32_t processes;
    uint32_t load;  /* in thousandths */
    uint32_t flags; /* the owner's own bits, e.g. draining */
};

enum dz_peer_closed {
    DZ_PEER_EOF = 1, /* the connection ended; the session waits to be resumed and the link is dialled again */
    DZ_PEER_ERROR,   /* the same, by an error of the socket or of the encryption */
    DZ_PEER_PROTOCOL, /* the same, because of malformed frames */
    DZ_PEER_REFUSED,  /* the redial after a closed connection was refused: nobody listens there any more */
    DZ_PEER_GOODBYE, /* the peer said goodbye: session over, not dialled any more unless `dial` is called again */
    DZ_PEER_RESET, /* one side cannot resume: session over; the same life's new session follows as peer_up */
    DZ_PEER_REPLACED, /* a newer incarnation of the node is here: session over; its peer_up follows */
};

/* Why a handshake, or the dialling before it, came to nothing. The numbers travel on the wire. */
enum dz_refusal {
    DZ_REFUSAL_NONE = 0,
    DZ_REFUSAL_VERSION = 1,        /* the peer speaks another protocol version */
    DZ_REFUSAL_SELF = 2,           /* the other end is ourselves */
    DZ_REFUSAL_WRONG_RECEIVER = 3, /* another node than the intended one lives at that address */
    DZ_REFUSAL_STALE = 4,          /* a newer (or equal, but different) incarnation of the sender is known */
    DZ_REFUSAL_SECRET = 5, /* the cluster secrets differ, or only one side has one, or a certificate is bad */
    DZ_REFUSAL_INSECURE = 6, /* plain text off loopback without `insecure` */
    DZ_REFUSAL_BUSY =
        7, /* the other connection of two that crossed wins, or a goodbye is under way; not reported */
    DZ_REFUSAL_DENIED = 8,   /* the owner's `admit` said no */
    DZ_REFUSAL_STOPPING = 9, /* the node is stopping */
    /* Never sent: */
    DZ_REFUSAL_GARBAGE = 32,     /* bytes that are no handshake */
    DZ_REFUSAL_TIMEOUT = 33,     /* the handshake took too long */
    DZ_REFUSAL_UNREACHABLE = 34, /* no connection, or no such host */
    DZ_REFUSAL_CLOSED = 35,      /* the connection ended within the handshake */
    DZ_REFUSAL_CONNECT = 36,     /* the connection was refused: nobody listens */
    DZ_REFUSAL_LIMIT = 37,       /* too many handshakes at once, or too many peers */
};

/* "version_mismatch", "self", ...; "unknown" for other numbers. Static storage. */
const char *dz_refusal_name(enum dz_refusal refusal);
/* "eof", "goodbye", ... Static storage. */
const char *dz_peer_closed_name(enum dz_peer_closed why);

/* What the owner gets to know. `admit` and `hello` may be NULL, the others may not. */
struct dz_transport_events {
    /* What to tell in the next hello: at most DZ_NET_MAX_ATTRIBUTES and DZ_NET_MAX_KNOWN_PEERS (more is cut to nothing). */
    void (*hello)(void *ctx, struct dz_buf *attributes, struct dz_buf *known);
    /* May this node come in? DZ_REFUSAL_NONE, DENIED or STALE; for STALE `known_incarnation` is told to the peer, which
     * may come back with a higher one. Asked on both sides of a connection, before peer_up. */
    enum dz_refusal (*admit)(void *ctx, const struct dz_peer_info *info, uint64_t *known_incarnation);
    void (*peer_up)(void *ctx, uint64_t peer, const struct dz_peer_info *info, bool resumed);
    void (*peer_closed)(void *ctx, uint64_t peer, enum dz_peer_closed why);
    /* One message, exactly as it was sent; `key` is the sender's. */
    void (*message)(void *ctx, uint64_t peer, uint64_t key, const uint8_t *data, size_t len);
    void (*membership)(void *ctx, uint64_t peer, const uint8_t *data, size_t len);
    void (*heartbeat)(void *ctx, uint64_t peer, const struct dz_peer_figures *figures);
    /* A `send` that answered DZ_EOVERLOADED may be tried again. */
    void (*writable)(void *ctx, uint64_t peer);
    /* `node_id` is the one we dialled, or the one the peer claims, or NULL; `known_incarnation` is 0 unless STALE was
     * told to us. The same failure of the same address is told once until something else happens there. */
    void (*handshake_failed)(void *ctx, const char *node_id, const char *address, enum dz_refusal why,
                             uint64_t known_incarnation);
};

struct dz_transport;

#define DZ_SEND_RESERVED 1u /* may use the reserved quarter beyond the session's bound: for signals */
#define DZ_SEND_LATER    2u /* more will follow soon: written with it, or by `flush`, which the sender owes */

struct dz_transport_ops {
    /* Wants a connection to node_id, at host:port or (host NULL) where its id says; dials now and, with backoff, until
     * there is one or `forget` or `close_peer` is called. While a session is open its node is dialled anyway. Dialling
     * what is dialled or connected is no error, and a node that waits for its next attempt is dialled now.
     * DZ_ENODEID, DZ_ENOMEM, DZ_EOVERLOADED (too many nodes). */
    int (*dial)(struct dz_transport *t, const char *node_id, const char *host, uint16_t port);
    /* Dials node_id no more (but for an open session, which stands). */
    void (*forget)(struct dz_transport *t, const char *node_id);
    /* Queues one message; bytes are copied. Messages of one key keep their order, different keys take turns.
     * DZ_ENOCONNECTION: the session is over. DZ_EOVERLOADED: full, and so for everybody until half of the bound is free
     * (`writable`) but for those with DZ_SEND_RESERVED. DZ_ETOOLARGE, DZ_ENOMEM.
     * Not connected is no error: the message waits for the connection. */
    int (*send)(struct dz_transport *t, uint64_t peer, uint64_t key, const void *data, size_t len,
                unsigned flags);
    /* Any thread. Writes what was sent with DZ_SEND_LATER. */
    void (*flush)(struct dz_transport *t, uint64_t peer);
    /* Any thread. Whether a send of that size without the reserve would not be told DZ_EOVERLOADED now: for those who
     * would make many bytes for nothing. */
    bool (*has_room)(struct dz_transport *t, uint64_t peer, size_t len);
    /* Unnumbered, overtakes messages, lost with the connection. DZ_ENOCONNECTION when there is none now, DZ_EOVERLOADED,
     * DZ_ETOOLARGE, DZ_ENOMEM. */
    int (*send_membership)(struct dz_transport *t, uint64_t peer, const void *data, size_t len);
    int (*heartbeat)(struct dz_transport *t, uint64_t peer, const struct dz_peer_figures *figures);
    /* env time (ns) when bytes of the peer last came; 0 when the session is over. */
    uint64_t (*last_heard)(struct dz_transport *t, uint64_t peer);
    /* Bytes that wait to be acknowledged, 0 when the session is over. */
    size_t (*backlog)(struct dz_transport *t, uint64_t peer);
    /* Ends the session and stops dialling its node. With `goodbye` what was queued is written first (bounded by 1 s), and
     * the peer sees GOODBYE; else the connection is cut. The peer's number is dead when this returns. */
    void (*close_peer)(struct dz_transport *t, uint64_t peer, bool goodbye);
    /* Connections that were not let in, or were closed for what they brought, since the transport was made. */
    uint64_t (*turned_away)(struct dz_transport *t);
    /* Reads what has already arrived on every connection, delivering events, so that a verdict rests on all there is.
     * A connection whose event is being delivered right now is left out. */
    void (*drain)(struct dz_transport *t);
    /* The node's own incarnation after a STALE refusal. Only while no session is open: DZ_EEXIST. Greetings under way are
     * given up, for they told the old one. */
    int (*set_incarnation)(struct dz_transport *t, uint64_t incarnation);
    /* Says goodbye to everybody, refuses who comes, and reports `stopped` (may be NULL) once every connection is gone
     * (at most about 1 s); the listener closes last. All peers' numbers are dead when this returns. */
    void (*stop)(struct dz_transport *t, void (*stopped)(void *ctx), void *ctx);
};

struct dz_transport {
    const struct dz_transport_ops *ops;
};

#endif
