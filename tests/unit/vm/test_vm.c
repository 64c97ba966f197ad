/* test_vm.c - what vm.h promises to bindings and to the host: references, callbacks, hooks at a process's
 * end. */
#include "machine.h"
#include "vm/state.h"

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

/* A plain process named "p" that waits for ever. */
static struct dz_pid waiting_process(struct machine *m)
{
    machine_run(m, "dozor.spawn(function() dozor.receive() end, nil, { name = 'p' }) dozor.sleep(1)");
    struct dz_pid pid = dz_names_whereis(&m->rt.names, "p", 1);
    assert_false(dz_pid_is_none(pid));
    return pid;
}

static void count(struct dz_vm *vm, void *arg)
{
    (void)vm;
    ++*(int *)arg;
}

static void hooks_run_once_when_their_process_ends(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_pid pid = waiting_process(m);
    int ran = 0, cancelled = 0;
    assert_int_equal(dz_vm_at_end(machine_vm(m, 1), pid, count, &ran), 0);
    assert_int_equal(dz_vm_at_end(machine_vm(m, 1), pid, count, &cancelled), 0);
    dz_vm_at_end_cancel(machine_vm(m, 1), pid, count, &cancelled);
    machine_run(m, "dozor.kill('p') dozor.sleep(1)");
    assert_int_equal(ran, 1);
    assert_int_equal(cancelled, 0);
    machine_delete(m);
}

static void an_idle_state_gives_its_garbage_back(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    machine_run(m, "for i = 1, 200000 do local t = { i, tostring(i) } end KEEP = {} for i = 1, 60000 do "
                   "KEEP[i] = { i } end KEEP = nil");
    size_t before = dz_vm_memory(vm);
    for (int i = 0; i < 100000 && dz_vm_idle(vm); i++) {
    }
    assert_true(dz_vm_memory(vm) <= before);
    assert_false(dz_vm_idle(vm));
    machine_delete(m);
}

/* KiB in use after a full collection. */
#define USED "local function used() collectgarbage() collectgarbage() return collectgarbage('count') end "

static void fresh_closures_and_behaviour_tables_go_with_their_processes(void **state)
{
    (void)state;
    machine_test(USED
        "local function round(n)\n"
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
        "if grown > 1024 then error('grown by ' .. grown .. ' KiB') end"); /* kept, 110,000 of them take over 5 MiB; tables that resize take some 100 KiB */
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
    struct dz_pid owner = waiting_process(m);
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
    for (uint32_t i = 1; i < 200; i++) { /* owners that never were: the next looks find them gone, and the first */
        lua_newtable(L);
        dz_function_named(L, -1);
        dz_function_hold(L, (struct dz_pid){0, 1000 + i, 1});
        lua_pop(L, 1);
    }
    lua_gc(L, LUA_GCCOLLECT, 0);
    assert_false(dz_vm_function_push(L, bytes, sizeof bytes));
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_keeps_its_reference_and_other_states_refuse_it),
        cmocka_unit_test(hooks_run_once_when_their_process_ends),
        cmocka_unit_test(fresh_closures_and_behaviour_tables_go_with_their_processes),
        cmocka_unit_test(a_start_keeps_its_function_until_the_process_has_it),
        cmocka_unit_test(what_a_spec_names_lives_as_long_as_its_owner),
        cmocka_unit_test(an_idle_state_gives_its_garbage_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
