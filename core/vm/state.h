/* state.h - the inside of one Lua state, shared by the files of core/vm.
 * Owns:    struct dz_vm and struct dz_co.
 * Threads: the worker's own.
 * Fails:   see each function.
 *
 * A Lua process is a bare struct dz_proc: kind_data is its coroutine while it has one (struct dz_co),
 * kind_state its behaviour (struct dz_handlers, NULL for a plain process), kind_index where its state lies in
 * the chunked tables (0: nowhere). */
#ifndef DZ_VM_STATE_H
#define DZ_VM_STATE_H

#include "base/list.h"
#include "base/map.h"
#include "proc/process.h"
#include "proc/send.h"
#include "vm/memory.h"
#include "vm/interrupt.h"
#include "vm/copy.h"
#include "vm/shape.h"
#include "vm/vm.h"

#define DZ_VM_CHUNK        256u  /* process states in one Lua table */
#define DZ_VM_POOL         64u   /* idle coroutines kept */
#define DZ_VM_NESTED       8u    /* turns inside turns: questions to idle neighbours */
#define DZ_VM_SENDS        1000u /* messages one turn may send before it hands over */
#define DZ_VM_LONG_MAILBOX 10000u
#define DZ_VM_TEXTS        256u /* cached pid and ref texts */
#define DZ_VM_DESTS        4096u
#define DZ_VM_DEST_WAYS    4u /* places a pid may stand at */
#define DZ_VM_REFERENCES   512
#define DZ_VM_TEXT_MAX     104u
#define DZ_VM_SCRATCH_MAX  (1u << 20) /* an encode buffer larger than this is given back */
#define DZ_VM_ARGS_MAX     4000       /* what Lua's stack takes */
#define DZ_VM_CRASH_LINES  10u        /* crash reports of one behaviour in one second */
#define DZ_VM_UNUSED       64u        /* behaviour tables without a process that stay bound */

/* What the code that runs in a coroutine is. */
enum dz_phase {
    DZ_PHASE_NONE,    /* nothing: the next message is to be found */
    DZ_PHASE_BEGIN,   /* a new process, its first turn not begun */
    DZ_PHASE_PREPARE, /* behaviour, names and bonds; what it raises is the answer to the spawn */
    DZ_PHASE_INIT,
    DZ_PHASE_PLAIN, /* a function that is a process */
    DZ_PHASE_START, /* a child's start function: what it returns is the answer to the spawn */
    DZ_PHASE_CALL,
    DZ_PHASE_CAST,
    DZ_PHASE_INFO,
    DZ_PHASE_END, /* terminate is due */
    DZ_PHASE_TERMINATE,
};

/* What the primitive that parked takes as its results when that is at hand by then; else it gets none, and Lua asks. */
enum dz_wants {
    DZ_WANTS_NOTHING,
    DZ_WANTS_REPLY,
    DZ_WANTS_MESSAGE,
};

/* One pooled coroutine. */
/* A SEND, CAST, CALL or REPLY for another node whose link is full: its sender is parked until it went out. */
struct dz_unsent {
    struct dz_msg *msg;
    uint64_t until_ns; /* of a CALL: its timeout */
    size_t node_len; /* 0: msg->to says where; else to a name on a node */
    size_t name_len;
    char text[]; /* node, name */
};

struct dz_co {
    lua_State *L;
    int anchor;           /* keeps L in the registry */
    uint8_t phase;        /* enum dz_phase */
    uint8_t stage;        /* of PREPARE: which steps are done */
    bool self_ending;     /* the wait under way ends without core.result() */
    uint8_t wants;        /* enum dz_wants */
    bool refused;         /* the wait could not pass a C frame: result() raises cannot_wait */
    bool given;           /* what it waits for lies on top of its stack */
    int asked;            /* where on its stack the question is that has no bytes yet; 0: it has */
    uint32_t turns_left;  /* of its process's slice */
    uint32_t sent;        /* in this turn */
    struct dz_proc *proc; /* whom it runs; NULL while pooled */
    struct dz_co *next;   /* in the pool */
    struct dz_list all;
    struct dz_pid from; /* of the CALL being handled */
    uint64_t ref;
    struct dz_msg *msg;  /* the CAST, SEND or notice being handled */
    struct dz_msg *held; /* a message being decoded */
    struct dz_msg *seen; /* selective receive: the last message looked at */
    struct dz_unsent *unsent; /* or NULL */
    uint64_t token;      /* of DZ_WAIT_EVENT */
    struct dz_wait wait;
};

/* The crash reports of one behaviour. */
struct dz_crashes {
    uint64_t second;
    uint32_t reported; /* in that second */
    uint32_t left_out; /* and not told of yet */
    struct dz_timer timer; /* the second's end, when they are */
};

/* A behaviour as this state compiled it. One with a name lives as long as the state, a table's at least as long as it has
 * processes. */
struct dz_handlers {
    char *name;
    uint32_t number;     /* of the table's reference; 0: it has a name */
    uint32_t processes;  /* that run it */
    struct dz_list idle; /* in dz_vm.unused */
    int init; /* registry references; LUA_NOREF when absent */
    int handle_call;
    int handle_cast;
    int handle_info;
    int terminate;
    bool local;      /* belongs to this state: its name is spawned nowhere else */
    bool wants_from; /* handle_call has a third parameter */
    bool counts_args; /* init can tell nil from no argument */
    struct dz_crashes crashes;
};

struct dz_text {
    const char *address; /* of the Lua string last seen with this text */
    uint32_t len;
    bool is_ref;
    struct dz_ref ref; /* ref.owner is the pid when !is_ref */
    char text[DZ_VM_TEXT_MAX];
};

/* A pid that messages went to, by the address of its string. */
struct dz_dest {
    const void *string;
    struct dz_pid pid;
};

struct dz_vm {
    lua_State *L; /* main */
    struct dz_thread *thread;
    struct dz_vm_shared *shared;
    struct dz_proc *current; /* whose code runs */
    struct dz_co *running;   /* NULL in callbacks */
    struct dz_proc *pending; /* RUNNING, to be gone on with by run */
    struct dz_co *asker;     /* whose turn stands still while the present one runs inside it, or NULL */
    uint32_t nested;         /* how many do */
    struct dz_co *pool;
    uint32_t pooled;
    struct dz_list cos;
    struct dz_buf scratch;    /* of the codec */
    struct dz_smap handlers;  /* name -> struct dz_handlers */
    struct dz_map tables;     /* number of a function reference -> struct dz_handlers */
    struct dz_list unused;    /* those of tables without a process, the longest unused first; */
    uint32_t unused_count;
    struct dz_map timers;     /* number -> struct timer of bind_time.c */
    struct dz_map at_end;     /* slot -> list of what closes with that process, ending.c */
    struct dz_handlers plain; /* only for the rate of crash reports; has no name */
    uint32_t *free_states;
    uint32_t free_count, free_cap, state_count;
    const void *infinity;    /* the address of the string "infinity", which is pinned */
    int *chunks;          /* registry references of the tables that hold the processes' states */
    uint32_t chunk_count;
    int functions;        /* registry references: number -> function or table given out (weak), */
    int numbers;          /* the reverse (weak), */
    int spawning;         /* slot -> function or table a start on its way runs, */
    int pinned;           /* list of the strings in dests, */
    int named;            /* list of what the message just encoded names, */
    int body, start;      /* what coroutines run, the first turn of a process, */
    int steps, internals; /* parts of the first turn written in Lua, plain processes of our own ("@name"), */
    int error_meta;       /* the metatable of error tables, */
    int box, unbox;       /* 64-bit cdata into halves and back */
    uint32_t function_count;
    uint32_t named_count;
    uint32_t sweep_at;    /* see function.c */
    struct dz_map holds;  /* slot of a process -> what its spec names */
    uint32_t generation;
    uint64_t next_token;
    struct dz_interrupt interrupt;
    lua_Alloc alloc;
    void *alloc_ctx;
    struct dz_memory memory;
    struct dz_shapes shapes;
    struct dz_copies copies;
    bool walks;         /* tables may be read in place: see walk.h, */
    bool copies_tables; /* and copied: see copy.h */
    bool idle_finished; /* the last idle step ended a cycle */
    size_t idle_memory; /* after the last idle collection */
    struct dz_dest dests[DZ_VM_DESTS];
    uint32_t next_dest; /* which of a full set is driven out */
    struct dz_text texts[DZ_VM_TEXTS];
    struct dz_text formats[DZ_VM_TEXTS]; /* by pid */
};

extern const struct dz_proc_kind dz_vm_kind;

/* The address that Lua sees as the token of a parked coroutine, and as NOREPLY. */
void *dz_vm_wait_token(void);
void *dz_vm_noreply(void);

/* The state's allocator leads to its vm, from any coroutine, in two loads. While the state closes (finalisers
 * of Lua code run then) the allocator is LuaJIT's own again, and there is no vm. Every way from Lua into the
 * core leads through here: the thread of a lost worker goes no further. */
static inline struct dz_vm *dz_vm_state(lua_State *L)
{
    void *vm;
    if (lua_getallocf(L, &vm) != dz_vm_alloc)
        luaL_error(L, "the Lua state is closing");
    if (dz_interrupt_is_lost(&((struct dz_vm *)vm)->interrupt))
        dz_interrupt_stand(vm);
    return vm;
}

/* --- coroutine.c --- */

/* A coroutine for the process; NULL when out of memory. */
struct dz_co *dz_co_get(struct dz_vm *vm, struct dz_proc *p);
/* It stands in `next` with nothing to do. */
void dz_co_put(struct dz_vm *vm, struct dz_co *co);
/* It stands somewhere it will never go on from: dead by an error, or its process is ending. */
void dz_co_drop(struct dz_vm *vm, struct dz_co *co);
/* Frees what it held for the turn that is over. */
void dz_co_clear(struct dz_co *co);

/* --- codec.c --- */

/* The vm's encode buffer, emptied; the next encoding overwrites it. */
struct dz_buf *dz_codec_scratch(struct dz_vm *vm);

/* --- dispatch.c --- */

int dz_dispatch_next(lua_State *L);
/* Stores the value on top of L (popped) as the process's state. */
void dz_dispatch_store_state(lua_State *L, struct dz_vm *vm, struct dz_proc *p);
/* The process `to` if the running one may put a question to it at once: it lives here, is idle, and the slices allow it. */
struct dz_proc *dz_dispatch_idle(struct dz_vm *vm, struct dz_pid to);
/* Pushes the value at idx as a process of the same state may have it: a scalar as it is, a table copied. False: it has to become
 * bytes. */
bool dz_dispatch_share(lua_State *L, struct dz_vm *vm, int idx);
/* May a question to this process go by the stack? */
bool dz_dispatch_takes_shared(const struct dz_proc *p);
/* The running process waits for the answer to this CALL: the idle process handles it in a turn inside the present one. `shared`:
 * what it asks is on top of its stack (popped), and at idx as it was; else in the message. True: the wait is over. Else the running
 * process is at rest and has to be parked. Takes the message. */
bool dz_dispatch_ask(struct dz_vm *vm, struct dz_proc *idle, struct dz_msg *call, bool shared, int idx);
/* A STOP was taken out of the mailbox: it is owed an answer, and the process is doomed with its reason. Takes
 * it. */
void dz_dispatch_take_stop(struct dz_vm *vm, struct dz_proc *p, struct dz_msg *m);

/* --- start.c --- */

/* The SPAWN the process answers, or NULL. */
struct dz_msg *dz_start_spawn_of(const struct dz_proc *p);
/* A process that never started ends: the one that asked is not to fall with it, it gets an answer instead. */
void dz_start_unlink(struct dz_vm *vm, struct dz_proc *p);
/* Pushes the first turn of the coroutine's process: its init and arguments when no step of it needs Lua, else the function of
 * boot.lua that takes the steps. */
int dz_start_first(lua_State *L, struct dz_vm *vm, struct dz_co *co);
/* The process of a start just sent knows what it runs: nobody else need keep that. */
bool dz_start_is_resolved(const struct dz_vm *vm, struct dz_pid pid);
void dz_bind_start_open(lua_State *L);
/* init returned (its results are on L): the state is stored, the spawn answered. */
void dz_start_init_returned(lua_State *L, struct dz_vm *vm, struct dz_co *co);
/* A start or selector function returned: its value is the answer. */
void dz_start_function_returned(lua_State *L, struct dz_vm *vm, struct dz_co *co);
/* The first turn raised the value whose reason is given: the spawn gets `error` (a term) as it is, or
 * init_failed. */
void dz_start_failed(struct dz_vm *vm, struct dz_proc *p, bool preparing, struct dz_blob *reason);
/* Before a process that waits in its first turn ends: what it is starting in its place answers for it. */
void dz_start_hand_over(struct dz_vm *vm, struct dz_proc *p);

/* --- ending.c --- */

/* The process is doomed and RUNNING: its coroutine goes, terminate begins in a new one (returned), or the end
 * is made (NULL). */
struct dz_co *dz_ending_begin(struct dz_vm *vm, struct dz_proc *p);
/* The coroutine died of the error on top of its stack. The process is doomed with it. */
void dz_ending_crash(struct dz_vm *vm, struct dz_co *co);
/* The reason made of the error value on top of L1 (stack unchanged), with the traceback below it (traced) or
 * L1's own. Never NULL. The caller has a share. */
struct dz_blob *dz_ending_reason(struct dz_vm *vm, lua_State *L1, bool traced);
/* The living Lua process of this worker, or NULL. */
struct dz_proc *dz_ending_process_of(struct dz_vm *vm, struct dz_pid pid);
/* What the kind keeps of the process. */
void dz_ending_dispose(struct dz_thread *t, struct dz_proc *p);

/* --- report.c --- */

void dz_report_init(struct dz_handlers *h);
/* Tells how many crashes were left out; nothing of it is under way any more. */
void dz_report_fini(struct dz_vm *vm, struct dz_handlers *h);
void dz_report_crash(struct dz_vm *vm, struct dz_co *co, const struct dz_blob *reason);
void dz_report_callback(struct dz_vm *vm, struct dz_proc *p, const struct dz_blob *reason);

/* --- handlers.c --- */

/* Registers the behaviour table on top of L (popped) under a name, or under a function number when name is
 * NULL. Raises invalid callbacks. */
struct dz_handlers *dz_handlers_bind(lua_State *L, struct dz_vm *vm, const char *name, size_t len,
                                     uint32_t number);
/* The process runs these from now on, until release. */
void dz_handlers_take(struct dz_vm *vm, struct dz_handlers *h, struct dz_proc *p);
void dz_handlers_release(struct dz_vm *vm, struct dz_handlers *h);
void dz_handlers_free_all(struct dz_vm *vm);

/* --- bind_time.c, ending.c --- */

void dz_bind_time_free(struct dz_vm *vm);
void dz_ending_free_hooks(struct dz_vm *vm);

/* --- bind_wait.c --- */

/* Pushes the message as receive and handle_info see it: notices become their tables. */
void dz_wait_push_message(lua_State *L, struct dz_proc *p, struct dz_msg *m);
/* Begins a wait of the running process: co->wait, zeroed and of this kind. Ends one that was left over. A
 * STOP that waits in the mailbox dooms the process here and now: one who is parked is stopped there. */
struct dz_co *dz_wait_begin(struct dz_vm *vm, enum dz_wait_kind kind, uint64_t ref, struct dz_pid target,
                            uint64_t timeout_ns);
/* May the running code wait? */
static inline bool dz_wait_allowed(lua_State *L, const struct dz_vm *vm)
{
    return vm->running && vm->current && lua_isyieldable(L);
}
/* The process's wait is over and its coroutine about to be resumed: pushes what the parked primitive wants (the value, true)
 * if that needs no memory of Lua's, and ends the wait. How many values. */
int dz_wait_give(struct dz_vm *vm, struct dz_co *co, struct dz_proc *p);
/* Makes the running, doomed process unable to go on where it cannot yield: an error no pcall holds for long
 * (interrupt.h). */
int dz_wait_interrupt(lua_State *L);
/* core.result(): pushes what was waited for, or raises. */
int dz_wait_result(lua_State *L);
/* The answer is here: ends the wait and pushes the value and true; nothing, the wait left as it is, when it is an error for
 * result() to raise. */
int dz_wait_answer(lua_State *L, struct dz_vm *vm);
/* Parks the running coroutine; a wait has been begun, or the process is doomed. `return` it. */
int dz_wait_park(lua_State *L);
/* The turn goes to the end of the run queue, where it can. `return` it (no results). */
int dz_wait_hand_over(lua_State *L, struct dz_vm *vm);
/* After a message was sent to `to`: hands over the turn when it is time to. `return` it (no results). */
int dz_wait_after_send(lua_State *L, struct dz_vm *vm, struct dz_pid to);
/* The question in *take could not be sent: frees it, takes the wait back and raises. */
int dz_wait_not_sent(lua_State *L, struct dz_msg **take, int err);
/* Tries again; false: the process is parked for another while. */
bool dz_unsent_retry(struct dz_vm *vm, struct dz_co *co);
/* Sends the answer, or keeps it in co->unsent (true): then the process must park, with dz_unsent_wait. Takes the message. */
bool dz_unsent_reply(struct dz_vm *vm, struct dz_co *co, struct dz_msg *m);
/* Begins the wait after which the unsent is tried again. */
void dz_unsent_wait(struct dz_vm *vm);
/* The process cannot wait after all: a reply becomes an error if it still finds no room, the rest is lost. */
void dz_unsent_give_up(struct dz_vm *vm, struct dz_co *co);
void dz_unsent_free(struct dz_co *co);

/* --- ident.c --- */

/* Where the pid may stand. The strings are pinned in a table of the state: while an address is here, no other string has it. */
static inline struct dz_dest *dz_ident_dests(struct dz_vm *vm, const void *string)
{
    uint64_t h = (uint64_t)(uintptr_t)string * 0x9e3779b97f4a7c15ull;
    return &vm->dests[(h >> 32) % (DZ_VM_DESTS / DZ_VM_DEST_WAYS) * DZ_VM_DEST_WAYS];
}
/* The string at idx (above 0) is a pid that messages went to lately. False: it may be one all the same. */
static inline bool dz_ident_known(struct dz_vm *vm, lua_State *L, int idx, struct dz_pid *pid)
{
    const void *string = lua_topointer(L, idx);
    const struct dz_dest *d = dz_ident_dests(vm, string);
    if (!string)
        return false;
    for (uint32_t i = 0; i < DZ_VM_DEST_WAYS; i++, d++) {
        if (d->string != string)
            continue;
        *pid = d->pid;
        return true;
    }
    return false;
}
/* Pushes the text of a pid that is new to this state and about to be used. */
void dz_ident_push_new(lua_State *L, const char *text, size_t len, struct dz_pid pid);
/* From now on it is. Names are not learnt: what they mean changes. */
void dz_ident_learn(struct dz_vm *vm, lua_State *L, int idx, struct dz_pid pid);
/* DZ_EXT_PID or DZ_EXT_REF for a well-formed one, else 0. */
uint8_t dz_ident_ext(struct dz_vm *vm, const char *s, size_t len);

/* --- function.c --- */

/* The reference was given out by this state. */
bool dz_function_is_here(const struct dz_vm *vm, const uint8_t bytes[DZ_VM_FUNCTION_BYTES]);
/* The value at idx is what the start of `pid` runs: kept until dz_function_spawned. A number alone keeps nothing. */
void dz_function_spawning(lua_State *L, struct dz_pid pid, int idx);
/* The process has it, or never will. Never raises. */
void dz_function_spawned(lua_State *L, struct dz_pid pid);
/* The value at idx is named by the message being encoded. */
void dz_function_named(lua_State *L, int idx);
/* What the message just encoded names is kept as long as `owner`, a process of any thread, lives. */
void dz_function_hold(lua_State *L, struct dz_pid owner);
void dz_function_free_all(struct dz_vm *vm);

/* --- error.c --- */

/* "file:line" of the script's code that called into dozor, or "". Pushes it. */
void dz_error_push_where(lua_State *L);

/* --- the openers --- */
void dz_bind_process_open(lua_State *L);
void dz_bind_send_open(lua_State *L);
void dz_bind_wait_open(lua_State *L);
void dz_bind_bond_open(lua_State *L);
void dz_bind_name_open(lua_State *L);
void dz_bind_time_open(lua_State *L);
void dz_bind_behavior_open(lua_State *L);

#endif
