/* values.c - readers and builders of dozor.h, on top of term.
 * Owns:    see values.h.
 * Threads: one at a time.
 * Fails:   readers say false and stay; builders keep their first error. */
#include "host/values.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "host/host.h"
#include "term/read.h"

/* --- readers --- */

static struct dz_read cursor(const dz_reader *reader)
{
    struct dz_read r;
    dz_read_init(&r, reader->at, (size_t)(reader->end - reader->at));
    return r;
}

dz_type dz_reader_type(const dz_reader *reader)
{
    static const dz_type types[] = {
        [DZ_TERM_NIL] = DZ_TYPE_NIL,       [DZ_TERM_BOOL] = DZ_TYPE_BOOL,     [DZ_TERM_INT] = DZ_TYPE_NUMBER,
        [DZ_TERM_UINT] = DZ_TYPE_NUMBER,   [DZ_TERM_FLOAT] = DZ_TYPE_NUMBER,  [DZ_TERM_STRING] = DZ_TYPE_STRING,
        [DZ_TERM_ARRAY] = DZ_TYPE_ARRAY,   [DZ_TERM_MAP] = DZ_TYPE_MAP,       [DZ_TERM_PID] = DZ_TYPE_PROCESS,
        [DZ_TERM_REF] = DZ_TYPE_REF,       [DZ_TERM_INT64] = DZ_TYPE_NUMBER,  [DZ_TERM_UINT64] = DZ_TYPE_NUMBER,
        [DZ_TERM_FUNCTION] = DZ_TYPE_OTHER,
    };
    struct dz_read r = cursor(reader);
    struct dz_value v;
    if (dz_read_at_end(&r) || dz_read_peek(&r, &v))
        return DZ_TYPE_NONE;
    return types[v.type];
}

/* The next value if it is a scalar of this public type; the reader then stands behind it. */
static bool take(dz_reader *reader, dz_type type, struct dz_value *v)
{
    struct dz_read r = cursor(reader);
    if (dz_reader_type(reader) != type || dz_read_next(&r, v))
        return false;
    reader->at = r.at;
    return true;
}

bool dz_reader_nil(dz_reader *reader)
{
    struct dz_value v;
    return take(reader, DZ_TYPE_NIL, &v);
}

bool dz_reader_bool(dz_reader *reader, bool *out)
{
    struct dz_value v;
    if (!take(reader, DZ_TYPE_BOOL, &v))
        return false;
    *out = v.as.boolean;
    return true;
}

bool dz_reader_int(dz_reader *reader, int64_t *out)
{
    struct dz_read r = cursor(reader);
    struct dz_value v;
    if (dz_read_int(&r, out) == DZ_OK) {
        reader->at = r.at;
        return true;
    }
    if (dz_read_next(&r, &v))
        return false;
    bool boxed = v.type == DZ_TERM_INT64 || (v.type == DZ_TERM_UINT64 && v.as.uinteger <= INT64_MAX);
    if (!boxed)
        return false;
    *out = v.type == DZ_TERM_INT64 ? v.as.integer : (int64_t)v.as.uinteger;
    reader->at = r.at;
    return true;
}

bool dz_reader_number(dz_reader *reader, double *out)
{
    struct dz_read r = cursor(reader);
    if (dz_read_number(&r, out))
        return false;
    reader->at = r.at;
    return true;
}

bool dz_reader_string(dz_reader *reader, const char **out, size_t *len)
{
    struct dz_value v;
    if (!take(reader, DZ_TYPE_STRING, &v))
        return false;
    *out = v.as.str.bytes;
    *len = v.as.str.len;
    return true;
}

bool dz_reader_id_text(dz_reader *reader, const char **out, size_t *len)
{
    struct dz_value v;
    if (!take(reader, DZ_TYPE_PROCESS, &v) && !take(reader, DZ_TYPE_REF, &v))
        return false;
    *out = v.as.str.bytes;
    *len = v.as.str.len;
    return true;
}

/* Interning an identity takes the table's lock; the host is constant to its readers otherwise. */
static struct dz_nodes *nodes_of(const dz_host *host)
{
    return (struct dz_nodes *)(uintptr_t)&host->rt.nodes;
}

bool dz_reader_process(dz_reader *reader, dz_process *out)
{
    struct dz_read r = cursor(reader);
    struct dz_pid pid;
    if (!reader->host || dz_reader_type(reader) != DZ_TYPE_PROCESS || dz_read_pid_of(&r, nodes_of(reader->host), &pid))
        return false;
    *out = dz_process_of(pid);
    reader->at = r.at;
    return true;
}

bool dz_reader_array(dz_reader *reader, uint32_t *count)
{
    struct dz_value v;
    if (!take(reader, DZ_TYPE_ARRAY, &v))
        return false;
    *count = v.as.count;
    return true;
}

bool dz_reader_map(dz_reader *reader, uint32_t *count)
{
    struct dz_value v;
    if (!take(reader, DZ_TYPE_MAP, &v))
        return false;
    *count = v.as.count;
    return true;
}

bool dz_reader_skip(dz_reader *reader)
{
    struct dz_read r = cursor(reader);
    if (dz_read_at_end(&r) || dz_read_skip(&r, NULL, NULL))
        return false;
    reader->at = r.at;
    return true;
}

bool dz_reader_find(const dz_reader *reader, const char *key, dz_reader *value)
{
    struct dz_read found;
    if (dz_reader_type(reader) != DZ_TYPE_MAP ||
        !dz_read_find(reader->at, (size_t)(reader->end - reader->at), key, &found))
        return false;
    *value = (dz_reader){ found.at, found.end, reader->host };
    return true;
}

bool dz_reader_is(const dz_reader *reader, const char *text)
{
    dz_reader copy = *reader;
    const char *s;
    size_t len;
    return dz_reader_string(&copy, &s, &len) && len == strlen(text) && memcmp(s, text, len) == 0;
}

size_t dz_reader_print(const dz_reader *reader, char *out, size_t size)
{
    struct dz_read r = cursor(reader);
    const uint8_t *data;
    size_t len;
    if (size == 0)
        return 0;
    if (dz_read_at_end(&r) || dz_read_skip(&r, &data, &len)) {
        out[0] = 0;
        return 0;
    }
    return dz_term_print(data, len, out, size);
}

/* --- builders --- */

void dz_builder_init(struct dz_builder *b)
{
    dz_buf_init(&b->buf);
    b->buf.limit = DZ_TERM_MAX_BYTES;
    dz_build_init(&b->build, &b->buf);
}

void dz_builder_fini(struct dz_builder *b)
{
    dz_buf_fini(&b->buf);
}

dz_builder *dz_builder_new(void)
{
    dz_builder *b = dz_zalloc(1, sizeof *b);
    if (b)
        dz_builder_init(b);
    return b;
}

void dz_builder_delete(dz_builder *builder)
{
    if (!builder)
        return;
    dz_builder_fini(builder);
    dz_free(builder);
}

void dz_builder_clear(dz_builder *builder)
{
    dz_buf_clear(&builder->buf);
    dz_build_init(&builder->build, &builder->buf);
}

int dz_builder_error(const dz_builder *builder)
{
    int err = dz_build_done(&builder->build);
    return err ? err : dz_term_check(builder->buf.data, builder->buf.len, 0);
}

void dz_builder_nil(dz_builder *builder)
{
    dz_build_nil(&builder->build);
}

void dz_builder_bool(dz_builder *builder, bool value)
{
    dz_build_bool(&builder->build, value);
}

void dz_builder_int(dz_builder *builder, int64_t value)
{
    if (value > -(INT64_C(1) << 53) && value < INT64_C(1) << 53)
        dz_build_int(&builder->build, value);
    else
        dz_build_int64(&builder->build, value);
}

void dz_builder_number(dz_builder *builder, double value)
{
    dz_build_number(&builder->build, value);
}

void dz_builder_string(dz_builder *builder, const char *text)
{
    dz_build_cstring(&builder->build, text);
}

void dz_builder_bytes(dz_builder *builder, const void *data, size_t len)
{
    dz_build_string(&builder->build, data, len);
}

void dz_builder_process(dz_builder *builder, const dz_host *host, dz_process process)
{
    dz_build_pid_of(&builder->build, nodes_of(host), dz_pid_of(process));
}

void dz_builder_array(dz_builder *builder, uint32_t count)
{
    dz_build_array(&builder->build, count);
}

void dz_builder_map(dz_builder *builder, uint32_t count)
{
    dz_build_map(&builder->build, count);
}

void dz_builder_copy(dz_builder *builder, const dz_reader *value)
{
    struct dz_read r = cursor(value);
    const uint8_t *data;
    size_t len;
    if (dz_read_at_end(&r) || dz_read_skip(&r, &data, &len))
        builder->build.err = builder->build.err ? builder->build.err : DZ_EFORMAT;
    else
        dz_build_raw(&builder->build, data, len);
}

dz_reader dz_builder_read(const dz_builder *builder)
{
    return (dz_reader){ builder->buf.data, builder->buf.data + builder->buf.len, NULL };
}

/* --- process ids --- */

size_t dz_host_process_text(dz_host *host, dz_process process, char *out, size_t size)
{
    char text[DZ_PID_TEXT_MAX] = "";
    size_t len = dz_process_is_none(process) ? 0 : dz_pid_format(&host->rt.nodes, dz_pid_of(process), text);
    snprintf(out, size, "%s", text);
    return len;
}

int dz_host_process_parse(dz_host *host, const char *text, size_t len, dz_process *out)
{
    struct dz_pid pid;
    int err = dz_pid_parse(&host->rt.nodes, text, len, &pid);
    if (!err)
        *out = dz_process_of(pid);
    return err;
}
