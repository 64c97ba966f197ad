/* memory.h - the memory of one Lua state: counted, and limited.
 * Owns:    struct dz_memory of each vm.
 * Threads: the worker's own.
 * Fails:   the allocator gives NULL only where the system does, never for a limit: an allocation that fails
 * inside compiled code may crash. Above the soft limit the next interpreted instruction collects, and ends
 * the process that has too much; at the hard limit the worker is given up (sched/guard.h). */
#ifndef DZ_VM_MEMORY_H
#define DZ_VM_MEMORY_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proc/pid.h"

#define DZ_MEMORY_SLACK                                                                                      \
    (64u << 20) /* the hard limit is at least that far above the soft one, or a quarter of it */
#define DZ_MEMORY_NOTED  (256u << 10) /* turns that take less are not remembered */
#define DZ_MEMORY_EATERS 16u
#define DZ_MEMORY_WAIT_MS                                                                                    \
    200u /* how long an allocation above the hard limit waits for the worker to be given up */
#define DZ_MEMORY_GC_HURRY   1000 /* stepmul once the soft limit was passed; LuaJIT's default is 200 */
#define DZ_MEMORY_GC_STEPMUL 200

struct dz_vm;

/* How much a process's turns have taken of late. */
struct dz_eater {
    struct dz_pid pid;
    size_t bytes;
};

struct dz_memory {
    size_t used;
    size_t soft, hard; /* SIZE_MAX: none */
    size_t alarm;      /* the next time to act: above the soft limit, or above the hard one */
    bool asked;        /* the hook is to look at it */
    bool waited;       /* above the hard limit, for the guard */
    size_t turn_start; /* `used` when the present turn began */
    struct dz_eater eaters[DZ_MEMORY_EATERS];
};

/* Without limits. */
void dz_memory_init(struct dz_memory *h);
/* 0: none. */
void dz_memory_set_limit(struct dz_memory *h, uint64_t soft_mb);
/* Lua's allocator; ctx is the vm. */
void *dz_vm_alloc(void *ctx, void *p, size_t old_size, size_t new_size);
/* What the turn of `pid` (or of nobody) took, noted when it ends or another one begins. */
void dz_memory_remember_turn(struct dz_memory *h, struct dz_pid pid);
static inline void dz_memory_note_turn(struct dz_memory *h, struct dz_pid pid)
{
    if (h->used > h->turn_start + DZ_MEMORY_NOTED)
        dz_memory_remember_turn(h, pid);
    h->turn_start = h->used;
}
/* In the hook: collects, and when that is not enough ends the process that took most. */
void dz_memory_relieve(lua_State *L, struct dz_vm *vm);
/* After a collection while idle. */
void dz_memory_rest(struct dz_memory *h);

/* Pure: who is to end when `used` is left after a collection. `current` is the process running (or none);
 * `alive` tells of each of the remembered ones. None: nobody known. */
struct dz_pid dz_memory_blame(const struct dz_memory *h, struct dz_pid current,
                              bool (*alive)(void *ctx, struct dz_pid pid), void *ctx);

#endif
