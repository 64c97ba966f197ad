/* ports.h - fills the ports through which the layers of one host reach those right of them.
 * Owns:    nothing.
 * Threads: before any thread starts; the ports themselves as proc/rt.h, sup/driver.h and cluster/cluster.h say.
 * Fails:   never. */
#ifndef DZ_HOST_PORTS_H
#define DZ_HOST_PORTS_H

#include "cluster/cluster.h"

struct dz_host;

/* rt->ports, but for those of the scheduler. */
void dz_ports_fill_rt(struct dz_host *host);
void dz_ports_fill_cluster(struct dz_host *host, struct dz_cluster_callbacks *callbacks);

#endif
