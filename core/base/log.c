/* log.c - a leveled, structured log; the standard sink writes lines to a file descriptor.
 * Owns:    nothing beyond one line while it is written.
 * Threads: any; each line is one write(), so lines of several threads do not mix.
 * Fails:   never; a line that finds no memory or no reader is lost.
 * Texts and values come from scripts and peers: control bytes are escaped, so that one line stays one line.
 * Times are UTC, which makes a simulated run print the same everywhere. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"

#define MAX_FIELDS      24
#define MAX_VALUE_BYTES (16u * 1024u) /* longer texts and values are cut with "..." */

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

#define LEVEL_COUNT (sizeof level_names / sizeof level_names[0])

int dz_log_level_from_name(const char *name)
{
    for (size_t i = 0; name && i < LEVEL_COUNT; i++)
        if (strcmp(level_names[i], name) == 0)
            return (int)i;
    return -1;
}

const char *dz_log_level_name(enum dz_log_level level)
{
    dz_assert((size_t)level < LEVEL_COUNT);
    return level_names[level];
}

void dz_log_write(const struct dz_log *log, enum dz_log_level level, const char *text,
                  const struct dz_log_field *fields, size_t count)
{
    dz_assert(level < DZ_LOG_OFF);
    if (!log || !log->sink || level < log->level)
        return;
    log->sink(log->ctx, level, text, fields, count);
}

/* Any NULL ends the list: a value that is missing must not let us read past the arguments. */
void dz_log_fields(const struct dz_log *log, enum dz_log_level level, const char *text, ...)
{
    if (!log || !log->sink || level < log->level)
        return;
    struct dz_log_field fields[MAX_FIELDS];
    size_t count = 0;
    va_list args;
    va_start(args, text);
    while (count < MAX_FIELDS) {
        const char *name = va_arg(args, const char *);
        if (!name)
            break;
        const char *value = va_arg(args, const char *);
        fields[count++] = (struct dz_log_field){.name = name, .value = value ? value : ""};
        if (!value)
            break;
    }
    va_end(args);
    dz_log_write(log, level, text, fields, count);
}

/* One piece of text after another; the first failure sticks and loses the line. */
struct line {
    struct dz_buf buf;
    int err;
};

static void put(struct line *l, const char *s, size_t len)
{
    if (!l->err)
        l->err = dz_buf_append(&l->buf, s, len);
}

static void put_text(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

/* The bytes of the UTF-8 character at s; 0 when there is none. The zero byte behind s stops every longer
 * look. */
static size_t utf8_len(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    size_t len = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
                 : (s[0] & 0xf0) == 0xe0        ? 3
                 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                : 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool outside = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || outside ? 0 : len;
}

static void put_escape(struct line *l, unsigned char c, bool json)
{
    char text[8];
    if (c == '\n')
        put(l, "\\n", 2);
    else if (c == '\t')
        put(l, "\\t", 2);
    else if (c == '\r')
        put(l, "\\r", 2);
    else if (c == '"' || c == '\\')
        put(l, (char[]){'\\', (char)c}, 2);
    else
        put(l, text, (size_t)snprintf(text, sizeof text, json ? "\\u%04x" : "\\x%02x", c));
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* Writes s with control bytes escaped; quotes and backslashes too when it stands in quotes. What is not UTF-8
 * passes as an escape in text and as U+FFFD in JSON, which knows only characters. */
static void put_escaped(struct line *l, const char *s, bool quotes, bool json)
{
    const unsigned char *at = (const unsigned char *)s;
    const unsigned char *stop = at + MAX_VALUE_BYTES;
    while (*at && at < stop && !l->err) {
        const unsigned char *from = at;
        size_t len;
        while (at < stop && *at && !is_control(*at) && !(quotes && (*at == '"' || *at == '\\')) &&
               (len = utf8_len(at)) > 0)
            at += len;
        put(l, (const char *)from, (size_t)(at - from));
        if (at >= stop || !*at)
            break;
        if (*at >= 0x80 && json)
            put_text(l, "\\ufffd");
        else
            put_escape(l, *at, json);
        at++;
    }
    if (*at)
        put_text(l, "...");
}

static void put_quoted(struct line *l, const char *s, bool json)
{
    put(l, "\"", 1);
    put_escaped(l, s, true, json);
    put(l, "\"", 1);
}

static bool needs_quotes(const char *s)
{
    if (!*s)
        return true;
    for (; *s; s++)
        if (*s == ' ' || *s == '"' || *s == '=' || *s == '\\' || is_control((unsigned char)*s))
            return true;
    return false;
}

static void text_line(struct line *l, uint64_t ms, enum dz_log_level level, const char *text,
                      const struct dz_log_field *fields, size_t count)
{
    char head[48];
    unsigned day = (unsigned)(ms % 86400000u);
    put(l, head,
        (size_t)snprintf(head, sizeof head, "%02u:%02u:%02u.%03u %-5s ", day / 3600000u, day / 60000u % 60u,
                         day / 1000u % 60u, day % 1000u, dz_log_level_name(level)));
    put_escaped(l, text, false, false);
    for (size_t i = 0; i < count; i++) {
        const char *value = fields[i].value ? fields[i].value : "";
        put(l, " ", 1);
        put_escaped(l, fields[i].name, false, false);
        put(l, "=", 1);
        if (needs_quotes(value))
            put_quoted(l, value, false);
        else
            put_escaped(l, value, false, false);
    }
}

/* Fields stand beside time, level and text; one of the same name gets an underscore in front. */
static bool is_reserved(const char *name)
{
    return strcmp(name, "time") == 0 || strcmp(name, "level") == 0 || strcmp(name, "text") == 0;
}

static void json_line(struct line *l, uint64_t ms, enum dz_log_level level, const char *text,
                      const struct dz_log_field *fields, size_t count)
{
    char head[96];
    struct tm tm;
    time_t seconds = (time_t)(ms / 1000u);
    memset(&tm, 0, sizeof tm);
    gmtime_r(&seconds, &tm);
    size_t len = strftime(head, sizeof head, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &tm);
    put(l, head, len);
    put(l, head,
        (size_t)snprintf(head, sizeof head, ".%03uZ\",\"level\":\"%s\",\"text\":", (unsigned)(ms % 1000u),
                         dz_log_level_name(level)));
    put_quoted(l, text, true);
    for (size_t i = 0; i < count; i++) {
        put_text(l, is_reserved(fields[i].name) ? ",\"_" : ",\"");
        put_escaped(l, fields[i].name, true, true);
        put(l, "\":", 2);
        put_quoted(l, fields[i].value ? fields[i].value : "", true);
    }
    put(l, "}", 1);
}

/* One write; only what a full pipe leaves over needs another. */
static void write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

static void fd_sink(void *ctx, enum dz_log_level level, const char *text, const struct dz_log_field *fields,
                    size_t count)
{
    const struct dz_log_fd *to = ctx;
    struct line l = {.err = 0};
    uint64_t ms = dz_env_wall_ms(to->env);
    dz_buf_init(&l.buf);
    if (to->json)
        json_line(&l, ms, level, text, fields, count);
    else
        text_line(&l, ms, level, text, fields, count);
    put(&l, "\n", 1);
    if (!l.err)
        write_all(to->fd, l.buf.data, l.buf.len);
    dz_buf_fini(&l.buf);
}

void dz_log_init_fd(struct dz_log *log, struct dz_log_fd *to, enum dz_log_level level)
{
    dz_assert(to->env);
    log->sink = fd_sink;
    log->ctx = to;
    log->level = level;
}
