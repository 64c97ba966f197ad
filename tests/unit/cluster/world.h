/* world.h - up to five hosts, each a rig (../proc/rig.h) with a cluster on it, joined by a network without
 * sockets, on one clock that only the test moves.
 * Owns:    the hosts, the network.
 * Threads: one. Whatever is left alive at the end fails the test. */
#ifndef DZ_TESTS_WORLD_H
#define DZ_TESTS_WORLD_H

#include "../proc/rig.h"
#include "cluster/cluster.h"
#include "cluster/state.h"
#include "mem_transport.h"
#include "proc/request.h"

#ifndef WORLD_HOSTS
#define WORLD_HOSTS 5
#endif
#define WORLD_STEP_MS 5

struct host {
    struct rig rig;
    struct dz_cluster *cluster;
    struct mem_net *net;
    int index;
    char id[32];
    int done;
    int stopped;
    bool has_hash;
    uint8_t hash[32];
};

struct world {
    struct mem_net net;
    struct host hosts[WORLD_HOSTS];
    int count;
};

static inline struct host *host_of_rig(void *rig)
{
    return dz_container_of(rig, struct host, rig);
}

/* --- ports and callbacks --- */

static inline int world_wire(void *ctx, struct dz_thread *from, struct dz_msg **take)
{
    return dz_cluster_wire(host_of_rig(ctx)->cluster, from, take);
}

static inline bool world_reachable(void *ctx, uint32_t node)
{
    return dz_cluster_reachable(host_of_rig(ctx)->cluster, node);
}

static inline int world_wire_named(void *ctx, struct dz_thread *from, const char *node_id, size_t node_len,
                                   const char *name, size_t name_len, struct dz_msg **take)
{
    return dz_cluster_wire_named(host_of_rig(ctx)->cluster, from, node_id, node_len, name, name_len, take);
}

static inline struct dz_pid world_whereis(void *ctx, const char *name, size_t len)
{
    return dz_cluster_global_whereis(host_of_rig(ctx)->cluster, name, len);
}

static inline void world_global_end(void *ctx, struct dz_thread *t, struct dz_pid pid)
{
    dz_cluster_global_end(host_of_rig(ctx)->cluster, t, pid);
}

static inline uint32_t world_choose(void *ctx, struct dz_thread *from)
{
    (void)ctx;
    (void)from;
    return 1;
}

static inline uint32_t world_threads(void *ctx)
{
    (void)ctx;
    return RIG_THREADS;
}

static inline void world_up(void *ctx, uint32_t node, const char *id, const char *reason)
{
    struct host *h = ctx;
    (void)node;
    rig_note(&h->rig, "up %c %s", id[0], reason);
}

static inline void world_down(void *ctx, uint32_t node, const char *id, const char *reason)
{
    struct host *h = ctx;
    (void)node;
    rig_note(&h->rig, "down %c %s", id[0], reason);
}

static inline bool world_hash(void *ctx, const char *name, size_t len, uint8_t hash[32])
{
    struct host *h = ctx;
    (void)name;
    (void)len;
    memcpy(hash, h->hash, sizeof h->hash);
    return h->has_hash;
}

/* --- making --- */

/* Each host needs a birth number of its own. */
static inline void world_rebirth(struct rig *rig, uint64_t seed)
{
    struct dz_ports ports = rig->rt.ports;
    dz_rt_fini(&rig->rt);
    rig->seed = seed;
    assert_int_equal(dz_rt_init(&rig->rt, &rig->env, NULL), 0);
    rig->rt.ports = ports;
}

static inline void host_init(struct world *w, int index)
{
    struct host *h = &w->hosts[index];
    struct dz_cluster_callbacks callbacks = {
        .ctx = h,
        .thread_count = world_threads,
        .behavior_hash = world_hash,
        .node_up = world_up,
        .node_down = world_down,
    };
    rig_init(&h->rig);
    world_rebirth(&h->rig, (uint64_t)index + 1);
    h->net = &w->net;
    h->index = index;
    h->done = h->stopped = 0;
    h->has_hash = false;
    snprintf(h->id, sizeof h->id, "%c%s@127.0.0.1:%d", 'a' + index % 26, index < 26 ? "" : "x", 4000 + index);
    struct dz_ports *p = &h->rig.rt.ports;
    p->wire = world_wire;
    p->wire_named = world_wire_named;
    p->reachable = world_reachable;
    p->global_whereis = world_whereis;
    p->global_end = world_global_end;
    p->choose_thread = world_choose;
    assert_int_equal(dz_cluster_new(&h->cluster, &h->rig.rt, &h->rig.threads[0], &callbacks), 0);
}

static inline void world_init(struct world *w, int count)
{
    memset(w, 0, sizeof *w);
    mem_net_init(&w->net);
    w->count = count;
    for (int i = 0; i < count; i++)
        host_init(w, i);
    w->net.now_ns = w->hosts[0].rig.now_ns;
}

/* --- time --- */

static inline void world_settle(struct world *w)
{
    mem_net_step(&w->net, w->hosts[0].rig.now_ns);
    do {
        for (int i = 0; i < w->count; i++)
            rig_turn(&w->hosts[i].rig);
    } while (mem_net_step(&w->net, w->hosts[0].rig.now_ns));
}

static inline void world_run(struct world *w, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += WORLD_STEP_MS) {
        for (int i = 0; i < w->count; i++)
            w->hosts[i].rig.now_ns += WORLD_STEP_MS * RIG_MS;
        world_settle(w);
    }
}

/* --- cluster start and stop --- */

static inline void world_done(void *ctx)
{
    ((struct host *)ctx)->done++;
}

static inline void world_stopped(void *ctx)
{
    ((struct host *)ctx)->stopped++;
}

static inline void host_start(struct host *h, const char *const *seeds, size_t seed_count)
{
    uint64_t incarnation = dz_cluster_incarnation(h->cluster);
    struct dz_cluster_config config = {
        .node_id = h->id,
        .incarnation = incarnation,
        .seeds = seeds,
        .seed_count = seed_count,
    };
    uint64_t birth = dz_nodes_get(&h->rig.rt.nodes, 0)->incarnation;
    struct dz_transport *t =
        mem_net_start(h->net, h->index, h->id, incarnation, birth, dz_cluster_events(), h->cluster);
    assert_int_equal(dz_cluster_start(h->cluster, t, &config, world_done, h), 0);
}

/* Host 0 first, the others with it as their only seed; then everybody knows everybody. */
static inline void world_mesh(struct world *w)
{
    const char *seeds[] = {w->hosts[0].id};
    for (int i = 0; i < w->count; i++)
        host_start(&w->hosts[i], seeds, 1);
    world_run(w, 50);
    for (int i = 0; i < w->count; i++) {
        assert_int_equal(w->hosts[i].done, 1);
        assert_int_equal(dz_cluster_candidates(w->hosts[i].cluster, NULL, 0), w->count);
        w->hosts[i].rig.len = 0;
        w->hosts[i].rig.journal[0] = 0;
    }
}

/* What was written down so far. */
static inline void world_forget(struct world *w)
{
    for (int i = 0; i < w->count; i++) {
        w->hosts[i].rig.len = 0;
        w->hosts[i].rig.journal[0] = 0;
    }
}

/* Hosts 0 and 1 lose each other. */
static inline void world_separate(struct world *w)
{
    mem_net_cut(&w->net, 0, 1, true);
    world_run(w, 4000);
}

static inline void world_meet(struct world *w)
{
    mem_net_cut(&w->net, 0, 1, false);
    world_run(w, 50);
}

#define host_expect(w, i, text) rig_expect(&(w)->hosts[i].rig, text)

static inline void host_fini(struct host *h)
{
    if (dz_cluster_status(h->cluster) != DZ_CLUSTER_STOPPED)
        dz_cluster_stop(h->cluster, world_stopped, h);
    rig_turn(&h->rig);
    struct dz_pid pid;
    for (uint32_t index = 0; dz_table_next(&h->rig.rt.table, &index, &pid);)
        dz_send_signal(&h->rig.threads[0], DZ_MSG_KILL, DZ_PID_NONE, pid, 0, NULL);
    rig_turn(&h->rig);
    dz_cluster_delete(h->cluster);
    rig_fini(&h->rig);
}

static inline void world_fini(struct world *w)
{
    for (int i = 0; i < w->count; i++)
        host_fini(&w->hosts[i]);
    mem_net_fini(&w->net);
}

/* --- processes --- */

static inline struct actor *host_actor(struct world *w, int i, char name)
{
    return rig_actor(&w->hosts[i].rig, 1, name);
}

/* A pid of one host as another one names it. */
static inline struct dz_pid world_pid(struct world *w, int from, struct dz_pid pid, int to)
{
    char text[DZ_PID_TEXT_MAX];
    struct dz_pid seen;
    size_t len = dz_pid_format(&w->hosts[from].rig.rt.nodes, pid, text);
    assert_int_equal(dz_pid_parse(&w->hosts[to].rig.rt.nodes, text, len, &seen), 0);
    return seen;
}

static inline void host_call(struct world *w, int i, struct actor *a, struct dz_pid to, int64_t n)
{
    rig_enter(a);
    actor_call(&w->hosts[i].rig.threads[1], a, to, n, 5000 * RIG_MS);
    dz_process_rest(&w->hosts[i].rig.threads[1], &a->proc);
    world_settle(w);
}

#endif
