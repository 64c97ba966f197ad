/* bind_cluster.h - the primitives of lua/dozor/cluster.lua and global.lua that are no requests.
 * Owns:    nothing.
 * Threads: the state's own.
 * Fails:   by raising. */
#ifndef DZ_VM_BIND_CLUSTER_H
#define DZ_VM_BIND_CLUSTER_H

#include <lua.h>

/* Adds core.node(), core.global_whereis(name) and core.mark_global(pid). */
void dz_bind_cluster_open(lua_State *L);

#endif
