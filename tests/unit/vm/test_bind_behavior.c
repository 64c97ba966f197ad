/* test_bind_behavior.c - the registry's primitives: sources by name, callbacks bound, native behaviours and
 * extensions. */
#include "machine.h"
#include "vm/state.h"

static void a_built_in_behaviour_is_found_with_its_source(void **state)
{
    (void)state;
    machine_test("local kind, source, path = core.behavior_find('counter')\n"
                 "eq(kind, 'file') eq(path, '=[builtin]/counter.lua') assert(source:find('handle_call'))\n"
                 "eq(core.behavior_find('nothing'), nil) eq(core.behavior_find('../counter'), nil)\n"
                 "eq(core.behavior_places('nothing'), 'the built-in behaviours')\n");
}

static void names_and_paths_are_strings(void **state)
{
    (void)state;
    machine_test("for _, f in ipairs { core.behavior_find, core.behavior_places, "
                 "core.behavior_register_table, core.native_behavior } do\n"
                 "  wrong('name', 'a string', '5', function() f(5) end)\n"
                 "  wrong('name', 'a string', 'no value', function() f() end)\n"
                 "end\n"
                 "wrong('path', 'a string', 'true', function() core.load_native(true) end)\n"
                 "wrong('name', 'a string', 'nil', function() core.behavior_register_file(nil, 'x') end)\n"
                 "assert(not pcall(core.behavior_register_file, 'x'))\n"
                 "assert(not pcall(core.behavior_bind, 'x', 0, 'no table'))\n");
}

static void a_table_belongs_to_the_state_that_registered_it(void **state)
{
    (void)state;
    machine_test(
        "eq(core.behavior_register_table('mine'), true) eq(core.behavior_register_table('mine'), true)\n"
        "local kind, thread, own = core.behavior_find('mine') eq({ kind, thread, own }, { 'table', 1, true "
        "})\n"
        "eq({ core.behavior_register_file('mine', '/nowhere') }, { nil, 'behavior_not_found' })\n"
        "local found = {} for _, name in ipairs(core.behavior_names()) do found[name] = true end\n"
        "assert(found.mine and found.counter)\n");
}

static void the_table_of_another_state_is_not_ours(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    assert_int_equal(dz_behaviors_register_table(&m->behaviors, "theirs", 6, 2, machine_vm(m, 2)->generation),
                     0);
    machine_run(m, "local kind, thread, own = core.behavior_find('theirs')\n"
                   "eq({ kind, thread, own }, { 'table', 2, false })\n"
                   "eq({ core.behavior_register_table('theirs') }, { nil, 'exists' })\n"
                   "eq(dozor.behaviors.has('theirs'), true) eq(dozor.behaviors.get('theirs'), nil)\n"
                   "fails('name_taken', dozor.behaviors.register, 'theirs', { init = print })");
    machine_delete(m);
}

static void bound_callbacks_are_known_by_their_name(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "core.behavior_bind('b', 0, { init = print, handle_call = print }, true, true)");
    const struct dz_handlers *h = dz_smap_get(&machine_vm(m, 1)->handlers, "b", 1);
    assert_non_null(h);
    assert_true(h->wants_from && h->local);
    assert_int_not_equal(h->init, LUA_NOREF);
    assert_int_equal(h->terminate, LUA_NOREF);
    machine_delete(m);
}

static bool native_exists(void *ctx, const char *name, size_t len)
{
    (void)ctx;
    return len == 6 && memcmp(name, "native", 6) == 0;
}

static int load_native(void *ctx, const char *path, const char **why)
{
    (void)ctx;
    if (strcmp(path, "good.so") == 0)
        return 0;
    *why = strcmp(path, "bad.so") == 0 ? "it is bad" : NULL;
    return DZ_EIO;
}

static void native_behaviours_take_their_names(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "eq(core.native_behavior('native'), false)");
    m->shared.native_exists = native_exists;
    machine_run(m, "eq(core.native_behavior('native'), true) eq(core.native_behavior('other'), false)\n"
                   "eq(dozor.behaviors.has('native'), true)\n"
                   "fails('name_taken', dozor.behaviors.register, 'native', { init = print })");
    machine_delete(m);
}

static void an_extension_loads_or_says_why_not(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "local e = fails('invalid_config', dozor.load_native, 'good.so')\n"
                   "eq(e.message, 'this host loads no native extensions')");
    m->shared.load_native = load_native;
    machine_run(m, "dozor.load_native('good.so')\n"
                   "eq(fails('io', dozor.load_native, 'bad.so').message, 'bad.so: it is bad')\n"
                   "eq(fails('io', dozor.load_native, 'x.so').message, 'x.so: input or output failed')");
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_built_in_behaviour_is_found_with_its_source),
        cmocka_unit_test(names_and_paths_are_strings),
        cmocka_unit_test(a_table_belongs_to_the_state_that_registered_it),
        cmocka_unit_test(the_table_of_another_state_is_not_ours),
        cmocka_unit_test(bound_callbacks_are_known_by_their_name),
        cmocka_unit_test(native_behaviours_take_their_names),
        cmocka_unit_test(an_extension_loads_or_says_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
