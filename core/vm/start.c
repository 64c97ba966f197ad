/* start.c - the first turn of a process: its behaviour, its names and bonds, init, and the answer to who
 * asked for it. lua/dozor/boot.lua calls core.prepare() until that returns init itself; what needs Lua or
 * waits (compiling a behaviour, a cluster-wide name, a supervisor spec) is a step in between, written in Lua.
 */
#include "vm/state.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/bond.h"
#include "proc/request.h"
#include "term/read.h"

#define FIRST_ARGS 3u

/* PASSED_ON, SUPERVISOR: another process, or a supervisor, is to be the answer (start_other). */
enum stage { STAGE_RESOLVE, STAGE_APPLY, STAGE_GLOBAL, STAGE_RUN, STAGE_PASSED_ON, STAGE_SUPERVISOR };

struct dz_msg *dz_start_spawn_of(const struct dz_proc *p)
{
    struct dz_msg *m = p->owed;
    while (m && m->kind != DZ_MSG_SPAWN)
        m = dz_msg_next(m);
    return m;
}

static bool unpack(struct dz_vm *vm, const struct dz_proc *p, struct dz_spawn *s)
{
    const struct dz_msg *m = dz_start_spawn_of(p);
    return m && dz_spawn_unpack(&vm->shared->rt->nodes, m, s) == 0;
}

void dz_start_unlink(struct dz_vm *vm, struct dz_proc *p)
{
    struct dz_spawn s;
    const struct dz_msg *m = dz_start_spawn_of(p);
    if (!m || !unpack(vm, p, &s))
        return;
    if (s.flags & DZ_SPAWN_LINK)
        dz_bond_unlink(vm->thread, p, m->from);
    struct dz_bond *b =
        s.flags & DZ_SPAWN_MONITOR ? dz_bond_find(p, DZ_BOND_WATCHED, m->from, s.monitor_ref) : NULL;
    if (b)
        dz_bond_drop(p, b);
}

/* --- which behaviour --- */

static struct dz_handlers *handlers_named(struct dz_vm *vm, const struct dz_spawn *s)
{
    char key[DZ_NAME_MAX + 2];
    if (!(s->flags & DZ_SPAWN_NO_JIT))
        return dz_smap_get(&vm->handlers, s->name.s, s->name.len);
    if (s->name.len > DZ_NAME_MAX)
        return NULL;
    memcpy(key, s->name.s, s->name.len); /* the interpreted twin has another key */
    key[s->name.len] = '\n';
    return dz_smap_get(&vm->handlers, key, s->name.len + 1);
}

/* The 13 bytes inside the term. */
static bool function_bytes(const struct dz_spawn *s, const uint8_t **bytes)
{
    struct dz_read r;
    struct dz_value v;
    dz_read_init(&r, s->function, s->function_len);
    if (!s->function || dz_read_next(&r, &v) || v.type != DZ_TERM_FUNCTION)
        return false;
    *bytes = (const uint8_t *)v.as.str.bytes;
    return true;
}

static uint32_t number_of(const uint8_t *bytes)
{
    return (uint32_t)bytes[8] << 24 | (uint32_t)bytes[9] << 16 | (uint32_t)bytes[10] << 8 | bytes[11];
}

static int push_step(lua_State *L, struct dz_vm *vm, const char *name)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->steps);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
    return 1;
}

static int resolve_named(lua_State *L, struct dz_vm *vm, struct dz_co *co, const struct dz_spawn *s)
{
    struct dz_proc *p = co->proc;
    if (s->name.len > 0 && s->name.s[0] == '@') {
        bool script = s->name.len == 5 && memcmp(s->name.s, "@main", 5) == 0;
        p->flags |= script ? DZ_PROC_PLAIN | DZ_PROC_SCRIPT : DZ_PROC_PLAIN;
        return 0;
    }
    struct dz_handlers *h = handlers_named(vm, s);
    if (h) {
        dz_handlers_take(vm, h, p);
        return 0;
    }
    push_step(L, vm, "resolve");
    lua_pushlstring(L, s->name.s, s->name.len);
    lua_pushboolean(L, (s->flags & DZ_SPAWN_NO_JIT) != 0);
    return 3;
}

static int resolve_table(lua_State *L, struct dz_vm *vm, struct dz_co *co, const struct dz_spawn *s)
{
    const uint8_t *bytes;
    if (!function_bytes(s, &bytes) || !dz_vm_function_push(L, bytes, DZ_VM_FUNCTION_BYTES))
        return dz_vm_raise(L, DZ_ENOBEHAVIOR, "the behaviour table belongs to another Lua state");
    uint32_t number = number_of(bytes);
    struct dz_handlers *h = dz_map_get(&vm->tables, number);
    if (h) {
        dz_handlers_take(vm, h, co->proc);
        dz_function_spawned(L, co->proc->pid);
        lua_pop(L, 1);
        return 0;
    }
    push_step(L, vm, "table");
    lua_insert(L, -2);
    lua_pushnumber(L, number);
    return 3;
}

/* 0 when the process knows what it runs, else the step that finds out. */
static int resolve(lua_State *L, struct dz_vm *vm, struct dz_co *co, const struct dz_spawn *s)
{
    if (s->flags & DZ_SPAWN_NO_JIT)
        co->proc->flags |= DZ_PROC_NO_JIT;
    if (co->proc->kind_state)
        return 0;
    if (s->what == DZ_SPAWN_BEHAVIOR)
        return resolve_named(L, vm, co, s);
    if (s->what == DZ_SPAWN_TABLE)
        return resolve_table(L, vm, co, s);
    co->proc->flags |= DZ_PROC_PLAIN;
    return 0;
}

/* --- names, bonds, the first function --- */

static int name_taken(lua_State *L, const struct dz_str *name, struct dz_pid owner)
{
    lua_pushlstring(L, name->s, name->len);
    dz_vm_push_error(L, DZ_ENAMETAKEN, "the name %s is taken", lua_tostring(L, -1));
    lua_insert(L, -2);
    lua_setfield(L, -2, "name");
    dz_vm_push_pid(L, owner);
    lua_setfield(L, -2, "owner");
    return lua_error(L);
}

static void apply(lua_State *L, struct dz_vm *vm, struct dz_co *co, const struct dz_spawn *s)
{
    struct dz_pid owner;
    struct dz_pid from = dz_start_spawn_of(co->proc)->from;
    int err = dz_spawn_apply(vm->thread, co->proc, s, from, &owner);
    if (err == DZ_ENAMETAKEN)
        name_taken(L, &s->local_name, owner);
    else if (err)
        dz_vm_raise(L, err, "%s", dz_err_text(err));
}

static void push_function(lua_State *L, struct dz_vm *vm, struct dz_co *co, const struct dz_spawn *s)
{
    const uint8_t *bytes;
    if (s->what == DZ_SPAWN_BEHAVIOR) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->internals);
        lua_pushlstring(L, s->name.s + 1, s->name.len - 1);
        lua_rawget(L, -2);
        lua_remove(L, -2);
    } else if (!function_bytes(s, &bytes) || !dz_vm_function_push(L, bytes, DZ_VM_FUNCTION_BYTES)) {
        lua_pushnil(L);
    }
    if (!lua_isfunction(L, -1))
        dz_vm_raise(L, DZ_ENOBEHAVIOR, "the function belongs to another Lua state");
    if (s->function)
        dz_function_spawned(L, co->proc->pid);
}

/* The function of the first turn and its arguments. A plain process has started once it can run. */
static int push_first(lua_State *L, struct dz_vm *vm, struct dz_co *co, const struct dz_spawn *s)
{
    struct dz_proc *p = co->proc;
    const struct dz_handlers *h = p->kind_state;
    if (h) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, h->init);
        co->phase = DZ_PHASE_INIT;
    } else {
        push_function(L, vm, co, s);
    }
    int n = dz_codec_decode_args(L, s->args, s->args ? s->args_len : 0, DZ_CODEC_FUNCTIONS);
    if (!h && s->what == DZ_SPAWN_START) {
        co->phase = DZ_PHASE_START;
    } else if (!h) {
        co->phase = DZ_PHASE_PLAIN;
        dz_process_started(vm->thread, p); /* frees what s points into */
    }
    return n + 1;
}

/* prepare() -> the next step of the first turn and its arguments; the last one is init, or the function of a
 * plain process. */
static int prepare(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_co *co = vm->running;
    struct dz_spawn s;
    dz_assert(co && co->phase == DZ_PHASE_PREPARE);
    if (!unpack(vm, co->proc, &s))
        return dz_vm_raise(L, DZ_EFORMAT, "malformed spawn");
    if (co->stage == STAGE_RESOLVE) {
        int n = resolve(L, vm, co, &s);
        if (n)
            return n;
        co->stage = STAGE_APPLY;
    }
    if (co->stage == STAGE_APPLY) {
        apply(L, vm, co, &s);
        co->stage = STAGE_GLOBAL;
    }
    if (co->stage == STAGE_GLOBAL) {
        co->stage = STAGE_RUN;
        if (s.global_name.s) {
            co->proc->flags |= DZ_PROC_GLOBAL;
            push_step(L, vm, "global");
            lua_pushlstring(L, s.global_name.s, s.global_name.len);
            return 2;
        }
    }
    return push_first(L, vm, co, &s);
}

/* The loop of boot.lua hands on exactly FIRST_ARGS arguments, nil for those that are not there. */
static bool fits_loop(const struct dz_spawn *s, const struct dz_handlers *h)
{
    struct dz_read r;
    uint32_t count = 0;
    dz_read_init(&r, s->args, s->args_len);
    return !h->counts_args && (!s->args || (dz_read_array(&r, &count) == 0 && count <= FIRST_ARGS));
}

int dz_start_first(lua_State *L, struct dz_vm *vm, struct dz_co *co)
{
    const struct dz_msg *m = dz_start_spawn_of(co->proc);
    const struct dz_spawn *s = m ? dz_spawn_held(m) : NULL;
    const struct dz_handlers *h = co->proc->kind_state;
    co->phase = DZ_PHASE_PREPARE;
    co->stage = STAGE_RESOLVE; /* of the process before, otherwise */
    if (!s || !h || s->global_name.s || !fits_loop(s, h)) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->start);
        return 1;
    }
    if (s->flags & DZ_SPAWN_NO_JIT)
        co->proc->flags |= DZ_PROC_NO_JIT;
    apply(L, vm, co, s);
    return push_first(L, vm, co, s);
}

/* --- the answers --- */

static void new_chunk(lua_State *L, struct dz_vm *vm)
{
    int *grown = dz_realloc(vm->chunks, (vm->chunk_count + 1) * sizeof *grown);
    if (!grown)
        dz_vm_raise(L, DZ_ENOMEM, "out of memory");
    vm->chunks = grown;
    lua_createtable(L, DZ_VM_CHUNK, 0);
    vm->chunks[vm->chunk_count] = luaL_ref(L, LUA_REGISTRYINDEX);
    vm->chunk_count++;
}

static uint32_t new_state(lua_State *L, struct dz_vm *vm)
{
    if (vm->free_count)
        return vm->free_states[--vm->free_count];
    uint32_t index = vm->state_count + 1;
    uint32_t needed = index / DZ_VM_CHUNK + 1;
    if (index + 1 > vm->free_cap) { /* room to give every index back without allocating */
        uint32_t cap = vm->free_cap ? vm->free_cap * 2 : DZ_VM_CHUNK;
        uint32_t *grown = dz_realloc(vm->free_states, cap * sizeof *grown);
        if (!grown)
            dz_vm_raise(L, DZ_ENOMEM, "out of memory");
        vm->free_states = grown;
        vm->free_cap = cap;
    }
    if (vm->chunk_count < needed)
        new_chunk(L, vm);
    vm->state_count = index;
    return index;
}

void dz_start_init_returned(lua_State *L, struct dz_vm *vm, struct dz_co *co)
{
    struct dz_proc *p = co->proc;
    lua_settop(L, 1);
    p->kind_index = new_state(L, vm);
    dz_dispatch_store_state(L, vm, p);
    dz_process_started(vm->thread, p);
}

static struct dz_msg *take_spawn(struct dz_proc *p)
{
    struct dz_msg *m = dz_start_spawn_of(p);
    return m ? dz_process_unowe(p, m->from, m->ref) : NULL;
}

void dz_start_function_returned(lua_State *L, struct dz_vm *vm, struct dz_co *co)
{
    struct dz_buf *value = dz_codec_scratch(vm);
    dz_codec_encode(L, 1, "the function's result", 0, value);
    struct dz_spawn s = {.what = DZ_SPAWN_START};
    bool child = unpack(vm, co->proc, &s) && !dz_pid_is_none(s.parent);
    struct dz_msg *spawn = take_spawn(co->proc);
    if (!spawn || !spawn->ref) {
        dz_msg_free(spawn);
        return;
    }
    struct dz_pid by = co->proc->pid, to = spawn->from;
    int err = child ? dz_send_child_reply(vm->thread, by, to, spawn->ref, value->data, value->len)
                    : dz_send_reply(vm->thread, by, to, spawn->ref, value->data, value->len);
    if (err)
        dz_send_error(vm->thread, by, to, spawn->ref, DZ_ENOMEM, NULL);
    dz_msg_free(spawn);
}

static void answer_init_failed(struct dz_vm *vm, struct dz_proc *p, const struct dz_msg *spawn,
                               const struct dz_blob *reason)
{
    struct dz_buf buf;
    struct dz_build b;
    char text[256];
    char message[320];
    const char *at;
    size_t len;
    dz_term_reason_text(reason->data, reason->len, text, sizeof text);
    const char *how = dz_read_find_string(reason->data, reason->len, "traceback", &at, &len) ? "raised" : "ended";
    snprintf(message, sizeof message, "init %s: %s", how, text);
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 3);
    dz_build_kstring(&b, "code", dz_err_name(DZ_EINITFAILED));
    dz_build_kstring(&b, "message", message);
    dz_build_kraw(&b, "reason", reason->data, reason->len);
    if (dz_build_done(&b))
        dz_send_error(vm->thread, p->pid, spawn->from, spawn->ref, DZ_EINITFAILED, NULL);
    else
        dz_send_failure(vm->thread, p->pid, spawn->from, spawn->ref, buf.data, buf.len);
    dz_buf_fini(&buf);
}

void dz_start_failed(struct dz_vm *vm, struct dz_proc *p, bool preparing, struct dz_blob *reason)
{
    dz_start_unlink(vm, p);
    struct dz_msg *spawn = take_spawn(p);
    if (!spawn)
        return;
    if (spawn->ref && preparing)
        dz_send_failure(vm->thread, p->pid, spawn->from, spawn->ref, reason->data, reason->len);
    else if (spawn->ref)
        answer_init_failed(vm, p, spawn, reason);
    dz_msg_free(spawn);
}

/* --- a process that only starts another one --- */

/* start_args() -> the arguments of this spawn; from now on the pid this first turn returns is its answer. */
static int start_args(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_co *co = vm->running;
    struct dz_spawn s;
    if (!co || co->phase != DZ_PHASE_PREPARE || !unpack(vm, co->proc, &s))
        return dz_vm_raise(L, DZ_EARGUMENT, "not in a first turn");
    co->phase = DZ_PHASE_START;
    return dz_codec_decode_args(L, s.args, s.args ? s.args_len : 0, DZ_CODEC_FUNCTIONS);
}

/* The supervisor that wants it as a child gives it the time of one. */
static void tell_parent(struct dz_vm *vm, const struct dz_spawn *s)
{
    struct dz_buf buf;
    struct dz_build b;
    if (dz_pid_is_none(s->parent) || !s->child_id.s)
        return;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_string(&b, s->child_id.s, s->child_id.len);
    struct dz_msg *m = dz_build_done(&b) ? NULL : dz_msg_new_copy(DZ_MSG_NOTICE, buf.data, buf.len);
    dz_buf_fini(&buf);
    dz_assert(m); /* an id of at most 255 bytes */
    m->code = DZ_REQ_STARTS_TREE;
    m->to = s->parent;
    dz_send_must(vm->thread, m);
}

/* start_other(thread [, spec]): sends this spawn on, to a worker (0: this one), as the supervisor of the spec
 * or as it is; the answer is the pid. The asker's link and monitor are made by the asker, who sees that the
 * pid is another one. */
static int start_other(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_co *co = vm->running;
    struct dz_spawn s;
    struct dz_msg *spec = NULL;
    dz_vm_check_wait(L, "spawn");
    uint32_t thread = (uint32_t)lua_tonumber(L, 1);
    if (!unpack(vm, co->proc, &s))
        return dz_vm_raise(L, DZ_EARGUMENT, "not in a first turn");
    if (lua_istable(L, 2)) {
        spec = dz_codec_message(L, vm->thread, 2, "spec", DZ_CODEC_FUNCTIONS, DZ_MSG_SEND);
        s.what = DZ_SPAWN_SUPERVISOR;
        s.spec = spec->data;
        s.spec_len = spec->len;
        s.args = NULL;
        s.args_len = 0;
    }
    s.flags &= ~(uint32_t)(DZ_SPAWN_LINK | DZ_SPAWN_MONITOR);
    struct dz_msg *m = dz_spawn_hold(&s);
    dz_msg_free(spec);
    if (!m)
        return dz_vm_raise(L, DZ_ENOMEM, "out of memory");
    co->stage = s.what == DZ_SPAWN_SUPERVISOR ? STAGE_SUPERVISOR : STAGE_PASSED_ON;
    if (s.what == DZ_SPAWN_SUPERVISOR)
        tell_parent(vm, &s);
    return dz_vm_ask_spawn(L, thread ? thread : vm->thread->index, &m, DZ_INFINITY);
}

/* The start is broken off while the other one starts: it is told to stop, and its answer to that is ours, so that whoever
 * broke it off hears when nothing of it is left. A process that does not look at its mailbox in init is killed there; a
 * supervisor stops in order what it has started. */
void dz_start_hand_over(struct dz_vm *vm, struct dz_proc *p)
{
    struct dz_co *co = p->kind_data;
    if (!co || co->phase != DZ_PHASE_START || co->stage < STAGE_PASSED_ON || !(p->flags & DZ_PROC_NO_TERMINATE))
        return;
    /* The SPAWN, and a STOP of one who passed this start on to us. */
    struct dz_msg *m;
    while ((m = p->owed) != NULL && (m->kind == DZ_MSG_SPAWN || m->kind == DZ_MSG_STOP)) {
        dz_process_unowe(p, m->from, m->ref);
        dz_send_signal(vm->thread, DZ_MSG_STOP, m->from, p->wait->target, m->ref,
                       vm->shared->rt->reasons[DZ_REASON_SHUTDOWN]);
        dz_msg_free(m);
    }
    if (co->stage == STAGE_SUPERVISOR)
        p->wait->target = DZ_PID_NONE;
}

void dz_bind_start_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"prepare", prepare}, {"start_args", start_args}, {"start_other", start_other}, {NULL, NULL}};
    luaL_register(L, NULL, functions);
}

/* --- the port --- */

/* A behaviour this state knows already is the process's from the beginning. */
static void resolve_early(struct dz_vm *vm, struct dz_proc *p, const struct dz_spawn *s)
{
    struct dz_handlers *h = NULL;
    const uint8_t *bytes;
    if (s->what == DZ_SPAWN_BEHAVIOR && s->name.len > 0 && s->name.s[0] != '@')
        h = handlers_named(vm, s);
    else if (s->what == DZ_SPAWN_TABLE && function_bytes(s, &bytes) && dz_function_is_here(vm, bytes))
        h = dz_map_get(&vm->tables, number_of(bytes));
    if (h)
        dz_handlers_take(vm, h, p);
}

bool dz_start_is_resolved(const struct dz_vm *vm, struct dz_pid pid)
{
    const struct dz_slot *slot = dz_table_find(&vm->shared->rt->table, pid);
    /* relaxed: a slot of this thread's own process was reserved here. */
    return slot && atomic_load_explicit(&slot->thread, memory_order_relaxed) == vm->thread->index && slot->proc &&
           slot->proc->kind_state;
}

void dz_vm_spawn(struct dz_thread *t, struct dz_slot *slot, struct dz_msg *msg)
{
    struct dz_proc *p = dz_zalloc(1, sizeof *p);
    if (p && t->vm) {
        const struct dz_spawn *held = dz_spawn_held(msg);
        dz_process_init(t, p, &dz_vm_kind, slot, msg->to, msg);
        if (held)
            resolve_early(t->vm, p, held);
        return;
    }
    dz_free(p);
    dz_process_refuse_with(t, slot, msg, t->vm ? DZ_ENOMEM : DZ_ENOBEHAVIOR, NULL);
}
