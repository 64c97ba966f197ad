/* test_config_read.c - maps read field by field: every kind of field, and how each mistake is named. */
#include "../sup/literal.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/err.h"
#include "fault_alloc.h"
#include "host/config_read.h"

struct target {
    char *text;
    bool flag;
    uint64_t count;
    struct dz_config_list texts;
    struct dz_config_term term;
};

#define AT(member) offsetof(struct target, member)
static const struct dz_config_field fields[] = {
    { "text", dz_config_text, AT(text), 0, 0 },      { "flag", dz_config_bool, AT(flag), 0, 0 },
    { "count", dz_config_count, AT(count), 2, 9 },   { "texts", dz_config_texts, AT(texts), 0, 0 },
    { "anything", dz_config_copy, AT(term), 0, 0 },
};
#define FIELDS (sizeof fields / sizeof fields[0])

static struct target target;
static struct dz_config_error error;

static int setup(void **state)
{
    (void)state;
    memset(&target, 0, sizeof target);
    dz_fault_alloc_reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dz_free(target.text);
    dz_config_list_fini(&target.texts);
    dz_free(target.term.data);
    assert_int_equal(dz_fault_alloc_live(), 0);
    return 0;
}

static int read_term(const uint8_t *data, size_t len)
{
    struct dz_config_reader x;
    struct dz_read r;
    dz_config_reader_init(&x, &error, "settings");
    dz_read_init(&r, data, len);
    return dz_config_read_table(&x, &r, "a target", fields, FIELDS, &target);
}

static int read_text(const char *text)
{
    struct dz_buf term = literal(text);
    int err = read_term(term.data, term.len);
    dz_buf_fini(&term);
    return err;
}

/* The message, without its path, and the field that is named. */
static void refuses(const char *text, const char *field, const char *what)
{
    char message[640];
    assert_int_equal(read_text(text), DZ_ECONFIG);
    assert_int_equal(error.code, DZ_ECONFIG);
    assert_string_equal(error.field, field);
    snprintf(message, sizeof message, "%s: %s", field, what);
    assert_string_equal(error.message, message);
}

static void every_kind_of_field_is_read_and_owned_by_its_target(void **state)
{
    (void)state;
    assert_int_equal(read_text("{ text = \"a\", flag = true, count = 9, texts = { \"x\", \"y\" }, anything = { 1, {} } }"), 0);
    assert_string_equal(target.text, "a");
    assert_true(target.flag);
    assert_int_equal(target.count, 9);
    assert_int_equal(target.texts.count, 2);
    assert_string_equal(target.texts.items[1], "y");
    assert_memory_equal(target.term.data, "\x92\x01\x90", 3);
    assert_int_equal(target.term.len, 3);
}

static void fields_that_are_not_given_stay_as_they_were(void **state)
{
    (void)state;
    target.count = 5;
    assert_int_equal(read_text("{}"), 0);
    assert_int_equal(target.count, 5);
    assert_null(target.text);
}

static void a_field_read_again_takes_the_place_of_what_was_there(void **state)
{
    (void)state;
    assert_int_equal(read_text("{ text = \"a\", texts = { \"x\", \"y\" }, anything = 1 }"), 0);
    assert_int_equal(read_text("{ text = \"b\", texts = { \"z\" }, anything = 2 }"), 0);
    assert_string_equal(target.text, "b");
    assert_int_equal(target.texts.count, 1);
    assert_int_equal(target.term.data[0], 2);
}

static void an_unknown_key_is_named_with_the_nearest_known_one(void **state)
{
    (void)state;
    refuses("{ txet = \"a\" }", "settings", "unknown key 'txet' in a target, did you mean 'text'?");
    refuses("{ completely_else = 1 }", "settings", "unknown key 'completely_else' in a target");
}

static void a_value_of_another_type_is_shown_with_its_field(void **state)
{
    (void)state;
    refuses("{ text = 7 }", "settings.text", "expected a text that is not empty, got 7");
    refuses("{ text = \"\" }", "settings.text", "expected a text that is not empty, got \"\"");
    refuses("{ flag = 1 }", "settings.flag", "expected true or false, got 1");
    refuses("{ texts = \"x\" }", "settings.texts", "expected a list of at most 1024 texts, got \"x\"");
    refuses("{ texts = { \"x\", 2 } }", "settings.texts[2]", "expected a text, got 2");
    refuses("{ 1, 2 }", "settings", "expected a table with named fields, got {1, 2}");
}

static void a_number_is_within_its_bounds_both_included(void **state)
{
    (void)state;
    assert_int_equal(read_text("{ count = 2 }"), 0);
    assert_int_equal(target.count, 2);
    refuses("{ count = 1 }", "settings.count", "expected a whole number from 2 to 9, got 1");
    refuses("{ count = 10 }", "settings.count", "expected a whole number from 2 to 9, got 10");
    refuses("{ count = 2.5 }", "settings.count", "expected a whole number from 2 to 9, got 2.5");
    refuses("{ count = -3 }", "settings.count", "expected a whole number from 2 to 9, got -3");
    assert_int_equal(target.count, 2);
}

static void a_text_with_a_zero_byte_is_refused_for_it_would_be_cut(void **state)
{
    static const uint8_t text[] = "\x81\xa4text\xa3" "a\0b";
    static const uint8_t list[] = "\x81\xa5texts\x91\xa3" "a\0b";
    (void)state;
    assert_int_equal(read_term(text, sizeof text - 1), DZ_ECONFIG);
    assert_int_equal(read_term(list, sizeof list - 1), DZ_ECONFIG);
    assert_null(target.text);
}

static void a_list_longer_than_the_limit_is_refused_before_it_is_read(void **state)
{
    struct dz_buf term;
    struct dz_build b;
    (void)state;
    for (uint32_t count = 1024; count <= 1025; count++) {
        dz_buf_init(&term);
        dz_build_init(&b, &term);
        dz_build_map(&b, 1);
        dz_build_key(&b, "texts");
        dz_build_array(&b, count);
        for (uint32_t i = 0; i < count; i++)
            dz_build_cstring(&b, "x");
        assert_int_equal(read_term(term.data, term.len), count == 1024 ? 0 : DZ_ECONFIG);
        assert_int_equal(target.texts.count, 1024);
        dz_buf_fini(&term);
    }
}

static void malformed_bytes_are_an_error_and_never_read_past_their_end(void **state)
{
    static const uint8_t bytes[] = "\x82\xa4text\xa1z\xa5texts\x92\xa1y";
    (void)state;
    for (size_t len = 0; len < sizeof bytes - 1; len++) {
        uint8_t *cut = malloc(len + 1);
        memcpy(cut, bytes, len);
        assert_int_not_equal(read_term(cut, len), 0);
        free(cut);
    }
}

static void a_path_too_long_for_its_room_is_cut_and_taken_back_whole(void **state)
{
    struct dz_config_reader x;
    char key[200];
    (void)state;
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = 0;
    dz_config_reader_init(&x, &error, "a");
    size_t mark = dz_config_enter(&x, key);
    size_t deeper = dz_config_enter_index(&x, 3);
    assert_int_equal(dz_config_fail(&x, DZ_ECONFIG, "%s", key), DZ_ECONFIG);
    assert_true(strlen(error.field) < sizeof error.field);
    assert_true(strlen(error.message) < sizeof error.message);
    dz_config_leave(&x, deeper);
    dz_config_leave(&x, mark);
    dz_config_fail(&x, DZ_ENODEID, "b");
    assert_string_equal(error.message, "a: b");
}

static void want_of_memory_is_an_error_at_every_place_and_leaves_nothing(void **state)
{
    static const char all[] = "{ text = \"a\", texts = { \"x\", \"y\" }, anything = { 1 } }";
    struct dz_buf term = literal(all);
    size_t n = 1;
    (void)state;
    for (;; n++) {
        dz_fault_alloc_fail_at(n);
        int err = read_term(term.data, term.len);
        if (!dz_fault_alloc_failed())
            break;
        assert_int_equal(err, DZ_ENOMEM);
        assert_int_equal(error.code, DZ_ENOMEM);
    }
    assert_true(n > 5);
    dz_buf_fini(&term);
}

static void the_nearest_word_is_one_that_is_really_near(void **state)
{
    static const char *const names[] = { "workers", "work", "spin_us" };
    char word[64];
    (void)state;
    assert_string_equal(dz_config_nearest("worker", 6, names, 3), "workers");
    assert_string_equal(dz_config_nearest("work", 4, names, 3), "work");
    assert_null(dz_config_nearest("secret", 6, names, 3));
    assert_null(dz_config_nearest("", 0, NULL, 0));
    memset(word, 'w', sizeof word);
    assert_null(dz_config_nearest(word, sizeof word, names, 3));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_field_is_read_and_owned_by_its_target),
        TEST(fields_that_are_not_given_stay_as_they_were),
        TEST(a_field_read_again_takes_the_place_of_what_was_there),
        TEST(an_unknown_key_is_named_with_the_nearest_known_one),
        TEST(a_value_of_another_type_is_shown_with_its_field),
        TEST(a_number_is_within_its_bounds_both_included),
        TEST(a_text_with_a_zero_byte_is_refused_for_it_would_be_cut),
        TEST(a_list_longer_than_the_limit_is_refused_before_it_is_read),
        TEST(malformed_bytes_are_an_error_and_never_read_past_their_end),
        TEST(a_path_too_long_for_its_room_is_cut_and_taken_back_whole),
        TEST(want_of_memory_is_an_error_at_every_place_and_leaves_nothing),
        TEST(the_nearest_word_is_one_that_is_really_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
