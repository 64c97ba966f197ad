/* test_eval.c - a Lua file run by itself: what it gave, as a term, or why it gave nothing. */
#include <unistd.h>
#include "machine.h"
#include "term/term.h"
#include "vm/eval.h"

struct result {
    int err;
    enum dz_eval_kind kind;
    char value[512];
    char message[4096];
};

/* Evaluates the text as a file of its own. */
static struct result eval_with(const char *text, unsigned flags)
{
    struct result r = {.kind = DZ_EVAL_VALUE};
    struct dz_buf out, message;
    char path[] = "/tmp/dozor-eval-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    dz_buf_init(&out);
    dz_buf_init(&message);
    r.err = dz_eval_file(path, flags, &r.kind, &out, &message);
    if (!r.err) {
        assert_int_equal(dz_term_check(out.data, out.len, DZ_TERM_ALLOW_FUNCTIONS), 0);
        assert_int_equal(message.len, 0);
        dz_term_print(out.data, out.len, r.value, sizeof r.value);
    }
    snprintf(r.message, sizeof r.message, "%.*s", (int)message.len, message.data ? (char *)message.data : "");
    dz_buf_fini(&out);
    dz_buf_fini(&message);
    unlink(path);
    return r;
}

static struct result eval(const char *text)
{
    return eval_with(text, 0);
}

static void gives(const char *text, const char *value)
{
    struct result r = eval(text);
    assert_string_equal(r.message, "");
    assert_int_equal(r.err, 0);
    assert_int_equal(r.kind, DZ_EVAL_VALUE);
    assert_string_equal(r.value, value);
}

static void refuses(const char *text, int err, const char *message)
{
    struct result r = eval(text);
    assert_int_equal(r.err, err);
    if (!strstr(r.message, message))
        fail_msg("%s", r.message);
}

static void plain_values_become_terms(void **state)
{
    (void)state;
    gives("return 5", "5");
    gives("return 'text'", "\"text\"");
    gives("return { 1, 2.5, true }", "{1, 2.5, true}");
    gives("return { a = { b = { 1 } } }", "{a = {b = {1}}}");
    gives("return { [3] = 'x' }", "{[3] = \"x\"}");
    gives("return", "nil");
    gives("return {}", "{}");
}

static void a_behaviour_is_told_by_its_callbacks_and_shown_as_its_fields_types(void **state)
{
    (void)state;
    struct result r = eval("return { init = function() end, version = 1, [1] = 'ignored' }");
    assert_int_equal(r.kind, DZ_EVAL_BEHAVIOR);
    assert_non_null(strstr(r.value, "init = \"function\""));
    assert_non_null(strstr(r.value, "version = \"number\""));
    assert_null(strstr(r.value, "ignored"));
    assert_int_equal(eval("return { handle_cast = 5 }").kind, DZ_EVAL_BEHAVIOR);
    assert_int_equal(eval("return { terminate = 1, children = {} }").kind, DZ_EVAL_VALUE);
    r = eval("return function() end");
    assert_int_equal(r.kind, DZ_EVAL_FUNCTION);
    assert_string_equal(r.value, "nil");
}

static void functions_are_refused_unless_they_may_be_references(void **state)
{
    (void)state;
    refuses("return { children = { { start = print } } }", DZ_EMESSAGE,
            "children[1].start: a function cannot stand here");
    struct result r = eval_with("return { children = { { start = print, behavior = { init = print } } } }",
                                DZ_EVAL_FUNCTIONS);
    assert_int_equal(r.err, 0);
    assert_non_null(strstr(r.value, "start = "));
}

static void what_cannot_be_a_term_is_named_with_its_path(void **state)
{
    (void)state;
    refuses("return { a = { b = { 1, io.stdout } } }", DZ_EMESSAGE, "a.b[2]: a userdata cannot stand here");
    refuses("return coroutine.create(print)", DZ_EMESSAGE, "the value: a thread cannot stand here");
    refuses("return { [true] = 1 }", DZ_EMESSAGE, "a key is neither a string nor a number");
    refuses("return { x = { [{}] = 1 } }", DZ_EMESSAGE, "x: a key is neither");
    refuses("local t = {} t[1] = t return t", DZ_EMESSAGE,
            "nested too deep, or a table that contains itself");
}

static void a_script_that_fails_says_where(void **state)
{
    (void)state;
    refuses("return {", DZ_ESCRIPT, ":1: ");
    refuses("\n\nerror('deliberate')", DZ_ESCRIPT, ":3: deliberate");
    refuses("error('traced')", DZ_ESCRIPT, "stack traceback");
    refuses("error({ message = 'in a table' })", DZ_ESCRIPT, "in a table");
    refuses("error(setmetatable({}, { __tostring = function() return 'told' end }))", DZ_ESCRIPT, "told");
    refuses("error({})", DZ_ESCRIPT, "(error object is a table value)");
}

static void a_file_that_is_not_there_cannot_be_read(void **state)
{
    (void)state;
    enum dz_eval_kind kind;
    struct dz_buf out, message;
    dz_buf_init(&out);
    dz_buf_init(&message);
    assert_int_equal(dz_eval_file("/nowhere/x.lua", 0, &kind, &out, &message), DZ_EIO);
    assert_int_equal(out.len, 0);
    assert_memory_equal(message.data, "/nowhere/x.lua: cannot be read", message.len);
    dz_buf_fini(&out);
    dz_buf_fini(&message);
}

static void the_stand_in_may_be_read_but_not_called(void **state)
{
    (void)state;
    struct result r =
        eval_with("local d = require 'dozor' local f = d.log.info return { init = function() f() end }",
                  DZ_EVAL_STAND_IN);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.kind, DZ_EVAL_BEHAVIOR);
    r = eval_with("require('dozor').supervisor.start {} return {}", DZ_EVAL_STAND_IN);
    assert_int_equal(r.err, DZ_ESCRIPT);
    assert_non_null(strstr(r.message, "dozor.supervisor.start cannot be called while the file is checked"));
    refuses("require 'dozor'", DZ_ESCRIPT, "module 'dozor' not found");
}

static void a_value_too_large_for_a_term_is_refused(void **state)
{
    (void)state;
    refuses("return { ('x'):rep(17 * 2^20) }", DZ_EMESSAGE, "the value is larger than 16 MiB");
}

static void modules_beside_the_file_are_found(void **state)
{
    (void)state;
    char dir[] = "/tmp/dozor-eval-dir-XXXXXX", path[64], module[64];
    struct dz_buf out, message;
    enum dz_eval_kind kind;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/main.lua", dir);
    snprintf(module, sizeof module, "%s/beside.lua", dir);
    FILE *f = fopen(path, "w");
    fputs("return require('beside').n", f);
    fclose(f);
    f = fopen(module, "w");
    fputs("return { n = 7 }", f);
    fclose(f);
    dz_buf_init(&out);
    dz_buf_init(&message);
    assert_int_equal(dz_eval_file(path, 0, &kind, &out, &message), 0);
    assert_int_equal(out.data[0], 7);
    dz_buf_fini(&out);
    dz_buf_fini(&message);
    unlink(path);
    unlink(module);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_values_become_terms),
        cmocka_unit_test(a_behaviour_is_told_by_its_callbacks_and_shown_as_its_fields_types),
        cmocka_unit_test(functions_are_refused_unless_they_may_be_references),
        cmocka_unit_test(what_cannot_be_a_term_is_named_with_its_path),
        cmocka_unit_test(a_script_that_fails_says_where),
        cmocka_unit_test(a_file_that_is_not_there_cannot_be_read),
        cmocka_unit_test(the_stand_in_may_be_read_but_not_called),
        cmocka_unit_test(a_value_too_large_for_a_term_is_refused),
        cmocka_unit_test(modules_beside_the_file_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
