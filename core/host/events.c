/* events.c - see events.h.
 * Owns:    one struct hub per host, freed with its native.
 * Threads: whoever runs the native.
 * Fails:   as events.h says. */
#include "host/events.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/bond.h"
#include "proc/native.h"
#include "proc/request.h"
#include "proc/send.h"
#include "term/build.h"
#include "term/read.h"

struct subscriber {
    struct dz_list all; /* hub.subscribers, in order of subscription */
    struct dz_pid pid;
    uint64_t ref; /* of the monitor */
    bool cluster;
    uint32_t type_count; /* 0: all types */
    char *types[DZ_EVENTS_MAX_TYPES];
};

struct peer {
    struct dz_list all; /* hub.peers */
    uint32_t node;      /* identity index */
    bool subscribed;
    size_t len;
    char id[DZ_NODE_ID_MAX];
};

struct hub {
    struct dz_native *native;
    struct dz_list subscribers;
    struct dz_list peers;
    uint32_t cluster_subscribers;
    uint64_t seq;
};

static void subscriber_delete(struct subscriber *s)
{
    for (uint32_t i = 0; i < s->type_count; i++)
        dz_free(s->types[i]);
    dz_free(s);
}

/* --- handing on --- */

static bool wants(const struct subscriber *s, const char *type, size_t len)
{
    if (s->type_count == 0)
        return true;
    for (uint32_t i = 0; i < s->type_count; i++)
        if (strlen(s->types[i]) == len && memcmp(s->types[i], type, len) == 0)
            return true;
    return false;
}

static void hand_on(struct dz_thread *t, struct hub *h, const uint8_t *event, size_t len, bool from_peer)
{
    const char *type;
    size_t type_len;
    struct dz_blob *blob = NULL;
    if (!dz_read_find_string(event, len, "type", &type, &type_len))
        return;
    dz_list_each (&h->subscribers, it) {
        struct subscriber *s = dz_list_entry(it, struct subscriber, all);
        if ((from_peer && !s->cluster) || !wants(s, type, type_len))
            continue;
        if (!blob && !(blob = dz_blob_new(event, len)))
            return;
        struct dz_msg *m = dz_msg_new_blob(DZ_MSG_SEND, blob);
        if (!m)
            break;
        m->from = h->native->proc.pid;
        m->to = s->pid;
        dz_send(t, &m);
        dz_msg_free(m); /* a full mailbox does not get it */
    }
    dz_blob_unref(blob);
}

/* The same map with two more fields: its entries are copied behind a new head. */
static void take_event(struct dz_thread *t, struct hub *h, const struct dz_msg *m)
{
    struct dz_read r;
    struct dz_buf buf;
    struct dz_build b;
    uint32_t count;
    dz_read_init(&r, m->data, m->len);
    if (dz_read_map(&r, &count))
        return;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, count + 2);
    dz_build_kint(&b, "timestamp", (int64_t)dz_env_wall_ms(t->rt->env));
    dz_build_kint(&b, "seq", (int64_t)++h->seq);
    dz_build_raw(&b, r.at, (size_t)(r.end - r.at));
    if (dz_build_done(&b) == DZ_OK)
        hand_on(t, h, buf.data, buf.len, false);
    dz_buf_fini(&buf);
}

/* --- other nodes' hubs --- */

/* A request whose answer nobody waits for: a node that is gone forgets us anyway, one that is back tells NODE_UP. */
static void ask_peer(struct dz_thread *t, struct hub *h, struct peer *peer, uint16_t code)
{
    struct dz_ports *ports = &t->rt->ports;
    struct dz_buf buf;
    struct dz_build b;
    if (!ports->wire_named)
        return;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 1);
    dz_build_kbool(&b, "cluster", false);
    struct dz_msg *m = dz_build_done(&b) ? NULL : dz_msg_new_copy(DZ_MSG_REQUEST, buf.data, buf.len);
    dz_buf_fini(&buf);
    if (!m)
        return;
    m->code = code;
    m->from = h->native->proc.pid;
    m->ref = dz_rt_next_ref(t->rt);
    if (ports->wire_named(ports->ctx, t, peer->id, peer->len, DZ_EVENTS_NAME, sizeof DZ_EVENTS_NAME - 1, &m) == DZ_OK)
        peer->subscribed = code == DZ_REQ_SUBSCRIBE;
    dz_msg_free(m);
}

/* Brings every peer's subscription into line with whether anybody here listens. */
static void settle_peers(struct dz_thread *t, struct hub *h)
{
    bool wanted = h->cluster_subscribers > 0;
    dz_list_each (&h->peers, it) {
        struct peer *peer = dz_list_entry(it, struct peer, all);
        if (peer->subscribed != wanted)
            ask_peer(t, h, peer, wanted ? DZ_REQ_SUBSCRIBE : DZ_REQ_UNSUBSCRIBE);
    }
}

static void forget_peer(struct hub *h, uint32_t node, const char *id, size_t len)
{
    dz_list_each_safe (&h->peers, it) {
        struct peer *peer = dz_list_entry(it, struct peer, all);
        if (peer->node != node && !(id && peer->len == len && memcmp(peer->id, id, len) == 0))
            continue;
        dz_list_remove(&peer->all);
        dz_free(peer);
    }
}

static void take_node_up(struct dz_thread *t, struct hub *h, const struct dz_msg *m)
{
    const struct dz_node_entry *entry = dz_nodes_get(&t->rt->nodes, (uint32_t)m->ref);
    size_t len = entry ? strlen(entry->id) : 0;
    if (!entry || len >= DZ_NODE_ID_MAX)
        return;
    forget_peer(h, (uint32_t)m->ref, entry->id, len);
    struct peer *peer = dz_zalloc(1, sizeof *peer);
    if (!peer)
        return;
    peer->node = (uint32_t)m->ref;
    peer->len = len;
    memcpy(peer->id, entry->id, len);
    dz_list_push_back(&h->peers, &peer->all);
    settle_peers(t, h);
}

/* --- subscribers --- */

static struct subscriber *find_subscriber(struct hub *h, struct dz_pid pid)
{
    dz_list_each (&h->subscribers, it) {
        struct subscriber *s = dz_list_entry(it, struct subscriber, all);
        if (dz_pid_eq(s->pid, pid))
            return s;
    }
    return NULL;
}

static void drop_subscriber(struct dz_thread *t, struct hub *h, struct subscriber *s)
{
    dz_bond_demonitor(t, &h->native->proc, s->ref);
    dz_list_remove(&s->all);
    atomic_fetch_sub_explicit(&t->rt->event_listeners, 1, memory_order_release);
    h->cluster_subscribers -= s->cluster;
    subscriber_delete(s);
    settle_peers(t, h);
}

static int read_types(struct subscriber *s, struct dz_read *r)
{
    uint32_t count;
    if (dz_read_array(r, &count) || count > DZ_EVENTS_MAX_TYPES)
        return DZ_EARGUMENT;
    for (uint32_t i = 0; i < count; i++) {
        const char *type;
        size_t len;
        if (dz_read_string(r, &type, &len) || memchr(type, 0, len))
            return DZ_EARGUMENT;
        s->types[i] = dz_strndup(type, len);
        if (!s->types[i])
            return DZ_ENOMEM;
        s->type_count++;
    }
    return DZ_OK;
}

static int read_subscription(struct subscriber *s, const struct dz_msg *m)
{
    struct dz_read r;
    if (dz_read_find(m->data, m->len, "cluster", &r) && dz_read_bool(&r, &s->cluster))
        s->cluster = false;
    if (!dz_read_find(m->data, m->len, "types", &r))
        return DZ_OK;
    struct dz_value v;
    if (dz_read_peek(&r, &v) == DZ_OK && v.type == DZ_TERM_NIL)
        return DZ_OK;
    return read_types(s, &r);
}

static int subscribe(struct dz_thread *t, struct hub *h, const struct dz_msg *m, bool counted)
{
    struct subscriber *s = dz_zalloc(1, sizeof *s);
    if (!s)
        return DZ_ENOMEM;
    s->pid = m->from;
    int err = read_subscription(s, m);
    if (!err)
        err = dz_bond_monitor(t, &h->native->proc, m->from, &s->ref);
    if (err) {
        subscriber_delete(s);
        return err;
    }
    if (!counted)
        atomic_fetch_add_explicit(&t->rt->event_listeners, 1, memory_order_release);
    struct subscriber *old = find_subscriber(h, m->from);
    dz_list_push_back(&h->subscribers, &s->all);
    h->cluster_subscribers += s->cluster;
    if (old)
        drop_subscriber(t, h, old);
    settle_peers(t, h);
    return DZ_OK;
}

/* See dz_rt.event_listeners. */
static bool is_counted(const struct dz_thread *t, const struct dz_msg *m)
{
    struct dz_read r;
    bool counted = false;
    return dz_nodes_is_self(&t->rt->nodes, m->from.node) && dz_read_find(m->data, m->len, "counted", &r) &&
           dz_read_bool(&r, &counted) == DZ_OK && counted;
}

static void take_request(struct dz_thread *t, struct hub *h, const struct dz_msg *m)
{
    struct dz_pid self = h->native->proc.pid;
    int err = DZ_EARGUMENT;
    if (m->code == DZ_REQ_SUBSCRIBE) {
        bool counted = is_counted(t, m);
        err = subscribe(t, h, m, counted);
        if (err && counted)
            atomic_fetch_sub_explicit(&t->rt->event_listeners, 1, memory_order_release);
    } else if (m->code == DZ_REQ_UNSUBSCRIBE) {
        struct subscriber *s = find_subscriber(h, m->from);
        if (s)
            drop_subscriber(t, h, s);
        err = DZ_OK;
    }
    if (err)
        dz_send_error(t, self, m->from, m->ref, err, NULL);
    else
        dz_send_reply(t, self, m->from, m->ref, NULL, 0);
}

static void take_down(struct dz_thread *t, struct hub *h, const struct dz_msg *m)
{
    dz_list_each_safe (&h->subscribers, it) {
        struct subscriber *s = dz_list_entry(it, struct subscriber, all);
        if (s->ref == m->ref)
            drop_subscriber(t, h, s);
    }
}

/* --- the native --- */

static void handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct hub *h = n->data;
    h->native = n;
    if (m->kind == DZ_MSG_NOTICE && m->code == DZ_REQ_EVENT)
        take_event(t, h, m);
    else if (m->kind == DZ_MSG_NOTICE && m->code == DZ_REQ_NODE_UP)
        take_node_up(t, h, m);
    else if (m->kind == DZ_MSG_REQUEST)
        take_request(t, h, m);
    else if (m->kind == DZ_MSG_SEND && !dz_nodes_is_self(&t->rt->nodes, m->from.node))
        hand_on(t, h, m->data, m->len, true);
    else if (m->kind == DZ_MSG_DOWN)
        take_down(t, h, m);
    else if (m->kind == DZ_MSG_NODE_LOST)
        forget_peer(h, (uint32_t)m->ref, NULL, 0);
    else if (m->kind == DZ_MSG_STOP) {
        dz_process_owe(&n->proc, m);
        m = NULL;
        dz_native_finish(t, n, t->rt->reasons[DZ_REASON_SHUTDOWN]);
    }
    dz_msg_free(m);
}

static void end(struct dz_thread *t, struct dz_native *n)
{
    struct hub *h = n->data;
    struct dz_list *node;
    (void)t;
    while ((node = dz_list_pop_front(&h->subscribers)) != NULL)
        subscriber_delete(dz_list_entry(node, struct subscriber, all));
    while ((node = dz_list_pop_front(&h->peers)) != NULL)
        dz_free(dz_list_entry(node, struct peer, all));
    dz_free(h);
}

static const struct dz_native_ops hub_ops = { .name = DZ_EVENTS_NAME, .handle = handle, .end = end };

int dz_events_start(struct dz_thread *t)
{
    struct dz_native *n;
    struct hub *h = dz_zalloc(1, sizeof *h);
    if (!h)
        return DZ_ENOMEM;
    dz_list_init(&h->subscribers);
    dz_list_init(&h->peers);
    int err = dz_native_new(t, &hub_ops, h, true, NULL, DZ_PID_NONE, NULL, &n);
    if (err) {
        dz_free(h);
        return err;
    }
    t->rt->events = n->proc.pid;
    struct dz_pid owner;
    return dz_names_register(&t->rt->names, &t->rt->table, DZ_EVENTS_NAME, sizeof DZ_EVENTS_NAME - 1, t->rt->events,
                             &owner);
}

void dz_events_stop(struct dz_thread *t)
{
    struct dz_blob *reason = t->rt->reasons[DZ_REASON_SHUTDOWN];
    dz_send_signal(t, DZ_MSG_STOP, DZ_PID_NONE, t->rt->events, 0, reason);
}

void dz_events_emit(struct dz_thread *t, const uint8_t *data, size_t len)
{
    struct dz_msg *m = dz_msg_new_copy(DZ_MSG_NOTICE, data, len);
    if (!m)
        return;
    m->to = t->rt->events;
    m->code = DZ_REQ_EVENT;
    dz_send(t, &m);
    dz_msg_free(m);
}
