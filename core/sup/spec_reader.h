/* spec_reader.h - reads the fields of a spec's tables, knowing the path of where it stands. Private to
 * spec*.c.
 * Owns:    nothing.
 * Threads: one at a time.
 * Fails:   every reader returns DZ_OK, DZ_ENOMEM or the code of the error it described in `error`. */
#ifndef DZ_SUP_SPEC_READER_H
#define DZ_SUP_SPEC_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sup/spec.h"
#include "term/read.h"

struct dz_spec_reader {
    struct dz_spec_error *error;
    dz_spec_tell tell; /* NULL: reading ends at the first error, else it goes on behind what was wrong */
    void *ctx;
    char path[sizeof(((struct dz_spec_error *)0)->field)];
    const char *child_id; /* not terminated; the innermost child that has an id */
    size_t child_id_len;
};

/* A reader of one field's value into `target`. Reads exactly one value on success. */
typedef int (*dz_spec_field_read)(struct dz_spec_reader *x, struct dz_read *r, void *target);

struct dz_spec_field {
    const char *name;
    dz_spec_field_read read;
};

void dz_spec_reader_init(struct dz_spec_reader *x, struct dz_spec_error *error);

/* Extends the path; the mark restores it. A path that is too long is cut. */
size_t dz_spec_reader_enter(struct dz_spec_reader *x, const char *key, size_t len);
size_t dz_spec_reader_enter_index(struct dz_spec_reader *x, uint32_t index);
void dz_spec_reader_leave(struct dz_spec_reader *x, size_t mark);

/* Describes an error at the present path and returns its code. */
int dz_spec_reader_fail(struct dz_spec_reader *x, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "got <the value at r>, expected <expected>", DZ_ESPEC. */
int dz_spec_reader_wrong(struct dz_spec_reader *x, const struct dz_read *r, const char *expected);

/* After an error in the value at `value`: true if somebody is told of each; r then stands behind the value. An
 * error that was told of inside is not told again. */
bool dz_spec_reader_goes_on(struct dz_spec_reader *x, struct dz_read *r, const struct dz_read *value);

/* All entries of the table at r, each by its field's reader; unknown and repeated keys are errors. `*given`
 * (may be NULL) gets one bit per field that was there. */
int dz_spec_reader_table(struct dz_spec_reader *x, struct dz_read *r, const struct dz_spec_field *fields,
                         size_t count, void *target, uint32_t *given);
/* The head of a list: an array, or a table without entries. DZ_ESPEC otherwise. */
int dz_spec_reader_list(struct dz_spec_reader *x, struct dz_read *r, const char *expected, uint32_t *count);

int dz_spec_reader_name(struct dz_spec_reader *x, struct dz_read *r, char **out);
/* The same for a name a process is registered under: "<" is how a pid begins. */
int dz_spec_reader_registered(struct dz_spec_reader *x, struct dz_read *r, char **out);
int dz_spec_reader_bool(struct dz_spec_reader *x, struct dz_read *r, bool *out);
/* The index of the string among `words`. */
int dz_spec_reader_word(struct dz_spec_reader *x, struct dz_read *r, const char *const *words, int count,
                        int *out);
/* Milliseconds: a number >= 0, rounded up, or infinity in either form. */
int dz_spec_reader_time(struct dz_spec_reader *x, struct dz_read *r, const char *also, uint64_t *out);
int dz_spec_reader_number(struct dz_spec_reader *x, struct dz_read *r, double least, double most,
                          const char *expected, double *out);
/* A whole number from `least` to `most`. */
int dz_spec_reader_count(struct dz_spec_reader *x, struct dz_read *r, uint64_t least, uint64_t most,
                         const char *expected, uint64_t *out);
/* True and passed over if the value is this string. */
bool dz_spec_reader_is(struct dz_read *r, const char *word);
/* True and passed over if the value is "infinity" or inf. */
bool dz_spec_reader_is_infinity(struct dz_read *r);
/* A function ('f') or a table ('t') of one Lua state. */
bool dz_spec_reader_function(struct dz_read *r, char kind, struct dz_sup_function *out);
/* A copy of the next value's bytes, not passed over. */
int dz_spec_reader_copy(const struct dz_read *r, uint8_t **out, size_t *len);

#endif
