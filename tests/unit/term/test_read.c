#include "term/read.h"

#include "base/err.h"
#include "sample.h"

/* The one value written, read back; the buffer is empty afterwards. */
static void read_back(struct dz_buf *buf, struct dz_value *v)
{
    struct dz_read r;
    dz_read_init(&r, buf->data, buf->len);
    assert_int_equal(dz_read_next(&r, v), 0);
    assert_true(dz_read_at_end(&r));
    dz_buf_clear(buf);
}

static void integers_come_back(void **state)
{
    (void)state;
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    for (int bit = 0; bit < 64; bit++)
        for (int off = -1; off <= 1; off++) {
            struct dz_value v;
            uint64_t n = ((uint64_t)1 << bit) + (uint64_t)off;
            dz_build_int(&b, (int64_t)n);
            read_back(&buf, &v);
            assert_int_equal(v.type, DZ_TERM_INT);
            assert_true(v.as.integer == (int64_t)n);
            dz_build_int(&b, (int64_t)(0 - n));
            read_back(&buf, &v);
            assert_true(v.type == DZ_TERM_INT && v.as.integer == (int64_t)(0 - n));
            dz_build_uint(&b, n);
            read_back(&buf, &v);
            assert_int_equal(v.type, n > INT64_MAX ? DZ_TERM_UINT : DZ_TERM_INT);
            assert_true(v.as.uinteger == n);
        }
    dz_buf_fini(&buf);
}

static void random_numbers_come_back_bit_by_bit(void **state)
{
    (void)state;
    struct dz_buf buf;
    struct dz_build b;
    uint64_t seed = 31;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = sample_random(&seed);
        double d, got;
        memcpy(&d, &bits, sizeof d);
        if (i % 2)
            d = (double)((int64_t)bits >> (i % 60));
        struct dz_read r;
        dz_build_number(&b, d);
        dz_read_init(&r, buf.data, buf.len);
        assert_int_equal(dz_read_number(&r, &got), 0);
        assert_memory_equal(&got, &d, sizeof d);
        dz_buf_clear(&buf);
    }
    dz_buf_fini(&buf);
}

static void special_numbers_keep_their_kind(void **state)
{
    (void)state;
    struct dz_buf buf;
    struct dz_build b;
    struct dz_value v;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_number(&b, -0.0);
    read_back(&buf, &v);
    assert_true(v.type == DZ_TERM_FLOAT && v.as.number == 0 && signbit(v.as.number));
    dz_build_number(&b, (double)NAN);
    read_back(&buf, &v);
    assert_true(v.type == DZ_TERM_FLOAT && isnan(v.as.number));
    dz_build_number(&b, -(double)INFINITY);
    read_back(&buf, &v);
    assert_true(v.type == DZ_TERM_FLOAT && isinf(v.as.number) && v.as.number < 0);
    dz_build_int64(&b, INT64_MIN);
    read_back(&buf, &v);
    assert_true(v.type == DZ_TERM_INT64 && v.as.integer == INT64_MIN);
    dz_build_uint64(&b, 7);
    read_back(&buf, &v);
    assert_true(v.type == DZ_TERM_UINT64 && v.as.uinteger == 7);
    dz_buf_fini(&buf);
}

static void strings_and_names_point_into_the_bytes(void **state)
{
    (void)state;
    struct dz_buf buf;
    struct dz_build b;
    struct dz_value v;
    static const char text[70000];
    static const size_t lens[] = {0, 1, 31, 32, 255, 256, 65535, 65536, 70000};
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        dz_build_string(&b, text, lens[i]);
        const char *end = (const char *)buf.data + buf.len;
        read_back(&buf, &v);
        assert_int_equal(v.type, DZ_TERM_STRING);
        assert_int_equal(v.as.str.len, lens[i]);
        assert_ptr_equal(v.as.str.bytes + lens[i], end);
    }
    dz_build_pid(&b, PID, strlen(PID));
    read_back(&buf, &v);
    assert_int_equal(v.type, DZ_TERM_PID);
    assert_memory_equal(v.as.str.bytes, PID, v.as.str.len);
    dz_build_ref(&b, REF, strlen(REF));
    read_back(&buf, &v);
    assert_int_equal(v.type, DZ_TERM_REF);
    assert_int_equal(v.as.str.len, strlen(REF));
    dz_build_ext(&b, DZ_EXT_FUNCTION, FUNCTION_BYTES, 13);
    read_back(&buf, &v);
    assert_int_equal(v.type, DZ_TERM_FUNCTION);
    assert_memory_equal(v.as.str.bytes, FUNCTION_BYTES, 13);
    dz_buf_fini(&buf);
}

static void a_walk_by_next_and_a_skip_end_at_the_same_place(void **state)
{
    (void)state;
    struct dz_buf buf;
    struct dz_read r, s;
    const uint8_t *data;
    size_t len;
    struct dz_value v;
    dz_buf_init(&buf);
    sample_all_types(&buf);
    dz_read_init(&r, buf.data, buf.len);
    dz_read_init(&s, buf.data, buf.len);
    assert_int_equal(dz_read_peek(&s, &v), 0);
    assert_int_equal(v.type, DZ_TERM_ARRAY);
    assert_int_equal(v.as.count, 20);
    assert_int_equal(dz_read_skip(&s, &data, &len), 0);
    assert_ptr_equal(data, buf.data);
    assert_int_equal(len, buf.len);
    assert_true(dz_read_at_end(&s));
    int values = 0;
    for (; !dz_read_at_end(&r); values++)
        assert_int_equal(dz_read_next(&r, &v), 0);
    assert_int_equal(values, 1 + 20 + 4 + 2);
    dz_buf_fini(&buf);
}

static void every_cut_is_malformed_and_moves_nothing(void **state)
{
    (void)state;
    struct dz_buf buf;
    dz_buf_init(&buf);
    sample_all_types(&buf);
    for (size_t len = 0; len < buf.len; len++) {
        uint8_t *cut = sample_exact(buf.data, len);
        struct dz_read r;
        dz_read_init(&r, cut, len);
        assert_int_equal(dz_read_skip(&r, NULL, NULL), DZ_EFORMAT);
        assert_ptr_equal(r.at, cut);
        struct dz_value v;
        while (dz_read_next(&r, &v) == 0)
            assert_true(r.at <= r.end);
        const uint8_t *at = r.at;
        assert_int_equal(dz_read_next(&r, &v), DZ_EFORMAT);
        assert_ptr_equal(r.at, at);
        free(cut);
    }
    dz_buf_fini(&buf);
}

static void garbage_is_never_read_beyond_its_end(void **state)
{
    (void)state;
    uint64_t seed = 32;
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[48];
        size_t len = sample_random(&seed) % sizeof bytes;
        for (size_t k = 0; k < len; k++) {
            uint64_t random = sample_random(&seed);
            bytes[k] = (uint8_t)(random % 3 ? 0x80 + random / 3 % 0x60 : random >> 8);
        }
        uint8_t *garbage = sample_exact(bytes, len);
        struct dz_read r, found;
        struct dz_value v;
        const char *s;
        size_t slen;
        dz_read_init(&r, garbage, len);
        while (dz_read_skip(&r, NULL, NULL) == 0)
            assert_true(r.at <= r.end);
        dz_read_init(&r, garbage, len);
        while (dz_read_next(&r, &v) == 0)
            if (v.type == DZ_TERM_STRING)
                assert_ptr_equal(v.as.str.bytes + v.as.str.len, r.at);
        if (dz_read_find(garbage, len, "a", &found))
            assert_true(found.at >= garbage && found.end <= garbage + len);
        dz_read_find_string(garbage, len, "", &s, &slen);
        free(garbage);
    }
}

static void counts_that_cannot_be_are_refused_at_the_head(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"\x92\xc0", 2},
        {"\xdd\xff\xff\xff\xff\xc0", 6},
        {"\xdf\x80\x00\x00\x00\xc0\xc0", 7},
        {"\x82\xc0\xc0\xc0", 4},
        {"\xdb\xff\xff\xff\xff"
         "a",
         6},
        {"\xc9\xff\xff\xff\xff\x01"
         "a",
         7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dz_read r;
        struct dz_value v;
        dz_read_init(&r, (const uint8_t *)cases[i].bytes, cases[i].len);
        assert_int_equal(dz_read_next(&r, &v), DZ_EFORMAT);
    }
}

static void what_the_byte_form_does_not_have_is_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"\xc1", 1}, /* never used */
        {"\xc4\x01"
         "a",
         3},                             /* bin */
        {"\xca\x3f\x80\x00\x00", 5},     /* float 32 */
        {"\xd6\xff\x00\x00\x00\x00", 6}, /* timestamp */
        {"\xd4\x03\x00", 3},             /* an int64 of one byte */
        {"\xc7\x0d\x05"
         "\0\0\0\1\0\0\0\2\0\0\0\3x",
         16}, /* neither function nor table */
        {"\xd7\x05"
         "\0\0\0\1\0\0\0f",
         10}, /* a function too short */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dz_read r;
        struct dz_value v;
        dz_read_init(&r, (const uint8_t *)cases[i].bytes, cases[i].len);
        assert_int_equal(dz_read_next(&r, &v), DZ_EFORMAT);
        assert_int_equal(dz_read_peek(&r, &v), DZ_EFORMAT);
    }
}

static void skip_goes_as_deep_as_the_limit(void **state)
{
    (void)state;
    uint8_t bytes[DZ_TERM_MAX_DEPTH + 2];
    struct dz_read r;
    memset(bytes, 0x91, sizeof bytes);
    bytes[DZ_TERM_MAX_DEPTH] = 0xc0;
    dz_read_init(&r, bytes, DZ_TERM_MAX_DEPTH + 1);
    assert_int_equal(dz_read_skip(&r, NULL, NULL), 0);
    assert_true(dz_read_at_end(&r));
    bytes[DZ_TERM_MAX_DEPTH] = 0x91;
    bytes[DZ_TERM_MAX_DEPTH + 1] = 0xc0;
    dz_read_init(&r, bytes, sizeof bytes);
    assert_int_equal(dz_read_skip(&r, NULL, NULL), DZ_ETOODEEP);
    assert_ptr_equal(r.at, bytes);
}

static void typed_reads_leave_other_types_alone(void **state)
{
    (void)state;
    struct dz_read r;
    const char *s;
    size_t len;
    int64_t i;
    uint64_t u;
    double d;
    bool b;
    uint32_t n;
    dz_read_init(&r, (const uint8_t *)"\xa1x\x07\xc3\x91\x80", 6);
    assert_int_equal(dz_read_int(&r, &i), DZ_EFORMAT);
    assert_int_equal(dz_read_uint(&r, &u), DZ_EFORMAT);
    assert_int_equal(dz_read_number(&r, &d), DZ_EFORMAT);
    assert_int_equal(dz_read_bool(&r, &b), DZ_EFORMAT);
    assert_int_equal(dz_read_array(&r, &n), DZ_EFORMAT);
    assert_int_equal(dz_read_map(&r, &n), DZ_EFORMAT);
    assert_int_equal(dz_read_string(&r, &s, &len), 0);
    assert_true(len == 1 && s[0] == 'x');
    assert_int_equal(dz_read_string(&r, &s, &len), DZ_EFORMAT);
    assert_int_equal(dz_read_int(&r, &i), 0);
    assert_int_equal(i, 7);
    assert_int_equal(dz_read_bool(&r, &b), 0);
    assert_true(b);
    assert_int_equal(dz_read_map(&r, &n), DZ_EFORMAT);
    assert_int_equal(dz_read_array(&r, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(dz_read_map(&r, &n), 0);
    assert_int_equal(n, 0);
    assert_true(dz_read_at_end(&r));
    assert_int_equal(dz_read_bool(&r, &b), DZ_EFORMAT);
}

/* dz_build_number writes small integers as such, so these floats come from bytes made by hand. */
static size_t float_bytes(double d, uint8_t *out)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    out[0] = 0xcb;
    for (int i = 0; i < 8; i++)
        out[1 + i] = (uint8_t)(bits >> (56 - 8 * i));
    return 9;
}

static void whole_floats_read_as_integers_within_range(void **state)
{
    (void)state;
    static const struct {
        double d;
        bool is_int, is_uint;
    } cases[] = {
        {5.0, true, true},         {-5.0, true, false},         {0.5, false, false},
        {0x1p63, false, true},     {-0x1p63, true, false},      {0x1p64, false, false},
        {-0x1.8p63, false, false}, {(double)NAN, false, false}, {(double)INFINITY, false, false},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        uint8_t bytes[9];
        struct dz_read r;
        int64_t i;
        uint64_t u;
        size_t len = float_bytes(cases[k].d, bytes);
        dz_read_init(&r, bytes, len);
        assert_int_equal(dz_read_int(&r, &i), cases[k].is_int ? 0 : DZ_EFORMAT);
        if (cases[k].is_int)
            assert_true((double)i == cases[k].d);
        dz_read_init(&r, bytes, len);
        assert_int_equal(dz_read_uint(&r, &u), cases[k].is_uint ? 0 : DZ_EFORMAT);
        if (cases[k].is_uint)
            assert_true((double)u == cases[k].d);
    }
}

static void signs_decide_between_int_and_uint(void **state)
{
    (void)state;
    struct dz_buf buf;
    struct dz_build b;
    struct dz_read r;
    int64_t i;
    uint64_t u;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_int(&b, -1);
    dz_build_uint(&b, UINT64_MAX);
    dz_read_init(&r, buf.data, buf.len);
    assert_int_equal(dz_read_uint(&r, &u), DZ_EFORMAT);
    assert_int_equal(dz_read_int(&r, &i), 0);
    assert_int_equal(dz_read_int(&r, &i), DZ_EFORMAT);
    assert_int_equal(dz_read_uint(&r, &u), 0);
    assert_true(u == UINT64_MAX);
    dz_buf_fini(&buf);
}

static void find_passes_over_other_keys_and_nested_values(void **state)
{
    (void)state;
    struct dz_buf buf;
    struct dz_build b;
    struct dz_read value;
    const char *s;
    size_t len;
    int64_t i;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 5);
    dz_build_array(&b, 1); /* a table as a key */
    dz_build_cstring(&b, "code");
    dz_build_nil(&b);
    dz_build_key(&b, "nested");
    dz_build_map(&b, 1);
    dz_build_kstring(&b, "code", "inner");
    dz_build_kstring(&b, "cod", "prefix");
    dz_build_kstring(&b, "code", "outer");
    dz_build_kint(&b, "n", 42);
    assert_true(dz_read_find_string(buf.data, buf.len, "code", &s, &len));
    assert_true(len == 5 && memcmp(s, "outer", 5) == 0);
    assert_true(dz_read_find_int(buf.data, buf.len, "n", &i));
    assert_int_equal(i, 42);
    assert_false(dz_read_find_int(buf.data, buf.len, "code", &i));
    assert_false(dz_read_find_string(buf.data, buf.len, "n", &s, &len));
    assert_false(dz_read_find(buf.data, buf.len, "missing", &value));
    assert_true(dz_read_find(buf.data, buf.len, "nested", &value));
    assert_true(dz_read_find_string(value.at, (size_t)(value.end - value.at), "code", &s, &len));
    assert_true(len == 5 && memcmp(s, "inner", 5) == 0);
    assert_false(dz_read_find((const uint8_t *)"\x91\xc0", 2, "code", &value));
    assert_false(dz_read_find(NULL, 0, "code", &value));
    dz_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_come_back),
        cmocka_unit_test(random_numbers_come_back_bit_by_bit),
        cmocka_unit_test(special_numbers_keep_their_kind),
        cmocka_unit_test(strings_and_names_point_into_the_bytes),
        cmocka_unit_test(a_walk_by_next_and_a_skip_end_at_the_same_place),
        cmocka_unit_test(every_cut_is_malformed_and_moves_nothing),
        cmocka_unit_test(garbage_is_never_read_beyond_its_end),
        cmocka_unit_test(counts_that_cannot_be_are_refused_at_the_head),
        cmocka_unit_test(what_the_byte_form_does_not_have_is_malformed),
        cmocka_unit_test(skip_goes_as_deep_as_the_limit),
        cmocka_unit_test(typed_reads_leave_other_types_alone),
        cmocka_unit_test(whole_floats_read_as_integers_within_range),
        cmocka_unit_test(signs_decide_between_int_and_uint),
        cmocka_unit_test(find_passes_over_other_keys_and_nested_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
