#include "base/alloc.h"

#include <string.h>

#include "check.h"

static void size_zero_gives_a_unique_pointer(void **state)
{
    (void)state;
    void *a = dz_alloc(0);
    void *b = dz_alloc(0);
    void *c = dz_zalloc(0, 8);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_ptr_not_equal(a, b);
    dz_free(a);
    dz_free(b);
    dz_free(c);
}

static void zalloc_zeroes_and_sees_overflow(void **state)
{
    (void)state;
    unsigned char *p = dz_zalloc(16, 4);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(p[i], 0);
    dz_free(p);
    volatile size_t half = SIZE_MAX / 2;
    assert_null(dz_zalloc(half, 3));
}

static void realloc_keeps_the_contents_and_takes_null(void **state)
{
    (void)state;
    char *p = dz_realloc(NULL, 4);
    memcpy(p, "abc", 4);
    p = dz_realloc(p, 4096);
    assert_string_equal(p, "abc");
    p = dz_realloc(p, 0);
    assert_non_null(p);
    dz_free(p);
    dz_free(NULL);
}

static void the_must_forms_give_memory(void **state)
{
    (void)state;
    char *a = dz_alloc_must(10);
    char *b = dz_zalloc_must(10, 1);
    memset(a, 1, 10);
    assert_int_equal(b[9], 0);
    dz_free(a);
    dz_free(b);
}

static void strndup_copies_bytes_and_ends_them(void **state)
{
    (void)state;
    char *s = dz_strndup("a\0bc", 3);
    assert_memory_equal(s, "a\0b\0", 4);
    char *none = dz_strndup(NULL, 0);
    assert_string_equal(none, "");
    dz_free(s);
    dz_free(none);
    assert_null(dz_strndup("x", SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_zero_gives_a_unique_pointer),
        cmocka_unit_test(zalloc_zeroes_and_sees_overflow),
        cmocka_unit_test(realloc_keeps_the_contents_and_takes_null),
        cmocka_unit_test(the_must_forms_give_memory),
        cmocka_unit_test(strndup_copies_bytes_and_ends_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
