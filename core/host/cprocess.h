/* cprocess.h - one process with a C behaviour, and what its callbacks may do (the dz_context functions of dozor.h).
 * Owns:    the process's timers and waits.
 * Threads: its worker's.
 * Fails:   as dozor.h says. */
#ifndef DZ_HOST_CPROCESS_H
#define DZ_HOST_CPROCESS_H

#include "base/list.h"
#include "dozor.h"
#include "host/values.h"
#include "proc/process.h"
#include "proc/spawn.h"

struct dz_cproc {
    struct dz_proc proc;
    struct dz_host *host;
    const dz_native_behavior *behavior;
    void *state;
    bool initialised;     /* init succeeded: the state is to be freed */
    const uint8_t *args;  /* in the owed SPAWN */
    size_t args_len;
    struct dz_str global; /* in the owed SPAWN, until it is asked for */
    struct dz_wait wait;
    struct dz_list timers; /* struct later */
    char name[];
};

struct dz_context {
    struct dz_thread *t;
    struct dz_cproc *c;
    struct dz_blob *exit;
    char failure[256];
};

dz_from dz_cprocess_from(struct dz_pid pid, uint64_t ref);
/* Answers with what was built, or (NULL) with unhandled_call. */
void dz_cprocess_answer(struct dz_context *context, dz_from from, const struct dz_builder *value);
void dz_cprocess_drop_timers(struct dz_thread *t, struct dz_cproc *c);

#endif
