/* put.h - numbers and heads of terms written at a place that has room: for the encoders of core/vm.
 * Owns:    nothing.
 * Threads: any.
 * Fails:   never. */
#ifndef DZ_VM_PUT_H
#define DZ_VM_PUT_H

#include <stdint.h>
#include <string.h>

#define DZ_PUT_NUMBER 9u /* bytes a number takes at most */

/* The head and `width` bytes of v, most significant first. Gives the end. */
static inline uint8_t *dz_put_wide(uint8_t *p, uint8_t head, uint64_t v, int width)
{
    *p = head;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v) >> (64 - width * 8);
    memcpy(p + 1, &v, (size_t)width);
#else
    for (int i = 1; i <= width; i++)
        p[i] = (uint8_t)(v >> (width - i) * 8);
#endif
    return p + 1 + width;
}

static inline uint8_t *dz_put_integer(uint8_t *p, int64_t v)
{
    uint64_t u = (uint64_t)v;
    if (v >= -32 && v <= 127) {
        *p = (uint8_t)v;
        return p + 1;
    }
    if (v >= 0 && v <= UINT16_MAX)
        return v <= UINT8_MAX ? dz_put_wide(p, 0xcc, u, 1) : dz_put_wide(p, 0xcd, u, 2);
    if (v >= 0)
        return v <= UINT32_MAX ? dz_put_wide(p, 0xce, u, 4) : dz_put_wide(p, 0xcf, u, 8);
    if (v >= INT16_MIN)
        return v >= INT8_MIN ? dz_put_wide(p, 0xd0, u, 1) : dz_put_wide(p, 0xd1, u, 2);
    return v >= INT32_MIN ? dz_put_wide(p, 0xd2, u, 4) : dz_put_wide(p, 0xd3, u, 8);
}

/* A whole number that a double holds exactly is an integer; minus zero is none. */
static inline uint8_t *dz_put_number(uint8_t *p, double v)
{
    const double largest = 9007199254740992.0;
    uint64_t bits;
    int64_t i = v >= -largest && v <= largest ? (int64_t)v : 0;
    memcpy(&bits, &v, sizeof bits);
    if ((double)i != v || (i == 0 && bits != 0))
        return dz_put_wide(p, 0xcb, bits, 8);
    return dz_put_integer(p, i);
}

#endif
