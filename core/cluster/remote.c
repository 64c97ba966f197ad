/* remote.c - the asking side of remote.h. */
#include "cluster/remote.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/frames.h"
#include "cluster/remote_parts.h"
#include "proc/send.h"

struct ask {
    struct dz_pid from;
    struct dz_pid cancel;
    uint64_t ref;
    uint64_t deadline_ms;
    bool confirm; /* by its supervisor's loss, a child ends anyway */
};

void dz_remote_init(struct dz_remote *r, struct dz_cluster *c)
{
    memset(r, 0, sizeof *r);
    r->cluster = c;
    pthread_mutex_init(&r->lock, NULL);
    dz_map_init(&r->asked);
    dz_map_init(&r->served);
    dz_map_init(&r->by_reply);
    dz_list_init(&r->served_list);
    dz_list_init(&r->stopping);
    r->due_ms = DZ_INFINITY;
    atomic_init(&r->next_request, 1);
}

void dz_remote_fini(struct dz_remote *r)
{
    uint32_t it = 0;
    uint64_t key;
    void *value;
    while (dz_map_next(&r->asked, &it, &key, &value))
        dz_free(value);
    dz_remote_free_served(r);
    dz_map_fini(&r->asked);
    dz_map_fini(&r->served);
    dz_map_fini(&r->by_reply);
    pthread_mutex_destroy(&r->lock);
}

uint64_t dz_remote_deadline(uint64_t now_ms, uint64_t timeout_ms, uint64_t grace_ms)
{
    return timeout_ms >= DZ_INFINITY / 4 ? DZ_INFINITY : now_ms + timeout_ms + grace_ms;
}

static void count_asked(struct dz_remote *r)
{
    atomic_store_explicit(&r->asked_count, r->asked.count, memory_order_relaxed);
}

static int remember(struct dz_remote *r, const struct dz_msg *m, struct dz_pid cancel,
                    const struct dz_spawn *spawn)
{
    struct ask *a = dz_zalloc(1, sizeof *a);
    if (!a)
        return DZ_ENOMEM;
    *a = (struct ask){
        .from = m->from,
        .cancel = cancel,
        .ref = m->ref,
        .deadline_ms =
            dz_remote_deadline(dz_cluster_now(r->cluster), spawn->timeout_ms, DZ_REMOTE_GRACE_MS),
        .confirm = dz_pid_is_none(spawn->parent),
    };
    pthread_mutex_lock(&r->lock);
    int err = dz_map_put(&r->asked, m->ref, a);
    count_asked(r);
    pthread_mutex_unlock(&r->lock);
    if (err)
        dz_free(a);
    return err;
}

/* The caller owns what is returned. */
static struct ask *forget(struct dz_remote *r, uint64_t ref)
{
    pthread_mutex_lock(&r->lock);
    struct ask *a = dz_map_remove(&r->asked, ref);
    count_asked(r);
    pthread_mutex_unlock(&r->lock);
    return a;
}

static int send_spawn(struct dz_remote *r, struct dz_thread *from, uint32_t node, uint32_t request,
                      const struct dz_msg *m)
{
    struct dz_cluster *c = r->cluster;
    struct dz_envelope_ends ends = {&c->rt->nodes, node, UINT32_MAX};
    struct dz_buf buf;
    dz_buf_init(&buf);
    int err = dz_buf_append_u8(&buf, DZ_CLUSTER_SPAWN);
    err = err ? err : dz_buf_append_u32(&buf, request);
    err = err ? err : dz_envelope_encode(&buf, &ends, m, NULL, 0);
    if (!err)
        err = dz_cluster_gather(c, from, dz_routes_get(&c->routes, node), DZ_CLUSTER_KEY, &buf, 0);
    dz_buf_fini(&buf);
    return err;
}

int dz_remote_ask(struct dz_remote *r, struct dz_thread *from, uint32_t node, struct dz_msg **take,
                  struct dz_pid *cancel)
{
    struct dz_msg *m = *take;
    struct dz_spawn spawn;
    uint32_t request = atomic_fetch_add_explicit(&r->next_request, 1, memory_order_relaxed);
    struct dz_pid pid = {node, DZ_REMOTE_CANCEL_SLOT, request};
    int err = dz_spawn_unpack(&r->cluster->rt->nodes, m, &spawn);
    dz_assert(!err && m->ref); /* packed by ourselves */
    err = remember(r, m, pid, &spawn);
    if (err)
        return err;
    err = send_spawn(r, from, node, request, m);
    if (err) {
        struct ask *a = forget(r, m->ref);
        dz_free(a);
        /* Lost since it was sent: whoever answered for the node has taken the record and the answer is on its
         * way. */
        if (a)
            return err;
    }
    if (cancel)
        *cancel = pid;
    dz_msg_free(m);
    *take = NULL;
    return 0;
}

static void send_cancel(struct dz_remote *r, struct dz_pid cancel, unsigned kind)
{
    struct dz_cluster *c = r->cluster;
    struct dz_frame_out f;
    dz_frame_begin(&f, DZ_CLUSTER_CANCEL);
    dz_build_array(&f.build, 2);
    dz_build_uint(&f.build, cancel.gen);
    dz_build_uint(&f.build, kind);
    /* No route: the node is lost, and what it started for us ends there by itself. */
    (void)dz_frame_send(&f, &c->routes, dz_routes_get(&c->routes, cancel.node));
}

/* Before it there was no more than a start under way; from here on the process is somebody's. */
static void send_confirm(struct dz_remote *r, struct dz_pid cancel)
{
    struct dz_cluster *c = r->cluster;
    struct dz_frame_out f;
    dz_frame_begin(&f, DZ_CLUSTER_CONFIRM);
    dz_build_array(&f.build, 1);
    dz_build_uint(&f.build, cancel.gen);
    (void)dz_frame_send(&f, &c->routes, dz_routes_get(&c->routes, cancel.node));
}

void dz_remote_cancel(struct dz_remote *r, struct dz_msg *msg)
{
    if (msg->kind == DZ_MSG_KILL || msg->kind == DZ_MSG_ANSWERED)
        send_cancel(r, msg->to, msg->kind);
    dz_msg_free(msg);
}

/* The error table with a field `node`, unless it has one; NULL when it is no table or there is no memory. */
static struct dz_msg *with_node(const struct dz_msg *m, const char *node_id)
{
    struct dz_read r, found;
    struct dz_build b;
    struct dz_buf buf;
    uint32_t count;
    dz_read_init(&r, m->data, m->len);
    if (dz_read_map(&r, &count) || dz_read_find(m->data, m->len, "node", &found))
        return NULL;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, count + 1);
    dz_build_raw(&b, r.at, (size_t)(r.end - r.at));
    dz_build_kstring(&b, "node", node_id);
    struct dz_msg *named = dz_build_done(&b) ? NULL : dz_msg_new_copy(DZ_MSG_REPLY, buf.data, buf.len);
    dz_buf_fini(&buf);
    if (!named)
        return NULL;
    named->flags = m->flags & (uint8_t)~DZ_MSG_SMALL;
    named->to = m->to;
    named->ref = m->ref;
    return named;
}

struct dz_msg *dz_remote_take_reply(struct dz_remote *r, struct dz_msg *msg)
{
    if (atomic_load_explicit(&r->asked_count, memory_order_relaxed) == 0)
        return msg;
    struct ask *a = forget(r, msg->ref);
    if (!a)
        return msg;
    struct dz_pid cancel = a->cancel;
    if (a->confirm && !(msg->flags & DZ_MSG_FAILED))
        send_confirm(r, cancel);
    dz_free(a);
    if (msg->flags & DZ_MSG_FAILED) {
        struct dz_msg *named = with_node(msg, dz_nodes_get(&r->cluster->rt->nodes, cancel.node)->id);
        if (named) {
            dz_msg_free(msg);
            msg = named;
        }
    }
    /* The one who asked waits for an answer of the cancel pid: from another it would cancel what it got. */
    msg->from = cancel;
    return msg;
}

void dz_remote_fail(struct dz_remote *r, struct dz_pid by, struct dz_pid to, uint64_t ref, int err,
                    const char *message, const char *node_id)
{
    struct dz_cluster *c = r->cluster;
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 3);
    dz_build_kstring(&b, "code", dz_err_name(err));
    dz_build_kstring(&b, "message", message ? message : dz_err_text(err));
    dz_build_kstring(&b, "node", node_id);
    if (dz_build_done(&b))
        dz_send_error(c->system, by, to, ref, err, message);
    else
        dz_send_failure(c->system, by, to, ref, buf.data, buf.len);
    dz_buf_fini(&buf);
}

/* Every ask of the node, or (node UINT32_MAX) past its deadline, is answered with the error. */
static void fail_asks(struct dz_remote *r, uint32_t node, uint64_t now_ms, int err)
{
    uint32_t it = 0;
    uint64_t ref;
    void *value;
    for (;;) {
        struct ask *found = NULL;
        pthread_mutex_lock(&r->lock);
        while (!found && dz_map_next(&r->asked, &it, &ref, &value)) {
            struct ask *a = value;
            if (node == UINT32_MAX ? now_ms >= a->deadline_ms : a->cancel.node == node)
                found = dz_map_remove(&r->asked, ref);
        }
        count_asked(r);
        pthread_mutex_unlock(&r->lock);
        if (!found)
            return;
        const char *id = dz_nodes_get(&r->cluster->rt->nodes, found->cancel.node)->id;
        if (err == DZ_ETIMEOUT)
            send_cancel(r, found->cancel, DZ_MSG_ANSWERED);
        dz_remote_fail(r, found->cancel, found->from, found->ref, err, NULL, id);
        dz_free(found);
    }
}

void dz_remote_node_lost(struct dz_remote *r, uint32_t node)
{
    fail_asks(r, node, 0, DZ_ENOCONNECTION);
    dz_remote_drop_served(r, node);
}

void dz_remote_tick(struct dz_remote *r, uint64_t now_ms)
{
    if (atomic_load_explicit(&r->asked_count, memory_order_relaxed))
        fail_asks(r, UINT32_MAX, now_ms, DZ_ETIMEOUT);
    dz_remote_tick_served(r, now_ms);
}
