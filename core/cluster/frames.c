#include "cluster/frames.h"

#include "base/err.h"

void dz_frame_begin(struct dz_frame_out *f, enum dz_frame_kind kind)
{
    dz_buf_init(&f->buf);
    dz_build_init(&f->build, &f->buf);
    f->build.err = dz_buf_append_u8(&f->buf, (uint8_t)kind);
}

void dz_frame_drop(struct dz_frame_out *f)
{
    dz_buf_fini(&f->buf);
}

int dz_frame_send(struct dz_frame_out *f, struct dz_routes *routes, uint64_t peer)
{
    int err = dz_build_done(&f->build);
    if (!err)
        err = dz_routes_send(routes, peer, DZ_CLUSTER_KEY, f->buf.data, f->buf.len, DZ_SEND_RESERVED);
    if (err == DZ_EOVERLOADED)
        dz_routes_note_overrun(routes, peer);
    dz_frame_drop(f);
    return err;
}

void dz_frame_broadcast(struct dz_frame_out *f, struct dz_routes *routes, uint64_t except)
{
    if (!dz_build_done(&f->build))
        dz_routes_broadcast(routes, except, DZ_CLUSTER_KEY, f->buf.data, f->buf.len);
    dz_frame_drop(f);
}

int dz_frame_read_text(struct dz_read *r, size_t max, const char **s, size_t *len)
{
    int err = dz_read_string(r, s, len);
    if (err)
        return err;
    return *len > 0 && *len <= max ? 0 : DZ_EFORMAT;
}

int dz_frame_read_optional(struct dz_read *r, size_t max, const char **s, size_t *len)
{
    struct dz_value v;
    int err = dz_read_peek(r, &v);
    if (err || v.type != DZ_TERM_NIL)
        return err ? err : dz_frame_read_text(r, max, s, len);
    *s = NULL;
    *len = 0;
    return dz_read_next(r, &v);
}

int dz_frame_read_array(struct dz_read *r, uint32_t count)
{
    uint32_t found;
    int err = dz_read_array(r, &found);
    if (err)
        return err;
    return found == count ? 0 : DZ_EFORMAT;
}
