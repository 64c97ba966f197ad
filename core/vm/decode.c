/* decode.c - the second half of codec.h: bytes into Lua values. */
#include "vm/codec.h"

#include <string.h>
#include "base/err.h"
#include "term/read.h"
#include "vm/shape.h"
#include "vm/state.h"

static void value(lua_State *L, struct dz_read *r, unsigned flags, int depth);

static int malformed(lua_State *L)
{
    return dz_vm_raise(L, DZ_EFORMAT, "malformed message");
}

static void push_box(lua_State *L, bool is_signed, uint64_t v)
{
    luaL_checkstack(L, 5, "cdata");
    lua_rawgeti(L, LUA_REGISTRYINDEX, dz_vm_state(L)->box);
    lua_pushboolean(L, is_signed);
    lua_pushnumber(L, (lua_Number)(v >> 32));
    lua_pushnumber(L, (lua_Number)(v & UINT32_MAX));
    lua_call(L, 3, 1);
}

static void array(lua_State *L, struct dz_read *r, uint32_t count, unsigned flags, int depth)
{
    /* The count is only as trustworthy as the bytes behind it: each element has one at least. */
    size_t left = (size_t)(r->end - r->at);
    if (count > left)
        malformed(L);
    luaL_checkstack(L, 4, "nesting");
    lua_createtable(L, (int)count, 0);
    for (uint32_t i = 1; i <= count; i++) {
        value(L, r, flags, depth + 1);
        lua_rawseti(L, -2, (int)i);
    }
}

static void map(lua_State *L, struct dz_read *r, uint32_t count, unsigned flags, int depth)
{
    size_t left = (size_t)(r->end - r->at);
    if (count > left / 2)
        malformed(L);
    luaL_checkstack(L, 4, "nesting");
    lua_createtable(L, 0, (int)count);
    for (uint32_t i = 0; i < count; i++) {
        value(L, r, flags, depth + 1);
        if (lua_isnil(L, -1) ||
            (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) != lua_tonumber(L, -1)))
            malformed(L);
        value(L, r, flags, depth + 1);
        lua_rawset(L, -3);
    }
}

static void push_function(lua_State *L, const struct dz_value *v, unsigned flags)
{
    if (!(flags & DZ_CODEC_FUNCTIONS) ||
        !dz_vm_function_push(L, (const uint8_t *)v->as.str.bytes, v->as.str.len))
        lua_pushnil(L);
}

/* The scalars that most messages are made of, without a look at any other; false: not one of these. */
static inline bool push_common(lua_State *L, struct dz_read *r)
{
    const uint8_t *p = r->at;
    size_t left = (size_t)(r->end - p);
    if (left == 0)
        return false;
    uint8_t tag = *p;
    if (tag <= 0x7f || tag >= 0xe0) {
        lua_pushinteger(L, (int8_t)tag);
        r->at = p + 1;
    } else if (tag >= 0xa0 && tag <= 0xbf && left > (tag & 31u)) {
        lua_pushlstring(L, (const char *)p + 1, tag & 31u);
        r->at = p + 1 + (tag & 31u);
    } else if (tag == 0xc2 || tag == 0xc3) {
        lua_pushboolean(L, tag == 0xc3);
        r->at = p + 1;
    } else if (tag == 0xcd && left > 2) {
        lua_pushinteger(L, p[1] << 8 | p[2]);
        r->at = p + 3;
    } else if (tag == 0xcc && left > 1) {
        lua_pushinteger(L, p[1]);
        r->at = p + 2;
    } else if (tag == 0xce && left > 4) {
        lua_pushnumber(L, (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4]);
        r->at = p + 5;
    } else {
        return false;
    }
    return true;
}

bool dz_codec_push_fixed(lua_State *L, const uint8_t *data, size_t len)
{
    struct dz_read r = {data, data + len};
    struct dz_value v;
    if (len == 0 || (data[0] >= 0x80 && data[0] <= 0xbf))
        return false; /* a table or a string */
    if (push_common(L, &r))
        return true;
    if (dz_read_next(&r, &v))
        return false;
    switch (v.type) {
    case DZ_TERM_NIL:
        lua_pushnil(L);
        return true;
    case DZ_TERM_INT:
        lua_pushnumber(L, (lua_Number)v.as.integer);
        return true;
    case DZ_TERM_FLOAT:
        lua_pushnumber(L, v.as.number);
        return true;
    default:
        return false;
    }
}

bool dz_codec_push_scalar(lua_State *L, struct dz_read *r)
{
    struct dz_value v;
    if (push_common(L, r))
        return true;
    if (dz_read_peek(r, &v) || v.type == DZ_TERM_ARRAY || v.type == DZ_TERM_MAP || v.type == DZ_TERM_FUNCTION)
        return false;
    value(L, r, 0, 0);
    return true;
}

static void value(lua_State *L, struct dz_read *r, unsigned flags, int depth)
{
    struct dz_value v;
    if (push_common(L, r))
        return;
    if (depth > DZ_TERM_MAX_DEPTH + 1 || dz_read_next(r, &v))
        malformed(L);
    switch (v.type) {
    case DZ_TERM_NIL:
        lua_pushnil(L);
        break;
    case DZ_TERM_BOOL:
        lua_pushboolean(L, v.as.boolean);
        break;
    case DZ_TERM_INT:
        lua_pushnumber(L, (lua_Number)v.as.integer);
        break;
    case DZ_TERM_UINT:
        lua_pushnumber(L, (lua_Number)v.as.uinteger);
        break;
    case DZ_TERM_FLOAT:
        lua_pushnumber(L, v.as.number);
        break;
    case DZ_TERM_STRING:
    case DZ_TERM_PID:
    case DZ_TERM_REF:
        lua_pushlstring(L, v.as.str.bytes, v.as.str.len);
        break;
    case DZ_TERM_ARRAY:
        array(L, r, v.as.count, flags, depth);
        break;
    case DZ_TERM_MAP:
        map(L, r, v.as.count, flags, depth);
        break;
    case DZ_TERM_INT64:
        push_box(L, true, (uint64_t)v.as.integer);
        break;
    case DZ_TERM_UINT64:
        push_box(L, false, v.as.uinteger);
        break;
    case DZ_TERM_FUNCTION:
        push_function(L, &v, flags);
        break;
    }
}

void dz_codec_decode(lua_State *L, const uint8_t *data, size_t len, unsigned flags)
{
    struct dz_read r = {data, data + len};
    if (len == 0) { /* an answer without a value */
        lua_pushnil(L);
        return;
    }
    if (push_common(L, &r))
        return;
    if (flags == 0 && data[0] >= 0x81 && data[0] <= 0x8f && dz_shape_decode(L, dz_vm_state(L), data, len))
        return;
    value(L, &r, flags, 0);
}

int dz_codec_decode_args(lua_State *L, const uint8_t *data, size_t len, unsigned flags)
{
    struct dz_read r;
    uint32_t count;
    if (len == 0)
        return 0;
    dz_read_init(&r, data, len);
    if (dz_read_array(&r, &count))
        malformed(L);
    if (count > (size_t)(r.end - r.at) || !lua_checkstack(L, (int)count + 4))
        dz_vm_raise(L, DZ_ETOOLARGE, "too many arguments: %d", (int)count);
    for (uint32_t i = 0; i < count; i++)
        value(L, &r, flags, 0);
    return (int)count;
}
