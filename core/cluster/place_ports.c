/* place_ports.c - the ports of sup/driver.h, through which supervisors reach the cluster.
 * Owns:    nothing.
 * Threads: any.
 * Fails:   as the port says. */
#include "cluster/cluster.h"
#include "cluster/state.h"

static size_t candidates(void *ctx, struct dz_candidate *out, size_t cap)
{
    return dz_cluster_candidates(ctx, out, cap);
}

static void candidate_records(void *ctx, struct dz_build *b)
{
    dz_cluster_candidate_records(ctx, b);
}

static void count_placed(void *ctx, uint32_t node)
{
    dz_cluster_count_placed(ctx, node);
}

/* From no thread of the host, so that no worker is the parent's own. */
static uint32_t spread(void *ctx)
{
    struct dz_cluster *c = ctx;
    struct dz_thread t;
    dz_thread_init(&t, c->rt, DZ_THREAD_FOREIGN);
    return c->rt->ports.choose_thread(c->rt->ports.ctx, &t);
}

static uint64_t root_epoch(void *ctx, const char *path, size_t len)
{
    return dz_cluster_root_epoch(ctx, path, len);
}

static int placed(void *ctx, const char *path, size_t path_len, const char *epoch, size_t epoch_len, struct dz_pid pid)
{
    return dz_cluster_placed(ctx, path, path_len, epoch, epoch_len, pid);
}

static bool place_waits(void *ctx, const char *path, size_t path_len, const char *epoch, size_t epoch_len)
{
    return dz_cluster_place_waits(ctx, path, path_len, epoch, epoch_len);
}

static bool may_place(void *ctx, const char *path, size_t len)
{
    return dz_cluster_may_place(ctx, path, len);
}

static bool behavior_hash(void *ctx, const char *name, size_t len, uint8_t hash[32])
{
    const struct dz_cluster_callbacks *callbacks = &((struct dz_cluster *)ctx)->callbacks;
    return callbacks->behavior_hash && callbacks->behavior_hash(callbacks->ctx, name, len, hash);
}

void dz_cluster_fill_place(struct dz_cluster *c, struct dz_place_ports *ports)
{
    *ports = (struct dz_place_ports){
        .ctx = c,
        .candidates = candidates,
        .candidate_records = candidate_records,
        .count_placed = count_placed,
        .spread = spread,
        .root_epoch = root_epoch,
        .placed = placed,
        .place_waits = place_waits,
        .may_place = may_place,
        .behavior_hash = behavior_hash,
    };
}
