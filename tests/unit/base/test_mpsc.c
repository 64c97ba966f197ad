#include "base/mpsc.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/assert.h"
#include "check.h"

#define PRODUCERS 4
#define EACH      50000

struct item {
    struct dz_mpsc_node node;
    int producer;
    int number;
};

static struct item *item_of(struct dz_mpsc_node *n)
{
    return dz_container_of(n, struct item, node);
}

static void a_new_queue_is_empty(void **state)
{
    (void)state;
    struct dz_mpsc q;
    dz_mpsc_init(&q);
    assert_true(dz_mpsc_empty(&q));
    assert_null(dz_mpsc_pop(&q));
    assert_true(dz_mpsc_empty(&q));
}

static void nodes_leave_in_the_order_they_came(void **state)
{
    (void)state;
    struct dz_mpsc q;
    struct item items[5];
    dz_mpsc_init(&q);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5; i++)
            dz_mpsc_push(&q, &items[i].node);
        for (int i = 0; i < 5; i++) {
            assert_false(dz_mpsc_empty(&q));
            assert_ptr_equal(dz_mpsc_pop(&q), &items[i].node);
        }
        assert_null(dz_mpsc_pop(&q));
        assert_true(dz_mpsc_empty(&q));
    }
}

struct visits {
    struct dz_mpsc_node *seen[8];
    int count;
};

static void note(void *ctx, struct dz_mpsc_node *node)
{
    struct visits *v = ctx;
    v->seen[v->count++] = node;
}

static void a_visit_sees_what_would_be_popped_and_takes_nothing(void **state)
{
    (void)state;
    struct dz_mpsc q;
    struct item items[5];
    struct visits v = {.count = 0};
    dz_mpsc_init(&q);
    dz_mpsc_each(&q, note, &v);
    assert_int_equal(v.count, 0);
    for (int i = 0; i < 5; i++)
        dz_mpsc_push(&q, &items[i].node);
    assert_ptr_equal(dz_mpsc_pop(&q), &items[0].node);
    dz_mpsc_each(&q, note, &v);
    assert_int_equal(v.count, 4);
    for (int i = 1; i < 5; i++) {
        assert_ptr_equal(v.seen[i - 1], &items[i].node);
        assert_ptr_equal(dz_mpsc_pop(&q), &items[i].node);
    }
    v.count = 0;
    dz_mpsc_each(&q, note, &v);
    assert_int_equal(v.count, 0);
}

static void a_popped_node_can_be_pushed_again_at_once(void **state)
{
    (void)state;
    struct dz_mpsc q;
    struct item a, b;
    dz_mpsc_init(&q);
    dz_mpsc_push(&q, &a.node);
    dz_mpsc_push(&q, &b.node);
    for (int i = 0; i < 1000; i++) {
        struct dz_mpsc_node *n = dz_mpsc_pop(&q);
        assert_ptr_equal(n, i % 2 ? &b.node : &a.node);
        dz_mpsc_push(&q, n);
    }
}

static void one_node_goes_round_for_ever(void **state)
{
    (void)state;
    struct dz_mpsc q;
    struct item a;
    dz_mpsc_init(&q);
    for (int i = 0; i < 1000; i++) {
        dz_mpsc_push(&q, &a.node);
        assert_ptr_equal(dz_mpsc_pop(&q), &a.node);
        assert_true(dz_mpsc_empty(&q));
    }
}

/* What a push looks like between its two steps: the head swung, the link missing. */
static void a_half_done_push_is_not_empty_and_not_there(void **state)
{
    (void)state;
    struct dz_mpsc q;
    struct item a;
    dz_mpsc_init(&q);
    atomic_store(&a.node.next, NULL);
    struct dz_mpsc_node *prev = atomic_exchange(&q.head, &a.node);
    assert_null(dz_mpsc_pop(&q));
    assert_false(dz_mpsc_empty(&q));
    atomic_store(&prev->next, &a.node);
    assert_ptr_equal(dz_mpsc_pop(&q), &a.node);
    assert_true(dz_mpsc_empty(&q));
}

struct producer {
    struct dz_mpsc *q;
    struct item *items;
    pthread_t thread;
};

static void *produce(void *arg)
{
    struct producer *p = arg;
    for (int i = 0; i < EACH; i++)
        dz_mpsc_push(p->q, &p->items[i].node);
    return NULL;
}

static void start(struct producer *p, struct dz_mpsc *q, int number)
{
    p->q = q;
    p->items = calloc(EACH, sizeof *p->items);
    assert_non_null(p->items);
    for (int i = 0; i < EACH; i++) {
        p->items[i].producer = number;
        p->items[i].number = i;
    }
    assert_int_equal(pthread_create(&p->thread, NULL, produce, p), 0);
}

static void four_producers_lose_and_reorder_nothing(void **state)
{
    (void)state;
    struct dz_mpsc q;
    struct producer producers[PRODUCERS];
    int next[PRODUCERS] = {0};
    dz_mpsc_init(&q);
    for (int i = 0; i < PRODUCERS; i++)
        start(&producers[i], &q, i);
    for (int got = 0; got < PRODUCERS * EACH;) {
        struct dz_mpsc_node *n = dz_mpsc_pop(&q);
        if (!n) {
            sched_yield();
            continue;
        }
        struct item *item = item_of(n);
        assert_int_equal(item->number, next[item->producer]++);
        got++;
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(producers[i].thread, NULL);
        assert_int_equal(next[i], EACH);
        free(producers[i].items);
    }
    assert_true(dz_mpsc_empty(&q));
    assert_null(dz_mpsc_pop(&q));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_queue_is_empty),
        cmocka_unit_test(nodes_leave_in_the_order_they_came),
        cmocka_unit_test(a_visit_sees_what_would_be_popped_and_takes_nothing),
        cmocka_unit_test(a_popped_node_can_be_pushed_again_at_once),
        cmocka_unit_test(one_node_goes_round_for_ever),
        cmocka_unit_test(a_half_done_push_is_not_empty_and_not_there),
        cmocka_unit_test(four_producers_lose_and_reorder_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
