/* wishes.h - processes of host 0 that ask other hosts for processes.
 * Owns:    nothing.
 * Threads: one. */
#ifndef DZ_TESTS_CLUSTER_WISHES_H
#define DZ_TESTS_CLUSTER_WISHES_H

#include "world.h"

/* A spawn as an asker makes it. */
struct wish {
    const char *path;
    uint64_t epoch[3];
    int depth;
    uint64_t timeout_ms;
    bool hashed;
    bool own_worker;
};

static inline size_t pack_epoch(const struct wish *wish, char *out)
{
    for (int i = 0; i < wish->depth; i++)
        for (int k = 0; k < 8; k++)
            out[i * 8 + k] = (char)(wish->epoch[i] >> (56 - 8 * k));
    return (size_t)wish->depth * 8;
}

/* Actor a of host 0 asks host `to` for a process; a then waits. */
static inline struct dz_pid spawn(struct world *w, struct actor *a, int to, const struct wish *wish)
{
    struct host *h = &w->hosts[0];
    struct dz_thread *t = &h->rig.threads[1];
    struct dz_pid cancel = DZ_PID_NONE;
    char epoch[24];
    char hash[32] = {0};
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR, .name = {"thing", 5}, .timeout_ms = wish->timeout_ms};
    if (!s.timeout_ms)
        s.timeout_ms = 10000;
    if (wish->path) {
        s.path = (struct dz_str){wish->path, strlen(wish->path)};
        s.epoch = (struct dz_str){epoch, pack_epoch(wish, epoch)};
    }
    s.flags = wish->own_worker ? DZ_SPAWN_OWN_WORKER : 0;
    if (wish->hashed)
        s.hash = (struct dz_str){hash, sizeof hash};
    struct dz_msg *m = dz_spawn_pack(&h->rig.rt.nodes, &s);
    m->from = a->proc.pid;
    m->ref = dz_rt_next_ref(&h->rig.rt);
    uint64_t ref = m->ref;
    rig_enter(a);
    const char *id = w->hosts[to].id;
    int err = dz_cluster_spawn_far(h->cluster, t, id, strlen(id), &m, &cancel);
    assert_int_equal(err, 0);
    assert_null(m);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_REPLY, .ref = ref, .target = cancel};
    dz_process_wait(t, &a->proc, &a->wait, DZ_INFINITY);
    dz_process_rest(t, &a->proc);
    return cancel;
}

static inline void slow_init(struct dz_thread *t, struct actor *a)
{
    actor_sleep(t, a, 3000 * RIG_MS);
}

static inline void slow_resume(struct dz_thread *t, struct actor *a)
{
    dz_process_unwait(t, &a->proc);
}

static const struct actor_role slow_role = {
    .init = slow_init,
    .message = rig_message,
    .resume = slow_resume,
    .terminate = rig_terminate,
    .gone = rig_gone,
};

/* It takes its time to end. */
static inline void lingering_terminate(struct dz_thread *t, struct actor *a)
{
    rig_terminate(t, a);
    actor_sleep(t, a, 500 * RIG_MS);
}

static const struct actor_role lingering_role = {
    .message = rig_message,
    .resume = slow_resume,
    .terminate = lingering_terminate,
    .gone = rig_gone,
};

static inline void begin(struct world *w, int count)
{
    world_init(w, count);
    world_mesh(w);
}

#endif
