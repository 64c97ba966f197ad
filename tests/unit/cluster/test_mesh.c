#include "world.h"

/* Fifty hosts in one OS process (semantics 8.9). */
static void fifty_hosts_form_a_mesh_and_settle(void **state)
{
    struct world *w = dz_alloc_must(sizeof *w);
    (void)state;
    world_init(w, WORLD_HOSTS);
    world_mesh(w);
    for (int i = 0; i < w->count; i++) {
        struct dz_candidate nodes[WORLD_HOSTS];
        assert_int_equal(dz_cluster_candidates(w->hosts[i].cluster, nodes, WORLD_HOSTS), WORLD_HOSTS);
        for (int k = 0; k < WORLD_HOSTS; k++)
            assert_true(nodes[k].connected);
    }
    /* An idle node costs its heartbeats, and the list of nodes now and then. */
    uint64_t before = w->net.delivered;
    world_run(w, 1000);
    uint64_t pairs = (uint64_t)WORLD_HOSTS * (WORLD_HOSTS - 1);
    assert_true(w->net.delivered - before <= 2 * pairs + WORLD_HOSTS);
    world_fini(w);
    dz_free(w);
}

static void when_one_dies_everyone_hears_it_once(void **state)
{
    struct world *w = dz_alloc_must(sizeof *w);
    (void)state;
    world_init(w, WORLD_HOSTS);
    world_mesh(w);
    mem_net_kill(&w->net, 0);
    world_run(w, 100);
    for (int i = 1; i < w->count; i++) {
        const char *journal = w->hosts[i].rig.journal;
        assert_non_null(strstr(journal, "down a "));
        assert_null(strstr(strstr(journal, "down") + 1, "down"));
        assert_null(strstr(journal, "up"));
    }
    world_fini(w);
    dz_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_hosts_form_a_mesh_and_settle),
        cmocka_unit_test(when_one_dies_everyone_hears_it_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
