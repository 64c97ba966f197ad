/* carrier.h - what carries a host's sessions: sockets (net/transport_uv.h), or the network of a simulator. The life of both is
 * that of transport_uv.h: make, open, start, close, delete.
 * Owns:    nothing.
 * Threads: the system thread's.
 * Fails:   as transport_uv.h says. */
#ifndef DZ_HOST_CARRIER_H
#define DZ_HOST_CARRIER_H

#include "net/transport_uv.h"

struct dz_carrier {
    int (*make)(void *ctx, void **out, const struct dz_transport_uv_config *config);
    int (*open)(void *carrier, uint16_t *port);
    int (*start)(void *carrier, const char *node_id, uint64_t incarnation);
    struct dz_transport *(*base)(void *carrier);
    void (*close)(void *carrier, void (*closed)(void *ctx), void *ctx);
    void (*delete)(void *carrier);
};

/* Over sockets. */
extern const struct dz_carrier dz_carrier_uv;

#endif
