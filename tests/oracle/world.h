/* world.h - our pure state machine in a world that does what the script says.
 * Owns:    the machines and actors of one script, for the length of world_run.
 * Threads: one.
 * Fails:   never; a machine that asks for what a script cannot lead to is noted in the trace ("unexpected").
 *
 * The rules by which a step applies are those of oracle_peer.erl; so is the wording of the trace. */
#ifndef ORACLE_WORLD_H
#define ORACLE_WORLD_H

#include "script.h"
#include "trace.h"

void world_run(const struct script *script, struct trace *out);

#endif
