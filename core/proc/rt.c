#include "proc/rt.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/native.h"
#include "proc/orphan.h"

static const char *const reason_names[DZ_REASON_COUNT] = {
    [DZ_REASON_NORMAL] = "normal",
    [DZ_REASON_SHUTDOWN] = "shutdown",
    [DZ_REASON_KILLED] = "killed",
    [DZ_REASON_NOPROC] = "noproc",
    [DZ_REASON_NOCONNECTION] = "noconnection",
    [DZ_REASON_NODE_DOWN] = "node_down",
    [DZ_REASON_SUPERSEDED] = "superseded",
    [DZ_REASON_RUNAWAY] = "runaway",
    [DZ_REASON_WORKER_STUCK] = "worker_stuck",
    [DZ_REASON_OUT_OF_MEMORY] = "out_of_memory",
};

static int make_reasons(struct dz_rt *rt)
{
    for (int i = 0; i < DZ_REASON_COUNT; i++) {
        rt->reasons[i] = dz_blob_new_string(reason_names[i]);
        if (!rt->reasons[i])
            return DZ_ENOMEM;
    }
    return 0;
}

int dz_rt_init(struct dz_rt *rt, const struct dz_env *env, const struct dz_log *log)
{
    memset(rt, 0, sizeof *rt);
    rt->env = env;
    rt->log = log;
    atomic_init(&rt->next_ref, 1);
    pthread_mutex_init(&rt->natives_lock, NULL);
    dz_list_init(&rt->natives_free);
    dz_list_init(&rt->natives_all);
    dz_table_init(&rt->table);
    dz_names_init(&rt->names);
    /* 53 bits: the number survives a trip through a Lua number or JSON. */
    int err = dz_nodes_init(&rt->nodes, dz_env_random(env) >> 11);
    if (!err)
        err = make_reasons(rt);
    if (err)
        dz_rt_fini(rt);
    return err;
}

void dz_rt_fini(struct dz_rt *rt)
{
    struct dz_list *node;
    dz_assert(dz_list_empty(&rt->natives_all));
    while ((node = dz_list_pop_front(&rt->natives_free)) != NULL)
        dz_native_delete(dz_list_entry(node, struct dz_native, all));
    for (int i = 0; i < DZ_REASON_COUNT; i++)
        dz_blob_unref(rt->reasons[i]);
    dz_names_fini(&rt->names);
    dz_table_fini(&rt->table);
    dz_nodes_fini(&rt->nodes);
    pthread_mutex_destroy(&rt->natives_lock);
}

void dz_thread_init(struct dz_thread *t, struct dz_rt *rt, uint32_t index)
{
    memset(t, 0, sizeof *t);
    t->rt = rt;
    t->index = index;
    dz_list_init(&t->runq);
    dz_list_init(&t->natives);
    dz_heap_init(&t->timers);
    dz_list_init(&t->lazy);
    dz_list_init(&t->far);
    dz_list_init(&t->far_waits);
    dz_list_init(&t->delayed);
    dz_list_init(&t->orphans);
    dz_timer_init(&t->orphan_timer, NULL);
    t->now_ns = dz_env_now_ns(rt->env);
}

void dz_thread_fini(struct dz_thread *t)
{
    while (t->spare) {
        struct dz_msg *m = t->spare;
        t->spare = dz_msg_next(m);
        dz_msg_free(m);
    }
    dz_native_drop_delayed(t);
    dz_orphan_drop_all(t);
    dz_assert(dz_list_empty(&t->far) && dz_list_empty(&t->far_waits));
    dz_heap_fini(&t->timers);
}

struct dz_msg *dz_thread_make_message(enum dz_msg_kind kind)
{
    struct dz_msg *m = dz_msg_new(kind, DZ_MSG_SMALL_ROOM);
    if (m) {
        m->flags = DZ_MSG_SMALL;
        m->len = 0;
    }
    return m;
}

uint64_t dz_rt_next_ref(struct dz_rt *rt)
{
    return atomic_fetch_add_explicit(&rt->next_ref, 1, memory_order_relaxed);
}

struct task {
    void (*fn)(struct dz_thread *t, void *arg);
    void *arg;
};

static int post(struct dz_thread *from, uint32_t thread, const struct task *task, const void *data, size_t len)
{
    struct dz_msg *m = dz_msg_new(DZ_MSG_TASK, sizeof *task + len);
    if (!m)
        return DZ_ENOMEM;
    memcpy(m->bytes, task, sizeof *task);
    if (len)
        memcpy(m->bytes + sizeof *task, data, len);
    from->rt->ports.post(from->rt->ports.ctx, from, thread, m);
    return 0;
}

int dz_thread_post(struct dz_thread *from, uint32_t thread, void (*fn)(struct dz_thread *t, void *arg), void *arg)
{
    struct task task = {fn, arg};
    return post(from, thread, &task, NULL, 0);
}

int dz_thread_post_copy(struct dz_thread *from, uint32_t thread, void (*fn)(struct dz_thread *t, void *arg), const void *data,
                        size_t len)
{
    struct task task = {fn, NULL};
    dz_assert(len > 0);
    return post(from, thread, &task, data, len);
}

void dz_thread_run_task(struct dz_thread *t, struct dz_msg *msg)
{
    struct task task;
    dz_assert(msg->kind == DZ_MSG_TASK && msg->len >= sizeof task);
    memcpy(&task, msg->data, sizeof task);
    task.fn(t, msg->len > sizeof task ? msg->bytes + sizeof task : task.arg);
    dz_msg_free(msg);
}
