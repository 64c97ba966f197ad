/* drive.h - a host that somebody else drives: no threads of its own, time, chance and network from outside. For the simulator.
 * Owns:    nothing.
 * Threads: the driver's one.
 * Fails:   as dz_host_new.
 *
 * After dz_host_start the driver steps the threads with dz_sched_step (host->sched) whenever they have something to do. A wait of
 * the C API from that thread would never end: dz_host_wait is for when on_finished was called. */
#ifndef DZ_HOST_DRIVE_H
#define DZ_HOST_DRIVE_H

#include "base/env.h"
#include "base/log.h"
#include "dozor.h"
#include "host/carrier.h"
#include "vm/vm.h"

struct dz_host_drive {
    struct dz_env env;
    struct dz_log log;
    const struct dz_carrier *carrier;
    void *carrier_ctx;
    const struct dz_vm_simulation *simulation;
};

/* What `drive` points to is copied. */
int dz_host_new_driven(dz_host **out, const dz_host_options *options, const struct dz_host_drive *drive);

#endif
