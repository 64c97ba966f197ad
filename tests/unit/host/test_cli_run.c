/* test_cli_run.c - `dozor run`: options, exit codes, signals, the node it joins as, the launcher's pipe. */
#include "command.h"

#include <sys/wait.h>
#include "host/boot.h"
#include "term/build.h"

static int setup(void **state)
{
    *state = command_new(&dz_cli_run);
    return 0;
}

static void script(struct command *c, const char *text)
{
    files_write(&c->files, "main.lua", text);
}

static void a_script_gives_the_exit_code_and_gets_its_arguments(void **state)
{
    struct command *c = *state;
    script(c, "io.stdout:setvbuf('no') print(select('#', ...), arg[1], arg[2])");
    expect_run(c, "~/main.lua one --two", 0);
    expect_text(c->captured.out, "2\tone\t--two\n");
    script(c, "require('dozor').shutdown(7)");
    expect_run(c, "~/main.lua", 7);
    script(c, "error('boom')");
    expect_run(c, "-- ~/main.lua", 1);
    expect_text(c->captured.err, "boom");
}

static void without_a_script_or_with_one_that_is_missing_nothing_runs(void **state)
{
    struct command *c = *state;
    expect_run(c, "", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "which script?");
    expect_run(c, "~/nowhere.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "nowhere.lua: No such file or directory");
    expect_run(c, "--help", 0);
    expect_text(c->captured.out, "usage: dozor run");
    assert_null(strstr(c->captured.out, "--boot-fd"));
}

static void options_that_cannot_be_are_named(void **state)
{
    struct command *c = *state;
    script(c, "");
    expect_run(c, "--node a@b@c ~/main.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "--node: 'a@b@c'");
    expect_text(c->captured.err, "is not a node id");
    static const char *const listen[] = { "nonsense", ":80", "h:", "h:x", "h:70000", "h:-1" };
    for (size_t i = 0; i < sizeof listen / sizeof listen[0]; i++) {
        char line[128];
        snprintf(line, sizeof line, "--listen %s ~/main.lua", listen[i]);
        expect_run(c, line, DZ_EXIT_USAGE);
        expect_text(c->captured.err, "is not HOST:PORT");
    }
    expect_run(c, "--seeds a@127.0.0.1:1,b ~/main.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "'b' is not a node id");
    expect_run(c, "--behaviors ~/main.lua ~/main.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "is not a directory");
    expect_run(c, "--plugin ~/no.so ~/main.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "no.so");
}

static void a_secret_file_that_cannot_be_used_says_why(void **state)
{
    struct command *c = *state;
    char large[5001];
    script(c, "");
    expect_run(c, "--secret-file ~/none ~/main.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "none: No such file or directory");
    expect_run(c, "--secret-file ~ ~/main.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "Is a directory");
    files_write(&c->files, "empty", "\n");
    expect_run(c, "--secret-file ~/empty ~/main.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "empty: is empty");
    memset(large, 's', sizeof large);
    large[sizeof large - 1] = 0;
    files_write(&c->files, "large", large);
    expect_run(c, "--secret-file ~/large ~/main.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "large: is longer than 4096 bytes");
    int fd = open(files_path(&c->files, "zero"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "a\0b", 3), 3);
    close(fd);
    expect_run(c, "--secret-file ~/zero ~/main.lua", DZ_EXIT_USAGE);
    expect_text(c->captured.err, "zero: holds a zero byte");
}

static void off_loopback_a_secret_is_needed(void **state)
{
    struct command *c = *state;
    script(c, "print('never')");
    expect_run(c, "--log-level off --node a@127.0.0.1:1001 --listen 0.0.0.0:0 ~/main.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "invalid_config: ");
    expect_text(c->captured.err, "needs a secret");
    assert_string_equal(c->captured.out, "");
    files_write(&c->files, "short", "only a few bytes\n");
    expect_run(c, "--log-level off --node a@127.0.0.1:1001 --listen 0.0.0.0:0 --secret-file ~/short ~/main.lua", DZ_EXIT_FAILED);
    expect_text(c->captured.err, "at least 32");
    files_write(&c->files, "long", "0123456789012345678901234567890123456789\n");
    script(c, "require('dozor').shutdown(0)");
    expect_run(c, "--log-level off --node a@127.0.0.1:1001 --listen 0.0.0.0:0 --secret-file ~/long ~/main.lua", 0);
}

static void the_node_is_joined_before_the_script_runs(void **state)
{
    struct command *c = *state;
    char line[128], said[64];
    unsigned port = command_free_port();
    script(c, "local d = require 'dozor' io.stdout:setvbuf('no') print(d.node(), d.cluster.status()) d.shutdown(0)");
    snprintf(line, sizeof line, "--log-level off --node me@127.0.0.1:%u ~/main.lua", port);
    expect_run(c, line, 0);
    snprintf(said, sizeof said, "me@127.0.0.1:%u\trunning\n", port);
    assert_string_equal(c->captured.out, said);
}

static void behaviours_beside_the_script_and_in_given_directories_are_found(void **state)
{
    struct command *c = *state;
    files_dir(&c->files, "behaviors");
    files_dir(&c->files, "more");
    files_write(&c->files, "behaviors/beside.lua", "return { init = function() end, handle_call = function() return 'beside' end }");
    files_write(&c->files, "more/given.lua", "return { init = function() end, handle_call = function() return 'given' end }");
    script(c, "local d = require 'dozor' io.stdout:setvbuf('no')\n"
              "for _, name in ipairs { 'beside', 'given' } do print(d.call(d.spawn(name), 1)) end d.shutdown(0)");
    expect_run(c, "--behaviors ~/more ~/main.lua", 0);
    assert_string_equal(c->captured.out, "beside\ngiven\n");
}

static void a_signal_runs_the_hooks_and_is_exit_code_zero(void **state)
{
    static const char text[] =
        "local d = require 'dozor' io.stdout:setvbuf('no')\n"
        "d.on_shutdown(function() print('hook') end)\n"
        "d.uv.kill(d.uv.os_getpid(), '%s')\n"
        "d.sleep('infinity')";
    static const char *const signals[] = { "sigterm", "sigint" };
    struct command *c = *state;
    for (size_t i = 0; i < 2; i++) {
        char all[512];
        snprintf(all, sizeof all, text, signals[i]);
        script(c, all);
        expect_run(c, "~/main.lua", 0);
        assert_string_equal(c->captured.out, "hook\n");
    }
}

/* In a child, which is to be killed with its parent. */
static int run_booted(struct command *c, const struct dz_buf *bytes, const char *line)
{
    char whole[512], said[128];
    int fds[2], status = 0;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], bytes->data, bytes->len), (ssize_t)bytes->len);
    close(fds[1]);
    pid_t child = fork();
    if (child == 0) {
        snprintf(whole, sizeof whole, "--log-level off --boot-fd %d %s", fds[0], line);
        int code = command_run(c, whole);
        int out = open(files_path(&c->files, "out"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dprintf(out, "%s%s", c->captured.out, c->captured.err);
        _exit(code);
    }
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    int in = open(files_path(&c->files, "out"), O_RDONLY | O_CLOEXEC);
    snprintf(c->captured.out, sizeof c->captured.out, "%s", files_all_of(in, said, sizeof said));
    close(in);
    return WEXITSTATUS(status);
}

static void a_launched_node_learns_its_place_from_the_pipe(void **state)
{
    struct command *c = *state;
    struct dz_up_settings up;
    struct dz_config_error error;
    struct dz_buf bytes, config;
    struct dz_build b;
    char id[64], said[80];
    snprintf(id, sizeof id, "booted@127.0.0.1:%u", command_free_port());
    dz_buf_init(&bytes);
    dz_buf_init(&config);
    dz_build_init(&b, &config);
    dz_build_map(&b, 1);
    dz_build_key(&b, "nodes");
    dz_build_array(&b, 1);
    dz_build_map(&b, 1);
    dz_build_kstring(&b, "id", id);
    assert_int_equal(dz_up_settings_read(&up, config.data, config.len, &error), 0);
    assert_int_equal(dz_boot_write(&bytes, &up, 0), 0);
    script(c, "local d = require 'dozor' io.stdout:setvbuf('no') print(d.node()) d.shutdown(5)");
    assert_int_equal(run_booted(c, &bytes, "~/main.lua"), 5);
    snprintf(said, sizeof said, "%s\n", id);
    assert_string_equal(c->captured.out, said);
    dz_buf_clear(&bytes);
    dz_buf_printf(&bytes, "nonsense");
    assert_int_equal(run_booted(c, &bytes, "~/main.lua"), DZ_EXIT_FAILED);
    expect_text(c->captured.out, "the launcher's message cannot be read");
    dz_up_settings_fini(&up);
    dz_buf_fini(&bytes);
    dz_buf_fini(&config);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, command_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_script_gives_the_exit_code_and_gets_its_arguments),
        TEST(without_a_script_or_with_one_that_is_missing_nothing_runs),
        TEST(options_that_cannot_be_are_named),
        TEST(a_secret_file_that_cannot_be_used_says_why),
        TEST(off_loopback_a_secret_is_needed),
        TEST(the_node_is_joined_before_the_script_runs),
        TEST(behaviours_beside_the_script_and_in_given_directories_are_found),
        TEST(a_signal_runs_the_hooks_and_is_exit_code_zero),
        TEST(a_launched_node_learns_its_place_from_the_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
