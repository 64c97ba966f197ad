/* codec.h - Lua values into bytes and back.
 * Owns:    nothing; bytes are the caller's buffers and messages.
 * Threads: the state's own.
 * Fails:   by raising: bad_message {path=} for what cannot be sent or is beyond the limits, out_of_memory.
 * Well-formed pid and ref strings become ext and ext becomes strings; int64 and uint64 cdata stay what they
 * are. */
#ifndef DZ_VM_CODEC_H
#define DZ_VM_CODEC_H

#include <lua.h>
#include "base/buf.h"
#include "proc/rt.h"
#include "term/read.h"

enum dz_codec_flag {
    DZ_CODEC_FUNCTIONS = 1, /* functions become references (specs); tables of functions stay tables */
    DZ_CODEC_LOSSY =
        2, /* what cannot be sent becomes its tostring: for exit reasons and logs; never raises for it */
};

/* Appends the value at idx to `out`. `what` begins the path in errors ("message", "args", "spec"). */
void dz_codec_encode(lua_State *L, int idx, const char *what, unsigned flags, struct dz_buf *out);
/* Appends the table at idx as an array up to its largest integer key: arguments. nil and none give an empty
 * one. */
void dz_codec_encode_args(lua_State *L, int idx, const char *what, unsigned flags, struct dz_buf *out);
/* Writes the value at idx if it is a plain scalar: nil, a boolean, a number, a short string. Its bytes, else 0. Never
 * raises. */
#define DZ_CODEC_SCALAR 32
size_t dz_codec_scalar(lua_State *L, int idx, uint8_t out[DZ_CODEC_SCALAR]);
/* A new message holding the value; never NULL (raises). `t` is the thread the state runs on. */
struct dz_msg *dz_codec_large_message(lua_State *L, struct dz_thread *t, int idx, const char *what, unsigned flags,
                                      enum dz_msg_kind kind);
static inline struct dz_msg *dz_codec_message(lua_State *L, struct dz_thread *t, int idx, const char *what,
                                              unsigned flags, enum dz_msg_kind kind)
{
    struct dz_msg *m = dz_thread_new_message(t, kind);
    size_t len = m ? dz_codec_scalar(L, idx, m->bytes) : 0;
    if (len) {
        m->len = (uint32_t)len;
        return m;
    }
    dz_thread_free_message(t, m); /* the encoder may raise: it does so before there is a message */
    return dz_codec_large_message(L, t, idx, what, flags, kind);
}
/* The same value as a blob: exit reasons. */
struct dz_blob *dz_codec_blob(lua_State *L, int idx, const char *what, unsigned flags);

/* Pushes the one value in the bytes; four slots of the stack are free. With DZ_CODEC_FUNCTIONS references become the functions of this state
 * (nil if they are another's). Raises on malformed bytes (they passed dz_term_check at the edge). */
void dz_codec_decode(lua_State *L, const uint8_t *data, size_t len, unsigned flags);
/* Pushes the value if it is one that needs no memory of Lua's, and so cannot raise: nil, a boolean, a number. */
bool dz_codec_push_fixed(lua_State *L, const uint8_t *data, size_t len);
/* Pushes the next value if it is a scalar; false: it is not, or malformed. Two slots of the stack are free. */
bool dz_codec_push_scalar(lua_State *L, struct dz_read *r);
/* Pushes the elements of the array in the bytes one by one; returns how many. */
int dz_codec_decode_args(lua_State *L, const uint8_t *data, size_t len, unsigned flags);

#endif
