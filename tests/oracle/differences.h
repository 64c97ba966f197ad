/* differences.h - where our supervisors are meant to differ from OTP's, and how the comparison bridges each.
 * Owns:    the table; it is the complete list, anything else that differs is a bug on one side.
 * Threads: any; the table is constant. */
#ifndef ORACLE_DIFFERENCES_H
#define ORACLE_DIFFERENCES_H

/* X(NAME, HOW, WHY): HOW is where the comparison bridges it.
 *   OURS    world.c tells our machine what OTP would have told it
 *   THEIRS  oracle_peer.erl asks OTP for what ours does
 *   SKIP    a step that would meet it is skipped on both sides
 *   CUT     the scripts are compared up to the step that meets it
 *   ABSENT  scripts cannot say it */
#define DIFFERENCES(X)                                                                                       \
    X(defaults, ABSENT, "3 restarts in 5,000 ms instead of 1 in 5 s; scripts always name both")              \
    X(window_unit, ABSENT, "our window is in ms, OTP compares whole seconds; scripts use whole seconds")     \
    X(excess_reason, OURS,                                                                                   \
      "too many restarts is an abnormal end, so that a transient inner supervisor is restarted; OTP "        \
      "ends with `shutdown`, which is what the parent is told here")                                         \
    X(overtaking, SKIP,                                                                                      \
      "stop, and terminate_child of the very child that starts, break the start off; OTP's wait for "        \
      "their turn")                                                                                          \
    X(inner_broken_off, CUT,                                                                                 \
      "an inner supervisor told to stop breaks off the starts and rounds it is in; OTP's finishes them")     \
    X(queries, SKIP, "queries are answered while a start or stop is under way; OTP's wait for their turn")   \
    X(terminate_removes, THEIRS, "terminate_child removes the record; OTP keeps it until delete_child")      \
    X(round_goes_on, CUT,                                                                                    \
      "terminate_child or restart_child of the child that keeps a round from finishing lets the round "      \
      "go on with the rest; OTP forgets the rest")                                                           \
    X(restart_running, THEIRS,                                                                               \
      "restart_child also while running or restarting: stop, start; OTP refuses, so it is asked to "         \
      "terminate first (a temporary child would be forgotten by that: skipped)")                             \
    X(simple_ids, THEIRS,                                                                                    \
      "children of simple_one_for_one have ids for terminate_child and restart_child; OTP takes the "        \
      "pid, and only for terminate_child; a pid changes, so only at rest")                                   \
    X(simple_order, OURS, "their children() is in start order; OTP's is in none, so both are sorted")        \
    X(no_ignore, ABSENT, "a start function cannot answer `ignore`, there is no delete_child")                \
    X(start_timeout, ABSENT, "a start that takes too long fails; OTP waits for ever")                        \
    X(error_tables, OURS,                                                                                    \
      "start failures, unknown keys and duplicate ids have other codes; compared by class")                  \
    X(significant_default, ABSENT, "a significant child is temporary by default; scripts always say which")  \
    X(killed_subtree, ABSENT, "the subtree of a killed supervisor ends at once; no supervisor is killed")    \
    X(loss, ABSENT, "nodes and workers are lost")                                                            \
    X(backoff, ABSENT, "restarts may be delayed")

struct difference {
    const char *name;
    const char *how;
    const char *why;
};

/* Ends with a NULL name. */
extern const struct difference differences[];

#endif
