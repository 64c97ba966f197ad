/* cselector.h - selector functions written in C, with the signature of dozor.h.
 * Owns:    the registered functions; a supervisor sees one as a function reference of no Lua state.
 * Threads: registered before the threads start, read by any.
 * Fails:   registering: DZ_EEXIST, DZ_ENOMEM, DZ_ETOOLARGE. A selector that fails is "no available node". */
#ifndef DZ_HOST_CSELECTOR_H
#define DZ_HOST_CSELECTOR_H

#include <stdbool.h>
#include "dozor.h"
#include "proc/spawn.h"
#include "sup/selectors.h"

#define DZ_CSELECTORS_MAX 64u

struct dz_cselectors {
    size_t count;
    struct {
        dz_selector fn;
        void *ctx;
    } items[DZ_CSELECTORS_MAX];
};

int dz_cselectors_register(struct dz_cselectors *c, struct dz_selectors *names, const char *name, dz_selector fn, void *ctx);
/* Is this what a SPAWN with DZ_SPAWN_START asks to run? Then it runs here and now and its answer is the spawn's. Takes the
 * message when true. */
bool dz_cselectors_answer(struct dz_host *host, struct dz_thread *t, struct dz_slot *slot, const struct dz_spawn *s,
                          struct dz_msg *msg);

#endif
