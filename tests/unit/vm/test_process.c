/* test_process.c - spawn, messages, calls, ends, links, monitors, names, timers, as a script sees them. */
#include "machine.h"

static void a_behaviour_answers_calls_and_keeps_state(void **state)
{
    (void)state;
    machine_test(SERVER "local pid = dozor.spawn(server, { 1, nil, 3 })\n"
                        "eq(dozor.call(pid, 'get'), 0)\n"
                        "eq(dozor.call(pid, 'inc'), 1)\n"
                        "dozor.cast(pid, 'inc')\n"
                        "eq(dozor.call(pid, 'get'), 2)\n"
                        "eq(dozor.call(pid, 'nil'), nil)\n"
                        "eq(dozor.call(pid, { reply = { 1, 2, { x = 'y' } } }), { 1, 2, { x = 'y' } })\n"
                        "eq(dozor.call(pid, { reply = ('z'):rep(1000) }), ('z'):rep(1000))\n"
                        "eq(dozor.call(pid, 'later'), 'late')\n"
                        "eq(dozor.call(pid, 'sleep'), 'slept')\n"
                        "local other = dozor.spawn(server, { 1, nil, 3 })\n"
                        "eq(dozor.call(other, 'args'), { [1] = 1, [3] = 3 })\n"
                        "for i = 1, 5000 do dozor.call(other, 'nil') end\n");
}

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

static void a_crash_is_logged_with_its_message(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, SERVER "local pid = dozor.spawn(server) dozor.register('srv', pid)\n"
                          "pcall(dozor.call, pid, 'crash') dozor.sleep(1)");
    assert_non_null(strstr(m->logged, "process crashed"));
    assert_non_null(strstr(m->logged, "name=srv"));
    assert_non_null(strstr(m->logged, "in=handle_call"));
    assert_non_null(strstr(m->logged, "message=\"crash\""));
    assert_non_null(strstr(m->logged, "boom"));
    machine_delete(m);
}

static void crashes_of_one_behaviour_are_reported_ten_times_a_second(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "for i = 1, 50 do\n"
                   "  local pid = dozor.spawn(function() error('again') end)\n"
                   "end dozor.sleep(1)");
    int lines = 0;
    for (const char *at = m->logged; (at = strstr(at, "process crashed")) != NULL; at++)
        lines++;
    assert_int_equal(lines, 10);
    machine_delete(m);
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

static void a_plain_process_gets_calls_as_messages(void **state)
{
    (void)state;
    machine_test("local pid = dozor.spawn(function(a, b)\n"
                 "  local q = dozor.receive('infinity')\n"
                 "  dozor.reply(q.from, { q.type, q.message, a, b })\n"
                 "  dozor.reply(dozor.receive().from, dozor.receive())\n"
                 "end, { 1, 'two' })\n"
                 "eq(dozor.call(pid, 'hello'), { 'call', 'hello', 1, 'two' })\n"
                 "local asker = dozor.spawn(function() dozor.call(pid, 'x') end)\n"
                 "dozor.sleep(1) dozor.cast(pid, 'bare') dozor.sleep(1)\n"
                 "eq(dozor.alive(pid), false)\n");
}

static void receive_takes_the_oldest_or_the_first_that_matches(void **state)
{
    (void)state;
    machine_test(
        "local me = dozor.self()\n"
        "for i = 1, 5 do dozor.send(me, i) end\n"
        "eq(dozor.receive(0, function(m) return m == 3 end), 3)\n"
        "eq(dozor.receive(0, function(m) return m > 3 end), 4)\n"
        "eq(dozor.receive(0), 1)\n"
        "local m, why = dozor.receive(10, function(x) return x == 99 end) eq(m, nil) eq(why, 'timeout')\n"
        "eq(dozor.receive(0), 2) eq(dozor.receive(0), 5)\n"
        "m, why = dozor.receive(0) eq(m, nil) eq(why, 'timeout')\n"
        "local t = dozor.now() m, why = dozor.receive(50) eq(why, 'timeout') assert(dozor.now() - t >= 50)\n"
        "dozor.send_after(20, me, 'x') dozor.send_after(30, me, 'y')\n"
        "eq(dozor.receive(100, function(v) return v == 'y' end), 'y') eq(dozor.receive(0), 'x')\n"
        "dozor.send(me, nil) m, why = dozor.receive(0) eq(m, nil) eq(why, nil)\n");
}

static void a_behaviours_receive_never_takes_calls_or_casts(void **state)
{
    (void)state;
    machine_test("local me = dozor.self()\n"
                 "local pid = dozor.spawn { init = function() return {} end,\n"
                 "  handle_cast = function(msg) dozor.send(me, { 'cast', msg, (dozor.receive(50)) }) end,\n"
                 "  handle_info = function(msg) dozor.send(me, { 'info', msg }) end }\n"
                 "dozor.cast(pid, 1) dozor.cast(pid, 2) dozor.send(pid, 'a')\n"
                 "eq(dozor.receive(500), { 'cast', 1, 'a' }) eq(dozor.receive(500), { 'cast', 2 })\n");
}

static void calls_time_out_and_late_replies_are_dropped(void **state)
{
    (void)state;
    machine_test(SERVER "local pid = dozor.spawn(server)\n"
                        "fails('timeout', dozor.call, pid, 'sleep', 10)\n"
                        "dozor.sleep(500)\n"
                        "eq(dozor.receive(0), nil)\n"
                        "eq(dozor.call(pid, 'get', 'infinity'), 0) eq(dozor.call(pid, 'get', math.huge), 0)\n"
                        "fails('noproc', dozor.call, 'nobody', 1)\n"
                        "dozor.send('nobody', 1) dozor.cast('nobody', 1) dozor.kill('nobody')\n"
                        "eq(dozor.info('nobody'), nil) eq(dozor.alive('nobody'), false)\n");
}

static void exit_cannot_be_caught(void **state)
{
    (void)state;
    machine_test(
        SERVER
        "local me = dozor.self()\n"
        "local function reason_of(fn)\n"
        "  local pid, ref = dozor.spawn(fn, nil, { monitor = true })\n"
        "  local msg = dozor.receive(1000) eq(msg.ref, ref) return msg.reason\n"
        "end\n"
        "eq(reason_of(function() pcall(dozor.exit, 'a') dozor.send(me, 'went on') end), 'a')\n"
        "eq(reason_of(function() while true do pcall(dozor.exit, 'b') end end), 'b')\n"
        "eq(reason_of(function() coroutine.wrap(function() pcall(dozor.exit, 'c') end)() dozor.send(me, "
        "'went on') end), 'c')\n"
        "eq(reason_of(function() pcall(table.sort, { 1, 2, 3 }, function() dozor.exit('d') end) "
        "dozor.send(me, 'no') end), 'd')\n"
        "eq(reason_of(function() dozor.exit() end), 'normal')\n"
        "eq(reason_of(function() dozor.exit { code = 'shutdown', x = 1 } end), { code = 'shutdown', x = 1 "
        "})\n"
        "eq(reason_of(function() end), 'normal')\n"
        "eq(reason_of(function() pcall(dozor.kill, dozor.self()) dozor.send(me, 'no') end), 'killed')\n"
        "eq(dozor.receive(0), nil)\n"
        "local pid = dozor.spawn(server) dozor.monitor(pid)\n"
        "eq(fails('call_failed', dozor.call, pid, 'exit').reason, 'bye')\n"
        "eq(dozor.receive(0).reason, 'bye')\n");
}

static void stop_runs_terminate_and_returns_when_it_is_gone(void **state)
{
    (void)state;
    machine_test(SERVER
                 "local me = dozor.self()\n"
                 "function server.terminate(reason) dozor.sleep(20) dozor.send(me, reason) end\n"
                 "local pid = dozor.spawn(server)\n"
                 "dozor.stop(pid) eq(dozor.alive(pid), false) eq(dozor.receive(0), 'normal')\n"
                 "dozor.stop(pid)\n"
                 "pid = dozor.spawn(server) dozor.stop(pid, 'shutdown') eq(dozor.receive(0), 'shutdown')\n"
                 "local stubborn = dozor.spawn { init = function() end, terminate = function() "
                 "dozor.sleep('infinity') end }\n"
                 "dozor.monitor(stubborn)\n"
                 "dozor.stop(stubborn, 'normal', 50) eq(dozor.alive(stubborn), false)\n"
                 "eq(dozor.receive(0).reason, 'killed')\n"
                 "dozor.stop('nobody')\n");
}

static void a_process_parked_in_a_wait_is_stopped_there(void **state)
{
    (void)state;
    machine_test(
        SERVER
        "local me = dozor.self()\n"
        "local pid = dozor.spawn { init = function() return 's' end, terminate = function(r, s) "
        "dozor.send(me, { r, s }) end,\n"
        "  handle_cast = function() dozor.sleep(10000) dozor.send(me, 'resumed') end }\n"
        "dozor.cast(pid, 1) dozor.sleep(1)\n"
        "dozor.stop(pid, 'enough') eq(dozor.receive(0), { 'enough', 's' })\n"
        "pid = dozor.spawn { init = function() return 's' end, terminate = function(r, s) dozor.send(me, { "
        "r, s }) end,\n"
        "  handle_cast = function() dozor.send(me, 'x') dozor.sleep(10000) dozor.send(me, 'resumed') end }\n"
        "local stopper = dozor.spawn(function() dozor.stop(pid, 'early') dozor.send(me, 'stopped') end)\n"
        "dozor.cast(pid, 1)\n"
        "local got = {} for i = 1, 2 do got[i] = dozor.receive(1000) end\n"
        "eq(dozor.alive(pid), false) assert(dozor.now() < 9000)\n");
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

static void timers_fire_once_and_can_be_cancelled(void **state)
{
    (void)state;
    machine_test("local me = dozor.self() dozor.register('me')\n"
                 "local t0 = dozor.now()\n"
                 "dozor.send_after(30, 'me', 'b') dozor.send_after(10, me, { 'a' }) local c = "
                 "dozor.send_after(20, me, 'c')\n"
                 "eq(dozor.cancel_timer(c), true) eq(dozor.cancel_timer(c), false)\n"
                 "eq(dozor.receive(100), { 'a' }) eq(dozor.now() - t0, 10) eq(dozor.receive(100), 'b') "
                 "eq(dozor.now() - t0, 30)\n"
                 "dozor.send_after(5, 'nobody', 1) dozor.send_after(0, me, 0) eq(dozor.receive(10), 0)\n"
                 "eq(dozor.cancel_timer(dozor.send_after('infinity', me, 1)), true)\n"
                 "dozor.send_after(1e6, me, 'left over')\n");
}

static void waiting_is_refused_where_lua_cannot_wait(void **state)
{
    (void)state;
    machine_test(
        SERVER
        "local pid = dozor.spawn(server)\n"
        "local e = fails('cannot_wait', table.sort, { 1, 2, 3 }, function() dozor.call(pid, 'get') end)\n"
        "eq(e.call, 'call')\n"
        "e = fails('cannot_wait', string.gsub, 'abc', '.', function() dozor.sleep(1) end) eq(e.call, "
        "'sleep')\n"
        "fails('cannot_wait', table.sort, { 1, 2, 3 }, function()\n"
        "  local co = coroutine.wrap(function() dozor.call(pid, 'get') end) co() end)\n"
        "table.sort({ 3, 2, 1 }, function(a, b) dozor.cast(pid, 'inc') return a < b end)\n"
        "assert(dozor.call(pid, 'get') > 0)\n");
}

static void waits_pass_through_the_processs_own_coroutines(void **state)
{
    (void)state;
    machine_test(SERVER
                 "local pid = dozor.spawn(server)\n"
                 "local co = coroutine.create(function(a)\n"
                 "  local n = dozor.call(pid, 'inc') local b = coroutine.yield(a + n) dozor.sleep(5) return "
                 "b, nil, nil end)\n"
                 "local function count(...) return select('#', ...) end\n"
                 "eq({ coroutine.resume(co, 10) }, { true, 11 }) eq(count(coroutine.resume(co, 'b')), 4)\n"
                 "eq(coroutine.status(co), 'dead')\n"
                 "local got = {} for v in coroutine.wrap(function() for i = 1, 3 do dozor.sleep(1) "
                 "coroutine.yield(i) end end) do\n"
                 "  got[#got + 1] = v end eq(got, { 1, 2, 3 })\n"
                 "local ok, err = coroutine.resume(coroutine.create(function() error('in it') end))\n"
                 "eq(ok, false) assert(err:find('in it'))\n"
                 "local e = fails('timeout', coroutine.wrap(function() dozor.call(pid, 'sleep', 1) end))\n");
}

static void await_suspends_until_done(void **state)
{
    (void)state;
    machine_test("local a, b, c = dozor.await(function(done) done(1, nil, 3) done(4) end) eq({ a, b, c }, { "
                 "[1] = 1, [3] = 3 })\n"
                 "local finish\n"
                 "dozor.spawn(function() dozor.sleep(20) finish('later') end)\n"
                 "eq(dozor.await(function(done) finish = done end), 'later')\n"
                 "fails('timeout', dozor.await, function() end, 10)\n"
                 "local late fails('timeout', dozor.await, function(done) late = done end, 10) late(1)\n"
                 "eq(dozor.await(function(done) done(2) end), 2)\n");
}

static void a_sender_hands_over_after_a_thousand_messages(void **state)
{
    (void)state;
    machine_test(
        "local seen, sent = 0, 0\n"
        "local sink = dozor.spawn { init = function() end, handle_cast = function() seen = seen + 1 end }\n"
        "local other = 0\n"
        "dozor.spawn(function() for i = 1, 5000 do dozor.cast(sink, i) sent = i other = math.max(other, sent "
        "- seen) end end)\n"
        "dozor.sleep(50) eq(seen, 5000) assert(other < 5000, other)\n");
}

static void a_full_mailbox_drops_casts_and_refuses_calls(void **state)
{
    (void)state;
    machine_test("local n = 0\n"
                 "local pid = dozor.spawn({ init = function() end, handle_cast = function() n = n + 1 end,\n"
                 "  handle_call = function() return n end }, nil, { mailbox_limit = 10 })\n"
                 "for i = 1, 20 do dozor.cast(pid, i) end\n"
                 "fails('overloaded', dozor.call, pid, 1)\n"
                 "dozor.sleep(1) eq(dozor.call(pid, 1), 10)\n");
}

static void info_tells_what_is_known(void **state)
{
    (void)state;
    machine_test(SERVER "local pid = dozor.spawn(server, nil, { name = 'x', link = true })\n"
                        "local i = dozor.info(pid)\n"
                        "eq(i.status, 'idle') eq(i.links, { dozor.self() }) eq(i.mailbox, 0) eq(i.node_id, "
                        "'local@127.0.0.1:0')\n"
                        "local me = dozor.info(dozor.self()) eq(me.status, 'running') eq(me.links, { pid })\n"
                        "eq(dozor.node_of(pid), dozor.node())\n"
                        "local found = false for _, p in ipairs(dozor.processes()) do found = found or p == "
                        "pid end assert(found)\n");
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

static void many_processes_come_and_go(void **state)
{
    (void)state;
    machine_test(SERVER "for round = 1, 3 do\n"
                        "  local pids = {} for i = 1, 1000 do pids[i] = dozor.spawn(server) end\n"
                        "  for i = 1, 1000 do dozor.cast(pids[i], 'inc') end\n"
                        "  for i = 1, 1000 do eq(dozor.call(pids[i], 'get'), 1) end\n"
                        "  for i = 1, 1000 do dozor.stop(pids[i]) end\n"
                        "end\n");
}

static void a_process_may_have_a_worker_of_its_own(void **state)
{
    (void)state;
    machine_test(
        "local pid, ref = dozor.spawn('counter', nil, { own_worker = true, link = true, monitor = true })\n"
        "eq(dozor.alive(pid), true) fails('unhandled_call', dozor.call, pid, 'what?')\n"
        "dozor.unlink(pid) dozor.stop(pid)\n"
        "eq(dozor.receive(10), { type = 'down', ref = ref, pid = pid, reason = 'normal' })\n");
}

static void without_a_cluster_other_nodes_are_not_connected(void **state)
{
    (void)state;
    machine_test("local there = { name = 'x', node = 'b@127.0.0.1:4000' }\n"
                 "fails('noconnection', dozor.call, there, 1) fails('noconnection', dozor.spawn, 'counter', "
                 "nil, { node = there.node })\n"
                 "dozor.send(there, 1) dozor.cast(there, 1)\n"
                 "local far = '<b@127.0.0.1:4000/5.1.1>' eq(dozor.node_of(far), there.node)\n"
                 "fails('noconnection', dozor.call, far, 1) eq(dozor.alive(far), false) dozor.send(far, 1) "
                 "dozor.kill(far)\n"
                 "local ref = dozor.monitor(far) eq(dozor.receive(10).reason, 'noconnection')\n"
                 "fails('invalid_node_id', dozor.send, { name = 'x', node = 'b' }, 1)\n"
                 "fails('noproc', dozor.call, { name = 'x', node = dozor.node() }, 1)\n");
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
        TEST(a_behaviour_answers_calls_and_keeps_state),
        TEST(a_call_that_is_not_taken_leaves_the_server_alive),
        TEST(a_crash_reaches_the_caller_and_runs_terminate),
        TEST(a_raised_table_keeps_its_fields),
        TEST(a_crash_is_logged_with_its_message),
        TEST(crashes_of_one_behaviour_are_reported_ten_times_a_second),
        TEST(init_may_refuse_and_time_out),
        TEST(an_init_may_wait),
        TEST(bad_arguments_are_named_at_the_callers_line),
        TEST(a_plain_process_gets_calls_as_messages),
        TEST(receive_takes_the_oldest_or_the_first_that_matches),
        TEST(a_behaviours_receive_never_takes_calls_or_casts),
        TEST(calls_time_out_and_late_replies_are_dropped),
        TEST(exit_cannot_be_caught),
        TEST(stop_runs_terminate_and_returns_when_it_is_gone),
        TEST(a_process_parked_in_a_wait_is_stopped_there),
        TEST(terminate_has_the_state_of_the_last_finished_callback),
        TEST(timers_fire_once_and_can_be_cancelled),
        TEST(waiting_is_refused_where_lua_cannot_wait),
        TEST(waits_pass_through_the_processs_own_coroutines),
        TEST(await_suspends_until_done),
        TEST(a_sender_hands_over_after_a_thousand_messages),
        TEST(a_full_mailbox_drops_casts_and_refuses_calls),
        TEST(info_tells_what_is_known),
        TEST(a_wait_in_a_handler_leaves_messages_queued),
        TEST(many_processes_come_and_go),
        TEST(a_process_may_have_a_worker_of_its_own),
        TEST(without_a_cluster_other_nodes_are_not_connected),
        TEST(processes_left_behind_go_with_the_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
