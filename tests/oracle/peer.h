/* peer.h - the Erlang node that runs scripts against OTP's supervisor: one process for all of them.
 * Owns:    the process and its pipes.
 * Threads: one.
 * Fails:   -1 when it cannot be started, ends, or is silent for PEER_PATIENCE_MS; peer_run then leaves it
 * closed. What it writes to standard error is passed through. */
#ifndef ORACLE_PEER_H
#define ORACLE_PEER_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/buf.h"
#include "trace.h"

#define PEER_PATIENCE_MS 20000

struct peer {
    pid_t pid; /* 0: none */
    int to;
    int from;
    struct dz_buf buf; /* read and not used yet */
};

/* True if there is an `erl` on the path. */
bool peer_available(void);
/* `beams`: the directory of oracle_peer.beam. */
int peer_open(struct peer *p, const char *beams);
void peer_close(struct peer *p);
int peer_run(struct peer *p, const struct script *script, struct trace *out);

#endif
