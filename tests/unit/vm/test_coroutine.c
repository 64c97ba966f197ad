/* test_coroutine.c - the pool: an idle process has no coroutine, a waiting one has its own, and a bounded
 * number stays. */
#include "machine.h"
#include "vm/state.h"

static uint32_t coroutines(struct dz_vm *vm)
{
    uint32_t n = 0;
    dz_list_each_safe(&vm->cos, it)
    {
        n++;
    }
    return n;
}

static void idle_processes_own_no_coroutine(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    machine_run(m, "local b = { init = function() return {} end } for i = 1, 500 do dozor.spawn(b) end");
    assert_true(coroutines(vm) <= 4);
    assert_int_equal(coroutines(vm), vm->pooled);
    machine_delete(m);
}

static void a_waiting_process_has_its_own_and_64_stay_when_they_are_done(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    machine_run(m, "for i = 1, 200 do dozor.spawn(function() dozor.receive() end, nil, { name = 'p' .. i }) "
                   "end dozor.sleep(1)");
    assert_true(coroutines(vm) >= 200);
    machine_run(m, "for i = 1, 200 do dozor.send('p' .. i, 1) end dozor.sleep(1) eq(dozor.registered(), {})");
    assert_int_equal(vm->pooled, DZ_VM_POOL);
    assert_int_equal(coroutines(vm), DZ_VM_POOL);
    machine_delete(m);
}

static void one_that_raised_or_was_left_in_a_wait_is_never_used_again(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    machine_run(
        m, "for i = 1, 50 do dozor.spawn(function() error('x') end) end\n"
           "for i = 1, 50 do dozor.kill(dozor.spawn(function() dozor.receive() end)) end dozor.sleep(1)");
    assert_true(coroutines(vm) <= 4);
    assert_int_equal(coroutines(vm), vm->pooled);
    machine_delete(m);
}

static void what_is_put_back_is_taken_next_and_holds_nothing(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    struct dz_proc p = {.kind = &dz_vm_kind};
    struct dz_co *co = dz_co_get(vm, &p);
    assert_non_null(co);
    assert_ptr_equal(p.kind_data, co);
    co->held = dz_msg_new_copy(DZ_MSG_SEND, (const uint8_t *)"\xc0", 1);
    co->msg = dz_msg_new_copy(DZ_MSG_CAST, (const uint8_t *)"\xc0", 1);
    co->phase = DZ_PHASE_CAST;
    co->refused = true;
    co->proc = NULL;
    dz_co_put(vm, co);
    assert_null(co->held);
    assert_null(co->msg);
    assert_false(co->refused);
    assert_int_equal(co->phase, DZ_PHASE_NONE);
    assert_ptr_equal(dz_co_get(vm, &p), co);
    dz_co_drop(vm, co);
    assert_null(p.kind_data);
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_processes_own_no_coroutine),
        cmocka_unit_test(a_waiting_process_has_its_own_and_64_stay_when_they_are_done),
        cmocka_unit_test(one_that_raised_or_was_left_in_a_wait_is_never_used_again),
        cmocka_unit_test(what_is_put_back_is_taken_next_and_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
