/* cbehavior.c - see cbehavior.h.
 * Owns:    struct cproc, one for each process.
 * Threads: a process's own worker.
 * Fails:   what a callback reports becomes the exit reason. */
#include "host/cbehavior.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "host/cprocess.h"
#include "host/host.h"
#include "proc/bond.h"
#include "proc/request.h"
#include "proc/send.h"
#include "proc/spawn.h"
#include "sched/sched.h"
#include "sup/strategy.h"

/* --- the registry --- */

int dz_cbehaviors_init(struct dz_cbehaviors *b)
{
    pthread_mutex_init(&b->lock, NULL);
    dz_smap_init(&b->by_name);
    return DZ_OK;
}

void dz_cbehaviors_fini(struct dz_cbehaviors *b)
{
    uint32_t it = 0;
    const char *key;
    void *value;
    while (dz_smap_next(&b->by_name, &it, &key, &value))
        dz_free(value);
    dz_smap_fini(&b->by_name);
    pthread_mutex_destroy(&b->lock);
}

int dz_cbehaviors_register(struct dz_cbehaviors *b, const char *name, const dz_native_behavior *behavior)
{
    size_t len = strlen(name);
    dz_native_behavior *copy = dz_zalloc(1, sizeof *copy);
    if (!copy)
        return DZ_ENOMEM;
    memcpy(copy, behavior, behavior->size < sizeof *copy ? behavior->size : sizeof *copy);
    pthread_mutex_lock(&b->lock);
    int err = dz_smap_get(&b->by_name, name, len) ? DZ_EEXIST : dz_smap_put(&b->by_name, name, len, copy);
    pthread_mutex_unlock(&b->lock);
    if (err)
        dz_free(copy);
    return err;
}

const dz_native_behavior *dz_cbehaviors_find(struct dz_cbehaviors *b, const char *name, size_t len)
{
    pthread_mutex_lock(&b->lock);
    const dz_native_behavior *found = dz_smap_get(&b->by_name, name, len);
    pthread_mutex_unlock(&b->lock);
    return found;
}

/* --- how a callback's error becomes the end --- */

static void doom_with_error(struct dz_thread *t, struct dz_cproc *c, const char *code, const char *message)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 2);
    dz_build_kstring(&b, "code", code);
    dz_build_kstring(&b, "message", message);
    struct dz_blob *reason = dz_build_done(&b) ? NULL : dz_blob_new(buf.data, buf.len);
    dz_buf_fini(&buf);
    dz_process_doom(t, &c->proc, reason ? reason : t->rt->reasons[DZ_REASON_OUT_OF_MEMORY], 0);
    dz_blob_unref(reason);
}

/* After each callback: what it returned, what it asked for. */
static void settle(struct dz_context *context, int err)
{
    struct dz_cproc *c = context->c;
    if (err < 0)
        doom_with_error(context->t, c, "error", context->failure[0] ? context->failure : dz_err_text(err));
    if (context->exit) {
        dz_process_doom(context->t, &c->proc, context->exit, 0);
        dz_blob_unref(context->exit);
        context->exit = NULL;
    }
}

static struct dz_context enter(struct dz_thread *t, struct dz_cproc *c)
{
    return (struct dz_context){ .t = t, .c = c };
}

static dz_reader reader_of(struct dz_cproc *c, const uint8_t *data, size_t len)
{
    static const uint8_t nil[] = { 0xc0 };
    return len ? (dz_reader){ data, data + len, c->host } : (dz_reader){ nil, nil + 1, c->host };
}

/* --- starting --- */

static void name_taken(struct dz_thread *t, struct dz_cproc *c, struct dz_str name, struct dz_pid owner)
{
    char message[DZ_NAME_MAX + DZ_PID_TEXT_MAX + 32];
    char pid[DZ_PID_TEXT_MAX];
    dz_pid_format(&t->rt->nodes, owner, pid);
    snprintf(message, sizeof message, "the name '%.*s' is that of %s", (int)name.len, name.s, pid);
    doom_with_error(t, c, dz_err_name(DZ_ENAMETAKEN), message);
}

/* A cluster-wide name is asked for before init runs; the process waits for the answer. */
static int ask_global(struct dz_thread *t, struct dz_cproc *c, struct dz_str name)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 2);
    dz_build_key(&b, "name");
    dz_build_string(&b, name.s, name.len);
    dz_build_key(&b, "pid");
    dz_build_pid_of(&b, &t->rt->nodes, c->proc.pid);
    struct dz_msg *m = dz_build_done(&b) ? NULL : dz_msg_new_copy(DZ_MSG_REQUEST, buf.data, buf.len);
    dz_buf_fini(&buf);
    if (!m)
        return DZ_ENOMEM;
    memset(&c->wait, 0, sizeof c->wait);
    c->wait.kind = DZ_WAIT_REPLY;
    c->wait.ref = dz_rt_next_ref(t->rt);
    c->wait.target = t->rt->system;
    m->to = t->rt->system;
    m->from = c->proc.pid;
    m->ref = c->wait.ref;
    m->code = DZ_REQ_GLOBAL_REGISTER;
    dz_process_wait(t, &c->proc, &c->wait, DZ_INFINITY);
    dz_send_must(t, m);
    return DZ_OK;
}

static void run_init(struct dz_thread *t, struct dz_cproc *c)
{
    static const uint8_t empty[] = { 0x90 };
    struct dz_context context = enter(t, c);
    dz_reader args = c->args ? reader_of(c, c->args, c->args_len) : reader_of(c, empty, sizeof empty);
    int err = c->behavior->init(&context, &args, &c->state);
    c->initialised = err >= 0;
    settle(&context, err);
    if (!(c->proc.flags & DZ_PROC_DOOMED))
        dz_process_started(t, &c->proc);
}

static void start(struct dz_thread *t, struct dz_cproc *c)
{
    struct dz_proc *p = &c->proc;
    if (p->wait) {
        struct dz_msg *reply = p->wait->reply;
        if (reply && (reply->flags & DZ_MSG_FAILED)) {
            struct dz_blob *reason = dz_blob_new(reply->data, reply->len);
            dz_process_doom(t, p, reason ? reason : t->rt->reasons[DZ_REASON_OUT_OF_MEMORY], 0);
            dz_blob_unref(reason);
        } else {
            p->flags |= DZ_PROC_GLOBAL;
        }
        dz_process_unwait(t, p);
    } else if (c->global.s) {
        struct dz_str name = c->global;
        c->global.s = NULL;
        if (ask_global(t, c, name))
            dz_process_doom(t, p, t->rt->reasons[DZ_REASON_OUT_OF_MEMORY], 0);
        return;
    }
    if (!(p->flags & DZ_PROC_DOOMED))
        run_init(t, c);
}

/* --- messages --- */

static void take_call(struct dz_thread *t, struct dz_cproc *c, struct dz_msg *m)
{
    struct dz_context context = enter(t, c);
    dz_from from = dz_cprocess_from(m->from, m->ref);
    dz_reader reader = reader_of(c, m->data, m->len);
    struct dz_builder reply;
    int err = DZ_UNHANDLED;
    dz_process_owe(&c->proc, m);
    dz_builder_init(&reply);
    if (c->behavior->call)
        err = c->behavior->call(&context, c->state, &reader, from, &reply);
    if (err == DZ_OK || err == DZ_UNHANDLED)
        dz_cprocess_answer(&context, from, err == DZ_OK ? &reply : NULL);
    dz_builder_fini(&reply);
    settle(&context, err);
}

static void take_cast(struct dz_thread *t, struct dz_cproc *c, const struct dz_msg *m)
{
    struct dz_context context = enter(t, c);
    dz_reader reader = reader_of(c, m->data, m->len);
    if (c->behavior->cast)
        settle(&context, c->behavior->cast(&context, c->state, &reader));
}

static void take_info(struct dz_thread *t, struct dz_cproc *c, const uint8_t *data, size_t len)
{
    struct dz_context context = enter(t, c);
    dz_reader reader = reader_of(c, data, len);
    if (c->behavior->info)
        settle(&context, c->behavior->info(&context, c->state, &reader));
}

/* DOWN and EXIT as the tables a behaviour sees. */
static void take_signal(struct dz_thread *t, struct dz_cproc *c, const struct dz_msg *m)
{
    struct dz_buf buf;
    struct dz_build b;
    bool down = m->kind == DZ_MSG_DOWN;
    char text[DZ_TERM_MAX_ID];
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, down ? 4 : 3);
    dz_build_kstring(&b, "type", down ? "down" : "exit");
    if (down) {
        size_t n = dz_ref_format(&t->rt->nodes, (struct dz_ref){ c->proc.pid, m->ref }, text);
        dz_build_key(&b, "ref");
        dz_build_ref(&b, text, n);
    }
    dz_build_key(&b, "pid");
    dz_build_pid_of(&b, &t->rt->nodes, m->from);
    dz_build_kraw(&b, "reason", m->data, m->len);
    if (dz_build_done(&b) == DZ_OK)
        take_info(t, c, buf.data, buf.len);
    else
        dz_process_doom(t, &c->proc, t->rt->reasons[DZ_REASON_OUT_OF_MEMORY], 0);
    dz_buf_fini(&buf);
}

static void take_stop(struct dz_thread *t, struct dz_cproc *c, struct dz_msg *m)
{
    struct dz_blob *reason = dz_blob_new(m->data, m->len);
    dz_process_doom(t, &c->proc, reason ? reason : t->rt->reasons[DZ_REASON_SHUTDOWN], 0);
    dz_blob_unref(reason);
    dz_process_owe(&c->proc, m);
}

static void take(struct dz_thread *t, struct dz_cproc *c, struct dz_msg *m)
{
    switch (m->kind) {
    case DZ_MSG_CALL:
        take_call(t, c, m);
        return;
    case DZ_MSG_STOP:
        take_stop(t, c, m);
        return;
    case DZ_MSG_CAST:
        take_cast(t, c, m);
        break;
    case DZ_MSG_SEND:
    case DZ_MSG_INFO:
        take_info(t, c, m->data, m->len);
        break;
    case DZ_MSG_DOWN:
    case DZ_MSG_EXIT:
        take_signal(t, c, m);
        break;
    case DZ_MSG_REQUEST:
        dz_send_error(t, c->proc.pid, m->from, m->ref, DZ_EUNHANDLED, NULL);
        break;
    default:
        break;
    }
    dz_msg_free(m);
}

/* --- turns and the end --- */

/* An end nobody asked for is told, as those of Lua processes are. */
static void log_crash(struct dz_thread *t, struct dz_cproc *c)
{
    struct dz_proc *p = &c->proc;
    char pid[DZ_PID_TEXT_MAX];
    char reason[512];
    if (!(p->flags & DZ_PROC_STARTED) || (p->flags & DZ_PROC_NO_TERMINATE) ||
        dz_strategy_reason_is_normal(p->exit->data, p->exit->len))
        return;
    dz_pid_format(&t->rt->nodes, p->pid, pid);
    dz_term_reason_text(p->exit->data, p->exit->len, reason, sizeof reason);
    dz_log_error(t->rt->log, "process crashed", "process", pid, "behavior", c->name, "reason", reason, NULL);
}

static void end(struct dz_thread *t, struct dz_cproc *c)
{
    struct dz_proc *p = &c->proc;
    log_crash(t, c);
    bool terminates = (p->flags & DZ_PROC_STARTED) && !(p->flags & DZ_PROC_NO_TERMINATE) && c->behavior->terminate;
    if (terminates && !(p->flags & DZ_PROC_TERMINATING)) {
        struct dz_context context = enter(t, c);
        dz_reader reason = reader_of(c, p->exit->data, p->exit->len);
        p->flags |= DZ_PROC_TERMINATING;
        c->behavior->terminate(&context, c->state, &reason);
        dz_blob_unref(context.exit);
    }
    dz_process_finish(t, p);
}

static void run(struct dz_thread *t, struct dz_proc *p)
{
    struct dz_cproc *c = (struct dz_cproc *)(void *)p;
    unsigned left = DZ_SLICE_TURNS;
    struct dz_msg *m;
    if (!(p->flags & (DZ_PROC_STARTED | DZ_PROC_DOOMED)))
        start(t, c);
    while ((p->flags & DZ_PROC_STARTED) && !(p->flags & DZ_PROC_DOOMED) && left-- && (m = dz_process_take(p)) != NULL)
        take(t, c, m);
    if (p->flags & DZ_PROC_DOOMED)
        end(t, c);
    else
        dz_process_rest(t, p);
}

static void dispose(struct dz_thread *t, struct dz_proc *p)
{
    struct dz_cproc *c = (struct dz_cproc *)(void *)p;
    dz_cprocess_drop_timers(t, c);
    if (c->initialised && c->behavior->free_state)
        c->behavior->free_state(c->state);
    dz_free(c);
}

static void describe(struct dz_thread *t, struct dz_proc *p, const char **behavior, size_t *memory)
{
    struct dz_cproc *c = (struct dz_cproc *)(void *)p;
    (void)t;
    *behavior = c->name;
    *memory += sizeof *c - sizeof c->proc;
}

static const struct dz_proc_kind c_kind = { .name = "c", .run = run, .dispose = dispose, .describe = describe };

void dz_cbehavior_spawn(struct dz_host *host, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *msg,
                        const dz_native_behavior *behavior, const char *name, size_t len)
{
    struct dz_spawn s;
    struct dz_pid owner = DZ_PID_NONE;
    struct dz_pid from = msg->from;
    struct dz_cproc *c = dz_zalloc(1, sizeof *c + len + 1);
    int err = c ? dz_spawn_unpack(&t->rt->nodes, msg, &s) : DZ_ENOMEM;
    if (err) {
        dz_free(c);
        dz_process_refuse_with(t, slot, msg, err, NULL);
        return;
    }
    c->host = host;
    c->behavior = behavior;
    memcpy(c->name, name, len);
    dz_list_init(&c->timers);
    c->args = s.args; /* inside the message, which is owed until the process has started */
    c->args_len = s.args_len;
    c->global = s.global_name;
    dz_process_init(t, &c->proc, &c_kind, slot, msg->to, msg);
    err = dz_spawn_apply(t, &c->proc, &s, from, &owner);
    if (err == DZ_ENAMETAKEN)
        name_taken(t, c, s.local_name, owner);
    else if (err)
        dz_process_doom(t, &c->proc, t->rt->reasons[DZ_REASON_OUT_OF_MEMORY], 0);
}

static void end_one(void *ctx, struct dz_thread *t, struct dz_proc *p)
{
    (void)ctx;
    if (p->kind != &c_kind)
        return;
    dz_process_doom(t, p, t->rt->reasons[DZ_REASON_SHUTDOWN], DZ_PROC_NO_TERMINATE);
    dz_process_finish(t, p);
}

void dz_cbehavior_end_all(struct dz_thread *t)
{
    dz_sched_each_process(dz_worker_of(t), end_one, NULL);
}
