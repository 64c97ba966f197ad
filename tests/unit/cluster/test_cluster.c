#include "world.h"

static void a_mesh_forms_from_one_seed(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 4);
    world_mesh(&w);
    struct dz_candidate nodes[4];
    assert_int_equal(dz_cluster_candidates(w.hosts[2].cluster, nodes, 4), 4);
    assert_true(nodes[0].local && nodes[0].node == 0 && nodes[0].connected);
    assert_string_equal(nodes[0].id, "c@127.0.0.1:4002");
    assert_string_equal(nodes[1].id, "a@127.0.0.1:4000");
    assert_string_equal(nodes[3].id, "d@127.0.0.1:4003");
    assert_true(nodes[3].connected && !nodes[3].local);
    assert_int_equal(dz_cluster_status(w.hosts[0].cluster), DZ_CLUSTER_RUNNING);
    world_fini(&w);
}

static void one_node_up_is_told_for_each_node(void **state)
{
    struct world w;
    const char *seeds[] = {"a@127.0.0.1:4000"};
    (void)state;
    world_init(&w, 3);
    host_start(&w.hosts[0], seeds, 1);
    world_run(&w, 20);
    assert_int_equal(w.hosts[0].done, 1);
    host_start(&w.hosts[1], seeds, 1);
    world_run(&w, 20);
    host_start(&w.hosts[2], seeds, 1);
    world_run(&w, 1000);
    host_expect(&w, 0, "up b joined;up c joined;");
    host_expect(&w, 1, "up a joined;up c joined;");
    host_expect(&w, 2, "up a joined;up b joined;");
    world_fini(&w);
}

static void start_waits_two_seconds_for_seeds_that_do_not_answer(void **state)
{
    struct world w;
    const char *seeds[] = {"b@127.0.0.1:4001"};
    (void)state;
    world_init(&w, 2);
    mem_net_start(&w.net, 1, w.hosts[1].id, 1, 1, dz_cluster_events(), w.hosts[1].cluster);
    mem_net_mute(&w.net, 0, 1, true);
    host_start(&w.hosts[0], seeds, 1);
    world_run(&w, 1900);
    assert_int_equal(w.hosts[0].done, 0);
    assert_int_equal(dz_cluster_status(w.hosts[0].cluster), DZ_CLUSTER_STARTING);
    world_run(&w, 200);
    assert_int_equal(w.hosts[0].done, 1);
    assert_int_equal(dz_cluster_status(w.hosts[0].cluster), DZ_CLUSTER_RUNNING);
    world_fini(&w);
}

/* c remembers a life of b that came later than the present one, by b's clock; a has met this one only. */
static void a_node_remembered_as_newer_takes_a_later_incarnation_though_others_know_it_already(void **state)
{
    struct world w;
    const char *to_a[] = {"a@127.0.0.1:4000"}, *to_b[] = {"b@127.0.0.1:4001"};
    (void)state;
    world_init(&w, 3);
    host_start(&w.hosts[0], NULL, 0);
    host_start(&w.hosts[1], to_a, 1);
    world_run(&w, 100);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    uint64_t first = w.hosts[1].cluster->incarnation;
    struct dz_pid seen = world_pid(&w, 1, b->proc.pid, 0);
    uint64_t ref;
    rig_enter(a);
    assert_int_equal(dz_bond_monitor(&w.hosts[0].rig.threads[1], &a->proc, seen, &ref), 0);
    dz_process_rest(&w.hosts[0].rig.threads[1], &a->proc);
    world_run(&w, 10);
    host_expect(&w, 0, "up b joined;");
    host_expect(&w, 1, "up a joined;");
    host_start(&w.hosts[2], to_b, 1);
    struct dz_membership *m = &w.hosts[2].cluster->membership;
    struct dz_node *remembered = dz_membership_find(m, "b@127.0.0.1:4001", 16);
    remembered->incarnation = first + 1000;
    remembered->birth = 77;
    world_run(&w, 1000);
    assert_int_equal(w.hosts[1].cluster->incarnation, first + 1001);
    host_expect(&w, 0, "down b replaced;A down noconnection;up b joined;up c joined;");
    host_expect(&w, 1, "down a new_incarnation;up a healed;up c joined;");
    host_expect(&w, 2, "up b joined;up a joined;");
    /* The pid of before leads to the same process. */
    assert_int_equal(actor_send(&w.hosts[0].rig.threads[1], DZ_MSG_SEND, a->proc.pid, seen, 0, 5), 0);
    world_settle(&w);
    host_expect(&w, 1, "B send 5;");
    host_call(&w, 0, a, seen, 6);
    host_expect(&w, 1, "B call 6;");
    host_expect(&w, 0, "A reply 6;");
    world_fini(&w);
}

static void a_seed_that_is_not_there_does_not_delay_the_start(void **state)
{
    struct world w;
    const char *seeds[] = {"nobody@127.0.0.1:9"};
    (void)state;
    world_init(&w, 1);
    host_start(&w.hosts[0], seeds, 1);
    world_run(&w, 10);
    assert_int_equal(w.hosts[0].done, 1);
    world_fini(&w);
}

static void a_killed_node_is_down_at_once_everywhere(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 3);
    world_mesh(&w);
    mem_net_kill(&w.net, 2);
    world_run(&w, 10);
    host_expect(&w, 0, "down c refused;");
    host_expect(&w, 1, "down c refused;");
    world_run(&w, 5000);
    host_expect(&w, 0, "");
    world_fini(&w);
}

static void a_silent_node_is_suspect_and_then_down(void **state)
{
    struct world w;
    struct dz_candidate nodes[2];
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    mem_net_mute(&w.net, 0, 1, true);
    world_run(&w, 2200);
    assert_int_equal(dz_cluster_candidates(w.hosts[0].cluster, nodes, 2), 2);
    assert_false(nodes[1].connected);
    host_expect(&w, 0, "");
    world_run(&w, 1500);
    host_expect(&w, 0, "down b timeout;");
    host_expect(&w, 1, "down a timeout;");
    mem_net_mute(&w.net, 0, 1, false);
    world_run(&w, 100);
    host_expect(&w, 0, "up b healed;");
    host_expect(&w, 1, "up a healed;");
    world_fini(&w);
}

static void a_node_that_others_reach_stays_suspect_and_is_unreachable_after_ten_seconds(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 3);
    world_mesh(&w);
    mem_net_mute(&w.net, 0, 1, true);
    world_run(&w, 9500);
    host_expect(&w, 0, "");
    world_run(&w, 1000);
    host_expect(&w, 0, "down b unreachable;");
    host_expect(&w, 1, "down a unreachable;");
    host_expect(&w, 2, "");
    world_fini(&w);
}

static void time_in_which_we_stood_still_does_not_count(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    for (int i = 0; i < 2; i++)
        w.hosts[i].rig.now_ns += 20000 * RIG_MS;
    world_run(&w, 2000);
    host_expect(&w, 0, "");
    host_expect(&w, 1, "");
    world_fini(&w);
}

static void a_node_that_leaves_says_goodbye_and_may_come_back(void **state)
{
    struct world w;
    const char *seeds[] = {"a@127.0.0.1:4000"};
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    dz_cluster_stop(w.hosts[1].cluster, world_stopped, &w.hosts[1]);
    world_run(&w, 20);
    assert_int_equal(w.hosts[1].stopped, 1);
    host_expect(&w, 0, "down b goodbye;");
    host_expect(&w, 1, "down a stopped;");
    assert_string_equal(dz_nodes_self_id(&w.hosts[1].rig.rt.nodes), DZ_LOCAL_NODE_ID);
    host_start(&w.hosts[1], seeds, 1);
    world_run(&w, 50);
    host_expect(&w, 0, "up b joined;");
    host_expect(&w, 1, "up a joined;");
    world_fini(&w);
}

static void records_have_all_fields(void **state)
{
    struct world w;
    struct dz_buf buf;
    struct dz_build b;
    char text[512];
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    world_run(&w, 1000);
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_cluster_node(w.hosts[0].cluster, &b, w.hosts[1].id, strlen(w.hosts[1].id));
    assert_int_equal(dz_build_done(&b), 0);
    dz_term_print(buf.data, buf.len, text, sizeof text);
    assert_string_equal(text,
                        "{id = \"b@127.0.0.1:4001\", name = \"b\", host = \"127.0.0.1\", port = 4001, "
                        "status = \"up\", process_count = 0, uptime_ms = 1050, last_heartbeat_at = 2000, "
                        "incarnation = 1000, attributes = {}}");
    dz_buf_clear(&buf);
    dz_cluster_node(w.hosts[0].cluster, &b, "x@h:1", 5);
    dz_term_print(buf.data, buf.len, text, sizeof text);
    assert_string_equal(text, "nil");
    dz_buf_fini(&buf);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mesh_forms_from_one_seed),
        cmocka_unit_test(one_node_up_is_told_for_each_node),
        cmocka_unit_test(start_waits_two_seconds_for_seeds_that_do_not_answer),
        cmocka_unit_test(a_node_remembered_as_newer_takes_a_later_incarnation_though_others_know_it_already),
        cmocka_unit_test(a_seed_that_is_not_there_does_not_delay_the_start),
        cmocka_unit_test(a_killed_node_is_down_at_once_everywhere),
        cmocka_unit_test(a_silent_node_is_suspect_and_then_down),
        cmocka_unit_test(a_node_that_others_reach_stays_suspect_and_is_unreachable_after_ten_seconds),
        cmocka_unit_test(time_in_which_we_stood_still_does_not_count),
        cmocka_unit_test(a_node_that_leaves_says_goodbye_and_may_come_back),
        cmocka_unit_test(records_have_all_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
