/* router.c - messages between processes of two nodes: out through the ports of cluster.h, in through
 * dz_router_take.
 * Owns:    nothing.
 * Threads: the ports any; dz_router_take the system thread.
 * Fails:   out: as struct dz_ports says. In: DZ_EFORMAT for what an honest peer cannot send: the session
 *          then ends. */
#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "cluster/state.h"
#include "proc/process.h"
#include "proc/send.h"
#include "term/build.h"
#include "term/read.h"
#include "term/term.h"

/* --- out --- */

/* A link's reserved room is for what must not be refused, so for small things only: a message with more than that finds
 * room beside the others, or is made short. */
#define ENVELOPE_ROOM 128u /* mostly enough around the payload */
#define RESERVED_MAX 4096u
#define BRIEF_MAX    256u

/* Its sender waits, or is told. */
static bool is_refusable(const struct dz_msg *m)
{
    return m->kind == DZ_MSG_SEND || m->kind == DZ_MSG_CAST || m->kind == DZ_MSG_CALL ||
           (m->flags & DZ_MSG_PATIENT);
}

/* The sender would wait for nothing. */
static bool wants_answer(const struct dz_msg *m)
{
    return m->kind == DZ_MSG_CALL || m->kind == DZ_MSG_REQUEST || m->kind == DZ_MSG_GET_INFO;
}

static void replace(struct dz_msg **take, struct dz_msg *by)
{
    const struct dz_msg *m = *take;
    by->from = m->from;
    by->to = m->to;
    by->ref = m->ref;
    by->code = m->code;
    dz_msg_free(*take);
    *take = by;
}

/* What a process and those who know it need of its exit reason: the class, and the first words. */
static struct dz_msg *with_brief_reason(const struct dz_msg *m)
{
    char text[BRIEF_MAX / 2];
    const char *code = "error";
    size_t code_len = strlen(code), text_len = dz_term_reason_text(m->data, m->len, text, sizeof text);
    struct dz_buf buf;
    struct dz_build b;
    if (dz_read_find_string(m->data, m->len, "code", &code, &code_len) && code_len > BRIEF_MAX / 4)
        code_len = BRIEF_MAX / 4;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 2);
    dz_build_key(&b, "code");
    dz_build_string(&b, code, code_len);
    dz_build_key(&b, "message");
    dz_build_string(&b, text, text_len);
    struct dz_msg *brief = dz_build_done(&b) ? NULL : dz_msg_new_copy((enum dz_msg_kind)m->kind, buf.data, buf.len);
    dz_buf_fini(&buf);
    return brief;
}

/* Puts a small message in the place of one that finds no room and may not be refused. False: there is none. */
static bool make_brief(struct dz_msg **take)
{
    const struct dz_msg *m = *take;
    struct dz_msg *brief = NULL;
    if (m->len <= BRIEF_MAX)
        return false;
    if (m->kind == DZ_MSG_REPLY)
        brief = dz_send_make_error(m->from, m->to, m->ref, DZ_EOVERLOADED,
                                   "the link to the caller's node has no room for the answer");
    else if (m->kind == DZ_MSG_DOWN || m->kind == DZ_MSG_EXIT || m->kind == DZ_MSG_STOP ||
             m->kind == DZ_MSG_PARENT_EXIT || m->kind == DZ_MSG_CHILD_EXIT)
        brief = with_brief_reason(m);
    if (brief)
        replace(take, brief);
    return brief != NULL;
}

struct broken {
    struct dz_cluster *cluster;
    uint64_t peer;
};

static void end_broken(struct dz_thread *t, void *arg)
{
    struct broken b;
    memcpy(&b, arg, sizeof b);
    struct dz_cluster *c = b.cluster;
    (void)t;
    if (c->transport) {
        dz_membership_broken(&c->membership, b.peer, "overloaded", dz_cluster_now(c));
        dz_cluster_perform(c);
    }
}

/* A small signal found even the reserved room full: dropping it would break a promise, so the session is over
 * instead. */
static void give_up(struct dz_cluster *c, struct dz_thread *from, uint64_t peer)
{
    struct broken b = {c, peer};
    (void)dz_thread_post_copy(from, DZ_THREAD_SYSTEM, end_broken, &b, sizeof b);
}

static int transmit(struct dz_cluster *c, struct dz_thread *from, const struct dz_envelope_ends *ends, uint64_t peer,
                    const struct dz_msg *m, const char *name, size_t name_len)
{
    struct dz_buf spare, *buf;
    bool reserved = !is_refusable(m) && m->len <= RESERVED_MAX;
    if (m->len > RESERVED_MAX && !dz_routes_has_room(&c->routes, peer, m->len))
        return DZ_EOVERLOADED;
    buf = dz_routes_borrow(&c->routes, from, &spare);
    int err = dz_buf_reserve(buf, m->len + ENVELOPE_ROOM);
    err = err ? err : dz_buf_append_u8(buf, DZ_CLUSTER_MESSAGE);
    err = err ? err : dz_envelope_encode(buf, ends, m, name, name_len);
    err = err ? err
              : dz_cluster_gather(c, from, peer, dz_envelope_key(m), buf, reserved ? DZ_SEND_RESERVED : 0);
    dz_routes_give_back(buf, &spare);
    return err;
}

static int send_to(struct dz_cluster *c, struct dz_thread *from, const struct dz_envelope_ends *ends,
                   struct dz_msg **take, const char *name, size_t name_len)
{
    uint64_t peer = dz_routes_get(&c->routes, ends->peer);
    if (!peer || (wants_answer(*take) && dz_routes_is_apart(&c->routes, ends->peer)))
        return DZ_ENOCONNECTION;
    int err = transmit(c, from, ends, peer, *take, name, name_len);
    if (err == DZ_EOVERLOADED && !is_refusable(*take) && make_brief(take))
        err = transmit(c, from, ends, peer, *take, name, name_len);
    if (err && err != DZ_ENOCONNECTION && !is_refusable(*take) && (*take)->len <= RESERVED_MAX) {
        give_up(c, from, peer);
        return DZ_ENOCONNECTION;
    }
    if (err)
        return err;
    dz_msg_free(*take);
    *take = NULL;
    return 0;
}

/* A later life of that node is connected: this one's processes are gone for good. A host that was frozen may hear of the next
 * life from others before it knows that the session it has is over. */
static bool is_over(struct dz_cluster *c, uint32_t node)
{
    uint32_t now;
    if (dz_nodes_is_self(&c->rt->nodes, node) || dz_routes_get(&c->routes, node))
        return false;
    const struct dz_node_entry *e = dz_nodes_get(&c->rt->nodes, node);
    return dz_routes_find(&c->routes, e->id, strlen(e->id), &now) == 0 &&
           dz_nodes_get(&c->rt->nodes, now)->incarnation > e->incarnation;
}

int dz_cluster_wire(void *cluster, struct dz_thread *from, struct dz_msg **take)
{
    struct dz_cluster *c = cluster;
    struct dz_msg *m = *take;
    uint32_t node = dz_nodes_resolve(&c->rt->nodes, m->to.node);
    struct dz_envelope_ends ends = {&c->rt->nodes, node, m->to.node == node ? UINT32_MAX : m->to.node};
    if (m->to.slot == DZ_REMOTE_CANCEL_SLOT) {
        *take = NULL;
        dz_remote_cancel(&c->remote, m);
        return 0;
    }
    if (m->kind == DZ_MSG_REPLY)
        dz_remote_note_reply(&c->remote, m);
    if (is_over(c, node)) {
        dz_cluster_count_one(&c->bounced);
        *take = NULL;
        dz_process_bounce(from, m);
        return 0;
    }
    return send_to(c, from, &ends, take, NULL, 0);
}

static bool is_own_id(const struct dz_cluster *c, const char *id, size_t len)
{
    const char *self = dz_nodes_self_id(&c->rt->nodes);
    return strlen(self) == len && memcmp(self, id, len) == 0;
}

/* To a local name of this host. */
static int send_named_here(struct dz_cluster *c, struct dz_thread *t, const char *name, size_t len,
                           struct dz_msg **take)
{
    struct dz_msg *m = *take;
    m->to = dz_names_whereis(&c->rt->names, name, len);
    if (!dz_pid_is_none(m->to))
        return dz_send(t, take);
    dz_cluster_count_one(&c->bounced);
    *take = NULL;
    dz_process_bounce(t, m);
    return 0;
}

int dz_cluster_wire_named(void *cluster, struct dz_thread *from, const char *node_id, size_t node_len,
                          const char *name, size_t name_len, struct dz_msg **take)
{
    struct dz_cluster *c = cluster;
    struct dz_envelope_ends ends = {&c->rt->nodes, 0, UINT32_MAX};
    if (is_own_id(c, node_id, node_len))
        return send_named_here(c, from, name, name_len, take);
    int err = dz_routes_find(&c->routes, node_id, node_len, &ends.peer);
    return err ? err : send_to(c, from, &ends, take, name, name_len);
}

void dz_cluster_flush(void *cluster, struct dz_thread *t)
{
    struct dz_cluster *c = cluster;
    dz_routes_flush(&c->routes, t);
}

bool dz_cluster_reachable(void *cluster, uint32_t node)
{
    struct dz_cluster *c = cluster;
    return dz_routes_get(&c->routes, node) != 0;
}

int dz_cluster_spawn_far(void *cluster, struct dz_thread *from, const char *node_id, size_t node_len,
                         struct dz_msg **take, struct dz_pid *cancel)
{
    struct dz_cluster *c = cluster;
    uint32_t node;
    if (is_own_id(c, node_id, node_len))
        return dz_remote_ask_self(&c->remote, from, take, cancel);
    int err = dz_routes_find(&c->routes, node_id, node_len, &node);
    if (!err && dz_routes_is_apart(&c->routes, node))
        err = DZ_ENOCONNECTION;
    return err ? err : dz_remote_ask(&c->remote, from, node, take, cancel);
}

/* --- in --- */

/* The sender's names are free before its end can be seen here. */
static bool tells_an_end(const struct dz_msg *m)
{
    return m->kind == DZ_MSG_DOWN || m->kind == DZ_MSG_EXIT || m->kind == DZ_MSG_CHILD_EXIT;
}

/* A mailbox is full: one who waits is told, the rest is dropped (and was counted by dz_send). */
static void turned_away(struct dz_cluster *c, struct dz_msg *m, int err)
{
    if (m->kind == DZ_MSG_CALL)
        dz_send_error(c->system, m->to, m->from, m->ref, err, NULL);
    dz_msg_free(m);
}

static void deliver(struct dz_cluster *c, struct dz_msg *m)
{
    if (m->to.slot == DZ_REMOTE_CANCEL_SLOT || !dz_nodes_is_self(&c->rt->nodes, m->to.node)) {
        /* For an older life of this host: who it was for is gone. */
        dz_cluster_count_one(&c->bounced);
        dz_process_bounce(c->system, m);
        return;
    }
    if (tells_an_end(m))
        dz_globals_forget(&c->globals, m->from);
    if (m->kind == DZ_MSG_REPLY)
        m = dz_remote_take_reply(&c->remote, m);
    int err = dz_send(c->system, &m);
    if (err)
        turned_away(c, m, err);
}

int dz_router_take(struct dz_cluster *c, const struct dz_session_state *s, const uint8_t *data, size_t len)
{
    struct dz_envelope e;
    int err = dz_envelope_decode(&s->ends, data, len, &e);
    if (err)
        return err;
    if (e.msg->kind == DZ_MSG_SPAWN) {
        dz_msg_free(e.msg);
        return DZ_EFORMAT;
    }
    dz_cluster_count_one(&c->messages_in);
    if (!e.name) {
        deliver(c, e.msg);
        return 0;
    }
    err = send_named_here(c, c->system, e.name, e.name_len, &e.msg);
    if (err)
        turned_away(c, e.msg, err);
    return 0;
}
