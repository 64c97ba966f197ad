/* service.h - the host's service process (rt->system): answers the requests that are for the host as a whole.
 * Owns:    nothing but itself; the cluster's requests go to join.h and cluster/cluster.h.
 * Threads: a C process on the system thread.
 * Fails:   requests are answered with error tables. */
#ifndef DZ_HOST_SERVICE_H
#define DZ_HOST_SERVICE_H

#include "proc/rt.h"

struct dz_host;

/* Makes the process and fills rt->system. On the system thread. */
int dz_service_start(struct dz_host *host, struct dz_thread *t);
/* Ends it. On the system thread, when that stops. */
void dz_service_end(struct dz_host *host, struct dz_thread *t);

#endif
