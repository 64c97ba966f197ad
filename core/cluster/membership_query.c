/* membership_query.c - what membership.h answers without changing anything.
 * Owns:    nothing.
 * Threads: the system thread; pure.
 * Fails:   never. */
#include "cluster/membership.h"

/* Losses within this time count as one event for the authority. */
#define LOSS_WINDOW_MS 60000u

void dz_membership_count(const struct dz_membership *m, uint64_t now_ms, uint32_t *reachable, uint32_t *known)
{
    *reachable = *known = 1;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct dz_node *n = m->nodes[i];
        bool lately =
            n->status == DZ_NODE_DOWN && n->lost_incarnation && now_ms - n->since_ms < LOSS_WINDOW_MS;
        *reachable += n->status == DZ_NODE_UP;
        *known += dz_node_is_met(n) || lately;
    }
}

uint64_t dz_membership_next(const struct dz_membership *m)
{
    uint64_t next = m->heartbeat_ms;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct dz_node *n = m->nodes[i];
        uint64_t at = n->peer ? dz_detector_next(&n->detector, &m->settings) : n->dial_ms ? n->dial_ms : next;
        if (at < next)
            next = at;
    }
    return next;
}

bool dz_membership_would_judge(const struct dz_membership *m, uint64_t now_ms)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct dz_detector d = m->nodes[i]->detector;
        if (!m->nodes[i]->peer)
            continue;
        enum dz_detector_verdict v = dz_detector_tick(&d, &m->settings, now_ms);
        while (v == DZ_DETECTOR_SUSPECT || v == DZ_DETECTOR_RECOVERED || v == DZ_DETECTOR_PROBE)
            v = dz_detector_tick(&d, &m->settings, now_ms);
        if (v != DZ_DETECTOR_NOTHING)
            return true;
    }
    return false;
}

bool dz_membership_is_settled(const struct dz_membership *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (!m->nodes[i]->settled && !m->nodes[i]->gone)
            return false;
    return true;
}
