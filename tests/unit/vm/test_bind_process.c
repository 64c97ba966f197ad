/* test_bind_process.c - spawn and its options, exit, stop, and what is asked without a message. */
#include "machine.h"
#include "vm/state.h"

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

static void options_that_are_wrong_are_named_at_the_callers_line(void **state)
{
    (void)state;
    machine_test(
        "local what = \"a behaviour's name, a behaviour table or a function\"\n"
        "wrong('what', what, '5', function() dozor.spawn(5) end)\n"
        "wrong('what', what, '\"\"', function() dozor.spawn('') end)\n"
        "wrong('what', what, '\"@main\"', function() dozor.spawn('@main') end)\n"
        "wrong('what', what, 'no value', function() dozor.spawn() end)\n"
        "wrong('opts.link', 'true or false', '1', function() dozor.spawn('counter', nil, { link = 1 }) end)\n"
        "wrong('opts.monitor', 'true or false', '\"yes\"', function() dozor.spawn('counter', nil, { monitor "
        "= 'yes' }) end)\n"
        "wrong('opts.mailbox_limit', 'a number of messages or { messages =, bytes = }', '0',\n"
        "  function() dozor.spawn('counter', nil, { mailbox_limit = 0 }) end)\n"
        "fails('bad_argument', dozor.spawn, 'counter', nil, { mailbox_limit = { bytes = 0 } })\n"
        "fails('bad_argument', dozor.spawn, 'counter', nil, { mailbox_limit = { msgs = 1 } })\n"
        "fails('bad_argument', dozor.spawn, 'counter', nil, { timeout_ms = -1 })\n"
        "fails('bad_argument', dozor.spawn, 'counter', nil, 5)\n"
        "fails('bad_argument', dozor.spawn, 'counter', 5)\n"
        "wrong('what', 'a registered name: tables and functions stay on their worker', 'a function',\n"
        "  function() dozor.spawn(print, nil, { node = 'b@127.0.0.1:4000' }) end)\n"
        "eq(dozor.registered(), {})\n");
}

static void arguments_go_up_to_the_largest_integer_key(void **state)
{
    (void)state;
    machine_test("local function count(args) local n dozor.spawn({ init = function(...) n = select('#', ...) "
                 "end }, args) return n end\n"
                 "eq(count(nil), 0) eq(count {}, 0) eq(count { 1, nil, 3 }, 3) eq(count { [5] = 1 }, 5) "
                 "eq(count { 1, x = 2 }, 1)\n"
                 "local many = {} for i = 1, 3000 do many[i] = i end eq(count(many), 3000)\n"
                 "many = {} for i = 1, 9000 do many[i] = i end\n"
                 "assert(not pcall(count, many))\n");
}

static void a_link_and_a_monitor_see_an_end_inside_init(void **state)
{
    (void)state;
    machine_test("dozor.trap_exit(true)\n"
                 "local before = dozor.info(dozor.self()).links\n"
                 "fails('init_failed', dozor.spawn, { init = function() error('x') end }, nil, { link = "
                 "true, monitor = true })\n"
                 "fails('timeout', dozor.spawn, { init = function() dozor.sleep(100) end }, nil, { link = "
                 "true, monitor = true, timeout_ms = 1 })\n"
                 "fails('behavior_not_found', dozor.spawn, 'nothing', nil, { link = true, monitor = true })\n"
                 "eq((dozor.receive(200)), nil) eq(dozor.info(dozor.self()).links, before)\n");
}

static void what_is_asked_without_a_message_knows_the_dead_and_the_far(void **state)
{
    (void)state;
    machine_test(
        "local pid = dozor.spawn(function() dozor.receive() end, nil, { name = 'n' })\n"
        "local far = '<b@127.0.0.1:4000/5.1.1>'\n"
        "eq(core.whereis_dest('n'), pid) eq(core.whereis_dest(pid), pid) eq(core.whereis_dest('none'), nil)\n"
        "eq(core.alive_here(pid), true) eq(core.alive_here('n'), true) eq(core.alive_here('none'), false)\n"
        "eq(core.alive_here(far), nil) eq(core.current(), dozor.self())\n"
        "eq(core.is_pid(pid), true) eq(core.is_pid('n'), false) eq(core.is_ref(dozor.monitor(pid)), true) "
        "eq(core.is_ref(pid), false)\n"
        "eq(dozor.node_of(far), 'b@127.0.0.1:4000')\n"
        "wrong('pid', 'a pid', '\"n\"', function() dozor.node_of('n') end)\n"
        "dozor.kill(pid) eq(dozor.alive(pid), false) eq(dozor.alive('n'), false) eq(dozor.info(pid), nil)\n");
}

static void info_of_oneself_is_that_of_others(void **state)
{
    (void)state;
    machine_test("local me = dozor.self()\n"
                 "local seen\n"
                 "dozor.spawn(function() dozor.sleep(1) seen = dozor.info(me) end) dozor.sleep(5)\n"
                 "local own = dozor.info(me)\n"
                 "eq(seen.status, 'waiting') eq(own.status, 'running')\n"
                 "eq(seen.node_id, own.node_id) eq(seen.behavior, own.behavior) eq(seen.started_at, "
                 "own.started_at)\n");
}

static void an_exit_reason_that_cannot_be_sent_is_refused_and_the_process_lives(void **state)
{
    (void)state;
    machine_test("eq(fails('bad_message', dozor.exit, { f = print }).path, 'reason.f')\n"
                 "eq(dozor.alive(dozor.self()), true)\n");
}

static void stopping_oneself_is_an_exit(void **state)
{
    (void)state;
    machine_test("local pid, ref = dozor.spawn(function() dozor.receive() dozor.stop(dozor.self(), 'enough') "
                 "end, nil, { monitor = true })\n"
                 "dozor.send(pid, 1) eq(dozor.receive(10).reason, 'enough')\n"
                 "pid, ref = dozor.spawn(function() dozor.register('me') dozor.receive() dozor.stop('me') "
                 "end, nil, { monitor = true })\n"
                 "dozor.send(pid, 1) eq(dozor.receive(10).reason, 'normal')\n"
                 "wrong('dest', 'a pid, a registered name or { name =, node = }', 'no value', function() "
                 "dozor.stop() end)\n");
}

static void a_table_behaviour_has_no_worker_of_its_own(void **state)
{
    (void)state;
    machine_test("dozor.behaviors.register('mine', { init = function() end })\n"
                 "dozor.spawn('mine')\n"
                 "local e = fails('bad_argument', dozor.spawn, 'mine', nil, { own_worker = true })\n"
                 "assert(e.message:find('a table behaviour stays on its worker'), e.message)\n"
                 "fails('behavior_not_found', dozor.spawn, 'nothing', nil, { own_worker = true })\n"
                 "dozor.kill(dozor.spawn('counter', nil, { own_worker = true }))\n");
}

static void a_host_without_threads_of_its_own_to_add_refuses_own_worker(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    m->shared.sched = NULL;
    machine_run(m, "fails('not_in_simulation', dozor.spawn, 'counter', nil, { own_worker = true })\n"
                   "eq(dozor.alive(dozor.spawn('counter')), true)");
    machine_delete(m);
}

/* The other node: its answer is what the test wants. */
struct elsewhere {
    struct machine *m;
    int error;
    bool refuse;
    char node[64];
    uint32_t flags;
    uint64_t timeout_ms;
};

static int spawn_far(void *ctx, struct dz_thread *t, const char *node, size_t len, struct dz_msg **take,
                     struct dz_pid *cancel)
{
    struct elsewhere *e = ctx;
    struct dz_spawn s;
    static const uint8_t pid[] = "\xc7\x18\x01<b@127.0.0.1:4000/5.1.1>";
    struct dz_msg *msg = *take;
    if (e->error)
        return e->error;
    *take = NULL;
    *cancel = DZ_PID_NONE;
    snprintf(e->node, sizeof e->node, "%.*s", (int)len, node);
    assert_int_equal(dz_spawn_unpack(&e->m->rt.nodes, msg, &s), 0);
    e->flags = s.flags;
    e->timeout_ms = s.timeout_ms;
    if (e->refuse)
        dz_send_error(t, DZ_PID_NONE, msg->from, msg->ref, DZ_ENOBEHAVIOR, NULL);
    else
        assert_int_equal(dz_send_reply(t, DZ_PID_NONE, msg->from, msg->ref, pid, sizeof pid - 1), 0);
    dz_msg_free(msg);
    return 0;
}

static void a_spawn_on_another_node_answers_with_its_pid(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct elsewhere e = {.m = m};
    m->rt.ports.ctx = &e;
    m->rt.ports.spawn_far = spawn_far;
    machine_run(
        m, "local pid = dozor.spawn('counter', { 1 }, { node = 'b@127.0.0.1:4000' })\n"
           "eq(pid, '<b@127.0.0.1:4000/5.1.1>')\n"
           "local _, ref = dozor.spawn('counter', { 1 }, { node = 'b@127.0.0.1:4000', monitor = true })\n"
           "eq(dozor.receive(10), { type = 'down', pid = pid, ref = ref, reason = 'noconnection' })\n"
           "\n");
    assert_string_equal(e.node, "b@127.0.0.1:4000");
    assert_int_equal(e.timeout_ms, 10000);
    assert_int_equal(e.flags & (DZ_SPAWN_LINK | DZ_SPAWN_MONITOR), 0);
    e.refuse = true;
    machine_run(m, "fails('behavior_not_found', dozor.spawn, 'counter', nil, { node = 'b@127.0.0.1:4000' })");
    e.error = DZ_EOVERLOADED;
    machine_run(m,
                "local e = fails('overloaded', dozor.spawn, 'counter', nil, { node = 'b@127.0.0.1:4000' })\n"
                "assert(e.message:find('^spawn on b@127.0.0.1:4000: '), e.message)");
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_cannot_be_caught),
        cmocka_unit_test(stop_runs_terminate_and_returns_when_it_is_gone),
        cmocka_unit_test(a_process_parked_in_a_wait_is_stopped_there),
        cmocka_unit_test(info_tells_what_is_known),
        cmocka_unit_test(many_processes_come_and_go),
        cmocka_unit_test(a_process_may_have_a_worker_of_its_own),
        cmocka_unit_test(options_that_are_wrong_are_named_at_the_callers_line),
        cmocka_unit_test(arguments_go_up_to_the_largest_integer_key),
        cmocka_unit_test(a_link_and_a_monitor_see_an_end_inside_init),
        cmocka_unit_test(what_is_asked_without_a_message_knows_the_dead_and_the_far),
        cmocka_unit_test(info_of_oneself_is_that_of_others),
        cmocka_unit_test(an_exit_reason_that_cannot_be_sent_is_refused_and_the_process_lives),
        cmocka_unit_test(stopping_oneself_is_an_exit),
        cmocka_unit_test(a_table_behaviour_has_no_worker_of_its_own),
        cmocka_unit_test(a_host_without_threads_of_its_own_to_add_refuses_own_worker),
        cmocka_unit_test(a_spawn_on_another_node_answers_with_its_pid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
