/* Exit classes and scopes (semantics 3.1, 3.2). */
#include "literal.h"

#include "sup/strategy.h"

static bool restarts(enum dz_restart type, const char *reason)
{
    struct dz_buf term = literal(reason);
    bool again = dz_strategy_restarts(type, term.data, term.len);
    dz_buf_fini(&term);
    return again;
}

static void permanent_always_transient_on_abnormal_temporary_never(void **state)
{
    (void)state;
    static const char *const normal[] = {"\"normal\"", "\"shutdown\"", "{ code = \"shutdown\", x = 1 }"};
    static const char *const abnormal[] = {"\"killed\"", "\"node_down\"",    "{ code = \"error\" }", "42",
                                           "nil",        "{ \"shutdown\" }", "\"shutdown \"",        "{}"};
    for (int i = 0; i < 3; i++) {
        assert_true(restarts(DZ_PERMANENT, normal[i]));
        assert_false(restarts(DZ_TRANSIENT, normal[i]));
        assert_false(restarts(DZ_TEMPORARY, normal[i]));
    }
    for (int i = 0; i < 8; i++) {
        assert_true(restarts(DZ_PERMANENT, abnormal[i]));
        assert_true(restarts(DZ_TRANSIENT, abnormal[i]));
        assert_false(restarts(DZ_TEMPORARY, abnormal[i]));
    }
}

static void malformed_reasons_are_abnormal(void **state)
{
    (void)state;
    const uint8_t cut[] = {0xa6, 'n', 'o'};
    assert_false(dz_strategy_reason_is_normal(cut, sizeof cut));
    assert_false(dz_strategy_reason_is_normal(cut, 0));
}

static void each_strategy_has_its_scope_and_name(void **state)
{
    (void)state;
    assert_int_equal(dz_strategy_scope_of(DZ_ONE_FOR_ONE), DZ_SCOPE_SELF);
    assert_int_equal(dz_strategy_scope_of(DZ_SIMPLE_ONE_FOR_ONE), DZ_SCOPE_SELF);
    assert_int_equal(dz_strategy_scope_of(DZ_ONE_FOR_ALL), DZ_SCOPE_ALL);
    assert_int_equal(dz_strategy_scope_of(DZ_REST_FOR_ONE), DZ_SCOPE_SUFFIX);
    assert_string_equal(dz_strategy_name(DZ_REST_FOR_ONE), "rest_for_one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(permanent_always_transient_on_abnormal_temporary_never),
        cmocka_unit_test(malformed_reasons_are_abnormal),
        cmocka_unit_test(each_strategy_has_its_scope_and_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
