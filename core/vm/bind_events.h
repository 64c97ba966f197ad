/* bind_events.h - what `dozor.on_event`, `dozor.on_shutdown` and the requests to core processes stand on.
 * Owns:    nothing.
 * Threads: the state's own.
 * Fails:   by raising. */
#ifndef DZ_VM_BIND_EVENTS_H
#define DZ_VM_BIND_EVENTS_H

#include <lua.h>

/* Adds core.system(), core.events() and core.spawn_hidden(what). */
void dz_bind_events_open(lua_State *L);

#endif
