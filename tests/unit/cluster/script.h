/* script.h - membership driven by events, its actions written down.
 * Owns:    nothing.
 * Threads: one. */
#ifndef DZ_TESTS_CLUSTER_SCRIPT_H
#define DZ_TESTS_CLUSTER_SCRIPT_H

#include "../base/check.h"
#include <stdio.h>
#include <string.h>
#include "cluster/cluster.h"
#include "cluster/membership.h"

static const struct dz_detector_settings settings = {500, 1500, 3000, 10000};

struct script {
    struct dz_membership m;
    char text[4096];
    bool quiet; /* no heartbeats and changes in the trace */
};

static inline void note(struct script *s, const struct dz_membership_action *a)
{
    static const char *const names[] = {
        [DZ_MEMBER_DIAL] = "dial",   [DZ_MEMBER_FORGET] = "forget",  [DZ_MEMBER_UP] = "up",
        [DZ_MEMBER_LOST] = "lost",   [DZ_MEMBER_HEARTBEAT] = "beat", [DZ_MEMBER_GOSSIP] = "gossip",
        [DZ_MEMBER_PROBE] = "probe", [DZ_MEMBER_CHANGED] = "is",
    };
    size_t len = strlen(s->text);
    if (s->quiet &&
        (a->type == DZ_MEMBER_HEARTBEAT || a->type == DZ_MEMBER_CHANGED || a->type == DZ_MEMBER_GOSSIP))
        return;
    char tail[80] = "";
    if (a->type == DZ_MEMBER_LOST)
        snprintf(tail, sizeof tail, "%s%s%s", a->close ? " close" : "", a->announce ? " announce" : "",
                 a->verdict ? " verdict" : "");
    else if (a->type == DZ_MEMBER_PROBE)
        snprintf(tail, sizeof tail, " by %u", (unsigned)a->peer);
    snprintf(s->text + len, sizeof s->text - len, "%s %c%s%s%s;", names[a->type], a->node->id[0],
             a->reason ? " " : "", a->reason ? a->reason : "", tail);
}

static inline void take(struct script *s)
{
    const struct dz_membership_action *a;
    while ((a = dz_membership_next_action(&s->m)) != NULL)
        note(s, a);
}

#define expect(s, trace)                                                                                     \
    do {                                                                                                     \
        take(s);                                                                                             \
        assert_string_equal((s)->text, trace);                                                               \
        (s)->text[0] = 0;                                                                                    \
    } while (0)

static inline void begin(struct script *s, const struct dz_placement_authority *authority)
{
    memset(s, 0, sizeof *s);
    s->quiet = true;
    assert_int_equal(dz_membership_init(&s->m, "a@h:1", &settings, authority, 0), 0);
}

static inline void end(struct script *s)
{
    dz_membership_fini(&s->m);
}

static inline void session(struct script *s, const char *id, uint64_t peer, uint64_t incarnation,
                           uint64_t now)
{
    struct dz_peer_info info = {.id = id, .incarnation = incarnation, .birth = incarnation};
    assert_non_null(dz_membership_session(&s->m, peer, &info, now));
}

static inline void up(struct script *s, const char *id, uint64_t peer, uint64_t incarnation, uint64_t now)
{
    session(s, id, peer, incarnation, now);
    dz_membership_exchanged(&s->m, peer, now);
    take(s);
    s->text[0] = 0;
}

static inline void tick_until(struct script *s, uint64_t from, uint64_t to)
{
    for (uint64_t now = from; now <= to; now += 100) {
        dz_membership_tick(&s->m, now);
        take(s);
    }
}

#endif
