/* function.c - references to functions and tables of one Lua state: (worker, generation, number).
 * Owns:    the numbers; a value lives on behind its number only while somebody keeps it: a start on its way (spawning), or
 *          a process whose spec names it (holds).
 * Threads: the state's own.
 * Fails:   by raising. */
#include "vm/state.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

#define SWEEP_MIN 64u /* holds before the first look for ended owners */

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A number that stands for nothing: they come round after 2^32. */
static uint32_t fresh_number(lua_State *L, struct dz_vm *vm)
{
    for (;;) {
        uint32_t number = ++vm->function_count;
        lua_rawgeti(L, -1, (int)number);
        bool taken = !lua_isnil(L, -1) || dz_map_get(&vm->tables, number);
        lua_pop(L, 1);
        if (number != 0 && !taken)
            return number;
    }
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
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->functions);
        number = fresh_number(L, vm);
        lua_pushvalue(L, idx);
        lua_rawseti(L, -2, (int)number);
        lua_pop(L, 1);
        lua_pushvalue(L, idx);
        lua_pushnumber(L, number);
        lua_rawset(L, -3);
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

bool dz_function_is_here(const struct dz_vm *vm, const uint8_t bytes[DZ_VM_FUNCTION_BYTES])
{
    return get32(bytes) == vm->thread->index && get32(bytes + 4) == vm->generation;
}

bool dz_vm_function_push(lua_State *L, const uint8_t *bytes, size_t len)
{
    struct dz_vm *vm = dz_vm_state(L);
    if (len != DZ_VM_FUNCTION_BYTES || !dz_function_is_here(vm, bytes))
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

/* --- starts on their way --- */

void dz_function_spawning(lua_State *L, struct dz_pid pid, int idx)
{
    lua_pushvalue(L, idx);
    lua_rawgeti(L, LUA_REGISTRYINDEX, dz_vm_state(L)->spawning);
    lua_insert(L, -2);
    lua_rawseti(L, -2, (int)pid.slot);
    lua_pop(L, 1);
}

void dz_function_spawned(lua_State *L, struct dz_pid pid)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, dz_vm_state(L)->spawning);
    lua_rawgeti(L, -1, (int)pid.slot);
    bool here = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (here) {
        lua_pushnil(L); /* in place of a value: nothing is allocated, nothing raised */
        lua_rawseti(L, -2, (int)pid.slot);
    }
    lua_pop(L, 1);
}

/* --- what specs name --- */

struct hold {
    struct dz_pid owner;
    int values; /* registry reference: the set of them */
};

static void release(struct dz_vm *vm, uint64_t slot, struct hold *h)
{
    dz_map_remove(&vm->holds, slot);
    luaL_unref(vm->L, LUA_REGISTRYINDEX, h->values);
    dz_free(h);
}

/* Owners may live on any thread and nobody tells of their end: they are looked at whenever there are twice as many as the
 * last look left. */
static void sweep(struct dz_vm *vm)
{
    uint32_t it = 0;
    uint64_t slot;
    void *value;
    while (dz_map_next(&vm->holds, &it, &slot, &value)) {
        struct hold *h = value;
        if (!dz_table_find(&vm->shared->rt->table, h->owner))
            release(vm, slot, h);
    }
    vm->sweep_at = vm->holds.count * 2 > SWEEP_MIN ? vm->holds.count * 2 : SWEEP_MIN;
}

static struct hold *hold_of(lua_State *L, struct dz_vm *vm, struct dz_pid owner)
{
    struct hold *h = dz_map_get(&vm->holds, owner.slot);
    if (h && dz_pid_eq(h->owner, owner))
        return h;
    if (h)
        release(vm, owner.slot, h);
    if (vm->holds.count >= vm->sweep_at)
        sweep(vm);
    lua_newtable(L);
    int values = luaL_ref(L, LUA_REGISTRYINDEX);
    h = dz_zalloc(1, sizeof *h);
    if (!h || dz_map_put(&vm->holds, owner.slot, h)) {
        dz_free(h);
        luaL_unref(L, LUA_REGISTRYINDEX, values);
        dz_vm_raise(L, DZ_ENOMEM, "out of memory");
        return NULL;
    }
    h->owner = owner;
    h->values = values;
    return h;
}

void dz_function_hold(lua_State *L, struct dz_pid owner)
{
    struct dz_vm *vm = dz_vm_state(L);
    uint32_t count = vm->named_count;
    vm->named_count = 0;
    if (count == 0 || dz_pid_is_none(owner))
        return;
    luaL_checkstack(L, 6, "references");
    const struct hold *h = hold_of(L, vm, owner);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->named);
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->values);
    for (uint32_t i = 1; i <= count; i++) {
        lua_rawgeti(L, -2, (int)i);
        lua_pushboolean(L, true);
        lua_rawset(L, -3);
        lua_pushnil(L);
        lua_rawseti(L, -3, (int)i);
    }
    lua_pop(L, 2);
}

void dz_function_named(lua_State *L, int idx)
{
    struct dz_vm *vm = dz_vm_state(L);
    lua_pushvalue(L, idx);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->named);
    lua_insert(L, -2);
    lua_rawseti(L, -2, (int)++vm->named_count);
    lua_pop(L, 1);
}

void dz_function_free_all(struct dz_vm *vm)
{
    uint32_t it = 0;
    uint64_t slot;
    void *value;
    while (dz_map_next(&vm->holds, &it, &slot, &value))
        dz_free(value);
    dz_map_fini(&vm->holds);
}
