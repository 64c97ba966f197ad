/* machine.h - the inside of struct dz_sup, private to the files that make up the state machine:
 *   supervisor.c  life of the machine, its events, the queue of what waits its turn
 *   children.c    records of children and their indexes
 *   place.c       a start under way: selecting, holding, starting, its outcome
 *   round.c       what a crash leads to: restarts, rounds, retries, children without a node
 *   loss.c        a lost node, a lost worker
 *   requests.c    start_child, terminate_child, restart_child
 *   shutdown.c    every way in which the supervisor itself ends
 *   report.c      actions, events and error tables;  query.c  answers from the present state
 * Owns:    see each struct.
 * Threads: one at a time.
 *
 * One operation is under way at a time (`op`); all else waits in `queue`, in order of arrival. A function
 * that ends the operation only says so (dz_sup_op_end); the event function that is being served then takes
 * the next from the queue. */
#ifndef DZ_SUP_MACHINE_H
#define DZ_SUP_MACHINE_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "sup/intensity.h"
#include "sup/supervisor.h"

struct dz_sup_blob {
    uint8_t *data; /* NULL: none */
    size_t len;
};

enum dz_sup_process {
    DZ_PROCESS_NONE,
    DZ_PROCESS_LIVE,
    DZ_PROCESS_DEAD, /* its end waits in the queue */
};

/* Where a start under way stands. */
enum dz_sup_flight {
    DZ_FLIGHT_NONE,
    DZ_FLIGHT_SELECTING,
    DZ_FLIGHT_ASKING,
    DZ_FLIGHT_HELD,     /* its node has DZ_SUP_STARTS_PER_NODE under way */
    DZ_FLIGHT_STARTING, /* the driver owes an answer */
};

enum dz_sup_outcome {
    DZ_OUTCOME_UP,
    DZ_OUTCOME_FAILED,
    DZ_OUTCOME_NO_NODE,
    DZ_OUTCOME_BROKEN, /* terminate_child broke it off; no process is left */
};

struct dz_sup_entry;

struct dz_sup_child {
    struct dz_list order;      /* dz_sup.children, then dz_sup.removed */
    struct dz_list group;      /* children of its node, of a loss entry, or dz_sup.pending */
    struct dz_list todo;       /* what an operation is still to start, or what a node holds back */
    struct dz_heap_node timer; /* dz_sup.timers: a delayed restart, or the next try of a pending child */
    uint64_t seq;              /* its place in the start order */
    char *id;
    const struct dz_child_spec *spec;
    struct dz_child_spec *own_spec; /* of a child added by start_child */
    struct dz_sup_blob args;        /* none: the spec's */
    enum dz_sup_status status;
    bool is_supervisor;

    enum dz_sup_process process;
    struct dz_pid pid;
    struct dz_sup_child *same_key; /* the next one in by_pid under the same key */
    uint32_t node;                 /* of the process, or where it last ran */
    uint32_t worker;
    uint64_t node_hash; /* of that node's id: identities change, the id stays */
    bool on_local;
    struct dz_sup_entry *queued; /* its end in the queue */

    enum dz_sup_flight flight;
    uint64_t token;
    uint32_t flight_node;
    uint64_t flight_hash;
    bool flight_local;
    bool same_node;    /* started where it ran, the selector was not asked */
    bool cancelled;    /* CANCEL is out */
    uint32_t excluded; /* not to be selected */

    bool silent; /* its process came although the start was broken off: nobody is told of it */
    bool doomed; /* terminate_child waits for its end */
    uint64_t doomed_by;

    bool active;   /* significant, and counted in significant_active; not while in_round, as in OTP */
    bool in_round; /* the round has stopped it and not reached it yet */
    bool blocker;  /* RESTARTING with a retry ahead */
    bool counted;  /* the retry ahead has been counted */
    bool no_jit;
    bool pending_told;
    bool end_told; /* the last end was followed by a start or a child_stopped */
    bool lost;     /* the last end was its node's loss */
    uint32_t backoff_step;
    uint32_t pending_step;
    uint32_t restart_count;
    uint64_t started_ms;
    bool ever_started;
    uint64_t epoch;
    bool cost_worker;
    uint64_t cost_worker_ms;
    struct dz_sup_blob end;     /* reason of the last end */
    struct dz_sup_blob failure; /* why the last restart attempt failed */
};

/* What happens on one node. */
struct dz_sup_node {
    uint32_t node;
    uint32_t count; /* children with a process there */
    uint32_t starting;
    struct dz_list children; /* dz_sup_child.group */
    struct dz_list held;     /* dz_sup_child.todo */
};

enum dz_sup_entry_type {
    DZ_ENTRY_START_CHILD,
    DZ_ENTRY_TERMINATE_CHILD,
    DZ_ENTRY_RESTART_CHILD,
    DZ_ENTRY_EXIT,
    DZ_ENTRY_RETRY, /* whoever has that id then, if it still waits for one */
    DZ_ENTRY_NODE_LOSS,
    DZ_ENTRY_WORKER_LOSS,
    DZ_ENTRY_NODE_UP,
};

struct dz_sup_entry {
    struct dz_list node;
    enum dz_sup_entry_type type;
    uint64_t requester;
    char *id;                   /* TERMINATE_CHILD, RESTART_CHILD, RETRY */
    struct dz_sup_blob term;    /* START_CHILD: a spec, or args; read in its turn, as OTP does */
    struct dz_sup_child *child; /* EXIT; WORKER_LOSS: whose turn it was, or NULL */
    enum dz_sup_how how;
    struct dz_list lost; /* losses: dz_sup_child.group */
};

enum dz_sup_op_kind {
    DZ_OP_NONE,
    DZ_OP_BOOT,
    DZ_OP_START_CHILD,
    DZ_OP_TERMINATE_CHILD,
    DZ_OP_RESTART_CHILD,
    DZ_OP_REPLACE, /* starts what is in `todo` */
    DZ_OP_ROUND,
    DZ_OP_SHUTDOWN,
};

struct dz_sup_op {
    enum dz_sup_op_kind kind;
    uint64_t requester;
    struct dz_sup_child *child;   /* START_CHILD, TERMINATE_CHILD, RESTART_CHILD: whose; ROUND: whose crash */
    struct dz_sup_child *waiting; /* its STOP is out */
    struct dz_sup_child *cursor;  /* ROUND: the next to stop (backwards) or to start */
    struct dz_sup_child *last;    /* ROUND: where stopping ends; NULL: all */
    bool starting;                /* ROUND: the second half */
    uint64_t delay_ms;            /* ROUND: between the halves */
    bool resume;                  /* the child kept a round from finishing, which goes on afterwards */
    struct dz_list todo;          /* REPLACE */
    uint32_t flying;
    bool serial; /* REPLACE: one after another */
    size_t boot_index;
};

enum dz_sup_phase { DZ_PHASE_NEW, DZ_PHASE_BOOTING, DZ_PHASE_READY, DZ_PHASE_STOPPING, DZ_PHASE_ENDED };

struct dz_sup_kept; /* memory that actions point to */

struct dz_sup {
    struct dz_sup_spec *spec;
    char *id;
    enum dz_sup_phase phase;
    bool was_ready;
    uint64_t now_ms;
    uint64_t born_ms;
    uint64_t born_wall_ms;
    uint64_t random;

    struct dz_list children; /* in start order */
    struct dz_list removed;  /* freed at the next event: actions may point to them */
    struct dz_list pending;
    struct dz_smap by_id;
    struct dz_map by_pid;
    struct dz_map by_token; /* starts under way */
    struct dz_map nodes;
    struct dz_heap timers;
    struct dz_intensity intensity;

    struct dz_list queue;
    bool node_up_queued;
    struct dz_sup_op op;

    uint64_t next_seq;
    uint64_t next_token;
    uint64_t next_generated; /* simple_one_for_one */
    uint64_t epoch_floor;    /* no removed child's epoch was above it */
    uint64_t round_robin;
    uint32_t child_count;
    uint32_t active;
    uint32_t supervisors;
    uint32_t significant_active;
    uint64_t total_restarts;
    uint64_t node_failure_restarts;

    struct dz_sup_blob exit_reason;
    int start_error_code; /* while booting: what start raises */
    struct dz_sup_blob start_error;
    uint64_t *stoppers; /* requesters of stop */
    uint32_t stopper_count;
    uint32_t stopper_cap;

    struct dz_sup_action *actions;
    uint32_t action_first;
    uint32_t action_count;
    uint32_t action_cap;
    uint64_t announced_deadline;
    struct dz_sup_kept *kept;
};

/* --- supervisor.c --- */
struct dz_sup_entry *dz_sup_enqueue(struct dz_sup *s, enum dz_sup_entry_type type);
void dz_sup_enqueue_retry(struct dz_sup *s, const struct dz_sup_child *c);
void dz_sup_entry_delete(struct dz_sup_entry *e);
void dz_sup_op_begin(struct dz_sup *s, enum dz_sup_op_kind kind);
void dz_sup_op_end(struct dz_sup *s);
uint64_t dz_sup_random(struct dz_sup *s);
/* False: out of memory, b empty. */
bool dz_sup_blob_set(struct dz_sup_blob *b, const uint8_t *data, size_t len);
void dz_sup_blob_clear(struct dz_sup_blob *b);
/* A reason; out of memory leaves the reason "out_of_memory". */
void dz_sup_reason_set(struct dz_sup_blob *b, const uint8_t *data, size_t len);
void dz_sup_reason_text(struct dz_sup_blob *b, const char *text);

/* --- children.c --- */
/* NULL when out of memory. The record is in the order and in by_id. */
struct dz_sup_child *dz_children_add(struct dz_sup *s, const char *id, const struct dz_child_spec *spec);
/* Nothing of it is under way any more. */
void dz_children_remove(struct dz_sup *s, struct dz_sup_child *c);
void dz_children_free(struct dz_sup_child *c);
struct dz_sup_child *dz_children_find(const struct dz_sup *s, const char *id, size_t len);
struct dz_sup_child *dz_children_first(const struct dz_sup *s);
struct dz_sup_child *dz_children_last(const struct dz_sup *s);
struct dz_sup_child *dz_children_next(const struct dz_sup *s, const struct dz_sup_child *c);
struct dz_sup_child *dz_children_before(const struct dz_sup *s, const struct dz_sup_child *c);
struct dz_sup_child *dz_children_by_pid(const struct dz_sup *s, struct dz_pid pid);
void dz_children_set_status(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_status status);
/* A process is there: indexes and counters. */
void dz_children_attach(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_started *started);
/* The process is gone; `end` is kept. */
void dz_children_detach(struct dz_sup *s, struct dz_sup_child *c, const uint8_t *reason, size_t len);
/* Forgets what lies ahead of it: its end in the queue, its timer, its place among the pending. A retry in the queue finds
 * nobody then who waits for it. */
void dz_children_forget_plans(struct dz_sup *s, struct dz_sup_child *c);
struct dz_sup_node *dz_children_node(struct dz_sup *s, uint32_t node); /* made if missing */
void dz_children_release_node(struct dz_sup *s, struct dz_sup_node *n);
/* Sorts a list linked through `group` by start order. */
void dz_children_sort(struct dz_list *group);

/* --- place.c --- */
enum dz_place_how { DZ_PLACE_SAME_NODE, DZ_PLACE_SELECT };
void dz_place_launch(struct dz_sup *s, struct dz_sup_child *c, enum dz_place_how how);
/* Ends a flight the driver owes nothing for; true if the driver does (CANCEL is out). */
bool dz_place_break_off(struct dz_sup *s, struct dz_sup_child *c);
/* Breaks off without waiting for the answer. */
void dz_place_abandon(struct dz_sup *s, struct dz_sup_child *c);
/* Those that wait for their turn on a node that is lost select again. */
void dz_place_release_held(struct dz_sup *s, struct dz_sup_node *n);

void dz_place_candidates(struct dz_sup *s, uint64_t token, const struct dz_candidate *nodes, size_t count);
void dz_place_selected(struct dz_sup *s, uint64_t token, const struct dz_candidate *nodes, size_t count,
                       const char *node_id, const uint8_t *failure, size_t failure_len);
void dz_place_started(struct dz_sup *s, uint64_t token, const struct dz_sup_started *started);
void dz_place_failed(struct dz_sup *s, uint64_t token, const struct dz_sup_failure *failure);

/* --- supervisor.c again --- */
/* What came of a start, for the operation it belongs to. `failure` for FAILED and NO_NODE. */
void dz_sup_outcome(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_outcome outcome,
                    const struct dz_sup_failure *failure);
/* The process of a STOP is gone (detached already). */
void dz_sup_stopped(struct dz_sup *s, struct dz_sup_child *c);

/* --- round.c --- */
void dz_round_handle_exit(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_how how);
void dz_round_handle_retry(struct dz_sup *s, const char *id);
void dz_round_handle_node_up(struct dz_sup *s);
void dz_round_begin(struct dz_sup *s, struct dz_sup_child *from, uint64_t delay_ms);
/* The start half goes on with those still in_round, from `cursor` on; under one_for_all with all of them. */
void dz_round_resume(struct dz_sup *s, struct dz_sup_child *cursor);
void dz_round_stopped(struct dz_sup *s, struct dz_sup_child *c);
void dz_round_outcome(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_outcome outcome,
                      const struct dz_sup_failure *failure);
/* Starts what the caller put into op.todo. */
void dz_round_replace(struct dz_sup *s, bool serial);
void dz_round_replace_outcome(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_outcome outcome,
                              const struct dz_sup_failure *failure);

/* --- loss.c --- */
void dz_loss_node(struct dz_sup *s, uint32_t node);
void dz_loss_worker(struct dz_sup *s, const struct dz_pid *pids, size_t count, const struct dz_pid *running,
                    const uint8_t *reason, size_t len);
void dz_loss_handle(struct dz_sup *s, struct dz_sup_entry *e);

/* --- requests.c --- */
void dz_requests_handle_start(struct dz_sup *s, struct dz_sup_entry *e);
void dz_requests_handle_terminate(struct dz_sup *s, struct dz_sup_entry *e);
void dz_requests_handle_restart(struct dz_sup *s, struct dz_sup_entry *e);
void dz_requests_outcome(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_outcome outcome,
                         const struct dz_sup_failure *failure);
void dz_requests_stopped(struct dz_sup *s, struct dz_sup_child *c);
/* terminate_child has done its work: the record goes, the one who waits is told. */
void dz_requests_bury(struct dz_sup *s, struct dz_sup_child *c);

/* --- shutdown.c --- */
void dz_shutdown_begin(struct dz_sup *s, const uint8_t *reason, size_t len);
void dz_shutdown_begin_text(struct dz_sup *s, const char *reason);
void dz_shutdown_step(struct dz_sup *s);
/* A process, or a start, ended while the supervisor stops. */
void dz_shutdown_child_gone(struct dz_sup *s, struct dz_sup_child *c);
void dz_shutdown_abandon(struct dz_sup *s, const uint8_t *reason, size_t len);
void dz_shutdown_boot_failed(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_failure *failure);
void dz_shutdown_excess(struct dz_sup *s, const struct dz_sup_blob *cause);
/* After a significant child ended by itself. */
void dz_shutdown_check_auto(struct dz_sup *s, const struct dz_child_spec *ended);

/* --- report.c --- */
struct dz_sup_action *dz_report_action(struct dz_sup *s, enum dz_sup_action_type type);
void dz_report_free_actions(struct dz_sup *s);
/* The memory is freed at the next event. */
void *dz_report_keep(struct dz_sup *s, void *memory);
const char *dz_report_keep_text(struct dz_sup *s, const char *text); /* a copy */
void dz_report_supervisor(struct dz_sup *s, enum dz_sup_event_type type);
/* Before the record learns of the new process. */
void dz_report_started(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_started *started);
/* The last end is followed by nothing; once per end. */
void dz_report_child_stopped(struct dz_sup *s, struct dz_sup_child *c);
void dz_report_pending(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_failure *failure);
/* `children` is linked through `group`, `count` of them. */
void dz_report_node_failure(struct dz_sup *s, uint32_t node, const struct dz_list *children, uint32_t count);
void dz_report_stop(struct dz_sup *s, struct dz_sup_child *c);
void dz_report_ok(struct dz_sup *s, uint64_t requester);
void dz_report_pid(struct dz_sup *s, uint64_t requester, struct dz_sup_child *c);
/* An error table { code, message, supervisor_id, child_id }; child_id may be NULL. */
void dz_report_error(struct dz_sup *s, uint64_t requester, int code, const char *child_id);
void dz_report_spec_error(struct dz_sup *s, uint64_t requester, const struct dz_spec_error *error);
void dz_report_start_failed(struct dz_sup *s, uint64_t requester, struct dz_sup_child *c,
                            const struct dz_sup_failure *failure);
/* The code and table start, start_child and restart_child raise. */
int dz_report_start_error(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_failure *failure,
                          struct dz_sup_blob *out);
/* The failure of a start that was broken off. */
const struct dz_sup_failure *dz_report_broken_off(void);

#endif
