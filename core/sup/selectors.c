#include "sup/selectors.h"

#include "base/alloc.h"
#include "base/err.h"

void dz_selectors_init(struct dz_selectors *s)
{
    pthread_mutex_init(&s->lock, NULL);
    dz_smap_init(&s->by_name);
}

void dz_selectors_fini(struct dz_selectors *s)
{
    uint32_t it = 0;
    const char *key;
    void *value;
    while (dz_smap_next(&s->by_name, &it, &key, &value))
        dz_free(value);
    dz_smap_fini(&s->by_name);
    pthread_mutex_destroy(&s->lock);
}

static bool same(const struct dz_sup_function *a, const struct dz_sup_function *b)
{
    return a->worker == b->worker && a->generation == b->generation && a->number == b->number && a->kind == b->kind;
}

static int insert(struct dz_selectors *s, const char *name, size_t len, const struct dz_sup_function *function)
{
    struct dz_sup_function *copy = dz_alloc(sizeof *copy);
    if (!copy)
        return DZ_ENOMEM;
    *copy = *function;
    int err = dz_smap_put(&s->by_name, name, len, copy);
    if (err)
        dz_free(copy);
    return err;
}

int dz_selectors_register(struct dz_selectors *s, const char *name, size_t len, const struct dz_sup_function *function)
{
    int err = 0;
    pthread_mutex_lock(&s->lock);
    struct dz_sup_function *present = dz_smap_get(&s->by_name, name, len);
    if (!present)
        err = insert(s, name, len, function);
    else if (!same(present, function))
        err = DZ_EEXIST;
    pthread_mutex_unlock(&s->lock);
    return err;
}

bool dz_selectors_find(struct dz_selectors *s, const char *name, size_t len, struct dz_sup_function *out)
{
    pthread_mutex_lock(&s->lock);
    const struct dz_sup_function *present = dz_smap_get(&s->by_name, name, len);
    if (present)
        *out = *present;
    pthread_mutex_unlock(&s->lock);
    return present != NULL;
}
