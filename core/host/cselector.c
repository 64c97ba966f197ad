/* cselector.c - see cselector.h.
 * Owns:    see cselector.h.
 * Threads: see cselector.h.
 * Fails:   see cselector.h. */
#include "host/cselector.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "host/host.h"
#include "proc/process.h"
#include "proc/send.h"
#include "term/build.h"
#include "term/read.h"

/* The generation that no Lua state has. */
#define C_GENERATION UINT32_MAX
#define ANSWER_MAX 512u

int dz_cselectors_register(struct dz_cselectors *c, struct dz_selectors *names, const char *name, dz_selector fn, void *ctx)
{
    if (c->count == DZ_CSELECTORS_MAX)
        return DZ_ETOOLARGE;
    struct dz_sup_function reference = {
        .worker = DZ_THREAD_WORKER,
        .generation = C_GENERATION,
        .number = (uint32_t)c->count,
        .kind = 'f',
    };
    int err = dz_selectors_register(names, name, strlen(name), &reference);
    if (err)
        return err;
    c->items[c->count].fn = fn;
    c->items[c->count].ctx = ctx;
    c->count++;
    return DZ_OK;
}

static uint32_t u32_at(const char *bytes)
{
    const uint8_t *p = (const uint8_t *)bytes;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The number of the C selector the reference names, or -1. The form of a reference: term.h. */
static int64_t number_of(const struct dz_cselectors *c, const struct dz_spawn *s)
{
    struct dz_read r;
    struct dz_value v;
    dz_read_init(&r, s->function, s->function_len);
    if (s->what != DZ_SPAWN_START || !s->function || dz_read_next(&r, &v) || v.type != DZ_TERM_FUNCTION)
        return -1;
    uint32_t number = u32_at(v.as.str.bytes + 8);
    return u32_at(v.as.str.bytes + 4) == C_GENERATION && number < c->count ? (int64_t)number : -1;
}

/* args: { nodes, child_id }. */
static bool choose(struct dz_host *host, size_t number, const struct dz_spawn *s, char *out)
{
    uint32_t count = 0;
    const uint8_t *nodes;
    const char *id;
    size_t nodes_len, id_len;
    char child_id[256];
    struct dz_read r;
    dz_read_init(&r, s->args, s->args_len);
    if (!s->args || dz_read_array(&r, &count) || count < 2 || dz_read_skip(&r, &nodes, &nodes_len) ||
        dz_read_string(&r, &id, &id_len) || id_len >= sizeof child_id)
        return false;
    memcpy(child_id, id, id_len);
    child_id[id_len] = 0;
    dz_reader reader = { nodes, nodes + nodes_len, host };
    out[0] = 0;
    int err = host->selectors.items[number].fn(host->selectors.items[number].ctx, &reader, child_id, out, ANSWER_MAX);
    return err == 0 && memchr(out, 0, ANSWER_MAX) != NULL;
}

bool dz_cselectors_answer(struct dz_host *host, struct dz_thread *t, struct dz_slot *slot, const struct dz_spawn *s,
                          struct dz_msg *msg)
{
    char answer[ANSWER_MAX];
    struct dz_buf buf;
    struct dz_build b;
    int64_t number = number_of(&host->selectors, s);
    if (number < 0)
        return false;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    bool chosen = choose(host, (size_t)number, s, answer);
    dz_build_cstring(&b, chosen ? answer : NULL);
    dz_names_end(&t->rt->names, &t->rt->table, slot);
    if (dz_build_done(&b) == DZ_OK)
        dz_send_reply(t, msg->to, msg->from, msg->ref, buf.data, buf.len);
    else
        dz_send_error(t, msg->to, msg->from, msg->ref, DZ_ENOMEM, NULL);
    dz_buf_fini(&buf);
    dz_msg_free(msg);
    return true;
}
