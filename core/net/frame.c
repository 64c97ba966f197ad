/* frame.c - encodes and decodes frames by one table of shapes.
 * Owns:    nothing.
 * Threads: any; pure.
 * Fails:   DZ_EFORMAT, DZ_ETOOLARGE, DZ_ENOMEM.
 * The head alone (length and type) decides whether a frame can be well-formed, so a hostile length is refused before a
 * byte behind it is waited for. */
#include "net/frame.h"
#include "base/assert.h"
#include "base/err.h"
#include "net/wire.h"

/* Bytes of the fixed part behind the type, and the most that may follow it. */
struct shape {
    uint16_t fixed;
    uint32_t variable;
};

static const struct shape shapes[] = {
    [DZ_FRAME_HELLO] = {0, DZ_FRAME_MAX_HELLO},
    [DZ_FRAME_HELLO_ACK] = {0, DZ_FRAME_MAX_HELLO},
    [DZ_FRAME_REFUSE] = {11, 0},
    [DZ_FRAME_READY] = {8, 0},
    [DZ_FRAME_DATA] = {24, DZ_FRAME_MAX_PAYLOAD},
    [DZ_FRAME_FRAGMENT] = {30, DZ_FRAME_MAX_PAYLOAD},
    [DZ_FRAME_ACK] = {8, 0},
    [DZ_FRAME_HEARTBEAT] = {28, 0},
    [DZ_FRAME_GOODBYE] = {0, 0},
    [DZ_FRAME_MEMBERSHIP] = {0, DZ_FRAME_MAX_PAYLOAD},
};

static const struct shape *shape_of(unsigned type)
{
    if (type == 0 || type >= sizeof(shapes) / sizeof(shapes[0]))
        return NULL;
    return &shapes[type];
}

static void put(uint8_t **at, uint64_t v, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        (*at)[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
    *at += size;
}

static void put_fixed(uint8_t **at, const struct dz_frame *f)
{
    switch (f->type) {
    case DZ_FRAME_REFUSE:
        put(at, f->version, 2);
        put(at, f->reason, 1);
        put(at, f->known_incarnation, 8);
        break;
    case DZ_FRAME_READY:
        put(at, f->challenge, 8);
        break;
    case DZ_FRAME_DATA:
    case DZ_FRAME_FRAGMENT:
        put(at, f->number, 8);
        put(at, f->acknowledged, 8);
        put(at, f->key, 8);
        if (f->type == DZ_FRAME_FRAGMENT) {
            put(at, f->total, 4);
            put(at, f->lane, 1);
            put(at, f->flags, 1);
        }
        break;
    case DZ_FRAME_HEARTBEAT:
        put(at, f->acknowledged, 8);
        put(at, f->figures.counter, 8);
        put(at, f->figures.processes, 4);
        put(at, f->figures.load, 4);
        put(at, f->figures.flags, 4);
        break;
    case DZ_FRAME_ACK:
        put(at, f->acknowledged, 8);
        break;
    default:
        break;
    }
}

int dz_frame_encode(struct dz_buf *out, const struct dz_frame *frame)
{
    const struct shape *shape = shape_of(frame->type);
    dz_assert(shape);
    if (frame->len > shape->variable)
        return DZ_ETOOLARGE;
    size_t body = 1u + shape->fixed + frame->len;
    int err = dz_buf_reserve(out, DZ_FRAME_PREFIX + body);
    if (err)
        return err;
    uint8_t head[DZ_FRAME_MAX_HEAD], *at = head;
    put(&at, body, 4);
    put(&at, frame->type, 1);
    put_fixed(&at, frame);
    dz_assert((size_t)(at - head) == DZ_FRAME_PREFIX + 1u + shape->fixed);
    err = dz_buf_append(out, head, (size_t)(at - head));
    if (!err && frame->len)
        err = dz_buf_append(out, frame->data, frame->len);
    dz_assert(!err); /* the room was reserved */
    return 0;
}

static void take_fixed(struct dz_wire *w, struct dz_frame *f)
{
    switch (f->type) {
    case DZ_FRAME_REFUSE:
        f->version = dz_wire_u16(w);
        f->reason = dz_wire_u8(w);
        f->known_incarnation = dz_wire_u64(w);
        break;
    case DZ_FRAME_READY:
        f->challenge = dz_wire_u64(w);
        break;
    case DZ_FRAME_DATA:
    case DZ_FRAME_FRAGMENT:
        f->number = dz_wire_u64(w);
        f->acknowledged = dz_wire_u64(w);
        f->key = dz_wire_u64(w);
        if (f->type == DZ_FRAME_FRAGMENT) {
            f->total = dz_wire_u32(w);
            f->lane = dz_wire_u8(w);
            f->flags = dz_wire_u8(w);
        }
        break;
    case DZ_FRAME_HEARTBEAT:
        f->acknowledged = dz_wire_u64(w);
        f->figures.counter = dz_wire_u64(w);
        f->figures.processes = dz_wire_u32(w);
        f->figures.load = dz_wire_u32(w);
        f->figures.flags = dz_wire_u32(w);
        break;
    case DZ_FRAME_ACK:
        f->acknowledged = dz_wire_u64(w);
        break;
    default:
        break;
    }
}

int dz_frame_decode(const uint8_t *data, size_t len, struct dz_frame *out, size_t *used)
{
    struct dz_wire w = {.at = data, .left = len};
    if (len < DZ_FRAME_PREFIX + 1u)
        return 0;
    size_t body = dz_wire_u32(&w);
    unsigned type = dz_wire_u8(&w);
    const struct shape *shape = shape_of(type);
    if (!shape || body < 1u + shape->fixed || body - 1u - shape->fixed > shape->variable)
        return DZ_EFORMAT;
    if (len < DZ_FRAME_PREFIX + body)
        return 0;
    w.left = body - 1;
    *out = (struct dz_frame){.type = (enum dz_frame_type)type};
    take_fixed(&w, out);
    out->data = w.at;
    out->len = w.left;
    if (w.bad)
        return DZ_EFORMAT;
    if (type == DZ_FRAME_FRAGMENT && (out->lane >= DZ_FRAME_LANES || out->len == 0))
        return DZ_EFORMAT;
    *used = DZ_FRAME_PREFIX + body;
    return 1;
}
