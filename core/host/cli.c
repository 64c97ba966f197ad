/* cli.c - see cli.h.
 * Owns:    nothing.
 * Threads: the main thread.
 * Fails:   see cli.h. */
#include "host/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "vm/eval.h"

#define MAX_NAMES 64u

struct host_help {
    const char *name;
    const char *value;
    const char *help;
};

static const struct host_help host_help[] = {
    { "--workers", "N", "threads that run processes (default: one per core)" },
    { "--max-turn-ms", "N", "a turn longer than this is interrupted (default 10000; 0: never)" },
    { "--worker-memory-mb", "N", "soft limit of one worker's Lua memory (default: none)" },
    { "--spin-us", "N", "how long an idle thread spins before it sleeps (default 20)" },
    { "--log-level", "LEVEL", "debug, info, warn, error or off (default info)" },
    { "--log-format", "FORMAT", "text or json (default text)" },
};
#define HOST_HELP (sizeof host_help / sizeof host_help[0])

int dz_cli_fail(int code, const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fputs("dozor: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

static void print_option(const char *name, const char *value, const char *help)
{
    char left[48];
    snprintf(left, sizeof left, "%s%s%s", name, value ? " " : "", value ? value : "");
    printf("  %-28s %s\n", left, help);
}

void dz_cli_help(const struct dz_cli_command *command)
{
    printf("usage: dozor %s\n\n%s\n\n", command->usage, command->help);
    for (const struct dz_cli_option *o = command->options; o->name; o++)
        if (o->help)
            print_option(o->name, o->value, o->help);
    for (size_t i = 0; command->host_options && i < HOST_HELP; i++)
        print_option(host_help[i].name, host_help[i].value, host_help[i].help);
    print_option("--help", NULL, "this text");
}

static const struct dz_cli_option *find_option(const struct dz_cli_command *command, const char *name, size_t len)
{
    for (const struct dz_cli_option *o = command->options; o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static bool is_host_option(const struct dz_cli_command *command, const char *name, size_t len)
{
    for (size_t i = 0; command->host_options && i < HOST_HELP; i++)
        if (strlen(host_help[i].name) == len && memcmp(host_help[i].name, name, len) == 0)
            return true;
    return false;
}

static int unknown_option(const struct dz_cli_command *command, const char *name, size_t len)
{
    const char *names[MAX_NAMES] = { "--help" };
    size_t count = 1;
    for (const struct dz_cli_option *o = command->options; o->name && count < MAX_NAMES; o++)
        if (o->help)
            names[count++] = o->name;
    for (size_t i = 0; command->host_options && i < HOST_HELP && count < MAX_NAMES; i++)
        names[count++] = host_help[i].name;
    const char *near = dz_config_nearest(name, len, names, count);
    if (near)
        return dz_cli_fail(DZ_EXIT_USAGE, "unknown option %.*s, did you mean %s?", (int)len, name, near);
    return dz_cli_fail(DZ_EXIT_USAGE, "unknown option %.*s; see dozor %s --help", (int)len, name, command->name);
}

static int take_host_option(struct dz_cli_host *host, const char *name, const char *value)
{
    struct dz_config_error error;
    int err = dz_host_settings_set(&host->settings, name + 2, value, &error);
    if (!err)
        err = dz_config_list_push(&host->given, name, strlen(name));
    if (!err)
        err = dz_config_list_push(&host->given, value, strlen(value));
    if (!err)
        return 0;
    const char *what = strchr(error.message, ':'); /* it names the option as a config has it */
    return dz_cli_fail(DZ_EXIT_USAGE, "%s%s", name, what ? what : "");
}

static int take_option(const struct dz_cli_option *o, void *ctx, const char *value)
{
    struct dz_buf why;
    dz_buf_init(&why);
    int err = o->take(ctx, value, &why);
    int code = err ? dz_cli_fail(DZ_EXIT_USAGE, "%s: %.*s", o->name, (int)why.len, (const char *)why.data) : 0;
    dz_buf_fini(&why);
    return code;
}

/* One option with its value, which may stand behind '=' or as the next word. */
static int parse_one(const struct dz_cli_command *command, int argc, char **argv, void *ctx, struct dz_cli_host *host, int *i)
{
    const char *word = argv[*i];
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct dz_cli_option *o = find_option(command, word, len);
    bool of_host = is_host_option(command, word, len);
    char name[48];
    if (!o && !of_host)
        return unknown_option(command, word, len);
    snprintf(name, sizeof name, "%.*s", (int)len, word);
    if (o && !o->value)
        return equals ? dz_cli_fail(DZ_EXIT_USAGE, "%s takes no value", name) : take_option(o, ctx, NULL);
    const char *value = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
    if (!value)
        return dz_cli_fail(DZ_EXIT_USAGE, "%s needs a value", name);
    return of_host ? take_host_option(host, name, value) : take_option(o, ctx, value);
}

int dz_cli_parse(const struct dz_cli_command *command, int argc, char **argv, void *ctx, struct dz_cli_host *host, int *first)
{
    int i = 0;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            dz_cli_help(command);
            return -1;
        }
        int code = parse_one(command, argc, argv, ctx, host, &i);
        if (code)
            return code;
    }
    *first = i;
    return 0;
}

void dz_cli_options_of(const struct dz_host_settings *s, dz_host_options *out)
{
    dz_host_options_init(out);
    out->workers = (unsigned)s->workers;
    out->max_turn_ms = s->max_turn_ms;
    out->worker_memory_mb = s->worker_memory_mb;
    out->spin_us = (unsigned)s->spin_us;
    out->log_level = dz_log_level_name((enum dz_log_level)s->log_level);
    out->log_format = s->log_json ? "json" : "text";
}

int dz_cli_read_config(const char *path, const char *hint, struct dz_up_settings *up)
{
    struct dz_buf value, message;
    struct dz_config_error error;
    enum dz_eval_kind kind = DZ_EVAL_VALUE;
    dz_buf_init(&value);
    dz_buf_init(&message);
    int err = dz_eval_file(path, 0, &kind, &value, &message);
    if (err)
        dz_cli_fail(0, "%.*s", (int)message.len, (const char *)message.data);
    else if (kind != DZ_EVAL_VALUE)
        err = dz_cli_fail(DZ_ECONFIG, "%s: gives no cluster config%s", path, hint);
    else if ((err = dz_up_settings_read(up, value.data, value.len, &error)) != DZ_OK)
        dz_cli_fail(0, "%s: %s: %s%s", path, dz_err_name(err), error.message, hint);
    dz_buf_fini(&value);
    dz_buf_fini(&message);
    return err ? DZ_EXIT_FAILED : 0;
}
