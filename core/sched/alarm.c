/* alarm.c - see alarm.h. */
#include "sched/alarm.h"

#include <stdio.h>

#include "proc/request.h"
#include "proc/send.h"
#include "term/build.h"

static void format(struct dz_thread *t, struct dz_pid pid, char out[DZ_PID_TEXT_MAX])
{
    size_t len = dz_pid_is_none(pid) ? 0 : dz_pid_format(&t->rt->nodes, pid, out);
    out[len] = '\0';
}

static void build_head(struct dz_build *b, struct dz_thread *t, uint32_t fields, const char *type,
                       uint32_t worker, struct dz_pid pid)
{
    dz_build_map(b, fields);
    dz_build_kstring(b, "type", type);
    dz_build_kint(b, "worker", worker);
    dz_build_key(b, "pid");
    dz_build_pid_of(b, &t->rt->nodes, pid);
}

static void emit(struct dz_thread *t, const struct dz_build *b)
{
    if (dz_build_done(b) || dz_pid_is_none(t->rt->events))
        return;
    struct dz_msg *m = dz_msg_new_copy(DZ_MSG_NOTICE, b->buf->data, b->buf->len);
    if (!m)
        return;
    m->to = t->rt->events;
    m->code = DZ_REQ_EVENT;
    dz_send_must(t, m);
}

void dz_alarm_long_turn(struct dz_thread *t, uint32_t worker, struct dz_pid pid, uint64_t age_ms,
                        const char *traceback)
{
    struct dz_buf buf;
    struct dz_build b;
    char text[DZ_PID_TEXT_MAX], age[24];
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    build_head(&b, t, 5, "long_turn", worker, pid);
    dz_build_kint(&b, "turn_ms", (int64_t)age_ms);
    dz_build_kstring(&b, "traceback", traceback);
    emit(t, &b);
    dz_buf_fini(&buf);
    format(t, pid, text);
    snprintf(age, sizeof age, "%llu", (unsigned long long)age_ms);
    dz_log_warn(t->rt->log, "a turn takes long", "process", text, "ms", age, "traceback",
                traceback ? traceback : "", NULL);
}

void dz_alarm_ended(struct dz_thread *t, struct dz_pid pid, enum dz_reason reason, const char *traceback)
{
    char text[DZ_PID_TEXT_MAX];
    format(t, pid, text);
    dz_log_error(t->rt->log,
                 reason == DZ_REASON_RUNAWAY ? "runaway process ended" : "process ended: out of memory",
                 "process", text, "traceback", traceback ? traceback : "", NULL);
}

void dz_alarm_worker_lost(struct dz_thread *t, uint32_t worker, struct dz_pid pid, enum dz_reason reason,
                          uint32_t count)
{
    struct dz_buf buf;
    struct dz_build b;
    char text[DZ_PID_TEXT_MAX], processes[16];
    const struct dz_blob *why = t->rt->reasons[reason];
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    build_head(&b, t, 5, "worker_stuck", worker, pid);
    dz_build_kraw(&b, "reason", why->data, why->len);
    dz_build_kint(&b, "processes", count);
    emit(t, &b);
    dz_buf_fini(&buf);
    format(t, pid, text);
    snprintf(processes, sizeof processes, "%u", count);
    dz_log_error(t->rt->log,
                 reason == DZ_REASON_OUT_OF_MEMORY ? "worker lost: out of memory" : "worker lost: stuck",
                 "running", text, "processes", processes, NULL);
}
