/* test_interrupt.c - a worker's thread interrupted: told where it is, ended, given up; here it interrupts
 * itself. */
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif
#include "machine.h"
#include "vm/state.h"

/* interrupt(verdict): as the watchdog would about this very turn. */
static int interrupt(lua_State *L)
{
    struct dz_vm *vm = dz_vm_of(L);
    struct machine *m = lua_touserdata(L, lua_upvalueindex(1));
    uint64_t turn = atomic_load(&dz_worker_of(vm->thread)->turn);
    static const char *const names[] = {"report", "tell", "end", "stale", NULL};
    static const enum dz_watchdog_verdict verdicts[] = {DZ_WATCHDOG_REPORT, DZ_WATCHDOG_TELL, DZ_WATCHDOG_END,
                                                        DZ_WATCHDOG_END};
    int which = luaL_checkoption(L, 1, NULL, names);
    dz_interrupt_ask(vm, &m->sched.workers[0]->thread, which == 3 ? turn + 1 : turn, verdicts[which], 70);
    return 0;
}

static struct machine *interruptible(void)
{
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    lua_pushlightuserdata(L, m);
    lua_pushcclosure(L, interrupt, 1);
    lua_setglobal(L, "interrupt");
    return m;
}

static void a_turn_that_is_to_end_ends_with_runaway_whatever_it_catches(void **state)
{
    (void)state;
    struct machine *m = interruptible();
    machine_run(m, "jit.off()\n"
                   "local ran = false\n"
                   "local b = { init = function() end, terminate = function() ran = true end,\n"
                   "  handle_cast = function() interrupt('end') while true do pcall(function() while true do "
                   "end end) end end }\n"
                   "local pid = dozor.spawn(b)\n"
                   "local ref = dozor.monitor(pid)\n"
                   "dozor.cast(pid, 1)\n"
                   "eq(dozor.receive(10), { type = 'down', ref = ref, pid = pid, reason = 'runaway' })\n"
                   "eq(ran, false)\n"
                   "jit.on()\n"
                   "\n");
    assert_non_null(strstr(m->logged, "runaway"));
    assert_non_null(strstr(m->logged, "in function"));
    assert_false(machine_vm(m, 1)->interrupt.hooked);
    machine_delete(m);
}

static void a_turn_that_is_to_report_says_where_it_is_and_goes_on(void **state)
{
    (void)state;
    struct machine *m = interruptible();
    machine_run(
        m, "jit.off() local function here() interrupt('report') for i = 1, 1000 do end end here() jit.on()");
    assert_non_null(strstr(m->logged, "in function 'here'"));
    assert_int_equal(atomic_load(&machine_vm(m, 1)->interrupt.asks), 0);
    machine_delete(m);
}

static void a_turn_that_said_nothing_is_told_without_a_traceback(void **state)
{
    (void)state;
    struct machine *m = interruptible();
    struct dz_vm *vm = machine_vm(m, 1);
    atomic_store(&vm->interrupt.asks, DZ_ASK_REPORT);
    dz_interrupt_ask(vm, &m->sched.workers[0]->thread, 1, DZ_WATCHDOG_TELL, 70);
    assert_int_equal(atomic_load(&vm->interrupt.asks), 0);
    size_t told = strlen(m->logged);
    assert_true(told > 0);
    dz_interrupt_ask(vm, &m->sched.workers[0]->thread, 1, DZ_WATCHDOG_TELL, 70);
    assert_int_equal(strlen(m->logged), told);
    machine_delete(m);
}

static void an_interruption_meant_for_another_turn_does_nothing(void **state)
{
    (void)state;
    struct machine *m = interruptible();
    machine_run(
        m,
        "jit.off() interrupt('stale') for i = 1, 1000 do end jit.on() eq(dozor.alive(dozor.self()), true)");
    machine_delete(m);
}

static void an_armed_hook_without_a_reason_is_disarmed(void **state)
{
    (void)state;
    struct machine *m = interruptible();
    struct dz_vm *vm = machine_vm(m, 1);
    dz_interrupt_arm(vm, 0);
    assert_true(vm->interrupt.hooked);
    machine_run(m, "jit.off() for i = 1, 100 do end jit.on()");
    assert_false(vm->interrupt.hooked);
    dz_interrupt_arm(vm, DZ_ASK_MEMORY);
    assert_int_equal(atomic_load(&vm->interrupt.asks), DZ_ASK_MEMORY);
    dz_interrupt_disarm(vm);
    assert_false(vm->interrupt.hooked);
    machine_delete(m);
}

static void a_state_knows_its_thread_and_signal(void **state)
{
    (void)state;
    struct machine *m = interruptible();
    struct dz_interrupt *x = &machine_vm(m, 1)->interrupt;
    assert_int_equal(x->thread_id, getpid());
    assert_int_not_equal(x->signal, 0);
    assert_int_equal(x->signal, machine_vm(m, 2)->interrupt.signal);
    assert_false(dz_interrupt_is_lost(x));
    machine_delete(m);
}

/* A thread with a machine of its own that is given up inside a loop of Lua. It never comes back. */
struct lost {
    struct machine *m;
    _Atomic bool looping;
};

static int looping(lua_State *L)
{
    struct lost *l = lua_touserdata(L, lua_upvalueindex(1));
    atomic_store(&l->looping, true);
    return 0;
}

static void *lose_oneself(void *arg)
{
    struct lost *l = arg;
#ifdef __SANITIZE_ADDRESS__
    __lsan_disable(); /* a lost worker's memory is left behind on purpose */
#endif
    l->m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(l->m, 1));
    lua_pushlightuserdata(L, l);
    lua_pushcclosure(L, looping, 1);
    lua_setglobal(L, "looping");
    machine_run(l->m, "dozor.register('looper') looping() local n = 0 while true do n = n + 1 end");
    return NULL;
}

static void a_thread_that_is_given_up_stands_still_and_its_process_is_known(void **state)
{
    (void)state;
    struct lost *l = calloc(1, sizeof *l);
    struct dz_watchdog_sample sample = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, lose_oneself, l), 0);
    while (!atomic_load(&l->looping))
        sched_yield();
    struct dz_vm *vm = machine_vm(l->m, 1);
    struct dz_pid looper = dz_names_whereis(&l->m->rt.names, "looper", 6);
    dz_interrupt_give_up(vm);
    assert_true(dz_interrupt_is_lost(&vm->interrupt));
    for (int i = 0; i < 1000000 && !sample.parked; i++) {
        dz_interrupt_sample(vm, false, &sample);
        sched_yield();
    }
    assert_true(sample.parked);
    assert_true(dz_pid_eq(dz_interrupt_take(vm), looper));
    assert_int_equal(atomic_load(&vm->interrupt.state), DZ_INTERRUPT_PARKED);
    pthread_detach(thread); /* as it is meant: stack and heap stay where they are */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_that_is_to_end_ends_with_runaway_whatever_it_catches),
        cmocka_unit_test(a_turn_that_is_to_report_says_where_it_is_and_goes_on),
        cmocka_unit_test(a_turn_that_said_nothing_is_told_without_a_traceback),
        cmocka_unit_test(an_interruption_meant_for_another_turn_does_nothing),
        cmocka_unit_test(an_armed_hook_without_a_reason_is_disarmed),
        cmocka_unit_test(a_state_knows_its_thread_and_signal),
        cmocka_unit_test(a_thread_that_is_given_up_stands_still_and_its_process_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
