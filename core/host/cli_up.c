/* cli_up.c - `dozor up`: a whole local cluster from one Lua config.
 * Owns:    the settings, the launcher.
 * Threads: the main thread.
 * Fails:   a config that is wrong: 1, with the field and what would be valid. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "host/cli.h"
#include "host/launcher.h"

static int push_option(struct dz_config_list *list, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    int err = dz_config_list_push(list, name, strlen(name));
    return err ? err : dz_config_list_push(list, text, strlen(text));
}

static int push_words(struct dz_config_list *list, const char *name, const char *value)
{
    int err = dz_config_list_push(list, name, strlen(name));
    return err ? err : dz_config_list_push(list, value, strlen(value));
}

/* The config's host options, then those of our own command line, which win. */
static int common_words(struct dz_launcher *l, const struct dz_host_settings *s, const struct dz_config_list *given)
{
    int err = push_option(&l->common, "--workers", s->workers);
    if (!err)
        err = push_option(&l->common, "--max-turn-ms", s->max_turn_ms);
    if (!err)
        err = push_option(&l->common, "--worker-memory-mb", s->worker_memory_mb);
    if (!err)
        err = push_option(&l->common, "--spin-us", s->spin_us);
    if (!err)
        err = push_words(&l->common, "--log-level", dz_log_level_name((enum dz_log_level)s->log_level));
    if (!err)
        err = push_words(&l->common, "--log-format", s->log_json ? "json" : "text");
    for (size_t i = 0; i < given->count && !err; i++)
        err = dz_config_list_push(&l->common, given->items[i], strlen(given->items[i]));
    return err;
}

static int launch(const char *path, const struct dz_cli_host *host)
{
    struct dz_up_settings up;
    struct dz_launcher l;
    size_t size = sizeof l.program - 1;
    memset(&up, 0, sizeof up);
    memset(&l, 0, sizeof l);
    int code = dz_cli_read_config(path, "", &up);
    const char *slash = strrchr(path, '/');
    snprintf(l.dir, sizeof l.dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (slash == path)
        snprintf(l.dir, sizeof l.dir, "/");
    if (!code && uv_exepath(l.program, &size))
        code = dz_cli_fail(DZ_EXIT_FAILED, "the program does not find itself");
    if (!code && common_words(&l, &up.host, &host->given))
        code = dz_cli_fail(DZ_EXIT_FAILED, "out of memory");
    if (!code)
        code = dz_launcher_run(&l, &up);
    dz_config_list_fini(&l.common);
    dz_up_settings_fini(&up);
    return code;
}

static int up_main(int argc, char **argv)
{
    struct dz_cli_host host;
    int first = 0;
    memset(&host, 0, sizeof host);
    dz_host_settings_init(&host.settings);
    int code = dz_cli_parse(&dz_cli_up, argc, argv, NULL, &host, &first);
    if (!code && first == argc)
        code = dz_cli_fail(DZ_EXIT_USAGE, "which config? usage: dozor %s", dz_cli_up.usage);
    if (!code && first + 1 < argc)
        code = dz_cli_fail(DZ_EXIT_USAGE, "one config at a time; %s is one too many", argv[first + 1]);
    if (!code)
        code = launch(argv[first], &host);
    dz_config_list_fini(&host.given);
    return code < 0 ? 0 : code;
}

static const struct dz_cli_option up_options[] = { { NULL, NULL, NULL, NULL } };

const struct dz_cli_command dz_cli_up = {
    .name = "up",
    .usage = "up [OPTION...] CONFIG.lua",
    .help = "Runs a whole local cluster, one OS process for each node of the config, with the nodes' names before their output.\n"
            "Ctrl-C stops them in order. It ends when the first node does, with that node's exit code.",
    .options = up_options,
    .host_options = true,
    .main = up_main,
};
