/* embed.h - the Lua sources inside the binary: lua/dozor as modules, behaviors/ as built-in behaviours.
 * Owns:    the bytes (constant; written by embed.cmake and embed_compile).
 * Threads: any. */
#ifndef DZ_VM_EMBED_H
#define DZ_VM_EMBED_H

#include <stddef.h>
#include <string.h>

struct dz_embedded {
    const char *name; /* of the module ("dozor.process"), or "behaviors/NAME"; NULL ends the list */
    const char *path; /* for tracebacks: "[dozor]/process.lua", "[builtin]/NAME.lua" */
    const unsigned char *data;
    size_t len;
};

extern const struct dz_embedded dz_embedded_sources[];
/* The modules once more, as the LuaJIT of the build compiled them. */
extern const struct dz_embedded dz_embedded_code[];

/* NULL when there is none. */
static inline const struct dz_embedded *dz_embedded_find(const struct dz_embedded *list, const char *name)
{
    for (const struct dz_embedded *e = list; e->name; e++) {
        if (strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

#endif
