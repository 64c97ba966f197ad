/* join.h - takes this host into a cluster and out of it: settings in, transport and cluster started, and the reverse.
 * Owns:    the transport while there is one, the questions of those who wait for the start or the end.
 * Threads: leave and is_on any; the rest the system thread's.
 * Fails:   a start that cannot be is answered with an error table (invalid_config, invalid_node_id, address_in_use,
 *          already_started) and leaves nothing behind. */
#ifndef DZ_HOST_JOIN_H
#define DZ_HOST_JOIN_H

#include <stdbool.h>
#include "base/list.h"
#include "host/config.h"
#include "proc/message.h"
#include "proc/rt.h"

#define DZ_JOIN_WHY_MAX 512u

struct dz_host;

enum dz_join_state { DZ_JOIN_OFF, DZ_JOIN_STARTING, DZ_JOIN_ON, DZ_JOIN_LEAVING };

struct dz_join {
    struct dz_host *host;
    enum dz_join_state state;
    void *transport; /* the host's carrier made it */
    char node_id[DZ_NODE_ID_MAX];
    struct dz_msg *asked;  /* CLUSTER_START, until it is answered */
    int failure;           /* what it is answered with once the transport is closed; 0: nothing went wrong */
    char why[DZ_JOIN_WHY_MAX];
    struct dz_list leaving; /* who waits for the end */
};

void dz_join_init(struct dz_join *j, struct dz_host *host);
void dz_join_fini(struct dz_join *j);
/* A REQUEST CLUSTER_START with the config map. Takes the message. */
void dz_join_start(struct dz_join *j, struct dz_thread *t, struct dz_msg *msg);
/* Says goodbye and closes everything; done runs on the system thread, also when there was nothing to leave. Any thread. */
void dz_join_leave(struct dz_host *host, struct dz_thread *t, void (*done)(void *ctx, struct dz_thread *t), void *ctx);
/* Any thread. */
bool dz_join_is_on(struct dz_host *host);

#endif
