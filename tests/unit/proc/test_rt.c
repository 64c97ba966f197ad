#include "proc/rt.h"

#include "rig.h"

static void a_task(struct dz_thread *t, void *arg)
{
    rig_note(arg, "task on %u", t->index);
}

static void a_task_runs_on_the_thread_it_was_posted_to(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    assert_int_equal(dz_thread_post(&rig.threads[0], 2, a_task, &rig), 0);
    assert_int_equal(dz_thread_post(&rig.threads[1], 1, a_task, &rig), 0);
    rig_expect(&rig, ""); /* never at once */
    rig_turn(&rig);
    rig_expect(&rig, "task on 1;task on 2;");
    rig_fini(&rig);
}

static void a_copying_task(struct dz_thread *t, void *arg)
{
    struct rig *rig;
    memcpy(&rig, arg, sizeof rig);
    rig_note(rig, "%s on %u", (const char *)arg + sizeof rig, t->index);
}

static void a_task_may_have_its_argument_with_it(void **state)
{
    (void)state;
    struct rig rig, *at = &rig;
    char bytes[sizeof at + 5];
    rig_init(&rig);
    memcpy(bytes, &at, sizeof at);
    memcpy(bytes + sizeof at, "copy", 5);
    assert_int_equal(dz_thread_post_copy(&rig.threads[0], 2, a_copying_task, bytes, sizeof bytes), 0);
    memset(bytes, 0, sizeof bytes);
    rig_turn(&rig);
    rig_expect(&rig, "copy on 2;");
    /* One that is never run is freed with the thread's inbox. */
    assert_int_equal(dz_thread_post_copy(&rig.threads[0], 2, a_copying_task, "", 1), 0);
    struct dz_mpsc_node *node = dz_mpsc_pop(&rig.inbox[2]);
    assert_non_null(node);
    dz_msg_free(dz_container_of(node, struct dz_msg, node));
    rig_fini(&rig);
}

static void refs_are_never_given_twice(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    uint64_t last = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t ref = dz_rt_next_ref(&rig.rt);
        assert_true(ref > last);
        last = ref;
    }
    rig_fini(&rig);
}

static void every_common_reason_is_there(void **state)
{
    (void)state;
    struct rig rig;
    char text[64];
    rig_init(&rig);
    for (int i = 0; i < DZ_REASON_COUNT; i++) {
        assert_non_null(rig.rt.reasons[i]);
        assert_int_equal(dz_term_check(rig.rt.reasons[i]->data, rig.rt.reasons[i]->len, 0), 0);
    }
    struct dz_blob *b = rig.rt.reasons[DZ_REASON_NODE_DOWN];
    dz_term_reason_text(b->data, b->len, text, sizeof text);
    assert_string_equal(text, "node_down");
    rig_fini(&rig);
}

static void two_hosts_are_born_with_different_numbers(void **state)
{
    (void)state;
    struct dz_env env;
    struct dz_rt a, b;
    dz_env_system(&env);
    assert_int_equal(dz_rt_init(&a, &env, NULL), 0);
    assert_int_equal(dz_rt_init(&b, &env, NULL), 0);
    uint64_t one = dz_nodes_get(&a.nodes, 0)->incarnation, other = dz_nodes_get(&b.nodes, 0)->incarnation;
    assert_true(one != other);
    assert_true(one < 1ull << 53 && other < 1ull << 53);
    dz_rt_fini(&a);
    dz_rt_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_runs_on_the_thread_it_was_posted_to),
        cmocka_unit_test(a_task_may_have_its_argument_with_it),
        cmocka_unit_test(refs_are_never_given_twice),
        cmocka_unit_test(every_common_reason_is_there),
        cmocka_unit_test(two_hosts_are_born_with_different_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
