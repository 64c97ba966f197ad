/* globals.h - cluster-wide names: a table replicated on every node, and the asking that precedes an entry.
 * Owns:    the entries, the registrations under way.
 * Threads: whereis, end and forget any (one lock around the table); everything else the system thread.
 * Fails:   a registration is always answered; without memory it is DZ_ENOMEM.
 *
 *     register -> ASK to every connected node -> ANSWERs -> entry here, SET to them -> SEEN from all -> reply
 *
 * so that who got the reply can rely on every connected node knowing the name; both waits together last
 * REGISTER_MS at most. Two who ask at once: the lower node id wins. Claims that meet after a partition: of one
 * path the newer epoch wins, else the higher number, then the lower node id; numbers only ever count up from
 * the highest heard of.
 *
 * Every node keeps every claim it was told of until its owner's node frees it (FREE), or is lost; which of the
 * claims on a name is the winner follows from the set alone, so that nodes which know the same claims agree,
 * in whatever order they came. A node that sees a claim of its own lose frees it everywhere. */
#ifndef DZ_CLUSTER_GLOBALS_H
#define DZ_CLUSTER_GLOBALS_H

#include <pthread.h>
#include "base/list.h"
#include "base/map.h"
#include "cluster/placement.h"
#include "cluster/routes.h"
#include "proc/rt.h"

#define DZ_GLOBALS_REGISTER_MS 1000u

/* A claim. */
struct dz_global {
    struct dz_global *next;  /* of the same process */
    struct dz_global *rival; /* on the same name; the first one is the winner */
    struct dz_pid pid;
    uint64_t number;
    char *name;
    char *path; /* of the process's placement, or NULL */
    char *epoch;
    uint32_t name_len;
    uint32_t path_len;
    uint32_t epoch_len;
};

/* What becomes of claims, on the system thread. */
struct dz_globals_events {
    void *ctx;
    /* Another node told of a claim with this placement. */
    void (*heard)(void *ctx, const struct dz_place_key *place);
    /* A process of this host has the name it asked for. */
    void (*entered)(void *ctx, struct dz_pid pid);
};

struct dz_globals {
    struct dz_rt *rt;
    struct dz_thread *system;
    struct dz_routes *routes;
    pthread_mutex_t lock; /* of names, by_pid; SET and FREE leave under it: in the order of the changes */
    struct dz_smap names; /* the winner of each, struct dz_global */
    struct dz_map by_pid; /* mixed pid -> the first of its names */
    _Atomic uint32_t count;
    uint64_t number; /* the highest heard of */
    uint64_t next_ask;
    struct dz_list asks;
    struct dz_globals_events events;
};

void dz_globals_init(struct dz_globals *g, struct dz_rt *rt, struct dz_thread *system,
                     struct dz_routes *routes, const struct dz_globals_events *events);
void dz_globals_fini(struct dz_globals *g);

struct dz_pid dz_globals_whereis(struct dz_globals *g, const char *name, size_t len);
/* A process of this host ends: its names are free, here and (by what is sent now) elsewhere. */
void dz_globals_end(struct dz_globals *g, struct dz_pid pid);
/* A process of another node has ended, as one of its signals says: its names are free before the signal is
 * seen. */
void dz_globals_forget(struct dz_globals *g, struct dz_pid pid);

/* `place` (may be NULL) is the placement of the process, to whose path the name belongs. */
void dz_globals_register(struct dz_globals *g, const char *name, size_t len, struct dz_pid pid,
                         const struct dz_place_key *place, struct dz_pid from, uint64_t ref, uint64_t now_ms);
bool dz_globals_unregister(struct dz_globals *g, const char *name, size_t len);
void dz_globals_build(struct dz_globals *g, struct dz_build *b);

/* The frames of a peer, behind their first byte; checked terms. DZ_EFORMAT. */
int dz_globals_asked(struct dz_globals *g, uint64_t peer, const uint8_t *data, size_t len);
int dz_globals_answered(struct dz_globals *g, uint64_t peer, const uint8_t *data, size_t len);
int dz_globals_set(struct dz_globals *g, uint64_t peer, const uint8_t *data, size_t len);
int dz_globals_seen(struct dz_globals *g, uint64_t peer, const uint8_t *data, size_t len);
int dz_globals_freed(struct dz_globals *g, const uint8_t *data, size_t len);

/* Between the two nothing changes, and nobody tells other nodes of a change. */
void dz_globals_hold(struct dz_globals *g);
void dz_globals_release(struct dz_globals *g);
/* The claims of this host's own processes, each as one term for dz_globals_merge: [name, pid, number, path,
 * epoch]; the table is held. *it starts at 0; appends up to `max` of them and gives how many. */
uint32_t dz_globals_export(struct dz_globals *g, uint32_t *it, uint32_t max, struct dz_build *b);
/* One such term of a node that was met (again). DZ_EFORMAT. */
int dz_globals_merge(struct dz_globals *g, struct dz_read *r);

/* The node is lost: what its processes had is free, and nobody waits for its answers. */
void dz_globals_node_lost(struct dz_globals *g, uint32_t index, uint64_t peer);
void dz_globals_tick(struct dz_globals *g, uint64_t now_ms);
/* When dz_globals_tick is due; DZ_INFINITY. */
uint64_t dz_globals_next(const struct dz_globals *g);
/* The host goes: registrations under way are forgotten unanswered. */
void dz_globals_abandon(struct dz_globals *g);

#endif
