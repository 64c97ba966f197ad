#include "proc/orphan.h"

#include "base/alloc.h"
#include "base/assert.h"

struct orphan {
    struct dz_list all; /* dz_thread.orphans, the one due first in front: all have the same time */
    struct dz_pid pid;
    uint64_t due_ns;
};

static void kill_orphan(struct dz_thread *t, struct dz_pid pid)
{
    struct dz_slot *slot = dz_table_find(&t->rt->table, pid);
    if (slot && slot->proc)
        dz_process_doom(t, slot->proc, t->rt->reasons[DZ_REASON_KILLED], DZ_PROC_NO_TERMINATE);
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
        dz_list_remove(&o->all);
        kill_orphan(t, o->pid);
        dz_free(o);
    }
}

static bool note(struct dz_thread *t, struct dz_pid pid)
{
    struct orphan *o = dz_zalloc(1, sizeof *o);
    if (!o)
        return false;
    o->pid = pid;
    o->due_ns = dz_env_now_ns(t->rt->env) + DZ_ORPHAN_MS * UINT64_C(1000000);
    if (dz_list_empty(&t->orphans)) {
        dz_timer_init(&t->orphan_timer, fire);
        if (dz_timer_start(t, &t->orphan_timer, o->due_ns)) {
            dz_free(o);
            return false;
        }
    }
    dz_list_push_back(&t->orphans, &o->all);
    return true;
}

void dz_orphan_end(struct dz_thread *t, struct dz_proc *p, struct dz_blob *reason)
{
    bool lasts = (p->flags & DZ_PROC_STARTED) && !(p->flags & (DZ_PROC_NO_TERMINATE | DZ_PROC_NATIVE));
    bool kills = lasts && !note(t, p->pid);
    dz_process_doom(t, p, reason, kills ? DZ_PROC_NO_TERMINATE : 0);
}

void dz_orphan_drop_all(struct dz_thread *t)
{
    struct dz_list *node;
    if (dz_list_empty(&t->orphans))
        return;
    dz_timer_stop(t, &t->orphan_timer);
    while ((node = dz_list_pop_front(&t->orphans)) != NULL)
        dz_free(dz_list_entry(node, struct orphan, all));
}
