/* bind_uv.h - luv on the worker's own loop: `dozor.uv`.
 * Owns:    which process made which handle.
 * Threads: the state's own.
 * Fails:   by raising; not_in_simulation under the simulator.
 * A callback is a turn of the process that passed it: it may send but not wait, its error ends that process,
 * and what the process opened is closed when it ends. What would take the loop out of the scheduler's hands
 * (run, stop, walk, loop_close) is missing. */
#ifndef DZ_VM_BIND_UV_H
#define DZ_VM_BIND_UV_H

#include <lua.h>
#include <stdbool.h>

/* Adds core.open_uv(), which gives the module; the second call gives the same table. */
void dz_bind_uv_open(lua_State *L);

/* Before lua_close, when every process of the state has ended: lets handles and requests finish. False: a
 * request is still under way in another thread (a name lookup, say); then the state must not be freed, for
 * its answer will look for it. */
bool dz_bind_uv_close(lua_State *L);

#endif
