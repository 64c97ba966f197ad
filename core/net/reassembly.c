/* reassembly.c - fragments into messages.
 * Owns:    the bytes held, as reassembly.h says.
 * Threads: one at a time; pure.
 * Fails:   DZ_EFORMAT, DZ_ENOMEM.
 * Invariant: `held` is the sum of the lanes' lengths; a lane has bytes exactly while its total is not 0. */
#include "net/reassembly.h"
#include "base/assert.h"
#include "base/err.h"

void dz_reassembly_init(struct dz_reassembly *r, size_t limit)
{
    *r = (struct dz_reassembly){.limit = limit};
    for (size_t i = 0; i < DZ_FRAME_LANES; i++)
        dz_buf_init(&r->lanes[i].bytes);
    dz_buf_init(&r->done);
}

void dz_reassembly_fini(struct dz_reassembly *r)
{
    for (size_t i = 0; i < DZ_FRAME_LANES; i++)
        dz_buf_fini(&r->lanes[i].bytes);
    dz_buf_fini(&r->done);
}

static bool fits(const struct dz_reassembly *r, const struct dz_reassembly_lane *lane,
                 const struct dz_frame *f)
{
    bool first = f->flags & DZ_FRAGMENT_FIRST, last = f->flags & DZ_FRAGMENT_LAST;
    if (f->flags & ~(DZ_FRAGMENT_FIRST | DZ_FRAGMENT_LAST) || first != (lane->total == 0))
        return false;
    if (f->total == 0 || f->total > DZ_NET_MAX_MESSAGE || (!first && f->total != lane->total))
        return false;
    size_t have = lane->bytes.len;
    if (f->len > f->total - have || last != (f->len == f->total - have))
        return false;
    return r->held + f->len <= r->limit && (first || f->key == lane->key);
}

int dz_reassembly_add(struct dz_reassembly *r, const struct dz_frame *fragment, const uint8_t **data,
                      size_t *len)
{
    dz_assert(fragment->type == DZ_FRAME_FRAGMENT && fragment->lane < DZ_FRAME_LANES);
    struct dz_reassembly_lane *lane = &r->lanes[fragment->lane];
    dz_buf_fini(&r->done);
    dz_buf_init(&r->done);
    if (!fits(r, lane, fragment))
        return DZ_EFORMAT;
    int err = dz_buf_append(&lane->bytes, fragment->data, fragment->len);
    if (err)
        return err;
    lane->total = fragment->total;
    lane->key = fragment->key;
    r->held += fragment->len;
    if (!(fragment->flags & DZ_FRAGMENT_LAST))
        return 0;
    r->held -= lane->bytes.len;
    r->done = lane->bytes;
    dz_buf_init(&lane->bytes);
    lane->total = 0;
    *data = r->done.data;
    *len = r->done.len;
    return 1;
}
