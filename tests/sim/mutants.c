/* mutants.c - one deliberate mistake, put in the place of a function of the core by the linker (--wrap), to see that the
 * simulator notices. MUTANT says which; an executable is built for each, and the core's own code stays as it is. */
#include <stddef.h>
#include <stdint.h>
#include "cluster/globals.h"
#include "cluster/placement.h"
#include "cluster/remote.h"
#include "proc/bond.h"
#include "proc/orphan.h"
#include "proc/process.h"
#include "proc/send.h"
#include "sup/driver_parts.h"
#include "sup/intensity.h"
#include "sup/machine.h"

/* The type and the name with its arguments, then the body. */
#define MISTAKE(type, name, ...)                                                                                                 \
    type __real_##name(__VA_ARGS__);                                                                                             \
    type __wrap_##name(__VA_ARGS__);                                                                                             \
    type __wrap_##name(__VA_ARGS__)

#if MUTANT == 1 /* epochs are ignored: an older copy does not end for a newer one */
MISTAKE(uint32_t, dz_placement_older, struct dz_placement *p, const struct dz_place_key *key, bool lose_ties,
        void (*visit)(void *ctx, struct dz_pid pid), void *ctx)
{
    (void)p, (void)key, (void)lose_ties, (void)visit, (void)ctx;
    return 0;
}
#elif MUTANT == 2 /* demonitor forgets its record but lets the monitor fire */
MISTAKE(bool, dz_bond_demonitor, struct dz_thread *t, struct dz_proc *p, uint64_t ref)
{
    (void)t, (void)p, (void)ref;
    return true;
}
#elif MUTANT == 3 /* children of a supervisor whose node is lost go on */
MISTAKE(void, dz_bond_node_lost, struct dz_thread *t, uint32_t node, bool given_up)
{
    (void)t, (void)node, (void)given_up;
}
#elif MUTANT == 4 /* a start that is not wanted any more is not given up on the other node */
MISTAKE(int, dz_remote_cancelled, struct dz_remote *r, uint32_t node, const uint8_t *data, size_t len)
{
    (void)r, (void)node, (void)data, (void)len;
    return 0;
}
#elif MUTANT == 5 /* restarts are never too many */
MISTAKE(bool, dz_intensity_add, struct dz_intensity *in, uint64_t now_ms)
{
    (void)in, (void)now_ms;
    return true;
}
#elif MUTANT == 6 /* children are stopped in the order in which they were started */
MISTAKE(struct dz_sup_child *, dz_children_last, const struct dz_sup *s)
{
    return dz_children_first(s);
}
#elif MUTANT == 7 /* a lost node is handled twice: each child there is a crash as well */
MISTAKE(void, dz_sup_node_lost, struct dz_sup *s, uint64_t now_ms, uint32_t node)
{
    struct dz_sup_child_info info;
    static const uint8_t reason[] = {0xa4, 'l', 'o', 's', 't'};
    __real_dz_sup_node_lost(s, now_ms, node);
    for (const struct dz_sup_child *c = dz_sup_first_child(s); c; c = dz_sup_next_child(s, c)) {
        dz_sup_child_info(s, c, &info);
        if (info.has_pid) {
            dz_sup_exited(s, now_ms, info.pid, reason, sizeof reason, DZ_SUP_EXITED);
            break;
        }
    }
}
#elif MUTANT == 8 /* signals have no room reserved in a full mailbox */
MISTAKE(void, dz_send_must, struct dz_thread *t, struct dz_msg *msg)
{
    struct dz_slot *slot = dz_nodes_is_self(&t->rt->nodes, msg->to.node) ? dz_table_find(&t->rt->table, msg->to) : NULL;
    if (slot && dz_table_messages(slot) >= atomic_load(&slot->limit) / DZ_LOAD_MESSAGE)
        dz_msg_free(msg);
    else
        __real_dz_send_must(t, msg);
}
#elif MUTANT == 9 /* who calls a process that is gone is told nothing */
MISTAKE(void, dz_process_bounce, struct dz_thread *t, struct dz_msg *msg)
{
    (void)t;
    dz_msg_free(msg);
}
#elif MUTANT == 10 /* names are not free when their process ends */
MISTAKE(void, dz_globals_end, struct dz_globals *g, struct dz_thread *t, struct dz_pid pid)
{
    (void)g, (void)t, (void)pid;
}
#elif MUTANT == 11 /* starts on a node that is lost are waited for */
MISTAKE(void, dz_remote_node_lost, struct dz_remote *r, uint32_t node)
{
    (void)r, (void)node;
}
#elif MUTANT == 12 /* a killed supervisor's children have all the time they want for terminate */
MISTAKE(void, dz_orphan_end, struct dz_thread *t, struct dz_proc *p, struct dz_blob *reason)
{
    dz_process_doom(t, p, reason, 0);
    dz_process_ready(t, p);
}
#elif MUTANT == 13 /* a root's first number takes no notice of what others gave out */
MISTAKE(uint64_t, dz_placement_next_root, struct dz_placement *p, const char *path, size_t len, uint32_t node)
{
    (void)p, (void)path, (void)len, (void)node;
    return 1;
}
#elif MUTANT == 14 /* a supervisor that ends without stopping its children leaves them alone */
MISTAKE(void, dz_supervisor_abandon_children, struct dz_thread *t, struct dz_supervisor *s, struct dz_blob *reason)
{
    (void)t, (void)s, (void)reason;
}
#elif MUTANT == 15 /* an end is told to supervisors and links, not to those who monitor */
MISTAKE(void, dz_bond_break_all, struct dz_thread *t, struct dz_proc *p, struct dz_blob *reason, unsigned how)
{
    struct dz_bond *b = NULL;
    if (p->bonds)
        dz_list_each (&p->bonds->all, it)
            if (dz_list_entry(it, struct dz_bond, all)->kind == DZ_BOND_WATCHED)
                b = dz_list_entry(it, struct dz_bond, all);
    if (b)
        dz_bond_drop(p, b);
    __real_dz_bond_break_all(t, p, reason, how);
}
#elif MUTANT == 16 /* what a supervisor stops late is not stopped at all */
MISTAKE(uint64_t, dz_supervisor_overdue, struct dz_thread *t, struct dz_supervisor *s, uint64_t now_ms)
{
    (void)t, (void)s, (void)now_ms;
    return DZ_TIME_INFINITY;
}
#endif
