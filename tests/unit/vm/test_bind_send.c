/* test_bind_send.c - send, cast, call, reply, request and notice: to pids, names, names on other nodes, and
 * to nobody. */
#include "machine.h"

/* A wire to "b@127.0.0.1:4000" that is full `full` times, and then takes what it gets. */
struct wire {
    struct machine *m;
    int full;
    int error;
    int taken;
    enum dz_msg_kind kind;
    struct dz_pid from;
    uint64_t ref;
    char name[64];
    char node[64];
};

static int take(struct wire *w, struct dz_msg **msg)
{
    if (w->full > 0) {
        w->full--;
        return DZ_EOVERLOADED;
    }
    if (w->error)
        return w->error;
    w->taken++;
    w->kind = (*msg)->kind;
    w->from = (*msg)->from;
    w->ref = (*msg)->ref;
    dz_msg_free(*msg);
    *msg = NULL;
    return 0;
}

static int wire(void *ctx, struct dz_thread *t, struct dz_msg **msg)
{
    (void)t;
    return take(ctx, msg);
}

static int wire_named(void *ctx, struct dz_thread *t, const char *node, size_t node_len, const char *name,
                      size_t name_len, struct dz_msg **msg)
{
    struct wire *w = ctx;
    (void)t;
    snprintf(w->name, sizeof w->name, "%.*s", (int)name_len, name);
    snprintf(w->node, sizeof w->node, "%.*s", (int)node_len, node);
    return take(w, msg);
}

static struct machine *wired(struct wire *w)
{
    struct machine *m = machine_new();
    memset(w, 0, sizeof *w);
    w->m = m;
    m->rt.ports.ctx = w;
    m->rt.ports.wire = wire;
    m->rt.ports.wire_named = wire_named;
    return m;
}

#define FAR "local far, there = '<b@127.0.0.1:4000/5.1.1>', { name = 'x', node = 'b@127.0.0.1:4000' }\n"

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

static void a_dest_that_is_none_is_refused_at_the_callers_line(void **state)
{
    (void)state;
    machine_test("local dest = 'a pid, a registered name or { name =, node = }'\n"
                 "for _, f in ipairs { dozor.send, dozor.cast, dozor.call } do\n"
                 "  wrong('dest', dest, '12', function() f(12, 1) end)\n"
                 "  wrong('dest', dest, 'nil', function() f(nil, 1) end)\n"
                 "  wrong('dest', dest, 'a table', function() f({ name = 'x' }, 1) end)\n"
                 "  wrong('dest', dest, 'a table', function() f({ name = 1, node = 'b@h:1' }, 1) end)\n"
                 "  wrong('dest', 'a pid or a registered name', '\"\"', function() f('', 1) end)\n"
                 "  wrong('dest', 'a pid or a registered name', '\"<pid>\"', function() f('<pid>', 1) end)\n"
                 "  local e = fails('invalid_node_id', f, { name = 'x', node = 'b@h:99999' }, 1)\n"
                 "  assert(e.message:find('^b@h:99999 is not a node id: '), e.message)\n"
                 "end\n"
                 "local time = 'milliseconds (a number >= 0) or \"infinity\"'\n"
                 "wrong('timeout_ms', time, '-1', function() dozor.call('x', 1, -1) end)\n"
                 "wrong('timeout_ms', time, '\"soon\"', function() dozor.call('x', 1, 'soon') end)\n"
                 "fails('bad_argument', dozor.call, 'x', 1, 0/0)\n");
}

static void a_call_to_nobody_says_whom_it_looked_for(void **state)
{
    (void)state;
    machine_test("local e = fails('noproc', dozor.call, 'nobody', 1)\n"
                 "eq(e.dest, 'nobody') eq(e.message, 'no process is registered as nobody')\n"
                 "e = fails('noproc', dozor.call, { name = 'nobody', node = dozor.node() }, 1)\n"
                 "eq(e.dest.name, 'nobody')\n"
                 "local gone = dozor.spawn(function() end) dozor.sleep(1)\n"
                 "e = fails('noproc', dozor.call, gone, 1) eq(e.dest, gone)\n"
                 "e = fails('timeout', dozor.call, dozor.spawn(function() dozor.receive() dozor.receive() "
                 "end), 1, 10)\n"
                 "eq(e.timeout_ms, 10)\n");
}

static void what_cannot_be_sent_reaches_nobody(void **state)
{
    (void)state;
    machine_test(SERVER "local pid = dozor.spawn(server)\n"
                        "eq(fails('bad_message', dozor.call, pid, { f = print }).path, 'message.f')\n"
                        "eq(fails('bad_message', dozor.cast, pid, print).path, 'message')\n"
                        "eq(fails('bad_message', dozor.send, 'nobody', print).path, 'message')\n"
                        "eq(dozor.info(pid).handled, 0)\n");
}

static void a_reply_goes_to_the_question_it_belongs_to_once(void **state)
{
    (void)state;
    machine_test(
        SERVER
        "local froms = {}\n"
        "local pid = dozor.spawn { init = function() end,\n"
        "  handle_call = function(msg, _, from) froms[#froms + 1] = from return dozor.NOREPLY end }\n"
        "local got = {}\n"
        "for i = 1, 2 do dozor.spawn(function() got[i] = dozor.call(pid, i) end) end\n"
        "dozor.sleep(1)\n"
        "dozor.reply(froms[2], 'second') dozor.reply(froms[1], 'first') dozor.reply(froms[1], 'again') "
        "dozor.sleep(1)\n"
        "eq(got, { 'first', 'second' }) eq((dozor.receive(0)), nil)\n"
        "wrong('from', 'the `from` of a call', '\"x\"', function() dozor.reply('x', 1) end)\n"
        "wrong('from', 'the `from` of a call', '\"' .. pid .. '\"', function() dozor.reply(pid, 1) end)\n"
        "eq(fails('bad_message', dozor.reply, froms[1], print).path, 'reply')\n");
}

static void a_lua_process_takes_no_requests(void **state)
{
    (void)state;
    machine_test(SERVER
                 "local pid = dozor.spawn(server)\n"
                 "core.request(pid, 1, nil)\n"
                 "assert(not pcall(core.result))\n"
                 "assert(not pcall(core.request, 'nobody', 1)) assert(not pcall(core.request, pid))\n"
                 "local e = fails('cannot_wait', table.sort, { 1, 2 }, function() core.request(pid, 1) end)\n"
                 "eq(e.call, 'request')\n"
                 "core.notice(pid, 1, 'x') core.notice('nobody', 1, 'x')\n"
                 "eq(dozor.call(pid, 'get'), 0)\n");
}

static void an_unknown_name_is_answered_false_without_waiting(void **state)
{
    (void)state;
    machine_test("eq(core.ask('stop', 'nobody'), false) eq(core.ask('info', { name = 'nobody', node = "
                 "dozor.node() }), false)\n"
                 "assert(not pcall(core.ask, 'else', 'nobody'))\n");
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

static void a_name_on_another_node_is_sent_to_by_name(void **state)
{
    (void)state;
    struct wire w;
    struct machine *m = wired(&w);
    machine_run(m, FAR "dozor.send(there, 1)");
    assert_int_equal(w.kind, DZ_MSG_SEND);
    assert_string_equal(w.name, "x");
    assert_string_equal(w.node, "b@127.0.0.1:4000");
    machine_run(m, FAR "dozor.cast(there, 1)");
    assert_int_equal(w.kind, DZ_MSG_CAST);
    machine_run(m, FAR "dozor.cast(far, 1)");
    assert_int_equal(w.taken, 3);
    machine_run(m, FAR "fails('timeout', dozor.call, there, 1, 10)");
    assert_int_equal(w.kind, DZ_MSG_CALL);
    assert_int_not_equal(w.ref, 0);
    machine_run(m, FAR "core.request(there, 7, nil, 10) fails('timeout', core.result)");
    assert_int_equal(w.kind, DZ_MSG_REQUEST);
    machine_delete(m);
}

static void a_sender_waits_while_the_link_is_full(void **state)
{
    (void)state;
    struct wire w;
    struct machine *m = wired(&w);
    w.full = 3;
    machine_run(m, FAR "local t = dozor.now() dozor.send(far, 1) eq(dozor.now() - t, 6)");
    assert_int_equal(w.taken, 1);
    w.full = 2;
    machine_run(m, FAR "local t = dozor.now() dozor.send(there, 1) eq(dozor.now() - t, 4)");
    assert_int_equal(w.taken, 2);
    w.full = 1;
    machine_run(m, FAR "dozor.send(far, 1) dozor.send(far, 2)");
    assert_int_equal(w.taken, 4);
    machine_delete(m);
}

static void where_one_cannot_wait_a_full_link_drops(void **state)
{
    (void)state;
    struct wire w;
    struct machine *m = wired(&w);
    w.full = 1;
    machine_run(m, FAR "table.sort({ 2, 1 }, function() dozor.send(far, 1) return false end)");
    assert_int_equal(w.full, 0);
    machine_delete(m);
}

static void a_sender_that_is_killed_while_it_waits_for_the_link_leaves_nothing(void **state)
{
    (void)state;
    struct wire w;
    struct machine *m = wired(&w);
    w.full = 1000000;
    machine_run(m, FAR "local pids = {}\n"
                       "for i = 1, 3 do pids[i] = dozor.spawn(function() dozor.send(far, i) end) end\n"
                       "pids[4] = dozor.spawn(function() dozor.send(there, 1) end) dozor.sleep(3)\n"
                       "for i = 1, 4 do eq(dozor.alive(pids[i]), true) dozor.kill(pids[i]) end");
    assert_int_equal(w.taken, 0);
    machine_delete(m);
}

static void a_call_by_name_that_cannot_be_sent_names_the_node(void **state)
{
    (void)state;
    struct wire w;
    struct machine *m = wired(&w);
    w.error = DZ_ENOCONNECTION;
    machine_run(m, FAR "local e = fails('noconnection', dozor.call, there, 1)\n"
                       "eq(e.node, there.node) eq(e.message, there.node .. ': the node is not connected')\n"
                       "e = fails('noconnection', dozor.call, far, 1) eq(e.dest, far)\n"
                       "dozor.send(there, 1) dozor.send(far, 1)");
    w.error = 0;
    w.full = 1;
    machine_run(m, FAR "fails('timeout', dozor.call, there, 1, 20)"); /* sent once there is room; nobody answers */
    assert_int_equal(w.full, 0);
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_behaviour_answers_calls_and_keeps_state),
        cmocka_unit_test(a_plain_process_gets_calls_as_messages),
        cmocka_unit_test(calls_time_out_and_late_replies_are_dropped),
        cmocka_unit_test(without_a_cluster_other_nodes_are_not_connected),
        cmocka_unit_test(a_dest_that_is_none_is_refused_at_the_callers_line),
        cmocka_unit_test(a_call_to_nobody_says_whom_it_looked_for),
        cmocka_unit_test(what_cannot_be_sent_reaches_nobody),
        cmocka_unit_test(a_reply_goes_to_the_question_it_belongs_to_once),
        cmocka_unit_test(a_lua_process_takes_no_requests),
        cmocka_unit_test(an_unknown_name_is_answered_false_without_waiting),
        cmocka_unit_test(a_full_mailbox_drops_casts_and_refuses_calls),
        cmocka_unit_test(a_name_on_another_node_is_sent_to_by_name),
        cmocka_unit_test(a_sender_waits_while_the_link_is_full),
        cmocka_unit_test(where_one_cannot_wait_a_full_link_drops),
        cmocka_unit_test(a_sender_that_is_killed_while_it_waits_for_the_link_leaves_nothing),
        cmocka_unit_test(a_call_by_name_that_cannot_be_sent_names_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
