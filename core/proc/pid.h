/* pid.h - who a process is: pids, refs, and the table of node identities they are printed with.
 * Owns:    dz_nodes: every identity (node id, incarnation) this host has met. Entries are never removed, so an index stays
 *          good for the life of the host.
 * Threads: reading any, without a lock; interning any, under the table's lock.
 * Fails:   DZ_EFORMAT (not the fixed form), DZ_ETOOLARGE (more identities than DZ_NODES_MAX).
 *
 * A host is born without a node id: its birth identity is "local@127.0.0.1:0" with a random birth number as incarnation.
 * Pids made before cluster.start carry it for ever. Peers exchange birth numbers in the handshake and add them as aliases,
 * so such a pid stays valid and equal on every node. */
#ifndef DZ_PROC_PID_H
#define DZ_PROC_PID_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include "base/map.h"
#include "term/build.h"
#include "term/read.h"

#define DZ_LOCAL_NODE_ID "local@127.0.0.1:0"
#define DZ_NODE_ID_MAX 327 /* 64 + "@" + 255 + ":" + 5, and the zero byte */
#define DZ_NODES_MAX 65536u
#define DZ_PID_TEXT_MAX 400 /* with the zero byte */

struct dz_pid {
    uint32_t node; /* index in dz_nodes; 0 is this host's birth identity */
    uint32_t slot; /* 0: no process */
    uint32_t gen;
};

struct dz_ref {
    struct dz_pid owner; /* the process whose mailbox the answer goes to */
    uint64_t num;        /* unique in the owner's host */
};

#define DZ_PID_NONE ((struct dz_pid){0, 0, 0})

static inline bool dz_pid_is_none(struct dz_pid p)
{
    return p.slot == 0;
}
/* Within one host a slot and generation have one identity only, so all three fields decide. */
static inline bool dz_pid_eq(struct dz_pid a, struct dz_pid b)
{
    return a.slot == b.slot && a.gen == b.gen && a.node == b.node;
}

struct dz_node_entry {
    char *id;            /* "name@host:port", zero-terminated, constant */
    uint64_t incarnation;
    _Atomic bool self;   /* an identity of this host */
    _Atomic uint32_t of; /* for a peer's birth identity, or an incarnation it has given up: the index of its present one;
                            else its own index */
    uint32_t prefix_len;
    char prefix[DZ_NODE_ID_MAX + 24]; /* "<name@host:port/INC." */
};

struct dz_nodes {
    pthread_mutex_t lock;
    struct dz_smap by_prefix; /* "name@host:port/INC" -> index + 1 */
    _Atomic(struct dz_node_entry **) chunks[DZ_NODES_MAX / 64];
    uint32_t count;
    _Atomic uint32_t named; /* the identity the host goes by */
    _Atomic uint32_t self;  /* the identity new pids get: `named` once it is settled */
};

/* birth: the random birth number; entry 0. */
int dz_nodes_init(struct dz_nodes *n, uint64_t birth);
void dz_nodes_fini(struct dz_nodes *n);
/* The index of (id, incarnation), made if new. `id` must be a well-formed node id. */
int dz_nodes_intern(struct dz_nodes *n, const char *id, size_t len, uint64_t incarnation, uint32_t *index);
/* The host gets its node id: an entry with self = true. New pids go on carrying the identity they have carried: what others have
 * not agreed to may still change, and a pid of an incarnation that nobody knows could not be answered. */
int dz_nodes_name_self(struct dz_nodes *n, const char *id, uint64_t incarnation);
/* Others know the host by this identity, or there are none: new pids carry it from now on. */
void dz_nodes_settle_self(struct dz_nodes *n);
/* The host has no node id any more (cluster.stop): new pids carry the birth identity again. */
void dz_nodes_unname_self(struct dz_nodes *n);
/* Pids of the peer's birth identity belong to its named identity `index`, and so do those of the one it had before. */
int dz_nodes_alias(struct dz_nodes *n, uint64_t birth, uint32_t index);
const struct dz_node_entry *dz_nodes_get(const struct dz_nodes *n, uint32_t index);
/* The index that decides the route: aliases resolved. */
uint32_t dz_nodes_resolve(const struct dz_nodes *n, uint32_t index);
static inline bool dz_nodes_is_self(const struct dz_nodes *n, uint32_t index)
{
    /* relaxed: the identity new pids get is this host's, whenever it was read; and most pids carry it. */
    return index == 0 || index == atomic_load_explicit(&((struct dz_nodes *)(uintptr_t)n)->self, memory_order_relaxed) ||
           dz_nodes_get(n, index)->self;
}
/* This host's node id ("local@127.0.0.1:0" without a cluster). */
const char *dz_nodes_self_id(const struct dz_nodes *n);

/* "name@host:port": DZ_ENODEID with *why (static text) when malformed. host may be NULL-terminated out of `id` by lengths. */
int dz_node_id_parse(const char *id, size_t len, size_t *name_len, size_t *host_len, uint16_t *port, const char **why);

/* Text forms; `out` has DZ_PID_TEXT_MAX bytes; the length without the zero byte is returned. */
size_t dz_pid_format(const struct dz_nodes *n, struct dz_pid pid, char *out);
size_t dz_ref_format(const struct dz_nodes *n, struct dz_ref ref, char *out);
/* The reverse; interns an identity not met before. */
int dz_pid_parse(struct dz_nodes *n, const char *s, size_t len, struct dz_pid *pid);
int dz_ref_parse(struct dz_nodes *n, const char *s, size_t len, struct dz_ref *ref);

/* Into and out of terms. */
void dz_build_pid_of(struct dz_build *b, const struct dz_nodes *n, struct dz_pid pid); /* nil for none */
int dz_read_pid_of(struct dz_read *r, struct dz_nodes *n, struct dz_pid *pid);         /* nil gives none */

#endif
