#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/err.h"
#include "net/channel.h"
#include "net/handshake.h"

struct ends {
    struct dz_tls_context *tls[2];
    struct dz_channel dialler;
    struct dz_channel acceptor;
};

static struct dz_tls_context *context(const char *secret)
{
    struct dz_tls_context *c = NULL;
    if (secret)
        assert_int_equal(dz_tls_context_new_secret(&c, secret, strlen(secret)), 0);
    return c;
}

static void ends_open(struct ends *e, const char *dialler, const char *acceptor)
{
    e->tls[0] = context(dialler);
    e->tls[1] = context(acceptor);
    assert_int_equal(dz_channel_init(&e->dialler, e->tls[0], false), 0);
    assert_int_equal(dz_channel_init(&e->acceptor, e->tls[1], true), 0);
}

static void ends_close(struct ends *e)
{
    dz_channel_fini(&e->dialler);
    dz_channel_fini(&e->acceptor);
    dz_tls_context_delete(e->tls[0]);
    dz_tls_context_delete(e->tls[1]);
}

/* Everything that waits goes over, `step` bytes at a time; the first result that is not 0. */
static int carry(struct dz_channel *from, struct dz_channel *to, size_t step)
{
    int err = 0;
    for (size_t at = 0; at < from->out.len && !err; at += step)
        err = dz_channel_feed(to, from->out.data + at, from->out.len - at < step ? from->out.len - at : step);
    dz_buf_clear(&from->out);
    return err;
}

static void seal_hello(struct dz_channel *c)
{
    struct dz_hello hello = {
        .version = DZ_NET_VERSION, .id = "a@h:1", .id_len = 5, .to = "b@h:2", .to_len = 5, .birth = 1};
    struct dz_buf b;
    dz_buf_init(&b);
    assert_int_equal(dz_hello_encode(&b, DZ_FRAME_HELLO, &hello), 0);
    assert_int_equal(dz_channel_seal(c, b.data, b.len), 0);
    dz_buf_fini(&b);
}

static void seal_message(struct dz_channel *c, size_t len)
{
    static const uint8_t data[DZ_FRAME_MAX_PAYLOAD];
    struct dz_frame f = {.type = DZ_FRAME_MEMBERSHIP, .data = data, .len = len};
    struct dz_buf b;
    dz_buf_init(&b);
    assert_int_equal(dz_frame_encode(&b, &f), 0);
    assert_int_equal(dz_channel_seal(c, b.data, b.len), 0);
    dz_buf_fini(&b);
}

static void frames_pass(const char *secret, size_t step)
{
    const unsigned hello = DZ_CHANNEL_ALLOW(DZ_FRAME_HELLO), rumour = DZ_CHANNEL_ALLOW(DZ_FRAME_MEMBERSHIP);
    struct ends e;
    struct dz_frame f;
    ends_open(&e, secret, secret);
    for (int i = 0; i < 3 && !(e.dialler.open && e.acceptor.open); i++) {
        assert_int_equal(carry(&e.dialler, &e.acceptor, step), 0);
        assert_int_equal(carry(&e.acceptor, &e.dialler, step), 0);
    }
    assert_true(e.dialler.open && e.acceptor.open);
    seal_hello(&e.dialler);
    seal_message(&e.dialler, 5);
    seal_message(&e.dialler, 60000);
    assert_int_equal(carry(&e.dialler, &e.acceptor, step), 0);
    assert_int_equal(dz_channel_next(&e.acceptor, hello, &f), 1);
    assert_int_equal(f.type, DZ_FRAME_HELLO);
    assert_int_equal(dz_channel_next(&e.acceptor, rumour, &f), 1);
    assert_int_equal(f.len, 5);
    assert_int_equal(dz_channel_next(&e.acceptor, rumour, &f), 1);
    assert_int_equal(f.len, 60000);
    assert_int_equal(dz_channel_next(&e.acceptor, rumour, &f), 0);
    seal_message(&e.acceptor, 7);
    assert_int_equal(carry(&e.acceptor, &e.dialler, step), 0);
    assert_int_equal(dz_channel_next(&e.dialler, hello, &f), DZ_EFORMAT); /* not allowed now */
    assert_int_equal(dz_channel_next(&e.dialler, rumour, &f), 1);
    ends_close(&e);
}

static void frames_pass_in_any_portions(void **state)
{
    (void)state;
    for (size_t step = 1; step < 100000; step *= 10) {
        frames_pass(NULL, step);
        frames_pass("secret", step);
    }
}

static void a_secret_on_one_side_only_is_noticed_on_both(void **state)
{
    (void)state;
    const unsigned refuse = DZ_CHANNEL_ALLOW(DZ_FRAME_REFUSE);
    struct ends e;
    struct dz_frame f;
    for (size_t step = 1; step < 1000; step *= 30) {
        ends_open(&e, "secret", NULL);
        assert_int_equal(carry(&e.dialler, &e.acceptor, step), DZ_EAUTH);
        assert_int_equal(carry(&e.acceptor, &e.dialler, step), DZ_EAUTH);
        ends_close(&e);
        ends_open(&e, NULL, "secret");
        seal_hello(&e.dialler);
        assert_int_equal(carry(&e.dialler, &e.acceptor, step), DZ_EAUTH);
        assert_int_equal(carry(&e.acceptor, &e.dialler, step), 0);
        assert_int_equal(dz_channel_next(&e.dialler, refuse, &f), 1);
        assert_int_equal(f.reason, DZ_REFUSAL_SECRET);
        ends_close(&e);
    }
}

static void different_secrets_are_noticed_on_both_sides(void **state)
{
    (void)state;
    struct ends e;
    ends_open(&e, "secret", "another");
    assert_int_equal(carry(&e.dialler, &e.acceptor, 10), DZ_EAUTH);
    assert_int_equal(carry(&e.acceptor, &e.dialler, 10), DZ_EAUTH);
    ends_close(&e);
}

static void an_acceptor_keeps_only_a_first_record_before_it_judges(void **state)
{
    (void)state;
    struct ends e;
    uint8_t hello[9] = {0x16, 3, 1, 0x07, 0xfb, 1, 0, 0x07, 0xf7}; /* 2,048 bytes with its head */
    uint8_t byte = 0;
    ends_open(&e, NULL, "secret");
    assert_int_equal(dz_channel_feed(&e.acceptor, hello, sizeof(hello)), 0);
    int err = 0;
    unsigned fed = sizeof(hello);
    for (; fed < 3000 && !err; fed++) {
        assert_null(e.acceptor.tls);
        err = dz_channel_feed(&e.acceptor, &byte, 1);
    }
    assert_int_equal(err, DZ_EAUTH); /* whole at last, and no ClientHello inside */
    assert_int_equal(fed, DZ_TLS_MAX_FIRST_RECORD);
    ends_close(&e);
    hello[4] = 0xfc;
    hello[8] = 0xf8; /* one byte more */
    ends_open(&e, NULL, "secret");
    assert_int_equal(dz_channel_feed(&e.acceptor, hello, sizeof(hello)), DZ_EFORMAT);
    assert_int_equal(e.acceptor.out.len, 0); /* whoever this is, it gets no answer */
    ends_close(&e);
}

static void bytes_of_another_protocol_are_refused_at_the_first_one(void **state)
{
    (void)state;
    struct ends e;
    for (unsigned first = 1; first < 256; first++) {
        uint8_t byte = (uint8_t)first;
        if (first >= 20 && first <= 24)
            continue;
        ends_open(&e, NULL, "secret");
        assert_int_equal(dz_channel_feed(&e.acceptor, &byte, 1), DZ_EFORMAT);
        assert_int_equal(dz_channel_feed(&e.dialler, &byte, 1), DZ_EFORMAT);
        ends_close(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_pass_in_any_portions),
        cmocka_unit_test(a_secret_on_one_side_only_is_noticed_on_both),
        cmocka_unit_test(different_secrets_are_noticed_on_both_sides),
        cmocka_unit_test(an_acceptor_keeps_only_a_first_record_before_it_judges),
        cmocka_unit_test(bytes_of_another_protocol_are_refused_at_the_first_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
