/* test_bind_supervisor.c - what specs are made of: behaviour tables as references, selectors by name, and the
 * start. */
#include "machine.h"
#include "sup/selectors.h"
#include "vm/bind_supervisor.h"
#include "vm/state.h"

static void a_behaviour_table_travels_as_a_reference(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    if (luaL_dostring(L, "B = { init = print } R = core.behavior_reference(B)"))
        fail_msg("%s", lua_tostring(L, -1));
    lua_getglobal(L, "R");
    assert_true(dz_bind_supervisor_push_table(L, -1));
    lua_getglobal(L, "B");
    assert_true(lua_rawequal(L, -1, -2));
    lua_getglobal(L, "print");
    assert_false(dz_bind_supervisor_push_table(L, -1));
    lua_settop(L, 0);
    struct dz_buf out;
    dz_buf_init(&out);
    lua_getglobal(L, "R");
    dz_codec_encode(L, -1, "spec", DZ_CODEC_FUNCTIONS, &out);
    assert_int_equal(out.data[0], 0xc7);
    assert_int_equal(out.data[out.len - 1], 't');
    assert_true(dz_vm_function_push(L, out.data + 3, out.len - 3));
    lua_getglobal(L, "B");
    assert_true(lua_rawequal(L, -1, -2));
    lua_settop(L, 0);
    dz_buf_fini(&out);
    machine_delete(m);
}

static void a_reference_is_not_called_and_only_tables_have_one(void **state)
{
    (void)state;
    machine_test("local e = fails('bad_argument', core.behavior_reference({})) eq(e.message, 'a behaviour "
                 "table is not called')\n"
                 "assert(not pcall(core.behavior_reference, 5)) assert(not pcall(core.behavior_reference))\n"
                 "fails('bad_message', dozor.send, dozor.self(), core.behavior_reference({}))\n");
}

static void a_selectors_name_is_taken_once(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_selectors selectors;
    struct dz_sup_function found;
    dz_selectors_init(&selectors);
    m->shared.selectors = &selectors;
    machine_run(
        m, "local function pick() return dozor.node() end\n"
           "dozor.selectors.register('pick', pick) dozor.selectors.register('pick', pick)\n"
           "wrong('name', 'the name of no other selector', '\"pick\"', function() "
           "dozor.selectors.register('pick', print) end)\n"
           "wrong('name', 'a string that is not empty', '\"\"', function() dozor.selectors.register('', "
           "pick) end)\n"
           "wrong('selector', 'a function', 'a table', function() dozor.selectors.register('p', {}) end)\n"
           "assert(not pcall(core.register_selector, 'p', {})) assert(not pcall(core.register_selector, nil, "
           "pick))\n"
           "eq(core.register_selector('pick', print), false)\n"
           "\n");
    assert_true(dz_selectors_find(&selectors, "pick", 4, &found));
    assert_int_equal(found.worker, 1);
    assert_int_equal(found.kind, 'f');
    assert_false(dz_selectors_find(&selectors, "p", 1, &found));
    lua_gc(dz_vm_main(machine_vm(m, 1)), LUA_GCCOLLECT, 0);
    machine_run(m, "collectgarbage()");
    machine_delete(m);
    dz_selectors_fini(&selectors);
}

static void without_a_place_for_them_selectors_are_taken_all_the_same(void **state)
{
    (void)state;
    machine_test(
        "eq(core.register_selector('any', print), true) eq(core.register_selector('any', type), true)\n");
}

static void a_spec_that_cannot_be_sent_is_refused_before_anything_starts(void **state)
{
    (void)state;
    machine_test(
        "local before = #dozor.processes()\n"
        "local e = fails('bad_message', core.spawn_supervisor, { children = { { id = 'a', x = io.stdout } } "
        "})\n"
        "eq(e.path, 'spec.children[1].x') eq(#dozor.processes(), before)\n"
        "local e = fails('cannot_wait', table.sort, { 1, 2 }, function() core.spawn_supervisor {} end)\n"
        "eq(e.call, 'supervisor.start')\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_behaviour_table_travels_as_a_reference),
        cmocka_unit_test(a_reference_is_not_called_and_only_tables_have_one),
        cmocka_unit_test(a_selectors_name_is_taken_once),
        cmocka_unit_test(without_a_place_for_them_selectors_are_taken_all_the_same),
        cmocka_unit_test(a_spec_that_cannot_be_sent_is_refused_before_anything_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
