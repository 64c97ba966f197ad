#include "machine.h"

/* A caller and an idle server of one state: from the ninth time on, tables that look alike are copied without bytes. */
#define ECHO_SERVER                                                                                                    \
    "local server = dozor.spawn { init = function() return {} end, handle_call = function(msg) return msg end }\n"      \
    "local function echo(value) return dozor.call(server, value) end\n"                                                \
    "local function often(make, check) for i = 1, 40 do check(echo(make(i)), i) end end\n"

static void tables_that_look_alike_arrive_as_they_were(void **state)
{
    (void)state;
    machine_test(ECHO_SERVER
                 "often(function(i) return { id = i, name = 'n' .. i, flag = i % 2 == 0, list = { i, 'x', { y = -0.5 } }, none = {} } end,\n"
                 "  function(got, i) eq(got, { id = i, name = 'n' .. i, flag = i % 2 == 0, list = { i, 'x', { y = -0.5 } }, none = {} }) end)\n"
                 "often(function(i) return { i, i + 1, { i } } end, function(got, i) eq(got, { i, i + 1, { i } }) end)\n"
                 "often(function(i) return { ['a b'] = i, ['\\0\"\\n\\255'] = 'q', ['end'] = 1 } end,\n"
                 "  function(got, i) eq(got, { ['a b'] = i, ['\\0\"\\n\\255'] = 'q', ['end'] = 1 }) end)\n");
}

static void a_copy_is_the_receivers_own(void **state)
{
    (void)state;
    machine_test("local kept = {}\n"
                 "local server = dozor.spawn { init = function() return {} end, handle_call = function(msg)\n"
                 "  local had = msg.inner.n msg.inner.n = 'changed' msg.new = 1 kept[1] = msg return msg end }\n"
                 "local shared = { n = 1 }\n"
                 "for i = 1, 40 do\n"
                 "  local mine = { inner = shared, again = shared }\n"
                 "  local got = dozor.call(server, mine)\n"
                 "  eq(mine, { inner = { n = 1 }, again = { n = 1 } })\n"
                 "  eq(got, { inner = { n = 'changed' }, again = { n = 1 }, new = 1 })\n"
                 "  assert(got ~= kept[1] and got.inner ~= kept[1].inner)\n"
                 "end\n");
}

static void a_place_may_hold_another_scalar_or_nothing_the_next_time(void **state)
{
    (void)state;
    machine_test(ECHO_SERVER
                 "local values = { 1, 'text', true, false, 1.5, {}, { 1 }, { a = 1 } }\n"
                 "for round = 1, 10 do for _, v in ipairs(values) do eq(echo { v = v, w = 1 }, { v = v, w = 1 }) end end\n"
                 "local t = { a = 1, b = 2, c = 3 }\n"
                 "for i = 1, 40 do t.b = i % 3 > 0 and i or nil eq(echo(t), { a = 1, b = t.b, c = 3 }) end\n"
                 "local list = {}\n"
                 "for i = 1, 30 do list[i] = i eq(echo(list), list) end\n"
                 "for i = 30, 1, -1 do list[i] = nil eq(echo(list), list) end\n");
}

static void what_cannot_be_sent_is_refused_where_a_scalar_was_before(void **state)
{
    (void)state;
    machine_test(ECHO_SERVER
                 "for i = 1, 40 do echo { v = i, deep = { w = i } } end\n"
                 "local e = fails('bad_message', dozor.call, server, { v = print, deep = { w = 1 } }) eq(e.path, 'message.v')\n"
                 "e = fails('bad_message', dozor.call, server, { v = 1, deep = { w = coroutine.create(print) } })\n"
                 "eq(e.path, 'message.deep.w')\n"
                 "local circle = { v = 1 } circle.deep = circle fails('bad_message', dozor.call, server, circle)\n"
                 "eq(echo { v = 1, deep = { w = 2 } }, { v = 1, deep = { w = 2 } })\n");
}

static void metatables_stay_behind_and_are_not_asked(void **state)
{
    (void)state;
    machine_test(ECHO_SERVER
                 "local meta = { __index = function() error 'asked' end, __newindex = function() error 'asked' end }\n"
                 "for i = 1, 40 do\n"
                 "  local got = echo(setmetatable({ a = i, b = setmetatable({ i }, meta) }, meta))\n"
                 "  eq(got, { a = i, b = { i } }) eq(getmetatable(got), nil) eq(getmetatable(got.b), nil)\n"
                 "end\n");
}

static void many_looks_fight_for_few_places(void **state)
{
    (void)state;
    machine_test(ECHO_SERVER
                 "for round = 1, 30 do\n"
                 "  for n = 1, 100 do\n"
                 "    local t = { same = round } t['k' .. n] = n t['l' .. n] = { n }\n"
                 "    local got = echo(t) eq(got.same, round) eq(got['k' .. n], n) eq(got['l' .. n], { n })\n"
                 "  end\n"
                 "end\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_that_look_alike_arrive_as_they_were),
        cmocka_unit_test(a_copy_is_the_receivers_own),
        cmocka_unit_test(a_place_may_hold_another_scalar_or_nothing_the_next_time),
        cmocka_unit_test(what_cannot_be_sent_is_refused_where_a_scalar_was_before),
        cmocka_unit_test(metatables_stay_behind_and_are_not_asked),
        cmocka_unit_test(many_looks_fight_for_few_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
