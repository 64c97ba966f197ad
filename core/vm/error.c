/* error.c - error tables: made, given their metatable, raised at the caller's line. */
#include "vm/state.h"

#include <stdarg.h>
#include <string.h>
#include "base/err.h"
#include "term/read.h"

static bool is_ours(const lua_Debug *ar)
{
    return strcmp(ar->what, "C") == 0 || strncmp(ar->source, "=[dozor]", 8) == 0;
}

void dz_error_push_where(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (!is_ours(&ar) && ar.currentline > 0) {
            lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

/* The caller's line, as `where` of the error table on top; a line it has already, of another process, gives way. */
static void add_where(lua_State *L)
{
    dz_error_push_where(L);
    if (lua_objlen(L, -1) > 0)
        lua_setfield(L, -2, "where");
    else
        lua_pop(L, 1);
}

/* The message is on top and becomes the table's. */
static void push_table(lua_State *L, int err)
{
    lua_createtable(L, 0, 4);
    lua_insert(L, -2);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, dz_err_name(err));
    lua_setfield(L, -2, "code");
    add_where(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, dz_vm_state(L)->error_meta);
    lua_setmetatable(L, -2);
}

void dz_vm_push_error(lua_State *L, int err, const char *format, ...)
{
    va_list args;
    luaL_checkstack(L, 8, "error");
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    push_table(L, err);
}

int dz_vm_raise(lua_State *L, int err, const char *format, ...)
{
    va_list args;
    luaL_checkstack(L, 8, "error");
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    push_table(L, err);
    return lua_error(L);
}

static void push_got(lua_State *L, int index)
{
    int type = index ? lua_type(L, index) : LUA_TNONE;
    if (type == LUA_TNONE)
        lua_pushliteral(L, "no value");
    else if (type == LUA_TSTRING && lua_objlen(L, index) <= 64)
        lua_pushfstring(L, "\"%s\"", lua_tostring(L, index));
    else if (type == LUA_TNUMBER)
        lua_pushfstring(L, "%f", lua_tonumber(L, index));
    else if (type == LUA_TBOOLEAN)
        lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
    else
        lua_pushfstring(L, "%s%s", type == LUA_TNIL ? "" : "a ", lua_typename(L, type));
}

int dz_vm_raise_argument(lua_State *L, const char *argument, const char *expected, int index)
{
    luaL_checkstack(L, 10, "error");
    push_got(L, index);
    int got = lua_gettop(L);
    dz_vm_push_error(L, DZ_EARGUMENT, "%s must be %s, got %s", argument, expected, lua_tostring(L, got));
    lua_pushvalue(L, got);
    lua_setfield(L, -2, "got");
    lua_pushstring(L, argument);
    lua_setfield(L, -2, "argument");
    lua_pushstring(L, expected);
    lua_setfield(L, -2, "expected");
    return lua_error(L);
}

int dz_vm_raise_term(lua_State *L, const uint8_t *data, size_t len, int dest)
{
    luaL_checkstack(L, 8, "error");
    dz_codec_decode(L, data, len, 0);
    if (lua_istable(L, -1)) {
        add_where(L);
        if (dest) {
            lua_pushvalue(L, dest);
            lua_setfield(L, -2, "dest");
        }
        lua_rawgeti(L, LUA_REGISTRYINDEX, dz_vm_state(L)->error_meta);
        lua_setmetatable(L, -2);
    }
    return lua_error(L);
}
