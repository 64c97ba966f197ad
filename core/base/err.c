/* err.c - the one table of error codes, as text.
 * Owns:    nothing; every string is constant.
 * Threads: any.
 * Fails:   never; what is not in the table is "unknown". */
#include "base/err.h"

#include <stddef.h>
#include <string.h>

struct entry {
    int err;
    const char *name;
    const char *text;
};

static const struct entry table[] = {
#define DZ_ERR_ENTRY(symbol, number, name, text) {number, name, text},
    DZ_ERRORS(DZ_ERR_ENTRY)
#undef DZ_ERR_ENTRY
};

#define TABLE_COUNT (sizeof table / sizeof table[0])

static const struct entry *find(int err)
{
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (table[i].err == err)
            return &table[i];
    return NULL;
}

const char *dz_err_name(int err)
{
    if (err == DZ_OK)
        return "ok";
    const struct entry *e = find(err);
    return e ? e->name : "unknown";
}

const char *dz_err_text(int err)
{
    if (err == DZ_OK)
        return "ok";
    const struct entry *e = find(err);
    return e ? e->text : "unknown error";
}

int dz_err_from_name(const char *name)
{
    if (!name)
        return DZ_OK;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].err;
    return DZ_OK;
}
