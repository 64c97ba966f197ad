/* test_ident.c - what a text, a name and a time mean as an argument; the caches never change that. */
#include "machine.h"
#include "vm/state.h"

static void a_text_is_a_pid_or_a_ref_by_its_bytes_alone(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    struct dz_pid pid;
    struct dz_ref ref;
    static const char *const neither[] = {"",
                                          "<",
                                          "<>",
                                          "<local@127.0.0.1:0/1.2>",
                                          "<local@127.0.0.1:0/1.2.3",
                                          "name",
                                          "local@127.0.0.1:0/1.2.3>",
                                          "<ref >",
                                          "<ref local@127.0.0.1:0/1.2.3>"};
    for (size_t i = 0; i < sizeof neither / sizeof neither[0]; i++) {
        lua_pushstring(L, neither[i]);
        assert_false(dz_vm_to_pid(L, -1, &pid));
        assert_false(dz_vm_to_ref(L, -1, &ref));
        assert_int_equal(dz_ident_ext(machine_vm(m, 1), neither[i], strlen(neither[i])), 0);
    }
    lua_pushnumber(L, 5);
    assert_false(dz_vm_to_pid(L, -1, &pid));
    assert_false(dz_vm_to_ref(L, -1, &ref));
    lua_settop(L, 0);
    for (int round = 0; round < 3; round++) { /* the second is answered from the cache */
        lua_pushliteral(L, "<b@127.0.0.1:4000/5.6.7>");
        assert_true(dz_vm_to_pid(L, -1, &pid));
        assert_int_equal(pid.slot, 6);
        assert_int_equal(pid.gen, 7);
        assert_false(dz_vm_to_ref(L, -1, &ref));
        lua_pushliteral(L, "<ref b@127.0.0.1:4000/5.6.7.8>");
        assert_true(dz_vm_to_ref(L, -1, &ref));
        assert_int_equal(ref.num, 8);
        assert_false(dz_vm_to_pid(L, -1, &pid));
        lua_settop(L, 0);
    }
    machine_delete(m);
}

static void texts_too_long_for_the_cache_mean_the_same(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    struct dz_pid pid;
    struct dz_ref ref;
    char host[200], text[400];
    memset(host, 'h', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    snprintf(text, sizeof text, "<b@%s:4000/5.6.7>", host);
    lua_pushstring(L, text);
    assert_true(dz_vm_to_pid(L, -1, &pid));
    assert_false(dz_vm_to_ref(L, -1, &ref));
    assert_int_equal(dz_ident_ext(machine_vm(m, 1), text, strlen(text)), DZ_EXT_PID);
    dz_vm_push_pid(L, pid);
    assert_true(lua_rawequal(L, -1, -2));
    snprintf(text, sizeof text, "<ref b@%s:4000/5.6.7.8>", host);
    lua_pushstring(L, text);
    assert_true(dz_vm_to_ref(L, -1, &ref));
    assert_false(dz_vm_to_pid(L, -1, &pid));
    assert_int_equal(dz_ident_ext(machine_vm(m, 1), text, strlen(text)), DZ_EXT_REF);
    dz_vm_push_ref(L, ref);
    assert_true(lua_rawequal(L, -1, -2));
    lua_settop(L, 0);
    machine_delete(m);
}

static void a_pid_is_pushed_as_its_text_and_nobody_as_nil(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    struct dz_pid pid, same;
    dz_vm_push_pid(L, DZ_PID_NONE);
    assert_true(lua_isnil(L, -1));
    lua_pushliteral(L, "<b@127.0.0.1:4000/5.6.7>");
    assert_true(dz_vm_to_pid(L, -1, &pid));
    for (uint32_t i = 0; i < 600; i++) { /* more than the cache has places */
        same = (struct dz_pid){pid.node, i + 1, 7};
        dz_vm_push_pid(L, same);
        struct dz_pid back;
        assert_true(dz_vm_to_pid(L, -1, &back) && dz_pid_eq(back, same));
        lua_pop(L, 1);
    }
    lua_settop(L, 0);
    machine_delete(m);
}

static void a_dest_that_was_learnt_is_known_until_its_place_is_taken(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    lua_State *L = dz_vm_main(vm);
    struct dz_pid pid, known;
    lua_pushliteral(L, "<b@127.0.0.1:4000/5.6.7>");
    assert_false(dz_ident_known(vm, L, 1, &known));
    assert_true(dz_vm_to_pid(L, 1, &pid));
    dz_ident_learn(vm, L, 1, pid);
    assert_true(dz_ident_known(vm, L, 1, &known));
    assert_true(dz_pid_eq(pid, known));
    lua_pushliteral(L, "a name");
    dz_ident_learn(vm, L, 2, pid); /* names are not learnt */
    assert_false(dz_ident_known(vm, L, 2, &known));
    lua_pushnumber(L, 1);
    dz_ident_learn(vm, L, 3, pid);
    assert_false(dz_ident_known(vm, L, 3, &known));
    lua_newtable(L);
    dz_ident_learn(vm, L, 4, pid);
    assert_false(dz_ident_known(vm, L, 4, &known));
    lua_settop(L, 0);
    machine_delete(m);
}

static void messages_find_whom_they_are_for_whatever_the_caches_hold(void **state)
{
    (void)state;
    machine_test(
        "local pids, got = {}, {}\n"
        "local b = { init = function(i) return i end, handle_cast = function(m, i) got[i] = m end }\n"
        "for i = 1, 3000 do pids[i] = dozor.spawn(b, { i }) end\n"
        "for round = 1, 2 do\n"
        "  for i = 1, 3000 do dozor.cast(pids[i], round) end\n"
        "  dozor.sleep(1)\n"
        "  for i = 1, 3000 do assert(got[i] == round, i) end\n"
        "  collectgarbage()\n"
        "end\n");
}

static void a_time_is_a_number_infinity_or_absent(void **state)
{
    (void)state;
    machine_test("local t = dozor.now()\n"
                 "dozor.sleep(0.5) eq(dozor.now() - t < 2, true)\n"
                 "for _, forever in ipairs { 'infinity', math.huge, 1e300, 9.3e12 } do\n"
                 "  local pid = dozor.spawn(function() dozor.sleep(forever) end) dozor.sleep(100)\n"
                 "  eq(dozor.alive(pid), true) dozor.kill(pid)\n"
                 "end\n"
                 "local expected = 'milliseconds (a number >= 0) or \"infinity\"'\n"
                 "wrong('ms', expected, '\"Infinity\"', function() dozor.sleep('Infinity') end)\n"
                 "wrong('ms', expected, '\"5\"', function() dozor.sleep('5') end)\n"
                 "wrong('ms', expected, '-1', function() dozor.sleep(-1) end)\n"
                 "fails('bad_argument', dozor.sleep, 0/0)\n");
}

static void a_name_of_255_bytes_is_a_dest_and_a_longer_one_is_not(void **state)
{
    (void)state;
    machine_test("local longest = ('n'):rep(255)\n"
                 "dozor.register(longest) dozor.send(longest, 'x') eq(dozor.receive(0), 'x')\n"
                 "wrong('dest', 'a pid or a registered name', 'a string', function() "
                 "dozor.send(('n'):rep(256), 1) end)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_a_pid_or_a_ref_by_its_bytes_alone),
        cmocka_unit_test(texts_too_long_for_the_cache_mean_the_same),
        cmocka_unit_test(a_pid_is_pushed_as_its_text_and_nobody_as_nil),
        cmocka_unit_test(a_dest_that_was_learnt_is_known_until_its_place_is_taken),
        cmocka_unit_test(messages_find_whom_they_are_for_whatever_the_caches_hold),
        cmocka_unit_test(a_time_is_a_number_infinity_or_absent),
        cmocka_unit_test(a_name_of_255_bytes_is_a_dest_and_a_longer_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
