/* Placement (semantics 7.1). */
#include "literal.h"

#include "base/err.h"
#include "sup/selector.h"

struct fixture {
    struct dz_candidate nodes[3];
    struct dz_selector_query query;
    uint64_t counter;
};

static struct fixture three(void)
{
    struct fixture f = {.nodes = {{0, "a@h:1", true, true, false, 5, 0},
                                  {1, "b@h:2", false, true, false, 3, 0},
                                  {2, "c@h:3", false, true, false, 3, 0}}};
    f.query = (struct dz_selector_query){NULL, 3, DZ_SUP_NO_NODE, false};
    return f;
}

/* The index chosen, or -1 with the cause. */
static int choose(struct fixture *f, enum dz_selector_kind kind, const char *name, uint64_t random,
                  const char **cause)
{
    char copy[32];
    struct dz_selector s = {.kind = kind, .name = copy};
    size_t at = 0;
    strcpy(copy, name);
    f->query.nodes = f->nodes;
    int err = dz_selector_choose(&s, &f->query, &f->counter, random, &at, cause);
    return err == DZ_OK ? (int)at : err == DZ_ENONODE ? -1 : -2;
}

static void local_first_leaves_home_only_when_it_must(void **state)
{
    (void)state;
    struct fixture f = three();
    const char *why;
    assert_int_equal(choose(&f, DZ_SELECT_LOCAL_FIRST, "", 0, &why), 0);
    f.nodes[0].draining = true;
    assert_int_equal(choose(&f, DZ_SELECT_LOCAL_FIRST, "", 0, &why), 1);
    assert_int_equal(choose(&f, DZ_SELECT_LOCAL, "", 0, &why), -1);
    f.nodes[0].draining = false;
    f.query.excluded = 0;
    f.nodes[1].placed_since = 1;
    assert_int_equal(choose(&f, DZ_SELECT_LOCAL_FIRST, "", 0, &why), 2);
}

static void least_loaded_counts_what_was_placed_since_and_ties_by_order(void **state)
{
    (void)state;
    struct fixture f = three();
    const char *why;
    assert_int_equal(choose(&f, DZ_SELECT_LEAST_LOADED, "", 0, &why), 1);
    f.nodes[1].placed_since = 1;
    assert_int_equal(choose(&f, DZ_SELECT_LEAST_LOADED, "", 0, &why), 2);
    f.nodes[2].placed_since = 2;
    f.nodes[1].placed_since = 2;
    assert_int_equal(choose(&f, DZ_SELECT_LEAST_LOADED, "", 0, &why), 0);
}

static void round_robin_goes_round_what_fits(void **state)
{
    (void)state;
    struct fixture f = three();
    const char *why;
    static const int all[] = {0, 1, 2, 0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(choose(&f, DZ_SELECT_ROUND_ROBIN, "", 0, &why), all[i]);
    f.nodes[1].connected = false;
    assert_int_equal(choose(&f, DZ_SELECT_ROUND_ROBIN, "", 0, &why), 0);
    assert_int_equal(choose(&f, DZ_SELECT_ROUND_ROBIN, "", 0, &why), 2);
}

static void random_reaches_every_fitting_node_and_no_other(void **state)
{
    (void)state;
    struct fixture f = three();
    const char *why;
    f.query.excluded = 0;
    assert_int_equal(choose(&f, DZ_SELECT_RANDOM, "", 6, &why), 1);
    assert_int_equal(choose(&f, DZ_SELECT_RANDOM, "", 7, &why), 2);
    f.nodes[1].connected = f.nodes[2].connected = false;
    assert_int_equal(choose(&f, DZ_SELECT_RANDOM, "", 7, &why), -1);
}

static void a_named_node_is_taken_or_the_cause_told(void **state)
{
    (void)state;
    struct fixture f = three();
    const char *why;
    assert_int_equal(choose(&f, DZ_SELECT_NODE, "b@h:2", 0, &why), 1);
    assert_int_equal(choose(&f, DZ_SELECT_NODE, "x@h:2", 0, &why), -1);
    assert_string_equal(why, "the node is not known");
    f.nodes[1].draining = true;
    assert_int_equal(choose(&f, DZ_SELECT_NODE, "b@h:2", 0, &why), -1);
    assert_string_equal(why, "the node is draining");
    f.nodes[1].connected = false;
    assert_int_equal(choose(&f, DZ_SELECT_NODE, "b@h:2", 0, &why), -1);
    assert_string_equal(why, "the node is not connected");
}

static void specs_with_functions_stay_at_home(void **state)
{
    (void)state;
    struct fixture f = three();
    const char *why;
    f.query.local_only = true;
    assert_int_equal(choose(&f, DZ_SELECT_LEAST_LOADED, "", 0, &why), 0);
    assert_int_equal(choose(&f, DZ_SELECT_NODE, "b@h:2", 0, &why), -1);
    assert_string_equal(why, "the spec holds functions and runs only on the host it was made on");
}

static void functions_are_asked_and_their_answers_checked(void **state)
{
    (void)state;
    struct fixture f = three();
    const char *why;
    size_t at = 9;
    assert_int_equal(choose(&f, DZ_SELECT_FUNCTION, "", 0, &why), -2);
    assert_int_equal(choose(&f, DZ_SELECT_NAMED, "mine", 0, &why), -2);
    assert_int_equal(dz_selector_check_answer(&f.query, "c@h:3", &at, &why), DZ_OK);
    assert_int_equal(at, 2);
    f.query.excluded = 2;
    assert_int_equal(dz_selector_check_answer(&f.query, "c@h:3", &at, &why), DZ_ENONODE);
    assert_string_equal(why, "the node is excluded");
    assert_int_equal(dz_selector_check_answer(&f.query, NULL, &at, &why), DZ_ENONODE);
    assert_string_equal(why, "the selector returned nil");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_first_leaves_home_only_when_it_must),
        cmocka_unit_test(least_loaded_counts_what_was_placed_since_and_ties_by_order),
        cmocka_unit_test(round_robin_goes_round_what_fits),
        cmocka_unit_test(random_reaches_every_fitting_node_and_no_other),
        cmocka_unit_test(a_named_node_is_taken_or_the_cause_told),
        cmocka_unit_test(specs_with_functions_stay_at_home),
        cmocka_unit_test(functions_are_asked_and_their_answers_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
