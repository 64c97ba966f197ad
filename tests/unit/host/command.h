/* command.h - runs a command of the command line inside the test: its exit code, and what it printed.
 * Owns:    the files of the test.
 * Threads: the test's. */
#ifndef DZ_TESTS_HOST_COMMAND_H
#define DZ_TESTS_HOST_COMMAND_H

#include "files.h"

#include <arpa/inet.h>
#include "host/cli.h"

#define COMMAND_WORDS 32

struct command {
    const struct dz_cli_command *what;
    struct files files;
    struct capture captured;
    char words[2048];
};

static inline struct command *command_new(const struct dz_cli_command *what)
{
    struct command *c = calloc(1, sizeof *c);
    c->what = what;
    files_make(&c->files);
    return c;
}

static inline int command_teardown(void **state)
{
    struct command *c = *state;
    files_remove(&c->files);
    free(c);
    return 0;
}

/* Words are parted by single spaces; what the path of the files is stands as ~. */
static inline int command_run(struct command *c, const char *line)
{
    char *argv[COMMAND_WORDS + 1] = { NULL };
    int argc = 0;
    char *save = NULL;
    size_t at = 0;
    for (const char *p = line; *p; p++)
        at += (size_t)snprintf(c->words + at, sizeof c->words - at, "%.*s", *p == '~' ? (int)sizeof c->files.dir : 1,
                               *p == '~' ? c->files.dir : p);
    c->words[at] = 0;
    for (char *word = strtok_r(c->words, " ", &save); word && argc < COMMAND_WORDS; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    capture_begin(&c->captured);
    int code = c->what->main(argc, argv);
    capture_end(&c->captured);
    return code;
}

#define expect_run(c, line, code)                                                                            \
    do {                                                                                                     \
        int got = command_run(c, line);                                                                      \
        if (got != (code))                                                                                   \
            fail_msg("exit code %d: %s\n%s%s", got, line, (c)->captured.out, (c)->captured.err);             \
    } while (0)

/* A port nobody listens on. */
static inline unsigned command_free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

#endif
