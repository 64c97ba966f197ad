/* bind_support.h - what several binding files need: small checks, and a spawn that waits.
 * Owns:    nothing.
 * Threads: the state's own.
 * Fails:   by raising. */
#ifndef DZ_VM_BIND_SUPPORT_H
#define DZ_VM_BIND_SUPPORT_H

#include "vm/vm.h"

/* Sends the packed SPAWN to this worker and waits for its answer without a deadline; `return` the result at
 * once. NULL is out of memory. Check with dz_vm_check_wait before. */
int dz_bind_spawn_here(lua_State *L, struct dz_msg *spawn);

/* Adds core.make_error(code, message [, fields]). */
void dz_bind_support_open(lua_State *L);

#endif
