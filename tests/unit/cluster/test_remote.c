#include "wishes.h"

static void a_process_starts_on_another_node(void **state)
{
    struct world w;
    struct wish wish = {0};
    (void)state;
    begin(&w, 2);
    struct actor *a = host_actor(&w, 0, 'A');
    spawn(&w, a, 1, &wish);
    world_settle(&w);
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 1);
    host_expect(&w, 0, "A reply <b@127.0.0.1:4001/1000.1.1>;");
    world_fini(&w);
}

static void a_refused_start_names_the_node(void **state)
{
    struct world w;
    struct wish wish = {0};
    (void)state;
    begin(&w, 2);
    w.hosts[1].rig.born = NULL;
    struct actor *a = host_actor(&w, 0, 'A');
    spawn(&w, a, 1, &wish);
    /* The error as it is, not as the journal shortens it. */
    while (!a->wait.reply) {
        mem_net_step(&w.net, w.hosts[0].rig.now_ns);
        rig_turn(&w.hosts[1].rig);
        rig_drain(&w.hosts[0].rig, 1);
    }
    const char *node;
    size_t len;
    assert_true(dz_read_find_string(a->wait.reply->data, a->wait.reply->len, "node", &node, &len));
    assert_memory_equal(node, w.hosts[1].id, len);
    world_settle(&w);
    host_expect(&w, 0, "A failed behavior_not_found;");
    world_fini(&w);
}

static void a_start_on_a_lost_node_fails_with_noconnection(void **state)
{
    struct world w;
    struct wish wish = {0};
    (void)state;
    begin(&w, 2);
    w.hosts[1].rig.born = &slow_role;
    struct actor *a = host_actor(&w, 0, 'A');
    spawn(&w, a, 1, &wish);
    world_run(&w, 20);
    mem_net_kill(&w.net, 1);
    world_run(&w, 20);
    host_expect(&w, 0, "down b refused;A failed noconnection;");
    world_fini(&w);
}

/* The node answered, and froze, or the link broke, before the answer came: nobody has its pid. */
/* As the process that makes a supervisor out of a registered spec does it: the request is here already when the node it came
 * from is lost. */
static void a_process_whose_supervisors_node_is_lost_already_does_not_start(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 2);
    struct host *h = &w.hosts[1];
    struct actor *parent = host_actor(&w, 0, 'P'), *a = host_actor(&w, 1, 'A');
    struct dz_pid seen = world_pid(&w, 0, parent->proc.pid, 1), owner;
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .parent = seen};
    assert_int_equal(dz_spawn_apply(&h->rig.threads[1], &a->proc, &s, DZ_PID_NONE, &owner), 0);
    mem_net_kill(&w.net, 0);
    world_run(&w, 20);
    host_expect(&w, 1, "down a refused;A terminate noconnection;A gone;");
    struct actor *b = host_actor(&w, 1, 'B');
    assert_int_equal(dz_spawn_apply(&h->rig.threads[1], &b->proc, &s, DZ_PID_NONE, &owner), DZ_ENOCONNECTION);
    world_fini(&w);
}

static void an_unknown_node_is_no_connection(void **state)
{
    struct world w;
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .name = {"thing", 5}};
    (void)state;
    begin(&w, 1);
    struct dz_msg *m = dz_spawn_pack(&w.hosts[0].rig.rt.nodes, &s);
    m->ref = 1;
    assert_int_equal(
        dz_cluster_spawn_far(w.hosts[0].cluster, &w.hosts[0].rig.threads[1], "x@h:1", 5, &m, NULL),
        DZ_ENOCONNECTION);
    assert_non_null(m);
    dz_msg_free(m);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_starts_on_another_node),
        cmocka_unit_test(a_refused_start_names_the_node),
        cmocka_unit_test(a_start_on_a_lost_node_fails_with_noconnection),
        cmocka_unit_test(a_process_whose_supervisors_node_is_lost_already_does_not_start),
        cmocka_unit_test(an_unknown_node_is_no_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
