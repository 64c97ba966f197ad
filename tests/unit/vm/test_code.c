/* Whose code is where, read from lines of a memory map and from the one of this program. */
#include "vm/code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

#define CORE 0x555500001500u
#define LUA  0x7f0000005000u

static void take(struct dz_code *c, const char *line)
{
    dz_code_take_line(c, line, CORE, LUA);
}

static void each_address_belongs_to_the_mapping_it_is_in(void **state)
{
    (void)state;
    struct dz_code c = { 0 };
    take(&c, "555500000000-555500001000 r--p 00000000 fe:01 123                        /usr/bin/dozor");
    take(&c, "555500001000-555500002000 r-xp 00001000 fe:01 123                        /usr/bin/dozor");
    take(&c, "555500010000-555500020000 r-xp 00000000 00:00 0 ");
    take(&c, "7f0000000000-7f0000004000 r-xp 00000000 fe:01 7   /usr/lib/libuv.so.1");
    take(&c, "7f0000004000-7f0000008000 r-xp 00000000 fe:01 9   /usr/lib/libluajit-5.1.so.2");
    take(&c, "7f0000008000-7f0000009000 rw-p 00000000 00:00 0 ");
    take(&c, "7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0                          [vdso]");
    assert_int_equal(dz_code_at(&c, 0x555500000800u), DZ_CODE_FOREIGN);
    assert_int_equal(dz_code_at(&c, 0x555500001000u), DZ_CODE_CORE);
    assert_int_equal(dz_code_at(&c, 0x555500001fffu), DZ_CODE_CORE);
    assert_int_equal(dz_code_at(&c, 0x555500002000u), DZ_CODE_FOREIGN);
    assert_int_equal(dz_code_at(&c, 0x555500010000u), DZ_CODE_MACHINE);
    assert_int_equal(dz_code_at(&c, 0x7f0000001000u), DZ_CODE_FOREIGN);
    assert_int_equal(dz_code_at(&c, 0x7f0000004000u), DZ_CODE_LUA);
    assert_int_equal(dz_code_at(&c, 0x7f0000008100u), DZ_CODE_FOREIGN);
    assert_int_equal(dz_code_at(&c, 0x7ffc00000100u), DZ_CODE_FOREIGN);
}

static void neighbouring_regions_of_machine_code_are_one(void **state)
{
    (void)state;
    struct dz_code c = { 0 };
    take(&c, "1000-2000 r-xp 00000000 00:00 0 ");
    take(&c, "2000-3000 r-xp 00000000 00:00 0 ");
    take(&c, "4000-5000 r-xp 00000000 00:00 0 ");
    assert_int_equal(c.machine_count, 2);
    assert_int_equal(dz_code_at(&c, 0x2fff), DZ_CODE_MACHINE);
    assert_int_equal(dz_code_at(&c, 0x3000), DZ_CODE_FOREIGN);
}

static void more_regions_than_there_is_room_for_are_foreign(void **state)
{
    (void)state;
    struct dz_code c = { 0 };
    char line[64];
    for (unsigned i = 1; i <= DZ_CODE_MACHINE_MAX + 5; i++) {
        snprintf(line, sizeof line, "%x0000-%x1000 r-xp 00000000 00:00 0 ", i, i);
        take(&c, line);
    }
    assert_int_equal(c.machine_count, DZ_CODE_MACHINE_MAX);
    assert_int_equal(dz_code_at(&c, (uintptr_t)DZ_CODE_MACHINE_MAX << 16), DZ_CODE_MACHINE);
    assert_int_equal(dz_code_at(&c, (uintptr_t)(DZ_CODE_MACHINE_MAX + 1) << 16), DZ_CODE_FOREIGN);
}

static void nonsense_is_passed_over(void **state)
{
    (void)state;
    struct dz_code c = { 0 };
    take(&c, "");
    take(&c, "-");
    take(&c, "1000");
    take(&c, "1000-2000");
    take(&c, "1000-2000 r");
    take(&c, "zzz");
    assert_int_equal(c.machine_count, 0);
}

static void this_program_knows_its_own_code_and_luajits(void **state)
{
    (void)state;
    struct dz_code c;
    void *ctx;
    lua_State *L = luaL_newstate();
    uintptr_t lua = (uintptr_t)lua_getallocf(L, &ctx);
    uintptr_t core = (uintptr_t)this_program_knows_its_own_code_and_luajits;
    dz_code_read(&c, core, lua);
    assert_int_equal(dz_code_at(&c, core), DZ_CODE_CORE);
    assert_int_equal(dz_code_at(&c, lua), DZ_CODE_LUA);
    assert_int_equal(dz_code_at(&c, (uintptr_t)&c), DZ_CODE_FOREIGN);
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address_belongs_to_the_mapping_it_is_in),
        cmocka_unit_test(neighbouring_regions_of_machine_code_are_one),
        cmocka_unit_test(more_regions_than_there_is_room_for_are_foreign),
        cmocka_unit_test(nonsense_is_passed_over),
        cmocka_unit_test(this_program_knows_its_own_code_and_luajits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
