/* worker.c - one thread: its rounds, its spinning and sleeping, its turns.
 * Owns:    the worker, its loop, its inbox and what waits there.
 * Threads: rounds and turns the thread's own; wake and stop any; the rest the owner's.
 * Fails:   DZ_ENOMEM, DZ_EIO. */
#include "sched/worker.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "sched/takeover.h"

#define LOOP_EVERY_NS       1000000u /* how often a busy thread looks at its loop */

static bool is_system(const struct dz_worker *w)
{
    return w->thread.index == DZ_THREAD_SYSTEM;
}

static uint64_t look_at_clock(struct dz_worker *w)
{
    return w->thread.now_ns = dz_env_now_ns(w->thread.rt->env);
}

/* --- turns --- */

void dz_sched_turn_end(struct dz_worker *w)
{
    w->thread.in_turn = false;
    /* release: pairs with the watchdog's acquire: it does not blame a turn for what comes after it. */
    atomic_store_explicit(&w->turn, 0, memory_order_release);
}

bool dz_sched_slice_over(struct dz_worker *w)
{
    uint64_t now = look_at_clock(w);
    return now >= w->slice_end_ns || now >= dz_timers_next(&w->thread);
}

/* --- rounds --- */

static bool drain_inbox(struct dz_worker *w)
{
    struct dz_mpsc_node *node;
    unsigned n = 0;
    while (n < DZ_INBOX_BATCH && (node = dz_mpsc_pop(&w->inbox->queue))) {
        dz_thread_deliver(&w->thread, dz_container_of(node, struct dz_msg, node));
        n++;
    }
    return n > 0;
}

static bool run_processes(struct dz_worker *w)
{
    bool any = false;
    w->slice_left = DZ_SLICE_STRETCHES - 1; /* the first is not asked for */
    w->slice_end_ns = w->thread.now_ns + DZ_SLICE_NS;
    dz_takeover_before_turn(w);
    for (struct dz_proc *p; (p = dz_sched_next(w));) {
        p->kind->run(&w->thread, p);
        dz_sched_turn_end(w);
        any = true;
        dz_takeover_run_own(w);
        if (dz_sched_should_yield(w))
            break;
    }
    return any;
}

static void measure_load(struct dz_worker *w)
{
    uint32_t load = 0;
    for (struct dz_list *it = w->thread.runq.next; it != &w->thread.runq && load < DZ_LOAD_MAX; it = it->next)
        load++;
    /* relaxed: a hint for choose_thread. */
    atomic_store_explicit(&w->load, load, memory_order_relaxed);
}

/* A busy thread serves its loop now and then; one that sleeps does so in it. */
static void look_at_loop(struct dz_worker *w)
{
    bool threads = w->sched->options.threads;
    if (threads && w->thread.now_ns < w->next_loop_ns)
        return;
    w->next_loop_ns = w->thread.now_ns + LOOP_EVERY_NS;
    measure_load(w);
    if (threads)
        uv_run(&w->loop, UV_RUN_NOWAIT);
}

/* The cluster gathers what a round sends, so that many messages make one write. */
static void flush(struct dz_worker *w)
{
    const struct dz_ports *ports = &w->thread.rt->ports;
    if (!w->thread.unflushed || !ports->flush)
        return;
    w->thread.unflushed = false;
    ports->flush(ports->ctx, &w->thread);
}

bool dz_sched_step(struct dz_worker *w)
{
    uint64_t now = look_at_clock(w);
    bool any = drain_inbox(w);
    any |= dz_timers_run(&w->thread, now) > 0;
    if (is_system(w)) {
        any |= dz_takeover_run_announced(w);
        dz_guard_heed(w);
    }
    any |= dz_takeover_run_own(w);
    any |= run_processes(w);
    look_at_loop(w);
    flush(w);
    return any;
}

uint64_t dz_sched_next_ns(struct dz_worker *w)
{
    return dz_list_empty(&w->thread.lazy) ? dz_timers_next(&w->thread) : w->thread.now_ns;
}

/* --- waiting --- */

/* What the thread does next by itself, an announcement's millisecond included. */
static uint64_t next_due(struct dz_worker *w)
{
    uint64_t due = dz_sched_next_ns(w);
    uint64_t takeover = is_system(w) ? w->sched->takeover_due_ns : 0;
    return takeover != 0 && takeover < due ? takeover : due;
}

/* seq_cst throughout: each pairs with a producer that publishes first and looks at `asleep` after that. */
static bool has_work(struct dz_worker *w)
{
    return !dz_mpsc_empty(&w->inbox->queue) || atomic_load_explicit(&w->stopping, memory_order_seq_cst) ||
           !dz_list_empty(&w->thread.runq) || !dz_list_empty(&w->thread.natives) ||
           (is_system(w) && (dz_takeover_pending(w) || dz_guard_called(w)));
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* True if there is something to do before `until`. */
static bool spin(struct dz_worker *w, uint64_t until)
{
    do {
        for (int i = 0; i < 16; i++) {
            if (has_work(w))
                return true;
            relax();
        }
    } while (look_at_clock(w) < until);
    return false;
}

static void on_alarm(uv_timer_t *alarm)
{
    /* The round that follows finds what is due. libuv may fire timers before it polls: a thread that was held
     * up between arming the alarm and uv_run would then poll with nothing left to wake it. Stopped, the loop
     * does not wait. */
    uv_stop(alarm->loop);
}

static void on_wake(uv_async_t *wake)
{
    (void)wake; /* the round that follows finds the work */
}

/* Runs behind the loop's timers and before it polls: what those (the script's own timers, too) gave this thread to do must not
 * wait for the poll to end. Stopped, the loop polls without waiting. */
static void before_poll(uv_prepare_t *prepare)
{
    struct dz_worker *w = prepare->data;
    if (has_work(w) || dz_sched_next_ns(w) < w->alarm_due_ns)
        uv_stop(prepare->loop);
}

/* The loop counts in whole milliseconds: rounded up, so that the thread does not wake for nothing. */
static void arm_alarm(struct dz_worker *w, uint64_t due)
{
    w->alarm_due_ns = due;
    if (due == DZ_INFINITY) {
        uv_timer_stop(&w->alarm);
        return;
    }
    uint64_t wait_ns = due - w->thread.now_ns;
    uv_update_time(&w->loop);
    uv_timer_start(&w->alarm, on_alarm, wait_ns / 1000000u + (wait_ns % 1000000u != 0), 0);
}

/* Sleeps until somebody wakes us, something is due or the loop has something. Returns how long it took until
 * a producer had work for us, UINT64_MAX when it was not a producer. */
static uint64_t sleep_in_loop(struct dz_worker *w, uint64_t began)
{
    /* seq_cst: pairs with dz_worker_wake. Either the producer sees us asleep or has_work sees what it
     * published. */
    atomic_store_explicit(&w->asleep, 1, memory_order_seq_cst);
    uint64_t due = next_due(w);
    bool slept = !has_work(w) && look_at_clock(w) < due;
    if (slept) {
        arm_alarm(w, due);
        uv_run(&w->loop, UV_RUN_ONCE);
        look_at_clock(w);
    }
    /* acq_rel: pairs with the exchange in dz_worker_wake. */
    bool signalled = atomic_exchange_explicit(&w->asleep, 0, memory_order_acq_rel) == 0;
    if (!slept || !signalled)
        return slept ? UINT64_MAX : w->thread.now_ns - began;
    /* relaxed: for the statistics of the spinning only; the producer may not have written it yet. */
    uint64_t woken = atomic_load_explicit(&w->woken_ns, memory_order_relaxed);
    return (woken > began ? woken : w->thread.now_ns) - began;
}

/* Nothing to do at the moment, but for timers and the loop. */
static void wait_for_work(struct dz_worker *w)
{
    uint64_t began = look_at_clock(w);
    uint64_t spin_ns = dz_spin_ns(&w->spin);
    uint64_t due = next_due(w);
    uint64_t until = due < began + spin_ns ? due : began + spin_ns;
    if (due <= began)
        return;
    if (began < until && spin(w, until)) {
        dz_spin_waited(&w->spin, w->thread.now_ns - began); /* as of the spin's last look: near enough */
        return;
    }
    struct dz_sched_hooks *hooks = &w->sched->hooks;
    while (!is_system(w) && hooks->idle && hooks->idle(hooks->ctx, w))
        if (has_work(w))
            return;
    atomic_store_explicit(&w->load, 0, memory_order_relaxed); /* a hint, see measure_load */
    dz_spin_waited(&w->spin, sleep_in_loop(w, began));
}

void dz_worker_wake(struct dz_worker *w)
{
    /* seq_cst: pairs with the store in sleep_in_loop. The load keeps producers off the line while the thread
     * is awake. */
    if (atomic_load_explicit(&w->asleep, memory_order_seq_cst) == 0)
        return;
    if (atomic_exchange_explicit(&w->asleep, 0, memory_order_acq_rel) == 0)
        return;
    atomic_store_explicit(&w->woken_ns, dz_env_now_ns(w->sched->rt->env), memory_order_relaxed);
    uv_async_send(&w->wake);
}

/* --- the thread --- */

static void thread_main(void *arg)
{
    struct dz_worker *w = arg;
    struct dz_sched_hooks *hooks = &w->sched->hooks;
    look_at_clock(w);
    int err = hooks->thread_start ? hooks->thread_start(hooks->ctx, w) : 0;
    w->start_error = err;
    if (err)
        dz_guard_failed(w);
    else
        dz_guard_begin(w);
    uv_sem_post(&w->started);
    if (err) {
        uv_sem_post(&w->ended);
        return;
    }
    /* acquire: pairs with dz_worker_ask_stop; the loop would see it a round later, too. */
    while (!atomic_load_explicit(&w->stopping, memory_order_acquire)) {
        dz_sched_step(w);
        if (!has_work(w))
            wait_for_work(w);
    }
    dz_guard_end(w);
    if (hooks->thread_stop)
        hooks->thread_stop(hooks->ctx, w);
    uv_sem_post(&w->ended);
}

static int start_stepped(struct dz_worker *w)
{
    struct dz_sched_hooks *hooks = &w->sched->hooks;
    look_at_clock(w);
    w->start_error = hooks->thread_start ? hooks->thread_start(hooks->ctx, w) : 0;
    w->hooked = w->start_error == 0;
    return 0;
}

int dz_worker_start(struct dz_worker *w)
{
    if (!w->sched->options.threads)
        return start_stepped(w);
    if (uv_thread_create(&w->id, thread_main, w) != 0)
        return DZ_EIO;
    w->running = true;
    return 0;
}

int dz_worker_await(struct dz_worker *w)
{
    if (w->running)
        uv_sem_wait(&w->started);
    return w->start_error;
}

void dz_worker_ask_stop(struct dz_worker *w)
{
    /* seq_cst: pairs with has_work, as dz_worker_wake demands. */
    atomic_store_explicit(&w->stopping, true, memory_order_seq_cst);
    dz_worker_wake(w);
}

void dz_worker_join(struct dz_worker *w)
{
    if (w->running) {
        uv_sem_wait(&w->ended);
        if (w->guarded.lost)
            pthread_detach(w->id);
        else
            uv_thread_join(&w->id);
    }
    w->running = false;
    struct dz_sched_hooks *hooks = &w->sched->hooks;
    if (w->hooked && hooks->thread_stop)
        hooks->thread_stop(hooks->ctx, w);
    w->hooked = false;
}

/* --- making and freeing --- */

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_loop(struct dz_worker *w)
{
    uv_walk(&w->loop, close_handle, NULL);
    while (uv_run(&w->loop, UV_RUN_DEFAULT) != 0)
        ;
    dz_assert(uv_loop_close(&w->loop) == 0);
}

static int open_loop_of(struct dz_worker *w, struct dz_sched *s)
{
    w->sched = s;
    if (uv_loop_init(&w->loop) != 0)
        return DZ_EIO;
    uv_timer_init(&w->loop, &w->alarm);
    uv_prepare_init(&w->loop, &w->before_poll);
    w->before_poll.data = w;
    uv_prepare_start(&w->before_poll, before_poll);
    if (uv_async_init(&w->loop, &w->wake, on_wake) != 0) {
        close_loop(w);
        return DZ_EIO;
    }
    w->loop.data = w;
    return 0;
}

int dz_worker_new(struct dz_sched *s, uint32_t index, struct dz_inbox *inbox, struct dz_worker **out)
{
    struct dz_worker *w = dz_zalloc(1, sizeof *w);
    struct dz_inbox *made = inbox ? inbox : dz_zalloc(1, sizeof *made);
    int err = w && made ? open_loop_of(w, s) : DZ_ENOMEM;
    if (err) {
        dz_free(w);
        if (!inbox)
            dz_free(made);
        return err;
    }
    uv_sem_init(&w->started, 0);
    uv_sem_init(&w->ended, 0);
    dz_thread_init(&w->thread, s->rt, index);
    w->thread.sched = w;
    w->inbox = made;
    if (!inbox)
        dz_mpsc_init(&made->queue);
    dz_guarded_init(&w->guarded);
    dz_spin_init(&w->spin, (uint64_t)s->options.spin_us * 1000u);
    look_at_clock(w);
    *out = w;
    return 0;
}

void dz_worker_delete(struct dz_worker *w)
{
    dz_assert(!w->running && !w->hooked);
    struct dz_mpsc_node *node;
    while ((node = dz_mpsc_pop(&w->inbox->queue)))
        dz_msg_free(dz_container_of(node, struct dz_msg, node));
    dz_assert(dz_mpsc_empty(&w->inbox->queue));
    dz_free(w->inbox);
    if (w->guarded.lost) /* its thread stands there for ever, in the midst of it */
        return;
    close_loop(w);
    dz_guarded_fini(&w->guarded);
    uv_sem_destroy(&w->started);
    uv_sem_destroy(&w->ended);
    dz_thread_fini(&w->thread);
    dz_free(w);
}
