#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/err.h"

bool peer_available(void)
{
    const char *path = getenv("PATH");
    char file[4096];
    while (path != NULL && *path) {
        size_t len = strcspn(path, ":");
        snprintf(file, sizeof file, "%.*s/erl", (int)len, path);
        if (access(file, X_OK) == 0)
            return true;
        path += len + (path[len] == ':');
    }
    return false;
}

/* One scheduler: see oracle_peer.erl. */
static void become_erl(const char *beams, int in, int out)
{
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    setenv("ERL_CRASH_DUMP", "/dev/null", 1);
    execlp("erl", "erl", "-noshell", "-boot", "no_dot_erlang", "+S", "1:1", "+sbwt", "none", "-pa", beams,
           "-s", "oracle_peer", "main", (char *)NULL);
    _exit(127);
}

int peer_open(struct peer *p, const char *beams)
{
    int down[2], up[2];
    memset(p, 0, sizeof *p);
    dz_buf_init(&p->buf);
    if (pipe(down) != 0)
        return -1;
    if (pipe(up) != 0) {
        close(down[0]);
        close(down[1]);
        return -1;
    }
    signal(SIGPIPE, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0)
        become_erl(beams, down[0], up[1]);
    close(down[0]);
    close(up[1]);
    p->to = down[1];
    p->from = up[0];
    if (pid > 0) {
        p->pid = pid;
        return 0;
    }
    close(p->to);
    close(p->from);
    return -1;
}

void peer_close(struct peer *p)
{
    if (p->pid == 0)
        return;
    close(p->to);
    close(p->from);
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    dz_buf_fini(&p->buf);
    p->pid = 0;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int read_some(struct peer *p)
{
    struct pollfd fd = {.fd = p->from, .events = POLLIN};
    if (poll(&fd, 1, PEER_PATIENCE_MS) <= 0 || dz_buf_reserve(&p->buf, 65536) != DZ_OK)
        return -1;
    ssize_t n = read(p->from, p->buf.data + p->buf.len, 65536);
    if (n <= 0)
        return -1;
    p->buf.len += (size_t)n;
    return 0;
}

/* One line without its end; NULL when the peer is gone. Good until the next call. */
static char *read_line(struct peer *p, size_t *used)
{
    dz_buf_consume(&p->buf, *used);
    *used = 0;
    for (size_t seen = 0;;) {
        uint8_t *end = p->buf.len > seen ? memchr(p->buf.data + seen, '\n', p->buf.len - seen) : NULL;
        if (end != NULL) {
            *end = 0;
            *used = (size_t)(end - p->buf.data) + 1;
            return (char *)p->buf.data;
        }
        seen = p->buf.len;
        if (read_some(p) != 0)
            return NULL;
    }
}

int peer_run(struct peer *p, const struct script *script, struct trace *out)
{
    struct dz_buf text;
    size_t used = 0;
    char *line = NULL;
    dz_buf_init(&text);
    script_write(script, &text);
    int err = write_all(p->to, text.data, text.len);
    dz_buf_fini(&text);
    while (err == 0 && (line = read_line(p, &used)) != NULL && strcmp(line, "done") != 0)
        trace_add_line(out, line);
    if (err == 0 && line != NULL) {
        dz_buf_consume(&p->buf, used);
        return 0;
    }
    peer_close(p);
    return -1;
}
