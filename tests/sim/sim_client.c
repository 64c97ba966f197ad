#include "sim_client.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "proc/bond.h"
#include "proc/process.h"
#include "proc/request.h"
#include "proc/send.h"
#include "sim_message.h"
#include "sim_spec.h"
#include "sup/driver_parts.h"

#define ROOTS_MAX 6u
#define SUPS_MAX  64u
#define MONITORS  24u

enum doing { SLEEPING, CALLING, STARTING, ASKING, STOPPING };

struct monitor {
    uint64_t ref; /* 0: free */
    struct sim_kid_record *kid;
};

struct sim_client {
    struct dz_proc proc; /* first */
    struct sim_life *life;
    struct dz_list all;
    uint64_t uid;
    uint64_t number; /* of its messages, the only ones with that number */
    struct dz_wait wait;
    enum doing doing;
    struct sim_kid_record *kid; /* CALLING: who */
    uint64_t asked;    /* the number sent with the question */
    uint64_t since_ns; /* when it began to wait */
    uint64_t timeout_ns;
    char what[160];
    struct monitor monitors[MONITORS];
};

static struct sim_client *client_of(struct dz_proc *p)
{
    return (struct sim_client *)(void *)p;
}

static struct dz_sim_rand *chance(const struct sim_client *c)
{
    return &c->life->sim->rand;
}

/* --- waiting --- */

static uint64_t wait_for(struct dz_thread *t, struct sim_client *c, enum doing doing, struct dz_pid target,
                         uint64_t timeout_ns)
{
    bool sleeps = doing == SLEEPING;
    c->doing = doing;
    c->since_ns = c->life->sim->now_ns;
    c->timeout_ns = timeout_ns;
    c->wait = (struct dz_wait){.kind = sleeps ? DZ_WAIT_TIME : DZ_WAIT_REPLY, .target = target};
    c->wait.ref = sleeps ? 0 : dz_rt_next_ref(t->rt);
    dz_process_wait(t, &c->proc, &c->wait, timeout_ns);
    return c->wait.ref;
}

static void nap(struct dz_thread *t, struct sim_client *c)
{
    uint64_t most = c->life->sim->part == SIM_STORM ? 60 : 2000;
    wait_for(t, c, SLEEPING, DZ_PID_NONE, dz_sim_rand_between(chance(c), 1, most) * DZ_SIM_MS);
}

static void ask(struct dz_thread *t, struct sim_client *c, struct dz_msg *m, enum doing doing, struct dz_pid to,
                uint64_t timeout_ns)
{
    m->from = c->proc.pid;
    m->to = to;
    m->ref = wait_for(t, c, doing, to, timeout_ns);
    c->life->sim->check.asked++;
    if (dz_send(t, &m)) {
        dz_msg_free(m);
        dz_process_unwait(t, &c->proc);
        c->life->sim->check.answered++;
        nap(t, c);
    }
}

/* --- children --- */

static struct sim_kid_record *any_kid(struct sim_client *c, struct dz_pid *pid)
{
    struct sim_check *check = &c->life->sim->check;
    if (check->live_count == 0)
        return NULL;
    struct sim_kid_record *kid = check->live[dz_sim_rand_below(chance(c), check->live_count)];
    *pid = sim_life_translate(kid->life, kid->pid, c->life);
    return kid;
}

static void call_kid(struct dz_thread *t, struct sim_client *c)
{
    struct dz_pid pid;
    struct sim_kid_record *kid = any_kid(c, &pid);
    if (!kid) {
        nap(t, c);
        return;
    }
    struct sim_message value = {c->uid, c->number += 2};
    c->asked = value.number;
    c->kid = kid;
    c->life->sim->check.calls++;
    snprintf(c->what, sizeof c->what, "call of %.60s", kid->path->text);
    ask(t, c, sim_message_new(DZ_MSG_CALL, &value), CALLING, pid, dz_sim_rand_between(chance(c), 5, 4000) * DZ_SIM_MS);
}

static void cast_kids(struct dz_thread *t, struct sim_client *c)
{
    struct dz_pid pid;
    struct sim_kid_record *kid = any_kid(c, &pid);
    uint64_t most = dz_sim_rand_percent(chance(c), 10) ? 20 : 5;
    for (uint64_t i = dz_sim_rand_between(chance(c), 1, most); kid && i > 0; i--) {
        struct sim_message value = {c->uid, c->number += 2};
        struct dz_msg *m = sim_message_new(DZ_MSG_CAST, &value);
        m->from = c->proc.pid;
        m->to = pid;
        dz_send(t, &m);
        dz_msg_free(m);
        c->life->sim->check.casts++;
    }
    nap(t, c);
}

/* --- monitors --- */

static void watch_kid(struct dz_thread *t, struct sim_client *c)
{
    struct dz_pid pid;
    struct monitor *m = &c->monitors[dz_sim_rand_below(chance(c), MONITORS)];
    if (m->ref) {
        if (dz_sim_rand_percent(chance(c), 30) && dz_bond_demonitor(t, &c->proc, m->ref))
            m->ref = 0;
    } else {
        struct sim_kid_record *kid = any_kid(c, &pid);
        if (kid && dz_bond_monitor(t, &c->proc, pid, &m->ref) == 0)
            m->kid = kid;
        else
            m->ref = 0;
    }
    nap(t, c);
}

static void take_down(struct sim_client *c, const struct dz_msg *msg)
{
    c->life->sim->check.downs++;
    for (uint32_t i = 0; i < MONITORS; i++) {
        struct monitor *m = &c->monitors[i];
        if (m->ref != msg->ref)
            continue;
        char reason[64];
        dz_term_reason_text(msg->data, msg->len, reason, sizeof reason);
        if (m->kid->life && strcmp(reason, "noconnection") != 0)
            sim_fail(c->life->sim, "a monitor says that %s is down (%s), which lives", m->kid->path->text, reason);
        m->ref = 0;
        return;
    }
    sim_fail(c->life->sim, "a monitor fires that was not set, or fires twice (client %llu)", (unsigned long long)c->uid);
}

/* --- supervisors --- */

static void start_root(struct dz_thread *t, struct sim_client *c)
{
    struct sim *sim = c->life->sim;
    struct dz_buf spec;
    struct dz_build b;
    char name[16];
    bool named = dz_sim_rand_percent(chance(c), 70);
    if (sim_life_supervisors(c->life, true, NULL, 0) >= ROOTS_MAX || !c->life->joined) {
        nap(t, c);
        return;
    }
    snprintf(name, sizeof name, "root%u", (unsigned)dz_sim_rand_below(chance(c), SIM_ROOT_NAMES));
    dz_buf_init(&spec);
    dz_build_init(&b, &spec);
    sim_spec_supervisor(sim, &b, named ? name : NULL, 0);
    int err = dz_build_done(&b);
    dz_assert(!err);
    struct dz_spawn s = {.what = DZ_SPAWN_SUPERVISOR, .spec = spec.data, .spec_len = spec.len, .timeout_ms = DZ_INFINITY};
    struct dz_msg *m = dz_spawn_pack(&t->rt->nodes, &s);
    dz_buf_fini(&spec);
    m->from = c->proc.pid;
    m->ref = wait_for(t, c, STARTING, DZ_PID_NONE, DZ_INFINITY);
    sim->check.asked++;
    snprintf(c->what, sizeof c->what, "start of %s", named ? name : "a root");
    sim_note(sim, "h%d client %llu: %s", c->life->index, (unsigned long long)c->uid, c->what);
    err = dz_spawn_send(t, t->index, &m, NULL);
    dz_assert(!err);
}

static bool any_supervisor(struct sim_client *c, bool roots, struct dz_pid *pid, const struct dz_supervisor **found)
{
    struct dz_pid pids[SUPS_MAX];
    struct sim *sim = c->life->sim;
    struct sim_life *l = sim->lives[dz_sim_rand_below(chance(c), sim->options.hosts)];
    size_t n = l ? sim_life_supervisors(l, roots, pids, SUPS_MAX) : 0;
    if (n == 0)
        return false;
    struct dz_pid own = pids[dz_sim_rand_below(chance(c), n)];
    *pid = sim_life_translate(l, own, c->life);
    *found = sim_life_supervisor(l, own);
    return true;
}

/* Whom this host knows by one of the names. */
static bool any_name(struct sim_client *c, struct dz_pid *pid)
{
    char name[16];
    int len = snprintf(name, sizeof name, "root%u", (unsigned)dz_sim_rand_below(chance(c), SIM_ROOT_NAMES));
    *pid = dz_cluster_global_whereis(c->life->cluster, name, (size_t)len);
    return !dz_pid_is_none(*pid);
}

static void __attribute__((format(printf, 3, 4)))
describe_asked(struct sim_client *c, struct dz_pid pid, const char *format, ...)
{
    char text[DZ_PID_TEXT_MAX];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(c->what, sizeof c->what, format, ap);
    va_end(ap);
    dz_pid_format(&c->life->rt.nodes, pid, text);
    snprintf(c->what + n, sizeof c->what - (size_t)n, " %.90s", text);
}

static void build_request(struct sim_client *c, struct dz_build *b, enum dz_request code, const char *id)
{
    if (code == DZ_REQ_START_CHILD)
        sim_spec_child(c->life->sim, b, id, 2);
    else if (code == DZ_REQ_TERMINATE_CHILD || code == DZ_REQ_RESTART_CHILD || code == DZ_REQ_CHILD)
        dz_build_cstring(b, id);
    else
        dz_build_nil(b);
}

static void note_restart(struct sim_client *c, const struct dz_supervisor *s, const char *id)
{
    char path[400];
    int len = snprintf(path, sizeof path, "%.*s/%s", (int)s->path.len, (const char *)s->path.data, id);
    sim_check_path(&c->life->sim->check, path, (size_t)len)->by_hand = true;
}

static void ask_supervisor(struct dz_thread *t, struct sim_client *c)
{
    static const enum dz_request codes[] = {DZ_REQ_START_CHILD,     DZ_REQ_START_CHILD, DZ_REQ_TERMINATE_CHILD,
                                            DZ_REQ_RESTART_CHILD,   DZ_REQ_CHILDREN,    DZ_REQ_CHILD,
                                            DZ_REQ_COUNT_CHILDREN,  DZ_REQ_STATS};
    struct dz_buf data;
    struct dz_build b;
    struct dz_pid pid;
    const struct dz_supervisor *found;
    char id[8];
    if (!any_supervisor(c, false, &pid, &found)) {
        nap(t, c);
        return;
    }
    enum dz_request code = codes[dz_sim_rand_below(chance(c), sizeof codes / sizeof codes[0])];
    snprintf(id, sizeof id, "c%u", (unsigned)dz_sim_rand_below(chance(c), SIM_CHILD_IDS + 2));
    dz_buf_init(&data);
    dz_build_init(&b, &data);
    build_request(c, &b, code, id);
    int err = dz_build_done(&b);
    dz_assert(!err);
    if (code == DZ_REQ_RESTART_CHILD)
        note_restart(c, found, id);
    struct dz_msg *m = dz_msg_new_copy(DZ_MSG_REQUEST, data.data, data.len);
    dz_buf_fini(&data);
    m->code = (uint16_t)code;
    describe_asked(c, pid, "request %d %s of", (int)code, id);
    sim_note(c->life->sim, "h%d client %llu: %s", c->life->index, (unsigned long long)c->uid, c->what);
    ask(t, c, m, ASKING, pid, DZ_INFINITY);
}

static void stop_supervisor(struct dz_thread *t, struct sim_client *c)
{
    struct dz_pid pid;
    const struct dz_supervisor *found;
    if (!(dz_sim_rand_percent(chance(c), 50) ? any_name(c, &pid) : any_supervisor(c, true, &pid, &found))) {
        nap(t, c);
        return;
    }
    struct dz_msg *m = dz_msg_new_blob(DZ_MSG_STOP, t->rt->reasons[DZ_REASON_SHUTDOWN]);
    describe_asked(c, pid, "stop of");
    sim_note(c->life->sim, "h%d client %llu: %s", c->life->index, (unsigned long long)c->uid, c->what);
    ask(t, c, m, STOPPING, pid, DZ_INFINITY);
}

/* --- turns --- */

/* A call ends with its server; on one host nothing is between the two but other processes' turns. */
static void check_timeout(struct sim_client *c)
{
    struct sim *sim = c->life->sim;
    const struct sim_kid_record *kid = c->kid;
    if (c->doing != CALLING || kid->life || kid->life_number != c->life->number)
        return;
    uint64_t since = kid->gone_ns > c->life->frozen_until_ns ? kid->gone_ns : c->life->frozen_until_ns;
    if (sim->now_ns - since > 1000 * DZ_SIM_MS)
        sim_fail(sim, "%s timed out, %llu ms after the end of the one called", c->what,
                 (unsigned long long)((sim->now_ns - kid->gone_ns) / DZ_SIM_MS));
}

static void check_reply(struct sim_client *c)
{
    struct dz_msg *m = c->wait.reply;
    struct sim_message value;
    uint64_t waited = c->life->sim->now_ns - c->since_ns;
    if (c->wait.timed_out && waited + waited / 100 + DZ_SIM_MS < c->timeout_ns)
        sim_fail(c->life->sim, "%s timed out too early", c->what);
    if (c->wait.timed_out)
        check_timeout(c);
    if (c->doing != CALLING || !m || (m->flags & DZ_MSG_FAILED))
        return;
    sim_message_read(m->data, m->len, &value);
    if (value.client != c->uid || value.number != c->asked + 1)
        sim_fail(c->life->sim, "%s got the answer to another question", c->what);
}

static void note_reply(struct sim_client *c)
{
    char text[200] = "nothing";
    const struct dz_msg *m = c->wait.reply;
    if (c->doing == CALLING || c->doing == SLEEPING)
        return;
    if (m && (m->flags & DZ_MSG_FAILED))
        dz_term_reason_text(m->data, m->len, text, sizeof text);
    else if (m)
        snprintf(text, sizeof text, "%u bytes", m->len);
    sim_note(c->life->sim, "h%d client %llu: %s -> %s", c->life->index, (unsigned long long)c->uid, c->what, text);
}

static void do_something(struct dz_thread *t, struct sim_client *c)
{
    uint64_t dice = dz_sim_rand_below(chance(c), 100);
    if (c->life->sim->part != SIM_STORM)
        nap(t, c);
    else if (dice < 45)
        call_kid(t, c);
    else if (dice < 60)
        cast_kids(t, c);
    else if (dice < 80)
        watch_kid(t, c);
    else if (dice < 85)
        ask_supervisor(t, c);
    else if (dice < 91)
        start_root(t, c);
    else if (dice < 92 && dz_sim_rand_percent(chance(c), 20))
        stop_supervisor(t, c);
    else
        nap(t, c);
}

static void run(struct dz_thread *t, struct dz_proc *p)
{
    struct sim_client *c = client_of(p);
    struct dz_msg *m;
    if (p->flags & DZ_PROC_DOOMED) { /* with its host: nobody waits for the answer any more */
        c->life->sim->check.answered += p->wait && c->doing != SLEEPING;
        dz_process_finish(t, p);
        return;
    }
    if (p->wait && p->wait->woken) {
        c->life->sim->check.answered += c->doing != SLEEPING;
        check_reply(c);
        note_reply(c);
        dz_process_unwait(t, p);
    }
    while (!p->wait && (m = dz_process_take(p)) != NULL) {
        if (m->kind == DZ_MSG_DOWN)
            take_down(c, m);
        dz_msg_free(m);
    }
    if (!p->wait)
        do_something(t, c);
    dz_process_rest(t, p);
}

static void dispose(struct dz_thread *t, struct dz_proc *p)
{
    (void)t;
    dz_list_remove(&client_of(p)->all);
    dz_free(p);
}

static void describe(struct dz_thread *t, struct dz_proc *p, const char **behavior, size_t *memory)
{
    (void)t, (void)p;
    *behavior = "client";
    *memory += sizeof(struct sim_client);
}

static const struct dz_proc_kind client_kind = {.name = "client", .run = run, .dispose = dispose, .describe = describe};

void sim_client_new(struct sim_life *l, struct dz_thread *t)
{
    struct dz_slot *slot;
    struct dz_pid pid;
    uint32_t node = atomic_load_explicit(&t->rt->nodes.self, memory_order_acquire);
    struct sim_client *c = dz_zalloc_must(1, sizeof *c);
    int err = dz_table_reserve(&t->rt->table, t->index, false, node, &slot, &pid);
    dz_assert(!err);
    c->life = l;
    c->uid = ++l->sim->check.uid;
    dz_list_push_back(&l->clients, &c->all);
    dz_process_init(t, &c->proc, &client_kind, slot, pid, NULL);
    dz_process_started(t, &c->proc);
}

void sim_client_check_settled(struct sim_life *l)
{
    dz_list_each (&l->clients, it) {
        struct sim_client *c = dz_list_entry(it, struct sim_client, all);
        uint64_t waited_ms = (l->sim->now_ns - c->since_ns) / DZ_SIM_MS;
        if (c->proc.wait && c->doing != SLEEPING && waited_ms > SIM_GRACE_MS / 2)
            sim_fail(l->sim, "h%d client %llu: no answer to %s for %llu ms", l->index, (unsigned long long)c->uid, c->what,
                     (unsigned long long)waited_ms);
        for (uint32_t i = 0; i < MONITORS; i++)
            if (c->monitors[i].ref && !c->monitors[i].kid->life &&
                l->sim->now_ns - c->monitors[i].kid->gone_ns > SIM_GRACE_MS / 2 * DZ_SIM_MS)
                sim_fail(l->sim, "h%d client %llu: its monitor of %s never fired", l->index, (unsigned long long)c->uid,
                         c->monitors[i].kid->path->text);
    }
}
