/* spec_text.h - specs written as text: read, or refused with an error that says where and why.
 * Owns:    nothing. */
#ifndef DZ_TESTS_SUP_SPEC_TEXT_H
#define DZ_TESTS_SUP_SPEC_TEXT_H

#include "literal.h"

#include "base/err.h"
#include "sup/spec.h"
#include "term/read.h"

static inline struct dz_sup_spec *read_spec(const char *text)
{
    struct dz_buf term = literal(text);
    struct dz_sup_spec *spec = NULL;
    struct dz_spec_error error;
    if (dz_sup_spec_read(&spec, term.data, term.len, &error) != 0)
        fail_msg("%s", error.message);
    dz_buf_fini(&term);
    return spec;
}

static inline void expect_error(const char *text, int code, const char *field, const char *part)
{
    struct dz_buf term = literal(text);
    struct dz_sup_spec *spec = NULL;
    struct dz_spec_error error;
    int err = dz_sup_spec_read(&spec, term.data, term.len, &error);
    dz_buf_fini(&term);
    assert_int_equal(err, code);
    assert_int_equal(error.code, code);
    assert_null(spec);
    assert_string_equal(error.field, field);
    if (strstr(error.message, part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.message, part);
}

#endif
