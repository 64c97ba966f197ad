#include "proc/pid.h"

#include <stdio.h>
#include <string.h>

#include "../base/check.h"
#include "base/buf.h"
#include "base/err.h"

#define A     "alpha@10.0.0.1:4000"
#define BIRTH 12345u

static void init(struct dz_nodes *n)
{
    assert_int_equal(dz_nodes_init(n, BIRTH), 0);
}

static uint32_t intern(struct dz_nodes *n, const char *id, uint64_t incarnation)
{
    uint32_t index;
    assert_int_equal(dz_nodes_intern(n, id, strlen(id), incarnation, &index), 0);
    return index;
}

static struct dz_pid parse(struct dz_nodes *n, const char *text)
{
    struct dz_pid pid;
    assert_int_equal(dz_pid_parse(n, text, strlen(text), &pid), 0);
    return pid;
}

static void a_host_is_born_with_an_identity(void **state)
{
    (void)state;
    struct dz_nodes n;
    init(&n);
    assert_string_equal(dz_nodes_self_id(&n), DZ_LOCAL_NODE_ID);
    assert_true(dz_nodes_is_self(&n, 0));
    assert_int_equal(dz_nodes_get(&n, 0)->incarnation, BIRTH);
    dz_nodes_fini(&n);
}

static void an_identity_is_interned_once_for_each_incarnation(void **state)
{
    (void)state;
    struct dz_nodes n;
    init(&n);
    uint32_t first = intern(&n, A, 1), second = intern(&n, A, 2);
    assert_int_not_equal(first, second);
    assert_int_equal(intern(&n, A, 1), first);
    assert_string_equal(dz_nodes_get(&n, second)->id, A);
    assert_int_equal(dz_nodes_get(&n, second)->incarnation, 2);
    assert_false(dz_nodes_is_self(&n, first));
    assert_int_equal(dz_nodes_resolve(&n, first), first);
    dz_nodes_fini(&n);
}

static void a_thousand_identities_keep_their_places(void **state)
{
    (void)state;
    struct dz_nodes n;
    uint32_t index[1000];
    init(&n);
    for (int i = 0; i < 1000; i++)
        index[i] = intern(&n, A, (uint64_t)i + 1);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(dz_nodes_get(&n, index[i])->incarnation, i + 1);
        assert_int_equal(intern(&n, A, (uint64_t)i + 1), index[i]);
    }
    dz_nodes_fini(&n);
}

static void a_pid_has_a_fixed_form_and_comes_back_from_it(void **state)
{
    (void)state;
    struct dz_nodes n;
    char text[DZ_PID_TEXT_MAX];
    init(&n);
    struct dz_pid pid = {intern(&n, A, 77), 4294967295u, 3};
    size_t len = dz_pid_format(&n, pid, text);
    assert_int_equal(len, strlen(text));
    assert_string_equal(text, "<alpha@10.0.0.1:4000/77.4294967295.3>");
    assert_true(dz_pid_eq(parse(&n, text), pid));
    dz_pid_format(&n, (struct dz_pid){0, 1, 1}, text);
    assert_string_equal(text, "<local@127.0.0.1:0/12345.1.1>");
    assert_true(dz_pid_eq(parse(&n, text), (struct dz_pid){0, 1, 1}));
    dz_nodes_fini(&n);
}

static void a_ref_has_a_fixed_form_and_comes_back_from_it(void **state)
{
    (void)state;
    struct dz_nodes n;
    struct dz_ref back;
    char text[DZ_PID_TEXT_MAX];
    init(&n);
    struct dz_ref ref = {{intern(&n, A, 9), 12, 5}, UINT64_MAX};
    size_t len = dz_ref_format(&n, ref, text);
    assert_int_equal(len, strlen(text));
    assert_string_equal(text, "<ref alpha@10.0.0.1:4000/9.12.5.18446744073709551615>");
    assert_int_equal(dz_ref_parse(&n, text, strlen(text), &back), 0);
    assert_true(dz_pid_eq(back.owner, ref.owner) && back.num == ref.num);
    dz_nodes_fini(&n);
}

static void the_longest_identity_fits_every_form(void **state)
{
    (void)state;
    struct dz_nodes n;
    char id[DZ_NODE_ID_MAX], text[DZ_PID_TEXT_MAX];
    init(&n);
    memset(id, 'a', sizeof id);
    snprintf(id + 64, sizeof id - 64, "@");
    memset(id + 65, 'h', 255);
    snprintf(id + 320, sizeof id - 320, ":65535");
    struct dz_pid pid = {intern(&n, id, UINT64_MAX), UINT32_MAX, UINT32_MAX};
    assert_true(dz_pid_format(&n, pid, text) < DZ_PID_TEXT_MAX);
    assert_true(dz_pid_eq(parse(&n, text), pid));
    assert_true(dz_ref_format(&n, (struct dz_ref){pid, UINT64_MAX}, text) < DZ_PID_TEXT_MAX);
    dz_nodes_fini(&n);
}

static void anything_but_the_fixed_form_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "<",
        "<>",
        "pid",
        "<alpha@10.0.0.1:4000/1.1.1",
        "alpha@10.0.0.1:4000/1.1.1>",
        "<alpha@10.0.0.1:4000/1.1>",
        "<alpha@10.0.0.1:4000/1.1.1.1>",
        "<alpha@10.0.0.1:4000/01.1.1>",
        "<alpha@10.0.0.1:4000/1.-1.1>",
        "<alpha@10.0.0.1:4000/1.1.1> ",
        "<alpha@10.0.0.1:70000/1.1.1>",
        "<alpha@10.0.0.1/1.1.1>",
        "<1a@h:1/1.1.1>",
        "<alpha@10.0.0.1:4000/1.4294967296.1>",
        "<alpha@10.0.0.1:4000/1.1.4294967296>",
        "<alpha@10.0.0.1:4000/18446744073709551616.1.1>",
        "<ref alpha@10.0.0.1:4000/1.1.1.1>",
        "<alpha@:1/1.1.1>",
        "<alpha@10.0.0.1:4000/1.0.1>",
    };
    struct dz_nodes n;
    struct dz_pid pid;
    init(&n);
    uint32_t before = n.count;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (dz_pid_parse(&n, bad[i], strlen(bad[i]), &pid) == 0)
            fail_msg("took %s", bad[i]);
    }
    assert_int_equal(n.count, before);
    dz_nodes_fini(&n);
}

static void pids_born_before_the_name_stay_valid(void **state)
{
    (void)state;
    struct dz_nodes n;
    char text[DZ_PID_TEXT_MAX];
    init(&n);
    struct dz_pid old = {0, 7, 1};
    dz_pid_format(&n, old, text);
    assert_int_equal(dz_nodes_name_self(&n, A, 99), 0);
    assert_int_equal(atomic_load(&n.self), 0); /* nobody has agreed to the incarnation yet */
    dz_nodes_settle_self(&n);
    uint32_t self = atomic_load(&n.self);
    assert_string_equal(dz_nodes_self_id(&n), A);
    assert_true(dz_nodes_is_self(&n, self) && dz_nodes_is_self(&n, 0));
    assert_true(dz_pid_eq(parse(&n, text), old));
    assert_true(dz_pid_eq(parse(&n, "<alpha@10.0.0.1:4000/99.8.1>"), (struct dz_pid){self, 8, 1}));
    dz_nodes_unname_self(&n);
    assert_string_equal(dz_nodes_self_id(&n), DZ_LOCAL_NODE_ID);
    assert_true(dz_nodes_is_self(&n, self)); /* its pids are still ours */
    dz_nodes_fini(&n);
}

static void a_peers_birth_identity_routes_to_its_name(void **state)
{
    (void)state;
    struct dz_nodes n;
    init(&n);
    struct dz_pid early = parse(&n, "<local@127.0.0.1:0/555.3.1>");
    uint32_t named = intern(&n, A, 1);
    assert_int_equal(dz_nodes_resolve(&n, early.node), early.node);
    assert_int_equal(dz_nodes_alias(&n, 555, named), 0);
    assert_int_equal(dz_nodes_resolve(&n, early.node), named);
    assert_true(dz_pid_eq(parse(&n, "<local@127.0.0.1:0/555.3.1>"), early));
    assert_int_equal(dz_nodes_alias(&n, BIRTH, named), 0); /* our own number: nothing changes */
    assert_int_equal(dz_nodes_resolve(&n, 0), 0);
    dz_nodes_fini(&n);
}

static void pids_of_an_incarnation_given_up_lead_to_the_later_one_of_the_same_host(void **state)
{
    (void)state;
    struct dz_nodes n;
    init(&n);
    struct dz_pid early = parse(&n, "<local@127.0.0.1:0/555.3.1>");
    uint32_t first = intern(&n, A, 1), second = intern(&n, A, 9), third = intern(&n, A, 12);
    assert_int_equal(dz_nodes_alias(&n, 555, first), 0);
    assert_int_equal(dz_nodes_alias(&n, 555, second), 0);
    assert_int_equal(dz_nodes_resolve(&n, first), second);
    assert_int_equal(dz_nodes_alias(&n, 555, third), 0);
    assert_int_equal(dz_nodes_resolve(&n, first), third);
    assert_int_equal(dz_nodes_resolve(&n, second), third);
    assert_int_equal(dz_nodes_resolve(&n, early.node), third);
    /* Whoever claims the birth number of another node gets none of that node's pids. */
    uint32_t other = intern(&n, "other@10.0.0.9:1", 1);
    assert_int_equal(dz_nodes_alias(&n, 555, other), 0);
    assert_int_equal(dz_nodes_resolve(&n, third), third);
    assert_int_equal(dz_nodes_resolve(&n, first), third);
    dz_nodes_fini(&n);
}

static void pids_travel_in_terms_and_none_is_nil(void **state)
{
    (void)state;
    struct dz_nodes n;
    struct dz_buf buf;
    struct dz_build b;
    struct dz_read r;
    struct dz_pid pid = {0, 3, 5}, back;
    init(&n);
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_pid_of(&b, &n, pid);
    dz_build_pid_of(&b, &n, DZ_PID_NONE);
    dz_build_int(&b, 3);
    assert_int_equal(dz_build_done(&b), 0);
    dz_read_init(&r, buf.data, buf.len);
    assert_int_equal(dz_read_pid_of(&r, &n, &back), 0);
    assert_true(dz_pid_eq(back, pid));
    assert_int_equal(dz_read_pid_of(&r, &n, &back), 0);
    assert_true(dz_pid_is_none(back));
    const uint8_t *at = r.at;
    assert_int_equal(dz_read_pid_of(&r, &n, &back), DZ_EFORMAT);
    assert_ptr_equal(r.at, at);
    dz_buf_fini(&buf);
    dz_nodes_fini(&n);
}

static void node_ids_are_checked_with_a_reason(void **state)
{
    (void)state;
    size_t name_len, host_len;
    uint16_t port;
    const char *why;
    assert_int_equal(dz_node_id_parse("n_1-x@host.example:65535", 24, &name_len, &host_len, &port, &why), 0);
    assert_int_equal(name_len, 5);
    assert_int_equal(host_len, 12);
    assert_int_equal(port, 65535);
    assert_null(why);
    static const char *const bad[] = {"",        "x",      "@h:1",      "9x@h:1",  "x@:1",
                                      "x@h",     "x@h:",   "x@h:65536", "x@h:01",  "x@h h:1",
                                      "x y@h:1", "x@h/:1", "x@h:1a",    "x@a@b:1", "x@h:-1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        why = NULL;
        if (dz_node_id_parse(bad[i], strlen(bad[i]), NULL, NULL, NULL, &why) != DZ_ENODEID)
            fail_msg("took %s", bad[i]);
        assert_non_null(why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_born_with_an_identity),
        cmocka_unit_test(an_identity_is_interned_once_for_each_incarnation),
        cmocka_unit_test(a_thousand_identities_keep_their_places),
        cmocka_unit_test(a_pid_has_a_fixed_form_and_comes_back_from_it),
        cmocka_unit_test(a_ref_has_a_fixed_form_and_comes_back_from_it),
        cmocka_unit_test(the_longest_identity_fits_every_form),
        cmocka_unit_test(anything_but_the_fixed_form_is_refused),
        cmocka_unit_test(pids_born_before_the_name_stay_valid),
        cmocka_unit_test(a_peers_birth_identity_routes_to_its_name),
        cmocka_unit_test(pids_of_an_incarnation_given_up_lead_to_the_later_one_of_the_same_host),
        cmocka_unit_test(pids_travel_in_terms_and_none_is_nil),
        cmocka_unit_test(node_ids_are_checked_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
