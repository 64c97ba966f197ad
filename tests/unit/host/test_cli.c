/* test_cli.c - options of the command line: every form, every misuse, and what is said about it. */
#include "files.h"

#include "base/err.h"
#include "host/cli.h"

struct taken {
    char words[256];
};

static int take_name(void *ctx, const char *value, struct dz_buf *why)
{
    struct taken *t = ctx;
    size_t len = strlen(t->words);
    if (strcmp(value, "bad") == 0) {
        dz_buf_printf(why, "'%s' will not do", value);
        return DZ_ECONFIG;
    }
    snprintf(t->words + len, sizeof t->words - len, "name=%s;", value);
    return 0;
}

static int take_fast(void *ctx, const char *value, struct dz_buf *why)
{
    struct taken *t = ctx;
    size_t len = strlen(t->words);
    (void)why;
    snprintf(t->words + len, sizeof t->words - len, "fast=%s;", value ? value : "");
    return 0;
}

static const struct dz_cli_option options[] = {
    { "--name", "NAME", "a name", take_name },
    { "--fast", NULL, "in a hurry", take_fast },
    { "--secret-door", "N", NULL, take_name },
    { NULL, NULL, NULL, NULL },
};
static const struct dz_cli_command command = {
    .name = "test", .usage = "test [OPTION...] FILE", .help = "Tests.", .options = options, .host_options = true,
};

static struct taken taken;
static struct dz_cli_host host;
static struct capture captured;
static int first;

static int setup(void **state)
{
    (void)state;
    memset(&taken, 0, sizeof taken);
    memset(&host, 0, sizeof host);
    dz_host_settings_init(&host.settings);
    first = -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dz_config_list_fini(&host.given);
    return 0;
}

static int parse(int argc, char **argv)
{
    capture_begin(&captured);
    int code = dz_cli_parse(&command, argc, argv, &taken, &host, &first);
    capture_end(&captured);
    return code;
}

#define PARSE(...)                                                                                           \
    parse((int)(sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *)), (char *[]){ __VA_ARGS__ })

static char name[] = "--name", fast[] = "--fast", file[] = "file", workers[] = "--workers", three[] = "3";

static void refuses(int code, const char *said)
{
    assert_int_equal(code, DZ_EXIT_USAGE);
    assert_string_equal(captured.err, said);
    assert_string_equal(captured.out, "");
}

static void options_end_at_the_first_word_that_is_none(void **state)
{
    char value[] = "x", equals[] = "--name=y", dash[] = "-";
    (void)state;
    assert_int_equal(PARSE(name, value, fast, equals, file, fast), 0);
    assert_string_equal(taken.words, "name=x;fast=;name=y;");
    assert_int_equal(first, 4);
    assert_int_equal(PARSE(dash, fast), 0);
    assert_int_equal(first, 0);
}

static void two_dashes_end_the_options_and_are_no_argument(void **state)
{
    char dashes[] = "--";
    (void)state;
    assert_int_equal(PARSE(fast, dashes, name), 0);
    assert_int_equal(first, 2);
    assert_string_equal(taken.words, "fast=;");
}

static void no_words_are_no_options(void **state)
{
    (void)state;
    assert_int_equal(parse(0, NULL), 0);
    assert_int_equal(first, 0);
}

static void a_value_may_contain_an_equals_sign_and_be_empty(void **state)
{
    char both[] = "--name=a=b", empty[] = "--name=";
    (void)state;
    assert_int_equal(PARSE(both, empty, file), 0);
    assert_string_equal(taken.words, "name=a=b;name=;");
}

static void an_unknown_option_names_the_nearest_known_one_but_no_hidden_one(void **state)
{
    char nmae[] = "--nmae", far[] = "--quite-different", hidden[] = "--secret-dor", worker[] = "--worker=2";
    (void)state;
    refuses(PARSE(nmae, file), "dozor: unknown option --nmae, did you mean --name?\n");
    refuses(PARSE(far, file), "dozor: unknown option --quite-different; see dozor test --help\n");
    refuses(PARSE(worker, file), "dozor: unknown option --worker, did you mean --workers?\n");
    refuses(PARSE(hidden, file), "dozor: unknown option --secret-dor; see dozor test --help\n");
}

static void a_missing_or_superfluous_value_is_named(void **state)
{
    char given[] = "--fast=yes";
    (void)state;
    refuses(PARSE(name), "dozor: --name needs a value\n");
    refuses(PARSE(given), "dozor: --fast takes no value\n");
    refuses(PARSE(workers), "dozor: --workers needs a value\n");
}

static void what_an_option_refuses_is_told_with_its_name(void **state)
{
    char bad[] = "bad";
    (void)state;
    refuses(PARSE(name, bad, file), "dozor: --name: 'bad' will not do\n");
}

static void host_options_are_set_and_kept_for_another_command_line(void **state)
{
    char level[] = "--log-level=debug";
    (void)state;
    assert_int_equal(PARSE(workers, three, level, file), 0);
    assert_int_equal(host.settings.workers, 3);
    assert_int_equal(host.given.count, 4);
    assert_string_equal(host.given.items[0], "--workers");
    assert_string_equal(host.given.items[3], "debug");
}

static void a_host_option_out_of_range_is_told_as_it_was_typed(void **state)
{
    char many[] = "999", level[] = "--log-level", loud[] = "loud";
    (void)state;
    assert_int_equal(PARSE(workers, many), DZ_EXIT_USAGE);
    expect_text(captured.err, "dozor: --workers: expected a whole number");
    assert_int_equal(PARSE(level, loud), DZ_EXIT_USAGE);
    expect_text(captured.err, "dozor: --log-level: ");
    expect_text(captured.err, "debug");
    assert_int_equal(host.given.count, 0);
}

static void help_lists_what_there_is_and_nothing_hidden(void **state)
{
    char help[] = "--help", h[] = "-h";
    (void)state;
    assert_int_equal(PARSE(fast, help), -1);
    expect_text(captured.out, "usage: dozor test [OPTION...] FILE\n\nTests.\n");
    expect_text(captured.out, "--name NAME");
    expect_text(captured.out, "--max-turn-ms N");
    assert_null(strstr(captured.out, "--secret-door"));
    assert_string_equal(captured.err, "");
    assert_int_equal(PARSE(h), -1);
}

static void every_host_option_of_the_help_is_one_of_the_settings(void **state)
{
    static const char *const names[] = { "--workers", "--max-turn-ms", "--worker-memory-mb", "--spin-us" };
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char word[32];
        snprintf(word, sizeof word, "%s=1", names[i]);
        assert_int_equal(PARSE(word), 0);
    }
    assert_int_equal(host.settings.max_turn_ms, 1);
    assert_int_equal(host.settings.worker_memory_mb, 1);
    assert_int_equal(host.settings.spin_us, 1);
}

static void settings_become_the_options_of_a_host(void **state)
{
    char level[] = "--log-level=warn", format[] = "--log-format=json";
    dz_host_options out;
    (void)state;
    assert_int_equal(PARSE(workers, three, level, format), 0);
    dz_cli_options_of(&host.settings, &out);
    assert_int_equal(out.size, sizeof out);
    assert_int_equal(out.workers, 3);
    assert_string_equal(out.log_level, "warn");
    assert_string_equal(out.log_format, "json");
    assert_int_equal(out.max_turn_ms, 10000);
}

static void a_failure_is_one_line_on_stderr_behind_what_was_printed(void **state)
{
    (void)state;
    capture_begin(&captured);
    printf("before ");
    assert_int_equal(dz_cli_fail(7, "%s: %d", "why", 3), 7);
    capture_end(&captured);
    assert_string_equal(captured.out, "before ");
    assert_string_equal(captured.err, "dozor: why: 3\n");
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(options_end_at_the_first_word_that_is_none),
        TEST(two_dashes_end_the_options_and_are_no_argument),
        TEST(no_words_are_no_options),
        TEST(a_value_may_contain_an_equals_sign_and_be_empty),
        TEST(an_unknown_option_names_the_nearest_known_one_but_no_hidden_one),
        TEST(a_missing_or_superfluous_value_is_named),
        TEST(what_an_option_refuses_is_told_with_its_name),
        TEST(host_options_are_set_and_kept_for_another_command_line),
        TEST(a_host_option_out_of_range_is_told_as_it_was_typed),
        TEST(help_lists_what_there_is_and_nothing_hidden),
        TEST(every_host_option_of_the_help_is_one_of_the_settings),
        TEST(settings_become_the_options_of_a_host),
        TEST(a_failure_is_one_line_on_stderr_behind_what_was_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
