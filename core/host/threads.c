/* threads.c - what the host does on each of its threads, before the first round and after the last.
 * Owns:    nothing.
 * Threads: each hook on the thread it is for.
 * Fails:   a thread that cannot be set up fails the start of the host. */
#include <signal.h>

#include "base/assert.h"
#include "base/err.h"
#include "host/events.h"
#include "host/host.h"
#include "host/service.h"
#include "proc/send.h"
#include "vm/interrupt.h"

#define EXIT_WORKERS_LOST 70

static void on_interrupt(uv_async_t *async)
{
    struct dz_host *host = async->data;
    dz_halt_begin(&host->halt, &host->sched.workers[DZ_THREAD_SYSTEM]->thread, 0);
}

/* A peer or a reader that is gone is an error of that write, not the end of the program. */
static void block_sigpipe(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void kill_natives(struct dz_host *host, struct dz_thread *t)
{
    struct dz_rt *rt = &host->rt;
    pthread_mutex_lock(&rt->natives_lock);
    dz_list_each (&rt->natives_all, it) {
        struct dz_native *n = dz_list_entry(it, struct dz_native, all);
        dz_send_signal(t, DZ_MSG_KILL, DZ_PID_NONE, n->proc.pid, 0, rt->reasons[DZ_REASON_KILLED]);
    }
    pthread_mutex_unlock(&rt->natives_lock);
}

static bool natives_left(struct dz_host *host)
{
    pthread_mutex_lock(&host->rt.natives_lock);
    bool left = !dz_list_empty(&host->rt.natives_all);
    pthread_mutex_unlock(&host->rt.natives_lock);
    return left;
}

/* The workers have ended, or the start has failed; whatever is left ready is taken over here. */
static void stop_system(struct dz_host *host, struct dz_worker *w)
{
    atomic_store_explicit(&host->interruptible, false, memory_order_release);
    dz_service_end(host, &w->thread);
    while (natives_left(host)) {
        kill_natives(host, &w->thread);
        dz_sched_step(w);
    }
    uv_close((uv_handle_t *)&host->interrupt, NULL);
}

/* The desk first: the others may ask through it. */
static int start_system(struct dz_host *host, struct dz_thread *t)
{
    int err = uv_async_init(&dz_worker_of(t)->loop, &host->interrupt, on_interrupt);
    if (err)
        return DZ_EIO;
    host->interrupt.data = host;
    err = dz_desk_start(&host->desk, t);
    if (!err)
        err = dz_events_start(t);
    if (!err)
        err = dz_service_start(host, t);
    /* release: pairs with the acquire in dz_host_interrupt. */
    if (!err)
        atomic_store_explicit(&host->interruptible, true, memory_order_release);
    else
        stop_system(host, dz_worker_of(t));
    return err;
}

static int thread_start(void *ctx, struct dz_worker *w)
{
    struct dz_host *host = ctx;
    block_sigpipe();
    if (w->thread.index == DZ_THREAD_SYSTEM)
        return start_system(host, &w->thread);
    return dz_vm_new(&w->thread, &host->vm_shared) ? DZ_OK : DZ_ENOMEM;
}

static void thread_stop(void *ctx, struct dz_worker *w)
{
    struct dz_host *host = ctx;
    if (w->thread.index == DZ_THREAD_SYSTEM) {
        stop_system(host, w);
        return;
    }
    dz_cbehavior_end_all(&w->thread);
    dz_vm_free(w->thread.vm);
}

static bool idle(void *ctx, struct dz_worker *w)
{
    (void)ctx;
    return dz_vm_idle(w->thread.vm);
}

/* --- the watchdog: what to do to a worker's thread, the vm knows --- */

static void interrupt(void *ctx, struct dz_worker *w, uint64_t turn, enum dz_watchdog_verdict verdict,
                      uint64_t age_ms)
{
    struct dz_host *host = ctx;
    struct dz_worker *system = dz_sched_worker(&host->sched, DZ_THREAD_SYSTEM);
    dz_interrupt_ask(w->thread.vm, &system->thread, turn, verdict, age_ms);
}

static struct dz_pid running(void *ctx, struct dz_worker *w, uint64_t turn)
{
    (void)ctx;
    return dz_interrupt_running(w->thread.vm, turn);
}

static void give_up(void *ctx, struct dz_worker *w)
{
    (void)ctx;
    dz_interrupt_give_up(w->thread.vm);
}

static void sample(void *ctx, struct dz_worker *w, bool force, struct dz_watchdog_sample *out)
{
    (void)ctx;
    dz_interrupt_sample(w->thread.vm, force, out);
}

static struct dz_pid take(void *ctx, struct dz_worker *w)
{
    (void)ctx;
    return dz_interrupt_take(w->thread.vm);
}

static void guard_failed(void *ctx, struct dz_thread *t, const char *why)
{
    struct dz_host *host = ctx;
    dz_log_error(t->rt->log, "the host ends", "why", why, NULL);
    dz_halt_begin(&host->halt, t, EXIT_WORKERS_LOST);
}

void dz_host_fill_guard(struct dz_host *host, struct dz_guard_hooks *hooks)
{
    *hooks = (struct dz_guard_hooks){
        .ctx = host,
        .interrupt = interrupt,
        .running = running,
        .give_up = give_up,
        .sample = sample,
        .take = take,
        .failed = guard_failed,
    };
}

void dz_host_fill_hooks(struct dz_host *host, struct dz_sched_hooks *hooks)
{
    *hooks = (struct dz_sched_hooks){
        .ctx = host,
        .thread_start = thread_start,
        .thread_stop = thread_stop,
        .idle = idle,
    };
}
