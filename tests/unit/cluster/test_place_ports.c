/* core/cluster/place_ports.c: what a supervisor asks through its ports is answered by the cluster of the host. */
#include "copies.h"
#include "sup/driver.h"

static struct dz_place_ports ports_of(struct world *w, int i)
{
    struct dz_place_ports p;
    dz_cluster_fill_place(w->hosts[i].cluster, &p);
    assert_ptr_equal(p.ctx, w->hosts[i].cluster);
    return p;
}

static void every_port_is_filled(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    struct dz_place_ports p = ports_of(&w, 0);
    assert_true(p.candidates && p.candidate_records && p.count_placed && p.spread && p.root_epoch && p.placed &&
                p.place_waits && p.may_place && p.behavior_hash);
    world_fini(&w);
}

static void candidates_and_their_records_are_one_list(void **state)
{
    (void)state;
    struct world w;
    struct dz_candidate nodes[3];
    struct dz_buf buf;
    struct dz_build b;
    char text[1200];
    world_init(&w, 3);
    struct dz_place_ports p = ports_of(&w, 0);
    assert_int_equal(p.candidates(p.ctx, nodes, 3), 1);
    world_mesh(&w);
    assert_int_equal(p.candidates(p.ctx, NULL, 0), 3);
    assert_int_equal(p.candidates(p.ctx, nodes, 3), 3);
    assert_true(nodes[0].local);
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    p.candidate_records(p.ctx, &b);
    assert_int_equal(dz_build_done(&b), 0);
    dz_term_print(buf.data, buf.len, text, sizeof text);
    const char *at = text;
    for (int i = 0; i < 3; i++) {
        assert_string_equal(nodes[i].id, w.hosts[i].id);
        at = strstr(at, w.hosts[i].id);
        assert_non_null(at);
    }
    dz_buf_fini(&buf);
    world_fini(&w);
}

static void a_placed_process_is_counted_where_it_is(void **state)
{
    (void)state;
    struct world w;
    struct dz_candidate nodes[2];
    world_init(&w, 2);
    world_mesh(&w);
    struct dz_place_ports p = ports_of(&w, 0);
    p.candidates(p.ctx, nodes, 2);
    p.count_placed(p.ctx, nodes[1].node);
    p.candidates(p.ctx, nodes, 2);
    assert_int_equal(nodes[0].placed_since, 0);
    assert_int_equal(nodes[1].placed_since, 1);
    world_fini(&w);
}

static uint32_t second_worker(void *ctx, struct dz_thread *from)
{
    (void)ctx;
    assert_int_equal(from->index, DZ_THREAD_FOREIGN);
    return 2;
}

static void a_worker_is_chosen_as_from_no_worker_of_the_host(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    struct dz_place_ports p = ports_of(&w, 0);
    w.hosts[0].rig.rt.ports.choose_thread = second_worker;
    assert_int_equal(p.spread(p.ctx), 2);
    world_fini(&w);
}

static void epochs_and_copies_are_the_hosts(void **state)
{
    (void)state;
    struct world w;
    char older[24], newer[24];
    world_init(&w, 1);
    struct dz_place_ports p = ports_of(&w, 0);
    struct actor *a = host_actor(&w, 0, 'A');
    size_t len = make_epoch(older, 2, (uint8_t[]){1, 2});
    make_epoch(newer, 2, (uint8_t[]){1, 4});
    uint64_t first = p.root_epoch(p.ctx, "r", 1);
    assert_true(p.root_epoch(p.ctx, "r", 1) > first);
    assert_false(p.place_waits(p.ctx, "r/c", 3, newer, len));
    make_epoch(newer, 2, (uint8_t[]){1, 3});
    assert_int_equal(p.placed(p.ctx, "r/c", 3, newer, len, a->proc.pid), 0);
    assert_int_equal(p.placed(p.ctx, "r/c", 3, older, len, a->proc.pid), DZ_ESUPERSEDED);
    assert_int_equal(p.placed(p.ctx, "r//c", 4, older, len, a->proc.pid), DZ_EFORMAT);
    make_epoch(newer, 2, (uint8_t[]){1, 4});
    assert_true(p.place_waits(p.ctx, "r/c", 3, newer, len));
    assert_false(p.place_waits(p.ctx, "r/c", 3, older, len));
    world_fini(&w);
}

static bool only_r(void *ctx, const char *path, size_t len, uint32_t reachable, uint32_t known)
{
    (void)ctx;
    (void)reachable;
    (void)known;
    return len == 1 && path[0] == 'r';
}

static void the_authority_has_its_word(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    struct dz_place_ports p = ports_of(&w, 0);
    assert_true(p.may_place(p.ctx, "x", 1));
    struct dz_placement_authority a = {.may_place = only_r};
    atomic_store(&w.hosts[0].cluster->authority, &a);
    assert_true(p.may_place(p.ctx, "r", 1));
    assert_false(p.may_place(p.ctx, "x", 1));
    atomic_store(&w.hosts[0].cluster->authority, NULL);
    world_fini(&w);
}

static void the_hash_of_a_behavior_is_the_hosts_or_none(void **state)
{
    (void)state;
    struct world w;
    uint8_t hash[32] = {0};
    world_init(&w, 1);
    struct dz_place_ports p = ports_of(&w, 0);
    assert_false(p.behavior_hash(p.ctx, "counter", 7, hash));
    w.hosts[0].has_hash = true;
    memset(w.hosts[0].hash, 0x5a, sizeof w.hosts[0].hash);
    assert_true(p.behavior_hash(p.ctx, "counter", 7, hash));
    assert_memory_equal(hash, w.hosts[0].hash, sizeof hash);
    w.hosts[0].cluster->callbacks.behavior_hash = NULL;
    assert_false(p.behavior_hash(p.ctx, "counter", 7, hash));
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_port_is_filled),
        cmocka_unit_test(candidates_and_their_records_are_one_list),
        cmocka_unit_test(a_placed_process_is_counted_where_it_is),
        cmocka_unit_test(a_worker_is_chosen_as_from_no_worker_of_the_host),
        cmocka_unit_test(epochs_and_copies_are_the_hosts),
        cmocka_unit_test(the_authority_has_its_word),
        cmocka_unit_test(the_hash_of_a_behavior_is_the_hosts_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
