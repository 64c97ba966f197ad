/* behavior.h - which behaviours this host knows: names, files, the bytes they were compiled from.
 * Owns:    the names, the bytes of each file (read once per host, kept until fini), the directories.
 * Threads: any; one lock. What find returns stays valid and constant until fini.
 * Fails:   DZ_ENOBEHAVIOR, DZ_EEXIST (registered with something else), DZ_ENOMEM.
 * Compiled functions are each Lua state's own; this is only where they come from. */
#ifndef DZ_VM_BEHAVIOR_H
#define DZ_VM_BEHAVIOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/map.h"

#define DZ_BEHAVIOR_HASH 32

enum dz_behavior_kind {
    DZ_BEHAVIOR_FILE,  /* a file, or built in: any worker compiles `source` */
    DZ_BEHAVIOR_TABLE, /* belongs to the Lua state of worker `thread` */
};

struct dz_behavior {
    enum dz_behavior_kind kind;
    char *path; /* where it was found, for messages and tracebacks; "=[builtin]/..." when embedded */
    uint8_t *source;
    size_t source_len;
    uint8_t hash[DZ_BEHAVIOR_HASH]; /* SHA-256 of source, */
    bool hashed;                    /* once somebody has asked for it; under the lock */
    uint32_t thread;
    uint32_t generation;
    bool registered; /* by register(); else found by its name */
};

struct dz_behaviors {
    pthread_mutex_t lock;
    struct dz_smap by_name; /* struct dz_behavior, never removed */
    struct dz_smap dirs;    /* in the order they are searched */
};

int dz_behaviors_init(struct dz_behaviors *b);
void dz_behaviors_fini(struct dz_behaviors *b);

/* One more directory, searched after those given before. The built-in ones come last. */
int dz_behaviors_add_dir(struct dz_behaviors *b, const char *dir);

/* The behaviour of that name, from its registration or from NAME.lua or NAME/init.lua in the path;
 * DZ_ENOBEHAVIOR if none. */
int dz_behaviors_find(struct dz_behaviors *b, const char *name, size_t len, const struct dz_behavior **out);
/* Appends the places a name is looked for, "; " between: for behavior_not_found. */
int dz_behaviors_places(struct dz_behaviors *b, const char *name, size_t len, struct dz_buf *out);

/* name -> the file `path` (read now), or the text given. Registering the same bytes again is fine, something
 * else DZ_EEXIST. */
int dz_behaviors_register_file(struct dz_behaviors *b, const char *name, size_t len, const char *path);
/* name -> a table of the Lua state (thread, generation). Each state may register its own table under one name
 * when the first one's state is gone; else DZ_EEXIST. */
int dz_behaviors_register_table(struct dz_behaviors *b, const char *name, size_t len, uint32_t thread,
                                uint32_t generation);

/* The worker a spawn of this name must go to: 0 when any will do (or the name is unknown). */
uint32_t dz_behaviors_thread(struct dz_behaviors *b, const char *name, size_t len);
/* The content hash of a file behaviour; false for tables and unknown names. */
bool dz_behaviors_hash(struct dz_behaviors *b, const char *name, size_t len, uint8_t out[DZ_BEHAVIOR_HASH]);
/* Calls visit for each registered or found name, then the built-in ones. */
void dz_behaviors_each(struct dz_behaviors *b, void (*visit)(void *ctx, const char *name, size_t len),
                       void *ctx);

#endif
