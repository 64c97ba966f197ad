/* halt.c - see halt.h.
 * Owns:    the lists of who is being stopped.
 * Threads: as halt.h says.
 * Fails:   never. */
#include "host/halt.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "host/host.h"
#include "host/join.h"
#include "proc/send.h"
#include "term/read.h"

void dz_halt_init(struct dz_halt *s, struct dz_host *host)
{
    memset(s, 0, sizeof *s);
    s->host = host;
    pthread_mutex_init(&s->lock, NULL);
}

void dz_halt_fini(struct dz_halt *s)
{
    dz_free(s->hooks);
    dz_free(s->pids);
    pthread_mutex_destroy(&s->lock);
}

int dz_halt_add_hook(struct dz_halt *s, struct dz_pid pid)
{
    int err = DZ_ETOOLARGE;
    pthread_mutex_lock(&s->lock);
    if (s->hook_count < DZ_HALT_HOOKS_MAX) {
        struct dz_pid *hooks = dz_realloc(s->hooks, (s->hook_count + 1) * sizeof *hooks);
        err = hooks ? DZ_OK : DZ_ENOMEM;
        if (hooks) {
            s->hooks = hooks;
            hooks[s->hook_count++] = pid;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return err;
}

bool dz_halt_begun(struct dz_halt *s)
{
    pthread_mutex_lock(&s->lock);
    bool begun = s->begun;
    pthread_mutex_unlock(&s->lock);
    return begun;
}

/* --- stopping --- */

static int ask_stop(struct dz_halt *s, struct dz_thread *t, struct dz_pid pid, uint64_t timeout_ms, dz_desk_done done)
{
    struct dz_msg *m = dz_msg_new_blob(DZ_MSG_STOP, t->rt->reasons[DZ_REASON_SHUTDOWN]);
    if (!m)
        return DZ_ENOMEM;
    m->to = pid;
    int err = dz_desk_send(&s->host->desk, t, &m, timeout_ms, done, s);
    dz_msg_free(m);
    return err;
}

static void kill_process(struct dz_thread *t, struct dz_pid pid)
{
    dz_send_signal(t, DZ_MSG_KILL, DZ_PID_NONE, pid, 0, t->rt->reasons[DZ_REASON_KILLED]);
}

static void finished(void *ctx, struct dz_thread *t)
{
    struct dz_halt *s = ctx;
    (void)t;
    dz_host_finished(s->host, s->exit_code);
}

/* --- the other processes: all at once, when no other node counts on them any more --- */

static void collect_processes(struct dz_halt *s, struct dz_thread *t)
{
    uint32_t index = 0;
    struct dz_pid pid;
    size_t cap = atomic_load_explicit(&t->rt->table.count, memory_order_relaxed) + 16;
    s->pid_count = 0;
    dz_free(s->pids);
    s->pids = dz_zalloc(cap, sizeof *s->pids);
    while (s->pids && s->pid_count < cap && dz_table_next(&t->rt->table, &index, &pid))
        s->pids[s->pid_count++] = pid;
}

static void process_stopped(void *ctx, struct dz_thread *t, int err, const uint8_t *data, size_t len);

static void stop_all(struct dz_halt *s, struct dz_thread *t, uint64_t timeout_ms)
{
    collect_processes(s, t);
    /* One for this loop, so that the last answer, taken on whatever thread the desk runs, is not the last before it ends.
     * relaxed: the stops are sent after it, by queues. */
    atomic_store_explicit(&s->waiting, s->pid_count + 1, memory_order_relaxed);
    for (size_t i = 0; i < s->pid_count; i++) {
        if (s->killing)
            kill_process(t, s->pids[i]);
        if (ask_stop(s, t, s->pids[i], timeout_ms, process_stopped))
            atomic_fetch_sub_explicit(&s->waiting, 1, memory_order_relaxed);
    }
    process_stopped(s, t, DZ_OK, NULL, 0);
}

/* What outlived its time, and what was spawned meanwhile, is killed in a second round. */
static void process_stopped(void *ctx, struct dz_thread *t, int err, const uint8_t *data, size_t len)
{
    struct dz_halt *s = ctx;
    (void)err;
    (void)data;
    (void)len;
    /* acq_rel: the last one sees what the loop in stop_all and the other answers did. */
    size_t waiting = atomic_fetch_sub_explicit(&s->waiting, 1, memory_order_acq_rel);
    dz_assert(waiting > 0);
    if (waiting > 1)
        return;
    bool left = atomic_load_explicit(&t->rt->table.count, memory_order_acquire) > 0;
    if (s->killing || !left) {
        finished(s, t);
        return;
    }
    s->killing = true;
    stop_all(s, t, DZ_HALT_KILL_MS);
}

/* Supervisors on other nodes take the goodbye for what it is, our loss; they would take our stopping their children for crashes
 * and start them here again. */
static void cluster_left(void *ctx, struct dz_thread *t)
{
    stop_all(ctx, t, DZ_HALT_PROCESS_MS);
}

/* --- supervisors, one after another --- */

static void stop_next_supervisor(struct dz_halt *s, struct dz_thread *t);

static void supervisor_stopped(void *ctx, struct dz_thread *t, int err, const uint8_t *data, size_t len)
{
    (void)err;
    (void)data;
    (void)len;
    stop_next_supervisor(ctx, t);
}

/* A supervisor has its own times for its children; it is waited for however long those are. */
static void stop_next_supervisor(struct dz_halt *s, struct dz_thread *t)
{
    while (s->next > 0)
        if (ask_stop(s, t, s->pids[--s->next], DZ_INFINITY, supervisor_stopped) == DZ_OK)
            return;
    dz_join_leave(s->host, t, cluster_left, s);
}

static void stop_supervisors(struct dz_halt *s, struct dz_thread *t)
{
    dz_free(s->pids);
    size_t cap = dz_driver_list(&s->host->driver, true, NULL, 0) + 16;
    s->pids = dz_zalloc(cap, sizeof *s->pids);
    s->pid_count = s->pids ? dz_driver_list(&s->host->driver, true, s->pids, cap) : 0;
    if (s->pid_count > cap)
        s->pid_count = cap;
    s->next = s->pid_count;
    stop_next_supervisor(s, t);
}

/* --- hooks, one after another, in the order they were given --- */

static void run_next_hook(struct dz_halt *s, struct dz_thread *t);

/* The hook's process has ended, by itself or killed. */
static void hook_ended(void *ctx, struct dz_thread *t, struct dz_pid pid, const uint8_t *reason, size_t len)
{
    struct dz_halt *s = ctx;
    (void)pid;
    (void)reason;
    (void)len;
    dz_desk_forget(&s->host->desk, s->hook_limit);
    run_next_hook(s, t);
}

static void hook_too_slow(void *ctx, struct dz_thread *t, int err, const uint8_t *data, size_t len)
{
    struct dz_halt *s = ctx;
    (void)err;
    (void)data;
    (void)len;
    dz_log_warn(t->rt->log, "a shutdown hook took too long and is killed", NULL);
    kill_process(t, s->hook);
}

/* The limit first: it is what lets a hook that hears nothing end. */
static int run_hook(struct dz_halt *s, struct dz_thread *t, struct dz_pid pid)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 1);
    dz_build_kstring(&b, "type", "shutdown");
    struct dz_msg *m = dz_build_done(&b) ? NULL : dz_msg_new_copy(DZ_MSG_SEND, buf.data, buf.len);
    dz_buf_fini(&buf);
    if (!m)
        return DZ_ENOMEM;
    m->to = pid;
    s->hook = pid;
    int err = dz_desk_ask(&s->host->desk, t, DZ_HALT_HOOK_MS, hook_too_slow, s, &s->hook_limit);
    if (!err) {
        dz_send(t, &m);
        err = dz_desk_watch(&s->host->desk, t, pid, hook_ended, NULL, s, NULL);
    }
    dz_msg_free(m);
    return err;
}

static void run_next_hook(struct dz_halt *s, struct dz_thread *t)
{
    for (;;) {
        pthread_mutex_lock(&s->lock);
        bool more = s->next < s->hook_count;
        struct dz_pid pid = more ? s->hooks[s->next++] : DZ_PID_NONE;
        pthread_mutex_unlock(&s->lock);
        if (!more) {
            stop_supervisors(s, t);
            return;
        }
        if (run_hook(s, t, pid) == DZ_OK)
            return;
    }
}

void dz_halt_begin(struct dz_halt *s, struct dz_thread *t, int exit_code)
{
    pthread_mutex_lock(&s->lock);
    bool first = !s->begun;
    s->begun = true;
    if (first)
        s->exit_code = exit_code;
    pthread_mutex_unlock(&s->lock);
    if (!first)
        return;
    dz_log_debug(t->rt->log, "shutting down", NULL);
    run_next_hook(s, t);
}

/* --- nothing left to do --- */

static void process_gone(void *ctx, struct dz_thread *t, struct dz_pid pid, const uint8_t *reason, size_t len)
{
    (void)pid;
    (void)reason;
    (void)len;
    dz_halt_check(ctx, t);
}

void dz_halt_check(struct dz_halt *s, struct dz_thread *t)
{
    uint32_t index = 0;
    struct dz_pid pid;
    if (!s->script_done || dz_halt_begun(s) || dz_join_is_on(s->host))
        return;
    if (!dz_table_next(&t->rt->table, &index, &pid))
        dz_halt_begin(s, t, 0);
    else if (dz_desk_watch(&s->host->desk, t, pid, process_gone, NULL, s, NULL))
        dz_log_error(t->rt->log, "out of memory: the host will not end by itself", NULL);
}

static bool is_text(const uint8_t *data, size_t len, const char *text)
{
    struct dz_read r;
    const char *s;
    size_t n;
    dz_read_init(&r, data, len);
    return dz_read_string(&r, &s, &n) == DZ_OK && n == strlen(text) && memcmp(s, text, n) == 0;
}

static void print_field(const uint8_t *data, size_t len, const char *field, const char *before)
{
    const char *s;
    size_t n;
    if (dz_read_find_string(data, len, field, &s, &n))
        fprintf(stderr, "%s%.*s\n", before, (int)n, s);
}

/* A field in front of the message, unless it is the ordinary one. */
static void print_part(const uint8_t *data, size_t len, const char *field, const char *ordinary)
{
    const char *s;
    size_t n;
    if (dz_read_find_string(data, len, field, &s, &n) && (n != strlen(ordinary) || memcmp(s, ordinary, n) != 0))
        fprintf(stderr, "%.*s: ", (int)n, s);
}

static void print_reason(const uint8_t *reason, size_t len)
{
    const char *s;
    size_t n;
    if (dz_read_find_string(reason, len, "message", &s, &n)) {
        fputs("dozor: ", stderr);
        print_part(reason, len, "where", "");
        print_part(reason, len, "code", "error");
        print_field(reason, len, "message", "");
    } else {
        char text[1024];
        dz_term_print(reason, len, text, sizeof text);
        fprintf(stderr, "dozor: the script ended with %s\n", text);
    }
    print_field(reason, len, "traceback", "");
}

void dz_halt_script_done(struct dz_halt *s, struct dz_thread *t, const uint8_t *reason, size_t len)
{
    pthread_mutex_lock(&s->lock);
    s->script_done = true;
    pthread_mutex_unlock(&s->lock);
    if (is_text(reason, len, "normal") || is_text(reason, len, "shutdown")) {
        dz_halt_check(s, t);
        return;
    }
    const char *message;
    size_t message_len;
    if (!dz_halt_begun(s) || dz_read_find_string(reason, len, "message", &message, &message_len))
        print_reason(reason, len);
    dz_halt_begin(s, t, 1);
}
