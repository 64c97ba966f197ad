/* test_globals_ask.c - registrations while they ask the other nodes, and what others ask and answer. */
#include "names.h"

static void when_register_returns_every_node_knows_the_name(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 3);
    world_mesh(&w);
    w.net.delay_ns = 20 * RIG_MS;
    struct actor *a = host_actor(&w, 0, 'A');
    ask_name(&w, 0, a, "n");
    for (int i = 0; i < 40 && w.hosts[0].rig.len == 0; i++)
        world_run(&w, 5);
    host_expect(&w, 0, "A reply nil;");
    for (int i = 0; i < 3; i++)
        assert_true(has_name(&w, i, "n", 0, a));
    world_fini(&w);
}

static void a_name_taken_elsewhere_says_by_whom(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    take_name(&w, 0, a, "n");
    take_name(&w, 1, b, "n");
    host_expect(&w, 1, "B failed name_taken;");
    assert_true(has_name(&w, 1, "n", 0, a));
    world_fini(&w);
}

static void of_two_who_ask_at_once_the_lower_node_wins(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 3);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    ask_name(&w, 1, b, "n");
    ask_name(&w, 0, a, "n");
    world_settle(&w);
    host_expect(&w, 0, "A reply nil;");
    host_expect(&w, 1, "B failed name_taken;");
    for (int i = 0; i < 3; i++)
        assert_true(has_name(&w, i, "n", 0, a));
    world_fini(&w);
}

static void a_node_that_does_not_answer_delays_a_registration_one_second(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A');
    mem_net_mute(&w.net, 0, 1, true);
    ask_name(&w, 0, a, "n");
    world_run(&w, 950);
    host_expect(&w, 0, "");
    world_run(&w, 100);
    host_expect(&w, 0, "A reply nil;");
    mem_net_mute(&w.net, 0, 1, false);
    world_run(&w, 50);
    assert_true(has_name(&w, 1, "n", 0, a));
    world_fini(&w);
}

static void a_registration_that_lost_before_it_was_entered_says_so(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 3);
    world_mesh(&w);
    mem_net_cut(&w.net, 1, 2, true);
    world_separate(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    take_name(&w, 1, b, "l");
    take_name(&w, 1, b, "m");
    take_name(&w, 1, b, "n");
    w.hosts[0].rig.len = 0;
    mem_net_mute(&w.net, 0, 2, true);
    ask_name(&w, 0, a, "n");
    mem_net_cut(&w.net, 0, 1, false);
    world_run(&w, 1100);
    host_expect(&w, 0, "up b healed;A failed name_taken;");
    mem_net_mute(&w.net, 0, 2, false);
    mem_net_cut(&w.net, 1, 2, false);
    world_run(&w, 3000);
    rig_signal(&w.hosts[1].rig, DZ_MSG_KILL, DZ_PID_NONE, b->proc.pid, 0);
    world_settle(&w);
    for (int i = 0; i < 3; i++)
        assert_true(has_name(&w, i, "n", 0, NULL));
    world_fini(&w);
}

static void a_name_has_1_to_255_bytes_and_belongs_to_a_process_of_this_node(void **state)
{
    (void)state;
    struct world w;
    char name[300];
    memset(name, 'n', sizeof name);
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    struct dz_globals *g = &w.hosts[0].cluster->globals;
    struct dz_pid far = world_pid(&w, 1, b->proc.pid, 0);
    name[256] = '\0';
    take_name(&w, 0, a, name);
    name[255] = '\0';
    take_name(&w, 0, a, name);
    take_name(&w, 0, a, "");
    host_expect(&w, 0, "A failed bad_argument;A reply nil;A failed bad_argument;");
    dz_globals_register(g, "far", 3, far, NULL, DZ_PID_NONE, 0, 0);
    world_settle(&w);
    assert_true(has_name(&w, 0, "far", 1, NULL));
    assert_true(dz_list_empty(&g->asks));
    world_fini(&w);
}

static void the_same_process_may_ask_again(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A');
    take_name(&w, 0, a, "n");
    take_name(&w, 0, a, "n");
    host_expect(&w, 0, "A reply nil;A reply nil;");
    assert_true(has_name(&w, 1, "n", 0, a));
    world_fini(&w);
}

static void a_process_that_ends_while_it_asks_leaves_no_name(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 2);
    world_mesh(&w);
    w.net.delay_ns = 20 * RIG_MS;
    struct actor *a = host_actor(&w, 0, 'A');
    ask_name(&w, 0, a, "n");
    rig_signal(&w.hosts[0].rig, DZ_MSG_KILL, DZ_PID_NONE, a->proc.pid, 0);
    world_run(&w, 1500);
    for (int i = 0; i < 2; i++)
        assert_true(has_name(&w, i, "n", 0, NULL));
    assert_true(dz_list_empty(&w.hosts[0].cluster->globals.asks));
    world_fini(&w);
}

static void an_asking_that_waits_is_due_in_a_second_and_forgotten_with_the_host(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 2);
    world_mesh(&w);
    struct dz_globals *g = &w.hosts[0].cluster->globals;
    assert_true(dz_globals_next(g) == DZ_INFINITY);
    mem_net_mute(&w.net, 0, 1, true);
    struct actor *a = host_actor(&w, 0, 'A');
    ask_name(&w, 0, a, "n");
    world_settle(&w);
    assert_int_equal(dz_globals_next(g), dz_cluster_now(w.hosts[0].cluster) + DZ_GLOBALS_REGISTER_MS);
    dz_globals_abandon(g);
    assert_true(dz_globals_next(g) == DZ_INFINITY);
    host_expect(&w, 0, "");
    mem_net_mute(&w.net, 0, 1, false);
    rig_signal(&w.hosts[0].rig, DZ_MSG_KILL, DZ_PID_NONE, a->proc.pid, 0);
    world_fini(&w);
}

/* Each is malformed for each of the frames a peer sends. */
static const struct {
    const char *bytes;
    size_t len;
} malformed[] = {
    {"", 0},
    {"\x80", 1},
    {"\x90", 1},
    {"\x92\xa1x\xc0", 4},
    {"\x92\x01", 2},
    {"\x92\x01\x05", 3},
    {"\x93\x01\x02\x03", 4},
    {"\x91\xa1x", 3},
};

static void malformed_frames_are_refused_and_change_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 2);
    world_mesh(&w);
    struct dz_globals *g = &w.hosts[0].cluster->globals;
    uint64_t peer = mem_net_peer(&w.net, 0, 1);
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        const uint8_t *data = (const uint8_t *)malformed[i].bytes;
        assert_int_not_equal(dz_globals_asked(g, peer, data, malformed[i].len), 0);
        assert_int_not_equal(dz_globals_answered(g, peer, data, malformed[i].len), 0);
        assert_int_not_equal(dz_globals_set(g, peer, data, malformed[i].len), 0);
        assert_int_not_equal(dz_globals_seen(g, peer, data, malformed[i].len), 0);
    }
    assert_int_equal(atomic_load(&g->count), 0);
    world_fini(&w);
}

static void answers_to_nothing_are_passed_over(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 2);
    world_mesh(&w);
    struct dz_globals *g = &w.hosts[0].cluster->globals;
    uint64_t peer = mem_net_peer(&w.net, 0, 1);
    assert_int_equal(dz_globals_answered(g, peer, (const uint8_t *)"\x92\x63\xc0", 3), 0);
    assert_int_equal(dz_globals_seen(g, peer, (const uint8_t *)"\x91\x63", 2), 0);
    mem_net_mute(&w.net, 0, 1, true);
    struct actor *a = host_actor(&w, 0, 'A');
    ask_name(&w, 0, a, "n");
    /* From somebody who was not asked, then before it is entered, then by the one who was. */
    assert_int_equal(dz_globals_answered(g, peer + 99, (const uint8_t *)"\x92\x01\xc0", 3), 0);
    assert_int_equal(dz_globals_seen(g, peer, (const uint8_t *)"\x91\x01", 2), 0);
    world_settle(&w);
    host_expect(&w, 0, "");
    assert_int_equal(dz_globals_answered(g, peer, (const uint8_t *)"\x92\x01\xc0", 3), 0);
    assert_int_equal(dz_globals_answered(g, peer, (const uint8_t *)"\x92\x01\xc0", 3), 0);
    host_expect(&w, 0, "");
    assert_int_equal(dz_globals_seen(g, peer, (const uint8_t *)"\x91\x01", 2), 0);
    world_settle(&w);
    host_expect(&w, 0, "A reply nil;");
    mem_net_mute(&w.net, 0, 1, false);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_register_returns_every_node_knows_the_name),
        cmocka_unit_test(a_name_taken_elsewhere_says_by_whom),
        cmocka_unit_test(of_two_who_ask_at_once_the_lower_node_wins),
        cmocka_unit_test(a_node_that_does_not_answer_delays_a_registration_one_second),
        cmocka_unit_test(a_registration_that_lost_before_it_was_entered_says_so),
        cmocka_unit_test(a_name_has_1_to_255_bytes_and_belongs_to_a_process_of_this_node),
        cmocka_unit_test(the_same_process_may_ask_again),
        cmocka_unit_test(a_process_that_ends_while_it_asks_leaves_no_name),
        cmocka_unit_test(an_asking_that_waits_is_due_in_a_second_and_forgotten_with_the_host),
        cmocka_unit_test(malformed_frames_are_refused_and_change_nothing),
        cmocka_unit_test(answers_to_nothing_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
