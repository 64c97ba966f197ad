/* sessions.c - sessions with nodes, from peer_up to their loss, and what this host's processes are told of
 * it.
 * Owns:    the sessions; the barriers: losses some thread of this host has not processed yet.
 * Threads: the system thread; a barrier's tasks run on the thread they wait for.
 * Fails:   a session that cannot be set up is broken off.
 *
 * A node may be back before every thread has broken its bonds with it. So that no bond of the new session
 * falls to the loss of the old one, the route opens, and what comes is looked at, only when each thread is
 * through. The same holds for a host that comes back under a later incarnation: only then do pids of the former
 * one lead to it. */
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/frames.h"
#include "cluster/state.h"
#include "proc/native.h"
#include "proc/request.h"
#include "proc/send.h"

#define BARRIER_MS 15000u
/* Of what comes before the route is open. */
#define HELD_MAX (32u * 1024u * 1024u)

struct dz_session_state *dz_sessions_find(struct dz_cluster *c, uint64_t peer)
{
    return dz_map_get(&c->sessions_by_peer, peer);
}

static void session_delete(struct dz_cluster *c, struct dz_session_state *s)
{
    dz_map_remove(&c->sessions_by_peer, s->peer);
    dz_list_remove(&s->all);
    dz_buf_fini(&s->held);
    dz_free(s);
}

static void break_off(struct dz_cluster *c, uint64_t peer, const char *reason)
{
    dz_membership_broken(&c->membership, peer, reason, dz_cluster_now(c));
    dz_cluster_perform(c);
}

/* --- messages --- */

static int take_frame(struct dz_cluster *c, struct dz_session_state *s, const uint8_t *data, size_t len)
{
    if (len < 1)
        return DZ_EFORMAT;
    enum dz_frame_kind kind = (enum dz_frame_kind)data[0];
    const uint8_t *body = data + 1;
    size_t rest = len - 1;
    if (kind == DZ_CLUSTER_MESSAGE)
        return dz_router_take(c, s, body, rest);
    if (kind == DZ_CLUSTER_SPAWN)
        return dz_remote_serve(&c->remote, &s->ends, body, rest);
    int err = dz_term_check(body, rest, 0);
    if (err)
        return err;
    switch (kind) {
    case DZ_CLUSTER_CANCEL:
        return dz_remote_cancelled(&c->remote, s->ends.peer, body, rest);
    case DZ_CLUSTER_CONFIRM:
        return dz_remote_confirmed(&c->remote, s->ends.peer, body, rest);
    case DZ_CLUSTER_EXCHANGE:
        return dz_exchange_take(c, s, body, rest);
    case DZ_CLUSTER_VERDICT:
        return dz_verdict_take(c, body, rest);
    case DZ_CLUSTER_GLOBAL_ASK:
        return dz_globals_asked(&c->globals, s->peer, body, rest);
    case DZ_CLUSTER_GLOBAL_ANSWER:
        return dz_globals_answered(&c->globals, s->peer, body, rest);
    case DZ_CLUSTER_GLOBAL_SET:
        return dz_globals_set(&c->globals, s->peer, body, rest);
    case DZ_CLUSTER_GLOBAL_SEEN:
        return dz_globals_seen(&c->globals, s->peer, body, rest);
    case DZ_CLUSTER_GLOBAL_FREE:
        return dz_globals_freed(&c->globals, body, rest);
    default:
        return DZ_EFORMAT;
    }
}

static bool is_hostile(int err)
{
    return err == DZ_EFORMAT || err == DZ_ETOODEEP || err == DZ_ETOOLARGE;
}

static void take(struct dz_cluster *c, struct dz_session_state *s, const uint8_t *data, size_t len)
{
    uint64_t peer = s->peer;
    bool of_process = len > 0 && data[0] == DZ_CLUSTER_MESSAGE;
    int err = take_frame(c, s, data, len);
    if (!of_process) /* those are nothing to membership, and there are many */
        dz_cluster_perform(c);
    if (!is_hostile(err))
        return;
    dz_cluster_count_one(&c->malformed);
    break_off(c, peer, "protocol");
}

static int hold(struct dz_session_state *s, const uint8_t *data, size_t len)
{
    int err = dz_buf_append_u32(&s->held, (uint32_t)len);
    return err ? err : dz_buf_append(&s->held, data, len);
}

void dz_sessions_message(struct dz_cluster *c, uint64_t peer, const uint8_t *data, size_t len)
{
    struct dz_session_state *s = dz_sessions_find(c, peer);
    if (!s)
        return;
    if (s->open)
        take(c, s, data, len);
    else if (hold(s, data, len))
        break_off(c, peer, "overloaded");
}

/* --- opening --- */

static struct dz_barrier *barrier_of(struct dz_cluster *c, uint32_t index)
{
    dz_list_each (&c->barriers, it) {
        struct dz_barrier *b = dz_list_entry(it, struct dz_barrier, all);
        if (b->index == index)
            return b;
    }
    return NULL;
}

/* What came while the session was held; it may end on the way. */
static void release_held(struct dz_cluster *c, struct dz_session_state *s)
{
    struct dz_buf held = s->held;
    uint64_t peer = s->peer;
    dz_buf_init(&s->held);
    for (size_t at = 0; at + 4 <= held.len;) {
        const uint8_t *p = held.data + at;
        uint32_t len = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        at += 4 + len;
        s = dz_sessions_find(c, peer);
        if (!s)
            break;
        take(c, s, p + 4, len);
    }
    dz_buf_fini(&held);
}

static void open_session(struct dz_cluster *c, struct dz_session_state *s)
{
    uint64_t peer = s->peer;
    uint64_t birth = dz_nodes_get(s->ends.nodes, s->ends.peer_birth)->incarnation;
    int err = dz_nodes_alias(s->ends.nodes, birth, s->ends.peer);
    err = err ? err : dz_routes_open(&c->routes, s->ends.peer, peer);
    s->open = true;
    err = err ? err : dz_exchange_send(c, s);
    if (err) {
        break_off(c, peer, dz_err_name(err));
        return;
    }
    release_held(c, s);
}

static int learn_identity(struct dz_cluster *c, struct dz_session_state *s, struct dz_node *n)
{
    struct dz_nodes *nodes = &c->rt->nodes;
    int err = dz_nodes_intern(nodes, n->id, strlen(n->id), n->incarnation, &n->index);
    err = err ? err
              : dz_nodes_intern(nodes, DZ_LOCAL_NODE_ID, strlen(DZ_LOCAL_NODE_ID), n->birth,
                                &s->ends.peer_birth);
    s->ends.nodes = nodes;
    s->ends.peer = n->index;
    if (err)
        return err;
    uint32_t before = dz_nodes_resolve(nodes, s->ends.peer_birth);
    s->former = before != s->ends.peer_birth && before != n->index ? before : 0;
    return 0;
}

/* Not every thread has processed the loss of an earlier session with this host. */
static bool is_held_up(struct dz_cluster *c, const struct dz_session_state *s)
{
    return barrier_of(c, s->ends.peer) || (s->former && barrier_of(c, s->former));
}

static struct dz_session_state *session_new(struct dz_cluster *c, uint64_t peer)
{
    struct dz_session_state *s = dz_zalloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->peer = peer;
    dz_buf_init(&s->held);
    s->held.limit = HELD_MAX;
    dz_list_init(&s->all);
    if (dz_map_put(&c->sessions_by_peer, peer, s)) {
        dz_free(s);
        return NULL;
    }
    dz_list_push_back(&c->sessions, &s->all);
    return s;
}

void dz_sessions_begin(struct dz_cluster *c, uint64_t peer, const struct dz_peer_info *info)
{
    dz_nodes_settle_self(&c->rt->nodes);
    struct dz_session_state *s = session_new(c, peer);
    struct dz_node *n = s ? dz_membership_session(&c->membership, peer, info, dz_cluster_now(c)) : NULL;
    if (!n) {
        if (s)
            session_delete(c, s);
        c->transport->ops->close_peer(c->transport, peer, false);
        return;
    }
    dz_cluster_perform(c); /* the end of an earlier session first */
    if (learn_identity(c, s, n)) {
        break_off(c, peer, "too_large");
        return;
    }
    if (!is_held_up(c, s))
        open_session(c, s);
    dz_cluster_perform(c);
}

/* --- loss --- */

/* A barrier of this node is gone from the list: its session opens if that was the last. */
static void barrier_passed(struct dz_cluster *c, uint32_t index)
{
    dz_list_each_safe (&c->sessions, it) {
        struct dz_session_state *s = dz_list_entry(it, struct dz_session_state, all);
        if ((s->ends.peer != index && s->former != index) || s->open || is_held_up(c, s))
            continue;
        open_session(c, s);
        return;
    }
}

/* Back on the system thread, once for every thread. A barrier that was given up is not in the list any more.
 */
static void thread_is_through(struct dz_thread *t, void *arg)
{
    struct dz_barrier *b = arg;
    (void)t;
    dz_assert(b->left > 0);
    if (--b->left > 0)
        return;
    bool waited_for = !dz_list_empty(&b->all);
    struct dz_cluster *c = b->cluster;
    uint32_t index = b->index;
    dz_list_remove(&b->all);
    dz_free(b);
    if (waited_for)
        barrier_passed(c, index);
}

/* On the thread waited for, behind its NODE_LOST. */
static void pass_barrier(struct dz_thread *t, void *arg)
{
    if (t->index == DZ_THREAD_SYSTEM) {
        thread_is_through(t, arg);
        return;
    }
    int err = dz_thread_post(t, DZ_THREAD_SYSTEM, thread_is_through, arg);
    dz_assert(!err); /* small and fixed */
}

static void post_loss(struct dz_cluster *c, uint32_t thread, uint32_t index, bool given_up)
{
    struct dz_msg *m = dz_msg_new(DZ_MSG_NODE_LOST, 0);
    dz_assert(m); /* small and fixed: a thread that misses it would wait for ever */
    m->ref = index;
    m->code = given_up;
    c->rt->ports.post(c->rt->ports.ctx, c->system, thread, m);
}

static void tell_processes(struct dz_cluster *c, uint32_t index, bool given_up)
{
    struct dz_barrier *b = dz_zalloc_must(1, sizeof *b);
    uint32_t threads = c->callbacks.thread_count(c->callbacks.ctx);
    b->cluster = c;
    b->index = index;
    b->left = threads;
    b->until_ms = dz_cluster_now(c) + BARRIER_MS;
    dz_list_push_back(&c->barriers, &b->all);
    for (uint32_t i = 0; i < threads; i++) {
        post_loss(c, i, index, given_up);
        int err = dz_thread_post(c->system, i, pass_barrier, b);
        dz_assert(!err);
    }
    dz_native_node_lost(c->system, index, given_up);
}

static void tell_event(struct dz_cluster *c, const char *type, const struct dz_membership_action *action)
{
    struct dz_buf buf;
    struct dz_build b;
    if (dz_pid_is_none(c->rt->events))
        return;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 4);
    dz_build_kstring(&b, "type", type);
    dz_build_kstring(&b, "node_id", action->node->id);
    dz_build_kint(&b, "incarnation", (int64_t)action->incarnation);
    dz_build_kstring(&b, "reason", action->reason);
    struct dz_msg *m = dz_build_done(&b) ? NULL : dz_msg_new_copy(DZ_MSG_NOTICE, buf.data, buf.len);
    dz_buf_fini(&buf);
    if (!m)
        return;
    m->code = DZ_REQ_EVENT;
    m->to = c->rt->events;
    dz_send_must(c->system, m);
}

void dz_sessions_lost(struct dz_cluster *c, const struct dz_membership_action *action)
{
    struct dz_node *n = action->node;
    struct dz_session_state *s = dz_sessions_find(c, action->peer);
    uint64_t peer = action->peer;
    const char *reason = action->reason;
    bool announce = action->announce, verdict = action->verdict, given_up = action->given_up;
    uint32_t index = s ? s->ends.peer : 0;
    bool known = s && s->ends.nodes;
    if (known)
        dz_routes_close(&c->routes, index);
    if (action->close)
        c->transport->ops->close_peer(c->transport, peer, false);
    if (s)
        session_delete(c, s);
    if (!known)
        return;
    dz_log_info(c->rt->log, "node lost", "node", n->id, "reason", reason, NULL);
    if (verdict)
        dz_verdict_tell(c, n->id, action->incarnation, n->returns);
    dz_globals_node_lost(&c->globals, index, peer);
    dz_remote_node_lost(&c->remote, index);
    (void)dz_view_rebuild(&c->view, &c->membership);
    tell_processes(c, index, given_up);
    if (!announce)
        return;
    tell_event(c, "node_down", action);
    if (c->callbacks.node_down)
        c->callbacks.node_down(c->callbacks.ctx, index, n->id, reason);
}

void dz_sessions_came_up(struct dz_cluster *c, const struct dz_membership_action *action)
{
    struct dz_node *n = action->node;
    const char *reason = action->reason;
    uint32_t index = n->index;
    struct dz_buf buf;
    struct dz_build b;
    dz_log_info(c->rt->log, "node up", "node", n->id, "reason", reason, NULL);
    (void)dz_view_rebuild(&c->view, &c->membership);
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_cstring(&b, n->id);
    if (!dz_build_done(&b))
        dz_native_notify_all(c->system, DZ_REQ_NODE_UP, index, buf.data, buf.len);
    dz_buf_fini(&buf);
    tell_event(c, "node_up", action);
    if (c->callbacks.node_up)
        c->callbacks.node_up(c->callbacks.ctx, index, n->id, reason);
}

/* --- time --- */

void dz_sessions_tick(struct dz_cluster *c, uint64_t now_ms)
{
    dz_list_each_safe (&c->barriers, it) {
        struct dz_barrier *b = dz_list_entry(it, struct dz_barrier, all);
        if (now_ms < b->until_ms)
            continue;
        /* The tasks still hold it: thread_is_through frees it when the last one comes. */
        dz_list_remove(&b->all);
        barrier_passed(c, b->index);
        return;
    }
}

uint64_t dz_sessions_next(const struct dz_cluster *c)
{
    uint64_t next = DZ_INFINITY;
    dz_list_each (&c->barriers, it) {
        const struct dz_barrier *b = dz_list_entry(it, struct dz_barrier, all);
        next = b->until_ms < next ? b->until_ms : next;
    }
    return next;
}

void dz_sessions_free(struct dz_cluster *c)
{
    while (!dz_list_empty(&c->sessions))
        session_delete(c, dz_list_entry(c->sessions.next, struct dz_session_state, all));
    while (!dz_list_empty(&c->barriers)) {
        struct dz_barrier *b = dz_list_entry(c->barriers.next, struct dz_barrier, all);
        dz_list_remove(&b->all);
        dz_free(b);
    }
}
