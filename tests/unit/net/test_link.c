#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/err.h"
#include "net/link.h"

#define NUMBER 0x10000u

/* A socket that takes so many bytes. */
struct socket {
    struct dz_channel channel;
    struct dz_buf written;
    size_t room;
    bool broken;
    unsigned attentions;
};

static long socket_write(void *conn, const void *data, size_t len)
{
    struct socket *s = conn;
    if (s->broken)
        return DZ_EIO;
    size_t part = len < s->room ? len : s->room;
    s->room -= part;
    assert_int_equal(dz_buf_append(&s->written, data, part), 0);
    return (long)part;
}

static void socket_attention(void *conn)
{
    ((struct socket *)conn)->attentions++;
}

static const struct dz_link_port port = {.try_write = socket_write, .attention = socket_attention};

static void open_both(struct dz_link *l, struct socket *s, size_t room)
{
    *s = (struct socket){.room = room};
    dz_buf_init(&s->written);
    assert_int_equal(dz_channel_init(&s->channel, NULL, false), 0);
    assert_int_equal(dz_link_init(l, "b@127.0.0.1:2"), 0);
    dz_link_open(l, NUMBER, 7, 100000);
}

static void close_both(struct dz_link *l, struct socket *s)
{
    dz_link_detach(l);
    dz_link_fini(l);
    dz_channel_fini(&s->channel);
    dz_buf_fini(&s->written);
}

/* The types of the frames written so far, as letters. */
static void types(const struct socket *s, char *out)
{
    static const char letters[] = "?HAREDFKBGM";
    size_t at = 0, used;
    struct dz_frame f;
    while (dz_frame_decode(s->written.data + at, s->written.len - at, &f, &used) == 1) {
        *out++ = letters[f.type];
        at += used;
    }
    *out = '\0';
}

static int send_some(struct dz_link *l, size_t len)
{
    static const uint8_t data[70000];
    return dz_link_send(l, NUMBER, 1, data, len, 0);
}

static void messages_wait_for_a_connection_and_are_then_written_at_once(void **state)
{
    (void)state;
    struct dz_link l;
    struct socket s;
    char got[16];
    open_both(&l, &s, SIZE_MAX);
    assert_int_equal(send_some(&l, 10), 0);
    assert_int_equal(send_some(&l, 70000), 0);
    assert_int_equal(s.written.len, 0);
    dz_link_attach(&l, &s, &port, &s.channel, false);
    assert_int_equal(send_some(&l, 10), 0);
    types(&s, got);
    assert_string_equal(got, "DFFD");
    assert_int_equal(s.attentions, 0);
    close_both(&l, &s);
}

static void messages_with_more_behind_them_are_written_together(void **state)
{
    static const uint8_t data[40000];
    (void)state;
    struct dz_link l;
    struct socket s;
    char got[16];
    open_both(&l, &s, SIZE_MAX);
    dz_link_attach(&l, &s, &port, &s.channel, false);
    assert_int_equal(dz_link_send(&l, NUMBER, 1, data, 10, DZ_SEND_LATER), 0);
    assert_int_equal(dz_link_send(&l, NUMBER, 1, data, 10, DZ_SEND_LATER), 0);
    assert_int_equal(s.written.len, 0);
    dz_link_pump(&l);
    types(&s, got);
    assert_string_equal(got, "DD");
    assert_int_equal(dz_link_send(&l, NUMBER, 1, data, 40000, DZ_SEND_LATER), 0);
    types(&s, got);
    assert_string_equal(got, "DD");
    assert_int_equal(dz_link_send(&l, NUMBER, 1, data, 40000, DZ_SEND_LATER), 0); /* enough for a write */
    types(&s, got);
    assert_string_equal(got, "DDDD");
    close_both(&l, &s);
}

static void what_the_socket_does_not_take_is_left_to_the_loop(void **state)
{
    (void)state;
    struct dz_link l;
    struct socket s;
    struct dz_buf rest;
    char got[16];
    open_both(&l, &s, 15);
    dz_link_attach(&l, &s, &port, &s.channel, false);
    assert_int_equal(send_some(&l, 10), 0);
    assert_int_equal(s.written.len, 15);
    assert_int_equal(s.attentions, 1);
    assert_true(dz_link_take_output(&l, &rest));
    assert_false(dz_link_take_output(&l, &(struct dz_buf){0}));
    assert_int_equal(dz_buf_append(&s.written, rest.data, rest.len), 0);
    dz_buf_fini(&rest);
    s.room = SIZE_MAX;
    assert_int_equal(send_some(&l, 10), 0); /* the loop is writing: only queued */
    types(&s, got);
    assert_string_equal(got, "D");
    dz_link_idle(&l);
    types(&s, got);
    assert_string_equal(got, "DD");
    close_both(&l, &s);
}

static void heartbeats_and_membership_overtake_and_need_a_connection(void **state)
{
    (void)state;
    struct dz_link l;
    struct socket s;
    char got[16];
    struct dz_frame beat = {.type = DZ_FRAME_HEARTBEAT}, rumour = {.type = DZ_FRAME_MEMBERSHIP};
    open_both(&l, &s, SIZE_MAX);
    assert_int_equal(dz_link_send_urgent(&l, NUMBER, &beat), DZ_ENOCONNECTION);
    dz_link_attach(&l, &s, &port, &s.channel, true);
    assert_int_equal(send_some(&l, 10), 0);
    assert_int_equal(dz_link_send_urgent(&l, NUMBER, &beat), 0);
    assert_int_equal(dz_link_send_urgent(&l, NUMBER, &rumour), 0);
    assert_int_equal(dz_link_send_urgent(&l, NUMBER + 1, &rumour), DZ_ENOCONNECTION);
    dz_link_idle(&l);
    types(&s, got);
    assert_string_equal(got, "BMD");
    close_both(&l, &s);
}

static void urgent_frames_are_bounded(void **state)
{
    (void)state;
    struct dz_link l;
    struct socket s;
    static const uint8_t data[60000];
    struct dz_frame rumour = {.type = DZ_FRAME_MEMBERSHIP, .data = data, .len = sizeof(data)};
    int err;
    open_both(&l, &s, SIZE_MAX);
    dz_link_attach(&l, &s, &port, &s.channel, true);
    while ((err = dz_link_send_urgent(&l, NUMBER, &rumour)) == 0)
        assert_true(l.urgent.len <= DZ_LINK_MAX_URGENT);
    assert_int_equal(err, DZ_EOVERLOADED);
    close_both(&l, &s);
}

static void a_goodbye_is_written_behind_everything_and_silences_senders(void **state)
{
    (void)state;
    struct dz_link l;
    struct socket s;
    char got[16];
    open_both(&l, &s, SIZE_MAX);
    dz_link_attach(&l, &s, &port, &s.channel, true);
    assert_int_equal(send_some(&l, 10), 0);
    dz_link_part(&l);
    assert_int_equal(send_some(&l, 10), DZ_ENOCONNECTION);
    assert_int_equal(dz_link_peer_no(&l), 0);
    assert_false(dz_link_goodbye_out(&l));
    dz_link_idle(&l);
    types(&s, got);
    assert_string_equal(got, "DG");
    assert_true(s.attentions > 0);
    assert_true(dz_link_goodbye_out(&l));
    close_both(&l, &s);
}

static void a_failed_write_asks_for_attention_and_loses_nothing(void **state)
{
    (void)state;
    struct dz_link l;
    struct socket s, next;
    char got[16];
    open_both(&l, &s, SIZE_MAX);
    s.broken = true;
    dz_link_attach(&l, &s, &port, &s.channel, false);
    assert_int_equal(send_some(&l, 10), 0);
    assert_true(dz_link_failed(&l));
    assert_int_equal(s.attentions, 1);
    assert_int_equal(send_some(&l, 10), 0);
    assert_int_equal(s.attentions, 1);
    dz_link_detach(&l);
    next = (struct socket){.room = SIZE_MAX};
    dz_buf_init(&next.written);
    assert_int_equal(dz_channel_init(&next.channel, NULL, false), 0);
    dz_link_resume(&l, 0);
    dz_link_attach(&l, &next, &port, &next.channel, false);
    types(&next, got);
    assert_string_equal(got, "DD");
    dz_link_detach(&l);
    dz_channel_fini(&next.channel);
    dz_buf_fini(&next.written);
    close_both(&l, &s);
}

static void an_acknowledgement_rides_on_a_frame_or_goes_alone(void **state)
{
    (void)state;
    struct dz_link l;
    struct socket s;
    char got[16];
    const uint8_t *data;
    size_t len;
    struct dz_buf big;
    struct dz_frame f = {.type = DZ_FRAME_DATA, .number = 1, .data = (const uint8_t *)"x", .len = 1};
    open_both(&l, &s, SIZE_MAX);
    dz_buf_init(&big);
    dz_link_attach(&l, &s, &port, &s.channel, false);
    assert_int_equal(dz_link_receive(&l, &f, &data, &len, &big), 1);
    assert_true(dz_link_settle_acks(&l));
    assert_int_equal(send_some(&l, 10), 0);
    assert_false(dz_link_settle_acks(&l)); /* it was on that frame */
    f.number = 2;
    assert_int_equal(dz_link_receive(&l, &f, &data, &len, &big), 1);
    dz_link_flush_acks(&l);
    assert_false(dz_link_settle_acks(&l));
    types(&s, got);
    assert_string_equal(got, "DK");
    dz_buf_fini(&big);
    close_both(&l, &s);
}

static void a_number_outlives_no_session(void **state)
{
    (void)state;
    struct dz_link l;
    struct socket s;
    open_both(&l, &s, SIZE_MAX);
    assert_int_equal(send_some(&l, 10), 0);
    assert_true(dz_link_backlog(&l, NUMBER) > 0);
    dz_link_over(&l);
    assert_int_equal(send_some(&l, 10), DZ_ENOCONNECTION);
    assert_int_equal(dz_link_backlog(&l, NUMBER), 0);
    dz_link_open(&l, NUMBER * 2, 8, 1000);
    assert_int_equal(send_some(&l, 10), DZ_ENOCONNECTION);
    assert_int_equal(dz_link_init(&(struct dz_link){0}, "nonsense"), DZ_ENODEID);
    close_both(&l, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_wait_for_a_connection_and_are_then_written_at_once),
        cmocka_unit_test(messages_with_more_behind_them_are_written_together),
        cmocka_unit_test(what_the_socket_does_not_take_is_left_to_the_loop),
        cmocka_unit_test(heartbeats_and_membership_overtake_and_need_a_connection),
        cmocka_unit_test(urgent_frames_are_bounded),
        cmocka_unit_test(a_goodbye_is_written_behind_everything_and_silences_senders),
        cmocka_unit_test(a_failed_write_asks_for_attention_and_loses_nothing),
        cmocka_unit_test(an_acknowledgement_rides_on_a_frame_or_goes_alone),
        cmocka_unit_test(a_number_outlives_no_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
