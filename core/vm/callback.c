/* callback.c - Lua code run from outside of a turn, as a process: what luv calls back. */
#include "base/assert.h"
#include "sched/sched.h"
#include "vm/state.h"

bool dz_vm_enter(struct dz_vm *vm, struct dz_pid pid, struct dz_vm_frame *frame)
{
    struct dz_proc *p = dz_ending_process_of(vm, pid);
    if (!p || (p->flags & DZ_PROC_DOOMED))
        return false;
    frame->proc = p;
    frame->previous = vm->current;
    frame->was_in_turn = vm->thread->in_turn;
    vm->current = p;
    if (!frame->was_in_turn)
        dz_sched_turn_begin(dz_worker_of(vm->thread));
    return true;
}

void dz_vm_leave(struct dz_vm *vm, struct dz_vm_frame *frame, lua_State *L, bool failed)
{
    struct dz_proc *p = frame->proc;
    dz_assert(vm->current == p);
    vm->current = frame->previous;
    if (failed) {
        struct dz_blob *reason = dz_ending_reason(vm, L, true);
        if (!(p->flags & DZ_PROC_DOOMED))
            dz_report_callback(vm, p, reason);
        dz_process_doom(vm->thread, p, reason, 0);
        dz_blob_unref(reason);
        lua_pop(L, 2);
    }
    if (!frame->was_in_turn)
        dz_sched_turn_end(dz_worker_of(vm->thread));
}
