/* test_spec_parts.c - selectors, backoff and lists of args. */
#include <stdio.h>
#include "spec_text.h"
#include "sup/spec_parts.h"

static void args_of_the_template_come_first(void **state)
{
    (void)state;
    struct dz_buf base = literal("{ 1 }"), more = literal("{ 2 = \"b\" }"), none = literal("{}"),
                  bad = literal("{ x = 1 }");
    struct dz_buf out;
    struct dz_spec_error error;
    char text[64];
    dz_buf_init(&out);
    assert_int_equal(dz_spec_join_args(&out, base.data, base.len, more.data, more.len, &error), 0);
    dz_term_print(out.data, out.len, text, sizeof text);
    assert_string_equal(text, "{1, nil, \"b\"}");
    dz_buf_clear(&out);
    assert_int_equal(dz_spec_join_args(&out, base.data, base.len, none.data, none.len, &error), 0);
    dz_term_print(out.data, out.len, text, sizeof text);
    assert_string_equal(text, "{1}");
    assert_int_equal(dz_spec_join_args(&out, base.data, base.len, bad.data, bad.len, &error), DZ_ESPEC);
    assert_string_equal(error.field, "args");
    dz_buf_fini(&base);
    dz_buf_fini(&more);
    dz_buf_fini(&none);
    dz_buf_fini(&bad);
    dz_buf_fini(&out);
}

/* The first child of a spec whose child has the fields. */
static struct dz_sup_spec *with_child(const char *fields)
{
    char text[512];
    snprintf(text, sizeof text, "{ children = { { id = \"a\", behavior = \"w\", %s } } }", fields);
    return read_spec(text);
}

static void child_error(const char *fields, const char *field, const char *part)
{
    char text[512], path[128];
    snprintf(text, sizeof text, "{ children = { { id = \"a\", behavior = \"w\", %s } } }", fields);
    snprintf(path, sizeof path, "children[1].%s", field);
    expect_error(text, DZ_ESPEC, path, part);
}

static enum dz_selector_kind kind_of(const char *selector)
{
    char text[128];
    snprintf(text, sizeof text, "{ node_selector = %s }", selector);
    struct dz_sup_spec *s = read_spec(text);
    enum dz_selector_kind kind = s->selector.kind;
    dz_sup_spec_delete(s);
    return kind;
}

static void every_selector_has_its_kind(void **state)
{
    (void)state;
    assert_int_equal(kind_of("\"local_first\""), DZ_SELECT_LOCAL_FIRST);
    assert_int_equal(kind_of("\"local\""), DZ_SELECT_LOCAL);
    assert_int_equal(kind_of("\"round_robin\""), DZ_SELECT_ROUND_ROBIN);
    assert_int_equal(kind_of("\"least_loaded\""), DZ_SELECT_LEAST_LOADED);
    assert_int_equal(kind_of("\"random\""), DZ_SELECT_RANDOM);
    assert_int_equal(kind_of("{ node = \"b@h:2\" }"), DZ_SELECT_NODE);
    assert_int_equal(kind_of("{ selector = \"mine\" }"), DZ_SELECT_NAMED);
    assert_int_equal(kind_of("function"), DZ_SELECT_FUNCTION);
    struct dz_sup_spec *s = read_spec("{ node_selector = { node = \"b@h:2\" } }");
    assert_string_equal(s->selector.name, "b@h:2");
    dz_sup_spec_delete(s);
}

static void what_is_no_selector_says_what_would_be_one(void **state)
{
    (void)state;
    expect_error("{ node_selector = {} }", DZ_ESPEC, "node_selector", "{ node = id }");
    expect_error("{ node_selector = 7 }", DZ_ESPEC, "node_selector", "or a function");
    expect_error("{ node_selector = table }", DZ_ESPEC, "node_selector", "or a function");
    expect_error("{ node_selector = { nod = \"b@h:2\" } }", DZ_ESPEC, "node_selector.nod", "\"node\"");
    expect_error("{ node_selector = { node = \"b\" } }", DZ_ESPEC, "node_selector.node", "name@host:port");
    expect_error("{ node_selector = { node = \"b@h\" } }", DZ_ESPEC, "node_selector.node", "name@host:port");
    expect_error("{ node_selector = { node = 5 } }", DZ_ESPEC, "node_selector.node", "name@host:port");
    expect_error("{ node_selector = { selector = \"\" } }", DZ_ESPEC, "node_selector.selector",
                 "1 to 255 bytes");
}

static void backoff_has_defaults_and_a_first_delay_may_be_longer_than_their_limit(void **state)
{
    (void)state;
    struct dz_sup_spec *s = with_child("backoff = { initial_ms = 10 }");
    struct dz_backoff b = s->children[0]->backoff;
    assert_int_equal(b.initial_ms, 10);
    assert_int_equal(b.max_ms, 30000);
    assert_true(b.factor == 2 && b.jitter == 0.1);
    assert_int_equal(b.reset_after_ms, 5000);
    dz_sup_spec_delete(s);
    s = with_child("backoff = { initial_ms = 60000 }");
    assert_int_equal(s->children[0]->backoff.max_ms, 60000);
    dz_sup_spec_delete(s);
    s = with_child(
        "backoff = { initial_ms = 1, max_ms = inf, factor = 1, jitter = 1, reset_after_ms = \"infinity\" }");
    assert_true(s->children[0]->backoff.max_ms == DZ_TIME_INFINITY &&
                s->children[0]->backoff.reset_after_ms == DZ_TIME_INFINITY);
    dz_sup_spec_delete(s);
}

static void backoff_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    child_error("backoff = 5", "backoff", "expected a table");
    child_error("backoff = { max_ms = 1 }", "backoff", "initial_ms is missing");
    child_error("backoff = { initial_ms = inf }", "backoff", "expected a finite time");
    child_error("backoff = { initial_ms = 5, max_ms = 4 }", "backoff", "max_ms is below initial_ms");
    child_error("backoff = { initial_ms = -1 }", "backoff.initial_ms", "milliseconds");
    child_error("backoff = { initial_ms = 1, max_ms = \"x\" }", "backoff.max_ms", "milliseconds");
    child_error("backoff = { initial_ms = 1, jitter = 2 }", "backoff.jitter", "from 0 to 1");
    child_error("backoff = { initial_ms = 1, factor = \"2\" }", "backoff.factor", "not below 1");
    child_error("backoff = { initial_ms = 1, reset_after_ms = true }", "backoff.reset_after_ms",
                "milliseconds");
    child_error("backoff = { initial = 1 }", "backoff.initial", "\"initial_ms\"");
}

static void args_are(const char *args, const char *expected)
{
    char fields[256], text[256];
    snprintf(fields, sizeof fields, "args = %s", args);
    struct dz_sup_spec *s = with_child(fields);
    dz_term_print(s->children[0]->args, s->children[0]->args_len, text, sizeof text);
    assert_string_equal(text, expected);
    dz_sup_spec_delete(s);
}

static void args_go_up_to_the_largest_integer_key(void **state)
{
    (void)state;
    args_are("{}", "{}");
    args_are("{ 1, \"two\", { 3 } }", "{1, \"two\", {3}}");
    args_are("{ 3 = \"c\", 1 = \"a\" }", "{\"a\", nil, \"c\"}");
    args_are("{ function }", "{function}");
    child_error("args = { 0 = 1 }", "args", "a list (keys 1, 2, ...)");
    child_error("args = 5", "args", "a list");
    child_error("args = { 1001 = 1 }", "args", "at most 1000");
}

static void joined_args_have_a_limit_together(void **state)
{
    (void)state;
    struct dz_buf many = literal("{ 600 = 1 }"), out;
    struct dz_spec_error error;
    dz_buf_init(&out);
    assert_int_equal(dz_spec_join_args(&out, many.data, many.len, many.data, many.len, &error), DZ_ESPEC);
    assert_string_equal(error.message, "args: more than 1000 args in all");
    assert_int_equal(out.len, 0);
    assert_int_equal(dz_spec_join_args(&out, (const uint8_t *)"\xc0", 1, many.data, many.len, &error),
                     DZ_ESPEC);
    assert_int_equal(dz_spec_join_args(&out, (const uint8_t *)"\x90", 1, many.data, many.len, &error), 0);
    dz_buf_fini(&many);
    dz_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(args_of_the_template_come_first),
        cmocka_unit_test(every_selector_has_its_kind),
        cmocka_unit_test(what_is_no_selector_says_what_would_be_one),
        cmocka_unit_test(backoff_has_defaults_and_a_first_delay_may_be_longer_than_their_limit),
        cmocka_unit_test(backoff_that_makes_no_sense_is_refused),
        cmocka_unit_test(args_go_up_to_the_largest_integer_key),
        cmocka_unit_test(joined_args_have_a_limit_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
