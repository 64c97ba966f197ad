/* machine.h - a host of Lua workers without threads, its clock in the test's hand, that runs pieces of Lua as
 * processes. A piece of Lua is a test's body: `dozor` is the public API, `core` the primitives below it, `eq(got, wanted)`,
 * `fails(code, fn, ...)` and `wrong(argument, expected, got, fn)` assert, what it raises fails the test with its traceback. */
#ifndef DZ_TESTS_MACHINE_H
#define DZ_TESTS_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/alloc.h"
#include "base/err.h"
#include "sched/sched.h"
#include "vm/vm.h"

#define MACHINE_WORKERS 2

struct machine {
    struct dz_env env;
    struct dz_log log;
    struct dz_rt rt;
    struct dz_sched sched;
    struct dz_sched_hooks hooks;
    struct dz_behaviors behaviors;
    struct dz_vm_shared shared;
    uint64_t now_ns;
    uint64_t seed;
    bool done;
    char failure[8192];
    char logged[16384];
};

static uint64_t machine_now(void *ctx)
{
    return ((struct machine *)ctx)->now_ns;
}

static uint64_t machine_wall(void *ctx)
{
    return 1700000000000u + ((struct machine *)ctx)->now_ns / 1000000u;
}

static uint64_t machine_random(void *ctx)
{
    struct machine *m = ctx;
    m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
    return m->seed;
}

static void machine_log(void *ctx, enum dz_log_level level, const char *text,
                        const struct dz_log_field *fields, size_t count)
{
    struct machine *m = ctx;
    size_t at = strlen(m->logged);
    at += (size_t)snprintf(m->logged + at, sizeof m->logged - at, "%s %s", dz_log_level_name(level), text);
    for (size_t i = 0; i < count && at < sizeof m->logged; i++)
        at += (size_t)snprintf(m->logged + at, sizeof m->logged - at, " %s=%s", fields[i].name,
                               fields[i].value);
    if (at < sizeof m->logged - 1)
        strcat(m->logged, "\n");
}

/* report(failure or nil) from the process that runs the test's body. */
static int machine_report(lua_State *L)
{
    struct machine *m = lua_touserdata(L, lua_upvalueindex(1));
    m->done = true;
    if (!lua_isnoneornil(L, 1))
        snprintf(m->failure, sizeof m->failure, "%s", lua_tostring(L, 1));
    return 0;
}

static const char machine_prelude[] =
    "dozor = require 'dozor'\n"
    "core = require 'dozor.core'\n"
    "local function show(v)\n"
    "  if type(v) ~= 'table' then return type(v) .. ' ' .. tostring(v) end\n"
    "  local parts = {}\n"
    "  for k, x in pairs(v) do parts[#parts + 1] = tostring(k) .. '=' .. show(x) end\n"
    "  table.sort(parts)\n"
    "  return '{' .. table.concat(parts, ', ') .. '}'\n"
    "end\n"
    "function eq(got, wanted)\n"
    "  if show(got) ~= show(wanted) then error('got ' .. show(got) .. ', wanted ' .. show(wanted), 2) end\n"
    "end\n"
    "function fails(code, fn, ...)\n"
    "  local ok, err = pcall(fn, ...)\n"
    "  if ok then error('did not raise ' .. code, 2) end\n"
    "  if type(err) ~= 'table' then error('raised ' .. tostring(err) .. ' instead of ' .. code, 2) end\n"
    "  if err.code ~= code then error('raised ' .. tostring(err) .. ' instead of ' .. code, 2) end\n"
    "  return err\n"
    "end\n"
    "-- fn, a function of one line, raises bad_argument there\n"
    "function wrong(argument, expected, got, fn)\n"
    "  local err = fails('bad_argument', fn)\n"
    "  eq({ err.argument, err.expected, err.got }, { argument, expected, got })\n"
    "  eq(err.where, 'body:' .. debug.getinfo(fn, 'S').linedefined)\n"
    "  return err\n"
    "end\n"
    "function machine_body(fn)\n"
    "  return function()\n"
    "    local ok, err = xpcall(fn, function(e) return tostring(e) .. '\\n' .. debug.traceback() end)\n"
    "    report(not ok and err or nil)\n"
    "  end\n"
    "end\n";

static int machine_thread_start(void *ctx, struct dz_worker *w)
{
    struct machine *m = ctx;
    if (w->thread.index == DZ_THREAD_SYSTEM)
        return 0;
    struct dz_vm *vm = dz_vm_new(&w->thread, &m->shared);
    if (!vm) {
        print_error("%s", m->logged);
        return DZ_ENOMEM;
    }
    lua_State *L = dz_vm_main(vm);
    lua_pushlightuserdata(L, m);
    lua_pushcclosure(L, machine_report, 1);
    lua_setglobal(L, "report");
    if (luaL_dostring(L, machine_prelude))
        fail_msg("%s", lua_tostring(L, -1));
    return 0;
}

static void machine_thread_stop(void *ctx, struct dz_worker *w)
{
    (void)ctx;
    if (w->thread.vm)
        dz_vm_free(w->thread.vm);
}

static void machine_spawn(void *ctx, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *msg)
{
    (void)ctx;
    dz_vm_spawn(t, slot, msg);
}

static struct machine *machine_new(void)
{
    struct machine *m = calloc(1, sizeof *m);
    m->now_ns = 1000000000u;
    m->env = (struct dz_env){machine_now, machine_wall, machine_random, m};
    m->log = (struct dz_log){machine_log, m, DZ_LOG_DEBUG};
    assert_int_equal(dz_rt_init(&m->rt, &m->env, &m->log), 0);
    assert_int_equal(dz_behaviors_init(&m->behaviors), 0);
    m->rt.ports.spawn = machine_spawn;
    m->hooks = (struct dz_sched_hooks){m, machine_thread_start, machine_thread_stop, NULL};
    struct dz_sched_options options = {.workers = MACHINE_WORKERS};
    assert_int_equal(dz_sched_init(&m->sched, &m->rt, &options, &m->hooks), 0);
    m->shared = (struct dz_vm_shared){.rt = &m->rt, .sched = &m->sched, .behaviors = &m->behaviors};
    assert_int_equal(dz_sched_start(&m->sched), 0);
    return m;
}

static void machine_delete(struct machine *m)
{
    dz_sched_stop(&m->sched);
    dz_sched_fini(&m->sched);
    assert_int_equal(atomic_load(&m->rt.table.count), 0);
    dz_behaviors_fini(&m->behaviors);
    dz_rt_fini(&m->rt);
    free(m);
}

static bool machine_step(struct machine *m)
{
    bool any = false;
    for (uint32_t i = 0; i < atomic_load(&m->sched.count); i++)
        any = dz_sched_step(m->sched.workers[i]) || any;
    return any;
}

/* Steps until nothing is left to do; then to the next timer; until the body has reported (or nothing is ever
 * due). */
static void machine_settle(struct machine *m)
{
    for (int rounds = 0; rounds < 1000000; rounds++) {
        if (machine_step(m))
            continue;
        uint64_t next = DZ_INFINITY;
        for (uint32_t i = 0; i < atomic_load(&m->sched.count); i++) {
            uint64_t due = dz_sched_next_ns(m->sched.workers[i]);
            next = due < next ? due : next;
        }
        if (m->done || next == DZ_INFINITY)
            return;
        m->now_ns = next > m->now_ns ? next : m->now_ns + 1;
    }
    fail_msg("the machine does not come to rest");
}

static struct dz_vm *machine_vm(struct machine *m, uint32_t worker)
{
    return m->sched.workers[worker]->thread.vm;
}

/* Runs the body as a plain process on worker 1; it must report. */
static void machine_run(struct machine *m, const char *body)
{
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    uint8_t term[3 + DZ_VM_FUNCTION_BYTES] = {0xc7, DZ_VM_FUNCTION_BYTES, DZ_EXT_FUNCTION};
    lua_getglobal(L, "machine_body");
    if (luaL_loadbuffer(L, body, strlen(body), "=body"))
        fail_msg("%s", lua_tostring(L, -1));
    lua_call(L, 1, 1);
    dz_vm_function_ref(L, -1, term + 3);
    lua_setglobal(L, "machine_main"); /* a reference keeps nothing */
    struct dz_spawn s = {.what = DZ_SPAWN_FUNCTION, .function = term, .function_len = sizeof term};
    struct dz_msg *msg = dz_spawn_pack(&m->rt.nodes, &s);
    m->done = false;
    m->failure[0] = '\0';
    assert_int_equal(dz_spawn_send(&m->sched.workers[1]->thread, 1, &msg, NULL), 0);
    machine_settle(m);
    if (!m->done)
        fail_msg("the body did not finish; log:\n%s", m->logged);
    if (m->failure[0])
        fail_msg("%s\nlog:\n%s", m->failure, m->logged);
}

/* A machine for one body. */
static inline void machine_test(const char *body)
{
    struct machine *m = machine_new();
    machine_run(m, body);
    machine_delete(m);
}

/* A plain process named "p" that waits for ever. */
static inline struct dz_pid machine_waiting(struct machine *m)
{
    machine_run(m, "dozor.spawn(function() dozor.receive() end, nil, { name = 'p' }) dozor.sleep(1)");
    struct dz_pid pid = dz_names_whereis(&m->rt.names, "p", 1);
    assert_false(dz_pid_is_none(pid));
    return pid;
}

/* A server of many uses. */
#define SERVER                                                                                               \
    "local server = { init = function(...) return { n = 0, args = { ... } } end }\n"                         \
    "function server.handle_call(msg, state, from)\n"                                                        \
    "  if msg == 'get' then return state.n end\n"                                                            \
    "  if msg == 'args' then return state.args end\n"                                                        \
    "  if msg == 'inc' then return state.n + 1, { n = state.n + 1 } end\n"                                   \
    "  if msg == 'nil' then return nil end\n"                                                                \
    "  if msg == 'later' then dozor.send_after(10, dozor.self(), from) return dozor.NOREPLY end\n"           \
    "  if msg == 'crash' then error('boom') end\n"                                                           \
    "  if msg == 'exit' then dozor.exit('bye') end\n"                                                        \
    "  if msg == 'sleep' then dozor.sleep(100) return 'slept' end\n"                                         \
    "  if type(msg) == 'table' then return msg.reply end\n"                                                  \
    "end\n"                                                                                                  \
    "function server.handle_cast(msg, state) if msg == 'inc' then return { n = state.n + 1 } end end\n"      \
    "function server.handle_info(msg, state)\n"                                                              \
    "  if type(msg) == 'string' and msg:find('^<ref') then dozor.reply(msg, 'late') end\n"                   \
    "  if type(msg) == 'table' and msg.tell then dozor.send(msg.tell, { 'told', msg }) end\n"                \
    "end\n"

#endif
