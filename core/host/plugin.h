/* plugin.h - shared libraries that add behaviours and selectors to a host.
 * Owns:    nothing: a library stays loaded for the life of the program, for its code may be in use anywhere.
 * Threads: any.
 * Fails:   DZ_EIO (cannot be loaded), DZ_EARGUMENT (no entry point), or what the plug-in returned. */
#ifndef DZ_HOST_PLUGIN_H
#define DZ_HOST_PLUGIN_H

/* As dz_vm_shared.load_native has it; ctx is the host. *why is static or the dynamic loader's, good until its next call. */
int dz_plugin_load_native(void *ctx, const char *path, const char **why);

#endif
