/* host.c - one host, made, started, waited for and freed.
 * Owns:    struct dz_host.
 * Threads: as dozor.h says.
 * Fails:   as dozor.h says; what was made before a failure is taken back. */
#include "host/host.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/cluster.h"
#include "host/carrier.h"
#include "host/drive.h"
#include "host/events.h"
#include "host/plugin.h"
#include "host/ports.h"

#define EXIT_START_FAILED 70
#define EXIT_INTERRUPTED 130

void dz_host_thread(struct dz_host *host, struct dz_thread *t)
{
    dz_thread_init(t, &host->rt, DZ_THREAD_FOREIGN);
}

/* --- options --- */

void dz_host_options_init(dz_host_options *options)
{
    struct dz_host_settings s;
    dz_host_settings_init(&s);
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
    options->max_turn_ms = s.max_turn_ms;
    options->spin_us = (unsigned)s.spin_us;
    options->log_level = "info";
    options->log_format = "text";
    options->log_fd = STDERR_FILENO;
}

static int read_options(struct dz_host *host, const dz_host_options *o)
{
    struct dz_config_error error;
    int err = DZ_OK;
    dz_host_settings_init(&host->settings);
    if (o->workers > DZ_THREADS_MAX - 1 || o->log_fd < 0)
        return DZ_ECONFIG;
    host->settings.workers = o->workers;
    host->settings.max_turn_ms = o->max_turn_ms;
    host->settings.worker_memory_mb = o->worker_memory_mb;
    host->settings.spin_us = o->spin_us;
    if (o->log_level)
        err = dz_host_settings_set(&host->settings, "log_level", o->log_level, &error);
    if (!err && o->log_format)
        err = dz_host_settings_set(&host->settings, "log_format", o->log_format, &error);
    host->log_to = (struct dz_log_fd){ .fd = o->log_fd, .json = host->settings.log_json, .env = &host->env };
    if (!host->driven)
        dz_log_init_fd(&host->log, &host->log_to, (enum dz_log_level)host->settings.log_level);
    return err;
}

/* --- making --- */

static bool native_exists(void *ctx, const char *name, size_t len)
{
    struct dz_host *host = ctx;
    return dz_cbehaviors_find(&host->natives, name, len) != NULL;
}

static void fill_vm_shared(struct dz_host *host)
{
    host->vm_shared.rt = &host->rt;
    host->vm_shared.sched = &host->sched;
    host->vm_shared.memory_mb = host->settings.worker_memory_mb;
    host->vm_shared.behaviors = &host->behaviors;
    host->vm_shared.selectors = &host->driver.selectors;
    host->vm_shared.ctx = host;
    host->vm_shared.native_exists = native_exists;
    host->vm_shared.load_native = dz_plugin_load_native;
}

static int init_sched(struct dz_host *host)
{
    struct dz_sched_hooks hooks;
    struct dz_sched_options options = {
        .workers = (uint32_t)host->settings.workers,
        .spin_us = (uint32_t)host->settings.spin_us,
        .threads = !host->driven,
    };
    struct dz_guard_hooks guard;
    dz_host_fill_hooks(host, &hooks);
    dz_host_fill_guard(host, &guard);
    int err = dz_sched_init(&host->sched, &host->rt, &options, &hooks);
    if (!err && !host->driven)
        dz_guard_enable(&host->sched, host->settings.max_turn_ms, &guard);
    return err;
}

/* What is above the threads; undone by fini_services. The cluster first: supervisors are placed through it. */
static int init_services(struct dz_host *host)
{
    struct dz_cluster_callbacks callbacks;
    struct dz_place_ports ports;
    dz_ports_fill_rt(host);
    dz_ports_fill_cluster(host, &callbacks);
    int err = dz_cluster_new(&host->cluster, &host->rt, &host->sched.workers[DZ_THREAD_SYSTEM]->thread, &callbacks);
    if (err)
        return err;
    dz_cluster_fill_place(host->cluster, &ports);
    dz_driver_init(&host->driver, &host->rt, &ports);
    dz_desk_init(&host->desk, host);
    dz_halt_init(&host->halt, host);
    dz_join_init(&host->join, host);
    fill_vm_shared(host);
    return DZ_OK;
}

static void fini_services(struct dz_host *host)
{
    dz_cluster_delete(host->cluster);
    dz_join_fini(&host->join);
    dz_halt_fini(&host->halt);
    dz_desk_fini(&host->desk);
    dz_driver_fini(&host->driver);
}

static int init_runtime(struct dz_host *host)
{
    int err = dz_rt_init(&host->rt, &host->env, &host->log);
    if (err)
        return err;
    err = init_sched(host);
    if (!err) {
        err = init_services(host);
        if (!err)
            return DZ_OK;
        dz_sched_fini(&host->sched);
    }
    dz_rt_fini(&host->rt);
    return err;
}

static int add_behavior_dirs(struct dz_host *host, const dz_host_options *o)
{
    int err = DZ_OK;
    for (size_t i = 0; i < o->behavior_count && !err; i++)
        err = dz_host_add_behavior_dir(host, o->behaviors[i]);
    return err;
}

int dz_host_add_behavior_dir(struct dz_host *host, const char *dir)
{
    return dz_behaviors_add_dir(&host->behaviors, dir);
}

int dz_host_set_script_dir(struct dz_host *host, const char *dir)
{
    char *copy = dz_strndup(dir, strlen(dir));
    if (!copy)
        return DZ_ENOMEM;
    dz_free(host->script_dir);
    host->script_dir = copy;
    host->vm_shared.script_dir = copy;
    return DZ_OK;
}

static void be_driven(struct dz_host *host, const struct dz_host_drive *drive)
{
    host->driven = true;
    host->env = drive->env;
    host->log = drive->log;
    host->carrier = drive->carrier;
    host->carrier_ctx = drive->carrier_ctx;
    host->vm_shared.simulation = drive->simulation;
}

static int host_init(struct dz_host *host, const dz_host_options *o, const struct dz_host_drive *drive)
{
    dz_env_system(&host->env);
    host->carrier = &dz_carrier_uv;
    if (drive)
        be_driven(host, drive);
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->changed, NULL);
    host->started_ns = dz_env_now_ns(&host->env);
    dz_cbehaviors_init(&host->natives);
    int err = dz_behaviors_init(&host->behaviors);
    dz_assert(!err);
    err = read_options(host, o);
    if (!err)
        err = add_behavior_dirs(host, o);
    return err ? err : init_runtime(host);
}

static void host_delete(struct dz_host *host)
{
    dz_behaviors_fini(&host->behaviors);
    dz_cbehaviors_fini(&host->natives);
    dz_msg_free(host->script);
    dz_blob_unref(host->main_exit);
    dz_free(host->script_dir);
    pthread_cond_destroy(&host->changed);
    pthread_mutex_destroy(&host->lock);
    dz_free(host);
}

int dz_host_new(dz_host **out, const dz_host_options *options)
{
    return dz_host_new_driven(out, options, NULL);
}

int dz_host_new_driven(dz_host **out, const dz_host_options *options, const struct dz_host_drive *drive)
{
    dz_host_options o;
    dz_host_options_init(&o);
    if (options && (options->size == 0 || options->size > sizeof o))
        return DZ_EARGUMENT;
    if (options)
        memcpy(&o, options, options->size);
    struct dz_host *host = dz_zalloc(1, sizeof *host);
    if (!host)
        return DZ_ENOMEM;
    int err = host_init(host, &o, drive);
    if (err) {
        host_delete(host);
        return err;
    }
    *out = host;
    return DZ_OK;
}

/* --- running --- */

static void set_phase(struct dz_host *host, enum dz_host_phase phase)
{
    pthread_mutex_lock(&host->lock);
    host->phase = phase;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

static int send_pending_script(struct dz_host *host)
{
    struct dz_thread t;
    pthread_mutex_lock(&host->lock);
    struct dz_msg *script = host->script;
    host->script = NULL;
    pthread_mutex_unlock(&host->lock);
    if (!script)
        return DZ_OK;
    dz_host_thread(host, &t);
    int err = dz_host_send_script(host, &t, &script);
    dz_msg_free(script);
    return err;
}

int dz_host_start(dz_host *host)
{
    pthread_mutex_lock(&host->lock);
    bool first = host->phase == DZ_HOST_NEW;
    if (first)
        host->phase = DZ_HOST_RUNNING;
    pthread_mutex_unlock(&host->lock);
    if (!first)
        return DZ_ESTARTED;
    int err = host->script ? dz_host_add_script_worker(host) : DZ_OK;
    err = err ? err : dz_sched_start(&host->sched);
    if (err) {
        set_phase(host, DZ_HOST_JOINED);
        return err;
    }
    return send_pending_script(host);
}

void dz_host_finished(struct dz_host *host, int exit_code)
{
    pthread_mutex_lock(&host->lock);
    host->exit_code = exit_code;
    host->phase = DZ_HOST_FINISHED;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
    if (host->on_finished)
        host->on_finished(host->on_finished_ctx);
}

void dz_host_stop(dz_host *host, int exit_code)
{
    struct dz_thread t;
    pthread_mutex_lock(&host->lock);
    bool running = host->phase == DZ_HOST_RUNNING;
    pthread_mutex_unlock(&host->lock);
    if (!running)
        return;
    dz_host_thread(host, &t);
    dz_halt_begin(&host->halt, &t, exit_code);
}

/* Everything is at rest: the hub hands on what it was told, then the threads end. */
static void join_threads(struct dz_host *host)
{
    struct dz_thread t;
    dz_host_thread(host, &t);
    dz_events_stop(&t);
    dz_sched_stop(&host->sched);
}

int dz_host_wait(dz_host *host)
{
    pthread_mutex_lock(&host->lock);
    while (host->phase == DZ_HOST_RUNNING)
        pthread_cond_wait(&host->changed, &host->lock);
    bool join = host->phase == DZ_HOST_FINISHED;
    host->phase = DZ_HOST_JOINED;
    int code = host->exit_code;
    pthread_mutex_unlock(&host->lock);
    if (join)
        join_threads(host);
    return code;
}

int dz_host_run(dz_host *host)
{
    int err = dz_host_start(host);
    return err && err != DZ_ESTARTED ? EXIT_START_FAILED : dz_host_wait(host);
}

void dz_host_free(dz_host *host)
{
    if (!host)
        return;
    dz_host_stop(host, 0);
    dz_host_wait(host);
    fini_services(host);
    dz_sched_fini(&host->sched);
    dz_rt_fini(&host->rt);
    host_delete(host);
}

/* Only what a signal handler may do: atomics, uv_async_send, _exit. */
void dz_host_interrupt(dz_host *host)
{
    if (atomic_fetch_add_explicit(&host->interrupts, 1, memory_order_relaxed) > 0)
        _exit(EXIT_INTERRUPTED);
    /* acquire: pairs with the release in threads.c. */
    if (atomic_load_explicit(&host->interruptible, memory_order_acquire))
        uv_async_send(&host->interrupt);
}

/* --- what it is --- */

const char *dz_host_node(const dz_host *host)
{
    return dz_nodes_self_id(&host->rt.nodes);
}

size_t dz_host_process_count(const dz_host *host)
{
    return atomic_load_explicit(&host->rt.table.count, memory_order_relaxed);
}

const char *dz_version(void)
{
    return DZ_VERSION;
}

const char *dz_error_name(int err)
{
    return dz_err_name(err);
}

const char *dz_error_text(int err)
{
    return dz_err_text(err);
}
