/* memory.c - see memory.h. */
#include "vm/memory.h"

#include <lauxlib.h>
#include <string.h>
#include <time.h>

#include "sched/alarm.h"
#include "sched/sched.h"
#include "vm/state.h"

void dz_memory_init(struct dz_memory *h)
{
    memset(h, 0, sizeof *h);
    h->soft = h->hard = h->alarm = SIZE_MAX;
}

void dz_memory_set_limit(struct dz_memory *h, uint64_t soft_mb)
{
    if (soft_mb == 0 || soft_mb >= SIZE_MAX >> 22)
        return;
    h->soft = (size_t)soft_mb << 20;
    size_t slack = h->soft / 4 > DZ_MEMORY_SLACK ? h->soft / 4 : DZ_MEMORY_SLACK;
    h->hard = h->soft + slack;
    h->alarm = h->soft;
}

/* --- who takes it --- */

static void remember(struct dz_memory *h, struct dz_pid pid, size_t bytes)
{
    struct dz_eater *least = &h->eaters[0];
    for (uint32_t i = 0; i < DZ_MEMORY_EATERS; i++) {
        struct dz_eater *e = &h->eaters[i];
        if (dz_pid_eq(e->pid, pid)) {
            e->bytes += bytes;
            return;
        }
        if (e->bytes < least->bytes)
            least = e;
    }
    if (bytes > least->bytes)
        *least = (struct dz_eater){pid, bytes};
}

void dz_memory_remember_turn(struct dz_memory *h, struct dz_pid pid)
{
    if (!dz_pid_is_none(pid))
        remember(h, pid, h->used - h->turn_start);
}

static size_t eaten_by(const struct dz_memory *h, struct dz_pid pid)
{
    for (uint32_t i = 0; i < DZ_MEMORY_EATERS; i++)
        if (dz_pid_eq(h->eaters[i].pid, pid))
            return h->eaters[i].bytes;
    return 0;
}

struct dz_pid dz_memory_blame(const struct dz_memory *h, struct dz_pid current,
                              bool (*alive)(void *ctx, struct dz_pid pid), void *ctx)
{
    size_t excess = h->used > h->soft ? h->used - h->soft : 0;
    size_t present = h->used > h->turn_start ? h->used - h->turn_start : 0;
    if (!dz_pid_is_none(current) && present >= h->soft / 4 && present >= excess)
        return current;
    struct dz_pid worst = current;
    size_t most = dz_pid_is_none(current) ? 0 : present + eaten_by(h, current);
    for (uint32_t i = 0; i < DZ_MEMORY_EATERS; i++) {
        const struct dz_eater *e = &h->eaters[i];
        if (e->bytes <= most || !alive(ctx, e->pid))
            continue;
        most = e->bytes;
        worst = e->pid;
    }
    return worst;
}

/* --- the limits --- */

/* The guard gives the worker up at once; then the thread parks here unless a function of the core is under
 * way, which ends soon. */
static void exhausted(struct dz_vm *vm, uintptr_t frame)
{
    struct timespec pause = {0, 100000};
    dz_guard_exhausted(dz_worker_of(vm->thread));
    for (unsigned i = 0;
         !vm->memory.waited && i < DZ_MEMORY_WAIT_MS * 10 && !dz_interrupt_is_lost(&vm->interrupt); i++)
        nanosleep(&pause, NULL);
    vm->memory.waited = true;
    if (dz_interrupt_is_lost(&vm->interrupt))
        dz_interrupt_stand_if_clear(vm, frame);
}

/* More than `alarm` would be in use. The collector is hurried on: the end of its marking takes a compiled
 * loop back to the interpreter, where the hook waits. */
static void alert(struct dz_vm *vm, size_t used, uintptr_t frame)
{
    struct dz_memory *h = &vm->memory;
    if (used > h->hard) {
        exhausted(vm, frame);
        return;
    }
    h->asked = true;
    h->alarm = h->hard;
    lua_gc(vm->L, LUA_GCSETSTEPMUL, DZ_MEMORY_GC_HURRY);
    lua_gc(vm->L, LUA_GCRESTART, 0);
    dz_interrupt_arm(vm, DZ_ASK_MEMORY);
}

DZ_GATE void *dz_vm_alloc(void *ctx, void *p, size_t old_size, size_t new_size)
{
    struct dz_vm *vm = ctx;
    struct dz_memory *h = &vm->memory;
    if (new_size > old_size && h->used + (new_size - old_size) > h->alarm)
        alert(vm, h->used + (new_size - old_size), (uintptr_t)__builtin_frame_address(0));
    void *q = vm->alloc(vm->alloc_ctx, p, old_size, new_size);
    if (q || new_size == 0)
        h->used += new_size - old_size;
    return q;
}

void dz_memory_rest(struct dz_memory *h)
{
    if (!h->asked && h->used < h->soft)
        h->alarm = h->soft;
}

static bool is_alive(void *ctx, struct dz_pid pid)
{
    struct dz_proc *p = dz_ending_process_of(ctx, pid);
    return p && !(p->flags & DZ_PROC_NO_TERMINATE);
}

static void end_eater(lua_State *L, struct dz_vm *vm)
{
    struct dz_proc *current = vm->current;
    struct dz_pid pid = dz_memory_blame(&vm->memory, current ? current->pid : DZ_PID_NONE, is_alive, vm);
    struct dz_proc *p = dz_ending_process_of(vm, pid);
    if (!p || (p->flags & DZ_PROC_NO_TERMINATE))
        return;
    dz_process_doom(vm->thread, p, vm->shared->rt->reasons[DZ_REASON_OUT_OF_MEMORY], DZ_PROC_NO_TERMINATE);
    for (uint32_t i = 0; i < DZ_MEMORY_EATERS; i++)
        if (dz_pid_eq(vm->memory.eaters[i].pid, pid))
            vm->memory.eaters[i].bytes = 0;
    if (p == current)
        luaL_traceback(L, L, NULL, 0);
    else
        lua_pushnil(L);
    dz_alarm_ended(vm->thread, pid, DZ_REASON_OUT_OF_MEMORY, lua_tostring(L, -1));
    lua_pop(L, 1);
}

void dz_memory_relieve(lua_State *L, struct dz_vm *vm)
{
    struct dz_memory *h = &vm->memory;
    size_t step = (h->hard - h->soft) / 4;
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCSETSTEPMUL, DZ_MEMORY_GC_STEPMUL);
    if (h->turn_start > h->used) /* what was collected is not the present turn's gain */
        h->turn_start = h->used;
    h->asked = false;
    if (h->used > h->soft)
        end_eater(L, vm);
    size_t from = h->used > h->soft ? h->used : h->soft;
    /* Not at once again: a state that stands just below its limit would do nothing but collect. */
    h->alarm = h->used + step < h->soft ? h->soft : from + step;
    if (h->alarm > h->hard)
        h->alarm = h->hard;
}
