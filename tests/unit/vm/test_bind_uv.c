/* test_bind_uv.c - luv on a worker's loop: whose callbacks and handles they are, and what closes with a
 * process. */
#include "machine.h"
#include "vm/bind_uv.h"
#include "vm/state.h"

/* The loop of worker 1 is looked at: callbacks run. */
static void turn_loop(struct machine *m)
{
    for (int i = 0; i < 3; i++)
        uv_run(&m->sched.workers[1]->loop, UV_RUN_NOWAIT);
    machine_settle(m);
}

static void it_is_one_module_without_what_would_take_the_loop_away(void **state)
{
    (void)state;
    machine_test("local uv = dozor.uv\n"
                 "eq(require 'luv', uv) eq(core.open_uv(), uv) eq(require 'dozor.uv', uv)\n"
                 "for _, name in ipairs { 'run', 'stop', 'walk', 'loop_close', 'loop_configure' } do "
                 "eq(uv[name], nil) end\n"
                 "assert(uv.hrtime() > 0) assert(uv.cwd() == uv.cwd())\n"
                 "eq(uv.fs_stat('/').type, 'directory')\n"
                 "local ok, err = uv.fs_stat('/nowhere at all') eq(ok, nil) assert(err:find('ENOENT'))\n");
}

static void a_simulated_host_has_none(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    m->shared.simulation = &(struct dz_vm_simulation){.seed = 1};
    machine_run(m, "fails('not_in_simulation', core.open_uv)\n"
                   "local ok, e = pcall(require, 'luv') eq(ok, false) eq(e.code, 'not_in_simulation')");
    machine_delete(m);
}

static void a_callback_runs_as_the_process_that_passed_it_and_may_not_wait(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "dozor.spawn(function()\n"
                   "  local idle = dozor.uv.new_idle()\n"
                   "  idle:start(function()\n"
                   "    idle:close()\n"
                   "    SEEN = { dozor.self(), select(2, pcall(dozor.sleep, 1)).code }\n"
                   "    dozor.send(dozor.self(), 'from the callback')\n"
                   "  end)\n"
                   "  GOT = dozor.receive()\n"
                   "  dozor.receive()\n"
                   "end, nil, { name = 'p' })\n"
                   "dozor.sleep(1)\n"
                   "\n");
    turn_loop(m);
    machine_run(m, "eq(SEEN, { dozor.whereis('p'), 'cannot_wait' }) eq(GOT, 'from the callback')");
    machine_delete(m);
}

static void an_error_in_a_callback_ends_its_process_and_nobody_else(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "dozor.spawn(function() dozor.receive() end, nil, { name = 'other' })\n"
                   "dozor.spawn(function()\n"
                   "  local idle = dozor.uv.new_idle()\n"
                   "  idle:start(function() error('in the callback') end)\n"
                   "  HANDLE = idle\n"
                   "  dozor.receive()\n"
                   "end, nil, { name = 'p' })\n"
                   "dozor.sleep(1)\n"
                   "\n");
    turn_loop(m);
    machine_run(
        m,
        "eq(dozor.whereis('p'), nil) assert(dozor.whereis('other')) eq(dozor.uv.is_closing(HANDLE), true)");
    assert_non_null(strstr(m->logged, "in=a callback"));
    assert_non_null(strstr(m->logged, "in the callback"));
    assert_non_null(strstr(m->logged, "body:4: in function"));
    machine_delete(m);
}

static void handles_close_with_the_process_that_made_them(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(
        m,
        "HANDLES = {}\n"
        "dozor.spawn(function()\n"
        "  for i = 1, 5 do HANDLES[i] = dozor.uv.new_timer() HANDLES[i]:start(1e6, 0, function() end) end\n"
        "  HANDLES[5]:close()\n"
        "  dozor.receive()\n"
        "end, nil, { name = 'p' })\n"
        "MINE = dozor.uv.new_timer()\n"
        "dozor.sleep(1)\n"
        "for i = 1, 4 do eq(HANDLES[i]:is_closing(), false) end\n"
        "dozor.kill('p')\n"
        "for i = 1, 5 do eq(HANDLES[i]:is_closing(), true) end\n"
        "eq(MINE:is_closing(), false) MINE:close()\n"
        "\n");
    machine_delete(m);
}

static void a_callback_of_a_process_that_ended_is_not_run(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "local stat = dozor.uv.fs_stat\n"
                   "dozor.spawn(function() stat('/', function() RAN = true end) end)\n"
                   "dozor.sleep(1)\n"
                   "\n");
    uv_loop_t *loop = &m->sched.workers[1]->loop;
    for (int i = 0; i < 10000 && loop->active_reqs.count > 0; i++)
        uv_run(loop, UV_RUN_ONCE);
    assert_int_equal(loop->active_reqs.count, 0);
    machine_run(m, "eq(RAN, nil)");
    machine_delete(m);
}

static void await_is_ended_by_a_callback(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m, "dozor.spawn(function()\n"
                   "  GOT = { dozor.await(function(done) dozor.uv.fs_stat('/', function(err, stat) done(err, "
                   "stat.type) end) end) }\n"
                   "  dozor.receive()\n"
                   "end)\n"
                   "\n");
    uv_loop_t *loop = &m->sched.workers[1]->loop;
    for (int i = 0; i < 10000 && loop->active_reqs.count > 0; i++)
        uv_run(loop, UV_RUN_ONCE);
    machine_settle(m);
    machine_run(m, "eq(GOT[2], 'directory')");
    machine_delete(m);
}

static void luvs_own_complaints_come_through(void **state)
{
    (void)state;
    machine_test("local uv = dozor.uv\n"
                 "local ok, e = pcall(uv.fs_stat) eq(ok, false) assert(tostring(e):find('bad argument'))\n"
                 "local timer = uv.new_timer()\n"
                 "assert(not pcall(timer.start, timer, 'x')) timer:close()\n");
}

static void opening_and_closing_a_state_that_used_it_leaves_nothing(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    assert_true(dz_bind_uv_close(L));
    machine_run(
        m,
        "local t = dozor.uv.new_timer() t:start(1e6, 0, print) local a = dozor.uv.new_async(print) a:send()\n"
        "dozor.uv.new_idle():start(print) dozor.uv.new_tcp() dozor.uv.new_pipe(false)");
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_one_module_without_what_would_take_the_loop_away),
        cmocka_unit_test(a_simulated_host_has_none),
        cmocka_unit_test(a_callback_runs_as_the_process_that_passed_it_and_may_not_wait),
        cmocka_unit_test(an_error_in_a_callback_ends_its_process_and_nobody_else),
        cmocka_unit_test(handles_close_with_the_process_that_made_them),
        cmocka_unit_test(a_callback_of_a_process_that_ended_is_not_run),
        cmocka_unit_test(await_is_ended_by_a_callback),
        cmocka_unit_test(luvs_own_complaints_come_through),
        cmocka_unit_test(opening_and_closing_a_state_that_used_it_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
