/* generate.h - a script from a seed; the same seed gives the same script for ever.
 * Owns:    nothing.
 * Threads: any; pure. */
#ifndef ORACLE_GENERATE_H
#define ORACLE_GENERATE_H

#include "script.h"

void generate(struct script *out, uint64_t seed);

#endif
