#include "proc/native.h"

#include <pthread.h>
#include <sched.h>

#include "rig.h"

/* --- a native that writes down what it gets --- */

struct clerk {
    struct rig *rig;
    struct dz_native *n;
    struct dz_pid pid;
    uint64_t drops; /* a monitor given up when an EXIT comes */
};

static void clerk_handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct clerk *c = n->data;
    char text[128];
    rig_note(c->rig, "native %d %s", m->kind, rig_payload(m, text, sizeof text));
    assert_true(t->in_native);
    if (m->kind == DZ_MSG_EXIT && c->drops)
        dz_bond_demonitor(t, &n->proc, c->drops);
    if (m->kind == DZ_MSG_CALL)
        dz_send_reply(t, n->proc.pid, m->from, m->ref, m->data, m->len);
    if (m->kind == DZ_MSG_STOP) {
        dz_process_owe(&n->proc, m);
        dz_native_finish(t, n, t->rt->reasons[DZ_REASON_SHUTDOWN]);
        return;
    }
    dz_msg_free(m);
}

static void clerk_end(struct dz_thread *t, struct dz_native *n)
{
    (void)t;
    struct clerk *c = n->data;
    rig_note(c->rig, "native end");
}

static const struct dz_native_ops clerk_ops = {.name = "clerk", .handle = clerk_handle, .end = clerk_end};

static void hire(struct rig *rig, struct clerk *c)
{
    *c = (struct clerk){.rig = rig};
    assert_int_equal(dz_native_new(&rig->threads[1], &clerk_ops, c, false, NULL, DZ_PID_NONE, NULL, &c->n),
                     0);
    c->pid = c->n->proc.pid;
}

static void a_native_handles_messages_in_their_order(void **state)
{
    (void)state;
    struct rig rig;
    struct clerk c;
    rig_init(&rig);
    hire(&rig, &c);
    for (int i = 1; i <= 3; i++)
        actor_send(&rig.threads[2], DZ_MSG_CAST, DZ_PID_NONE, c.pid, 0, i);
    rig_expect(&rig, "");
    rig_turn(&rig);
    rig_expect(&rig, "native 2 1;native 2 2;native 2 3;");
    assert_int_equal(dz_table_messages(c.n->proc.slot), 0);
    rig_fini(&rig);
}

static void a_native_answers_and_waits_for_its_next_turn(void **state)
{
    (void)state;
    struct rig rig;
    struct clerk c;
    rig_init(&rig);
    hire(&rig, &c);
    struct actor *a = rig_actor(&rig, 1, 'a');
    rig_enter(a);
    actor_call(&rig.threads[1], a, c.pid, 6, DZ_INFINITY);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "native 3 6;a reply 6;");
    assert_int_equal(atomic_load(&c.n->state), DZ_NATIVE_IDLE);
    assert_false(dz_native_run(&rig.threads[0], c.n, 64)); /* nothing to do */
    rig_fini(&rig);
}

static void a_run_is_bounded_and_the_rest_is_made_ready_again(void **state)
{
    (void)state;
    struct rig rig;
    struct clerk c;
    rig_init(&rig);
    hire(&rig, &c);
    for (int i = 0; i < 5; i++)
        actor_send(&rig.threads[1], DZ_MSG_CAST, DZ_PID_NONE, c.pid, 0, i);
    dz_list_remove(&c.n->ready);
    assert_true(dz_native_run(&rig.threads[1], c.n, 2));
    rig_expect(&rig, "native 2 0;native 2 1;");
    assert_int_equal(atomic_load(&c.n->state), DZ_NATIVE_QUEUED);
    assert_false(dz_list_empty(&c.n->ready));
    rig_turn(&rig);
    rig_expect(&rig, "native 2 2;native 2 3;native 2 4;");
    rig_fini(&rig);
}

static void a_native_that_finishes_tells_everybody(void **state)
{
    (void)state;
    struct rig rig;
    struct clerk c;
    uint64_t ref;
    rig_init(&rig);
    hire(&rig, &c);
    struct actor *a = rig_actor(&rig, 1, 'a'), *b = rig_actor(&rig, 2, 'b');
    rig_enter(a);
    dz_bond_monitor(&rig.threads[1], &a->proc, c.pid, &ref);
    rig_leave(&rig, 1, a);
    rig_enter(b);
    b->wait = (struct dz_wait){.kind = DZ_WAIT_REPLY, .ref = 70, .target = c.pid};
    dz_process_wait(&rig.threads[2], &b->proc, &b->wait, DZ_INFINITY);
    dz_send_signal(&rig.threads[2], DZ_MSG_STOP, b->proc.pid, c.pid, 70, NULL);
    actor_send(&rig.threads[2], DZ_MSG_CAST, DZ_PID_NONE, c.pid, 0, 1); /* behind the stop: too late */
    rig_leave(&rig, 2, b);
    rig_expect(&rig, "native 5 -;native end;a down shutdown;b reply nil;");
    assert_null(dz_table_find(&rig.rt.table, c.pid));
    rig_fini(&rig);
}

static void a_killed_native_ends_without_being_asked(void **state)
{
    (void)state;
    struct rig rig;
    struct clerk c;
    rig_init(&rig);
    hire(&rig, &c);
    struct actor *a = rig_actor(&rig, 1, 'a');
    rig_enter(a);
    dz_bond_link(&rig.threads[1], &a->proc, c.pid);
    rig_leave(&rig, 1, a);
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, c.pid, 0);
    rig_expect(&rig, "native end;a terminate killed;a gone;");
    rig_fini(&rig);
}

static void a_stale_message_is_bounced_also_by_the_next_owner_of_the_memory(void **state)
{
    (void)state;
    struct rig rig;
    struct clerk first, second;
    rig_init(&rig);
    hire(&rig, &first);
    struct dz_native *memory = first.n;
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, first.pid, 0);
    struct actor *a = rig_actor(&rig, 2, 'a');
    rig_enter(a);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_REPLY, .ref = 70, .target = first.pid};
    dz_process_wait(&rig.threads[2], &a->proc, &a->wait, DZ_INFINITY);
    /* A sender that found the native alive pushes only now. */
    dz_native_push(&rig.threads[2], memory, actor_msg(DZ_MSG_CAST, DZ_PID_NONE, first.pid, 0, 1));
    rig_turn(&rig);
    hire(&rig, &second);
    assert_ptr_equal(second.n, memory);
    dz_native_push(&rig.threads[2], memory, actor_msg(DZ_MSG_CALL, a->proc.pid, first.pid, 70, 2));
    dz_native_push(&rig.threads[2], memory, actor_msg(DZ_MSG_KILL, DZ_PID_NONE, first.pid, 0, 0));
    rig_leave(&rig, 2, a);
    rig_expect(&rig, "native end;a failed noproc;");
    actor_send(&rig.threads[2], DZ_MSG_CAST, DZ_PID_NONE, second.pid, 0, 3);
    rig_turn(&rig);
    rig_expect(&rig, "native 2 3;");
    rig_fini(&rig);
}

static void memory_with_messages_nobody_ran_goes_with_the_host(void **state)
{
    (void)state;
    struct rig rig;
    struct clerk c;
    rig_init(&rig);
    hire(&rig, &c);
    rig_signal(&rig, DZ_MSG_KILL, DZ_PID_NONE, c.pid, 0);
    dz_native_push(&rig.threads[2], c.n, actor_msg(DZ_MSG_CAST, DZ_PID_NONE, c.pid, 0, 1));
    dz_list_remove(&c.n->ready);
    rig_fini(&rig);
}

static void a_spawned_native_answers_the_spawn_when_it_has_started(void **state)
{
    (void)state;
    struct rig rig;
    struct clerk c = {.rig = &rig};
    struct dz_slot *slot;
    struct dz_pid pid;
    rig_init(&rig);
    struct actor *a = rig_actor(&rig, 1, 'a');
    assert_int_equal(dz_table_reserve(&rig.rt.table, 1, false, 0, &slot, &pid), 0);
    rig_enter(a);
    a->wait = (struct dz_wait){.kind = DZ_WAIT_REPLY, .ref = 70};
    dz_process_wait(&rig.threads[1], &a->proc, &a->wait, DZ_INFINITY);
    struct dz_msg *spawn = actor_msg(DZ_MSG_SPAWN, a->proc.pid, pid, 70, 0);
    assert_int_equal(dz_native_new(&rig.threads[1], &clerk_ops, &c, false, slot, pid, &spawn, &c.n), 0);
    assert_null(spawn);
    rig_leave(&rig, 1, a);
    rig_expect(&rig, "");
    dz_process_started(&rig.threads[1], &c.n->proc);
    rig_turn(&rig);
    assert_memory_equal(rig.journal, "a reply <local@", 15);
    rig_fini(&rig);
}

/* --- lost nodes --- */

static void a_native_hears_of_a_lost_node_and_of_its_bonds_there(void **state)
{
    (void)state;
    struct rig rig;
    struct clerk c;
    uint64_t ref;
    rig_init(&rig);
    hire(&rig, &c);
    assert_int_equal(dz_bond_link(&rig.threads[1], &c.n->proc, rig_far_pid(&rig)), 0);
    assert_int_equal(dz_bond_monitor(&rig.threads[1], &c.n->proc, rig_far_pid(&rig), &ref), 0);
    rig.len = 0;
    dz_native_node_lost(&rig.threads[0], rig.far, false);
    rig_turn(&rig);
    rig_expect(&rig, "native 10 noconnection;native 9 noconnection;native 21 -;");
    assert_null(c.n->proc.bonds);
    rig_fini(&rig);
}

static void a_native_may_give_up_other_bonds_while_it_hears_of_lost_ones(void **state)
{
    (void)state;
    struct rig rig;
    struct clerk c;
    uint64_t ref;
    rig_init(&rig);
    hire(&rig, &c);
    struct actor *a = rig_actor(&rig, 2, 'a');
    assert_int_equal(dz_bond_link(&rig.threads[1], &c.n->proc, rig_far_pid(&rig)), 0);
    assert_int_equal(dz_bond_monitor(&rig.threads[1], &c.n->proc, a->proc.pid, &c.drops), 0);
    assert_int_equal(dz_bond_monitor(&rig.threads[1], &c.n->proc, rig_far_pid(&rig), &ref), 0);
    rig_turn(&rig);
    rig.len = 0;
    dz_native_node_lost(&rig.threads[0], rig.far, false);
    rig_turn(&rig);
    rig_expect(&rig, "native 10 noconnection;native 9 noconnection;native 21 -;");
    assert_null(c.n->proc.bonds);
    assert_null(a->proc.bonds);
    rig_fini(&rig);
}

/* --- notices --- */

static void a_delayed_notice_comes_by_the_system_thread(void **state)
{
    (void)state;
    struct rig rig;
    struct clerk c;
    rig_init(&rig);
    hire(&rig, &c);
    assert_int_equal(dz_native_send_after(&rig.threads[1], c.pid, 96, 5, 20), 0);
    assert_int_equal(dz_native_send_after(&rig.threads[0], c.pid, 96, 6, 10), 0);
    assert_int_equal(dz_native_send_after(&rig.threads[2], c.pid, 96, 7, UINT64_MAX), 0);
    rig_turn(&rig);
    rig_pass_ms(&rig, 9);
    rig_expect(&rig, "");
    rig_pass_ms(&rig, 1);
    rig_expect(&rig, "native 7 -;");
    rig_pass_ms(&rig, 10);
    rig_expect(&rig, "native 7 -;");
    dz_native_drop_delayed(&rig.threads[0]);
    rig_fini(&rig);
}

static void a_notice_to_all_reaches_every_native(void **state)
{
    (void)state;
    struct rig rig;
    struct clerk c[3];
    rig_init(&rig);
    for (int i = 0; i < 3; i++)
        hire(&rig, &c[i]);
    dz_native_notify_all(&rig.threads[0], 97, 1, (const uint8_t *)"\xa1x", 2);
    rig_turn(&rig);
    rig_expect(&rig, "native 7 x;native 7 x;native 7 x;");
    rig_fini(&rig);
}

/* --- many threads --- */

#define PRODUCERS 4
#define RUNNERS   2
#define EACH      20000

struct crowd {
    struct dz_rt rt;
    struct dz_native *n;
    struct dz_pid pid;
    pthread_mutex_t lock; /* over `ready` */
    struct dz_list ready;
    _Atomic int inside; /* threads in the handler */
    _Atomic uint64_t handled;
    _Atomic bool over;
    uint64_t last[PRODUCERS]; /* the handler's alone, whichever thread it runs on */
};

struct hand {
    struct crowd *crowd;
    uint32_t number;
    pthread_t id;
};

static void crowd_ready(void *ctx, struct dz_thread *from, struct dz_native *n)
{
    (void)from;
    struct crowd *crowd = ctx;
    pthread_mutex_lock(&crowd->lock);
    dz_assert(dz_list_empty(&n->ready));
    dz_list_push_back(&crowd->ready, &n->ready);
    pthread_mutex_unlock(&crowd->lock);
}

static void crowd_handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct crowd *crowd = n->data;
    dz_assert(atomic_fetch_add(&crowd->inside, 1) == 0);
    if (m->kind == DZ_MSG_STOP) {
        dz_native_finish(t, n, t->rt->reasons[DZ_REASON_NORMAL]);
        atomic_store(&crowd->over, true);
    } else {
        dz_assert(m->ref == crowd->last[m->code] + 1); /* each producer's messages, all and in order */
        crowd->last[m->code] = m->ref;
        atomic_fetch_add(&crowd->handled, 1);
    }
    dz_msg_free(m);
    atomic_fetch_sub(&crowd->inside, 1);
}

static void crowd_end(struct dz_thread *t, struct dz_native *n)
{
    (void)t;
    (void)n;
}

static const struct dz_native_ops crowd_ops = {.name = "crowd", .handle = crowd_handle, .end = crowd_end};

static void *produce(void *arg)
{
    struct hand *hand = arg;
    struct dz_thread t;
    dz_thread_init(&t, &hand->crowd->rt, DZ_THREAD_FOREIGN);
    for (uint64_t i = 1; i <= EACH; i++) {
        struct dz_msg *m = dz_msg_new(DZ_MSG_NOTICE, 0);
        dz_assert(m);
        m->to = hand->crowd->pid;
        m->code = (uint16_t)hand->number;
        m->ref = i;
        dz_send_must(&t, m);
    }
    dz_thread_fini(&t);
    return NULL;
}

static void *run(void *arg)
{
    struct hand *hand = arg;
    struct crowd *crowd = hand->crowd;
    struct dz_thread t;
    dz_thread_init(&t, &crowd->rt, hand->number);
    while (!atomic_load(&crowd->over)) {
        pthread_mutex_lock(&crowd->lock);
        struct dz_list *node = dz_list_pop_front(&crowd->ready);
        pthread_mutex_unlock(&crowd->lock);
        if (node)
            dz_native_run(&t, dz_list_entry(node, struct dz_native, ready), 16);
        else
            sched_yield();
    }
    dz_thread_fini(&t);
    return NULL;
}

static void hire_crowd(struct crowd *crowd, struct dz_env *env)
{
    memset(crowd, 0, sizeof *crowd);
    assert_int_equal(dz_rt_init(&crowd->rt, env, NULL), 0);
    crowd->rt.ports.ctx = crowd;
    crowd->rt.ports.native_ready = crowd_ready;
    pthread_mutex_init(&crowd->lock, NULL);
    dz_list_init(&crowd->ready);
    struct dz_thread t;
    dz_thread_init(&t, &crowd->rt, DZ_THREAD_FOREIGN);
    assert_int_equal(dz_native_new(&t, &crowd_ops, crowd, false, NULL, DZ_PID_NONE, NULL, &crowd->n), 0);
    crowd->pid = crowd->n->proc.pid;
    dz_thread_fini(&t);
}

static void each_message_of_many_producers_is_handled_exactly_once(void **state)
{
    (void)state;
    struct crowd crowd;
    struct dz_env env;
    struct hand hands[PRODUCERS + RUNNERS];
    dz_env_system(&env);
    hire_crowd(&crowd, &env);
    for (uint32_t i = 0; i < PRODUCERS + RUNNERS; i++) {
        hands[i] = (struct hand){.crowd = &crowd, .number = i < PRODUCERS ? i : i - PRODUCERS + 1};
        assert_int_equal(pthread_create(&hands[i].id, NULL, i < PRODUCERS ? produce : run, &hands[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(hands[i].id, NULL);
    struct dz_thread t;
    dz_thread_init(&t, &crowd.rt, DZ_THREAD_FOREIGN);
    dz_send_signal(&t, DZ_MSG_STOP, DZ_PID_NONE, crowd.pid, 0, NULL);
    for (int i = PRODUCERS; i < PRODUCERS + RUNNERS; i++)
        pthread_join(hands[i].id, NULL);
    assert_int_equal(atomic_load(&crowd.handled), (uint64_t)PRODUCERS * EACH);
    assert_int_equal(atomic_load(&crowd.rt.table.count), 0);
    dz_thread_fini(&t);
    pthread_mutex_destroy(&crowd.lock);
    dz_rt_fini(&crowd.rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_native_handles_messages_in_their_order),
        cmocka_unit_test(a_native_answers_and_waits_for_its_next_turn),
        cmocka_unit_test(a_run_is_bounded_and_the_rest_is_made_ready_again),
        cmocka_unit_test(a_native_that_finishes_tells_everybody),
        cmocka_unit_test(a_killed_native_ends_without_being_asked),
        cmocka_unit_test(a_stale_message_is_bounced_also_by_the_next_owner_of_the_memory),
        cmocka_unit_test(memory_with_messages_nobody_ran_goes_with_the_host),
        cmocka_unit_test(a_spawned_native_answers_the_spawn_when_it_has_started),
        cmocka_unit_test(a_native_hears_of_a_lost_node_and_of_its_bonds_there),
        cmocka_unit_test(a_native_may_give_up_other_bonds_while_it_hears_of_lost_ones),
        cmocka_unit_test(a_delayed_notice_comes_by_the_system_thread),
        cmocka_unit_test(a_notice_to_all_reaches_every_native),
        cmocka_unit_test(each_message_of_many_producers_is_handled_exactly_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
