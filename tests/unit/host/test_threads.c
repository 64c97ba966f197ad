/* test_threads.c - what the host does on each of its threads, before the first round and after the last. */
#include "hosted.h"

#include <signal.h>
#include "fault_alloc.h"

/* What one thread says of itself. */
struct look {
    sem_t done;
    bool sigpipe_blocked;
    bool has_vm;
};

static void look_around(struct dz_thread *t, void *arg)
{
    struct look *look = arg;
    sigset_t set;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    look->sigpipe_blocked = sigismember(&set, SIGPIPE) == 1;
    look->has_vm = t->vm != NULL;
    sem_post(&look->done);
}

static void each_thread_blocks_sigpipe_and_each_worker_has_a_lua_state(void **state)
{
    struct hosted *f = *state;
    for (uint32_t i = 0; i < 3; i++) {
        struct look look = { .sigpipe_blocked = false };
        sem_init(&look.done, 0, 0);
        assert_int_equal(dz_thread_post(&f->thread, i, look_around, &look), 0);
        assert_int_equal(sem_wait(&look.done), 0);
        assert_true(look.sigpipe_blocked);
        assert_int_equal(look.has_vm, i != DZ_THREAD_SYSTEM);
        sem_destroy(&look.done);
    }
}

static void the_systems_processes_are_there_once_the_host_runs_and_gone_when_it_has_ended(void **state)
{
    struct hosted *f = *state;
    struct dz_rt *rt = &f->host->rt;
    struct dz_pid desk = f->host->desk.pid;
    assert_non_null(dz_table_find(&rt->table, rt->system));
    assert_non_null(dz_table_find(&rt->table, rt->events));
    assert_non_null(dz_table_find(&rt->table, desk));
    assert_true(atomic_load(&f->host->interruptible));
    dz_host_stop(f->host, 0);
    dz_host_wait(f->host);
    assert_null(dz_table_find(&rt->table, rt->system));
    assert_null(dz_table_find(&rt->table, rt->events));
    assert_null(dz_table_find(&rt->table, desk));
    assert_true(dz_list_empty(&rt->natives_all));
    assert_false(atomic_load(&f->host->interruptible));
}

/* As if the guard had lost too many workers. */
static void when_the_guard_gives_up_the_host_ends_with_seventy(void **state)
{
    struct hosted *f = *state;
    struct dz_guard_hooks hooks;
    dz_host_fill_guard(f->host, &hooks);
    assert_true(hooks.interrupt && hooks.give_up && hooks.sample && hooks.take);
    hooks.failed(hooks.ctx, &f->thread, "as an example");
    assert_int_equal(dz_host_wait(f->host), 70);
    expect_text(hosted_log(f), "as an example");
}

static void the_hooks_are_the_hosts_own(void **state)
{
    struct hosted *f = *state;
    struct dz_sched_hooks hooks;
    dz_host_fill_hooks(f->host, &hooks);
    assert_ptr_equal(hooks.ctx, f->host);
    assert_true(hooks.thread_start && hooks.thread_stop && hooks.idle);
}

/* Which thread meets the failure is not determined; that all of it is taken back is. */
static void want_of_memory_at_the_start_is_told_and_leaves_nothing(void **state)
{
    size_t before = dz_fault_alloc_live();
    unsigned refused = 0;
    (void)state;
    for (size_t n = 1; n < 60; n++) {
        dz_host_options options;
        dz_host *host;
        dz_host_options_init(&options);
        options.workers = 2;
        options.log_level = "off";
        assert_int_equal(dz_host_new(&host, &options), 0);
        dz_fault_alloc_fail_at(n);
        int err = dz_host_start(host);
        dz_fault_alloc_fail_at(0);
        assert_true(err == DZ_OK || err == DZ_ENOMEM || err == DZ_EIO);
        refused += err != DZ_OK;
        dz_host_free(host);
        assert_int_equal(dz_fault_alloc_live(), before);
    }
    assert_true(refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTED(each_thread_blocks_sigpipe_and_each_worker_has_a_lua_state),
        HOSTED(the_systems_processes_are_there_once_the_host_runs_and_gone_when_it_has_ended),
        HOSTED(when_the_guard_gives_up_the_host_ends_with_seventy),
        HOSTED_NEW(the_hooks_are_the_hosts_own),
        cmocka_unit_test(want_of_memory_at_the_start_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
