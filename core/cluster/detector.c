#include "cluster/detector.h"

#include "base/assert.h"
#include "base/err.h"

#define SHORTEST_HEARTBEAT_MS 10u
#define LONGEST_MS            (24u * 3600u * 1000u)

int dz_detector_check(const struct dz_detector_settings *s, const char **why)
{
    const char *text = NULL;
    if (s->heartbeat_ms < SHORTEST_HEARTBEAT_MS)
        text = "heartbeat_interval_ms must be at least 10";
    else if (s->suspect_ms <= s->heartbeat_ms)
        text = "suspect_after_ms must be greater than heartbeat_interval_ms";
    else if (s->down_ms <= s->suspect_ms)
        text = "down_after_ms must be greater than suspect_after_ms";
    else if (s->down_ms > LONGEST_MS)
        text = "down_after_ms must be at most a day";
    if (why)
        *why = text;
    return text ? DZ_ECONFIG : 0;
}

void dz_detector_start(struct dz_detector *d, uint64_t now_ms)
{
    *d = (struct dz_detector){.told_ms = now_ms, .heard_ms = now_ms};
}

void dz_detector_heard(struct dz_detector *d, uint64_t at_ms)
{
    if (at_ms <= d->told_ms)
        return;
    d->told_ms = at_ms;
    if (at_ms > d->heard_ms)
        d->heard_ms = at_ms;
}

void dz_detector_closed(struct dz_detector *d, bool refused)
{
    d->closed = true;
    d->refused = d->refused || refused;
}

void dz_detector_resumed(struct dz_detector *d, uint64_t now_ms)
{
    d->closed = false;
    d->refused = false;
    dz_detector_heard(d, now_ms);
}

void dz_detector_reached(struct dz_detector *d, uint64_t at_ms)
{
    if (at_ms > d->reached_ms)
        d->reached_ms = at_ms;
}

bool dz_detector_is_apart(const struct dz_detector *d, const struct dz_detector_settings *s)
{
    return d->suspect && d->reached_ms >= d->heard_ms + s->suspect_ms;
}

static uint64_t moved(uint64_t at_ms, uint64_t by_ms, uint64_t now_ms)
{
    return at_ms + by_ms < now_ms ? at_ms + by_ms : now_ms;
}

void dz_detector_stalled(struct dz_detector *d, uint64_t stall_ms, uint64_t now_ms)
{
    d->heard_ms = moved(d->heard_ms, stall_ms, now_ms);
    if (d->reached_ms)
        d->reached_ms = moved(d->reached_ms, stall_ms, now_ms);
}

static uint64_t last_sign(const struct dz_detector *d)
{
    return d->reached_ms > d->heard_ms ? d->reached_ms : d->heard_ms;
}

static bool older(uint64_t at_ms, uint64_t than_ms, uint64_t now_ms)
{
    return now_ms >= at_ms && now_ms - at_ms >= than_ms;
}

static enum dz_detector_verdict judge(struct dz_detector *d, const struct dz_detector_settings *s,
                                      uint64_t now_ms)
{
    if (older(last_sign(d), s->down_ms, now_ms))
        return DZ_DETECTOR_DOWN;
    if (older(d->heard_ms, s->unreachable_ms, now_ms) && s->unreachable_ms > s->down_ms)
        return DZ_DETECTOR_UNREACHABLE;
    if (now_ms < d->probe_ms)
        return DZ_DETECTOR_NOTHING;
    d->probe_ms = now_ms + s->heartbeat_ms;
    return DZ_DETECTOR_PROBE;
}

enum dz_detector_verdict dz_detector_tick(struct dz_detector *d, const struct dz_detector_settings *s,
                                          uint64_t now_ms)
{
    if (d->refused)
        return DZ_DETECTOR_REFUSED;
    bool silent = d->closed || older(d->heard_ms, s->suspect_ms, now_ms);
    if (silent == d->suspect)
        return silent ? judge(d, s, now_ms) : DZ_DETECTOR_NOTHING;
    d->suspect = silent;
    if (silent)
        d->probe_ms = now_ms;
    else
        d->reached_ms = 0;
    return silent ? DZ_DETECTOR_SUSPECT : DZ_DETECTOR_RECOVERED;
}

uint64_t dz_detector_next(const struct dz_detector *d, const struct dz_detector_settings *s)
{
    if (d->refused || (d->closed && !d->suspect))
        return 0;
    if (!d->suspect)
        return d->heard_ms + s->suspect_ms;
    uint64_t next = last_sign(d) + s->down_ms;
    if (s->unreachable_ms > s->down_ms && d->heard_ms + s->unreachable_ms < next)
        next = d->heard_ms + s->unreachable_ms;
    return d->probe_ms < next ? d->probe_ms : next;
}
