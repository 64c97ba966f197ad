/* script.c - the process `main`: its worker, its start, the watch over it, and what its end means.
 * Owns:    nothing.
 * Threads: any; the watching in the desk.
 * Fails:   DZ_ENOMEM, DZ_ECLOSED. */
#include "base/err.h"
#include "host/host.h"
#include "proc/send.h"
#include "proc/spawn.h"

void dz_host_note_end(struct dz_host *host, struct dz_pid pid, struct dz_blob *reason)
{
    pthread_mutex_lock(&host->lock);
    if (dz_pid_eq(host->main, pid) && !host->main_exit)
        host->main_exit = dz_blob_ref(reason);
    pthread_mutex_unlock(&host->lock);
}

/* The script may have ended before it was watched: its reason was noted in that very moment. */
static void script_ended(void *ctx, struct dz_thread *t, struct dz_pid pid, const uint8_t *reason, size_t len)
{
    struct dz_host *host = ctx;
    (void)pid;
    pthread_mutex_lock(&host->lock);
    struct dz_blob *noted = host->main_exit;
    host->main_exit = NULL;
    pthread_mutex_unlock(&host->lock);
    dz_halt_script_done(&host->halt, t, noted ? noted->data : reason, noted ? noted->len : len);
    dz_blob_unref(noted);
}

int dz_host_add_script_worker(struct dz_host *host)
{
    int worker = dz_sched_add_home(&host->sched);
    if (worker > 0)
        host->script_worker = (uint32_t)worker;
    return worker > 0 ? DZ_OK : worker;
}

int dz_host_send_script(struct dz_host *host, struct dz_thread *t, struct dz_msg **take)
{
    struct dz_rt *rt = &host->rt;
    struct dz_slot *slot;
    struct dz_msg *m = *take;
    struct dz_pid pid;
    uint32_t node = atomic_load_explicit(&rt->nodes.self, memory_order_acquire);
    int err = dz_table_reserve(&rt->table, host->script_worker, false, node, &slot, &pid);
    if (err)
        return err;
    m->to = pid;
    pthread_mutex_lock(&host->lock);
    host->main = pid;
    pthread_mutex_unlock(&host->lock);
    *take = NULL;
    dz_send_must(t, m);
    return dz_desk_watch(&host->desk, t, pid, script_ended, NULL, host, NULL);
}
