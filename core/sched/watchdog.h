/* watchdog.h - how long a worker has been in one turn, and what is to be done about it.
 * Owns:    what it remembers of one worker.
 * Threads: one at a time. Pure: turn numbers and times in, a verdict out.
 * Fails:   never.
 * A turn's age is what passed between looks that saw it, so it is never older than it really is; a long gap
 * between two looks (the machine or the program was stopped) counts as a short one. */
#ifndef DZ_SCHED_WATCHDOG_H
#define DZ_SCHED_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#define DZ_WATCHDOG_REPORT_MS    1000u /* a turn is reported after this time, or after half its limit */
#define DZ_WATCHDOG_EVERY_MIN_MS 10u   /* between two looks: an eighth of the limit, but within these */
#define DZ_WATCHDOG_EVERY_MAX_MS 250u
#define DZ_WATCHDOG_GRACE_MIN_MS                                                                             \
    100u /* from the interruption until the worker is given up: a quarter of the limit, */
#define DZ_WATCHDOG_GRACE_MAX_MS 500u /* but within these */

enum dz_watchdog_verdict {
    DZ_WATCHDOG_FINE,
    DZ_WATCHDOG_REPORT,  /* once a turn: have it say where it is */
    DZ_WATCHDOG_TELL,    /* once a turn: it had time to say so */
    DZ_WATCHDOG_END,     /* interrupt it; again at each look until the next verdict */
    DZ_WATCHDOG_GIVE_UP, /* the interruption does not take; the last verdict about this turn */
    DZ_WATCHDOG_KILL,    /* the guard's own: as END, if its process has been killed */
};

struct dz_watchdog_limits {
    uint64_t every_ns; /* between two looks */
    uint64_t report_ns;
    uint64_t end_ns;
    uint64_t give_up_ns;
};

struct dz_watchdog {
    uint64_t turn; /* as seen at the last look; 0: between turns */
    uint64_t looked_ns;
    uint64_t age_ns;
    enum dz_watchdog_verdict last; /* about this turn */
};

#define DZ_WATCHDOG_KILL_GRACE_MS 500u /* a killed process that cannot be interrupted costs its worker after that */

/* All times from the one limit; 0 (no limit): every_ns alone is set, the rest never comes. */
void dz_watchdog_set_limits(struct dz_watchdog_limits *l, uint64_t max_turn_ms);
enum dz_watchdog_verdict dz_watchdog_look(struct dz_watchdog *d, const struct dz_watchdog_limits *l,
                                          uint64_t turn, uint64_t now_ns);

/* What is known of the thread of a worker that has been given up. */
struct dz_watchdog_sample {
    bool parked;   /* it stands still for ever */
    uint32_t seen; /* looks at it so far; 0: it does not even take signals */
    bool outside;  /* the last look: in foreign code, nothing of the core under way */
    bool only_lua; /* every look: in Lua's own code, though the core seemed to have called it */
};

enum dz_watchdog_loss {
    DZ_LOSS_WAIT,  /* look again */
    DZ_LOSS_FORCE, /* park it where it stands in Lua's code: no part of the core takes that long in there */
    DZ_LOSS_TAKE,  /* its processes can be taken from it */
};

#define DZ_WATCHDOG_OUTSIDE_MS 100u /* how long it is asked to stand still before foreign code may keep it   \
                                     */
#define DZ_WATCHDOG_FORCE_MS 700u
#define DZ_WATCHDOG_DEAF_MS  5000u /* in an uninterruptible system call, or signals are blocked */

/* `since_ns`: how long ago it was given up. */
enum dz_watchdog_loss dz_watchdog_may_take(const struct dz_watchdog_sample *s, uint64_t since_ns);

#endif
