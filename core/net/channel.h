/* channel.h - one connection's bytes: plain or TLS below, frames above.
 * Owns:    its TLS end, the bytes received and not yet consumed, the bytes to be written.
 * Threads: feed, seal and output need one lock or thread between them; next and what it gives belong to the reading
 *          thread alone (it touches only what feed has decrypted).
 * Fails:   DZ_EAUTH: one side has a secret and the other has not, or another one (the connection tells the peer so in
 *          `out`, to be written before it closes). DZ_EFORMAT: not our protocol. DZ_ECLOSED: the peer ended the
 *          encryption. DZ_ENOMEM. After a failure only dz_channel_fini is allowed, and writing `out`. */
#ifndef DZ_NET_CHANNEL_H
#define DZ_NET_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "net/frame.h"
#include "net/tls.h"

struct dz_channel {
    struct dz_tls_context *context; /* NULL: plain */
    struct dz_tls *tls;
    bool server;
    bool begun; /* the first bytes of the peer have been judged */
    bool open;  /* frames may go both ways */
    struct dz_buf first;
    struct dz_buf in;
    size_t in_used; /* bytes of `in` consumed by next */
    struct dz_buf out;
};

#define DZ_CHANNEL_ALLOW(type) (1u << (type))

/* The dialling end of TLS has its ClientHello in `out` at once. */
int dz_channel_init(struct dz_channel *c, struct dz_tls_context *context, bool server);
void dz_channel_fini(struct dz_channel *c);

/* Bytes came from the wire. */
int dz_channel_feed(struct dz_channel *c, const uint8_t *data, size_t len);
/* The next frame: 1 (valid until the next feed), 0, or DZ_EFORMAT; a frame whose type is not in the set `allowed` is
 * refused as soon as its type is there. */
int dz_channel_next(struct dz_channel *c, unsigned allowed, struct dz_frame *out);
/* Encoded frames for the peer go behind `out`. Only when open. */
int dz_channel_seal(struct dz_channel *c, const void *data, size_t len);

#endif
