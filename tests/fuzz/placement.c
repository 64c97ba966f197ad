/* placement.c - paths and epochs of other nodes, in any order of arrival. */
#include <string.h>
#include "base/err.h"
#include "cluster/placement.h"
#include "fuzz.h"

static bool is_alive(void *ctx, struct dz_pid pid)
{
    return (*(const uint64_t *)ctx >> pid.slot % 64 & 1) == 0;
}

static bool is_lost(void *ctx, uint32_t node)
{
    return *(const uint64_t *)ctx & node;
}

static void count(void *ctx, struct dz_pid pid)
{
    (void)pid;
    ++*(uint32_t *)ctx;
}

static void look(void *ctx, const struct dz_place_key *key, struct dz_pid pid)
{
    (void)ctx;
    (void)pid;
    FUZZ_CHECK(dz_placement_check_key(key) == 0);
}

static void act(struct dz_placement *p, struct fuzz_input *in, uint64_t *dead)
{
    struct dz_place_key key, found;
    unsigned what = fuzz_u8(in);
    struct dz_pid pid = {0, fuzz_u8(in) + 1u, 1};
    uint32_t visited = 0;
    key.path = (const char *)fuzz_piece(in, &key.path_len);
    key.epoch = (const char *)fuzz_piece(in, &key.epoch_len);
    if (what & 128)
        *dead ^= 1ull << pid.slot % 64;
    if (key.path_len == 0 || dz_placement_check_key(&key))
        return;
    FUZZ_CHECK(dz_epoch_compare(key.epoch, key.epoch_len, key.epoch, key.epoch_len) == 0);
    bool may = dz_placement_may(p, &key) == 0;
    if (what & 1)
        FUZZ_CHECK(dz_placement_older(p, &key, what & 2, count, &visited) == visited);
    if ((what & 4) && may && !dz_placement_of(p, pid, &found)) {
        int err = dz_placement_add(p, &key, pid, what >> 4 & 3);
        FUZZ_CHECK(!err || err == DZ_ESUPERSEDED);
        if (!err)
            FUZZ_CHECK(dz_placement_of(p, pid, &found) && found.path_len == key.path_len);
    }
    if ((what & 8) && !memchr(key.path, '@', key.path_len)) { /* a named root: what it had is remembered */
        dz_placement_heard(p, &key);
        uint64_t first = dz_placement_next_root(p, key.path, key.path_len, 5);
        uint64_t second = dz_placement_next_root(p, key.path, key.path_len, 5);
        FUZZ_CHECK(first < second);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_input in = {data, len};
    struct dz_placement p;
    uint64_t dead = 0;
    dz_placement_init(&p, is_alive, is_lost, &dead);
    while (in.left > 0)
        act(&p, &in, &dead);
    dz_placement_each(&p, look, NULL);
    dz_placement_fini(&p);
    return 0;
}
