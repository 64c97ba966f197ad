/* routes.h - which session leads to which node, readable by every thread that sends.
 * Owns:    the table from identity index to peer number, the list of present routes by node id, the pointer
 *          to the transport.
 * Threads: dz_routes_get, dz_routes_has_room and dz_routes_send any; everything else the system thread.
 * Fails:   DZ_ENOCONNECTION when there is no route, and as dz_transport_ops.send. */
#ifndef DZ_CLUSTER_ROUTES_H
#define DZ_CLUSTER_ROUTES_H

#include <pthread.h>
#include <stdatomic.h>
#include "base/map.h"
#include "net/transport.h"
#include "proc/pid.h"

#define DZ_ROUTES_CHUNK 64u

struct dz_route_chunk {
    _Atomic uint64_t peers[DZ_ROUTES_CHUNK]; /* 0: no route */
};

struct dz_routes {
    struct dz_nodes *nodes;
    _Atomic(struct dz_route_chunk *)
        chunks[DZ_NODES_MAX / DZ_ROUTES_CHUNK]; /* never freed before the table */
    pthread_rwlock_t lock;                      /* of all below; held shared while the transport is used */
    struct dz_transport *transport;
    struct dz_smap by_id; /* node id -> index + 1, of present routes */
    _Atomic uint64_t sent;
};

void dz_routes_init(struct dz_routes *r, struct dz_nodes *nodes);
void dz_routes_fini(struct dz_routes *r);
/* NULL: from here on nobody uses the transport any more. */
void dz_routes_attach(struct dz_routes *r, struct dz_transport *transport);
/* DZ_ENOMEM. */
int dz_routes_open(struct dz_routes *r, uint32_t index, uint64_t peer);
/* From here on nothing is sent there. A route that is not open is fine. */
void dz_routes_close(struct dz_routes *r, uint32_t index);

/* The session of an identity, also by its birth alias; 0: none. */
uint64_t dz_routes_get(const struct dz_routes *r, uint32_t index);
/* The identity of the node's present life. DZ_ENOCONNECTION. */
int dz_routes_find(struct dz_routes *r, const char *id, size_t len, uint32_t *index);
int dz_routes_send(struct dz_routes *r, uint64_t peer, uint64_t key, const void *data, size_t len,
                   unsigned flags);
/* Whether a send of that size without DZ_SEND_RESERVED would be taken now. */
bool dz_routes_has_room(struct dz_routes *r, uint64_t peer, size_t len);
/* To every open route but the one of `except`; what cannot be sent is left out. */
void dz_routes_broadcast(struct dz_routes *r, uint64_t except, uint64_t key, const void *data, size_t len);
/* The peers of all open routes, in a block the caller frees; 0 (and NULL) also when there is no memory for
 * it. */
uint32_t dz_routes_list(struct dz_routes *r, uint64_t **peers);

#endif
