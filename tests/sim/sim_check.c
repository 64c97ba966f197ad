#include "sim_check.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "cluster/placement.h"
#include "sim_client.h"
#include "sim_intensity.h"
#include "sim_life.h"

#define CHECK_EVERY_NS (100u * SIM_MS)

void sim_check_init(struct sim_check *c, struct sim *sim)
{
    memset(c, 0, sizeof *c);
    c->sim = sim;
    dz_smap_init(&c->paths);
    dz_list_init(&c->kids);
}

void sim_check_fini(struct sim_check *c)
{
    struct dz_list *node;
    uint32_t it = 0;
    const char *key;
    void *value;
    while ((node = dz_list_pop_front(&c->kids)) != NULL)
        dz_free(dz_list_entry(node, struct sim_kid_record, all));
    while (dz_smap_next(&c->paths, &it, &key, &value))
        dz_free(value);
    dz_smap_fini(&c->paths);
    dz_free(c->live);
}

static bool is_quiet(const struct sim_check *c, uint64_t ms)
{
    return c->sim->now_ns - c->troubled_ns >= ms * SIM_MS;
}

/* --- births and deaths --- */

static struct sim_path *path_of(struct sim_check *c, const char *text, size_t len)
{
    struct sim_path *p = dz_smap_get(&c->paths, text, len);
    if (p)
        return p;
    p = dz_zalloc_must(1, sizeof *p);
    dz_list_init(&p->live);
    dz_assert(len < sizeof p->text);
    memcpy(p->text, text, len);
    int err = dz_smap_put(&c->paths, text, len, p);
    dz_assert(!err);
    return p;
}

static void note(struct sim_check *c, const struct sim_kid_record *kid, const char *what)
{
    char epoch[200] = "";
    for (size_t i = 0; i + 8 <= kid->epoch_len; i += 8)
        snprintf(epoch + strlen(epoch), sizeof epoch - strlen(epoch), "%s%u", i ? "." : "",
                 (unsigned)(uint8_t)kid->epoch[i + 6] << 8 | (uint8_t)kid->epoch[i + 7]);
    sim_note(c->sim, "h%d %s %s %s epoch %s uid %llu", kid->host, what, kid->behavior, kid->path->text, epoch,
             (unsigned long long)kid->uid);
}

/* On one host, the older copy is gone before the newer one begins; and nobody starts what is older than what lives. */
static void check_birth(struct sim_check *c, struct sim_kid_record *kid)
{
    dz_list_each (&kid->path->live, it) {
        struct sim_kid_record *other = dz_list_entry(it, struct sim_kid_record, at_path);
        if (other->life == kid->life)
            sim_fail(c->sim, "two copies of %s on h%d (uids %llu, %llu)", kid->path->text, kid->host,
                     (unsigned long long)other->uid, (unsigned long long)kid->uid);
        if (is_quiet(c, SIM_GRACE_MS) && dz_epoch_compare(other->epoch, other->epoch_len, kid->epoch, kid->epoch_len) == 0)
            sim_fail(c->sim, "two copies of %s with one epoch, on h%d and h%d", kid->path->text, other->host, kid->host);
    }
}

struct sim_kid_record *sim_check_born(struct sim_check *c, struct sim_life *life, struct dz_pid pid,
                                      const struct dz_spawn *spawn)
{
    struct sim_kid_record *kid = dz_zalloc_must(1, sizeof *kid);
    kid->path = path_of(c, spawn->path.s ? spawn->path.s : "?", spawn->path.s ? spawn->path.len : 1);
    kid->life = life;
    kid->host = life->index;
    kid->life_number = life->number;
    kid->uid = ++c->uid;
    kid->pid = pid;
    kid->parent = spawn->parent;
    kid->born_ns = c->sim->now_ns;
    kid->epoch_len = spawn->epoch.len < sizeof kid->epoch ? spawn->epoch.len : 0;
    if (kid->epoch_len)
        memcpy(kid->epoch, spawn->epoch.s, kid->epoch_len);
    snprintf(kid->behavior, sizeof kid->behavior, "%.*s", (int)spawn->name.len, spawn->name.s);
    c->starts++;
    if (!life->ending)
        check_birth(c, kid);
    struct sim_kid_record *before = kid->path->last;
    if (before && before->life_number == kid->life_number && dz_pid_eq(before->parent, kid->parent))
        sim_intensity_restarted(&c->sim->intensity, before);
    if (c->live_count == c->live_cap) {
        c->live_cap = c->live_cap ? c->live_cap * 2 : 256;
        c->live = dz_realloc(c->live, c->live_cap * sizeof(struct sim_kid_record *));
        dz_assert(c->live);
    }
    kid->live_index = c->live_count;
    c->live[c->live_count++] = kid;
    dz_list_push_back(&c->kids, &kid->all);
    dz_list_push_back(&kid->path->live, &kid->at_path);
    kid->path->count++;
    note(c, kid, "born");
    if (life->ending)
        sim_check_gone(c, kid);
    return kid;
}

void sim_check_gone(struct sim_check *c, struct sim_kid_record *kid)
{
    note(c, kid, "gone");
    kid->life = NULL;
    kid->gone_ns = c->sim->now_ns;
    c->live[kid->live_index] = c->live[--c->live_count];
    c->live[kid->live_index]->live_index = kid->live_index;
    dz_list_remove(&kid->at_path);
    kid->path->count--;
    kid->path->last = kid;
}

void sim_check_life_lost(struct sim_check *c, struct sim_life *life)
{
    for (size_t i = c->live_count; i-- > 0;)
        if (c->live[i]->life == life)
            sim_check_gone(c, c->live[i]);
}

/* --- at any moment --- */

/* Does the supervisor of this child live? */
static bool has_supervisor(struct sim_check *c, const struct sim_kid_record *kid)
{
    struct dz_nodes *nodes = &kid->life->rt.nodes;
    if (dz_nodes_is_self(nodes, kid->parent.node))
        return dz_driver_is_supervisor(&kid->life->driver, kid->parent);
    const struct dz_node_entry *e = dz_nodes_get(nodes, dz_nodes_resolve(nodes, kid->parent.node));
    for (unsigned i = 0; i < c->sim->options.hosts; i++) {
        struct sim_life *l = c->sim->lives[i];
        if (!l || strcmp(l->id, e->id) != 0)
            continue;
        struct dz_pid pid = sim_life_translate(kid->life, kid->parent, l);
        return dz_nodes_is_self(&l->rt.nodes, pid.node) && dz_driver_is_supervisor(&l->driver, pid);
    }
    return false;
}

static void check_copies(struct sim_check *c)
{
    for (size_t i = 0; i < c->live_count; i++)
        if (c->live[i]->path->count > 1)
            sim_fail(c->sim, "%u copies of %s (%s on h%d), %u s after the last trouble", c->live[i]->path->count,
                     c->live[i]->path->text, c->live[i]->behavior, c->live[i]->host, (unsigned)((c->sim->now_ns - c->troubled_ns) / 1000000000u));
}

/* A stopping child may outlive a killed supervisor for its own shutdown timeout; these are at most a second. */
static void check_orphans(struct sim_check *c)
{
    for (size_t i = 0; i < c->live_count; i++)
        if (!has_supervisor(c, c->live[i]))
            sim_fail(c->sim, "%s %s on h%d has no supervisor, %u s after the last trouble", c->live[i]->behavior, c->live[i]->path->text,
                     c->live[i]->host, (unsigned)((c->sim->now_ns - c->troubled_ns) / 1000000000u));
}

void sim_check_now(struct sim_check *c)
{
    if (c->sim->now_ns < c->next_ns)
        return;
    c->next_ns = c->sim->now_ns + CHECK_EVERY_NS;
    if (is_quiet(c, SIM_GRACE_MS))
        check_copies(c);
}

/* --- when all is quiet --- */

static void check_members(struct sim_check *c)
{
    struct dz_cluster_candidate found[SIM_HOSTS_MAX];
    for (unsigned i = 0; i < c->sim->options.hosts; i++) {
        struct sim_life *l = c->sim->lives[i];
        size_t n = dz_cluster_candidates(l->cluster, found, SIM_HOSTS_MAX);
        size_t connected = 0;
        for (size_t k = 0; k < n && k < SIM_HOSTS_MAX; k++)
            connected += found[k].connected;
        if (n != c->sim->options.hosts || connected != n)
            sim_fail(c->sim, "h%u sees %zu hosts, %zu of them connected", i, n, connected);
    }
}

/* Every host has the same names for the same processes. */
static void names_of(struct sim_life *l, struct dz_buf *out)
{
    char name[16], text[DZ_PID_TEXT_MAX];
    for (unsigned i = 0; i < 4; i++) {
        int len = snprintf(name, sizeof name, "root%u", i);
        struct dz_pid pid = dz_cluster_global_whereis(l->cluster, name, (size_t)len);
        text[0] = 0;
        if (!dz_pid_is_none(pid))
            dz_pid_format(&l->rt.nodes, pid, text);
        dz_buf_printf(out, "%s=%s ", name, text);
    }
}

static void check_names(struct sim_check *c)
{
    struct dz_buf first, other;
    dz_buf_init(&first);
    names_of(c->sim->lives[0], &first);
    for (unsigned i = 1; i < c->sim->options.hosts; i++) {
        dz_buf_init(&other);
        names_of(c->sim->lives[i], &other);
        if (first.len != other.len || memcmp(first.data, other.data, first.len) != 0)
            sim_fail(c->sim, "names differ: h0 has %.*s, h%u has %.*s", (int)first.len, (const char *)first.data, i,
                     (int)other.len, (const char *)other.data);
        dz_buf_fini(&other);
    }
    dz_buf_fini(&first);
}

void sim_check_settled(struct sim_check *c)
{
    check_members(c);
    check_names(c);
    check_copies(c);
    check_orphans(c);
    for (unsigned i = 0; i < c->sim->options.hosts; i++)
        sim_client_check_settled(c->sim->lives[i]);
}

void sim_check_nothing_left(struct sim_check *c)
{
    for (size_t i = 0; i < c->live_count; i++)
        sim_fail(c->sim, "%s on h%d still lives when every supervisor was stopped", c->live[i]->path->text,
                 c->live[i]->host);
}
