/* actor.h - a kind of process for tests, its callbacks written in C, and messages that carry one integer.
 * Owns:    its processes.
 * Threads: a process belongs to the thread it was made on.
 * What a callback is given it takes. */
#ifndef DZ_TESTS_ACTOR_H
#define DZ_TESTS_ACTOR_H

#include "../base/check.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "proc/process.h"
#include "proc/send.h"
#include "term/build.h"
#include "term/read.h"

struct actor;
struct actor_role {
    void (*init)(struct dz_thread *t, struct actor *a);
    void (*message)(struct dz_thread *t, struct actor *a, struct dz_msg *m);
    void (*resume)(struct dz_thread *t, struct actor *a); /* proc.wait has ended and is still there */
    void (*terminate)(struct dz_thread *t, struct actor *a);
    void (*gone)(struct dz_thread *t, struct actor *a);
};

struct actor {
    struct dz_proc proc; /* first */
    const struct actor_role *role;
    void *data;
    struct dz_pid peer;
    struct dz_wait wait;
    int64_t n;
    char name;
};

static inline struct actor *actor_of(struct dz_proc *p)
{
    return (struct actor *)(void *)p;
}

/* --- messages --- */

static inline struct dz_msg *actor_msg(enum dz_msg_kind kind, struct dz_pid from, struct dz_pid to,
                                       uint64_t ref, int64_t n)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_int(&b, n);
    assert_int_equal(dz_build_done(&b), 0);
    struct dz_msg *m = dz_msg_new_copy(kind, buf.data, buf.len);
    dz_buf_fini(&buf);
    assert_non_null(m);
    m->from = from;
    m->to = to;
    m->ref = ref;
    return m;
}

static inline int actor_send(struct dz_thread *t, enum dz_msg_kind kind, struct dz_pid from, struct dz_pid to,
                             uint64_t ref, int64_t n)
{
    struct dz_msg *m = actor_msg(kind, from, to, ref, n);
    int err = dz_send(t, &m);
    dz_msg_free(m);
    return err;
}

static inline int64_t actor_int(const struct dz_msg *m)
{
    struct dz_read r;
    int64_t n = 0;
    dz_read_init(&r, m->data, m->len);
    assert_int_equal(dz_read_int(&r, &n), 0);
    return n;
}

/* --- the kind --- */

static inline void actor_end(struct dz_thread *t, struct actor *a)
{
    struct dz_proc *p = &a->proc;
    bool finishes = !(p->flags & DZ_PROC_STARTED) || (p->flags & (DZ_PROC_NO_TERMINATE | DZ_PROC_PLAIN));
    if (!finishes && !(p->flags & DZ_PROC_TERMINATING)) {
        if (p->wait)
            dz_process_unwait(t, p);
        p->flags |= DZ_PROC_TERMINATING;
        if (a->role->terminate)
            a->role->terminate(t, a);
    } else if (!finishes && p->wait && p->wait->woken) {
        a->role->resume(t, a);
    }
    if (p->wait && !(p->flags & DZ_PROC_NO_TERMINATE) && !finishes)
        dz_process_rest(t, p);
    else
        dz_process_finish(t, p);
}

static inline void actor_run(struct dz_thread *t, struct dz_proc *p)
{
    struct actor *a = actor_of(p);
    struct dz_msg *m;
    bool begun = p->flags & DZ_PROC_STARTED;
    if (!(p->flags & DZ_PROC_DOOMED) && p->wait && p->wait->woken)
        a->role->resume(t, a);
    else if (!(p->flags & DZ_PROC_DOOMED) && !begun && a->role->init)
        a->role->init(t, a);
    if (!(p->flags & DZ_PROC_DOOMED) && !begun && !p->wait)
        dz_process_started(t, p);
    for (int i = 0; i < 64 && !(p->flags & DZ_PROC_DOOMED) && !p->wait && (m = dz_process_take(p)); i++)
        a->role->message(t, a, m);
    if (p->flags & DZ_PROC_DOOMED)
        actor_end(t, a);
    else
        dz_process_rest(t, p);
}

static inline void actor_dispose(struct dz_thread *t, struct dz_proc *p)
{
    struct actor *a = actor_of(p);
    if (a->role->gone)
        a->role->gone(t, a);
    dz_free(a);
}

static inline void actor_describe(struct dz_thread *t, struct dz_proc *p, const char **behavior,
                                  size_t *memory)
{
    (void)t;
    (void)p;
    *behavior = "actor";
    *memory += sizeof(struct actor);
}

static const struct dz_proc_kind actor_kind = {
    .name = "actor", .run = actor_run, .dispose = actor_dispose, .describe = actor_describe};

/* --- making --- */

static inline struct actor *actor_alloc(const struct actor_role *role, char name, void *data)
{
    struct actor *a = dz_zalloc_must(1, sizeof *a);
    a->role = role;
    a->name = name;
    a->data = data;
    return a;
}

/* Made on its own thread. */
static inline struct actor *actor_new(struct dz_thread *t, const struct actor_role *role, char name,
                                      void *data)
{
    struct dz_slot *slot;
    struct dz_pid pid;
    uint32_t node = atomic_load_explicit(&t->rt->nodes.self, memory_order_acquire);
    assert_int_equal(dz_table_reserve(&t->rt->table, t->index, false, node, &slot, &pid), 0);
    struct actor *a = actor_alloc(role, name, data);
    dz_process_init(t, &a->proc, &actor_kind, slot, pid, NULL);
    return a;
}

/* Asks n of `to` and waits, in a's turn. */
static inline void actor_call(struct dz_thread *t, struct actor *a, struct dz_pid to, int64_t n,
                              uint64_t timeout_ns)
{
    a->wait = (struct dz_wait){.kind = DZ_WAIT_REPLY, .ref = dz_rt_next_ref(t->rt), .target = to};
    dz_process_wait(t, &a->proc, &a->wait, timeout_ns);
    assert_int_equal(actor_send(t, DZ_MSG_CALL, a->proc.pid, to, a->wait.ref, n), 0);
}

static inline void actor_sleep(struct dz_thread *t, struct actor *a, uint64_t ns)
{
    a->wait = (struct dz_wait){.kind = DZ_WAIT_TIME};
    dz_process_wait(t, &a->proc, &a->wait, ns);
}

#endif
