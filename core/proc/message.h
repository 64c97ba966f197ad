/* message.h - one message or signal on its way to one process.
 * Owns:    its bytes, or a share of a blob.
 * Threads: one owner at a time; blobs are shared between threads (counted).
 * Fails:   DZ_ENOMEM.
 * One cache line of header, the payload right behind it. */
#ifndef DZ_PROC_MESSAGE_H
#define DZ_PROC_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/mpsc.h"
#include "proc/pid.h"

enum dz_msg_kind {
    /* For the mailbox: counted against its limits (CALL, CAST, SEND) or in reserved room (the others). */
    DZ_MSG_SEND = 1,   /* data: the value */
    DZ_MSG_CAST,       /* data: the value */
    DZ_MSG_CALL,       /* data: the value; from + ref: where the reply goes */
    DZ_MSG_INFO,       /* a notice to handle_info, made by the core (name_conflict): data: the value */
    DZ_MSG_STOP,       /* orderly end; data: reason; from + ref: who wants to hear (ref 0: nobody) */
    DZ_MSG_REQUEST,    /* to core processes: code: the operation, data: arguments, from + ref as in CALL */
    DZ_MSG_NOTICE,     /* to core processes: code: what happened; no answer */
    /* Answered or acted upon where the process lives, never in the mailbox. */
    DZ_MSG_REPLY,      /* ref: of the question; data: the value, or with DZ_MSG_FAILED an error table; code: 0, or
                          DZ_REPLY_CHILD */
    DZ_MSG_DOWN,       /* ref: the monitor; from: the process that ended; data: reason. Mailed as it is when the monitor stands:
                          the kind makes { type="down", ref=, pid=, reason= } of it when it is taken */
    DZ_MSG_EXIT,       /* from: the linked process that ended; data: reason. Mailed as it is to a process that traps:
                          the kind makes { type="exit", pid=, reason= } of it */
    DZ_MSG_KILL,
    DZ_MSG_LINK,       /* from asks to be linked */
    DZ_MSG_UNLINK,
    DZ_MSG_MONITOR,    /* from watches, under ref; code 1: from is the supervisor that takes the process on */
    DZ_MSG_DEMONITOR,
    DZ_MSG_ANSWERED,   /* from has the answer to its question `ref`, or wants it no more: nothing is owed */
    DZ_MSG_GET_INFO,   /* ref: answered with the table of dozor.info */
    DZ_MSG_SPAWN,      /* to a reserved slot: data: struct dz_spawn packed or held (spawn.h) */
    DZ_MSG_PARENT_EXIT,/* the supervisor ended without stopping its children: end now, terminate runs; data: reason */
    DZ_MSG_CHILD_EXIT, /* to a supervisor: its child `from` ended; data: reason; code: enum dz_exit_how */
    /* To a thread itself (slot 0). */
    DZ_MSG_NODE_LOST,  /* code: 1 when it had lost us; ref: index of the identity; every bond with it breaks */
    DZ_MSG_TASK,       /* a function to run there, see dz_thread_post in rt.h */
};

enum dz_msg_flag {
    DZ_MSG_FAILED = 1,    /* a REPLY that carries an error */
    DZ_MSG_RESERVED = 2,  /* counted in the slot's `load`, */
    DZ_MSG_RESERVED_HERE = 32, /* or in its `load_here`; given back when the message is taken */
    DZ_MSG_WIRE = 4,      /* came from another node */
    DZ_MSG_PATIENT = 16,  /* a REPLY for another node whose sender waits for room on the link (dz_send_patiently) */
    DZ_MSG_HOST = 32,     /* a SPAWN in the form that stays on this host (spawn.h) */
    DZ_MSG_SMALL = 8,     /* the block has room for DZ_MSG_SMALL_ROOM bytes, whatever len says: for a thread's spares (rt.h) */
};

#define DZ_MSG_SMALL_ROOM 48u
#define DZ_REPLY_STARTED  1u /* `code` of a REPLY whose value is the pid it comes from */

/* `code` of a REPLY to a supervisor: the value is the pid of a process made for it that does not know it yet. It ends when
 * the supervisor is gone before it takes the reply. */
#define DZ_REPLY_CHILD 2u

/* How a process ended, for its supervisor. */
enum dz_exit_how {
    DZ_EXIT_BY_ITSELF = 0, /* returned, raised, exited, was killed */
    DZ_EXIT_WORKER_LOST,   /* its worker was lost; it was not the one running */
    DZ_EXIT_WORKER_STUCK,  /* its worker was lost and it was the one running */
    DZ_EXIT_SUPERSEDED,
    DZ_EXIT_NODE_LOST,
};

/* Bytes shared by many messages: an exit reason, mostly. */
struct dz_blob {
    _Atomic uint32_t refs;
    uint32_t len;
    uint8_t data[];
};

struct dz_msg {
    struct dz_mpsc_node node; /* inbox, mailbox, or the owner's own list */
    struct dz_pid to;
    struct dz_pid from;
    uint64_t ref;
    uint32_t len;
    uint8_t kind;  /* enum dz_msg_kind */
    uint8_t flags; /* enum dz_msg_flag */
    uint16_t code;
    const uint8_t *data; /* len bytes, one term; inline or the blob's */
    struct dz_blob *blob;
    uint8_t bytes[];
};

/* A message with room for len bytes behind it; data points there; everything else zero. NULL when out of memory. */
struct dz_msg *dz_msg_new(enum dz_msg_kind kind, size_t len);
/* A message whose payload is a share of the blob (the share is taken here). */
struct dz_msg *dz_msg_new_blob(enum dz_msg_kind kind, struct dz_blob *blob);
/* A message with a copy of the bytes. */
struct dz_msg *dz_msg_new_copy(enum dz_msg_kind kind, const uint8_t *data, size_t len);
/* Gives a bodiless message its payload without allocating (a share is taken). */
void dz_msg_set_blob(struct dz_msg *m, struct dz_blob *blob);
void dz_msg_free(struct dz_msg *m); /* NULL is fine */

static inline struct dz_msg *dz_msg_next(const struct dz_msg *m)
{
    return (struct dz_msg *)(void *)atomic_load_explicit(&((struct dz_msg *)(uintptr_t)m)->node.next,
                                                          memory_order_relaxed);
}
static inline void dz_msg_set_next(struct dz_msg *m, struct dz_msg *next)
{
    atomic_store_explicit(&m->node.next, next ? &next->node : NULL, memory_order_relaxed);
}

struct dz_blob *dz_blob_new(const uint8_t *data, size_t len);
struct dz_blob *dz_blob_ref(struct dz_blob *b);
void dz_blob_unref(struct dz_blob *b); /* NULL is fine */
/* A blob holding the string as a term. */
struct dz_blob *dz_blob_new_string(const char *s);

#endif
