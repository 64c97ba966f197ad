/* link.h - one peer node: its present session, the connection that carries it now, and when to dial it again.
 * Owns:    the session; the connection's bytes only while attached (the connection itself is the transport's).
 * Threads: two locks, taken in this order and never held while an event is delivered:
 *            wire  - the channel, its `out`, and writing to the connection;
 *            queue - the session, the urgent frames, the peer number.
 *          send, has_room, send_urgent and pump: any thread. Everything else, and the fields marked so: the loop's thread.
 * Fails:   each function says how.
 * A sender queues under `queue` and then tries for `wire`: whoever gets it seals and writes all that is queued, also
 * what others queue meanwhile; nobody waits for a socket. What the socket does not take is written by the loop. */
#ifndef DZ_NET_LINK_H
#define DZ_NET_LINK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/env.h"
#include "net/channel.h"
#include "net/handshake.h"
#include "net/session.h"
#include "net/timer.h"

#define DZ_LINK_MAX_URGENT   (1024u * 1024u) /* bytes of frames that overtake and wait for the socket */
#define DZ_LINK_FILL         65536u /* bytes sealed at a time, so what overtakes waits for no more than that */
#define DZ_LINK_ACK_DELAY_MS 20u    /* how long an acknowledgement waits for a frame to ride on */

/* The socket below an attached connection. */
struct dz_link_port {
    /* Writes without waiting: the bytes taken (0: none now), or a negative code. Wire lock held, any thread. */
    long (*try_write)(void *conn, const void *data, size_t len);
    /* Bytes wait in channel->out, or writing failed, or the goodbye is out: the loop must look. Wire lock held, any
     * thread. */
    void (*attention)(void *conn);
};

struct dz_hub;

struct dz_link {
    /* The loop's thread only. */
    struct dz_hub *hub; /* set by the hub, like `slot`, once */
    uint32_t slot;
    struct dz_node_identity peer; /* incarnation 0: never met */
    char host[256];
    uint16_t port;
    bool wanted;            /* dial until there is a connection */
    bool lost;              /* the connection closed and the redial has not been answered yet */
    uint64_t accepted_dial; /* the last of the peer's dials that we took */
    uint64_t tentative;     /* session offered in a HELLO_ACK and not yet taken by the peer's READY */
    uint32_t attempts;      /* dials since the last connection */
    uint32_t inconclusive;  /* of those since it was lost, how many in a row were taken and closed without a word */
    enum dz_refusal told;   /* the failure reported last; NONE after a success */
    uint64_t last_heard_ns;
    unsigned violations; /* malformed frames since the last good message */
    void *accepting;     /* a connection of the peer's, offered a session; NULL: none */
    void *dialling;      /* the transport's connection attempt; NULL: none */
    uint64_t dialling_no;
    bool dialling_hello; /* its HELLO is out */
    uint64_t conn_dial;  /* the dial number of the attached connection */
    bool conn_ours;
    struct dz_timer redial;
    struct dz_timer ack;

    pthread_mutex_t queue;
    uint64_t peer_no; /* 0: no session is open for senders */
    bool open;        /* `session` is initialised (also while parting) */
    bool parting;     /* goodbye: write what is queued, then GOODBYE */
    bool goodbye_said;
    bool connected; /* a connection is attached */
    struct dz_session session;
    struct dz_buf urgent;

    pthread_mutex_t wire;
    const struct dz_link_port *port_ops;
    void *conn;                 /* NULL: not connected */
    struct dz_channel *channel; /* of conn */
    bool busy;                  /* the loop is writing; others only queue */
    bool failed;                /* writing failed; the loop closes the connection */
    struct dz_buf plain;        /* frames about to be sealed */
    atomic_uint reader_waits;   /* the loop has bytes for the channel: whoever writes lets it in */
};

int dz_link_init(struct dz_link *l, const char *node_id);
/* Precondition: detached. */
void dz_link_fini(struct dz_link *l);
/* Another peer takes this place: everything known of the old one is forgotten. Precondition: no session, no connection.
 * Other threads may hold the pointer meanwhile. DZ_ENODEID: nothing changed. */
int dz_link_rename(struct dz_link *l, const char *node_id);

/* Sessions. open: a new one under a new number (the old one must be over); resume: go on behind `received`. */
void dz_link_open(struct dz_link *l, uint64_t peer_no, uint64_t session, size_t limit);
void dz_link_resume(struct dz_link *l, uint64_t received);
/* Ends it: senders get DZ_ENOCONNECTION, what was queued is dropped. Nothing happens when none is open. */
void dz_link_over(struct dz_link *l);
/* Ends it for senders, but writes what is queued and a GOODBYE first; the port hears when that is out. */
void dz_link_part(struct dz_link *l);
bool dz_link_goodbye_out(struct dz_link *l);
/* The number of the open session, 0: none. */
uint64_t dz_link_peer_no(struct dz_link *l);

/* The connection. `busy` when the transport still has writes of its own under way; it calls dz_link_idle after them. */
void dz_link_attach(struct dz_link *l, void *conn, const struct dz_link_port *port_ops,
                    struct dz_channel *channel, bool busy);
/* Afterwards no thread touches the connection or its channel any more. */
void dz_link_detach(struct dz_link *l);
/* The loop's write has ended, everything before it is written: go on. */
void dz_link_idle(struct dz_link *l);
/* Takes the bytes the socket did not take, for the loop to write; from then on busy. False when there are none or the
 * loop is writing already. */
bool dz_link_take_output(struct dz_link *l, struct dz_buf *into);
bool dz_link_failed(struct dz_link *l);
/* Wire bytes in: dz_channel_feed under the lock. */
int dz_link_feed(struct dz_link *l, const uint8_t *data, size_t len);

/* Any thread. DZ_ENOCONNECTION when `peer_no` is not the open session. */
int dz_link_send(struct dz_link *l, uint64_t peer_no, uint64_t key, const void *data, size_t len,
                 unsigned flags);
/* HEARTBEAT (its acknowledgement is filled in) or MEMBERSHIP. */
int dz_link_send_urgent(struct dz_link *l, uint64_t peer_no, struct dz_frame *frame);
void dz_link_pump(struct dz_link *l);
size_t dz_link_backlog(struct dz_link *l, uint64_t peer_no);
/* As dz_transport_ops.has_room. */
bool dz_link_has_room(struct dz_link *l, uint64_t peer_no, size_t len);

/* A session frame came: as dz_session_receive; ACK and HEARTBEAT: 0 or DZ_EFORMAT. An assembled message is moved to
 * `big` (initialised, empty), so that it outlives the session while its event is delivered. */
int dz_link_receive(struct dz_link *l, const struct dz_frame *frame, const uint8_t **data, size_t *len,
                    struct dz_buf *big);
/* After a batch of frames: whether senders may try again, and whether an acknowledgement should go out (sends it when it
 * is due; true when it may wait DZ_LINK_ACK_DELAY_MS). */
bool dz_link_unblocked(struct dz_link *l);
bool dz_link_settle_acks(struct dz_link *l);
void dz_link_flush_acks(struct dz_link *l);

/* Reconnecting. The first attempt after a connection is immediate; the n-th after it waits base * 2^(n-2), at most max,
 * and of that between a half and the whole. A redial that is taken and closed without a word proves nothing (the kernel of a
 * process being killed does that until its listener is gone): the next one follows within milliseconds, DZ_LINK_QUICK_REDIALS
 * times. */
#define DZ_LINK_QUICK_REDIALS 12u
bool dz_link_wants_dial(struct dz_link *l);
uint64_t dz_link_next_delay_ms(struct dz_link *l, uint32_t base_ms, uint32_t max_ms,
                               const struct dz_env *env);
void dz_link_crossing(const struct dz_link *l, const char *self_id, struct dz_crossing *out);

/* What a HELLO or HELLO_ACK of ours says about this peer. */
void dz_link_describe(struct dz_link *l, struct dz_hello *hello);
/* Whether the session of a hello is the one we have, and both ends can go on with it. */
bool dz_link_can_resume(struct dz_link *l, const struct dz_hello *hello);

#endif
