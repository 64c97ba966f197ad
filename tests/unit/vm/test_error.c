/* test_error.c - error tables: what they say, where they were raised, and what becomes of one from elsewhere.
 */
#include "machine.h"
#include "vm/state.h"

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
        "eq(where(function() dozor.call(dozor.self(), 1) end).argument, 'dest')\n"
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

/* boom(kind, value): raises as the core does. */
static int boom(lua_State *L)
{
    switch ((int)lua_tointeger(L, 1)) {
    case 1:
        return dz_vm_raise(L, DZ_ETIMEOUT, "%s took %d ms", "it", 5);
    case 2:
        return dz_vm_raise_argument(L, "value", "something else", 2);
    default:
        return dz_vm_raise_argument(L, "value", "something else", 0);
    }
}

static struct machine *booming(void)
{
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    lua_pushcfunction(L, boom);
    lua_setglobal(L, "boom");
    return m;
}

static void an_error_has_a_code_a_message_and_the_callers_line(void **state)
{
    (void)state;
    struct machine *m = booming();
    machine_run(m, "local e = fails('timeout', function()\n"
                   "  boom(1) end)\n"
                   "eq(e.code, 'timeout') eq(e.message, 'it took 5 ms') eq(e.where, 'body:2')\n"
                   "eq(tostring(e), 'body:2: timeout: it took 5 ms')\n"
                   "\n");
    machine_delete(m);
}

static void what_was_got_is_shown_as_a_reader_would_write_it(void **state)
{
    (void)state;
    struct machine *m = booming();
    machine_run(
        m, "local function got(...)\n"
           "  local ok, e = pcall(boom, ...)\n"
           "  eq(e.argument, 'value') eq(e.expected, 'something else')\n"
           "  eq(e.message, 'value must be something else, got ' .. e.got)\n"
           "  return e.got\n"
           "end\n"
           "eq(got(2, 'text'), '\"text\"') eq(got(2, 1.5), '1.5') eq(got(2, -3), '-3') eq(got(2, true), "
           "'true')\n"
           "eq(got(2, false), 'false') eq(got(2, nil), 'nil') eq(got(2), 'no value') eq(got(3, 'x'), 'no "
           "value')\n"
           "eq(got(2, {}), 'a table') eq(got(2, print), 'a function') eq(got(2, io.stdout), 'a userdata')\n"
           "eq(got(2, coroutine.create(print)), 'a thread')\n"
           "eq(got(2, ('x'):rep(64)), '\"' .. ('x'):rep(64) .. '\"') eq(got(2, ('x'):rep(65)), 'a string')\n"
           "\n");
    machine_delete(m);
}

static void an_error_raised_outside_of_any_script_has_no_line(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    dz_vm_push_error(L, DZ_ENOPROC, "nobody");
    lua_getfield(L, -1, "where");
    assert_true(lua_isnil(L, -1));
    lua_getfield(L, -2, "code");
    assert_string_equal(lua_tostring(L, -1), "noproc");
    assert_true(lua_getmetatable(L, -3));
    lua_settop(L, 0);
    dz_error_push_where(L);
    assert_string_equal(lua_tostring(L, -1), "");
    lua_settop(L, 0);
    machine_delete(m);
}

static void an_error_of_another_process_gets_this_callers_line_and_whom_it_asked(void **state)
{
    (void)state;
    machine_test(
        "local pid = dozor.spawn { init = function() end, handle_call = function() error { code = 'mine', "
        "where = 'there:9' } end }\n"
        "local e = fails('call_failed', function()\n"
        "  dozor.call(pid, 1)\n"
        "end)\n"
        "eq(e.where, 'body:3') eq(e.dest, pid) eq(e.reason.code, 'mine') eq(e.reason.where, 'there:9')\n"
        "assert(tostring(e):find('^body:3: call_failed: '), tostring(e))\n");
}

static void an_error_that_is_no_table_is_raised_as_it_is(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_slot *slot;
    struct dz_buf b;
    struct dz_build build;
    machine_run(m,
                "dozor.spawn(function() local ok, e = pcall(dozor.call, 'server', 1) GOT = { ok, e } end)\n"
                "dozor.spawn(function() local q = dozor.receive() FROM = q.from dozor.receive() end, nil, { "
                "name = 'server' })\n"
                "dozor.spawn(function() local ok, e = pcall(dozor.call, 'server', 1) GOT = { ok, e } end, "
                "nil, { name = 'asker' })");
    machine_settle(m);
    slot = dz_table_find(&m->rt.table, dz_names_whereis(&m->rt.names, "asker", 5));
    assert_non_null(slot->proc->wait);
    dz_buf_init(&b);
    dz_build_init(&build, &b);
    dz_build_cstring(&build, "just text");
    dz_send_failure(&m->sched.workers[1]->thread, DZ_PID_NONE, slot->proc->pid, slot->proc->wait->ref, b.data,
                    b.len);
    dz_buf_fini(&b);
    machine_settle(m);
    machine_run(m, "eq(GOT, { false, 'just text' })");
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_are_named_at_the_callers_line),
        cmocka_unit_test(an_error_has_a_code_a_message_and_the_callers_line),
        cmocka_unit_test(what_was_got_is_shown_as_a_reader_would_write_it),
        cmocka_unit_test(an_error_raised_outside_of_any_script_has_no_line),
        cmocka_unit_test(an_error_of_another_process_gets_this_callers_line_and_whom_it_asked),
        cmocka_unit_test(an_error_that_is_no_table_is_raised_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
