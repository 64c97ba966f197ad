/* dz_sim_clock.h - the clock of one host: it starts anywhere and runs a little too fast or too slow.
 * Owns:    nothing.
 * Threads: one. */
#ifndef DZ_SIM_SIM_CLOCK_H
#define DZ_SIM_SIM_CLOCK_H

#include <stdint.h>

#define DZ_SIM_NEVER UINT64_MAX
#define DZ_SIM_MS    UINT64_C(1000000)

struct dz_sim_clock {
    const uint64_t *now_ns; /* the true time */
    uint64_t born_ns;       /* the true time at which this clock showed base_ns */
    uint64_t base_ns;
    int64_t ppm;            /* how much too fast */
    uint64_t ahead_ns;      /* of a host that is being taken apart, outside of the true time */
};

static inline uint64_t dz_sim_clock_local(const struct dz_sim_clock *c)
{
    uint64_t passed = *c->now_ns - c->born_ns;
    return c->base_ns + passed + (uint64_t)((int64_t)(passed / 1000u) * c->ppm / 1000) + c->ahead_ns;
}

/* The true time at which the clock shows at least local_ns; now when it does already. */
static inline uint64_t dz_sim_clock_true(const struct dz_sim_clock *c, uint64_t local_ns)
{
    uint64_t shown = dz_sim_clock_local(c);
    if (local_ns == DZ_SIM_NEVER)
        return DZ_SIM_NEVER;
    if (local_ns <= shown)
        return *c->now_ns;
    uint64_t left = local_ns - shown;
    return *c->now_ns + left - (uint64_t)((int64_t)(left / 1000u) * c->ppm / 1000) + left / 10000u + 2000u;
}

#endif
