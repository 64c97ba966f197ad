/* files.h - a directory of a test's own, and what the code under test writes to stdout and stderr.
 * Owns:    the directory and all in it, until files_remove.
 * Threads: the test's; the capture is of the whole program. */
#ifndef DZ_TESTS_HOST_FILES_H
#define DZ_TESTS_HOST_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct files {
    char dir[64];
    char path[192]; /* of the file written last */
};

static inline void files_make(struct files *f)
{
    snprintf(f->dir, sizeof f->dir, "/tmp/dozor-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
}

static inline const char *files_path(struct files *f, const char *name)
{
    snprintf(f->path, sizeof f->path, "%s/%s", f->dir, name);
    return f->path;
}

/* Its path, good until the next one. */
static inline const char *files_write(struct files *f, const char *name, const char *text)
{
    FILE *file = fopen(files_path(f, name), "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return f->path;
}

static inline const char *files_dir(struct files *f, const char *name)
{
    assert_int_equal(mkdir(files_path(f, name), 0700), 0);
    return f->path;
}

static inline int files_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void files_remove(struct files *f)
{
    assert_int_equal(nftw(f->dir, files_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* All that is in a file opened for reading and writing; the text is good until the next call with `out`. */
static inline const char *files_all_of(int fd, char *out, size_t size)
{
    ssize_t n = pread(fd, out, size - 1, 0);
    out[n > 0 ? n : 0] = 0;
    return out;
}

struct capture {
    int saved[3];
    int to[3];
    char out[65536];
    char err[65536];
};

static inline void capture_begin(struct capture *c)
{
    fflush(stdout);
    fflush(stderr);
    for (int fd = 1; fd <= 2; fd++) {
        c->saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        c->to[fd] = memfd_create("capture", MFD_CLOEXEC);
        assert_true(c->saved[fd] >= 0 && c->to[fd] >= 0);
        dup2(c->to[fd], fd);
    }
}

/* What was written is in c->out and c->err afterwards. */
static inline void capture_end(struct capture *c)
{
    fflush(stdout);
    fflush(stderr);
    files_all_of(c->to[1], c->out, sizeof c->out);
    files_all_of(c->to[2], c->err, sizeof c->err);
    for (int fd = 1; fd <= 2; fd++) {
        dup2(c->saved[fd], fd);
        close(c->saved[fd]);
        close(c->to[fd]);
    }
}

#define expect_text(text, part)                                                                              \
    do {                                                                                                     \
        if (!strstr(text, part))                                                                             \
            fail_msg("'%s' is not in:\n%s", part, text);                                                     \
    } while (0)

#endif
