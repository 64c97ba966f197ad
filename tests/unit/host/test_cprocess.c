/* test_cprocess.c - what the callbacks of a behaviour in C may do with their context. */
#include "hosted.h"

/* Each message is a list: what to do, to whom, with what. */
static dz_from kept;
static int last_result;

static bool word(dz_reader *message, const char *text)
{
    return dz_reader_is(message, text) && dz_reader_skip(message);
}

static int act(dz_context *context, dz_reader *message)
{
    uint32_t count = 0;
    int64_t ms = 0;
    dz_process other = DZ_NO_PROCESS_INIT;
    dz_builder *b = dz_builder_new();
    if (!dz_reader_array(message, &count)) {
        seen_value(&hosted_of_ear->heard, message);
    } else if (word(message, "send")) {
        assert_true(dz_reader_process(message, &other));
        dz_builder_copy(b, message);
        last_result = dz_context_send(context, other, b);
    } else if (word(message, "cast")) {
        assert_true(dz_reader_process(message, &other));
        dz_builder_copy(b, message);
        last_result = dz_context_cast(context, other, b);
    } else if (word(message, "send nothing")) {
        last_result = dz_context_send(context, dz_context_self(context), b);
    } else if (word(message, "send to none")) {
        dz_builder_nil(b);
        last_result = dz_context_send(context, other, b);
    } else if (word(message, "later")) {
        assert_true(dz_reader_int(message, &ms));
        dz_builder_copy(b, message);
        last_result = dz_context_send_after(context, (uint64_t)ms, b);
    } else if (word(message, "monitor")) {
        dz_reader_process(message, &other);
        last_result = dz_context_monitor(context, other);
    } else if (word(message, "link")) {
        dz_reader_process(message, &other);
        last_result = dz_context_link(context, other);
    } else if (word(message, "trap")) {
        bool trap = false;
        assert_true(dz_reader_bool(message, &trap));
        dz_context_trap_exit(context, trap);
    } else if (word(message, "log")) {
        dz_context_log(context, "warn", "as told");
        dz_context_log(context, "nonsense", "as told with no level");
    } else if (word(message, "exit twice")) {
        dz_context_exit(context, NULL);
        dz_builder_string(b, "second");
        dz_context_exit(context, b);
    } else if (word(message, "exit with nothing")) {
        dz_context_exit(context, b);
    } else if (word(message, "long failure")) {
        char text[600];
        memset(text, 'x', sizeof text);
        text[sizeof text - 1] = 0;
        last_result = DZ_EIO;
        dz_builder_delete(b);
        return dz_context_fail(context, DZ_EIO, text);
    } else if (word(message, "answer")) {
        dz_builder_string(b, "late");
        last_result = dz_context_reply(context, kept, b);
    } else if (word(message, "answer nothing")) {
        last_result = dz_context_reply(context, kept, b);
    }
    dz_builder_delete(b);
    return 0;
}

static int doer_init(dz_context *context, dz_reader *args, void **state)
{
    (void)args;
    *state = dz_context_host(context);
    return 0;
}

static int doer_call(dz_context *context, void *state, dz_reader *message, dz_from from, dz_builder *reply)
{
    assert_ptr_equal(state, dz_context_host(context));
    if (dz_reader_is(message, "self")) {
        dz_builder_process(reply, dz_context_host(context), dz_context_self(context));
        return 0;
    }
    if (dz_reader_is(message, "keep")) {
        kept = from;
        return DZ_NO_REPLY;
    }
    int err = act(context, message);
    dz_builder_int(reply, last_result);
    return err;
}

static int doer_info(dz_context *context, void *state, dz_reader *message)
{
    (void)state;
    return act(context, message);
}

static const dz_native_behavior doer = {
    .size = sizeof doer, .init = doer_init, .call = doer_call, .cast = doer_info, .info = doer_info,
};

static int setup(void **state)
{
    struct hosted *f = hosted_setup_with(state, "doer", &doer);
    last_result = 0;
    return dz_host_start(f->host);
}

static dz_process start_doer(struct hosted *f)
{
    dz_process p;
    assert_int_equal(hosted_spawn(f, "doer", "{}", NULL, &p), 0);
    return p;
}

/* Asks `p` to do something; its result. */
static int64_t told(struct hosted *f, dz_process p, const char *what)
{
    dz_reader value;
    int64_t result = 1;
    assert_int_equal(hosted_call(f, p, what, &value), 0);
    assert_true(dz_reader_int(&value, &result));
    return result;
}

/* { what, other [, value] }. */
static dz_builder *about(struct hosted *f, const char *what, dz_process other, const char *value)
{
    dz_builder_clear(f->b);
    dz_builder_array(f->b, value ? 3 : 2);
    dz_builder_string(f->b, what);
    dz_builder_process(f->b, f->host, other);
    if (value)
        dz_builder_string(f->b, value);
    return f->b;
}

static int64_t told_about(struct hosted *f, dz_process p, const char *what, dz_process other, const char *value)
{
    dz_reader answer;
    int64_t result = 1;
    assert_int_equal(hosted_wait(f, dz_host_call(f->host, p, about(f, what, other, value), 30000, dz_answer_done, f->answer),
                                 &answer), 0);
    assert_true(dz_reader_int(&answer, &result));
    return result;
}

static void a_process_knows_itself(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f), self;
    dz_reader value;
    assert_int_equal(hosted_call(f, p, "\"self\"", &value), 0);
    assert_true(dz_reader_process(&value, &self));
    assert_true(dz_process_equal(self, p));
}

static void it_sends_and_casts_to_others_in_order(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f), other = start_doer(f);
    assert_int_equal(told_about(f, p, "send", other, "one"), 0);
    assert_int_equal(told_about(f, p, "cast", other, "two"), 0);
    seen_await(&f->heard, 2);
    assert_string_equal(f->heard.all, "\"one\";\"two\";");
}

static void sending_to_nobody_is_no_error_but_sending_no_value_is(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f), gone = start_doer(f);
    assert_int_equal(hosted_end(f, gone, "\"normal\""), 0);
    assert_int_equal(told_about(f, p, "send", gone, "x"), 0);
    assert_int_equal(told(f, p, "{ \"send to none\" }"), 0);
    assert_int_equal(told(f, p, "{ \"send nothing\" }"), DZ_EFORMAT);
}

static void a_full_mailbox_is_overloaded(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f);
    assert_int_equal(told_about(f, p, "send", hosted_deaf_ear(f), "much too long"), DZ_EOVERLOADED);
}

static void a_timer_sends_when_its_time_has_come_and_not_before(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f);
    assert_int_equal(told(f, p, "{ \"later\", 60000, \"second\" }"), 0);
    assert_int_equal(told(f, p, "{ \"later\", 50000, \"first\" }"), 0);
    assert_int_equal(seen_count(&f->heard), 0);
    hosted_skip(f, 55000);
    seen_await(&f->heard, 1);
    assert_string_equal(f->heard.all, "\"first\";");
    hosted_skip(f, 10000);
    seen_await(&f->heard, 2);
    assert_string_equal(f->heard.last, "\"second\"");
}

static void timers_end_with_their_process_and_may_be_as_late_as_one_likes(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f);
    for (int i = 0; i < 50; i++)
        assert_int_equal(told(f, p, "{ \"later\", 1000, \"never\" }"), 0);
    assert_int_equal(told(f, p, "{ \"later\", 9007199254740991, \"never\" }"), 0);
    assert_int_equal(hosted_end(f, p, "\"normal\""), 0);
    hosted_skip(f, 100000);
    start_doer(f);
    assert_int_equal(seen_count(&f->heard), 0);
}

static void a_monitor_tells_the_end_once_with_its_reason(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f), other = start_doer(f), none = DZ_NO_PROCESS_INIT;
    assert_int_equal(told_about(f, p, "monitor", other, NULL), 0);
    assert_int_equal(told_about(f, p, "monitor", none, NULL), DZ_EARGUMENT);
    assert_int_equal(hosted_end(f, other, "\"enough\""), 0);
    seen_await(&f->heard, 1);
    expect_text(f->heard.last, "type = \"down\"");
    expect_text(f->heard.last, "reason = \"enough\"");
    expect_text(f->heard.last, "ref = <ref");
    assert_int_equal(told_about(f, p, "monitor", other, NULL), 0);
    seen_await(&f->heard, 2);
    expect_text(f->heard.last, "reason = \"noproc\"");
}

static void an_abnormal_end_breaks_the_link_and_a_normal_one_does_not(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f), kind = start_doer(f), rude = start_doer(f);
    assert_int_equal(told_about(f, p, "link", kind, NULL), 0);
    assert_int_equal(told_about(f, p, "link", rude, NULL), 0);
    assert_int_equal(hosted_end(f, kind, "\"normal\""), 0);
    assert_int_equal(told(f, p, "{ \"send to none\" }"), 0);
    assert_int_equal(hosted_end(f, rude, "\"rude\""), 0);
    assert_int_not_equal(hosted_call(f, p, "\"self\"", NULL), 0);
}

static void an_exit_that_is_trapped_is_a_message_until_it_is_trapped_no_more(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f), a = start_doer(f), b = start_doer(f);
    assert_int_equal(told(f, p, "{ \"trap\", true }"), 0);
    assert_int_equal(told_about(f, p, "link", a, NULL), 0);
    assert_int_equal(told_about(f, p, "link", b, NULL), 0);
    assert_int_equal(hosted_end(f, a, "\"rude\""), 0);
    seen_await(&f->heard, 1);
    expect_text(f->heard.last, "type = \"exit\"");
    expect_text(f->heard.last, "reason = \"rude\"");
    assert_int_equal(told(f, p, "{ \"trap\", false }"), 0);
    assert_int_equal(hosted_end(f, b, "\"rude\""), 0);
    assert_int_not_equal(hosted_call(f, p, "\"self\"", NULL), 0);
}

static void a_question_is_answered_later_and_only_once(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f);
    dz_reader value;
    assert_int_equal(dz_host_call(f->host, p, hosted_value(f, "\"keep\""), DZ_FOREVER, dz_answer_done, f->answer), 0);
    assert_int_equal(dz_host_cast(f->host, p, hosted_value(f, "{ \"answer nothing\" }")), 0);
    assert_int_equal(dz_host_cast(f->host, p, hosted_value(f, "{ \"answer\" }")), 0);
    assert_int_equal(dz_host_cast(f->host, p, hosted_value(f, "{ \"answer\" }")), 0);
    assert_int_equal(dz_answer_wait(f->answer, &value), 0);
    assert_true(dz_reader_is(&value, "late"));
    assert_int_equal(told(f, p, "{ \"send to none\" }"), 0);
}

static void the_last_exit_asked_for_counts_and_no_value_means_normal(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f), watcher = start_doer(f), q = start_doer(f);
    assert_int_equal(told_about(f, watcher, "monitor", p, NULL), 0);
    assert_int_equal(dz_host_cast(f->host, p, hosted_value(f, "{ \"exit twice\" }")), 0);
    seen_await(&f->heard, 1);
    expect_text(f->heard.last, "reason = \"second\"");
    assert_int_equal(told_about(f, watcher, "monitor", q, NULL), 0);
    assert_int_equal(dz_host_cast(f->host, q, hosted_value(f, "{ \"exit with nothing\" }")), 0);
    seen_await(&f->heard, 2);
    expect_text(f->heard.last, "reason = \"normal\"");
}

static void a_failure_text_too_long_is_cut(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f);
    dz_reader value;
    assert_int_equal(hosted_call(f, p, "{ \"long failure\" }", &value), DZ_ECALLFAILED);
    expect_text(hosted_text(f, &value, "reason"), "xxxxxxxxxx");
}

static void a_log_line_names_process_and_behaviour(void **state)
{
    struct hosted *f = *state;
    dz_process p = start_doer(f);
    char text[400];
    assert_int_equal(told(f, p, "{ \"log\" }"), 0);
    dz_host_process_text(f->host, p, text, sizeof text);
    expect_text(hosted_log(f), "warn  as told");
    expect_text(f->logged, "info  as told with no level");
    expect_text(f->logged, "behavior=doer");
    expect_text(f->logged, text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, hosted_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_process_knows_itself),
        TEST(it_sends_and_casts_to_others_in_order),
        TEST(sending_to_nobody_is_no_error_but_sending_no_value_is),
        TEST(a_full_mailbox_is_overloaded),
        TEST(a_timer_sends_when_its_time_has_come_and_not_before),
        TEST(timers_end_with_their_process_and_may_be_as_late_as_one_likes),
        TEST(a_monitor_tells_the_end_once_with_its_reason),
        TEST(an_abnormal_end_breaks_the_link_and_a_normal_one_does_not),
        TEST(an_exit_that_is_trapped_is_a_message_until_it_is_trapped_no_more),
        TEST(a_question_is_answered_later_and_only_once),
        TEST(the_last_exit_asked_for_counts_and_no_value_means_normal),
        TEST(a_failure_text_too_long_is_cut),
        TEST(a_log_line_names_process_and_behaviour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
