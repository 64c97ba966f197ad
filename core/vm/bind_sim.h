/* bind_sim.h - the primitives of `dozor.sim` (dz_vm_simulation in vm.h); outside of a simulator they answer nil.
 * Owns:    nothing.
 * Threads: the worker's own. */
#ifndef DZ_VM_BIND_SIM_H
#define DZ_VM_BIND_SIM_H

#include <lua.h>

void dz_bind_sim_open(lua_State *L);

#endif
