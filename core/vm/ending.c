/* ending.c - how Lua processes end: terminate, crashes, and what goes with the process. */
#include "vm/state.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

/* --- terminate --- */

static bool has_terminate(const struct dz_proc *p)
{
    const struct dz_handlers *h = p->kind_state;
    unsigned not_now = DZ_PROC_NO_TERMINATE | DZ_PROC_TERMINATING | DZ_PROC_PLAIN;
    return (p->flags & DZ_PROC_STARTED) && !(p->flags & not_now) && h && h->terminate != LUA_NOREF;
}

struct dz_co *dz_ending_begin(struct dz_vm *vm, struct dz_proc *p)
{
    dz_assert(p->flags & DZ_PROC_DOOMED);
    if (p->wait && !(p->flags & DZ_PROC_STARTED))
        dz_start_hand_over(vm, p);
    if (p->wait)
        dz_process_unwait(vm->thread, p);
    if (p->kind_data)
        dz_co_drop(vm, p->kind_data);
    if (!(p->flags & DZ_PROC_STARTED))
        dz_start_unlink(vm, p);
    struct dz_co *co = has_terminate(p) ? dz_co_get(vm, p) : NULL;
    if (!co) {
        dz_process_finish(vm->thread, p);
        return NULL;
    }
    p->flags |= DZ_PROC_TERMINATING;
    co->phase = DZ_PHASE_END;
    return co;
}

/* --- crashes --- */

struct crash {
    lua_State *from; /* the error value is on top of it, */
    bool traced;     /* and a traceback (or nil) below that */
    bool brief;      /* the whole of it was too much for a message */
    struct dz_blob *reason;
};

static void set_default(lua_State *L, const char *field, const char *value)
{
    lua_getfield(L, -1, field);
    bool absent = lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!absent)
        return;
    lua_pushstring(L, value);
    lua_setfield(L, -2, field);
}

/* A shallow copy of the error table on top, in its place: the reason's fields are added to the copy. */
static void copy_table(lua_State *L)
{
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, -3)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_remove(L, -2);
}

static void push_traceback(lua_State *L, const struct crash *c)
{
    size_t len;
    const char *text = c->traced ? lua_tolstring(c->from, -2, &len) : NULL;
    if (text)
        lua_pushlstring(L, text, len);
    else
        luaL_traceback(L, c->from, NULL, 0);
}

/* {code=, message=, traceback=} of the error value on top, in its place. */
static void make_reason(lua_State *L, const struct crash *c)
{
    if (lua_istable(L, -1)) {
        copy_table(L);
    } else {
        lua_newtable(L);
        lua_insert(L, -2);
        if (!lua_isstring(L, -1)) {
            lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, -1));
            lua_remove(L, -2);
        }
        lua_pushstring(L, lua_tostring(L, -1)); /* a number becomes text */
        lua_remove(L, -2);
        lua_setfield(L, -2, "message");
    }
    set_default(L, "code", "error");
    push_traceback(L, c);
    lua_getfield(L, -2, "traceback");
    bool absent = lua_isnil(L, -1);
    lua_pop(L, 1);
    if (absent)
        lua_setfield(L, -2, "traceback");
    else
        lua_pop(L, 1);
}

#define BRIEF_MAX 4096u

/* Of the reason on top, what one needs to know, in its place. */
static void shorten(lua_State *L)
{
    static const char *const fields[] = {"code", "message", "traceback"};
    lua_newtable(L);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        size_t len = 0;
        lua_getfield(L, -2, fields[i]);
        const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
        if (text) {
            lua_pushlstring(L, text, len < BRIEF_MAX ? len : BRIEF_MAX);
            lua_setfield(L, -3, fields[i]);
        }
        lua_pop(L, 1);
    }
    set_default(L, "code", "error");
    set_default(L, "message", "the error is too large for a reason");
    lua_remove(L, -2);
}

static int build_reason(lua_State *L)
{
    struct crash *c = lua_touserdata(L, 1);
    luaL_checkstack(c->from, 1, "error");
    lua_pushvalue(c->from, -1);
    lua_xmove(c->from, L, 1);
    make_reason(L, c);
    if (c->brief)
        shorten(L);
    c->reason = dz_codec_blob(L, -1, "reason", DZ_CODEC_LOSSY);
    return 0;
}

struct dz_blob *dz_ending_reason(struct dz_vm *vm, lua_State *L1, bool traced)
{
    struct crash c = {L1, traced, false, NULL};
    dz_assert(L1 != vm->L || !traced);
    if (lua_cpcall(vm->L, build_reason, &c)) {
        lua_pop(vm->L, 1);
        c.brief = true;
        if (lua_cpcall(vm->L, build_reason, &c))
            lua_pop(vm->L, 1);
    }
    return c.reason ? c.reason : dz_blob_ref(vm->shared->rt->reasons[DZ_REASON_OUT_OF_MEMORY]);
}

void dz_ending_crash(struct dz_vm *vm, struct dz_co *co)
{
    struct dz_proc *p = co->proc;
    enum dz_phase phase = co->phase;
    dz_assert(p);
    bool killed = p->flags & DZ_PROC_NO_TERMINATE;
    bool decided = killed || ((p->flags & DZ_PROC_DOOMED) && phase != DZ_PHASE_TERMINATE);
    struct dz_blob *reason = decided ? dz_blob_ref(p->exit) : dz_ending_reason(vm, co->L, false);
    bool starting = !(p->flags & DZ_PROC_STARTED);
    if (!decided && !starting)
        dz_report_crash(vm, co, reason);
    if (starting)
        dz_start_failed(vm, p, phase != DZ_PHASE_INIT, reason);
    if (p->wait)
        dz_process_unwait(vm->thread, p);
    dz_co_drop(vm, co);
    dz_process_doom(vm->thread, p, reason, 0);
    dz_blob_unref(reason);
    if (phase == DZ_PHASE_TERMINATE)
        dz_process_finish(vm->thread, p); /* with the reason it was ending for */
    else
        vm->pending = p;
}

/* --- what closes with a process --- */

struct hook {
    struct dz_list all;
    void (*fn)(struct dz_vm *vm, void *arg);
    void *arg;
};

static struct dz_list *hooks_of(struct dz_vm *vm, const struct dz_proc *p)
{
    return dz_map_get(&vm->at_end, p->slot->index);
}

struct dz_proc *dz_ending_process_of(struct dz_vm *vm, struct dz_pid pid)
{
    struct dz_slot *slot = dz_table_find(&vm->shared->rt->table, pid);
    if (!slot || atomic_load_explicit(&slot->thread, memory_order_relaxed) != vm->thread->index)
        return NULL;
    return slot->proc && slot->proc->kind == &dz_vm_kind ? slot->proc : NULL;
}

int dz_vm_at_end(struct dz_vm *vm, struct dz_pid pid, void (*fn)(struct dz_vm *vm, void *arg), void *arg)
{
    struct dz_proc *p = dz_ending_process_of(vm, pid);
    dz_assert(p);
    struct dz_list *list = hooks_of(vm, p);
    struct hook *h = dz_zalloc(1, sizeof *h);
    if (!h)
        return DZ_ENOMEM;
    if (!list) {
        list = dz_alloc(sizeof *list);
        if (!list || dz_map_put(&vm->at_end, p->slot->index, list)) {
            dz_free(list);
            dz_free(h);
            return DZ_ENOMEM;
        }
        dz_list_init(list);
    }
    h->fn = fn;
    h->arg = arg;
    dz_list_push_back(list, &h->all);
    return 0;
}

static void run_hooks(struct dz_vm *vm, uint32_t slot)
{
    struct dz_list *list = vm->at_end.count ? dz_map_remove(&vm->at_end, slot) : NULL;
    struct dz_list *node;
    if (!list)
        return;
    while ((node = dz_list_pop_front(list)) != NULL) {
        struct hook *h = dz_list_entry(node, struct hook, all);
        h->fn(vm, h->arg);
        dz_free(h);
    }
    dz_free(list);
}

void dz_ending_free_hooks(struct dz_vm *vm)
{
    dz_assert(vm->at_end.count == 0 || !vm->L);
    dz_map_fini(&vm->at_end);
}

void dz_ending_dispose(struct dz_thread *t, struct dz_proc *p)
{
    struct dz_vm *vm = t->vm;
    if (dz_interrupt_is_lost(&vm->interrupt)) { /* on the system thread: the Lua state is left as it is */
        dz_free(p);
        return;
    }
    run_hooks(vm, p->slot->index);
    if (!(p->flags & DZ_PROC_STARTED))
        dz_function_spawned(vm->L, p->pid);
    if (p->kind_state)
        dz_handlers_release(vm, p->kind_state);
    if (p->kind_data)
        dz_co_drop(vm, p->kind_data);
    if (p->kind_index) {
        lua_pushnil(vm->L);
        dz_dispatch_store_state(vm->L, vm, p);
        vm->free_states[vm->free_count++] = p->kind_index;
    }
    dz_free(p);
}
