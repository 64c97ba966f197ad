/* intensity.c - a ring of restart times. */
#include "sup/intensity.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"

#define FIRST_CAP 4u

void dz_intensity_init(struct dz_intensity *in, uint32_t max_restarts, uint64_t within_ms)
{
    dz_assert(max_restarts <= DZ_INTENSITY_MAX || max_restarts == DZ_INTENSITY_UNLIMITED);
    memset(in, 0, sizeof *in);
    in->max_restarts = max_restarts;
    in->within_ms = within_ms;
}

void dz_intensity_fini(struct dz_intensity *in)
{
    dz_free(in->times);
    memset(in, 0, sizeof *in);
}

static uint64_t nth(const struct dz_intensity *in, uint32_t n)
{
    return in->times[(in->first + n) % in->cap];
}

static void forget_old(struct dz_intensity *in, uint64_t now_ms)
{
    if (in->within_ms == DZ_TIME_INFINITY)
        return;
    while (in->count > 0 && now_ms - nth(in, 0) > in->within_ms) {
        in->first = (in->first + 1) % in->cap;
        in->count--;
    }
}

static void grow(struct dz_intensity *in)
{
    uint32_t cap = in->cap ? in->cap * 2 : FIRST_CAP;
    uint64_t *times = dz_alloc_must(cap * sizeof *times);
    for (uint32_t i = 0; i < in->count; i++)
        times[i] = nth(in, i);
    dz_free(in->times);
    in->times = times;
    in->cap = cap;
    in->first = 0;
}

bool dz_intensity_add(struct dz_intensity *in, uint64_t now_ms)
{
    if (in->max_restarts == DZ_INTENSITY_UNLIMITED)
        return true;
    forget_old(in, now_ms);
    /* The supervisor ends on the first refusal, so nothing beyond max_restarts is ever kept. */
    if (in->count >= in->max_restarts)
        return false;
    if (in->count == in->cap)
        grow(in);
    dz_assert(in->count == 0 || now_ms >= nth(in, in->count - 1));
    in->times[(in->first + in->count) % in->cap] = now_ms;
    in->count++;
    return true;
}
