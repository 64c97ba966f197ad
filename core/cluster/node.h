/* node.h - what this host knows of one node.
 * Owns:    its texts and its attributes.
 * Threads: one at a time (membership.h); pure.
 * Fails:   new: DZ_ENODEID, DZ_ENOMEM. */
#ifndef DZ_CLUSTER_NODE_H
#define DZ_CLUSTER_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cluster/detector.h"
#include "term/build.h"

enum dz_node_status {
    DZ_NODE_UNMET,   /* dialled, not met yet */
    DZ_NODE_JOINING, /* a session, but the first exchange is not over */
    DZ_NODE_UP,
    DZ_NODE_SUSPECT,
    DZ_NODE_DOWN,    /* lost; dialled on */
    DZ_NODE_LEFT,    /* said goodbye */
    DZ_NODE_REFUSED, /* connections are turned away, here or there */
};

#define DZ_NODE_DRAINING      1u /* dz_peer_figures.flags */
#define DZ_NODE_RETURNS_SHIFT 8u /* the bits above: how often the node has come back in this life */

struct dz_node {
    char *id;
    uint32_t name_len; /* id is name@host:port */
    uint32_t host_len;
    uint16_t port;
    uint8_t status; /* enum dz_node_status */
    bool seed;
    bool settled;   /* met, or failed once: start does not wait for it any more */
    bool exchanged; /* its first exchange arrived in this session */
    bool announced; /* a node_up without its node_down */
    bool draining;
    bool apart;           /* suspect, while others still hear of it: calls there fail at once */
    bool gone;            /* forgotten: freed in the next tick unless it is heard of again */
    uint64_t peer;        /* the session's number at the transport, 0: none */
    uint64_t incarnation; /* of the session, or the last one known; 0: never met */
    uint64_t birth;
    uint32_t index;            /* identity index of that incarnation, the cluster's own */
    uint32_t returns;          /* as the node last told */
    uint64_t lost_incarnation; /* of the last announced session that ended */
    struct dz_detector detector;
    uint64_t since_ms; /* when it got its status */
    uint64_t dial_ms;  /* when to dial it again, 0: not planned */
    uint32_t processes;
    uint32_t placed_since;
    uint64_t uptime_ms;    /* as told, */
    uint64_t uptime_at_ms; /* then */
    uint8_t *attributes;   /* one map term, or NULL */
    size_t attributes_len;
    uint32_t flaps;    /* losses of one life within the flap window */
    uint64_t flap_ms;  /* when that window began */
    uint64_t quiet_ms; /* not admitted before this time */
};

int dz_node_new(struct dz_node **out, const char *id, size_t len);
void dz_node_delete(struct dz_node *n);

/* Copies the attributes if they are one well-formed map; else there are none. */
void dz_node_set_attributes(struct dz_node *n, const uint8_t *data, size_t len);
static inline bool dz_node_is_met(const struct dz_node *n)
{
    return n->status == DZ_NODE_UP || n->status == DZ_NODE_SUSPECT;
}
/* "up", "suspect", "down", "refused", "draining". */
const char *dz_node_status_text(const struct dz_node *n);
/* The record as api.md has it. `wall_ms` is now on the wall clock, for last_heartbeat_at only. */
void dz_node_build(const struct dz_node *n, struct dz_build *b, uint64_t now_ms, uint64_t wall_ms);

/* The record's fields, for this host itself too. */
struct dz_node_record {
    const char *id;
    uint32_t name_len;
    uint32_t host_len;
    uint16_t port;
    const char *status;
    uint32_t processes;
    uint64_t uptime_ms;
    uint64_t last_heartbeat_at;
    uint64_t incarnation;
    uint64_t refused; /* connections turned away; only of this node itself */
    bool is_self;
    const uint8_t *attributes;
    size_t attributes_len;
};
void dz_node_record_build(const struct dz_node_record *r, struct dz_build *b);

#endif
