/* test_ports.c - the ports of one host: all of them filled, each leads where it should. */
#include "hosted.h"

#include "cluster/cluster.h"
#include "host/ports.h"

static struct dz_place_ports place_ports(struct hosted *f)
{
    struct dz_place_ports ports;
    memset(&ports, 0, sizeof ports);
    dz_cluster_fill_place(f->host->cluster, &ports);
    return ports;
}

static void every_port_that_must_be_there_is_there(void **state)
{
    struct hosted *f = *state;
    const struct dz_ports *p = &f->host->rt.ports;
    struct dz_place_ports place = place_ports(f);
    struct dz_cluster_callbacks cluster;
    dz_ports_fill_cluster(f->host, &cluster);
    assert_ptr_equal(p->ctx, f->host);
    assert_true(p->post && p->native_ready && p->wire && p->wire_named && p->spawn_far && p->choose_thread);
    assert_true(p->global_whereis && p->spawn && p->thread_message && p->global_end && p->overflow && p->crashed);
    assert_true(place.candidates && place.candidate_records && place.count_placed && place.spread && place.root_epoch);
    assert_true(place.placed && place.place_waits && place.may_place && place.behavior_hash);
    assert_int_equal(cluster.thread_count(cluster.ctx), 3);
}

/* Sends a SPAWN to worker 1 and waits for its answer. */
static int spawn(struct hosted *f, struct dz_msg *m, dz_reader *value)
{
    uint64_t ref;
    assert_non_null(m);
    assert_int_equal(dz_desk_ask(&f->host->desk, &f->thread, DZ_INFINITY, hosted_answered, f, &ref), 0);
    m->from = f->host->desk.pid;
    m->ref = ref;
    return hosted_wait(f, dz_spawn_send(&f->thread, DZ_THREAD_WORKER, &m, NULL), value);
}

static struct dz_msg *spawn_of(struct hosted *f, const char *name, const char *path, const char *epoch)
{
    struct dz_spawn s = {
        .what = DZ_SPAWN_BEHAVIOR,
        .name = { name, strlen(name) },
        .path = { path, path ? strlen(path) : 0 },
        .epoch = { epoch, epoch ? 16 : 0 },
        .timeout_ms = DZ_INFINITY,
    };
    return dz_spawn_pack(&f->host->rt.nodes, &s);
}

static void a_spawn_finds_the_behaviour_in_c_or_else_is_luas(void **state)
{
    struct hosted *f = *state;
    dz_reader value;
    assert_int_equal(spawn(f, spawn_of(f, "ear", NULL, NULL), &value), 0);
    assert_int_equal(dz_reader_type(&value), DZ_TYPE_PROCESS);
    assert_int_equal(spawn(f, spawn_of(f, "nobody knows it", NULL, NULL), &value), DZ_ENOBEHAVIOR);
    assert_int_equal(dz_host_process_count(f->host), 1);
}

static void a_spawn_that_cannot_be_read_is_refused_and_leaves_no_slot(void **state)
{
    struct hosted *f = *state;
    assert_int_equal(spawn(f, dz_msg_new_copy(DZ_MSG_SPAWN, (const uint8_t *)"\xc1", 1), NULL), DZ_EFORMAT);
    assert_int_equal(dz_host_process_count(f->host), 0);
}

static void an_older_placement_of_a_path_is_not_made(void **state)
{
    static const char older[] = "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1";
    static const char newer[] = "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2";
    struct hosted *f = *state;
    dz_reader value;
    assert_int_equal(spawn(f, spawn_of(f, "ear", "root/c", newer), &value), 0);
    assert_int_equal(spawn(f, spawn_of(f, "ear", "root/c", older), &value), DZ_ESUPERSEDED);
    assert_int_equal(dz_host_process_count(f->host), 1);
}

static void on_event(void *ctx, const dz_reader *event)
{
    seen_value(ctx, event);
}

static void an_overflow_is_told_with_its_figures_at_most_once_a_second(void **state)
{
    struct hosted *f = *state;
    struct seen seen = SEEN_INIT;
    const char *types[] = { "mailbox_overflow" };
    const struct dz_ports *p = &f->host->rt.ports;
    dz_subscription *s;
    dz_process ear = hosted_ear(f);
    assert_int_equal(dz_host_subscribe(f->host, types, 1, false, on_event, &seen, &s), 0);
    p->overflow(p->ctx, &f->thread, f->host->rt.events); /* never of the hub itself */
    for (int i = 0; i < 5; i++)
        p->overflow(p->ctx, &f->thread, dz_pid_of(ear));
    hosted_skip(f, 1001);
    p->overflow(p->ctx, &f->thread, DZ_PID_NONE); /* gone meanwhile */
    seen_await(&seen, 2);
    expect_text(seen.all, "messages = 0");
    expect_text(seen.all, "bytes = 0");
    expect_text(seen.all, "dropped = 0");
    assert_int_equal(seen_count(&seen), 2);
    dz_host_unsubscribe(f->host, s);
}

static void a_message_no_thread_knows_is_logged_and_freed(void **state)
{
    struct hosted *f = *state;
    const struct dz_ports *p = &f->host->rt.ports;
    p->thread_message(p->ctx, &f->thread, dz_msg_new(DZ_MSG_NOTICE, 0));
    expect_text(hosted_log(f), "a message to a thread that it does not know");
}

static void alone_this_node_is_the_only_candidate(void **state)
{
    struct hosted *f = *state;
    struct dz_place_ports place = place_ports(f);
    struct dz_candidate out[4];
    memset(out, 0, sizeof out);
    hosted_ear(f);
    assert_int_equal(place.candidates(place.ctx, out, 4), 1);
    assert_string_equal(out[0].id, "local@127.0.0.1:0");
    assert_true(out[0].local && out[0].connected && !out[0].draining);
    assert_int_equal(place.candidates(place.ctx, out, 0), 1); /* how many there are, whatever the room */
    place.count_placed(place.ctx, out[0].node);
    struct dz_build b;
    dz_builder_clear(f->b);
    dz_build_init(&b, &f->b->buf);
    place.candidate_records(place.ctx, &b);
    dz_reader records = dz_builder_read(f->b);
    expect_text(hosted_text(f, &records, NULL), "id = \"local@127.0.0.1:0\"");
}

static void children_are_spread_over_the_workers(void **state)
{
    struct hosted *f = *state;
    struct dz_place_ports place = place_ports(f);
    unsigned seen = 0;
    for (int i = 0; i < 50; i++) {
        uint32_t thread = place.spread(place.ctx);
        assert_in_range(thread, DZ_THREAD_WORKER, 2);
        seen |= 1u << thread;
    }
    assert_int_equal(seen, 6);
}

static void a_behaviour_file_has_a_hash_and_one_in_c_has_none(void **state)
{
    struct hosted *f = *state;
    struct dz_place_ports place = place_ports(f);
    uint8_t hash[32], again[32];
    files_write(&f->files, "quiet.lua", "return { init = function() end }");
    assert_int_equal(dz_host_add_behavior_dir(f->host, f->files.dir), 0);
    assert_true(place.behavior_hash(place.ctx, "quiet", 5, hash));
    assert_true(place.behavior_hash(place.ctx, "quiet", 5, again));
    assert_memory_equal(hash, again, sizeof hash);
    assert_false(place.behavior_hash(place.ctx, "ear", 3, hash));
    assert_false(place.behavior_hash(place.ctx, "missing", 7, hash));
}

static void placements_go_to_the_cluster_even_without_one(void **state)
{
    static const char epoch[] = "\0\0\0\0\0\0\0\5";
    struct hosted *f = *state;
    struct dz_place_ports place = place_ports(f);
    dz_process ear = hosted_ear(f);
    assert_true(place.may_place(place.ctx, "root", 4));
    assert_int_equal(place.placed(place.ctx, "root", 4, epoch, 8, dz_pid_of(ear)), 0);
    assert_false(place.place_waits(place.ctx, "root", 4, epoch, 8));
    assert_true(place.root_epoch(place.ctx, "root", 4) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTED(every_port_that_must_be_there_is_there),
        HOSTED(a_spawn_finds_the_behaviour_in_c_or_else_is_luas),
        HOSTED(a_spawn_that_cannot_be_read_is_refused_and_leaves_no_slot),
        HOSTED(an_older_placement_of_a_path_is_not_made),
        HOSTED(an_overflow_is_told_with_its_figures_at_most_once_a_second),
        HOSTED(a_message_no_thread_knows_is_logged_and_freed),
        HOSTED(alone_this_node_is_the_only_candidate),
        HOSTED(children_are_spread_over_the_workers),
        HOSTED_NEW(a_behaviour_file_has_a_hash_and_one_in_c_has_none),
        HOSTED(placements_go_to_the_cluster_even_without_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
