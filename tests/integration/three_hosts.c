/* three_hosts.c - three hosts in one OS process form a cluster; one of them goes, and its children run again on the others.
 * It shows that a host has no global state: each has its own threads, names, pids and node id. */
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "dozor.h"

#define CHILDREN 6
#define DEADLINE_S 20

/* What the events of host 0 said, by child. */
struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char node[CHILDREN][400];
    int starts[CHILDREN];
    int migrations;
    int node_downs;
    int failures; /* node_failure_detected */
};

static void copy_text(const dz_reader *event, const char *key, char *out, size_t size)
{
    dz_reader value;
    const char *s;
    size_t len;
    out[0] = 0;
    if (dz_reader_find(event, key, &value) && dz_reader_string(&value, &s, &len) && len < size) {
        memcpy(out, s, len);
        out[len] = 0;
    }
}

static void note_start(struct seen *seen, const dz_reader *event, bool migrated)
{
    char id[64];
    copy_text(event, "child_id", id, sizeof id);
    int child = atoi(id + 1);
    if (child < 0 || child >= CHILDREN)
        return;
    copy_text(event, migrated ? "to_node" : "node_id", seen->node[child], sizeof seen->node[child]);
    seen->starts[child]++;
    seen->migrations += migrated;
}

static void on_event(void *ctx, const dz_reader *event)
{
    struct seen *seen = ctx;
    char type[64];
    copy_text(event, "type", type, sizeof type);
    pthread_mutex_lock(&seen->lock);
    if (strcmp(type, "child_started") == 0)
        note_start(seen, event, false);
    else if (strcmp(type, "child_migrated") == 0)
        note_start(seen, event, true);
    else if (strcmp(type, "node_down") == 0)
        seen->node_downs++;
    else if (strcmp(type, "node_failure_detected") == 0)
        seen->failures++;
    pthread_cond_broadcast(&seen->changed);
    pthread_mutex_unlock(&seen->lock);
}

static bool all_started(const struct seen *seen)
{
    for (int i = 0; i < CHILDREN; i++)
        if (seen->starts[i] == 0)
            return false;
    return true;
}

static bool all_moved(const struct seen *seen)
{
    return seen->migrations == CHILDREN / 3;
}

/* Waits for the condition, never for time alone. */
static void wait_until(struct seen *seen, bool (*cond)(const struct seen *), const char *what)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&seen->lock);
    while (!cond(seen))
        if (pthread_cond_timedwait(&seen->changed, &seen->lock, &deadline) != 0)
            fail_msg("not within %d s: %s", DEADLINE_S, what);
    pthread_mutex_unlock(&seen->lock);
}

static dz_host *new_host(void)
{
    dz_host_options options;
    dz_host *host = NULL;
    dz_host_options_init(&options);
    options.workers = 1;
    options.log_level = "error";
    assert_int_equal(dz_host_new(&host, &options), 0);
    assert_int_equal(dz_host_start(host), 0);
    return host;
}

/* Joins the cluster on a port the kernel picks, with host `seed` as seed (NULL: none). */
static void join(dz_host *host, const char *name, const dz_host *seed)
{
    dz_builder *config = dz_builder_new();
    dz_answer *answer = dz_answer_new();
    dz_reader value;
    dz_builder_map(config, 4);
    dz_builder_string(config, "node_name");
    dz_builder_string(config, name);
    dz_builder_string(config, "host");
    dz_builder_string(config, "127.0.0.1");
    dz_builder_string(config, "port");
    dz_builder_int(config, 0);
    dz_builder_string(config, "seeds");
    dz_builder_array(config, seed ? 1 : 0);
    if (seed)
        dz_builder_string(config, dz_host_node(seed));
    assert_int_equal(dz_host_cluster_start(host, config, dz_answer_done, answer), 0);
    assert_int_equal(dz_answer_wait(answer, &value), 0);
    assert_true(dz_reader_is(&value, dz_host_node(host)));
    dz_answer_delete(answer);
    dz_builder_delete(config);
}

static void put(dz_builder *b, const char *key, const char *value)
{
    dz_builder_string(b, key);
    dz_builder_string(b, value);
}

static void start_supervisor(dz_host *host)
{
    dz_builder *spec = dz_builder_new();
    dz_answer *answer = dz_answer_new();
    char id[16];
    dz_builder_map(spec, 3);
    put(spec, "strategy", "one_for_one");
    put(spec, "node_selector", "round_robin");
    dz_builder_string(spec, "children");
    dz_builder_array(spec, CHILDREN);
    for (int i = 0; i < CHILDREN; i++) {
        snprintf(id, sizeof id, "c%d", i);
        dz_builder_map(spec, 3);
        put(spec, "id", id);
        put(spec, "behavior", "worker");
        put(spec, "global", id);
    }
    assert_int_equal(dz_host_start_supervisor(host, spec, dz_answer_done, answer), 0);
    assert_int_equal(dz_answer_wait(answer, NULL), 0);
    dz_answer_delete(answer);
    dz_builder_delete(spec);
}

/* The child by its cluster-wide name, as this host knows it. */
static dz_process child_of(dz_host *host, int child)
{
    char id[16];
    snprintf(id, sizeof id, "c%d", child);
    dz_process pid = dz_host_whereis(host, id);
    assert_false(dz_process_is_none(pid));
    return pid;
}

/* Casts one `work` and reads the count. */
static int64_t work_and_count(dz_host *host, dz_process pid)
{
    dz_builder *b = dz_builder_new();
    dz_answer *answer = dz_answer_new();
    dz_reader value;
    int64_t count = -1;
    dz_builder_string(b, "work");
    assert_int_equal(dz_host_cast(host, pid, b), 0);
    dz_builder_clear(b);
    dz_builder_string(b, "status");
    assert_int_equal(dz_host_call(host, pid, b, 5000, dz_answer_done, answer), 0);
    assert_int_equal(dz_answer_wait(answer, &value), 0);
    assert_true(dz_reader_int(&value, &count));
    dz_answer_delete(answer);
    dz_builder_delete(b);
    return count;
}

static void a_lost_host_s_children_run_again_on_the_others(void **state)
{
    (void)state;
    struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    dz_host *hosts[3] = {new_host(), new_host(), new_host()};
    dz_subscription *subscription = NULL;
    char lost[400];

    join(hosts[0], "a", NULL);
    join(hosts[1], "b", hosts[0]);
    join(hosts[2], "c", hosts[0]);
    assert_int_equal(dz_host_subscribe(hosts[0], NULL, 0, false, on_event, &seen, &subscription), 0);
    start_supervisor(hosts[0]);
    wait_until(&seen, all_started, "six children started");

    int there[3] = {0};
    dz_process before[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        for (int h = 0; h < 3; h++)
            there[h] += strcmp(seen.node[i], dz_host_node(hosts[h])) == 0;
        before[i] = child_of(hosts[0], i);
        assert_int_equal(work_and_count(hosts[0], before[i]), 1);
    }
    assert_int_equal(there[0], 2);
    assert_int_equal(there[1], 2);
    assert_int_equal(there[2], 2);

    snprintf(lost, sizeof lost, "%s", dz_host_node(hosts[2]));
    dz_host_stop(hosts[2], 0);
    assert_int_equal(dz_host_wait(hosts[2]), 0);
    dz_host_free(hosts[2]);
    wait_until(&seen, all_moved, "the lost host's two children migrated");

    pthread_mutex_lock(&seen.lock);
    assert_int_equal(seen.node_downs, 1);
    assert_int_equal(seen.failures, 1);
    pthread_mutex_unlock(&seen.lock);
    for (int i = 0; i < CHILDREN; i++) {
        dz_process pid = child_of(hosts[0], i);
        bool moved = !dz_process_equal(before[i], pid);
        assert_string_not_equal(seen.node[i], lost);
        assert_int_equal(moved, seen.starts[i] == 2);
        assert_int_equal(work_and_count(hosts[0], pid), moved ? 1 : 2);
    }

    dz_host_unsubscribe(hosts[0], subscription);
    for (int h = 1; h >= 0; h--) {
        dz_host_stop(hosts[h], 0);
        assert_int_equal(dz_host_wait(hosts[h]), 0);
        dz_host_free(hosts[h]);
    }
}

static void hosts_with_the_same_names_do_not_see_each_other(void **state)
{
    (void)state;
    dz_host *hosts[2] = {new_host(), new_host()};
    dz_spawn_options options = {.name = "only"};
    dz_process pids[2];
    for (int h = 0; h < 2; h++) {
        dz_answer *answer = dz_answer_new();
        dz_reader value;
        assert_int_equal(dz_host_spawn(hosts[h], "worker", NULL, &options, dz_answer_done, answer), 0);
        assert_int_equal(dz_answer_wait(answer, &value), 0);
        assert_true(dz_reader_process(&value, &pids[h]));
        dz_answer_delete(answer);
    }
    for (int h = 0; h < 2; h++) {
        assert_true(dz_process_equal(dz_host_whereis(hosts[h], "only"), pids[h]));
        assert_int_equal(work_and_count(hosts[h], pids[h]), 1);
        dz_host_stop(hosts[h], 0);
        assert_int_equal(dz_host_wait(hosts[h]), 0);
        dz_host_free(hosts[h]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_with_the_same_names_do_not_see_each_other),
        cmocka_unit_test(a_lost_host_s_children_run_again_on_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
