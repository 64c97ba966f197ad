/* carrier.c - see carrier.h: sockets.
 * Owns:    nothing.
 * Threads: see carrier.h.
 * Fails:   see carrier.h. */
#include "host/carrier.h"

static int uv_make(void *ctx, void **out, const struct dz_transport_uv_config *config)
{
    struct dz_transport_uv *t = NULL;
    (void)ctx;
    int err = dz_transport_uv_new(&t, config);
    *out = t;
    return err;
}

static int uv_open(void *carrier, uint16_t *port)
{
    return dz_transport_uv_open(carrier, port);
}

static int uv_start(void *carrier, const char *node_id, uint64_t incarnation)
{
    return dz_transport_uv_start(carrier, node_id, incarnation);
}

static struct dz_transport *uv_base(void *carrier)
{
    return dz_transport_uv_base(carrier);
}

static void uv_close_it(void *carrier, void (*closed)(void *ctx), void *ctx)
{
    dz_transport_uv_close(carrier, closed, ctx);
}

static void uv_delete(void *carrier)
{
    dz_transport_uv_delete(carrier);
}

const struct dz_carrier dz_carrier_uv = {
    .make = uv_make,
    .open = uv_open,
    .start = uv_start,
    .base = uv_base,
    .close = uv_close_it,
    .delete = uv_delete,
};
