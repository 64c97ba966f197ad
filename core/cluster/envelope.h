/* envelope.h - a message between processes, as it travels between two nodes.
 * Owns:    nothing; a decoded name points into the bytes read, the decoded message is the caller's.
 * Threads: any; pure but for identities met for the first time, which are interned.
 * Fails:   encode: DZ_ENOMEM, DZ_ETOOLARGE. decode: DZ_EFORMAT for what an honest peer cannot send,
 *          DZ_ETOODEEP, DZ_ETOOLARGE, DZ_ENOMEM; the message is not made.
 *
 *     u8 frame, u8 kind, u8 flags, u16 code, u64 ref, from, to, payload (one term, or nothing)
 *
 * A process is a byte that says whose it is, then slot u32 and gen u32; the two ends of a session need no
 * text for their own identities. A process of a third node travels as its text; a process meant by its local
 * name as that name. */
#ifndef DZ_CLUSTER_ENVELOPE_H
#define DZ_CLUSTER_ENVELOPE_H

#include "base/buf.h"
#include "proc/message.h"
#include "proc/rt.h"

/* The first byte of every message of a session. */
enum dz_frame_kind {
    DZ_CLUSTER_MESSAGE = 1, /* an envelope; queued with its sender's others */
    /* All below are queued together: what is sent first arrives first. */
    DZ_CLUSTER_SPAWN, /* an envelope; ref in front of it: the number of the request */
    DZ_CLUSTER_CANCEL,
    DZ_CLUSTER_EXCHANGE,
    DZ_CLUSTER_VERDICT,
    DZ_CLUSTER_GLOBAL_ASK,
    DZ_CLUSTER_GLOBAL_ANSWER,
    DZ_CLUSTER_GLOBAL_SET,
    DZ_CLUSTER_GLOBAL_SEEN,
    DZ_CLUSTER_GLOBAL_FREE,
    DZ_CLUSTER_CONFIRM, /* the answer to a spawn has arrived */
};

/* The key of everything but DZ_CLUSTER_MESSAGE. */
#define DZ_CLUSTER_KEY 0u

/* The identities of the other end of a session. */
struct dz_envelope_ends {
    struct dz_nodes *nodes;
    uint32_t peer;       /* its named identity */
    uint32_t peer_birth; /* its birth identity */
};

/* Appends the envelope of msg; `name` (may be NULL) takes the place of msg->to. */
int dz_envelope_encode(struct dz_buf *out, const struct dz_envelope_ends *ends, const struct dz_msg *msg,
                       const char *name, size_t name_len);

struct dz_envelope {
    struct dz_msg *msg; /* `to` is none when a name is given */
    const char *name;
    size_t name_len;
};
/* `data` stands behind the frame byte. */
int dz_envelope_decode(const struct dz_envelope_ends *ends, const uint8_t *data, size_t len,
                       struct dz_envelope *out);

/* The key under which a process's messages keep their order; never DZ_CLUSTER_KEY. */
uint64_t dz_envelope_key(const struct dz_msg *msg);

#endif
