/* alloc.h - the single door to the heap.
 * Owns:    nothing; the caller owns what it gets.
 * Threads: any.
 * Fails:   dz_alloc and friends return NULL; the _must forms abort with a message and are for small, fixed control
 *          structs only (never for sizes chosen by a script, a peer or input).
 * Tests link tests/support/fault_alloc.c in its place: the same functions, counted, failing on demand. */
#ifndef DZ_BASE_ALLOC_H
#define DZ_BASE_ALLOC_H

#include <stddef.h>

void *dz_alloc(size_t size);                 /* uninitialised; size 0 gives a unique pointer */
void *dz_zalloc(size_t count, size_t size);  /* zeroed; NULL when count * size overflows */
void *dz_realloc(void *p, size_t size);      /* on NULL the old block stands */
void dz_free(void *p);                       /* NULL is fine */

void *dz_alloc_must(size_t size);
void *dz_zalloc_must(size_t count, size_t size);

/* A copy of len bytes with a terminating zero byte behind them. NULL when out of memory. */
char *dz_strndup(const char *s, size_t len);

#endif
