/* spec.c - the supervisor's own fields, lists of children, and the end of specs and errors.
 * Owns:    what it reads until it is handed over whole.
 * Threads: any. */
#include "sup/spec.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/map.h"
#include "sup/intensity.h"
#include "sup/spec_parts.h"
#include "term/build.h"

/* What is read on the way: lists of children need the fields that may come behind them. */
struct draft {
    struct dz_sup_spec *spec;
    struct dz_read children;
    struct dz_read child_template;
    char *global_name;
};

static int sup_strategy(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    static const char *const words[] = {"one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"};
    int i = 0;
    int err = dz_spec_reader_word(x, r, words, 4, &i);
    ((struct draft *)target)->spec->strategy = (enum dz_strategy)i;
    return err;
}

static int sup_selector(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_read_selector(x, r, &((struct draft *)target)->spec->selector);
}

static int later(struct dz_spec_reader *x, struct dz_read *r, struct dz_read *where)
{
    *where = *r;
    return dz_read_skip(r, NULL, NULL) == DZ_OK ? DZ_OK : dz_spec_reader_wrong(x, r, "a table");
}

static int sup_children(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return later(x, r, &((struct draft *)target)->children);
}

static int sup_template(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return later(x, r, &((struct draft *)target)->child_template);
}

static int max_restarts(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    struct dz_sup_spec *s = target;
    uint64_t n = 0;
    if (dz_spec_reader_is_infinity(r)) {
        s->max_restarts = DZ_INTENSITY_UNLIMITED;
        return DZ_OK;
    }
    int err = dz_spec_reader_count(x, r, 0, DZ_INTENSITY_MAX,
                                   "a whole number from 0 to 1000000 or \"infinity\"", &n);
    s->max_restarts = (uint32_t)n;
    return err;
}

static int within_ms(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    struct dz_read before = *r;
    uint64_t *ms = &((struct dz_sup_spec *)target)->within_ms;
    int err = dz_spec_reader_time(x, r, "", ms);
    if (err == DZ_OK && *ms == 0)
        return dz_spec_reader_wrong(x, &before, "milliseconds (a number above 0) or \"infinity\"");
    return err;
}

static const struct dz_spec_field intensity_fields[] = {{"max_restarts", max_restarts},
                                                        {"within_ms", within_ms}};

static int sup_intensity(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_table(x, r, intensity_fields, 2, ((struct draft *)target)->spec, NULL);
}

static int sup_auto_shutdown(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    static const char *const words[] = {"never", "any_significant", "all_significant"};
    int i = 0;
    int err = dz_spec_reader_word(x, r, words, 3, &i);
    ((struct draft *)target)->spec->auto_shutdown = (enum dz_auto_shutdown)i;
    return err;
}

static int sup_name(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_registered(x, r, &((struct draft *)target)->spec->name);
}

static int sup_global(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_registered(x, r, &((struct draft *)target)->global_name);
}

static int sup_on_loss(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    (void)target;
    return dz_spec_reader_is(r, "stop") ? DZ_OK : dz_spec_reader_wrong(x, r, "\"stop\"");
}

enum { HAS_CHILDREN = 1 << 2, HAS_TEMPLATE = 1 << 3 };

/* In the order of the HAS bits. */
static const struct dz_spec_field sup_fields[] = {
    {"strategy", sup_strategy},
    {"node_selector", sup_selector},
    {"children", sup_children},
    {"child_template", sup_template},
    {"restart_intensity", sup_intensity},
    {"auto_shutdown", sup_auto_shutdown},
    {"name", sup_name},
    {"global", sup_global},
    {"on_supervisor_loss", sup_on_loss},
};
#define SUP_FIELDS (sizeof sup_fields / sizeof sup_fields[0])

static int add_child(struct dz_spec_reader *x, struct dz_read *r, struct dz_sup_spec *s, struct dz_smap *ids)
{
    struct dz_child_spec *c = NULL;
    int err = dz_spec_read_child(x, r, s, false, &c);
    if (err != DZ_OK)
        return err;
    s->children[s->child_count++] = c;
    s->local_only = s->local_only || c->local_only;
    x->child_id = c->id;
    x->child_id_len = strlen(c->id);
    if (dz_smap_get(ids, c->id, x->child_id_len) != NULL)
        err = dz_spec_reader_fail(x, DZ_EDUPLICATECHILD, "the id is there twice");
    else if (dz_smap_put(ids, c->id, x->child_id_len, c) != DZ_OK)
        err = dz_spec_reader_fail(x, DZ_ENOMEM, "out of memory");
    x->child_id = NULL;
    x->child_id_len = 0;
    return err;
}

static int read_children(struct dz_spec_reader *x, struct dz_read *r, struct dz_sup_spec *s)
{
    struct dz_smap ids;
    uint32_t count = 0;
    size_t mark = dz_spec_reader_enter(x, "children", 8);
    int err = dz_spec_reader_list(x, r, "a list of children", &count);
    if (err == DZ_OK && count > 0) {
        s->children = dz_zalloc(count, sizeof *s->children);
        if (s->children == NULL)
            err = dz_spec_reader_fail(x, DZ_ENOMEM, "out of memory");
    }
    dz_smap_init(&ids);
    bool goes_on = err == DZ_OK;
    for (uint32_t i = 0; i < count && goes_on; i++) {
        struct dz_read child = *r;
        size_t inner = dz_spec_reader_enter_index(x, i + 1);
        int one = add_child(x, r, s, &ids);
        goes_on = one == DZ_OK || dz_spec_reader_goes_on(x, r, &child);
        err = err ? err : one;
        dz_spec_reader_leave(x, inner);
    }
    dz_smap_fini(&ids);
    dz_spec_reader_leave(x, mark);
    return err;
}

static bool is_empty_table(const struct dz_read *r)
{
    struct dz_value v;
    return dz_read_peek(r, &v) == DZ_OK && (v.type == DZ_TERM_ARRAY || v.type == DZ_TERM_MAP) &&
           v.as.count == 0;
}

static int read_simple(struct dz_spec_reader *x, struct draft *d, uint32_t given)
{
    struct dz_sup_spec *s = d->spec;
    if ((given & HAS_CHILDREN) && !is_empty_table(&d->children))
        return dz_spec_reader_fail(x, DZ_ESIMPLE,
                                   "simple_one_for_one takes a child_template instead of children");
    if (!(given & HAS_TEMPLATE))
        return dz_spec_reader_fail(x, DZ_ENOTEMPLATE, "simple_one_for_one needs a child_template");
    size_t mark = dz_spec_reader_enter(x, "child_template", 14);
    int err = dz_spec_read_child(x, &d->child_template, s, true, &s->child_template);
    dz_spec_reader_leave(x, mark);
    if (err == DZ_OK)
        s->local_only = s->child_template->local_only;
    return err;
}

static int read_lists(struct dz_spec_reader *x, struct draft *d, uint32_t given)
{
    if (d->spec->strategy == DZ_SIMPLE_ONE_FOR_ONE)
        return read_simple(x, d, given);
    if (given & HAS_TEMPLATE)
        return dz_spec_reader_fail(x, DZ_ESPEC, "child_template is for strategy \"simple_one_for_one\" only");
    return given & HAS_CHILDREN ? read_children(x, &d->children, d->spec) : DZ_OK;
}

/* `global` is another word for `name`. */
static int settle_name(struct dz_spec_reader *x, struct draft *d)
{
    if (d->global_name == NULL)
        return DZ_OK;
    if (d->spec->name == NULL) {
        d->spec->name = d->global_name;
        d->global_name = NULL;
        return DZ_OK;
    }
    if (strcmp(d->spec->name, d->global_name) == 0)
        return DZ_OK;
    return dz_spec_reader_fail(x, DZ_ESPEC, "name and global mean the same and differ");
}

static void set_defaults(struct dz_sup_spec *s)
{
    s->strategy = DZ_ONE_FOR_ONE;
    s->selector.kind = DZ_SELECT_LOCAL_FIRST;
    s->max_restarts = DZ_SPEC_MAX_RESTARTS_DEFAULT;
    s->within_ms = DZ_SPEC_WITHIN_MS_DEFAULT;
    s->auto_shutdown = DZ_AUTO_NEVER;
}

/* A selector function makes the supervisor itself unable to travel, not the children it places. */
static bool asks_function(const struct dz_sup_spec *s)
{
    if (s->selector.kind == DZ_SELECT_FUNCTION)
        return true;
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i]->selector.kind == DZ_SELECT_FUNCTION)
            return true;
    return s->child_template != NULL && s->child_template->selector.kind == DZ_SELECT_FUNCTION;
}

static int read_supervisor(struct dz_spec_reader *x, struct dz_read *r, struct dz_sup_spec *s)
{
    struct draft d = {.spec = s};
    struct dz_read before = *r;
    uint32_t given = 0;
    set_defaults(s);
    int err = dz_spec_reader_copy(r, &s->source, &s->source_len);
    if (err != DZ_OK)
        err = dz_spec_reader_fail(x, err, "%s", dz_err_text(err));
    if (err == DZ_OK)
        err = dz_spec_reader_table(x, r, sup_fields, SUP_FIELDS, &d, &given);
    if (err == DZ_OK)
        err = settle_name(x, &d);
    if (err == DZ_OK || dz_spec_reader_goes_on(x, r, &before)) {
        int lists = read_lists(x, &d, given);
        err = err ? err : lists;
    }
    if (err == DZ_OK)
        s->local_only = s->local_only || asks_function(s);
    dz_free(d.global_name);
    return err;
}

int dz_spec_read_supervisor(struct dz_spec_reader *x, struct dz_read *r, struct dz_sup_spec **out)
{
    struct dz_sup_spec *s = dz_zalloc(1, sizeof *s);
    if (s == NULL)
        return dz_spec_reader_fail(x, DZ_ENOMEM, "out of memory");
    struct dz_spec_reader outer = *x;
    int err = read_supervisor(x, r, s);
    x->child_id = outer.child_id;
    x->child_id_len = outer.child_id_len;
    if (err != DZ_OK)
        dz_sup_spec_delete(s);
    else
        *out = s;
    return err;
}

int dz_sup_spec_read(struct dz_sup_spec **out, const uint8_t *data, size_t len, struct dz_spec_error *error)
{
    struct dz_spec_reader x;
    struct dz_read r;
    dz_spec_reader_init(&x, error);
    dz_read_init(&r, data, len);
    return dz_spec_read_supervisor(&x, &r, out);
}

int dz_sup_spec_check(const uint8_t *data, size_t len, dz_spec_tell tell, void *ctx)
{
    struct dz_sup_spec *s = NULL;
    struct dz_spec_error error;
    struct dz_spec_reader x;
    struct dz_read r, whole;
    dz_spec_reader_init(&x, &error);
    x.tell = tell;
    x.ctx = ctx;
    dz_read_init(&r, data, len);
    whole = r;
    int err = dz_spec_read_supervisor(&x, &r, &s);
    if (err != DZ_OK)
        dz_spec_reader_goes_on(&x, &r, &whole);
    else
        dz_sup_spec_delete(s);
    return err;
}

void dz_sup_spec_delete(struct dz_sup_spec *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->child_count; i++)
        dz_child_spec_delete(s->children[i]);
    dz_free((void *)s->children);
    dz_child_spec_delete(s->child_template);
    dz_free(s->selector.name);
    dz_free(s->name);
    dz_free(s->source);
    dz_free(s);
}

int dz_spec_error_encode(const struct dz_spec_error *error, struct dz_buf *out)
{
    struct dz_build b;
    dz_assert(error->code != DZ_OK);
    dz_build_init(&b, out);
    dz_build_map(&b, 2 + (error->field[0] != 0) + (error->child_id[0] != 0));
    dz_build_kstring(&b, "code", dz_err_name(error->code));
    dz_build_kstring(&b, "message", error->message);
    if (error->field[0])
        dz_build_kstring(&b, "field", error->field);
    if (error->child_id[0])
        dz_build_kstring(&b, "child_id", error->child_id);
    return dz_build_done(&b);
}
