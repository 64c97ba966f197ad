#include "proc/process.h"

#include "rig.h"

/* Leaves its calls, and terminate, unfinished: they wait. */
static void slow_terminate(struct dz_thread *t, struct actor *a)
{
    rig_terminate(t, a);
    actor_sleep(t, a, 100 * RIG_MS);
}

static const struct actor_role slow_role = {
    .message = rig_message, .resume = rig_resume, .terminate = slow_terminate, .gone = rig_gone};

static void call(struct rig *rig, struct actor *a, uint32_t thread, struct dz_pid to, int64_t n,
                 uint64_t timeout_ms)
{
    rig_enter(a);
    actor_call(&rig->threads[thread], a, to, n, timeout_ms ? timeout_ms * RIG_MS : DZ_INFINITY);
    rig_leave(rig, thread, a);
}

/* --- turns --- */

static void messages_are_handled_in_the_order_of_their_arrival(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    for (int i = 1; i <= 3; i++)
        actor_send(&rig.threads[2], i == 2 ? DZ_MSG_SEND : DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, i);
    rig_turn(&rig);
    rig_expect(&rig, "a cast 1;a send 2;a cast 3;");
    assert_int_equal(a->proc.handled, 3);
    assert_int_equal(dz_table_messages(a->proc.slot), 0);
    assert_int_equal(dz_table_bytes(a->proc.slot), 0);
    rig_fini(&rig);
}

static void a_process_goes_from_ready_over_running_to_idle(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = actor_new(&rig.threads[1], &rig_role, 'a', &rig);
    assert_int_equal(a->proc.state, DZ_PROC_READY);
    assert_false(a->proc.flags & DZ_PROC_STARTED);
    rig_turn(&rig);
    assert_int_equal(a->proc.state, DZ_PROC_IDLE);
    assert_true(a->proc.flags & DZ_PROC_STARTED);
    dz_process_ready(&rig.threads[1], &a->proc);
    dz_process_ready(&rig.threads[1], &a->proc); /* once in the queue is enough */
    assert_int_equal(a->proc.state, DZ_PROC_READY);
    rig_turn(&rig);
    assert_int_equal(a->proc.state, DZ_PROC_IDLE);
    rig_fini(&rig);
}

static void a_long_mailbox_lets_the_neighbours_run(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 1, 'b');
    for (int i = 0; i < 65; i++)
        actor_send(&rig.threads[1], DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 1);
    actor_send(&rig.threads[1], DZ_MSG_CAST, DZ_PID_NONE, b->proc.pid, 0, 2);
    rig_turn(&rig);
    static const char end[] = "a cast 1;b cast 2;a cast 1;";
    assert_string_equal(rig.journal + rig.len - strlen(end), end);
    rig_fini(&rig);
}

/* --- waiting --- */

static void a_call_ends_with_its_reply(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    call(&rig, a, 1, b->proc.pid, 5, 1000);
    rig_expect(&rig, "b call 5;a reply 5;");
    assert_null(b->proc.owed);
    assert_int_equal(a->proc.state, DZ_PROC_IDLE);
    rig_fini(&rig);
}

static void a_call_ends_when_its_time_is_up_and_the_late_reply_is_dropped(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    call(&rig, a, 1, b->proc.pid, -1, 10);
    rig_expect(&rig, "b call -1;");
    assert_int_equal(a->proc.state, DZ_PROC_WAITING);
    uint64_t ref = a->wait.ref;
    rig_pass_ms(&rig, 9);
    rig_expect(&rig, "");
    rig_pass_ms(&rig, 1);
    rig_expect(&rig, "a timeout;");
    assert_null(b->proc.owed); /* it was told */
    dz_send_reply(&rig.threads[2], b->proc.pid, a->proc.pid, ref, NULL, 0);
    rig_turn(&rig);
    rig_expect(&rig, "");
    rig_fini(&rig);
}

static void a_reply_to_another_question_wakes_nobody(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    call(&rig, a, 1, b->proc.pid, -1, 0);
    dz_send_reply(&rig.threads[2], b->proc.pid, a->proc.pid, a->wait.ref + 1, NULL, 0);
    rig_turn(&rig);
    assert_int_equal(a->proc.state, DZ_PROC_WAITING);
    rig_expect(&rig, "b call -1;");
    rig_fini(&rig);
}

static void two_replies_in_one_moment_count_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    call(&rig, a, 1, b->proc.pid, -1, 0);
    rig_expect(&rig, "b call -1;");
    static const uint8_t one[] = {1}, two[] = {2};
    dz_send_reply(&rig.threads[2], b->proc.pid, a->proc.pid, a->wait.ref, one, 1);
    dz_send_reply(&rig.threads[2], b->proc.pid, a->proc.pid, a->wait.ref, two, 1);
    rig_turn(&rig);
    rig_expect(&rig, "a reply 1;");
    rig_fini(&rig);
}

static void messages_wait_while_their_process_does(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    rig_enter(a);
    actor_sleep(&rig.threads[1], a, 10 * RIG_MS);
    rig_leave(&rig, 1, a);
    actor_send(&rig.threads[2], DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 1);
    rig_turn(&rig);
    rig_expect(&rig, "");
    rig_pass_ms(&rig, 10);
    rig_expect(&rig, "a timeout;a cast 1;");
    rig_fini(&rig);
}

static void a_behaviour_in_receive_is_woken_by_sends_but_not_by_casts(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    rig_enter(a);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_MESSAGE};
    dz_process_wait(&rig.threads[1], &a->proc, &a->wait, DZ_INFINITY);
    rig_leave(&rig, 1, a);
    actor_send(&rig.threads[2], DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 1);
    rig_turn(&rig);
    assert_int_equal(a->proc.state, DZ_PROC_WAITING);
    actor_send(&rig.threads[2], DZ_MSG_SEND, DZ_PID_NONE, a->proc.pid, 0, 2);
    rig_turn(&rig);
    rig_expect(&rig, "a woken;a cast 1;a send 2;");
    rig_fini(&rig);
}

static void the_kind_itself_may_end_a_wait(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    dz_process_wake(&rig.threads[1], &a->proc); /* nobody waits: nothing */
    rig_enter(a);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_EVENT};
    dz_process_wait(&rig.threads[1], &a->proc, &a->wait, DZ_INFINITY);
    rig_leave(&rig, 1, a);
    dz_process_wake(&rig.threads[1], &a->proc);
    dz_process_wake(&rig.threads[1], &a->proc);
    rig_turn(&rig);
    rig_expect(&rig, "a woken;");
    rig_fini(&rig);
}

static void a_wait_that_ended_within_the_turn_never_parks(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    rig_enter(a);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_EVENT};
    dz_process_wait(&rig.threads[1], &a->proc, &a->wait, 5 * RIG_MS);
    dz_process_wake(&rig.threads[1], &a->proc);
    dz_process_rest(&rig.threads[1], &a->proc);
    assert_int_equal(a->proc.state, DZ_PROC_READY);
    rig_turn(&rig);
    rig_expect(&rig, "a woken;");
    rig_fini(&rig);
}

/* --- ending --- */

static void a_stop_takes_its_place_among_the_messages(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    actor_send(&rig.threads[2], DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 1);
    dz_send_signal(&rig.threads[2], DZ_MSG_STOP, DZ_PID_NONE, a->proc.pid, 0,
                   rig.rt.reasons[DZ_REASON_SHUTDOWN]);
    actor_send(&rig.threads[2], DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 2);
    rig_turn(&rig);
    rig_expect(&rig, "a cast 1;a stop shutdown;a terminate shutdown;a gone;");
    rig_fini(&rig);
}

/* Asks like a process that calls: the answer ends its wait. */
static void ask(struct rig *rig, struct actor *a, uint32_t thread, enum dz_msg_kind kind, struct dz_pid to)
{
    rig_enter(a);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_REPLY, .ref = dz_rt_next_ref(&rig->rt), .target = to};
    dz_process_wait(&rig->threads[thread], &a->proc, &a->wait, DZ_INFINITY);
    dz_send_signal(&rig->threads[thread], kind, a->proc.pid, to, a->wait.ref,
                   rig->rt.reasons[DZ_REASON_SHUTDOWN]);
    rig_leave(rig, thread, a);
}

static void whoever_asked_for_the_stop_hears_when_it_is_done(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor_as(&rig, 2, 'b', &slow_role),
                 *c = rig_actor(&rig, 1, 'c');
    struct dz_pid pid = b->proc.pid;
    ask(&rig, a, 1, DZ_MSG_STOP, pid);
    ask(&rig, c, 1, DZ_MSG_STOP, pid); /* while terminate runs */
    rig_expect(&rig, "b stop shutdown;b terminate shutdown;");
    rig_pass_ms(&rig, 100);
    rig_expect(&rig, "b timeout;b gone;c reply nil;a reply nil;");
    ask(&rig, a, 1, DZ_MSG_STOP, pid); /* gone already: that is what was wanted */
    rig_expect(&rig, "a reply nil;");
    rig_fini(&rig);
}

static void a_parked_process_is_stopped_where_it_stands(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    call(&rig, a, 1, b->proc.pid, -1, 0);
    rig_signal(&rig, DZ_MSG_STOP, DZ_PID_NONE, a->proc.pid, 0);
    rig_expect(&rig, "b call -1;a terminate shutdown;a gone;"); /* never resumed */
    assert_null(b->proc.owed);
    rig_fini(&rig);
}

static void a_kill_skips_terminate(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    for (int i = 0; i < 3; i++)
        actor_send(&rig.threads[1], DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, i);
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, a->proc.pid, 0);
    rig_expect(&rig, "a gone;");
    rig_fini(&rig);
}

static void a_kill_ends_a_terminate_that_waits(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor_as(&rig, 1, 'a', &slow_role), *b = rig_actor(&rig, 2, 'b');
    uint64_t ref;
    rig_enter(b);
    dz_bond_monitor(&rig.threads[2], &b->proc, a->proc.pid, &ref);
    rig_leave(&rig, 2, b);
    rig_signal(&rig, DZ_MSG_STOP, DZ_PID_NONE, a->proc.pid, 0);
    rig_expect(&rig, "a stop shutdown;a terminate shutdown;");
    rig_signal(&rig, DZ_MSG_STOP, DZ_PID_NONE, a->proc.pid, 0); /* a second one changes nothing */
    rig_expect(&rig, "");
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, a->proc.pid, 0);
    rig_expect(&rig, "a gone;b down killed;");
    rig_fini(&rig);
}

static void an_ended_supervisor_takes_a_child_along_even_if_it_traps(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    a->proc.flags |= DZ_PROC_TRAPS;
    dz_send_signal(&rig.threads[2], DZ_MSG_PARENT_EXIT, DZ_PID_NONE, a->proc.pid, 0,
                   rig.rt.reasons[DZ_REASON_KILLED]);
    rig_turn(&rig);
    rig_expect(&rig, "a terminate killed;a gone;");
    rig_fini(&rig);
}

/* What a start function made is known to its supervisor by the answer alone. */
static void a_child_whose_supervisor_is_gone_before_the_answer_ends(void **state)
{
    (void)state;
    struct rig rig;
    struct dz_buf value;
    struct dz_build b;
    rig_init(&rig);
    struct actor *sup = rig_actor(&rig, 2, 's'), *child = rig_actor(&rig, 1, 'c'), *other = rig_actor(&rig, 1, 'o');
    struct dz_pid gone = sup->proc.pid;
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, gone, 0);
    dz_buf_init(&value);
    dz_build_init(&b, &value);
    dz_build_pid_of(&b, &rig.rt.nodes, child->proc.pid);
    assert_int_equal(dz_send_child_reply(&rig.threads[1], other->proc.pid, gone, 7, value.data, value.len), 0);
    dz_send_pid_reply(&rig.threads[1], child->proc.pid, gone, 8, other->proc.pid); /* an answer like any other */
    rig_turn(&rig);
    rig_expect(&rig, "s gone;c terminate killed;c gone;");
    dz_buf_fini(&value);
    rig_fini(&rig);
}

static void everybody_owed_an_answer_hears_of_the_end(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b'), *c = rig_actor(&rig, 1, 'c');
    call(&rig, a, 1, b->proc.pid, -1, 0); /* taken, not answered */
    rig_enter(b);
    actor_sleep(&rig.threads[2], b, DZ_INFINITY);
    rig_leave(&rig, 2, b);
    call(&rig, c, 1, b->proc.pid, -2, 0); /* waits in the mailbox */
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, b->proc.pid, 0);
    rig_expect(&rig, "b call -1;b gone;a failed call_failed;c failed call_failed;");
    rig_fini(&rig);
}

static void one_who_wants_the_answer_no_more_is_owed_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    call(&rig, a, 1, b->proc.pid, -1, 0);
    assert_non_null(b->proc.owed);
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, a->proc.pid, 0);
    assert_null(b->proc.owed);
    rig_fini(&rig);
}

static void questions_are_owed_until_taken_back_one_by_one(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    struct dz_pid from = {0, 900, 1};
    for (uint64_t ref = 1; ref <= 4; ref++)
        dz_process_owe(&a->proc, actor_msg(DZ_MSG_CALL, from, a->proc.pid, ref, 0));
    assert_null(dz_process_unowe(&a->proc, from, 5));
    assert_null(dz_process_unowe(&a->proc, (struct dz_pid){0, 901, 1}, 1));
    static const uint64_t order[] = {2, 4, 1, 3};
    for (int i = 0; i < 4; i++) {
        struct dz_msg *m = dz_process_unowe(&a->proc, from, order[i]);
        assert_non_null(m);
        assert_int_equal(m->ref, order[i]);
        dz_msg_free(m);
        assert_null(dz_process_unowe(&a->proc, from, order[i]));
    }
    assert_null(a->proc.owed);
    rig_fini(&rig);
}

/* --- names and the moment of the end --- */

/* --- plain processes --- */

static struct actor *plain(struct rig *rig, char name, unsigned flags)
{
    struct actor *a = rig_actor(rig, 1, name);
    a->proc.flags |= DZ_PROC_PLAIN | flags;
    return a;
}

static void a_plain_process_ends_as_soon_as_it_is_stopped(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = plain(&rig, 'a', 0), *b = plain(&rig, 'b', DZ_PROC_TRAPS), *c = rig_actor(&rig, 2, 'c');
    actor_send(&rig.threads[1], DZ_MSG_SEND, DZ_PID_NONE, a->proc.pid, 0, 1);
    rig_enter(a); /* its turn has not come */
    dz_send_signal(&rig.threads[1], DZ_MSG_STOP, DZ_PID_NONE, a->proc.pid, 0,
                   rig.rt.reasons[DZ_REASON_SHUTDOWN]);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "a gone;");
    ask(&rig, c, 2, DZ_MSG_STOP, b->proc.pid); /* traps, but it is not its supervisor who asks */
    rig_expect(&rig, "b gone;c reply nil;");
    rig_fini(&rig);
}

static void a_plain_process_that_traps_gets_its_supervisors_stop_as_a_message(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = plain(&rig, 'a', DZ_PROC_TRAPS), *s = rig_actor(&rig, 2, 's');
    a->proc.parent = s->proc.pid;
    ask(&rig, s, 2, DZ_MSG_STOP, a->proc.pid);
    rig_expect(&rig, "a exit shutdown;");
    rig_enter(a);
    dz_process_doom(&rig.threads[1], &a->proc, rig.rt.reasons[DZ_REASON_NORMAL], 0);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "a gone;s reply nil;s child_exit normal;");
    rig_fini(&rig);
}

static void one_who_adopts_a_process_is_its_supervisor_and_hears_of_its_end_once(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t ref;
    rig_init(&rig);
    struct actor *a = plain(&rig, 'a', DZ_PROC_TRAPS), *s = rig_actor(&rig, 2, 's'), *o = rig_actor(&rig, 2, 'o');
    rig_enter(s);
    assert_int_equal(dz_bond_adopt(&rig.threads[2], &s->proc, a->proc.pid, &ref), 0);
    rig_leave(&rig, 2, s);
    rig_enter(o);
    assert_int_equal(dz_bond_adopt(&rig.threads[2], &o->proc, a->proc.pid, &ref), 0);
    rig_leave(&rig, 2, o);
    rig_expect(&rig, "");
    assert_true(dz_pid_eq(a->proc.parent, s->proc.pid)); /* the first one stays its parent */
    ask(&rig, s, 2, DZ_MSG_STOP, a->proc.pid);
    rig_expect(&rig, "a exit shutdown;");
    rig_enter(a);
    dz_process_doom(&rig.threads[1], &a->proc, rig.rt.reasons[DZ_REASON_NORMAL], 0);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "a gone;o down normal;s reply nil;s down normal;");
    rig_fini(&rig);
}

static void who_has_no_operations_refuses_requests_however_busy(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 1, 'b');
    struct dz_proc_kind kind = *a->proc.kind;
    kind.no_requests = true;
    a->proc.kind = &kind;
    rig_enter(a); /* in the middle of a turn that takes its time */
    ask(&rig, b, 1, DZ_MSG_REQUEST, a->proc.pid);
    rig_expect(&rig, "b failed unhandled_call;");
    rig_leave(&rig, 1, a);
    rig_fini(&rig);
}

/* --- info and the lost node --- */

static void info_shows_what_the_process_does(void **state)
{
    (void)state;
    struct rig rig;
    const char *s;
    size_t len;
    int64_t n;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    dz_names_register(&rig.rt.names, &rig.rt.table, "db", 2, b->proc.pid, NULL);
    ask(&rig, a, 1, DZ_MSG_GET_INFO, b->proc.pid);
    rig_enter(a);
    struct dz_buf buf;
    dz_buf_init(&buf);
    assert_int_equal(dz_process_info(&rig.threads[2], &b->proc, &buf), 0);
    assert_int_equal(dz_term_check(buf.data, buf.len, 0), 0);
    assert_true(dz_read_find_string(buf.data, buf.len, "status", &s, &len));
    assert_memory_equal(s, "idle", len);
    assert_true(dz_read_find_string(buf.data, buf.len, "name", &s, &len));
    assert_memory_equal(s, "db", len);
    assert_true(dz_read_find_string(buf.data, buf.len, "behavior", &s, &len));
    assert_memory_equal(s, "actor", len);
    assert_true(dz_read_find_int(buf.data, buf.len, "started_at", &n));
    assert_int_equal(n, 1000);
    dz_buf_fini(&buf);
    rig_leave(&rig, 1, a);
    rig_fini(&rig);
}

static void a_call_to_a_lost_node_ends_with_noconnection(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b'), *c = rig_actor(&rig, 1, 'c');
    call(&rig, a, 1, rig_far_pid(&rig), 1, 0);
    call(&rig, c, 1, b->proc.pid, -1, 0);
    rig.len = 0;
    dz_process_node_lost(&rig.threads[1], rig.far);
    rig_turn(&rig);
    rig_expect(&rig, "a failed noconnection;");
    assert_int_equal(c->proc.state, DZ_PROC_WAITING);
    assert_true(dz_list_empty(&rig.threads[1].far_waits));
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_handled_in_the_order_of_their_arrival),
        cmocka_unit_test(a_process_goes_from_ready_over_running_to_idle),
        cmocka_unit_test(a_long_mailbox_lets_the_neighbours_run),
        cmocka_unit_test(a_call_ends_with_its_reply),
        cmocka_unit_test(a_call_ends_when_its_time_is_up_and_the_late_reply_is_dropped),
        cmocka_unit_test(a_reply_to_another_question_wakes_nobody),
        cmocka_unit_test(two_replies_in_one_moment_count_once),
        cmocka_unit_test(messages_wait_while_their_process_does),
        cmocka_unit_test(a_behaviour_in_receive_is_woken_by_sends_but_not_by_casts),
        cmocka_unit_test(the_kind_itself_may_end_a_wait),
        cmocka_unit_test(a_wait_that_ended_within_the_turn_never_parks),
        cmocka_unit_test(a_stop_takes_its_place_among_the_messages),
        cmocka_unit_test(whoever_asked_for_the_stop_hears_when_it_is_done),
        cmocka_unit_test(a_parked_process_is_stopped_where_it_stands),
        cmocka_unit_test(a_kill_skips_terminate),
        cmocka_unit_test(a_kill_ends_a_terminate_that_waits),
        cmocka_unit_test(an_ended_supervisor_takes_a_child_along_even_if_it_traps),
        cmocka_unit_test(a_child_whose_supervisor_is_gone_before_the_answer_ends),
        cmocka_unit_test(everybody_owed_an_answer_hears_of_the_end),
        cmocka_unit_test(one_who_wants_the_answer_no_more_is_owed_nothing),
        cmocka_unit_test(questions_are_owed_until_taken_back_one_by_one),
        cmocka_unit_test(a_plain_process_ends_as_soon_as_it_is_stopped),
        cmocka_unit_test(a_plain_process_that_traps_gets_its_supervisors_stop_as_a_message),
        cmocka_unit_test(who_has_no_operations_refuses_requests_however_busy),
        cmocka_unit_test(one_who_adopts_a_process_is_its_supervisor_and_hears_of_its_end_once),
        cmocka_unit_test(info_shows_what_the_process_does),
        cmocka_unit_test(a_call_to_a_lost_node_ends_with_noconnection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
