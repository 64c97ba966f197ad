/* test_near.c - the known word most like an unknown one. */
#include "base/near.h"

#include <limits.h>
#include <string.h>
#include "check.h"

static const char *const names[] = {"children", "child_template", "strategy", "name", "names"};

static const char *near(const char *word, unsigned most)
{
    return dz_near_name(word, strlen(word), names, 5, most);
}

static void a_letter_changed_added_or_left_out_is_one_step(void **state)
{
    (void)state;
    assert_string_equal(near("children", 0), "children");
    assert_string_equal(near("childern", 2), "children");
    assert_string_equal(near("chldren", 1), "children");
    assert_string_equal(near("strategyy", 1), "strategy");
    assert_null(near("childern", 1));
    assert_null(near("xyz", 2));
}

static void of_two_as_near_the_first_is_named(void **state)
{
    (void)state;
    assert_string_equal(near("namex", 1), "name");
    assert_string_equal(near("names", 1), "names");
}

static void with_no_bound_any_word_is_near_some_name(void **state)
{
    (void)state;
    assert_string_equal(near("", UINT_MAX), "name");
    assert_non_null(near("zzzzzzzzzzzzzzzz", UINT_MAX));
    assert_null(dz_near_name("x", 1, names, 0, UINT_MAX));
}

static void words_longer_than_the_limit_are_like_none(void **state)
{
    char word[DZ_NEAR_MAX + 2];
    const char *const one[] = {word};
    (void)state;
    memset(word, 'w', sizeof word);
    word[sizeof word - 1] = 0;
    assert_null(dz_near_name(word, DZ_NEAR_MAX + 1, names, 5, UINT_MAX));
    assert_null(dz_near_name("w", 1, one, 1, UINT_MAX));
    word[DZ_NEAR_MAX] = 0;
    assert_ptr_equal(dz_near_name(word, DZ_NEAR_MAX, one, 1, 0), word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_changed_added_or_left_out_is_one_step),
        cmocka_unit_test(of_two_as_near_the_first_is_named),
        cmocka_unit_test(with_no_bound_any_word_is_near_some_name),
        cmocka_unit_test(words_longer_than_the_limit_are_like_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
