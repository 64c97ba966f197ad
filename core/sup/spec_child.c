/* spec_child.c - one child: its fields, its defaults, what excludes what.
 * Owns:    what it reads until it is handed over whole.
 * Threads: any. */
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "sup/spec_parts.h"

static int child_id(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_name(x, r, &((struct dz_child_spec *)target)->id);
}

static int child_behavior(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    struct dz_child_spec *c = target;
    struct dz_value v;
    c->kind = DZ_CHILD_BEHAVIOR;
    if (dz_spec_reader_function(r, 't', &c->function)) {
        c->local_only = true;
        return DZ_OK;
    }
    if (dz_read_peek(r, &v) != DZ_OK || v.type != DZ_TERM_STRING || c->what != NULL)
        return dz_spec_reader_wrong(x, r, "the name of a registered behaviour or a behaviour table");
    return dz_spec_reader_name(x, r, &c->what);
}

static int child_supervisor(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    struct dz_child_spec *c = target;
    struct dz_value v;
    c->kind = DZ_CHILD_SUPERVISOR;
    int err = dz_read_peek(r, &v);
    if (err == DZ_OK && v.type == DZ_TERM_STRING && c->what == NULL)
        return dz_spec_reader_name(x, r, &c->what);
    if (err != DZ_OK || (v.type != DZ_TERM_MAP && v.type != DZ_TERM_ARRAY))
        return dz_spec_reader_wrong(x, r, "a supervisor spec or the name of a registered one");
    err = dz_spec_read_supervisor(x, r, &c->supervisor);
    if (err == DZ_OK && c->supervisor->local_only)
        c->local_only = true;
    return err;
}

static int child_start(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    struct dz_child_spec *c = target;
    c->kind = DZ_CHILD_FUNCTION;
    c->local_only = true;
    return dz_spec_reader_function(r, 'f', &c->function) ? DZ_OK : dz_spec_reader_wrong(x, r, "a function");
}

static int child_args(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    struct dz_child_spec *c = target;
    return dz_spec_read_args(x, r, &c->args, &c->args_len);
}

static int child_name(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_registered(x, r, &((struct dz_child_spec *)target)->name);
}

static int child_global(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_registered(x, r, &((struct dz_child_spec *)target)->global_name);
}

static int child_restart(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    static const char *const words[] = {"permanent", "transient", "temporary"};
    int i = 0;
    int err = dz_spec_reader_word(x, r, words, 3, &i);
    ((struct dz_child_spec *)target)->restart = (enum dz_restart)i;
    return err;
}

static int child_selector(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    struct dz_child_spec *c = target;
    c->own_selector = true;
    return dz_spec_read_selector(x, r, &c->selector);
}

static int child_shutdown(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    struct dz_child_spec *c = target;
    c->own_shutdown = true;
    c->brutal_kill = dz_spec_reader_is(r, "brutal_kill");
    c->shutdown_ms = 0;
    return c->brutal_kill ? DZ_OK : dz_spec_reader_time(x, r, ", \"brutal_kill\"", &c->shutdown_ms);
}

static int child_start_timeout(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    struct dz_child_spec *c = target;
    c->own_start = true;
    int err = dz_spec_reader_time(x, r, "", &c->start_local_ms);
    c->start_remote_ms = c->start_local_ms;
    return err;
}

static int mailbox_count(struct dz_spec_reader *x, struct dz_read *r, uint64_t *out)
{
    return dz_spec_reader_count(x, r, 1, UINT32_MAX, "a whole number above 0", out);
}

static int mailbox_messages(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return mailbox_count(x, r, &((struct dz_child_spec *)target)->mailbox_messages);
}

static int mailbox_bytes(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_count(x, r, 1, UINT64_C(1) << 53, "a whole number above 0",
                                &((struct dz_child_spec *)target)->mailbox_bytes);
}

static const struct dz_spec_field mailbox_fields[] = {{"messages", mailbox_messages},
                                                      {"bytes", mailbox_bytes}};

static int child_mailbox(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    struct dz_value v;
    if (dz_read_peek(r, &v) == DZ_OK && v.type == DZ_TERM_MAP)
        return dz_spec_reader_table(x, r, mailbox_fields, 2, target, NULL);
    return mailbox_messages(x, r, target);
}

static int child_significant(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_reader_bool(x, r, &((struct dz_child_spec *)target)->significant);
}

static int child_backoff(struct dz_spec_reader *x, struct dz_read *r, void *target)
{
    return dz_spec_read_backoff(x, r, &((struct dz_child_spec *)target)->backoff);
}

enum {
    HAS_ID = 1 << 0,
    HAS_BEHAVIOR = 1 << 1,
    HAS_SUPERVISOR = 1 << 2,
    HAS_START = 1 << 3,
    HAS_RESTART = 1 << 7,
    HAS_SHUTDOWN = 1 << 9,
};

/* In the order of the HAS bits. */
static const struct dz_spec_field child_fields[] = {
    {"id", child_id},
    {"behavior", child_behavior},
    {"supervisor", child_supervisor},
    {"start", child_start},
    {"args", child_args},
    {"name", child_name},
    {"global", child_global},
    {"restart", child_restart},
    {"node_selector", child_selector},
    {"shutdown_timeout", child_shutdown},
    {"start_timeout", child_start_timeout},
    {"mailbox_limit", child_mailbox},
    {"significant", child_significant},
    {"backoff", child_backoff},
};
#define CHILD_FIELDS (sizeof child_fields / sizeof child_fields[0])

static int check_identity(struct dz_spec_reader *x, uint32_t given, bool templated)
{
    if (templated && (given & HAS_ID))
        return dz_spec_reader_fail(x, DZ_ESPEC,
                                   "a child_template has no id, its children get generated ones");
    if (!templated && !(given & HAS_ID))
        return dz_spec_reader_fail(x, DZ_ESPEC, "id is missing, expected a string unique in this supervisor");
    uint32_t whats = given & (HAS_BEHAVIOR | HAS_SUPERVISOR | HAS_START);
    if (whats == 0)
        return dz_spec_reader_fail(x, DZ_ESPEC, "one of behavior, supervisor and start is missing");
    if (whats & (whats - 1))
        return dz_spec_reader_fail(x, DZ_ESPEC, "exactly one of behavior, supervisor and start may be given");
    return DZ_OK;
}

static int check_significant(struct dz_spec_reader *x, struct dz_child_spec *c,
                             const struct dz_sup_spec *parent, uint32_t given)
{
    if (!c->significant)
        return DZ_OK;
    if (!(given & HAS_RESTART))
        c->restart = DZ_TEMPORARY;
    size_t mark = dz_spec_reader_enter(x, "significant", 11);
    int err = DZ_OK;
    if (c->restart == DZ_PERMANENT)
        err = dz_spec_reader_fail(x, DZ_ESPEC,
                                  "a permanent child cannot be significant, expected restart "
                                  "\"transient\" or \"temporary\"");
    else if (parent->auto_shutdown == DZ_AUTO_NEVER)
        err = dz_spec_reader_fail(x, DZ_ESPEC,
                                  "a significant child needs auto_shutdown \"any_significant\" or "
                                  "\"all_significant\" of its supervisor");
    dz_spec_reader_leave(x, mark);
    return err;
}

static void fill_defaults(struct dz_child_spec *c, uint32_t given)
{
    bool supervisor = c->kind == DZ_CHILD_SUPERVISOR;
    if (!(given & HAS_SHUTDOWN))
        c->shutdown_ms = supervisor ? DZ_TIME_INFINITY : DZ_SPEC_SHUTDOWN_MS_DEFAULT;
    if (c->own_start)
        return;
    bool patient = supervisor || c->kind == DZ_CHILD_FUNCTION;
    c->start_local_ms = patient ? DZ_TIME_INFINITY : DZ_SPEC_START_LOCAL_MS_DEFAULT;
    c->start_remote_ms = patient ? DZ_TIME_INFINITY : DZ_SPEC_START_REMOTE_MS_DEFAULT;
}

static int finish_args(struct dz_child_spec *c)
{
    static const uint8_t empty[] = {0x90};
    if (c->args != NULL)
        return DZ_OK;
    c->args = dz_alloc(sizeof empty);
    if (c->args == NULL)
        return DZ_ENOMEM;
    memcpy(c->args, empty, sizeof empty);
    c->args_len = sizeof empty;
    return DZ_OK;
}

static int read_into(struct dz_spec_reader *x, struct dz_read *r, const struct dz_sup_spec *parent,
                     bool templated, struct dz_child_spec *c)
{
    uint32_t given = 0;
    int err = dz_spec_reader_copy(r, &c->source, &c->source_len);
    if (err != DZ_OK)
        return dz_spec_reader_fail(x, err, "%s", dz_err_text(err));
    dz_read_find_string(c->source, c->source_len, "id", &x->child_id, &x->child_id_len);
    err = dz_spec_reader_table(x, r, child_fields, CHILD_FIELDS, c, &given);
    if (err == DZ_OK)
        err = check_identity(x, given, templated);
    if (err == DZ_OK)
        err = check_significant(x, c, parent, given);
    if (err != DZ_OK)
        return err;
    fill_defaults(c, given);
    if (finish_args(c) != DZ_OK)
        return dz_spec_reader_fail(x, DZ_ENOMEM, "out of memory");
    return DZ_OK;
}

int dz_spec_read_child(struct dz_spec_reader *x, struct dz_read *r, const struct dz_sup_spec *parent,
                       bool templated, struct dz_child_spec **out)
{
    struct dz_spec_reader outer = *x;
    struct dz_child_spec *c = dz_zalloc(1, sizeof *c);
    if (c == NULL)
        return dz_spec_reader_fail(x, DZ_ENOMEM, "out of memory");
    x->child_id = NULL;
    x->child_id_len = 0;
    int err = read_into(x, r, parent, templated, c);
    x->child_id = outer.child_id;
    x->child_id_len = outer.child_id_len;
    if (err != DZ_OK)
        dz_child_spec_delete(c);
    else
        *out = c;
    return err;
}

int dz_child_spec_read(struct dz_child_spec **out, const struct dz_sup_spec *parent, const uint8_t *data,
                       size_t len, struct dz_spec_error *error)
{
    struct dz_spec_reader x;
    struct dz_read r;
    dz_assert(parent->strategy != DZ_SIMPLE_ONE_FOR_ONE);
    dz_spec_reader_init(&x, error);
    dz_read_init(&r, data, len);
    return dz_spec_read_child(&x, &r, parent, false, out);
}

void dz_child_spec_delete(struct dz_child_spec *c)
{
    if (c == NULL)
        return;
    dz_free(c->id);
    dz_free(c->what);
    dz_sup_spec_delete(c->supervisor);
    dz_free(c->args);
    dz_free(c->name);
    dz_free(c->global_name);
    dz_free(c->selector.name);
    dz_free(c->source);
    dz_free(c);
}
