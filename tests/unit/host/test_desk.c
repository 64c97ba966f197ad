/* test_desk.c - questions and watches of those who are no process: each is answered once, in time, or never asked. */
#include "hosted.h"

/* One question or watch of the test: what became of it goes to `seen`. */
struct mark {
    struct hosted *f;
    struct seen seen;
    int dropped;
};

static struct mark mark;

static void on_answer(void *ctx, struct dz_thread *t, int err, const uint8_t *data, size_t len)
{
    struct mark *m = ctx;
    char text[256];
    dz_reader r = { data, data + len, m->f->host };
    assert_non_null(t);
    int n = snprintf(text, sizeof text, "%s ", dz_err_name(err));
    if (err) {
        dz_reader code;
        assert_true(dz_reader_find(&r, "code", &code));
        r = code;
    }
    dz_reader_print(&r, text + n, sizeof text - (size_t)n);
    seen_note(&m->seen, text);
}

static void on_down(void *ctx, struct dz_thread *t, struct dz_pid pid, const uint8_t *reason, size_t len)
{
    struct mark *m = ctx;
    dz_reader r = { reason, reason + len, m->f->host };
    (void)t;
    assert_false(dz_pid_is_none(pid));
    seen_value(&m->seen, &r);
}

static void on_drop(void *ctx)
{
    struct mark *m = ctx;
    m->dropped++;
    seen_note(&m->seen, "dropped");
}

static struct dz_desk *desk_of(struct hosted *f)
{
    static const struct mark none = { .seen = SEEN_INIT };
    mark = none;
    mark.f = f;
    return &f->host->desk;
}

static int ask(struct hosted *f, uint64_t timeout_ms, uint64_t *ref)
{
    return dz_desk_ask(&f->host->desk, &f->thread, timeout_ms, on_answer, &mark, ref);
}

static void heard(const char *text)
{
    int count = 0;
    for (const char *p = text; *p; p++)
        count += *p == ';';
    seen_await(&mark.seen, count);
    assert_string_equal(mark.seen.all, text);
}

static void the_answer_to_a_question_comes_once(void **state)
{
    struct hosted *f = *state;
    struct dz_desk *d = desk_of(f);
    uint64_t ref;
    assert_int_equal(ask(f, DZ_INFINITY, &ref), 0);
    for (uint8_t i = 5; i < 7; i++)
        dz_send_reply(&f->thread, DZ_PID_NONE, d->pid, ref, &i, 1);
    heard("ok 5;");
    assert_false(dz_desk_forget(d, ref));
}

static void an_answer_without_a_value_is_nil(void **state)
{
    struct hosted *f = *state;
    struct dz_desk *d = desk_of(f);
    uint64_t ref;
    assert_int_equal(ask(f, DZ_INFINITY, &ref), 0);
    dz_send_reply(&f->thread, DZ_PID_NONE, d->pid, ref, NULL, 0);
    heard("ok nil;");
}

static void a_failed_answer_is_the_error_its_table_names(void **state)
{
    struct hosted *f = *state;
    struct dz_desk *d = desk_of(f);
    struct dz_buf odd = literal("{ code = \"of my own\" }");
    uint64_t ref;
    assert_int_equal(ask(f, DZ_INFINITY, &ref), 0);
    dz_send_error(&f->thread, DZ_PID_NONE, d->pid, ref, DZ_ENAMETAKEN, NULL);
    assert_int_equal(ask(f, DZ_INFINITY, &ref), 0);
    dz_send_failure(&f->thread, DZ_PID_NONE, d->pid, ref, odd.data, odd.len);
    heard("name_taken \"name_taken\";call_failed \"of my own\";");
    dz_buf_fini(&odd);
}

static void a_deadline_ends_the_question_and_the_late_answer_is_dropped(void **state)
{
    struct hosted *f = *state;
    struct dz_desk *d = desk_of(f);
    uint64_t ref, other;
    assert_int_equal(ask(f, 5000, &ref), 0);
    assert_int_equal(ask(f, DZ_INFINITY, &other), 0);
    assert_int_equal(seen_count(&mark.seen), 0);
    hosted_skip(f, 5001);
    heard("timeout \"timeout\";");
    uint8_t one = 1;
    dz_send_reply(&f->thread, DZ_PID_NONE, d->pid, ref, &one, 1);
    dz_send_reply(&f->thread, DZ_PID_NONE, d->pid, other, &one, 1);
    heard("timeout \"timeout\";ok 1;");
}

static void deadlines_pass_in_their_own_order(void **state)
{
    static const uint64_t times[] = { 9000, 3000, 6000 };
    struct hosted *f = *state;
    struct dz_desk *d = desk_of(f);
    uint64_t refs[3];
    uint8_t value = 0;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(ask(f, times[i], &refs[i]), 0);
    hosted_skip(f, 3001);
    heard("timeout \"timeout\";");
    assert_false(dz_desk_forget(d, refs[1]));
    hosted_skip(f, 3000);
    heard("timeout \"timeout\";timeout \"timeout\";");
    assert_false(dz_desk_forget(d, refs[2]));
    dz_send_reply(&f->thread, DZ_PID_NONE, d->pid, refs[0], &value, 1);
    heard("timeout \"timeout\";timeout \"timeout\";ok 0;");
}

static void a_forgotten_question_was_never_asked(void **state)
{
    struct hosted *f = *state;
    struct dz_desk *d = desk_of(f);
    uint64_t ref, last;
    uint8_t one = 1;
    assert_int_equal(ask(f, 1000, &ref), 0);
    assert_true(dz_desk_forget(d, ref));
    assert_false(dz_desk_forget(d, ref));
    dz_send_reply(&f->thread, DZ_PID_NONE, d->pid, ref, &one, 1);
    hosted_skip(f, 2000);
    assert_int_equal(ask(f, DZ_INFINITY, &last), 0);
    dz_send_reply(&f->thread, DZ_PID_NONE, d->pid, last, &one, 1);
    heard("ok 1;");
}

static void a_message_that_cannot_be_sent_stays_the_callers(void **state)
{
    struct hosted *f = *state;
    struct dz_desk *d = desk_of(f);
    struct dz_msg *m = dz_msg_new_copy(DZ_MSG_CALL, (const uint8_t *)"\xa3" "abc", 4);
    m->to = dz_pid_of(hosted_deaf_ear(f));
    assert_int_equal(dz_desk_send(d, &f->thread, &m, DZ_INFINITY, on_answer, &mark), DZ_EOVERLOADED);
    assert_non_null(m);
    dz_msg_free(m);
    assert_int_equal(seen_count(&mark.seen), 0);
}

static void a_request_without_a_term_carries_nil(void **state)
{
    struct hosted *f = *state;
    struct dz_desk *d = desk_of(f);
    assert_int_equal(dz_desk_request(d, &f->thread, f->host->rt.system, DZ_REQ_CLUSTER_STATUS, NULL, 0, DZ_INFINITY, on_answer,
                                     &mark), 0);
    heard("ok \"stopped\";");
}

static void a_watch_tells_the_end_once_and_is_dropped_then(void **state)
{
    struct hosted *f = *state;
    struct dz_desk *d = desk_of(f);
    dz_process ear = hosted_ear(f);
    uint64_t number;
    assert_int_equal(dz_desk_watch(d, &f->thread, dz_pid_of(ear), on_down, on_drop, &mark, &number), 0);
    assert_int_equal(hosted_end(f, ear, "\"enough\""), 0);
    heard("\"enough\";dropped;");
    assert_false(dz_desk_unwatch(d, &f->thread, number));
    assert_int_equal(dz_desk_watch(d, &f->thread, dz_pid_of(ear), on_down, on_drop, &mark, NULL), 0);
    heard("\"enough\";dropped;\"noproc\";dropped;");
}

static void a_watch_taken_back_tells_nothing_but_is_dropped(void **state)
{
    struct hosted *f = *state;
    struct dz_desk *d = desk_of(f);
    dz_process ear = hosted_ear(f);
    uint64_t number;
    assert_int_equal(dz_desk_watch(d, &f->thread, dz_pid_of(ear), on_down, on_drop, &mark, &number), 0);
    assert_true(dz_desk_unwatch(d, &f->thread, number));
    assert_false(dz_desk_unwatch(d, &f->thread, number));
    heard("dropped;");
    assert_int_equal(hosted_end(f, ear, "\"enough\""), 0);
    assert_int_equal(mark.dropped, 1);
}

static void a_desk_that_is_not_open_refuses_and_calls_nobody(void **state)
{
    struct hosted *f = *state;
    struct dz_desk *d = desk_of(f);
    uint64_t ref;
    assert_int_equal(ask(f, DZ_INFINITY, &ref), DZ_ECLOSED);
    assert_int_equal(dz_desk_watch(d, &f->thread, f->host->rt.system, on_down, on_drop, &mark, NULL), DZ_ECLOSED);
    assert_int_equal(dz_desk_request(d, &f->thread, DZ_PID_NONE, DZ_REQ_CLUSTER_STATUS, NULL, 0, 10, on_answer, &mark),
                     DZ_ECLOSED);
    assert_int_equal(seen_count(&mark.seen), 0);
}

static void what_is_open_when_the_host_ends_is_answered_closed_once_each(void **state)
{
    struct hosted *f = *state;
    struct dz_desk *d = desk_of(f);
    uint64_t ref;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(f, i ? DZ_INFINITY : 100000, &ref), 0);
    assert_int_equal(dz_desk_watch(d, &f->thread, f->host->rt.system, on_down, on_drop, &mark, NULL), 0);
    dz_host_stop(f->host, 0);
    dz_host_wait(f->host);
    int closed = 0;
    for (const char *p = mark.seen.all; (p = strstr(p, "closed \"closed\"")) != NULL; p++)
        closed++;
    assert_int_equal(closed, 3);
    assert_int_equal(mark.dropped, 1);
    assert_int_equal(ask(f, DZ_INFINITY, &ref), DZ_ECLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTED(the_answer_to_a_question_comes_once),
        HOSTED(an_answer_without_a_value_is_nil),
        HOSTED(a_failed_answer_is_the_error_its_table_names),
        HOSTED(a_deadline_ends_the_question_and_the_late_answer_is_dropped),
        HOSTED(deadlines_pass_in_their_own_order),
        HOSTED(a_forgotten_question_was_never_asked),
        HOSTED(a_message_that_cannot_be_sent_stays_the_callers),
        HOSTED(a_request_without_a_term_carries_nil),
        HOSTED(a_watch_tells_the_end_once_and_is_dropped_then),
        HOSTED(a_watch_taken_back_tells_nothing_but_is_dropped),
        HOSTED_NEW(a_desk_that_is_not_open_refuses_and_calls_nobody),
        HOSTED(what_is_open_when_the_host_ends_is_answered_closed_once_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
