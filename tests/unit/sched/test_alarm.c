/* test_alarm.c - what is told of workers in trouble: events with their fields, lines of the log. */
#include "../proc/rig.h"
#include "sched/alarm.h"

struct told {
    struct rig rig;
    struct dz_log log;
    struct dz_native *hub;
    char line[1024];
    char event[1024];
    int events;
};

static void take_line(void *ctx, enum dz_log_level level, const char *text, const struct dz_log_field *fields,
                      size_t count)
{
    struct told *t = ctx;
    size_t at = (size_t)snprintf(t->line, sizeof t->line, "%s %s", dz_log_level_name(level), text);
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(t->line + at, sizeof t->line - at, " %s=%s", fields[i].name, fields[i].value);
}

static void take_event(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct told *told = n->data;
    (void)t;
    assert_int_equal(m->kind, DZ_MSG_NOTICE);
    dz_term_print(m->data, m->len, told->event, sizeof told->event);
    told->events++;
    dz_msg_free(m);
}

static void end(struct dz_thread *t, struct dz_native *n)
{
    (void)t;
    (void)n;
}

static const struct dz_native_ops hub_ops = {.name = "hub", .handle = take_event, .end = end};

static void told_init(struct told *t)
{
    memset(t, 0, sizeof *t);
    rig_init(&t->rig);
    t->log = (struct dz_log){take_line, t, DZ_LOG_DEBUG};
    t->rig.rt.log = &t->log;
    assert_int_equal(dz_native_new(&t->rig.threads[0], &hub_ops, t, true, NULL, DZ_PID_NONE, NULL, &t->hub),
                     0);
    t->rig.rt.events = t->hub->proc.pid;
}

static void told_fini(struct told *t)
{
    dz_send_signal(&t->rig.threads[0], DZ_MSG_KILL, DZ_PID_NONE, t->hub->proc.pid, 0, NULL);
    rig_turn(&t->rig);
    rig_fini(&t->rig);
}

static void a_long_turn_is_an_event_and_a_line(void **state)
{
    (void)state;
    struct told t;
    told_init(&t);
    struct actor *a = rig_actor(&t.rig, 1, 'a');
    dz_alarm_long_turn(&t.rig.threads[0], 1, a->proc.pid, 5000, "stack traceback: here");
    rig_turn(&t.rig);
    assert_int_equal(t.events, 1);
    assert_non_null(strstr(t.event, "type = \"long_turn\""));
    assert_non_null(strstr(t.event, "worker = 1"));
    assert_non_null(strstr(t.event, "turn_ms = 5000"));
    assert_non_null(strstr(t.event, "traceback = \"stack traceback: here\""));
    assert_non_null(strstr(t.event, "pid = <local@"));
    assert_non_null(strstr(t.line, "warn a turn takes long process=<local@"));
    assert_non_null(strstr(t.line, "ms=5000 traceback=stack traceback: here"));
    told_fini(&t);
}

static void what_is_not_known_is_left_empty(void **state)
{
    (void)state;
    struct told t;
    told_init(&t);
    dz_alarm_long_turn(&t.rig.threads[0], 2, DZ_PID_NONE, 7, NULL);
    rig_turn(&t.rig);
    assert_non_null(strstr(t.event, "pid = nil"));
    assert_non_null(strstr(t.event, "traceback = nil"));
    assert_string_equal(t.line, "warn a turn takes long process= ms=7 traceback=");
    told_fini(&t);
}

static void a_lost_worker_says_why_and_how_many_it_took_along(void **state)
{
    (void)state;
    struct told t;
    told_init(&t);
    dz_alarm_worker_lost(&t.rig.threads[0], 2, DZ_PID_NONE, DZ_REASON_WORKER_STUCK, 31);
    rig_turn(&t.rig);
    assert_non_null(strstr(t.event, "type = \"worker_stuck\""));
    assert_non_null(strstr(t.event, "reason = \"worker_stuck\""));
    assert_non_null(strstr(t.event, "processes = 31"));
    assert_string_equal(t.line, "error worker lost: stuck running= processes=31");
    dz_alarm_worker_lost(&t.rig.threads[0], 2, DZ_PID_NONE, DZ_REASON_OUT_OF_MEMORY, 1);
    rig_turn(&t.rig);
    assert_non_null(strstr(t.event, "reason = \"out_of_memory\""));
    assert_string_equal(t.line, "error worker lost: out of memory running= processes=1");
    told_fini(&t);
}

static void an_ended_process_is_a_line_and_no_event(void **state)
{
    (void)state;
    struct told t;
    told_init(&t);
    dz_alarm_ended(&t.rig.threads[0], DZ_PID_NONE, DZ_REASON_RUNAWAY, "trace");
    assert_string_equal(t.line, "error runaway process ended process= traceback=trace");
    dz_alarm_ended(&t.rig.threads[0], DZ_PID_NONE, DZ_REASON_OUT_OF_MEMORY, NULL);
    assert_string_equal(t.line, "error process ended: out of memory process= traceback=");
    rig_turn(&t.rig);
    assert_int_equal(t.events, 0);
    told_fini(&t);
}

static void without_an_event_hub_the_line_remains(void **state)
{
    (void)state;
    struct told t;
    told_init(&t);
    t.rig.rt.events = DZ_PID_NONE;
    dz_alarm_long_turn(&t.rig.threads[0], 1, DZ_PID_NONE, 1, NULL);
    rig_turn(&t.rig);
    assert_int_equal(t.events, 0);
    assert_non_null(strstr(t.line, "a turn takes long"));
    told_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_turn_is_an_event_and_a_line),
        cmocka_unit_test(what_is_not_known_is_left_empty),
        cmocka_unit_test(a_lost_worker_says_why_and_how_many_it_took_along),
        cmocka_unit_test(an_ended_process_is_a_line_and_no_event),
        cmocka_unit_test(without_an_event_hub_the_line_remains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
