/* test_driver_places.c - where children come from: functions, inner supervisors, other nodes, cluster-wide
 * names. */
#include "tree.h"

#define ON_FAR "node_selector = { node = \"" FAR_NODE "\" }"

/* --- selector functions --- */

#define CHOSEN "{ children = {}, node_selector = function }"

static void a_selector_function_gets_the_nodes_and_decides(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\", node_selector = function }");
    tree_expect(&w,
                "function [[local@127.0.0.1:0,far@10.0.0.2:4000],a];"
                "far spawn a sup_1@local@127.0.0.1:0#7956156453446585/a 2;+child_started a;#2 [<pid>,a];");
    tree_fini(&w);
}

static void a_selector_that_raises_or_answers_nil_leaves_no_node(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, CHOSEN);
    w.function = TREE_RAISES;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_expect(&w, "function [[local@127.0.0.1:0],a];#2 !no_available_node a no idea;");
    w.function = TREE_IS_NIL;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_expect(&w, "function [[local@127.0.0.1:0],a];#3 !no_available_node a the selector returned nil;");
    w.function = TREE_ANSWERS;
    w.choice = "nobody@10.0.0.9:1";
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_expect(&w, "function [[local@127.0.0.1:0],a];#4 !no_available_node a the node is not known;");
    tree_fini(&w);
}

static void a_selector_has_one_second(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, CHOSEN);
    w.function = TREE_IS_SILENT;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    rig_pass_ms(&w.rig, 999);
    tree_expect(&w, "function [[local@127.0.0.1:0],a];");
    rig_pass_ms(&w.rig, 1);
    tree_expect(&w, "#2 !no_available_node a the selector did not answer within 1 s;");
    tree_fini(&w);
}

/* It never gets to run, for its worker is busy; the supervisor waits no longer than for any other. */
static void a_selector_on_a_busy_worker_is_not_waited_for(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, CHOSEN);
    w.function = TREE_IS_SILENT;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_expect(&w, "function [[local@127.0.0.1:0],a];");
    w.rig.now_ns += 1000 * RIG_MS;
    struct dz_thread *system = &w.rig.threads[0];
    system->now_ns = w.rig.now_ns;
    for (int i = 0; i < 8; i++) { /* thread 1 stands still */
        rig_drain(&w.rig, 0);
        dz_timers_run(system, system->now_ns);
        rig_run_natives(&w.rig, system);
    }
    tree_expect(&w, "#2 !no_available_node a the selector did not answer within 1 s;");
    rig_turn(&w.rig);
    tree_fini(&w);
}

static void a_selector_is_found_by_its_name(void **state)
{
    (void)state;
    struct tree w;
    struct dz_sup_function f = {.worker = 1, .generation = 2, .number = 3, .kind = 'f'};
    tree_init(&w);
    w.far_there = true;
    tree_up(&w, "{ children = {}, node_selector = { selector = \"mine\" } }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_expect(&w,
                "#2 !no_available_node a no selector \"mine\" is registered on the supervisor's node;");
    assert_int_equal(dz_selectors_register(&w.driver.selectors, "mine", 4, &f), 0);
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\" }");
    tree_expect(&w,
                "function [[local@127.0.0.1:0,far@10.0.0.2:4000],a];"
                "far spawn a sup_1@local@127.0.0.1:0#7956156453446585/a 2;+child_started a;#3 [<pid>,a];");
    tree_fini(&w);
}

/* --- start functions --- */

static void what_a_start_function_returns_is_the_child(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.function = TREE_MAKES_A_CHILD;
    tree_start(&w, "{ children = { { id = \"s\", start = function, args = { 5 } } } }");
    tree_expect(&w, "function [5];+child_started s;+supervisor_started;#1 <pid>;init made;");
    tree_crash(&w, "made");
    tree_expect(&w, "end made crash;gone made;function [5];+child_restarted s 1 crash;init made;");
    tree_stop(&w);
    tree_expect(&w,
                "end made shutdown;gone made;+child_stopped s shutdown;+supervisor_stopped normal;#2 nil;");
    tree_fini(&w);
}

static void a_start_function_must_return_a_pid(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.function = TREE_IS_NIL;
    tree_start(&w, "{ children = { { id = \"s\", start = function } } }");
    tree_expect(&w,
                "function [];"
                "#1 !child_start_failed s {code=bad_argument,message=the start function must return a pid};");
    tree_fini(&w);
}

static void a_start_function_that_takes_too_long_is_ended(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.function = TREE_IS_SILENT;
    tree_start(&w, "{ children = { { id = \"s\", start = function, start_timeout = 100 } } }");
    rig_pass_ms(&w.rig, 100);
    tree_expect(&w, "function [];#1 !timeout s ;");
    tree_fini(&w);
}

static void a_spec_is_shown_without_its_functions(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.function = TREE_MAKES_A_CHILD;
    tree_up(&w, "{ children = { { id = \"s\", start = function } } }");
    tree_ask(&w, DZ_REQ_CHILD, "\"s\"");
    tree_expect(&w,
                "#2 {id=s,pid=<pid>,node_id=local@127.0.0.1:0,status=running,restart_count=0,started_at=1000,"
                "spec={id=s,start=function},epoch=7.1};");
    tree_fini(&w);
}

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

static void events_of_a_lost_node_have_the_fields_that_are_promised(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    tree_up(
        &w,
        "{ name = \"top\", children = { { id = \"a\", behavior = \"ok\", node_selector = \"round_robin\" }, "
        "{ id = \"b\", behavior = \"ok\", node_selector = \"round_robin\" }, "
        "{ id = \"c\", behavior = \"ok\", " ON_FAR " } } }");
    w.full_events = true;
    tree_lose_far(&w);
    tree_expect(
        &w,
        "{type=node_failure_detected,supervisor_id=top,node_id=far@10.0.0.2:4000,affected_children=[b,c]};"
        "{type=child_pending,supervisor_id=top,child_id=c,cause=the node is not known};init b;"
        "{type=child_migrated,supervisor_id=top,child_id=b,from_node=far@10.0.0.2:4000,"
        "to_node=local@127.0.0.1:0};");
    tree_fini(&w);
}

static void a_start_towards_a_lost_node_fails(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = w.far_holds = true;
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\", " ON_FAR " }");
    tree_expect(&w, "far spawn a sup_1@local@127.0.0.1:0#7956156453446585/a 2;");
    tree_lose_far(&w);
    tree_expect(&w, "#2 !noconnection a ;");
    tree_far_up(&w, tree_far(&w, "a"));
    rig_turn(&w.rig);
    tree_expect(&w, "");
    tree_fini(&w);
}

static void a_node_that_refuses_a_restart_is_left(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\", node_selector = \"least_loaded\" }, "
                "{ id = \"b\", behavior = \"ok\", " ON_FAR " } } }");
    w.far_error = DZ_ENOCONNECTION;
    tree_far_end(&w, tree_far(&w, "b"), DZ_REASON_KILLED);
    rig_turn(&w.rig);
    tree_expect(&w, "+child_pending b the node is excluded;");
    tree_fini(&w);
}

static void a_late_answer_from_afar_is_stopped_there(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = w.far_holds = w.far_disobeys = true;
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\", start_timeout = 100, " ON_FAR " }");
    rig_pass_ms(&w.rig, 100);
    tree_expect(&w, "far spawn a sup_1@local@127.0.0.1:0#7956156453446585/a 2;far cancel a;");
    tree_far_up(&w, tree_far(&w, "a"));
    rig_turn(&w.rig);
    tree_expect(&w, "far stop a;");
    rig_pass_ms(&w.rig, 5000);
    tree_expect(&w, "far kill a;#2 !timeout a ;");
    tree_fini(&w);
}

/* It came back under the same name in a new life: its process is not one of the node the child was placed on.
 */
static void an_answer_from_another_life_of_the_node_is_not_taken(void **state)
{
    (void)state;
    struct tree w;
    uint32_t again;
    tree_init(&w);
    w.far_there = w.far_holds = true;
    tree_up(&w, "{ children = {} }");
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"a\", behavior = \"ok\", " ON_FAR " }");
    assert_int_equal(dz_nodes_intern(&w.rig.rt.nodes, FAR_NODE, strlen(FAR_NODE), 8, &again), 0);
    struct tree_far *f = tree_far(&w, "a");
    f->pid.node = again;
    tree_far_up(&w, f);
    rig_turn(&w.rig);
    tree_expect(&w,
                "far spawn a sup_1@local@127.0.0.1:0#7956156453446585/a 2;far stop a;#2 !noconnection a ;");
    tree_fini(&w);
}

static void a_stop_on_a_lost_node_is_not_waited_for(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = w.far_disobeys = true;
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\", " ON_FAR " } } }");
    tree_stop(&w);
    tree_expect(&w, "far stop a;");
    tree_lose_far(&w);
    tree_expect(&w,
                "+node_failure_detected [a];+child_stopped a node_down;+supervisor_stopped normal;#2 nil;");
    tree_fini(&w);
}

/* A process here and one there have the same slot and generation. */
static struct tree_far *stop_twins(struct tree *w)
{
    w->far_there = w->far_disobeys = true;
    tree_up(w, "{ strategy = \"simple_one_for_one\", node_selector = \"round_robin\", "
               "child_template = { behavior = \"stubborn\", shutdown_timeout = 100 } }");
    tree_ask(w, DZ_REQ_START_CHILD, "{}");
    struct dz_pid here = tree_find(w, "child_1")->pid;
    w->far_holds = true;
    tree_ask(w, DZ_REQ_START_CHILD, "{}");
    struct tree_far *f = tree_far(w, "child_2");
    f->pid.slot = here.slot;
    f->pid.gen = here.gen;
    tree_far_up(w, f);
    rig_turn(&w->rig);
    w->rig.wire_error = DZ_ENOCONNECTION; /* nothing reaches it; its end is told by the test */
    w->rig.len = 0;
    tree_stop(w);
    tree_expect(w, "end child_1 shutdown;");
    return f;
}

static void stops_on_two_nodes_are_told_apart(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_far_end(&w, stop_twins(&w), DZ_REASON_SHUTDOWN);
    rig_turn(&w.rig);
    tree_expect(&w, "+child_stopped child_2 shutdown;");
    rig_pass_ms(&w.rig, 100);
    tree_expect(&w, "gone child_1;+child_stopped child_1 killed;+supervisor_stopped normal;#4 nil;");
    tree_fini(&w);
}

static void the_end_of_one_twin_leaves_the_other(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    struct tree_far *f = stop_twins(&w);
    rig_pass_ms(&w.rig, 100);
    tree_expect(&w, "gone child_1;+child_stopped child_1 killed;");
    tree_far_end(&w, f, DZ_REASON_SHUTDOWN);
    rig_turn(&w.rig);
    tree_expect(&w, "+child_stopped child_2 shutdown;+supervisor_stopped normal;#4 nil;");
    tree_fini(&w);
}

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

static void more_nodes_than_fit_the_stack_are_all_seen(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = w.hashes = true;
    w.idle_nodes = 40;
    tree_start(&w, "{ name = \"top\", children = { { id = \"a\", behavior = \"ok\", " ON_FAR " } } }");
    tree_expect(&w, "register top;far spawn a top/a 2;+child_started a;+supervisor_started;#1 <pid>;");
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

static void a_killed_supervisor_tells_other_nodes(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    w.far_there = true;
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\", " ON_FAR " } } }");
    w.far_holds = true;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"b\", behavior = \"ok\", " ON_FAR " }");
    tree_signal(&w, DZ_MSG_KILL, DZ_REASON_KILLED);
    tree_expect(&w, "far spawn b sup_1@local@127.0.0.1:0#7956156453446585/b 2;far parent_exit a;far cancel b;"
                    "#2 !child_start_failed b shutdown;+child_stopped a killed;+supervisor_stopped killed;");
    tree_fini(&w);
}

static void the_authority_may_forbid_a_placement(void **state)
{
    (void)state;
    struct tree w;
    tree_init(&w);
    tree_up(&w, "{ children = { { id = \"a\", behavior = \"ok\" } } }");
    w.may_not_place = true;
    tree_ask(&w, DZ_REQ_START_CHILD, "{ id = \"b\", behavior = \"ok\" }");
    tree_crash(&w, "a");
    tree_expect(&w, "#2 !no_available_node b ;end a crash;gone a;+child_pending a no connected node takes "
                    "new processes;");
    w.may_not_place = false;
    rig_pass_ms(&w.rig, 1000);
    tree_expect(&w, "init a;+child_restarted a 1 crash;");
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
        cmocka_unit_test(a_selector_function_gets_the_nodes_and_decides),
        cmocka_unit_test(a_selector_that_raises_or_answers_nil_leaves_no_node),
        cmocka_unit_test(a_selector_has_one_second),
        cmocka_unit_test(a_selector_on_a_busy_worker_is_not_waited_for),
        cmocka_unit_test(a_selector_is_found_by_its_name),
        cmocka_unit_test(what_a_start_function_returns_is_the_child),
        cmocka_unit_test(a_start_function_must_return_a_pid),
        cmocka_unit_test(a_start_function_that_takes_too_long_is_ended),
        cmocka_unit_test(a_spec_is_shown_without_its_functions),
        cmocka_unit_test(a_killed_supervisor_does_not_wait_for_a_selector),
        cmocka_unit_test(an_inner_supervisor_stops_with_its_parent),
        cmocka_unit_test(an_inner_supervisor_that_gives_up_is_started_afresh),
        cmocka_unit_test(breaking_off_an_inner_supervisor_stops_what_it_started),
        cmocka_unit_test(an_inner_start_that_fails_is_the_cause),
        cmocka_unit_test(a_child_starts_on_another_node),
        cmocka_unit_test(a_lost_nodes_children_move_after_the_loss_was_told),
        cmocka_unit_test(a_pinned_child_waits_for_its_node),
        cmocka_unit_test(events_of_a_lost_node_have_the_fields_that_are_promised),
        cmocka_unit_test(a_start_towards_a_lost_node_fails),
        cmocka_unit_test(a_node_that_refuses_a_restart_is_left),
        cmocka_unit_test(a_late_answer_from_afar_is_stopped_there),
        cmocka_unit_test(an_answer_from_another_life_of_the_node_is_not_taken),
        cmocka_unit_test(a_stop_on_a_lost_node_is_not_waited_for),
        cmocka_unit_test(stops_on_two_nodes_are_told_apart),
        cmocka_unit_test(the_end_of_one_twin_leaves_the_other),
        cmocka_unit_test(the_loss_of_its_parents_node_ends_it),
        cmocka_unit_test(more_nodes_than_fit_the_stack_are_all_seen),
        cmocka_unit_test(without_a_cluster_there_is_only_this_node),
        cmocka_unit_test(a_killed_supervisor_tells_other_nodes),
        cmocka_unit_test(the_authority_may_forbid_a_placement),
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
