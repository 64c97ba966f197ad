/* env.h - time and randomness, passed in. Production fills it from the operating system, the simulator from a seed.
 * Owns:    nothing.
 * Threads: `now_ns` and `wall_ms` any; `random` any (production) or the simulator's only thread.
 * Rule:    no decision reads the wall clock but one: the incarnation of a host at its start. */
#ifndef DZ_BASE_ENV_H
#define DZ_BASE_ENV_H

#include <stdint.h>

struct dz_env {
    uint64_t (*now_ns)(void *ctx);  /* monotonic */
    uint64_t (*wall_ms)(void *ctx); /* since 1970, for people and incarnations */
    uint64_t (*random)(void *ctx);  /* 64 unpredictable bits */
    void *ctx;
};

/* The operating system's clocks and getrandom. */
void dz_env_system(struct dz_env *env);

static inline uint64_t dz_env_now_ns(const struct dz_env *env)
{
    return env->now_ns(env->ctx);
}
static inline uint64_t dz_env_now_ms(const struct dz_env *env)
{
    return env->now_ns(env->ctx) / 1000000u;
}
static inline uint64_t dz_env_wall_ms(const struct dz_env *env)
{
    return env->wall_ms(env->ctx);
}
static inline uint64_t dz_env_random(const struct dz_env *env)
{
    return env->random(env->ctx);
}

#endif
