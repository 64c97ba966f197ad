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

static void refuse(struct dz_thread *t, struct dz_slot *slot, struct dz_msg *msg, int err)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_error_build(&b, err, NULL);
    dz_process_refuse(t, slot, msg, buf.data, buf.len);
    dz_buf_fini(&buf);
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
        refuse(t, slot, msg, err);
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

/* --- what supervisors need --- */

static size_t candidates(void *ctx, struct dz_candidate *out, size_t cap)
{
    struct dz_cluster_candidate found[DZ_SIM_HOSTS_MAX];
    size_t count = dz_cluster_candidates(life_of(ctx)->cluster, found, DZ_SIM_HOSTS_MAX);
    for (size_t i = 0; i < count && i < cap; i++)
        out[i] = (struct dz_candidate){
            .node = found[i].node,
            .id = found[i].id,
            .local = found[i].local,
            .connected = found[i].connected,
            .draining = found[i].draining,
            .process_count = found[i].process_count,
            .placed_since = found[i].placed_since,
        };
    return count;
}

static void candidate_records(void *ctx, struct dz_build *b)
{
    dz_cluster_candidate_records(life_of(ctx)->cluster, b);
}

static void count_placed(void *ctx, uint32_t node)
{
    dz_cluster_count_placed(life_of(ctx)->cluster, node);
}

static uint32_t spread(void *ctx)
{
    struct sim_life *l = ctx;
    struct dz_thread t;
    dz_thread_init(&t, &l->rt, DZ_THREAD_FOREIGN);
    return l->rt.ports.choose_thread(l, &t);
}

static uint64_t root_epoch(void *ctx, const char *path, size_t len)
{
    return dz_cluster_root_epoch(life_of(ctx)->cluster, path, len);
}

static int placed(void *ctx, const char *path, size_t path_len, const char *epoch, size_t epoch_len, struct dz_pid pid)
{
    return dz_cluster_placed(life_of(ctx)->cluster, path, path_len, epoch, epoch_len, pid);
}

static bool place_waits(void *ctx, const char *path, size_t path_len, const char *epoch, size_t epoch_len)
{
    return dz_cluster_place_waits(life_of(ctx)->cluster, path, path_len, epoch, epoch_len);
}

static bool may_place(void *ctx, const char *path, size_t len)
{
    return dz_cluster_may_place(life_of(ctx)->cluster, path, len);
}

void sim_ports_fill_place(struct sim_life *l, struct dz_place_ports *ports)
{
    *ports = (struct dz_place_ports){
        .ctx = l,
        .candidates = candidates,
        .candidate_records = candidate_records,
        .count_placed = count_placed,
        .spread = spread,
        .root_epoch = root_epoch,
        .placed = placed,
        .place_waits = place_waits,
        .may_place = may_place,
    };
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
