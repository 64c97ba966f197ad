/* loss.c - a lost node and a lost worker: many ends that are one event.
 * Owns:    the loss entries of the queue.
 * Threads: the machine's. */
#include <string.h>
#include "base/assert.h"
#include "sup/machine.h"

/* `reason`, as a term: fixstr. */
static const uint8_t node_down[] = {0xa9, 'n', 'o', 'd', 'e', '_', 'd', 'o', 'w', 'n'};

static struct dz_sup_child *child_at(struct dz_list *group)
{
    return dz_list_entry(group, struct dz_sup_child, group);
}

/* Its process is gone with its node or worker; what follows waits in the queue. */
static void mark_dead(struct dz_sup *s, struct dz_sup_child *c, const uint8_t *reason, size_t len)
{
    dz_children_detach(s, c, reason, len);
    c->process = DZ_PROCESS_DEAD;
    bool again = c->spec->restart != DZ_TEMPORARY;
    dz_children_set_status(s, c, again ? DZ_CHILD_RESTARTING : DZ_CHILD_STOPPED);
}

static void bury_stopping(struct dz_sup *s, struct dz_list *stopping)
{
    struct dz_list *node;
    while ((node = dz_list_pop_front(stopping)) != NULL)
        dz_sup_stopped(s, child_at(node));
}

/* Takes every child of `victims` off: those being stopped are stopped now, the others are handled in their
 * turn. All are marked before anything follows from an end: a round may reach the dead ones at once. */
static void take_dead(struct dz_sup *s, struct dz_list *victims, enum dz_sup_entry_type type,
                      struct dz_sup_child *culprit, const uint8_t *reason, size_t len)
{
    struct dz_list stopping, dead, *node;
    dz_list_init(&stopping);
    dz_list_init(&dead);
    while ((node = dz_list_pop_front(victims)) != NULL) {
        struct dz_sup_child *c = child_at(node);
        bool asked = c->status == DZ_CHILD_STOPPING;
        if (asked)
            dz_children_detach(s, c, reason, len);
        else
            mark_dead(s, c, reason, len);
        c->lost = type == DZ_ENTRY_NODE_LOSS;
        dz_list_push_back(asked ? &stopping : &dead, &c->group);
    }
    if (s->phase == DZ_PHASE_STOPPING) {
        dz_list_each_safe(&dead, it) dz_children_forget_plans(s, child_at(it));
    } else if (!dz_list_empty(&dead)) {
        struct dz_sup_entry *e = dz_sup_enqueue(s, type);
        e->child = culprit;
        dz_list_splice_back(&e->lost, &dead);
    }
    bury_stopping(s, &stopping);
}

void dz_loss_node(struct dz_sup *s, uint32_t node)
{
    struct dz_sup_node *n = dz_map_get(&s->nodes, node);
    struct dz_list victims;
    if (n == NULL)
        return;
    dz_place_release_held(s, n);
    if (n->count == 0) {
        dz_children_release_node(s, n);
        return;
    }
    dz_list_init(&victims);
    dz_children_sort(&n->children);
    dz_report_node_failure(s, node, &n->children, n->count);
    dz_list_splice_back(&victims, &n->children);
    dz_list_each(&victims, it) child_at(it)->excluded = node;
    take_dead(s, &victims, DZ_ENTRY_NODE_LOSS, NULL, node_down, sizeof node_down);
}

void dz_loss_worker(struct dz_sup *s, const struct dz_pid *pids, size_t count, const struct dz_pid *running,
                    const uint8_t *reason, size_t len)
{
    struct dz_list victims;
    dz_list_init(&victims);
    struct dz_sup_child *culprit = NULL;
    for (size_t i = 0; i < count; i++) {
        struct dz_sup_child *c = dz_children_by_pid(s, pids[i]);
        if (c == NULL)
            continue;
        c->worker = DZ_SUP_ANY_WORKER;
        dz_list_remove(&c->group);
        dz_list_push_back(&victims, &c->group);
        if (running != NULL && dz_pid_eq(*running, pids[i]) && c->status != DZ_CHILD_STOPPING)
            culprit = c;
    }
    dz_children_sort(&victims);
    take_dead(s, &victims, DZ_ENTRY_WORKER_LOSS, culprit, reason, len);
}

/* --- their turn --- */

/* Temporary ones are gone for good. True if that shuts the supervisor down. */
static bool drop_temporary(struct dz_sup *s, struct dz_list *lost)
{
    dz_list_each_safe(lost, node)
    {
        struct dz_sup_child *c = child_at(node);
        if (c->spec->restart != DZ_TEMPORARY)
            continue;
        dz_children_forget_plans(s, c);
        dz_report_child_stopped(s, c);
        dz_children_remove(s, c);
        dz_shutdown_check_auto(s, c->spec);
        if (s->phase != DZ_PHASE_READY)
            return true;
    }
    return false;
}

/* The one whose turn it was counts as a crash. False: that was one too many. */
static bool blame(struct dz_sup *s, struct dz_sup_child *c)
{
    bool again = c->cost_worker && s->now_ms - c->cost_worker_ms <= DZ_SUP_WORKER_LOSS_WINDOW_MS;
    c->cost_worker = true;
    c->cost_worker_ms = s->now_ms;
    c->no_jit = true;
    if (!again && dz_intensity_add(&s->intensity, s->now_ms))
        return true;
    dz_shutdown_excess(s, &c->end);
    return false;
}

static void replace_all(struct dz_sup *s, struct dz_list *lost, bool node_loss)
{
    struct dz_list *node;
    dz_sup_op_begin(s, DZ_OP_REPLACE);
    while ((node = dz_list_pop_front(lost)) != NULL) {
        struct dz_sup_child *c = child_at(node);
        dz_children_forget_plans(s, c);
        dz_list_push_back(&s->op.todo, &c->todo);
        s->total_restarts += !node_loss;
    }
    dz_round_replace(s, false);
}

void dz_loss_handle(struct dz_sup *s, struct dz_sup_entry *e)
{
    bool node_loss = e->type == DZ_ENTRY_NODE_LOSS;
    /* A round in between may have taken any of them along, also the one to blame. */
    bool blamed = false;
    dz_list_each(&e->lost, node) blamed = blamed || child_at(node) == e->child;
    blamed = blamed && e->child->spec->restart != DZ_TEMPORARY;
    if (drop_temporary(s, &e->lost) || dz_list_empty(&e->lost))
        return;
    if (blamed && !blame(s, e->child))
        return;
    struct dz_sup_child *first = child_at(e->lost.next);
    if (dz_strategy_scope_of(s->spec->strategy) == DZ_SCOPE_SELF) {
        replace_all(s, &e->lost, node_loss);
        return;
    }
    s->total_restarts += !node_loss;
    dz_round_begin(s, first, 0);
}
