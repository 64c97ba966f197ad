/* bond.h - links and monitors, as the records each side keeps.
 * Owns:    one record per side and bond, with the message that will announce its end inside, so that the announcement cannot
 *          fail.
 * Threads: the process's own.
 * Fails:   DZ_ENOMEM when made; breaking never fails. */
#ifndef DZ_PROC_BOND_H
#define DZ_PROC_BOND_H

#include "base/list.h"
#include "base/map.h"
#include "proc/message.h"
#include "proc/rt.h"

enum dz_bond_kind {
    DZ_BOND_LINK,    /* both sides have one */
    DZ_BOND_WATCHES, /* this process monitors `other` under ref */
    DZ_BOND_WATCHED, /* `other` monitors this process under ref */
    DZ_BOND_PARENT,  /* `other` is this process's supervisor on another node, whose loss ends it */
};

struct dz_bond {
    struct dz_list all; /* dz_bonds.all */
    struct dz_list far; /* dz_thread.far when other is on another node (not for natives) */
    struct dz_proc *proc;
    struct dz_pid other;
    uint64_t ref;
    enum dz_bond_kind kind;
    struct dz_msg *notice; /* becomes the EXIT, DOWN, UNLINK or DEMONITOR that ends the bond */
};

struct dz_bonds {
    struct dz_list all;
    struct dz_map index; /* mixed (kind, other, ref) -> bond */
    uint32_t count;
    uint32_t links;
    uint32_t monitors;
    bool indexed; /* `index` holds every record (but for colliding keys) */
};

/* The bond, or NULL. */
struct dz_bond *dz_bond_find(struct dz_proc *p, enum dz_bond_kind kind, struct dz_pid other, uint64_t ref);
/* A WATCHES bond by its ref alone. */
struct dz_bond *dz_bond_find_watch(struct dz_proc *p, uint64_t ref);
/* Makes the record on this side; one that exists is returned as it is. */
int dz_bond_add(struct dz_thread *t, struct dz_proc *p, enum dz_bond_kind kind, struct dz_pid other, uint64_t ref,
                struct dz_bond **out);
/* Removes and frees the record silently. */
void dz_bond_drop(struct dz_proc *p, struct dz_bond *b);

/* The asking side, in a turn of p: record here, signal there. */
int dz_bond_link(struct dz_thread *t, struct dz_proc *p, struct dz_pid other);
void dz_bond_unlink(struct dz_thread *t, struct dz_proc *p, struct dz_pid other);
int dz_bond_monitor(struct dz_thread *t, struct dz_proc *p, struct dz_pid other, uint64_t *ref);
/* The same by the supervisor of a process that somebody else spawned: it becomes its parent, unless it has one. */
int dz_bond_adopt(struct dz_thread *t, struct dz_proc *p, struct dz_pid other, uint64_t *ref);
/* False when it had fired or never was. */
bool dz_bond_demonitor(struct dz_thread *t, struct dz_proc *p, uint64_t ref);

/* The process ends with this reason: every other side and its supervisor is told, all records go. */
void dz_bond_break_all(struct dz_thread *t, struct dz_proc *p, struct dz_blob *reason, unsigned how);
/* A node is lost: bonds of this thread's processes with it break with noconnection (the far side can no longer be told). With
 * `given_up` it was the node that lost us: the children of its supervisors have been placed anew, so they are superseded. */
void dz_bond_node_lost(struct dz_thread *t, uint32_t node, bool given_up);
/* The same for one native. */
void dz_bond_node_lost_native(struct dz_thread *t, struct dz_proc *p, uint32_t node, bool given_up);

#endif
