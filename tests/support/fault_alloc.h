/* fault_alloc.h - the allocator of base/alloc.h, counted and failing on demand.
 * Owns:    the counters, one set a program.
 * Threads: any; the counters are atomic. Which thread meets the failure is not determined.
 * Use:     add fault_alloc.c to a test's own sources: then nothing of base/alloc.c is linked. */
#ifndef DZ_TESTS_FAULT_ALLOC_H
#define DZ_TESTS_FAULT_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Counts start at 0 again and nothing fails; blocks that are alive stay counted as alive. */
void dz_fault_alloc_reset(void);
/* Blocks not freed yet. */
size_t dz_fault_alloc_live(void);
/* Calls that asked for memory since the last reset, failed ones included. */
size_t dz_fault_alloc_total(void);
/* The n-th call from now fails, once; 1 is the next one, 0 takes the order back. The _must forms count and
 * never fail. */
void dz_fault_alloc_fail_at(size_t n);
/* True when the ordered failure has happened. */
bool dz_fault_alloc_failed(void);

#endif
