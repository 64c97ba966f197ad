/* copy.h - tables from one process to another in the same Lua state, without becoming bytes.
 * Owns:    struct dz_copies of each vm, and the functions it refers to.
 * Threads: the state's own.
 * Fails:   by giving up (false, nothing pushed): the codec does the work, or refuses. Raises out of memory.
 * A question to an idle neighbour and its answer need no bytes: nobody but the two sees them. The copy is what encoding and
 * decoding would give. It is made by a generated function for tables that look alike: `return { id = t.id, list = { ... } }`.
 * How a table looks is a plan: its keys in the order of its nodes, and which of its values are tables again; tables made by the
 * same piece of code have the same plan, which is compared with their memory in place (layout.h). Plans that come again and again
 * are learnt, a bounded number of them; the more a place in the cache is fought for, the slower. */
#ifndef DZ_VM_COPY_H
#define DZ_VM_COPY_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#define DZ_COPY_PLANS    64u
#define DZ_COPY_WAYS     4u    /* places a plan may stand at */
#define DZ_COPY_STEPS    256u  /* of a plan: a head for each table, its elements, its nodes */
#define DZ_COPY_LIST     16u   /* longer lists vary in length too often */
#define DZ_COPY_TABLES   16u   /* inside each other or beside each other */
#define DZ_COPY_STRING   65536u /* bytes; longer ones are left to the codec, which counts */
#define DZ_COPY_PATIENCE 8u    /* tables before a plan is learnt; doubled with each one driven out */

struct dz_vm;
struct dz_plan;

struct dz_copies {
    struct dz_plan *ways[DZ_COPY_PLANS];
    uint32_t missed[DZ_COPY_PLANS / DZ_COPY_WAYS];
    uint32_t patience[DZ_COPY_PLANS / DZ_COPY_WAYS];
};

/* Pushes a copy of the table at idx (above 0). */
bool dz_copy_push(lua_State *L, struct dz_vm *vm, int idx);
void dz_copy_free_all(struct dz_vm *vm);

#endif
