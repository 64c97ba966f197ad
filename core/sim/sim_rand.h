/* dz_sim_rand.h - the one source of chance of a run: everything that is not decided by the code is decided here, from the seed.
 * Owns:    nothing.
 * Threads: one. */
#ifndef DZ_SIM_SIM_RAND_H
#define DZ_SIM_SIM_RAND_H

#include <stdbool.h>
#include <stdint.h>

struct dz_sim_rand {
    uint64_t state;
};

static inline uint64_t dz_sim_rand_next(struct dz_sim_rand *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 .. n-1 */
static inline uint64_t dz_sim_rand_below(struct dz_sim_rand *r, uint64_t n)
{
    return dz_sim_rand_next(r) % n;
}

/* low .. high */
static inline uint64_t dz_sim_rand_between(struct dz_sim_rand *r, uint64_t low, uint64_t high)
{
    return low + dz_sim_rand_below(r, high - low + 1);
}

static inline bool dz_sim_rand_percent(struct dz_sim_rand *r, unsigned percent)
{
    return dz_sim_rand_below(r, 100) < percent;
}

#endif
