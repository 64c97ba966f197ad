#include "cluster/cluster.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/state.h"
#include "proc/send.h"

/* The timer is never set for less: what is overdue (an authority that says no) does not keep the thread busy.
 */
#define SHORTEST_TICK_MS 1u
#define OVERDUE_MS       20u
/* A thread that sends and goes on with its turn is not waited for longer. */
#define FLUSH_MS 1u
/* A timer that fires so late says that this thread did not run. */
#define STALL_MS 100u

static void fire(struct dz_thread *t, struct dz_timer *timer);

/* --- life --- */

static bool is_alive(void *ctx, struct dz_pid pid)
{
    struct dz_cluster *c = ctx;
    return dz_table_find(&c->rt->table, pid) != NULL;
}

static bool is_lost(void *ctx, uint32_t node)
{
    const struct dz_cluster *c = ctx;
    return dz_routes_get(&c->routes, node) == 0;
}

static void place_heard(void *ctx, const struct dz_place_key *key)
{
    dz_places_heard(ctx, key);
}

static void name_entered(void *ctx, struct dz_pid pid)
{
    dz_places_settle(ctx, pid);
}

int dz_cluster_new(struct dz_cluster **out, struct dz_rt *rt, struct dz_thread *system,
                   const struct dz_cluster_callbacks *callbacks)
{
    struct dz_cluster *c = dz_zalloc(1, sizeof *c);
    if (!c)
        return DZ_ENOMEM;
    c->rt = rt;
    c->system = system;
    c->callbacks = *callbacks;
    c->started_ms = dz_env_now_ms(rt->env);
    dz_routes_init(&c->routes, &rt->nodes);
    dz_view_init(&c->view, rt, c->started_ms);
    dz_globals_init(&c->globals, rt, system, &c->routes, &(struct dz_globals_events){c, place_heard, name_entered});
    dz_remote_init(&c->remote, c);
    pthread_mutex_init(&c->placement_lock, NULL);
    dz_placement_init(&c->placement, is_alive, is_lost, c);
    dz_map_init(&c->sessions_by_peer);
    dz_list_init(&c->sessions);
    dz_list_init(&c->barriers);
    dz_smap_init(&c->told_hashes);
    dz_list_init(&c->membership.actions);
    c->flush_ms = DZ_INFINITY;
    atomic_init(&c->flush_asked, false);
    dz_timer_init(&c->timer, fire);
    atomic_init(&c->status, DZ_CLUSTER_STOPPED);
    *out = c;
    return 0;
}

void dz_cluster_delete(struct dz_cluster *c)
{
    if (!c)
        return;
    dz_assert(dz_cluster_status(c) == DZ_CLUSTER_STOPPED);
    dz_timer_stop(c->system, &c->timer);
    dz_sessions_free(c);
    dz_globals_abandon(&c->globals);
    dz_globals_fini(&c->globals);
    dz_remote_fini(&c->remote);
    dz_view_fini(&c->view);
    dz_routes_fini(&c->routes);
    dz_placement_fini(&c->placement);
    pthread_mutex_destroy(&c->placement_lock);
    dz_map_fini(&c->sessions_by_peer);
    dz_smap_fini(&c->told_hashes);
    dz_free(c);
}

enum dz_cluster_status dz_cluster_status(const struct dz_cluster *c)
{
    struct dz_cluster *writable = (struct dz_cluster *)(uintptr_t)c;
    return (enum dz_cluster_status)atomic_load_explicit(&writable->status, memory_order_relaxed);
}

static void set_status(struct dz_cluster *c, enum dz_cluster_status status)
{
    atomic_store_explicit(&c->status, (int)status, memory_order_relaxed);
}

const char *dz_cluster_status_name(enum dz_cluster_status status)
{
    static const char *const names[] = {
        [DZ_CLUSTER_STOPPED] = "stopped",
        [DZ_CLUSTER_STARTING] = "starting",
        [DZ_CLUSTER_RUNNING] = "running",
        [DZ_CLUSTER_STOPPING] = "stopping",
    };
    return names[status];
}

uint64_t dz_cluster_incarnation(const struct dz_cluster *c)
{
    uint64_t wall_ms = dz_env_wall_ms(c->rt->env);
    return wall_ms > c->incarnation ? wall_ms : c->incarnation + 1;
}

/* --- actions --- */

static void heartbeat(struct dz_cluster *c, uint64_t peer)
{
    struct dz_peer_figures figures = {
        .counter = c->membership.beats,
        .processes = atomic_load_explicit(&c->rt->table.count, memory_order_relaxed),
        .flags = c->membership.returns << DZ_NODE_RETURNS_SHIFT,
    };
    (void)c->transport->ops->heartbeat(c->transport, peer, &figures);
}

static void dial(struct dz_cluster *c, struct dz_node *n)
{
    int err = c->transport->ops->dial(c->transport, n->id, NULL, 0);
    if (err)
        dz_log_warn(c->rt->log, "cannot dial", "node", n->id, "reason", dz_err_name(err), NULL);
}

static void changed(struct dz_cluster *c, const struct dz_membership_action *a)
{
    dz_log_debug(c->rt->log, "node changed", "node", a->node->id, "status", dz_node_status_text(a->node),
                 "reason", a->reason, NULL);
    (void)dz_view_rebuild(&c->view, &c->membership);
    if (a->node->peer)
        dz_routes_set_apart(&c->routes, a->node->index, a->node->apart);
}

static void perform_one(struct dz_cluster *c, const struct dz_membership_action *a)
{
    switch (a->type) {
    case DZ_MEMBER_DIAL:
        dial(c, a->node);
        break;
    case DZ_MEMBER_FORGET:
        c->transport->ops->forget(c->transport, a->node->id);
        break;
    case DZ_MEMBER_UP:
        dz_sessions_came_up(c, a);
        break;
    case DZ_MEMBER_LOST:
        dz_sessions_lost(c, a);
        break;
    case DZ_MEMBER_HEARTBEAT:
        heartbeat(c, a->peer);
        break;
    case DZ_MEMBER_GOSSIP:
        dz_gossip_send(c, a->peer);
        break;
    case DZ_MEMBER_PROBE:
        dz_probe_send(c, a->peer, a->node);
        break;
    case DZ_MEMBER_CHANGED:
        changed(c, a);
        break;
    }
}

void dz_cluster_arm(struct dz_cluster *c, uint64_t at_ms)
{
    c->tick_ms = at_ms;
    (void)dz_timer_start(c->system, &c->timer, at_ms * 1000000u);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void schedule(struct dz_cluster *c)
{
    uint64_t now_ms = dz_cluster_now(c);
    uint64_t next = sooner(dz_globals_next(&c->globals), dz_remote_next(&c->remote, now_ms));
    next = sooner(next, dz_sessions_next(c));
    next = sooner(next, c->flush_ms);
    if (c->transport)
        next = sooner(next, dz_membership_next(&c->membership));
    if (c->done)
        next = sooner(next, c->settle_ms);
    if (next == DZ_INFINITY)
        dz_timer_stop(c->system, &c->timer);
    else
        dz_cluster_arm(c, next > now_ms ? next : now_ms + SHORTEST_TICK_MS);
}

static void call_done(struct dz_cluster *c)
{
    void (*done)(void *ctx) = c->done;
    if (!done)
        return;
    c->done = NULL;
    dz_nodes_settle_self(&c->rt->nodes);
    if (dz_cluster_status(c) == DZ_CLUSTER_STARTING)
        set_status(c, DZ_CLUSTER_RUNNING);
    done(c->done_ctx);
}

static void count_nodes(struct dz_cluster *c)
{
    uint32_t reachable, known;
    dz_membership_count(&c->membership, dz_cluster_now(c), &reachable, &known);
    atomic_store_explicit(&c->reachable, reachable, memory_order_relaxed);
    atomic_store_explicit(&c->known, known, memory_order_relaxed);
}

void dz_cluster_perform(struct dz_cluster *c)
{
    const struct dz_membership_action *a;
    if (c->performing || !c->transport)
        return;
    c->performing = true;
    while ((a = dz_membership_next_action(&c->membership)) != NULL)
        perform_one(c, a);
    c->performing = false;
    count_nodes(c);
    if (c->done && dz_membership_is_settled(&c->membership))
        call_done(c);
    if (c->transport)
        schedule(c);
}

/* --- time --- */

static void hear(struct dz_cluster *c)
{
    dz_list_each (&c->sessions, it) {
        uint64_t peer = dz_list_entry(it, struct dz_session_state, all)->peer;
        uint64_t at_ns = c->transport->ops->last_heard(c->transport, peer);
        if (at_ns)
            dz_membership_heard(&c->membership, peer, at_ns / 1000000u);
    }
}

static void tick_membership(struct dz_cluster *c, uint64_t late_ms)
{
    uint64_t now_ms = dz_cluster_now(c);
    uint64_t overrun = dz_routes_take_overrun(&c->routes);
    if (overrun)
        dz_membership_broken(&c->membership, overrun, "overloaded", now_ms);
    if (late_ms >= STALL_MS)
        dz_membership_stalled(&c->membership, late_ms, now_ms);
    hear(c);
    if (dz_membership_would_judge(&c->membership, now_ms)) {
        c->transport->ops->drain(c->transport);
        hear(c);
    }
    dz_cluster_perform(c);
    dz_membership_tick(&c->membership, now_ms);
    dz_cluster_perform(c);
}

/* --- writing what threads have gathered --- */

static void plan_flush(struct dz_thread *t, void *arg)
{
    struct dz_cluster *c = arg;
    (void)t;
    c->flush_ms = dz_cluster_now(c) + FLUSH_MS;
    schedule(c);
}

int dz_cluster_gather(struct dz_cluster *c, struct dz_thread *from, uint64_t peer, uint64_t key,
                      const struct dz_buf *message, unsigned flags)
{
    bool late;
    int err = dz_routes_gather(&c->routes, from, peer, key, message->data, message->len, flags, &late);
    /* acq_rel: pairs with the exchange in flush_due. Found set, it is cleared later, and what was queued is written after that. */
    if (!late || from->index == DZ_THREAD_SYSTEM ||
        atomic_exchange_explicit(&c->flush_asked, true, memory_order_acq_rel))
        return err;
    if (dz_thread_post(from, DZ_THREAD_SYSTEM, plan_flush, c)) { /* no memory to ask */
        atomic_store_explicit(&c->flush_asked, false, memory_order_release);
        dz_routes_flush(&c->routes, from);
    }
    return err;
}

static void flush_due(struct dz_cluster *c, uint64_t now_ms)
{
    if (now_ms < c->flush_ms)
        return;
    c->flush_ms = DZ_INFINITY;
    atomic_exchange_explicit(&c->flush_asked, false, memory_order_acq_rel);
    dz_routes_flush_all(&c->routes);
}

static void tick(struct dz_cluster *c)
{
    uint64_t now_ms = dz_cluster_now(c);
    uint64_t late_ms = now_ms > c->tick_ms ? now_ms - c->tick_ms : 0;
    if (c->transport)
        tick_membership(c, late_ms);
    dz_globals_tick(&c->globals, now_ms);
    dz_remote_tick(&c->remote, now_ms);
    dz_sessions_tick(c, now_ms);
    flush_due(c, now_ms);
    if (c->done && now_ms >= c->settle_ms)
        call_done(c);
    schedule(c);
    if (c->tick_ms < now_ms + OVERDUE_MS && c->transport && dz_membership_next(&c->membership) <= now_ms)
        dz_cluster_arm(c, now_ms + OVERDUE_MS);
}

static void fire(struct dz_thread *t, struct dz_timer *timer)
{
    struct dz_cluster *c = dz_container_of(timer, struct dz_cluster, timer);
    dz_assert(t == c->system);
    tick(c);
}

static void reschedule(struct dz_thread *t, void *arg)
{
    (void)t;
    schedule(arg);
}

void dz_cluster_wake(struct dz_cluster *c, struct dz_thread *from)
{
    if (from->index == DZ_THREAD_SYSTEM)
        schedule(c);
    else
        (void)dz_thread_post(from, DZ_THREAD_SYSTEM, reschedule, c);
}

/* --- start and stop --- */

static int seed_all(struct dz_cluster *c, const struct dz_cluster_config *config, uint64_t now_ms)
{
    int err = 0;
    for (size_t i = 0; !err && i < config->seed_count; i++)
        err = dz_membership_seed(&c->membership, config->seeds[i], now_ms);
    return err;
}

static int prepare(struct dz_cluster *c, const struct dz_cluster_config *config, uint64_t now_ms)
{
    struct dz_detector_settings settings = dz_cluster_settings_of(config);
    int err = dz_membership_init(&c->membership, config->node_id, &settings, config->authority, now_ms);
    err = err ? err : seed_all(c, config, now_ms);
    err = err ? err : dz_nodes_name_self(&c->rt->nodes, config->node_id, config->incarnation);
    if (err) {
        dz_membership_fini(&c->membership);
        return err;
    }
    return dz_view_set_self(&c->view, config->attributes, config->attributes_len);
}

int dz_cluster_start(struct dz_cluster *c, struct dz_transport *transport,
                     const struct dz_cluster_config *config, void (*done)(void *ctx), void *ctx)
{
    uint64_t now_ms = dz_cluster_now(c);
    if (dz_cluster_status(c) != DZ_CLUSTER_STOPPED)
        return DZ_ESTARTED;
    int err = dz_cluster_config_check(config, NULL);
    err = err ? err : prepare(c, config, now_ms);
    if (err)
        return err;
    c->transport = transport;
    c->incarnation = config->incarnation;
    /* release: pairs with the acquire in dz_cluster_may_place. */
    atomic_store_explicit(&c->authority, config->authority, memory_order_release);
    c->strict_versions = config->strict_versions;
    c->done = done;
    c->done_ctx = ctx;
    c->settle_ms =
        now_ms + (config->first_exchange_ms ? config->first_exchange_ms : DZ_CLUSTER_FIRST_EXCHANGE_MS);
    dz_routes_attach(&c->routes, transport);
    set_status(c, DZ_CLUSTER_STARTING);
    dz_cluster_perform(c);
    return 0;
}

static void transport_stopped(void *ctx)
{
    struct dz_cluster *c = ctx;
    void (*stopped)(void *ctx) = c->stopped;
    dz_nodes_unname_self(&c->rt->nodes);
    (void)dz_view_set_self(&c->view, NULL, 0);
    set_status(c, DZ_CLUSTER_STOPPED);
    if (stopped)
        stopped(c->stopped_ctx);
}

void dz_cluster_stop(struct dz_cluster *c, void (*stopped)(void *ctx), void *ctx)
{
    struct dz_transport *transport = c->transport;
    if (!transport) {
        if (stopped)
            stopped(ctx);
        return;
    }
    set_status(c, DZ_CLUSTER_STOPPING);
    call_done(c);
    c->stopped = stopped;
    c->stopped_ctx = ctx;
    dz_membership_leave(&c->membership, dz_cluster_now(c));
    dz_cluster_perform(c);
    c->transport = NULL;
    dz_routes_attach(&c->routes, NULL);
    dz_membership_fini(&c->membership);
    (void)dz_view_rebuild(&c->view, NULL);
    atomic_store_explicit(&c->authority, NULL, memory_order_release);
    schedule(c);
    transport->ops->stop(transport, transport_stopped, c);
}

/* --- nodes --- */

static void count_refused(struct dz_cluster *c)
{
    if (c->transport)
        dz_view_set_refused(&c->view, c->transport->ops->turned_away(c->transport));
}

void dz_cluster_nodes(struct dz_cluster *c, struct dz_build *b)
{
    count_refused(c);
    dz_view_build(&c->view, b);
}

void dz_cluster_node(struct dz_cluster *c, struct dz_build *b, const char *id, size_t len)
{
    const char *self = dz_nodes_self_id(&c->rt->nodes);
    if (strlen(self) == len && memcmp(self, id, len) == 0) {
        count_refused(c);
        dz_view_build_self(&c->view, b);
        return;
    }
    if (c->transport)
        hear(c);
    struct dz_node *n = c->transport ? dz_membership_find(&c->membership, id, len) : NULL;
    if (n && !n->gone)
        dz_node_build(n, b, dz_cluster_now(c), dz_env_wall_ms(c->rt->env));
    else
        dz_build_nil(b);
}

size_t dz_cluster_candidates(struct dz_cluster *c, struct dz_candidate *out, size_t cap)
{
    return dz_view_candidates(&c->view, out, cap);
}

void dz_cluster_candidate_records(struct dz_cluster *c, struct dz_build *b)
{
    dz_view_build(&c->view, b);
}

void dz_cluster_count_placed(struct dz_cluster *c, uint32_t node)
{
    dz_view_count_placed(&c->view, node);
}

/* --- names --- */

struct dz_pid dz_cluster_global_whereis(void *cluster, const char *name, size_t len)
{
    struct dz_cluster *c = cluster;
    return dz_globals_whereis(&c->globals, name, len);
}

void dz_cluster_global_end(void *cluster, struct dz_thread *t, struct dz_pid pid)
{
    struct dz_cluster *c = cluster;
    (void)t;
    dz_globals_end(&c->globals, pid);
}

/* Of this host, or of an earlier life of its node. */
static bool has_ended(const struct dz_cluster *c, struct dz_pid pid)
{
    const struct dz_nodes *n = &c->rt->nodes;
    if (dz_nodes_is_self(n, pid.node))
        return !dz_table_find(&c->rt->table, pid);
    return strcmp(dz_nodes_get(n, pid.node)->id, dz_nodes_self_id(n)) == 0;
}

void dz_cluster_global_register(struct dz_cluster *c, const char *name, size_t len, struct dz_pid pid,
                                struct dz_pid from, uint64_t ref)
{
    char path[DZ_PLACEMENT_PATH_MAX], epoch[DZ_PLACEMENT_DEPTH_MAX * 8];
    struct dz_place_key key;
    bool placed = dz_places_of(c, pid, &key, path, epoch);
    if (has_ended(c, pid)) {
        dz_send_error(c->system, c->rt->system, from, ref, DZ_ENOPROC, NULL);
        return;
    }
    dz_globals_register(&c->globals, name, len, pid, placed ? &key : NULL, from, ref, dz_cluster_now(c));
    schedule(c);
}

bool dz_cluster_global_unregister(struct dz_cluster *c, const char *name, size_t len)
{
    return dz_globals_unregister(&c->globals, name, len);
}

void dz_cluster_global_names(struct dz_cluster *c, struct dz_build *b)
{
    dz_globals_build(&c->globals, b);
}

/* --- figures --- */

static uint64_t figure(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)counter, memory_order_relaxed);
}

void dz_cluster_stats(struct dz_cluster *c, struct dz_cluster_stats *out)
{
    *out = (struct dz_cluster_stats){
        .messages_in = figure(&c->messages_in),
        .messages_out = figure(&c->routes.sent),
        .malformed = figure(&c->malformed),
        .bounced = figure(&c->bounced),
        .superseded = figure(&c->superseded),
        .late_spawns = figure(&c->late_spawns),
    };
}
