/* test_codec.c - what survives a message, and what is refused. */
#include "machine.h"
#include "vm/state.h"

/* echo(v): through a mailbox and back. */
#define ECHO_LUA "local function echo(v) dozor.send(dozor.self(), v) return (dozor.receive(0)) end\n"

static void scalars_survive(void **state)
{
    (void)state;
    machine_test(ECHO_LUA
                 "for _, v in ipairs { 0, 1, -1, 127, 128, -32, -33, 255, 256, 65535, 65536, -128, -129, "
                 "-32768, -32769,\n"
                 "    2^31, 2^32 - 1, 2^32, -2^31, -2^31 - 1, 2^53, -2^53, 2^53 + 2, 1e308, 0.1, 1/0, -1/0, "
                 "true, false, '', 'a\\0b\\255',\n"
                 "    ('x'):rep(31), ('x'):rep(32), ('x'):rep(255), ('x'):rep(256), ('x'):rep(70000) } do\n"
                 "  local back = echo(v)\n"
                 "  assert(back == v and type(back) == type(v), tostring(v))\n"
                 "end\n"
                 "eq(echo(nil), nil)\n"
                 "local nan = echo(0/0) assert(nan ~= nan)\n"
                 "assert(1 / echo(-0.0) == -1/0)\n"
                 "assert(1 / echo(0) == 1/0)\n");
}

static void boxed_integers_stay_boxed(void **state)
{
    (void)state;
    machine_test(ECHO_LUA "local v = echo(-9223372036854775807LL - 1LL)\n"
                          "assert(type(v) == 'cdata' and v == -9223372036854775807LL - 1LL)\n"
                          "local u = echo(18446744073709551615ULL)\n"
                          "assert(type(u) == 'cdata' and u == 18446744073709551615ULL)\n"
                          "assert(tostring(echo(5LL)) == '5LL' and tostring(echo(5ULL)) == '5ULL')\n");
}

static void tables_arrive_with_the_keys_they_had(void **state)
{
    (void)state;
    machine_test(
        ECHO_LUA
        "for _, t in ipairs {\n"
        "  {}, {1, 2, 3}, {1, nil, 3}, {[3] = 1}, {[0] = 1, 2}, {[1.5] = 'x'}, {[true] = 1, [false] = 2}, {a "
        "= {b = {c = {}}}},\n"
        "  {1, 2, x = 3}, {[-1] = 1}, {1, 2, nil, 4, nil}, {[2] = 'b', [1] = 'a'}, {[1] = 1, [2^40] = 2} } "
        "do eq(echo(t), t) end\n"
        "local long, map = {}, {}\n"
        "for i = 1, 70000 do long[i] = i end\n"
        "for i = 1, 70000 do map['k' .. i] = i end\n"
        "local back = echo(long) assert(#back == 70000 and back[70000] == 70000)\n"
        "back = echo(map) local n = 0 for k, v in pairs(back) do n = n + 1 assert(k == 'k' .. v) end eq(n, "
        "70000)\n"
        "for n = 14, 18 do local t = {} for i = 1, n do t['k' .. i] = i end eq(echo(t), t) end\n"
        "local reversed = {} for i = 20, 1, -1 do reversed[i] = i end eq(echo(reversed), reversed)\n");
}

static void a_table_met_twice_is_copied_twice(void **state)
{
    (void)state;
    machine_test(ECHO_LUA
                 "local s = {1} local back = echo { s, s } assert(back[1] ~= back[2]) eq(back, {{1}, {1}})");
}

static void metatables_are_not_sent(void **state)
{
    (void)state;
    machine_test(
        ECHO_LUA
        "local back = echo(setmetatable({ 1 }, { __index = { x = 2 } })) eq(back.x, nil) eq(back, { 1 })");
}

static void what_cannot_be_sent_is_named_with_its_path(void **state)
{
    (void)state;
    machine_test(
        "local function refused(v, message)\n"
        "  local err = fails('bad_message', dozor.send, dozor.self(), v)\n"
        "  eq(err.message, message) return err\n"
        "end\n"
        "local e = refused({ list = { 1, 2, { cb = print } } }, 'message.list[3].cb: a function cannot be "
        "sent')\n"
        "eq(e.path, 'message.list[3].cb')\n"
        "local _, where = pcall(function() dozor.send(dozor.self(), print) end)\n"
        "assert(tostring(where):find('^body:%d+: bad_message: message: a function'), tostring(where))\n"
        "refused(coroutine.create(print), 'message: a coroutine cannot be sent')\n"
        "refused({ ['a key'] = io.stdout }, 'message[\"a key\"]: userdata cannot be sent')\n"
        "refused({ [{}] = 1 }, 'message[a table]: a table cannot be a key')\n"
        "refused({ x = require('ffi').new('int[2]') }, 'message.x: this cdata cannot be sent')\n"
        "local cycle = { a = {} } cycle.a.b = cycle\n"
        "refused(cycle, 'message.a.b: a table that contains itself cannot be sent')\n"
        "refused({ x = dozor.NOREPLY }, 'message.x: userdata cannot be sent')\n"
        "local args = fails('bad_message', dozor.spawn, 'counter', { 1, print })\n"
        "eq(args.message, 'args[2]: a function cannot be sent')\n");
}

static void the_limits_are_64_levels_and_16_mib(void **state)
{
    (void)state;
    machine_test(ECHO_LUA
                 "local function nest(n) local t = {} for _ = 2, n do t = { t } end return t end\n"
                 "echo(nest(64))\n"
                 "local e = fails('bad_message', echo, nest(65))\n"
                 "assert(e.message:find('nested deeper than 64 levels'))\n"
                 "echo(('x'):rep(16 * 1024 * 1024 - 8))\n"
                 "e = fails('bad_message', echo, ('x'):rep(16 * 1024 * 1024))\n"
                 "assert(e.message:find('larger than 16 MiB'), e.message)\n"
                 "e = fails('bad_message', echo, { a = { ('x'):rep(9 * 2^20), ('y'):rep(9 * 2^20) } })\n"
                 "assert(e.path:find('^message.a%[2%]'), e.path)\n");
}

static void pids_and_refs_are_strings_that_survive(void **state)
{
    (void)state;
    machine_test(ECHO_LUA
                 "local me = dozor.self()\n"
                 "assert(type(me) == 'string' and me:find('^<local@127.0.0.1:0/%d+%.%d+%.%d+>$'), me)\n"
                 "assert(echo(me) == me)\n"
                 "local t = echo { [me] = 1, x = me } assert(t[me] == 1 and t.x == me)\n"
                 "local ref = dozor.monitor(me) assert(ref:find('^<ref ')) assert(echo(ref) == ref)\n"
                 "for _, s in ipairs { '<>', '<a>', '<local@x>', '<ref >', '<local@127.0.0.1:0/1.2>', '<' .. "
                 "('x'):rep(300) .. '>' } do\n"
                 "  assert(echo(s) == s)\n"
                 "end\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_survive),
        cmocka_unit_test(boxed_integers_stay_boxed),
        cmocka_unit_test(tables_arrive_with_the_keys_they_had),
        cmocka_unit_test(a_table_met_twice_is_copied_twice),
        cmocka_unit_test(metatables_are_not_sent),
        cmocka_unit_test(what_cannot_be_sent_is_named_with_its_path),
        cmocka_unit_test(the_limits_are_64_levels_and_16_mib),
        cmocka_unit_test(pids_and_refs_are_strings_that_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
