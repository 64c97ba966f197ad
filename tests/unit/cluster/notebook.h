/* notebook.h - routes over a transport that writes down what it is given.
 * Owns:    nothing.
 * Threads: one. */
#ifndef DZ_TESTS_CLUSTER_NOTEBOOK_H
#define DZ_TESTS_CLUSTER_NOTEBOOK_H

#include "../base/check.h"
#include <stdio.h>
#include <string.h>
#include "base/err.h"
#include "cluster/frames.h"
#include "cluster/routes.h"

/* A transport that writes down what it is given. */
struct notebook {
    struct dz_transport base;
    char text[256];
    int answer;
};

static inline int note_send(struct dz_transport *t, uint64_t peer, uint64_t key, const void *data, size_t len,
                            unsigned flags)
{
    struct notebook *n = (struct notebook *)(void *)t;
    size_t at = strlen(n->text);
    (void)data;
    snprintf(n->text + at, sizeof n->text - at, "%u/%u/%u%s;", (unsigned)peer, (unsigned)key, (unsigned)len,
             flags & DZ_SEND_LATER ? "..." : flags & DZ_SEND_RESERVED ? "!" : "");
    return n->answer;
}

static inline void note_flush(struct dz_transport *t, uint64_t peer)
{
    struct notebook *n = (struct notebook *)(void *)t;
    size_t at = strlen(n->text);
    snprintf(n->text + at, sizeof n->text - at, "flush %u;", (unsigned)peer);
}

static const struct dz_transport_ops ops = {.send = note_send, .flush = note_flush};

struct rig {
    struct dz_nodes nodes;
    struct dz_routes routes;
    struct notebook notebook;
    uint32_t b, c;
};

static inline void begin(struct rig *r)
{
    memset(r, 0, sizeof *r);
    assert_int_equal(dz_nodes_init(&r->nodes, 1), 0);
    dz_routes_init(&r->routes, &r->nodes);
    r->notebook.base.ops = &ops;
    dz_routes_attach(&r->routes, &r->notebook.base);
    assert_int_equal(dz_nodes_intern(&r->nodes, "b@h:2", 5, 7, &r->b), 0);
    assert_int_equal(dz_nodes_intern(&r->nodes, "c@h:3", 5, 7, &r->c), 0);
}

static inline void end(struct rig *r)
{
    dz_routes_fini(&r->routes);
    dz_nodes_fini(&r->nodes);
}

#endif
