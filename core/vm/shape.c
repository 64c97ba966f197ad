/* shape.c - see shape.h.
 * A shape's steps are its heads and keys as they stand in the bytes, cut where a scalar stands: two bytes of length, then the
 * literal. Decoding compares and skips the literals, pushes the scalars, and calls the constructor with them. */
#include "vm/shape.h"

#include <lauxlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/buf.h"
#include "term/read.h"
#include "vm/state.h"

struct dz_shape {
    int constructor; /* registry reference */
    uint32_t len;
    uint8_t steps[];
};

/* --- learning --- */

struct learner {
    struct dz_read r;
    const uint8_t *literal; /* where the present one began */
    struct dz_buf steps;
    struct dz_buf source;
    uint32_t scalars;
    bool failed;
};

static void learn(struct learner *l, int depth);

static void end_literal(struct learner *l)
{
    size_t len = (size_t)(l->r.at - l->literal);
    l->failed = l->failed || l->steps.len + len > DZ_SHAPE_BYTES ||
                dz_buf_append_u16(&l->steps, (uint16_t)len) || dz_buf_append(&l->steps, l->literal, len);
}

static void write_key(struct learner *l, const struct dz_value *key)
{
    l->failed = l->failed || dz_buf_printf(&l->source, "[\"");
    for (uint32_t i = 0; i < key->as.str.len && !l->failed; i++)
        l->failed = dz_buf_printf(&l->source, "\\%03u", (unsigned)(uint8_t)key->as.str.bytes[i]);
    l->failed = l->failed || dz_buf_printf(&l->source, "\"]=");
}

static void learn_map(struct learner *l, uint32_t count, int depth)
{
    struct dz_value key;
    l->failed = l->failed || dz_buf_printf(&l->source, "{");
    for (uint32_t i = 0; i < count && !l->failed; i++) {
        l->failed = dz_read_next(&l->r, &key) || key.type != DZ_TERM_STRING;
        if (l->failed)
            return;
        write_key(l, &key);
        learn(l, depth + 1);
        l->failed = l->failed || dz_buf_printf(&l->source, ",");
    }
    l->failed = l->failed || dz_buf_printf(&l->source, "}");
}

static void learn_list(struct learner *l, uint32_t count, int depth)
{
    l->failed = l->failed || count > DZ_SHAPE_LIST || dz_buf_printf(&l->source, "{");
    for (uint32_t i = 0; i < count && !l->failed; i++) {
        learn(l, depth + 1);
        l->failed = l->failed || dz_buf_printf(&l->source, ",");
    }
    l->failed = l->failed || dz_buf_printf(&l->source, "}");
}

static void learn(struct learner *l, int depth)
{
    struct dz_value v;
    l->failed = l->failed || depth > 8 || dz_read_peek(&l->r, &v);
    if (l->failed)
        return;
    if (v.type == DZ_TERM_MAP || v.type == DZ_TERM_ARRAY) {
        dz_read_next(&l->r, &v);
        if (v.type == DZ_TERM_MAP)
            learn_map(l, v.as.count, depth);
        else
            learn_list(l, v.as.count, depth);
        return;
    }
    end_literal(l);
    l->failed = l->failed || ++l->scalars > DZ_SHAPE_SCALARS || dz_read_skip(&l->r, NULL, NULL) ||
                dz_buf_printf(&l->source, "a%u", l->scalars);
    l->literal = l->r.at;
}

static int compile(lua_State *L, const struct learner *l)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "return function(");
    for (uint32_t i = 1; i <= l->scalars; i++) {
        lua_pushfstring(L, i == 1 ? "a%d" : ",a%d", (int)i);
        luaL_addvalue(&b);
    }
    luaL_addstring(&b, ") return ");
    luaL_addlstring(&b, (const char *)l->source.data, l->source.len);
    luaL_addstring(&b, " end");
    luaL_pushresult(&b);
    size_t len;
    const char *source = lua_tolstring(L, -1, &len);
    int failed = luaL_loadbuffer(L, source, len, "=[dozor]/shape") || lua_pcall(L, 0, 1, 0);
    lua_remove(L, -2);
    if (!failed)
        return luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
    return LUA_NOREF;
}

static struct dz_shape *make(lua_State *L, struct learner *l)
{
    struct dz_shape *s = dz_alloc(sizeof *s + l->steps.len);
    if (!s)
        return NULL;
    s->len = (uint32_t)l->steps.len;
    memcpy(s->steps, l->steps.data, l->steps.len);
    s->constructor = compile(L, l);
    if (s->constructor != LUA_NOREF)
        return s;
    dz_free(s);
    return NULL;
}

static void replace(struct dz_vm *vm, struct dz_shapes *c, uint32_t set, struct dz_shape *s)
{
    struct dz_shape **ways = &c->ways[set * DZ_SHAPE_WAYS];
    uint32_t way = 0;
    while (way < DZ_SHAPE_WAYS - 1 && ways[way])
        way++;
    if (ways[way]) {
        luaL_unref(vm->L, LUA_REGISTRYINDEX, ways[way]->constructor);
        dz_free(ways[way]);
        c->patience[set] = c->patience[set] < UINT32_MAX / 4 ? c->patience[set] * 2 : c->patience[set];
    }
    memmove(ways + 1, ways, way * sizeof *ways);
    ways[0] = s;
}

/* The map was not known. What cannot be a shape (or means an error, which the decoder will raise) is not tried again soon. */
static void missed(lua_State *L, struct dz_vm *vm, uint32_t set, const uint8_t *data, size_t len)
{
    struct dz_shapes *c = &vm->shapes;
    if (c->patience[set] == 0)
        c->patience[set] = DZ_SHAPE_PATIENCE;
    if (++c->missed[set] < c->patience[set])
        return;
    c->missed[set] = 0;
    struct learner l = {.literal = data};
    dz_read_init(&l.r, data, len);
    dz_buf_init(&l.steps);
    dz_buf_init(&l.source);
    learn(&l, 0);
    end_literal(&l);
    struct dz_shape *s = l.failed || l.scalars == 0 || !dz_read_at_end(&l.r) ? NULL : make(L, &l);
    dz_buf_fini(&l.steps);
    dz_buf_fini(&l.source);
    if (s)
        replace(vm, c, set, s);
    else
        c->patience[set] = c->patience[set] < UINT32_MAX / 4 ? c->patience[set] * 2 : c->patience[set];
}

/* --- decoding --- */

/* Literals are short: no call. */
static inline bool same(const uint8_t *a, const uint8_t *b, size_t len)
{
    uint64_t x, y;
    for (; len >= 8; a += 8, b += 8, len -= 8) {
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        if (x != y)
            return false;
    }
    for (; len > 0; a++, b++, len--)
        if (*a != *b)
            return false;
    return true;
}

/* Pushes the scalars behind the constructor; false when the bytes have another shape. */
static bool push_scalars(lua_State *L, const struct dz_shape *s, struct dz_read *r, int *count)
{
    const uint8_t *step = s->steps, *end = s->steps + s->len;
    for (;;) {
        size_t len = (size_t)step[0] << 8 | step[1];
        if ((size_t)(r->end - r->at) < len || !same(r->at, step + 2, len))
            return false;
        r->at += len;
        step += 2 + len;
        if (step == end)
            return r->at == r->end;
        if (!dz_codec_push_scalar(L, r))
            return false;
        ++*count;
    }
}

static bool try(lua_State *L, const struct dz_shape *s, const uint8_t *data, size_t len)
{
    struct dz_read r = {data, data + len};
    int top = lua_gettop(L), count = 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->constructor);
    if (!push_scalars(L, s, &r, &count)) {
        lua_settop(L, top);
        return false;
    }
    lua_call(L, count, 1);
    return true;
}

/* Of the head and the first key. */
static uint32_t set_of(const uint8_t *data, size_t len)
{
    uint32_t h = data[0], n = len > 1 && data[1] >= 0xa0 && data[1] <= 0xbf ? (data[1] & 31u) + 1 : 1;
    for (uint32_t i = 1; i <= n && i < len; i++)
        h = h * 31 + data[i];
    return (h ^ h >> 7) % (DZ_SHAPES / DZ_SHAPE_WAYS);
}

bool dz_shape_decode(lua_State *L, struct dz_vm *vm, const uint8_t *data, size_t len)
{
    uint32_t set = set_of(data, len);
    struct dz_shape **ways = &vm->shapes.ways[set * DZ_SHAPE_WAYS];
    luaL_checkstack(L, DZ_SHAPE_SCALARS + 4, "decode");
    for (uint32_t i = 0; i < DZ_SHAPE_WAYS && ways[i]; i++)
        if (try(L, ways[i], data, len))
            return true;
    missed(L, vm, set, data, len);
    return false;
}

void dz_shape_free_all(struct dz_vm *vm)
{
    for (uint32_t i = 0; i < DZ_SHAPES; i++)
        dz_free(vm->shapes.ways[i]);
}
