/* native.h - the core's own processes that have no home thread: supervisors, the event hub.
 * Owns:    their queue of messages and the right to run them.
 * Threads: messages from any; `handle` runs on one thread at a time, whichever claimed it (compare-and-swap on `state`).
 * Fails:   DZ_ENOMEM when made.
 * Memory is type-stable: a sender that finds an old pointer pushes into a queue that bounces what is not for its present
 * owner. A native never enters a Lua state (asserted): Lua work is a message to a worker. */
#ifndef DZ_PROC_NATIVE_H
#define DZ_PROC_NATIVE_H

#include "base/mpsc.h"
#include "proc/process.h"

enum dz_native_state {
    DZ_NATIVE_IDLE,
    DZ_NATIVE_QUEUED,        /* native_ready was told; whoever claims it runs it */
    DZ_NATIVE_RUNNING,
    DZ_NATIVE_RUNNING_AGAIN, /* and a message came meanwhile: QUEUED after this run */
};

struct dz_native;
struct dz_native_ops {
    const char *name; /* shown as `behavior` in dozor.info */
    /* One message: CALL, CAST, SEND, INFO, REQUEST, NOTICE, REPLY, STOP, CHILD_EXIT, PARENT_EXIT, NODE_LOST, and EXIT of a linked
     * process. Takes it. LINK, UNLINK, MONITOR, DEMONITOR, GET_INFO, KILL are handled before. */
    void (*handle)(struct dz_thread *t, struct dz_native *n, struct dz_msg *msg);
    /* The native was killed or finished: free its `data`. It may still send (dz_send); links, monitors and owed answers are told
     * right after. */
    void (*end)(struct dz_thread *t, struct dz_native *n);
    /* May be NULL. After the end, when pid and names are free and everybody was told: the last moment of `data`, for answers that
     * must find the process gone. `end` then leaves `data` alone. */
    void (*gone)(struct dz_thread *t, struct dz_pid pid, void *data);
};

struct dz_native {
    struct dz_proc proc; /* slot, pid, bonds, owed; no mailbox */
    struct dz_list ready; /* dz_thread.natives of the thread that made it ready; linked by sched, only that thread unlinks */
    _Atomic uint32_t lister; /* index + 1 of the thread that has it in its list, 0 when none has; survives reuse */
    struct dz_list all;   /* dz_rt.natives_all or natives_free */
    struct dz_mpsc queue;
    struct dz_mpsc_node announce; /* the system thread's list of natives to take over */
    _Atomic uint32_t state;
    _Atomic uint32_t announced; /* `announce` is in sched's list; survives reuse */
    const struct dz_native_ops *ops;
    void *data;
};

/* A native process in the reserved slot `slot` with `pid` (a SPAWN's), or in a fresh one when slot is NULL. `spawn` is the SPAWN
 * message to answer with dz_process_started, or NULL; taken on success. `data` is the ops' own, and theirs to free in `end`. */
int dz_native_new(struct dz_thread *t, const struct dz_native_ops *ops, void *data, bool hidden, struct dz_slot *slot,
                  struct dz_pid pid, struct dz_msg **spawn, struct dz_native **out);
/* Pushes the message and makes the native ready. Takes it. Any thread. */
void dz_native_push(struct dz_thread *t, struct dz_native *n, struct dz_msg *msg);
/* Claims and runs it for up to `budget` messages; what is left is announced by native_ready again. It never touches `ready`,
 * `lister`, `announce` and `announced`: those are sched's. False when somebody else has it or there is nothing to do. Any thread. */
bool dz_native_run(struct dz_thread *t, struct dz_native *n, unsigned budget);
/* Inside `handle`: this message was the last one; the native ends with the reason when handle returns. */
void dz_native_finish(struct dz_thread *t, struct dz_native *n, struct dz_blob *reason);
/* Memory of a native that has ended, when the host goes: frees what stale messages its queue holds. */
void dz_native_delete(struct dz_native *n);
/* A NODE_LOST for every native of the host. */
void dz_native_node_lost(struct dz_thread *t, uint32_t node, bool given_up);

/* A NOTICE with this code, ref and payload for every native of the host. */
void dz_native_notify_all(struct dz_thread *t, uint16_t code, uint64_t ref, const uint8_t *data, size_t len);

/* A message after `delay_ms`, sent by the system thread: kind NOTICE with this code and ref. Any thread. */
int dz_native_send_after(struct dz_thread *t, struct dz_pid to, uint16_t code, uint64_t ref, uint64_t delay_ms);
/* Forgets the notices not sent yet, when the thread goes. */
void dz_native_drop_delayed(struct dz_thread *t);

#endif
