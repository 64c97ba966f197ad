/* tree.h - supervisors that run for real on the hand-turned runtime of ../proc/rig.h: their children are C
 * processes named by what they do, the world they see is written down.
 *
 *   init a, end a <reason>, gone a     a child's init begins, its terminate runs, it is no more
 *   +child_started a ...               an event
 *   #1 <value> | #1 !<code> ...        the answer to question 1
 *   far spawn a | far <kind> a         what goes to the other node
 *
 * Behaviours: ok; bad (its init raises); flaky (as long as bad_inits); slow (100 ms of init); never (init
 * does not return); lazy (50 ms of terminate); stubborn (terminate does not return); any other name is not
 * found. Owns:    the runtime, the driver, what the far node was asked for. Threads: one. */
#ifndef DZ_TESTS_SUP_TREE_H
#define DZ_TESTS_SUP_TREE_H

#include "../proc/rig.h"
#include "literal.h"
#include "proc/request.h"
#include "sup/driver.h"

#define TREE_KIDS 32768
#define TREE_FAR  64
#define TREE_IDS  32

enum tree_function { TREE_ANSWERS, TREE_RAISES, TREE_IS_SILENT, TREE_IS_NIL, TREE_MAKES_A_CHILD };

struct tree_kid {
    struct actor *actor; /* NULL: gone */
    struct dz_pid pid;
    struct dz_pid parent;
    char id[TREE_IDS];
    char behavior[TREE_IDS];
};

struct tree_far {
    struct dz_pid pid;
    struct dz_pid asker;
    struct dz_pid parent;
    uint64_t ref;
    char id[TREE_IDS];
    bool open; /* the SPAWN is not answered */
    bool alive;
};

struct tree {
    struct rig rig; /* first: the ports' ctx */
    struct dz_driver driver;
    struct dz_pid desk;    /* asks, hears events, is the system service */
    struct dz_pid sup;     /* the one started last */
    struct tree_kid *kids; /* every child ever made */
    uint32_t kid_count;
    uint32_t live;
    uint32_t bad_inits; /* so many inits of `flaky` raise before one succeeds */
    bool quiet;
    bool full_events;
    uint64_t asked; /* questions so far */
    uint64_t answers;
    uint8_t *answered; /* by question; how often */
    uint64_t answered_cap;
    struct dz_buf last; /* the last answer's value */
    enum tree_function function;
    const char *choice;   /* of the selector function */
    struct dz_pid parent; /* of the supervisors started */
    uint32_t idle_nodes;  /* known, not connected */
    bool hashes;          /* behaviours are files */
    bool far_there;
    bool far_holds; /* starts there wait for tree_far_up, or for a cancel */
    bool far_disobeys;
    int far_error;
    struct tree_far far[TREE_FAR];
    uint32_t far_count;
    uint32_t spread;
    bool name_taken;
    bool name_held;
    uint64_t name_ref;
    struct dz_pid name_asker;
    int placed_error;
    bool may_not_place;
};

static inline struct tree *tree_of(void *rig)
{
    return rig;
}

#define tree_note(w, ...)                                                                                    \
    do {                                                                                                     \
        if (!(w)->quiet)                                                                                     \
            rig_note(&(w)->rig, __VA_ARGS__);                                                                \
    } while (0)
#define tree_expect(w, text) rig_expect(&(w)->rig, text)

/* --- terms as text --- */

static inline void tree_show(struct dz_read *r, char *out, size_t cap)
{
    struct dz_value v;
    size_t n = strlen(out);
    assert_int_equal(dz_read_next(r, &v), 0);
#define tree_put(...) snprintf(out + strlen(out), cap - strlen(out), __VA_ARGS__)
    assert_true(n + 1 < cap);
    if (v.type == DZ_TERM_NIL)
        tree_put("nil");
    else if (v.type == DZ_TERM_BOOL)
        tree_put(v.as.boolean ? "true" : "false");
    else if (v.type == DZ_TERM_INT)
        tree_put("%lld", (long long)v.as.integer);
    else if (v.type == DZ_TERM_STRING)
        tree_put("%.*s", (int)v.as.str.len, v.as.str.bytes);
    else if (v.type == DZ_TERM_ARRAY) {
        tree_put("[");
        for (uint32_t i = 0; i < v.as.count; i++) {
            if (i)
                tree_put(",");
            tree_show(r, out, cap);
        }
        tree_put("]");
    } else if (v.type == DZ_TERM_MAP) {
        tree_put("{");
        for (uint32_t i = 0; i < v.as.count; i++) {
            if (i)
                tree_put(",");
            tree_show(r, out, cap);
            tree_put("=");
            tree_show(r, out, cap);
        }
        tree_put("}");
    } else {
        tree_put("<pid>");
    }
#undef tree_put
}

static inline const char *tree_text(const uint8_t *data, size_t len, char *out, size_t cap)
{
    struct dz_read r;
    out[0] = 0;
    dz_read_init(&r, data, len);
    tree_show(&r, out, cap);
    return out;
}

/* A field as text; "" when it is missing. */
static inline const char *tree_field(const uint8_t *data, size_t len, const char *key, char *out, size_t cap)
{
    struct dz_read r;
    out[0] = 0;
    if (dz_read_find(data, len, key, &r))
        tree_show(&r, out, cap);
    return out;
}

/* --- children --- */

static inline struct tree_kid *tree_kid_of(struct actor *a)
{
    return &tree_of(a->data)->kids[a->n];
}

/* The living process of a child, or NULL. */
static inline struct tree_kid *tree_find(struct tree *w, const char *id)
{
    for (uint32_t i = w->kid_count; i-- > 0;)
        if (w->kids[i].actor && strcmp(w->kids[i].id, id) == 0)
            return &w->kids[i];
    return NULL;
}

static inline struct dz_blob *tree_raised(const char *message)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 2);
    dz_build_kstring(&b, "code", "error");
    dz_build_kstring(&b, "message", message);
    assert_int_equal(dz_build_done(&b), 0);
    struct dz_blob *reason = dz_blob_new(buf.data, buf.len);
    dz_buf_fini(&buf);
    return reason;
}

static inline void tree_doom(struct dz_thread *t, struct actor *a, struct dz_blob *reason)
{
    dz_process_doom(t, &a->proc, reason, 0);
    dz_blob_unref(reason);
}

static inline void tree_kid_init(struct dz_thread *t, struct actor *a)
{
    struct tree *w = a->data;
    const char *what = tree_kid_of(a)->behavior;
    tree_note(w, "init %s", tree_kid_of(a)->id);
    if (strcmp(what, "bad") == 0 || (strcmp(what, "flaky") == 0 && w->bad_inits > 0)) {
        w->bad_inits -= w->bad_inits > 0;
        tree_doom(t, a, tree_raised("boom"));
    } else if (strcmp(what, "slow") == 0) {
        actor_sleep(t, a, 100 * RIG_MS);
    } else if (strcmp(what, "never") == 0) {
        actor_sleep(t, a, DZ_INFINITY);
    }
}

/* Casts: 1 crash, 2 exit normal. */
static inline void tree_kid_message(struct dz_thread *t, struct actor *a, struct dz_msg *m)
{
    if (m->kind == DZ_MSG_STOP) {
        struct dz_blob *reason = dz_blob_new(m->data, m->len);
        dz_process_owe(&a->proc, m);
        tree_doom(t, a, reason);
        return;
    }
    if (m->kind == DZ_MSG_CAST)
        tree_doom(t, a, actor_int(m) == 1 ? tree_raised("crash") : dz_blob_new_string("normal"));
    dz_msg_free(m);
}

static inline void tree_kid_resume(struct dz_thread *t, struct actor *a)
{
    dz_process_unwait(t, &a->proc);
}

static inline void tree_kid_terminate(struct dz_thread *t, struct actor *a)
{
    char text[128];
    struct tree *w = a->data;
    const char *what = tree_kid_of(a)->behavior;
    if (!w->quiet)
        dz_term_reason_text(a->proc.exit->data, a->proc.exit->len, text, sizeof text);
    tree_note(w, "end %s %s", tree_kid_of(a)->id, text);
    if (strcmp(what, "lazy") == 0)
        actor_sleep(t, a, 50 * RIG_MS);
    else if (strcmp(what, "stubborn") == 0)
        actor_sleep(t, a, DZ_INFINITY);
}

static inline void tree_kid_gone(struct dz_thread *t, struct actor *a)
{
    struct tree *w = a->data;
    (void)t;
    tree_note(w, "gone %s", tree_kid_of(a)->id);
    tree_kid_of(a)->actor = NULL;
    w->live--;
}

static const struct actor_role tree_kid_role = {.init = tree_kid_init,
                                                .message = tree_kid_message,
                                                .resume = tree_kid_resume,
                                                .terminate = tree_kid_terminate,
                                                .gone = tree_kid_gone};

static inline struct actor *tree_new_kid(struct tree *w, const char *id, size_t id_len, const char *what,
                                         size_t len)
{
    assert_true(w->kid_count < TREE_KIDS && id_len < TREE_IDS && len < TREE_IDS);
    struct tree_kid *kid = &w->kids[w->kid_count];
    kid->actor = actor_alloc(&tree_kid_role, 'k', w);
    kid->actor->n = w->kid_count++;
    memcpy(kid->id, id, id_len);
    memcpy(kid->behavior, what, len);
    w->live++;
    return kid->actor;
}

static inline void tree_refuse(struct dz_thread *t, struct dz_slot *slot, struct dz_msg *m, int err)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_error_build(&b, err, NULL);
    dz_process_refuse(t, slot, m, buf.data, buf.len);
    dz_buf_fini(&buf);
}

/* --- functions: selectors and `start` --- */

static inline void tree_function_init(struct dz_thread *t, struct actor *a)
{
    struct tree *w = a->data;
    struct dz_buf buf;
    struct dz_build b;
    if (w->function == TREE_IS_SILENT) {
        actor_sleep(t, a, DZ_INFINITY);
        return;
    }
    if (w->function == TREE_RAISES) {
        tree_doom(t, a, tree_raised("no idea"));
        return;
    }
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    if (w->function == TREE_MAKES_A_CHILD) {
        struct actor *kid = tree_new_kid(w, "made", 4, "ok", 2);
        struct dz_slot *slot;
        struct dz_pid pid;
        assert_int_equal(dz_table_reserve(&w->rig.rt.table, t->index, false, 0, &slot, &pid), 0);
        dz_process_init(t, &kid->proc, &actor_kind, slot, pid, NULL);
        tree_kid_of(kid)->pid = pid;
        dz_build_pid_of(&b, &w->rig.rt.nodes, pid);
    } else if (w->function == TREE_ANSWERS) {
        dz_build_cstring(&b, w->choice);
    } else {
        dz_build_nil(&b);
    }
    struct dz_msg *spawn = a->proc.owed;
    assert_int_equal(spawn->kind, DZ_MSG_SPAWN);
    dz_send_reply(t, a->proc.pid, spawn->from, spawn->ref, buf.data, buf.len);
    dz_msg_free(dz_process_unowe(&a->proc, spawn->from, spawn->ref));
    dz_buf_fini(&buf);
    dz_process_doom(t, &a->proc, t->rt->reasons[DZ_REASON_NORMAL], 0);
}

static const struct actor_role tree_function_role = {.init = tree_function_init, .resume = tree_kid_resume};

static inline void tree_call_function(struct tree *w, struct dz_thread *t, struct dz_slot *slot,
                                      struct dz_msg *m, const struct dz_spawn *s)
{
    char text[512];
    struct dz_pid pid = m->to;
    assert_int_equal(t->index, 1); /* the worker in the reference */
    assert_true(s->flags & DZ_SPAWN_HIDDEN);
    tree_note(w, "function %s", tree_text(s->args, s->args_len, text, sizeof text));
    struct actor *a = actor_alloc(&tree_function_role, 'f', w);
    dz_process_init(t, &a->proc, &actor_kind, slot, pid, m);
}

/* --- ports --- */

static inline void tree_spawn(void *ctx, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *m)
{
    static const char *const known[] = {"ok", "bad", "flaky", "slow", "never", "lazy", "stubborn"};
    struct tree *w = ctx;
    struct dz_spawn s;
    struct dz_pid owner, from = m->from, pid = m->to;
    bool found = false;
    assert_int_equal(dz_spawn_unpack(&w->rig.rt.nodes, m, &s), 0);
    if (s.what == DZ_SPAWN_SUPERVISOR) {
        dz_driver_spawn(&w->driver, t, slot, m);
        return;
    }
    if (s.what == DZ_SPAWN_START) {
        tree_call_function(w, t, slot, m, &s);
        return;
    }
    assert_false(t->in_native);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        found = found || (strlen(known[i]) == s.name.len && memcmp(known[i], s.name.s, s.name.len) == 0);
    if (!found) {
        tree_refuse(t, slot, m, DZ_ENOBEHAVIOR);
        return;
    }
    struct actor *a = tree_new_kid(w, s.child_id.s, s.child_id.len, s.name.s, s.name.len);
    tree_kid_of(a)->pid = pid;
    tree_kid_of(a)->parent = s.parent;
    dz_process_init(t, &a->proc, &actor_kind, slot, pid, m);
    assert_int_equal(dz_spawn_apply(t, &a->proc, &s, from, &owner), 0);
}

static inline void tree_reply(struct tree *w, struct dz_pid by, struct dz_pid to, uint64_t ref,
                              struct dz_pid pid)
{
    dz_send_pid_reply(&w->rig.threads[0], by, to, ref, pid);
}

/* The init there returns. */
static inline void tree_far_up(struct tree *w, struct tree_far *f)
{
    f->open = false;
    f->alive = true;
    tree_reply(w, f->pid, f->asker, f->ref, f->pid);
}

static inline int tree_spawn_far(void *ctx, struct dz_thread *t, const char *node, size_t len,
                                 struct dz_msg **take, struct dz_pid *cancel)
{
    struct tree *w = ctx;
    struct dz_spawn s;
    (void)t;
    if (w->far_error)
        return w->far_error;
    assert_int_equal(len, strlen(FAR_NODE));
    assert_memory_equal(node, FAR_NODE, len);
    assert_true(w->far_count < TREE_FAR);
    assert_int_equal(dz_spawn_unpack(&w->rig.rt.nodes, *take, &s), 0);
    struct tree_far *f = &w->far[w->far_count++];
    *f = (struct tree_far){.pid = {w->rig.far, 1000 + w->far_count, 1},
                           .asker = (*take)->from,
                           .parent = s.parent,
                           .ref = (*take)->ref};
    memcpy(f->id, s.child_id.s, s.child_id.len);
    *cancel = (struct dz_pid){w->rig.far, UINT32_MAX, w->far_count};
    assert_int_equal(s.hash.len, w->hashes ? 32 : 0);
    tree_note(w, "far spawn %s %.*s %d", f->id, (int)s.path.len, s.path.s, (int)(s.epoch.len / 8));
    dz_msg_free(*take);
    *take = NULL;
    f->open = true;
    if (!w->far_holds)
        tree_far_up(w, f);
    return 0;
}

static inline struct tree_far *tree_far(struct tree *w, const char *id)
{
    for (uint32_t i = w->far_count; i-- > 0;)
        if (strcmp(w->far[i].id, id) == 0)
            return &w->far[i];
    fail();
    return NULL;
}

/* The process there ends with this reason. */
static inline void tree_far_end(struct tree *w, struct tree_far *f, enum dz_reason reason)
{
    f->alive = false;
    dz_send_signal(&w->rig.threads[0], DZ_MSG_CHILD_EXIT, f->pid, f->parent, 0, w->rig.rt.reasons[reason]);
}

/* As cluster/remote.c: what starts is killed, what has started is stopped. */
static inline void tree_far_cancel(struct tree *w, struct tree_far *f)
{
    if (f->alive)
        tree_far_end(w, f, DZ_REASON_SHUTDOWN);
    if (f->open)
        dz_send_error(&w->rig.threads[0], f->pid, f->asker, f->ref, DZ_EINITFAILED, NULL);
    f->open = false;
}

static inline int tree_wire(void *ctx, struct dz_thread *t, struct dz_msg **take)
{
    struct tree *w = ctx;
    struct dz_msg *m = *take;
    (void)t;
    if (w->rig.wire_error)
        return w->rig.wire_error;
    bool cancel = m->to.slot == UINT32_MAX;
    struct tree_far *f = &w->far[cancel ? m->to.gen - 1 : m->to.slot - 1001];
    const char *kind = m->kind == DZ_MSG_STOP          ? "stop"
                       : m->kind == DZ_MSG_KILL        ? "kill"
                       : m->kind == DZ_MSG_PARENT_EXIT ? "parent_exit"
                       : m->kind == DZ_MSG_ANSWERED    ? "cancel"
                                                       : "?";
    tree_note(w, "far %s %s", kind, f->id);
    if (cancel && !w->far_disobeys)
        tree_far_cancel(w, f);
    else if (!cancel && f->alive && (m->kind == DZ_MSG_KILL || !w->far_disobeys))
        tree_far_end(w, f, m->kind == DZ_MSG_STOP ? DZ_REASON_SHUTDOWN : DZ_REASON_KILLED);
    dz_msg_free(m);
    *take = NULL;
    return 0;
}

static inline size_t tree_candidates(void *ctx, struct dz_candidate *out, size_t cap)
{
    struct tree *w = ctx;
    size_t count = 0;
    struct dz_candidate here = {
        .node = 0, .id = dz_nodes_self_id(&w->rig.rt.nodes), .local = true, .connected = true};
    struct dz_candidate idle = {.node = w->rig.far + 1, .id = "idle@10.0.0.3:4000"};
    struct dz_candidate far = {.node = w->rig.far, .id = FAR_NODE, .connected = true};
    out[count++] = here;
    for (uint32_t i = 0; i < w->idle_nodes; i++, count++)
        if (count < cap)
            out[count] = idle;
    if (w->far_there && count < cap)
        out[count] = far;
    return count + w->far_there;
}

static inline bool tree_behavior_hash(void *ctx, const char *name, size_t len, uint8_t hash[32])
{
    assert_true(len > 0 && name);
    memset(hash, 'h', 32);
    return tree_of(ctx)->hashes;
}

static inline void tree_candidate_records(void *ctx, struct dz_build *b)
{
    struct tree *w = ctx;
    dz_build_array(b, w->far_there ? 2 : 1);
    dz_build_cstring(b, dz_nodes_self_id(&w->rig.rt.nodes));
    if (w->far_there)
        dz_build_cstring(b, FAR_NODE);
}

static inline void tree_count_placed(void *ctx, uint32_t node)
{
    (void)ctx;
    (void)node;
}

static inline uint32_t tree_spread(void *ctx)
{
    return 1 + tree_of(ctx)->spread++ % 2;
}

static inline uint64_t tree_root_epoch(void *ctx, const char *path, size_t len)
{
    (void)ctx;
    assert_true(len > 0 && path);
    return 7;
}

static inline int tree_placed(void *ctx, const char *path, size_t path_len, const char *epoch,
                              size_t epoch_len, struct dz_pid pid)
{
    (void)path;
    (void)path_len;
    (void)epoch;
    assert_int_equal(epoch_len % 8, 0);
    assert_false(dz_pid_is_none(pid));
    return tree_of(ctx)->placed_error;
}

static inline bool tree_place_waits(void *ctx, const char *path, size_t path_len, const char *epoch,
                                    size_t epoch_len)
{
    (void)ctx;
    (void)path;
    (void)path_len;
    (void)epoch;
    (void)epoch_len;
    return false;
}

static inline bool tree_may_place(void *ctx, const char *path, size_t len)
{
    (void)path;
    (void)len;
    return !tree_of(ctx)->may_not_place;
}

/* --- the desk --- */

static inline void tree_take_reply(struct tree *w, const struct dz_msg *m)
{
    char text[2048], child[128], cause[512];
    w->answers++;
    if (m->ref < w->answered_cap)
        w->answered[m->ref]++;
    dz_buf_clear(&w->last);
    dz_buf_append(&w->last, m->data, m->len);
    if (w->quiet)
        return;
    if (m->flags & DZ_MSG_FAILED)
        tree_note(w, "#%d !%s %s %s", (int)m->ref, tree_field(m->data, m->len, "code", text, sizeof text),
                  tree_field(m->data, m->len, "child_id", child, sizeof child),
                  tree_field(m->data, m->len, "cause", cause, sizeof cause));
    else
        tree_note(w, "#%d %s", (int)m->ref, tree_text(m->data, m->len, text, sizeof text));
}

static inline void tree_take_event(struct tree *w, const struct dz_msg *m)
{
    static const char *const keys[] = {
        "child_id", "affected_children", "attempt", "from_node", "to_node", "reason", "cause"};
    char line[1024], text[512];
    if (w->quiet)
        return;
    if (w->full_events) {
        tree_note(w, "%s", tree_text(m->data, m->len, line, sizeof line));
        return;
    }
    snprintf(line, sizeof line, "+%s", tree_field(m->data, m->len, "type", text, sizeof text));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (*tree_field(m->data, m->len, keys[i], text, sizeof text))
            snprintf(line + strlen(line), sizeof line - strlen(line), " %s", text);
    tree_note(w, "%s", line);
}

static inline void tree_take_name(struct tree *w, struct dz_thread *t, const struct dz_msg *m)
{
    char text[128];
    tree_note(w, "register %s", tree_field(m->data, m->len, "name", text, sizeof text));
    w->name_asker = m->from;
    w->name_ref = m->ref;
    if (w->name_taken)
        dz_send_error(t, w->desk, m->from, m->ref, DZ_ENAMETAKEN, NULL);
    else if (!w->name_held)
        dz_send_reply(t, w->desk, m->from, m->ref, NULL, 0);
}

static inline void tree_desk_handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct tree *w = n->data;
    char text[256];
    if (m->kind == DZ_MSG_REPLY)
        tree_take_reply(w, m);
    else if (m->kind == DZ_MSG_NOTICE && m->code == DZ_REQ_EVENT)
        tree_take_event(w, m);
    else if (m->kind == DZ_MSG_REQUEST && m->code == DZ_REQ_GLOBAL_REGISTER)
        tree_take_name(w, t, m);
    else if (m->kind == DZ_MSG_DOWN || m->kind == DZ_MSG_EXIT)
        tree_note(w, "%s %s", m->kind == DZ_MSG_DOWN ? "down" : "exit", rig_payload(m, text, sizeof text));
    dz_msg_free(m);
}

static inline void tree_desk_end(struct dz_thread *t, struct dz_native *n)
{
    (void)t;
    (void)n;
}

static const struct dz_native_ops tree_desk_ops = {
    .name = "desk", .handle = tree_desk_handle, .end = tree_desk_end};

/* --- asking --- */

/* Sends the question; its number. Nothing is turned. */
static inline uint64_t tree_ask_raw(struct tree *w, enum dz_msg_kind kind, enum dz_request code,
                                    const uint8_t *data, size_t len)
{
    struct dz_msg *m = dz_msg_new_copy(kind, data, len);
    assert_non_null(m);
    m->code = (uint16_t)code;
    m->from = w->desk;
    m->to = w->sup;
    m->ref = ++w->asked;
    dz_send_must(&w->rig.threads[0], m);
    return w->asked;
}

static inline uint64_t tree_post(struct tree *w, enum dz_request code, const char *text)
{
    struct dz_buf buf = literal(text);
    uint64_t ref = tree_ask_raw(w, DZ_MSG_REQUEST, code, buf.data, buf.len);
    dz_buf_fini(&buf);
    return ref;
}

static inline uint64_t tree_ask(struct tree *w, enum dz_request code, const char *text)
{
    uint64_t ref = tree_post(w, code, text);
    rig_turn(&w->rig);
    return ref;
}

static inline uint64_t tree_stop(struct tree *w)
{
    const struct dz_blob *reason = w->rig.rt.reasons[DZ_REASON_NORMAL];
    uint64_t ref = tree_ask_raw(w, DZ_MSG_STOP, 0, reason->data, reason->len);
    rig_turn(&w->rig);
    return ref;
}

static inline void tree_cast(struct tree *w, const char *id, int64_t n)
{
    struct tree_kid *kid = tree_find(w, id);
    assert_non_null(kid);
    assert_int_equal(actor_send(&w->rig.threads[0], DZ_MSG_CAST, w->desk, kid->pid, 0, n), 0);
    rig_turn(&w->rig);
}

static inline void tree_crash(struct tree *w, const char *id)
{
    tree_cast(w, id, 1);
}

static inline void tree_signal(struct tree *w, enum dz_msg_kind kind, enum dz_reason reason)
{
    dz_send_signal(&w->rig.threads[0], kind, w->desk, w->sup, 0, w->rig.rt.reasons[reason]);
    rig_turn(&w->rig);
}

static inline void tree_lose_far(struct tree *w)
{
    w->far_there = false;
    w->rig.wire_error = DZ_ENOCONNECTION;
    w->far_error = DZ_ENOCONNECTION;
    dz_native_node_lost(&w->rig.threads[0], w->rig.far, false);
    rig_turn(&w->rig);
}

/* The SPAWN of a supervisor: the number of the question. */
static inline uint64_t tree_post_start(struct tree *w, const char *text, uint32_t flags)
{
    struct dz_buf spec = literal(text);
    struct dz_spawn s = {.what = DZ_SPAWN_SUPERVISOR,
                         .flags = flags,
                         .spec = spec.data,
                         .spec_len = spec.len,
                         .timeout_ms = DZ_INFINITY,
                         .parent = w->parent};
    struct dz_msg *m = dz_spawn_pack(&w->rig.rt.nodes, &s);
    dz_buf_fini(&spec);
    assert_non_null(m);
    m->from = w->desk;
    m->ref = ++w->asked;
    assert_int_equal(dz_spawn_send(&w->rig.threads[0], 1, &m, &w->sup), 0);
    return w->asked;
}

static inline uint64_t tree_start(struct tree *w, const char *text)
{
    uint64_t ref = tree_post_start(w, text, 0);
    rig_turn(&w->rig);
    return ref;
}

/* Up, and what that wrote down is forgotten. */
static inline void tree_up(struct tree *w, const char *text)
{
    tree_start(w, text);
    w->rig.len = 0;
    w->rig.journal[0] = 0;
    assert_true(dz_driver_is_supervisor(&w->driver, w->sup));
}

/* --- life --- */

static inline void tree_init(struct tree *w)
{
    struct dz_native *desk;
    memset(w, 0, sizeof *w);
    rig_init(&w->rig);
    w->kids = dz_zalloc_must(TREE_KIDS, sizeof *w->kids);
    w->answered_cap = 65536;
    w->answered = dz_zalloc_must(w->answered_cap, 1);
    w->choice = FAR_NODE;
    dz_buf_init(&w->last);
    w->rig.rt.ports.spawn = tree_spawn;
    w->rig.rt.ports.spawn_far = tree_spawn_far;
    w->rig.rt.ports.wire = tree_wire;
    struct dz_place_ports ports = {.ctx = w,
                                   .candidates = tree_candidates,
                                   .candidate_records = tree_candidate_records,
                                   .count_placed = tree_count_placed,
                                   .spread = tree_spread,
                                   .root_epoch = tree_root_epoch,
                                   .placed = tree_placed,
                                   .place_waits = tree_place_waits,
                                   .may_place = tree_may_place,
                                   .behavior_hash = tree_behavior_hash};
    dz_driver_init(&w->driver, &w->rig.rt, &ports);
    assert_int_equal(
        dz_native_new(&w->rig.threads[0], &tree_desk_ops, w, true, NULL, DZ_PID_NONE, NULL, &desk), 0);
    w->desk = desk->proc.pid;
    w->rig.rt.events = w->rig.rt.system = w->desk;
    atomic_store(&w->rig.rt.event_listeners, 1); /* the desk */
}

/* Whoever is left is killed; every question must have had one answer. */
static inline void tree_fini(struct tree *w)
{
    w->quiet = true;
    if (!dz_pid_is_none(w->sup))
        tree_signal(w, DZ_MSG_KILL, DZ_REASON_KILLED);
    for (uint64_t i = 1; i <= w->asked && i < w->answered_cap; i++)
        assert_int_equal(w->answered[i], 1);
    dz_send_signal(&w->rig.threads[0], DZ_MSG_KILL, DZ_PID_NONE, w->desk, 0, NULL);
    rig_turn(&w->rig);
    dz_native_drop_delayed(&w->rig.threads[0]);
    rig_fini(&w->rig);
    assert_int_equal(w->live, 0);
    dz_driver_fini(&w->driver);
    dz_buf_fini(&w->last);
    dz_free(w->answered);
    dz_free(w->kids);
}

#endif
