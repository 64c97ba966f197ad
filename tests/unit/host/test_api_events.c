/* test_api_events.c - an embedder's subscriptions: what they are told, and that nothing comes after they end. */
#include "hosted.h"

static const char spec[] = "{ name = \"s\", children = { { id = \"c\", behavior = \"ear\", name = \"c\" } } }";

static void on_event(void *ctx, const dz_reader *event)
{
    dz_reader type;
    if (dz_reader_find(event, "type", &type))
        seen_value(ctx, &type);
}

static dz_subscription *subscribe(struct hosted *f, const char *const *types, size_t count, struct seen *seen)
{
    dz_subscription *s = NULL;
    assert_int_equal(dz_host_subscribe(f->host, types, count, false, on_event, seen, &s), 0);
    return s;
}

static void all_events_of_the_node_come_in_order(void **state)
{
    struct hosted *f = *state;
    struct seen seen = SEEN_INIT;
    dz_process sup;
    dz_subscription *s = subscribe(f, NULL, 0, &seen);
    assert_int_equal(hosted_supervise(f, spec, &sup), 0);
    assert_int_equal(hosted_end(f, sup, "\"normal\""), 0);
    seen_await(&seen, 4);
    assert_string_equal(seen.all, "\"child_started\";\"supervisor_started\";\"child_stopped\";\"supervisor_stopped\";");
    dz_host_unsubscribe(f->host, s);
}

static void types_limit_what_comes(void **state)
{
    struct hosted *f = *state;
    struct seen seen = SEEN_INIT;
    const char *types[] = { "supervisor_stopped", "no_such_type" };
    dz_process sup;
    dz_subscription *s = subscribe(f, types, 2, &seen);
    assert_int_equal(hosted_supervise(f, spec, &sup), 0);
    assert_int_equal(hosted_end(f, sup, "\"normal\""), 0);
    seen_await(&seen, 1);
    assert_string_equal(seen.all, "\"supervisor_stopped\";");
    dz_host_unsubscribe(f->host, s);
}

/* Both see the first supervisor; the second is seen only by the one that is left, in order, so the other had its chance. */
static void nothing_comes_after_the_subscription_has_ended(void **state)
{
    struct hosted *f = *state;
    struct seen seen = SEEN_INIT, other = SEEN_INIT;
    const char *types[] = { "supervisor_started" };
    dz_process sup;
    dz_subscription *s = subscribe(f, types, 1, &seen), *stays = subscribe(f, types, 1, &other);
    assert_int_equal(hosted_supervise(f, spec, &sup), 0);
    seen_await(&seen, 1);
    dz_host_unsubscribe(f->host, s);
    assert_int_equal(hosted_supervise(f, "{ children = {} }", &sup), 0);
    seen_await(&other, 2);
    assert_int_equal(seen_count(&seen), 1);
    dz_host_unsubscribe(f->host, stays);
}

static void a_subscription_may_outlive_the_running_host_and_is_freed_then(void **state)
{
    struct hosted *f = *state;
    struct seen seen = SEEN_INIT;
    dz_subscription *s = subscribe(f, NULL, 0, &seen);
    dz_host_stop(f->host, 0);
    dz_host_wait(f->host);
    dz_host_unsubscribe(f->host, s);
    dz_host_unsubscribe(f->host, NULL);
}

static void bad_arguments_and_a_host_that_does_not_run_are_refused(void **state)
{
    struct hosted *f = *state;
    dz_subscription *s = NULL;
    assert_int_equal(dz_host_subscribe(f->host, NULL, 0, false, on_event, NULL, &s), DZ_ECLOSED);
    assert_int_equal(dz_host_start(f->host), 0);
    assert_int_equal(dz_host_subscribe(f->host, NULL, 0, false, NULL, NULL, &s), DZ_EARGUMENT);
    assert_int_equal(dz_host_subscribe(f->host, NULL, 0, false, on_event, NULL, NULL), DZ_EARGUMENT);
    assert_null(s);
    dz_host_stop(f->host, 0);
    dz_host_wait(f->host);
    assert_int_equal(dz_host_subscribe(f->host, NULL, 0, false, on_event, NULL, &s), DZ_ECLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTED(all_events_of_the_node_come_in_order),
        HOSTED(types_limit_what_comes),
        HOSTED(nothing_comes_after_the_subscription_has_ended),
        HOSTED(a_subscription_may_outlive_the_running_host_and_is_freed_then),
        HOSTED_NEW(bad_arguments_and_a_host_that_does_not_run_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
