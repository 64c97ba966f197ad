/* Random events against a machine, with fixed seeds. What must hold whatever happens:
 *   - never two processes for one child, nor a start beside a process (world.h asserts it at every START);
 *   - a STOP goes to a living process and once; a supervisor at rest that is stopped stops in reverse start
 * order;
 *   - every request is answered exactly once, every START has one answer;
 *   - child_started comes for a child nobody knows to run, child_stopped for one everybody knows to run, and
 * when the supervisor has ended none is known to run;
 *   - after EXIT no process lives, and only replies come;
 *   - the supervisor ends exactly when its restarts exceed the window. */
#include "world.h"

#define STEPS        400
#define REQUESTS_MAX (STEPS + 8)

#define IDS_MAX 1024

struct model {
    struct world *w;
    char running[IDS_MAX][16]; /* children whose start was told and whose end was not */
    int running_count;
    uint64_t random;
    int answers[REQUESTS_MAX];
    int requests;
    uint32_t next_id;
};

static uint64_t roll(struct model *m, uint64_t sides)
{
    m->random += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = m->random;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (z ^ (z >> 31)) % sides;
}

static int find_running(struct model *m, const char *id)
{
    for (int i = 0; i < m->running_count; i++)
        if (strcmp(m->running[i], id) == 0)
            return i;
    return -1;
}

/* "+ started a ...": the story of each child makes sense. */
static void follow_story(struct model *m, const char *line)
{
    char what[16], id[16];
    if (sscanf(line, "+ %15s %15s", what, id) != 2)
        return;
    int at = find_running(m, id);
    bool started = strcmp(what, "started") == 0;
    if (started)
        assert_int_equal(at, -1);
    if (strcmp(what, "stopped") == 0) {
        assert_int_not_equal(at, -1);
        memcpy(m->running[at], m->running[--m->running_count], sizeof m->running[at]);
    } else if (at == -1 && (started || strcmp(what, "restarted") == 0 || strcmp(what, "migrated") == 0)) {
        assert_in_range(m->running_count, 0, IDS_MAX - 1);
        memcpy(m->running[m->running_count++], id, sizeof id);
    }
}

/* The lines of the trace since the last look. */
static void count_answers(struct model *m)
{
    struct world *w = m->w;
    dz_buf_append_u8(&w->trace, 0);
    for (const char *line = (const char *)w->trace.data; *line;) {
        int who;
        if (sscanf(line, "reply %d ", &who) == 1) {
            assert_in_range(who, 0, m->requests - 1);
            m->answers[who]++;
            assert_int_equal(m->answers[who], 1);
        }
        follow_story(m, line);
        line = strchr(line, '\n') + 1;
    }
    world_forget(w);
}

/* At rest, a stop names the living children from last to first. */
static void stop_in_reverse(struct model *m, bool simple)
{
    char expected[16384] = "", line[64];
    world_run(m->w);
    count_answers(m);
    if (m->w->exited)
        return;
    uint32_t first = m->w->stop_count;
    for (const struct dz_sup_child *c = dz_sup_first_child(m->w->sup); c;
         c = dz_sup_next_child(m->w->sup, c)) {
        struct dz_sup_child_info info;
        dz_sup_child_info(m->w->sup, c, &info);
        if (!info.has_pid)
            continue;
        size_t len = (size_t)snprintf(line, sizeof line, "%s ", info.id);
        memmove(expected + len, expected, strlen(expected) + 1);
        memcpy(expected, line, len);
    }
    world_stop(m->w, (uint64_t)m->requests++, "\"shutdown\"");
    const char *at = expected;
    for (uint32_t i = first; i < m->w->stop_count; i++) {
        const char *id = world_proc_of(m->w, m->w->stops[i])->id;
        assert_memory_equal(at, id, strlen(id));
        at += strlen(id) + 1;
    }
    assert_int_equal(*at, 0);
    assert_true(simple || m->w->exited);
    count_answers(m);
}

static struct world_proc *any_live(struct model *m)
{
    struct world_proc *found = NULL;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < m->w->proc_count; i++)
        if (m->w->procs[i].live && roll(m, ++seen) == 0)
            found = &m->w->procs[i];
    return found;
}

static const char *any_id(struct model *m, char *out, size_t cap)
{
    uint64_t count = 0;
    snprintf(out, cap, "nobody");
    for (const struct dz_sup_child *c = dz_sup_first_child(m->w->sup); c;
         c = dz_sup_next_child(m->w->sup, c)) {
        struct dz_sup_child_info info;
        dz_sup_child_info(m->w->sup, c, &info);
        if (roll(m, ++count) == 0)
            snprintf(out, cap, "%s", info.id);
    }
    return out;
}

static void crash_someone(struct model *m)
{
    static const char *const reasons[] = {"\"boom\"", "\"normal\"", "\"shutdown\"",
                                          "{ code = \"error\", message = \"x\" }"};
    struct world_proc *p = any_live(m);
    if (p != NULL)
        world_gone(m->w, p, reasons[roll(m, 4)]);
}

static void start_someone(struct model *m, bool simple)
{
    static const char *const kinds[] = {"permanent", "transient", "temporary"};
    char text[160];
    if (simple)
        snprintf(text, sizeof text, "{ 1 }");
    else
        snprintf(text, sizeof text, "{ id = \"n%u\", behavior = \"w\", restart = \"%s\" }", m->next_id++ % 7,
                 kinds[roll(m, 3)]);
    struct dz_buf term = literal(text);
    dz_sup_start_child(m->w->sup, m->w->now, (uint64_t)m->requests++, term.data, term.len);
    world_drain(m->w);
    dz_buf_fini(&term);
}

static void lose_or_return_node(struct model *m)
{
    struct world *w = m->w;
    uint32_t node = 1 + (uint32_t)roll(m, 2);
    if (!w->nodes[node].connected) {
        w->nodes[node].connected = true;
        dz_sup_node_up(w->sup, w->now);
        world_drain(w);
        return;
    }
    w->nodes[node].connected = false;
    for (uint32_t i = 0; i < w->proc_count; i++)
        if (w->procs[i].pid.node == node)
            w->procs[i].live = w->procs[i].stopping = false;
    dz_sup_node_lost(w->sup, w->now, node);
    world_drain(w);
    for (uint32_t i = w->start_next; i < w->start_count && !w->exited; i++)
        if (w->starts[i].open && w->starts[i].node == node)
            world_answer_start(w, &w->starts[i], DZ_ENOCONNECTION, true);
}

static void lose_worker(struct model *m)
{
    struct world_proc *p = any_live(m);
    if (p == NULL)
        return;
    struct dz_buf reason = literal("\"worker_stuck\"");
    struct dz_pid pid = p->pid;
    p->live = p->stopping = false;
    dz_sup_worker_lost(m->w->sup, m->w->now, &pid, 1, roll(m, 2) ? &pid : NULL, reason.data, reason.len);
    world_drain(m->w);
    dz_buf_fini(&reason);
}

static void one_event(struct model *m, bool simple)
{
    struct world *w = m->w;
    char id[32];
    switch (roll(m, 16)) {
    case 0:
    case 1:
        crash_someone(m);
        break;
    case 2:
        start_someone(m, simple);
        break;
    case 3:
        any_id(m, id, sizeof id);
        dz_sup_terminate_child(w->sup, w->now, (uint64_t)m->requests++, id, strlen(id));
        break;
    case 4:
        any_id(m, id, sizeof id);
        dz_sup_restart_child(w->sup, w->now, (uint64_t)m->requests++, id, strlen(id));
        break;
    case 5:
        world_fail(w, any_id(m, id, sizeof id), 1);
        break;
    case 6:
        lose_or_return_node(m);
        break;
    case 7:
        w->now += roll(m, 400);
        dz_sup_tick(w->sup, w->now);
        break;
    case 8:
        if (roll(m, 4) == 0)
            lose_worker(m);
        break;
    default:
        for (uint64_t n = roll(m, 4); n > 0 && !w->exited; n--)
            world_step(w);
        break;
    }
    world_drain(w);
}

/* Records that say they run have a living process, and no living process is without a record. */
static void check_records(struct model *m)
{
    struct world *w = m->w;
    struct dz_sup_child_info info;
    struct dz_sup_counts counts;
    uint32_t live = 0, recorded = 0;
    for (const struct dz_sup_child *c = dz_sup_first_child(w->sup); c; c = dz_sup_next_child(w->sup, c)) {
        dz_sup_child_info(w->sup, c, &info);
        if (info.status == DZ_CHILD_RUNNING)
            assert_true(info.has_pid);
        if (!info.has_pid)
            continue;
        recorded++;
        assert_true(world_proc_of(w, info.pid)->live);
        assert_ptr_equal(dz_sup_child_of(w->sup, info.pid), c);
    }
    for (uint32_t i = 0; i < w->proc_count; i++)
        live += w->procs[i].live;
    dz_sup_count_children(w->sup, &counts);
    assert_int_equal(live, recorded);
    assert_int_equal(counts.active, live);
}

static void play(const char *spec, uint64_t seed, bool simple)
{
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->random = seed;
    m->w = world_new(spec);
    m->w->node_count = 3;
    world_start(m->w);
    count_answers(m);
    for (int i = 0; i < STEPS && !m->w->exited; i++) {
        one_event(m, simple);
        count_answers(m);
        if (!m->w->exited)
            check_records(m);
    }
    if (!m->w->exited)
        stop_in_reverse(m, simple);
    assert_true(m->w->exited);
    assert_int_equal(m->running_count, 0);
    for (int i = 0; i < m->requests; i++)
        assert_int_equal(m->answers[i], 1);
    for (uint32_t i = 0; i < m->w->start_count; i++)
        assert_false(m->w->starts[i].open);
    world_delete(m->w);
    free(m);
}

#define CHILDREN                                                                                             \
    "children = { { id = \"a\", behavior = \"w\" }, { id = \"b\", behavior = \"w\", restart = "              \
    "\"transient\" }, "                                                                                      \
    "{ id = \"c\", behavior = \"w\", backoff = { initial_ms = 50 } }, { id = \"d\", behavior = \"w\", "      \
    "restart = \"temporary\" }, { id = \"e\", behavior = \"w\", node_selector = { node = \"b@h:2\" } } }"

static void play_strategy(const char *strategy, const char *intensity)
{
    char spec[1024];
    snprintf(spec, sizeof spec,
             "{ strategy = \"%s\", node_selector = \"round_robin\", restart_intensity = %s, " CHILDREN " }",
             strategy, intensity);
    for (uint64_t seed = 1; seed <= 60; seed++)
        play(spec, seed, false);
}

static void one_for_one_keeps_its_promises(void **state)
{
    (void)state;
    play_strategy("one_for_one", "{ max_restarts = inf }");
    play_strategy("one_for_one", "{ max_restarts = 5, within_ms = 1000 }");
}

static void one_for_all_keeps_its_promises(void **state)
{
    (void)state;
    play_strategy("one_for_all", "{ max_restarts = inf }");
    play_strategy("one_for_all", "{ max_restarts = 5, within_ms = 1000 }");
}

static void rest_for_one_keeps_its_promises(void **state)
{
    (void)state;
    play_strategy("rest_for_one", "{ max_restarts = inf }");
    play_strategy("rest_for_one", "{ max_restarts = 5, within_ms = 1000 }");
}

static void simple_one_for_one_keeps_its_promises(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        play("{ strategy = \"simple_one_for_one\", node_selector = \"random\", restart_intensity = { "
             "max_restarts = 20 }, "
             "child_template = { behavior = \"w\", restart = \"transient\" } }",
             seed, true);
}

static void auto_shutdown_keeps_its_promises(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        play("{ auto_shutdown = \"all_significant\", node_selector = \"least_loaded\", children = { "
             "{ id = \"a\", behavior = \"w\" }, { id = \"s\", behavior = \"w\", significant = true }, "
             "{ id = \"t\", behavior = \"w\", significant = true, restart = \"transient\" } } }",
             seed, false);
}

/* Crashes and failing starts at random moments, against the definition of the window. */
static void the_supervisor_ends_exactly_when_the_window_is_exceeded(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct model m = {.random = seed};
        uint64_t times[200];
        int count = 0;
        bool over = false;
        m.w = world_started("{ restart_intensity = { max_restarts = 4, within_ms = 300 }, children = { "
                            "{ id = \"a\", behavior = \"w\" } } }");
        for (int i = 0; i < 50 && !over; i++) {
            int failures = roll(&m, 3) == 0;
            m.w->now += roll(&m, 200);
            for (int j = 0; j <= failures && !over; j++) {
                int within = 1;
                for (int k = 0; k < count; k++)
                    within += m.w->now - times[k] <= 300;
                over = within > 4;
                times[count++] = m.w->now;
            }
            world_fail(m.w, "a", failures);
            world_crash(m.w, "a");
            assert_int_equal(m.w->exited, over);
        }
        world_delete(m.w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_for_one_keeps_its_promises),
        cmocka_unit_test(one_for_all_keeps_its_promises),
        cmocka_unit_test(rest_for_one_keeps_its_promises),
        cmocka_unit_test(simple_one_for_one_keeps_its_promises),
        cmocka_unit_test(auto_shutdown_keeps_its_promises),
        cmocka_unit_test(the_supervisor_ends_exactly_when_the_window_is_exceeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
