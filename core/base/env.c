/* env.c - the operating system's clocks and randomness.
 * Owns:    nothing.
 * Threads: any.
 * Fails:   never; a machine without clocks or randomness ends the program with a message. */
#include "base/env.h"

#include <errno.h>
#include <stddef.h>
#include <sys/random.h>
#include <time.h>

#include "base/assert.h"

static uint64_t system_now_ns(void *ctx)
{
    (void)ctx;
    struct timespec t;
    dz_assert(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t system_wall_ms(void *ctx)
{
    (void)ctx;
    struct timespec t;
    dz_assert(clock_gettime(CLOCK_REALTIME, &t) == 0);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static uint64_t system_random(void *ctx)
{
    (void)ctx;
    uint64_t v;
    ssize_t got;
    /* Up to 256 bytes come whole; only the wait for the first entropy after boot can be interrupted. */
    do
        got = getrandom(&v, sizeof v, 0);
    while (got < 0 && errno == EINTR);
    dz_assert(got == (ssize_t)sizeof v);
    return v;
}

void dz_env_system(struct dz_env *env)
{
    env->now_ns = system_now_ns;
    env->wall_ms = system_wall_ms;
    env->random = system_random;
    env->ctx = NULL;
}
