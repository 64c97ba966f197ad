/* mutants.c - one deliberate mistake, put in the place of a function of the core by the linker (--wrap), to see that the
 * simulator notices. MUTANT says which; an executable is built for each, and the core's own code stays as it is. */
#include <stddef.h>
#include <stdint.h>
#include "cluster/placement.h"
#include "cluster/remote.h"
#include "proc/bond.h"
#include "sup/intensity.h"

#if MUTANT == 1 /* epochs are ignored: an older copy does not end for a newer one */
uint32_t __wrap_dz_placement_older(struct dz_placement *p, const struct dz_place_key *key, bool lose_ties,
                                   void (*visit)(void *ctx, struct dz_pid pid), void *ctx);
uint32_t __wrap_dz_placement_older(struct dz_placement *p, const struct dz_place_key *key, bool lose_ties,
                                   void (*visit)(void *ctx, struct dz_pid pid), void *ctx)
{
    (void)p, (void)key, (void)lose_ties, (void)visit, (void)ctx;
    return 0;
}
#elif MUTANT == 2 /* demonitor forgets its record but lets the monitor fire */
bool __wrap_dz_bond_demonitor(struct dz_thread *t, struct dz_proc *p, uint64_t ref);
bool __wrap_dz_bond_demonitor(struct dz_thread *t, struct dz_proc *p, uint64_t ref)
{
    (void)t, (void)p, (void)ref;
    return true;
}
#elif MUTANT == 3 /* children of a supervisor whose node is lost go on */
void __wrap_dz_bond_node_lost(struct dz_thread *t, uint32_t node, bool given_up);
void __wrap_dz_bond_node_lost(struct dz_thread *t, uint32_t node, bool given_up)
{
    (void)t, (void)node, (void)given_up;
}
#elif MUTANT == 4 /* a start that is not wanted any more is not given up on the other node */
int __wrap_dz_remote_cancelled(struct dz_remote *r, uint32_t node, const uint8_t *data, size_t len);
int __wrap_dz_remote_cancelled(struct dz_remote *r, uint32_t node, const uint8_t *data, size_t len)
{
    (void)r, (void)node, (void)data, (void)len;
    return 0;
}
#elif MUTANT == 5 /* restarts are never too many */
bool __wrap_dz_intensity_add(struct dz_intensity *in, uint64_t now_ms);
bool __wrap_dz_intensity_add(struct dz_intensity *in, uint64_t now_ms)
{
    (void)in, (void)now_ms;
    return true;
}
#endif
