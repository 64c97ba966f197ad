/* world_term.h - a script as our machine reads it, our machine's words as the trace has them.
 * Owns:    nothing.
 * Threads: any; pure. */
#ifndef ORACLE_WORLD_TERM_H
#define ORACLE_WORLD_TERM_H

#include "base/buf.h"
#include "script.h"

/* The spec of the supervisor at `path` with all below it. */
void world_term_supervisor(const struct script *script, const char *path, struct dz_buf *out);
/* A child for start_child. */
void world_term_child(const struct decl *d, struct dz_buf *out);
/* The list of args start_child takes under simple_one_for_one: its path. */
void world_term_args(const char *path, struct dz_buf *out);
void world_term_reason(enum ending reason, struct dz_buf *out);

/* The class of a supervisor's exit reason: excess, shutdown_with, or the reason itself. */
void world_term_class(const uint8_t *reason, size_t len, char *out, size_t cap);
/* The class of a reply's code. */
const char *world_term_answer(int code);
/* The path a worker was given as its first argument; false when it has none. */
bool world_term_path_in_args(const uint8_t *args, size_t len, char out[SCRIPT_PATH]);

#endif
