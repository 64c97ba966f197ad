/* strategy.c - exit classes and scopes. */
#include "sup/strategy.h"

#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "term/read.h"

enum dz_strategy_scope dz_strategy_scope_of(enum dz_strategy strategy)
{
    switch (strategy) {
    case DZ_ONE_FOR_ALL:
        return DZ_SCOPE_ALL;
    case DZ_REST_FOR_ONE:
        return DZ_SCOPE_SUFFIX;
    case DZ_ONE_FOR_ONE:
    case DZ_SIMPLE_ONE_FOR_ONE:
        break;
    }
    return DZ_SCOPE_SELF;
}

static bool text_is(const char *s, size_t len, const char *what)
{
    return len == strlen(what) && memcmp(s, what, len) == 0;
}

bool dz_strategy_reason_is_normal(const uint8_t *reason, size_t len)
{
    const char *s;
    size_t n;
    struct dz_read r;
    dz_read_init(&r, reason, len);
    if (dz_read_string(&r, &s, &n) == DZ_OK)
        return text_is(s, n, "normal") || text_is(s, n, "shutdown");
    return dz_read_find_string(reason, len, "code", &s, &n) && text_is(s, n, "shutdown");
}

bool dz_strategy_restarts(enum dz_restart restart, const uint8_t *reason, size_t len)
{
    switch (restart) {
    case DZ_PERMANENT:
        return true;
    case DZ_TRANSIENT:
        return !dz_strategy_reason_is_normal(reason, len);
    case DZ_TEMPORARY:
        break;
    }
    return false;
}

const char *dz_strategy_name(enum dz_strategy strategy)
{
    static const char *const names[] = {"one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"};
    dz_assert((unsigned)strategy < 4);
    return names[strategy];
}
