/* bind_cluster.c - see bind_cluster.h. */
#include "vm/bind_cluster.h"

#include <string.h>
#include "base/err.h"
#include "proc/process.h"
#include "vm/vm.h"

/* node() -> this host's node id. */
static int node(lua_State *L)
{
    lua_pushstring(L, dz_nodes_self_id(&dz_vm_rt(L)->nodes));
    return 1;
}

/* global_whereis(name) -> pid or nil, as far as this node knows. */
static int global_whereis(lua_State *L)
{
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    struct dz_rt *rt = dz_vm_rt(L);
    struct dz_pid pid = DZ_PID_NONE;
    if (rt->ports.global_whereis)
        pid = rt->ports.global_whereis(rt->ports.ctx, name, len);
    dz_vm_push_pid(L, pid);
    return 1;
}

static void mark(struct dz_thread *t, struct dz_pid pid)
{
    struct dz_slot *slot = dz_table_find(&t->rt->table, pid);
    if (slot && atomic_load_explicit(&slot->thread, memory_order_acquire) == t->index && slot->proc)
        slot->proc->flags |= DZ_PROC_GLOBAL;
}

static void mark_there(struct dz_thread *t, void *arg)
{
    struct dz_pid pid;
    memcpy(&pid, arg, sizeof pid);
    mark(t, pid);
}

/* mark_global(pid): the process will have a cluster-wide name, so its end has to free it. Only for processes
 * of this host; the flag is its own thread's. */
static int mark_global(lua_State *L)
{
    struct dz_pid pid;
    struct dz_thread *t = dz_vm_thread(L);
    if (!dz_vm_to_pid(L, 1, &pid) || !dz_nodes_is_self(&t->rt->nodes, pid.node))
        return 0;
    struct dz_slot *slot = dz_table_find(&t->rt->table, pid);
    if (!slot || atomic_load_explicit(&slot->native, memory_order_acquire))
        return 0;
    uint32_t thread = atomic_load_explicit(&slot->thread, memory_order_acquire);
    if (thread == t->index) {
        mark(t, pid);
        return 0;
    }
    if (dz_thread_post_copy(t, thread, mark_there, &pid, sizeof pid))
        return dz_vm_raise(L, DZ_ENOMEM, "out of memory");
    return 0;
}

void dz_bind_cluster_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"node", node},
        {"global_whereis", global_whereis},
        {"mark_global", mark_global},
        {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
}
