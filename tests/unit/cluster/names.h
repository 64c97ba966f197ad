/* names.h - processes that take cluster-wide names.
 * Owns:    nothing.
 * Threads: one. */
#ifndef DZ_TESTS_CLUSTER_NAMES_H
#define DZ_TESTS_CLUSTER_NAMES_H

#include "world.h"

/* Actor a asks its own host's cluster for the name, as the host's service does for it, and waits. */
static inline void ask_name(struct world *w, int i, struct actor *a, const char *name)
{
    struct host *h = &w->hosts[i];
    struct dz_thread *t = &h->rig.threads[1];
    uint64_t ref = dz_rt_next_ref(&h->rig.rt);
    a->proc.flags |= DZ_PROC_GLOBAL;
    rig_enter(a);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_REPLY, .ref = ref};
    dz_process_wait(t, &a->proc, &a->wait, DZ_INFINITY);
    dz_process_rest(t, &a->proc);
    dz_cluster_global_register(h->cluster, name, strlen(name), a->proc.pid, a->proc.pid, ref);
}

static inline void take_name(struct world *w, int i, struct actor *a, const char *name)
{
    ask_name(w, i, a, name);
    world_settle(w);
}

static inline bool has_name(struct world *w, int i, const char *name, int owner_host,
                            const struct actor *owner)
{
    struct dz_pid pid = dz_cluster_global_whereis(w->hosts[i].cluster, name, strlen(name));
    if (!owner)
        return dz_pid_is_none(pid);
    struct dz_pid expected = world_pid(w, owner_host, owner->proc.pid, i);
    return pid.slot == expected.slot && pid.gen == expected.gen;
}

#endif
