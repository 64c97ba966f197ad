/* spec_parts.c - selectors, backoff and args lists.
 * Owns:    nothing.
 * Threads: any. */
#include "sup/spec_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/pid.h"
#include "term/build.h"

static const char both_selectors[] = "node and selector exclude each other";

static int selector_node(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    struct dz_selector *s = target;
    const char *text;
    size_t len;
    struct dz_read copy = *r;
    if (s->name != NULL)
        return dz_spec_reader_fail(x, DZ_ESPEC, both_selectors);
    if (dz_read_string(&copy, &text, &len) != DZ_OK || len >= DZ_NODE_ID_MAX ||
        memchr(text, '@', len) == NULL || memchr(text, ':', len) == NULL)
        return dz_spec_reader_wrong(x, r, "a node id \"name@host:port\"");
    s->kind = DZ_SELECT_NODE;
    s->name = dz_strndup(text, len);
    *r = copy;
    return s->name ? DZ_OK : dz_spec_reader_fail(x, DZ_ENOMEM, "out of memory");
}

static int selector_named(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    struct dz_selector *s = target;
    if (s->name != NULL)
        return dz_spec_reader_fail(x, DZ_ESPEC, both_selectors);
    s->kind = DZ_SELECT_NAMED;
    return dz_spec_reader_name(x, r, &s->name);
}

static const struct dz_spec_field selector_fields[] = {{"node", selector_node}, {"selector", selector_named}};

int dz_spec_read_selector(struct dz_spec_reader *x, struct dz_read *r, void *selector)
{
    static const char *const words[] = {"local_first", "local", "round_robin", "least_loaded", "random"};
    static const char expected[] =
        "\"local_first\", \"local\", \"round_robin\", \"least_loaded\", \"random\", "
        "{ node = id }, { selector = name } or a function";
    struct dz_selector *s = selector;
    struct dz_value head;
    uint32_t given;
    for (int i = 0; i < 5; i++) {
        if (dz_spec_reader_is(r, words[i])) {
            s->kind = (enum dz_selector_kind)i;
            return DZ_OK;
        }
    }
    if (dz_spec_reader_function(r, 'f', &s->function)) {
        s->kind = DZ_SELECT_FUNCTION;
        return DZ_OK;
    }
    if (dz_read_peek(r, &head) != DZ_OK || head.type != DZ_TERM_MAP || head.as.count == 0)
        return dz_spec_reader_wrong(x, r, expected);
    return dz_spec_reader_table(x, r, selector_fields, 2, s, &given);
}

static int backoff_initial(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_time(x, r, "", &((struct dz_backoff *)target)->initial_ms);
}

static int backoff_max(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_time(x, r, "", &((struct dz_backoff *)target)->max_ms);
}

static int backoff_factor(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_number(x, r, 1, 1e6, "a number not below 1",
                                 &((struct dz_backoff *)target)->factor);
}

static int backoff_jitter(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_number(x, r, 0, 1, "a number from 0 to 1", &((struct dz_backoff *)target)->jitter);
}

static int backoff_reset(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_time(x, r, "", &((struct dz_backoff *)target)->reset_after_ms);
}

static const struct dz_spec_field backoff_fields[] = {
    {"initial_ms", backoff_initial}, {"max_ms", backoff_max},           {"factor", backoff_factor},
    {"jitter", backoff_jitter},      {"reset_after_ms", backoff_reset},
};

int dz_spec_read_backoff(struct dz_spec_reader *x, struct dz_read *r, void *backoff)
{
    struct dz_backoff *b = backoff;
    uint32_t given;
    *b = (struct dz_backoff){0, DZ_SPEC_BACKOFF_MAX_MS_DEFAULT, DZ_SPEC_BACKOFF_FACTOR_DEFAULT,
                             DZ_SPEC_BACKOFF_JITTER_DEFAULT, DZ_SPEC_BACKOFF_RESET_MS_DEFAULT};
    int err = dz_spec_reader_table(x, r, backoff_fields, 5, b, &given);
    if (err != DZ_OK)
        return err;
    if (!(given & 1))
        return dz_spec_reader_fail(x, DZ_ESPEC, "initial_ms is missing, expected milliseconds");
    if (b->initial_ms == DZ_TIME_INFINITY)
        return dz_spec_reader_fail(x, DZ_ESPEC, "initial_ms is infinity, expected a finite time");
    /* A larger first delay than the default of max_ms is what the user asked for; a larger one than theirs is
     * a mistake. */
    if (b->max_ms < b->initial_ms && (given & 2))
        return dz_spec_reader_fail(x, DZ_ESPEC, "max_ms is below initial_ms");
    if (b->max_ms < b->initial_ms)
        b->max_ms = b->initial_ms;
    return DZ_OK;
}

/* --- args: a list up to its largest integer key; holes become nil --- */

static int largest_index(struct dz_spec_reader *x, struct dz_read r, uint32_t pairs, uint64_t *largest)
{
    *largest = 0;
    for (uint32_t i = 0; i < pairs; i++) {
        struct dz_read key = r;
        uint64_t n;
        if (dz_read_uint(&r, &n) != DZ_OK || n == 0)
            return dz_spec_reader_wrong(x, &key, "a list (keys 1, 2, ...)");
        dz_read_skip(&r, NULL, NULL);
        *largest = n > *largest ? n : *largest;
    }
    return DZ_OK;
}

static void append_map_elements(struct dz_build *b, struct dz_read r, uint32_t pairs, uint64_t count)
{
    const uint8_t **values = dz_zalloc((size_t)count, sizeof *values);
    size_t *lens = dz_zalloc((size_t)count, sizeof *lens);
    for (uint32_t i = 0; i < pairs && values != NULL && lens != NULL; i++) {
        uint64_t n = 0;
        dz_read_uint(&r, &n);
        dz_read_skip(&r, &values[n - 1], &lens[n - 1]);
    }
    for (uint64_t i = 0; i < count; i++) {
        if (values == NULL || lens == NULL || values[i] == NULL)
            dz_build_nil(b);
        else
            dz_build_raw(b, values[i], lens[i]);
    }
    if (values == NULL || lens == NULL)
        b->err = DZ_ENOMEM;
    dz_free((void *)values);
    dz_free(lens);
}

/* How many elements the list at r has; r then stands behind its head. */
static int list_size(struct dz_spec_reader *x, struct dz_read *r, struct dz_value *head, uint64_t *count)
{
    int err = DZ_OK;
    if (dz_read_peek(r, head) != DZ_OK || (head->type != DZ_TERM_ARRAY && head->type != DZ_TERM_MAP))
        return dz_spec_reader_wrong(x, r, "a list");
    dz_read_next(r, head);
    *count = head->as.count;
    if (head->type == DZ_TERM_MAP)
        err = largest_index(x, *r, head->as.count, count);
    if (err == DZ_OK && *count > DZ_SPEC_MAX_ARGS)
        return dz_spec_reader_fail(x, DZ_ESPEC, "got a list of %llu, expected at most %u elements",
                                   (unsigned long long)*count, DZ_SPEC_MAX_ARGS);
    return err;
}

static void append_elements(struct dz_build *b, struct dz_read *r, const struct dz_value *head,
                            uint64_t count)
{
    if (head->type == DZ_TERM_MAP) {
        append_map_elements(b, *r, head->as.count, count);
        return;
    }
    dz_build_raw(b, r->at, (size_t)(r->end - r->at));
}

static int join(struct dz_spec_reader *x, struct dz_buf *out, struct dz_read *base, struct dz_read *more)
{
    struct dz_value base_head, more_head;
    uint64_t base_count = 0, more_count = 0;
    struct dz_build b;
    int err = list_size(x, base, &base_head, &base_count);
    if (err == DZ_OK)
        err = list_size(x, more, &more_head, &more_count);
    if (err != DZ_OK)
        return err;
    if (base_count + more_count > DZ_SPEC_MAX_ARGS)
        return dz_spec_reader_fail(x, DZ_ESPEC, "more than %u args in all", DZ_SPEC_MAX_ARGS);
    dz_build_init(&b, out);
    dz_build_array(&b, (uint32_t)(base_count + more_count));
    append_elements(&b, base, &base_head, base_count);
    append_elements(&b, more, &more_head, more_count);
    return dz_build_done(&b) == DZ_OK ? DZ_OK : dz_spec_reader_fail(x, DZ_ENOMEM, "out of memory");
}

int dz_spec_join_args(struct dz_buf *out, const uint8_t *base, size_t base_len, const uint8_t *more,
                      size_t more_len, struct dz_spec_error *error)
{
    struct dz_spec_reader x;
    struct dz_read b, m;
    dz_spec_reader_init(&x, error);
    dz_spec_reader_enter(&x, "args", 4);
    dz_read_init(&b, base, base_len);
    dz_read_init(&m, more, more_len);
    return join(&x, out, &b, &m);
}

int dz_spec_read_args(struct dz_spec_reader *x, struct dz_read *r, uint8_t **out, size_t *len)
{
    static const uint8_t empty[] = {0x90};
    struct dz_buf buf;
    struct dz_read base, one;
    const uint8_t *data;
    size_t size;
    struct dz_read before = *r;
    if (dz_read_skip(r, &data, &size) != DZ_OK)
        return dz_spec_reader_wrong(x, &before, "a list");
    dz_read_init(&base, empty, sizeof empty);
    dz_read_init(&one, data, size);
    dz_buf_init(&buf);
    int err = join(x, &buf, &base, &one);
    dz_assert(*out == NULL);
    if (err == DZ_OK)
        *out = dz_buf_detach(&buf, len);
    dz_buf_fini(&buf);
    return err;
}
