#include "proc/send.h"

#include "rig.h"

static void on_the_same_thread_a_message_is_there_when_send_returns(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    assert_int_equal(actor_send(&rig.threads[1], DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 1), 0);
    assert_non_null(dz_mailbox_peek(&a->proc.mail));
    assert_int_equal(a->proc.state, DZ_PROC_READY);
    rig_fini(&rig);
}

static void from_another_thread_or_a_native_it_takes_the_way_through_the_inbox(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    actor_send(&rig.threads[2], DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 1);
    rig.threads[1].in_native = true;
    actor_send(&rig.threads[1], DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 2);
    rig.threads[1].in_native = false;
    assert_null(dz_mailbox_peek(&a->proc.mail));
    assert_int_equal(dz_table_messages(a->proc.slot), 2); /* the room is taken already */
    rig_turn(&rig);
    rig_expect(&rig, "a cast 1;a cast 2;");
    rig_fini(&rig);
}

static void a_full_mailbox_refuses_casts_but_takes_signals(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    struct dz_thread *t = &rig.threads[2];
    dz_table_set_limits(a->proc.slot, 2, 0);
    assert_int_equal(actor_send(t, DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 1), 0);
    assert_int_equal(actor_send(t, DZ_MSG_SEND, DZ_PID_NONE, a->proc.pid, 0, 2), 0);
    assert_int_equal(actor_send(t, DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 3), DZ_EOVERLOADED);
    assert_int_equal(actor_send(t, DZ_MSG_SEND, DZ_PID_NONE, a->proc.pid, 0, 4), DZ_EOVERLOADED);
    assert_int_equal(actor_send(t, DZ_MSG_CALL, DZ_PID_NONE, a->proc.pid, 9, 5), DZ_EOVERLOADED);
    assert_int_equal(atomic_load(&a->proc.slot->dropped), 2); /* the call was told, the others dropped */
    assert_int_equal(rig.overflows, 3);
    assert_int_equal(actor_send(t, DZ_MSG_INFO, DZ_PID_NONE, a->proc.pid, 0, 6), 0);
    dz_send_signal(t, DZ_MSG_STOP, DZ_PID_NONE, a->proc.pid, 0, rig.rt.reasons[DZ_REASON_SHUTDOWN]);
    rig_turn(&rig);
    rig_expect(&rig, "a cast 1;a send 2;a info 6;a stop shutdown;a terminate shutdown;a gone;");
    rig_fini(&rig);
}

static void a_mailbox_that_was_read_takes_messages_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    dz_table_set_limits(a->proc.slot, 1, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(actor_send(&rig.threads[1], DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, i), 0);
        rig_turn(&rig);
    }
    rig_expect(&rig, "a cast 0;a cast 1;a cast 2;");
    rig_fini(&rig);
}

static void questions_to_the_dead_are_answered_and_the_rest_vanishes(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    struct dz_pid dead = {0, 1000, 1};
    assert_int_equal(actor_send(&rig.threads[1], DZ_MSG_CAST, a->proc.pid, dead, 0, 1), 0);
    assert_int_equal(actor_send(&rig.threads[1], DZ_MSG_SEND, a->proc.pid, dead, 0, 1), 0);
    rig_enter(a);
    actor_call(&rig.threads[1], a, dead, 1, DZ_INFINITY);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "a failed noproc;");
    static const enum dz_msg_kind silent[] = {
        DZ_MSG_KILL, DZ_MSG_UNLINK, DZ_MSG_DEMONITOR, DZ_MSG_ANSWERED,    DZ_MSG_REPLY,     DZ_MSG_DOWN,
        DZ_MSG_EXIT, DZ_MSG_INFO,   DZ_MSG_NOTICE,    DZ_MSG_PARENT_EXIT, DZ_MSG_CHILD_EXIT};
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
        rig_signal(&rig, silent[i], a->proc.pid, dead, 3);
    rig_expect(&rig, "");
    rig_fini(&rig);
}

static void a_message_that_meets_the_end_on_its_way_is_bounced(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    struct dz_pid pid = b->proc.pid;
    rig_enter(a);
    actor_call(&rig.threads[1], a, pid, 1, DZ_INFINITY); /* in the inbox of thread 2 */
    rig_enter(b);
    dz_process_doom(&rig.threads[2], &b->proc, rig.rt.reasons[DZ_REASON_NORMAL], 0);
    dz_process_finish(&rig.threads[2], &b->proc);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "b gone;a failed noproc;");
    rig_fini(&rig);
}

static void no_made_up_pid_hurts(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    uint64_t seed = 7;
    for (int i = 0; i < 2000; i++) {
        struct dz_pid pid = {0, 1 + (uint32_t)check_random(&seed) % 3000, (uint32_t)check_random(&seed) % 4};
        if (!dz_pid_eq(pid, a->proc.pid))
            actor_send(&rig.threads[i % 3], (enum dz_msg_kind)(DZ_MSG_SEND + i % 3), DZ_PID_NONE, pid, 0, i);
    }
    rig_turn(&rig);
    rig_expect(&rig, "");
    rig_fini(&rig);
}

static void what_cannot_reach_its_node_fails_or_is_answered(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    struct dz_pid far = rig_far_pid(&rig);
    assert_int_equal(actor_send(&rig.threads[1], DZ_MSG_CAST, a->proc.pid, far, 0, 1), 0);
    rig_expect(&rig, "wire 2;");
    rig.wire_error = DZ_EOVERLOADED;
    assert_int_equal(actor_send(&rig.threads[1], DZ_MSG_CAST, a->proc.pid, far, 0, 1), DZ_EOVERLOADED);
    rig.wire_error = DZ_ENOCONNECTION;
    assert_int_equal(actor_send(&rig.threads[1], DZ_MSG_CALL, a->proc.pid, far, 1, 1), DZ_ENOCONNECTION);
    rig.rt.ports.wire = NULL;
    assert_int_equal(actor_send(&rig.threads[1], DZ_MSG_SEND, a->proc.pid, far, 0, 1), DZ_ENOCONNECTION);
    rig_enter(a);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_REPLY, .ref = 77, .target = far};
    dz_process_wait(&rig.threads[1], &a->proc, &a->wait, DZ_INFINITY);
    dz_send_signal(&rig.threads[1], DZ_MSG_REQUEST, a->proc.pid, far, 77, NULL);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "a failed noconnection;");
    rig_fini(&rig);
}

static void errors_carry_code_and_message(void **state)
{
    (void)state;
    const char *s;
    size_t len;
    struct dz_msg *m = dz_send_make_error(DZ_PID_NONE, (struct dz_pid){0, 1, 1}, 5, DZ_ETIMEOUT, "too late");
    assert_non_null(m);
    assert_int_equal(m->kind, DZ_MSG_REPLY);
    assert_true(m->flags & DZ_MSG_FAILED);
    assert_int_equal(m->ref, 5);
    assert_int_equal(dz_term_check(m->data, m->len, 0), 0);
    assert_true(dz_read_find_string(m->data, m->len, "code", &s, &len));
    assert_memory_equal(s, "timeout", len);
    assert_true(dz_read_find_string(m->data, m->len, "message", &s, &len));
    assert_memory_equal(s, "too late", len);
    dz_msg_free(m);
    m = dz_send_make_error(DZ_PID_NONE, (struct dz_pid){0, 1, 1}, 5, DZ_ETIMEOUT, NULL);
    assert_true(dz_read_find_string(m->data, m->len, "message", &s, &len));
    assert_memory_equal(s, dz_err_text(DZ_ETIMEOUT), len);
    dz_msg_free(m);
}

static void answers_to_nobody_go_nowhere(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    assert_int_equal(dz_send_reply(&rig.threads[1], DZ_PID_NONE, DZ_PID_NONE, 1, NULL, 0), 0);
    dz_send_error(&rig.threads[1], DZ_PID_NONE, DZ_PID_NONE, 1, DZ_ENOPROC, NULL);
    dz_send_failure(&rig.threads[1], DZ_PID_NONE, DZ_PID_NONE, 1, NULL, 0);
    dz_send_signal(&rig.threads[1], DZ_MSG_KILL, DZ_PID_NONE, DZ_PID_NONE, 1, NULL);
    dz_send_pid_reply(&rig.threads[1], DZ_PID_NONE, DZ_PID_NONE, 1, DZ_PID_NONE);
    rig_turn(&rig);
    rig_expect(&rig, "");
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_the_same_thread_a_message_is_there_when_send_returns),
        cmocka_unit_test(from_another_thread_or_a_native_it_takes_the_way_through_the_inbox),
        cmocka_unit_test(a_full_mailbox_refuses_casts_but_takes_signals),
        cmocka_unit_test(a_mailbox_that_was_read_takes_messages_again),
        cmocka_unit_test(questions_to_the_dead_are_answered_and_the_rest_vanishes),
        cmocka_unit_test(a_message_that_meets_the_end_on_its_way_is_bounced),
        cmocka_unit_test(no_made_up_pid_hurts),
        cmocka_unit_test(what_cannot_reach_its_node_fails_or_is_answered),
        cmocka_unit_test(errors_carry_code_and_message),
        cmocka_unit_test(answers_to_nobody_go_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
