/* walk.c - see walk.h. */
#include "vm/walk.h"

#include <lauxlib.h>
#include <string.h>
#include "term/term.h"
#include "vm/layout.h"
#include "vm/put.h"
#include "vm/state.h"

#define MAX_DEPTH 32
#define MAX_BYTES (1u << 20) /* what is larger goes the way that counts */
#define MAX_HEAD  5u

/* --- the encoder --- */

struct walk {
    struct dz_vm *vm;
    struct dz_buf *out;
    uint8_t *at;
    uint8_t *end;
};

static bool table(struct walk *w, const struct dz_gc_table *t, int depth);

static bool grow(struct walk *w, size_t more)
{
    w->out->len = (size_t)(w->at - w->out->data);
    if (w->out->len + more > MAX_BYTES || dz_buf_reserve(w->out, more))
        return false;
    w->at = w->out->data + w->out->len;
    w->end = w->out->data + w->out->cap;
    return true;
}

static inline bool room(struct walk *w, size_t more)
{
    return (size_t)(w->end - w->at) >= more || grow(w, more);
}

static inline bool number(struct walk *w, dz_tvalue v)
{
    if (!room(w, DZ_PUT_NUMBER))
        return false;
    w->at = dz_put_number(w->at, dz_tvalue_number(v));
    return true;
}

static inline void text_head(struct walk *w, uint32_t len)
{
    if (len <= 31)
        *w->at++ = (uint8_t)(0xa0 | len);
    else if (len <= UINT8_MAX)
        w->at = dz_put_wide(w->at, 0xd9, len, 1);
    else
        w->at = dz_put_wide(w->at, len <= UINT16_MAX ? 0xda : 0xdb, len, len <= UINT16_MAX ? 2 : 4);
}

/* Most strings are short: two overlapping moves instead of a call. */
static inline void copy(uint8_t *to, const char *from, uint32_t len)
{
    if (len > 16) {
        memcpy(to, from, len);
    } else if (len >= 8) {
        memcpy(to + len - 8, from + len - 8, 8);
        memcpy(to, from, 8);
    } else if (len >= 4) {
        memcpy(to + len - 4, from + len - 4, 4);
        memcpy(to, from, 4);
    } else {
        for (uint32_t i = 0; i < len; i++)
            to[i] = (uint8_t)from[i];
    }
}

static bool string(struct walk *w, const struct dz_gc_string *s)
{
    uint32_t len = s->len;
    if (len > MAX_BYTES || !room(w, len + MAX_HEAD))
        return false;
    uint8_t ext = len > 8 && s->data[0] == '<' ? dz_ident_ext(w->vm, s->data, len) : 0;
    if (ext && len > UINT8_MAX)
        return false;
    if (ext) {
        w->at = dz_put_wide(w->at, 0xc7, len, 1);
        *w->at++ = ext;
    } else {
        text_head(w, len);
    }
    copy(w->at, s->data, len);
    w->at += len;
    return true;
}

static inline bool value(struct walk *w, dz_tvalue v, int depth)
{
    uint32_t type = dz_tvalue_type(v);
    if (type <= DZ_T_NUMBER_MAX)
        return number(w, v);
    if (type == DZ_T_STRING)
        return string(w, dz_tvalue_address(v));
    if (type == DZ_T_TABLE)
        return table(w, dz_tvalue_address(v), depth + 1);
    if ((type != DZ_T_TRUE && type != DZ_T_FALSE) || !room(w, 1))
        return false;
    *w->at++ = type == DZ_T_TRUE ? 0xc3 : 0xc2;
    return true;
}

static inline bool table_head(struct walk *w, uint8_t fix, uint32_t count)
{
    if (!room(w, MAX_HEAD))
        return false;
    if (count <= 15)
        *w->at++ = (uint8_t)(fix | count);
    else
        w->at = dz_put_wide(w->at, (uint8_t)((fix == 0x90 ? 0xdc : 0xde) + (count > UINT16_MAX)), count, count > UINT16_MAX ? 4 : 2);
    return true;
}

/* Pairs of the hash part; false when a key is no string. */
static bool count_hash(const struct dz_gc_table *t, uint32_t *n)
{
    *n = 0;
    for (uint32_t i = 0; i <= t->hash_mask; i++) {
        if (dz_tvalue_type(t->node[i].value) == DZ_T_NIL)
            continue;
        if (dz_tvalue_type(t->node[i].key) != DZ_T_STRING)
            return false;
        ++*n;
    }
    return true;
}

static bool table(struct walk *w, const struct dz_gc_table *t, int depth)
{
    uint32_t elements, pairs;
    if (depth > MAX_DEPTH || !dz_gc_count_array(t, &elements) || !count_hash(t, &pairs) || (elements && pairs))
        return false;
    if (!table_head(w, pairs ? 0x80 : 0x90, pairs ? pairs : elements))
        return false;
    for (uint32_t i = 1; i <= elements; i++)
        if (!value(w, t->array[i], depth))
            return false;
    for (uint32_t i = 0; pairs; i++) {
        const struct dz_gc_node *n = &t->node[i];
        if (dz_tvalue_type(n->value) == DZ_T_NIL)
            continue;
        if (!string(w, dz_tvalue_address(n->key)) || !value(w, n->value, depth))
            return false;
        pairs--;
    }
    return true;
}

bool dz_walk_encode(struct dz_vm *vm, const void *root, struct dz_buf *out)
{
    size_t start = out->len;
    if (!out->data && dz_buf_reserve(out, 1))
        return false;
    struct walk w = {vm, out, out->data + out->len, out->data + out->cap};
    bool done = table(&w, root, 1);
    out->len = done ? (size_t)(w.at - out->data) : start;
    return done;
}

/* --- the proof --- */

static bool check_values(const struct dz_gc_table *t)
{
    static const char text[] = "a string with \0 inside";
    if (t->array_size < 5 || dz_tvalue_type(t->array[1]) > DZ_T_NUMBER_MAX || dz_tvalue_number(t->array[1]) != 1.5)
        return false;
    if (dz_tvalue_type(t->array[2]) != DZ_T_TRUE || dz_tvalue_type(t->array[3]) != DZ_T_FALSE || dz_tvalue_type(t->array[4]) != DZ_T_STRING)
        return false;
    const struct dz_gc_string *s = dz_tvalue_address(t->array[4]);
    return s->len == sizeof text - 1 && memcmp(s->data, text, sizeof text - 1) == 0;
}

static bool check_pairs(const struct dz_gc_table *t, const void *inner)
{
    uint32_t found = 0, strings = 0;
    for (uint32_t i = 0; i <= t->hash_mask && i < 8; i++) {
        const struct dz_gc_node *n = &t->node[i];
        if (dz_tvalue_type(n->value) == DZ_T_NIL || dz_tvalue_type(n->key) != DZ_T_STRING)
            continue;
        const struct dz_gc_string *key = dz_tvalue_address(n->key);
        strings++;
        if (key->len == 5 && memcmp(key->data, "inner", 5) == 0)
            found += dz_tvalue_type(n->value) == DZ_T_TABLE && dz_tvalue_address(n->value) == inner;
        else if (key->len == 3 && memcmp(key->data, "one", 3) == 0)
            found += dz_tvalue_type(n->value) <= DZ_T_NUMBER_MAX && dz_tvalue_number(n->value) == 1;
    }
    return found == 2 && strings == 2;
}

bool dz_walk_check(lua_State *L)
{
    static const char source[] =
        "local t = { 1.5, true, false, 'a string with \\0 inside' } return t, { inner = t, one = 1 }, {}";
    int top = lua_gettop(L);
    if (sizeof(void *) != 8)
        return false;
    if (luaL_loadbuffer(L, source, sizeof source - 1, "=walk"))
        return lua_error(L);
    lua_call(L, 0, 3);
    const struct dz_gc_table *list = lua_topointer(L, -3), *map = lua_topointer(L, -2), *empty = lua_topointer(L, -1);
    bool same = check_values(list) && map->array_size == 0 && map->hash_mask < 8 && check_pairs(map, list) &&
                empty->array_size == 0 && empty->hash_mask == 0 && dz_tvalue_type(empty->node[0].value) == DZ_T_NIL;
    lua_settop(L, top);
    return same;
}
