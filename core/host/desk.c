/* desk.c - see desk.h.
 * Owns:    questions and watches; each is removed under the lock by the one who ends it, so it ends once.
 * Threads: as desk.h says.
 * Fails:   as desk.h says. */
#include "host/desk.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "host/host.h"
#include "proc/bond.h"
#include "proc/request.h"
#include "proc/send.h"

/* Notices from any thread to the native itself. */
enum desk_notice { NOTICE_WATCH = 200, NOTICE_UNWATCH };

struct question {
    struct dz_heap_node deadline;
    uint64_t ref;
    dz_desk_done done;
    void *ctx;
};

struct watch {
    uint64_t number;
    uint64_t ref; /* of the monitor */
    struct dz_pid pid;
    dz_desk_down down;
    void (*drop)(void *ctx);
    void *ctx;
    bool cancelled; /* lock */
};

static void watch_delete(struct watch *w)
{
    if (w->drop)
        w->drop(w->ctx);
    dz_free(w);
}

int dz_desk_init(struct dz_desk *d, struct dz_host *host)
{
    memset(d, 0, sizeof *d);
    d->host = host;
    d->armed_ms = DZ_INFINITY;
    pthread_mutex_init(&d->lock, NULL);
    dz_map_init(&d->questions);
    dz_heap_init(&d->deadlines);
    dz_map_init(&d->watches);
    dz_map_init(&d->by_ref);
    return DZ_OK;
}

void dz_desk_fini(struct dz_desk *d)
{
    dz_assert(d->questions.count == 0 && d->watches.count == 0);
    dz_map_fini(&d->questions);
    dz_heap_fini(&d->deadlines);
    dz_map_fini(&d->watches);
    dz_map_fini(&d->by_ref);
    pthread_mutex_destroy(&d->lock);
}

/* --- questions --- */

static void arm(struct dz_desk *d, struct dz_thread *t, uint64_t now_ms, uint64_t due_ms)
{
    uint64_t delay = due_ms > now_ms ? due_ms - now_ms : 0;
    if (dz_native_send_after(t, d->pid, DZ_REQ_TICK, 0, delay) == DZ_OK)
        d->armed_ms = due_ms;
}

static int insert(struct dz_desk *d, struct dz_thread *t, struct question *q, uint64_t timeout_ms)
{
    uint64_t now_ms = dz_env_now_ms(t->rt->env);
    if (!d->open)
        return DZ_ECLOSED;
    int err = dz_map_put(&d->questions, q->ref, q);
    if (err || timeout_ms >= DZ_INFINITY - now_ms)
        return err;
    err = dz_heap_push(&d->deadlines, &q->deadline, now_ms + timeout_ms);
    if (err)
        dz_map_remove(&d->questions, q->ref);
    else if (now_ms + timeout_ms < d->armed_ms)
        arm(d, t, now_ms, now_ms + timeout_ms);
    return err;
}

int dz_desk_ask(struct dz_desk *d, struct dz_thread *t, uint64_t timeout_ms, dz_desk_done done, void *ctx, uint64_t *ref)
{
    struct question *q = dz_zalloc(1, sizeof *q);
    if (!q)
        return DZ_ENOMEM;
    dz_heap_node_init(&q->deadline);
    q->ref = dz_rt_next_ref(t->rt);
    q->done = done;
    q->ctx = ctx;
    *ref = q->ref;
    pthread_mutex_lock(&d->lock);
    int err = insert(d, t, q, timeout_ms);
    pthread_mutex_unlock(&d->lock);
    if (err)
        dz_free(q);
    return err;
}

/* NULL when somebody else ended it. */
static struct question *take_question(struct dz_desk *d, uint64_t ref)
{
    pthread_mutex_lock(&d->lock);
    struct question *q = dz_map_remove(&d->questions, ref);
    if (q)
        dz_heap_remove(&d->deadlines, &q->deadline);
    pthread_mutex_unlock(&d->lock);
    return q;
}

bool dz_desk_forget(struct dz_desk *d, uint64_t ref)
{
    struct question *q = take_question(d, ref);
    dz_free(q);
    return q != NULL;
}

static void answer(struct dz_thread *t, struct question *q, int err, const uint8_t *data, size_t len)
{
    static const uint8_t nil[] = { 0xc0 };
    if (q->done)
        q->done(q->ctx, t, err, len ? data : nil, len ? len : sizeof nil);
    dz_free(q);
}

static void answer_error(struct dz_thread *t, struct question *q, int err)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_error_build(&b, err, NULL);
    answer(t, q, err, buf.data, dz_build_done(&b) ? 0 : buf.len);
    dz_buf_fini(&buf);
}

int dz_desk_send(struct dz_desk *d, struct dz_thread *t, struct dz_msg **take, uint64_t timeout_ms, dz_desk_done done,
                 void *ctx)
{
    uint64_t ref;
    int err = dz_desk_ask(d, t, timeout_ms, done, ctx, &ref);
    if (err)
        return err;
    (*take)->from = d->pid;
    (*take)->ref = ref;
    err = dz_send(t, take);
    return err && dz_desk_forget(d, ref) ? err : DZ_OK;
}

int dz_desk_request(struct dz_desk *d, struct dz_thread *t, struct dz_pid to, uint16_t code, const uint8_t *data, size_t len,
                    uint64_t timeout_ms, dz_desk_done done, void *ctx)
{
    static const uint8_t nil[] = { 0xc0 };
    struct dz_msg *m = dz_msg_new_copy(DZ_MSG_REQUEST, data ? data : nil, data ? len : sizeof nil);
    if (!m)
        return DZ_ENOMEM;
    m->to = to;
    m->code = code;
    int err = dz_desk_send(d, t, &m, timeout_ms, done, ctx);
    dz_msg_free(m);
    return err;
}

static struct question *take_due(struct dz_desk *d, uint64_t now_ms)
{
    struct question *q = NULL;
    pthread_mutex_lock(&d->lock);
    struct dz_heap_node *top = dz_heap_top(&d->deadlines);
    if (top && top->key <= now_ms) {
        dz_heap_pop(&d->deadlines);
        q = dz_container_of(top, struct question, deadline);
        dz_map_remove(&d->questions, q->ref);
    }
    pthread_mutex_unlock(&d->lock);
    return q;
}

static void tick(struct dz_desk *d, struct dz_thread *t)
{
    uint64_t now_ms = dz_env_now_ms(t->rt->env);
    struct question *q;
    while ((q = take_due(d, now_ms)) != NULL)
        answer_error(t, q, DZ_ETIMEOUT);
    pthread_mutex_lock(&d->lock);
    d->armed_ms = DZ_INFINITY;
    struct dz_heap_node *top = dz_heap_top(&d->deadlines);
    if (top)
        arm(d, t, now_ms, top->key);
    pthread_mutex_unlock(&d->lock);
}

static int code_of(const uint8_t *data, size_t len)
{
    const char *code;
    size_t code_len;
    char name[64];
    if (!dz_read_find_string(data, len, "code", &code, &code_len) || code_len >= sizeof name)
        return DZ_ECALLFAILED;
    memcpy(name, code, code_len);
    name[code_len] = 0;
    int err = dz_err_from_name(name);
    return err ? err : DZ_ECALLFAILED;
}

static void take_reply(struct dz_desk *d, struct dz_thread *t, const struct dz_msg *m)
{
    struct question *q = take_question(d, m->ref);
    if (q)
        answer(t, q, m->flags & DZ_MSG_FAILED ? code_of(m->data, m->len) : DZ_OK, m->data, m->len);
}

/* --- watches --- */

static void notice(struct dz_desk *d, struct dz_thread *t, uint16_t code, uint64_t ref)
{
    struct dz_msg *m = dz_msg_new(DZ_MSG_NOTICE, 0);
    dz_assert(m);
    m->to = d->pid;
    m->code = code;
    m->ref = ref;
    dz_send(t, &m);
    dz_msg_free(m);
}

int dz_desk_watch(struct dz_desk *d, struct dz_thread *t, struct dz_pid pid, dz_desk_down down, void (*drop)(void *ctx),
                  void *ctx, uint64_t *number)
{
    struct watch *w = dz_zalloc(1, sizeof *w);
    if (!w)
        return DZ_ENOMEM;
    w->number = dz_rt_next_ref(t->rt);
    w->ref = w->number;
    w->pid = pid;
    w->down = down;
    w->drop = drop;
    w->ctx = ctx;
    uint64_t name = w->number;
    pthread_mutex_lock(&d->lock);
    int err = d->open ? dz_map_put(&d->watches, name, w) : DZ_ECLOSED;
    pthread_mutex_unlock(&d->lock);
    if (err) {
        dz_free(w);
        return err;
    }
    if (number)
        *number = name;
    notice(d, t, NOTICE_WATCH, name);
    /* From here, so that it keeps its place among what this thread sends to the process. */
    dz_send_signal(t, DZ_MSG_MONITOR, d->pid, pid, name, NULL);
    return DZ_OK;
}

/* Only the native removes watches, so what it found stays good for its turn. */
static struct watch *find_watch(struct dz_desk *d, uint64_t number)
{
    pthread_mutex_lock(&d->lock);
    struct watch *w = dz_map_get(&d->watches, number);
    pthread_mutex_unlock(&d->lock);
    return w;
}

bool dz_desk_unwatch(struct dz_desk *d, struct dz_thread *t, uint64_t number)
{
    pthread_mutex_lock(&d->lock);
    struct watch *w = dz_map_get(&d->watches, number);
    bool stands = w && !w->cancelled;
    if (stands)
        w->cancelled = true;
    pthread_mutex_unlock(&d->lock);
    if (stands)
        notice(d, t, NOTICE_UNWATCH, number);
    return stands;
}

/* The end of a watch: tells it unless it was taken back. */
static void end_watch(struct dz_desk *d, struct dz_thread *t, struct watch *w, const uint8_t *reason, size_t len)
{
    pthread_mutex_lock(&d->lock);
    dz_map_remove(&d->watches, w->number);
    bool tell = reason && !w->cancelled;
    pthread_mutex_unlock(&d->lock);
    if (tell)
        w->down(w->ctx, t, w->pid, reason, len);
    watch_delete(w);
}

/* Our side of the monitor. It is here before the DOWN can be, which the MONITOR sent after this notice brings. */
static void make_watch(struct dz_desk *d, struct dz_thread *t, struct dz_native *n, uint64_t number)
{
    struct watch *w = find_watch(d, number);
    struct dz_bond *bond;
    if (!w)
        return;
    int err = dz_bond_add(t, &n->proc, DZ_BOND_WATCHES, w->pid, w->ref, &bond);
    if (!err)
        err = dz_map_put(&d->by_ref, w->ref, w);
    if (!err)
        return;
    struct dz_blob *reason = t->rt->reasons[DZ_REASON_NOCONNECTION];
    end_watch(d, t, w, reason->data, reason->len);
}

static void drop_watch(struct dz_desk *d, struct dz_thread *t, struct dz_native *n, uint64_t number)
{
    struct watch *w = find_watch(d, number);
    if (!w)
        return;
    if (dz_map_remove(&d->by_ref, w->ref))
        dz_bond_demonitor(t, &n->proc, w->ref);
    end_watch(d, t, w, NULL, 0);
}

static void take_down(struct dz_desk *d, struct dz_thread *t, const struct dz_msg *m)
{
    struct watch *w = dz_map_remove(&d->by_ref, m->ref);
    if (w)
        end_watch(d, t, w, m->data, m->len);
}

/* --- the native --- */

static void close_all(struct dz_desk *d, struct dz_thread *t)
{
    uint32_t it = 0;
    uint64_t key;
    void *value;
    pthread_mutex_lock(&d->lock);
    d->open = false;
    while (dz_map_next(&d->questions, &it, &key, &value)) {
        dz_map_remove(&d->questions, key);
        struct question *q = value;
        dz_heap_remove(&d->deadlines, &q->deadline);
        pthread_mutex_unlock(&d->lock);
        answer_error(t, q, DZ_ECLOSED);
        pthread_mutex_lock(&d->lock);
        it = 0;
    }
    for (it = 0; dz_map_next(&d->watches, &it, &key, &value);) {
        dz_map_remove(&d->watches, key);
        watch_delete(value);
    }
    pthread_mutex_unlock(&d->lock);
}

static void take_notice(struct dz_desk *d, struct dz_thread *t, struct dz_native *n, const struct dz_msg *m)
{
    if (m->code == DZ_REQ_TICK)
        tick(d, t);
    else if (m->code == NOTICE_WATCH)
        make_watch(d, t, n, m->ref);
    else if (m->code == NOTICE_UNWATCH)
        drop_watch(d, t, n, m->ref);
}

static void handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct dz_desk *d = n->data;
    if (m->kind == DZ_MSG_REPLY)
        take_reply(d, t, m);
    else if (m->kind == DZ_MSG_DOWN)
        take_down(d, t, m);
    else if (m->kind == DZ_MSG_NOTICE)
        take_notice(d, t, n, m);
    dz_msg_free(m);
}

static void end(struct dz_thread *t, struct dz_native *n)
{
    struct dz_desk *d = n->data;
    close_all(d, t);
}

static const struct dz_native_ops desk_ops = { .name = "$desk", .handle = handle, .end = end };

int dz_desk_start(struct dz_desk *d, struct dz_thread *t)
{
    struct dz_native *n;
    int err = dz_native_new(t, &desk_ops, d, true, NULL, DZ_PID_NONE, NULL, &n);
    if (err)
        return err;
    d->pid = n->proc.pid;
    pthread_mutex_lock(&d->lock);
    d->open = true;
    pthread_mutex_unlock(&d->lock);
    return DZ_OK;
}
