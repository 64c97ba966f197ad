/* test_events.c - the event hub: numbering, handing on, subscribers of this node and of others. */
#include "hosted.h"

#include "host/events.h"

/* A subscription of the process: the hub's answer comes to it and is dropped. */
static void ask_hub(struct hosted *f, dz_process who, uint16_t code, const char *text)
{
    struct dz_buf term = literal(text);
    struct dz_msg *m = dz_msg_new_copy(DZ_MSG_REQUEST, term.data, term.len);
    m->to = f->host->rt.events;
    m->from = dz_pid_of(who);
    m->ref = dz_rt_next_ref(&f->host->rt);
    m->code = code;
    dz_send_must(&f->thread, m);
    dz_buf_fini(&term);
}

static void emit(struct hosted *f, const char *text)
{
    struct dz_buf term = literal(text);
    dz_events_emit(&f->thread, term.data, term.len);
    dz_buf_fini(&term);
}

static dz_process listener(struct hosted *f, const char *subscription)
{
    dz_process p;
    assert_int_equal(hosted_spawn(f, "ear", "{}", NULL, &p), 0);
    ask_hub(f, p, DZ_REQ_SUBSCRIBE, subscription);
    return p;
}

static void an_event_keeps_its_fields_and_gets_its_number_and_time(void **state)
{
    struct hosted *f = *state;
    listener(f, "{}");
    emit(f, "{ type = \"a\", list = { 1, 2 } }");
    emit(f, "{ type = \"b\" }");
    seen_await(&f->heard, 2);
    const char *second = strchr(f->heard.all, ';') + 1;
    expect_text(f->heard.all, "list = {1, 2}");
    expect_text(f->heard.all, "type = \"a\"");
    expect_text(f->heard.all, "seq = 1");
    expect_text(f->heard.all, "timestamp = 1");
    expect_text(second, "seq = 2");
    expect_text(second, "type = \"b\"");
}

static void only_the_types_asked_for_are_handed_on(void **state)
{
    struct hosted *f = *state;
    listener(f, "{ types = { \"b\", \"c\" } }");
    emit(f, "{ type = \"a\" }");
    emit(f, "{ type = \"bb\" }");
    emit(f, "{ type = \"c\" }");
    seen_await(&f->heard, 1);
    expect_text(f->heard.all, "seq = 3");
    assert_int_equal(seen_count(&f->heard), 1);
}

static void what_is_no_event_is_lost_and_harms_nobody(void **state)
{
    struct hosted *f = *state;
    listener(f, "{ types = nil }");
    emit(f, "{ 1, 2 }");
    emit(f, "\"text\"");
    emit(f, "{ no_type = 1 }");
    emit(f, "{ type = 5 }");
    emit(f, "{ type = \"good\" }");
    seen_await(&f->heard, 1);
    expect_text(f->heard.all, "good");
    assert_int_equal(seen_count(&f->heard), 1);
}

static void a_second_subscription_takes_the_place_of_the_first(void **state)
{
    struct hosted *f = *state;
    dz_process p = listener(f, "{ types = { \"a\" } }");
    ask_hub(f, p, DZ_REQ_SUBSCRIBE, "{ types = { \"b\" } }");
    emit(f, "{ type = \"a\" }");
    emit(f, "{ type = \"b\" }");
    seen_await(&f->heard, 1);
    expect_text(f->heard.all, "seq = 2");
    assert_int_equal(seen_count(&f->heard), 1);
}

static void who_unsubscribed_or_ended_hears_nothing_more(void **state)
{
    struct hosted *f = *state;
    dz_process leaves = listener(f, "{}"), ends = listener(f, "{}");
    ask_hub(f, leaves, DZ_REQ_UNSUBSCRIBE, "nil");
    assert_int_equal(hosted_end(f, ends, "\"normal\""), 0);
    listener(f, "{}");
    emit(f, "{ type = \"a\" }");
    emit(f, "{ type = \"b\" }");
    seen_await(&f->heard, 2);
    assert_int_equal(seen_count(&f->heard), 2);
}

static void a_subscription_is_answered_and_a_wrong_one_refused(void **state)
{
    struct hosted *f = *state;
    char types[1024] = "{ types = {";
    assert_int_equal(hosted_request(f, f->host->rt.events, DZ_REQ_UNSUBSCRIBE, "nil", NULL), 0);
    for (unsigned i = 0; i < DZ_EVENTS_MAX_TYPES; i++)
        strcat(types, "\"t\",");
    size_t len = strlen(types);
    strcpy(types + len, "} }");
    assert_int_equal(hosted_request(f, f->host->rt.events, DZ_REQ_SUBSCRIBE, types, NULL), 0);
    strcpy(types + len, "\"t\" } }");
    assert_int_equal(hosted_request(f, f->host->rt.events, DZ_REQ_SUBSCRIBE, types, NULL), DZ_EARGUMENT);
    assert_int_equal(hosted_request(f, f->host->rt.events, DZ_REQ_SUBSCRIBE, "{ types = { 1 } }", NULL), DZ_EARGUMENT);
    assert_int_equal(hosted_request(f, f->host->rt.events, DZ_REQ_SUBSCRIBE, "{ types = 1 }", NULL), DZ_EARGUMENT);
    assert_int_equal(hosted_request(f, f->host->rt.events, DZ_REQ_CHILDREN, "nil", NULL), DZ_EARGUMENT);
}

static void a_subscriber_without_room_loses_the_event_alone(void **state)
{
    struct hosted *f = *state;
    ask_hub(f, hosted_deaf_ear(f), DZ_REQ_SUBSCRIBE, "{ types = { \"a\" } }");
    listener(f, "{ types = { \"a\" } }");
    emit(f, "{ type = \"a\" }");
    emit(f, "{ type = \"a\" }");
    seen_await(&f->heard, 2);
    assert_int_equal(seen_count(&f->heard), 2);
}

static void the_hub_is_found_by_its_name_and_counted_by_nobody(void **state)
{
    struct hosted *f = *state;
    assert_true(dz_pid_eq(dz_pid_of(dz_host_whereis(f->host, DZ_EVENTS_NAME)), f->host->rt.events));
    assert_int_equal(dz_host_process_count(f->host), 0);
}

static void on_event(void *ctx, const dz_reader *event)
{
    dz_reader type;
    assert_true(dz_reader_find(event, "type", &type));
    seen_value(ctx, &type);
}

static void what_was_told_before_the_end_is_handed_on(void **state)
{
    struct hosted *f = *state;
    struct seen seen = SEEN_INIT;
    dz_subscription *s;
    dz_process sup;
    assert_int_equal(dz_host_subscribe(f->host, NULL, 0, false, on_event, &seen, &s), 0);
    assert_int_equal(hosted_supervise(f, "{ children = { { id = \"c\", behavior = \"ear\" } } }", &sup), 0);
    dz_host_stop(f->host, 0);
    dz_host_wait(f->host);
    dz_host_unsubscribe(f->host, s);
    expect_text(seen.all, "\"child_stopped\";\"supervisor_stopped\";");
}

static void events_of_other_nodes_come_to_those_who_want_the_clusters(void **state)
{
    struct hosted *f = *state, *other;
    void *second;
    char seeds[512];
    dz_reader value;
    dz_process sup;
    struct seen near = SEEN_INIT, far = SEEN_INIT;
    const char *types[] = { "child_started" };
    dz_subscription *only_near, *all;
    hosted_setup(&second);
    other = second;
    assert_int_equal(dz_host_subscribe(f->host, types, 1, false, on_event, &near, &only_near), 0);
    assert_int_equal(dz_host_subscribe(f->host, types, 1, true, on_event, &far, &all), 0);
    assert_int_equal(hosted_join(f, "a", "", &value), 0);
    snprintf(seeds, sizeof seeds, "seeds = { %.400s }", hosted_text(f, &value, NULL));
    assert_int_equal(hosted_join(other, "b", seeds, NULL), 0);
    for (int i = 0; seen_count(&far) == 0 && i < 1000; i++) /* the hubs meet a moment later than the nodes */
        assert_int_equal(hosted_supervise(other, "{ children = { { id = \"c\", behavior = \"ear\" } } }", &sup), 0);
    seen_await(&far, 1);
    assert_int_equal(seen_count(&near), 0);
    dz_host_unsubscribe(f->host, only_near);
    dz_host_unsubscribe(f->host, all);
    hosted_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTED(an_event_keeps_its_fields_and_gets_its_number_and_time),
        HOSTED(only_the_types_asked_for_are_handed_on),
        HOSTED(what_is_no_event_is_lost_and_harms_nobody),
        HOSTED(a_second_subscription_takes_the_place_of_the_first),
        HOSTED(who_unsubscribed_or_ended_hears_nothing_more),
        HOSTED(a_subscription_is_answered_and_a_wrong_one_refused),
        HOSTED(a_subscriber_without_room_loses_the_event_alone),
        HOSTED(the_hub_is_found_by_its_name_and_counted_by_nobody),
        HOSTED(what_was_told_before_the_end_is_handed_on),
        HOSTED(events_of_other_nodes_come_to_those_who_want_the_clusters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
