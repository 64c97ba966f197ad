/* test_remote_serve.c - processes started for other nodes: answered, cancelled, too late, held back by older
 * copies. */
#include "wishes.h"
#include "cluster/remote.h"

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

static struct dz_remote *remote_of(struct world *w, int i)
{
    return &w->hosts[i].cluster->remote;
}

static void malformed_requests_are_refused_and_start_nothing(void **state)
{
    (void)state;
    struct world w;
    struct dz_envelope_ends ends = {0};
    begin(&w, 2);
    struct dz_remote *r = remote_of(&w, 1);
    assert_int_equal(dz_remote_serve(r, &ends, (const uint8_t *)"abc", 3), DZ_EFORMAT);
    assert_int_not_equal(dz_remote_serve(r, &ends, (const uint8_t *)"\0\0\0\1\xc1", 5), 0);
    static const char *const bad[] = {"\x80", "\x91\x01", "\x92\xa1x\x01",
                                      "\x92\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x01"};
    static const size_t lens[] = {1, 2, 4, 11};
    for (int i = 0; i < 4; i++) {
        assert_int_not_equal(dz_remote_cancelled(r, 0, (const uint8_t *)bad[i], lens[i]), 0);
        assert_int_not_equal(dz_remote_confirmed(r, 0, (const uint8_t *)bad[i], i == 1 ? 0 : lens[i]), 0);
    }
    assert_int_equal(dz_remote_cancelled(r, 7, (const uint8_t *)"\x92\x05\x01", 3), 0);
    assert_int_equal(dz_remote_confirmed(r, 7, (const uint8_t *)"\x91\x05", 2), 0);
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 0);
    world_fini(&w);
}

static void a_held_start_that_is_cancelled_never_runs(void **state)
{
    (void)state;
    struct world w;
    struct wish first = {.path = "root/c", .epoch = {1, 1}, .depth = 2};
    struct wish second = {.path = "root/c", .epoch = {1, 2}, .depth = 2};
    begin(&w, 2);
    w.hosts[1].rig.born = &lingering_role;
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 0, 'B');
    spawn(&w, a, 1, &first);
    world_settle(&w);
    host_expect(&w, 0, "A reply <b@127.0.0.1:4001/1000.1.1>;");
    struct dz_pid cancel = spawn(&w, b, 1, &second);
    world_run(&w, 20);
    assert_int_equal(remote_of(&w, 1)->waiting, 1);
    dz_send_signal(&w.hosts[0].rig.threads[1], DZ_MSG_KILL, b->proc.pid, cancel, 0, NULL);
    world_run(&w, 20);
    host_expect(&w, 0, "B failed init_failed;");
    assert_int_equal(remote_of(&w, 1)->waiting, 0);
    world_run(&w, 600);
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 0);
    world_fini(&w);
}

static void a_held_start_is_refused_when_a_still_newer_one_came_meanwhile(void **state)
{
    (void)state;
    struct world w;
    struct wish first = {.path = "root/c", .epoch = {1, 1}, .depth = 2};
    struct wish second = {.path = "root/c", .epoch = {1, 2}, .depth = 2};
    struct wish third = {.path = "root/c", .epoch = {1, 3}, .depth = 2};
    begin(&w, 2);
    w.hosts[1].rig.born = &lingering_role;
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 0, 'B'), *c = host_actor(&w, 0, 'C');
    spawn(&w, a, 1, &first);
    world_settle(&w);
    spawn(&w, b, 1, &second);
    spawn(&w, c, 1, &third);
    world_run(&w, 400);
    host_expect(&w, 0, "A reply <b@127.0.0.1:4001/1000.1.1>;B failed superseded;");
    world_run(&w, 200);
    host_expect(&w, 0, "C reply <b@127.0.0.1:4001/1000.2.1>;");
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 1);
    assert_int_equal(remote_of(&w, 1)->waiting, 0);
    world_fini(&w);
}

/* Its terminate does not return. */
static void stubborn_terminate(struct dz_thread *t, struct actor *a)
{
    rig_terminate(t, a);
    actor_sleep(t, a, DZ_INFINITY);
}

static const struct actor_role stubborn_role = {
    .message = rig_message, .resume = slow_resume, .terminate = stubborn_terminate, .gone = rig_gone};

static void what_does_not_end_in_time_is_killed(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 1);
    struct host *h = &w.hosts[0];
    struct actor *a = actor_new(&h->rig.threads[1], &stubborn_role, 'A', &h->rig);
    rig_turn(&h->rig);
    dz_remote_stop(remote_of(&w, 0), a->proc.pid, DZ_REASON_SHUTDOWN);
    world_settle(&w);
    host_expect(&w, 0, "A stop shutdown;A terminate shutdown;");
    assert_int_equal(dz_remote_next(remote_of(&w, 0), dz_cluster_now(h->cluster)),
                     dz_cluster_now(h->cluster) + DZ_REMOTE_STOP_MS);
    h->rig.now_ns += (DZ_REMOTE_STOP_MS - 1) * RIG_MS;
    dz_remote_tick(remote_of(&w, 0), dz_cluster_now(h->cluster));
    world_settle(&w);
    host_expect(&w, 0, "");
    h->rig.now_ns += RIG_MS;
    dz_remote_tick(remote_of(&w, 0), dz_cluster_now(h->cluster));
    world_settle(&w);
    host_expect(&w, 0, "A gone;");
    assert_true(dz_remote_next(remote_of(&w, 0), dz_cluster_now(h->cluster)) == DZ_INFINITY);
    world_fini(&w);
}

static void asked_twice_is_asked_once(void **state)
{
    (void)state;
    struct world w;
    struct wish wish = {0};
    begin(&w, 2);
    struct actor *a = host_actor(&w, 0, 'A');
    spawn(&w, a, 1, &wish);
    world_settle(&w);
    assert_int_equal(remote_of(&w, 1)->served.count, 1);
    uint32_t it = 0;
    uint64_t key;
    void *value;
    assert_true(dz_map_next(&remote_of(&w, 1)->served, &it, &key, &value));
    struct dz_session_state *s =
        dz_list_entry(w.hosts[1].cluster->sessions.next, struct dz_session_state, all);
    uint8_t frame[512] = {(uint8_t)(key >> 24), (uint8_t)(key >> 16), (uint8_t)(key >> 8), (uint8_t)key};
    assert_int_not_equal(dz_remote_serve(remote_of(&w, 1), &s->ends, frame, 5), 0);
    assert_int_equal(remote_of(&w, 1)->served.count, 1);
    assert_int_equal(atomic_load(&w.hosts[1].rig.rt.table.count), 1);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancelled_start_is_killed_and_answered),
        cmocka_unit_test(a_start_whose_asker_gives_up_late_is_stopped),
        cmocka_unit_test(a_start_that_lasts_too_long_is_ended_where_it_runs),
        cmocka_unit_test(what_a_lost_node_had_asked_for_is_killed),
        cmocka_unit_test(what_started_and_was_not_confirmed_is_stopped_with_the_session),
        cmocka_unit_test(what_was_confirmed_outlives_the_session),
        cmocka_unit_test(a_process_with_a_worker_of_its_own_gets_it_on_the_other_node),
        cmocka_unit_test(a_newer_placement_waits_until_the_older_copy_is_gone),
        cmocka_unit_test(an_older_placement_is_refused),
        cmocka_unit_test(on_ones_own_node_older_copies_end_first_too),
        cmocka_unit_test(a_different_behaviour_file_is_refused_only_when_strict),
        cmocka_unit_test(malformed_requests_are_refused_and_start_nothing),
        cmocka_unit_test(a_held_start_that_is_cancelled_never_runs),
        cmocka_unit_test(a_held_start_is_refused_when_a_still_newer_one_came_meanwhile),
        cmocka_unit_test(what_does_not_end_in_time_is_killed),
        cmocka_unit_test(asked_twice_is_asked_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
