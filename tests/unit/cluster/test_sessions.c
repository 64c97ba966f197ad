#include "world.h"

/* Everything of the world runs but one worker of host 0. */
static void run_without_worker(struct world *w, uint64_t ms)
{
    struct rig *slow = &w->hosts[0].rig;
    for (uint64_t passed = 0; passed < ms; passed += WORLD_STEP_MS) {
        bool any = true;
        for (int i = 0; i < w->count; i++)
            w->hosts[i].rig.now_ns += WORLD_STEP_MS * RIG_MS;
        while (any) {
            any = mem_net_step(&w->net, slow->now_ns);
            slow->threads[0].now_ns = slow->now_ns;
            any |= rig_drain(slow, 0);
            any |= dz_timers_run(&slow->threads[0], slow->now_ns) > 0;
            any |= rig_drain(slow, 1);
            any |= rig_run_process(&slow->threads[1]);
            for (int i = 1; i < w->count; i++)
                rig_turn(&w->hosts[i].rig);
        }
    }
}

static void lose_and_meet_again(struct world *w)
{
    mem_net_mute(&w->net, 0, 1, true);
    run_without_worker(w, 4000);
    mem_net_mute(&w->net, 0, 1, false);
    run_without_worker(w, 200);
}

static void a_node_that_is_back_waits_until_every_thread_has_seen_its_loss(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    lose_and_meet_again(&w);
    host_expect(&w, 0, "down b timeout;");
    host_expect(&w, 1, "down a timeout;");
    world_settle(&w);
    host_expect(&w, 0, "up b healed;");
    host_expect(&w, 1, "up a healed;");
    world_fini(&w);
}

static void what_comes_meanwhile_is_kept_in_order(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    struct actor *a = host_actor(&w, 0, 'A'), *b = host_actor(&w, 1, 'B');
    lose_and_meet_again(&w);
    w.hosts[0].rig.len = 0;
    struct dz_pid pid = world_pid(&w, 0, a->proc.pid, 1);
    struct dz_thread *t = &w.hosts[1].rig.threads[1];
    for (int i = 0; i < 3; i++)
        assert_int_equal(actor_send(t, DZ_MSG_SEND, b->proc.pid, pid, 0, i), 0);
    run_without_worker(&w, 20);
    assert_int_equal(w.hosts[0].rig.len, 0);
    world_settle(&w);
    host_expect(&w, 0, "up b healed;A send 0;A send 1;A send 2;");
    world_fini(&w);
}

static void a_thread_that_never_gets_to_it_is_not_waited_for_for_ever(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 2);
    world_mesh(&w);
    lose_and_meet_again(&w);
    run_without_worker(&w, 16000);
    host_expect(&w, 0, "down b timeout;up b healed;");
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_is_back_waits_until_every_thread_has_seen_its_loss),
        cmocka_unit_test(what_comes_meanwhile_is_kept_in_order),
        cmocka_unit_test(a_thread_that_never_gets_to_it_is_not_waited_for_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
