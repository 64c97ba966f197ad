/* driver_stop.c - stops of a supervisor's children, until their processes are gone.
 * Owns:    the stops under way (dz_stopping), and the starts that came too late.
 * Threads: whoever runs the native. */
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/send.h"
#include "sup/driver_parts.h"

static uint64_t key_of(struct dz_pid pid)
{
    return (uint64_t)pid.slot << 32 | pid.gen;
}

/* --- the table --- */

static void add(struct dz_supervisor *s, struct dz_pid pid, uint64_t deadline_ms, struct dz_pending *late)
{
    struct dz_stopping *st = dz_alloc_must(sizeof *st);
    *st = (struct dz_stopping){dz_map_get(&s->stopping, key_of(pid)), pid, deadline_ms, late};
    int err = dz_map_put(&s->stopping, key_of(pid), st);
    dz_assert(!err); /* a few bytes per stop under way */
}

/* Taken out; NULL when it is not there. The caller owns it. */
static struct dz_stopping *take(struct dz_supervisor *s, struct dz_pid pid)
{
    struct dz_stopping *first = dz_map_get(&s->stopping, key_of(pid)), *st = first, *before = NULL;
    for (; st && !dz_pid_eq(st->pid, pid); st = st->next)
        before = st;
    if (!st)
        return NULL;
    if (before) {
        before->next = st->next;
    } else if (st->next) {
        int err = dz_map_put(&s->stopping, key_of(pid), st->next);
        dz_assert(!err); /* the key is there */
    } else {
        dz_map_remove(&s->stopping, key_of(pid));
    }
    return st;
}

/* --- stopping --- */

static void stop(struct dz_thread *t, struct dz_supervisor *s, struct dz_pid pid, bool brutal,
                 uint64_t timeout_ms, struct dz_blob *reason, struct dz_pending *late)
{
    uint64_t now = dz_supervisor_now(s);
    uint64_t deadline = !brutal && timeout_ms < DZ_TIME_INFINITY - now ? now + timeout_ms : DZ_TIME_INFINITY;
    dz_send_signal(t, brutal ? DZ_MSG_KILL : DZ_MSG_STOP, dz_supervisor_pid(s), pid, 0,
                   brutal ? NULL : reason);
    if (deadline == DZ_TIME_INFINITY && !late)
        return;
    add(s, pid, deadline, late);
    dz_supervisor_look_at(t, s, deadline);
}

void dz_supervisor_stop_child(struct dz_thread *t, struct dz_supervisor *s,
                              const struct dz_sup_stop_action *action)
{
    bool superseded = strcmp(action->reason, "superseded") == 0;
    stop(t, s, action->pid, action->brutal, action->timeout_ms,
         t->rt->reasons[superseded ? DZ_REASON_SUPERSEDED : DZ_REASON_SHUTDOWN], NULL);
}

void dz_supervisor_stop_late(struct dz_thread *t, struct dz_supervisor *s, struct dz_pending *p,
                             struct dz_pid pid)
{
    stop(t, s, pid, p->brutal_kill, p->shutdown_ms, t->rt->reasons[DZ_REASON_SHUTDOWN], p);
}

static void end_late(struct dz_supervisor *s, struct dz_pending *p)
{
    bool timed_out = p->timed_out;
    dz_supervisor_tell(s, DZ_TOLD_START_FAILED, p->token, timed_out ? DZ_ETIMEOUT : DZ_ENOCONNECTION,
                       !timed_out, NULL);
    dz_free(p);
}

bool dz_supervisor_forget_stop(struct dz_supervisor *s, struct dz_pid pid)
{
    struct dz_stopping *st = take(s, pid);
    bool late = st && st->late;
    if (late)
        end_late(s, st->late);
    dz_free(st);
    return late;
}

void dz_supervisor_lose_node(struct dz_thread *t, struct dz_supervisor *s, uint32_t node)
{
    uint32_t it = 0;
    uint64_t key;
    void *value;
    dz_supervisor_lose_starts(t, s, node);
    while (dz_map_next(&s->stopping, &it, &key, &value)) {
        struct dz_stopping *next;
        for (struct dz_stopping *st = value; st; st = next) {
            next = st->next;
            if (dz_nodes_resolve(&t->rt->nodes, st->pid.node) == node)
                dz_supervisor_forget_stop(s, st->pid);
        }
    }
}

/* Killed once; what is still there then is waited for. */
static uint64_t overdue_stops(struct dz_thread *t, struct dz_supervisor *s, uint64_t now_ms)
{
    uint64_t key, next = DZ_TIME_INFINITY;
    uint32_t it = 0;
    void *value;
    while (dz_map_next(&s->stopping, &it, &key, &value)) {
        for (struct dz_stopping *st = value; st; st = st->next) {
            if (st->deadline_ms <= now_ms) {
                dz_send_signal(t, DZ_MSG_KILL, dz_supervisor_pid(s), st->pid, 0, NULL);
                st->deadline_ms = DZ_TIME_INFINITY;
            } else if (st->deadline_ms < next) {
                next = st->deadline_ms;
            }
        }
    }
    return next;
}

uint64_t dz_supervisor_overdue(struct dz_thread *t, struct dz_supervisor *s, uint64_t now_ms)
{
    uint64_t starts = dz_supervisor_overdue_starts(t, s, now_ms);
    uint64_t stops = overdue_stops(t, s, now_ms);
    return starts < stops ? starts : stops;
}

/* --- the end --- */

static void abandon_late(struct dz_thread *t, struct dz_supervisor *s, struct dz_blob *reason)
{
    uint64_t key;
    uint32_t it = 0;
    void *value;
    while (dz_map_next(&s->stopping, &it, &key, &value))
        for (const struct dz_stopping *st = value; st; st = st->next)
            if (st->late)
                dz_send_signal(t, DZ_MSG_PARENT_EXIT, dz_supervisor_pid(s), st->pid, st->late->shutdown_ms, reason);
}

void dz_supervisor_abandon_children(struct dz_thread *t, struct dz_supervisor *s, struct dz_blob *reason)
{
    struct dz_sup_child_info info;
    for (const struct dz_sup_child *c = dz_sup_first_child(s->sup); c; c = dz_sup_next_child(s->sup, c)) {
        dz_sup_child_info(s->sup, c, &info);
        if (info.has_pid)
            dz_send_signal(t, DZ_MSG_PARENT_EXIT, dz_supervisor_pid(s), info.pid, info.spec->shutdown_ms, reason);
    }
    dz_supervisor_abandon_starts(t, s, reason);
    abandon_late(t, s, reason);
}

void dz_supervisor_free_stops(struct dz_supervisor *s)
{
    uint64_t key;
    uint32_t it = 0;
    void *value;
    while (dz_map_next(&s->stopping, &it, &key, &value)) {
        struct dz_stopping *next;
        for (struct dz_stopping *st = value; st; st = next) {
            next = st->next;
            dz_free(st->late);
            dz_free(st);
        }
    }
    dz_map_fini(&s->stopping);
}
