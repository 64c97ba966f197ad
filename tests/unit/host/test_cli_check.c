/* test_cli_check.c - `dozor check`: what is right, and how each mistake in a file is told. */
#include "command.h"

static int setup(void **state)
{
    *state = command_new(&dz_cli_check);
    return 0;
}

static void good(struct command *c, const char *text, const char *what)
{
    files_write(&c->files, "file.lua", text);
    expect_run(c, "~/file.lua", 0);
    expect_text(c->captured.out, what);
    assert_string_equal(c->captured.err, "");
}

static void bad(struct command *c, const char *text, const char *why)
{
    files_write(&c->files, "file.lua", text);
    expect_run(c, "~/file.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, why);
    expect_text(c->captured.err, "file.lua");
    assert_string_equal(c->captured.out, "");
}

static void each_kind_of_file_is_told_for_what_it_is(void **state)
{
    struct command *c = *state;
    good(c, "return { init = function() end, handle_call = function() end, version = 2, jit = false }", "a behaviour, ok");
    good(c, "return { children = { { id = 'a', behavior = 'b' } } }", "a supervisor spec, ok");
    good(c, "return { strategy = 'simple_one_for_one', child_template = { behavior = 'b' } }", "a supervisor spec, ok");
    good(c, "return { nodes = { { id = 'a@127.0.0.1:1001', script = 'm.lua' } } }", "a cluster config, ok");
    good(c, "return function(n) return { children = {} } end", "a function that makes a supervisor spec");
}

static void callbacks_have_their_types_and_their_names(void **state)
{
    struct command *c = *state;
    bad(c, "return { init = 5 }", "init must be a function, it is a number");
    bad(c, "return { init = function() end, version = 'one' }", "version must be a number, it is a string");
    bad(c, "return { init = function() end, jit = 1 }", "jit must be a boolean, it is a number");
    bad(c, "return { handle_call = function() end }", "needs a function init");
    bad(c, "return { init = function() end, handle_cal = function() end }", "did you mean 'handle_call'?");
    bad(c, "return { init = function() end, handle_everything = function() end }", "unknown callback 'handle_everything'");
    bad(c, "return { init = function() end, terminat = function() end }", "did you mean 'terminate'?");
}

static void functions_and_values_of_its_own_are_a_behaviours_business(void **state)
{
    struct command *c = *state;
    good(c, "return { init = function() end, terminate = function() end, terminates = function() end, limit = 5 }", "ok");
}

static void a_spec_names_the_field_that_is_wrong(void **state)
{
    struct command *c = *state;
    bad(c, "return { children = { { id = 'a', behavior = 'b', restrat = 'permanent' } } }", "invalid_spec: ");
    expect_text(c->captured.err, "restrat");
    bad(c, "return { children = { { id = 'a' } } }", "a");
    bad(c, "return { strategy = 'one_for_none', children = {} }", "one_for_none");
    bad(c, "return { children = { { id = 'a', behavior = 'b' }, { id = 'a', behavior = 'b' } } }", "duplicate_child");
}

static void functions_may_stand_where_a_spec_takes_them(void **state)
{
    struct command *c = *state;
    good(c, "return { node_selector = function() end, children = { { id = 'a', start = function() end },"
            " { id = 'b', behavior = { init = function() end } } } }", "a supervisor spec, ok");
}

static void a_config_is_checked_with_its_supervisors(void **state)
{
    struct command *c = *state;
    bad(c, "return { nodes = { { id = 'a@127.0.0.1:1', skript = 'x' } } }", "did you mean 'script'?");
    bad(c, "return { nodes = { { id = 'a@127.0.0.1:1' } }, supervisors = { { children = {} }, { childern = {} } } }",
        "supervisors[2]: ");
}

static void what_is_no_table_of_a_known_kind_is_refused(void **state)
{
    struct command *c = *state;
    bad(c, "return 5", "gives no table");
    bad(c, "", "gives no table");
    bad(c, "return { x = 1 }", "is none of: ");
    bad(c, "return { children = coroutine.create(function() end) }", "a thread cannot stand here");
    bad(c, "local t = {} t.children = { t } return t", "contains itself");
}

static void an_error_in_the_file_is_told_with_its_line(void **state)
{
    struct command *c = *state;
    bad(c, "return {", "file.lua:1:");
    bad(c, "local function f() error('boom') end\nreturn f()", "file.lua:1: boom");
    expect_text(c->captured.err, "stack traceback");
}

static void a_file_that_is_missing_is_named(void **state)
{
    struct command *c = *state;
    expect_run(c, "~/nowhere.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "nowhere.lua: cannot be read");
}

static void all_files_are_checked_and_one_that_is_bad_decides(void **state)
{
    struct command *c = *state;
    files_write(&c->files, "good.lua", "return { init = function() end }");
    files_write(&c->files, "bad.lua", "return 1");
    expect_run(c, "~/bad.lua ~/good.lua ~/bad.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.out, "good.lua: a behaviour, ok");
}

static void misuse_and_help_are_told_apart(void **state)
{
    struct command *c = *state;
    expect_run(c, "", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "which file?");
    expect_run(c, "--hlep", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "did you mean --help?");
    expect_run(c, "--help", 0);
    expect_text(c->captured.out, "usage: dozor check FILE.lua...");
}

static void modules_beside_the_file_are_found(void **state)
{
    struct command *c = *state;
    files_write(&c->files, "beside.lua", "return { x = function() end }");
    good(c, "local b = require 'beside' return { init = b.x }", "a behaviour, ok");
}

/* What a file may do while it is loaded: read and call the pure parts of dozor, as the host lets it. */
static void a_file_may_use_what_needs_no_host_while_it_is_loaded(void **state)
{
    struct command *c = *state;
    good(c, "local dozor = require 'dozor'\n"
            "local started, log = dozor.now(), dozor.log.info\n"
            "local config = dozor.json.decode('{\"limit\": 3}')\n"
            "return { init = function() return config.limit end, started = started }", "a behaviour, ok");
}

static void what_needs_a_process_cannot_be_called_while_a_file_is_loaded(void **state)
{
    struct command *c = *state;
    bad(c, "local dozor = require 'dozor' dozor.send('x', 1) return { init = function() end }", "dozor.send");
    bad(c, "local dozor = require 'dozor' dozor.spawn('x') return { init = function() end }", "dozor.spawn");
}

static void a_file_that_writes_a_global_is_refused_with_its_name(void **state)
{
    struct command *c = *state;
    bad(c, "counter = 0\nreturn { init = function() end }", "file.lua:1: ");
    expect_text(c->captured.err, "global 'counter'");
    bad(c, "local M = { init = function() end }\nfunction helper() end\nreturn M", "global 'helper'");
    good(c, "local M = { init = function() total = 0 end } return M", "ok");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, command_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_kind_of_file_is_told_for_what_it_is),
        TEST(callbacks_have_their_types_and_their_names),
        TEST(functions_and_values_of_its_own_are_a_behaviours_business),
        TEST(a_spec_names_the_field_that_is_wrong),
        TEST(functions_may_stand_where_a_spec_takes_them),
        TEST(a_config_is_checked_with_its_supervisors),
        TEST(what_is_no_table_of_a_known_kind_is_refused),
        TEST(an_error_in_the_file_is_told_with_its_line),
        TEST(a_file_that_is_missing_is_named),
        TEST(all_files_are_checked_and_one_that_is_bad_decides),
        TEST(misuse_and_help_are_told_apart),
        TEST(modules_beside_the_file_are_found),
        TEST(a_file_may_use_what_needs_no_host_while_it_is_loaded),
        TEST(what_needs_a_process_cannot_be_called_while_a_file_is_loaded),
        TEST(a_file_that_writes_a_global_is_refused_with_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
