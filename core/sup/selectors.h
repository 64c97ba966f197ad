/* selectors.h - selector functions registered by name.
 * Owns:    the names; a function belongs to the Lua state (or to the embedder) that registered it.
 * Threads: any; one lock.
 * Fails:   DZ_EEXIST when the name is taken by another function, DZ_ENOMEM. */
#ifndef DZ_SUP_SELECTORS_H
#define DZ_SUP_SELECTORS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/map.h"
#include "sup/types.h"

struct dz_selectors {
    pthread_mutex_t lock;
    struct dz_smap by_name;
};

void dz_selectors_init(struct dz_selectors *s);
void dz_selectors_fini(struct dz_selectors *s);
/* The same function again is no error. */
int dz_selectors_register(struct dz_selectors *s, const char *name, size_t len, const struct dz_sup_function *function);
bool dz_selectors_find(struct dz_selectors *s, const char *name, size_t len, struct dz_sup_function *out);

#endif
