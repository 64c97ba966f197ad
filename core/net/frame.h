/* frame.h - the unit on the wire: u32 length of what follows, u8 type, body; everything big-endian.
 * Owns:    nothing; decoded frames point into the bytes read.
 * Threads: any; pure.
 * Fails:   decode: DZ_EFORMAT for an unknown type, a length beyond the type's bounds or a malformed body; "not there
 *          yet" is no error. encode: DZ_ENOMEM, DZ_ETOOLARGE, the buffer as it was.
 *
 *     HELLO, HELLO_ACK   see handshake.h
 *     REFUSE             u16 version, u8 reason, u64 known incarnation
 *     READY              u64 challenge: the dialler has taken the session of the HELLO_ACK
 *     DATA               u64 number, u64 acknowledged, u64 key, bytes
 *     FRAGMENT           u64 number, u64 acknowledged, u64 key, u32 total, u8 lane, u8 flags, bytes
 *     ACK                u64 acknowledged
 *     HEARTBEAT          u64 acknowledged, u64 counter, u32 processes, u32 load, u32 flags
 *     GOODBYE            (empty)
 *     MEMBERSHIP         bytes */
#ifndef DZ_NET_FRAME_H
#define DZ_NET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "net/transport.h"

#define DZ_FRAME_MAX_PAYLOAD 65536u /* bytes of a DATA, FRAGMENT or MEMBERSHIP */
#define DZ_FRAME_PREFIX      4u     /* the length itself */
#define DZ_FRAME_MAX_HEAD    64u    /* more than any type's fixed part, prefix included */
#define DZ_FRAME_MAX_HELLO   (DZ_NET_MAX_ATTRIBUTES + DZ_NET_MAX_KNOWN_PEERS + 1024u)
#define DZ_FRAME_LANES       16u

enum dz_frame_type {
    DZ_FRAME_HELLO = 1,
    DZ_FRAME_HELLO_ACK = 2,
    DZ_FRAME_REFUSE = 3,
    DZ_FRAME_READY = 4,
    DZ_FRAME_DATA = 5,
    DZ_FRAME_FRAGMENT = 6,
    DZ_FRAME_ACK = 7,
    DZ_FRAME_HEARTBEAT = 8,
    DZ_FRAME_GOODBYE = 9,
    DZ_FRAME_MEMBERSHIP = 10,
};

#define DZ_FRAGMENT_FIRST 1u
#define DZ_FRAGMENT_LAST  2u

struct dz_frame {
    enum dz_frame_type type;
    uint64_t number;                /* DATA, FRAGMENT */
    uint64_t acknowledged;          /* DATA, FRAGMENT, ACK, HEARTBEAT */
    uint64_t key;                   /* DATA, FRAGMENT */
    uint32_t total;                 /* FRAGMENT: bytes of the whole message */
    uint8_t lane;                   /* FRAGMENT */
    uint8_t flags;                  /* FRAGMENT */
    uint8_t reason;                 /* REFUSE */
    uint16_t version;               /* REFUSE */
    uint64_t known_incarnation;     /* REFUSE */
    uint64_t challenge;             /* READY: the one of the HELLO_ACK */
    struct dz_peer_figures figures; /* HEARTBEAT */
    const uint8_t *data;            /* the body's bytes: HELLO, HELLO_ACK, DATA, FRAGMENT, MEMBERSHIP */
    size_t len;
};

int dz_frame_encode(struct dz_buf *out, const struct dz_frame *frame);
/* 1 and the bytes used when a whole frame stands at data, 0 when more bytes are needed, DZ_EFORMAT. */
int dz_frame_decode(const uint8_t *data, size_t len, struct dz_frame *out, size_t *used);

#endif
