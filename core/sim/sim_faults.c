#include "sim/sim_faults.h"

#include <string.h>

#define HEALTHY_DELAY_NS  100000u
#define HEALTHY_JITTER_NS 200000u

/* The more often a kind stands here, the more often it comes. */
static const enum dz_sim_fault deck[] = {DZ_SIM_CUT,       DZ_SIM_CUT,    DZ_SIM_STALL, DZ_SIM_PARTITION,
                                         DZ_SIM_PARTITION, DZ_SIM_FREEZE, DZ_SIM_CRASH, DZ_SIM_SLOW};
#define DECK (sizeof deck / sizeof deck[0])

const char *dz_sim_fault_name(unsigned fault)
{
    static const char *const names[] = {"cut", "stall", "partition", "freeze", "crash", "slow"};
    return fault < DZ_SIM_FAULTS ? names[fault] : NULL;
}

static struct dz_sim_rand *chance(const struct dz_sim_faults *f)
{
    return f->world.rand;
}

static uint64_t now(const struct dz_sim_faults *f)
{
    return *f->world.now_ns;
}

static int any_host(const struct dz_sim_faults *f)
{
    return (int)dz_sim_rand_below(chance(f), f->world.hosts);
}

static int other_than(const struct dz_sim_faults *f, int host)
{
    int n = (int)f->world.hosts;
    return (host + 1 + (int)dz_sim_rand_below(chance(f), (uint64_t)n - 1)) % n;
}

/* Short ones are not noticed, middle ones make suspects, long ones end sessions. */
static uint64_t some_time(const struct dz_sim_faults *f)
{
    static const uint64_t most_ms[] = {300, 1500, 4000, 9000, 25000};
    return dz_sim_rand_between(chance(f), 1, most_ms[dz_sim_rand_below(chance(f), 5)]) * DZ_SIM_MS;
}

static void block(struct dz_sim_faults *f, int from, int to, uint64_t until_ns)
{
    dz_sim_net_way(f->world.net, from, to)->blocked = true;
    f->until_ns[from][to] = until_ns;
}

/* --- troubles --- */

static void cut(struct dz_sim_faults *f)
{
    int a = any_host(f), b = other_than(f, a);
    dz_sim_trace_note(f->world.trace, "fault: h%d and h%d lose their connections", a, b);
    dz_sim_net_cut(f->world.net, a, b);
}

static void stall(struct dz_sim_faults *f)
{
    int a = any_host(f), b = other_than(f, a);
    uint64_t ns = some_time(f);
    dz_sim_trace_note(f->world.trace, "fault: h%d -> h%d stalls for %llu ms", a, b, (unsigned long long)(ns / DZ_SIM_MS));
    block(f, a, b, now(f) + ns);
}

/* Half of the time the pair, half of the time two groups. */
static void partition(struct dz_sim_faults *f)
{
    uint64_t until = now(f) + some_time(f);
    uint64_t side = 1 + dz_sim_rand_below(chance(f), (1u << f->world.hosts) - 2);
    bool one_way = dz_sim_rand_percent(chance(f), 30), cuts = dz_sim_rand_percent(chance(f), 30);
    dz_sim_trace_note(f->world.trace, "fault: partition %llx %s for %llu ms%s", (unsigned long long)side, one_way ? "one way" : "both ways",
             (unsigned long long)((until - now(f)) / DZ_SIM_MS), cuts ? ", connections lost" : "");
    for (unsigned a = 0; a < f->world.hosts; a++)
        for (unsigned b = 0; b < f->world.hosts; b++) {
            if (!(side >> a & 1) || (side >> b & 1))
                continue;
            if (cuts)
                dz_sim_net_cut(f->world.net, (int)a, (int)b);
            block(f, (int)a, (int)b, until);
            if (!one_way)
                block(f, (int)b, (int)a, until);
        }
}

static void freeze(struct dz_sim_faults *f)
{
    int host = any_host(f);
    uint64_t ns = some_time(f);
    if (!f->world.is_up(f->world.ctx, host))
        return;
    dz_sim_trace_note(f->world.trace, "fault: h%d freezes for %llu ms", host, (unsigned long long)(ns / DZ_SIM_MS));
    f->world.freeze(f->world.ctx, host, now(f) + ns);
}

static void crash(struct dz_sim_faults *f)
{
    int host = any_host(f);
    uint64_t ns = some_time(f);
    if (!f->world.is_up(f->world.ctx, host))
        return;
    dz_sim_trace_note(f->world.trace, "fault: h%d crashes, back in %llu ms", host, (unsigned long long)(ns / DZ_SIM_MS));
    f->back_ns[host] = now(f) + ns;
    f->world.crash(f->world.ctx, host);
}

static void slow_down(struct dz_sim_faults *f)
{
    int a = any_host(f), b = other_than(f, a);
    struct dz_sim_net_way *w = dz_sim_net_way(f->world.net, a, b);
    w->delay_ns = dz_sim_rand_between(chance(f), 10000, 60 * DZ_SIM_MS);
    w->jitter_ns = dz_sim_rand_between(chance(f), 1000, 20 * DZ_SIM_MS);
    dz_sim_trace_note(f->world.trace, "fault: h%d -> h%d takes %u us now", a, b, (unsigned)(w->delay_ns / 1000));
}

static void cause_trouble(struct dz_sim_faults *f)
{
    static void (*const troubles[DZ_SIM_FAULTS])(struct dz_sim_faults *) = {
        [DZ_SIM_CUT] = cut,       [DZ_SIM_STALL] = stall, [DZ_SIM_PARTITION] = partition,
        [DZ_SIM_FREEZE] = freeze, [DZ_SIM_CRASH] = crash, [DZ_SIM_SLOW] = slow_down,
    };
    enum dz_sim_fault kind;
    do {
        kind = deck[dz_sim_rand_below(chance(f), DECK)];
    } while (!(f->world.kinds >> kind & 1));
    troubles[kind](f);
    f->world.troubled(f->world.ctx);
    f->next_ns = now(f) + dz_sim_rand_between(chance(f), 50, 6000) * DZ_SIM_MS;
}

/* --- recovery --- */

static void come_back(struct dz_sim_faults *f, int host)
{
    f->back_ns[host] = DZ_SIM_NEVER;
    f->world.start(f->world.ctx, host);
    f->world.troubled(f->world.ctx);
}

static void open_way(struct dz_sim_faults *f, int a, int b)
{
    dz_sim_net_way(f->world.net, a, b)->blocked = false;
    f->until_ns[a][b] = DZ_SIM_NEVER;
    f->world.troubled(f->world.ctx);
}

static void open_ways(struct dz_sim_faults *f, bool all)
{
    for (int a = 0; a < DZ_SIM_HOSTS_MAX; a++)
        for (int b = 0; b < DZ_SIM_HOSTS_MAX; b++)
            if (f->until_ns[a][b] != DZ_SIM_NEVER && (all || f->until_ns[a][b] <= now(f)))
                open_way(f, a, b);
}

void dz_sim_faults_init(struct dz_sim_faults *f, const struct dz_sim_world *world)
{
    memset(f, 0, sizeof *f);
    f->world = *world;
    f->next_ns = world->kinds ? dz_sim_rand_between(world->rand, 200, 8000) * DZ_SIM_MS : DZ_SIM_NEVER;
    for (int a = 0; a < DZ_SIM_HOSTS_MAX; a++) {
        f->back_ns[a] = DZ_SIM_NEVER;
        for (int b = 0; b < DZ_SIM_HOSTS_MAX; b++)
            f->until_ns[a][b] = DZ_SIM_NEVER;
    }
}

uint64_t dz_sim_faults_next(const struct dz_sim_faults *f)
{
    uint64_t next = f->next_ns;
    for (int a = 0; a < DZ_SIM_HOSTS_MAX; a++) {
        next = f->back_ns[a] < next ? f->back_ns[a] : next;
        for (int b = 0; b < DZ_SIM_HOSTS_MAX; b++)
            next = f->until_ns[a][b] < next ? f->until_ns[a][b] : next;
    }
    return next;
}

void dz_sim_faults_step(struct dz_sim_faults *f)
{
    open_ways(f, false);
    for (int i = 0; i < DZ_SIM_HOSTS_MAX; i++)
        if (f->back_ns[i] <= now(f))
            come_back(f, i);
    if (f->next_ns <= now(f))
        cause_trouble(f);
}

void dz_sim_faults_heal(struct dz_sim_faults *f)
{
    f->next_ns = DZ_SIM_NEVER;
    open_ways(f, true);
    for (int a = 0; a < DZ_SIM_HOSTS_MAX; a++)
        for (int b = 0; b < DZ_SIM_HOSTS_MAX; b++)
            *dz_sim_net_way(f->world.net, a, b) =
                (struct dz_sim_net_way){.delay_ns = HEALTHY_DELAY_NS, .jitter_ns = HEALTHY_JITTER_NS};
    for (int i = 0; i < (int)f->world.hosts; i++) {
        if (f->back_ns[i] != DZ_SIM_NEVER)
            come_back(f, i);
        if (f->world.is_up(f->world.ctx, i))
            f->world.freeze(f->world.ctx, i, now(f));
    }
    f->world.troubled(f->world.ctx);
}
