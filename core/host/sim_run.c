/* sim_run.c - see sim_run.h.
 * Owns:    see sim_run.h.
 * Threads: see sim_run.h.
 * Fails:   see sim_run.h. */
#include "host/sim_run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "host/sim_node.h"

/* Detection, redials up to 30 s apart, what is superseded stops. */
#define CALM_MS    60000u
#define SETTLED_MS 20000u
#define END_MS     60000u
/* A node that ended by itself in the storm comes back, as under a service manager. */
#define RETURN_MS 1000u

void dz_sim_run_fail(struct dz_sim_run *run, const char *format, ...)
{
    char text[1200];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    dz_sim_trace_note(&run->trace, "FAILED: %s", text);
    if (!run->failed)
        printf("seed %" PRIu64 " at %.3f ms: %s\n", run->options.seed, (double)run->now_ns / 1e6, text);
    run->failed = true;
}

/* --- the hosts, as the faults have them --- */

static bool is_up(void *ctx, int host)
{
    return ((struct dz_sim_run *)ctx)->nodes[host] != NULL;
}

static void freeze(void *ctx, int host, uint64_t until_ns)
{
    ((struct dz_sim_run *)ctx)->nodes[host]->frozen_until_ns = until_ns;
}

static void crash(void *ctx, int host)
{
    struct dz_sim_run *run = ctx;
    dz_sim_node_crash(run->nodes[host]);
    run->nodes[host] = NULL;
}

static void start(void *ctx, int host)
{
    struct dz_sim_run *run = ctx;
    run->nodes[host] = dz_sim_node_new(run, host);
}

static void troubled(void *ctx)
{
    (void)ctx;
}

static void begin_faults(struct dz_sim_run *run)
{
    struct dz_sim_world world = {.ctx = run,
                                 .hosts = (unsigned)run->options.up->node_count,
                                 .kinds = run->options.up->node_count > 1 ? run->options.kinds : 0,
                                 .now_ns = &run->now_ns,
                                 .rand = &run->rand,
                                 .net = run->net,
                                 .trace = &run->trace,
                                 .is_up = is_up,
                                 .freeze = freeze,
                                 .crash = crash,
                                 .start = start,
                                 .troubled = troubled};
    dz_sim_faults_init(&run->faults, &world);
}

/* --- time --- */

struct turn {
    struct dz_sim_node *node; /* NULL: the network */
    uint32_t thread;
    uint64_t at_ns;
};

/* Who comes next; of those at the same time, whom chance takes. */
static struct turn next_turn(struct dz_sim_run *run)
{
    struct turn best = {NULL, 0, dz_sim_net_next(run->net)};
    unsigned hosts = (unsigned)run->options.up->node_count;
    unsigned first = (unsigned)dz_sim_rand_below(&run->rand, hosts);
    for (unsigned k = 0; k < hosts; k++) {
        struct dz_sim_node *n = run->nodes[(first + k) % hosts];
        uint32_t thread = 0;
        uint64_t at = n ? dz_sim_node_next(n, &thread) : DZ_SIM_NEVER;
        if (at < best.at_ns)
            best = (struct turn){n, thread, at};
    }
    return best;
}

/* A script that is through with code 0 is through; one that failed for want of the others comes back, while that is to be
 * expected. */
static void look_at_end(struct dz_sim_run *run, struct dz_sim_node *n)
{
    dz_sim_trace_note(&run->trace, "%s has ended with exit code %d", n->config->id, n->exit_code);
    if (n->exit_code == 0 || run->part == DZ_SIM_END)
        return;
    if (run->part != DZ_SIM_STORM) {
        dz_sim_run_fail(run, "%s ended with exit code %d", n->config->id, n->exit_code);
        return;
    }
    run->faults.back_ns[n->index] = run->now_ns + RETURN_MS * DZ_SIM_MS;
    crash(run, n->index);
}

static void take_turn(struct dz_sim_run *run, struct turn turn)
{
    if (!turn.node) {
        dz_sim_net_step(run->net);
        return;
    }
    dz_sim_node_step(turn.node, turn.thread);
    if (turn.node->finished)
        look_at_end(run, turn.node);
}

static bool is_over(const struct dz_sim_run *run)
{
    bool over = run->part == DZ_SIM_END;
    for (size_t i = 0; over && i < run->options.up->node_count; i++)
        over = !run->nodes[i] || run->nodes[i]->finished;
    return over || run->failed;
}

static void go_on(struct dz_sim_run *run, enum dz_sim_part part, uint64_t ms)
{
    uint64_t end_ns = run->now_ns + ms * DZ_SIM_MS;
    run->part = part;
    while (!is_over(run)) {
        struct turn turn = next_turn(run);
        uint64_t fault = dz_sim_faults_next(&run->faults);
        uint64_t next = turn.at_ns < fault ? turn.at_ns : fault;
        if (next > end_ns)
            break;
        if (next > run->now_ns)
            run->now_ns = next;
        if (fault <= turn.at_ns)
            dz_sim_faults_step(&run->faults);
        else
            take_turn(run, turn);
    }
    if (run->now_ns < end_ns && !is_over(run))
        run->now_ns = end_ns;
}

/* --- the parts --- */

static void check_all_looked_at(struct dz_sim_run *run)
{
    for (uint32_t i = 0; i < run->checked_count; i++) {
        const struct dz_sim_checked *c = &run->checked[i];
        if (!c->held && !c->node->dead && !c->node->finished)
            dz_sim_run_fail(run, "%s: %s: its function did not return in %u s", c->node->config->id, c->name,
                            SETTLED_MS / 1000u);
    }
}

static void stop_all(struct dz_sim_run *run)
{
    for (size_t i = 0; i < run->options.up->node_count; i++)
        if (run->nodes[i] && !run->nodes[i]->finished)
            dz_host_stop(run->nodes[i]->host, 0);
}

static void check_all_stopped(struct dz_sim_run *run)
{
    for (size_t i = 0; i < run->options.up->node_count; i++)
        if (run->nodes[i] && !run->nodes[i]->finished)
            dz_sim_run_fail(run, "%s does not stop", run->nodes[i]->config->id);
}

static void play(struct dz_sim_run *run)
{
    for (size_t i = 0; i < run->options.up->node_count; i++)
        run->nodes[i] = dz_sim_node_new(run, (int)i);
    go_on(run, DZ_SIM_STORM, run->options.storm_ms);
    dz_sim_trace_note(&run->trace, "calm");
    dz_sim_faults_heal(&run->faults);
    go_on(run, DZ_SIM_CALM, CALM_MS);
    dz_sim_trace_note(&run->trace, "settled");
    go_on(run, DZ_SIM_SETTLED, SETTLED_MS);
    check_all_looked_at(run);
    if (run->failed)
        return;
    run->part = DZ_SIM_END;
    stop_all(run);
    go_on(run, DZ_SIM_END, END_MS);
    check_all_stopped(run);
}

uint64_t dz_sim_run_ms(const struct dz_sim_options *options)
{
    return options->storm_ms + CALM_MS + SETTLED_MS;
}

int dz_sim_run_once(const struct dz_sim_options *options, uint64_t *hash)
{
    struct dz_sim_run run;
    memset(&run, 0, sizeof run);
    run.options = *options;
    run.rand.state = options->seed;
    dz_sim_trace_init(&run.trace, options->trace, &run.now_ns);
    run.net = dz_sim_net_new(&run.rand, &run.now_ns);
    begin_faults(&run);
    play(&run);
    *hash = run.trace.hash;
    return run.failed;
}
