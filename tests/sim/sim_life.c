#include "sim_life.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "proc/native.h"
#include "proc/send.h"
#include "sched/takeover.h"
#include "sim_client.h"
#include "sim_ports.h"

#define CLIENTS     3
#define MOST_ROUNDS 5000

/* --- env --- */

static uint64_t now_ns(void *ctx)
{
    return dz_sim_clock_local(&((struct sim_life *)ctx)->clock);
}

static uint64_t wall_ms(void *ctx)
{
    struct sim_life *l = ctx;
    return 1700000000000u + l->sim->now_ns / DZ_SIM_MS + l->wall_offset_ms;
}

static uint64_t chance(void *ctx)
{
    return dz_sim_rand_next(&((struct sim_life *)ctx)->rand);
}

static void sink(void *ctx, enum dz_log_level level, const char *text, const struct dz_log_field *fields, size_t count)
{
    struct sim_life *l = ctx;
    char line[600];
    size_t n = (size_t)snprintf(line, sizeof line, "%s", text);
    if (l->ending)
        return;
    for (size_t i = 0; i < count && n < sizeof line; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, " %s=%s", fields[i].name, fields[i].value);
    sim_note(l->sim, "h%d log %s: %s", l->index, dz_log_level_name(level), line);
}

/* Clocks start anywhere, run up to 0.25 % too fast or too slow, and the wall clocks of one host's lives disagree. */
static void set_up_env(struct sim_life *l)
{
    struct dz_sim_rand *r = &l->sim->rand;
    l->rand.state = dz_sim_rand_next(r);
    l->clock = (struct dz_sim_clock){.now_ns = &l->sim->now_ns,
                                  .born_ns = l->sim->now_ns,
                                  .base_ns = dz_sim_rand_between(r, 1, 1000000) * 1000000000u,
                                  .ppm = (int64_t)dz_sim_rand_below(r, 5001) - 2500};
    l->wall_offset_ms = dz_sim_rand_below(r, 6000);
    l->env = (struct dz_env){.now_ns = now_ns, .wall_ms = wall_ms, .random = chance, .ctx = l};
    l->log = (struct dz_log){.sink = sink, .ctx = l, .level = DZ_LOG_INFO};
}

/* --- making --- */

static void set_up_core(struct sim_life *l)
{
    struct dz_sched_hooks hooks = {.ctx = l};
    struct dz_sched_options options = {.workers = SIM_WORKERS};
    struct dz_cluster_callbacks callbacks;
    struct dz_place_ports ports;
    int err = dz_rt_init(&l->rt, &l->env, &l->log);
    dz_assert(!err);
    err = dz_sched_init(&l->sched, &l->rt, &options, &hooks);
    dz_assert(!err);
    sim_ports_fill_rt(l);
    sim_ports_fill_cluster(l, &callbacks);
    err = dz_cluster_new(&l->cluster, &l->rt, sim_life_thread(l, DZ_THREAD_SYSTEM), &callbacks);
    dz_assert(!err);
    dz_cluster_fill_place(l->cluster, &ports);
    dz_driver_init(&l->driver, &l->rt, &ports);
    err = dz_sched_start(&l->sched);
    dz_assert(!err);
    sim_services_start(l, sim_life_thread(l, DZ_THREAD_SYSTEM));
}

static void joined(void *ctx)
{
    struct sim_life *l = ctx;
    l->joined = true;
    if (!l->ending)
        sim_note(l->sim, "h%d has joined", l->index);
}

static void join(struct sim_life *l)
{
    char ids[DZ_SIM_HOSTS_MAX][32];
    const char *seeds[DZ_SIM_HOSTS_MAX];
    uint64_t incarnation = dz_cluster_incarnation(l->cluster);
    for (unsigned i = 0; i < l->sim->options.hosts; i++) {
        snprintf(ids[i], sizeof ids[i], "h%u@127.0.0.1:%u", i, 4000 + i);
        seeds[i] = ids[i];
    }
    struct dz_transport_uv_config carrier = {.env = &l->env,
                                             .log = &l->log,
                                             .events = dz_cluster_events(),
                                             .ctx = l->cluster,
                                             .birth = dz_nodes_get(&l->rt.nodes, 0)->incarnation};
    l->station = dz_sim_station_new(l->sim->net, l->index, &l->clock, &carrier);
    int err = dz_sim_station_start(l->station, l->id, incarnation);
    dz_assert(!err);
    struct dz_cluster_config config = {
        .node_id = l->id, .incarnation = incarnation, .seeds = seeds, .seed_count = l->sim->options.hosts};
    err = dz_cluster_start(l->cluster, dz_sim_station_transport(l->station), &config, joined, l);
    dz_assert(!err);
}

struct sim_life *sim_life_new(struct sim *sim, int index)
{
    struct sim_life *l = dz_zalloc_must(1, sizeof *l);
    l->sim = sim;
    l->index = index;
    l->number = ++sim->life_count;
    snprintf(l->id, sizeof l->id, "h%d@127.0.0.1:%d", index, 4000 + index);
    dz_list_init(&l->clients);
    dz_map_init(&l->up);
    set_up_env(l);
    set_up_core(l);
    join(l);
    for (uint32_t i = 0; i < CLIENTS && sim->options.load; i++)
        sim_client_new(l, sim_life_thread(l, 1 + i % SIM_WORKERS));
    sim_note(sim, "h%d starts, life %u, clock %+lld ppm", index, l->number, (long long)l->clock.ppm);
    return l;
}

/* --- the end --- */

static bool kill_all(struct sim_life *l)
{
    struct dz_thread t;
    bool any = false;
    dz_thread_init(&t, &l->rt, DZ_THREAD_FOREIGN);
    for (uint32_t i = 1; i < l->rt.table.chunk_count * DZ_TABLE_CHUNK; i++) {
        struct dz_slot *slot = dz_table_slot(&l->rt.table, i);
        uint32_t gen = slot ? atomic_load(&slot->gen) : 0;
        if (gen % 2 == 0)
            continue;
        any = true;
        struct dz_pid pid = {slot->node, i, gen};
        dz_send_signal(&t, DZ_MSG_KILL, DZ_PID_NONE, pid, 0, l->rt.reasons[DZ_REASON_KILLED]);
    }
    return any;
}

static void stopped(void *ctx)
{
    ((struct sim_life *)ctx)->cluster_stopped = true;
}

static bool step_all(struct sim_life *l)
{
    bool any = dz_sim_station_step(l->station);
    for (uint32_t i = 0; i < SIM_THREADS; i++)
        any |= dz_sched_step(l->sched.workers[i]);
    return any;
}

/* The memory of a host that is dead for everybody: what an exit would give back to the system. */
static void take_apart(struct sim_life *l)
{
    dz_cluster_stop(l->cluster, stopped, l);
    int round = 0;
    bool busy = true;
    for (; round < MOST_ROUNDS && (busy || !l->cluster_stopped); round++) {
        busy = kill_all(l);
        busy |= step_all(l);
        l->clock.ahead_ns += 20 * DZ_SIM_MS;
    }
    if (round == MOST_ROUNDS)
        sim_fail(l->sim, "h%d cannot be taken apart", l->index);
}

void sim_life_crash(struct sim_life *l)
{
    l->ending = true;
    sim_check_life_lost(&l->sim->check, l);
    dz_sim_station_mute(l->station);
    take_apart(l);
    dz_native_drop_delayed(sim_life_thread(l, DZ_THREAD_SYSTEM));
    dz_sched_stop(&l->sched);
    dz_cluster_delete(l->cluster);
    dz_driver_fini(&l->driver);
    dz_sched_fini(&l->sched);
    dz_rt_fini(&l->rt);
    dz_sim_station_delete(l->station);
    dz_map_fini(&l->up);
    dz_free(l);
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

uint64_t sim_life_next(struct sim_life *l, uint32_t i)
{
    struct dz_worker *w = l->sched.workers[i];
    uint64_t due = is_ready(w) ? l->sim->now_ns : dz_sim_clock_true(&l->clock, dz_sched_next_ns(w));
    if (i == DZ_THREAD_SYSTEM) {
        uint64_t net = dz_sim_station_next(l->station);
        due = net < due ? net : due;
    }
    if (due == DZ_SIM_NEVER)
        return due;
    return latest(latest(due, l->busy_until_ns[i]), l->frozen_until_ns);
}

/* How long the thread is busy with it: microseconds, now and then much longer (a collection, another program). */
static uint64_t cost_ns(struct sim_life *l, uint32_t i)
{
    struct dz_sim_rand *r = &l->sim->rand;
    uint64_t dice = dz_sim_rand_below(r, 10000);
    if (dice < 2 && i != DZ_THREAD_SYSTEM)
        return dz_sim_rand_between(r, 1, 150) * DZ_SIM_MS;
    if (dice < 60)
        return dz_sim_rand_between(r, 100, 3000) * 1000u;
    return dz_sim_rand_between(r, 1000, 30000);
}

void sim_life_step(struct sim_life *l, uint32_t i)
{
    dz_sim_trace_step(&l->sim->trace, l->sim->now_ns ^ (uint64_t)l->index << 56 ^ (uint64_t)i << 48);
    if (i == DZ_THREAD_SYSTEM)
        dz_sim_station_step(l->station);
    dz_sched_step(l->sched.workers[i]);
    l->busy_until_ns[i] = l->sim->now_ns + cost_ns(l, i);
}

/* --- pids --- */

struct dz_pid sim_life_translate(struct sim_life *from, struct dz_pid pid, struct sim_life *to)
{
    char text[DZ_PID_TEXT_MAX];
    struct dz_pid seen;
    if (from == to)
        return pid;
    size_t len = dz_pid_format(&from->rt.nodes, pid, text);
    int err = dz_pid_parse(&to->rt.nodes, text, len, &seen);
    dz_assert(!err);
    return seen;
}

size_t sim_life_supervisors(struct sim_life *l, bool roots, struct dz_pid *out, size_t cap)
{
    size_t n = dz_driver_list(&l->driver, roots, out, cap);
    return n < cap || !out ? n : cap;
}

struct dz_supervisor *sim_life_supervisor(struct sim_life *l, struct dz_pid pid)
{
    struct dz_slot *slot = dz_driver_is_supervisor(&l->driver, pid) ? dz_table_find(&l->rt.table, pid) : NULL;
    struct dz_native *n = slot ? atomic_load(&slot->native) : NULL;
    return n ? n->data : NULL;
}
