/* literal.h - specs in tests are written as Lua tables; this turns the text into a term.
 * Owns:    nothing.
 * Understands tables, strings in double quotes, numbers, true, false, nil, inf, and the words `function` and
 * `table` for references of one Lua state. */
#ifndef DZ_TESTS_SUP_LITERAL_H
#define DZ_TESTS_SUP_LITERAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "term/build.h"

static inline void literal_space(const char **p)
{
    while (isspace((unsigned char)**p))
        (*p)++;
}

static inline bool literal_word(const char **p, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*p, word, n) != 0 || isalnum((unsigned char)(*p)[n]))
        return false;
    *p += n;
    return true;
}

/* A name followed by '='. */
static inline bool literal_key(const char **p, const char **key, size_t *len)
{
    const char *at = *p;
    while (isalnum((unsigned char)*at) || *at == '_')
        at++;
    *key = *p;
    *len = (size_t)(at - *p);
    while (isspace((unsigned char)*at))
        at++;
    if (*len == 0 || *at != '=')
        return false;
    *p = at + 1;
    return true;
}

static inline void literal_value(const char **p, struct dz_build *b);

/* Items of one table go into `items` first, because the count stands in front of them. */
static inline void literal_table(const char **p, struct dz_build *b)
{
    struct dz_buf items;
    struct dz_build inner;
    uint32_t count = 0;
    bool map = false;
    dz_buf_init(&items);
    dz_build_init(&inner, &items);
    for (literal_space(p); **p != '}'; literal_space(p)) {
        const char *key;
        size_t len;
        if (literal_key(p, &key, &len)) {
            map = true;
            char *end;
            long n = strtol(key, &end, 10);
            if (end != key)
                dz_build_int(&inner, n);
            else
                dz_build_string(&inner, key, len);
        }
        literal_value(p, &inner);
        count++;
        literal_space(p);
        if (**p == ',')
            (*p)++;
    }
    (*p)++;
    if (map)
        dz_build_map(b, count);
    else
        dz_build_array(b, count);
    dz_build_raw(b, items.data, items.len);
    dz_buf_fini(&items);
}

static inline void literal_value(const char **p, struct dz_build *b)
{
    static const char reference[] = "\0\0\0\1\0\0\0\2\0\0\0\3";
    char bytes[13];
    memcpy(bytes, reference, 13);
    literal_space(p);
    if (**p == '{') {
        (*p)++;
        literal_table(p, b);
    } else if (**p == '"') {
        const char *end = strchr(*p + 1, '"');
        dz_build_string(b, *p + 1, (size_t)(end - *p - 1));
        *p = end + 1;
    } else if (literal_word(p, "true")) {
        dz_build_bool(b, true);
    } else if (literal_word(p, "false")) {
        dz_build_bool(b, false);
    } else if (literal_word(p, "nil")) {
        dz_build_nil(b);
    } else if (literal_word(p, "inf")) {
        dz_build_number(b, INFINITY);
    } else if (literal_word(p, "function")) {
        bytes[12] = 'f';
        dz_build_ext(b, DZ_EXT_FUNCTION, bytes, 13);
    } else if (literal_word(p, "table")) {
        bytes[12] = 't';
        dz_build_ext(b, DZ_EXT_FUNCTION, bytes, 13);
    } else {
        char *end;
        double v = strtod(*p, &end);
        assert_ptr_not_equal(end, *p);
        dz_build_number(b, v);
        *p = end;
    }
}

/* The term of the text; the caller frees it with dz_buf_fini. */
static inline struct dz_buf literal(const char *text)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    literal_value(&text, &b);
    literal_space(&text);
    assert_int_equal(*text, 0);
    assert_int_equal(dz_build_done(&b), 0);
    assert_int_equal(dz_term_check(buf.data, buf.len, DZ_TERM_ALLOW_FUNCTIONS), 0);
    return buf;
}

#endif
