/* test_bind_log.c - the host's log and lua-cjson as Lua code reaches them. */
#include "machine.h"

static void lines_have_their_level_their_text_and_their_fields(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "dozor.log.debug('one') dozor.log.info('two', { b = 2, a = 'x' })\n"
                   "dozor.log.warn('three', { t = { 1, 2 } }) dozor.log.error('four', {})");
    assert_non_null(strstr(m->logged, "debug one\n"));
    assert_non_null(strstr(m->logged, "info two a=x b=2\n"));
    assert_non_null(strstr(m->logged, "warn three t=[1,2]\n"));
    assert_non_null(strstr(m->logged, "error four\n"));
    machine_delete(m);
}

static void lines_below_the_hosts_level_are_not_written(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    m->log.level = DZ_LOG_WARN;
    machine_run(m, "dozor.log.debug('quiet') dozor.log.info('quiet', { a = 1 }) dozor.log.warn('loud')\n"
                   "eq(core.log(1), false) eq(core.log(2), true) eq(core.log(1, 'quiet'), false)\n"
                   "eq(core.log(-1, 'quiet'), false) eq(core.log(9, 'quiet'), false)");
    assert_null(strstr(m->logged, "quiet"));
    assert_non_null(strstr(m->logged, "warn loud\n"));
    machine_delete(m);
}

static void only_the_first_32_fields_are_written(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "local names, values = {}, {}\n"
                   "for i = 1, 40 do names[i] = 'f' .. i values[i] = 'v' .. i end\n"
                   "eq(core.log(3, 'many', names, values), true)");
    assert_non_null(strstr(m->logged, " f1=v1 f2=v2 "));
    assert_non_null(strstr(m->logged, " f32=v32\n"));
    assert_null(strstr(m->logged, "f33"));
    machine_delete(m);
}

static void what_is_no_line_is_refused(void **state)
{
    (void)state;
    machine_test("assert(not pcall(core.log)) assert(not pcall(core.log, 'info', 'x')) assert(not "
                 "pcall(core.log, 3, {}))\n"
                 "assert(not pcall(core.log, 3, 'x', { {} }, { 'v' }))\n"
                 "wrong('fields', 'a table', '5', function() dozor.log.info('x', 5) end)\n"
                 "eq(core.log(3, 'x', { 'a' }), true)\n");
}

static void cjson_is_the_one_linked_in(void **state)
{
    (void)state;
    machine_test("local cjson = require 'cjson'\n"
                 "eq(cjson.decode('{\"a\":[1,true,null]}').a[2], true) eq(cjson.encode({ 1, 2 }), '[1,2]')\n"
                 "eq(require 'cjson', cjson)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_have_their_level_their_text_and_their_fields),
        cmocka_unit_test(lines_below_the_hosts_level_are_not_written),
        cmocka_unit_test(only_the_first_32_fields_are_written),
        cmocka_unit_test(what_is_no_line_is_refused),
        cmocka_unit_test(cjson_is_the_one_linked_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
