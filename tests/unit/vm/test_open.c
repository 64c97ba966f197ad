/* test_open.c - the table of primitives: all that lua/dozor calls is in it, and nothing is there twice. */
#include "machine.h"
#include "vm/embed.h"

static void every_primitive_the_library_calls_is_there(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    int modules = 0;
    lua_newtable(L);
    for (const struct dz_embedded *e = dz_embedded_sources; e->name; e++) {
        if (strncmp(e->name, "dozor.", 6) != 0)
            continue;
        lua_pushlstring(L, (const char *)e->data, e->len);
        lua_setfield(L, -2, e->name);
        modules++;
    }
    lua_setglobal(L, "SOURCES");
    assert_true(modules > 10);
    machine_run(
        m,
        "local calls = 0\n"
        "for module, source in pairs(SOURCES) do\n"
        "  for name in source:gmatch('%f[%w_]core%.([%a_]+)') do\n"
        "    if core[name] == nil and name ~= 'simulated' then error(module .. ' calls core.' .. name) end\n"
        "    calls = calls + 1\n"
        "  end\n"
        "end\n"
        "assert(calls > 50, calls)\n"
        "\n");
    machine_delete(m);
}

static void a_fresh_table_has_functions_and_two_tokens(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    dz_vm_open_bindings(L);
    assert_int_equal(lua_gettop(L), 1);
    lua_setglobal(L, "FRESH");
    machine_run(m, "local tokens = {}\n"
                   "for name, value in pairs(FRESH) do\n"
                   "  if type(value) == 'userdata' then tokens[#tokens + 1] = name else eq(type(value), "
                   "'function') end\n"
                   "  eq(type(core[name]), type(value))\n"
                   "end\n"
                   "table.sort(tokens) eq(tokens, { 'NOREPLY', 'WAIT' })\n"
                   "\n");
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_primitive_the_library_calls_is_there),
        cmocka_unit_test(a_fresh_table_has_functions_and_two_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
