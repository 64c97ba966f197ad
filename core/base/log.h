/* log.h - a leveled, structured log with one sink.
 * Owns:    nothing but the level; the sink owns where lines go.
 * Threads: any; the standard sink writes each line with one write().
 * Fails:   never; a line that cannot be written is lost.
 * Fields are pairs of name and text: dz_log_info(log, "link closed", "peer", id, "reason", why, NULL). */
#ifndef DZ_BASE_LOG_H
#define DZ_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>
#include "base/env.h"

enum dz_log_level { DZ_LOG_DEBUG, DZ_LOG_INFO, DZ_LOG_WARN, DZ_LOG_ERROR, DZ_LOG_OFF };

struct dz_log_field {
    const char *name;
    const char *value;
};

typedef void (*dz_log_sink)(void *ctx, enum dz_log_level level, const char *text,
                            const struct dz_log_field *fields, size_t count);

struct dz_log {
    dz_log_sink sink;
    void *ctx;
    enum dz_log_level level; /* lines below it are dropped */
};

/* Text lines to a file descriptor: "12:34:56.789 info  link closed peer=a@127.0.0.1:1 reason=eof". */
struct dz_log_fd {
    int fd;
    int json; /* one JSON object per line instead */
    const struct dz_env *env;
};
void dz_log_init_fd(struct dz_log *log, struct dz_log_fd *to, enum dz_log_level level);

/* -1 when the name is none of debug, info, warn, error, off. */
int dz_log_level_from_name(const char *name);
const char *dz_log_level_name(enum dz_log_level level);

void dz_log_write(const struct dz_log *log, enum dz_log_level level, const char *text,
                  const struct dz_log_field *fields, size_t count);
/* name, value, ... , NULL */
void dz_log_fields(const struct dz_log *log, enum dz_log_level level, const char *text, ...)
    __attribute__((sentinel));

#define dz_log_debug(log, ...) dz_log_fields(log, DZ_LOG_DEBUG, __VA_ARGS__)
#define dz_log_info(log, ...)  dz_log_fields(log, DZ_LOG_INFO, __VA_ARGS__)
#define dz_log_warn(log, ...)  dz_log_fields(log, DZ_LOG_WARN, __VA_ARGS__)
#define dz_log_error(log, ...) dz_log_fields(log, DZ_LOG_ERROR, __VA_ARGS__)

#endif
