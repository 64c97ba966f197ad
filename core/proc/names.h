/* names.h - local registered names.
 * Owns:    the names and which process has each.
 * Threads: any; one lock.
 * Fails:   DZ_ENAMETAKEN (*owner says who), DZ_ENOPROC (the process has ended), DZ_ENOMEM.
 * A name is free again in the same step that makes its process dead (dz_names_end), so a restarted process can take it. */
#ifndef DZ_PROC_NAMES_H
#define DZ_PROC_NAMES_H

#include "base/list.h"
#include "base/map.h"
#include "proc/table.h"

#define DZ_NAME_MAX 255

struct dz_names {
    pthread_mutex_t lock;
    struct dz_smap by_name; /* struct dz_name */
    struct dz_map by_slot;  /* slot index -> first struct dz_name of that process */
};

int dz_names_init(struct dz_names *n);
void dz_names_fini(struct dz_names *n);
int dz_names_register(struct dz_names *n, struct dz_table *t, const char *name, size_t len, struct dz_pid pid,
                      struct dz_pid *owner);
/* False when the name was not registered. */
bool dz_names_unregister(struct dz_names *n, const char *name, size_t len);
/* None when unknown. */
struct dz_pid dz_names_whereis(struct dz_names *n, const char *name, size_t len);
/* One of the process's names, copied to `out` (DZ_NAME_MAX + 1 bytes); false if it has none. */
bool dz_names_of(struct dz_names *n, struct dz_pid pid, char *out);
/* Frees the process's names and its slot in one step. */
void dz_names_end(struct dz_names *n, struct dz_table *t, struct dz_slot *slot);
/* Calls visit for each name under the lock; visit may not call back into names. */
void dz_names_each(struct dz_names *n, void (*visit)(void *ctx, const char *name, size_t len, struct dz_pid pid),
                   void *ctx);

#endif
