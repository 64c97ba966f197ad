/* test_bind_bond.c - links, monitors, trapped exits and kills as a script makes them. */
#include "machine.h"

static void links_break_both_ways_and_can_be_trapped(void **state)
{
    (void)state;
    machine_test(
        "local me = dozor.self()\n"
        "local a = dozor.spawn(function() dozor.receive() end)\n"
        "local b = dozor.spawn(function() dozor.link(a) dozor.receive() end)\n"
        "dozor.sleep(1) dozor.kill(a) dozor.sleep(1) eq(dozor.alive(b), false)\n"
        "eq(dozor.trap_exit(true), false)\n"
        "local c = dozor.spawn(function() dozor.receive() dozor.exit('c') end, nil, { link = true })\n"
        "dozor.send(c, 1)\n"
        "eq(dozor.receive(100), { type = 'exit', pid = c, reason = 'c' })\n"
        "dozor.link(c) eq(dozor.receive(100), { type = 'exit', pid = c, reason = 'noproc' })\n"
        "local d = dozor.spawn(function() end, nil, { link = true })\n"
        "eq(dozor.receive(100), { type = 'exit', pid = d, reason = 'normal' })\n"
        "local e = dozor.spawn(function() dozor.receive() dozor.exit('e') end, nil, { link = true })\n"
        "dozor.unlink(e) dozor.send(e, 1) eq((dozor.receive(100)), nil)\n"
        "dozor.trap_exit(false)\n");
}

static void monitors_fire_once_or_are_silenced(void **state)
{
    (void)state;
    machine_test("local pid, ref = dozor.spawn(function() dozor.receive() end, nil, { monitor = true })\n"
                 "dozor.send(pid, 1) eq(dozor.receive(10), { type = 'down', ref = ref, pid = pid, reason = "
                 "'normal' })\n"
                 "eq((dozor.receive(10)), nil)\n"
                 "local r2 = dozor.monitor(pid) eq(dozor.receive(10), { type = 'down', ref = r2, pid = pid, "
                 "reason = 'noproc' })\n"
                 "local r3 = dozor.monitor('nobody') eq(dozor.receive(10), { type = 'down', ref = r3, reason "
                 "= 'noproc' })\n"
                 "pid = dozor.spawn(function() dozor.receive() end) local r4 = dozor.monitor(pid)\n"
                 "eq(dozor.demonitor(r4), true) dozor.kill(pid) eq((dozor.receive(10)), nil)\n"
                 "eq(dozor.demonitor(r4), false)\n");
}

static void what_is_no_pid_is_refused_at_the_callers_line(void **state)
{
    (void)state;
    machine_test("for _, f in ipairs { dozor.link, dozor.unlink } do\n"
                 "  wrong('pid', 'a pid', '\"a name\"', function() f('a name') end)\n"
                 "  wrong('pid', 'a pid', 'nil', function() f(nil) end)\n"
                 "  wrong('pid', 'a pid', '12', function() f(12) end)\n"
                 "end\n"
                 "local ref = dozor.monitor(dozor.self())\n"
                 "wrong('pid', 'a pid', '\"' .. ref .. '\"', function() dozor.link(ref) end)\n"
                 "wrong('ref', 'the ref of a monitor', 'a table', function() dozor.demonitor({}) end)\n"
                 "wrong('ref', 'the ref of a monitor', '\"' .. dozor.self() .. '\"', function() "
                 "dozor.demonitor(dozor.self()) end)\n"
                 "wrong('on', 'true or false', 'nil', function() dozor.trap_exit(nil) end)\n"
                 "local dest = 'a pid, a registered name or { name =, node = }'\n"
                 "wrong('dest', dest, '1', function() dozor.kill(1) end)\n"
                 "wrong('dest', dest, '1', function() dozor.monitor(1) end)\n"
                 "wrong('dest', dest, 'nil', function() dozor.monitor() end)\n"
                 "wrong('dest', 'a pid or a registered name', '\"\"', function() dozor.monitor('') end)\n");
}

static void unlink_also_takes_back_an_exit_that_waits_in_the_mailbox(void **state)
{
    (void)state;
    machine_test(
        "dozor.trap_exit(true)\n"
        "local a = dozor.spawn(function() dozor.receive() dozor.exit('a') end, nil, { link = true })\n"
        "local b = dozor.spawn(function() dozor.receive() dozor.exit('b') end, nil, { link = true })\n"
        "dozor.send(a, 1) dozor.send(b, 1) dozor.sleep(1)\n"
        "dozor.unlink(a)\n"
        "eq(dozor.receive(0), { type = 'exit', pid = b, reason = 'b' })\n"
        "eq((dozor.receive(0)), nil)\n"
        "dozor.unlink(a) dozor.unlink(b)\n");
}

static void unlink_while_receive_looks_for_a_match_loses_no_message(void **state)
{
    (void)state;
    machine_test(
        "dozor.trap_exit(true)\n"
        "local me = dozor.self()\n"
        "local a = dozor.spawn(function() dozor.receive() dozor.exit('a') end, nil, { link = true })\n"
        "dozor.send(a, 1) dozor.sleep(1) dozor.send(me, 1) dozor.send(me, 2)\n"
        "local function match(m)\n"
        "  if type(m) == 'table' then dozor.unlink(a) return false end\n"
        "  return m == 2\n"
        "end\n"
        "eq(dozor.receive(0, match), 2) eq(dozor.receive(0), 1) eq((dozor.receive(0)), nil)\n");
}

static void demonitor_takes_back_a_notice_that_waits(void **state)
{
    (void)state;
    machine_test("local pid, ref = dozor.spawn(function() dozor.receive() end, nil, { monitor = true })\n"
                 "dozor.kill(pid) dozor.sleep(1)\n"
                 "eq(dozor.demonitor(ref), false) eq((dozor.receive(0)), nil)\n"
                 "local other\n"
                 "dozor.spawn(function() other = dozor.monitor(dozor.self()) end) dozor.sleep(1)\n"
                 "eq(dozor.demonitor(other), false)\n");
}

static void a_link_to_nobody_is_an_exit_with_noproc(void **state)
{
    (void)state;
    machine_test("local gone = dozor.spawn(function() end) dozor.sleep(1)\n"
                 "local victim = dozor.spawn(function() dozor.link(gone) dozor.receive() end)\n"
                 "local ref = dozor.monitor(victim)\n"
                 "eq(dozor.receive(10), { type = 'down', ref = ref, pid = victim, reason = 'noproc' })\n"
                 "eq(dozor.trap_exit(true), false) eq(dozor.trap_exit(true), true)\n"
                 "dozor.link(gone) eq(dozor.receive(0), { type = 'exit', pid = gone, reason = 'noproc' })\n"
                 "eq(dozor.trap_exit(false), true)\n");
}

static void a_normal_end_only_unlinks(void **state)
{
    (void)state;
    machine_test("local pid = dozor.spawn(function() dozor.receive() end, nil, { link = true })\n"
                 "eq(dozor.info(pid).links, { dozor.self() })\n"
                 "dozor.send(pid, 1) dozor.sleep(1)\n"
                 "eq(dozor.info(dozor.self()).links, {})\n");
}

static void kill_ends_without_terminate_and_a_second_one_changes_nothing(void **state)
{
    (void)state;
    machine_test("local ran = false\n"
                 "local pid = dozor.spawn { init = function() end, terminate = function() ran = true end }\n"
                 "local ref = dozor.monitor(pid)\n"
                 "dozor.kill(pid)\n"
                 "eq(dozor.alive(pid), false) eq(dozor.receive(0), { type = 'down', ref = ref, pid = pid, "
                 "reason = 'killed' })\n"
                 "eq(ran, false)\n"
                 "dozor.kill(pid) dozor.kill('nobody') eq((dozor.receive(0)), nil)\n");
}

static void a_monitor_by_name_follows_the_process_not_the_name(void **state)
{
    (void)state;
    machine_test("local pid = dozor.spawn(function() dozor.receive() end, nil, { name = 'n' })\n"
                 "local ref = dozor.monitor('n')\n"
                 "dozor.unregister('n') dozor.register('n')\n"
                 "dozor.kill(pid)\n"
                 "eq(dozor.receive(0), { type = 'down', ref = ref, pid = pid, reason = 'killed' })\n");
}

static void outside_of_a_process_there_is_nobody_to_bind(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    if (luaL_dostring(L, "for _, f in ipairs { core.link, core.unlink, core.monitor, core.demonitor, "
                         "core.trap_exit, core.kill } do\n"
                         "  fails('noproc', f, true)\n"
                         "end\n"
                         "\n"))
        fail_msg("%s", lua_tostring(L, -1));
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_break_both_ways_and_can_be_trapped),
        cmocka_unit_test(monitors_fire_once_or_are_silenced),
        cmocka_unit_test(what_is_no_pid_is_refused_at_the_callers_line),
        cmocka_unit_test(unlink_also_takes_back_an_exit_that_waits_in_the_mailbox),
        cmocka_unit_test(unlink_while_receive_looks_for_a_match_loses_no_message),
        cmocka_unit_test(demonitor_takes_back_a_notice_that_waits),
        cmocka_unit_test(a_link_to_nobody_is_an_exit_with_noproc),
        cmocka_unit_test(a_normal_end_only_unlinks),
        cmocka_unit_test(kill_ends_without_terminate_and_a_second_one_changes_nothing),
        cmocka_unit_test(a_monitor_by_name_follows_the_process_not_the_name),
        cmocka_unit_test(outside_of_a_process_there_is_nobody_to_bind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
