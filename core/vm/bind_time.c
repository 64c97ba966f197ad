/* bind_time.c - the clock and send_after. Timers belong to the worker they were started on. */
#include <string.h>
#include "base/alloc.h"
#include "base/err.h"
#include "vm/state.h"

struct timer {
    struct dz_timer timer;
    struct dz_vm *vm;
    uint64_t num;
    struct dz_msg *msg;
    size_t name_len; /* 0: msg->to is known */
    size_t node_len; /* 0: the name is looked up here and cluster-wide */
    char text[];     /* the name, then the node id */
};

static void delete (struct timer *timer)
{
    dz_timer_stop(timer->vm->thread, &timer->timer);
    dz_map_remove(&timer->vm->timers, timer->num);
    dz_msg_free(timer->msg);
    dz_free(timer);
}

/* False: nobody has the name now. */
static bool find_target(const struct timer *timer, struct dz_rt *rt)
{
    if (timer->name_len == 0)
        return true;
    struct dz_pid pid = dz_names_whereis(&rt->names, timer->text, timer->name_len);
    if (dz_pid_is_none(pid) && rt->ports.global_whereis)
        pid = rt->ports.global_whereis(rt->ports.ctx, timer->text, timer->name_len);
    timer->msg->to = pid;
    return !dz_pid_is_none(pid);
}

static void fire(struct dz_thread *t, struct dz_timer *base)
{
    struct timer *timer = dz_container_of(base, struct timer, timer);
    struct dz_ports *ports = &t->rt->ports;
    if (timer->node_len == 0) {
        if (find_target(timer, t->rt))
            dz_send(t, &timer->msg); /* a full mailbox drops it like any send */
    } else if (ports->wire_named) {
        const char *node = timer->text + timer->name_len;
        ports->wire_named(ports->ctx, t, node, timer->node_len, timer->text, timer->name_len, &timer->msg);
    }
    delete (timer);
}

/* The dest at idx into a timer with room for its text. */
static struct timer *make(lua_State *L, int idx)
{
    struct dz_pid to = DZ_PID_NONE;
    const char *name = NULL, *node = NULL;
    size_t name_len = 0, node_len = 0;
    if (lua_istable(L, idx)) {
        lua_getfield(L, idx, "name");
        lua_getfield(L, idx, "node");
        name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &name_len) : NULL;
        node = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &node_len) : NULL;
    } else if (lua_type(L, idx) == LUA_TSTRING && !dz_vm_to_pid(L, idx, &to)) {
        name = lua_tolstring(L, idx, &name_len);
    }
    if ((dz_pid_is_none(to) && name_len == 0) || (lua_istable(L, idx) && node_len == 0))
        dz_vm_raise_argument(L, "dest", "a pid, a registered name or { name =, node = }", idx);
    struct dz_msg *m = dz_codec_message(L, dz_vm_thread(L), idx + 1, "message", 0, DZ_MSG_SEND);
    struct timer *timer = dz_zalloc(1, sizeof *timer + name_len + node_len);
    if (!timer) {
        dz_msg_free(m);
        dz_vm_raise(L, DZ_ENOMEM, "out of memory");
        return NULL;
    }
    m->to = to;
    m->from = dz_vm_current(L)->pid;
    timer->msg = m;
    timer->name_len = name_len;
    timer->node_len = node_len;
    if (name)
        memcpy(timer->text, name, name_len);
    if (node)
        memcpy(timer->text + name_len, node, node_len);
    return timer;
}

/* send_after(ms, dest, message) -> timer */
static int send_after(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_rt *rt = vm->shared->rt;
    struct dz_proc *self = dz_vm_self(L);
    if (lua_isnoneornil(L, 1))
        return dz_vm_raise_argument(L, "ms", "milliseconds (a number >= 0) or \"infinity\"", 1);
    uint64_t delay = dz_vm_check_time(L, 1, "ms", 0);
    struct timer *timer = make(L, 2);
    timer->vm = vm;
    timer->num = dz_rt_next_ref(rt);
    dz_timer_init(&timer->timer, fire);
    uint64_t due = delay == DZ_INFINITY ? DZ_INFINITY : dz_env_now_ns(rt->env) + delay;
    if (dz_map_put(&vm->timers, timer->num, timer) || dz_timer_start(vm->thread, &timer->timer, due)) {
        delete (timer);
        return dz_vm_raise(L, DZ_ENOMEM, "out of memory");
    }
    dz_vm_push_ref(L, (struct dz_ref){self->pid, timer->num});
    return 1;
}

/* cancel_timer(timer) -> was it pending */
static int cancel_timer(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_ref ref;
    if (!dz_vm_to_ref(L, 1, &ref))
        return dz_vm_raise_argument(L, "timer", "what send_after returned", 1);
    struct timer *timer = dz_map_get(&vm->timers, ref.num);
    if (timer)
        delete (timer);
    lua_pushboolean(L, timer != NULL);
    return 1;
}

static int now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)dz_env_now_ms(dz_vm_rt(L)->env));
    return 1;
}

/* wall_ms() -> milliseconds since 1970 */
static int wall_ms(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)dz_env_wall_ms(dz_vm_rt(L)->env));
    return 1;
}

void dz_bind_time_free(struct dz_vm *vm)
{
    uint32_t it = 0;
    uint64_t num;
    void *timer;
    while (dz_map_next(&vm->timers, &it, &num, &timer))
        delete (timer);
    dz_map_fini(&vm->timers);
}

void dz_bind_time_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"send_after", send_after},
                                         {"cancel_timer", cancel_timer},
                                         {"now", now},
                                         {"wall_ms", wall_ms},
                                         {NULL, NULL}};
    luaL_register(L, NULL, functions);
}
