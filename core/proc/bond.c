#include "proc/bond.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "proc/process.h"
#include "proc/orphan.h"
#include "proc/send.h"

/* Below this many records a walk of the list is cheaper than an index. */
#define INDEX_FROM 8u

static uint64_t key_of(enum dz_bond_kind kind, struct dz_pid other, uint64_t ref)
{
    uint64_t k = ((uint64_t)other.slot << 32 | other.gen) ^ (uint64_t)other.node << 17 ^ (uint64_t)kind << 61;
    /* A WATCHES record is looked up by its ref alone, which is unique in this host. */
    if (kind == DZ_BOND_WATCHES)
        k = (uint64_t)kind << 61;
    k ^= ref * 0x9e3779b97f4a7c15ull;
    k ^= k >> 29;
    return k * 0xbf58476d1ce4e5b9ull;
}

static bool is_bond(const struct dz_bond *b, enum dz_bond_kind kind, struct dz_pid other, uint64_t ref)
{
    return b->kind == kind && b->ref == ref && (kind == DZ_BOND_WATCHES || dz_pid_eq(b->other, other));
}

static struct dz_bond *find(struct dz_proc *p, enum dz_bond_kind kind, struct dz_pid other, uint64_t ref)
{
    if (!p->bonds)
        return NULL;
    if (p->bonds->indexed) {
        struct dz_bond *b = dz_map_get(&p->bonds->index, key_of(kind, other, ref));
        if (!b)
            return NULL;
        if (is_bond(b, kind, other, ref))
            return b; /* else two keys collided: the list knows */
    }
    dz_list_each (&p->bonds->all, it) {
        struct dz_bond *b = dz_list_entry(it, struct dz_bond, all);
        if (is_bond(b, kind, other, ref))
            return b;
    }
    return NULL;
}

struct dz_bond *dz_bond_find(struct dz_proc *p, enum dz_bond_kind kind, struct dz_pid other, uint64_t ref)
{
    dz_assert(kind != DZ_BOND_WATCHES);
    return find(p, kind, other, ref);
}

struct dz_bond *dz_bond_find_watch(struct dz_proc *p, uint64_t ref)
{
    return find(p, DZ_BOND_WATCHES, DZ_PID_NONE, ref);
}

static int index_bond(struct dz_bonds *bonds, struct dz_bond *b)
{
    uint64_t key = key_of(b->kind, b->other, b->ref);
    return dz_map_get(&bonds->index, key) ? 0 : dz_map_put(&bonds->index, key, b);
}

/* All records so far into the index; on failure there is none and the list goes on serving. */
static void build_index(struct dz_bonds *bonds)
{
    bonds->indexed = true;
    dz_list_each (&bonds->all, it) {
        if (index_bond(bonds, dz_list_entry(it, struct dz_bond, all)) == 0)
            continue;
        dz_map_fini(&bonds->index);
        dz_map_init(&bonds->index);
        bonds->indexed = false;
        return;
    }
}

static struct dz_bonds *bonds_of(struct dz_proc *p)
{
    if (!p->bonds) {
        p->bonds = dz_zalloc(1, sizeof *p->bonds);
        if (p->bonds) {
            dz_list_init(&p->bonds->all);
            dz_map_init(&p->bonds->index);
        }
    }
    return p->bonds;
}

static void count(struct dz_bonds *bonds, enum dz_bond_kind kind, int by)
{
    bonds->count += (uint32_t)by;
    if (kind == DZ_BOND_LINK)
        bonds->links += (uint32_t)by;
    else if (kind == DZ_BOND_WATCHES)
        bonds->monitors += (uint32_t)by;
}

/* Who has no bond has no table of them, also when the first one could not be made. */
static void drop_if_empty(struct dz_proc *p)
{
    if (!p->bonds || p->bonds->count > 0)
        return;
    dz_map_fini(&p->bonds->index);
    dz_free(p->bonds);
    p->bonds = NULL;
}

static struct dz_bond *bond_new(struct dz_proc *p, enum dz_bond_kind kind, struct dz_pid other, uint64_t ref)
{
    struct dz_bond *b = dz_zalloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->notice = dz_msg_new(DZ_MSG_DOWN, 0);
    if (!b->notice) {
        dz_free(b);
        return NULL;
    }
    b->proc = p;
    b->kind = kind;
    b->other = other;
    b->ref = ref;
    dz_list_init(&b->far);
    return b;
}

int dz_bond_add(struct dz_thread *t, struct dz_proc *p, enum dz_bond_kind kind, struct dz_pid other, uint64_t ref,
                struct dz_bond **out)
{
    struct dz_bond *b = find(p, kind, other, ref);
    if (!b) {
        struct dz_bonds *bonds = bonds_of(p);
        b = bonds ? bond_new(p, kind, other, ref) : NULL;
        if (!b) {
            drop_if_empty(p);
            return DZ_ENOMEM;
        }
        if (bonds->indexed && index_bond(bonds, b)) {
            dz_msg_free(b->notice);
            dz_free(b);
            return DZ_ENOMEM;
        }
        dz_list_push_back(&bonds->all, &b->all);
        count(bonds, kind, 1);
        if (!bonds->indexed && bonds->count == INDEX_FROM)
            build_index(bonds);
        if (!(p->flags & DZ_PROC_NATIVE) && !dz_nodes_is_self(&t->rt->nodes, other.node))
            dz_list_push_back(&t->far, &b->far);
    }
    if (out)
        *out = b;
    return 0;
}

void dz_bond_drop(struct dz_proc *p, struct dz_bond *b)
{
    struct dz_bonds *bonds = p->bonds;
    uint64_t key = key_of(b->kind, b->other, b->ref);
    dz_assert(bonds && b->proc == p);
    if (bonds->indexed && dz_map_get(&bonds->index, key) == b)
        dz_map_remove(&bonds->index, key);
    dz_list_remove(&b->all);
    dz_list_remove(&b->far);
    count(bonds, b->kind, -1);
    dz_msg_free(b->notice);
    dz_free(b);
    drop_if_empty(p);
}

/* The message inside the record, made into a signal to `to` about p. The record has none afterwards. */
static void send_notice(struct dz_thread *t, struct dz_proc *p, struct dz_bond *b, enum dz_msg_kind kind,
                        struct dz_blob *reason)
{
    struct dz_msg *m = b->notice;
    b->notice = NULL;
    m->kind = (uint8_t)kind;
    m->from = p->pid;
    m->to = b->other;
    m->ref = b->ref;
    if (reason)
        dz_msg_set_blob(m, reason);
    dz_send_must(t, m);
}

/* The record here, then the signal there: `m` is the signal, made before the record so that nothing can fail in between. */
static int add_and_tell(struct dz_thread *t, struct dz_proc *p, enum dz_bond_kind kind, struct dz_pid other, uint64_t ref,
                        struct dz_msg *m)
{
    int err = m ? dz_bond_add(t, p, kind, other, ref, NULL) : DZ_ENOMEM;
    if (err) {
        dz_msg_free(m);
        return err;
    }
    m->from = p->pid;
    m->to = other;
    m->ref = ref;
    dz_send_must(t, m);
    return 0;
}

int dz_bond_link(struct dz_thread *t, struct dz_proc *p, struct dz_pid other)
{
    if (dz_pid_eq(p->pid, other) || dz_pid_is_none(other) || find(p, DZ_BOND_LINK, other, 0))
        return 0;
    return add_and_tell(t, p, DZ_BOND_LINK, other, 0, dz_msg_new(DZ_MSG_LINK, 0));
}

void dz_bond_unlink(struct dz_thread *t, struct dz_proc *p, struct dz_pid other)
{
    struct dz_bond *b = find(p, DZ_BOND_LINK, other, 0);
    if (!b)
        return;
    send_notice(t, p, b, DZ_MSG_UNLINK, NULL);
    dz_bond_drop(p, b);
}

static int watch(struct dz_thread *t, struct dz_proc *p, struct dz_pid other, uint16_t code, uint64_t *ref)
{
    struct dz_msg *m = dz_msg_new(DZ_MSG_MONITOR, 0);
    if (m)
        m->code = code;
    *ref = dz_rt_next_ref(t->rt);
    return add_and_tell(t, p, DZ_BOND_WATCHES, other, *ref, m);
}

int dz_bond_monitor(struct dz_thread *t, struct dz_proc *p, struct dz_pid other, uint64_t *ref)
{
    return watch(t, p, other, 0, ref);
}

int dz_bond_adopt(struct dz_thread *t, struct dz_proc *p, struct dz_pid other, uint64_t *ref)
{
    return watch(t, p, other, 1, ref);
}

/* A DOWN that waits in the mailbox already is taken back as well: after demonitor none is seen (OTP: with flush). */
static bool drop_mailed_down(struct dz_proc *p, uint64_t ref)
{
    struct dz_msg *prev = NULL;
    for (struct dz_msg *m = dz_mailbox_peek(&p->mail); m; prev = m, m = dz_msg_next(m)) {
        if (m->kind != DZ_MSG_DOWN || m->ref != ref)
            continue;
        dz_mailbox_take(&p->mail, prev, m);
        dz_msg_free(m);
        return true;
    }
    return false;
}

bool dz_bond_demonitor(struct dz_thread *t, struct dz_proc *p, uint64_t ref)
{
    struct dz_bond *b = find(p, DZ_BOND_WATCHES, DZ_PID_NONE, ref);
    if (!b) {
        drop_mailed_down(p, ref);
        return false;
    }
    send_notice(t, p, b, DZ_MSG_DEMONITOR, NULL);
    dz_bond_drop(p, b);
    return true;
}

void dz_bond_break_all(struct dz_thread *t, struct dz_proc *p, struct dz_blob *reason, unsigned how)
{
    while (p->bonds) {
        struct dz_bond *b = dz_list_entry(p->bonds->all.next, struct dz_bond, all);
        if (b->kind == DZ_BOND_LINK)
            send_notice(t, p, b, DZ_MSG_EXIT, reason);
        else if (b->kind == DZ_BOND_WATCHED)
            send_notice(t, p, b, DZ_MSG_DOWN, reason);
        else if (b->kind == DZ_BOND_WATCHES)
            send_notice(t, p, b, DZ_MSG_DEMONITOR, NULL);
        dz_bond_drop(p, b);
    }
    if (dz_pid_is_none(p->parent) || (p->flags & DZ_PROC_ADOPTED))
        return;
    struct dz_msg *m = dz_msg_new_blob(DZ_MSG_CHILD_EXIT, reason);
    dz_assert(m); /* a small control struct: without it the supervisor would believe the child alive */
    m->from = p->pid;
    m->to = p->parent;
    m->code = (uint16_t)how;
    dz_send_must(t, m);
}

/* The far side of this record is lost with its node: what it would have told us, told here. */
static void lose(struct dz_thread *t, struct dz_proc *p, struct dz_bond *b, bool given_up)
{
    struct dz_blob *reason = t->rt->reasons[DZ_REASON_NOCONNECTION];
    if (b->kind == DZ_BOND_PARENT) {
        p->parent = DZ_PID_NONE; /* nobody is left there to hear of the end */
        dz_orphan_end(t, p, given_up ? t->rt->reasons[DZ_REASON_SUPERSEDED] : reason, 0);
    }
    if (b->kind == DZ_BOND_PARENT || b->kind == DZ_BOND_WATCHED) {
        dz_bond_drop(p, b);
        return;
    }
    struct dz_msg *m = b->notice;
    b->notice = NULL;
    m->kind = b->kind == DZ_BOND_LINK ? DZ_MSG_EXIT : DZ_MSG_DOWN;
    m->from = b->other;
    m->to = p->pid;
    m->ref = b->ref;
    dz_msg_set_blob(m, reason);
    dz_process_arrive(t, p, m); /* finds the record and drops it */
}

void dz_bond_node_lost(struct dz_thread *t, uint32_t node, bool given_up)
{
    dz_list_each_safe (&t->far, it) {
        struct dz_bond *b = dz_list_entry(it, struct dz_bond, far);
        if (dz_nodes_resolve(&t->rt->nodes, b->other.node) == node)
            lose(t, b->proc, b, given_up);
    }
}

/* The records to be lost in front of the others, their order kept. How many they are. */
static uint32_t lost_first(const struct dz_nodes *nodes, struct dz_bonds *bonds, uint32_t node)
{
    struct dz_list lost;
    uint32_t n = 0;
    dz_list_init(&lost);
    dz_list_each_safe (&bonds->all, it) {
        if (dz_nodes_resolve(nodes, dz_list_entry(it, struct dz_bond, all)->other.node) != node)
            continue;
        dz_list_remove(it);
        dz_list_push_back(&lost, it);
        n++;
    }
    dz_list_splice_back(&lost, &bonds->all);
    dz_list_splice_back(&bonds->all, &lost);
    return n;
}

/* A native's handler runs in between and may drop or add any record: only the first one is ever looked at. */
void dz_bond_node_lost_native(struct dz_thread *t, struct dz_proc *p, uint32_t node, bool given_up)
{
    uint32_t lost = p->bonds ? lost_first(&t->rt->nodes, p->bonds, node) : 0;
    while (lost-- > 0 && p->bonds) {
        struct dz_bond *b = dz_list_entry(p->bonds->all.next, struct dz_bond, all);
        if (dz_nodes_resolve(&t->rt->nodes, b->other.node) != node)
            return;
        lose(t, p, b, given_up);
    }
}
