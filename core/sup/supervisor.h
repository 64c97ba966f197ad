/* supervisor.h - one supervisor as a state machine: an event and the time in, actions out.
 * Owns:    its spec, its children's records, the queue of what waits its turn, the actions not taken yet.
 * Threads: one at a time; no I/O, no clock, no Lua.
 * Fails:   never call by call: what goes wrong becomes an action (a reply with an error, an exit).
 *
 * The driver calls one event function and then takes every action with dz_sup_next_action until it gives
 * NULL, before the next event. Pointers in an action stay good until the next event. `now_ms` is monotonic.
 *
 * Between driver and machine:
 *  - Every START is answered by exactly one dz_sup_started or dz_sup_start_failed, CANCEL or not; after a
 *    CANCEL as soon as it is certain that no process is there (or that one is: then the machine stops it).
 *  - Every STOP is answered by dz_sup_exited of that process, or by the loss of its node.
 *  - dz_sup_started of a process comes before its dz_sup_exited. Exits of a lost node's processes are not
 *    reported one by one: dz_sup_node_lost says it all. The same for dz_sup_worker_lost.
 *  - A START towards a node that is lost, draining or does not answer is a start_failed with `refused`.
 *  - After EXIT the replies that follow it are still to be taken (what the supervisor had registered is free
 *    by then); then the machine is deleted. */
#ifndef DZ_SUP_SUPERVISOR_H
#define DZ_SUP_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proc/pid.h"
#include "sup/selector.h"
#include "sup/spec.h"
#include "sup/types.h"

/* Starts under way on one node when many children are placed anew at once. */
#define DZ_SUP_STARTS_PER_NODE 64u
/* How long a child without a node waits before the next try, when its spec has no backoff: from, to. */
#define DZ_SUP_PENDING_INITIAL_MS 1000u
#define DZ_SUP_PENDING_MAX_MS     30000u
/* Supervisors inside each other: specs that are functions can name each other without end. The errors on the way back hold
 * one another, and have to stay within the depth of a term. */
#define DZ_SUP_LEVELS_MAX 60u
/* A child that costs a second worker within this time is not started again. */
#define DZ_SUP_WORKER_LOSS_WINDOW_MS 600000u

struct dz_sup;
struct dz_sup_child;

struct dz_sup_options {
    const char *id;   /* the name or sup_<n>@<node id>; copied */
    uint64_t seed;    /* of jitter and random placement */
    uint64_t now_ms;  /* monotonic */
    uint64_t wall_ms; /* since 1970 at now_ms, for started_at */
};

/* Takes the spec. Nothing happens before dz_sup_start. */
void dz_sup_new(struct dz_sup **out, struct dz_sup_spec **spec, const struct dz_sup_options *options);
void dz_sup_delete(struct dz_sup *s);

/* --- events: the supervisor itself --- */

/* Starts the static children. READY follows, or EXIT with `start_failed`. */
void dz_sup_start(struct dz_sup *s, uint64_t now_ms);
/* An exit signal from the parent or a link that ends the supervisor: as stop, with nobody waiting. */
void dz_sup_exit_signal(struct dz_sup *s, uint64_t now_ms, const uint8_t *reason, size_t len);
/* The supervisor was killed: no child is waited for (their parent bond ends them), events and replies are
 * made, EXIT. */
void dz_sup_abandon(struct dz_sup *s, uint64_t now_ms, const uint8_t *reason, size_t len);
/* Delayed restarts that are due by now. */
void dz_sup_tick(struct dz_sup *s, uint64_t now_ms);

/* --- events: requests; each is answered by exactly one REPLY to `requester`, now or later --- */

/* `term`: a child spec, or the list of args under simple_one_for_one. It has passed dz_term_check. */
void dz_sup_start_child(struct dz_sup *s, uint64_t now_ms, uint64_t requester, const uint8_t *term,
                        size_t len);
void dz_sup_terminate_child(struct dz_sup *s, uint64_t now_ms, uint64_t requester, const char *id,
                            size_t id_len);
void dz_sup_restart_child(struct dz_sup *s, uint64_t now_ms, uint64_t requester, const char *id,
                          size_t id_len);
void dz_sup_stop(struct dz_sup *s, uint64_t now_ms, uint64_t requester, const uint8_t *reason, size_t len);

/* --- events: placement and starts, named by the token of the action --- */

/* Answer to SELECT: the nodes as they are now, the local one first, then peers by id. */
void dz_sup_candidates(struct dz_sup *s, uint64_t now_ms, uint64_t token, const struct dz_candidate *nodes,
                       size_t count);
/* Answer to ASK: the node id the function gave (NULL: nil) and the nodes it was given; or, when it raised,
 * ran out of time or does not exist, node_id NULL and `failure` the cause as one term. */
void dz_sup_selected(struct dz_sup *s, uint64_t now_ms, uint64_t token, const struct dz_candidate *nodes,
                     size_t count, const char *node_id, const uint8_t *failure, size_t failure_len);

struct dz_sup_started {
    struct dz_pid pid;
    uint32_t worker; /* where it runs on its node, DZ_SUP_ANY_WORKER if unknown */
    /* A start function may return a supervisor's pid; ignored where the spec says what it is. */
    bool is_supervisor;
};
void dz_sup_started(struct dz_sup *s, uint64_t now_ms, uint64_t token, const struct dz_sup_started *started);

struct dz_sup_failure {
    /* DZ_ENOBEHAVIOR, DZ_ENONODE, DZ_ENAMETAKEN, DZ_ETIMEOUT, DZ_ENOCONNECTION: the child's code did not get
     * to answer. Any other: init refused, `detail` is the cause. */
    int code;
    /* One term, for the five codes an error table whose fields are kept; may be NULL. */
    const uint8_t *detail;
    size_t detail_len;
    bool refused;    /* the node did not take it (lost, draining, not connected): another may */
    bool superseded; /* a newer copy lives elsewhere: no failed attempt, and not tried again */
};
void dz_sup_start_failed(struct dz_sup *s, uint64_t now_ms, uint64_t token,
                         const struct dz_sup_failure *failure);

/* --- events: ends --- */

enum dz_sup_how {
    DZ_SUP_EXITED,     /* by itself, or by the STOP that was asked for */
    DZ_SUP_SUPERSEDED, /* a newer copy lives elsewhere */
};
/* A pid that is nobody's now is ignored. */
void dz_sup_exited(struct dz_sup *s, uint64_t now_ms, struct dz_pid pid, const uint8_t *reason, size_t len,
                   enum dz_sup_how how);
/* `node` is the index children were placed on. */
void dz_sup_node_lost(struct dz_sup *s, uint64_t now_ms, uint32_t node);
/* Some node came up (or stopped draining): children without a node are tried again. */
void dz_sup_node_up(struct dz_sup *s, uint64_t now_ms);
/* A worker is lost, with those of this supervisor's children that lived there; `running` is the one whose
 * turn it was, NULL if none of them. */
void dz_sup_worker_lost(struct dz_sup *s, uint64_t now_ms, const struct dz_pid *pids, size_t count,
                        const struct dz_pid *running, const uint8_t *reason, size_t len);

/* --- actions --- */

enum dz_sup_action_type {
    DZ_SUP_SELECT, /* call dz_sup_candidates with the nodes of this moment */
    DZ_SUP_ASK,    /* have the selector function decide (1 s), call dz_sup_selected */
    DZ_SUP_START,
    DZ_SUP_CANCEL, /* break the start off: kill its init, here or on its node */
    DZ_SUP_STOP,
    DZ_SUP_TIMER, /* call dz_sup_tick at this time; replaces the timer set before */
    DZ_SUP_READY, /* the static children run; the one who started the supervisor gets its pid */
    DZ_SUP_REPLY,
    DZ_SUP_EVENT,
    DZ_SUP_EXIT, /* the supervisor ends; only replies follow */
};

enum dz_sup_event_type {
    DZ_EVENT_SUPERVISOR_STARTED,
    DZ_EVENT_SUPERVISOR_STOPPED,    /* reason */
    DZ_EVENT_CHILD_STARTED,         /* child_id, node, pid, epoch */
    DZ_EVENT_CHILD_STOPPED,         /* child_id, reason */
    DZ_EVENT_CHILD_RESTARTED,       /* child_id, node, attempt, reason; pid and epoch too */
    DZ_EVENT_CHILD_MIGRATED,        /* child_id, from_node, node (to_node); pid and epoch too */
    DZ_EVENT_CHILD_PENDING,         /* child_id, reason (the cause) */
    DZ_EVENT_NODE_FAILURE_DETECTED, /* node, affected, affected_count */
};

struct dz_sup_event {
    enum dz_sup_event_type type;
    const char *child_id;
    const char *reason; /* readable text */
    struct dz_pid pid;
    uint32_t node;
    uint32_t from_node;
    uint32_t attempt;
    uint64_t epoch;
    const char *const *affected; /* child ids in start order */
    size_t affected_count;
};

struct dz_sup_select {
    uint64_t token;
    const char *child_id;
    const struct dz_selector *selector;
    uint32_t excluded; /* not to be shown to a selector function; DZ_SUP_NO_NODE: none */
};

struct dz_sup_start {
    uint64_t token;
    const char *child_id;
    const struct dz_child_spec *spec; /* the template under simple_one_for_one */
    const uint8_t *args;              /* one array term, complete */
    size_t args_len;
    uint32_t node;
    uint32_t worker;     /* where it ran before on that node, DZ_SUP_ANY_WORKER: any */
    uint64_t timeout_ms; /* for its init; DZ_TIME_INFINITY none */
    uint64_t epoch;      /* the last number of the placement's epoch, behind the supervisor's own */
    uint32_t attempt;    /* 0 the first process of this child */
    bool no_jit;
};

struct dz_sup_stop_action {
    struct dz_pid pid;
    const char *child_id;
    const char *reason;  /* "shutdown", or "superseded" */
    uint64_t timeout_ms; /* then kill; DZ_TIME_INFINITY: wait. 0 with brutal */
    bool brutal;         /* kill at once */
};

struct dz_sup_reply {
    uint64_t requester;
    int code;     /* 0, or the error's code */
    bool has_pid; /* start_child, restart_child */
    struct dz_pid pid;
    const char *child_id; /* start_child, restart_child: the id, also a generated one */
    const uint8_t *error; /* code != 0: the complete error table as one term */
    size_t error_len;
};

struct dz_sup_exit {
    const uint8_t *reason; /* one term */
    size_t len;
    bool start_failed; /* READY was never reached; `error` is what start raises */
    int code;          /* of that error */
    const uint8_t *error;
    size_t error_len;
};

struct dz_sup_action {
    enum dz_sup_action_type type;
    union {
        struct dz_sup_select select; /* SELECT, ASK */
        struct dz_sup_start start;
        uint64_t token; /* CANCEL */
        struct dz_sup_stop_action stop;
        uint64_t deadline_ms; /* TIMER; DZ_TIME_INFINITY: none needed */
        struct dz_sup_reply reply;
        struct dz_sup_event event;
        struct dz_sup_exit exit;
    } as;
};

/* The next action to perform, or NULL. */
const struct dz_sup_action *dz_sup_next_action(struct dz_sup *s);

/* --- queries, answered from the present state --- */

enum dz_sup_status {
    DZ_CHILD_STARTING,
    DZ_CHILD_RUNNING,
    DZ_CHILD_RESTARTING,
    DZ_CHILD_STOPPING,
    DZ_CHILD_STOPPED,
    DZ_CHILD_PENDING,
};
const char *dz_sup_status_name(enum dz_sup_status status);

struct dz_sup_child_info {
    const char *id;
    bool has_pid;
    struct dz_pid pid;
    uint32_t node; /* where it runs or last ran, DZ_SUP_NO_NODE: nowhere yet */
    enum dz_sup_status status;
    uint32_t restart_count;
    uint64_t started_at_ms; /* since 1970; 0: never started */
    uint64_t epoch;         /* the last number of it; 0: never placed */
    const struct dz_child_spec *spec;
    const uint8_t *args;
    size_t args_len;
    bool is_supervisor;
};

/* In start order; NULL at the end. */
const struct dz_sup_child *dz_sup_first_child(const struct dz_sup *s);
const struct dz_sup_child *dz_sup_next_child(const struct dz_sup *s, const struct dz_sup_child *child);
/* The child at a position counted from 1, for paging; walks the list. */
const struct dz_sup_child *dz_sup_child_at(const struct dz_sup *s, uint64_t position);
const struct dz_sup_child *dz_sup_find_child(const struct dz_sup *s, const char *id, size_t len);
const struct dz_sup_child *dz_sup_child_of(const struct dz_sup *s, struct dz_pid pid);
/* Of its last start. */
uint64_t dz_sup_token_of(const struct dz_sup_child *child);
void dz_sup_child_info(const struct dz_sup *s, const struct dz_sup_child *child,
                       struct dz_sup_child_info *out);

struct dz_sup_counts {
    uint32_t specs;
    uint32_t active;
    uint32_t supervisors;
    uint32_t workers;
};
void dz_sup_count_children(const struct dz_sup *s, struct dz_sup_counts *out);

struct dz_sup_stats {
    const char *id;
    enum dz_strategy strategy;
    uint32_t child_count;
    uint64_t total_restarts;
    uint64_t node_failure_restarts;
    uint64_t started_at_ms; /* since 1970 */
};
void dz_sup_stats(const struct dz_sup *s, struct dz_sup_stats *out);
/* children_by_node: *it starts at 0; false at the end. */
bool dz_sup_each_node(const struct dz_sup *s, uint32_t *it, uint32_t *node, uint32_t *children);

const struct dz_sup_spec *dz_sup_spec_of(const struct dz_sup *s);
/* Ready and not stopping. */
bool dz_sup_is_running(const struct dz_sup *s);

#endif
