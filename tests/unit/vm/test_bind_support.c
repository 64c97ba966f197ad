/* test_bind_support.c - errors made by Lua code as the core makes them. */
#include "machine.h"

static void an_error_has_code_message_fields_and_where_it_was_made(void **state)
{
    (void)state;
    machine_test(
        "local e = core.make_error('name_taken', 'the name x is taken', { name = 'x', [1] = 'one' })\n"
        "eq(e.code, 'name_taken') eq(e.message, 'the name x is taken') eq(e.name, 'x') eq(e[1], 'one')\n"
        "eq(e.where, 'body:1') eq(tostring(e), 'body:1: name_taken: the name x is taken')\n"
        "eq(getmetatable(e), getmetatable(fails('noproc', dozor.call, 'nobody', 1)))\n"
        "eq('<' .. e .. '>', '<' .. tostring(e) .. '>')\n");
}

static void fields_may_replace_what_the_core_wrote(void **state)
{
    (void)state;
    machine_test("local e = core.make_error('timeout', 'late', { message = 'later', where = 'there:1' })\n"
                 "eq(e.message, 'later') eq(tostring(e), 'there:1: timeout: later')\n");
}

static void a_code_the_core_does_not_know_is_a_bad_argument(void **state)
{
    (void)state;
    machine_test("eq(core.make_error('no_such_code', 'text').code, 'bad_argument')\n"
                 "eq(core.make_error('timeout', 'a %d %s text').message, 'a %d %s text')\n");
}

static void code_and_message_are_strings(void **state)
{
    (void)state;
    machine_test(
        "assert(not pcall(core.make_error)) assert(not pcall(core.make_error, 'timeout'))\n"
        "assert(not pcall(core.make_error, {}, 'x')) assert(not pcall(core.make_error, 'timeout', {}))\n"
        "eq(core.make_error('timeout', 'x', 'no table').message, 'x')\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_has_code_message_fields_and_where_it_was_made),
        cmocka_unit_test(fields_may_replace_what_the_core_wrote),
        cmocka_unit_test(a_code_the_core_does_not_know_is_a_bad_argument),
        cmocka_unit_test(code_and_message_are_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
