/* test_service.c - the host's service process: every request it knows, and that nothing ends it but the host. */
#include "hosted.h"

static int request(struct hosted *f, uint16_t code, const char *text, dz_reader *value)
{
    return hosted_request(f, f->host->rt.system, code, text, value);
}

static void expect(struct hosted *f, uint16_t code, const char *text, const char *answer)
{
    dz_reader value;
    assert_int_equal(request(f, code, text, &value), 0);
    assert_string_equal(hosted_text(f, &value, NULL), answer);
}

static void without_a_cluster_there_is_this_node_and_no_other(void **state)
{
    struct hosted *f = *state;
    dz_reader value;
    uint32_t count = 0;
    assert_int_equal(request(f, DZ_REQ_CLUSTER_NODES, "nil", &value), 0);
    expect_text(hosted_text(f, &value, NULL), "id = \"local@127.0.0.1:0\"");
    assert_true(dz_reader_array(&value, &count) && count == 1);
    assert_int_equal(request(f, DZ_REQ_CLUSTER_NODE, "\"local@127.0.0.1:0\"", &value), 0);
    assert_string_equal(hosted_text(f, &value, "status"), "\"up\"");
    expect(f, DZ_REQ_CLUSTER_NODE, "\"other@127.0.0.1:1\"", "nil");
    assert_int_equal(request(f, DZ_REQ_CLUSTER_NODE, "5", NULL), DZ_EARGUMENT);
    expect(f, DZ_REQ_CLUSTER_STATUS, "nil", "\"stopped\"");
    expect(f, DZ_REQ_CLUSTER_STOP, "nil", "nil");
}

static void the_cluster_is_started_and_stopped_by_request(void **state)
{
    struct hosted *f = *state;
    dz_reader value;
    assert_int_equal(request(f, DZ_REQ_CLUSTER_START, "{ node_name = \"a\", host = \"127.0.0.1\", port = 0 }", &value), 0);
    expect_text(hosted_text(f, &value, NULL), "\"a@127.0.0.1:");
    expect(f, DZ_REQ_CLUSTER_STATUS, "nil", "\"running\"");
    expect(f, DZ_REQ_CLUSTER_STOP, "nil", "nil");
    expect(f, DZ_REQ_CLUSTER_STATUS, "nil", "\"stopped\"");
}

/* A REQUEST that names a process: text has no form for pids. */
static int register_global(struct hosted *f, const char *name, dz_process owner, dz_reader *value)
{
    dz_builder_clear(f->b);
    dz_builder_map(f->b, 2);
    dz_builder_string(f->b, "name");
    dz_builder_string(f->b, name);
    dz_builder_string(f->b, "pid");
    dz_builder_process(f->b, f->host, owner);
    return hosted_wait(f, dz_desk_request(&f->host->desk, &f->thread, f->host->rt.system, DZ_REQ_GLOBAL_REGISTER,
                                          f->b->buf.data, f->b->buf.len, DZ_INFINITY, hosted_answered, f), value);
}

static void cluster_wide_names_are_given_listed_and_taken_back(void **state)
{
    struct hosted *f = *state;
    dz_process one, two;
    dz_reader value, found;
    assert_int_equal(hosted_spawn(f, "ear", "{}", NULL, &one), 0);
    assert_int_equal(hosted_spawn(f, "ear", "{}", NULL, &two), 0);
    assert_int_equal(register_global(f, "n", one, NULL), 0);
    assert_int_equal(register_global(f, "n", two, &value), DZ_ENAMETAKEN);
    assert_true(dz_reader_find(&value, "owner", &found));
    assert_int_equal(request(f, DZ_REQ_GLOBAL_NAMES, "nil", &value), 0);
    assert_true(dz_reader_find(&value, "n", &found));
    expect(f, DZ_REQ_GLOBAL_UNREGISTER, "\"n\"", "true");
    expect(f, DZ_REQ_GLOBAL_UNREGISTER, "\"n\"", "false");
    expect(f, DZ_REQ_GLOBAL_UNREGISTER, "7", "false");
    assert_int_equal(register_global(f, "n", two, NULL), 0);
}

static void a_name_that_is_none_is_refused(void **state)
{
    struct hosted *f = *state;
    char name[DZ_NAME_MAX + 2];
    dz_process p, none = DZ_NO_PROCESS_INIT;
    assert_int_equal(hosted_spawn(f, "ear", "{}", NULL, &p), 0);
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = 0;
    assert_int_equal(register_global(f, "", p, NULL), DZ_EARGUMENT);
    assert_int_equal(register_global(f, name, p, NULL), DZ_EARGUMENT);
    assert_int_equal(register_global(f, name + 1, p, NULL), 0);
    assert_int_equal(register_global(f, "n", none, NULL), DZ_EARGUMENT);
    assert_int_equal(request(f, DZ_REQ_GLOBAL_REGISTER, "{ name = \"n\", pid = 5 }", NULL), DZ_EARGUMENT);
    assert_int_equal(request(f, DZ_REQ_GLOBAL_REGISTER, "nil", NULL), DZ_EARGUMENT);
}

static void supervisors_are_listed_while_they_live(void **state)
{
    struct hosted *f = *state;
    dz_process a, b;
    dz_reader value;
    uint32_t count = 9;
    expect(f, DZ_REQ_SUPERVISORS, "nil", "{}");
    assert_int_equal(hosted_supervise(f, "{ children = {} }", &a), 0);
    assert_int_equal(hosted_supervise(f, "{ children = {} }", &b), 0);
    assert_int_equal(request(f, DZ_REQ_SUPERVISORS, "nil", &value), 0);
    assert_true(dz_reader_array(&value, &count) && count == 2);
    assert_int_equal(hosted_end(f, a, "\"normal\""), 0);
    assert_int_equal(request(f, DZ_REQ_SUPERVISORS, "nil", &value), 0);
    assert_true(dz_reader_array(&value, &count) && count == 1);
}

static void figures_tell_of_workers_and_links(void **state)
{
    struct hosted *f = *state;
    dz_reader value, workers;
    uint32_t count = 0;
    hosted_ear(f);
    hosted_skip(f, 3000);
    assert_int_equal(request(f, DZ_REQ_STATS_HOST, "nil", &value), 0);
    assert_string_equal(hosted_text(f, &value, "node_id"), "\"local@127.0.0.1:0\"");
    assert_string_equal(hosted_text(f, &value, "processes"), "1");
    assert_string_equal(hosted_text(f, &value, "workers_lost"), "0");
    assert_true(atoi(hosted_text(f, &value, "uptime_ms")) >= 3000);
    assert_true(atoi(hosted_text(f, &value, "memory_bytes")) > 1000000);
    expect_text(hosted_text(f, &value, "cluster"), "messages_in = 0");
    assert_true(dz_reader_find(&value, "workers", &workers) && dz_reader_array(&workers, &count));
    assert_int_equal(count, 2);
}

static void a_request_it_does_not_know_is_refused(void **state)
{
    struct hosted *f = *state;
    assert_int_equal(request(f, DZ_REQ_CHILDREN, "nil", NULL), DZ_EARGUMENT);
    assert_int_equal(request(f, 60000, "nil", NULL), DZ_EARGUMENT);
}

static void calls_and_stops_are_not_for_it_and_do_not_end_it(void **state)
{
    struct hosted *f = *state;
    dz_process system = dz_process_of(f->host->rt.system);
    assert_int_equal(hosted_call(f, system, "1", NULL), DZ_EUNHANDLED);
    assert_int_equal(hosted_end(f, system, "\"normal\""), DZ_EUNHANDLED);
    assert_int_equal(dz_host_cast(f->host, system, hosted_value(f, "1")), 0);
    struct dz_blob *reason = f->host->rt.reasons[DZ_REASON_SHUTDOWN];
    dz_send_signal(&f->thread, DZ_MSG_EXIT, DZ_PID_NONE, f->host->rt.system, 0, reason);
    expect(f, DZ_REQ_CLUSTER_STATUS, "nil", "\"stopped\"");
}

static void shutdown_takes_an_exit_code_of_eight_bits(void **state)
{
    struct hosted *f = *state;
    expect(f, DZ_REQ_SHUTDOWN, "259", "nil");
    assert_int_equal(dz_host_wait(f->host), 3);
}

static void a_shutdown_that_says_no_number_is_code_zero(void **state)
{
    struct hosted *f = *state;
    expect(f, DZ_REQ_SHUTDOWN, "\"now\"", "nil");
    assert_int_equal(dz_host_wait(f->host), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTED(without_a_cluster_there_is_this_node_and_no_other),
        HOSTED(the_cluster_is_started_and_stopped_by_request),
        HOSTED(cluster_wide_names_are_given_listed_and_taken_back),
        HOSTED(a_name_that_is_none_is_refused),
        HOSTED(supervisors_are_listed_while_they_live),
        HOSTED(figures_tell_of_workers_and_links),
        HOSTED(a_request_it_does_not_know_is_refused),
        HOSTED(calls_and_stops_are_not_for_it_and_do_not_end_it),
        HOSTED(shutdown_takes_an_exit_code_of_eight_bits),
        HOSTED(a_shutdown_that_says_no_number_is_code_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
