/* test_spec_reader.c - typed fields: what each reader takes, what it says of the rest, and the path it says
 * it with. */
#include <stdio.h>
#include "spec_text.h"
#include "base/alloc.h"
#include "sup/spec_reader.h"
#include "sup/types.h"

struct field {
    struct dz_spec_reader x;
    struct dz_spec_error error;
    struct dz_buf term;
    struct dz_read r;
};

/* The value of the text, at the path "f". */
static void field_init(struct field *f, const char *text)
{
    f->term = literal(text);
    dz_spec_reader_init(&f->x, &f->error);
    assert_int_equal(dz_spec_reader_enter(&f->x, "f", 1), 0);
    dz_read_init(&f->r, f->term.data, f->term.len);
}

static bool is_passed(const struct field *f)
{
    return dz_read_at_end(&f->r);
}

static void field_fini(struct field *f)
{
    dz_buf_fini(&f->term);
}

static void is_wrong(struct field *f, int err, const char *message)
{
    assert_int_equal(err, DZ_ESPEC);
    assert_int_equal(f->error.code, DZ_ESPEC);
    assert_string_equal(f->error.field, "f");
    assert_string_equal(f->error.message, message);
    field_fini(f);
}

static uint64_t time_of(const char *text)
{
    struct field f;
    uint64_t ms = 0;
    field_init(&f, text);
    assert_int_equal(dz_spec_reader_time(&f.x, &f.r, "", &ms), 0);
    assert_true(is_passed(&f));
    field_fini(&f);
    return ms;
}

static void no_time(const char *text, const char *message)
{
    struct field f;
    uint64_t ms;
    field_init(&f, text);
    is_wrong(&f, dz_spec_reader_time(&f.x, &f.r, ", \"never\"", &ms), message);
}

static void unknown_keys_name_the_nearest_known_one(void **state)
{
    (void)state;
    expect_error("{ stratgy = \"one_for_one\" }", DZ_ESPEC, "stratgy", "nearest known key is \"strategy\"");
    expect_error("{ children = { { id = \"a\", behaviour = \"w\" } } }", DZ_ESPEC, "children[1].behaviour",
                 "\"behavior\"");
    expect_error("{ restart_intensity = { max_restart = 1 } }", DZ_ESPEC, "restart_intensity.max_restart",
                 "\"max_restarts\"");
}

static void a_time_is_rounded_up_or_infinite(void **state)
{
    (void)state;
    assert_int_equal(time_of("0"), 0);
    assert_int_equal(time_of("1.2"), 2);
    assert_int_equal(time_of("9007199254740992"), 9007199254740992u);
    assert_true(time_of("inf") == DZ_TIME_INFINITY);
    assert_true(time_of("\"infinity\"") == DZ_TIME_INFINITY);
    no_time("-1", "f: got -1, expected milliseconds (a number not below 0), \"never\" or \"infinity\"");
    no_time("\"soon\"",
            "f: got \"soon\", expected milliseconds (a number not below 0), \"never\" or \"infinity\"");
    no_time("1e300",
            "f: got 1e+300, expected milliseconds (a number not below 0), \"never\" or \"infinity\"");
    no_time("{}", "f: got {}, expected milliseconds (a number not below 0), \"never\" or \"infinity\"");
}

static void no_name(const char *text, const char *got)
{
    struct field f;
    char message[512];
    char *out = NULL;
    field_init(&f, text);
    snprintf(message, sizeof message, "f: got %s, expected a string of 1 to 255 bytes without zero bytes",
             got);
    is_wrong(&f, dz_spec_reader_name(&f.x, &f.r, &out), message);
    assert_null(out);
}

static void a_name_has_1_to_255_bytes(void **state)
{
    (void)state;
    char text[300] = "\"";
    struct field f;
    char *out = NULL;
    memset(text + 1, 'n', 255);
    strcpy(text + 256, "\"");
    field_init(&f, text);
    assert_int_equal(dz_spec_reader_name(&f.x, &f.r, &out), 0);
    assert_int_equal(strlen(out), 255);
    dz_free(out);
    field_fini(&f);
    out = NULL;
    strcpy(text + 256, "n\"");
    field_init(&f, text);
    assert_int_equal(dz_spec_reader_name(&f.x, &f.r, &out), DZ_ESPEC);
    assert_non_null(strstr(f.error.message, "a string of 1 to 255 bytes"));
    field_fini(&f);
    no_name("\"\"", "\"\"");
    no_name("7", "7");
    no_name("nil", "nil");
}

static void a_registered_name_does_not_begin_like_a_pid(void **state)
{
    (void)state;
    struct field f;
    char *out = NULL;
    field_init(&f, "\"<a\"");
    is_wrong(&f, dz_spec_reader_registered(&f.x, &f.r, &out),
             "f: got \"<a\", expected a name that does not begin with \"<\"");
    field_init(&f, "\"a<\"");
    assert_int_equal(dz_spec_reader_registered(&f.x, &f.r, &out), 0);
    assert_string_equal(out, "a<");
    dz_free(out);
    field_fini(&f);
}

static void a_word_is_one_of_those_listed(void **state)
{
    (void)state;
    static const char *const words[] = {"red", "green", "blue"};
    struct field f;
    int at = -1;
    field_init(&f, "\"blue\"");
    assert_int_equal(dz_spec_reader_word(&f.x, &f.r, words, 3, &at), 0);
    assert_int_equal(at, 2);
    assert_true(is_passed(&f));
    field_fini(&f);
    field_init(&f, "\"pink\"");
    is_wrong(&f, dz_spec_reader_word(&f.x, &f.r, words, 3, &at),
             "f: got \"pink\", expected \"red\", \"green\" or \"blue\"");
    field_init(&f, "1");
    is_wrong(&f, dz_spec_reader_word(&f.x, &f.r, words, 1, &at), "f: got 1, expected \"red\"");
}

static void numbers_and_counts_have_bounds_and_booleans_are_two(void **state)
{
    (void)state;
    struct field f;
    double number = 0;
    uint64_t count = 0;
    bool flag = false;
    field_init(&f, "0.5");
    assert_int_equal(dz_spec_reader_number(&f.x, &f.r, 0, 1, "a half", &number), 0);
    assert_true(number == 0.5);
    field_fini(&f);
    field_init(&f, "1.5");
    is_wrong(&f, dz_spec_reader_number(&f.x, &f.r, 0, 1, "a half", &number), "f: got 1.5, expected a half");
    field_init(&f, "7");
    assert_int_equal(dz_spec_reader_count(&f.x, &f.r, 1, 7, "a few", &count), 0);
    assert_int_equal(count, 7);
    field_fini(&f);
    field_init(&f, "8");
    is_wrong(&f, dz_spec_reader_count(&f.x, &f.r, 1, 7, "a few", &count), "f: got 8, expected a few");
    field_init(&f, "1.5");
    is_wrong(&f, dz_spec_reader_count(&f.x, &f.r, 1, 7, "a few", &count), "f: got 1.5, expected a few");
    field_init(&f, "true");
    assert_int_equal(dz_spec_reader_bool(&f.x, &f.r, &flag), 0);
    assert_true(flag);
    field_fini(&f);
    field_init(&f, "1");
    is_wrong(&f, dz_spec_reader_bool(&f.x, &f.r, &flag), "f: got 1, expected true or false");
}

static void a_list_is_an_array_or_a_table_without_entries(void **state)
{
    (void)state;
    struct field f;
    uint32_t count = 9;
    field_init(&f, "{ 1, 2 }");
    assert_int_equal(dz_spec_reader_list(&f.x, &f.r, "a list", &count), 0);
    assert_int_equal(count, 2);
    assert_false(is_passed(&f));
    field_fini(&f);
    field_init(&f, "{}");
    assert_int_equal(dz_spec_reader_list(&f.x, &f.r, "a list", &count), 0);
    assert_int_equal(count, 0);
    field_fini(&f);
    field_init(&f, "{ x = 1 }");
    is_wrong(&f, dz_spec_reader_list(&f.x, &f.r, "a list", &count), "f: got {x = 1}, expected a list");
    field_init(&f, "\"x\"");
    is_wrong(&f, dz_spec_reader_list(&f.x, &f.r, "a list", &count), "f: got \"x\", expected a list");
}

static int take_flag(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_bool(x, r, target);
}

static const struct dz_spec_field two_flags[] = {{"on", take_flag}, {"off", take_flag}};

static void a_table_tells_which_fields_were_given(void **state)
{
    (void)state;
    struct field f;
    bool flag;
    uint32_t given = 0;
    field_init(&f, "{ off = true }");
    assert_int_equal(dz_spec_reader_table(&f.x, &f.r, two_flags, 2, &flag, &given), 0);
    assert_int_equal(given, 2);
    field_fini(&f);
    field_init(&f, "{}");
    assert_int_equal(dz_spec_reader_table(&f.x, &f.r, two_flags, 2, &flag, NULL), 0);
    field_fini(&f);
    field_init(&f, "{ on = true, on = false }");
    assert_int_equal(dz_spec_reader_table(&f.x, &f.r, two_flags, 2, &flag, &given), DZ_ESPEC);
    assert_string_equal(f.error.field, "f.on");
    field_fini(&f);
    field_init(&f, "{ on = 1 }");
    assert_int_equal(dz_spec_reader_table(&f.x, &f.r, two_flags, 2, &flag, &given), DZ_ESPEC);
    assert_string_equal(f.error.message, "f.on: got 1, expected true or false");
    assert_string_equal(f.x.path, "f"); /* restored */
    field_fini(&f);
    field_init(&f, "{ 1 }");
    is_wrong(&f, dz_spec_reader_table(&f.x, &f.r, two_flags, 2, &flag, &given),
             "f: got {1}, expected a table with named fields");
    field_init(&f, "1");
    is_wrong(&f, dz_spec_reader_table(&f.x, &f.r, two_flags, 2, &flag, &given), "f: got 1, expected a table");
    field_init(&f, "{ 1 = true }");
    assert_int_equal(dz_spec_reader_table(&f.x, &f.r, two_flags, 2, &flag, &given), DZ_ESPEC);
    field_fini(&f);
    field_init(&f, "{ averyveryveryveryveryverylongkeyindeed = true }");
    assert_int_equal(dz_spec_reader_table(&f.x, &f.r, two_flags, 2, &flag, &given), DZ_ESPEC);
    field_fini(&f);
}

static void a_path_too_long_is_cut_and_restored(void **state)
{
    (void)state;
    struct dz_spec_error error;
    struct dz_spec_reader x;
    size_t marks[64];
    dz_spec_reader_init(&x, &error);
    for (int i = 0; i < 64; i++)
        marks[i] =
            i % 2 ? dz_spec_reader_enter_index(&x, 4000000000u) : dz_spec_reader_enter(&x, "children", 8);
    assert_int_equal(strlen(x.path), sizeof x.path - 1);
    assert_int_equal(dz_spec_reader_fail(&x, DZ_ESPEC, "%s", "no"), DZ_ESPEC);
    assert_int_equal(memcmp(error.field, "children[4000000000].children[", 30), 0);
    for (int i = 64; i-- > 0;)
        dz_spec_reader_leave(&x, marks[i]);
    assert_string_equal(x.path, "");
    x.child_id = "kid and more";
    x.child_id_len = 3;
    dz_spec_reader_fail(&x, DZ_EDUPLICATECHILD, "twice");
    assert_string_equal(error.message, "spec (child \"kid\"): twice");
    assert_string_equal(error.child_id, "kid");
}

static void functions_and_tables_are_told_apart(void **state)
{
    (void)state;
    struct field f;
    struct dz_sup_function function;
    field_init(&f, "function");
    assert_false(dz_spec_reader_function(&f.r, 't', &function));
    assert_true(dz_spec_reader_function(&f.r, 'f', &function));
    assert_int_equal(function.worker, 1);
    assert_int_equal(function.generation, 2);
    assert_int_equal(function.number, 3);
    assert_int_equal(function.kind, 'f');
    assert_true(is_passed(&f));
    field_fini(&f);
    field_init(&f, "\"function\"");
    assert_false(dz_spec_reader_function(&f.r, 'f', &function));
    assert_false(dz_spec_reader_is(&f.r, "functio"));
    assert_true(dz_spec_reader_is(&f.r, "function"));
    field_fini(&f);
}

static void a_copy_leaves_the_value_where_it_is(void **state)
{
    (void)state;
    struct field f;
    uint8_t *copy = NULL;
    size_t len;
    field_init(&f, "{ 1, \"x\" }");
    assert_int_equal(dz_spec_reader_copy(&f.r, &copy, &len), 0);
    assert_int_equal(len, f.term.len);
    assert_memory_equal(copy, f.term.data, len);
    assert_false(is_passed(&f));
    dz_free(copy);
    dz_read_init(&f.r, f.term.data, 1);
    assert_int_not_equal(dz_spec_reader_copy(&f.r, &copy, &len), 0);
    field_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_keys_name_the_nearest_known_one),
        cmocka_unit_test(a_time_is_rounded_up_or_infinite),
        cmocka_unit_test(a_name_has_1_to_255_bytes),
        cmocka_unit_test(a_registered_name_does_not_begin_like_a_pid),
        cmocka_unit_test(a_word_is_one_of_those_listed),
        cmocka_unit_test(numbers_and_counts_have_bounds_and_booleans_are_two),
        cmocka_unit_test(a_list_is_an_array_or_a_table_without_entries),
        cmocka_unit_test(a_table_tells_which_fields_were_given),
        cmocka_unit_test(a_path_too_long_is_cut_and_restored),
        cmocka_unit_test(functions_and_tables_are_told_apart),
        cmocka_unit_test(a_copy_leaves_the_value_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
