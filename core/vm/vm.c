/* vm.c - a Lua state from its making to its end. */
#include "vm/vm.h"

#include <luajit.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "sched/sched.h"
#include "vm/bind_uv.h"
#include "vm/embed.h"
#include "vm/state.h"
#include "vm/walk.h"

#define IDLE_STEP   200        /* of lua_gc: some hundred microseconds */
#define IDLE_GROWTH (1u << 20) /* an idle state collects only after it has grown by this and by a quarter */

/* --- the accessors of vm.h --- */

struct dz_vm *dz_vm_of(lua_State *L)
{
    return dz_vm_state(L);
}

struct dz_vm_shared *dz_vm_shared_of(lua_State *L)
{
    return dz_vm_state(L)->shared;
}

struct dz_thread *dz_vm_thread(lua_State *L)
{
    return dz_vm_state(L)->thread;
}

struct dz_rt *dz_vm_rt(lua_State *L)
{
    return dz_vm_state(L)->shared->rt;
}

lua_State *dz_vm_main(struct dz_vm *vm)
{
    return vm->L;
}

struct dz_proc *dz_vm_current(lua_State *L)
{
    return dz_vm_state(L)->current;
}

struct dz_proc *dz_vm_self(lua_State *L)
{
    struct dz_proc *p = dz_vm_state(L)->current;
    if (!p)
        dz_vm_raise(L, DZ_ENOPROC, "no process runs here");
    return p;
}

size_t dz_vm_memory(const struct dz_vm *vm)
{
    return vm->memory.used;
}

/* --- memory --- */

static int idle_step(lua_State *L)
{
    dz_vm_state(L)->idle_finished = lua_gc(L, LUA_GCSTEP, IDLE_STEP);
    return 0;
}

bool dz_vm_idle(struct dz_vm *vm)
{
    if (vm->memory.used < vm->idle_memory + vm->idle_memory / 4 + IDLE_GROWTH)
        return false;
    if (lua_cpcall(vm->L, idle_step, NULL)) {
        lua_pop(vm->L, 1);
        return false;
    }
    if (!vm->idle_finished)
        return true;
    vm->idle_memory = vm->memory.used;
    dz_memory_rest(&vm->memory);
    atomic_store_explicit(&vm->thread->lua_bytes, vm->memory.used, memory_order_relaxed);
    return false;
}

/* --- making --- */

/* The embedded source of a module as a function, or a text saying that there is none (what package.loaders
 * expects). */
static int search_embedded(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const struct dz_embedded *code = dz_embedded_find(dz_embedded_code, name);
    if (code && luaL_loadbuffer(L, (const char *)code->data, code->len, code->path) == 0)
        return 1;
    lua_settop(L, 1); /* compiled by a LuaJIT of another version */
    const struct dz_embedded *e =
        strncmp(name, "behaviors/", 10) ? dz_embedded_find(dz_embedded_sources, name) : NULL;
    if (!e) {
        lua_pushfstring(L, "\n\tno module '%s' inside dozor", name);
        return 1;
    }
    lua_pushfstring(L, "=%s", e->path);
    if (luaL_loadbuffer(L, (const char *)e->data, e->len, lua_tostring(L, -1)))
        return lua_error(L);
    return 1;
}

/* First in package.loaders: no file of the user's stands in for a module of ours. */
static void add_searcher(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaders");
    for (int i = (int)lua_objlen(L, -1); i >= 1; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushcfunction(L, search_embedded);
    lua_rawseti(L, -2, 1);
    lua_pop(L, 2);
}

static void add_script_dir(lua_State *L, const char *dir)
{
    if (!dir)
        return;
    lua_getglobal(L, "package");
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;", dir, dir);
    lua_getfield(L, -2, "path");
    lua_concat(L, 2);
    lua_setfield(L, -2, "path");
    lua_pop(L, 1);
}

static int take_reference(lua_State *L, const char *field)
{
    lua_getfield(L, -1, field);
    dz_assert(!lua_isnil(L, -1));
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int new_table(lua_State *L)
{
    lua_newtable(L);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int new_weak_table(lua_State *L, const char *mode)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Runs boot.lua with the table of primitives; what it returns is what the C side calls. */
static void boot(lua_State *L, struct dz_vm *vm)
{
    dz_vm_open_bindings(L);
    lua_pushcfunction(L, dz_dispatch_next);
    lua_setfield(L, -2, "next");
    lua_pushboolean(L, vm->shared->simulation != NULL);
    lua_setfield(L, -2, "simulated");
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "dozor.core");
    lua_pop(L, 2);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "dozor.boot");
    lua_call(L, 1, 1);
    vm->body = take_reference(L, "body");
    vm->start = take_reference(L, "start");
    vm->steps = take_reference(L, "steps");
    vm->internals = take_reference(L, "internals");
    vm->box = take_reference(L, "box");
    vm->unbox = take_reference(L, "unbox");
    lua_pop(L, 1);
}

static void make_error_meta(lua_State *L, struct dz_vm *vm)
{
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, "dozor.error");
    vm->error_meta = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Compiled code depends on when it was compiled; math.random begins with the same numbers in every state. */
static void be_simulated(lua_State *L, struct dz_vm *vm)
{
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushnumber(L, (lua_Number)(dz_env_random(vm->shared->rt->env) >> 12));
    lua_call(L, 1, 0);
    lua_pop(L, 1);
}

/* What the registry gets beyond its array part goes into its hash, where each look costs three times as much: the references
 * of most scripts find room in the array. */
static void reserve_references(lua_State *L)
{
    int references[DZ_VM_REFERENCES];
    for (int i = 0; i < DZ_VM_REFERENCES; i++) {
        lua_pushboolean(L, true);
        references[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    for (int i = DZ_VM_REFERENCES; i-- > 0;)
        luaL_unref(L, LUA_REGISTRYINDEX, references[i]);
}

/* Strings are interned: the address is the same wherever a script writes it. */
static void pin_infinity(lua_State *L, struct dz_vm *vm)
{
    lua_pushliteral(L, "infinity");
    vm->infinity = lua_topointer(L, -1);
    luaL_ref(L, LUA_REGISTRYINDEX);
}

static int setup(lua_State *L)
{
    struct dz_vm *vm = lua_touserdata(L, 1);
    luaL_openlibs(L);
    if (vm->shared->simulation)
        be_simulated(L, vm);
    reserve_references(L);
    vm->functions = new_weak_table(L, "v");
    vm->numbers = new_weak_table(L, "k");
    vm->spawning = new_table(L);
    vm->named = new_table(L);
    vm->pinned = new_table(L);
    make_error_meta(L, vm);
    pin_infinity(L, vm);
    vm->walks = dz_walk_check(L);
    vm->copies_tables = vm->walks && !vm->shared->simulation; /* the cache goes by addresses, and `pairs` by how a table was made */
    add_searcher(L);
    add_script_dir(L, vm->shared->script_dir);
    boot(L, vm);
    return 0;
}

static void init_fields(struct dz_vm *vm, struct dz_thread *t, struct dz_vm_shared *shared)
{
    vm->thread = t;
    vm->shared = shared;
    vm->generation = atomic_fetch_add_explicit(&shared->generations, 1, memory_order_relaxed) + 1;
    dz_list_init(&vm->cos);
    dz_buf_init(&vm->scratch);
    dz_smap_init(&vm->handlers);
    dz_report_init(&vm->plain);
    dz_map_init(&vm->tables);
    dz_map_init(&vm->holds);
    dz_list_init(&vm->unused);
    dz_map_init(&vm->timers);
    dz_map_init(&vm->at_end);
}

struct dz_vm *dz_vm_new(struct dz_thread *t, struct dz_vm_shared *shared)
{
    struct dz_vm *vm = dz_zalloc(1, sizeof *vm);
    if (!vm)
        return NULL;
    init_fields(vm, t, shared);
    dz_memory_init(&vm->memory);
    vm->L = luaL_newstate();
    if (!vm->L) {
        dz_free(vm);
        return NULL;
    }
    vm->alloc = lua_getallocf(vm->L, &vm->alloc_ctx);
    lua_setallocf(vm->L, dz_vm_alloc, vm);
    t->vm = vm;
    if (lua_cpcall(vm->L, setup, vm)) {
        const char *why = lua_tostring(vm->L, -1);
        dz_log_error(shared->rt->log, "the Lua state did not start", "error", why ? why : "(no text)", NULL);
        dz_vm_free(vm);
        return NULL;
    }
    vm->idle_memory = vm->memory.used;
    dz_memory_set_limit(&vm->memory, shared->simulation ? 0 : shared->memory_mb);
    atomic_store_explicit(&t->lua_bytes, vm->memory.used, memory_order_relaxed);
    dz_interrupt_open(vm);
    return vm;
}

/* --- the end --- */

static void end_process(void *ctx, struct dz_thread *t, struct dz_proc *p)
{
    struct dz_vm *vm = ctx;
    if (p->kind != &dz_vm_kind)
        return;
    dz_process_doom(t, p, vm->shared->rt->reasons[DZ_REASON_SHUTDOWN], DZ_PROC_NO_TERMINATE);
    if (p->wait)
        dz_process_unwait(t, p);
    dz_process_finish(t, p);
}

static void free_coroutines(struct dz_vm *vm)
{
    dz_list_each_safe(&vm->cos, it)
    {
        struct dz_co *co = dz_list_entry(it, struct dz_co, all);
        dz_assert(!co->proc);
        dz_co_drop(vm, co);
    }
    vm->pool = NULL;
}

void dz_vm_free(struct dz_vm *vm)
{
    dz_assert(!vm->current);
    dz_interrupt_close(vm);
    if (vm->body) { /* else it never ran anything */
        dz_sched_each_process(dz_worker_of(vm->thread), end_process, vm);
        if (!dz_bind_uv_close(vm->L)) {
            dz_log_warn(vm->shared->rt->log,
                        "a request of luv is still under way; its Lua state is left behind", NULL);
            return;
        }
    }
    free_coroutines(vm);
    dz_bind_time_free(vm);
    dz_ending_free_hooks(vm);
    dz_handlers_free_all(vm);
    dz_function_free_all(vm);
    dz_shape_free_all(vm);
    dz_copy_free_all(vm);
    lua_setallocf(vm->L, vm->alloc, vm->alloc_ctx);
    lua_close(vm->L);
    dz_buf_fini(&vm->scratch);
    dz_free(vm->free_states);
    dz_free(vm->chunks);
    vm->thread->vm = NULL;
    dz_free(vm);
}

/* --- the script --- */

struct dz_msg *dz_vm_main_message(struct dz_rt *rt, const char *script, int argc, const char *const *argv)
{
    struct dz_buf args;
    struct dz_build b;
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR,
                         .name = {"@main", 5},
                         .local_name = {"main", 4},
                         .timeout_ms = DZ_INFINITY};
    struct dz_msg *m = NULL;
    dz_buf_init(&args);
    dz_build_init(&b, &args);
    dz_build_array(&b, (uint32_t)argc + 1);
    dz_build_cstring(&b, script);
    for (int i = 0; i < argc; i++)
        dz_build_cstring(&b, argv[i]);
    if (!dz_build_done(&b)) {
        s.args = args.data;
        s.args_len = args.len;
        m = dz_spawn_pack(&rt->nodes, &s);
    }
    dz_buf_fini(&args);
    return m;
}
