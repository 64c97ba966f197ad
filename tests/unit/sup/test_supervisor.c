/* Starting, stopping, requests and their order (semantics 2), the supervisor's own end. */
#include "world.h"

static void children_start_in_list_order_and_stop_in_reverse(void **state)
{
    (void)state;
    struct world *w = world_new(WORLD_THREE);
    world_start(w);
    world_expect(w, "start a@0\n+ started a\nstart b@0\n+ started b\nstart c@0\n+ started c\n"
                    "+ supervisor_started\nready\n");
    assert_true(dz_sup_is_running(w->sup));
    world_stop(w, 1, "\"normal\"");
    world_expect(w, "stop c 5000\n+ stopped c shutdown\nstop b 5000\n+ stopped b shutdown\nstop a 5000\n"
                    "+ stopped a shutdown\n+ supervisor_stopped normal\nexit normal\nreply 1 ok\n");
    world_stop(w, 2, "\"normal\"");
    world_expect(w, "reply 2 ok\n");
    world_delete(w);
}

static void a_failed_first_start_stops_those_already_started(void **state)
{
    (void)state;
    struct world *w = world_new(WORLD_THREE);
    world_fail(w, "c", 1);
    world_start(w);
    world_expect(
        w, "start a@0\n+ started a\nstart b@0\n+ started b\nstart c@0\nstop b 5000\n+ stopped b shutdown\n"
           "stop a 5000\n+ stopped a shutdown\nexit child_start_failed, start failed\n");
    world_delete(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_start_in_list_order_and_stop_in_reverse),
        cmocka_unit_test(a_failed_first_start_stops_those_already_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
