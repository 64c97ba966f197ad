/* test_halt.c - the orderly end: its order, its limits, and what happens to who does not end. */
#include "hosted.h"

#include "host/halt.h"

/* `witness`, named by its argument: it writes down the shutdown it is told of and its end, wherever it stands. */
static int witness_init(dz_context *context, dz_reader *args, void **state)
{
    uint32_t count;
    const char *s = "";
    size_t len = 0;
    (void)context;
    if (!dz_reader_array(args, &count) || !dz_reader_string(args, &s, &len))
        return -1;
    *state = strndup(s, len);
    return 0;
}

static void testify(const char *what, const char *name)
{
    char text[64];
    snprintf(text, sizeof text, "%s %s", what, name);
    seen_note(&hosted_of_ear->heard, text);
}

static int witness_info(dz_context *context, void *state, dz_reader *message)
{
    dz_reader type;
    if (!dz_reader_find(message, "type", &type) || !dz_reader_is(&type, "shutdown"))
        return 0;
    testify("hook", state);
    if (strcmp(state, "deaf") != 0)
        dz_context_exit(context, NULL);
    return 0;
}

static void witness_terminate(dz_context *context, void *state, dz_reader *reason)
{
    (void)context;
    if (dz_reader_is(reason, "shutdown"))
        testify("end", state);
}

static const dz_native_behavior witness = {
    .size = sizeof witness,
    .init = witness_init,
    .info = witness_info,
    .terminate = witness_terminate,
    .free_state = free,
};

static int setup(void **state)
{
    return dz_host_start(hosted_setup_with(state, "witness", &witness)->host);
}

static dz_process start_witness(struct hosted *f, const char *name)
{
    char args[64];
    dz_process p;
    snprintf(args, sizeof args, "{ \"%s\" }", name);
    assert_int_equal(hosted_spawn(f, "witness", args, NULL, &p), 0);
    return p;
}

static void supervise(struct hosted *f, const char *a, const char *b)
{
    char spec[256];
    dz_process sup;
    snprintf(spec, sizeof spec,
             "{ children = { { id = \"a\", behavior = \"witness\", args = { \"%s\" } },"
             "               { id = \"b\", behavior = \"witness\", args = { \"%s\" } } } }", a, b);
    assert_int_equal(hosted_supervise(f, spec, &sup), 0);
}

static int stop_and_wait(struct hosted *f, int code)
{
    dz_host_stop(f->host, code);
    return dz_host_wait(f->host);
}

static void hooks_then_supervisors_in_reverse_then_the_rest(void **state)
{
    struct hosted *f = *state;
    start_witness(f, "alone");
    supervise(f, "1a", "1b");
    supervise(f, "2a", "2b");
    assert_int_equal(dz_halt_add_hook(&f->host->halt, dz_pid_of(start_witness(f, "first"))), 0);
    assert_int_equal(dz_halt_add_hook(&f->host->halt, dz_pid_of(start_witness(f, "second"))), 0);
    assert_false(dz_halt_begun(&f->host->halt));
    assert_int_equal(stop_and_wait(f, 3), 3);
    assert_true(dz_halt_begun(&f->host->halt));
    assert_string_equal(f->heard.all, "hook first;hook second;end 2b;end 2a;end 1b;end 1a;end alone;");
    assert_int_equal(dz_host_process_count(f->host), 0);
}

static void a_hook_whose_process_has_gone_does_not_hold_up_the_others(void **state)
{
    struct hosted *f = *state;
    dz_process gone = start_witness(f, "gone");
    assert_int_equal(dz_halt_add_hook(&f->host->halt, dz_pid_of(gone)), 0);
    assert_int_equal(dz_halt_add_hook(&f->host->halt, dz_pid_of(start_witness(f, "next"))), 0);
    assert_int_equal(hosted_end(f, gone, "\"normal\""), 0);
    assert_int_equal(stop_and_wait(f, 0), 0);
    assert_string_equal(f->heard.all, "hook next;");
}

static void a_hook_that_does_not_end_in_time_is_killed(void **state)
{
    struct hosted *f = *state;
    start_witness(f, "rest");
    assert_int_equal(dz_halt_add_hook(&f->host->halt, dz_pid_of(start_witness(f, "deaf"))), 0);
    dz_host_stop(f->host, 0);
    seen_await(&f->heard, 1);
    hosted_skip(f, DZ_HALT_HOOK_MS + 1);
    assert_int_equal(dz_host_wait(f->host), 0);
    assert_string_equal(f->heard.all, "hook deaf;end rest;");
    expect_text(hosted_log(f), "a shutdown hook took too long and is killed");
}

static bool is_ready(struct hosted *f)
{
    return !dz_process_is_none(dz_host_whereis(f->host, "ready"));
}

static bool is_terminating(struct hosted *f)
{
    return strstr(hosted_log(f), "on and on") != NULL;
}

static void a_process_that_does_not_end_in_time_is_killed(void **state)
{
    struct hosted *f = *state;
    hosted_run_script(f, "local d = require 'dozor'\n"
                         "d.spawn({ init = function() return {} end,\n"
                         "  terminate = function() d.log.info('on and on') d.sleep('infinity') end })\n"
                         "d.register('ready') d.sleep('infinity')");
    hosted_until(f, is_ready);
    dz_host_stop(f->host, 4);
    hosted_until(f, is_terminating);
    hosted_skip(f, DZ_HALT_PROCESS_MS + 1);
    assert_int_equal(dz_host_wait(f->host), 4);
    assert_int_equal(dz_host_process_count(f->host), 0);
}

static void the_first_exit_code_counts(void **state)
{
    struct hosted *f = *state;
    assert_int_equal(dz_halt_add_hook(&f->host->halt, dz_pid_of(start_witness(f, "deaf"))), 0);
    dz_host_stop(f->host, 5);
    dz_host_stop(f->host, 6);
    seen_await(&f->heard, 1);
    dz_host_stop(f->host, 7);
    hosted_skip(f, DZ_HALT_HOOK_MS + 1);
    assert_int_equal(dz_host_wait(f->host), 5);
    assert_string_equal(f->heard.all, "hook deaf;");
}

static void what_is_spawned_while_all_are_stopped_ends_too(void **state)
{
    struct hosted *f = *state;
    hosted_run_script(f, "local d = require 'dozor'\n"
                         "d.spawn({ init = function() return {} end,\n"
                         "  terminate = function() for i = 1, 50 do d.spawn(function() d.receive('infinity') end) end end })\n"
                         "d.register('ready') d.sleep('infinity')");
    hosted_until(f, is_ready);
    assert_int_equal(stop_and_wait(f, 0), 0);
    assert_int_equal(dz_host_process_count(f->host), 0);
}

static bool script_is_done(struct dz_halt *halt)
{
    pthread_mutex_lock(&halt->lock);
    bool done = halt->script_done;
    pthread_mutex_unlock(&halt->lock);
    return done;
}

static void a_cluster_keeps_the_host_up_and_is_left_before_the_end(void **state)
{
    struct hosted *f = *state;
    dz_reader value;
    assert_int_equal(hosted_join(f, "a", "", &value), 0);
    hosted_run_script(f, "");
    while (!script_is_done(&f->host->halt))
        hosted_sync(f);
    assert_false(dz_halt_begun(&f->host->halt));
    assert_int_equal(hosted_wait(f, dz_host_cluster_stop(f->host, dz_answer_done, f->answer), NULL), 0);
    assert_int_equal(dz_host_wait(f->host), 0);
    assert_int_equal(f->host->join.state, DZ_JOIN_OFF);
}

static void there_is_a_limit_to_hooks(void **state)
{
    struct dz_halt halt;
    (void)state;
    dz_halt_init(&halt, NULL);
    for (unsigned i = 0; i < DZ_HALT_HOOKS_MAX; i++)
        assert_int_equal(dz_halt_add_hook(&halt, (struct dz_pid){ 0, i + 1, 1 }), 0);
    assert_int_equal(dz_halt_add_hook(&halt, (struct dz_pid){ 0, 1, 1 }), DZ_ETOOLARGE);
    assert_int_equal(halt.hook_count, DZ_HALT_HOOKS_MAX);
    dz_halt_fini(&halt);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, hosted_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hooks_then_supervisors_in_reverse_then_the_rest),
        TEST(a_hook_whose_process_has_gone_does_not_hold_up_the_others),
        TEST(a_hook_that_does_not_end_in_time_is_killed),
        TEST(a_process_that_does_not_end_in_time_is_killed),
        TEST(the_first_exit_code_counts),
        TEST(what_is_spawned_while_all_are_stopped_ends_too),
        TEST(a_cluster_keeps_the_host_up_and_is_left_before_the_end),
        cmocka_unit_test(there_is_a_limit_to_hooks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
