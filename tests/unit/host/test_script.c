/* test_script.c - the process `main`: when it runs, what its end means for the host. */
#include "hosted.h"

static struct capture captured;

/* Runs the script on a host that does not run yet; the host's exit code, what it printed in `captured`. */
static int run(struct hosted *f, const char *text)
{
    hosted_run_script(f, text);
    capture_begin(&captured);
    int code = dz_host_run(f->host);
    capture_end(&captured);
    return code;
}

static void a_script_that_returns_ends_the_host_with_zero(void **state)
{
    struct hosted *f = *state;
    assert_int_equal(run(f, "io.stdout:setvbuf('no') print('hello')"), 0);
    assert_string_equal(captured.out, "hello\n");
    assert_string_equal(captured.err, "");
}

static void an_error_is_told_with_its_traceback_and_is_exit_code_one(void **state)
{
    struct hosted *f = *state;
    assert_int_equal(run(f, "local function inner() error('boom') end\ninner()"), 1);
    expect_text(captured.err, "main.lua:1: boom");
    expect_text(captured.err, "stack traceback");
    expect_text(captured.err, "main.lua:2");
    assert_null(strstr(hosted_log(f), "crashed")); /* it is told once */
}

static void a_file_that_is_missing_or_does_not_compile_is_an_error_too(void **state)
{
    struct hosted *f = *state;
    assert_int_equal(run(f, "this is no Lua"), 1);
    expect_text(captured.err, "main.lua:1:");
}

static void a_path_to_nowhere_is_named(void **state)
{
    struct hosted *f = *state;
    assert_int_equal(dz_host_run_script(f->host, "/nowhere/main.lua", 0, NULL), 0);
    capture_begin(&captured);
    int code = dz_host_run(f->host);
    capture_end(&captured);
    assert_int_equal(code, 1);
    expect_text(captured.err, "/nowhere/main.lua");
}

static void any_other_reason_of_its_end_is_told(void **state)
{
    struct hosted *f = *state;
    assert_int_equal(run(f, "require('dozor').exit({ 1, 'two' })"), 1);
    expect_text(captured.err, "dozor: the script ended with {1, \"two\"}\n");
}

static void an_end_as_in_order_is_none(void **state)
{
    struct hosted *f = *state;
    assert_int_equal(run(f, "require('dozor').exit('shutdown')"), 0);
    assert_string_equal(captured.err, "");
}

static void arguments_reach_the_script(void **state)
{
    const char *argv[] = { "one", "", "3 words" };
    struct hosted *f = *state;
    const char *path = files_write(&f->files, "args.lua", "local d = require 'dozor'\n"
                                   "d.send('ear', { arg[1], arg[2], arg[3], select('#', ...) })");
    assert_int_equal(dz_host_start(f->host), 0);
    hosted_ear(f);
    assert_int_equal(dz_host_run_script(f->host, path, 3, argv), 0);
    seen_await(&f->heard, 1);
    assert_string_equal(f->heard.all, "{\"one\", \"\", \"3 words\", 3};");
}

static void there_is_one_script_a_host(void **state)
{
    struct hosted *f = *state;
    const char *path = files_write(&f->files, "a.lua", "");
    assert_int_equal(dz_host_run_script(f->host, NULL, 0, NULL), DZ_EARGUMENT);
    assert_int_equal(dz_host_run_script(f->host, path, -1, NULL), DZ_EARGUMENT);
    assert_int_equal(dz_host_run_script(f->host, path, 0, NULL), 0);
    assert_int_equal(dz_host_run_script(f->host, path, 0, NULL), DZ_ESTARTED);
    assert_int_equal(dz_host_run(f->host), 0);
    assert_int_equal(dz_host_run_script(f->host, path, 0, NULL), DZ_ESTARTED);
}

static void a_script_given_and_never_run_is_freed(void **state)
{
    struct hosted *f = *state;
    hosted_run_script(f, "error('never')");
}

/* The script has returned when `ear` hears; the host goes on until the process it left has ended. */
static void a_process_that_is_left_keeps_the_host_up(void **state)
{
    struct hosted *f = *state;
    struct dz_pid pid;
    uint32_t index = 0;
    hosted_run_script(f, "local d = require 'dozor'\n"
                         "d.spawn(function() d.register('left') d.receive('infinity') end)");
    assert_int_equal(dz_host_start(f->host), 0);
    while (!dz_table_next(&f->host->rt.table, &index, &pid) || dz_process_is_none(dz_host_whereis(f->host, "left")))
        index = 0;
    assert_int_equal(dz_host_send(f->host, dz_host_whereis(f->host, "left"), hosted_value(f, "1")), 0);
    assert_int_equal(dz_host_wait(f->host), 0);
}

static void the_first_reason_of_the_script_is_kept_and_nobody_elses(void **state)
{
    struct hosted *f = *state;
    struct dz_blob **reasons = f->host->rt.reasons;
    f->host->main = (struct dz_pid){ 0, 7, 1 };
    dz_host_note_end(f->host, (struct dz_pid){ 0, 7, 2 }, reasons[DZ_REASON_NORMAL]);
    assert_null(f->host->main_exit);
    dz_host_note_end(f->host, f->host->main, reasons[DZ_REASON_KILLED]);
    dz_host_note_end(f->host, f->host->main, reasons[DZ_REASON_NORMAL]);
    assert_ptr_equal(f->host->main_exit, reasons[DZ_REASON_KILLED]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTED_NEW(a_script_that_returns_ends_the_host_with_zero),
        HOSTED_NEW(an_error_is_told_with_its_traceback_and_is_exit_code_one),
        HOSTED_NEW(a_file_that_is_missing_or_does_not_compile_is_an_error_too),
        HOSTED_NEW(a_path_to_nowhere_is_named),
        HOSTED_NEW(any_other_reason_of_its_end_is_told),
        HOSTED_NEW(an_end_as_in_order_is_none),
        HOSTED_NEW(arguments_reach_the_script),
        HOSTED_NEW(there_is_one_script_a_host),
        HOSTED_NEW(a_script_given_and_never_run_is_freed),
        HOSTED_NEW(a_process_that_is_left_keeps_the_host_up),
        HOSTED_NEW(the_first_reason_of_the_script_is_kept_and_nobody_elses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
