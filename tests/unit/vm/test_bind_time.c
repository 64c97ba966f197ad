/* test_bind_time.c - the clocks and send_after: to pids, to names as they are when it fires, and to other
 * nodes. */
#include "machine.h"

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

static void the_clocks_are_the_hosts(void **state)
{
    (void)state;
    machine_test("local t = dozor.now() dozor.sleep(7) eq(dozor.now() - t, 7)\n"
                 "eq(core.wall_ms() - core.now(), 1700000000000)\n");
}

static void what_send_after_cannot_do_is_refused_at_once(void **state)
{
    (void)state;
    machine_test(
        "local time, dest = 'milliseconds (a number >= 0) or \"infinity\"', 'a pid, a registered name or { "
        "name =, node = }'\n"
        "local me = dozor.self()\n"
        "wrong('ms', time, '-1', function() dozor.send_after(-1, me, 1) end)\n"
        "wrong('ms', time, 'nil', function() dozor.send_after(nil, me, 1) end)\n"
        "wrong('ms', time, 'a table', function() dozor.send_after({}, me, 1) end)\n"
        "wrong('dest', dest, '5', function() dozor.send_after(1, 5, 1) end)\n"
        "wrong('dest', dest, '\"\"', function() dozor.send_after(1, '', 1) end)\n"
        "wrong('dest', dest, 'a table', function() dozor.send_after(1, { name = 'x' }, 1) end)\n"
        "wrong('dest', dest, 'a table', function() dozor.send_after(1, { node = 'b@h:1' }, 1) end)\n"
        "wrong('timer', 'what send_after returned', '\"x\"', function() dozor.cancel_timer('x') end)\n"
        "wrong('timer', 'what send_after returned', 'no value', function() dozor.cancel_timer() end)\n"
        "eq(fails('bad_message', dozor.send_after, 1, me, print).path, 'message')\n"
        "eq((dozor.receive(50)), nil)\n");
}

static void a_name_is_looked_up_when_the_timer_fires(void **state)
{
    (void)state;
    machine_test(
        "dozor.send_after(10, 'late', 'a') dozor.sleep(5) dozor.register('late')\n"
        "eq(dozor.receive(100), 'a')\n"
        "dozor.send_after(10, 'late', 'b') dozor.unregister('late') eq((dozor.receive(100)), nil)\n");
}

static void a_timer_outlives_its_process_and_fires_from_it(void **state)
{
    (void)state;
    machine_test("local me = dozor.self()\n"
                 "local pid = dozor.spawn(function() dozor.send_after(20, me, 'from the dead') end)\n"
                 "dozor.sleep(1) eq(dozor.alive(pid), false)\n"
                 "eq(dozor.receive(100), 'from the dead')\n");
}

static void a_full_mailbox_drops_what_a_timer_sends(void **state)
{
    (void)state;
    machine_test("local got = 0\n"
                 "local pid = dozor.spawn({ init = function() end, handle_info = function() got = got + 1 "
                 "end }, nil, { mailbox_limit = 2 })\n"
                 "for i = 1, 5 do dozor.send_after(10, pid, i) end\n"
                 "dozor.sleep(20) eq(got, 2) eq(dozor.alive(pid), true)\n");
}

struct sent {
    int count;
    char name[64];
    char node[64];
    bool refuse;
};

static int wire_named(void *ctx, struct dz_thread *t, const char *node, size_t node_len, const char *name,
                      size_t name_len, struct dz_msg **msg)
{
    struct sent *s = ctx;
    (void)t;
    if (s->refuse)
        return DZ_ENOCONNECTION;
    s->count++;
    snprintf(s->name, sizeof s->name, "%.*s", (int)name_len, name);
    snprintf(s->node, sizeof s->node, "%.*s", (int)node_len, node);
    dz_msg_free(*msg);
    *msg = NULL;
    return 0;
}

static struct dz_pid everybody(void *ctx, const char *name, size_t len)
{
    struct dz_pid *pid = ctx;
    (void)name;
    (void)len;
    return *pid;
}

static void a_timer_for_a_name_on_another_node_goes_over_the_wire(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct sent s = {.count = 0};
    m->rt.ports.ctx = &s;
    m->rt.ports.wire_named = wire_named;
    machine_run(m, "dozor.send_after(10, { name = 'x', node = 'b@127.0.0.1:4000' }, 1) dozor.sleep(20)");
    assert_int_equal(s.count, 1);
    assert_string_equal(s.name, "x");
    assert_string_equal(s.node, "b@127.0.0.1:4000");
    s.refuse = true;
    machine_run(m, "dozor.send_after(10, { name = 'x', node = 'b@127.0.0.1:4000' }, 1) dozor.sleep(20)");
    m->rt.ports.wire_named = NULL;
    machine_run(m, "dozor.send_after(10, { name = 'x', node = 'b@127.0.0.1:4000' }, 1) dozor.sleep(20)");
    assert_int_equal(s.count, 1);
    machine_delete(m);
}

static void a_name_nobody_has_here_may_be_one_of_the_cluster(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_pid owner = DZ_PID_NONE;
    m->rt.ports.ctx = &owner;
    m->rt.ports.global_whereis = everybody;
    machine_run(m, "dozor.spawn(function() GOT = dozor.receive() end, nil, { name = 'owner' })");
    owner = dz_names_whereis(&m->rt.names, "owner", 5);
    machine_run(m, "dozor.send_after(10, 'anyone', 'found') dozor.sleep(20) eq(GOT, 'found')");
    machine_delete(m);
}

static void timers_that_are_pending_go_with_their_state(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "for i = 1, 100 do dozor.send_after(1e6 + i, dozor.self(), ('x'):rep(1000)) end\n"
                   "eq(core.cancel_timer(dozor.send_after(1e6, 'x', 1)), true)");
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_once_and_can_be_cancelled),
        cmocka_unit_test(the_clocks_are_the_hosts),
        cmocka_unit_test(what_send_after_cannot_do_is_refused_at_once),
        cmocka_unit_test(a_name_is_looked_up_when_the_timer_fires),
        cmocka_unit_test(a_timer_outlives_its_process_and_fires_from_it),
        cmocka_unit_test(a_full_mailbox_drops_what_a_timer_sends),
        cmocka_unit_test(a_timer_for_a_name_on_another_node_goes_over_the_wire),
        cmocka_unit_test(a_name_nobody_has_here_may_be_one_of_the_cluster),
        cmocka_unit_test(timers_that_are_pending_go_with_their_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
