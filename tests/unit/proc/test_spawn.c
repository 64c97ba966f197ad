#include "proc/spawn.h"

#include "rig.h"

static struct dz_str str(const char *s)
{
    return (struct dz_str){s, strlen(s)};
}

static void assert_str(struct dz_str s, const char *text)
{
    assert_non_null(s.s);
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.s, text, s.len);
}

static const uint8_t args[] = {0x92, 1, 2}; /* {1, 2} */

static struct dz_spawn sample(struct rig *rig)
{
    return (struct dz_spawn){.what = DZ_SPAWN_BEHAVIOR,
                             .flags = DZ_SPAWN_LINK | DZ_SPAWN_NO_JIT,
                             .name = str("counter"),
                             .args = args,
                             .args_len = sizeof args,
                             .local_name = str("db"),
                             .global_name = str("everywhere"),
                             .monitor_ref = 99,
                             .max_messages = 7,
                             .max_bytes = 1ull << 40,
                             .timeout_ms = DZ_INFINITY,
                             .parent = rig_far_pid(rig),
                             .child_id = str("c1"),
                             .path = str("root/c1"),
                             .epoch = {"\0\0\0\0\0\0\0\1", 8},
                             .hash = {"\xff\0\1", 3}};
}

static void assert_is_sample(struct rig *rig, const struct dz_msg *m)
{
    struct dz_spawn in = sample(rig), out;
    assert_int_equal(m->kind, DZ_MSG_SPAWN);
    assert_int_equal(m->code, in.flags);
    assert_int_equal(dz_spawn_unpack(&rig->rt.nodes, m, &out), 0);
    assert_int_equal(out.what, in.what);
    assert_int_equal(out.flags, in.flags);
    assert_str(out.name, "counter");
    assert_null(out.function);
    assert_null(out.spec);
    assert_int_equal(out.args_len, sizeof args);
    assert_memory_equal(out.args, args, sizeof args);
    assert_str(out.local_name, "db");
    assert_str(out.global_name, "everywhere");
    assert_true(out.monitor_ref == 99 && out.max_messages == 7 && out.max_bytes == 1ull << 40);
    assert_true(out.timeout_ms == DZ_INFINITY);
    assert_true(dz_pid_eq(out.parent, in.parent));
    assert_str(out.child_id, "c1");
    assert_str(out.path, "root/c1");
    assert_int_equal(out.epoch.len, 8);
    assert_int_equal(out.epoch.s[7], 1);
    assert_int_equal(out.hash.len, 3);
}

static void what_is_packed_comes_out_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct dz_spawn in = sample(&rig);
    struct dz_msg *m = dz_spawn_pack(&rig.rt.nodes, &in);
    assert_non_null(m);
    assert_int_equal(dz_term_check(m->data, m->len, 0), 0);
    assert_null(dz_spawn_held(m));
    assert_is_sample(&rig, m);
    dz_msg_free(m);
    rig_fini(&rig);
}

/* The fields' bytes are the message's: what they were copied from may go. */
static void what_is_held_for_this_host_comes_out_again(void **state)
{
    (void)state;
    struct rig rig;
    char name[] = "counter";
    rig_init(&rig);
    struct dz_spawn in = sample(&rig);
    in.name = str(name);
    struct dz_msg *m = dz_spawn_hold(&in);
    assert_non_null(m);
    memset(name, 'x', sizeof name);
    memset(&in, 0xff, sizeof in);
    assert_non_null(dz_spawn_held(m));
    assert_is_sample(&rig, m);
    dz_msg_free(m);
    rig_fini(&rig);
}

static void what_is_absent_stays_absent(void **state)
{
    (void)state;
    struct rig rig;
    static const uint8_t nil = 0xc0;
    struct dz_spawn in = {.what = DZ_SPAWN_FUNCTION, .args = &nil, .args_len = 1}, out;
    rig_init(&rig);
    struct dz_msg *forms[] = {dz_spawn_pack(&rig.rt.nodes, &in), dz_spawn_hold(&in)};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(dz_spawn_unpack(&rig.rt.nodes, forms[i], &out), 0);
        assert_true(!out.name.s && !out.local_name.s && !out.global_name.s && !out.child_id.s && !out.path.s);
        assert_true(!out.epoch.s && !out.hash.s && !out.args && !out.function && !out.spec);
        assert_true(dz_pid_is_none(out.parent));
        dz_msg_free(forms[i]);
    }
    rig_fini(&rig);
}

/* Every prefix, and every byte changed to every other: an error or a harmless result, never a read beyond the
 * bytes. */
static void hostile_bytes_are_refused_or_harmless(void **state)
{
    (void)state;
    struct rig rig;
    struct dz_spawn out;
    rig_init(&rig);
    struct dz_spawn in = sample(&rig);
    struct dz_msg *m = dz_spawn_pack(&rig.rt.nodes, &in);
    for (uint32_t len = 0; len + 1 < m->len; len++) {
        struct dz_msg *cut = dz_msg_new_copy(DZ_MSG_SPAWN, m->data, len);
        assert_int_equal(dz_spawn_unpack(&rig.rt.nodes, cut, &out), DZ_EFORMAT);
        dz_msg_free(cut);
    }
    for (uint32_t at = 0; at < m->len; at++) {
        struct dz_msg *bent = dz_msg_new_copy(DZ_MSG_SPAWN, m->data, m->len);
        for (int byte = 0; byte < 256; byte += 3) {
            bent->bytes[at] = (uint8_t)byte;
            int err = dz_spawn_unpack(&rig.rt.nodes, bent, &out);
            assert_true(err == 0 || err == DZ_EFORMAT);
            assert_true(err || out.what <= DZ_SPAWN_SUPERVISOR);
            const uint8_t *end = bent->data + bent->len;
            assert_true(err || !out.name.s || (const uint8_t *)out.name.s + out.name.len <= end);
            assert_true(err || !out.hash.s || (const uint8_t *)out.hash.s + out.hash.len <= end);
            assert_true(err || !out.args || out.args + out.args_len <= end);
        }
        dz_msg_free(bent);
    }
    dz_msg_free(m);
    rig_fini(&rig);
}

static void random_bytes_are_refused(void **state)
{
    (void)state;
    struct rig rig;
    struct dz_spawn out;
    uint64_t seed = 3;
    rig_init(&rig);
    for (int i = 0; i < 20000; i++) {
        struct dz_msg *m = dz_msg_new(DZ_MSG_SPAWN, check_random(&seed) % 64);
        for (uint32_t k = 0; k < m->len; k++)
            m->bytes[k] = (uint8_t)check_random(&seed);
        assert_int_equal(dz_spawn_unpack(&rig.rt.nodes, m, &out), DZ_EFORMAT);
        dz_msg_free(m);
    }
    rig_fini(&rig);
}

/* --- starting --- */

/* `a` asks for a process on thread 2 and waits. */
static struct dz_pid start(struct rig *rig, struct actor *a, const struct dz_spawn *s)
{
    struct dz_pid pid;
    rig_enter(a);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_REPLY, .ref = dz_rt_next_ref(&rig->rt)};
    dz_process_wait(&rig->threads[1], &a->proc, &a->wait, DZ_INFINITY);
    struct dz_msg *m = dz_spawn_pack(&rig->rt.nodes, s);
    m->from = a->proc.pid;
    m->ref = a->wait.ref;
    assert_int_equal(dz_spawn_send(&rig->threads[1], 2, &m, &pid), 0);
    assert_null(m);
    return pid;
}

static void a_spawn_is_answered_with_the_pid_once_init_returned(void **state)
{
    (void)state;
    struct rig rig;
    char text[DZ_PID_TEXT_MAX], expected[DZ_PID_TEXT_MAX + 16];
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    struct dz_spawn s = {
        .what = DZ_SPAWN_BEHAVIOR, .name = str("x"), .local_name = str("db"), .max_messages = 2};
    struct dz_pid pid = start(&rig, a, &s);
    rig_leave(&rig, 1, a);
    dz_pid_format(&rig.rt.nodes, pid, text);
    snprintf(expected, sizeof expected, "a reply %s;", text);
    rig_expect(&rig, expected);
    struct dz_slot *slot = dz_table_find(&rig.rt.table, pid);
    assert_non_null(slot);
    assert_true(dz_pid_eq(dz_names_whereis(&rig.rt.names, "db", 2), pid));
    assert_true(slot->proc->flags & DZ_PROC_STARTED);
    assert_null(slot->proc->owed);
    assert_true(dz_table_take_room(slot, 1) && dz_table_take_room(slot, 1) && !dz_table_take_room(slot, 1));
    rig_fini(&rig);
}

static void messages_to_a_reserved_pid_wait_for_the_process(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .name = str("x")};
    struct dz_pid pid = start(&rig, a, &s);
    actor_send(&rig.threads[1], DZ_MSG_CAST, a->proc.pid, pid, 0, 4);
    rig_leave(&rig, 1, a);
    assert_non_null(strstr(rig.journal, "n cast 4;"));
    rig_fini(&rig);
}

static void a_refused_spawn_leaves_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.born = NULL;
    struct actor *a = rig_actor(&rig, 1, 'a');
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .name = str("x")};
    struct dz_pid pid = start(&rig, a, &s);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "a failed behavior_not_found;");
    assert_null(dz_table_find(&rig.rt.table, pid));
    assert_int_equal(atomic_load(&rig.rt.table.count), 1);
    rig_fini(&rig);
}

static void doom_in_init(struct dz_thread *t, struct actor *a)
{
    dz_process_doom(t, &a->proc, t->rt->reasons[DZ_REASON_SHUTDOWN], 0);
}

static void a_failed_init_is_answered_and_terminate_does_not_run(void **state)
{
    (void)state;
    struct rig rig;
    static const struct actor_role role = {
        .init = doom_in_init, .terminate = rig_terminate, .gone = rig_gone};
    rig_init(&rig);
    rig.born = &role;
    struct actor *a = rig_actor(&rig, 1, 'a');
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .name = str("x"), .local_name = str("db")};
    start(&rig, a, &s);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "n gone;a failed init_failed;");
    assert_true(dz_pid_is_none(dz_names_whereis(&rig.rt.names, "db", 2)));
    rig_fini(&rig);
}

static void wait_in_init(struct dz_thread *t, struct actor *a)
{
    actor_sleep(t, a, 1000 * RIG_MS);
}

static void killing_the_reserved_pid_breaks_the_start_off(void **state)
{
    (void)state;
    struct rig rig;
    static const struct actor_role role = {.init = wait_in_init, .resume = rig_resume, .gone = rig_gone};
    rig_init(&rig);
    rig.born = &role;
    struct actor *a = rig_actor(&rig, 1, 'a');
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .name = str("x")};
    struct dz_pid pid = start(&rig, a, &s);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "");
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, pid, 0);
    rig_expect(&rig, "n gone;a failed init_failed;");
    rig_fini(&rig);
}

static void one_who_does_not_wait_any_more_ends_the_late_process(void **state)
{
    (void)state;
    struct rig rig;
    static const struct actor_role role = {.init = wait_in_init, .resume = rig_resume, .gone = rig_gone};
    rig_init(&rig);
    rig.born = &role;
    struct actor *a = rig_actor(&rig, 1, 'a');
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .name = str("x")};
    struct dz_pid pid = start(&rig, a, &s);
    rig_leave(&rig, 1, a);
    rig_signal(&rig, DZ_MSG_ANSWERED, a->proc.pid, pid, a->wait.ref);
    rig_expect(&rig, "n gone;a failed init_failed;"); /* told once nothing of it is left */
    rig_fini(&rig);
}

static void a_process_is_born_with_its_link_monitor_and_supervisor(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR,
                         .name = str("x"),
                         .flags = DZ_SPAWN_LINK | DZ_SPAWN_MONITOR,
                         .monitor_ref = 55,
                         .parent = rig_far_pid(&rig)};
    struct dz_pid pid = start(&rig, a, &s);
    rig_leave(&rig, 1, a);
    struct dz_proc *p = dz_table_find(&rig.rt.table, pid)->proc;
    assert_non_null(dz_bond_find(p, DZ_BOND_LINK, a->proc.pid, 0));
    assert_non_null(dz_bond_find(p, DZ_BOND_WATCHED, a->proc.pid, 55));
    assert_non_null(dz_bond_find(p, DZ_BOND_PARENT, rig_far_pid(&rig), 0));
    assert_true(dz_pid_eq(p->parent, rig_far_pid(&rig)));
    rig_fini(&rig);
}

static void a_taken_name_fails_the_start_and_stays_where_it_is(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    assert_int_equal(dz_names_register(&rig.rt.names, &rig.rt.table, "db", 2, a->proc.pid, NULL), 0);
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .name = str("x"), .local_name = str("db")};
    start(&rig, a, &s);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "n gone;a failed init_failed;");
    assert_true(dz_pid_eq(dz_names_whereis(&rig.rt.names, "db", 2), a->proc.pid));
    rig_fini(&rig);
}

static void a_helper_is_neither_counted_nor_listed(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .name = str("x"), .flags = DZ_SPAWN_HIDDEN};
    struct dz_pid pid = start(&rig, a, &s);
    rig_leave(&rig, 1, a);
    assert_int_equal(atomic_load(&rig.rt.table.count), 1);
    assert_true(dz_table_find(&rig.rt.table, pid)->proc->flags & DZ_PROC_HIDDEN);
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, pid, 0);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_out_again),
        cmocka_unit_test(what_is_held_for_this_host_comes_out_again),
        cmocka_unit_test(what_is_absent_stays_absent),
        cmocka_unit_test(hostile_bytes_are_refused_or_harmless),
        cmocka_unit_test(random_bytes_are_refused),
        cmocka_unit_test(a_spawn_is_answered_with_the_pid_once_init_returned),
        cmocka_unit_test(messages_to_a_reserved_pid_wait_for_the_process),
        cmocka_unit_test(a_refused_spawn_leaves_nothing),
        cmocka_unit_test(a_failed_init_is_answered_and_terminate_does_not_run),
        cmocka_unit_test(killing_the_reserved_pid_breaks_the_start_off),
        cmocka_unit_test(one_who_does_not_wait_any_more_ends_the_late_process),
        cmocka_unit_test(a_process_is_born_with_its_link_monitor_and_supervisor),
        cmocka_unit_test(a_taken_name_fails_the_start_and_stays_where_it_is),
        cmocka_unit_test(a_helper_is_neither_counted_nor_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
