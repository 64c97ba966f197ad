/* exchange.c - what two nodes tell each other: first of all, about their verdicts, and about third nodes.
 * Owns:    nothing.
 * Threads: the system thread.
 * Fails:   taking: DZ_EFORMAT, which ends the session; sending: what cannot be sent is left out, but for the
 *          first exchange.
 *
 *     EXCHANGE    [last, uptime ms, returns, [[node id, incarnation] ...], [name claim ...],
 *                  [[path, epoch] ...]]
 *     VERDICT     [node id, incarnation, returns]
 *     membership  ["nodes", [[node id, incarnation] ...]]
 *                 ["probe", node id, incarnation]      ["reached", node id, incarnation, age ms]
 *
 * The exchange comes in parts of bounded size; each part counts as it comes, the last one ends it. */
#include <string.h>
#include "base/alloc.h"
#include "base/err.h"
#include "cluster/frames.h"
#include "cluster/state.h"

#define PART 512u /* names, or placements, in one part */

/* --- lists of nodes --- */

/* Also those whose own exchange is still to come: of two that join at once, the later one must hear of the
 * other. */
static bool is_told(const struct dz_node *n)
{
    return n->peer != 0;
}

static void build_nodes(struct dz_cluster *c, struct dz_build *b)
{
    const struct dz_membership *m = &c->membership;
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->count; i++)
        count += is_told(m->nodes[i]);
    dz_build_array(b, count);
    for (uint32_t i = 0; i < m->count; i++) {
        if (!is_told(m->nodes[i]))
            continue;
        dz_build_array(b, 2);
        dz_build_cstring(b, m->nodes[i]->id);
        dz_build_uint(b, m->nodes[i]->incarnation);
    }
}

static int read_life(struct dz_read *r, const char **id, size_t *len, uint64_t *incarnation)
{
    int err = dz_frame_read_text(r, DZ_NODE_ID_MAX - 1, id, len);
    return err ? err : dz_read_uint(r, incarnation);
}

static int take_nodes(struct dz_cluster *c, struct dz_read *r)
{
    uint32_t count;
    int err = dz_read_array(r, &count);
    for (uint32_t i = 0; !err && i < count; i++) {
        const char *id;
        size_t len;
        uint64_t incarnation;
        err = dz_frame_read_array(r, 2);
        err = err ? err : read_life(r, &id, &len, &incarnation);
        if (!err)
            dz_membership_learnt(&c->membership, id, len, incarnation, dz_cluster_now(c));
    }
    return err;
}

/* --- the first exchange --- */

struct places {
    struct dz_cluster *cluster;
    const struct dz_session_state *session;
    struct dz_buf buf; /* the placements of the part being made, each as a term */
    uint32_t count;
    uint32_t names; /* iterator of the names */
    int err;
};

static int send_part(struct places *p, bool first, bool last)
{
    struct dz_cluster *c = p->cluster;
    struct dz_frame_out f;
    struct dz_buf names;
    struct dz_build b;
    dz_buf_init(&names);
    dz_build_init(&b, &names);
    /* A name freed from here on is told of behind this part. */
    dz_globals_hold(&c->globals);
    uint32_t count = dz_globals_export(&c->globals, &p->names, PART, &b);
    bool more = last && count == PART;
    dz_frame_begin(&f, DZ_CLUSTER_EXCHANGE);
    dz_build_array(&f.build, 6);
    dz_build_bool(&f.build, last && !more);
    dz_build_uint(&f.build, dz_cluster_now(c) - c->started_ms);
    dz_build_uint(&f.build, c->membership.returns);
    if (first)
        build_nodes(c, &f.build);
    else
        dz_build_array(&f.build, 0);
    dz_build_array(&f.build, count);
    dz_build_raw(&f.build, names.data, names.len);
    dz_build_array(&f.build, p->count);
    dz_build_raw(&f.build, p->buf.data, p->buf.len);
    if (dz_build_done(&b) && !f.build.err)
        f.build.err = dz_build_done(&b);
    dz_buf_fini(&names);
    dz_buf_clear(&p->buf);
    p->count = 0;
    int err = dz_frame_send(&f, &c->routes, p->session->peer);
    dz_globals_release(&c->globals);
    return err || !more ? err : send_part(p, false, true);
}

static void add_place(void *ctx, const struct dz_place_key *key, struct dz_pid pid)
{
    struct places *p = ctx;
    struct dz_build b;
    (void)pid;
    dz_build_init(&b, &p->buf);
    dz_build_array(&b, 2);
    dz_build_string(&b, key->path, key->path_len);
    dz_build_string(&b, key->epoch, key->epoch_len);
    p->count++;
    p->err = p->err ? p->err : dz_build_done(&b);
}

/* The next PART placements at *at of what add_place wrote. */
static int send_places(struct places *p, const struct dz_buf *all, uint32_t total)
{
    struct dz_read r;
    bool first = true;
    int err = 0;
    dz_read_init(&r, all->data, all->len);
    for (uint32_t sent = 0; !err && (first || sent < total); first = false) {
        const uint8_t *from = r.at;
        p->count = total - sent < PART ? total - sent : PART;
        for (uint32_t i = 0; !err && i < p->count; i++)
            err = dz_read_skip(&r, NULL, NULL);
        err = err ? err : dz_buf_append(&p->buf, from ? from : (const uint8_t *)"", (size_t)(r.at - from));
        sent += p->count;
        err = err ? err : send_part(p, first, sent == total);
    }
    return err;
}

int dz_exchange_send(struct dz_cluster *c, const struct dz_session_state *s)
{
    struct places p = {.cluster = c, .session = s};
    dz_buf_init(&p.buf);
    pthread_mutex_lock(&c->placement_lock);
    dz_placement_each(&c->placement, add_place, &p);
    pthread_mutex_unlock(&c->placement_lock);
    struct dz_buf all = p.buf;
    uint32_t total = p.count;
    dz_buf_init(&p.buf);
    p.count = 0;
    int err = p.err ? p.err : send_places(&p, &all, total);
    dz_buf_fini(&p.buf);
    dz_buf_fini(&all);
    return err;
}

static int take_names(struct dz_cluster *c, struct dz_read *r)
{
    uint32_t count;
    int err = dz_read_array(r, &count);
    for (uint32_t i = 0; !err && i < count; i++)
        err = dz_globals_merge(&c->globals, r);
    return err == DZ_ENOMEM ? 0 : err;
}

/* Of two copies that meet, the older one ends; of two alike, the one on the greater node id. */
static int take_places(struct dz_cluster *c, const char *peer_id, struct dz_read *r)
{
    uint32_t count;
    bool lose_ties = strcmp(peer_id, dz_nodes_self_id(&c->rt->nodes)) < 0;
    int err = dz_read_array(r, &count);
    for (uint32_t i = 0; !err && i < count; i++) {
        struct dz_place_key key;
        err = dz_frame_read_array(r, 2);
        err = err ? err : dz_frame_read_text(r, DZ_PLACEMENT_PATH_MAX, &key.path, &key.path_len);
        err = err ? err : dz_frame_read_text(r, DZ_PLACEMENT_DEPTH_MAX * 8, &key.epoch, &key.epoch_len);
        err = err ? err : dz_placement_check_key(&key);
        if (!err)
            (void)dz_places_supersede(c, &key, lose_ties);
    }
    return err;
}

int dz_exchange_take(struct dz_cluster *c, struct dz_session_state *s, const uint8_t *data, size_t len)
{
    struct dz_read r;
    bool last;
    uint64_t uptime, returns;
    struct dz_node *n = dz_membership_of_peer(&c->membership, s->peer);
    dz_read_init(&r, data, len);
    int err = dz_frame_read_array(&r, 6);
    err = err ? err : dz_read_bool(&r, &last);
    err = err ? err : dz_read_uint(&r, &uptime);
    err = err ? err : dz_read_uint(&r, &returns);
    err = err ? err : take_nodes(c, &r);
    err = err ? err : take_names(c, &r);
    err = err ? err : n ? take_places(c, n->id, &r) : 0;
    if (err || !n)
        return err;
    n->uptime_ms = uptime;
    n->uptime_at_ms = dz_cluster_now(c);
    n->returns = (uint32_t)returns;
    if (last)
        dz_membership_exchanged(&c->membership, s->peer, dz_cluster_now(c));
    return 0;
}

/* --- verdicts --- */

void dz_verdict_tell(struct dz_cluster *c, const char *id, uint64_t incarnation, uint32_t returns)
{
    struct dz_frame_out f;
    dz_frame_begin(&f, DZ_CLUSTER_VERDICT);
    dz_build_array(&f.build, 3);
    dz_build_cstring(&f.build, id);
    dz_build_uint(&f.build, incarnation);
    dz_build_uint(&f.build, returns);
    dz_frame_broadcast(&f, &c->routes, 0);
}

int dz_verdict_take(struct dz_cluster *c, const uint8_t *data, size_t len)
{
    struct dz_read r;
    const char *id;
    size_t id_len;
    uint64_t incarnation, returns;
    dz_read_init(&r, data, len);
    int err = dz_frame_read_array(&r, 3);
    err = err ? err : read_life(&r, &id, &id_len, &incarnation);
    err = err ? err : dz_read_uint(&r, &returns);
    if (!err)
        dz_membership_verdict(&c->membership, id, id_len, incarnation, (uint32_t)returns, dz_cluster_now(c));
    return err;
}

/* --- outside the session --- */

static void send_aside(struct dz_cluster *c, uint64_t peer, struct dz_buf *buf, const struct dz_build *b)
{
    if (!dz_build_done(b) && buf->len <= DZ_NET_MAX_MEMBERSHIP)
        (void)c->transport->ops->send_membership(c->transport, peer, buf->data, buf->len);
    dz_buf_fini(buf);
}

void dz_gossip_send(struct dz_cluster *c, uint64_t peer)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_array(&b, 2);
    dz_build_cstring(&b, "nodes");
    build_nodes(c, &b);
    send_aside(c, peer, &buf, &b);
}

void dz_probe_send(struct dz_cluster *c, uint64_t peer, const struct dz_node *about)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_array(&b, 3);
    dz_build_cstring(&b, "probe");
    dz_build_cstring(&b, about->id);
    dz_build_uint(&b, about->incarnation);
    send_aside(c, peer, &buf, &b);
}

static int answer_probe(struct dz_cluster *c, uint64_t peer, struct dz_read *r)
{
    const char *id;
    size_t len;
    uint64_t incarnation, age_ms;
    struct dz_buf buf;
    struct dz_build b;
    int err = read_life(r, &id, &len, &incarnation);
    if (err || dz_membership_probed(&c->membership, id, len, incarnation, dz_cluster_now(c), &age_ms))
        return err;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_array(&b, 4);
    dz_build_cstring(&b, "reached");
    dz_build_string(&b, id, len);
    dz_build_uint(&b, incarnation);
    dz_build_uint(&b, age_ms);
    send_aside(c, peer, &buf, &b);
    return 0;
}

static int take_reached(struct dz_cluster *c, struct dz_read *r)
{
    const char *id;
    size_t len;
    uint64_t incarnation, age_ms;
    int err = read_life(r, &id, &len, &incarnation);
    err = err ? err : dz_read_uint(r, &age_ms);
    if (!err)
        dz_membership_reached(&c->membership, id, len, incarnation, age_ms, dz_cluster_now(c));
    return err;
}

static bool is_word(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(s, word, len) == 0;
}

int dz_gossip_take(struct dz_cluster *c, uint64_t peer, const uint8_t *data, size_t len)
{
    struct dz_read r;
    uint32_t count;
    const char *word;
    size_t word_len;
    int err = dz_term_check(data, len, 0);
    if (err)
        return err;
    dz_read_init(&r, data, len);
    err = dz_read_array(&r, &count);
    err = err ? err : dz_frame_read_text(&r, 16, &word, &word_len);
    if (err)
        return err;
    if (count == 2 && is_word(word, word_len, "nodes"))
        return take_nodes(c, &r);
    if (count == 3 && is_word(word, word_len, "probe"))
        return answer_probe(c, peer, &r);
    if (count == 4 && is_word(word, word_len, "reached"))
        return take_reached(c, &r);
    return DZ_EFORMAT;
}
