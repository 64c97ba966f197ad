/* bind_send.c - messages: send, cast, call, reply, request.
 * send and cast are the API's own functions: nothing in Lua stands around them. */
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "vm/state.h"

#define CALL_TIMEOUT_NS 5000000000ull

/* { name =, node = } as an argument: true when idx is such a table. The strings stay on the stack (two
 * slots). */
struct named {
    const char *name, *node;
    size_t name_len, node_len;
};

static bool check_named(lua_State *L, int idx, const char *argument, struct named *n)
{
    if (!lua_istable(L, idx))
        return false;
    const char *why;
    size_t name_len, host_len;
    uint16_t port;
    lua_getfield(L, idx, "name");
    lua_getfield(L, idx, "node");
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
        dz_vm_raise_argument(L, argument, "a pid, a registered name or { name =, node = }", idx);
    n->name = lua_tolstring(L, -2, &n->name_len);
    n->node = lua_tolstring(L, -1, &n->node_len);
    if (dz_node_id_parse(n->node, n->node_len, &name_len, &host_len, &port, &why))
        dz_vm_raise(L, DZ_ENODEID, "%s is not a node id: %s", n->node, why);
    return true;
}

static bool is_here(const struct dz_rt *rt, const struct named *n)
{
    const char *self = dz_nodes_self_id(&rt->nodes);
    return strlen(self) == n->node_len && memcmp(self, n->node, n->node_len) == 0;
}

/* An identity of the node, so that its loss ends a wait for it: any process of it will do. */
static struct dz_pid someone_on(const struct dz_nodes *nodes, const struct named *n)
{
    for (uint32_t i = nodes->count; i-- > 0;) {
        const struct dz_node_entry *e = dz_nodes_get(nodes, i);
        if (e && strlen(e->id) == n->node_len && memcmp(e->id, n->node, n->node_len) == 0)
            return (struct dz_pid){i, 0, 0};
    }
    return DZ_PID_NONE;
}

/* To a name on another node. 0 or an error; on failure the caller still owns the message. */
static int send_named(struct dz_vm *vm, const struct named *n, struct dz_msg **take)
{
    struct dz_ports *ports = &vm->shared->rt->ports;
    if (!ports->wire_named)
        return DZ_ENOCONNECTION;
    return ports->wire_named(ports->ctx, vm->thread, n->node, n->node_len, n->name, n->name_len, take);
}

/* --- a full link --- */

/* How long a sender stands still before it tries again. */
#define UNSENT_RETRY_NS 2000000u

void dz_unsent_free(struct dz_co *co)
{
    if (co->unsent)
        dz_msg_free(co->unsent->msg);
    dz_free(co->unsent);
    co->unsent = NULL;
}

/* The link holds all it may: the sender waits instead of losing the message. Takes it. */
static int park_unsent(lua_State *L, struct dz_co *co, struct dz_msg **take, const struct named *n, uint64_t until_ns)
{
    size_t node_len = n ? n->node_len : 0, name_len = n ? n->name_len : 0;
    struct dz_unsent *u = dz_alloc(sizeof *u + node_len + name_len);
    if (!u) {
        dz_msg_free(*take);
        return dz_vm_raise(L, DZ_ENOMEM, "out of memory");
    }
    *u = (struct dz_unsent){*take, until_ns, node_len, name_len};
    if (n) {
        memcpy(u->text, n->node, node_len);
        memcpy(u->text + node_len, n->name, name_len);
    }
    *take = NULL;
    co->unsent = u;
    dz_unsent_wait(dz_vm_state(L));
    return dz_wait_park(L);
}

/* A reply that waits leaves the question owed: should the process end first, the caller hears of that. */
static bool park_reply(struct dz_co *co, struct dz_msg *m)
{
    struct dz_unsent *u = dz_zalloc(1, sizeof *u);
    struct dz_msg *question = u ? dz_msg_new(DZ_MSG_CALL, 0) : NULL;
    if (!question) {
        dz_free(u);
        return false;
    }
    question->from = m->to;
    question->to = m->from;
    question->ref = m->ref;
    dz_process_owe(co->proc, question);
    u->msg = m;
    co->unsent = u;
    return true;
}

bool dz_unsent_reply(struct dz_vm *vm, struct dz_co *co, struct dz_msg *m)
{
    dz_assert(!co->unsent);
    if (dz_send_patiently(vm->thread, &m) == 0)
        return false;
    if (park_reply(co, m))
        return true;
    dz_send_must(vm->thread, m);
    return false;
}

static int resend_reply(struct dz_vm *vm, struct dz_co *co, struct dz_unsent *u)
{
    struct dz_msg *question = dz_process_unowe(co->proc, u->msg->to, u->msg->ref);
    if (!question)
        return 0; /* the caller has given up */
    int err = dz_send_patiently(vm->thread, &u->msg);
    if (err)
        dz_process_owe(co->proc, question);
    else
        dz_msg_free(question);
    return err;
}

void dz_unsent_give_up(struct dz_vm *vm, struct dz_co *co)
{
    struct dz_unsent *u = co->unsent;
    if (u && u->msg->kind == DZ_MSG_REPLY) {
        dz_msg_free(dz_process_unowe(co->proc, u->msg->to, u->msg->ref));
        dz_send_must(vm->thread, u->msg);
        u->msg = NULL;
    }
    dz_unsent_free(co);
}

/* The same for a question: it waits for room, then for the answer, both within its timeout. The wait for the answer has
 * begun. */
static int park_question(lua_State *L, struct dz_vm *vm, struct dz_msg **take, const struct named *n, uint64_t timeout)
{
    uint64_t now = dz_env_now_ns(vm->shared->rt->env);
    dz_vm_wait_abandon(L);
    return park_unsent(L, vm->running, take, n, timeout < DZ_INFINITY - now ? now + timeout : DZ_INFINITY);
}

static int send_unsent(struct dz_vm *vm, struct dz_unsent *u)
{
    struct named n = {u->text + u->node_len, u->text, u->name_len, u->node_len};
    return u->node_len ? send_named(vm, &n, &u->msg) : dz_send(vm->thread, &u->msg);
}

/* Asks again; the wait for the answer begins before, for it may be there at once. What hinders the question for good is its
 * answer. */
static void ask_again(struct dz_vm *vm, struct dz_co *co)
{
    struct dz_unsent *u = co->unsent;
    struct dz_proc *p = co->proc;
    struct dz_rt *rt = vm->shared->rt;
    struct named n = {u->text + u->node_len, u->text, u->name_len, u->node_len};
    struct dz_pid target = u->node_len ? someone_on(&rt->nodes, &n) : u->msg->to;
    uint64_t ref = u->msg->ref, now = dz_env_now_ns(rt->env);
    uint64_t left = u->until_ns == DZ_INFINITY ? DZ_INFINITY : u->until_ns > now ? u->until_ns - now : 0;
    dz_wait_begin(vm, DZ_WAIT_REPLY, ref, left ? target : DZ_PID_NONE, left)->wants = DZ_WANTS_REPLY;
    int err = left ? send_unsent(vm, u) : 0;
    if (err == DZ_EOVERLOADED) {
        p->wait->answered = true; /* nobody has to hear that it is given up */
        dz_unsent_wait(vm);
        return;
    }
    struct dz_msg *failure = err ? dz_send_make_error(target, p->pid, ref, err, NULL) : NULL;
    if (failure)
        dz_process_deliver(vm->thread, p, failure);
    dz_unsent_free(co);
}

static int resend(struct dz_vm *vm, struct dz_co *co, struct dz_unsent *u)
{
    return u->msg->kind == DZ_MSG_REPLY ? resend_reply(vm, co, u) : send_unsent(vm, u);
}

void dz_unsent_wait(struct dz_vm *vm)
{
    dz_wait_begin(vm, DZ_WAIT_EVENT, 0, DZ_PID_NONE, UNSENT_RETRY_NS)->self_ending = true;
}

bool dz_unsent_retry(struct dz_vm *vm, struct dz_co *co)
{
    bool asks = co->unsent->msg->kind == DZ_MSG_CALL;
    if (!asks && resend(vm, co, co->unsent) != DZ_EOVERLOADED) {
        dz_unsent_free(co);
        return true;
    }
    vm->running = co;
    vm->current = co->proc;
    if (asks)
        ask_again(vm, co);
    else
        dz_unsent_wait(vm);
    vm->running = NULL;
    vm->current = NULL;
    dz_process_rest(vm->thread, co->proc);
    return false;
}

/* --- send and cast --- */

/* Where a one-way message goes. False: to nobody. *far: by name to another node. */
static bool find_target(lua_State *L, struct dz_vm *vm, int idx, struct dz_pid *pid, struct named *n, bool *far)
{
    *pid = DZ_PID_NONE;
    *far = check_named(L, idx, "dest", n);
    if (!*far) {
        bool known = dz_vm_check_dest(L, idx, "dest", pid);
        if (known)
            dz_ident_learn(vm, L, idx, *pid);
        return known;
    }
    struct dz_rt *rt = vm->shared->rt;
    if (!is_here(rt, n))
        return true;
    *far = false;
    *pid = dz_names_whereis(&rt->names, n->name, n->name_len);
    return !dz_pid_is_none(*pid);
}

static inline bool check_target(lua_State *L, struct dz_vm *vm, int idx, struct dz_pid *pid, struct named *n, bool *far)
{
    *far = false;
    return dz_ident_known(vm, L, idx, pid) || find_target(L, vm, idx, pid, n, far);
}

/* One that waits is about to run: what its coroutine needs first is on its way from memory while the sender goes on. */
static inline void fetch_receiver(const struct dz_vm *vm, const struct dz_slot *slot)
{
    /* relaxed: a process of this thread stays here. */
    bool here = atomic_load_explicit(&slot->thread, memory_order_relaxed) == vm->thread->index;
    const struct dz_proc *p = here && !atomic_load_explicit(&slot->native, memory_order_relaxed) ? slot->proc : NULL;
    const struct dz_co *co = p && p->kind == &dz_vm_kind ? p->kind_data : NULL;
    if (!co)
        return;
    __builtin_prefetch(co->L);
    __builtin_prefetch((const char *)co->L + 64);
}

/* To a process known by its pid that lives here. */
static int one_way_here(lua_State *L, struct dz_vm *vm, struct dz_slot *slot, struct dz_msg *m)
{
    if (dz_send_to_slot(vm->thread, slot, &m)) {
        dz_msg_free(m); /* its mailbox is full: counted there */
        m = NULL;
    }
    fetch_receiver(vm, slot);
    struct dz_co *co = vm->running;
    if (!co || (++co->sent < DZ_VM_SENDS && dz_table_messages(slot) <= DZ_VM_LONG_MAILBOX))
        return 0;
    return dz_wait_hand_over(L, vm);
}

static int one_way(lua_State *L, enum dz_msg_kind kind)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_pid to;
    struct named n;
    bool far;
    const struct dz_proc *self = vm->current ? vm->current : dz_vm_self(L);
    bool known = check_target(L, vm, 1, &to, &n, &far);
    struct dz_msg *m = dz_codec_message(L, vm->thread, 2, "message", 0, kind);
    if (!known) {
        dz_msg_free(m);
        return 0;
    }
    m->from = self->pid;
    m->to = to;
    struct dz_rt *rt = vm->shared->rt;
    struct dz_slot *slot = !far && dz_nodes_is_self(&rt->nodes, to.node) ? dz_table_find(&rt->table, to) : NULL;
    if (slot)
        return one_way_here(L, vm, slot, m);
    bool abroad = far || !dz_nodes_is_self(&vm->shared->rt->nodes, to.node);
    int err = far ? send_named(vm, &n, &m) : dz_send(vm->thread, &m);
    if (err == DZ_EOVERLOADED && abroad && vm->running && lua_isyieldable(L))
        return park_unsent(L, vm->running, &m, far ? &n : NULL, DZ_INFINITY);
    if (err)
        dz_msg_free(m);
    return far ? 0 : dz_wait_after_send(L, vm, to);
}

static int send_(lua_State *L)
{
    return one_way(L, DZ_MSG_SEND);
}

static int cast(lua_State *L)
{
    return one_way(L, DZ_MSG_CAST);
}

static int raise_noproc(lua_State *L, int idx)
{
    lua_pushvalue(L, idx);
    dz_vm_push_error(L, DZ_ENOPROC, "no process is registered as %s",
                     lua_istable(L, idx) ? "that" : lua_tostring(L, idx));
    lua_insert(L, -2);
    lua_setfield(L, -2, "dest");
    return lua_error(L);
}

/* Asks the name on another node and parks. */
static int ask_named(lua_State *L, const struct named *n, struct dz_msg **take, uint64_t timeout)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_msg *m = *take;
    m->from = vm->current->pid;
    m->ref = dz_vm_wait_reply(L, someone_on(&vm->shared->rt->nodes, n), timeout);
    int err = send_named(vm, n, take);
    if (!err)
        return dz_vm_park(L);
    if (err == DZ_EOVERLOADED && m->kind == DZ_MSG_CALL)
        return park_question(L, vm, take, n, timeout);
    dz_vm_wait_abandon(L);
    dz_msg_free(*take);
    *take = NULL;
    dz_vm_push_error(L, err, "%s: %s", n->node, dz_err_text(err));
    lua_pushstring(L, n->node);
    lua_setfield(L, -2, "node");
    return lua_error(L);
}

/* Lets the idle process answer within this turn. Where it does not, the wait is like any other from then on. */
static int ask_idle(lua_State *L, struct dz_vm *vm, struct dz_proc *idle, struct dz_msg *m, bool shared, uint64_t timeout)
{
    m->from = vm->current->pid;
    m->to = idle->pid;
    m->ref = dz_thread_next_ref(vm->thread);
    struct dz_co *co = dz_wait_begin(vm, DZ_WAIT_REPLY, m->ref, m->to, DZ_INFINITY);
    if (dz_dispatch_ask(vm, idle, m, shared, 2))
        return dz_wait_answer(L, vm);
    if (vm->current->wait && !co->wait.woken)
        dz_process_time_wait(vm->thread, &co->wait, timeout);
    co->wants = DZ_WANTS_REPLY;
    return dz_wait_park(L);
}

/* What needs no bytes to get there has none. */
static int call_idle(lua_State *L, struct dz_vm *vm, struct dz_proc *idle, uint64_t timeout)
{
    bool shared = dz_dispatch_takes_shared(idle) && dz_dispatch_share(L, vm, 2);
    struct dz_msg *m = shared ? dz_thread_new_message(vm->thread, DZ_MSG_CALL)
                              : dz_codec_message(L, vm->thread, 2, "message", 0, DZ_MSG_CALL);
    if (!m)
        return dz_vm_raise(L, DZ_ENOMEM, "out of memory");
    return ask_idle(L, vm, idle, m, shared, timeout);
}

/* dz_vm_ask, but the answer may be the primitive's result. */
static int ask_here(lua_State *L, struct dz_vm *vm, struct dz_msg **take, uint64_t timeout)
{
    struct dz_msg *m = *take;
    m->from = vm->current->pid;
    m->ref = dz_thread_next_ref(vm->thread);
    dz_wait_begin(vm, DZ_WAIT_REPLY, m->ref, m->to, timeout)->wants = DZ_WANTS_REPLY;
    bool abroad = !dz_nodes_is_self(&vm->shared->rt->nodes, m->to.node);
    int err = dz_send(vm->thread, take);
    if (err == DZ_EOVERLOADED && abroad)
        return park_question(L, vm, take, NULL, timeout);
    return err ? dz_wait_not_sent(L, take, err) : dz_wait_park(L);
}

/* call(dest, message, timeout_ms) -> the reply, true; or nothing: then result() */
static int call(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_pid to;
    struct named n;
    bool far;
    if (!dz_wait_allowed(L, vm))
        dz_vm_check_wait(L, "call");
    uint64_t timeout = CALL_TIMEOUT_NS;
    if (!lua_isnoneornil(L, 3))
        timeout = dz_vm_check_time(L, 3, "timeout_ms", CALL_TIMEOUT_NS);
    bool known = check_target(L, vm, 1, &to, &n, &far);
    struct dz_proc *idle = known && !far && L == vm->running->L ? dz_dispatch_idle(vm, to) : NULL;
    if (idle)
        return call_idle(L, vm, idle, timeout);
    struct dz_msg *m = dz_codec_message(L, vm->thread, 2, "message", 0, DZ_MSG_CALL);
    if (!known) {
        dz_msg_free(m);
        return raise_noproc(L, 1);
    }
    if (!far && dz_pid_eq(to, vm->current->pid)) { /* it waits, so it could never answer */
        dz_msg_free(m);
        return dz_vm_raise_argument(L, "dest", "another process", 1);
    }
    m->to = to;
    return far ? ask_named(L, &n, &m, timeout) : ask_here(L, vm, &m, timeout);
}

/* ask(kind, dest, value, timeout_ms): STOP and GET_INFO, then result(). An unknown name is answered false,
 * without waiting. */
static int ask(lua_State *L)
{
    static const char *const kinds[] = {"stop", "info", NULL};
    struct dz_pid to;
    struct named n;
    bool far;
    enum dz_msg_kind kind = luaL_checkoption(L, 1, NULL, kinds) == 0 ? DZ_MSG_STOP : DZ_MSG_GET_INFO;
    dz_vm_check_wait(L, kinds[kind == DZ_MSG_GET_INFO]);
    uint64_t timeout = dz_vm_check_time(L, 4, "timeout_ms", CALL_TIMEOUT_NS);
    lua_settop(L, 3);
    if (!check_target(L, dz_vm_state(L), 2, &to, &n, &far)) {
        lua_pushboolean(L, false);
        return 1;
    }
    struct dz_msg *m = dz_codec_message(L, dz_vm_thread(L), 3, "reason", 0, kind);
    m->to = to;
    return far ? ask_named(L, &n, &m, timeout) : dz_vm_ask(L, &m, timeout);
}

/* reply(from, value) */
static int reply(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_proc *self = dz_vm_self(L);
    struct dz_ref from;
    if (!dz_vm_to_ref(L, 1, &from))
        return dz_vm_raise_argument(L, "from", "the `from` of a call", 1);
    struct dz_msg *m = dz_codec_message(L, vm->thread, 2, "reply", 0, DZ_MSG_REPLY);
    dz_msg_free(dz_process_unowe(self, from.owner, from.num));
    m->to = from.owner;
    m->from = self->pid;
    m->ref = from.num;
    bool can_wait = vm->running && lua_isyieldable(L);
    if (!can_wait) {
        dz_send_must(vm->thread, m);
    } else if (dz_unsent_reply(vm, vm->running, m)) {
        dz_unsent_wait(vm);
        return dz_wait_park(L);
    }
    return dz_wait_after_send(L, vm, from.owner);
}

/* request(dest, code, value, timeout_ms, allow_functions), then result(). */
static int request(lua_State *L)
{
    struct dz_pid to;
    struct named n;
    bool far;
    dz_vm_check_wait(L, "request");
    uint64_t timeout = dz_vm_check_time(L, 4, "timeout_ms", DZ_INFINITY);
    unsigned flags = lua_toboolean(L, 5) ? DZ_CODEC_FUNCTIONS : 0;
    uint16_t code = (uint16_t)luaL_checkint(L, 2);
    lua_settop(L, 3);
    if (!check_target(L, dz_vm_state(L), 1, &to, &n, &far))
        return raise_noproc(L, 1);
    struct dz_msg *m = dz_codec_message(L, dz_vm_thread(L), 3, "argument", flags, DZ_MSG_REQUEST);
    m->code = code;
    if (flags)
        dz_function_hold(L, to);
    return far ? ask_named(L, &n, &m, timeout) : dz_vm_request(L, to, code, &m, timeout);
}

/* notice(dest, code, value): no answer. */
static int notice(lua_State *L)
{
    struct dz_pid to;
    if (!dz_vm_check_dest(L, 1, "dest", &to))
        return 0;
    struct dz_msg *m = dz_codec_message(L, dz_vm_thread(L), 3, "argument", 0, DZ_MSG_NOTICE);
    m->code = (uint16_t)luaL_checkint(L, 2);
    m->to = to;
    m->from = dz_vm_self(L)->pid;
    dz_send_must(dz_vm_thread(L), m);
    return 0;
}

void *dz_vm_noreply(void)
{
    static const char token = 'n';
    return (void *)(uintptr_t)&token;
}

void dz_bind_send_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"send", send_},  {"cast", cast},       {"call", call},     {"ask", ask},
        {"reply", reply}, {"request", request}, {"notice", notice}, {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
    lua_pushlightuserdata(L, dz_vm_noreply());
    lua_setfield(L, -2, "NOREPLY");
}
