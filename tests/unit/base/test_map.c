#include "base/map.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

#define KEYS  300
#define STEPS 40000

/* The naive model: for each key its value and when it was inserted. */
struct model {
    void *value[KEYS];
    uint64_t born[KEYS];
    uint64_t now;
    uint32_t count;
};

static char cells[KEYS * 2];

/* Keys as the core has them: small numbers, generations in the upper half, and neighbours. */
static uint64_t number_key(uint32_t i)
{
    return i % 3 == 0 ? i : i % 3 == 1 ? (uint64_t)i << 32 : (uint64_t)i << 48 | 0xffff;
}

static size_t string_key(uint32_t i, char *out, size_t cap)
{
    static const char long_tail[] = "-a-tail-of-more-than-sixteen-bytes-and-then-some";
    return (size_t)snprintf(out, cap, "%u%s", i, i % 2 ? long_tail + i % 40 : "");
}

static void model_put(struct model *m, uint32_t i, void *value)
{
    if (!m->value[i]) {
        m->born[i] = ++m->now;
        m->count++;
    }
    m->value[i] = value;
}

static void *model_remove(struct model *m, uint32_t i)
{
    void *value = m->value[i];
    m->value[i] = NULL;
    m->count -= value != NULL;
    return value;
}

static uint32_t key_of_value(const void *value)
{
    return (uint32_t)((const char *)value - cells) / 2;
}

/* What the table shows must be in order of birth, complete, and have the newest values. */
static void check_step(const struct model *m, uint64_t *last_born, uint32_t i, const void *value)
{
    assert_true(i < KEYS);
    assert_ptr_equal(m->value[i], value);
    assert_true(m->born[i] > *last_born);
    *last_born = m->born[i];
}

static void check_map(const struct model *m, const struct dz_map *map)
{
    uint32_t it = 0, seen = 0;
    uint64_t key, last_born = 0;
    void *value;
    for (; dz_map_next(map, &it, &key, &value); seen++) {
        check_step(m, &last_born, key_of_value(value), value);
        assert_true(key == number_key(key_of_value(value)));
    }
    assert_int_equal(seen, m->count);
    assert_int_equal(map->count, m->count);
}

static void check_smap(const struct model *m, const struct dz_smap *map)
{
    uint32_t it = 0, seen = 0;
    uint64_t last_born = 0;
    const char *key;
    void *value;
    char text[96];
    for (; dz_smap_next(map, &it, &key, &value); seen++) {
        check_step(m, &last_born, key_of_value(value), value);
        string_key(key_of_value(value), text, sizeof text);
        assert_string_equal(key, text);
    }
    assert_int_equal(seen, m->count);
    assert_int_equal(map->count, m->count);
}

/* Phases in which puts or removals prevail make the table grow, empty itself and pack. */
static bool is_put(uint64_t random, int step)
{
    return random % 100 < ((step / 4000) % 2 ? 35u : 65u);
}

static void a_map_does_what_the_model_does(void **state)
{
    (void)state;
    uint64_t seed = 11;
    struct model m = {.now = 0};
    struct dz_map map;
    dz_map_init(&map);
    for (int step = 0; step < STEPS; step++) {
        uint64_t random = check_random(&seed);
        uint32_t i = (uint32_t)(random >> 32) % KEYS;
        assert_ptr_equal(dz_map_get(&map, number_key(i)), m.value[i]);
        if (is_put(random, step)) {
            void *value = &cells[2 * i + (random >> 20) % 2];
            assert_int_equal(dz_map_put(&map, number_key(i), value), 0);
            model_put(&m, i, value);
        } else {
            assert_ptr_equal(dz_map_remove(&map, number_key(i)), model_remove(&m, i));
        }
        if (step % 97 == 0)
            check_map(&m, &map);
    }
    check_map(&m, &map);
    dz_map_fini(&map);
}

static void an_smap_does_what_the_model_does(void **state)
{
    (void)state;
    uint64_t seed = 12;
    struct model m = {.now = 0};
    struct dz_smap map;
    dz_smap_init(&map);
    for (int step = 0; step < STEPS; step++) {
        uint64_t random = check_random(&seed);
        uint32_t i = (uint32_t)(random >> 32) % KEYS;
        char key[96];
        size_t len = string_key(i, key, sizeof key);
        assert_ptr_equal(dz_smap_get(&map, key, len), m.value[i]);
        if (is_put(random, step)) {
            void *value = &cells[2 * i + (random >> 20) % 2];
            assert_int_equal(dz_smap_put(&map, key, len, value), 0);
            model_put(&m, i, value);
        } else {
            assert_ptr_equal(dz_smap_remove(&map, key, len), model_remove(&m, i));
        }
        if (step % 97 == 0)
            check_smap(&m, &map);
    }
    check_smap(&m, &map);
    dz_smap_fini(&map);
}

static void empty_tables_answer(void **state)
{
    (void)state;
    struct dz_map map;
    struct dz_smap smap;
    uint32_t it = 0;
    uint64_t key;
    const char *skey;
    void *value;
    dz_map_init(&map);
    dz_smap_init(&smap);
    assert_null(dz_map_get(&map, 0));
    assert_null(dz_map_remove(&map, 0));
    assert_false(dz_map_next(&map, &it, &key, &value));
    assert_null(dz_smap_get(&smap, "", 0));
    assert_null(dz_smap_remove(&smap, "a", 1));
    assert_false(dz_smap_next(&smap, &it, &skey, &value));
    dz_map_fini(&map);
    dz_smap_fini(&smap);
}

static void the_entry_under_the_iterator_may_be_removed(void **state)
{
    (void)state;
    struct dz_map map;
    dz_map_init(&map);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(dz_map_put(&map, i, &cells[0]), 0);
    uint32_t it = 0;
    uint64_t key, expected = 0;
    void *value;
    while (dz_map_next(&map, &it, &key, &value)) {
        assert_true(key == expected++);
        if (key % 3)
            assert_ptr_equal(dz_map_remove(&map, key), value);
    }
    assert_int_equal(expected, 1000);
    assert_int_equal(map.count, 334);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(dz_map_get(&map, i) != NULL, i % 3 == 0);
    dz_map_fini(&map);
}

static void a_key_that_was_removed_comes_back_at_the_end(void **state)
{
    (void)state;
    struct dz_smap map;
    const char *key;
    void *value;
    uint32_t it = 0;
    dz_smap_init(&map);
    assert_int_equal(dz_smap_put(&map, "a", 1, &cells[0]), 0);
    assert_int_equal(dz_smap_put(&map, "b", 1, &cells[1]), 0);
    assert_ptr_equal(dz_smap_remove(&map, "a", 1), &cells[0]);
    assert_int_equal(dz_smap_put(&map, "a", 1, &cells[2]), 0);
    assert_true(dz_smap_next(&map, &it, &key, &value));
    assert_string_equal(key, "b");
    assert_true(dz_smap_next(&map, &it, &key, &value));
    assert_string_equal(key, "a");
    assert_false(dz_smap_next(&map, &it, &key, &value));
    dz_smap_fini(&map);
}

static void coming_and_going_does_not_grow_a_table(void **state)
{
    (void)state;
    struct dz_map map;
    dz_map_init(&map);
    for (uint64_t i = 0; i < 100000; i++) {
        assert_int_equal(dz_map_put(&map, i, &cells[0]), 0);
        if (i >= 5)
            assert_non_null(dz_map_remove(&map, i - 5));
    }
    assert_int_equal(map.count, 5);
    assert_true(map.cap <= 16);
    dz_map_fini(&map);
}

static void keys_differ_by_length_and_by_zero_bytes(void **state)
{
    (void)state;
    struct dz_smap map;
    static const char text[] = "a\0a\0a\0a\0a\0a\0a\0a\0a\0a\0a\0a\0a\0a\0a\0a\0a\0a\0a\0a";
    dz_smap_init(&map);
    for (size_t len = 0; len < sizeof text; len++)
        assert_int_equal(dz_smap_put(&map, text, len, &cells[len]), 0);
    assert_int_equal(map.count, sizeof text);
    for (size_t len = 0; len < sizeof text; len++)
        assert_ptr_equal(dz_smap_get(&map, text, len), &cells[len]);
    dz_smap_fini(&map);
}

static void an_smap_keeps_its_own_copy_of_a_key(void **state)
{
    (void)state;
    struct dz_smap map;
    char key[] = "name";
    dz_smap_init(&map);
    assert_int_equal(dz_smap_put(&map, key, 4, &cells[0]), 0);
    memcpy(key, "NAME", 4);
    assert_null(dz_smap_get(&map, key, 4));
    assert_ptr_equal(dz_smap_get(&map, "name", 4), &cells[0]);
    dz_smap_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_does_what_the_model_does),
        cmocka_unit_test(an_smap_does_what_the_model_does),
        cmocka_unit_test(empty_tables_answer),
        cmocka_unit_test(the_entry_under_the_iterator_may_be_removed),
        cmocka_unit_test(a_key_that_was_removed_comes_back_at_the_end),
        cmocka_unit_test(coming_and_going_does_not_grow_a_table),
        cmocka_unit_test(keys_differ_by_length_and_by_zero_bytes),
        cmocka_unit_test(an_smap_keeps_its_own_copy_of_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
