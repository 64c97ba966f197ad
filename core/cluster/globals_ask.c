/* globals_ask.c - registrations of cluster-wide names while they ask the other nodes: the second half of
 * globals.h.
 * Owns:    the registrations under way, and the questions they have to answer.
 * Threads: the system thread.
 * Fails:   see globals.h. */
#include "cluster/globals_parts.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/frames.h"
#include "proc/process.h"
#include "proc/send.h"

struct ask {
    struct dz_list all; /* dz_globals.asks */
    struct dz_global_claim claim;
    char *texts; /* name, path and epoch of the claim */
    struct dz_pid from;
    uint64_t ref;
    uint64_t number;
    uint64_t deadline_ms;
    bool entered;    /* the name is in the table; waiting until the others have seen it */
    uint64_t *peers; /* those that have not answered the present question */
    uint32_t peer_count;
};

static void ask_delete(struct ask *a)
{
    dz_list_remove(&a->all);
    dz_free(a->peers);
    dz_free(a->texts);
    dz_free(a);
}

static const char *keep(char **at, const char *s, size_t len)
{
    char *copy = *at;
    if (!s)
        return NULL;
    memcpy(copy, s, len);
    *at += len;
    return copy;
}

static struct ask *ask_new(const struct dz_global_claim *c, struct dz_pid from, uint64_t ref)
{
    struct ask *a = dz_zalloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->claim = *c;
    a->from = from;
    a->ref = ref;
    dz_list_init(&a->all);
    a->texts = dz_alloc(c->name_len + c->place.path_len + c->place.epoch_len + 1);
    if (!a->texts) {
        ask_delete(a);
        return NULL;
    }
    char *at = a->texts;
    a->claim.name = keep(&at, c->name, c->name_len);
    a->claim.place.path = keep(&at, c->place.path, c->place.path_len);
    a->claim.place.epoch = keep(&at, c->place.epoch, c->place.epoch_len);
    return a;
}

/* --- answers to the one who registers --- */

static void reply_taken(struct dz_globals *g, const struct dz_global_claim *c, struct dz_pid from,
                        uint64_t ref, struct dz_pid owner)
{
    struct dz_buf buf;
    struct dz_build b;
    dz_buf_init(&buf);
    dz_build_init(&b, &buf);
    dz_build_map(&b, 4);
    dz_build_kstring(&b, "code", dz_err_name(DZ_ENAMETAKEN));
    char text[DZ_NAME_MAX + 40];
    snprintf(text, sizeof text, "the cluster-wide name %.*s is taken", (int)c->name_len, c->name);
    dz_build_kstring(&b, "message", text);
    dz_build_key(&b, "name");
    dz_build_string(&b, c->name, c->name_len);
    dz_build_key(&b, "owner");
    dz_build_pid_of(&b, &g->rt->nodes, owner);
    if (dz_build_done(&b))
        dz_send_error(g->system, g->rt->system, from, ref, DZ_ENAMETAKEN, NULL);
    else
        dz_send_failure(g->system, g->rt->system, from, ref, buf.data, buf.len);
    dz_buf_fini(&buf);
}

static void fail_taken(struct dz_globals *g, struct ask *a, struct dz_pid owner)
{
    reply_taken(g, &a->claim, a->from, a->ref, owner);
    ask_delete(a);
}

static void finish(struct dz_globals *g, struct ask *a)
{
    if (!dz_globals_is_alive(g, a->claim.pid))
        dz_send_error(g->system, g->rt->system, a->from, a->ref, DZ_ENOPROC, NULL);
    else if (dz_send_reply(g->system, g->rt->system, a->from, a->ref, NULL, 0))
        dz_send_error(g->system, g->rt->system, a->from, a->ref, DZ_ENOMEM, NULL);
    ask_delete(a);
}

/* --- the two rounds --- */

struct owner_check {
    struct dz_globals *globals;
    struct dz_pid pid;
};

/* Sends the claim to every connected node, each of which then owes an answer. */
static void ask_peers(struct dz_globals *g, struct ask *a, enum dz_frame_kind kind)
{
    struct dz_frame_out f;
    dz_frame_begin(&f, kind);
    dz_build_array(&f.build, 2);
    dz_build_uint(&f.build, a->number);
    dz_global_claim_build(&a->claim, &f.build, &g->rt->nodes);
    dz_free(a->peers);
    a->peers = NULL;
    a->peer_count = dz_routes_list(g->routes, &a->peers);
    dz_frame_broadcast(&f, g->routes, 0);
}

/* On the owner's own thread, where its end cannot come in between: one that ended before the entry stood is
 * cleared up after. */
static void check_owner(struct dz_thread *t, void *arg)
{
    struct owner_check check;
    memcpy(&check, arg, sizeof check);
    if (!dz_table_find(&t->rt->table, check.pid))
        dz_globals_end(check.globals, check.pid);
}

static void check_later(struct dz_globals *g, struct dz_pid pid)
{
    struct dz_slot *slot = dz_table_find(&g->rt->table, pid);
    struct owner_check check = {g, pid};
    if (!slot) {
        dz_globals_end(g, pid);
        return;
    }
    uint32_t thread = atomic_load_explicit(&slot->thread, memory_order_relaxed);
    /* Without memory for it, an owner that has ended this moment keeps the name. */
    (void)dz_thread_post_copy(g->system, thread, check_owner, &check, sizeof check);
}

/* The list without that process's entries. */
static struct dz_global *without(struct dz_global *list, struct dz_pid pid)
{
    struct dz_global **at = &list;
    while (*at) {
        struct dz_global *e = *at;
        if (!dz_pid_eq(e->pid, pid)) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        dz_global_delete(e);
    }
    return list;
}

/* A claim that came meanwhile may have won: then nobody is told of ours. */
static void enter(struct dz_globals *g, struct ask *a)
{
    const struct dz_global_claim *c = &a->claim;
    struct dz_global *losers;
    struct dz_pid pid = c->pid;
    dz_globals_hold(g);
    int err = dz_globals_enter(g, c, &losers);
    bool lost = !err && !dz_globals_find(g, c->name, c->name_len, pid);
    if (!err && !lost) {
        a->entered = true;
        ask_peers(g, a, DZ_CLUSTER_GLOBAL_SET);
    }
    dz_globals_release(g);
    bool over;
    if (err) {
        dz_send_error(g->system, g->rt->system, a->from, a->ref, err, NULL);
        ask_delete(a);
    } else if (lost) { /* it never had the name, so it is not told that it lost it */
        losers = without(losers, pid);
        fail_taken(g, a, dz_globals_owner(g, c, &over));
    } else {
        g->events.entered(g->events.ctx, pid);
        check_later(g, pid);
        if (a->peer_count == 0)
            finish(g, a);
    }
    dz_globals_tell_losers(g, losers);
}

static void next_round(struct dz_globals *g, struct ask *a)
{
    if (a->entered)
        finish(g, a);
    else
        enter(g, a);
}

void dz_globals_register(struct dz_globals *g, const char *name, size_t len, struct dz_pid pid,
                         const struct dz_place_key *place, struct dz_pid from, uint64_t ref, uint64_t now_ms)
{
    bool takes_over;
    struct dz_global_claim c = {.name = name, .name_len = len, .pid = pid};
    if (place)
        c.place = *place;
    if (len == 0 || len > DZ_NAME_MAX || !dz_nodes_is_self(&g->rt->nodes, pid.node)) {
        dz_send_error(g->system, g->rt->system, from, ref, DZ_EARGUMENT,
                      len && len <= DZ_NAME_MAX ? "a cluster-wide name is given on its process's own node"
                                                : NULL);
        return;
    }
    struct dz_pid owner = dz_globals_owner(g, &c, &takes_over);
    bool other = !dz_pid_is_none(owner) && !dz_pid_eq(owner, pid);
    if (other && !takes_over) {
        reply_taken(g, &c, from, ref, owner);
        return;
    }
    c.number = ++g->number;
    if (!dz_globals_yield(g, &c, &owner)) {
        reply_taken(g, &c, from, ref, owner);
        return;
    }
    struct ask *a = ask_new(&c, from, ref);
    if (!a) {
        dz_send_error(g->system, g->rt->system, from, ref, DZ_ENOMEM, NULL);
        return;
    }
    a->number = ++g->next_ask;
    a->deadline_ms = now_ms + DZ_GLOBALS_REGISTER_MS;
    dz_list_push_back(&g->asks, &a->all);
    ask_peers(g, a, DZ_CLUSTER_GLOBAL_ASK);
    if (a->peer_count == 0)
        enter(g, a);
}

/* --- what others ask --- */

static struct ask *find_same_name(struct dz_globals *g, const struct dz_global_claim *c)
{
    dz_list_each (&g->asks, it) {
        struct ask *a = dz_list_entry(it, struct ask, all);
        if (!a->entered && a->claim.name_len == c->name_len &&
            memcmp(a->claim.name, c->name, c->name_len) == 0)
            return a;
    }
    return NULL;
}

bool dz_globals_yield(struct dz_globals *g, const struct dz_global_claim *theirs, struct dz_pid *ours)
{
    struct ask *a = find_same_name(g, theirs);
    if (!a || dz_pid_eq(a->claim.pid, theirs->pid))
        return true;
    bool same_host = dz_nodes_is_self(&g->rt->nodes, theirs->pid.node);
    if (same_host || dz_globals_compare_owners(g, a->claim.pid, theirs->pid) < 0) {
        *ours = a->claim.pid;
        return false;
    }
    fail_taken(g, a, theirs->pid);
    return true;
}

static void answer(struct dz_globals *g, uint64_t peer, uint64_t number, struct dz_pid owner)
{
    struct dz_frame_out f;
    dz_frame_begin(&f, DZ_CLUSTER_GLOBAL_ANSWER);
    dz_build_array(&f.build, 2);
    dz_build_uint(&f.build, number);
    dz_build_pid_of(&f.build, &g->rt->nodes, owner);
    (void)dz_frame_send(&f, g->routes, peer);
}

static int read_claim(struct dz_globals *g, const uint8_t *data, size_t len, uint64_t *number,
                      struct dz_global_claim *c)
{
    struct dz_read r;
    dz_read_init(&r, data, len);
    int err = dz_frame_read_array(&r, 2);
    err = err ? err : dz_read_uint(&r, number);
    return err ? err : dz_global_claim_read(g, &r, c);
}

int dz_globals_asked(struct dz_globals *g, uint64_t peer, const uint8_t *data, size_t len)
{
    struct dz_global_claim c;
    uint64_t number;
    bool takes_over;
    int err = read_claim(g, data, len, &number, &c);
    if (err)
        return err;
    struct dz_pid owner = dz_globals_owner(g, &c, &takes_over);
    if (takes_over || dz_pid_eq(owner, c.pid))
        owner = DZ_PID_NONE;
    if (dz_pid_is_none(owner))
        (void)dz_globals_yield(g, &c, &owner);
    answer(g, peer, number, owner);
    return 0;
}

int dz_globals_set(struct dz_globals *g, uint64_t peer, const uint8_t *data, size_t len)
{
    struct dz_global_claim c;
    struct dz_frame_out f;
    uint64_t number;
    int err = read_claim(g, data, len, &number, &c);
    if (err || dz_nodes_is_self(&g->rt->nodes, c.pid.node))
        return err ? err : DZ_EFORMAT;
    dz_globals_learn(g, &c);
    dz_frame_begin(&f, DZ_CLUSTER_GLOBAL_SEEN);
    dz_build_array(&f.build, 1);
    dz_build_uint(&f.build, number);
    (void)dz_frame_send(&f, g->routes, peer);
    return 0;
}

/* --- what others answer --- */

static struct ask *find_ask(struct dz_globals *g, uint64_t number)
{
    dz_list_each (&g->asks, it) {
        struct ask *a = dz_list_entry(it, struct ask, all);
        if (a->number == number)
            return a;
    }
    return NULL;
}

/* The peer owes nothing any more; the next round when nobody does. */
static void settle(struct dz_globals *g, struct ask *a, uint64_t peer)
{
    uint32_t kept = 0;
    bool found = false;
    for (uint32_t i = 0; i < a->peer_count; i++) {
        if (a->peers[i] == peer)
            found = true;
        else
            a->peers[kept++] = a->peers[i];
    }
    a->peer_count = kept;
    if (found && kept == 0)
        next_round(g, a);
}

int dz_globals_answered(struct dz_globals *g, uint64_t peer, const uint8_t *data, size_t len)
{
    struct dz_read r;
    uint64_t number;
    struct dz_pid owner;
    dz_read_init(&r, data, len);
    int err = dz_frame_read_array(&r, 2);
    err = err ? err : dz_read_uint(&r, &number);
    err = err ? err : dz_read_pid_of(&r, &g->rt->nodes, &owner);
    if (err)
        return err;
    struct ask *a = find_ask(g, number);
    if (!a || a->entered)
        return 0;
    if (dz_pid_is_none(owner))
        settle(g, a, peer);
    else
        fail_taken(g, a, owner);
    return 0;
}

int dz_globals_seen(struct dz_globals *g, uint64_t peer, const uint8_t *data, size_t len)
{
    struct dz_read r;
    uint64_t number;
    dz_read_init(&r, data, len);
    int err = dz_frame_read_array(&r, 1);
    err = err ? err : dz_read_uint(&r, &number);
    if (err)
        return err;
    struct ask *a = find_ask(g, number);
    if (a && a->entered)
        settle(g, a, peer);
    return 0;
}

/* --- time and loss --- */

static void forget_peer(struct dz_globals *g, uint64_t peer)
{
    dz_list_each_safe (&g->asks, it) settle(g, dz_list_entry(it, struct ask, all), peer);
}

void dz_globals_node_lost(struct dz_globals *g, uint32_t index, uint64_t peer)
{
    dz_globals_forget_node(g, index);
    forget_peer(g, peer);
}

void dz_globals_tick(struct dz_globals *g, uint64_t now_ms)
{
    dz_list_each_safe (&g->asks, it) {
        struct ask *a = dz_list_entry(it, struct ask, all);
        if (now_ms < a->deadline_ms)
            continue;
        next_round(g, a);
    }
}

uint64_t dz_globals_next(const struct dz_globals *g)
{
    uint64_t next = DZ_INFINITY;
    dz_list_each (&g->asks, it) {
        const struct ask *a = dz_list_entry(it, struct ask, all);
        if (a->deadline_ms < next)
            next = a->deadline_ms;
    }
    return next;
}

void dz_globals_abandon(struct dz_globals *g)
{
    while (!dz_list_empty(&g->asks))
        ask_delete(dz_list_entry(g->asks.next, struct ask, all));
}
