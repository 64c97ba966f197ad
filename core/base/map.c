/* map.c - hash tables by number and by string.
 * Owns:    entries and index; dz_smap also the copies of its keys.
 * Threads: one at a time.
 * Fails:   DZ_ENOMEM on insertion, the table unchanged.
 * Entries lie in insertion order; the index, twice as long, holds 1 + the place of an entry (0: free) and is
 * probed linearly. A removed entry keeps its place in the index, as a mark that probing goes on, until the
 * entries are full: then they are packed where they lie, or packed into twice the room, and the index is made
 * anew. So a table that gains and loses entries allocates nothing, and removal never moves what an iterator
 * has not seen. The hash has no seed, because runs must repeat. Whoever knows the constants can choose keys
 * that collide; keys chosen by peers therefore belong only into tables whose size their owner limits, and
 * only after authentication. */
#include "base/map.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

#define FIRST_CAP 8u
#define MAX_CAP   (1u << 30)

#define SALT_A 0x9e3779b97f4a7c15u
#define SALT_B 0xd6e8feb86659fd93u
#define SALT_C 0xa0761d6478bd642fu

__extension__ typedef unsigned __int128 u128;

/* The folded product of two words: every bit of the result hangs on every bit of both. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
    u128 product = (u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t fold(uint64_t h)
{
    return (uint32_t)(h ^ h >> 32);
}

static inline uint32_t hash_number(uint64_t key)
{
    return fold(mix(key ^ SALT_A, SALT_B));
}

static inline uint64_t word(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t hash_string(const char *key, size_t len)
{
    uint64_t h = SALT_A ^ len;
    size_t left = len;
    for (; left > 16; left -= 16, key += 16)
        h = mix(word(key) ^ SALT_B, word(key + 8) ^ h);
    char rest[16] = {0};
    if (left > 0)
        memcpy(rest, key, left);
    h = mix(word(rest) ^ SALT_B, word(rest + 8) ^ h);
    return fold(mix(h ^ SALT_C, SALT_A));
}

static void index_add(uint32_t *index, uint32_t mask, uint32_t hash, uint32_t place)
{
    uint32_t slot = hash & mask;
    while (index[slot])
        slot = (slot + 1) & mask;
    index[slot] = place + 1;
}

/* The room a full table of `count` living entries needs: the same if packing frees at least a quarter, else
 * double. */
static uint32_t next_cap(uint32_t cap, uint32_t count)
{
    if (cap == 0)
        return FIRST_CAP;
    return count <= cap - cap / 4 ? cap : cap * 2;
}

/* --- what both kinds share --- */

struct kind {
    size_t size; /* of an entry */
    uint32_t (*hash)(const void *entry);
    bool (*lives)(const void *entry);
};

/* Runs over 1 + the places of the entries that may have this hash. */
#define each_place(table, hash, place)                                                                       \
    for (uint32_t slot_ = (hash) & (table)->mask, place; (place = (table)->index[slot_]) != 0;               \
         slot_ = (slot_ + 1) & (table)->mask)

static void pack(struct dz_table_of *t, const struct kind *k)
{
    uint32_t to = 0;
    memset(t->index, 0, ((size_t)t->mask + 1) * sizeof *t->index);
    for (uint32_t from = 0; from < t->used; from++) {
        char *entries = t->entries, *entry = entries + from * k->size;
        if (!k->lives(entry))
            continue;
        if (from != to)
            memcpy(entries + to * k->size, entry, k->size);
        index_add(t->index, t->mask, k->hash(entries + to * k->size), to);
        to++;
    }
    dz_assert(to == t->count);
    t->used = to;
}

/* Room for one more entry. */
static int make_room(struct dz_table_of *t, const struct kind *k)
{
    if (t->used < t->cap)
        return 0;
    uint32_t cap = next_cap(t->cap, t->count);
    if (cap > MAX_CAP)
        return DZ_ENOMEM;
    if (cap != t->cap) {
        uint32_t *index = dz_alloc((size_t)cap * 2 * sizeof *index);
        void *entries = index ? dz_realloc(t->entries, cap * k->size) : NULL;
        if (!entries) {
            dz_free(index);
            return DZ_ENOMEM;
        }
        dz_free(t->index);
        t->index = index;
        t->entries = entries;
        t->cap = cap;
        t->mask = cap * 2 - 1;
    }
    pack(t, k);
    return 0;
}

/* The entry behind the others, which the caller has filled, is one of the table's. */
static void take_in(struct dz_table_of *t, uint32_t hash)
{
    index_add(t->index, t->mask, hash, t->used);
    t->used++;
    t->count++;
}

/* --- dz_map --- */

static uint32_t map_hash(const void *entry)
{
    return hash_number(((const struct dz_map_entry *)entry)->key);
}

static bool map_lives(const void *entry)
{
    return ((const struct dz_map_entry *)entry)->value != NULL;
}

static const struct kind map_kind = {sizeof(struct dz_map_entry), map_hash, map_lives};

void dz_map_init(struct dz_map *m)
{
    memset(m, 0, sizeof *m);
}

void dz_map_fini(struct dz_map *m)
{
    dz_free(m->entries);
    dz_free(m->index);
    dz_map_init(m);
}

static struct dz_map_entry *map_find(const struct dz_map *m, uint64_t key)
{
    if (m->count == 0)
        return NULL;
    each_place (m, hash_number(key), place) {
        struct dz_map_entry *e = &m->entries[place - 1];
        if (e->key == key && e->value)
            return e;
    }
    return NULL;
}

void *dz_map_get(const struct dz_map *m, uint64_t key)
{
    const struct dz_map_entry *e = map_find(m, key);
    return e ? e->value : NULL;
}

int dz_map_put(struct dz_map *m, uint64_t key, void *value)
{
    dz_assert(value);
    struct dz_map_entry *e = map_find(m, key);
    if (e) {
        e->value = value;
        return 0;
    }
    int err = make_room(&m->table, &map_kind);
    if (err)
        return err;
    m->entries[m->used] = (struct dz_map_entry){.key = key, .value = value};
    take_in(&m->table, hash_number(key));
    return 0;
}

void *dz_map_remove(struct dz_map *m, uint64_t key)
{
    struct dz_map_entry *e = map_find(m, key);
    if (!e)
        return NULL;
    void *value = e->value;
    e->value = NULL;
    m->count--;
    return value;
}

bool dz_map_next(const struct dz_map *m, uint32_t *it, uint64_t *key, void **value)
{
    while (*it < m->used) {
        const struct dz_map_entry *e = &m->entries[(*it)++];
        if (!e->value)
            continue;
        *key = e->key;
        *value = e->value;
        return true;
    }
    return false;
}

/* --- dz_smap --- */

static uint32_t smap_hash(const void *entry)
{
    return ((const struct dz_smap_entry *)entry)->hash;
}

static bool smap_lives(const void *entry)
{
    return ((const struct dz_smap_entry *)entry)->value != NULL;
}

static const struct kind smap_kind = {sizeof(struct dz_smap_entry), smap_hash, smap_lives};

void dz_smap_init(struct dz_smap *m)
{
    memset(m, 0, sizeof *m);
}

void dz_smap_fini(struct dz_smap *m)
{
    for (uint32_t i = 0; i < m->used; i++)
        dz_free(m->entries[i].key);
    dz_free(m->entries);
    dz_free(m->index);
    dz_smap_init(m);
}

static struct dz_smap_entry *smap_find(const struct dz_smap *m, const char *key, size_t len, uint32_t hash)
{
    if (m->count == 0)
        return NULL;
    each_place (m, hash, place) {
        struct dz_smap_entry *e = &m->entries[place - 1];
        if (e->hash == hash && e->value && e->len == len && (len == 0 || memcmp(e->key, key, len) == 0))
            return e;
    }
    return NULL;
}

void *dz_smap_get(const struct dz_smap *m, const char *key, size_t len)
{
    const struct dz_smap_entry *e = smap_find(m, key, len, hash_string(key, len));
    return e ? e->value : NULL;
}

int dz_smap_put(struct dz_smap *m, const char *key, size_t len, void *value)
{
    dz_assert(value);
    if (len > UINT32_MAX)
        return DZ_ENOMEM;
    uint32_t hash = hash_string(key, len);
    struct dz_smap_entry *e = smap_find(m, key, len, hash);
    if (e) {
        e->value = value;
        return 0;
    }
    char *copy = dz_strndup(key, len);
    if (!copy)
        return DZ_ENOMEM;
    int err = make_room(&m->table, &smap_kind);
    if (err) {
        dz_free(copy);
        return err;
    }
    m->entries[m->used] =
        (struct dz_smap_entry){.key = copy, .len = (uint32_t)len, .hash = hash, .value = value};
    take_in(&m->table, hash);
    return 0;
}

void *dz_smap_remove(struct dz_smap *m, const char *key, size_t len)
{
    struct dz_smap_entry *e = smap_find(m, key, len, hash_string(key, len));
    if (!e)
        return NULL;
    void *value = e->value;
    dz_free(e->key);
    e->key = NULL;
    e->value = NULL;
    m->count--;
    return value;
}

bool dz_smap_next(const struct dz_smap *m, uint32_t *it, const char **key, void **value)
{
    while (*it < m->used) {
        const struct dz_smap_entry *e = &m->entries[(*it)++];
        if (!e->value)
            continue;
        *key = e->key;
        *value = e->value;
        return true;
    }
    return false;
}
