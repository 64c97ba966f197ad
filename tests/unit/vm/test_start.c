/* test_start.c - the first turn of a process: its behaviour, its name, init, and the answer to who asked. */
#include "machine.h"
#include "vm/state.h"

static void init_may_refuse_and_time_out(void **state)
{
    (void)state;
    machine_test("local e = fails('init_failed', dozor.spawn, { init = function() error('no') end })\n"
                 "eq(e.reason.code, 'error') assert(e.reason.message:find('no'))\n"
                 "e = fails('init_failed', dozor.spawn, { init = function() dozor.exit('gone') end })\n"
                 "eq(e.reason, 'gone')\n"
                 "local slow\n"
                 "fails('timeout', dozor.spawn, { init = function() slow = dozor.self() dozor.sleep(1000) "
                 "end }, nil,\n"
                 "  { timeout_ms = 50, name = 'slow' })\n"
                 "dozor.sleep(1) eq(dozor.alive(slow), false) eq(dozor.whereis('slow'), nil)\n"
                 "local before = #dozor.processes()\n"
                 "fails('init_failed', dozor.spawn, { init = function() error('no') end }, nil, { link = "
                 "true, monitor = true })\n"
                 "eq(dozor.receive(0), nil) eq(#dozor.processes(), before)\n");
}

static void an_init_may_wait(void **state)
{
    (void)state;
    machine_test(
        SERVER
        "local pid = dozor.spawn(server)\n"
        "local other = dozor.spawn({ init = function() dozor.sleep(20) return dozor.call(pid, 'inc') end,\n"
        "  handle_call = function(_, n) return n end })\n"
        "eq(dozor.call(other, 1), 1)\n");
}

static void a_name_is_there_before_init_runs_and_a_taken_one_refuses_the_start(void **state)
{
    (void)state;
    machine_test("local seen\n"
                 "local pid = dozor.spawn({ init = function() seen = dozor.whereis('n') == dozor.self() end "
                 "}, nil, { name = 'n' })\n"
                 "eq(seen, true)\n"
                 "local ran = false\n"
                 "local e = fails('name_taken', dozor.spawn, { init = function() ran = true end }, nil, { "
                 "name = 'n' })\n"
                 "eq(e.name, 'n') eq(e.owner, pid) eq(ran, false) eq(e.message, 'the name n is taken')\n"
                 "e = fails('name_taken', dozor.spawn, function() ran = true end, nil, { name = 'n' }) "
                 "eq(ran, false)\n");
}

static void an_init_that_raises_a_table_passes_it_on(void **state)
{
    (void)state;
    machine_test(
        "local e = fails('init_failed', dozor.spawn, { init = function() error { code = 'mine', n = 7 } end "
        "})\n"
        "eq(e.reason.code, 'mine') eq(e.reason.n, 7) assert(e.message:find('^init raised: mine'), "
        "e.message)\n"
        "e = fails('init_failed', dozor.spawn, { init = function() dozor.exit { code = 'left' } end })\n"
        "eq(e.reason, { code = 'left' })\n"
        "e = fails('init_failed', dozor.spawn, { init = function() dozor.kill(dozor.self()) end }) "
        "eq(e.reason, 'killed')\n");
}

static void a_plain_process_has_started_when_it_can_run(void **state)
{
    (void)state;
    machine_test(
        "local order = {}\n"
        "local pid = dozor.spawn(function(a, b) order[#order + 1] = 'ran' error('later') end, { 1 })\n"
        "dozor.sleep(1) eq(order, { 'ran' }) eq(dozor.alive(pid), false)\n");
}

static void states_are_kept_apart_and_their_places_are_used_again(void **state)
{
    (void)state;
    machine_test(
        "local b = { init = function(i) return { i } end, handle_call = function(_, s) return s[1] end }\n"
        "for round = 1, 3 do\n"
        "  local pids = {}\n"
        "  for i = 1, 700 do pids[i] = dozor.spawn(b, { i }) end\n"
        "  for i = 1, 700 do eq(dozor.call(pids[i], 1), i) end\n"
        "  for i = 1, 700, 2 do dozor.stop(pids[i]) end\n"
        "  for i = 2, 700, 2 do eq(dozor.call(pids[i], 1), i) end\n"
        "  for i = 2, 700, 2 do dozor.kill(pids[i]) end\n"
        "end\n");
}

static void a_table_without_init_or_with_a_misspelled_callback_does_not_start(void **state)
{
    (void)state;
    machine_test("fails('bad_argument', dozor.spawn, { handle_call = function() end })\n"
                 "local e = fails('bad_argument', dozor.spawn, { init = function() end, handle_cal = "
                 "function() end })\n"
                 "assert(e.message:find(\"did you mean 'handle_call'\"), e.message)\n"
                 "eq(#dozor.processes(), 1)\n");
}

static void start_args_and_start_other_are_only_for_first_turns(void **state)
{
    (void)state;
    machine_test("eq(fails('bad_argument', core.start_args).message, 'not in a first turn')\n"
                 "eq(fails('bad_argument', core.start_other, 1).message, 'not in a first turn')\n"
                 "local e = fails('cannot_wait', table.sort, { 1, 2 }, function() core.start_other(1) end) "
                 "eq(e.call, 'spawn')\n");
}

/* Sends the SPAWN as nobody; the machine comes to rest. */
static struct dz_pid spawn(struct machine *m, struct dz_spawn *s)
{
    struct dz_pid pid;
    struct dz_msg *msg = dz_spawn_pack(&m->rt.nodes, s);
    assert_int_equal(dz_spawn_send(&m->sched.workers[1]->thread, 1, &msg, &pid), 0);
    machine_settle(m);
    return pid;
}

static void a_function_nobody_keeps_any_more_is_not_run(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    uint8_t term[3 + DZ_VM_FUNCTION_BYTES] = {0xc7, DZ_VM_FUNCTION_BYTES, DZ_EXT_FUNCTION};
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    lua_newtable(L);
    dz_vm_function_ref(L, -1, term + 3);
    lua_pop(L, 1);
    lua_gc(L, LUA_GCCOLLECT, 0);
    struct dz_spawn s = {.what = DZ_SPAWN_TABLE, .function = term, .function_len = sizeof term};
    spawn(m, &s);
    s.what = DZ_SPAWN_FUNCTION;
    spawn(m, &s);
    s.what = DZ_SPAWN_START;
    spawn(m, &s);
    s.function_len = 2;
    spawn(m, &s);
    assert_int_equal(atomic_load(&m->rt.table.count), 0);
    machine_delete(m);
}

static void a_worker_without_a_lua_state_refuses(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_thread *system = &m->sched.workers[0]->thread;
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .name = {"counter", 7}};
    struct dz_msg *msg = dz_spawn_pack(&m->rt.nodes, &s);
    assert_int_equal(dz_spawn_send(system, DZ_THREAD_SYSTEM, &msg, NULL), 0);
    machine_settle(m);
    assert_int_equal(atomic_load(&m->rt.table.count), 0);
    machine_delete(m);
}

static void an_interpreted_twin_is_another_behaviour(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .name = {"counter", 7}, .flags = DZ_SPAWN_NO_JIT};
    struct dz_pid pid = spawn(m, &s);
    struct dz_proc *p = dz_table_find(&m->rt.table, pid)->proc;
    assert_true(p->flags & DZ_PROC_NO_JIT);
    assert_string_equal(((struct dz_handlers *)p->kind_state)->name, "counter");
    s.flags = 0;
    struct dz_proc *other = dz_table_find(&m->rt.table, spawn(m, &s))->proc;
    assert_false(other->flags & DZ_PROC_NO_JIT);
    assert_ptr_not_equal(other->kind_state, p->kind_state);
    s.flags = DZ_SPAWN_NO_JIT;
    assert_ptr_equal(dz_table_find(&m->rt.table, spawn(m, &s))->proc->kind_state, p->kind_state);
    char name[400];
    memset(name, 'x', sizeof name);
    s.name = (struct dz_str){name, sizeof name};
    assert_null(dz_table_find(&m->rt.table, spawn(m, &s)));
    machine_delete(m);
}

static void a_start_functions_value_is_the_answer(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    uint8_t term[3 + DZ_VM_FUNCTION_BYTES] = {0xc7, DZ_VM_FUNCTION_BYTES, DZ_EXT_FUNCTION};
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    if (luaL_dostring(L, "RAN = 0 function F() RAN = RAN + 1 return 'the answer' end"))
        fail_msg("%s", lua_tostring(L, -1));
    lua_getglobal(L, "F");
    dz_vm_function_ref(L, -1, term + 3);
    lua_pop(L, 1);
    struct dz_spawn s = {.what = DZ_SPAWN_START, .function = term, .function_len = sizeof term};
    struct dz_pid pid = spawn(m, &s);
    assert_null(dz_table_find(&m->rt.table, pid));
    machine_run(m, "eq(RAN, 1)");
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_may_refuse_and_time_out),
        cmocka_unit_test(an_init_may_wait),
        cmocka_unit_test(a_name_is_there_before_init_runs_and_a_taken_one_refuses_the_start),
        cmocka_unit_test(an_init_that_raises_a_table_passes_it_on),
        cmocka_unit_test(a_plain_process_has_started_when_it_can_run),
        cmocka_unit_test(states_are_kept_apart_and_their_places_are_used_again),
        cmocka_unit_test(a_table_without_init_or_with_a_misspelled_callback_does_not_start),
        cmocka_unit_test(start_args_and_start_other_are_only_for_first_turns),
        cmocka_unit_test(a_function_nobody_keeps_any_more_is_not_run),
        cmocka_unit_test(a_worker_without_a_lua_state_refuses),
        cmocka_unit_test(an_interpreted_twin_is_another_behaviour),
        cmocka_unit_test(a_start_functions_value_is_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
