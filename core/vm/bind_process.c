/* bind_process.c - making and ending processes, and what can be asked without asking them.
 * Lua checks the options and knows the defaults (lua/dozor/process.lua). */
#include <string.h>
#include "base/err.h"
#include "proc/bond.h"
#include "sched/sched.h"
#include "vm/state.h"

/* --- spawn --- */

enum {
    ARG_WHAT = 1,
    ARG_ARGS,
    ARG_NAME,
    ARG_GLOBAL,
    ARG_FLAGS,
    ARG_TIMEOUT,
    ARG_MESSAGES,
    ARG_BYTES,
    ARG_NODE,
    ARG_COUNT = ARG_NODE,
    ARG_THREAD
};

static const uint8_t function_head[] = {0xc7, DZ_VM_FUNCTION_BYTES, DZ_EXT_FUNCTION};
#define FUNCTION_TERM (sizeof function_head + DZ_VM_FUNCTION_BYTES)

static struct dz_str check_string(lua_State *L, int idx)
{
    struct dz_str s = {NULL, 0};
    if (lua_type(L, idx) == LUA_TSTRING)
        s.s = lua_tolstring(L, idx, &s.len);
    return s;
}

static void fill_what(lua_State *L, struct dz_spawn *s, uint8_t term[FUNCTION_TERM])
{
    if (lua_type(L, ARG_WHAT) == LUA_TSTRING) {
        s->what = DZ_SPAWN_BEHAVIOR;
        s->name = check_string(L, ARG_WHAT);
        return;
    }
    s->what = lua_istable(L, ARG_WHAT) ? DZ_SPAWN_TABLE : DZ_SPAWN_FUNCTION;
    memcpy(term, function_head, sizeof function_head);
    dz_vm_function_ref(L, ARG_WHAT, term + sizeof function_head);
    s->function = term;
    s->function_len = FUNCTION_TERM;
}

/* The worker for it. Names that belong to one Lua state go there; what is known here already is not looked up
 * again. */
static uint32_t choose(lua_State *L, struct dz_vm *vm, const struct dz_spawn *s)
{
    struct dz_rt *rt = vm->shared->rt;
    if (s->what != DZ_SPAWN_BEHAVIOR || s->name.s[0] == '@')
        return vm->thread->index;
    const struct dz_handlers *h = dz_smap_get(&vm->handlers, s->name.s, s->name.len);
    uint32_t home = h && !h->local ? 0 : dz_behaviors_thread(vm->shared->behaviors, s->name.s, s->name.len);
    if (s->flags & DZ_SPAWN_OWN_WORKER) {
        int added = home                ? DZ_EARGUMENT
                    : vm->shared->sched ? dz_sched_add_worker(vm->shared->sched)
                                        : DZ_ESIMULATION;
        if (added < 0)
            dz_vm_raise(L, added, "own_worker: %s",
                        home ? "a table behaviour stays on its worker" : dz_err_text(added));
        return (uint32_t)added;
    }
    return home ? home : rt->ports.choose_thread(rt->ports.ctx, vm->thread);
}

static int spawn_far(lua_State *L, struct dz_vm *vm, struct dz_msg **take, uint64_t timeout)
{
    struct dz_ports *ports = &vm->shared->rt->ports;
    struct dz_pid cancel = DZ_PID_NONE;
    size_t len;
    const char *node = lua_tolstring(L, ARG_NODE, &len);
    (*take)->from = vm->current->pid;
    (*take)->ref = dz_vm_wait_reply(L, DZ_PID_NONE, timeout);
    int err = ports->spawn_far ? ports->spawn_far(ports->ctx, vm->thread, node, len, take, &cancel)
                               : DZ_ENOCONNECTION;
    if (!err) {
        vm->current->wait->target = cancel;
        return dz_vm_park(L);
    }
    dz_vm_wait_abandon(L);
    dz_msg_free(*take);
    *take = NULL;
    return dz_vm_raise(L, err, "spawn on %s: %s", node, dz_err_text(err));
}

/* The asker's side of link and monitor, before the process can have done anything. */
static int bond_early(struct dz_vm *vm, struct dz_co *co, const struct dz_spawn *s)
{
    struct dz_proc *p = vm->current;
    int err = 0;
    if (s->flags & DZ_SPAWN_LINK)
        err = dz_bond_add(vm->thread, p, DZ_BOND_LINK, co->wait.target, 0, NULL);
    if (!err && (s->flags & DZ_SPAWN_MONITOR))
        err = dz_bond_add(vm->thread, p, DZ_BOND_WATCHES, co->wait.target, s->monitor_ref, NULL);
    return err;
}

static void drop_early(struct dz_proc *p, struct dz_pid target, uint64_t monitor)
{
    struct dz_bond *link = dz_bond_find(p, DZ_BOND_LINK, target, 0);
    struct dz_bond *watch = dz_bond_find_watch(p, monitor);
    if (link && !dz_pid_is_none(target))
        dz_bond_drop(p, link);
    if (watch)
        dz_bond_drop(p, watch);
}

/* Whose the worker is that was taken for it; none: nobody's, the spawn did not come about. */
static void settle_owner(struct dz_vm *vm, const struct dz_spawn *s, uint32_t thread, struct dz_pid owner)
{
    if (s->flags & DZ_SPAWN_OWN_WORKER)
        dz_sched_own(vm->shared->sched, thread, owner);
}

static int spawn_here(lua_State *L, struct dz_vm *vm, const struct dz_spawn *s, struct dz_msg **take,
                      uint64_t timeout)
{
    struct dz_co *co = vm->running;
    uint32_t thread = (uint32_t)lua_tonumber(L, ARG_THREAD);
    (*take)->from = vm->current->pid;
    (*take)->ref = dz_vm_wait_reply(L, DZ_PID_NONE, timeout);
    int err = dz_spawn_send(vm->thread, thread, take, &co->wait.target);
    settle_owner(vm, s, thread, err ? DZ_PID_NONE : co->wait.target);
    if (!err)
        err = bond_early(vm, co, s);
    if (!err && s->function && !dz_start_is_resolved(vm, co->wait.target))
        dz_function_spawning(L, co->wait.target, ARG_WHAT);
    if (!err)
        return dz_vm_park(L);
    if (*take)
        co->wait.answered = true; /* nobody is to be told */
    drop_early(vm->current, co->wait.target, s->monitor_ref);
    dz_process_unwait(vm->thread, vm->current);
    dz_msg_free(*take);
    *take = NULL;
    return dz_vm_raise(L, err, "%s", dz_err_text(err));
}

/* spawn(what, args, name, global, flags, timeout_ms, max_messages, max_bytes, node), then
 * spawn_result(flags). */
static int spawn(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_spawn s = {0};
    uint8_t term[FUNCTION_TERM], hash[DZ_BEHAVIOR_HASH];
    dz_vm_check_wait(L, "spawn");
    lua_settop(L, ARG_COUNT);
    fill_what(L, &s, term);
    s.flags = (uint32_t)lua_tonumber(L, ARG_FLAGS);
    uint64_t timeout = dz_vm_check_time(L, ARG_TIMEOUT, "timeout_ms", 5000000000ull);
    s.timeout_ms = timeout == DZ_INFINITY ? DZ_INFINITY : timeout / 1000000u;
    s.local_name = check_string(L, ARG_NAME);
    s.global_name = check_string(L, ARG_GLOBAL);
    s.max_messages = (uint32_t)lua_tonumber(L, ARG_MESSAGES);
    s.max_bytes = (uint64_t)lua_tonumber(L, ARG_BYTES);
    bool far = lua_type(L, ARG_NODE) == LUA_TSTRING;
    if (far) {
        s.flags &= ~(uint32_t)(DZ_SPAWN_LINK | DZ_SPAWN_MONITOR); /* made when the pid is known */
        if (dz_behaviors_hash(vm->shared->behaviors, s.name.s, s.name.len, hash))
            s.hash = (struct dz_str){(const char *)hash, sizeof hash};
    } else if (s.flags & DZ_SPAWN_MONITOR) {
        s.monitor_ref = dz_rt_next_ref(vm->shared->rt);
    }
    struct dz_buf *args = dz_codec_scratch(vm);
    dz_codec_encode_args(L, ARG_ARGS, "args", 0, args);
    s.args = args->data;
    s.args_len = args->len;
    if (!far)
        lua_pushnumber(L, choose(L, vm, &s)); /* before there is a message: it may raise */
    struct dz_msg *m = far ? dz_spawn_pack(&vm->shared->rt->nodes, &s) : dz_spawn_hold(&s);
    if (!m) {
        if (!far)
            settle_owner(vm, &s, (uint32_t)lua_tonumber(L, ARG_THREAD), DZ_PID_NONE);
        return dz_vm_raise(L, DZ_ENOMEM, "out of memory");
    }
    vm->running->token = s.monitor_ref;
    return far ? spawn_far(L, vm, &m, timeout) : spawn_here(L, vm, &s, &m, timeout);
}

/* The answer is not the reserved slot: a supervisor, or a process of another node. Bonds are made with the
 * one that is. */
static void bond_late(lua_State *L, struct dz_vm *vm, struct dz_pid pid, unsigned flags, uint64_t *monitor)
{
    struct dz_proc *p = vm->current;
    int err = 0;
    if (flags & DZ_SPAWN_LINK)
        err = dz_bond_link(vm->thread, p, pid);
    if (!err && (flags & DZ_SPAWN_MONITOR))
        err = dz_bond_monitor(vm->thread, p, pid, monitor);
    if (err)
        dz_vm_raise(L, err, "%s", dz_err_text(err));
}

/* Pushes the pid of the process in the reserved slot itself, which has started: its text is the answer. */
static void push_started(lua_State *L, struct dz_vm *vm, struct dz_co *co, struct dz_proc *p)
{
    struct dz_msg *m = co->wait.reply;
    struct dz_read r;
    struct dz_value v;
    co->wait.reply = NULL;
    dz_process_unwait(vm->thread, p);
    dz_msg_free(co->held);
    co->held = m; /* pushing may raise */
    dz_read_init(&r, m->data, m->len);
    int err = dz_read_next(&r, &v);
    dz_assert(!err && v.type == DZ_TERM_PID);
    dz_ident_push_new(L, v.as.str.bytes, v.as.str.len, m->from);
    co->held = NULL;
    dz_msg_free(m);
}

/* spawn_result(flags) -> pid [, ref]; raises what hindered the start. */
static int spawn_result(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_proc *p = dz_vm_self(L);
    struct dz_co *co = vm->running;
    unsigned flags = (unsigned)lua_tonumber(L, 1);
    struct dz_pid slot = co->wait.target;
    struct dz_pid pid = DZ_PID_NONE;
    uint64_t monitor = co->token;
    const struct dz_msg *m = p->wait ? co->wait.reply : NULL;
    if (m && m->code == DZ_REPLY_STARTED && !(m->flags & DZ_MSG_FAILED) && dz_pid_eq(m->from, slot)) {
        push_started(L, vm, co, p);
    } else {
        if (!m || (m->flags & DZ_MSG_FAILED))
            drop_early(p, slot, monitor);
        dz_wait_result(L); /* raises unless a pid came */
        if (!dz_vm_to_pid(L, -1, &pid))
            return dz_vm_raise(L, DZ_EFORMAT, "a spawn was answered without a pid");
        if (!dz_pid_eq(pid, slot)) {
            drop_early(p, slot, monitor);
            bond_late(L, vm, pid, flags, &monitor);
        }
    }
    if (!(flags & DZ_SPAWN_MONITOR))
        return 1;
    dz_vm_push_ref(L, (struct dz_ref){p->pid, monitor});
    return 2;
}

/* --- ending --- */

/* The running process is doomed: its code does not go on. */
static int stand_still(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    if (vm->running && lua_isyieldable(L))
        return dz_wait_park(L);
    return dz_wait_interrupt(L);
}

/* exit(reason) */
static int exit_(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_proc *p = dz_vm_self(L);
    lua_settop(L, 1);
    struct dz_blob *reason = dz_codec_blob(L, 1, "reason", 0);
    dz_process_doom(vm->thread, p, reason, 0);
    dz_blob_unref(reason);
    return stand_still(L);
}

/* stand_still(): for one who was doomed by what it just did. */
static int check_doomed(lua_State *L)
{
    const struct dz_proc *p = dz_vm_self(L);
    bool doomed = (p->flags & DZ_PROC_DOOMED) && !(p->flags & DZ_PROC_TERMINATING);
    return doomed || (p->flags & DZ_PROC_NO_TERMINATE) ? stand_still(L) : 0;
}

/* --- questions without a message --- */

static int self(lua_State *L)
{
    dz_vm_push_pid(L, dz_vm_self(L)->pid);
    return 1;
}

/* current() -> the running process, or nil. */
static int current(lua_State *L)
{
    const struct dz_proc *p = dz_vm_current(L);
    dz_vm_push_pid(L, p ? p->pid : DZ_PID_NONE);
    return 1;
}

/* whereis_dest(dest) -> the pid a dest means now, or nil. */
static int whereis_dest(lua_State *L)
{
    struct dz_pid pid;
    dz_vm_check_dest(L, 1, "dest", &pid);
    dz_vm_push_pid(L, pid);
    return 1;
}

/* alive_here(dest) -> true, false, or nil: the process is on another node. */
static int alive_here(lua_State *L)
{
    struct dz_pid pid;
    struct dz_rt *rt = dz_vm_rt(L);
    bool known = dz_vm_check_dest(L, 1, "dest", &pid);
    if (known && !dz_nodes_is_self(&rt->nodes, pid.node))
        return 0;
    lua_pushboolean(L, known && dz_table_find(&rt->table, pid) != NULL);
    return 1;
}

/* own_info() -> the table of dozor.info of the running process. */
static int own_info(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_buf *b = dz_codec_scratch(vm);
    int err = dz_process_info(vm->thread, dz_vm_self(L), b);
    if (err)
        return dz_vm_raise(L, err, "%s", dz_err_text(err));
    dz_codec_decode(L, b->data, b->len, 0);
    return 1;
}

static int processes(lua_State *L)
{
    struct dz_rt *rt = dz_vm_rt(L);
    struct dz_pid pid;
    uint32_t index = 0;
    int n = 0;
    lua_newtable(L);
    while (dz_table_next(&rt->table, &index, &pid)) {
        dz_vm_push_pid(L, pid);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static int node_of(lua_State *L)
{
    struct dz_pid pid;
    struct dz_rt *rt = dz_vm_rt(L);
    if (!dz_vm_to_pid(L, 1, &pid))
        return dz_vm_raise_argument(L, "pid", "a pid", 1);
    if (dz_nodes_is_self(&rt->nodes, pid.node))
        lua_pushstring(L, dz_nodes_self_id(&rt->nodes));
    else
        lua_pushstring(L, dz_nodes_get(&rt->nodes, dz_nodes_resolve(&rt->nodes, pid.node))->id);
    return 1;
}

/* is_pid(v), is_ref(v) */
static int is_pid(lua_State *L)
{
    struct dz_pid pid;
    lua_pushboolean(L, dz_vm_to_pid(L, 1, &pid));
    return 1;
}

static int is_ref(lua_State *L)
{
    struct dz_ref ref;
    lua_pushboolean(L, dz_vm_to_ref(L, 1, &ref));
    return 1;
}

void dz_bind_process_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"spawn", spawn},
        {"spawn_result", spawn_result},
        {"exit", exit_},
        {"check_doomed", check_doomed},
        {"self", self},
        {"alive_here", alive_here},
        {"own_info", own_info},
        {"processes", processes},
        {"node_of", node_of},
        {"is_pid", is_pid},
        {"is_ref", is_ref},
        {"current", current},
        {"whereis_dest", whereis_dest},
        {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
}
