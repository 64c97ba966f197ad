/* hub.h - the transport above its sockets: the peers of a node, their connections, and who may connect how.
 * Owns:    the links (one a peer, kept until fini), every connection from its first byte to dz_port.close.
 * Threads: send, flush, has_room, send_membership and heartbeat of dz_transport_ops: any. Everything else: the loop's thread.
 * Fails:   as transport.h says; out of memory on a connection closes that connection.
 * Split:   hub.c the table of peers, the operations, the deadlines; greeting.c a connection until its session is agreed;
 *          traffic.c the frames of an established one. transport_uv.c is the port below: sockets and nothing else. */
#ifndef DZ_NET_HUB_H
#define DZ_NET_HUB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/env.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "net/link.h"
#include "net/transport.h"
#include "net/transport_uv.h"

enum dz_conn_phase {
    DZ_CONN_DIALLING, /* no connection yet */
    DZ_CONN_GREETING, /* the dialler waits for HELLO_ACK, the acceptor for HELLO */
    DZ_CONN_OFFERED,  /* the acceptor waits for READY */
    DZ_CONN_UP,
    DZ_CONN_PARTING, /* up, but only to write what is queued and a goodbye */
    DZ_CONN_LEAVING, /* the last bytes are written, then the other end's end is awaited */
    DZ_CONN_CLOSED,
};

/* Embedded in what the port allocates; the port calls dz_conn_fini before it frees that. */
struct dz_conn {
    struct dz_list node; /* in dz_hub.conns until closed */
    struct dz_hub *hub;
    enum dz_conn_phase phase;
    bool ours;     /* we dialled */
    bool reading;  /* its bytes are being handled right now */
    bool writing;  /* the port's: a write is under way */
    bool heard;    /* any byte came */
    bool greeted;  /* our HELLO is out */
    bool counted;  /* among the handshakes of peers */
    bool loopback; /* both ends */
    bool resumes;  /* the session offered is the one we have */
    atomic_bool attention;
    struct dz_link *link; /* dialled: from the start; accepted: from its HELLO on */
    uint64_t dial;        /* its number */
    uint64_t session;     /* the one offered */
    uint64_t challenge;   /* accepted: what READY must repeat */
    uint64_t number;      /* the peer's, while up */
    struct dz_channel channel;
    struct dz_buf hello; /* body of the peer's HELLO or HELLO_ACK */
    struct dz_timer timer;
    char address[300];
};

/* What the hub needs of the sockets. Loop's thread but for `link`. */
struct dz_port {
    /* A connection attempt to host:port; ends in dz_conn_connected or dz_conn_dial_failed (never within the call).
     * NULL: out of memory. The connection is fresh (dz_conn_init is the hub's). */
    struct dz_conn *(*dial)(void *ctx, const char *host, uint16_t port);
    /* Writes what dz_conn_take_output gives, if it is not writing already, and calls dz_conn_written afterwards. */
    void (*write)(struct dz_conn *conn);
    /* No more bytes will be written; the peer sees the end. */
    void (*finish)(struct dz_conn *conn);
    /* Ends the connection at once. Its memory stays until control is back in the loop; the hub names it no more. */
    void (*close)(struct dz_conn *conn);
    /* Reads what is there, calling dz_conn_bytes and dz_conn_ended. */
    void (*drain)(struct dz_conn *conn);
    /* Calls dz_hub_tick in `ms` (UINT64_MAX: not at all), in place of what was asked before. */
    void (*wake_in)(void *ctx, uint64_t ms);
    struct dz_link_port link;
    void *ctx;
};

struct dz_hub {
    struct dz_transport base;
    struct dz_transport_uv_config config; /* its strings are not kept */
    const struct dz_port *port;
    struct dz_tls_context *tls;
    struct dz_node_identity self; /* id empty: not started */
    bool stopping;
    bool closed;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
    struct dz_list conns;
    struct dz_heap timers;
    struct dz_smap by_id;
    _Atomic(struct dz_link *) *slots; /* max_peers; a link never leaves its slot */
    uint32_t slots_used;
    uint64_t next_serial;
    uint64_t next_dial;
    struct dz_smap told; /* failures of accepted connections already reported, "address reason" */
    struct dz_timer stop_timer;
    struct dz_transport_uv_stats stats;
};

/* `tls` becomes the hub's, also on failure. DZ_ENOMEM. */
int dz_hub_init(struct dz_hub *hub, const struct dz_transport_uv_config *config, struct dz_tls_context *tls,
                const struct dz_port *port);
/* Precondition: dz_hub_close, and every connection's memory is gone. */
void dz_hub_fini(struct dz_hub *hub);
int dz_hub_start(struct dz_hub *hub, const char *node_id, uint64_t incarnation);
/* Closes every connection; no event comes any more. */
void dz_hub_close(struct dz_hub *hub);
/* The asked time has come. */
void dz_hub_tick(struct dz_hub *hub);
/* dz_link_port.attention was called: look at all that asked. */
void dz_hub_attention(struct dz_hub *hub);

/* From the port. An accepted connection may be closed within the call. */
void dz_conn_accepted(struct dz_hub *hub, struct dz_conn *conn, const char *address, bool loopback);
void dz_conn_connected(struct dz_conn *conn, bool loopback);
void dz_conn_dial_failed(struct dz_conn *conn, enum dz_refusal why);
void dz_conn_bytes(struct dz_conn *conn, const uint8_t *data, size_t len);
/* EOF or ERROR. */
void dz_conn_ended(struct dz_conn *conn, enum dz_peer_closed why);
void dz_conn_written(struct dz_conn *conn);
bool dz_conn_take_output(struct dz_conn *conn, struct dz_buf *into);
void dz_conn_fini(struct dz_conn *conn);

/* Between the hub's own files. */
void dz_hub_set_timer(struct dz_hub *hub, struct dz_timer *timer, uint64_t in_ms,
                      void (*due)(struct dz_timer *));
/* The link of a node, made if need be. DZ_ENODEID, DZ_ENOMEM, DZ_EOVERLOADED. */
int dz_hub_link(struct dz_hub *hub, const char *node_id, struct dz_link **out);
/* A number for a new session of the link. */
uint64_t dz_hub_number(struct dz_hub *hub, const struct dz_link *link);
/* Plans the next dial if the link wants one. */
void dz_hub_plan_dial(struct dz_hub *hub, struct dz_link *link);
/* Takes the connection out of everything and closes it; no event. */
void dz_conn_close(struct dz_conn *conn);
/* Writes what waits in the channel, then closes. */
void dz_conn_leave(struct dz_conn *conn);

/* greeting.c */
void dz_greeting_bytes(struct dz_conn *conn, const uint8_t *data, size_t len);
void dz_greeting_failed(struct dz_conn *conn, enum dz_refusal why, bool tell, uint64_t known_incarnation);

/* traffic.c */
void dz_traffic_bytes(struct dz_conn *conn, const uint8_t *data, size_t len);
/* Frames that came in one piece with the end of the greeting. */
void dz_traffic_frames(struct dz_conn *conn);
void dz_traffic_lost(struct dz_conn *conn, enum dz_peer_closed why);

#endif
