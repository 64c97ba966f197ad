/* bind_name.c - local registered names. */
#include "base/err.h"
#include "proc/names.h"
#include "vm/state.h"

static const char *check_name_as(lua_State *L, int idx, const char *argument, size_t *len)
{
    if (lua_type(L, idx) != LUA_TSTRING)
        dz_vm_raise_argument(L, argument, "a string", idx);
    const char *name = lua_tolstring(L, idx, len);
    if (*len == 0 || *len > DZ_NAME_MAX || name[0] == '<')
        dz_vm_raise_argument(L, argument, "1 to 255 bytes, the first of them not \"<\"", idx);
    return name;
}

static const char *check_name(lua_State *L, int idx, size_t *len)
{
    return check_name_as(L, idx, "name", len);
}

/* register(name [, pid]) */
static int register_(lua_State *L)
{
    size_t len;
    struct dz_pid owner = DZ_PID_NONE;
    struct dz_rt *rt = dz_vm_rt(L);
    const char *name = check_name(L, 1, &len);
    struct dz_pid pid = dz_vm_self(L)->pid;
    if (!lua_isnoneornil(L, 2) && !dz_vm_to_pid(L, 2, &pid))
        return dz_vm_raise_argument(L, "pid", "a pid", 2);
    if (!dz_nodes_is_self(&rt->nodes, pid.node))
        return dz_vm_raise_argument(L, "pid", "a pid of this node", 2);
    int err = dz_names_register(&rt->names, &rt->table, name, len, pid, &owner);
    if (!err)
        return 0;
    dz_vm_push_error(
        L, err, err == DZ_ENAMETAKEN ? "the name %s is taken" : "cannot register %s: no such process", name);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "name");
    dz_vm_push_pid(L, owner);
    lua_setfield(L, -2, "owner");
    return lua_error(L);
}

/* check_name(name, argument): raises unless it may be registered. */
static int check(lua_State *L)
{
    size_t len;
    check_name_as(L, 1, luaL_checkstring(L, 2), &len);
    return 0;
}

/* unregister(name) -> was it registered */
static int unregister(lua_State *L)
{
    size_t len;
    const char *name = check_name(L, 1, &len);
    lua_pushboolean(L, dz_names_unregister(&dz_vm_rt(L)->names, name, len));
    return 1;
}

/* whereis(name) -> pid or nil */
static int whereis(lua_State *L)
{
    size_t len;
    const char *name = check_name(L, 1, &len);
    dz_vm_push_pid(L, dz_names_whereis(&dz_vm_rt(L)->names, name, len));
    return 1;
}

/* Under the lock of the names nothing may raise: they are collected as bytes first, each behind its length.
 */
struct collected {
    struct dz_buf buf;
    int err;
};

static void collect(void *ctx, const char *name, size_t len, struct dz_pid pid)
{
    struct collected *c = ctx;
    (void)pid;
    if (len > 0 && name[0] == '$') /* the core's own */
        return;
    if (!c->err)
        c->err = dz_buf_append_u16(&c->buf, (uint16_t)len);
    if (!c->err)
        c->err = dz_buf_append(&c->buf, name, len);
}

static int push_collected(lua_State *L)
{
    const struct collected *c = lua_touserdata(L, 1);
    int n = 0;
    lua_newtable(L);
    for (size_t at = 0; at < c->buf.len;) {
        uint16_t len = (uint16_t)(c->buf.data[at] << 8 | c->buf.data[at + 1]);
        at += sizeof len;
        lua_pushlstring(L, (const char *)c->buf.data + at, len);
        lua_rawseti(L, -2, ++n);
        at += len;
    }
    return 1;
}

/* registered() -> list of names */
static int registered(lua_State *L)
{
    struct collected c = {.err = 0};
    struct dz_rt *rt = dz_vm_rt(L);
    dz_buf_init(&c.buf);
    dz_names_each(&rt->names, collect, &c);
    lua_pushcfunction(L, push_collected);
    lua_pushlightuserdata(L, &c);
    int status = c.err ? LUA_ERRMEM : lua_pcall(L, 1, 1, 0);
    dz_buf_fini(&c.buf);
    return status ? dz_vm_raise(L, DZ_ENOMEM, "out of memory") : 1;
}

void dz_bind_name_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"register", register_},    {"unregister", unregister}, {"whereis", whereis},
        {"registered", registered}, {"check_name", check},      {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
}
