#include "proc/mailbox.h"

#include "../base/check.h"

static struct dz_msg *numbered(uint64_t ref)
{
    struct dz_msg *m = dz_msg_new(DZ_MSG_SEND, 0);
    assert_non_null(m);
    m->ref = ref;
    return m;
}

static void fill(struct dz_mailbox *box, uint64_t count)
{
    dz_mailbox_init(box);
    for (uint64_t i = 1; i <= count; i++)
        dz_mailbox_push(box, numbered(i));
}

static void expect(struct dz_mailbox *box, const uint64_t *refs, int count)
{
    for (int i = 0; i < count; i++) {
        struct dz_msg *m = dz_mailbox_pop(box);
        assert_non_null(m);
        assert_int_equal(m->ref, refs[i]);
        assert_null(dz_msg_next(m));
        dz_msg_free(m);
    }
    assert_null(dz_mailbox_pop(box));
    assert_null(box->tail);
}

static void messages_leave_in_the_order_they_came(void **state)
{
    (void)state;
    struct dz_mailbox box;
    fill(&box, 3);
    assert_int_equal(dz_mailbox_peek(&box)->ref, 1);
    expect(&box, (uint64_t[]){1, 2, 3}, 3);
    assert_null(dz_mailbox_peek(&box));
    dz_mailbox_push(&box, numbered(4));
    expect(&box, (uint64_t[]){4}, 1);
}

static void any_message_can_be_taken_out(void **state)
{
    (void)state;
    static const uint64_t left[3][3] = {{2, 3, 4}, {1, 3, 4}, {1, 2, 4}};
    for (int take = 0; take < 3; take++) {
        struct dz_mailbox box;
        fill(&box, 3);
        struct dz_msg *prev = NULL, *m = dz_mailbox_peek(&box);
        for (int i = 0; i < take; i++) {
            prev = m;
            m = dz_msg_next(m);
        }
        dz_mailbox_take(&box, prev, m);
        assert_int_equal(m->ref, take + 1);
        dz_msg_free(m);
        dz_mailbox_push(&box, numbered(4));
        expect(&box, left[take], 3);
    }
}

static void the_only_message_can_be_taken_out(void **state)
{
    (void)state;
    struct dz_mailbox box;
    fill(&box, 1);
    struct dz_msg *m = dz_mailbox_peek(&box);
    dz_mailbox_take(&box, NULL, m);
    dz_msg_free(m);
    expect(&box, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_leave_in_the_order_they_came),
        cmocka_unit_test(any_message_can_be_taken_out),
        cmocka_unit_test(the_only_message_can_be_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
