#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/alloc.h"
#include "base/err.h"
#include "net/frame.h"
#include "net/handshake.h"

static struct dz_hello hello_of(const char *id, const char *to)
{
    return (struct dz_hello){.version = DZ_NET_VERSION,
                             .id = id,
                             .id_len = strlen(id),
                             .incarnation = 5,
                             .birth = 6,
                             .to = to,
                             .to_len = strlen(to),
                             .to_incarnation = 7,
                             .dial = 8,
                             .accepted_dial = 9,
                             .session = 10,
                             .received = 11,
                             .challenge = 12,
                             .attributes = (const uint8_t *)"attributes",
                             .attributes_len = 10,
                             .known = (const uint8_t *)"known",
                             .known_len = 5};
}

static void encode_body(const struct dz_hello *h, struct dz_buf *b)
{
    struct dz_frame frame;
    size_t used;
    dz_buf_init(b);
    assert_int_equal(dz_hello_encode(b, DZ_FRAME_HELLO, h), 0);
    assert_int_equal(dz_frame_decode(b->data, b->len, &frame, &used), 1);
    assert_int_equal(frame.type, DZ_FRAME_HELLO);
    dz_buf_consume(b, b->len - frame.len);
}

static void a_hello_comes_back_as_it_was(void **state)
{
    (void)state;
    struct dz_hello h = hello_of("a@host:1", "b@[::1]:2"), got;
    struct dz_buf b;
    encode_body(&h, &b);
    assert_int_equal(dz_hello_decode(b.data, b.len, &got), 0);
    assert_int_equal(got.id_len, h.id_len);
    assert_memory_equal(got.id, h.id, h.id_len);
    assert_int_equal(got.to_len, h.to_len);
    assert_memory_equal(got.to, h.to, h.to_len);
    assert_int_equal(got.incarnation, 5);
    assert_int_equal(got.birth, 6);
    assert_int_equal(got.to_incarnation, 7);
    assert_int_equal(got.dial, 8);
    assert_int_equal(got.accepted_dial, 9);
    assert_int_equal(got.session, 10);
    assert_int_equal(got.received, 11);
    assert_int_equal(got.challenge, 12);
    assert_memory_equal(got.attributes, "attributes", got.attributes_len);
    assert_int_equal(got.attributes_len, 10);
    assert_memory_equal(got.known, "known", got.known_len);
    assert_int_equal(got.known_len, 5);
    dz_buf_fini(&b);
}

static void a_truncated_longer_or_foreign_hello_is_refused(void **state)
{
    (void)state;
    struct dz_hello h = hello_of("a@host:1", "b@host:2"), got;
    struct dz_buf b;
    encode_body(&h, &b);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(dz_hello_decode(b.data, i, &got), DZ_EFORMAT);
    dz_buf_append_u8(&b, 0);
    assert_int_equal(dz_hello_decode(b.data, b.len, &got), DZ_EFORMAT);
    b.len--;
    b.data[5]++;
    assert_int_equal(dz_hello_decode(b.data, b.len, &got), DZ_EVERSION);
    assert_int_equal(got.version, DZ_NET_VERSION + 1);
    b.data[5]--;
    b.data[0] = 'X';
    assert_int_equal(dz_hello_decode(b.data, b.len, &got), DZ_EFORMAT);
    b.data[0] = 'D';
    b.data[9] = '\0'; /* within the sender's id */
    assert_int_equal(dz_hello_decode(b.data, b.len, &got), DZ_EFORMAT);
    dz_buf_fini(&b);
}

static void attributes_and_known_peers_are_bounded(void **state)
{
    (void)state;
    struct dz_hello h = hello_of("a@host:1", "b@host:2");
    struct dz_buf b;
    uint8_t *big = dz_zalloc(1, DZ_NET_MAX_KNOWN_PEERS + 1);
    dz_buf_init(&b);
    h.attributes = h.known = big;
    h.attributes_len = DZ_NET_MAX_ATTRIBUTES;
    h.known_len = DZ_NET_MAX_KNOWN_PEERS;
    assert_int_equal(dz_hello_encode(&b, DZ_FRAME_HELLO, &h), 0);
    h.attributes_len++;
    assert_int_equal(dz_hello_encode(&b, DZ_FRAME_HELLO, &h), DZ_ETOOLARGE);
    h.attributes_len--;
    h.known_len++;
    assert_int_equal(dz_hello_encode(&b, DZ_FRAME_HELLO, &h), DZ_ETOOLARGE);
    dz_buf_fini(&b);
    dz_free(big);
}

static void a_node_id_is_a_name_a_host_and_a_port(void **state)
{
    (void)state;
    static const char *bad[] = {"",          "a",        "a@b",    "a@b:",      "@b:1",    "a@:1",
                                "a@b:65536", "a@b:01",   "a@b:x",  "1@b:1",     "a b@c:1", "a@b c:1",
                                "a@b@c:1",   "a@b/c:1",  "a@b:-1", "a@b>:1",    "a:1",     "a@b:1 ",
                                "-a@b:1",    "a@b:1\n2", ":1@a",   "a@b:123456"};
    char host[256];
    uint16_t port;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(dz_handshake_parse_id(bad[i], host, &port), DZ_ENODEID);
    assert_int_equal(dz_handshake_parse_id("node-1_x@example.org:65535", host, &port), 0);
    assert_string_equal(host, "example.org");
    assert_int_equal(port, 65535);
    assert_int_equal(dz_handshake_parse_id("a@[::1]:0", host, &port), 0);
    assert_string_equal(host, "::1");
    assert_int_equal(port, 0);
}

static void a_hello_is_for_its_receiver_and_from_somebody_else(void **state)
{
    (void)state;
    struct dz_node_identity self = {.id = "b@host:2", .incarnation = 1, .birth = 77};
    struct dz_hello h = hello_of("a@host:1", "b@host:2");
    assert_int_equal(dz_hello_check_receiver(&h, &self), DZ_REFUSAL_NONE);
    h = hello_of("a@host:1", "b@host:22");
    assert_int_equal(dz_hello_check_receiver(&h, &self), DZ_REFUSAL_WRONG_RECEIVER);
    h = hello_of("b@host:2", "b@host:2");
    assert_int_equal(dz_hello_check_receiver(&h, &self), DZ_REFUSAL_DENIED);
    h.birth = 77;
    assert_int_equal(dz_hello_check_receiver(&h, &self), DZ_REFUSAL_SELF);
    h = hello_of("a@host:1", "c@host:1");
    h.birth = 77; /* our own dial to an address that turned out to be ours */
    assert_int_equal(dz_hello_check_receiver(&h, &self), DZ_REFUSAL_SELF);
}

static void only_the_known_life_or_a_newer_one_comes_in(void **state)
{
    (void)state;
    struct dz_hello h = hello_of("a@host:1", "b@host:2"); /* incarnation 5, birth 6 */
    assert_int_equal(dz_hello_check_life(&h, 0, 0), DZ_REFUSAL_NONE);
    assert_int_equal(dz_hello_check_life(&h, 5, 6), DZ_REFUSAL_NONE);
    assert_int_equal(dz_hello_check_life(&h, 4, 1), DZ_REFUSAL_NONE);
    assert_int_equal(dz_hello_check_life(&h, 5, 7), DZ_REFUSAL_STALE);
    assert_int_equal(dz_hello_check_life(&h, 6, 6), DZ_REFUSAL_STALE);
}

static void of_two_connections_that_cross_both_ends_keep_the_same_one(void **state)
{
    (void)state;
    /* Both have sent their hello: the lower refuses, the higher accepts. */
    struct dz_crossing lower = {.dialling = true, .our_dial = 1, .we_are_lower = true};
    struct dz_crossing higher = {.dialling = true, .our_dial = 1};
    assert_false(dz_crossing_accepts(&lower, 0));
    assert_true(dz_crossing_accepts(&higher, 0));
    /* The lower's dial has been taken meanwhile: the higher's stale hello changes nothing. */
    struct dz_crossing taken = {
        .established = true, .established_ours = true, .our_dial = 1, .we_are_lower = true};
    assert_false(dz_crossing_accepts(&taken, 0));
    taken.we_are_lower = false;
    assert_false(dz_crossing_accepts(&taken, 0));
}

static void a_peer_that_dials_anew_has_lost_what_it_had(void **state)
{
    (void)state;
    struct dz_crossing none = {0};
    struct dz_crossing theirs = {.established = true, .our_dial = 3, .we_are_lower = true};
    struct dz_crossing ours = {
        .established = true, .established_ours = true, .our_dial = 3, .we_are_lower = true};
    assert_true(dz_crossing_accepts(&none, 0));
    assert_true(dz_crossing_accepts(&theirs, 0));
    assert_false(dz_crossing_accepts(&ours, 2));
    assert_true(dz_crossing_accepts(&ours, 3));
    /* It took the dial whose answer has not reached us yet, and lost that connection. */
    struct dz_crossing dialling = {.dialling = true, .our_dial = 4, .we_are_lower = true};
    assert_false(dz_crossing_accepts(&dialling, 3));
    assert_true(dz_crossing_accepts(&dialling, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_comes_back_as_it_was),
        cmocka_unit_test(a_truncated_longer_or_foreign_hello_is_refused),
        cmocka_unit_test(attributes_and_known_peers_are_bounded),
        cmocka_unit_test(a_node_id_is_a_name_a_host_and_a_port),
        cmocka_unit_test(a_hello_is_for_its_receiver_and_from_somebody_else),
        cmocka_unit_test(only_the_known_life_or_a_newer_one_comes_in),
        cmocka_unit_test(of_two_connections_that_cross_both_ends_keep_the_same_one),
        cmocka_unit_test(a_peer_that_dials_anew_has_lost_what_it_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
