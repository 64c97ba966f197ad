/* dozor.h - the C API of dozor, a Lua-scriptable supervision host.
 *
 * C11 and C++; needs nothing but the standard headers. Link with `pkg-config --cflags --libs dozor`.
 *
 * A *host* is a set of threads that run *processes*: Lua behaviours, C behaviours and supervisors. A program may hold
 * several hosts; they share nothing. A minimal program:
 *
 *     dz_host_options options;
 *     dz_host_options_init(&options);
 *     dz_host *host;
 *     if (dz_host_new(&host, &options) == 0 && dz_host_run_script(host, "main.lua", 0, NULL) == 0)
 *         code = dz_host_run(host);
 *     dz_host_free(host);
 *
 * Results   Functions that return int give 0 (or a count they document) on success and a negative number on failure:
 *           dz_error_name() gives the same short code that Lua code sees ("noproc", "timeout", ...).
 * Threads   Every dz_host_* function may be called from any thread of the program, except where its comment says
 *           otherwise, and except from inside a callback where it may wait. dz_reader and dz_builder objects belong to
 *           one thread at a time. dz_context functions are for the callback that was given the context.
 * Callbacks of the host (dz_done, dz_down, dz_event) run on the host's own threads, never two of one host at a time. They
 *           must not wait: no call that "waits", no blocking input or output.
 * Values    are seen through a dz_reader and written with a dz_builder. They are what Lua code sees as messages: nil,
 *           booleans, numbers, strings of any bytes, process ids, arrays and maps of these.
 * Times     are milliseconds; DZ_FOREVER means no limit. */
#ifndef DOZOR_H
#define DOZOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DZ_API __attribute__((visibility("default")))
#else
#define DZ_API
#endif

#define DZ_VERSION "0.1.0"
#define DZ_FOREVER UINT64_MAX

/* The version of the library in use, "0.1.0". Static storage. Any thread. */
DZ_API const char *dz_version(void);

/* The short name of a result ("noproc"; "ok" for 0; "unknown" for numbers that are none) and a text for people. Static
 * storage. Any thread. */
DZ_API const char *dz_error_name(int err);
DZ_API const char *dz_error_text(int err);

/* --------------------------------------------------------------------------------------------------------- hosts --- */

typedef struct dz_host dz_host;

/* How a host is made. Fill it with dz_host_options_init, then change what you like. Everything is copied by dz_host_new. */
typedef struct dz_host_options {
    size_t size;                  /* sizeof(dz_host_options), set by dz_host_options_init */
    unsigned workers;             /* threads that run processes; 0: one per core. At most 255 */
    uint64_t max_turn_ms;         /* a turn longer than this is interrupted, reason "runaway"; 0: never. Default 10000 */
    uint64_t worker_memory_mb;    /* soft limit of one worker's Lua memory; 0: none */
    unsigned spin_us;             /* how long an idle thread spins before it sleeps. Default 20 */
    const char *log_level;        /* "debug", "info", "warn", "error", "off". Default "info" */
    const char *log_format;       /* "text" or "json". Default "text" */
    int log_fd;                   /* where log lines go. Default 2 (stderr); must stay open while the host lives */
    const char *const *behaviors; /* directories searched for behaviours first; NULL: none */
    size_t behavior_count;
} dz_host_options;

/* Sets every field to its default. */
DZ_API void dz_host_options_init(dz_host_options *options);

/* Makes a host; no thread runs yet. `options` may be NULL for the defaults. Errors: bad_argument, invalid_config (an option is
 * out of range or misspelt), out_of_memory. On success the caller frees *out with dz_host_free. */
DZ_API int dz_host_new(dz_host **out, const dz_host_options *options);

/* Starts the host's threads; returns once they run. May be called once. Errors: already_started, out_of_memory, io. */
DZ_API int dz_host_start(dz_host *host);

/* Runs a Lua file as the process `main`, with argc strings as its `...` and `arg`; may be called before the host starts (it
 * then runs first of all) or at any time after. Does not wait for the script. A script that raises an error prints message and
 * traceback on stderr and stops the host with exit code 1. Once it has returned, the host stops by itself when nothing is left
 * that could still work: no cluster, no supervisor, no visible process.
 * Errors: already_started (a script was given before), bad_argument, out_of_memory. */
DZ_API int dz_host_run_script(dz_host *host, const char *path, int argc, const char *const *argv);

/* Asks the host to stop in order: shutdown hooks, supervisors in reverse order of start, the cluster, the threads. Returns at
 * once; dz_host_wait tells when it is done. The first exit code counts. */
DZ_API void dz_host_stop(dz_host *host, int exit_code);

/* Waits until the host has stopped, by dz_host_stop, dozor.shutdown or the end of its script, then joins its threads. Returns
 * the exit code. Waits; not from the host's own threads. */
DZ_API int dz_host_wait(dz_host *host);

/* dz_host_start (unless it runs already), then dz_host_wait. Returns the exit code, or 70 when the start failed. */
DZ_API int dz_host_run(dz_host *host);

/* Stops the host if it still runs, waits for that, and frees everything. NULL is fine. Waits; not from the host's own
 * threads. No other call on this host may be under way or follow. */
DZ_API void dz_host_free(dz_host *host);

/* The node id, "name@host:port"; "local@127.0.0.1:0" without a cluster. Valid for the life of the host. */
DZ_API const char *dz_host_node(const dz_host *host);

/* Processes that live now, helpers not counted. */
DZ_API size_t dz_host_process_count(const dz_host *host);

/* The hook for an application's own signal handling: like `dz_host_stop(host, 0)`, but may be called from a signal handler. The
 * second call ends the whole program at once with exit code 130. */
DZ_API void dz_host_interrupt(dz_host *host);

/* -------------------------------------------------------------------------------------------------------- values --- */

/* A process id. Compare with dz_process_equal; good in the host that gave it only (send it to others in a message, or as
 * text). All zero: no process. */
typedef struct dz_process {
    uint32_t opaque[3];
} dz_process;

#define DZ_NO_PROCESS_INIT { { 0, 0, 0 } }

static inline bool dz_process_equal(dz_process a, dz_process b)
{
    return a.opaque[0] == b.opaque[0] && a.opaque[1] == b.opaque[1] && a.opaque[2] == b.opaque[2];
}

static inline bool dz_process_is_none(dz_process p)
{
    return p.opaque[1] == 0;
}

/* Writes the text form, "<name@host:port/...>", zero-terminated and cut to `size` bytes. Returns its full length. 400 bytes
 * are always enough. */
DZ_API size_t dz_host_process_text(dz_host *host, dz_process process, char *out, size_t size);

/* The process of a text form. Errors: bad_format. */
DZ_API int dz_host_process_parse(dz_host *host, const char *text, size_t len, dz_process *out);

typedef enum dz_type {
    DZ_TYPE_NONE = 0, /* nothing left to read, or malformed */
    DZ_TYPE_NIL,
    DZ_TYPE_BOOL,
    DZ_TYPE_NUMBER, /* integers too: dz_reader_int reads those that are whole */
    DZ_TYPE_STRING,
    DZ_TYPE_ARRAY,
    DZ_TYPE_MAP,
    DZ_TYPE_PROCESS,
    DZ_TYPE_REF,
    DZ_TYPE_OTHER,
} dz_type;

/* A cursor over values. It owns nothing and may be copied by assignment; what it reads points into the bytes it was made
 * for, so it is good as long as they are: inside the callback that was given it, or until the builder changes.
 * The typed reads give true and move on, or false and stay where they are when the next value is of another type. */
typedef struct dz_reader {
    const uint8_t *at;
    const uint8_t *end;
    const dz_host *host; /* for process ids; NULL in a reader of a builder */
} dz_reader;

/* The type of the next value; DZ_TYPE_NONE at the end. */
DZ_API dz_type dz_reader_type(const dz_reader *reader);
DZ_API bool dz_reader_nil(dz_reader *reader);
DZ_API bool dz_reader_bool(dz_reader *reader, bool *out);
/* A whole number within int64, boxed 64-bit integers too. */
DZ_API bool dz_reader_int(dz_reader *reader, int64_t *out);
DZ_API bool dz_reader_number(dz_reader *reader, double *out);
/* The bytes are not zero-terminated. */
DZ_API bool dz_reader_string(dz_reader *reader, const char **out, size_t *len);
/* The text form of a process id or ref. */
DZ_API bool dz_reader_id_text(dz_reader *reader, const char **out, size_t *len);
/* A process id; only in readers that a host gave. */
DZ_API bool dz_reader_process(dz_reader *reader, dz_process *out);
/* An array: its `count` elements are read next. An empty Lua table is an array of 0. */
DZ_API bool dz_reader_array(dz_reader *reader, uint32_t *count);
/* A map: `count` pairs of key and value are read next, in no particular order. */
DZ_API bool dz_reader_map(dz_reader *reader, uint32_t *count);
/* Passes over one whole value. False at the end. */
DZ_API bool dz_reader_skip(dz_reader *reader);
/* When the next value is a map with this string key: *value reads what stands there. `reader` does not move. */
DZ_API bool dz_reader_find(const dz_reader *reader, const char *key, dz_reader *value);
/* Does the next value equal this string? `reader` does not move. */
DZ_API bool dz_reader_is(const dz_reader *reader, const char *text);
/* Readable text of the next value for logs, as Lua would write it; cut to `size` bytes. Returns the length written. */
DZ_API size_t dz_reader_print(const dz_reader *reader, char *out, size_t size);

/* Writes one value, piece by piece. Failures stick: check once, with dz_builder_error, or let the function that takes the
 * builder report it. An array is announced with its count and followed by so many values; a map by so many pairs of key and
 * value. */
typedef struct dz_builder dz_builder;

/* NULL when out of memory. The caller frees it with dz_builder_delete. */
DZ_API dz_builder *dz_builder_new(void);
DZ_API void dz_builder_delete(dz_builder *builder); /* NULL is fine */
/* Empty again, error forgotten, memory kept. */
DZ_API void dz_builder_clear(dz_builder *builder);
/* 0, or the first error: out_of_memory, too_large (16 MiB); bad_format when what was written is not exactly one value. */
DZ_API int dz_builder_error(const dz_builder *builder);
DZ_API void dz_builder_nil(dz_builder *builder);
DZ_API void dz_builder_bool(dz_builder *builder, bool value);
DZ_API void dz_builder_int(dz_builder *builder, int64_t value);
DZ_API void dz_builder_number(dz_builder *builder, double value);
/* `text` up to its zero byte; NULL writes nil. */
DZ_API void dz_builder_string(dz_builder *builder, const char *text);
DZ_API void dz_builder_bytes(dz_builder *builder, const void *data, size_t len);
DZ_API void dz_builder_process(dz_builder *builder, const dz_host *host, dz_process process);
DZ_API void dz_builder_array(dz_builder *builder, uint32_t count);
DZ_API void dz_builder_map(dz_builder *builder, uint32_t count);
/* The next value of the reader, whole. */
DZ_API void dz_builder_copy(dz_builder *builder, const dz_reader *value);
/* A reader of what was written; good until the builder changes. */
DZ_API dz_reader dz_builder_read(const dz_builder *builder);

/* ----------------------------------------------------------------------------------------------------- asking -------- */

/* The answer to a question: exactly once for each call that returned 0 (also when the host stops first: error "closed").
 * err 0: `value` is the answer. Else `value` is the error as Lua would see it, a map with `code` and `message`. */
typedef void (*dz_done)(void *ctx, int err, const dz_reader *value);

/* A place to wait for one answer, for threads that may wait: pass dz_answer_done and the answer as callback and ctx.
 *
 *     dz_answer *answer = dz_answer_new();
 *     if (dz_host_call(host, "counter", message, 5000, dz_answer_done, answer) == 0)
 *         err = dz_answer_wait(answer, &value);
 *     dz_answer_delete(answer); */
typedef struct dz_answer dz_answer;
DZ_API dz_answer *dz_answer_new(void); /* NULL when out of memory */
DZ_API void dz_answer_done(void *answer, int err, const dz_reader *value);
/* Waits for the answer; returns its err. *value (may be NULL) reads it until dz_answer_delete. Not from the host's threads. */
DZ_API int dz_answer_wait(dz_answer *answer, dz_reader *value);
/* The question was answered, or never asked. The answer may be asked with again after dz_answer_wait. */
DZ_API void dz_answer_delete(dz_answer *answer);

/* How a process is made. Zero everything, then set what you need. */
typedef struct dz_spawn_options {
    const char *name;      /* local registered name, or NULL */
    const char *global;    /* cluster-wide name, or NULL */
    const char *node;      /* node id, or NULL for this one */
    uint64_t timeout_ms;   /* for init; 0: 5000, on another node 10000 */
    uint32_t max_messages; /* in the mailbox; 0: default */
    uint64_t max_bytes;    /* in the mailbox; 0: default */
    bool own_worker;       /* a worker of its own, for code that blocks */
} dz_spawn_options;

/* Starts a process of a behaviour, or a supervisor of a spec, known by name (a Lua file, or a C behaviour). `args` is an
 * array handed to init, or NULL. The answer is its process id, once init has returned; or behavior_not_found, init_failed,
 * name_taken, timeout, noconnection. `options` may be NULL. The host must have been started.
 * Errors, as for all functions below: bad_argument, out_of_memory, the builder's error, closed (the host does not run). */
DZ_API int dz_host_spawn(dz_host *host, const char *behavior, const dz_builder *args, const dz_spawn_options *options,
                         dz_done done, void *ctx);

/* Starts a supervisor from a spec: the map that dozor.supervisor.start takes (api: children, strategy, ...). The answer is its
 * process id, once its children run; or invalid_spec, child_start_failed and the others of supervisor.start. */
DZ_API int dz_host_start_supervisor(dz_host *host, const dz_builder *spec, dz_done done, void *ctx);

/* Sends a message, fire and forget: `send` reaches handle_info, `cast` handle_cast. To a process that is gone it is no error.
 * Errors: overloaded (its mailbox is full), noconnection. */
DZ_API int dz_host_send(dz_host *host, dz_process to, const dz_builder *message);
DZ_API int dz_host_cast(dz_host *host, dz_process to, const dz_builder *message);

/* Asks a process; the answer is its reply, or timeout, noproc, noconnection, overloaded, call_failed, unhandled_call. A late
 * reply is dropped. */
DZ_API int dz_host_call(dz_host *host, dz_process to, const dz_builder *message, uint64_t timeout_ms, dz_done done, void *ctx);

/* Ends a process in order (a supervisor with its children, in reverse order). The answer, nil, comes when it is gone; after
 * timeout_ms it is killed. `reason` NULL: "normal". `done` may be NULL. */
DZ_API int dz_host_end(dz_host *host, dz_process process, const dz_builder *reason, uint64_t timeout_ms, dz_done done,
                       void *ctx);

/* Who has a name: locally registered, else cluster-wide; none when nobody. Does not wait. */
DZ_API dz_process dz_host_whereis(dz_host *host, const char *name);

/* A process ended: exactly once for each monitor, unless it was taken back first. `reason` reads its exit reason; "noproc" when
 * it was gone before, "noconnection" when its node was lost. */
typedef void (*dz_down)(void *ctx, dz_process process, const dz_reader *reason);

/* Watches a process. *monitor (may be NULL) names the watch for dz_host_demonitor. */
DZ_API int dz_host_monitor(dz_host *host, dz_process process, dz_down down, void *ctx, uint64_t *monitor);
/* True: `down` did not run and never will. False: it has run, runs right now, or the number is unknown. */
DZ_API bool dz_host_demonitor(dz_host *host, uint64_t monitor);

/* --------------------------------------------------------------------------------------------------- cluster, events --- */

/* Joins a cluster: the map that dozor.cluster.start takes (node_name, host, port, seeds, secret, ...). The answer is the node
 * id, after the first exchange with every seed that answers; or invalid_config, invalid_node_id, address_in_use,
 * already_started. */
DZ_API int dz_host_cluster_start(dz_host *host, const dz_builder *config, dz_done done, void *ctx);
/* Leaves it; the answer is nil. */
DZ_API int dz_host_cluster_stop(dz_host *host, dz_done done, void *ctx);
/* The answer is the list of node records, this node first. */
DZ_API int dz_host_cluster_nodes(dz_host *host, dz_done done, void *ctx);

/* Called once for each event, in the order of `seq`. The event is a map with `type`, `timestamp`, `seq` and the fields of its
 * type; the reader is good until the handler returns. */
typedef void (*dz_event)(void *ctx, const dz_reader *event);

typedef struct dz_subscription dz_subscription;

/* Calls `handler` for this node's events (with `cluster` also those of the others). `types` limits them to these; count 0: all.
 * The subscription ends with dz_host_unsubscribe or with the host. */
DZ_API int dz_host_subscribe(dz_host *host, const char *const *types, size_t count, bool cluster, dz_event handler, void *ctx,
                             dz_subscription **out);
/* No call of the handler begins after this returns. Frees the subscription. Waits for a handler that runs, so not from inside
 * it. */
DZ_API void dz_host_unsubscribe(dz_host *host, dz_subscription *subscription);

/* A node as a selector sees it: read from the list `nodes`, the local node first, of maps with id, name, host, port, status,
 * process_count, uptime_ms, last_heartbeat_at, incarnation, attributes. Write the chosen node's id, zero-terminated, to `out`
 * (`size` bytes) and return 0; anything else is "no available node". Runs on a host thread; must not wait. */
typedef int (*dz_selector)(void *ctx, const dz_reader *nodes, const char *child_id, char *out, size_t size);

/* Registers a selector by name, for specs with node_selector = { selector = NAME }. Before dz_host_start only.
 * Errors: exists, already_started, bad_argument. */
DZ_API int dz_host_register_selector(dz_host *host, const char *name, dz_selector selector, void *ctx);

/* --------------------------------------------------------------------------------------------------- C behaviours --- */

/* The process a callback runs for; good inside that callback only. */
typedef struct dz_context dz_context;

/* Who asked, for an answer that comes later; may be kept and copied, and used once, in any callback of any process of this
 * host. */
typedef struct dz_from {
    uint32_t opaque[4];
    uint64_t number;
} dz_from;

/* What a `call` callback may return besides 0 (the reply was built) and errors. */
#define DZ_NO_REPLY 1  /* the answer comes later, with dz_context_reply */
#define DZ_UNHANDLED 2 /* the message was not taken: the caller gets unhandled_call, the process lives */

/* A behaviour in C. Callbacks run on the worker the process lives on, one at a time for one process, for different processes
 * of the behaviour at once on several workers. They must not wait. All but `init` may be NULL.
 * A callback that returns a negative error ends its process with the reason { code = "error", message = }, whose message
 * dz_context_fail sets; a crash is a crash, and the supervisor acts on it. */
typedef struct dz_native_behavior {
    size_t size; /* sizeof(dz_native_behavior) */
    /* `args` reads an array. *state is the process's own from here on; it is freed in `terminate` or `free_state`. A failure
     * refuses the start (init_failed). */
    int (*init)(dz_context *context, dz_reader *args, void **state);
    /* Build the reply and return 0, or DZ_NO_REPLY, DZ_UNHANDLED, or an error. */
    int (*call)(dz_context *context, void *state, dz_reader *message, dz_from from, dz_builder *reply);
    int (*cast)(dz_context *context, void *state, dz_reader *message);
    /* Sends, timers, and { type = "down" | "exit" | "name_conflict", ... }. */
    int (*info)(dz_context *context, void *state, dz_reader *message);
    /* Runs at every end but a kill. */
    void (*terminate)(dz_context *context, void *state, dz_reader *reason);
    /* Runs last, however the process ended (after a successful init). */
    void (*free_state)(void *state);
} dz_native_behavior;

/* Registers a behaviour by name; specs and spawns name it like a Lua one, also from other nodes. `behavior` is copied. Before
 * dz_host_start, or at any time after, but before its first use.
 * Errors: exists, bad_argument. */
DZ_API int dz_host_register_behavior(dz_host *host, const char *name, const dz_native_behavior *behavior);

DZ_API dz_host *dz_context_host(dz_context *context);
DZ_API dz_process dz_context_self(dz_context *context);
/* The text of the error that the callback is about to return. Copied. Returns `err`, so that one can
 * `return dz_context_fail(context, -1, "no such file")`. */
DZ_API int dz_context_fail(dz_context *context, int err, const char *message);
/* This process ends, with this reason (NULL: "normal"), when the callback returns. */
DZ_API void dz_context_exit(dz_context *context, const dz_builder *reason);
/* Errors: overloaded, noconnection, out_of_memory, the builder's. */
DZ_API int dz_context_send(dz_context *context, dz_process to, const dz_builder *message);
DZ_API int dz_context_cast(dz_context *context, dz_process to, const dz_builder *message);
DZ_API int dz_context_reply(dz_context *context, dz_from from, const dz_builder *value);
/* A message to this process itself, to `info`, after delay_ms. */
DZ_API int dz_context_send_after(dz_context *context, uint64_t delay_ms, const dz_builder *message);
/* `info` gets { type = "down", ref =, pid =, reason = } once. */
DZ_API int dz_context_monitor(dz_context *context, dz_process other);
/* Links are broken both ways by an abnormal end, unless one traps it: `info` then gets { type = "exit", pid =, reason = }. */
DZ_API int dz_context_link(dz_context *context, dz_process other);
DZ_API void dz_context_trap_exit(dz_context *context, bool trap);
/* A line in the host's log; level as in the options. */
DZ_API void dz_context_log(dz_context *context, const char *level, const char *text);

/* -------------------------------------------------------------------------------------------------------- plug-ins --- */

/* What a plug-in (a shared library) exports: called once with the host, to register behaviours and selectors. 0, or an error
 * that refuses the plug-in. */
typedef int (*dz_plugin)(dz_host *host);
#define DZ_PLUGIN_ENTRY "dozor_plugin"

/* Loads a plug-in and calls its dozor_plugin. It stays loaded for the life of the program. On failure *why (may be NULL) is a
 * text the caller frees with free(). Errors: io (it cannot be loaded), bad_argument (no entry point), the plug-in's own. */
DZ_API int dz_host_load_plugin(dz_host *host, const char *path, char **why);

#ifdef __cplusplus
}
#endif

#endif
