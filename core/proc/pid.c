#include "proc/pid.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

#define CHUNK 64u

const struct dz_node_entry *dz_nodes_get(const struct dz_nodes *n, uint32_t index)
{
    dz_assert(index < DZ_NODES_MAX);
    /* acquire: pairs with the release in add_entry. */
    struct dz_node_entry **chunk = atomic_load_explicit(&((struct dz_nodes *)(uintptr_t)n)->chunks[index / CHUNK],
                                                        memory_order_acquire);
    dz_assert(chunk && chunk[index % CHUNK]);
    return chunk[index % CHUNK];
}

static struct dz_node_entry *entry_new(const char *id, size_t len, uint64_t incarnation)
{
    struct dz_node_entry *e = dz_zalloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->id = dz_strndup(id, len);
    if (!e->id) {
        dz_free(e);
        return NULL;
    }
    e->incarnation = incarnation;
    int written = snprintf(e->prefix, sizeof e->prefix, "<%.*s/%llu.", (int)len, id, (unsigned long long)incarnation);
    dz_assert(written > 0 && (size_t)written < sizeof e->prefix);
    e->prefix_len = (uint32_t)written;
    return e;
}

static void entry_delete(struct dz_node_entry *e)
{
    dz_free(e->id);
    dz_free(e);
}

/* Under the lock. The map's values are index + 1, so that index 0 is not NULL. */
static int add_entry(struct dz_nodes *n, const char *id, size_t len, uint64_t incarnation, uint32_t *index)
{
    if (n->count == DZ_NODES_MAX)
        return DZ_ETOOLARGE;
    struct dz_node_entry **chunk = atomic_load_explicit(&n->chunks[n->count / CHUNK], memory_order_relaxed);
    struct dz_node_entry **fresh = chunk ? NULL : dz_zalloc(CHUNK, sizeof *fresh);
    struct dz_node_entry *e = entry_new(id, len, incarnation);
    if (!e || (!chunk && !fresh))
        goto fail;
    if (dz_smap_put(&n->by_prefix, e->prefix + 1, e->prefix_len - 2, (void *)(uintptr_t)(n->count + 1)))
        goto fail;
    atomic_init(&e->of, n->count);
    (chunk ? chunk : fresh)[n->count % CHUNK] = e;
    /* release: pairs with the acquire in dz_nodes_get. */
    if (fresh)
        atomic_store_explicit(&n->chunks[n->count / CHUNK], fresh, memory_order_release);
    *index = n->count++;
    return 0;
fail:
    if (e)
        entry_delete(e);
    dz_free(fresh);
    return DZ_ENOMEM;
}

int dz_nodes_init(struct dz_nodes *n, uint64_t birth)
{
    uint32_t index;
    memset(n, 0, sizeof *n);
    pthread_mutex_init(&n->lock, NULL);
    dz_smap_init(&n->by_prefix);
    int err = add_entry(n, DZ_LOCAL_NODE_ID, strlen(DZ_LOCAL_NODE_ID), birth, &index);
    if (err) {
        dz_nodes_fini(n);
        return err;
    }
    dz_assert(index == 0);
    atomic_store_explicit(&((struct dz_node_entry *)(uintptr_t)dz_nodes_get(n, 0))->self, true, memory_order_relaxed);
    return 0;
}

void dz_nodes_fini(struct dz_nodes *n)
{
    for (uint32_t i = 0; i < n->count; i++)
        entry_delete((struct dz_node_entry *)(uintptr_t)dz_nodes_get(n, i));
    for (uint32_t c = 0; c < DZ_NODES_MAX / CHUNK; c++)
        dz_free(atomic_load_explicit(&n->chunks[c], memory_order_relaxed));
    dz_smap_fini(&n->by_prefix);
    pthread_mutex_destroy(&n->lock);
    memset(n, 0, sizeof *n);
}

static int intern_prefix(struct dz_nodes *n, const char *id, size_t len, uint64_t incarnation, uint32_t *index)
{
    char key[DZ_NODE_ID_MAX + 24];
    int klen = snprintf(key, sizeof key, "%.*s/%llu", (int)len, id, (unsigned long long)incarnation);
    dz_assert(klen > 0 && (size_t)klen < sizeof key);
    uintptr_t found = (uintptr_t)dz_smap_get(&n->by_prefix, key, (size_t)klen);
    if (found) {
        *index = (uint32_t)(found - 1);
        return 0;
    }
    return add_entry(n, id, len, incarnation, index);
}

int dz_nodes_intern(struct dz_nodes *n, const char *id, size_t len, uint64_t incarnation, uint32_t *index)
{
    if (len >= DZ_NODE_ID_MAX)
        return DZ_ENODEID;
    pthread_mutex_lock(&n->lock);
    int err = intern_prefix(n, id, len, incarnation, index);
    pthread_mutex_unlock(&n->lock);
    return err;
}

int dz_nodes_name_self(struct dz_nodes *n, const char *id, uint64_t incarnation)
{
    uint32_t index;
    int err = dz_nodes_intern(n, id, strlen(id), incarnation, &index);
    if (err)
        return err;
    struct dz_node_entry *e = (struct dz_node_entry *)(uintptr_t)dz_nodes_get(n, index);
    atomic_store_explicit(&e->self, true, memory_order_relaxed);
    /* release: who reads the new identity sees its entry (acquire in dz_nodes_self_id). */
    atomic_store_explicit(&n->named, index, memory_order_release);
    return 0;
}

void dz_nodes_settle_self(struct dz_nodes *n)
{
    uint32_t named = atomic_load_explicit(&n->named, memory_order_relaxed);
    /* release: as above (acquire in spawning). */
    atomic_store_explicit(&n->self, named, memory_order_release);
}

void dz_nodes_unname_self(struct dz_nodes *n)
{
    atomic_store_explicit(&n->named, 0, memory_order_release);
    atomic_store_explicit(&n->self, 0, memory_order_release);
}

static struct dz_node_entry *entry_at(const struct dz_nodes *n, uint32_t index)
{
    return (struct dz_node_entry *)(uintptr_t)dz_nodes_get(n, index);
}

/* Everything that leads to `from` leads to `to`. Under the lock. */
static void redirect(struct dz_nodes *n, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < n->count; i++)
        if (atomic_load_explicit(&entry_at(n, i)->of, memory_order_relaxed) == from)
            /* release: pairs with the acquire in dz_nodes_resolve. */
            atomic_store_explicit(&entry_at(n, i)->of, to, memory_order_release);
}

int dz_nodes_alias(struct dz_nodes *n, uint64_t birth, uint32_t index)
{
    uint32_t alias;
    int err = dz_nodes_intern(n, DZ_LOCAL_NODE_ID, strlen(DZ_LOCAL_NODE_ID), birth, &alias);
    if (err)
        return err;
    if (alias == 0)
        return 0;
    pthread_mutex_lock(&n->lock);
    uint32_t before = atomic_load_explicit(&entry_at(n, alias)->of, memory_order_relaxed);
    if (before != index && strcmp(entry_at(n, before)->id, entry_at(n, index)->id) == 0)
        redirect(n, before, index);
    /* release: as above. */
    atomic_store_explicit(&entry_at(n, alias)->of, index, memory_order_release);
    pthread_mutex_unlock(&n->lock);
    return 0;
}

uint32_t dz_nodes_resolve(const struct dz_nodes *n, uint32_t index)
{
    struct dz_node_entry *e = (struct dz_node_entry *)(uintptr_t)dz_nodes_get(n, index);
    return atomic_load_explicit(&e->of, memory_order_acquire);
}

const char *dz_nodes_self_id(const struct dz_nodes *n)
{
    uint32_t named = atomic_load_explicit(&((struct dz_nodes *)(uintptr_t)n)->named, memory_order_acquire);
    return dz_nodes_get(n, named)->id;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *check_name(const char *id, size_t len)
{
    if (len == 0 || !is_letter(id[0]))
        return "the name must start with a letter";
    if (len > 64)
        return "the name is longer than 64 characters";
    for (size_t i = 1; i < len; i++)
        if (!is_letter(id[i]) && !is_digit(id[i]) && id[i] != '_' && id[i] != '-')
            return "the name may hold letters, digits, '_' and '-' only";
    return NULL;
}

static const char *check_host(const char *host, size_t len)
{
    if (len == 0)
        return "the host is missing";
    if (len > 255)
        return "the host is longer than 255 characters";
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f || strchr("/<>@", host[i]))
            return "the host holds a character that hosts do not have";
    return NULL;
}

static const char *check_port(const char *s, size_t len, uint16_t *port)
{
    uint32_t value = 0;
    if (len == 0 || len > 5 || (len > 1 && s[0] == '0'))
        return "the port must be a number from 1 to 65535";
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(s[i]))
            return "the port must be a number from 1 to 65535";
        value = value * 10 + (uint32_t)(s[i] - '0');
    }
    if (value > 65535)
        return "the port must be a number from 1 to 65535";
    *port = (uint16_t)value;
    return NULL;
}

static const char *check_node_id(const char *id, size_t len, size_t *name_len, size_t *host_len, uint16_t *port)
{
    const char *at = memchr(id, '@', len);
    if (!at)
        return "it must read name@host:port";
    *name_len = (size_t)(at - id);
    const char *why = check_name(id, *name_len);
    if (why)
        return why;
    const char *host = at + 1;
    size_t rest = len - *name_len - 1;
    const char *colon = memrchr(host, ':', rest);
    if (!colon)
        return "the port is missing: it must read name@host:port";
    *host_len = (size_t)(colon - host);
    why = check_host(host, *host_len);
    return why ? why : check_port(colon + 1, rest - *host_len - 1, port);
}

int dz_node_id_parse(const char *id, size_t len, size_t *name_len, size_t *host_len, uint16_t *port, const char **why)
{
    size_t nlen = 0, hlen = 0;
    uint16_t p = 0;
    const char *reason = check_node_id(id, len, &nlen, &hlen, &p);
    if (why)
        *why = reason;
    if (reason)
        return DZ_ENODEID;
    if (name_len)
        *name_len = nlen;
    if (host_len)
        *host_len = hlen;
    if (port)
        *port = p;
    return 0;
}

static char *put_number(char *out, uint64_t v)
{
    char digits[20];
    int n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    while (n)
        *out++ = digits[--n];
    return out;
}

static char *put_place(const struct dz_nodes *n, struct dz_pid pid, char *out, bool inner)
{
    const struct dz_node_entry *e = dz_nodes_get(n, pid.node);
    size_t skip = inner ? 1 : 0;
    memcpy(out, e->prefix + skip, e->prefix_len - skip);
    out = put_number(out + e->prefix_len - skip, pid.slot);
    *out++ = '.';
    return put_number(out, pid.gen);
}

size_t dz_pid_format(const struct dz_nodes *n, struct dz_pid pid, char *out)
{
    char *end = put_place(n, pid, out, false);
    *end++ = '>';
    *end = 0;
    return (size_t)(end - out);
}

size_t dz_ref_format(const struct dz_nodes *n, struct dz_ref ref, char *out)
{
    memcpy(out, "<ref ", 5);
    char *end = put_place(n, ref.owner, out + 5, true);
    *end++ = '.';
    end = put_number(end, ref.num);
    *end++ = '>';
    *end = 0;
    return (size_t)(end - out);
}

/* The decimal number that starts at *s; well-formedness was checked before. */
static uint64_t take_number(const char **s)
{
    uint64_t v = 0;
    while (is_digit(**s))
        v = v * 10 + (uint64_t)(*(*s)++ - '0');
    return v;
}

/* `s` points behind "<" or "<ref "; gives the identity and moves to the slot. */
static int take_identity(struct dz_nodes *n, const char **s, const char *end, uint32_t *index)
{
    const struct dz_node_entry *self = dz_nodes_get(n, atomic_load_explicit(&n->self, memory_order_acquire));
    size_t len = (size_t)(end - *s);
    if (len > self->prefix_len && memcmp(*s, self->prefix + 1, self->prefix_len - 1) == 0) {
        *index = atomic_load_explicit(&self->of, memory_order_relaxed);
        *s += self->prefix_len - 1;
        return 0;
    }
    const char *slash = memchr(*s, '/', len);
    dz_assert(slash);
    const char *at = slash + 1;
    uint64_t incarnation = take_number(&at);
    int err = dz_nodes_intern(n, *s, (size_t)(slash - *s), incarnation, index);
    *s = at + 1;
    return err;
}

static int take_place(struct dz_nodes *n, const char **s, const char *end, struct dz_pid *pid)
{
    int err = take_identity(n, s, end, &pid->node);
    if (err)
        return err;
    pid->slot = (uint32_t)take_number(s);
    (*s)++;
    pid->gen = (uint32_t)take_number(s);
    (*s)++;
    return 0;
}

/* Slot 0 is nobody's; a text of the fixed form that names it is no pid. */
static bool has_slot(const char *s, size_t len)
{
    const char *slash = memchr(s, '/', len);
    const char *dot = slash ? memchr(slash, '.', (size_t)(s + len - slash)) : NULL;
    dz_assert(dot);
    return dot[1] != '0';
}

int dz_pid_parse(struct dz_nodes *n, const char *s, size_t len, struct dz_pid *pid)
{
    if (!dz_term_is_pid(s, len) || !has_slot(s, len))
        return DZ_EFORMAT;
    const char *at = s + 1;
    return take_place(n, &at, s + len, pid);
}

int dz_ref_parse(struct dz_nodes *n, const char *s, size_t len, struct dz_ref *ref)
{
    if (!dz_term_is_ref(s, len) || !has_slot(s, len))
        return DZ_EFORMAT;
    const char *at = s + 5;
    int err = take_place(n, &at, s + len, &ref->owner);
    if (err)
        return err;
    ref->num = take_number(&at);
    return 0;
}

void dz_build_pid_of(struct dz_build *b, const struct dz_nodes *n, struct dz_pid pid)
{
    char text[DZ_PID_TEXT_MAX];
    if (dz_pid_is_none(pid)) {
        dz_build_nil(b);
        return;
    }
    size_t len = dz_pid_format(n, pid, text);
    dz_build_pid(b, text, len);
}

int dz_read_pid_of(struct dz_read *r, struct dz_nodes *n, struct dz_pid *pid)
{
    struct dz_value v;
    struct dz_read start = *r;
    int err = dz_read_next(r, &v);
    if (err)
        return err;
    if (v.type == DZ_TERM_NIL) {
        *pid = DZ_PID_NONE;
        return 0;
    }
    err = v.type == DZ_TERM_PID ? dz_pid_parse(n, v.as.str.bytes, v.as.str.len, pid) : DZ_EFORMAT;
    if (err)
        *r = start;
    return err;
}
