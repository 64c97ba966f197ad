/* driver_query.c - what a supervisor says of itself: answers to queries, and events. */
#include <string.h>
#include "base/err.h"
#include "proc/request.h"
#include "proc/send.h"
#include "sup/driver_parts.h"
#include "term/build.h"
#include "term/read.h"

/* What most events fit in: they are built without growing. */
#define EVENT_BYTES 256u

static const char *node_text(const struct dz_supervisor *s, uint32_t node)
{
    const struct dz_nodes *nodes = &s->driver->rt->nodes;
    if (node == DZ_SUP_NO_NODE)
        return NULL;
    return dz_nodes_is_self(nodes, node) ? dz_nodes_self_id(nodes) : dz_nodes_get(nodes, node)->id;
}

static void put_decimal(struct dz_buf *text, uint64_t v)
{
    char digits[20];
    size_t n = sizeof digits;
    do
        digits[--n] = (char)('0' + v % 10);
    while (v /= 10);
    dz_buf_append(text, digits + n, sizeof digits - n);
}

/* "3.1.7": the supervisor's numbers and the child's own. */
static void put_epoch(struct dz_build *b, const struct dz_supervisor *s, uint64_t last)
{
    struct dz_buf text;
    dz_buf_init(&text);
    for (size_t i = 0; i + 8 <= s->epoch.len; i += 8) {
        uint64_t v = 0;
        for (size_t k = 0; k < 8; k++)
            v = v << 8 | s->epoch.data[i + k];
        put_decimal(&text, v);
        dz_buf_append_u8(&text, '.');
    }
    put_decimal(&text, last);
    dz_build_string(b, (const char *)text.data, text.len);
    dz_buf_fini(&text);
}

/* --- queries --- */

/* A spec as it can be shown anywhere: functions, which belong to one Lua state, become a word. */
static void copy_plain(struct dz_build *b, struct dz_read *r)
{
    struct dz_value v;
    struct dz_read head = *r;
    if (dz_read_next(r, &v))
        return;
    switch (v.type) {
    case DZ_TERM_ARRAY:
        dz_build_array(b, v.as.count);
        for (uint32_t i = 0; i < v.as.count; i++)
            copy_plain(b, r);
        break;
    case DZ_TERM_MAP:
        dz_build_map(b, v.as.count);
        for (uint32_t i = 0; i < 2 * v.as.count; i++)
            copy_plain(b, r);
        break;
    case DZ_TERM_FUNCTION:
        dz_build_cstring(b, v.as.str.bytes[12] == 't' ? "table" : "function");
        break;
    default:
        dz_build_raw(b, head.at, (size_t)(r->at - head.at));
    }
}

static void put_child(struct dz_build *b, const struct dz_supervisor *s, const struct dz_sup_child *child)
{
    struct dz_sup_child_info info;
    struct dz_read r;
    dz_sup_child_info(s->sup, child, &info);
    dz_build_map(b, 8);
    dz_build_kstring(b, "id", info.id);
    dz_build_key(b, "pid");
    dz_build_pid_of(b, &s->driver->rt->nodes, info.has_pid ? info.pid : DZ_PID_NONE);
    dz_build_kstring(b, "node_id", node_text(s, info.node));
    dz_build_kstring(b, "status", dz_sup_status_name(info.status));
    dz_build_kint(b, "restart_count", info.restart_count);
    dz_build_kint(b, "started_at", (int64_t)info.started_at_ms);
    dz_build_key(b, "spec");
    dz_read_init(&r, info.spec->source, info.spec->source_len);
    copy_plain(b, &r);
    dz_build_key(b, "epoch");
    put_epoch(b, s, info.epoch);
}

static void put_children(struct dz_build *b, const struct dz_supervisor *s, const struct dz_msg *m)
{
    struct dz_sup_stats stats;
    int64_t from = 1, limit = INT64_MAX;
    dz_sup_stats(s->sup, &stats);
    dz_read_find_int(m->data, m->len, "from", &from);
    dz_read_find_int(m->data, m->len, "limit", &limit);
    if (from < 1)
        from = 1;
    int64_t left = (int64_t)stats.child_count - (from - 1);
    left = left < 0 ? 0 : left < limit ? left : limit < 0 ? 0 : limit;
    dz_build_array(b, (uint32_t)left);
    const struct dz_sup_child *c = left ? dz_sup_child_at(s->sup, (uint64_t)from) : NULL;
    for (; left > 0 && c; left--, c = dz_sup_next_child(s->sup, c))
        put_child(b, s, c);
}

static void put_one_child(struct dz_build *b, const struct dz_supervisor *s, const struct dz_msg *m)
{
    struct dz_read r;
    const char *id;
    size_t len;
    dz_read_init(&r, m->data, m->len);
    const struct dz_sup_child *c = dz_read_string(&r, &id, &len) ? NULL : dz_sup_find_child(s->sup, id, len);
    if (c)
        put_child(b, s, c);
    else
        dz_build_nil(b);
}

static void put_counts(struct dz_build *b, const struct dz_supervisor *s)
{
    struct dz_sup_counts counts;
    dz_sup_count_children(s->sup, &counts);
    dz_build_map(b, 4);
    dz_build_kint(b, "specs", counts.specs);
    dz_build_kint(b, "active", counts.active);
    dz_build_kint(b, "supervisors", counts.supervisors);
    dz_build_kint(b, "workers", counts.workers);
}

static void put_by_node(struct dz_build *b, const struct dz_supervisor *s)
{
    uint32_t it = 0, node, children, count = 0;
    while (dz_sup_each_node(s->sup, &it, &node, &children))
        count++;
    dz_build_map(b, count);
    it = 0;
    while (dz_sup_each_node(s->sup, &it, &node, &children))
        dz_build_kint(b, node_text(s, node), children);
}

static void put_stats(struct dz_build *b, const struct dz_supervisor *s)
{
    struct dz_sup_stats stats;
    uint64_t wall = dz_env_wall_ms(s->driver->rt->env);
    dz_sup_stats(s->sup, &stats);
    dz_build_map(b, 8);
    dz_build_kstring(b, "id", stats.id);
    dz_build_kstring(b, "strategy", dz_strategy_name(stats.strategy));
    dz_build_kint(b, "child_count", stats.child_count);
    dz_build_key(b, "children_by_node");
    put_by_node(b, s);
    dz_build_kint(b, "total_restarts", (int64_t)stats.total_restarts);
    dz_build_kint(b, "node_failure_restarts", (int64_t)stats.node_failure_restarts);
    dz_build_kint(b, "started_at", (int64_t)stats.started_at_ms);
    dz_build_kint(b, "uptime_ms", wall > stats.started_at_ms ? (int64_t)(wall - stats.started_at_ms) : 0);
}

static bool put_answer(struct dz_build *b, const struct dz_supervisor *s, const struct dz_msg *m)
{
    switch (m->code) {
    case DZ_REQ_CHILDREN:
        put_children(b, s, m);
        return true;
    case DZ_REQ_CHILD:
        put_one_child(b, s, m);
        return true;
    case DZ_REQ_COUNT_CHILDREN:
        put_counts(b, s);
        return true;
    case DZ_REQ_STATS:
        put_stats(b, s);
        return true;
    case DZ_REQ_IS_SUPERVISOR:
        dz_build_bool(b, dz_sup_is_running(s->sup));
        return true;
    default:
        return false;
    }
}

bool dz_supervisor_query(struct dz_thread *t, struct dz_supervisor *s, const struct dz_msg *m)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    bool is_query = put_answer(&b, s, m);
    if (is_query) {
        int err = dz_build_done(&b);
        if (!err)
            err = dz_send_reply(t, dz_supervisor_pid(s), m->from, m->ref, buf.data, buf.len);
        if (err)
            dz_send_error(t, dz_supervisor_pid(s), m->from, m->ref, err, NULL);
    }
    dz_buf_fini(&buf);
    return is_query;
}

/* --- events --- */

static const char *const event_names[] = {
    [DZ_EVENT_SUPERVISOR_STARTED] = "supervisor_started",
    [DZ_EVENT_SUPERVISOR_STOPPED] = "supervisor_stopped",
    [DZ_EVENT_CHILD_STARTED] = "child_started",
    [DZ_EVENT_CHILD_STOPPED] = "child_stopped",
    [DZ_EVENT_CHILD_RESTARTED] = "child_restarted",
    [DZ_EVENT_CHILD_MIGRATED] = "child_migrated",
    [DZ_EVENT_CHILD_PENDING] = "child_pending",
    [DZ_EVENT_NODE_FAILURE_DETECTED] = "node_failure_detected",
};

static void put_supervisor_ref(struct dz_build *b, const struct dz_supervisor *s)
{
    dz_build_key(b, "ref");
    dz_build_map(b, 2);
    dz_build_kstring(b, "id", s->id);
    dz_build_kstring(b, "node_id", dz_nodes_self_id(&s->driver->rt->nodes));
}

static void put_affected(struct dz_build *b, const struct dz_sup_event *e)
{
    dz_build_key(b, "affected_children");
    dz_build_array(b, (uint32_t)e->affected_count);
    for (size_t i = 0; i < e->affected_count; i++)
        dz_build_cstring(b, e->affected[i]);
}

/* `count` fields of its own follow. */
static void put_head(struct dz_build *b, const struct dz_supervisor *s, const struct dz_sup_event *e,
                     uint32_t count)
{
    bool own = e->type == DZ_EVENT_SUPERVISOR_STARTED || e->type == DZ_EVENT_SUPERVISOR_STOPPED;
    bool child = !own && e->type != DZ_EVENT_NODE_FAILURE_DETECTED;
    dz_build_map(b, 2 + (child ? 1u : 0u) + count);
    dz_build_kstring(b, "type", event_names[e->type]);
    if (own)
        put_supervisor_ref(b, s);
    else
        dz_build_kstring(b, "supervisor_id", s->id);
    if (child)
        dz_build_kstring(b, "child_id", e->child_id);
}

static void put_event(struct dz_build *b, const struct dz_supervisor *s, const struct dz_sup_event *e)
{
    switch (e->type) {
    case DZ_EVENT_SUPERVISOR_STARTED:
        put_head(b, s, e, 0);
        break;
    case DZ_EVENT_SUPERVISOR_STOPPED:
    case DZ_EVENT_CHILD_STOPPED:
        put_head(b, s, e, 1);
        dz_build_kstring(b, "reason", e->reason);
        break;
    case DZ_EVENT_CHILD_STARTED:
        put_head(b, s, e, 3);
        dz_build_kstring(b, "node_id", node_text(s, e->node));
        dz_build_key(b, "pid");
        dz_build_pid_of(b, &s->driver->rt->nodes, e->pid);
        dz_build_key(b, "epoch");
        put_epoch(b, s, e->epoch);
        break;
    case DZ_EVENT_CHILD_RESTARTED:
        put_head(b, s, e, 3);
        dz_build_kstring(b, "node_id", node_text(s, e->node));
        dz_build_kint(b, "attempt", e->attempt);
        dz_build_kstring(b, "reason", e->reason);
        break;
    case DZ_EVENT_CHILD_MIGRATED:
        put_head(b, s, e, 2);
        dz_build_kstring(b, "from_node", node_text(s, e->from_node));
        dz_build_kstring(b, "to_node", node_text(s, e->node));
        break;
    case DZ_EVENT_CHILD_PENDING:
        put_head(b, s, e, 1);
        dz_build_kstring(b, "cause", e->reason);
        break;
    case DZ_EVENT_NODE_FAILURE_DETECTED:
        put_head(b, s, e, 2);
        dz_build_kstring(b, "node_id", node_text(s, e->node));
        put_affected(b, e);
        break;
    }
}

void dz_supervisor_emit(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_event *event)
{
    struct dz_buf buf;
    struct dz_build b;
    if (dz_pid_is_none(t->rt->events) || atomic_load_explicit(&t->rt->event_listeners, memory_order_acquire) == 0)
        return;
    dz_buf_init(&buf);
    (void)dz_buf_reserve(&buf, EVENT_BYTES); /* a failure shows in the build */
    dz_build_init(&b, &buf);
    put_event(&b, s, event);
    struct dz_msg *m = dz_build_done(&b) ? NULL : dz_msg_new_copy(DZ_MSG_NOTICE, buf.data, buf.len);
    dz_buf_fini(&buf);
    if (!m)
        return; /* out of memory: an event is lost, supervision goes on */
    m->code = DZ_REQ_EVENT;
    m->from = dz_supervisor_pid(s);
    m->to = t->rt->events;
    dz_send_must(t, m);
}
