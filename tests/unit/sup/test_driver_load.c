/* test_driver_load.c - many children, and supervisors that are stopped, killed and crashed at random. */
#include "tree.h"

#include <stdio.h>
#include <time.h>

/* --- many children --- */

#define MANY 10000

static double cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct dz_buf many_children(int count)
{
    struct dz_buf text;
    dz_buf_init(&text);
    dz_buf_printf(&text, "{ children = {");
    for (int i = 0; i < count; i++)
        dz_buf_printf(&text, "{ id = \"c%d\", behavior = \"ok\" },", i);
    dz_buf_printf(&text, "} }");
    dz_buf_append_u8(&text, 0);
    return text;
}

/* Starts and stops so many; how long that took. */
static double start_and_stop(struct tree *w, int count)
{
    struct dz_buf text = many_children(count);
    double begun = cpu_ms();
    tree_start(w, (const char *)text.data);
    assert_int_equal(w->live, count);
    tree_stop(w);
    assert_int_equal(w->live, 0);
    dz_buf_fini(&text);
    return cpu_ms() - begun;
}

/* Ten times as many take about ten times as long: a quadratic step would take a hundred times. */
static void starting_and_stopping_many_children_is_linear(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.quiet = true;
    double few = start_and_stop(&w, MANY / 10);
    double many = start_and_stop(&w, MANY);
    w.kid_count = 0;
    many = (many + start_and_stop(&w, MANY)) / 2;
    assert_true(many < 40 * (few + 1));
    tree_fini(&w);
}

static void many_dynamic_children_stop_at_once(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.quiet = true;
    tree_start(&w, "{ strategy = \"simple_one_for_one\", child_template = { behavior = \"ok\" } }");
    for (int i = 0; i < MANY; i++)
        tree_post(&w, DZ_REQ_START_CHILD, "{}");
    rig_turn(&w.rig);
    assert_int_equal(w.live, MANY);
    double begun = cpu_ms();
    tree_stop(&w);
    assert_true(cpu_ms() - begun < 5000);
    assert_int_equal(w.live, 0);
    tree_fini(&w);
}

/* --- restarts --- */

static void a_child_may_crash_a_thousand_times(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.quiet = true;
    tree_start(&w, "{ restart_intensity = { max_restarts = 1000, within_ms = 5000 }, "
                   "children = { { id = \"a\", behavior = \"ok\" } } }");
    for (int i = 0; i < 1000; i++)
        tree_crash(&w, "a");
    assert_int_equal(w.live, 1);
    tree_crash(&w, "a");
    assert_int_equal(w.live, 0);
    tree_fini(&w);
}

/* --- at random --- */

#define SEEDS 400

static const char *const behaviors[] = {"ok", "ok", "lazy", "slow", "flaky", "stubborn", "never", "bad"};
static const char *const strategies[] = {"one_for_one", "one_for_all", "rest_for_one"};

static uint32_t pick(uint64_t *seed, uint32_t n)
{
    return (uint32_t)(check_random(seed) % n);
}

static void put_child(struct dz_buf *out, uint64_t *seed, const char *id, uint32_t kinds)
{
    static const char *const restarts[] = {"permanent", "transient", "temporary"};
    bool far = pick(seed, 5) == 0;
    dz_buf_printf(
        out,
        "{ id = \"%s\", behavior = \"%s\", restart = \"%s\", start_timeout = 150, shutdown_timeout = %u%s }",
        id, behaviors[pick(seed, kinds)], restarts[pick(seed, 3)], 20 + 60 * pick(seed, 2),
        far ? ", node_selector = \"round_robin\"" : "");
}

static void start_at_random(struct tree *w, uint64_t *seed)
{
    struct dz_buf text;
    dz_buf_init(&text);
    dz_buf_printf(
        &text,
        "{ strategy = \"%s\", restart_intensity = { max_restarts = %u, within_ms = 1000 }, children = { ",
        strategies[pick(seed, 3)], pick(seed, 6));
    for (uint32_t i = 0; i < 4; i++) {
        char id[8];
        snprintf(id, sizeof id, "s%u", i);
        put_child(&text, seed, id, i == 3 && pick(seed, 4) == 0 ? 8 : 4);
        dz_buf_printf(&text, ", ");
    }
    dz_buf_printf(&text, "{ id = \"in\", supervisor = { strategy = \"%s\", children = { ",
                  strategies[pick(seed, 3)]);
    put_child(&text, seed, "x", 5);
    dz_buf_printf(&text, ", ");
    put_child(&text, seed, "y", 4);
    dz_buf_printf(&text, " } } } } }");
    dz_buf_append_u8(&text, 0);
    tree_post_start(w, (const char *)text.data, 0);
    dz_buf_fini(&text);
}

static void ask_at_random(struct tree *w, uint64_t *seed)
{
    static const char *const ids[] = {"\"s0\"", "\"s1\"", "\"s2\"", "\"s3\"", "\"in\"", "\"d\"", "\"e\""};
    struct dz_buf text;
    switch (pick(seed, 4)) {
    case 0:
        dz_buf_init(&text);
        put_child(&text, seed, pick(seed, 2) ? "d" : "e", 8);
        dz_buf_append_u8(&text, 0);
        tree_post(w, DZ_REQ_START_CHILD, (const char *)text.data);
        dz_buf_fini(&text);
        break;
    case 1:
        tree_post(w, DZ_REQ_TERMINATE_CHILD, ids[pick(seed, 7)]);
        break;
    case 2:
        tree_post(w, DZ_REQ_RESTART_CHILD, ids[pick(seed, 7)]);
        break;
    default:
        tree_post(w, pick(seed, 2) ? DZ_REQ_CHILDREN : DZ_REQ_STATS, "nil");
    }
}

static void hurt_at_random(struct tree *w, uint64_t *seed)
{
    struct tree_kid *kid =
        w->kid_count ? &w->kids[w->kid_count - 1 - pick(seed, w->kid_count < 12 ? w->kid_count : 12)] : NULL;
    if (kid && kid->actor)
        actor_send(&w->rig.threads[0], DZ_MSG_CAST, w->desk, kid->pid, 0, 1 + pick(seed, 2));
    if (w->far_count == 0)
        return;
    struct tree_far *f = &w->far[pick(seed, w->far_count)];
    if (f->open)
        tree_far_up(w, f);
    else if (f->alive)
        tree_far_end(w, f, pick(seed, 2) ? DZ_REASON_KILLED : DZ_REASON_NORMAL);
}

static void lose_or_regain(struct tree *w)
{
    if (w->far_there) {
        for (uint32_t i = 0; i < w->far_count; i++)
            w->far[i].alive = w->far[i].open = false;
        tree_lose_far(w);
    } else {
        w->far_there = true;
        w->far_error = w->rig.wire_error = 0;
        dz_native_notify_all(&w->rig.threads[0], DZ_REQ_NODE_UP, w->rig.far, (const uint8_t *)"\xc0", 1);
    }
}

/* A few steps of the world, not until it is quiet: messages stay under way. */
static void turn_a_little(struct tree *w, uint64_t *seed)
{
    for (uint32_t i = pick(seed, 6); i > 0; i--) {
        struct dz_thread *t = &w->rig.threads[pick(seed, RIG_THREADS)];
        t->now_ns = w->rig.now_ns;
        switch (pick(seed, 4)) {
        case 0:
            rig_drain(&w->rig, t->index);
            break;
        case 1:
            dz_timers_run(t, t->now_ns);
            break;
        case 2:
            rig_run_natives(&w->rig, t);
            break;
        default:
            rig_run_process(t);
        }
    }
}

static void end_at_random(struct tree *w, uint64_t *seed)
{
    static const enum dz_msg_kind kinds[] = {DZ_MSG_KILL, DZ_MSG_PARENT_EXIT, DZ_MSG_EXIT};
    const struct dz_blob *reason = w->rig.rt.reasons[DZ_REASON_NORMAL];
    uint32_t how = pick(seed, 5);
    if (how < 3)
        dz_send_signal(&w->rig.threads[0], kinds[how], w->desk, w->sup, 0,
                       w->rig.rt.reasons[DZ_REASON_SHUTDOWN]);
    else
        tree_ask_raw(w, DZ_MSG_STOP, 0, reason->data, reason->len);
}

/* Every question is answered once (tree_fini looks), and with the supervisor everything below it is gone. */
static void live_and_die(uint64_t seed)
{
    struct tree w;
    tree_init(&w);
    w.quiet = w.far_there = true;
    w.bad_inits = pick(&seed, 4);
    w.far_holds = pick(&seed, 2);
    start_at_random(&w, &seed);
    uint32_t steps = pick(&seed, 60);
    for (uint32_t i = 0; i < steps && w.far_count + 16 < TREE_FAR; i++) {
        uint32_t what = pick(&seed, 10);
        if (what < 4)
            ask_at_random(&w, &seed);
        else if (what < 7)
            hurt_at_random(&w, &seed);
        else if (what == 7)
            w.rig.now_ns += (1 + pick(&seed, 120)) * RIG_MS;
        else if (what == 8 && pick(&seed, 3) == 0)
            lose_or_regain(&w);
        turn_a_little(&w, &seed);
    }
    end_at_random(&w, &seed);
    turn_a_little(&w, &seed);
    for (int i = 0; i < 40; i++)
        rig_pass_ms(&w.rig, 50);
    assert_int_equal(dz_driver_list(&w.driver, false, NULL, 0), 0);
    for (uint32_t i = 0; i < w.kid_count; i++)
        if (w.kids[i].actor && strcmp(w.kids[i].behavior, "stubborn") == 0)
            dz_send_signal(&w.rig.threads[0], DZ_MSG_KILL, w.desk, w.kids[i].pid, 0, NULL);
    rig_turn(&w.rig); /* told to end by a killed supervisor, they do not: nobody is left to kill them */
    assert_int_equal(w.live, 0);
    for (uint32_t i = 0; i < w.far_count; i++)
        assert_false(w.far[i].alive || w.far[i].open);
    tree_fini(&w);
}

static void whatever_happens_all_is_answered_and_nothing_is_left(void **state)
{
    uint64_t *seed = *state;
    for (*seed = 1; *seed <= SEEDS; (*seed)++)
        live_and_die(*seed);
}

int main(void)
{
    uint64_t seed = 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starting_and_stopping_many_children_is_linear),
        cmocka_unit_test(many_dynamic_children_stop_at_once),
        cmocka_unit_test(a_child_may_crash_a_thousand_times),
        cmocka_unit_test_prestate(whatever_happens_all_is_answered_and_nothing_is_left, &seed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed)
        printf("the last seed was %d\n", (int)seed);
    return failed;
}
