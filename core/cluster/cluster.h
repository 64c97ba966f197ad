/* cluster.h - one host's membership in a cluster: what the host composes, and the ports the processes use.
 * Owns:    the records of nodes, the routes to them, the replicated names, the table of placements, the
 *          spawns under way. Not the transport: the host makes it, starts it and deletes it.
 * Threads: each function says; "system" is the host's system thread, on which every transport event arrives
 *          too.
 * Fails:   as each function says. A host that never starts a cluster needs one all the same: names and
 *          placements are kept here, and with nobody connected they are local.
 * Flow:    dz_cluster_new -> (host: transport with dz_cluster_events(), opened, started with node id and
 *          dz_cluster_incarnation()) -> dz_cluster_start -> done ... dz_cluster_stop -> stopped -> (host:
 *          transport closed and deleted) -> dz_cluster_delete, or another start. */
#ifndef DZ_CLUSTER_CLUSTER_H
#define DZ_CLUSTER_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "net/transport.h"
#include "proc/rt.h"
#include "proc/spawn.h"
#include "sup/driver.h"
#include "term/build.h"

#define DZ_CLUSTER_HEARTBEAT_MS      500u
#define DZ_CLUSTER_SUSPECT_MS        1500u
#define DZ_CLUSTER_DOWN_MS           3000u
#define DZ_CLUSTER_FIRST_EXCHANGE_MS 2000u
/* A node that others reach and we do not: after so long the session ends all the same. */
#define DZ_CLUSTER_UNREACHABLE_MS 10000u
#define DZ_CLUSTER_SEEDS_MAX      256u

struct dz_cluster;

enum dz_cluster_status {
    DZ_CLUSTER_STOPPED,
    DZ_CLUSTER_STARTING,
    DZ_CLUSTER_RUNNING,
    DZ_CLUSTER_STOPPING,
};

/* What the cluster asks of the host and tells it; on the system thread but for what says otherwise. */
struct dz_cluster_callbacks {
    void *ctx;
    /* How many threads there are now; their indexes are 0 .. n-1. */
    uint32_t (*thread_count)(void *ctx);
    /* The SHA-256 of the behaviour file this node has under the name; false when it has none, or not as a
     * file. May be NULL. */
    bool (*behavior_hash)(void *ctx, const char *name, size_t len, uint8_t hash[32]);
    /* A thread for one process alone, for a behaviour of that name: its index, or an error; `own_thread` says
     * whose it is then (none: nobody's). Any thread. NULL: DZ_ESIMULATION. */
    int (*add_thread)(void *ctx, const char *name, size_t len);
    void (*own_thread)(void *ctx, uint32_t thread, struct dz_pid pid);
    /* The node can be placed on from now on / is lost; `node` is its identity index. They run after every
     * process was told. Either may be NULL, and neither may start or stop the cluster. */
    void (*node_up)(void *ctx, uint32_t node, const char *id, const char *reason);
    void (*node_down)(void *ctx, uint32_t node, const char *id, const char *reason);
};

/* Who may decide that a node is down and place its work anew. The detector suggests, this decides; a quorum
 * would be another implementation. `reachable` counts this node too; `known` those that were up when the loss
 * began. */
struct dz_placement_authority {
    void *ctx;
    bool (*may_declare_down)(void *ctx, const char *node_id, uint64_t incarnation, uint32_t reachable,
                             uint32_t known);
    bool (*may_place)(void *ctx, const char *path, size_t path_len, uint32_t reachable, uint32_t known);
};

/* Everything is copied by start. 0 takes the default. */
struct dz_cluster_config {
    const char *node_id;
    uint64_t incarnation;     /* what the transport was started with */
    const char *const *seeds; /* node ids; this node's own is passed over */
    size_t seed_count;
    uint32_t heartbeat_ms;
    uint32_t suspect_ms;
    uint32_t down_ms;
    uint32_t first_exchange_ms;
    const uint8_t *attributes; /* a map term, or NULL */
    size_t attributes_len;
    bool strict_versions;
    const struct dz_placement_authority *authority; /* NULL: whoever wants may. Outlives the cluster */
};

/* --- life: system thread (new and delete: before it runs, after it stopped) --- */

/* `system` is the system thread's own; callbacks are copied. DZ_ENOMEM. */
int dz_cluster_new(struct dz_cluster **out, struct dz_rt *rt, struct dz_thread *system,
                   const struct dz_cluster_callbacks *callbacks);
/* Precondition: stopped (or never started). */
void dz_cluster_delete(struct dz_cluster *c);

/* What the transport calls; its ctx is the cluster. */
const struct dz_transport_events *dz_cluster_events(void);
/* The incarnation to start the transport with: the wall clock, but always newer than this host's last one. */
uint64_t dz_cluster_incarnation(const struct dz_cluster *c);

/* DZ_ENODEID (node_id or a seed), DZ_ECONFIG (times that make no sense, attributes that are no map or too
 * large); *why (may be NULL) is static text. Any thread. */
int dz_cluster_config_check(const struct dz_cluster_config *config, const char **why);
/* The transport has been started in this very turn of the system thread, so that no event came yet; it is
 * used until `stopped`. `done` runs once, when every seed that answers has been met together with the nodes
 * it knew, at the latest after first_exchange_ms. DZ_ESTARTED, the errors of config_check, DZ_ENOMEM: done
 * never runs, nothing has happened. */
int dz_cluster_start(struct dz_cluster *c, struct dz_transport *transport,
                     const struct dz_cluster_config *config, void (*done)(void *ctx), void *ctx);
/* Says goodbye; every node is lost to this host's processes when this returns. `stopped` (may be NULL) runs
 * once the transport is not needed any more, also when nothing was started; a `done` still owed runs before.
 */
void dz_cluster_stop(struct dz_cluster *c, void (*stopped)(void *ctx), void *ctx);

/* Any thread. */
enum dz_cluster_status dz_cluster_status(const struct dz_cluster *c);
const char *dz_cluster_status_name(enum dz_cluster_status status);

/* --- nodes --- */

/* System thread. The list of records, this node first, then by id those that are up or suspect. */
void dz_cluster_nodes(struct dz_cluster *c, struct dz_build *b);
/* System thread. The record of a node in whatever status; nil when unknown. */
void dz_cluster_node(struct dz_cluster *c, struct dz_build *b, const char *id, size_t len);

/* Any thread. Fills up to `cap` nodes as they are known now, this host first, then by id; returns how many there are. Ids live
 * as long as the host. */
size_t dz_cluster_candidates(struct dz_cluster *c, struct dz_candidate *out, size_t cap);
/* Any thread. The records of the candidates as selector functions get them: a list in the same order. */
void dz_cluster_candidate_records(struct dz_cluster *c, struct dz_build *b);
/* Any thread. One process more was placed on that node. */
void dz_cluster_count_placed(struct dz_cluster *c, uint32_t node);
/* What the host's supervisors need of its cluster (place_ports.c). */
void dz_cluster_fill_place(struct dz_cluster *c, struct dz_place_ports *ports);

/* --- ports: any thread; `cluster` is the struct dz_cluster. Contracts: struct dz_ports in proc/rt.h --- */

int dz_cluster_wire(void *cluster, struct dz_thread *from, struct dz_msg **take);
int dz_cluster_wire_named(void *cluster, struct dz_thread *from, const char *node_id, size_t node_len,
                          const char *name, size_t name_len, struct dz_msg **take);
/* `node_id` may be this host's own: then the SPAWN waits only for older copies of its path (see
 * dz_cluster_place_waits). *cancel is good for a KILL or an ANSWERED, also after the answer: a process that
 * started too late is stopped. */
int dz_cluster_spawn_far(void *cluster, struct dz_thread *from, const char *node_id, size_t node_len,
                         struct dz_msg **take, struct dz_pid *cancel);
void dz_cluster_flush(void *cluster, struct dz_thread *t);
bool dz_cluster_reachable(void *cluster, uint32_t node);
struct dz_pid dz_cluster_global_whereis(void *cluster, const char *name, size_t len);
void dz_cluster_global_end(void *cluster, struct dz_thread *t, struct dz_pid pid);

/* --- cluster-wide names: system thread --- */

/* Answers the question (from, ref) by a REPLY: nil once every connected node knows it (at most 1 s), or
 * name_taken { name, owner }, or noproc. */
void dz_cluster_global_register(struct dz_cluster *c, const char *name, size_t len, struct dz_pid pid,
                                struct dz_pid from, uint64_t ref);
/* False when nobody had the name. */
bool dz_cluster_global_unregister(struct dz_cluster *c, const char *name, size_t len);
/* A map from name to pid. */
void dz_cluster_global_names(struct dz_cluster *c, struct dz_build *b);

/* --- placements: any thread; paths and epochs as placement.h has them --- */

/* The first number of a root supervisor's epoch: above all heard of for this path, and none that another node would give out;
 * it counts as heard from now on. */
uint64_t dz_cluster_root_epoch(struct dz_cluster *c, const char *path, size_t len);
/* A process with a path lives on this node from now on (a supervisor's driver for itself; spawns are noted by
 * the ports above and by dz_cluster_placed from the port `spawn`). The same again is no error. A root
 * that has a name makes nothing old before it has registered that. DZ_ESUPERSEDED when a newer one is known, DZ_ENOMEM. */
int dz_cluster_placed(struct dz_cluster *c, const char *path, size_t path_len, const char *epoch,
                      size_t epoch_len, struct dz_pid pid);
/* True when older copies of the path, or below it, still live here: a local start then has to go through
 * dz_cluster_spawn_far with this node's own id, which ends them first. */
bool dz_cluster_place_waits(struct dz_cluster *c, const char *path, size_t path_len, const char *epoch,
                            size_t epoch_len);
/* The authority's word on placing this path now. */
bool dz_cluster_may_place(struct dz_cluster *c, const char *path, size_t len);

/* --- figures: any thread --- */

struct dz_cluster_stats {
    uint64_t messages_in;
    uint64_t messages_out;
    uint64_t malformed;   /* frames from authenticated peers that made no sense; each ended that session */
    uint64_t bounced;     /* messages for an older life of this host, or to names nobody has */
    uint64_t superseded;  /* copies ended here because a newer one exists */
    uint64_t late_spawns; /* processes stopped because nobody wanted them any more */
};
void dz_cluster_stats(struct dz_cluster *c, struct dz_cluster_stats *out);

#endif
