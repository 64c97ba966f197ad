/* dz_sim_trace.h - what happened in a run, as lines for people and as one hash for the comparison of two runs.
 * Owns:    nothing.
 * Threads: one. */
#ifndef DZ_SIM_SIM_TRACE_H
#define DZ_SIM_SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

struct dz_sim_trace {
    bool print;
    uint64_t hash;
    uint64_t lines;
    uint64_t steps;
    const uint64_t *now_ns;
};

void dz_sim_trace_init(struct dz_sim_trace *t, bool print, const uint64_t *now_ns);
void dz_sim_trace_note(struct dz_sim_trace *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Something too small for a line. */
static inline void dz_sim_trace_step(struct dz_sim_trace *t, uint64_t what)
{
    t->steps++;
    t->hash = (t->hash ^ what) * 0x100000001b3u;
    t->hash ^= t->hash >> 29;
}

#endif
