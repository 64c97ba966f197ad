/* cli_run.c - `dozor run`: one node of one host, from its options to its exit code.
 * Owns:    the host, the main thread's loop with its signal handles.
 * Threads: the main thread.
 * Fails:   misuse: 2; what cannot be started: 1; else the exit code of the host. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/err.h"
#include "host/boot.h"
#include "host/cli.h"
#include "host/host.h"
#include "host/launcher.h"
#include "host/values.h"

#define SECRET_MAX 4096

struct run {
    struct dz_cli_host host_options;
    struct dz_config_list behaviors;
    struct dz_config_list plugins;
    struct dz_cluster_settings cluster;
    bool joins;
    int boot_fd; /* -1: none */
    pid_t launcher; /* 0: none */
    struct dz_boot boot;
    dz_host *host;
    uv_loop_t loop;
    uv_async_t finished;
    uv_signal_t interrupt;
    uv_signal_t terminate;
};

/* --- options --- */

static int take_node(void *ctx, const char *value, struct dz_buf *why)
{
    struct run *run = ctx;
    struct dz_config_error error;
    int err = dz_cluster_settings_set_id(&run->cluster, value, &error);
    if (err)
        dz_buf_printf(why, "%s", error.message + strlen(error.field) + 2); /* "node: " */
    run->joins = true;
    return err;
}

static int take_listen(void *ctx, const char *value, struct dz_buf *why)
{
    struct run *run = ctx;
    const char *colon = strrchr(value, ':');
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : -1;
    if (!colon || colon == value || end == colon + 1 || *end || port < 0 || port > 65535) {
        dz_buf_printf(why, "'%s' is not HOST:PORT", value);
        return DZ_ECONFIG;
    }
    dz_free(run->cluster.listen);
    run->cluster.listen = dz_strndup(value, strlen(value));
    return run->cluster.listen ? DZ_OK : DZ_ENOMEM;
}

static int take_seeds(void *ctx, const char *value, struct dz_buf *why)
{
    struct run *run = ctx;
    while (*value) {
        size_t name_len, host_len, len = strcspn(value, ",");
        uint16_t port;
        const char *reason = "";
        if (dz_node_id_parse(value, len, &name_len, &host_len, &port, &reason)) {
            dz_buf_printf(why, "'%.*s' is not a node id (name@host:port): %s", (int)len, value, reason);
            return DZ_ENODEID;
        }
        int err = dz_config_list_push(&run->cluster.seeds, value, len);
        if (err)
            return err;
        value += len + (value[len] == ',');
    }
    return DZ_OK;
}

/* NULL, or why what was read cannot be a secret. errno is still that of the reading. */
static const char *check_secret(FILE *f, const char *secret, size_t len)
{
    if (!f || ferror(f))
        return strerror(errno);
    if (len > SECRET_MAX)
        return "is longer than 4096 bytes";
    if (len == 0)
        return "is empty";
    return memchr(secret, 0, len) ? "holds a zero byte; a secret is text" : NULL;
}

/* The file's bytes without the ends of lines behind them. */
static int take_secret_file(void *ctx, const char *value, struct dz_buf *why)
{
    struct run *run = ctx;
    char secret[SECRET_MAX + 1];
    FILE *f = fopen(value, "rb");
    size_t len = f ? fread(secret, 1, sizeof secret, f) : 0;
    while (len > 0 && (secret[len - 1] == '\n' || secret[len - 1] == '\r'))
        len--;
    const char *bad = check_secret(f, secret, len);
    if (f)
        fclose(f);
    if (bad) {
        dz_buf_printf(why, "%s: %s", value, bad);
    } else {
        dz_free(run->cluster.secret);
        run->cluster.secret = dz_strndup(secret, len);
    }
    explicit_bzero(secret, sizeof secret);
    return bad ? DZ_ECONFIG : run->cluster.secret ? DZ_OK : DZ_ENOMEM;
}

static int take_behaviors(void *ctx, const char *value, struct dz_buf *why)
{
    struct run *run = ctx;
    struct stat st;
    if (stat(value, &st) != 0 || !S_ISDIR(st.st_mode)) {
        dz_buf_printf(why, "%s is not a directory", value);
        return DZ_ECONFIG;
    }
    return dz_config_list_push(&run->behaviors, value, strlen(value));
}

static int take_plugin(void *ctx, const char *value, struct dz_buf *why)
{
    struct run *run = ctx;
    (void)why;
    return dz_config_list_push(&run->plugins, value, strlen(value));
}

static int take_boot_fd(void *ctx, const char *value, struct dz_buf *why)
{
    struct run *run = ctx;
    (void)why;
    run->boot_fd = atoi(value);
    return DZ_OK;
}

static const struct dz_cli_option run_options[] = {
    { "--node", "NAME@HOST:PORT", "join a cluster under this node id before the script runs", take_node },
    { "--listen", "HOST:PORT", "listen there instead of at the address in the node id", take_listen },
    { "--seeds", "ID,ID", "nodes to meet first", take_seeds },
    { "--secret-file", "FILE", "the cluster's secret, 32 bytes at least off loopback", take_secret_file },
    { "--behaviors", "DIR", "one more directory searched for behaviours (may be repeated)", take_behaviors },
    { "--plugin", "FILE.so", "a plug-in with behaviours in C (may be repeated)", take_plugin },
    { "--boot-fd", "N", NULL, take_boot_fd }, /* from `dozor up`: see boot.h */
    { NULL, NULL, NULL, NULL },
};

/* --- the host --- */

/* It may be made later: what is looked for there is named by the error all the same. */
static int add_dir(struct run *run, const char *dir, const char *name)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s%s%s", dir, *name ? "/" : "", name);
    if (len < 0 || (size_t)len >= sizeof path)
        return DZ_OK;
    return dz_host_add_behavior_dir(run->host, path);
}

static void script_dir(const char *script, char *out, size_t size)
{
    const char *slash = script ? strrchr(script, '/') : NULL;
    if (slash == script && slash)
        snprintf(out, size, "/");
    else
        snprintf(out, size, "%.*s", slash ? (int)(slash - script) : 1, slash ? script : ".");
}

static int make_host(struct run *run, const char *script)
{
    dz_host_options options;
    char dir[4096];
    dz_cli_options_of(&run->host_options.settings, &options);
    int err = dz_host_new(&run->host, &options);
    if (err)
        return dz_cli_fail(DZ_EXIT_FAILED, "the host cannot be made: %s", dz_error_text(err));
    script_dir(script, dir, sizeof dir);
    err = dz_host_set_script_dir(run->host, dir);
    if (!err && script)
        err = add_dir(run, dir, "behaviors");
    if (!err && (!script || strcmp(dir, ".") != 0))
        err = add_dir(run, "behaviors", "");
    for (size_t i = 0; i < run->behaviors.count && !err; i++)
        err = dz_host_add_behavior_dir(run->host, run->behaviors.items[i]);
    if (err)
        return dz_cli_fail(DZ_EXIT_FAILED, "%s", dz_error_text(err));
    for (size_t i = 0; i < run->plugins.count; i++) {
        char *why = NULL;
        err = dz_host_load_plugin(run->host, run->plugins.items[i], &why);
        if (err) {
            dz_cli_fail(0, "%s: %s", run->plugins.items[i], why ? why : dz_error_text(err));
            free(why);
            return DZ_EXIT_FAILED;
        }
    }
    return 0;
}

static int cluster_config(struct run *run, dz_builder *config)
{
    if (run->boot.cluster) {
        dz_reader reader = { run->boot.cluster, run->boot.cluster + run->boot.cluster_len, NULL };
        dz_builder_copy(config, &reader);
        return dz_builder_error(config);
    }
    return dz_cluster_settings_write(&run->cluster, &config->buf);
}

static int join_cluster(struct run *run)
{
    dz_builder *config = dz_builder_new();
    dz_answer *answer = dz_answer_new();
    dz_reader value, message;
    const char *text = "";
    size_t len = 0;
    int err = config && answer ? cluster_config(run, config) : DZ_ENOMEM;
    if (!err)
        err = dz_host_cluster_start(run->host, config, dz_answer_done, answer);
    if (err) {
        dz_cli_fail(0, "%s", dz_error_text(err));
    } else {
        err = dz_answer_wait(answer, &value);
        if (err && dz_reader_find(&value, "message", &message) && dz_reader_string(&message, &text, &len))
            dz_cli_fail(0, "%s: %.*s", dz_error_name(err), (int)len, text);
    }
    dz_answer_delete(answer);
    dz_builder_delete(config);
    return err ? DZ_EXIT_FAILED : 0;
}

/* --- the main thread's loop --- */

static void on_finished(uv_async_t *async)
{
    uv_stop(async->loop);
}

static void tell_finished(void *ctx)
{
    struct run *run = ctx;
    uv_async_send(&run->finished);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct run *run = handle->data;
    (void)number;
    /* Nobody is left who would end us if we did not get to it: SIGALRM does, by what it means to every program. */
    if (run->launcher && getppid() != run->launcher)
        alarm(DZ_LAUNCHER_STOP_MS / 1000);
    dz_host_interrupt(run->host);
}

static int open_loop(struct run *run)
{
    int err = uv_loop_init(&run->loop);
    if (err)
        return dz_cli_fail(DZ_EXIT_FAILED, "%s", uv_strerror(err));
    uv_async_init(&run->loop, &run->finished, on_finished);
    uv_signal_init(&run->loop, &run->interrupt);
    uv_signal_init(&run->loop, &run->terminate);
    run->interrupt.data = run->terminate.data = run;
    uv_signal_start(&run->interrupt, on_signal, SIGINT);
    uv_signal_start(&run->terminate, on_signal, SIGTERM);
    return 0;
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_loop(struct run *run)
{
    uv_walk(&run->loop, close_handle, NULL);
    uv_run(&run->loop, UV_RUN_DEFAULT);
    uv_loop_close(&run->loop);
}

static int run_host(struct run *run, const char *script, int argc, char **argv)
{
    run->host->on_finished = tell_finished;
    run->host->on_finished_ctx = run;
    int err = dz_host_start(run->host);
    if (err)
        return dz_cli_fail(DZ_EXIT_FAILED, "the host cannot be started: %s", dz_error_text(err));
    int code = run->joins ? join_cluster(run) : 0;
    if (!code && script) {
        err = dz_host_run_script(run->host, script, argc, (const char *const *)argv);
        code = err ? dz_cli_fail(DZ_EXIT_FAILED, "%s: %s", script, dz_error_text(err)) : 0;
    }
    if (code)
        dz_host_stop(run->host, code);
    else
        dz_boot_begin(&run->boot, run->host);
    uv_run(&run->loop, UV_RUN_DEFAULT);
    /* From here on a signal means what it means to every program: one that cannot end, because a worker does not, can be ended. */
    uv_signal_stop(&run->interrupt);
    uv_signal_stop(&run->terminate);
    return dz_host_wait(run->host);
}

static int run_script(struct run *run, const char *script, int argc, char **argv)
{
    if (script && access(script, R_OK) != 0)
        return dz_cli_fail(DZ_EXIT_FAILED, "%s: %s", script, strerror(errno));
    int code = make_host(run, script);
    if (!code)
        code = open_loop(run);
    if (code)
        return code;
    code = run_host(run, script, argc, argv);
    close_loop(run);
    return code;
}

/* Started by a launcher: stops in order when that ends, however it does. Nobody reads what is printed then. */
static int follow_launcher(struct run *run)
{
    pid_t parent = getppid();
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    run->launcher = parent;
    if (parent == 1 || getppid() != parent)
        return dz_cli_fail(DZ_EXIT_FAILED, "the launcher has gone");
    if (dz_boot_read(&run->boot, run->boot_fd))
        return dz_cli_fail(DZ_EXIT_FAILED, "the launcher's message cannot be read");
    run->joins = true;
    return 0;
}

static void run_fini(struct run *run)
{
    dz_host_free(run->host);
    dz_boot_fini(&run->boot);
    dz_config_list_fini(&run->host_options.given);
    dz_config_list_fini(&run->behaviors);
    dz_config_list_fini(&run->plugins);
    dz_cluster_settings_fini(&run->cluster);
}

static int run_main(int argc, char **argv)
{
    struct run run;
    int first = 0;
    memset(&run, 0, sizeof run);
    run.boot_fd = -1;
    dz_host_settings_init(&run.host_options.settings);
    dz_cluster_settings_init(&run.cluster);
    int code = dz_cli_parse(&dz_cli_run, argc, argv, &run, &run.host_options, &first);
    if (!code && run.boot_fd >= 0)
        code = follow_launcher(&run);
    if (!code && first == argc && run.boot_fd < 0)
        code = dz_cli_fail(DZ_EXIT_USAGE, "which script? usage: dozor %s", dz_cli_run.usage);
    if (!code)
        code = first < argc ? run_script(&run, argv[first], argc - first - 1, argv + first + 1)
                            : run_script(&run, NULL, 0, NULL);
    run_fini(&run);
    return code < 0 ? 0 : code;
}

const struct dz_cli_command dz_cli_run = {
    .name = "run",
    .usage = "run [OPTION...] SCRIPT.lua [ARG...]",
    .help = "Runs a script as the process `main` of one node. When it returns, dozor ends as soon as nothing is left that\n"
            "could still work: no cluster, no supervisor, no other process. ARG... reach the script as `...` and `arg`.",
    .options = run_options,
    .host_options = true,
    .main = run_main,
};
