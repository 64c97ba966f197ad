/* backoff.c - exponential delays with jitter. */
#include "sup/backoff.h"

#include "base/assert.h"

/* Far beyond any use, and small enough that doubles and sums with a clock stay exact. */
#define LONGEST_MS (365.0 * 24 * 3600 * 1000)

/* random as a number in [0, 1). */
static double fraction(uint64_t random)
{
    return (double)(random >> 11) * (1.0 / 9007199254740992.0);
}

uint64_t dz_backoff_delay(const struct dz_backoff *backoff, uint32_t step, uint64_t random)
{
    dz_assert(backoff->factor >= 1.0);
    dz_assert(backoff->jitter >= 0.0 && backoff->jitter <= 1.0);
    double longest = (double)backoff->max_ms < LONGEST_MS ? (double)backoff->max_ms : LONGEST_MS;
    double delay = (double)backoff->initial_ms;
    for (uint32_t i = 0; i < step && delay < longest && backoff->factor > 1.0; i++)
        delay *= backoff->factor;
    if (delay > longest)
        delay = longest;
    delay *= 1.0 + backoff->jitter * (2.0 * fraction(random) - 1.0);
    if (delay > longest)
        delay = longest;
    return (uint64_t)(delay + 0.5);
}

uint32_t dz_backoff_step_after(const struct dz_backoff *backoff, uint32_t step, uint64_t ran_ms)
{
    return ran_ms >= backoff->reset_after_ms ? 0 : step;
}
