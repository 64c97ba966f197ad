/* strategy.h - what the end of a child means for it and for its siblings.
 * Owns:    nothing.
 * Threads: any; everything here is pure. */
#ifndef DZ_SUP_STRATEGY_H
#define DZ_SUP_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dz_strategy {
    DZ_ONE_FOR_ONE,
    DZ_ONE_FOR_ALL,
    DZ_REST_FOR_ONE,
    DZ_SIMPLE_ONE_FOR_ONE,
};

enum dz_restart {
    DZ_PERMANENT,
    DZ_TRANSIENT,
    DZ_TEMPORARY,
};

/* Which children one restart touches. */
enum dz_strategy_scope {
    DZ_SCOPE_SELF,   /* the dead child only */
    DZ_SCOPE_ALL,    /* every child */
    DZ_SCOPE_SUFFIX, /* the dead child and those behind it in start order */
};

enum dz_strategy_scope dz_strategy_scope_of(enum dz_strategy strategy);

/* True for `normal`, `shutdown` and a table whose code is `shutdown`; everything else, malformed bytes too,
 * is abnormal. */
bool dz_strategy_reason_is_normal(const uint8_t *reason, size_t len);

/* Whether a child that ended by itself with this reason is started again. */
bool dz_strategy_restarts(enum dz_restart restart, const uint8_t *reason, size_t len);

const char *dz_strategy_name(enum dz_strategy strategy);

#endif
