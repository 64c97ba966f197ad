/* bind_behavior.c - behaviours for lua/dozor/registry.lua: where sources are, what is registered, callbacks
 * of a compiled one. */
#include "base/err.h"
#include "vm/embed.h"
#include "vm/state.h"

static struct dz_behaviors *behaviors(lua_State *L)
{
    return dz_vm_state(L)->shared->behaviors;
}

static const char *check_text(lua_State *L, int idx, const char *argument, size_t *len)
{
    if (lua_type(L, idx) != LUA_TSTRING)
        dz_vm_raise_argument(L, argument, "a string", idx);
    return lua_tolstring(L, idx, len);
}

/* behavior_find(name) -> "file", source, path; or "table", thread, is it this state's; or nothing. */
static int behavior_find(lua_State *L)
{
    size_t len;
    const struct dz_behavior *b;
    const struct dz_vm *vm = dz_vm_state(L);
    const char *name = check_text(L, 1, "name", &len);
    int err = dz_behaviors_find(behaviors(L), name, len, &b);
    if (err == DZ_ENOBEHAVIOR)
        return 0;
    if (err)
        return dz_vm_raise(L, err, "%s: %s", name, dz_err_text(err));
    if (b->kind == DZ_BEHAVIOR_TABLE) {
        lua_pushliteral(L, "table");
        lua_pushnumber(L, b->thread);
        lua_pushboolean(L, b->thread == vm->thread->index && b->generation == vm->generation);
        return 3;
    }
    lua_pushliteral(L, "file");
    lua_pushlstring(L, (const char *)b->source, b->source_len);
    lua_pushstring(L, b->path);
    return 3;
}

/* behavior_places(name) -> where it was looked for, as text */
static int behavior_places(lua_State *L)
{
    size_t len;
    const char *name = check_text(L, 1, "name", &len);
    struct dz_buf *b = dz_codec_scratch(dz_vm_state(L));
    int err = dz_behaviors_places(behaviors(L), name, len, b);
    if (err)
        return dz_vm_raise(L, err, "%s", dz_err_text(err));
    lua_pushlstring(L, (const char *)b->data, b->len);
    return 1;
}

/* behavior_bind(name or nil, number, table, wants_from, local, counts_args): the callbacks, for spawning by that
 * name or reference. */
static int behavior_bind(lua_State *L)
{
    size_t len = 0;
    bool named = lua_type(L, 1) == LUA_TSTRING;
    const char *name = named ? lua_tolstring(L, 1, &len) : NULL;
    bool wants_from = lua_toboolean(L, 4), local = lua_toboolean(L, 5), counts_args = lua_toboolean(L, 6);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    struct dz_handlers *h = dz_handlers_bind(L, dz_vm_state(L), name, len, (uint32_t)lua_tonumber(L, 2));
    h->wants_from = wants_from;
    h->local = local;
    h->counts_args = counts_args;
    return 0;
}

/* true; or nil, the short name of what is wrong */
static int push_outcome(lua_State *L, int err)
{
    if (!err) {
        lua_pushboolean(L, true);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, dz_err_name(err));
    return 2;
}

/* behavior_register_file(name, path) -> true; or nil, the short name of what is wrong */
static int behavior_register_file(lua_State *L)
{
    size_t len;
    const char *name = check_text(L, 1, "name", &len);
    return push_outcome(L, dz_behaviors_register_file(behaviors(L), name, len, luaL_checkstring(L, 2)));
}

/* behavior_register_table(name) -> the same, for a table of this state */
static int behavior_register_table(lua_State *L)
{
    size_t len;
    const struct dz_vm *vm = dz_vm_state(L);
    const char *name = check_text(L, 1, "name", &len);
    return push_outcome(
        L, dz_behaviors_register_table(behaviors(L), name, len, vm->thread->index, vm->generation));
}

/* native_behavior(name) -> is there one in C */
static int native_behavior(lua_State *L)
{
    size_t len;
    const struct dz_vm_shared *shared = dz_vm_shared_of(L);
    const char *name = check_text(L, 1, "name", &len);
    lua_pushboolean(L, shared->native_exists && shared->native_exists(shared->ctx, name, len));
    return 1;
}

struct names {
    struct dz_buf buf;
    int err;
};

static void collect(void *ctx, const char *name, size_t len)
{
    struct names *n = ctx;
    if (!n->err)
        n->err = dz_buf_append_u16(&n->buf, (uint16_t)len);
    if (!n->err)
        n->err = dz_buf_append(&n->buf, name, len);
}

static int push_names(lua_State *L)
{
    const struct names *names = lua_touserdata(L, 1);
    int n = 0;
    lua_newtable(L);
    for (size_t at = 0; at < names->buf.len;) {
        size_t len = (size_t)names->buf.data[at] << 8 | names->buf.data[at + 1];
        lua_pushlstring(L, (const char *)names->buf.data + at + 2, len);
        lua_rawseti(L, -2, ++n);
        at += 2 + len;
    }
    return 1;
}

/* behavior_names() -> list */
static int behavior_names(lua_State *L)
{
    struct names names = {.err = 0};
    dz_buf_init(&names.buf);
    dz_behaviors_each(behaviors(L), collect, &names); /* under its lock: nothing may raise */
    lua_pushcfunction(L, push_names);
    lua_pushlightuserdata(L, &names);
    int status = names.err ? LUA_ERRMEM : lua_pcall(L, 1, 1, 0);
    dz_buf_fini(&names.buf);
    return status ? dz_vm_raise(L, DZ_ENOMEM, "out of memory") : 1;
}

/* load_native(path): a plugin in C. */
static int load_native(lua_State *L)
{
    size_t len;
    const char *why = NULL;
    struct dz_vm_shared *shared = dz_vm_shared_of(L);
    const char *path = check_text(L, 1, "path", &len);
    if (!shared->load_native)
        return dz_vm_raise(L, DZ_ECONFIG, "this host loads no native extensions");
    int err = shared->load_native(shared->ctx, path, &why);
    return err ? dz_vm_raise(L, err, "%s: %s", path, why ? why : dz_err_text(err)) : 0;
}

void dz_bind_behavior_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"behavior_find", behavior_find},
        {"behavior_places", behavior_places},
        {"behavior_bind", behavior_bind},
        {"behavior_register_file", behavior_register_file},
        {"behavior_register_table", behavior_register_table},
        {"behavior_names", behavior_names},
        {"native_behavior", native_behavior},
        {"load_native", load_native},
        {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
}
