/* sim_settled.h - when all is quiet: does what the supervisors say agree with what is there?
 * Owns:    nothing.
 * Threads: one. */
#ifndef DZ_TESTS_SIM_SETTLED_H
#define DZ_TESTS_SIM_SETTLED_H

struct sim;
struct sim_life;

/* Every wanted child runs exactly once, nothing runs that is not wanted, stats add up. */
void sim_settled_check(struct sim *sim);
/* Every supervisor was stopped: of processes, names and timers of this host only those of its clients are left. */
void sim_settled_check_empty(struct sim_life *l);

#endif
