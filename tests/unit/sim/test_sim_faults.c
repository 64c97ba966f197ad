/* test_sim_faults.c - troubles that come one after another and end: each kind does what it says, and healing
 * ends them all. */
#include "../base/check.h"
#include <string.h>
#include "sim/sim_faults.h"

struct scene {
    uint64_t now;
    struct dz_sim_rand rand;
    struct dz_sim_net *net;
    struct dz_sim_trace trace;
    struct dz_sim_faults faults;
    bool up[DZ_SIM_HOSTS_MAX];
    unsigned freezes, crashes, starts, troubles;
};

static bool is_up(void *ctx, int host)
{
    return ((struct scene *)ctx)->up[host];
}

static void freeze(void *ctx, int host, uint64_t until_ns)
{
    struct scene *s = ctx;
    s->freezes += until_ns > s->now; /* else it thaws */
    assert_true(s->up[host] || until_ns <= s->now);
}

static void crash(void *ctx, int host)
{
    struct scene *s = ctx;
    assert_true(s->up[host]);
    s->up[host] = false;
    s->crashes++;
}

static void start(void *ctx, int host)
{
    struct scene *s = ctx;
    assert_false(s->up[host]);
    s->up[host] = true;
    s->starts++;
}

static void troubled(void *ctx)
{
    ((struct scene *)ctx)->troubles++;
}

static void scene_init(struct scene *s, unsigned kinds, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    s->now = DZ_SIM_MS;
    s->rand.state = seed;
    s->net = dz_sim_net_new(&s->rand, &s->now);
    dz_sim_trace_init(&s->trace, false, &s->now);
    for (int i = 0; i < 4; i++)
        s->up[i] = true;
    struct dz_sim_world world = {.ctx = s,
                                 .hosts = 4,
                                 .kinds = kinds,
                                 .now_ns = &s->now,
                                 .rand = &s->rand,
                                 .net = s->net,
                                 .trace = &s->trace,
                                 .is_up = is_up,
                                 .freeze = freeze,
                                 .crash = crash,
                                 .start = start,
                                 .troubled = troubled};
    dz_sim_faults_init(&s->faults, &world);
}

static void scene_run(struct scene *s, unsigned steps)
{
    for (unsigned i = 0; i < steps && dz_sim_faults_next(&s->faults) != DZ_SIM_NEVER; i++) {
        uint64_t next = dz_sim_faults_next(&s->faults);
        assert_true(next >= s->now);
        s->now = next;
        dz_sim_faults_step(&s->faults);
        assert_true(dz_sim_faults_next(&s->faults) > s->now);
    }
}

static unsigned blocked(struct scene *s)
{
    unsigned n = 0;
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 4; b++)
            n += dz_sim_net_way(s->net, a, b)->blocked;
    return n;
}

static void scene_fini(struct scene *s)
{
    dz_sim_faults_heal(&s->faults);
    assert_int_equal(blocked(s), 0);
    for (int i = 0; i < 4; i++)
        assert_true(s->up[i]);
    assert_true(dz_sim_faults_next(&s->faults) == DZ_SIM_NEVER);
    dz_sim_net_delete(s->net);
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DZ_SIM_FAULTS; i++) {
        assert_non_null(dz_sim_fault_name(i));
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(dz_sim_fault_name(i), dz_sim_fault_name(k));
    }
    assert_string_equal(dz_sim_fault_name(DZ_SIM_CRASH), "crash");
    assert_null(dz_sim_fault_name(DZ_SIM_FAULTS));
}

static void without_kinds_nothing_ever_happens(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s, 0, 1);
    assert_true(dz_sim_faults_next(&s.faults) == DZ_SIM_NEVER);
    assert_int_equal(s.troubles, 0);
    scene_fini(&s);
}

static void each_kind_does_what_it_says_and_nothing_else(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s, 1u << DZ_SIM_FREEZE, 3);
    scene_run(&s, 40);
    assert_true(s.freezes > 20);
    assert_int_equal(s.crashes, 0);
    assert_int_equal(blocked(&s), 0);
    scene_fini(&s);
    scene_init(&s, 1u << DZ_SIM_CRASH, 3);
    scene_run(&s, 60);
    assert_true(s.crashes > 10);
    assert_true(s.starts > 5 && s.starts <= s.crashes);
    assert_int_equal(s.freezes, 0);
    scene_fini(&s);
    assert_int_equal(s.starts, s.crashes);
    scene_init(&s, 1u << DZ_SIM_SLOW, 3);
    scene_run(&s, 40);
    uint64_t slowest = 0;
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 4; b++)
            slowest = dz_sim_net_way(s.net, a, b)->delay_ns > slowest ? dz_sim_net_way(s.net, a, b)->delay_ns
                                                                      : slowest;
    assert_true(slowest > 20 * DZ_SIM_MS);
    scene_fini(&s);
}

static void ways_that_are_blocked_open_again_when_their_time_is_over(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 2; kind++) {
        struct scene s;
        unsigned most = 0, opened = 0;
        scene_init(&s, 1u << (kind ? DZ_SIM_PARTITION : DZ_SIM_STALL), 5);
        for (int i = 0; i < 200; i++) {
            unsigned before = blocked(&s);
            scene_run(&s, 1);
            most = blocked(&s) > most ? blocked(&s) : most;
            opened += blocked(&s) < before;
        }
        assert_true(most > 0);
        assert_true(opened > 0);
        scene_fini(&s);
    }
}

static void the_same_seed_brings_the_same_troubles(void **state)
{
    (void)state;
    uint64_t hashes[3];
    for (int i = 0; i < 3; i++) {
        struct scene s;
        scene_init(&s, DZ_SIM_ALL_FAULTS, i < 2 ? 11 : 12);
        scene_run(&s, 300);
        hashes[i] = s.trace.hash;
        assert_true(s.trace.lines > 100);
        scene_fini(&s);
    }
    assert_true(hashes[0] == hashes[1]);
    assert_true(hashes[0] != hashes[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_name),
        cmocka_unit_test(without_kinds_nothing_ever_happens),
        cmocka_unit_test(each_kind_does_what_it_says_and_nothing_else),
        cmocka_unit_test(ways_that_are_blocked_open_again_when_their_time_is_over),
        cmocka_unit_test(the_same_seed_brings_the_same_troubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
