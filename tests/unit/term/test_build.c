#include "term/build.h"

#include <stdio.h>

#include "base/err.h"
#include "sample.h"

struct fixture {
    struct dz_buf buf;
    struct dz_build b;
};

static void begin(struct fixture *f)
{
    dz_buf_init(&f->buf);
    dz_build_init(&f->b, &f->buf);
}

/* The bytes written are these, and the next value starts on a clean sheet. */
#define assert_bytes(f, text)                                                                                \
    do {                                                                                                     \
        assert_int_equal(dz_build_done(&(f)->b), 0);                                                         \
        assert_int_equal((f)->buf.len, sizeof(text) - 1);                                                    \
        assert_memory_equal((f)->buf.data, text, sizeof(text) - 1);                                          \
        dz_buf_clear(&(f)->buf);                                                                             \
    } while (0)

static void integers_take_their_shortest_form(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    static const struct {
        int64_t v;
        const char *bytes;
        size_t len;
    } cases[] = {
        {0, "\x00", 1},
        {127, "\x7f", 1},
        {128, "\xcc\x80", 2},
        {255, "\xcc\xff", 2},
        {256, "\xcd\x01\x00", 3},
        {65535, "\xcd\xff\xff", 3},
        {65536, "\xce\x00\x01\x00\x00", 5},
        {UINT32_MAX, "\xce\xff\xff\xff\xff", 5},
        {4294967296, "\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9},
        {INT64_MAX, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9},
        {-1, "\xff", 1},
        {-32, "\xe0", 1},
        {-33, "\xd0\xdf", 2},
        {-128, "\xd0\x80", 2},
        {-129, "\xd1\xff\x7f", 3},
        {-32768, "\xd1\x80\x00", 3},
        {-32769, "\xd2\xff\xff\x7f\xff", 5},
        {INT32_MIN, "\xd2\x80\x00\x00\x00", 5},
        {(int64_t)INT32_MIN - 1, "\xd3\xff\xff\xff\xff\x7f\xff\xff\xff", 9},
        {INT64_MIN, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dz_build_int(&f.b, cases[i].v);
        assert_int_equal(f.buf.len, cases[i].len);
        assert_memory_equal(f.buf.data, cases[i].bytes, cases[i].len);
        dz_buf_clear(&f.buf);
    }
    dz_build_uint(&f.b, 5);
    assert_bytes(&f, "\x05");
    dz_build_uint(&f.b, UINT64_MAX);
    assert_bytes(&f, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
    dz_buf_fini(&f.buf);
}

static void numbers_are_integers_only_where_nothing_is_lost(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    dz_build_number(&f.b, 3.0);
    assert_bytes(&f, "\x03");
    dz_build_number(&f.b, -9007199254740992.0);
    assert_bytes(&f, "\xd3\xff\xe0\x00\x00\x00\x00\x00\x00");
    dz_build_number(&f.b, 9007199254740994.0);
    assert_bytes(&f, "\xcb\x43\x40\x00\x00\x00\x00\x00\x01");
    dz_build_number(&f.b, 0.0);
    assert_bytes(&f, "\x00");
    dz_build_number(&f.b, -0.0);
    assert_bytes(&f, "\xcb\x80\x00\x00\x00\x00\x00\x00\x00");
    dz_build_number(&f.b, 0.5);
    assert_bytes(&f, "\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00");
    dz_build_number(&f.b, (double)INFINITY);
    assert_bytes(&f, "\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00");
    dz_build_number(&f.b, (double)NAN);
    assert_int_equal(f.buf.len, 9);
    assert_int_equal(f.buf.data[0], 0xcb);
    dz_buf_fini(&f.buf);
}

static void heads_grow_with_what_they_announce(void **state)
{
    (void)state;
    struct fixture f;
    static const char text[70000];
    static const struct {
        size_t len;
        const char *head;
        size_t head_len;
    } cases[] = {
        {0, "\xa0", 1},
        {31, "\xbf", 1},
        {32, "\xd9\x20", 2},
        {255, "\xd9\xff", 2},
        {256, "\xda\x01\x00", 3},
        {65535, "\xda\xff\xff", 3},
        {65536, "\xdb\x00\x01\x00\x00", 5},
    };
    begin(&f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dz_build_string(&f.b, text, cases[i].len);
        assert_int_equal(f.buf.len, cases[i].head_len + cases[i].len);
        assert_memory_equal(f.buf.data, cases[i].head, cases[i].head_len);
        dz_buf_clear(&f.buf);
    }
    dz_build_array(&f.b, 15);
    assert_bytes(&f, "\x9f");
    dz_build_array(&f.b, 16);
    assert_bytes(&f, "\xdc\x00\x10");
    dz_build_array(&f.b, 65536);
    assert_bytes(&f, "\xdd\x00\x01\x00\x00");
    dz_build_map(&f.b, 15);
    assert_bytes(&f, "\x8f");
    dz_build_map(&f.b, 65535);
    assert_bytes(&f, "\xde\xff\xff");
    dz_build_map(&f.b, UINT32_MAX);
    assert_bytes(&f, "\xdf\xff\xff\xff\xff");
    dz_buf_fini(&f.buf);
}

static void ext_values_carry_type_and_bytes(void **state)
{
    (void)state;
    struct fixture f;
    static const char zeros[300];
    begin(&f);
    dz_build_int64(&f.b, -2);
    assert_bytes(&f, "\xd7\x03\xff\xff\xff\xff\xff\xff\xff\xfe");
    dz_build_uint64(&f.b, 258);
    assert_bytes(&f, "\xd7\x04\x00\x00\x00\x00\x00\x00\x01\x02");
    dz_build_pid(&f.b, "<p>", 3);
    assert_bytes(&f, "\xc7\x03\x01<p>");
    dz_build_ref(&f.b, "<r>!", 4);
    assert_bytes(&f, "\xd6\x02<r>!");
    dz_build_ext(&f.b, DZ_EXT_PID, zeros, 300);
    assert_int_equal(f.buf.len, 304);
    assert_memory_equal(f.buf.data, "\xc8\x01\x2c\x01", 4);
    dz_buf_fini(&f.buf);
}

static void map_entries_have_helpers(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    dz_build_map(&f.b, 5);
    dz_build_kstring(&f.b, "a", "x");
    dz_build_kstring(&f.b, "b", NULL);
    dz_build_kint(&f.b, "c", -1);
    dz_build_kbool(&f.b, "d", false);
    dz_build_kraw(&f.b, "e", (const uint8_t *)"\x90", 1);
    assert_bytes(&f, "\x85\xa1"
                     "a\xa1x\xa1"
                     "b\xc0\xa1"
                     "c\xff\xa1"
                     "d\xc2\xa1"
                     "e\x90");
    dz_buf_fini(&f.buf);
}

static void the_first_error_sticks(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.buf.limit = 4;
    dz_build_string(&f.b, "abc", 3);
    assert_int_equal(dz_build_done(&f.b), 0);
    dz_build_nil(&f.b);
    assert_int_equal(dz_build_done(&f.b), DZ_ETOOLARGE);
    f.buf.limit = 0;
    dz_build_nil(&f.b);
    dz_build_int(&f.b, 100000);
    dz_build_kraw(&f.b, "k", (const uint8_t *)"x", 1);
    assert_int_equal(dz_build_done(&f.b), DZ_ETOOLARGE);
    assert_int_equal(f.buf.len, 4);
    dz_build_ext(&f.b, DZ_EXT_PID, NULL, 100000);
    assert_int_equal(dz_build_done(&f.b), DZ_ETOOLARGE);
    dz_buf_fini(&f.buf);
}

static void a_value_fits_a_buffer_of_exactly_its_size(void **state)
{
    (void)state;
    struct dz_buf whole, tight;
    dz_buf_init(&whole);
    sample_all_types(&whole);
    dz_buf_init(&tight);
    tight.limit = whole.len;
    sample_all_types(&tight);
    assert_int_equal(tight.len, whole.len);
    assert_memory_equal(tight.data, whole.data, whole.len);
    dz_buf_fini(&whole);
    dz_buf_fini(&tight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_take_their_shortest_form),
        cmocka_unit_test(numbers_are_integers_only_where_nothing_is_lost),
        cmocka_unit_test(heads_grow_with_what_they_announce),
        cmocka_unit_test(ext_values_carry_type_and_bytes),
        cmocka_unit_test(map_entries_have_helpers),
        cmocka_unit_test(the_first_error_sticks),
        cmocka_unit_test(a_value_fits_a_buffer_of_exactly_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
