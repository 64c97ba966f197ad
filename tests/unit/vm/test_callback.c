/* test_callback.c - Lua code run from outside of a turn as a process, and what becomes of the process when it
 * fails. */
#include "machine.h"
#include "vm/state.h"

static void a_callback_runs_as_its_process_and_may_not_wait(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_pid pid = machine_waiting(m);
    struct dz_vm *vm = machine_vm(m, 1);
    lua_State *L = dz_vm_main(vm);
    struct dz_vm_frame frame;
    assert_true(dz_vm_enter(vm, pid, &frame));
    if (luaL_dostring(L, "eq(dozor.self(), dozor.whereis('p')) fails('cannot_wait', dozor.sleep, 1)"))
        fail_msg("%s", lua_tostring(L, -1));
    dz_vm_leave(vm, &frame, L, false);
    assert_null(dz_vm_current(L));
    assert_int_not_equal(luaL_dostring(L, "fails('noproc', dozor.self) error('outside')"), 0);
    lua_pop(L, 1);
    machine_delete(m);
}

static void a_callback_that_fails_ends_its_process(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_pid pid = machine_waiting(m);
    struct dz_vm *vm = machine_vm(m, 1);
    lua_State *L = lua_newthread(dz_vm_main(vm));
    struct dz_vm_frame frame;
    assert_true(dz_vm_enter(vm, pid, &frame));
    lua_pushnil(L);
    lua_pushliteral(L, "it failed");
    dz_vm_leave(vm, &frame, L, true);
    assert_int_equal(lua_gettop(L), 0);
    lua_pop(dz_vm_main(vm), 1);
    machine_settle(m);
    assert_null(dz_table_find(&m->rt.table, pid));
    assert_non_null(strstr(m->logged, "in=a callback"));
    assert_non_null(strstr(m->logged, "it failed"));
    assert_false(dz_vm_enter(vm, pid, &frame));
    machine_delete(m);
}

static void callbacks_nest_and_each_sees_its_own_process(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_pid p = machine_waiting(m);
    machine_run(m, "dozor.spawn(function() dozor.receive() end, nil, { name = 'q' }) dozor.sleep(1)");
    struct dz_pid q = dz_names_whereis(&m->rt.names, "q", 1);
    struct dz_vm *vm = machine_vm(m, 1);
    lua_State *L = dz_vm_main(vm);
    struct dz_vm_frame outer, inner;
    assert_true(dz_vm_enter(vm, p, &outer));
    assert_true(dz_vm_enter(vm, q, &inner));
    assert_true(inner.was_in_turn);
    assert_true(dz_pid_eq(dz_vm_self(L)->pid, q));
    dz_vm_leave(vm, &inner, L, false);
    assert_true(dz_pid_eq(dz_vm_self(L)->pid, p));
    assert_true(vm->thread->in_turn);
    dz_vm_leave(vm, &outer, L, false);
    assert_false(vm->thread->in_turn);
    assert_null(dz_vm_current(L));
    machine_delete(m);
}

static void only_a_living_process_of_this_state_is_entered(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_pid p = machine_waiting(m);
    struct dz_vm *vm = machine_vm(m, 1);
    struct dz_vm_frame frame;
    assert_false(dz_vm_enter(machine_vm(m, 2), p, &frame));
    assert_false(dz_vm_enter(vm, DZ_PID_NONE, &frame));
    assert_false(dz_vm_enter(vm, (struct dz_pid){0, 4000, 1}, &frame));
    struct dz_proc *proc = dz_table_find(&m->rt.table, p)->proc;
    dz_process_doom(vm->thread, proc, m->rt.reasons[DZ_REASON_SHUTDOWN], 0);
    assert_false(dz_vm_enter(vm, p, &frame));
    machine_settle(m);
    assert_null(dz_table_find(&m->rt.table, p));
    machine_delete(m);
}

static void a_process_that_is_doomed_inside_its_callback_is_not_reported(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_pid p = machine_waiting(m);
    struct dz_vm *vm = machine_vm(m, 1);
    lua_State *L = lua_newthread(dz_vm_main(vm));
    struct dz_vm_frame frame;
    assert_true(dz_vm_enter(vm, p, &frame));
    if (luaL_dostring(L, "dozor.exit('enough')") == 0)
        fail_msg("exit returned");
    lua_pushnil(L);
    lua_insert(L, -2);
    dz_vm_leave(vm, &frame, L, true);
    lua_pop(dz_vm_main(vm), 1);
    machine_settle(m);
    assert_null(dz_table_find(&m->rt.table, p));
    assert_null(strstr(m->logged, "process crashed"));
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_callback_runs_as_its_process_and_may_not_wait),
        cmocka_unit_test(a_callback_that_fails_ends_its_process),
        cmocka_unit_test(callbacks_nest_and_each_sees_its_own_process),
        cmocka_unit_test(only_a_living_process_of_this_state_is_entered),
        cmocka_unit_test(a_process_that_is_doomed_inside_its_callback_is_not_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
