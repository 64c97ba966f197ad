/* routes.h - which session leads to which node, readable by every thread that sends.
 * Owns:    the table from identity index to peer number, the list of present routes by node id, the pointer
 *          to the transport.
 * Threads: dz_routes_get, dz_routes_is_apart, dz_routes_has_room, dz_routes_send and dz_routes_gather any; everything else the system thread.
 * Fails:   DZ_ENOCONNECTION when there is no route, and as dz_transport_ops.send. */
#ifndef DZ_CLUSTER_ROUTES_H
#define DZ_CLUSTER_ROUTES_H

#include <pthread.h>
#include <stdatomic.h>
#include "base/buf.h"
#include "base/map.h"
#include "net/transport.h"
#include "proc/pid.h"
#include "proc/rt.h"

#define DZ_ROUTES_CHUNK 64u

struct dz_route_chunk {
    _Atomic uint64_t peers[DZ_ROUTES_CHUNK]; /* 0: no route */
    atomic_bool apart[DZ_ROUTES_CHUNK];
};

/* What one thread sent since its last flush. */
#define DZ_ROUTES_GATHERED 8u
struct dz_gathering {
    uint32_t count;
    bool waits[DZ_ROUTES_GATHERED]; /* something of it is not written yet */
    uint64_t peers[DZ_ROUTES_GATHERED];
    struct dz_buf scratch; /* see dz_routes_borrow */
    char pad[64];
};
#define DZ_ROUTES_SCRATCH 65536u /* a larger one is not kept */

struct dz_routes {
    struct dz_nodes *nodes;
    _Atomic(struct dz_route_chunk *)
        chunks[DZ_NODES_MAX / DZ_ROUTES_CHUNK]; /* never freed before the table */
    pthread_rwlock_t lock;                      /* of all below; held shared while the transport is used */
    struct dz_transport *transport;
    struct dz_smap by_id; /* node id -> index + 1, of present routes */
    _Atomic uint64_t sent;
    _Atomic uint64_t overrun; /* a session that had no room for a frame that must not be lost; 0: none */
    struct dz_gathering gathering[DZ_THREADS_MAX]; /* each its thread's own */
};

void dz_routes_init(struct dz_routes *r, struct dz_nodes *nodes);
void dz_routes_fini(struct dz_routes *r);
/* NULL: from here on nobody uses the transport any more. */
void dz_routes_attach(struct dz_routes *r, struct dz_transport *transport);
/* DZ_ENOMEM. */
int dz_routes_open(struct dz_routes *r, uint32_t index, uint64_t peer);
/* From here on nothing is sent there. A route that is not open is fine. */
void dz_routes_close(struct dz_routes *r, uint32_t index);

/* A node that others reach and we do not: what needs an answer is not sent there. Only of an open route; it opens without. */
void dz_routes_set_apart(struct dz_routes *r, uint32_t index, bool apart);
bool dz_routes_is_apart(const struct dz_routes *r, uint32_t index);
/* The session of an identity, also by its birth alias; 0: none. */
uint64_t dz_routes_get(const struct dz_routes *r, uint32_t index);
/* The identity of the node's present life. DZ_ENOCONNECTION. */
int dz_routes_find(struct dz_routes *r, const char *id, size_t len, uint32_t *index);
int dz_routes_send(struct dz_routes *r, uint64_t peer, uint64_t key, const void *data, size_t len,
                   unsigned flags);
/* The same for a thread that may send more in this round: written at once when nothing else runs there, else with what follows,
 * at the latest by dz_routes_flush at the end of the round. *late: something waits from now on that did not before. */
int dz_routes_gather(struct dz_routes *r, struct dz_thread *from, uint64_t peer, uint64_t key, const void *data, size_t len,
                     unsigned flags, bool *late);
/* An empty buffer to encode one message in, the thread's own if it has one, else `spare`; given back before the next is borrowed. */
struct dz_buf *dz_routes_borrow(struct dz_routes *r, struct dz_thread *from, struct dz_buf *spare);
void dz_routes_give_back(struct dz_buf *buf, const struct dz_buf *spare);
/* The thread's own. */
void dz_routes_flush(struct dz_routes *r, struct dz_thread *t);
/* Whatever waits on any route. */
void dz_routes_flush_all(struct dz_routes *r);
/* Whether a send of that size without DZ_SEND_RESERVED would be taken now. */
bool dz_routes_has_room(struct dz_routes *r, uint64_t peer, size_t len);
/* A frame with DZ_SEND_RESERVED found no room: what the nodes know of each other is no longer the same, so the session must end.
 * Any thread. take: the system thread; the session, once, or 0. */
void dz_routes_note_overrun(struct dz_routes *r, uint64_t peer);
uint64_t dz_routes_take_overrun(struct dz_routes *r);
/* To every open route but the one of `except`; one that has no room is noted as overrun. */
void dz_routes_broadcast(struct dz_routes *r, uint64_t except, uint64_t key, const void *data, size_t len);
/* The peers of all open routes, in a block the caller frees; 0 (and NULL) also when there is no memory for
 * it. */
uint32_t dz_routes_list(struct dz_routes *r, uint64_t **peers);

#endif
