#include "../base/check.h"
#include <string.h>
#include "base/err.h"
#include "cluster/envelope.h"

static const uint8_t seven[] = {7};

/* Two hosts' identity tables and how each sees the other. */
struct pair {
    struct dz_nodes a, b;
    struct dz_envelope_ends from_a; /* as a writes to b */
    struct dz_envelope_ends at_b;   /* as b reads from a */
};

static void introduce(struct dz_nodes *n, struct dz_envelope_ends *ends, const char *id, uint64_t birth)
{
    ends->nodes = n;
    assert_int_equal(dz_nodes_intern(n, id, strlen(id), 10, &ends->peer), 0);
    assert_int_equal(dz_nodes_alias(n, birth, ends->peer), 0);
    assert_int_equal(dz_nodes_intern(n, DZ_LOCAL_NODE_ID, strlen(DZ_LOCAL_NODE_ID), birth, &ends->peer_birth),
                     0);
}

static void begin(struct pair *p)
{
    assert_int_equal(dz_nodes_init(&p->a, 1), 0);
    assert_int_equal(dz_nodes_init(&p->b, 2), 0);
    assert_int_equal(dz_nodes_name_self(&p->a, "a@h:1", 10), 0);
    assert_int_equal(dz_nodes_name_self(&p->b, "b@h:2", 10), 0);
    dz_nodes_settle_self(&p->a);
    dz_nodes_settle_self(&p->b);
    introduce(&p->a, &p->from_a, "b@h:2", 2);
    introduce(&p->b, &p->at_b, "a@h:1", 1);
}

static void end(struct pair *p)
{
    dz_nodes_fini(&p->a);
    dz_nodes_fini(&p->b);
}

static struct dz_msg *message(enum dz_msg_kind kind, struct dz_pid from, struct dz_pid to)
{
    struct dz_msg *m = dz_msg_new_copy(kind, seven, sizeof seven);
    m->from = from;
    m->to = to;
    m->ref = 99;
    m->code = 5;
    return m;
}

static int carry(struct pair *p, const struct dz_msg *m, const char *name, struct dz_envelope *out,
                 struct dz_buf *buf)
{
    dz_buf_init(buf);
    assert_int_equal(dz_envelope_encode(buf, &p->from_a, m, name, name ? strlen(name) : 0), 0);
    return dz_envelope_decode(&p->at_b, buf->data, buf->len, out);
}

static void a_message_arrives_as_it_was(void **state)
{
    struct pair p;
    struct dz_envelope e;
    struct dz_buf buf;
    (void)state;
    begin(&p);
    struct dz_pid from = {atomic_load(&p.a.self), 3, 5}, to = {p.from_a.peer, 8, 9};
    struct dz_msg *m = message(DZ_MSG_CALL, from, to);
    m->flags = DZ_MSG_FAILED | DZ_MSG_RESERVED;
    assert_int_equal(carry(&p, m, NULL, &e, &buf), 0);
    assert_int_equal(e.msg->kind, DZ_MSG_CALL);
    assert_int_equal(e.msg->flags, DZ_MSG_FAILED | DZ_MSG_WIRE);
    assert_int_equal(e.msg->code, 5);
    assert_int_equal(e.msg->ref, 99);
    assert_true(dz_pid_eq(e.msg->from, (struct dz_pid){p.at_b.peer, 3, 5}));
    assert_true(dz_pid_eq(e.msg->to, (struct dz_pid){atomic_load(&p.b.self), 8, 9}));
    assert_int_equal(e.msg->len, 1);
    dz_msg_free(e.msg);
    dz_msg_free(m);
    dz_buf_fini(&buf);
    end(&p);
}

static void identities_of_birth_and_of_third_nodes_arrive(void **state)
{
    struct pair p;
    struct dz_envelope e;
    struct dz_buf buf;
    uint32_t third, seen;
    (void)state;
    begin(&p);
    assert_int_equal(dz_nodes_intern(&p.a, "c@h:3", 5, 77, &third), 0);
    struct dz_msg *m =
        message(DZ_MSG_SEND, (struct dz_pid){0, 3, 5}, (struct dz_pid){p.from_a.peer_birth, 8, 9});
    assert_int_equal(carry(&p, m, NULL, &e, &buf), 0);
    assert_int_equal(e.msg->from.node, p.at_b.peer_birth);
    assert_int_equal(e.msg->to.node, 0);
    dz_msg_free(e.msg);
    dz_buf_fini(&buf);
    m->from = (struct dz_pid){third, 3, 5};
    assert_int_equal(carry(&p, m, NULL, &e, &buf), 0);
    assert_int_equal(dz_nodes_intern(&p.b, "c@h:3", 5, 77, &seen), 0);
    assert_true(dz_pid_eq(e.msg->from, (struct dz_pid){seen, 3, 5}));
    dz_msg_free(e.msg);
    dz_buf_fini(&buf);
    dz_msg_free(m);
    end(&p);
}

static void a_name_takes_the_place_of_the_receiver(void **state)
{
    struct pair p;
    struct dz_envelope e;
    struct dz_buf buf;
    (void)state;
    begin(&p);
    struct dz_msg *m = message(DZ_MSG_CAST, DZ_PID_NONE, DZ_PID_NONE);
    assert_int_equal(carry(&p, m, "server", &e, &buf), 0);
    assert_int_equal(e.name_len, 6);
    assert_memory_equal(e.name, "server", 6);
    dz_msg_free(e.msg);
    dz_buf_fini(&buf);
    dz_msg_free(m);
    end(&p);
}

static void kinds_that_no_honest_peer_sends_are_refused(void **state)
{
    static const enum dz_msg_kind kinds[] = {DZ_MSG_TASK, DZ_MSG_NODE_LOST, (enum dz_msg_kind)0,
                                             (enum dz_msg_kind)200};
    struct pair p;
    struct dz_envelope e;
    struct dz_buf buf;
    (void)state;
    begin(&p);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct dz_msg *m = message(kinds[i], DZ_PID_NONE, (struct dz_pid){p.from_a.peer, 8, 9});
        assert_int_equal(carry(&p, m, NULL, &e, &buf), DZ_EFORMAT);
        dz_buf_fini(&buf);
        dz_msg_free(m);
    }
    end(&p);
}

static void every_cut_and_every_flipped_byte_is_taken_or_refused(void **state)
{
    struct pair p;
    struct dz_envelope e;
    struct dz_buf buf;
    (void)state;
    begin(&p);
    struct dz_msg *m =
        message(DZ_MSG_CALL, (struct dz_pid){p.from_a.peer, 1, 1}, (struct dz_pid){p.from_a.peer, 8, 9});
    assert_int_equal(carry(&p, m, NULL, &e, &buf), 0);
    dz_msg_free(e.msg);
    for (size_t len = 0; len < buf.len; len++)
        assert_int_equal(dz_envelope_decode(&p.at_b, buf.data, len, &e), DZ_EFORMAT);
    for (size_t at = 0; at < buf.len; at++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t was = buf.data[at];
            buf.data[at] = (uint8_t)v;
            if (dz_envelope_decode(&p.at_b, buf.data, buf.len, &e) == 0)
                dz_msg_free(e.msg);
            buf.data[at] = was;
        }
    dz_buf_fini(&buf);
    dz_msg_free(m);
    end(&p);
}

static void the_key_depends_on_the_sender_only(void **state)
{
    struct dz_msg *m = message(DZ_MSG_SEND, (struct dz_pid){0, 1, 1}, (struct dz_pid){4, 8, 9});
    (void)state;
    uint64_t key = dz_envelope_key(m);
    m->to.slot = 77;
    assert_int_equal(dz_envelope_key(m), key);
    m->from.slot = 2;
    assert_true(dz_envelope_key(m) != key);
    m->from = DZ_PID_NONE;
    assert_true(dz_envelope_key(m) != DZ_CLUSTER_KEY);
    dz_msg_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives_as_it_was),
        cmocka_unit_test(identities_of_birth_and_of_third_nodes_arrive),
        cmocka_unit_test(a_name_takes_the_place_of_the_receiver),
        cmocka_unit_test(kinds_that_no_honest_peer_sends_are_refused),
        cmocka_unit_test(every_cut_and_every_flipped_byte_is_taken_or_refused),
        cmocka_unit_test(the_key_depends_on_the_sender_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
