/* spec_parts.h - the readers of a spec's parts that call each other across spec*.c. Private to spec*.c.
 * Owns:    nothing.
 * Threads: one at a time. */
#ifndef DZ_SUP_SPEC_PARTS_H
#define DZ_SUP_SPEC_PARTS_H

#include "sup/spec_reader.h"

/* All are dz_spec_field_read's: on failure what was made stays in its owner, which is deleted as a whole. */
int dz_spec_read_selector(struct dz_spec_reader *x, struct dz_read *r, void *selector);
int dz_spec_read_backoff(struct dz_spec_reader *x, struct dz_read *r, void *backoff);
int dz_spec_read_args(struct dz_spec_reader *x, struct dz_read *r, uint8_t **out, size_t *len);

/* One child; `parent` gives auto_shutdown, `templated` says that it has no id. */
int dz_spec_read_child(struct dz_spec_reader *x, struct dz_read *r, const struct dz_sup_spec *parent,
                       bool templated, struct dz_child_spec **out);
/* A supervisor's spec, also a nested one. */
int dz_spec_read_supervisor(struct dz_spec_reader *x, struct dz_read *r, struct dz_sup_spec **out);

#endif
