#include "vm/behavior.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "vm/embed.h"

#define FILE_MAX     (16u * 1024u * 1024u)
#define PATH_ROOM    1024
#define NAME_MAX_LEN 255

int dz_behaviors_init(struct dz_behaviors *b)
{
    memset(b, 0, sizeof *b);
    dz_smap_init(&b->by_name);
    dz_smap_init(&b->dirs);
    return pthread_mutex_init(&b->lock, NULL) ? DZ_ENOMEM : 0;
}

static void delete (struct dz_behavior *e)
{
    if (e) {
        dz_free(e->path);
        dz_free(e->source);
        dz_free(e);
    }
}

void dz_behaviors_fini(struct dz_behaviors *b)
{
    uint32_t it = 0;
    const char *name;
    void *value;
    while (dz_smap_next(&b->by_name, &it, &name, &value))
        delete (value);
    dz_smap_fini(&b->by_name);
    dz_smap_fini(&b->dirs);
    pthread_mutex_destroy(&b->lock);
}

int dz_behaviors_add_dir(struct dz_behaviors *b, const char *dir)
{
    pthread_mutex_lock(&b->lock);
    int err = dz_smap_get(&b->dirs, dir, strlen(dir)) ? 0 : dz_smap_put(&b->dirs, dir, strlen(dir), b);
    pthread_mutex_unlock(&b->lock);
    return err;
}

/* --- sources --- */

/* The whole file. DZ_ENOBEHAVIOR when there is none. */
static int read_file(const char *path, uint8_t **data, size_t *len)
{
    struct dz_buf buf;
    uint8_t block[8192];
    size_t n;
    int err = 0;
    FILE *f = fopen(path, "rb");
    if (!f)
        return DZ_ENOBEHAVIOR;
    dz_buf_init(&buf);
    buf.limit = FILE_MAX;
    while (!err && (n = fread(block, 1, sizeof block, f)) > 0)
        err = dz_buf_append(&buf, block, n);
    if (!err && ferror(f))
        err = DZ_ENOBEHAVIOR; /* a directory of that name, say */
    if (!err)
        err = dz_buf_reserve(&buf, 1); /* an empty file has bytes, too */
    fclose(f);
    if (err)
        dz_buf_fini(&buf);
    else
        *data = dz_buf_detach(&buf, len);
    return err;
}

/* An entry that has taken the source. */
static int make(const char *path, uint8_t **source, size_t len, struct dz_behavior **out)
{
    struct dz_behavior *e = dz_zalloc(1, sizeof *e);
    if (!e)
        return DZ_ENOMEM;
    e->kind = DZ_BEHAVIOR_FILE;
    e->path = dz_strndup(path, strlen(path));
    e->source = *source;
    e->source_len = len;
    *source = NULL;
    if (!e->path) {
        delete (e);
        return DZ_ENOMEM;
    }
    *out = e;
    return 0;
}

static int load(const char *path, struct dz_behavior **out)
{
    uint8_t *source = NULL;
    size_t len;
    int err = read_file(path, &source, &len);
    if (!err)
        err = make(path, &source, len, out);
    dz_free(source);
    return err;
}

static int load_embedded(const char *name, struct dz_behavior **out)
{
    char key[NAME_MAX_LEN + 16];
    snprintf(key, sizeof key, "behaviors/%s", name);
    const struct dz_embedded *found = dz_embedded_find(dz_embedded_sources, key);
    if (!found)
        return DZ_ENOBEHAVIOR;
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "=%s", found->path);
    uint8_t *source = dz_alloc(found->len + 1);
    if (!source)
        return DZ_ENOMEM;
    memcpy(source, found->data, found->len);
    int err = make(path, &source, found->len, out);
    dz_free(source);
    return err;
}

/* A name that may be part of a file name below one of our directories. */
static bool is_searchable(const char *name, size_t len)
{
    if (len == 0 || len > NAME_MAX_LEN || name[0] == '/' || name[0] == '.' || memchr(name, '\0', len))
        return false;
    for (size_t i = 0; i + 1 < len; i++) {
        if (name[i] == '.' && name[i + 1] == '.')
            return false;
    }
    return true;
}

static int search(struct dz_behaviors *b, const char *name, struct dz_behavior **out)
{
    char path[PATH_ROOM];
    uint32_t it = 0;
    const char *dir;
    void *value;
    while (dz_smap_next(&b->dirs, &it, &dir, &value)) {
        for (size_t i = 0; i < 2; i++) {
            if (snprintf(path, sizeof path, i ? "%s/%s/init.lua" : "%s/%s.lua", dir, name) >=
                (int)sizeof path)
                continue;
            int err = load(path, out);
            if (err != DZ_ENOBEHAVIOR)
                return err;
        }
    }
    return load_embedded(name, out);
}

static int find_locked(struct dz_behaviors *b, const char *name, size_t len, struct dz_behavior **out)
{
    char text[NAME_MAX_LEN + 1];
    *out = dz_smap_get(&b->by_name, name, len);
    if (*out)
        return 0;
    if (!is_searchable(name, len))
        return DZ_ENOBEHAVIOR;
    memcpy(text, name, len);
    text[len] = '\0';
    int err = search(b, text, out);
    if (!err && (err = dz_smap_put(&b->by_name, name, len, *out)) != 0)
        delete (*out);
    return err;
}

int dz_behaviors_find(struct dz_behaviors *b, const char *name, size_t len, const struct dz_behavior **out)
{
    struct dz_behavior *e = NULL;
    pthread_mutex_lock(&b->lock);
    int err = find_locked(b, name, len, &e);
    pthread_mutex_unlock(&b->lock);
    *out = err ? NULL : e;
    return err;
}

int dz_behaviors_places(struct dz_behaviors *b, const char *name, size_t len, struct dz_buf *out)
{
    uint32_t it = 0;
    const char *dir;
    void *value;
    int err = 0;
    pthread_mutex_lock(&b->lock);
    while (!err && dz_smap_next(&b->dirs, &it, &dir, &value))
        err = dz_buf_printf(out, "%s/%.*s.lua; %s/%.*s/init.lua; ", dir, (int)len, name, dir, (int)len, name);
    pthread_mutex_unlock(&b->lock);
    return err ? err : dz_buf_printf(out, "the built-in behaviours");
}

/* --- registering --- */

static bool same_source(const struct dz_behavior *a, const struct dz_behavior *e)
{
    return a->kind == DZ_BEHAVIOR_FILE && a->source_len == e->source_len &&
           memcmp(a->source, e->source, e->source_len) == 0;
}

int dz_behaviors_register_file(struct dz_behaviors *b, const char *name, size_t len, const char *path)
{
    struct dz_behavior *e = NULL;
    int err = load(path, &e);
    if (err)
        return err;
    pthread_mutex_lock(&b->lock);
    struct dz_behavior *old = dz_smap_get(&b->by_name, name, len);
    if (old) {
        err = same_source(old, e) ? 0 : DZ_EEXIST;
        if (!err)
            old->registered = true;
        delete (e);
    } else {
        e->registered = true;
        err = dz_smap_put(&b->by_name, name, len, e);
        if (err)
            delete (e);
    }
    pthread_mutex_unlock(&b->lock);
    return err;
}

static int put_table(struct dz_behaviors *b, const char *name, size_t len, uint32_t thread,
                     uint32_t generation)
{
    struct dz_behavior *e = dz_zalloc(1, sizeof *e);
    if (!e)
        return DZ_ENOMEM;
    e->kind = DZ_BEHAVIOR_TABLE;
    e->thread = thread;
    e->generation = generation;
    e->registered = true;
    int err = dz_smap_put(&b->by_name, name, len, e);
    if (err)
        delete (e);
    return err;
}

int dz_behaviors_register_table(struct dz_behaviors *b, const char *name, size_t len, uint32_t thread,
                                uint32_t generation)
{
    int err = 0;
    pthread_mutex_lock(&b->lock);
    struct dz_behavior *old = dz_smap_get(&b->by_name, name, len);
    if (!old)
        err = put_table(b, name, len, thread, generation);
    else if (old->kind == DZ_BEHAVIOR_TABLE && old->thread == thread)
        old->generation = generation; /* a fresh state took the place of a lost one */
    else
        err = DZ_EEXIST;
    pthread_mutex_unlock(&b->lock);
    return err;
}

/* --- questions --- */

uint32_t dz_behaviors_thread(struct dz_behaviors *b, const char *name, size_t len)
{
    pthread_mutex_lock(&b->lock);
    const struct dz_behavior *e = dz_smap_get(&b->by_name, name, len);
    uint32_t thread = e && e->kind == DZ_BEHAVIOR_TABLE ? e->thread : 0;
    pthread_mutex_unlock(&b->lock);
    return thread;
}

/* Only other nodes ask for it, so a node without any never wakes the crypto library for it. */
static bool has_hash(struct dz_behavior *e)
{
    unsigned len = sizeof e->hash;
    if (e->kind == DZ_BEHAVIOR_FILE && !e->hashed)
        e->hashed = EVP_Digest(e->source, e->source_len, e->hash, &len, EVP_sha256(), NULL) == 1;
    return e->hashed;
}

bool dz_behaviors_hash(struct dz_behaviors *b, const char *name, size_t len, uint8_t out[DZ_BEHAVIOR_HASH])
{
    struct dz_behavior *e = NULL;
    if (!name)
        return false;
    pthread_mutex_lock(&b->lock);
    bool found = find_locked(b, name, len, &e) == 0 && has_hash(e);
    if (found)
        memcpy(out, e->hash, DZ_BEHAVIOR_HASH);
    pthread_mutex_unlock(&b->lock);
    return found;
}

void dz_behaviors_each(struct dz_behaviors *b, void (*visit)(void *ctx, const char *name, size_t len),
                       void *ctx)
{
    static const char prefix[] = "behaviors/";
    uint32_t it = 0;
    const char *name;
    void *value;
    pthread_mutex_lock(&b->lock);
    while (dz_smap_next(&b->by_name, &it, &name, &value))
        visit(ctx, name, strlen(name));
    for (const struct dz_embedded *e = dz_embedded_sources; e->name; e++) {
        if (strncmp(e->name, prefix, sizeof prefix - 1) != 0)
            continue;
        name = e->name + sizeof prefix - 1;
        if (!dz_smap_get(&b->by_name, name, strlen(name)))
            visit(ctx, name, strlen(name));
    }
    pthread_mutex_unlock(&b->lock);
}
