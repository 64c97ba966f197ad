/* sim_node.c - see sim_node.h.
 * Owns:    see sim_node.h.
 * Threads: see sim_node.h.
 * Fails:   see sim_node.h. */
#include "host/sim_node.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "host/values.h"
#include "sched/takeover.h"

#define WORKERS    2
#define FREE_PORTS 40000u /* what port 0 gives: this and the host's number */
#define PPM        2500   /* how much a clock may be off */

/* --- env and log --- */

static uint64_t now_ns(void *ctx)
{
    return dz_sim_clock_local(&((struct dz_sim_node *)ctx)->clock);
}

static uint64_t wall_ms(void *ctx)
{
    struct dz_sim_node *n = ctx;
    return 1700000000000u + n->run->now_ns / DZ_SIM_MS + n->wall_offset_ms;
}

static uint64_t chance(void *ctx)
{
    return dz_sim_rand_next(&((struct dz_sim_node *)ctx)->rand);
}

static void sink(void *ctx, enum dz_log_level level, const char *text, const struct dz_log_field *fields, size_t count)
{
    struct dz_sim_node *n = ctx;
    char line[900];
    size_t len = (size_t)snprintf(line, sizeof line, "%s", text);
    for (size_t i = 0; i < count && len < sizeof line; i++)
        len += (size_t)snprintf(line + len, sizeof line - len, " %s=%s", fields[i].name, fields[i].value);
    dz_sim_trace_note(&n->run->trace, "%s log %s: %s", n->config->id, dz_log_level_name(level), line);
}

/* --- the carrier: a station on the simulated network --- */

static int carrier_make(void *ctx, void **out, const struct dz_transport_uv_config *config)
{
    struct dz_sim_node *n = ctx;
    dz_assert(!n->station);
    n->listen_port = config->listen_port;
    n->station = dz_sim_station_new(n->run->net, n->index, &n->clock, config);
    *out = n;
    return DZ_OK;
}

static int carrier_open(void *carrier, uint16_t *port)
{
    struct dz_sim_node *n = carrier;
    *port = n->listen_port ? n->listen_port : (uint16_t)(FREE_PORTS + (unsigned)n->index);
    return DZ_OK;
}

static int carrier_start(void *carrier, const char *node_id, uint64_t incarnation)
{
    return dz_sim_station_start(((struct dz_sim_node *)carrier)->station, node_id, incarnation);
}

static struct dz_transport *carrier_base(void *carrier)
{
    return dz_sim_station_transport(((struct dz_sim_node *)carrier)->station);
}

static void carrier_close(void *carrier, void (*closed)(void *ctx), void *ctx)
{
    dz_sim_station_close(((struct dz_sim_node *)carrier)->station, closed, ctx);
}

static void carrier_delete(void *carrier)
{
    struct dz_sim_node *n = carrier;
    dz_sim_station_delete(n->station);
    n->station = NULL;
}

static const struct dz_carrier carrier = {
    .make = carrier_make,
    .open = carrier_open,
    .start = carrier_start,
    .base = carrier_base,
    .close = carrier_close,
    .delete = carrier_delete,
};

/* --- dozor.sim --- */

static const char *phase(void *ctx)
{
    static const char *const names[] = {"storm", "calm", "settled", "settled"};
    return names[((struct dz_sim_node *)ctx)->run->part];
}

static uint32_t check(void *ctx, const char *name, size_t len)
{
    struct dz_sim_node *n = ctx;
    struct dz_sim_run *run = n->run;
    run->checked = dz_realloc(run->checked, (run->checked_count + 1) * sizeof *run->checked);
    dz_assert(run->checked);
    run->checked[run->checked_count] = (struct dz_sim_checked){.node = n, .name = dz_strndup(name, len)};
    dz_assert(run->checked[run->checked_count].name);
    return run->checked_count++;
}

static void held(void *ctx, uint32_t number)
{
    struct dz_sim_run *run = ((struct dz_sim_node *)ctx)->run;
    dz_assert(number < run->checked_count);
    run->checked[number].held += run->part >= DZ_SIM_SETTLED;
}

static void failed(void *ctx, uint32_t number, const char *why, size_t len)
{
    struct dz_sim_node *n = ctx;
    dz_assert(number < n->run->checked_count);
    if (n->run->part < DZ_SIM_END)
        dz_sim_run_fail(n->run, "%s: %s: %.*s", n->config->id, n->run->checked[number].name, (int)(len < 600 ? len : 600), why);
}

static void note(void *ctx, const char *text, size_t len)
{
    struct dz_sim_node *n = ctx;
    dz_sim_trace_note(&n->run->trace, "%s: %.*s", n->config->id, (int)(len < 900 ? len : 900), text);
}

/* --- making --- */

/* Clocks start anywhere and run too fast or too slow; the wall clocks of a host's lives disagree. */
static void set_up(struct dz_sim_node *n)
{
    struct dz_sim_rand *r = &n->run->rand;
    n->rand.state = dz_sim_rand_next(r);
    n->clock = (struct dz_sim_clock){.now_ns = &n->run->now_ns,
                                     .born_ns = n->run->now_ns,
                                     .base_ns = dz_sim_rand_between(r, 1, 1000000) * 1000000000u,
                                     .ppm = (int64_t)dz_sim_rand_below(r, 2 * PPM + 1) - PPM};
    n->wall_offset_ms = dz_sim_rand_below(r, 6000);
    n->simulation = (struct dz_vm_simulation){.ctx = n,
                                              .seed = n->run->options.seed,
                                              .phase = phase,
                                              .check = check,
                                              .held = held,
                                              .failed = failed,
                                              .note = note};
}

static int add_dirs(struct dz_sim_node *n)
{
    const struct dz_sim_options *o = &n->run->options;
    const struct dz_config_list *lists[] = {o->behaviors, &o->up->behaviors, &n->config->behaviors};
    int err = dz_host_set_script_dir(n->host, o->dir);
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < lists[k]->count && !err; i++)
            err = dz_host_add_behavior_dir(n->host, lists[k]->items[i]);
    return err;
}

static void finished(void *ctx)
{
    struct dz_sim_node *n = ctx;
    n->finished = true;
    n->exit_code = n->host->exit_code;
}

static int make_host(struct dz_sim_node *n)
{
    dz_host_options options;
    struct dz_host_drive drive = {
        .env = {.now_ns = now_ns, .wall_ms = wall_ms, .random = chance, .ctx = n},
        .log = {.sink = sink, .ctx = n, .level = (enum dz_log_level)n->run->options.up->host.log_level},
        .carrier = &carrier,
        .carrier_ctx = n,
        .simulation = &n->simulation,
    };
    dz_host_options_init(&options);
    options.workers = WORKERS;
    int err = dz_host_new_driven(&n->host, &options, &drive);
    if (err)
        return err;
    n->host->on_finished = finished;
    n->host->on_finished_ctx = n;
    err = add_dirs(n);
    return err ? err : dz_host_start(n->host);
}

static void joined(void *ctx, int err, const dz_reader *value)
{
    struct dz_sim_node *n = ctx;
    char why[300] = "";
    if (err) {
        dz_reader_print(value, why, sizeof why);
        dz_sim_run_fail(n->run, "%s cannot join the cluster: %s: %s", n->config->id, dz_err_name(err), why);
        return;
    }
    dz_sim_trace_note(&n->run->trace, "%s has joined", n->config->id);
    if (n->config->script)
        err = dz_host_run_script(n->host, n->config->script, (int)n->config->args.count,
                                 (const char *const *)n->config->args.items);
    if (err)
        dz_sim_run_fail(n->run, "%s: %s cannot be run: %s", n->config->id, n->config->script, dz_err_text(err));
    else
        dz_boot_begin(&n->boot, n->host);
}

static int join(struct dz_sim_node *n)
{
    struct dz_buf bytes;
    dz_buf_init(&bytes);
    int err = dz_boot_write(&bytes, n->run->options.up, (size_t)n->index);
    err = err ? err : dz_boot_take(&n->boot, &bytes);
    dz_buf_fini(&bytes);
    dz_builder *config = err ? NULL : dz_builder_new();
    if (config) {
        dz_reader reader = {n->boot.cluster, n->boot.cluster + n->boot.cluster_len, NULL};
        dz_builder_copy(config, &reader);
        err = dz_host_cluster_start(n->host, config, joined, n);
    }
    dz_builder_delete(config);
    return err;
}

struct dz_sim_node *dz_sim_node_new(struct dz_sim_run *run, int index)
{
    struct dz_sim_node *n = dz_zalloc_must(1, sizeof *n);
    n->run = run;
    n->index = index;
    n->config = &run->options.up->nodes[index];
    run->lives++;
    set_up(n);
    dz_sim_trace_note(&run->trace, "%s starts, clock %+lld ppm", n->config->id, (long long)n->clock.ppm);
    int err = make_host(n);
    err = err ? err : join(n);
    if (err)
        dz_sim_run_fail(run, "%s cannot start: %s", n->config->id, dz_err_text(err));
    return n;
}

void dz_sim_node_crash(struct dz_sim_node *n)
{
    n->dead = true;
    if (n->station)
        dz_sim_station_mute(n->station);
}

/* --- time --- */

static bool is_ready(struct dz_worker *w)
{
    return !dz_mpsc_empty(&w->inbox->queue) || !dz_list_empty(&w->thread.runq) || !dz_list_empty(&w->thread.natives) ||
           (w->thread.index == DZ_THREAD_SYSTEM && dz_takeover_pending(w));
}

static uint64_t latest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t next_of(struct dz_sim_node *n, uint32_t i)
{
    struct dz_worker *w = dz_sched_worker(&n->host->sched, i);
    uint64_t due = is_ready(w) ? n->run->now_ns : dz_sim_clock_true(&n->clock, dz_sched_next_ns(w));
    if (i == DZ_THREAD_SYSTEM && n->station) {
        uint64_t net = dz_sim_station_next(n->station);
        due = net < due ? net : due;
    }
    return due == DZ_SIM_NEVER ? due : latest(latest(due, n->busy_until_ns[i]), n->frozen_until_ns);
}

uint64_t dz_sim_node_next(struct dz_sim_node *n, uint32_t *thread)
{
    uint64_t best = DZ_SIM_NEVER;
    uint32_t count = n->finished ? 0 : atomic_load_explicit(&n->host->sched.count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t due = next_of(n, i);
        if (due >= best)
            continue;
        best = due;
        *thread = i;
    }
    return best;
}

/* How long the thread is busy with it: microseconds, now and then much longer (a collection, another program). */
static uint64_t cost_ns(struct dz_sim_node *n, uint32_t i)
{
    struct dz_sim_rand *r = &n->run->rand;
    uint64_t dice = dz_sim_rand_below(r, 10000);
    if (dice < 2 && i != DZ_THREAD_SYSTEM)
        return dz_sim_rand_between(r, 1, 150) * DZ_SIM_MS;
    if (dice < 60)
        return dz_sim_rand_between(r, 100, 3000) * 1000u;
    return dz_sim_rand_between(r, 1000, 30000);
}

void dz_sim_node_step(struct dz_sim_node *n, uint32_t thread)
{
    dz_sim_trace_step(&n->run->trace, n->run->now_ns ^ (uint64_t)n->index << 56 ^ (uint64_t)thread << 48);
    if (thread == DZ_THREAD_SYSTEM && n->station)
        dz_sim_station_step(n->station);
    dz_sched_step(dz_sched_worker(&n->host->sched, thread));
    n->busy_until_ns[thread] = n->run->now_ns + cost_ns(n, thread);
}
