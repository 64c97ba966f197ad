/* ident.c - pids, refs, dests and times as arguments and results.
 * A pid in Lua is its text; each worker remembers what the texts it last met mean, by the address of the
 * string. The address may belong to another string by now, so the bytes decide. */
#include "vm/state.h"

#include <math.h>
#include <string.h>
#include "base/err.h"

#define NS_PER_MS 1000000.0

static uint32_t slot_of(const char *address)
{
    uint64_t h = (uint64_t)(uintptr_t)address * 0x9e3779b97f4a7c15ull;
    return (uint32_t)(h >> 32) % DZ_VM_TEXTS;
}

static const struct dz_text *find(struct dz_vm *vm, const char *s, size_t len)
{
    struct dz_text *e = &vm->texts[slot_of(s)];
    if (e->address == s && e->len == len && memcmp(e->text, s, len) == 0)
        return e;
    struct dz_nodes *nodes = &vm->shared->rt->nodes;
    struct dz_text fresh = {.address = s, .len = (uint32_t)len};
    if (len >= DZ_VM_TEXT_MAX)
        return NULL;
    if (dz_pid_parse(nodes, s, len, &fresh.ref.owner) != 0) {
        if (dz_ref_parse(nodes, s, len, &fresh.ref) != 0)
            return NULL;
        fresh.is_ref = true;
    }
    memcpy(fresh.text, s, len);
    *e = fresh;
    return e;
}

void dz_ident_push_new(lua_State *L, const char *text, size_t len, struct dz_pid pid)
{
    lua_pushlstring(L, text, len);
    if (len >= DZ_VM_TEXT_MAX)
        return;
    const char *s = lua_tostring(L, -1);
    struct dz_text *e = &dz_vm_state(L)->texts[slot_of(s)];
    e->address = s;
    e->len = (uint32_t)len;
    e->is_ref = false;
    e->ref.owner = pid;
    memcpy(e->text, text, len);
}

void dz_ident_learn(struct dz_vm *vm, lua_State *L, int idx, struct dz_pid pid)
{
    const void *string = lua_topointer(L, idx);
    struct dz_dest *d = dz_ident_dests(vm, string);
    uint32_t way = 0;
    while (way < DZ_VM_DEST_WAYS && d[way].string)
        way++;
    d += way < DZ_VM_DEST_WAYS ? way : vm->next_dest++ % DZ_VM_DEST_WAYS;
    if (!string || lua_type(L, idx) != LUA_TSTRING || lua_tostring(L, idx)[0] != '<')
        return;
    lua_pushvalue(L, idx);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->pinned);
    lua_insert(L, -2);
    d->string = NULL;
    lua_rawseti(L, -2, (int)(d - vm->dests) + 1);
    lua_pop(L, 1);
    *d = (struct dz_dest){string, pid};
}

uint8_t dz_ident_ext(struct dz_vm *vm, const char *s, size_t len)
{
    struct dz_ref ref;
    if (len < 9 || s[0] != '<' || s[len - 1] != '>')
        return 0;
    if (len < DZ_VM_TEXT_MAX) {
        const struct dz_text *e = find(vm, s, len);
        return !e ? 0 : e->is_ref ? DZ_EXT_REF : DZ_EXT_PID;
    }
    struct dz_nodes *nodes = &vm->shared->rt->nodes;
    if (dz_pid_parse(nodes, s, len, &ref.owner) == 0)
        return DZ_EXT_PID;
    return dz_ref_parse(nodes, s, len, &ref) == 0 ? DZ_EXT_REF : 0;
}

/* The string at idx as what it identifies; of a pid only the owner is set. */
static bool to_ident(lua_State *L, int idx, bool is_ref, struct dz_ref *out)
{
    size_t len;
    if (lua_type(L, idx) != LUA_TSTRING)
        return false;
    const char *s = lua_tolstring(L, idx, &len);
    if (len < 8 || s[0] != '<')
        return false;
    struct dz_vm *vm = dz_vm_state(L);
    struct dz_nodes *nodes = &vm->shared->rt->nodes;
    if (len >= DZ_VM_TEXT_MAX)
        return (is_ref ? dz_ref_parse(nodes, s, len, out) : dz_pid_parse(nodes, s, len, &out->owner)) == 0;
    const struct dz_text *e = find(vm, s, len);
    if (!e || e->is_ref != is_ref)
        return false;
    *out = e->ref;
    return true;
}

bool dz_vm_to_pid(lua_State *L, int idx, struct dz_pid *pid)
{
    struct dz_ref ident;
    bool found = to_ident(L, idx, false, &ident);
    if (found)
        *pid = ident.owner;
    return found;
}

bool dz_vm_to_ref(lua_State *L, int idx, struct dz_ref *ref)
{
    return to_ident(L, idx, true, ref);
}

void dz_vm_push_pid(lua_State *L, struct dz_pid pid)
{
    struct dz_vm *vm = dz_vm_state(L);
    char text[DZ_PID_TEXT_MAX];
    if (dz_pid_is_none(pid)) {
        lua_pushnil(L);
        return;
    }
    struct dz_text *e = &vm->formats[(pid.slot ^ pid.gen) % DZ_VM_TEXTS];
    if (e->len && dz_pid_eq(e->ref.owner, pid)) {
        lua_pushlstring(L, e->text, e->len);
        return;
    }
    size_t len = dz_pid_format(&vm->shared->rt->nodes, pid, text);
    if (len < DZ_VM_TEXT_MAX) {
        memcpy(e->text, text, len);
        e->len = (uint32_t)len;
        e->ref.owner = pid;
    }
    lua_pushlstring(L, text, len);
}

void dz_vm_push_ref(lua_State *L, struct dz_ref ref)
{
    char text[DZ_PID_TEXT_MAX];
    size_t len = dz_ref_format(&dz_vm_rt(L)->nodes, ref, text);
    lua_pushlstring(L, text, len);
}

static struct dz_pid whereis(struct dz_rt *rt, const char *name, size_t len)
{
    struct dz_pid pid = dz_names_whereis(&rt->names, name, len);
    if (dz_pid_is_none(pid) && rt->ports.global_whereis)
        pid = rt->ports.global_whereis(rt->ports.ctx, name, len);
    return pid;
}

bool dz_vm_check_dest(lua_State *L, int idx, const char *argument, struct dz_pid *pid)
{
    size_t len;
    *pid = DZ_PID_NONE;
    if (lua_type(L, idx) != LUA_TSTRING) {
        dz_vm_raise_argument(L, argument, "a pid, a registered name or { name =, node = }", idx);
        return false;
    }
    if (dz_vm_to_pid(L, idx, pid))
        return !dz_pid_is_none(*pid);
    const char *s = lua_tolstring(L, idx, &len);
    if (len == 0 || s[0] == '<' || len > DZ_NAME_MAX)
        dz_vm_raise_argument(L, argument, "a pid or a registered name", idx);
    *pid = whereis(dz_vm_rt(L), s, len);
    return !dz_pid_is_none(*pid);
}

uint64_t dz_vm_check_time(lua_State *L, int idx, const char *argument, uint64_t absent_ns)
{
    if (lua_isnoneornil(L, idx))
        return absent_ns;
    if (lua_topointer(L, idx) == dz_vm_state(L)->infinity)
        return DZ_INFINITY;
    double ms = lua_type(L, idx) == LUA_TNUMBER ? lua_tonumber(L, idx) : -1;
    if (!(ms >= 0))
        dz_vm_raise_argument(L, argument, "milliseconds (a number >= 0) or \"infinity\"", idx);
    return ms * NS_PER_MS >= 9e18 ? DZ_INFINITY : (uint64_t)(ms * NS_PER_MS);
}
