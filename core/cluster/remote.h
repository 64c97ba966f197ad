/* remote.h - processes started on another node, seen from both ends.
 * Owns:    asking side: every spawn not answered yet. Starting side: every request for a while, so that it
 *          can be cancelled when it is late, and those that wait until older copies of their path are gone.
 * Threads: ask, cancel, take_reply and note_reply any (one lock); everything else the system thread.
 * Fails:   a spawn is always answered: by the started process, by the other node, or here when that node is
 *          lost or silent beyond the deadline. Error tables of other nodes get a field `node`.
 *
 *     ask -> SPAWN frame -> served: same behaviour? newer than what lives here?
 *         -> STOP to older copies, wait -> SPAWN to a thread
 *         -> REPLY straight to the one who asked (noted there, see take_reply here) -> CONFIRM
 *     session lost before CONFIRM came: what started is stopped; the one who asked was told noconnection
 *     KILL or ANSWERED to the cancel pid -> CANCEL frame -> the start is killed; what started and is not
 *         wanted is stopped */
#ifndef DZ_CLUSTER_REMOTE_H
#define DZ_CLUSTER_REMOTE_H

#include <pthread.h>
#include "base/list.h"
#include "base/map.h"
#include "cluster/envelope.h"
#include "cluster/placement.h"
#include "cluster/routes.h"
#include "proc/spawn.h"

/* The slot of a cancel pid: no process ever lives there. Its gen is the number of the request. */
#define DZ_REMOTE_CANCEL_SLOT UINT32_MAX
/* The asking side gives up so long after the deadline that the other one enforces. */
#define DZ_REMOTE_GRACE_MS 1000u
/* How long a started process can still be cancelled, and at most so many of them. */
#define DZ_REMOTE_KEEP_MS  60000u
#define DZ_REMOTE_KEEP_MAX 65536u
/* A superseded or late process that does not end is killed. */
#define DZ_REMOTE_STOP_MS 5000u
/* How often those that wait look whether the older copies are gone. */
#define DZ_REMOTE_POLL_MS 2u

struct dz_cluster;

struct dz_remote {
    struct dz_cluster *cluster;
    pthread_mutex_t lock; /* of all but round */
    struct dz_map asked;        /* ref -> struct ask */
    struct dz_map served;       /* mixed (asking node, request) -> struct served */
    struct dz_map by_reply;     /* mixed (asking node, ref) -> struct served not answered yet */
    struct dz_list served_list; /* in the order they came */
    struct dz_list stopping;    /* processes asked to stop, killed when they take too long */
    _Atomic uint32_t asked_count;
    _Atomic uint32_t unanswered;
    uint32_t round;             /* system thread */
    uint32_t waiting; /* served ones that wait for older copies */
    uint64_t due_ms;  /* none of served_list and stopping is due before */
    _Atomic uint32_t next_request;
};

void dz_remote_init(struct dz_remote *r, struct dz_cluster *c);
void dz_remote_fini(struct dz_remote *r);

/* DZ_ENOCONNECTION, DZ_ENOMEM, DZ_EOVERLOADED: the caller still owns the message. */
int dz_remote_ask(struct dz_remote *r, struct dz_thread *from, uint32_t node, struct dz_msg **take,
                  struct dz_pid *cancel);
/* The same on this host itself. */
int dz_remote_ask_self(struct dz_remote *r, struct dz_thread *from, struct dz_msg **take,
                       struct dz_pid *cancel);
/* A message to a cancel pid; takes it. */
void dz_remote_cancel(struct dz_remote *r, struct dz_msg *msg);
/* A REPLY came from another node: when it answers a spawn, it is made to look so. Takes and gives the
 * message. */
struct dz_msg *dz_remote_take_reply(struct dz_remote *r, struct dz_msg *msg);
/* A REPLY goes to another node: perhaps the answer to one of its spawns. */
void dz_remote_note_reply(struct dz_remote *r, const struct dz_msg *msg);

/* Frames of a peer, behind their first byte. DZ_EFORMAT, DZ_ENOMEM. */
int dz_remote_serve(struct dz_remote *r, const struct dz_envelope_ends *ends, const uint8_t *data,
                    size_t len);
int dz_remote_cancelled(struct dz_remote *r, uint32_t node, const uint8_t *data, size_t len);
int dz_remote_confirmed(struct dz_remote *r, uint32_t node, const uint8_t *data, size_t len);

/* Ends a process of this host in order, by a kill if it takes too long. */
void dz_remote_stop(struct dz_remote *r, struct dz_pid pid, enum dz_reason reason);
void dz_remote_node_lost(struct dz_remote *r, uint32_t node);
void dz_remote_tick(struct dz_remote *r, uint64_t now_ms);
uint64_t dz_remote_next(struct dz_remote *r, uint64_t now_ms);

#endif
