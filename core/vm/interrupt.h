/* interrupt.h - a worker's thread interrupted from outside: told where it is, ended, or parked for ever.
 * Owns:    struct dz_interrupt of each vm; one real-time signal of the program.
 * Threads: open, close, check and disarm the worker's own; the functions of the watchdog the system thread's,
 * while the guard knows that the thread runs rounds. Fails:   without a free signal, or on a machine whose
 * registers it does not know, nobody is interrupted.
 *
 *   RUNS --give_up--> LOST --the thread stands still--> PARKED
 *                     LOST --its processes are taken meanwhile--> TAKEN --the thread stands still--> PARKED
 *
 * The signal names the vm (si_value) and arms a hook; LuaJIT runs the hook before the next interpreted
 * instruction. Compiled code calls no hook. A LOST thread parks in the signal handler if it was interrupted
 * in compiled code, or in LuaJIT with no function of the core between; else where it next enters the core
 * from Lua, or in the hook. From the moment it is LOST it never gets back to the scheduler.
 *
 * Whether a function of the core is under way is seen on the stack: a return address into the core between
 * the stack pointer and the last gate. Gates are the functions through which the core runs Lua or foreign
 * code, with all its structures in order and no lock held; they lie in a section of their own and do not
 * count. */
#ifndef DZ_VM_INTERRUPT_H
#define DZ_VM_INTERRUPT_H

#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "proc/pid.h"
#include "sched/guard.h"
#include "vm/code.h"

struct dz_vm;

#define DZ_GATE __attribute__((section("dz_gate"), noinline, no_sanitize("address", "undefined")))

enum dz_interrupt_state {
    DZ_INTERRUPT_RUNS,
    DZ_INTERRUPT_LOST,
    DZ_INTERRUPT_PARKING, /* LOST, while the thread notes what it was doing */
    DZ_INTERRUPT_PARKED,
    DZ_INTERRUPT_TAKEN, /* the thread is in foreign code; its processes do not exist any more */
};

enum dz_interrupt_ask {
    DZ_ASK_REPORT = 1, /* tell where the turn is */
    DZ_ASK_END = 2,    /* end the process: runaway */
    DZ_ASK_MEMORY = 4, /* collect, and end the process that has too much */
    DZ_ASK_KILL = 8,   /* end the process if it has been killed */
};

struct dz_interrupt {
    int thread_id; /* of the kernel; 0: cannot be interrupted */
    int signal;
    _Atomic uint32_t state;      /* enum dz_interrupt_state */
    _Atomic uint32_t asks;       /* enum dz_interrupt_ask */
    _Atomic uint64_t asked_turn; /* REPORT, END and KILL are about this one */
    _Atomic uint64_t age_ms;
    _Atomic uint64_t
        running; /* slot << 32 | gen of the process when it was last noted, */
    _Atomic uint64_t running_turn; /* and in which turn that was */
    /* Written in the signal handler once LOST, read by the watchdog: */
    _Atomic uint32_t seen;
    _Atomic uint32_t elsewhere; /* of these: not in LuaJIT under a function of the core */
    _Atomic bool outside;
    _Atomic bool force;
    /* The thread's own, read by its signal handler: */
    bool hooked;            /* the hook may be armed */
    uint64_t counted_turn;  /* under a simulator: the turn in which instructions were last counted */
    void *volatile gate;    /* the frame of the last gate, */
    void *volatile resumed; /* and of the last one that errors do not jump across */
    struct dz_code code;    /* written before LOST */
};

/* On the worker's thread, when the vm is new, and before anything of it is freed. */
void dz_interrupt_open(struct dz_vm *vm);
void dz_interrupt_close(struct dz_vm *vm);

/* Arms the hook for the running process, which is doomed; or for a look at the memory. */
void dz_interrupt_arm(struct dz_vm *vm, enum dz_interrupt_ask ask);
/* The turn is over. */
void dz_interrupt_disarm(struct dz_vm *vm);
/* Raises what takes a doomed process out of its code. */
int dz_interrupt_raise(lua_State *L);
/* The thread is LOST and at a place where it may stand still: it does, for ever. */
void dz_interrupt_stand(struct dz_vm *vm) __attribute__((noreturn));
/* The same if no function of the core is under way above `frame`; else returns. */
void dz_interrupt_stand_if_clear(struct dz_vm *vm, uintptr_t frame);

/* The gates. */
int dz_gate_resume(struct dz_vm *vm, lua_State *L, int values);
int dz_gate_pcall(struct dz_vm *vm, lua_State *L, int nargs, int nresults, int handler);
void dz_gate_call(struct dz_vm *vm, lua_State *L, int nargs, int nresults);

/* The watchdog's side; see struct dz_guard_hooks. */
void dz_interrupt_ask(struct dz_vm *vm, struct dz_thread *system, uint64_t turn,
                      enum dz_watchdog_verdict verdict, uint64_t age_ms);
struct dz_pid dz_interrupt_running(struct dz_vm *vm, uint64_t turn);
void dz_interrupt_give_up(struct dz_vm *vm);
void dz_interrupt_sample(struct dz_vm *vm, bool force, struct dz_watchdog_sample *out);
/* From now on the processes are the system thread's to end. Gives the one that was running, or none. */
struct dz_pid dz_interrupt_take(struct dz_vm *vm);

static inline bool dz_interrupt_is_lost(const struct dz_interrupt *x)
{
    /* acquire: pairs with dz_interrupt_give_up. */
    return atomic_load_explicit(&((struct dz_interrupt *)(uintptr_t)x)->state, memory_order_acquire) !=
           DZ_INTERRUPT_RUNS;
}

#endif
