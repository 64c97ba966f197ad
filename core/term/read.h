/* read.h - reads values from bytes, without copying.
 * Owns:    nothing; strings point into the bytes read.
 * Threads: one reader, one thread.
 * Fails:   DZ_EFORMAT for malformed or truncated bytes, DZ_ETOODEEP; the cursor then does not move. Callers that passed
 *          the bytes through dz_term_check may treat errors as impossible. */
#ifndef DZ_TERM_READ_H
#define DZ_TERM_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "term/term.h"

struct dz_read {
    const uint8_t *at;
    const uint8_t *end;
};

struct dz_value {
    enum dz_term_type type;
    union {
        bool boolean;
        int64_t integer;
        uint64_t uinteger;
        double number;
        uint32_t count; /* ARRAY: elements, MAP: pairs; they follow in the reader */
        struct {
            const char *bytes; /* STRING, PID, REF, FUNCTION (13 bytes: see term.h) */
            uint32_t len;
        } str;
    } as;
};

void dz_read_init(struct dz_read *r, const uint8_t *data, size_t len);
bool dz_read_at_end(const struct dz_read *r);
/* The next scalar or the head of the next array or map. */
int dz_read_next(struct dz_read *r, struct dz_value *out);
/* What dz_read_next would give, without moving. */
int dz_read_peek(const struct dz_read *r, struct dz_value *out);
/* Passes over one whole value; `data`/`len` (may be NULL) get its bytes. */
int dz_read_skip(struct dz_read *r, const uint8_t **data, size_t *len);

/* Typed reads: DZ_EFORMAT, cursor unmoved, when the next value is of another type. */
int dz_read_string(struct dz_read *r, const char **s, size_t *len);
int dz_read_int(struct dz_read *r, int64_t *v); /* also a float that is an integer exactly */
int dz_read_uint(struct dz_read *r, uint64_t *v);
int dz_read_number(struct dz_read *r, double *v); /* INT, UINT or FLOAT */
int dz_read_bool(struct dz_read *r, bool *v);
int dz_read_array(struct dz_read *r, uint32_t *count);
int dz_read_map(struct dz_read *r, uint32_t *count);

/* In the map that starts at [data, len): the bytes of the value under a string key. False when missing or not a map. */
bool dz_read_find(const uint8_t *data, size_t len, const char *key, struct dz_read *value);
/* The same for a string value. */
bool dz_read_find_string(const uint8_t *data, size_t len, const char *key, const char **s, size_t *slen);
bool dz_read_find_int(const uint8_t *data, size_t len, const char *key, int64_t *v);

#endif
