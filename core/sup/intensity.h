/* intensity.h - how many restarts lie within the sliding window.
 * Owns:    the times of the restarts still inside the window, at most max_restarts of them.
 * Threads: one at a time.
 * Fails:   never; the few numbers kept are control data, running out of memory for them aborts. */
#ifndef DZ_SUP_INTENSITY_H
#define DZ_SUP_INTENSITY_H

#include <stdbool.h>
#include <stdint.h>
#include "sup/types.h"

/* As max_restarts: never too many, nothing is kept. */
#define DZ_INTENSITY_UNLIMITED UINT32_MAX
/* The largest other max_restarts. */
#define DZ_INTENSITY_MAX 1000000u

struct dz_intensity {
    uint32_t max_restarts;
    uint64_t within_ms; /* DZ_TIME_INFINITY: restarts are never forgotten */
    uint64_t *times;    /* a ring, oldest at `first` */
    uint32_t cap;
    uint32_t first;
    uint32_t count;
};

void dz_intensity_init(struct dz_intensity *in, uint32_t max_restarts, uint64_t within_ms);
void dz_intensity_fini(struct dz_intensity *in);

/* Counts one restart at `now_ms` (monotonic, never going back). True: allowed, at most max_restarts lie in
 * [now - within, now], this one included. False: too many. */
bool dz_intensity_add(struct dz_intensity *in, uint64_t now_ms);

#endif
