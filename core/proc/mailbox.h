/* mailbox.h - messages waiting for one process, in the order of their arrival.
 * Owns:    every message pushed and not yet taken.
 * Threads: the process's own thread only; other threads push to that thread's inbox.
 * Fails:   never: room was reserved in the table's slot before (table.h). */
#ifndef DZ_PROC_MAILBOX_H
#define DZ_PROC_MAILBOX_H

#include "base/assert.h"
#include "proc/message.h"

struct dz_mailbox {
    struct dz_msg *head;
    struct dz_msg *tail;
};

void dz_mailbox_init(struct dz_mailbox *m);
static inline struct dz_msg *dz_mailbox_peek(const struct dz_mailbox *m)
{
    return m->head;
}
static inline void dz_mailbox_push(struct dz_mailbox *m, struct dz_msg *msg)
{
    dz_msg_set_next(msg, NULL);
    if (m->tail)
        dz_msg_set_next(m->tail, msg);
    else
        m->head = msg;
    m->tail = msg;
}
/* NULL when empty. */
static inline struct dz_msg *dz_mailbox_pop(struct dz_mailbox *m)
{
    struct dz_msg *msg = m->head;
    if (!msg)
        return NULL;
    m->head = dz_msg_next(msg);
    if (!m->head)
        m->tail = NULL;
    dz_msg_set_next(msg, NULL);
    return msg;
}
/* Takes `msg`, whose predecessor is `prev` (NULL: it is the head), out of the middle: for selective receive. */
void dz_mailbox_take(struct dz_mailbox *m, struct dz_msg *prev, struct dz_msg *msg);

#endif
