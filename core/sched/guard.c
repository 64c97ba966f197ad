/* guard.c - see guard.h. */
#include "sched/guard.h"

#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "sched/loss.h"
#include "sched/sched.h"
#include "sched/worker.h"

#define HURRIED_EVERY_NS 1000000u /* between two looks at a thread that is interrupted or to stand still */

void dz_guard_init(struct dz_guard *g)
{
    memset(g, 0, sizeof *g);
}

void dz_guard_enable(struct dz_sched *s, uint64_t max_turn_ms, const struct dz_guard_hooks *hooks)
{
    dz_assert(!s->started);
    s->guard.enabled = s->options.threads;
    s->guard.hooks = *hooks;
    dz_watchdog_set_limits(&s->guard.limits, max_turn_ms);
}

void dz_guarded_init(struct dz_guarded *g)
{
    pthread_mutex_init(&g->lock, NULL);
}

void dz_guarded_fini(struct dz_guarded *g)
{
    dz_assert(!g->on);
    pthread_mutex_destroy(&g->lock);
}

/* --- losing --- */

static void give_up(struct dz_worker *w, enum dz_reason reason, uint64_t now)
{
    struct dz_guard *g = &w->sched->guard;
    struct dz_guarded *d = &w->guarded;
    d->given_up = true;
    d->given_up_ns = now;
    d->reason = reason;
    g->hooks.give_up(g->hooks.ctx, w);
}

static void go_on_losing(struct dz_worker *system, struct dz_worker *w, uint64_t now)
{
    struct dz_guard *g = &w->sched->guard;
    struct dz_guarded *d = &w->guarded;
    struct dz_watchdog_sample sample;
    g->hooks.sample(g->hooks.ctx, w, d->force, &sample);
    switch (dz_watchdog_may_take(&sample, now - d->given_up_ns)) {
    case DZ_LOSS_TAKE:
        dz_loss_take(system, w, sample.parked);
        return;
    case DZ_LOSS_FORCE:
        d->force = true;
        break;
    case DZ_LOSS_WAIT:
        break;
    }
    g->hurried = true;
}

/* --- looking --- */

/* A worker of somebody's own is there for code that blocks: only the time it computes counts. */
static uint64_t clock_of(const struct dz_worker *w, uint64_t now)
{
    clockid_t clock;
    struct timespec time;
    if (!atomic_load_explicit(&w->exclusive, memory_order_relaxed))
        return now;
    if (pthread_getcpuclockid(w->id, &clock) || clock_gettime(clock, &time))
        return w->guarded.watch.looked_ns;
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* A kill that was posted while no turn, or an earlier one, was under way is taken from the inbox after it. */
static bool kill_waits(struct dz_worker *w, uint64_t turn, uint64_t now)
{
    struct dz_guarded *d = &w->guarded;
    if (!atomic_load_explicit(&d->kills, memory_order_seq_cst))
        return false;
    if (turn == d->kill_turn && turn != 0)
        return true;
    atomic_store_explicit(&d->kills, false, memory_order_seq_cst);
    d->kill_turn = atomic_load_explicit(&w->turn, memory_order_seq_cst);
    d->kill_seen_ns = now;
    if (d->kill_turn == 0)
        return false;
    /* It may have been posted to this very turn. */
    atomic_store_explicit(&d->kills, true, memory_order_seq_cst);
    w->sched->guard.hurried = true;
    return false;
}

/* True if the turn is that of a killed process, or may be. */
static bool kill_running(struct dz_worker *w, uint64_t turn, uint64_t now)
{
    struct dz_guard *g = &w->sched->guard;
    struct dz_guarded *d = &w->guarded;
    if (!kill_waits(w, turn, now))
        return false;
    struct dz_pid running = g->hooks.running(g->hooks.ctx, w, turn);
    bool known = !dz_pid_is_none(running);
    if (known && !dz_table_is_killed(&w->thread.rt->table, running))
        return false;
    uint64_t since_ms = (now - d->kill_seen_ns) / 1000000u;
    if (since_ms >= DZ_WATCHDOG_KILL_GRACE_MS) {
        if (known)
            give_up(w, DZ_REASON_WORKER_STUCK, now);
        return known;
    }
    g->hurried = true;
    g->hooks.interrupt(g->hooks.ctx, w, turn, DZ_WATCHDOG_KILL, since_ms);
    return true;
}

static void judge(struct dz_worker *w, uint64_t now)
{
    struct dz_guard *g = &w->sched->guard;
    struct dz_guarded *d = &w->guarded;
    /* acquire: pairs with the release in dz_sched_turn_begin and _end. */
    uint64_t turn = atomic_load_explicit(&w->turn, memory_order_acquire);
    enum dz_watchdog_verdict verdict = dz_watchdog_look(&d->watch, &g->limits, turn, clock_of(w, now));
    if (atomic_load_explicit(&d->exhausted, memory_order_acquire)) {
        give_up(w, DZ_REASON_OUT_OF_MEMORY, now);
    } else if (kill_running(w, turn, now)) {
        return;
    } else if (verdict == DZ_WATCHDOG_GIVE_UP) {
        give_up(w, DZ_REASON_WORKER_STUCK, now);
    } else if (verdict != DZ_WATCHDOG_FINE) {
        g->hurried = g->hurried || verdict == DZ_WATCHDOG_END;
        g->hooks.interrupt(g->hooks.ctx, w, turn, verdict, d->watch.age_ns / 1000000u);
    }
}

static void look_at(struct dz_worker *system, struct dz_worker *w, uint64_t now)
{
    struct dz_guarded *d = &w->guarded;
    if (!d->given_up)
        judge(w, now);
    if (d->given_up && !d->lost)
        go_on_losing(system, w, now);
}

static void look(struct dz_worker *system)
{
    struct dz_sched *s = system->sched;
    uint64_t now = dz_env_now_ns(s->rt->env);
    uint32_t count = atomic_load_explicit(&s->count, memory_order_acquire);
    s->guard.hurried = false;
    for (uint32_t i = DZ_THREAD_WORKER; i < count; i++) {
        struct dz_worker *w = dz_sched_worker(s, i);
        pthread_mutex_lock(&w->guarded.lock);
        if (w->guarded.on)
            look_at(system, w, now);
        pthread_mutex_unlock(&w->guarded.lock);
    }
    dz_loss_close_descriptors(s);
    dz_timer_start(&system->thread, &s->guard.timer,
                   now + (s->guard.hurried ? HURRIED_EVERY_NS : s->guard.limits.every_ns));
}

static void on_timer(struct dz_thread *t, struct dz_timer *timer)
{
    (void)timer;
    look(dz_worker_of(t));
}

bool dz_guard_called(const struct dz_worker *system)
{
    /* seq_cst: pairs with dz_guard_exhausted, as dz_worker_wake demands. */
    return atomic_load_explicit(&((struct dz_worker *)(uintptr_t)system)->sched->guard.called,
                                memory_order_seq_cst);
}

void dz_guard_heed(struct dz_worker *system)
{
    struct dz_guard *g = &system->sched->guard;
    /* relaxed, the common case; the exchange is what synchronises. */
    if (!atomic_load_explicit(&g->called, memory_order_relaxed))
        return;
    if (atomic_exchange_explicit(&g->called, false, memory_order_seq_cst) && g->enabled)
        look(system);
}

/* --- the worker's side --- */

void dz_guard_begin(struct dz_worker *w)
{
    struct dz_guard *g = &w->sched->guard;
    if (!g->enabled)
        return;
    if (w->thread.index == DZ_THREAD_SYSTEM) {
        dz_timer_init(&g->timer, on_timer);
        dz_timer_start(&w->thread, &g->timer, w->thread.now_ns + g->limits.every_ns);
        return;
    }
    pthread_mutex_lock(&w->guarded.lock);
    w->guarded.on = true;
    pthread_mutex_unlock(&w->guarded.lock);
}

void dz_guard_end(struct dz_worker *w)
{
    struct dz_guard *g = &w->sched->guard;
    if (g->enabled && w->thread.index == DZ_THREAD_SYSTEM) {
        dz_timer_stop(&w->thread, &g->timer);
        return;
    }
    pthread_mutex_lock(&w->guarded.lock);
    w->guarded.on = false;
    pthread_mutex_unlock(&w->guarded.lock);
}

void dz_guard_failed(struct dz_worker *w)
{
    struct dz_guard *g = &w->sched->guard;
    if (g->enabled && w->replaces)
        g->hooks.failed(g->hooks.ctx, &w->thread, "the new worker did not start");
}

void dz_guard_note_kill(struct dz_worker *w, struct dz_pid target)
{
    dz_table_set_killed(&w->thread.rt->table, target);
    /* seq_cst: pairs with kill_waits: a turn that began before this is seen there. */
    atomic_store_explicit(&w->guarded.kills, true, memory_order_seq_cst);
}

void dz_guard_exhausted(struct dz_worker *w)
{
    struct dz_sched *s = w->sched;
    if (atomic_exchange_explicit(&w->guarded.exhausted, true, memory_order_acq_rel))
        return;
    atomic_store_explicit(&s->guard.called, true, memory_order_seq_cst);
    dz_worker_wake(dz_sched_worker(s, DZ_THREAD_SYSTEM));
}
