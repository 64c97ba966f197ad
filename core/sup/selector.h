/* selector.h - which node a child is placed on.
 * Owns:    nothing.
 * Threads: any; everything here is pure. */
#ifndef DZ_SUP_SELECTOR_H
#define DZ_SUP_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sup/types.h"

enum dz_selector_kind {
    DZ_SELECT_LOCAL_FIRST,
    DZ_SELECT_LOCAL,
    DZ_SELECT_ROUND_ROBIN,
    DZ_SELECT_LEAST_LOADED,
    DZ_SELECT_RANDOM,
    DZ_SELECT_NODE,     /* `name` is the node id */
    DZ_SELECT_NAMED,    /* `name` is that of a registered selector function */
    DZ_SELECT_FUNCTION, /* `function` */
};

struct dz_selector {
    enum dz_selector_kind kind;
    char *name;
    struct dz_sup_function function;
};

/* A node as the one who asks knows it now. Lists are in order: the local node first, then peers by id. */
struct dz_candidate {
    uint32_t node; /* index */
    const char *id;
    bool local;
    bool connected; /* always true for the local node */
    bool draining;
    uint32_t process_count; /* last reported */
    uint32_t placed_since;  /* placed there since that report */
};

struct dz_selector_query {
    const struct dz_candidate *nodes;
    size_t count;
    uint32_t excluded; /* index of a node that may not be chosen, DZ_SUP_NO_NODE: none */
    bool local_only;   /* the spec holds functions: only this host can run it */
};

/* What dz_selector_choose found besides a node. */
#define DZ_SELECTOR_ASK 1 /* a function decides; see dz_selector_check_answer */

/* DZ_OK: nodes[*chosen]. DZ_SELECTOR_ASK. DZ_ENONODE: *cause is the reason in words, static storage.
 * `counter` is the supervisor's own for round_robin, moved on when used; `random` 64 unpredictable bits. */
int dz_selector_choose(const struct dz_selector *selector, const struct dz_selector_query *query,
                       uint64_t *counter, uint64_t random, size_t *chosen, const char **cause);

/* The same verdict for the node id a function answered with (NULL: it answered nil). */
int dz_selector_check_answer(const struct dz_selector_query *query, const char *answer, size_t *chosen,
                             const char **cause);

#endif
