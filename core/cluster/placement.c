#include "cluster/placement.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

struct copy {
    struct copy *next;
    struct dz_place *place;
    struct dz_pid pid;
    uint32_t by; /* node of its supervisor; 0: this one */
    bool tentative;
    uint32_t epoch_len;
    char epoch[];
};

/* A path that has copies, or something below it that has, or (a root) a number to remember. */
struct dz_place {
    struct dz_place *parent;
    struct dz_list siblings; /* in parent->children */
    struct dz_list children;
    struct copy *copies; /* each also in by_pid, the latest of its pid */
    uint64_t highest;    /* of a root: the highest first number heard of */
    uint32_t len;
    char path[];
};

void dz_placement_init(struct dz_placement *p, bool (*alive)(void *ctx, struct dz_pid pid),
                       bool (*lost)(void *ctx, uint32_t node), void *ctx)
{
    *p = (struct dz_placement){.sweep_at = DZ_PLACEMENT_SWEEP_MIN, .alive = alive, .lost = lost, .ctx = ctx};
    dz_smap_init(&p->by_path);
    dz_map_init(&p->by_pid);
}

void dz_placement_fini(struct dz_placement *p)
{
    uint32_t it = 0;
    const char *key;
    void *value;
    while (dz_smap_next(&p->by_path, &it, &key, &value)) {
        struct dz_place *place = value;
        while (place->copies) {
            struct copy *c = place->copies;
            place->copies = c->next;
            dz_free(c);
        }
        dz_free(place);
    }
    dz_smap_fini(&p->by_path);
    dz_map_fini(&p->by_pid);
}

/* --- keys --- */

static size_t parts_of(const char *path, size_t len)
{
    size_t parts = 1;
    for (size_t i = 0; i < len; i++) {
        if (path[i] != '/')
            continue;
        if (i == 0 || i + 1 == len || path[i + 1] == '/')
            return 0;
        parts++;
    }
    return parts;
}

int dz_placement_check_key(const struct dz_place_key *key)
{
    if (!key->path || !key->epoch || key->path_len == 0 || key->path_len > DZ_PLACEMENT_PATH_MAX)
        return DZ_EFORMAT;
    size_t parts = parts_of(key->path, key->path_len);
    if (parts == 0 || parts > DZ_PLACEMENT_DEPTH_MAX || key->epoch_len != parts * 8)
        return DZ_EFORMAT;
    /* Roots count in steps from 1: nobody gets that far, and who goes on from there would begin anew. */
    if ((uint8_t)key->epoch[0] > 0x7f)
        return DZ_EFORMAT;
    return memchr(key->path, 0, key->path_len) ? DZ_EFORMAT : 0;
}

int dz_epoch_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t common = a_len < b_len ? a_len : b_len;
    return memcmp(a, b, common); /* big-endian numbers of one size compare like bytes */
}

static uint64_t first_number(const char *epoch)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | (uint8_t)epoch[i];
    return v;
}

static size_t parent_len(const char *path, size_t len)
{
    const char *slash = memrchr(path, '/', len);
    return slash ? (size_t)(slash - path) : 0;
}

/* Slot and generation are a process's for ever, whatever identity its pid was given. */
static uint64_t pid_key(struct dz_pid pid)
{
    return (uint64_t)pid.slot << 32 | pid.gen;
}

/* --- the tree --- */

static struct dz_place *place_new(struct dz_placement *p, struct dz_place *parent, const char *path,
                                  size_t len)
{
    struct dz_place *place = dz_zalloc(1, sizeof *place + len + 1);
    if (!place)
        return NULL;
    memcpy(place->path, path, len);
    place->len = (uint32_t)len;
    place->parent = parent;
    dz_list_init(&place->siblings);
    dz_list_init(&place->children);
    if (dz_smap_put(&p->by_path, path, len, place)) {
        dz_free(place);
        return NULL;
    }
    if (parent)
        dz_list_push_back(&parent->children, &place->siblings);
    return place;
}

/* A root's number must outlive its copies if somebody may take the root's name again; an unnamed root's id
 * (it holds the node's '@') never comes again. */
static bool is_remembered(const struct dz_place *place)
{
    return place->highest && !memchr(place->path, '@', place->len);
}

/* Removes the place and what is above it, as far as nothing is there. */
static void prune(struct dz_placement *p, struct dz_place *place)
{
    while (place && !place->copies && dz_list_empty(&place->children) && !is_remembered(place)) {
        struct dz_place *parent = place->parent;
        dz_list_remove(&place->siblings);
        dz_smap_remove(&p->by_path, place->path, place->len);
        dz_free(place);
        place = parent;
    }
}

/* The place, made with all that is above it. Depth is bounded by check_key, so is the recursion. */
static struct dz_place *obtain(struct dz_placement *p, const char *path, size_t len)
{
    struct dz_place *place = dz_smap_get(&p->by_path, path, len);
    if (place)
        return place;
    size_t above = parent_len(path, len);
    struct dz_place *parent = above ? obtain(p, path, above) : NULL;
    if (above && !parent)
        return NULL;
    place = place_new(p, parent, path, len);
    if (!place)
        prune(p, parent);
    return place;
}

static void drop_dead(struct dz_placement *p, struct dz_place *place)
{
    struct copy **at = &place->copies;
    while (*at) {
        struct copy *c = *at;
        if (p->alive(p->ctx, c->pid)) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        if (dz_map_get(&p->by_pid, pid_key(c->pid)) == c)
            dz_map_remove(&p->by_pid, pid_key(c->pid));
        dz_free(c);
        p->copies--;
    }
}

static void sweep(struct dz_placement *p)
{
    uint32_t it = 0;
    const char *key;
    void *value;
    while (dz_smap_next(&p->by_path, &it, &key, &value))
        drop_dead(p, value);
    /* Parents stand before their children, so those that became empty are pruned from behind, by the
     * children. */
    it = 0;
    while (dz_smap_next(&p->by_path, &it, &key, &value))
        prune(p, value);
    p->sweep_at = p->copies * 2 > DZ_PLACEMENT_SWEEP_MIN ? p->copies * 2 : DZ_PLACEMENT_SWEEP_MIN;
}

/* --- questions --- */

/* Its supervisor, or one further up that has been placed here, was lost with its node. */
static bool is_orphan(const struct dz_placement *p, const struct copy *c)
{
    if (c->by && p->lost(p->ctx, c->by))
        return true;
    for (const struct dz_place *up = c->place->parent; up; up = up->parent)
        for (const struct copy *above = up->copies; above; above = above->next)
            if (above->by && p->lost(p->ctx, above->by) &&
                dz_epoch_compare(above->epoch, above->epoch_len, c->epoch, c->epoch_len) == 0)
                return true;
    return false;
}

static bool has_newer(struct dz_placement *p, const struct dz_place *place, const struct dz_place_key *key)
{
    for (const struct copy *c = place->copies; c; c = c->next)
        if (!c->tentative && dz_epoch_compare(c->epoch, c->epoch_len, key->epoch, key->epoch_len) > 0 &&
            p->alive(p->ctx, c->pid) && !is_orphan(p, c))
            return true;
    return false;
}

int dz_placement_may(struct dz_placement *p, const struct dz_place_key *key)
{
    for (size_t len = key->path_len; len; len = parent_len(key->path, len)) {
        const struct dz_place *place = dz_smap_get(&p->by_path, key->path, len);
        if (place && has_newer(p, place, key))
            return DZ_ESUPERSEDED;
    }
    return 0;
}

struct older {
    struct dz_placement *p;
    const struct dz_place_key *key;
    bool lose_ties;
    uint32_t count;
    void (*visit)(void *ctx, struct dz_pid pid);
    void *ctx;
};

static void visit_older(struct older *o, const struct dz_place *place)
{
    for (const struct copy *c = place->copies; c; c = c->next) {
        int order = dz_epoch_compare(c->epoch, c->epoch_len, o->key->epoch, o->key->epoch_len);
        bool tie = order == 0 && o->lose_ties && c->epoch_len == o->key->epoch_len;
        if ((order >= 0 && !tie && !is_orphan(o->p, c)) || !o->p->alive(o->p->ctx, c->pid))
            continue;
        o->count++;
        if (o->visit)
            o->visit(o->ctx, c->pid);
    }
    dz_list_each (&place->children, it) visit_older(o, dz_list_entry(it, struct dz_place, siblings));
}

uint32_t dz_placement_older(struct dz_placement *p, const struct dz_place_key *key, bool lose_ties,
                            void (*visit)(void *ctx, struct dz_pid pid), void *ctx)
{
    struct older o = {p, key, lose_ties, 0, visit, ctx};
    const struct dz_place *place = dz_smap_get(&p->by_path, key->path, key->path_len);
    if (place)
        visit_older(&o, place);
    return o.count;
}

/* --- changes --- */

static bool has_copy(const struct dz_place *place, const struct dz_place_key *key, struct dz_pid pid)
{
    for (const struct copy *c = place->copies; c; c = c->next)
        if (dz_pid_eq(c->pid, pid) && c->epoch_len == key->epoch_len &&
            memcmp(c->epoch, key->epoch, key->epoch_len) == 0)
            return true;
    return false;
}

static void hear(struct dz_place *place, const struct dz_place_key *key)
{
    while (place->parent)
        place = place->parent;
    uint64_t number = first_number(key->epoch);
    if (number > place->highest)
        place->highest = number;
}

int dz_placement_add(struct dz_placement *p, const struct dz_place_key *key, struct dz_pid pid, uint32_t by)
{
    if (p->copies >= p->sweep_at)
        sweep(p);
    struct dz_place *place = obtain(p, key->path, key->path_len);
    if (!place)
        return DZ_ENOMEM;
    drop_dead(p, place);
    hear(place, key);
    if (has_copy(place, key, pid))
        return 0;
    struct copy *c = dz_zalloc(1, sizeof *c + key->epoch_len);
    if (!c || dz_map_put(&p->by_pid, pid_key(pid), c)) {
        dz_free(c);
        prune(p, place);
        return DZ_ENOMEM;
    }
    c->pid = pid;
    c->by = by;
    c->place = place;
    c->epoch_len = (uint32_t)key->epoch_len;
    memcpy(c->epoch, key->epoch, key->epoch_len);
    c->next = place->copies;
    place->copies = c;
    p->copies++;
    return 0;
}

void dz_placement_set_tentative(struct dz_placement *p, struct dz_pid pid, bool tentative)
{
    struct copy *c = dz_map_get(&p->by_pid, pid_key(pid));
    if (c)
        c->tentative = tentative;
}

bool dz_placement_of(struct dz_placement *p, struct dz_pid pid, struct dz_place_key *key)
{
    const struct copy *c = dz_map_get(&p->by_pid, pid_key(pid));
    if (!c)
        return false;
    *key = (struct dz_place_key){c->place->path, c->place->len, c->epoch, c->epoch_len};
    return true;
}

static size_t root_len(const char *path, size_t len)
{
    const char *slash = memchr(path, '/', len);
    return slash ? (size_t)(slash - path) : len;
}

void dz_placement_heard(struct dz_placement *p, const struct dz_place_key *key)
{
    size_t len = root_len(key->path, key->path_len);
    if (memchr(key->path, '@', len))
        return;
    struct dz_place *place = obtain(p, key->path, len);
    if (place)
        hear(place, key);
}

static uint64_t next_number(uint64_t highest, uint32_t node)
{
    uint64_t number = highest - highest % DZ_PLACEMENT_NODES + node;
    return number > highest ? number : number + DZ_PLACEMENT_NODES;
}

uint64_t dz_placement_next_root(struct dz_placement *p, const char *path, size_t len, uint32_t node)
{
    dz_assert(node < DZ_PLACEMENT_NODES);
    struct dz_place *place = obtain(p, path, root_len(path, len));
    if (!place)
        return next_number(0, node);
    place->highest = next_number(place->highest, node);
    uint64_t number = place->highest;
    prune(p, place);
    return number;
}

void dz_placement_each(struct dz_placement *p,
                       void (*visit)(void *ctx, const struct dz_place_key *key, struct dz_pid pid), void *ctx)
{
    uint32_t it = 0;
    const char *path;
    void *value;
    while (dz_smap_next(&p->by_path, &it, &path, &value)) {
        const struct dz_place *place = value;
        for (const struct copy *c = place->copies; c; c = c->next) {
            struct dz_place_key key = {place->path, place->len, c->epoch, c->epoch_len};
            if (!c->tentative && p->alive(p->ctx, c->pid) && !is_orphan(p, c))
                visit(ctx, &key, c->pid);
        }
    }
}
