/* code.h - whose code is at an address: the core's, LuaJIT's, code that LuaJIT compiled, or somebody else's.
 * Owns:    nothing.
 * Threads: any. dz_code_at may be called in a signal handler, dz_code_read inside an allocator: neither
 * allocates or locks. Fails:   where /proc/self/maps cannot be read all code is foreign. */
#ifndef DZ_VM_CODE_H
#define DZ_VM_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DZ_CODE_MACHINE_MAX 128u /* regions of machine code; those beyond count as foreign */

enum dz_code_kind {
    DZ_CODE_FOREIGN,
    DZ_CODE_CORE,
    DZ_CODE_LUA,     /* LuaJIT's own: its interpreter and its C functions */
    DZ_CODE_MACHINE, /* compiled Lua: executable memory without a file */
};

struct dz_code_range {
    uintptr_t from, to;
};

struct dz_code {
    struct dz_code_range core;
    struct dz_code_range lua;
    struct dz_code_range machine[DZ_CODE_MACHINE_MAX];
    uint32_t machine_count;
};

/* The memory map of this moment. `core` and `lua` are functions of the core and of LuaJIT; when both lie in
 * one mapping (a static build) it counts as the core's. */
void dz_code_read(struct dz_code *c, uintptr_t core, uintptr_t lua);
/* One line of /proc/self/maps, ended by a zero. */
void dz_code_take_line(struct dz_code *c, const char *line, uintptr_t core, uintptr_t lua);
enum dz_code_kind dz_code_at(const struct dz_code *c, uintptr_t address);

#endif
