#include "../base/check.h"
#include <stdio.h>
#include <string.h>
#include "base/err.h"
#include "cluster/placement.h"

struct table {
    struct dz_placement p;
    bool dead[4096];
    bool lost[4];
    char seen[256];
};

static bool alive(void *ctx, struct dz_pid pid)
{
    return !((struct table *)ctx)->dead[pid.slot];
}

static bool lost(void *ctx, uint32_t node)
{
    return ((struct table *)ctx)->lost[node];
}

static void begin(struct table *t)
{
    memset(t, 0, sizeof *t);
    dz_placement_init(&t->p, alive, lost, t);
}

/* "1.2.3" as an epoch. */
static struct dz_place_key key(const char *path, const char *numbers, char *epoch)
{
    size_t len = 0;
    for (const char *s = numbers; *s; s += s[1] ? 2 : 1) {
        memset(epoch + len, 0, 8);
        epoch[len + 7] = (char)(*s - '0');
        len += 8;
    }
    return (struct dz_place_key){path, strlen(path), epoch, len};
}

static int add_by(struct table *t, const char *path, const char *numbers, uint32_t slot, uint32_t by)
{
    char epoch[64];
    struct dz_place_key k = key(path, numbers, epoch);
    return dz_placement_add(&t->p, &k, (struct dz_pid){0, slot, 1}, by);
}

static int add(struct table *t, const char *path, const char *numbers, uint32_t slot)
{
    return add_by(t, path, numbers, slot, 0);
}

static void see(void *ctx, struct dz_pid pid)
{
    struct table *t = ctx;
    size_t len = strlen(t->seen);
    snprintf(t->seen + len, sizeof t->seen - len, "%u ", pid.slot);
}

static void see_placed(void *ctx, const struct dz_place_key *placed, struct dz_pid pid)
{
    (void)placed;
    see(ctx, pid);
}

static const char *older(struct table *t, const char *path, const char *numbers, bool ties)
{
    char epoch[64];
    struct dz_place_key k = key(path, numbers, epoch);
    t->seen[0] = 0;
    dz_placement_older(&t->p, &k, ties, see, t);
    return t->seen;
}

static int may(struct table *t, const char *path, const char *numbers)
{
    char epoch[64];
    struct dz_place_key k = key(path, numbers, epoch);
    return dz_placement_may(&t->p, &k);
}

static void epochs_compare_number_by_number(void **state)
{
    char a[64], b[64];
    (void)state;
    struct dz_place_key x = key("r", "1.9", a), y = key("r", "2.1", b);
    assert_true(dz_epoch_compare(x.epoch, 16, y.epoch, 16) < 0);
    assert_true(dz_epoch_compare(y.epoch, 16, x.epoch, 16) > 0);
    assert_int_equal(dz_epoch_compare(x.epoch, 8, x.epoch, 16), 0);
}

static void a_newer_epoch_makes_the_path_and_all_below_it_old(void **state)
{
    struct table t;
    (void)state;
    begin(&t);
    add(&t, "r", "1", 1);
    add(&t, "r/s", "1.1", 2);
    add(&t, "r/s/c", "1.1.1", 3);
    add(&t, "r/s/d", "1.2.1", 4);
    add(&t, "r/x", "1.1", 5);
    assert_string_equal(older(&t, "r/s", "1.2", false), "2 3 ");
    assert_string_equal(older(&t, "r/s", "1.1", false), "");
    assert_string_equal(older(&t, "r/s", "1.1", true), "2 ");
    assert_string_equal(older(&t, "r", "2", false), "1 2 3 4 5 ");
    assert_string_equal(older(&t, "r/s/c", "2.1.1", false), "3 ");
    dz_placement_fini(&t.p);
}

static void a_placement_older_than_what_lives_here_or_above_it_may_not_be(void **state)
{
    struct table t;
    (void)state;
    begin(&t);
    add(&t, "r/s", "1.2", 1);
    assert_int_equal(may(&t, "r/s", "1.1"), DZ_ESUPERSEDED);
    assert_int_equal(may(&t, "r/s/c", "1.1.9"), DZ_ESUPERSEDED);
    assert_int_equal(may(&t, "r/s", "1.2"), 0);
    assert_int_equal(may(&t, "r/s/c", "1.2.1"), 0);
    assert_int_equal(may(&t, "r/t", "1.1"), 0);
    t.dead[1] = true;
    assert_int_equal(may(&t, "r/s", "1.1"), 0);
    dz_placement_fini(&t.p);
}

static void an_orphan_is_older_than_anything_and_not_told_of(void **state)
{
    struct table t;
    (void)state;
    begin(&t);
    add_by(&t, "r/s", "3.1", 1, 2);
    add(&t, "r/s/c", "3.1.1", 2);
    add(&t, "x/c", "3.1", 3);
    assert_int_equal(may(&t, "r/s", "1.1"), DZ_ESUPERSEDED);
    assert_string_equal(older(&t, "r/s", "1.1", false), "");
    t.lost[2] = true;
    assert_int_equal(may(&t, "r/s", "1.1"), 0);
    assert_int_equal(may(&t, "r/s/c", "1.1.1"), 0);
    assert_string_equal(older(&t, "r/s", "1.1", false), "1 2 ");
    assert_int_equal(may(&t, "x/c", "1.1"), DZ_ESUPERSEDED);
    t.seen[0] = 0;
    dz_placement_each(&t.p, see_placed, &t);
    assert_string_equal(t.seen, "3 ");
    dz_placement_fini(&t.p);
}

static void the_dead_are_swept_out(void **state)
{
    struct table t;
    char path[32];
    (void)state;
    begin(&t);
    for (uint32_t i = 1; i < 4000; i++) {
        snprintf(path, sizeof path, "r/c%u", i);
        assert_int_equal(add(&t, path, "1.1", i), 0);
        t.dead[i] = true;
    }
    assert_true(t.p.copies <= DZ_PLACEMENT_SWEEP_MIN);
    assert_true(t.p.by_path.count <= DZ_PLACEMENT_SWEEP_MIN + 2);
    dz_placement_fini(&t.p);
}

static void malformed_keys_are_refused(void **state)
{
    char epoch[640] = {0};
    static const char *const paths[] = {"", "/a", "a/", "a//b"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct dz_place_key k = {paths[i], strlen(paths[i]), epoch, 16};
        assert_int_equal(dz_placement_check_key(&k), DZ_EFORMAT);
    }
    struct dz_place_key k = {"a/b", 3, epoch, 8};
    assert_int_equal(dz_placement_check_key(&k), DZ_EFORMAT);
    k.epoch_len = 16;
    assert_int_equal(dz_placement_check_key(&k), 0);
    /* No root gets that far; one that went on from there would count from 0 again. */
    k.epoch = "\x80\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1";
    assert_int_equal(dz_placement_check_key(&k), DZ_EFORMAT);
    char deep[140];
    for (size_t i = 0; i < sizeof deep; i++)
        deep[i] = i % 2 ? '/' : 'x';
    k = (struct dz_place_key){deep, 129, epoch, 65 * 8};
    assert_int_equal(dz_placement_check_key(&k), DZ_EFORMAT);
}

static void a_roots_next_number_is_above_all_heard_of(void **state)
{
    struct table t;
    char epoch[64];
    (void)state;
    begin(&t);
    struct dz_place_key heard = key("r/c", "6.1", epoch);
    dz_placement_heard(&t.p, &heard);
    assert_int_equal(dz_placement_next_root(&t.p, "r", 1, 8), 8);
    assert_int_equal(dz_placement_next_root(&t.p, "r", 1, 8), DZ_PLACEMENT_NODES + 8);
    assert_int_equal(dz_placement_next_root(&t.p, "r", 1, 9), DZ_PLACEMENT_NODES + 9);
    assert_int_equal(dz_placement_next_root(&t.p, "r", 1, 8), 2 * DZ_PLACEMENT_NODES + 8);
    assert_int_equal(dz_placement_next_root(&t.p, "sup_1@n", 7, 1), 1);
    assert_null(dz_smap_get(&t.p.by_path, "sup_1@n", 7));
    dz_placement_fini(&t.p);
}

static void a_process_knows_its_placement(void **state)
{
    struct table t;
    struct dz_place_key found;
    (void)state;
    begin(&t);
    add(&t, "r/c", "1.4", 3);
    add(&t, "r/c", "1.4", 3);
    assert_int_equal(t.p.copies, 1);
    assert_true(dz_placement_of(&t.p, (struct dz_pid){0, 3, 1}, &found));
    assert_int_equal(found.path_len, 3);
    assert_int_equal(found.epoch[15], 4);
    assert_false(dz_placement_of(&t.p, (struct dz_pid){0, 4, 1}, &found));
    dz_placement_fini(&t.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epochs_compare_number_by_number),
        cmocka_unit_test(a_newer_epoch_makes_the_path_and_all_below_it_old),
        cmocka_unit_test(a_placement_older_than_what_lives_here_or_above_it_may_not_be),
        cmocka_unit_test(an_orphan_is_older_than_anything_and_not_told_of),
        cmocka_unit_test(the_dead_are_swept_out),
        cmocka_unit_test(malformed_keys_are_refused),
        cmocka_unit_test(a_roots_next_number_is_above_all_heard_of),
        cmocka_unit_test(a_process_knows_its_placement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
