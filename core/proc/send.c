#include "proc/send.h"

#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "proc/native.h"

static bool is_counted(const struct dz_msg *m)
{
    return m->kind <= DZ_MSG_CALL; /* SEND, CAST, CALL */
}

static int send_far(struct dz_thread *t, struct dz_msg **take)
{
    struct dz_ports *ports = &t->rt->ports;
    int err = ports->wire ? ports->wire(ports->ctx, t, take) : DZ_ENOCONNECTION;
    if (!err || is_counted(*take) || (err == DZ_EOVERLOADED && (*take)->flags & DZ_MSG_PATIENT))
        return err;
    struct dz_msg *m = *take;
    *take = NULL;
    dz_process_bounce_with(t, m, err == DZ_EOVERLOADED ? err : DZ_ENOCONNECTION);
    return 0;
}

static int refuse(struct dz_thread *t, struct dz_slot *slot, const struct dz_msg *m)
{
    struct dz_ports *ports = &t->rt->ports;
    if (m->kind != DZ_MSG_CALL)
        atomic_fetch_add_explicit(&slot->dropped, 1, memory_order_relaxed);
    if (ports->overflow)
        ports->overflow(ports->ctx, t, m->to);
    return DZ_EOVERLOADED;
}

int dz_send_to_slot(struct dz_thread *t, struct dz_slot *slot, struct dz_msg **take)
{
    struct dz_msg *m = *take;
    struct dz_native *native = atomic_load_explicit(&slot->native, memory_order_acquire);
    uint32_t thread = atomic_load_explicit(&slot->thread, memory_order_relaxed);
    bool here = thread == t->index && !native;
    if (is_counted(m)) {
        if (!(here ? dz_table_take_room_here(slot, m->len) : dz_table_take_room(slot, m->len)))
            return refuse(t, slot, m);
        m->flags |= here ? DZ_MSG_RESERVED_HERE : DZ_MSG_RESERVED;
    }
    *take = NULL;
    if (native)
        dz_native_push(t, native, m);
    else if (!here || t->in_native)
        t->rt->ports.post(t->rt->ports.ctx, t, thread, m);
    else if (!slot->proc)
        dz_thread_deliver(t, m);
    else if (m->kind <= DZ_MSG_INFO)
        dz_process_mail(t, slot->proc, m);
    else
        dz_process_deliver(t, slot->proc, m);
    return 0;
}

int dz_send(struct dz_thread *t, struct dz_msg **take)
{
    struct dz_msg *m = *take;
    dz_assert(m->to.slot != 0);
    if (!dz_nodes_is_self(&t->rt->nodes, m->to.node))
        return send_far(t, take);
    struct dz_slot *slot = dz_table_find(&t->rt->table, m->to);
    if (slot)
        return dz_send_to_slot(t, slot, take);
    *take = NULL;
    dz_process_bounce(t, m);
    return 0;
}

int dz_send_patiently(struct dz_thread *t, struct dz_msg **take)
{
    dz_assert((*take)->kind == DZ_MSG_REPLY);
    (*take)->flags |= DZ_MSG_PATIENT;
    return dz_send(t, take);
}

void dz_send_must(struct dz_thread *t, struct dz_msg *m)
{
    dz_assert(!is_counted(m));
    m->flags &= (uint8_t)~DZ_MSG_PATIENT;
    int err = dz_send(t, &m);
    dz_assert(!err && !m);
}

void dz_send_signal(struct dz_thread *t, enum dz_msg_kind kind, struct dz_pid from, struct dz_pid to, uint64_t ref,
                    struct dz_blob *payload)
{
    if (dz_pid_is_none(to))
        return;
    struct dz_msg *m = dz_msg_new_blob(kind, payload);
    dz_assert(m); /* a header without a body: small and fixed */
    m->from = from;
    m->to = to;
    m->ref = ref;
    dz_send_must(t, m);
}

static struct dz_msg *make_reply(struct dz_pid by, struct dz_pid to, uint64_t ref, const uint8_t *data, size_t len)
{
    static const uint8_t nil[] = {0xc0};
    struct dz_msg *m = data ? dz_msg_new_copy(DZ_MSG_REPLY, data, len) : dz_msg_new_copy(DZ_MSG_REPLY, nil, 1);
    if (!m)
        return NULL;
    m->from = by;
    m->to = to;
    m->ref = ref;
    return m;
}

int dz_send_reply(struct dz_thread *t, struct dz_pid by, struct dz_pid to, uint64_t ref, const uint8_t *data, size_t len)
{
    struct dz_msg *m = dz_pid_is_none(to) ? NULL : make_reply(by, to, ref, data, len);
    if (!m)
        return dz_pid_is_none(to) ? 0 : DZ_ENOMEM;
    dz_send_must(t, m);
    return 0;
}

int dz_send_child_reply(struct dz_thread *t, struct dz_pid by, struct dz_pid to, uint64_t ref, const uint8_t *data, size_t len)
{
    struct dz_msg *m = make_reply(by, to, ref, data, len);
    if (!m)
        return DZ_ENOMEM;
    m->code = DZ_REPLY_CHILD;
    dz_send_must(t, m);
    return 0;
}

void dz_send_pid_reply(struct dz_thread *t, struct dz_pid by, struct dz_pid to, uint64_t ref, struct dz_pid value)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_pid_of(&b, &t->rt->nodes, value);
    if (dz_build_done(&b) || dz_send_reply(t, by, to, ref, buf.data, buf.len))
        dz_send_error(t, by, to, ref, DZ_ENOMEM, NULL);
    dz_buf_fini(&buf);
}

void dz_error_build(struct dz_build *b, int err, const char *message)
{
    dz_build_map(b, 2);
    dz_build_kstring(b, "code", dz_err_name(err));
    dz_build_kstring(b, "message", message ? message : dz_err_text(err));
}

struct dz_msg *dz_send_make_error(struct dz_pid by, struct dz_pid to, uint64_t ref, int err, const char *message)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_error_build(&b, err, message);
    struct dz_msg *m = dz_build_done(&b) ? NULL : make_reply(by, to, ref, buf.data, buf.len);
    if (m)
        m->flags |= DZ_MSG_FAILED;
    dz_buf_fini(&buf);
    return m;
}

void dz_send_error(struct dz_thread *t, struct dz_pid by, struct dz_pid to, uint64_t ref, int err, const char *message)
{
    if (dz_pid_is_none(to))
        return;
    struct dz_msg *m = dz_send_make_error(by, to, ref, err, message);
    dz_assert(m); /* one who waits must hear something; a code and its text are small */
    dz_send_must(t, m);
}

void dz_send_failure(struct dz_thread *t, struct dz_pid by, struct dz_pid to, uint64_t ref, const uint8_t *error,
                     size_t len)
{
    if (dz_pid_is_none(to))
        return;
    struct dz_msg *m = make_reply(by, to, ref, error, len);
    if (!m) {
        dz_send_error(t, by, to, ref, DZ_ENOMEM, NULL);
        return;
    }
    m->flags |= DZ_MSG_FAILED;
    dz_send_must(t, m);
}
