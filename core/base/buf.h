/* buf.h - a growable run of bytes.
 * Owns:    its bytes, until dz_buf_fini or dz_buf_detach.
 * Threads: one at a time.
 * Fails:   DZ_ENOMEM, DZ_ETOOLARGE (beyond `limit`); on failure the bytes written so far stand. */
#ifndef DZ_BASE_BUF_H
#define DZ_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct dz_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t limit; /* 0: none */
};

void dz_buf_init(struct dz_buf *b);
void dz_buf_fini(struct dz_buf *b);

/* Room for `more` bytes behind len. */
int dz_buf_reserve(struct dz_buf *b, size_t more);
int dz_buf_append(struct dz_buf *b, const void *data, size_t len);
int dz_buf_append_u8(struct dz_buf *b, uint8_t v);
/* Big-endian, as everything on the wire is. */
int dz_buf_append_u16(struct dz_buf *b, uint16_t v);
int dz_buf_append_u32(struct dz_buf *b, uint32_t v);
int dz_buf_append_u64(struct dz_buf *b, uint64_t v);
int dz_buf_printf(struct dz_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Removes the first `len` bytes (moves the rest down). */
void dz_buf_consume(struct dz_buf *b, size_t len);
/* len = 0, memory kept. */
void dz_buf_clear(struct dz_buf *b);
/* Hands the bytes to the caller (dz_free); the buffer is empty afterwards. */
uint8_t *dz_buf_detach(struct dz_buf *b, size_t *len);

#endif
