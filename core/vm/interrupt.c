/* interrupt.c - see interrupt.h. */
#include "vm/interrupt.h"

#include <errno.h>
#include <lauxlib.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "base/assert.h"
#include "sched/alarm.h"
#include "sched/sched.h"
#include "vm/memory.h"
#include "vm/state.h"

#define LOOKS_BEFORE_WALK 30u
#define COUNTED           20000000 /* instructions of the interpreter: some hundred milliseconds */

/* The bounds of the gates' section. */
extern const char __start_dz_gate[] __attribute__((visibility("hidden")));
extern const char __stop_dz_gate[] __attribute__((visibility("hidden")));

/* --- parking --- */

static void note_running(struct dz_vm *vm)
{
    const struct dz_proc *p = vm->current;
    uint64_t running = p ? (uint64_t)p->pid.slot << 32 | p->pid.gen : 0;
    uint64_t turn = atomic_load_explicit(&dz_worker_of(vm->thread)->turn, memory_order_relaxed);
    atomic_store_explicit(&vm->interrupt.running, running, memory_order_relaxed);
    /* release: pairs with dz_interrupt_running. */
    atomic_store_explicit(&vm->interrupt.running_turn, turn, memory_order_release);
}

/* The thread is LOST. The process is there to be looked at only until it is TAKEN. */
static void note_lost(struct dz_vm *vm)
{
    uint32_t lost = DZ_INTERRUPT_LOST;
    /* acq_rel, release: pair with dz_interrupt_take, which waits while we look. */
    if (!atomic_compare_exchange_strong_explicit(&vm->interrupt.state, &lost, DZ_INTERRUPT_PARKING,
                                                 memory_order_acq_rel, memory_order_acquire))
        return;
    note_running(vm);
    atomic_store_explicit(&vm->interrupt.state, DZ_INTERRUPT_LOST, memory_order_release);
}

void dz_interrupt_stand(struct dz_vm *vm)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    note_lost(vm);
    /* release: pairs with dz_interrupt_sample: all that this thread ever did is done. */
    atomic_store_explicit(&vm->interrupt.state, DZ_INTERRUPT_PARKED, memory_order_release);
    for (;;)
        sigsuspend(&all);
}

static bool is_gate(uintptr_t address)
{
    return address >= (uintptr_t)__start_dz_gate && address < (uintptr_t)__stop_dz_gate;
}

/* No return address into the core between `from` and the last gate. What earlier calls left on the stack may
 * be mistaken for one; the other way round there is no mistake. */
__attribute__((no_sanitize("address", "undefined"))) static bool is_clear(const struct dz_interrupt *x,
                                                                          uintptr_t from)
{
    uintptr_t gate = (uintptr_t)x->gate;
    if (gate == 0 || from > gate)
        gate = (uintptr_t)x->resumed;
    if (gate == 0 || from > gate)
        return false;
    for (uintptr_t at = from & ~(sizeof(uintptr_t) - 1); at < gate; at += sizeof(uintptr_t)) {
        uintptr_t word = *(const volatile uintptr_t *)at;
        if (word >= x->code.core.from && word < x->code.core.to && !is_gate(word))
            return false;
    }
    return true;
}

struct walk {
    const struct dz_interrupt *interrupt;
    uintptr_t pc;     /* where the signal came, 0: the allocator's gate called us */
    bool interrupted; /* the frames above that are passed */
    bool clear;
};

static _Unwind_Reason_Code walk_frame(struct _Unwind_Context *frame, void *arg)
{
    struct walk *w = arg;
    uintptr_t ip = (uintptr_t)_Unwind_GetIP(frame);
    if (!w->interrupted) {
        w->interrupted = w->pc ? ip == w->pc : is_gate(ip);
        return _URC_NO_REASON;
    }
    enum dz_code_kind kind = dz_code_at(&w->interrupt->code, ip);
    w->clear = kind == DZ_CODE_MACHINE || is_gate(ip);
    return w->clear || kind == DZ_CODE_CORE ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

/* What is_clear tells, exactly, from the frames themselves. The unwinder's tables are where LuaJIT's own
 * errors need them, but it is asked only when the cheap answer has stayed the same for a while. */
static bool walk_is_clear(const struct dz_interrupt *x, uintptr_t pc)
{
    struct walk w = {.interrupt = x, .pc = pc};
    _Unwind_Backtrace(walk_frame, &w);
    return w.clear;
}

void dz_interrupt_stand_if_clear(struct dz_vm *vm, uintptr_t frame)
{
    if (is_clear(&vm->interrupt, frame) || walk_is_clear(&vm->interrupt, 0))
        dz_interrupt_stand(vm);
}

/* --- the hook --- */

/* Raised to take a process out of its code; nobody sees it. */
static void *raised(void)
{
    static const char key = 'i';
    return (void *)(uintptr_t)&key;
}

int dz_interrupt_raise(lua_State *L)
{
    lua_pushlightuserdata(L, raised());
    return lua_error(L);
}

/* Its code is not to go on. While terminate runs only a kill counts. */
static bool is_over(const struct dz_proc *p)
{
    return (p->flags & DZ_PROC_NO_TERMINATE) ||
           ((p->flags & DZ_PROC_DOOMED) && !(p->flags & DZ_PROC_TERMINATING));
}

static void report(lua_State *L, struct dz_vm *vm, struct dz_pid pid)
{
    luaL_traceback(L, L, NULL, 0);
    dz_alarm_long_turn(vm->thread, vm->thread->index, pid,
                       atomic_load_explicit(&vm->interrupt.age_ms, memory_order_relaxed),
                       lua_tostring(L, -1));
    lua_pop(L, 1);
}

static void end_runaway(lua_State *L, struct dz_vm *vm, struct dz_proc *p)
{
    struct dz_pid pid = p->pid;
    if (p->flags & DZ_PROC_NO_TERMINATE)
        return;
    dz_process_doom(vm->thread, p, vm->shared->rt->reasons[DZ_REASON_RUNAWAY], DZ_PROC_NO_TERMINATE);
    luaL_traceback(L, L, NULL, 0);
    dz_alarm_ended(vm->thread, pid, DZ_REASON_RUNAWAY, lua_tostring(L, -1));
    lua_pop(L, 1);
}

/* Armed from a signal or from the allocator. It stays armed while the process is to end: a loop around pcall
 * swallows one error after another. */
static void hook(lua_State *L, lua_Debug *ar)
{
    struct dz_vm *vm = dz_vm_state(L); /* stands still here when the worker is lost */
    struct dz_interrupt *x = &vm->interrupt;
    struct dz_proc *p = vm->current;
    (void)ar;
    uint32_t asks = atomic_exchange_explicit(&x->asks, 0, memory_order_acq_rel);
    uint64_t turn = atomic_load_explicit(&dz_worker_of(vm->thread)->turn, memory_order_relaxed);
    if (atomic_load_explicit(&x->asked_turn, memory_order_relaxed) != turn)
        asks &= (uint32_t) ~(DZ_ASK_REPORT | DZ_ASK_END | DZ_ASK_KILL);
    luaL_checkstack(L, 4, "interrupt");
    if (p && (asks & DZ_ASK_REPORT))
        report(L, vm, p->pid);
    if (asks & DZ_ASK_MEMORY)
        dz_memory_relieve(L, vm);
    if (p && (asks & DZ_ASK_KILL) && dz_table_is_killed(&vm->shared->rt->table, p->pid))
        dz_process_doom(vm->thread, p, vm->shared->rt->reasons[DZ_REASON_KILLED], DZ_PROC_NO_TERMINATE);
    if (p && (asks & DZ_ASK_END))
        end_runaway(L, vm, p);
    if (p && is_over(p))
        dz_interrupt_raise(L);
    dz_interrupt_disarm(vm);
}

static void arm_hook(struct dz_vm *vm)
{
    vm->interrupt.hooked = true;
    /* Calls and returns as well: compiled code that calls C gets there without an instruction in between.
     * LuaJIT allows all this in a signal handler. */
    lua_sethook(vm->L, hook, LUA_MASKCOUNT | LUA_MASKCALL | LUA_MASKRET, 1);
}

void dz_interrupt_arm(struct dz_vm *vm, enum dz_interrupt_ask ask)
{
    atomic_fetch_or_explicit(&vm->interrupt.asks, (uint32_t)ask, memory_order_relaxed);
    arm_hook(vm);
}

/* Under a simulator no time passes in a turn and nobody looks from outside: who comes by here twice in one turn has executed
 * that many instructions in between. */
static void count(lua_State *L, lua_Debug *ar)
{
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_interrupt *x = &vm->interrupt;
    uint64_t turn = atomic_load_explicit(&dz_worker_of(vm->thread)->turn, memory_order_relaxed);
    if (x->counted_turn != turn || turn == 0) {
        x->counted_turn = turn;
        return;
    }
    atomic_store_explicit(&x->asked_turn, turn, memory_order_relaxed);
    dz_interrupt_arm(vm, DZ_ASK_END);
    hook(L, ar);
}

void dz_interrupt_disarm(struct dz_vm *vm)
{
    vm->interrupt.hooked = false;
    if (vm->shared->simulation)
        lua_sethook(vm->L, count, LUA_MASKCOUNT, COUNTED);
    else
        lua_sethook(vm->L, NULL, 0, 0);
}

/* --- the signal handler --- */

static bool registers_of(const ucontext_t *u, uintptr_t *pc, uintptr_t *sp)
{
#if defined(__x86_64__)
    *pc = (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
    *sp = (uintptr_t)u->uc_mcontext.gregs[REG_RSP];
    return true;
#elif defined(__aarch64__)
    *pc = (uintptr_t)u->uc_mcontext.pc;
    *sp = (uintptr_t)u->uc_mcontext.sp;
    return true;
#else
    (void)u;
    *pc = *sp = 0;
    return false;
#endif
}

/* The thread is LOST. Stands still here if it can, else notes where it is. */
static void look_around(struct dz_vm *vm, const ucontext_t *u)
{
    struct dz_interrupt *x = &vm->interrupt;
    uintptr_t pc, sp;
    bool known = registers_of(u, &pc, &sp);
    if (atomic_load_explicit(&x->seen, memory_order_relaxed) == 0)
        note_lost(vm);
    enum dz_code_kind kind = known ? dz_code_at(&x->code, pc) : DZ_CODE_CORE;
    bool clear = known && is_clear(x, sp);
    if (known && !clear && kind != DZ_CODE_CORE &&
        atomic_load_explicit(&x->seen, memory_order_relaxed) >= LOOKS_BEFORE_WALK)
        clear = walk_is_clear(x, pc);
    bool force = atomic_load_explicit(&x->force, memory_order_relaxed);
    if (kind == DZ_CODE_MACHINE || (kind == DZ_CODE_LUA && (clear || force)))
        dz_interrupt_stand(vm);
    if (kind != DZ_CODE_LUA)
        atomic_fetch_add_explicit(&x->elsewhere, 1, memory_order_relaxed);
    atomic_store_explicit(&x->outside, kind == DZ_CODE_FOREIGN && clear, memory_order_relaxed);
    /* release: pairs with dz_interrupt_sample. */
    atomic_fetch_add_explicit(&x->seen, 1, memory_order_release);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    int saved = errno;
    (void)signal;
    if (info->si_code != SI_QUEUE || info->si_pid != getpid() || !info->si_value.sival_ptr)
        return;
    struct dz_vm *vm = info->si_value.sival_ptr;
    struct dz_interrupt *x = &vm->interrupt;
    if (dz_interrupt_is_lost(x)) {
        arm_hook(vm);
        look_around(vm, context);
    } else if (atomic_load_explicit(&x->asked_turn, memory_order_relaxed) ==
               atomic_load_explicit(&dz_worker_of(vm->thread)->turn, memory_order_relaxed)) {
        note_running(vm);
        arm_hook(vm);
    }
    errno = saved;
}

/* --- opening and closing --- */

/* A real-time signal that nobody else uses; all hosts of the program share it. 0 when there is none. */
static int take_signal(void)
{
    struct sigaction old, ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = on_signal;
    ours.sa_flags = SA_SIGINFO | SA_RESTART;
    sigfillset(&ours.sa_mask);
    for (int signal = SIGRTMAX - 2; signal >= SIGRTMIN; signal--) {
        if (sigaction(signal, NULL, &old))
            continue;
        if ((old.sa_flags & SA_SIGINFO) && old.sa_sigaction == on_signal)
            return signal;
        if (!(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL && sigaction(signal, &ours, NULL) == 0)
            return signal;
    }
    return 0;
}

static void mask(int how, int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(how, &set, NULL);
}

void dz_interrupt_open(struct dz_vm *vm)
{
    struct dz_interrupt *x = &vm->interrupt;
    if (vm->shared->simulation) {
        dz_interrupt_disarm(vm);
        return;
    }
    x->signal = take_signal();
    if (!x->signal)
        return;
    mask(SIG_UNBLOCK, x->signal);
    x->thread_id = (int)syscall(SYS_gettid);
}

void dz_interrupt_close(struct dz_vm *vm)
{
    if (vm->interrupt.signal)
        mask(SIG_BLOCK, vm->interrupt.signal); /* one that is still under way is never delivered */
}

/* --- the gates --- */

DZ_GATE int dz_gate_resume(struct dz_vm *vm, lua_State *L, int values)
{
    void *gate = vm->interrupt.gate, *resumed = vm->interrupt.resumed;
    vm->interrupt.gate = vm->interrupt.resumed = __builtin_frame_address(0);
    int status = lua_resume(L, values);
    vm->interrupt.gate = gate;
    vm->interrupt.resumed = resumed;
    if (dz_interrupt_is_lost(&vm->interrupt))
        dz_interrupt_stand(vm);
    return status;
}

DZ_GATE int dz_gate_pcall(struct dz_vm *vm, lua_State *L, int nargs, int nresults, int handler)
{
    void *gate = vm->interrupt.gate, *resumed = vm->interrupt.resumed;
    vm->interrupt.gate = vm->interrupt.resumed = __builtin_frame_address(0);
    int status = lua_pcall(L, nargs, nresults, handler);
    vm->interrupt.gate = gate;
    vm->interrupt.resumed = resumed;
    if (dz_interrupt_is_lost(&vm->interrupt))
        dz_interrupt_stand(vm);
    return status;
}

/* An error jumps across this frame and leaves `gate` pointing there: below it the stack is searched up to
 * `resumed`. */
DZ_GATE void dz_gate_call(struct dz_vm *vm, lua_State *L, int nargs, int nresults)
{
    void *gate = vm->interrupt.gate;
    vm->interrupt.gate = __builtin_frame_address(0);
    lua_call(L, nargs, nresults);
    vm->interrupt.gate = gate;
    if (dz_interrupt_is_lost(&vm->interrupt))
        dz_interrupt_stand(vm);
}

/* --- the watchdog's side --- */

/* By the kernel's number of the thread: where the thread has ended meanwhile nothing happens. */
static void send_signal(struct dz_vm *vm)
{
    siginfo_t info;
    struct dz_interrupt *x = &vm->interrupt;
    if (!x->thread_id)
        return;
    memset(&info, 0, sizeof info);
    info.si_signo = x->signal;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = vm;
    syscall(SYS_rt_tgsigqueueinfo, getpid(), x->thread_id, x->signal, &info);
}

/* None when it is not known, or has ended. */
static struct dz_pid running_of(struct dz_vm *vm)
{
    struct dz_rt *rt = vm->shared->rt;
    uint64_t running = atomic_load_explicit(&vm->interrupt.running, memory_order_relaxed);
    struct dz_slot *slot = dz_table_slot(&rt->table, (uint32_t)(running >> 32));
    if (!slot || atomic_load_explicit(&slot->gen, memory_order_acquire) != (uint32_t)running)
        return DZ_PID_NONE;
    return (struct dz_pid){slot->node, slot->index, (uint32_t)running};
}

void dz_interrupt_ask(struct dz_vm *vm, struct dz_thread *system, uint64_t turn,
                      enum dz_watchdog_verdict verdict, uint64_t age_ms)
{
    struct dz_interrupt *x = &vm->interrupt;
    if (verdict == DZ_WATCHDOG_TELL) {
        uint32_t asks = atomic_fetch_and_explicit(&x->asks, (uint32_t)~DZ_ASK_REPORT, memory_order_acq_rel);
        if (asks & DZ_ASK_REPORT) /* the hook did not run */
            dz_alarm_long_turn(system, vm->thread->index, running_of(vm), age_ms, NULL);
        return;
    }
    atomic_store_explicit(&x->asked_turn, turn, memory_order_relaxed);
    atomic_store_explicit(&x->age_ms, age_ms, memory_order_relaxed);
    /* release: pairs with the exchange in hook. */
    uint32_t ask = verdict == DZ_WATCHDOG_END    ? DZ_ASK_END
                   : verdict == DZ_WATCHDOG_KILL ? DZ_ASK_KILL
                                                 : DZ_ASK_REPORT;
    atomic_fetch_or_explicit(&x->asks, ask, memory_order_release);
    send_signal(vm);
}

struct dz_pid dz_interrupt_running(struct dz_vm *vm, uint64_t turn)
{
    /* acquire: pairs with note_running. */
    if (atomic_load_explicit(&vm->interrupt.running_turn, memory_order_acquire) != turn)
        return DZ_PID_NONE;
    return running_of(vm);
}

void dz_interrupt_give_up(struct dz_vm *vm)
{
    struct dz_interrupt *x = &vm->interrupt;
    dz_code_read(&x->code, (uintptr_t)take_signal, (uintptr_t)vm->alloc);
    /* release: pairs with dz_interrupt_is_lost. Only from RUNS: an allocator may have parked the thread
     * before this. */
    uint32_t runs = DZ_INTERRUPT_RUNS;
    atomic_compare_exchange_strong_explicit(&x->state, &runs, DZ_INTERRUPT_LOST, memory_order_acq_rel,
                                            memory_order_acquire);
}

void dz_interrupt_sample(struct dz_vm *vm, bool force, struct dz_watchdog_sample *out)
{
    struct dz_interrupt *x = &vm->interrupt;
    /* acquire: pairs with dz_interrupt_stand and look_around. */
    out->parked = atomic_load_explicit(&x->state, memory_order_acquire) == DZ_INTERRUPT_PARKED;
    out->seen = atomic_load_explicit(&x->seen, memory_order_acquire);
    out->outside = atomic_load_explicit(&x->outside, memory_order_relaxed);
    out->only_lua = out->seen > 0 && atomic_load_explicit(&x->elsewhere, memory_order_relaxed) == 0;
    atomic_store_explicit(&x->force, force && out->only_lua, memory_order_relaxed);
    if (!out->parked)
        send_signal(vm);
}

struct dz_pid dz_interrupt_take(struct dz_vm *vm)
{
    struct dz_interrupt *x = &vm->interrupt;
    uint32_t state = DZ_INTERRUPT_LOST;
    /* acq_rel: pairs with dz_interrupt_stand. One that is just parking is waited for: a few instructions. */
    while (!atomic_compare_exchange_strong_explicit(&x->state, &state, DZ_INTERRUPT_TAKEN,
                                                    memory_order_acq_rel, memory_order_acquire) &&
           state != DZ_INTERRUPT_PARKED) {
        state = DZ_INTERRUPT_LOST;
        sched_yield();
    }
    return running_of(vm);
}
