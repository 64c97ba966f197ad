/* core/host/cli_sim.c: `dozor sim`, misused and used; the processes of its runs are this very program. */
#include "command.h"

static int setup(void **state)
{
    *state = command_new(&dz_cli_sim);
    return 0;
}

static void misuse_is_told(void **state)
{
    struct command *c = *state;
    expect_run(c, "", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "which config or script?");
    expect_run(c, "a.lua b.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "one file at a time; b.lua is one too many");
    expect_run(c, "--replay a.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "--replay needs --seed");
    expect_run(c, "--trace a.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "--trace needs --seed");
    expect_run(c, "--node 1 a.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "unknown option --node");
    expect_run(c, "--help", 0);
    expect_text(c->captured.out, "usage: dozor sim");
    assert_null(strstr(c->captured.out, "--one"));
}

static void numbers_have_limits(void **state)
{
    struct command *c = *state;
    static const struct {
        const char *line, *why;
    } wrong[] = {
        {"--seeds 0 a.lua", "'0' is not a number from 1 to 4294967295"},
        {"--seed -1 a.lua", "'-1' is not a number from 0 to 18446744073709551615"},
        {"--first 1x a.lua", "'1x' is not a number"},
        {"--first 18446744073709551616 a.lua", "is not a number"},
        {"--time 86400001 a.lua", "'86400001' is not a number from 1 to 86400000"},
        {"--nodes 9 a.lua", "'9' is not a number from 1 to 8"},
        {"--jobs 65 a.lua", "'65' is not a number from 1 to 64"},
        {"--faults cut,crush a.lua", "'crush' is none of cut, stall, partition, freeze, crash, slow (or none)"},
        {"--behaviors ~/nowhere a.lua", "/nowhere is not a directory"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect_run(c, wrong[i].line, DZ_EXIT_USAGE);
        expect_text(c->captured.err, wrong[i].why);
        assert_string_equal(c->captured.out, "");
    }
}

static void a_file_that_is_no_cluster_is_not_played(void **state)
{
    struct command *c = *state;
    expect_run(c, "~/nowhere.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "nowhere.lua: No such file or directory");
    files_write(&c->files, "main.lua", "return function() end");
    expect_run(c, "~/main.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "main.lua: gives no cluster config; --nodes N runs a script on N nodes");
    files_write(&c->files, "main.lua", "return { nodes = {} }");
    expect_run(c, "~/main.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "main.lua: invalid_config: ");
    files_write(&c->files, "main.lua", "error('boom')");
    expect_run(c, "~/main.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "main.lua:1: boom");
    files_write(&c->files, "main.lua",
                "local n = {} for i = 1, 9 do n[i] = { id = 'n' .. i .. '@127.0.0.1:' .. 4600 + i } end return { nodes = n }");
    expect_run(c, "~/main.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "more than 8 nodes cannot be simulated");
}

static void one_seed_is_played_and_played_again(void **state)
{
    struct command *c = *state;
    files_write(&c->files, "main.lua", "local d = require 'dozor' d.sim.note('seed ' .. d.sim.seed())");
    expect_run(c, "--seed 7 --time 1000 --nodes 2 --replay ~/main.lua", 0);
    expect_text(c->captured.out, "seed 7: ok, hash ");
    expect_run(c, "--seed 7 --time 1000 --nodes 1 --trace ~/main.lua", 0);
    expect_text(c->captured.out, "n1@127.0.0.1:4001: seed 7");
}

static void a_cluster_finds_its_scripts_and_behaviours_beside_it(void **state)
{
    struct command *c = *state;
    files_write(&c->files, "up.lua", "return { nodes = { { id = 'a@127.0.0.1:4601', script = 'first.lua' } } }");
    files_write(&c->files, "first.lua", "local d = require 'dozor' assert(d.spawn('mine')) d.sim.note('spawned')");
    files_dir(&c->files, "behaviors");
    files_write(&c->files, "behaviors/mine.lua", "return { init = function() return 1 end }");
    expect_run(c, "--seed 1 --time 1000 --trace ~/up.lua", 0);
    expect_text(c->captured.out, "a@127.0.0.1:4601: spawned");
}

static void many_seeds_are_counted_and_those_that_fail_told_of(void **state)
{
    struct command *c = *state;
    files_write(&c->files, "main.lua",
                "local d = require 'dozor' d.sim.check('not six', function() return d.sim.seed() ~= 6, 'it is six' end)");
    expect_run(c, "--seeds 3 --first 5 --jobs 2 --time 1000 --faults none --nodes 1 ~/main.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.out, "seed 6 at ");
    expect_text(c->captured.out, "n1@127.0.0.1:4001: not six: it is six\n");
    expect_text(c->captured.out, "  replay: dozor sim --seed 6 --trace --time 1000 --faults none --nodes 1 ");
    expect_text(c->captured.out, "3 seeds, 1 failed; ");
    expect_run(c, "--seeds 1 --first 5 --time 1000 --faults cut,slow --nodes 1 ~/main.lua", 0);
    expect_text(c->captured.out, "1 seeds, 0 failed; ");
}

static void a_run_that_breaks_off_has_failed(void **state)
{
    struct command *c = *state;
    files_write(&c->files, "main.lua", "io.stdout:close() os.exit(0)");
    expect_run(c, "--seed 3 --time 1000 --faults none --nodes 1 ~/main.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.out, "seed 3: FAILED");
}

/* Each run starts this program again. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(misuse_is_told, setup, command_teardown),
        cmocka_unit_test_setup_teardown(numbers_have_limits, setup, command_teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_cluster_is_not_played, setup, command_teardown),
        cmocka_unit_test_setup_teardown(one_seed_is_played_and_played_again, setup, command_teardown),
        cmocka_unit_test_setup_teardown(a_cluster_finds_its_scripts_and_behaviours_beside_it, setup, command_teardown),
        cmocka_unit_test_setup_teardown(many_seeds_are_counted_and_those_that_fail_told_of, setup, command_teardown),
        cmocka_unit_test_setup_teardown(a_run_that_breaks_off_has_failed, setup, command_teardown),
    };
    if (argc > 1 && strcmp(argv[1], dz_cli_sim.name) == 0)
        return dz_cli_sim.main(argc - 2, argv + 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
