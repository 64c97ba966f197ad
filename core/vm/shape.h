/* shape.h - the decoder's fast way: maps that look alike are made by one generated function.
 * Owns:    struct dz_shapes of each vm, and the functions it refers to.
 * Threads: the state's own.
 * Fails:   by giving up (false, nothing pushed): the decoder of decode.c does the work.
 * A shape is everything of a message but its scalars: heads and keys. Interning keys and growing tables is what decoding
 * costs; a constructor has its keys interned and its tables sized. Shapes that come again and again are learnt, a bounded
 * number of them; the more a place in the cache is fought for, the slower. */
#ifndef DZ_VM_SHAPE_H
#define DZ_VM_SHAPE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DZ_SHAPES          64u
#define DZ_SHAPE_WAYS      4u  /* places a shape may stand at */
#define DZ_SHAPE_SCALARS   50u /* a constructor's parameters */
#define DZ_SHAPE_BYTES     1024u /* heads and keys */
#define DZ_SHAPE_LIST      16u /* longer lists vary in length too often */
#define DZ_SHAPE_PATIENCE  8u  /* decodings before a shape is learnt; doubled with each one driven out */

struct dz_vm;
struct dz_shape;

struct dz_shapes {
    struct dz_shape *ways[DZ_SHAPES];
    uint32_t missed[DZ_SHAPES / DZ_SHAPE_WAYS];
    uint32_t patience[DZ_SHAPES / DZ_SHAPE_WAYS];
};

/* Pushes the map in the bytes; the stack has room for DZ_SHAPE_SCALARS + 4 then. */
bool dz_shape_decode(lua_State *L, struct dz_vm *vm, const uint8_t *data, size_t len);
void dz_shape_free_all(struct dz_vm *vm);

#endif
