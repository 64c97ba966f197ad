/* plugin.c - see plugin.h.
 * Owns:    nothing.
 * Threads: any.
 * Fails:   see plugin.h. */
#include "host/plugin.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "host/host.h"

int dz_plugin_load_native(void *ctx, const char *path, const char **why)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        *why = dlerror();
        return DZ_EIO;
    }
    dz_plugin entry;
    void *symbol = dlsym(library, DZ_PLUGIN_ENTRY);
    if (!symbol) {
        *why = "the library has no function dozor_plugin";
        dlclose(library);
        return DZ_EARGUMENT;
    }
    memcpy(&entry, &symbol, sizeof entry); /* ISO C knows no cast from object to function pointer */
    int err = entry(ctx);
    if (err) {
        *why = dz_err_text(err);
        return err < 0 ? err : DZ_EARGUMENT;
    }
    return DZ_OK;
}

int dz_host_load_plugin(dz_host *host, const char *path, char **why)
{
    const char *text = "";
    int err = dz_plugin_load_native(host, path, &text);
    if (err && why)
        *why = strdup(text);
    return err;
}
