/* host.h - one host: everything it is made of, in the order it is made.
 * Owns:    all of it; a program may hold several hosts, and they share nothing.
 * Threads: each member says; what says nothing is constant between start and stop.
 * Fails:   dz_host_new and start; ending never fails.
 *
 * Start: env, log, rt, sched, driver, cluster, then the threads; on the system thread the desk, the event hub and the service
 * process; then the script. Stop: halt.h brings everything to rest, then the threads end: first the workers, each with what
 * lives on it, then the system thread with the natives that are left. */
#ifndef DZ_HOST_HOST_H
#define DZ_HOST_HOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "base/env.h"
#include "base/log.h"
#include "dozor.h"
#include "host/cbehavior.h"
#include "host/config.h"
#include "host/cselector.h"
#include "host/desk.h"
#include "host/join.h"
#include "host/halt.h"
#include "proc/rt.h"
#include "sched/sched.h"
#include "sup/driver.h"
#include "vm/vm.h"

struct dz_carrier;
struct dz_cluster;

enum dz_host_phase { DZ_HOST_NEW, DZ_HOST_RUNNING, DZ_HOST_FINISHED, DZ_HOST_JOINED };

struct dz_host {
    struct dz_env env;
    struct dz_log_fd log_to;
    struct dz_log log;
    struct dz_host_settings settings;
    struct dz_rt rt;
    struct dz_sched sched;
    struct dz_driver driver;
    struct dz_cluster *cluster;
    struct dz_behaviors behaviors;
    struct dz_vm_shared vm_shared;
    struct dz_cbehaviors natives;
    struct dz_cselectors selectors;
    struct dz_desk desk;
    struct dz_halt halt;
    struct dz_join join;           /* system thread */
    const struct dz_carrier *carrier;
    void *carrier_ctx;
    bool driven; /* drive.h */
    uint64_t started_ns;
    _Atomic uint64_t overflow_ns;  /* when mailbox_overflow was last told */
    uv_async_t interrupt;          /* on the system loop: dz_host_interrupt wakes it */
    _Atomic uint32_t interrupts;
    _Atomic bool interruptible;    /* `interrupt` may be signalled */
    struct dz_msg *script;         /* lock: the SPAWN of the script, until the host runs */
    char *script_dir;
    bool has_script;               /* lock */
    uint32_t script_worker;        /* whoever sends the script, before that */
    struct dz_pid main;            /* lock: the script's process */
    struct dz_blob *main_exit;     /* lock: its reason, once it has ended */
    pthread_mutex_t lock;
    pthread_cond_t changed;        /* phase */
    enum dz_host_phase phase;      /* lock */
    int exit_code;                 /* lock */
    /* Called once on a host thread when the orderly stop is through, for those who wait in a loop of their own. Set before
     * the start. */
    void (*on_finished)(void *ctx);
    void *on_finished_ctx;
};

/* A context for sending from whatever thread one is on. */
void dz_host_thread(struct dz_host *host, struct dz_thread *t);
/* The orderly stop is through: wakes dz_host_wait. Any host thread. */
void dz_host_finished(struct dz_host *host, int exit_code);

/* threads.c: the hooks of the scheduler. */
void dz_host_fill_hooks(struct dz_host *host, struct dz_sched_hooks *hooks);
void dz_host_fill_guard(struct dz_host *host, struct dz_guard_hooks *hooks);
/* script.c: the script gets a worker of its own. Supervisors spread their children over the others, so a child
 * that has to be given up with its worker does not end the script, nor does a script that blocks delay them. Once,
 * before dz_host_send_script. Any thread. */
int dz_host_add_script_worker(struct dz_host *host);
/* script.c: sends the SPAWN of the script and watches over it. Any thread, once the host runs. Takes the message. */
int dz_host_send_script(struct dz_host *host, struct dz_thread *t, struct dz_msg **take);
/* script.c: a process ends; the script's reason is kept. Its own thread. */
void dz_host_note_end(struct dz_host *host, struct dz_pid pid, struct dz_blob *reason);
/* package.path of every Lua state begins with it. Before the start. */
int dz_host_set_script_dir(struct dz_host *host, const char *dir);
/* One more directory searched for behaviours. Before the start. */
int dz_host_add_behavior_dir(struct dz_host *host, const char *dir);

#endif
