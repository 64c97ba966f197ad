/* tls.h - TLS 1.3 over bytes in memory: no socket, no file but the certificates read by dz_tls_context_new.
 * Owns:    a context: the cluster's key or certificates. A dz_tls: one end of one connection.
 * Threads: a context any (constant after new); a dz_tls one at a time.
 * Fails:   DZ_EAUTH when the peer could not prove itself or the bytes are no TLS, DZ_ECLOSED after the peer's
 *          close_notify, DZ_ENOMEM; DZ_ECONFIG for unusable files or secrets.
 * No tickets, no early data, no renegotiation, no other version: a recorded connection is worth nothing. */
#ifndef DZ_NET_TLS_H
#define DZ_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

#define DZ_TLS_MAX_FIRST_RECORD 2048u /* of a connection we accepted, before an SSL object exists */

struct dz_tls_context;
struct dz_tls;

/* The secret becomes an external pre-shared key (HKDF, SHA-256); it is not kept. */
int dz_tls_context_new_secret(struct dz_tls_context **out, const void *secret, size_t len);
/* Both ends prove themselves with a certificate of the CA in `ca`. `why` (may be NULL) gets a line for the log. */
int dz_tls_context_new_files(struct dz_tls_context **out, const char *cert, const char *key, const char *ca,
                             char *why, size_t why_len);
void dz_tls_context_delete(struct dz_tls_context *c);

int dz_tls_new(struct dz_tls **out, struct dz_tls_context *c, bool server);
void dz_tls_delete(struct dz_tls *t);
/* Drives the handshake: 1 done, 0 needs bytes of the peer, else an error (an alert may wait in dz_tls_output). */
int dz_tls_handshake(struct dz_tls *t);
/* Bytes from the wire go in. DZ_ENOMEM. */
int dz_tls_input(struct dz_tls *t, const void *data, size_t len);
/* Appends what was decrypted to `out`, at most about `max` bytes: 1 there may be more, 0 nothing left for now. */
int dz_tls_read(struct dz_tls *t, struct dz_buf *out, size_t max);
/* Encrypts all of data; the records wait for dz_tls_output. */
int dz_tls_write(struct dz_tls *t, const void *data, size_t len);
/* Moves the bytes for the wire behind `out`. DZ_ENOMEM, DZ_ETOOLARGE: they still wait. */
int dz_tls_output(struct dz_tls *t, struct dz_buf *out);
/* Queues a close_notify. */
void dz_tls_finish(struct dz_tls *t);

/* Looks at the first bytes of a connection: 1 a whole ClientHello record of at most DZ_TLS_MAX_FIRST_RECORD bytes, 0 more
 * bytes are needed, DZ_EFORMAT not a ClientHello or one too long. */
int dz_tls_first_record(const uint8_t *data, size_t len);

#endif
