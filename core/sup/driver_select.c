/* driver_select.c - where a supervisor's children go: the nodes of this moment, selector functions, what the machine is told of them.
 * Owns:    what the machine is to be told between two of its events (dz_told).
 * Threads: whoever runs the native. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/send.h"
#include "sup/driver_parts.h"
#include "term/read.h"

/* More nodes than that and the list of them leaves the stack. */
#define NODES_ON_STACK 16u

struct nodes {
    struct dz_candidate few[NODES_ON_STACK];
    struct dz_candidate *many; /* NULL: `few` are all */
    size_t count;
};

static void nodes_init(struct nodes *n, const struct dz_place_ports *ports)
{
    n->many = NULL;
    n->count = ports->candidates(ports->ctx, n->few, NODES_ON_STACK);
    if (n->count <= NODES_ON_STACK)
        return;
    size_t cap = n->count;
    n->many = dz_zalloc_must(cap, sizeof *n->many);
    n->count = ports->candidates(ports->ctx, n->many, cap);
    if (n->count > cap)
        n->count = cap; /* one more joined in between */
}

static const struct dz_candidate *nodes_all(const struct nodes *n)
{
    return n->many ? n->many : n->few;
}

static void selected(struct dz_supervisor *s, uint64_t token, const char *node_id, const char *failure)
{
    struct nodes nodes;
    struct dz_buf buf;
    struct dz_build b;
    nodes_init(&nodes, &s->driver->ports);
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    if (failure)
        dz_build_cstring(&b, failure);
    dz_sup_selected(s->sup, dz_supervisor_now(s), token, nodes_all(&nodes), nodes.count, node_id,
                    buf.len ? buf.data : NULL, buf.len);
    dz_buf_fini(&buf);
    dz_free(nodes.many);
}

void dz_supervisor_tell(struct dz_supervisor *s, enum dz_told_kind kind, uint64_t token, int code,
                        bool refused, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    struct dz_told *told = dz_alloc_must(sizeof *told + len + 1);
    *told = (struct dz_told){.kind = kind, .token = token, .code = code, .refused = refused};
    memcpy(told->text, text ? text : "", len + 1);
    if (s->told_last)
        s->told_last->next = told;
    else
        s->told_first = told;
    s->told_last = told;
}

static void tell_candidates(struct dz_supervisor *s, uint64_t token)
{
    struct nodes nodes;
    nodes_init(&nodes, &s->driver->ports);
    dz_sup_candidates(s->sup, dz_supervisor_now(s), token, nodes_all(&nodes), nodes.count);
    dz_free(nodes.many);
}

bool dz_supervisor_told(struct dz_supervisor *s)
{
    struct dz_told *told = s->told_first;
    if (!told)
        return false;
    s->told_first = told->next;
    if (!s->told_first)
        s->told_last = NULL;
    if (told->kind == DZ_TOLD_CANDIDATES) {
        tell_candidates(s, told->token);
    } else if (told->kind == DZ_TOLD_NO_SELECTION) {
        selected(s, told->token, NULL, told->text[0] ? told->text : NULL);
    } else {
        struct dz_sup_failure failure = {.code = told->code, .refused = told->refused};
        dz_sup_start_failed(s->sup, dz_supervisor_now(s), told->token, &failure);
    }
    dz_free(told);
    return true;
}

/* --- selector functions --- */

/* [nodes, child_id] */
static void put_ask_args(struct dz_supervisor *s, struct dz_buf *buf, const char *child_id)
{
    const struct dz_place_ports *ports = &s->driver->ports;
    struct dz_build b;
    dz_build_init(&b, buf);
    dz_build_array(&b, 2);
    ports->candidate_records(ports->ctx, &b);
    dz_build_cstring(&b, child_id);
}

static int send_ask(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_function *f,
                    const char *child_id, struct dz_pending *p)
{
    struct dz_buf function, args;
    dz_buf_init(&function);
    dz_buf_init(&args);
    dz_supervisor_put_function(&function, f);
    put_ask_args(s, &args, child_id);
    struct dz_spawn spawn = {.what = DZ_SPAWN_START,
                             .flags = DZ_SPAWN_HIDDEN,
                             .function = function.data,
                             .function_len = function.len,
                             .args = args.data,
                             .args_len = args.len,
                             .timeout_ms = DZ_DRIVER_ASK_MS};
    struct dz_msg *m = dz_spawn_hold(&spawn);
    int err = m ? 0 : DZ_ENOMEM;
    if (m) {
        m->from = dz_supervisor_pid(s);
        m->ref = p->ref;
        err = dz_spawn_send(t, f->worker, &m, &p->cancel);
        dz_msg_free(m);
    }
    dz_buf_fini(&function);
    dz_buf_fini(&args);
    return err;
}

void dz_supervisor_ask(struct dz_thread *t, struct dz_supervisor *s, const struct dz_sup_select *select)
{
    struct dz_sup_function f = select->selector->function;
    uint64_t token = select->token;
    const char *name = select->selector->name;
    if (select->selector->kind == DZ_SELECT_NAMED &&
        !dz_selectors_find(&s->driver->selectors, name, strlen(name), &f)) {
        char why[DZ_SPEC_MAX_NAME + 80];
        snprintf(why, sizeof why, "no selector \"%s\" is registered on the supervisor's node", name);
        dz_supervisor_tell(s, DZ_TOLD_NO_SELECTION, token, 0, false, why);
        return;
    }
    struct dz_pending *p = dz_supervisor_pending_new(t, s, DZ_PENDING_ASK, token, DZ_DRIVER_ASK_MS);
    if (send_ask(t, s, &f, select->child_id, p)) {
        dz_supervisor_pending_delete(s, p);
        dz_supervisor_tell(s, DZ_TOLD_NO_SELECTION, token, 0, false, "out of memory");
    }
}

/* What the function raised is the `reason` of its process's end. */
static void ask_failed(struct dz_supervisor *s, const struct dz_pending *p, const struct dz_msg *m)
{
    char text[256];
    struct dz_read r;
    if (!dz_read_find(m->data, m->len, "reason", &r))
        dz_read_init(&r, m->data, m->len);
    dz_term_reason_text(r.at, (size_t)(r.end - r.at), text, sizeof text);
    selected(s, p->token, NULL, text);
}

void dz_supervisor_ask_answered(struct dz_supervisor *s, const struct dz_pending *p, const struct dz_msg *m)
{
    char text[DZ_NODE_ID_MAX];
    const char *id;
    size_t len;
    struct dz_read r;
    if (m->flags & DZ_MSG_FAILED) {
        ask_failed(s, p, m);
        return;
    }
    dz_read_init(&r, m->data, m->len);
    if (dz_read_string(&r, &id, &len) || len >= sizeof text) {
        selected(s, p->token, NULL, NULL);
        return;
    }
    memcpy(text, id, len);
    text[len] = 0;
    selected(s, p->token, text, NULL);
}

void dz_supervisor_free_told(struct dz_supervisor *s)
{
    while (s->told_first) {
        struct dz_told *told = s->told_first;
        s->told_first = told->next;
        dz_free(told);
    }
}
