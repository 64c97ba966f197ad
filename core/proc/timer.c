#include "proc/timer.h"

#include "base/assert.h"
#include "proc/rt.h"

int dz_timer_start(struct dz_thread *t, struct dz_timer *timer, uint64_t due_ns)
{
    dz_timer_stop(t, timer);
    return due_ns == DZ_INFINITY ? 0 : dz_heap_push(&t->timers, &timer->node, due_ns);
}

void dz_timer_stop(struct dz_thread *t, struct dz_timer *timer)
{
    dz_list_remove(&timer->lazy);
    if (dz_heap_holds(&timer->node))
        dz_heap_remove(&t->timers, &timer->node);
}

void dz_timer_start_lazy(struct dz_thread *t, struct dz_timer *timer, uint64_t timeout_ns)
{
    dz_timer_stop(t, timer);
    if (timeout_ns == DZ_INFINITY)
        return;
    timer->timeout_ns = timeout_ns;
    dz_list_push_back(&t->lazy, &timer->lazy);
}

/* One that cannot be armed for want of memory stays lazy and is tried again in the next round. */
static void arm_lazy(struct dz_thread *t, uint64_t now_ns)
{
    struct dz_list *it = t->lazy.next;
    while (it != &t->lazy) {
        struct dz_timer *timer = dz_list_entry(it, struct dz_timer, lazy);
        uint64_t due = timer->timeout_ns < DZ_INFINITY - now_ns ? now_ns + timer->timeout_ns : DZ_INFINITY - 1;
        it = it->next;
        if (dz_heap_push(&t->timers, &timer->node, due) == 0)
            dz_list_remove(&timer->lazy);
    }
}

unsigned dz_timers_run(struct dz_thread *t, uint64_t now_ns)
{
    unsigned fired = 0;
    struct dz_heap_node *node;
    arm_lazy(t, now_ns);
    while ((node = dz_heap_top(&t->timers)) != NULL && node->key <= now_ns) {
        dz_heap_pop(&t->timers);
        struct dz_timer *timer = dz_container_of(node, struct dz_timer, node);
        timer->fire(t, timer);
        fired++;
    }
    return fired;
}

uint64_t dz_timers_next(const struct dz_thread *t)
{
    const struct dz_heap_node *node = dz_heap_top(&t->timers);
    return node ? node->key : DZ_INFINITY;
}
