#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/err.h"
#include "net/reassembly.h"

static struct dz_frame part(uint8_t lane, uint32_t total, const char *bytes, unsigned flags)
{
    return (struct dz_frame){.type = DZ_FRAME_FRAGMENT,
                             .key = 5,
                             .lane = lane,
                             .total = total,
                             .flags = (uint8_t)flags,
                             .data = (const uint8_t *)bytes,
                             .len = strlen(bytes)};
}

static int add(struct dz_reassembly *r, struct dz_frame f, const uint8_t **data, size_t *len)
{
    return dz_reassembly_add(r, &f, data, len);
}

static void fragments_of_several_lanes_become_messages(void **state)
{
    (void)state;
    struct dz_reassembly r;
    const uint8_t *data;
    size_t len;
    dz_reassembly_init(&r, 100);
    assert_int_equal(add(&r, part(0, 6, "abc", DZ_FRAGMENT_FIRST), &data, &len), 0);
    assert_int_equal(add(&r, part(1, 4, "12", DZ_FRAGMENT_FIRST), &data, &len), 0);
    assert_int_equal(add(&r, part(0, 6, "d", 0), &data, &len), 0);
    assert_int_equal(r.held, 6);
    assert_int_equal(add(&r, part(1, 4, "34", DZ_FRAGMENT_LAST), &data, &len), 1);
    assert_int_equal(len, 4);
    assert_memory_equal(data, "1234", 4);
    assert_int_equal(add(&r, part(0, 6, "ef", DZ_FRAGMENT_LAST), &data, &len), 1);
    assert_int_equal(len, 6);
    assert_memory_equal(data, "abcdef", 6);
    assert_int_equal(r.held, 0);
    assert_int_equal(add(&r, part(0, 1, "x", DZ_FRAGMENT_FIRST | DZ_FRAGMENT_LAST), &data, &len), 1);
    assert_memory_equal(data, "x", 1);
    dz_reassembly_fini(&r);
}

static void fragments_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct dz_reassembly r;
    const uint8_t *data;
    size_t len;
    struct dz_frame other_key = part(0, 6, "d", 0);
    other_key.key = 6;
    dz_reassembly_init(&r, 100);
    assert_int_equal(add(&r, part(0, 6, "abc", 0), &data, &len), DZ_EFORMAT);                 /* no first */
    assert_int_equal(add(&r, part(0, 0, "abc", DZ_FRAGMENT_FIRST), &data, &len), DZ_EFORMAT); /* nothing */
    assert_int_equal(add(&r, part(0, DZ_NET_MAX_MESSAGE + 1, "abc", DZ_FRAGMENT_FIRST), &data, &len),
                     DZ_EFORMAT);
    assert_int_equal(add(&r, part(0, 2, "abc", DZ_FRAGMENT_FIRST), &data, &len), DZ_EFORMAT); /* too much */
    assert_int_equal(add(&r, part(0, 3, "abc", DZ_FRAGMENT_FIRST), &data, &len),
                     DZ_EFORMAT); /* last unsaid */
    assert_int_equal(add(&r, part(0, 6, "abc", DZ_FRAGMENT_FIRST | 4), &data, &len),
                     DZ_EFORMAT); /* unknown flag */
    assert_int_equal(add(&r, part(0, 6, "abc", DZ_FRAGMENT_FIRST), &data, &len), 0);
    assert_int_equal(add(&r, part(0, 6, "abc", DZ_FRAGMENT_FIRST), &data, &len),
                     DZ_EFORMAT);                                           /* a second first */
    assert_int_equal(add(&r, part(0, 7, "d", 0), &data, &len), DZ_EFORMAT); /* another total */
    assert_int_equal(add(&r, part(0, 6, "d", DZ_FRAGMENT_LAST), &data, &len), DZ_EFORMAT); /* last too soon */
    assert_int_equal(add(&r, other_key, &data, &len), DZ_EFORMAT);
    assert_int_equal(add(&r, part(0, 6, "def", DZ_FRAGMENT_LAST), &data, &len),
                     1); /* what stood still stands */
    assert_memory_equal(data, "abcdef", 6);
    dz_reassembly_fini(&r);
}

static void the_bytes_held_in_all_lanes_are_bounded(void **state)
{
    (void)state;
    struct dz_reassembly r;
    const uint8_t *data;
    size_t len;
    dz_reassembly_init(&r, 8);
    assert_int_equal(add(&r, part(0, 16, "abcde", DZ_FRAGMENT_FIRST), &data, &len), 0);
    assert_int_equal(add(&r, part(1, 16, "abcde", DZ_FRAGMENT_FIRST), &data, &len), DZ_EFORMAT);
    assert_int_equal(add(&r, part(1, 16, "abc", DZ_FRAGMENT_FIRST), &data, &len), 0);
    assert_int_equal(r.held, 8);
    dz_reassembly_fini(&r);
}

static void an_announced_length_takes_no_memory(void **state)
{
    (void)state;
    struct dz_reassembly r;
    const uint8_t *data;
    size_t len;
    dz_reassembly_init(&r, SIZE_MAX);
    for (uint8_t lane = 0; lane < DZ_FRAME_LANES; lane++) {
        assert_int_equal(add(&r, part(lane, DZ_NET_MAX_MESSAGE, "a", DZ_FRAGMENT_FIRST), &data, &len), 0);
        assert_true(r.lanes[lane].bytes.cap < 65536);
    }
    dz_reassembly_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_of_several_lanes_become_messages),
        cmocka_unit_test(fragments_that_do_not_fit_are_refused),
        cmocka_unit_test(the_bytes_held_in_all_lanes_are_bounded),
        cmocka_unit_test(an_announced_length_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
