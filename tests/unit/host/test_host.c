/* test_host.c - one host from its options to its end: what is refused, in which order it lives, what is left. */
#include "hosted.h"

#include <sys/wait.h>
#include "fault_alloc.h"

static int make(dz_host_options *options)
{
    dz_host *host = NULL;
    int err = dz_host_new(&host, options);
    assert_true(err ? host == NULL : host != NULL);
    dz_host_free(host);
    return err;
}

static void defaults_are_filled_in_and_null_means_them(void **state)
{
    dz_host_options o;
    (void)state;
    memset(&o, 0xff, sizeof o);
    dz_host_options_init(&o);
    assert_int_equal(o.size, sizeof o);
    assert_int_equal(o.workers, 0);
    assert_int_equal(o.max_turn_ms, 10000);
    assert_int_equal(o.spin_us, 20);
    assert_string_equal(o.log_level, "info");
    assert_int_equal(o.log_fd, STDERR_FILENO);
    assert_int_equal(o.behavior_count, 0);
    assert_int_equal(make(&o), 0);
    assert_int_equal(make(NULL), 0);
}

static void options_out_of_range_or_misspelt_are_refused(void **state)
{
    dz_host_options o;
    (void)state;
    dz_host_options_init(&o);
    o.workers = 255;
    assert_int_equal(make(&o), 0);
    o.workers = 256;
    assert_int_equal(make(&o), DZ_ECONFIG);
    dz_host_options_init(&o);
    o.log_level = "loud";
    assert_int_equal(make(&o), DZ_ECONFIG);
    dz_host_options_init(&o);
    o.log_format = "xml";
    assert_int_equal(make(&o), DZ_ECONFIG);
    dz_host_options_init(&o);
    o.log_fd = -1;
    assert_int_equal(make(&o), DZ_ECONFIG);
}

static void a_struct_of_another_size_is_an_older_one_or_refused(void **state)
{
    dz_host_options o;
    (void)state;
    dz_host_options_init(&o);
    o.workers = 1;
    o.log_level = "never read";
    o.size = offsetof(dz_host_options, log_level);
    assert_int_equal(make(&o), 0);
    o.size = 0;
    assert_int_equal(make(&o), DZ_EARGUMENT);
    o.size = sizeof o + 1;
    assert_int_equal(make(&o), DZ_EARGUMENT);
}

static void directories_of_behaviours_are_copied_and_searched(void **state)
{
    struct hosted *f = *state;
    dz_host_options o;
    char dir[64];
    const char *dirs[] = { dir };
    dz_process p;
    snprintf(dir, sizeof dir, "%s", f->files.dir);
    files_write(&f->files, "from_file.lua", "return { init = function() return {} end }");
    hosted_options(f, &o);
    o.behaviors = dirs;
    o.behavior_count = 1;
    assert_int_equal(dz_host_new(&f->host, &o), 0);
    memset(dir, 0, sizeof dir);
    assert_int_equal(dz_host_start(f->host), 0);
    assert_int_equal(hosted_spawn(f, "from_file", "{}", NULL, &p), 0);
}

static void want_of_memory_is_told_and_leaves_nothing(void **state)
{
    dz_host_options o;
    const char *dirs[] = { "behaviors" };
    size_t n = 1, before;
    (void)state;
    dz_host_options_init(&o);
    o.behaviors = dirs;
    o.behavior_count = 1;
    o.workers = 2;
    before = dz_fault_alloc_live();
    for (;; n++) {
        dz_fault_alloc_fail_at(n);
        int err = make(&o);
        bool failed = dz_fault_alloc_failed();
        dz_fault_alloc_fail_at(0);
        assert_int_equal(dz_fault_alloc_live(), before);
        if (!failed)
            break;
        assert_true(err == DZ_OK || err == DZ_ENOMEM);
    }
    assert_true(n > 10);
}

static void it_starts_once_stops_once_and_may_be_waited_for_again(void **state)
{
    struct hosted *f = *state;
    dz_host_stop(f->host, 9); /* it does not run yet: nothing to stop */
    assert_int_equal(dz_host_start(f->host), 0);
    assert_int_equal(dz_host_start(f->host), DZ_ESTARTED);
    dz_host_stop(f->host, 7);
    assert_int_equal(dz_host_wait(f->host), 7);
    assert_int_equal(dz_host_wait(f->host), 7);
    assert_int_equal(dz_host_start(f->host), DZ_ESTARTED);
    dz_host_stop(f->host, 8);
    assert_int_equal(dz_host_wait(f->host), 7);
}

static void run_starts_it_unless_it_runs_and_gives_the_exit_code(void **state)
{
    struct hosted *f = *state;
    hosted_run_script(f, "require('dozor').shutdown(11)");
    assert_int_equal(dz_host_run(f->host), 11);
    assert_int_equal(dz_host_run(f->host), 11);
}

static void freeing_stops_what_still_runs_and_none_is_fine(void **state)
{
    struct hosted *f = *state;
    dz_process sup;
    hosted_ear(f);
    assert_int_equal(hosted_supervise(f, "{ children = { { id = \"c\", behavior = \"ear\" } } }", &sup), 0);
    dz_host_free(f->host);
    f->host = NULL;
    dz_host_free(NULL);
}

static int finished_times;

static void finished(void *ctx)
{
    assert_ptr_equal(ctx, &finished_times);
    finished_times++;
}

static void who_has_a_loop_of_its_own_is_told_once_of_the_end(void **state)
{
    struct hosted *f = *state;
    finished_times = 0;
    f->host->on_finished = finished;
    f->host->on_finished_ctx = &finished_times;
    assert_int_equal(dz_host_start(f->host), 0);
    assert_int_equal(finished_times, 0);
    dz_host_stop(f->host, 1);
    dz_host_stop(f->host, 1);
    assert_int_equal(dz_host_wait(f->host), 1);
    assert_int_equal(finished_times, 1);
}

static void an_interrupt_is_a_stop_with_code_zero(void **state)
{
    struct hosted *f = *state;
    dz_host_interrupt(f->host);
    assert_int_equal(dz_host_wait(f->host), 0);
}

static void the_second_interrupt_ends_the_program(void **state)
{
    struct hosted *f = *state;
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        dz_host_interrupt(f->host);
        dz_host_interrupt(f->host);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
}

static void the_node_and_the_processes_are_what_they_are(void **state)
{
    struct hosted *f = *state;
    assert_string_equal(dz_host_node(f->host), "local@127.0.0.1:0");
    assert_int_equal(dz_host_process_count(f->host), 0);
    hosted_ear(f);
    assert_int_equal(dz_host_process_count(f->host), 1);
    assert_int_equal(hosted_join(f, "a", "", NULL), 0);
    expect_text(dz_host_node(f->host), "a@127.0.0.1:");
}

static void nothing_is_asked_of_a_host_that_does_not_run(void **state)
{
    struct hosted *f = *state;
    dz_process ear = { { 0, 5, 1 } };
    hosted_value(f, "{}");
    assert_int_equal(dz_host_spawn(f->host, "ear", f->b, NULL, dz_answer_done, f->answer), DZ_ECLOSED);
    assert_int_equal(dz_host_call(f->host, ear, f->b, 1, dz_answer_done, f->answer), DZ_ECLOSED);
    assert_int_equal(dz_host_send(f->host, ear, f->b), DZ_ECLOSED);
    assert_int_equal(dz_host_cluster_nodes(f->host, dz_answer_done, f->answer), DZ_ECLOSED);
}

static void versions_and_errors_have_names(void **state)
{
    (void)state;
    assert_string_equal(dz_version(), DZ_VERSION);
    assert_string_equal(dz_error_name(0), "ok");
    assert_string_equal(dz_error_name(DZ_ENOPROC), "noproc");
    assert_string_equal(dz_error_name(-9999), "unknown");
    assert_true(strlen(dz_error_text(DZ_ENOPROC)) > 0);
}

static int setup_empty(void **state)
{
    *state = hosted_empty();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_filled_in_and_null_means_them),
        cmocka_unit_test(options_out_of_range_or_misspelt_are_refused),
        cmocka_unit_test(a_struct_of_another_size_is_an_older_one_or_refused),
        cmocka_unit_test_setup_teardown(directories_of_behaviours_are_copied_and_searched, setup_empty, hosted_teardown),
        cmocka_unit_test(want_of_memory_is_told_and_leaves_nothing),
        HOSTED_NEW(it_starts_once_stops_once_and_may_be_waited_for_again),
        HOSTED_NEW(run_starts_it_unless_it_runs_and_gives_the_exit_code),
        HOSTED(freeing_stops_what_still_runs_and_none_is_fine),
        HOSTED_NEW(who_has_a_loop_of_its_own_is_told_once_of_the_end),
        HOSTED(an_interrupt_is_a_stop_with_code_zero),
        HOSTED_NEW(the_second_interrupt_ends_the_program),
        HOSTED(the_node_and_the_processes_are_what_they_are),
        HOSTED_NEW(nothing_is_asked_of_a_host_that_does_not_run),
        cmocka_unit_test(versions_and_errors_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
