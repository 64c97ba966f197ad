#include "base/err.h"

#include <string.h>

#include "check.h"

static const int all[] = {
#define NUMBER(symbol, number, name, text) symbol,
    DZ_ERRORS(NUMBER)
#undef NUMBER
};

#define COUNT (sizeof all / sizeof all[0])

static void every_code_comes_back_from_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(all[i] < 0);
        assert_int_equal(dz_err_from_name(dz_err_name(all[i])), all[i]);
        assert_true(strlen(dz_err_text(all[i])) > 0);
    }
}

static void no_two_codes_share_a_number_or_a_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = i + 1; j < COUNT; j++) {
            assert_int_not_equal(all[i], all[j]);
            assert_string_not_equal(dz_err_name(all[i]), dz_err_name(all[j]));
        }
}

static void names_are_snake_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        const char *name = dz_err_name(all[i]);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
    }
}

static void zero_is_ok_and_strangers_are_unknown(void **state)
{
    (void)state;
    assert_string_equal(dz_err_name(0), "ok");
    assert_string_equal(dz_err_text(0), "ok");
    assert_string_equal(dz_err_name(1), "unknown");
    assert_string_equal(dz_err_name(-100000), "unknown");
    assert_string_equal(dz_err_text(7), "unknown error");
    assert_int_equal(dz_err_from_name("no such name"), 0);
    assert_int_equal(dz_err_from_name(""), 0);
    assert_int_equal(dz_err_from_name(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_comes_back_from_its_name),
        cmocka_unit_test(no_two_codes_share_a_number_or_a_name),
        cmocka_unit_test(names_are_snake_case),
        cmocka_unit_test(zero_is_ok_and_strangers_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
