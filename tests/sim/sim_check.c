#include "sim_check.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "cluster/placement.h"
#include "sim_client.h"
#include "sim_intensity.h"
#include "sim_life.h"
#include "sim_settled.h"
#include "sup/driver_parts.h"

#define CHECK_EVERY_NS   (100u * DZ_SIM_MS)
#define ORPHANS_EVERY_NS (1000u * DZ_SIM_MS)
/* Until a lost node is noticed: 3 s of silence, 10 s when others reach it; then terminate, at most 5 s. */
#define ORPHAN_MS 25000u

void sim_check_init(struct sim_check *c, struct sim *sim)
{
    memset(c, 0, sizeof *c);
    c->sim = sim;
    dz_smap_init(&c->paths);
    dz_map_init(&c->disorder);
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
    dz_map_fini(&c->disorder);
    dz_free(c->live);
}

static bool is_quiet(const struct sim_check *c, uint64_t ms)
{
    return c->sim->now_ns - c->troubled_ns >= ms * DZ_SIM_MS;
}

/* --- births and deaths --- */

struct sim_path *sim_check_path(struct sim_check *c, const char *text, size_t len)
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
    kid->path = sim_check_path(c, spawn->path.s ? spawn->path.s : "?", spawn->path.s ? spawn->path.len : 1);
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

/* A supervisor that shuts down stops its children one after another from the end. The victim of a terminate_child that was under
 * way may stand anywhere, so one is let pass. */
static void check_stop_order(struct sim_check *c, const struct sim_kid_record *kid)
{
    struct sim_life *at;
    struct dz_sup_child_info info;
    struct dz_supervisor *s = kid->stopped && kid->life && !kid->life->ending ? sim_check_supervisor(c, kid, &at) : NULL;
    const struct dz_sup_child *child = s && s->phase == DZ_SUPERVISOR_RUNNING && !dz_sup_is_running(s->sup)
                                           ? dz_sup_child_of(s->sup, sim_life_translate(kid->life, kid->pid, at))
                                           : NULL;
    if (!child || dz_sup_spec_of(s->sup)->strategy == DZ_SIMPLE_ONE_FOR_ONE)
        return;
    while ((child = dz_sup_next_child(s->sup, child)) != NULL) {
        dz_sup_child_info(s->sup, child, &info);
        if (!info.has_pid)
            continue;
        uint64_t key = (uint64_t)at->number << 32 | dz_supervisor_pid(s).slot;
        if (dz_map_get(&c->disorder, key))
            sim_fail(c->sim, "%s stops before %s, which comes after it", kid->path->text, info.id);
        int err = dz_map_put(&c->disorder, key, c);
        dz_assert(!err);
        return;
    }
}

void sim_check_gone(struct sim_check *c, struct sim_kid_record *kid)
{
    note(c, kid, "gone");
    check_stop_order(c, kid);
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

struct dz_supervisor *sim_check_supervisor(struct sim_check *c, const struct sim_kid_record *kid, struct sim_life **at)
{
    struct dz_nodes *nodes = &kid->life->rt.nodes;
    struct sim_life *l = kid->life;
    struct dz_pid pid = kid->parent;
    if (!dz_nodes_is_self(nodes, pid.node)) {
        const struct dz_node_entry *e = dz_nodes_get(nodes, dz_nodes_resolve(nodes, pid.node));
        l = NULL;
        for (unsigned i = 0; i < c->sim->options.hosts && !l; i++)
            if (c->sim->lives[i] && strcmp(c->sim->lives[i]->id, e->id) == 0)
                l = c->sim->lives[i];
        if (!l)
            return NULL;
        pid = sim_life_translate(kid->life, pid, l);
    }
    *at = l;
    return dz_nodes_is_self(&l->rt.nodes, pid.node) ? sim_life_supervisor(l, pid) : NULL;
}

static bool has_supervisor(struct sim_check *c, const struct sim_kid_record *kid)
{
    struct sim_life *at;
    return sim_check_supervisor(c, kid, &at) != NULL;
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

/* Even in the storm nobody is without a supervisor for long: either its node is told of the loss, or it finds out by itself. */
static void check_orphan(struct sim_check *c, struct sim_kid_record *kid, uint64_t passed_ns)
{
    if (kid->life->frozen_until_ns > c->sim->now_ns)
        return;
    kid->orphan_ns = has_supervisor(c, kid) ? 0 : kid->orphan_ns + passed_ns;
    if (kid->orphan_ns > ORPHAN_MS * DZ_SIM_MS)
        sim_fail(c->sim, "%s %s on h%d has had no supervisor for %u s", kid->behavior, kid->path->text, kid->host,
                 (unsigned)(kid->orphan_ns / 1000000000u));
}

static void look_for_orphans(struct sim_check *c)
{
    uint64_t passed_ns = c->sim->now_ns - c->orphans_ns;
    if (passed_ns < ORPHANS_EVERY_NS)
        return;
    c->orphans_ns = c->sim->now_ns;
    for (size_t i = 0; i < c->live_count && !c->sim->failed; i++)
        check_orphan(c, c->live[i], passed_ns);
}

static void check_names(struct sim_check *c);

void sim_check_now(struct sim_check *c)
{
    if (c->sim->now_ns < c->next_ns)
        return;
    c->next_ns = c->sim->now_ns + CHECK_EVERY_NS;
    look_for_orphans(c);
    if (!is_quiet(c, SIM_GRACE_MS) || c->sim->part != SIM_CALM)
        return;
    check_copies(c);
    check_names(c);
}

/* --- when all is quiet --- */

static void check_members(struct sim_check *c)
{
    struct dz_candidate found[DZ_SIM_HOSTS_MAX];
    for (unsigned i = 0; i < c->sim->options.hosts; i++) {
        struct sim_life *l = c->sim->lives[i];
        size_t n = dz_cluster_candidates(l->cluster, found, DZ_SIM_HOSTS_MAX);
        size_t connected = 0;
        for (size_t k = 0; k < n && k < DZ_SIM_HOSTS_MAX; k++)
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
    sim_settled_check(c->sim);
    for (unsigned i = 0; i < c->sim->options.hosts; i++)
        sim_client_check_settled(c->sim->lives[i]);
}

void sim_check_nothing_left(struct sim_check *c)
{
    for (size_t i = 0; i < c->live_count; i++)
        sim_fail(c->sim, "%s on h%d still lives when every supervisor was stopped", c->live[i]->path->text,
                 c->live[i]->host);
    for (unsigned i = 0; i < c->sim->options.hosts && !c->sim->failed; i++)
        sim_settled_check_empty(c->sim->lives[i]);
}
