/* reassembly.h - puts the fragments of big messages together again, one message a lane at a time.
 * Owns:    the bytes of messages half received, and of the last one completed (until the next call).
 * Threads: one at a time; pure.
 * Fails:   DZ_EFORMAT for fragments that do not fit each other or are beyond DZ_NET_MAX_MESSAGE or the total bound,
 *          DZ_ENOMEM; what was assembled before stands.
 * Memory grows with the bytes that really came, never with a length that was only announced. */
#ifndef DZ_NET_REASSEMBLY_H
#define DZ_NET_REASSEMBLY_H

#include <stddef.h>
#include <stdint.h>
#include "net/frame.h"

struct dz_reassembly_lane {
    struct dz_buf bytes;
    uint64_t key;
    uint32_t total; /* 0: no message under way */
};

struct dz_reassembly {
    struct dz_reassembly_lane lanes[DZ_FRAME_LANES];
    struct dz_buf done;
    size_t held;  /* bytes in the lanes */
    size_t limit; /* of held */
};

void dz_reassembly_init(struct dz_reassembly *r, size_t limit);
void dz_reassembly_fini(struct dz_reassembly *r);
/* 1: the message is whole, its bytes at *data until the next call; 0: more to come. */
int dz_reassembly_add(struct dz_reassembly *r, const struct dz_frame *fragment, const uint8_t **data,
                      size_t *len);

#endif
