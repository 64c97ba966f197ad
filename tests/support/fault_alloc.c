/* fault_alloc.c - the allocator of base/alloc.h, counted and failing on demand.
 * Owns:    the counters.
 * Threads: any.
 * Fails:   when told to. */
#include "fault_alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static atomic_size_t live;
static atomic_size_t total;
static atomic_size_t countdown; /* 0: no failure ordered */
static atomic_bool failed;

void dz_fault_alloc_reset(void)
{
    atomic_store(&total, 0);
    dz_fault_alloc_fail_at(0);
}

size_t dz_fault_alloc_live(void)
{
    return atomic_load(&live);
}

size_t dz_fault_alloc_total(void)
{
    return atomic_load(&total);
}

void dz_fault_alloc_fail_at(size_t n)
{
    atomic_store(&failed, false);
    atomic_store(&countdown, n);
}

bool dz_fault_alloc_failed(void)
{
    return atomic_load(&failed);
}

/* Counts one call; true when it is the one to fail. */
static bool is_to_fail(void)
{
    atomic_fetch_add(&total, 1);
    size_t n = atomic_load(&countdown);
    while (n > 0 && !atomic_compare_exchange_weak(&countdown, &n, n - 1))
        ;
    if (n != 1)
        return false;
    atomic_store(&failed, true);
    return true;
}

static void *born(void *p)
{
    if (p)
        atomic_fetch_add(&live, 1);
    return p;
}

void *dz_alloc(size_t size)
{
    return is_to_fail() ? NULL : born(malloc(size ? size : 1));
}

void *dz_zalloc(size_t count, size_t size)
{
    if (is_to_fail() || (size && count > SIZE_MAX / size))
        return NULL;
    return born(count && size ? calloc(count, size) : calloc(1, 1));
}

void *dz_realloc(void *p, size_t size)
{
    if (is_to_fail())
        return NULL;
    void *moved = realloc(p, size ? size : 1);
    return p ? moved : born(moved);
}

void dz_free(void *p)
{
    if (p)
        atomic_fetch_sub(&live, 1);
    free(p);
}

static void *must(void *p)
{
    if (!p) {
        fprintf(stderr, "fault_alloc: the machine is out of memory\n");
        abort();
    }
    atomic_fetch_add(&total, 1);
    return born(p);
}

void *dz_alloc_must(size_t size)
{
    return must(malloc(size ? size : 1));
}

void *dz_zalloc_must(size_t count, size_t size)
{
    return must(count && size ? calloc(count, size) : calloc(1, 1));
}

char *dz_strndup(const char *s, size_t len)
{
    char *copy = len < SIZE_MAX ? dz_alloc(len + 1) : NULL;
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}
