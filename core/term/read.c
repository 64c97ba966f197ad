/* read.c - reads values from bytes, without copying.
 * Owns:    nothing; strings point into the bytes read.
 * Threads: one reader, one thread.
 * Fails:   DZ_EFORMAT, DZ_ETOODEEP; the cursor then does not move.
 * Of MessagePack this is the part that build.c writes, in any width of head: no bin, no float 32, no other
 * ext types. A count that the bytes left cannot hold is malformed, so whoever makes room for `count` elements
 * is not fooled. */
#include "term/read.h"

#include <string.h>

#include "base/err.h"

void dz_read_init(struct dz_read *r, const uint8_t *data, size_t len)
{
    r->at = data;
    r->end = len > 0 ? data + len : data;
}

bool dz_read_at_end(const struct dz_read *r)
{
    return r->at == r->end;
}

/* A big-endian number of `width` bytes. */
static inline uint64_t load(const uint8_t *p, size_t width)
{
    uint64_t v = 0;
    for (size_t i = 0; i < width; i++)
        v = v << 8 | p[i];
    return v;
}

static inline size_t left(const uint8_t *p, const uint8_t *end)
{
    return (size_t)(end - p);
}

/* All below parse what follows the tag at p and give where the value, or the head of a table, ends; NULL if
 * malformed. */

static inline const uint8_t *bytes(const uint8_t *p, const uint8_t *end, struct dz_value *v,
                                   enum dz_term_type type, size_t len)
{
    if (left(p, end) < len)
        return NULL;
    v->type = type;
    v->as.str.bytes = (const char *)p;
    v->as.str.len = (uint32_t)len;
    return p + len;
}

static inline const uint8_t *table(const uint8_t *p, const uint8_t *end, struct dz_value *v,
                                   enum dz_term_type type, uint64_t count)
{
    if (left(p, end) < (type == DZ_TERM_MAP ? count * 2 : count))
        return NULL;
    v->type = type;
    v->as.count = (uint32_t)count;
    return p;
}

static const uint8_t *unsigned_int(const uint8_t *p, const uint8_t *end, struct dz_value *v, size_t width)
{
    if (left(p, end) < width)
        return NULL;
    uint64_t n = load(p, width);
    v->type = n > INT64_MAX ? DZ_TERM_UINT : DZ_TERM_INT;
    v->as.uinteger = n;
    return p + width;
}

static const uint8_t *signed_int(const uint8_t *p, const uint8_t *end, struct dz_value *v, size_t width)
{
    if (left(p, end) < width)
        return NULL;
    unsigned shift = (unsigned)(64 - 8 * width);
    v->type = DZ_TERM_INT;
    v->as.integer = (int64_t)(load(p, width) << shift) >> shift;
    return p + width;
}

static const uint8_t *float64(const uint8_t *p, const uint8_t *end, struct dz_value *v)
{
    if (left(p, end) < 8)
        return NULL;
    uint64_t bits = load(p, 8);
    v->type = DZ_TERM_FLOAT;
    memcpy(&v->as.number, &bits, sizeof bits);
    return p + 8;
}

static const uint8_t *string(const uint8_t *p, const uint8_t *end, struct dz_value *v, size_t width)
{
    if (left(p, end) < width)
        return NULL;
    return bytes(p + width, end, v, DZ_TERM_STRING, (size_t)load(p, width));
}

static const uint8_t *wide_table(const uint8_t *p, const uint8_t *end, struct dz_value *v,
                                 enum dz_term_type type, size_t width)
{
    if (left(p, end) < width)
        return NULL;
    return table(p + width, end, v, type, load(p, width));
}

/* p stands at the type byte, `len` bytes follow it. */
static const uint8_t *ext(const uint8_t *p, const uint8_t *end, struct dz_value *v, size_t len)
{
    if (left(p, end) < 1 || left(p + 1, end) < len)
        return NULL;
    uint8_t type = *p++;
    switch (type) {
    case DZ_EXT_PID:
    case DZ_EXT_REF:
        return len <= DZ_TERM_MAX_ID ? bytes(p, end, v, type == DZ_EXT_PID ? DZ_TERM_PID : DZ_TERM_REF, len)
                                     : NULL;
    case DZ_EXT_INT64:
    case DZ_EXT_UINT64:
        if (len != 8)
            return NULL;
        v->type = type == DZ_EXT_INT64 ? DZ_TERM_INT64 : DZ_TERM_UINT64;
        v->as.uinteger = load(p, 8);
        return p + 8;
    case DZ_EXT_FUNCTION:
        if (len != 13 || (p[12] != 'f' && p[12] != 't'))
            return NULL;
        return bytes(p, end, v, DZ_TERM_FUNCTION, len);
    default:
        return NULL;
    }
}

static const uint8_t *wide_ext(const uint8_t *p, const uint8_t *end, struct dz_value *v, size_t width)
{
    if (left(p, end) < width)
        return NULL;
    return ext(p + width, end, v, (size_t)load(p, width));
}

static const uint8_t *boolean(const uint8_t *p, struct dz_value *v, bool value)
{
    v->type = DZ_TERM_BOOL;
    v->as.boolean = value;
    return p;
}

/* The tags 0xc0..0xdf; a run of widths doubles from tag to tag. */
static const uint8_t *tagged(uint8_t tag, const uint8_t *p, const uint8_t *end, struct dz_value *v)
{
    switch (tag) {
    case 0xc0:
        v->type = DZ_TERM_NIL;
        return p;
    case 0xc2:
        return boolean(p, v, false);
    case 0xc3:
        return boolean(p, v, true);
    case 0xc7:
    case 0xc8:
    case 0xc9:
        return wide_ext(p, end, v, (size_t)1 << (tag - 0xc7));
    case 0xcb:
        return float64(p, end, v);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return unsigned_int(p, end, v, (size_t)1 << (tag - 0xcc));
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return signed_int(p, end, v, (size_t)1 << (tag - 0xd0));
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return ext(p, end, v, (size_t)1 << (tag - 0xd4));
    case 0xd9:
    case 0xda:
    case 0xdb:
        return string(p, end, v, (size_t)1 << (tag - 0xd9));
    case 0xdc:
    case 0xdd:
        return wide_table(p, end, v, DZ_TERM_ARRAY, (size_t)2 << (tag - 0xdc));
    case 0xde:
    case 0xdf:
        return wide_table(p, end, v, DZ_TERM_MAP, (size_t)2 << (tag - 0xde));
    default:
        return NULL;
    }
}

static inline const uint8_t *parse(const uint8_t *p, const uint8_t *end, struct dz_value *v)
{
    if (p == end)
        return NULL;
    uint8_t tag = *p++;
    if (tag <= 0x7f || tag >= 0xe0) {
        v->type = DZ_TERM_INT;
        v->as.integer = (int8_t)tag;
        return p;
    }
    if (tag >= 0xc0)
        return tagged(tag, p, end, v);
    if (tag >= 0xa0)
        return bytes(p, end, v, DZ_TERM_STRING, tag & 0x1f);
    return table(p, end, v, tag >= 0x90 ? DZ_TERM_ARRAY : DZ_TERM_MAP, tag & 0x0f);
}

int dz_read_next(struct dz_read *r, struct dz_value *out)
{
    const uint8_t *next = parse(r->at, r->end, out);
    if (!next)
        return DZ_EFORMAT;
    r->at = next;
    return 0;
}

int dz_read_peek(const struct dz_read *r, struct dz_value *out)
{
    return parse(r->at, r->end, out) ? 0 : DZ_EFORMAT;
}

static inline bool is_table(const struct dz_value *v)
{
    return v->type == DZ_TERM_ARRAY || v->type == DZ_TERM_MAP;
}

static inline uint64_t children(const struct dz_value *v)
{
    return v->type == DZ_TERM_MAP ? (uint64_t)v->as.count * 2 : v->as.count;
}

/* Passes over the inside of the table whose head was read; `at` may stand anywhere after an error. */
static int skip_table(const uint8_t **at, const uint8_t *end, const struct dz_value *head)
{
    uint64_t open[DZ_TERM_MAX_DEPTH]; /* what is still to come in each table around us */
    size_t depth = 1;
    open[0] = children(head);
    while (depth > 0) {
        struct dz_value v;
        if (open[depth - 1] == 0) {
            depth--;
            continue;
        }
        open[depth - 1]--;
        *at = parse(*at, end, &v);
        if (!*at)
            return DZ_EFORMAT;
        if (!is_table(&v))
            continue;
        if (depth == DZ_TERM_MAX_DEPTH)
            return DZ_ETOODEEP;
        open[depth++] = children(&v);
    }
    return 0;
}

int dz_read_skip(struct dz_read *r, const uint8_t **data, size_t *len)
{
    struct dz_value v;
    const uint8_t *from = r->at;
    const uint8_t *at = parse(from, r->end, &v);
    if (!at)
        return DZ_EFORMAT;
    if (is_table(&v)) {
        int err = skip_table(&at, r->end, &v);
        if (err)
            return err;
    }
    r->at = at;
    if (data)
        *data = from;
    if (len)
        *len = (size_t)(at - from);
    return 0;
}

/* The next value if it is of that type; the cursor moves only then. */
static int next_of_type(struct dz_read *r, struct dz_value *v, enum dz_term_type type)
{
    const uint8_t *next = parse(r->at, r->end, v);
    if (!next || v->type != type)
        return DZ_EFORMAT;
    r->at = next;
    return 0;
}

int dz_read_string(struct dz_read *r, const char **s, size_t *len)
{
    struct dz_value v;
    int err = next_of_type(r, &v, DZ_TERM_STRING);
    if (err)
        return err;
    *s = v.as.str.bytes;
    *len = v.as.str.len;
    return 0;
}

/* Both bounds are powers of two, which a double holds exactly. */
static bool int_of(const struct dz_value *v, int64_t *out)
{
    if (v->type == DZ_TERM_INT) {
        *out = v->as.integer;
        return true;
    }
    double d = v->type == DZ_TERM_FLOAT ? v->as.number : 0.5;
    if (!(d >= -0x1p63 && d < 0x1p63) || d != (double)(int64_t)d)
        return false;
    *out = (int64_t)d;
    return true;
}

static bool uint_of(const struct dz_value *v, uint64_t *out)
{
    if (v->type == DZ_TERM_UINT || (v->type == DZ_TERM_INT && v->as.integer >= 0)) {
        *out = v->as.uinteger;
        return true;
    }
    double d = v->type == DZ_TERM_FLOAT ? v->as.number : 0.5;
    if (!(d >= 0 && d < 0x1p64) || d != (double)(uint64_t)d)
        return false;
    *out = (uint64_t)d;
    return true;
}

static bool number_of(const struct dz_value *v, double *out)
{
    if (v->type == DZ_TERM_INT)
        *out = (double)v->as.integer;
    else if (v->type == DZ_TERM_UINT)
        *out = (double)v->as.uinteger;
    else if (v->type == DZ_TERM_FLOAT)
        *out = v->as.number;
    else
        return false;
    return true;
}

int dz_read_int(struct dz_read *r, int64_t *v)
{
    struct dz_value value;
    const uint8_t *next = parse(r->at, r->end, &value);
    if (!next || !int_of(&value, v))
        return DZ_EFORMAT;
    r->at = next;
    return 0;
}

int dz_read_uint(struct dz_read *r, uint64_t *v)
{
    struct dz_value value;
    const uint8_t *next = parse(r->at, r->end, &value);
    if (!next || !uint_of(&value, v))
        return DZ_EFORMAT;
    r->at = next;
    return 0;
}

int dz_read_number(struct dz_read *r, double *v)
{
    struct dz_value value;
    const uint8_t *next = parse(r->at, r->end, &value);
    if (!next || !number_of(&value, v))
        return DZ_EFORMAT;
    r->at = next;
    return 0;
}

int dz_read_bool(struct dz_read *r, bool *v)
{
    struct dz_value value;
    int err = next_of_type(r, &value, DZ_TERM_BOOL);
    if (!err)
        *v = value.as.boolean;
    return err;
}

int dz_read_array(struct dz_read *r, uint32_t *count)
{
    struct dz_value value;
    int err = next_of_type(r, &value, DZ_TERM_ARRAY);
    if (!err)
        *count = value.as.count;
    return err;
}

int dz_read_map(struct dz_read *r, uint32_t *count)
{
    struct dz_value value;
    int err = next_of_type(r, &value, DZ_TERM_MAP);
    if (!err)
        *count = value.as.count;
    return err;
}

bool dz_read_find(const uint8_t *data, size_t len, const char *key, struct dz_read *value)
{
    struct dz_read r;
    uint32_t pairs;
    size_t key_len = strlen(key);
    dz_read_init(&r, data, len);
    if (dz_read_map(&r, &pairs))
        return false;
    for (uint32_t i = 0; i < pairs; i++) {
        struct dz_value k;
        const uint8_t *bytes_of_value;
        size_t value_len;
        if (dz_read_peek(&r, &k) || dz_read_skip(&r, NULL, NULL) ||
            dz_read_skip(&r, &bytes_of_value, &value_len))
            return false;
        if (k.type != DZ_TERM_STRING || k.as.str.len != key_len || memcmp(k.as.str.bytes, key, key_len) != 0)
            continue;
        dz_read_init(value, bytes_of_value, value_len);
        return true;
    }
    return false;
}

bool dz_read_find_string(const uint8_t *data, size_t len, const char *key, const char **s, size_t *slen)
{
    struct dz_read value;
    return dz_read_find(data, len, key, &value) && dz_read_string(&value, s, slen) == 0;
}

bool dz_read_find_int(const uint8_t *data, size_t len, const char *key, int64_t *v)
{
    struct dz_read value;
    return dz_read_find(data, len, key, &value) && dz_read_int(&value, v) == 0;
}
