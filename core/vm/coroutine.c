/* coroutine.c - the pool of coroutines that run turns.
 * Each runs the loop of lua/dozor/boot.lua around dz_dispatch_next. */
#include "vm/state.h"

#include "base/alloc.h"
#include "base/assert.h"

static int make(lua_State *L)
{
    struct dz_co *co = lua_touserdata(L, 1);
    struct dz_vm *vm = dz_vm_state(L);
    co->L = lua_newthread(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->body);
    lua_xmove(L, co->L, 1);
    co->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static struct dz_co *create(struct dz_vm *vm)
{
    struct dz_co *co = dz_zalloc(1, sizeof *co);
    if (!co)
        return NULL;
    co->anchor = LUA_NOREF;
    if (lua_cpcall(vm->L, make, co)) {
        lua_pop(vm->L, 1);
        dz_free(co);
        return NULL;
    }
    dz_list_push_back(&vm->cos, &co->all);
    return co;
}

struct dz_co *dz_co_get(struct dz_vm *vm, struct dz_proc *p)
{
    struct dz_co *co = vm->pool;
    if (co) {
        vm->pool = co->next;
        vm->pooled--;
        co->next = NULL;
    } else {
        co = create(vm);
        if (!co)
            return NULL;
    }
    dz_assert(co->phase == DZ_PHASE_NONE && !co->proc);
    co->proc = p;
    p->kind_data = co;
    return co;
}

void dz_co_clear(struct dz_co *co)
{
    if (co->msg || co->held) {
        dz_msg_free(co->msg);
        dz_msg_free(co->held);
        co->msg = co->held = NULL;
    }
    if (co->unsent)
        dz_unsent_free(co);
    co->seen = NULL;
    co->sent = 0;
    co->phase = DZ_PHASE_NONE;
    co->stage = 0;
    co->self_ending = co->refused = co->given = false;
    co->wants = DZ_WANTS_NOTHING;
}

void dz_co_put(struct dz_vm *vm, struct dz_co *co)
{
    dz_assert(!co->proc);
    dz_co_clear(co);
    if (vm->pooled >= DZ_VM_POOL) {
        dz_co_drop(vm, co);
        return;
    }
    co->next = vm->pool;
    vm->pool = co;
    vm->pooled++;
}

void dz_co_drop(struct dz_vm *vm, struct dz_co *co)
{
    if (co->proc)
        co->proc->kind_data = NULL;
    dz_co_clear(co);
    luaL_unref(vm->L, LUA_REGISTRYINDEX, co->anchor);
    dz_list_remove(&co->all);
    dz_free(co);
}
