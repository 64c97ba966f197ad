/* table.h - the process table: slots that any thread may look at, whoever lives in them.
 * Owns:    the slots (type-stable: never freed before the table), the count of processes.
 * Threads: any. A slot's `proc` may be followed by the thread named in it only; a native's by whoever runs it.
 * Fails:   DZ_ENOMEM, DZ_ETOOLARGE (more than DZ_TABLE_MAX processes). */
#ifndef DZ_PROC_TABLE_H
#define DZ_PROC_TABLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "proc/pid.h"

#define DZ_TABLE_CHUNK 1024u
#define DZ_TABLE_MAX (DZ_TABLE_CHUNK * 16384u)
#define DZ_MAILBOX_MAX_MESSAGES 1000000u
#define DZ_MAILBOX_MAX_BYTES (256u * 1024u * 1024u)

struct dz_proc;
struct dz_native;

struct dz_slot {
    _Atomic uint32_t gen;      /* odd while a process lives here or the slot is reserved for one */
    _Atomic uint32_t thread;   /* index of the thread the process lives on (rt.h) */
    _Atomic uint32_t messages; /* reserved room, inbox and mailbox together */
    _Atomic uint32_t max_messages;
    _Atomic uint64_t bytes;
    _Atomic uint64_t max_bytes;
    _Atomic(struct dz_native *) native; /* not NULL: a native process; type-stable memory too */
    struct dz_proc *proc;               /* the living process; its own thread only */
    uint32_t index;
    uint32_t next_free;
    _Atomic uint32_t dropped; /* casts and sends dropped because the mailbox was full */
    _Atomic uint8_t named;    /* has entries in names.h */
    _Atomic uint8_t hidden;   /* a helper of the core: not counted and not listed */
};

struct dz_table {
    pthread_mutex_t lock;
    _Atomic(struct dz_slot *) chunks[DZ_TABLE_MAX / DZ_TABLE_CHUNK];
    uint32_t chunk_count;
    uint32_t first_free; /* a queue, so that a generation comes back as late as possible */
    uint32_t last_free;
    _Atomic uint32_t count; /* visible processes */
};

int dz_table_init(struct dz_table *t);
void dz_table_fini(struct dz_table *t);

/* Reserves a slot for a process on `thread`: the pid is good from now on, messages wait in that thread's inbox. Limits of 0
 * mean the defaults. */
int dz_table_reserve(struct dz_table *t, uint32_t thread, bool hidden, uint32_t node, struct dz_slot **slot,
                     struct dz_pid *pid);
/* The end: the pid is dead for everybody once this returns. The caller holds the names lock (names.h). */
void dz_table_release(struct dz_table *t, struct dz_slot *slot);

/* The slot of an index, NULL if there never was one. Slot 0 is nobody's. */
struct dz_slot *dz_table_slot(const struct dz_table *t, uint32_t index);
/* The slot if that process still lives, else NULL. Only this host's pids (slot and gen). */
static inline struct dz_slot *dz_table_find(const struct dz_table *t, struct dz_pid pid)
{
    struct dz_slot *s = dz_table_slot(t, pid.slot);
    return s && atomic_load_explicit(&s->gen, memory_order_acquire) == pid.gen ? s : NULL;
}

/* Room for one message of `bytes`: false when the mailbox is full. Given back with dz_table_give_back. */
bool dz_table_take_room(struct dz_slot *s, uint32_t bytes);
void dz_table_give_back(struct dz_slot *s, uint32_t bytes);

/* Pids of all living, visible processes in slot order; *index starts at 0; false at the end. `node` is the identity to
 * fill in when the process was born nameless or not: the slot knows. */
bool dz_table_next(const struct dz_table *t, uint32_t *index, struct dz_pid *pid);

#endif
