/* spec.h - a supervisor's specification, checked and with every default filled in.
 * Owns:    a dz_sup_spec owns all it points to, nested specs too; dz_sup_spec_delete frees it.
 * Threads: any; a spec never changes after it was read.
 * Fails:   DZ_ESPEC, DZ_EDUPLICATECHILD, DZ_ESIMPLE, DZ_ENOTEMPLATE, DZ_ENOMEM; `error` then says where and
 *          why, and nothing is left behind. The bytes have passed dz_term_check(DZ_TERM_ALLOW_FUNCTIONS). */
#ifndef DZ_SUP_SPEC_H
#define DZ_SUP_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "sup/backoff.h"
#include "sup/selector.h"
#include "sup/strategy.h"
#include "sup/types.h"

#define DZ_SPEC_MAX_RESTARTS_DEFAULT     3u
#define DZ_SPEC_WITHIN_MS_DEFAULT        5000u
#define DZ_SPEC_SHUTDOWN_MS_DEFAULT      5000u
#define DZ_SPEC_START_LOCAL_MS_DEFAULT   5000u
#define DZ_SPEC_START_REMOTE_MS_DEFAULT  10000u
#define DZ_SPEC_BACKOFF_FACTOR_DEFAULT   2.0
#define DZ_SPEC_BACKOFF_JITTER_DEFAULT   0.1
#define DZ_SPEC_BACKOFF_MAX_MS_DEFAULT   30000u
#define DZ_SPEC_BACKOFF_RESET_MS_DEFAULT 5000u
/* The longest args list. */
#define DZ_SPEC_MAX_ARGS 1000u
/* The longest id, name or selector name. */
#define DZ_SPEC_MAX_NAME 255u

enum dz_auto_shutdown {
    DZ_AUTO_NEVER,
    DZ_AUTO_ANY_SIGNIFICANT,
    DZ_AUTO_ALL_SIGNIFICANT,
};

enum dz_child_kind {
    DZ_CHILD_BEHAVIOR,   /* `what`, or `function` (a table of one Lua state) when `what` is NULL */
    DZ_CHILD_SUPERVISOR, /* `supervisor` (inline), or `what` (a registered spec) when that is NULL */
    DZ_CHILD_FUNCTION,   /* `function` returns the pid */
};

struct dz_sup_spec;

struct dz_child_spec {
    char *id; /* NULL in a child_template */
    enum dz_child_kind kind;
    char *what;
    struct dz_sup_function function;
    struct dz_sup_spec *supervisor;
    uint8_t *args; /* one array term, holes filled with nil */
    size_t args_len;
    char *name;        /* local registered name or NULL */
    char *global_name; /* cluster-wide name or NULL */
    enum dz_restart restart;
    struct dz_selector selector; /* its own, else the supervisor's */
    bool own_selector;
    bool brutal_kill;
    bool own_shutdown;    /* shutdown_timeout was given */
    uint64_t shutdown_ms; /* 0 when brutal_kill */
    bool own_start;       /* start_timeout was given */
    uint64_t start_local_ms;
    uint64_t start_remote_ms;
    uint64_t mailbox_messages; /* 0: the default */
    uint64_t mailbox_bytes;    /* 0: the default */
    bool significant;
    bool local_only; /* holds a function or table behaviour, here or in a nested spec */
    struct dz_backoff backoff;
    uint8_t *source; /* the term it was read from */
    size_t source_len;
};

struct dz_sup_spec {
    enum dz_strategy strategy;
    struct dz_selector selector;
    struct dz_child_spec **children;
    size_t child_count;
    struct dz_child_spec *child_template; /* simple_one_for_one only */
    uint32_t max_restarts;                /* DZ_INTENSITY_UNLIMITED for "infinity" */
    uint64_t within_ms;
    enum dz_auto_shutdown auto_shutdown;
    char *name; /* cluster-wide name or NULL */
    bool local_only;
    uint8_t *source;
    size_t source_len;
};

struct dz_spec_error {
    int code;
    /* Path: `children[2].restart`, `restart_intensity.max_restarts`; empty: the value itself. */
    char field[192];
    char child_id[256]; /* the child concerned, empty if none or unnamed */
    char message[704];  /* for people: the field, what was got, what would be valid */
};

int dz_sup_spec_read(struct dz_sup_spec **out, const uint8_t *data, size_t len, struct dz_spec_error *error);
/* Tells of everything that is wrong with a spec, not only of the first; the first one's code. */
typedef void (*dz_spec_tell)(void *ctx, const struct dz_spec_error *error);
int dz_sup_spec_check(const uint8_t *data, size_t len, dz_spec_tell tell, void *ctx);
void dz_sup_spec_delete(struct dz_sup_spec *spec);

/* One child for start_child of a supervisor with this spec (the strategy is not simple_one_for_one). */
int dz_child_spec_read(struct dz_child_spec **out, const struct dz_sup_spec *parent, const uint8_t *data,
                       size_t len, struct dz_spec_error *error);
void dz_child_spec_delete(struct dz_child_spec *spec);

/* Appends to `out` one array: the elements of the args term `base` (an array), then those of the list `more`
 * (an array, or a map with integer keys; an empty map is the empty list). DZ_ESPEC when `more` is no list or
 * too long. */
int dz_spec_join_args(struct dz_buf *out, const uint8_t *base, size_t base_len, const uint8_t *more,
                      size_t more_len, struct dz_spec_error *error);

/* Appends the error as the table Lua raises: code, message, field, child_id. */
int dz_spec_error_encode(const struct dz_spec_error *error, struct dz_buf *out);

#endif
