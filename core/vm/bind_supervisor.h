/* bind_supervisor.h - the primitives of lua/dozor/supervisor.lua and selectors.lua.
 * Owns:    nothing.
 * Threads: the state's own.
 * Fails:   by raising. */
#ifndef DZ_VM_BIND_SUPERVISOR_H
#define DZ_VM_BIND_SUPERVISOR_H

#include <lua.h>
#include <stdbool.h>

/* Adds core.spawn_supervisor(spec), core.behavior_reference(table) and core.register_selector(name, fn). */
void dz_bind_supervisor_open(lua_State *L);

/* True when the function at idx stands for a behaviour table (core.behavior_reference made it); the table is
 * then pushed. */
bool dz_bind_supervisor_push_table(lua_State *L, int idx);

#endif
