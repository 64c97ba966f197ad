/* bind_sim.c - see bind_sim.h.
 * Owns:    nothing.
 * Threads: the worker's own.
 * Fails:   never but by misuse, which sim.lua has looked for. */
#include "vm/bind_sim.h"

#include "vm/vm.h"

static const struct dz_vm_simulation *simulation_of(lua_State *L)
{
    return dz_vm_shared_of(L)->simulation;
}

/* sim_phase() -> "storm", "calm", "settled"; nil without a simulator */
static int sim_phase(lua_State *L)
{
    const struct dz_vm_simulation *s = simulation_of(L);
    if (!s)
        return 0;
    lua_pushstring(L, s->phase(s->ctx));
    return 1;
}

/* sim_seed() -> the seed of this run */
static int sim_seed(lua_State *L)
{
    const struct dz_vm_simulation *s = simulation_of(L);
    if (!s)
        return 0;
    lua_pushnumber(L, (lua_Number)s->seed);
    return 1;
}

/* sim_check(name) -> its number */
static int sim_check(lua_State *L)
{
    const struct dz_vm_simulation *s = simulation_of(L);
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    if (!s)
        return 0;
    lua_pushnumber(L, s->check(s->ctx, name, len));
    return 1;
}

/* sim_held(number) */
static int sim_held(lua_State *L)
{
    const struct dz_vm_simulation *s = simulation_of(L);
    if (s)
        s->held(s->ctx, (uint32_t)luaL_checknumber(L, 1));
    return 0;
}

/* sim_failed(number, why) */
static int sim_failed(lua_State *L)
{
    const struct dz_vm_simulation *s = simulation_of(L);
    size_t len;
    const char *why = luaL_checklstring(L, 2, &len);
    if (s)
        s->failed(s->ctx, (uint32_t)luaL_checknumber(L, 1), why, len);
    return 0;
}

/* sim_note(text) */
static int sim_note(lua_State *L)
{
    const struct dz_vm_simulation *s = simulation_of(L);
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    if (s)
        s->note(s->ctx, text, len);
    return 0;
}

void dz_bind_sim_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"sim_phase", sim_phase}, {"sim_seed", sim_seed},     {"sim_check", sim_check},
                                         {"sim_held", sim_held},   {"sim_failed", sim_failed}, {"sim_note", sim_note},
                                         {NULL, NULL}};
    luaL_register(L, NULL, functions);
}
