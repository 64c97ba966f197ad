/* spec_reader.c - typed fields, paths, and errors that say where, what and what instead.
 * Owns:    nothing.
 * Threads: any. */
#include "sup/spec_reader.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/near.h"

#define FIELDS_MAX 32u /* of one table: a bit each says which were given */

void dz_spec_reader_init(struct dz_spec_reader *x, struct dz_spec_error *error)
{
    memset(x, 0, sizeof *x);
    memset(error, 0, sizeof *error);
    x->error = error;
}

/* Every field of every child comes by here: a long path loses its end. */
static void append(struct dz_spec_reader *x, const char *text, size_t len)
{
    size_t at = strlen(x->path), room = sizeof x->path - 1 - at;
    if (len > room)
        len = room;
    memcpy(x->path + at, text, len);
    x->path[at + len] = 0;
}

size_t dz_spec_reader_enter(struct dz_spec_reader *x, const char *key, size_t len)
{
    size_t mark = strlen(x->path);
    const char *end = memchr(key, 0, len < 48 ? len : 48);
    if (mark > 0)
        append(x, ".", 1);
    append(x, key, end ? (size_t)(end - key) : len < 48 ? len : 48);
    return mark;
}

size_t dz_spec_reader_enter_index(struct dz_spec_reader *x, uint32_t index)
{
    char text[12];
    size_t mark = strlen(x->path), at = sizeof text;
    text[--at] = ']';
    do
        text[--at] = (char)('0' + index % 10);
    while (index /= 10);
    text[--at] = '[';
    append(x, text + at, sizeof text - at);
    return mark;
}

void dz_spec_reader_leave(struct dz_spec_reader *x, size_t mark)
{
    dz_assert(mark < sizeof x->path);
    x->path[mark] = 0;
}

int dz_spec_reader_fail(struct dz_spec_reader *x, int code, const char *format, ...)
{
    struct dz_spec_error *e = x->error;
    char what[384];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    e->code = code;
    snprintf(e->field, sizeof e->field, "%s", x->path);
    snprintf(e->child_id, sizeof e->child_id, "%.*s", (int)x->child_id_len, x->child_id ? x->child_id : "");
    const char *where = e->field[0] ? e->field : "spec";
    if (e->child_id[0])
        snprintf(e->message, sizeof e->message, "%s (child \"%.64s\"): %s", where, e->child_id, what);
    else
        snprintf(e->message, sizeof e->message, "%s: %s", where, what);
    return code;
}

bool dz_spec_reader_goes_on(struct dz_spec_reader *x, struct dz_read *r, const struct dz_read *value)
{
    if (!x->tell)
        return false;
    if (x->error->code != DZ_OK)
        x->tell(x->ctx, x->error);
    x->error->code = DZ_OK; /* told */
    *r = *value;
    return dz_read_skip(r, NULL, NULL) == DZ_OK;
}

int dz_spec_reader_wrong(struct dz_spec_reader *x, const struct dz_read *r, const char *expected)
{
    struct dz_read copy = *r;
    const uint8_t *data;
    size_t len;
    char got[96] = "malformed bytes";
    if (dz_read_skip(&copy, &data, &len) == DZ_OK)
        dz_term_print(data, len, got, sizeof got);
    return dz_spec_reader_fail(x, DZ_ESPEC, "got %s, expected %s", got, expected);
}

static const char *nearest(const struct dz_spec_field *fields, size_t count, const char *key, size_t len)
{
    const char *names[FIELDS_MAX];
    dz_assert(count > 0 && count <= FIELDS_MAX);
    for (size_t i = 0; i < count; i++)
        names[i] = fields[i].name;
    const char *found = dz_near_name(key, len, names, count, UINT_MAX);
    return found ? found : names[0];
}

static int find_field(struct dz_spec_reader *x, const struct dz_spec_field *fields, size_t count,
                      const char *key, size_t len, uint32_t *bits, size_t *found)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(fields[i].name) != len || memcmp(fields[i].name, key, len) != 0)
            continue;
        if (*bits & (1u << i))
            return dz_spec_reader_fail(x, DZ_ESPEC, "the key is there twice");
        *bits |= 1u << i;
        *found = i;
        return DZ_OK;
    }
    return dz_spec_reader_fail(x, DZ_ESPEC, "unknown key \"%.*s\", the nearest known key is \"%s\"",
                               (int)(len < 64 ? len : 64), key, nearest(fields, count, key, len));
}

/* *end: the error was the last thing to be read. */
static int read_entry(struct dz_spec_reader *x, struct dz_read *r, const struct dz_spec_field *fields,
                      size_t count, void *target, uint32_t *bits, bool *end)
{
    const char *key;
    size_t len, i = 0;
    *end = true;
    if (dz_read_string(r, &key, &len) != DZ_OK)
        return dz_spec_reader_wrong(x, r, "a string as key");
    struct dz_read value = *r;
    size_t mark = dz_spec_reader_enter(x, key, len);
    int err = find_field(x, fields, count, key, len, bits, &i);
    if (err == DZ_OK)
        err = fields[i].read(x, r, target);
    dz_spec_reader_leave(x, mark);
    *end = err != DZ_OK && !dz_spec_reader_goes_on(x, r, &value);
    return err;
}

int dz_spec_reader_table(struct dz_spec_reader *x, struct dz_read *r, const struct dz_spec_field *fields,
                         size_t count, void *target, uint32_t *given)
{
    struct dz_value head;
    uint32_t bits = 0;
    bool end = false;
    int err = DZ_OK;
    dz_assert(count <= 32);
    if (dz_read_peek(r, &head) != DZ_OK || (head.type != DZ_TERM_MAP && head.type != DZ_TERM_ARRAY))
        return dz_spec_reader_wrong(x, r, "a table");
    if (head.type == DZ_TERM_ARRAY && head.as.count > 0)
        return dz_spec_reader_wrong(x, r, "a table with named fields");
    dz_read_next(r, &head);
    for (uint32_t i = 0; i < head.as.count && !end; i++) {
        int one = read_entry(x, r, fields, count, target, &bits, &end);
        err = err ? err : one;
    }
    if (given != NULL)
        *given = bits;
    return err;
}

int dz_spec_reader_list(struct dz_spec_reader *x, struct dz_read *r, const char *expected, uint32_t *count)
{
    struct dz_value head;
    if (dz_read_peek(r, &head) != DZ_OK || (head.type != DZ_TERM_ARRAY && head.type != DZ_TERM_MAP) ||
        (head.type == DZ_TERM_MAP && head.as.count > 0))
        return dz_spec_reader_wrong(x, r, expected);
    dz_read_next(r, &head);
    *count = head.as.count;
    return DZ_OK;
}

int dz_spec_reader_name(struct dz_spec_reader *x, struct dz_read *r, char **out)
{
    const char *s;
    size_t len;
    struct dz_read before = *r;
    if (dz_read_string(r, &s, &len) != DZ_OK || len == 0 || len > DZ_SPEC_MAX_NAME ||
        memchr(s, 0, len) != NULL)
        return dz_spec_reader_wrong(x, &before, "a string of 1 to 255 bytes without zero bytes");
    dz_assert(*out == NULL);
    *out = dz_strndup(s, len);
    return *out ? DZ_OK : dz_spec_reader_fail(x, DZ_ENOMEM, "out of memory");
}

int dz_spec_reader_registered(struct dz_spec_reader *x, struct dz_read *r, char **out)
{
    const char *s;
    size_t len;
    struct dz_read copy = *r;
    if (dz_read_string(&copy, &s, &len) == DZ_OK && len > 0 && s[0] == '<')
        return dz_spec_reader_wrong(x, r, "a name that does not begin with \"<\"");
    return dz_spec_reader_name(x, r, out);
}

int dz_spec_reader_bool(struct dz_spec_reader *x, struct dz_read *r, bool *out)
{
    return dz_read_bool(r, out) == DZ_OK ? DZ_OK : dz_spec_reader_wrong(x, r, "true or false");
}

static void list_words(const char *const *words, int count, char *out, size_t cap)
{
    size_t len = 0;
    for (int i = 0; i < count && len < cap; i++) {
        const char *join = i == 0 ? "" : i == count - 1 ? " or " : ", ";
        len += (size_t)snprintf(out + len, cap - len, "%s\"%s\"", join, words[i]);
    }
}

int dz_spec_reader_word(struct dz_spec_reader *x, struct dz_read *r, const char *const *words, int count,
                        int *out)
{
    char expected[160];
    for (int i = 0; i < count; i++) {
        if (dz_spec_reader_is(r, words[i])) {
            *out = i;
            return DZ_OK;
        }
    }
    list_words(words, count, expected, sizeof expected);
    return dz_spec_reader_wrong(x, r, expected);
}

int dz_spec_reader_time(struct dz_spec_reader *x, struct dz_read *r, const char *also, uint64_t *out)
{
    char expected[128];
    double ms;
    struct dz_read before = *r;
    if (dz_spec_reader_is_infinity(r)) {
        *out = DZ_TIME_INFINITY;
        return DZ_OK;
    }
    /* Above 2^53 a double no longer counts milliseconds one by one; nobody waits that long. */
    if (dz_read_number(r, &ms) == DZ_OK && ms >= 0 && ms <= 9007199254740992.0) {
        *out = (uint64_t)ceil(ms);
        return DZ_OK;
    }
    snprintf(expected, sizeof expected, "milliseconds (a number not below 0)%s or \"infinity\"", also);
    return dz_spec_reader_wrong(x, &before, expected);
}

int dz_spec_reader_number(struct dz_spec_reader *x, struct dz_read *r, double least, double most,
                          const char *expected, double *out)
{
    double v;
    struct dz_read before = *r;
    if (dz_read_number(r, &v) != DZ_OK || !(v >= least && v <= most))
        return dz_spec_reader_wrong(x, &before, expected);
    *out = v;
    return DZ_OK;
}

int dz_spec_reader_count(struct dz_spec_reader *x, struct dz_read *r, uint64_t least, uint64_t most,
                         const char *expected, uint64_t *out)
{
    uint64_t v;
    struct dz_read before = *r;
    if (dz_read_uint(r, &v) != DZ_OK || v < least || v > most)
        return dz_spec_reader_wrong(x, &before, expected);
    *out = v;
    return DZ_OK;
}

bool dz_spec_reader_is(struct dz_read *r, const char *word)
{
    struct dz_read copy = *r;
    const char *s;
    size_t len;
    if (dz_read_string(&copy, &s, &len) != DZ_OK || len != strlen(word) || memcmp(s, word, len) != 0)
        return false;
    *r = copy;
    return true;
}

bool dz_spec_reader_is_infinity(struct dz_read *r)
{
    struct dz_read copy = *r;
    double v;
    if (dz_spec_reader_is(r, "infinity"))
        return true;
    if (dz_read_number(&copy, &v) != DZ_OK || !(isinf(v) && v > 0))
        return false;
    *r = copy;
    return true;
}

static uint32_t get_u32(const char *bytes)
{
    const uint8_t *p = (const uint8_t *)bytes;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool dz_spec_reader_function(struct dz_read *r, char kind, struct dz_sup_function *out)
{
    struct dz_value v;
    if (dz_read_peek(r, &v) != DZ_OK || v.type != DZ_TERM_FUNCTION || v.as.str.len != 13 ||
        v.as.str.bytes[12] != kind)
        return false;
    out->worker = get_u32(v.as.str.bytes);
    out->generation = get_u32(v.as.str.bytes + 4);
    out->number = get_u32(v.as.str.bytes + 8);
    out->kind = kind;
    dz_read_next(r, &v);
    return true;
}

int dz_spec_reader_copy(const struct dz_read *r, uint8_t **out, size_t *len)
{
    struct dz_read copy = *r;
    const uint8_t *data;
    int err = dz_read_skip(&copy, &data, len);
    if (err != DZ_OK)
        return err;
    *out = dz_alloc(*len);
    if (*out == NULL)
        return DZ_ENOMEM;
    memcpy(*out, data, *len);
    return DZ_OK;
}
