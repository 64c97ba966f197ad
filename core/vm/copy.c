/* copy.c - see copy.h.
 * A plan's steps: for each table its counts of elements and nodes, then a step for each element and each node; where
 * the value is a table, that table's steps follow at once. */
#include "vm/copy.h"

#include <lauxlib.h>
#include "base/alloc.h"
#include "base/buf.h"
#include "vm/layout.h"
#include "vm/state.h"

/* What a place in a table is to hold. */
struct step {
    dz_tvalue key;  /* of a node; EMPTY_NODE: its value is nil; of a head: elements << 32 | nodes */
    bool is_table; /* else a scalar */
};

#define EMPTY_NODE 0u /* the number 0 in a node's key: keys are strings here */

struct dz_plan {
    int maker; /* registry reference */
    uint32_t count;
    struct step steps[];
};

/* The nodes of a table without a hash part are one that all such tables share. */
static inline uint32_t nodes_of(const struct dz_gc_table *t)
{
    return t->hash_mask || dz_tvalue_type(t->node[0].value) != DZ_T_NIL ? t->hash_mask + 1 : 0;
}

static inline bool is_scalar(dz_tvalue v)
{
    uint32_t type = dz_tvalue_type(v);
    if (type == DZ_T_STRING)
        return ((const struct dz_gc_string *)dz_tvalue_address(v))->len <= DZ_COPY_STRING;
    return type <= DZ_T_NUMBER_MAX || type == DZ_T_TRUE || type == DZ_T_FALSE;
}

/* --- comparing --- */

static const struct step *match(const struct step *at, const struct dz_gc_table *t);

/* The steps behind those of the value; NULL when it is another kind of value. */
static inline const struct step *match_value(const struct step *at, dz_tvalue v)
{
    if (!at->is_table)
        return is_scalar(v) ? at + 1 : NULL;
    return dz_tvalue_type(v) == DZ_T_TABLE ? match(at + 1, dz_tvalue_address(v)) : NULL;
}

static const struct step *match(const struct step *at, const struct dz_gc_table *t)
{
    uint32_t elements, nodes = nodes_of(t);
    if (!dz_gc_count_array(t, &elements) || at->key != ((uint64_t)elements << 32 | nodes))
        return NULL;
    at++;
    for (uint32_t i = 1; i <= elements; i++)
        if (!(at = match_value(at, t->array[i])))
            return NULL;
    for (uint32_t i = 0; i < nodes; i++) {
        const struct dz_gc_node *n = &t->node[i];
        bool empty = dz_tvalue_type(n->value) == DZ_T_NIL;
        if (at->key != (empty ? EMPTY_NODE : n->key))
            return NULL;
        at = empty ? at + 1 : match_value(at, n->value);
        if (!at)
            return NULL;
    }
    return at;
}

/* --- learning --- */

struct learner {
    struct step steps[DZ_COPY_STEPS + 1]; /* the last one for what is too much */
    uint32_t count;
    uint32_t tables;     /* named so far: t0, t1, ... */
    struct dz_buf names; /* local t1 = t0["list"] ... */
    struct dz_buf value; /* { ["id"] = t0["id"], ... } */
    bool failed;
};

static void learn_table(struct learner *l, const struct dz_gc_table *t, uint32_t number);

static struct step *add_step(struct learner *l, dz_tvalue key)
{
    struct step *s = &l->steps[l->count];
    *s = (struct step){key, false};
    if (l->count == DZ_COPY_STEPS)
        l->failed = true;
    else
        l->count++;
    return s;
}

static void write_key(struct learner *l, struct dz_buf *out, const struct dz_gc_string *key)
{
    l->failed = l->failed || dz_buf_printf(out, "[\"");
    for (uint32_t i = 0; i < key->len && !l->failed; i++)
        l->failed = dz_buf_printf(out, "\\%03u", (unsigned)(uint8_t)key->data[i]);
    l->failed = l->failed || dz_buf_printf(out, "\"]");
}

/* t1[3] or t1["name"]: where the value comes from. */
static void write_place(struct learner *l, struct dz_buf *out, uint32_t table, uint32_t element,
                        const struct dz_gc_string *key)
{
    l->failed = l->failed || dz_buf_printf(out, "t%u", table);
    if (key)
        write_key(l, out, key);
    else
        l->failed = l->failed || dz_buf_printf(out, "[%u]", element);
}

static void learn_value(struct learner *l, struct step *s, dz_tvalue v, uint32_t table, uint32_t element,
                        const struct dz_gc_string *key)
{
    if (dz_tvalue_type(v) != DZ_T_TABLE) {
        l->failed = l->failed || !is_scalar(v);
        write_place(l, &l->value, table, element, key);
        return;
    }
    uint32_t number = ++l->tables;
    s->is_table = true;
    l->failed = l->failed || number == DZ_COPY_TABLES || dz_buf_printf(&l->names, "local t%u=", number);
    write_place(l, &l->names, table, element, key);
    l->failed = l->failed || dz_buf_printf(&l->names, "\n");
    if (!l->failed)
        learn_table(l, dz_tvalue_address(v), number);
}

static void learn_table(struct learner *l, const struct dz_gc_table *t, uint32_t number)
{
    uint32_t elements, nodes = nodes_of(t), pairs = 0;
    l->failed = l->failed || !dz_gc_count_array(t, &elements) || elements > DZ_COPY_LIST || dz_buf_printf(&l->value, "{");
    if (l->failed)
        return;
    add_step(l, (uint64_t)elements << 32 | nodes);
    for (uint32_t i = 1; i <= elements && !l->failed; i++) {
        learn_value(l, add_step(l, 0), t->array[i], number, i, NULL);
        l->failed = l->failed || dz_buf_printf(&l->value, ",");
    }
    for (uint32_t i = 0; i < nodes && !l->failed; i++) {
        const struct dz_gc_node *n = &t->node[i];
        bool empty = dz_tvalue_type(n->value) == DZ_T_NIL;
        struct step *s = add_step(l, empty ? EMPTY_NODE : n->key);
        if (empty)
            continue;
        l->failed = l->failed || dz_tvalue_type(n->key) != DZ_T_STRING;
        if (l->failed)
            return;
        const struct dz_gc_string *key = dz_tvalue_address(n->key);
        pairs++;
        write_key(l, &l->value, key);
        l->failed = l->failed || dz_buf_printf(&l->value, "=");
        learn_value(l, s, n->value, number, 0, key);
        l->failed = l->failed || dz_buf_printf(&l->value, ",");
    }
    /* Elements and pairs together are a map of numbers and strings for the codec: rare. */
    l->failed = l->failed || (elements && pairs) || dz_buf_printf(&l->value, "}");
}

/* The reference of the function; LUA_NOREF when it does not compile. */
static int compile(lua_State *L, const struct learner *l)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "return function(t0)\n");
    luaL_addlstring(&b, (const char *)l->names.data, l->names.len);
    luaL_addstring(&b, "return ");
    luaL_addlstring(&b, (const char *)l->value.data, l->value.len);
    luaL_addstring(&b, " end");
    luaL_pushresult(&b);
    size_t len;
    const char *source = lua_tolstring(L, -1, &len);
    int failed = luaL_loadbuffer(L, source, len, "=[dozor]/copy") || lua_pcall(L, 0, 1, 0);
    lua_remove(L, -2);
    if (!failed)
        return luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
    return LUA_NOREF;
}

static struct dz_plan *make(lua_State *L, struct learner *l)
{
    struct dz_plan *p = dz_alloc(sizeof *p + l->count * sizeof *p->steps);
    if (!p)
        return NULL;
    p->count = l->count;
    memcpy(p->steps, l->steps, l->count * sizeof *p->steps);
    p->maker = compile(L, l);
    if (p->maker != LUA_NOREF)
        return p;
    dz_free(p);
    return NULL;
}

static void be_patient(struct dz_copies *c, uint32_t set)
{
    if (c->patience[set] < UINT32_MAX / 4)
        c->patience[set] *= 2;
}

static void keep(struct dz_vm *vm, struct dz_copies *c, uint32_t set, struct dz_plan *p)
{
    struct dz_plan **ways = &c->ways[set * DZ_COPY_WAYS];
    uint32_t way = 0;
    while (way < DZ_COPY_WAYS - 1 && ways[way])
        way++;
    if (ways[way]) {
        luaL_unref(vm->L, LUA_REGISTRYINDEX, ways[way]->maker);
        dz_free(ways[way]);
        be_patient(c, set);
    }
    memmove(ways + 1, ways, way * sizeof *ways);
    ways[0] = p;
}

/* The table was not known. What cannot have a plan is not tried again soon. */
static void missed(lua_State *L, struct dz_vm *vm, uint32_t set, const struct dz_gc_table *t)
{
    struct dz_copies *c = &vm->copies;
    if (c->patience[set] == 0)
        c->patience[set] = DZ_COPY_PATIENCE;
    if (++c->missed[set] < c->patience[set])
        return;
    c->missed[set] = 0;
    struct learner l = {.count = 0};
    dz_buf_init(&l.names);
    dz_buf_init(&l.value);
    learn_table(&l, t, 0);
    struct dz_plan *p = l.failed ? NULL : make(L, &l);
    dz_buf_fini(&l.names);
    dz_buf_fini(&l.value);
    if (p)
        keep(vm, c, set, p);
    else
        be_patient(c, set);
}

/* --- the copy --- */

static inline uint64_t key_at(const struct dz_gc_table *t, uint32_t i)
{
    return dz_tvalue_type(t->node[i].value) == DZ_T_NIL ? i : t->node[i].key;
}

/* By the size of both parts and the keys at the ends of the hash part. */
static uint32_t set_of(const struct dz_gc_table *t)
{
    uint64_t h = (key_at(t, 0) + 31 * key_at(t, t->hash_mask) + t->hash_mask + t->array_size) * 0x9e3779b97f4a7c15ull;
    return (uint32_t)(h >> 32) % (DZ_COPY_PLANS / DZ_COPY_WAYS);
}

bool dz_copy_push(lua_State *L, struct dz_vm *vm, int idx)
{
    const struct dz_gc_table *t = lua_topointer(L, idx);
    uint32_t set = set_of(t);
    struct dz_plan **ways = &vm->copies.ways[set * DZ_COPY_WAYS];
    for (uint32_t i = 0; i < DZ_COPY_WAYS && ways[i]; i++) {
        if (!match(ways[i]->steps, t))
            continue;
        lua_rawgeti(L, LUA_REGISTRYINDEX, ways[i]->maker);
        lua_pushvalue(L, idx);
        lua_call(L, 1, 1);
        return true;
    }
    missed(L, vm, set, t);
    return false;
}

void dz_copy_free_all(struct dz_vm *vm)
{
    for (uint32_t i = 0; i < DZ_COPY_PLANS; i++)
        dz_free(vm->copies.ways[i]);
}
