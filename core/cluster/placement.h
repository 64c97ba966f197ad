/* placement.h - which copy of which child lives on this node, and which of two copies is the newer one.
 * Owns:    a tree of paths; at each path the copies placed here, with their epochs.
 * Threads: one at a time (the cluster holds a lock around it); pure: whether a process lives is asked of the
 *          owner.
 * Fails:   DZ_ENOMEM, DZ_EFORMAT (a path or an epoch from another node that is none), DZ_ESUPERSEDED.
 *
 * A path is "root/child/child". An epoch is its numbers, root first, 8 bytes big-endian each; two epochs
 * compare number by number as far as both reach, so a copy compares with the placement of its supervisor as
 * well. A newer epoch for a path makes every older copy of that path, and below it, superseded.
 *
 * An *orphan*, whose supervisor was lost with its node, is about to end. It counts as older than anything,
 * whatever its epoch: the next life of its supervisor may never have heard of that. */
#ifndef DZ_CLUSTER_PLACEMENT_H
#define DZ_CLUSTER_PLACEMENT_H

#include "base/list.h"
#include "base/map.h"
#include "proc/pid.h"

#define DZ_PLACEMENT_PATH_MAX  4096u
#define DZ_PLACEMENT_DEPTH_MAX 64u
/* Dead copies are looked for when the table has doubled, from this size on. */
#define DZ_PLACEMENT_SWEEP_MIN 1024u

struct dz_placement {
    struct dz_smap by_path; /* struct dz_place */
    struct dz_map by_pid;   /* slot and gen -> struct copy */
    uint32_t copies;
    uint32_t sweep_at;
    bool (*alive)(void *ctx, struct dz_pid pid);
    bool (*lost)(void *ctx, uint32_t node);
    void *ctx;
};

struct dz_place_key {
    const char *path;
    size_t path_len;
    const char *epoch;
    size_t epoch_len;
};

/* `lost`: there is no session with that life of a node. */
void dz_placement_init(struct dz_placement *p, bool (*alive)(void *ctx, struct dz_pid pid),
                       bool (*lost)(void *ctx, uint32_t node), void *ctx);
void dz_placement_fini(struct dz_placement *p);

/* 0 when path and epoch are well-formed: no empty part, as many numbers as parts. */
int dz_placement_check_key(const struct dz_place_key *key);
/* Negative, 0, positive: over the numbers both have. */
int dz_epoch_compare(const char *a, size_t a_len, const char *b, size_t b_len);

/* May this be placed here, as far as this node knows? DZ_ESUPERSEDED: a newer copy of it, or of what it is
 * below, lives here. */
int dz_placement_may(struct dz_placement *p, const struct dz_place_key *key);
/* Calls visit for every living copy of the path and below it that this key makes old. With `lose_ties`, equal
 * epochs of the very path count as older. Returns how many there were. */
uint32_t dz_placement_older(struct dz_placement *p, const struct dz_place_key *key, bool lose_ties,
                            void (*visit)(void *ctx, struct dz_pid pid), void *ctx);
/* The copy lives here from now on; its supervisor runs on node `by` (0: this one). Noting it again is no
 * error. */
int dz_placement_add(struct dz_placement *p, const struct dz_place_key *key, struct dz_pid pid, uint32_t by);
/* A root that still asks for its name: until it has it, it makes nothing old and is not told of. */
void dz_placement_set_tentative(struct dz_placement *p, struct dz_pid pid, bool tentative);
/* The placement of a process: false when it has none. *key points into the table. */
bool dz_placement_of(struct dz_placement *p, struct dz_pid pid, struct dz_place_key *key);
/* The first number heard for this root: it counts for dz_placement_next_root. */
void dz_placement_heard(struct dz_placement *p, const struct dz_place_key *key);
/* The next first number: the least above the highest heard of that leaves the remainder `node` (of DZ_PLACEMENT_NODES; the
 * node's own, so that two sides that cannot hear of each other do not give out the same one). Heard of from now on. */
#define DZ_PLACEMENT_NODES 65536u
uint64_t dz_placement_next_root(struct dz_placement *p, const char *path, size_t len, uint32_t node);
/* Every living copy that is no orphan. visit may not change the table. */
void dz_placement_each(struct dz_placement *p,
                       void (*visit)(void *ctx, const struct dz_place_key *key, struct dz_pid pid),
                       void *ctx);

#endif
