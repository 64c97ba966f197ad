/* test_report.c - what the machine says: actions in order, their memory, events and error tables. */
#include "world.h"
#include "sup/machine.h"

static void a_failed_first_start_tells_supervisor_child_and_cause(void **state)
{
    (void)state;
    struct world *w = world_new("{ name = \"s\", children = { { id = \"a\", behavior = \"w\" } } }");
    const struct dz_sup_action *a;
    bool seen = false;
    dz_sup_start(w->sup, w->now);
    a = dz_sup_next_action(w->sup);
    assert_int_equal(a->type, DZ_SUP_SELECT);
    uint64_t token = a->as.select.token;
    assert_null(dz_sup_next_action(w->sup));
    dz_sup_candidates(w->sup, w->now, token, w->nodes, 1);
    while (dz_sup_next_action(w->sup)) {
    }
    struct dz_buf detail = literal("{ code = \"name_taken\", name = \"n\", owner = \"o\" }");
    struct dz_sup_failure f = {DZ_ENAMETAKEN, detail.data, detail.len, false, false};
    dz_sup_start_failed(w->sup, w->now, token, &f);
    while ((a = dz_sup_next_action(w->sup)) != NULL) {
        if (a->type != DZ_SUP_EXIT)
            continue;
        char text[512];
        seen = true;
        assert_true(a->as.exit.start_failed);
        assert_int_equal(a->as.exit.code, DZ_ENAMETAKEN);
        dz_term_print(a->as.exit.error, a->as.exit.error_len, text, sizeof text);
        assert_non_null(strstr(text, "code = \"name_taken\""));
        assert_non_null(strstr(text, "supervisor_id = \"sup\""));
        assert_non_null(strstr(text, "child_id = \"a\""));
        assert_non_null(strstr(text, "owner = \"o\""));
    }
    assert_true(seen);
    dz_buf_fini(&detail);
    world_delete(w);
}

/* The reply's error as text. */
static void next_error(struct world *w, char *text, size_t cap)
{
    const struct dz_sup_action *a;
    text[0] = '\0';
    while ((a = dz_sup_next_action(w->sup)) != NULL)
        if (a->type == DZ_SUP_REPLY && a->as.reply.code)
            dz_term_print(a->as.reply.error, a->as.reply.error_len, text, cap);
}

static void an_error_names_the_supervisor_and_the_child(void **state)
{
    (void)state;
    struct world *w = world_started(WORLD_THREE);
    char text[512];
    dz_sup_terminate_child(w->sup, w->now, 1, "nobody", 6);
    next_error(w, text, sizeof text);
    assert_string_equal(
        text,
        "{code = \"child_not_found\", message = \"no child of this id (supervisor sup, child nobody)\", "
        "supervisor_id = \"sup\", child_id = \"nobody\"}");
    struct dz_buf bad = literal("{ id = \"x\", behaviour = \"w\" }");
    dz_sup_start_child(w->sup, w->now, 2, bad.data, bad.len);
    next_error(w, text, sizeof text);
    assert_non_null(strstr(text, "code = \"invalid_spec\""));
    assert_non_null(strstr(text, "field = \"behaviour\""));
    assert_non_null(strstr(text, "child_id = \"x\""));
    dz_buf_fini(&bad);
    world_delete(w);
}

/* What start_child raises when the start of "d" fails so. */
static void start_error(int code, const char *detail, char *text, size_t cap)
{
    struct world *w = world_started("{}");
    struct dz_buf term = literal(detail ? detail : "nil");
    w->hold_starts = true;
    world_start_child(w, 1, "{ id = \"d\", behavior = \"w\" }");
    struct dz_sup_failure f = {
        .code = code, .detail = detail ? term.data : NULL, .detail_len = detail ? term.len : 0};
    dz_sup_start_failed(w->sup, w->now, w->starts[0].token, &f);
    next_error(w, text, cap);
    dz_buf_fini(&term);
    world_delete(w);
}

static void a_start_the_childs_code_did_not_answer_keeps_its_own_code_and_fields(void **state)
{
    (void)state;
    char text[1024];
    start_error(DZ_ENOBEHAVIOR,
                "{ code = \"behavior_not_found\", message = \"looked everywhere\", places = \"here\", "
                "child_id = \"z\", 1 = 2 }",
                text, sizeof text);
    assert_string_equal(
        text, "{code = \"behavior_not_found\", message = \"looked everywhere (supervisor sup, child d)\", "
              "supervisor_id = \"sup\", child_id = \"d\", places = \"here\"}");
    start_error(DZ_ETIMEOUT, NULL, text, sizeof text);
    assert_string_equal(text, "{code = \"timeout\", message = \"timed out (supervisor sup, child d)\", "
                              "supervisor_id = \"sup\", child_id = \"d\"}");
    start_error(DZ_ENOCONNECTION, "\"no table\"", text, sizeof text);
    assert_non_null(strstr(text, "code = \"noconnection\""));
}

static void any_other_failure_is_child_start_failed_with_its_cause(void **state)
{
    (void)state;
    char text[1024];
    start_error(DZ_EINITFAILED, "{ code = \"error\", message = \"boom\" }", text, sizeof text);
    assert_non_null(strstr(text, "code = \"child_start_failed\""));
    assert_non_null(strstr(text, "cause = {code = \"error\", message = \"boom\"}"));
    start_error(DZ_ENOMEM, NULL, text, sizeof text);
    assert_non_null(strstr(text, "cause = \"out_of_memory\""));
    assert_int_equal(dz_report_broken_off()->code, DZ_ESHUTDOWN);
}

static void many_actions_come_in_the_order_they_were_made_and_their_memory_is_given_back(void **state)
{
    (void)state;
    struct world *w =
        world_started("{ strategy = \"simple_one_for_one\", child_template = { behavior = \"w\" } }");
    for (uint64_t i = 1; i <= 2000; i++)
        world_start_child(w, i, "{}");
    w->hold_stops = true;
    world_stop(w, 5000, "\"normal\"");
    assert_int_equal(w->stop_count, 2000);
    assert_true(w->sup->action_cap >= 2000);
    assert_string_equal(world_proc_of(w, w->stops[0])->id, "child_2000");
    assert_string_equal(world_proc_of(w, w->stops[1999])->id, "child_1");
    dz_sup_tick(w->sup, w->now);
    assert_int_equal(w->sup->action_cap, 0);
    w->hold_stops = false;
    world_run(w);
    assert_true(w->exited);
    world_delete(w);
}

static void kept_memory_stays_until_the_next_event(void **state)
{
    (void)state;
    struct world *w = world_started("{}");
    const char *text = dz_report_keep_text(w->sup, "kept");
    assert_string_equal(text, "kept");
    assert_non_null(w->sup->kept);
    dz_sup_tick(w->sup, w->now);
    assert_null(w->sup->kept);
    world_delete(w);
}

static void a_deadline_is_announced_when_it_changes_and_after_each_tick(void **state)
{
    (void)state;
    struct world *w = world_started(
        "{ children = { { id = \"a\", behavior = \"w\", backoff = { initial_ms = 100, jitter = 0 } } } }");
    world_crash(w, "a");
    world_expect(w, "timer 100\n");
    assert_null(dz_sup_next_action(w->sup));
    world_pass(w, 50); /* the driver's timer is used up: it is set again */
    world_expect(w, "timer 50\n");
    world_terminate_child(w, 1, "a");
    world_expect(w, "+ stopped a boom\nreply 1 ok\ntimer off\n");
    world_delete(w);
}

static void a_supervisor_found_out_by_its_start_function_is_given_time_to_stop(void **state)
{
    (void)state;
    struct world *w = world_started("{}");
    struct dz_sup_started started = {.pid = {0, 77, 7}, .worker = 1, .is_supervisor = true};
    const struct dz_sup_action *a;
    w->hold_starts = true;
    world_start_child(w, 1, "{ id = \"f\", start = function }");
    dz_sup_started(w->sup, w->now, w->starts[0].token, &started);
    while (dz_sup_next_action(w->sup)) {
    }
    dz_sup_terminate_child(w->sup, w->now, 2, "f", 1);
    a = dz_sup_next_action(w->sup);
    assert_int_equal(a->type, DZ_SUP_STOP);
    assert_true(a->as.stop.timeout_ms == DZ_TIME_INFINITY);
    assert_false(a->as.stop.brutal);
    world_delete(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_first_start_tells_supervisor_child_and_cause),
        cmocka_unit_test(an_error_names_the_supervisor_and_the_child),
        cmocka_unit_test(a_start_the_childs_code_did_not_answer_keeps_its_own_code_and_fields),
        cmocka_unit_test(any_other_failure_is_child_start_failed_with_its_cause),
        cmocka_unit_test(many_actions_come_in_the_order_they_were_made_and_their_memory_is_given_back),
        cmocka_unit_test(kept_memory_stays_until_the_next_event),
        cmocka_unit_test(a_deadline_is_announced_when_it_changes_and_after_each_tick),
        cmocka_unit_test(a_supervisor_found_out_by_its_start_function_is_given_time_to_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
