#include "world.h"

/* A spawn as an asker makes it. */
struct wish {
    const char *path;
    uint64_t epoch[3];
    int depth;
    uint64_t timeout_ms;
    bool hashed;
    bool own_worker;
};

static size_t pack_epoch(const struct wish *wish, char *out)
{
    for (int i = 0; i < wish->depth; i++)
        for (int k = 0; k < 8; k++)
            out[i * 8 + k] = (char)(wish->epoch[i] >> (56 - 8 * k));
    return (size_t)wish->depth * 8;
}

/* Actor a of host 0 asks host `to` for a process; a then waits. */
static struct dz_pid spawn(struct world *w, struct actor *a, int to, const struct wish *wish)
{
    struct host *h = &w->hosts[0];
    struct dz_thread *t = &h->rig.threads[1];
    struct dz_pid cancel = DZ_PID_NONE;
    char epoch[24];
    char hash[32] = {0};
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .name = {"thing", 5}, .timeout_ms = wish->timeout_ms};
    if (!s.timeout_ms)
        s.timeout_ms = 10000;
    if (wish->path) {
        s.path = (struct dz_str){wish->path, strlen(wish->path)};
        s.epoch = (struct dz_str){epoch, pack_epoch(wish, epoch)};
    }
    s.flags = wish->own_worker ? DZ_SPAWN_OWN_WORKER : 0;
    if (wish->hashed)
        s.hash = (struct dz_str){hash, sizeof hash};
    struct dz_msg *m = dz_spawn_pack(&h->rig.rt.nodes, &s);
    m->from = a->proc.pid;
    m->ref = dz_rt_next_ref(&h->rig.rt);
    uint64_t ref = m->ref;
    rig_enter(a);
    const char *id = w->hosts[to].id;
    int err = dz_cluster_spawn_far(h->cluster, t, id, strlen(id), &m, &cancel);
    assert_int_equal(err, 0);
    assert_null(m);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_REPLY, .ref = ref, .target = cancel};
    dz_process_wait(t, &a->proc, &a->wait, DZ_INFINITY);
    dz_process_rest(t, &a->proc);
    return cancel;
}

static void slow_init(struct dz_thread *t, struct actor *a)
{
    actor_sleep(t, a, 3000 * RIG_MS);
}

static void slow_resume(struct dz_thread *t, struct actor *a)
{
    dz_process_unwait(t, &a->proc);
}

static const struct actor_role slow_role = {
    .init = slow_init,
    .message = rig_message,
    .resume = slow_resume,
    .terminate = rig_terminate,
    .gone = rig_gone,
};

/* It takes its time to end. */
static void lingering_terminate(struct dz_thread *t, struct actor *a)
{
    rig_terminate(t, a);
    actor_sleep(t, a, 500 * RIG_MS);
}

static const struct actor_role lingering_role = {
    .message = rig_message,
    .resume = slow_resume,
    .terminate = lingering_terminate,
    .gone = rig_gone,
};

static void begin(struct world *w, int count)
{
    world_init(w, count);
    world_mesh(w);
}

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

static void a_cancelled_start_is_killed_and_answered(void **state)
{
    struct world w;
    struct wish wish = {0};
    (void)state;
    begin(&w, 2);
    w.hosts[1].rig.born = &slow_role;
    struct actor *a = host_actor(&w, 0, 'A');
    struct dz_pid cancel = spawn(&w, a, 1, &wish);
    world_run(&w, 20);
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 1);
    dz_send_signal(&w.hosts[0].rig.threads[1], DZ_MSG_KILL, a->proc.pid, cancel, 0, NULL);
    world_run(&w, 20);
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 0);
    host_expect(&w, 0, "A failed init_failed;");
    world_fini(&w);
}

static void a_start_whose_asker_gives_up_late_is_stopped(void **state)
{
    struct world w;
    struct wish wish = {0};
    struct dz_cluster_stats stats;
    (void)state;
    begin(&w, 2);
    struct actor *a = host_actor(&w, 0, 'A');
    struct dz_pid cancel = spawn(&w, a, 1, &wish);
    world_settle(&w);
    host_expect(&w, 0, "A reply <b@127.0.0.1:4001/1000.1.1>;");
    dz_send_signal(&w.hosts[0].rig.threads[1], DZ_MSG_ANSWERED, a->proc.pid, cancel, 0, NULL);
    world_settle(&w);
    host_expect(&w, 1, "n stop shutdown;n terminate shutdown;n gone;");
    dz_cluster_stats(w.hosts[1].cluster, &stats);
    assert_int_equal(stats.late_spawns, 1);
    world_fini(&w);
}

static void a_start_that_lasts_too_long_is_ended_where_it_runs(void **state)
{
    struct world w;
    struct wish wish = {.timeout_ms = 1000};
    (void)state;
    begin(&w, 2);
    w.hosts[1].rig.born = &slow_role;
    struct actor *a = host_actor(&w, 0, 'A');
    spawn(&w, a, 1, &wish);
    world_run(&w, 900);
    host_expect(&w, 0, "");
    world_run(&w, 200);
    host_expect(&w, 0, "A failed timeout;");
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 0);
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

static void what_a_lost_node_had_asked_for_is_killed(void **state)
{
    struct world w;
    struct wish wish = {0};
    (void)state;
    begin(&w, 2);
    w.hosts[1].rig.born = &slow_role;
    struct actor *a = host_actor(&w, 0, 'A');
    spawn(&w, a, 1, &wish);
    world_run(&w, 20);
    mem_net_kill(&w.net, 0);
    world_run(&w, 20);
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 0);
    world_fini(&w);
}

/* The node answered, and froze, or the link broke, before the answer came: nobody has its pid. */
static void what_started_and_was_not_confirmed_is_stopped_with_the_session(void **state)
{
    struct world w;
    struct wish wish = {0};
    (void)state;
    begin(&w, 2);
    struct actor *a = host_actor(&w, 0, 'A');
    spawn(&w, a, 1, &wish);
    mem_net_step(&w.net, w.hosts[0].rig.now_ns);
    mem_net_mute(&w.net, 0, 1, true);
    world_settle(&w);
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 1);
    world_run(&w, 4000);
    host_expect(&w, 0, "down b timeout;A failed noconnection;");
    host_expect(&w, 1, "down a timeout;n stop noconnection;n terminate noconnection;n gone;");
    mem_net_mute(&w.net, 0, 1, false);
    world_run(&w, 50);
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 0);
    world_fini(&w);
}

static void what_was_confirmed_outlives_the_session(void **state)
{
    struct world w;
    struct wish wish = {0};
    (void)state;
    begin(&w, 2);
    struct actor *a = host_actor(&w, 0, 'A');
    spawn(&w, a, 1, &wish);
    world_settle(&w);
    host_expect(&w, 0, "A reply <b@127.0.0.1:4001/1000.1.1>;");
    world_run(&w, 2 * DZ_REMOTE_KEEP_MS);
    mem_net_cut(&w.net, 0, 1, true);
    world_run(&w, 4000);
    host_expect(&w, 1, "down a timeout;");
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 1);
    world_fini(&w);
}

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

static int spare_thread(void *ctx, const char *name, size_t len)
{
    assert_int_equal(len, 5);
    assert_memory_equal(name, "thing", 5);
    rig_note(&((struct host *)ctx)->rig, "add");
    return 2;
}

static void owned(void *ctx, uint32_t thread, struct dz_pid pid)
{
    rig_note(&((struct host *)ctx)->rig, "own %u %d", thread, !dz_pid_is_none(pid));
}

static void a_process_with_a_worker_of_its_own_gets_it_on_the_other_node(void **state)
{
    struct world w;
    struct wish wish = {.own_worker = true};
    (void)state;
    begin(&w, 2);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 0, 'B');
    w.hosts[1].cluster->callbacks.add_thread = spare_thread;
    w.hosts[1].cluster->callbacks.own_thread = owned;
    spawn(&w, a, 1, &wish);
    world_settle(&w);
    host_expect(&w, 1, "add;own 2 1;");
    struct dz_slot *slot = dz_table_slot(&w.hosts[1].rig.rt.table, 1);
    assert_int_equal(atomic_load(&slot->thread), 2);
    w.hosts[1].cluster->callbacks.add_thread = NULL;
    spawn(&w, b, 1, &wish);
    world_settle(&w);
    host_expect(&w, 0, "A reply <b@127.0.0.1:4001/1000.1.1>;B failed not_in_simulation;");
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

static void a_newer_placement_waits_until_the_older_copy_is_gone(void **state)
{
    struct world w;
    struct wish first = {.path = "root/c", .epoch = {1, 1}, .depth = 2};
    struct wish second = {.path = "root/c", .epoch = {1, 2}, .depth = 2};
    (void)state;
    begin(&w, 2);
    w.hosts[1].rig.born = &lingering_role;
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 0, 'B');
    spawn(&w, a, 1, &first);
    world_settle(&w);
    host_expect(&w, 0, "A reply <b@127.0.0.1:4001/1000.1.1>;");
    spawn(&w, b, 1, &second);
    world_run(&w, 400);
    host_expect(&w, 1, "n stop superseded;n terminate superseded;");
    host_expect(&w, 0, "");
    world_run(&w, 200);
    host_expect(&w, 1, "n gone;");
    host_expect(&w, 0, "B reply <b@127.0.0.1:4001/1000.2.1>;");
    world_fini(&w);
}

static void an_older_placement_is_refused(void **state)
{
    struct world w;
    struct wish first = {.path = "root/c", .epoch = {2, 1}, .depth = 2};
    struct wish second = {.path = "root/c", .epoch = {1, 9}, .depth = 2};
    (void)state;
    begin(&w, 2);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 0, 'B');
    spawn(&w, a, 1, &first);
    world_settle(&w);
    spawn(&w, b, 1, &second);
    world_settle(&w);
    host_expect(&w, 0, "A reply <b@127.0.0.1:4001/1000.1.1>;B failed superseded;");
    host_expect(&w, 1, "");
    world_fini(&w);
}

static void on_ones_own_node_older_copies_end_first_too(void **state)
{
    struct world w;
    struct wish first = {.path = "root/c", .epoch = {1, 1}, .depth = 2};
    struct wish second = {.path = "root/c", .epoch = {1, 2}, .depth = 2};
    char epoch[24];
    (void)state;
    begin(&w, 1);
    w.hosts[0].rig.born = &lingering_role;
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 0, 'B');
    spawn(&w, a, 0, &first);
    world_settle(&w);
    size_t len = pack_epoch(&second, epoch);
    assert_true(dz_cluster_place_waits(w.hosts[0].cluster, "root/c", 6, epoch, len));
    spawn(&w, b, 0, &second);
    world_run(&w, 600);
    host_expect(&w, 0,
                "A reply <a@127.0.0.1:4000/1000.3.1>;n stop superseded;n terminate superseded;n gone;"
                "B reply <a@127.0.0.1:4000/1000.4.1>;");
    assert_false(dz_cluster_place_waits(w.hosts[0].cluster, "root/c", 6, epoch, len));
    world_fini(&w);
}

static void a_different_behaviour_file_is_refused_only_when_strict(void **state)
{
    struct world w;
    struct wish wish = {.hashed = true};
    (void)state;
    begin(&w, 2);
    w.hosts[1].has_hash = true;
    w.hosts[1].hash[0] = 1;
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 0, 'B');
    spawn(&w, a, 1, &wish);
    world_settle(&w);
    host_expect(&w, 0, "A reply <b@127.0.0.1:4001/1000.1.1>;");
    w.hosts[1].cluster->strict_versions = true;
    spawn(&w, b, 1, &wish);
    world_settle(&w);
    host_expect(&w, 0, "B failed behavior_not_found;");
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_starts_on_another_node),
        cmocka_unit_test(a_refused_start_names_the_node),
        cmocka_unit_test(a_cancelled_start_is_killed_and_answered),
        cmocka_unit_test(a_start_whose_asker_gives_up_late_is_stopped),
        cmocka_unit_test(a_start_that_lasts_too_long_is_ended_where_it_runs),
        cmocka_unit_test(a_start_on_a_lost_node_fails_with_noconnection),
        cmocka_unit_test(what_a_lost_node_had_asked_for_is_killed),
        cmocka_unit_test(what_started_and_was_not_confirmed_is_stopped_with_the_session),
        cmocka_unit_test(what_was_confirmed_outlives_the_session),
        cmocka_unit_test(a_process_whose_supervisors_node_is_lost_already_does_not_start),
        cmocka_unit_test(a_process_with_a_worker_of_its_own_gets_it_on_the_other_node),
        cmocka_unit_test(an_unknown_node_is_no_connection),
        cmocka_unit_test(a_newer_placement_waits_until_the_older_copy_is_gone),
        cmocka_unit_test(an_older_placement_is_refused),
        cmocka_unit_test(on_ones_own_node_older_copies_end_first_too),
        cmocka_unit_test(a_different_behaviour_file_is_refused_only_when_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
