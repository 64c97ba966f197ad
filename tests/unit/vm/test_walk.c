/* test_walk.c - the fast way through tables: the same bytes as the slow one, or none at all. */
#include "machine.h"
#include "vm/state.h"
#include "vm/walk.h"

/* The global V as bytes. */
static void encode_value(lua_State *L, bool walks, struct dz_buf *out)
{
    dz_vm_of(L)->walks = walks;
    lua_getglobal(L, "V");
    dz_codec_encode(L, -1, "value", 0, out);
    lua_pop(L, 1);
}

/* Gives up on the value of the expression; `out` has three bytes already. */
static void gives_up(struct machine *m, const char *expression)
{
    struct dz_vm *vm = machine_vm(m, 1);
    lua_State *L = dz_vm_main(vm);
    struct dz_buf out;
    dz_buf_init(&out);
    assert_int_equal(dz_buf_append(&out, "abc", 3), 0);
    lua_pushfstring(L, "return %s", expression);
    if (luaL_loadstring(L, lua_tostring(L, -1)) || lua_pcall(L, 0, 1, 0))
        fail_msg("%s", lua_tostring(L, -1));
    if (dz_walk_encode(vm, lua_topointer(L, -1), &out))
        fail_msg("%s was walked", expression);
    assert_int_equal(out.len, 3);
    assert_memory_equal(out.data, "abc", 3);
    lua_settop(L, 0);
    dz_buf_fini(&out);
}

static void walking_a_table_writes_what_the_slow_way_writes(void **state)
{
    (void)state;
    static const char *const values[] = {
        "{}",
        "{1, 2, 3}",
        "{a = 1, b = 'x', c = true, d = false, e = -0.0, f = 1.5, g = 0/0}",
        "{0, -1, 127, 128, -32, -33, 255, 256, 65535, 65536, -128, -129, -32768, -32769, 2^31, 2^32, -2^31 - "
        "1}",
        "{2^53, -2^53, 2^53 + 2, 1e308, 1/0, -1/0, 0.1}",
        "{a = {b = {c = {1, {}}}}}",
        "{1, nil, 3}",
        "{[0] = 1, 2}",
        "{x = 1, 2}",
        "{[true] = 1}",
        "{'<', '<nonsense here>', ('x'):rep(31), ('x'):rep(32), ('y'):rep(300)}",
        "{('z'):rep(70000)}",
        "(function() local t = {} for i = 1, 70000 do t[i] = i end return t end)()",
        "(function() local t = {} for i = 1, 300 do t['k' .. i] = {i} end t.k7 = nil return t end)()",
        "(function() local t = {} for i = 9, 1, -1 do t[i] = i end return t end)()",
        "(function() local t = {1} for i = 1, 40 do t = {t} end return t end)()",
        "{'', 'a', 'ab', 'abc', 'abcd', 'abcdefg', 'abcdefgh', 'abcdefghijklmno', 'abcdefghijklmnop', "
        "'abcdefghijklmnopq'}",
    };
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    assert_true(dz_vm_of(L)->walks);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct dz_buf fast, slow;
        lua_pushfstring(L, "V = %s", values[i]);
        if (luaL_dostring(L, lua_tostring(L, -1)))
            fail_msg("%s", lua_tostring(L, -1));
        lua_pop(L, 1);
        dz_buf_init(&fast);
        dz_buf_init(&slow);
        encode_value(L, true, &fast);
        encode_value(L, false, &slow);
        assert_int_equal(fast.len, slow.len);
        assert_memory_equal(fast.data, slow.data, fast.len);
        dz_buf_fini(&fast);
        dz_buf_fini(&slow);
    }
    machine_delete(m);
}

static void this_luajit_lays_out_tables_as_assumed(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    assert_true(dz_walk_check(L));
    assert_int_equal(lua_gettop(L), 0);
    machine_delete(m);
}

static void what_is_not_plain_is_left_to_the_slow_way(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    gives_up(m, "{ 1, x = 2 }");
    gives_up(m, "{ [1.5] = 1 }");
    gives_up(m, "{ [true] = 1 }");
    gives_up(m, "{ [0] = 1, 2 }");
    gives_up(m, "{ 1, nil, 3 }");
    gives_up(m, "{ a = print }");
    gives_up(m, "{ 5LL }");
    gives_up(m, "{ { { io.stdout } } }");
    gives_up(m, "(function() local t = {} for i = 1, 40 do t = { t } end return t end)()");
    gives_up(m, "(function() local t = {} t[1] = t return t end)()");
    gives_up(m, "{ ('x'):rep(2 * 2^20) }");
    gives_up(m, "(function() local t = {} for i = 1, 20 do t[i] = ('x'):rep(2^16) end return t end)()");
    gives_up(m, "{ '<b@' .. ('h'):rep(250) .. ':4000/5.6.7>' }");
    machine_delete(m);
}

static void pids_inside_become_ext(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    lua_State *L = dz_vm_main(vm);
    struct dz_buf out;
    dz_buf_init(&out);
    if (luaL_dostring(L, "V = { '<b@127.0.0.1:4000/5.6.7>', k = nil }"))
        fail_msg("%s", lua_tostring(L, -1));
    encode_value(L, true, &out);
    assert_int_equal(out.data[0], 0x91);
    assert_int_equal(out.data[1], 0xc7);
    assert_int_equal(out.data[3], DZ_EXT_PID);
    assert_int_equal(out.len, 4u + out.data[2]);
    dz_buf_fini(&out);
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walking_a_table_writes_what_the_slow_way_writes),
        cmocka_unit_test(this_luajit_lays_out_tables_as_assumed),
        cmocka_unit_test(what_is_not_plain_is_left_to_the_slow_way),
        cmocka_unit_test(pids_inside_become_ext),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
