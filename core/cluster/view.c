#include "cluster/view.h"

#include <string.h>
#include "base/alloc.h"
#include "base/err.h"

void dz_view_init(struct dz_view *v, struct dz_rt *rt, uint64_t now_ms)
{
    memset(v, 0, sizeof *v);
    v->rt = rt;
    pthread_mutex_init(&v->lock, NULL);
    v->self.told_ms = now_ms;
    (void)dz_view_set_self(v, NULL, 0);
}

static void free_attributes(struct dz_view_entry *e)
{
    dz_free((void *)(uintptr_t)e->record.attributes);
    e->record.attributes = NULL;
    e->record.attributes_len = 0;
}

static int copy_attributes(struct dz_view_entry *e, const uint8_t *data, size_t len)
{
    uint8_t *copy = len ? dz_alloc(len) : NULL;
    if (len && !copy)
        return DZ_ENOMEM;
    if (len)
        memcpy(copy, data, len);
    e->record.attributes = copy;
    e->record.attributes_len = len;
    return 0;
}

static void free_entries(struct dz_view_entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free_attributes(&entries[i]);
    dz_free(entries);
}

void dz_view_fini(struct dz_view *v)
{
    free_entries(v->entries, v->count);
    free_attributes(&v->self);
    pthread_mutex_destroy(&v->lock);
}

static void identify(struct dz_view *v)
{
    struct dz_node_record *r = &v->self.record;
    r->is_self = true;
    uint32_t index = atomic_load_explicit(&v->rt->nodes.named, memory_order_acquire);
    size_t name_len = 0, host_len = 0;
    r->id = dz_nodes_get(&v->rt->nodes, index)->id;
    (void)dz_node_id_parse(r->id, strlen(r->id), &name_len, &host_len, &r->port, NULL);
    r->name_len = (uint32_t)name_len;
    r->host_len = (uint32_t)host_len;
    r->status = "up";
    r->incarnation = dz_nodes_get(&v->rt->nodes, index)->incarnation;
    v->self.connected = true;
}

int dz_view_set_self(struct dz_view *v, const uint8_t *attributes, size_t len)
{
    pthread_mutex_lock(&v->lock);
    free_attributes(&v->self);
    int err = copy_attributes(&v->self, attributes, len);
    identify(v);
    pthread_mutex_unlock(&v->lock);
    return err;
}

void dz_view_set_refused(struct dz_view *v, uint64_t count)
{
    pthread_mutex_lock(&v->lock);
    v->self.record.refused = count;
    pthread_mutex_unlock(&v->lock);
}

void dz_view_renew_self(struct dz_view *v)
{
    pthread_mutex_lock(&v->lock);
    identify(v);
    pthread_mutex_unlock(&v->lock);
}

static void take_figures(struct dz_view_entry *e, const struct dz_node *n, uint64_t wall_ms)
{
    e->record.status = dz_node_status_text(n);
    e->record.processes = n->processes;
    e->record.uptime_ms = n->uptime_ms;
    e->record.last_heartbeat_at = wall_ms;
    e->told_ms = n->uptime_at_ms;
    e->placed_since = n->placed_since;
    e->connected = n->status == DZ_NODE_UP;
    e->draining = n->draining;
}

static int fill(struct dz_view *v, struct dz_view_entry *e, const struct dz_node *n, uint64_t wall_ms)
{
    memset(e, 0, sizeof *e);
    e->node = n->index;
    e->record.id = dz_nodes_get(&v->rt->nodes, n->index)->id;
    e->record.name_len = n->name_len;
    e->record.host_len = n->host_len;
    e->record.port = n->port;
    e->record.incarnation = n->incarnation;
    take_figures(e, n, wall_ms);
    return copy_attributes(e, n->attributes, n->attributes_len);
}

static struct dz_view_entry *find(struct dz_view *v, uint32_t node)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (v->entries[i].node == node)
            return &v->entries[i];
    return NULL;
}

int dz_view_rebuild(struct dz_view *v, const struct dz_membership *m)
{
    uint64_t wall_ms = dz_env_wall_ms(v->rt->env);
    struct dz_view_entry *entries = m && m->count ? dz_zalloc(m->count, sizeof *entries) : NULL;
    uint32_t count = 0;
    int err = m && m->count && !entries ? DZ_ENOMEM : 0;
    pthread_mutex_lock(&v->lock);
    for (uint32_t i = 0; !err && m && i < m->count; i++) {
        if (!dz_node_is_met(m->nodes[i]))
            continue;
        err = fill(v, &entries[count], m->nodes[i], wall_ms);
        const struct dz_view_entry *old = find(v, m->nodes[i]->index);
        if (old) {
            entries[count].placed_since = old->placed_since;
            entries[count].record.last_heartbeat_at = old->record.last_heartbeat_at;
        }
        count++;
    }
    struct dz_view_entry *was = v->entries;
    uint32_t was_count = v->count;
    v->entries = entries;
    v->count = count;
    pthread_mutex_unlock(&v->lock);
    free_entries(was, was_count);
    return err;
}

void dz_view_figures(struct dz_view *v, const struct dz_node *n)
{
    uint64_t wall_ms = dz_env_wall_ms(v->rt->env);
    pthread_mutex_lock(&v->lock);
    struct dz_view_entry *e = find(v, n->index);
    if (e)
        take_figures(e, n, wall_ms);
    pthread_mutex_unlock(&v->lock);
}

static struct dz_candidate candidate(const struct dz_view_entry *e, bool local)
{
    return (struct dz_candidate){
        .node = e->node,
        .id = e->record.id,
        .local = local,
        .connected = e->connected,
        .draining = e->draining,
        .process_count = e->record.processes,
        .placed_since = e->placed_since,
    };
}

static uint32_t own_processes(const struct dz_view *v)
{
    return atomic_load_explicit(&v->rt->table.count, memory_order_relaxed);
}

size_t dz_view_candidates(struct dz_view *v, struct dz_candidate *out, size_t cap)
{
    pthread_mutex_lock(&v->lock);
    size_t count = v->count + 1;
    for (size_t i = 0; i < count && i < cap; i++)
        out[i] = i == 0 ? candidate(&v->self, true) : candidate(&v->entries[i - 1], false);
    pthread_mutex_unlock(&v->lock);
    if (cap > 0)
        out[0].process_count = own_processes(v);
    return count;
}

static void build_self(struct dz_view *v, struct dz_build *b)
{
    struct dz_node_record r = v->self.record;
    uint64_t now_ms = dz_env_now_ms(v->rt->env);
    r.processes = own_processes(v);
    r.uptime_ms = now_ms - v->self.told_ms;
    r.last_heartbeat_at = dz_env_wall_ms(v->rt->env);
    dz_node_record_build(&r, b);
}

void dz_view_build_self(struct dz_view *v, struct dz_build *b)
{
    pthread_mutex_lock(&v->lock);
    build_self(v, b);
    pthread_mutex_unlock(&v->lock);
}

void dz_view_build(struct dz_view *v, struct dz_build *b)
{
    uint64_t now_ms = dz_env_now_ms(v->rt->env);
    pthread_mutex_lock(&v->lock);
    dz_build_array(b, v->count + 1);
    build_self(v, b);
    for (uint32_t i = 0; i < v->count; i++) {
        struct dz_node_record r = v->entries[i].record;
        r.uptime_ms += now_ms - v->entries[i].told_ms;
        dz_node_record_build(&r, b);
    }
    pthread_mutex_unlock(&v->lock);
}

void dz_view_count_placed(struct dz_view *v, uint32_t node)
{
    pthread_mutex_lock(&v->lock);
    struct dz_view_entry *e = find(v, node);
    if (e)
        e->placed_since++;
    pthread_mutex_unlock(&v->lock);
}
