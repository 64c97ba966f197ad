#include "base/alloc.h"
#include "notebook.h"

static void a_route_is_found_by_identity_alias_and_id(void **state)
{
    struct rig r;
    uint32_t birth, found;
    (void)state;
    begin(&r);
    assert_int_equal(dz_nodes_alias(&r.nodes, 99, r.b), 0);
    assert_int_equal(dz_nodes_intern(&r.nodes, DZ_LOCAL_NODE_ID, strlen(DZ_LOCAL_NODE_ID), 99, &birth), 0);
    assert_int_equal(dz_routes_get(&r.routes, r.b), 0);
    assert_int_equal(dz_routes_open(&r.routes, r.b, 5), 0);
    assert_int_equal(dz_routes_get(&r.routes, r.b), 5);
    assert_int_equal(dz_routes_get(&r.routes, birth), 5);
    assert_int_equal(dz_routes_find(&r.routes, "b@h:2", 5, &found), 0);
    assert_int_equal(found, r.b);
    dz_routes_close(&r.routes, r.b);
    dz_routes_close(&r.routes, r.b);
    assert_int_equal(dz_routes_get(&r.routes, birth), 0);
    assert_int_equal(dz_routes_find(&r.routes, "b@h:2", 5, &found), DZ_ENOCONNECTION);
    end(&r);
}

static void the_older_lifes_end_does_not_close_the_newer_ones_route(void **state)
{
    struct rig r;
    uint32_t newer, found;
    (void)state;
    begin(&r);
    assert_int_equal(dz_nodes_intern(&r.nodes, "b@h:2", 5, 8, &newer), 0);
    assert_int_equal(dz_routes_open(&r.routes, r.b, 5), 0);
    assert_int_equal(dz_routes_open(&r.routes, newer, 6), 0);
    dz_routes_close(&r.routes, r.b);
    assert_int_equal(dz_routes_find(&r.routes, "b@h:2", 5, &found), 0);
    assert_int_equal(found, newer);
    end(&r);
}

static void a_broadcast_reaches_every_route_but_one(void **state)
{
    struct rig r;
    uint64_t *peers;
    (void)state;
    begin(&r);
    assert_int_equal(dz_routes_open(&r.routes, r.b, 5), 0);
    assert_int_equal(dz_routes_open(&r.routes, r.c, 6), 0);
    dz_routes_broadcast(&r.routes, 5, 0, "xy", 2);
    assert_string_equal(r.notebook.text, "6/0/2!;");
    assert_int_equal(dz_routes_list(&r.routes, &peers), 2);
    assert_int_equal(peers[0] + peers[1], 11);
    dz_free(peers);
    end(&r);
}

static void without_a_transport_nothing_is_sent(void **state)
{
    struct rig r;
    (void)state;
    begin(&r);
    assert_int_equal(dz_routes_open(&r.routes, r.b, 5), 0);
    assert_int_equal(dz_routes_send(&r.routes, 0, 1, "x", 1, 0), DZ_ENOCONNECTION);
    dz_routes_attach(&r.routes, NULL);
    assert_int_equal(dz_routes_send(&r.routes, 5, 1, "x", 1, 0), DZ_ENOCONNECTION);
    dz_routes_broadcast(&r.routes, 0, 0, "x", 1);
    assert_string_equal(r.notebook.text, "");
    end(&r);
}

static void the_first_message_of_a_round_goes_at_once_and_those_behind_it_together(void **state)
{
    static struct dz_thread t = {.index = 1};
    struct rig r;
    struct dz_list other;
    bool late;
    (void)state;
    begin(&r);
    dz_list_init(&t.runq);
    dz_list_init(&other);
    assert_int_equal(dz_routes_gather(&r.routes, &t, 5, 1, "x", 1, 0, &late), 0);
    assert_false(late);
    assert_true(t.unflushed);
    assert_int_equal(dz_routes_gather(&r.routes, &t, 5, 1, "xy", 2, 0, &late), 0);
    assert_true(late);
    assert_int_equal(dz_routes_gather(&r.routes, &t, 5, 1, "xyz", 3, 0, &late), 0);
    assert_false(late);
    assert_int_equal(dz_routes_gather(&r.routes, &t, 6, 1, "x", 1, 0, &late), 0);
    dz_routes_flush(&r.routes, &t);
    assert_string_equal(r.notebook.text, "5/1/1;5/1/2...;5/1/3...;6/1/1;flush 5;");
    r.notebook.text[0] = 0;
    dz_list_push_back(&t.runq, &other); /* somebody else is about to run */
    assert_int_equal(dz_routes_gather(&r.routes, &t, 5, 1, "x", 1, 0, &late), 0);
    assert_true(late);
    dz_list_remove(&other);
    dz_routes_flush(&r.routes, &t);
    assert_string_equal(r.notebook.text, "5/1/1...;flush 5;");
    end(&r);
}

static void a_thread_that_sends_to_many_nodes_gathers_for_some_of_them(void **state)
{
    static struct dz_thread t = {.index = 2};
    struct rig r;
    bool late;
    (void)state;
    begin(&r);
    dz_list_init(&t.runq);
    for (uint64_t peer = 1; peer <= DZ_ROUTES_GATHERED + 1; peer++)
        assert_int_equal(dz_routes_gather(&r.routes, &t, peer, 1, "x", 1, 0, &late), 0);
    r.notebook.text[0] = 0;
    assert_int_equal(dz_routes_gather(&r.routes, &t, DZ_ROUTES_GATHERED + 1, 1, "x", 1, 0, &late), 0);
    assert_string_equal(r.notebook.text, "9/1/1;");
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_is_found_by_identity_alias_and_id),
        cmocka_unit_test(the_older_lifes_end_does_not_close_the_newer_ones_route),
        cmocka_unit_test(a_broadcast_reaches_every_route_but_one),
        cmocka_unit_test(without_a_transport_nothing_is_sent),
        cmocka_unit_test(the_first_message_of_a_round_goes_at_once_and_those_behind_it_together),
        cmocka_unit_test(a_thread_that_sends_to_many_nodes_gathers_for_some_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
