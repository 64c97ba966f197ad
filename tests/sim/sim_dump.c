#include "sim_dump.h"

#include <stdio.h>
#include "cluster/state.h"
#include "proc/native.h"
#include "sim_life.h"
#include "sup/driver_parts.h"

#define SUPS_MAX 256u

static void dump_pending(struct sim *sim, const struct dz_nodes *nodes, struct dz_supervisor *s)
{
    uint32_t it = 0;
    uint64_t key;
    void *value;
    char text[DZ_PID_TEXT_MAX];
    while (dz_map_next(&s->pending, &it, &key, &value)) {
        const struct dz_pending *p = value;
        dz_pid_format(nodes, p->cancel, text);
        sim_note(sim, "        start under way: token %llu at %s, cancel %s%s", (unsigned long long)p->token,
                 dz_nodes_get(nodes, p->node)->id, text, p->timed_out ? ", timed out" : "");
    }
    it = 0;
    while (dz_map_next(&s->stopping, &it, &key, &value)) {
        const struct dz_stopping *st = value;
        dz_pid_format(nodes, st->pid, text);
        sim_note(sim, "        stop under way: %s%s", text, st->late ? ", late" : "");
    }
}

static void dump_supervisor(struct sim *sim, struct sim_life *l, struct dz_pid pid)
{
    char text[DZ_PID_TEXT_MAX];
    struct dz_slot *slot = dz_table_find(&l->rt.table, pid);
    struct dz_native *n = slot ? atomic_load(&slot->native) : NULL;
    if (!n)
        return;
    struct dz_supervisor *s = n->data;
    dz_pid_format(&l->rt.nodes, pid, text);
    sim_note(sim, "    %s %.*s phase %d, %u questions, %s", text, (int)s->path.len, (const char *)s->path.data, (int)s->phase,
             s->questions, s->phase == DZ_SUPERVISOR_RUNNING && dz_sup_is_running(s->sup) ? "running" : "not running");
    dz_pid_format(&l->rt.nodes, s->parent, text);
    if (!dz_pid_is_none(s->parent))
        sim_note(sim, "        its supervisor is %s", text);
    for (const struct dz_sup_child *c = dz_sup_first_child(s->sup); c; c = dz_sup_next_child(s->sup, c)) {
        struct dz_sup_child_info info;
        dz_sup_child_info(s->sup, c, &info);
        dz_pid_format(&l->rt.nodes, info.pid, text);
        sim_note(sim, "        %s %s %s epoch %llu", info.id, dz_sup_status_name(info.status), info.has_pid ? text : "-",
                 (unsigned long long)info.epoch);
    }
    dump_pending(sim, &l->rt.nodes, s);
}

static void dump_sessions(struct sim *sim, struct sim_life *l)
{
    struct dz_transport *t = dz_sim_station_transport(l->station);
    dz_list_each (&l->cluster->sessions, it) {
        const struct dz_session_state *s = dz_list_entry(it, struct dz_session_state, all);
        sim_note(sim, "    session %llx with %s: %s, %zu bytes not acknowledged", (unsigned long long)s->peer,
                 dz_nodes_get(&l->rt.nodes, s->ends.peer)->id, s->open ? "open" : "held",
                 t->ops->backlog(t, s->peer));
    }
}

void sim_dump(struct sim *sim)
{
    struct dz_pid pids[SUPS_MAX];
    for (unsigned i = 0; i < sim->options.hosts; i++) {
        struct sim_life *l = sim->lives[i];
        if (!l)
            continue;
        sim_note(sim, "h%u, life %u:", i, l->number);
        dump_sessions(sim, l);
        size_t n = sim_life_supervisors(l, false, pids, SUPS_MAX);
        for (size_t k = 0; k < n; k++)
            dump_supervisor(sim, l, pids[k]);
    }
}
