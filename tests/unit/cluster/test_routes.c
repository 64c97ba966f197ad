#include "../base/check.h"
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/err.h"
#include "cluster/frames.h"
#include "cluster/routes.h"

/* A transport that writes down what it is given. */
struct notebook {
    struct dz_transport base;
    char text[256];
    int answer;
};

static int note_send(struct dz_transport *t, uint64_t peer, uint64_t key, const void *data, size_t len, unsigned flags)
{
    struct notebook *n = (struct notebook *)(void *)t;
    size_t at = strlen(n->text);
    (void)data;
    snprintf(n->text + at, sizeof n->text - at, "%u/%u/%u%s;", (unsigned)peer, (unsigned)key, (unsigned)len,
             flags & DZ_SEND_RESERVED ? "!" : "");
    return n->answer;
}

static const struct dz_transport_ops ops = { .send = note_send };

struct rig {
    struct dz_nodes nodes;
    struct dz_routes routes;
    struct notebook notebook;
    uint32_t b, c;
};

static void begin(struct rig *r)
{
    memset(r, 0, sizeof *r);
    assert_int_equal(dz_nodes_init(&r->nodes, 1), 0);
    dz_routes_init(&r->routes, &r->nodes);
    r->notebook.base.ops = &ops;
    dz_routes_attach(&r->routes, &r->notebook.base);
    assert_int_equal(dz_nodes_intern(&r->nodes, "b@h:2", 5, 7, &r->b), 0);
    assert_int_equal(dz_nodes_intern(&r->nodes, "c@h:3", 5, 7, &r->c), 0);
}

static void end(struct rig *r)
{
    dz_routes_fini(&r->routes);
    dz_nodes_fini(&r->nodes);
}

static void a_route_is_found_by_identity_alias_and_id(void **state)
{
    struct rig r;
    uint32_t birth, found;
    (void)state;
    begin(&r);
    assert_int_equal(dz_nodes_alias(&r.nodes, 99, r.b), 0);
    assert_int_equal(dz_nodes_intern(&r.nodes, DZ_LOCAL_NODE_ID, strlen(DZ_LOCAL_NODE_ID), 99, &birth), 0);
    assert_int_equal(dz_routes_get(&r.routes, r.b), 0);
    assert_int_equal(dz_routes_open(&r.routes, r.b, 5), 0);
    assert_int_equal(dz_routes_get(&r.routes, r.b), 5);
    assert_int_equal(dz_routes_get(&r.routes, birth), 5);
    assert_int_equal(dz_routes_find(&r.routes, "b@h:2", 5, &found), 0);
    assert_int_equal(found, r.b);
    dz_routes_close(&r.routes, r.b);
    dz_routes_close(&r.routes, r.b);
    assert_int_equal(dz_routes_get(&r.routes, birth), 0);
    assert_int_equal(dz_routes_find(&r.routes, "b@h:2", 5, &found), DZ_ENOCONNECTION);
    end(&r);
}

static void the_older_lifes_end_does_not_close_the_newer_ones_route(void **state)
{
    struct rig r;
    uint32_t newer, found;
    (void)state;
    begin(&r);
    assert_int_equal(dz_nodes_intern(&r.nodes, "b@h:2", 5, 8, &newer), 0);
    assert_int_equal(dz_routes_open(&r.routes, r.b, 5), 0);
    assert_int_equal(dz_routes_open(&r.routes, newer, 6), 0);
    dz_routes_close(&r.routes, r.b);
    assert_int_equal(dz_routes_find(&r.routes, "b@h:2", 5, &found), 0);
    assert_int_equal(found, newer);
    end(&r);
}

static void a_broadcast_reaches_every_route_but_one(void **state)
{
    struct rig r;
    uint64_t *peers;
    (void)state;
    begin(&r);
    assert_int_equal(dz_routes_open(&r.routes, r.b, 5), 0);
    assert_int_equal(dz_routes_open(&r.routes, r.c, 6), 0);
    dz_routes_broadcast(&r.routes, 5, 0, "xy", 2);
    assert_string_equal(r.notebook.text, "6/0/2!;");
    assert_int_equal(dz_routes_list(&r.routes, &peers), 2);
    assert_int_equal(peers[0] + peers[1], 11);
    dz_free(peers);
    end(&r);
}

static void without_a_transport_nothing_is_sent(void **state)
{
    struct rig r;
    (void)state;
    begin(&r);
    assert_int_equal(dz_routes_open(&r.routes, r.b, 5), 0);
    assert_int_equal(dz_routes_send(&r.routes, 0, 1, "x", 1, 0), DZ_ENOCONNECTION);
    dz_routes_attach(&r.routes, NULL);
    assert_int_equal(dz_routes_send(&r.routes, 5, 1, "x", 1, 0), DZ_ENOCONNECTION);
    dz_routes_broadcast(&r.routes, 0, 0, "x", 1);
    assert_string_equal(r.notebook.text, "");
    end(&r);
}

static void a_control_frame_is_a_byte_and_a_term(void **state)
{
    struct rig r;
    struct dz_frame_out f;
    struct dz_read reader;
    const char *s;
    size_t len;
    (void)state;
    begin(&r);
    assert_int_equal(dz_routes_open(&r.routes, r.b, 5), 0);
    dz_frame_begin(&f, DZ_CLUSTER_CANCEL);
    dz_build_array(&f.build, 2);
    dz_build_cstring(&f.build, "name");
    dz_build_nil(&f.build);
    assert_int_equal(f.buf.data[0], DZ_CLUSTER_CANCEL);
    dz_read_init(&reader, f.buf.data + 1, f.buf.len - 1);
    assert_int_equal(dz_frame_read_array(&reader, 2), 0);
    assert_int_equal(dz_frame_read_text(&reader, 3, &s, &len), DZ_EFORMAT);
    dz_read_init(&reader, f.buf.data + 2, f.buf.len - 2);
    assert_int_equal(dz_frame_read_text(&reader, 4, &s, &len), 0);
    assert_int_equal(dz_frame_read_optional(&reader, 4, &s, &len), 0);
    assert_null(s);
    assert_int_equal(dz_frame_send(&f, &r.routes, 5), 0);
    assert_string_equal(r.notebook.text, "5/0/8!;");
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_is_found_by_identity_alias_and_id),
        cmocka_unit_test(the_older_lifes_end_does_not_close_the_newer_ones_route),
        cmocka_unit_test(a_broadcast_reaches_every_route_but_one),
        cmocka_unit_test(without_a_transport_nothing_is_sent),
        cmocka_unit_test(a_control_frame_is_a_byte_and_a_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
