/* bind_supervisor.c - see bind_supervisor.h.
 * A spec is plain data but for its functions, which the codec writes as references. A behaviour table must
 * become one too, though tables are data: Lua code wraps it in the C function `stand_in`, and the codec
 * writes the table's reference instead. */
#include "vm/bind_supervisor.h"

#include <string.h>
#include "base/err.h"
#include "sup/selectors.h"
#include "vm/bind_support.h"

/* spawn_supervisor(spec): the answer is the pid, or what hindered the start. */
static int spawn_supervisor(lua_State *L)
{
    dz_vm_check_wait(L, "supervisor.start");
    struct dz_msg *spec = dz_codec_message(L, dz_vm_thread(L), 1, "spec", DZ_CODEC_FUNCTIONS, DZ_MSG_SEND);
    struct dz_spawn s = {.what = DZ_SPAWN_SUPERVISOR,
                         .timeout_ms = DZ_INFINITY,
                         .spec = spec->data,
                         .spec_len = spec->len};
    struct dz_msg *m = dz_spawn_hold(&s);
    dz_msg_free(spec);
    return dz_bind_spawn_here(L, m);
}

static int stand_in(lua_State *L)
{
    return dz_vm_raise(L, DZ_EARGUMENT, "a behaviour table is not called");
}

/* behavior_reference(table) -> a value that is sent as a reference to the table. */
static int behavior_reference(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_pushcclosure(L, stand_in, 1);
    return 1;
}

bool dz_bind_supervisor_push_table(lua_State *L, int idx)
{
    return lua_tocfunction(L, idx) == stand_in && lua_getupvalue(L, idx, 1) != NULL;
}

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* register_selector(name, fn) -> true, or false when the name is taken by another function. */
static int register_selector(lua_State *L)
{
    size_t len;
    uint8_t bytes[DZ_VM_FUNCTION_BYTES];
    const char *name = luaL_checklstring(L, 1, &len);
    struct dz_selectors *selectors = dz_vm_shared_of(L)->selectors;
    luaL_checktype(L, 2, LUA_TFUNCTION);
    dz_vm_function_ref(L, 2, bytes);
    struct dz_sup_function function = {.worker = read_u32(bytes),
                                       .generation = read_u32(bytes + 4),
                                       .number = read_u32(bytes + 8),
                                       .kind = (char)bytes[12]};
    int err = selectors ? dz_selectors_register(selectors, name, len, &function) : DZ_OK;
    if (err && err != DZ_EEXIST)
        return dz_vm_raise(L, err, "%s", dz_err_text(err));
    if (!err) { /* names of selectors are never taken back */
        lua_pushvalue(L, 2);
        luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_pushboolean(L, err == DZ_OK);
    return 1;
}

void dz_bind_supervisor_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"spawn_supervisor", spawn_supervisor},
        {"behavior_reference", behavior_reference},
        {"register_selector", register_selector},
        {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
}
