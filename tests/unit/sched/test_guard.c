/* A worker that does not come back, with threads; what is known of them is made up. */
#include "sched/guard.h"

#include <string.h>
#include <unistd.h>

#include "proc/bond.h"
#include "proc/request.h"
#include "world.h"

#define LIMIT_MS 100u

struct scene {
    struct world world;
    struct dz_pid stuck, neighbour, watcher, parent;
    struct dz_native *native;
    /* What the guard asked for: */
    _Atomic int64_t reports, tells, ends, kills, seen_running, given_up, failed;
    _Atomic int64_t blocked; /* the stuck turn has begun */
    _Atomic bool killed;     /* the stuck one's end was a kill */
    _Atomic bool outside;    /* the thread counts as being in foreign code, not as parked */
    /* What was heard of the end: */
    _Atomic int64_t downs, exits, notices, told_pids, fresh, tasks;
    _Atomic uint32_t running_slot;
    _Atomic int how_stuck, how_neighbour;
};

/* --- the hooks --- */

static void interrupt(void *ctx, struct dz_worker *w, uint64_t turn, enum dz_watchdog_verdict verdict,
                      uint64_t age_ms)
{
    struct scene *s = ctx;
    assert_true(w->thread.index == 1 && turn != 0);
    if (verdict == DZ_WATCHDOG_KILL) {
        atomic_fetch_add(&s->kills, 1);
        return;
    }
    assert_true(age_ms >= LIMIT_MS / 2);
    atomic_fetch_add(verdict == DZ_WATCHDOG_REPORT ? &s->reports
                     : verdict == DZ_WATCHDOG_TELL ? &s->tells
                                                   : &s->ends,
                     1);
}

/* Known once the turn was interrupted. */
static struct dz_pid running(void *ctx, struct dz_worker *w, uint64_t turn)
{
    struct scene *s = ctx;
    (void)w;
    assert_int_not_equal(turn, 0);
    atomic_fetch_add(&s->seen_running, 1);
    return atomic_load(&s->kills) ? s->stuck : DZ_PID_NONE;
}

static void give_up(void *ctx, struct dz_worker *w)
{
    struct scene *s = ctx;
    (void)w;
    atomic_fetch_add(&s->given_up, 1);
}

static void sample(void *ctx, struct dz_worker *w, bool force, struct dz_watchdog_sample *out)
{
    struct scene *s = ctx;
    (void)w;
    (void)force;
    bool outside = atomic_load(&s->outside);
    *out = (struct dz_watchdog_sample){.parked = !outside, .seen = 1, .outside = outside};
}

static struct dz_pid take(void *ctx, struct dz_worker *w)
{
    struct scene *s = ctx;
    (void)w;
    return s->stuck;
}

static void failed(void *ctx, struct dz_thread *t, const char *why)
{
    struct scene *s = ctx;
    (void)t;
    assert_non_null(why);
    atomic_fetch_add(&s->failed, 1);
}

/* --- the processes --- */

/* CAST: the turn that never ends. */
static void victim_message(struct dz_thread *t, struct actor *a, struct dz_msg *m)
{
    struct scene *s = a->data;
    (void)t;
    bool block = m->kind == DZ_MSG_CAST;
    dz_msg_free(m);
    atomic_store(&s->blocked, block);
    while (block)
        pause();
}

static void victim_gone(struct dz_thread *t, struct actor *a)
{
    struct scene *s = a->data;
    (void)t;
    if (a->name == 's')
        atomic_store(&s->how_stuck, a->proc.exit_how);
    if (a->name == 'n')
        atomic_store(&s->how_neighbour, a->proc.exit_how);
}

static const struct actor_role victim_role = {.message = victim_message, .gone = victim_gone};

static void watcher_init(struct dz_thread *t, struct actor *a)
{
    struct scene *s = a->data;
    uint64_t ref;
    assert_int_equal(dz_bond_monitor(t, &a->proc, s->stuck, &ref), 0);
    a->proc.flags |= DZ_PROC_TRAPS;
    assert_int_equal(dz_bond_link(t, &a->proc, s->neighbour), 0);
    atomic_fetch_add(&s->tasks, 1);
}

static bool says(struct dz_thread *t, const struct dz_msg *m, enum dz_reason why)
{
    const struct dz_blob *reason = t->rt->reasons[why];
    return m->len == reason->len && memcmp(m->data, reason->data, m->len) == 0;
}

static void watcher_message(struct dz_thread *t, struct actor *a, struct dz_msg *m)
{
    struct scene *s = a->data;
    if (m->kind == DZ_MSG_DOWN && says(t, m, DZ_REASON_KILLED) && dz_pid_eq(m->from, s->stuck))
        atomic_store(&s->killed, true);
    if (m->kind == DZ_MSG_DOWN && says(t, m, DZ_REASON_WORKER_STUCK) && dz_pid_eq(m->from, s->stuck))
        atomic_fetch_add(&s->downs, 1);
    if (m->kind == DZ_MSG_EXIT && says(t, m, DZ_REASON_WORKER_STUCK) && dz_pid_eq(m->from, s->neighbour))
        atomic_fetch_add(&s->exits, 1);
    dz_msg_free(m);
}

static const struct actor_role watcher_role = {.init = watcher_init, .message = watcher_message};

static void parent_handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct scene *s = n->data;
    assert_int_not_equal(m->kind, DZ_MSG_CHILD_EXIT);
    if (m->kind == DZ_MSG_STOP)
        dz_native_finish(t, n, t->rt->reasons[DZ_REASON_SHUTDOWN]);
    if (m->kind == DZ_MSG_NOTICE && m->code == DZ_REQ_WORKER_LOST) {
        struct dz_read r;
        uint32_t fields;
        const char *bytes;
        size_t len;
        dz_read_init(&r, m->data, m->len);
        assert_int_equal(dz_read_array(&r, &fields), 0);
        assert_int_equal(dz_read_skip(&r, NULL, NULL), 0);
        assert_int_equal(dz_read_string(&r, &bytes, &len), 0);
        atomic_store(&s->told_pids, (int64_t)(len / sizeof(struct dz_pid)));
        atomic_store(&s->running_slot, m->from.slot);
        atomic_fetch_add(&s->notices, 1);
    }
    dz_msg_free(m);
}

static void parent_end(struct dz_thread *t, struct dz_native *n)
{
    struct scene *s = n->data;
    (void)t;
    atomic_fetch_add(&s->world.done, 1);
}

static const struct dz_native_ops parent_ops = {.name = "parent", .handle = parent_handle, .end = parent_end};

/* --- the scene --- */

static void setup(struct world *world, struct dz_worker *w)
{
    struct scene *s = (struct scene *)(void *)world;
    if (w->thread.index != 1)
        return;
    if (w->replaces) {
        atomic_fetch_add(&s->fresh, 1);
        return;
    }
    struct actor *stuck = actor_new(&w->thread, &victim_role, 's', s);
    struct actor *neighbour = actor_new(&w->thread, &victim_role, 'n', s);
    stuck->proc.parent = neighbour->proc.parent = s->parent;
    s->stuck = stuck->proc.pid;
    s->neighbour = neighbour->proc.pid;
}

static void make_watcher(struct dz_thread *t, void *arg)
{
    struct scene *s = arg;
    s->watcher = actor_new(t, &watcher_role, 'w', s)->proc.pid;
}

static void count_task(struct dz_thread *t, void *arg)
{
    struct scene *s = arg;
    assert_int_equal(t->index, 1);
    assert_true(dz_worker_of(t)->replaces);
    atomic_fetch_add(&s->tasks, 1);
}

static struct scene *scene_new(uint64_t limit_ms)
{
    struct scene *s = dz_zalloc_must(1, sizeof *s);
    struct dz_guard_hooks hooks = {s, interrupt, running, give_up, sample, take, failed};
    s->world.setup = setup;
    world_init(&s->world, 2, true);
    assert_int_equal(
        dz_native_new(&s->world.foreign, &parent_ops, s, true, NULL, DZ_PID_NONE, NULL, &s->native), 0);
    s->parent = s->native->proc.pid;
    dz_guard_enable(&s->world.sched, limit_ms, &hooks);
    assert_int_equal(dz_sched_start(&s->world.sched), 0);
    assert_int_equal(dz_thread_post(&s->world.foreign, 2, make_watcher, s), 0);
    assert_true(world_reaches(&s->tasks, 1));
    return s;
}

static void scene_block(struct scene *s)
{
    /* The watcher's monitor and link went the same way before. */
    assert_int_equal(actor_send(&s->world.foreign, DZ_MSG_CAST, DZ_PID_NONE, s->stuck, 0, 0), 0);
    assert_true(world_reaches(&s->blocked, 1));
}

static void scene_delete(struct scene *s)
{
    dz_send_signal(&s->world.foreign, DZ_MSG_STOP, DZ_PID_NONE, s->parent, 0, NULL);
    assert_true(world_reaches(&s->world.done, 1));
    world_stop(&s->world);
    dz_free(s);
}

/* --- tests --- */

static void a_stuck_workers_processes_end_and_a_fresh_worker_goes_on_with_its_inbox(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    scene_block(s);
    assert_int_equal(dz_thread_post(&s->world.foreign, 1, count_task, s),
                     0); /* waits behind the stuck turn */
    assert_true(world_reaches(&s->fresh, 1));
    assert_true(world_reaches(&s->tasks, 2));
    assert_true(world_reaches(&s->downs, 1));
    assert_true(world_reaches(&s->exits, 1));
    assert_int_equal(atomic_load(&s->reports), 1);
    assert_int_equal(atomic_load(&s->tells), 1);
    assert_true(atomic_load(&s->ends) > 1);
    assert_int_equal(atomic_load(&s->given_up), 1);
    assert_int_equal(atomic_load(&s->how_stuck), DZ_EXIT_WORKER_STUCK);
    assert_int_equal(atomic_load(&s->how_neighbour), DZ_EXIT_WORKER_LOST);
    assert_int_equal(atomic_load(&s->failed), 0);
    scene_delete(s);
}

static void a_supervisor_hears_of_all_its_children_at_once(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    scene_block(s);
    assert_true(world_reaches(&s->notices, 1));
    assert_int_equal(atomic_load(&s->told_pids), 2);
    assert_int_equal(atomic_load(&s->running_slot), s->stuck.slot);
    assert_true(world_reaches(&s->fresh, 1));
    scene_delete(s);
}

static void a_thread_in_foreign_code_is_left_behind_as_well(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    atomic_store(&s->outside, true);
    scene_block(s);
    assert_true(world_reaches(&s->fresh, 1));
    assert_true(world_reaches(&s->downs, 1));
    scene_delete(s);
}

static void an_exhausted_worker_is_given_up_at_once(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    scene_block(s);
    dz_guard_exhausted(dz_sched_worker(&s->world.sched, 1));
    assert_true(world_reaches(&s->fresh, 1));
    assert_int_equal(atomic_load(&s->ends), 0);
    assert_int_equal(atomic_load(&s->downs), 0); /* another reason than worker_stuck */
    scene_delete(s);
}

static void scene_kill(struct scene *s, struct dz_pid pid)
{
    dz_send_signal(&s->world.foreign, DZ_MSG_KILL, DZ_PID_NONE, pid, 0, s->world.rt.reasons[DZ_REASON_KILLED]);
}

static void a_kill_takes_effect_on_a_turn_without_any_limit(void **state)
{
    (void)state;
    struct scene *s = scene_new(0);
    scene_block(s);
    scene_kill(s, s->stuck);
    assert_true(world_reaches(&s->fresh, 1));
    assert_true(world_reaches(&s->exits, 1));
    assert_true(atomic_load(&s->kills) > 1);
    assert_true(atomic_load(&s->killed));
    assert_int_equal(atomic_load(&s->downs), 0);
    assert_int_equal(atomic_load(&s->ends), 0);
    assert_int_equal(atomic_load(&s->how_stuck), DZ_EXIT_WORKER_STUCK);
    scene_delete(s);
}

static void a_kill_of_one_who_waits_for_its_turn_leaves_the_present_turn_alone(void **state)
{
    (void)state;
    struct scene *s = scene_new(0);
    scene_block(s);
    scene_kill(s, s->neighbour);
    assert_true(world_reaches(&s->seen_running, 5));
    assert_int_equal(atomic_load(&s->kills), 1); /* to learn whose turn it is */
    assert_int_equal(atomic_load(&s->given_up), 0);
    scene_kill(s, s->stuck);
    assert_true(world_reaches(&s->fresh, 1));
    scene_delete(s);
}

static void a_worker_that_gets_stuck_while_all_stop_is_not_waited_for(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    scene_block(s);
    dz_send_signal(&s->world.foreign, DZ_MSG_STOP, DZ_PID_NONE, s->parent, 0, NULL);
    assert_true(world_reaches(&s->world.done, 1));
    world_stop(&s->world); /* returns once the guard has given it up */
    assert_int_equal(atomic_load(&s->fresh), 0);
    assert_int_equal(atomic_load(&s->how_stuck), DZ_EXIT_WORKER_STUCK);
    dz_free(s);
}

static void one_who_owns_a_worker_may_block(void **state)
{
    (void)state;
    struct scene *s = scene_new(LIMIT_MS);
    int index = dz_sched_add_worker(&s->world.sched);
    assert_int_equal(index, 3);
    dz_sched_own(&s->world.sched, 3, DZ_PID_NONE);
    assert_int_equal(dz_sched_add_worker(&s->world.sched), 3); /* nobody's: taken again */
    assert_int_equal(dz_sched_add_worker(&s->world.sched), 4);
    dz_sched_own(&s->world.sched, 3, s->stuck); /* while that lives it is not */
    assert_int_equal(dz_sched_add_worker(&s->world.sched), 5);
    scene_delete(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stuck_workers_processes_end_and_a_fresh_worker_goes_on_with_its_inbox),
        cmocka_unit_test(a_supervisor_hears_of_all_its_children_at_once),
        cmocka_unit_test(a_thread_in_foreign_code_is_left_behind_as_well),
        cmocka_unit_test(an_exhausted_worker_is_given_up_at_once),
        cmocka_unit_test(a_kill_takes_effect_on_a_turn_without_any_limit),
        cmocka_unit_test(a_kill_of_one_who_waits_for_its_turn_leaves_the_present_turn_alone),
        cmocka_unit_test(a_worker_that_gets_stuck_while_all_stop_is_not_waited_for),
        cmocka_unit_test(one_who_owns_a_worker_may_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
