/* test_full_link.c - what a process does whose answer finds no room on the way to another node. */
#include "machine.h"
#include "proc/send.h"
#include "term/build.h"

#define CALLER "caller@10.0.0.2:4000"

/* The other node: takes replies while `full` is false, and small ones of those that cannot wait at any time. */
struct wire {
    bool full;
    uint32_t node;
    unsigned refused;
    unsigned replies;
    unsigned errors;
    size_t bytes; /* of the last reply */
    char text[256];
};

static int take(void *ctx, struct dz_thread *from, struct dz_msg **msg)
{
    struct wire *w = ctx;
    struct dz_msg *m = *msg;
    (void)from;
    assert_int_equal(m->kind, DZ_MSG_REPLY);
    if (w->full && (m->flags & DZ_MSG_PATIENT)) {
        w->refused++;
        return DZ_EOVERLOADED;
    }
    w->replies++;
    w->errors += (m->flags & DZ_MSG_FAILED) != 0;
    w->bytes = m->len;
    dz_term_print(m->data, m->len, w->text, sizeof w->text);
    dz_msg_free(m);
    *msg = NULL;
    return 0;
}

static struct machine *far_machine(struct wire *w)
{
    struct machine *m = machine_new();
    *w = (struct wire){.full = true};
    m->rt.ports.ctx = w;
    m->rt.ports.wire = take;
    assert_int_equal(dz_nodes_intern(&m->rt.nodes, CALLER, strlen(CALLER), 1, &w->node), 0);
    machine_run(m, "local server = { init = function() return 0 end }\n"
                   "local asked\n"
                   "function server.handle_call(msg, n, from)\n"
                   "  if msg == 'big' then return ('x'):rep(100000), n + 1 end\n"
                   "  if msg == 'small' then return n, n + 1 end\n"
                   "  if msg == 'reply' then dozor.reply(from, ('y'):rep(50000)) return dozor.NOREPLY, n + 1 end\n"
                   "  if msg == 'inside' then\n"
                   "    local wrapped = coroutine.wrap(function() dozor.reply(from, 'sorted') end)\n"
                   "    table.sort({ 1, 2 }, function(a, b) if wrapped then wrapped() wrapped = nil end return a < b end)\n"
                   "    return dozor.NOREPLY, n + 1\n"
                   "  end\n"
                   "end\n"
                   "dozor.register('srv', dozor.spawn(server))\n");
    return m;
}

static struct dz_pid server(struct machine *m)
{
    return dz_names_whereis(&m->rt.names, "srv", 3);
}

static void from_afar(struct machine *m, const struct wire *w, enum dz_msg_kind kind, const char *text, uint64_t ref)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_cstring(&b, text);
    assert_int_equal(dz_build_done(&b), 0);
    struct dz_msg *msg = dz_msg_new_copy(kind, buf.data, buf.len);
    dz_buf_fini(&buf);
    msg->from = (struct dz_pid){w->node, 7, 1};
    msg->to = server(m);
    msg->ref = ref;
    assert_int_equal(dz_send(&m->sched.workers[1]->thread, &msg), 0);
}

static void let_pass(struct machine *m, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        while (machine_step(m))
            ;
        m->now_ns += 1000000u;
    }
    while (machine_step(m))
        ;
}

static void end(struct machine *m)
{
    machine_run(m, "local pid = dozor.whereis('srv') if pid then dozor.kill(pid) end");
    machine_delete(m);
}

static void a_process_stands_still_until_its_answer_has_found_room(void **state)
{
    struct wire w;
    struct machine *m = far_machine(&w);
    (void)state;
    from_afar(m, &w, DZ_MSG_CALL, "big", 1);
    from_afar(m, &w, DZ_MSG_CALL, "small", 2);
    let_pass(m, 50);
    assert_int_equal(w.replies, 0);
    assert_true(w.refused >= 5 && w.refused <= 60);
    assert_int_equal(dz_table_messages(dz_table_find(&m->rt.table, server(m))), 1); /* the second question */
    w.full = false;
    let_pass(m, 10);
    assert_int_equal(w.replies, 2);
    assert_int_equal(w.errors, 0);
    assert_string_equal(w.text, "1"); /* the state of the first call was kept */
    machine_run(m, "eq(dozor.call('srv', 'small'), 2)");
    end(m);
}

static void an_explicit_reply_waits_as_well(void **state)
{
    struct wire w;
    struct machine *m = far_machine(&w);
    (void)state;
    from_afar(m, &w, DZ_MSG_CALL, "reply", 1);
    let_pass(m, 20);
    assert_int_equal(w.replies, 0);
    w.full = false;
    let_pass(m, 10);
    assert_int_equal(w.replies, 1);
    assert_true(w.bytes > 50000);
    machine_run(m, "eq(dozor.call('srv', 'small'), 1)");
    end(m);
}

static void a_caller_hears_when_the_process_ends_before_its_answer_went_out(void **state)
{
    struct wire w;
    struct machine *m = far_machine(&w);
    (void)state;
    from_afar(m, &w, DZ_MSG_CALL, "big", 1);
    let_pass(m, 10);
    machine_run(m, "dozor.kill('srv')");
    let_pass(m, 10);
    assert_int_equal(w.replies, 1);
    assert_int_equal(w.errors, 1);
    assert_non_null(strstr(w.text, "call_failed"));
    end(m);
}

static void an_answer_nobody_waits_for_any_more_is_dropped(void **state)
{
    struct wire w;
    struct machine *m = far_machine(&w);
    (void)state;
    from_afar(m, &w, DZ_MSG_CALL, "big", 1);
    let_pass(m, 10);
    from_afar(m, &w, DZ_MSG_ANSWERED, "", 1);
    let_pass(m, 10);
    unsigned refused = w.refused;
    let_pass(m, 20);
    assert_int_equal(w.refused, refused);
    assert_int_equal(w.replies, 0);
    machine_run(m, "eq(dozor.call('srv', 'small'), 1)");
    end(m);
}

static void where_one_cannot_wait_the_reply_is_sent_without_patience(void **state)
{
    struct wire w;
    struct machine *m = far_machine(&w);
    (void)state;
    from_afar(m, &w, DZ_MSG_CALL, "inside", 1);
    let_pass(m, 10);
    assert_int_equal(w.replies, 1);
    assert_string_equal(w.text, "\"sorted\"");
    machine_run(m, "eq(dozor.call('srv', 'small'), 1)");
    end(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_stands_still_until_its_answer_has_found_room),
        cmocka_unit_test(an_explicit_reply_waits_as_well),
        cmocka_unit_test(a_caller_hears_when_the_process_ends_before_its_answer_went_out),
        cmocka_unit_test(an_answer_nobody_waits_for_any_more_is_dropped),
        cmocka_unit_test(where_one_cannot_wait_the_reply_is_sent_without_patience),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
