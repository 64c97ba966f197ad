/* err.h - the one table of error codes.
 * Owns:    the numbers, short names and texts of every error the core can return; Lua sees the short name as `code`.
 * Threads: any; the table is constant. */
#ifndef DZ_BASE_ERR_H
#define DZ_BASE_ERR_H

/* X(symbol, number, short name, text). Numbers are never reused: they travel on the wire. */
#define DZ_ERRORS(X)                                                                                         \
    X(DZ_ENOMEM, -1, "out_of_memory", "out of memory")                                                       \
    X(DZ_EARGUMENT, -2, "bad_argument", "bad argument")                                                      \
    X(DZ_EMESSAGE, -3, "bad_message", "the value cannot be sent")                                            \
    X(DZ_ENOPROC, -4, "noproc", "no such process")                                                           \
    X(DZ_ENOCONNECTION, -5, "noconnection", "the node is not connected")                                     \
    X(DZ_ETIMEOUT, -6, "timeout", "timed out")                                                               \
    X(DZ_EOVERLOADED, -7, "overloaded", "the mailbox or the link is full")                                   \
    X(DZ_ECALLFAILED, -8, "call_failed", "the process ended before it replied")                              \
    X(DZ_EUNHANDLED, -9, "unhandled_call", "the behaviour did not take the call")                            \
    X(DZ_ECANNOTWAIT, -10, "cannot_wait", "one cannot wait here")                                            \
    X(DZ_EINITFAILED, -11, "init_failed", "init did not return")                                                     \
    X(DZ_ENAMETAKEN, -12, "name_taken", "the name is taken")                                                 \
    X(DZ_ENODEID, -13, "invalid_node_id", "not a node id")                                                   \
    X(DZ_ECONFIG, -14, "invalid_config", "invalid configuration")                                            \
    X(DZ_EADDRINUSE, -15, "address_in_use", "the address is in use")                                         \
    X(DZ_ESTARTED, -16, "already_started", "already started")                                                \
    X(DZ_EDUPLICATECHILD, -17, "duplicate_child", "a child of this id exists")                               \
    X(DZ_ENOCHILD, -18, "child_not_found", "no child of this id")                                            \
    X(DZ_ENOBEHAVIOR, -19, "behavior_not_found", "no such behaviour")                                        \
    X(DZ_ENONODE, -20, "no_available_node", "no node fits")                                                  \
    X(DZ_EMAXRESTARTS, -21, "max_restarts_exceeded", "too many restarts")                                    \
    X(DZ_ESIMPLE, -22, "invalid_simple_one_for_one", "not valid with simple_one_for_one")                    \
    X(DZ_ENOTEMPLATE, -23, "missing_child_template", "simple_one_for_one needs a child_template")            \
    X(DZ_ESPEC, -24, "invalid_spec", "invalid specification")                                                \
    X(DZ_ENOSUPERVISOR, -25, "supervisor_not_found", "no such supervisor")                                   \
    X(DZ_ECHILDSTART, -26, "child_start_failed", "the child did not start")                                  \
    X(DZ_ETOOLARGE, -27, "too_large", "larger than the limit")                                               \
    X(DZ_ETOODEEP, -28, "too_deep", "nested deeper than the limit")                                          \
    X(DZ_EFORMAT, -29, "bad_format", "malformed bytes")                                                      \
    X(DZ_ECLOSED, -30, "closed", "closed")                                                                   \
    X(DZ_EEXIST, -31, "exists", "exists already")                                                            \
    X(DZ_EAUTH, -32, "unauthenticated", "the peer could not prove the cluster secret")                       \
    X(DZ_EVERSION, -33, "version_mismatch", "the peer speaks another version")                               \
    X(DZ_EIO, -34, "io", "input or output failed")                                                           \
    X(DZ_ESCRIPT, -35, "script_error", "the script raised an error")                                         \
    X(DZ_ESHUTDOWN, -36, "shutdown", "shutting down")                                                        \
    X(DZ_ESUPERSEDED, -37, "superseded", "a newer placement exists")                                         \
    X(DZ_ESIMULATION, -38, "not_in_simulation", "not available under the simulator")

enum dz_err {
    DZ_OK = 0,
#define DZ_ERR_ENUM(symbol, number, name, text) symbol = number,
    DZ_ERRORS(DZ_ERR_ENUM)
#undef DZ_ERR_ENUM
};

/* The short name ("noproc"), "ok" for 0, "unknown" for a number that is not in the table. Static storage. */
const char *dz_err_name(int err);

/* The text for people. Static storage. */
const char *dz_err_text(int err);

/* The code of a short name; 0 when the name is not in the table. */
int dz_err_from_name(const char *name);

#endif
