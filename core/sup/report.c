/* report.c - what the machine says: actions, events, replies and error tables.
 * Owns:    the list of actions and the memory they point to, until the next event.
 * Threads: the machine's. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/err.h"
#include "sup/machine.h"
#include "term/build.h"
#include "term/read.h"

#define TEXT_MAX 1024
#define DETAIL_MAX 640 /* leaves room for the ids behind it */

struct dz_sup_kept {
    struct dz_sup_kept *next;
    void *memory;
};

/* --- the list of actions --- */

struct dz_sup_action *dz_report_action(struct dz_sup *s, enum dz_sup_action_type type)
{
    if (s->action_count == s->action_cap) {
        uint32_t cap = s->action_cap ? s->action_cap * 2 : 16;
        struct dz_sup_action *grown = dz_zalloc_must(cap, sizeof *grown);
        if (s->action_count > 0)
            memcpy(grown, s->actions, s->action_count * sizeof *grown);
        dz_free(s->actions);
        s->actions = grown;
        s->action_cap = cap;
    }
    struct dz_sup_action *a = &s->actions[s->action_count++];
    memset(a, 0, sizeof *a);
    a->type = type;
    return a;
}

static void report_deadline(struct dz_sup *s)
{
    /* Delayed restarts die with the supervisor. */
    struct dz_heap_node *top = s->phase == DZ_PHASE_STOPPING ? NULL : dz_heap_top(&s->timers);
    uint64_t deadline = top ? top->key : DZ_TIME_INFINITY;
    if (deadline == s->announced_deadline || s->phase == DZ_PHASE_ENDED)
        return;
    s->announced_deadline = deadline;
    dz_report_action(s, DZ_SUP_TIMER)->as.deadline_ms = deadline;
}

const struct dz_sup_action *dz_sup_next_action(struct dz_sup *s)
{
    if (s->action_first == s->action_count)
        report_deadline(s);
    return s->action_first == s->action_count ? NULL : &s->actions[s->action_first++];
}

void *dz_report_keep(struct dz_sup *s, void *memory)
{
    struct dz_sup_kept *k = dz_alloc_must(sizeof *k);
    k->next = s->kept;
    k->memory = memory;
    s->kept = k;
    return memory;
}

const char *dz_report_keep_text(struct dz_sup *s, const char *text)
{
    char *copy = dz_strndup(text, strlen(text));
    dz_assert(copy != NULL);
    return dz_report_keep(s, copy);
}

/* Memory of one large step (100,000 children stopped) is given back. */
#define ACTIONS_KEPT 1024u

void dz_report_free_actions(struct dz_sup *s)
{
    while (s->kept != NULL) {
        struct dz_sup_kept *k = s->kept;
        s->kept = k->next;
        dz_free(k->memory);
        dz_free(k);
    }
    s->action_first = s->action_count = 0;
    if (s->action_cap > ACTIONS_KEPT) {
        dz_free(s->actions);
        s->actions = NULL;
        s->action_cap = 0;
    }
}

/* --- events --- */

static const char *reason_text(struct dz_sup *s, const struct dz_sup_blob *b)
{
    char text[TEXT_MAX];
    if (b->data == NULL)
        return "normal";
    dz_term_reason_text(b->data, b->len, text, sizeof text);
    return dz_report_keep_text(s, text);
}

static struct dz_sup_event *event(struct dz_sup *s, enum dz_sup_event_type type, struct dz_sup_child *c)
{
    struct dz_sup_event *e = &dz_report_action(s, DZ_SUP_EVENT)->as.event;
    e->type = type;
    e->node = e->from_node = DZ_SUP_NO_NODE;
    if (c != NULL)
        e->child_id = c->id;
    return e;
}

void dz_report_supervisor(struct dz_sup *s, enum dz_sup_event_type type)
{
    const char *reason = type == DZ_EVENT_SUPERVISOR_STOPPED ? reason_text(s, &s->exit_reason) : NULL;
    event(s, type, NULL)->reason = reason;
}

static enum dz_sup_event_type kind_of_start(const struct dz_sup_child *c)
{
    if (!c->ever_started)
        return DZ_EVENT_CHILD_STARTED;
    return c->lost && c->flight_hash != c->node_hash ? DZ_EVENT_CHILD_MIGRATED : DZ_EVENT_CHILD_RESTARTED;
}

void dz_report_started(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_started *started)
{
    enum dz_sup_event_type kind = kind_of_start(c);
    const char *reason = c->ever_started ? reason_text(s, &c->end) : NULL;
    if (c->ever_started)
        c->restart_count++;
    if (c->lost) {
        s->node_failure_restarts++;
        s->total_restarts++;
    }
    struct dz_sup_event *e = event(s, kind, c);
    e->node = c->flight_node;
    e->from_node = kind == DZ_EVENT_CHILD_MIGRATED ? c->node : DZ_SUP_NO_NODE;
    e->pid = started->pid;
    e->epoch = c->epoch;
    e->attempt = c->restart_count;
    e->reason = reason;
    c->ever_started = true;
    c->end_told = true;
    c->lost = false;
    c->excluded = DZ_SUP_NO_NODE;
    c->pending_told = false;
    c->pending_step = 0;
}

void dz_report_child_stopped(struct dz_sup *s, struct dz_sup_child *c)
{
    if (c->end_told)
        return;
    const char *reason = reason_text(s, &c->end);
    event(s, DZ_EVENT_CHILD_STOPPED, c)->reason = reason;
    c->end_told = true;
}

void dz_report_pending(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_failure *failure)
{
    char text[TEXT_MAX];
    struct dz_read cause;
    const char *reason = dz_err_name(failure->code);
    if (failure->detail != NULL && dz_read_find(failure->detail, failure->detail_len, "cause", &cause)) {
        dz_term_reason_text(cause.at, (size_t)(cause.end - cause.at), text, sizeof text);
        reason = dz_report_keep_text(s, text);
    }
    event(s, DZ_EVENT_CHILD_PENDING, c)->reason = reason;
}

void dz_report_node_failure(struct dz_sup *s, uint32_t node, const struct dz_list *children, uint32_t count)
{
    const char **ids = dz_report_keep(s, dz_zalloc_must(count, sizeof *ids));
    uint32_t n = 0;
    dz_list_each(children, it) ids[n++] = dz_list_entry(it, struct dz_sup_child, group)->id;
    dz_assert(n == count);
    struct dz_sup_event *e = event(s, DZ_EVENT_NODE_FAILURE_DETECTED, NULL);
    e->node = node;
    e->affected = ids;
    e->affected_count = count;
}

/* --- STOP --- */

static bool ends_superseded(const struct dz_sup *s)
{
    static const uint8_t superseded[] = {0xaa, 's', 'u', 'p', 'e', 'r', 's', 'e', 'd', 'e', 'd'};
    return s->phase == DZ_PHASE_STOPPING && s->exit_reason.len == sizeof superseded &&
           memcmp(s->exit_reason.data, superseded, sizeof superseded) == 0;
}

/* What turned out to be a supervisor has its children to stop, like one that the spec calls so. */
static uint64_t shutdown_ms(const struct dz_sup_child *c)
{
    return c->is_supervisor && !c->spec->own_shutdown ? DZ_TIME_INFINITY : c->spec->shutdown_ms;
}

void dz_report_stop(struct dz_sup *s, struct dz_sup_child *c)
{
    dz_assert(c->process == DZ_PROCESS_LIVE);
    dz_children_set_status(s, c, DZ_CHILD_STOPPING);
    struct dz_sup_action *a = dz_report_action(s, DZ_SUP_STOP);
    a->as.stop.pid = c->pid;
    a->as.stop.child_id = c->id;
    a->as.stop.reason = ends_superseded(s) ? "superseded" : "shutdown";
    a->as.stop.timeout_ms = shutdown_ms(c);
    a->as.stop.brutal = c->spec->brutal_kill;
}

/* --- replies --- */

static struct dz_sup_reply *reply(struct dz_sup *s, uint64_t requester, int code)
{
    struct dz_sup_reply *r = &dz_report_action(s, DZ_SUP_REPLY)->as.reply;
    r->requester = requester;
    r->code = code;
    return r;
}

void dz_report_ok(struct dz_sup *s, uint64_t requester)
{
    reply(s, requester, DZ_OK);
}

void dz_report_pid(struct dz_sup *s, uint64_t requester, struct dz_sup_child *c)
{
    struct dz_sup_reply *r = reply(s, requester, DZ_OK);
    r->has_pid = true;
    r->pid = c->pid;
    r->child_id = c->id;
}

static void reply_error(struct dz_sup *s, uint64_t requester, int code, struct dz_sup_blob *error)
{
    struct dz_sup_reply *r = reply(s, requester, code);
    r->error = dz_report_keep(s, error->data);
    r->error_len = error->len;
}

/* The bytes built, or the bare short name when memory ran out. */
static void finish_error(struct dz_buf *buf, struct dz_build *b, int code, struct dz_sup_blob *out)
{
    if (dz_build_done(b) == DZ_OK)
        out->data = dz_buf_detach(buf, &out->len);
    else
        dz_sup_reason_text(out, dz_err_name(code));
    dz_buf_fini(buf);
}

/* `text` says what happened; the message adds whose child it was. */
static void begin_error(struct dz_sup *s, struct dz_build *b, int code, const char *text, const char *child_id,
                        uint32_t more)
{
    char message[TEXT_MAX];
    if (child_id != NULL)
        snprintf(message, sizeof message, "%s (supervisor %s, child %s)", text, s->id, child_id);
    else
        snprintf(message, sizeof message, "%s (supervisor %s)", text, s->id);
    dz_build_map(b, 3 + (child_id != NULL) + more);
    dz_build_kstring(b, "code", dz_err_name(code));
    dz_build_kstring(b, "message", message);
    dz_build_kstring(b, "supervisor_id", s->id);
    if (child_id != NULL)
        dz_build_kstring(b, "child_id", child_id);
}

void dz_report_error(struct dz_sup *s, uint64_t requester, int code, const char *child_id)
{
    struct dz_buf buf;
    struct dz_build b;
    struct dz_sup_blob error = {NULL, 0};
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    begin_error(s, &b, code, dz_err_text(code), child_id, 0);
    finish_error(&buf, &b, code, &error);
    reply_error(s, requester, code, &error);
}

void dz_report_spec_error(struct dz_sup *s, uint64_t requester, const struct dz_spec_error *e)
{
    struct dz_buf buf;
    struct dz_sup_blob error = {NULL, 0};
    dz_buf_init(&buf);
    if (dz_spec_error_encode(e, &buf) == DZ_OK)
        error.data = dz_buf_detach(&buf, &error.len);
    else
        dz_sup_reason_text(&error, dz_err_name(e->code));
    dz_buf_fini(&buf);
    reply_error(s, requester, e->code, &error);
}

/* --- why a start failed --- */

static bool code_was_not_asked(int code)
{
    return code == DZ_ENOBEHAVIOR || code == DZ_ENONODE || code == DZ_ENAMETAKEN || code == DZ_ETIMEOUT ||
           code == DZ_ENOCONNECTION;
}

static bool is_ours(const char *key, size_t len)
{
    static const char *const ours[] = {"code", "message", "supervisor_id", "child_id"};
    for (size_t i = 0; i < 4; i++)
        if (strlen(ours[i]) == len && memcmp(ours[i], key, len) == 0)
            return true;
    return false;
}

/* Passes over one entry of the detail; true if it is a field to keep. */
static bool next_field(struct dz_read *r, const char **key, size_t *key_len, const uint8_t **value,
                       size_t *len)
{
    bool named = dz_read_string(r, key, key_len) == DZ_OK;
    if (!named)
        dz_read_skip(r, NULL, NULL);
    return dz_read_skip(r, value, len) == DZ_OK && named && !is_ours(*key, *key_len);
}

static uint32_t open_detail(const struct dz_sup_failure *f, struct dz_read *r)
{
    uint32_t count = 0;
    dz_read_init(r, f->detail, f->detail_len);
    return f->detail != NULL && dz_read_map(r, &count) == DZ_OK ? count : 0;
}

/* The detail's own message, which names what was looked for and where, as far as it fits. */
static const char *detail_text(const struct dz_sup_failure *f, char text[DETAIL_MAX])
{
    const char *message;
    size_t len;
    if (f->detail == NULL || !dz_read_find_string(f->detail, f->detail_len, "message", &message, &len))
        return dz_err_text(f->code);
    snprintf(text, DETAIL_MAX, "%.*s", (int)len, message);
    return text;
}

/* The driver's table with its own fields, and whose child it was. */
static void build_kept_fields(struct dz_sup *s, struct dz_build *b, const char *child_id,
                              const struct dz_sup_failure *f)
{
    struct dz_read r, again;
    char text[DETAIL_MAX];
    const char *key;
    const uint8_t *value;
    size_t key_len, len;
    uint32_t count = open_detail(f, &r), kept = 0;
    again = r;
    for (uint32_t i = 0; i < count; i++)
        kept += next_field(&r, &key, &key_len, &value, &len);
    begin_error(s, b, f->code, detail_text(f, text), child_id, kept);
    for (uint32_t i = 0; i < count; i++) {
        if (!next_field(&again, &key, &key_len, &value, &len))
            continue;
        dz_build_string(b, key, key_len);
        dz_build_raw(b, value, len);
    }
}

int dz_report_start_error(struct dz_sup *s, struct dz_sup_child *c, const struct dz_sup_failure *f,
                          struct dz_sup_blob *out)
{
    struct dz_buf buf;
    struct dz_build b;
    const char *child_id = c ? c->id : NULL;
    int code = code_was_not_asked(f->code) ? f->code : DZ_ECHILDSTART;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    if (code != DZ_ECHILDSTART) {
        build_kept_fields(s, &b, child_id, f);
    } else {
        begin_error(s, &b, code, dz_err_text(code), child_id, 1);
        if (f->detail != NULL)
            dz_build_kraw(&b, "cause", f->detail, f->detail_len);
        else
            dz_build_kstring(&b, "cause", dz_err_name(f->code));
    }
    finish_error(&buf, &b, code, out);
    return code;
}

void dz_report_start_failed(struct dz_sup *s, uint64_t requester, struct dz_sup_child *c,
                            const struct dz_sup_failure *failure)
{
    struct dz_sup_blob error = {NULL, 0};
    int code = dz_report_start_error(s, c, failure, &error);
    reply_error(s, requester, code, &error);
}

const struct dz_sup_failure *dz_report_broken_off(void)
{
    static const uint8_t shutdown[] = {0xa8, 's', 'h', 'u', 't', 'd', 'o', 'w', 'n'};
    static const struct dz_sup_failure broken_off = {DZ_ESHUTDOWN, shutdown, sizeof shutdown, false, false};
    return &broken_off;
}
