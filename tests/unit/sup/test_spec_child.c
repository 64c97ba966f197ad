/* test_spec_child.c - one child: its defaults, every field, and what excludes what. */
#include "spec_text.h"
#include "sup/intensity.h"

static void a_child_has_every_default(void **state)
{
    (void)state;
    struct dz_sup_spec *s =
        read_spec("{ children = { { id = \"a\", behavior = \"w\" }, { id = \"s\", supervisor = \"other\" }, "
                  "{ id = \"f\", start = function } } }");
    const struct dz_child_spec *a = s->children[0];
    assert_string_equal(a->id, "a");
    assert_string_equal(a->what, "w");
    assert_int_equal(a->restart, DZ_PERMANENT);
    assert_false(a->own_selector);
    assert_false(a->brutal_kill);
    assert_int_equal(a->shutdown_ms, 5000);
    assert_int_equal(a->start_local_ms, 5000);
    assert_int_equal(a->start_remote_ms, 10000);
    assert_int_equal(a->backoff.initial_ms, 0);
    assert_int_equal(a->args_len, 1);
    assert_int_equal(a->args[0], 0x90);
    const struct dz_child_spec *sup = s->children[1];
    assert_int_equal(sup->kind, DZ_CHILD_SUPERVISOR);
    assert_true(sup->shutdown_ms == DZ_TIME_INFINITY);
    assert_true(sup->start_local_ms == DZ_TIME_INFINITY && sup->start_remote_ms == DZ_TIME_INFINITY);
    const struct dz_child_spec *f = s->children[2];
    assert_int_equal(f->kind, DZ_CHILD_FUNCTION);
    assert_int_equal(f->function.number, 3);
    assert_true(f->start_local_ms == DZ_TIME_INFINITY);
    assert_int_equal(f->shutdown_ms, 5000);
    assert_true(f->local_only && s->local_only);
    dz_sup_spec_delete(s);
}

static void a_child_gives_back_the_bytes_it_was_read_from(void **state)
{
    (void)state;
    struct dz_buf child = literal("{ id = \"a\", behavior = \"w\", args = { 5 } }");
    struct dz_sup_spec *s = read_spec("{ children = { { id = \"a\", behavior = \"w\", args = { 5 } } } }");
    assert_int_equal(s->children[0]->source_len, child.len);
    assert_memory_equal(s->children[0]->source, child.data, child.len);
    dz_buf_fini(&child);
    dz_sup_spec_delete(s);
}

static void significant_children_default_to_temporary(void **state)
{
    (void)state;
    struct dz_sup_spec *s = read_spec("{ auto_shutdown = \"all_significant\", children = { "
                                      "{ id = \"a\", behavior = \"w\", significant = true } } }");
    assert_int_equal(s->children[0]->restart, DZ_TEMPORARY);
    dz_sup_spec_delete(s);
    expect_error("{ auto_shutdown = \"all_significant\", children = { { id = \"a\", behavior = \"w\", "
                 "significant = true, "
                 "restart = \"permanent\" } } }",
                 DZ_ESPEC, "children[1].significant", "transient");
    expect_error("{ children = { { id = \"a\", behavior = \"w\", significant = true } } }", DZ_ESPEC,
                 "children[1].significant", "auto_shutdown");
}

static int read_child(const char *parent, const char *text, struct dz_child_spec **out,
                      struct dz_spec_error *error)
{
    struct dz_sup_spec *s = read_spec(parent);
    struct dz_buf term = literal(text);
    int err = dz_child_spec_read(out, s, term.data, term.len, error);
    dz_buf_fini(&term);
    dz_sup_spec_delete(s);
    return err;
}

static void refused(const char *text, const char *field, const char *part)
{
    struct dz_child_spec *c = NULL;
    struct dz_spec_error error;
    assert_int_equal(read_child("{}", text, &c, &error), DZ_ESPEC);
    assert_null(c);
    assert_string_equal(error.field, field);
    if (!strstr(error.message, part))
        fail_msg("\"%s\" lacks \"%s\"", error.message, part);
}

static struct dz_child_spec *child(const char *text)
{
    struct dz_child_spec *c = NULL;
    struct dz_spec_error error;
    if (read_child("{}", text, &c, &error))
        fail_msg("%s", error.message);
    return c;
}

static void a_child_is_exactly_one_of_three_things(void **state)
{
    (void)state;
    struct dz_child_spec *c = child("{ id = \"a\", behavior = table }");
    assert_int_equal(c->kind, DZ_CHILD_BEHAVIOR);
    assert_null(c->what);
    assert_int_equal(c->function.number, 3);
    assert_true(c->local_only);
    dz_child_spec_delete(c);
    c = child("{ id = \"a\", start = function }");
    assert_int_equal(c->kind, DZ_CHILD_FUNCTION);
    assert_true(c->local_only);
    assert_true(c->start_local_ms == DZ_TIME_INFINITY);
    dz_child_spec_delete(c);
    c = child("{ id = \"a\", supervisor = { children = { { id = \"b\", behavior = table } } } }");
    assert_int_equal(c->kind, DZ_CHILD_SUPERVISOR);
    assert_true(c->local_only);
    assert_true(c->shutdown_ms == DZ_TIME_INFINITY);
    dz_child_spec_delete(c);
    c = child("{ id = \"a\", supervisor = \"named\" }");
    assert_string_equal(c->what, "named");
    assert_null(c->supervisor);
    assert_false(c->local_only);
    dz_child_spec_delete(c);
}

static void what_a_child_cannot_be_is_refused(void **state)
{
    (void)state;
    refused("{ id = \"a\" }", "", "one of behavior, supervisor and start is missing");
    refused("{ id = \"a\", behavior = \"w\", start = function }", "", "exactly one");
    refused("{ id = \"a\", behavior = 5 }", "behavior",
            "the name of a registered behaviour or a behaviour table");
    refused("{ id = \"a\", supervisor = 5 }", "supervisor",
            "a supervisor spec or the name of a registered one");
    refused("{ id = \"a\", start = \"f\" }", "start", "a function");
    refused("{ id = \"a\", start = table }", "start", "a function");
    refused("{ behavior = \"w\" }", "", "id is missing");
    refused("{ id = 5, behavior = \"w\" }", "id", "a string of 1 to 255 bytes");
    refused("{ id = \"a\", behavior = \"w\", restart = \"always\" }", "restart",
            "\"permanent\", \"transient\" or \"temporary\"");
    refused("{ id = \"a\", behavior = \"w\", significant = 1 }", "significant", "true or false");
    refused("{ id = \"a\", behavior = \"w\", start_timeout = \"soon\" }", "start_timeout", "milliseconds");
    refused("{ id = \"a\", behavior = \"w\", mailbox_limit = { messages = 1.5 } }", "mailbox_limit.messages",
            "above 0");
    refused("{ id = \"a\", behavior = \"w\", mailbox_limit = { bytes = 0 } }", "mailbox_limit.bytes",
            "above 0");
    refused("{ id = \"a\", behavior = \"w\", mailbox_limit = { size = 1 } }", "mailbox_limit.size",
            "unknown");
    refused("{ id = \"a\", supervisor = { children = { { id = \"b\" } } } }", "supervisor.children[1]",
            "one of behavior");
    refused("\"a\"", "", "expected a table");
}

static void a_significant_child_needs_a_supervisor_that_heeds_it(void **state)
{
    (void)state;
    struct dz_child_spec *c = NULL;
    struct dz_spec_error error;
    refused("{ id = \"a\", behavior = \"w\", significant = true }", "significant", "needs auto_shutdown");
    refused("{ id = \"a\", behavior = \"w\", significant = true, restart = \"permanent\" }", "significant",
            "a permanent child");
    assert_int_equal(
        read_child("{ auto_shutdown = \"any_significant\" }",
                   "{ id = \"a\", behavior = \"w\", significant = true, restart = \"transient\" }", &c,
                   &error),
        0);
    assert_int_equal(c->restart, DZ_TRANSIENT);
    dz_child_spec_delete(c);
}

static void times_and_limits_are_taken_as_given(void **state)
{
    (void)state;
    struct dz_child_spec *c =
        child("{ id = \"a\", behavior = \"w\", start_timeout = 7, shutdown_timeout = \"brutal_kill\", "
              "mailbox_limit = { messages = 5, bytes = 4096 } }");
    assert_int_equal(c->start_local_ms, 7);
    assert_int_equal(c->start_remote_ms, 7);
    assert_true(c->brutal_kill && c->own_shutdown);
    assert_int_equal(c->shutdown_ms, 0);
    assert_int_equal(c->mailbox_messages, 5);
    assert_int_equal(c->mailbox_bytes, 4096);
    dz_child_spec_delete(c);
    c = child("{ id = \"a\", behavior = \"w\", mailbox_limit = 9, shutdown_timeout = inf, name = \"n\", "
              "global = \"g\" }");
    assert_int_equal(c->mailbox_messages, 9);
    assert_int_equal(c->mailbox_bytes, 0);
    assert_true(c->shutdown_ms == DZ_TIME_INFINITY);
    assert_string_equal(c->name, "n");
    assert_string_equal(c->global_name, "g");
    dz_child_spec_delete(c);
    dz_child_spec_delete(NULL);
}

static void an_error_names_the_innermost_child(void **state)
{
    (void)state;
    struct dz_child_spec *c = NULL;
    struct dz_spec_error error;
    assert_int_equal(
        read_child("{}",
                   "{ id = \"outer\", supervisor = { children = { { id = \"inner\", behavior = 5 } } } }", &c,
                   &error),
        DZ_ESPEC);
    assert_string_equal(error.child_id, "inner");
    assert_int_equal(read_child("{}", "{ id = \"outer\", supervisor = {}, restart = 5 }", &c, &error),
                     DZ_ESPEC);
    assert_string_equal(error.child_id, "outer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_has_every_default),
        cmocka_unit_test(a_child_gives_back_the_bytes_it_was_read_from),
        cmocka_unit_test(significant_children_default_to_temporary),
        cmocka_unit_test(a_child_is_exactly_one_of_three_things),
        cmocka_unit_test(what_a_child_cannot_be_is_refused),
        cmocka_unit_test(a_significant_child_needs_a_supervisor_that_heeds_it),
        cmocka_unit_test(times_and_limits_are_taken_as_given),
        cmocka_unit_test(an_error_names_the_innermost_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
