/* test_ending.c - how a process ends: terminate and its state, reasons made of errors, and what closes with
 * it. */
#include "machine.h"
#include "vm/state.h"

static void count(struct dz_vm *vm, void *arg)
{
    (void)vm;
    ++*(int *)arg;
}

static void hooks_run_once_when_their_process_ends(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_pid pid = machine_waiting(m);
    int ran = 0;
    assert_int_equal(dz_vm_at_end(machine_vm(m, 1), pid, count, &ran), 0);
    machine_run(m, "dozor.kill('p') dozor.sleep(1)");
    assert_int_equal(ran, 1);
    machine_delete(m);
}

static void terminate_has_the_state_of_the_last_finished_callback(void **state)
{
    (void)state;
    machine_test("local me = dozor.self()\n"
                 "local pid = dozor.spawn { init = function() return 'first' end,\n"
                 "  handle_cast = function(msg) if msg == 1 then return 'second' end error('x') end,\n"
                 "  terminate = function(_, s) dozor.send(me, s) end }\n"
                 "dozor.cast(pid, 1) dozor.cast(pid, 2) eq(dozor.receive(100), 'second')\n"
                 "pid = dozor.spawn { init = function() return 1 end, terminate = function() dozor.send(me, "
                 "'ran') end }\n"
                 "dozor.kill(pid) dozor.sleep(1) eq(dozor.receive(0), nil)\n"
                 "pid = dozor.spawn { init = function() return 1 end, terminate = function() error('in "
                 "terminate') end }\n"
                 "dozor.monitor(pid) dozor.stop(pid) eq(dozor.receive(0).reason, 'normal')\n"
                 "pid = dozor.spawn { init = function() return 1 end, terminate = function() "
                 "dozor.exit('again') end }\n"
                 "dozor.monitor(pid) dozor.stop(pid) eq(dozor.receive(0).reason, 'normal')\n");
}

static void a_crash_reaches_the_caller_and_runs_terminate(void **state)
{
    (void)state;
    machine_test(
        SERVER
        "local me = dozor.self()\n"
        "function server.terminate(reason, state) dozor.send(me, { reason = reason, n = state.n }) end\n"
        "local pid = dozor.spawn(server)\n"
        "dozor.cast(pid, 'inc')\n"
        "local ref = dozor.monitor(pid)\n"
        "local e = fails('call_failed', dozor.call, pid, 'crash')\n"
        "eq(e.reason.code, 'error')\n"
        "assert(e.reason.message:find('boom') and e.reason.traceback:find('stack traceback'))\n"
        "assert(tostring(e):find('boom'), tostring(e))\n"
        "local told = dozor.receive(0)\n"
        "eq(told.n, 1) eq(told.reason.code, 'error')\n"
        "local down = dozor.receive(0)\n"
        "eq(down.type, 'down') eq(down.ref, ref) eq(down.pid, pid) eq(down.reason.code, 'error')\n"
        "eq(dozor.alive(pid), false)\n"
        "fails('noproc', dozor.call, pid, 'get')\n");
}

static void a_raised_table_keeps_its_fields(void **state)
{
    (void)state;
    machine_test("local pid = dozor.spawn { init = function() end,\n"
                 "  handle_cast = function() error { code = 'odd', n = 7, f = print } end }\n"
                 "dozor.monitor(pid) dozor.cast(pid, 1)\n"
                 "local r = dozor.receive(1000).reason\n"
                 "eq(r.code, 'odd') eq(r.n, 7) eq(type(r.f), 'string') eq(type(r.traceback), 'string')\n"
                 "pid = dozor.spawn { init = function() end, handle_cast = function() error(42) end }\n"
                 "dozor.monitor(pid) dozor.cast(pid, 1)\n"
                 "assert(dozor.receive(1000).reason.message:find('42$'))\n"
                 "pid = dozor.spawn { init = function() end, handle_cast = function() error() end }\n"
                 "dozor.monitor(pid) dozor.cast(pid, 1)\n"
                 "eq(dozor.receive(1000).reason.code, 'error')\n");
}

struct noted {
    char *at;
    char name;
};

static void note(struct dz_vm *vm, void *arg)
{
    struct noted *n = arg;
    (void)vm;
    n->at[strlen(n->at)] = n->name;
}

static void hooks_run_in_the_order_they_were_given(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_pid pid = machine_waiting(m);
    struct dz_vm *vm = machine_vm(m, 1);
    char order[8] = "";
    struct noted hooks[] = {{order, 'a'}, {order, 'b'}, {order, 'c'}};
    for (int i = 0; i < 3; i++)
        assert_int_equal(dz_vm_at_end(vm, pid, note, &hooks[i]), 0);
    machine_run(m, "dozor.kill('p')");
    assert_string_equal(order, "abc");
    assert_null(dz_ending_process_of(vm, pid));
    assert_null(dz_ending_process_of(vm, DZ_PID_NONE));
    machine_delete(m);
}

static void a_hook_of_a_process_left_behind_runs_when_the_state_goes(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    int ran = 0;
    assert_int_equal(dz_vm_at_end(machine_vm(m, 1), machine_waiting(m), count, &ran), 0);
    assert_null(dz_ending_process_of(machine_vm(m, 2), dz_names_whereis(&m->rt.names, "p", 1)));
    machine_delete(m);
    assert_int_equal(ran, 1);
}

static void terminate_may_wait_and_a_kill_ends_it_there(void **state)
{
    (void)state;
    machine_test("local me = dozor.self()\n"
                 "local b = { init = function() return 's' end,\n"
                 "  terminate = function(reason, s) dozor.send(me, { 'begun', reason, s }) dozor.sleep(50) "
                 "dozor.send(me, 'done') end }\n"
                 "local pid = dozor.spawn(b) dozor.stop(pid, 'a')\n"
                 "eq(dozor.receive(0), { 'begun', 'a', 's' }) eq(dozor.receive(0), 'done')\n"
                 "pid = dozor.spawn(b)\n"
                 "local ref = dozor.monitor(pid)\n"
                 "dozor.spawn(function() pcall(dozor.stop, pid, 'b') end) dozor.sleep(10)\n"
                 "eq(dozor.receive(0), { 'begun', 'b', 's' })\n"
                 "dozor.kill(pid)\n"
                 "eq(dozor.receive(0).type, 'down') eq((dozor.receive(100)), nil)\n");
}

static void what_is_raised_becomes_a_reason(void **state)
{
    (void)state;
    machine_test("local function reason(value)\n"
                 "  local _, ref = dozor.spawn(function() error(value, 0) end, nil, { monitor = true })\n"
                 "  return dozor.receive(10).reason\n"
                 "end\n"
                 "local r = reason('text') eq(r.code, 'error') eq(r.message, 'text') "
                 "assert(r.traceback:find('stack traceback'))\n"
                 "eq(reason(42).message, '42') eq(reason(nil).message, '(error object is a nil value)')\n"
                 "eq(reason(true).message, '(error object is a boolean value)')\n"
                 "r = reason { code = 'mine', traceback = 'own' } eq(r.code, 'mine') eq(r.traceback, 'own') "
                 "eq(r.message, nil)\n"
                 "r = reason { 'list' } eq(r.code, 'error') eq(r[1], 'list')\n"
                 "r = reason(setmetatable({ x = 1 }, { __index = { code = 'inherited' } })) eq(r.x, 1) "
                 "eq(r.code, 'error')\n"
                 "eq(type(reason { f = print }.f), 'string')\n"
                 "local cycle = {} cycle.self = cycle eq(type(reason(cycle)), 'table')\n");
}

static void an_error_too_large_for_a_reason_is_shortened(void **state)
{
    (void)state;
    machine_test("local _, ref = dozor.spawn(function() error { code = 'big', message = ('m'):rep(5000), "
                 "blob = ('x'):rep(17 * 2^20) } end, nil,\n"
                 "  { monitor = true })\n"
                 "local r = dozor.receive(100).reason\n"
                 "eq(r.code, 'big') eq(#r.message, 4096) eq(r.blob, nil)\n"
                 "_, ref = dozor.spawn(function() error { blob = ('x'):rep(17 * 2^20) } end, nil, { monitor "
                 "= true })\n"
                 "r = dozor.receive(100).reason\n"
                 "eq(r.code, 'error') eq(r.message, 'the error is too large for a reason') "
                 "assert(r.traceback:find('stack traceback'))\n");
}

static void an_error_in_terminate_or_an_exit_there_keeps_the_first_reason(void **state)
{
    (void)state;
    machine_test("local function ends(b, stop)\n"
                 "  b.init = function() return 0 end\n"
                 "  local pid = dozor.spawn(b) local ref = dozor.monitor(pid)\n"
                 "  stop(pid) dozor.sleep(1)\n"
                 "  return dozor.receive(0).reason\n"
                 "end\n"
                 "eq(ends({ terminate = function() error('x') end }, function(p) dozor.stop(p, 'first') "
                 "end), 'first')\n"
                 "eq(ends({ terminate = function() dozor.exit('second') end }, function(p) dozor.stop(p, "
                 "'first') end), 'first')\n"
                 "eq(ends({ handle_cast = function() error({ code = 'first' }) end, terminate = function() "
                 "error('x') end },\n"
                 "  function(p) dozor.cast(p, 1) end).code, 'first')\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hooks_run_once_when_their_process_ends),
        cmocka_unit_test(terminate_has_the_state_of_the_last_finished_callback),
        cmocka_unit_test(a_crash_reaches_the_caller_and_runs_terminate),
        cmocka_unit_test(a_raised_table_keeps_its_fields),
        cmocka_unit_test(hooks_run_in_the_order_they_were_given),
        cmocka_unit_test(a_hook_of_a_process_left_behind_runs_when_the_state_goes),
        cmocka_unit_test(terminate_may_wait_and_a_kill_ends_it_there),
        cmocka_unit_test(what_is_raised_becomes_a_reason),
        cmocka_unit_test(an_error_too_large_for_a_reason_is_shortened),
        cmocka_unit_test(an_error_in_terminate_or_an_exit_there_keeps_the_first_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
