/* test_bind_wait.c - waits: receive, sleep, await, hand-overs, and where one may not wait. */
#include "machine.h"
#include "vm/state.h"

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

static void what_is_no_time_is_refused_at_the_callers_line(void **state)
{
    (void)state;
    machine_test("local time = 'milliseconds (a number >= 0) or \"infinity\"'\n"
                 "wrong('ms', time, 'nil', function() dozor.sleep(nil) end)\n"
                 "wrong('ms', time, '-0.5', function() dozor.sleep(-0.5) end)\n"
                 "wrong('ms', time, '\"long\"', function() dozor.sleep('long') end)\n"
                 "wrong('timeout_ms', time, 'true', function() dozor.receive(true) end)\n"
                 "wrong('timeout_ms', time, '\"soon\"', function() dozor.receive('soon', print) end)\n"
                 "wrong('match', 'a function', '5', function() dozor.receive(0, 5) end)\n"
                 "wrong('start', 'a function', 'no value', function() dozor.await() end)\n"
                 "wrong('timeout_ms', time, '-1', function() dozor.await(function() end, -1) end)\n");
}

static void a_wait_that_is_refused_names_the_call(void **state)
{
    (void)state;
    machine_test(
        "for name, f in pairs { sleep = function() dozor.sleep(1) end, receive = function() dozor.receive(1) "
        "end,\n"
        "    call = function() dozor.call('x', 1) end, spawn = function() dozor.spawn('counter') end,\n"
        "    await = function() dozor.await(function() end) end, stop = function() dozor.stop(dozor.self()) "
        "end } do\n"
        "  if name ~= 'stop' then\n"
        "    local e = fails('cannot_wait', table.sort, { 1, 2 }, f)\n"
        "    eq(e.call, name)\n"
        "    assert(e.message:find('inside a sort, gsub, finaliser or luv callback'), e.message)\n"
        "  end\n"
        "end\n");
}

static void a_coroutine_resumed_where_one_cannot_wait_is_told_so_inside(void **state)
{
    (void)state;
    machine_test(
        "local inner\n"
        "table.sort({ 1, 2 }, function()\n"
        "  local co = coroutine.create(function() inner = { pcall(dozor.sleep, 1) } inner[3] = { "
        "pcall(dozor.receive, 1) } end)\n"
        "  coroutine.resume(co)\n"
        "  return false\n"
        "end)\n"
        "eq(inner[1], false) eq(inner[2].code, 'cannot_wait') eq(inner[3][2].code, 'cannot_wait')\n");
}

static void notices_and_questions_are_seen_as_tables(void **state)
{
    (void)state;
    machine_test(
        "local me = dozor.self()\n"
        "dozor.trap_exit(true)\n"
        "local pid, ref = dozor.spawn(function() dozor.receive() dozor.exit { code = 'odd' } end, nil, { "
        "link = true, monitor = true })\n"
        "dozor.send(pid, 1) dozor.sleep(1)\n"
        "local down, exit = dozor.receive(0, function(m) return m.type == 'down' end), dozor.receive(0)\n"
        "eq(down, { type = 'down', pid = pid, ref = ref, reason = { code = 'odd' } })\n"
        "eq(exit, { type = 'exit', pid = pid, reason = { code = 'odd' } })\n"
        "local reply\n"
        "dozor.spawn(function() reply = dozor.call(me, 'q') end) dozor.sleep(1)\n"
        "local q = dozor.receive(0, function(m) return m.type == 'call' end)\n"
        "eq(q.message, 'q') dozor.reply(q.from, 'a') dozor.sleep(1) eq(reply, 'a')\n");
}

static void a_match_that_raises_leaves_the_message(void **state)
{
    (void)state;
    machine_test("local me = dozor.self()\n"
                 "dozor.send(me, 1) dozor.send(me, 2)\n"
                 "assert(not pcall(dozor.receive, 0, function() error('in match') end))\n"
                 "eq(dozor.receive(0), 1)\n"
                 "eq(dozor.receive(0, function(m) dozor.receive(0) return false end), nil)\n"
                 "eq((dozor.receive(0)), nil)\n");
}

static void a_receive_of_its_own_inside_match_may_take_what_was_looked_at(void **state)
{
    (void)state;
    machine_test("local me = dozor.self()\n"
                 "for i = 1, 3 do dozor.send(me, i) end\n"
                 "local seen = {}\n"
                 "eq(dozor.receive(0, function(m) seen[#seen + 1] = m if m == 1 then dozor.receive(0) end "
                 "return m == 3 end), 3)\n"
                 "eq(dozor.receive(0), 2) eq((dozor.receive(0)), nil)\n");
}

static void a_fixed_answer_and_a_large_one_arrive_alike(void **state)
{
    (void)state;
    machine_test("local pid = dozor.spawn { init = function() end, handle_call = function(m) dozor.sleep(1) "
                 "return m end }\n"
                 "for _, v in ipairs { 1, 1.5, true, false, 'text', { 1, { a = 2 } }, ('x'):rep(100000) } do "
                 "eq(dozor.call(pid, v), v) end\n"
                 "eq(dozor.call(pid, nil), nil)\n"
                 "local me = dozor.self()\n"
                 "for _, v in ipairs { 1, false, 'text', { 1 } } do\n"
                 "  dozor.send_after(1, me, v) eq(dozor.receive(10), v)\n"
                 "end\n"
                 "dozor.send_after(1, me, nil) eq({ dozor.receive(10) }, {})\n");
}

static void time_runs_out_once_and_what_came_in_time_is_kept(void **state)
{
    (void)state;
    machine_test("local me = dozor.self()\n"
                 "local t = dozor.now()\n"
                 "eq({ dozor.receive(30) }, { [2] = 'timeout' }) eq(dozor.now() - t, 30)\n"
                 "dozor.send_after(10, me, 'in time') eq(dozor.receive('infinity'), 'in time')\n"
                 "t = dozor.now() dozor.sleep(0) eq(dozor.now() - t < 2, true)\n"
                 "fails('timeout', dozor.await, function() end, 0)\n");
}

static void a_result_without_a_question_is_nothing(void **state)
{
    (void)state;
    machine_test("eq({ core.result() }, {}) eq({ core.received() }, {}) eq({ core.take_seen() }, {})\n"
                 "eq({ core.take() }, { nil, false }) eq(core.look(true), false)\n"
                 "core.await_wake(dozor.self(), 99) core.await_wake('no pid', 1) "
                 "core.await_wake('<b@127.0.0.1:4000/5.1.1>', 1)\n");
}

static void an_event_wakes_only_the_one_who_waits_for_it(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "dozor.spawn(function() core.await_park(core.await_token()) core.result() GOT = true end, "
                   "nil, { name = 'p' })\n"
                   "dozor.spawn(function() dozor.sleep('infinity') end, nil, { name = 'q' }) dozor.sleep(1)");
    struct dz_vm *vm = machine_vm(m, 1);
    struct dz_pid p = dz_names_whereis(&m->rt.names, "p", 1), q = dz_names_whereis(&m->rt.names, "q", 1);
    uint64_t token = ((struct dz_co *)dz_table_find(&m->rt.table, p)->proc->kind_data)->token;
    dz_vm_wake(vm, p, token + 1);
    dz_vm_wake(machine_vm(m, 2), p, token);
    dz_vm_wake(vm, q, token);
    dz_vm_wake(vm, (struct dz_pid){0, 4000, 1}, token);
    machine_settle(m);
    assert_non_null(dz_table_find(&m->rt.table, p)->proc->wait);
    dz_vm_wake(vm, p, token);
    machine_settle(m);
    machine_run(m, "eq(GOT, true) eq(dozor.whereis('p'), nil) eq(dozor.info('q').status, 'waiting')");
    machine_delete(m);
}

static void outside_of_a_process_nobody_waits(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    if (luaL_dostring(
            L, "for _, name in ipairs { 'sleep', 'call', 'wait_message', 'await_token', 'await_park', "
               "'spawn' } do\n"
               "  local e = fails('cannot_wait', core[name], 1)\n"
               "  assert(e.message:find(': no process runs'), e.message)\n"
               "end\n"
               "for _, name in ipairs { 'receive', 'take', 'look', 'result', 'received', 'take_seen' } do\n"
               "  local ok, e = pcall(core[name], 1)\n"
               "  assert(not ok and (e.code == 'noproc' or e.code == 'cannot_wait'), name)\n"
               "end\n"
               "\n"))
        fail_msg("%s", lua_tostring(L, -1));
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receive_takes_the_oldest_or_the_first_that_matches),
        cmocka_unit_test(a_behaviours_receive_never_takes_calls_or_casts),
        cmocka_unit_test(waiting_is_refused_where_lua_cannot_wait),
        cmocka_unit_test(waits_pass_through_the_processs_own_coroutines),
        cmocka_unit_test(await_suspends_until_done),
        cmocka_unit_test(a_sender_hands_over_after_a_thousand_messages),
        cmocka_unit_test(what_is_no_time_is_refused_at_the_callers_line),
        cmocka_unit_test(a_wait_that_is_refused_names_the_call),
        cmocka_unit_test(a_coroutine_resumed_where_one_cannot_wait_is_told_so_inside),
        cmocka_unit_test(notices_and_questions_are_seen_as_tables),
        cmocka_unit_test(a_match_that_raises_leaves_the_message),
        cmocka_unit_test(a_receive_of_its_own_inside_match_may_take_what_was_looked_at),
        cmocka_unit_test(a_fixed_answer_and_a_large_one_arrive_alike),
        cmocka_unit_test(time_runs_out_once_and_what_came_in_time_is_kept),
        cmocka_unit_test(a_result_without_a_question_is_nothing),
        cmocka_unit_test(an_event_wakes_only_the_one_who_waits_for_it),
        cmocka_unit_test(outside_of_a_process_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
