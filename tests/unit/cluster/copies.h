/* copies.h - copies of children noted where they live.
 * Owns:    nothing.
 * Threads: one. */
#ifndef DZ_TESTS_CLUSTER_COPIES_H
#define DZ_TESTS_CLUSTER_COPIES_H

#include "world.h"

/* An epoch of up to three numbers below 256. */
static inline size_t make_epoch(char *out, int depth, const uint8_t *numbers)
{
    memset(out, 0, (size_t)depth * 8);
    for (int i = 0; i < depth; i++)
        out[i * 8 + 7] = (char)numbers[i];
    return (size_t)depth * 8;
}

static inline void place(struct world *w, int i, const struct actor *a, const char *path, int depth,
                         uint8_t n0, uint8_t n1, uint8_t n2)
{
    char epoch[24];
    size_t len = make_epoch(epoch, depth, (uint8_t[]){n0, n1, n2});
    assert_int_equal(dz_cluster_placed(w->hosts[i].cluster, path, strlen(path), epoch, len, a->proc.pid), 0);
}

#endif
