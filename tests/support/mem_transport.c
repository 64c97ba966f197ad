#include "mem_transport.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

struct item {
    struct dz_list all;
    uint64_t due_ns;
    uint64_t key;
    bool aside; /* membership */
    bool beat;
    struct dz_peer_figures figures;
    size_t len;
    uint8_t data[];
};

static struct mem_host *host_of(struct dz_transport *t)
{
    return (struct mem_host *)(void *)t;
}

static struct mem_pair *pair_of(struct mem_net *net, int a, int b)
{
    return a < b ? &net->pairs[a][b] : &net->pairs[b][a];
}

static int side_of(int self, int other)
{
    return self < other ? 0 : 1;
}

static int find_id(struct mem_net *net, const char *id)
{
    for (int i = 0; i < MEM_HOSTS; i++)
        if (net->hosts[i].used && strcmp(net->hosts[i].id, id) == 0)
            return i;
    return -1;
}

/* The other host of the session that `h` knows as `peer`. */
static int find_peer(const struct mem_host *h, uint64_t peer)
{
    for (int i = 0; peer && i < MEM_HOSTS; i++)
        if (i != h->index && pair_of(h->net, h->index, i)->peer[side_of(h->index, i)] == peer)
            return i;
    return -1;
}

static void clear_queue(struct dz_list *queue)
{
    struct dz_list *node;
    while ((node = dz_list_pop_front(queue)) != NULL)
        dz_free(dz_list_entry(node, struct item, all));
}

static void clear_queues(struct mem_pair *p)
{
    clear_queue(&p->queue[0]);
    clear_queue(&p->queue[1]);
}

static bool is_cut(const struct mem_net *net, int a, int b)
{
    return net->cut[a][b] || net->cut[b][a];
}

/* --- operations --- */

static int op_dial(struct dz_transport *t, const char *node_id, const char *address, uint16_t port)
{
    struct mem_host *h = host_of(t);
    int other = find_id(h->net, node_id);
    (void)address;
    (void)port;
    if (other >= 0) {
        h->wanted[other] = true;
        h->told[other] = false;
    } else if (h->unknown_count < 8) {
        snprintf(h->unknown[h->unknown_count++], 64, "%s", node_id);
    }
    return 0;
}

static void op_forget(struct dz_transport *t, const char *node_id)
{
    struct mem_host *h = host_of(t);
    int other = find_id(h->net, node_id);
    if (other >= 0)
        h->wanted[other] = false;
}

static int put(struct mem_host *h, int other, uint64_t key, const void *data, size_t len, bool aside,
               const struct dz_peer_figures *figures)
{
    struct item *item = dz_alloc_must(sizeof *item + len);
    *item =
        (struct item){.due_ns = h->net->now_ns + h->net->delay_ns, .key = key, .aside = aside, .len = len};
    if (len)
        memcpy(item->data, data, len);
    if (figures) {
        item->beat = true;
        item->figures = *figures;
    } else if (h->net->tap) {
        h->net->tap(h->net->tap_ctx, aside, data, len);
    }
    dz_list_push_back(&pair_of(h->net, h->index, other)->queue[side_of(other, h->index)], &item->all);
    return 0;
}

static int op_send(struct dz_transport *t, uint64_t peer, uint64_t key, const void *data, size_t len,
                   unsigned flags)
{
    struct mem_host *h = host_of(t);
    int other = find_peer(h, peer);
    if (other < 0 || !h->alive)
        return DZ_ENOCONNECTION;
    if (h->net->refuse_sends > 0) {
        h->net->refuse_sends--;
        return DZ_EOVERLOADED;
    }
    if (h->net->room && len > h->net->room && !(flags & DZ_SEND_RESERVED))
        return DZ_EOVERLOADED;
    return put(h, other, key, data, len, false, NULL);
}

/* Nothing waits for more here. */
static void op_flush(struct dz_transport *t, uint64_t peer)
{
    (void)t;
    (void)peer;
}

static bool op_has_room(struct dz_transport *t, uint64_t peer, size_t len)
{
    struct mem_host *h = host_of(t);
    (void)peer;
    return !h->net->room || len <= h->net->room;
}

static int op_send_membership(struct dz_transport *t, uint64_t peer, const void *data, size_t len)
{
    struct mem_host *h = host_of(t);
    int other = find_peer(h, peer);
    if (other < 0 || !pair_of(h->net, h->index, other)->connected)
        return DZ_ENOCONNECTION;
    return put(h, other, 0, data, len, true, NULL);
}

static int op_heartbeat(struct dz_transport *t, uint64_t peer, const struct dz_peer_figures *figures)
{
    struct mem_host *h = host_of(t);
    int other = find_peer(h, peer);
    if (other < 0 || !pair_of(h->net, h->index, other)->connected)
        return DZ_ENOCONNECTION;
    return put(h, other, 0, NULL, 0, true, figures);
}

static uint64_t op_last_heard(struct dz_transport *t, uint64_t peer)
{
    struct mem_host *h = host_of(t);
    int other = find_peer(h, peer);
    return other < 0 ? 0 : pair_of(h->net, h->index, other)->heard_ns[side_of(h->index, other)];
}

static size_t op_backlog(struct dz_transport *t, uint64_t peer)
{
    (void)t;
    (void)peer;
    return 0;
}

static uint64_t op_turned_away(struct dz_transport *t)
{
    return host_of(t)->turned_away;
}

static void op_close_peer(struct dz_transport *t, uint64_t peer, bool goodbye)
{
    struct mem_host *h = host_of(t);
    int other = find_peer(h, peer);
    if (other < 0)
        return;
    struct mem_pair *p = pair_of(h->net, h->index, other);
    int mine = side_of(h->index, other);
    dz_assert(!goodbye); /* the cluster leaves by `stop` only */
    p->peer[mine] = 0;
    h->wanted[other] = false;
    bool told = p->connected && h->net->hosts[other].alive && p->peer[!mine];
    p->connected = false;
    clear_queues(p);
    if (told)
        h->net->hosts[other].told[h->index] = false;
}

static void op_drain(struct dz_transport *t)
{
    (void)t; /* what is due was delivered before the timers ran */
}

static int op_set_incarnation(struct dz_transport *t, uint64_t incarnation)
{
    struct mem_host *h = host_of(t);
    for (int i = 0; i < MEM_HOSTS; i++)
        if (i != h->index && pair_of(h->net, h->index, i)->peer[side_of(h->index, i)])
            return DZ_EEXIST;
    h->incarnation = incarnation;
    return 0;
}

static void leave(struct mem_host *h, bool goodbye)
{
    h->alive = false;
    for (int i = 0; i < MEM_HOSTS; i++) {
        if (i == h->index)
            continue;
        struct mem_pair *p = pair_of(h->net, h->index, i);
        struct mem_host *other = &h->net->hosts[i];
        int theirs = side_of(i, h->index);
        uint64_t peer = p->peer[theirs];
        bool was = p->connected;
        h->wanted[i] = false;
        p->peer[!theirs] = 0;
        p->connected = false;
        p->refused_told[theirs] = false;
        clear_queues(p);
        if (goodbye && was && peer && other->alive) {
            p->peer[theirs] = 0;
            other->wanted[h->index] = false;
            other->events->peer_closed(other->ctx, peer, DZ_PEER_GOODBYE);
        } else if (was && peer && other->alive) {
            other->events->peer_closed(other->ctx, peer, DZ_PEER_EOF);
        }
    }
}

static void op_stop(struct dz_transport *t, void (*stopped)(void *ctx), void *ctx)
{
    leave(host_of(t), true);
    if (stopped)
        stopped(ctx);
}

static const struct dz_transport_ops ops = {
    .dial = op_dial,
    .forget = op_forget,
    .send = op_send,
    .flush = op_flush,
    .has_room = op_has_room,
    .send_membership = op_send_membership,
    .heartbeat = op_heartbeat,
    .last_heard = op_last_heard,
    .backlog = op_backlog,
    .turned_away = op_turned_away,
    .close_peer = op_close_peer,
    .drain = op_drain,
    .set_incarnation = op_set_incarnation,
    .stop = op_stop,
};

/* --- the net --- */

void mem_net_init(struct mem_net *net)
{
    memset(net, 0, sizeof *net);
    net->next_peer = 1;
    for (int a = 0; a < MEM_HOSTS; a++)
        for (int b = 0; b < MEM_HOSTS; b++) {
            dz_list_init(&net->pairs[a][b].queue[0]);
            dz_list_init(&net->pairs[a][b].queue[1]);
        }
}

void mem_net_fini(struct mem_net *net)
{
    for (int a = 0; a < MEM_HOSTS; a++)
        for (int b = 0; b < MEM_HOSTS; b++)
            clear_queues(&net->pairs[a][b]);
}

struct dz_transport *mem_net_start(struct mem_net *net, int index, const char *id, uint64_t incarnation,
                                   uint64_t birth, const struct dz_transport_events *events, void *ctx)
{
    struct mem_host *h = &net->hosts[index];
    *h = (struct mem_host){
        .base = {&ops}, .net = net, .index = index, .incarnation = incarnation, .birth = birth};
    snprintf(h->id, sizeof h->id, "%s", id);
    h->events = events;
    h->ctx = ctx;
    h->alive = h->used = true;
    for (int i = 0; i < MEM_HOSTS; i++)
        net->hosts[i].told[index] = false;
    return &h->base;
}

void mem_net_kill(struct mem_net *net, int index)
{
    leave(&net->hosts[index], false);
}

void mem_net_cut(struct mem_net *net, int a, int b, bool cut)
{
    struct mem_pair *p = pair_of(net, a, b);
    net->cut[a][b] = net->cut[b][a] = cut;
    if (!cut || !p->connected)
        return;
    p->connected = false;
    int ends[2] = {a < b ? a : b, a < b ? b : a};
    for (int side = 0; side < 2; side++)
        if (p->peer[side] && net->hosts[ends[side]].alive)
            net->hosts[ends[side]].events->peer_closed(net->hosts[ends[side]].ctx, p->peer[side],
                                                       DZ_PEER_EOF);
}

void mem_net_mute(struct mem_net *net, int a, int b, bool muted)
{
    net->muted[a][b] = net->muted[b][a] = muted;
}

uint64_t mem_net_peer(struct mem_net *net, int host, int other)
{
    return pair_of(net, host, other)->peer[side_of(host, other)];
}

void mem_net_inject(struct mem_net *net, int from, int to, const void *data, size_t len)
{
    struct mem_host *h = &net->hosts[to];
    h->events->message(h->ctx, mem_net_peer(net, to, from), 1, data, len);
}

/* --- connections --- */

static void introduce(struct mem_host *h, struct mem_host *other, bool dialled, bool resumed, uint64_t peer)
{
    struct dz_buf attributes, known;
    dz_buf_init(&attributes);
    dz_buf_init(&known);
    other->events->hello(other->ctx, &attributes, &known);
    struct dz_peer_info info = {
        .id = other->id,
        .incarnation = other->incarnation,
        .birth = other->birth,
        .dialled = dialled,
        .attributes = attributes.data,
        .attributes_len = attributes.len,
    };
    h->events->peer_up(h->ctx, peer, &info, resumed);
    dz_buf_fini(&attributes);
    dz_buf_fini(&known);
}

/* True when `h` lets `other` in; else the other one hears why not. */
static bool admits(struct mem_host *h, struct mem_host *other)
{
    uint64_t known = 0;
    struct dz_peer_info info = {.id = other->id, .incarnation = other->incarnation, .birth = other->birth};
    enum dz_refusal why = h->events->admit(h->ctx, &info, &known);
    if (why == DZ_REFUSAL_NONE)
        return true;
    h->turned_away++;
    if (!other->told[h->index]) {
        other->told[h->index] = true;
        other->events->handshake_failed(other->ctx, h->id, "mem", why, known);
    }
    return false;
}

static bool establish(struct mem_net *net, struct mem_host *h, struct mem_host *other)
{
    struct mem_pair *p = pair_of(net, h->index, other->index);
    int mine = side_of(h->index, other->index);
    bool resumed = p->peer[0] && p->peer[1];
    if (!resumed) {
        struct mem_host *ends[2] = {mine == 0 ? h : other, mine == 0 ? other : h};
        for (int side = 0; side < 2; side++) {
            uint64_t dead = p->peer[side];
            p->peer[side] = 0;
            bool same_life = ends[!side]->incarnation == p->life[!side];
            if (dead)
                ends[side]->events->peer_closed(ends[side]->ctx, dead,
                                                same_life ? DZ_PEER_RESET : DZ_PEER_REPLACED);
        }
        clear_queues(p);
        if (!admits(other, h) || !admits(h, other))
            return false;
        p->peer[0] = net->next_peer++;
        p->peer[1] = net->next_peer++;
        p->life[mine] = h->incarnation;
        p->life[!mine] = other->incarnation;
    }
    p->connected = true;
    p->heard_ns[0] = p->heard_ns[1] = net->now_ns;
    p->refused_told[0] = p->refused_told[1] = false;
    uint64_t ours = p->peer[mine], theirs = p->peer[!mine];
    introduce(other, h, false, resumed, theirs);
    if (p->peer[mine] == ours)
        introduce(h, other, true, resumed, ours);
    return true;
}

static bool nobody_there(struct mem_host *h, int other)
{
    struct mem_pair *p = pair_of(h->net, h->index, other);
    int mine = side_of(h->index, other);
    if (p->peer[mine] && !p->refused_told[mine]) {
        p->refused_told[mine] = true;
        h->events->peer_closed(h->ctx, p->peer[mine], DZ_PEER_REFUSED);
        return true;
    }
    if (!p->peer[mine] && !h->told[other]) {
        h->told[other] = true;
        h->events->handshake_failed(h->ctx, h->net->hosts[other].id, "mem", DZ_REFUSAL_CONNECT, 0);
        return true;
    }
    return false;
}

/* One side closed its session: the other one sees the connection end, and dials. */
static bool notice_closed(struct mem_host *h, int other)
{
    struct mem_pair *p = pair_of(h->net, h->index, other);
    int mine = side_of(h->index, other);
    return p->peer[mine] && !p->connected;
}

static bool connect_pair(struct mem_net *net, int from, int to)
{
    struct mem_host *h = &net->hosts[from], *other = &net->hosts[to];
    struct mem_pair *p = pair_of(net, from, to);
    if (!h->alive || p->connected || !(h->wanted[to] || notice_closed(h, to)))
        return false;
    if (is_cut(net, from, to) || net->muted[from][to])
        return false;
    if (!other->alive)
        return nobody_there(h, to);
    return establish(net, h, other);
}

/* --- deliveries --- */

static void deliver(struct mem_host *h, uint64_t peer, const struct item *item)
{
    if (item->beat)
        h->events->heartbeat(h->ctx, peer, &item->figures);
    else if (item->aside)
        h->events->membership(h->ctx, peer, item->data, item->len);
    else
        h->events->message(h->ctx, peer, item->key, item->data, item->len);
}

static bool deliver_to(struct mem_net *net, int self, int other)
{
    struct mem_pair *p = pair_of(net, self, other);
    struct mem_host *h = &net->hosts[self];
    int mine = side_of(self, other);
    bool any = false;
    uint64_t peer = p->peer[mine];
    while (h->alive && p->connected && p->peer[mine] == peer && !net->muted[self][other] &&
           !dz_list_empty(&p->queue[mine])) {
        struct item *item = dz_list_entry(p->queue[mine].next, struct item, all);
        if (item->due_ns > net->now_ns)
            break;
        dz_list_remove(&item->all);
        p->heard_ns[mine] = net->now_ns;
        net->delivered++;
        deliver(h, peer, item);
        dz_free(item);
        any = true;
    }
    return any;
}

static bool tell_unknown(struct mem_host *h)
{
    if (!h->alive || h->unknown_count == 0)
        return false;
    char id[64];
    memcpy(id, h->unknown[--h->unknown_count], sizeof id);
    h->events->handshake_failed(h->ctx, id, "mem", DZ_REFUSAL_CONNECT, 0);
    return true;
}

bool mem_net_step(struct mem_net *net, uint64_t now_ns)
{
    bool any = false;
    net->now_ns = now_ns;
    for (int a = 0; a < MEM_HOSTS; a++) {
        any |= tell_unknown(&net->hosts[a]);
        for (int b = 0; b < MEM_HOSTS; b++) {
            if (a == b)
                continue;
            any |= deliver_to(net, a, b);
            any |= connect_pair(net, a, b);
        }
    }
    return any;
}
