/* sample.h - what the tests of the term layer share: cmocka in the order it wants, names in the fixed forms,
 * and one value that holds every type.
 * Owns:    nothing. */
#ifndef DZ_TESTS_TERM_SAMPLE_H
#define DZ_TESTS_TERM_SAMPLE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "term/build.h"

#define PID            "<a@127.0.0.1:4369/1700000000000.12.3>"
#define REF            "<ref a@127.0.0.1:4369/1700000000000.12.3.99>"
#define FUNCTION_BYTES "\0\0\0\1\0\0\0\2\0\0\0\3f"

/* splitmix64: the same numbers on every machine. */
static inline uint64_t sample_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A block of exactly len bytes on the heap, so that a read outside of it is seen. */
static inline uint8_t *sample_exact(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

/* An array of 20: every type, every width of head that is cheap to make. */
static inline void sample_all_types(struct dz_buf *buf)
{
    static const char text[300];
    struct dz_build b;
    dz_build_init(&b, buf);
    dz_build_array(&b, 20);
    dz_build_nil(&b);
    dz_build_bool(&b, true);
    dz_build_int(&b, -1);
    dz_build_int(&b, 200);
    dz_build_int(&b, -30000);
    dz_build_int(&b, 100000);
    dz_build_int(&b, INT64_MIN);
    dz_build_uint(&b, UINT64_MAX);
    dz_build_number(&b, 1.5);
    dz_build_string(&b, "short", 5);
    dz_build_string(&b, text, 40);
    dz_build_string(&b, text, 300);
    dz_build_pid(&b, PID, strlen(PID));
    dz_build_ref(&b, REF, strlen(REF));
    dz_build_int64(&b, -5);
    dz_build_uint64(&b, 5);
    dz_build_ext(&b, DZ_EXT_FUNCTION, FUNCTION_BYTES, 13);
    dz_build_map(&b, 2);
    dz_build_kint(&b, "n", 1);
    dz_build_number(&b, 0.5);
    dz_build_array(&b, 0);
    dz_build_map(&b, 0);
    dz_build_array(&b, 1);
    dz_build_array(&b, 1);
    dz_build_bool(&b, false);
    assert_int_equal(dz_build_done(&b), 0);
}

#endif
