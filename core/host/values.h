/* values.h - the inside of dozor.h's readers and builders.
 * Owns:    a builder its bytes.
 * Threads: one at a time.
 * Fails:   a builder's first error sticks. */
#ifndef DZ_HOST_VALUES_H
#define DZ_HOST_VALUES_H

#include "base/buf.h"
#include "dozor.h"
#include "proc/pid.h"
#include "term/build.h"

struct dz_builder {
    struct dz_buf buf;
    struct dz_build build;
};

void dz_builder_init(struct dz_builder *b);
void dz_builder_fini(struct dz_builder *b);

static inline dz_process dz_process_of(struct dz_pid pid)
{
    return (dz_process){ { pid.node, pid.slot, pid.gen } };
}
static inline struct dz_pid dz_pid_of(dz_process p)
{
    return (struct dz_pid){ p.opaque[0], p.opaque[1], p.opaque[2] };
}

#endif
