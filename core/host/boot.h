/* boot.h - what a node started by `dozor up` is told through a pipe: its place in the cluster, and what the first node starts.
 * Owns:    the bytes read.
 * Threads: the main thread; the waiting for the others in the desk's callbacks.
 * Fails:   DZ_EFORMAT, DZ_EIO; a supervisor that does not start ends the host with exit code 1.
 * Form: one map { cluster = config map, nodes = list of ids, supervisors = list of specs }. */
#ifndef DZ_HOST_BOOT_H
#define DZ_HOST_BOOT_H

#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "host/config.h"

struct dz_host;

struct dz_boot {
    struct dz_buf bytes;
    const uint8_t *cluster;
    size_t cluster_len;
    const uint8_t *nodes;
    size_t nodes_len;
    const uint8_t *supervisors;
    size_t supervisors_len;
};

/* Reads all of the descriptor and closes it. The boot stays valid until dz_boot_fini. */
int dz_boot_read(struct dz_boot *boot, int fd);
/* The same from what dz_boot_write wrote; takes the buffer's memory. */
int dz_boot_take(struct dz_boot *boot, struct dz_buf *bytes);
void dz_boot_fini(struct dz_boot *boot);
/* The launcher's side. `seeds`: all nodes. */
int dz_boot_write(struct dz_buf *out, const struct dz_up_settings *up, size_t node);
/* Once all nodes are up, starts the supervisors one after another. `boot` outlives the host's run. */
void dz_boot_begin(struct dz_boot *boot, struct dz_host *host);

#endif
