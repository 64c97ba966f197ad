/* dispatch.c - turns: a coroutine takes one message after another, of one ready process after another.
 * A coroutine that has nothing to do, or whose next process must be seen by `run` first, yields no value; one
 * whose process waits yields the wait token and stays that process's. */
#include "vm/state.h"

#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "sched/sched.h"

/* --- the state of a process --- */

static void push_chunk(lua_State *L, struct dz_vm *vm, uint32_t index)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->chunks);
    lua_rawgeti(L, -1, (int)(index / DZ_VM_CHUNK) + 1);
    lua_remove(L, -2);
}

/* For dz_dispatch_next only, whose upvalue the list of chunks is. */
static void push_state(lua_State *L, const struct dz_proc *p)
{
    dz_assert(p->kind_index);
    lua_rawgeti(L, lua_upvalueindex(1), (int)(p->kind_index / DZ_VM_CHUNK) + 1);
    lua_rawgeti(L, -1, (int)(p->kind_index % DZ_VM_CHUNK) + 1);
    lua_replace(L, -2);
}

void dz_dispatch_store_state(lua_State *L, struct dz_vm *vm, struct dz_proc *p)
{
    dz_assert(p->kind_index);
    push_chunk(L, vm, p->kind_index);
    lua_insert(L, -2);
    lua_rawseti(L, -2, (int)(p->kind_index % DZ_VM_CHUNK) + 1);
    lua_pop(L, 1);
}

/* A callback's new state at idx; nil and none keep the present one. */
static void keep_state(lua_State *L, struct dz_vm *vm, struct dz_proc *p, int idx)
{
    if (lua_gettop(L) < idx || lua_isnil(L, idx))
        return;
    lua_pushvalue(L, idx);
    dz_dispatch_store_state(L, vm, p);
}

/* --- a handler returned --- */

/* Answers the question with the bytes; the question's memory becomes the reply's when it is large enough. */
static void reply_bytes(lua_State *L, struct dz_vm *vm, struct dz_co *co, const uint8_t *data, size_t len)
{
    struct dz_proc *p = co->proc;
    struct dz_msg *m = dz_process_unowe(p, co->from, co->ref);
    if (!m)
        return; /* the caller has given up, or somebody else has answered */
    size_t room = m->flags & DZ_MSG_SMALL ? DZ_MSG_SMALL_ROOM : m->len;
    if (m->blob || len > room) {
        struct dz_msg *reply = dz_msg_new_copy(DZ_MSG_REPLY, data, len);
        if (!reply) {
            dz_send_error(vm->thread, p->pid, m->from, m->ref, DZ_ENOMEM, NULL);
            dz_msg_free(m);
            dz_vm_raise(L, DZ_ENOMEM, "out of memory");
            return;
        }
        reply->from = m->from;
        reply->ref = m->ref;
        dz_msg_free(m);
        m = reply;
    } else {
        memcpy(m->bytes, data, len);
        m->data = m->bytes;
        m->len = (uint32_t)len;
        m->kind = DZ_MSG_REPLY;
        m->flags &= DZ_MSG_SMALL;
        m->code = 0;
    }
    m->to = m->from;
    m->from = p->pid;
    (void)dz_unsent_reply(vm, co, m);
}

static void reply(lua_State *L, struct dz_vm *vm, struct dz_co *co, int idx)
{
    uint8_t scalar[DZ_CODEC_SCALAR];
    size_t len = dz_codec_scalar(L, idx, scalar);
    if (len) {
        reply_bytes(L, vm, co, scalar, len);
        return;
    }
    struct dz_buf *b = dz_codec_scratch(vm);
    dz_codec_encode(L, idx, "reply", 0, b);
    reply_bytes(L, vm, co, b->data, b->len);
}

static void refuse_call(struct dz_vm *vm, struct dz_proc *p, struct dz_pid from, uint64_t ref)
{
    struct dz_msg *m = dz_process_unowe(p, from, ref);
    if (m)
        dz_send_error(vm->thread, p->pid, m->from, m->ref, DZ_EUNHANDLED, NULL);
    dz_msg_free(m);
}

static void call_returned(lua_State *L, struct dz_vm *vm, struct dz_co *co)
{
    if (lua_gettop(L) == 0) {
        refuse_call(vm, co->proc, co->from, co->ref);
        return;
    }
    if (lua_touserdata(L, 1) != dz_vm_noreply())
        reply(L, vm, co, 1);
    keep_state(L, vm, co->proc, 2);
}

static void end_normally(struct dz_vm *vm, struct dz_co *co)
{
    struct dz_proc *p = co->proc;
    co->proc = NULL;
    p->kind_data = NULL;
    vm->current = NULL;
    dz_process_doom(vm->thread, p, vm->shared->rt->reasons[DZ_REASON_NORMAL], 0);
    dz_process_finish(vm->thread, p);
}

static void returned(lua_State *L, struct dz_vm *vm, struct dz_co *co)
{
    switch (co->phase) {
    case DZ_PHASE_CALL:
        call_returned(L, vm, co);
        break;
    case DZ_PHASE_CAST:
    case DZ_PHASE_INFO:
        keep_state(L, vm, co->proc, 1);
        break;
    case DZ_PHASE_INIT:
        dz_start_init_returned(L, vm, co);
        break;
    case DZ_PHASE_START:
        dz_start_function_returned(L, vm, co);
        end_normally(vm, co);
        break;
    case DZ_PHASE_PLAIN:
    case DZ_PHASE_TERMINATE:
        end_normally(vm, co);
        break;
    default:
        dz_assert(!"a turn that cannot return");
    }
    struct dz_msg *msg = co->msg;
    co->msg = NULL;
    co->phase = DZ_PHASE_NONE;
    co->sent = 0;
    dz_thread_free_message(vm->thread, msg);
}

/* --- the next turn --- */

static int push_call(lua_State *L, struct dz_vm *vm, struct dz_co *co, struct dz_msg *m,
                     const struct dz_handlers *h)
{
    struct dz_proc *p = co->proc;
    struct dz_ref from = {m->from, m->ref};
    dz_process_owe(p, m);
    if (h->handle_call == LUA_NOREF) {
        refuse_call(vm, p, m->from, m->ref);
        return 0;
    }
    co->phase = DZ_PHASE_CALL;
    co->from = m->from;
    co->ref = m->ref;
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->handle_call);
    dz_codec_decode(L, m->data, m->len, 0);
    push_state(L, p);
    if (!h->wants_from)
        return 3;
    dz_vm_push_ref(L, from);
    return 4;
}

static int push_one_way(lua_State *L, struct dz_co *co, struct dz_msg *m, int handler, enum dz_phase phase)
{
    if (handler == LUA_NOREF) {
        dz_msg_free(m);
        return 0;
    }
    co->phase = (uint8_t)phase;
    co->msg = m;
    lua_rawgeti(L, LUA_REGISTRYINDEX, handler);
    dz_wait_push_message(L, co->proc, m);
    push_state(L, co->proc);
    return 3;
}

void dz_dispatch_take_stop(struct dz_vm *vm, struct dz_proc *p, struct dz_msg *m)
{
    struct dz_blob *reason = m->blob ? dz_blob_ref(m->blob) : dz_blob_new(m->data, m->len);
    dz_process_owe(p, m);
    dz_process_doom(vm->thread, p, reason ? reason : vm->shared->rt->reasons[DZ_REASON_SHUTDOWN], 0);
    dz_blob_unref(reason);
}

/* The handler and its arguments; 0 when the message needed none. */
static int push_turn(lua_State *L, struct dz_vm *vm, struct dz_co *co, struct dz_msg *m)
{
    struct dz_proc *p = co->proc;
    const struct dz_handlers *h = p->kind_state;
    switch (m->kind) {
    case DZ_MSG_CALL:
        return push_call(L, vm, co, m, h);
    case DZ_MSG_CAST:
        return push_one_way(L, co, m, h->handle_cast, DZ_PHASE_CAST);
    case DZ_MSG_SEND:
    case DZ_MSG_INFO:
    case DZ_MSG_DOWN:
    case DZ_MSG_EXIT:
        return push_one_way(L, co, m, h->handle_info, DZ_PHASE_INFO);
    case DZ_MSG_STOP:
        dz_dispatch_take_stop(vm, p, m);
        return 0;
    default:
        dz_msg_free(m);
        return 0;
    }
}

static void detach(struct dz_co *co)
{
    co->proc->kind_data = NULL;
    co->proc = NULL;
}

/* Turns of the process this coroutine has; 0 when it has none any more. */
static int next_of_process(lua_State *L, struct dz_vm *vm, struct dz_co *co)
{
    struct dz_proc *p = co->proc;
    for (;;) {
        if (p->flags & DZ_PROC_DOOMED) {
            detach(co);
            vm->pending = p;
            return 0;
        }
        if (!(p->flags & DZ_PROC_STARTED))
            return dz_start_first(L, vm, co);
        struct dz_msg *m = co->turns_left ? dz_process_take(p) : NULL;
        if (!m) {
            detach(co);
            dz_process_rest(vm->thread, p);
            return 0;
        }
        co->turns_left--;
        dz_sched_turn_begin(dz_worker_of(vm->thread)); /* a message is a turn, however long the stretch */
        dz_memory_note_turn(&vm->memory, p->pid);
        int n = push_turn(L, vm, co, m);
        if (n)
            return n;
    }
}

/* Goes on with the next ready process if this coroutine can run it. */
static bool adopt(struct dz_vm *vm, struct dz_co *co)
{
    struct dz_worker *w = dz_worker_of(vm->thread);
    if (vm->pending || dz_sched_should_yield(w))
        return false;
    struct dz_proc *p = dz_sched_next_of(w, &dz_vm_kind);
    if (!p)
        return false;
    if (p->kind_data || (p->flags & DZ_PROC_DOOMED)) {
        vm->pending = p;
        return false;
    }
    co->proc = p;
    co->turns_left = DZ_SLICE_TURNS;
    p->kind_data = co;
    dz_memory_note_turn(&vm->memory, DZ_PID_NONE);
    vm->current = p;
    return true;
}

static int push_terminate(lua_State *L, struct dz_co *co)
{
    const struct dz_handlers *h = co->proc->kind_state;
    co->phase = DZ_PHASE_TERMINATE;
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->terminate);
    dz_codec_decode(L, co->proc->exit->data, co->proc->exit->len, 0);
    push_state(L, co->proc);
    return 3;
}

int dz_dispatch_next(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_co *co = vm->running;
    dz_assert(co && co->L == L);
    if (co->phase == DZ_PHASE_END)
        return push_terminate(L, co);
    if (co->phase != DZ_PHASE_NONE)
        returned(L, vm, co);
    lua_settop(L, 0);
    if (co->unsent) { /* the answer to a call: no further turn before it went out */
        dz_unsent_wait(vm);
        return lua_yield(L, 0);
    }
    for (;;) {
        int n = co->proc ? next_of_process(L, vm, co) : 0;
        if (n)
            return n;
        if (!adopt(vm, co)) {
            vm->current = NULL;
            return lua_yield(L, 0);
        }
    }
}

/* --- the kind --- */

/* The coroutine yielded with its process still in it. */
static void parked(struct dz_vm *vm, struct dz_co *co)
{
    struct dz_proc *p = co->proc;
    if (co->phase == DZ_PHASE_TERMINATE && !p->wait) { /* exit inside terminate */
        dz_co_drop(vm, co);
        dz_process_finish(vm->thread, p);
        return;
    }
    dz_assert(p->wait || (p->flags & DZ_PROC_DOOMED));
    dz_process_rest(vm->thread, p);
}

static void resume(struct dz_vm *vm, struct dz_co *co, int values)
{
    vm->running = co;
    vm->current = co->proc;
    int status = dz_gate_resume(vm, co->L, values);
    dz_memory_note_turn(&vm->memory, vm->current ? vm->current->pid : DZ_PID_NONE);
    vm->running = NULL;
    vm->current = NULL;
    if (vm->interrupt.hooked)
        dz_interrupt_disarm(vm);
    /* relaxed: a figure for others to read. */
    atomic_store_explicit(&vm->thread->lua_bytes, vm->memory.used, memory_order_relaxed);
    dz_assert(status != 0);
    if (status != LUA_YIELD) {
        dz_ending_crash(vm, co);
        return;
    }
    lua_settop(co->L, 0);
    if (co->proc)
        parked(vm, co);
    else
        dz_co_put(vm, co);
}

static void out_of_memory(struct dz_vm *vm, struct dz_proc *p)
{
    dz_process_doom(vm->thread, p, vm->shared->rt->reasons[DZ_REASON_OUT_OF_MEMORY], DZ_PROC_NO_TERMINATE);
    dz_process_finish(vm->thread, p);
}

static void turn(struct dz_vm *vm, struct dz_proc *p)
{
    struct dz_co *co = p->kind_data;
    bool terminating = (p->flags & DZ_PROC_TERMINATING) && !(p->flags & DZ_PROC_NO_TERMINATE);
    if ((p->flags & DZ_PROC_DOOMED) && !terminating) {
        co = dz_ending_begin(vm, p);
        if (!co)
            return;
    } else if (!co) {
        co = dz_co_get(vm, p);
        if (!co) {
            out_of_memory(vm, p);
            return;
        }
    } else if (co->self_ending && p->wait) {
        co->self_ending = false;
        dz_process_unwait(vm->thread, p);
        if (co->unsent && !dz_unsent_retry(vm, co))
            return;
    }
    co->turns_left = DZ_SLICE_TURNS;
    resume(vm, co, co->wants ? dz_wait_give(vm, co, p) : 0);
}

static void run(struct dz_thread *t, struct dz_proc *p)
{
    struct dz_vm *vm = t->vm;
    struct dz_worker *w = dz_worker_of(t);
    while (p) {
        vm->pending = NULL;
        turn(vm, p);
        p = vm->pending;
        if (!p && !dz_sched_should_yield(w))
            p = dz_sched_next_of(w, &dz_vm_kind);
    }
}

static void describe(struct dz_thread *t, struct dz_proc *p, const char **behavior, size_t *memory)
{
    const struct dz_handlers *h = p->kind_state;
    (void)t;
    *behavior = h ? h->name : NULL;
    if (p->kind_data)
        *memory += sizeof(struct dz_co);
}

const struct dz_proc_kind dz_vm_kind = {"lua", run, dz_ending_dispose, describe, .no_requests = true};
