/* remote_serve.c - the starting side of remote.h.
 * Owns:    the requests served, the processes on their way out.
 * Threads: as remote.h.
 * Fails:   as remote.h. */
#include "cluster/remote_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/frames.h"
#include "proc/send.h"

struct served {
    struct dz_list all; /* dz_remote.served_list */
    uint32_t node;      /* who asked; 0: this host */
    uint32_t request;
    struct dz_pid from;
    uint64_t ref;
    struct dz_pid reserved; /* where it starts */
    struct dz_pid pid;      /* what was answered */
    struct dz_msg *held;    /* the SPAWN, while it waits for older copies */
    uint64_t deadline_ms;   /* of the start; then, of the keeping */
    bool answered;
    bool confirmed; /* the one who asked knows of it; a child needs no more than its supervisor */
    uint32_t round; /* of look_at_held */
};

struct stopping {
    struct dz_list all;
    struct dz_pid pid;
    uint64_t kill_ms;
};

static uint64_t served_key(uint32_t node, uint32_t request)
{
    return (uint64_t)node << 32 | request;
}

static uint64_t reply_key(uint32_t node, uint64_t ref)
{
    return ref ^ (uint64_t)node * 0x9e3779b97f4a7c15ull;
}

static bool is_alive(struct dz_remote *r, struct dz_pid pid)
{
    return dz_table_find(&r->cluster->rt->table, pid) != NULL;
}

/* --- records; under the lock --- */

static void becomes_due(struct dz_remote *r, uint64_t at_ms)
{
    r->due_ms = at_ms < r->due_ms ? at_ms : r->due_ms;
}

static void served_remove(struct dz_remote *r, struct served *s)
{
    uint64_t key = reply_key(s->node, s->ref);
    if (dz_map_get(&r->by_reply, key) == s)
        dz_map_remove(&r->by_reply, key);
    if (s->node)
        dz_map_remove(&r->served, served_key(s->node, s->request));
    atomic_store_explicit(&r->unanswered, r->by_reply.count, memory_order_relaxed);
    dz_list_remove(&s->all);
    r->waiting -= s->held != NULL;
    dz_msg_free(s->held);
    dz_free(s);
}

static struct served *served_new(struct dz_remote *r, uint32_t node, uint32_t request, const struct dz_msg *m)
{
    struct served *s = dz_zalloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->node = node;
    s->request = request;
    s->from = m->from;
    s->ref = m->ref;
    dz_list_init(&s->all);
    if (node == 0)
        return s;
    if (dz_map_put(&r->served, served_key(node, request), s)) {
        dz_free(s);
        return NULL;
    }
    if (dz_map_put(&r->by_reply, reply_key(node, m->ref), s)) {
        dz_map_remove(&r->served, served_key(node, request));
        dz_free(s);
        return NULL;
    }
    atomic_store_explicit(&r->unanswered, r->by_reply.count, memory_order_relaxed);
    return s;
}

void dz_remote_free_served(struct dz_remote *r)
{
    while (!dz_list_empty(&r->served_list))
        served_remove(r, dz_list_entry(r->served_list.next, struct served, all));
    struct dz_list *node;
    while ((node = dz_list_pop_front(&r->stopping)) != NULL)
        dz_free(dz_list_entry(node, struct stopping, all));
}

/* --- ending processes --- */

void dz_remote_stop(struct dz_remote *r, struct dz_pid pid, enum dz_reason reason)
{
    struct dz_cluster *c = r->cluster;
    struct stopping *s = dz_zalloc(1, sizeof *s);
    struct dz_msg *m = dz_msg_new_blob(DZ_MSG_STOP, c->rt->reasons[reason]);
    if (!s || !m) { /* no memory to wait for it: it must end all the same */
        dz_free(s);
        dz_msg_free(m);
        dz_send_signal(c->system, DZ_MSG_KILL, DZ_PID_NONE, pid, 0, NULL);
        return;
    }
    s->pid = pid;
    s->kill_ms = dz_cluster_now(c) + DZ_REMOTE_STOP_MS;
    pthread_mutex_lock(&r->lock);
    dz_list_push_back(&r->stopping, &s->all);
    becomes_due(r, s->kill_ms);
    pthread_mutex_unlock(&r->lock);
    m->to = pid;
    struct dz_thread foreign;
    dz_thread_init(&foreign, c->rt, DZ_THREAD_FOREIGN);
    dz_send_must(&foreign, m);
    dz_thread_fini(&foreign);
}

/* --- starting --- */

/* 0: this one. */
static uint32_t node_of_supervisor(const struct dz_cluster *c, struct dz_pid parent)
{
    bool here = dz_pid_is_none(parent) || dz_nodes_is_self(&c->rt->nodes, parent.node);
    return here ? 0 : dz_nodes_resolve(&c->rt->nodes, parent.node);
}

/* An index, or an error. */
static int thread_for(const struct dz_cluster *c, struct dz_thread *t, const struct dz_spawn *spawn)
{
    const struct dz_cluster_callbacks *host = &c->callbacks;
    if (!(spawn->flags & DZ_SPAWN_OWN_WORKER))
        return (int)c->rt->ports.choose_thread(c->rt->ports.ctx, t);
    return host->add_thread ? host->add_thread(host->ctx, spawn->name.s, spawn->name.len) : DZ_ESIMULATION;
}

static int reserve(struct dz_remote *r, struct dz_thread *t, const struct dz_spawn *spawn,
                   struct dz_pid *reserved)
{
    struct dz_cluster *c = r->cluster;
    struct dz_rt *rt = c->rt;
    struct dz_slot *slot;
    uint32_t node = atomic_load_explicit(&rt->nodes.self, memory_order_acquire);
    int thread = thread_for(c, t, spawn);
    if (thread < 0)
        return thread;
    int err = dz_table_reserve(&rt->table, (uint32_t)thread, spawn->flags & DZ_SPAWN_HIDDEN, node, &slot,
                               reserved);
    if (spawn->flags & DZ_SPAWN_OWN_WORKER)
        c->callbacks.own_thread(c->callbacks.ctx, (uint32_t)thread, err ? DZ_PID_NONE : *reserved);
    return err;
}

/* The slot (unless it is reserved already), the placement, then the message: whoever looks finds the copy before it can
 * run. A reserved slot that was given up meanwhile answers for itself. */
static int launch(struct dz_remote *r, struct dz_thread *t, const struct dz_spawn *spawn,
                  struct dz_msg **take, struct dz_pid *reserved)
{
    struct dz_cluster *c = r->cluster;
    struct dz_msg *m = *take;
    struct dz_place_key key = {spawn->path.s, spawn->path.len, spawn->epoch.s, spawn->epoch.len};
    int err = dz_pid_is_none(*reserved) ? reserve(r, t, spawn, reserved) : 0;
    if (err)
        return err;
    m->to = *reserved;
    if (key.path && is_alive(r, *reserved))
        (void)dz_places_add(c, &key, m->to, node_of_supervisor(c, spawn->parent));
    *take = NULL;
    dz_send_must(t, m);
    return 0;
}

/* 0, or why this must not start; *message is static text. */
static int check_version(struct dz_cluster *c, uint32_t node, const struct dz_spawn *spawn,
                         const char **message)
{
    uint8_t own[32];
    if (!spawn->hash.s || !spawn->name.s || !c->callbacks.behavior_hash)
        return 0;
    if (spawn->hash.len != sizeof own)
        return DZ_EFORMAT;
    if (!c->callbacks.behavior_hash(c->callbacks.ctx, spawn->name.s, spawn->name.len, own) ||
        memcmp(own, spawn->hash.s, sizeof own) == 0)
        return 0;
    char told[512];
    const char *peer = dz_nodes_get(&c->rt->nodes, node)->id;
    int len = snprintf(told, sizeof told, "%.*s@%s", spawn->name.len < 128 ? (int)spawn->name.len : 128,
                       spawn->name.s, peer);
    if (!dz_smap_get(&c->told_hashes, told, (size_t)len)) {
        (void)dz_smap_put(&c->told_hashes, told, (size_t)len, c);
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)(spawn->name.len < 255 ? spawn->name.len : 255),
                 spawn->name.s);
        dz_log_warn(c->rt->log, "a node asked for a behaviour whose file differs from ours", "behavior", name,
                    "node", peer, NULL);
    }
    if (!c->strict_versions)
        return 0;
    *message = "the behaviour's file differs from the one of the node that asked (strict_versions)";
    return DZ_ENOBEHAVIOR;
}

/* May it start here, and what has to end first. *olds: how many older copies still live. */
static int check_place(struct dz_cluster *c, const struct dz_spawn *spawn, uint32_t *olds)
{
    struct dz_place_key key = {spawn->path.s, spawn->path.len, spawn->epoch.s, spawn->epoch.len};
    *olds = 0;
    if (!key.path)
        return 0;
    int err = dz_placement_check_key(&key);
    err = err ? err : dz_places_may(c, &key);
    if (!err)
        *olds = dz_places_supersede(c, &key, false);
    return err;
}

/* Takes the message. 0, or an error that ends the session. */
static int serve(struct dz_remote *r, uint32_t node, uint32_t request, struct dz_msg *m)
{
    struct dz_cluster *c = r->cluster;
    struct dz_spawn spawn;
    uint32_t olds = 0;
    const char *message = NULL;
    const char *self = dz_nodes_self_id(&c->rt->nodes);
    struct dz_pid by = {0, DZ_REMOTE_CANCEL_SLOT, request};
    int err = dz_spawn_unpack(&c->rt->nodes, m, &spawn);
    err = err ? err : check_version(c, node, &spawn, &message);
    err = err ? err : check_place(c, &spawn, &olds);
    if (err == DZ_EFORMAT) {
        dz_msg_free(m);
        return err;
    }
    pthread_mutex_lock(&r->lock);
    struct served *s = err ? NULL : served_new(r, node, request, m);
    if (s) {
        dz_list_push_back(&r->served_list, &s->all);
        s->deadline_ms = dz_remote_deadline(dz_cluster_now(c), spawn.timeout_ms, 0);
        s->confirmed = !dz_pid_is_none(spawn.parent);
        s->held = olds ? m : NULL;
        r->waiting += olds > 0;
        becomes_due(r, s->deadline_ms);
    }
    pthread_mutex_unlock(&r->lock);
    if (s && olds)
        return 0;
    if (s) {
        err = launch(r, c->system, &spawn, &m, &s->reserved);
        if (!err)
            return 0;
        pthread_mutex_lock(&r->lock);
        served_remove(r, s);
        pthread_mutex_unlock(&r->lock);
    }
    dz_remote_fail(r, by, m->from, m->ref, err ? err : DZ_ENOMEM, message, self);
    dz_msg_free(m);
    return 0;
}

int dz_remote_serve(struct dz_remote *r, const struct dz_envelope_ends *ends, const uint8_t *data, size_t len)
{
    struct dz_envelope e;
    if (len < 4)
        return DZ_EFORMAT;
    uint32_t request = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
    int err = dz_envelope_decode(ends, data + 4, len - 4, &e);
    if (err)
        return err;
    bool sound = e.msg->kind == DZ_MSG_SPAWN && e.msg->ref && !e.name && !dz_pid_is_none(e.msg->from);
    if (sound && !dz_map_get(&r->served, served_key(ends->peer, request)))
        return serve(r, ends->peer, request, e.msg);
    dz_msg_free(e.msg);
    return sound ? 0 : DZ_EFORMAT; /* asked twice is asked once */
}

/* The slot is reserved at once: by it the one who asked can give the start up. Whoever asked keeps the time, too. */
static int hold_own(struct dz_remote *r, struct dz_thread *from, const struct dz_spawn *spawn, struct dz_msg **take,
                    struct dz_pid *reserved)
{
    int err = reserve(r, from, spawn, reserved);
    if (err)
        return err;
    pthread_mutex_lock(&r->lock);
    struct served *s = served_new(r, 0, 0, *take);
    if (s) {
        s->reserved = *reserved;
        s->deadline_ms = DZ_INFINITY;
        s->held = *take;
        r->waiting++;
        dz_list_push_back(&r->served_list, &s->all);
        *take = NULL;
    }
    pthread_mutex_unlock(&r->lock);
    dz_cluster_wake(r->cluster, from);
    if (s)
        return 0;
    dz_send_signal(from, DZ_MSG_KILL, DZ_PID_NONE, *reserved, 0, NULL);
    *reserved = DZ_PID_NONE;
    return DZ_ENOMEM;
}

int dz_remote_ask_self(struct dz_remote *r, struct dz_thread *from, struct dz_msg **take,
                       struct dz_pid *cancel)
{
    struct dz_cluster *c = r->cluster;
    struct dz_spawn spawn;
    struct dz_pid reserved = DZ_PID_NONE;
    uint32_t olds = 0;
    struct dz_msg *m = *take;
    int err = dz_spawn_unpack(&c->rt->nodes, m, &spawn);
    dz_assert(!err); /* packed by ourselves */
    err = check_place(c, &spawn, &olds);
    if (!err && !olds) {
        err = launch(r, from, &spawn, take, &reserved);
    } else if (!err) {
        err = hold_own(r, from, &spawn, take, &reserved);
    }
    if (err == DZ_ESUPERSEDED) {
        dz_send_error(from, c->rt->system, m->from, m->ref, err, NULL);
        dz_msg_free(m);
        *take = NULL;
        err = 0;
    }
    if (cancel)
        *cancel = reserved;
    return err;
}

/* --- answers and cancellation --- */

static struct dz_pid pid_in(struct dz_remote *r, const struct dz_msg *m)
{
    struct dz_pid pid = DZ_PID_NONE;
    struct dz_read reader;
    dz_read_init(&reader, m->data, m->len);
    if (m->flags & DZ_MSG_FAILED || dz_read_pid_of(&reader, &r->cluster->rt->nodes, &pid))
        return DZ_PID_NONE;
    return pid;
}

void dz_remote_note_reply(struct dz_remote *r, const struct dz_msg *msg)
{
    if (atomic_load_explicit(&r->unanswered, memory_order_relaxed) == 0)
        return;
    uint64_t key = reply_key(dz_nodes_resolve(&r->cluster->rt->nodes, msg->to.node), msg->ref);
    pthread_mutex_lock(&r->lock);
    struct served *s = dz_map_get(&r->by_reply, key);
    if (s && s->ref == msg->ref && dz_pid_eq(s->from, msg->to)) {
        dz_map_remove(&r->by_reply, key);
        atomic_store_explicit(&r->unanswered, r->by_reply.count, memory_order_relaxed);
        s->answered = true;
        s->pid = pid_in(r, msg);
        s->confirmed = s->confirmed || dz_pid_is_none(s->pid);
        s->deadline_ms = s->confirmed ? dz_cluster_now(r->cluster) + DZ_REMOTE_KEEP_MS : DZ_INFINITY;
    }
    pthread_mutex_unlock(&r->lock);
}

/* Still held: it never starts. */
static void refuse_held(struct dz_remote *r, struct served *s)
{
    struct dz_pid by = {0, DZ_REMOTE_CANCEL_SLOT, s->request};
    struct dz_pid from = s->from;
    uint64_t ref = s->ref;
    pthread_mutex_lock(&r->lock);
    served_remove(r, s);
    pthread_mutex_unlock(&r->lock);
    dz_remote_fail(r, by, from, ref, DZ_EINITFAILED, "the start was cancelled",
                   dz_nodes_self_id(&r->cluster->rt->nodes));
}

int dz_remote_cancelled(struct dz_remote *r, uint32_t node, const uint8_t *data, size_t len)
{
    struct dz_cluster *c = r->cluster;
    struct dz_read reader;
    uint64_t request, kind;
    dz_read_init(&reader, data, len);
    int err = dz_frame_read_array(&reader, 2);
    err = err ? err : dz_read_uint(&reader, &request);
    err = err ? err : dz_read_uint(&reader, &kind);
    if (err || request > UINT32_MAX)
        return DZ_EFORMAT;
    pthread_mutex_lock(&r->lock);
    struct served *s = dz_map_get(&r->served, served_key(node, (uint32_t)request));
    bool answered = s && s->answered;
    struct dz_pid pid = s ? answered ? s->pid : s->reserved : DZ_PID_NONE;
    pthread_mutex_unlock(&r->lock);
    if (s && s->held) {
        refuse_held(r, s);
    } else if (s && !answered) {
        dz_send_signal(c->system, DZ_MSG_KILL, DZ_PID_NONE, pid, 0, NULL);
    } else if (s && kind == DZ_MSG_ANSWERED && !dz_pid_is_none(pid) && is_alive(r, pid)) {
        /* It started, but the one who asked did not take the answer. */
        dz_cluster_count_one(&c->late_spawns);
        dz_remote_stop(r, pid, DZ_REASON_SHUTDOWN);
    }
    return 0;
}

int dz_remote_confirmed(struct dz_remote *r, uint32_t node, const uint8_t *data, size_t len)
{
    struct dz_read reader;
    uint64_t request;
    dz_read_init(&reader, data, len);
    int err = dz_frame_read_array(&reader, 1);
    err = err ? err : dz_read_uint(&reader, &request);
    if (err || request > UINT32_MAX)
        return DZ_EFORMAT;
    pthread_mutex_lock(&r->lock);
    struct served *s = dz_map_get(&r->served, served_key(node, (uint32_t)request));
    if (s && s->answered && !s->confirmed) {
        s->confirmed = true;
        s->deadline_ms = dz_cluster_now(r->cluster) + DZ_REMOTE_KEEP_MS;
        becomes_due(r, s->deadline_ms);
    }
    pthread_mutex_unlock(&r->lock);
    return 0;
}

/* --- loss and time --- */

void dz_remote_drop_served(struct dz_remote *r, uint32_t node)
{
    for (;;) {
        struct dz_pid kill = DZ_PID_NONE, stop = DZ_PID_NONE;
        bool found = false;
        pthread_mutex_lock(&r->lock);
        dz_list_each_safe (&r->served_list, it) {
            struct served *s = dz_list_entry(it, struct served, all);
            if (s->node != node || !node)
                continue;
            found = true;
            if (!s->answered && !s->held)
                kill = s->reserved;
            else if (!s->confirmed)
                stop = s->pid;
            served_remove(r, s);
            break;
        }
        pthread_mutex_unlock(&r->lock);
        if (!found)
            return;
        dz_send_signal(r->cluster->system, DZ_MSG_KILL, DZ_PID_NONE, kill, 0, NULL);
        if (dz_pid_is_none(stop) || !is_alive(r, stop))
            continue;
        dz_cluster_count_one(&r->cluster->late_spawns);
        dz_remote_stop(r, stop, DZ_REASON_NOCONNECTION);
    }
}

static bool is_at_or_above(const struct dz_place_key *upper, const struct dz_place_key *lower)
{
    return upper->path_len <= lower->path_len && memcmp(upper->path, lower->path, upper->path_len) == 0 &&
           (upper->path_len == lower->path_len || lower->path[upper->path_len] == '/');
}

/* A newer start that is held as well makes this one old: it would have to be ended before that can go on. */
static bool is_outdone(struct dz_remote *r, const struct served *s, const struct dz_place_key *key)
{
    bool outdone = false;
    struct dz_spawn spawn;
    pthread_mutex_lock(&r->lock);
    dz_list_each (&r->served_list, it) {
        const struct served *other = dz_list_entry(it, struct served, all);
        if (outdone || other == s || !other->held || dz_spawn_unpack(&r->cluster->rt->nodes, other->held, &spawn))
            continue;
        struct dz_place_key theirs = {spawn.path.s, spawn.path.len, spawn.epoch.s, spawn.epoch.len};
        outdone = is_at_or_above(&theirs, key) &&
                  dz_epoch_compare(theirs.epoch, theirs.epoch_len, key->epoch, key->epoch_len) > 0;
    }
    pthread_mutex_unlock(&r->lock);
    return outdone;
}

/* The older copies are gone, or a newer placement came meanwhile: it starts, or is refused. True: the record
 * is gone. */
static bool try_held(struct dz_remote *r, struct served *s)
{
    struct dz_cluster *c = r->cluster;
    struct dz_spawn spawn;
    uint32_t olds;
    int err = dz_spawn_unpack(&c->rt->nodes, s->held, &spawn);
    dz_assert(!err); /* unpacked before */
    struct dz_place_key key = {spawn.path.s, spawn.path.len, spawn.epoch.s, spawn.epoch.len};
    err = dz_places_may(c, &key);
    if (!err && is_outdone(r, s, &key))
        err = DZ_ESUPERSEDED;
    olds = err ? 0 : dz_places_wait(c, &key);
    if (olds)
        return false;
    struct dz_msg *m = s->held;
    struct dz_pid from = s->from, by = {0, DZ_REMOTE_CANCEL_SLOT, s->request};
    uint64_t ref = s->ref;
    pthread_mutex_lock(&r->lock);
    s->held = NULL;
    r->waiting--;
    pthread_mutex_unlock(&r->lock);
    err = err ? err : launch(r, c->system, &spawn, &m, &s->reserved);
    if (!err && s->node)
        return false;
    if (err)
        dz_send_signal(c->system, DZ_MSG_KILL, DZ_PID_NONE, s->reserved, 0, NULL);
    pthread_mutex_lock(&r->lock);
    served_remove(r, s);
    pthread_mutex_unlock(&r->lock);
    if (err) {
        dz_remote_fail(r, by, from, ref, err, NULL, dz_nodes_self_id(&c->rt->nodes));
        dz_msg_free(m);
    }
    return true;
}

/* The deadline of a start: who asked hears it first, then the process ends. */
static void expire(struct dz_remote *r, struct served *s)
{
    struct dz_cluster *c = r->cluster;
    struct dz_pid reserved = s->reserved, from = s->from, by = {0, DZ_REMOTE_CANCEL_SLOT, s->request};
    uint64_t ref = s->ref;
    pthread_mutex_lock(&r->lock);
    bool answered = s->answered;
    served_remove(r, s);
    pthread_mutex_unlock(&r->lock);
    if (answered)
        return;
    dz_remote_fail(r, by, from, ref, DZ_ETIMEOUT, NULL, dz_nodes_self_id(&c->rt->nodes));
    dz_send_signal(c->system, DZ_MSG_KILL, DZ_PID_NONE, reserved, 0, NULL);
}

/* The first record that is due, NULL when none is. */
static struct served *next_due(struct dz_remote *r, uint64_t now_ms)
{
    struct served *due = NULL;
    pthread_mutex_lock(&r->lock);
    bool full = r->served.count > DZ_REMOTE_KEEP_MAX;
    dz_list_each (&r->served_list, it) {
        struct served *s = dz_list_entry(it, struct served, all);
        if (now_ms >= s->deadline_ms || (full && s->answered && s->confirmed)) {
            due = s;
            break;
        }
    }
    pthread_mutex_unlock(&r->lock);
    return due;
}

/* Other threads add records meanwhile, this one alone removes them: each is looked at once, outside the
 * lock. */
static void look_at_held(struct dz_remote *r)
{
    uint32_t round = ++r->round;
    for (;;) {
        struct served *next = NULL;
        pthread_mutex_lock(&r->lock);
        dz_list_each (&r->served_list, it) {
            struct served *s = dz_list_entry(it, struct served, all);
            if (r->waiting == 0)
                break;
            if (s->held && s->round != round) {
                next = s;
                s->round = round;
                break;
            }
        }
        pthread_mutex_unlock(&r->lock);
        if (!next)
            return;
        (void)try_held(r, next);
    }
}

static void tick_stopping(struct dz_remote *r, uint64_t now_ms)
{
    for (;;) {
        struct dz_pid kill = DZ_PID_NONE;
        pthread_mutex_lock(&r->lock);
        dz_list_each_safe (&r->stopping, it) {
            struct stopping *s = dz_list_entry(it, struct stopping, all);
            bool alive = is_alive(r, s->pid);
            if (alive && now_ms < s->kill_ms)
                continue;
            dz_list_remove(&s->all);
            if (alive)
                kill = s->pid;
            dz_free(s);
            if (alive)
                break;
        }
        pthread_mutex_unlock(&r->lock);
        if (dz_pid_is_none(kill))
            return;
        dz_send_signal(r->cluster->system, DZ_MSG_KILL, DZ_PID_NONE, kill, 0, NULL);
    }
}

/* What is due may have gone, or been put off, since it was noted. */
static void find_due(struct dz_remote *r)
{
    pthread_mutex_lock(&r->lock);
    r->due_ms = DZ_INFINITY;
    dz_list_each (&r->stopping, it) becomes_due(r, dz_list_entry(it, struct stopping, all)->kill_ms);
    dz_list_each (&r->served_list, it) becomes_due(r, dz_list_entry(it, struct served, all)->deadline_ms);
    pthread_mutex_unlock(&r->lock);
}

void dz_remote_tick_served(struct dz_remote *r, uint64_t now_ms)
{
    struct served *due;
    look_at_held(r);
    pthread_mutex_lock(&r->lock);
    bool any = now_ms >= r->due_ms || r->served.count > DZ_REMOTE_KEEP_MAX;
    pthread_mutex_unlock(&r->lock);
    if (!any)
        return;
    tick_stopping(r, now_ms);
    while ((due = next_due(r, now_ms)) != NULL)
        expire(r, due);
    find_due(r);
}

uint64_t dz_remote_next(struct dz_remote *r, uint64_t now_ms)
{
    pthread_mutex_lock(&r->lock);
    uint64_t next = r->due_ms;
    if (r->waiting && now_ms + DZ_REMOTE_POLL_MS < next)
        next = now_ms + DZ_REMOTE_POLL_MS;
    pthread_mutex_unlock(&r->lock);
    return next;
}
