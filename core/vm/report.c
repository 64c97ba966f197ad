/* report.c - the log line of a crash: process, behaviour, last message, reason, traceback. A behaviour that
 * crashes again and again gets a few lines a second, and one that says how many were left out. */
#include "vm/state.h"

#include <stdio.h>
#include <string.h>
#include "base/err.h"
#include "term/read.h"
#include "term/term.h"

#define NS_PER_S 1000000000ull

static const char *name_of(const struct dz_handlers *h)
{
    return h->name ? h->name : "(function)";
}

static void tell_left_out(struct dz_vm *vm, struct dz_handlers *h)
{
    char count[16];
    if (h->crashes.left_out == 0)
        return;
    snprintf(count, sizeof count, "%u", h->crashes.left_out);
    h->crashes.left_out = 0;
    dz_log_error(vm->shared->rt->log, "more crashes than are told one by one", "behavior", name_of(h), "left_out", count,
                 NULL);
}

static void second_over(struct dz_thread *t, struct dz_timer *timer)
{
    tell_left_out(t->vm, dz_container_of(timer, struct dz_handlers, crashes.timer));
}

void dz_report_init(struct dz_handlers *h)
{
    dz_timer_init(&h->crashes.timer, second_over);
}

void dz_report_fini(struct dz_vm *vm, struct dz_handlers *h)
{
    dz_timer_stop(vm->thread, &h->crashes.timer);
    tell_left_out(vm, h);
}

/* May this crash of the behaviour be reported? */
static bool admit(struct dz_vm *vm, struct dz_handlers *h)
{
    struct dz_crashes *c = &h->crashes;
    uint64_t second = vm->thread->now_ns / NS_PER_S;
    if (c->second != second) {
        c->second = second;
        c->reported = 0;
    }
    if (c->reported++ < DZ_VM_CRASH_LINES)
        return true;
    if (c->left_out++ == 0) /* without memory for it, they are told with those of a later second */
        (void)dz_timer_start(vm->thread, &c->timer, (second + 1) * NS_PER_S);
    return false;
}

static const char *phase_name(enum dz_phase phase)
{
    switch (phase) {
    case DZ_PHASE_CALL:
        return "handle_call";
    case DZ_PHASE_CAST:
        return "handle_cast";
    case DZ_PHASE_INFO:
        return "handle_info";
    case DZ_PHASE_TERMINATE:
        return "terminate";
    default:
        return "a plain process";
    }
}

/* The message whose handler raised, as text; "" when there was none. */
static void print_message(const struct dz_co *co, char *out, size_t cap)
{
    const struct dz_msg *m = co->msg;
    out[0] = '\0';
    if (co->phase == DZ_PHASE_CALL) {
        m = co->proc->owed;
        while (m && (m->ref != co->ref || !dz_pid_eq(m->from, co->from)))
            m = dz_msg_next(m);
    }
    if (m && m->len)
        dz_term_print(m->data, m->len, out, cap);
}

/* A string field of the reason, copied with its end; "" when it has none. */
static void copy_field(const struct dz_blob *reason, const char *key, char *out, size_t cap)
{
    const char *s;
    size_t len;
    out[0] = '\0';
    if (!dz_read_find_string(reason->data, reason->len, key, &s, &len))
        return;
    size_t n = len < cap - 1 ? len : cap - 1;
    memcpy(out, s, n);
    out[n] = '\0';
}

static void report(struct dz_vm *vm, struct dz_proc *p, const char *where, const char *message,
                   const struct dz_blob *reason)
{
    struct dz_rt *rt = vm->shared->rt;
    struct dz_handlers *h = p->kind_state ? p->kind_state : &vm->plain;
    char pid[DZ_PID_TEXT_MAX], parent[DZ_PID_TEXT_MAX] = "", name[DZ_NAME_MAX + 1] = "";
    char text[512], traceback[2048];
    /* The host tells how its script ended. */
    if ((p->flags & DZ_PROC_SCRIPT) || !admit(vm, h))
        return;
    pid[dz_pid_format(&rt->nodes, p->pid, pid)] = '\0';
    if (!dz_pid_is_none(p->parent))
        parent[dz_pid_format(&rt->nodes, p->parent, parent)] = '\0';
    if (!dz_names_of(&rt->names, p->pid, name))
        name[0] = '\0';
    dz_term_reason_text(reason->data, reason->len, text, sizeof text);
    copy_field(reason, "traceback", traceback, sizeof traceback);
    dz_log_error(rt->log, "process crashed", "process", pid, "name", name, "behavior",
                 name_of(h), "in", where, "message", message, "reason", text,
                 "supervisor", parent, "traceback", traceback, NULL);
}

void dz_report_crash(struct dz_vm *vm, struct dz_co *co, const struct dz_blob *reason)
{
    char message[512];
    print_message(co, message, sizeof message);
    report(vm, co->proc, phase_name(co->phase), message, reason);
}

void dz_report_callback(struct dz_vm *vm, struct dz_proc *p, const struct dz_blob *reason)
{
    report(vm, p, "a callback", "", reason);
}
