#include "base/buf.h"

#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "check.h"

static void numbers_are_big_endian(void **state)
{
    (void)state;
    struct dz_buf b;
    dz_buf_init(&b);
    assert_int_equal(dz_buf_append_u8(&b, 0x01), 0);
    assert_int_equal(dz_buf_append_u16(&b, 0x0203), 0);
    assert_int_equal(dz_buf_append_u32(&b, 0x04050607), 0);
    assert_int_equal(dz_buf_append_u64(&b, 0x08090a0b0c0d0e0fu), 0);
    assert_int_equal(b.len, 15);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(b.data[i], i + 1);
    dz_buf_fini(&b);
}

static void bytes_survive_growth(void **state)
{
    (void)state;
    struct dz_buf b;
    dz_buf_init(&b);
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t piece[3] = {(uint8_t)i, (uint8_t)(i >> 8), 7};
        assert_int_equal(dz_buf_append(&b, piece, sizeof piece), 0);
    }
    assert_int_equal(b.len, 30000);
    for (unsigned i = 0; i < 10000; i++) {
        assert_int_equal(b.data[3 * i], (uint8_t)i);
        assert_int_equal(b.data[3 * i + 1], (uint8_t)(i >> 8));
    }
    assert_true(b.cap >= b.len && b.cap < 4 * b.len);
    dz_buf_fini(&b);
}

static void the_limit_is_exact_and_what_was_written_stands(void **state)
{
    (void)state;
    struct dz_buf b;
    dz_buf_init(&b);
    b.limit = 100;
    char piece[99];
    memset(piece, 'x', sizeof piece);
    assert_int_equal(dz_buf_append(&b, piece, sizeof piece), 0);
    assert_int_equal(dz_buf_append_u16(&b, 1), DZ_ETOOLARGE);
    assert_int_equal(b.len, 99);
    assert_int_equal(dz_buf_append_u8(&b, 'y'), 0);
    assert_int_equal(dz_buf_append_u8(&b, 'z'), DZ_ETOOLARGE);
    assert_int_equal(b.len, 100);
    assert_int_equal(b.data[99], 'y');
    assert_true(b.cap <= 100);
    dz_buf_fini(&b);
}

static void a_size_that_overflows_is_too_large(void **state)
{
    (void)state;
    struct dz_buf b;
    dz_buf_init(&b);
    assert_int_equal(dz_buf_append_u8(&b, 1), 0);
    assert_int_equal(dz_buf_reserve(&b, SIZE_MAX), DZ_ETOOLARGE);
    assert_int_equal(b.len, 1);
    dz_buf_fini(&b);
}

static void printf_takes_short_and_long_texts_up_to_the_limit(void **state)
{
    (void)state;
    struct dz_buf b;
    char long_text[1001];
    memset(long_text, 'a', 1000);
    long_text[1000] = '\0';
    dz_buf_init(&b);
    b.limit = 1010;
    assert_int_equal(dz_buf_printf(&b, "%s %d %c", "n", 42, '!'), 0);
    assert_memory_equal(b.data, "n 42 !", 6);
    assert_int_equal(dz_buf_printf(&b, "%s%s", long_text, "bcde"), 0);
    assert_int_equal(b.len, 1010);
    assert_memory_equal(b.data + 1005, "abcde", 5);
    assert_int_equal(dz_buf_printf(&b, "%d", 1), DZ_ETOOLARGE);
    assert_int_equal(dz_buf_printf(&b, "%s", long_text), DZ_ETOOLARGE);
    assert_int_equal(dz_buf_printf(&b, "%s", ""), 0);
    assert_int_equal(b.len, 1010);
    dz_buf_fini(&b);
}

static void consume_moves_the_rest_down(void **state)
{
    (void)state;
    struct dz_buf b;
    dz_buf_init(&b);
    dz_buf_consume(&b, 0);
    assert_int_equal(dz_buf_append(&b, "abcdef", 6), 0);
    dz_buf_consume(&b, 0);
    dz_buf_consume(&b, 2);
    assert_int_equal(b.len, 4);
    assert_memory_equal(b.data, "cdef", 4);
    dz_buf_consume(&b, 4);
    assert_int_equal(b.len, 0);
    dz_buf_fini(&b);
}

static void clear_keeps_the_memory(void **state)
{
    (void)state;
    struct dz_buf b;
    dz_buf_init(&b);
    assert_int_equal(dz_buf_append(&b, "abc", 3), 0);
    const uint8_t *before = b.data;
    dz_buf_clear(&b);
    assert_int_equal(b.len, 0);
    assert_int_equal(dz_buf_append(&b, "d", 1), 0);
    assert_ptr_equal(b.data, before);
    dz_buf_fini(&b);
}

static void detach_hands_the_bytes_over(void **state)
{
    (void)state;
    struct dz_buf b;
    size_t len = 99;
    dz_buf_init(&b);
    assert_null(dz_buf_detach(&b, &len));
    assert_int_equal(len, 0);
    assert_int_equal(dz_buf_append(&b, "abc", 3), 0);
    uint8_t *data = dz_buf_detach(&b, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(data, "abc", 3);
    dz_free(data);
    assert_int_equal(b.len, 0);
    assert_int_equal(dz_buf_append_u8(&b, 1), 0);
    dz_buf_fini(&b);
    dz_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(bytes_survive_growth),
        cmocka_unit_test(the_limit_is_exact_and_what_was_written_stands),
        cmocka_unit_test(a_size_that_overflows_is_too_large),
        cmocka_unit_test(printf_takes_short_and_long_texts_up_to_the_limit),
        cmocka_unit_test(consume_moves_the_rest_down),
        cmocka_unit_test(clear_keeps_the_memory),
        cmocka_unit_test(detach_hands_the_bytes_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
