#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/alloc.h"
#include "base/err.h"
#include "net/session.h"

#define KEYS 4

/* What arrived: the next number expected under each key, and how often it was another. */
struct seen {
    uint32_t next[KEYS];
    unsigned count;
    unsigned wrong;
    uint64_t order[64]; /* keys of the first messages */
};

static void send_number(struct dz_session *s, uint64_t key, uint32_t number, size_t len)
{
    uint8_t *data = dz_zalloc(1, len);
    assert_non_null(data);
    memcpy(data, &number, sizeof(number));
    assert_int_equal(dz_session_send(s, key, data, len, 0), 0);
    dz_free(data);
}

static int receive(struct dz_session *to, const struct dz_frame *f, struct seen *seen)
{
    const uint8_t *data;
    size_t len;
    uint32_t number;
    int got = dz_session_receive(to, f, &data, &len);
    if (got != 1)
        return got;
    memcpy(&number, data, sizeof(number));
    seen->wrong += number != seen->next[f->key % KEYS];
    seen->next[f->key % KEYS] = number + 1;
    if (seen->count < 64)
        seen->order[seen->count] = f->key;
    seen->count++;
    return got;
}

/* Carries at most `frames` frames; true when there are no more. */
static bool carry(struct dz_session *from, struct dz_session *to, struct seen *seen, unsigned frames)
{
    struct dz_frame f;
    for (unsigned i = 0; i < frames; i++) {
        if (dz_session_next(from, &f) == 0)
            return true;
        assert_true(receive(to, &f, seen) >= 0);
    }
    return !dz_session_has_next(from);
}

static void messages_arrive_once_in_order_and_are_freed_when_acknowledged(void **state)
{
    (void)state;
    struct dz_session a, b;
    struct seen seen = {0};
    dz_session_init(&a, 1, DZ_NET_SESSION_LIMIT);
    dz_session_init(&b, 1, DZ_NET_SESSION_LIMIT);
    for (uint32_t i = 0; i < 500; i++)
        send_number(&a, i % KEYS, i / KEYS, i % 50 ? 100 : 150000);
    assert_true(carry(&a, &b, &seen, UINT32_MAX));
    assert_int_equal(seen.count, 500);
    assert_int_equal(seen.wrong, 0);
    assert_true(a.pending > 0);
    assert_true(dz_session_ack_owed(&b));
    assert_true(dz_session_ack_due(&b));
    assert_int_equal(dz_session_acknowledged(&a, dz_session_ack(&b)), 0);
    assert_false(dz_session_ack_owed(&b) || dz_session_ack_due(&b));
    assert_int_equal(a.pending, 0);
    dz_session_fini(&a);
    dz_session_fini(&b);
}

/* The connection breaks after every possible number of frames; of the last ones some arrived and some did not. */
static void a_resume_at_any_point_loses_doubles_and_reorders_nothing(void **state)
{
    (void)state;
    for (unsigned arrived = 0; arrived <= 14; arrived++)
        for (unsigned lost = 0; lost <= 4; lost++) {
            struct dz_session a, b;
            struct seen seen = {0};
            struct dz_frame f;
            dz_session_init(&a, 1, DZ_NET_SESSION_LIMIT);
            dz_session_init(&b, 1, DZ_NET_SESSION_LIMIT);
            for (uint32_t i = 0; i < 12; i++)
                send_number(&a, i % 3, i / 3, i == 4 ? 200000 : 10);
            carry(&a, &b, &seen, arrived);
            if (arrived % 2)
                assert_int_equal(dz_session_acknowledged(&a, dz_session_ack(&b)), 0);
            for (unsigned i = 0; i < lost; i++)
                (void)dz_session_next(&a, &f);
            send_number(&a, 3, 0, 10); /* between two connections */
            assert_true(dz_session_can_resume(&a, b.received));
            dz_session_resume(&a, b.received);
            assert_true(carry(&a, &b, &seen, UINT32_MAX));
            assert_int_equal(seen.count, 13);
            assert_int_equal(seen.wrong, 0);
            assert_int_equal(dz_session_acknowledged(&a, dz_session_ack(&b)), 0);
            assert_int_equal(a.pending, 0);
            dz_session_fini(&a);
            dz_session_fini(&b);
        }
}

static void what_arrives_twice_is_dropped_and_a_gap_is_an_error(void **state)
{
    (void)state;
    struct dz_session a, b;
    struct seen seen = {0};
    struct dz_frame one, two, three;
    dz_session_init(&a, 1, DZ_NET_SESSION_LIMIT);
    dz_session_init(&b, 1, DZ_NET_SESSION_LIMIT);
    for (uint32_t i = 0; i < 3; i++)
        send_number(&a, 1, i, 10);
    assert_int_equal(dz_session_next(&a, &one), 1);
    assert_int_equal(dz_session_next(&a, &two), 1);
    assert_int_equal(dz_session_next(&a, &three), 1);
    assert_int_equal(receive(&b, &one, &seen), 1);
    assert_int_equal(receive(&b, &one, &seen), 0);
    assert_int_equal(receive(&b, &three, &seen), DZ_EFORMAT);
    assert_int_equal(receive(&b, &two, &seen), 1);
    assert_int_equal(receive(&b, &three, &seen), 1);
    assert_int_equal(seen.count, 3);
    assert_int_equal(dz_session_acknowledged(&a, 4), DZ_EFORMAT); /* never sent */
    assert_int_equal(dz_session_acknowledged(&a, 3), 0);
    assert_int_equal(dz_session_acknowledged(&a, 1), 0); /* late, harmless */
    dz_session_fini(&a);
    dz_session_fini(&b);
}

static void only_what_is_still_kept_can_be_resumed(void **state)
{
    (void)state;
    struct dz_session a;
    struct dz_frame f;
    dz_session_init(&a, 1, DZ_NET_SESSION_LIMIT);
    assert_true(dz_session_can_resume(&a, 0));
    assert_false(dz_session_can_resume(&a, 1));
    for (uint32_t i = 0; i < 4; i++) {
        send_number(&a, 1, i, 10);
        assert_int_equal(dz_session_next(&a, &f), 1);
    }
    assert_int_equal(dz_session_acknowledged(&a, 2), 0);
    assert_false(dz_session_can_resume(&a, 1));
    assert_true(dz_session_can_resume(&a, 2));
    assert_true(dz_session_can_resume(&a, 4));
    assert_false(dz_session_can_resume(&a, 5));
    assert_false(dz_session_can_resume(&a, UINT64_MAX));
    dz_session_fini(&a);
}

static void a_full_session_refuses_until_half_of_it_is_free(void **state)
{
    (void)state;
    struct dz_session a;
    struct dz_frame f;
    uint8_t data[1000] = {0};
    uint64_t sent = 0;
    dz_session_init(&a, 1, 100000);
    while (dz_session_send(&a, 1, data, sizeof(data), 0) == 0)
        sent++;
    assert_true(a.pending <= 100000);
    assert_int_equal(dz_session_send(&a, 1, data, sizeof(data), 0), DZ_EOVERLOADED);
    unsigned reserved = 0;
    while (dz_session_send(&a, 1, data, sizeof(data), DZ_SEND_RESERVED) == 0)
        reserved++;
    assert_true(reserved >= 20 && a.pending <= 125000);
    while (dz_session_next(&a, &f) == 1)
        ;
    assert_int_equal(dz_session_acknowledged(&a, sent / 2), 0);
    assert_true(a.pending < 90000 && a.pending > 50000); /* there would be room, but a large one waits for more */
    assert_false(dz_session_unblocked(&a));
    assert_false(dz_session_has_room(&a, 1));
    assert_int_equal(dz_session_send(&a, 1, data, 1, 0), DZ_EOVERLOADED);
    assert_int_equal(dz_session_send(&a, 1, data, 1, DZ_SEND_RESERVED), 0);
    assert_int_equal(dz_session_acknowledged(&a, sent), 0);
    assert_true(dz_session_has_room(&a, 40000));
    assert_false(dz_session_has_room(&a, 90000));
    assert_true(dz_session_unblocked(&a));
    assert_false(dz_session_unblocked(&a)); /* told once */
    assert_int_equal(dz_session_send(&a, 1, data, sizeof(data), 0), 0);
    dz_session_fini(&a);
}

static void a_message_larger_than_the_bound_passes_alone(void **state)
{
    (void)state;
    struct dz_session a, b;
    struct seen seen = {0};
    dz_session_init(&a, 1, 1000);
    dz_session_init(&b, 1, 1000);
    send_number(&a, 1, 0, DZ_NET_MAX_MESSAGE);
    assert_int_equal(dz_session_send(&a, 2, "x", 1, 0), DZ_EOVERLOADED);
    assert_int_equal(dz_session_send(&a, 2, "x", DZ_NET_MAX_MESSAGE + 1, 0), DZ_ETOOLARGE);
    assert_int_equal(dz_session_send(&a, 2, "", 0, 0), DZ_EARGUMENT);
    assert_true(carry(&a, &b, &seen, UINT32_MAX));
    assert_int_equal(seen.count, 1);
    dz_session_fini(&a);
    dz_session_fini(&b);
}

static void a_small_message_is_not_stuck_behind_a_big_one(void **state)
{
    (void)state;
    struct dz_session a, b;
    struct seen seen = {0};
    dz_session_init(&a, 1, DZ_NET_SESSION_LIMIT);
    dz_session_init(&b, 1, DZ_NET_SESSION_LIMIT);
    send_number(&a, 0, 0, 4 * 1024 * 1024);
    send_number(&a, 0, 1, 10); /* the same sender's: behind it */
    send_number(&a, 1, 0, 2 * 1024 * 1024);
    send_number(&a, 2, 0, 10);
    assert_false(carry(&a, &b, &seen, 3));
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.order[0], 2);
    assert_true(carry(&a, &b, &seen, UINT32_MAX));
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.order[1], 1);
    assert_int_equal(seen.order[2], 0);
    assert_int_equal(seen.order[3], 0);
    assert_int_equal(seen.wrong, 0);
    dz_session_fini(&a);
    dz_session_fini(&b);
}

static void a_late_acknowledgement_of_the_old_connection_moves_a_resumed_one_on(void **state)
{
    (void)state;
    struct dz_session a, b;
    struct seen seen = {0};
    struct dz_frame f;
    dz_session_init(&a, 1, DZ_NET_SESSION_LIMIT);
    dz_session_init(&b, 1, DZ_NET_SESSION_LIMIT);
    for (uint32_t i = 0; i < 6; i++)
        send_number(&a, 1, i, 10);
    carry(&a, &b, &seen, 3);
    dz_session_resume(&a, 1); /* what the peer said before it read the rest */
    assert_int_equal(dz_session_acknowledged(&a, 3), 0);
    assert_int_equal(dz_session_next(&a, &f), 1);
    assert_int_equal(f.number, 4);
    assert_int_equal(receive(&b, &f, &seen), 1);
    assert_true(carry(&a, &b, &seen, UINT32_MAX));
    assert_int_equal(seen.count, 6);
    assert_int_equal(seen.wrong, 0);
    dz_session_fini(&a);
    dz_session_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_once_in_order_and_are_freed_when_acknowledged),
        cmocka_unit_test(a_resume_at_any_point_loses_doubles_and_reorders_nothing),
        cmocka_unit_test(what_arrives_twice_is_dropped_and_a_gap_is_an_error),
        cmocka_unit_test(only_what_is_still_kept_can_be_resumed),
        cmocka_unit_test(a_full_session_refuses_until_half_of_it_is_free),
        cmocka_unit_test(a_message_larger_than_the_bound_passes_alone),
        cmocka_unit_test(a_small_message_is_not_stuck_behind_a_big_one),
        cmocka_unit_test(a_late_acknowledgement_of_the_old_connection_moves_a_resumed_one_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
