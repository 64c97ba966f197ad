/* remote_parts.h - what remote.c (the asking side) and remote_serve.c (the starting side) tell each other. */
#ifndef DZ_CLUSTER_REMOTE_PARTS_H
#define DZ_CLUSTER_REMOTE_PARTS_H

#include "cluster/remote.h"
#include "cluster/state.h"

/* DZ_INFINITY stays it. */
uint64_t dz_remote_deadline(uint64_t now_ms, uint64_t timeout_ms, uint64_t grace_ms);
/* Answers a spawn with { code, message, node }. */
void dz_remote_fail(struct dz_remote *r, struct dz_pid by, struct dz_pid to, uint64_t ref, int err,
                    const char *message, const char *node_id);
/* What was started for a lost node and not answered is killed, or stopped when the answer was not confirmed; the rest is
 * only forgotten. */
void dz_remote_drop_served(struct dz_remote *r, uint32_t node);
void dz_remote_tick_served(struct dz_remote *r, uint64_t now_ms);
void dz_remote_free_served(struct dz_remote *r);

#endif
