/* process.h - one process: its state, what it waits for, how signals act on it, how it ends.
 * Owns:    its mailbox, bonds, owed answers, exit reason; what its kind keeps is the kind's.
 * Threads: the thread it lives on only (natives: whoever runs them, see native.h).
 * Fails:   functions that allocate return DZ_ENOMEM; ending never fails.
 *
 * The kinds (Lua processes, C behaviours, system services, natives) run turns; this file knows when one is due:
 *
 *   (made) --> READY (in the run queue) --> RUNNING --> IDLE | READY | WAITING;   IDLE --message--> READY
 *   WAITING --reply, message, timeout--> READY;   any --exit decided--> READY with DZ_PROC_DOOMED set --> ENDING --> gone
 */
#ifndef DZ_PROC_PROCESS_H
#define DZ_PROC_PROCESS_H

#include "base/list.h"
#include "proc/mailbox.h"
#include "proc/rt.h"

enum dz_proc_state {
    DZ_PROC_IDLE,
    DZ_PROC_READY,   /* also before its first turn: whether init has returned is the flag DZ_PROC_STARTED */
    DZ_PROC_RUNNING,
    DZ_PROC_WAITING,
    DZ_PROC_ENDED,
};

enum dz_proc_flag {
    DZ_PROC_STARTED = 1,     /* init returned */
    DZ_PROC_TRAPS = 2,       /* trap_exit */
    DZ_PROC_DOOMED = 4,      /* `exit` says why; the kind ends it in its next turn */
    DZ_PROC_NO_TERMINATE = 8,/* killed, runaway, out of memory, worker lost: terminate does not run */
    DZ_PROC_TERMINATING = 16,/* terminate runs (or waits) */
    DZ_PROC_PLAIN = 32,      /* a function: no callbacks; exit signals of its supervisor can be trapped */
    DZ_PROC_NATIVE = 64,
    DZ_PROC_GLOBAL = 128,    /* has cluster-wide names */
    DZ_PROC_HIDDEN = 256,
    DZ_PROC_NO_JIT = 512,
    DZ_PROC_STOP_MAILED = 1024, /* a STOP waits in the mailbox: the kind heeds it before it parks the process */
    DZ_PROC_ADOPTED = 2048,  /* `parent` did not spawn it: it hears of the end by its monitor */
    DZ_PROC_ORPHAN = 4096,  /* its supervisor is gone: it is killed if its end takes too long (orphan.h) */
    DZ_PROC_SCRIPT = 8192,  /* the host's own script, whose end the host tells */
};

/* What a waiting process waits for. At most one wait at a time. Filled by the kind, ended by dz_process_wake. */
enum dz_wait_kind {
    DZ_WAIT_REPLY,   /* a REPLY with `ref` */
    DZ_WAIT_MESSAGE, /* a message for receive: SEND or INFO (and CAST, CALL for a plain process) */
    DZ_WAIT_TIME,    /* only the deadline */
    DZ_WAIT_EVENT,   /* dz_process_wake called by the kind itself (await) */
};

struct dz_wait {
    enum dz_wait_kind kind;
    bool answered;          /* the reply has come (it may be taken already) */
    bool timed_out;
    bool woken;
    bool timed;             /* `timer` may be running, */
    bool listed;            /* `far` is in a list; else they were not touched */
    uint64_t ref;
    struct dz_pid target;   /* of a call: the process asked; its node's loss ends the wait */
    struct dz_msg *reply;   /* the answer, owned here until the kind takes it */
    struct dz_proc *proc;
    struct dz_list far;     /* in dz_thread.far_waits when target is on another node */
    struct dz_timer timer;
};

struct dz_proc;

/* What a kind of process does. */
struct dz_proc_kind {
    const char *name;
    /* One stretch of turns: the process is RUNNING. Takes messages with dz_process_take, ends the process when it finds it
     * doomed. Before it returns it calls dz_process_rest or has called dz_process_finish. */
    void (*run)(struct dz_thread *t, struct dz_proc *p);
    /* The process is gone for everybody: free what the kind keeps of it, and the struct. */
    void (*dispose)(struct dz_thread *t, struct dz_proc *p);
    /* Adds the kind's fields to dozor.info: "behavior" (text or NULL) and memory in bytes. */
    void (*describe)(struct dz_thread *t, struct dz_proc *p, const char **behavior, size_t *memory);
    bool no_requests; /* its processes have no operations: a REQUEST is refused when it arrives, however busy they are */
};

struct dz_proc {
    struct dz_list run; /* dz_thread.runq */
    struct dz_slot *slot;
    const struct dz_proc_kind *kind;
    struct dz_mailbox mail;
    struct dz_pid pid;
    uint8_t state;      /* enum dz_proc_state */
    uint8_t pad;
    uint16_t flags;     /* enum dz_proc_flag */
    struct dz_bonds *bonds;  /* bond.h; NULL while there are none */
    struct dz_msg *owed;     /* questions taken and not answered (CALL, STOP, SPAWN): their senders hear of the end */
    struct dz_blob *exit;    /* the reason, once doomed */
    struct dz_wait *wait;    /* while WAITING or until its result is taken */
    uint64_t started_ms;     /* wall clock, for people */
    struct dz_pid parent;    /* its supervisor, or none */
    uint32_t handled;        /* messages taken */
    /* The kind's own: */
    void *kind_data;
    void *kind_state;
    uint32_t kind_index;
    uint8_t exit_how; /* enum dz_exit_how */
};

/* --- making --- */

/* Puts a new process into its reserved slot: READY, in the run queue of this thread. `p` is zeroed memory of the kind's
 * choosing (a struct that begins with struct dz_proc). `spawn` is the SPAWN message that asked for it (taken: owed until
 * dz_process_started) or NULL for a process the core makes itself. */
void dz_process_init(struct dz_thread *t, struct dz_proc *p, const struct dz_proc_kind *kind, struct dz_slot *slot,
                     struct dz_pid pid, struct dz_msg *spawn);
/* init returned: answers the spawn with the pid; `links` and monitor as the spawn asked were made at init. */
void dz_process_started(struct dz_thread *t, struct dz_proc *p);
/* A spawn that never became a process (unknown behaviour, name taken, ...): answers with the error table, frees the slot and
 * the message. */
void dz_process_refuse(struct dz_thread *t, struct dz_slot *slot, struct dz_msg *spawn, const uint8_t *error, size_t len);
/* The same with the table {code=, message=}; message NULL takes the code's text. */
void dz_process_refuse_with(struct dz_thread *t, struct dz_slot *slot, struct dz_msg *spawn, int err, const char *message);

/* --- arrival: called by send and by the inbox --- */

/* The message or signal reaches the process it is for (p lives on t). Takes the message. */
void dz_process_deliver(struct dz_thread *t, struct dz_proc *p, struct dz_msg *msg);
/* The same for a process of either sort: a native's goes to its handler. For messages made on the spot, in p's own turn or on
 * its own thread. Takes the message. */
void dz_process_arrive(struct dz_thread *t, struct dz_proc *p, struct dz_msg *msg);
/* The message has no process any more: questions are answered noproc, the rest is freed. Takes the message. */
void dz_process_bounce(struct dz_thread *t, struct dz_msg *msg);
/* The same with another error (noconnection). */
void dz_process_bounce_with(struct dz_thread *t, struct dz_msg *msg, int err);
/* The part of deliver that natives share: true if the message was one of LINK, UNLINK, MONITOR, DEMONITOR, ANSWERED, GET_INFO,
 * KILL and is dealt with. */
bool dz_process_deliver_signal(struct dz_thread *t, struct dz_proc *p, struct dz_msg *msg);
/* Waits of this thread's processes for answers from a lost node end with noconnection. */
void dz_process_node_lost(struct dz_thread *t, uint32_t node);
/* A message taken out of this thread's inbox: finds its process, or bounces it. Takes the message. */
void dz_thread_deliver(struct dz_thread *t, struct dz_msg *msg);

/* --- turns: called by kinds --- */

static inline void dz_process_enqueue(struct dz_thread *t, struct dz_proc *p)
{
    p->state = DZ_PROC_READY;
    dz_list_push_back(&t->runq, &p->run);
}

/* The next message to handle, its room given back; NULL when there is none. The caller owns it. Kinds in a mailbox: SEND, CAST,
 * CALL, INFO, REQUEST, NOTICE, CHILD_EXIT, STOP, DOWN, EXIT. A plain process never finds STOP: it is doomed when one arrives
 * (or, when it traps exits and its supervisor asks, finds an EXIT from its supervisor instead). */
static inline struct dz_msg *dz_process_take(struct dz_proc *p);
/* For kinds that take a message out of the middle: gives its room back and counts it. */
static inline void dz_process_taken(struct dz_proc *p, struct dz_msg *msg)
{
    if (msg->flags & DZ_MSG_RESERVED)
        dz_table_give_back(p->slot, msg->len);
    else if (msg->flags & DZ_MSG_RESERVED_HERE)
        dz_table_give_back_here(p->slot, msg->len);
    msg->flags &= (uint8_t)~(DZ_MSG_RESERVED | DZ_MSG_RESERVED_HERE);
    p->handled++;
}
static inline struct dz_msg *dz_process_take(struct dz_proc *p)
{
    struct dz_msg *m = dz_mailbox_pop(&p->mail);
    if (m)
        dz_process_taken(p, m);
    return m;
}
/* The question is being answered later or right now: kept until dz_process_reply, ANSWERED or the end. Takes it. */
static inline void dz_process_owe(struct dz_proc *p, struct dz_msg *question)
{
    dz_msg_set_next(question, p->owed);
    p->owed = question;
}
/* Removes the question from what is owed; NULL if it is not there. The caller owns it. */
struct dz_msg *dz_process_unowe(struct dz_proc *p, struct dz_pid from, uint64_t ref);
/* The turn is over: IDLE, READY (messages left, doomed; goes to the end of the run queue) or WAITING (has a wait). */
void dz_process_rest(struct dz_thread *t, struct dz_proc *p);
/* Puts an idle process into the run queue. Nothing happens in other states. */
void dz_process_ready(struct dz_thread *t, struct dz_proc *p);
/* Ways past mailbox and run queue, for a kind that lets an idle process run within the turn of one that waits for its answer: the
 * idle one is RUNNING at once; */
static inline void dz_process_begin(struct dz_proc *p)
{
    dz_assert(p->state == DZ_PROC_IDLE && !(p->flags & DZ_PROC_DOOMED));
    p->state = DZ_PROC_RUNNING;
}
/* does the one that waits still wait for the answer to this question? */
static inline bool dz_process_awaits(const struct dz_proc *p, uint64_t ref)
{
    const struct dz_wait *w = p->wait;
    return w && w->kind == DZ_WAIT_REPLY && w->ref == ref && !w->woken && !(p->flags & DZ_PROC_DOOMED);
}
/* it has it: the kind hands it over itself; */
static inline void dz_process_answer(struct dz_proc *p)
{
    p->wait->answered = p->wait->woken = true;
}
/* it goes on at once if its wait is over. False, nothing changed: it waits still, or is doomed. */
static inline bool dz_process_go_on(struct dz_proc *p)
{
    if (!p->wait || !p->wait->woken || (p->flags & DZ_PROC_DOOMED))
        return false;
    dz_assert(p->state == DZ_PROC_READY || p->state == DZ_PROC_WAITING);
    if (p->state == DZ_PROC_READY)
        dz_list_remove(&p->run);
    p->state = DZ_PROC_RUNNING;
    return true;
}

/* --- waiting --- */

/* A wait without an end gets one, counted from now. */
void dz_process_time_wait(struct dz_thread *t, struct dz_wait *w, uint64_t timeout_ns);
/* The process (RUNNING) will wait. `w` is the kind's memory, zeroed, with kind, ref and target set; timeout_ns relative,
 * DZ_INFINITY none. dz_process_rest then makes it WAITING. The timer is only armed when the wait lasts. */
static inline void dz_process_wait(struct dz_thread *t, struct dz_proc *p, struct dz_wait *w, uint64_t timeout_ns)
{
    dz_assert(p->state == DZ_PROC_RUNNING && !p->wait);
    p->wait = w;
    w->proc = p;
    w->woken = w->timed = false;
    w->listed = w->kind == DZ_WAIT_REPLY && !dz_nodes_is_self(&t->rt->nodes, w->target.node);
    if (w->listed)
        dz_list_push_back(&t->far_waits, &w->far);
    if (timeout_ns != DZ_INFINITY)
        dz_process_time_wait(t, w, timeout_ns);
}
/* Ends the wait of the process (reply, message, time): READY. */
static inline void dz_process_wake(struct dz_thread *t, struct dz_proc *p)
{
    if (!p->wait || p->wait->woken)
        return;
    p->wait->woken = true;
    if (p->state == DZ_PROC_WAITING)
        dz_process_enqueue(t, p);
}
/* May receive take it? */
static inline bool dz_process_receives(const struct dz_proc *p, const struct dz_msg *m)
{
    return (p->flags & DZ_PROC_PLAIN) || m->kind == DZ_MSG_SEND || m->kind == DZ_MSG_INFO || m->kind == DZ_MSG_DOWN ||
           m->kind == DZ_MSG_EXIT;
}
/* Puts the message into the mailbox: what waits for one is woken. */
static inline void dz_process_mail(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m)
{
    dz_mailbox_push(&p->mail, m);
    if (p->state == DZ_PROC_WAITING && p->wait->kind == DZ_WAIT_MESSAGE && dz_process_receives(p, m))
        dz_process_wake(t, p);
    else if (p->state == DZ_PROC_IDLE)
        dz_process_ready(t, p);
}
/* The wait is over and its result read: stops its timer, unlinks it; the memory is the kind's again. A reply not taken is
 * freed. When the question was not answered, the one asked is told (ANSWERED). */
void dz_process_unwait(struct dz_thread *t, struct dz_proc *p);

/* --- ending --- */

/* Decides the end. A second reason changes nothing, except that a kill ends a terminate that is running. how_flags:
 * DZ_PROC_NO_TERMINATE or 0. The reason's share is taken from the caller's (ref'ed here). */
void dz_process_doom(struct dz_thread *t, struct dz_proc *p, struct dz_blob *reason, unsigned how_flags);
/* The end itself, once terminate has run (or must not): names and slot are freed in one step, then links, monitors, callers,
 * stoppers and the supervisor hear of it, then kind->dispose. */
void dz_process_finish(struct dz_thread *t, struct dz_proc *p);
/* A CALL that has not been delivered yet and comes too late for a doomed process: answered as one in its mailbox would be.
 * The message stays where it is and asks for nothing any more. */
void dz_process_answer_ahead(struct dz_thread *t, struct dz_proc *p, struct dz_msg *m);

/* The table of dozor.info, as a term. */
int dz_process_info(struct dz_thread *t, struct dz_proc *p, struct dz_buf *out);

#endif
