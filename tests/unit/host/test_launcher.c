/* test_launcher.c - the processes of `dozor up`, played by a shell script: output, ends, restarts, stopping in order. */
#include "../sup/literal.h"

#include <signal.h>
#include "files.h"
#include "host/boot.h"
#include "host/cli.h"
#include "host/launcher.h"

struct launched {
    struct dz_launcher launcher;
    struct dz_up_settings up;
    struct files files;
    struct capture captured;
};

static int setup(void **state)
{
    struct launched *l = calloc(1, sizeof *l);
    files_make(&l->files);
    *state = l;
    return 0;
}

static int teardown(void **state)
{
    struct launched *l = *state;
    dz_config_list_fini(&l->launcher.common);
    dz_up_settings_fini(&l->up);
    files_remove(&l->files);
    free(l);
    return 0;
}

/* What the nodes do: they know themselves by their script's name, $name. */
static int run(struct launched *l, const char *nodes, const char *program)
{
    char config[1024], text[2048];
    struct dz_config_error error;
    snprintf(text, sizeof text,
             "#!/bin/bash\ncd %s\ncat <&3 >\"boot.$$\"\nname=\"${@: -1}\"\nname=\"${name##*/}\"\n%s\n", l->files.dir, program);
    files_write(&l->files, "program", text);
    assert_int_equal(chmod(l->files.path, 0700), 0);
    snprintf(l->launcher.program, sizeof l->launcher.program, "%s", l->files.path);
    snprintf(l->launcher.dir, sizeof l->launcher.dir, "%s", l->files.dir);
    snprintf(config, sizeof config, "{ nodes = { %s } }", nodes);
    struct dz_buf term = literal(config);
    assert_int_equal(dz_up_settings_read(&l->up, term.data, term.len, &error), 0);
    dz_buf_fini(&term);
    capture_begin(&l->captured);
    int code = dz_launcher_run(&l->launcher, &l->up);
    capture_end(&l->captured);
    return code;
}

#define A "{ id = \"a@127.0.0.1:1001\", script = \"a\" }"
#define B "{ id = \"b@127.0.0.1:1002\", script = \"b\" }"
#define C "{ id = \"c@127.0.0.1:1003\", script = \"c\" }"
/* Waits for the file, as long as one node has to wait for another. */
#define AWAIT(file) "until [ -e " file " ]; do read -r -t 0.01 <> <(:); done; "

static void each_line_has_the_nodes_name_before_it(void **state)
{
    struct launched *l = *state;
    assert_int_equal(run(l, A, "echo one; echo two >&2; printf 'no end'"), 0);
    assert_string_equal(l->captured.out, "[a] one\n[a] no end\n");
    assert_string_equal(l->captured.err, "[a] two\n");
}

static void a_line_without_end_is_cut(void **state)
{
    struct launched *l = *state;
    size_t lines = 0, bytes = 0;
    assert_int_equal(run(l, A, "head -c 50000 /dev/zero | tr '\\0' x; echo"), 0);
    for (const char *p = l->captured.out; *p; lines++) {
        size_t len = strcspn(p, "\n");
        assert_memory_equal(p, "[a] ", 4);
        assert_in_range(len, 4, 4 + 16384 + 4096);
        bytes += len - 4;
        p += len + 1;
    }
    assert_in_range(lines, 3, 4);
    assert_int_equal(bytes, 50000);
}

static void the_command_line_holds_options_directories_script_and_arguments(void **state)
{
    struct launched *l = *state;
    char expected[1024];
    assert_int_equal(dz_config_list_push(&l->launcher.common, "--workers", 9), 0);
    assert_int_equal(dz_config_list_push(&l->launcher.common, "2", 1), 0);
    assert_int_equal(run(l, "{ id = \"a@127.0.0.1:1001\", script = \"m.lua\", args = { \"x y\" }, behaviors = { \"b\", \"/c\" } }",
                         "printf '%s|' \"$@\""), 0);
    snprintf(expected, sizeof expected,
             "[a] run|--boot-fd|3|--workers|2|--behaviors|%s/b|--behaviors|/c|--|%s/m.lua|x y|\n", l->files.dir, l->files.dir);
    assert_string_equal(l->captured.out, expected);
}

static void the_pipe_tells_each_node_its_place(void **state)
{
    struct launched *l = *state;
    struct dz_boot boot;
    const char *s;
    size_t len;
    assert_int_equal(run(l, A, "mv boot.$$ boot"), 0);
    assert_int_equal(dz_boot_read(&boot, open(files_path(&l->files, "boot"), O_RDONLY | O_CLOEXEC)), 0);
    assert_true(dz_read_find_string(boot.cluster, boot.cluster_len, "node_name", &s, &len));
    assert_int_equal(len, 1);
    dz_boot_fini(&boot);
}

static void the_first_nodes_end_stops_the_others_in_order(void **state)
{
    struct launched *l = *state;
    int code = run(l, A "," B "," C,
                   "if [ $name = a ]; then " AWAIT("b.ready") AWAIT("c.ready") "exit 3; fi\n"
                   "trap 'echo stopped; exit 0' TERM; : >$name.ready; while :; do read -r -t 0.01 <> <(:); done");
    assert_int_equal(code, 3);
    assert_string_equal(l->captured.out, "[b] stopped\n[c] stopped\n");
    expect_text(l->captured.err, "node a@127.0.0.1:1001 (process ");
    expect_text(l->captured.err, "ended with exit code 3");
}

static void a_node_that_dies_is_told_and_the_others_go_on(void **state)
{
    struct launched *l = *state;
    int code = run(l, A "," B "," C,
                   "case $name in a) " AWAIT("b.done") AWAIT("c.done") "echo still here;;\n"
                   "b) : >b.done; exit 9;; c) : >c.done; kill -KILL $$;; esac");
    assert_int_equal(code, 0);
    assert_string_equal(l->captured.out, "[a] still here\n");
}

static void its_code_or_signal_is_named(void **state)
{
    struct launched *l = *state;
    int code = run(l, A "," B,
                   "if [ $name = a ]; then " AWAIT("b.done") "read -r -t 0.3 <> <(:); exit 0; fi; : >b.done; kill -KILL $$");
    assert_int_equal(code, 0);
    expect_text(l->captured.err, "node b@127.0.0.1:1002 (process ");
    expect_text(l->captured.err, "was ended by signal 9 (Killed)");
}

static void a_node_that_is_to_be_restarted_is(void **state)
{
    struct launched *l = *state;
    int code = run(l, A ", { id = \"b@127.0.0.1:1002\", script = \"b\", restart = true }",
                   "if [ $name = a ]; then " AWAIT("b.again") "exit 0; fi\n"
                   "if [ -e b.once ]; then : >b.again; trap 'exit 0' TERM; while :; do read -r -t 0.01 <> <(:); done; fi\n"
                   ": >b.once; exit 1");
    assert_int_equal(code, 0);
    expect_text(l->captured.err, "node b@127.0.0.1:1002 is started again");
}

static void the_first_node_is_restarted_too_where_its_entry_says_so(void **state)
{
    struct launched *l = *state;
    int code = run(l, "{ id = \"a@127.0.0.1:1001\", script = \"a\", restart = true }",
                   "[ -e a.once ] && exit 0; : >a.once; exit 4");
    assert_int_equal(code, 0);
    expect_text(l->captured.err, "ended with exit code 4");
    expect_text(l->captured.err, "node a@127.0.0.1:1001 is started again");
}

static void a_first_node_killed_gives_the_code_of_a_shell(void **state)
{
    struct launched *l = *state;
    assert_int_equal(run(l, A, "kill -KILL $$"), 128 + SIGKILL);
}

static void a_signal_stops_all_in_order(void **state)
{
    struct launched *l = *state;
    int code = run(l, A "," B,
                   "trap 'echo stopped; exit 0' TERM; : >$name.ready\n"
                   "if [ $name = b ]; then " AWAIT("a.ready") "kill -TERM $PPID; fi\n"
                   "while :; do read -r -t 0.01 <> <(:); done");
    assert_int_equal(code, 0);
    assert_string_equal(l->captured.out, "[a] stopped\n[b] stopped\n");
}

static void a_second_signal_kills_what_does_not_stop(void **state)
{
    struct launched *l = *state;
    int code = run(l, A, "trap 'kill -INT $PPID' TERM; kill -INT $PPID; while :; do read -r -t 0.01 <> <(:); done");
    assert_int_equal(code, 130);
    expect_text(l->captured.err, "was ended by signal 9");
}

static void a_program_that_cannot_be_started_ends_all(void **state)
{
    struct launched *l = *state;
    struct dz_buf term = literal("{ nodes = { " A "," B " } }");
    struct dz_config_error error;
    assert_int_equal(dz_up_settings_read(&l->up, term.data, term.len, &error), 0);
    dz_buf_fini(&term);
    snprintf(l->launcher.program, sizeof l->launcher.program, "%s/none", l->files.dir);
    snprintf(l->launcher.dir, sizeof l->launcher.dir, ".");
    capture_begin(&l->captured);
    int code = dz_launcher_run(&l->launcher, &l->up);
    capture_end(&l->captured);
    assert_int_equal(code, DZ_EXIT_FAILED);
    assert_string_equal(l->captured.err,
                        "dozor: node a@127.0.0.1:1001 cannot be started: no such file or directory\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_line_has_the_nodes_name_before_it),
        TEST(a_line_without_end_is_cut),
        TEST(the_command_line_holds_options_directories_script_and_arguments),
        TEST(the_pipe_tells_each_node_its_place),
        TEST(the_first_nodes_end_stops_the_others_in_order),
        TEST(a_node_that_dies_is_told_and_the_others_go_on),
        TEST(its_code_or_signal_is_named),
        TEST(a_node_that_is_to_be_restarted_is),
        TEST(the_first_node_is_restarted_too_where_its_entry_says_so),
        TEST(a_first_node_killed_gives_the_code_of_a_shell),
        TEST(a_signal_stops_all_in_order),
        TEST(a_second_signal_kills_what_does_not_stop),
        TEST(a_program_that_cannot_be_started_ends_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
