/* vm.h - one Lua state: what a worker's Lua processes run in, and what the binding files are written against.
 * Owns:    the state, its pooled coroutines, the values of its processes, the function references given out.
 * Threads: a dz_vm belongs to its worker's thread; dz_vm_shared is read by all (its members say what may
 * change). Fails:   dz_vm_new and messages: DZ_ENOMEM. Functions that take a lua_State raise Lua errors
 * (error tables).
 *
 * How a binding is written. All C primitives live in one table, `require "dozor.core"`. A binding file has
 * one function `void dz_bind_<file>_open(lua_State *L)` that adds its functions to the table on top of the
 * stack; it is listed in open.c. A primitive that waits asks with dz_vm_ask (or parks with dz_vm_park) and
 * *returns what that returned*; the Lua function around it then calls core.result(), which decodes the answer
 * inside the coroutine or raises its error table:
 *
 *     function M.children(sup)  core.request(sup, REQ_CHILDREN, nil)  return core.result()  end
 *
 * core.request(dest, code, value [, timeout_ms [, allow_functions]]) is such a primitive already, for every
 * REQUEST there is.
 */
#ifndef DZ_VM_VM_H
#define DZ_VM_VM_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdarg.h>
#include "base/buf.h"
#include "proc/rt.h"
#include "proc/spawn.h"
#include "vm/behavior.h"
#include "vm/codec.h"

struct dz_vm;
struct dz_sched;
struct dz_selectors;

/* What a simulator has to do with Lua code: `dozor.sim`. Called from turns. */
struct dz_vm_simulation {
    void *ctx;
    uint64_t seed;
    /* "storm", "calm" (all has healed), "settled" (long enough ago); a static text. */
    const char *(*phase)(void *ctx);
    /* A check was made known; its number. The text is copied. */
    uint32_t (*check)(void *ctx, const char *name, size_t len);
    /* It held, once more. */
    void (*held)(void *ctx, uint32_t number);
    /* It did not: the run has failed. */
    void (*failed)(void *ctx, uint32_t number, const char *why, size_t len);
    /* A line for the trace. */
    void (*note)(void *ctx, const char *text, size_t len);
};

/* What all Lua states of a host share. Filled by the host before the first dz_vm_new, constant afterwards. */
struct dz_vm_shared {
    struct dz_rt *rt;
    struct dz_sched *sched;         /* for own_worker; NULL: refused */
    struct dz_behaviors *behaviors; /* locked inside */
    struct dz_selectors *selectors; /* locked inside; NULL: names of selector functions are not kept */
    _Atomic uint32_t generations;   /* of Lua states: function references name theirs */
    const char *script_dir;         /* package.path begins with it; NULL: none */
    const struct dz_vm_simulation *simulation; /* not NULL: JIT off, time from env, no luv, runaway by count */
    uint64_t memory_mb;             /* soft limit of one state; 0: none */
    void *ctx;                      /* for the functions below */
    /* Is a native C behaviour of this name registered? NULL: there are none. Any thread. */
    bool (*native_exists)(void *ctx, const char *name, size_t len);
    /* dozor.load_native: 0 or an error code with *why (static or until the next call). NULL: refused. */
    int (*load_native)(void *ctx, const char *path, const char **why);
};

/* --- for the host, from its hooks --- */

/* A Lua state for this worker (sets thread->vm). NULL when out of memory or when the embedded Lua does not
 * load (logged). */
struct dz_vm *dz_vm_new(struct dz_thread *t, struct dz_vm_shared *shared);
/* Ends the Lua processes that are left (reason shutdown, without terminate) and frees the state. */
void dz_vm_free(struct dz_vm *vm);
/* The `spawn` port for what Lua runs: BEHAVIOR (not native), TABLE, FUNCTION, START. Makes the process; the
 * rest happens in its first turn. Takes the message. */
void dz_vm_spawn(struct dz_thread *t, struct dz_slot *slot, struct dz_msg *msg);
/* The SPAWN of the script as process `main`, to be sent with dz_spawn_send to a worker; from and ref
 * are the caller's to fill. The answer comes before the script runs; the process's end (monitor it) is the
 * script's: reason normal, or the error table with message and traceback. NULL when out of memory. */
struct dz_msg *dz_vm_main_message(struct dz_rt *rt, const char *script, int argc, const char *const *argv);
/* A stretch of garbage collection while there is nothing else to do. True: there is more. */
bool dz_vm_idle(struct dz_vm *vm);
/* Bytes allocated by the state. The worker's own thread; others read dz_thread.lua_bytes. */
size_t dz_vm_memory(const struct dz_vm *vm);

/* --- for binding files --- */

struct dz_vm *dz_vm_of(lua_State *L);
struct dz_vm_shared *dz_vm_shared_of(lua_State *L);
struct dz_thread *dz_vm_thread(lua_State *L);
struct dz_rt *dz_vm_rt(lua_State *L);
/* The main coroutine of the state: alive as long as the vm. */
lua_State *dz_vm_main(struct dz_vm *vm);
/* The process whose turn this is; NULL outside of turns. */
struct dz_proc *dz_vm_current(lua_State *L);
/* The same; raises when there is none. */
struct dz_proc *dz_vm_self(lua_State *L);

/* Pushes an error table {code=, message=} with its metatable. Set more fields, then lua_error. */
void dz_vm_push_error(lua_State *L, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Raises it; never returns. */
int dz_vm_raise(lua_State *L, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* bad_argument {argument=, expected=, got=} naming the caller's line; `index` is the offending value (0:
 * missing). */
int dz_vm_raise_argument(lua_State *L, const char *argument, const char *expected, int index);
/* Raises the error table in the bytes (a failed REPLY's data). */
int dz_vm_raise_term(lua_State *L, const uint8_t *data, size_t len, int dest);

/* A pid or ref as the Lua string it is. */
void dz_vm_push_pid(lua_State *L, struct dz_pid pid); /* nil for none */
void dz_vm_push_ref(lua_State *L, struct dz_ref ref);
/* The pid in the string at idx; false when it is not one. Cached by the string's address. */
bool dz_vm_to_pid(lua_State *L, int idx, struct dz_pid *pid);
bool dz_vm_to_ref(lua_State *L, int idx, struct dz_ref *ref);
/* A dest: pid, or a name known here or cluster-wide. False (pid none) when the name is unknown. Raises
 * bad_argument for anything else, also for { name, node }: see bind_process.h for sending to those. */
bool dz_vm_check_dest(lua_State *L, int idx, const char *argument, struct dz_pid *pid);
/* Milliseconds at idx as nanoseconds: a number >= 0, "infinity", math.huge (DZ_INFINITY); nil gives
 * `absent_ns`. */
uint64_t dz_vm_check_time(lua_State *L, int idx, const char *argument, uint64_t absent_ns);

/* May the running code wait? Raises cannot_wait naming the call when not, or when no process runs. */
void dz_vm_check_wait(lua_State *L, const char *call);
/* The answer may come before the send returns, so the wait begins before it:
 *     ref = dz_vm_wait_reply(L, target, timeout_ns); send the question with that ref; return dz_vm_park(L);
 * The sending must not raise; when it fails call dz_vm_wait_abandon first. Check with dz_vm_check_wait before
 * all of it. */
uint64_t dz_vm_wait_reply(lua_State *L, struct dz_pid target, uint64_t timeout_ns);
void dz_vm_wait_abandon(lua_State *L);
/* Parks the running process until the wait is over; `return` its result at once. */
int dz_vm_park(lua_State *L);
/* All of it for a message with `to`, kind and data set: CALL, REQUEST, STOP, GET_INFO. Raises what hindered
 * the sending. */
int dz_vm_ask(lua_State *L, struct dz_msg **take, uint64_t timeout_ns);
/* The same for a packed SPAWN: a slot on `thread`, and the pid (or the start's error) as result. */
int dz_vm_ask_spawn(lua_State *L, uint32_t thread, struct dz_msg **take, uint64_t timeout_ns);
/* Parks until dz_vm_wake(pid, token); core.result() then returns nothing, or raises timeout. */
int dz_vm_wait_event(lua_State *L, uint64_t token, uint64_t timeout_ns);
/* Ends that wait if the process still waits for this token. On its thread. */
void dz_vm_wake(struct dz_vm *vm, struct dz_pid pid, uint64_t token);
/* Sends a REQUEST (the message holds the arguments; NULL sends nil) and parks. */
int dz_vm_request(lua_State *L, struct dz_pid to, uint16_t code, struct dz_msg **take, uint64_t timeout_ns);

/* A piece of Lua run from outside of a turn (a luv callback) as the process `pid`: between enter and leave
 * `self`, `send`, `cast` work and waiting is refused. False when the process is gone: do not run it. */
struct dz_vm_frame {
    struct dz_proc *proc;
    struct dz_proc *previous;
    bool was_in_turn;
};
bool dz_vm_enter(struct dz_vm *vm, struct dz_pid pid, struct dz_vm_frame *frame);
/* `failed`: an error value is on top of L's stack, with the traceback below it or nil (both are popped): the
 * process ends with it. L is then not the main coroutine, which looks at the value. */
void dz_vm_leave(struct dz_vm *vm, struct dz_vm_frame *frame, lua_State *L, bool failed);
/* Calls fn(vm, arg) in the process's last moment, on its thread, once; for handles that close with their
 * process. Process must be alive and of this vm. */
int dz_vm_at_end(struct dz_vm *vm, struct dz_pid pid, void (*fn)(struct dz_vm *vm, void *arg), void *arg);

/* Function references (DZ_EXT_FUNCTION): 13 bytes that name a function or table of this state. The same value
 * gets the same reference while it lives. The reference keeps nothing: what a spec names is kept by dz_vm_ask_spawn and
 * core.request as long as the process lives that they gave it to. */
#define DZ_VM_FUNCTION_BYTES 13
void dz_vm_function_ref(lua_State *L, int idx, uint8_t out[DZ_VM_FUNCTION_BYTES]);
/* Pushes the value; false (nothing pushed) when the reference is of another state, or nobody keeps the value any more. */
bool dz_vm_function_push(lua_State *L, const uint8_t *bytes, size_t len);
/* The thread a reference belongs to; 0 when malformed. Needs no Lua state. */
uint32_t dz_vm_function_thread(const uint8_t *bytes, size_t len);

/* open.c: fills the table of C primitives. */
void dz_vm_open_bindings(lua_State *L);

#endif
