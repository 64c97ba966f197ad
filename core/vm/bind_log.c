/* bind_log.c - see bind_log.h. */
#include "vm/bind_log.h"

#include <lua-cjson.h>
#include "base/log.h"
#include "vm/vm.h"

#define MAX_FIELDS 32

/* The strings of both lists stay on the stack, so that the pointers into them stay good. */
static size_t read_fields(lua_State *L, struct dz_log_field *fields)
{
    size_t count = lua_istable(L, 3) && lua_istable(L, 4) ? lua_objlen(L, 3) : 0;
    if (count > MAX_FIELDS)
        count = MAX_FIELDS;
    luaL_checkstack(L, (int)count * 2 + 4, "log");
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 3, (int)i + 1);
        lua_rawgeti(L, 4, (int)i + 1);
        fields[i].name = luaL_checkstring(L, -2);
        fields[i].value = luaL_checkstring(L, -1);
    }
    return count;
}

/* log(level, text [, names, values]): level 0 debug .. 3 error; both lists hold strings. Without the lists it
 * only tells whether such a line would be written when `text` is nil. */
static int log_line(lua_State *L)
{
    const struct dz_log *log = dz_vm_rt(L)->log;
    int level = (int)luaL_checkinteger(L, 1);
    bool wanted = level >= DZ_LOG_DEBUG && level < DZ_LOG_OFF && level >= (int)log->level;
    if (wanted && !lua_isnoneornil(L, 2)) {
        struct dz_log_field fields[MAX_FIELDS];
        size_t count = read_fields(L, fields);
        dz_log_write(log, (enum dz_log_level)level, luaL_checkstring(L, 2), fields, count);
    }
    lua_pushboolean(L, wanted);
    return 1;
}

void dz_bind_log_open(lua_State *L)
{
    lua_pushcfunction(L, log_line);
    lua_setfield(L, -2, "log");
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_cjson);
    lua_setfield(L, -2, "cjson");
    lua_pop(L, 2);
}
