/* Every allocation of buf, map and heap fails once in turn: the call says so, and what was there before
 * stands. */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/map.h"
#include "check.h"
#include "fault_alloc.h"

#define ITEMS 200

static char cells[ITEMS];

/* Does its work, trying every call again after DZ_ENOMEM; how often one failed. */
typedef int (*workload)(void);

static void each_failure_in_turn(workload work)
{
    size_t live = dz_fault_alloc_live();
    dz_fault_alloc_reset();
    assert_int_equal(work(), 0);
    size_t total = dz_fault_alloc_total();
    assert_true(total > 3);
    for (size_t n = 1; n <= total; n++) {
        dz_fault_alloc_reset();
        dz_fault_alloc_fail_at(n);
        assert_int_equal(work(), 1);
        assert_true(dz_fault_alloc_failed());
        assert_int_equal(dz_fault_alloc_live(), live);
    }
}

static int buf_work(void)
{
    struct dz_buf b;
    int failures = 0;
    char text[401];
    memset(text, 'p', 400);
    text[400] = '\0';
    dz_buf_init(&b);
    for (uint32_t i = 0; i < ITEMS; i++) {
        size_t before = b.len;
        while (i % 50 == 49 ? dz_buf_printf(&b, "%s", text) : dz_buf_append_u32(&b, i)) {
            assert_int_equal(b.len, before);
            failures++;
        }
        assert_int_equal(b.len, before + (i % 50 == 49 ? 400 : 4));
    }
    assert_memory_equal(b.data, "\0\0\0\0\0\0\0\1", 8);
    dz_buf_fini(&b);
    return failures;
}

static void a_buffer_that_cannot_grow_keeps_its_bytes(void **state)
{
    (void)state;
    each_failure_in_turn(buf_work);
}

static void check_map(const struct dz_map *m, uint64_t from, uint64_t to)
{
    uint32_t it = 0;
    uint64_t key;
    void *value;
    assert_int_equal(m->count, to - from);
    for (; from < to; from++) {
        assert_true(dz_map_next(m, &it, &key, &value));
        assert_true(key == from && value == &cells[from]);
        assert_ptr_equal(dz_map_get(m, from), &cells[from]);
    }
    assert_null(dz_map_get(m, to));
}

static int map_work(void)
{
    struct dz_map m;
    int failures = 0;
    dz_map_init(&m);
    for (uint64_t i = 0; i < ITEMS; i++) {
        while (dz_map_put(&m, i, &cells[i])) {
            check_map(&m, 0, i);
            failures++;
        }
    }
    check_map(&m, 0, ITEMS);
    assert_int_equal(dz_map_put(&m, 3, &cells[3]), 0);
    dz_map_fini(&m);
    return failures;
}

static void a_map_that_cannot_grow_is_unchanged(void **state)
{
    (void)state;
    each_failure_in_turn(map_work);
}

static void check_smap(const struct dz_smap *m, uint32_t count)
{
    uint32_t it = 0;
    const char *key;
    void *value;
    assert_int_equal(m->count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(dz_smap_next(m, &it, &key, &value));
        assert_memory_equal(key, &i, sizeof i);
        assert_ptr_equal(dz_smap_get(m, (const char *)&i, sizeof i), &cells[i]);
    }
    assert_null(dz_smap_get(m, (const char *)&count, sizeof count));
}

static int smap_work(void)
{
    struct dz_smap m;
    int failures = 0;
    dz_smap_init(&m);
    for (uint32_t i = 0; i < ITEMS; i++) {
        while (dz_smap_put(&m, (const char *)&i, sizeof i, &cells[i])) {
            check_smap(&m, i);
            failures++;
        }
    }
    check_smap(&m, ITEMS);
    dz_smap_fini(&m);
    return failures;
}

static void an_smap_that_cannot_grow_is_unchanged(void **state)
{
    (void)state;
    each_failure_in_turn(smap_work);
}

static int heap_work(void)
{
    struct dz_heap h;
    struct dz_heap_node nodes[ITEMS];
    int failures = 0;
    dz_heap_init(&h);
    for (uint32_t i = 0; i < ITEMS; i++) {
        dz_heap_node_init(&nodes[i]);
        while (dz_heap_push(&h, &nodes[i], ITEMS - i)) {
            assert_false(dz_heap_holds(&nodes[i]));
            assert_int_equal(h.count, i);
            assert_ptr_equal(dz_heap_top(&h), i ? &nodes[i - 1] : NULL);
            failures++;
        }
    }
    for (uint32_t i = ITEMS; i-- > 0;)
        assert_ptr_equal(dz_heap_pop(&h), &nodes[i]);
    dz_heap_fini(&h);
    return failures;
}

static void a_heap_that_cannot_grow_is_unchanged(void **state)
{
    (void)state;
    each_failure_in_turn(heap_work);
}

static void tables_that_only_pack_allocate_nothing(void **state)
{
    (void)state;
    struct dz_map m;
    dz_map_init(&m);
    assert_int_equal(dz_map_put(&m, 0, &cells[0]), 0);
    dz_fault_alloc_reset();
    for (uint64_t i = 1; i < 10000; i++) {
        assert_int_equal(dz_map_put(&m, i, &cells[0]), 0);
        assert_non_null(dz_map_remove(&m, i - 1));
    }
    assert_int_equal(dz_fault_alloc_total(), 0);
    dz_map_fini(&m);
}

static void the_injector_counts_and_fails_once(void **state)
{
    (void)state;
    size_t live = dz_fault_alloc_live();
    dz_fault_alloc_reset();
    dz_fault_alloc_fail_at(2);
    void *a = dz_alloc(1);
    void *b = dz_zalloc(1, 1);
    assert_true(dz_fault_alloc_failed());
    char *c = dz_strndup("c", 1);
    void *d = dz_alloc_must(1);
    assert_non_null(a);
    assert_null(b);
    assert_string_equal(c, "c");
    assert_int_equal(dz_fault_alloc_total(), 4);
    assert_int_equal(dz_fault_alloc_live(), live + 3);
    dz_fault_alloc_fail_at(1);
    assert_null(dz_realloc(c, 100));
    assert_string_equal(c, "c");
    dz_free(a);
    dz_free(b);
    dz_free(c);
    dz_free(d);
    assert_int_equal(dz_fault_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_injector_counts_and_fails_once),
        cmocka_unit_test(a_buffer_that_cannot_grow_keeps_its_bytes),
        cmocka_unit_test(a_map_that_cannot_grow_is_unchanged),
        cmocka_unit_test(an_smap_that_cannot_grow_is_unchanged),
        cmocka_unit_test(a_heap_that_cannot_grow_is_unchanged),
        cmocka_unit_test(tables_that_only_pack_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
