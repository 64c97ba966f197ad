/* cli.h - the command line: commands, their options, and what they share.
 * Owns:    nothing; texts point into argv.
 * Threads: the main thread.
 * Fails:   misuse is told on stderr with the nearest known word, exit code 2. */
#ifndef DZ_HOST_CLI_H
#define DZ_HOST_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "dozor.h"
#include "host/config.h"

#define DZ_EXIT_FAILED 1
#define DZ_EXIT_USAGE 2

struct dz_cli_option {
    const char *name;  /* "--node" */
    const char *value; /* what its value is called in the help; NULL: it takes none */
    const char *help;  /* NULL: not shown */
    int (*take)(void *ctx, const char *value, struct dz_buf *why);
};

struct dz_cli_command {
    const char *name;
    const char *usage;
    const char *help;
    const struct dz_cli_option *options; /* ends with a NULL name */
    bool host_options;                   /* takes the options of a host, too */
    int (*main)(int argc, char **argv);
};

extern const struct dz_cli_command dz_cli_run;
extern const struct dz_cli_command dz_cli_up;
extern const struct dz_cli_command dz_cli_check;
extern const struct dz_cli_command dz_cli_sim;

/* What the host options of the command line set, in the form another `dozor run` takes them. */
struct dz_cli_host {
    struct dz_host_settings settings;
    struct dz_config_list given; /* "--workers", "2", ... */
};

/* Parses options up to the first word that is none. *first is its index. 0, or an exit code (help was asked for: -1). */
int dz_cli_parse(const struct dz_cli_command *command, int argc, char **argv, void *ctx, struct dz_cli_host *host,
                 int *first);
void dz_cli_help(const struct dz_cli_command *command);
/* "dozor: text" on stderr; returns `code`. */
int dz_cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The cluster config a file returns, into `up` (zeroed; the caller's to fini, also after a failure). What is wrong is told on
 * stderr, `hint` behind it; 0 or DZ_EXIT_FAILED. */
int dz_cli_read_config(const char *path, const char *hint, struct dz_up_settings *up);
void dz_cli_options_of(const struct dz_host_settings *s, dz_host_options *out);

#endif
