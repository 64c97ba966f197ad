/* driver.h - supervisors as native processes: performs what the state machine (supervisor.h) decides.
 * Owns:    dz_driver: what all supervisors of a host share. Each supervisor owns its machine, its starts and stops under way and
 *          the questions it has not answered.
 * Threads: dz_driver_init and fini before and after the threads; the others as they say.
 * Fails:   a start that cannot be is answered with an error table; a running supervisor does not fail.
 *
 * A supervisor is asked for by a SPAWN message with DZ_SPAWN_SUPERVISOR, takes the REQUESTs of proc/request.h, ends by STOP,
 * and is told of its children by CHILD_EXIT. Children start by SPAWN messages with parent, path and epoch; their answers are
 * REPLYs. A selector function, like a child's `start` function, is a hidden process asked for by SPAWN with DZ_SPAWN_START:
 * what the function returns is the REPLY. */
#ifndef DZ_SUP_DRIVER_H
#define DZ_SUP_DRIVER_H

#include <stdatomic.h>
#include "proc/native.h"
#include "proc/rt.h"
#include "proc/spawn.h"
#include "sup/selector.h"
#include "sup/selectors.h"
#include "term/build.h"

/* What supervisors need of the parts they do not see. Any thread. */
struct dz_place_ports {
    void *ctx;
    /* Fills up to `cap` nodes, this one first, then peers by id; returns how many there are. */
    size_t (*candidates)(void *ctx, struct dz_candidate *out, size_t cap);
    /* The same nodes as the records a selector function gets: one list. */
    void (*candidate_records)(void *ctx, struct dz_build *b);
    /* One process more was placed on that node. */
    void (*count_placed)(void *ctx, uint32_t node);
    /* The worker of this node a child with no history starts on: they are spread. */
    uint32_t (*spread)(void *ctx);
    /* The first number of a root supervisor's epoch. */
    uint64_t (*root_epoch)(void *ctx, const char *path, size_t len);
    /* A supervisor with this path and epoch lives here. DZ_ESUPERSEDED when a newer one is known. */
    int (*placed)(void *ctx, const char *path, size_t path_len, const char *epoch, size_t epoch_len, struct dz_pid pid);
    /* True: older copies live here, so that a local start has to go through rt->ports.spawn_far with this node's own id. */
    bool (*place_waits)(void *ctx, const char *path, size_t path_len, const char *epoch, size_t epoch_len);
    /* The authority's word on placing this path now (cluster.h). */
    bool (*may_place)(void *ctx, const char *path, size_t len);
    /* The SHA-256 of the behaviour file of this name on this node; false when it is not a file. May be NULL. */
    bool (*behavior_hash)(void *ctx, const char *name, size_t len, uint8_t hash[32]);
};

struct dz_driver {
    struct dz_rt *rt;
    struct dz_place_ports ports;
    struct dz_selectors selectors;
    _Atomic uint64_t next_id; /* of supervisors without a name */
};

void dz_driver_init(struct dz_driver *d, struct dz_rt *rt, const struct dz_place_ports *ports);
void dz_driver_fini(struct dz_driver *d);

/* The `spawn` port for DZ_SPAWN_SUPERVISOR. Takes the message. */
void dz_driver_spawn(struct dz_driver *d, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *msg);

/* Pids of this host's supervisors in the order they were started; with `roots`, only those without a supervisor of their own.
 * Returns how many there are; fills up to `cap`. Any thread. */
size_t dz_driver_list(struct dz_driver *d, bool roots, struct dz_pid *out, size_t cap);
/* Is this process of this host a supervisor? Any thread; may be outdated at once. */
bool dz_driver_is_supervisor(struct dz_driver *d, struct dz_pid pid);
/* The same; a supervisor is no root any more: `parent` has taken it on. */
bool dz_driver_adopt(struct dz_driver *d, struct dz_pid pid, struct dz_pid parent);

#endif
