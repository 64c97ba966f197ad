#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/alloc.h"
#include "base/err.h"
#include "net/frame.h"

static void encode(struct dz_buf *b, const struct dz_frame *f)
{
    dz_buf_init(b);
    assert_int_equal(dz_frame_encode(b, f), 0);
}

static void round_trip(const struct dz_frame *f)
{
    struct dz_buf b;
    struct dz_frame got;
    size_t used = 0;
    encode(&b, f);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(dz_frame_decode(b.data, i, &got, &used), 0);
    assert_int_equal(dz_frame_decode(b.data, b.len, &got, &used), 1);
    assert_int_equal(used, b.len);
    assert_int_equal(got.type, f->type);
    assert_int_equal(got.number, f->number);
    assert_int_equal(got.acknowledged, f->acknowledged);
    assert_int_equal(got.key, f->key);
    assert_int_equal(got.total, f->total);
    assert_int_equal(got.lane, f->lane);
    assert_int_equal(got.flags, f->flags);
    assert_int_equal(got.reason, f->reason);
    assert_int_equal(got.version, f->version);
    assert_int_equal(got.known_incarnation, f->known_incarnation);
    assert_int_equal(got.challenge, f->challenge);
    assert_memory_equal(&got.figures, &f->figures, sizeof(got.figures));
    assert_int_equal(got.len, f->len);
    if (f->len)
        assert_memory_equal(got.data, f->data, f->len);
    dz_buf_fini(&b);
}

static void every_frame_comes_back_as_it_was(void **state)
{
    (void)state;
    const uint8_t data[] = "some bytes";
    round_trip(&(struct dz_frame){.type = DZ_FRAME_HELLO, .data = data, .len = 10});
    round_trip(&(struct dz_frame){.type = DZ_FRAME_HELLO_ACK, .data = data, .len = 10});
    round_trip(&(struct dz_frame){
        .type = DZ_FRAME_REFUSE, .version = 0xabcd, .reason = 9, .known_incarnation = UINT64_MAX});
    round_trip(&(struct dz_frame){.type = DZ_FRAME_READY, .challenge = 0x1122334455667788u});
    round_trip(&(struct dz_frame){
        .type = DZ_FRAME_DATA, .number = 1ull << 63, .acknowledged = 2, .key = 3, .data = data, .len = 10});
    round_trip(&(struct dz_frame){.type = DZ_FRAME_FRAGMENT,
                                  .number = 4,
                                  .acknowledged = 5,
                                  .key = 6,
                                  .total = 0xfffffff,
                                  .lane = 15,
                                  .flags = 3,
                                  .data = data,
                                  .len = 10});
    round_trip(&(struct dz_frame){.type = DZ_FRAME_ACK, .acknowledged = 0x0102030405060708});
    round_trip(&(struct dz_frame){.type = DZ_FRAME_HEARTBEAT,
                                  .acknowledged = 7,
                                  .figures = {.counter = 8, .processes = 9, .load = 10, .flags = 11}});
    round_trip(&(struct dz_frame){.type = DZ_FRAME_GOODBYE});
    round_trip(&(struct dz_frame){.type = DZ_FRAME_MEMBERSHIP, .data = data, .len = 10});
}

static void the_bytes_are_big_endian_and_length_prefixed(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0, 0, 0, 26, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
                                       0, 0, 0, 0,  0, 2, 0, 0, 0, 0, 0, 0, 1, 3, 'x'};
    struct dz_buf b;
    encode(&b, &(struct dz_frame){.type = DZ_FRAME_DATA,
                                  .number = 1,
                                  .acknowledged = 2,
                                  .key = 259,
                                  .data = (const uint8_t *)"x",
                                  .len = 1});
    assert_int_equal(b.len, sizeof(expected));
    assert_memory_equal(b.data, expected, sizeof(expected));
    dz_buf_fini(&b);
}

static void the_largest_payload_passes_and_one_byte_more_does_not(void **state)
{
    (void)state;
    uint8_t *data = dz_zalloc(1, DZ_FRAME_MAX_PAYLOAD + 1);
    struct dz_frame f = {.type = DZ_FRAME_DATA, .number = 1, .data = data, .len = DZ_FRAME_MAX_PAYLOAD}, got;
    struct dz_buf b;
    size_t used;
    round_trip(&f);
    f.len++;
    dz_buf_init(&b);
    assert_int_equal(dz_frame_encode(&b, &f), DZ_ETOOLARGE);
    assert_int_equal(b.len, 0);
    /* The same, announced by a peer: refused on its head, before any byte of it is waited for. */
    static const uint8_t head[] = {0, 1, 0, 26, DZ_FRAME_DATA};
    assert_int_equal(dz_frame_decode(head, sizeof(head), &got, &used), DZ_EFORMAT);
    dz_buf_fini(&b);
    dz_free(data);
}

static void malformed_heads_are_refused(void **state)
{
    (void)state;
    static const uint8_t bad[][5] = {
        {0, 0, 0, 0, DZ_FRAME_READY},          /* no room for the type */
        {0, 0, 0, 10, DZ_FRAME_READY},         /* longer than its type */
        {0, 0, 0, 8, DZ_FRAME_ACK},            /* shorter than its type */
        {0, 0, 0, 24, DZ_FRAME_DATA},          /* the same */
        {0, 0, 0, 1, 0},                       /* no such type */
        {0, 0, 0, 1, DZ_FRAME_MEMBERSHIP + 1}, /* no such type */
        {0xff, 0xff, 0xff, 0xff, DZ_FRAME_HELLO},
    };
    struct dz_frame got;
    size_t used;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(dz_frame_decode(bad[i], 5, &got, &used), DZ_EFORMAT);
}

static void a_fragment_names_a_lane_and_carries_bytes(void **state)
{
    (void)state;
    struct dz_frame f = {.type = DZ_FRAME_FRAGMENT,
                         .lane = DZ_FRAME_LANES,
                         .total = 9,
                         .data = (const uint8_t *)"x",
                         .len = 1};
    struct dz_frame got;
    struct dz_buf b;
    size_t used;
    encode(&b, &f);
    assert_int_equal(dz_frame_decode(b.data, b.len, &got, &used), DZ_EFORMAT);
    dz_buf_fini(&b);
    f.lane = 0;
    f.len = 0;
    encode(&b, &f);
    assert_int_equal(dz_frame_decode(b.data, b.len, &got, &used), DZ_EFORMAT);
    dz_buf_fini(&b);
}

static void random_bytes_never_give_more_than_they_hold(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        uint8_t data[48];
        for (size_t i = 0; i < sizeof(data); i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            data[i] = (uint8_t)(i < 2 ? 0 : i < 5 ? seed & 31 : seed);
        }
        struct dz_frame got;
        size_t used = 0;
        if (dz_frame_decode(data, sizeof(data), &got, &used) == 1) {
            assert_true(used <= sizeof(data));
            assert_true(got.len == 0 || (got.data >= data && got.data + got.len <= data + used));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_comes_back_as_it_was),
        cmocka_unit_test(the_bytes_are_big_endian_and_length_prefixed),
        cmocka_unit_test(the_largest_payload_passes_and_one_byte_more_does_not),
        cmocka_unit_test(malformed_heads_are_refused),
        cmocka_unit_test(a_fragment_names_a_lane_and_carries_bytes),
        cmocka_unit_test(random_bytes_never_give_more_than_they_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
