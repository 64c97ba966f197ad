/* test_ending.c - how a process ends, who hears of it, and what is said of one that has ended. */
#include "rig.h"

static void the_first_reason_stands(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    rig_enter(a);
    dz_process_doom(&rig.threads[1], &a->proc, rig.rt.reasons[DZ_REASON_SUPERSEDED], 0);
    dz_process_doom(&rig.threads[1], &a->proc, rig.rt.reasons[DZ_REASON_RUNAWAY], 0);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "a terminate superseded;a gone;");
    assert_int_equal(rig.crashes, 1);
    rig_fini(&rig);
}

static void down_checks_the_name(struct dz_thread *t, struct actor *a, struct dz_msg *m)
{
    if (m->kind == DZ_MSG_DOWN) {
        struct dz_pid owner;
        assert_int_equal(dz_names_register(&t->rt->names, &t->rt->table, "db", 2, a->proc.pid, &owner), 0);
        assert_null(dz_table_find(&t->rt->table, m->from));
    }
    rig_message(t, a, m);
}

static void a_name_is_free_before_anyone_sees_the_end(void **state)
{
    (void)state;
    struct rig rig;
    static const struct actor_role role = {.message = down_checks_the_name, .gone = rig_gone};
    uint64_t ref;
    rig_init(&rig);
    struct actor *a = rig_actor_as(&rig, 1, 'a', &role), *b = rig_actor(&rig, 1, 'b');
    assert_int_equal(dz_names_register(&rig.rt.names, &rig.rt.table, "db", 2, b->proc.pid, NULL), 0);
    rig_enter(a);
    dz_bond_monitor(&rig.threads[1], &a->proc, b->proc.pid, &ref);
    rig_leave(&rig, 1, a);
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, b->proc.pid, 0);
    rig_expect(&rig, "b gone;a down killed;");
    assert_true(dz_pid_eq(dz_names_whereis(&rig.rt.names, "db", 2), a->proc.pid));
    rig_fini(&rig);
}

/* A question of this kind to the actor: what it is owed, or what waits. */
static void question(struct rig *rig, struct actor *to, enum dz_msg_kind kind, struct dz_pid from,
                     uint64_t ref)
{
    struct dz_msg *m = actor_msg(kind, from, to->proc.pid, ref, -1);
    dz_process_owe(&to->proc, m);
    (void)rig;
}

/* The answer `a` waits for. */
static void await(struct rig *rig, struct actor *a, uint64_t ref)
{
    rig_enter(a);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_REPLY, .ref = ref};
    dz_process_wait(&rig->threads[1], &a->proc, &a->wait, DZ_INFINITY);
    dz_process_rest(&rig->threads[1], &a->proc);
}

static void everyone_who_asked_gets_the_answer_of_its_kind(void **state)
{
    (void)state;
    static const enum dz_msg_kind kinds[] = {DZ_MSG_CALL, DZ_MSG_REQUEST, DZ_MSG_SPAWN, DZ_MSG_STOP};
    static const char *const answers[] = {"b gone;a failed call_failed;", "b gone;a failed call_failed;",
                                          "b gone;a failed init_failed;", "b gone;a reply nil;"};
    for (int i = 0; i < 4; i++) {
        struct rig rig;
        rig_init(&rig);
        struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
        await(&rig, a, 77);
        question(&rig, b, kinds[i], a->proc.pid, 77);
        rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, b->proc.pid, 0);
        rig_expect(&rig, answers[i]);
        rig_fini(&rig);
    }
}

static void a_failed_answer_carries_the_reason(void **state)
{
    (void)state;
    struct rig rig;
    struct dz_read reason;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    await(&rig, a, 77);
    question(&rig, b, DZ_MSG_CALL, a->proc.pid, 77);
    rig_enter(b);
    dz_process_doom(&rig.threads[2], &b->proc, rig.rt.reasons[DZ_REASON_RUNAWAY], DZ_PROC_NO_TERMINATE);
    dz_process_finish(&rig.threads[2], &b->proc);
    rig_drain(&rig, 1);
    assert_non_null(a->wait.reply);
    assert_true(a->wait.reply->flags & DZ_MSG_FAILED);
    assert_true(dz_read_find(a->wait.reply->data, a->wait.reply->len, "reason", &reason));
    const struct dz_blob *runaway = rig.rt.reasons[DZ_REASON_RUNAWAY];
    assert_memory_equal(reason.at, runaway->data, runaway->len);
    rig_turn(&rig);
    rig_expect(&rig, "b gone;a failed call_failed;");
    rig_fini(&rig);
}

static void who_is_told_of_the_dead_depends_on_what_was_sent(void **state)
{
    (void)state;
    struct rig rig;
    static const struct {
        enum dz_msg_kind kind;
        const char *heard;
    } cases[] = {
        {DZ_MSG_CALL, "a failed noproc;"},
        {DZ_MSG_REQUEST, "a failed noproc;"},
        {DZ_MSG_STOP, "a reply nil;"},
        {DZ_MSG_GET_INFO, "a reply nil;"},
        {DZ_MSG_CAST, ""},
        {DZ_MSG_SEND, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_init(&rig);
        struct actor *a = rig_actor(&rig, 1, 'a');
        await(&rig, a, 9);
        struct dz_msg *m = actor_msg(cases[i].kind, a->proc.pid, (struct dz_pid){0, 4000, 1}, 9, 1);
        dz_process_bounce(&rig.threads[1], m);
        rig_turn(&rig);
        rig_expect(&rig, cases[i].heard);
        rig_fini(&rig);
    }
}

static int gone_how;

static void note_how(struct dz_thread *t, struct actor *a)
{
    (void)t;
    gone_how = a->proc.exit_how;
}

static const struct actor_role how_role = {.message = rig_message, .gone = note_how};

static void a_superseded_end_is_told_from_a_crash(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    rig_enter(a);
    dz_process_doom(&rig.threads[1], &a->proc, rig.rt.reasons[DZ_REASON_SUPERSEDED], DZ_PROC_NO_TERMINATE);
    a->role = &how_role;
    rig_leave(&rig, 1, a);
    assert_int_equal(gone_how, DZ_EXIT_SUPERSEDED);
    a = rig_actor(&rig, 1, 'a');
    a->role = &how_role;
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, a->proc.pid, 0);
    assert_int_equal(gone_how, DZ_EXIT_BY_ITSELF);
    rig_fini(&rig);
}

static void a_process_that_is_ending_is_shown_as_stopping(void **state)
{
    (void)state;
    struct rig rig;
    const char *s;
    size_t len;
    struct dz_buf buf;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    rig_enter(a);
    dz_process_doom(&rig.threads[1], &a->proc, rig.rt.reasons[DZ_REASON_SHUTDOWN], 0);
    dz_buf_init(&buf);
    assert_int_equal(dz_process_info(&rig.threads[1], &a->proc, &buf), 0);
    assert_true(dz_read_find_string(buf.data, buf.len, "status", &s, &len));
    assert_memory_equal(s, "stopping", len);
    dz_buf_fini(&buf);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "a terminate shutdown;a gone;");
    rig_fini(&rig);
}

static void a_refused_start_frees_its_slot_and_answers(void **state)
{
    (void)state;
    struct rig rig;
    struct dz_slot *slot;
    struct dz_pid pid;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    assert_int_equal(dz_table_reserve(&rig.rt.table, 1, false, 0, &slot, &pid), 0);
    assert_int_equal(dz_names_register(&rig.rt.names, &rig.rt.table, "n", 1, pid, NULL), 0);
    await(&rig, a, 5);
    struct dz_msg *spawn = actor_msg(DZ_MSG_SPAWN, a->proc.pid, pid, 5, 1);
    dz_process_refuse(&rig.threads[1], slot, spawn, (const uint8_t *)"\xa2no", 3);
    rig_turn(&rig);
    rig_expect(&rig, "a failed no;");
    assert_null(dz_table_find(&rig.rt.table, pid));
    assert_true(dz_pid_is_none(dz_names_whereis(&rig.rt.names, "n", 1)));
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_reason_stands),
        cmocka_unit_test(a_name_is_free_before_anyone_sees_the_end),
        cmocka_unit_test(everyone_who_asked_gets_the_answer_of_its_kind),
        cmocka_unit_test(a_failed_answer_carries_the_reason),
        cmocka_unit_test(who_is_told_of_the_dead_depends_on_what_was_sent),
        cmocka_unit_test(a_superseded_end_is_told_from_a_crash),
        cmocka_unit_test(a_process_that_is_ending_is_shown_as_stopping),
        cmocka_unit_test(a_refused_start_frees_its_slot_and_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
