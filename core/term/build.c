/* build.c - writes one value into a buffer.
 * Owns:    nothing; the buffer is the caller's.
 * Threads: one at a time.
 * Fails:   the first error sticks in `err`.
 * Every write asks the buffer for room once, for its head and its bytes together, and always takes the
 * shortest form: equal values have equal bytes. Pids, refs and raw bytes are written as they come: the caller
 * has checked them. */
#include "term/build.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"

#define MAX_EXACT 9007199254740992.0 /* 2^53 */

void dz_build_init(struct dz_build *b, struct dz_buf *buf)
{
    b->buf = buf;
    b->err = 0;
}

int dz_build_done(const struct dz_build *b)
{
    return b->err;
}

static uint8_t *room_slow(struct dz_build *b, size_t n)
{
    b->err = dz_buf_reserve(b->buf, n);
    return b->err ? NULL : b->buf->data + b->buf->len;
}

/* Where the next n bytes go; NULL after an error. The caller moves len by what it wrote. */
static inline uint8_t *room(struct dz_build *b, size_t n)
{
    struct dz_buf *buf = b->buf;
    if (__builtin_expect(b->err != 0, 0))
        return NULL;
    if (__builtin_expect(buf->limit == 0 && n <= buf->cap - buf->len, 1))
        return buf->data + buf->len;
    return room_slow(b, n);
}

static inline uint8_t *store16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
    return p + 2;
}

static inline uint8_t *store32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
    return p + 4;
}

static inline uint8_t *store64(uint8_t *p, uint64_t v)
{
    return store32(store32(p, (uint32_t)(v >> 32)), (uint32_t)v);
}

static inline void one_byte(struct dz_build *b, uint8_t v)
{
    uint8_t *p = room(b, 1);
    if (!p)
        return;
    *p = v;
    b->buf->len++;
}

void dz_build_nil(struct dz_build *b)
{
    one_byte(b, 0xc0);
}

void dz_build_bool(struct dz_build *b, bool v)
{
    one_byte(b, v ? 0xc3 : 0xc2);
}

static uint8_t *store_positive(uint8_t *p, uint64_t v)
{
    if (v <= UINT8_MAX) {
        *p++ = 0xcc;
        *p++ = (uint8_t)v;
        return p;
    }
    if (v <= UINT16_MAX) {
        *p++ = 0xcd;
        return store16(p, (uint16_t)v);
    }
    if (v <= UINT32_MAX) {
        *p++ = 0xce;
        return store32(p, (uint32_t)v);
    }
    *p++ = 0xcf;
    return store64(p, v);
}

static uint8_t *store_negative(uint8_t *p, int64_t v)
{
    if (v >= INT8_MIN) {
        *p++ = 0xd0;
        *p++ = (uint8_t)v;
        return p;
    }
    if (v >= INT16_MIN) {
        *p++ = 0xd1;
        return store16(p, (uint16_t)v);
    }
    if (v >= INT32_MIN) {
        *p++ = 0xd2;
        return store32(p, (uint32_t)v);
    }
    *p++ = 0xd3;
    return store64(p, (uint64_t)v);
}

/* Through the stack, because a buffer near its limit has room for the form it takes but not for the longest
 * one. */
static void wide_int(struct dz_build *b, int64_t v)
{
    uint8_t form[9];
    uint8_t *end = v < 0 ? store_negative(form, v) : store_positive(form, (uint64_t)v);
    dz_build_raw(b, form, (size_t)(end - form));
}

void dz_build_int(struct dz_build *b, int64_t v)
{
    if (v >= -32 && v <= 127)
        one_byte(b, (uint8_t)v);
    else
        wide_int(b, v);
}

void dz_build_uint(struct dz_build *b, uint64_t v)
{
    if (v <= INT64_MAX) {
        dz_build_int(b, (int64_t)v);
        return;
    }
    uint8_t *p = room(b, 9);
    if (!p)
        return;
    *p = 0xcf;
    store64(p + 1, v);
    b->buf->len += 9;
}

void dz_build_number(struct dz_build *b, double v)
{
    if (v >= -MAX_EXACT && v <= MAX_EXACT && v == (double)(int64_t)v && !(v == 0 && signbit(v))) {
        dz_build_int(b, (int64_t)v);
        return;
    }
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint8_t *p = room(b, 9);
    if (!p)
        return;
    *p = 0xcb;
    store64(p + 1, bits);
    b->buf->len += 9;
}

void dz_build_string(struct dz_build *b, const char *s, size_t len)
{
    if (len > UINT32_MAX) {
        b->err = b->err ? b->err : DZ_ETOOLARGE;
        return;
    }
    size_t head = len <= 31 ? 1 : len <= UINT8_MAX ? 2 : len <= UINT16_MAX ? 3 : 5;
    uint8_t *p = room(b, head + len);
    if (!p)
        return;
    if (head == 1) {
        *p++ = (uint8_t)(0xa0 | len);
    } else if (head == 2) {
        *p++ = 0xd9;
        *p++ = (uint8_t)len;
    } else if (head == 3) {
        *p++ = 0xda;
        p = store16(p, (uint16_t)len);
    } else {
        *p++ = 0xdb;
        p = store32(p, (uint32_t)len);
    }
    if (len > 0)
        memcpy(p, s, len);
    b->buf->len += head + len;
}

void dz_build_cstring(struct dz_build *b, const char *s)
{
    if (s)
        dz_build_string(b, s, strlen(s));
    else
        dz_build_nil(b);
}

static void head_of(struct dz_build *b, uint32_t count, uint8_t fix, uint8_t wide)
{
    if (count <= 15) {
        one_byte(b, (uint8_t)(fix | count));
        return;
    }
    size_t len = count <= UINT16_MAX ? 3 : 5;
    uint8_t *p = room(b, len);
    if (!p)
        return;
    *p++ = len == 3 ? wide : (uint8_t)(wide + 1);
    if (len == 3)
        store16(p, (uint16_t)count);
    else
        store32(p, count);
    b->buf->len += len;
}

void dz_build_array(struct dz_build *b, uint32_t count)
{
    head_of(b, count, 0x90, 0xdc);
}

void dz_build_map(struct dz_build *b, uint32_t count)
{
    head_of(b, count, 0x80, 0xde);
}

static uint8_t fixext_tag(size_t len)
{
    switch (len) {
    case 1:
        return 0xd4;
    case 2:
        return 0xd5;
    case 4:
        return 0xd6;
    case 8:
        return 0xd7;
    case 16:
        return 0xd8;
    default:
        return 0;
    }
}

void dz_build_ext(struct dz_build *b, enum dz_term_ext type, const void *data, size_t len)
{
    if (len > UINT16_MAX) {
        b->err = b->err ? b->err : DZ_ETOOLARGE;
        return;
    }
    uint8_t fix = fixext_tag(len);
    size_t head = fix ? 2 : len <= UINT8_MAX ? 3 : 4;
    uint8_t *p = room(b, head + len);
    if (!p)
        return;
    if (fix) {
        *p++ = fix;
    } else if (len <= UINT8_MAX) {
        *p++ = 0xc7;
        *p++ = (uint8_t)len;
    } else {
        *p++ = 0xc8;
        p = store16(p, (uint16_t)len);
    }
    *p++ = (uint8_t)type;
    if (len > 0)
        memcpy(p, data, len);
    b->buf->len += head + len;
}

void dz_build_pid(struct dz_build *b, const char *text, size_t len)
{
    dz_build_ext(b, DZ_EXT_PID, text, len);
}

void dz_build_ref(struct dz_build *b, const char *text, size_t len)
{
    dz_build_ext(b, DZ_EXT_REF, text, len);
}

static void boxed(struct dz_build *b, enum dz_term_ext type, uint64_t v)
{
    uint8_t bytes[8];
    store64(bytes, v);
    dz_build_ext(b, type, bytes, sizeof bytes);
}

void dz_build_int64(struct dz_build *b, int64_t v)
{
    boxed(b, DZ_EXT_INT64, (uint64_t)v);
}

void dz_build_uint64(struct dz_build *b, uint64_t v)
{
    boxed(b, DZ_EXT_UINT64, v);
}

void dz_build_raw(struct dz_build *b, const uint8_t *data, size_t len)
{
    if (len == 0)
        return;
    uint8_t *p = room(b, len);
    if (!p)
        return;
    memcpy(p, data, len);
    b->buf->len += len;
}

void dz_build_key(struct dz_build *b, const char *key)
{
    dz_assert(key);
    dz_build_string(b, key, strlen(key));
}

void dz_build_kstring(struct dz_build *b, const char *key, const char *s)
{
    dz_build_key(b, key);
    dz_build_cstring(b, s);
}

void dz_build_kint(struct dz_build *b, const char *key, int64_t v)
{
    dz_build_key(b, key);
    dz_build_int(b, v);
}

void dz_build_kbool(struct dz_build *b, const char *key, bool v)
{
    dz_build_key(b, key);
    dz_build_bool(b, v);
}

void dz_build_kraw(struct dz_build *b, const char *key, const uint8_t *data, size_t len)
{
    dz_build_key(b, key);
    dz_build_raw(b, data, len);
}
