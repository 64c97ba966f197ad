/* detector.h - whether one peer lives, judged from its signs of life: what we hear, and what others hear of
 * it.
 * Owns:    nothing; one struct dz_detector inside each node's record.
 * Threads: one at a time; pure: every time is passed in, in ms of the host's monotonic clock.
 * Fails:   never; dz_detector_check says DZ_ECONFIG.
 *
 *     up --silent for suspect_ms, or the link closed--> suspect --a sign of life on an open link--> up
 *     suspect --nobody heard of it for down_ms--> DOWN;  others do, we not for unreachable_ms--> UNREACHABLE
 *     any --a redial was refused--> DOWN
 *
 * It only suggests: what follows is membership.h's. */
#ifndef DZ_CLUSTER_DETECTOR_H
#define DZ_CLUSTER_DETECTOR_H

#include <stdbool.h>
#include <stdint.h>

struct dz_detector_settings {
    uint32_t heartbeat_ms;
    uint32_t suspect_ms;
    uint32_t down_ms;
    uint32_t unreachable_ms;
};

enum dz_detector_verdict {
    DZ_DETECTOR_NOTHING,
    DZ_DETECTOR_SUSPECT,     /* it became one */
    DZ_DETECTOR_RECOVERED,   /* it is none any more */
    DZ_DETECTOR_PROBE,       /* ask others now */
    DZ_DETECTOR_DOWN,        /* nobody hears it; repeated until the session ends */
    DZ_DETECTOR_REFUSED,     /* down, because nobody listens at its address */
    DZ_DETECTOR_UNREACHABLE, /* others hear it, we do not, for too long */
};

struct dz_detector {
    uint64_t told_ms;    /* the latest sign of life as it was reported */
    uint64_t heard_ms;   /* the same, moved on by the time we ourselves stood still */
    uint64_t reached_ms; /* the latest one somebody else had; 0: none */
    uint64_t probe_ms;   /* when to ask others again */
    bool suspect;
    bool closed; /* the session has no connection now */
    bool refused;
};

/* DZ_ECONFIG when the times make no sense together; *why is static text. */
int dz_detector_check(const struct dz_detector_settings *s, const char **why);

/* A new session: the handshake was the first sign of life. */
void dz_detector_start(struct dz_detector *d, uint64_t now_ms);
/* Bytes of the peer came at that time; an older time than known changes nothing. */
void dz_detector_heard(struct dz_detector *d, uint64_t at_ms);
void dz_detector_closed(struct dz_detector *d, bool refused);
void dz_detector_resumed(struct dz_detector *d, uint64_t now_ms);
/* Another node last heard of it at that time. */
void dz_detector_reached(struct dz_detector *d, uint64_t at_ms);
/* Others heard of it when it had long been silent for us: it is the link that is broken. */
bool dz_detector_is_apart(const struct dz_detector *d, const struct dz_detector_settings *s);
/* Our own thread did not run for so long: that time proves nothing against the peer. */
void dz_detector_stalled(struct dz_detector *d, uint64_t stall_ms, uint64_t now_ms);

/* What is due now; call until NOTHING, or until the verdict ended the session. */
enum dz_detector_verdict dz_detector_tick(struct dz_detector *d, const struct dz_detector_settings *s,
                                          uint64_t now_ms);
/* When dz_detector_tick may have something to say. */
uint64_t dz_detector_next(const struct dz_detector *d, const struct dz_detector_settings *s);

#endif
