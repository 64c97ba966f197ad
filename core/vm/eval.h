/* eval.h - a Lua file run by itself, outside of any host: for cluster configs and for `dozor check`.
 * Owns:    nothing; the Lua state lives for one call.
 * Threads: any.
 * Fails:   DZ_EIO (the file cannot be read), DZ_ESCRIPT (it raised an error, or does not compile), DZ_EMESSAGE (its value cannot
 *          be a term), DZ_ENOMEM; `message` then says what, with a traceback where there is one. */
#ifndef DZ_VM_EVAL_H
#define DZ_VM_EVAL_H

#include "base/buf.h"

/* Functions become references of no state, tables with an `init` function likewise: to check specs. Else they are refused. */
#define DZ_EVAL_FUNCTIONS 1u
/* `require "dozor"` gives a stand-in: what needs no host can be called, the rest only be read. A file that is no cluster config
 * may not write to globals. To check behaviours. */
#define DZ_EVAL_STAND_IN 2u

enum dz_eval_kind {
    DZ_EVAL_VALUE,    /* `out`: the value */
    DZ_EVAL_BEHAVIOR, /* a table with a field `init` or a handler, and no field of a spec; `out`: a map of its fields' types */
    DZ_EVAL_FUNCTION, /* a function; `out`: nil */
};

int dz_eval_file(const char *path, unsigned flags, enum dz_eval_kind *kind, struct dz_buf *out, struct dz_buf *message);

#endif
