#include "sim_ports.h"

#include "base/assert.h"
#include "base/err.h"
#include "proc/send.h"
#include "sim_kid.h"
#include "sim_spec.h"

static struct sim_life *life_of(void *ctx)
{
    return ctx;
}

/* --- rt --- */

static int wire(void *ctx, struct dz_thread *from, struct dz_msg **take)
{
    return dz_cluster_wire(life_of(ctx)->cluster, from, take);
}

static bool reachable(void *ctx, uint32_t node)
{
    return dz_cluster_reachable(life_of(ctx)->cluster, node);
}

static int wire_named(void *ctx, struct dz_thread *from, const char *node_id, size_t node_len, const char *name,
                      size_t name_len, struct dz_msg **take)
{
    return dz_cluster_wire_named(life_of(ctx)->cluster, from, node_id, node_len, name, name_len, take);
}

static int spawn_far(void *ctx, struct dz_thread *from, const char *node_id, size_t node_len, struct dz_msg **take,
                     struct dz_pid *cancel)
{
    return dz_cluster_spawn_far(life_of(ctx)->cluster, from, node_id, node_len, take, cancel);
}

static struct dz_pid global_whereis(void *ctx, const char *name, size_t len)
{
    return dz_cluster_global_whereis(life_of(ctx)->cluster, name, len);
}

static void global_end(void *ctx, struct dz_thread *t, struct dz_pid pid)
{
    dz_cluster_global_end(life_of(ctx)->cluster, t, pid);
}

static int note_placement(struct sim_life *l, const struct dz_spawn *s, struct dz_pid pid)
{
    if (!s->path.s || !s->epoch.s)
        return DZ_OK;
    return dz_cluster_placed(l->cluster, s->path.s, s->path.len, s->epoch.s, s->epoch.len, pid);
}

static void spawn(void *ctx, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *msg)
{
    struct sim_life *l = ctx;
    struct dz_spawn s;
    int err = dz_spawn_unpack(&t->rt->nodes, msg, &s);
    if (!err && s.what == DZ_SPAWN_SUPERVISOR) {
        dz_driver_spawn(&l->driver, t, slot, msg);
        return;
    }
    if (!err)
        err = s.what == DZ_SPAWN_BEHAVIOR ? note_placement(l, &s, msg->to) : DZ_ENOBEHAVIOR;
    if (err)
        dz_process_refuse_with(t, slot, msg, err, NULL);
    else
        sim_kid_spawn(l, t, slot, msg, &s);
}

static void thread_message(void *ctx, struct dz_thread *t, struct dz_msg *msg)
{
    (void)t;
    sim_fail(life_of(ctx)->sim, "a message to a thread that it does not know");
    dz_msg_free(msg);
}

static void overflow(void *ctx, struct dz_thread *t, struct dz_pid pid)
{
    struct sim_life *l = ctx;
    struct dz_slot *slot = dz_table_find(&l->rt.table, pid);
    (void)t;
    if (!slot || atomic_load(&slot->limit) / DZ_LOAD_MESSAGE > SIM_SMALL_MAILBOX)
        sim_fail(l->sim, "a mailbox overflows");
    l->sim->check.overflows++;
}

void sim_ports_fill_rt(struct sim_life *l)
{
    struct dz_ports *p = &l->rt.ports;
    p->ctx = l;
    p->wire = wire;
    p->wire_named = wire_named;
    p->reachable = reachable;
    p->spawn_far = spawn_far;
    p->global_whereis = global_whereis;
    p->global_end = global_end;
    p->spawn = spawn;
    p->thread_message = thread_message;
    p->overflow = overflow;
}

/* --- what the cluster tells --- */

static uint32_t thread_count(void *ctx)
{
    (void)ctx;
    return SIM_THREADS;
}

static void node_up(void *ctx, uint32_t node, const char *id, const char *reason)
{
    struct sim_life *l = ctx;
    if (l->ending)
        return;
    sim_note(l->sim, "h%d sees %s up (%s)", l->index, id, reason);
    if (dz_map_get(&l->up, node))
        sim_fail(l->sim, "h%d sees %s up (%s), and it was", l->index, id, reason);
    int err = dz_map_put(&l->up, node, l);
    dz_assert(!err);
}

static void node_down(void *ctx, uint32_t node, const char *id, const char *reason)
{
    struct sim_life *l = ctx;
    if (l->ending)
        return;
    sim_note(l->sim, "h%d sees %s down (%s)", l->index, id, reason);
    if (!dz_map_remove(&l->up, node))
        sim_fail(l->sim, "h%d sees %s down (%s), and it was not up", l->index, id, reason);
}

void sim_ports_fill_cluster(struct sim_life *l, struct dz_cluster_callbacks *callbacks)
{
    *callbacks = (struct dz_cluster_callbacks){
        .ctx = l, .thread_count = thread_count, .node_up = node_up, .node_down = node_down};
}
