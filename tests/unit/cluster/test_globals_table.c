/* test_globals_table.c - the claims on cluster-wide names, by name and by process, and which of them wins. */
#include "names.h"
#include "cluster/globals_parts.h"

static void a_freed_name_uncovers_the_claim_it_hid(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 3);
    world_mesh(&w);
    mem_net_cut(&w.net, 1, 2, true);
    world_separate(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    take_name(&w, 0, a, "m"); /* so that the number of n is the higher one */
    take_name(&w, 0, a, "n");
    take_name(&w, 1, b, "n");
    mem_net_cut(&w.net, 1, 2, false);
    world_run(&w, 2000);
    assert_true(has_name(&w, 2, "n", 0, a));
    assert_true(has_name(&w, 1, "n", 1, b));
    rig_signal(&w.hosts[0].rig, DZ_MSG_KILL, DZ_PID_NONE, a->proc.pid, 0);
    world_settle(&w);
    assert_true(has_name(&w, 2, "n", 1, b));
    mem_net_cut(&w.net, 0, 1, false);
    world_run(&w, 3000);
    for (int i = 0; i < 3; i++)
        assert_true(has_name(&w, i, "n", 1, b));
    world_fini(&w);
}

static void the_loss_of_a_names_node_uncovers_the_claim_it_hid(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 3);
    world_mesh(&w);
    mem_net_cut(&w.net, 1, 2, true);
    world_separate(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    take_name(&w, 0, a, "m");
    take_name(&w, 0, a, "n");
    take_name(&w, 1, b, "n");
    mem_net_cut(&w.net, 1, 2, false);
    world_run(&w, 2000);
    assert_true(has_name(&w, 2, "n", 0, a));
    mem_net_kill(&w.net, 0);
    world_run(&w, 50);
    assert_true(has_name(&w, 2, "n", 1, b));
    assert_true(has_name(&w, 2, "m", 1, NULL));
    world_fini(&w);
}

/* A claim of that process in the table of host 0. */
static struct dz_global *claim(struct world *w, const char *name, struct dz_pid pid, uint64_t number,
                               const char *path, uint8_t epoch)
{
    char bytes[8] = {0, 0, 0, 0, 0, 0, 0, (char)epoch};
    struct dz_global_claim c = {.name = name, .name_len = strlen(name), .pid = pid, .number = number};
    if (path)
        c.place = (struct dz_place_key){path, strlen(path), bytes, sizeof bytes};
    struct dz_global *e = dz_global_new(&c);
    assert_non_null(e);
    assert_int_equal(dz_globals_attach(&w->hosts[0].cluster->globals, e), 0);
    return e;
}

static bool wins(struct world *w, const char *name, const struct dz_global *e)
{
    struct dz_pid pid = dz_globals_whereis(&w->hosts[0].cluster->globals, name, strlen(name));
    return dz_pid_eq(pid, e->pid);
}

static void drop(struct world *w, struct dz_global *e)
{
    dz_globals_detach(&w->hosts[0].cluster->globals, e);
    dz_global_delete(e);
}

/* A process on a node of that id, as host 0 names it. */
static struct dz_pid far(struct world *w, const char *id, uint32_t slot)
{
    uint32_t node;
    assert_int_equal(dz_nodes_intern(&w->hosts[0].rig.rt.nodes, id, strlen(id), 7, &node), 0);
    return (struct dz_pid){node, slot, 1};
}

static void of_rival_claims_the_higher_number_wins_then_the_lower_node_then_the_lower_slot(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    struct dz_global *b = claim(&w, "n", far(&w, "b@h:1", 5), 3, NULL, 0),
                     *c = claim(&w, "n", far(&w, "c@h:1", 1), 4, NULL, 0);
    assert_true(wins(&w, "n", c));
    struct dz_global *d = claim(&w, "n", far(&w, "d@h:1", 1), 4, NULL, 0);
    assert_true(wins(&w, "n", c));
    struct dz_global *same = claim(&w, "n", far(&w, "c@h:1", 2), 4, NULL, 0);
    assert_true(wins(&w, "n", c));
    drop(&w, c);
    assert_true(wins(&w, "n", same));
    drop(&w, same);
    assert_true(wins(&w, "n", d));
    drop(&w, d);
    assert_true(wins(&w, "n", b));
    drop(&w, b);
    assert_true(dz_pid_is_none(dz_globals_whereis(&w.hosts[0].cluster->globals, "n", 1)));
    assert_int_equal(atomic_load(&w.hosts[0].cluster->globals.count), 0);
    world_fini(&w);
}

static void of_one_path_the_newer_epoch_wins_whatever_the_numbers_say(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    struct dz_global *older = claim(&w, "n", far(&w, "b@h:1", 1), 9, "r", 1),
                     *newer = claim(&w, "n", far(&w, "c@h:1", 1), 2, "r", 2);
    assert_true(wins(&w, "n", newer));
    struct dz_global *other =
        claim(&w, "n", far(&w, "d@h:1", 1), 5, "s", 1); /* of another path: the number counts */
    assert_true(wins(&w, "n", other));
    struct dz_global *alike = claim(&w, "n", far(&w, "a2@h:1", 1), 1, "r", 2);
    assert_true(wins(&w, "n", other));
    drop(&w, other);
    assert_true(wins(&w, "n", alike)); /* equal epochs: the lower node */
    drop(&w, newer);
    drop(&w, older);
    drop(&w, alike);
    world_fini(&w);
}

static void a_process_of_this_host_that_is_gone_does_not_win(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    struct dz_globals *g = &w.hosts[0].cluster->globals;
    struct dz_pid a = host_actor(&w, 0, 'A')->proc.pid;
    struct dz_global *mine = claim(&w, "n", a, 9, NULL, 0),
                     *theirs = claim(&w, "n", far(&w, "b@h:1", 1), 3, NULL, 0);
    assert_true(wins(&w, "n", mine));
    assert_null(dz_globals_own_loser(g, "n", 1));
    struct dz_global *higher = claim(&w, "n", far(&w, "c@h:1", 1), 10, NULL, 0);
    assert_ptr_equal(dz_globals_own_loser(g, "n", 1), mine);
    assert_true(dz_globals_is_alive(g, a));
    rig_signal(&w.hosts[0].rig, DZ_MSG_KILL, DZ_PID_NONE, a, 0);
    assert_false(dz_globals_is_alive(g, a));
    assert_null(dz_globals_own_loser(g, "n", 1));
    drop(&w, higher);
    assert_true(wins(&w, "n", theirs));
    drop(&w, mine);
    drop(&w, theirs);
    world_fini(&w);
}

static void claims_are_found_by_name_and_by_process(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    struct dz_globals *g = &w.hosts[0].cluster->globals;
    struct dz_pid b = far(&w, "b@h:1", 1), c = far(&w, "c@h:1", 1);
    struct dz_global *first = claim(&w, "x", b, 1, NULL, 0), *second = claim(&w, "y", b, 2, "r/c", 1),
                     *rival = claim(&w, "x", c, 3, NULL, 0);
    assert_ptr_equal(dz_globals_find(g, "x", 1, b), first);
    assert_ptr_equal(dz_globals_find(g, "x", 1, c), rival);
    assert_null(dz_globals_find(g, "y", 1, c));
    assert_null(dz_globals_find(g, "z", 1, b));
    assert_ptr_equal(dz_globals_of_pid(g, c), rival);
    assert_non_null(dz_globals_of_pid(g, b));
    assert_null(dz_globals_of_pid(g, far(&w, "b@h:1", 2)));
    assert_int_equal(atomic_load(&g->count), 2);
    assert_memory_equal(second->path, "r/c", second->path_len);
    drop(&w, first);
    assert_ptr_equal(dz_globals_of_pid(g, b), second);
    drop(&w, second);
    assert_null(dz_globals_of_pid(g, b));
    drop(&w, rival);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_freed_name_uncovers_the_claim_it_hid),
        cmocka_unit_test(the_loss_of_a_names_node_uncovers_the_claim_it_hid),
        cmocka_unit_test(of_rival_claims_the_higher_number_wins_then_the_lower_node_then_the_lower_slot),
        cmocka_unit_test(of_one_path_the_newer_epoch_wins_whatever_the_numbers_say),
        cmocka_unit_test(a_process_of_this_host_that_is_gone_does_not_win),
        cmocka_unit_test(claims_are_found_by_name_and_by_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
