#include "rig.h"

#include "base/alloc.h"
#include "fault_alloc.h"
#include "proc/names.h"

/* Every allocation of each scenario fails once in turn: the caller is told, and nothing is left behind. */

struct scene {
    struct rig rig;
    struct actor *a; /* on thread 1 */
    struct actor *b; /* on thread 2 */
};

typedef int (*scenario)(struct scene *s);

static int try_once(scenario play, size_t n, bool *failed)
{
    struct scene s;
    size_t blocks = dz_fault_alloc_live();
    rig_init(&s.rig);
    s.a = rig_actor(&s.rig, 1, 'A');
    s.b = rig_actor(&s.rig, 2, 'B');
    rig_enter(s.a);
    dz_fault_alloc_fail_at(n);
    int err = play(&s);
    *failed = dz_fault_alloc_failed();
    dz_fault_alloc_fail_at(0);
    rig_leave(&s.rig, 1, s.a);
    rig_fini(&s.rig);
    assert_int_equal(dz_fault_alloc_live(), blocks);
    return err;
}

/* `spare`: some of the memory is for speed alone, and is done without. */
static void each_allocation_fails(scenario play, bool spare)
{
    bool failed = true;
    size_t n = 1;
    for (; failed; n++) {
        int err = try_once(play, n, &failed);
        assert_true(err == (failed ? DZ_ENOMEM : 0) || (spare && err == 0));
        assert_true(n < 500);
    }
    assert_true(n > 2); /* there was one at least */
}

/* --- scenarios --- */

static int monitor(struct scene *s)
{
    uint64_t ref;
    return dz_bond_monitor(&s->rig.threads[1], &s->a->proc, s->b->proc.pid, &ref);
}

static int monitor_far(struct scene *s)
{
    uint64_t ref;
    return dz_bond_monitor(&s->rig.threads[1], &s->a->proc, rig_far_pid(&s->rig), &ref);
}

static int link_to(struct scene *s)
{
    return dz_bond_link(&s->rig.threads[1], &s->a->proc, s->b->proc.pid);
}

static int bond_many(struct scene *s)
{
    int err = 0;
    for (int i = 0; i < 40 && !err; i++)
        err = monitor(s);
    return err ? err : link_to(s);
}

static int name(struct scene *s)
{
    struct dz_pid owner;
    return dz_names_register(&s->rig.rt.names, &s->rig.rt.table, "server", 6, s->a->proc.pid, &owner);
}

static int send(struct scene *s)
{
    static const uint8_t big[4096] = {0xc6, 0, 0, 0x0f, 0xfb};
    struct dz_msg *m = dz_msg_new_copy(DZ_MSG_CAST, big, sizeof big);
    if (!m)
        return DZ_ENOMEM;
    m->from = s->a->proc.pid;
    m->to = s->b->proc.pid;
    int err = dz_send(&s->rig.threads[1], &m);
    dz_msg_free(m);
    return err;
}

static int spawn(struct scene *s)
{
    struct dz_spawn wish = {.what = DZ_SPAWN_BEHAVIOR, .name = {"worker", 6}, .timeout_ms = DZ_INFINITY};
    struct dz_msg *m = dz_spawn_pack(&s->rig.rt.nodes, &wish);
    if (!m)
        return DZ_ENOMEM;
    int err = dz_spawn_send(&s->rig.threads[1], 2, &m, NULL);
    dz_msg_free(m);
    return err;
}

static int meet(struct scene *s)
{
    static const char text[] = "<other@10.0.0.9:4000/77.5.1>";
    struct dz_pid pid;
    return dz_pid_parse(&s->rig.rt.nodes, text, sizeof text - 1, &pid);
}

static int encode(struct scene *s)
{
    struct dz_buf buf;
    struct dz_build b;
    char text[1000];
    memset(text, 'x', sizeof text);
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_array(&b, 100);
    for (int i = 0; i < 99; i++)
        dz_build_string(&b, text, sizeof text);
    dz_build_pid_of(&b, &s->rig.rt.nodes, s->a->proc.pid);
    int err = dz_build_done(&b);
    dz_buf_fini(&buf);
    return err;
}

static void do_nothing(struct dz_thread *t, void *arg)
{
    (void)t, (void)arg;
}

static int post(struct scene *s)
{
    return dz_thread_post(&s->rig.threads[1], 2, do_nothing, NULL);
}

/* --- tests --- */

#define TEST(title, play, spare)                                                                             \
    static void title(void **state)                                                                          \
    {                                                                                                        \
        (void)state;                                                                                         \
        each_allocation_fails(play, spare);                                                                  \
    }

TEST(a_monitor_without_memory_is_an_error, monitor, false)
TEST(a_monitor_of_another_nodes_process_without_memory_is_an_error, monitor_far, false)
TEST(a_link_without_memory_is_an_error, link_to, false)
TEST(many_bonds_without_memory_are_an_error, bond_many, true)
TEST(a_name_without_memory_is_not_registered, name, false)
TEST(a_message_without_memory_is_not_sent, send, false)
TEST(a_spawn_without_memory_is_not_asked_for, spawn, false)
TEST(an_identity_without_memory_is_not_met, meet, false)
TEST(a_big_value_without_memory_is_not_encoded, encode, false)
TEST(a_task_without_memory_is_not_posted, post, false)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_monitor_without_memory_is_an_error),
        cmocka_unit_test(a_monitor_of_another_nodes_process_without_memory_is_an_error),
        cmocka_unit_test(a_link_without_memory_is_an_error),
        cmocka_unit_test(many_bonds_without_memory_are_an_error),
        cmocka_unit_test(a_name_without_memory_is_not_registered),
        cmocka_unit_test(a_message_without_memory_is_not_sent),
        cmocka_unit_test(a_spawn_without_memory_is_not_asked_for),
        cmocka_unit_test(an_identity_without_memory_is_not_met),
        cmocka_unit_test(a_big_value_without_memory_is_not_encoded),
        cmocka_unit_test(a_task_without_memory_is_not_posted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
