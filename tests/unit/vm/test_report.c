/* test_report.c - the log line of a crash, and how many of them a second. */
#include "machine.h"

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
    assert_null(strstr(m->logged, "more crashes"));
    machine_run(m, "dozor.sleep(1001)");
    assert_non_null(strstr(m->logged, "more crashes than are told one by one behavior=(function) left_out=40"));
    machine_delete(m);
}

static void what_was_left_out_is_told_when_the_state_ends_at_the_latest(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "local b = { init = function() end, handle_cast = function() error('again') end }\n"
                   "for i = 1, 12 do dozor.cast(dozor.spawn(b), 1) end dozor.sleep(1)");
    assert_null(strstr(m->logged, "more crashes"));
    dz_sched_stop(&m->sched);
    assert_non_null(strstr(m->logged, "behavior=(table) left_out=2"));
    dz_sched_fini(&m->sched);
    dz_behaviors_fini(&m->behaviors);
    dz_rt_fini(&m->rt);
    free(m);
}

static void the_script_is_the_hosts_to_tell_of(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_msg *msg = dz_vm_main_message(&m->rt, "/nowhere/main.lua", 0, NULL);
    assert_int_equal(dz_spawn_send(&m->sched.workers[1]->thread, 1, &msg, NULL), 0);
    machine_settle(m);
    assert_null(strstr(m->logged, "process crashed"));
    machine_delete(m);
}

static void the_line_says_in_what_callback_it_was(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "local function crash() error('boom') end\n"
                   "local b = { init = function() end, handle_call = crash, handle_cast = crash, handle_info "
                   "= crash, terminate = crash }\n"
                   "dozor.cast(dozor.spawn(b), { 'a', 1 })\n"
                   "dozor.send(dozor.spawn(b), 'an info')\n"
                   "dozor.stop(dozor.spawn(b))\n"
                   "dozor.spawn(function() crash() end)\n"
                   "dozor.sleep(1)\n"
                   "\n");
    assert_non_null(strstr(m->logged, "in=handle_cast message={\"a\", 1}"));
    assert_non_null(strstr(m->logged, "in=handle_info message=\"an info\""));
    assert_non_null(strstr(m->logged, "in=terminate"));
    assert_non_null(strstr(m->logged, "behavior=(function) in=a plain process"));
    assert_non_null(strstr(m->logged, "behavior=(table) in=handle_cast"));
    machine_delete(m);
}

static void what_refuses_its_start_or_ends_by_itself_is_no_crash(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "pcall(dozor.spawn, { init = function() error('refused') end })\n"
                   "dozor.spawn(function() dozor.exit('odd') end) dozor.kill(dozor.spawn(function() "
                   "dozor.receive() end))\n"
                   "dozor.sleep(1)");
    assert_null(strstr(m->logged, "process crashed"));
    machine_delete(m);
}

static void each_behaviour_has_its_own_ten_and_new_ones_the_next_second(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "dozor.sleep(1000 - dozor.now() % 1000)\n"
                   "local function crash(behavior) dozor.cast(dozor.spawn(behavior), 1) end\n"
                   "local a = { init = function() end, handle_cast = function() error('A') end }\n"
                   "local b = { init = function() end, handle_cast = function() error('B') end }\n"
                   "for i = 1, 15 do crash(a) end\n"
                   "crash(b) dozor.sleep(1000) crash(a) dozor.sleep(1)\n"
                   "\n");
    int a = 0, b = 0;
    for (const char *at = m->logged; (at = strstr(at, "process crashed")) != NULL; at++) {
        const char *end = strchr(at, '\n'), *reason = strstr(at, ": A");
        a += reason && reason < end;
        b += !(reason && reason < end);
    }
    assert_int_equal(a, 11);
    assert_int_equal(b, 1);
    machine_delete(m);
}

static void a_message_too_long_for_the_line_is_cut(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "local b = { init = function() end, handle_cast = function(m) error(m) end }\n"
                   "dozor.cast(dozor.spawn(b), ('x'):rep(5000)) dozor.sleep(1)");
    assert_non_null(strstr(m->logged, "process crashed"));
    assert_true(strlen(m->logged) < 5000);
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_is_logged_with_its_message),
        cmocka_unit_test(crashes_of_one_behaviour_are_reported_ten_times_a_second),
        cmocka_unit_test(what_was_left_out_is_told_when_the_state_ends_at_the_latest),
        cmocka_unit_test(the_script_is_the_hosts_to_tell_of),
        cmocka_unit_test(the_line_says_in_what_callback_it_was),
        cmocka_unit_test(what_refuses_its_start_or_ends_by_itself_is_no_crash),
        cmocka_unit_test(each_behaviour_has_its_own_ten_and_new_ones_the_next_second),
        cmocka_unit_test(a_message_too_long_for_the_line_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
