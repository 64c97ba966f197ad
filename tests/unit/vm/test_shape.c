/* test_shape.c - maps that look alike are made by one function: which are learnt, and that nobody can tell
 * the difference. */
#include "machine.h"
#include "vm/state.h"

/* echo(v): through a mailbox and back. */
#define ECHO_LUA "local function echo(v) dozor.send(dozor.self(), v) return (dozor.receive(0)) end\n"

static uint32_t learnt(const struct dz_vm *vm)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < DZ_SHAPES; i++)
        n += vm->shapes.ways[i] != NULL;
    return n;
}

/* Decodes `times` times; how often a shape did it. */
static int decode(struct machine *m, const char *bytes, size_t len, int times)
{
    struct dz_vm *vm = machine_vm(m, 1);
    lua_State *L = dz_vm_main(vm);
    int hits = 0;
    for (int i = 0; i < times; i++) {
        bool hit = dz_shape_decode(L, vm, (const uint8_t *)bytes, len);
        hits += hit;
        assert_int_equal(lua_gettop(L), hit ? 1 : 0);
        if (hit)
            assert_true(lua_istable(L, 1));
        lua_settop(L, 0);
    }
    return hits;
}
#define DECODE(m, bytes, times) decode(m, bytes, sizeof(bytes) - 1, times)

static void maps_of_one_shape_and_of_many_arrive_alike(void **state)
{
    (void)state;
    machine_test(
        ECHO_LUA
        "local function shape(i)\n"
        "  local t = { type = 'x' .. i, n = i, list = { i, i + 1 }, on = i % 2 == 0, me = dozor.self(), "
        "big = 5LL, nested = { type = { 1.5, {} } } }\n"
        "  t['key' .. i] = i t['\\0\\255\\n\"' .. i] = -i\n"
        "  return t\n"
        "end\n"
        "for i = 1, 100 do for k = 1, 20 do eq(echo(shape(i)), shape(i)) end end\n"
        "for i = 1, 100 do eq(echo(shape(i)), shape(i)) end\n"
        "local function same(v) return { type = v, a = 1 } end\n"
        "for _, v in ipairs { 1, 'x', true, 300, -70000, {}, { 1 }, { 1, 2 }, { b = 1 }, ('x'):rep(40) } do\n"
        "  for k = 1, 20 do eq(echo(same(v)), same(v)) end\n"
        "end\n"
        "local wide = {} for i = 1, 15 do wide['w' .. i] = { i, i, i, i } end\n"
        "for k = 1, 40 do eq(echo(wide), wide) end\n");
}

static void a_shape_is_learnt_when_it_has_come_a_few_times(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    uint32_t before = learnt(vm);
    assert_int_equal(DECODE(m, "\x81\xa1k\x01", (int)DZ_SHAPE_PATIENCE), 0);
    assert_int_equal(learnt(vm), before + 1);
    assert_int_equal(DECODE(m, "\x81\xa1k\x01", 3), 3);
    assert_int_equal(DECODE(m, "\x81\xa1k\xa3xyz", 1), 1); /* other scalars, the same shape */
    assert_int_equal(DECODE(m, "\x81\xa1k\x91\x01", 1), 0);
    assert_int_equal(DECODE(m, "\x81\xa1j\x01", 1), 0);
    machine_delete(m);
}

static void what_is_cut_short_or_goes_on_is_not_this_shape(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    DECODE(m,
           "\x82\xa1"
           "a\x01\xa1"
           "b\x02",
           (int)DZ_SHAPE_PATIENCE);
    assert_int_equal(DECODE(m,
                            "\x82\xa1"
                            "a\x01\xa1"
                            "b\x02",
                            1),
                     1);
    assert_int_equal(DECODE(m,
                            "\x82\xa1"
                            "a\x01\xa1"
                            "b\x02\x03",
                            1),
                     0);
    assert_int_equal(DECODE(m,
                            "\x82\xa1"
                            "a\x01\xa1"
                            "b",
                            1),
                     0);
    assert_int_equal(DECODE(m,
                            "\x82\xa1"
                            "a\x01",
                            1),
                     0);
    assert_int_equal(DECODE(m,
                            "\x82\xa1"
                            "a\x01\xa1"
                            "b\xc1",
                            1),
                     0);
    assert_int_equal(DECODE(m, "\x81", 1), 0);
    machine_delete(m);
}

static void what_varies_too_much_or_is_malformed_is_never_learnt(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    uint32_t before = learnt(machine_vm(m, 1));
    DECODE(m, "\x81\x01\x01", 100); /* a key that is no string */
    DECODE(m,
           "\x81\xa1"
           "e\x80",
           100); /* nothing to fill in */
    DECODE(m,
           "\x81\xa1"
           "x\xc1",
           100); /* no value */
    DECODE(m,
           "\x81\xa1"
           "x\x01\x01",
           100); /* something behind it */
    DECODE(m, "\x81\xa1l\xdc\x00\x11\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01",
           100);                                                             /* a long list */
    DECODE(m, "\x81\xa1n\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01", 100); /* deep */
    char wide[4096], *at = wide;
    at += sprintf(at, "\x8f");
    for (int i = 0; i < 15; i++)
        at += sprintf(at, "\xa2w%c\x94\x01\x02\x03\x04", 'a' + i);
    decode(m, wide, (size_t)(at - wide), 100); /* too many scalars */
    at = wide + sprintf(wide, "\x8f");
    for (int i = 0; i < 15; i++) {
        *at++ = (char)0xd9;
        *at++ = 100;
        memset(at, 'a' + i, 100);
        at[100] = 1;
        at += 101;
    }
    decode(m, wide, (size_t)(at - wide), 100); /* too many bytes */
    assert_int_equal(learnt(machine_vm(m, 1)), before);
    machine_delete(m);
}

static void their_number_is_bounded_and_a_place_fought_for_is_taken_ever_more_rarely(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    char bytes[] = "\x82\xa1"
                   "a\x01\xa2"
                   "xy\x01";
    for (int i = 0; i < 2000; i++) {
        bytes[5] = (char)('A' + i % 40);
        bytes[6] = (char)('A' + i / 40);
        decode(m, bytes, sizeof bytes - 1, 20);
    }
    assert_true(learnt(vm) <= DZ_SHAPES);
    uint32_t patience = 0;
    for (uint32_t i = 0; i < DZ_SHAPES / DZ_SHAPE_WAYS; i++)
        patience = vm->shapes.patience[i] > patience ? vm->shapes.patience[i] : patience;
    assert_true(patience > DZ_SHAPE_PATIENCE);
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_of_one_shape_and_of_many_arrive_alike),
        cmocka_unit_test(a_shape_is_learnt_when_it_has_come_a_few_times),
        cmocka_unit_test(what_is_cut_short_or_goes_on_is_not_this_shape),
        cmocka_unit_test(what_varies_too_much_or_is_malformed_is_never_learnt),
        cmocka_unit_test(their_number_is_bounded_and_a_place_fought_for_is_taken_ever_more_rarely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
