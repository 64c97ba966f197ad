/* fifty_hosts.c - many hosts in one OS process form a mesh, each with its Lua workers, and settle (semantics 8.9): every host knows
 * every other, a name given on the last one is known on all, and what an idle host costs grows no faster than its peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "dozor.h"

#define HOSTS      50
#define FEW        10
#define DEADLINE_S 60
#define IDLE_MS    3000
/* Above what the number of peers explains: room for a machine that is busy otherwise. */
#define SLACK 2.5

static const char in_lua[] =
    "local dozor = require 'dozor'\n"
    "return { init = function() return {} end, handle_call = function(what)\n"
    "  if what ~= 'up' then return dozor.node() end\n"
    "  local up = 0\n"
    "  for _, node in ipairs(dozor.cluster.nodes()) do if node.status == 'up' then up = up + 1 end end\n"
    "  return up\n"
    "end }\n";

static char directory[64];

static void write_behavior(void)
{
    char path[128];
    snprintf(directory, sizeof directory, "/tmp/dozor-fifty-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/census.lua", directory);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fputs(in_lua, f) >= 0, 1);
    fclose(f);
}

static void remove_behavior(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/census.lua", directory);
    remove(path);
    remove(directory);
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static dz_host *new_host(void)
{
    const char *const places[] = {directory};
    dz_host_options options;
    dz_host *host = NULL;
    dz_host_options_init(&options);
    options.workers = 1;
    options.log_level = "error";
    options.behaviors = places;
    options.behavior_count = 1;
    assert_int_equal(dz_host_new(&host, &options), 0);
    assert_int_equal(dz_host_start(host), 0);
    return host;
}

static void join(dz_host *host, int number, const dz_host *seed, dz_answer *answer)
{
    dz_builder *config = dz_builder_new();
    char name[16];
    snprintf(name, sizeof name, "h%d", number);
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
    dz_builder_delete(config);
}

static dz_process spawn_census(dz_host *host, const char *global)
{
    dz_spawn_options options = {.global = global};
    dz_answer *answer = dz_answer_new();
    dz_reader value;
    dz_process pid;
    assert_int_equal(dz_host_spawn(host, "census", NULL, &options, dz_answer_done, answer), 0);
    assert_int_equal(dz_answer_wait(answer, &value), 0);
    assert_true(dz_reader_process(&value, &pid));
    dz_answer_delete(answer);
    return pid;
}

/* What the Lua process on this host answers: how many nodes it sees as up. */
static int64_t nodes_up(dz_host *host, dz_process pid)
{
    dz_builder *question = dz_builder_new();
    dz_answer *answer = dz_answer_new();
    dz_reader value;
    int64_t up = 0;
    dz_builder_string(question, "up");
    assert_int_equal(dz_host_call(host, pid, question, 20000, dz_answer_done, answer), 0);
    assert_int_equal(dz_answer_wait(answer, &value), 0);
    assert_true(dz_reader_int(&value, &up));
    dz_answer_delete(answer);
    dz_builder_delete(question);
    return up;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void wait_for_mesh(dz_host **hosts, const dz_process *pids, int count)
{
    double deadline = seconds_of(CLOCK_MONOTONIC) + DEADLINE_S;
    for (int i = 0; i < count; i++)
        while (nodes_up(hosts[i], pids[i]) != count) {
            if (seconds_of(CLOCK_MONOTONIC) > deadline)
                fail_msg("host %d sees %lld of %d nodes", i, (long long)nodes_up(hosts[i], pids[i]), count);
            pause_ms(20);
        }
}

/* A mesh of that size; the CPU seconds a second that one of its idle hosts takes. */
static double mesh(int count)
{
    dz_host *hosts[HOSTS];
    dz_process pids[HOSTS];
    dz_answer *joined[HOSTS];
    memset(pids, 0, sizeof pids);
    for (int i = 0; i < count; i++) {
        hosts[i] = new_host();
        joined[i] = dz_answer_new();
        join(hosts[i], i, i ? hosts[0] : NULL, joined[i]);
        if (i == 0)
            assert_int_equal(dz_answer_wait(joined[0], NULL), 0); /* its port is known from then on */
    }
    for (int i = 0; i < count; i++) {
        if (i)
            assert_int_equal(dz_answer_wait(joined[i], NULL), 0);
        dz_answer_delete(joined[i]);
        pids[i] = spawn_census(hosts[i], NULL);
    }
    wait_for_mesh(hosts, pids, count);
    dz_process named = spawn_census(hosts[count - 1], "everybody's");
    for (int i = 0; i < count; i++)
        assert_false(dz_process_is_none(dz_host_whereis(hosts[i], "everybody's")));
    assert_int_equal(nodes_up(hosts[count - 1], named), count);

    double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID), wall = seconds_of(CLOCK_MONOTONIC);
    pause_ms(IDLE_MS);
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = seconds_of(CLOCK_MONOTONIC) - wall;
    wait_for_mesh(hosts, pids, count); /* nobody was taken for lost */
    for (int i = count - 1; i >= 0; i--)
        dz_host_stop(hosts[i], 0);
    for (int i = count - 1; i >= 0; i--) {
        assert_int_equal(dz_host_wait(hosts[i]), 0);
        dz_host_free(hosts[i]);
    }
    return cpu / wall / count;
}

static void fifty_hosts_settle_and_an_idle_one_costs_no_more_than_its_peers(void **state)
{
    (void)state;
    write_behavior();
    double few = mesh(FEW), many = mesh(HOSTS);
    remove_behavior();
    printf("an idle host takes %.3f %% of a core with %d peers, %.3f %% with %d\n", few * 100, FEW - 1, many * 100, HOSTS - 1);
    assert_true(many <= few * (HOSTS - 1) / (FEW - 1) * SLACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_hosts_settle_and_an_idle_one_costs_no_more_than_its_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
