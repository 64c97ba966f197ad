#include "cluster/envelope.h"

#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "proc/names.h"

enum whose {
    WHOSE_NONE,
    WHOSE_SENDER,
    WHOSE_SENDER_BIRTH,
    WHOSE_RECEIVER,
    WHOSE_RECEIVER_BIRTH,
    WHOSE_TEXT, /* u16 length, the pid's text */
    WHOSE_NAME, /* u8 length, a local name of the receiver */
};

#define HEAD 13u /* kind, flags, code, ref */

uint64_t dz_envelope_key(const struct dz_msg *msg)
{
    struct dz_pid p = dz_pid_is_none(msg->from) ? msg->to : msg->from;
    uint64_t key = ((uint64_t)p.slot << 32 | p.gen) * 0x9e3779b97f4a7c15ull;
    key ^= key >> 32;
    return key ? key : 1;
}

/* --- encode --- */

static enum whose whose_is(const struct dz_envelope_ends *ends, uint32_t node)
{
    uint32_t self = atomic_load_explicit(&ends->nodes->self, memory_order_acquire);
    if (node == self && self != 0)
        return WHOSE_SENDER;
    if (node == 0)
        return WHOSE_SENDER_BIRTH;
    if (node == ends->peer)
        return WHOSE_RECEIVER;
    return node == ends->peer_birth ? WHOSE_RECEIVER_BIRTH : WHOSE_TEXT;
}

static int put_pid(struct dz_buf *out, const struct dz_envelope_ends *ends, struct dz_pid pid)
{
    if (dz_pid_is_none(pid))
        return dz_buf_append_u8(out, WHOSE_NONE);
    enum whose whose = whose_is(ends, pid.node);
    int err = dz_buf_append_u8(out, (uint8_t)whose);
    if (whose == WHOSE_TEXT) {
        char text[DZ_PID_TEXT_MAX];
        size_t len = dz_pid_format(ends->nodes, pid, text);
        err = err ? err : dz_buf_append_u16(out, (uint16_t)len);
        return err ? err : dz_buf_append(out, text, len);
    }
    err = err ? err : dz_buf_append_u32(out, pid.slot);
    return err ? err : dz_buf_append_u32(out, pid.gen);
}

static int put_name(struct dz_buf *out, const char *name, size_t len)
{
    if (len == 0 || len > DZ_NAME_MAX)
        return DZ_ETOOLARGE;
    int err = dz_buf_append_u8(out, WHOSE_NAME);
    err = err ? err : dz_buf_append_u8(out, (uint8_t)len);
    return err ? err : dz_buf_append(out, name, len);
}

int dz_envelope_encode(struct dz_buf *out, const struct dz_envelope_ends *ends, const struct dz_msg *msg,
                       const char *name, size_t name_len)
{
    dz_assert(!(msg->flags & DZ_MSG_HOST));
    int err = dz_buf_reserve(out, HEAD + 32 + msg->len);
    err = err ? err : dz_buf_append_u8(out, msg->kind);
    err = err ? err : dz_buf_append_u8(out, msg->flags & DZ_MSG_FAILED);
    err = err ? err : dz_buf_append_u16(out, msg->code);
    err = err ? err : dz_buf_append_u64(out, msg->ref);
    err = err ? err : put_pid(out, ends, msg->from);
    err = err ? err : name ? put_name(out, name, name_len) : put_pid(out, ends, msg->to);
    return err ? err : dz_buf_append(out, msg->data, msg->len);
}

/* --- decode --- */

struct bytes {
    const uint8_t *at;
    size_t left;
};

static const uint8_t *take(struct bytes *b, size_t len)
{
    const uint8_t *at = b->at;
    if (b->left < len)
        return NULL;
    b->at += len;
    b->left -= len;
    return at;
}

static bool take_number(struct bytes *b, unsigned size, uint64_t *v)
{
    const uint8_t *at = take(b, size);
    *v = 0;
    for (unsigned i = 0; at && i < size; i++)
        *v = *v << 8 | at[i];
    return at != NULL;
}

static int get_text_pid(struct bytes *b, const struct dz_envelope_ends *ends, struct dz_pid *pid)
{
    uint64_t len;
    const uint8_t *text = take_number(b, 2, &len) ? take(b, (size_t)len) : NULL;
    return text ? dz_pid_parse(ends->nodes, (const char *)text, (size_t)len, pid) : DZ_EFORMAT;
}

/* Whose is whose turns round on the way: the sender is the peer. */
static int get_pid(struct bytes *b, const struct dz_envelope_ends *ends, uint64_t whose, struct dz_pid *pid)
{
    uint64_t slot, gen;
    *pid = DZ_PID_NONE;
    if (whose == WHOSE_NONE)
        return 0;
    if (whose == WHOSE_TEXT)
        return get_text_pid(b, ends, pid);
    if (whose > WHOSE_RECEIVER_BIRTH || !take_number(b, 4, &slot) || !take_number(b, 4, &gen) || slot == 0)
        return DZ_EFORMAT;
    pid->slot = (uint32_t)slot;
    pid->gen = (uint32_t)gen;
    if (whose == WHOSE_SENDER)
        pid->node = ends->peer;
    else if (whose == WHOSE_SENDER_BIRTH)
        pid->node = ends->peer_birth;
    else if (whose == WHOSE_RECEIVER)
        pid->node = atomic_load_explicit(&ends->nodes->self, memory_order_acquire);
    return 0;
}

static int get_to(struct bytes *b, const struct dz_envelope_ends *ends, uint64_t kind,
                  struct dz_envelope *out, struct dz_pid *to)
{
    uint64_t whose, len;
    if (!take_number(b, 1, &whose))
        return DZ_EFORMAT;
    out->name = NULL;
    out->name_len = 0;
    if (whose != WHOSE_NAME)
        return whose == WHOSE_NONE && kind != DZ_MSG_SPAWN ? DZ_EFORMAT : get_pid(b, ends, whose, to);
    *to = DZ_PID_NONE;
    out->name = take_number(b, 1, &len) && len > 0 ? (const char *)take(b, (size_t)len) : NULL;
    out->name_len = (size_t)len;
    return out->name ? 0 : DZ_EFORMAT;
}

/* Kinds that other nodes may send, and whether they carry a value. TASK holds a pointer, NODE_LOST is our own
 * verdict: a peer that sends them is no honest one. */
static bool is_allowed(uint64_t kind, bool has_payload)
{
    switch (kind) {
    case DZ_MSG_SEND:
    case DZ_MSG_CAST:
    case DZ_MSG_CALL:
    case DZ_MSG_INFO:
    case DZ_MSG_STOP:
    case DZ_MSG_REPLY:
    case DZ_MSG_DOWN:
    case DZ_MSG_EXIT:
    case DZ_MSG_SPAWN:
    case DZ_MSG_PARENT_EXIT:
    case DZ_MSG_CHILD_EXIT:
        return has_payload;
    case DZ_MSG_REQUEST:
    case DZ_MSG_NOTICE:
    case DZ_MSG_KILL:
    case DZ_MSG_LINK:
    case DZ_MSG_UNLINK:
    case DZ_MSG_MONITOR:
    case DZ_MSG_DEMONITOR:
    case DZ_MSG_ANSWERED:
    case DZ_MSG_GET_INFO:
        return true;
    default:
        return false;
    }
}

static int make(struct dz_envelope *out, uint64_t kind, const struct bytes *payload)
{
    if (!is_allowed(kind, payload->left > 0))
        return DZ_EFORMAT;
    int err = payload->left ? dz_term_check(payload->at, payload->left, 0) : 0;
    if (err)
        return err;
    out->msg = dz_msg_new_copy((enum dz_msg_kind)kind, payload->at, payload->left);
    return out->msg ? 0 : DZ_ENOMEM;
}

int dz_envelope_decode(const struct dz_envelope_ends *ends, const uint8_t *data, size_t len,
                       struct dz_envelope *out)
{
    struct bytes b = {data, len};
    uint64_t kind, flags, code, ref, whose;
    struct dz_pid from, to;
    if (!take_number(&b, 1, &kind) || !take_number(&b, 1, &flags) || !take_number(&b, 2, &code) ||
        !take_number(&b, 8, &ref) || !take_number(&b, 1, &whose))
        return DZ_EFORMAT;
    int err = get_pid(&b, ends, whose, &from);
    err = err ? err : get_to(&b, ends, kind, out, &to);
    err = err ? err : make(out, kind, &b);
    if (err)
        return err;
    out->msg->flags = (uint8_t)((flags & DZ_MSG_FAILED) | DZ_MSG_WIRE);
    out->msg->code = (uint16_t)code;
    out->msg->ref = ref;
    out->msg->from = from;
    out->msg->to = to;
    return 0;
}
