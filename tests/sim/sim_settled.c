#include "sim_settled.h"

#include <stdio.h>
#include <string.h>
#include "sim_life.h"
#include "sim_spec.h"
#include "sup/driver_parts.h"

#define SUPS_MAX 512u

static uint32_t client_count(const struct sim_life *l)
{
    uint32_t n = 0;
    dz_list_each (&l->clients, it)
        n++;
    return n;
}

/* --- one child, as its supervisor has it --- */

struct wanted {
    struct sim *sim;
    struct sim_life *life;
    struct dz_supervisor *supervisor;
    uint32_t records;
    uint32_t active;
    uint32_t supervisors;
    uint32_t by_node[DZ_SIM_HOSTS_MAX];
};

static struct sim_life *life_at(struct wanted *w, uint32_t node)
{
    const struct dz_nodes *nodes = &w->life->rt.nodes;
    const char *id = dz_nodes_is_self(nodes, node) ? w->life->id : dz_nodes_get(nodes, dz_nodes_resolve(nodes, node))->id;
    for (unsigned i = 0; i < w->sim->options.hosts; i++)
        if (w->sim->lives[i] && strcmp(w->sim->lives[i]->id, id) == 0)
            return w->sim->lives[i];
    return NULL;
}

static void check_worker(struct wanted *w, const struct dz_sup_child_info *info, const char *path, struct sim_life *at)
{
    struct sim_path *p = dz_smap_get(&w->sim->check.paths, path, strlen(path));
    struct sim_kid_record *kid =
        p && p->count == 1 ? dz_list_entry(p->live.next, struct sim_kid_record, at_path) : NULL;
    if (!kid) {
        sim_fail(w->sim, "%s is said to run, %u copies do", path, p ? p->count : 0);
        return;
    }
    struct dz_pid pid = sim_life_translate(w->life, info->pid, at);
    if (kid->life != at || kid->pid.slot != pid.slot || kid->pid.gen != pid.gen)
        sim_fail(w->sim, "%s runs on h%d, not as its supervisor says on h%d", path, kid->host, at->index);
    if (info->restart_count + 1 > p->starts)
        sim_fail(w->sim, "%s is said to have been replaced %u times, and began %u times", path, info->restart_count, p->starts);
}

/* One that ended normally, that could not be started again when somebody asked for it, or that had to give way to a rival's copy. */
static bool may_be_stopped(struct wanted *w, const struct dz_sup_child_info *info, const char *path)
{
    const struct sim_path *p = sim_check_path(&w->sim->check, path, strlen(path));
    return info->spec->restart == DZ_TRANSIENT || p->by_hand || p->superseded;
}

static void check_child(struct wanted *w, const struct dz_sup_child_info *info)
{
    char path[400];
    struct dz_buf *mine = &w->supervisor->path;
    snprintf(path, sizeof path, "%.*s/%s", (int)mine->len, (const char *)mine->data, info->id);
    w->records++;
    w->active += info->has_pid;
    w->supervisors += info->is_supervisor;
    if (info->status == DZ_CHILD_STOPPED && may_be_stopped(w, info, path))
        return;
    if (info->status != DZ_CHILD_RUNNING || !info->has_pid) {
        sim_fail(w->sim, "%s is %s, long after the trouble", path, dz_sup_status_name(info->status));
        return;
    }
    struct sim_life *at = life_at(w, info->pid.node);
    if (!at) {
        sim_fail(w->sim, "%s is said to run where no host is", path);
        return;
    }
    w->by_node[at->index]++;
    if (!info->is_supervisor)
        check_worker(w, info, path, at);
    else if (!sim_life_supervisor(at, sim_life_translate(w->life, info->pid, at)))
        sim_fail(w->sim, "%s is said to be a supervisor on h%d, and is none", path, at->index);
}

/* --- figures --- */

static void check_figures(struct wanted *w)
{
    const struct dz_sup *sup = w->supervisor->sup;
    struct dz_sup_stats stats;
    struct dz_sup_counts counts;
    uint32_t it = 0, node, children, sum = 0;
    dz_sup_stats(sup, &stats);
    dz_sup_count_children(sup, &counts);
    uint32_t specs = stats.strategy == DZ_SIMPLE_ONE_FOR_ONE ? 1 : w->records;
    if (stats.child_count != w->records || counts.active != w->active || counts.supervisors != w->supervisors ||
        counts.workers != w->records - w->supervisors || counts.specs != specs)
        sim_fail(w->sim, "%s: %u children, %u of them with a process, do not add up with %u and %u", stats.id, w->records,
                 w->active, stats.child_count, counts.active);
    if (stats.node_failure_restarts > stats.total_restarts)
        sim_fail(w->sim, "%s: more moves than restarts", stats.id);
    while (dz_sup_each_node(sup, &it, &node, &children)) {
        struct sim_life *at = life_at(w, node);
        sum += children;
        if (!at || w->by_node[at->index] != children)
            sim_fail(w->sim, "%s: %u children are said to be on one node, %u are", stats.id, children,
                     at ? w->by_node[at->index] : 0);
    }
    if (sum != w->active)
        sim_fail(w->sim, "%s: %u children on all nodes, %u with a process", stats.id, sum, w->active);
}

static void check_supervisor(struct sim_life *l, struct dz_supervisor *s)
{
    struct wanted w = {.sim = l->sim, .life = l, .supervisor = s};
    struct dz_sup_child_info info;
    if (s->phase != DZ_SUPERVISOR_RUNNING || !dz_sup_is_running(s->sup)) {
        sim_fail(l->sim, "%.*s on h%d neither runs nor has ended", (int)s->path.len, (const char *)s->path.data, l->index);
        return;
    }
    for (const struct dz_sup_child *c = dz_sup_first_child(s->sup); c; c = dz_sup_next_child(s->sup, c)) {
        dz_sup_child_info(s->sup, c, &info);
        check_child(&w, &info);
    }
    if (!l->sim->failed)
        check_figures(&w);
}

/* --- the other way round --- */

static void check_unwanted(struct sim *sim)
{
    for (size_t i = 0; i < sim->check.live_count; i++) {
        struct sim_kid_record *kid = sim->check.live[i];
        struct sim_life *at;
        struct dz_supervisor *s = sim_check_supervisor(&sim->check, kid, &at);
        if (s && !dz_sup_child_of(s->sup, sim_life_translate(kid->life, kid->pid, at)))
            sim_fail(sim, "%s on h%d (uid %llu) is none of its supervisor's children", kid->path->text, kid->host,
                     (unsigned long long)kid->uid);
    }
}

static void check_count(struct sim_life *l, size_t supervisors)
{
    uint32_t kids = 0, clients = client_count(l);
    for (size_t i = 0; i < l->sim->check.live_count; i++)
        kids += l->sim->check.live[i]->life == l;
    uint32_t counted = atomic_load(&l->rt.table.count);
    if (counted != kids + clients + supervisors)
        sim_fail(l->sim, "h%d counts %u processes: %u children, %u clients, %zu supervisors", l->index, counted, kids, clients,
                 supervisors);
}

void sim_settled_check(struct sim *sim)
{
    struct dz_pid pids[SUPS_MAX];
    for (unsigned i = 0; i < sim->options.hosts && !sim->failed; i++) {
        struct sim_life *l = sim->lives[i];
        size_t n = sim_life_supervisors(l, false, pids, SUPS_MAX);
        for (size_t k = 0; k < n && !sim->failed; k++)
            check_supervisor(l, sim_life_supervisor(l, pids[k]));
        if (!sim->failed)
            check_count(l, n);
    }
    if (!sim->failed)
        check_unwanted(sim);
    if (!sim->failed && sim->check.asked != sim->check.answered)
        sim_fail(sim, "%llu questions, %llu answers", (unsigned long long)sim->check.asked,
                 (unsigned long long)sim->check.answered);
}

/* --- nothing left --- */

static void check_name_free(struct sim_life *l, const char *name)
{
    if (!dz_pid_is_none(dz_cluster_global_whereis(l->cluster, name, strlen(name))))
        sim_fail(l->sim, "h%d still has somebody for the name %s", l->index, name);
}

void sim_settled_check_empty(struct sim_life *l)
{
    char name[32];
    uint32_t clients = client_count(l), timers = 0;
    size_t supervisors = sim_life_supervisors(l, false, NULL, 0);
    if (supervisors)
        sim_fail(l->sim, "h%d still has %zu supervisors", l->index, supervisors);
    if (atomic_load(&l->rt.table.count) != clients)
        sim_fail(l->sim, "h%d still has %u processes, %u of them clients", l->index, atomic_load(&l->rt.table.count), clients);
    for (uint32_t i = 1; i < SIM_THREADS; i++)
        timers += sim_life_thread(l, i)->timers.count;
    if (timers > clients)
        sim_fail(l->sim, "h%d still has %u timers of its %u clients", l->index, timers, clients);
    for (unsigned i = 0; i < SIM_ROOT_NAMES; i++) {
        snprintf(name, sizeof name, "root%u", i);
        check_name_free(l, name);
    }
    for (uint64_t i = 1; i <= l->sim->names; i++) {
        snprintf(name, sizeof name, "global%llu", (unsigned long long)i);
        check_name_free(l, name);
    }
}
