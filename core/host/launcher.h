/* launcher.h - the OS processes of `dozor up`: one per node, started, their output prefixed, their ends told, stopped in order.
 * Owns:    the processes, their pipes, the loop they are watched on.
 * Threads: the main thread.
 * Fails:   a node that cannot be started ends the launcher with exit code 1. */
#ifndef DZ_HOST_LAUNCHER_H
#define DZ_HOST_LAUNCHER_H

#include <stdbool.h>
#include <uv.h>
#include "base/buf.h"
#include "host/config.h"

#define DZ_LAUNCHER_STOP_MS 15000u     /* a node that takes longer to stop is killed */
#define DZ_LAUNCHER_RESTART_MS 200u    /* before a node is started again; doubled while it dies young */
#define DZ_LAUNCHER_RESTART_MAX_MS 10000u
#define DZ_LAUNCHER_YOUNG_MS 5000u

struct dz_launcher;

/* One stream of a node's output, cut into lines. */
struct dz_launched_output {
    uv_pipe_t pipe;
    struct dz_launched *node;
    int to; /* 1 or 2 */
    struct dz_buf line;
    bool open;
};

struct dz_launched {
    struct dz_launcher *launcher;
    size_t index;
    const struct dz_up_node *config;
    char prefix[80];
    uv_process_t process;
    uv_pipe_t boot;
    uv_write_t boot_write;
    struct dz_buf boot_bytes;
    uv_timer_t timer; /* restart, or the limit of a stop */
    struct dz_launched_output out;
    struct dz_launched_output err;
    bool running;
    bool closing;     /* its handles are not all closed yet */
    unsigned open_handles;
    uint64_t started_ms;
    uint64_t delay_ms;
};

struct dz_launcher {
    uv_loop_t loop;
    uv_signal_t interrupt;
    uv_signal_t terminate;
    const struct dz_up_settings *up;
    struct dz_config_list common; /* words every node's command line has */
    char program[4096];
    char dir[4096]; /* of the config file: scripts and behaviours are relative to it */
    struct dz_launched *nodes;
    size_t count;
    bool stopping;
    size_t stop_next;
    int exit_code;
    bool has_exit_code;
    unsigned signals;
};

/* Runs the cluster until its first node ends or a signal stops it; returns the exit code. */
int dz_launcher_run(struct dz_launcher *l, const struct dz_up_settings *up);

#endif
