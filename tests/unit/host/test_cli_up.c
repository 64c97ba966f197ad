/* test_cli_up.c - `dozor up`: configs good and bad, and a real cluster whose nodes are this very program. */
#include "command.h"

static int setup(void **state)
{
    *state = command_new(&dz_cli_up);
    return 0;
}

static void misuse_is_told(void **state)
{
    struct command *c = *state;
    expect_run(c, "", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "which config?");
    expect_run(c, "a.lua b.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "one config at a time; b.lua is one too many");
    expect_run(c, "--node a@127.0.0.1:1 a.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "unknown option --node");
    expect_run(c, "--help", 0);
    expect_text(c->captured.out, "usage: dozor up");
}

static void a_config_that_is_wrong_starts_nothing(void **state)
{
    struct command *c = *state;
    expect_run(c, "~/nowhere.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "nowhere.lua: cannot be read");
    files_write(&c->files, "up.lua", "return { nodes = { { id = 'a@127.0.0.1:1', skript = 'x' } } }");
    expect_run(c, "~/up.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "up.lua: invalid_config: ");
    expect_text(c->captured.err, "did you mean 'script'?");
    files_write(&c->files, "up.lua", "error('boom')");
    expect_run(c, "~/up.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "up.lua:1: boom");
    files_write(&c->files, "up.lua", "return function() end");
    expect_run(c, "~/up.lua", DZ_EXIT_FAILED);
    assert_string_equal(c->captured.out, "");
}

static void a_cluster_runs_until_its_first_node_ends(void **state)
{
    struct command *c = *state;
    char config[1024];
    unsigned a = command_free_port(), b = command_free_port();
    snprintf(config, sizeof config,
             "return { host = { workers = 1, log_level = 'off' }, supervisors = { { name = 'sup', children = {} } },\n"
             "  nodes = { { id = 'a@127.0.0.1:%u', script = 'first.lua', args = { '6' } }, { id = 'b@127.0.0.1:%u' } } }", a, b);
    files_write(&c->files, "up.lua", config);
    files_write(&c->files, "first.lua",
                "local d = require 'dozor'\n"
                "io.stdout:setvbuf('line')\n"
                "while not d.global.whereis('sup') do d.receive(5) end\n"
                "print(#d.cluster.nodes() .. ' nodes, ' .. #d.supervisor.list() .. ' supervisor')\n"
                "d.shutdown(tonumber((...)))");
    expect_run(c, "--log-format=json ~/up.lua", 6);
    expect_text(c->captured.out, "[a] 2 nodes, 1 supervisor\n");
    expect_text(c->captured.err, "ended with exit code 6");
}

/* The launcher starts this program again for each node. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(misuse_is_told, setup, command_teardown),
        cmocka_unit_test_setup_teardown(a_config_that_is_wrong_starts_nothing, setup, command_teardown),
        cmocka_unit_test_setup_teardown(a_cluster_runs_until_its_first_node_ends, setup, command_teardown),
    };
    if (argc > 1 && strcmp(argv[1], dz_cli_run.name) == 0)
        return dz_cli_run.main(argc - 2, argv + 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
