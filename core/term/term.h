/* term.h - the byte form of a value: MessagePack, with ext types for what MessagePack does not have.
 * Owns:    the numbers of the ext types, the limits, and the check that bytes are one well-formed value.
 * Threads: any; everything here is pure.
 * Fails:   DZ_EFORMAT, DZ_ETOOLARGE, DZ_ETOODEEP.
 * Integers that a double holds exactly travel as MessagePack integers, other numbers (also -0.0, NaN, inf) as float 64,
 * strings of any bytes as str (also not UTF-8), tables as array (keys 1..n, none missing) or map. */
#ifndef DZ_TERM_TERM_H
#define DZ_TERM_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dz_term_ext {
    DZ_EXT_PID = 1,      /* the text form, "<name@host:port/INC.SLOT.GEN>" */
    DZ_EXT_REF = 2,      /* the text form, "<ref name@host:port/INC.SLOT.GEN.NUM>" */
    DZ_EXT_INT64 = 3,    /* 8 bytes big-endian: a boxed 64-bit integer that stays one */
    DZ_EXT_UINT64 = 4,
    DZ_EXT_FUNCTION = 5, /* a function or table of one Lua state: worker u32, generation u32, number u32, then
                            the byte 'f' or 't'. Only inside specs and spawns on one host; refused in messages */
};

#define DZ_TERM_MAX_DEPTH 64
#define DZ_TERM_MAX_BYTES (16u * 1024u * 1024u)
/* The longest text form of a pid or ref: "<ref " + 64 + 1 + 255 + 1 + 5 + "/" + 20 + 3 * 11 + 20 + ">" and room. */
#define DZ_TERM_MAX_ID 512

enum dz_term_type {
    DZ_TERM_NIL,
    DZ_TERM_BOOL,
    DZ_TERM_INT,   /* fits int64 */
    DZ_TERM_UINT,  /* above INT64_MAX */
    DZ_TERM_FLOAT,
    DZ_TERM_STRING,
    DZ_TERM_ARRAY,
    DZ_TERM_MAP,
    DZ_TERM_PID,
    DZ_TERM_REF,
    DZ_TERM_INT64,  /* boxed */
    DZ_TERM_UINT64, /* boxed */
    DZ_TERM_FUNCTION,
};

#define DZ_TERM_ALLOW_FUNCTIONS 1u

/* Checks that [data, data+len) is exactly one value within the limits; pids and refs have their fixed form, map keys are
 * not nil or NaN. Everything that came over a socket passes here once, before anyone else reads it. */
int dz_term_check(const uint8_t *data, size_t len, unsigned flags);

/* The fixed forms. A name is [A-Za-z][A-Za-z0-9_-]{0,63}, a host has no '/', '>', '@' or control byte, a port is
 * 0..65535, numbers are decimal without leading zeros. */
bool dz_term_is_pid(const char *s, size_t len);
bool dz_term_is_ref(const char *s, size_t len);

/* Readable text of a value for logs and events, Lua-like: {1, 2, code = "x"}; at most `cap` bytes with the zero byte,
 * cut with "...". Returns the length written. */
size_t dz_term_print(const uint8_t *data, size_t len, char *out, size_t cap);

/* The short text of an exit reason as events carry it: a string as it is, a table's `message` when its code is "error",
 * else its `code`, else dz_term_print. Returns the length written. */
size_t dz_term_reason_text(const uint8_t *data, size_t len, char *out, size_t cap);

#endif
