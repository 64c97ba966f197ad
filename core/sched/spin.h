/* spin.h - how long a thread with nothing to do should spin before it sleeps.
 * Owns:    the memory of how the recent waits ended.
 * Threads: one at a time. Pure: durations in, a duration out.
 * Fails:   never.
 * Two threads that answer each other while both sleep wait 20-60 us each time, so neither would ever see a
 * short wait: now and then a thread tries a longer spin, and goes on trying while it helps. */
#ifndef DZ_SCHED_SPIN_H
#define DZ_SCHED_SPIN_H

#include <stdbool.h>
#include <stdint.h>

#define DZ_SPIN_SCORE_MAX  8u  /* short waits remembered */
#define DZ_SPIN_TRY_EVERY  64u /* sleeps between two tries */
#define DZ_SPIN_TRY_WAITS  8u  /* waits that a try lasts while they succeed */
#define DZ_SPIN_TRY_FACTOR 4u  /* how much longer a try spins */

struct dz_spin {
    uint64_t limit_ns; /* 0: never spin */
    uint32_t score;    /* short waits of late; 0: sleep at once */
    uint32_t sleeps;   /* waits since the last try */
    uint32_t tries;    /* waits left of the try */
};

void dz_spin_init(struct dz_spin *s, uint64_t limit_ns);
/* How long to spin in the wait that begins now. */
uint64_t dz_spin_ns(struct dz_spin *s);
/* The wait is over; it lasted that long until somebody had work for us (UINT64_MAX: it was the loop or a
 * timer). */
void dz_spin_waited(struct dz_spin *s, uint64_t waited_ns);

#endif
