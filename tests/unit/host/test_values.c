/* test_values.c - readers and builders: every type there and back, every refusal, every limit. */
#include "hosted.h"

#include <math.h>
#include "base/alloc.h"
#include "term/term.h"

static int setup(void **state)
{
    *state = dz_builder_new();
    return 0;
}

static int teardown(void **state)
{
    dz_builder_delete(*state);
    return 0;
}

static void what_is_built_is_read_back_in_order(void **state)
{
    dz_builder *b = *state;
    const char *s;
    size_t len;
    bool flag = false;
    int64_t i = 0;
    double d = 0;
    uint32_t count = 0;
    dz_builder_array(b, 7);
    dz_builder_nil(b);
    dz_builder_bool(b, true);
    dz_builder_int(b, -5);
    dz_builder_number(b, 2.5);
    dz_builder_string(b, "text");
    dz_builder_bytes(b, "a\0b", 3);
    dz_builder_map(b, 1);
    dz_builder_string(b, "key");
    dz_builder_string(b, NULL);
    assert_int_equal(dz_builder_error(b), 0);
    dz_reader r = dz_builder_read(b);
    assert_true(dz_reader_array(&r, &count) && count == 7);
    assert_true(dz_reader_nil(&r));
    assert_true(dz_reader_bool(&r, &flag) && flag);
    assert_true(dz_reader_int(&r, &i) && i == -5);
    assert_true(dz_reader_number(&r, &d) && d == 2.5);
    assert_true(dz_reader_is(&r, "text") && dz_reader_skip(&r));
    assert_true(dz_reader_string(&r, &s, &len) && len == 3 && memcmp(s, "a\0b", 3) == 0);
    assert_true(dz_reader_map(&r, &count) && count == 1);
    assert_true(dz_reader_skip(&r) && dz_reader_nil(&r));
    assert_int_equal(dz_reader_type(&r), DZ_TYPE_NONE);
    assert_false(dz_reader_skip(&r));
}

static void a_read_of_another_type_is_false_and_stays(void **state)
{
    dz_builder *b = *state;
    const char *s;
    size_t len;
    bool flag;
    int64_t i;
    double d;
    uint32_t count;
    dz_process p;
    dz_builder_string(b, "text");
    dz_reader r = dz_builder_read(b), before = r;
    assert_false(dz_reader_nil(&r) || dz_reader_bool(&r, &flag) || dz_reader_int(&r, &i) || dz_reader_number(&r, &d));
    assert_false(dz_reader_array(&r, &count) || dz_reader_map(&r, &count) || dz_reader_process(&r, &p));
    assert_false(dz_reader_id_text(&r, &s, &len));
    assert_ptr_equal(r.at, before.at);
    assert_true(dz_reader_string(&r, &s, &len));
    assert_false(dz_reader_string(&r, &s, &len));
}

static void whole_numbers_are_read_as_int64_and_no_others(void **state)
{
    static const int64_t all[] = { 0, -1, 1 << 20, INT64_C(1) << 53, -(INT64_C(1) << 53), INT64_MAX, INT64_MIN };
    dz_builder *b = *state;
    int64_t i;
    for (size_t n = 0; n < sizeof all / sizeof all[0]; n++) {
        dz_builder_clear(b);
        dz_builder_int(b, all[n]);
        dz_reader r = dz_builder_read(b);
        assert_int_equal(dz_reader_type(&r), DZ_TYPE_NUMBER);
        assert_true(dz_reader_int(&r, &i));
        assert_true(i == all[n]);
    }
    const double odd[] = { 0.5, NAN, INFINITY, 1e300 };
    for (size_t n = 0; n < 4; n++) {
        dz_builder_clear(b);
        dz_builder_number(b, odd[n]);
        dz_reader r = dz_builder_read(b);
        assert_false(dz_reader_int(&r, &i));
        assert_int_equal(dz_reader_type(&r), DZ_TYPE_NUMBER);
    }
}

static void a_boxed_number_beyond_int64_is_no_int(void **state)
{
    dz_builder *b = *state;
    int64_t i;
    dz_build_uint64(&b->build, UINT64_MAX);
    dz_reader r = dz_builder_read(b);
    assert_false(dz_reader_int(&r, &i));
    dz_builder_clear(b);
    dz_build_uint64(&b->build, INT64_MAX);
    r = dz_builder_read(b);
    assert_true(dz_reader_int(&r, &i));
    assert_true(i == INT64_MAX);
}

static void a_field_is_found_without_moving_and_keys_are_whole(void **state)
{
    struct dz_buf term = literal("{ name = \"n\", names = 2, 5 = 3 }");
    dz_reader r = { term.data, term.data + term.len, NULL }, v;
    int64_t i = 0;
    (void)state;
    assert_true(dz_reader_find(&r, "names", &v) && dz_reader_int(&v, &i));
    assert_int_equal(i, 2);
    assert_false(dz_reader_find(&r, "nam", &v));
    assert_int_equal(dz_reader_type(&r), DZ_TYPE_MAP);
    assert_true(dz_reader_find(&r, "name", &v));
    assert_true(dz_reader_is(&v, "n"));
    assert_false(dz_reader_is(&v, "na"));
    assert_false(dz_reader_find(&v, "name", &v));
    dz_buf_fini(&term);
}

static void cut_bytes_are_read_up_to_the_cut_and_no_further(void **state)
{
    struct dz_buf term = literal("{ { a = \"text\" }, 1.5, -70000 }");
    (void)state;
    for (size_t len = 0; len < term.len; len++) {
        uint8_t *cut = malloc(len + 1);
        memcpy(cut, term.data, len);
        dz_reader r = { cut, cut + len, NULL };
        char out[16];
        assert_false(dz_reader_skip(&r));
        assert_int_equal(dz_reader_print(&r, out, sizeof out), 0);
        assert_string_equal(out, "");
        free(cut);
    }
    dz_buf_fini(&term);
}

static void printing_is_cut_to_its_room(void **state)
{
    dz_builder *b = *state;
    char out[8] = "unset";
    dz_builder_string(b, "a text that is long");
    dz_reader r = dz_builder_read(b);
    size_t len = dz_reader_print(&r, out, sizeof out);
    assert_true(len < sizeof out);
    assert_int_equal(strlen(out), len);
    assert_int_equal(dz_reader_print(&r, out, 0), 0);
}

static void what_is_not_exactly_one_value_is_an_error(void **state)
{
    dz_builder *b = *state;
    assert_int_equal(dz_builder_error(b), DZ_EFORMAT);
    dz_builder_nil(b);
    assert_int_equal(dz_builder_error(b), 0);
    dz_builder_nil(b);
    assert_int_equal(dz_builder_error(b), DZ_EFORMAT);
    dz_builder_clear(b);
    dz_builder_map(b, 1);
    dz_builder_string(b, "key");
    assert_int_equal(dz_builder_error(b), DZ_EFORMAT);
}

static void the_first_error_sticks_until_the_builder_is_cleared(void **state)
{
    dz_builder *b = *state;
    dz_reader none = { NULL, NULL, NULL };
    dz_builder_array(b, 1);
    dz_builder_copy(b, &none);
    assert_int_equal(dz_builder_error(b), DZ_EFORMAT);
    dz_builder_nil(b);
    assert_int_equal(dz_builder_error(b), DZ_EFORMAT);
    dz_builder_clear(b);
    dz_builder_nil(b);
    assert_int_equal(dz_builder_error(b), 0);
}

static void sixteen_mebibytes_are_the_limit(void **state)
{
    dz_builder *b = *state;
    char *bytes = calloc(1, DZ_TERM_MAX_BYTES);
    dz_builder_bytes(b, bytes, DZ_TERM_MAX_BYTES - 5);
    assert_int_equal(dz_builder_error(b), 0);
    dz_builder_clear(b);
    dz_builder_bytes(b, bytes, DZ_TERM_MAX_BYTES);
    assert_int_equal(dz_builder_error(b), DZ_ETOOLARGE);
    free(bytes);
}

static void nesting_has_a_limit(void **state)
{
    dz_builder *b = *state;
    for (int i = 0; i < DZ_TERM_MAX_DEPTH + 1; i++)
        dz_builder_array(b, 1);
    dz_builder_nil(b);
    assert_int_equal(dz_builder_error(b), DZ_ETOODEEP);
}

static void a_copy_takes_one_whole_value(void **state)
{
    dz_builder *b = *state;
    struct dz_buf term = literal("{ { 1, 2 }, 3 }");
    dz_reader r = { term.data + 1, term.data + term.len, NULL };
    char out[32];
    dz_builder_copy(b, &r);
    assert_int_equal(dz_builder_error(b), 0);
    dz_reader copy = dz_builder_read(b);
    dz_reader_print(&copy, out, sizeof out);
    assert_string_equal(out, "{1, 2}");
    dz_buf_fini(&term);
}

static void a_process_goes_through_values_and_text_and_back(void **state)
{
    struct hosted *f = *state;
    dz_process ear = hosted_ear(f), again;
    char text[400], cut[6];
    const char *s;
    size_t len;
    dz_builder_clear(f->b);
    dz_builder_process(f->b, f->host, ear);
    dz_reader r = dz_builder_read(f->b);
    assert_int_equal(dz_reader_type(&r), DZ_TYPE_PROCESS);
    assert_false(dz_reader_process(&r, &again)); /* a builder's reader knows no host */
    dz_reader copy = r;
    assert_true(dz_reader_id_text(&copy, &s, &len));
    r.host = f->host;
    assert_true(dz_reader_process(&r, &again) && dz_process_equal(again, ear));
    size_t whole = dz_host_process_text(f->host, ear, text, sizeof text);
    assert_int_equal(whole, strlen(text));
    assert_int_equal(dz_host_process_parse(f->host, text, whole, &again), 0);
    assert_true(dz_process_equal(again, ear));
    assert_int_equal(dz_host_process_text(f->host, ear, cut, sizeof cut), whole);
    assert_int_equal(strlen(cut), 5);
}

static void a_text_that_is_no_process_is_refused_and_none_has_no_text(void **state)
{
    struct hosted *f = *state;
    dz_process none = DZ_NO_PROCESS_INIT, p = none;
    char text[16] = "x";
    assert_int_equal(dz_host_process_parse(f->host, "<nonsense>", 10, &p), DZ_EFORMAT);
    assert_int_equal(dz_host_process_parse(f->host, "", 0, &p), DZ_EFORMAT);
    assert_true(dz_process_is_none(p));
    assert_int_equal(dz_host_process_text(f->host, none, text, sizeof text), 0);
    assert_string_equal(text, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_built_is_read_back_in_order),
        TEST(a_read_of_another_type_is_false_and_stays),
        TEST(whole_numbers_are_read_as_int64_and_no_others),
        TEST(a_boxed_number_beyond_int64_is_no_int),
        TEST(a_field_is_found_without_moving_and_keys_are_whole),
        TEST(cut_bytes_are_read_up_to_the_cut_and_no_further),
        TEST(printing_is_cut_to_its_room),
        TEST(what_is_not_exactly_one_value_is_an_error),
        TEST(the_first_error_sticks_until_the_builder_is_cleared),
        TEST(sixteen_mebibytes_are_the_limit),
        TEST(nesting_has_a_limit),
        TEST(a_copy_takes_one_whole_value),
        HOSTED(a_process_goes_through_values_and_text_and_back),
        HOSTED(a_text_that_is_no_process_is_refused_and_none_has_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
