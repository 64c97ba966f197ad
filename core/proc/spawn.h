/* spawn.h - the request to make a process, and the two forms it travels in: a term for another node, the struct itself, with
 *           what it points to behind it, for a thread of this host.
 * Owns:    nothing: strings and bytes point into the message.
 * Threads: any.
 * Fails:   DZ_EFORMAT on unpacking what another node sent. */
#ifndef DZ_PROC_SPAWN_H
#define DZ_PROC_SPAWN_H

#include "proc/message.h"
#include "proc/rt.h"

enum dz_spawn_what {
    DZ_SPAWN_BEHAVIOR,   /* name: a registered behaviour, file, or supervisor spec by name */
    DZ_SPAWN_TABLE,      /* function: a behaviour table of the worker's Lua state */
    DZ_SPAWN_FUNCTION,   /* function: a plain process */
    DZ_SPAWN_START,      /* function: a child's start function; it returns the pid that is the answer */
    DZ_SPAWN_SUPERVISOR, /* spec: an inline supervisor spec */
};

enum dz_spawn_flag {
    DZ_SPAWN_LINK = 1,    /* linked to `from` before init runs */
    DZ_SPAWN_MONITOR = 2, /* monitored by `from` under monitor_ref before init runs */
    DZ_SPAWN_HIDDEN = 4,
    DZ_SPAWN_NO_JIT = 8,
    DZ_SPAWN_OWN_WORKER = 16,
};

struct dz_str {
    const char *s; /* NULL: absent */
    size_t len;
};

struct dz_spawn {
    enum dz_spawn_what what;
    uint32_t flags;
    struct dz_str name;       /* of the behaviour */
    const uint8_t *function;  /* a DZ_EXT_FUNCTION term */
    size_t function_len;
    const uint8_t *args;      /* an array term; NULL: none */
    size_t args_len;
    const uint8_t *spec;      /* SUPERVISOR: the spec's term */
    size_t spec_len;
    struct dz_str local_name; /* registered before init runs */
    struct dz_str global_name;
    uint64_t monitor_ref;
    uint32_t max_messages;    /* 0: default */
    uint64_t max_bytes;       /* 0: default */
    uint64_t timeout_ms;      /* for init; DZ_INFINITY none. Enforced by who asks; a remote node enforces it too */
    struct dz_pid parent;     /* supervisor, or none */
    struct dz_str child_id;
    struct dz_str path;       /* "root/child/child", '/' and '%' inside an id written %2F and %25; or absent */
    struct dz_str epoch;      /* its numbers, root first, 8 bytes big-endian each; or absent */
    struct dz_str hash;       /* SHA-256 of the behaviour file on the asking node, 32 bytes; or absent */
};

/* A SPAWN message holding all of it, for any node; from, ref and to are the caller's to fill. NULL when out of memory. */
struct dz_msg *dz_spawn_pack(const struct dz_nodes *nodes, const struct dz_spawn *s);
/* The same for this host only: no term to write and to read. */
struct dz_msg *dz_spawn_hold(const struct dz_spawn *s);
/* Such a message's struct, in place; NULL for one that came as a term. */
static inline const struct dz_spawn *dz_spawn_held(const struct dz_msg *m)
{
    return m->flags & DZ_MSG_HOST ? (const struct dz_spawn *)(const void *)m->bytes : NULL;
}
/* Reads either. */
int dz_spawn_unpack(struct dz_nodes *nodes, const struct dz_msg *m, struct dz_spawn *s);

/* Reserves a slot on `thread` and sends the SPAWN there. The answer is a REPLY (ref) to `from`: the pid, or an error table.
 * *pid (may be NULL) is the reserved slot: killing it cancels the start. A spawned supervisor answers with another pid. */
int dz_spawn_send(struct dz_thread *t, uint32_t thread, struct dz_msg **take, struct dz_pid *pid);

/* What a process of any kind takes over from the request before init runs: limits, local name, supervisor, and its side of the
 * link and the monitor (the asking side makes its own record when the pid is known, see below). DZ_ENAMETAKEN with *owner,
 * DZ_ENOCONNECTION (the supervisor's node is lost), DZ_ENOMEM: the caller refuses the start (doom with the error, or
 * dz_process_refuse before dz_process_init).
 * The asker adds its LINK or WATCHES record for the reserved pid before it sends the request, so that an end during init is seen. */
int dz_spawn_apply(struct dz_thread *t, struct dz_proc *p, const struct dz_spawn *s, struct dz_pid from,
                   struct dz_pid *owner);

#endif
