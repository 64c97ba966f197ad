/* test_api.c - the C API: behaviours in C, questions, monitors, events, selectors, several hosts. */
#include "hosted.h"

/* --- a behaviour: keeps a number --- */

static int keeper_init(dz_context *context, dz_reader *args, void **state)
{
    uint32_t count = 0;
    int64_t start = 0;
    dz_reader_array(args, &count);
    if (count > 0 && !dz_reader_int(args, &start))
        return dz_context_fail(context, -1, "the start is no number");
    int64_t *number = malloc(sizeof *number);
    *number = start;
    *state = number;
    return 0;
}

static int keeper_call(dz_context *context, void *state, dz_reader *message, dz_from from, dz_builder *reply)
{
    int64_t *number = state;
    if (dz_reader_is(message, "crash"))
        return dz_context_fail(context, -1, "as you wish");
    if (dz_reader_is(message, "silence"))
        return DZ_NO_REPLY;
    if (dz_reader_is(message, "later")) {
        dz_builder_string(reply, "now");
        assert_int_equal(dz_context_reply(context, from, reply), 0);
        return DZ_NO_REPLY;
    }
    if (!dz_reader_is(message, "get"))
        return DZ_UNHANDLED;
    dz_builder_int(reply, *number);
    return 0;
}

static int keeper_cast(dz_context *context, void *state, dz_reader *message)
{
    (void)context;
    dz_reader_int(message, state);
    return 0;
}

static const dz_native_behavior keeper = {
    .size = sizeof keeper,
    .init = keeper_init,
    .call = keeper_call,
    .cast = keeper_cast,
    .free_state = free,
};

/* --- a host for each test --- */

static int prefer_first(void *ctx, const dz_reader *nodes, const char *child_id, char *out, size_t size)
{
    dz_reader list = *nodes, id;
    uint32_t count;
    const char *s;
    size_t len;
    (void)child_id;
    *(int *)ctx += 1;
    if (!dz_reader_array(&list, &count) || !dz_reader_find(&list, "id", &id) || !dz_reader_string(&id, &s, &len) || len >= size)
        return -1;
    memcpy(out, s, len);
    out[len] = 0;
    return 0;
}

static int asked;

static int setup(void **state)
{
    struct hosted *f = hosted_setup_with(state, "keeper", &keeper);
    assert_string_equal(dz_error_name(dz_host_register_behavior(f->host, "keeper", &keeper)), "exists");
    asked = 0;
    assert_int_equal(dz_host_register_selector(f->host, "first", prefer_first, &asked), 0);
    return dz_host_start(f->host);
}

static int spawn(struct hosted *f, const char *behavior, const char *name, dz_process *out)
{
    return hosted_spawn(f, behavior, "{}", name, out);
}

static int call(struct hosted *f, dz_process to, const char *text, uint64_t timeout_ms, dz_reader *value)
{
    dz_builder_clear(f->b);
    dz_builder_string(f->b, text);
    return hosted_wait(f, dz_host_call(f->host, to, f->b, timeout_ms, dz_answer_done, f->answer), value);
}

static void a_c_process_answers_casts_and_calls_in_order(void **state)
{
    struct hosted *f = *state;
    dz_process p;
    dz_reader value;
    int64_t n = 0;
    assert_int_equal(spawn(f, "keeper", "k", &p), 0);
    assert_true(dz_process_equal(dz_host_whereis(f->host, "k"), p));
    dz_builder_clear(f->b);
    dz_builder_int(f->b, 42);
    assert_int_equal(dz_host_cast(f->host, p, f->b), 0);
    assert_int_equal(call(f, p, "get", 5000, &value), 0);
    assert_true(dz_reader_int(&value, &n));
    assert_int_equal(n, 42);
    assert_int_equal(call(f, p, "later", 5000, &value), 0);
    assert_true(dz_reader_is(&value, "now"));
}

static void every_call_ends_with_the_error_it_should(void **state)
{
    struct hosted *f = *state;
    dz_process p, none;
    assert_int_equal(spawn(f, "keeper", "k", &p), 0);
    assert_string_equal(dz_error_name(call(f, p, "what", 5000, NULL)), "unhandled_call");
    assert_string_equal(dz_error_name(call(f, p, "silence", 20, NULL)), "timeout");
    assert_string_equal(dz_error_name(call(f, p, "crash", 5000, NULL)), "call_failed");
    assert_string_equal(dz_error_name(call(f, p, "get", 5000, NULL)), "noproc");
    assert_string_equal(dz_error_name(spawn(f, "nobody_knows_it", NULL, &none)), "behavior_not_found");
    assert_true(dz_process_is_none(dz_host_whereis(f->host, "k")));
}

static void a_taken_name_and_a_failing_init_refuse_the_start(void **state)
{
    struct hosted *f = *state;
    dz_process p, other;
    assert_int_equal(spawn(f, "keeper", "k", &p), 0);
    assert_int_not_equal(spawn(f, "keeper", "k", &other), 0);
    hosted_value(f, "{ \"x\" }");
    assert_int_equal(dz_host_spawn(f->host, "keeper", f->b, NULL, dz_answer_done, f->answer), 0);
    assert_string_equal(dz_error_name(dz_answer_wait(f->answer, NULL)), "init_failed");
    assert_int_equal(dz_host_process_count(f->host), 1);
}

/* --- monitors and events --- */

static void on_down(void *ctx, dz_process process, const dz_reader *reason)
{
    (void)process;
    seen_value(ctx, reason);
}

static void on_event(void *ctx, const dz_reader *event)
{
    dz_reader type;
    if (dz_reader_find(event, "type", &type))
        seen_value(ctx, &type);
}

static void a_monitor_fires_once_with_the_reason(void **state)
{
    struct hosted *f = *state;
    struct seen seen = SEEN_INIT;
    dz_process p;
    uint64_t first, second;
    assert_int_equal(spawn(f, "keeper", NULL, &p), 0);
    assert_int_equal(dz_host_monitor(f->host, p, on_down, &seen, &first), 0);
    assert_int_equal(dz_host_monitor(f->host, p, on_down, &seen, &second), 0);
    assert_true(dz_host_demonitor(f->host, second));
    assert_false(dz_host_demonitor(f->host, second));
    dz_builder_clear(f->b);
    dz_builder_string(f->b, "enough");
    assert_int_equal(dz_host_end(f->host, p, f->b, 5000, dz_answer_done, f->answer), 0);
    assert_int_equal(dz_answer_wait(f->answer, NULL), 0);
    seen_await(&seen, 1);
    assert_non_null(strstr(seen.last, "enough"));
    assert_int_equal(dz_host_monitor(f->host, p, on_down, &seen, NULL), 0);
    seen_await(&seen, 2);
    assert_non_null(strstr(seen.last, "noproc"));
    assert_false(dz_host_demonitor(f->host, first));
}

static const char spec[] = "{ node_selector = { selector = \"first\" },"
                           "  children = { { id = \"k\", behavior = \"keeper\", name = \"k\" } } }";

static void a_supervisor_asks_the_c_selector_and_its_events_are_seen(void **state)
{
    struct hosted *f = *state;
    struct seen seen = SEEN_INIT;
    dz_subscription *subscription;
    dz_process sup;
    const char *types[] = { "child_started", "child_restarted" };
    assert_int_equal(dz_host_subscribe(f->host, types, 2, false, on_event, &seen, &subscription), 0);
    assert_int_equal(hosted_supervise(f, spec, &sup), 0);
    seen_await(&seen, 1);
    assert_string_equal(seen.last, "\"child_started\"");
    assert_int_equal(asked, 1);
    call(f, dz_host_whereis(f->host, "k"), "crash", 5000, NULL);
    seen_await(&seen, 2);
    assert_string_equal(seen.last, "\"child_restarted\"");
    dz_host_unsubscribe(f->host, subscription);
}

static void a_spec_that_is_wrong_is_refused_with_its_error(void **state)
{
    struct hosted *f = *state;
    dz_process sup;
    assert_string_equal(dz_error_name(hosted_supervise(f, "{ childern = {} }", &sup)), "invalid_spec");
}

static void questions_left_open_are_answered_when_the_host_stops(void **state)
{
    struct hosted *f = *state;
    dz_process p;
    assert_int_equal(spawn(f, "keeper", NULL, &p), 0);
    dz_builder_clear(f->b);
    dz_builder_string(f->b, "silence");
    assert_int_equal(dz_host_call(f->host, p, f->b, DZ_FOREVER, dz_answer_done, f->answer), 0);
    dz_host_stop(f->host, 9);
    assert_int_equal(dz_host_wait(f->host), 9);
    assert_int_not_equal(dz_answer_wait(f->answer, NULL), 0);
    assert_string_equal(dz_error_name(dz_host_call(f->host, p, f->b, 1, dz_answer_done, f->answer)), "closed");
}

static void hosts_in_one_program_know_nothing_of_each_other(void **state)
{
    struct hosted *f = *state;
    dz_host *hosts[4];
    dz_process p;
    assert_int_equal(spawn(f, "keeper", "k", &p), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(dz_host_new(&hosts[i], NULL), 0);
        assert_int_equal(dz_host_start(hosts[i]), 0);
        assert_true(dz_process_is_none(dz_host_whereis(hosts[i], "k")));
    }
    for (size_t i = 0; i < 4; i++)
        dz_host_free(hosts[i]);
    assert_int_equal(call(f, p, "get", 5000, NULL), 0);
}

static void a_builder_that_is_not_one_value_is_refused(void **state)
{
    struct hosted *f = *state;
    dz_process p;
    assert_int_equal(spawn(f, "keeper", NULL, &p), 0);
    dz_builder_clear(f->b);
    dz_builder_array(f->b, 2);
    dz_builder_int(f->b, 1);
    assert_int_not_equal(dz_builder_error(f->b), 0);
    assert_int_not_equal(dz_host_send(f->host, p, f->b), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, hosted_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_c_process_answers_casts_and_calls_in_order),
        TEST(every_call_ends_with_the_error_it_should),
        TEST(a_taken_name_and_a_failing_init_refuse_the_start),
        TEST(a_monitor_fires_once_with_the_reason),
        TEST(a_supervisor_asks_the_c_selector_and_its_events_are_seen),
        TEST(a_spec_that_is_wrong_is_refused_with_its_error),
        TEST(questions_left_open_are_answered_when_the_host_stops),
        TEST(hosts_in_one_program_know_nothing_of_each_other),
        TEST(a_builder_that_is_not_one_value_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
