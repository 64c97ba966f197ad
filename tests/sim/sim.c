#include "sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "fault_alloc.h"
#include "proc/send.h"
#include "sim/sim_faults.h"
#include "sim_dump.h"
#include "sim_life.h"

/* Detection, redials up to 30 s apart, backoffs, what is superseded stops. */
#define CALM_MS 90000u
#define END_MS  30000u
#define ROOTS_MAX 256u /* of one host */

void sim_fail(struct sim *sim, const char *format, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    sim_note(sim, "FAILED: %s", text);
    printf("seed %" PRIu64 " at %.3f ms: %s\n", sim->options.seed, (double)sim->now_ns / 1e6, text);
    sim->failed = true;
}

/* --- time --- */

struct turn {
    struct sim_life *life; /* NULL: the network, or a fault */
    uint32_t thread;
    uint64_t at_ns;
};

/* Who comes next; of those at the same time, whom chance takes. */
static struct turn next_turn(struct sim *sim)
{
    struct turn best = {NULL, 0, dz_sim_net_next(sim->net)};
    unsigned first = (unsigned)dz_sim_rand_below(&sim->rand, sim->options.hosts);
    for (unsigned k = 0; k < sim->options.hosts; k++) {
        struct sim_life *l = sim->lives[(first + k) % sim->options.hosts];
        for (uint32_t i = 0; l && i < SIM_THREADS; i++) {
            uint64_t at = sim_life_next(l, i);
            if (at < best.at_ns)
                best = (struct turn){l, i, at};
        }
    }
    return best;
}

static void run_until(struct sim *sim, struct dz_sim_faults *faults, uint64_t end_ns)
{
    while (!sim->failed) {
        struct turn turn = next_turn(sim);
        uint64_t fault = dz_sim_faults_next(faults);
        uint64_t next = turn.at_ns < fault ? turn.at_ns : fault;
        if (next > end_ns)
            break;
        if (next > sim->now_ns)
            sim->now_ns = next;
        if (fault <= turn.at_ns)
            dz_sim_faults_step(faults);
        else if (turn.life)
            sim_life_step(turn.life, turn.thread);
        else
            dz_sim_net_step(sim->net);
        sim_check_now(&sim->check);
    }
    if (sim->now_ns < end_ns && !sim->failed)
        sim->now_ns = end_ns;
}

/* --- faults --- */

static bool is_up(void *ctx, int host)
{
    return ((struct sim *)ctx)->lives[host] != NULL;
}

static void freeze(void *ctx, int host, uint64_t until_ns)
{
    ((struct sim *)ctx)->lives[host]->frozen_until_ns = until_ns;
}

static void crash(void *ctx, int host)
{
    struct sim *sim = ctx;
    struct sim_life *l = sim->lives[host];
    sim->lives[host] = NULL;
    sim_life_crash(l);
}

static void start(void *ctx, int host)
{
    struct sim *sim = ctx;
    sim->lives[host] = sim_life_new(sim, host);
}

static void troubled(void *ctx)
{
    struct sim *sim = ctx;
    sim->check.troubled_ns = sim->now_ns;
}

static void begin_faults(struct dz_sim_faults *f, struct sim *sim)
{
    struct dz_sim_world world = {.ctx = sim,
                                 .hosts = sim->options.hosts,
                                 .kinds = sim->options.faults ? DZ_SIM_ALL_FAULTS : 0,
                                 .now_ns = &sim->now_ns,
                                 .rand = &sim->rand,
                                 .net = sim->net,
                                 .trace = &sim->trace,
                                 .is_up = is_up,
                                 .freeze = freeze,
                                 .crash = crash,
                                 .start = start,
                                 .troubled = troubled};
    dz_sim_faults_init(f, &world);
}

/* --- the parts of a run --- */

static void stop_roots(struct sim_life *l)
{
    struct dz_pid pids[ROOTS_MAX];
    struct dz_thread t;
    size_t n = sim_life_supervisors(l, true, pids, ROOTS_MAX);
    dz_thread_init(&t, &l->rt, DZ_THREAD_FOREIGN);
    for (size_t i = 0; i < n; i++)
        dz_send_signal(&t, DZ_MSG_STOP, DZ_PID_NONE, pids[i], 0, l->rt.reasons[DZ_REASON_SHUTDOWN]);
}

static void play(struct sim *sim)
{
    struct dz_sim_faults faults;
    begin_faults(&faults, sim);
    for (unsigned i = 0; i < sim->options.hosts; i++)
        sim->lives[i] = sim_life_new(sim, (int)i);
    run_until(sim, &faults, sim->options.time_ms * DZ_SIM_MS);
    sim->part = SIM_CALM;
    sim_note(sim, "calm");
    dz_sim_faults_heal(&faults);
    run_until(sim, &faults, sim->now_ns + (uint64_t)CALM_MS * DZ_SIM_MS);
    if (!sim->failed)
        sim_check_settled(&sim->check);
    sim->part = SIM_END;
    sim_note(sim, "the end");
    for (unsigned i = 0; i < sim->options.hosts && !sim->failed; i++)
        stop_roots(sim->lives[i]);
    run_until(sim, &faults, sim->now_ns + (uint64_t)END_MS * DZ_SIM_MS);
    if (!sim->failed)
        sim_check_nothing_left(&sim->check);
}

static void clean_up(struct sim *sim)
{
    for (unsigned i = 0; i < sim->options.hosts; i++) {
        struct sim_life *l = sim->lives[i];
        sim->lives[i] = NULL;
        if (l)
            sim_life_crash(l);
    }
    dz_sim_net_delete(sim->net);
    sim_intensity_fini(&sim->intensity);
    sim_check_fini(&sim->check);
}

static void tell(const struct sim *sim, uint64_t carried)
{
    printf("seed %" PRIu64 ": %s, %u lives, %" PRIu64 " children started, %" PRIu64 " calls, %" PRIu64 " casts, %" PRIu64
           " downs, %" PRIu64 " parcels, %" PRIu64 " steps, hash %016" PRIx64 "\n",
           sim->options.seed, sim->failed ? "FAILED" : "ok", sim->life_count, sim->check.starts, sim->check.calls,
           sim->check.casts, sim->check.downs, carried, sim->trace.steps, sim->trace.hash);
}

uint64_t sim_simulated_ms(const struct sim_options *options)
{
    return options->time_ms + CALM_MS + END_MS;
}

int sim_run(const struct sim_options *options, uint64_t *hash)
{
    struct sim *sim = dz_zalloc_must(1, sizeof *sim);
    size_t blocks = dz_fault_alloc_live();
    sim->options = *options;
    sim->rand.state = options->seed;
    dz_sim_trace_init(&sim->trace, options->trace, &sim->now_ns);
    sim_check_init(&sim->check, sim);
    sim_intensity_init(&sim->intensity, sim);
    sim->net = dz_sim_net_new(&sim->rand, &sim->now_ns);
    play(sim);
    if (sim->failed && options->trace)
        sim_dump(sim);
    uint64_t carried = dz_sim_net_carried(sim->net);
    clean_up(sim);
    if (!sim->failed && dz_fault_alloc_live() != blocks)
        sim_fail(sim, "%zu blocks of memory were not freed", dz_fault_alloc_live() - blocks);
    if (sim->failed || !options->quiet)
        tell(sim, carried);
    int result = sim->failed;
    if (hash)
        *hash = sim->trace.hash;
    dz_free(sim);
    return result;
}
