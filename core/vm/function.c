/* function.c - references to functions and tables of one Lua state: (worker, generation, number).
 * The state keeps every value it gave a reference to; the same value always gets the same number. */
#include "vm/state.h"

#include "base/assert.h"

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The number of the value at idx, given now if it has none. */
static uint32_t number_of(lua_State *L, struct dz_vm *vm, int idx)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->numbers);
    lua_pushvalue(L, idx);
    lua_rawget(L, -2);
    uint32_t number = (uint32_t)lua_tonumber(L, -1);
    lua_pop(L, 1);
    if (number == 0) {
        number = vm->function_count + 1;
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->functions);
        lua_pushvalue(L, idx);
        lua_rawseti(L, -2, (int)number);
        lua_pop(L, 1);
        lua_pushvalue(L, idx);
        lua_pushnumber(L, number);
        lua_rawset(L, -3);
        vm->function_count = number;
    }
    lua_pop(L, 1);
    return number;
}

void dz_vm_function_ref(lua_State *L, int idx, uint8_t out[DZ_VM_FUNCTION_BYTES])
{
    struct dz_vm *vm = dz_vm_state(L);
    if (idx < 0 && idx > LUA_REGISTRYINDEX)
        idx = lua_gettop(L) + 1 + idx;
    luaL_checkstack(L, 6, "reference");
    put32(out, vm->thread->index);
    put32(out + 4, vm->generation);
    put32(out + 8, number_of(L, vm, idx));
    out[12] = lua_istable(L, idx) ? 't' : 'f';
}

bool dz_vm_function_push(lua_State *L, const uint8_t *bytes, size_t len)
{
    struct dz_vm *vm = dz_vm_state(L);
    if (len != DZ_VM_FUNCTION_BYTES || get32(bytes) != vm->thread->index ||
        get32(bytes + 4) != vm->generation)
        return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->functions);
    lua_rawgeti(L, -1, (int)get32(bytes + 8));
    lua_remove(L, -2);
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

uint32_t dz_vm_function_thread(const uint8_t *bytes, size_t len)
{
    return len == DZ_VM_FUNCTION_BYTES ? get32(bytes) : 0;
}
