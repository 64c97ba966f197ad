/* rig.h - a runtime of three threads that the test turns by hand, with a clock of its own and a journal of
 * what happened.
 * Owns:    the runtime, the threads, their inboxes.
 * Threads: one. Whatever is left alive at the end fails the test. */
#ifndef DZ_TESTS_RIG_H
#define DZ_TESTS_RIG_H

#include <stdio.h>
#include <string.h>

#include "actor.h"
#include "base/err.h"
#include "proc/bond.h"
#include "proc/native.h"
#include "proc/spawn.h"

#define RIG_THREADS 3
#define RIG_MS      1000000ull
#define FAR_NODE    "far@10.0.0.2:4000"

struct rig {
    struct dz_env env;
    struct dz_rt rt;
    struct dz_thread threads[RIG_THREADS];
    struct dz_mpsc inbox[RIG_THREADS];
    struct dz_list ready;
    uint64_t now_ns;
    uint64_t seed;
    int wire_error;                /* what the wire answers; 0: it takes the message */
    uint32_t far;                  /* index of FAR_NODE's identity */
    const struct actor_role *born; /* what a SPAWN makes; NULL: it is refused */
    int overflows;
    int crashes;
    size_t len;
    char journal[4096];
};

/* --- the journal --- */

__attribute__((format(printf, 2, 3))) static inline void rig_note(struct rig *rig, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(rig->journal + rig->len, sizeof rig->journal - rig->len, format, args);
    va_end(args);
    assert_true(n >= 0 && rig->len + (size_t)n + 1 < sizeof rig->journal);
    rig->len += (size_t)n;
    rig->journal[rig->len++] = ';';
    rig->journal[rig->len] = 0;
}

/* What happened since the last look. */
#define rig_expect(rig, text)                                                                                \
    do {                                                                                                     \
        assert_string_equal((rig)->journal, text);                                                           \
        (rig)->len = 0;                                                                                      \
        (rig)->journal[0] = 0;                                                                               \
    } while (0)

/* --- the ordinary actor: answers calls, dies when stopped, writes all down --- */

static inline const char *rig_payload(const struct dz_msg *m, char *out, size_t cap)
{
    if (m->len == 0)
        return "-";
    dz_term_reason_text(m->data, m->len, out, cap);
    return out;
}

static inline void rig_message(struct dz_thread *t, struct actor *a, struct dz_msg *m)
{
    static const char *const names[] = {
        [DZ_MSG_SEND] = "send",     [DZ_MSG_CAST] = "cast",
        [DZ_MSG_CALL] = "call",     [DZ_MSG_INFO] = "info",
        [DZ_MSG_STOP] = "stop",     [DZ_MSG_REQUEST] = "request",
        [DZ_MSG_NOTICE] = "notice", [DZ_MSG_DOWN] = "down",
        [DZ_MSG_EXIT] = "exit",     [DZ_MSG_CHILD_EXIT] = "child_exit",
    };
    char text[128];
    assert_true(m->kind < sizeof names / sizeof names[0] && names[m->kind]);
    rig_note(a->data, "%c %s %s", a->name, names[m->kind], rig_payload(m, text, sizeof text));
    if (m->kind == DZ_MSG_CALL || m->kind == DZ_MSG_REQUEST) {
        struct dz_pid from = m->from;
        uint64_t ref = m->ref;
        dz_process_owe(&a->proc, m);
        if (actor_int(m) < 0)
            return; /* answered later, or never */
        dz_send_reply(t, a->proc.pid, from, ref, m->data, m->len);
        dz_msg_free(dz_process_unowe(&a->proc, from, ref));
    } else if (m->kind == DZ_MSG_STOP) {
        struct dz_blob *reason = dz_blob_new(m->data, m->len);
        dz_process_owe(&a->proc, m);
        dz_process_doom(t, &a->proc, reason, 0);
        dz_blob_unref(reason);
    } else {
        dz_msg_free(m);
    }
}

static inline void rig_resume(struct dz_thread *t, struct actor *a)
{
    struct dz_wait *w = a->proc.wait;
    char text[128];
    if (w->reply)
        rig_note(a->data, "%c %s %s", a->name, w->reply->flags & DZ_MSG_FAILED ? "failed" : "reply",
                 rig_payload(w->reply, text, sizeof text));
    else
        rig_note(a->data, "%c %s", a->name, w->timed_out ? "timeout" : "woken");
    dz_process_unwait(t, &a->proc);
}

static inline void rig_terminate(struct dz_thread *t, struct actor *a)
{
    (void)t;
    char text[128];
    dz_term_reason_text(a->proc.exit->data, a->proc.exit->len, text, sizeof text);
    rig_note(a->data, "%c terminate %s", a->name, text);
}

static inline void rig_gone(struct dz_thread *t, struct actor *a)
{
    (void)t;
    rig_note(a->data, "%c gone", a->name);
}

static const struct actor_role rig_role = {
    .message = rig_message, .resume = rig_resume, .terminate = rig_terminate, .gone = rig_gone};

/* --- ports --- */

static inline void rig_post(void *ctx, struct dz_thread *from, uint32_t thread, struct dz_msg *m)
{
    (void)from;
    struct rig *rig = ctx;
    assert_true(thread < RIG_THREADS);
    dz_mpsc_push(&rig->inbox[thread], &m->node);
}

static inline void rig_native_ready(void *ctx, struct dz_thread *from, struct dz_native *n)
{
    (void)from;
    struct rig *rig = ctx;
    assert_true(dz_list_empty(&n->ready));
    dz_list_push_back(&rig->ready, &n->ready);
}

static inline int rig_wire(void *ctx, struct dz_thread *from, struct dz_msg **take)
{
    (void)from;
    struct rig *rig = ctx;
    if (rig->wire_error)
        return rig->wire_error;
    rig_note(rig, "wire %d", (*take)->kind);
    dz_msg_free(*take);
    *take = NULL;
    return 0;
}

static inline void rig_spawn(void *ctx, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *m)
{
    struct rig *rig = ctx;
    struct dz_spawn s;
    assert_int_equal(dz_spawn_unpack(&rig->rt.nodes, m, &s), 0);
    struct dz_pid owner, from = m->from, pid = m->to;
    if (!rig->born) {
        struct dz_buf buf;
        struct dz_build b;
        dz_buf_init(&buf);
        dz_build_init(&b, &buf);
        dz_error_build(&b, DZ_ENOBEHAVIOR, NULL);
        dz_process_refuse(t, slot, m, buf.data, buf.len);
        dz_buf_fini(&buf);
        return;
    }
    struct actor *a = actor_alloc(rig->born, 'n', rig);
    dz_process_init(t, &a->proc, &actor_kind, slot, pid, m);
    int err = dz_spawn_apply(t, &a->proc, &s, from, &owner);
    if (err) {
        struct dz_blob *reason = dz_blob_new_string(dz_err_name(err));
        dz_process_doom(t, &a->proc, reason, 0);
        dz_blob_unref(reason);
    }
}

static inline void rig_overflow(void *ctx, struct dz_thread *t, struct dz_pid pid)
{
    (void)t;
    (void)pid;
    ((struct rig *)ctx)->overflows++;
}

static inline void rig_crashed(void *ctx, struct dz_thread *t, struct dz_proc *p, struct dz_blob *reason)
{
    (void)t;
    assert_ptr_equal(p->exit, reason);
    ((struct rig *)ctx)->crashes++;
}

static inline uint64_t rig_now(void *ctx)
{
    return ((struct rig *)ctx)->now_ns;
}

static inline uint64_t rig_wall(void *ctx)
{
    return ((struct rig *)ctx)->now_ns / RIG_MS;
}

static inline uint64_t rig_random(void *ctx)
{
    return check_random(&((struct rig *)ctx)->seed);
}

/* --- making, turning, ending --- */

static inline void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    rig->now_ns = 1000 * RIG_MS;
    rig->born = &rig_role;
    rig->env = (struct dz_env){.now_ns = rig_now, .wall_ms = rig_wall, .random = rig_random, .ctx = rig};
    assert_int_equal(dz_rt_init(&rig->rt, &rig->env, NULL), 0);
    rig->rt.ports = (struct dz_ports){.ctx = rig,
                                      .post = rig_post,
                                      .native_ready = rig_native_ready,
                                      .wire = rig_wire,
                                      .spawn = rig_spawn,
                                      .overflow = rig_overflow,
                                      .crashed = rig_crashed};
    dz_list_init(&rig->ready);
    for (uint32_t i = 0; i < RIG_THREADS; i++) {
        dz_thread_init(&rig->threads[i], &rig->rt, i);
        dz_mpsc_init(&rig->inbox[i]);
    }
    assert_int_equal(dz_nodes_intern(&rig->rt.nodes, FAR_NODE, strlen(FAR_NODE), 7, &rig->far), 0);
}

/* A pid on another node. */
static inline struct dz_pid rig_far_pid(struct rig *rig)
{
    return (struct dz_pid){rig->far, 5, 1};
}

static inline bool rig_drain(struct rig *rig, uint32_t thread)
{
    struct dz_mpsc_node *node;
    bool any = false;
    while ((node = dz_mpsc_pop(&rig->inbox[thread]))) {
        dz_thread_deliver(&rig->threads[thread], dz_container_of(node, struct dz_msg, node));
        any = true;
    }
    return any;
}

static inline bool rig_run_natives(struct rig *rig, struct dz_thread *t)
{
    struct dz_list *node = dz_list_pop_front(&rig->ready);
    if (node)
        dz_native_run(t, dz_list_entry(node, struct dz_native, ready), 64);
    return node;
}

static inline bool rig_run_process(struct dz_thread *t)
{
    struct dz_list *node = dz_list_pop_front(&t->runq);
    if (!node)
        return false;
    struct dz_proc *p = dz_list_entry(node, struct dz_proc, run);
    assert_int_equal(p->state, DZ_PROC_READY);
    p->state = DZ_PROC_RUNNING;
    t->in_turn = true;
    p->kind->run(t, p);
    t->in_turn = false;
    return true;
}

/* Until nothing happens any more. */
static inline void rig_turn(struct rig *rig)
{
    bool any = true;
    while (any) {
        any = false;
        for (uint32_t i = 0; i < RIG_THREADS; i++) {
            struct dz_thread *t = &rig->threads[i];
            t->now_ns = rig->now_ns;
            any |= rig_drain(rig, i);
            any |= dz_timers_run(t, rig->now_ns) > 0;
            any |= rig_run_natives(rig, t);
            any |= rig_run_process(t);
        }
    }
}

static inline void rig_pass_ms(struct rig *rig, uint64_t ms)
{
    rig->now_ns += ms * RIG_MS;
    rig_turn(rig);
}

/* An ordinary actor that has finished its init. */
static inline struct actor *rig_actor(struct rig *rig, uint32_t thread, char name)
{
    struct actor *a = actor_new(&rig->threads[thread], &rig_role, name, rig);
    rig_turn(rig);
    assert_int_equal(a->proc.state, DZ_PROC_IDLE);
    return a;
}

/* One with another role, which may be in the midst of its init. */
static inline struct actor *rig_actor_as(struct rig *rig, uint32_t thread, char name, const struct actor_role *role)
{
    struct actor *a = actor_new(&rig->threads[thread], role, name, rig);
    rig_turn(rig);
    return a;
}

/* The test acts in the process's turn between these two. */
static inline void rig_enter(struct actor *a)
{
    if (a->proc.state == DZ_PROC_READY)
        dz_list_remove(&a->proc.run);
    assert_true(a->proc.state == DZ_PROC_READY || a->proc.state == DZ_PROC_IDLE);
    a->proc.state = DZ_PROC_RUNNING;
}

static inline void rig_leave(struct rig *rig, uint32_t thread, struct actor *a)
{
    dz_process_rest(&rig->threads[thread], &a->proc);
    rig_turn(rig);
}

static inline void rig_signal(struct rig *rig, enum dz_msg_kind kind, struct dz_pid from, struct dz_pid to,
                              uint64_t ref)
{
    dz_send_signal(&rig->threads[0], kind, from, to, ref, rig->rt.reasons[DZ_REASON_SHUTDOWN]);
    rig_turn(rig);
}

/* Whoever is left is killed, in slot order, without a word in the journal; then nothing may be left. */
static inline void rig_fini(struct rig *rig)
{
    struct dz_pid pid;
    for (uint32_t index = 0; dz_table_next(&rig->rt.table, &index, &pid);)
        dz_send_signal(&rig->threads[0], DZ_MSG_KILL, DZ_PID_NONE, pid, 0, NULL);
    rig_turn(rig);
    assert_int_equal(atomic_load(&rig->rt.table.count), 0);
    for (uint32_t i = 0; i < RIG_THREADS; i++) {
        assert_true(dz_list_empty(&rig->threads[i].runq));
        assert_true(dz_list_empty(&rig->threads[i].lazy));
        assert_int_equal(dz_timers_next(&rig->threads[i]), DZ_INFINITY);
        dz_thread_fini(&rig->threads[i]);
    }
    dz_rt_fini(&rig->rt);
}

#endif
