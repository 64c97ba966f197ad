/* layout.h - how LuaJIT 2.1 (GC64) lays out tables and strings; names follow its lj_obj.h. For walk.c and copy.c.
 * Owns:    nothing.
 * Threads: the state's own.
 * Fails:   never. To be used only in a state where dz_walk_check has proved all this on live values (walk.h). */
#ifndef DZ_VM_LAYOUT_H
#define DZ_VM_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A value: a double, or 17 bits of type above 47 bits of address. */
typedef uint64_t dz_tvalue;

struct dz_gc_string {
    uint64_t next;
    uint8_t marked, type, reserved, algorithm;
    uint32_t id, hash, len;
    char data[];
};

struct dz_gc_node {
    dz_tvalue value, key;
    uint64_t next;
};

struct dz_gc_table {
    uint64_t next;
    uint8_t marked, type, no_metamethods;
    int8_t colocated;
    const dz_tvalue *array;
    uint64_t gray, metatable;
    const struct dz_gc_node *node;
    uint32_t array_size, hash_mask;
};

enum {
    DZ_T_NIL = 0x1ffff,
    DZ_T_FALSE = 0x1fffe,
    DZ_T_TRUE = 0x1fffd,
    DZ_T_STRING = 0x1fffb,
    DZ_T_TABLE = 0x1fff4,
    DZ_T_NUMBER_MAX = 0x1fff1
};

static inline uint32_t dz_tvalue_type(dz_tvalue v)
{
    return (uint32_t)(v >> 47);
}

static inline const void *dz_tvalue_address(dz_tvalue v)
{
    return (const void *)(uintptr_t)(v & (((uint64_t)1 << 47) - 1));
}

static inline double dz_tvalue_number(dz_tvalue v)
{
    double d;
    memcpy(&d, &v, sizeof d);
    return d;
}

/* The elements 1..n of the array part; false when there is one behind a gap. */
static inline bool dz_gc_count_array(const struct dz_gc_table *t, uint32_t *n)
{
    uint32_t i = 1;
    while (i < t->array_size && dz_tvalue_type(t->array[i]) != DZ_T_NIL)
        i++;
    *n = i - 1;
    while (i < t->array_size && dz_tvalue_type(t->array[i]) == DZ_T_NIL)
        i++;
    return i >= t->array_size && (t->array_size == 0 || dz_tvalue_type(t->array[0]) == DZ_T_NIL);
}

#endif
