/* shutdown.c - every way in which the supervisor itself ends: stop, exit signal, a failed start, too many
 * restarts, auto-shutdown, being killed.
 * Owns:    the operation SHUTDOWN, the exit reason, those who wait for stop.
 * Threads: the machine's. */
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/err.h"
#include "sup/machine.h"
#include "term/build.h"

static bool is_simple(const struct dz_sup *s)
{
    return s->spec->strategy == DZ_SIMPLE_ONE_FOR_ONE;
}

/* --- the end --- */

static void finish(struct dz_sup *s)
{
    dz_assert(dz_list_empty(&s->children) && dz_list_empty(&s->queue) && s->active == 0);
    s->phase = DZ_PHASE_ENDED;
    if (s->was_ready)
        dz_report_supervisor(s, DZ_EVENT_SUPERVISOR_STOPPED);
    struct dz_sup_action *a = dz_report_action(s, DZ_SUP_EXIT);
    a->as.exit.reason = s->exit_reason.data;
    a->as.exit.len = s->exit_reason.len;
    a->as.exit.start_failed = !s->was_ready;
    a->as.exit.code = s->start_error_code;
    a->as.exit.error = s->start_error.data;
    a->as.exit.error_len = s->start_error.len;
    for (uint32_t i = 0; i < s->stopper_count; i++)
        dz_report_ok(s, s->stoppers[i]);
    s->stopper_count = 0;
}

static void drop(struct dz_sup *s, struct dz_sup_child *c)
{
    dz_children_forget_plans(s, c);
    if (c->doomed) {
        dz_requests_bury(s, c);
        return;
    }
    dz_report_child_stopped(s, c);
    dz_children_remove(s, c);
}

/* True if the child is no more. */
static bool end_child(struct dz_sup *s, struct dz_sup_child *c)
{
    if (c->flight == DZ_FLIGHT_STARTING)
        return false;
    if (c->process != DZ_PROCESS_LIVE) {
        drop(s, c);
        return true;
    }
    if (c->status != DZ_CHILD_STOPPING)
        dz_report_stop(s, c);
    return false;
}

static void step_all_at_once(struct dz_sup *s)
{
    struct dz_sup_child *c = dz_children_last(s);
    while (c != NULL) {
        struct dz_sup_child *before = dz_children_before(s, c);
        end_child(s, c);
        c = before;
    }
}

/* terminate_child's victim may stand anywhere; everything else goes from the end of the order. */
static void step_in_order(struct dz_sup *s)
{
    struct dz_sup_child *c = s->op.waiting;
    if (c != NULL && !end_child(s, c))
        return;
    s->op.waiting = NULL;
    while ((c = dz_children_last(s)) != NULL) {
        if (end_child(s, c))
            continue;
        s->op.waiting = c;
        return;
    }
}

void dz_shutdown_step(struct dz_sup *s)
{
    dz_assert(s->phase == DZ_PHASE_STOPPING);
    if (!is_simple(s))
        step_in_order(s);
    else if (!s->op.starting)
        step_all_at_once(s);
    /* Under simple_one_for_one the walk is done once; from then on each end drops its own record. */
    s->op.starting = true;
    if (dz_list_empty(&s->children))
        finish(s);
}

void dz_shutdown_child_gone(struct dz_sup *s, struct dz_sup_child *c)
{
    if (is_simple(s))
        end_child(s, c);
    dz_shutdown_step(s);
}

/* --- the beginning --- */

/* Requests are refused at once: one made by a child's own terminate would otherwise wait for itself. */
static void refuse_queue(struct dz_sup *s)
{
    struct dz_list *node;
    while ((node = dz_list_pop_front(&s->queue)) != NULL) {
        struct dz_sup_entry *e = dz_list_entry(node, struct dz_sup_entry, node);
        if (e->type <= DZ_ENTRY_RESTART_CHILD)
            dz_report_error(s, e->requester, DZ_ENOSUPERVISOR, NULL);
        else if (e->child != NULL && e->type == DZ_ENTRY_EXIT)
            e->child->queued = NULL;
        dz_sup_entry_delete(e);
    }
}

static void break_off_flights(struct dz_sup *s)
{
    uint32_t it = 0;
    uint64_t token;
    void *value;
    while (dz_map_next(&s->by_token, &it, &token, &value)) {
        struct dz_sup_child *c = value;
        dz_place_break_off(s, c);
    }
}

static struct dz_sup_child *starting_child(struct dz_sup *s)
{
    uint32_t it = 0;
    uint64_t token;
    void *value;
    return dz_map_next(&s->by_token, &it, &token, &value) ? value : NULL;
}

/* Those who wait for what is under way. A supervisor whose start is broken off says so in the words of its own end: whoever
 * started it may have to tell a superseded one from others. */
static void answer_waiting(struct dz_sup *s, const uint8_t *reason, size_t len)
{
    static const uint8_t superseded[] = {0xaa, 's', 'u', 'p', 'e', 'r', 's', 'e', 'd', 'e', 'd'};
    struct dz_sup_failure own = *dz_report_broken_off();
    struct dz_sup_child *c = s->op.child;
    if (len == sizeof superseded && memcmp(reason, superseded, len) == 0) {
        own.detail = superseded;
        own.detail_len = sizeof superseded;
    }
    if (s->op.kind == DZ_OP_START_CHILD || s->op.kind == DZ_OP_RESTART_CHILD)
        dz_report_start_failed(s, s->op.requester, c, dz_report_broken_off());
    if (s->was_ready || s->start_error_code != DZ_OK)
        return;
    s->start_error_code = dz_report_start_error(s, starting_child(s), &own, &s->start_error);
}

/* Everything but stopping the children. */
static bool begin(struct dz_sup *s, const uint8_t *reason, size_t len)
{
    if (s->phase == DZ_PHASE_STOPPING || s->phase == DZ_PHASE_ENDED)
        return false;
    struct dz_sup_child *waiting = s->op.waiting;
    answer_waiting(s, reason, len);
    dz_sup_reason_set(&s->exit_reason, reason, len);
    s->phase = DZ_PHASE_STOPPING;
    refuse_queue(s);
    break_off_flights(s);
    while (dz_list_pop_front(&s->op.todo) != NULL) {
    }
    s->op.kind = DZ_OP_NONE;
    dz_sup_op_begin(s, DZ_OP_SHUTDOWN);
    s->op.waiting = waiting;
    return true;
}

void dz_shutdown_begin(struct dz_sup *s, const uint8_t *reason, size_t len)
{
    if (begin(s, reason, len))
        dz_shutdown_step(s);
}

void dz_shutdown_begin_text(struct dz_sup *s, const char *reason)
{
    struct dz_sup_blob b = {NULL, 0};
    dz_sup_reason_text(&b, reason);
    dz_shutdown_begin(s, b.data, b.len);
    dz_sup_blob_clear(&b);
}

void dz_shutdown_abandon(struct dz_sup *s, const uint8_t *reason, size_t len)
{
    struct dz_sup_child *c;
    if (s->phase == DZ_PHASE_ENDED)
        return;
    if (!begin(s, reason, len))
        dz_sup_reason_set(&s->exit_reason, reason, len);
    while ((c = dz_children_last(s)) != NULL) {
        if (c->flight != DZ_FLIGHT_NONE)
            dz_place_abandon(s, c);
        if (c->process == DZ_PROCESS_LIVE)
            dz_children_detach(s, c, reason, len);
        drop(s, c);
    }
    finish(s);
}

/* --- why --- */

void dz_shutdown_boot_failed(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_failure *failure)
{
    struct dz_sup_blob reason = {NULL, 0};
    s->start_error_code = dz_report_start_error(s, c, failure, &s->start_error);
    dz_sup_reason_set(&reason, s->start_error.data, s->start_error.len);
    if (c->doomed)
        dz_requests_bury(s, c);
    else
        dz_children_remove(s, c);
    dz_shutdown_begin(s, reason.data, reason.len);
    dz_sup_blob_clear(&reason);
}

void dz_shutdown_excess(struct dz_sup *s, const struct dz_sup_blob *cause)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 5);
    dz_build_kstring(&b, "code", dz_err_name(DZ_EMAXRESTARTS));
    dz_build_kstring(&b, "supervisor_id", s->id);
    if (s->spec->max_restarts == DZ_INTENSITY_UNLIMITED)
        dz_build_kstring(&b, "max_restarts", "infinity");
    else
        dz_build_kint(&b, "max_restarts", s->spec->max_restarts);
    if (s->spec->within_ms == DZ_TIME_INFINITY)
        dz_build_kstring(&b, "within_ms", "infinity");
    else
        dz_build_kint(&b, "within_ms", (int64_t)s->spec->within_ms);
    dz_build_kraw(&b, "cause", cause->data, cause->len);
    if (dz_build_done(&b) == DZ_OK)
        dz_shutdown_begin(s, buf.data, buf.len);
    else
        dz_shutdown_begin_text(s, dz_err_name(DZ_EMAXRESTARTS));
    dz_buf_fini(&buf);
}

void dz_shutdown_check_auto(struct dz_sup *s, const struct dz_child_spec *ended)
{
    enum dz_auto_shutdown when = s->spec->auto_shutdown;
    if (when == DZ_AUTO_NEVER || !ended->significant)
        return;
    if (when == DZ_AUTO_ANY_SIGNIFICANT || s->significant_active == 0)
        dz_shutdown_begin_text(s, "shutdown");
}
