#include "cluster/routes.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

void dz_routes_init(struct dz_routes *r, struct dz_nodes *nodes)
{
    memset(r, 0, sizeof *r);
    r->nodes = nodes;
    pthread_rwlock_init(&r->lock, NULL);
    dz_smap_init(&r->by_id);
    for (uint32_t i = 0; i < DZ_THREADS_MAX; i++)
        dz_buf_init(&r->gathering[i].scratch);
}

void dz_routes_fini(struct dz_routes *r)
{
    for (uint32_t i = 0; i < DZ_NODES_MAX / DZ_ROUTES_CHUNK; i++)
        dz_free(atomic_load_explicit(&r->chunks[i], memory_order_relaxed));
    for (uint32_t i = 0; i < DZ_THREADS_MAX; i++)
        dz_buf_fini(&r->gathering[i].scratch);
    dz_smap_fini(&r->by_id);
    pthread_rwlock_destroy(&r->lock);
    memset(r, 0, sizeof *r);
}

void dz_routes_attach(struct dz_routes *r, struct dz_transport *transport)
{
    pthread_rwlock_wrlock(&r->lock);
    r->transport = transport;
    pthread_rwlock_unlock(&r->lock);
}

static _Atomic uint64_t *place_of(const struct dz_routes *r, uint32_t index)
{
    /* acquire: pairs with the release in make_place. */
    struct dz_route_chunk *chunk = atomic_load_explicit(
        &((struct dz_routes *)(uintptr_t)r)->chunks[index / DZ_ROUTES_CHUNK], memory_order_acquire);
    return chunk ? &chunk->peers[index % DZ_ROUTES_CHUNK] : NULL;
}

static _Atomic uint64_t *make_place(struct dz_routes *r, uint32_t index)
{
    _Atomic uint64_t *place = place_of(r, index);
    if (place)
        return place;
    struct dz_route_chunk *chunk = dz_zalloc(1, sizeof *chunk);
    if (!chunk)
        return NULL;
    /* release: who finds the chunk finds it zeroed (acquire in place_of). */
    atomic_store_explicit(&r->chunks[index / DZ_ROUTES_CHUNK], chunk, memory_order_release);
    return place_of(r, index);
}

int dz_routes_open(struct dz_routes *r, uint32_t index, uint64_t peer)
{
    const char *id = dz_nodes_get(r->nodes, index)->id;
    dz_assert(peer != 0);
    _Atomic uint64_t *place = make_place(r, index);
    if (!place)
        return DZ_ENOMEM;
    pthread_rwlock_wrlock(&r->lock);
    int err = dz_smap_put(&r->by_id, id, strlen(id), (void *)(uintptr_t)(index + 1));
    pthread_rwlock_unlock(&r->lock);
    /* release: who sends there sees everything that was prepared for the session (acquire in dz_routes_get).
     */
    if (!err)
        atomic_store_explicit(place, peer, memory_order_release);
    return err;
}

static atomic_bool *apart_of(const struct dz_routes *r, uint32_t index)
{
    struct dz_route_chunk *chunk = atomic_load_explicit(
        &((struct dz_routes *)(uintptr_t)r)->chunks[index / DZ_ROUTES_CHUNK], memory_order_acquire);
    return chunk ? &chunk->apart[index % DZ_ROUTES_CHUNK] : NULL;
}

void dz_routes_set_apart(struct dz_routes *r, uint32_t index, bool apart)
{
    atomic_bool *place = apart_of(r, index);
    /* relaxed: whoever sends at this moment may see either. */
    if (place)
        atomic_store_explicit(place, apart, memory_order_relaxed);
}

bool dz_routes_is_apart(const struct dz_routes *r, uint32_t index)
{
    atomic_bool *place = apart_of(r, dz_nodes_resolve(r->nodes, index));
    return place && atomic_load_explicit(place, memory_order_relaxed);
}

void dz_routes_close(struct dz_routes *r, uint32_t index)
{
    const char *id = dz_nodes_get(r->nodes, index)->id;
    _Atomic uint64_t *place = place_of(r, index);
    if (!place || !atomic_load_explicit(place, memory_order_relaxed))
        return;
    atomic_store_explicit(place, 0, memory_order_release);
    dz_routes_set_apart(r, index, false);
    pthread_rwlock_wrlock(&r->lock);
    if ((uintptr_t)dz_smap_get(&r->by_id, id, strlen(id)) == index + 1)
        dz_smap_remove(&r->by_id, id, strlen(id));
    pthread_rwlock_unlock(&r->lock);
}

uint64_t dz_routes_get(const struct dz_routes *r, uint32_t index)
{
    _Atomic uint64_t *place = place_of(r, dz_nodes_resolve(r->nodes, index));
    return place ? atomic_load_explicit(place, memory_order_acquire) : 0;
}

int dz_routes_find(struct dz_routes *r, const char *id, size_t len, uint32_t *index)
{
    pthread_rwlock_rdlock(&r->lock);
    uintptr_t found = (uintptr_t)dz_smap_get(&r->by_id, id, len);
    pthread_rwlock_unlock(&r->lock);
    if (!found)
        return DZ_ENOCONNECTION;
    *index = (uint32_t)(found - 1);
    return 0;
}

int dz_routes_send(struct dz_routes *r, uint64_t peer, uint64_t key, const void *data, size_t len,
                   unsigned flags)
{
    int err = DZ_ENOCONNECTION;
    if (peer == 0)
        return err;
    pthread_rwlock_rdlock(&r->lock);
    if (r->transport)
        err = r->transport->ops->send(r->transport, peer, key, data, len, flags);
    pthread_rwlock_unlock(&r->lock);
    if (!err)
        atomic_fetch_add_explicit(&r->sent, 1, memory_order_relaxed);
    return err;
}

bool dz_routes_has_room(struct dz_routes *r, uint64_t peer, size_t len)
{
    pthread_rwlock_rdlock(&r->lock);
    bool room = !r->transport || r->transport->ops->has_room(r->transport, peer, len);
    pthread_rwlock_unlock(&r->lock);
    return room;
}

/* The place of the peer among those the thread has sent to; -1: it has no room. */
static int place_in(struct dz_gathering *g, uint64_t peer)
{
    for (uint32_t i = 0; i < g->count; i++)
        if (g->peers[i] == peer)
            return (int)i;
    if (g->count == DZ_ROUTES_GATHERED)
        return -1;
    g->peers[g->count] = peer;
    g->waits[g->count] = false;
    return (int)g->count++;
}

/* The first message of a round goes out at once if nobody else is about to run: one call after another must not wait for
 * anything. In a burst each later one waits for those behind it. */
int dz_routes_gather(struct dz_routes *r, struct dz_thread *from, uint64_t peer, uint64_t key, const void *data, size_t len,
                     unsigned flags, bool *late)
{
    struct dz_gathering *g = from->index < DZ_THREADS_MAX ? &r->gathering[from->index] : NULL;
    uint32_t before = g ? g->count : 0;
    int place = g ? place_in(g, peer) : -1;
    bool first = place < 0 || (g->count > before && dz_list_empty(&from->runq));
    *late = false;
    if (g)
        from->unflushed = true;
    int err = dz_routes_send(r, peer, key, data, len, flags | (first ? 0 : DZ_SEND_LATER));
    if (err || first)
        return err;
    *late = !g->waits[place];
    g->waits[place] = true;
    return 0;
}

struct dz_buf *dz_routes_borrow(struct dz_routes *r, struct dz_thread *from, struct dz_buf *spare)
{
    if (from->index < DZ_THREADS_MAX)
        return &r->gathering[from->index].scratch;
    dz_buf_init(spare);
    return spare;
}

void dz_routes_give_back(struct dz_buf *buf, const struct dz_buf *spare)
{
    if (buf != spare && buf->cap <= DZ_ROUTES_SCRATCH) {
        dz_buf_clear(buf);
        return;
    }
    dz_buf_fini(buf);
    dz_buf_init(buf);
}

static void flush_one(struct dz_routes *r, uint64_t peer)
{
    pthread_rwlock_rdlock(&r->lock);
    if (r->transport)
        r->transport->ops->flush(r->transport, peer);
    pthread_rwlock_unlock(&r->lock);
}

void dz_routes_flush(struct dz_routes *r, struct dz_thread *t)
{
    struct dz_gathering *g = &r->gathering[t->index];
    for (uint32_t i = 0; i < g->count; i++)
        if (g->waits[i])
            flush_one(r, g->peers[i]);
    g->count = 0;
}

void dz_routes_flush_all(struct dz_routes *r)
{
    uint32_t it = 0;
    const char *id;
    void *value;
    pthread_rwlock_rdlock(&r->lock);
    while (r->transport && dz_smap_next(&r->by_id, &it, &id, &value)) {
        uint64_t peer = dz_routes_get(r, (uint32_t)((uintptr_t)value - 1));
        if (peer)
            r->transport->ops->flush(r->transport, peer);
    }
    pthread_rwlock_unlock(&r->lock);
}

void dz_routes_broadcast(struct dz_routes *r, uint64_t except, uint64_t key, const void *data, size_t len)
{
    uint32_t it = 0;
    const char *id;
    void *value;
    pthread_rwlock_rdlock(&r->lock);
    while (r->transport && dz_smap_next(&r->by_id, &it, &id, &value)) {
        uint64_t peer = dz_routes_get(r, (uint32_t)((uintptr_t)value - 1));
        if (peer && peer != except &&
            r->transport->ops->send(r->transport, peer, key, data, len, DZ_SEND_RESERVED) == DZ_EOVERLOADED)
            dz_routes_note_overrun(r, peer);
    }
    pthread_rwlock_unlock(&r->lock);
}

/* Should two sessions be overrun at once, the later one counts; the other one is found by the next frame that has no room. */
void dz_routes_note_overrun(struct dz_routes *r, uint64_t peer)
{
    atomic_store_explicit(&r->overrun, peer, memory_order_relaxed);
}

uint64_t dz_routes_take_overrun(struct dz_routes *r)
{
    return atomic_exchange_explicit(&r->overrun, 0, memory_order_relaxed);
}

uint32_t dz_routes_list(struct dz_routes *r, uint64_t **peers)
{
    uint32_t it = 0, count = 0;
    const char *id;
    void *value;
    pthread_rwlock_rdlock(&r->lock);
    *peers = r->by_id.count ? dz_alloc(r->by_id.count * sizeof **peers) : NULL;
    while (*peers && dz_smap_next(&r->by_id, &it, &id, &value)) {
        uint64_t peer = dz_routes_get(r, (uint32_t)((uintptr_t)value - 1));
        if (peer)
            (*peers)[count++] = peer;
    }
    pthread_rwlock_unlock(&r->lock);
    return count;
}
