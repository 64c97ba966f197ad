/* bind_uv.c - see bind_uv.h.
 *
 * Every function of luv, and every method of its handles, is wrapped: function arguments become `owned`
 * closures that know the process they were passed by, and a new handle is noted under that process. luv calls
 * its callbacks through call_callback, which finds the owned closure and runs the function in it as that
 * process. */
#include "vm/bind_uv.h"

#include <luv/luv.h>
#include <string.h>
#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"
#include "sched/sched.h"
#include "vm/interrupt.h"
#include "vm/vm.h"

#define CLOSE_ROUNDS 1000 /* of a millisecond, for requests under way when the state goes */

enum wrap_flag {
    WRAP_CREATES = 1,   /* its first result is a handle */
    WRAP_NOTHING = 2,   /* its functions run elsewhere (new_thread) */
    WRAP_FIRST_RAW = 4, /* its first one does (new_work) */
};

/* Keys of the registry: their addresses. */
static const char module_key, handles_key, handler_key, trace_key, desk_key;

static void registry_get(lua_State *L, const char *key)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

/* Takes the value on top. */
static void registry_set(lua_State *L, const char *key)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

/* --- callbacks --- */

/* Never called: upvalue 1 is the function, upvalue 2 the pid of its process. */
static int owned(lua_State *L)
{
    return dz_vm_raise(L, DZ_EARGUMENT, "a callback of luv is called by luv only");
}

static int keep_trace(lua_State *L)
{
    luaL_traceback(L, L, NULL, 1);
    registry_set(L, &trace_key);
    lua_settop(L, 1);
    return 1;
}

/* Takes the error on top. It is looked at on a coroutine of its own: the main one, where callbacks run, is
 * not free. */
static void leave_failed(lua_State *L, struct dz_vm *vm, struct dz_vm_frame *frame)
{
    registry_get(L, &desk_key);
    lua_State *desk = lua_tothread(L, -1);
    lua_pop(L, 1);
    registry_get(L, &trace_key);
    lua_insert(L, -2);
    lua_xmove(L, desk, 2);
    dz_vm_leave(vm, frame, desk, true);
}

/* Calls the function below nargs values as the process; on failure it has ended the process and nothing is
 * left on the stack. */
static int call_as(lua_State *L, struct dz_pid pid, int nargs, int nresults)
{
    struct dz_vm *vm = dz_vm_of(L);
    struct dz_vm_frame frame;
    int base = lua_gettop(L) - nargs;
    if (!dz_vm_enter(vm, pid, &frame)) {
        lua_settop(L, base - 1);
        return -LUA_ERRRUN;
    }
    registry_get(L, &handler_key);
    lua_insert(L, base);
    int status = dz_gate_pcall(vm, L, nargs, nresults, base);
    lua_remove(L, base);
    if (status)
        leave_failed(L, vm, &frame);
    else
        dz_vm_leave(vm, &frame, L, false);
    return status ? -status : lua_gettop(L) - base + 1;
}

/* luv_CFpcall: the function and its arguments are on the stack. */
static int call_callback(lua_State *L, int nargs, int nresults, int flags)
{
    int at = lua_gettop(L) - nargs;
    struct dz_pid pid;
    (void)flags;
    if (lua_tocfunction(L, at) == owned && lua_getupvalue(L, at, 2)) {
        bool known = dz_vm_to_pid(L, -1, &pid);
        lua_pop(L, 1);
        lua_getupvalue(L, at, 1);
        lua_replace(L, at);
        if (known)
            return call_as(L, pid, nargs, nresults);
    }
    /* Not passed by a process: only luv's own could be, and it has none. */
    lua_settop(L, at - 1);
    return -LUA_ERRRUN;
}

/* --- handles --- */

struct ender {
    struct dz_pid pid;
};

/* One handle in a protected call of its own: one that fails must not keep the others open. */
static int close_handle(lua_State *L)
{
    registry_get(L, &module_key);
    lua_getfield(L, -1, "is_closing");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    bool closing = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (!closing) {
        lua_getfield(L, -1, "close");
        lua_pushvalue(L, 1);
        lua_call(L, 1, 0);
    }
    return 0;
}

static int close_handles(lua_State *L)
{
    struct ender *e = lua_touserdata(L, 1);
    registry_get(L, &handles_key);
    dz_vm_push_pid(L, e->pid);
    lua_pushvalue(L, -1);
    lua_rawget(L, 2); /* handles, pid, set */
    lua_insert(L, 3);
    lua_pushnil(L);
    lua_rawset(L, 2);
    if (!lua_istable(L, 3))
        return 0;
    lua_pushnil(L);
    while (lua_next(L, 3)) {
        lua_settop(L, 4);
        lua_pushcfunction(L, close_handle);
        lua_pushvalue(L, 4);
        lua_pcall(L, 1, 0, 0);
        lua_settop(L, 4);
    }
    return 0;
}

static void process_ended(struct dz_vm *vm, void *arg)
{
    lua_State *L = dz_vm_main(vm);
    int top = lua_gettop(L);
    if (lua_checkstack(L, 8))
        (void)lua_cpcall(L, close_handles, arg);
    lua_settop(L, top);
    dz_free(arg);
}

/* Pushes the set of the process's handles, which are its keys, held weakly: luv holds those that are open. */
static void push_handles_of(lua_State *L, struct dz_pid pid)
{
    registry_get(L, &handles_key);
    dz_vm_push_pid(L, pid);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (!lua_isnil(L, -1)) {
        lua_replace(L, -3);
        lua_pop(L, 1);
        return;
    }
    lua_pop(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2); /* handles, pid, set */
    struct ender *e = dz_alloc(sizeof *e);
    if (!e || (e->pid = pid, dz_vm_at_end(dz_vm_of(L), pid, process_ended, e))) {
        dz_free(e);
        dz_vm_raise(L, DZ_ENOMEM, "out of memory");
    }
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, -5);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

static void note_handle(lua_State *L, int idx, struct dz_pid pid)
{
    if (lua_type(L, idx) != LUA_TUSERDATA)
        return;
    luaL_checkstack(L, 8, "uv");
    push_handles_of(L, pid);
    lua_pushvalue(L, idx);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* --- wrapping --- */

static void own_arguments(lua_State *L, struct dz_pid pid, int first)
{
    for (int i = first; i <= lua_gettop(L); i++) {
        if (!lua_isfunction(L, i) || lua_tocfunction(L, i) == owned)
            continue;
        lua_pushvalue(L, i);
        dz_vm_push_pid(L, pid);
        lua_pushcclosure(L, owned, 2);
        lua_replace(L, i);
    }
}

/* Upvalue 1: luv's function; upvalue 2: enum wrap_flag. */
static int wrapper(lua_State *L)
{
    int flags = (int)lua_tointeger(L, lua_upvalueindex(2));
    int n = lua_gettop(L);
    struct dz_proc *self = dz_vm_self(L);
    luaL_checkstack(L, 8, "uv");
    if (!(flags & WRAP_NOTHING))
        own_arguments(L, self->pid, flags & WRAP_FIRST_RAW ? 2 : 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    dz_gate_call(dz_vm_of(L), L, n, LUA_MULTRET); /* it may block */
    if (flags & WRAP_CREATES)
        note_handle(L, 1, self->pid);
    return lua_gettop(L);
}

static int flags_of(const char *name)
{
    if (strcmp(name, "new_thread") == 0)
        return WRAP_NOTHING;
    if (strcmp(name, "new_work") == 0)
        return WRAP_FIRST_RAW;
    return strncmp(name, "new_", 4) == 0 || strcmp(name, "spawn") == 0 ? WRAP_CREATES : 0;
}

/* Every C function in the table on top is replaced by its wrapper. */
static void wrap_table(lua_State *L)
{
    int table = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (lua_iscfunction(L, -1) && lua_tocfunction(L, -1) != wrapper && lua_type(L, -2) == LUA_TSTRING) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_pushinteger(L, flags_of(lua_tostring(L, -2)));
            lua_pushcclosure(L, wrapper, 2);
            lua_rawset(L, table); /* an existing key: lua_next goes on */
        } else {
            lua_pop(L, 1);
        }
    }
}

static void wrap_methods(lua_State *L)
{
    static const char *const types[] = {
        "uv_async",   "uv_check",  "uv_fs_event", "uv_fs_poll", "uv_handle", "uv_idle",  "uv_pipe",
        "uv_poll",    "uv_prepare", "uv_process", "uv_stream",  "uv_tcp",    "uv_timer", "uv_tty",
        "uv_udp",     "uv_signal", "uv_req",      "uv_dir",     "luv_work_ctx",
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        lua_getfield(L, LUA_REGISTRYINDEX, types[i]);
        if (lua_istable(L, -1)) {
            lua_getfield(L, -1, "__index");
            if (lua_istable(L, -1))
                wrap_table(L);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
}

static void remove_functions(lua_State *L)
{
    static const char *const names[] = {"run", "stop", "walk", "loop_close", "loop_configure"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, names[i]);
    }
}

/* open_uv() -> the module. Opened by the first who asks: an idle worker has no luv. */
static int open_uv(lua_State *L)
{
    registry_get(L, &module_key);
    if (!lua_isnil(L, -1)) {
        lua_getfield(L, -1, "dozor");
        return 1;
    }
    struct dz_thread *t = dz_vm_thread(L);
    if (dz_vm_shared_of(L)->simulation || !t->sched)
        return dz_vm_raise(L, DZ_ESIMULATION, "luv is not available under the simulator");
    /* luv runs its callbacks on the coroutine that opened it: that must be the one that never ends. */
    lua_State *home = dz_vm_main(dz_vm_of(L));
    luv_set_loop(home, &dz_worker_of(t)->loop);
    luv_set_callback(home, call_callback);
    lua_pushcfunction(home, luaopen_luv);
    if (lua_pcall(home, 0, 1, 0)) {
        lua_xmove(home, L, 1);
        return lua_error(L);
    }
    lua_xmove(home, L, 1);
    int module = lua_gettop(L);
    lua_newtable(L); /* luv as it is, for our own use: is_closing, close */
    lua_getfield(L, module, "is_closing");
    lua_setfield(L, -2, "is_closing");
    lua_getfield(L, module, "close");
    lua_setfield(L, -2, "close");
    lua_pushvalue(L, module);
    lua_setfield(L, -2, "dozor");
    registry_set(L, &module_key);
    lua_newtable(L);
    registry_set(L, &handles_key);
    lua_pushcfunction(L, keep_trace);
    registry_set(L, &handler_key);
    lua_newthread(L);
    registry_set(L, &desk_key);
    lua_settop(L, module);
    wrap_table(L);
    remove_functions(L);
    wrap_methods(L);
    return 1;
}

/* `require "luv"` is the same module: another luv would have a loop that nobody runs. */
static int load_luv(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "dozor.uv");
    lua_call(L, 1, 1);
    return 1;
}

void dz_bind_uv_open(lua_State *L)
{
    lua_pushcfunction(L, open_uv);
    lua_setfield(L, -2, "open_uv");
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, load_luv);
    lua_setfield(L, -2, "luv");
    lua_pop(L, 2);
}

bool dz_bind_uv_close(lua_State *L)
{
    struct dz_thread *t = dz_vm_thread(L);
    registry_get(L, &module_key);
    bool used = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!used)
        return true;
    uv_loop_t *loop = &dz_worker_of(t)->loop;
    for (int i = 0; i < CLOSE_ROUNDS; i++) {
        uv_run(loop, UV_RUN_NOWAIT);
        if (loop->active_reqs.count == 0)
            return true;
        uv_sleep(1);
    }
    dz_log_warn(t->rt->log, "a worker's Lua state is left behind: a request of luv is still under way", NULL);
    return false;
}
