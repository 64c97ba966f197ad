/* api.c - the functions of dozor.h that ask, send, watch and register.
 * Owns:    one struct request for each question, freed with its answer.
 * Threads: any; callbacks come from the desk.
 * Fails:   as dozor.h says. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/cluster.h"
#include "host/host.h"
#include "host/values.h"
#include "proc/request.h"
#include "proc/send.h"
#include "proc/spawn.h"

#define SPAWN_LOCAL_MS 5000u
#define SPAWN_REMOTE_MS 10000u

static bool is_running(struct dz_host *host)
{
    pthread_mutex_lock(&host->lock);
    bool running = host->phase == DZ_HOST_RUNNING;
    pthread_mutex_unlock(&host->lock);
    return running;
}

/* --- questions --- */

struct request {
    struct dz_host *host;
    dz_done done;
    void *ctx;
    struct dz_pid target; /* killed when the answer does not come in time; or none */
};

static void answered(void *ctx, struct dz_thread *t, int err, const uint8_t *data, size_t len)
{
    struct request *q = ctx;
    dz_reader reader = { data, data + len, q->host };
    if (err == DZ_ETIMEOUT && !dz_pid_is_none(q->target))
        dz_send_signal(t, DZ_MSG_KILL, DZ_PID_NONE, q->target, 0, t->rt->reasons[DZ_REASON_KILLED]);
    if (q->done)
        q->done(q->ctx, err, &reader);
    dz_free(q);
}

static struct request *request_new(struct dz_host *host, dz_done done, void *ctx)
{
    struct request *q = dz_zalloc(1, sizeof *q);
    if (q)
        *q = (struct request){ host, done, ctx, DZ_PID_NONE };
    return q;
}

/* Sends the message as a question. Takes it in any case. */
static int ask(struct dz_host *host, struct dz_msg *m, struct dz_pid to, uint64_t timeout_ms, bool kill_late, dz_done done,
               void *ctx)
{
    struct dz_thread t;
    struct request *q = m ? request_new(host, done, ctx) : NULL;
    int err = q ? DZ_OK : DZ_ENOMEM;
    if (!err && !is_running(host))
        err = DZ_ECLOSED;
    if (!err) {
        dz_host_thread(host, &t);
        m->to = to;
        if (kill_late)
            q->target = to;
        err = dz_desk_send(&host->desk, &t, &m, timeout_ms, answered, q);
    }
    if (err)
        dz_free(q);
    dz_msg_free(m);
    return err;
}

static struct dz_msg *message_of(enum dz_msg_kind kind, const dz_builder *value)
{
    return dz_msg_new_copy(kind, value->buf.data, value->buf.len);
}

static int ask_system(struct dz_host *host, uint16_t code, const dz_builder *value, dz_done done, void *ctx)
{
    static const uint8_t nil[] = { 0xc0 };
    int err = value ? dz_builder_error(value) : DZ_OK;
    if (err)
        return err;
    struct dz_msg *m = value ? message_of(DZ_MSG_REQUEST, value) : dz_msg_new_copy(DZ_MSG_REQUEST, nil, sizeof nil);
    if (m)
        m->code = code;
    return ask(host, m, host->rt.system, DZ_INFINITY, false, done, ctx);
}

int dz_host_call(dz_host *host, dz_process to, const dz_builder *message, uint64_t timeout_ms, dz_done done, void *ctx)
{
    int err = dz_builder_error(message);
    if (err || dz_process_is_none(to))
        return err ? err : DZ_EARGUMENT;
    return ask(host, message_of(DZ_MSG_CALL, message), dz_pid_of(to), timeout_ms, false, done, ctx);
}

int dz_host_end(dz_host *host, dz_process process, const dz_builder *reason, uint64_t timeout_ms, dz_done done, void *ctx)
{
    int err = reason ? dz_builder_error(reason) : DZ_OK;
    if (err || dz_process_is_none(process))
        return err ? err : DZ_EARGUMENT;
    struct dz_msg *m = reason ? message_of(DZ_MSG_STOP, reason)
                              : dz_msg_new_blob(DZ_MSG_STOP, host->rt.reasons[DZ_REASON_NORMAL]);
    return ask(host, m, dz_pid_of(process), timeout_ms, true, done, ctx);
}

int dz_host_cluster_start(dz_host *host, const dz_builder *config, dz_done done, void *ctx)
{
    return ask_system(host, DZ_REQ_CLUSTER_START, config, done, ctx);
}

int dz_host_cluster_stop(dz_host *host, dz_done done, void *ctx)
{
    return ask_system(host, DZ_REQ_CLUSTER_STOP, NULL, done, ctx);
}

int dz_host_cluster_nodes(dz_host *host, dz_done done, void *ctx)
{
    return ask_system(host, DZ_REQ_CLUSTER_NODES, NULL, done, ctx);
}

/* --- sending --- */

static int send_value(dz_host *host, enum dz_msg_kind kind, dz_process to, const dz_builder *message)
{
    struct dz_thread t;
    int err = dz_builder_error(message);
    if (!err && !is_running(host))
        err = DZ_ECLOSED;
    if (err || dz_process_is_none(to))
        return err;
    struct dz_msg *m = message_of(kind, message);
    if (!m)
        return DZ_ENOMEM;
    dz_host_thread(host, &t);
    m->to = dz_pid_of(to);
    m->from = host->desk.pid;
    err = dz_send(&t, &m);
    dz_msg_free(m);
    return err;
}

int dz_host_send(dz_host *host, dz_process to, const dz_builder *message)
{
    return send_value(host, DZ_MSG_SEND, to, message);
}

int dz_host_cast(dz_host *host, dz_process to, const dz_builder *message)
{
    return send_value(host, DZ_MSG_CAST, to, message);
}

dz_process dz_host_whereis(dz_host *host, const char *name)
{
    size_t len = strlen(name);
    struct dz_pid pid = dz_names_whereis(&host->rt.names, name, len);
    if (dz_pid_is_none(pid))
        pid = dz_cluster_global_whereis(host->cluster, name, len);
    return dz_process_of(pid);
}

/* --- starting --- */

static struct dz_str text_of(const char *s)
{
    return (struct dz_str){ s, s ? strlen(s) : 0 };
}

/* Where it starts: a worker of its own, the Lua state its table belongs to, or any. */
static int choose_thread(struct dz_host *host, struct dz_thread *t, const struct dz_spawn *s)
{
    if (s->flags & DZ_SPAWN_OWN_WORKER)
        return dz_sched_add_worker(&host->sched);
    uint32_t owner = s->name.s ? dz_behaviors_thread(&host->behaviors, s->name.s, s->name.len) : 0;
    return (int)(owner ? owner : host->rt.ports.choose_thread(host->rt.ports.ctx, t));
}

static int dispatch(struct dz_host *host, struct dz_thread *t, const struct dz_spawn *s, const char *node,
                    struct dz_msg **take)
{
    if (node && strcmp(node, dz_nodes_self_id(&host->rt.nodes)) != 0)
        return dz_cluster_spawn_far(host->cluster, t, node, strlen(node), take, NULL);
    int thread = choose_thread(host, t, s);
    if (thread < 0)
        return thread;
    struct dz_pid pid = DZ_PID_NONE;
    int err = dz_spawn_send(t, (uint32_t)thread, take, &pid);
    if (s->flags & DZ_SPAWN_OWN_WORKER)
        dz_sched_own(&host->sched, (uint32_t)thread, err ? DZ_PID_NONE : pid);
    return err;
}

static int send_spawn(struct dz_host *host, const struct dz_spawn *s, const char *node, dz_done done, void *ctx)
{
    struct dz_thread t;
    uint64_t ref;
    if (!is_running(host))
        return DZ_ECLOSED;
    struct dz_msg *m = dz_spawn_pack(&host->rt.nodes, s);
    struct request *q = m ? request_new(host, done, ctx) : NULL;
    dz_host_thread(host, &t);
    int err = q ? dz_desk_ask(&host->desk, &t, s->timeout_ms, answered, q, &ref) : DZ_ENOMEM;
    if (err) {
        dz_free(q);
    } else {
        m->from = host->desk.pid;
        m->ref = ref;
        err = dispatch(host, &t, s, node, &m);
        if (err && dz_desk_forget(&host->desk, ref))
            dz_free(q);
        else
            err = DZ_OK;
    }
    dz_msg_free(m);
    return err;
}

int dz_host_spawn(dz_host *host, const char *behavior, const dz_builder *args, const dz_spawn_options *options, dz_done done,
                  void *ctx)
{
    static const dz_spawn_options none = { 0 };
    const dz_spawn_options *o = options ? options : &none;
    int err = args ? dz_builder_error(args) : DZ_OK;
    dz_reader reader = args ? dz_builder_read(args) : (dz_reader){ NULL, NULL, NULL };
    if (err || !behavior || (args && dz_reader_type(&reader) != DZ_TYPE_ARRAY))
        return err ? err : DZ_EARGUMENT;
    struct dz_spawn s = {
        .what = DZ_SPAWN_BEHAVIOR,
        .flags = o->own_worker ? DZ_SPAWN_OWN_WORKER : 0,
        .name = text_of(behavior),
        .args = args ? args->buf.data : NULL,
        .args_len = args ? args->buf.len : 0,
        .local_name = text_of(o->name),
        .global_name = text_of(o->global),
        .max_messages = o->max_messages,
        .max_bytes = o->max_bytes,
        .timeout_ms = o->timeout_ms ? o->timeout_ms : o->node ? SPAWN_REMOTE_MS : SPAWN_LOCAL_MS,
    };
    return send_spawn(host, &s, o->node, done, ctx);
}

int dz_host_start_supervisor(dz_host *host, const dz_builder *spec, dz_done done, void *ctx)
{
    int err = dz_builder_error(spec);
    if (err)
        return err;
    struct dz_spawn s = {
        .what = DZ_SPAWN_SUPERVISOR,
        .spec = spec->buf.data,
        .spec_len = spec->buf.len,
        .timeout_ms = DZ_INFINITY,
    };
    return send_spawn(host, &s, NULL, done, ctx);
}

int dz_host_run_script(dz_host *host, const char *path, int argc, const char *const *argv)
{
    struct dz_thread t;
    if (!path || argc < 0)
        return DZ_EARGUMENT;
    struct dz_msg *m = dz_vm_main_message(&host->rt, path, argc, argv);
    if (!m)
        return DZ_ENOMEM;
    pthread_mutex_lock(&host->lock);
    bool first = !host->has_script && host->phase <= DZ_HOST_RUNNING;
    bool later = host->phase == DZ_HOST_NEW;
    host->has_script = true;
    if (first && later) {
        host->script = m;
        m = NULL;
    }
    pthread_mutex_unlock(&host->lock);
    int err = first ? DZ_OK : DZ_ESTARTED;
    if (first && !later) {
        dz_host_thread(host, &t);
        err = dz_host_add_script_worker(host);
        err = err ? err : dz_host_send_script(host, &t, &m);
    }
    dz_msg_free(m);
    return err;
}

/* --- watching --- */

struct watcher {
    struct dz_host *host;
    dz_down down;
    void *ctx;
};

static void down(void *ctx, struct dz_thread *t, struct dz_pid pid, const uint8_t *reason, size_t len)
{
    struct watcher *w = ctx;
    (void)t;
    dz_reader reader = { reason, reason + len, w->host };
    w->down(w->ctx, dz_process_of(pid), &reader);
}

int dz_host_monitor(dz_host *host, dz_process process, dz_down fn, void *ctx, uint64_t *monitor)
{
    struct dz_thread t;
    if (dz_process_is_none(process) || !fn)
        return DZ_EARGUMENT;
    if (!is_running(host))
        return DZ_ECLOSED;
    struct watcher *w = dz_zalloc(1, sizeof *w);
    if (!w)
        return DZ_ENOMEM;
    *w = (struct watcher){ host, fn, ctx };
    dz_host_thread(host, &t);
    int err = dz_desk_watch(&host->desk, &t, dz_pid_of(process), down, dz_free, w, monitor);
    if (err)
        dz_free(w);
    return err;
}

bool dz_host_demonitor(dz_host *host, uint64_t monitor)
{
    struct dz_thread t;
    dz_host_thread(host, &t);
    return dz_desk_unwatch(&host->desk, &t, monitor);
}

/* --- registering --- */

static bool is_name(const char *name)
{
    return name && *name && strlen(name) <= DZ_NAME_MAX;
}

int dz_host_register_behavior(dz_host *host, const char *name, const dz_native_behavior *behavior)
{
    if (!is_name(name) || !behavior || !behavior->init || behavior->size == 0)
        return DZ_EARGUMENT;
    return dz_cbehaviors_register(&host->natives, name, behavior);
}

int dz_host_register_selector(dz_host *host, const char *name, dz_selector selector, void *ctx)
{
    if (!is_name(name) || !selector)
        return DZ_EARGUMENT;
    pthread_mutex_lock(&host->lock);
    bool before = host->phase == DZ_HOST_NEW;
    pthread_mutex_unlock(&host->lock);
    return before ? dz_cselectors_register(&host->selectors, &host->driver.selectors, name, selector, ctx) : DZ_ESTARTED;
}
