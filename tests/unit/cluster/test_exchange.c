#include "copies.h"

static void of_two_copies_that_meet_the_newer_one_remains(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    world_separate(&w);
    world_forget(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    place(&w, 0, a, "r/c", 2, 1, 5, 0);
    place(&w, 1, b, "r/c", 2, 1, 6, 0);
    world_meet(&w);
    host_expect(&w, 0, "up b healed;A stop superseded;A terminate superseded;A gone;");
    host_expect(&w, 1, "up a healed;");
    world_fini(&w);
}

static void a_newer_supervisor_ends_what_an_older_one_placed_elsewhere(void **state)
{
    struct world w;
    struct dz_cluster_stats stats;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    world_separate(&w);
    world_forget(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    place(&w, 0, a, "r/s/c", 3, 1, 2, 9);
    place(&w, 1, b, "r/s", 2, 1, 3, 0);
    world_meet(&w);
    host_expect(&w, 0, "up b healed;A stop superseded;A terminate superseded;A gone;");
    host_expect(&w, 1, "up a healed;");
    dz_cluster_stats(w.hosts[0].cluster, &stats);
    assert_int_equal(stats.superseded, 1);
    world_fini(&w);
}

/* One whose name is taken, as it will hear, must not have ended anybody before. */
static void a_root_makes_nothing_old_before_it_has_its_name(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    world_separate(&w);
    world_forget(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 0, 'B'), *c = host_actor(&w, 1, 'C');
    place(&w, 0, a, "r/c", 2, 1, 1, 0);
    place(&w, 1, c, "r/d", 2, 1, 1, 0);
    place(&w, 0, b, "r", 1, 2, 0, 0);
    char epoch[16];
    size_t len = make_epoch(epoch, 2, (uint8_t[]){1, 2});
    assert_int_equal(dz_cluster_placed(w.hosts[0].cluster, "r/c", 3, epoch, len, a->proc.pid), 0);
    world_meet(&w);
    host_expect(&w, 1, "up a healed;");
    dz_cluster_global_register(w.hosts[0].cluster, "r", 1, b->proc.pid, DZ_PID_NONE, 0);
    world_settle(&w);
    assert_int_equal(dz_cluster_placed(w.hosts[0].cluster, "r/e", 3, epoch, len, a->proc.pid), DZ_ESUPERSEDED);
    world_fini(&w);
}

static void of_two_alike_the_one_on_the_lower_node_remains(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    world_separate(&w);
    world_forget(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    place(&w, 0, a, "r/c", 2, 1, 1, 0);
    place(&w, 1, b, "r/c", 2, 1, 1, 0);
    world_meet(&w);
    host_expect(&w, 0, "up b healed;");
    host_expect(&w, 1, "up a healed;B stop superseded;B terminate superseded;B gone;");
    world_fini(&w);
}

/* Two sides of a partition start a root of one name: whoever meets a child of the other has to know which root it is of. */
static void many_placements_and_names_come_in_parts(void **state)
{
    struct world w;
    char path[32], epoch[16];
    (void)state;
    world_init(&w, 2);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    for (int i = 0; i < 1300; i++) {
        int len = snprintf(path, sizeof path, "r/c%d", i);
        size_t epoch_len = make_epoch(epoch, 2, (uint8_t[]){1, 1});
        struct dz_pid pid = a->proc.pid;
        assert_int_equal(dz_cluster_placed(w.hosts[0].cluster, path, (size_t)len, epoch, epoch_len, pid), 0);
        dz_cluster_global_register(w.hosts[0].cluster, path, (size_t)len, pid, DZ_PID_NONE, 0);
    }
    a->proc.flags |= DZ_PROC_GLOBAL;
    place(&w, 1, b, "r/c1299", 2, 1, 0, 0);
    world_mesh(&w);
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 0);
    assert_false(dz_pid_is_none(dz_cluster_global_whereis(w.hosts[1].cluster, "r/c1299", 7)));
    assert_false(dz_pid_is_none(dz_cluster_global_whereis(w.hosts[1].cluster, "r/c0", 4)));
    world_fini(&w);
}

/* Host 2 is asked by host 0 to start something because host 1 is down: host 2 has acted on that by then. */
static void the_verdict_travels_before_its_consequences(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 3);
    world_mesh(&w);
    struct actor *s = host_actor(&w, 1, 'S'), *c = host_actor(&w, 2, 'C'), *a = host_actor(&w, 0, 'A');
    c->proc.parent = world_pid(&w, 1, s->proc.pid, 2);
    assert_int_equal(
        dz_bond_add(&w.hosts[2].rig.threads[1], &c->proc, DZ_BOND_PARENT, c->proc.parent, 0, NULL), 0);
    place(&w, 2, c, "r/c", 2, 1, 1, 0);
    /* Host 2 itself sees nothing of the loss. */
    dz_membership_broken(&w.hosts[0].cluster->membership, 0, "x", 0);
    struct dz_node *n =
        dz_membership_find(&w.hosts[0].cluster->membership, w.hosts[1].id, strlen(w.hosts[1].id));
    mem_net_mute(&w.net, 0, 1, true);
    mem_net_mute(&w.net, 1, 2, true);
    dz_detector_closed(&n->detector, true);
    dz_membership_tick(&w.hosts[0].cluster->membership, dz_cluster_now(w.hosts[0].cluster));
    dz_cluster_perform(w.hosts[0].cluster);
    char epoch[16];
    struct dz_spawn spawn = {
        .what = DZ_SPAWN_BEHAVIOR,
        .name = {"thing", 5},
        .timeout_ms = 1000,
        .path = {"r/c", 3},
        .epoch = {epoch, make_epoch(epoch, 2, (uint8_t[]){1, 2})},
    };
    struct dz_msg *m = dz_spawn_pack(&w.hosts[0].rig.rt.nodes, &spawn);
    m->from = a->proc.pid;
    m->ref = 77;
    assert_int_equal(dz_cluster_spawn_far(w.hosts[0].cluster, &w.hosts[0].rig.threads[1], w.hosts[2].id,
                                          strlen(w.hosts[2].id), &m, NULL),
                     0);
    world_run(&w, 20);
    host_expect(&w, 0, "down b refused;");
    host_expect(&w, 2, "down b reported;C terminate noconnection;C gone;");
    assert_int_equal(atomic_load(&w.hosts[2].rig.rt.table.count), 1);
    world_fini(&w);
}

static void a_stale_verdict_does_not_end_the_session_of_a_node_that_came_back(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 3);
    world_mesh(&w);
    /* Host 0 loses host 1 alone and meets it again; host 1 counts that. */
    mem_net_mute(&w.net, 0, 1, true);
    world_run(&w, 11000);
    mem_net_mute(&w.net, 0, 1, false);
    world_run(&w, 1000);
    host_expect(&w, 0, "down b unreachable;up b healed;");
    struct dz_membership *m = &w.hosts[0].cluster->membership;
    struct dz_node *n = dz_membership_find(m, w.hosts[1].id, strlen(w.hosts[1].id));
    n->returns = 1;
    dz_membership_verdict(m, n->id, strlen(n->id), n->incarnation, 0, dz_cluster_now(w.hosts[0].cluster));
    dz_cluster_perform(w.hosts[0].cluster);
    host_expect(&w, 0, "");
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_two_copies_that_meet_the_newer_one_remains),
        cmocka_unit_test(a_newer_supervisor_ends_what_an_older_one_placed_elsewhere),
        cmocka_unit_test(a_root_makes_nothing_old_before_it_has_its_name),
        cmocka_unit_test(of_two_alike_the_one_on_the_lower_node_remains),
        cmocka_unit_test(many_placements_and_names_come_in_parts),
        cmocka_unit_test(the_verdict_travels_before_its_consequences),
        cmocka_unit_test(a_stale_verdict_does_not_end_the_session_of_a_node_that_came_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
