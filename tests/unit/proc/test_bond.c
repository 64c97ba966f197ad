#include "proc/bond.h"

#include "rig.h"

static void link_two(struct rig *rig, struct actor *a, uint32_t thread, struct dz_pid other)
{
    rig_enter(a);
    assert_int_equal(dz_bond_link(&rig->threads[thread], &a->proc, other), 0);
    rig_leave(rig, thread, a);
}

static uint64_t monitor(struct rig *rig, struct actor *a, uint32_t thread, struct dz_pid other)
{
    uint64_t ref;
    rig_enter(a);
    assert_int_equal(dz_bond_monitor(&rig->threads[thread], &a->proc, other, &ref), 0);
    rig_leave(rig, thread, a);
    return ref;
}

static bool demonitor(struct rig *rig, struct actor *a, uint32_t thread, uint64_t ref)
{
    rig_enter(a);
    bool was = dz_bond_demonitor(&rig->threads[thread], &a->proc, ref);
    rig_leave(rig, thread, a);
    return was;
}

static void end(struct rig *rig, struct actor *a, uint32_t thread, const char *why)
{
    struct dz_blob *reason = dz_blob_new_string(why);
    rig_enter(a);
    dz_process_doom(&rig->threads[thread], &a->proc, reason, 0);
    dz_blob_unref(reason);
    rig_leave(rig, thread, a);
}

static void an_abnormal_end_takes_linked_processes_along(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b'), *c = rig_actor(&rig, 1, 'c');
    link_two(&rig, a, 1, b->proc.pid);
    link_two(&rig, b, 2, c->proc.pid);
    assert_int_equal(b->proc.bonds->links, 2);
    end(&rig, a, 1, "boom");
    rig_expect(&rig, "a terminate boom;a gone;b terminate boom;b gone;c terminate boom;c gone;");
    rig_fini(&rig);
}

static void a_normal_end_only_unlinks(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    link_two(&rig, a, 1, b->proc.pid);
    end(&rig, a, 1, "normal");
    rig_expect(&rig, "a terminate normal;a gone;");
    assert_null(b->proc.bonds);
    assert_int_equal(b->proc.state, DZ_PROC_IDLE);
    rig_fini(&rig);
}

static void one_that_traps_hears_of_it_normal_or_not(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b'), *c = rig_actor(&rig, 2, 'c');
    c->proc.flags |= DZ_PROC_TRAPS;
    link_two(&rig, c, 2, a->proc.pid);
    link_two(&rig, c, 2, b->proc.pid);
    end(&rig, a, 1, "boom");
    end(&rig, b, 2, "normal");
    rig_expect(&rig, "a terminate boom;a gone;c exit boom;b terminate normal;b gone;c exit normal;");
    rig_fini(&rig);
}

static void linking_twice_makes_one_link(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    link_two(&rig, a, 1, b->proc.pid);
    link_two(&rig, a, 1, b->proc.pid);
    link_two(&rig, b, 2, a->proc.pid);
    link_two(&rig, a, 1, a->proc.pid); /* to oneself: nothing */
    assert_int_equal(a->proc.bonds->links, 1);
    assert_int_equal(b->proc.bonds->links, 1);
    rig_fini(&rig);
}

static void an_unlinked_process_goes_on(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    link_two(&rig, a, 1, b->proc.pid);
    rig_enter(a);
    dz_bond_unlink(&rig.threads[1], &a->proc, b->proc.pid);
    dz_bond_unlink(&rig.threads[1], &a->proc, b->proc.pid);
    rig_leave(&rig, 1, a);
    assert_null(a->proc.bonds);
    assert_null(b->proc.bonds);
    end(&rig, a, 1, "boom");
    rig_expect(&rig, "a terminate boom;a gone;");
    rig_fini(&rig);
}

static void an_exit_on_its_way_loses_against_unlink(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    struct dz_pid gone = a->proc.pid;
    link_two(&rig, a, 1, b->proc.pid);
    rig_enter(a);
    dz_process_doom(&rig.threads[1], &a->proc, rig.rt.reasons[DZ_REASON_RUNAWAY], DZ_PROC_NO_TERMINATE);
    dz_process_finish(&rig.threads[1], &a->proc); /* the EXIT waits in b's inbox */
    rig_enter(b);
    assert_non_null(b->proc.bonds);
    dz_bond_unlink(&rig.threads[2], &b->proc, gone);
    rig_leave(&rig, 2, b);
    rig_expect(&rig, "a gone;");
    rig_fini(&rig);
}

static void a_link_to_one_who_is_gone_breaks_with_noproc(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    struct dz_pid gone = b->proc.pid;
    end(&rig, b, 2, "normal");
    rig_expect(&rig, "b terminate normal;b gone;");
    link_two(&rig, a, 1, gone);
    rig_expect(&rig, "a terminate noproc;a gone;");
    rig_fini(&rig);
}

static void a_monitor_fires_exactly_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    uint64_t ref = monitor(&rig, a, 1, b->proc.pid);
    assert_int_equal(a->proc.bonds->monitors, 1);
    assert_non_null(dz_bond_find_watch(&a->proc, ref));
    end(&rig, b, 2, "normal");
    rig_expect(&rig, "b terminate normal;b gone;a down normal;");
    assert_null(a->proc.bonds);
    assert_false(demonitor(&rig, a, 1, ref));
    rig_fini(&rig);
}

static void every_monitor_fires_on_its_own(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    uint64_t first = monitor(&rig, a, 1, b->proc.pid), second = monitor(&rig, a, 1, b->proc.pid);
    monitor(&rig, a, 1, b->proc.pid);
    assert_true(first != second);
    assert_true(demonitor(&rig, a, 1, second));
    end(&rig, b, 2, "boom");
    rig_expect(&rig, "b terminate boom;b gone;a down boom;a down boom;");
    rig_fini(&rig);
}

static void a_monitor_of_one_who_is_gone_fires_at_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    monitor(&rig, a, 1, (struct dz_pid){0, 1000, 1});
    rig_expect(&rig, "a down noproc;");
    assert_null(a->proc.bonds);
    rig_fini(&rig);
}

static void demonitor_silences_also_what_waits_already(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 1, 'b');
    uint64_t ref = monitor(&rig, a, 1, b->proc.pid);
    rig_enter(a);
    rig_enter(b);
    dz_process_doom(&rig.threads[1], &b->proc, rig.rt.reasons[DZ_REASON_NORMAL], 0);
    dz_process_finish(&rig.threads[1], &b->proc); /* the DOWN waits in a's mailbox */
    assert_non_null(dz_mailbox_peek(&a->proc.mail));
    dz_bond_demonitor(&rig.threads[1], &a->proc, ref);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "b gone;");
    rig_fini(&rig);
}

static void a_watcher_that_ends_leaves_no_record(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    monitor(&rig, a, 1, b->proc.pid);
    assert_non_null(b->proc.bonds);
    end(&rig, a, 1, "normal");
    assert_null(b->proc.bonds);
    rig_fini(&rig);
}

static void many_bonds_are_found_and_dropped_in_any_order(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t refs[500];
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    for (int i = 0; i < 500; i++)
        refs[i] = monitor(&rig, a, 1, b->proc.pid);
    link_two(&rig, a, 1, b->proc.pid);
    assert_int_equal(b->proc.bonds->count, 501);
    for (int i = 0; i < 500; i++)
        assert_int_equal(dz_bond_find_watch(&a->proc, refs[i])->ref, refs[i]);
    for (int i = 0; i < 500; i++)
        assert_true(demonitor(&rig, a, 1, refs[i * 7 % 500]));
    assert_int_equal(a->proc.bonds->count, 1);
    assert_int_equal(b->proc.bonds->count, 1);
    assert_non_null(dz_bond_find(&b->proc, DZ_BOND_LINK, a->proc.pid, 0));
    rig_fini(&rig);
}

static void the_supervisor_hears_how_its_child_ended(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    b->proc.parent = a->proc.pid;
    end(&rig, b, 2, "boom");
    rig_expect(&rig, "b terminate boom;b gone;a child_exit boom;");
    rig_fini(&rig);
}

/* --- another node --- */

static void the_loss_of_a_node_breaks_every_bond_with_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 1, 'b'), *c = rig_actor(&rig, 1, 'c');
    struct actor *child = rig_actor(&rig, 1, 'd');
    struct dz_pid far = rig_far_pid(&rig);
    a->proc.flags |= DZ_PROC_TRAPS;
    link_two(&rig, a, 1, far);
    monitor(&rig, a, 1, far);
    link_two(&rig, b, 1, far);
    link_two(&rig, c, 1, a->proc.pid); /* has nothing to do with it */
    child->proc.parent = far;
    assert_int_equal(dz_bond_add(&rig.threads[1], &child->proc, DZ_BOND_PARENT, far, 0, NULL), 0);
    rig.len = 0;
    struct dz_msg *m = dz_msg_new(DZ_MSG_NODE_LOST, 0);
    m->ref = rig.far;
    rig.wire_error = DZ_ENOCONNECTION;
    rig_post(&rig, &rig.threads[0], 1, m);
    rig_turn(&rig);
    rig_expect(&rig, "a exit noconnection;a down noconnection;b terminate noconnection;b gone;"
                     "d terminate noconnection;d gone;");
    assert_true(dz_list_empty(&rig.threads[1].far));
    assert_int_equal(a->proc.bonds->links, 1);
    rig_fini(&rig);
}

static void a_bond_with_an_unreachable_node_breaks_at_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.wire_error = DZ_ENOCONNECTION;
    struct actor *a = rig_actor(&rig, 1, 'a');
    monitor(&rig, a, 1, rig_far_pid(&rig));
    rig_expect(&rig, "a down noconnection;");
    link_two(&rig, a, 1, rig_far_pid(&rig));
    rig_expect(&rig, "a terminate noconnection;a gone;");
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_abnormal_end_takes_linked_processes_along),
        cmocka_unit_test(a_normal_end_only_unlinks),
        cmocka_unit_test(one_that_traps_hears_of_it_normal_or_not),
        cmocka_unit_test(linking_twice_makes_one_link),
        cmocka_unit_test(an_unlinked_process_goes_on),
        cmocka_unit_test(an_exit_on_its_way_loses_against_unlink),
        cmocka_unit_test(a_link_to_one_who_is_gone_breaks_with_noproc),
        cmocka_unit_test(a_monitor_fires_exactly_once),
        cmocka_unit_test(every_monitor_fires_on_its_own),
        cmocka_unit_test(a_monitor_of_one_who_is_gone_fires_at_once),
        cmocka_unit_test(demonitor_silences_also_what_waits_already),
        cmocka_unit_test(a_watcher_that_ends_leaves_no_record),
        cmocka_unit_test(many_bonds_are_found_and_dropped_in_any_order),
        cmocka_unit_test(the_supervisor_hears_how_its_child_ended),
        cmocka_unit_test(the_loss_of_a_node_breaks_every_bond_with_it),
        cmocka_unit_test(a_bond_with_an_unreachable_node_breaks_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
