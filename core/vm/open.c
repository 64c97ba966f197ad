/* open.c - the table of C primitives, file by file. */
#include "vm/bind_cluster.h"
#include "vm/bind_events.h"
#include "vm/bind_log.h"
#include "vm/bind_sim.h"
#include "vm/bind_supervisor.h"
#include "vm/bind_support.h"
#include "vm/bind_uv.h"
#include "vm/state.h"

void dz_vm_open_bindings(lua_State *L)
{
    static void (*const openers[])(lua_State *) = {
        dz_bind_process_open, dz_bind_send_open,       dz_bind_wait_open,     dz_bind_bond_open,
        dz_bind_name_open,    dz_bind_time_open,       dz_bind_behavior_open, dz_bind_start_open,
        dz_bind_support_open, dz_bind_supervisor_open, dz_bind_events_open,   dz_bind_cluster_open,
        dz_bind_log_open,     dz_bind_uv_open,      dz_bind_sim_open,
    };
    lua_newtable(L);
    for (size_t i = 0; i < sizeof openers / sizeof openers[0]; i++)
        openers[i](L);
}
