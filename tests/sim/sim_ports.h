/* sim_ports.h - the ports of a simulated host, as core/host/ports.c has them. */
#ifndef DZ_TESTS_SIM_PORTS_H
#define DZ_TESTS_SIM_PORTS_H

#include "sim_life.h"

void sim_ports_fill_rt(struct sim_life *l);
void sim_ports_fill_cluster(struct sim_life *l, struct dz_cluster_callbacks *callbacks);
/* The processes every host has: the service on the system thread, and a native that hears the events. */
void sim_services_start(struct sim_life *l, struct dz_thread *t);

#endif
