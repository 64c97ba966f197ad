/* near.c - see near.h.
 * Owns:    nothing.
 * Threads: any; pure.
 * Fails:   never. */
#include "base/near.h"

#include <string.h>

static unsigned least_of(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein's distance; both words are at most DZ_NEAR_MAX long. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned row[DZ_NEAR_MAX + 1];
    for (unsigned j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned above = row[j];
            row[j] = least_of(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *dz_near_name(const char *word, size_t len, const char *const *names, size_t count, unsigned most)
{
    const char *best = NULL;
    if (len > DZ_NEAR_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t name_len = strlen(names[i]);
        unsigned d = name_len > DZ_NEAR_MAX ? DZ_NEAR_MAX + 1 : distance(word, len, names[i], name_len);
        if (d > DZ_NEAR_MAX || d > most || (best && d == most))
            continue;
        best = names[i];
        most = d;
    }
    return best;
}
