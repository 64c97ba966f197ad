/* sim_same.h - what a process needs so that the same seed gives the same run: addresses that do not move, and random numbers of
 * the kernel that come from the seed. LuaJIT takes the seed of its string hashes from there, and the order of `pairs` depends on
 * those and on addresses.
 * Owns:    the process it is called in, for good.
 * Threads: the only one.
 * Fails:   where the kernel refuses; then runs may differ. */
#ifndef DZ_HOST_SIM_SAME_H
#define DZ_HOST_SIM_SAME_H

#include <stdbool.h>
#include <stdint.h>

/* Before the exec of the process of one run. */
bool dz_sim_same_addresses(void);
/* In that process, before the first Lua state. */
bool dz_sim_same_random(uint64_t seed);

#endif
