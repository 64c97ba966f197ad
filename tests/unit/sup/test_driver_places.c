/* test_driver_places.c - where children come from: functions, inner supervisors, other nodes, cluster-wide
 * names. */
#include "tree.h"

#define ON_FAR "node_selector = { node = \"" FAR_NODE "\" }"

/* --- selector functions --- */

#define CHOSEN "{ children = {}, node_selector = function }"

/* It never gets to run, for its worker is busy; the supervisor waits no longer than for any other. */
/* --- start functions --- */

static void a_killed_supervisor_does_not_wait_for_a_selector(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, CHOSEN);
    w.function = TREE_IS_SILENT;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_signal(&w, DZ_MSG_KILL, DZ_REASON_KILLED);
    tree_expect(
        &w, "function [[local@127.0.0.1:0],a];#2 !child_start_failed a shutdown;+supervisor_stopped killed;");
    tree_fini(&w);
}

/* --- inner supervisors --- */

#define NESTED                                                                                               \
    "{ name = \"top\", children = { { id = \"a\", behavior = \"ok\" }, { id = \"in\", supervisor = { "       \
    "restart_intensity = { max_restarts = 0 }, children = { { id = \"x\", behavior = \"ok\" }, "             \
    "{ id = \"y\", behavior = \"lazy\" } } } } } }"

static void an_inner_supervisor_stops_with_its_parent(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_start(&w, NESTED);
    tree_expect(&w, "register top;init a;+child_started a;init x;+child_started x;init y;+child_started y;"
                    "+supervisor_started;+child_started in;+supervisor_started;#1 <pid>;");
    tree_ask(&w, DZ_REQ_COUNT_CHILDREN, "nil");
    tree_expect(&w, "#2 {specs=2,active=2,supervisors=1,workers=1};");
    tree_stop(&w);
    rig_pass_ms(&w.rig, 50);
    tree_expect(
        &w, "end y shutdown;gone y;+child_stopped y shutdown;end x shutdown;gone x;+child_stopped x shutdown;"
            "+supervisor_stopped shutdown;+child_stopped in shutdown;end a shutdown;gone a;"
            "+child_stopped a shutdown;+supervisor_stopped normal;#3 nil;");
    tree_fini(&w);
}

static void an_inner_supervisor_that_gives_up_is_started_afresh(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, NESTED);
    tree_crash(&w, "x");
    rig_pass_ms(&w.rig, 50);
    tree_expect(&w,
                "end x crash;gone x;end y shutdown;gone y;+child_stopped y shutdown;+child_stopped x crash;"
                "+supervisor_stopped max_restarts_exceeded;init x;+child_started x;init y;+child_started y;"
                "+supervisor_started;+child_restarted in 1 max_restarts_exceeded;");
    assert_int_equal(w.live, 3);
    tree_fini(&w);
}

/* What it had started is gone before the outer one answers. */
static void breaking_off_an_inner_supervisor_stops_what_it_started(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_start(
        &w, "{ children = { { id = \"in\", supervisor = { children = { { id = \"x\", behavior = \"lazy\" }, "
            "{ id = \"y\", behavior = \"never\" } } } } } }");
    tree_expect(&w, "init x;+child_started x;init y;");
    tree_stop(&w);
    tree_expect(&w, "gone y;end x shutdown;");
    rig_pass_ms(&w.rig, 50);
    tree_expect(&w, "gone x;+child_stopped x shutdown;#1 !child_start_failed in shutdown;#2 nil;");
    assert_int_equal(w.live, 0);
    tree_fini(&w);
}

static void an_inner_start_that_fails_is_the_cause(void **state)
{
    (void)state;
    struct tree w;
    char text[512];
    tree_init(&w);
    tree_start(&w,
               "{ name = \"top\", children = { { id = \"in\", supervisor = { name = \"inner\", children = { "
               "{ id = \"x\", behavior = \"missing\" } } } } } }");
    tree_expect(&w, "register top;register inner;#1 !behavior_not_found in ;");
    tree_note(&w, "%s", tree_text(w.last.data, w.last.len, text, sizeof text));
    tree_expect(
        &w,
        "{code=behavior_not_found,message=no such behaviour (supervisor inner, child x) "
        "(supervisor top, child in),supervisor_id=top,child_id=in};");
    tree_fini(&w);
}

/* --- other nodes --- */

static void a_child_starts_on_another_node(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    tree_start(&w, "{ name = \"to/p\", children = { { id = \"a%b\", behavior = \"ok\", " ON_FAR " } } }");
    tree_expect(
        &w, "register to/p;far spawn a%b to%2Fp/a%25b 2;+child_started a%b;+supervisor_started;#1 <pid>;");
    tree_ask(&w, DZ_REQ_STATS, "nil");
    tree_expect(
        &w,
        "#2 {id=to/p,strategy=one_for_one,child_count=1,children_by_node={far@10.0.0.2:4000=1},total_restarts"
        "=0,node_failure_restarts=0,started_at=1000,uptime_ms=0};");
    tree_far_end(&w, tree_far(&w, "a%b"), DZ_REASON_KILLED);
    rig_turn(&w.rig);
    tree_expect(&w, "far spawn a%b to%2Fp/a%25b 2;+child_restarted a%b 1 killed;");
    tree_stop(&w);
    tree_expect(&w, "far stop a%b;+child_stopped a%b shutdown;+supervisor_stopped normal;#3 nil;");
    tree_fini(&w);
}

static void a_lost_nodes_children_move_after_the_loss_was_told(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    tree_up(&w, "{ node_selector = \"round_robin\", children = { { id = \"a\", behavior = \"ok\" }, "
                "{ id = \"b\", behavior = \"ok\" }, { id = \"c\", behavior = \"ok\" }, "
                "{ id = \"d\", behavior = \"ok\", restart = \"temporary\" } } }");
    struct dz_pid a = tree_find(&w, "a")->pid;
    tree_lose_far(&w);
    tree_expect(&w, "+node_failure_detected [b,d];+child_stopped d node_down;init b;"
                    "+child_migrated b far@10.0.0.2:4000 local@127.0.0.1:0;");
    assert_true(dz_pid_eq(tree_find(&w, "a")->pid, a));
    tree_ask(&w, DZ_REQ_STATS, "nil");
    tree_expect(
        &w,
        "#2 {id=sup_1@local@127.0.0.1:0,strategy=one_for_one,child_count=3,children_by_node={local@127.0.0.1:"
        "0=3},total_restarts=1,node_failure_restarts=1,started_at=1000,uptime_ms=0};");
    tree_fini(&w);
}

static void a_pinned_child_waits_for_its_node(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\", " ON_FAR " } } }");
    tree_lose_far(&w);
    tree_expect(&w, "+node_failure_detected [a];+child_pending a the node is not known;");
    w.far_there = true;
    w.far_error = w.rig.wire_error = 0;
    dz_native_notify_all(&w.rig.threads[0], DZ_REQ_NODE_UP, w.rig.far, (const uint8_t *)"\xc0", 1);
    rig_turn(&w.rig);
    tree_expect(&w,
                "far spawn a sup_1@local@127.0.0.1:0#7956156453446585/a 2;+child_restarted a 1 node_down;");
    tree_fini(&w);
}

/* It came back under the same name in a new life: its process is not one of the node the child was placed on.
 */
/* Nothing that it would do about the loss is done any more. */
static void the_loss_of_its_parents_node_ends_it(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    w.parent = rig_far_pid(&w.rig);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\" }, { id = \"b\", behavior = \"ok\", " ON_FAR
                " } } }");
    tree_lose_far(&w);
    tree_expect(
        &w, "+child_stopped b noconnection;+child_stopped a noconnection;+supervisor_stopped noconnection;"
            "end a noconnection;gone a;");
    assert_int_equal(w.live, 0);
    w.far[0].alive = false;
    tree_fini(&w);
}

static void without_a_cluster_there_is_only_this_node(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    w.rig.rt.ports.spawn_far = NULL;
    tree_start(&w, "{ children = { { id = \"a\", behavior = \"ok\", " ON_FAR " } } }");
    tree_expect(&w, "#1 !noconnection a ;");
    tree_fini(&w);
}

static void a_superseded_supervisor_does_not_start(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.placed_error = DZ_ESUPERSEDED;
    tree_start(&w, "{ children = { { id = \"a\", behavior = \"ok\" } } }");
    tree_expect(&w, "#1 !superseded  ;");
    tree_fini(&w);
}

static void a_superseded_child_counts_nowhere(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w,
            "{ restart_intensity = { max_restarts = 0 }, children = { { id = \"a\", behavior = \"ok\" } } }");
    dz_send_signal(&w.rig.threads[0], DZ_MSG_STOP, DZ_PID_NONE, tree_find(&w, "a")->pid, 0,
                   w.rig.rt.reasons[DZ_REASON_SUPERSEDED]);
    rig_turn(&w.rig);
    tree_expect(&w, "end a superseded;gone a;+child_stopped a superseded;");
    tree_fini(&w);
}

/* One restart is allowed, and used by the inner one's end. */
static void an_inner_supervisor_superseded_while_it_starts_counts_nowhere(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_start(&w, "{ name = \"top\", restart_intensity = { max_restarts = 1 }, children = { { id = \"in\", supervisor = { "
                   "restart_intensity = { max_restarts = 0 }, children = { { id = \"a\", behavior = \"ok\" }, "
                   "{ id = \"s\", behavior = \"slow\" } } } } } }");
    rig_pass_ms(&w.rig, 200);
    w.rig.len = 0;
    tree_crash(&w, "a");
    w.rig.len = 0;
    dz_send_signal(&w.rig.threads[0], DZ_MSG_STOP, DZ_PID_NONE, tree_find(&w, "a")->actor->proc.parent, 0,
                   w.rig.rt.reasons[DZ_REASON_SUPERSEDED]);
    rig_turn(&w.rig);
    tree_expect(&w, "gone s;end a superseded;gone a;+child_stopped a superseded;+child_stopped in superseded;");
    tree_ask(&w, DZ_REQ_COUNT_CHILDREN, "nil");
    tree_expect(&w, "#2 {specs=1,active=0,supervisors=1,workers=0};");
    tree_fini(&w);
}

/* --- cluster-wide names --- */

#define NAMED "{ name = \"top\", children = { { id = \"a\", behavior = \"ok\" } } }"

static void the_name_is_asked_for_before_children_start(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.name_held = true;
    tree_start(&w, NAMED);
    tree_expect(&w, "register top;");
    tree_ask(&w, DZ_REQ_STATS, "nil");
    tree_expect(&w, "#2 !supervisor_not_found  ;");
    dz_send_reply(&w.rig.threads[0], w.desk, w.name_asker, w.name_ref, NULL, 0);
    rig_turn(&w.rig);
    tree_expect(&w, "init a;+child_started a;+supervisor_started;#1 <pid>;");
    tree_fini(&w);
}

static void a_taken_name_refuses_the_start(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.name_taken = true;
    tree_start(&w, NAMED);
    tree_expect(&w, "register top;#1 !name_taken  ;");
    tree_fini(&w);
}

static void stop_while_the_name_is_asked_for_ends_it(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.name_held = true;
    tree_start(&w, NAMED);
    tree_signal(&w, DZ_MSG_EXIT, DZ_REASON_NORMAL); /* of a linked process: no reason to end */
    tree_stop(&w);
    tree_expect(&w, "register top;#2 nil;#1 !shutdown  ;");
    tree_fini(&w);
}

static void the_loser_of_a_name_stops_as_superseded(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, NAMED);
    struct dz_buf info = literal("{ type = \"name_conflict\", name = \"top\" }");
    struct dz_msg *m = dz_msg_new_copy(DZ_MSG_INFO, info.data, info.len);
    dz_buf_fini(&info);
    m->to = w.sup;
    dz_send_must(&w.rig.threads[0], m);
    rig_turn(&w.rig);
    tree_expect(&w, "end a superseded;gone a;+child_stopped a superseded;+supervisor_stopped superseded;");
    tree_fini(&w);
}

static void a_taken_local_name_refuses_an_inner_supervisor(void **state)
{
    (void)state;
    struct tree w;
    char text[512];
    tree_init(&w);
    tree_up(&w, "{ name = \"top\", children = { { id = \"a\", behavior = \"ok\", name = \"n\" } } }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"in\", name = \"n\", supervisor = { children = {} } }");
    tree_note(&w, "%s", tree_text(w.last.data, w.last.len, text, sizeof text));
    tree_expect(
        &w,
        "#2 !name_taken in ;"
        "{code=name_taken,message=the name is taken (supervisor top, child in),supervisor_id=top,child_id=in,"
        "name=n,owner=<pid>};");
    tree_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_supervisor_does_not_wait_for_a_selector),
        cmocka_unit_test(an_inner_supervisor_stops_with_its_parent),
        cmocka_unit_test(an_inner_supervisor_that_gives_up_is_started_afresh),
        cmocka_unit_test(breaking_off_an_inner_supervisor_stops_what_it_started),
        cmocka_unit_test(an_inner_start_that_fails_is_the_cause),
        cmocka_unit_test(a_child_starts_on_another_node),
        cmocka_unit_test(a_lost_nodes_children_move_after_the_loss_was_told),
        cmocka_unit_test(a_pinned_child_waits_for_its_node),
        cmocka_unit_test(the_loss_of_its_parents_node_ends_it),
        cmocka_unit_test(without_a_cluster_there_is_only_this_node),
        cmocka_unit_test(a_superseded_supervisor_does_not_start),
        cmocka_unit_test(a_superseded_child_counts_nowhere),
        cmocka_unit_test(an_inner_supervisor_superseded_while_it_starts_counts_nowhere),
        cmocka_unit_test(the_name_is_asked_for_before_children_start),
        cmocka_unit_test(a_taken_name_refuses_the_start),
        cmocka_unit_test(stop_while_the_name_is_asked_for_ends_it),
        cmocka_unit_test(the_loser_of_a_name_stops_as_superseded),
        cmocka_unit_test(a_taken_local_name_refuses_an_inner_supervisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
