/* join.c - see join.h.
 * Owns:    see join.h.
 * Threads: the system thread, but for dz_join_leave and dz_join_is_on.
 * Fails:   see join.h. */
#include "host/join.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/cluster.h"
#include "host/carrier.h"
#include "host/host.h"
#include "proc/send.h"

struct leaver {
    struct dz_list all;
    struct dz_host *host;
    void (*done)(void *ctx, struct dz_thread *t);
    void *ctx;
};

static struct dz_thread *system_thread(struct dz_join *j)
{
    return &j->host->sched.workers[DZ_THREAD_SYSTEM]->thread;
}

void dz_join_init(struct dz_join *j, struct dz_host *host)
{
    memset(j, 0, sizeof *j);
    j->host = host;
    dz_list_init(&j->leaving);
}

void dz_join_fini(struct dz_join *j)
{
    dz_assert(j->state == DZ_JOIN_OFF && !j->transport && dz_list_empty(&j->leaving));
}

bool dz_join_is_on(struct dz_host *host)
{
    return dz_cluster_status(host->cluster) != DZ_CLUSTER_STOPPED;
}

/* --- answers --- */

static void answer_error(struct dz_thread *t, const struct dz_msg *m, int code, const char *field, const char *message)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, field && *field ? 3 : 2);
    dz_build_kstring(&b, "code", dz_err_name(code));
    dz_build_kstring(&b, "message", message);
    if (field && *field)
        dz_build_kstring(&b, "field", field);
    if (dz_build_done(&b) == DZ_OK)
        dz_send_failure(t, m->to, m->from, m->ref, buf.data, buf.len);
    else
        dz_send_error(t, m->to, m->from, m->ref, code, NULL);
    dz_buf_fini(&buf);
}

static void answer_node_id(struct dz_join *j, struct dz_thread *t)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_cstring(&b, j->node_id);
    if (dz_build_done(&b) == DZ_OK)
        dz_send_reply(t, j->asked->to, j->asked->from, j->asked->ref, buf.data, buf.len);
    else
        dz_send_error(t, j->asked->to, j->asked->from, j->asked->ref, DZ_ENOMEM, NULL);
    dz_buf_fini(&buf);
    dz_msg_free(j->asked);
    j->asked = NULL;
}

/* --- starting --- */

static void tell_leavers(struct dz_join *j)
{
    struct dz_list *node;
    while ((node = dz_list_pop_front(&j->leaving)) != NULL) {
        struct leaver *l = dz_list_entry(node, struct leaver, all);
        l->done(l->ctx, system_thread(j));
        dz_free(l);
    }
}

/* A start that failed is answered here, so that who hears of it may try again at once. */
static void transport_closed(void *ctx)
{
    struct dz_join *j = ctx;
    j->host->carrier->delete(j->transport);
    j->transport = NULL;
    j->state = DZ_JOIN_OFF;
    if (j->asked)
        answer_error(system_thread(j), j->asked, j->failure, NULL, j->why);
    dz_msg_free(j->asked);
    j->asked = NULL;
    tell_leavers(j);
}

/* Also when the start is broken off: then the answer comes when all is closed. */
static void first_exchange_done(void *ctx)
{
    struct dz_join *j = ctx;
    if (j->state != DZ_JOIN_STARTING)
        return;
    j->state = DZ_JOIN_ON;
    answer_node_id(j, system_thread(j));
}

/* Where the listener is bound: `listen`, else the node's own host and port. */
static void listen_address(const struct dz_cluster_settings *s, char *host, size_t size, uint16_t *port)
{
    const char *colon = s->listen ? strrchr(s->listen, ':') : NULL;
    const char *from = s->listen ? s->listen : s->host;
    size_t len = colon ? (size_t)(colon - s->listen) : strlen(s->host);
    if (len >= 2 && from[0] == '[' && from[len - 1] == ']') {
        from++;
        len -= 2;
    }
    snprintf(host, size, "%.*s", (int)len, from);
    *port = (uint16_t)(colon ? strtoul(colon + 1, NULL, 10) : s->port);
}

/* j->why says what cannot be used. */
static int new_transport(struct dz_join *j, const struct dz_cluster_settings *s, const char *host, uint16_t port)
{
    struct dz_host *h = j->host;
    struct dz_transport_uv_config config = {
        .loop = &h->sched.workers[DZ_THREAD_SYSTEM]->loop,
        .env = &h->env,
        .log = &h->log,
        .events = dz_cluster_events(),
        .ctx = h->cluster,
        .listen_host = host,
        .listen_port = port,
        .secret = s->secret,
        .secret_len = s->secret ? strlen(s->secret) : 0,
        .tls_cert = s->tls_cert,
        .tls_key = s->tls_key,
        .tls_ca = s->tls_ca,
        .insecure = s->insecure,
        .birth = dz_nodes_get(&h->rt.nodes, 0)->incarnation,
        .redial_base_ms = (uint32_t)s->reconnect_base_delay_ms,
        .redial_max_ms = (uint32_t)s->reconnect_max_delay_ms,
        .why = j->why,
        .why_size = sizeof j->why,
    };
    j->why[0] = 0;
    return h->carrier->make(h->carrier_ctx, &j->transport, &config);
}

static int start_cluster(struct dz_join *j, const struct dz_cluster_settings *s, const char **why)
{
    struct dz_host *h = j->host;
    uint64_t incarnation = dz_cluster_incarnation(h->cluster);
    struct dz_cluster_config config = {
        .node_id = j->node_id,
        .incarnation = incarnation,
        .seeds = (const char *const *)s->seeds.items,
        .seed_count = s->seeds.count,
        .heartbeat_ms = (uint32_t)s->heartbeat_interval_ms,
        .suspect_ms = (uint32_t)s->suspect_after_ms,
        .down_ms = (uint32_t)s->down_after_ms,
        .attributes = s->attributes.data,
        .attributes_len = s->attributes.len,
        .strict_versions = s->strict_versions,
    };
    int err = dz_cluster_config_check(&config, why);
    if (!err)
        err = h->carrier->start(j->transport, j->node_id, incarnation);
    if (!err)
        err = dz_cluster_start(h->cluster, h->carrier->base(j->transport), &config, first_exchange_done, j);
    return err;
}

/* The transport was opened, or tried: it ends with close. */
static void open_and_start(struct dz_join *j, const struct dz_cluster_settings *s, const char *host, uint16_t port)
{
    const char *why = NULL;
    uint16_t bound = 0;
    int err = j->host->carrier->open(j->transport, &bound);
    if (err) {
        snprintf(j->why, sizeof j->why, "%s:%u: %s", host, port, dz_err_text(err));
    } else {
        snprintf(j->node_id, sizeof j->node_id, "%s@%s:%u", s->node_name, s->host,
                 s->port ? (unsigned)s->port : (unsigned)bound);
        err = start_cluster(j, s, &why);
        snprintf(j->why, sizeof j->why, "%s", why ? why : dz_err_text(err));
    }
    if (!err)
        return;
    j->failure = err;
    j->state = DZ_JOIN_LEAVING;
    j->host->carrier->close(j->transport, transport_closed, j);
}

static void start_with(struct dz_join *j, struct dz_thread *t, const struct dz_cluster_settings *s, struct dz_msg *msg)
{
    char host[256];
    uint16_t port;
    listen_address(s, host, sizeof host, &port);
    int err = new_transport(j, s, host, port);
    if (err) {
        answer_error(t, msg, err, s->tls_cert ? "tls" : NULL, j->why[0] ? j->why : dz_err_text(err));
        dz_msg_free(msg);
        return;
    }
    j->state = DZ_JOIN_STARTING;
    j->asked = msg;
    open_and_start(j, s, host, port);
}

void dz_join_start(struct dz_join *j, struct dz_thread *t, struct dz_msg *msg)
{
    struct dz_cluster_settings s;
    struct dz_config_error error;
    char text[DZ_NODE_ID_MAX + 64];
    if (j->state != DZ_JOIN_OFF) {
        snprintf(text, sizeof text, "this host is the node %s already", dz_nodes_self_id(&t->rt->nodes));
        answer_error(t, msg, DZ_ESTARTED, NULL, text);
        dz_msg_free(msg);
        return;
    }
    dz_cluster_settings_init(&s);
    int err = dz_cluster_settings_read(&s, msg->data, msg->len, "", &error);
    if (err) {
        answer_error(t, msg, err, error.field, error.message);
        dz_msg_free(msg);
    } else {
        start_with(j, t, &s, msg);
    }
    dz_cluster_settings_fini(&s);
}

/* --- leaving --- */

static void cluster_stopped(void *ctx)
{
    struct dz_join *j = ctx;
    j->host->carrier->close(j->transport, transport_closed, j);
}

static void leave(struct dz_thread *t, void *arg)
{
    struct leaver *l = arg;
    struct dz_join *j = &l->host->join;
    (void)t;
    dz_list_push_back(&j->leaving, &l->all);
    if (j->state == DZ_JOIN_OFF) {
        tell_leavers(j);
    } else if (j->state != DZ_JOIN_LEAVING) {
        j->state = DZ_JOIN_LEAVING;
        j->failure = DZ_ESHUTDOWN;
        snprintf(j->why, sizeof j->why, "the node left the cluster before it had joined it");
        dz_cluster_stop(l->host->cluster, cluster_stopped, j);
    }
}

void dz_join_leave(struct dz_host *host, struct dz_thread *t, void (*done)(void *ctx, struct dz_thread *t), void *ctx)
{
    struct leaver *l = dz_zalloc_must(1, sizeof *l);
    dz_list_init(&l->all);
    l->host = host;
    l->done = done;
    l->ctx = ctx;
    int err = dz_thread_post(t, DZ_THREAD_SYSTEM, leave, l);
    dz_assert(!err);
}
