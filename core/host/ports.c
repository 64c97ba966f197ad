/* ports.c - see ports.h.
 * Owns:    nothing.
 * Threads: each port as its header says.
 * Fails:   each port as its header says. */
#include "host/ports.h"

#include <string.h>

#include "base/err.h"
#include "host/events.h"
#include "host/host.h"
#include "proc/send.h"
#include "term/build.h"

/* mailbox_overflow is told at most this often. */
#define OVERFLOW_EVERY_NS 1000000000u

/* --- rt --- */

static int wire(void *ctx, struct dz_thread *from, struct dz_msg **take)
{
    struct dz_host *host = ctx;
    return dz_cluster_wire(host->cluster, from, take);
}

static void flush(void *ctx, struct dz_thread *t)
{
    struct dz_host *host = ctx;
    dz_cluster_flush(host->cluster, t);
}

static bool reachable(void *ctx, uint32_t node)
{
    struct dz_host *host = ctx;
    return dz_cluster_reachable(host->cluster, node);
}

static int wire_named(void *ctx, struct dz_thread *from, const char *node_id, size_t node_len, const char *name,
                      size_t name_len, struct dz_msg **take)
{
    struct dz_host *host = ctx;
    return dz_cluster_wire_named(host->cluster, from, node_id, node_len, name, name_len, take);
}

static int spawn_far(void *ctx, struct dz_thread *from, const char *node_id, size_t node_len, struct dz_msg **take,
                     struct dz_pid *cancel)
{
    struct dz_host *host = ctx;
    return dz_cluster_spawn_far(host->cluster, from, node_id, node_len, take, cancel);
}

static struct dz_pid global_whereis(void *ctx, const char *name, size_t len)
{
    struct dz_host *host = ctx;
    return dz_cluster_global_whereis(host->cluster, name, len);
}

static void global_end(void *ctx, struct dz_thread *t, struct dz_pid pid)
{
    struct dz_host *host = ctx;
    dz_cluster_global_end(host->cluster, t, pid);
}

/* DZ_ESUPERSEDED: a newer copy of this path exists, the process must not be made. */
static int note_placement(struct dz_host *host, const struct dz_spawn *s, struct dz_pid pid)
{
    if (!s->path.s || !s->epoch.s)
        return DZ_OK;
    return dz_cluster_placed(host->cluster, s->path.s, s->path.len, s->epoch.s, s->epoch.len, pid);
}

static void spawn(void *ctx, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *msg)
{
    struct dz_host *host = ctx;
    struct dz_spawn s;
    int err = dz_spawn_unpack(&t->rt->nodes, msg, &s);
    if (!err && s.what != DZ_SPAWN_SUPERVISOR)
        err = note_placement(host, &s, msg->to);
    if (err) {
        dz_process_refuse_with(t, slot, msg, err, NULL);
        return;
    }
    const dz_native_behavior *native =
        s.what == DZ_SPAWN_BEHAVIOR ? dz_cbehaviors_find(&host->natives, s.name.s, s.name.len) : NULL;
    if (s.what == DZ_SPAWN_SUPERVISOR)
        dz_driver_spawn(&host->driver, t, slot, msg);
    else if (native)
        dz_cbehavior_spawn(host, t, slot, msg, native, s.name.s, s.name.len);
    else if (!dz_cselectors_answer(host, t, slot, &s, msg))
        dz_vm_spawn(t, slot, msg);
}

static void thread_message(void *ctx, struct dz_thread *t, struct dz_msg *msg)
{
    (void)ctx;
    dz_log_warn(t->rt->log, "a message to a thread that it does not know", NULL);
    dz_msg_free(msg);
}

static void emit_overflow(struct dz_host *host, struct dz_thread *t, struct dz_pid pid)
{
    struct dz_buf buf;
    struct dz_build b;
    struct dz_slot *slot = dz_table_find(&host->rt.table, pid);
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 5);
    dz_build_kstring(&b, "type", "mailbox_overflow");
    dz_build_key(&b, "pid");
    dz_build_pid_of(&b, &host->rt.nodes, pid);
    dz_build_kint(&b, "messages", slot ? dz_table_messages(slot) : 0);
    dz_build_kint(&b, "bytes", slot ? (int64_t)dz_table_bytes(slot) : 0);
    dz_build_kint(&b, "dropped", slot ? atomic_load_explicit(&slot->dropped, memory_order_relaxed) : 0);
    if (dz_build_done(&b) == DZ_OK)
        dz_events_emit(t, buf.data, buf.len);
    dz_buf_fini(&buf);
}

/* Relaxed: only how often it is told depends on it. */
static void overflow(void *ctx, struct dz_thread *t, struct dz_pid pid)
{
    struct dz_host *host = ctx;
    uint64_t now = dz_env_now_ns(&host->env);
    uint64_t last = atomic_load_explicit(&host->overflow_ns, memory_order_relaxed);
    if ((last && now - last < OVERFLOW_EVERY_NS) || dz_pid_eq(pid, host->rt.events))
        return;
    if (atomic_compare_exchange_strong_explicit(&host->overflow_ns, &last, now, memory_order_relaxed,
                                                memory_order_relaxed))
        emit_overflow(host, t, pid);
}

static void crashed(void *ctx, struct dz_thread *t, struct dz_proc *proc, struct dz_blob *reason)
{
    (void)t;
    dz_host_note_end(ctx, proc->pid, reason);
}

void dz_ports_fill_rt(struct dz_host *host)
{
    struct dz_ports *p = &host->rt.ports;
    p->ctx = host;
    p->wire = wire;
    p->wire_named = wire_named;
    p->flush = flush;
    p->reachable = reachable;
    p->spawn_far = spawn_far;
    p->global_whereis = global_whereis;
    p->global_end = global_end;
    p->spawn = spawn;
    p->thread_message = thread_message;
    p->overflow = overflow;
    p->crashed = crashed;
}

/* --- what the cluster asks and tells --- */

static bool behavior_hash(void *ctx, const char *name, size_t len, uint8_t hash[32])
{
    struct dz_host *host = ctx;
    return dz_behaviors_hash(&host->behaviors, name, len, hash);
}

static uint32_t thread_count(void *ctx)
{
    struct dz_host *host = ctx;
    return atomic_load_explicit(&host->sched.count, memory_order_acquire);
}

static int add_thread(void *ctx, const char *name, size_t len)
{
    struct dz_host *host = ctx;
    if (!name || dz_behaviors_thread(&host->behaviors, name, len))
        return DZ_EARGUMENT; /* a table stays on the worker it was registered on */
    return dz_sched_add_worker(&host->sched);
}

static void own_thread(void *ctx, uint32_t thread, struct dz_pid pid)
{
    struct dz_host *host = ctx;
    dz_sched_own(&host->sched, thread, pid);
}

void dz_ports_fill_cluster(struct dz_host *host, struct dz_cluster_callbacks *callbacks)
{
    *callbacks = (struct dz_cluster_callbacks){
        .ctx = host,
        .thread_count = thread_count,
        .behavior_hash = behavior_hash,
        .add_thread = add_thread,
        .own_thread = own_thread,
    };
}
