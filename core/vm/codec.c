/* codec.c - the encoder: one pass over each table, counts patched in behind.
 * A table is written as an array while its keys come as 1, 2, 3, ...; the first other key turns it into a
 * map, written anew. */
#include "vm/codec.h"

#include <math.h>
#include <string.h>
#include "base/err.h"
#include "term/term.h"
#include "vm/bind_supervisor.h"
#include "vm/put.h"
#include "vm/state.h"
#include "vm/walk.h"

#define TCDATA 10 /* LuaJIT's type number of cdata, which its headers do not name */

/* One table being encoded; the chain is the path. */
struct level {
    const struct level *up;
    const void *table;
    int key; /* stack index of the present key; 0: `index` is it */
    lua_Integer index;
};

struct encoder {
    lua_State *L;
    struct dz_vm *vm;
    struct dz_buf *out;
    const char *what;
    unsigned flags;
    int depth;
};

static void value(struct encoder *e, int idx, const struct level *at);

/* --- paths and errors --- */

static bool is_identifier(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool letter = (s[i] | 32) >= 'a' && (s[i] | 32) <= 'z';
        if (!letter && s[i] != '_' && (i == 0 || s[i] < '0' || s[i] > '9'))
            return false;
    }
    return len > 0;
}

static void push_step(lua_State *L, const struct level *l)
{
    size_t len = 0;
    int type = l->key ? lua_type(L, l->key) : LUA_TNUMBER;
    if (type == LUA_TSTRING) {
        const char *s = lua_tolstring(L, l->key, &len);
        lua_pushfstring(L, is_identifier(s, len) ? ".%s" : "[\"%s\"]", s);
    } else if (type == LUA_TNUMBER) {
        lua_pushfstring(L, "[%f]", l->key ? lua_tonumber(L, l->key) : (lua_Number)(l->index ? l->index : 1));
    } else if (type == LUA_TBOOLEAN) {
        lua_pushfstring(L, "[%s]", lua_toboolean(L, l->key) ? "true" : "false");
    } else {
        lua_pushfstring(L, "[a %s]", lua_typename(L, type));
    }
}

static void push_path(struct encoder *e, const struct level *at)
{
    const struct level *chain[DZ_TERM_MAX_DEPTH + 1];
    int n = 0;
    for (; at && n <= DZ_TERM_MAX_DEPTH; at = at->up)
        chain[n++] = at;
    luaL_checkstack(e->L, n + 4, "path");
    lua_pushstring(e->L, e->what);
    for (int i = n; i > 0; i--)
        push_step(e->L, chain[i - 1]);
    lua_concat(e->L, n + 1);
}

static int refuse(struct encoder *e, const struct level *at, const char *why)
{
    lua_State *L = e->L;
    luaL_checkstack(L, 8, "error");
    push_path(e, at);
    dz_vm_push_error(L, DZ_EMESSAGE, "%s: %s", lua_tostring(L, -1), why);
    lua_insert(L, -2);
    lua_setfield(L, -2, "path");
    return lua_error(L);
}

/* The first table on the way down that holds itself; NULL when there is none. */
static const struct level *find_cycle(const struct level *at)
{
    const struct level *found = NULL;
    for (const struct level *l = at; l; l = l->up) {
        for (const struct level *above = l->up; above; above = above->up) {
            if (above->table == l->table)
                found = l->up;
        }
    }
    return found;
}

static int refuse_size(struct encoder *e, const struct level *at, const char *why)
{
    const struct level *cycle = find_cycle(at);
    return cycle ? refuse(e, cycle, "a table that contains itself cannot be sent") : refuse(e, at, why);
}

/* --- bytes --- */

static uint8_t *room(struct encoder *e, size_t more, const struct level *at)
{
    struct dz_buf *b = e->out;
    if (b->len + more > b->cap || b->cap > DZ_TERM_MAX_BYTES) {
        if (b->len + more > DZ_TERM_MAX_BYTES)
            refuse_size(e, at, "larger than 16 MiB");
        if (dz_buf_reserve(b, more))
            dz_vm_raise(e->L, DZ_ENOMEM, "out of memory");
    }
    return b->data + b->len;
}

static void number(struct encoder *e, double v, const struct level *at)
{
    uint8_t *p = room(e, DZ_PUT_NUMBER, at);
    e->out->len += (size_t)(dz_put_number(p, v) - p);
}

static void raw(struct encoder *e, const void *data, size_t len, const struct level *at)
{
    memcpy(room(e, len, at), data, len);
    e->out->len += len;
}

static void head(struct encoder *e, uint8_t fix, size_t fix_max, uint8_t code8, size_t len,
                 const struct level *at)
{
    uint8_t *p = room(e, 5, at);
    size_t n;
    if (len <= fix_max)
        *p = (uint8_t)(fix | len), n = 1;
    else if (code8 && len <= UINT8_MAX)
        dz_put_wide(p, code8, len, 1), n = 2;
    else if (len <= UINT16_MAX)
        dz_put_wide(p, (uint8_t)(code8 ? code8 + 1 : (fix == 0x90 ? 0xdc : 0xde)), len, 2), n = 3;
    else
        dz_put_wide(p, (uint8_t)(code8 ? code8 + 2 : (fix == 0x90 ? 0xdd : 0xdf)), len, 4), n = 5;
    e->out->len += n;
}

static void ext(struct encoder *e, uint8_t type, const void *data, size_t len, const struct level *at)
{
    uint8_t *p = room(e, len + 4, at);
    if (len == 8) {
        *p++ = 0xd7;
    } else if (len <= UINT8_MAX) {
        *p++ = 0xc7;
        *p++ = (uint8_t)len;
    } else {
        dz_put_wide(p, 0xc8, len, 2);
        p += 3;
    }
    *p++ = type;
    memcpy(p, data, len);
    e->out->len = (size_t)(p + len - e->out->data);
}

static void string(struct encoder *e, int idx, const struct level *at)
{
    size_t len;
    const char *s = lua_tolstring(e->L, idx, &len);
    uint8_t type = len > 8 && s[0] == '<' ? dz_ident_ext(e->vm, s, len) : 0;
    if (type) {
        ext(e, type, s, len, at);
        return;
    }
    head(e, 0xa0, 31, 0xd9, len, at);
    raw(e, s, len, at);
}

/* --- what is not plain --- */

static void as_text(struct encoder *e, int idx, const struct level *at)
{
    lua_State *L = e->L;
    int top = lua_gettop(L);
    luaL_checkstack(L, 4, "tostring");
    if (!luaL_callmeta(L, idx, "__tostring") || !lua_isstring(L, -1))
        lua_pushfstring(L, "%s: %p", luaL_typename(L, idx), lua_topointer(L, idx));
    string(e, lua_gettop(L), at);
    lua_settop(L, top);
}

static void unsendable(struct encoder *e, int idx, const struct level *at)
{
    static const char *const why[] = {
        [LUA_TLIGHTUSERDATA] = "userdata cannot be sent", [LUA_TUSERDATA] = "userdata cannot be sent",
        [LUA_TFUNCTION] = "a function cannot be sent",    [LUA_TTHREAD] = "a coroutine cannot be sent",
        [TCDATA] = "this cdata cannot be sent",
    };
    if (e->flags & DZ_CODEC_LOSSY)
        as_text(e, idx, at);
    else
        refuse(e, at, why[lua_type(e->L, idx)]);
}

static void cdata(struct encoder *e, int idx, const struct level *at)
{
    lua_State *L = e->L;
    luaL_checkstack(L, 6, "cdata");
    lua_rawgeti(L, LUA_REGISTRYINDEX, e->vm->unbox);
    lua_pushvalue(L, idx);
    lua_call(L, 1, 3); /* nil, or is it signed, the high half, the low half */
    if (lua_isnil(L, -3)) {
        lua_pop(L, 3);
        unsendable(e, idx, at);
        return;
    }
    uint64_t v = (uint64_t)lua_tonumber(L, -2) << 32 | (uint64_t)lua_tonumber(L, -1);
    uint8_t type = lua_toboolean(L, -3) ? DZ_EXT_INT64 : DZ_EXT_UINT64;
    uint8_t bytes[9];
    lua_pop(L, 3);
    dz_put_wide(bytes, 0, v, 8);
    ext(e, type, bytes + 1, 8, at);
}

static void function(struct encoder *e, int idx, const struct level *at)
{
    uint8_t reference[DZ_VM_FUNCTION_BYTES];
    if (!(e->flags & DZ_CODEC_FUNCTIONS)) {
        unsendable(e, idx, at);
        return;
    }
    luaL_checkstack(e->L, 4, "reference");
    bool is_table = dz_bind_supervisor_push_table(e->L, idx);
    if (is_table)
        idx = lua_gettop(e->L);
    dz_vm_function_ref(e->L, idx, reference);
    dz_function_named(e->L, idx);
    if (is_table)
        lua_pop(e->L, 1);
    ext(e, DZ_EXT_FUNCTION, reference, sizeof reference, at);
}

/* --- tables --- */

/* Writes the count into the head reserved as one byte at `start`, which moves what follows when more is
 * needed. */
static void patch_head(struct encoder *e, size_t start, uint8_t fix, uint32_t count, const struct level *at)
{
    if (count <= 15) {
        e->out->data[start] = (uint8_t)(fix | count);
        return;
    }
    size_t more = count <= UINT16_MAX ? 2 : 4;
    room(e, more, at);
    uint8_t *p = e->out->data + start;
    memmove(p + 1 + more, p + 1, e->out->len - start - 1);
    dz_put_wide(p, (uint8_t)((fix == 0x90 ? 0xdc : 0xde) + (more == 4)), count, (int)more);
    e->out->len += more;
}

static void map_key(struct encoder *e, int idx, const struct level *at)
{
    int type = lua_type(e->L, idx);
    if (type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TBOOLEAN)
        value(e, idx, at);
    else if (e->flags & DZ_CODEC_LOSSY)
        as_text(e, idx, at);
    else
        refuse(e, at, type == LUA_TTABLE ? "a table cannot be a key" : "this key cannot be sent");
}

static void map(struct encoder *e, int idx, struct level *here)
{
    lua_State *L = e->L;
    size_t start = e->out->len;
    uint32_t count = 0;
    room(e, 1, here->up);
    e->out->len++;
    lua_pushnil(L);
    here->key = lua_gettop(L);
    while (lua_next(L, idx)) {
        map_key(e, here->key, here);
        value(e, here->key + 1, here);
        lua_settop(L, here->key);
        count++;
    }
    patch_head(e, start, 0x80, count, here->up);
}

/* Keys 1..n in that order and no others: false (what was written is taken back) when they are not. */
static bool array_in_order(struct encoder *e, int idx, struct level *here)
{
    lua_State *L = e->L;
    size_t start = e->out->len;
    uint32_t count = 0;
    room(e, 1, here->up);
    e->out->len++;
    lua_pushnil(L);
    here->key = lua_gettop(L);
    while (lua_next(L, idx)) {
        if (lua_type(L, here->key) != LUA_TNUMBER || lua_tonumber(L, here->key) != (lua_Number)(count + 1)) {
            lua_settop(L, here->key - 1);
            e->out->len = start;
            return false;
        }
        value(e, here->key + 1, here);
        lua_settop(L, here->key);
        count++;
    }
    patch_head(e, start, 0x90, count, here->up);
    return true;
}

/* All keys are integers of 1..n, but lua_next gives them in another order. */
static bool is_sequence(lua_State *L, int idx, size_t n)
{
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        lua_Number k = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
        lua_pop(L, 1);
        if (k < 1 || k > (lua_Number)n || k != floor(k)) {
            lua_pop(L, 1);
            return false;
        }
        count++;
    }
    return count == n;
}

static void sequence(struct encoder *e, int idx, size_t n, struct level *here)
{
    head(e, 0x90, 15, 0, n, here->up);
    here->key = 0;
    for (size_t i = 1; i <= n; i++) {
        here->index = (lua_Integer)i;
        lua_rawgeti(e->L, idx, (int)i);
        value(e, lua_gettop(e->L), here);
        lua_pop(e->L, 1);
    }
}

static bool is_above(const struct level *at, const void *table)
{
    for (; at; at = at->up) {
        if (at->table == table)
            return true;
    }
    return false;
}

static void table(struct encoder *e, int idx, const struct level *at)
{
    struct level here = {at, lua_topointer(e->L, idx), 0, 0};
    if (e->vm->walks && e->depth == 0 && dz_walk_encode(e->vm, here.table, e->out))
        return;
    if ((e->flags & DZ_CODEC_LOSSY) && (e->depth >= DZ_TERM_MAX_DEPTH - 1 || is_above(at, here.table))) {
        as_text(e, idx, at);
        return;
    }
    if (e->depth >= DZ_TERM_MAX_DEPTH)
        refuse_size(e, &here, "nested deeper than 64 levels");
    e->depth++;
    luaL_checkstack(e->L, 8, "nesting");
    size_t n = lua_objlen(e->L, idx);
    if (n == 0) {
        lua_pushnil(e->L);
        bool empty = !lua_next(e->L, idx);
        if (!empty)
            lua_pop(e->L, 2);
        if (empty)
            head(e, 0x90, 15, 0, 0, at);
        else
            map(e, idx, &here);
    } else if (!array_in_order(e, idx, &here)) {
        if (is_sequence(e->L, idx, n))
            sequence(e, idx, n, &here);
        else
            map(e, idx, &here);
    }
    e->depth--;
}

static void value(struct encoder *e, int idx, const struct level *at)
{
    switch (lua_type(e->L, idx)) {
    case LUA_TNIL:
        *room(e, 1, at) = 0xc0;
        e->out->len++;
        break;
    case LUA_TBOOLEAN:
        *room(e, 1, at) = lua_toboolean(e->L, idx) ? 0xc3 : 0xc2;
        e->out->len++;
        break;
    case LUA_TNUMBER:
        number(e, lua_tonumber(e->L, idx), at);
        break;
    case LUA_TSTRING:
        string(e, idx, at);
        break;
    case LUA_TTABLE:
        table(e, idx, at);
        break;
    case LUA_TFUNCTION:
        function(e, idx, at);
        break;
    case TCDATA:
        cdata(e, idx, at);
        break;
    default:
        unsendable(e, idx, at);
    }
}

void dz_codec_encode(lua_State *L, int idx, const char *what, unsigned flags, struct dz_buf *out)
{
    struct encoder e = {L, dz_vm_state(L), out, what, flags, 0};
    if (idx < 0 && idx > LUA_REGISTRYINDEX)
        idx = lua_gettop(L) + 1 + idx;
    luaL_checkstack(L, 4, "encode");
    if (lua_type(L, idx) == LUA_TNONE) {
        lua_pushnil(L);
        value(&e, lua_gettop(L), NULL);
        lua_pop(L, 1);
    } else {
        value(&e, idx, NULL);
    }
}

/* The largest positive integer key. */
static size_t largest_index(lua_State *L, int idx)
{
    lua_Number largest = 0;
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        lua_Number k = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
        lua_pop(L, 1);
        if (k > largest && k == floor(k))
            largest = k;
    }
    return largest > DZ_VM_ARGS_MAX ? (size_t)DZ_VM_ARGS_MAX + 1 : (size_t)largest;
}

void dz_codec_encode_args(lua_State *L, int idx, const char *what, unsigned flags, struct dz_buf *out)
{
    struct encoder e = {L, dz_vm_state(L), out, what, flags, 1};
    if (lua_isnoneornil(L, idx)) {
        head(&e, 0x90, 15, 0, 0, NULL);
        return;
    }
    if (!lua_istable(L, idx))
        dz_vm_raise_argument(L, what, "a list", idx);
    luaL_checkstack(L, 8, "encode");
    struct level here = {NULL, lua_topointer(L, idx), 0, 0};
    size_t n = largest_index(L, idx);
    if (n > DZ_VM_ARGS_MAX)
        dz_vm_raise(L, DZ_EARGUMENT, "%s: more than %d arguments", what, DZ_VM_ARGS_MAX);
    sequence(&e, idx, n, &here);
}

/* The scratch buffer, emptied; one huge message does not keep its memory for ever. */
struct dz_buf *dz_codec_scratch(struct dz_vm *vm)
{
    if (vm->scratch.cap > DZ_VM_SCRATCH_MAX) {
        dz_buf_fini(&vm->scratch);
        dz_buf_init(&vm->scratch);
    }
    dz_buf_clear(&vm->scratch);
    return &vm->scratch;
}

size_t dz_codec_scalar(lua_State *L, int idx, uint8_t out[DZ_CODEC_SCALAR])
{
    size_t len;
    const char *s;
    switch (lua_type(L, idx)) {
    case LUA_TNUMBER:
        return (size_t)(dz_put_number(out, lua_tonumber(L, idx)) - out);
    case LUA_TSTRING:
        s = lua_tolstring(L, idx, &len);
        if (len >= DZ_CODEC_SCALAR || (len > 8 && s[0] == '<'))
            return 0;
        out[0] = (uint8_t)(0xa0 | len);
        memcpy(out + 1, s, len);
        return len + 1;
    case LUA_TNIL:
    case LUA_TNONE:
        out[0] = 0xc0;
        return 1;
    case LUA_TBOOLEAN:
        out[0] = lua_toboolean(L, idx) ? 0xc3 : 0xc2;
        return 1;
    default:
        return 0;
    }
}

struct dz_msg *dz_codec_large_message(lua_State *L, struct dz_thread *t, int idx, const char *what, unsigned flags,
                                      enum dz_msg_kind kind)
{
    struct dz_buf *b = dz_codec_scratch(t->vm);
    dz_codec_encode(L, idx, what, flags, b);
    struct dz_msg *m = b->len > DZ_MSG_SMALL_ROOM ? dz_msg_new(kind, b->len) : dz_thread_new_message(t, kind);
    if (!m)
        dz_vm_raise(L, DZ_ENOMEM, "out of memory");
    memcpy(m->bytes, b->data, b->len);
    m->len = (uint32_t)b->len;
    return m;
}

struct dz_blob *dz_codec_blob(lua_State *L, int idx, const char *what, unsigned flags)
{
    struct dz_buf *b = dz_codec_scratch(dz_vm_state(L));
    dz_codec_encode(L, idx, what, flags, b);
    struct dz_blob *blob = dz_blob_new(b->data, b->len);
    if (!blob)
        dz_vm_raise(L, DZ_ENOMEM, "out of memory");
    return blob;
}
