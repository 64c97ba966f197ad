/* test_behavior.c - behaviours by name: where they are found, what is refused, how files and tables differ.
 */
#include <sys/stat.h>
#include <unistd.h>
#include "machine.h"

/* A directory of behaviour files for one test. */
struct place {
    char dir[64];
    char script[512];
};

static void place_init(struct place *p)
{
    strcpy(p->dir, "/tmp/dozor-behaviors-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
}

static void place_write(struct place *p, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", p->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void place_fini(struct place *p)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", p->dir);
    assert_int_equal(system(command), 0);
}

static struct machine *machine_at(struct place *p)
{
    struct machine *m = machine_new();
    assert_int_equal(dz_behaviors_add_dir(&m->behaviors, p->dir), 0);
    return m;
}

static void files_and_directories_of_the_path_are_found_by_name(void **state)
{
    (void)state;
    struct place p;
    char inner[128];
    place_init(&p);
    place_write(&p, "one.lua",
                "return { init = function(x) return x end, handle_call = function(_, s) return s end }");
    snprintf(inner, sizeof inner, "%s/two", p.dir);
    assert_int_equal(mkdir(inner, 0700), 0);
    place_write(&p, "two/init.lua",
                "return { init = function() end, handle_call = function(_, _, from) return from end }");
    struct machine *m = machine_at(&p);
    machine_run(
        m, "eq(dozor.call(dozor.spawn('one', { 7 }), 1), 7)\n"
           "assert(dozor.call(dozor.spawn('two'), 1):find('^<ref '))\n"
           "eq(dozor.behaviors.has('one'), true) eq(dozor.behaviors.has('three'), false)\n"
           "eq(type(dozor.behaviors.get('one').init), 'function') eq(dozor.behaviors.get('three'), nil)\n"
           "local found = {} for _, n in ipairs(dozor.behaviors.names()) do found[n] = true end\n"
           "assert(found.one and found.two and found.counter)\n"
           "eq(dozor.info(dozor.spawn('one')).behavior, 'one')\n");
    machine_delete(m);
    place_fini(&p);
}

static void a_name_nobody_has_is_told_with_the_places(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    struct machine *m = machine_at(&p);
    machine_run(m, "local e = fails('behavior_not_found', dozor.spawn, 'nothing', nil, { name = 'n' })\n"
                   "eq(e.behavior, 'nothing') eq(e.node, dozor.node()) "
                   "assert(e.places:find('nothing/init.lua', 1, true))\n"
                   "eq(dozor.whereis('n'), nil)\n"
                   "fails('behavior_not_found', dozor.spawn, '../nothing')\n");
    machine_delete(m);
    place_fini(&p);
}

static void built_in_behaviours_are_there(void **state)
{
    (void)state;
    machine_test("for _, name in ipairs { 'counter', 'worker' } do\n"
                 "  eq(dozor.alive(dozor.spawn(name)), true) end\n");
}

static void what_does_not_load_says_why(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    place_write(&p, "syntax.lua", "return {");
    place_write(&p, "raises.lua", "error('at load')");
    place_write(&p, "global.lua",
                "local M = { init = function() end }\nfunction M.handle_call() oops = 1 end\nreturn M");
    place_write(&p, "toplevel.lua", "\noops = 1\nreturn { init = function() end }");
    place_write(&p, "typo.lua", "return { init = function() end, handle_cal = function() end }");
    place_write(&p, "noinit.lua", "return { handle_call = function() end }");
    place_write(&p, "number.lua", "return 5");
    place_write(&p, "nothing.lua", "");
    struct machine *m = machine_at(&p);
    machine_run(
        m, "local e = fails('init_failed', dozor.spawn, 'syntax') assert(e.message:find('syntax.lua:1'), "
           "e.message)\n"
           "e = fails('init_failed', dozor.spawn, 'raises') assert(e.message:find('at load'))\n"
           "e = fails('init_failed', dozor.spawn, 'toplevel')\n"
           "assert(e.message:find(\"toplevel.lua:2: assignment to undeclared global 'oops'\"), e.message)\n"
           "e = fails('call_failed', dozor.call, dozor.spawn('global'), 1)\n"
           "assert(e.reason.message:find('global.lua:2: assignment to undeclared'), e.reason.message)\n"
           "e = fails('bad_argument', dozor.spawn, 'typo') assert(e.message:find(\"did you mean "
           "'handle_call'\"), e.message)\n"
           "fails('bad_argument', dozor.spawn, 'noinit') fails('bad_argument', dozor.spawn, 'number')\n"
           "fails('init_failed', dozor.spawn, 'nothing')\n");
    machine_delete(m);
    place_fini(&p);
}

static void registering_twice_with_something_else_is_refused(void **state)
{
    (void)state;
    machine_test("local b = { init = function() return 1 end, handle_call = function(_, s) return s end }\n"
                 "dozor.behaviors.register('mine', b) dozor.behaviors.register('mine', b)\n"
                 "eq(dozor.call(dozor.spawn('mine'), 1), 1) eq(dozor.behaviors.get('mine'), b)\n"
                 "fails('name_taken', dozor.behaviors.register, 'mine', { init = function() end })\n"
                 "fails('bad_argument', dozor.behaviors.register, 'x', { inti = function() end })\n"
                 "fails('bad_argument', dozor.behaviors.register, 'x', 5) fails('bad_argument', "
                 "dozor.behaviors.register, '', b)\n"
                 "local up = 0\n"
                 "dozor.behaviors.register('closure', { init = function() up = up + 1 end })\n"
                 "dozor.spawn('closure') dozor.spawn('closure') eq(up, 2)\n");
}

static void a_modules_table_counts_as_its_file(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    place_write(&p, "mod.lua", "return { init = function() end, handle_call = function() return 'mod' end }");
    struct machine *m = machine_at(&p);
    snprintf(
        p.script, sizeof p.script,
        "package.path = '%s/?.lua;' .. package.path\n"
        "local mod = require 'mod' dozor.behaviors.register('named', mod) dozor.behaviors.register('named', "
        "mod)\n"
        "eq(dozor.call(dozor.spawn('named'), 1), 'mod') eq(dozor.info(dozor.spawn(mod)).behavior, 'named')\n"
        "dozor.behaviors.register('again', 'mod') eq(dozor.call(dozor.spawn('again'), 1), 'mod')\n",
        p.dir);
    machine_run(m, p.script);
    const struct dz_behavior *b;
    assert_int_equal(dz_behaviors_find(&m->behaviors, "named", 5, &b), 0);
    assert_int_equal(b->kind, DZ_BEHAVIOR_FILE);
    machine_delete(m);
    place_fini(&p);
}

static void a_table_is_spawned_on_its_own_worker_from_anywhere(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    machine_run(m,
                "local calls = 0\n"
                "dozor.behaviors.register('here', { init = function() calls = calls + 1 return calls end,\n"
                "  handle_call = function(_, s) return s end })\n"
                "dozor.spawn('here')");
    assert_int_equal(dz_behaviors_thread(&m->behaviors, "here", 4), 1);
    uint8_t none = 0x90;
    struct dz_spawn s = {
        .what = DZ_SPAWN_BEHAVIOR, .name = {"here", 4}, .args = &none, .args_len = 1, .local_name = {"h", 1}};
    struct dz_msg *msg = dz_spawn_pack(&m->rt.nodes, &s);
    assert_int_equal(dz_spawn_send(&m->sched.workers[2]->thread, 2, &msg, NULL), 0);
    machine_settle(m);
    machine_run(m, "eq(dozor.call('h', 1), 2)");
    machine_delete(m);
}

static void interpreted_behaviours_load(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    place_write(&p, "slow.lua",
                "local function f() return 3 end\n"
                "return { jit = false, init = function() end, handle_call = function() return f() end }");
    struct machine *m = machine_at(&p);
    machine_run(m, "eq(dozor.call(dozor.spawn('slow'), 1), 3)\n"
                   "eq(dozor.call(dozor.spawn { jit = false, init = function() end, handle_call = function() "
                   "return 4 end }, 1), 4)");
    machine_delete(m);
    place_fini(&p);
}

static void require_may_wait_and_loads_once(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    place_write(&p, "slowmod.lua",
                "LOADS = (LOADS or 0) + 1 require('dozor').sleep(20) return { n = LOADS }");
    place_write(&p, "loop.lua", "return require 'loop'");
    place_write(&p, "bad.lua", "error 'bad module'");
    struct machine *m = machine_new();
    snprintf(p.script, sizeof p.script,
             "package.path = '%s/?.lua;' .. package.path\n"
             "local me = dozor.self()\n"
             "for i = 1, 3 do dozor.spawn(function() dozor.send(me, require('slowmod').n) end) end\n"
             "for i = 1, 3 do eq(dozor.receive(1000), 1) end\n"
             "local ok, e = pcall(require, 'loop') eq(ok, false) assert(e:find('loop or previous error'))\n"
             "ok, e = pcall(require, 'bad') eq(ok, false) assert(e:find('bad module'))\n"
             "ok, e = pcall(require, 'no.such') assert(e:find('not found'))\n",
             p.dir);
    machine_run(m, p.script);
    machine_delete(m);
    place_fini(&p);
}

static void the_script_runs_as_main(void **state)
{
    (void)state;
    struct place p;
    const char *argv[] = {"x", "y"};
    char path[128];
    place_init(&p);
    place_write(&p, "main.lua",
                "local a, b = ... local d = require 'dozor'\n"
                "report(not (a == 'x' and b == 'y' and arg[1] == 'x' and d.whereis('main') == d.self()) and "
                "'wrong' or nil)");
    struct machine *m = machine_new();
    snprintf(path, sizeof path, "%s/main.lua", p.dir);
    struct dz_msg *msg = dz_vm_main_message(&m->rt, path, 2, argv);
    assert_int_equal(dz_spawn_send(&m->sched.workers[1]->thread, DZ_THREAD_WORKER, &msg, NULL), 0);
    machine_settle(m);
    assert_true(m->done);
    assert_string_equal(m->failure, "");
    machine_delete(m);
    place_fini(&p);
}

#define TEST(name) cmocka_unit_test(name)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_and_directories_of_the_path_are_found_by_name),
        TEST(a_name_nobody_has_is_told_with_the_places),
        TEST(built_in_behaviours_are_there),
        TEST(what_does_not_load_says_why),
        TEST(registering_twice_with_something_else_is_refused),
        TEST(a_modules_table_counts_as_its_file),
        TEST(a_table_is_spawned_on_its_own_worker_from_anywhere),
        TEST(interpreted_behaviours_load),
        TEST(require_may_wait_and_loads_once),
        TEST(the_script_runs_as_main),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
