#include "cluster/membership.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "cluster/cluster.h"

/* After a session the transport ended by itself, the next one comes without our dialling: only if it does
 * not. */
#define DIAL_ANYWAY_MS 1000u

int dz_membership_init(struct dz_membership *m, const char *self, const struct dz_detector_settings *settings,
                       const struct dz_placement_authority *authority, uint64_t now_ms)
{
    memset(m, 0, sizeof *m);
    dz_list_init(&m->actions);
    dz_map_init(&m->by_peer);
    m->settings = *settings;
    m->authority = authority;
    m->heartbeat_ms = now_ms + settings->heartbeat_ms;
    m->self = dz_strndup(self, strlen(self));
    return m->self ? 0 : DZ_ENOMEM;
}

static void drop_taken(struct dz_membership *m)
{
    dz_free(m->taken);
    m->taken = NULL;
}

void dz_membership_fini(struct dz_membership *m)
{
    while (dz_membership_next_action(m))
        ;
    drop_taken(m);
    for (uint32_t i = 0; i < m->count; i++)
        dz_node_delete(m->nodes[i]);
    dz_free(m->nodes);
    dz_free(m->self);
    dz_map_fini(&m->by_peer);
    memset(m, 0, sizeof *m);
    dz_list_init(&m->actions);
}

/* --- actions --- */

const struct dz_membership_action *dz_membership_next_action(struct dz_membership *m)
{
    drop_taken(m);
    struct dz_list *first = dz_list_pop_front(&m->actions);
    if (!first)
        return NULL;
    m->taken = dz_list_entry(first, struct dz_membership_action, queue);
    return m->taken;
}

static struct dz_membership_action *act(struct dz_membership *m, enum dz_membership_action_type type,
                                        struct dz_node *node)
{
    struct dz_membership_action *a = dz_zalloc_must(1, sizeof *a);
    a->type = type;
    a->node = node;
    a->peer = node->peer;
    a->incarnation = node->incarnation;
    dz_list_push_back(&m->actions, &a->queue);
    return a;
}

static void set_status(struct dz_membership *m, struct dz_node *n, enum dz_node_status status,
                       const char *reason, uint64_t now_ms)
{
    if (n->status == status)
        return;
    n->status = (uint8_t)status;
    n->since_ms = now_ms;
    act(m, DZ_MEMBER_CHANGED, n)->reason = reason;
}

static void dial(struct dz_membership *m, struct dz_node *n)
{
    n->dial_ms = 0;
    act(m, DZ_MEMBER_DIAL, n);
}

/* --- the table --- */

static int compare(const struct dz_node *n, const char *id, size_t len)
{
    size_t own = strlen(n->id);
    int order = memcmp(n->id, id, own < len ? own : len);
    return order ? order : (own > len) - (own < len);
}

/* Where the id is, or would stand. */
static uint32_t place_of(const struct dz_membership *m, const char *id, size_t len)
{
    uint32_t from = 0, to = m->count;
    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        if (compare(m->nodes[mid], id, len) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

struct dz_node *dz_membership_find(const struct dz_membership *m, const char *id, size_t len)
{
    uint32_t at = place_of(m, id, len);
    return at < m->count && compare(m->nodes[at], id, len) == 0 ? m->nodes[at] : NULL;
}

struct dz_node *dz_membership_of_peer(const struct dz_membership *m, uint64_t peer)
{
    return dz_map_get(&m->by_peer, peer);
}

static int make_room(struct dz_membership *m)
{
    if (m->count < m->cap)
        return 0;
    if (m->count >= DZ_MEMBERSHIP_NODES_MAX)
        return DZ_ETOOLARGE;
    uint32_t cap = m->cap ? m->cap * 2 : 16;
    struct dz_node **nodes = dz_realloc(m->nodes, cap * sizeof *nodes);
    if (!nodes)
        return DZ_ENOMEM;
    m->nodes = nodes;
    m->cap = cap;
    return 0;
}

/* The record, made if there is none; *fresh says so. */
static int obtain(struct dz_membership *m, const char *id, size_t len, uint64_t now_ms, struct dz_node **out,
                  bool *fresh)
{
    *fresh = false;
    *out = dz_membership_find(m, id, len);
    if (*out) {
        *fresh = (*out)->gone;
        (*out)->gone = false;
        return 0;
    }
    int err = make_room(m);
    if (!err)
        err = dz_node_new(out, id, len);
    if (err)
        return err;
    uint32_t at = place_of(m, id, len);
    memmove(&m->nodes[at + 1], &m->nodes[at], (m->count - at) * sizeof *m->nodes);
    m->nodes[at] = *out;
    m->count++;
    (*out)->since_ms = now_ms;
    *fresh = true;
    return 0;
}

static bool is_self(const struct dz_membership *m, const char *id, size_t len)
{
    return strlen(m->self) == len && memcmp(m->self, id, len) == 0;
}

static void sweep(struct dz_membership *m)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->nodes[i]->gone)
            dz_node_delete(m->nodes[i]);
        else
            m->nodes[kept++] = m->nodes[i];
    }
    m->count = kept;
}

static void forget(struct dz_membership *m, struct dz_node *n)
{
    dz_assert(!n->peer);
    n->gone = true;
    n->settled = true;
    act(m, DZ_MEMBER_FORGET, n);
}

/* --- losing a node --- */

static void count_flap(struct dz_node *n, uint64_t now_ms)
{
    if (n->flaps == 0 || now_ms - n->flap_ms > DZ_MEMBERSHIP_FLAP_WINDOW_MS) {
        n->flap_ms = now_ms;
        n->flaps = 0;
    }
    n->flaps++;
    if (n->flaps < DZ_MEMBERSHIP_FLAPS)
        return;
    uint32_t doubled = n->flaps - DZ_MEMBERSHIP_FLAPS;
    uint64_t quiet = (uint64_t)DZ_MEMBERSHIP_QUIET_MS << (doubled < 4 ? doubled : 4);
    n->quiet_ms = now_ms + (quiet < DZ_MEMBERSHIP_QUIET_MAX_MS ? quiet : DZ_MEMBERSHIP_QUIET_MAX_MS);
}

/* Ends the session of the node. `close`: the transport does not know yet. */
static struct dz_membership_action *lose(struct dz_membership *m, struct dz_node *n, const char *reason,
                                         bool close, bool verdict, uint64_t now_ms)
{
    dz_assert(n->peer);
    struct dz_membership_action *a = act(m, DZ_MEMBER_LOST, n);
    a->reason = reason;
    a->close = close;
    a->announce = n->announced;
    a->verdict = verdict && n->announced;
    dz_map_remove(&m->by_peer, n->peer);
    n->peer = 0;
    if (n->announced)
        n->lost_incarnation = n->incarnation;
    n->announced = false;
    n->exchanged = false;
    n->draining = n->apart = false;
    n->processes = n->placed_since = 0;
    set_status(m, n, DZ_NODE_DOWN, reason, now_ms);
    return a;
}

static void lose_and_redial(struct dz_membership *m, struct dz_node *n, const char *reason, bool verdict,
                            uint64_t now_ms)
{
    lose(m, n, reason, true, verdict, now_ms);
    count_flap(n, now_ms);
    n->dial_ms = n->quiet_ms > now_ms ? n->quiet_ms : 0;
    if (!n->dial_ms)
        dial(m, n);
}

static bool may_declare_down(const struct dz_membership *m, const struct dz_node *n, uint64_t now_ms)
{
    uint32_t reachable, known;
    if (!m->authority || !m->authority->may_declare_down)
        return true;
    dz_membership_count(m, now_ms, &reachable, &known);
    return m->authority->may_declare_down(m->authority->ctx, n->id, n->incarnation, reachable, known);
}

/* --- events --- */

int dz_membership_seed(struct dz_membership *m, const char *id, uint64_t now_ms)
{
    struct dz_node *n;
    bool fresh;
    if (is_self(m, id, strlen(id)))
        return 0;
    int err = obtain(m, id, strlen(id), now_ms, &n, &fresh);
    if (err)
        return err;
    n->seed = true;
    if (fresh)
        dial(m, n);
    return 0;
}

void dz_membership_learnt(struct dz_membership *m, const char *id, size_t len, uint64_t incarnation,
                          uint64_t now_ms)
{
    struct dz_node *n;
    bool fresh;
    if (is_self(m, id, len) || obtain(m, id, len, now_ms, &n, &fresh))
        return;
    if (fresh) {
        n->status = DZ_NODE_UNMET;
        n->since_ms = now_ms;
        dial(m, n);
    } else if (n->peer && incarnation > n->incarnation) {
        lose_and_redial(m, n, "replaced", false, now_ms);
    } else if ((n->status == DZ_NODE_DOWN || n->status == DZ_NODE_LEFT) && incarnation > n->incarnation) {
        dial(m, n); /* at once, not when its turn comes */
    }
}

enum dz_refusal dz_membership_admit(const struct dz_membership *m, const struct dz_peer_info *info,
                                    uint64_t *known, uint64_t now_ms)
{
    const struct dz_node *n = dz_membership_find(m, info->id, strlen(info->id));
    if (is_self(m, info->id, strlen(info->id)))
        return DZ_REFUSAL_SELF;
    if (!n)
        return DZ_REFUSAL_NONE;
    bool other_life = n->incarnation == info->incarnation && n->birth != info->birth;
    if (n->incarnation && (info->incarnation < n->incarnation || other_life)) {
        *known = n->incarnation;
        return DZ_REFUSAL_STALE;
    }
    bool quiet = n->incarnation == info->incarnation && !n->peer && now_ms < n->quiet_ms;
    return quiet ? DZ_REFUSAL_DENIED : DZ_REFUSAL_NONE;
}

static void new_life(struct dz_node *n, const struct dz_peer_info *info)
{
    n->incarnation = info->incarnation;
    n->birth = info->birth;
    n->flaps = 0;
    n->quiet_ms = 0;
    n->returns = 0;
}

struct dz_node *dz_membership_session(struct dz_membership *m, uint64_t peer, const struct dz_peer_info *info,
                                      uint64_t now_ms)
{
    struct dz_node *n;
    bool fresh;
    if (obtain(m, info->id, strlen(info->id), now_ms, &n, &fresh) || dz_map_put(&m->by_peer, peer, n))
        return NULL;
    if (n->peer)
        lose(m, n, "replaced", true, false, now_ms);
    if (n->incarnation != info->incarnation || n->birth != info->birth)
        new_life(n, info);
    dz_node_set_attributes(n, info->attributes, info->attributes_len);
    n->peer = peer;
    n->dial_ms = 0;
    dz_detector_start(&n->detector, now_ms);
    set_status(m, n, DZ_NODE_JOINING, "connected", now_ms);
    return n;
}

void dz_membership_resumed(struct dz_membership *m, uint64_t peer, uint64_t now_ms)
{
    struct dz_node *n = dz_membership_of_peer(m, peer);
    if (n)
        dz_detector_resumed(&n->detector, now_ms);
}

void dz_membership_exchanged(struct dz_membership *m, uint64_t peer, uint64_t now_ms)
{
    struct dz_node *n = dz_membership_of_peer(m, peer);
    if (!n || n->exchanged)
        return;
    n->exchanged = true;
    n->announced = true;
    n->settled = true;
    set_status(m, n, DZ_NODE_UP, "up", now_ms);
    act(m, DZ_MEMBER_UP, n)->reason = n->lost_incarnation == n->incarnation ? "healed" : "joined";
    if (n->detector.suspect)
        set_status(m, n, DZ_NODE_SUSPECT, "silent", now_ms);
}

static void said_goodbye(struct dz_membership *m, struct dz_node *n, uint64_t now_ms)
{
    lose(m, n, "goodbye", false, true, now_ms);
    set_status(m, n, DZ_NODE_LEFT, "goodbye", now_ms);
    if (n->seed)
        dial(m, n);
}

void dz_membership_closed(struct dz_membership *m, uint64_t peer, enum dz_peer_closed why, uint64_t now_ms)
{
    struct dz_node *n = dz_membership_of_peer(m, peer);
    if (!n)
        return;
    switch (why) {
    case DZ_PEER_GOODBYE:
        said_goodbye(m, n, now_ms);
        break;
    case DZ_PEER_RESET:
    case DZ_PEER_REPLACED:
        m->returns += why == DZ_PEER_RESET;
        lose(m, n, dz_peer_closed_name(why), false, why == DZ_PEER_REPLACED, now_ms)->given_up =
            why == DZ_PEER_RESET;
        n->dial_ms = now_ms + DIAL_ANYWAY_MS;
        break;
    default:
        dz_detector_closed(&n->detector, why == DZ_PEER_REFUSED);
        break;
    }
}

void dz_membership_broken(struct dz_membership *m, uint64_t peer, const char *reason, uint64_t now_ms)
{
    struct dz_node *n = dz_membership_of_peer(m, peer);
    if (n)
        lose_and_redial(m, n, reason, false, now_ms);
}

void dz_membership_heard(struct dz_membership *m, uint64_t peer, uint64_t at_ms)
{
    struct dz_node *n = dz_membership_of_peer(m, peer);
    if (n)
        dz_detector_heard(&n->detector, at_ms);
}

void dz_membership_figures(struct dz_membership *m, uint64_t peer, const struct dz_peer_figures *figures)
{
    struct dz_node *n = dz_membership_of_peer(m, peer);
    if (!n)
        return;
    n->processes = figures->processes;
    n->placed_since = 0;
    n->draining = (figures->flags & DZ_NODE_DRAINING) != 0;
    n->returns = figures->flags >> DZ_NODE_RETURNS_SHIFT;
}

static struct dz_node *find_life(const struct dz_membership *m, const char *id, size_t len,
                                 uint64_t incarnation)
{
    struct dz_node *n = dz_membership_find(m, id, len);
    return n && n->peer && n->incarnation == incarnation ? n : NULL;
}

int dz_membership_probed(const struct dz_membership *m, const char *id, size_t len, uint64_t incarnation,
                         uint64_t now_ms, uint64_t *age_ms)
{
    const struct dz_node *n = find_life(m, id, len, incarnation);
    if (!n || n->detector.refused)
        return DZ_ENONODE;
    *age_ms = now_ms > n->detector.heard_ms ? now_ms - n->detector.heard_ms : 0;
    return 0;
}

static void set_apart(struct dz_membership *m, struct dz_node *n, bool apart)
{
    if (n->apart == apart)
        return;
    n->apart = apart;
    act(m, DZ_MEMBER_CHANGED, n)->reason = apart ? "reached by others" : "back";
}

void dz_membership_reached(struct dz_membership *m, const char *id, size_t len, uint64_t incarnation,
                           uint64_t age_ms, uint64_t now_ms)
{
    struct dz_node *n = find_life(m, id, len, incarnation);
    if (!n || age_ms >= now_ms)
        return;
    dz_detector_reached(&n->detector, now_ms - age_ms);
    if (dz_detector_is_apart(&n->detector, &m->settings))
        set_apart(m, n, true);
}

void dz_membership_verdict(struct dz_membership *m, const char *id, size_t len, uint64_t incarnation,
                           uint32_t returns, uint64_t now_ms)
{
    struct dz_node *n = find_life(m, id, len, incarnation);
    if (n && returns >= n->returns)
        lose_and_redial(m, n, "reported", true, now_ms);
}

/* Whether the failure says that connections are turned away, rather than that nobody is there. */
static bool turned_away(enum dz_refusal why)
{
    switch (why) {
    case DZ_REFUSAL_VERSION:
    case DZ_REFUSAL_SECRET:
    case DZ_REFUSAL_INSECURE:
    case DZ_REFUSAL_DENIED:
    case DZ_REFUSAL_WRONG_RECEIVER:
        return true;
    default:
        return false;
    }
}

void dz_membership_failed(struct dz_membership *m, const char *id, enum dz_refusal why, uint64_t now_ms)
{
    struct dz_node *n = id ? dz_membership_find(m, id, strlen(id)) : NULL;
    if (!n || n->peer || n->gone)
        return;
    n->settled = true;
    bool nobody = why == DZ_REFUSAL_CONNECT || why == DZ_REFUSAL_SELF || why == DZ_REFUSAL_WRONG_RECEIVER;
    if (!n->seed && n->status == DZ_NODE_UNMET && nobody)
        forget(m, n);
    else if (turned_away(why))
        set_status(m, n, DZ_NODE_REFUSED, dz_refusal_name(why), now_ms);
    else if (n->status == DZ_NODE_REFUSED && nobody)
        set_status(m, n, DZ_NODE_DOWN, dz_refusal_name(why), now_ms);
}

void dz_membership_stalled(struct dz_membership *m, uint64_t stall_ms, uint64_t now_ms)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (m->nodes[i]->peer)
            dz_detector_stalled(&m->nodes[i]->detector, stall_ms, now_ms);
}

/* --- time --- */

/* Asks some of the others, other ones each time. */
static void probe(struct dz_membership *m, struct dz_node *about)
{
    uint32_t asked = 0;
    for (uint32_t i = 0; i < m->count && asked < DZ_MEMBERSHIP_HELPERS; i++) {
        struct dz_node *helper = m->nodes[(m->probe_turn + i) % m->count];
        if (helper == about || helper->status != DZ_NODE_UP)
            continue;
        act(m, DZ_MEMBER_PROBE, about)->peer = helper->peer;
        asked++;
    }
    m->probe_turn += asked ? asked : 1;
}

static void judge(struct dz_membership *m, struct dz_node *n, const char *reason, bool verdict,
                  uint64_t now_ms)
{
    if (may_declare_down(m, n, now_ms))
        lose_and_redial(m, n, reason, verdict, now_ms);
}

/* One verdict of the detector; false when there is nothing more. */
static bool follow(struct dz_membership *m, struct dz_node *n, uint64_t now_ms)
{
    switch (dz_detector_tick(&n->detector, &m->settings, now_ms)) {
    case DZ_DETECTOR_NOTHING:
        return false;
    case DZ_DETECTOR_SUSPECT:
        if (n->status == DZ_NODE_UP)
            set_status(m, n, DZ_NODE_SUSPECT, n->detector.closed ? "closed" : "silent", now_ms);
        return true;
    case DZ_DETECTOR_RECOVERED:
        set_apart(m, n, false);
        if (n->status == DZ_NODE_SUSPECT)
            set_status(m, n, DZ_NODE_UP, "back", now_ms);
        return true;
    case DZ_DETECTOR_PROBE:
        probe(m, n);
        return true;
    case DZ_DETECTOR_DOWN:
        judge(m, n, "timeout", true, now_ms);
        return false;
    case DZ_DETECTOR_REFUSED:
        judge(m, n, "refused", true, now_ms);
        return false;
    case DZ_DETECTOR_UNREACHABLE:
        judge(m, n, "unreachable", false, now_ms);
        return false;
    }
    return false;
}

static uint64_t patience(const struct dz_node *n)
{
    switch ((enum dz_node_status)n->status) {
    case DZ_NODE_UNMET:
    case DZ_NODE_REFUSED:
        return DZ_MEMBERSHIP_UNMET_MS;
    default:
        return DZ_MEMBERSHIP_LOST_MS;
    }
}

static void look_after(struct dz_membership *m, struct dz_node *n, uint64_t now_ms)
{
    if (n->peer) {
        while (follow(m, n, now_ms))
            ;
        return;
    }
    if (n->dial_ms && now_ms >= n->dial_ms)
        dial(m, n);
    if (!n->seed && now_ms - n->since_ms >= patience(n))
        forget(m, n);
}

static void gossip(struct dz_membership *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct dz_node *n = m->nodes[(m->gossip_turn + i) % m->count];
        if (n->status != DZ_NODE_UP)
            continue;
        act(m, DZ_MEMBER_GOSSIP, n);
        m->gossip_turn += i + 1;
        return;
    }
}

static void beat(struct dz_membership *m, uint64_t now_ms)
{
    if (now_ms < m->heartbeat_ms)
        return;
    m->heartbeat_ms = now_ms + m->settings.heartbeat_ms;
    for (uint32_t i = 0; i < m->count; i++)
        if (m->nodes[i]->peer && !m->nodes[i]->detector.closed)
            act(m, DZ_MEMBER_HEARTBEAT, m->nodes[i]);
    if (++m->beats % DZ_MEMBERSHIP_GOSSIP_EVERY == 0)
        gossip(m);
}

void dz_membership_tick(struct dz_membership *m, uint64_t now_ms)
{
    dz_assert(dz_list_empty(&m->actions));
    sweep(m);
    beat(m, now_ms);
    for (uint32_t i = 0; i < m->count; i++)
        look_after(m, m->nodes[i], now_ms);
}

void dz_membership_renounce(struct dz_membership *m, uint64_t now_ms)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (!m->nodes[i]->peer)
            continue;
        lose(m, m->nodes[i], "new_incarnation", true, false, now_ms);
        dial(m, m->nodes[i]);
    }
}

void dz_membership_leave(struct dz_membership *m, uint64_t now_ms)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (m->nodes[i]->peer)
            lose(m, m->nodes[i], "stopped", false, false, now_ms);
}
