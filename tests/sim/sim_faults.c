#include "sim_faults.h"

#include <string.h>
#include "sim_life.h"

static struct sim_rand *chance(const struct sim_faults *f)
{
    return &f->sim->rand;
}

static int any_host(const struct sim_faults *f)
{
    return (int)sim_rand_below(chance(f), f->sim->options.hosts);
}

static int other_than(const struct sim_faults *f, int host)
{
    int n = (int)f->sim->options.hosts;
    return (host + 1 + (int)sim_rand_below(chance(f), (uint64_t)n - 1)) % n;
}

/* Short ones are not noticed, middle ones make suspects, long ones end sessions. */
static uint64_t some_time(const struct sim_faults *f)
{
    static const uint64_t most_ms[] = {300, 1500, 4000, 9000, 25000};
    return sim_rand_between(chance(f), 1, most_ms[sim_rand_below(chance(f), 5)]) * SIM_MS;
}

static void block(struct sim_faults *f, int from, int to, uint64_t until_ns)
{
    sim_net_way(f->sim->net, from, to)->blocked = true;
    f->until_ns[from][to] = until_ns;
}

/* --- troubles --- */

static void cut(struct sim_faults *f)
{
    int a = any_host(f), b = other_than(f, a);
    sim_note(f->sim, "fault: h%d and h%d lose their connections", a, b);
    sim_net_cut(f->sim->net, a, b);
}

static void stall(struct sim_faults *f)
{
    int a = any_host(f), b = other_than(f, a);
    uint64_t ns = some_time(f);
    sim_note(f->sim, "fault: h%d -> h%d stalls for %llu ms", a, b, (unsigned long long)(ns / SIM_MS));
    block(f, a, b, f->sim->now_ns + ns);
}

/* Half of the time the pair, half of the time two groups. */
static void partition(struct sim_faults *f)
{
    uint64_t until = f->sim->now_ns + some_time(f);
    uint64_t side = 1 + sim_rand_below(chance(f), (1u << f->sim->options.hosts) - 2);
    bool one_way = sim_rand_percent(chance(f), 30), cuts = sim_rand_percent(chance(f), 30);
    sim_note(f->sim, "fault: partition %llx %s for %llu ms%s", (unsigned long long)side, one_way ? "one way" : "both ways",
             (unsigned long long)((until - f->sim->now_ns) / SIM_MS), cuts ? ", connections lost" : "");
    for (unsigned a = 0; a < f->sim->options.hosts; a++)
        for (unsigned b = 0; b < f->sim->options.hosts; b++) {
            if (!(side >> a & 1) || (side >> b & 1))
                continue;
            if (cuts)
                sim_net_cut(f->sim->net, (int)a, (int)b);
            block(f, (int)a, (int)b, until);
            if (!one_way)
                block(f, (int)b, (int)a, until);
        }
}

static void freeze(struct sim_faults *f)
{
    struct sim_life *l = f->sim->lives[any_host(f)];
    uint64_t ns = some_time(f);
    if (!l)
        return;
    sim_note(f->sim, "fault: h%d freezes for %llu ms", l->index, (unsigned long long)(ns / SIM_MS));
    l->frozen_until_ns = f->sim->now_ns + ns;
}

static void crash(struct sim_faults *f)
{
    int host = any_host(f);
    struct sim_life *l = f->sim->lives[host];
    uint64_t ns = some_time(f);
    if (!l)
        return;
    sim_note(f->sim, "fault: h%d crashes, back in %llu ms", host, (unsigned long long)(ns / SIM_MS));
    f->sim->lives[host] = NULL;
    f->sim->back_ns[host] = f->sim->now_ns + ns;
    sim_life_crash(l);
}

static void slow_down(struct sim_faults *f)
{
    int a = any_host(f), b = other_than(f, a);
    struct sim_net_way *w = sim_net_way(f->sim->net, a, b);
    w->delay_ns = sim_rand_between(chance(f), 10000, 60 * SIM_MS);
    w->jitter_ns = sim_rand_between(chance(f), 1000, 20 * SIM_MS);
    sim_note(f->sim, "fault: h%d -> h%d takes %u us now", a, b, (unsigned)(w->delay_ns / 1000));
}

static void cause_trouble(struct sim_faults *f)
{
    static void (*const troubles[])(struct sim_faults *) = {cut, cut, stall, partition, partition, freeze, crash, slow_down};
    troubles[sim_rand_below(chance(f), sizeof troubles / sizeof troubles[0])](f);
    f->sim->check.troubled_ns = f->sim->now_ns;
    f->next_ns = f->sim->now_ns + sim_rand_between(chance(f), 50, 6000) * SIM_MS;
}

/* --- recovery --- */

static void come_back(struct sim_faults *f, int host)
{
    f->sim->back_ns[host] = SIM_NEVER;
    f->sim->lives[host] = sim_life_new(f->sim, host);
    f->sim->check.troubled_ns = f->sim->now_ns;
}

static void open_way(struct sim_faults *f, int a, int b)
{
    sim_net_way(f->sim->net, a, b)->blocked = false;
    f->until_ns[a][b] = SIM_NEVER;
    f->sim->check.troubled_ns = f->sim->now_ns;
}

static void open_ways(struct sim_faults *f, bool all)
{
    for (int a = 0; a < SIM_HOSTS_MAX; a++)
        for (int b = 0; b < SIM_HOSTS_MAX; b++)
            if (f->until_ns[a][b] != SIM_NEVER && (all || f->until_ns[a][b] <= f->sim->now_ns))
                open_way(f, a, b);
}

void sim_faults_init(struct sim_faults *f, struct sim *sim)
{
    memset(f, 0, sizeof *f);
    f->sim = sim;
    f->next_ns = sim->options.faults ? sim_rand_between(&sim->rand, 200, 8000) * SIM_MS : SIM_NEVER;
    for (int a = 0; a < SIM_HOSTS_MAX; a++)
        for (int b = 0; b < SIM_HOSTS_MAX; b++)
            f->until_ns[a][b] = SIM_NEVER;
}

uint64_t sim_faults_next(const struct sim_faults *f)
{
    uint64_t next = f->next_ns;
    for (int a = 0; a < SIM_HOSTS_MAX; a++) {
        next = f->sim->back_ns[a] < next ? f->sim->back_ns[a] : next;
        for (int b = 0; b < SIM_HOSTS_MAX; b++)
            next = f->until_ns[a][b] < next ? f->until_ns[a][b] : next;
    }
    return next;
}

void sim_faults_step(struct sim_faults *f)
{
    open_ways(f, false);
    for (int i = 0; i < SIM_HOSTS_MAX; i++)
        if (f->sim->back_ns[i] <= f->sim->now_ns)
            come_back(f, i);
    if (f->next_ns <= f->sim->now_ns)
        cause_trouble(f);
}

void sim_faults_heal(struct sim_faults *f)
{
    f->next_ns = SIM_NEVER;
    open_ways(f, true);
    for (int a = 0; a < SIM_HOSTS_MAX; a++)
        for (int b = 0; b < SIM_HOSTS_MAX; b++)
            *sim_net_way(f->sim->net, a, b) = (struct sim_net_way){.delay_ns = 100000, .jitter_ns = 200000};
    for (int i = 0; i < SIM_HOSTS_MAX; i++) {
        if (f->sim->back_ns[i] != SIM_NEVER)
            come_back(f, i);
        if (f->sim->lives[i])
            f->sim->lives[i]->frozen_until_ns = f->sim->now_ns;
    }
    f->sim->check.troubled_ns = f->sim->now_ns;
}
