#include "base/list.h"

#include "check.h"

struct item {
    int number;
    struct dz_list link;
};

static void fill(struct dz_list *head, struct item *items, int count, int from)
{
    dz_list_init(head);
    for (int i = 0; i < count; i++) {
        items[i].number = from + i;
        dz_list_push_back(head, &items[i].link);
    }
}

static void check_order(struct dz_list *head, const int *numbers, int count)
{
    int i = 0;
    dz_list_each(head, it)
    {
        assert_true(i < count);
        assert_int_equal(dz_list_entry(it, struct item, link)->number, numbers[i++]);
    }
    assert_int_equal(i, count);
    for (struct dz_list *it = head->prev; it != head; it = it->prev)
        assert_int_equal(dz_list_entry(it, struct item, link)->number, numbers[--i]);
}

static void both_ends_take_nodes(void **state)
{
    (void)state;
    struct dz_list head;
    struct item items[3], first = {.number = 0};
    fill(&head, items, 3, 1);
    dz_list_push_front(&head, &first.link);
    check_order(&head, (int[]){0, 1, 2, 3}, 4);
    assert_ptr_equal(dz_list_pop_front(&head), &first.link);
    check_order(&head, (int[]){1, 2, 3}, 3);
}

static void removing_twice_is_harmless(void **state)
{
    (void)state;
    struct dz_list head;
    struct item items[3];
    fill(&head, items, 3, 1);
    dz_list_remove(&items[1].link);
    dz_list_remove(&items[1].link);
    assert_true(dz_list_empty(&items[1].link));
    check_order(&head, (int[]){1, 3}, 2);
}

static void the_present_node_may_be_removed(void **state)
{
    (void)state;
    struct dz_list head;
    struct item items[6];
    fill(&head, items, 6, 0);
    dz_list_each_safe(&head, it)
    {
        if (dz_list_entry(it, struct item, link)->number % 2)
            dz_list_remove(it);
    }
    check_order(&head, (int[]){0, 2, 4}, 3);
}

static void splice_moves_all_and_leaves_nothing(void **state)
{
    (void)state;
    struct dz_list a, b;
    struct item x[2], y[2];
    fill(&a, x, 2, 1);
    fill(&b, y, 2, 3);
    dz_list_splice_back(&a, &b);
    check_order(&a, (int[]){1, 2, 3, 4}, 4);
    assert_true(dz_list_empty(&b));
    assert_null(dz_list_pop_front(&b));
    dz_list_splice_back(&a, &b);
    check_order(&a, (int[]){1, 2, 3, 4}, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_take_nodes),
        cmocka_unit_test(removing_twice_is_harmless),
        cmocka_unit_test(the_present_node_may_be_removed),
        cmocka_unit_test(splice_moves_all_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
