#include "world.h"

static void without_a_cluster_there_is_this_host(void **state)
{
    struct world w;
    struct dz_candidate node;
    (void)state;
    world_init(&w, 1);
    host_actor(&w, 0, 'A');
    assert_int_equal(dz_cluster_candidates(w.hosts[0].cluster, &node, 1), 1);
    assert_string_equal(node.id, DZ_LOCAL_NODE_ID);
    assert_true(node.local && node.connected);
    assert_int_equal(node.process_count, 1);
    world_fini(&w);
}

static void what_was_placed_since_the_last_report_is_counted(void **state)
{
    struct world w;
    struct dz_candidate nodes[2];
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    host_actor(&w, 1, 'B');
    dz_cluster_candidates(w.hosts[0].cluster, nodes, 2);
    dz_cluster_count_placed(w.hosts[0].cluster, nodes[1].node);
    dz_cluster_count_placed(w.hosts[0].cluster, nodes[1].node);
    dz_cluster_count_placed(w.hosts[0].cluster, 12345);
    dz_cluster_candidates(w.hosts[0].cluster, nodes, 2);
    assert_int_equal(nodes[1].process_count, 0);
    assert_int_equal(nodes[1].placed_since, 2);
    world_run(&w, 1000);
    dz_cluster_candidates(w.hosts[0].cluster, nodes, 2);
    assert_int_equal(nodes[1].process_count, 1);
    assert_int_equal(nodes[1].placed_since, 0);
    world_fini(&w);
}

static void attributes_travel_with_the_node(void **state)
{
    struct world w;
    struct dz_buf buf;
    struct dz_build b;
    char text[600];
    (void)state;
    world_init(&w, 2);
    const char *seeds[] = { w.hosts[1].id };
    static const uint8_t zone[] = { 0x81, 0xa4, 'z', 'o', 'n', 'e', 0xa2, 'e', 'u' };
    struct dz_cluster_config config = {
        .node_id = w.hosts[1].id, .incarnation = 5, .attributes = zone, .attributes_len = sizeof zone,
    };
    struct dz_transport *t = mem_net_start(&w.net, 1, w.hosts[1].id, 5, 2, dz_cluster_events(), w.hosts[1].cluster);
    assert_int_equal(dz_cluster_start(w.hosts[1].cluster, t, &config, world_done, &w.hosts[1]), 0);
    assert_int_equal(dz_cluster_start(w.hosts[1].cluster, t, &config, world_done, &w.hosts[1]), DZ_ESTARTED);
    host_start(&w.hosts[0], seeds, 1);
    world_run(&w, 50);
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_cluster_nodes(w.hosts[0].cluster, &b);
    dz_term_print(buf.data, buf.len, text, sizeof text);
    assert_non_null(strstr(text, "{{id = \"a@127.0.0.1:4000\""));
    assert_non_null(strstr(text, "id = \"b@127.0.0.1:4001\""));
    assert_non_null(strstr(text, "attributes = {zone = \"eu\"}}}"));
    dz_buf_fini(&buf);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_cluster_there_is_this_host),
        cmocka_unit_test(what_was_placed_since_the_last_report_is_counted),
        cmocka_unit_test(attributes_travel_with_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
