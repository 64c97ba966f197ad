/* halt.h - the orderly end of a host, and finding out that nothing is left to do.
 * Owns:    the order: shutdown hooks, supervisors in reverse order of start, the cluster, the other processes. Each is waited
 *          for with a limit; then the host is finished and its threads may be stopped.
 * Threads: begin, hook and check any; the rest runs in callbacks of the desk, one at a time.
 * Fails:   never: what does not end within its time is killed, what is not killed by then is left to the threads' end. */
#ifndef DZ_HOST_HALT_H
#define DZ_HOST_HALT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proc/rt.h"

#define DZ_HALT_HOOK_MS 5000u
#define DZ_HALT_PROCESS_MS 5000u
#define DZ_HALT_KILL_MS 1000u
#define DZ_HALT_HOOKS_MAX 1024u

struct dz_host;

struct dz_halt {
    struct dz_host *host;
    pthread_mutex_t lock;
    bool begun;            /* lock */
    int exit_code;         /* lock */
    struct dz_pid *hooks;  /* lock: processes told before anything stops */
    size_t hook_count;
    bool script_done;      /* desk's: the script has returned */
    struct dz_pid *pids;   /* desk's: what the present step stops */
    size_t pid_count;
    size_t next;
    _Atomic size_t waiting; /* answers still to come */
    bool killing;
    struct dz_pid hook;    /* desk's: the one that runs */
    uint64_t hook_limit;   /* desk's: the question that ends its time */
};

void dz_halt_init(struct dz_halt *s, struct dz_host *host);
void dz_halt_fini(struct dz_halt *s);
/* Begins; the first exit code counts, later calls do nothing. */
void dz_halt_begin(struct dz_halt *s, struct dz_thread *t, int exit_code);
/* Has it begun? */
bool dz_halt_begun(struct dz_halt *s);
/* This process gets { type = "shutdown" } and is waited for before any supervisor stops. DZ_ENOMEM, DZ_ETOOLARGE. */
int dz_halt_add_hook(struct dz_halt *s, struct dz_pid pid);
/* The script's process has ended. In the desk. */
void dz_halt_script_done(struct dz_halt *s, struct dz_thread *t, const uint8_t *reason, size_t len);
/* Ends the host when its script has returned and nothing is left that could work. In the desk. */
void dz_halt_check(struct dz_halt *s, struct dz_thread *t);

#endif
