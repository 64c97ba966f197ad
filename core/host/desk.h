/* desk.h - where those who are no process ask and wait: the embedder's threads and the host's own orderly stop.
 * Owns:    the questions asked and not answered, each with the callback that takes its answer; the monitors of those who are no
 *          process. A hidden native process: the answers come to it.
 * Threads: ask, watch and unwatch any; callbacks on whichever thread runs the native, one at a time.
 * Fails:   DZ_ENOMEM, DZ_ECLOSED (the host does not run); then the callback never runs. Else it runs exactly once, also when
 *          the host stops first (DZ_ECLOSED). */
#ifndef DZ_HOST_DESK_H
#define DZ_HOST_DESK_H

#include <pthread.h>
#include <stdbool.h>
#include "base/heap.h"
#include "base/map.h"
#include "proc/native.h"

struct dz_host;

/* err 0: data is the reply's term. Else the error table. */
typedef void (*dz_desk_done)(void *ctx, struct dz_thread *t, int err, const uint8_t *data, size_t len);
typedef void (*dz_desk_down)(void *ctx, struct dz_thread *t, struct dz_pid pid, const uint8_t *reason, size_t len);

struct dz_desk {
    struct dz_host *host;
    struct dz_pid pid;
    pthread_mutex_t lock;
    struct dz_map questions;  /* lock: ref -> struct question */
    struct dz_heap deadlines; /* lock: questions with a deadline, in ms */
    uint64_t armed_ms;        /* lock: when the next tick is due */
    struct dz_map watches;    /* lock: number -> struct watch */
    struct dz_map by_ref;     /* the native's: ref of the monitor -> struct watch */
    bool open;                /* lock */
};

int dz_desk_init(struct dz_desk *d, struct dz_host *host);
void dz_desk_fini(struct dz_desk *d);
/* Makes the native. On the system thread. It is killed when the host stops: open questions are answered DZ_ECLOSED. */
int dz_desk_start(struct dz_desk *d, struct dz_thread *t);

/* Prepares a question: the ref its answer will carry. timeout_ms DZ_INFINITY: no deadline. */
int dz_desk_ask(struct dz_desk *d, struct dz_thread *t, uint64_t timeout_ms, dz_desk_done done, void *ctx, uint64_t *ref);
/* The question could not be sent: as if it had never been asked. False when it was answered meanwhile: its callback ran. */
bool dz_desk_forget(struct dz_desk *d, uint64_t ref);
/* Asks and sends: fills from and ref of the message, which the caller still owns (*take not NULL) when it was not sent. */
int dz_desk_send(struct dz_desk *d, struct dz_thread *t, struct dz_msg **take, uint64_t timeout_ms, dz_desk_done done,
                 void *ctx);
/* A REQUEST with a term (NULL: nil). */
int dz_desk_request(struct dz_desk *d, struct dz_thread *t, struct dz_pid to, uint16_t code, const uint8_t *data, size_t len,
                    uint64_t timeout_ms, dz_desk_done done, void *ctx);

/* Tells the end of a process once. `drop` (may be NULL) frees ctx when the watch goes, told or not. */
int dz_desk_watch(struct dz_desk *d, struct dz_thread *t, struct dz_pid pid, dz_desk_down down, void (*drop)(void *ctx),
                  void *ctx, uint64_t *number);
bool dz_desk_unwatch(struct dz_desk *d, struct dz_thread *t, uint64_t number);

#endif
