/* test_children.c - the records of a supervisor's children and the indexes that find them. */
#include "world.h"
#include "sup/machine.h"

static void dynamic_children_append_and_keep_their_place(void **state)
{
    (void)state;
    struct world *w =
        world_started("{ strategy = \"rest_for_one\", children = { { id = \"a\", behavior = \"w\" } } }");
    world_start_child(w, 1, "{ id = \"b\", behavior = \"w\" }");
    world_start_child(w, 2, "{ id = \"c\", behavior = \"w\" }");
    world_expect(w, "start b@0\n+ started b\nreply 1 ok b\nstart c@0\n+ started c\nreply 2 ok c\n");
    world_crash(w, "b");
    world_expect(w, "stop c 5000\nstart b@0\n+ restarted b 1 boom\nstart c@0\n+ restarted c 1 shutdown\n");
    world_terminate_child(w, 3, "b");
    world_expect(w, "stop b 5000\n+ stopped b shutdown\nreply 3 ok\n");
    world_expect_children(w, "a:running c:running");
    world_delete(w);
}

static void epochs_of_one_id_only_grow(void **state)
{
    (void)state;
    struct world *w = world_started("{ children = { { id = \"a\", behavior = \"w\" } } }");
    struct dz_sup_child_info info;
    world_crash(w, "a");
    dz_sup_child_info(w->sup, dz_sup_find_child(w->sup, "a", 1), &info);
    assert_int_equal(info.epoch, 2);
    world_terminate_child(w, 1, "a");
    world_start_child(w, 2, "{ id = \"a\", behavior = \"w\" }");
    dz_sup_child_info(w->sup, dz_sup_find_child(w->sup, "a", 1), &info);
    assert_int_equal(info.epoch, 3);
    assert_int_equal(info.started_at_ms, 5000000);
    world_delete(w);
}

static struct dz_sup_child *find(struct world *w, const char *id)
{
    return dz_children_find(w->sup, id, strlen(id));
}

static void children_are_found_by_id_by_pid_and_in_order(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    struct dz_sup *s = w->sup;
    struct dz_sup_child *a = dz_children_first(s), *b = dz_children_next(s, a), *c = dz_children_last(s);
    assert_string_equal(b->id, "b");
    assert_ptr_equal(find(w, "b"), b);
    assert_null(find(w, "x"));
    assert_ptr_equal(dz_children_next(s, b), c);
    assert_null(dz_children_next(s, c));
    assert_ptr_equal(dz_children_before(s, b), a);
    assert_null(dz_children_before(s, a));
    assert_ptr_equal(dz_children_by_pid(s, b->pid), b);
    assert_null(dz_children_by_pid(s, (struct dz_pid){0, 99, 7}));
    world_delete(w);
}

static void pids_that_share_a_key_are_told_apart(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    struct dz_sup *s = w->sup;
    struct dz_sup_child *kids[3] = {find(w, "a"), find(w, "b"), find(w, "c")};
    struct dz_pid pids[3];
    for (int i = 0; i < 3; i++) {
        dz_children_detach(s, kids[i], (const uint8_t *)"\xa1x", 2);
        /* The key of node n is that of node 0 mixed with n times a constant. */
        uint64_t key = (UINT64_C(5) << 32 | 7) ^ (uint64_t)i * UINT64_C(0x9E3779B97F4A7C15);
        pids[i] = (struct dz_pid){(uint32_t)i, (uint32_t)(key >> 32), (uint32_t)key};
        kids[i]->flight_node = (uint32_t)i;
        struct dz_sup_started started = {.pid = pids[i], .worker = 1};
        dz_children_attach(s, kids[i], &started);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 3; i++)
            assert_ptr_equal(dz_children_by_pid(s, pids[i]), kids[i]);
    dz_children_detach(s, kids[1], (const uint8_t *)"\xa1x", 2);
    assert_null(dz_children_by_pid(s, pids[1]));
    assert_ptr_equal(dz_children_by_pid(s, pids[0]), kids[0]);
    assert_ptr_equal(dz_children_by_pid(s, pids[2]), kids[2]);
    dz_children_detach(s, kids[2], (const uint8_t *)"\xa1x", 2);
    assert_ptr_equal(dz_children_by_pid(s, pids[0]), kids[0]);
    dz_children_detach(s, kids[0], (const uint8_t *)"\xa1x", 2);
    assert_null(dz_children_by_pid(s, pids[0]));
    assert_int_equal(s->active, 0);
    world_delete(w);
}

static void a_process_is_counted_on_its_node_until_it_is_gone(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    struct dz_sup *s = w->sup;
    struct dz_sup_node *n = dz_children_node(s, 0);
    assert_int_equal(n->count, 3);
    assert_int_equal(s->active, 3);
    struct dz_sup_child *b = find(w, "b");
    dz_children_detach(s, b, (const uint8_t *)"\xa4gone", 5);
    assert_int_equal(n->count, 2);
    assert_int_equal(s->active, 2);
    assert_memory_equal(b->end.data, "\xa4gone", b->end.len);
    assert_false(b->end_told);
    dz_children_release_node(s, n);
    assert_ptr_equal(dz_map_get(&s->nodes, 0), n); /* somebody runs there */
    n = dz_children_node(s, 9);
    dz_children_release_node(s, n);
    assert_null(dz_map_get(&s->nodes, 9));
    world_delete(w);
}

static void a_record_that_is_removed_is_found_no_more_and_freed_at_the_next_event(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    world_terminate_child(w, 1, "b");
    assert_null(find(w, "b"));
    assert_int_equal(w->sup->child_count, 2);
    assert_true(dz_list_empty(&w->sup->removed) || w->sup->removed.next->next == &w->sup->removed);
    world_pass(w, 1);
    assert_true(dz_list_empty(&w->sup->removed));
    world_delete(w);
}

static void any_order_is_sorted_by_when_they_were_added(void **state)
{
    (void)state;
    struct world *w = world_started("{}");
    struct dz_child_spec spec = {.kind = DZ_CHILD_BEHAVIOR};
    struct dz_sup_child *kids[200];
    struct dz_list group;
    char id[16];
    dz_list_init(&group);
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "k%d", i);
        kids[i] = dz_children_add(w->sup, id, &spec);
    }
    dz_children_sort(&group);
    assert_true(dz_list_empty(&group));
    for (int i = 0; i < 200; i++)
        dz_list_push_back(&group, &kids[(i * 73 + 11) % 200]->group);
    dz_children_sort(&group);
    int at = 0;
    dz_list_each_safe(&group, it)
    {
        assert_ptr_equal(dz_list_entry(it, struct dz_sup_child, group), kids[at++]);
    }
    assert_int_equal(at, 200);
    for (int i = 0; i < 200; i++)
        dz_children_remove(w->sup, kids[i]);
    world_delete(w);
}

static void significant_children_are_counted_while_they_are_active(void **state)
{
    (void)state;
    struct world *w =
        world_started("{ auto_shutdown = \"all_significant\", children = { "
                      "{ id = \"a\", behavior = \"w\", significant = true, restart = \"transient\" }, "
                      "{ id = \"b\", behavior = \"w\" } } }");
    assert_int_equal(w->sup->significant_active, 1);
    struct dz_sup_child *a = find(w, "a");
    a->in_round = true;
    dz_children_set_status(w->sup, a, DZ_CHILD_RESTARTING);
    assert_int_equal(w->sup->significant_active, 0);
    a->in_round = false;
    dz_children_set_status(w->sup, a, DZ_CHILD_RUNNING);
    assert_int_equal(w->sup->significant_active, 1);
    dz_children_set_status(w->sup, find(w, "b"), DZ_CHILD_STOPPING);
    assert_int_equal(w->sup->significant_active, 1);
    world_delete(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dynamic_children_append_and_keep_their_place),
        cmocka_unit_test(epochs_of_one_id_only_grow),
        cmocka_unit_test(children_are_found_by_id_by_pid_and_in_order),
        cmocka_unit_test(pids_that_share_a_key_are_told_apart),
        cmocka_unit_test(a_process_is_counted_on_its_node_until_it_is_gone),
        cmocka_unit_test(a_record_that_is_removed_is_found_no_more_and_freed_at_the_next_event),
        cmocka_unit_test(any_order_is_sorted_by_when_they_were_added),
        cmocka_unit_test(significant_children_are_counted_while_they_are_active),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
