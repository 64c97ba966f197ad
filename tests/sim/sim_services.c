/* sim_services.c - the processes every simulated host has: the service on the system thread, which registers cluster-wide
 * names, and a native in the place of the event hub, which writes down what it hears.
 * Owns:    both.
 * Threads: the system thread; the native wherever it runs. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/native.h"
#include "proc/request.h"
#include "proc/send.h"
#include "sim_ports.h"

struct service {
    struct dz_proc proc;
    struct sim_life *life;
};

static void take_register(struct sim_life *l, struct dz_thread *t, const struct dz_msg *m)
{
    struct dz_read name, pid;
    const char *s;
    size_t len;
    struct dz_pid p;
    if (!dz_read_find(m->data, m->len, "name", &name) || dz_read_string(&name, &s, &len) ||
        !dz_read_find(m->data, m->len, "pid", &pid) || dz_read_pid_of(&pid, &t->rt->nodes, &p))
        dz_send_error(t, m->to, m->from, m->ref, DZ_EARGUMENT, NULL);
    else
        dz_cluster_global_register(l->cluster, s, len, p, m->from, m->ref);
}

static void take(struct service *s, struct dz_thread *t, struct dz_msg *m)
{
    if (m->kind == DZ_MSG_REQUEST && m->code == DZ_REQ_GLOBAL_REGISTER)
        take_register(s->life, t, m);
    else if (m->ref)
        dz_send_error(t, m->to, m->from, m->ref, DZ_EUNHANDLED, NULL);
    dz_msg_free(m);
}

static void run(struct dz_thread *t, struct dz_proc *p)
{
    struct dz_msg *m;
    if (p->flags & DZ_PROC_DOOMED) {
        dz_process_finish(t, p);
        return;
    }
    while ((m = dz_process_take(p)) != NULL)
        take((struct service *)(void *)p, t, m);
    dz_process_rest(t, p);
}

static void dispose(struct dz_thread *t, struct dz_proc *p)
{
    (void)t;
    dz_free(p);
}

static void describe(struct dz_thread *t, struct dz_proc *p, const char **behavior, size_t *memory)
{
    (void)t, (void)p;
    *behavior = "$system";
    *memory = sizeof(struct service);
}

static const struct dz_proc_kind service_kind = {.name = "service", .run = run, .dispose = dispose, .describe = describe};

static void start_service(struct sim_life *l, struct dz_thread *t)
{
    struct dz_slot *slot;
    struct dz_pid pid;
    struct service *s = dz_zalloc_must(1, sizeof *s);
    s->life = l;
    int err = dz_table_reserve(&t->rt->table, t->index, true, 0, &slot, &pid);
    dz_assert(!err);
    dz_process_init(t, &s->proc, &service_kind, slot, pid, NULL);
    s->proc.flags |= DZ_PROC_TRAPS | DZ_PROC_HIDDEN;
    dz_process_started(t, &s->proc);
    t->rt->system = pid;
}

/* --- events --- */

static void put_field(const struct dz_msg *m, const char *key, char *line, size_t cap)
{
    struct dz_read r;
    char text[200];
    size_t n = strlen(line);
    if (!dz_read_find(m->data, m->len, key, &r))
        return;
    dz_term_print(r.at, (size_t)(r.end - r.at), text, sizeof text);
    snprintf(line + n, cap - n, " %s=%s", key, text);
}

static void handle_event(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    static const char *const keys[] = {"type", "supervisor_id", "child_id", "node_id", "epoch", "from_node",
                                       "to_node", "attempt", "cause", "reason"};
    struct sim_life *l = n->data;
    char line[800] = "";
    (void)t;
    if (m->kind == DZ_MSG_NOTICE && m->code == DZ_REQ_EVENT && !l->ending) {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            put_field(m, keys[i], line, sizeof line);
        sim_note(l->sim, "h%d event%s", l->index, line);
        l->sim->check.events++;
    }
    dz_msg_free(m);
}

static void end_events(struct dz_thread *t, struct dz_native *n)
{
    (void)t, (void)n;
}

static const struct dz_native_ops event_ops = {.name = "$events", .handle = handle_event, .end = end_events};

void sim_services_start(struct sim_life *l, struct dz_thread *t)
{
    struct dz_native *events;
    int err = dz_native_new(t, &event_ops, l, true, NULL, DZ_PID_NONE, NULL, &events);
    dz_assert(!err);
    l->rt.events = events->proc.pid;
    atomic_store(&l->rt.event_listeners, 1);
    start_service(l, t);
}
