/* alloc.c - the single door to the heap, on malloc.
 * Owns:    nothing.
 * Threads: any.
 * Fails:   NULL, or abort with a message in the _must forms.
 * All seven functions stand in this one object file, so that tests/support/fault_alloc.c replaces them as a
 * whole. */
#include "base/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *dz_alloc(size_t size)
{
    return malloc(size ? size : 1);
}

void *dz_zalloc(size_t count, size_t size)
{
    if (count == 0 || size == 0)
        return calloc(1, 1);
    /* calloc would see it too, but a sanitizer's calloc ends the program instead of returning. */
    return count > SIZE_MAX / size ? NULL : calloc(count, size);
}

void *dz_realloc(void *p, size_t size)
{
    return realloc(p, size ? size : 1);
}

void dz_free(void *p)
{
    free(p);
}

static void *must(void *p, size_t size)
{
    if (!p) {
        fprintf(stderr, "dozor: out of memory (%zu bytes)\n", size);
        abort();
    }
    return p;
}

void *dz_alloc_must(size_t size)
{
    return must(dz_alloc(size), size);
}

void *dz_zalloc_must(size_t count, size_t size)
{
    return must(dz_zalloc(count, size), count * size);
}

char *dz_strndup(const char *s, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = dz_alloc(len + 1);
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}
