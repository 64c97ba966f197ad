/* test_process.c - spawn, messages, calls, ends, links, monitors, names, timers, as a script sees them. */
#include "machine.h"

static void a_call_that_is_not_taken_leaves_the_server_alive(void **state)
{
    (void)state;
    machine_test(SERVER "local pid = dozor.spawn(server)\n"
                        "fails('unhandled_call', dozor.call, pid, 'what?')\n"
                        "eq(dozor.call(pid, 'get'), 0)\n"
                        "local quiet = dozor.spawn { init = function() end }\n"
                        "fails('unhandled_call', dozor.call, quiet, 1)\n"
                        "dozor.cast(quiet, 1) dozor.send(quiet, 1)\n"
                        "eq(dozor.alive(quiet), true)\n");
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

static void bad_arguments_are_named_at_the_callers_line(void **state)
{
    (void)state;
    machine_test(
        "local function where(fn) local ok, e = pcall(fn) assert(not ok) return e end\n"
        "local e = where(function() dozor.call(dozor.self(), 1, -1) end)\n"
        "eq(e.code, 'bad_argument') eq(e.argument, 'timeout_ms') eq(e.got, '-1')\n"
        "assert(tostring(e):find('^body:2: bad_argument: timeout_ms must be milliseconds'), tostring(e))\n"
        "e = where(function() dozor.spawn('counter', nil, { tiemout_ms = 1 }) end)\n"
        "assert(e.message:find(\"did you mean 'timeout_ms'\"), e.message)\n"
        "eq(where(function() dozor.send(12, 1) end).argument, 'dest')\n"
        "eq(where(function() dozor.send('', 1) end).argument, 'dest')\n"
        "eq(where(function() dozor.sleep() end).argument, 'ms')\n"
        "eq(where(function() dozor.spawn(5) end).argument, 'what')\n"
        "eq(where(function() dozor.spawn('counter', 5) end).argument, 'args')\n"
        "eq(where(function() dozor.link('x') end).argument, 'pid')\n"
        "eq(where(function() dozor.register('<x') end).argument, 'name')\n"
        "eq(where(function() dozor.receive('soon') end).argument, 'timeout_ms')\n"
        "eq(where(function() dozor.spawn('counter', nil, { node = 'nowhere' }) end).code, "
        "'invalid_node_id')\n"
        "eq(where(function() dozor.send({ name = 'x' }, 1) end).argument, 'dest')\n"
        "eq(where(function() dozor.trap_exit(1) end).argument, 'on')\n"
        "eq(where(function() dozor.spawn(print, nil, { own_worker = true }) end).argument, 'what')\n");
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

static void a_wait_in_a_handler_leaves_messages_queued(void **state)
{
    (void)state;
    machine_test("local order = {}\n"
                 "local pid = dozor.spawn { init = function() return {} end,\n"
                 "  handle_call = function(m) order[#order + 1] = 'in ' .. m dozor.sleep(10) order[#order + "
                 "1] = 'out ' .. m return m end }\n"
                 "local me = dozor.self()\n"
                 "for i = 1, 3 do dozor.spawn(function() dozor.call(pid, i) dozor.send(me, i) end) end\n"
                 "for i = 1, 3 do eq(dozor.receive(100), i) end\n"
                 "eq(order, { 'in 1', 'out 1', 'in 2', 'out 2', 'in 3', 'out 3' })\n");
}

static void processes_left_behind_go_with_the_state(void **state)
{
    (void)state;
    machine_test(
        SERVER
        "for i = 1, 10 do dozor.spawn(server) dozor.spawn(function() dozor.receive() end) end\n"
        "local pid = dozor.spawn(server) dozor.spawn(function() dozor.call(pid, 'sleep', 'infinity') end)\n"
        "dozor.send_after(1e9, pid, 'never')\n");
}

#define TEST(name) cmocka_unit_test(name)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_that_is_not_taken_leaves_the_server_alive),
        TEST(a_crash_reaches_the_caller_and_runs_terminate),
        TEST(a_raised_table_keeps_its_fields),
        TEST(init_may_refuse_and_time_out),
        TEST(an_init_may_wait),
        TEST(bad_arguments_are_named_at_the_callers_line),
        TEST(terminate_has_the_state_of_the_last_finished_callback),
        TEST(a_wait_in_a_handler_leaves_messages_queued),
        TEST(processes_left_behind_go_with_the_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
