/* handlers.c - behaviours as this state compiled them: callbacks looked up once, not per message.
 * The checks of a behaviour's table are Lua's (lua/dozor/registry.lua). */
#include "vm/state.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

static int reference(lua_State *L, int table, const char *field)
{
    lua_getfield(L, table, field);
    if (!lua_isnil(L, -1))
        return luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
    return LUA_NOREF;
}

static void delete (struct dz_handlers *h)
{
    dz_free(h->name);
    dz_free(h);
}

void dz_handlers_take(struct dz_vm *vm, struct dz_handlers *h, struct dz_proc *p)
{
    dz_assert(!p->kind_state);
    p->kind_state = h;
    h->processes++;
    if (dz_list_empty(&h->idle))
        return;
    dz_list_remove(&h->idle);
    vm->unused_count--;
}

static void forget(struct dz_vm *vm, struct dz_handlers *h)
{
    const int references[] = {h->init, h->handle_call, h->handle_cast, h->handle_info, h->terminate};
    dz_map_remove(&vm->tables, h->number);
    dz_list_remove(&h->idle);
    dz_report_fini(vm, h);
    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++)
        luaL_unref(vm->L, LUA_REGISTRYINDEX, references[i]);
    delete (h);
}

/* A table without processes stays bound for a while, for it is often spawned again. */
static void retire(struct dz_vm *vm, struct dz_handlers *h)
{
    dz_list_push_back(&vm->unused, &h->idle);
    if (vm->unused_count < DZ_VM_UNUSED)
        vm->unused_count++;
    else
        forget(vm, dz_list_entry(vm->unused.next, struct dz_handlers, idle));
}

void dz_handlers_release(struct dz_vm *vm, struct dz_handlers *h)
{
    dz_assert(h->processes > 0);
    if (--h->processes == 0 && h->number)
        retire(vm, h);
}

static struct dz_handlers *create(const char *name, size_t len, uint32_t number)
{
    struct dz_handlers *h = dz_zalloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->name = name ? dz_strndup(name, len && name[len - 1] == '\n' ? len - 1 : len) : dz_strndup("(table)", 7);
    h->number = name ? 0 : number;
    h->init = h->handle_call = h->handle_cast = h->handle_info = h->terminate = LUA_NOREF;
    dz_list_init(&h->idle);
    dz_report_init(h);
    if (h->name)
        return h;
    dz_free(h);
    return NULL;
}

struct dz_handlers *dz_handlers_bind(lua_State *L, struct dz_vm *vm, const char *name, size_t len,
                                     uint32_t number)
{
    struct dz_handlers *h = create(name, len, number);
    int table = lua_gettop(L);
    int err = !h ||
              (name ? dz_smap_put(&vm->handlers, name, len, h) : dz_map_put(&vm->tables, number, h));
    if (err) {
        if (h)
            delete (h);
        dz_vm_raise(L, DZ_ENOMEM, "out of memory");
        return NULL;
    }
    h->init = reference(L, table, "init");
    h->handle_call = reference(L, table, "handle_call");
    h->handle_cast = reference(L, table, "handle_cast");
    h->handle_info = reference(L, table, "handle_info");
    h->terminate = reference(L, table, "terminate");
    lua_pop(L, 1);
    if (!name)
        retire(vm, h); /* until the process that is about to run it takes it */
    return h;
}

static void end(struct dz_vm *vm, struct dz_handlers *h)
{
    dz_report_fini(vm, h);
    delete (h);
}

void dz_handlers_free_all(struct dz_vm *vm)
{
    uint32_t it = 0;
    const char *name;
    uint64_t number;
    void *value;
    while (dz_smap_next(&vm->handlers, &it, &name, &value))
        end(vm, value);
    it = 0;
    while (dz_map_next(&vm->tables, &it, &number, &value))
        end(vm, value);
    dz_report_fini(vm, &vm->plain);
    dz_smap_fini(&vm->handlers);
    dz_map_fini(&vm->tables);
}
