/* shrink.h - makes a script that shows a difference smaller while it still shows one.
 * Owns:    nothing.
 * Threads: one. */
#ifndef ORACLE_SHRINK_H
#define ORACLE_SHRINK_H

#include "script.h"

/* The most scripts tried. */
#define SHRINK_TRIES 3000u

/* `differs` says whether a script still shows the difference; `script` does. */
void shrink(struct script *script, bool (*differs)(void *ctx, const struct script *script), void *ctx);

#endif
