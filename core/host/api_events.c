/* api_events.c - an embedder's subscriptions to events: each is a hidden native process.
 * Owns:    struct dz_subscription, shared by its native and whoever subscribed.
 * Threads: subscribe and unsubscribe any; the handler on whichever thread runs the native, one call at a time.
 * Fails:   as dozor.h says. */
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "host/host.h"
#include "proc/native.h"
#include "proc/request.h"
#include "proc/send.h"
#include "term/build.h"

struct dz_subscription {
    struct dz_host *host;
    struct dz_pid pid;
    dz_event handler;
    void *ctx;
    pthread_mutex_t lock; /* held while the handler runs */
    bool closed;          /* lock */
    unsigned refs;        /* lock: the native's and the subscriber's */
};

static void unref(struct dz_subscription *s)
{
    pthread_mutex_lock(&s->lock);
    bool last = --s->refs == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&s->lock);
    dz_free(s);
}

static void handle(struct dz_thread *t, struct dz_native *n, struct dz_msg *m)
{
    struct dz_subscription *s = n->data;
    if (m->kind == DZ_MSG_SEND) {
        dz_reader reader = { m->data, m->data + m->len, s->host };
        pthread_mutex_lock(&s->lock);
        if (!s->closed)
            s->handler(s->ctx, &reader);
        pthread_mutex_unlock(&s->lock);
    } else if (m->kind == DZ_MSG_STOP) {
        dz_native_finish(t, n, t->rt->reasons[DZ_REASON_NORMAL]);
    }
    dz_msg_free(m);
}

static void end(struct dz_thread *t, struct dz_native *n)
{
    (void)t;
    unref(n->data);
}

static const struct dz_native_ops subscription_ops = { .name = "$subscription", .handle = handle, .end = end };

static struct dz_msg *subscribe_message(const char *const *types, size_t count, bool cluster)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, count ? 3 : 2);
    dz_build_kbool(&b, "cluster", cluster);
    dz_build_kbool(&b, "counted", true);
    if (count) {
        dz_build_key(&b, "types");
        dz_build_array(&b, (uint32_t)count);
    }
    for (size_t i = 0; i < count; i++)
        dz_build_cstring(&b, types[i]);
    struct dz_msg *m = dz_build_done(&b) ? NULL : dz_msg_new_copy(DZ_MSG_REQUEST, buf.data, buf.len);
    dz_buf_fini(&buf);
    return m;
}

static int start(struct dz_subscription *s, struct dz_msg **take)
{
    struct dz_thread t;
    struct dz_native *n;
    dz_host_thread(s->host, &t);
    int err = dz_native_new(&t, &subscription_ops, s, true, NULL, DZ_PID_NONE, NULL, &n);
    if (err)
        return err;
    s->pid = n->proc.pid;
    struct dz_msg *m = *take;
    *take = NULL;
    m->to = s->host->rt.events;
    m->from = s->pid;
    m->code = DZ_REQ_SUBSCRIBE;
    m->ref = dz_rt_next_ref(&s->host->rt);
    atomic_fetch_add_explicit(&s->host->rt.event_listeners, 1, memory_order_release);
    dz_send_must(&t, m);
    return DZ_OK;
}

int dz_host_subscribe(dz_host *host, const char *const *types, size_t count, bool cluster, dz_event handler, void *ctx,
                      dz_subscription **out)
{
    pthread_mutex_lock(&host->lock);
    bool running = host->phase == DZ_HOST_RUNNING;
    pthread_mutex_unlock(&host->lock);
    if (!running || !handler || !out || count > UINT16_MAX)
        return running ? DZ_EARGUMENT : DZ_ECLOSED;
    struct dz_msg *m = subscribe_message(types, count, cluster);
    struct dz_subscription *s = dz_zalloc(1, sizeof *s);
    if (!m || !s) {
        dz_msg_free(m);
        dz_free(s);
        return DZ_ENOMEM;
    }
    s->host = host;
    s->handler = handler;
    s->ctx = ctx;
    s->refs = 2;
    pthread_mutex_init(&s->lock, NULL);
    int err = start(s, &m);
    dz_msg_free(m);
    if (err) {
        pthread_mutex_destroy(&s->lock);
        dz_free(s);
        return err;
    }
    *out = s;
    return DZ_OK;
}

void dz_host_unsubscribe(dz_host *host, dz_subscription *subscription)
{
    struct dz_thread t;
    if (!subscription)
        return;
    pthread_mutex_lock(&subscription->lock);
    subscription->closed = true;
    bool lives = subscription->refs == 2;
    pthread_mutex_unlock(&subscription->lock);
    dz_host_thread(host, &t);
    if (lives)
        dz_send_signal(&t, DZ_MSG_STOP, DZ_PID_NONE, subscription->pid, 0, host->rt.reasons[DZ_REASON_NORMAL]);
    unref(subscription);
}
