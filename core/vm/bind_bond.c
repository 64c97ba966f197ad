/* bind_bond.c - links, monitors, trap_exit, kill. */
#include "base/err.h"
#include "proc/bond.h"
#include "vm/state.h"

static struct dz_pid check_pid(lua_State *L, int idx)
{
    struct dz_pid pid;
    if (!dz_vm_to_pid(L, idx, &pid))
        dz_vm_raise_argument(L, "pid", "a pid", idx);
    return pid;
}

/* link(pid) */
static int link_(lua_State *L)
{
    struct dz_proc *p = dz_vm_self(L);
    struct dz_pid pid = check_pid(L, 1);
    int err = dz_pid_is_none(pid) ? DZ_ENOPROC : dz_bond_link(dz_vm_thread(L), p, pid);
    return err ? dz_vm_raise(L, err, "%s", dz_err_text(err)) : 0;
}

/* unlink(pid): an exit of that process that waits in the mailbox is not seen either (as in OTP). */
static int unlink_(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_proc *p = dz_vm_self(L);
    struct dz_pid pid = check_pid(L, 1);
    dz_bond_unlink(vm->thread, p, pid);
    struct dz_msg *prev = NULL;
    for (struct dz_msg *m = dz_mailbox_peek(&p->mail); m; prev = m, m = dz_msg_next(m)) {
        if (m->kind != DZ_MSG_EXIT || !dz_pid_eq(m->from, pid))
            continue;
        dz_mailbox_take(&p->mail, prev, m);
        dz_msg_free(m);
        break;
    }
    if (vm->running)
        vm->running->seen = NULL;
    return 0;
}

/* A name nobody has, or of a node that is not reached: the notice comes at once. */
static int down_at_once(lua_State *L, struct dz_proc *p, const char *reason, uint64_t ref)
{
    lua_createtable(L, 0, 3);
    lua_pushliteral(L, "down");
    lua_setfield(L, -2, "type");
    lua_pushstring(L, reason);
    lua_setfield(L, -2, "reason");
    dz_vm_push_ref(L, (struct dz_ref){p->pid, ref});
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "ref");
    struct dz_msg *m = dz_codec_message(L, dz_vm_thread(L), -2, "notice", 0, DZ_MSG_INFO);
    m->to = p->pid;
    dz_send_must(dz_vm_thread(L), m);
    return 1;
}

/* monitor(dest [, reason]) -> ref; with a reason the process is known to be gone, or its node. */
static int monitor(lua_State *L)
{
    struct dz_pid pid;
    uint64_t ref;
    struct dz_thread *t = dz_vm_thread(L);
    struct dz_proc *p = dz_vm_self(L);
    const char *gone = luaL_optstring(L, 2, NULL);
    if (gone || !dz_vm_check_dest(L, 1, "dest", &pid))
        return down_at_once(L, p, gone ? gone : "noproc", dz_rt_next_ref(t->rt));
    int err = dz_bond_monitor(t, p, pid, &ref);
    if (err)
        return dz_vm_raise(L, err, "%s", dz_err_text(err));
    dz_vm_push_ref(L, (struct dz_ref){p->pid, ref});
    return 1;
}

/* demonitor(ref) -> was it still to fire */
static int demonitor(lua_State *L)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_ref ref;
    struct dz_proc *p = dz_vm_self(L);
    if (!dz_vm_to_ref(L, 1, &ref))
        return dz_vm_raise_argument(L, "ref", "the ref of a monitor", 1);
    bool mine = dz_pid_eq(ref.owner, p->pid);
    if (mine && vm->running)
        vm->running->seen = NULL; /* the notice may be the message receive looked at last */
    lua_pushboolean(L, mine && dz_bond_demonitor(vm->thread, p, ref.num));
    return 1;
}

/* trap_exit(on) -> the setting before */
static int trap_exit(lua_State *L)
{
    struct dz_proc *p = dz_vm_self(L);
    if (!lua_isboolean(L, 1))
        return dz_vm_raise_argument(L, "on", "true or false", 1);
    lua_pushboolean(L, (p->flags & DZ_PROC_TRAPS) != 0);
    if (lua_toboolean(L, 1))
        p->flags |= DZ_PROC_TRAPS;
    else
        p->flags &= (uint16_t)~DZ_PROC_TRAPS;
    return 1;
}

/* kill(dest): a no-op when it is gone. */
static int kill_(lua_State *L)
{
    struct dz_pid pid;
    struct dz_proc *p = dz_vm_self(L);
    if (dz_vm_check_dest(L, 1, "dest", &pid))
        dz_send_signal(dz_vm_thread(L), DZ_MSG_KILL, p->pid, pid, 0, NULL);
    return 0;
}

void dz_bind_bond_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"link", link_},          {"unlink", unlink_}, {"monitor", monitor}, {"demonitor", demonitor},
        {"trap_exit", trap_exit}, {"kill", kill_},     {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
}
