/* frames.h - the control frames of the cluster: a byte that says which, then one term.
 * Owns:    the bytes of the frame being written.
 * Threads: any.
 * Fails:   send: DZ_ENOMEM, and as dz_routes_send. Read: DZ_EFORMAT. */
#ifndef DZ_CLUSTER_FRAMES_H
#define DZ_CLUSTER_FRAMES_H

#include "cluster/envelope.h"
#include "cluster/routes.h"
#include "term/build.h"
#include "term/read.h"

struct dz_frame_out {
    struct dz_buf buf;
    struct dz_build build;
};

/* The frame's term is written to f->build; every begin is followed by one send, broadcast or drop. */
void dz_frame_begin(struct dz_frame_out *f, enum dz_frame_kind kind);
int dz_frame_send(struct dz_frame_out *f, struct dz_routes *routes, uint64_t peer);
void dz_frame_broadcast(struct dz_frame_out *f, struct dz_routes *routes, uint64_t except);
void dz_frame_drop(struct dz_frame_out *f);

/* Strings of a node id or name: not empty, at most `max`. */
int dz_frame_read_text(struct dz_read *r, size_t max, const char **s, size_t *len);
/* The same, or nil (then *s is NULL). */
int dz_frame_read_optional(struct dz_read *r, size_t max, const char **s, size_t *len);
/* The head of an array of exactly `count` elements. */
int dz_frame_read_array(struct dz_read *r, uint32_t count);

#endif
