/* world.h - plays the world for one supervisor machine: answers what it asks for and writes down what it
 * does, one line per action, so that a test reads as the protocol.
 *
 *   select a            only when `selecting` is traced        start a@0       (node 0; "!jit" when
 * interpreted) cancel a            stop a 5000 | stop a kill              timer 500 | timer off ready reply 1
 * ok [a] | reply 1 <code> [cause]
 *   + <event> ...       exit <reason>
 *
 * Starts succeed and stops are obeyed at once, unless the test says otherwise (world_fail, world_hold_starts,
 * ...). Owns:    the machine, the trace, the processes it pretends to run. */
#ifndef DZ_TESTS_SUP_WORLD_H
#define DZ_TESTS_SUP_WORLD_H

#include "literal.h"

#include <stdio.h>
#include "base/alloc.h"
#include "base/err.h"
#include "sup/supervisor.h"
#include "term/read.h"

/* Three children that start in this order. */
#define WORLD_THREE                                                                                          \
    "{ children = { { id = \"a\", behavior = \"w\" }, { id = \"b\", behavior = \"w\" }, { id = \"c\", "      \
    "behavior = \"w\" } } }"
/* A child of this id, pinned to a node or not; `more` begins with a comma. */
#define AT(id, node, more)                                                                                   \
    "{ id = \"" id "\", behavior = \"w\", node_selector = { node = \"" node "\" } " more "}"
#define ON(id, more) "{ id = \"" id "\", behavior = \"w\" " more "}"

#define WORLD_PROCS 4096
#define WORLD_NODES 4

struct world_proc {
    struct dz_pid pid;
    char id[32];
    bool live;
    bool stopping; /* a STOP waits for world_stopped */
};

struct world_start {
    uint64_t token;
    char id[32];
    uint32_t node;
    bool open;
    bool cancelled;
};

struct world {
    struct dz_sup *sup;
    uint64_t now;
    struct dz_buf trace;
    struct world_proc procs[WORLD_PROCS];
    uint32_t proc_count;
    struct world_start starts[WORLD_PROCS];
    uint32_t start_count;
    uint32_t start_next; /* not answered yet */
    struct dz_pid stops[WORLD_PROCS];
    uint32_t stop_count;
    uint32_t stop_next;
    uint64_t selects[WORLD_PROCS];
    uint32_t select_count;
    uint32_t select_next;
    uint64_t asked; /* token of the last ASK */
    struct dz_candidate nodes[WORLD_NODES];
    uint32_t node_count;
    char fail_id[8][32];
    int fail_times[8];
    int fail_code;
    bool fail_refused;
    uint32_t refusing; /* this node refuses what comes to it; DZ_SUP_NO_NODE: none */
    bool hold_starts;
    bool hold_stops;
    bool hold_selects;
    uint64_t deadline;
    bool ready;
    bool exited;
    uint32_t replies;
};

static inline void world_line(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void world_line(struct world *w, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    dz_buf_append(&w->trace, line, strlen(line));
    dz_buf_append_u8(&w->trace, '\n');
}

static inline struct world_proc *world_proc_of(struct world *w, struct dz_pid pid)
{
    assert_in_range(pid.slot, 1, w->proc_count);
    return &w->procs[pid.slot - 1];
}

/* The living process of a child. */
static inline struct world_proc *world_find(struct world *w, const char *id)
{
    struct world_proc *found = NULL;
    for (uint32_t i = 0; i < w->proc_count; i++)
        if (w->procs[i].live && strcmp(w->procs[i].id, id) == 0)
            found = &w->procs[i];
    return found;
}

static inline void world_event(struct world *w, const struct dz_sup_event *e)
{
    char ids[512] = "";
    switch (e->type) {
    case DZ_EVENT_SUPERVISOR_STARTED:
        world_line(w, "+ supervisor_started");
        break;
    case DZ_EVENT_SUPERVISOR_STOPPED:
        world_line(w, "+ supervisor_stopped %s", e->reason);
        break;
    case DZ_EVENT_CHILD_STARTED:
        world_line(w, "+ started %s", e->child_id);
        break;
    case DZ_EVENT_CHILD_STOPPED:
        world_line(w, "+ stopped %s %s", e->child_id, e->reason);
        break;
    case DZ_EVENT_CHILD_RESTARTED:
        world_line(w, "+ restarted %s %u %s", e->child_id, e->attempt, e->reason);
        break;
    case DZ_EVENT_CHILD_MIGRATED:
        world_line(w, "+ migrated %s %u->%u", e->child_id, e->from_node, e->node);
        break;
    case DZ_EVENT_CHILD_PENDING:
        world_line(w, "+ pending %s: %s", e->child_id, e->reason);
        break;
    case DZ_EVENT_NODE_FAILURE_DETECTED:
        for (size_t i = 0; i < e->affected_count; i++)
            snprintf(ids + strlen(ids), sizeof ids - strlen(ids), " %s", e->affected[i]);
        world_line(w, "+ node_failure %u:%s", e->node, ids);
        break;
    }
}

static inline void world_reply(struct world *w, const struct dz_sup_reply *r)
{
    char cause[256] = "";
    struct dz_read value;
    w->replies++;
    if (r->code == 0) {
        world_line(w, r->child_id ? "reply %d ok %s" : "reply %d ok", (int)r->requester, r->child_id);
        return;
    }
    assert_int_equal(dz_term_check(r->error, r->error_len, 0), 0);
    if (dz_read_find(r->error, r->error_len, "cause", &value)) {
        cause[0] = ' ';
        dz_term_reason_text(value.at, (size_t)(value.end - value.at), cause + 1, sizeof cause - 1);
    }
    world_line(w, "reply %d %s%s", (int)r->requester, dz_err_name(r->code), cause);
}

static inline void world_take_start(struct world *w, const struct dz_sup_start *a)
{
    assert_in_range(w->start_count, 0, WORLD_PROCS - 1);
    /* Never two processes for one child. */
    assert_null(world_find(w, a->child_id));
    struct world_start *s = &w->starts[w->start_count++];
    *s = (struct world_start){.token = a->token, .node = a->node, .open = true};
    snprintf(s->id, sizeof s->id, "%s", a->child_id);
    world_line(w, "start %s@%u%s", a->child_id, a->node, a->no_jit ? " !jit" : "");
}

static inline void world_take_stop(struct world *w, const struct dz_sup_stop_action *a)
{
    struct world_proc *p = world_proc_of(w, a->pid);
    assert_true(p->live);
    assert_false(p->stopping);
    p->stopping = true;
    w->stops[w->stop_count++] = a->pid;
    if (a->brutal)
        world_line(w, "stop %s kill", a->child_id);
    else if (a->timeout_ms == DZ_TIME_INFINITY)
        world_line(w, "stop %s infinity", a->child_id);
    else
        world_line(w, "stop %s %d", a->child_id, (int)a->timeout_ms);
}

static inline void world_exit(struct world *w, const struct dz_sup_exit *e)
{
    char reason[256];
    dz_term_reason_text(e->reason, e->len, reason, sizeof reason);
    world_line(w, e->start_failed ? "exit %s, start failed" : "exit %s", reason);
    w->exited = true;
    for (uint32_t i = 0; i < w->proc_count; i++)
        assert_false(w->procs[i].live);
}

static inline void world_cancel(struct world *w, uint64_t token)
{
    for (uint32_t i = 0; i < w->start_count; i++) {
        if (w->starts[i].token != token)
            continue;
        w->starts[i].cancelled = true;
        world_line(w, "cancel %s", w->starts[i].id);
    }
}

static inline void world_drain(struct world *w)
{
    const struct dz_sup_action *a;
    while ((a = dz_sup_next_action(w->sup)) != NULL) {
        assert_true(!w->exited || a->type == DZ_SUP_REPLY);
        switch (a->type) {
        case DZ_SUP_SELECT:
            w->selects[w->select_count++] = a->as.select.token;
            break;
        case DZ_SUP_ASK:
            w->asked = a->as.select.token;
            world_line(w, "ask %s", a->as.select.child_id);
            break;
        case DZ_SUP_START:
            world_take_start(w, &a->as.start);
            break;
        case DZ_SUP_CANCEL:
            world_cancel(w, a->as.token);
            break;
        case DZ_SUP_STOP:
            world_take_stop(w, &a->as.stop);
            break;
        case DZ_SUP_TIMER:
            w->deadline = a->as.deadline_ms;
            if (w->deadline == DZ_TIME_INFINITY)
                world_line(w, "timer off");
            else
                world_line(w, "timer %d", (int)(w->deadline - w->now));
            break;
        case DZ_SUP_READY:
            w->ready = true;
            world_line(w, "ready");
            break;
        case DZ_SUP_REPLY:
            world_reply(w, &a->as.reply);
            break;
        case DZ_SUP_EVENT:
            world_event(w, &a->as.event);
            break;
        case DZ_SUP_EXIT:
            world_exit(w, &a->as.exit);
            break;
        }
    }
}

static inline void world_answer_start(struct world *w, struct world_start *s, int code, bool refused)
{
    struct dz_buf why = literal("\"no luck\"");
    assert_true(s->open);
    s->open = false;
    if (code != 0) {
        struct dz_sup_failure f = {code, why.data, why.len, refused, false};
        dz_sup_start_failed(w->sup, w->now, s->token, &f);
    } else {
        assert_in_range(w->proc_count, 0, WORLD_PROCS - 1);
        struct world_proc *p = &w->procs[w->proc_count++];
        memset(p, 0, sizeof *p);
        p->pid = (struct dz_pid){s->node, w->proc_count, 7};
        p->live = true;
        memcpy(p->id, s->id, sizeof p->id);
        struct dz_sup_started started = {.pid = p->pid, .worker = 1};
        dz_sup_started(w->sup, w->now, s->token, &started);
    }
    world_drain(w);
    dz_buf_fini(&why);
}

static inline void world_gone(struct world *w, struct world_proc *p, const char *reason)
{
    struct dz_buf term = literal(reason);
    assert_true(p->live);
    p->live = false;
    p->stopping = false;
    dz_sup_exited(w->sup, w->now, p->pid, term.data, term.len, DZ_SUP_EXITED);
    world_drain(w);
    dz_buf_fini(&term);
}

static inline int world_scripted(struct world *w, const char *id)
{
    for (int i = 0; i < 8; i++) {
        if (w->fail_times[i] > 0 && strcmp(w->fail_id[i], id) == 0) {
            w->fail_times[i]--;
            return w->fail_code;
        }
    }
    return 0;
}

static inline bool world_step(struct world *w)
{
    if (!w->hold_selects && w->select_next < w->select_count) {
        dz_sup_candidates(w->sup, w->now, w->selects[w->select_next++], w->nodes, w->node_count);
        world_drain(w);
        return true;
    }
    if (!w->hold_stops && w->stop_next < w->stop_count) {
        struct world_proc *p = world_proc_of(w, w->stops[w->stop_next++]);
        if (p->live)
            world_gone(w, p, "\"shutdown\"");
        return true;
    }
    if (!w->hold_starts && w->start_next < w->start_count) {
        struct world_start *s = &w->starts[w->start_next++];
        if (!s->open)
            return true;
        bool refused = s->node == w->refusing;
        int code = refused ? DZ_ENOCONNECTION : world_scripted(w, s->id);
        world_answer_start(w, s, s->cancelled ? DZ_ESHUTDOWN : code, refused);
        return true;
    }
    return false;
}

/* Everything that can happen by itself happens. */
static inline void world_run(struct world *w)
{
    world_drain(w);
    while (world_step(w)) {
    }
}

static inline void world_expect(struct world *w, const char *trace)
{
    dz_buf_append_u8(&w->trace, 0);
    assert_string_equal((const char *)w->trace.data, trace);
    dz_buf_clear(&w->trace);
}

static inline void world_forget(struct world *w)
{
    dz_buf_clear(&w->trace);
}

static inline struct world *world_new(const char *spec_text)
{
    static const char *const ids[WORLD_NODES] = {"a@h:1", "b@h:2", "c@h:3", "d@h:4"};
    struct world *w = calloc(1, sizeof *w);
    struct dz_buf term = literal(spec_text);
    struct dz_sup_spec *spec = NULL;
    struct dz_spec_error error;
    assert_non_null(w);
    if (dz_sup_spec_read(&spec, term.data, term.len, &error) != 0)
        fail_msg("%s", error.message);
    dz_buf_fini(&term);
    w->now = 1000;
    w->deadline = DZ_TIME_INFINITY;
    w->refusing = DZ_SUP_NO_NODE;
    w->fail_code = DZ_EINITFAILED;
    for (uint32_t i = 0; i < WORLD_NODES; i++)
        w->nodes[i] = (struct dz_candidate){.node = i, .id = ids[i], .local = i == 0, .connected = true};
    w->node_count = 1;
    dz_buf_init(&w->trace);
    struct dz_sup_options options = {"sup", 42, w->now, 5000000};
    dz_sup_new(&w->sup, &spec, &options);
    assert_null(spec);
    return w;
}

static inline void world_start(struct world *w)
{
    dz_sup_start(w->sup, w->now);
    world_run(w);
}

/* Started and ready, the trace of it forgotten. */
static inline struct world *world_started(const char *spec_text)
{
    struct world *w = world_new(spec_text);
    world_start(w);
    assert_true(w->ready);
    world_forget(w);
    return w;
}

/* The same with so many of its nodes connected. */
static inline struct world *world_cluster(const char *spec, uint32_t nodes)
{
    struct world *w = world_new(spec);
    w->node_count = nodes;
    world_start(w);
    assert_true(w->ready);
    world_forget(w);
    return w;
}

static inline void world_delete(struct world *w)
{
    dz_sup_delete(w->sup);
    dz_buf_fini(&w->trace);
    free(w);
}

static inline void world_fail(struct world *w, const char *id, int times)
{
    for (int i = 0; i < 8; i++) {
        if (w->fail_times[i] > 0)
            continue;
        snprintf(w->fail_id[i], sizeof w->fail_id[i], "%s", id);
        w->fail_times[i] = times;
        return;
    }
}

/* The child's process ends; what follows has not happened yet. */
static inline void world_end(struct world *w, const char *id, const char *reason)
{
    struct world_proc *p = world_find(w, id);
    assert_non_null(p);
    world_gone(w, p, reason);
}

static inline void world_crash(struct world *w, const char *id)
{
    world_end(w, id, "{ code = \"error\", message = \"boom\" }");
    world_run(w);
}

static inline void world_pass(struct world *w, uint64_t ms)
{
    w->now += ms;
    dz_sup_tick(w->sup, w->now);
    world_run(w);
}

static inline void world_start_child(struct world *w, uint64_t who, const char *term_text)
{
    struct dz_buf term = literal(term_text);
    dz_sup_start_child(w->sup, w->now, who, term.data, term.len);
    world_run(w);
    dz_buf_fini(&term);
}

static inline void world_terminate_child(struct world *w, uint64_t who, const char *id)
{
    dz_sup_terminate_child(w->sup, w->now, who, id, strlen(id));
    world_run(w);
}

static inline void world_restart_child(struct world *w, uint64_t who, const char *id)
{
    dz_sup_restart_child(w->sup, w->now, who, id, strlen(id));
    world_run(w);
}

static inline void world_stop(struct world *w, uint64_t who, const char *reason)
{
    struct dz_buf term = literal(reason);
    dz_sup_stop(w->sup, w->now, who, term.data, term.len);
    world_run(w);
    dz_buf_fini(&term);
}

static inline void world_lose_node(struct world *w, uint32_t node)
{
    for (uint32_t i = 0; i < w->proc_count; i++) {
        if (w->procs[i].pid.node == node)
            w->procs[i].live = w->procs[i].stopping = false;
    }
    w->nodes[node].connected = false;
    dz_sup_node_lost(w->sup, w->now, node);
    world_run(w);
}

static inline void world_return_node(struct world *w, uint32_t node)
{
    w->nodes[node].connected = true;
    dz_sup_node_up(w->sup, w->now);
    world_run(w);
}

/* "a:running b:stopped" in start order. */
static inline void world_expect_children(struct world *w, const char *expected)
{
    char text[1024] = "";
    struct dz_sup_child_info info;
    for (const struct dz_sup_child *c = dz_sup_first_child(w->sup); c; c = dz_sup_next_child(w->sup, c)) {
        dz_sup_child_info(w->sup, c, &info);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s:%s", text[0] ? " " : "", info.id,
                 dz_sup_status_name(info.status));
    }
    assert_string_equal(text, expected);
}

#endif
