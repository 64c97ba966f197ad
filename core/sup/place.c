/* place.c - a child's start: which node, its turn on that node, the driver's answer.
 * Owns:    the flight of a child (dz_sup_child.flight) and its token.
 * Threads: the machine's.
 * Flow:    launch -> SELECT -> candidates [-> ASK -> selected] -> START -> started or failed ->
 *          dz_sup_outcome. A restart where it ran skips the selector. */
#include <string.h>
#include "base/assert.h"
#include "base/buf.h"
#include "base/err.h"
#include "sup/machine.h"
#include "term/build.h"

/* FNV-1a: tells the id of a node from others long after the text is gone. */
static uint64_t hash_id(const char *id)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *id; id++)
        h = (h ^ (uint8_t)*id) * UINT64_C(0x100000001b3);
    return h;
}

static const struct dz_selector *selector_of(const struct dz_sup *s, const struct dz_sup_child *c)
{
    return c->spec->own_selector ? &c->spec->selector : &s->spec->selector;
}

static void report_select(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_action_type type)
{
    struct dz_sup_action *a = dz_report_action(s, type);
    a->as.select = (struct dz_sup_select){c->token, c->id, selector_of(s, c), c->excluded};
}

static void select_node(struct dz_sup *s, struct dz_sup_child *c)
{
    c->flight = DZ_FLIGHT_SELECTING;
    c->same_node = false;
    report_select(s, c, DZ_SUP_SELECT);
}

static void start(struct dz_sup *s, struct dz_sup_child *c, struct dz_sup_node *n)
{
    n->starting++;
    c->flight = DZ_FLIGHT_STARTING;
    c->cancelled = false;
    c->epoch++;
    struct dz_sup_action *a = dz_report_action(s, DZ_SUP_START);
    a->as.start = (struct dz_sup_start){
        .token = c->token,
        .child_id = c->id,
        .spec = c->spec,
        .args = c->args.data ? c->args.data : c->spec->args,
        .args_len = c->args.data ? c->args.len : c->spec->args_len,
        .node = c->flight_node,
        .worker = c->same_node ? c->worker : DZ_SUP_ANY_WORKER,
        .timeout_ms = c->flight_local ? c->spec->start_local_ms : c->spec->start_remote_ms,
        .epoch = c->epoch,
        .attempt = c->ever_started ? c->restart_count + 1 : 0,
        .no_jit = c->no_jit,
    };
}

static void start_or_hold(struct dz_sup *s, struct dz_sup_child *c)
{
    struct dz_sup_node *n = dz_children_node(s, c->flight_node);
    if (n->starting < DZ_SUP_STARTS_PER_NODE) {
        start(s, c, n);
        return;
    }
    c->flight = DZ_FLIGHT_HELD;
    dz_list_push_back(&n->held, &c->todo);
}

void dz_place_launch(struct dz_sup *s, struct dz_sup_child *c, enum dz_place_how how)
{
    dz_assert(c->flight == DZ_FLIGHT_NONE && c->process != DZ_PROCESS_LIVE);
    dz_children_forget_plans(s, c);
    c->token = ++s->next_token;
    int err = dz_map_put(&s->by_token, c->token, c);
    dz_assert(err == DZ_OK);
    if (how == DZ_PLACE_SELECT || c->lost || c->node == DZ_SUP_NO_NODE) {
        select_node(s, c);
        return;
    }
    c->same_node = true;
    c->flight_node = c->node;
    c->flight_hash = c->node_hash;
    c->flight_local = c->on_local;
    start_or_hold(s, c);
}

static void end_flight(struct dz_sup *s, struct dz_sup_child *c)
{
    enum dz_sup_flight was = c->flight;
    dz_map_remove(&s->by_token, c->token);
    c->flight = DZ_FLIGHT_NONE;
    if (was != DZ_FLIGHT_STARTING && was != DZ_FLIGHT_HELD)
        return;
    struct dz_sup_node *n = dz_children_node(s, c->flight_node);
    if (was == DZ_FLIGHT_HELD) {
        dz_list_remove(&c->todo);
    } else {
        n->starting--;
        struct dz_list *next = s->phase == DZ_PHASE_STOPPING ? NULL : dz_list_pop_front(&n->held);
        if (next != NULL)
            start(s, dz_list_entry(next, struct dz_sup_child, todo), n);
    }
    dz_children_release_node(s, n);
}

bool dz_place_break_off(struct dz_sup *s, struct dz_sup_child *c)
{
    dz_assert(c->flight != DZ_FLIGHT_NONE);
    if (c->flight != DZ_FLIGHT_STARTING) {
        end_flight(s, c);
        return false;
    }
    if (!c->cancelled)
        dz_report_action(s, DZ_SUP_CANCEL)->as.token = c->token;
    c->cancelled = true;
    return true;
}

void dz_place_abandon(struct dz_sup *s, struct dz_sup_child *c)
{
    if (dz_place_break_off(s, c))
        end_flight(s, c);
}

void dz_place_release_held(struct dz_sup *s, struct dz_sup_node *n)
{
    struct dz_list *node;
    while ((node = dz_list_pop_front(&n->held)) != NULL) {
        struct dz_sup_child *c = dz_list_entry(node, struct dz_sup_child, todo);
        c->excluded = n->node;
        select_node(s, c);
    }
}

/* The cause of no_available_node, as the failure's detail. */
static void no_node(struct dz_sup *s, struct dz_sup_child *c, const char *text, const uint8_t *term,
                    size_t len)
{
    struct dz_buf buf;
    struct dz_build b;
    end_flight(s, c);
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 1);
    if (term != NULL)
        dz_build_kraw(&b, "cause", term, len);
    else
        dz_build_kstring(&b, "cause", text);
    struct dz_sup_failure failure = {.code = DZ_ENONODE};
    if (dz_build_done(&b) == DZ_OK) {
        failure.detail = buf.data;
        failure.detail_len = buf.len;
    }
    dz_sup_outcome(s, c, DZ_OUTCOME_NO_NODE, &failure);
    dz_buf_fini(&buf);
}

static void chosen(struct dz_sup *s, struct dz_sup_child *c, const struct dz_candidate *node)
{
    c->flight_node = node->node;
    c->flight_hash = hash_id(node->id);
    c->flight_local = node->local;
    start_or_hold(s, c);
}

static struct dz_selector_query query_of(const struct dz_sup_child *c, const struct dz_candidate *nodes,
                                         size_t count)
{
    return (struct dz_selector_query){nodes, count, c->excluded, c->spec->local_only};
}

void dz_place_candidates(struct dz_sup *s, uint64_t token, const struct dz_candidate *nodes, size_t count)
{
    struct dz_sup_child *c = dz_map_get(&s->by_token, token);
    const char *cause = NULL;
    size_t at = 0;
    if (c == NULL || c->flight != DZ_FLIGHT_SELECTING)
        return;
    struct dz_selector_query q = query_of(c, nodes, count);
    int verdict = dz_selector_choose(selector_of(s, c), &q, &s->round_robin, dz_sup_random(s), &at, &cause);
    if (verdict == DZ_OK) {
        chosen(s, c, &nodes[at]);
    } else if (verdict == DZ_SELECTOR_ASK) {
        c->flight = DZ_FLIGHT_ASKING;
        report_select(s, c, DZ_SUP_ASK);
    } else {
        no_node(s, c, cause, NULL, 0);
    }
}

void dz_place_selected(struct dz_sup *s, uint64_t token, const struct dz_candidate *nodes, size_t count,
                       const char *node_id, const uint8_t *failure, size_t failure_len)
{
    struct dz_sup_child *c = dz_map_get(&s->by_token, token);
    const char *cause = NULL;
    size_t at = 0;
    if (c == NULL || c->flight != DZ_FLIGHT_ASKING)
        return;
    struct dz_selector_query q = query_of(c, nodes, count);
    if (node_id == NULL && failure != NULL)
        no_node(s, c, NULL, failure, failure_len);
    else if (dz_selector_check_answer(&q, node_id, &at, &cause) == DZ_OK)
        chosen(s, c, &nodes[at]);
    else
        no_node(s, c, cause, NULL, 0);
}

/* The start was broken off too late: the process is ended like any other, and nobody hears of it. */
static void end_late_process(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_started *started)
{
    dz_children_attach(s, c, started);
    c->silent = true;
    if (s->phase == DZ_PHASE_STOPPING)
        dz_shutdown_child_gone(s, c);
    else
        dz_report_stop(s, c);
}

void dz_place_started(struct dz_sup *s, uint64_t token, const struct dz_sup_started *started)
{
    struct dz_sup_child *c = dz_map_get(&s->by_token, token);
    if (c == NULL || c->flight != DZ_FLIGHT_STARTING)
        return;
    end_flight(s, c);
    if (c->doomed || s->phase == DZ_PHASE_STOPPING) {
        end_late_process(s, c, started);
        return;
    }
    dz_report_started(s, c, started);
    dz_children_attach(s, c, started);
    dz_children_set_status(s, c, DZ_CHILD_RUNNING);
    dz_sup_blob_clear(&c->failure);
    dz_sup_outcome(s, c, DZ_OUTCOME_UP, NULL);
}

void dz_place_failed(struct dz_sup *s, uint64_t token, const struct dz_sup_failure *failure)
{
    struct dz_sup_child *c = dz_map_get(&s->by_token, token);
    if (c == NULL || c->flight != DZ_FLIGHT_STARTING)
        return;
    bool replacing = s->op.kind == DZ_OP_REPLACE || s->op.kind == DZ_OP_ROUND;
    end_flight(s, c);
    if (s->phase == DZ_PHASE_STOPPING)
        dz_shutdown_child_gone(s, c);
    else if (c->doomed)
        dz_sup_outcome(s, c, DZ_OUTCOME_BROKEN, NULL);
    else if (failure->refused && c->same_node) {
        /* Where it ran it cannot run now: that asks the selector, and is no failed attempt. */
        c->excluded = c->flight_node;
        dz_place_launch(s, c, DZ_PLACE_SELECT);
    } else if (failure->refused && replacing)
        dz_sup_outcome(s, c, DZ_OUTCOME_NO_NODE, failure);
    else
        dz_sup_outcome(s, c, DZ_OUTCOME_FAILED, failure);
}
