/* config_read.c - reads configuration maps field by field.
 * Owns:    nothing; see config_read.h.
 * Threads: any; pure.
 * Fails:   with an error that names the field. */
#include "host/config_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/near.h"

#define LIST_MAX 1024u

void dz_config_list_fini(struct dz_config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        dz_free(list->items[i]);
    dz_free(list->items);
    memset(list, 0, sizeof *list);
}

int dz_config_list_push(struct dz_config_list *list, const char *s, size_t len)
{
    char **items = dz_realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items)
        return DZ_ENOMEM;
    list->items = items;
    items[list->count] = dz_strndup(s, len);
    if (!items[list->count])
        return DZ_ENOMEM;
    list->count++;
    return DZ_OK;
}

void dz_config_reader_init(struct dz_config_reader *x, struct dz_config_error *error, const char *path)
{
    memset(error, 0, sizeof *error);
    memset(x, 0, sizeof *x);
    x->error = error;
    snprintf(x->path, sizeof x->path, "%s", path);
}

int dz_config_fail(struct dz_config_reader *x, int code, const char *format, ...)
{
    char what[sizeof x->error->message - sizeof x->path - 4];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    x->error->code = code;
    snprintf(x->error->field, sizeof x->error->field, "%s", x->path);
    snprintf(x->error->message, sizeof x->error->message, "%s%s%s", x->path, x->path[0] ? ": " : "", what);
    return code;
}

size_t dz_config_enter(struct dz_config_reader *x, const char *key)
{
    size_t mark = strlen(x->path);
    snprintf(x->path + mark, sizeof x->path - mark, "%s%s", mark ? "." : "", key);
    return mark;
}

size_t dz_config_enter_index(struct dz_config_reader *x, uint32_t index)
{
    size_t mark = strlen(x->path);
    snprintf(x->path + mark, sizeof x->path - mark, "[%u]", index);
    return mark;
}

void dz_config_leave(struct dz_config_reader *x, size_t mark)
{
    dz_assert(mark < sizeof x->path);
    x->path[mark] = 0;
}

int dz_config_wrong(struct dz_config_reader *x, const struct dz_read *r, const char *expected)
{
    struct dz_read copy = *r;
    const uint8_t *data;
    size_t len;
    char got[96] = "malformed bytes";
    if (dz_read_skip(&copy, &data, &len) == DZ_OK)
        dz_term_print(data, len, got, sizeof got);
    return dz_config_fail(x, DZ_ECONFIG, "expected %s, got %s", expected, got);
}

bool dz_config_goes_on(struct dz_config_reader *x, struct dz_read *r, const struct dz_read *value)
{
    if (!x->tell)
        return false;
    if (x->error->code != DZ_OK)
        x->tell(x->ctx, x->error);
    x->error->code = DZ_OK; /* told */
    *r = *value;
    return dz_read_skip(r, NULL, NULL) == DZ_OK;
}

static const struct dz_config_field *find_field(const struct dz_config_field *fields, size_t count, const char *key,
                                                size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(fields[i].name) == len && memcmp(fields[i].name, key, len) == 0)
            return &fields[i];
    return NULL;
}

static int unknown_key(struct dz_config_reader *x, const char *what, const struct dz_config_field *fields, size_t count,
                       const char *key, size_t len)
{
    const char *names[64];
    dz_assert(count <= sizeof names / sizeof names[0]);
    for (size_t i = 0; i < count; i++)
        names[i] = fields[i].name;
    const char *near = dz_config_nearest(key, len, names, count);
    int shown = (int)(len < 60 ? len : 60);
    if (near)
        return dz_config_fail(x, DZ_ECONFIG, "unknown key '%.*s' in %s, did you mean '%s'?", shown, key, what, near);
    return dz_config_fail(x, DZ_ECONFIG, "unknown key '%.*s' in %s", shown, key, what);
}

static int read_field(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    size_t mark = dz_config_enter(x, f->name);
    int err = f->read(x, r, f, target);
    dz_config_leave(x, mark);
    return err;
}

/* *end: the error was the last thing to be read. */
static int read_entry(struct dz_config_reader *x, struct dz_read *r, const char *what,
                      const struct dz_config_field *fields, size_t count, void *target, bool *end)
{
    const char *key;
    size_t len;
    *end = true;
    if (dz_read_string(r, &key, &len))
        return dz_config_wrong(x, r, "a key that is a string");
    struct dz_read value = *r;
    const struct dz_config_field *f = find_field(fields, count, key, len);
    int err = f ? read_field(x, r, f, target) : unknown_key(x, what, fields, count, key, len);
    *end = err && !dz_config_goes_on(x, r, &value);
    return err;
}

int dz_config_read_table(struct dz_config_reader *x, struct dz_read *r, const char *what,
                         const struct dz_config_field *fields, size_t count, void *target)
{
    uint32_t entries;
    uint32_t elements;
    struct dz_read copy = *r;
    if (dz_read_array(&copy, &elements) == DZ_OK && elements == 0) { /* an empty Lua table */
        *r = copy;
        return DZ_OK;
    }
    if (dz_read_map(r, &entries))
        return dz_config_wrong(x, r, "a table with named fields");
    int err = DZ_OK;
    bool end = false;
    for (uint32_t i = 0; i < entries && !end; i++) {
        int one = read_entry(x, r, what, fields, count, target, &end);
        err = err ? err : one;
    }
    return err;
}

static void *place(const struct dz_config_field *f, void *target)
{
    return (char *)target + f->offset;
}

int dz_config_text(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    const char *s;
    size_t len;
    char **out = place(f, target);
    struct dz_read copy = *r;
    if (dz_read_string(&copy, &s, &len) || len == 0 || memchr(s, 0, len))
        return dz_config_wrong(x, r, "a text that is not empty");
    *r = copy;
    dz_free(*out);
    *out = dz_strndup(s, len);
    return *out ? DZ_OK : dz_config_fail(x, DZ_ENOMEM, "out of memory");
}

int dz_config_bool(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    bool v;
    if (dz_read_bool(r, &v))
        return dz_config_wrong(x, r, "true or false");
    *(bool *)place(f, target) = v;
    return DZ_OK;
}

int dz_config_count(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    uint64_t v;
    struct dz_read copy = *r;
    if (dz_read_uint(&copy, &v) || v < f->least || v > f->most) {
        char expected[96];
        snprintf(expected, sizeof expected, "a whole number from %llu to %llu", (unsigned long long)f->least,
                 (unsigned long long)f->most);
        return dz_config_wrong(x, r, expected);
    }
    *r = copy;
    *(uint64_t *)place(f, target) = v;
    return DZ_OK;
}

int dz_config_texts(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    struct dz_config_list *list = place(f, target);
    uint32_t count;
    struct dz_read copy = *r;
    if (dz_read_array(&copy, &count) || count > LIST_MAX)
        return dz_config_wrong(x, r, "a list of at most 1024 texts");
    *r = copy;
    dz_config_list_fini(list);
    for (uint32_t i = 0; i < count; i++) {
        const char *s;
        size_t len;
        size_t mark = dz_config_enter_index(x, i + 1);
        copy = *r;
        if (dz_read_string(&copy, &s, &len) || memchr(s, 0, len))
            return dz_config_wrong(x, r, "a text");
        *r = copy;
        if (dz_config_list_push(list, s, len))
            return dz_config_fail(x, DZ_ENOMEM, "out of memory");
        dz_config_leave(x, mark);
    }
    return DZ_OK;
}

int dz_config_copy(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    struct dz_config_term *out = place(f, target);
    const uint8_t *data;
    size_t len;
    if (dz_read_skip(r, &data, &len))
        return dz_config_fail(x, DZ_EFORMAT, "malformed bytes");
    dz_free(out->data);
    out->data = (uint8_t *)dz_strndup((const char *)data, len);
    out->len = len;
    return out->data ? DZ_OK : dz_config_fail(x, DZ_ENOMEM, "out of memory");
}

const char *dz_config_nearest(const char *word, size_t len, const char *const *names, size_t count)
{
    return dz_near_name(word, len, names, count, (unsigned)(len / 3 + 1));
}
