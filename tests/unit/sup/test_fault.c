/* A spec that cannot get its memory is an error and leaves nothing behind, wherever it happens. */
#include "literal.h"

#include "base/err.h"
#include "fault_alloc.h"
#include "sup/spec.h"

static const char rich[] =
    "{ strategy = \"rest_for_one\", node_selector = { node = \"b@h:2\" }, name = \"s\", global = \"s\", "
    "auto_shutdown = \"any_significant\", children = { "
    "{ id = \"a\", behavior = \"w\", args = { 1 = 1, 3 = \"x\" }, name = \"n\", global = \"m\", "
    "node_selector = { selector = \"mine\" } }, "
    "{ id = \"b\", supervisor = { strategy = \"simple_one_for_one\", child_template = { behavior = \"w\" } } "
    "} } }";

static void a_spec_without_memory_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    struct dz_buf term = literal(rich);
    size_t live = dz_fault_alloc_live();
    size_t n = 1;
    int err;
    do {
        struct dz_sup_spec *spec = NULL;
        struct dz_spec_error error;
        dz_fault_alloc_fail_at(n++);
        err = dz_sup_spec_read(&spec, term.data, term.len, &error);
        if (err != DZ_OK) {
            assert_int_equal(err, DZ_ENOMEM);
            assert_int_equal(error.code, DZ_ENOMEM);
            assert_null(spec);
        }
        dz_sup_spec_delete(spec);
        assert_int_equal(dz_fault_alloc_live(), live);
    } while (dz_fault_alloc_failed());
    assert_int_equal(err, DZ_OK);
    assert_true(n > 20);
    dz_fault_alloc_fail_at(0);
    dz_buf_fini(&term);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_without_memory_is_an_error_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
