#include "sim_kid.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/process.h"
#include "proc/send.h"
#include "sim_message.h"

enum behavior { STEADY, CRASHY, FLEETING, SLOW, BAD, STUCK, LAZY, STUBBORN };

const char *const sim_kid_behaviors[] = {"steady", "crashy", "fleeting", "slow", "bad", "stuck", "lazy", "stubborn"};

struct kid {
    struct dz_proc proc; /* first */
    struct sim_life *life;
    struct sim_kid_record *record;
    enum behavior behavior;
    struct dz_wait wait;
    struct dz_timer timer;
    struct dz_map seen; /* client -> the highest number of its messages */
};

static struct kid *kid_of(struct dz_proc *p)
{
    return (struct kid *)(void *)p;
}

static struct dz_sim_rand *chance(const struct kid *k)
{
    return &k->life->sim->rand;
}

static bool is_calm(const struct kid *k)
{
    return k->life->sim->part != SIM_STORM;
}

static void doom(struct dz_thread *t, struct kid *k, const char *reason)
{
    struct dz_blob *blob = dz_blob_new_string(reason);
    dz_process_doom(t, &k->proc, blob, 0);
    dz_blob_unref(blob);
}

static void sleep_for(struct dz_thread *t, struct kid *k, uint64_t ns)
{
    k->wait = (struct dz_wait){.kind = DZ_WAIT_TIME};
    dz_process_wait(t, &k->proc, &k->wait, ns);
}

/* --- a crash out of the blue --- */

static void due(struct dz_thread *t, struct dz_timer *timer)
{
    struct kid *k = dz_container_of(timer, struct kid, timer);
    if (is_calm(k) || (k->proc.flags & DZ_PROC_DOOMED))
        return;
    if (k->behavior == CRASHY)
        sim_intensity_crashed(&k->life->sim->intensity, k->record);
    doom(t, k, k->behavior == FLEETING ? "normal" : "crash");
    dz_process_ready(t, &k->proc);
}

static void set_fate(struct dz_thread *t, struct kid *k)
{
    if (k->behavior != CRASHY && k->behavior != FLEETING)
        return;
    int err = dz_timer_start(t, &k->timer, dz_sim_clock_local(&k->life->clock) +
                                               dz_sim_rand_between(chance(k), 1, 4000) * DZ_SIM_MS);
    dz_assert(!err);
}

/* --- turns --- */

static void begin(struct dz_thread *t, struct kid *k)
{
    bool calm = is_calm(k);
    set_fate(t, k);
    if (k->behavior == SLOW)
        sleep_for(t, k, dz_sim_rand_between(chance(k), 1, calm ? 20 : 400) * DZ_SIM_MS);
    else if (k->behavior == BAD && !calm && dz_sim_rand_percent(chance(k), 30))
        doom(t, k, "bad init");
    else if (k->behavior == STUCK && !calm && dz_sim_rand_percent(chance(k), 15))
        sleep_for(t, k, DZ_INFINITY);
}

static void check_order(struct kid *k, const struct sim_message *m)
{
    uint64_t last = (uint64_t)(uintptr_t)dz_map_get(&k->seen, m->client);
    if (m->number <= last)
        sim_fail(k->life->sim, "message %llu of client %llu came to %s after %llu", (unsigned long long)m->number,
                 (unsigned long long)m->client, k->record->path->text, (unsigned long long)last);
    int err = dz_map_put(&k->seen, m->client, (void *)(uintptr_t)m->number);
    dz_assert(!err);
}

static void take(struct dz_thread *t, struct kid *k, struct dz_msg *m)
{
    struct sim_message value;
    if (m->kind == DZ_MSG_STOP) {
        struct dz_blob *reason = dz_blob_new(m->data, m->len);
        dz_process_owe(&k->proc, m);
        dz_process_doom(t, &k->proc, reason, 0);
        dz_blob_unref(reason);
        return;
    }
    if (m->kind != DZ_MSG_CALL && m->kind != DZ_MSG_CAST) {
        dz_msg_free(m);
        return;
    }
    sim_message_read(m->data, m->len, &value);
    check_order(k, &value);
    if (!is_calm(k) && dz_sim_rand_percent(chance(k), 1)) {
        if (m->kind == DZ_MSG_CALL)
            dz_process_owe(&k->proc, m);
        else
            dz_msg_free(m);
        sim_intensity_crashed(&k->life->sim->intensity, k->record);
        doom(t, k, "crash at a message");
        return;
    }
    if (m->kind == DZ_MSG_CALL)
        sim_message_answer(t, m, &value);
    dz_msg_free(m);
    if (!is_calm(k) && dz_sim_rand_percent(chance(k), 2))
        sleep_for(t, k, dz_sim_rand_between(chance(k), 1, 300) * DZ_SIM_MS);
}

static void terminate(struct dz_thread *t, struct kid *k)
{
    bool calm = is_calm(k);
    if (k->behavior == LAZY)
        sleep_for(t, k, dz_sim_rand_between(chance(k), 1, calm ? 20 : 500) * DZ_SIM_MS);
    else if (k->behavior == STUBBORN && !calm)
        sleep_for(t, k, DZ_INFINITY);
}

static bool was_stopped(const struct dz_proc *p, bool by_supervisor)
{
    for (const struct dz_msg *m = p->owed; m; m = dz_msg_next(m))
        if (m->kind == DZ_MSG_STOP &&
            (!by_supervisor || (m->from.slot == p->parent.slot && m->from.gen == p->parent.gen)))
            return true;
    return false;
}

static bool ends_with(const struct kid *k, enum dz_reason why)
{
    const struct dz_blob *reason = k->proc.exit, *wanted = k->life->rt.reasons[why];
    return reason && reason->len == wanted->len && memcmp(reason->data, wanted->data, reason->len) == 0;
}

/* Either it has run terminate and that is over, or it must not run. */
static void end(struct dz_thread *t, struct kid *k)
{
    struct dz_proc *p = &k->proc;
    bool runs = (p->flags & DZ_PROC_STARTED) && !(p->flags & DZ_PROC_NO_TERMINATE);
    if (runs && !(p->flags & DZ_PROC_TERMINATING)) {
        if (p->wait)
            dz_process_unwait(t, p);
        p->flags |= DZ_PROC_TERMINATING;
        terminate(t, k);
    } else if (runs && p->wait && p->wait->woken) {
        dz_process_unwait(t, p);
    }
    if (runs && p->wait && !(p->flags & DZ_PROC_NO_TERMINATE)) {
        dz_process_rest(t, p);
        return;
    }
    /* The loss of the supervisor's node comes as a stop as well. */
    k->record->stopped = was_stopped(p, true) && ends_with(k, DZ_REASON_SHUTDOWN);
    k->record->path->superseded |= ends_with(k, DZ_REASON_SUPERSEDED);
    /* One that was ended while its terminate ran is no crash for its supervisor any more. */
    if (was_stopped(p, false) || (p->flags & (DZ_PROC_TERMINATING | DZ_PROC_NO_TERMINATE)) ==
                                  (DZ_PROC_TERMINATING | DZ_PROC_NO_TERMINATE))
        k->record->crashed_ns = 0;
    dz_process_finish(t, p);
}

static void run(struct dz_thread *t, struct dz_proc *p)
{
    struct kid *k = kid_of(p);
    struct dz_msg *m;
    bool begun = p->flags & DZ_PROC_STARTED;
    if (!(p->flags & DZ_PROC_DOOMED) && p->wait && p->wait->woken)
        dz_process_unwait(t, p);
    else if (!(p->flags & DZ_PROC_DOOMED) && !begun && !p->wait)
        begin(t, k);
    if (!(p->flags & DZ_PROC_DOOMED) && !begun && !p->wait) {
        k->record->started = true;
        k->record->path->starts++;
        dz_process_started(t, p);
    }
    for (int i = 0; i < 8 && !(p->flags & DZ_PROC_DOOMED) && !p->wait && (m = dz_process_take(p)); i++)
        take(t, k, m);
    if (p->flags & DZ_PROC_DOOMED)
        end(t, k);
    else
        dz_process_rest(t, p);
}

static void dispose(struct dz_thread *t, struct dz_proc *p)
{
    struct kid *k = kid_of(p);
    dz_timer_stop(t, &k->timer);
    dz_map_fini(&k->seen);
    if (k->record->life)
        sim_check_gone(&k->life->sim->check, k->record);
    dz_free(k);
}

static void describe(struct dz_thread *t, struct dz_proc *p, const char **behavior, size_t *memory)
{
    (void)t;
    *behavior = sim_kid_behaviors[kid_of(p)->behavior];
    *memory += sizeof(struct kid);
}

static const struct dz_proc_kind kid_kind = {.name = "kid", .run = run, .dispose = dispose, .describe = describe};

static int find_behavior(const struct dz_str *name)
{
    for (unsigned i = 0; i < SIM_KID_BEHAVIORS; i++)
        if (strlen(sim_kid_behaviors[i]) == name->len && memcmp(sim_kid_behaviors[i], name->s, name->len) == 0)
            return (int)i;
    return -1;
}

void sim_kid_spawn(struct sim_life *l, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *msg,
                   const struct dz_spawn *s)
{
    int behavior = find_behavior(&s->name);
    struct dz_pid from = msg->from, pid = msg->to, owner;
    if (behavior < 0) {
        dz_process_refuse_with(t, slot, msg, DZ_ENOBEHAVIOR, NULL);
        return;
    }
    struct kid *k = dz_zalloc_must(1, sizeof *k);
    k->life = l;
    k->behavior = (enum behavior)behavior;
    dz_timer_init(&k->timer, due);
    dz_map_init(&k->seen);
    k->record = sim_check_born(&l->sim->check, l, pid, s);
    struct dz_spawn copy = *s;
    dz_process_init(t, &k->proc, &kid_kind, slot, pid, msg); /* owed: its bytes stay */
    int err = dz_spawn_apply(t, &k->proc, &copy, from, &owner);
    if (err)
        doom(t, k, dz_err_name(err));
}
