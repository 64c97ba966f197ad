/* walk.h - the encoder's fast way through tables: LuaJIT's own memory, read in place.
 * Owns:    nothing.
 * Threads: the state's own.
 * Fails:   by giving up: nothing was written and the encoder of codec.c, which needs only Lua's API, does the work. It gives
 *          up on whatever is not plain: mixed keys, cdata, functions, deep nesting. lua_next costs five times as much for
 *          each element.
 * It relies on how LuaJIT lays out tables and strings on 64-bit machines. dz_walk_check proves that on live values when a
 * state is made; where the proof fails it is never used. */
#ifndef DZ_VM_WALK_H
#define DZ_VM_WALK_H

#include <lua.h>
#include <stdbool.h>
#include "base/buf.h"

struct dz_vm;

/* Are tables and strings of this LuaJIT laid out as assumed? */
bool dz_walk_check(lua_State *L);
/* Appends the table (lua_topointer) as codec.c would; false: it cannot, and `out` is as it was. */
bool dz_walk_encode(struct dz_vm *vm, const void *table, struct dz_buf *out);

#endif
