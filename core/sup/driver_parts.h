/* driver_parts.h - one supervisor's process, as the files of the driver share it.
 * Owns:    the machine, the starts and stops under way, the questions not answered.
 * Threads: whoever runs the native. */
#ifndef DZ_SUP_DRIVER_PARTS_H
#define DZ_SUP_DRIVER_PARTS_H

#include "base/map.h"
#include "sup/driver.h"
#include "sup/supervisor.h"

/* How long a selector function may take. */
#define DZ_DRIVER_ASK_MS 1000u
/* What waiting starts and stops can end with: they are looked at when the earliest is due. */
#define DZ_DRIVER_TICK 1u

/* A question to be answered later: the machine's `requester` is its address. */
struct dz_question {
    struct dz_pid from;
    uint64_t ref;
    uint16_t code;
};

/* Something the machine is to be told once all its present actions are performed. */
enum dz_told_kind { DZ_TOLD_CANDIDATES, DZ_TOLD_NO_SELECTION, DZ_TOLD_START_FAILED };

struct dz_told {
    struct dz_told *next;
    enum dz_told_kind kind;
    uint64_t token;
    int code; /* START_FAILED */
    bool refused;
    char text[]; /* why there is no selection; may be empty */
};

enum dz_pending_kind { DZ_PENDING_START, DZ_PENDING_ASK };

/* A SPAWN sent and not answered. */
struct dz_pending {
    enum dz_pending_kind kind;
    uint64_t token;
    uint64_t ref;         /* of the SPAWN */
    struct dz_pid cancel; /* who to tell that it is not wanted any more */
    uint32_t node;
    uint64_t deadline_ms;
    bool timed_out;
    bool inline_supervisor; /* made by this node's driver: it can be stopped in order while it starts */
    bool adopt;             /* a start function: its process has another starter and is monitored */
    bool is_supervisor;
    bool own_timeout; /* start_timeout was given */
    bool brutal_kill; /* of its spec: should it have to be stopped before the machine hears of it */
    uint64_t shutdown_ms;
};

/* A STOP sent, until the process is gone. */
struct dz_stopping {
    struct dz_stopping *next; /* under the same key: of another node */
    struct dz_pid pid;
    uint64_t deadline_ms; /* of the kill */
    struct dz_pending
        *late; /* it started too late; the start fails when it is gone. NULL: the machine knows it */
};

/* NAMING: until the cluster-wide name is ours, also when it has none and its first turn has not come. */
enum dz_supervisor_phase { DZ_SUPERVISOR_NAMING, DZ_SUPERVISOR_RUNNING, DZ_SUPERVISOR_ENDED };

struct dz_supervisor {
    struct dz_driver *driver;
    struct dz_native *native;
    struct dz_sup *sup;
    enum dz_supervisor_phase phase;
    struct dz_pid parent;  /* its supervisor, or none */
    struct dz_pid starter; /* who asked for the supervisor */
    uint64_t starter_ref;
    bool ready;
    uint64_t name_ref; /* of the request for the cluster-wide name */
    char *id;          /* the name, or sup_<n>@<node id> */
    struct dz_buf path;
    struct dz_buf epoch;
    struct dz_map pending;  /* ref of the SPAWN -> struct dz_pending */
    struct dz_map tokens;   /* token -> the same */
    struct dz_map stopping; /* slot << 32 | gen -> struct dz_stopping */
    struct dz_told *told_first;
    struct dz_told *told_last;
    uint32_t questions;    /* not answered */
    uint64_t tick_ms;      /* when the machine wants to be ticked */
    uint64_t armed_ms;     /* when the next look is ordered */
    struct dz_buf failure; /* what the one who asked for it is told when it never became ready */
};

static inline struct dz_pid dz_supervisor_pid(const struct dz_supervisor *s)
{
    return s->native->proc.pid;
}
/* --- driver_turn.c: messages and actions --- */

uint64_t dz_supervisor_now(const struct dz_supervisor *s);
/* Performs every action the machine has ready, and what comes of them at once. */
void dz_supervisor_act(struct dz_thread *t, struct dz_supervisor *s);
/* A look at deadlines is wanted at this time. */
void dz_supervisor_look_at(struct dz_thread *t, struct dz_supervisor *s, uint64_t due_ms);
/* The message of a running supervisor; the caller still owns it. */
void dz_supervisor_take(struct dz_thread *t, struct dz_supervisor *s, const struct dz_msg *m);
/* Answers the question of that reply, if anybody waits. */
void dz_supervisor_reply(struct dz_thread *t, struct dz_supervisor *s, struct dz_pid by, const struct dz_sup_reply *r);
/* The end comes without stopping anybody: everything below ends at once, for the same reason. */
void dz_supervisor_abandon(struct dz_thread *t, struct dz_supervisor *s, struct dz_blob *reason);
/* The signal's reason is that text. */
bool dz_supervisor_says(const struct dz_msg *m, const char *text);

/* --- driver_select.c: nodes, selector functions, what the machine is told of them --- */

/* Tells the machine later, between two of its events. */
void dz_supervisor_tell(struct dz_supervisor *s, enum dz_told_kind kind, uint64_t token, int code,
                        bool refused, const char *text);
/* Tells the first thing it is to be told; false when there is none. */
bool dz_supervisor_told(struct dz_supervisor *s);
void dz_supervisor_ask(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_select *select);
void dz_supervisor_ask_answered(struct dz_supervisor *s, const struct dz_pending *p, const struct dz_msg *m);
void dz_supervisor_free_told(struct dz_supervisor *s);

/* --- driver_start.c: starts --- */

void dz_supervisor_start(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_start *start);
void dz_supervisor_cancel(struct dz_thread *t, struct dz_supervisor *s, uint64_t token);
/* It has a ref, is found by that and by its token, and its deadline is watched. */
struct dz_pending *dz_supervisor_pending_new(struct dz_thread *t, struct dz_supervisor *s, enum dz_pending_kind kind,
                                             uint64_t token, uint64_t timeout_ms);
void dz_supervisor_pending_delete(struct dz_supervisor *s, struct dz_pending *p);
/* Not wanted any more: whoever works on it is told, and answers. A supervisor of this node stops what it has
 * started before it answers, so that nothing of it is left then. */
void dz_supervisor_withdraw(struct dz_thread *t, struct dz_supervisor *s, const struct dz_pending *p);
/* Appends the function as a term. */
void dz_supervisor_put_function(struct dz_buf *buf, const struct dz_sup_function *f);
/* One id as a component of a path. */
int dz_supervisor_escape(struct dz_buf *path, const char *id, size_t len);

/* --- driver_answer.c: what comes of starts --- */

/* The answer to a SPAWN of ours (or to nothing any more). */
void dz_supervisor_answered(struct dz_thread *t, struct dz_supervisor *s, const struct dz_msg *m);
/* Gives up what had to be answered by now; returns when the next one is due. */
uint64_t dz_supervisor_overdue_starts(struct dz_thread *t, struct dz_supervisor *s, uint64_t now_ms);
/* The child under way turns out to be a supervisor: unless its spec says how long, it has all the time it needs. */
void dz_supervisor_starts_tree(struct dz_supervisor *s, const char *child_id, size_t len);
void dz_supervisor_lose_starts(struct dz_thread *t, struct dz_supervisor *s, uint32_t node);
void dz_supervisor_abandon_starts(struct dz_thread *t, struct dz_supervisor *s, struct dz_blob *reason);
void dz_supervisor_free_starts(struct dz_supervisor *s);

/* --- driver_stop.c: stops --- */

void dz_supervisor_stop_child(struct dz_thread *t, struct dz_supervisor *s,
                              const struct dz_sup_stop_action *action);
/* A process nobody wants any more; the start fails when it is gone. Takes the start, which is pending no
 * longer. */
void dz_supervisor_stop_late(struct dz_thread *t, struct dz_supervisor *s, struct dz_pending *p,
                             struct dz_pid pid);
/* Starts and stops whose time is over; returns when the next one is due. */
uint64_t dz_supervisor_overdue(struct dz_thread *t, struct dz_supervisor *s, uint64_t now_ms);
/* Starts towards a lost node, and stops there. */
void dz_supervisor_lose_node(struct dz_thread *t, struct dz_supervisor *s, uint32_t node);
/* The process is gone. True: it had started too late, and the machine never knew it. */
bool dz_supervisor_forget_stop(struct dz_supervisor *s, struct dz_pid pid);
/* The supervisor ends without stopping anybody: processes and starts under way are told. */
void dz_supervisor_abandon_children(struct dz_thread *t, struct dz_supervisor *s, struct dz_blob *reason);
void dz_supervisor_free_stops(struct dz_supervisor *s);

/* --- driver_query.c: answers and events --- */

/* True if the request is a query; then it is answered. */
bool dz_supervisor_query(struct dz_thread *t, struct dz_supervisor *s, const struct dz_msg *m);
void dz_supervisor_emit(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_event *event);

extern const struct dz_native_ops dz_supervisor_ops;

#endif
