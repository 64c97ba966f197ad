/* round.c - what the end of a child leads to: its restart, a round of several, retries, waiting for a node.
 * Owns:    the operations REPLACE and ROUND.
 * Threads: the machine's.
 * A round that a child keeps from finishing leaves that child as `blocker` and the rest `in_round`; the
 * supervisor is free meanwhile. The retry begins a round anew from the blocker; that takes the rest along. */
#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "sup/machine.h"

static enum dz_strategy_scope scope_of(const struct dz_sup *s)
{
    return dz_strategy_scope_of(s->spec->strategy);
}

static uint64_t next_delay(struct dz_sup *s, struct dz_sup_child *c)
{
    if (c->spec->backoff.initial_ms == 0)
        return 0;
    return dz_backoff_delay(&c->spec->backoff, c->backoff_step++, dz_sup_random(s));
}

/* A retry lies ahead: after the delay, or (as OTP casts it to itself) behind what is in the queue already. */
static void arm(struct dz_sup *s, struct dz_sup_child *c, uint64_t delay_ms, bool counted)
{
    dz_assert(c->process == DZ_PROCESS_NONE && c->flight == DZ_FLIGHT_NONE && c->queued == NULL);
    dz_children_set_status(s, c, DZ_CHILD_RESTARTING);
    c->blocker = true;
    c->counted = counted;
    if (delay_ms > 0) {
        int err = dz_heap_push(&s->timers, &c->timer, s->now_ms + delay_ms);
        dz_assert(err == DZ_OK);
        return;
    }
    dz_sup_enqueue_retry(s, c);
}

static void replace_one(struct dz_sup *s, struct dz_sup_child *c)
{
    dz_sup_op_begin(s, DZ_OP_REPLACE);
    dz_list_push_back(&s->op.todo, &c->todo);
    dz_round_replace(s, false);
}

/* --- what an end, or a retry that is due, leads to --- */

/* It ended by itself and is not started again. As in OTP, simple_one_for_one keeps no record of who ended normally:
 * such children come and go by the thousand. A superseded one has not ended, a newer copy of it lives. */
static void stay_ended(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_how how)
{
    bool passing = s->spec->strategy == DZ_SIMPLE_ONE_FOR_ONE && how != DZ_SUP_SUPERSEDED;
    dz_report_child_stopped(s, c);
    if (passing || c->spec->restart == DZ_TEMPORARY)
        dz_children_remove(s, c);
    else
        dz_children_set_status(s, c, DZ_CHILD_STOPPED);
}

static void restart(struct dz_sup *s, struct dz_sup_child *c, uint64_t delay_ms)
{
    if (scope_of(s) != DZ_SCOPE_SELF)
        dz_round_begin(s, c, delay_ms);
    else if (delay_ms > 0)
        arm(s, c, delay_ms, true);
    else
        replace_one(s, c);
}

void dz_round_handle_exit(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_how how)
{
    dz_assert(c->process == DZ_PROCESS_DEAD);
    c->process = DZ_PROCESS_NONE;
    if (how == DZ_SUP_SUPERSEDED) {
        stay_ended(s, c, how);
        return;
    }
    if (!dz_strategy_restarts(c->spec->restart, c->end.data, c->end.len)) {
        stay_ended(s, c, how);
        dz_shutdown_check_auto(s, c->spec);
        return;
    }
    if (!dz_intensity_add(&s->intensity, s->now_ms)) {
        dz_shutdown_excess(s, &c->end);
        return;
    }
    s->total_restarts++;
    restart(s, c, next_delay(s, c));
}

static void retry(struct dz_sup *s, struct dz_sup_child *c)
{
    bool counted = c->counted;
    c->blocker = c->counted = false;
    if (!counted && !dz_intensity_add(&s->intensity, s->now_ms)) {
        dz_shutdown_excess(s, &c->failure);
        return;
    }
    restart(s, c, 0);
}

/* As in OTP it is for whoever waits for a retry when its turn comes, were it after another failure; one with a timer
 * waits for that. */
void dz_round_handle_retry(struct dz_sup *s, const char *id)
{
    struct dz_sup_child *c = dz_children_find(s, id, strlen(id));
    if (c == NULL || dz_heap_holds(&c->timer))
        return;
    if (c->status == DZ_CHILD_PENDING)
        replace_one(s, c);
    else if (c->blocker)
        retry(s, c);
}

static void failed_attempt(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_failure *failure)
{
    if (failure->superseded) {
        dz_sup_reason_text(&c->end, "superseded");
        stay_ended(s, c, DZ_SUP_SUPERSEDED);
        return;
    }
    if (failure->detail != NULL)
        dz_sup_reason_set(&c->failure, failure->detail, failure->detail_len);
    else
        dz_sup_reason_text(&c->failure, dz_err_name(failure->code));
    uint64_t delay_ms = next_delay(s, c);
    /* Nobody waits for a delayed retry that would be one too many. */
    if (delay_ms > 0 && !dz_intensity_add(&s->intensity, s->now_ms))
        dz_shutdown_excess(s, &c->failure);
    else
        arm(s, c, delay_ms, delay_ms > 0);
}

/* --- children without a node --- */

static void make_pending(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_failure *failure)
{
    static const struct dz_backoff usual = {DZ_SUP_PENDING_INITIAL_MS, DZ_SUP_PENDING_MAX_MS, 2.0, 0.1, 0};
    const struct dz_backoff *b = c->spec->backoff.initial_ms > 0 ? &c->spec->backoff : &usual;
    uint64_t delay_ms = dz_backoff_delay(b, c->pending_step++, dz_sup_random(s));
    dz_children_set_status(s, c, DZ_CHILD_PENDING);
    c->excluded = DZ_SUP_NO_NODE;
    dz_list_push_back(&s->pending, &c->group);
    int err = dz_heap_push(&s->timers, &c->timer, s->now_ms + delay_ms);
    dz_assert(err == DZ_OK);
    if (!c->pending_told)
        dz_report_pending(s, c, failure);
    c->pending_told = true;
}

void dz_round_handle_node_up(struct dz_sup *s)
{
    if (dz_list_empty(&s->pending))
        return;
    dz_children_sort(&s->pending);
    dz_sup_op_begin(s, DZ_OP_REPLACE);
    dz_list_each(&s->pending, node)
    {
        struct dz_sup_child *c = dz_list_entry(node, struct dz_sup_child, group);
        dz_list_push_back(&s->op.todo, &c->todo);
    }
    dz_round_replace(s, scope_of(s) != DZ_SCOPE_SELF);
}

/* --- REPLACE: children start again, all at once or one after another --- */

static bool launch_next(struct dz_sup *s)
{
    struct dz_list *node = dz_list_pop_front(&s->op.todo);
    if (node == NULL)
        return false;
    struct dz_sup_child *c = dz_list_entry(node, struct dz_sup_child, todo);
    bool pending = c->status == DZ_CHILD_PENDING;
    if (!pending)
        dz_children_set_status(s, c, DZ_CHILD_RESTARTING);
    s->op.flying++;
    dz_place_launch(s, c, pending ? DZ_PLACE_SELECT : DZ_PLACE_SAME_NODE);
    return true;
}

void dz_round_replace(struct dz_sup *s, bool serial)
{
    s->op.serial = serial;
    dz_assert(!dz_list_empty(&s->op.todo));
    while (launch_next(s) && !serial) {
    }
}

void dz_round_replace_outcome(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_outcome outcome,
                              const struct dz_sup_failure *failure)
{
    dz_assert(s->op.flying > 0);
    s->op.flying--;
    if (outcome == DZ_OUTCOME_FAILED)
        failed_attempt(s, c, failure);
    else if (outcome == DZ_OUTCOME_NO_NODE)
        make_pending(s, c, failure);
    else if (outcome == DZ_OUTCOME_BROKEN)
        dz_requests_bury(s, c);
    if (s->op.kind != DZ_OP_REPLACE)
        return;
    if (s->op.serial && launch_next(s))
        return;
    if (s->op.flying == 0)
        dz_sup_op_end(s);
}

/* --- ROUND: stop backwards, then start forwards --- */

/* No process is left of it; the round starts it again when its turn comes. */
static void settle(struct dz_sup *s, struct dz_sup_child *c)
{
    dz_children_forget_plans(s, c);
    if (c->spec->restart == DZ_TEMPORARY) {
        dz_report_child_stopped(s, c);
        dz_children_remove(s, c);
        return;
    }
    c->in_round = true;
    dz_children_set_status(s, c, DZ_CHILD_RESTARTING);
}

static void start_step(struct dz_sup *s)
{
    struct dz_sup_child *c;
    while ((c = s->op.cursor) != NULL) {
        /* What lies behind another blocker waits for that one's retry. */
        if (c->blocker)
            break;
        s->op.cursor = dz_children_next(s, c);
        if (!c->in_round)
            continue;
        c->in_round = false;
        dz_children_set_status(s, c, DZ_CHILD_RESTARTING);
        dz_place_launch(s, c, DZ_PLACE_SAME_NODE);
        return;
    }
    dz_sup_op_end(s);
}

static void start_half(struct dz_sup *s)
{
    struct dz_sup_child *from = s->op.child;
    s->op.starting = true;
    if (s->op.delay_ms > 0) {
        from->in_round = false;
        arm(s, from, s->op.delay_ms, true);
        dz_sup_op_end(s);
        return;
    }
    s->op.cursor = scope_of(s) == DZ_SCOPE_ALL ? dz_children_first(s) : from;
    start_step(s);
}

static void stop_step(struct dz_sup *s)
{
    struct dz_sup_child *c;
    while ((c = s->op.cursor) != NULL) {
        s->op.cursor = c == s->op.last ? NULL : dz_children_before(s, c);
        if (c->process == DZ_PROCESS_LIVE) {
            s->op.waiting = c;
            dz_report_stop(s, c);
            return;
        }
        settle(s, c);
    }
    start_half(s);
}

void dz_round_begin(struct dz_sup *s, struct dz_sup_child *from, uint64_t delay_ms)
{
    dz_assert(from->spec->restart != DZ_TEMPORARY);
    dz_sup_op_begin(s, DZ_OP_ROUND);
    s->op.child = from;
    s->op.delay_ms = delay_ms;
    s->op.last = scope_of(s) == DZ_SCOPE_ALL ? NULL : from;
    s->op.cursor = dz_children_last(s);
    stop_step(s);
}

void dz_round_resume(struct dz_sup *s, struct dz_sup_child *cursor)
{
    dz_sup_op_begin(s, DZ_OP_ROUND);
    s->op.starting = true;
    s->op.cursor = scope_of(s) == DZ_SCOPE_ALL ? dz_children_first(s) : cursor;
    start_step(s);
}

void dz_round_stopped(struct dz_sup *s, struct dz_sup_child *c)
{
    dz_assert(!s->op.starting);
    settle(s, c);
    stop_step(s);
}

void dz_round_outcome(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_outcome outcome,
                      const struct dz_sup_failure *failure)
{
    dz_assert(s->op.starting);
    if (outcome == DZ_OUTCOME_FAILED) {
        bool blocks = !failure->superseded;
        failed_attempt(s, c, failure);
        if (blocks && s->op.kind == DZ_OP_ROUND)
            dz_sup_op_end(s);
        if (blocks)
            return;
    }
    if (outcome == DZ_OUTCOME_NO_NODE)
        make_pending(s, c, failure);
    else if (outcome == DZ_OUTCOME_BROKEN)
        dz_requests_bury(s, c);
    start_step(s);
}
