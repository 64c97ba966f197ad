#include "../base/check.h"

#include "base/err.h"
#include "sup/selectors.h"

static const struct dz_sup_function one = {.worker = 1, .generation = 1, .number = 1, .kind = 'f'};
static const struct dz_sup_function two = {.worker = 1, .generation = 1, .number = 2, .kind = 'f'};

static void a_registered_function_is_found_by_name(void **state)
{
    (void)state;
    struct dz_selectors s;
    struct dz_sup_function found;
    dz_selectors_init(&s);
    assert_false(dz_selectors_find(&s, "near", 4, &found));
    assert_int_equal(dz_selectors_register(&s, "near", 4, &one), 0);
    assert_int_equal(dz_selectors_register(&s, "far", 3, &two), 0);
    assert_true(dz_selectors_find(&s, "near", 4, &found));
    assert_int_equal(found.number, 1);
    assert_true(dz_selectors_find(&s, "far", 3, &found));
    assert_int_equal(found.number, 2);
    assert_false(dz_selectors_find(&s, "nea", 3, &found));
    dz_selectors_fini(&s);
}

static void a_name_belongs_to_its_first_function(void **state)
{
    (void)state;
    struct dz_selectors s;
    struct dz_sup_function found;
    dz_selectors_init(&s);
    assert_int_equal(dz_selectors_register(&s, "near", 4, &one), 0);
    assert_int_equal(dz_selectors_register(&s, "near", 4, &one), 0);
    assert_int_equal(dz_selectors_register(&s, "near", 4, &two), DZ_EEXIST);
    assert_true(dz_selectors_find(&s, "near", 4, &found));
    assert_int_equal(found.number, 1);
    dz_selectors_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_registered_function_is_found_by_name),
        cmocka_unit_test(a_name_belongs_to_its_first_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
