/* test_bind_cluster.c - this node's id, cluster-wide names as known here, and processes marked as having one.
 */
#include "machine.h"
#include "proc/process.h"

/* The port: "known" belongs to the process registered here as "owner". */
static struct dz_pid owner_of(void *ctx, const char *name, size_t len)
{
    struct machine *m = ctx;
    return len == 5 && memcmp(name, "known", 5) == 0 ? dz_names_whereis(&m->rt.names, "owner", 5)
                                                     : DZ_PID_NONE;
}

static bool is_marked(struct machine *m, const char *name)
{
    struct dz_slot *slot = dz_table_find(&m->rt.table, dz_names_whereis(&m->rt.names, name, strlen(name)));
    assert_non_null(slot);
    return slot->proc->flags & DZ_PROC_GLOBAL;
}

static void a_host_without_a_cluster_is_local(void **state)
{
    (void)state;
    machine_test("eq(core.node(), 'local@127.0.0.1:0') eq(dozor.node(), core.node())\n"
                 "eq(core.global_whereis('x'), nil)\n"
                 "assert(not pcall(core.global_whereis))\n");
}

static void a_cluster_wide_name_is_asked_of_the_port(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    m->rt.ports.ctx = m;
    m->rt.ports.global_whereis = owner_of;
    machine_run(
        m, "eq(dozor.global.whereis('known'), nil)\n"
           "dozor.register('owner')\n"
           "eq(dozor.global.whereis('known'), dozor.self()) eq(dozor.global.whereis('other'), nil)\n"
           "dozor.send('known', 'by name') eq(dozor.receive(0), 'by name')\n"
           "eq(dozor.whereis('known'), nil)\n"
           "fails('bad_argument', dozor.global.whereis, '') fails('bad_argument', dozor.global.whereis, 5)\n"
           "\n");
    machine_delete(m);
}

static void a_process_is_marked_on_its_own_thread(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(
        m, "local function wait() return { init = function() end } end\n"
           "dozor.spawn(wait(), nil, { name = 'here' }) dozor.spawn(wait(), nil, { name = 'unmarked' })\n"
           "for i = 1, 20 do dozor.spawn('counter', nil, { name = 'c' .. i }) end\n"
           "for i = 1, 20 do core.mark_global(dozor.whereis('c' .. i)) end\n"
           "core.mark_global(dozor.whereis('here'))\n"
           "\n");
    machine_settle(m);
    assert_true(is_marked(m, "here"));
    assert_false(is_marked(m, "unmarked"));
    for (int i = 1; i <= 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        assert_true(is_marked(m, name));
    }
    machine_delete(m);
}

static void a_process_of_another_worker_is_marked_there(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    uint8_t none = 0x90;
    struct dz_spawn s = {.what = DZ_SPAWN_BEHAVIOR,
                         .name = {"counter", 7},
                         .args = &none,
                         .args_len = 1,
                         .local_name = {"far", 3}};
    struct dz_msg *msg = dz_spawn_pack(&m->rt.nodes, &s);
    assert_int_equal(dz_spawn_send(&m->sched.workers[1]->thread, 2, &msg, NULL), 0);
    machine_settle(m);
    machine_run(m, "core.mark_global(dozor.whereis('far'))");
    machine_settle(m);
    assert_true(is_marked(m, "far"));
    machine_delete(m);
}

static void what_does_not_live_here_is_not_marked(void **state)
{
    (void)state;
    machine_test("core.mark_global('no pid') core.mark_global(5) core.mark_global()\n"
                 "core.mark_global('<b@127.0.0.1:4000/5.1.1>')\n"
                 "local gone = dozor.spawn(function() end) dozor.sleep(1) core.mark_global(gone)\n"
                 "eq(dozor.alive(dozor.self()), true)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_without_a_cluster_is_local),
        cmocka_unit_test(a_cluster_wide_name_is_asked_of_the_port),
        cmocka_unit_test(a_process_is_marked_on_its_own_thread),
        cmocka_unit_test(a_process_of_another_worker_is_marked_there),
        cmocka_unit_test(what_does_not_live_here_is_not_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
