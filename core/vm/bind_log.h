/* bind_log.h - the host's log and lua-cjson for Lua code.
 * Owns:    nothing.
 * Threads: the state's own.
 * Fails:   by raising. */
#ifndef DZ_VM_BIND_LOG_H
#define DZ_VM_BIND_LOG_H

#include <lua.h>

/* Adds core.log(level, text, names, values); makes `require "cjson"` give the lua-cjson that is linked in. */
void dz_bind_log_open(lua_State *L);

#endif
