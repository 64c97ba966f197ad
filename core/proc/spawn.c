#include "proc/spawn.h"

#include <string.h>
#include "base/assert.h"
#include "base/buf.h"
#include "base/err.h"
#include "proc/bond.h"
#include "proc/process.h"
#include "proc/send.h"
#include "term/build.h"
#include "term/read.h"

#define FIELDS 18u

static void put_str(struct dz_build *b, struct dz_str s)
{
    if (s.s)
        dz_build_string(b, s.s, s.len);
    else
        dz_build_nil(b);
}

static void put_raw(struct dz_build *b, const uint8_t *data, size_t len)
{
    if (data)
        dz_build_raw(b, data, len);
    else
        dz_build_nil(b);
}

struct dz_msg *dz_spawn_pack(const struct dz_nodes *nodes, const struct dz_spawn *s)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_array(&b, FIELDS);
    dz_build_uint(&b, s->what);
    dz_build_uint(&b, s->flags);
    put_str(&b, s->name);
    put_raw(&b, s->function, s->function_len);
    put_raw(&b, s->args, s->args_len);
    put_raw(&b, s->spec, s->spec_len);
    put_str(&b, s->local_name);
    put_str(&b, s->global_name);
    dz_build_uint(&b, s->monitor_ref);
    dz_build_uint(&b, s->max_messages);
    dz_build_uint(&b, s->max_bytes);
    dz_build_uint(&b, s->timeout_ms);
    dz_build_pid_of(&b, nodes, s->parent);
    put_str(&b, s->child_id);
    put_str(&b, s->path);
    put_str(&b, s->epoch);
    put_str(&b, s->hash);
    dz_build_nil(&b); /* room for one more field without a new version of the wire */
    struct dz_msg *m = dz_build_done(&b) ? NULL : dz_msg_new_copy(DZ_MSG_SPAWN, buf.data, buf.len);
    if (m)
        m->code = (uint16_t)s->flags;
    dz_buf_fini(&buf);
    return m;
}

/* Copies what the field points to behind what is there; an absent one stays absent. */
static const void *keep(uint8_t **at, const void *data, size_t len)
{
    const void *kept = *at;
    if (!data)
        return NULL;
    memcpy(*at, data, len);
    *at += len;
    return kept;
}

static struct dz_str keep_str(uint8_t **at, struct dz_str s)
{
    return (struct dz_str){keep(at, s.s, s.len), s.len};
}

static bool is_nil(const uint8_t *term, size_t len)
{
    return len == 1 && term[0] == 0xc0;
}

struct dz_msg *dz_spawn_hold(const struct dz_spawn *s)
{
    size_t len = s->name.len + s->function_len + s->args_len + s->spec_len + s->local_name.len + s->global_name.len +
                 s->child_id.len + s->path.len + s->epoch.len + s->hash.len;
    struct dz_msg *m = dz_msg_new(DZ_MSG_SPAWN, sizeof *s + len);
    if (!m)
        return NULL;
    struct dz_spawn *held = (struct dz_spawn *)(void *)m->bytes;
    uint8_t *at = m->bytes + sizeof *s;
    m->flags = DZ_MSG_HOST;
    m->code = (uint16_t)s->flags;
    *held = *s;
    held->name = keep_str(&at, s->name);
    held->function = keep(&at, s->function, s->function_len);
    held->args = is_nil(s->args, s->args_len) ? NULL : keep(&at, s->args, s->args_len);
    held->args_len = held->args ? s->args_len : 0;
    held->spec = keep(&at, s->spec, s->spec_len);
    held->local_name = keep_str(&at, s->local_name);
    held->global_name = keep_str(&at, s->global_name);
    held->child_id = keep_str(&at, s->child_id);
    held->path = keep_str(&at, s->path);
    held->epoch = keep_str(&at, s->epoch);
    held->hash = keep_str(&at, s->hash);
    dz_assert(at <= m->bytes + m->len);
    return m;
}

/* A string field, or nil. */
static int get_str(struct dz_read *r, struct dz_str *out)
{
    struct dz_value v;
    int err = dz_read_next(r, &v);
    if (err)
        return err;
    if (v.type == DZ_TERM_NIL) {
        *out = (struct dz_str){NULL, 0};
        return 0;
    }
    if (v.type != DZ_TERM_STRING)
        return DZ_EFORMAT;
    *out = (struct dz_str){v.as.str.bytes, v.as.str.len};
    return 0;
}

/* Any value but nil, as bytes. */
static int get_raw(struct dz_read *r, const uint8_t **data, size_t *len)
{
    struct dz_value v;
    int err = dz_read_peek(r, &v);
    if (!err)
        err = dz_read_skip(r, data, len);
    if (!err && v.type == DZ_TERM_NIL) {
        *data = NULL;
        *len = 0;
    }
    return err;
}

static int get_limits(struct dz_read *r, struct dz_spawn *s)
{
    uint64_t messages;
    int err = dz_read_uint(r, &s->monitor_ref);
    if (!err)
        err = dz_read_uint(r, &messages);
    if (!err)
        err = dz_read_uint(r, &s->max_bytes);
    if (!err)
        err = dz_read_uint(r, &s->timeout_ms);
    if (!err)
        s->max_messages = messages < UINT32_MAX ? (uint32_t)messages : UINT32_MAX;
    return err;
}

int dz_spawn_unpack(struct dz_nodes *nodes, const struct dz_msg *m, struct dz_spawn *s)
{
    struct dz_read r;
    uint32_t count;
    uint64_t what, flags;
    if (m->flags & DZ_MSG_HOST) {
        *s = *dz_spawn_held(m);
        return 0;
    }
    memset(s, 0, sizeof *s);
    dz_read_init(&r, m->data, m->len);
    if (dz_read_array(&r, &count) || count != FIELDS)
        return DZ_EFORMAT;
    if (dz_read_uint(&r, &what) || what > DZ_SPAWN_SUPERVISOR || dz_read_uint(&r, &flags) || flags > UINT16_MAX)
        return DZ_EFORMAT;
    s->what = (enum dz_spawn_what)what;
    s->flags = (uint32_t)flags;
    if (get_str(&r, &s->name) || get_raw(&r, &s->function, &s->function_len) || get_raw(&r, &s->args, &s->args_len) ||
        get_raw(&r, &s->spec, &s->spec_len) || get_str(&r, &s->local_name) || get_str(&r, &s->global_name))
        return DZ_EFORMAT;
    if (get_limits(&r, s) || dz_read_pid_of(&r, nodes, &s->parent))
        return DZ_EFORMAT;
    if (get_str(&r, &s->child_id) || get_str(&r, &s->path) || get_str(&r, &s->epoch) || get_str(&r, &s->hash))
        return DZ_EFORMAT;
    return 0;
}

int dz_spawn_send(struct dz_thread *t, uint32_t thread, struct dz_msg **take, struct dz_pid *pid)
{
    struct dz_rt *rt = t->rt;
    struct dz_slot *slot;
    struct dz_msg *m = *take;
    uint32_t node = atomic_load_explicit(&rt->nodes.self, memory_order_acquire);
    dz_assert(m->kind == DZ_MSG_SPAWN);
    int err = dz_table_reserve(&rt->table, thread, m->code & DZ_SPAWN_HIDDEN, node, &slot, &m->to);
    if (err)
        return err;
    if (pid)
        *pid = m->to;
    *take = NULL;
    dz_send_must(t, m);
    return 0;
}

/* The supervisor's node may have been lost since it asked: nobody would tell. */
static int join_parent(struct dz_thread *t, struct dz_proc *p, struct dz_pid parent)
{
    const struct dz_ports *ports = &t->rt->ports;
    int err = dz_bond_add(t, p, DZ_BOND_PARENT, parent, 0, NULL);
    if (!err && ports->reachable && !ports->reachable(ports->ctx, parent.node))
        err = DZ_ENOCONNECTION;
    return err;
}

int dz_spawn_apply(struct dz_thread *t, struct dz_proc *p, const struct dz_spawn *s, struct dz_pid from,
                   struct dz_pid *owner)
{
    struct dz_rt *rt = t->rt;
    int err = 0;
    dz_table_set_limits(p->slot, s->max_messages, s->max_bytes);
    if (s->local_name.s)
        err = dz_names_register(&rt->names, &rt->table, s->local_name.s, s->local_name.len, p->pid, owner);
    if (!err && !dz_pid_is_none(s->parent)) {
        p->parent = s->parent;
        if (!dz_nodes_is_self(&rt->nodes, s->parent.node))
            err = join_parent(t, p, s->parent);
    }
    if (!err && (s->flags & DZ_SPAWN_LINK))
        err = dz_bond_add(t, p, DZ_BOND_LINK, from, 0, NULL);
    if (!err && (s->flags & DZ_SPAWN_MONITOR))
        err = dz_bond_add(t, p, DZ_BOND_WATCHED, from, s->monitor_ref, NULL);
    return err;
}
