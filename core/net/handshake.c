/* handshake.c - the bytes of a hello, and the judgement of it.
 * Owns:    nothing.
 * Threads: any; pure.
 * Fails:   DZ_EFORMAT, DZ_EVERSION, DZ_ENODEID, DZ_ETOOLARGE, DZ_ENOMEM. */
#include "net/handshake.h"
#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "net/frame.h"
#include "net/wire.h"

static const uint8_t magic[4] = {'D', 'Z', 'O', 'R'};

static bool is_name(const char *s, size_t len)
{
    if (len == 0 || len > 64)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool letter = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z');
        bool more = (s[i] >= '0' && s[i] <= '9') || s[i] == '_' || s[i] == '-';
        if (!letter && !(more && i > 0))
            return false;
    }
    return true;
}

static bool is_host(const char *s, size_t len)
{
    if (len == 0 || len > 255)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c <= ' ' || c == 127 || c == '/' || c == '>' || c == '<' || c == '@')
            return false;
    }
    return true;
}

/* -1 when it is not a decimal number of 0..65535 without leading zeros. */
static int parse_port(const char *s)
{
    size_t len = strlen(s);
    if (len == 0 || len > 5 || (s[0] == '0' && len > 1))
        return -1;
    int port = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        port = port * 10 + (s[i] - '0');
    }
    return port <= 65535 ? port : -1;
}

int dz_handshake_parse_id(const char *id, char host[256], uint16_t *port)
{
    const char *at = strchr(id, '@');
    const char *colon = strrchr(id, ':');
    if (!at || !colon || colon < at || !is_name(id, (size_t)(at - id)))
        return DZ_ENODEID;
    const char *start = at + 1;
    size_t len = (size_t)(colon - start);
    int number = parse_port(colon + 1);
    if (!is_host(start, len) || number < 0)
        return DZ_ENODEID;
    if (len > 2 && start[0] == '[' && start[len - 1] == ']') {
        start++;
        len -= 2;
    }
    memcpy(host, start, len);
    host[len] = '\0';
    *port = (uint16_t)number;
    return 0;
}

static void append_short(struct dz_buf *out, int *err, const void *data, size_t len)
{
    dz_wire_keep(err, dz_buf_append_u16(out, (uint16_t)len));
    if (len)
        dz_wire_keep(err, dz_buf_append(out, data, len));
}

static void append_body(struct dz_buf *out, int *err, const struct dz_hello *h)
{
    dz_wire_keep(err, dz_buf_append(out, magic, sizeof(magic)));
    dz_wire_keep(err, dz_buf_append_u16(out, h->version));
    append_short(out, err, h->id, h->id_len);
    dz_wire_keep(err, dz_buf_append_u64(out, h->incarnation));
    dz_wire_keep(err, dz_buf_append_u64(out, h->birth));
    append_short(out, err, h->to, h->to_len);
    dz_wire_keep(err, dz_buf_append_u64(out, h->to_incarnation));
    dz_wire_keep(err, dz_buf_append_u64(out, h->dial));
    dz_wire_keep(err, dz_buf_append_u64(out, h->accepted_dial));
    dz_wire_keep(err, dz_buf_append_u64(out, h->session));
    dz_wire_keep(err, dz_buf_append_u64(out, h->received));
    dz_wire_keep(err, dz_buf_append_u64(out, h->challenge));
    append_short(out, err, h->attributes, h->attributes_len);
    append_short(out, err, h->known, h->known_len);
}

int dz_hello_encode(struct dz_buf *out, uint8_t type, const struct dz_hello *hello)
{
    dz_assert(type == DZ_FRAME_HELLO || type == DZ_FRAME_HELLO_ACK);
    dz_assert(hello->id_len <= DZ_NET_MAX_NODE_ID && hello->to_len <= DZ_NET_MAX_NODE_ID);
    if (hello->attributes_len > DZ_NET_MAX_ATTRIBUTES || hello->known_len > DZ_NET_MAX_KNOWN_PEERS)
        return DZ_ETOOLARGE;
    struct dz_buf body;
    dz_buf_init(&body);
    int err = 0;
    append_body(&body, &err, hello);
    if (!err) {
        struct dz_frame frame = {.type = (enum dz_frame_type)type, .data = body.data, .len = body.len};
        err = dz_frame_encode(out, &frame);
    }
    dz_buf_fini(&body);
    return err;
}

static const uint8_t *take_short(struct dz_wire *w, size_t *len, size_t max)
{
    *len = dz_wire_u16(w);
    if (*len > max)
        w->bad = true;
    return dz_wire_bytes(w, *len);
}

/* A zero byte within would let two different ids look alike to code that uses C strings. */
static const char *take_id(struct dz_wire *w, size_t *len)
{
    const uint8_t *p = take_short(w, len, DZ_NET_MAX_NODE_ID);
    if (!p)
        return NULL;
    char id[DZ_NET_MAX_NODE_ID + 1], host[256];
    uint16_t port;
    memcpy(id, p, *len);
    id[*len] = '\0';
    if (strlen(id) != *len || dz_handshake_parse_id(id, host, &port))
        w->bad = true;
    return (const char *)p;
}

int dz_hello_decode(const uint8_t *data, size_t len, struct dz_hello *out)
{
    struct dz_wire w = {.at = data, .left = len};
    *out = (struct dz_hello){0};
    const uint8_t *start = dz_wire_bytes(&w, sizeof(magic));
    if (!start || memcmp(start, magic, sizeof(magic)) != 0)
        return DZ_EFORMAT;
    out->version = dz_wire_u16(&w);
    if (w.bad)
        return DZ_EFORMAT;
    if (out->version != DZ_NET_VERSION)
        return DZ_EVERSION;
    out->id = take_id(&w, &out->id_len);
    out->incarnation = dz_wire_u64(&w);
    out->birth = dz_wire_u64(&w);
    out->to = take_id(&w, &out->to_len);
    out->to_incarnation = dz_wire_u64(&w);
    out->dial = dz_wire_u64(&w);
    out->accepted_dial = dz_wire_u64(&w);
    out->session = dz_wire_u64(&w);
    out->received = dz_wire_u64(&w);
    out->challenge = dz_wire_u64(&w);
    out->attributes = take_short(&w, &out->attributes_len, DZ_NET_MAX_ATTRIBUTES);
    out->known = take_short(&w, &out->known_len, DZ_NET_MAX_KNOWN_PEERS);
    return w.bad || w.left ? DZ_EFORMAT : 0;
}

static bool same(const char *s, size_t len, const char *zero_terminated)
{
    return strlen(zero_terminated) == len && memcmp(s, zero_terminated, len) == 0;
}

enum dz_refusal dz_hello_check_receiver(const struct dz_hello *hello, const struct dz_node_identity *self)
{
    if (hello->birth == self->birth)
        return DZ_REFUSAL_SELF;
    if (!same(hello->to, hello->to_len, self->id))
        return DZ_REFUSAL_WRONG_RECEIVER;
    if (same(hello->id, hello->id_len, self->id))
        return DZ_REFUSAL_DENIED;
    return DZ_REFUSAL_NONE;
}

enum dz_refusal dz_hello_check_life(const struct dz_hello *hello, uint64_t known_incarnation,
                                    uint64_t known_birth)
{
    if (known_incarnation == 0 || hello->incarnation > known_incarnation)
        return DZ_REFUSAL_NONE;
    if (hello->incarnation == known_incarnation && hello->birth == known_birth)
        return DZ_REFUSAL_NONE;
    return DZ_REFUSAL_STALE;
}

bool dz_crossing_accepts(const struct dz_crossing *at, uint64_t accepted_dial)
{
    /* The sender has given up whatever it dialled before. */
    if (at->established && !at->established_ours)
        return true;
    if (!at->established && !at->dialling)
        return true;
    /* Ours: it took that dial and dials nevertheless, so the connection is dead at its end. */
    if (accepted_dial >= at->our_dial)
        return true;
    /* Both are on their way: the one dialled by the lower id stays. An established one of ours was accepted by the
     * sender after it had sent this hello, so it knows by now. */
    return !at->established && !at->we_are_lower;
}
