/* transport_uv.h - sessions over TCP on a libuv loop: the only code with sockets.
 * Owns:    the listener, every connection, the timer and the wake-up handle of its loop; a copy of its configuration.
 * Threads: as transport.h says; new, open, start, close and stats belong to the loop's thread.
 * Fails:   each call says how. After `open`, successful or not, it ends with close, whose callback runs exactly once; then
 *          no event comes any more, all handles are closed, and `delete` frees the memory (until then a `send` from
 *          another thread is safe and answers DZ_ENOCONNECTION).
 * Flow:    new -> open -> start(id) -> ... -> ops->stop (optional, polite) -> close(cb) -> delete. */
#ifndef DZ_NET_TRANSPORT_UV_H
#define DZ_NET_TRANSPORT_UV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/env.h"
#include "base/log.h"
#include "net/transport.h"

struct uv_loop_s;
struct dz_transport_uv;

struct dz_transport_uv_config {
    struct uv_loop_s *loop;
    const struct dz_env *env;
    const struct dz_log *log;
    const struct dz_transport_events *events;
    void *ctx;               /* given to every event */
    const char *listen_host; /* a numeric address or a name */
    uint16_t listen_port;    /* 0 takes a free one */
    const char *secret;      /* NULL: none; with one every connection is TLS 1.3, also on loopback */
    size_t secret_len;
    const char *tls_cert; /* files; all three or none. Certificates take the place of the secret */
    const char *tls_key;
    const char *tls_ca;
    bool insecure; /* plain text off loopback */
    uint64_t birth;
    /* 0 in any of these takes the default. */
    uint32_t redial_base_ms;       /* 1,000 */
    uint32_t redial_max_ms;        /* 30,000 */
    uint32_t handshake_timeout_ms; /* 5,000 */
    uint32_t max_handshakes;       /* 64 */
    uint32_t max_peers;            /* 1,024 */
    size_t session_limit;          /* DZ_NET_SESSION_LIMIT */
    char *why;                     /* gets the text of what is unusable; NULL: the log does */
    size_t why_size;
};

struct dz_transport_uv_stats {
    uint64_t accepted;    /* connections */
    uint64_t established; /* handshakes that succeeded */
    uint64_t resumed;     /* of them, those that resumed a session */
    uint64_t refused;     /* handshakes we refused */
    uint64_t garbage;     /* connections closed for bytes that were no handshake, or malformed frames */
    uint64_t timeouts;
    uint64_t secret_mismatches;
    uint64_t turned_away; /* of the accepted: not let in for any reason, or closed for malformed frames */
    uint32_t handshakes;  /* under way now */
    uint32_t connections; /* established now */
};

/* Memory and TLS contexts, no handles. DZ_ECONFIG (with the reason in config->why, or in the log) for unusable secrets, files or
 * limits, DZ_ENOMEM. */
int dz_transport_uv_new(struct dz_transport_uv **out, const struct dz_transport_uv_config *config);
/* Binds the listener and tells its port. DZ_EADDRINUSE, DZ_ECONFIG (the address is unusable), DZ_EIO. */
int dz_transport_uv_open(struct dz_transport_uv *t, uint16_t *port);
/* From here on connections are accepted. DZ_ENODEID. */
int dz_transport_uv_start(struct dz_transport_uv *t, const char *node_id, uint64_t incarnation);
void dz_transport_uv_close(struct dz_transport_uv *t, void (*closed)(void *ctx), void *ctx);
/* Only after close's callback (it may be called from inside it), or when open was never called. */
void dz_transport_uv_delete(struct dz_transport_uv *t);

struct dz_transport *dz_transport_uv_base(struct dz_transport_uv *t);
void dz_transport_uv_stats(const struct dz_transport_uv *t, struct dz_transport_uv_stats *out);
/* Cuts the present connection of a peer as if the network had; the session stands. For tests and chaos. False when there
 * is none. */
bool dz_transport_uv_cut(struct dz_transport_uv *t, uint64_t peer);

#endif
