/* membership.h - which nodes there are, which of them are up, and what to do about those that are not.
 * Owns:    a record for every node known, the queue of actions not taken yet.
 * Threads: the system thread; pure: events and the time in, actions out, no I/O, no clock.
 * Fails:   dz_membership_init and _seed as they say; elsewhere a node for which there is no memory is not
 *          known.
 *
 * The owner calls one event function and then takes every action with dz_membership_next_action before the
 * next event. Pointers in an action stay good until dz_membership_tick.
 *
 *     unmet --session--> joining --first exchange, both ways open--> up <--> suspect
 *     up, suspect --lost--> down --session--> joining;   up, suspect --goodbye--> left
 *
 * node_up and node_down alternate for one node: a session that ends before its first exchange ends
 * silently. */
#ifndef DZ_CLUSTER_MEMBERSHIP_H
#define DZ_CLUSTER_MEMBERSHIP_H

#include "base/list.h"
#include "base/map.h"
#include "cluster/node.h"
#include "net/transport.h"

#define DZ_MEMBERSHIP_NODES_MAX 4096u
/* A node told of and never met is dialled for so long, a lost one for so long. Seeds for ever. */
#define DZ_MEMBERSHIP_UNMET_MS 60000u
#define DZ_MEMBERSHIP_LOST_MS  3600000u
/* A life that was lost so often within the window is not admitted for a while, doubled each time. */
#define DZ_MEMBERSHIP_FLAPS          5u
#define DZ_MEMBERSHIP_FLAP_WINDOW_MS 60000u
#define DZ_MEMBERSHIP_QUIET_MS       5000u
#define DZ_MEMBERSHIP_QUIET_MAX_MS   60000u
/* Nodes asked at once about a suspect. */
#define DZ_MEMBERSHIP_HELPERS 3u
/* Heartbeats between two tellings of the whole list, each to one peer in turn. */
#define DZ_MEMBERSHIP_GOSSIP_EVERY 20u

enum dz_membership_action_type {
    DZ_MEMBER_DIAL,   /* node */
    DZ_MEMBER_FORGET, /* node: dial it no more */
    DZ_MEMBER_UP,     /* node, reason: work may be placed there */
    DZ_MEMBER_LOST, /* node, peer, reason, close, announce, verdict: the session is over for everybody here */
    DZ_MEMBER_HEARTBEAT, /* peer */
    DZ_MEMBER_GOSSIP,    /* peer: tell it the list of nodes */
    DZ_MEMBER_PROBE,     /* peer: ask it when it last heard of node */
    DZ_MEMBER_CHANGED,   /* node, reason: its status changed, for the log and the view */
};

struct dz_membership_action {
    struct dz_list queue;
    enum dz_membership_action_type type;
    struct dz_node *node;
    uint64_t peer;
    uint64_t incarnation; /* of the node when it happened: a new life may have begun since */
    const char *reason;   /* static text */
    bool close;         /* LOST: the owner ends the session at the transport */
    bool announce;      /* LOST: there was a node_up */
    bool verdict;       /* LOST: the others are told, before anything is done because of it */
    bool given_up;      /* LOST: it had lost us before, and places anew what it had here */
};

struct dz_placement_authority;

struct dz_membership {
    struct dz_node **nodes; /* by id */
    uint32_t count;
    uint32_t cap;
    struct dz_map by_peer;
    struct dz_list actions;
    struct dz_membership_action *taken; /* the one next_action gave last */
    struct dz_detector_settings settings;
    const struct dz_placement_authority *authority;
    char *self;            /* this node's id */
    uint64_t heartbeat_ms; /* when the next one is due */
    uint32_t beats;
    uint32_t gossip_turn;
    uint32_t probe_turn;
    uint32_t returns; /* how often this host found out that others had lost it */
};

/* DZ_ENOMEM. The authority may be NULL. */
int dz_membership_init(struct dz_membership *m, const char *self, const struct dz_detector_settings *settings,
                       const struct dz_placement_authority *authority, uint64_t now_ms);
void dz_membership_fini(struct dz_membership *m);

/* The next action to perform, or NULL. */
const struct dz_membership_action *dz_membership_next_action(struct dz_membership *m);

/* --- events --- */

/* DZ_ENODEID, DZ_ENOMEM, DZ_ETOOLARGE. This node's own id is passed over. */
int dz_membership_seed(struct dz_membership *m, const char *id, uint64_t now_ms);
/* A peer knows of this node, in this incarnation. */
void dz_membership_learnt(struct dz_membership *m, const char *id, size_t len, uint64_t incarnation,
                          uint64_t now_ms);
/* May it come in? A refusal; for STALE *known is set. */
enum dz_refusal dz_membership_admit(const struct dz_membership *m, const struct dz_peer_info *info,
                                    uint64_t *known, uint64_t now_ms);
/* A new session. The node, or NULL when there is no room for it (the owner then closes the peer). */
struct dz_node *dz_membership_session(struct dz_membership *m, uint64_t peer, const struct dz_peer_info *info,
                                      uint64_t now_ms);
void dz_membership_resumed(struct dz_membership *m, uint64_t peer, uint64_t now_ms);
/* The first exchange of the session came, and messages can go both ways. */
void dz_membership_exchanged(struct dz_membership *m, uint64_t peer, uint64_t now_ms);
void dz_membership_closed(struct dz_membership *m, uint64_t peer, enum dz_peer_closed why, uint64_t now_ms);
/* The session cannot go on, for a reason of ours ("protocol", "overloaded"). */
void dz_membership_broken(struct dz_membership *m, uint64_t peer, const char *reason, uint64_t now_ms);
void dz_membership_heard(struct dz_membership *m, uint64_t peer, uint64_t at_ms);
void dz_membership_figures(struct dz_membership *m, uint64_t peer, const struct dz_peer_figures *figures);
/* Somebody asked about a node: 0 and its age, the ms since we last heard of it; DZ_ENONODE when we have no
 * session. */
int dz_membership_probed(const struct dz_membership *m, const char *id, size_t len, uint64_t incarnation,
                         uint64_t now_ms, uint64_t *age_ms);
/* Somebody heard of the node so long ago. */
void dz_membership_reached(struct dz_membership *m, const char *id, size_t len, uint64_t incarnation,
                           uint64_t age_ms, uint64_t now_ms);
/* Another node decided that this life, which had come back so often, is down. */
void dz_membership_verdict(struct dz_membership *m, const char *id, size_t len, uint64_t incarnation,
                           uint32_t returns, uint64_t now_ms);
/* Dialling or shaking hands came to nothing; id may be NULL. */
void dz_membership_failed(struct dz_membership *m, const char *id, enum dz_refusal why, uint64_t now_ms);
void dz_membership_stalled(struct dz_membership *m, uint64_t stall_ms, uint64_t now_ms);
void dz_membership_tick(struct dz_membership *m, uint64_t now_ms);
/* This host takes a new incarnation: the sessions are those of the old one, and begin anew. */
void dz_membership_renounce(struct dz_membership *m, uint64_t now_ms);
/* This host leaves: every session is lost, nothing is dialled. */
void dz_membership_leave(struct dz_membership *m, uint64_t now_ms);

/* --- queries --- */

/* When dz_membership_tick is due. */
uint64_t dz_membership_next(const struct dz_membership *m);
/* True when a tick at `now_ms` would end a session: the owner drains the sockets first. */
bool dz_membership_would_judge(const struct dz_membership *m, uint64_t now_ms);
/* Every seed, and every node they told of, was met or failed once. */
bool dz_membership_is_settled(const struct dz_membership *m);
struct dz_node *dz_membership_find(const struct dz_membership *m, const char *id, size_t len);
struct dz_node *dz_membership_of_peer(const struct dz_membership *m, uint64_t peer);
/* This node and those it reaches now; those that were up when the present losses began. */
void dz_membership_count(const struct dz_membership *m, uint64_t now_ms, uint32_t *reachable,
                         uint32_t *known);

#endif
