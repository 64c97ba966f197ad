/* bind_support.c - see bind_support.h. */
#include "vm/bind_support.h"

#include "base/err.h"

int dz_bind_spawn_here(lua_State *L, struct dz_msg *spawn)
{
    if (!spawn)
        return dz_vm_raise(L, DZ_ENOMEM, "out of memory");
    return dz_vm_ask_spawn(L, dz_vm_thread(L)->index, &spawn, DZ_INFINITY);
}

/* make_error(code, message [, fields]) -> the error table, for Lua code that raises what the core would
 * raise. */
static int make_error(lua_State *L)
{
    const char *code = luaL_checkstring(L, 1);
    const char *message = luaL_checkstring(L, 2);
    int err = dz_err_from_name(code);
    lua_settop(L, 3);
    dz_vm_push_error(L, err ? err : DZ_EARGUMENT, "%s", message);
    if (!lua_istable(L, 3))
        return 1;
    lua_pushnil(L);
    while (lua_next(L, 3)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2); /* error, key, key, value */
        lua_settable(L, 4);
    }
    return 1;
}

void dz_bind_support_open(lua_State *L)
{
    lua_pushcfunction(L, make_error);
    lua_setfield(L, -2, "make_error");
}
