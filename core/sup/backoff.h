/* backoff.h - how long to wait before the next restart of a child.
 * Owns:    nothing.
 * Threads: any; everything here is pure. */
#ifndef DZ_SUP_BACKOFF_H
#define DZ_SUP_BACKOFF_H

#include <stdint.h>

struct dz_backoff {
    uint64_t initial_ms; /* 0: no backoff, restart at once */
    uint64_t max_ms;     /* DZ_TIME_INFINITY: none; a delay never exceeds a year */
    double factor;       /* >= 1 */
    double jitter;       /* 0..1: the part of the delay by which it is shortened or lengthened */
    uint64_t reset_after_ms;
};

/* The delay before the restart number `step` (0 the first) of a row; `random` is 64 unpredictable bits. The
 * result is within delay * (1 -+ jitter), and never above max_ms. */
uint64_t dz_backoff_delay(const struct dz_backoff *backoff, uint32_t step, uint64_t random);

/* The next restart's step after a child ran for `ran_ms`: 0 again if that was long enough. */
uint32_t dz_backoff_step_after(const struct dz_backoff *backoff, uint32_t step, uint64_t ran_ms);

#endif
