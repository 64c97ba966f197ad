#include "sim_message.h"

#include "base/assert.h"
#include "proc/send.h"

static void build(struct dz_buf *buf, uint64_t client, uint64_t number)
{
    struct dz_build b;
    dz_buf_init(buf);
    dz_build_init(&b, buf);
    dz_build_array(&b, 2);
    dz_build_uint(&b, client);
    dz_build_uint(&b, number);
    int err = dz_build_done(&b);
    dz_assert(!err);
}

struct dz_msg *sim_message_new(enum dz_msg_kind kind, const struct sim_message *m)
{
    struct dz_buf buf;
    build(&buf, m->client, m->number);
    struct dz_msg *msg = dz_msg_new_copy(kind, buf.data, buf.len);
    dz_buf_fini(&buf);
    dz_assert(msg);
    return msg;
}

void sim_message_read(const uint8_t *data, size_t len, struct sim_message *m)
{
    struct dz_read r;
    uint32_t count;
    dz_read_init(&r, data, len);
    int err = dz_read_array(&r, &count);
    dz_assert(!err && count == 2);
    err = dz_read_uint(&r, &m->client);
    dz_assert(!err);
    err = dz_read_uint(&r, &m->number);
    dz_assert(!err);
}

void sim_message_answer(struct dz_thread *t, const struct dz_msg *question, const struct sim_message *m)
{
    struct dz_buf buf;
    build(&buf, m->client, m->number + 1);
    dz_send_reply(t, question->to, question->from, question->ref, buf.data, buf.len);
    dz_buf_fini(&buf);
}
