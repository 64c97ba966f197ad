/* places.c - the table of placements as threads may use it, and the port functions on it.
 * Owns:    nothing; dz_cluster.placement under dz_cluster.placement_lock.
 * Threads: any.
 * Fails:   as placement.h. */
#include <string.h>
#include "base/alloc.h"
#include "base/err.h"
#include "cluster/state.h"

struct olds {
    struct dz_pid *pids;
    uint32_t count;
    uint32_t cap;
};

static void collect(void *ctx, struct dz_pid pid)
{
    struct olds *o = ctx;
    if (o->count == o->cap) {
        uint32_t cap = o->cap ? o->cap * 2 : 8;
        struct dz_pid *pids = dz_realloc(o->pids, cap * sizeof *pids);
        if (!pids)
            return;
        o->pids = pids;
        o->cap = cap;
    }
    o->pids[o->count++] = pid;
}

int dz_places_may(struct dz_cluster *c, const struct dz_place_key *key)
{
    pthread_mutex_lock(&c->placement_lock);
    int err = dz_placement_may(&c->placement, key);
    pthread_mutex_unlock(&c->placement_lock);
    return err;
}

uint32_t dz_places_supersede(struct dz_cluster *c, const struct dz_place_key *key, bool lose_ties)
{
    struct olds o = {0};
    pthread_mutex_lock(&c->placement_lock);
    dz_placement_heard(&c->placement, key);
    uint32_t count = dz_placement_older(&c->placement, key, lose_ties, collect, &o);
    pthread_mutex_unlock(&c->placement_lock);
    for (uint32_t i = 0; i < o.count; i++) {
        dz_cluster_count_one(&c->superseded);
        dz_remote_stop(&c->remote, o.pids[i], DZ_REASON_SUPERSEDED);
    }
    dz_free(o.pids);
    return count;
}

void dz_places_heard(struct dz_cluster *c, const struct dz_place_key *key)
{
    pthread_mutex_lock(&c->placement_lock);
    dz_placement_heard(&c->placement, key);
    pthread_mutex_unlock(&c->placement_lock);
}

bool dz_places_wait(struct dz_cluster *c, const struct dz_place_key *key)
{
    pthread_mutex_lock(&c->placement_lock);
    uint32_t count = dz_placement_older(&c->placement, key, false, NULL, NULL);
    pthread_mutex_unlock(&c->placement_lock);
    return count > 0;
}

int dz_places_add(struct dz_cluster *c, const struct dz_place_key *key, struct dz_pid pid, uint32_t by)
{
    pthread_mutex_lock(&c->placement_lock);
    int err = dz_placement_add(&c->placement, key, pid, by);
    pthread_mutex_unlock(&c->placement_lock);
    return err;
}

bool dz_places_of(struct dz_cluster *c, struct dz_pid pid, struct dz_place_key *key, char *path, char *epoch)
{
    pthread_mutex_lock(&c->placement_lock);
    bool found = dz_placement_of(&c->placement, pid, key);
    if (found) {
        memcpy(path, key->path, key->path_len);
        memcpy(epoch, key->epoch, key->epoch_len);
        key->path = path;
        key->epoch = epoch;
    }
    pthread_mutex_unlock(&c->placement_lock);
    return found;
}

/* FNV-1a of the node id, folded. Should two ids share it, equal epochs are decided by node id (exchange.c, globals.c). */
static uint32_t remainder_of(const char *node_id)
{
    uint32_t h = 2166136261u;
    for (const char *s = node_id; *s; s++)
        h = (h ^ (uint8_t)*s) * 16777619u;
    return (h ^ h >> 16) % DZ_PLACEMENT_NODES;
}

uint64_t dz_cluster_root_epoch(struct dz_cluster *c, const char *path, size_t len)
{
    uint32_t node = remainder_of(dz_nodes_self_id(&c->rt->nodes));
    pthread_mutex_lock(&c->placement_lock);
    uint64_t number = dz_placement_next_root(&c->placement, path, len, node);
    pthread_mutex_unlock(&c->placement_lock);
    return number;
}

static bool is_placed(struct dz_cluster *c, struct dz_pid pid)
{
    struct dz_place_key key;
    pthread_mutex_lock(&c->placement_lock);
    bool found = dz_placement_of(&c->placement, pid, &key);
    pthread_mutex_unlock(&c->placement_lock);
    return found;
}

static void set_tentative(struct dz_cluster *c, struct dz_pid pid, bool tentative)
{
    pthread_mutex_lock(&c->placement_lock);
    dz_placement_set_tentative(&c->placement, pid, tentative);
    pthread_mutex_unlock(&c->placement_lock);
}

void dz_places_settle(struct dz_cluster *c, struct dz_pid pid)
{
    set_tentative(c, pid, false);
}

/* An unnamed one's id holds the '@' of its node's. */
static bool is_named_root(const struct dz_place_key *key)
{
    return !memchr(key->path, '/', key->path_len) && !memchr(key->path, '@', key->path_len);
}

int dz_cluster_placed(struct dz_cluster *c, const char *path, size_t path_len, const char *epoch,
                      size_t epoch_len, struct dz_pid pid)
{
    struct dz_place_key key = {path, path_len, epoch, epoch_len};
    int err = dz_placement_check_key(&key);
    err = err ? err : dz_places_may(c, &key);
    bool again = !err && is_placed(c, pid);
    err = err ? err : dz_places_add(c, &key, pid, 0);
    if (!err && !again && is_named_root(&key))
        set_tentative(c, pid, true);
    return err;
}

bool dz_cluster_place_waits(struct dz_cluster *c, const char *path, size_t path_len, const char *epoch,
                            size_t epoch_len)
{
    struct dz_place_key key = {path, path_len, epoch, epoch_len};
    return dz_placement_check_key(&key) == 0 && dz_places_wait(c, &key);
}

bool dz_cluster_may_place(struct dz_cluster *c, const char *path, size_t len)
{
    const struct dz_placement_authority *a = atomic_load_explicit(&c->authority, memory_order_acquire);
    if (!a || !a->may_place)
        return true;
    return a->may_place(a->ctx, path, len, atomic_load_explicit(&c->reachable, memory_order_relaxed),
                        atomic_load_explicit(&c->known, memory_order_relaxed));
}
