#include "proc/message.h"

#include <string.h>

#include "../base/check.h"
#include "term/read.h"

static const uint8_t bytes[] = {1, 2, 3, 4, 5};

static void a_new_message_has_its_payload_behind_it(void **state)
{
    (void)state;
    struct dz_msg *m = dz_msg_new(DZ_MSG_CAST, 10);
    assert_non_null(m);
    assert_int_equal(m->kind, DZ_MSG_CAST);
    assert_int_equal(m->len, 10);
    assert_ptr_equal(m->data, m->bytes);
    assert_true(dz_pid_is_none(m->to) && dz_pid_is_none(m->from));
    assert_int_equal(m->flags + m->code + m->ref, 0);
    assert_null(m->blob);
    memset(m->bytes, 0xff, 10);
    dz_msg_free(m);
    dz_msg_free(NULL);
}

static void a_copy_holds_the_same_bytes(void **state)
{
    (void)state;
    struct dz_msg *m = dz_msg_new_copy(DZ_MSG_SEND, bytes, sizeof bytes);
    assert_non_null(m);
    assert_ptr_not_equal(m->data, bytes);
    assert_memory_equal(m->data, bytes, sizeof bytes);
    dz_msg_free(m);
    m = dz_msg_new_copy(DZ_MSG_SEND, NULL, 0);
    assert_non_null(m);
    assert_int_equal(m->len, 0);
    dz_msg_free(m);
}

static void a_message_too_long_for_its_header_is_refused(void **state)
{
    (void)state;
    assert_null(dz_msg_new(DZ_MSG_SEND, (size_t)UINT32_MAX + 1));
}

static void messages_share_a_blob_and_the_last_one_frees_it(void **state)
{
    (void)state;
    struct dz_blob *blob = dz_blob_new(bytes, sizeof bytes);
    struct dz_msg *a = dz_msg_new_blob(DZ_MSG_EXIT, blob);
    struct dz_msg *b = dz_msg_new(DZ_MSG_DOWN, 0);
    assert_true(blob && a && b);
    dz_msg_set_blob(b, blob);
    assert_int_equal(atomic_load(&blob->refs), 3);
    dz_blob_unref(blob);
    assert_ptr_equal(a->data, b->data);
    assert_int_equal(b->len, sizeof bytes);
    dz_msg_free(a);
    assert_memory_equal(b->data, bytes, sizeof bytes);
    dz_msg_free(b);
    dz_blob_unref(NULL);
}

static void a_signal_without_a_reason_has_no_payload(void **state)
{
    (void)state;
    struct dz_msg *m = dz_msg_new_blob(DZ_MSG_KILL, NULL);
    assert_non_null(m);
    assert_int_equal(m->len, 0);
    dz_msg_free(m);
}

static void a_blob_can_hold_a_string_as_a_term(void **state)
{
    (void)state;
    struct dz_blob *blob = dz_blob_new_string("killed");
    struct dz_read r;
    const char *s;
    size_t len;
    assert_non_null(blob);
    dz_read_init(&r, blob->data, blob->len);
    assert_int_equal(dz_read_string(&r, &s, &len), 0);
    assert_int_equal(len, 6);
    assert_memory_equal(s, "killed", 6);
    assert_true(dz_read_at_end(&r));
    dz_blob_unref(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_message_has_its_payload_behind_it),
        cmocka_unit_test(a_copy_holds_the_same_bytes),
        cmocka_unit_test(a_message_too_long_for_its_header_is_refused),
        cmocka_unit_test(messages_share_a_blob_and_the_last_one_frees_it),
        cmocka_unit_test(a_signal_without_a_reason_has_no_payload),
        cmocka_unit_test(a_blob_can_hold_a_string_as_a_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
