/* takeover.c - natives that are ready: on the thread that made them so, or taken over by the system thread.
 * Owns:    dz_thread.natives, dz_sched.announced; dz_native.ready, lister, announce, announced.
 * Threads: as takeover.h says.
 * Fails:   never.
 *
 * `takeover` of the scheduler holds what is asked of the system thread. Whoever sets a bit wakes it; whoever
 * finds the bit set need not, so announcements cost at most one wake-up in a millisecond. */
#include "sched/takeover.h"

#include <stddef.h>

#include "base/assert.h"
#include "sched/worker.h"

enum takeover {
    TAKE_SOON = 1, /* give the thread that has them a millisecond */
    TAKE_NOW = 2,  /* nobody else will run them soon */
};

static void announce(struct dz_sched *s, struct dz_native *n, enum takeover when)
{
    /* acq_rel: pairs with the exchange in take_over. Found 1, the system thread clears it later and runs the
     * native after that, seeing the messages pushed before. */
    if (atomic_exchange_explicit(&n->announced, 1, memory_order_acq_rel) == 0)
        dz_mpsc_push(&s->announced, &n->announce);
    /* seq_cst: pairs with the exchange in dz_takeover_run_announced: a bit found set is read there after our
     * push; and with the load in dz_takeover_pending, as dz_worker_wake demands. */
    if (!(atomic_fetch_or_explicit(&s->takeover, (uint32_t)when, memory_order_seq_cst) & (uint32_t)when))
        dz_worker_wake(dz_sched_worker(s, DZ_THREAD_SYSTEM));
}

/* True if the native is in this thread's list now; false when another thread has it in its own. */
static bool list(struct dz_thread *t, struct dz_native *n)
{
    uint32_t lister = 0;
    /* acquire: pairs with the release in dz_takeover_run_own: `ready` is unlinked. */
    if (atomic_compare_exchange_strong_explicit(&n->lister, &lister, t->index + 1, memory_order_acquire,
                                                memory_order_relaxed)) {
        dz_list_push_back(&t->natives, &n->ready);
        return true;
    }
    return lister == t->index + 1;
}

void dz_takeover_ready(void *ctx, struct dz_thread *from, struct dz_native *native)
{
    (void)ctx;
    struct dz_sched *s = from->rt->ports.sched;
    /* The thread that has it in its list may be in a turn that never ends. */
    if (from->index == DZ_THREAD_FOREIGN || !list(from, native))
        announce(s, native, TAKE_NOW);
    else if (from->in_turn && from->index != DZ_THREAD_SYSTEM && s->options.threads)
        announce(s, native, TAKE_SOON);
}

bool dz_takeover_run_own(struct dz_worker *w)
{
    struct dz_thread *t = &w->thread;
    if (dz_list_empty(&t->natives))
        return false;
    struct dz_list batch; /* what they make ready again waits for the next time */
    dz_list_init(&batch);
    dz_list_splice_back(&batch, &t->natives);
    struct dz_list *node;
    while ((node = dz_list_pop_front(&batch))) {
        struct dz_native *n = dz_list_entry(node, struct dz_native, ready);
        /* release: pairs with the acquire in list. */
        atomic_store_explicit(&n->lister, 0, memory_order_release);
        dz_native_run(t, n, DZ_NATIVE_BUDGET);
    }
    return true;
}

void dz_takeover_before_turn(struct dz_worker *w)
{
    if (!w->sched->options.threads || w->thread.index == DZ_THREAD_SYSTEM)
        return;
    dz_list_each(&w->thread.natives, it)
        announce(w->sched, dz_list_entry(it, struct dz_native, ready), TAKE_SOON);
}

void dz_takeover_inherit(struct dz_worker *lost)
{
    struct dz_list *node;
    while ((node = dz_list_pop_front(&lost->thread.natives)) != NULL) {
        struct dz_native *n = dz_list_entry(node, struct dz_native, ready);
        /* release: pairs with the acquire in list. */
        atomic_store_explicit(&n->lister, 0, memory_order_release);
        announce(lost->sched, n, TAKE_NOW);
    }
}

/* Bounded, so that natives announced again and again cannot keep the system thread from its other work. */
static void take_over(struct dz_worker *system)
{
    struct dz_sched *s = system->sched;
    struct dz_mpsc_node *node;
    for (unsigned i = 0; i < DZ_INBOX_BATCH && (node = dz_mpsc_pop(&s->announced)); i++) {
        struct dz_native *n = dz_container_of(node, struct dz_native, announce);
        /* acq_rel: pairs with the exchange in announce. */
        atomic_exchange_explicit(&n->announced, 0, memory_order_acq_rel);
        dz_native_run(&system->thread, n, DZ_NATIVE_BUDGET);
    }
    /* Left over, or a producer stands between its two steps. */
    if (!dz_mpsc_empty(&s->announced))
        atomic_fetch_or_explicit(&s->takeover, TAKE_NOW, memory_order_seq_cst);
}

bool dz_takeover_run_announced(struct dz_worker *system)
{
    struct dz_sched *s = system->sched;
    /* acquire: the common case, nothing asked; the exchange below is what synchronises. */
    uint32_t asked = atomic_load_explicit(&s->takeover, memory_order_acquire);
    if (!asked)
        return false;
    if (!(asked & TAKE_NOW)) {
        if (s->takeover_due_ns == 0)
            s->takeover_due_ns = system->thread.now_ns + DZ_TAKEOVER_NS;
        if (system->thread.now_ns < s->takeover_due_ns)
            return false;
    }
    s->takeover_due_ns = 0;
    /* seq_cst, before the queue is read: pairs with announce. */
    atomic_exchange_explicit(&s->takeover, 0, memory_order_seq_cst);
    take_over(system);
    return true;
}

bool dz_takeover_pending(const struct dz_worker *system)
{
    const struct dz_sched *s = system->sched;
    /* seq_cst: pairs with announce; see must_stay_awake in worker.c. */
    uint32_t asked = atomic_load_explicit(&s->takeover, memory_order_seq_cst);
    return (asked & TAKE_NOW) || (asked && s->takeover_due_ns == 0);
}
