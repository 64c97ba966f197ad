/* types.h - the plain values supervision speaks of.
 * Owns:    nothing.
 * Threads: any. */
#ifndef DZ_SUP_TYPES_H
#define DZ_SUP_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#define DZ_SUP_NO_NODE UINT32_MAX
#define DZ_SUP_ANY_WORKER UINT32_MAX

/* "infinity" wherever a time is. */
#define DZ_TIME_INFINITY UINT64_MAX

/* A function or table of one Lua state, as DZ_EXT_FUNCTION carries it. */
struct dz_sup_function {
    uint32_t worker;
    uint32_t generation;
    uint32_t number;
    char kind; /* 'f' function, 't' table */
};

#endif
