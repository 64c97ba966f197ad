/* dispatch.c - turns: a coroutine takes one message after another, of one ready process after another.
 * A coroutine that has nothing to do, or whose next process must be seen by `run` first, yields no value; one
 * whose process waits yields the wait token and stays that process's. */
#include "vm/state.h"

#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "sched/sched.h"

/* --- the state of a process --- */

static void push_state(lua_State *L, const struct dz_vm *vm, const struct dz_proc *p)
{
    dz_assert(p->kind_index);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->chunks[p->kind_index / DZ_VM_CHUNK]);
    lua_rawgeti(L, -1, (int)(p->kind_index % DZ_VM_CHUNK) + 1);
    lua_replace(L, -2);
}

void dz_dispatch_store_state(lua_State *L, struct dz_vm *vm, struct dz_proc *p)
{
    dz_assert(p->kind_index);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->chunks[p->kind_index / DZ_VM_CHUNK]);
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

/* A longer string is left to the codec, which has limits. */
bool dz_dispatch_share(lua_State *L, struct dz_vm *vm, int idx)
{
    switch (lua_type(L, idx)) {
    case LUA_TTABLE:
        return vm->copies_tables && dz_copy_push(L, vm, idx);
    case LUA_TSTRING:
        if (lua_objlen(L, idx) > DZ_COPY_STRING)
            return false;
        break;
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
        break;
    default:
        return false;
    }
    lua_pushvalue(L, idx);
    return true;
}

/* The one who asked stands still around this turn, in the same Lua state: its answer goes from stack to stack. */
static bool answer_asker(lua_State *L, struct dz_vm *vm, struct dz_co *co)
{
    struct dz_co *asker = vm->asker;
    if (!asker || asker->wait.ref != co->ref || !dz_process_awaits(asker->proc, co->ref) || !dz_dispatch_share(L, vm, 1))
        return false;
    dz_thread_free_message(vm->thread, dz_process_unowe(co->proc, co->from, co->ref));
    lua_xmove(L, asker->L, 1);
    asker->given = true;
    dz_process_answer(asker->proc);
    return true;
}

static void call_returned(lua_State *L, struct dz_vm *vm, struct dz_co *co)
{
    if (lua_gettop(L) == 0) {
        refuse_call(vm, co->proc, co->from, co->ref);
        return;
    }
    if (!answer_asker(L, vm, co) && lua_touserdata(L, 1) != dz_vm_noreply())
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
    push_state(L, vm, p);
    if (!h->wants_from)
        return 3;
    dz_vm_push_ref(L, from);
    return 4;
}

static int push_one_way(lua_State *L, struct dz_vm *vm, struct dz_co *co, struct dz_msg *m, int handler, enum dz_phase phase)
{
    if (handler == LUA_NOREF) {
        dz_msg_free(m);
        return 0;
    }
    co->phase = (uint8_t)phase;
    co->msg = m;
    lua_rawgeti(L, LUA_REGISTRYINDEX, handler);
    dz_wait_push_message(L, co->proc, m);
    push_state(L, vm, co->proc);
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
        return push_one_way(L, vm, co, m, h->handle_cast, DZ_PHASE_CAST);
    case DZ_MSG_SEND:
    case DZ_MSG_INFO:
    case DZ_MSG_DOWN:
    case DZ_MSG_EXIT:
        return push_one_way(L, vm, co, m, h->handle_info, DZ_PHASE_INFO);
    case DZ_MSG_STOP:
        dz_dispatch_take_stop(vm, p, m);
        return 0;
    default:
        dz_msg_free(m);
        return 0;
    }
}

static void begin_turn(struct dz_vm *vm, struct dz_co *co)
{
    co->turns_left--;
    dz_sched_turn_begin(dz_worker_of(vm->thread)); /* a message is a turn, however long the stretch */
    dz_memory_note_turn(&vm->memory, co->proc->pid);
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
        begin_turn(vm, co);
        int n = push_turn(L, vm, co, m);
        if (n)
            return n;
    }
}

/* Goes on with the next ready process if this coroutine can run it. */
static bool adopt(struct dz_vm *vm, struct dz_co *co)
{
    struct dz_worker *w = dz_worker_of(vm->thread);
    if (vm->pending || vm->nested || dz_sched_should_yield(w))
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

static int push_terminate(lua_State *L, struct dz_vm *vm, struct dz_co *co)
{
    const struct dz_handlers *h = co->proc->kind_state;
    co->phase = DZ_PHASE_TERMINATE;
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->terminate);
    dz_codec_decode(L, co->proc->exit->data, co->proc->exit->len, 0);
    push_state(L, vm, co->proc);
    return 3;
}

int dz_dispatch_next(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_co *co = vm->running;
    dz_assert(co && co->L == L);
    if (co->phase == DZ_PHASE_END)
        return push_terminate(L, vm, co);
    if (co->phase != DZ_PHASE_NONE)
        returned(L, vm, co);
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

/* The handler for a message of this kind; LUA_NOREF when there is none, or its arguments take more than the message and the
 * state. */
static int plain_handler(const struct dz_handlers *h, uint8_t kind)
{
    if (kind == DZ_MSG_CALL)
        return h->wants_from ? LUA_NOREF : h->handle_call;
    switch (kind) {
    case DZ_MSG_CAST:
        return h->handle_cast;
    case DZ_MSG_SEND:
        return h->handle_info;
    default:
        return LUA_NOREF;
    }
}

/* The turn begins; its handler and message lie on the coroutine's stack, the state follows. How many values. */
static int begin_given(struct dz_vm *vm, struct dz_co *co, struct dz_proc *p, struct dz_msg *m)
{
    push_state(co->L, vm, p);
    begin_turn(vm, co);
    if (m->kind == DZ_MSG_CALL) {
        dz_process_owe(p, m);
        co->phase = DZ_PHASE_CALL;
        co->from = m->from;
        co->ref = m->ref;
    } else {
        co->phase = m->kind == DZ_MSG_CAST ? DZ_PHASE_CAST : DZ_PHASE_INFO;
        co->msg = m;
    }
    return 3;
}

/* What dz_dispatch_next would return if the coroutine asked for its first turn, where that needs no memory of Lua's and so cannot
 * raise: then it need not ask. 0: it has to. */
static int give_turn(struct dz_vm *vm, struct dz_co *co, struct dz_proc *p)
{
    struct dz_msg *m = dz_mailbox_peek(&p->mail);
    int handler = m && (p->flags & DZ_PROC_STARTED) && p->kind_state ? plain_handler(p->kind_state, m->kind) : LUA_NOREF;
    if (handler == LUA_NOREF)
        return 0;
    lua_rawgeti(co->L, LUA_REGISTRYINDEX, handler);
    if (!dz_codec_push_fixed(co->L, m->data, m->len)) {
        lua_pop(co->L, 1);
        return 0;
    }
    return begin_given(vm, co, p, dz_process_take(p));
}

/* --- a question without bytes --- */

struct writing {
    lua_State *from;
    int idx;
    struct dz_msg *question;
};

static int write_bytes(lua_State *L)
{
    struct writing *w = lua_touserdata(L, 1);
    lua_pushvalue(w->from, w->idx);
    lua_xmove(w->from, L, 1);
    struct dz_blob *blob = dz_codec_blob(L, -1, "message", DZ_CODEC_LOSSY);
    dz_msg_set_blob(w->question, blob);
    dz_blob_unref(blob);
    return 0;
}

/* The question of `from` was handed over by the stack, and is not answered yet: now it gets its bytes, for whoever reports a crash.
 * Where there is no memory it stays without. */
static void write_question(struct dz_vm *vm, const struct dz_proc *p, struct dz_pid from, uint64_t ref)
{
    struct dz_co *asker = vm->asker;
    struct dz_msg *m = p ? p->owed : NULL;
    while (m && (m->ref != ref || !dz_pid_eq(m->from, from)))
        m = dz_msg_next(m);
    if (!asker || !asker->asked || !m)
        return;
    struct writing w = {asker->L, asker->asked, m};
    asker->asked = 0;
    if (lua_cpcall(vm->L, write_bytes, &w))
        lua_pop(vm->L, 1);
}

/* --- the kind --- */

/* The coroutine yielded with its process still in it. One that let another process run inside its turn is at rest already. */
static void parked(struct dz_vm *vm, struct dz_co *co)
{
    struct dz_proc *p = co->proc;
    if (co->phase == DZ_PHASE_TERMINATE && !p->wait) { /* exit inside terminate */
        dz_co_drop(vm, co);
        dz_process_finish(vm->thread, p);
        return;
    }
    dz_assert(p->wait || (p->flags & DZ_PROC_DOOMED));
    if (p->state == DZ_PROC_RUNNING)
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
        if (vm->asker && co->phase == DZ_PHASE_CALL)
            write_question(vm, co->proc, co->from, co->ref);
        dz_ending_crash(vm, co);
        return;
    }
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
    bool idle = false; /* its coroutine is about to ask for a turn */
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
        idle = true;
    } else if (co->self_ending && p->wait) {
        co->self_ending = false;
        dz_process_unwait(vm->thread, p);
        if (co->unsent && !dz_unsent_retry(vm, co))
            return;
    }
    co->turns_left = DZ_SLICE_TURNS;
    resume(vm, co, co->wants ? dz_wait_give(vm, co, p) : idle ? give_turn(vm, co, p) : 0);
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

/* --- a turn inside a turn --- */

struct dz_proc *dz_dispatch_idle(struct dz_vm *vm, struct dz_pid to)
{
    struct dz_rt *rt = vm->shared->rt;
    struct dz_co *asker = vm->running;
    if (vm->nested >= DZ_VM_NESTED || asker->turns_left == 0 || (vm->current->flags & (DZ_PROC_DOOMED | DZ_PROC_STOP_MAILED)))
        return NULL;
    struct dz_slot *slot = dz_nodes_is_self(&rt->nodes, to.node) ? dz_table_find(&rt->table, to) : NULL;
    /* relaxed: a process of this thread stays here. */
    if (!slot || atomic_load_explicit(&slot->native, memory_order_relaxed) || atomic_load_explicit(&slot->thread, memory_order_relaxed) != vm->thread->index)
        return NULL;
    struct dz_proc *p = slot->proc;
    if (!p || p->kind != &dz_vm_kind || p->state != DZ_PROC_IDLE || (p->flags & (DZ_PROC_DOOMED | DZ_PROC_TERMINATING)))
        return NULL;
    return dz_sched_should_yield(dz_worker_of(vm->thread)) ? NULL : p;
}

bool dz_dispatch_takes_shared(const struct dz_proc *p)
{
    return plain_handler(p->kind_state, DZ_MSG_CALL) != LUA_NOREF;
}

/* The question for the coroutine to begin with: from stack to stack, or by the mailbox. */
static int give_question(struct dz_vm *vm, struct dz_co *co, struct dz_proc *p, struct dz_msg *m, bool shared)
{
    if (!shared) {
        dz_mailbox_push(&p->mail, m);
        return 0;
    }
    p->handled++;
    lua_rawgeti(co->L, LUA_REGISTRYINDEX, plain_handler(p->kind_state, DZ_MSG_CALL));
    lua_xmove(vm->asker->L, co->L, 1);
    return begin_given(vm, co, p, m);
}

bool dz_dispatch_ask(struct dz_vm *vm, struct dz_proc *p, struct dz_msg *call, bool shared, int idx)
{
    struct dz_co *asker = vm->running, *around = vm->asker;
    struct dz_proc *self = asker->proc;
    struct dz_co *co = dz_co_get(vm, p);
    asker->turns_left--;
    asker->given = false;
    asker->asked = shared ? idx : 0;
    dz_process_rest(vm->thread, self);
    dz_memory_note_turn(&vm->memory, self->pid);
    dz_process_begin(p);
    vm->asker = asker;
    vm->nested++;
    if (co) {
        co->turns_left = 1;
        resume(vm, co, give_question(vm, co, p, call, shared));
    } else {
        dz_process_owe(p, call);
        out_of_memory(vm, p);
    }
    if (!self->wait->woken)
        write_question(vm, dz_ending_process_of(vm, self->wait->target), self->pid, self->wait->ref);
    vm->nested--;
    vm->asker = around;
    vm->running = asker;
    vm->current = self;
    if (vm->pending) /* doomed: its end is the next stretch's */
        dz_process_rest(vm->thread, vm->pending);
    vm->pending = NULL;
    dz_sched_turn_begin(dz_worker_of(vm->thread));
    return dz_process_go_on(self);
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
