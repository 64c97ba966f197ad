/* spec.c - supervisor and child specs, as scripts and other nodes send them. */
#include <string.h>
#include "base/err.h"
#include "fuzz.h"
#include "sup/spec.h"
#include "term/build.h"
#include "term/read.h"

static void look_at_error(const struct dz_spec_error *error)
{
    struct dz_buf out;
    dz_buf_init(&out);
    FUZZ_CHECK(error->code < 0);
    FUZZ_CHECK(memchr(error->field, 0, sizeof error->field) && memchr(error->message, 0, sizeof error->message));
    FUZZ_CHECK(dz_spec_error_encode(error, &out) == 0);
    FUZZ_CHECK(dz_term_check(out.data, out.len, 0) == 0);
    dz_buf_fini(&out);
}

static void count_error(void *ctx, const struct dz_spec_error *error)
{
    look_at_error(error);
    ++*(unsigned *)ctx;
}

/* A spec that was read says so of itself again. */
static void read_supervisor(const uint8_t *data, size_t len)
{
    struct dz_sup_spec *spec = NULL, *again = NULL;
    struct dz_spec_error error;
    unsigned errors = 0;
    int err = dz_sup_spec_read(&spec, data, len, &error);
    FUZZ_CHECK((dz_sup_spec_check(data, len, count_error, &errors) == 0) == (err == 0));
    FUZZ_CHECK((errors == 0) == (err == 0));
    if (err) {
        look_at_error(&error);
        return;
    }
    FUZZ_CHECK(dz_sup_spec_read(&again, spec->source, spec->source_len, &error) == 0);
    FUZZ_CHECK(again->child_count == spec->child_count && again->strategy == spec->strategy);
    dz_sup_spec_delete(again);
    dz_sup_spec_delete(spec);
}

static void build_parent(struct dz_buf *out)
{
    struct dz_build b;
    dz_buf_init(out);
    dz_build_init(&b, out);
    dz_build_map(&b, 1);
    dz_build_key(&b, "children");
    dz_build_array(&b, 0);
    FUZZ_CHECK(dz_build_done(&b) == 0);
}

static void read_child(const uint8_t *data, size_t len)
{
    struct dz_sup_spec *parent = NULL;
    struct dz_child_spec *child = NULL;
    struct dz_spec_error error;
    struct dz_buf buf;
    build_parent(&buf);
    FUZZ_CHECK(dz_sup_spec_read(&parent, buf.data, buf.len, &error) == 0);
    if (dz_child_spec_read(&child, parent, data, len, &error) == 0)
        dz_child_spec_delete(child);
    else
        look_at_error(&error);
    dz_sup_spec_delete(parent);
    dz_buf_fini(&buf);
}

static void join_args(const uint8_t *data, size_t len)
{
    static const uint8_t base[] = {0x92, 1, 2};
    struct dz_spec_error error;
    struct dz_buf out;
    dz_buf_init(&out);
    if (dz_spec_join_args(&out, base, sizeof base, data, len, &error) == 0)
        FUZZ_CHECK(dz_term_check(out.data, out.len, DZ_TERM_ALLOW_FUNCTIONS) == 0);
    dz_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (dz_term_check(data, len, DZ_TERM_ALLOW_FUNCTIONS))
        return 0;
    read_supervisor(data, len);
    read_child(data, len);
    join_args(data, len);
    return 0;
}
