/* events.c - what the transport tells, handed to the part it concerns.
 * Owns:    nothing.
 * Threads: the system thread. After dz_cluster_stop began nothing is heard any more.
 * Fails:   never. */
#include "base/err.h"
#include "cluster/state.h"

static void on_hello(void *ctx, struct dz_buf *attributes, struct dz_buf *known)
{
    struct dz_cluster *c = ctx;
    const struct dz_node_record *self = &c->view.self.record;
    (void)known; /* peers are told in the exchange, which is larger and later */
    if (self->attributes)
        (void)dz_buf_append(attributes, self->attributes, self->attributes_len);
}

static enum dz_refusal on_admit(void *ctx, const struct dz_peer_info *info, uint64_t *known)
{
    struct dz_cluster *c = ctx;
    *known = 0;
    if (!c->transport)
        return DZ_REFUSAL_STOPPING;
    return dz_membership_admit(&c->membership, info, known, dz_cluster_now(c));
}

static void on_peer_up(void *ctx, uint64_t peer, const struct dz_peer_info *info, bool resumed)
{
    struct dz_cluster *c = ctx;
    if (!c->transport)
        return;
    if (!resumed) {
        dz_sessions_begin(c, peer, info);
        return;
    }
    dz_log_info(c->rt->log, "link back", "node", info->id, NULL);
    dz_membership_resumed(&c->membership, peer, dz_cluster_now(c));
    dz_cluster_arm(c, dz_cluster_now(c)); /* a suspect may be none any more */
}

static void on_peer_closed(void *ctx, uint64_t peer, enum dz_peer_closed why)
{
    struct dz_cluster *c = ctx;
    if (!c->transport)
        return;
    struct dz_node *n = dz_membership_of_peer(&c->membership, peer);
    if (n)
        dz_log_info(c->rt->log, "link closed", "node", n->id, "reason", dz_peer_closed_name(why), NULL);
    dz_membership_closed(&c->membership, peer, why, dz_cluster_now(c));
    dz_cluster_perform(c);
}

static void on_message(void *ctx, uint64_t peer, uint64_t key, const uint8_t *data, size_t len)
{
    (void)key;
    dz_sessions_message(ctx, peer, data, len);
}

static void on_membership(void *ctx, uint64_t peer, const uint8_t *data, size_t len)
{
    struct dz_cluster *c = ctx;
    struct dz_session_state *s = c->transport ? dz_sessions_find(c, peer) : NULL;
    if (!s)
        return;
    int err = dz_gossip_take(c, peer, data, len);
    if (err == DZ_EFORMAT || err == DZ_ETOODEEP) {
        dz_cluster_count_one(&c->malformed);
        dz_membership_broken(&c->membership, peer, "protocol", dz_cluster_now(c));
    }
    dz_cluster_perform(c);
}

static void on_heartbeat(void *ctx, uint64_t peer, const struct dz_peer_figures *figures)
{
    struct dz_cluster *c = ctx;
    struct dz_node *n = c->transport ? dz_membership_of_peer(&c->membership, peer) : NULL;
    if (!n)
        return;
    dz_membership_figures(&c->membership, peer, figures);
    dz_view_figures(&c->view, n);
}

/* Senders were told `overloaded` and try again by themselves. */
static void on_writable(void *ctx, uint64_t peer)
{
    (void)ctx;
    (void)peer;
}

/* A node remembers a later life of this node id than ours: our clock is behind. Those who know us by the old
 * incarnation already lose us and get us back as a new one: else that node and we would never meet. */
static bool be_reborn(struct dz_cluster *c, const char *node_id, uint64_t known)
{
    const char *self = dz_nodes_self_id(&c->rt->nodes);
    if (known < c->incarnation || known == UINT64_MAX)
        return false;
    dz_membership_renounce(&c->membership, dz_cluster_now(c));
    dz_cluster_perform(c);
    if (c->transport->ops->set_incarnation(c->transport, known + 1))
        return false;
    c->incarnation = known + 1;
    if (dz_nodes_name_self(&c->rt->nodes, self, c->incarnation))
        return false;
    dz_view_renew_self(&c->view);
    return node_id && !c->transport->ops->dial(c->transport, node_id, NULL, 0);
}

/* A secret or an authority that differs will not mend itself, as a node that is not up yet does. */
static void tell_failure(struct dz_cluster *c, const char *node_id, const char *address, enum dz_refusal why)
{
    bool differs = why == DZ_REFUSAL_SECRET;
    dz_log_fields(c->rt->log, differs ? DZ_LOG_WARN : DZ_LOG_INFO,
                  differs ? "no link: the other side has another secret, or certificates of another authority" : "no link",
                  "node", node_id ? node_id : "?", "address", address ? address : "?", "reason", dz_refusal_name(why), NULL);
}

static void on_handshake_failed(void *ctx, const char *node_id, const char *address, enum dz_refusal why,
                                uint64_t known)
{
    struct dz_cluster *c = ctx;
    if (!c->transport)
        return;
    tell_failure(c, node_id, address, why);
    if (why == DZ_REFUSAL_STALE && known && be_reborn(c, node_id, known))
        return;
    dz_membership_failed(&c->membership, node_id, why, dz_cluster_now(c));
    dz_cluster_perform(c);
}

const struct dz_transport_events *dz_cluster_events(void)
{
    static const struct dz_transport_events events = {
        .hello = on_hello,
        .admit = on_admit,
        .peer_up = on_peer_up,
        .peer_closed = on_peer_closed,
        .message = on_message,
        .membership = on_membership,
        .heartbeat = on_heartbeat,
        .writable = on_writable,
        .handshake_failed = on_handshake_failed,
    };
    return &events;
}
