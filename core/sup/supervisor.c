/* supervisor.c - the life of the machine, its events, and the queue of what waits its turn.
 * Owns:    the machine and the entries of its queue.
 * Threads: one at a time.
 * Every event function enters, does what cannot wait, and pumps: the queue is worked off until an operation
 * has to wait for the world. */
#include "sup/supervisor.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "sup/machine.h"

/* --- small things all parts use --- */

void dz_sup_blob_clear(struct dz_sup_blob *b)
{
    dz_free(b->data);
    *b = (struct dz_sup_blob){NULL, 0};
}

bool dz_sup_blob_set(struct dz_sup_blob *b, const uint8_t *data, size_t len)
{
    uint8_t *copy = dz_alloc(len);
    if (copy != NULL)
        memcpy(copy, data, len);
    dz_sup_blob_clear(b);
    *b = (struct dz_sup_blob){copy, copy ? len : 0};
    return copy != NULL;
}

/* A short string term. */
void dz_sup_reason_text(struct dz_sup_blob *b, const char *text)
{
    size_t len = strlen(text);
    dz_assert(len < 32);
    uint8_t *data = dz_alloc_must(len + 1);
    data[0] = (uint8_t)(0xa0 | len);
    memcpy(data + 1, text, len);
    dz_sup_blob_clear(b);
    *b = (struct dz_sup_blob){data, len + 1};
}

void dz_sup_reason_set(struct dz_sup_blob *b, const uint8_t *data, size_t len)
{
    if (len == 0)
        dz_sup_reason_text(b, "normal");
    else if (!dz_sup_blob_set(b, data, len))
        dz_sup_reason_text(b, dz_err_name(DZ_ENOMEM));
}

/* splitmix64 */
uint64_t dz_sup_random(struct dz_sup *s)
{
    uint64_t z = s->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

void dz_sup_op_begin(struct dz_sup *s, enum dz_sup_op_kind kind)
{
    dz_assert(s->op.kind == DZ_OP_NONE || dz_list_empty(&s->op.todo));
    memset(&s->op, 0, sizeof s->op);
    dz_list_init(&s->op.todo);
    s->op.kind = kind;
}

void dz_sup_op_end(struct dz_sup *s)
{
    dz_assert(dz_list_empty(&s->op.todo) && s->op.flying == 0);
    s->op.kind = DZ_OP_NONE;
}

/* --- life --- */

void dz_sup_new(struct dz_sup **out, struct dz_sup_spec **spec, const struct dz_sup_options *options)
{
    struct dz_sup *s = dz_zalloc_must(1, sizeof *s);
    s->id = dz_strndup(options->id, strlen(options->id));
    dz_assert(s->id != NULL);
    s->spec = *spec;
    *spec = NULL;
    s->random = options->seed;
    s->now_ms = s->born_ms = options->now_ms;
    s->born_wall_ms = options->wall_ms;
    s->announced_deadline = DZ_TIME_INFINITY;
    dz_list_init(&s->children);
    dz_list_init(&s->removed);
    dz_list_init(&s->pending);
    dz_list_init(&s->queue);
    dz_list_init(&s->op.todo);
    dz_smap_init(&s->by_id);
    dz_map_init(&s->by_pid);
    dz_map_init(&s->by_token);
    dz_map_init(&s->nodes);
    dz_heap_init(&s->timers);
    dz_intensity_init(&s->intensity, s->spec->max_restarts, s->spec->within_ms);
    *out = s;
}

static void free_children(struct dz_list *list)
{
    struct dz_list *node;
    while ((node = dz_list_pop_front(list)) != NULL)
        dz_children_free(dz_list_entry(node, struct dz_sup_child, order));
}

void dz_sup_delete(struct dz_sup *s)
{
    struct dz_list *node;
    uint32_t it = 0;
    uint64_t key;
    void *value;
    while ((node = dz_list_pop_front(&s->queue)) != NULL)
        dz_sup_entry_delete(dz_list_entry(node, struct dz_sup_entry, node));
    /* Before the children, inside whom its nodes live. */
    dz_heap_fini(&s->timers);
    free_children(&s->children);
    free_children(&s->removed);
    while (dz_map_next(&s->nodes, &it, &key, &value))
        dz_free(value);
    dz_smap_fini(&s->by_id);
    dz_map_fini(&s->by_pid);
    dz_map_fini(&s->by_token);
    dz_map_fini(&s->nodes);
    dz_intensity_fini(&s->intensity);
    dz_sup_blob_clear(&s->exit_reason);
    dz_sup_blob_clear(&s->start_error);
    dz_report_free_actions(s);
    dz_free(s->actions);
    dz_free(s->stoppers);
    dz_sup_spec_delete(s->spec);
    dz_free(s->id);
    dz_free(s);
}

/* --- the queue --- */

struct dz_sup_entry *dz_sup_enqueue(struct dz_sup *s, enum dz_sup_entry_type type)
{
    struct dz_sup_entry *e = dz_zalloc_must(1, sizeof *e);
    e->type = type;
    dz_list_init(&e->lost);
    dz_list_push_back(&s->queue, &e->node);
    return e;
}

void dz_sup_enqueue_retry(struct dz_sup *s, const struct dz_sup_child *c)
{
    struct dz_sup_entry *e = dz_sup_enqueue(s, DZ_ENTRY_RETRY);
    e->id = dz_strndup(c->id, strlen(c->id));
    dz_assert(e->id != NULL); /* at most 255 bytes */
}

void dz_sup_entry_delete(struct dz_sup_entry *e)
{
    while (dz_list_pop_front(&e->lost) != NULL) {
    }
    dz_free(e->id);
    dz_sup_blob_clear(&e->term);
    dz_free(e);
}

static void handle_entry(struct dz_sup *s, struct dz_sup_entry *e)
{
    switch (e->type) {
    case DZ_ENTRY_START_CHILD:
        dz_requests_handle_start(s, e);
        break;
    case DZ_ENTRY_TERMINATE_CHILD:
        dz_requests_handle_terminate(s, e);
        break;
    case DZ_ENTRY_RESTART_CHILD:
        dz_requests_handle_restart(s, e);
        break;
    case DZ_ENTRY_EXIT:
        e->child->queued = NULL;
        dz_round_handle_exit(s, e->child, e->how);
        break;
    case DZ_ENTRY_RETRY:
        dz_round_handle_retry(s, e->id);
        break;
    case DZ_ENTRY_NODE_LOSS:
    case DZ_ENTRY_WORKER_LOSS:
        dz_loss_handle(s, e);
        break;
    case DZ_ENTRY_NODE_UP:
        s->node_up_queued = false;
        dz_round_handle_node_up(s);
        break;
    }
}

/* Every event ends here: what waits is taken up until an operation has to wait for the world. */
static void pump(struct dz_sup *s)
{
    while (s->phase == DZ_PHASE_READY && s->op.kind == DZ_OP_NONE) {
        struct dz_list *node = dz_list_pop_front(&s->queue);
        if (node == NULL)
            return;
        struct dz_sup_entry *e = dz_list_entry(node, struct dz_sup_entry, node);
        handle_entry(s, e);
        dz_sup_entry_delete(e);
    }
}

/* Every event begins here. False when the supervisor has ended. */
static bool enter(struct dz_sup *s, uint64_t now_ms)
{
    dz_assert(s->action_first == s->action_count);
    dz_report_free_actions(s);
    free_children(&s->removed);
    if (now_ms > s->now_ms)
        s->now_ms = now_ms;
    return s->phase != DZ_PHASE_ENDED;
}

/* --- start --- */

static void boot_next(struct dz_sup *s)
{
    const struct dz_sup_spec *spec = s->spec;
    if (s->op.boot_index < spec->child_count) {
        const struct dz_child_spec *child = spec->children[s->op.boot_index++];
        struct dz_sup_child *c = dz_children_add(s, child->id, child);
        dz_assert(c != NULL);
        dz_children_set_status(s, c, DZ_CHILD_STARTING);
        dz_place_launch(s, c, DZ_PLACE_SELECT);
        return;
    }
    dz_sup_op_end(s);
    s->phase = DZ_PHASE_READY;
    s->was_ready = true;
    dz_report_supervisor(s, DZ_EVENT_SUPERVISOR_STARTED);
    dz_report_action(s, DZ_SUP_READY);
}

static void boot_outcome(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_outcome outcome,
                         const struct dz_sup_failure *failure)
{
    if (outcome == DZ_OUTCOME_UP)
        boot_next(s);
    else
        dz_shutdown_boot_failed(s, c, outcome == DZ_OUTCOME_BROKEN ? dz_report_broken_off() : failure);
}

void dz_sup_start(struct dz_sup *s, uint64_t now_ms)
{
    enter(s, now_ms);
    dz_assert(s->phase == DZ_PHASE_NEW);
    s->phase = DZ_PHASE_BOOTING;
    dz_sup_op_begin(s, DZ_OP_BOOT);
    boot_next(s);
    pump(s);
}

/* --- what the world answers, by operation --- */

void dz_sup_outcome(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_outcome outcome,
                    const struct dz_sup_failure *failure)
{
    switch (s->op.kind) {
    case DZ_OP_BOOT:
        boot_outcome(s, c, outcome, failure);
        return;
    case DZ_OP_START_CHILD:
    case DZ_OP_RESTART_CHILD:
    case DZ_OP_TERMINATE_CHILD:
        dz_requests_outcome(s, c, outcome, failure);
        return;
    case DZ_OP_REPLACE:
        dz_round_replace_outcome(s, c, outcome, failure);
        return;
    case DZ_OP_ROUND:
        dz_round_outcome(s, c, outcome, failure);
        return;
    case DZ_OP_NONE:
    case DZ_OP_SHUTDOWN:
        break;
    }
    dz_assert(!"no operation has a start under way");
}

void dz_sup_stopped(struct dz_sup *s, struct dz_sup_child *c)
{
    if (s->phase == DZ_PHASE_STOPPING) {
        dz_shutdown_child_gone(s, c);
        return;
    }
    if (s->op.waiting == c)
        s->op.waiting = NULL;
    if (c->doomed)
        dz_sup_outcome(s, c, DZ_OUTCOME_BROKEN, NULL);
    else if (s->op.kind == DZ_OP_ROUND)
        dz_round_stopped(s, c);
    else
        dz_requests_stopped(s, c);
}

/* --- events --- */

void dz_sup_exit_signal(struct dz_sup *s, uint64_t now_ms, const uint8_t *reason, size_t len)
{
    if (enter(s, now_ms))
        dz_shutdown_begin(s, reason, len);
}

void dz_sup_abandon(struct dz_sup *s, uint64_t now_ms, const uint8_t *reason, size_t len)
{
    if (enter(s, now_ms))
        dz_shutdown_abandon(s, reason, len);
}

void dz_sup_tick(struct dz_sup *s, uint64_t now_ms)
{
    struct dz_heap_node *due;
    if (!enter(s, now_ms) || s->phase == DZ_PHASE_STOPPING)
        return;
    while ((due = dz_heap_top(&s->timers)) != NULL && due->key <= s->now_ms) {
        struct dz_sup_child *c = dz_container_of(due, struct dz_sup_child, timer);
        dz_heap_pop(&s->timers);
        dz_sup_enqueue_retry(s, c);
    }
    s->announced_deadline = DZ_TIME_INFINITY;
    pump(s);
}

/* Requests of a supervisor that ends are refused. */
static bool takes_requests(struct dz_sup *s, uint64_t now_ms, uint64_t requester)
{
    if (enter(s, now_ms) && s->phase != DZ_PHASE_STOPPING)
        return true;
    dz_report_error(s, requester, DZ_ENOSUPERVISOR, NULL);
    return false;
}

static struct dz_sup_entry *request(struct dz_sup *s, enum dz_sup_entry_type type, uint64_t requester)
{
    struct dz_sup_entry *e = dz_sup_enqueue(s, type);
    e->requester = requester;
    return e;
}

void dz_sup_start_child(struct dz_sup *s, uint64_t now_ms, uint64_t requester, const uint8_t *term,
                        size_t len)
{
    struct dz_sup_blob copy = {NULL, 0};
    if (!takes_requests(s, now_ms, requester))
        return;
    if (!dz_sup_blob_set(&copy, term, len)) {
        dz_report_error(s, requester, DZ_ENOMEM, NULL);
        return;
    }
    request(s, DZ_ENTRY_START_CHILD, requester)->term = copy;
    pump(s);
}

static void request_by_id(struct dz_sup *s, enum dz_sup_entry_type type, uint64_t requester, const char *id,
                          size_t len)
{
    char *copy = dz_strndup(id, len);
    if (copy == NULL) {
        dz_report_error(s, requester, DZ_ENOMEM, NULL);
        return;
    }
    request(s, type, requester)->id = copy;
    pump(s);
}

void dz_sup_terminate_child(struct dz_sup *s, uint64_t now_ms, uint64_t requester, const char *id,
                            size_t id_len)
{
    if (!takes_requests(s, now_ms, requester))
        return;
    struct dz_sup_child *c = dz_children_find(s, id, id_len);
    if (c == NULL || c->flight == DZ_FLIGHT_NONE || c->doomed) {
        request_by_id(s, DZ_ENTRY_TERMINATE_CHILD, requester, id, id_len);
        return;
    }
    /* The very child that is starting: this overtakes the queue. */
    c->doomed = true;
    c->doomed_by = requester;
    if (!dz_place_break_off(s, c))
        dz_sup_outcome(s, c, DZ_OUTCOME_BROKEN, NULL);
    pump(s);
}

void dz_sup_restart_child(struct dz_sup *s, uint64_t now_ms, uint64_t requester, const char *id,
                          size_t id_len)
{
    if (takes_requests(s, now_ms, requester))
        request_by_id(s, DZ_ENTRY_RESTART_CHILD, requester, id, id_len);
}

static void add_stopper(struct dz_sup *s, uint64_t requester)
{
    if (s->stopper_count == s->stopper_cap) {
        uint32_t cap = s->stopper_cap ? s->stopper_cap * 2 : 4;
        uint64_t *grown = dz_alloc_must(cap * sizeof *grown);
        if (s->stopper_count > 0)
            memcpy(grown, s->stoppers, s->stopper_count * sizeof *grown);
        dz_free(s->stoppers);
        s->stoppers = grown;
        s->stopper_cap = cap;
    }
    s->stoppers[s->stopper_count++] = requester;
}

void dz_sup_stop(struct dz_sup *s, uint64_t now_ms, uint64_t requester, const uint8_t *reason, size_t len)
{
    if (!enter(s, now_ms)) {
        dz_report_ok(s, requester);
        return;
    }
    add_stopper(s, requester);
    dz_shutdown_begin(s, reason, len);
}

void dz_sup_candidates(struct dz_sup *s, uint64_t now_ms, uint64_t token, const struct dz_candidate *nodes,
                       size_t count)
{
    if (!enter(s, now_ms))
        return;
    dz_place_candidates(s, token, nodes, count);
    pump(s);
}

void dz_sup_selected(struct dz_sup *s, uint64_t now_ms, uint64_t token, const struct dz_candidate *nodes,
                     size_t count, const char *node_id, const uint8_t *failure, size_t failure_len)
{
    if (!enter(s, now_ms))
        return;
    dz_place_selected(s, token, nodes, count, node_id, failure, failure_len);
    pump(s);
}

void dz_sup_started(struct dz_sup *s, uint64_t now_ms, uint64_t token, const struct dz_sup_started *started)
{
    if (!enter(s, now_ms))
        return;
    dz_place_started(s, token, started);
    pump(s);
}

void dz_sup_start_failed(struct dz_sup *s, uint64_t now_ms, uint64_t token,
                         const struct dz_sup_failure *failure)
{
    if (!enter(s, now_ms))
        return;
    dz_assert(failure->code != DZ_OK);
    dz_place_failed(s, token, failure);
    pump(s);
}

/* Its end waits for its turn; what one sees meanwhile is what will probably come of it. */
static void queue_exit(struct dz_sup *s, struct dz_sup_child *c, enum dz_sup_how how)
{
    bool again = how == DZ_SUP_EXITED && dz_strategy_restarts(c->spec->restart, c->end.data, c->end.len);
    c->process = DZ_PROCESS_DEAD;
    dz_children_set_status(s, c, again ? DZ_CHILD_RESTARTING : DZ_CHILD_STOPPED);
    c->queued = dz_sup_enqueue(s, DZ_ENTRY_EXIT);
    c->queued->child = c;
    c->queued->how = how;
}

void dz_sup_exited(struct dz_sup *s, uint64_t now_ms, struct dz_pid pid, const uint8_t *reason, size_t len,
                   enum dz_sup_how how)
{
    if (!enter(s, now_ms))
        return;
    struct dz_sup_child *c = dz_children_by_pid(s, pid);
    if (c == NULL)
        return;
    bool asked = c->status == DZ_CHILD_STOPPING;
    dz_children_detach(s, c, reason, len);
    if (s->phase == DZ_PHASE_STOPPING)
        dz_children_set_status(s, c, DZ_CHILD_STOPPED);
    if (asked || s->phase == DZ_PHASE_STOPPING)
        dz_sup_stopped(s, c);
    else
        queue_exit(s, c, how);
    pump(s);
}

void dz_sup_node_lost(struct dz_sup *s, uint64_t now_ms, uint32_t node)
{
    if (!enter(s, now_ms))
        return;
    dz_loss_node(s, node);
    pump(s);
}

void dz_sup_node_up(struct dz_sup *s, uint64_t now_ms)
{
    if (!enter(s, now_ms) || s->phase == DZ_PHASE_STOPPING || s->node_up_queued)
        return;
    s->node_up_queued = true;
    dz_sup_enqueue(s, DZ_ENTRY_NODE_UP);
    pump(s);
}

void dz_sup_worker_lost(struct dz_sup *s, uint64_t now_ms, const struct dz_pid *pids, size_t count,
                        const struct dz_pid *running, const uint8_t *reason, size_t len)
{
    if (!enter(s, now_ms))
        return;
    dz_loss_worker(s, pids, count, running, reason, len);
    pump(s);
}
