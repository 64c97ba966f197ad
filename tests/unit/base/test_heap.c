#include "base/heap.h"

#include "check.h"

#define NODES 500
#define STEPS 20000

struct model {
    struct dz_heap heap;
    struct dz_heap_node nodes[NODES];
    uint64_t pushed[NODES]; /* 0: not in the heap */
    uint64_t now;
    uint32_t count;
};

/* The earliest by key, then by push. */
static struct dz_heap_node *model_top(struct model *m)
{
    int best = -1;
    for (int i = 0; i < NODES; i++)
        if (m->pushed[i] && (best < 0 || m->nodes[i].key < m->nodes[best].key ||
                             (m->nodes[i].key == m->nodes[best].key && m->pushed[i] < m->pushed[best])))
            best = i;
    return best < 0 ? NULL : &m->nodes[best];
}

static void check_places(const struct model *m)
{
    assert_int_equal(m->heap.count, m->count);
    for (uint32_t i = 0; i < m->heap.count; i++)
        assert_int_equal(m->heap.nodes[i]->place, i);
}

static void model_push(struct model *m, uint32_t i, uint64_t key)
{
    assert_int_equal(dz_heap_push(&m->heap, &m->nodes[i], key), 0);
    m->pushed[i] = ++m->now;
    m->count++;
}

static void model_out(struct model *m, const struct dz_heap_node *n)
{
    m->pushed[n - m->nodes] = 0;
    m->count--;
    assert_false(dz_heap_holds(n));
}

static void model_init(struct model *m)
{
    dz_heap_init(&m->heap);
    for (int i = 0; i < NODES; i++)
        dz_heap_node_init(&m->nodes[i]);
}

static void random_step(struct model *m, uint64_t random, bool grow)
{
    uint32_t i = (uint32_t)(random >> 32) % NODES;
    assert_int_equal(dz_heap_holds(&m->nodes[i]), m->pushed[i] != 0);
    if (m->pushed[i] && random % 4) {
        dz_heap_remove(&m->heap, &m->nodes[i]);
        model_out(m, &m->nodes[i]);
    } else if (!m->pushed[i] && (grow || random % 3 == 0)) {
        model_push(m, i, (random >> 8) % 64);
    } else {
        struct dz_heap_node *expected = model_top(m);
        assert_ptr_equal(dz_heap_pop(&m->heap), expected);
        if (expected)
            model_out(m, expected);
    }
}

static void a_heap_does_what_the_model_does(void **state)
{
    (void)state;
    struct model m = {.now = 0};
    uint64_t seed = 21;
    model_init(&m);
    for (int step = 0; step < STEPS; step++) {
        random_step(&m, check_random(&seed), (step / 2000) % 2 == 0);
        if (step % 53 == 0) {
            assert_ptr_equal(dz_heap_top(&m.heap), model_top(&m));
            check_places(&m);
        }
    }
    while (m.count > 0) {
        struct dz_heap_node *expected = model_top(&m);
        assert_ptr_equal(dz_heap_pop(&m.heap), expected);
        model_out(&m, expected);
    }
    assert_null(dz_heap_pop(&m.heap));
    dz_heap_fini(&m.heap);
}

static void equal_times_leave_in_the_order_they_were_pushed(void **state)
{
    (void)state;
    struct model m = {.now = 0};
    model_init(&m);
    for (uint32_t i = 0; i < NODES; i++)
        model_push(&m, (i * 7) % NODES, 5);
    for (uint32_t i = 0; i < NODES; i++)
        assert_ptr_equal(dz_heap_pop(&m.heap), &m.nodes[(i * 7) % NODES]);
    dz_heap_fini(&m.heap);
}

static void an_empty_heap_answers(void **state)
{
    (void)state;
    struct dz_heap h;
    struct dz_heap_node n;
    dz_heap_init(&h);
    dz_heap_node_init(&n);
    assert_null(dz_heap_top(&h));
    assert_null(dz_heap_pop(&h));
    dz_heap_remove(&h, &n);
    assert_false(dz_heap_holds(&n));
    dz_heap_fini(&h);
}

static void the_extremes_of_time_keep_their_order(void **state)
{
    (void)state;
    struct dz_heap h;
    struct dz_heap_node n[3];
    const uint64_t keys[3] = {UINT64_MAX, 0, UINT64_MAX - 1};
    dz_heap_init(&h);
    for (int i = 0; i < 3; i++) {
        dz_heap_node_init(&n[i]);
        assert_int_equal(dz_heap_push(&h, &n[i], keys[i]), 0);
    }
    assert_ptr_equal(dz_heap_pop(&h), &n[1]);
    assert_ptr_equal(dz_heap_pop(&h), &n[2]);
    assert_ptr_equal(dz_heap_pop(&h), &n[0]);
    dz_heap_fini(&h);
}

static void the_end_of_a_heap_lets_its_nodes_go(void **state)
{
    (void)state;
    struct dz_heap h;
    struct dz_heap_node n;
    dz_heap_init(&h);
    dz_heap_node_init(&n);
    assert_int_equal(dz_heap_push(&h, &n, 1), 0);
    dz_heap_fini(&h);
    assert_false(dz_heap_holds(&n));
    assert_int_equal(dz_heap_push(&h, &n, 2), 0);
    assert_ptr_equal(dz_heap_top(&h), &n);
    dz_heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heap_does_what_the_model_does),
        cmocka_unit_test(equal_times_leave_in_the_order_they_were_pushed),
        cmocka_unit_test(an_empty_heap_answers),
        cmocka_unit_test(the_extremes_of_time_keep_their_order),
        cmocka_unit_test(the_end_of_a_heap_lets_its_nodes_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
