/* config_read.h - reads configuration maps field by field, with errors that name the field and the nearest known key.
 * Owns:    nothing; what a field's reader allocates is its target's.
 * Threads: any; pure.
 * Fails:   DZ_ECONFIG, DZ_ENODEID, DZ_ENOMEM, described in `error`. */
#ifndef DZ_HOST_CONFIG_READ_H
#define DZ_HOST_CONFIG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "term/read.h"

struct dz_config_error {
    int code;
    char field[128];   /* "cluster.secret", "nodes[2].id"; empty: the whole */
    char message[512]; /* for people; begins with the field */
};

typedef void (*dz_config_tell)(void *ctx, const struct dz_config_error *error);

struct dz_config_reader {
    struct dz_config_error *error;
    dz_config_tell tell; /* NULL: reading ends at the first error, else it goes on behind what was wrong */
    void *ctx;
    char path[128];
};

/* How one field's value is read: exactly one value, into `target + field->offset`. */
struct dz_config_field;
typedef int (*dz_config_field_read)(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *field,
                                    void *target);
struct dz_config_field {
    const char *name;
    dz_config_field_read read;
    size_t offset;
    uint64_t least; /* of a number */
    uint64_t most;
};

/* A list of texts. */
struct dz_config_list {
    char **items;
    size_t count;
};
void dz_config_list_fini(struct dz_config_list *list);
int dz_config_list_push(struct dz_config_list *list, const char *s, size_t len);

/* A copy of one value's bytes. */
struct dz_config_term {
    uint8_t *data;
    size_t len;
};

void dz_config_reader_init(struct dz_config_reader *x, struct dz_config_error *error, const char *path);
int dz_config_fail(struct dz_config_reader *x, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Names one more step of the path; the mark takes it back. */
size_t dz_config_enter(struct dz_config_reader *x, const char *key);
size_t dz_config_enter_index(struct dz_config_reader *x, uint32_t index);
void dz_config_leave(struct dz_config_reader *x, size_t mark);
/* "expected <expected>, got <value>". */
int dz_config_wrong(struct dz_config_reader *x, const struct dz_read *r, const char *expected);

/* After an error in the value at `value`: true if somebody is told of each; r then stands behind the value. An error
 * that was told of inside is not told again. */
bool dz_config_goes_on(struct dz_config_reader *x, struct dz_read *r, const struct dz_read *value);

/* All entries of the map at r. `what` names the table in errors ("a cluster configuration"). */
int dz_config_read_table(struct dz_config_reader *x, struct dz_read *r, const char *what,
                         const struct dz_config_field *fields, size_t count, void *target);

/* Readers of fields. */
int dz_config_text(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target);  /* char * */
int dz_config_bool(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target);  /* bool */
int dz_config_count(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target); /* uint64_t */
int dz_config_texts(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target); /* list */
int dz_config_copy(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target);  /* term */

/* The name among `names` most like `word`, or NULL when none is near. */
const char *dz_config_nearest(const char *word, size_t len, const char *const *names, size_t count);

#endif
