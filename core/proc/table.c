#include "proc/table.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

static uint64_t load_of(uint64_t messages, uint64_t bytes)
{
    return messages * DZ_LOAD_MESSAGE + bytes;
}

int dz_table_init(struct dz_table *t)
{
    memset(t, 0, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    return 0;
}

void dz_table_fini(struct dz_table *t)
{
    for (uint32_t c = 0; c < t->chunk_count; c++)
        dz_free(atomic_load_explicit(&t->chunks[c], memory_order_relaxed));
    pthread_mutex_destroy(&t->lock);
}

static void append_free(struct dz_table *t, struct dz_slot *s)
{
    s->next_free = 0;
    if (t->last_free)
        dz_table_slot(t, t->last_free)->next_free = s->index;
    else
        t->first_free = s->index;
    t->last_free = s->index;
}

/* Under the lock: one more chunk, its slots in the free queue. Slot 0 is nobody's. */
static int grow(struct dz_table *t)
{
    if (t->chunk_count == DZ_TABLE_MAX / DZ_TABLE_CHUNK)
        return DZ_ETOOLARGE;
    struct dz_slot *chunk = dz_zalloc(DZ_TABLE_CHUNK, sizeof *chunk);
    if (!chunk)
        return DZ_ENOMEM;
    uint32_t base = t->chunk_count * DZ_TABLE_CHUNK;
    for (uint32_t i = 0; i < DZ_TABLE_CHUNK; i++)
        chunk[i].index = base + i;
    /* release: pairs with the acquire in dz_table_slot (table.h). */
    atomic_store_explicit(&t->chunks[t->chunk_count++], chunk, memory_order_release);
    for (uint32_t i = base == 0 ? 1 : 0; i < DZ_TABLE_CHUNK; i++)
        append_free(t, &chunk[i]);
    return 0;
}

int dz_table_reserve(struct dz_table *t, uint32_t thread, bool hidden, uint32_t node, struct dz_slot **slot,
                     struct dz_pid *pid)
{
    pthread_mutex_lock(&t->lock);
    int err = t->first_free ? 0 : grow(t);
    if (err) {
        pthread_mutex_unlock(&t->lock);
        return err;
    }
    struct dz_slot *s = dz_table_slot(t, t->first_free);
    t->first_free = s->next_free;
    if (!t->first_free)
        t->last_free = 0;
    pthread_mutex_unlock(&t->lock);

    uint32_t gen = atomic_load_explicit(&s->gen, memory_order_relaxed);
    dz_assert(gen % 2 == 0);
    s->proc = NULL;
    s->node = node;
    atomic_store_explicit(&s->thread, thread, memory_order_relaxed);
    atomic_store_explicit(&s->load, 0, memory_order_relaxed);
    atomic_store_explicit(&s->load_here, 0, memory_order_relaxed);
    atomic_store_explicit(&s->native, NULL, memory_order_relaxed);
    atomic_store_explicit(&s->dropped, 0, memory_order_relaxed);
    atomic_store_explicit(&s->named, 0, memory_order_relaxed);
    atomic_store_explicit(&s->hidden, hidden, memory_order_relaxed);
    atomic_store_explicit(&s->killed, 0, memory_order_relaxed);
    dz_table_set_limits(s, 0, 0);
    /* release: whoever finds the generation (dz_table_find) sees the thread. */
    atomic_store_explicit(&s->gen, gen + 1, memory_order_release);
    if (!hidden)
        atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    *slot = s;
    *pid = (struct dz_pid){node, s->index, gen + 1};
    return 0;
}

void dz_table_release(struct dz_table *t, struct dz_slot *s)
{
    uint32_t gen = atomic_load_explicit(&s->gen, memory_order_relaxed);
    dz_assert(gen % 2 == 1);
    s->proc = NULL;
    atomic_store_explicit(&s->gen, gen + 1, memory_order_release);
    if (!atomic_load_explicit(&s->hidden, memory_order_relaxed))
        atomic_fetch_sub_explicit(&t->count, 1, memory_order_relaxed);
    pthread_mutex_lock(&t->lock);
    append_free(t, s);
    pthread_mutex_unlock(&t->lock);
}

void dz_table_set_limits(struct dz_slot *s, uint32_t messages, uint64_t bytes)
{
    uint64_t most = (1u << 24) - 1;
    uint64_t m = messages ? messages : DZ_MAILBOX_MAX_MESSAGES;
    uint64_t b = bytes ? bytes : DZ_MAILBOX_MAX_BYTES;
    atomic_store_explicit(&s->limit, load_of(m < most ? m : most, b < DZ_LOAD_BYTES ? b : DZ_LOAD_BYTES),
                          memory_order_relaxed);
}

bool dz_table_take_room(struct dz_slot *s, uint32_t bytes)
{
    uint64_t mine = load_of(1, bytes);
    uint64_t load = atomic_fetch_add_explicit(&s->load, mine, memory_order_relaxed) + mine;
    if (dz_table_fits(s, load + atomic_load_explicit(&s->load_here, memory_order_relaxed)))
        return true;
    atomic_fetch_sub_explicit(&s->load, mine, memory_order_relaxed);
    return false;
}

void dz_table_give_back(struct dz_slot *s, uint32_t bytes)
{
    atomic_fetch_sub_explicit(&s->load, load_of(1, bytes), memory_order_relaxed);
}

bool dz_table_next(const struct dz_table *t, uint32_t *index, struct dz_pid *pid)
{
    struct dz_slot *s;
    while (++*index, (s = dz_table_slot(t, *index)) != NULL) {
        uint32_t gen = atomic_load_explicit(&s->gen, memory_order_acquire);
        if (gen % 2 == 0 || atomic_load_explicit(&s->hidden, memory_order_relaxed))
            continue;
        *pid = (struct dz_pid){s->node, *index, gen};
        return true;
    }
    return false;
}
