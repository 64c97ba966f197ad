/* handlers.c - behaviours as this state compiled them: callbacks looked up once, not per message.
 * The checks of a behaviour's table are Lua's (lua/dozor/behaviors.lua). */
#include "vm/state.h"

#include "base/alloc.h"
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

struct dz_handlers *dz_handlers_bind(lua_State *L, struct dz_vm *vm, const char *name, size_t len,
                                     uint32_t number)
{
    struct dz_handlers *h = dz_zalloc(1, sizeof *h);
    int table = lua_gettop(L);
    if (h)
        h->name =
            name ? dz_strndup(name, len && name[len - 1] == '\n' ? len - 1 : len) : dz_strndup("(table)", 7);
    int err = !h || !h->name ||
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
    return h;
}

void dz_handlers_free_all(struct dz_vm *vm)
{
    uint32_t it = 0;
    const char *name;
    uint64_t number;
    void *value;
    while (dz_smap_next(&vm->handlers, &it, &name, &value))
        delete (value);
    it = 0;
    while (dz_map_next(&vm->tables, &it, &number, &value))
        delete (value);
    dz_smap_fini(&vm->handlers);
    dz_map_fini(&vm->tables);
}
