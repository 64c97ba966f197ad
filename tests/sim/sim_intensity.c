#include "sim_intensity.h"

#include "base/alloc.h"
#include "proc/native.h"
#include "sim_life.h"
#include "sup/driver_parts.h"

#define TIMES 16u
/* For clocks and long turns. */
#define SLACK_MS 400u

struct supervisor {
    struct dz_list all;
    uint32_t life_number;
    struct dz_pid pid;
    uint32_t max_restarts;
    uint64_t within_ms;
    uint64_t times_ns[TIMES]; /* of the last crashes that were followed by a start, a ring */
    uint64_t count;
};

void sim_intensity_init(struct sim_intensity *in, struct sim *sim)
{
    in->sim = sim;
    dz_list_init(&in->supervisors);
}

void sim_intensity_fini(struct sim_intensity *in)
{
    struct dz_list *node;
    while ((node = dz_list_pop_front(&in->supervisors)) != NULL)
        dz_free(dz_list_entry(node, struct supervisor, all));
}

static struct supervisor *find(struct sim_intensity *in, uint32_t life_number, struct dz_pid pid)
{
    dz_list_each (&in->supervisors, it) {
        struct supervisor *s = dz_list_entry(it, struct supervisor, all);
        if (s->life_number == life_number && dz_pid_eq(s->pid, pid))
            return s;
    }
    return NULL;
}

/* NULL too when the supervisor will not restart this child: a temporary one, or one that is being stopped. */
static const struct dz_sup_spec *spec_of(struct sim_life *l, struct dz_pid pid, struct dz_pid child)
{
    struct dz_sup_child_info info;
    struct dz_slot *slot = dz_nodes_is_self(&l->rt.nodes, pid.node) ? dz_table_find(&l->rt.table, pid) : NULL;
    struct dz_native *n = slot ? atomic_load(&slot->native) : NULL;
    const struct dz_supervisor *s = n ? n->data : NULL;
    const struct dz_sup_child *c = s && s->sup ? dz_sup_child_of(s->sup, child) : NULL;
    if (!c)
        return NULL;
    dz_sup_child_info(s->sup, c, &info);
    return info.status == DZ_CHILD_RUNNING && info.spec->restart != DZ_TEMPORARY ? dz_sup_spec_of(s->sup) : NULL;
}

void sim_intensity_crashed(struct sim_intensity *in, struct sim_kid_record *kid)
{
    const struct dz_sup_spec *spec = kid->life ? spec_of(kid->life, kid->parent, kid->pid) : NULL;
    if (!spec || (spec->strategy != DZ_ONE_FOR_ONE && spec->strategy != DZ_SIMPLE_ONE_FOR_ONE))
        return;
    kid->crashed_ns = in->sim->now_ns;
    if (find(in, kid->life_number, kid->parent))
        return;
    struct supervisor *s = dz_zalloc_must(1, sizeof *s);
    s->life_number = kid->life_number;
    s->pid = kid->parent;
    s->max_restarts = spec->max_restarts;
    s->within_ms = spec->within_ms;
    dz_list_push_back(&in->supervisors, &s->all);
}

/* A restart counts when the supervisor gets to it, between the crash and the new start: from the first crash to the last start
 * all of them lie within. The window is narrowed by what the clocks may differ. */
void sim_intensity_restarted(struct sim_intensity *in, const struct sim_kid_record *before)
{
    struct supervisor *s = before->crashed_ns ? find(in, before->life_number, before->parent) : NULL;
    if (!s || s->max_restarts >= TIMES)
        return;
    s->times_ns[s->count++ % TIMES] = before->crashed_ns;
    if (s->count <= s->max_restarts || s->within_ms <= SLACK_MS)
        return;
    uint64_t first = s->times_ns[(s->count - 1 - s->max_restarts) % TIMES];
    uint64_t window_ns = (s->within_ms * 99 / 100 - SLACK_MS) * DZ_SIM_MS;
    if (in->sim->now_ns - first < window_ns)
        sim_fail(in->sim, "%s: more than %u restarts within %llu ms", before->path->text, s->max_restarts,
                 (unsigned long long)s->within_ms);
}
