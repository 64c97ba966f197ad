/* term.c - terms as they come over a socket: checked, read, printed, built anew. */
#include <math.h>
#include <string.h>
#include "base/buf.h"
#include "fuzz.h"
#include "term/build.h"
#include "term/read.h"

static void copy_value(struct dz_read *r, struct dz_build *b);

static void copy_many(struct dz_read *r, struct dz_build *b, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        copy_value(r, b);
}

static void copy_value(struct dz_read *r, struct dz_build *b)
{
    struct dz_value v, again;
    FUZZ_CHECK(dz_read_peek(r, &again) == 0);
    FUZZ_CHECK(dz_read_next(r, &v) == 0 && v.type == again.type);
    switch (v.type) {
    case DZ_TERM_NIL:
        dz_build_nil(b);
        break;
    case DZ_TERM_BOOL:
        dz_build_bool(b, v.as.boolean);
        break;
    case DZ_TERM_INT:
        dz_build_int(b, v.as.integer);
        break;
    case DZ_TERM_UINT:
        dz_build_uint(b, v.as.uinteger);
        break;
    case DZ_TERM_FLOAT:
        dz_build_number(b, v.as.number);
        break;
    case DZ_TERM_STRING:
        dz_build_string(b, v.as.str.bytes, v.as.str.len);
        break;
    case DZ_TERM_ARRAY:
        dz_build_array(b, v.as.count);
        copy_many(r, b, v.as.count);
        break;
    case DZ_TERM_MAP:
        dz_build_map(b, v.as.count);
        copy_many(r, b, 2 * (uint64_t)v.as.count);
        break;
    case DZ_TERM_PID:
        FUZZ_CHECK(dz_term_is_pid(v.as.str.bytes, v.as.str.len));
        dz_build_pid(b, v.as.str.bytes, v.as.str.len);
        break;
    case DZ_TERM_REF:
        FUZZ_CHECK(dz_term_is_ref(v.as.str.bytes, v.as.str.len));
        dz_build_ref(b, v.as.str.bytes, v.as.str.len);
        break;
    case DZ_TERM_INT64:
        dz_build_int64(b, v.as.integer);
        break;
    case DZ_TERM_UINT64:
        dz_build_uint64(b, v.as.uinteger);
        break;
    default:
        FUZZ_CHECK(!"a type that the check lets through");
    }
}

static void copy(struct dz_buf *out, const uint8_t *data, size_t len)
{
    struct dz_read r;
    struct dz_build b;
    dz_buf_init(out);
    dz_build_init(&b, out);
    dz_read_init(&r, data, len);
    copy_value(&r, &b);
    FUZZ_CHECK(dz_read_at_end(&r));
    FUZZ_CHECK(dz_build_done(&b) == 0);
}

static void print(const uint8_t *data, size_t len)
{
    char text[200];
    for (size_t cap = 1; cap <= sizeof text; cap += 13) {
        FUZZ_CHECK(dz_term_print(data, len, text, cap) < cap);
        FUZZ_CHECK(dz_term_reason_text(data, len, text, cap) < cap);
    }
}

/* What a typed reader gives on whatever bytes. */
static void look(const uint8_t *data, size_t len)
{
    struct dz_read r, found;
    const char *s;
    size_t slen;
    int64_t n;
    dz_read_init(&r, data, len);
    while (dz_read_skip(&r, NULL, NULL) == 0)
        ;
    (void)dz_read_find(data, len, "code", &found);
    (void)dz_read_find_string(data, len, "message", &s, &slen);
    (void)dz_read_find_int(data, len, "seq", &n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct dz_buf first, second;
    int err = dz_term_check(data, len, 0);
    int with_functions = dz_term_check(data, len, DZ_TERM_ALLOW_FUNCTIONS);
    look(data, len);
    print(data, len);
    FUZZ_CHECK(err || !with_functions);
    if (err)
        return 0;
    copy(&first, data, len);
    FUZZ_CHECK(dz_term_check(first.data, first.len, 0) == 0);
    copy(&second, first.data, first.len);
    FUZZ_CHECK(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    dz_buf_fini(&first);
    dz_buf_fini(&second);
    return 0;
}
