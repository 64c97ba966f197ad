/* eval.c - see eval.h.
 * Owns:    one Lua state for the time of a call.
 * Threads: any.
 * Fails:   see eval.h. */
#include "vm/eval.h"

#include <lauxlib.h>
#include <lua-cjson.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "term/build.h"

struct eval {
    const char *path;
    unsigned flags;
    enum dz_eval_kind kind;
    struct dz_buf *out;
    struct dz_build build;
    int err;
};

/* --- values --- */

static void encode(lua_State *L, struct eval *e, const char *path, int depth);

static int refuse(lua_State *L, struct eval *e, const char *path, const char *what)
{
    e->err = DZ_EMESSAGE;
    return luaL_error(L, "%s: %s", *path ? path : "the value", what);
}

static void build_reference(struct eval *e, char kind)
{
    uint8_t bytes[13] = { 0 };
    bytes[3] = 1; /* a worker there could be */
    bytes[12] = (uint8_t)kind;
    dz_build_ext(&e->build, DZ_EXT_FUNCTION, bytes, sizeof bytes);
}

static bool has_function(lua_State *L, const char *field)
{
    lua_getfield(L, -1, field);
    bool found = lua_isfunction(L, -1);
    lua_pop(L, 1);
    return found;
}

/* True when the keys of the table on top are 1..n exactly. */
static bool is_list(lua_State *L, size_t *count, size_t *entries)
{
    *count = lua_objlen(L, -1);
    *entries = 0;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        ++*entries;
    }
    return *entries == *count;
}

static void extend(lua_State *L, char *out, size_t size, const char *path, int key)
{
    if (lua_type(L, key) == LUA_TSTRING)
        snprintf(out, size, "%s%s%s", path, *path ? "." : "", lua_tostring(L, key));
    else
        snprintf(out, size, "%s[%g]", path, lua_tonumber(L, key));
}

static void encode_list(lua_State *L, struct eval *e, const char *path, size_t count, int depth)
{
    char inner[256];
    dz_build_array(&e->build, (uint32_t)count);
    for (size_t i = 1; i <= count; i++) {
        snprintf(inner, sizeof inner, "%s[%zu]", path, i);
        lua_rawgeti(L, -1, (int)i);
        encode(L, e, inner, depth + 1);
        lua_pop(L, 1);
    }
}

static void encode_map(lua_State *L, struct eval *e, const char *path, size_t entries, int depth)
{
    char inner[256];
    dz_build_map(&e->build, (uint32_t)entries);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        int type = lua_type(L, -2);
        if (type != LUA_TSTRING && type != LUA_TNUMBER)
            refuse(L, e, path, "a key is neither a string nor a number");
        extend(L, inner, sizeof inner, path, lua_gettop(L) - 1);
        lua_pushvalue(L, -2);
        encode(L, e, inner, depth + 1);
        lua_pop(L, 1);
        encode(L, e, inner, depth + 1);
        lua_pop(L, 1);
    }
}

static void encode_table(lua_State *L, struct eval *e, const char *path, int depth)
{
    size_t count, entries;
    if (depth >= DZ_TERM_MAX_DEPTH)
        refuse(L, e, path, "nested too deep, or a table that contains itself");
    luaL_checkstack(L, 8, "nested tables");
    if ((e->flags & DZ_EVAL_FUNCTIONS) && has_function(L, "init"))
        build_reference(e, 't');
    else if (is_list(L, &count, &entries))
        encode_list(L, e, path, count, depth);
    else
        encode_map(L, e, path, entries, depth);
}

static void encode(lua_State *L, struct eval *e, const char *path, int depth)
{
    char what[64];
    size_t len;
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        dz_build_nil(&e->build);
        return;
    case LUA_TBOOLEAN:
        dz_build_bool(&e->build, lua_toboolean(L, -1));
        return;
    case LUA_TNUMBER:
        dz_build_number(&e->build, lua_tonumber(L, -1));
        return;
    case LUA_TSTRING: {
        const char *s = lua_tolstring(L, -1, &len);
        dz_build_string(&e->build, s, len);
        return;
    }
    case LUA_TTABLE:
        encode_table(L, e, path, depth);
        return;
    case LUA_TFUNCTION:
        if (e->flags & DZ_EVAL_FUNCTIONS) {
            build_reference(e, 'f');
            return;
        }
        break;
    default:
        break;
    }
    snprintf(what, sizeof what, "a %s cannot stand here", luaL_typename(L, -1));
    refuse(L, e, path, what);
}

/* --- what the file gave --- */

static bool has_field(lua_State *L, const char *field)
{
    lua_getfield(L, -1, field);
    bool found = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return found;
}

static bool is_behavior(lua_State *L)
{
    static const char *const spec[] = { "children", "child_template", "strategy", "nodes" };
    static const char *const behavior[] = { "init", "handle_call", "handle_cast", "handle_info", "terminate" };
    if (!lua_istable(L, -1))
        return false;
    for (size_t i = 0; i < sizeof spec / sizeof spec[0]; i++)
        if (has_field(L, spec[i]))
            return false;
    for (size_t i = 0; i < sizeof behavior / sizeof behavior[0]; i++)
        if (has_field(L, behavior[i]))
            return true;
    return false;
}

static void describe_fields(lua_State *L, struct eval *e)
{
    uint32_t count = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        count += lua_type(L, -2) == LUA_TSTRING;
    dz_build_map(&e->build, count);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            continue;
        dz_build_cstring(&e->build, lua_tostring(L, -2));
        dz_build_cstring(&e->build, luaL_typename(L, -1));
    }
}

static void take_value(lua_State *L, struct eval *e)
{
    size_t start = e->out->len;
    dz_build_init(&e->build, e->out);
    e->kind = DZ_EVAL_VALUE;
    if (lua_isfunction(L, -1)) {
        e->kind = DZ_EVAL_FUNCTION;
        dz_build_nil(&e->build);
    } else if (is_behavior(L)) {
        e->kind = DZ_EVAL_BEHAVIOR;
        describe_fields(L, e);
    } else {
        encode(L, e, "", 0);
    }
    if (dz_build_done(&e->build)) {
        e->err = dz_build_done(&e->build);
        luaL_error(L, "the value is too large");
    }
    if (e->out->len - start > DZ_TERM_MAX_BYTES) {
        e->err = DZ_EMESSAGE;
        luaL_error(L, "the value is larger than %d MiB", (int)(DZ_TERM_MAX_BYTES >> 20));
    }
}

/* --- running --- */

/* What needs no host can be called, the rest only be read. Globals are noted as the registry of behaviours (registry.lua) would
 * refuse them; the chunk gives the environment for the file and the function that tells the first one written. */
static const char stand_in[] =
    "local cjson = require 'cjson'\n"
    "local function nothing() end\n"
    "local harmless = {\n"
    "  ['dozor.now'] = function() return os.clock() * 1000 end,\n"
    "  ['dozor.node'] = function() return 'local@127.0.0.1:0' end,\n"
    "  ['dozor.json.encode'] = cjson.encode, ['dozor.json.decode'] = cjson.decode, ['dozor.json.null'] = cjson.null,\n"
    "  ['dozor.log.debug'] = nothing, ['dozor.log.info'] = nothing, ['dozor.log.warn'] = nothing,\n"
    "  ['dozor.log.error'] = nothing,\n"
    "  ['dozor.behaviors.register'] = nothing, ['dozor.selectors.register'] = nothing,\n"
    "}\n"
    "local function make(path)\n"
    "  return setmetatable({}, {\n"
    "    __index = function(_, key)\n"
    "      local field = path .. '.' .. tostring(key)\n"
    "      return harmless[field] or make(field)\n"
    "    end,\n"
    "    __call = function() error(path .. ' cannot be called while the file is checked', 2) end,\n"
    "  })\n"
    "end\n"
    "package.preload.dozor = function() return make('dozor') end\n"
    "local first\n"
    "local environment = setmetatable({}, {\n"
    "  __index = _G,\n"
    "  __newindex = function(_, key, value)\n"
    "    if rawget(_G, key) == nil and not first then\n"
    "      local at = debug.getinfo(2, 'Sl')\n"
    "      first = (\"%s:%d: assignment to undeclared global '%s' (a forgotten 'local'?)\"):format(at.short_src,\n"
    "        at.currentline, tostring(key))\n"
    "    end\n"
    "    rawset(_G, key, value)\n"
    "  end,\n"
    "})\n"
    "return environment, function() return first end\n";

/* Modules beside the file are found first. */
static void set_path(lua_State *L, const char *file)
{
    const char *slash = strrchr(file, '/');
    int len = slash ? (int)(slash - file) : 1;
    char dir[1024];
    snprintf(dir, sizeof dir, "%.*s", len, slash ? file : ".");
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", dir, dir, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

static int traceback(lua_State *L)
{
    if (!lua_isstring(L, 1) && !luaL_callmeta(L, 1, "__tostring")) {
        lua_getfield(L, 1, "message");
        if (!lua_isstring(L, -1))
            lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
    }
    luaL_traceback(L, L, lua_tostring(L, -1), 1);
    return 1;
}

/* The file's value is left on the stack. `environment`: where its globals are, or 0. */
static void run_file(lua_State *L, struct eval *e, int environment)
{
    lua_pushcfunction(L, traceback);
    if (luaL_loadfile(L, e->path)) {
        e->err = DZ_ESCRIPT;
        lua_error(L);
    }
    if (environment) {
        lua_pushvalue(L, environment);
        lua_setfenv(L, -2);
    }
    if (lua_pcall(L, 0, 1, -2)) {
        e->err = DZ_ESCRIPT;
        lua_error(L);
    }
}

/* What behaviours and specs may not do; a config is nobody's but the launcher's. The file's value is on top. */
static void check_globals(lua_State *L, struct eval *e, int written)
{
    if (lua_istable(L, -1) && has_field(L, "nodes"))
        return;
    lua_pushvalue(L, written);
    lua_call(L, 0, 1);
    if (!lua_isnil(L, -1)) {
        e->err = DZ_ESCRIPT;
        lua_error(L);
    }
    lua_pop(L, 1);
}

static int protected_eval(lua_State *L)
{
    struct eval *e = lua_touserdata(L, 1);
    int environment = 0;
    luaL_openlibs(L);
    set_path(L, e->path);
    if (e->flags & DZ_EVAL_STAND_IN) {
        lua_getglobal(L, "package");
        lua_getfield(L, -1, "preload");
        lua_pushcfunction(L, luaopen_cjson);
        lua_setfield(L, -2, "cjson");
        environment = lua_gettop(L) + 1;
        if (luaL_dostring(L, stand_in))
            lua_error(L);
    }
    run_file(L, e, environment);
    if (environment)
        check_globals(L, e, environment + 1);
    take_value(L, e);
    return 0;
}

static bool can_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f)
        fclose(f);
    return f != NULL;
}

int dz_eval_file(const char *path, unsigned flags, enum dz_eval_kind *kind, struct dz_buf *out, struct dz_buf *message)
{
    struct eval e = { .path = path, .flags = flags, .out = out };
    if (!can_read(path)) {
        dz_buf_printf(message, "%s: cannot be read", path);
        return DZ_EIO;
    }
    lua_State *L = luaL_newstate();
    if (!L)
        return DZ_ENOMEM;
    int failed = lua_cpcall(L, protected_eval, &e);
    if (failed) {
        const char *text = lua_tostring(L, -1);
        bool placed = e.err == DZ_ESCRIPT; /* it says the file and the line itself */
        dz_buf_printf(message, "%s%s%s", placed ? "" : path, placed ? "" : ": ", text ? text : "out of memory");
        if (!e.err)
            e.err = failed == LUA_ERRMEM ? DZ_ENOMEM : DZ_ESCRIPT;
    }
    lua_close(L);
    *kind = e.kind;
    return failed ? e.err : DZ_OK;
}
