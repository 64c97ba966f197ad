/* state.h - what a cluster is made of; for the files of this folder only. cluster.h is what others see.
 * Threads: each member as its own header says; what says nothing belongs to the system thread. */
#ifndef DZ_CLUSTER_STATE_H
#define DZ_CLUSTER_STATE_H

#include "cluster/cluster.h"
#include "cluster/envelope.h"
#include "cluster/globals.h"
#include "cluster/membership.h"
#include "cluster/placement.h"
#include "cluster/remote.h"
#include "cluster/routes.h"
#include "cluster/view.h"
#include "proc/timer.h"

/* One session with one life of a node, between peer_up and its loss. */
struct dz_session_state {
    struct dz_list all; /* dz_cluster.sessions */
    uint64_t peer;
    struct dz_envelope_ends ends;
    uint32_t former; /* the identity the same host had before it took a later incarnation, or 0 */
    bool open;          /* the route is open; before, what comes is held */
    struct dz_buf held; /* u32 length and bytes of each message */
};

/* The threads of this host that have not yet processed the loss of a node. */
struct dz_barrier {
    struct dz_list all; /* dz_cluster.barriers */
    struct dz_cluster *cluster;
    uint32_t index;
    uint32_t left;
    uint64_t until_ms; /* a thread that does not get to it by then is not waited for */
};

struct dz_cluster {
    struct dz_rt *rt;
    struct dz_thread *system;
    struct dz_cluster_callbacks callbacks;
    struct dz_routes routes;
    struct dz_view view;
    struct dz_globals globals;
    struct dz_remote remote;
    pthread_mutex_t placement_lock; /* of placement */
    struct dz_placement placement;
    _Atomic int status;
    /* While started: */
    struct dz_membership membership;
    struct dz_transport *transport;
    _Atomic(const struct dz_placement_authority *) authority;
    _Atomic uint32_t reachable; /* as the authority counts */
    _Atomic uint32_t known;
    struct dz_map sessions_by_peer;
    struct dz_list sessions;
    struct dz_list barriers;
    struct dz_smap told_hashes; /* "name@node" of behaviours whose difference was logged */
    uint64_t incarnation;
    uint64_t started_ms;
    uint64_t settle_ms; /* `done` is called then at the latest */
    uint64_t tick_ms;   /* when the timer is set for */
    uint64_t flush_ms;  /* what threads in long turns have sent is written then; DZ_INFINITY: nothing was asked */
    atomic_bool flush_asked;
    bool strict_versions;
    bool performing; /* inside dz_cluster_perform */
    void (*done)(void *ctx);
    void *done_ctx;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
    struct dz_timer timer;
    _Atomic uint64_t messages_in;
    _Atomic uint64_t malformed;
    _Atomic uint64_t bounced;
    _Atomic uint64_t superseded;
    _Atomic uint64_t late_spawns;
};

static inline uint64_t dz_cluster_now(const struct dz_cluster *c)
{
    return dz_env_now_ms(c->rt->env);
}
static inline void dz_cluster_count_one(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* cluster.c */
/* Takes every action membership has for us. After each of its events. */
void dz_cluster_perform(struct dz_cluster *c);
/* The timer fires then, whatever it was set for. */
void dz_cluster_arm(struct dz_cluster *c, uint64_t at_ms);
/* Something became due sooner than the timer is set for. Any thread. */
void dz_cluster_wake(struct dz_cluster *c, struct dz_thread *from);

/* Sends a message of a process, perhaps together with what follows (dz_routes_gather); within FLUSH_MS it is written whatever the
 * thread does meanwhile. Any thread. */
int dz_cluster_gather(struct dz_cluster *c, struct dz_thread *from, uint64_t peer, uint64_t key,
                      const struct dz_buf *message, unsigned flags);

/* config.c: with the defaults filled in. */
struct dz_detector_settings dz_cluster_settings_of(const struct dz_cluster_config *config);

/* sessions.c */
void dz_sessions_begin(struct dz_cluster *c, uint64_t peer, const struct dz_peer_info *info);
struct dz_session_state *dz_sessions_find(struct dz_cluster *c, uint64_t peer);
/* The session is over; `action` is membership's LOST. */
void dz_sessions_lost(struct dz_cluster *c, const struct dz_membership_action *action);
void dz_sessions_came_up(struct dz_cluster *c, const struct dz_membership_action *action);
/* One message of the transport. */
void dz_sessions_message(struct dz_cluster *c, uint64_t peer, const uint8_t *data, size_t len);
/* Barriers nobody waits for any more. */
void dz_sessions_tick(struct dz_cluster *c, uint64_t now_ms);
uint64_t dz_sessions_next(const struct dz_cluster *c);
void dz_sessions_free(struct dz_cluster *c);

/* exchange.c: what two nodes tell each other first, and about others later. */
int dz_exchange_send(struct dz_cluster *c, const struct dz_session_state *s);
int dz_exchange_take(struct dz_cluster *c, struct dz_session_state *s, const uint8_t *data, size_t len);
int dz_verdict_take(struct dz_cluster *c, const uint8_t *data, size_t len);
void dz_verdict_tell(struct dz_cluster *c, const char *id, uint64_t incarnation, uint32_t returns);
/* Messages outside the session: the list of nodes, questions about a suspect. */
void dz_gossip_send(struct dz_cluster *c, uint64_t peer);
void dz_probe_send(struct dz_cluster *c, uint64_t peer, const struct dz_node *about);
int dz_gossip_take(struct dz_cluster *c, uint64_t peer, const uint8_t *data, size_t len);

/* router.c */
/* A DZ_CLUSTER_MESSAGE frame, behind its first byte. */
int dz_router_take(struct dz_cluster *c, const struct dz_session_state *s, const uint8_t *data, size_t len);

/* places.c: the table of placements under its lock. Any thread. */
int dz_places_may(struct dz_cluster *c, const struct dz_place_key *key);
/* Ends older copies of this host (see dz_placement_older); how many there are. */
uint32_t dz_places_supersede(struct dz_cluster *c, const struct dz_place_key *key, bool lose_ties);
/* Somebody told of this placement: a root of this name starts with a higher number. */
void dz_places_heard(struct dz_cluster *c, const struct dz_place_key *key);
bool dz_places_wait(struct dz_cluster *c, const struct dz_place_key *key);
/* The placement of a process, copied into the two blocks (DZ_PLACEMENT_PATH_MAX and DZ_PLACEMENT_DEPTH_MAX *
 * 8 bytes). */
bool dz_places_of(struct dz_cluster *c, struct dz_pid pid, struct dz_place_key *key, char *path, char *epoch);
/* The process has the name it asked for. */
void dz_places_settle(struct dz_cluster *c, struct dz_pid pid);
int dz_places_add(struct dz_cluster *c, const struct dz_place_key *key, struct dz_pid pid, uint32_t by);

#endif
