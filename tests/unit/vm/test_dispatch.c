/* test_dispatch.c - turns: which handler gets which message, what its results mean, and how processes share a
 * worker. */
#include "machine.h"
#include "vm/state.h"

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

static void each_message_has_its_handler_and_a_missing_one_drops_it(void **state)
{
    (void)state;
    machine_test("local got = {}\n"
                 "local pid = dozor.spawn { init = function() return {} end,\n"
                 "  handle_call = function(m) got[#got + 1] = { 'call', m } return 'r' end,\n"
                 "  handle_cast = function(m) got[#got + 1] = { 'cast', m } end,\n"
                 "  handle_info = function(m) got[#got + 1] = { 'info', m } end }\n"
                 "dozor.send(pid, 1) dozor.cast(pid, 2) eq(dozor.call(pid, 3), 'r')\n"
                 "eq(got, { { 'info', 1 }, { 'cast', 2 }, { 'call', 3 } })\n"
                 "local deaf = dozor.spawn { init = function() end }\n"
                 "dozor.send(deaf, 1) dozor.cast(deaf, 1) fails('unhandled_call', dozor.call, deaf, 1)\n"
                 "eq(dozor.alive(deaf), true) eq(dozor.info(deaf).handled, 3)\n");
}

static void a_callback_that_returns_no_state_keeps_it(void **state)
{
    (void)state;
    machine_test("local pid = dozor.spawn { init = function() return 'first' end,\n"
                 "  handle_call = function(m, s) if m == 'set' then return s, 'second' end if m == 'false' "
                 "then return s, false end return s end,\n"
                 "  handle_cast = function(m, s) if m == 'set' then return 'third' end end,\n"
                 "  handle_info = function(m, s) return nil end }\n"
                 "eq(dozor.call(pid, 'get'), 'first') eq(dozor.call(pid, 'set'), 'first') eq(dozor.call(pid, "
                 "'get'), 'second')\n"
                 "dozor.cast(pid, 'x') eq(dozor.call(pid, 'get'), 'second') dozor.cast(pid, 'set') "
                 "dozor.send(pid, 1)\n"
                 "eq(dozor.call(pid, 'false'), 'third') eq(dozor.call(pid, 'get'), false)\n");
}

static void the_third_parameter_is_the_caller(void **state)
{
    (void)state;
    machine_test(
        "local froms = {}\n"
        "local function ask(handle_call) return dozor.call(dozor.spawn { init = function() return 's' end, "
        "handle_call = handle_call }, 1) end\n"
        "eq(ask(function(m, s, from) return from end):find('^<ref ') ~= nil, true)\n"
        "eq(ask(function(...) return select('#', ...) end), 3) eq(ask(function(m, s) return s end), 's')\n"
        "eq(ask(function(m) return m end), 1)\n");
}

static void a_reply_as_large_as_it_likes_arrives(void **state)
{
    (void)state;
    machine_test(
        "local pid = dozor.spawn { init = function() end, handle_call = function(n) return ('x'):rep(n) end "
        "}\n"
        "for _, n in ipairs { 0, 1, 30, 31, 32, 100, 255, 256, 4096, 70000, 1000000 } do eq(#dozor.call(pid, "
        "n), n) end\n"
        "local big = dozor.spawn { init = function() end, handle_call = function(m) return #m end }\n"
        "eq(dozor.call(big, ('y'):rep(100000)), 100000)\n"
        "local e = fails('call_failed', dozor.call, dozor.spawn { init = function() end, handle_call = "
        "function() return print end }, 1)\n"
        "eq(e.reason.code, 'bad_message') eq(e.reason.path, 'reply')\n");
}

static void noreply_leaves_the_call_open_and_may_change_the_state(void **state)
{
    (void)state;
    machine_test("local pid = dozor.spawn { init = function() return { n = 0 } end,\n"
                 "  handle_call = function(m, s, from)\n"
                 "    if m == 'n' then return s.n end\n"
                 "    return dozor.NOREPLY, { n = s.n + 1, from = from }\n"
                 "  end,\n"
                 "  handle_cast = function(m, s) dozor.reply(s.from, m) end }\n"
                 "local answer\n"
                 "dozor.spawn(function() answer = dozor.call(pid, 'later') end) dozor.sleep(1)\n"
                 "eq(answer, nil) eq(dozor.call(pid, 'n'), 1) dozor.cast(pid, 'now') dozor.sleep(1) "
                 "eq(answer, 'now')\n"
                 "fails('timeout', dozor.call, pid, 'never', 10)\n"
                 "local other = dozor.spawn(function() dozor.sleep(5) dozor.kill(pid) end)\n"
                 "eq(fails('call_failed', dozor.call, pid, 'until it ends').reason, 'killed')\n");
}

static void a_process_with_much_to_do_lets_others_run(void **state)
{
    (void)state;
    machine_test(
        "local done = 0\n"
        "local busy = dozor.spawn { init = function() end, handle_cast = function() done = done + 1 end }\n"
        "for i = 1, 500 do dozor.cast(busy, i) end\n"
        "local at\n"
        "dozor.spawn(function() at = done end)\n"
        "dozor.sleep(1)\n"
        "eq(done, 500) assert(at < 500, at)\n");
}

static void a_stop_is_taken_in_its_place_among_the_messages(void **state)
{
    (void)state;
    machine_test("local seen = {}\n"
                 "local pid = dozor.spawn { init = function() end, handle_cast = function(m) seen[#seen + 1] "
                 "= m end }\n"
                 "for i = 1, 3 do dozor.cast(pid, i) end\n"
                 "dozor.stop(pid, 'enough') eq(seen, { 1, 2, 3 })\n");
}

static void a_described_process_names_its_behaviour(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "local pid = dozor.spawn('counter') eq(dozor.info(pid).behavior, 'counter')\n"
                   "eq(dozor.info(dozor.spawn { init = function() end }).behavior, '(table)')\n"
                   "local i = dozor.info(dozor.spawn(function() dozor.receive() end))\n"
                   "eq(i.behavior, nil) assert(i.memory_bytes > dozor.info(pid).memory_bytes)");
    assert_string_equal(dz_vm_kind.name, "lua");
    machine_delete(m);
}

/* --- turns inside turns: questions to idle neighbours --- */

static void a_chain_of_questions_is_answered_however_long(void **state)
{
    (void)state;
    machine_test("local first = dozor.spawn { init = function() end, handle_call = function(n) return n end }\n"
                 "for i = 1, 50 do\n"
                 "  local below = first\n"
                 "  first = dozor.spawn { init = function() end, handle_call = function(n)\n"
                 "    return dozor.call(below, n) + 1 end }\n"
                 "end\n"
                 "for i = 1, 3 do eq(dozor.call(first, i), i + 50) end\n");
}

static void a_handler_that_waits_makes_its_caller_wait_like_any_other(void **state)
{
    (void)state;
    machine_test("local pid = dozor.spawn { init = function() return 0 end, handle_call = function(m, s, from)\n"
                 "  dozor.sleep(m.ms) return m.text, s + 1 end }\n"
                 "local plain = dozor.spawn { init = function() end, handle_call = function(m)\n"
                 "  dozor.sleep(m.ms) return m.text end }\n"
                 "for i = 1, 20 do\n"
                 "  eq(dozor.call(pid, { ms = 1, text = 'a' }), 'a') eq(dozor.call(plain, { ms = 1, text = 'b' }), 'b')\n"
                 "end\n"
                 "local e = fails('timeout', dozor.call, plain, { ms = 50, text = 'c' }, 10) eq(e.timeout_ms, 10)\n"
                 "eq(dozor.call(plain, { ms = 1, text = 'd' }), 'd') eq(dozor.receive(100), nil)\n");
}

static void an_answer_may_come_from_elsewhere_or_later(void **state)
{
    (void)state;
    machine_test("local kept\n"
                 "local pid = dozor.spawn { init = function() end, handle_call = function(m, _, from)\n"
                 "  if m == 'now' then dozor.reply(from, 'first') return 'second' end\n"
                 "  kept = from return dozor.NOREPLY end, handle_cast = function(m) dozor.reply(kept, m) end }\n"
                 "for i = 1, 5 do eq(dozor.call(pid, 'now'), 'first') end\n"
                 "dozor.spawn(function() dozor.sleep(5) dozor.cast(pid, { 1, 2 }) end)\n"
                 "eq(dozor.call(pid, 'later'), { 1, 2 }) eq(dozor.receive(10), nil)\n");
}

static void a_handler_that_raises_ends_its_process_and_tells_the_caller(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "local ended\n"
                   "local b = { init = function() end, handle_call = function() error('boom') end,\n"
                   "  terminate = function(r) ended = r.message end }\n"
                   "for i = 1, 9 do\n"
                   "  local pid = dozor.spawn(b)\n"
                   "  local e = fails('call_failed', dozor.call, pid, i < 9 and i or { text = 'the ninth' })\n"
                   "  assert(e.reason.message:find('boom')) assert(ended:find('boom')) eq(dozor.alive(pid), false)\n"
                   "end\n");
    assert_non_null(strstr(m->logged, "message=1"));
    assert_non_null(strstr(m->logged, "the ninth"));
    machine_delete(m);
}

static void a_handler_may_kill_or_stop_the_one_who_asks(void **state)
{
    (void)state;
    machine_test("local me = dozor.self()\n"
                 "local pid = dozor.spawn { init = function() end, handle_call = function(m)\n"
                 "  if m.how == 'kill' then dozor.kill(m.who) else dozor.stop(m.who, 'enough') end return 1 end }\n"
                 "for _, how in ipairs { 'kill', 'stop' } do\n"
                 "  local asker = dozor.spawn(function()\n"
                 "    dozor.receive() dozor.call(pid, { how = how, who = dozor.self() }) dozor.send(me, 'went on') end)\n"
                 "  dozor.monitor(asker) dozor.send(asker, 'go')\n"
                 "  eq(dozor.receive(1000).reason, how == 'kill' and 'killed' or 'enough')\n"
                 "  eq(dozor.alive(asker), false) eq(dozor.alive(pid), true)\n"
                 "end eq(dozor.receive(10), nil)\n");
}

static void who_asks_without_end_lets_others_run(void **state)
{
    (void)state;
    machine_test("local pid = dozor.spawn { init = function() end, handle_call = function(m) return m end }\n"
                 "local asked, others = 0, 0\n"
                 "dozor.spawn(function() while others < 100 do asked = asked + dozor.call(pid, 1) end end)\n"
                 "for i = 1, 100 do others = others + 1 dozor.send(dozor.self(), i) dozor.receive() dozor.sleep(0) end\n"
                 "assert(asked < 100 * 1024, asked)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_is_not_taken_leaves_the_server_alive),
        cmocka_unit_test(a_wait_in_a_handler_leaves_messages_queued),
        cmocka_unit_test(processes_left_behind_go_with_the_state),
        cmocka_unit_test(each_message_has_its_handler_and_a_missing_one_drops_it),
        cmocka_unit_test(a_callback_that_returns_no_state_keeps_it),
        cmocka_unit_test(the_third_parameter_is_the_caller),
        cmocka_unit_test(a_reply_as_large_as_it_likes_arrives),
        cmocka_unit_test(noreply_leaves_the_call_open_and_may_change_the_state),
        cmocka_unit_test(a_process_with_much_to_do_lets_others_run),
        cmocka_unit_test(a_stop_is_taken_in_its_place_among_the_messages),
        cmocka_unit_test(a_described_process_names_its_behaviour),
        cmocka_unit_test(a_chain_of_questions_is_answered_however_long),
        cmocka_unit_test(a_handler_that_waits_makes_its_caller_wait_like_any_other),
        cmocka_unit_test(an_answer_may_come_from_elsewhere_or_later),
        cmocka_unit_test(a_handler_that_raises_ends_its_process_and_tells_the_caller),
        cmocka_unit_test(a_handler_may_kill_or_stop_the_one_who_asks),
        cmocka_unit_test(who_asks_without_end_lets_others_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
