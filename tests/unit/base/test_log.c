#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

struct fixture {
    int pipe[2];
    struct dz_env env;
    struct dz_log_fd to;
    struct dz_log log;
    char line[8192];
};

static uint64_t fixed_wall_ms(void *ctx)
{
    (void)ctx;
    return 1700051696789u; /* 2023-11-15T12:34:56.789Z */
}

static void open_log(struct fixture *f, enum dz_log_level level, int json)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(pipe(f->pipe), 0);
    f->env.wall_ms = fixed_wall_ms;
    f->to = (struct dz_log_fd){.fd = f->pipe[1], .json = json, .env = &f->env};
    dz_log_init_fd(&f->log, &f->to, level);
}

/* All that was written, as one string: one read takes what one write gave. */
static const char *written(struct fixture *f)
{
    ssize_t n = read(f->pipe[0], f->line, sizeof f->line - 1);
    assert_true(n > 0);
    f->line[n] = '\0';
    return f->line;
}

/* Nothing (more) was written: the pipe is at its end once we close our side. */
static void close_log(struct fixture *f)
{
    char rest;
    close(f->pipe[1]);
    assert_int_equal(read(f->pipe[0], &rest, 1), 0);
    close(f->pipe[0]);
}

static void a_line_has_time_level_text_and_fields(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, DZ_LOG_DEBUG, 0);
    dz_log_info(&f.log, "link closed", "peer", "a@127.0.0.1:1", "reason", "eof", NULL);
    assert_string_equal(written(&f), "12:34:56.789 info  link closed peer=a@127.0.0.1:1 reason=eof\n");
    dz_log_error(&f.log, "bad", NULL);
    assert_string_equal(written(&f), "12:34:56.789 error bad\n");
    close_log(&f);
}

static void values_that_would_be_misread_are_quoted(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, DZ_LOG_DEBUG, 0);
    dz_log_warn(&f.log, "t", "a", "two words", "b", "say \"x\"", "c", "", "d", "k=v", "e", "back\\slash",
                NULL);
    assert_string_equal(written(&f),
                        "12:34:56.789 warn  t a=\"two words\" b=\"say \\\"x\\\"\" c=\"\" d=\"k=v\" "
                        "e=\"back\\\\slash\"\n");
    close_log(&f);
}

static void control_bytes_cannot_forge_a_second_line(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, DZ_LOG_DEBUG, 0);
    dz_log_debug(&f.log, "one\n12:00:00.000 info  forged", "a", "x\r\n\t\x1b[31m\x7f", NULL);
    assert_string_equal(written(&f), "12:34:56.789 debug one\\n12:00:00.000 info  forged "
                                     "a=\"x\\r\\n\\t\\x1b[31m\\x7f\"\n");
    close_log(&f);
}

static void utf8_passes_and_other_bytes_are_escaped(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, DZ_LOG_DEBUG, 0);
    dz_log_info(&f.log, "\xc3\xa9", "a", "\xff\xc3", "b", "\xe2\x82\xac", "c", "\xed\xa0\x80", NULL);
    assert_string_equal(written(&f),
                        "12:34:56.789 info  \xc3\xa9 a=\\xff\\xc3 b=\xe2\x82\xac c=\\xed\\xa0\\x80\n");
    close_log(&f);
}

static void json_lines_are_one_object_each(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, DZ_LOG_DEBUG, 1);
    dz_log_info(&f.log, "said \"hi\"", "peer", "a\\b", "ctl", "\x01\n", "bad", "x\xff\xc0\x80y", NULL);
    assert_string_equal(written(&f),
                        "{\"time\":\"2023-11-15T12:34:56.789Z\",\"level\":\"info\","
                        "\"text\":\"said \\\"hi\\\"\",\"peer\":\"a\\\\b\",\"ctl\":\"\\u0001\\n\","
                        "\"bad\":\"x\\ufffd\\ufffd\\ufffdy\"}\n");
    close_log(&f);
}

static void a_json_field_never_hides_time_level_or_text(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, DZ_LOG_DEBUG, 1);
    dz_log_warn(&f.log, "t", "level", "x", "time", "y", "text", "z", NULL);
    assert_non_null(
        strstr(written(&f), "\"text\":\"t\",\"_level\":\"x\",\"_time\":\"y\",\"_text\":\"z\"}\n"));
    close_log(&f);
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, DZ_LOG_WARN, 0);
    dz_log_debug(&f.log, "no", NULL);
    dz_log_info(&f.log, "no", NULL);
    dz_log_warn(&f.log, "yes", NULL);
    assert_string_equal(written(&f), "12:34:56.789 warn  yes\n");
    f.log.level = DZ_LOG_OFF;
    dz_log_error(&f.log, "no", NULL);
    close_log(&f);
}

static void a_missing_value_ends_the_list(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, DZ_LOG_DEBUG, 0);
    const char *missing = NULL;
    dz_log_info(&f.log, "t", "a", "1", "b", missing, NULL);
    assert_string_equal(written(&f), "12:34:56.789 info  t a=1 b=\"\"\n");
    close_log(&f);
}

static void a_huge_value_is_cut(void **state)
{
    (void)state;
    struct fixture f;
    size_t len = 100000;
    char *huge = malloc(len + 1);
    assert_non_null(huge);
    memset(huge, 'x', len);
    huge[len] = '\0';
    open_log(&f, DZ_LOG_DEBUG, 0);
    dz_log_info(&f.log, "t", "a", huge, "b", "2", NULL);
    size_t total = 0;
    char last[6] = "";
    close(f.pipe[1]);
    for (ssize_t n; (n = read(f.pipe[0], f.line, sizeof f.line - 1)) > 0; total += (size_t)n)
        if (n >= 5)
            memcpy(last, f.line + n - 5, 5);
    close(f.pipe[0]);
    free(huge);
    assert_true(total > 16000 && total < 17000);
    assert_string_equal(last, " b=2\n");
}

static void a_log_without_a_reader_harms_nobody(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, DZ_LOG_DEBUG, 0);
    close_log(&f);
    f.to.fd = -1;
    dz_log_info(&f.log, "lost", NULL);
    struct dz_log none = {.sink = NULL};
    dz_log_error(&none, "lost", NULL);
    dz_log_write(&none, DZ_LOG_ERROR, "lost", NULL, 0);
}

static void level_names_come_back(void **state)
{
    (void)state;
    for (int level = DZ_LOG_DEBUG; level <= DZ_LOG_OFF; level++)
        assert_int_equal(dz_log_level_from_name(dz_log_level_name((enum dz_log_level)level)), level);
    assert_int_equal(dz_log_level_from_name("loud"), -1);
    assert_int_equal(dz_log_level_from_name(""), -1);
    assert_int_equal(dz_log_level_from_name(NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_text_and_fields),
        cmocka_unit_test(values_that_would_be_misread_are_quoted),
        cmocka_unit_test(control_bytes_cannot_forge_a_second_line),
        cmocka_unit_test(utf8_passes_and_other_bytes_are_escaped),
        cmocka_unit_test(json_lines_are_one_object_each),
        cmocka_unit_test(a_json_field_never_hides_time_level_or_text),
        cmocka_unit_test(lines_below_the_level_are_dropped),
        cmocka_unit_test(a_missing_value_ends_the_list),
        cmocka_unit_test(a_huge_value_is_cut),
        cmocka_unit_test(a_log_without_a_reader_harms_nobody),
        cmocka_unit_test(level_names_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
