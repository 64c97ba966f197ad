/* buf.c - a growable run of bytes.
 * Owns:    the bytes between init and fini or detach.
 * Threads: one at a time.
 * Fails:   DZ_ENOMEM, DZ_ETOOLARGE; the bytes written so far stand. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

#define FIRST_CAP       64u
#define PRINTF_ON_STACK 256

void dz_buf_init(struct dz_buf *b)
{
    memset(b, 0, sizeof *b);
}

void dz_buf_fini(struct dz_buf *b)
{
    dz_free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

/* Doubles, so that n appends cost O(n); never beyond the limit, so that a buffer's memory is bounded too. */
static int grow(struct dz_buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (b->limit && cap > b->limit)
        cap = b->limit;
    uint8_t *data = dz_realloc(b->data, cap);
    if (!data)
        return DZ_ENOMEM;
    b->data = data;
    b->cap = cap;
    return 0;
}

int dz_buf_reserve(struct dz_buf *b, size_t more)
{
    dz_assert(b->len <= b->cap);
    if (more > SIZE_MAX - b->len)
        return DZ_ETOOLARGE;
    size_t need = b->len + more;
    if (b->limit && need > b->limit)
        return DZ_ETOOLARGE;
    if (need <= b->cap)
        return 0;
    return grow(b, need);
}

int dz_buf_append(struct dz_buf *b, const void *data, size_t len)
{
    int err = dz_buf_reserve(b, len);
    if (err || len == 0)
        return err;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return 0;
}

int dz_buf_append_u8(struct dz_buf *b, uint8_t v)
{
    int err = dz_buf_reserve(b, 1);
    if (err)
        return err;
    b->data[b->len++] = v;
    return 0;
}

int dz_buf_append_u16(struct dz_buf *b, uint16_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap16(v);
#endif
    return dz_buf_append(b, &v, sizeof v);
}

int dz_buf_append_u32(struct dz_buf *b, uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return dz_buf_append(b, &v, sizeof v);
}

int dz_buf_append_u64(struct dz_buf *b, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return dz_buf_append(b, &v, sizeof v);
}

/* vsnprintf wants room for a zero byte that the limit may not leave: long texts take a detour through the
 * heap. */
static int print_long(struct dz_buf *b, const char *format, va_list args, size_t len)
{
    int err = dz_buf_reserve(b, len);
    if (err)
        return err;
    char *text = dz_alloc(len + 1);
    if (!text)
        return DZ_ENOMEM;
    vsnprintf(text, len + 1, format, args);
    err = dz_buf_append(b, text, len);
    dz_free(text);
    return err;
}

int dz_buf_printf(struct dz_buf *b, const char *format, ...)
{
    char text[PRINTF_ON_STACK];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        return DZ_EARGUMENT;
    if ((size_t)len < sizeof text)
        return dz_buf_append(b, text, (size_t)len);
    va_start(args, format);
    int err = print_long(b, format, args, (size_t)len);
    va_end(args);
    return err;
}

void dz_buf_consume(struct dz_buf *b, size_t len)
{
    dz_assert(len <= b->len);
    if (len == 0)
        return;
    b->len -= len;
    if (b->len > 0)
        memmove(b->data, b->data + len, b->len);
}

void dz_buf_clear(struct dz_buf *b)
{
    b->len = 0;
}

uint8_t *dz_buf_detach(struct dz_buf *b, size_t *len)
{
    uint8_t *data = b->data;
    *len = b->len;
    b->data = NULL;
    b->len = b->cap = 0;
    return data;
}
