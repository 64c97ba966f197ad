/* map.h - hash tables: by number (dz_map) and by string (dz_smap).
 * Owns:    the slots; dz_smap also a copy of each key. Values are the caller's pointers.
 * Threads: one at a time.
 * Fails:   DZ_ENOMEM on insertion, the table unchanged. Missing keys are not errors (NULL).
 * Iteration is in insertion order (so that a simulated run is the same on every machine), and the entry the iterator
 * stands on may be removed. */
#ifndef DZ_BASE_MAP_H
#define DZ_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What both kinds are; `entries` has the type of its kind. */
struct dz_table_of {
    void *entries; /* in insertion order; removed ones marked */
    uint32_t *index;
    uint32_t used; /* entries filled, removed ones included */
    uint32_t count;
    uint32_t cap; /* of entries */
    uint32_t mask;
};
#define DZ_TABLE_OF(entry)                                                                                   \
    union {                                                                                                  \
        struct dz_table_of table;                                                                            \
        struct {                                                                                             \
            entry *entries;                                                                                  \
            uint32_t *index;                                                                                 \
            uint32_t used;                                                                                   \
            uint32_t count;                                                                                  \
            uint32_t cap;                                                                                    \
            uint32_t mask;                                                                                   \
        };                                                                                                   \
    }

struct dz_map {
    DZ_TABLE_OF(struct dz_map_entry);
};

struct dz_map_entry {
    uint64_t key;
    void *value; /* NULL: removed */
};

void dz_map_init(struct dz_map *m);
void dz_map_fini(struct dz_map *m);
void *dz_map_get(const struct dz_map *m, uint64_t key);
/* Inserts or replaces; `value` is not NULL. */
int dz_map_put(struct dz_map *m, uint64_t key, void *value);
/* The value removed, or NULL. Never fails. */
void *dz_map_remove(struct dz_map *m, uint64_t key);
/* *it starts at 0; false at the end. */
bool dz_map_next(const struct dz_map *m, uint32_t *it, uint64_t *key, void **value);

struct dz_smap {
    DZ_TABLE_OF(struct dz_smap_entry);
};

struct dz_smap_entry {
    char *key; /* zero-terminated copy; NULL once removed */
    uint32_t len;
    uint32_t hash;
    void *value; /* NULL: removed */
};

void dz_smap_init(struct dz_smap *m);
void dz_smap_fini(struct dz_smap *m);
void *dz_smap_get(const struct dz_smap *m, const char *key, size_t len);
int dz_smap_put(struct dz_smap *m, const char *key, size_t len, void *value);
void *dz_smap_remove(struct dz_smap *m, const char *key, size_t len);
/* *key stays valid until that entry is removed. */
bool dz_smap_next(const struct dz_smap *m, uint32_t *it, const char **key, void **value);

#endif
