/* Flow: a step injects events into machines; what a machine asks for becomes tasks (answers to starts, ends
 * of stopped children, supervisors that boot or end), worked off in order when the step's events are all in.
 * So everything injected in one step is there before the world answers, as in OTP, where the supervisors are
 * suspended meanwhile. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "sup/supervisor.h"
#include "world_term.h"

#define ACTORS     128
#define TASKS      1024
#define REQUESTS   (SCRIPT_STEPS + 1)
#define SELECTS    16
#define LET_GO_MAX 200
_Static_assert(SCRIPT_STEPS + LET_GO_MAX + 8 < TRACE_STEPS, "every step has a place in the trace");
#define NODE_ID "local@127.0.0.1:0"

enum actor_state {
    ACTOR_NONE,
    ACTOR_STARTING, /* its answer is among the tasks */
    ACTOR_HELD,     /* its answer waits for `release` */
    ACTOR_LIVE,
    ACTOR_ENDING,   /* its end is among the tasks */
    ACTOR_STOPPING, /* its end waits for `finish` */
    ACTOR_DEAD,     /* its end is about to be reported */
};

/* Whoever has a path. */
struct actor {
    char path[SCRIPT_PATH];
    char child_id[SCRIPT_PATH + 32];
    enum actor_state state;
    struct actor *parent; /* the supervisor it was started by, NULL: the root */
    struct dz_pid pid;
    uint64_t token;
    bool restarting; /* the start under way is a round's or a restart's */
    bool slow;
    enum verdict plan[SCRIPT_VERDICTS];
    unsigned plan_count;
    unsigned plan_at;
    struct dz_sup *machine; /* of a supervisor that lives */
    bool ready;
    bool asked_to_stop; /* by its parent, which it will hear of when its task's turn comes */
    bool told_to_stop;
    char end[32];       /* a supervisor's: why */
};

enum task_kind {
    TASK_STARTED,
    TASK_FAILED,
    TASK_ENDED, /* a worker, `reason` */
    TASK_BOOT,  /* a supervisor begins */
    TASK_TELL_TO_STOP,
    TASK_REPORT_END, /* a supervisor's end, to its parent */
};

struct task {
    enum task_kind kind;
    struct actor *actor;
    enum ending reason;
};

struct request {
    bool open;
    enum step_kind kind;
    char path[SCRIPT_PATH];
};

struct world {
    const struct script *script;
    struct trace *trace;
    unsigned step;   /* the last one of the group that is under way */
    unsigned asking; /* the step that makes a request */
    uint64_t now_ms;
    uint32_t next_slot;
    struct actor actors[ACTORS];
    unsigned actor_count;
    struct task tasks[TASKS];
    unsigned task_first;
    unsigned task_count;
    struct request requests[REQUESTS]; /* by the step that made them */
};

#define note(w, ...) trace_add((w)->trace, (w)->step, __VA_ARGS__)

/* --- actors --- */

static struct actor *find(struct world *w, const char *path)
{
    for (unsigned i = 0; i < w->actor_count; i++)
        if (strcmp(w->actors[i].path, path) == 0)
            return &w->actors[i];
    return NULL;
}

static struct actor *get(struct world *w, const char *path)
{
    struct actor *a = find(w, path);
    if (a != NULL)
        return a;
    dz_assert(w->actor_count < ACTORS);
    a = &w->actors[w->actor_count++];
    snprintf(a->path, sizeof a->path, "%s", path);
    return a;
}

static struct actor *by_pid(struct world *w, struct dz_pid pid)
{
    for (unsigned i = 0; i < w->actor_count; i++)
        if (!dz_pid_is_none(pid) && dz_pid_eq(w->actors[i].pid, pid))
            return &w->actors[i];
    return NULL;
}

static bool is_waiting(const struct actor *a)
{
    return a->state == ACTOR_HELD || a->state == ACTOR_STOPPING;
}

static bool blocked(const struct world *w)
{
    for (unsigned i = 0; i < w->actor_count; i++)
        if (is_waiting(&w->actors[i]))
            return true;
    return false;
}

static struct actor *live_supervisor(struct world *w, const char *path)
{
    struct actor *a = find(w, path);
    return a != NULL && a->machine != NULL ? a : NULL;
}

static struct actor *supervisor_of(struct world *w, const char *path)
{
    char parent[SCRIPT_PATH];
    script_parent(path, parent);
    return live_supervisor(w, parent);
}

static void push(struct world *w, enum task_kind kind, struct actor *a, enum ending reason)
{
    dz_assert(w->task_count < TASKS);
    w->tasks[(w->task_first + w->task_count++) % TASKS] = (struct task){kind, a, reason};
}

/* --- what a machine asks for --- */

static bool asked_about(const struct world *w, const char *path)
{
    for (unsigned i = 0; i < REQUESTS; i++) {
        const struct request *r = &w->requests[i];
        if (r->open && (r->kind == STEP_TERMINATE || r->kind == STEP_RESTART) && strcmp(r->path, path) == 0)
            return true;
    }
    return false;
}

/* A round stops at this child's failure, and a request about it stands before the retry: difference
 * round_goes_on. */
static void check_round_goes_on(struct world *w, const struct actor *a)
{
    enum dz_strategy strategy = dz_sup_spec_of(a->parent->machine)->strategy;
    bool round = strategy == DZ_ONE_FOR_ALL || strategy == DZ_REST_FOR_ONE;
    if (round && a->restarting && asked_about(w, a->path))
        note(w, "cut round_goes_on");
}

/* It starts or ends, or its end has not been reported yet. */
static bool busy(const struct actor *a)
{
    if (a->machine != NULL)
        return a->asked_to_stop || !a->ready;
    return a->state != ACTOR_NONE && a->state != ACTOR_LIVE;
}

/* An inner supervisor is told to stop while it starts or stops somebody: difference inner_broken_off. */
static void check_inner_broken_off(struct world *w, const struct actor *sup)
{
    size_t len = strlen(sup->path);
    for (unsigned i = 0; i < w->actor_count; i++) {
        const struct actor *a = &w->actors[i];
        bool below = strncmp(a->path, sup->path, len) == 0 && a->path[len] == '/';
        if (below && busy(a) && !a->parent->told_to_stop) {
            note(w, "cut inner_broken_off");
            return;
        }
    }
}

static void make_machine(struct world *w, struct actor *a, struct dz_sup_spec **spec)
{
    struct dz_sup_options options = {.id = a->path, .seed = 1, .now_ms = w->now_ms, .wall_ms = 1};
    dz_assert(a->machine == NULL);
    dz_sup_new(&a->machine, spec, &options);
    a->state = ACTOR_LIVE;
    a->ready = false;
    a->asked_to_stop = a->told_to_stop = false;
    a->pid = (struct dz_pid){0, ++w->next_slot, 1};
    push(w, TASK_BOOT, a, ENDING_NORMAL);
}

static void start_supervisor(struct world *w, struct actor *a, const struct dz_sup_spec *of)
{
    struct dz_spec_error error;
    struct dz_sup_spec *spec = NULL;
    int err = dz_sup_spec_read(&spec, of->source, of->source_len, &error);
    dz_assert(err == DZ_OK);
    note(w, "start %s sup", a->path);
    make_machine(w, a, &spec);
}

static void start_worker(struct world *w, struct actor *a)
{
    enum verdict v = a->plan_at < a->plan_count ? a->plan[a->plan_at++] : VERDICT_OK;
    note(w, "start %s %s", a->path, verdict_name(v));
    a->state = v == VERDICT_HOLD ? ACTOR_HELD : ACTOR_STARTING;
    if (v == VERDICT_OK)
        push(w, TASK_STARTED, a, ENDING_NORMAL);
    else if (v != VERDICT_HOLD)
        push(w, TASK_FAILED, a, ENDING_NORMAL);
}

static void perform_start(struct world *w, struct actor *sup, const struct dz_sup_start *start)
{
    char path[SCRIPT_PATH];
    bool inner = start->spec->kind == DZ_CHILD_SUPERVISOR;
    if (inner)
        snprintf(path, sizeof path, "%s", start->child_id);
    else if (!world_term_path_in_args(start->args, start->args_len, path)) {
        note(w, "unexpected start of %s without its args", start->child_id);
        return;
    }
    struct actor *a = get(w, path);
    struct dz_sup_child_info info;
    dz_sup_child_info(sup->machine, dz_sup_find_child(sup->machine, start->child_id, strlen(start->child_id)),
                      &info);
    if (a->state != ACTOR_NONE)
        note(w, "unexpected second %s", path);
    a->parent = sup;
    a->token = start->token;
    a->restarting = info.status == DZ_CHILD_RESTARTING;
    snprintf(a->child_id, sizeof a->child_id, "%s", start->child_id);
    if (inner)
        start_supervisor(w, a, start->spec->supervisor);
    else
        start_worker(w, a);
}

static void perform_stop(struct world *w, const struct dz_sup_stop_action *stop)
{
    struct actor *a = by_pid(w, stop->pid);
    if (a == NULL) {
        note(w, "unexpected stop of nobody");
        return;
    }
    if (a->state == ACTOR_DEAD)
        return; /* its end is on the way */
    if (a->machine != NULL) {
        a->asked_to_stop = true;
        push(w, TASK_TELL_TO_STOP, a, ENDING_SHUTDOWN);
        return;
    }
    note(w, stop->brutal ? "stop %s brutal" : "stop %s", a->path);
    if (a->state != ACTOR_LIVE)
        note(w, "unexpected stop");
    bool slow = a->slow && !stop->brutal;
    a->state = slow ? ACTOR_STOPPING : ACTOR_ENDING;
    if (slow)
        a->slow = false;
    else
        push(w, TASK_ENDED, a, stop->brutal ? ENDING_KILLED : ENDING_SHUTDOWN);
}

static void perform_reply(struct world *w, const struct dz_sup_reply *reply)
{
    struct request *r = &w->requests[reply->requester];
    if (!r->open)
        note(w, "unexpected reply %llu", (unsigned long long)reply->requester);
    r->open = false;
    note(w, "reply %llu %s", (unsigned long long)reply->requester, world_term_answer(reply->code));
    bool pid = r->kind == STEP_START_CHILD || r->kind == STEP_RESTART;
    if (reply->code == DZ_OK && pid && (!reply->has_pid || by_pid(w, reply->pid) != find(w, r->path)))
        note(w, "unexpected pid");
}

static void perform_exit(struct world *w, struct actor *sup, const struct dz_sup_exit *end)
{
    if (end->start_failed)
        snprintf(sup->end, sizeof sup->end, "start_failed");
    else
        world_term_class(end->reason, end->len, sup->end, sizeof sup->end);
    note(w, "down %s %s", sup->path, sup->end);
    if (sup->parent == NULL && end->start_failed)
        note(w, "boot %s failed", sup->path);
    sup->state = ACTOR_DEAD;
    push(w, TASK_REPORT_END, sup, ENDING_NORMAL);
}

static void perform_ready(struct world *w, struct actor *sup)
{
    sup->ready = true;
    if (sup->parent == NULL)
        note(w, "boot %s ok", sup->path);
    else
        push(w, TASK_STARTED, sup, ENDING_NORMAL);
}

/* Takes every action of `sup`; questions about nodes are answered at once, they never take the world time. */
static void take_actions(struct world *w, struct actor *sup)
{
    struct dz_candidate here = {.node = 0, .id = NODE_ID, .local = true, .connected = true};
    uint64_t selects[SELECTS];
    unsigned count = 0;
    bool ended = false;
    const struct dz_sup_action *a;
    while ((a = dz_sup_next_action(sup->machine)) != NULL) {
        if (a->type == DZ_SUP_SELECT && count < SELECTS)
            selects[count++] = a->as.select.token;
        else if (a->type == DZ_SUP_START)
            perform_start(w, sup, &a->as.start);
        else if (a->type == DZ_SUP_STOP)
            perform_stop(w, &a->as.stop);
        else if (a->type == DZ_SUP_READY)
            perform_ready(w, sup);
        else if (a->type == DZ_SUP_REPLY)
            perform_reply(w, &a->as.reply);
        else if (a->type == DZ_SUP_EXIT)
            perform_exit(w, sup, &a->as.exit);
        else if (a->type != DZ_SUP_EVENT && a->type != DZ_SUP_CANCEL)
            note(w, "unexpected action %d", (int)a->type);
        ended = ended || a->type == DZ_SUP_EXIT;
    }
    if (ended) {
        dz_sup_delete(sup->machine);
        sup->machine = NULL;
        sup->ready = false;
        return;
    }
    for (unsigned i = 0; i < count && sup->machine != NULL; i++) {
        dz_sup_candidates(sup->machine, w->now_ms, selects[i], &here, 1);
        take_actions(w, sup);
    }
}

/* --- tasks --- */

static void report_started(struct world *w, struct actor *a)
{
    struct dz_sup_started started = {.worker = DZ_SUP_ANY_WORKER, .is_supervisor = a->machine != NULL};
    if (a->machine == NULL)
        a->pid = (struct dz_pid){0, ++w->next_slot, 1};
    a->state = ACTOR_LIVE;
    started.pid = a->pid;
    dz_sup_started(a->parent->machine, w->now_ms, a->token, &started);
    a->token = 0;
    take_actions(w, a->parent);
}

static void report_failed(struct world *w, struct actor *a)
{
    static const uint8_t detail[] = {0xa6, 'o', 'r', 'a', 'c', 'l', 'e'};
    struct dz_sup_failure failure = {.code = DZ_EINITFAILED, .detail = detail, .detail_len = sizeof detail};
    uint64_t token = a->token;
    check_round_goes_on(w, a);
    a->state = ACTOR_NONE;
    a->pid = DZ_PID_NONE;
    a->token = 0;
    dz_sup_start_failed(a->parent->machine, w->now_ms, token, &failure);
    take_actions(w, a->parent);
}

static void report_ended(struct world *w, struct actor *a, enum ending reason)
{
    struct dz_buf buf;
    struct dz_pid pid = a->pid;
    a->state = ACTOR_NONE;
    a->pid = DZ_PID_NONE;
    if (a->parent->machine == NULL)
        return;
    dz_buf_init(&buf);
    world_term_reason(reason, &buf);
    dz_sup_exited(a->parent->machine, w->now_ms, pid, buf.data, buf.len, DZ_SUP_EXITED);
    take_actions(w, a->parent);
    dz_buf_fini(&buf);
}

/* The reason as OTP would give it: difference excess_reason. */
static enum ending end_of_supervisor(const struct actor *sup)
{
    for (int e = ENDING_NORMAL; e <= ENDING_KILLED; e++)
        if (strcmp(sup->end, ending_name((enum ending)e)) == 0)
            return (enum ending)e;
    return ENDING_SHUTDOWN;
}

static void report_end(struct world *w, struct actor *sup)
{
    sup->state = ACTOR_NONE;
    if (sup->parent == NULL)
        sup->pid = DZ_PID_NONE;
    else if (strcmp(sup->end, "start_failed") == 0)
        report_failed(w, sup);
    else
        report_ended(w, sup, end_of_supervisor(sup));
}

static void tell_to_stop(struct world *w, struct actor *sup, enum ending reason)
{
    struct dz_buf buf;
    if (sup->machine == NULL)
        return;
    check_inner_broken_off(w, sup);
    sup->told_to_stop = true;
    dz_buf_init(&buf);
    world_term_reason(reason, &buf);
    dz_sup_exit_signal(sup->machine, w->now_ms, buf.data, buf.len);
    take_actions(w, sup);
    dz_buf_fini(&buf);
}

static void perform(struct world *w, const struct task *t)
{
    switch (t->kind) {
    case TASK_STARTED:
        report_started(w, t->actor);
        break;
    case TASK_FAILED:
        report_failed(w, t->actor);
        break;
    case TASK_ENDED:
        report_ended(w, t->actor, t->reason);
        break;
    case TASK_BOOT:
        dz_sup_start(t->actor->machine, w->now_ms);
        take_actions(w, t->actor);
        break;
    case TASK_TELL_TO_STOP:
        tell_to_stop(w, t->actor, t->reason);
        break;
    case TASK_REPORT_END:
        report_end(w, t->actor);
        break;
    }
}

static void settle(struct world *w)
{
    while (w->task_count > 0) {
        struct task t = w->tasks[w->task_first];
        w->task_first = (w->task_first + 1) % TASKS;
        w->task_count--;
        perform(w, &t);
    }
}

/* --- when a step applies; oracle_peer.erl decides by the same rules --- */

static bool terminate_applies(struct world *w, const struct step *s)
{
    struct actor *parent = supervisor_of(w, s->path);
    const struct actor *a = find(w, s->path);
    if (parent == NULL)
        return false;
    if (a != NULL && (a->state == ACTOR_HELD || (a->machine != NULL && !a->ready)))
        return false;
    if (!script_is_simple(w->script, parent->path))
        return true;
    return a != NULL && a->state == ACTOR_LIVE && !blocked(w);
}

static bool applies(struct world *w, const struct step *s)
{
    const struct actor *a = find(w, s->path);
    const struct actor *parent = supervisor_of(w, s->path);
    switch (s->kind) {
    case STEP_PLAN:
    case STEP_SLOW:
        return true;
    case STEP_EXIT:
        return a != NULL && a->machine == NULL && (a->state == ACTOR_LIVE || a->state == ACTOR_STOPPING);
    case STEP_RELEASE:
        return a != NULL && a->state == ACTOR_HELD;
    case STEP_FINISH:
        return a != NULL && a->state == ACTOR_STOPPING;
    case STEP_START_CHILD:
        return parent != NULL;
    case STEP_TERMINATE:
        return terminate_applies(w, s);
    case STEP_RESTART:
        return parent != NULL && !script_is_simple(w->script, parent->path);
    case STEP_TIME:
        return !blocked(w);
    case STEP_WHICH:
        return !blocked(w) && live_supervisor(w, s->path) != NULL;
    case STEP_STOP:
        return !blocked(w) && live_supervisor(w, "r") != NULL;
    case STEP_SKIP:
        break;
    }
    return false;
}

/* Beside the rules above, in a group: terminate_child comes first, nobody ends twice. */
static bool may_join(struct world *w, const struct step *group, unsigned at)
{
    char parent[SCRIPT_PATH];
    script_parent(group[at].path, parent);
    if (group[at].kind == STEP_TERMINATE)
        return at == 0 && !script_is_simple(w->script, parent);
    for (unsigned i = 0; i < at; i++)
        if (group[at].kind == STEP_EXIT && group[i].kind == STEP_EXIT &&
            strcmp(group[i].path, group[at].path) == 0)
            return false;
    return true;
}

/* --- steps --- */

static void ask(struct world *w, const struct step *s)
{
    struct actor *sup = supervisor_of(w, s->path);
    struct request *r = &w->requests[w->asking];
    const struct actor *a = find(w, s->path);
    struct dz_buf buf;
    *r = (struct request){.open = true, .kind = s->kind};
    snprintf(r->path, sizeof r->path, "%s", s->path);
    if (sup == NULL) {
        /* An event of the same group ended it: OTP's callers hear the same. */
        note(w, "reply %u gone", w->asking);
        return;
    }
    bool simple = script_is_simple(w->script, sup->path);
    const char *id = simple && a != NULL ? a->child_id : s->path;
    dz_buf_init(&buf);
    if (s->kind == STEP_TERMINATE) {
        dz_sup_terminate_child(sup->machine, w->now_ms, w->asking, id, strlen(id));
    } else if (s->kind == STEP_RESTART) {
        dz_sup_restart_child(sup->machine, w->now_ms, w->asking, id, strlen(id));
    } else {
        if (simple)
            world_term_args(s->path, &buf);
        else
            world_term_child(&s->child, &buf);
        dz_sup_start_child(sup->machine, w->now_ms, w->asking, buf.data, buf.len);
    }
    take_actions(w, sup);
    dz_buf_fini(&buf);
}

static void release(struct world *w, struct actor *a, enum verdict v)
{
    if (v == VERDICT_OK)
        report_started(w, a);
    else
        report_failed(w, a);
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void append_children(struct world *w, const struct actor *sup, struct dz_buf *out)
{
    char words[ACTORS][SCRIPT_PATH + 48];
    const char *sorted[ACTORS];
    unsigned count = 0;
    for (const struct dz_sup_child *c = dz_sup_first_child(sup->machine); c != NULL;
         c = dz_sup_next_child(sup->machine, c)) {
        struct dz_sup_child_info info;
        dz_sup_child_info(sup->machine, c, &info);
        const char *name = info.id;
        for (unsigned i = 0; i < w->actor_count; i++)
            if (w->actors[i].parent == sup && strcmp(w->actors[i].child_id, info.id) == 0)
                name = w->actors[i].path;
        dz_assert(count < ACTORS);
        snprintf(words[count], sizeof words[count], "%s:%s", name, dz_sup_status_name(info.status));
        sorted[count] = words[count];
        count++;
    }
    /* difference simple_order */
    if (script_is_simple(w->script, sup->path))
        qsort(sorted, count, sizeof *sorted, compare_words);
    for (unsigned i = 0; i < count; i++)
        dz_buf_printf(out, " %s", sorted[i]);
}

static void snapshot(struct world *w, const struct actor *sup)
{
    struct dz_sup_counts counts;
    struct dz_buf buf;
    dz_buf_init(&buf);
    append_children(w, sup, &buf);
    dz_sup_count_children(sup->machine, &counts);
    note(w, "state %s%.*s specs=%u active=%u supervisors=%u workers=%u", sup->path, (int)buf.len,
         buf.len ? (const char *)buf.data : "", counts.specs, counts.active, counts.supervisors,
         counts.workers);
    dz_buf_fini(&buf);
}

static void do_step(struct world *w, const struct step *s)
{
    struct actor *a = s->path[0] ? get(w, s->path) : NULL;
    switch (s->kind) {
    case STEP_PLAN:
        memcpy(a->plan, s->verdicts, sizeof a->plan);
        a->plan_count = s->verdict_count;
        a->plan_at = 0;
        break;
    case STEP_SLOW:
        a->slow = true;
        break;
    case STEP_EXIT:
        report_ended(w, a, s->reason);
        break;
    case STEP_RELEASE:
        release(w, a, s->verdicts[0]);
        break;
    case STEP_FINISH:
        report_ended(w, a, ENDING_SHUTDOWN);
        break;
    case STEP_START_CHILD:
    case STEP_TERMINATE:
    case STEP_RESTART:
        ask(w, s);
        break;
    case STEP_TIME:
        w->now_ms += (uint64_t)s->seconds * 1000;
        break;
    case STEP_WHICH:
        snapshot(w, a);
        break;
    case STEP_STOP:
        tell_to_stop(w, find(w, "r"), s->reason);
        break;
    case STEP_SKIP:
        break;
    }
}

static void run_group(struct world *w, const struct step *group, unsigned count, unsigned first_number)
{
    bool apply[SCRIPT_STEPS];
    for (unsigned i = 0; i < count; i++)
        apply[i] = applies(w, &group[i]) && (count == 1 || may_join(w, group, i));
    for (unsigned i = 0; i < count; i++)
        if (!apply[i])
            trace_add(w->trace, first_number + i, "skip");
    /* All that end in this moment are gone before anybody is told. */
    for (unsigned i = 0; i < count; i++)
        if (apply[i] && group[i].kind == STEP_EXIT)
            find(w, group[i].path)->state = ACTOR_DEAD;
    w->step = first_number + count - 1;
    w->trace->loose[w->step] = blocked(w);
    for (unsigned i = 0; i < count; i++) {
        w->asking = first_number + i;
        if (apply[i])
            do_step(w, &group[i]);
    }
    settle(w);
}

/* --- a script --- */

static void boot(struct world *w)
{
    struct dz_buf buf;
    struct dz_spec_error error;
    struct dz_sup_spec *spec = NULL;
    struct actor *root = get(w, "r");
    dz_buf_init(&buf);
    world_term_supervisor(w->script, "r", &buf);
    int err = dz_sup_spec_read(&spec, buf.data, buf.len, &error);
    dz_buf_fini(&buf);
    note(w, "start r sup");
    if (err != DZ_OK) {
        note(w, "boot r invalid");
        note(w, "down r invalid");
        return;
    }
    make_machine(w, root, &spec);
    settle(w);
}

static int compare_actors(const void *a, const void *b)
{
    return strcmp((*(struct actor *const *)a)->path, (*(struct actor *const *)b)->path);
}

static unsigned sorted_actors(struct world *w, struct actor *out[ACTORS])
{
    for (unsigned i = 0; i < w->actor_count; i++)
        out[i] = &w->actors[i];
    qsort((void *)out, w->actor_count, sizeof *out, compare_actors);
    return w->actor_count;
}

static struct actor *first_in(struct world *w, enum actor_state state)
{
    struct actor *sorted[ACTORS];
    unsigned n = sorted_actors(w, sorted);
    for (unsigned i = 0; i < n; i++)
        if (sorted[i]->state == state)
            return sorted[i];
    return NULL;
}

/* Whatever waits is let go, then looked at, then stopped. */
static void let_go(struct world *w)
{
    for (unsigned i = 0; i < LET_GO_MAX; i++) {
        struct actor *held = first_in(w, ACTOR_HELD), *stopping = first_in(w, ACTOR_STOPPING);
        if (held == NULL && stopping == NULL)
            return;
        w->step++;
        w->trace->loose[w->step] = true;
        if (held != NULL)
            report_started(w, held);
        else
            report_ended(w, stopping, ENDING_SHUTDOWN);
        settle(w);
    }
    note(w, "endless");
}

static void epilogue(struct world *w)
{
    struct actor *sorted[ACTORS];
    for (unsigned i = 0; i < w->actor_count; i++) {
        w->actors[i].slow = false;
        w->actors[i].plan_count = 0;
    }
    w->step++;
    let_go(w);
    w->step++;
    unsigned n = sorted_actors(w, sorted);
    for (unsigned i = 0; i < n; i++)
        if (sorted[i]->machine != NULL)
            snapshot(w, sorted[i]);
    if (live_supervisor(w, "r") != NULL) {
        w->step++;
        tell_to_stop(w, find(w, "r"), ENDING_SHUTDOWN);
        settle(w);
    }
    n = sorted_actors(w, sorted);
    for (unsigned i = 0; i < n; i++)
        if (!dz_pid_is_none(sorted[i]->pid))
            note(w, "left %s", sorted[i]->path);
}

void world_run(const struct script *script, struct trace *out)
{
    struct world *w = calloc(1, sizeof *w);
    dz_assert(w != NULL);
    w->script = script;
    w->trace = out;
    w->now_ms = 1000000;
    unsigned early = script_early_plans(script);
    for (unsigned i = 0; i < early; i++)
        do_step(w, &script->steps[i]);
    w->step = early;
    boot(w);
    for (unsigned i = early; i < script->step_count;) {
        unsigned end = i + 1;
        while (end < script->step_count && script->steps[end].joined)
            end++;
        run_group(w, &script->steps[i], end - i, i + 1);
        i = end;
    }
    w->step = script->step_count;
    epilogue(w);
    for (unsigned i = 0; i < w->actor_count; i++)
        if (w->actors[i].machine != NULL)
            dz_sup_delete(w->actors[i].machine);
    free(w);
}
