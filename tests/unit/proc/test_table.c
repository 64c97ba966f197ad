#include "proc/table.h"

#include <pthread.h>

#include "../base/check.h"
#include "base/err.h"

static struct dz_slot *reserve(struct dz_table *t, struct dz_pid *pid)
{
    struct dz_slot *s;
    assert_int_equal(dz_table_reserve(t, 2, false, 0, &s, pid), 0);
    return s;
}

static void a_reserved_pid_is_good_at_once_and_dead_after_release(void **state)
{
    (void)state;
    struct dz_table t;
    struct dz_pid pid;
    dz_table_init(&t);
    struct dz_slot *s = reserve(&t, &pid);
    assert_ptr_equal(dz_table_find(&t, pid), s);
    assert_int_equal(pid.gen % 2, 1);
    assert_int_equal(atomic_load(&s->thread), 2);
    assert_null(s->proc);
    assert_int_equal(atomic_load(&t.count), 1);
    dz_table_release(&t, s);
    assert_null(dz_table_find(&t, pid));
    assert_int_equal(atomic_load(&t.count), 0);
    dz_table_fini(&t);
}

static void a_slot_comes_back_with_another_generation(void **state)
{
    (void)state;
    struct dz_table t;
    struct dz_pid first, pid;
    dz_table_init(&t);
    struct dz_slot *s = reserve(&t, &first);
    dz_table_release(&t, s);
    int between = 0;
    do {
        s = reserve(&t, &pid);
        dz_table_release(&t, s);
        between++;
    } while (pid.slot != first.slot);
    assert_true(between > 1000); /* as late as possible */
    assert_int_not_equal(pid.gen, first.gen);
    assert_null(dz_table_find(&t, first));
    dz_table_fini(&t);
}

static void slot_zero_and_unknown_slots_are_nobodys(void **state)
{
    (void)state;
    struct dz_table t;
    struct dz_pid pid;
    dz_table_init(&t);
    reserve(&t, &pid);
    assert_null(dz_table_slot(&t, 0));
    assert_null(dz_table_find(&t, (struct dz_pid){0, 0, 1}));
    assert_null(dz_table_find(&t, (struct dz_pid){0, UINT32_MAX, 1}));
    assert_null(dz_table_find(&t, (struct dz_pid){0, DZ_TABLE_CHUNK * 9, 1}));
    dz_table_fini(&t);
}

static void a_made_up_pid_of_a_free_slot_finds_nobody(void **state)
{
    (void)state;
    struct dz_table t;
    struct dz_pid pid;
    dz_table_init(&t);
    struct dz_slot *s = reserve(&t, &pid);
    assert_null(dz_table_find(&t, (struct dz_pid){0, pid.slot + 1, 0}));
    dz_table_release(&t, s);
    pid.gen++;
    assert_int_equal(atomic_load(&s->gen), pid.gen);
    assert_null(dz_table_find(&t, pid));
    dz_table_fini(&t);
}

static void the_table_grows_and_every_pid_is_its_own(void **state)
{
    (void)state;
    struct dz_table t;
    static struct dz_pid pids[3000];
    dz_table_init(&t);
    for (int i = 0; i < 3000; i++)
        reserve(&t, &pids[i]);
    for (int i = 0; i < 3000; i++) {
        struct dz_slot *s = dz_table_find(&t, pids[i]);
        assert_non_null(s);
        assert_int_equal(s->index, pids[i].slot);
        if (i > 0)
            assert_false(dz_pid_eq(pids[i], pids[i - 1]));
    }
    assert_int_equal(atomic_load(&t.count), 3000);
    dz_table_fini(&t);
}

static void walking_gives_the_living_and_visible_in_slot_order(void **state)
{
    (void)state;
    struct dz_table t;
    struct dz_pid a, b, c, hidden, pid;
    struct dz_slot *s;
    uint32_t index = 0;
    dz_table_init(&t);
    reserve(&t, &a);
    struct dz_slot *gone = reserve(&t, &b);
    assert_int_equal(dz_table_reserve(&t, 1, true, 0, &s, &hidden), 0);
    assert_int_equal(dz_table_reserve(&t, 1, false, 4, &s, &c), 0);
    dz_table_release(&t, gone);
    assert_int_equal(atomic_load(&t.count), 2);
    assert_true(dz_table_next(&t, &index, &pid));
    assert_true(dz_pid_eq(pid, a));
    assert_true(dz_table_next(&t, &index, &pid));
    assert_true(dz_pid_eq(pid, c)); /* with the identity it was born with */
    assert_false(dz_table_next(&t, &index, &pid));
    dz_table_fini(&t);
}

static void room_is_bounded_by_messages_and_by_bytes(void **state)
{
    (void)state;
    struct dz_table t;
    struct dz_pid pid;
    dz_table_init(&t);
    struct dz_slot *s = reserve(&t, &pid);
    dz_table_set_limits(s, 3, 100);
    assert_true(dz_table_take_room(s, 40));
    assert_true(dz_table_take_room(s, 60));
    assert_false(dz_table_take_room(s, 1));
    assert_true(dz_table_take_room(s, 0));
    assert_false(dz_table_take_room(s, 0));
    assert_int_equal(dz_table_messages(s), 3);
    assert_int_equal(dz_table_bytes(s), 100);
    dz_table_give_back(s, 40);
    assert_int_equal(dz_table_messages(s), 2);
    assert_int_equal(dz_table_bytes(s), 60);
    assert_true(dz_table_take_room(s, 40));
    dz_table_fini(&t);
}

static void limits_of_zero_are_the_defaults(void **state)
{
    (void)state;
    struct dz_table t;
    struct dz_pid pid;
    dz_table_init(&t);
    struct dz_slot *s = reserve(&t, &pid);
    dz_table_set_limits(s, 1, 1);
    dz_table_set_limits(s, 0, 0);
    assert_true(dz_table_take_room(s, DZ_MAILBOX_MAX_BYTES));
    assert_false(dz_table_take_room(s, 1));
    dz_table_give_back(s, DZ_MAILBOX_MAX_BYTES);
    for (uint32_t i = 0; i < DZ_MAILBOX_MAX_MESSAGES; i++)
        assert_true(dz_table_take_room(s, 1));
    assert_false(dz_table_take_room(s, 1));
    dz_table_fini(&t);
}

/* --- threads --- */

static void *churn(void *arg)
{
    struct dz_table *t = arg;
    for (int i = 0; i < 5000; i++) {
        struct dz_slot *s;
        struct dz_pid pid;
        if (dz_table_reserve(t, 1, false, 0, &s, &pid) || dz_table_find(t, pid) != s ||
            !dz_table_take_room(s, 10))
            return arg;
        dz_table_give_back(s, 10);
        dz_table_release(t, s);
        if (dz_table_find(t, pid))
            return arg;
    }
    return NULL;
}

static void threads_reserve_and_release_side_by_side(void **state)
{
    (void)state;
    struct dz_table t;
    pthread_t ids[4];
    void *failed;
    dz_table_init(&t);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, churn, &t), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(ids[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(atomic_load(&t.count), 0);
    assert_int_equal(t.chunk_count, 1);
    dz_table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reserved_pid_is_good_at_once_and_dead_after_release),
        cmocka_unit_test(a_slot_comes_back_with_another_generation),
        cmocka_unit_test(slot_zero_and_unknown_slots_are_nobodys),
        cmocka_unit_test(a_made_up_pid_of_a_free_slot_finds_nobody),
        cmocka_unit_test(the_table_grows_and_every_pid_is_its_own),
        cmocka_unit_test(walking_gives_the_living_and_visible_in_slot_order),
        cmocka_unit_test(room_is_bounded_by_messages_and_by_bytes),
        cmocka_unit_test(limits_of_zero_are_the_defaults),
        cmocka_unit_test(threads_reserve_and_release_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
