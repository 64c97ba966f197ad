/* cli_check.c - `dozor check`: a behaviour, a supervisor spec or a cluster config, validated without starting it.
 * Owns:    nothing.
 * Threads: the main thread.
 * Fails:   what is wrong is told on stderr, exit code 1. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "host/cli.h"
#include "sup/spec.h"
#include "term/read.h"
#include "vm/eval.h"

static int bad(const char *path, const char *what)
{
    return dz_cli_fail(DZ_EXIT_FAILED, "%s: %s", path, what);
}

static int good(const char *path, const char *what)
{
    printf("%s: %s, ok\n", path, what);
    return 0;
}

static const char *expected_type(const char *field, size_t len)
{
    static const struct {
        const char *field;
        const char *type;
    } known[] = {
        { "init", "function" },        { "handle_call", "function" }, { "handle_cast", "function" },
        { "handle_info", "function" }, { "terminate", "function" },   { "version", "number" },
        { "jit", "boolean" },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].field) == len && memcmp(known[i].field, field, len) == 0)
            return known[i].type;
    return NULL;
}

/* A function almost named as a callback that is not there is a misspelling nobody would ever call; so is every other
 * handle_*. */
static int check_unknown(const char *path, const struct dz_buf *fields, const char *field, size_t len)
{
    struct dz_read r;
    static const char *const callbacks[] = { "init", "handle_call", "handle_cast", "handle_info", "terminate" };
    char text[256];
    const char *near = dz_config_nearest(field, len, callbacks, 5);
    bool handler = len >= 7 && memcmp(field, "handle_", 7) == 0;
    if (!handler && (!near || dz_read_find(fields->data, fields->len, near, &r)))
        return 0;
    snprintf(text, sizeof text, "unknown callback '%.*s'%s%s%s", (int)(len < 64 ? len : 64), field,
             near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    return bad(path, text);
}

static int check_behavior(const char *path, const struct dz_buf *fields)
{
    struct dz_read r;
    uint32_t count = 0;
    bool has_init = false;
    int code = 0;
    dz_read_init(&r, fields->data, fields->len);
    if (dz_read_map(&r, &count))
        return bad(path, "not a table");
    for (uint32_t i = 0; i < count; i++) {
        const char *field, *type;
        size_t len, type_len;
        char text[256];
        if (dz_read_string(&r, &field, &len) || dz_read_string(&r, &type, &type_len))
            break;
        const char *expected = expected_type(field, len);
        has_init |= len == 4 && memcmp(field, "init", 4) == 0;
        if (!expected) {
            code |= type_len == 8 && memcmp(type, "function", 8) == 0 ? check_unknown(path, fields, field, len) : 0;
        } else if (strlen(expected) != type_len || memcmp(expected, type, type_len) != 0) {
            snprintf(text, sizeof text, "%.*s must be a %s, it is a %.*s", (int)len, field, expected, (int)type_len, type);
            code |= bad(path, text);
        }
    }
    if (!has_init)
        code |= bad(path, "a behaviour needs a function init");
    return code ? DZ_EXIT_FAILED : good(path, "a behaviour");
}

/* Where problems are: the file, and which of its specs. */
struct place {
    const char *path;
    char spec[48];
};

static void tell_of_spec(void *ctx, const struct dz_spec_error *error)
{
    const struct place *p = ctx;
    dz_cli_fail(DZ_EXIT_FAILED, "%s: %s%s: %s", p->path, p->spec, dz_err_name(error->code), error->message);
}

static int check_spec(struct place *p, const uint8_t *data, size_t len)
{
    return dz_sup_spec_check(data, len, tell_of_spec, p) ? DZ_EXIT_FAILED : 0;
}

static int check_specs(const char *path, const struct dz_config_term *specs)
{
    struct dz_read r;
    uint32_t count = 0;
    int code = 0;
    dz_read_init(&r, specs->data, specs->len);
    if (!specs->data || dz_read_array(&r, &count))
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *data;
        size_t len;
        struct place p = { .path = path };
        snprintf(p.spec, sizeof p.spec, "supervisors[%u]: ", i + 1);
        if (dz_read_skip(&r, &data, &len) == DZ_OK)
            code |= check_spec(&p, data, len);
    }
    return code;
}

static void tell_of_config(void *ctx, const struct dz_config_error *error)
{
    dz_cli_fail(DZ_EXIT_FAILED, "%s: %s: %s", (const char *)ctx, dz_err_name(error->code), error->message);
}

static int check_config(const char *path, const struct dz_buf *value)
{
    struct dz_up_settings up;
    int err = dz_up_settings_check(&up, value->data, value->len, tell_of_config, (void *)(uintptr_t)path);
    int code = (err ? DZ_EXIT_FAILED : 0) | check_specs(path, &up.supervisors);
    dz_up_settings_fini(&up);
    return code ? code : good(path, "a cluster config");
}

static int check_value(const char *path, const struct dz_buf *value)
{
    struct dz_read r;
    uint32_t count;
    dz_read_init(&r, value->data, value->len);
    if (dz_read_map(&r, &count))
        return bad(path, "gives no table; a behaviour, a supervisor spec and a cluster config are tables");
    if (dz_read_find(value->data, value->len, "nodes", &r))
        return check_config(path, value);
    if (!dz_read_find(value->data, value->len, "children", &r) &&
        !dz_read_find(value->data, value->len, "child_template", &r))
        return bad(path, "is none of: a behaviour (init, handle_call, ...), a supervisor spec (children or child_template), "
                         "a cluster config (nodes)");
    int code = check_spec(&(struct place){ .path = path }, value->data, value->len);
    return code ? code : good(path, "a supervisor spec");
}

static int check_file(const char *path)
{
    struct dz_buf value, message;
    enum dz_eval_kind kind = DZ_EVAL_VALUE;
    int code;
    dz_buf_init(&value);
    dz_buf_init(&message);
    int err = dz_eval_file(path, DZ_EVAL_FUNCTIONS | DZ_EVAL_STAND_IN, &kind, &value, &message);
    if (err)
        code = dz_cli_fail(DZ_EXIT_FAILED, "%.*s", (int)message.len, (const char *)message.data);
    else if (kind == DZ_EVAL_BEHAVIOR)
        code = check_behavior(path, &value);
    else if (kind == DZ_EVAL_FUNCTION)
        code = good(path, "a function that makes a supervisor spec (the spec itself is checked when it is started)");
    else
        code = check_value(path, &value);
    dz_buf_fini(&value);
    dz_buf_fini(&message);
    return code;
}

static int check_main(int argc, char **argv)
{
    int first = 0;
    int code = dz_cli_parse(&dz_cli_check, argc, argv, NULL, NULL, &first);
    if (code)
        return code < 0 ? 0 : code;
    if (first == argc)
        return dz_cli_fail(DZ_EXIT_USAGE, "which file? usage: dozor %s", dz_cli_check.usage);
    for (int i = first; i < argc; i++)
        code |= check_file(argv[i]);
    return code;
}

static const struct dz_cli_option check_options[] = { { NULL, NULL, NULL, NULL } };

const struct dz_cli_command dz_cli_check = {
    .name = "check",
    .usage = "check FILE.lua...",
    .help = "Validates a behaviour, a supervisor spec or a cluster config without starting it.",
    .options = check_options,
    .main = check_main,
};
