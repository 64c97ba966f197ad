/* test_places.c - the table of placements as threads use it: which copy may start, which ends, and what roots
 * are called. */
#include "copies.h"
#include "cluster/state.h"

static void a_root_that_starts_later_is_newer_than_all_heard_of(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    uint64_t first = dz_cluster_root_epoch(w.hosts[0].cluster, "r", 1);
    uint64_t second = dz_cluster_root_epoch(w.hosts[0].cluster, "r", 1);
    assert_true(second > first);
    struct actor *a = host_actor(&w, 0, 'A');
    place(&w, 0, a, "r", 1, 255, 0, 0);
    world_mesh(&w);
    assert_true(dz_cluster_root_epoch(w.hosts[1].cluster, "r", 1) > 255);
    uint64_t unnamed = dz_cluster_root_epoch(w.hosts[1].cluster, "sup_1@b@h:1", 11);
    assert_int_equal(dz_cluster_root_epoch(w.hosts[1].cluster, "sup_1@b@h:1", 11), unnamed);
    world_fini(&w);
}

static void two_nodes_never_give_one_number_to_a_root(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    for (int i = 0; i < 20; i++)
        assert_int_not_equal(dz_cluster_root_epoch(w.hosts[0].cluster, "r", 1),
                             dz_cluster_root_epoch(w.hosts[1].cluster, "r", 1));
    world_fini(&w);
}

static struct dz_place_key key_of(const char *path, char *epoch, int depth, const uint8_t *numbers)
{
    size_t len = make_epoch(epoch, depth, numbers);
    return (struct dz_place_key){path, strlen(path), epoch, len};
}

static void a_process_knows_where_it_was_placed(void **state)
{
    (void)state;
    struct world w;
    char epoch[24], path_copy[DZ_PLACEMENT_PATH_MAX], epoch_copy[DZ_PLACEMENT_DEPTH_MAX * 8];
    struct dz_place_key key;
    world_init(&w, 1);
    struct dz_cluster *c = w.hosts[0].cluster;
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 0, 'B');
    place(&w, 0, a, "r/c", 2, 1, 3, 0);
    assert_true(dz_places_of(c, a->proc.pid, &key, path_copy, epoch_copy));
    assert_ptr_equal(key.path, path_copy);
    assert_memory_equal(key.path, "r/c", key.path_len);
    assert_int_equal(make_epoch(epoch, 2, (uint8_t[]){1, 3}), key.epoch_len);
    assert_memory_equal(key.epoch, epoch, key.epoch_len);
    assert_false(dz_places_of(c, b->proc.pid, &key, path_copy, epoch_copy));
    world_fini(&w);
}

static void an_older_placement_may_not_be_and_a_newer_one_ends_it(void **state)
{
    (void)state;
    struct world w;
    char older[24], newer[24];
    world_init(&w, 1);
    struct dz_cluster *c = w.hosts[0].cluster;
    struct actor *a = host_actor(&w, 0, 'A');
    struct dz_place_key before = key_of("r/c", older, 2, (uint8_t[]){1, 2});
    struct dz_place_key after = key_of("r/c", newer, 2, (uint8_t[]){1, 4});
    place(&w, 0, a, "r/c", 2, 1, 3, 0);
    assert_int_equal(dz_places_may(c, &before), DZ_ESUPERSEDED);
    assert_int_equal(dz_cluster_placed(c, "r/c", 3, older, 16, a->proc.pid), DZ_ESUPERSEDED);
    assert_int_equal(dz_places_may(c, &after), 0);
    assert_false(dz_places_wait(c, &before));
    assert_true(dz_places_wait(c, &after));
    assert_true(dz_cluster_place_waits(c, "r/c", 3, newer, 16));
    host_expect(&w, 0, "");
    assert_int_equal(dz_places_supersede(c, &after, false), 1);
    world_settle(&w);
    host_expect(&w, 0, "A stop superseded;A terminate superseded;A gone;");
    assert_false(dz_places_wait(c, &after));
    assert_int_equal(atomic_load(&c->superseded), 1);
    world_fini(&w);
}

static void many_old_copies_below_a_path_end_together(void **state)
{
    (void)state;
    struct world w;
    char epoch[24], path[32];
    world_init(&w, 1);
    struct dz_cluster *c = w.hosts[0].cluster;
    for (int i = 0; i < 40; i++) {
        struct actor *a = host_actor(&w, 0, 'A');
        snprintf(path, sizeof path, "r/c%d", i);
        place(&w, 0, a, path, 2, 1, 1, 0);
    }
    struct dz_place_key root = key_of("r", epoch, 1, (uint8_t[]){2});
    assert_int_equal(dz_places_supersede(c, &root, false), 40);
    world_run(&w, 10);
    assert_int_equal(atomic_load(&w.hosts[0].rig.rt.table.count), 0);
    assert_int_equal(dz_places_supersede(c, &root, false), 0);
    world_fini(&w);
}

static void malformed_keys_are_no_placements(void **state)
{
    (void)state;
    struct world w;
    char epoch[24];
    world_init(&w, 1);
    struct dz_cluster *c = w.hosts[0].cluster;
    struct actor *a = host_actor(&w, 0, 'A');
    make_epoch(epoch, 2, (uint8_t[]){1, 1});
    assert_int_equal(dz_cluster_placed(c, "r//c", 4, epoch, 16, a->proc.pid), DZ_EFORMAT);
    assert_int_equal(dz_cluster_placed(c, "r/c", 3, epoch, 8, a->proc.pid), DZ_EFORMAT);
    assert_int_equal(dz_cluster_placed(c, "r/c", 3, epoch, 15, a->proc.pid), DZ_EFORMAT);
    assert_false(dz_cluster_place_waits(c, "", 0, epoch, 0));
    world_fini(&w);
}

static void what_was_heard_of_a_root_counts_for_its_next_number(void **state)
{
    (void)state;
    struct world w;
    char epoch[24];
    world_init(&w, 1);
    struct dz_cluster *c = w.hosts[0].cluster;
    struct dz_place_key heard = key_of("r/c", epoch, 2, (uint8_t[]){200, 1});
    dz_places_heard(c, &heard);
    uint64_t number = dz_cluster_root_epoch(c, "r", 1);
    assert_true(number > 200);
    assert_true(dz_cluster_root_epoch(c, "r", 1) > number);
    assert_true(dz_cluster_root_epoch(c, "other", 5) <= DZ_PLACEMENT_NODES + 1);
    world_fini(&w);
}

static bool only_r(void *ctx, const char *path, size_t len, uint32_t reachable, uint32_t known)
{
    uint32_t *seen = ctx;
    seen[0] = reachable;
    seen[1] = known;
    return len == 1 && path[0] == 'r';
}

static void the_authority_is_asked_with_the_present_figures(void **state)
{
    (void)state;
    struct world w;
    uint32_t seen[2] = {0, 0};
    world_init(&w, 2);
    struct dz_cluster *c = w.hosts[0].cluster;
    assert_true(dz_cluster_may_place(c, "x", 1));
    world_mesh(&w);
    struct dz_placement_authority a = {.ctx = seen, .may_place = only_r}, silent = {.ctx = seen};
    atomic_store(&c->authority, &a);
    assert_true(dz_cluster_may_place(c, "r", 1));
    assert_false(dz_cluster_may_place(c, "x", 1));
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 2);
    atomic_store(&c->authority, &silent);
    assert_true(dz_cluster_may_place(c, "x", 1));
    atomic_store(&c->authority, NULL);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_that_starts_later_is_newer_than_all_heard_of),
        cmocka_unit_test(two_nodes_never_give_one_number_to_a_root),
        cmocka_unit_test(a_process_knows_where_it_was_placed),
        cmocka_unit_test(an_older_placement_may_not_be_and_a_newer_one_ends_it),
        cmocka_unit_test(many_old_copies_below_a_path_end_together),
        cmocka_unit_test(malformed_keys_are_no_placements),
        cmocka_unit_test(what_was_heard_of_a_root_counts_for_its_next_number),
        cmocka_unit_test(the_authority_is_asked_with_the_present_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
