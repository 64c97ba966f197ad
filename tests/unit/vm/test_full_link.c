/* test_full_link.c - what a process does whose answer finds no room on the way to another node. */
#include "machine.h"
#include "proc/send.h"
#include "term/build.h"

#define CALLER "caller@10.0.0.2:4000"

/* The other node: takes replies and answers calls while `full` is false, and takes replies of those that cannot wait at any
 * time. */
struct wire {
    bool full;
    unsigned refusals; /* after so many it is not full any more; 0: never */
    bool gone;         /* instead of not being full */
    unsigned calls;
    uint32_t node;
    unsigned refused;
    unsigned replies;
    unsigned errors;
    size_t bytes; /* of the last reply */
    char text[256];
};

static int answer(struct wire *w, struct dz_thread *t, struct dz_msg **msg)
{
    struct dz_msg *m = *msg;
    w->calls++;
    assert_int_equal(dz_send_reply(t, m->to, m->from, m->ref, m->data, m->len), 0);
    dz_msg_free(m);
    *msg = NULL;
    return 0;
}

static int take(void *ctx, struct dz_thread *from, struct dz_msg **msg)
{
    struct wire *w = ctx;
    struct dz_msg *m = *msg;
    bool can_be_refused = m->kind == DZ_MSG_CALL || (m->flags & DZ_MSG_PATIENT);
    if (w->full && can_be_refused) {
        w->full = ++w->refused != w->refusals;
        return !w->full && w->gone ? DZ_ENOCONNECTION : DZ_EOVERLOADED;
    }
    if (m->kind == DZ_MSG_CALL)
        return answer(w, from, msg);
    assert_int_equal(m->kind, DZ_MSG_REPLY);
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

static int take_named(void *ctx, struct dz_thread *from, const char *node, size_t node_len, const char *name, size_t name_len,
                      struct dz_msg **msg)
{
    struct wire *w = ctx;
    assert_memory_equal(node, CALLER, node_len);
    assert_memory_equal(name, "there", name_len);
    (*msg)->to = (struct dz_pid){w->node, 9, 1};
    return take(ctx, from, msg);
}

static void a_call_waits_for_room_and_then_for_its_answer(void **state)
{
    struct wire w;
    struct machine *m = far_machine(&w);
    (void)state;
    m->rt.ports.wire_named = take_named;
    w.refusals = 5;
    machine_run(m, "eq(dozor.call('<" CALLER "/1.9.1>', 'x', 1000), 'x')");
    assert_int_equal(w.refused, 5);
    w.full = true;
    w.refusals = 9;
    machine_run(m, "eq(dozor.call({ name = 'there', node = '" CALLER "' }, { 1, 2 }), { 1, 2 })");
    assert_int_equal(w.refused, 9);
    assert_int_equal(w.calls, 2);
    end(m);
}

static void a_call_that_finds_no_room_in_time_times_out(void **state)
{
    struct wire w;
    struct machine *m = far_machine(&w);
    (void)state;
    uint64_t before = m->now_ns;
    machine_run(m, "local e = fails('timeout', dozor.call, '<" CALLER "/1.9.1>', 'x', 50)\n"
                   "eq(e.timeout_ms, 50) eq(e.dest, '<" CALLER "/1.9.1>')");
    assert_true(m->now_ns - before >= 50000000u && m->now_ns - before < 60000000u);
    assert_int_equal(w.calls, 0);
    end(m);
}

static void a_call_whose_node_is_lost_meanwhile_says_so(void **state)
{
    struct wire w;
    struct machine *m = far_machine(&w);
    (void)state;
    w.refusals = 3;
    w.gone = true;
    machine_run(m, "local e = fails('noconnection', dozor.call, '<" CALLER "/1.9.1>', 'x')\n"
                   "eq(e.dest, '<" CALLER "/1.9.1>')");
    end(m);
}

static void a_process_that_waits_for_room_can_be_killed(void **state)
{
    struct wire w;
    struct machine *m = far_machine(&w);
    (void)state;
    machine_run(m, "local pid = dozor.spawn(function() dozor.call('<" CALLER "/1.9.1>', 'x', 'infinity') end)\n"
                   "dozor.sleep(10) dozor.kill(pid) eq(dozor.alive(pid), false)");
    assert_int_equal(w.calls, 0);
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
        cmocka_unit_test(a_call_waits_for_room_and_then_for_its_answer),
        cmocka_unit_test(a_call_that_finds_no_room_in_time_times_out),
        cmocka_unit_test(a_call_whose_node_is_lost_meanwhile_says_so),
        cmocka_unit_test(a_process_that_waits_for_room_can_be_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
