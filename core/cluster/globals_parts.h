/* globals_parts.h - what globals_table.c, globals.c (what becomes of the table) and globals_ask.c (the registrations) tell
 * each other. */
#ifndef DZ_CLUSTER_GLOBALS_PARTS_H
#define DZ_CLUSTER_GLOBALS_PARTS_H

#include "cluster/globals.h"

/* An entry as it is claimed: everything borrowed. */
struct dz_global_claim {
    const char *name;
    size_t name_len;
    struct dz_pid pid;
    uint64_t number;
    struct dz_place_key place; /* path NULL: none */
};

/* One claim as [name, pid, number, path, epoch]. */
void dz_global_claim_build(const struct dz_global_claim *c, struct dz_build *b, const struct dz_nodes *nodes);
/* DZ_EFORMAT. The number counts as heard of. */
int dz_global_claim_read(struct dz_globals *g, struct dz_read *r, struct dz_global_claim *c);

/* --- globals_table.c; under the lock --- */

struct dz_global *dz_global_new(const struct dz_global_claim *c);
void dz_global_delete(struct dz_global *e);
/* Takes the entry over unless it fails: DZ_ENOMEM. */
int dz_globals_attach(struct dz_globals *g, struct dz_global *e);
/* The caller owns it from here on. */
void dz_globals_detach(struct dz_globals *g, struct dz_global *e);
/* The claim of that process on the name, or NULL. */
struct dz_global *dz_globals_find(struct dz_globals *g, const char *name, size_t len, struct dz_pid pid);
/* Any claim of the process, or NULL. */
struct dz_global *dz_globals_of_pid(struct dz_globals *g, struct dz_pid pid);
/* A claim of a living process of this host that does not win, or NULL. */
struct dz_global *dz_globals_own_loser(struct dz_globals *g, const char *name, size_t len);

/* --- globals.c --- */

/* Who has the name for certain; none when nobody, or when its owner of this host is dead. *over: the claim
 * belongs to the same child as that and is newer. */
struct dz_pid dz_globals_owner(struct dz_globals *g, const struct dz_global_claim *c, bool *over);
/* Puts the claim into the table, which is held. *losers: claims of this host that are out of it now, freed
 * elsewhere; for tell_losers, once the table is released. DZ_ENOMEM. */
int dz_globals_enter(struct dz_globals *g, const struct dz_global_claim *c, struct dz_global **losers);
void dz_globals_tell_losers(struct dz_globals *g, struct dz_global *losers);
/* Another node's claim. */
void dz_globals_learn(struct dz_globals *g, const struct dz_global_claim *c);
/* Every entry of that node's processes goes. */
void dz_globals_forget_node(struct dz_globals *g, uint32_t index);
bool dz_globals_is_alive(struct dz_globals *g, struct dz_pid pid);
/* Of two that want a name: lower node id, then lower slot. */
int dz_globals_compare_owners(struct dz_globals *g, struct dz_pid a, struct dz_pid b);
/* A node's registration of another claim came while we ask for one of the same name: false when ours goes
 * first. */
bool dz_globals_yield(struct dz_globals *g, const struct dz_global_claim *theirs, struct dz_pid *ours);

#endif
