/* near.h - the known word that is most like one nobody knows, for messages that help.
 * Owns:    nothing.
 * Threads: any; pure.
 * Fails:   never; NULL when no word is near enough. */
#ifndef DZ_BASE_NEAR_H
#define DZ_BASE_NEAR_H

#include <stddef.h>

#define DZ_NEAR_MAX 40u /* longer words are like none */

/* The first of the names with the fewest letters to change, add or leave out, if these are at most `most`. */
const char *dz_near_name(const char *word, size_t len, const char *const *names, size_t count, unsigned most);

#endif
