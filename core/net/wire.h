/* wire.h - reads big-endian fields from untrusted bytes.
 * Owns:    nothing; a cursor over the caller's bytes.
 * Threads: any; pure.
 * Fails:   the first read beyond the end sets `bad`; it and all later reads give zero, so a decoder checks once. */
#ifndef DZ_NET_WIRE_H
#define DZ_NET_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dz_wire {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static inline const uint8_t *dz_wire_bytes(struct dz_wire *w, size_t len)
{
    if (w->bad || len > w->left) {
        w->bad = true;
        return NULL;
    }
    const uint8_t *p = w->at;
    w->at += len;
    w->left -= len;
    return p;
}

static inline uint64_t dz_wire_uint(struct dz_wire *w, size_t size)
{
    const uint8_t *p = dz_wire_bytes(w, size);
    uint64_t v = 0;
    for (size_t i = 0; p && i < size; i++)
        v = v << 8 | p[i];
    return v;
}

static inline uint8_t dz_wire_u8(struct dz_wire *w)
{
    return (uint8_t)dz_wire_uint(w, 1);
}
static inline uint16_t dz_wire_u16(struct dz_wire *w)
{
    return (uint16_t)dz_wire_uint(w, 2);
}
static inline uint32_t dz_wire_u32(struct dz_wire *w)
{
    return (uint32_t)dz_wire_uint(w, 4);
}
static inline uint64_t dz_wire_u64(struct dz_wire *w)
{
    return dz_wire_uint(w, 8);
}

/* The first error of a chain of appends, kept in `err`. */
static inline void dz_wire_keep(int *err, int result)
{
    if (!*err)
        *err = result;
}

#endif
