/* test_bind_name.c - local names: who may have which, who has it, and what is refused. */
#include "machine.h"
#include "proc/names.h"

static void names_are_unique_and_freed_at_the_end(void **state)
{
    (void)state;
    machine_test(
        SERVER "local pid = dozor.spawn(server, nil, { name = 'srv' })\n"
               "eq(dozor.whereis('srv'), pid) eq(dozor.call('srv', 'get'), 0)\n"
               "local e = fails('name_taken', dozor.register, 'srv') eq(e.name, 'srv') eq(e.owner, pid)\n"
               "e = fails('name_taken', dozor.spawn, server, nil, { name = 'srv' }) eq(e.owner, pid)\n"
               "eq(dozor.call({ name = 'srv', node = dozor.node() }, 'get'), 0)\n"
               "local list = dozor.registered() eq(list, { 'srv' })\n"
               "eq(dozor.info('srv').name, 'srv') eq(dozor.info(pid).behavior, '(table)')\n"
               "dozor.stop('srv') eq(dozor.whereis('srv'), nil)\n"
               "dozor.register('me') eq(dozor.whereis('me'), dozor.self()) eq(dozor.unregister('me'), true)\n"
               "eq(dozor.unregister('me'), false)\n"
               "fails('noproc', dozor.register, 'x', pid)\n");
}

static void a_name_has_1_to_255_bytes_and_does_not_begin_like_a_pid(void **state)
{
    (void)state;
    machine_test(
        "local expected = '1 to 255 bytes, the first of them not \"<\"'\n"
        "for _, call in ipairs { 'register', 'unregister', 'whereis' } do\n"
        "  local f = dozor[call]\n"
        "  wrong('name', expected, '\"\"', function() f('') end)\n"
        "  wrong('name', expected, '\"<x\"', function() f('<x') end)\n"
        "  wrong('name', expected, 'a string', function() f(('x'):rep(256)) end)\n"
        "  wrong('name', 'a string', '7', function() f(7) end)\n"
        "  wrong('name', 'a string', 'no value', function() f() end)\n"
        "end\n"
        "local longest = ('x'):rep(255)\n"
        "dozor.register(longest) eq(dozor.whereis(longest), dozor.self()) eq(dozor.unregister(longest), "
        "true)\n"
        "dozor.register('a\\0b') eq(dozor.whereis('a\\0b'), dozor.self()) eq(dozor.whereis('a'), nil)\n");
}

static void only_a_living_process_of_this_node_gets_a_name(void **state)
{
    (void)state;
    machine_test(
        "wrong('pid', 'a pid', '\"me\"', function() dozor.register('x', 'me') end)\n"
        "wrong('pid', 'a pid', 'true', function() dozor.register('x', true) end)\n"
        "local far = '<b@127.0.0.1:4000/5.1.1>'\n"
        "wrong('pid', 'a pid of this node', '\"' .. far .. '\"', function() dozor.register('x', far) end)\n"
        "local gone = dozor.spawn(function() end) dozor.sleep(1)\n"
        "local e = fails('noproc', dozor.register, 'x', gone)\n"
        "eq(e.name, 'x') eq(e.owner, nil) eq(e.message, 'cannot register x: no such process')\n"
        "eq(dozor.whereis('x'), nil) eq(dozor.registered(), {})\n");
}

static void a_process_may_have_names_as_long_as_it_lives(void **state)
{
    (void)state;
    machine_test("local pid = dozor.spawn(function() dozor.receive() end)\n"
                 "for i = 1, 100 do dozor.register('n' .. i, pid) end\n"
                 "eq(#dozor.registered(), 100)\n"
                 "dozor.kill(pid)\n"
                 "eq(dozor.registered(), {}) eq(dozor.whereis('n50'), nil)\n");
}

static void names_of_the_core_are_not_listed(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_pid owner;
    machine_run(m, "dozor.spawn(function() dozor.receive() end, nil, { name = 'mine' })");
    struct dz_pid pid = dz_names_whereis(&m->rt.names, "mine", 4);
    assert_int_equal(dz_names_register(&m->rt.names, &m->rt.table, "$core", 5, pid, &owner), 0);
    machine_run(m, "eq(dozor.registered(), { 'mine' }) eq(dozor.whereis('$core'), dozor.whereis('mine'))");
    machine_delete(m);
}

static void check_name_names_the_option_it_was_given(void **state)
{
    (void)state;
    machine_test(
        "wrong('opts.name', 'a string', '5', function() dozor.spawn('counter', nil, { name = 5 }) end)\n"
        "wrong('opts.global', '1 to 255 bytes, the first of them not \"<\"', '\"\"',\n"
        "      function() core.check_name('', 'opts.global') end)\n"
        "core.check_name('fine', 'opts.name')\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique_and_freed_at_the_end),
        cmocka_unit_test(a_name_has_1_to_255_bytes_and_does_not_begin_like_a_pid),
        cmocka_unit_test(only_a_living_process_of_this_node_gets_a_name),
        cmocka_unit_test(a_process_may_have_names_as_long_as_it_lives),
        cmocka_unit_test(names_of_the_core_are_not_listed),
        cmocka_unit_test(check_name_names_the_option_it_was_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
