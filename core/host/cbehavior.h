/* cbehavior.h - processes whose behaviour is written in C, with the callbacks of dozor.h.
 * Owns:    the registered behaviours; of each process its struct, its timers, what its callbacks keep is theirs.
 * Threads: the registry any; a process its worker's only.
 * Fails:   registering: DZ_EEXIST, DZ_ENOMEM. A callback that fails ends its process. */
#ifndef DZ_HOST_CBEHAVIOR_H
#define DZ_HOST_CBEHAVIOR_H

#include <pthread.h>
#include <stdbool.h>
#include "base/map.h"
#include "dozor.h"
#include "proc/process.h"

struct dz_cbehaviors {
    pthread_mutex_t lock;
    struct dz_smap by_name; /* struct dz_native_behavior, never removed */
};

int dz_cbehaviors_init(struct dz_cbehaviors *b);
void dz_cbehaviors_fini(struct dz_cbehaviors *b);
int dz_cbehaviors_register(struct dz_cbehaviors *b, const char *name, const dz_native_behavior *behavior);
/* NULL when there is none; else good until fini. */
const dz_native_behavior *dz_cbehaviors_find(struct dz_cbehaviors *b, const char *name, size_t len);

/* The `spawn` port for such a behaviour. Takes the message. */
void dz_cbehavior_spawn(struct dz_host *host, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *msg,
                        const dz_native_behavior *behavior, const char *name, size_t len);
/* Ends the C processes of this thread, when it stops. */
void dz_cbehavior_end_all(struct dz_thread *t);

#endif
