/* view.h - the nodes work can be placed on, as every thread may see them.
 * Owns:    a copy of what the records of met nodes say, and how many processes were placed since.
 * Threads: any (one lock); rebuild, figures and set_self the system thread.
 * Fails:   rebuild: DZ_ENOMEM, the view then shows this host only. */
#ifndef DZ_CLUSTER_VIEW_H
#define DZ_CLUSTER_VIEW_H

#include <pthread.h>
#include "cluster/cluster.h"
#include "cluster/membership.h"

struct dz_view_entry {
    struct dz_node_record record; /* its id is the identity's, its attributes are owned */
    uint64_t told_ms;             /* when uptime and figures were told */
    uint32_t node;
    uint32_t placed_since;
    bool connected;
    bool draining;
};

struct dz_view {
    struct dz_rt *rt;
    pthread_mutex_t lock;
    struct dz_view_entry self;
    struct dz_view_entry *entries; /* by id */
    uint32_t count;
};

/* `now_ms`: this host's uptime counts from then on. */
void dz_view_init(struct dz_view *v, struct dz_rt *rt, uint64_t now_ms);
void dz_view_fini(struct dz_view *v);
/* This host's own record; attributes are copied. The id is that of the identity `rt` has now. */
int dz_view_set_self(struct dz_view *v, const uint8_t *attributes, size_t len);
/* How many connections this host has turned away. */
void dz_view_set_refused(struct dz_view *v, uint64_t count);
/* The identity of this host changed; its attributes stay. */
void dz_view_renew_self(struct dz_view *v);
/* All met nodes; `m` NULL: none. */
int dz_view_rebuild(struct dz_view *v, const struct dz_membership *m);
void dz_view_figures(struct dz_view *v, const struct dz_node *n);

size_t dz_view_candidates(struct dz_view *v, struct dz_candidate *out, size_t cap);
/* The list of records, this host first. */
void dz_view_build(struct dz_view *v, struct dz_build *b);
void dz_view_build_self(struct dz_view *v, struct dz_build *b);
void dz_view_count_placed(struct dz_view *v, uint32_t node);

#endif
