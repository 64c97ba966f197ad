/* bind_wait.c - waiting: parking a coroutine and reading what it waited for; receive, sleep, await.
 * A wait belongs to the process's coroutine (dz_co.wait). The primitive that begins it yields the wait token;
 * the scheduler makes the process ready when it is over; the Lua function around the primitive calls
 * core.result(), which ends the wait. */
#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "vm/state.h"

/* --- beginning and parking --- */

void *dz_vm_wait_token(void)
{
    static const char token = 'w';
    return (void *)(uintptr_t)&token;
}

void dz_vm_check_wait(lua_State *L, const char *call)
{
    struct dz_vm *vm = dz_vm_state(L);
    if (dz_wait_allowed(L, vm))
        return;
    dz_vm_push_error(L, DZ_ECANNOTWAIT, "%s waits, and one cannot wait here%s", call,
                     vm->current ? " (inside a sort, gsub, finaliser or luv callback)" : ": no process runs");
    lua_pushstring(L, call);
    lua_setfield(L, -2, "call");
    lua_error(L);
}

/* A stop that came while the process ran waits in its mailbox; now that the process will stand still it is
 * stopped there. */
static void heed_stop(struct dz_vm *vm, struct dz_proc *p)
{
    struct dz_msg *prev = NULL;
    p->flags &= (uint16_t)~DZ_PROC_STOP_MAILED;
    for (struct dz_msg *m = dz_mailbox_peek(&p->mail); m; prev = m, m = dz_msg_next(m)) {
        if (m->kind != DZ_MSG_STOP)
            continue;
        dz_mailbox_take(&p->mail, prev, m);
        dz_process_taken(p, m);
        dz_dispatch_take_stop(vm, p, m);
        return;
    }
}

struct dz_co *dz_wait_begin(struct dz_vm *vm, enum dz_wait_kind kind, uint64_t ref, struct dz_pid target,
                            uint64_t timeout_ns)
{
    struct dz_co *co = vm->running;
    struct dz_proc *p = vm->current;
    dz_assert(co && co->proc == p);
    if (p->wait)
        dz_process_unwait(vm->thread, p);
    if (p->flags & DZ_PROC_STOP_MAILED)
        heed_stop(vm, p);
    co->wait.kind = kind;
    co->wait.ref = ref;
    co->wait.target = target;
    co->wait.reply = NULL;
    co->wait.answered = co->wait.timed_out = false;
    co->self_ending = co->refused = false;
    co->wants = DZ_WANTS_NOTHING;
    dz_process_wait(vm->thread, p, &co->wait, timeout_ns);
    return co;
}

int dz_wait_interrupt(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    dz_assert(vm->current && (vm->current->flags & DZ_PROC_DOOMED));
    if (vm->running)
        dz_interrupt_arm(vm, 0);
    return dz_interrupt_raise(L);
}

/* Only a coroutine of the process's own has to pass the token on. */
int dz_wait_park(lua_State *L)
{
    const struct dz_co *co = dz_vm_state(L)->running;
    if (co && co->L == L)
        return lua_yield(L, 0);
    lua_pushlightuserdata(L, dz_vm_wait_token());
    return lua_yield(L, 1);
}

int dz_vm_park(lua_State *L)
{
    dz_assert(dz_vm_state(L)->current->wait);
    return dz_wait_park(L);
}

uint64_t dz_vm_wait_reply(lua_State *L, struct dz_pid target, uint64_t timeout_ns)
{
    struct dz_vm *vm = dz_vm_state(L);
    uint64_t ref = dz_rt_next_ref(vm->shared->rt);
    dz_wait_begin(vm, DZ_WAIT_REPLY, ref, target, timeout_ns);
    return ref;
}

void dz_vm_wait_abandon(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    vm->current->wait->answered = true;
    dz_process_unwait(vm->thread, vm->current);
}

int dz_wait_not_sent(lua_State *L, struct dz_msg **take, int err)
{
    struct dz_pid to = (*take)->kind == DZ_MSG_CALL ? (*take)->to : DZ_PID_NONE;
    dz_vm_wait_abandon(L);
    dz_msg_free(*take);
    *take = NULL;
    dz_vm_push_error(L, err, "%s", dz_err_text(err));
    if (!dz_pid_is_none(to)) {
        dz_vm_push_pid(L, to);
        lua_setfield(L, -2, "dest");
    }
    return lua_error(L);
}

int dz_vm_ask(lua_State *L, struct dz_msg **take, uint64_t timeout_ns)
{
    struct dz_msg *m = *take;
    m->from = dz_vm_current(L)->pid;
    m->ref = dz_vm_wait_reply(L, m->to, timeout_ns);
    int err = dz_send(dz_vm_thread(L), take);
    return err ? dz_wait_not_sent(L, take, err) : dz_vm_park(L);
}

int dz_vm_ask_spawn(lua_State *L, uint32_t thread, struct dz_msg **take, uint64_t timeout_ns)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_pid slot = DZ_PID_NONE;
    (*take)->from = vm->current->pid;
    (*take)->ref = dz_vm_wait_reply(L, DZ_PID_NONE, timeout_ns);
    int err = dz_spawn_send(vm->thread, thread, take, &slot);
    if (err)
        return dz_wait_not_sent(L, take, err);
    vm->current->wait->target = slot; /* giving up tells it, which cancels the start */
    dz_function_hold(L, slot);
    return dz_vm_park(L);
}

int dz_vm_request(lua_State *L, struct dz_pid to, uint16_t code, struct dz_msg **take, uint64_t timeout_ns)
{
    struct dz_msg *m = *take;
    *take = NULL;
    if (!m) {
        static const uint8_t nil = 0xc0;
        m = dz_msg_new_copy(DZ_MSG_REQUEST, &nil, 1);
        if (!m)
            return dz_vm_raise(L, DZ_ENOMEM, "out of memory");
    }
    m->kind = DZ_MSG_REQUEST;
    m->code = code;
    m->to = to;
    return dz_vm_ask(L, &m, timeout_ns);
}

int dz_wait_hand_over(lua_State *L, struct dz_vm *vm)
{
    if (!lua_isyieldable(L))
        return 0;
    vm->running->sent = 0;
    dz_wait_begin(vm, DZ_WAIT_EVENT, 0, DZ_PID_NONE, DZ_INFINITY)->self_ending = true;
    dz_process_wake(vm->thread, vm->current);
    return dz_wait_park(L);
}

int dz_wait_after_send(lua_State *L, struct dz_vm *vm, struct dz_pid to)
{
    struct dz_co *co = vm->running;
    struct dz_rt *rt = vm->shared->rt;
    if (!co)
        return 0;
    if (++co->sent < DZ_VM_SENDS) {
        struct dz_slot *slot = dz_nodes_is_self(&rt->nodes, to.node) ? dz_table_find(&rt->table, to) : NULL;
        if (!slot || dz_table_messages(slot) <= DZ_VM_LONG_MAILBOX)
            return 0;
    }
    return dz_wait_hand_over(L, vm);
}

/* --- results --- */

/* Whom the question went to, where result() was told: its argument is at index 1. */
static bool has_dest(lua_State *L)
{
    return lua_type(L, 1) == LUA_TSTRING || lua_type(L, 1) == LUA_TTABLE;
}

/* result(dest, timeout_ms) says who did not answer, and within what time. */
static int raise_timeout(lua_State *L)
{
    if (!has_dest(L))
        return dz_vm_raise(L, DZ_ETIMEOUT, "%s", dz_err_text(DZ_ETIMEOUT));
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushnumber(L, 5000);
        lua_replace(L, 2);
    }
    lua_Number ms = lua_tonumber(L, 2);
    dz_vm_push_error(L, DZ_ETIMEOUT, "no answer within %f ms", ms);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "dest");
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "timeout_ms");
    return lua_error(L);
}

static int refused(lua_State *L)
{
    return dz_vm_raise(L, DZ_ECANNOTWAIT,
                       "one cannot wait here: the coroutine was resumed inside a sort, gsub, finaliser or "
                       "callback");
}

/* The answer, kept in co->held while it is decoded (decoding may raise). */
static int take_reply(lua_State *L, struct dz_vm *vm, struct dz_co *co, struct dz_proc *p)
{
    struct dz_msg *m = co->wait.reply;
    int dest = has_dest(L) ? 1 : 0;
    co->wait.reply = NULL;
    dz_process_unwait(vm->thread, p);
    if (!m)
        return raise_timeout(L);
    dz_msg_free(co->held);
    co->held = m;
    if (m->flags & DZ_MSG_FAILED)
        return dz_vm_raise_term(L, m->data, m->len, dest);
    dz_codec_decode(L, m->data, m->len, 0);
    co->held = NULL;
    dz_thread_free_message(vm->thread, m);
    return 1;
}

int dz_wait_answer(lua_State *L, struct dz_vm *vm)
{
    struct dz_co *co = vm->running;
    if (co->given) {
        co->given = false;
        dz_process_unwait(vm->thread, vm->current);
    } else {
        dz_assert(co->wait.reply);
        if (co->wait.reply->flags & DZ_MSG_FAILED)
            return 0;
        take_reply(L, vm, co, vm->current);
    }
    lua_pushboolean(L, true);
    return 2;
}

/* result([dest, timeout_ms]) -> what was waited for: the answer of a question, nothing for a time; raises its
 * error or timeout, with whom it was asked of when that is given. */
int dz_wait_result(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_proc *p = dz_vm_self(L);
    struct dz_co *co = vm->running;
    if (!p->wait)
        return co && co->refused ? refused(L) : 0;
    if (p->wait->kind == DZ_WAIT_REPLY)
        return take_reply(L, vm, co, p);
    bool late = p->wait->timed_out && p->wait->kind == DZ_WAIT_EVENT;
    dz_process_unwait(vm->thread, p);
    return late ? raise_timeout(L) : 0;
}

static bool give_reply(struct dz_vm *vm, struct dz_co *co, struct dz_proc *p)
{
    struct dz_msg *m = p->wait->reply;
    if (!m || (m->flags & DZ_MSG_FAILED) || !dz_codec_push_fixed(co->L, m->data, m->len))
        return false;
    p->wait->reply = NULL;
    dz_process_unwait(vm->thread, p);
    dz_thread_free_message(vm->thread, m);
    return true;
}

static bool give_message(struct dz_vm *vm, struct dz_co *co, struct dz_proc *p)
{
    struct dz_msg *m = dz_mailbox_peek(&p->mail);
    if (!m || m->kind != DZ_MSG_SEND || !dz_codec_push_fixed(co->L, m->data, m->len))
        return false;
    dz_process_unwait(vm->thread, p);
    dz_thread_free_message(vm->thread, dz_process_take(p));
    return true;
}

int dz_wait_give(struct dz_vm *vm, struct dz_co *co, struct dz_proc *p)
{
    enum dz_wants wants = co->wants;
    co->wants = DZ_WANTS_NOTHING;
    if (!p->wait || !(wants == DZ_WANTS_REPLY ? give_reply(vm, co, p) : give_message(vm, co, p)))
        return 0;
    lua_pushboolean(co->L, true);
    return 2;
}

/* result_sender() -> who answered; nil when the answer was nil. */
static int result_sender(lua_State *L)
{
    const struct dz_proc *p = dz_vm_self(L);
    const struct dz_msg *m = p->wait ? p->wait->reply : NULL;
    struct dz_pid from = m ? m->from : DZ_PID_NONE;
    dz_wait_result(L);
    if (lua_isnil(L, -1))
        return 1;
    dz_vm_push_pid(L, from);
    return 1;
}

/* refuse_wait(): the token came to a coroutine.resume that cannot yield itself; the wait is taken back. */
static int refuse_wait(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_proc *p = dz_vm_self(L);
    if (p->flags & DZ_PROC_DOOMED)
        return dz_wait_interrupt(L);
    bool handover = vm->running->self_ending;
    if (p->wait)
        dz_process_unwait(vm->thread, p);
    const struct dz_unsent *unsent = vm->running->unsent;
    vm->running->refused = !handover || (unsent && unsent->msg->kind == DZ_MSG_CALL);
    dz_unsent_give_up(vm, vm->running);
    vm->running->wants = DZ_WANTS_NOTHING;
    return 0;
}

/* --- receive --- */

static bool is_receivable(const struct dz_proc *p, const struct dz_msg *m)
{
    if (p->flags & DZ_PROC_PLAIN)
        return true;
    return m->kind == DZ_MSG_SEND || m->kind == DZ_MSG_INFO || m->kind == DZ_MSG_DOWN ||
           m->kind == DZ_MSG_EXIT;
}

static void push_notice(lua_State *L, struct dz_proc *p, const struct dz_msg *m)
{
    bool down = m->kind == DZ_MSG_DOWN;
    lua_createtable(L, 0, 4);
    lua_pushstring(L, down ? "down" : "exit");
    lua_setfield(L, -2, "type");
    dz_vm_push_pid(L, m->from);
    lua_setfield(L, -2, "pid");
    dz_codec_decode(L, m->data, m->len, 0);
    lua_setfield(L, -2, "reason");
    if (down) {
        dz_vm_push_ref(L, (struct dz_ref){p->pid, m->ref});
        lua_setfield(L, -2, "ref");
    }
}

static void push_question(lua_State *L, const struct dz_msg *m)
{
    lua_createtable(L, 0, 3);
    lua_pushliteral(L, "call");
    lua_setfield(L, -2, "type");
    dz_vm_push_ref(L, (struct dz_ref){m->from, m->ref});
    lua_setfield(L, -2, "from");
    dz_codec_decode(L, m->data, m->len, 0);
    lua_setfield(L, -2, "message");
}

void dz_wait_push_message(lua_State *L, struct dz_proc *p, struct dz_msg *m)
{
    if (m->kind == DZ_MSG_SEND || m->kind == DZ_MSG_CAST) {
        dz_codec_decode(L, m->data, m->len, 0);
        return;
    }
    luaL_checkstack(L, 8, "message");
    if (m->kind == DZ_MSG_DOWN || m->kind == DZ_MSG_EXIT)
        push_notice(L, p, m);
    else if (m->kind == DZ_MSG_CALL)
        push_question(L, m);
    else
        dz_codec_decode(L, m->data, m->len, 0);
}

/* The message after co->seen that receive may take; *prev is the one before it. */
static struct dz_msg *look_on(struct dz_co *co, struct dz_proc *p, struct dz_msg **prev)
{
    *prev = co->seen;
    struct dz_msg *m = co->seen ? dz_msg_next(co->seen) : dz_mailbox_peek(&p->mail);
    while (m && !is_receivable(p, m)) {
        *prev = m;
        m = dz_msg_next(m);
    }
    return m;
}

static void take_out(struct dz_co *co, struct dz_proc *p, struct dz_msg *prev, struct dz_msg *m)
{
    dz_mailbox_take(&p->mail, prev, m);
    dz_process_taken(p, m);
    co->seen = NULL;
}

/* Pushes what a message taken by a plain process or by receive says, and settles who owns it. */
static bool deliver(lua_State *L, struct dz_vm *vm, struct dz_co *co, struct dz_proc *p, struct dz_msg *m)
{
    if (m->kind == DZ_MSG_CALL) {
        dz_process_owe(p, m);
        dz_wait_push_message(L, p, m);
        return true;
    }
    dz_msg_free(co->held);
    co->held = m;
    if (m->kind == DZ_MSG_NOTICE || m->kind == DZ_MSG_CHILD_EXIT)
        return false;
    dz_wait_push_message(L, p, m);
    co->held = NULL;
    dz_thread_free_message(vm->thread, m);
    return true;
}

/* Pushes the oldest message and true; or nil and false. */
static int take_next(lua_State *L, struct dz_vm *vm, struct dz_co *co, struct dz_proc *p)
{
    struct dz_msg *prev;
    struct dz_msg *m;
    bool found = false;
    co->seen = NULL;
    while (!found && (m = look_on(co, p, &prev)) != NULL) {
        take_out(co, p, prev, m);
        found = deliver(L, vm, co, p, m);
    }
    if (!found)
        lua_pushnil(L);
    lua_pushboolean(L, found);
    return 2;
}

/* take() -> the oldest message, true; or nil, false. */
static int take(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    dz_vm_check_wait(L, "receive");
    return take_next(L, vm, vm->running, vm->current);
}

/* look(again) -> true, the next message receive has not looked at yet, which stays; or false. `again`: from
 * the oldest. */
static int look(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_proc *p = dz_vm_self(L);
    struct dz_co *co = vm->running;
    struct dz_msg *prev;
    dz_vm_check_wait(L, "receive");
    if (lua_toboolean(L, 1))
        co->seen = NULL;
    struct dz_msg *m = look_on(co, p, &prev);
    if (!m) {
        lua_pushboolean(L, false);
        return 1;
    }
    co->seen = m;
    lua_pushboolean(L, true);
    dz_wait_push_message(L, p, m);
    return 2;
}

/* take_seen(): takes the message look returned last, if it is still there. A call is owed from now on. */
static int take_seen(lua_State *L)
{
    struct dz_proc *p = dz_vm_self(L);
    struct dz_co *co = dz_vm_state(L)->running;
    struct dz_msg *prev = NULL;
    struct dz_msg *m = dz_mailbox_peek(&p->mail);
    while (m && m != co->seen) {
        prev = m;
        m = dz_msg_next(m);
    }
    if (!m)
        return 0;
    take_out(co, p, prev, m);
    if (m->kind == DZ_MSG_CALL)
        dz_process_owe(p, m);
    else
        dz_msg_free(m);
    return 0;
}

/* wait_message(timeout_ms): parks until a message for receive comes; received() tells whether one did. */
static int wait_message(lua_State *L)
{
    dz_vm_check_wait(L, "receive");
    uint64_t timeout = dz_vm_check_time(L, 1, "timeout_ms", DZ_INFINITY);
    dz_wait_begin(dz_vm_state(L), DZ_WAIT_MESSAGE, 0, DZ_PID_NONE, timeout);
    return dz_wait_park(L);
}

/* receive(timeout_ms) -> the oldest message, true; nil, false when there is none and none is waited for; nothing: one
 * has come or time has run out meanwhile, received() and take() tell. */
static int receive(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    if (!dz_wait_allowed(L, vm))
        dz_vm_check_wait(L, "receive");
    struct dz_proc *p = vm->current;
    bool for_ever = lua_topointer(L, 1) == vm->infinity;
    uint64_t timeout = for_ever ? DZ_INFINITY : dz_vm_check_time(L, 1, "timeout_ms", DZ_INFINITY);
    if (dz_mailbox_peek(&p->mail)) {
        take_next(L, vm, vm->running, p);
        if (lua_toboolean(L, -1))
            return 2;
    }
    if (timeout == 0) {
        lua_pushnil(L);
        lua_pushboolean(L, false);
        return 2;
    }
    dz_wait_begin(vm, DZ_WAIT_MESSAGE, 0, DZ_PID_NONE, timeout)->wants = DZ_WANTS_MESSAGE;
    return dz_wait_park(L);
}

/* received() -> false when the time ran out. */
static int received(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_proc *p = dz_vm_self(L);
    if (!p->wait)
        return vm->running->refused ? refused(L) : 0;
    lua_pushboolean(L, !p->wait->timed_out);
    dz_process_unwait(vm->thread, p);
    return 1;
}

/* --- time and events --- */

static int sleep_(lua_State *L)
{
    dz_vm_check_wait(L, "sleep");
    if (lua_isnoneornil(L, 1))
        return dz_vm_raise_argument(L, "ms", "milliseconds (a number >= 0) or \"infinity\"", 1);
    uint64_t time = dz_vm_check_time(L, 1, "ms", 0);
    dz_wait_begin(dz_vm_state(L), DZ_WAIT_TIME, 0, DZ_PID_NONE, time);
    return dz_wait_park(L);
}

int dz_vm_wait_event(lua_State *L, uint64_t token, uint64_t timeout_ns)
{
    struct dz_co *co = dz_wait_begin(dz_vm_state(L), DZ_WAIT_EVENT, 0, DZ_PID_NONE, timeout_ns);
    co->token = token;
    return dz_wait_park(L);
}

void dz_vm_wake(struct dz_vm *vm, struct dz_pid pid, uint64_t token)
{
    struct dz_slot *slot = dz_table_find(&vm->shared->rt->table, pid);
    if (!slot || atomic_load_explicit(&slot->thread, memory_order_relaxed) != vm->thread->index)
        return;
    struct dz_proc *p = slot->proc;
    if (!p || p->kind != &dz_vm_kind || !p->wait || p->wait->kind != DZ_WAIT_EVENT)
        return;
    const struct dz_co *co = p->kind_data;
    if (co && co->token == token && !co->self_ending)
        dz_process_wake(vm->thread, p);
}

/* await_token() -> a number that names one wait of this worker. */
static int await_token(lua_State *L)
{
    dz_vm_check_wait(L, "await");
    lua_pushnumber(L, (lua_Number)++dz_vm_state(L)->next_token);
    return 1;
}

/* await_park(token, timeout_ms) */
static int await_park(lua_State *L)
{
    dz_vm_check_wait(L, "await");
    uint64_t timeout = dz_vm_check_time(L, 2, "timeout_ms", DZ_INFINITY);
    return dz_vm_wait_event(L, (uint64_t)lua_tonumber(L, 1), timeout);
}

/* await_wake(pid, token) */
static int await_wake(lua_State *L)
{
    struct dz_pid pid;
    if (dz_vm_to_pid(L, 1, &pid))
        dz_vm_wake(dz_vm_state(L), pid, (uint64_t)lua_tonumber(L, 2));
    return 0;
}

void dz_bind_wait_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"result", dz_wait_result},
        {"refuse_wait", refuse_wait},
        {"take", take},
        {"result_sender", result_sender},
        {"look", look},
        {"take_seen", take_seen},
        {"wait_message", wait_message},
        {"receive", receive},
        {"received", received},
        {"sleep", sleep_},
        {"await_token", await_token},
        {"await_park", await_park},
        {"await_wake", await_wake},
        {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
    lua_pushlightuserdata(L, dz_vm_wait_token());
    lua_setfield(L, -2, "WAIT");
}
