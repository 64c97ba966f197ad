#include "proc/message.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"
#include "term/build.h"

struct dz_msg *dz_msg_new(enum dz_msg_kind kind, size_t len)
{
    if (len > UINT32_MAX)
        return NULL;
    struct dz_msg *m = dz_alloc(sizeof *m + len);
    if (!m)
        return NULL;
    memset(m, 0, sizeof *m);
    m->kind = (uint8_t)kind;
    m->len = (uint32_t)len;
    m->data = m->bytes;
    return m;
}

struct dz_msg *dz_msg_new_blob(enum dz_msg_kind kind, struct dz_blob *blob)
{
    struct dz_msg *m = dz_msg_new(kind, 0);
    if (m && blob)
        dz_msg_set_blob(m, blob);
    return m;
}

struct dz_msg *dz_msg_new_copy(enum dz_msg_kind kind, const uint8_t *data, size_t len)
{
    struct dz_msg *m = dz_msg_new(kind, len);
    if (m && len)
        memcpy(m->bytes, data, len);
    return m;
}

void dz_msg_set_blob(struct dz_msg *m, struct dz_blob *blob)
{
    dz_assert(!m->blob);
    m->blob = dz_blob_ref(blob);
    m->data = blob->data;
    m->len = blob->len;
}

void dz_msg_free(struct dz_msg *m)
{
    if (!m)
        return;
    dz_blob_unref(m->blob);
    dz_free(m);
}

struct dz_blob *dz_blob_new(const uint8_t *data, size_t len)
{
    struct dz_blob *b = len <= UINT32_MAX ? dz_alloc(sizeof *b + len) : NULL;
    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->len = (uint32_t)len;
    if (len)
        memcpy(b->data, data, len);
    return b;
}

struct dz_blob *dz_blob_ref(struct dz_blob *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void dz_blob_unref(struct dz_blob *b)
{
    /* acq_rel: the last owner sees all that the others read before it frees. */
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        dz_free(b);
}

struct dz_blob *dz_blob_new_string(const char *s)
{
    struct dz_buf buf;
    struct dz_build build;
    struct dz_blob *blob = NULL;
    dz_buf_init(&buf);
    dz_build_init(&build, &buf);
    dz_build_cstring(&build, s);
    if (!dz_build_done(&build))
        blob = dz_blob_new(buf.data, buf.len);
    dz_buf_fini(&buf);
    return blob;
}
