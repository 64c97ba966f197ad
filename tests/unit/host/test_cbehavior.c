/* test_cbehavior.c - processes with a behaviour in C: registered, started, fed with messages, ended. */
#include "hosted.h"

/* A behaviour that writes down each callback in `heard`. What it is told says what it does. */
static int frees;

static void note(const char *callback, const dz_reader *value)
{
    char text[512];
    int n = snprintf(text, sizeof text, "%s ", callback);
    dz_reader_print(value, text + n, sizeof text - (size_t)n);
    seen_note(&hosted_of_ear->heard, text);
}

static int act(dz_context *context, dz_reader *message)
{
    if (dz_reader_is(message, "fail"))
        return dz_context_fail(context, -1, "as you wish");
    if (dz_reader_is(message, "fail silently"))
        return DZ_EIO;
    if (dz_reader_is(message, "exit")) {
        dz_builder *reason = dz_builder_new();
        dz_builder_string(reason, "enough");
        dz_context_exit(context, reason);
        dz_builder_delete(reason);
    }
    return 0;
}

static int all_init(dz_context *context, dz_reader *args, void **state)
{
    uint32_t count = 0;
    note("init", args);
    dz_reader_array(args, &count);
    *state = &frees;
    return count ? act(context, args) : 0;
}

static int all_call(dz_context *context, void *state, dz_reader *message, dz_from from, dz_builder *reply)
{
    (void)state;
    (void)from;
    note("call", message);
    if (dz_reader_is(message, "unhandled"))
        return DZ_UNHANDLED;
    if (dz_reader_is(message, "no reply"))
        return DZ_NO_REPLY;
    if (!dz_reader_is(message, "half a reply"))
        dz_builder_string(reply, "yes");
    return act(context, message);
}

static int all_cast(dz_context *context, void *state, dz_reader *message)
{
    (void)state;
    note("cast", message);
    return act(context, message);
}

static int all_info(dz_context *context, void *state, dz_reader *message)
{
    dz_reader type, reason;
    (void)state;
    if (!dz_reader_find(message, "type", &type))
        note("info", message);
    else if (dz_reader_find(message, "reason", &reason))
        note(dz_reader_is(&type, "exit") ? "exit" : "down", &reason);
    return act(context, message);
}

static void all_terminate(dz_context *context, void *state, dz_reader *reason)
{
    (void)state;
    note("terminate", reason);
    dz_context_exit(context, NULL); /* it ends anyway */
}

static void all_free(void *state)
{
    ++*(int *)state;
    seen_note(&hosted_of_ear->heard, "free");
}

static const dz_native_behavior all = {
    .size = sizeof all,
    .init = all_init,
    .call = all_call,
    .cast = all_cast,
    .info = all_info,
    .terminate = all_terminate,
    .free_state = all_free,
};
static const dz_native_behavior bare = { .size = sizeof bare, .init = all_init };

static int setup(void **state)
{
    struct hosted *f = hosted_setup_with(state, "all", &all);
    frees = 0;
    assert_int_equal(dz_host_register_behavior(f->host, "bare", &bare), 0);
    return dz_host_start(f->host);
}

static void heard(struct hosted *f, const char *text)
{
    int count = 0;
    for (const char *p = text; *p; p++)
        count += *p == ';';
    seen_await(&f->heard, count);
    assert_string_equal(f->heard.all, text);
    seen_clear(&f->heard);
}

static dz_process start_all(struct hosted *f)
{
    dz_process p;
    assert_int_equal(hosted_spawn(f, "all", "{}", "all", &p), 0);
    heard(f, "init {};");
    return p;
}

static void a_name_is_registered_once_and_found_whole(void **state)
{
    struct dz_cbehaviors b;
    dz_native_behavior mine = bare;
    (void)state;
    assert_int_equal(dz_cbehaviors_init(&b), 0);
    assert_int_equal(dz_cbehaviors_register(&b, "one", &mine), 0);
    assert_int_equal(dz_cbehaviors_register(&b, "one", &mine), DZ_EEXIST);
    mine.init = NULL; /* it was copied */
    assert_true(dz_cbehaviors_find(&b, "one", 3)->init == all_init);
    assert_null(dz_cbehaviors_find(&b, "one", 2));
    assert_null(dz_cbehaviors_find(&b, "ones", 4));
    dz_cbehaviors_fini(&b);
}

static void a_struct_of_an_older_header_has_no_callbacks_beyond_its_size(void **state)
{
    struct dz_cbehaviors b;
    dz_native_behavior old = all;
    (void)state;
    old.size = offsetof(dz_native_behavior, cast);
    assert_int_equal(dz_cbehaviors_init(&b), 0);
    assert_int_equal(dz_cbehaviors_register(&b, "old", &old), 0);
    const dz_native_behavior *found = dz_cbehaviors_find(&b, "old", 3);
    assert_true(found->call == all_call);
    assert_true(found->cast == NULL && found->free_state == NULL);
    dz_cbehaviors_fini(&b);
}

static void bad_arguments_of_registering_are_refused(void **state)
{
    struct hosted *f = *state;
    dz_native_behavior broken = all;
    char name[DZ_NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = 0;
    broken.init = NULL;
    assert_int_equal(dz_host_register_behavior(f->host, "broken", &broken), DZ_EARGUMENT);
    assert_int_equal(dz_host_register_behavior(f->host, "", &all), DZ_EARGUMENT);
    assert_int_equal(dz_host_register_behavior(f->host, NULL, &all), DZ_EARGUMENT);
    assert_int_equal(dz_host_register_behavior(f->host, name, &all), DZ_EARGUMENT);
    assert_int_equal(dz_host_register_behavior(f->host, name + 1, &all), 0);
}

static void each_kind_of_message_reaches_its_callback_in_order(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_all(f);
    assert_int_equal(dz_host_cast(f->host, p, hosted_value(f, "1")), 0);
    assert_int_equal(dz_host_send(f->host, p, hosted_value(f, "{ 2 }")), 0);
    dz_reader value;
    assert_int_equal(hosted_call(f, p, "\"three\"", &value), 0);
    assert_true(dz_reader_is(&value, "yes"));
    heard(f, "cast 1;info {2};call \"three\";");
}

static void what_a_call_returns_is_what_the_caller_gets(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_all(f);
    dz_reader value;
    assert_int_equal(hosted_call(f, p, "\"unhandled\"", NULL), DZ_EUNHANDLED);
    assert_int_equal(hosted_call(f, p, "\"half a reply\"", NULL), DZ_EFORMAT);
    assert_int_equal(hosted_call(f, p, "\"fail\"", &value), DZ_ECALLFAILED);
    expect_text(hosted_text(f, &value, "reason"), "as you wish");
    assert_true(dz_process_is_none(dz_host_whereis(f->host, "all")));
}

static void a_callback_that_fails_ends_its_process_and_terminate_hears_why(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_all(f);
    assert_int_equal(dz_host_cast(f->host, p, hosted_value(f, "\"fail silently\"")), 0);
    seen_await_text(&f->heard, 3, "free");
    expect_text(f->heard.all, "terminate {");
    expect_text(f->heard.all, "input or output failed");
    expect_text(hosted_log(f), "process crashed");
    expect_text(f->logged, "behavior=all");
    assert_int_equal(frees, 1);
}

static void an_exit_asked_for_has_the_reason_that_was_given(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_all(f);
    assert_int_equal(dz_host_cast(f->host, p, hosted_value(f, "\"exit\"")), 0);
    heard(f, "cast \"exit\";terminate \"enough\";free;");
    assert_int_equal(hosted_call(f, p, "1", NULL), DZ_ENOPROC);
}

static void a_stop_takes_its_turn_and_answers_when_the_process_is_gone(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_all(f);
    assert_int_equal(dz_host_cast(f->host, p, hosted_value(f, "1")), 0);
    assert_int_equal(hosted_end(f, p, "\"shutdown\""), 0);
    heard(f, "cast 1;terminate \"shutdown\";free;");
    assert_null(strstr(hosted_log(f), "crashed"));
}

static void a_kill_runs_no_terminate_but_frees_the_state(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_all(f);
    dz_send_signal(&f->thread, DZ_MSG_KILL, DZ_PID_NONE, dz_pid_of(p), 0, f->host->rt.reasons[DZ_REASON_KILLED]);
    heard(f, "free;");
}

static void an_init_that_fails_refuses_the_start_and_nothing_is_freed(void **state)
{
    struct hosted *f = *state;
    dz_process p;
    dz_reader value;
    hosted_value(f, "{ \"fail\" }");
    assert_int_equal(hosted_wait(f, dz_host_spawn(f->host, "all", f->b, &(dz_spawn_options){ .name = "all" },
                                                  dz_answer_done, f->answer), &value), DZ_EINITFAILED);
    expect_text(hosted_text(f, &value, NULL), "as you wish");
    heard(f, "init {\"fail\"};");
    assert_int_equal(frees, 0);
    assert_int_equal(hosted_spawn(f, "all", "{}", "all", &p), 0); /* the name is free */
}

static void a_name_that_is_taken_refuses_the_start_before_init(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_all(f), other;
    (void)p;
    assert_int_not_equal(hosted_spawn(f, "all", "{}", "all", &other), 0);
    assert_int_equal(seen_count(&f->heard), 0);
    assert_int_equal(dz_host_process_count(f->host), 1);
}

static void a_cluster_wide_name_is_had_before_init_and_taken_only_once(void **state)
{
    struct hosted *f = *state;
    dz_spawn_options options = { .global = "one" };
    dz_reader value;
    dz_process p;
    hosted_value(f, "{}");
    assert_int_equal(hosted_wait(f, dz_host_spawn(f->host, "all", f->b, &options, dz_answer_done, f->answer), &value), 0);
    assert_true(dz_reader_process(&value, &p));
    assert_true(dz_process_equal(dz_host_whereis(f->host, "one"), p));
    heard(f, "init {};");
    assert_int_not_equal(hosted_wait(f, dz_host_spawn(f->host, "all", f->b, &options, dz_answer_done, f->answer), &value), 0);
    expect_text(hosted_text(f, &value, NULL), "name_taken");
    assert_int_equal(seen_count(&f->heard), 0);
    assert_int_equal(hosted_end(f, p, "\"normal\""), 0);
    assert_true(dz_process_is_none(dz_host_whereis(f->host, "one")));
}

static void callbacks_that_are_not_there_are_not_called(void **state)
{
    struct hosted *f = *state;
    dz_process p;
    assert_int_equal(hosted_spawn(f, "bare", "{}", NULL, &p), 0);
    assert_int_equal(dz_host_cast(f->host, p, hosted_value(f, "1")), 0);
    assert_int_equal(dz_host_send(f->host, p, hosted_value(f, "1")), 0);
    assert_int_equal(hosted_call(f, p, "1", NULL), DZ_EUNHANDLED);
    assert_int_equal(hosted_request(f, dz_pid_of(p), DZ_REQ_CHILDREN, "nil", NULL), DZ_EUNHANDLED);
    assert_int_equal(hosted_end(f, p, "\"normal\""), 0);
    heard(f, "init {};");
}

static void a_process_left_when_the_host_ends_is_freed_with_its_thread(void **state)
{
    struct hosted *f = *state;
    dz_process p;
    for (int i = 0; i < 20; i++)
        assert_int_equal(hosted_spawn(f, "all", "{}", NULL, &p), 0);
    dz_host_free(f->host);
    f->host = NULL;
    assert_int_equal(frees, 20);
}

static void a_question_left_open_at_the_end_is_answered_with_the_reason(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_all(f);
    dz_reader value;
    assert_int_equal(dz_host_call(f->host, p, hosted_value(f, "\"no reply\""), DZ_FOREVER, dz_answer_done, f->answer), 0);
    assert_int_equal(dz_host_cast(f->host, p, hosted_value(f, "\"exit\"")), 0);
    assert_int_equal(dz_answer_wait(f->answer, &value), DZ_ECALLFAILED);
    expect_text(hosted_text(f, &value, "reason"), "enough");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, hosted_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_registered_once_and_found_whole),
        cmocka_unit_test(a_struct_of_an_older_header_has_no_callbacks_beyond_its_size),
        TEST(bad_arguments_of_registering_are_refused),
        TEST(each_kind_of_message_reaches_its_callback_in_order),
        TEST(what_a_call_returns_is_what_the_caller_gets),
        TEST(a_callback_that_fails_ends_its_process_and_terminate_hears_why),
        TEST(an_exit_asked_for_has_the_reason_that_was_given),
        TEST(a_stop_takes_its_turn_and_answers_when_the_process_is_gone),
        TEST(a_kill_runs_no_terminate_but_frees_the_state),
        TEST(an_init_that_fails_refuses_the_start_and_nothing_is_freed),
        TEST(a_name_that_is_taken_refuses_the_start_before_init),
        TEST(a_cluster_wide_name_is_had_before_init_and_taken_only_once),
        TEST(callbacks_that_are_not_there_are_not_called),
        TEST(a_process_left_when_the_host_ends_is_freed_with_its_thread),
        TEST(a_question_left_open_at_the_end_is_answered_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
