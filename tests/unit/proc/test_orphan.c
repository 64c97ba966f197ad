/* test_orphan.c - processes whose supervisor is gone: terminate runs, and nobody waits for it for ever. */
#include "rig.h"
#include "proc/orphan.h"

static void sleep_in_terminate(struct dz_thread *t, struct actor *a)
{
    rig_terminate(t, a);
    actor_sleep(t, a, DZ_INFINITY);
}

static void an_orphan_whose_terminate_does_not_return_is_killed_in_the_end(void **state)
{
    (void)state;
    struct rig rig;
    struct actor_role stubborn = rig_role;
    stubborn.terminate = sleep_in_terminate;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 1, 'b'), *c = rig_actor(&rig, 1, 'c');
    a->role = b->role = &stubborn;
    dz_send_signal(&rig.threads[2], DZ_MSG_PARENT_EXIT, DZ_PID_NONE, a->proc.pid, 0,
                   rig.rt.reasons[DZ_REASON_KILLED]);
    dz_send_signal(&rig.threads[2], DZ_MSG_PARENT_EXIT, DZ_PID_NONE, c->proc.pid, 0,
                   rig.rt.reasons[DZ_REASON_KILLED]);
    rig_turn(&rig);
    rig_pass_ms(&rig, 1000);
    dz_send_signal(&rig.threads[2], DZ_MSG_PARENT_EXIT, DZ_PID_NONE, b->proc.pid, 0,
                   rig.rt.reasons[DZ_REASON_KILLED]);
    rig_turn(&rig);
    rig_pass_ms(&rig, 3999);
    rig_expect(&rig, "a terminate killed;c terminate killed;c gone;b terminate killed;");
    rig_pass_ms(&rig, 1);
    rig_expect(&rig, "a gone;");
    rig_pass_ms(&rig, 1000);
    rig_expect(&rig, "b gone;");
    rig_fini(&rig);
}

static void an_orphan_has_the_time_its_supervisor_would_have_given_it(void **state)
{
    (void)state;
    struct rig rig;
    struct actor_role stubborn = rig_role;
    static const uint64_t allowed_ms[] = {9000, 100, DZ_INFINITY};
    struct actor *actors[3];
    stubborn.terminate = sleep_in_terminate;
    rig_init(&rig);
    for (int i = 0; i < 3; i++) {
        actors[i] = rig_actor(&rig, 1, (char)('a' + i));
        actors[i]->role = &stubborn;
        dz_send_signal(&rig.threads[2], DZ_MSG_PARENT_EXIT, DZ_PID_NONE, actors[i]->proc.pid, allowed_ms[i],
                       rig.rt.reasons[DZ_REASON_KILLED]);
    }
    rig_turn(&rig);
    rig_pass_ms(&rig, 99);
    rig_expect(&rig, "a terminate killed;b terminate killed;c terminate killed;");
    rig_pass_ms(&rig, 1);
    rig_expect(&rig, "b gone;");
    rig_pass_ms(&rig, 8899);
    rig_expect(&rig, "");
    rig_pass_ms(&rig, 1);
    rig_expect(&rig, "a gone;");
    rig_pass_ms(&rig, 100000);
    rig_expect(&rig, "");
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, actors[2]->proc.pid, 0);
    rig_expect(&rig, "c gone;");
    rig_fini(&rig);
}

static void orphan(struct rig *rig, const struct actor *a)
{
    dz_send_signal(&rig->threads[2], DZ_MSG_PARENT_EXIT, DZ_PID_NONE, a->proc.pid, 0,
                   rig->rt.reasons[DZ_REASON_NOCONNECTION]);
    rig_turn(rig);
}

static void one_that_ends_in_time_is_not_killed_and_its_record_goes(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    orphan(&rig, a);
    rig_expect(&rig, "a terminate noconnection;a gone;");
    assert_true(dz_list_empty(&rig.threads[1].orphans));
    assert_int_equal(dz_timers_next(&rig.threads[1]), DZ_INFINITY);
    rig_pass_ms(&rig, 2 * DZ_ORPHAN_MS);
    rig_expect(&rig, "");
    rig_fini(&rig);
}

static void told_twice_it_has_one_record_and_its_first_reason(void **state)
{
    (void)state;
    struct rig rig;
    struct actor_role stubborn = rig_role;
    stubborn.terminate = sleep_in_terminate;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    a->role = &stubborn;
    orphan(&rig, a);
    rig_pass_ms(&rig, DZ_ORPHAN_MS - 1);
    dz_orphan_end(&rig.threads[1], &a->proc, rig.rt.reasons[DZ_REASON_KILLED], 0);
    rig_pass_ms(&rig, 1);
    rig_expect(&rig, "a terminate noconnection;a gone;");
    rig_fini(&rig);
}

static void one_that_was_killed_meanwhile_leaves_no_record(void **state)
{
    (void)state;
    struct rig rig;
    struct actor_role stubborn = rig_role;
    stubborn.terminate = sleep_in_terminate;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 1, 'b');
    a->role = b->role = &stubborn;
    orphan(&rig, a);
    orphan(&rig, b);
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, a->proc.pid, 0);
    rig_expect(&rig, "a terminate noconnection;b terminate noconnection;a gone;");
    assert_false(dz_list_empty(&rig.threads[1].orphans));
    rig_pass_ms(&rig, DZ_ORPHAN_MS);
    rig_expect(&rig, "b gone;");
    assert_true(dz_list_empty(&rig.threads[1].orphans));
    rig_fini(&rig);
}

static void one_that_has_not_started_ends_without_a_record(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    a->proc.flags &= (uint16_t)~DZ_PROC_STARTED;
    orphan(&rig, a);
    assert_true(dz_list_empty(&rig.threads[1].orphans));
    assert_int_equal(atomic_load(&rig.rt.table.count), 0);
    rig_fini(&rig);
}

static void a_thread_that_goes_forgets_them(void **state)
{
    (void)state;
    struct rig rig;
    struct actor_role stubborn = rig_role;
    stubborn.terminate = sleep_in_terminate;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    a->role = &stubborn;
    dz_orphan_drop_all(&rig.threads[1]); /* none: nothing happens */
    orphan(&rig, a);
    dz_orphan_drop_all(&rig.threads[1]);
    assert_true(dz_list_empty(&rig.threads[1].orphans));
    rig_pass_ms(&rig, 2 * DZ_ORPHAN_MS);
    rig_expect(&rig, "a terminate noconnection;");
    a->proc.flags &= (uint16_t)~DZ_PROC_ORPHAN;
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_orphan_whose_terminate_does_not_return_is_killed_in_the_end),
        cmocka_unit_test(an_orphan_has_the_time_its_supervisor_would_have_given_it),
        cmocka_unit_test(one_that_ends_in_time_is_not_killed_and_its_record_goes),
        cmocka_unit_test(told_twice_it_has_one_record_and_its_first_reason),
        cmocka_unit_test(one_that_was_killed_meanwhile_leaves_no_record),
        cmocka_unit_test(one_that_has_not_started_ends_without_a_record),
        cmocka_unit_test(a_thread_that_goes_forgets_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
