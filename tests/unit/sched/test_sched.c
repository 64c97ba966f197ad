#include "sched/sched.h"

#include <pthread.h>
#include <string.h>

#include "base/err.h"
#include "world.h"

#define MS 1000000ull

/* --- ping-pong and rings: a message of n goes on as n - 1 until it is 0 --- */

static void relay_message(struct dz_thread *t, struct actor *a, struct dz_msg *m)
{
    struct world *world = a->data;
    int64_t n = actor_int(m);
    dz_msg_free(m);
    atomic_fetch_add(&world->count, 1);
    if (n > 0)
        actor_send(t, DZ_MSG_CAST, a->proc.pid, a->peer, 0, n - 1);
    else
        atomic_fetch_add(&world->done, 1);
}

static const struct actor_role relay_role = {.message = relay_message};

static struct dz_slot *reserve(struct world *world, uint32_t thread, struct dz_pid *pid)
{
    struct dz_slot *slot;
    assert_int_equal(dz_table_reserve(&world->rt.table, thread, false, 0, &slot, pid), 0);
    return slot;
}

/* Actor number i lives on thread 1 + i % workers; its peer is the next one. */
static void make_ring(struct world *world, struct dz_slot **slots, int count, uint32_t workers)
{
    for (int i = 0; i < count; i++)
        slots[i] = reserve(world, 1 + (uint32_t)i % workers, &world->pids[i]);
}

static void init_relay(struct dz_thread *t, struct dz_slot *slot, struct world *world, int i, int count)
{
    struct actor *a = actor_alloc(&relay_role, 'r', world);
    a->peer = world->pids[(i + 1) % count];
    dz_process_init(t, &a->proc, &actor_kind, slot, world->pids[i], NULL);
}

struct ring {
    struct dz_slot *slots[8];
    int count;
};

static void setup_ring(struct world *world, struct dz_worker *w, struct ring *ring)
{
    for (int i = 0; i < ring->count; i++)
        if (atomic_load(&ring->slots[i]->thread) == w->thread.index)
            init_relay(&w->thread, ring->slots[i], world, i, ring->count);
}

struct ring_world {
    struct world world; /* first */
    struct ring ring;
};

static void setup_ring_world(struct world *world, struct dz_worker *w)
{
    setup_ring(world, w, &((struct ring_world *)(void *)world)->ring);
}

static void run_ring(int count, uint32_t workers, int64_t hops)
{
    struct ring_world rw = {.ring.count = count};
    struct world *world = &rw.world;
    world->setup = setup_ring_world;
    world_init(world, workers, true);
    make_ring(world, rw.ring.slots, count, workers);
    assert_int_equal(dz_sched_start(&world->sched), 0);
    actor_send(&world->foreign, DZ_MSG_CAST, DZ_PID_NONE, world->pids[0], 0, hops);
    assert_true(world_reaches(&world->done, 1));
    assert_int_equal(atomic_load(&world->count), hops + 1);
    world_stop(world);
    assert_int_equal(atomic_load(&world->stopped), workers + 1);
}

static void two_processes_of_one_thread_play_ping_pong(void **state)
{
    (void)state;
    run_ring(2, 1, 20000);
}

static void two_processes_of_two_threads_play_ping_pong(void **state)
{
    (void)state;
    run_ring(2, 2, 5000);
}

static void a_message_goes_round_over_many_threads(void **state)
{
    (void)state;
    run_ring(7, 3, 2000);
}

/* --- many producers --- */

struct producer {
    struct world *world;
    pthread_t id;
};

static void *produce(void *arg)
{
    struct producer *p = arg;
    struct dz_thread foreign;
    dz_thread_init(&foreign, &p->world->rt, DZ_THREAD_FOREIGN);
    for (int i = 0; i < 5000; i++)
        actor_send(&foreign, DZ_MSG_CAST, DZ_PID_NONE, p->world->pids[i % 2], 0, 0);
    dz_thread_fini(&foreign);
    return NULL;
}

static void foreign_threads_send_and_nothing_is_lost(void **state)
{
    (void)state;
    struct ring_world rw = {.ring.count = 2};
    struct world *world = &rw.world;
    struct producer producers[4];
    world->setup = setup_ring_world;
    world_init(world, 2, true);
    make_ring(world, rw.ring.slots, 2, 2);
    assert_int_equal(dz_sched_start(&world->sched), 0);
    for (int i = 0; i < 4; i++) {
        producers[i].world = world;
        assert_int_equal(pthread_create(&producers[i].id, NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(producers[i].id, NULL);
    assert_true(world_reaches(&world->done, 20000));
    assert_int_equal(dz_table_messages(rw.ring.slots[0]) + dz_table_messages(rw.ring.slots[1]), 0);
    world_stop(world);
}

/* --- starting and stopping --- */

static void stopping_leaves_no_message_and_no_process_behind(void **state)
{
    (void)state;
    struct ring_world rw = {.ring.count = 2};
    struct world *world = &rw.world;
    world->setup = setup_ring_world;
    world_init(world, 2, true);
    make_ring(world, rw.ring.slots, 2, 2);
    assert_int_equal(dz_sched_start(&world->sched), 0);
    for (int i = 0; i < 5000; i++)
        actor_send(&world->foreign, DZ_MSG_CAST, DZ_PID_NONE, world->pids[i % 2], 0, 1000000);
    dz_sched_stop(&world->sched);
    for (int i = 0; i < 100; i++)
        dz_send_signal(&world->foreign, DZ_MSG_NOTICE, DZ_PID_NONE, world->pids[i % 2], 0, NULL);
    dz_sched_stop(&world->sched); /* twice is harmless */
    world_fini(world);
}

static void a_scheduler_that_never_started_goes_quietly(void **state)
{
    (void)state;
    struct world world = {0};
    world_init(&world, 2, true);
    struct dz_pid pid;
    reserve(&world, 1, &pid);
    actor_send(&world.foreign, DZ_MSG_CAST, DZ_PID_NONE, pid, 0, 1);
    dz_names_end(&world.rt.names, &world.rt.table, dz_table_find(&world.rt.table, pid));
    world_fini(&world);
}

/* --- placing --- */

static void announce_thread(struct dz_thread *t, void *arg)
{
    struct world *world = arg;
    atomic_store(&world->done, t->index);
}

static void a_worker_added_later_runs_and_is_nobody_elses(void **state)
{
    (void)state;
    struct world world = {0};
    world_start(&world, 2);
    assert_int_equal(dz_sched_add_worker(&world.sched), 3);
    assert_int_equal(atomic_load(&world.started), 4);
    assert_int_equal(dz_thread_post(&world.foreign, 3, announce_thread, &world), 0);
    assert_true(world_reaches(&world.done, 3));
    for (int i = 0; i < 20; i++)
        assert_in_range(world.rt.ports.choose_thread(NULL, &world.foreign), 1, 2);
    dz_sched_stop(&world.sched);
    assert_int_equal(dz_sched_add_worker(&world.sched), DZ_ESHUTDOWN);
    assert_int_equal(atomic_load(&world.stopped), 4);
    world_fini(&world);
}

static void set_load(struct world *world, uint32_t worker, uint32_t load)
{
    atomic_store(&world->sched.workers[worker]->load, load);
}

static uint32_t chosen(struct world *world, uint32_t from)
{
    struct dz_thread *t = from == DZ_THREAD_FOREIGN ? &world->foreign : &world->sched.workers[from]->thread;
    return world->rt.ports.choose_thread(NULL, t);
}

static void a_child_starts_beside_its_parent_unless_that_worker_is_clearly_busier(void **state)
{
    (void)state;
    struct world world = {0};
    world_init(&world, 3, false);
    assert_int_equal(chosen(&world, 2), 2);
    set_load(&world, 2, 32);
    assert_int_equal(chosen(&world, 2), 2);
    set_load(&world, 2, 33);
    assert_int_not_equal(chosen(&world, 2), 2);
    set_load(&world, 1, 5);
    set_load(&world, 3, 3);
    set_load(&world, 2, 38);
    assert_int_equal(chosen(&world, 2), 2);
    set_load(&world, 2, 39);
    assert_int_equal(chosen(&world, 2), 3);
    world_fini(&world);
}

static void others_children_are_spread_over_the_least_loaded(void **state)
{
    (void)state;
    struct world world = {0};
    int placed[4] = {0};
    world_init(&world, 3, false);
    for (int i = 0; i < 30; i++)
        placed[chosen(&world, i % 2 ? DZ_THREAD_FOREIGN : DZ_THREAD_SYSTEM)]++;
    assert_int_equal(placed[1], 10);
    assert_int_equal(placed[2], 10);
    assert_int_equal(placed[3], 10);
    set_load(&world, 1, 1);
    set_load(&world, 3, 2);
    for (int i = 0; i < 5; i++)
        assert_int_equal(chosen(&world, DZ_THREAD_FOREIGN), 2);
    world.sched.workers[1]->thread.in_native = true; /* a supervisor that runs on worker 1 */
    assert_int_equal(chosen(&world, 1), 2);
    world.sched.workers[1]->thread.in_native = false;
    world_fini(&world);
}

static void a_worker_in_a_long_turn_counts_as_loaded(void **state)
{
    (void)state;
    struct world world = {0};
    world_init(&world, 2, false);
    set_load(&world, 2, 3);
    assert_int_equal(chosen(&world, DZ_THREAD_SYSTEM), 1);
    struct dz_worker *w = world.sched.workers[1];
    dz_sched_turn_begin(w);
    atomic_store(&w->turn_started_ns, dz_env_now_ns(&world.env) - 100 * MS);
    assert_int_equal(chosen(&world, DZ_THREAD_SYSTEM), 2);
    dz_sched_turn_end(w);
    assert_int_equal(chosen(&world, DZ_THREAD_SYSTEM), 1);
    world_fini(&world);
}

/* --- turns, slices and stepping --- */

struct stepped {
    struct world world; /* first */
    uint64_t now_ns;
    uint64_t turns[64];
    int turn_count;
    char trace[256];
    size_t len;
};

static uint64_t stepped_now(void *ctx)
{
    return ((struct stepped *)ctx)->now_ns;
}

static void stepped_init(struct stepped *s, uint32_t workers)
{
    world_init(&s->world, workers, false);
    s->world.env.now_ns = stepped_now;
    s->world.env.ctx = s;
    assert_int_equal(dz_sched_start(&s->world.sched), 0);
}

/* Steps all threads until nothing happens any more. */
static void settle(struct stepped *s)
{
    bool any = true;
    while (any) {
        any = false;
        for (uint32_t i = 0; i < atomic_load(&s->world.sched.count); i++)
            any |= dz_sched_step(s->world.sched.workers[i]);
    }
}

static void note_message(struct dz_thread *t, struct actor *a, struct dz_msg *m)
{
    struct stepped *s = a->data;
    uint64_t turn = atomic_load(&dz_worker_of(t)->turn);
    s->turns[s->turn_count++ % 64] = turn;
    assert_true(t->in_turn && turn > 0);
    int64_t n = actor_int(m);
    dz_msg_free(m);
    s->trace[s->len++] = a->name;
    if (n > 0)
        actor_send(t, DZ_MSG_CAST, a->proc.pid, a->peer, 0, n - 1);
}

static void note_resume(struct dz_thread *t, struct actor *a)
{
    struct stepped *s = a->data;
    dz_process_unwait(t, &a->proc);
    s->trace[s->len++] = '!';
}

static void note_init(struct dz_thread *t, struct actor *a)
{
    if (a->name == 'c')
        actor_sleep(t, a, 5 * MS);
}

static const struct actor_role note_role = {
    .init = note_init, .message = note_message, .resume = note_resume};

static void play(struct stepped *s)
{
    stepped_init(s, 2);
    struct dz_sched *sched = &s->world.sched;
    struct actor *a = actor_new(&sched->workers[1]->thread, &note_role, 'a', s);
    struct actor *b = actor_new(&sched->workers[2]->thread, &note_role, 'b', s);
    struct actor *c = actor_new(&sched->workers[2]->thread, &note_role, 'c', s);
    a->peer = b->proc.pid;
    b->peer = c->proc.pid;
    c->peer = a->proc.pid;
    actor_send(&s->world.foreign, DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 7);
    actor_send(&s->world.foreign, DZ_MSG_CAST, DZ_PID_NONE, b->proc.pid, 0, 4);
    settle(s);
    assert_int_equal(dz_sched_next_ns(sched->workers[1]), DZ_INFINITY);
    assert_int_equal(dz_sched_next_ns(sched->workers[2]), s->now_ns + 5 * MS);
    s->now_ns += 5 * MS;
    settle(s);
    for (uint32_t i = 1; i <= 2; i++)
        assert_int_equal(atomic_load(&sched->workers[i]->turn), 0);
    world_stop(&s->world);
}

static void stepping_by_hand_repeats_exactly(void **state)
{
    (void)state;
    struct stepped first = {.now_ns = 1000 * MS}, second = {.now_ns = 1000 * MS};
    play(&first);
    play(&second);
    assert_string_equal(first.trace, second.trace);
    assert_int_equal(first.len, 8 + 5 + 1);
    assert_non_null(strchr(first.trace, '!'));
}

static void each_stretch_of_turns_has_a_number_of_its_own(void **state)
{
    (void)state;
    struct stepped s = {.now_ns = 1000 * MS};
    stepped_init(&s, 1);
    struct actor *a = actor_new(&s.world.sched.workers[1]->thread, &note_role, 'a', &s);
    a->peer = a->proc.pid;
    for (int i = 0; i < 5; i++) {
        actor_send(&s.world.foreign, DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 0);
        settle(&s);
    }
    assert_int_equal(s.turn_count, 5);
    for (int i = 1; i < 5; i++)
        assert_true(s.turns[i] > s.turns[i - 1]);
    assert_false(s.world.sched.workers[1]->thread.in_turn);
    world_stop(&s.world);
}

static void a_round_ends_though_two_processes_never_rest(void **state)
{
    (void)state;
    struct ring_world rw = {.ring.count = 2};
    struct world *world = &rw.world;
    world->setup = setup_ring_world;
    world_init(world, 1, false);
    make_ring(world, rw.ring.slots, 2, 1);
    assert_int_equal(dz_sched_start(&world->sched), 0);
    actor_send(&world->foreign, DZ_MSG_CAST, DZ_PID_NONE, world->pids[0], 0, 1000000000);
    struct dz_worker *w = world->sched.workers[1];
    assert_true(dz_sched_step(w));
    assert_in_range(atomic_load(&world->count), 1, DZ_SLICE_STRETCHES);
    assert_int_equal(atomic_load(&w->load), 1);
    int64_t before = atomic_load(&world->count);
    assert_true(dz_sched_step(w));
    assert_true(atomic_load(&world->count) > before);
    world_stop(world);
}

static void a_stretch_yields_to_the_inbox_to_natives_and_to_timers(void **state)
{
    (void)state;
    struct stepped s = {.now_ns = 1000 * MS};
    stepped_init(&s, 1);
    struct dz_worker *w = s.world.sched.workers[1];
    struct actor *a = actor_new(&w->thread, &note_role, 'a', &s);
    dz_sched_step(w);
    assert_false(dz_sched_should_yield(w));
    actor_send(&s.world.foreign, DZ_MSG_CAST, DZ_PID_NONE, a->proc.pid, 0, 0);
    assert_true(dz_sched_should_yield(w));
    settle(&s);
    assert_false(dz_sched_should_yield(w));
    struct dz_list node;
    dz_list_push_back(&w->thread.natives, &node);
    assert_true(dz_sched_should_yield(w));
    dz_list_remove(&node);
    s.now_ns += DZ_SLICE_NS; /* seen within a few calls */
    int calls = 0;
    while (!dz_sched_should_yield(w))
        calls++;
    assert_in_range(calls, 0, 16);
    settle(&s);
    while (!dz_sched_should_yield(w))
        calls++;
    assert_in_range(calls, DZ_SLICE_STRETCHES - 20, DZ_SLICE_STRETCHES + 20);
    assert_true(dz_sched_should_yield(w));
    world_stop(&s.world);
}

static void the_next_process_is_given_by_kind(void **state)
{
    (void)state;
    struct stepped s = {.now_ns = 1000 * MS};
    static const struct dz_proc_kind other = {.name = "other"};
    stepped_init(&s, 1);
    struct dz_worker *w = s.world.sched.workers[1];
    assert_null(dz_sched_next(w));
    assert_null(dz_sched_next_of(w, &actor_kind));
    struct actor *a = actor_new(&w->thread, &note_role, 'a', &s);
    assert_null(dz_sched_next_of(w, &other));
    assert_ptr_equal(dz_sched_next_of(w, &actor_kind), &a->proc);
    assert_int_equal(a->proc.state, DZ_PROC_RUNNING);
    assert_true(atomic_load(&w->turn) > 0);
    dz_process_rest(&w->thread, &a->proc);
    dz_sched_turn_end(w);
    assert_int_equal(atomic_load(&w->turn), 0);
    world_stop(&s.world);
}

static void the_owner_walks_what_is_left_alive(void **state)
{
    (void)state;
    struct world world = {0};
    world_init(&world, 2, false);
    world.hooks.thread_stop = NULL;
    world.sched.hooks.thread_stop = NULL;
    assert_int_equal(dz_sched_start(&world.sched), 0);
    for (int i = 0; i < 3000; i++)
        actor_new(&world.sched.workers[1 + i % 2]->thread, &restless_role, 'x', &world);
    dz_sched_stop(&world.sched);
    assert_int_equal(atomic_load(&world.rt.table.count), 3000);
    dz_sched_each_process(world.sched.workers[1], world_end_process, NULL);
    assert_int_equal(atomic_load(&world.rt.table.count), 1500);
    dz_sched_each_process(world.sched.workers[2], world_end_process, NULL);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_processes_of_one_thread_play_ping_pong),
        cmocka_unit_test(two_processes_of_two_threads_play_ping_pong),
        cmocka_unit_test(a_message_goes_round_over_many_threads),
        cmocka_unit_test(foreign_threads_send_and_nothing_is_lost),
        cmocka_unit_test(stopping_leaves_no_message_and_no_process_behind),
        cmocka_unit_test(a_scheduler_that_never_started_goes_quietly),
        cmocka_unit_test(a_worker_added_later_runs_and_is_nobody_elses),
        cmocka_unit_test(a_child_starts_beside_its_parent_unless_that_worker_is_clearly_busier),
        cmocka_unit_test(others_children_are_spread_over_the_least_loaded),
        cmocka_unit_test(a_worker_in_a_long_turn_counts_as_loaded),
        cmocka_unit_test(stepping_by_hand_repeats_exactly),
        cmocka_unit_test(each_stretch_of_turns_has_a_number_of_its_own),
        cmocka_unit_test(a_round_ends_though_two_processes_never_rest),
        cmocka_unit_test(a_stretch_yields_to_the_inbox_to_natives_and_to_timers),
        cmocka_unit_test(the_next_process_is_given_by_kind),
        cmocka_unit_test(the_owner_walks_what_is_left_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
