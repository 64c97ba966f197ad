/* term.c - the check, the fixed forms and the readable text of values.
 * Owns:    nothing.
 * Threads: any; everything here is pure.
 * Fails:   DZ_EFORMAT, DZ_ETOOLARGE, DZ_ETOODEEP; printing never fails, it cuts. */
#include "term/term.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "term/read.h"

#define MAX_NAME 64
#define MAX_HOST 255

/* dz_term_check */

static bool is_table(const struct dz_value *v)
{
    return v->type == DZ_TERM_ARRAY || v->type == DZ_TERM_MAP;
}

static bool may_be_key(const struct dz_value *v)
{
    return v->type != DZ_TERM_NIL && !(v->type == DZ_TERM_FLOAT && isnan(v->as.number));
}

static bool is_allowed(const struct dz_value *v, unsigned flags)
{
    switch (v->type) {
    case DZ_TERM_PID:
        return dz_term_is_pid(v->as.str.bytes, v->as.str.len);
    case DZ_TERM_REF:
        return dz_term_is_ref(v->as.str.bytes, v->as.str.len);
    case DZ_TERM_FUNCTION:
        return (flags & DZ_TERM_ALLOW_FUNCTIONS) != 0;
    default:
        return true;
    }
}

/* A table we are inside of. */
struct open_table {
    uint64_t to_come; /* in a map: keys and values, so the next one is a key when it is even */
    bool is_map;
};

static int check_value(struct dz_read *r, unsigned flags)
{
    struct open_table open[DZ_TERM_MAX_DEPTH];
    size_t depth = 0;
    do {
        struct dz_value v;
        int err = dz_read_next(r, &v);
        if (err)
            return err;
        struct open_table *top = depth > 0 ? &open[depth - 1] : NULL;
        if (!is_allowed(&v, flags) || (top && top->is_map && top->to_come % 2 == 0 && !may_be_key(&v)))
            return DZ_EFORMAT;
        if (top)
            top->to_come--;
        if (is_table(&v)) {
            if (depth == DZ_TERM_MAX_DEPTH)
                return DZ_ETOODEEP;
            bool is_map = v.type == DZ_TERM_MAP;
            open[depth++] = (struct open_table){(uint64_t)v.as.count * (is_map ? 2 : 1), is_map};
        }
        while (depth > 0 && open[depth - 1].to_come == 0)
            depth--;
    } while (depth > 0);
    return 0;
}

int dz_term_check(const uint8_t *data, size_t len, unsigned flags)
{
    if (len > DZ_TERM_MAX_BYTES)
        return DZ_ETOOLARGE;
    struct dz_read r;
    dz_read_init(&r, data, len);
    int err = check_value(&r, flags);
    if (err)
        return err;
    return dz_read_at_end(&r) ? 0 : DZ_EFORMAT;
}

/* The fixed forms. Each parser gives where the form it takes ends, NULL when it is not met. */

static const char *skip_char(const char *p, const char *end, char c)
{
    return p && p < end && *p == c ? p + 1 : NULL;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_name(const char *p, const char *end)
{
    if (!p || p == end || !is_letter(*p))
        return NULL;
    const char *from = p++;
    while (p < end && (is_letter(*p) || is_digit(*p) || *p == '_' || *p == '-'))
        p++;
    return p - from <= MAX_NAME ? p : NULL;
}

static const char *skip_decimal(const char *p, const char *end, uint64_t max)
{
    if (!p || p == end || !is_digit(*p))
        return NULL;
    if (*p == '0')
        return p + 1;
    uint64_t v = 0;
    for (; p < end && is_digit(*p); p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, digit, &v))
            return NULL;
    }
    return v <= max ? p : NULL;
}

/* The host may hold colons (IPv6), so it ends at the last one before the '/'. */
static const char *skip_host_and_port(const char *p, const char *end)
{
    if (!p)
        return NULL;
    const char *host = p;
    const char *colon = NULL;
    for (; p < end && *p != '/'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f || c == '>' || c == '@')
            return NULL;
        if (c == ':')
            colon = p;
    }
    if (!colon || colon == host || colon - host > MAX_HOST)
        return NULL;
    return skip_decimal(colon + 1, end, UINT16_MAX) == p ? p : NULL;
}

/* name@host:port/INC.SLOT.GEN */
static const char *skip_address(const char *p, const char *end)
{
    p = skip_char(skip_name(p, end), end, '@');
    p = skip_char(skip_host_and_port(p, end), end, '/');
    p = skip_char(skip_decimal(p, end, UINT64_MAX), end, '.');
    p = skip_char(skip_decimal(p, end, UINT32_MAX), end, '.');
    return skip_decimal(p, end, UINT32_MAX);
}

bool dz_term_is_pid(const char *s, size_t len)
{
    if (len < 2 || len > DZ_TERM_MAX_ID || s[0] != '<' || s[len - 1] != '>')
        return false;
    const char *end = s + len - 1;
    return skip_address(s + 1, end) == end;
}

bool dz_term_is_ref(const char *s, size_t len)
{
    if (len < 6 || len > DZ_TERM_MAX_ID || memcmp(s, "<ref ", 5) != 0 || s[len - 1] != '>')
        return false;
    const char *end = s + len - 1;
    const char *p = skip_char(skip_address(s + 5, end), end, '.');
    return skip_decimal(p, end, UINT64_MAX) == end;
}

/* Readable text. */

struct out {
    char *text;
    size_t room; /* without the zero byte */
    size_t len;
    bool cut; /* something did not fit: nothing more is written */
};

static void put(struct out *o, const char *s, size_t len)
{
    if (o->cut || len == 0)
        return;
    if (len > o->room - o->len) {
        len = o->room - o->len;
        o->cut = true;
    }
    memcpy(o->text + o->len, s, len);
    o->len += len;
}

static void put_text(struct out *o, const char *s)
{
    put(o, s, strlen(s));
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Ends the text; the dots do not stand in the middle of a UTF-8 character. */
static size_t finish(struct out *o)
{
    if (o->cut) {
        size_t dots = o->room < 3 ? o->room : 3;
        size_t at = o->room - dots;
        for (size_t back = 0; back < 3 && at > 0 && is_continuation(o->text[at]); back++)
            at--;
        memcpy(o->text + at, "...", dots);
        o->len = at + dots;
    }
    o->text[o->len] = '\0';
    return o->len;
}

static bool is_plain(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 0x20 && u != 0x7f && u != '"' && u != '\\';
}

static void put_escape(struct out *o, char c)
{
    char text[8];
    if (c == '\n')
        put(o, "\\n", 2);
    else if (c == '\t')
        put(o, "\\t", 2);
    else if (c == '\r')
        put(o, "\\r", 2);
    else if (c == '"' || c == '\\')
        put(o, (char[]){'\\', c}, 2);
    else
        put(o, text, (size_t)snprintf(text, sizeof text, "\\%03u", (unsigned)(unsigned char)c));
}

static void put_quoted(struct out *o, const char *s, size_t len)
{
    const char *end = s + len;
    put(o, "\"", 1);
    while (s < end && !o->cut) {
        const char *from = s;
        while (s < end && is_plain(*s))
            s++;
        put(o, from, (size_t)(s - from));
        if (s < end)
            put_escape(o, *s++);
    }
    put(o, "\"", 1);
}

static void put_number(struct out *o, double v)
{
    char text[40];
    if (isnan(v))
        put_text(o, "nan");
    else
        put(o, text, (size_t)snprintf(text, sizeof text, "%.14g", v));
}

static void put_scalar(struct out *o, const struct dz_value *v)
{
    char text[32];
    int len = 0;
    switch (v->type) {
    case DZ_TERM_NIL:
        put_text(o, "nil");
        break;
    case DZ_TERM_BOOL:
        put_text(o, v->as.boolean ? "true" : "false");
        break;
    case DZ_TERM_INT:
        len = snprintf(text, sizeof text, "%" PRId64, v->as.integer);
        break;
    case DZ_TERM_UINT:
        len = snprintf(text, sizeof text, "%" PRIu64, v->as.uinteger);
        break;
    case DZ_TERM_INT64:
        len = snprintf(text, sizeof text, "%" PRId64 "LL", v->as.integer);
        break;
    case DZ_TERM_UINT64:
        len = snprintf(text, sizeof text, "%" PRIu64 "ULL", v->as.uinteger);
        break;
    case DZ_TERM_FLOAT:
        put_number(o, v->as.number);
        break;
    case DZ_TERM_STRING:
        put_quoted(o, v->as.str.bytes, v->as.str.len);
        break;
    case DZ_TERM_PID:
    case DZ_TERM_REF:
        put(o, v->as.str.bytes, v->as.str.len);
        break;
    case DZ_TERM_FUNCTION:
        put_text(o, v->as.str.bytes[12] == 'f' ? "function" : "table");
        break;
    case DZ_TERM_ARRAY:
    case DZ_TERM_MAP:
        break;
    }
    put(o, text, (size_t)len);
}

static const char *const keywords[] = {"and",      "break",  "do",   "else", "elseif", "end",  "false", "for",
                                       "function", "goto",   "if",   "in",   "local",  "nil",  "not",   "or",
                                       "repeat",   "return", "then", "true", "until",  "while"};

/* Lua takes such a key without brackets. */
static bool is_identifier(const struct dz_value *v)
{
    if (v->type != DZ_TERM_STRING || v->as.str.len == 0 || is_digit(v->as.str.bytes[0]))
        return false;
    const char *s = v->as.str.bytes;
    size_t len = v->as.str.len;
    for (size_t i = 0; i < len; i++)
        if (!is_letter(s[i]) && !is_digit(s[i]) && s[i] != '_')
            return false;
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (strlen(keywords[i]) == len && memcmp(keywords[i], s, len) == 0)
            return false;
    return true;
}

static int print_value(struct out *o, struct dz_read *r, unsigned depth);

static int print_key(struct out *o, struct dz_read *r, unsigned depth)
{
    struct dz_value key;
    int err = dz_read_peek(r, &key);
    if (err)
        return err;
    if (is_identifier(&key)) {
        put(o, key.as.str.bytes, key.as.str.len);
        err = dz_read_next(r, &key);
    } else {
        put(o, "[", 1);
        err = print_value(o, r, depth);
        put(o, "]", 1);
    }
    put(o, " = ", 3);
    return err;
}

static int print_table(struct out *o, struct dz_read *r, const struct dz_value *head, unsigned depth)
{
    if (depth == DZ_TERM_MAX_DEPTH)
        return DZ_ETOODEEP;
    put(o, "{", 1);
    for (uint32_t i = 0; i < head->as.count && !o->cut; i++) {
        if (i > 0)
            put(o, ", ", 2);
        int err = head->type == DZ_TERM_MAP ? print_key(o, r, depth + 1) : 0;
        if (!err)
            err = print_value(o, r, depth + 1);
        if (err)
            return err;
    }
    put(o, "}", 1);
    return 0;
}

/* After a cut the reader stands anywhere: nobody reads on. Depth is bounded, so is the recursion. */
static int print_value(struct out *o, struct dz_read *r, unsigned depth)
{
    struct dz_value v;
    if (o->cut)
        return 0;
    int err = dz_read_next(r, &v);
    if (err)
        return err;
    if (is_table(&v))
        return print_table(o, r, &v, depth);
    put_scalar(o, &v);
    return 0;
}

size_t dz_term_print(const uint8_t *data, size_t len, char *out, size_t cap)
{
    if (cap == 0)
        return 0;
    struct out o = {.text = out, .room = cap - 1};
    struct dz_read r;
    dz_read_init(&r, data, len);
    if (print_value(&o, &r, 0))
        put_text(&o, "<malformed>");
    return finish(&o);
}

static size_t copy_text(const char *s, size_t len, char *out, size_t cap)
{
    struct out o = {.text = out, .room = cap - 1};
    put(&o, s, len);
    return finish(&o);
}

size_t dz_term_reason_text(const uint8_t *data, size_t len, char *out, size_t cap)
{
    const char *s;
    size_t slen;
    struct dz_read r;
    if (cap == 0)
        return 0;
    dz_read_init(&r, data, len);
    if (dz_read_string(&r, &s, &slen) == 0)
        return copy_text(s, slen, out, cap);
    if (!dz_read_find_string(data, len, "code", &s, &slen))
        return dz_term_print(data, len, out, cap);
    if (slen == 5 && memcmp(s, "error", 5) == 0) {
        const char *message;
        size_t message_len;
        if (dz_read_find_string(data, len, "message", &message, &message_len))
            return copy_text(message, message_len, out, cap);
    }
    return copy_text(s, slen, out, cap);
}
