/* bind_events.c - see bind_events.h. */
#include "vm/bind_events.h"

#include "base/err.h"
#include "term/build.h"
#include "vm/bind_support.h"
#include "vm/state.h"

/* system() -> the pid of the host's service process. */
static int system_pid(lua_State *L)
{
    dz_vm_push_pid(L, dz_vm_rt(L)->system);
    return 1;
}

/* events() -> the pid of the event hub. */
static int events_pid(lua_State *L)
{
    dz_vm_push_pid(L, dz_vm_rt(L)->events);
    return 1;
}

/* spawn_hidden(what): a process on this worker that dozor.processes does not show and that keeps no host
 * running; `what` is a function, or a behaviour table. The answer is its pid. */
static int spawn_hidden(lua_State *L)
{
    uint8_t reference[DZ_VM_FUNCTION_BYTES];
    struct dz_spawn s = {.flags = DZ_SPAWN_HIDDEN, .timeout_ms = DZ_INFINITY};
    s.what = lua_istable(L, 1) ? DZ_SPAWN_TABLE : DZ_SPAWN_FUNCTION;
    if (s.what == DZ_SPAWN_FUNCTION)
        luaL_checktype(L, 1, LUA_TFUNCTION);
    dz_vm_check_wait(L, "spawn");
    dz_vm_function_ref(L, 1, reference);
    dz_function_named(L, 1);
    uint8_t term[64];
    struct dz_buf buf = {.data = term, .cap = sizeof term, .limit = sizeof term};
    struct dz_build b;
    dz_build_init(&b, &buf);
    dz_build_ext(&b, DZ_EXT_FUNCTION, reference, sizeof reference);
    s.function = buf.data;
    s.function_len = buf.len;
    return dz_bind_spawn_here(L, dz_spawn_hold(&s));
}

void dz_bind_events_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"system", system_pid},
        {"events", events_pid},
        {"spawn_hidden", spawn_hidden},
        {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
}
