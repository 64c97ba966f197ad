#include "proc/names.h"

#include <string.h>

#include "../base/check.h"
#include "base/err.h"

struct fixture {
    struct dz_table t;
    struct dz_names n;
};

static void init(struct fixture *f)
{
    assert_int_equal(dz_table_init(&f->t), 0);
    assert_int_equal(dz_names_init(&f->n), 0);
}

static void fini(struct fixture *f)
{
    dz_names_fini(&f->n);
    dz_table_fini(&f->t);
}

static struct dz_slot *born(struct fixture *f, struct dz_pid *pid)
{
    struct dz_slot *s;
    assert_int_equal(dz_table_reserve(&f->t, 1, false, 0, &s, pid), 0);
    return s;
}

static int take(struct fixture *f, const char *name, struct dz_pid pid, struct dz_pid *owner)
{
    return dz_names_register(&f->n, &f->t, name, strlen(name), pid, owner);
}

static struct dz_pid whereis(struct fixture *f, const char *name)
{
    return dz_names_whereis(&f->n, name, strlen(name));
}

static void a_name_finds_its_process(void **state)
{
    (void)state;
    struct fixture f;
    struct dz_pid pid;
    char name[DZ_NAME_MAX + 1];
    init(&f);
    born(&f, &pid);
    assert_true(dz_pid_is_none(whereis(&f, "db")));
    assert_false(dz_names_of(&f.n, pid, name));
    assert_int_equal(take(&f, "db", pid, NULL), 0);
    assert_true(dz_pid_eq(whereis(&f, "db"), pid));
    assert_true(dz_names_of(&f.n, pid, name));
    assert_string_equal(name, "db");
    fini(&f);
}

static void a_taken_name_says_who_has_it(void **state)
{
    (void)state;
    struct fixture f;
    struct dz_pid a, b, owner = DZ_PID_NONE;
    init(&f);
    born(&f, &a);
    born(&f, &b);
    assert_int_equal(take(&f, "db", a, NULL), 0);
    assert_int_equal(take(&f, "db", b, &owner), DZ_ENAMETAKEN);
    assert_true(dz_pid_eq(owner, a));
    assert_int_equal(take(&f, "db", a, &owner), DZ_ENAMETAKEN);
    fini(&f);
}

static void the_dead_get_no_name(void **state)
{
    (void)state;
    struct fixture f;
    struct dz_pid pid;
    init(&f);
    dz_names_end(&f.n, &f.t, born(&f, &pid));
    assert_int_equal(take(&f, "db", pid, NULL), DZ_ENOPROC);
    assert_true(dz_pid_is_none(whereis(&f, "db")));
    fini(&f);
}

static void a_process_and_its_names_end_in_one_step(void **state)
{
    (void)state;
    struct fixture f;
    struct dz_pid a, b;
    init(&f);
    struct dz_slot *s = born(&f, &a);
    born(&f, &b);
    assert_int_equal(take(&f, "one", a, NULL), 0);
    assert_int_equal(take(&f, "two", a, NULL), 0);
    assert_int_equal(take(&f, "other", b, NULL), 0);
    dz_names_end(&f.n, &f.t, s);
    assert_null(dz_table_find(&f.t, a));
    assert_true(dz_pid_is_none(whereis(&f, "one")) && dz_pid_is_none(whereis(&f, "two")));
    assert_true(dz_pid_eq(whereis(&f, "other"), b));
    assert_int_equal(take(&f, "one", b, NULL), 0);
    fini(&f);
}

static void of_several_names_the_first_one_is_shown(void **state)
{
    (void)state;
    struct fixture f;
    struct dz_pid pid;
    char name[DZ_NAME_MAX + 1];
    init(&f);
    struct dz_slot *s = born(&f, &pid);
    assert_int_equal(take(&f, "first", pid, NULL), 0);
    assert_int_equal(take(&f, "second", pid, NULL), 0);
    assert_int_equal(take(&f, "third", pid, NULL), 0);
    assert_true(dz_names_of(&f.n, pid, name));
    assert_string_equal(name, "first");
    assert_true(dz_names_unregister(&f.n, "second", 6));
    assert_true(dz_names_unregister(&f.n, "first", 5));
    assert_true(dz_names_of(&f.n, pid, name));
    assert_string_equal(name, "third");
    assert_true(dz_names_unregister(&f.n, "third", 5));
    assert_false(dz_names_unregister(&f.n, "third", 5));
    assert_false(dz_names_of(&f.n, pid, name));
    dz_names_end(&f.n, &f.t, s);
    fini(&f);
}

static void a_stale_pid_has_no_name(void **state)
{
    (void)state;
    struct fixture f;
    struct dz_pid pid;
    char name[DZ_NAME_MAX + 1];
    init(&f);
    born(&f, &pid);
    assert_int_equal(take(&f, "db", pid, NULL), 0);
    pid.gen += 2;
    assert_false(dz_names_of(&f.n, pid, name));
    fini(&f);
}

static void visit(void *ctx, const char *name, size_t len, struct dz_pid pid)
{
    assert_false(dz_pid_is_none(pid));
    assert_true(len == 1 && name[0] >= 'a' && name[0] <= 'c');
    *(unsigned *)ctx |= 1u << (name[0] - 'a');
}

static void each_name_is_visited(void **state)
{
    (void)state;
    struct fixture f;
    struct dz_pid pid;
    unsigned seen = 0;
    init(&f);
    born(&f, &pid);
    assert_int_equal(take(&f, "a", pid, NULL), 0);
    assert_int_equal(take(&f, "b", pid, NULL), 0);
    assert_int_equal(take(&f, "c", pid, NULL), 0);
    dz_names_each(&f.n, visit, &seen);
    assert_int_equal(seen, 7);
    fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_finds_its_process),
        cmocka_unit_test(a_taken_name_says_who_has_it),
        cmocka_unit_test(the_dead_get_no_name),
        cmocka_unit_test(a_process_and_its_names_end_in_one_step),
        cmocka_unit_test(of_several_names_the_first_one_is_shown),
        cmocka_unit_test(a_stale_pid_has_no_name),
        cmocka_unit_test(each_name_is_visited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
