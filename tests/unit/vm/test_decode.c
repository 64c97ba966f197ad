/* test_decode.c - bytes into Lua values: every head, arguments, and bytes that are none. */
#include "machine.h"
#include "vm/state.h"

struct input {
    const uint8_t *data;
    size_t len;
    unsigned flags;
    bool args;
};

static int protected_decode(lua_State *L)
{
    const struct input *in = lua_touserdata(L, 1);
    lua_settop(L, 0);
    if (in->args)
        return dz_codec_decode_args(L, in->data, in->len, in->flags);
    dz_codec_decode(L, in->data, in->len, in->flags);
    return 1;
}

/* The global V is the value, or N values, or the error's code. */
static int decode(struct machine *m, const char *bytes, size_t len, unsigned flags, bool args)
{
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    struct input in = {(const uint8_t *)bytes, len, flags, args};
    lua_settop(L, 0);
    lua_pushcfunction(L, protected_decode);
    lua_pushlightuserdata(L, &in);
    int failed = lua_pcall(L, 1, LUA_MULTRET, 0);
    lua_pushinteger(L, lua_gettop(L));
    lua_setglobal(L, "N");
    if (lua_gettop(L) == 0)
        lua_pushnil(L);
    lua_settop(L, 1);
    lua_setglobal(L, "V");
    return failed;
}

static void decodes_to(struct machine *m, const char *bytes, size_t len, const char *expected)
{
    char body[256];
    assert_int_equal(decode(m, bytes, len, 0, false), 0);
    snprintf(body, sizeof body, "eq(V, %s)", expected);
    machine_run(m, body);
}
#define DECODES(m, bytes, expected) decodes_to(m, bytes, sizeof(bytes) - 1, expected)

static void is_malformed(struct machine *m, const char *bytes, size_t len)
{
    assert_int_not_equal(decode(m, bytes, len, 0, false), 0);
    machine_run(m, "eq(V.code, 'bad_format') eq(V.message, 'malformed message')");
}
#define MALFORMED(m, bytes) is_malformed(m, bytes, sizeof(bytes) - 1)

static void every_head_is_read(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    DECODES(m, "", "nil");
    DECODES(m, "\xc0", "nil");
    DECODES(m, "\xc2", "false");
    DECODES(m, "\xc3", "true");
    DECODES(m, "\x7f", "127");
    DECODES(m, "\xe0", "-32");
    DECODES(m, "\xcc\xff", "255");
    DECODES(m, "\xcd\xff\xff", "65535");
    DECODES(m, "\xce\xff\xff\xff\xff", "4294967295");
    DECODES(m, "\xcf\x00\x00\x00\x01\x00\x00\x00\x00", "4294967296");
    DECODES(m, "\xcf\x80\x00\x00\x00\x00\x00\x00\x00", "2^63");
    DECODES(m, "\xd0\x80", "-128");
    DECODES(m, "\xd1\x80\x00", "-32768");
    DECODES(m, "\xd2\x80\x00\x00\x00", "-2147483648");
    DECODES(m, "\xd3\xff\xff\xff\xff\xff\xff\xff\xfe", "-2");
    DECODES(m, "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "1.5");
    DECODES(m,
            "\xa3"
            "abc",
            "'abc'");
    DECODES(m,
            "\xd9\x03"
            "abc",
            "'abc'");
    DECODES(m,
            "\xda\x00\x03"
            "abc",
            "'abc'");
    DECODES(m,
            "\xdb\x00\x00\x00\x03"
            "abc",
            "'abc'");
    DECODES(m, "\x92\x01\x90", "{ 1, {} }");
    DECODES(m, "\xdc\x00\x02\x01\x02", "{ 1, 2 }");
    DECODES(m,
            "\x82\x01\xc3\xa1"
            "a\x81\xc2\x05",
            "{ true, a = { [false] = 5 } }");
    DECODES(m,
            "\xde\x00\x01\xa1"
            "a\x01",
            "{ a = 1 }");
    machine_delete(m);
}

static void bytes_that_are_no_value_are_refused(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    MALFORMED(m, "\xc1");
    MALFORMED(m, "\xcd\x01");
    MALFORMED(m, "\xcc");
    MALFORMED(m, "\xa3"
                 "ab");
    MALFORMED(m, "\xdb\xff\xff\xff\xff"
                 "ab");
    MALFORMED(m, "\xdd\xff\xff\xff\xff");
    MALFORMED(m, "\xdf\xff\xff\xff\xff\x01");
    MALFORMED(m, "\x92\x01");
    MALFORMED(m, "\x81\xa1"
                 "a");
    MALFORMED(m, "\x81\xc0\x01");
    MALFORMED(m, "\x81\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\x01");
    char deep[200];
    memset(deep, 0x91, sizeof deep);
    is_malformed(m, deep, sizeof deep);
    machine_delete(m);
}

static void functions_are_their_values_where_they_are_allowed_and_else_nil(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    char term[3 + DZ_VM_FUNCTION_BYTES] = {(char)0xc7, DZ_VM_FUNCTION_BYTES, DZ_EXT_FUNCTION};
    lua_getglobal(L, "print");
    dz_vm_function_ref(L, -1, (uint8_t *)term + 3);
    lua_pop(L, 1);
    assert_int_equal(decode(m, term, sizeof term, DZ_CODEC_FUNCTIONS, false), 0);
    machine_run(m, "eq(V, print)");
    assert_int_equal(decode(m, term, sizeof term, 0, false), 0);
    machine_run(m, "eq(V, nil)");
    term[3 + 7] ^= 1; /* another state's */
    assert_int_equal(decode(m, term, sizeof term, DZ_CODEC_FUNCTIONS, false), 0);
    machine_run(m, "eq(V, nil)");
    machine_delete(m);
}

static void arguments_are_pushed_one_by_one(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    assert_int_equal(decode(m, "", 0, 0, true), 0);
    machine_run(m, "eq(N, 0)");
    assert_int_equal(decode(m, "\x93\x05\xc0\xc0", 4, 0, true), 0);
    machine_run(m, "eq(N, 3) eq(V, 5)");
    assert_int_not_equal(decode(m, "\x05", 1, 0, true), 0);
    machine_run(m, "eq(V.code, 'bad_format')");
    assert_int_not_equal(decode(m, "\xdd\x00\x10\x00\x00\x01", 6, 0, true), 0);
    machine_run(m, "eq(V.code, 'bad_format')");
    static char many[3 + 9000] = "\xdc\x23\x28";
    assert_int_not_equal(decode(m, many, sizeof many, 0, true), 0);
    machine_run(m, "eq(V.code, 'too_large') eq(V.message, 'too many arguments: 9000')");
    machine_delete(m);
}

static void only_what_needs_no_memory_is_pushed_as_fixed(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    assert_true(dz_codec_push_fixed(L, (const uint8_t *)"\xc0", 1));
    assert_true(dz_codec_push_fixed(L, (const uint8_t *)"\xc3", 1));
    assert_true(dz_codec_push_fixed(L, (const uint8_t *)"\x05", 1));
    assert_true(dz_codec_push_fixed(L, (const uint8_t *)"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", 9));
    assert_int_equal(lua_gettop(L), 4);
    assert_true(lua_isnil(L, 1) && lua_toboolean(L, 2) && lua_tonumber(L, 3) == 5 &&
                lua_tonumber(L, 4) == 1.5);
    assert_false(dz_codec_push_fixed(L, (const uint8_t *)"\xa1x", 2));
    assert_false(dz_codec_push_fixed(L, (const uint8_t *)"\x90", 1));
    assert_false(dz_codec_push_fixed(L, (const uint8_t *)"\xc1", 1));
    assert_false(dz_codec_push_fixed(L, (const uint8_t *)"", 0));
    assert_int_equal(lua_gettop(L), 4);
    lua_settop(L, 0);
    machine_delete(m);
}

static void a_scalar_is_pushed_and_a_table_left_where_it_is(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    struct dz_read r;
    dz_read_init(&r, (const uint8_t *)"\x05\xa1x\xce\x00\x01\x00\x00\x90", 9);
    assert_true(dz_codec_push_scalar(L, &r));
    assert_true(dz_codec_push_scalar(L, &r));
    assert_true(dz_codec_push_scalar(L, &r));
    assert_true(lua_tonumber(L, 1) == 5 && lua_tonumber(L, 3) == 65536);
    assert_false(dz_codec_push_scalar(L, &r));
    assert_int_equal(*r.at, 0x90);
    assert_int_equal(lua_gettop(L), 3);
    lua_settop(L, 0);
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_head_is_read),
        cmocka_unit_test(bytes_that_are_no_value_are_refused),
        cmocka_unit_test(functions_are_their_values_where_they_are_allowed_and_else_nil),
        cmocka_unit_test(arguments_are_pushed_one_by_one),
        cmocka_unit_test(only_what_needs_no_memory_is_pushed_as_fixed),
        cmocka_unit_test(a_scalar_is_pushed_and_a_table_left_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
