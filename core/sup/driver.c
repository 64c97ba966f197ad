#include "sup/driver.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/bond.h"
#include "proc/request.h"
#include "proc/send.h"
#include "sup/driver_parts.h"

void dz_driver_init(struct dz_driver *d, struct dz_rt *rt, const struct dz_place_ports *ports)
{
    memset(d, 0, sizeof *d);
    d->rt = rt;
    d->ports = *ports;
    dz_selectors_init(&d->selectors);
    atomic_init(&d->next_id, 1);
}

void dz_driver_fini(struct dz_driver *d)
{
    dz_selectors_fini(&d->selectors);
}

/* --- its first turn --- */

static void ask_for_name(struct dz_thread *t, struct dz_supervisor *s, const char *name)
{
    struct dz_rt *rt = t->rt;
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 2);
    dz_build_kstring(&b, "name", name);
    dz_build_key(&b, "pid");
    dz_build_pid_of(&b, &rt->nodes, dz_supervisor_pid(s));
    struct dz_msg *m = dz_build_done(&b) ? NULL : dz_msg_new_copy(DZ_MSG_REQUEST, buf.data, buf.len);
    dz_buf_fini(&buf);
    dz_assert(m); /* a name of at most 255 bytes */
    s->native->proc.flags |= DZ_PROC_GLOBAL;
    s->name_ref = m->ref = dz_rt_next_ref(rt);
    m->code = DZ_REQ_GLOBAL_REGISTER;
    m->from = dz_supervisor_pid(s);
    m->to = rt->system;
    dz_send_must(t, m);
}

static void start_machine(struct dz_thread *t, struct dz_supervisor *s)
{
    s->phase = DZ_SUPERVISOR_RUNNING;
    dz_sup_start(s->sup, dz_supervisor_now(s));
    dz_supervisor_act(t, s);
}

/* The start fails before the machine ran: nothing is there to be stopped. */
static void fail_start(struct dz_thread *t, struct dz_supervisor *s, const uint8_t *error, size_t len,
                       struct dz_blob *reason)
{
    s->phase = DZ_SUPERVISOR_ENDED;
    dz_buf_append(&s->failure, error, len);
    dz_native_finish(t, s->native, reason);
}

static void fail_with(struct dz_thread *t, struct dz_supervisor *s, int err, const char *message)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_error_build(&b, err, message);
    fail_start(t, s, buf.data, buf.len, t->rt->reasons[err == DZ_ESUPERSEDED ? DZ_REASON_SUPERSEDED : DZ_REASON_SHUTDOWN]);
    dz_buf_fini(&buf);
}

static void fail_name_taken(struct dz_thread *t, struct dz_supervisor *s, struct dz_str name, struct dz_pid owner)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 4);
    dz_build_kstring(&b, "code", dz_err_name(DZ_ENAMETAKEN));
    dz_build_kstring(&b, "message", dz_err_text(DZ_ENAMETAKEN));
    dz_build_key(&b, "name");
    dz_build_string(&b, name.s, name.len);
    dz_build_key(&b, "owner");
    dz_build_pid_of(&b, &t->rt->nodes, owner);
    fail_start(t, s, buf.data, buf.len, t->rt->reasons[DZ_REASON_SHUTDOWN]);
    dz_buf_fini(&buf);
}

/* Takes over what the request asks for, and its place. False: the start has failed. */
static bool take_place(struct dz_thread *t, struct dz_supervisor *s)
{
    struct dz_place_ports *ports = &s->driver->ports;
    struct dz_proc *p = &s->native->proc;
    struct dz_pid owner = DZ_PID_NONE;
    struct dz_spawn spawn;
    dz_assert(p->owed && p->owed->kind == DZ_MSG_SPAWN);
    int err = dz_spawn_unpack(&t->rt->nodes, p->owed, &spawn);
    if (!err)
        err = dz_spawn_apply(t, p, &spawn, s->starter, &owner);
    if (err == DZ_ENAMETAKEN) {
        fail_name_taken(t, s, spawn.local_name, owner);
        return false;
    }
    if (!err)
        err = ports->placed(ports->ctx, (const char *)s->path.data, s->path.len, (const char *)s->epoch.data, s->epoch.len,
                            p->pid);
    if (err)
        fail_with(t, s, err, NULL);
    return !err;
}

static void begin(struct dz_thread *t, struct dz_supervisor *s)
{
    const char *name = dz_sup_spec_of(s->sup)->name;
    if (!take_place(t, s))
        return;
    if (name)
        ask_for_name(t, s, name);
    else
        start_machine(t, s);
}

/* While the name is asked for, only an end is taken. */
static void handle_naming(struct dz_thread *t, struct dz_supervisor *s, struct dz_msg *m)
{
    if (m->kind == DZ_MSG_NOTICE && m->code == DZ_REQ_TICK) {
        begin(t, s);
    } else if (m->kind == DZ_MSG_REPLY && m->ref == s->name_ref) {
        if (m->flags & DZ_MSG_FAILED)
            fail_start(t, s, m->data, m->len, t->rt->reasons[DZ_REASON_SHUTDOWN]);
        else
            start_machine(t, s);
    } else if (m->kind == DZ_MSG_STOP || m->kind == DZ_MSG_PARENT_EXIT ||
               (m->kind == DZ_MSG_EXIT && !dz_supervisor_says(m, "normal"))) {
        fail_with(t, s, dz_supervisor_says(m, "superseded") ? DZ_ESUPERSEDED : DZ_ESHUTDOWN, NULL);
        if (m->kind == DZ_MSG_STOP) {
            dz_process_owe(&s->native->proc, m);
            m = NULL;
        }
    } else if (m->kind == DZ_MSG_CALL || m->kind == DZ_MSG_REQUEST) {
        dz_send_error(t, dz_supervisor_pid(s), m->from, m->ref, DZ_ENOSUPERVISOR, "the supervisor is starting");
    }
    dz_msg_free(m);
}

static void handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct dz_supervisor *s = n->data;
    s->native = n;
    if (n->proc.flags & DZ_PROC_DOOMED) { /* the lost node was the parent's */
        dz_msg_free(m);
        return;
    }
    if (s->phase == DZ_SUPERVISOR_NAMING) {
        handle_naming(t, s, m);
        return;
    }
    dz_assert(s->phase == DZ_SUPERVISOR_RUNNING);
    dz_supervisor_take(t, s, m);
    dz_msg_free(m);
}

/* --- the end --- */

static void end(struct dz_thread *t, struct dz_native *n)
{
    struct dz_supervisor *s = n->data;
    s->native = n;
    if (s->phase == DZ_SUPERVISOR_RUNNING) { /* killed */
        dz_supervisor_abandon(t, s, n->proc.exit);
        dz_supervisor_act(t, s);
        dz_assert(s->phase == DZ_SUPERVISOR_ENDED);
    }
    s->phase = DZ_SUPERVISOR_ENDED;
    if (s->failure.len) { /* said in `gone`, with the error itself */
        struct dz_msg *spawn = dz_process_unowe(&n->proc, s->starter, s->starter_ref);
        dz_msg_free(spawn);
    }
}

static void supervisor_delete(struct dz_supervisor *s)
{
    dz_supervisor_free_told(s);
    dz_supervisor_free_starts(s);
    dz_supervisor_free_stops(s);
    if (s->sup)
        dz_sup_delete(s->sup);
    dz_buf_fini(&s->path);
    dz_buf_fini(&s->epoch);
    dz_buf_fini(&s->failure);
    dz_free(s->id);
    dz_free(s);
}

static void gone(struct dz_thread *t, struct dz_pid pid, void *data)
{
    struct dz_supervisor *s = data;
    const struct dz_sup_action *a;
    if (s->failure.len && s->starter_ref)
        dz_send_failure(t, pid, s->starter, s->starter_ref, s->failure.data, s->failure.len);
    while ((a = dz_sup_next_action(s->sup)) != NULL) {
        dz_assert(a->type == DZ_SUP_REPLY);
        dz_supervisor_reply(t, s, pid, &a->as.reply);
    }
    dz_assert(s->questions == 0);
    supervisor_delete(s);
}

const struct dz_native_ops dz_supervisor_ops = {.name = "supervisor", .handle = handle, .end = end, .gone = gone};

/* --- the beginning --- */

static int set_path(struct dz_supervisor *s, const struct dz_spawn *spawn, const char *name)
{
    if (spawn->path.s)
        return dz_buf_append(&s->path, spawn->path.s, spawn->path.len);
    /* A root's path is its name or its id; ids are unique for ever because the birth number is in them. */
    if (name)
        return dz_supervisor_escape(&s->path, name, strlen(name));
    int err = dz_supervisor_escape(&s->path, s->id, strlen(s->id));
    return err ? err : dz_buf_printf(&s->path, "#%llu", (unsigned long long)dz_nodes_get(&s->driver->rt->nodes, 0)->incarnation);
}

static int set_epoch(struct dz_supervisor *s, const struct dz_spawn *spawn)
{
    struct dz_place_ports *ports = &s->driver->ports;
    if (spawn->epoch.s)
        return dz_buf_append(&s->epoch, spawn->epoch.s, spawn->epoch.len);
    return dz_buf_append_u64(&s->epoch, ports->root_epoch(ports->ctx, (const char *)s->path.data, s->path.len));
}

static char *make_id(struct dz_driver *d, const char *name)
{
    char text[DZ_NODE_ID_MAX + 32];
    if (name)
        return dz_strndup(name, strlen(name));
    uint64_t n = atomic_fetch_add_explicit(&d->next_id, 1, memory_order_relaxed);
    int len = snprintf(text, sizeof text, "sup_%llu@%s", (unsigned long long)n, dz_nodes_self_id(&d->rt->nodes));
    return dz_strndup(text, (size_t)len);
}

static struct dz_supervisor *supervisor_new(struct dz_driver *d, const struct dz_spawn *spawn, const struct dz_msg *m,
                                            struct dz_sup_spec **spec)
{
    const char *name = (*spec)->name;
    struct dz_supervisor *s = dz_zalloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->driver = d;
    s->starter = m->from;
    s->starter_ref = m->ref;
    s->parent = spawn->parent;
    s->tick_ms = s->armed_ms = DZ_TIME_INFINITY;
    dz_buf_init(&s->path);
    dz_buf_init(&s->epoch);
    dz_buf_init(&s->failure);
    dz_map_init(&s->pending);
    dz_map_init(&s->tokens);
    dz_map_init(&s->stopping);
    s->id = make_id(d, name);
    if (!s->id || set_path(s, spawn, name) || set_epoch(s, spawn)) {
        supervisor_delete(s);
        return NULL;
    }
    struct dz_sup_options options = {.id = s->id,
                                     .seed = dz_env_random(d->rt->env),
                                     .now_ms = dz_env_now_ms(d->rt->env),
                                     .wall_ms = dz_env_wall_ms(d->rt->env)};
    dz_sup_new(&s->sup, spec, &options);
    return s;
}

static void refuse_spec(struct dz_thread *t, struct dz_slot *slot, struct dz_msg *m, const struct dz_spec_error *error)
{
    struct dz_buf buf;
    dz_buf_init(&buf);
    if (dz_spec_error_encode(error, &buf) == 0)
        dz_process_refuse(t, slot, m, buf.data, buf.len);
    else
        dz_process_refuse_with(t, slot, m, error->code, NULL);
    dz_buf_fini(&buf);
}

/* Becomes the native, or refuses. The rest happens in its first turn: nobody but its runner may touch it from here on. */
static void born(struct dz_driver *d, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *m,
                 const struct dz_spawn *spawn, struct dz_sup_spec **spec)
{
    struct dz_supervisor *s = supervisor_new(d, spawn, m, spec);
    struct dz_msg *first = dz_msg_new(DZ_MSG_NOTICE, 0);
    struct dz_native *n = NULL;
    struct dz_pid pid = m->to;
    if (!s || !first || dz_native_new(t, &dz_supervisor_ops, s, false, slot, pid, &m, &n)) {
        if (s)
            supervisor_delete(s);
        dz_msg_free(first);
        dz_process_refuse_with(t, slot, m, DZ_ENOMEM, NULL);
        return;
    }
    first->code = DZ_REQ_TICK;
    first->to = pid;
    dz_native_push(t, n, first);
}

static unsigned levels_of(const struct dz_str *path)
{
    unsigned levels = 1;
    for (size_t i = 0; i < path->len; i++)
        levels += path->s[i] == '/';
    return levels;
}

/* Its path is what led there. */
static void refuse_level(struct dz_thread *t, struct dz_slot *slot, struct dz_msg *m, const struct dz_str *path)
{
    struct dz_spec_error error = {.code = DZ_ESPEC};
    int shown = path->len < 200 ? (int)path->len : 200;
    snprintf(error.message, sizeof error.message, "more than %u supervisors inside each other: %.*s%s", DZ_SUP_LEVELS_MAX,
             shown, path->s, path->len > 200 ? "..." : "");
    refuse_spec(t, slot, m, &error);
}

void dz_driver_spawn(struct dz_driver *d, struct dz_thread *t, struct dz_slot *slot, struct dz_msg *m)
{
    struct dz_spawn spawn;
    struct dz_sup_spec *spec = NULL;
    struct dz_spec_error error;
    int err = dz_spawn_unpack(&d->rt->nodes, m, &spawn);
    if (err || !spawn.spec) {
        dz_process_refuse_with(t, slot, m, DZ_EFORMAT, NULL);
        return;
    }
    if (levels_of(&spawn.path) > DZ_SUP_LEVELS_MAX) {
        refuse_level(t, slot, m, &spawn.path);
        return;
    }
    err = dz_sup_spec_read(&spec, spawn.spec, spawn.spec_len, &error);
    if (err) {
        refuse_spec(t, slot, m, &error);
        return;
    }
    born(d, t, slot, m, &spawn, &spec);
    dz_sup_spec_delete(spec); /* NULL when it was taken */
}

/* --- lists --- */

size_t dz_driver_list(struct dz_driver *d, bool roots, struct dz_pid *out, size_t cap)
{
    size_t count = 0;
    pthread_mutex_lock(&d->rt->natives_lock);
    dz_list_each (&d->rt->natives_all, it) {
        const struct dz_native *n = dz_list_entry(it, struct dz_native, all);
        if (n->ops != &dz_supervisor_ops)
            continue;
        const struct dz_supervisor *s = n->data; /* outlives its place in the list */
        if (roots && !dz_pid_is_none(s->parent))
            continue;
        if (count < cap)
            out[count] = n->proc.pid;
        count++;
    }
    pthread_mutex_unlock(&d->rt->natives_lock);
    return count;
}

bool dz_driver_adopt(struct dz_driver *d, struct dz_pid pid, struct dz_pid parent)
{
    bool here = dz_nodes_is_self(&d->rt->nodes, pid.node);
    struct dz_slot *slot = here ? dz_table_find(&d->rt->table, pid) : NULL;
    struct dz_native *n = slot ? atomic_load_explicit(&slot->native, memory_order_acquire) : NULL;
    if (!n)
        return false;
    /* While it is in a list its `ops` stand still. */
    pthread_mutex_lock(&d->rt->natives_lock);
    bool is = !dz_list_empty(&n->all) && n->ops == &dz_supervisor_ops;
    struct dz_supervisor *s = is ? n->data : NULL;
    if (s && dz_pid_is_none(s->parent))
        s->parent = parent;
    pthread_mutex_unlock(&d->rt->natives_lock);
    return is;
}

bool dz_driver_is_supervisor(struct dz_driver *d, struct dz_pid pid)
{
    return dz_driver_adopt(d, pid, DZ_PID_NONE);
}
