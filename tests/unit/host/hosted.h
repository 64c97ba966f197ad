/* hosted.h - a host for each test, with a clock that can be put forward, its log kept, and a process that hears.
 * Owns:    the host, its log, the files of its scripts.
 * Threads: the test's; the clock and the log are the host's, too. */
#ifndef DZ_TESTS_HOSTED_H
#define DZ_TESTS_HOSTED_H

#include "../sup/literal.h"

#include <semaphore.h>
#include "base/err.h"
#include "files.h"
#include "host/host.h"
#include "host/values.h"
#include "proc/request.h"
#include "proc/send.h"
#include "seen.h"

struct hosted {
    dz_host *host;
    dz_builder *b;
    dz_answer *answer;
    struct dz_thread thread; /* the test's own, to send from */
    struct files files;
    struct dz_env real;
    _Atomic uint64_t ahead_ns; /* of the real clock */
    int log;
    char logged[16384];
    struct seen heard; /* what the process `ear` was told */
};

/* --- the clock --- */

static inline uint64_t hosted_now(void *ctx)
{
    struct hosted *f = ctx;
    return dz_env_now_ns(&f->real) + atomic_load(&f->ahead_ns);
}

static inline uint64_t hosted_wall(void *ctx)
{
    return dz_env_wall_ms(&((struct hosted *)ctx)->real);
}

static inline uint64_t hosted_random(void *ctx)
{
    return dz_env_random(&((struct hosted *)ctx)->real);
}

static inline void hosted_look(struct dz_thread *t, void *arg)
{
    (void)t;
    sem_post(arg);
}

/* Every thread has done what this one asked of it, and looks at the clock. */
static inline void hosted_sync(struct hosted *f)
{
    uint32_t count = atomic_load(&f->host->sched.count);
    struct timespec deadline;
    sem_t looked;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += SEEN_WAIT_S;
    sem_init(&looked, 0, 0);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(dz_thread_post(&f->thread, i, hosted_look, &looked), 0);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(sem_timedwait(&looked, &deadline), 0);
    sem_destroy(&looked);
}

/* So much time passes at once, for timers that were asked for before. */
static inline void hosted_skip(struct hosted *f, uint64_t ms)
{
    hosted_sync(f);
    atomic_fetch_add(&f->ahead_ns, ms * 1000000u);
    hosted_sync(f);
}

/* --- `ear`, a behaviour in C that writes down what it is told --- */

static struct hosted *hosted_of_ear;

static inline int ear_init(dz_context *context, dz_reader *args, void **state)
{
    (void)context;
    (void)args;
    *state = &hosted_of_ear->heard;
    return 0;
}

static inline int ear_take(dz_context *context, void *state, dz_reader *message)
{
    (void)context;
    seen_value(state, message);
    return 0;
}

/* --- making and freeing --- */

static inline void hosted_options(struct hosted *f, dz_host_options *options)
{
    dz_host_options_init(options);
    options->workers = 2;
    options->log_fd = f->log;
    options->log_level = "debug";
}

/* Everything but the host itself. */
static inline struct hosted *hosted_empty(void)
{
    static const struct seen none = SEEN_INIT;
    struct hosted *f = calloc(1, sizeof *f);
    f->log = memfd_create("log", MFD_CLOEXEC);
    assert_true(f->log >= 0);
    f->heard = none;
    files_make(&f->files);
    f->b = dz_builder_new();
    f->answer = dz_answer_new();
    return f;
}

static inline void hosted_make(struct hosted *f)
{
    static const dz_native_behavior ear = { .size = sizeof ear, .init = ear_init, .cast = ear_take, .info = ear_take };
    dz_host_options options;
    hosted_options(f, &options);
    assert_int_equal(dz_host_new(&f->host, &options), 0);
    f->real = f->host->env;
    f->host->env = (struct dz_env){ hosted_now, hosted_wall, hosted_random, f };
    dz_host_thread(f->host, &f->thread);
    assert_int_equal(dz_host_register_behavior(f->host, "ear", &ear), 0);
    hosted_of_ear = f;
}

static inline void hosted_free(struct hosted *f)
{
    dz_host_free(f->host);
    dz_answer_delete(f->answer);
    dz_builder_delete(f->b);
    files_remove(&f->files);
    close(f->log);
    free(f);
}

/* One that does not run yet and knows a behaviour of the test's. */
static inline struct hosted *hosted_setup_with(void **state, const char *name, const dz_native_behavior *behavior)
{
    struct hosted *f = hosted_empty();
    *state = f;
    hosted_make(f);
    assert_int_equal(dz_host_register_behavior(f->host, name, behavior), 0);
    return f;
}

/* A host that does not run yet. */
static inline int hosted_setup_new(void **state)
{
    struct hosted *f = hosted_empty();
    hosted_make(f);
    *state = f;
    return 0;
}

static inline int hosted_setup(void **state)
{
    hosted_setup_new(state);
    assert_int_equal(dz_host_start(((struct hosted *)*state)->host), 0);
    return 0;
}

static inline int hosted_teardown(void **state)
{
    hosted_free(*state);
    return 0;
}

#define HOSTED(name)     cmocka_unit_test_setup_teardown(name, hosted_setup, hosted_teardown)
#define HOSTED_NEW(name) cmocka_unit_test_setup_teardown(name, hosted_setup_new, hosted_teardown)

/* --- asking: results are 0 or the error's code; *value is good until the next question --- */

/* The builder holds the value that the text describes. */
static inline dz_builder *hosted_value(struct hosted *f, const char *text)
{
    struct dz_buf term = literal(text);
    dz_reader reader = { term.data, term.data + term.len, NULL };
    dz_builder_clear(f->b);
    dz_builder_copy(f->b, &reader);
    dz_buf_fini(&term);
    return f->b;
}

static inline int hosted_wait(struct hosted *f, int asked, dz_reader *value)
{
    assert_int_equal(asked, 0);
    return dz_answer_wait(f->answer, value);
}

static inline int hosted_spawn(struct hosted *f, const char *behavior, const char *args, const char *name, dz_process *out)
{
    dz_spawn_options options = { .name = name };
    dz_reader value;
    int err = hosted_wait(f, dz_host_spawn(f->host, behavior, hosted_value(f, args), &options, dz_answer_done, f->answer),
                          &value);
    if (!err)
        assert_true(dz_reader_process(&value, out));
    return err;
}

/* An `ear` whose mailbox has no room for anything. */
static inline dz_process hosted_deaf_ear(struct hosted *f)
{
    dz_spawn_options options = { .max_bytes = 1 };
    dz_reader value;
    dz_process ear;
    hosted_value(f, "{}");
    assert_int_equal(hosted_wait(f, dz_host_spawn(f->host, "ear", f->b, &options, dz_answer_done, f->answer), &value), 0);
    assert_true(dz_reader_process(&value, &ear));
    return ear;
}

static inline dz_process hosted_ear(struct hosted *f)
{
    dz_process ear;
    assert_int_equal(hosted_spawn(f, "ear", "{}", "ear", &ear), 0);
    return ear;
}

static inline int hosted_call(struct hosted *f, dz_process to, const char *message, dz_reader *value)
{
    return hosted_wait(f, dz_host_call(f->host, to, hosted_value(f, message), 30000, dz_answer_done, f->answer), value);
}

static inline int hosted_end(struct hosted *f, dz_process process, const char *reason)
{
    return hosted_wait(f, dz_host_end(f->host, process, hosted_value(f, reason), 30000, dz_answer_done, f->answer), NULL);
}

static inline int hosted_supervise(struct hosted *f, const char *spec, dz_process *out)
{
    dz_reader value;
    int err = hosted_wait(f, dz_host_start_supervisor(f->host, hosted_value(f, spec), dz_answer_done, f->answer), &value);
    if (!err)
        assert_true(dz_reader_process(&value, out));
    return err;
}

/* Joins a cluster; `more` are further entries of the config. */
static inline int hosted_join(struct hosted *f, const char *name, const char *more, dz_reader *value)
{
    char config[1024];
    snprintf(config, sizeof config, "{ node_name = \"%s\", host = \"127.0.0.1\", %s }", name, more);
    return hosted_wait(f, dz_host_cluster_start(f->host, hosted_value(f, config), dz_answer_done, f->answer), value);
}

static inline void hosted_answered(void *ctx, struct dz_thread *t, int err, const uint8_t *data, size_t len)
{
    struct hosted *f = ctx;
    dz_reader reader = { data, data + len, f->host };
    (void)t;
    dz_answer_done(f->answer, err, &reader);
}

/* A REQUEST of request.h; `text` describes its term. */
static inline int hosted_request(struct hosted *f, struct dz_pid to, uint16_t code, const char *text, dz_reader *value)
{
    struct dz_buf term = literal(text);
    int err = dz_desk_request(&f->host->desk, &f->thread, to, code, term.data, term.len, DZ_INFINITY, hosted_answered, f);
    dz_buf_fini(&term);
    return hosted_wait(f, err, value);
}

/* The text of a value, or of one of its fields. */
static inline const char *hosted_text(struct hosted *f, const dz_reader *value, const char *field)
{
    dz_reader found = *value;
    f->logged[0] = 0;
    if (!field || dz_reader_find(value, field, &found))
        dz_reader_print(&found, f->logged, sizeof f->logged);
    return f->logged;
}

static inline const char *hosted_log(struct hosted *f)
{
    return files_all_of(f->log, f->logged, sizeof f->logged);
}

/* --- waiting for a condition --- */

static inline void hosted_until(struct hosted *f, bool (*is_so)(struct hosted *f))
{
    struct timespec tick = { 0, 1000000 };
    for (int i = 0; i < SEEN_WAIT_S * 1000; i++) {
        if (is_so(f))
            return;
        nanosleep(&tick, NULL);
    }
    fail_msg("waited in vain; log:\n%s", hosted_log(f));
}

static inline void hosted_run_script(struct hosted *f, const char *text)
{
    const char *path = files_write(&f->files, "main.lua", text);
    assert_int_equal(dz_host_run_script(f->host, path, 0, NULL), 0);
}

#endif
