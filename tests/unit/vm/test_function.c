/* test_function.c - references to functions and tables: which state's they are, and how long the value lives
 * on. */
#include "machine.h"
#include "vm/state.h"

/* KiB in use after a full collection. */
#define USED "local function used() collectgarbage() collectgarbage() return collectgarbage('count') end "

static void a_value_keeps_its_reference_and_other_states_refuse_it(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *a = dz_vm_main(machine_vm(m, 1)), *b = dz_vm_main(machine_vm(m, 2));
    uint8_t first[DZ_VM_FUNCTION_BYTES], second[DZ_VM_FUNCTION_BYTES];
    lua_getglobal(a, "print");
    dz_vm_function_ref(a, -1, first);
    dz_vm_function_ref(a, -1, second);
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(dz_vm_function_thread(first, sizeof first), 1);
    assert_int_equal(dz_vm_function_thread(first, 3), 0);
    assert_true(dz_vm_function_push(a, first, sizeof first));
    assert_true(lua_rawequal(a, -1, -2));
    lua_pop(a, 2);
    assert_false(dz_vm_function_push(b, first, sizeof first));
    lua_newtable(a);
    dz_vm_function_ref(a, -1, second);
    assert_int_equal(second[12], 't');
    lua_pop(a, 1);
    machine_delete(m);
}

static void fresh_closures_and_behaviour_tables_go_with_their_processes(void **state)
{
    (void)state;
    machine_test(
        USED "local function round(n)\n"
             "  for i = 1, n do dozor.spawn(function() return i end) end\n"
             "  for i = 1, n / 10 do\n"
             "    local t = { init = function() return i end }\n"
             "    dozor.kill(dozor.spawn(t))\n"
             "  end\n"
             "  dozor.sleep(1)\n"
             "end\n"
             "round(2000)\n"
             "local before = used()\n"
             "round(100000)\n"
             "local grown = used() - before\n"
             "if grown > 1024 then error('grown by ' .. grown .. ' KiB') end"); /* kept, 110,000 of them take
                                                                                   over 5 MiB; tables that
                                                                                   resize take some 100 KiB */
}

static void a_start_keeps_its_function_until_the_process_has_it(void **state)
{
    (void)state;
    machine_test("local got = {}\n"
                 "local me = dozor.self()\n"
                 "for i = 1, 200 do\n"
                 "  local ok = dozor.spawn(function(n) collectgarbage() dozor.send(me, n + i) end, { i })\n"
                 "  eq(dozor.receive(), 2 * i)\n"
                 "end\n"
                 "local t = setmetatable({}, { __mode = 'v' })\n"
                 "do\n"
                 "  local b = { init = function() return 1 end, handle_call = function(m, s) return m end }\n"
                 "  t.p, t.b = dozor.spawn(b), b\n"
                 "  got.p = t.p\n"
                 "end\n"
                 "collectgarbage() collectgarbage()\n"
                 "eq(dozor.call(got.p, 5), 5)");
}

static void what_a_spec_names_lives_as_long_as_its_owner(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    struct dz_pid owner = machine_waiting(m);
    uint8_t bytes[DZ_VM_FUNCTION_BYTES];
    lua_newtable(L);
    dz_vm_function_ref(L, -1, bytes);
    dz_function_named(L, -1);
    dz_function_hold(L, owner);
    lua_pop(L, 1);
    lua_gc(L, LUA_GCCOLLECT, 0);
    assert_true(dz_vm_function_push(L, bytes, sizeof bytes));
    lua_pop(L, 1);
    machine_run(m, "dozor.kill('p') dozor.sleep(1)");
    for (uint32_t i = 1; i < 200;
         i++) { /* owners that never were: the next looks find them gone, and the first */
        lua_newtable(L);
        dz_function_named(L, -1);
        dz_function_hold(L, (struct dz_pid){0, 1000 + i, 1});
        lua_pop(L, 1);
    }
    lua_gc(L, LUA_GCCOLLECT, 0);
    assert_false(dz_vm_function_push(L, bytes, sizeof bytes));
    machine_delete(m);
}

static void a_reference_with_another_length_generation_or_number_is_nobodys(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    uint8_t bytes[DZ_VM_FUNCTION_BYTES];
    lua_getglobal(L, "print");
    dz_vm_function_ref(L, -1, bytes);
    assert_int_equal(bytes[12], 'f');
    assert_false(dz_vm_function_push(L, bytes, sizeof bytes - 1));
    bytes[7] ^= 1;
    assert_false(dz_vm_function_push(L, bytes, sizeof bytes));
    bytes[7] ^= 1;
    bytes[8] = 0x70;
    assert_false(dz_vm_function_push(L, bytes, sizeof bytes));
    assert_int_equal(lua_gettop(L), 1);
    lua_pop(L, 1);
    machine_delete(m);
}

static void a_slot_used_again_lets_go_of_what_its_former_owner_named(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    uint8_t first[DZ_VM_FUNCTION_BYTES], second[DZ_VM_FUNCTION_BYTES];
    lua_newtable(L);
    dz_vm_function_ref(L, -1, first);
    dz_function_named(L, -1);
    dz_function_hold(L, (struct dz_pid){0, 500, 1});
    lua_settop(L, 0);
    lua_newtable(L);
    dz_vm_function_ref(L, -1, second);
    dz_function_named(L, -1);
    dz_function_hold(L, (struct dz_pid){0, 500, 2});
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
    assert_false(dz_vm_function_push(L, first, sizeof first));
    assert_true(dz_vm_function_push(L, second, sizeof second));
    lua_settop(L, 0);
    machine_delete(m);
}

static void nothing_named_or_nobody_to_keep_it_for_keeps_nothing(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    lua_State *L = dz_vm_main(vm);
    dz_function_hold(L, machine_waiting(m));
    assert_int_equal(vm->holds.count, 0);
    lua_newtable(L);
    dz_function_named(L, -1);
    lua_pop(L, 1);
    dz_function_hold(L, DZ_PID_NONE);
    assert_int_equal(vm->holds.count, 0);
    assert_int_equal(vm->named_count, 0);
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_keeps_its_reference_and_other_states_refuse_it),
        cmocka_unit_test(fresh_closures_and_behaviour_tables_go_with_their_processes),
        cmocka_unit_test(a_start_keeps_its_function_until_the_process_has_it),
        cmocka_unit_test(what_a_spec_names_lives_as_long_as_its_owner),
        cmocka_unit_test(a_reference_with_another_length_generation_or_number_is_nobodys),
        cmocka_unit_test(a_slot_used_again_lets_go_of_what_its_former_owner_named),
        cmocka_unit_test(nothing_named_or_nobody_to_keep_it_for_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
