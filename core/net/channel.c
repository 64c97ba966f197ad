/* channel.c - judges the first bytes of a connection, then carries frames through TLS or plain.
 * Owns:    as channel.h says.
 * Threads: feed and seal under the caller's lock.
 * Fails:   DZ_EAUTH, DZ_EFORMAT, DZ_ECLOSED, DZ_ENOMEM.
 * Before the judgement at most DZ_TLS_MAX_FIRST_RECORD bytes are kept and no SSL object exists. */
#include "net/channel.h"
#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "net/handshake.h"

/* A frame is shorter than 16 MiB, so its first byte is 0; a TLS record begins with 20..24. That tells the two apart. */
enum kind { KIND_UNKNOWN, KIND_FRAME, KIND_TLS };

static enum kind kind_of(uint8_t first)
{
    if (first == 0)
        return KIND_FRAME;
    return first >= 20 && first <= 24 ? KIND_TLS : KIND_UNKNOWN;
}

int dz_channel_init(struct dz_channel *c, struct dz_tls_context *context, bool server)
{
    *c = (struct dz_channel){.context = context, .server = server, .open = !context};
    dz_buf_init(&c->first);
    dz_buf_init(&c->in);
    dz_buf_init(&c->out);
    if (!context || server)
        return 0;
    int err = dz_tls_new(&c->tls, context, false);
    if (!err)
        err = dz_tls_handshake(c->tls);
    if (err >= 0)
        err = dz_tls_output(c->tls, &c->out);
    return err;
}

void dz_channel_fini(struct dz_channel *c)
{
    dz_tls_delete(c->tls);
    c->tls = NULL;
    dz_buf_fini(&c->first);
    dz_buf_fini(&c->in);
    dz_buf_fini(&c->out);
}

/* Always in plain text: the peer that speaks the other language understands it. */
static int refuse_secret(struct dz_channel *c)
{
    struct dz_frame refuse = {
        .type = DZ_FRAME_REFUSE, .version = DZ_NET_VERSION, .reason = DZ_REFUSAL_SECRET};
    int err = dz_frame_encode(&c->out, &refuse);
    return err ? err : DZ_EAUTH;
}

/* The acceptor has a secret and gets a frame: a node without one, if it is a hello at all. */
static int judge_plain_hello(struct dz_channel *c)
{
    static const uint8_t hello[] = {DZ_FRAME_HELLO, 'D', 'Z', 'O', 'R'};
    const struct dz_buf *b = &c->first;
    if (b->len < DZ_FRAME_PREFIX + sizeof(hello))
        return 0;
    if (memcmp(b->data + DZ_FRAME_PREFIX, hello, sizeof(hello)) != 0)
        return DZ_EFORMAT;
    return refuse_secret(c);
}

/* The dialler has a secret and gets a frame instead of TLS: the other end has none. */
static int judge_plain_answer(struct dz_channel *c)
{
    struct dz_frame frame;
    size_t used;
    int got = dz_frame_decode(c->first.data, c->first.len, &frame, &used);
    if (got <= 0)
        return got;
    return frame.type == DZ_FRAME_REFUSE ? DZ_EAUTH : DZ_EFORMAT;
}

/* 1 when the connection may go on with the bytes in `first`, 0 when more are needed. */
static int judge_first(struct dz_channel *c)
{
    enum kind kind = kind_of(c->first.data[0]);
    if (kind == KIND_UNKNOWN)
        return DZ_EFORMAT;
    if (!c->context) {
        if (kind == KIND_FRAME)
            return 1;
        /* An acceptor answers only what looks like a whole greeting, a dialler got an alert. */
        int whole = c->server ? dz_tls_first_record(c->first.data, c->first.len) : 1;
        if (whole <= 0)
            return whole;
        return c->server ? refuse_secret(c) : DZ_EAUTH;
    }
    if (kind == KIND_FRAME)
        return c->server ? judge_plain_hello(c) : judge_plain_answer(c);
    return c->server ? dz_tls_first_record(c->first.data, c->first.len) : 1;
}

static int begin(struct dz_channel *c)
{
    c->begun = true;
    if (!c->context || !c->server)
        return 0;
    return dz_tls_new(&c->tls, c->context, true);
}

static int feed_tls(struct dz_channel *c, const uint8_t *data, size_t len)
{
    int err = dz_tls_input(c->tls, data, len);
    if (err)
        return err;
    if (!c->open) {
        int done = dz_tls_handshake(c->tls);
        err = dz_tls_output(c->tls, &c->out); /* also the alert that tells why */
        if (done <= 0 || err)
            return done < 0 ? done : err;
        c->open = true;
    }
    int more;
    do
        more = dz_tls_read(c->tls, &c->in, 256u * 1024u);
    while (more == 1);
    err = dz_tls_output(c->tls, &c->out);
    return more < 0 ? more : err;
}

static int take(struct dz_channel *c, const uint8_t *data, size_t len)
{
    if (c->tls)
        return feed_tls(c, data, len);
    return dz_buf_append(&c->in, data, len);
}

int dz_channel_feed(struct dz_channel *c, const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    if (c->in_used) {
        dz_buf_consume(&c->in, c->in_used);
        c->in_used = 0;
    }
    if (c->begun)
        return take(c, data, len);
    /* Of what comes before the judgement only a first record's worth is kept; the rest waits for its outcome. */
    size_t part = DZ_TLS_MAX_FIRST_RECORD - c->first.len;
    if (part > len)
        part = len;
    int err = dz_buf_append(&c->first, data, part);
    int go = err ? err : judge_first(c);
    if (go <= 0)
        return go == 0 && c->first.len == DZ_TLS_MAX_FIRST_RECORD ? DZ_EFORMAT : go;
    err = begin(c);
    if (!err)
        err = take(c, c->first.data, c->first.len);
    dz_buf_fini(&c->first);
    dz_buf_init(&c->first);
    return err || part == len ? err : take(c, data + part, len - part);
}

int dz_channel_next(struct dz_channel *c, unsigned allowed, struct dz_frame *out)
{
    size_t len = c->in.len - c->in_used, used;
    if (len <= DZ_FRAME_PREFIX)
        return 0;
    const uint8_t *data = c->in.data + c->in_used;
    uint8_t type = data[DZ_FRAME_PREFIX];
    if (type > 31 || !(allowed & DZ_CHANNEL_ALLOW(type)))
        return DZ_EFORMAT;
    int got = dz_frame_decode(data, len, out, &used);
    if (got == 1)
        c->in_used += used;
    return got;
}

int dz_channel_seal(struct dz_channel *c, const void *data, size_t len)
{
    dz_assert(c->open);
    if (!c->tls)
        return dz_buf_append(&c->out, data, len);
    int err = dz_tls_write(c->tls, data, len);
    return err ? err : dz_tls_output(c->tls, &c->out);
}
