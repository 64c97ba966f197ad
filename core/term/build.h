/* build.h - writes one value into a buffer.
 * Owns:    nothing; the buffer is the caller's.
 * Threads: one at a time.
 * Fails:   never call by call: the first error sticks in `err` and later calls do nothing, so a caller checks once, with
 *          dz_build_done.
 * Arrays and maps are announced with their count; a map's entries are key, value, key, value. */
#ifndef DZ_TERM_BUILD_H
#define DZ_TERM_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "term/term.h"

struct dz_build {
    struct dz_buf *buf;
    int err;
};

void dz_build_init(struct dz_build *b, struct dz_buf *buf);
/* The first error, or 0. */
int dz_build_done(const struct dz_build *b);

void dz_build_nil(struct dz_build *b);
void dz_build_bool(struct dz_build *b, bool v);
void dz_build_int(struct dz_build *b, int64_t v);
void dz_build_uint(struct dz_build *b, uint64_t v);
/* An integer if it is one exactly within +-2^53 (and not -0.0), else float 64. */
void dz_build_number(struct dz_build *b, double v);
void dz_build_string(struct dz_build *b, const char *s, size_t len);
void dz_build_cstring(struct dz_build *b, const char *s); /* NULL gives nil */
void dz_build_array(struct dz_build *b, uint32_t count);
void dz_build_map(struct dz_build *b, uint32_t count);
void dz_build_ext(struct dz_build *b, enum dz_term_ext type, const void *data, size_t len);
void dz_build_pid(struct dz_build *b, const char *text, size_t len);
void dz_build_ref(struct dz_build *b, const char *text, size_t len);
void dz_build_int64(struct dz_build *b, int64_t v);   /* boxed */
void dz_build_uint64(struct dz_build *b, uint64_t v); /* boxed */
/* Bytes that are one value already. */
void dz_build_raw(struct dz_build *b, const uint8_t *data, size_t len);

/* Map entries with a constant key. */
void dz_build_kstring(struct dz_build *b, const char *key, const char *s);
void dz_build_kint(struct dz_build *b, const char *key, int64_t v);
void dz_build_kbool(struct dz_build *b, const char *key, bool v);
void dz_build_kraw(struct dz_build *b, const char *key, const uint8_t *data, size_t len);
void dz_build_key(struct dz_build *b, const char *key);

#endif
