/* spin.c - how long a thread with nothing to do should spin before it sleeps.
 * Owns:    the memory of how the recent waits ended.
 * Threads: one at a time. Pure: durations in, a duration out.
 * Fails:   never. */
#include "sched/spin.h"

void dz_spin_init(struct dz_spin *s, uint64_t limit_ns)
{
    s->limit_ns = limit_ns;
    s->score = DZ_SPIN_SCORE_MAX / 4;
    s->sleeps = 0;
    s->tries = 0;
}

uint64_t dz_spin_ns(struct dz_spin *s)
{
    if (s->limit_ns == 0)
        return 0;
    if (s->tries == 0 && s->score == 0 && ++s->sleeps >= DZ_SPIN_TRY_EVERY) {
        s->sleeps = 0;
        s->tries = DZ_SPIN_TRY_WAITS;
    }
    if (s->tries > 0)
        return s->limit_ns * DZ_SPIN_TRY_FACTOR;
    return s->score > 0 ? s->limit_ns : 0;
}

void dz_spin_waited(struct dz_spin *s, uint64_t waited_ns)
{
    if (waited_ns <= s->limit_ns) {
        if (s->score < DZ_SPIN_SCORE_MAX)
            s->score++;
    } else {
        s->score /= 2; /* four long waits in a row end the spinning */
    }
    if (s->tries > 0)
        s->tries = waited_ns <= s->limit_ns * DZ_SPIN_TRY_FACTOR ? s->tries - 1 : 0;
}
