/* test_handlers.c - callbacks looked up once: those of a name stay, those of tables as long as they are used.
 */
#include "machine.h"
#include "vm/state.h"

/* The value of the Lua expression as handlers. */
static struct dz_handlers *bound(struct machine *m, const char *expression, const char *name, uint32_t number)
{
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    lua_pushfstring(L, "return %s", expression);
    if (luaL_loadstring(L, lua_tostring(L, -1)) || lua_pcall(L, 0, 1, 0))
        fail_msg("%s", lua_tostring(L, -1));
    lua_remove(L, -2);
    struct dz_handlers *h = dz_handlers_bind(L, machine_vm(m, 1), name, name ? strlen(name) : 0, number);
    assert_int_equal(lua_gettop(L), 0);
    return h;
}

static void only_the_callbacks_that_are_there_are_kept(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    const struct dz_handlers *h = bound(m, "{ init = print, handle_info = print }", "some", 0);
    assert_string_equal(h->name, "some");
    assert_int_equal(h->number, 0);
    assert_int_not_equal(h->init, LUA_NOREF);
    assert_int_not_equal(h->handle_info, LUA_NOREF);
    assert_int_equal(h->handle_call, LUA_NOREF);
    assert_int_equal(h->handle_cast, LUA_NOREF);
    assert_int_equal(h->terminate, LUA_NOREF);
    assert_ptr_equal(dz_smap_get(&machine_vm(m, 1)->handlers, "some", 4), h);
    machine_delete(m);
}

static void the_interpreted_twin_is_shown_with_the_plain_name(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    assert_string_equal(bound(m, "{ init = print }", "some\n", 0)->name, "some");
    assert_string_equal(bound(m, "{ init = print }", NULL, 7)->name, "(table)");
    machine_delete(m);
}

static void those_of_a_table_stay_while_a_process_runs_them(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    struct dz_proc p = {.kind = &dz_vm_kind}, q = {.kind = &dz_vm_kind};
    struct dz_handlers *h = bound(m, "{ init = print }", NULL, 5000);
    assert_int_equal(vm->unused_count, 1);
    dz_handlers_take(vm, h, &p);
    dz_handlers_take(vm, h, &q);
    assert_int_equal(vm->unused_count, 0);
    assert_ptr_equal(p.kind_state, h);
    for (uint32_t i = 1; i <= 3 * DZ_VM_UNUSED; i++)
        bound(m, "{ init = print }", NULL, i);
    assert_int_equal(vm->unused_count, DZ_VM_UNUSED);
    assert_ptr_equal(dz_map_get(&vm->tables, 5000), h);
    dz_handlers_release(vm, h);
    assert_ptr_equal(dz_map_get(&vm->tables, 5000), h);
    dz_handlers_release(vm, h);
    assert_int_equal(vm->unused_count, DZ_VM_UNUSED);
    for (uint32_t i = 10000; i <= 10000 + DZ_VM_UNUSED; i++)
        bound(m, "{ init = print }", NULL, i);
    assert_null(dz_map_get(&vm->tables, 5000));
    machine_delete(m);
}

static void those_of_a_name_stay_as_long_as_the_state(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    struct dz_proc p = {.kind = &dz_vm_kind};
    struct dz_handlers *h = bound(m, "{ init = print }", "named", 0);
    dz_handlers_take(vm, h, &p);
    dz_handlers_release(vm, h);
    assert_int_equal(vm->unused_count, 0);
    assert_ptr_equal(dz_smap_get(&vm->handlers, "named", 5), h);
    machine_delete(m);
}

static void a_table_spawned_again_is_not_bound_again(void **state)
{
    (void)state;
    machine_test("local b = { init = function() end, handle_call = function() return 'old' end }\n"
                 "dozor.kill(dozor.spawn(b))\n"
                 "b.handle_call = function() return 'new' end\n"
                 "eq(dozor.call(dozor.spawn(b), 1), 'old')\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_callbacks_that_are_there_are_kept),
        cmocka_unit_test(the_interpreted_twin_is_shown_with_the_plain_name),
        cmocka_unit_test(those_of_a_table_stay_while_a_process_runs_them),
        cmocka_unit_test(those_of_a_name_stay_as_long_as_the_state),
        cmocka_unit_test(a_table_spawned_again_is_not_bound_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
