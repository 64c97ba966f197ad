/* watchdog.c - see watchdog.h. */
#include "sched/watchdog.h"

#include "base/assert.h"

#define NS_PER_MS  1000000u
#define GAP_FACTOR 4u /* a gap between two looks counts as at most this many times the usual one */

static uint64_t within(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

void dz_watchdog_set_limits(struct dz_watchdog_limits *l, uint64_t max_turn_ms)
{
    uint64_t limit = max_turn_ms ? max_turn_ms : UINT64_MAX / NS_PER_MS / 8;
    uint64_t report = limit / 2 < DZ_WATCHDOG_REPORT_MS ? limit / 2 : DZ_WATCHDOG_REPORT_MS;
    uint64_t grace = within(limit / 4, DZ_WATCHDOG_GRACE_MIN_MS, DZ_WATCHDOG_GRACE_MAX_MS);
    l->every_ns = within(limit / 8, DZ_WATCHDOG_EVERY_MIN_MS, DZ_WATCHDOG_EVERY_MAX_MS) * NS_PER_MS;
    l->report_ns = (max_turn_ms ? report : limit) * NS_PER_MS;
    l->end_ns = limit * NS_PER_MS;
    l->give_up_ns = (limit + grace) * NS_PER_MS;
}

static enum dz_watchdog_verdict judge(const struct dz_watchdog *d, const struct dz_watchdog_limits *l)
{
    if (d->last == DZ_WATCHDOG_GIVE_UP || d->age_ns < l->report_ns)
        return DZ_WATCHDOG_FINE;
    if (d->last == DZ_WATCHDOG_FINE)
        return DZ_WATCHDOG_REPORT;
    if (d->last == DZ_WATCHDOG_REPORT)
        return DZ_WATCHDOG_TELL;
    if (d->age_ns < l->end_ns)
        return DZ_WATCHDOG_FINE;
    return d->last == DZ_WATCHDOG_END && d->age_ns >= l->give_up_ns ? DZ_WATCHDOG_GIVE_UP : DZ_WATCHDOG_END;
}

enum dz_watchdog_verdict dz_watchdog_look(struct dz_watchdog *d, const struct dz_watchdog_limits *l,
                                          uint64_t turn, uint64_t now_ns)
{
    dz_assert(now_ns >= d->looked_ns);
    uint64_t gap = now_ns - d->looked_ns;
    d->looked_ns = now_ns;
    if (turn == 0 || turn != d->turn) {
        d->turn = turn;
        d->age_ns = 0;
        d->last = DZ_WATCHDOG_FINE;
        return DZ_WATCHDOG_FINE;
    }
    d->age_ns += gap < GAP_FACTOR * l->every_ns ? gap : GAP_FACTOR * l->every_ns;
    enum dz_watchdog_verdict verdict = judge(d, l);
    if (verdict != DZ_WATCHDOG_FINE)
        d->last = verdict;
    return verdict;
}

enum dz_watchdog_loss dz_watchdog_may_take(const struct dz_watchdog_sample *s, uint64_t since_ns)
{
    uint64_t ms = since_ns / NS_PER_MS;
    if (s->parked)
        return DZ_LOSS_TAKE;
    if (s->seen == 0)
        return ms >= DZ_WATCHDOG_DEAF_MS ? DZ_LOSS_TAKE : DZ_LOSS_WAIT;
    if (s->outside && ms >= DZ_WATCHDOG_OUTSIDE_MS)
        return DZ_LOSS_TAKE;
    return s->only_lua && ms >= DZ_WATCHDOG_FORCE_MS ? DZ_LOSS_FORCE : DZ_LOSS_WAIT;
}
