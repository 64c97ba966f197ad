#include "proc/orphan.h"

#include "base/alloc.h"
#include "base/assert.h"

/* Longer than that nobody waits, and nanoseconds do not overflow. */
#define ORPHAN_MS_MAX UINT64_C(1000000000000)

struct orphan {
    struct dz_list all; /* dz_thread.orphans, the one due first in front */
    struct dz_proc *proc;
    uint64_t due_ns;
};

static void forget(struct orphan *o)
{
    dz_list_remove(&o->all);
    dz_free(o);
}

static void fire(struct dz_thread *t, struct dz_timer *timer)
{
    uint64_t now = dz_env_now_ns(t->rt->env);
    while (!dz_list_empty(&t->orphans)) {
        struct orphan *o = dz_list_entry(t->orphans.next, struct orphan, all);
        if (o->due_ns > now) {
            int err = dz_timer_start(t, timer, o->due_ns);
            dz_assert(!err); /* it has just left the heap, which kept its room */
            return;
        }
        o->proc->flags &= (uint16_t)~DZ_PROC_ORPHAN;
        dz_process_doom(t, o->proc, t->rt->reasons[DZ_REASON_KILLED], DZ_PROC_NO_TERMINATE);
        forget(o);
    }
}

/* Most have the same time: the place is near the back. */
static void insert(struct dz_thread *t, struct orphan *o)
{
    struct dz_list *before = t->orphans.prev;
    while (before != &t->orphans && dz_list_entry(before, struct orphan, all)->due_ns > o->due_ns)
        before = before->prev;
    dz_list_push_front(before, &o->all);
}

static bool note(struct dz_thread *t, struct dz_proc *p, uint64_t allowed_ms)
{
    struct orphan *o = dz_zalloc(1, sizeof *o);
    if (!o)
        return false;
    if (dz_list_empty(&t->orphans))
        dz_timer_init(&t->orphan_timer, fire);
    o->proc = p;
    o->due_ns = dz_env_now_ns(t->rt->env) + allowed_ms * UINT64_C(1000000);
    insert(t, o);
    if (dz_timer_start(t, &t->orphan_timer, dz_list_entry(t->orphans.next, struct orphan, all)->due_ns)) {
        forget(o);
        return false;
    }
    p->flags |= DZ_PROC_ORPHAN;
    return true;
}

void dz_orphan_end(struct dz_thread *t, struct dz_proc *p, struct dz_blob *reason, uint64_t allowed_ms)
{
    const unsigned never = DZ_PROC_NO_TERMINATE | DZ_PROC_NATIVE | DZ_PROC_ORPHAN;
    bool limited = allowed_ms < ORPHAN_MS_MAX && (p->flags & DZ_PROC_STARTED) && !(p->flags & never);
    bool kills = limited && !note(t, p, allowed_ms ? allowed_ms : DZ_ORPHAN_MS);
    dz_process_doom(t, p, reason, kills ? DZ_PROC_NO_TERMINATE : 0);
}

/* They end in about the order in which they were told to: the one looked for is near the front. */
void dz_orphan_gone(struct dz_thread *t, struct dz_proc *p)
{
    dz_list_each_safe (&t->orphans, it) {
        struct orphan *o = dz_list_entry(it, struct orphan, all);
        if (o->proc != p)
            continue;
        forget(o);
        break;
    }
    if (dz_list_empty(&t->orphans))
        dz_timer_stop(t, &t->orphan_timer);
}

void dz_orphan_drop_all(struct dz_thread *t)
{
    if (dz_list_empty(&t->orphans))
        return;
    dz_timer_stop(t, &t->orphan_timer);
    while (!dz_list_empty(&t->orphans))
        forget(dz_list_entry(t->orphans.next, struct orphan, all));
}
