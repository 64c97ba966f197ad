/* Specs: defaults, every field, every way to be wrong (api 4). */
#include "spec_text.h"

#include <stdio.h>

#include "sup/intensity.h"

static void an_empty_spec_has_every_default(void **state)
{
    (void)state;
    struct dz_sup_spec *s = read_spec("{}");
    assert_int_equal(s->strategy, DZ_ONE_FOR_ONE);
    assert_int_equal(s->selector.kind, DZ_SELECT_LOCAL_FIRST);
    assert_int_equal(s->child_count, 0);
    assert_int_equal(s->max_restarts, 3);
    assert_int_equal(s->within_ms, 5000);
    assert_int_equal(s->auto_shutdown, DZ_AUTO_NEVER);
    assert_null(s->name);
    assert_false(s->local_only);
    dz_sup_spec_delete(s);
}

static void every_field_is_taken(void **state)
{
    (void)state;
    struct dz_sup_spec *s = read_spec(
        "{ strategy = \"rest_for_one\", node_selector = { node = \"b@h:2\" }, restart_intensity = { "
        "max_restarts = inf, "
        "within_ms = \"infinity\" }, auto_shutdown = \"any_significant\", global = \"g\", on_supervisor_loss "
        "= \"stop\", "
        "children = { { id = \"a\", behavior = table, args = { 1 = 1, 3 = \"x\" }, name = \"n\", global = "
        "\"m\", "
        "restart = \"transient\", node_selector = { selector = \"mine\" }, shutdown_timeout = inf, "
        "start_timeout = 1.5, "
        "mailbox_limit = { messages = 10, bytes = 20 }, significant = true, "
        "backoff = { initial_ms = 1, max_ms = 9, factor = 3, jitter = 0.5, reset_after_ms = 7 } } } }");
    const struct dz_child_spec *a = s->children[0];
    char args[32];
    assert_int_equal(s->strategy, DZ_REST_FOR_ONE);
    assert_string_equal(s->selector.name, "b@h:2");
    assert_true(s->max_restarts == DZ_INTENSITY_UNLIMITED);
    assert_true(s->within_ms == DZ_TIME_INFINITY);
    assert_string_equal(s->name, "g");
    assert_int_equal(a->function.kind, 't');
    assert_true(a->local_only);
    dz_term_print(a->args, a->args_len, args, sizeof args);
    assert_string_equal(args, "{1, nil, \"x\"}");
    assert_string_equal(a->name, "n");
    assert_string_equal(a->global_name, "m");
    assert_int_equal(a->restart, DZ_TRANSIENT);
    assert_int_equal(a->selector.kind, DZ_SELECT_NAMED);
    assert_true(a->shutdown_ms == DZ_TIME_INFINITY);
    assert_int_equal(a->start_local_ms, 2);
    assert_int_equal(a->start_remote_ms, 2);
    assert_int_equal(a->mailbox_messages, 10);
    assert_int_equal(a->mailbox_bytes, 20);
    assert_true(a->significant);
    assert_int_equal(a->backoff.max_ms, 9);
    assert_int_equal(a->backoff.reset_after_ms, 7);
    dz_sup_spec_delete(s);
}

static void nested_specs_are_checked_before_anything_starts(void **state)
{
    (void)state;
    struct dz_sup_spec *s = read_spec("{ children = { { id = \"in\", supervisor = { children = { { id = "
                                      "\"x\", start = function } } } } } }");
    assert_true(s->children[0]->local_only && s->local_only);
    assert_string_equal(s->children[0]->supervisor->children[0]->id, "x");
    dz_sup_spec_delete(s);
    expect_error("{ children = { { id = \"in\", supervisor = { children = { { id = \"x\", behavior = \"w\", "
                 "restart = \"permanant\" } } } } } }",
                 DZ_ESPEC, "children[1].supervisor.children[1].restart",
                 "(child \"x\"): got \"permanant\", expected \"permanent\", \"transient\" or \"temporary\"");
}

static void wrong_values_say_what_would_be_valid(void **state)
{
    (void)state;
    expect_error("{ strategy = 1 }", DZ_ESPEC, "strategy", "got 1, expected \"one_for_one\"");
    expect_error("{ on_supervisor_loss = \"keep\" }", DZ_ESPEC, "on_supervisor_loss", "expected \"stop\"");
    expect_error("{ restart_intensity = { max_restarts = -1 } }", DZ_ESPEC, "restart_intensity.max_restarts",
                 "whole number");
    expect_error("{ restart_intensity = { max_restarts = 1.5 } }", DZ_ESPEC, "restart_intensity.max_restarts",
                 "whole number");
    expect_error("{ restart_intensity = { within_ms = -1 } }", DZ_ESPEC, "restart_intensity.within_ms",
                 "milliseconds");
    expect_error("{ restart_intensity = { within_ms = 0 } }", DZ_ESPEC, "restart_intensity.within_ms",
                 "a number above 0");
    expect_error("{ node_selector = { node = \"b@h:2\", selector = \"mine\" } }", DZ_ESPEC,
                 "node_selector.selector", "exclude each other");
    expect_error("{ node_selector = { selector = \"mine\", node = \"b@h:2\" } }", DZ_ESPEC,
                 "node_selector.node", "exclude each other");
    expect_error("{ node_selector = \"nearest\" }", DZ_ESPEC, "node_selector", "local_first");
    expect_error("{ node_selector = { node = \"nowhere\" } }", DZ_ESPEC, "node_selector.node",
                 "name@host:port");
    expect_error("{ name = \"a\", global = \"b\" }", DZ_ESPEC, "", "differ");
    expect_error("{ name = \"<a>\" }", DZ_ESPEC, "name", "does not begin with");
    expect_error("{ children = { { id = \"a\", behavior = \"w\", name = \"<a\" } } }", DZ_ESPEC,
                 "children[1].name", "does not begin with");
    expect_error("{ children = { { id = \"a\", behavior = \"w\", global = \"<a\" } } }", DZ_ESPEC,
                 "children[1].global", "does not begin with");
    expect_error("{ children = 7 }", DZ_ESPEC, "children", "list");
    expect_error("{ children = { 7 } }", DZ_ESPEC, "children[1]", "table");
    expect_error("\"spec\"", DZ_ESPEC, "", "expected a table");
    expect_error("{ children = { { id = \"\", behavior = \"w\" } } }", DZ_ESPEC, "children[1].id", "string");
    expect_error("{ children = { { behavior = \"w\" } } }", DZ_ESPEC, "children[1]", "id is missing");
    expect_error("{ children = { { id = \"a\" } } }", DZ_ESPEC, "children[1]", "one of behavior");
    expect_error("{ children = { { id = \"a\", behavior = \"w\", start = function } } }", DZ_ESPEC,
                 "children[1]", "exactly one");
    expect_error("{ children = { { id = \"a\", behavior = \"w\", supervisor = \"s\" } } }", DZ_ESPEC,
                 "children[1].supervisor", "");
    expect_error("{ children = { { id = \"a\", behavior = function } } }", DZ_ESPEC, "children[1].behavior",
                 "behaviour table");
    expect_error("{ children = { { id = \"a\", behavior = \"w\", shutdown_timeout = \"never\" } } }",
                 DZ_ESPEC, "children[1].shutdown_timeout", "\"brutal_kill\" or \"infinity\"");
    expect_error("{ children = { { id = \"a\", behavior = \"w\", args = { x = 1 } } } }", DZ_ESPEC,
                 "children[1].args", "list");
    expect_error("{ children = { { id = \"a\", behavior = \"w\", args = { 1000000 = 1 } } } }", DZ_ESPEC,
                 "children[1].args", "1000");
    expect_error("{ children = { { id = \"a\", behavior = \"w\", backoff = {} } } }", DZ_ESPEC,
                 "children[1].backoff", "initial_ms");
    expect_error(
        "{ children = { { id = \"a\", behavior = \"w\", backoff = { initial_ms = 1, factor = 0.5 } } } }",
        DZ_ESPEC, "children[1].backoff.factor", "not below 1");
    expect_error("{ children = { { id = \"a\", behavior = \"w\", mailbox_limit = 0 } } }", DZ_ESPEC,
                 "children[1].mailbox_limit", "above 0");
}

static void add_message(void *ctx, const struct dz_spec_error *problem)
{
    char *all = ctx;
    size_t len = strlen(all);
    snprintf(all + len, 1024 - len, "%s: %s\n", dz_err_name(problem->code), problem->message);
}

static void a_check_tells_of_every_problem_once(void **state)
{
    (void)state;
    char all[1024] = "";
    struct dz_buf term = literal("{ strategy = \"x\", colour = 1, restart_intensity = { within_ms = 0, max = 1 }, children = { "
                                 "{ id = \"a\", behavior = \"w\", restart = 1, args = 2 }, { id = \"b\" }, "
                                 "{ id = \"s\", supervisor = { children = { { id = \"i\" } } } }, "
                                 "{ id = \"c\", behavior = \"w\" }, { id = \"c\", behavior = \"w\" } } }");
    assert_int_equal(dz_sup_spec_check(term.data, term.len, add_message, all), DZ_ESPEC);
    dz_buf_fini(&term);
    const char *const parts[] = {
        "invalid_spec: strategy: got \"x\"",
        "invalid_spec: colour: unknown key",
        "invalid_spec: restart_intensity.within_ms: got 0",
        "invalid_spec: restart_intensity.max: unknown key",
        "invalid_spec: children[1].restart (child \"a\"): got 1",
        "invalid_spec: children[1].args (child \"a\"): got 2",
        "invalid_spec: children[2] (child \"b\"): one of behavior",
        "invalid_spec: children[3].supervisor.children[1] (child \"i\"): one of behavior",
        "duplicate_child: children[5] (child \"c\"): the id is there twice",
    };
    size_t lines = 0;
    for (const char *at = all; *at; at++)
        lines += *at == '\n';
    assert_int_equal(lines, sizeof parts / sizeof parts[0]);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(all, parts[i]) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", all, parts[i]);
    assert_int_equal(dz_sup_spec_check((const uint8_t *)"\x80", 1, add_message, all), DZ_OK);
}

static void the_codes_of_misuse_are_their_own(void **state)
{
    (void)state;
    expect_error("{ children = { { id = \"a\", behavior = \"w\" }, { id = \"a\", behavior = \"w\" } } }",
                 DZ_EDUPLICATECHILD, "children[2]", "\"a\"");
    expect_error("{ strategy = \"simple_one_for_one\" }", DZ_ENOTEMPLATE, "", "child_template");
    expect_error("{ strategy = \"simple_one_for_one\", children = { { id = \"a\", behavior = \"w\" } } }",
                 DZ_ESIMPLE, "", "instead");
    expect_error("{ child_template = { behavior = \"w\" } }", DZ_ESPEC, "", "simple_one_for_one");
    expect_error("{ strategy = \"simple_one_for_one\", child_template = { id = \"x\", behavior = \"w\" } }",
                 DZ_ESPEC, "child_template", "no id");
    struct dz_sup_spec *s = read_spec(
        "{ strategy = \"simple_one_for_one\", children = {}, child_template = { behavior = \"w\" } }");
    assert_null(s->child_template->id);
    dz_sup_spec_delete(s);
}

static void errors_travel_as_tables(void **state)
{
    (void)state;
    struct dz_spec_error error = {DZ_ESPEC, "children[1].restart", "a", "no"};
    struct dz_buf out;
    char text[128];
    dz_buf_init(&out);
    assert_int_equal(dz_spec_error_encode(&error, &out), 0);
    dz_term_print(out.data, out.len, text, sizeof text);
    assert_string_equal(
        text,
        "{code = \"invalid_spec\", message = \"no\", field = \"children[1].restart\", child_id = \"a\"}");
    dz_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_spec_has_every_default),
        cmocka_unit_test(every_field_is_taken),
        cmocka_unit_test(nested_specs_are_checked_before_anything_starts),
        cmocka_unit_test(wrong_values_say_what_would_be_valid),
        cmocka_unit_test(a_check_tells_of_every_problem_once),
        cmocka_unit_test(the_codes_of_misuse_are_their_own),
        cmocka_unit_test(errors_travel_as_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
