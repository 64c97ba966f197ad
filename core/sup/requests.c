/* requests.c - start_child, terminate_child and restart_child in their turn.
 * Owns:    the operations of these names; each ends with exactly one reply.
 * Threads: the machine's. */
#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "base/buf.h"
#include "base/err.h"
#include "sup/machine.h"
#include "term/read.h"

void dz_requests_bury(struct dz_sup *s, struct dz_sup_child *c)
{
    dz_assert(c->doomed);
    uint64_t requester = c->doomed_by;
    dz_children_forget_plans(s, c);
    dz_report_child_stopped(s, c);
    dz_children_remove(s, c);
    dz_report_ok(s, requester);
}

static bool keeps_round_waiting(const struct dz_sup *s, const struct dz_sup_child *c)
{
    return c->blocker && dz_strategy_scope_of(s->spec->strategy) != DZ_SCOPE_SELF;
}

/* The request is done; `next` stood behind its child. */
static void end_request(struct dz_sup *s, struct dz_sup_child *next)
{
    if (s->op.resume)
        dz_round_resume(s, next);
    else
        dz_sup_op_end(s);
}

/* --- start_child --- */

/* A table with named fields: a child spec, not a list of args. */
static bool has_names(const uint8_t *term, size_t len)
{
    struct dz_read r;
    struct dz_value key;
    uint32_t count;
    dz_read_init(&r, term, len);
    return dz_read_map(&r, &count) == DZ_OK && count > 0 && dz_read_next(&r, &key) == DZ_OK && key.type == DZ_TERM_STRING;
}

static int refuse_child_spec(struct dz_spec_error *error)
{
    memset(error, 0, sizeof *error);
    error->code = DZ_ESIMPLE;
    snprintf(error->message, sizeof error->message,
             "a child of simple_one_for_one is given as a list of args for the template, not as a child spec");
    return DZ_ESIMPLE;
}

/* The args of a child of the template, or the error. */
static int read_args(struct dz_sup *s, const uint8_t *term, size_t len, struct dz_sup_blob *out,
                     struct dz_spec_error *error)
{
    const struct dz_child_spec *t = s->spec->child_template;
    struct dz_buf buf;
    if (has_names(term, len))
        return refuse_child_spec(error);
    dz_buf_init(&buf);
    int err = dz_spec_join_args(&buf, t->args, t->args_len, term, len, error);
    if (err == DZ_OK)
        out->data = dz_buf_detach(&buf, &out->len);
    dz_buf_fini(&buf);
    return err;
}

/* The record of the child that is asked for; NULL: the one who asked has been told why not. */
static struct dz_sup_child *add_simple(struct dz_sup *s, struct dz_sup_entry *e)
{
    char id[40];
    struct dz_spec_error error;
    struct dz_sup_blob args = {NULL, 0};
    if (read_args(s, e->term.data, e->term.len, &args, &error) != DZ_OK) {
        dz_report_spec_error(s, e->requester, &error);
        return NULL;
    }
    snprintf(id, sizeof id, "child_%llu", (unsigned long long)++s->next_generated);
    struct dz_sup_child *c = dz_children_add(s, id, s->spec->child_template);
    if (c == NULL) {
        dz_sup_blob_clear(&args);
        dz_report_error(s, e->requester, DZ_ENOMEM, NULL);
        return NULL;
    }
    c->args = args;
    return c;
}

static struct dz_sup_child *add_given(struct dz_sup *s, struct dz_sup_entry *e)
{
    struct dz_spec_error error;
    struct dz_child_spec *spec = NULL;
    struct dz_sup_child *c = NULL;
    if (dz_child_spec_read(&spec, s->spec, e->term.data, e->term.len, &error) != DZ_OK) {
        dz_report_spec_error(s, e->requester, &error);
        return NULL;
    }
    bool duplicate = dz_children_find(s, spec->id, strlen(spec->id)) != NULL;
    if (!duplicate)
        c = dz_children_add(s, spec->id, spec);
    if (c == NULL) {
        dz_report_error(s, e->requester, duplicate ? DZ_EDUPLICATECHILD : DZ_ENOMEM, duplicate ? spec->id : NULL);
        dz_child_spec_delete(spec);
        return NULL;
    }
    c->own_spec = spec;
    return c;
}

void dz_requests_handle_start(struct dz_sup *s, struct dz_sup_entry *e)
{
    bool simple = s->spec->strategy == DZ_SIMPLE_ONE_FOR_ONE;
    struct dz_sup_child *c = simple ? add_simple(s, e) : add_given(s, e);
    if (c == NULL)
        return;
    dz_sup_op_begin(s, DZ_OP_START_CHILD);
    s->op.requester = e->requester;
    s->op.child = c;
    dz_children_set_status(s, c, DZ_CHILD_STARTING);
    dz_place_launch(s, c, DZ_PLACE_SELECT);
}

static void start_outcome(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_outcome outcome,
                          const struct dz_sup_failure *failure)
{
    if (outcome == DZ_OUTCOME_UP)
        dz_report_pid(s, s->op.requester, c);
    else
        dz_report_start_failed(s, s->op.requester, c, failure);
    if (outcome == DZ_OUTCOME_BROKEN)
        dz_requests_bury(s, c);
    else if (outcome != DZ_OUTCOME_UP)
        dz_children_remove(s, c);
    dz_sup_op_end(s);
}

/* --- terminate_child --- */

void dz_requests_handle_terminate(struct dz_sup *s, struct dz_sup_entry *e)
{
    struct dz_sup_child *c = dz_children_find(s, e->id, strlen(e->id));
    if (c == NULL) {
        dz_report_error(s, e->requester, DZ_ENOCHILD, e->id);
        return;
    }
    dz_sup_op_begin(s, DZ_OP_TERMINATE_CHILD);
    s->op.child = c;
    s->op.resume = keeps_round_waiting(s, c);
    c->doomed = true;
    c->doomed_by = e->requester;
    if (c->process == DZ_PROCESS_LIVE) {
        s->op.waiting = c;
        dz_report_stop(s, c);
        return;
    }
    dz_sup_outcome(s, c, DZ_OUTCOME_BROKEN, NULL);
}

/* --- restart_child --- */

static void start_again(struct dz_sup *s, struct dz_sup_child *c)
{
    /* Whatever ended it, what starts it now is this request. */
    c->lost = false;
    c->in_round = false;
    c->backoff_step = 0;
    dz_children_set_status(s, c, DZ_CHILD_STARTING);
    dz_place_launch(s, c, DZ_PLACE_SELECT);
}

void dz_requests_handle_restart(struct dz_sup *s, struct dz_sup_entry *e)
{
    struct dz_sup_child *c = dz_children_find(s, e->id, strlen(e->id));
    if (c == NULL) {
        dz_report_error(s, e->requester, DZ_ENOCHILD, e->id);
        return;
    }
    dz_sup_op_begin(s, DZ_OP_RESTART_CHILD);
    s->op.requester = e->requester;
    s->op.child = c;
    s->op.resume = keeps_round_waiting(s, c);
    if (c->process == DZ_PROCESS_LIVE) {
        s->op.waiting = c;
        dz_report_stop(s, c);
        return;
    }
    start_again(s, c);
}

void dz_requests_stopped(struct dz_sup *s, struct dz_sup_child *c)
{
    dz_assert(s->op.kind == DZ_OP_RESTART_CHILD && s->op.child == c);
    start_again(s, c);
}

static void restart_outcome(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_outcome outcome,
                            const struct dz_sup_failure *failure)
{
    struct dz_sup_child *next = dz_children_next(s, c);
    if (outcome == DZ_OUTCOME_UP) {
        dz_report_pid(s, s->op.requester, c);
    } else {
        dz_report_start_failed(s, s->op.requester, c, failure);
        dz_report_child_stopped(s, c);
        dz_children_set_status(s, c, DZ_CHILD_STOPPED);
    }
    if (outcome == DZ_OUTCOME_BROKEN)
        dz_requests_bury(s, c);
    end_request(s, next);
}

void dz_requests_outcome(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_outcome outcome,
                         const struct dz_sup_failure *failure)
{
    dz_assert(s->op.child == c);
    if (outcome == DZ_OUTCOME_BROKEN)
        failure = dz_report_broken_off();
    if (s->op.kind == DZ_OP_START_CHILD) {
        start_outcome(s, c, outcome, failure);
    } else if (s->op.kind == DZ_OP_RESTART_CHILD) {
        restart_outcome(s, c, outcome, failure);
    } else {
        struct dz_sup_child *next = dz_children_next(s, c);
        dz_requests_bury(s, c);
        end_request(s, next);
    }
}
