#include "names.h"

static void a_name_is_local_without_a_cluster(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 1);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 0, 'B');
    take_name(&w, 0, a, "n");
    take_name(&w, 0, b, "n");
    host_expect(&w, 0, "A reply nil;B failed name_taken;");
    assert_true(has_name(&w, 0, "n", 0, a));
    rig_signal(&w.hosts[0].rig, DZ_MSG_KILL, DZ_PID_NONE, a->proc.pid, 0);
    assert_true(has_name(&w, 0, "n", 0, NULL));
    world_fini(&w);
}

static void a_name_is_free_before_its_owners_end_is_seen(void **state)
{
    struct world w;
    uint64_t ref;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    take_name(&w, 1, b, "n");
    rig_enter(a);
    struct dz_pid pid = world_pid(&w, 1, b->proc.pid, 0);
    assert_int_equal(dz_bond_monitor(&w.hosts[0].rig.threads[1], &a->proc, pid, &ref), 0);
    rig_leave(&w.hosts[0].rig, 1, a);
    world_settle(&w);
    assert_true(has_name(&w, 0, "n", 1, b));
    rig_signal(&w.hosts[1].rig, DZ_MSG_KILL, DZ_PID_NONE, b->proc.pid, 0);
    while (w.hosts[0].rig.len == 0) {
        mem_net_step(&w.net, w.hosts[0].rig.now_ns);
        rig_turn(&w.hosts[0].rig);
    }
    host_expect(&w, 0, "A down killed;");
    assert_true(has_name(&w, 0, "n", 1, NULL));
    take_name(&w, 0, a, "n");
    host_expect(&w, 0, "A reply nil;");
    world_fini(&w);
}

static void a_lost_nodes_names_are_free(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    take_name(&w, 1, b, "n");
    mem_net_kill(&w.net, 1);
    world_run(&w, 20);
    take_name(&w, 0, a, "n");
    host_expect(&w, 0, "down b refused;A reply nil;");
    world_fini(&w);
}

static void after_a_partition_one_owner_wins_everywhere_and_the_loser_is_told(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    world_separate(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    take_name(&w, 0, a, "n");
    take_name(&w, 1, b, "n");
    world_meet(&w);
    host_expect(&w, 0, "down b timeout;A reply nil;up b healed;");
    host_expect(&w, 1,
                "down a timeout;B reply nil;up a healed;"
                "B info {type = \"name_conflict\", name = \"n\", winner = <a@127.0.0.1:4000/1000.1.1>};");
    assert_true(has_name(&w, 0, "n", 0, a));
    assert_true(has_name(&w, 1, "n", 0, a));
    world_fini(&w);
}

static void the_higher_number_wins_over_the_lower_node(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    world_separate(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    take_name(&w, 0, a, "n");
    take_name(&w, 1, b, "m");
    take_name(&w, 1, b, "n");
    world_meet(&w);
    assert_true(has_name(&w, 0, "n", 1, b));
    assert_true(has_name(&w, 1, "n", 1, b));
    assert_true(has_name(&w, 0, "m", 1, b));
    world_fini(&w);
}

static void a_newer_placement_of_the_same_path_takes_the_name_over(void **state)
{
    static const char old[16] = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
    static const char new[16] = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2};
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    assert_int_equal(dz_cluster_placed(w.hosts[0].cluster, "r/c", 3, old, 16, a->proc.pid), 0);
    assert_int_equal(dz_cluster_placed(w.hosts[1].cluster, "r/c", 3, new, 16, b->proc.pid), 0);
    take_name(&w, 0, a, "n");
    take_name(&w, 1, b, "n");
    host_expect(&w, 1, "B reply nil;");
    assert_true(has_name(&w, 0, "n", 1, b));
    world_fini(&w);
}

static void a_second_root_of_a_name_does_not_take_it_over(void **state)
{
    static const char old[8] = {0, 0, 0, 0, 0, 0, 0, 1};
    static const char new[8] = {0, 0, 0, 0, 0, 0, 0, 2};
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    assert_int_equal(dz_cluster_placed(w.hosts[0].cluster, "r", 1, old, 8, a->proc.pid), 0);
    assert_int_equal(dz_cluster_placed(w.hosts[1].cluster, "r", 1, new, 8, b->proc.pid), 0);
    take_name(&w, 0, a, "r");
    take_name(&w, 1, b, "r");
    host_expect(&w, 1, "B failed name_taken;");
    assert_true(has_name(&w, 1, "r", 0, a));
    world_fini(&w);
}

static void unregister_frees_the_name_everywhere(void **state)
{
    struct world w;
    struct dz_buf buf;
    struct dz_build b;
    char text[128];
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A');
    take_name(&w, 0, a, "n");
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_cluster_global_names(w.hosts[1].cluster, &b);
    dz_term_print(buf.data, buf.len, text, sizeof text);
    assert_string_equal(text, "{n = <a@127.0.0.1:4000/1000.1.1>}");
    dz_buf_fini(&buf);
    assert_true(dz_cluster_global_unregister(w.hosts[1].cluster, "n", 1));
    assert_false(dz_cluster_global_unregister(w.hosts[1].cluster, "n", 1));
    world_settle(&w);
    assert_true(has_name(&w, 0, "n", 0, NULL));
    world_fini(&w);
}

/* Host 2 sees both while 0 and 1 do not see each other. */
/* While the question is on its way to a node that does not answer, a stronger claim turns up with another one. */
static void a_process_of_an_earlier_life_is_no_process(void **state)
{
    static const char text[] = "<a@127.0.0.1:4000/7.1.1>";
    struct world w;
    struct dz_pid pid;
    (void)state;
    world_init(&w, 1);
    world_mesh(&w);
    struct host *h = &w.hosts[0];
    struct actor *a = host_actor(&w, 0, 'A');
    assert_int_equal(dz_pid_parse(&h->rig.rt.nodes, text, sizeof text - 1, &pid), 0);
    uint64_t ref = dz_rt_next_ref(&h->rig.rt);
    rig_enter(a);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_REPLY, .ref = ref};
    dz_process_wait(&h->rig.threads[1], &a->proc, &a->wait, DZ_INFINITY);
    dz_process_rest(&h->rig.threads[1], &a->proc);
    dz_cluster_global_register(h->cluster, "n", 1, pid, a->proc.pid, ref);
    world_settle(&w);
    host_expect(&w, 0, "A failed noproc;");
    world_fini(&w);
}

static void a_roots_name_told_counts_as_its_epoch_heard_of(void **state)
{
    static const char seventh[8] = {0, 0, 0, 0, 0, 0, 0, 7};
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A');
    assert_int_equal(dz_cluster_placed(w.hosts[0].cluster, "r", 1, seventh, 8, a->proc.pid), 0);
    take_name(&w, 0, a, "r");
    assert_true(dz_cluster_root_epoch(w.hosts[1].cluster, "r", 1) > 7);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_local_without_a_cluster),
        cmocka_unit_test(a_name_is_free_before_its_owners_end_is_seen),
        cmocka_unit_test(a_lost_nodes_names_are_free),
        cmocka_unit_test(after_a_partition_one_owner_wins_everywhere_and_the_loser_is_told),
        cmocka_unit_test(the_higher_number_wins_over_the_lower_node),
        cmocka_unit_test(a_newer_placement_of_the_same_path_takes_the_name_over),
        cmocka_unit_test(a_second_root_of_a_name_does_not_take_it_over),
        cmocka_unit_test(unregister_frees_the_name_everywhere),
        cmocka_unit_test(a_process_of_an_earlier_life_is_no_process),
        cmocka_unit_test(a_roots_name_told_counts_as_its_epoch_heard_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
