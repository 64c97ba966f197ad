/* query.c - answers from the present state; nothing changes.
 * Owns:    nothing.
 * Threads: the machine's. */
#include "base/assert.h"
#include "sup/machine.h"

const char *dz_sup_status_name(enum dz_sup_status status)
{
    static const char *const names[] = {"starting", "running", "restarting",
                                        "stopping", "stopped", "pending"};
    dz_assert((unsigned)status < 6);
    return names[status];
}

const struct dz_sup_child *dz_sup_first_child(const struct dz_sup *s)
{
    return dz_children_first(s);
}

const struct dz_sup_child *dz_sup_next_child(const struct dz_sup *s, const struct dz_sup_child *child)
{
    return dz_children_next(s, child);
}

const struct dz_sup_child *dz_sup_child_at(const struct dz_sup *s, uint64_t position)
{
    dz_assert(position > 0);
    if (position > s->child_count)
        return NULL;
    const struct dz_sup_child *c = dz_children_first(s);
    while (--position > 0)
        c = dz_children_next(s, c);
    return c;
}

const struct dz_sup_child *dz_sup_find_child(const struct dz_sup *s, const char *id, size_t len)
{
    return dz_children_find(s, id, len);
}

const struct dz_sup_child *dz_sup_child_of(const struct dz_sup *s, struct dz_pid pid)
{
    return dz_children_by_pid(s, pid);
}

static uint64_t wall(const struct dz_sup *s, uint64_t at_ms)
{
    return s->born_wall_ms + (at_ms - s->born_ms);
}

uint64_t dz_sup_token_of(const struct dz_sup_child *child)
{
    return child->token;
}

void dz_sup_child_info(const struct dz_sup *s, const struct dz_sup_child *c, struct dz_sup_child_info *out)
{
    *out = (struct dz_sup_child_info){
        .id = c->id,
        .has_pid = c->process == DZ_PROCESS_LIVE,
        .pid = c->process == DZ_PROCESS_LIVE ? c->pid : DZ_PID_NONE,
        .node = c->node,
        .status = c->status,
        .restart_count = c->restart_count,
        .started_at_ms = c->ever_started ? wall(s, c->started_ms) : 0,
        .epoch = c->ever_started || c->flight == DZ_FLIGHT_STARTING ? c->epoch : 0,
        .spec = c->spec,
        .args = c->args.data ? c->args.data : c->spec->args,
        .args_len = c->args.data ? c->args.len : c->spec->args_len,
        .is_supervisor = c->is_supervisor,
    };
}

/* As OTP counts: under simple_one_for_one the template is the one spec. */
void dz_sup_count_children(const struct dz_sup *s, struct dz_sup_counts *out)
{
    out->specs = s->spec->strategy == DZ_SIMPLE_ONE_FOR_ONE ? 1 : s->child_count;
    out->active = s->active;
    out->supervisors = s->supervisors;
    out->workers = s->child_count - s->supervisors;
}

void dz_sup_stats(const struct dz_sup *s, struct dz_sup_stats *out)
{
    *out = (struct dz_sup_stats){
        .id = s->id,
        .strategy = s->spec->strategy,
        .child_count = s->child_count,
        .total_restarts = s->total_restarts,
        .node_failure_restarts = s->node_failure_restarts,
        .started_at_ms = s->born_wall_ms,
    };
}

bool dz_sup_each_node(const struct dz_sup *s, uint32_t *it, uint32_t *node, uint32_t *children)
{
    uint64_t key;
    void *value;
    while (dz_map_next(&s->nodes, it, &key, &value)) {
        const struct dz_sup_node *n = value;
        if (n->count == 0)
            continue;
        *node = n->node;
        *children = n->count;
        return true;
    }
    return false;
}

const struct dz_sup_spec *dz_sup_spec_of(const struct dz_sup *s)
{
    return s->spec;
}

bool dz_sup_is_running(const struct dz_sup *s)
{
    return s->phase == DZ_PHASE_READY;
}
