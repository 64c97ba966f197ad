#include "proc/names.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

struct dz_name {
    struct dz_name *next; /* of the same process */
    struct dz_pid pid;
    size_t len;
    char text[];
};

int dz_names_init(struct dz_names *n)
{
    pthread_mutex_init(&n->lock, NULL);
    dz_smap_init(&n->by_name);
    dz_map_init(&n->by_slot);
    return 0;
}

void dz_names_fini(struct dz_names *n)
{
    uint32_t it = 0;
    void *value;
    const char *key;
    while (dz_smap_next(&n->by_name, &it, &key, &value))
        dz_free(value);
    dz_smap_fini(&n->by_name);
    dz_map_fini(&n->by_slot);
    pthread_mutex_destroy(&n->lock);
}

static int insert(struct dz_names *n, struct dz_slot *slot, const char *text, size_t len, struct dz_pid pid)
{
    struct dz_name *name = dz_alloc(sizeof *name + len);
    if (!name)
        return DZ_ENOMEM;
    name->pid = pid;
    name->len = len;
    memcpy(name->text, text, len);
    name->next = dz_map_get(&n->by_slot, slot->index);
    if (dz_smap_put(&n->by_name, text, len, name)) {
        dz_free(name);
        return DZ_ENOMEM;
    }
    if (dz_map_put(&n->by_slot, slot->index, name)) {
        dz_smap_remove(&n->by_name, text, len);
        dz_free(name);
        return DZ_ENOMEM;
    }
    atomic_store_explicit(&slot->named, 1, memory_order_relaxed);
    return 0;
}

int dz_names_register(struct dz_names *n, struct dz_table *t, const char *text, size_t len, struct dz_pid pid,
                      struct dz_pid *owner)
{
    int err;
    pthread_mutex_lock(&n->lock);
    struct dz_name *present = dz_smap_get(&n->by_name, text, len);
    struct dz_slot *slot = dz_table_find(t, pid);
    if (present) {
        if (owner)
            *owner = present->pid;
        err = DZ_ENAMETAKEN;
    } else {
        err = slot ? insert(n, slot, text, len, pid) : DZ_ENOPROC;
    }
    pthread_mutex_unlock(&n->lock);
    return err;
}

static void unchain(struct dz_names *n, struct dz_name *name)
{
    struct dz_name *first = dz_map_get(&n->by_slot, name->pid.slot);
    if (first == name) {
        if (name->next) {
            int err = dz_map_put(&n->by_slot, name->pid.slot, name->next); /* replaces: cannot fail */
            dz_assert(!err);
        } else {
            dz_map_remove(&n->by_slot, name->pid.slot);
        }
        return;
    }
    while (first->next != name)
        first = first->next;
    first->next = name->next;
}

bool dz_names_unregister(struct dz_names *n, const char *text, size_t len)
{
    pthread_mutex_lock(&n->lock);
    struct dz_name *name = dz_smap_remove(&n->by_name, text, len);
    if (name)
        unchain(n, name);
    pthread_mutex_unlock(&n->lock);
    dz_free(name);
    return name != NULL;
}

struct dz_pid dz_names_whereis(struct dz_names *n, const char *text, size_t len)
{
    pthread_mutex_lock(&n->lock);
    struct dz_name *name = dz_smap_get(&n->by_name, text, len);
    struct dz_pid pid = name ? name->pid : DZ_PID_NONE;
    pthread_mutex_unlock(&n->lock);
    return pid;
}

bool dz_names_of(struct dz_names *n, struct dz_pid pid, char *out)
{
    pthread_mutex_lock(&n->lock);
    struct dz_name *name = dz_map_get(&n->by_slot, pid.slot);
    while (name && name->next) /* the oldest is the one given at the start */
        name = name->next;
    bool found = name && name->pid.gen == pid.gen;
    if (found) {
        size_t len = name->len <= DZ_NAME_MAX ? name->len : DZ_NAME_MAX;
        memcpy(out, name->text, len);
        out[len] = 0;
    }
    pthread_mutex_unlock(&n->lock);
    return found;
}

void dz_names_end(struct dz_names *n, struct dz_table *t, struct dz_slot *slot)
{
    struct dz_name *name = NULL;
    pthread_mutex_lock(&n->lock);
    /* Read under the lock: a name registered from another thread a moment ago counts, one later finds the slot dead. */
    if (atomic_load_explicit(&slot->named, memory_order_relaxed))
        name = dz_map_remove(&n->by_slot, slot->index);
    for (struct dz_name *it = name; it; it = it->next)
        dz_smap_remove(&n->by_name, it->text, it->len);
    dz_table_release(t, slot);
    pthread_mutex_unlock(&n->lock);
    while (name) {
        struct dz_name *next = name->next;
        dz_free(name);
        name = next;
    }
}

void dz_names_each(struct dz_names *n, void (*visit)(void *ctx, const char *name, size_t len, struct dz_pid pid),
                   void *ctx)
{
    uint32_t it = 0;
    void *value;
    const char *key;
    pthread_mutex_lock(&n->lock);
    while (dz_smap_next(&n->by_name, &it, &key, &value)) {
        struct dz_name *name = value;
        visit(ctx, name->text, name->len, name->pid);
    }
    pthread_mutex_unlock(&n->lock);
}
