/* globals_parts.h - what globals.c (the table) and globals_ask.c (the registrations) tell each other. */
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

/* Does the claim win over the entry of the same name? */
bool dz_global_claim_wins(struct dz_globals *g, const struct dz_global_claim *c, const struct dz_global *e);
/* The claim belongs to the same path as the entry and is newer. */
bool dz_global_takes_over(const struct dz_global_claim *c, const struct dz_global *e);
/* Who has the name for certain; none when nobody, or when its owner of this host is dead. Fills *takes_over.
 */
struct dz_pid dz_globals_owner(struct dz_globals *g, const struct dz_global_claim *c, bool *takes_over);
/* Puts the claim into the table unless what stands there wins; the loser, if it is ours, is told. DZ_ENOMEM.
 */
int dz_globals_enter(struct dz_globals *g, const struct dz_global_claim *c);
/* Every entry of that node's processes goes. */
void dz_globals_forget_node(struct dz_globals *g, uint32_t index);
bool dz_globals_is_alive(struct dz_globals *g, struct dz_pid pid);
/* Of two that want a name: lower node id, then lower slot. */
int dz_globals_compare_owners(struct dz_globals *g, struct dz_pid a, struct dz_pid b);
/* A node's registration of another claim came while we ask for one of the same name: false when ours goes
 * first. */
bool dz_globals_yield(struct dz_globals *g, const struct dz_global_claim *theirs, struct dz_pid *ours);

#endif
