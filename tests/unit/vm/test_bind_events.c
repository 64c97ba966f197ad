/* test_bind_events.c - the pids of the core's own processes, and processes that nobody sees. */
#include "machine.h"

static void the_pids_of_the_cores_own_processes_are_told(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "eq(core.system(), nil) eq(core.events(), nil)\n"
                   "dozor.spawn(function() dozor.receive() end, nil, { name = 'a' })\n"
                   "dozor.spawn(function() dozor.receive() end, nil, { name = 'b' })");
    m->rt.system = dz_names_whereis(&m->rt.names, "a", 1);
    m->rt.events = dz_names_whereis(&m->rt.names, "b", 1);
    machine_run(m, "eq(core.system(), dozor.whereis('a')) eq(core.events(), dozor.whereis('b'))");
    machine_delete(m);
}

static void a_hidden_process_runs_here_and_is_not_listed(void **state)
{
    (void)state;
    machine_test("local upvalue = 0\n"
                 "core.spawn_hidden(function() upvalue = upvalue + 1 dozor.receive() end)\n"
                 "local pid = core.result()\n"
                 "eq(upvalue, 1) eq(dozor.alive(pid), true)\n"
                 "for _, listed in ipairs(dozor.processes()) do assert(listed ~= pid) end\n"
                 "local b = { init = function() return 7 end, handle_call = function(_, s) return s end }\n"
                 "core.spawn_hidden(b)\n"
                 "local other = core.result()\n"
                 "eq(dozor.call(other, 1), 7)\n"
                 "for _, listed in ipairs(dozor.processes()) do assert(listed ~= other) end\n"
                 "dozor.kill(pid) dozor.stop(other)\n");
}

static void what_cannot_be_a_process_is_refused(void **state)
{
    (void)state;
    machine_test(
        "assert(not pcall(core.spawn_hidden, 'counter')) assert(not pcall(core.spawn_hidden))\n"
        "core.spawn_hidden { init = function() error('not me') end }\n"
        "local e = fails('init_failed', core.result) assert(e.reason.message:find('not me'))\n"
        "core.spawn_hidden { inti = function() end }\n"
        "fails('bad_argument', core.result)\n"
        "local e = fails('cannot_wait', table.sort, { 1, 2 }, function() core.spawn_hidden(print) end)\n"
        "eq(e.call, 'spawn')\n");
}

static void its_function_is_kept_until_the_process_has_it(void **state)
{
    (void)state;
    machine_test("local me = dozor.self()\n"
                 "for i = 1, 50 do\n"
                 "  core.spawn_hidden(function() collectgarbage() dozor.send(me, i) end)\n"
                 "  core.result()\n"
                 "  eq(dozor.receive(10), i)\n"
                 "end\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pids_of_the_cores_own_processes_are_told),
        cmocka_unit_test(a_hidden_process_runs_here_and_is_not_listed),
        cmocka_unit_test(what_cannot_be_a_process_is_refused),
        cmocka_unit_test(its_function_is_kept_until_the_process_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
