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
    _Atomic uint32_t gen;    /* odd while a process lives here or the slot is reserved for one */
    _Atomic uint32_t thread; /* index of the thread the process lives on (rt.h) */
    _Atomic uint64_t load;   /* room reserved from any thread, inbox and mailbox together: messages << 40 | bytes; */
    _Atomic uint64_t load_here; /* and from the thread the process lives on, which alone writes it */
    _Atomic uint64_t limit;  /* the same form */
    _Atomic(struct dz_native *) native; /* not NULL: a native process; type-stable memory too */
    union {
        struct dz_proc *proc; /* the living process; its own thread only */
        uint32_t next_free;   /* while free; under the table's lock */
    };
    uint32_t index;
    uint32_t node;            /* identity its pid carries */
    _Atomic uint32_t dropped; /* casts and sends dropped because the mailbox was full */
    _Atomic uint8_t named;    /* has entries in names.h */
    _Atomic uint8_t hidden;   /* a helper of the core: not counted and not listed */
    _Atomic uint8_t killed;   /* a KILL is on its way to the thread it lives on */
};

#define DZ_LOAD_MESSAGE (1ull << 40)
#define DZ_LOAD_BYTES   (DZ_LOAD_MESSAGE - 1)

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

/* Reserves a slot for a process on `thread` with the default limits: the pid (of identity `node`) is good from now on,
 * messages wait in that thread's inbox. */
int dz_table_reserve(struct dz_table *t, uint32_t thread, bool hidden, uint32_t node, struct dz_slot **slot,
                     struct dz_pid *pid);
/* The end: the pid is dead for everybody once this returns. The caller holds the names lock (names.h). */
void dz_table_release(struct dz_table *t, struct dz_slot *slot);

/* The slot of an index, NULL if there never was one. Slot 0 is nobody's. */
static inline struct dz_slot *dz_table_slot(const struct dz_table *t, uint32_t index)
{
    if (index == 0 || index >= DZ_TABLE_MAX)
        return NULL;
    /* acquire: pairs with the release in grow (table.c). */
    struct dz_slot *chunk = atomic_load_explicit(&((struct dz_table *)(uintptr_t)t)->chunks[index / DZ_TABLE_CHUNK],
                                                 memory_order_acquire);
    return chunk ? &chunk[index % DZ_TABLE_CHUNK] : NULL;
}
/* The slot if that process still lives, else NULL. Only this host's pids (slot and gen). A script or a peer can write any number
 * into a pid: an even generation is never alive. */
static inline struct dz_slot *dz_table_find(const struct dz_table *t, struct dz_pid pid)
{
    struct dz_slot *s = pid.gen % 2 ? dz_table_slot(t, pid.slot) : NULL;
    return s && atomic_load_explicit(&s->gen, memory_order_acquire) == pid.gen ? s : NULL;
}
/* A KILL to it has been posted to the thread it lives on. The mark goes with the process. */
static inline void dz_table_set_killed(const struct dz_table *t, struct dz_pid pid)
{
    struct dz_slot *s = dz_table_find(t, pid);
    if (s)
        atomic_store_explicit(&s->killed, 1, memory_order_relaxed);
}
static inline bool dz_table_is_killed(const struct dz_table *t, struct dz_pid pid)
{
    struct dz_slot *s = dz_table_find(t, pid);
    return s && atomic_load_explicit(&s->killed, memory_order_relaxed);
}

/* The most its mailbox may hold; 0 means the default. */
void dz_table_set_limits(struct dz_slot *s, uint32_t messages, uint64_t bytes);
static inline uint64_t dz_table_load(const struct dz_slot *s)
{
    return atomic_load_explicit(&s->load, memory_order_relaxed) + atomic_load_explicit(&s->load_here, memory_order_relaxed);
}
/* Messages and bytes waiting. */
static inline uint32_t dz_table_messages(const struct dz_slot *s)
{
    return (uint32_t)(dz_table_load(s) / DZ_LOAD_MESSAGE);
}
static inline uint64_t dz_table_bytes(const struct dz_slot *s)
{
    return dz_table_load(s) & DZ_LOAD_BYTES;
}
/* Room for one message of `bytes`: false when the mailbox is full. Given back with dz_table_give_back. */
bool dz_table_take_room(struct dz_slot *s, uint32_t bytes);
void dz_table_give_back(struct dz_slot *s, uint32_t bytes);
static inline bool dz_table_fits(const struct dz_slot *s, uint64_t load)
{
    uint64_t limit = atomic_load_explicit(&s->limit, memory_order_relaxed);
    return load / DZ_LOAD_MESSAGE <= limit / DZ_LOAD_MESSAGE && (load & DZ_LOAD_BYTES) <= (limit & DZ_LOAD_BYTES);
}
/* The same on the thread the process lives on (it is no native), without a bus-locked instruction. */
static inline bool dz_table_take_room_here(struct dz_slot *s, uint32_t bytes)
{
    uint64_t here = atomic_load_explicit(&s->load_here, memory_order_relaxed) + DZ_LOAD_MESSAGE + bytes;
    if (!dz_table_fits(s, here + atomic_load_explicit(&s->load, memory_order_relaxed)))
        return false;
    atomic_store_explicit(&s->load_here, here, memory_order_relaxed);
    return true;
}
static inline void dz_table_give_back_here(struct dz_slot *s, uint32_t bytes)
{
    uint64_t here = atomic_load_explicit(&s->load_here, memory_order_relaxed);
    atomic_store_explicit(&s->load_here, here - DZ_LOAD_MESSAGE - bytes, memory_order_relaxed);
}

/* Pids of all living, visible processes in slot order; *index starts at 0; false at the end. */
bool dz_table_next(const struct dz_table *t, uint32_t *index, struct dz_pid *pid);

#endif
