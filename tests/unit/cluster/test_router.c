#include "world.h"

static void a_call_to_another_node_is_answered(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    host_call(&w, 0, a, world_pid(&w, 1, b->proc.pid, 0), 7);
    host_expect(&w, 1, "B call 7;");
    host_expect(&w, 0, "A reply 7;");
    world_fini(&w);
}

static void a_process_born_before_the_cluster_is_found(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    assert_int_equal(b->proc.pid.node, 0);
    world_mesh(&w);
    host_call(&w, 0, a, world_pid(&w, 1, b->proc.pid, 0), 7);
    host_expect(&w, 1, "B call 7;");
    host_expect(&w, 0, "A reply 7;");
    world_fini(&w);
}

static void a_call_to_a_process_that_is_gone_says_noproc(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    struct dz_pid pid = world_pid(&w, 1, b->proc.pid, 0);
    rig_signal(&w.hosts[1].rig, DZ_MSG_KILL, DZ_PID_NONE, b->proc.pid, 0);
    host_expect(&w, 1, "B gone;");
    host_call(&w, 0, a, pid, 7);
    host_expect(&w, 0, "A failed noproc;");
    world_fini(&w);
}

static void messages_and_signals_of_a_pair_keep_their_order(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    struct dz_pid pid = world_pid(&w, 1, b->proc.pid, 0);
    struct dz_thread *t = &w.hosts[0].rig.threads[1];
    assert_int_equal(actor_send(t, DZ_MSG_SEND, a->proc.pid, pid, 0, 1), 0);
    assert_int_equal(actor_send(t, DZ_MSG_CAST, a->proc.pid, pid, 0, 2), 0);
    dz_send_signal(t, DZ_MSG_STOP, a->proc.pid, pid, 0, w.hosts[0].rig.rt.reasons[DZ_REASON_SHUTDOWN]);
    assert_int_equal(actor_send(t, DZ_MSG_SEND, a->proc.pid, pid, 0, 3), 0);
    world_settle(&w);
    host_expect(&w, 1, "B send 1;B cast 2;B stop shutdown;B terminate shutdown;B gone;");
    world_fini(&w);
}

static void a_link_breaks_across_nodes(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    rig_enter(a);
    assert_int_equal(dz_bond_link(&w.hosts[0].rig.threads[1], &a->proc, world_pid(&w, 1, b->proc.pid, 0)), 0);
    rig_leave(&w.hosts[0].rig, 1, a);
    world_settle(&w);
    rig_signal(&w.hosts[1].rig, DZ_MSG_STOP, DZ_PID_NONE, b->proc.pid, 0);
    world_settle(&w);
    host_expect(&w, 0, "A terminate shutdown;A gone;");
    world_fini(&w);
}

static struct actor *watch(struct world *w, struct actor *b)
{
    uint64_t ref;
    struct actor *a = host_actor(w, 0, 'A');
    rig_enter(a);
    assert_int_equal(
        dz_bond_monitor(&w->hosts[0].rig.threads[1], &a->proc, world_pid(w, 1, b->proc.pid, 0), &ref), 0);
    rig_leave(&w->hosts[0].rig, 1, a);
    world_settle(w);
    return a;
}

static void a_monitor_fires_once_across_nodes(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *b = host_actor(&w, 1, 'B');
    watch(&w, b);
    rig_signal(&w.hosts[1].rig, DZ_MSG_STOP, DZ_PID_NONE, b->proc.pid, 0);
    world_settle(&w);
    mem_net_kill(&w.net, 1);
    world_run(&w, 20);
    host_expect(&w, 0, "A down shutdown;down b refused;");
    world_fini(&w);
}

static void a_lost_node_ends_calls_links_and_monitors_with_noconnection(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *b = host_actor(&w, 1, 'B');
    watch(&w, b);
    struct actor *c = host_actor(&w, 0, 'C');
    host_call(&w, 0, c, world_pid(&w, 1, b->proc.pid, 0), -1);
    mem_net_kill(&w.net, 1);
    world_run(&w, 20);
    host_expect(&w, 0, "down b refused;A down noconnection;C failed noconnection;");
    world_fini(&w);
}

static void a_child_whose_supervisors_node_is_lost_ends_with_noconnection(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *s = host_actor(&w, 0, 'S'), *b = host_actor(&w, 1, 'B');
    b->proc.parent = world_pid(&w, 0, s->proc.pid, 1);
    assert_int_equal(
        dz_bond_add(&w.hosts[1].rig.threads[1], &b->proc, DZ_BOND_PARENT, b->proc.parent, 0, NULL), 0);
    mem_net_kill(&w.net, 0);
    world_run(&w, 20);
    host_expect(&w, 1, "down a refused;B terminate noconnection;B gone;");
    world_fini(&w);
}

static void a_message_for_an_older_life_is_bounced(void **state)
{
    struct world w;
    const char *seeds[] = {"a@127.0.0.1:4000"};
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *b = host_actor(&w, 1, 'B');
    struct dz_pid old = world_pid(&w, 1, b->proc.pid, 0);
    mem_net_kill(&w.net, 1);
    uint64_t now = w.hosts[1].rig.now_ns;
    host_fini(&w.hosts[1]);
    world_run(&w, 0);
    host_init(&w, 1);
    world_rebirth(&w.hosts[1].rig, 77);
    w.hosts[1].rig.now_ns = now + 100 * RIG_MS;
    w.hosts[0].rig.now_ns = now + 100 * RIG_MS;
    host_start(&w.hosts[1], seeds, 1);
    world_run(&w, 50);
    host_expect(&w, 0, "down b replaced;up b joined;");
    struct actor *a = host_actor(&w, 0, 'A');
    host_actor(&w, 1, 'N'); /* takes the slot and generation the old one had */
    host_call(&w, 0, a, old, 1);
    host_expect(&w, 0, "A failed noproc;");
    host_expect(&w, 1, "up a joined;");
    world_fini(&w);
}

/* A host that was frozen hears of its peer's next life from others before it knows that the session it has is over. */
static void a_message_for_a_life_not_met_yet_cannot_be_sent(void **state)
{
    struct world w;
    struct dz_pid later = {0, 5, 1};
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    struct dz_nodes *nodes = &w.hosts[0].rig.rt.nodes;
    uint64_t present = dz_nodes_get(nodes, world_pid(&w, 1, b->proc.pid, 0).node)->incarnation;
    assert_int_equal(dz_nodes_intern(nodes, w.hosts[1].id, strlen(w.hosts[1].id), present + 1, &later.node), 0);
    struct dz_msg *m = actor_msg(DZ_MSG_CALL, a->proc.pid, later, 9, 1);
    assert_int_equal(dz_send(&w.hosts[0].rig.threads[1], &m), DZ_ENOCONNECTION);
    dz_msg_free(m);
    world_fini(&w);
}

static void a_named_process_of_another_node_is_reached(void **state)
{
    struct world w;
    struct dz_pid owner;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    struct rig *rig = &w.hosts[1].rig;
    assert_int_equal(dz_names_register(&rig->rt.names, &rig->rt.table, "srv", 3, b->proc.pid, &owner), 0);
    struct dz_msg *m = actor_msg(DZ_MSG_CAST, a->proc.pid, DZ_PID_NONE, 0, 5);
    assert_int_equal(dz_cluster_wire_named(w.hosts[0].cluster, &w.hosts[0].rig.threads[1], w.hosts[1].id,
                                           strlen(w.hosts[1].id), "srv", 3, &m),
                     0);
    world_settle(&w);
    host_expect(&w, 1, "B cast 5;");
    m = actor_msg(DZ_MSG_CAST, a->proc.pid, DZ_PID_NONE, 0, 5);
    assert_int_equal(
        dz_cluster_wire_named(w.hosts[0].cluster, &w.hosts[0].rig.threads[1], "x@h:1", 5, "srv", 3, &m),
        DZ_ENOCONNECTION);
    dz_msg_free(m);
    world_fini(&w);
}

static void a_full_link_turns_casts_away_and_costs_the_session_when_a_signal_does_not_fit(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    struct dz_pid pid = world_pid(&w, 1, b->proc.pid, 0);
    struct dz_thread *t = &w.hosts[0].rig.threads[1];
    w.net.refuse_sends = 1;
    assert_int_equal(actor_send(t, DZ_MSG_CAST, a->proc.pid, pid, 0, 1), DZ_EOVERLOADED);
    w.net.refuse_sends = 1;
    dz_send_signal(t, DZ_MSG_LINK, a->proc.pid, pid, 0, NULL);
    world_run(&w, 50);
    host_expect(&w, 0, "down b overloaded;up b healed;");
    host_expect(&w, 1, "down a reset;up a healed;");
    world_fini(&w);
}

/* A term of `len` bytes and a few more. */
static struct dz_msg *great(enum dz_msg_kind kind, const struct actor *from, struct dz_pid to, uint64_t ref, size_t len)
{
    struct dz_buf buf;
    struct dz_build b;
    char *text = dz_alloc_must(len);
    memset(text, 'x', len);
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 2);
    dz_build_kstring(&b, "code", "mine");
    dz_build_key(&b, "text");
    dz_build_string(&b, text, len);
    assert_int_equal(dz_build_done(&b), 0);
    struct dz_msg *m = dz_msg_new_copy(kind, buf.data, buf.len);
    dz_buf_fini(&buf);
    dz_free(text);
    m->from = from->proc.pid;
    m->to = to;
    m->ref = ref;
    return m;
}

static void what_may_not_be_refused_is_made_short_on_a_full_link(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    struct dz_pid pid = world_pid(&w, 1, b->proc.pid, 0), back = world_pid(&w, 0, a->proc.pid, 1);
    struct dz_thread *t = &w.hosts[0].rig.threads[1];
    struct dz_thread *there = &w.hosts[1].rig.threads[1];
    w.net.room = 10000;
    struct dz_msg *m = great(DZ_MSG_REPLY, a, pid, 7, 20000);
    assert_int_equal(dz_send_patiently(t, &m), DZ_EOVERLOADED);
    assert_non_null(m); /* who can wait keeps it */
    dz_msg_free(m);
    host_call(&w, 0, a, pid, -1);
    m = great(DZ_MSG_REPLY, b, back, a->proc.wait->ref, 20000);
    dz_send_must(there, m);
    world_settle(&w);
    host_expect(&w, 0, "A failed overloaded;");
    host_expect(&w, 1, "B call -1;");
    m = great(DZ_MSG_REQUEST, a, pid, 9, 20000);
    dz_send_must(t, m); /* its sender hears, here */
    m = great(DZ_MSG_STOP, a, pid, 0, 20000);
    dz_send_must(t, m);
    world_settle(&w);
    host_expect(&w, 1, "B stop mine;B terminate mine;B gone;");
    world_run(&w, 100);
    host_expect(&w, 0, "");
    host_expect(&w, 1, "");
    world_fini(&w);
}

static void a_name_that_cannot_be_told_ends_the_session(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A');
    dz_cluster_global_register(w.hosts[0].cluster, "n", 1, a->proc.pid, DZ_PID_NONE, 0);
    world_run(&w, 50);
    w.net.refuse_sends = 1;
    assert_true(dz_cluster_global_unregister(w.hosts[0].cluster, "n", 1)); /* the other side would have it for ever */
    world_run(&w, 1000);
    host_expect(&w, 0, "down b overloaded;up b healed;");
    assert_true(dz_pid_is_none(dz_cluster_global_whereis(w.hosts[1].cluster, "n", 1)));
    world_fini(&w);
}

static void a_small_signal_has_room_on_a_full_link(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    struct dz_pid pid = world_pid(&w, 1, b->proc.pid, 0);
    struct dz_thread *t = &w.hosts[0].rig.threads[1];
    w.net.room = 1;
    assert_int_equal(actor_send(t, DZ_MSG_CAST, a->proc.pid, pid, 0, 1), DZ_EOVERLOADED);
    dz_send_must(t, great(DZ_MSG_STOP, a, pid, 0, 2000));
    world_run(&w, 100);
    host_expect(&w, 0, "");
    host_expect(&w, 1, "B stop mine;B terminate mine;B gone;");
    world_fini(&w);
}

static void hostile_frames_end_the_session_and_nothing_else(void **state)
{
    static const uint8_t frames[][12] = {
        {0},                       /* no such frame */
        {1},                       /* an envelope that stops */
        {1, DZ_MSG_TASK, 0, 0, 0}, /* cut */
        {4, 0x91},                 /* an exchange that stops */
        {8, 0xc1},                 /* no term at all */
    };
    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        struct world w;
        struct dz_cluster_stats stats;
        world_init(&w, 2);
        world_mesh(&w);
        mem_net_inject(&w.net, 1, 0, frames[i], 5);
        dz_cluster_stats(w.hosts[0].cluster, &stats);
        assert_int_equal(stats.malformed, 1);
        world_run(&w, 50);
        host_expect(&w, 0, "down b protocol;up b healed;");
        world_fini(&w);
    }
}

static void random_bytes_change_nothing(void **state)
{
    struct world w;
    uint64_t seed = 42;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    host_actor(&w, 0, 'A');
    for (int i = 0; i < 3000; i++) {
        uint8_t bytes[96];
        size_t len = check_random(&seed) % sizeof bytes;
        for (size_t k = 0; k < len; k++)
            bytes[k] = (uint8_t)check_random(&seed);
        if (len && i % 2)
            bytes[0] = (uint8_t)(1 + check_random(&seed) % 10);
        if (mem_net_peer(&w.net, 0, 1))
            mem_net_inject(&w.net, 1, 0, bytes, len);
        w.hosts[0].rig.len = w.hosts[1].rig.len = 0;
        world_run(&w, 5);
    }
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_to_another_node_is_answered),
        cmocka_unit_test(a_process_born_before_the_cluster_is_found),
        cmocka_unit_test(a_call_to_a_process_that_is_gone_says_noproc),
        cmocka_unit_test(messages_and_signals_of_a_pair_keep_their_order),
        cmocka_unit_test(a_link_breaks_across_nodes),
        cmocka_unit_test(a_monitor_fires_once_across_nodes),
        cmocka_unit_test(a_lost_node_ends_calls_links_and_monitors_with_noconnection),
        cmocka_unit_test(a_child_whose_supervisors_node_is_lost_ends_with_noconnection),
        cmocka_unit_test(a_message_for_an_older_life_is_bounced),
        cmocka_unit_test(a_message_for_a_life_not_met_yet_cannot_be_sent),
        cmocka_unit_test(a_named_process_of_another_node_is_reached),
        cmocka_unit_test(a_full_link_turns_casts_away_and_costs_the_session_when_a_signal_does_not_fit),
        cmocka_unit_test(what_may_not_be_refused_is_made_short_on_a_full_link),
        cmocka_unit_test(a_name_that_cannot_be_told_ends_the_session),
        cmocka_unit_test(a_small_signal_has_room_on_a_full_link),
        cmocka_unit_test(hostile_frames_end_the_session_and_nothing_else),
        cmocka_unit_test(random_bytes_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
