/* launcher.c - see launcher.h.
 * Owns:    see launcher.h.
 * Threads: the main thread.
 * Fails:   see launcher.h.
 * A node's process is in a session of its own, so that Ctrl-C reaches only us and we stop the nodes in order; it asks the kernel
 * to be told to stop when we are gone (cli_run.c). */
#include "host/launcher.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "host/boot.h"
#include "host/cli.h"

#define BOOT_FD 3
#define LINE_MAX_BYTES 16384u

static void start_node(struct dz_launched *n);
static void stop_next(struct dz_launcher *l);

/* --- output --- */

static void write_line(struct dz_launched_output *o, size_t len)
{
    FILE *to = o->to == 1 ? stdout : stderr;
    fprintf(to, "%s%.*s\n", o->node->prefix, (int)len, (const char *)o->line.data);
    fflush(to);
}

static void write_lines(struct dz_launched_output *o, bool all)
{
    uint8_t *end;
    while (o->line.len && (end = memchr(o->line.data, '\n', o->line.len)) != NULL) {
        size_t len = (size_t)(end - o->line.data);
        write_line(o, len);
        dz_buf_consume(&o->line, len + 1);
    }
    if (o->line.len && (all || o->line.len >= LINE_MAX_BYTES)) {
        write_line(o, o->line.len);
        dz_buf_clear(&o->line);
    }
}

static void make_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct dz_launched_output *o = handle->data;
    (void)suggested;
    bool room = dz_buf_reserve(&o->line, 4096) == DZ_OK;
    *buf = uv_buf_init(room ? (char *)o->line.data + o->line.len : NULL, room ? 4096 : 0);
}

static void node_closed(struct dz_launched *n);

static void on_handle_closed(uv_handle_t *handle)
{
    struct dz_launched *n = handle->data;
    if (--n->open_handles == 0)
        node_closed(n);
}

static void on_output_closed(uv_handle_t *handle)
{
    struct dz_launched_output *o = handle->data;
    write_lines(o, true);
    dz_buf_fini(&o->line);
    if (--o->node->open_handles == 0)
        node_closed(o->node);
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct dz_launched_output *o = stream->data;
    (void)buf;
    if (n > 0) {
        o->line.len += (size_t)n;
        write_lines(o, false);
    } else if (n < 0 && o->open) {
        o->open = false;
        uv_close((uv_handle_t *)stream, on_output_closed);
    }
}

static void open_output(struct dz_launched *n, struct dz_launched_output *o, int to)
{
    memset(o, 0, sizeof *o);
    o->node = n;
    o->to = to;
    o->open = true;
    dz_buf_init(&o->line);
    uv_pipe_init(&n->launcher->loop, &o->pipe, 0);
    o->pipe.data = o;
    n->open_handles++;
}

/* --- a node's end --- */

static void tell(const struct dz_launched *n, int64_t status, int signal)
{
    if (signal)
        dz_cli_fail(0, "node %s (process %d) was ended by signal %d (%s)", n->config->id, (int)n->process.pid, signal,
                    strsignal(signal));
    else if (status != 0 || (!n->launcher->stopping && n->index != 0))
        dz_cli_fail(0, "node %s (process %d) ended with exit code %d", n->config->id, (int)n->process.pid, (int)status);
}

/* Also when a node has ended while all are being stopped: then it is the next one's turn. */
static void stop_all(struct dz_launcher *l)
{
    for (size_t i = 0; i < l->count && !l->stopping; i++)
        if (!l->nodes[i].running)
            uv_timer_stop(&l->nodes[i].timer);
    l->stopping = true;
    stop_next(l);
}

static void set_exit_code(struct dz_launcher *l, int code)
{
    if (!l->has_exit_code)
        l->exit_code = code;
    l->has_exit_code = true;
}

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
    struct dz_launched *n = process->data;
    struct dz_launcher *l = n->launcher;
    n->running = false;
    uv_timer_stop(&n->timer);
    tell(n, status, signal);
    bool ends_all = n->index == 0 && (!n->config->restart || (!signal && status == 0));
    if (ends_all || (n->index == 0 && l->stopping))
        set_exit_code(l, signal ? 128 + signal : (int)status);
    uv_close((uv_handle_t *)&n->process, on_handle_closed);
    if (ends_all || l->stopping)
        stop_all(l);
}

static void on_restart(uv_timer_t *timer)
{
    start_node(timer->data);
}

/* All of a past process's handles are closed: it may be started again in the same place. */
static void node_closed(struct dz_launched *n)
{
    struct dz_launcher *l = n->launcher;
    dz_buf_fini(&n->boot_bytes);
    n->closing = false;
    if (l->stopping || !n->config->restart)
        return;
    bool young = uv_now(&l->loop) - n->started_ms < DZ_LAUNCHER_YOUNG_MS;
    n->delay_ms = !young || n->delay_ms == 0 ? DZ_LAUNCHER_RESTART_MS : n->delay_ms * 2;
    if (n->delay_ms > DZ_LAUNCHER_RESTART_MAX_MS)
        n->delay_ms = DZ_LAUNCHER_RESTART_MAX_MS;
    dz_cli_fail(0, "node %s is started again", n->config->id);
    uv_timer_start(&n->timer, on_restart, n->delay_ms, 0);
}

/* --- a node's start --- */

static const char *resolve(const struct dz_launcher *l, const char *path, char *out, size_t size)
{
    if (path[0] == '/')
        return path;
    snprintf(out, size, "%s/%s", l->dir, path);
    return out;
}

static int push_words(struct dz_config_list *list, const char *const *words, size_t count)
{
    int err = DZ_OK;
    for (size_t i = 0; i < count && !err; i++)
        err = dz_config_list_push(list, words[i], strlen(words[i]));
    return err;
}

static int push_dirs(const struct dz_launcher *l, struct dz_config_list *list, const struct dz_config_list *dirs)
{
    char path[8192];
    int err = DZ_OK;
    for (size_t i = 0; i < dirs->count && !err; i++) {
        const char *words[] = { "--behaviors", resolve(l, dirs->items[i], path, sizeof path) };
        err = push_words(list, words, 2);
    }
    return err;
}

/* program run --boot-fd 3 [host options] [--behaviors DIR]... [-- script arg...] */
static int command_line(struct dz_launched *n, struct dz_config_list *list)
{
    struct dz_launcher *l = n->launcher;
    const char *head[] = { l->program, "run", "--boot-fd", "3" };
    char path[8192];
    int err = push_words(list, head, 4);
    if (!err)
        err = push_words(list, (const char *const *)l->common.items, l->common.count);
    if (!err)
        err = push_dirs(l, list, &l->up->behaviors);
    if (!err)
        err = push_dirs(l, list, &n->config->behaviors);
    if (!err && n->config->script) {
        const char *tail[] = { "--", resolve(l, n->config->script, path, sizeof path) };
        err = push_words(list, tail, 2);
    }
    if (!err && n->config->script)
        err = push_words(list, (const char *const *)n->config->args.items, n->config->args.count);
    return err;
}

static int spawn(struct dz_launched *n, char **args)
{
    uv_stdio_container_t stdio[BOOT_FD + 1];
    uv_process_options_t options;
    memset(&options, 0, sizeof options);
    stdio[0].flags = UV_IGNORE;
    stdio[1].flags = stdio[2].flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
    stdio[1].data.stream = (uv_stream_t *)&n->out.pipe;
    stdio[2].data.stream = (uv_stream_t *)&n->err.pipe;
    stdio[BOOT_FD].flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_READABLE_PIPE);
    stdio[BOOT_FD].data.stream = (uv_stream_t *)&n->boot;
    options.file = args[0];
    options.args = args;
    options.stdio = stdio;
    options.stdio_count = BOOT_FD + 1;
    options.flags = UV_PROCESS_DETACHED;
    options.exit_cb = on_ended;
    n->process.data = n;
    n->open_handles++;
    return uv_spawn(&n->launcher->loop, &n->process, &options);
}

static void on_boot_written(uv_write_t *write, int status)
{
    struct dz_launched *n = write->data;
    (void)status;
    if (!uv_is_closing((uv_handle_t *)&n->boot))
        uv_close((uv_handle_t *)&n->boot, on_handle_closed);
}

static void send_boot(struct dz_launched *n)
{
    uv_buf_t buf = uv_buf_init((char *)n->boot_bytes.data, (unsigned)n->boot_bytes.len);
    n->boot_write.data = n;
    if (uv_write(&n->boot_write, (uv_stream_t *)&n->boot, &buf, 1, on_boot_written))
        uv_close((uv_handle_t *)&n->boot, on_handle_closed);
}

static void give_up(struct dz_launched *n, const char *why)
{
    struct dz_launcher *l = n->launcher;
    dz_cli_fail(0, "node %s cannot be started: %s", n->config->id, why);
    set_exit_code(l, DZ_EXIT_FAILED);
    stop_all(l);
}

static void open_handles(struct dz_launched *n)
{
    n->open_handles = 0;
    n->closing = true;
    open_output(n, &n->out, 1);
    open_output(n, &n->err, 2);
    uv_pipe_init(&n->launcher->loop, &n->boot, 0);
    n->boot.data = n;
    n->open_handles++;
}

static void close_outputs(struct dz_launched *n)
{
    uv_close((uv_handle_t *)&n->out.pipe, on_output_closed);
    uv_close((uv_handle_t *)&n->err.pipe, on_output_closed);
    uv_close((uv_handle_t *)&n->boot, on_handle_closed);
    uv_close((uv_handle_t *)&n->process, on_handle_closed);
}

static void start_with(struct dz_launched *n, char **args)
{
    open_handles(n);
    int err = spawn(n, args);
    if (err) {
        close_outputs(n);
        give_up(n, uv_strerror(err));
        return;
    }
    n->running = true;
    n->started_ms = uv_now(&n->launcher->loop);
    uv_read_start((uv_stream_t *)&n->out.pipe, make_room, on_output);
    uv_read_start((uv_stream_t *)&n->err.pipe, make_room, on_output);
    send_boot(n);
}

static void start_node(struct dz_launched *n)
{
    struct dz_config_list list = { NULL, 0 };
    dz_buf_init(&n->boot_bytes);
    int err = dz_boot_write(&n->boot_bytes, n->launcher->up, n->index);
    if (!err)
        err = command_line(n, &list);
    char **args = err ? NULL : dz_zalloc(list.count + 1, sizeof *args);
    if (args) {
        memcpy(args, list.items, list.count * sizeof *args);
        start_with(n, args);
    } else {
        give_up(n, dz_err_text(err ? err : DZ_ENOMEM));
    }
    dz_free(args);
    dz_config_list_fini(&list);
}

/* --- stopping, one node after another --- */

static void kill_node(struct dz_launched *n, int signal)
{
    if (n->running)
        uv_process_kill(&n->process, signal);
}

static void on_stop_limit(uv_timer_t *timer)
{
    struct dz_launched *n = timer->data;
    dz_cli_fail(0, "node %s did not stop in time and is killed", n->config->id);
    kill_node(n, SIGKILL);
}

static void close_signals(struct dz_launcher *l)
{
    if (!uv_is_closing((uv_handle_t *)&l->interrupt))
        uv_close((uv_handle_t *)&l->interrupt, NULL);
    if (!uv_is_closing((uv_handle_t *)&l->terminate))
        uv_close((uv_handle_t *)&l->terminate, NULL);
}

static void stop_next(struct dz_launcher *l)
{
    while (l->stop_next < l->count && !l->nodes[l->stop_next].running) {
        uv_timer_t *timer = &l->nodes[l->stop_next++].timer;
        if (!uv_is_closing((uv_handle_t *)timer))
            uv_close((uv_handle_t *)timer, NULL);
    }
    if (l->stop_next == l->count) {
        close_signals(l);
        return;
    }
    struct dz_launched *n = &l->nodes[l->stop_next];
    if (uv_is_active((uv_handle_t *)&n->timer))
        return; /* asked already */
    kill_node(n, SIGTERM);
    uv_timer_start(&n->timer, on_stop_limit, DZ_LAUNCHER_STOP_MS, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct dz_launcher *l = handle->data;
    (void)number;
    if (++l->signals == 1) {
        stop_all(l);
        return;
    }
    set_exit_code(l, 130);
    l->exit_code = 130;
    for (size_t i = 0; i < l->count; i++)
        kill_node(&l->nodes[i], SIGKILL);
}

/* --- all of it --- */

static void init_node(struct dz_launcher *l, size_t i)
{
    struct dz_launched *n = &l->nodes[i];
    n->launcher = l;
    n->index = i;
    n->config = &l->up->nodes[i];
    size_t name_len = strcspn(n->config->id, "@");
    snprintf(n->prefix, sizeof n->prefix, "[%.*s] ", (int)name_len, n->config->id);
    dz_buf_init(&n->boot_bytes);
    uv_timer_init(&l->loop, &n->timer);
    n->timer.data = n;
}

static void watch_signals(struct dz_launcher *l)
{
    uv_signal_init(&l->loop, &l->interrupt);
    uv_signal_init(&l->loop, &l->terminate);
    l->interrupt.data = l->terminate.data = l;
    uv_signal_start(&l->interrupt, on_signal, SIGINT);
    uv_signal_start(&l->terminate, on_signal, SIGTERM);
}

int dz_launcher_run(struct dz_launcher *l, const struct dz_up_settings *up)
{
    l->up = up;
    l->count = up->node_count;
    l->nodes = dz_zalloc(l->count, sizeof *l->nodes);
    if (!l->nodes || uv_loop_init(&l->loop)) {
        dz_free(l->nodes);
        return dz_cli_fail(DZ_EXIT_FAILED, "out of memory");
    }
    signal(SIGPIPE, SIG_IGN);
    watch_signals(l);
    for (size_t i = 0; i < l->count; i++)
        init_node(l, i);
    for (size_t i = 0; i < l->count && !l->stopping; i++)
        start_node(&l->nodes[i]);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    int err = uv_loop_close(&l->loop);
    dz_assert(err == 0);
    dz_free(l->nodes);
    return l->exit_code;
}
