/* test_frames.c - control frames: a byte and a term, sent to one peer or to all, and read with care. */
#include "notebook.h"

static void a_control_frame_is_a_byte_and_a_term(void **state)
{
    struct rig r;
    struct dz_frame_out f;
    struct dz_read reader;
    const char *s;
    size_t len;
    (void)state;
    begin(&r);
    assert_int_equal(dz_routes_open(&r.routes, r.b, 5), 0);
    dz_frame_begin(&f, DZ_CLUSTER_CANCEL);
    dz_build_array(&f.build, 2);
    dz_build_cstring(&f.build, "name");
    dz_build_nil(&f.build);
    assert_int_equal(f.buf.data[0], DZ_CLUSTER_CANCEL);
    dz_read_init(&reader, f.buf.data + 1, f.buf.len - 1);
    assert_int_equal(dz_frame_read_array(&reader, 2), 0);
    assert_int_equal(dz_frame_read_text(&reader, 3, &s, &len), DZ_EFORMAT);
    dz_read_init(&reader, f.buf.data + 2, f.buf.len - 2);
    assert_int_equal(dz_frame_read_text(&reader, 4, &s, &len), 0);
    assert_int_equal(dz_frame_read_optional(&reader, 4, &s, &len), 0);
    assert_null(s);
    assert_int_equal(dz_frame_send(&f, &r.routes, 5), 0);
    assert_string_equal(r.notebook.text, "5/0/8!;");
    end(&r);
}

static void a_frame_is_broadcast_to_all_but_one_or_dropped(void **state)
{
    (void)state;
    struct rig r;
    struct dz_frame_out f;
    begin(&r);
    assert_int_equal(dz_routes_open(&r.routes, r.b, 5), 0);
    assert_int_equal(dz_routes_open(&r.routes, r.c, 6), 0);
    dz_frame_begin(&f, DZ_CLUSTER_CANCEL);
    dz_build_nil(&f.build);
    dz_frame_broadcast(&f, &r.routes, 6);
    assert_string_equal(r.notebook.text, "5/0/2!;");
    dz_frame_begin(&f, DZ_CLUSTER_CANCEL);
    dz_build_cstring(&f.build, "never sent");
    dz_frame_drop(&f);
    assert_string_equal(r.notebook.text, "5/0/2!;");
    end(&r);
}

static void a_frame_that_cannot_be_sent_says_why_and_leaves_nothing(void **state)
{
    (void)state;
    struct rig r;
    struct dz_frame_out f;
    begin(&r);
    assert_int_equal(dz_routes_open(&r.routes, r.b, 5), 0);
    r.notebook.answer = DZ_EOVERLOADED;
    dz_frame_begin(&f, DZ_CLUSTER_CANCEL);
    dz_build_nil(&f.build);
    assert_int_equal(dz_frame_send(&f, &r.routes, 5), DZ_EOVERLOADED);
    dz_frame_begin(&f, DZ_CLUSTER_CANCEL);
    f.build.err = DZ_ENOMEM;
    assert_int_equal(dz_frame_send(&f, &r.routes, 5), DZ_ENOMEM);
    dz_frame_begin(&f, DZ_CLUSTER_CANCEL);
    f.build.err = DZ_ENOMEM;
    dz_frame_broadcast(&f, &r.routes, 0);
    assert_string_equal(r.notebook.text, "5/0/2!;");
    dz_routes_attach(&r.routes, NULL);
    dz_frame_begin(&f, DZ_CLUSTER_CANCEL);
    dz_build_nil(&f.build);
    assert_int_equal(dz_frame_send(&f, &r.routes, 5), DZ_ENOCONNECTION);
    end(&r);
}

static void a_text_is_neither_empty_nor_too_long_nor_something_else(void **state)
{
    (void)state;
    struct dz_read r;
    const char *s = "x";
    size_t len = 9;
    dz_read_init(&r, (const uint8_t *)"\xa0", 1);
    assert_int_equal(dz_frame_read_text(&r, 4, &s, &len), DZ_EFORMAT);
    dz_read_init(&r,
                 (const uint8_t *)"\xa5"
                                  "abcde",
                 6);
    assert_int_equal(dz_frame_read_text(&r, 4, &s, &len), DZ_EFORMAT);
    dz_read_init(&r, (const uint8_t *)"\x05", 1);
    assert_int_not_equal(dz_frame_read_text(&r, 4, &s, &len), 0);
    dz_read_init(&r, (const uint8_t *)"", 0);
    assert_int_not_equal(dz_frame_read_text(&r, 4, &s, &len), 0);
    assert_int_not_equal(dz_frame_read_optional(&r, 4, &s, &len), 0);
    dz_read_init(&r,
                 (const uint8_t *)"\xa4"
                                  "abcd\xc0",
                 6);
    assert_int_equal(dz_frame_read_optional(&r, 4, &s, &len), 0);
    assert_memory_equal(s, "abcd", len);
    assert_int_equal(dz_frame_read_optional(&r, 4, &s, &len), 0);
    assert_null(s);
    assert_int_equal(len, 0);
    dz_read_init(&r, (const uint8_t *)"\x91", 1);
    assert_int_not_equal(dz_frame_read_optional(&r, 4, &s, &len), 0);
}

static void an_array_has_exactly_as_many_elements(void **state)
{
    (void)state;
    struct dz_read r;
    dz_read_init(&r, (const uint8_t *)"\x92\x01\x02", 3);
    assert_int_equal(dz_frame_read_array(&r, 2), 0);
    dz_read_init(&r, (const uint8_t *)"\x92\x01\x02", 3);
    assert_int_equal(dz_frame_read_array(&r, 3), DZ_EFORMAT);
    dz_read_init(&r, (const uint8_t *)"\x80", 1);
    assert_int_not_equal(dz_frame_read_array(&r, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_control_frame_is_a_byte_and_a_term),
        cmocka_unit_test(a_frame_is_broadcast_to_all_but_one_or_dropped),
        cmocka_unit_test(a_frame_that_cannot_be_sent_says_why_and_leaves_nothing),
        cmocka_unit_test(a_text_is_neither_empty_nor_too_long_nor_something_else),
        cmocka_unit_test(an_array_has_exactly_as_many_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
