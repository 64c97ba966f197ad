/* test_events.c - what the transport tells, handed to the part it concerns; after the stop nothing is heard.
 */
#include "world.h"

static void a_link_that_drops_for_a_moment_causes_nothing(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    struct dz_pid pid = world_pid(&w, 1, b->proc.pid, 0);
    mem_net_cut(&w.net, 0, 1, true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(actor_send(&w.hosts[0].rig.threads[1], DZ_MSG_SEND, a->proc.pid, pid, 0, i), 0);
    world_run(&w, 300);
    host_expect(&w, 1, "");
    mem_net_cut(&w.net, 0, 1, false);
    world_run(&w, 50);
    host_expect(&w, 1, "B send 0;B send 1;B send 2;");
    host_expect(&w, 0, "");
    world_fini(&w);
}

static void a_host_whose_clock_is_behind_takes_a_later_incarnation(void **state)
{
    struct world w;
    const char *seeds[] = {"a@127.0.0.1:4000"};
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    uint64_t first = w.hosts[1].cluster->incarnation;
    mem_net_kill(&w.net, 1);
    world_run(&w, 20);
    host_expect(&w, 0, "down b refused;");
    host_fini(&w.hosts[1]);
    w.hosts[1].rig.now_ns = 0;
    host_init(&w, 1);
    uint64_t now = w.hosts[0].rig.now_ns;
    w.hosts[1].rig.now_ns = 500 * RIG_MS; /* its wall clock reads less than at its first start */
    host_start(&w.hosts[1], seeds, 1);
    w.hosts[1].rig.now_ns = now;
    world_run(&w, 100);
    host_expect(&w, 0, "up b joined;");
    assert_int_equal(w.hosts[1].cluster->incarnation, first + 1);
    assert_int_equal(
        dz_nodes_get(&w.hosts[1].rig.rt.nodes, atomic_load(&w.hosts[1].rig.rt.nodes.self))->incarnation,
        first + 1);
    world_fini(&w);
}

static void the_hello_carries_this_nodes_attributes(void **state)
{
    (void)state;
    struct world w;
    struct dz_buf attributes, known;
    world_init(&w, 1);
    struct host *h = &w.hosts[0];
    static const uint8_t map[] = {0x81, 0xa4, 'z', 'o', 'n', 'e', 0xa2, 'e', 'u'};
    struct dz_cluster_config config = {.node_id = h->id,
                                       .incarnation = dz_cluster_incarnation(h->cluster),
                                       .attributes = map,
                                       .attributes_len = sizeof map};
    struct dz_transport *t =
        mem_net_start(&w.net, 0, h->id, config.incarnation, 1, dz_cluster_events(), h->cluster);
    dz_buf_init(&attributes);
    dz_buf_init(&known);
    dz_cluster_events()->hello(h->cluster, &attributes, &known);
    assert_int_equal(attributes.len, 0);
    assert_int_equal(dz_cluster_start(h->cluster, t, &config, world_done, h), 0);
    dz_cluster_events()->hello(h->cluster, &attributes, &known);
    assert_int_equal(attributes.len, sizeof map);
    assert_memory_equal(attributes.data, map, sizeof map);
    assert_int_equal(known.len, 0);
    dz_buf_fini(&attributes);
    dz_buf_fini(&known);
    world_fini(&w);
}

static void a_malformed_word_outside_of_the_session_ends_it(void **state)
{
    (void)state;
    struct world w;
    struct dz_cluster_stats stats;
    world_init(&w, 2);
    world_mesh(&w);
    const struct dz_transport_events *events = dz_cluster_events();
    uint64_t peer = mem_net_peer(&w.net, 0, 1);
    events->membership(w.hosts[0].cluster, peer + 99, (const uint8_t *)"\xc1", 1);
    events->membership(w.hosts[0].cluster, peer, (const uint8_t *)"\xc1", 1);
    world_settle(&w);
    host_expect(&w, 0, "down b protocol;up b healed;");
    dz_cluster_stats(w.hosts[0].cluster, &stats);
    assert_int_equal(stats.malformed, 1);
    world_fini(&w);
}

static void events_of_sessions_nobody_knows_change_nothing(void **state)
{
    (void)state;
    struct world w;
    struct dz_peer_figures figures = {0};
    world_init(&w, 2);
    world_mesh(&w);
    const struct dz_transport_events *events = dz_cluster_events();
    struct dz_cluster *c = w.hosts[0].cluster;
    events->peer_closed(c, 99, DZ_PEER_EOF);
    events->heartbeat(c, 99, &figures);
    events->message(c, 99, 0, (const uint8_t *)"\xc1", 1);
    events->writable(c, 99);
    events->handshake_failed(c, NULL, NULL, DZ_REFUSAL_SECRET, 0);
    events->handshake_failed(c, "x@h:1", "h:1", DZ_REFUSAL_CONNECT, 0);
    world_settle(&w);
    host_expect(&w, 0, "");
    assert_int_equal(dz_cluster_candidates(c, NULL, 0), 2);
    world_fini(&w);
}

static void after_the_stop_nothing_is_heard(void **state)
{
    (void)state;
    struct world w;
    struct dz_peer_figures figures = {0};
    struct dz_peer_info info = {.id = "b@127.0.0.1:4001", .incarnation = 5, .birth = 5};
    uint64_t known = 7;
    world_init(&w, 1);
    const struct dz_transport_events *events = dz_cluster_events();
    struct dz_cluster *c = w.hosts[0].cluster;
    assert_int_equal(events->admit(c, &info, &known), DZ_REFUSAL_STOPPING);
    assert_int_equal(known, 0);
    events->peer_up(c, 1, &info, false);
    events->peer_closed(c, 1, DZ_PEER_EOF);
    events->message(c, 1, 0, (const uint8_t *)"x", 1);
    events->membership(c, 1, (const uint8_t *)"x", 1);
    events->heartbeat(c, 1, &figures);
    events->handshake_failed(c, "b@127.0.0.1:4001", NULL, DZ_REFUSAL_STALE, 9);
    host_expect(&w, 0, "");
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_that_drops_for_a_moment_causes_nothing),
        cmocka_unit_test(a_host_whose_clock_is_behind_takes_a_later_incarnation),
        cmocka_unit_test(the_hello_carries_this_nodes_attributes),
        cmocka_unit_test(a_malformed_word_outside_of_the_session_ends_it),
        cmocka_unit_test(events_of_sessions_nobody_knows_change_nothing),
        cmocka_unit_test(after_the_stop_nothing_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
