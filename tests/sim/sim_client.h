/* sim_client.h - those who use the system: processes of no supervisor that call, cast, watch, and start and stop supervisors
 * and children, all at random, one thing at a time.
 * Owns:    its monitors until they fire.
 * Threads: a process belongs to the thread it was made on. */
#ifndef DZ_TESTS_SIM_CLIENT_H
#define DZ_TESTS_SIM_CLIENT_H

#include "sim_life.h"

struct sim_client;

void sim_client_new(struct sim_life *l, struct dz_thread *t);
/* In the calm: everything it asked has been answered, every monitor of what is gone has fired. */
void sim_client_check_settled(struct sim_life *l);

#endif
