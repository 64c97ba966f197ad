/* test_vm.c - a Lua state from its making to its end. */
#include <sys/stat.h>
#include <unistd.h>
#include "machine.h"
#include "term/read.h"
#include "vm/embed.h"
#include "vm/state.h"

static void an_idle_state_gives_its_garbage_back(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *vm = machine_vm(m, 1);
    machine_run(m, "for i = 1, 200000 do local t = { i, tostring(i) } end KEEP = {} for i = 1, 60000 do "
                   "KEEP[i] = { i } end KEEP = nil");
    size_t before = dz_vm_memory(vm);
    for (int i = 0; i < 100000 && dz_vm_idle(vm); i++) {
    }
    assert_true(dz_vm_memory(vm) <= before);
    assert_false(dz_vm_idle(vm));
    machine_delete(m);
}

static void each_worker_has_its_own_state_and_the_system_thread_none(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_vm *a = machine_vm(m, 1), *b = machine_vm(m, 2);
    assert_null(machine_vm(m, 0));
    assert_ptr_not_equal(a, b);
    assert_int_not_equal(a->generation, b->generation);
    lua_State *L = dz_vm_main(a);
    assert_ptr_equal(dz_vm_of(L), a);
    assert_ptr_equal(dz_vm_thread(L), &m->sched.workers[1]->thread);
    assert_ptr_equal(dz_vm_shared_of(L), &m->shared);
    assert_ptr_equal(dz_vm_rt(L), &m->rt);
    assert_null(dz_vm_current(L));
    assert_true(dz_vm_memory(a) > 0);
    assert_true(atomic_load(&m->sched.workers[2]->thread.lua_bytes) > 0);
    machine_delete(m);
}

static void a_state_that_goes_ends_its_processes_without_terminate(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(
        m,
        "dozor.spawn { init = function() end, terminate = function() dozor.log.error('terminate ran') end }\n"
        "for i = 1, 20 do dozor.spawn(function() dozor.sleep('infinity') end) dozor.spawn('counter') end");
    assert_true(atomic_load(&m->rt.table.count) >= 41);
    dz_sched_stop(&m->sched);
    assert_int_equal(atomic_load(&m->rt.table.count), 0);
    assert_null(strstr(m->logged, "terminate ran"));
    machine_delete(m);
}

static void the_scripts_message_has_its_path_and_arguments(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    const char *argv[] = {"one", "two"};
    struct dz_spawn s;
    struct dz_read r;
    uint32_t count;
    struct dz_msg *msg = dz_vm_main_message(&m->rt, "/dir/script.lua", 2, argv);
    assert_non_null(msg);
    assert_int_equal(dz_spawn_unpack(&m->rt.nodes, msg, &s), 0);
    assert_int_equal(s.what, DZ_SPAWN_BEHAVIOR);
    assert_memory_equal(s.name.s, "@main", s.name.len);
    assert_memory_equal(s.local_name.s, "main", s.local_name.len);
    dz_read_init(&r, s.args, s.args_len);
    assert_int_equal(dz_read_array(&r, &count), 0);
    assert_int_equal(count, 3);
    dz_msg_free(msg);
    machine_delete(m);
}

/* A machine whose states are made once `prepare` has changed what they share. */
static struct machine *machine_with(void (*prepare)(struct dz_vm_shared *shared))
{
    struct machine *m = machine_new();
    for (uint32_t i = 1; i <= MACHINE_WORKERS; i++) {
        struct dz_thread *t = &m->sched.workers[i]->thread;
        dz_vm_free(t->vm);
        assert_null(t->vm);
    }
    prepare(&m->shared);
    for (uint32_t i = 1; i <= MACHINE_WORKERS; i++)
        assert_int_equal(machine_thread_start(m, m->sched.workers[i]), 0);
    return m;
}

static void simulate(struct dz_vm_shared *shared)
{
    static const struct dz_vm_simulation simulation = {.seed = 1};
    shared->simulation = &simulation;
}

static void script_dir(struct dz_vm_shared *shared)
{
    shared->script_dir = "/some/dir";
}

static void under_the_simulator_nothing_comes_from_outside(void **state)
{
    (void)state;
    struct machine *m = machine_with(simulate);
    machine_run(
        m, "eq(jit.status(), false)\n"
           "eq(os.time(), math.floor(core.wall_ms() / 1000)) eq(os.clock(), dozor.now() / 1000)\n"
           "local t = os.clock() dozor.sleep(500) eq(os.clock() - t, 0.5)\n"
           "assert(not pcall(os.time, { year = 2000, month = 1, day = 1 }))\n"
           "fails('not_in_simulation', os.execute, 'true') fails('not_in_simulation', io.popen, 'true')\n"
           "fails('not_in_simulation', core.open_uv)\n"
           "\n");
    machine_delete(m);
}

static void modules_are_looked_for_beside_the_script_first(void **state)
{
    (void)state;
    struct machine *m = machine_with(script_dir);
    machine_run(m, "eq(package.path:find('/some/dir/?.lua;/some/dir/?/init.lua;', 1, true), 1)");
    machine_delete(m);
}

/* The searcher would take the sources if it were not so, and nobody would notice but the clock. */
static void every_embedded_module_is_there_compiled_and_loads(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    int modules = 0;
    for (const struct dz_embedded *e = dz_embedded_sources; e->name; e++) {
        if (strncmp(e->path, "[dozor]/", 8) != 0)
            continue;
        const struct dz_embedded *code = dz_embedded_find(dz_embedded_code, e->name);
        assert_non_null(code);
        assert_string_equal(code->path, e->path);
        assert_int_equal(code->data[0], LUA_SIGNATURE[0]);
        assert_int_equal(luaL_loadbuffer(L, (const char *)code->data, code->len, code->path), 0);
        lua_Debug where;
        assert_int_equal(lua_getinfo(L, ">S", &where), 1);
        assert_string_equal(where.short_src, e->path);
        modules++;
    }
    assert_true(modules > 10);
    machine_delete(m);
}

static void the_embedded_modules_come_first_and_others_are_told_to_be_missing(void **state)
{
    (void)state;
    machine_test("eq(require 'dozor', dozor) eq(require('dozor.process').spawn, dozor.spawn)\n"
                 "local ok, e = pcall(require, 'dozor.nothing') eq(ok, false)\n"
                 "assert(e:find(\"no module 'dozor.nothing' inside dozor\"), e)\n");
}

static void a_state_made_anew_on_a_worker_works_like_the_first(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct dz_worker *w = m->sched.workers[1];
    dz_vm_free(w->thread.vm);
    assert_null(w->thread.vm);
    assert_int_equal(machine_thread_start(m, w), 0);
    machine_run(
        m,
        "eq(dozor.call(dozor.spawn { init = function() end, handle_call = function() return 1 end }, 1), 1)");
    machine_delete(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_state_gives_its_garbage_back),
        cmocka_unit_test(each_worker_has_its_own_state_and_the_system_thread_none),
        cmocka_unit_test(a_state_that_goes_ends_its_processes_without_terminate),
        cmocka_unit_test(the_scripts_message_has_its_path_and_arguments),
        cmocka_unit_test(under_the_simulator_nothing_comes_from_outside),
        cmocka_unit_test(modules_are_looked_for_beside_the_script_first),
        cmocka_unit_test(every_embedded_module_is_there_compiled_and_loads),
        cmocka_unit_test(the_embedded_modules_come_first_and_others_are_told_to_be_missing),
        cmocka_unit_test(a_state_made_anew_on_a_worker_works_like_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
