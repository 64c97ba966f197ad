/* service.c - see service.h.
 * Owns:    the struct of the process.
 * Threads: the system thread.
 * Fails:   requests are answered with error tables. */
#include "host/service.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/cluster.h"
#include "host/host.h"
#include "proc/process.h"
#include "proc/request.h"
#include "proc/send.h"
#include "term/build.h"
#include "term/read.h"

struct service {
    struct dz_proc proc;
    struct dz_host *host;
};

/* --- answers --- */

struct answer {
    struct dz_buf buf;
    struct dz_build build;
};

static struct dz_build *answer_begin(struct answer *a)
{
    dz_buf_init(&a->buf);
    dz_build_init(&a->build, &a->buf);
    return &a->build;
}

static void answer_send(struct answer *a, struct dz_thread *t, const struct dz_msg *m)
{
    int err = dz_build_done(&a->build);
    if (err)
        dz_send_error(t, m->to, m->from, m->ref, err, NULL);
    else
        dz_send_reply(t, m->to, m->from, m->ref, a->buf.data, a->buf.len);
    dz_buf_fini(&a->buf);
}

static void answer_nil(struct dz_thread *t, const struct dz_msg *m)
{
    dz_send_reply(t, m->to, m->from, m->ref, NULL, 0);
}

static void refuse(struct dz_thread *t, const struct dz_msg *m, int err, const char *message)
{
    dz_send_error(t, m->to, m->from, m->ref, err, message);
}

/* --- the cluster --- */

/* With the cluster gone there may be nothing left to do. The desk looks, in whose callbacks all of halt.h runs. */
static void left_for_check(void *ctx, struct dz_thread *t, int err, const uint8_t *data, size_t len)
{
    struct dz_host *host = ctx;
    (void)err;
    (void)data;
    (void)len;
    dz_halt_check(&host->halt, t);
}

struct stopping {
    struct dz_host *host;
    struct dz_msg *asked; /* CLUSTER_STOP */
};

static void left(void *ctx, struct dz_thread *t)
{
    struct stopping *s = ctx;
    struct dz_host *host = s->host;
    answer_nil(t, s->asked);
    dz_msg_free(s->asked);
    dz_free(s);
    dz_desk_request(&host->desk, t, t->rt->system, DZ_REQ_CLUSTER_STATUS, NULL, 0, DZ_INFINITY, left_for_check, host);
}

static void cluster_stop(struct dz_host *host, struct dz_thread *t, struct dz_msg *m)
{
    struct stopping *s = dz_alloc_must(sizeof *s);
    *s = (struct stopping){ host, m };
    dz_join_leave(host, t, left, s);
}

static void cluster_node(struct dz_host *host, struct dz_thread *t, const struct dz_msg *m)
{
    struct dz_read r;
    const char *id;
    size_t len;
    struct answer a;
    dz_read_init(&r, m->data, m->len);
    if (dz_read_string(&r, &id, &len)) {
        refuse(t, m, DZ_EARGUMENT, "a node id is a text like name@host:port");
        return;
    }
    dz_cluster_node(host->cluster, answer_begin(&a), id, len);
    answer_send(&a, t, m);
}

static void global_register(struct dz_host *host, struct dz_thread *t, const struct dz_msg *m)
{
    struct dz_read name, pid;
    const char *s;
    size_t len;
    struct dz_pid p;
    if (!dz_read_find(m->data, m->len, "name", &name) || dz_read_string(&name, &s, &len) || len == 0 ||
        len > DZ_NAME_MAX || !dz_read_find(m->data, m->len, "pid", &pid) || dz_read_pid_of(&pid, &t->rt->nodes, &p) ||
        dz_pid_is_none(p)) {
        refuse(t, m, DZ_EARGUMENT, "a name is a text of 1 to 255 bytes, its owner a pid");
        return;
    }
    dz_cluster_global_register(host->cluster, s, len, p, m->from, m->ref);
}

static void global_unregister(struct dz_host *host, struct dz_thread *t, const struct dz_msg *m)
{
    struct dz_read r;
    const char *s;
    size_t len;
    struct answer a;
    dz_read_init(&r, m->data, m->len);
    bool had = dz_read_string(&r, &s, &len) == DZ_OK && dz_cluster_global_unregister(host->cluster, s, len);
    dz_build_bool(answer_begin(&a), had);
    answer_send(&a, t, m);
}

/* --- the host --- */

static void supervisors(struct dz_host *host, struct dz_thread *t, const struct dz_msg *m)
{
    struct answer a;
    struct dz_build *b = answer_begin(&a);
    size_t cap = dz_driver_list(&host->driver, false, NULL, 0) + 16;
    struct dz_pid *pids = dz_zalloc(cap, sizeof *pids);
    size_t count = pids ? dz_driver_list(&host->driver, false, pids, cap) : 0;
    if (count > cap)
        count = cap;
    dz_build_array(b, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        dz_build_pid_of(b, &t->rt->nodes, pids[i]);
    dz_free(pids);
    answer_send(&a, t, m);
}

static void shut_down(struct dz_host *host, struct dz_thread *t, const struct dz_msg *m)
{
    struct dz_read r;
    int64_t code = 0;
    dz_read_init(&r, m->data, m->len);
    if (dz_read_int(&r, &code))
        code = 0;
    answer_nil(t, m);
    dz_halt_begin(&host->halt, t, (int)(code & 0xff));
}

static void on_shutdown(struct dz_host *host, struct dz_thread *t, const struct dz_msg *m)
{
    int err = dz_halt_add_hook(&host->halt, m->from);
    if (err)
        refuse(t, m, err, NULL);
    else
        answer_nil(t, m);
}

static void build_link_figures(struct dz_host *host, struct dz_build *b)
{
    struct dz_cluster_stats s;
    dz_cluster_stats(host->cluster, &s);
    dz_build_key(b, "cluster");
    dz_build_map(b, 6);
    dz_build_kint(b, "messages_in", (int64_t)s.messages_in);
    dz_build_kint(b, "messages_out", (int64_t)s.messages_out);
    dz_build_kint(b, "malformed", (int64_t)s.malformed);
    dz_build_kint(b, "bounced", (int64_t)s.bounced);
    dz_build_kint(b, "superseded", (int64_t)s.superseded);
    dz_build_kint(b, "late_spawns", (int64_t)s.late_spawns);
}

static void build_worker_figures(struct dz_host *host, struct dz_build *b)
{
    uint32_t count = atomic_load_explicit(&host->sched.count, memory_order_acquire);
    dz_build_key(b, "workers");
    dz_build_array(b, count - 1);
    for (uint32_t i = DZ_THREAD_WORKER; i < count; i++) {
        struct dz_worker *w = host->sched.workers[i];
        dz_build_map(b, 3);
        dz_build_kint(b, "index", i);
        dz_build_kint(b, "memory_bytes",
                      (int64_t)atomic_load_explicit(&w->thread.lua_bytes, memory_order_relaxed));
        dz_build_kint(b, "load", atomic_load_explicit(&w->load, memory_order_relaxed));
    }
}

static void host_stats(struct dz_host *host, struct dz_thread *t, const struct dz_msg *m)
{
    struct answer a;
    struct dz_build *b = answer_begin(&a);
    size_t rss = 0;
    uv_resident_set_memory(&rss);
    dz_build_map(b, 7);
    dz_build_kint(b, "workers_lost", host->sched.guard.lost_count);
    dz_build_kstring(b, "node_id", dz_nodes_self_id(&t->rt->nodes));
    dz_build_kint(b, "processes", atomic_load_explicit(&t->rt->table.count, memory_order_relaxed));
    dz_build_kint(b, "uptime_ms", (int64_t)((dz_env_now_ns(&host->env) - host->started_ns) / 1000000u));
    dz_build_kint(b, "memory_bytes", (int64_t)rss);
    build_worker_figures(host, b);
    build_link_figures(host, b);
    answer_send(&a, t, m);
}

/* --- dispatch --- */

typedef void (*answerer)(struct dz_host *host, struct dz_thread *t, const struct dz_msg *m);

static void cluster_nodes(struct dz_host *host, struct dz_thread *t, const struct dz_msg *m)
{
    struct answer a;
    dz_cluster_nodes(host->cluster, answer_begin(&a));
    answer_send(&a, t, m);
}

static void cluster_status(struct dz_host *host, struct dz_thread *t, const struct dz_msg *m)
{
    struct answer a;
    dz_build_cstring(answer_begin(&a), dz_cluster_status_name(dz_cluster_status(host->cluster)));
    answer_send(&a, t, m);
}

static void global_names(struct dz_host *host, struct dz_thread *t, const struct dz_msg *m)
{
    struct answer a;
    dz_cluster_global_names(host->cluster, answer_begin(&a));
    answer_send(&a, t, m);
}

static void take_request(struct dz_host *host, struct dz_thread *t, struct dz_msg *m)
{
    static const answerer answerers[] = {
        [DZ_REQ_CLUSTER_NODES] = cluster_nodes,         [DZ_REQ_CLUSTER_NODE] = cluster_node,
        [DZ_REQ_CLUSTER_STATUS] = cluster_status,       [DZ_REQ_GLOBAL_REGISTER] = global_register,
        [DZ_REQ_GLOBAL_UNREGISTER] = global_unregister, [DZ_REQ_GLOBAL_NAMES] = global_names,
        [DZ_REQ_SUPERVISORS] = supervisors,             [DZ_REQ_SHUTDOWN] = shut_down,
        [DZ_REQ_STATS_HOST] = host_stats,               [DZ_REQ_ON_SHUTDOWN] = on_shutdown,
    };
    if (m->code == DZ_REQ_CLUSTER_START) {
        dz_join_start(&host->join, t, m);
        return;
    }
    if (m->code == DZ_REQ_CLUSTER_STOP) {
        cluster_stop(host, t, m);
        return;
    }
    if (m->code < sizeof answerers / sizeof answerers[0] && answerers[m->code])
        answerers[m->code](host, t, m);
    else
        refuse(t, m, DZ_EARGUMENT, "the host does not know this request");
    dz_msg_free(m);
}

/* Takes the message; a stop or an exit signal does not end the service, which lives as long as the system thread. */
static void take(struct service *s, struct dz_thread *t, struct dz_msg *m)
{
    if (m->kind == DZ_MSG_REQUEST) {
        take_request(s->host, t, m);
        return;
    }
    if (m->kind == DZ_MSG_CALL || (m->kind == DZ_MSG_STOP && m->ref))
        refuse(t, m, DZ_EUNHANDLED, NULL);
    dz_msg_free(m);
}

static void run(struct dz_thread *t, struct dz_proc *p)
{
    struct service *s = (struct service *)(void *)p;
    struct dz_msg *m;
    if (p->flags & DZ_PROC_DOOMED) {
        dz_process_finish(t, p);
        return;
    }
    while ((m = dz_process_take(p)) != NULL)
        take(s, t, m);
    dz_process_rest(t, p);
}

static void dispose(struct dz_thread *t, struct dz_proc *p)
{
    (void)t;
    dz_free(p);
}

static void describe(struct dz_thread *t, struct dz_proc *p, const char **behavior, size_t *memory)
{
    (void)t;
    (void)p;
    *behavior = "$system";
    *memory = sizeof(struct service);
}

static const struct dz_proc_kind service_kind = { .name = "service", .run = run, .dispose = dispose, .describe = describe };

int dz_service_start(struct dz_host *host, struct dz_thread *t)
{
    struct dz_slot *slot;
    struct dz_pid pid;
    struct service *s = dz_zalloc(1, sizeof *s);
    if (!s)
        return DZ_ENOMEM;
    s->host = host;
    int err = dz_table_reserve(&t->rt->table, t->index, true, 0, &slot, &pid);
    if (err) {
        dz_free(s);
        return err;
    }
    dz_process_init(t, &s->proc, &service_kind, slot, pid, NULL);
    s->proc.flags |= DZ_PROC_TRAPS | DZ_PROC_HIDDEN;
    dz_process_started(t, &s->proc);
    t->rt->system = pid;
    return DZ_OK;
}

void dz_service_end(struct dz_host *host, struct dz_thread *t)
{
    struct dz_slot *slot = dz_table_find(&host->rt.table, host->rt.system);
    if (!slot || !slot->proc)
        return;
    struct dz_proc *p = slot->proc;
    dz_process_doom(t, p, host->rt.reasons[DZ_REASON_SHUTDOWN], DZ_PROC_NO_TERMINATE);
    dz_process_finish(t, p);
}
